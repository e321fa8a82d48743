//! The partners of the README, each about twenty lines of JavaScript or Python, against the built program. `.ci/test` installs what
//! they need.

use std::path::Path;
use std::process::Command;

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use entity::clock::Clock;
use serde_json::{Value, json};

use crate::clients::{CLIENTS, Script, node};
use crate::support::database::Database;
use crate::support::graphql::Api;
use crate::support::plaudit::{Plaudit, finish_with};
use crate::support::setting::{Setting, record};
use crate::support::until::{SOON, eventually};

on_both!(
    the_partner_in_javascript_has_every_entry_though_the_server_is_killed,
    the_partner_in_python_has_every_entry_though_the_server_is_killed,
);

/// Where `.ci/test` puts the Python packages.
const PYTHON: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/python/bin/python");

fn python(arguments: &[&str]) -> Command {
    assert!(
        Path::new(PYTHON).is_file(),
        "the Python clients are not installed: .ci/test does so, into target/python"
    );
    let mut command = Command::new(PYTHON);
    command.current_dir(CLIENTS).args(arguments);
    command
}

async fn the_partner_in_javascript_has_every_entry_though_the_server_is_killed(database: Database) {
    has_every_entry(&database, |url, token| node(&["partner.mjs", url, token])).await;
}

async fn the_partner_in_python_has_every_entry_though_the_server_is_killed(database: Database) {
    has_every_entry(&database, |url, token| python(&["partner.py", url, token])).await;
}

async fn has_every_entry(database: &Database, partner: impl Fn(&str, &str) -> Command) {
    let plaudit = Plaudit::serve(database, &[]).await;
    let setting = Setting::new(database, plaudit.address(), 1).await;
    let address = plaudit.address();
    let api = Api::new(plaudit.address(), &setting.employer);
    send(&api, &setting, 0..3).await;
    let script = Script::start(partner(&plaudit.url("/graphql"), &setting.partner));
    script.said(3).await;
    send(&api, &setting, 3..5).await;
    script.said(5).await;
    plaudit.kill();
    // At the same address, so that the partner finds it again.
    let _again = Plaudit::serve_at(database, address).await;
    send(&api, &setting, 5..7).await;
    script.said(7).await;
    let positions: Vec<Value> = script
        .lines()
        .iter()
        .map(|line| line["position"].clone())
        .collect();
    assert_eq!(positions, (1..=7).map(|n| json!(n)).collect::<Vec<_>>());
}

async fn send(api: &Api, setting: &Setting, numbers: std::ops::Range<usize>) {
    for n in numbers {
        let event = setting.event(&format!("e{n}"), "m0", 0);
        // The first request to a process that was just started may find an old connection.
        let taken = async || record(api, std::slice::from_ref(&event)).await;
        let statuses = eventually("an event is taken", SOON, taken).await;
        assert_eq!(statuses, ["ACCEPTED"]);
    }
}

/// A webhook as the specification says: signed with each secret that is good.
fn webhook(secrets: &[&[u8]], body: &str) -> Value {
    let (id, at) = (
        "fee_01ARZ3NDEKTSV4RRFFQ69G5FAV",
        Clock::system().now().timestamp(),
    );
    let signatures: Vec<String> = secrets
        .iter()
        .map(|secret| {
            let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
            let tag = hmac::sign(&key, format!("{id}.{at}.{body}").as_bytes());
            format!("v1,{}", STANDARD.encode(tag))
        })
        .collect();
    json!({
        "headers": {"webhook-id": id, "webhook-timestamp": at.to_string(), "webhook-signature": signatures.join(" ")},
        "body": body,
    })
}

#[tokio::test]
async fn a_webhook_is_verified_with_either_secret_while_one_rotates_and_with_no_other() {
    let body = json!({"type": "achievement.earned", "data": {"position": 7}}).to_string();
    let (old, new, wrong) = ([1_u8; 32], [2_u8; 32], [3_u8; 32]);
    let signed = webhook(&[&new, &old], &body);
    for verifier in [|| node(&["verify.mjs"]), || python(&["verify.py"])] {
        for (secret, is_good) in [(old, true), (new, true), (wrong, false)] {
            let mut given = signed.clone();
            given["secret"] = json!(format!("whsec_{}", STANDARD.encode(secret)));
            let said = finish_with(verifier(), &given.to_string()).await;
            assert_eq!(said.status.success(), is_good, "{said:?}");
            if is_good {
                let read: Value = serde_json::from_str(&said.out).expect("what was signed");
                assert_eq!(read["data"]["position"], 7);
            }
        }
        let mut changed = signed.clone();
        changed["secret"] = json!(format!("whsec_{}", STANDARD.encode(new)));
        changed["body"] = json!(body.replace('7', "8"));
        let said = finish_with(verifier(), &changed.to_string()).await;
        assert!(!said.status.success(), "{said:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn prometheus_reads_the_metrics() {
    let database = Database::sqlite();
    let plaudit = Plaudit::serve(&database, &["--metrics-addr", "127.0.0.1:0"]).await;
    let at = plaudit.logged("serving metrics").await["fields"]["address"].clone();
    let setting = Setting::new(&database, plaudit.address(), 1).await;
    let api = Api::new(plaudit.address(), &setting.employer);
    send(&api, &setting, 0..3).await;
    eventually("an empty queue", SOON, async || {
        (database.count("event").await == 0).then_some(())
    })
    .await;
    let url = format!("http://{}/metrics", at.as_str().expect("an address"));
    let answer = api.http.get(url).send().await.expect("it serves");
    assert!(
        answer.headers()["content-type"]
            .to_str()
            .unwrap()
            .starts_with("application/openmetrics-text")
    );
    let text = answer.text().await.expect("a text");
    let said = finish_with(python(&["metrics.py"]), &text).await;
    assert!(said.status.success(), "{said:?}");
    let samples: Vec<Value> = said
        .out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let value = |name: &str, label: &str, word: &str| {
        let found = samples
            .iter()
            .find(|sample| sample["name"] == name && (label.is_empty() || sample["labels"][label] == word));
        found.map(|sample| sample["value"].as_f64().expect("a number"))
    };
    assert_eq!(
        value("plaudit_events_total", "result", "accepted"),
        Some(3.0),
        "{text}"
    );
    assert_eq!(
        value("plaudit_events_evaluated_total", "", ""),
        Some(3.0),
        "{text}"
    );
    assert_eq!(value("plaudit_queue_events", "", ""), Some(0.0), "{text}");
    let elsewhere = api
        .http
        .get(plaudit.url("/metrics"))
        .send()
        .await
        .expect("it serves");
    assert_eq!(elsewhere.status(), 404, "clients find nothing at their door");
}
