//! The CloudEvents door: one event in headers, one in JSON, many in JSON; and the same events as at the other door.

use axum::body::Body;
use http::Request;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use serde_json::{Value, json};

use crate::harness::{Answer, TestApp, World, cloud_event, event};

on_both!(
    an_event_in_headers_is_taken,
    an_event_in_json_is_taken,
    a_batch_has_a_result_for_each_event_in_order,
    an_event_is_a_duplicate_at_whichever_door_it_comes_again,
    what_is_no_cloud_event_is_refused_and_nothing_is_taken,
    the_door_asks_for_the_scope_of_events,
    the_operator_names_the_employer,
);

const STRUCTURED: &str = "application/cloudevents+json";
const BATCHED: &str = "application/cloudevents-batch+json";
const MEDITATION: &str = "meditation.completed";
const NOON: &str = "2026-11-21T11:00:00Z";

/// Status or code of each result.
fn results(answer: &Answer) -> Vec<String> {
    assert_eq!(answer.status, 202, "{}", answer.text);
    let body = answer.json();
    let results = body["results"].as_array().unwrap();
    let word = |result: &Value| {
        let word = result["error"]["code"].as_str().or(result["status"].as_str());
        word.unwrap().to_owned()
    };
    results.iter().map(word).collect()
}

/// A request in the binary mode.
fn binary(token: &str, attributes: &[(&str, &str)], data: &str) -> Request<Body> {
    let mut request = Request::post("/events")
        .header(AUTHORIZATION, format!("Bearer {token}"))
        .header(CONTENT_TYPE, "application/json");
    for (name, value) in attributes {
        request = request.header(format!("ce-{name}"), *value);
    }
    request.body(Body::from(data.to_owned())).unwrap()
}

async fn an_event_in_headers_is_taken(app: &TestApp) {
    let world = World::new(app).await;
    world.members(&["ada", "Ünal Öz"]).await;
    let backend = world.backend();
    let token = backend.token().unwrap();
    for (id, member) in [("1", "ada"), ("2", "%C3%9Cnal%20%C3%96z")] {
        let attributes = [
            ("specversion", "1.0"),
            ("id", id),
            ("source", "app"),
            ("type", MEDITATION),
            ("subject", member),
            ("time", "2026-11-21T00:30:00Z"),
            ("timezone", "America/New_York"),
        ];
        let answer = backend
            .send(binary(token, &attributes, r#"{"minutes": 5}"#))
            .await;
        assert_eq!(results(&answer), ["ACCEPTED"]);
    }
    let stored = "SELECT count(*) AS count FROM event WHERE source = 'app' AND local_time = '2026-11-20T19:30:00' AND zone_origin = 'EVENT'";
    assert_eq!(app.count(stored).await, 2);
}

async fn an_event_in_json_is_taken(app: &TestApp) {
    let world = World::new(app).await;
    world.members(&["ada"]).await;
    let event = cloud_event("1", "/app", MEDITATION, "ada", NOON, &json!({"minutes": 5}));
    let answer = world.backend().post_events(STRUCTURED, event.to_string()).await;
    assert_eq!(results(&answer), ["ACCEPTED"]);
    assert_eq!(answer.json()["results"][0]["id"], "1");
}

async fn a_batch_has_a_result_for_each_event_in_order(app: &TestApp) {
    let world = World::new(app).await;
    world.members(&["ada"]).await;
    let good = |id: &str| cloud_event(id, "/app", MEDITATION, "ada", NOON, &json!({}));
    let mut no_time = good("3");
    no_time.as_object_mut().unwrap().remove("time");
    let batch = json!([
        good("1"),
        cloud_event("2", "/app", MEDITATION, "nobody", NOON, &json!({})),
        no_time,
        {"id": "4", "what": "is this"},
        cloud_event("5", "/app", MEDITATION, "ada", NOON, &json!({"minutes": 0})),
        good("6"),
        good("1"),
    ]);
    let answer = world.backend().post_events(BATCHED, batch.to_string()).await;
    let expected = [
        "ACCEPTED",
        "UNKNOWN_MEMBER",
        "INVALID_INPUT",
        "INVALID_INPUT",
        "INVALID_PROPERTIES",
        "ACCEPTED",
        "DUPLICATE",
    ];
    assert_eq!(results(&answer), expected);
    let body = answer.json();
    let ids: Vec<&Value> = body["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|result| &result["id"])
        .collect();
    assert_eq!(ids, ["1", "2", "3", "4", "5", "6", "1"]);
}

async fn an_event_is_a_duplicate_at_whichever_door_it_comes_again(app: &TestApp) {
    let world = World::new(app).await;
    world.members(&["ada"]).await;
    let backend = world.backend();
    let graphql = |id: &str| {
        Value::from(
            event(id, "ada", NOON)
                .set("source", json!("/app"))
                .set("properties", json!({"minutes": 5})),
        )
    };
    let structured = |id: &str, minutes: u32| {
        cloud_event(id, "/app", MEDITATION, "ada", NOON, &json!({"minutes": minutes}))
    };
    assert_eq!(backend.record([graphql("1")]).await, ["ACCEPTED"]);
    assert_eq!(
        results(
            &backend
                .post_events(STRUCTURED, structured("1", 5).to_string())
                .await
        ),
        ["DUPLICATE"]
    );
    assert_eq!(
        results(
            &backend
                .post_events(STRUCTURED, structured("1", 6).to_string())
                .await
        ),
        ["CONFLICT"]
    );
    assert_eq!(
        results(
            &backend
                .post_events(STRUCTURED, structured("2", 5).to_string())
                .await
        ),
        ["ACCEPTED"]
    );
    assert_eq!(backend.record([graphql("2")]).await, ["DUPLICATE"]);
    let attributes = [
        ("specversion", "1.0"),
        ("id", "2"),
        ("source", "/app"),
        ("type", MEDITATION),
        ("subject", "ada"),
        ("time", "2026-11-21T12:00:00+01:00"),
    ];
    let answer = backend
        .send(binary(backend.token().unwrap(), &attributes, r#"{"minutes": 5}"#))
        .await;
    assert_eq!(results(&answer), ["DUPLICATE"]);
    assert_eq!(app.count("SELECT count(*) AS count FROM event").await, 2);
}

async fn what_is_no_cloud_event_is_refused_and_nothing_is_taken(app: &TestApp) {
    let world = World::new(app).await;
    world.members(&["ada"]).await;
    let backend = world.backend();
    let before = app.row_counts().await;
    let good = cloud_event("1", "/app", MEDITATION, "ada", NOON, &json!({}));
    let with = |field: &str, value: Value| {
        let mut event = good.clone();
        event[field] = value;
        event.to_string()
    };
    for (media, body, status) in [
        (STRUCTURED, "{".to_owned(), 400),
        (STRUCTURED, "[]".to_owned(), 400),
        (STRUCTURED, with("specversion", json!("0.3")), 400),
        (STRUCTURED, with("id", json!(7)), 400),
        (BATCHED, "{".to_owned(), 400),
        (BATCHED, "[]".to_owned(), 400),
        (BATCHED, good.to_string(), 400),
        (BATCHED, json!(vec![&good; 1_001]).to_string(), 400),
        ("application/json", good.to_string(), 415),
        ("text/plain", "hello".to_owned(), 415),
        (
            STRUCTURED,
            with("data", json!({"text": "x".repeat(1_100_000)})),
            413,
        ),
    ] {
        let length = body.len();
        let answer = backend.post_events(media, body).await;
        assert_eq!(answer.status, status, "{media}, {length} bytes: {}", answer.text);
        assert_eq!(answer.code().as_deref(), Some("BAD_USER_INPUT"));
    }
    assert_eq!(app.row_counts().await, before);
}

async fn the_door_asks_for_the_scope_of_events(app: &TestApp) {
    let world = World::new(app).await;
    let event = cloud_event("1", "/app", MEDITATION, "ada", NOON, &json!({})).to_string();
    for (caller, status, code) in [
        (app.anonymous(), 401, "UNAUTHENTICATED"),
        (app.with("garbage"), 401, "UNAUTHENTICATED"),
        (world.by("members:write member:any"), 403, "FORBIDDEN"),
        (world.partner(), 403, "FORBIDDEN"),
    ] {
        let answer = caller.post_events(STRUCTURED, event.clone()).await;
        assert_eq!(
            (answer.status.as_u16(), answer.code().as_deref()),
            (status, Some(code))
        );
        assert_eq!(answer.headers.contains_key("www-authenticate"), status == 401);
    }
}

async fn the_operator_names_the_employer(app: &TestApp) {
    let world = World::new(app).await;
    world.members(&["ada"]).await;
    let event = cloud_event("1", "/app", MEDITATION, "ada", NOON, &json!({}));
    for (query, status) in [("", 400), ("?employer=nada", 400), ("?employer=acme", 202)] {
        let request = Request::post(format!("/events{query}"))
            .header(
                AUTHORIZATION,
                format!("Bearer {}", app.operator().token().unwrap()),
            )
            .header(CONTENT_TYPE, STRUCTURED)
            .body(Body::from(event.to_string()))
            .unwrap();
        assert_eq!(app.anonymous().send(request).await.status, status, "{query}");
    }
}
