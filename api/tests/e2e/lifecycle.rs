//! How the program starts, says that it cannot, and ends.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::database::{self, Database};
use crate::support::feed::{Read as FeedRead, Subscription};
use crate::support::graphql::http;
use crate::support::plaudit::{Plaudit, Said, run, run_alone};
use crate::support::setting::Setting;
use crate::support::socket::Socket;
use crate::support::until::{SOON, within};

on_both!(
    the_signal_to_end_lets_everything_finish,
    a_worker_ends_with_the_signal,
    a_server_without_anything_set_up_is_ready,
);

/// What an orchestrator grants before it kills.
const GRACE: Duration = Duration::from_secs(30);

async fn the_signal_to_end_lets_everything_finish(database: Database) {
    let mut plaudit = Plaudit::serve(&database, &[]).await;
    let setting = Setting::new(&database, plaudit.address(), 1).await;
    let socket = Socket::open(plaudit.address(), &setting.partner)
        .await
        .expect("it serves");
    let opened = Subscription::open(plaudit.address(), &setting.partner, FeedRead::default()).await;
    let mut subscription = opened.expect("it serves");
    subscription.catch_up().await;
    let mut request = HeldRequest::start(&plaudit, &setting);

    let began = Instant::now();
    plaudit.terminate();
    plaudit.logged("told to end; finishing what is under way").await;
    assert_eq!(socket.closed(SOON).await, 1001, "an idle socket");
    assert_eq!(subscription.closed(SOON).await, 1001, "a subscription");
    // Whoever asks now is told to go elsewhere, or finds the door shut.
    if let Ok(answer) = http().get(plaudit.url("/readyz")).send().await {
        assert_eq!(answer.status(), 503);
    }
    let (status, answer) = request.finish();
    assert_eq!(status, 200, "{answer}");
    assert_eq!(
        answer["data"]["recordEvents"]["results"],
        json!([{"status": "ACCEPTED"}])
    );
    let status = plaudit.ended(GRACE.saturating_sub(began.elapsed())).await;
    assert_eq!(status.code(), Some(0));
    println!("ended {:?} after the signal", began.elapsed());
    plaudit.logged("ended").await;

    // What was accepted at the last moment is evaluated by now, or by whoever starts next.
    let next = Plaudit::serve(&database, &[]).await;
    let opened = Subscription::open(next.address(), &setting.partner, FeedRead::default()).await;
    let mut subscription = opened.expect("it serves");
    subscription.hold(1).await;
    let db = database.open().await;
    assert_eq!(database::count(&db, "event").await, 0);
    db.close().await.expect("the database closes");
}

/// A request whose head has been read and whose body is held back.
struct HeldRequest {
    stream: BufReader<TcpStream>,
    body: String,
}

impl HeldRequest {
    fn start(plaudit: &Plaudit, setting: &Setting) -> Self {
        let query =
            "mutation ($input: RecordEventsInput!) { recordEvents(input: $input) { results { status } } }";
        let events = json!([setting.event("late", "m0", 0)]);
        let body = json!({"query": query, "variables": {"input": {"events": events}}}).to_string();
        let stream = TcpStream::connect(plaudit.address()).expect("it serves");
        stream.set_read_timeout(Some(SOON)).expect("a time");
        let mut stream = BufReader::new(stream);
        write!(
            stream.get_mut(),
            "POST /graphql HTTP/1.1\r\nhost: plaudit\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\n\
             content-length: {}\r\nexpect: 100-continue\r\n\r\n",
            setting.employer,
            body.len()
        )
        .expect("it listens");
        // It asks for the body only once it is at work on the request.
        let mut line = String::new();
        stream.read_line(&mut line).expect("it answers");
        assert_eq!(line, "HTTP/1.1 100 Continue\r\n");
        stream.read_line(&mut line).expect("it answers");
        Self { stream, body }
    }

    /// Sends the body: status and answer.
    fn finish(&mut self) -> (u16, Value) {
        self.stream
            .get_mut()
            .write_all(self.body.as_bytes())
            .expect("it listens");
        let mut line = String::new();
        self.stream.read_line(&mut line).expect("it answers");
        let status = line.split(' ').nth(1).and_then(|code| code.parse().ok());
        let mut rest = String::new();
        // The server closes when it has answered.
        self.stream.read_to_string(&mut rest).expect("it answers");
        let (_, body) = rest.split_once("\r\n\r\n").expect("an answer has a body");
        (
            status.expect("a status"),
            serde_json::from_str(body).expect("the body is JSON"),
        )
    }
}

async fn a_worker_ends_with_the_signal(database: Database) {
    let mut worker = Plaudit::work(&database).await;
    worker.terminate();
    let status = worker.ended(GRACE).await;
    assert_eq!(status.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_says_nothing_or_half_a_thing_does_not_hold_up_the_end() {
    let database = Database::sqlite();
    let mut plaudit = Plaudit::serve(&database, &[]).await;
    let _silent = TcpStream::connect(plaudit.address()).expect("it serves");
    let mut half = TcpStream::connect(plaudit.address()).expect("it serves");
    half.write_all(b"POST /graphql HTTP/1.1\r\nhost: plaudit\r\ncontent-le")
        .expect("it listens");
    // A request on a connection of its own, answered after the others were taken in.
    let live = http().get(plaudit.url("/livez")).send().await.expect("it serves");
    assert_eq!(live.status(), 200);
    let began = Instant::now();
    plaudit.terminate();
    let status = plaudit.ended(GRACE).await;
    assert_eq!(status.code(), Some(0));
    println!("ended {:?} after the signal", began.elapsed());
}

async fn a_server_without_anything_set_up_is_ready(database: Database) {
    let plaudit = Plaudit::serve(&database, &[]).await;
    let http = http();
    for (path, body) in [
        ("/livez", json!({"status": "live"})),
        ("/readyz", json!({"status": "ready"})),
    ] {
        let answer = within("an answer", SOON, http.get(plaudit.url(path)).send()).await;
        let answer = answer.expect("it serves");
        assert_eq!(answer.status(), 200);
        let got: Value = answer.json().await.expect("JSON");
        assert_eq!(got, body);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_probe_only_reads() {
    let database = Database::postgres().await;
    let plaudit = Plaudit::serve(&database, &["--log", "info"]).await;
    let http = http();
    // PostgreSQL says so whenever a table is to be made that is there.
    let before = plaudit.logged_times("already exists");
    for _ in 0..3 {
        let answer = http.get(plaudit.url("/readyz")).send().await.expect("it serves");
        assert_eq!(answer.status(), 200);
    }
    let mut plaudit = plaudit;
    plaudit.terminate();
    plaudit.ended(GRACE).await;
    plaudit.logged("ended").await;
    assert_eq!(plaudit.logged_times("already exists"), before);
}

/// That a command could not be done: it says so in one line, and ends with an error.
fn assert_refused(said: &Said, what: &str, words: &[&str]) {
    assert!(!said.status.success(), "{what}: {said:?}");
    assert!(said.status.code().is_some(), "{what} ended by a signal: {said:?}");
    assert_eq!(said.out, "", "{what}");
    assert_eq!(said.err.lines().count(), 1, "{what} takes one line: {}", said.err);
    for word in words {
        assert!(said.err.contains(word), "{what} says {word:?}: {}", said.err);
    }
    for word in ["panicked", "backtrace", "SqlxError", "Os {"] {
        assert!(!said.err.contains(word), "{what}: {}", said.err);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_start_says_why_in_one_line() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let taken = taken
        .local_addr()
        .map(|address| (taken, address))
        .expect("an address");
    let address = taken.1.to_string();
    let folder = tempfile::tempdir().expect("there is room for a folder");
    let nowhere = format!(
        "sqlite://{}?mode=rwc",
        folder.path().join("no/such/folder/plaudit.db").display()
    );
    // A folder is no database.
    let directory = format!("sqlite://{}?mode=rwc", folder.path().display());
    let free = ["--listen", "127.0.0.1:0"];
    let cases: &[(&str, Vec<&str>, &[&str])] = &[
        ("an unknown option", vec!["serve", "--nonsense"], &["--nonsense"]),
        ("an unknown command", vec!["sing"], &["sing"]),
        ("no command", vec![], &["plaudit"]),
        (
            "an address that is none",
            vec!["serve", "--listen", "here"],
            &["here", "--listen"],
        ),
        (
            "an unknown database",
            [&["serve", "--database-url", "mysql://u:secret@h/d"][..], &free].concat(),
            &["postgres"],
        ),
        (
            "a server that is not there",
            [
                &["serve", "--database-url", "postgres://u:secret@127.0.0.1:1/d"][..],
                &free,
            ]
            .concat(),
            &["database"],
        ),
        (
            "a URL that is none",
            [&["work", "--database-url", "postgres://:::"][..]].concat(),
            &["database"],
        ),
        (
            "a folder that is not there",
            [&["serve", "--database-url", &nowhere][..], &free].concat(),
            &["database"],
        ),
        (
            "a folder",
            [&["migrate", "--database-url", &directory][..]].concat(),
            &["database"],
        ),
        (
            "a filter that is none",
            vec!["migrate", "--log", "===", "--database-url", &nowhere],
            &["log"],
        ),
    ];
    for (what, arguments, words) in cases {
        let said = run_alone(arguments).await;
        assert_refused(&said, what, words);
        assert!(!said.err.contains("secret"), "{what}: {}", said.err);
    }
    let database = Database::sqlite();
    let said = run(&database, &["serve", "--listen", &address]).await;
    assert_refused(&said, "a taken port", &[&address]);
    let db = database.open().await;
    let tables = entity::db::query(
        db.read(),
        entity::db::sql::Sql::on(db.read(), "SELECT name FROM sqlite_master").statement(),
    );
    assert_eq!(
        tables.await.expect("it answers").len(),
        0,
        "a server without its port changes nothing"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_lets_nobody_in_is_named_as_the_reason() {
    let database = Database::postgres().await;
    database.allow_connections(false).await;
    let said = run(&database, &["serve", "--listen", "127.0.0.1:0"]).await;
    assert_refused(&said, "a database that is closed", &["database"]);
}
