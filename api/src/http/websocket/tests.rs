use std::future::Future;
use std::sync::atomic::Ordering;

use futures_util::{SinkExt, StreamExt};
use http::header::AUTHORIZATION;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::Message as Frame;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use super::*;
use crate::http::toy::{PATIENCE, Toy};

/// A server over a toy.
struct Served {
    toy: Toy,
    address: String,
}

async fn serve(toy: Toy) -> Served {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    let router = graphql::router(toy.clone());
    tokio::spawn(async move { axum::serve(listener, router).await });
    Served { toy, address }
}

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

impl Served {
    fn request(&self, headers: &[(&'static str, &str)]) -> http::Request<()> {
        let mut request = format!("ws://{}/graphql", self.address)
            .into_client_request()
            .expect("a request");
        for (name, value) in headers {
            let value = HeaderValue::from_str(value).expect("a value");
            request.headers_mut().insert(*name, value);
        }
        request
    }

    async fn try_connect(&self, headers: &[(&'static str, &str)]) -> Result<Client, u16> {
        match connect_async(self.request(headers)).await {
            Ok((socket, response)) => {
                assert!(response.headers().contains_key("x-request-id"));
                Ok(Client { socket })
            }
            Err(tungstenite::Error::Http(response)) => {
                let body = response.body().as_deref().unwrap_or_default();
                let body: Value = serde_json::from_slice(body).expect("a refusal is JSON");
                assert!(body["errors"][0]["extensions"]["requestId"].is_string());
                Err(response.status().as_u16())
            }
            Err(error) => panic!("{error}"),
        }
    }

    async fn connect(&self) -> Client {
        let headers = [("sec-websocket-protocol", SUBPROTOCOL)];
        self.try_connect(&headers).await.expect("connects")
    }

    /// A socket that was acknowledged.
    async fn acknowledged(&self) -> Client {
        let mut client = self.connect().await;
        client
            .say(json!({ "type": "connection_init", "payload": { "authorization": "Bearer good" } }))
            .await;
        assert_eq!(client.hear().await, json!({ "type": "connection_ack" }));
        client
    }
}

struct Client {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

impl Client {
    async fn say(&mut self, message: Value) {
        self.say_text(&message.to_string()).await;
    }

    async fn say_text(&mut self, text: &str) {
        let frame = Frame::Text(text.to_owned().into());
        self.socket.send(frame).await.expect("sends");
    }

    async fn subscribe(&mut self, id: &str, query: &str) {
        self.say(json!({ "type": "subscribe", "id": id, "payload": { "query": query } }))
            .await;
    }

    /// The next text message.
    async fn hear(&mut self) -> Value {
        loop {
            match patiently("a message", self.socket.next()).await {
                Some(Ok(Frame::Text(text))) => {
                    return serde_json::from_str(text.as_str()).expect("JSON");
                }
                Some(Ok(Frame::Ping(_) | Frame::Pong(_))) => {}
                other => panic!("not a message: {other:?}"),
            }
        }
    }

    /// The close code, whatever comes before it.
    async fn close_code(&mut self) -> u16 {
        loop {
            match patiently("a close frame", self.socket.next()).await {
                Some(Ok(Frame::Close(Some(frame)))) => {
                    assert!(frame.reason.len() <= 123);
                    return frame.code.into();
                }
                Some(Ok(_)) => {}
                other => panic!("no close frame: {other:?}"),
            }
        }
    }

    /// Waits until the connection ends, however it does.
    async fn ended(&mut self) {
        patiently("the end", async {
            while let Some(Ok(_)) = self.socket.next().await {}
        })
        .await;
    }
}

#[tokio::test]
async fn a_subscription_gives_its_results_and_completes() {
    let served = serve(Toy::new(false)).await;
    let mut client = served.acknowledged().await;
    client.subscribe("a", "subscription { count(to: 3) }").await;
    for n in 1..=3 {
        let next = json!({ "type": "next", "id": "a", "payload": { "data": { "count": n } } });
        assert_eq!(client.hear().await, next);
    }
    assert_eq!(client.hear().await, json!({ "type": "complete", "id": "a" }));
    client.subscribe("a", "subscription { count(to: 1) }").await;
    assert_eq!(
        client.hear().await["type"],
        "next",
        "a finished id may be used again"
    );
}

#[tokio::test]
async fn queries_and_mutations_run_over_a_socket_too() {
    let served = serve(Toy::new(false)).await;
    let mut client = served.acknowledged().await;
    for (query, data) in [
        ("{ guarded }", json!({ "guarded": "secret" })),
        ("mutation { add }", json!({ "add": 1 })),
    ] {
        client.subscribe("1", query).await;
        let next = json!({ "type": "next", "id": "1", "payload": { "data": data } });
        assert_eq!(client.hear().await, next);
        assert_eq!(client.hear().await, json!({ "type": "complete", "id": "1" }));
    }
}

#[tokio::test]
async fn the_token_may_come_with_the_upgrade() {
    let served = serve(Toy::new(false)).await;
    let headers = [
        ("sec-websocket-protocol", SUBPROTOCOL),
        ("authorization", "Bearer good"),
    ];
    let mut client = served.try_connect(&headers).await.expect("connects");
    client.say(json!({ "type": "connection_init" })).await;
    assert_eq!(client.hear().await["type"], "connection_ack");
    client.subscribe("1", "{ guarded }").await;
    assert_eq!(client.hear().await["payload"]["data"]["guarded"], "secret");
}

#[tokio::test]
async fn a_refused_operation_is_an_error_message_and_the_socket_goes_on() {
    let served = serve(Toy::new(false)).await;
    let mut client = served.acknowledged().await;
    let deep = format!("{}{}", "{me".repeat(11), "}".repeat(11));
    for (query, code) in [
        ("{", "BAD_USER_INPUT"),
        ("{ nowhere }", "BAD_USER_INPUT"),
        ("subscription { nowhere }", "BAD_USER_INPUT"),
        ("subscription { __typename }", "BAD_USER_INPUT"),
        ("subscription { count(to: 1) silent }", "BAD_USER_INPUT"),
        ("{ __schema { queryType { name } } }", "BAD_USER_INPUT"),
        (deep.as_str(), "QUERY_TOO_COMPLEX"),
        ("subscription { denied }", "FORBIDDEN"),
        ("subscription { panics }", "INTERNAL"),
        ("{ panics }", "INTERNAL"),
    ] {
        client.subscribe("1", query).await;
        let error = client.hear().await;
        assert_eq!(
            (&error["type"], &error["id"]),
            (&json!("error"), &json!("1")),
            "{query}"
        );
        let extensions = &error["payload"][0]["extensions"];
        assert_eq!(extensions["code"], code, "{query}");
        assert!(extensions["requestId"].is_string());
    }
    client.subscribe("1", "{ __typename }").await;
    assert_eq!(client.hear().await["type"], "next");
}

#[tokio::test]
async fn an_event_that_cannot_be_told_ends_its_subscription_without_its_reason() {
    let served = serve(Toy::new(false)).await;
    let mut client = served.acknowledged().await;
    client.subscribe("1", "subscription { breaks }").await;
    assert_eq!(client.hear().await["payload"]["data"]["breaks"], 1);
    let error = client.hear().await;
    assert_eq!(error["type"], "error");
    assert_eq!(error["payload"][0]["message"], "internal error");
    client.say(json!({ "type": "ping" })).await;
    assert_eq!(
        client.hear().await["type"],
        "pong",
        "nothing more of that operation"
    );
}

#[tokio::test]
async fn each_breach_of_the_protocol_has_its_close_code() {
    let served = serve(Toy::new(false)).await;
    let init = json!({ "type": "connection_init", "payload": { "authorization": "good" } });
    let silent = json!({ "type": "subscribe", "id": "1", "payload": { "query": "subscription { silent }" } });
    let text = |value: &Value| Frame::Text(value.to_string().into());
    let cases = [
        (vec![text(&silent)], 4401),
        (vec![text(&init), text(&init)], 4429),
        (vec![text(&json!({ "type": "x".repeat(1_000) }))], 4400),
        (vec![text(&init), Frame::Text("no JSON".into())], 4400),
        (vec![text(&init), Frame::Binary(vec![1, 2].into())], 4400),
        (vec![text(&json!({ "type": "subscribe" }))], 4400),
        (vec![text(&init), text(&silent), text(&silent)], 4409),
        (vec![text(&json!({ "type": "connection_init" }))], 4403),
        (
            vec![text(
                &json!({ "type": "connection_init", "payload": { "authorization": "bad" } }),
            )],
            4403,
        ),
        (
            vec![text(
                &json!({ "type": "connection_init", "payload": { "authorization": "later" } }),
            )],
            1013,
        ),
        (vec![Frame::Text("x".repeat(64 * 1024 + 1).into())], 1009),
    ];
    for (frames, code) in cases {
        let mut client = served.connect().await;
        for frame in &frames {
            client.socket.send(frame.clone()).await.expect("sends");
        }
        assert_eq!(client.close_code().await, code, "{:.200}", format!("{frames:?}"));
    }
}

#[tokio::test]
async fn a_client_that_does_not_introduce_itself_is_sent_away() {
    let mut toy = Toy::new(false);
    toy.bounds.socket.init_within = Duration::from_millis(20);
    let served = serve(toy).await;
    let mut client = served.connect().await;
    assert_eq!(client.close_code().await, 4408);
}

#[tokio::test]
async fn another_subprotocol_is_closed_with_its_code() {
    let served = serve(Toy::new(false)).await;
    for headers in [&[][..], &[("sec-websocket-protocol", "graphql-ws")]] {
        let mut client = served.try_connect(headers).await.expect("connects");
        assert_eq!(client.close_code().await, 4406, "{headers:?}");
    }
    let headers = [("sec-websocket-protocol", "graphql-ws, graphql-transport-ws")];
    let mut client = served.try_connect(&headers).await.expect("connects");
    client.say(json!({ "type": "ping" })).await;
    assert_eq!(client.hear().await["type"], "pong");
}

#[tokio::test]
async fn an_upgrade_is_refused_before_it_happens() {
    let mut toy = Toy::new(false);
    toy.bounds.socket.sockets_per_client = 1;
    let served = serve(toy).await;
    let own = format!("http://{}", served.address);
    for (name, value, status) in [
        ("authorization", "Bearer bad", 401),
        ("authorization", "Basic good", 401),
        ("authorization", "Bearer later", 503),
        ("origin", "https://elsewhere.example", 403),
        ("origin", "null", 403),
    ] {
        let headers = [("sec-websocket-protocol", SUBPROTOCOL), (name, value)];
        let refused = served.try_connect(&headers).await.err();
        assert_eq!(refused, Some(status), "{name}: {value}");
    }
    for origin in [own.as_str(), "https://console.example"] {
        let headers = [("sec-websocket-protocol", SUBPROTOCOL), ("origin", origin)];
        served.try_connect(&headers).await.expect(origin);
    }
    let headers = [
        ("sec-websocket-protocol", SUBPROTOCOL),
        ("authorization", "Bearer good"),
    ];
    let _first = served.try_connect(&headers).await.expect("the first");
    assert_eq!(served.try_connect(&headers).await.err(), Some(429));
    let mut second = served.connect().await;
    second
        .say(json!({ "type": "connection_init", "payload": { "authorization": "good" } }))
        .await;
    assert_eq!(
        second.close_code().await,
        1013,
        "told in a way after which clients come again"
    );
}

#[tokio::test]
async fn a_seat_is_free_again_when_its_socket_ends() {
    let mut toy = Toy::new(false);
    toy.bounds.socket.sockets_per_client = 1;
    let served = serve(toy).await;
    for _ in 0..3 {
        let mut client = served.acknowledged().await;
        client.socket.close(None).await.expect("closes");
        client.ended().await;
        patiently("the seat", async {
            while served.toy.house.sockets.seated() > 0 {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }
}

#[tokio::test]
async fn a_socket_ends_with_its_token_whether_it_is_used_or_not() {
    for query in [
        None,
        Some("subscription { silent }"),
        Some("subscription { flood }"),
    ] {
        let served = serve(brisk()).await;
        let mut client = served.acknowledged().await;
        if let Some(query) = query {
            client.subscribe("1", query).await;
        }
        served.toy.pass(59);
        client.say(json!({ "type": "ping" })).await;
        while client.hear().await["type"] != "pong" {}
        served.toy.pass(1);
        assert_eq!(client.close_code().await, 4403, "{query:?}");
    }
}

#[tokio::test]
async fn a_socket_ends_when_its_client_is_revoked() {
    let served = serve(brisk()).await;
    let mut client = served.acknowledged().await;
    client.subscribe("1", "subscription { silent }").await;
    served.toy.house.current.store(false, Ordering::SeqCst);
    assert_eq!(client.close_code().await, 4403);
    patiently("the subscription's end", async {
        while served.toy.tally().dropped.load(Ordering::SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn every_socket_is_told_when_the_server_goes_down() {
    let served = serve(Toy::new(false)).await;
    let mut silent = served.connect().await;
    let mut busy = served.acknowledged().await;
    busy.subscribe("1", "subscription { flood }").await;
    served.toy.house.shutdown.cancel();
    assert_eq!(silent.close_code().await, 1001);
    assert_eq!(busy.close_code().await, 1001);
    drop((silent, busy));
    patiently("the last socket", served.toy.house.sockets.drained()).await;
    let headers = [("sec-websocket-protocol", SUBPROTOCOL)];
    assert_eq!(served.try_connect(&headers).await.err(), Some(503));
}

#[tokio::test]
async fn a_completed_operation_is_dropped_and_its_id_free() {
    let served = serve(Toy::new(false)).await;
    let mut client = served.acknowledged().await;
    client.subscribe("1", "subscription { silent }").await;
    client.say(json!({ "type": "ping" })).await;
    assert_eq!(client.hear().await["type"], "pong");
    client.say(json!({ "type": "complete", "id": "1" })).await;
    client.say(json!({ "type": "complete", "id": "never was" })).await;
    client.subscribe("1", "subscription { count(to: 1) }").await;
    assert_eq!(client.hear().await["payload"]["data"]["count"], 1);
    assert_eq!(served.toy.tally().dropped.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_socket_runs_so_many_operations_and_refuses_the_next() {
    let served = serve(Toy::new(false)).await;
    let mut client = served.acknowledged().await;
    for at in 0..=20 {
        client.subscribe(&at.to_string(), "subscription { silent }").await;
    }
    let error = client.hear().await;
    assert_eq!((&error["type"], &error["id"]), (&json!("error"), &json!("20")));
    assert_eq!(error["payload"][0]["extensions"]["code"], "RATE_LIMITED");
    client.say(json!({ "type": "complete", "id": "0" })).await;
    client.subscribe("20", "subscription { count(to: 1) }").await;
    assert_eq!(client.hear().await["type"], "next");
}

#[tokio::test]
async fn an_operation_of_a_client_that_has_used_up_its_budget_is_refused_and_the_socket_stays() {
    let served = serve(Toy::new(false)).await;
    let mut client = served.connect().await;
    let token = json!({ "authorization": "Bearer good-spent" });
    client
        .say(json!({ "type": "connection_init", "payload": token }))
        .await;
    assert_eq!(client.hear().await, json!({ "type": "connection_ack" }));
    for id in ["1", "2"] {
        client.subscribe(id, "subscription { count(to: 1) }").await;
        let error = client.hear().await;
        assert_eq!((&error["type"], &error["id"]), (&json!("error"), &json!(id)));
        assert_eq!(error["payload"][0]["extensions"]["code"], "RATE_LIMITED");
    }
}

#[tokio::test]
async fn a_client_that_does_not_read_is_cut_off_and_little_is_made_for_it() {
    let mut toy = Toy::new(false);
    toy.bounds.socket.send_within = Duration::from_millis(200);
    let served = serve(toy).await;
    let mut client = served.acknowledged().await;
    client.subscribe("1", "subscription { flood }").await;
    // Nothing is read here, so the kernel's buffers fill and the server gives up by itself.
    patiently("the server to give up", async {
        while served.toy.house.sockets.open() > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let read = async {
        let mut messages = 0;
        while let Some(Ok(Frame::Text(_))) = client.socket.next().await {
            messages += 1;
        }
        messages
    };
    let read: usize = patiently("what was in the buffers", read).await;
    let produced = served.toy.tally().produced.load(Ordering::SeqCst);
    assert!(produced <= read + 2, "{produced} made, {read} taken by the line");
}

#[tokio::test]
async fn an_endless_stream_leaves_turns_to_the_others() {
    let served = serve(Toy::new(false)).await;
    let mut client = served.acknowledged().await;
    client.subscribe("flood", "subscription { flood }").await;
    assert_eq!(client.hear().await["id"], "flood");
    client.subscribe("count", "subscription { count(to: 3) }").await;
    let mut counted = 0;
    while counted < 3 {
        let message = client.hear().await;
        counted += usize::from(message["id"] == "count");
    }
}

#[tokio::test]
async fn a_silent_client_is_pinged_in_both_ways_and_kept_while_it_answers() {
    let mut toy = Toy::new(false);
    toy.bounds.socket.ping_after = Duration::from_millis(30);
    toy.bounds.socket.silent_for = Duration::MAX;
    let served = serve(toy).await;
    let mut client = served.acknowledged().await;
    let (mut messages, mut frames) = (0, 0);
    while messages < 3 || frames < 3 {
        match patiently("a ping", client.socket.next()).await {
            Some(Ok(Frame::Text(text))) => {
                assert_eq!(text.as_str(), r#"{"type":"ping"}"#);
                messages += 1;
            }
            Some(Ok(Frame::Ping(_))) => frames += 1,
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_client_that_answers_no_ping_is_taken_for_gone() {
    let mut toy = Toy::new(false);
    toy.bounds.socket.ping_after = Duration::from_millis(20);
    toy.bounds.socket.silent_for = Duration::from_millis(100);
    let served = serve(toy).await;
    let client = served.acknowledged().await;
    // The client is there and reads nothing, so its library answers nothing.
    patiently("the server to give up", async {
        while served.toy.house.sockets.open() > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    drop(client);
}

#[test]
fn only_pages_of_this_host_and_allowed_ones_are_welcome() {
    let welcome = |host: &str, origins: &[&str]| {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, HeaderValue::from_str(host).expect("a host"));
        for origin in origins {
            headers.append(ORIGIN, HeaderValue::from_str(origin).expect("an origin"));
        }
        headers.insert(AUTHORIZATION, HeaderValue::from_static("Bearer good"));
        is_welcome(&headers, |origin| origin == "https://console.example")
    };
    assert!(welcome("a.example", &[]));
    assert!(welcome("a.example", &["https://a.example"]));
    assert!(welcome("A.example:8080", &["http://a.example:8080"]));
    assert!(welcome("a.example", &["https://console.example"]));
    assert!(!welcome("a.example:8080", &["http://a.example:9090"]));
    assert!(!welcome("a.example", &["https://a.example.evil.example"]));
    assert!(!welcome("a.example", &["null"]));
    assert!(!welcome("a.example", &[""]));
    assert!(!welcome("a.example", &["a.example"]));
    assert!(!welcome(
        "a.example",
        &["https://a.example", "https://console.example"]
    ));
}
