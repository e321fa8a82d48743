use std::future::Future;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::body::BodyDataStream;
use http::header::{ACCEPT, AUTHORIZATION};
use http::{Request, StatusCode};
use serde_json::{Value, json};
use tower::ServiceExt;

use super::*;
use crate::http::graphql;
use crate::http::toy::{PATIENCE, Toy};

const EVENTS: &str = "text/event-stream";
const PARTS: &str = "multipart/mixed;subscriptionSpec=1.0, application/json";

/// Bounds so short that a test may wait for them.
fn brisk() -> Toy {
    let mut toy = Toy::new(false);
    toy.bounds.socket.expiry_every = Duration::from_millis(5);
    toy.bounds.socket.revocation_every = Duration::from_millis(5);
    toy
}

async fn patiently<F: Future>(what: &str, future: F) -> F::Output {
    timeout(PATIENCE, future)
        .await
        .unwrap_or_else(|_| panic!("waited too long for {what}"))
}

fn post(query: &str, headers: &[(HeaderName, &str)]) -> Request<Body> {
    let mut request = Request::post("/graphql").header(CONTENT_TYPE, "application/json");
    for (name, value) in headers {
        request = request.header(name, *value);
    }
    request
        .body(json!({ "query": query }).to_string().into())
        .expect("a request")
}

async fn send(toy: &Toy, request: Request<Body>) -> Response {
    let router = graphql::router(toy.clone());
    let response = router.oneshot(request).await.expect("infallible");
    assert!(response.headers().contains_key("x-request-id"));
    response
}

/// A stream that has begun.
struct Client {
    body: BodyDataStream,
    text: String,
}

impl Client {
    async fn ask(toy: &Toy, accept: &str, query: &str) -> Self {
        let headers = [(ACCEPT, accept), (AUTHORIZATION, "Bearer good")];
        let response = send(toy, post(query, &headers)).await;
        assert_eq!(response.status(), StatusCode::OK);
        Self::of(response)
    }

    fn of(response: Response) -> Self {
        Self {
            body: response.into_body().into_data_stream(),
            text: String::new(),
        }
    }

    /// Reads until this has come.
    async fn until(&mut self, text: &str) {
        while !self.text.contains(text) {
            let chunk = patiently(text, self.body.next()).await;
            let chunk = chunk.unwrap_or_else(|| panic!("it ended with {}", self.text));
            self.take(&chunk.expect("a chunk"));
        }
    }

    /// Everything that comes.
    async fn all(mut self) -> String {
        while let Some(chunk) = patiently("the end", self.body.next()).await {
            self.take(&chunk.expect("a chunk"));
        }
        self.text
    }

    fn take(&mut self, chunk: &[u8]) {
        self.text.push_str(std::str::from_utf8(chunk).expect("UTF-8"));
    }
}

/// The fields of the events in a text, but for comments.
fn events(text: &str) -> Vec<(String, Option<String>, Value)> {
    let field = |event: &str, name: &str| {
        let start = format!("{name}:");
        let line = event.lines().find_map(|line| line.strip_prefix(&start));
        line.map(|value| value.trim_start().to_owned())
    };
    let events = text.split("\n\n").filter(|event| event.starts_with("event"));
    events
        .map(|event| {
            let data = field(event, "data").expect("a line of data");
            let data = serde_json::from_str(&data).unwrap_or(Value::Null);
            (field(event, "event").expect("a kind"), field(event, "id"), data)
        })
        .collect()
}

/// The bodies of the parts in a text.
fn parts(text: &str) -> Vec<Value> {
    let parts = text
        .split("--graphql")
        .filter_map(|part| part.split_once("\r\n\r\n"));
    parts
        .map(|(_, body)| serde_json::from_str(body).expect("a part is JSON"))
        .collect()
}

async fn end_of(toy: &Toy, what: &str) {
    patiently(what, async {
        while toy.house.sockets.streaming() > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(toy.house.sockets.seated(), 0);
}

#[tokio::test]
async fn a_subscription_comes_as_events_and_in_parts() {
    let toy = Toy::new(false);
    let text = Client::ask(&toy, EVENTS, "subscription { count(to: 2) }")
        .await
        .all()
        .await;
    let next = |n: i32| ("next".to_owned(), None, json!({ "data": { "count": n } }));
    let complete = ("complete".to_owned(), None, Value::Null);
    assert_eq!(events(&text), [next(1), next(2), complete], "{text}");
    let text = Client::ask(&toy, PARTS, "subscription { count(to: 2) }")
        .await
        .all()
        .await;
    let part = |n: i32| json!({ "payload": { "data": { "count": n } } });
    assert_eq!(parts(&text), [part(1), part(2)], "{text}");
    assert!(text.ends_with("\r\n--graphql--\r\n"));
    end_of(&toy, "the streams to end").await;
}

#[tokio::test]
async fn the_answer_says_what_it_is_and_asks_proxies_to_pass_it_on() {
    let toy = Toy::new(false);
    for (accept, content_type) in [
        (EVENTS, "text/event-stream; charset=utf-8"),
        (PARTS, "multipart/mixed;boundary=\"graphql\";subscriptionSpec=1.0"),
    ] {
        let headers = [(ACCEPT, accept), (AUTHORIZATION, "Bearer good")];
        let response = send(&toy, post("subscription { count(to: 1) }", &headers)).await;
        assert_eq!(response.headers()["content-type"], content_type);
        assert_eq!(response.headers()["cache-control"], "no-store");
        assert_eq!(response.headers()["x-accel-buffering"], "no");
    }
}

#[tokio::test]
async fn a_get_with_a_token_opens_a_stream_too() {
    let toy = Toy::new(false);
    let request = Request::get("/graphql?query=subscription%7Bcount(to%3A1)%7D")
        .header(ACCEPT, EVENTS)
        .header(AUTHORIZATION, "Bearer good");
    let response = send(&toy, request.body(Body::empty()).expect("a request")).await;
    let text = Client::of(response).all().await;
    assert_eq!(events(&text).len(), 2, "{text}");
}

#[tokio::test]
async fn a_client_that_says_where_it_was_goes_on_there() {
    let toy = Toy::new(false);
    let query = "subscription { resumed(after: 10) }";
    for (came_with, expected) in [
        (None, ["11", "12"]),
        (Some("5"), ["6", "7"]),
        (Some(""), ["11", "12"]),
    ] {
        let mut headers = vec![(ACCEPT, EVENTS), (AUTHORIZATION, "Bearer good")];
        headers.extend(came_with.map(|id| (HeaderName::from_static(LAST_EVENT_ID), id)));
        let text = Client::of(send(&toy, post(query, &headers)).await).all().await;
        let came: Vec<_> = events(&text).into_iter().filter_map(|(_, id, _)| id).collect();
        assert_eq!(came, expected, "{text}");
    }
}

#[tokio::test]
async fn a_query_is_streamed_only_to_whom_takes_nothing_else() {
    let toy = Toy::new(false);
    let text = Client::ask(&toy, EVENTS, "{ double(n: 2) }").await.all().await;
    let next = ("next".to_owned(), None, json!({ "data": { "double": 4 } }));
    assert_eq!(events(&text)[0], next, "{text}");
    let text = Client::ask(&toy, PARTS, "{ double(n: 2) }").await.all().await;
    assert_eq!(text, r#"{"data":{"double":4}}"#);
}

#[tokio::test]
async fn what_is_wrong_with_the_document_is_a_result() {
    let toy = Toy::new(false);
    for (query, code) in [
        ("subscription {", "BAD_USER_INPUT"),
        ("subscription { nowhere }", "BAD_USER_INPUT"),
        ("subscription { denied }", "FORBIDDEN"),
        ("subscription { panics }", "INTERNAL"),
    ] {
        let text = Client::ask(&toy, EVENTS, query).await.all().await;
        let came = events(&text);
        let kinds: Vec<_> = came.iter().map(|(kind, ..)| kind.as_str()).collect();
        assert_eq!(kinds, ["next", "complete"], "{query}: {text}");
        assert_eq!(came[0].2["errors"][0]["extensions"]["code"], code, "{query}");
    }
    let text = Client::ask(&toy, EVENTS, "subscription { breaks }")
        .await
        .all()
        .await;
    assert!(!text.contains("SELECT"), "{text}");
    assert_eq!(
        events(&text).len(),
        3,
        "a result, the failure and the end: {text}"
    );
    let text = Client::ask(&toy, PARTS, "subscription { denied }")
        .await
        .all()
        .await;
    assert_eq!(
        parts(&text)[0]["payload"]["errors"][0]["extensions"]["code"],
        "FORBIDDEN"
    );
}

#[tokio::test]
async fn what_http_can_say_is_said_before_the_stream() {
    let toy = Toy::new(false);
    let query = "subscription { count(to: 1) }";
    for (headers, status) in [
        (vec![(ACCEPT, EVENTS)], 401),
        (vec![(ACCEPT, EVENTS), (AUTHORIZATION, "Bearer bad")], 401),
        (vec![(ACCEPT, EVENTS), (AUTHORIZATION, "Bearer later")], 503),
        (vec![(ACCEPT, "text/html"), (AUTHORIZATION, "Bearer good")], 406),
        (vec![(ACCEPT, "*/*"), (AUTHORIZATION, "Bearer good")], 400),
    ] {
        let response = send(&toy, post(query, &headers)).await;
        assert_eq!(response.status(), status, "{headers:?}");
        assert_eq!(
            response.headers()["content-type"],
            "application/json; charset=utf-8"
        );
    }
    let request = Request::get("/graphql?query=mutation%7Badd%7D")
        .header(ACCEPT, EVENTS)
        .header(AUTHORIZATION, "Bearer good");
    let response = send(&toy, request.body(Body::empty()).expect("a request")).await;
    assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(toy.tally().added.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn sockets_and_streams_of_a_client_are_counted_together() {
    let mut toy = Toy::new(false);
    toy.bounds.socket.sockets_per_client = 2;
    let sockets = &toy.house.sockets;
    let socket = sockets.seat("good".to_owned(), 2).expect("a seat");
    let stream = Client::ask(&toy, EVENTS, "subscription { silent }").await;
    let headers = [(ACCEPT, EVENTS), (AUTHORIZATION, "Bearer good")];
    let response = send(&toy, post("subscription { silent }", &headers)).await;
    assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
    drop(socket);
    let another = Client::ask(&toy, EVENTS, "subscription { silent }").await;
    drop((stream, another));
    end_of(&toy, "the seats to be free").await;
}

#[tokio::test]
async fn a_stream_without_news_gives_signs_of_life() {
    let mut toy = Toy::new(false);
    toy.bounds.socket.ping_after = Duration::from_millis(5);
    let mut events = Client::ask(&toy, EVENTS, "subscription { silent }").await;
    events.until(":\n\n:\n\n:\n\n").await;
    let mut parts = Client::ask(&toy, PARTS, "subscription { silent }").await;
    parts.until("\r\n\r\n{}\r\n--graphql").await;
}

#[tokio::test]
async fn the_end_of_a_token_a_client_or_the_server_ends_a_stream_and_says_why() {
    type Ends = fn(&Toy);
    let cases: [(Ends, &str); 3] = [
        (|toy| toy.pass(60), "the token has expired"),
        (
            |toy| toy.house.current.store(false, Ordering::SeqCst),
            "the token was revoked",
        ),
        (|toy| toy.house.shutdown.cancel(), "going away"),
    ];
    for (end, reason) in cases {
        let toy = brisk();
        let mut events = Client::ask(&toy, EVENTS, "subscription { silent }").await;
        let mut parts = Client::ask(&toy, PARTS, "subscription { silent }").await;
        events.until(":\n\n").await;
        parts.until("--graphql").await;
        end(&toy);
        let text = events.all().await;
        assert!(text.ends_with(&format!(": {reason}\n\n")), "{text}");
        assert!(
            !text.contains("complete"),
            "whoever is cut off comes again: {text}"
        );
        let text = parts.all().await;
        assert!(
            text.contains(reason) && text.ends_with("--graphql--\r\n"),
            "{text}"
        );
        end_of(&toy, "the streams to end").await;
        assert_eq!(toy.tally().dropped.load(Ordering::SeqCst), 2, "nothing runs on");
    }
}

#[tokio::test]
async fn a_server_that_goes_down_opens_no_stream() {
    let toy = Toy::new(false);
    toy.house.shutdown.cancel();
    let headers = [(ACCEPT, EVENTS), (AUTHORIZATION, "Bearer good")];
    let response = send(&toy, post("subscription { silent }", &headers)).await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn a_client_that_hangs_up_ends_its_operation() {
    let toy = Toy::new(false);
    let mut client = Client::ask(&toy, EVENTS, "subscription { silent }").await;
    client.until(":\n\n").await;
    drop(client);
    end_of(&toy, "the stream to end").await;
    assert_eq!(toy.tally().dropped.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_client_that_reads_nothing_holds_two_results_and_is_given_up() {
    let mut toy = Toy::new(false);
    toy.bounds.socket.send_within = Duration::from_millis(100);
    let mut client = Client::ask(&toy, EVENTS, "subscription { flood }").await;
    end_of(&toy, "the server to give up").await;
    let produced = toy.tally().produced.load(Ordering::SeqCst);
    assert!(produced <= 2, "{produced} were made for nobody");
    client.until(":\n\n").await;
    assert!(!client.all().await.contains("complete"));
}
