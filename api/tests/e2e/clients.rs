//! Stock JavaScript clients against the built program. `.ci/test` installs what they need.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use serde_json::Value;

use crate::support::database::Database;
use crate::support::graphql::Api;
use crate::support::plaudit::{Plaudit, Said, finish, token};
use crate::support::setting::{Setting, record};
use crate::support::until::{SOON, eventually};

on_both!(
    the_audits_of_graphql_over_http_are_all_ok,
    every_breach_of_the_protocol_has_its_close_code,
    the_graphql_ws_client_gets_replay_the_mark_and_what_is_live,
    the_graphql_sse_client_gets_replay_the_mark_and_what_is_live,
    the_apollo_client_gets_replay_the_mark_and_what_is_live,
    the_graphql_ws_client_goes_on_where_it_was_cut_off,
);

/// The folder of the scripts.
pub const CLIENTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients");
const FEED: &str = "subscription ($after: String) { feed(after: $after) { __typename \
                    ... on FeedEntry { id position cursor } ... on FeedCaughtUp { position cursor } } }";

pub fn node(arguments: &[&str]) -> Command {
    assert!(
        Path::new(CLIENTS).join("node_modules").is_dir(),
        "the JavaScript clients are not installed: run `npm ci` in api/tests/clients, or all of it with .ci/test"
    );
    let mut command = Command::new("node");
    command.current_dir(CLIENTS).args(arguments);
    command
}

/// What a script printed: a JSON value a line.
fn lines(said: &Said) -> Vec<Value> {
    let parse = |line: &str| serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}"));
    said.out.lines().map(parse).collect()
}

async fn the_audits_of_graphql_over_http_are_all_ok(database: Database) {
    let plaudit = Plaudit::serve(&database, &[]).await;
    let said = finish(node(&["audit.mjs", &plaudit.url("/graphql")])).await;
    assert!(said.status.success(), "{}{}", said.out, said.err);
    assert_eq!(
        lines(&said),
        [serde_json::json!({"ok": 61, "notice": 0, "warn": 0, "error": 0})]
    );
}

async fn every_breach_of_the_protocol_has_its_close_code(database: Database) {
    let plaudit = Plaudit::serve(&database, &[]).await;
    let setting = Setting::new(&database, plaudit.address(), 1).await;
    let short = ["--partner", "pillow", "--scope", "feed:read", "--ttl", "3s"];
    let short = token(&database, &short).await;
    let url = plaudit.url("/graphql");
    let script = [
        "closecodes.mjs",
        &url,
        &setting.partner,
        "subscription { feed { __typename } }",
        &short,
    ];
    let said = finish(node(&script)).await;
    assert!(said.status.success(), "{}{}", said.out, said.err);
    assert_eq!(lines(&said).len(), 17, "every check ran: {}", said.out);
}

async fn the_graphql_ws_client_gets_replay_the_mark_and_what_is_live(database: Database) {
    gets_replay_the_mark_and_what_is_live("subscribe.mjs", &database).await;
}

async fn the_graphql_sse_client_gets_replay_the_mark_and_what_is_live(database: Database) {
    gets_replay_the_mark_and_what_is_live("sse.mjs", &database).await;
}

async fn the_apollo_client_gets_replay_the_mark_and_what_is_live(database: Database) {
    gets_replay_the_mark_and_what_is_live("apollo.mjs", &database).await;
}

async fn gets_replay_the_mark_and_what_is_live(script: &str, database: &Database) {
    let plaudit = Plaudit::serve(database, &[]).await;
    let setting = Setting::new(database, plaudit.address(), 1).await;
    let api = Api::new(plaudit.address(), &setting.employer);
    send(&api, &setting, 0..2).await;
    eventually("an empty queue", SOON, async || {
        (database.count("event").await == 0).then_some(())
    })
    .await;
    let url = plaudit.url("/graphql");
    let mut script = Script::start(node(&[script, &url, &setting.partner, FEED, "4"]));
    script.said(3).await;
    send(&api, &setting, 2..3).await;
    assert!(script.ended().await.success());
    let came: Vec<_> = script.lines().iter().map(shown).collect();
    assert_eq!(
        came,
        ["FeedEntry 1", "FeedEntry 2", "FeedCaughtUp 2", "FeedEntry 3"]
    );
}

async fn the_graphql_ws_client_goes_on_where_it_was_cut_off(database: Database) {
    let mut plaudit = Plaudit::serve(&database, &[]).await;
    let setting = Setting::new(&database, plaudit.address(), 1).await;
    let folder = tempfile::tempdir().expect("there is room for a folder");
    let address = folder.path().join("address");
    let here =
        |plaudit: &Plaudit| std::fs::write(&address, plaudit.url("/graphql")).expect("it can be written");
    here(&plaudit);
    let file = address.to_str().expect("a path in UTF-8");
    let mut script = Script::start(node(&["resume.mjs", file, &setting.partner, "12"]));
    let entries = |lines: &[Value]| {
        lines
            .iter()
            .map(shown)
            .filter(|line| line.starts_with("FeedEntry"))
            .count()
    };
    let told = |lines: &[Value], what: &str| lines.iter().filter(|line| line[what] == true).count();
    for round in 0..4 {
        let api = Api::new(plaudit.address(), &setting.employer);
        send(&api, &setting, 3 * round..3 * round + 1).await;
        script.until(|lines| entries(lines) == 3 * round + 1).await;
        if round % 2 == 0 {
            script.tell();
            script.until(|lines| told(lines, "cut") == round / 2 + 1).await;
        } else {
            plaudit.kill();
            plaudit = Plaudit::serve(&database, &[]).await;
            here(&plaudit);
        }
        // These come while the client is away, or on its way back.
        let api = Api::new(plaudit.address(), &setting.employer);
        send(&api, &setting, 3 * round + 1..3 * round + 3).await;
    }
    assert!(script.ended().await.success());
    let lines = script.lines();
    let came: Vec<_> = lines
        .iter()
        .filter(|line| !line["data"].is_null())
        .map(shown)
        .collect();
    let positions: Vec<_> = came.iter().filter(|line| line.starts_with("FeedEntry")).collect();
    let expected: Vec<_> = (1..=12).map(|n| format!("FeedEntry {n}")).collect();
    assert_eq!(positions, expected.iter().collect::<Vec<_>>(), "{came:?}");
    let connections = told(&lines, "connected");
    assert!(
        connections >= 5,
        "it was cut off four times and came back: {connections}"
    );
    // A connection may be cut, and the script may end, before the mark of that connection is due.
    let marks = came.len() - positions.len();
    assert!(
        marks <= connections,
        "one mark a connection at the most: {came:?}"
    );
}

async fn send(api: &Api, setting: &Setting, numbers: std::ops::Range<usize>) {
    for n in numbers {
        let event = setting.event(&format!("e{n}"), "m0", 0);
        assert_eq!(record(api, &[event]).await, Some(vec!["ACCEPTED".to_owned()]));
    }
}

/// The kind and position of what came.
fn shown(line: &Value) -> String {
    let item = &line["data"]["feed"];
    format!(
        "{} {}",
        item["__typename"].as_str().unwrap_or("none"),
        item["position"]
    )
}

/// A script that goes on while the test does.
pub struct Script {
    child: Child,
    lines: Arc<Mutex<Vec<Value>>>,
    reader: Option<JoinHandle<()>>,
}

impl Script {
    pub fn start(mut command: Command) -> Self {
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("node starts");
        let out = BufReader::new(child.stdout.take().expect("a pipe"));
        let lines = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&lines);
        let reader = std::thread::spawn(move || {
            for line in out.lines().map_while(Result::ok) {
                let value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("no JSON: {line}"));
                kept.lock().expect("nobody panicked").push(value);
            }
        });
        Self {
            child,
            lines,
            reader: Some(reader),
        }
    }

    pub fn lines(&self) -> Vec<Value> {
        self.lines.lock().expect("nobody panicked").clone()
    }

    /// Waits for this state of what it has said.
    async fn until(&self, state: impl Fn(&[Value]) -> bool) {
        eventually("the client's next lines", SOON, async || {
            state(&self.lines()).then_some(())
        })
        .await;
    }

    /// Waits for so many lines.
    pub async fn said(&self, count: usize) {
        self.until(|lines| lines.len() >= count).await;
    }

    /// Sends it a line.
    fn tell(&mut self) {
        let input = self.child.stdin.as_mut().expect("a pipe");
        input.write_all(b"\n").expect("it listens");
    }

    /// How it ended; then all it said has been read.
    async fn ended(&mut self) -> ExitStatus {
        let ended = async || self.child.try_wait().expect("it is our child");
        let status = eventually("the end of the script", SOON, ended).await;
        if let Some(reader) = self.reader.take() {
            reader.join().expect("every line was JSON");
        }
        status
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        // It has mostly ended before.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
