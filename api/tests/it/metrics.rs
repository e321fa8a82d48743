//! What operators watch.

use axum::body::Body;
use http::Request;
use serde_json::json;

use crate::harness::{TestApp, World, event, streak_input};

on_both!(
    what_happens_is_counted_and_what_waits_is_measured,
    nothing_of_a_member_a_tenant_or_a_token_is_told,
);

fn assert_tells(text: &str, lines: &[&str]) {
    for line in lines {
        assert!(text.lines().any(|told| told == *line), "{line} is not in\n{text}");
    }
}

async fn earning(app: &TestApp) -> World<'_> {
    let world = World::new(app).await;
    world
        .incentive(streak_input("always", 1, json!({"unlimited": true})))
        .await;
    world.members(&["ada"]).await;
    world
}

async fn what_happens_is_counted_and_what_waits_is_measured(app: &TestApp) {
    let world = earning(app).await;
    let sent = [
        event("e1", "ada", "2026-11-20T10:00:00Z"),
        event("e1", "ada", "2026-11-20T10:00:00Z"),
        event("e2", "nobody", "2026-11-20T10:00:00Z"),
    ];
    world.backend().record(sent.map(serde_json::Value::from)).await;
    app.pass(chrono::TimeDelta::seconds(90));
    assert_tells(
        &app.metrics().await,
        &[
            "plaudit_events_total{result=\"accepted\"} 1",
            "plaudit_events_total{result=\"duplicate\"} 1",
            "plaudit_events_total{result=\"rejected\"} 1",
            "plaudit_queue_events 1.0",
            "plaudit_queue_oldest_seconds 90.0",
            "plaudit_feed_entries_written 0.0",
            "plaudit_webhook_endpoints_parked 0.0",
            "plaudit_webhook_oldest_due_seconds 0.0",
            "plaudit_database_up 1.0",
            "plaudit_duties_failing 0.0",
            "plaudit_sockets_open 0.0",
        ],
    );
    app.run_jobs().await;
    app.anonymous().ask("{ viewer { kind } }", json!({})).await;
    assert_tells(
        &app.metrics().await,
        &[
            "plaudit_events_evaluated_total 1",
            "plaudit_event_latency_seconds_bucket{le=\"60.0\"} 0",
            "plaudit_event_latency_seconds_bucket{le=\"+Inf\"} 1",
            "plaudit_event_latency_seconds_sum 90.0",
            "plaudit_achievements_total{change=\"earned\"} 1",
            "plaudit_achievements_total{change=\"revoked\"} 0",
            "plaudit_queue_events 0.0",
            "plaudit_queue_oldest_seconds 0.0",
            "plaudit_feed_entries_written 1.0",
            "plaudit_requests_total{door=\"graphql\",status=\"401\"} 1",
            "# EOF",
        ],
    );
}

async fn nothing_of_a_member_a_tenant_or_a_token_is_told(app: &TestApp) {
    let world = earning(app).await;
    world
        .did([event("canary-event", "ada", "2026-11-20T10:00:00Z")])
        .await;
    world
        .backend()
        .record([event("e2", "canary-member", "2026-11-20T10:00:00Z").into()])
        .await;
    let token = world.backend().token().unwrap().to_owned();
    for address in [
        "/v1/members/ada/points",
        "/canary-address",
        "/v1/members/canary-member/points?canary",
    ] {
        let request = Request::get(address).header("authorization", format!("Bearer {token}"));
        world.backend().send(request.body(Body::empty()).unwrap()).await;
    }
    let text = app.metrics().await;
    assert_tells(
        &text,
        &["plaudit_requests_total{door=\"other\",status=\"404\"} 1"],
    );
    let words = [
        "canary",
        "ada",
        "acme",
        "spa",
        "wellbeing",
        "always",
        token.as_str(),
    ];
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let name = line.split(' ').next().unwrap();
        for word in words {
            let told = name.split(|char: char| !char.is_ascii_alphanumeric());
            assert!(!told.clone().any(|told| told == word), "{line} tells {word}");
        }
    }
    assert!(!text.contains("canary"), "{text}");
}
