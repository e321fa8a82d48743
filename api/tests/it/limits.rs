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
