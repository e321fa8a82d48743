//! Webhooks of the built program, received by a server of the partner's and verified by the libraries that a partner would use.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::support::database::Database;
use crate::support::graphql::Api;
use crate::support::plaudit::{Plaudit, token};
use crate::support::setting::{Setting, record};
use crate::support::until::{SOON, eventually};

on_both!(the_libraries_of_node_and_python_verify_what_comes_also_while_a_secret_rotates,);

const CLIENTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients");
const PYTHON: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/python/bin/python");

/// What came, as `{"headers", "body"}`.
type Inbox = Arc<Mutex<Vec<Value>>>;

/// A server that refuses the first call and takes all others; where it is, and what came.
async fn receiver() -> (String, Inbox) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let url = format!(
        "http://{}/hook",
        listener.local_addr().expect("it has an address")
    );
    let inbox = Inbox::default();
    let router = axum::Router::new().fallback(take).with_state(Arc::clone(&inbox));
    tokio::spawn(async move { axum::serve(listener, router).await });
    (url, inbox)
}

async fn take(State(inbox): State<Inbox>, headers: HeaderMap, body: String) -> StatusCode {
    let shown = |name: &str| headers[name].to_str().expect("a header in ASCII").to_owned();
    let names = ["webhook-id", "webhook-timestamp", "webhook-signature"];
    let headers: Value = names
        .map(|name| (name.to_owned(), Value::from(shown(name))))
        .into_iter()
        .collect();
    let mut inbox = inbox.lock().expect("no test has panicked with it");
    inbox.push(json!({"headers": headers, "body": body}));
    if inbox.len() == 1 {
        StatusCode::SERVICE_UNAVAILABLE
    } else {
        StatusCode::NO_CONTENT
    }
}

/// Whether a library takes a call under a secret.
fn verifies(library: &str, call: &Value, secret: &str) -> bool {
    let mut command = match library {
        "node" => {
            let mut node = Command::new("node");
            node.arg("verify.mjs");
            node
        }
        _ => {
            assert!(
                Path::new(PYTHON).exists(),
                "run .ci/test, which installs what the Python clients need"
            );
            let mut python = Command::new(PYTHON);
            python.arg("verify.py");
            python
        }
    };
    let mut given = call.clone();
    given["secret"] = json!(secret);
    let mut child = command
        .current_dir(CLIENTS)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    let mut input = child.stdin.take().expect("it is a pipe");
    // A library that is not there ends before it has read; then it has not verified.
    drop(input.write_all(given.to_string().as_bytes()));
    drop(input);
    child.wait().expect("it ends").success()
}

async fn came(inbox: &Inbox, count: usize) -> Vec<Value> {
    eventually(&format!("{count} calls"), SOON, async || {
        let calls = inbox.lock().expect("no test has panicked with it").clone();
        (calls.len() >= count).then_some(calls)
    })
    .await
}

async fn the_libraries_of_node_and_python_verify_what_comes_also_while_a_secret_rotates(database: Database) {
    let plaudit = Plaudit::serve(&database, &["--allow-private-networks", "--retry-scale", "0.01"]).await;
    let setting = Setting::new(&database, plaudit.address(), 1).await;
    let arguments = ["--partner", "pillow", "--scope", "feed:read webhooks:write"];
    let partner = Api::new(plaudit.address(), &token(&database, &arguments).await);
    let (url, inbox) = receiver().await;
    let input = json!({"url": url});
    let made = partner
        .mutate("createWebhookEndpoint", "endpoint { id } secret", &input)
        .await;
    let employer = Api::new(plaudit.address(), &setting.employer);
    let send = async |id: &str| {
        let event = setting.event(id, "m0", 0);
        assert_eq!(
            record(&employer, &[event]).await.expect("an answer"),
            ["ACCEPTED"]
        );
    };
    send("first").await;
    // Refused first, and made again under the same id.
    let calls = came(&inbox, 2).await;
    assert_eq!(
        calls[0]["headers"]["webhook-id"],
        calls[1]["headers"]["webhook-id"]
    );
    assert_eq!(calls[0]["body"], calls[1]["body"]);
    let input = json!({"endpoint": made["endpoint"]["id"]});
    let rotated = partner.mutate("rotateWebhookSecret", "secret", &input).await;
    send("second").await;
    let calls = came(&inbox, 3).await;
    let (old, new) = (
        made["secret"].as_str().unwrap(),
        rotated["secret"].as_str().unwrap(),
    );
    let wrong = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    let mut changed = calls[2].clone();
    changed["body"] = json!(
        changed["body"]
            .as_str()
            .unwrap()
            .replace("\"position\":2", "\"position\":3")
    );
    for library in ["node", "python"] {
        for (call, secret, is_good) in [
            (&calls[1], old, true),
            (&calls[1], new, false),
            (&calls[2], old, true),
            (&calls[2], new, true),
            (&calls[2], wrong, false),
            (&changed, new, false),
        ] {
            assert_eq!(verifies(library, call, secret), is_good, "{library} {call}");
        }
    }
}
