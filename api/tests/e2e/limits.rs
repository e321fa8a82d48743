//! What the doors of the real program refuse, and that they do so at once.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::database::Database;
use crate::support::graphql::{Api, code};
use crate::support::plaudit::Plaudit;
use crate::support::setting::Setting;
use crate::support::socket::{Heard, Socket};
use crate::support::until::{SOON, within};

on_both!(
    a_fragment_bomb_is_refused_at_once,
    a_body_over_the_limit_is_refused_in_json
);

/// What passes the check of documents takes milliseconds even in a debug build; what is expanded takes minutes.
const AT_ONCE: Duration = Duration::from_secs(5);
const MIB: usize = 1024 * 1024;

/// Fragments that each spread the next one ten times: ten million fields in a few hundred bytes.
fn bomb() -> String {
    let link = |n: usize| {
        format!(
            "fragment F{n} on Query {{ {} }} ",
            format!("...F{} ", n + 1).repeat(10)
        )
    };
    let chain: String = (0..7).map(link).collect();
    format!("query {{ ...F0 }} {chain} fragment F7 on Query {{ __typename }}")
}

async fn a_fragment_bomb_is_refused_at_once(database: Database) {
    let plaudit = Plaudit::serve(&database, &[]).await;
    let setting = Setting::new(&database, plaudit.address(), 1).await;
    let api = Api::new(plaudit.address(), &setting.partner);
    let began = Instant::now();
    for token in ["", &setting.partner] {
        let mut request = api
            .http
            .post(plaudit.url("/graphql"))
            .json(&json!({"query": bomb()}));
        if !token.is_empty() {
            request = request.bearer_auth(token);
        }
        let answer = request.send().await.expect("it serves");
        let answer: Value = answer.json().await.expect("JSON");
        assert_eq!(code(&answer), "QUERY_TOO_COMPLEX", "{answer}");
        assert_eq!(answer.get("data"), None);
    }
    let mut socket = Socket::open(plaudit.address(), &setting.partner)
        .await
        .expect("it serves");
    let subscribe = json!({"type": "subscribe", "id": "bomb", "payload": {"query": bomb()}});
    socket.say(&subscribe).await.expect("it listens");
    let Heard::Message(message) = within("an answer", SOON, socket.hear()).await else {
        panic!("the socket was closed");
    };
    assert_eq!(
        (&message["type"], &message["id"]),
        (&json!("error"), &json!("bomb"))
    );
    assert_eq!(message["payload"][0]["extensions"]["code"], "QUERY_TOO_COMPLEX");
    assert!(
        began.elapsed() < AT_ONCE,
        "three bombs took {:?}",
        began.elapsed()
    );
    println!("three bombs took {:?}", began.elapsed());
    // And the socket is still good.
    let subscribe = json!({"type": "subscribe", "id": "next", "payload": {"query": "{ viewer { kind } }"}});
    socket.say(&subscribe).await.expect("it listens");
    let Heard::Message(message) = within("an answer", SOON, socket.hear()).await else {
        panic!("the socket was closed");
    };
    assert_eq!(message["payload"]["data"]["viewer"]["kind"], "PARTNER");
}

async fn a_body_over_the_limit_is_refused_in_json(database: Database) {
    let plaudit = Plaudit::serve(&database, &[]).await;
    let setting = Setting::new(&database, plaudit.address(), 1).await;
    let api = Api::new(plaudit.address(), &setting.employer);
    let doors = [
        ("/graphql", "application/json"),
        ("/events", "application/cloudevents+json"),
        ("/events", "application/cloudevents-batch+json"),
    ];
    for (path, media) in doors {
        // Spaces, so that nothing but the length is wrong with it until its end.
        let request = api
            .http
            .post(plaudit.url(path))
            .bearer_auth(&setting.employer)
            .header("content-type", media)
            .body(" ".repeat(MIB + 1));
        let answer = request.send().await.expect("it serves");
        assert_eq!(answer.status(), 413, "{path}");
        assert!(answer.headers().contains_key("x-request-id"));
        let body: Value = answer.json().await.expect("JSON");
        assert_eq!(code(&body), "BAD_USER_INPUT", "{body}");
        assert!(body["errors"][0]["extensions"]["requestId"].is_string(), "{body}");
    }
    let answer = api
        .http
        .post(plaudit.url("/oauth/token"))
        .header("content-type", "application/x-www-form-urlencoded")
        .body("a".repeat(20_000))
        .send()
        .await
        .expect("it serves");
    assert_eq!(answer.status(), 400);
    let body: Value = answer.json().await.expect("JSON");
    assert_eq!(body["error"], "invalid_request");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_a_development_server_describes_itself() {
    let database = Database::sqlite();
    let plain = Plaudit::serve(&database, &[]).await;
    let dev = Plaudit::serve(&database, &["--dev"]).await;
    let token = crate::support::plaudit::token(&database, &["--scope", "operator"]).await;
    let (schema, name) = (
        "{ __schema { queryType { name } } }",
        "{ __type(name: \"Query\") { name } }",
    );
    let (_, answer) = Api::new(plain.address(), &token).post(schema, &Value::Null).await;
    assert_eq!(
        (answer.get("data"), code(&answer)),
        (None, "BAD_USER_INPUT"),
        "{answer}"
    );
    let (_, answer) = Api::new(plain.address(), &token).post(name, &Value::Null).await;
    assert_eq!(answer["data"]["__type"], Value::Null, "{answer}");
    let dev_api = Api::new(dev.address(), &token);
    assert_eq!(
        dev_api.data(schema, &Value::Null).await["__schema"]["queryType"]["name"],
        "Query"
    );
    assert_eq!(dev_api.data(name, &Value::Null).await["__type"]["name"], "Query");
    let api = Api::new(plain.address(), &token);
    for path in ["/graphiql", "/graphiql.js"] {
        let answer = api.http.get(plain.url(path)).send().await.expect("it serves");
        assert_eq!(answer.status(), 404, "{path}");
        let body: Value = answer.json().await.expect("JSON");
        assert!(body["errors"][0]["message"].is_string(), "{body}");
        let answer = api.http.get(dev.url(path)).send().await.expect("it serves");
        assert_eq!(answer.status(), 200, "{path}");
    }
    let page = api
        .http
        .get(dev.url("/graphiql"))
        .send()
        .await
        .expect("it serves");
    let policy = page.headers()["content-security-policy"]
        .to_str()
        .expect("text")
        .to_owned();
    assert!(policy.contains("default-src 'none'"), "{policy}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_request_is_answered_in_json_with_its_id() {
    let database = Database::sqlite();
    let plaudit = Plaudit::serve(&database, &[]).await;
    let token = crate::support::plaudit::token(&database, &["--scope", "operator"]).await;
    let api = Api::new(plaudit.address(), &token);
    let graphql = plaudit.url("/graphql");
    let json_body = |text: &str| {
        let request = api.http.post(&graphql).header("content-type", "application/json");
        request.body(text.to_owned())
    };
    let deep = format!("{{\"query\": {}", "[".repeat(100_000));
    let batch = r#"[{"query": "{ __typename }"}]"#;
    let long = json!({"query": format!("{{ __typename #{} }}", "x".repeat(70_000))}).to_string();
    let requests = [
        (400, json_body("nonsense")),
        (400, json_body(&deep)),
        (400, json_body(batch)),
        (400, json_body(r#"{"query": 7}"#)),
        (
            400,
            json_body(&long).header("accept", "application/graphql-response+json"),
        ),
        (415, api.http.post(&graphql).body("{ __typename }")),
        (405, api.http.put(&graphql)),
        (400, api.http.get(format!("{graphql}?query=%7B__typename%7D"))),
        (
            405,
            api.http
                .get(format!("{graphql}?query=mutation%7B__typename%7D"))
                .bearer_auth(&token),
        ),
        (406, json_body("{}").header("accept", "text/html")),
        (401, json_body("{}").bearer_auth("not.a.token")),
        (404, api.http.get(plaudit.url("/nowhere"))),
        (401, api.http.post(plaudit.url("/events"))),
        (415, api.http.post(plaudit.url("/events")).bearer_auth(&token)),
    ];
    for (expected, request) in requests {
        let request = request.build().expect("a request");
        let what = format!("{} {}", request.method(), request.url());
        let answer = within("an answer", SOON, api.http.execute(request))
            .await
            .expect("it serves");
        assert_eq!(answer.status(), expected, "{what}");
        let id = answer.headers()["x-request-id"]
            .to_str()
            .expect("text")
            .to_owned();
        let body: Value = answer
            .json()
            .await
            .unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(
            body["errors"][0]["extensions"]["requestId"],
            json!(id),
            "{what}: {body}"
        );
        assert_ne!(code(&body), "none", "{what}: {body}");
    }
}
