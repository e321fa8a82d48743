//! Fair use: what a client may use, what it is told of it, and what happens when it is used up.

use std::net::SocketAddr;

use axum::body::Body;
use axum::extract::ConnectInfo;
use chrono::TimeDelta;
use http::{Method, Request, StatusCode};
use serde_json::json;

use crate::harness::{TestApp, World};

on_both!(
    whoever_has_used_up_its_budget_waits_at_every_door,
    each_answer_says_what_is_left,
    an_operation_costs_what_its_document_says,
    a_batch_of_a_hundred_events_costs_ten_units_more,
    what_the_budget_does_not_hold_is_refused_before_it_is_executed,
    whoever_has_no_token_is_known_by_its_address,
);

/// Every caller of a test is of one client: all but so many units of its budget are used up.
fn leave(app: &TestApp, units: u64) {
    let limits = &app.app.limits;
    let left = limits.take("client plaudit", app.now(), 0).left;
    assert!(
        limits
            .take("client plaudit", app.now(), u64::from(left) - units)
            .is_enough
    );
}

async fn whoever_has_used_up_its_budget_waits_at_every_door(app: &TestApp) {
    let world = World::new(app).await;
    world.members(&["ada"]).await;
    let backend = world.backend();
    leave(app, 0);
    let points = || {
        Request::get("/v1/members/ada/points")
            .header("authorization", format!("Bearer {}", backend.token().unwrap()))
            .body(Body::empty())
            .unwrap()
    };
    let answers = [
        backend.ask("{ viewer { kind } }", json!({})).await,
        backend.post_events("application/cloudevents+json", "{}").await,
        backend.send(points()).await,
    ];
    for answer in answers {
        assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(answer.code().as_deref(), Some("RATE_LIMITED"));
        assert_eq!(answer.headers["retry-after"], "1");
    }
    // Others are served meanwhile, and the client itself when it has waited.
    let other = app.app.limits.take("client another", app.now(), 1);
    assert!(other.is_enough);
    app.pass(TimeDelta::seconds(1));
    assert_eq!(backend.send(points()).await.status, StatusCode::OK);
}

async fn each_answer_says_what_is_left(app: &TestApp) {
    let world = World::new(app).await;
    leave(app, 10_000);
    let answer = world.admin().ask("{ viewer { kind } }", json!({})).await;
    assert_eq!(answer.headers["ratelimit-policy"], "\"client\";q=20000;w=4");
    assert_eq!(answer.headers["ratelimit"], "\"client\";r=9999;t=3");
}

async fn an_operation_costs_what_its_document_says(app: &TestApp) {
    let world = World::new(app).await;
    let partner = world.partner();
    let rules = "programs { incentives { versions { outcomes { __typename } } } }";
    let heavy = format!("{{ employer(key: \"acme\") {{ {rules} again: {rules} }} }}");
    let mut light_then_heavy = Vec::new();
    for (document, expected) in [
        ("{ viewer { kind } }", 1),
        (
            "{ feed(first: 1) { entries { id position kind achievement { id title } } } }",
            1,
        ),
        (
            "{ feed(first: 50) { entries { id position kind achievement { id title } } } }",
            4,
        ),
        (
            "{ feed { entries { id position kind achievement { id title } } } }",
            7,
        ),
        // What does not exist costs its request alone.
        ("{ nothing { at { all } } }", 1),
        ("{ nonsense", 1),
    ] {
        let answer = partner.ask(document, json!({})).await;
        let cost = &answer.json()["extensions"]["cost"];
        assert_eq!(cost["requested"], expected, "{document} {}", answer.text);
        assert_eq!(
            (&cost["maximum"], &cost["restoreRate"]),
            (&json!(20_000), &json!(5_000))
        );
        let left = format!("\"client\";r={};", cost["available"]);
        let header = answer.headers["ratelimit"].to_str().unwrap();
        assert!(header.starts_with(&left), "{header} {}", answer.text);
        light_then_heavy.push(cost["available"].as_u64().unwrap());
    }
    let spent: Vec<u64> = light_then_heavy
        .windows(2)
        .map(|pair| pair[0] - pair[1])
        .collect();
    assert_eq!(
        spent,
        [1, 4, 7, 1, 1],
        "what is said to be spent is what is spent"
    );
    let answer = app.operator().ask(&heavy, json!({})).await;
    let answer = answer.json();
    assert_eq!(answer.get("errors"), None, "{answer}");
    assert_eq!(answer["extensions"]["cost"]["requested"], 1 + 222, "{answer}");
}

async fn a_batch_of_a_hundred_events_costs_ten_units_more(app: &TestApp) {
    let world = World::new(app).await;
    world.members(&["ada"]).await;
    let backend = world.backend();
    let requested = async |count: usize| {
        let events: Vec<_> = (0..count)
            .map(|number| json!({"id": format!("{count}-{number}"), "member": "ada", "type": "meditation.completed", "occurredAt": app.now()}))
            .collect();
        let query = "mutation($input: RecordEventsInput!) {
            recordEvents(input: $input) { results { status } userErrors { message } }
        }";
        let answer = backend.ask(query, json!({"input": {"events": events}})).await;
        let body = answer.json();
        assert_eq!(body["data"]["recordEvents"]["userErrors"], json!([]), "{body}");
        body["extensions"]["cost"]["requested"].as_u64().unwrap()
    };
    assert_eq!(requested(1).await, 1);
    assert_eq!(requested(100).await, 1 + 10);
}

async fn what_the_budget_does_not_hold_is_refused_before_it_is_executed(app: &TestApp) {
    let world = World::new(app).await;
    world.members(&["ada"]).await;
    let backend = world.backend();
    let record = async |id: &str| {
        let events: Vec<_> = (0..50)
            .map(|number| json!({"id": format!("{id}-{number}"), "member": "ada", "type": "meditation.completed", "occurredAt": app.now()}))
            .collect();
        let query =
            "mutation($input: RecordEventsInput!) { recordEvents(input: $input) { results { status } } }";
        backend.ask(query, json!({"input": {"events": events}})).await
    };
    // Nothing at all, not even for the request; then enough for the request and not for what is in it.
    for (units, requested, available) in [(0, 1, 0), (3, 6, 2)] {
        leave(app, units);
        let answer = record("e").await;
        let body = answer.json();
        assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS, "{body}");
        assert_eq!(answer.code().as_deref(), Some("RATE_LIMITED"));
        assert_eq!(answer.headers["retry-after"], "1");
        assert_eq!(body.get("data"), None);
        assert_eq!(
            body["extensions"]["cost"],
            json!({"requested": requested, "available": available, "maximum": 20_000, "restoreRate": 5_000})
        );
        let header = answer.headers["ratelimit"].to_str().unwrap();
        assert_eq!(header, format!("\"client\";r={available};t=1"));
        app.pass(TimeDelta::seconds(1));
    }
    let answer = record("e").await.json();
    let first = &answer["data"]["recordEvents"]["results"][0]["status"];
    assert_eq!(first, "ACCEPTED", "none of them had been executed: {answer}");
}

async fn whoever_has_no_token_is_known_by_its_address(app: &TestApp) {
    let address: SocketAddr = "192.0.2.7:4711".parse().unwrap();
    let ask = async |path: &str, token: Option<String>| {
        let mut request = Request::builder().method(Method::POST).uri(path);
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let mut request = request.body(Body::empty()).unwrap();
        request.extensions_mut().insert(ConnectInfo(address));
        app.anonymous().send(request).await
    };
    assert_ne!(
        ask("/oauth/token", None).await.status,
        StatusCode::TOO_MANY_REQUESTS
    );
    assert!(
        app.app
            .limits
            .take("address 192.0.2.7", app.now(), 19_999)
            .is_enough
    );
    for token in [None, Some("no good".to_owned())] {
        let answer = ask("/oauth/token", token).await;
        assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS);
    }
    // Who has a token pays for itself, from wherever; and probes cost nothing.
    let token = app.operator().token().map(ToOwned::to_owned);
    assert_ne!(ask("/events", token).await.status, StatusCode::TOO_MANY_REQUESTS);
    assert_ne!(ask("/livez", None).await.status, StatusCode::TOO_MANY_REQUESTS);
}
