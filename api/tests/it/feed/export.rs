//! The feed as a file, over plain HTTP.

use std::io::Read;

use axum::body::Body;
use chrono::TimeDelta;
use http::header::{
    ACCEPT_ENCODING, AUTHORIZATION, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_TYPE, VARY,
};
use http::{Request, StatusCode};
use serde_json::{Value, json};
use tower::ServiceExt;

use super::always;
use crate::harness::{Answer, Caller, TestApp, World, event, incentive_input};

on_both!(
    a_file_holds_what_the_feed_holds_in_either_form,
    a_file_goes_on_from_any_position,
    a_file_is_longer_than_a_page,
    a_file_is_compressed_for_whoever_takes_it_so,
    what_is_no_longer_kept_is_not_left_out_in_silence,
    a_range_or_a_token_that_will_not_do_is_refused,
);

async fn get(caller: &Caller<'_>, path: &str) -> Answer {
    caller.send(request(caller, path, "identity")).await
}

fn request(caller: &Caller<'_>, path: &str, encoding: &str) -> Request<Body> {
    let mut request = Request::get(path).header(ACCEPT_ENCODING, encoding);
    if let Some(token) = caller.token() {
        request = request.header(AUTHORIZATION, format!("Bearer {token}"));
    }
    request.body(Body::empty()).unwrap()
}

fn lines(answer: &Answer) -> Vec<Value> {
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    answer
        .text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn positions(lines: &[Value]) -> Vec<i64> {
    lines
        .iter()
        .map(|line| line["position"].as_i64().unwrap())
        .collect()
}

async fn earned(app: &TestApp, days: u32) -> World<'_> {
    let world = World::new(app).await;
    always(&world).await;
    world.members(&["ada"]).await;
    for day in 22 - days..22 {
        let at = format!("2026-11-{day}T10:00:00Z");
        world.did([event(&format!("e{day}"), "ada", &at)]).await;
    }
    world
}

async fn a_file_holds_what_the_feed_holds_in_either_form(app: &TestApp) {
    let world = earned(app, 2).await;
    let formula = json!({"immediate": true});
    let mut input = incentive_input(
        "formula",
        "meditation.completed",
        formula,
        json!({"unlimited": true}),
    );
    input["outcomes"][0]["achievement"]["title"] = json!("=HYPERLINK(\"x\"), \"y\"");
    world.incentive(input).await;
    world.did([event("e", "ada", "2026-11-21T11:00:00Z")]).await;
    world
        .reward(json!({"program": "wellbeing", "key": "mug", "price": 0, "fulfilledBy": "spa"}))
        .await;
    world.redeemed("ada", "mug", "k1").await;
    let query = "{ feed { entries { id position cursor kind recordedAt
        achievement { id incentive { key name } program { key name } memberRef title earnedOn recordedAt status ordinal revokedAt }
        redemption { id reward { key name } memberRef quantity pointsSpent status requestedAt expiresAt settledAt } } } }";
    let feed = world.partner().data(query, json!({})).await["feed"]["entries"].clone();
    let json = get(&world.partner(), "/v1/feed.ndjson").await;
    assert_eq!(Value::from(lines(&json)), feed);
    assert_eq!(json.headers[CONTENT_TYPE], "application/x-ndjson");
    assert_eq!(
        json.headers[CONTENT_DISPOSITION],
        "attachment; filename=\"feed-1-4.ndjson\""
    );
    let csv = get(&world.partner(), "/v1/feed.csv").await;
    assert_eq!(
        csv.headers[CONTENT_TYPE],
        "text/csv; charset=utf-8; header=present"
    );
    let rows: Vec<&str> = csv.text.split("\r\n").collect();
    assert_eq!(rows.len(), 6, "{}", csv.text);
    assert!(rows[0].starts_with("position,id,cursor,kind,recordedAt,achievement.id,"));
    let id = feed[0]["id"].as_str().unwrap();
    assert!(rows[1].starts_with(&format!("1,{id},")), "{}", rows[1]);
    assert!(
        rows[3].contains(",\"'=HYPERLINK(\"\"x\"\"), \"\"y\"\"\","),
        "{}",
        rows[3]
    );
    assert!(
        rows[4].contains("REDEMPTION_REQUESTED") && rows[4].contains("mug"),
        "{}",
        rows[4]
    );
}

async fn a_file_goes_on_from_any_position(app: &TestApp) {
    let world = earned(app, 7).await;
    for (range, expected) in [
        ("", 1..=7),
        ("?from=3", 3..=7),
        ("?to=2", 1..=2),
        ("?from=2&to=4", 2..=4),
        ("?from=7&to=7", 7..=7),
        ("?from=5&to=100", 5..=7),
    ] {
        let file = get(&world.partner(), &format!("/v1/feed.ndjson{range}")).await;
        assert_eq!(
            positions(&lines(&file)),
            expected.collect::<Vec<i64>>(),
            "{range}"
        );
    }
    // All that there is was fetched already.
    let empty = get(&world.partner(), "/v1/feed.ndjson?from=8").await;
    assert_eq!((empty.status, empty.text.as_str()), (StatusCode::OK, ""));
    let head = get(&world.partner(), "/v1/feed.csv?from=8").await;
    assert_eq!(head.text.lines().count(), 1);
}

async fn a_file_is_longer_than_a_page(app: &TestApp) {
    let world = World::new(app).await;
    let structure = json!({"immediate": true});
    let input = incentive_input(
        "each",
        "meditation.completed",
        structure,
        json!({"unlimited": true}),
    );
    world.incentive(input).await;
    world.members(&["ada"]).await;
    for part in 0..2 {
        let events =
            (0..601).map(|number| event(&format!("e{part}-{number}"), "ada", "2026-11-20T10:00:00Z"));
        world.did(events).await;
    }
    let file = get(&world.partner(), "/v1/feed.ndjson").await;
    assert_eq!(positions(&lines(&file)), (1..=1_202).collect::<Vec<i64>>());
    let csv = get(&world.partner(), "/v1/feed.csv").await;
    assert_eq!(csv.text.lines().count(), 1_203);
}

async fn a_file_is_compressed_for_whoever_takes_it_so(app: &TestApp) {
    let world = earned(app, 7).await;
    let plain = get(&world.partner(), "/v1/feed.csv").await;
    assert!(plain.headers.get(CONTENT_ENCODING).is_none());
    let request = request(&world.partner(), "/v1/feed.csv", "br, gzip;q=0.8");
    let response = app.router().oneshot(request).await.unwrap();
    assert_eq!(response.headers()[CONTENT_ENCODING], "gzip");
    let varies: Vec<_> = response.headers().get_all(VARY).iter().collect();
    assert!(
        varies.contains(&&"authorization".parse().unwrap()) && varies.len() == 2,
        "{varies:?}"
    );
    let body = axum::body::to_bytes(response.into_body(), usize::MAX)
        .await
        .unwrap();
    let mut text = String::new();
    flate2::read::GzDecoder::new(body.as_ref())
        .read_to_string(&mut text)
        .unwrap();
    assert_eq!(text, plain.text);
    assert!(body.len() < text.len() / 2);
}

async fn what_is_no_longer_kept_is_not_left_out_in_silence(app: &TestApp) {
    let world = earned(app, 2).await;
    app.pass(TimeDelta::days(91));
    world.did([event("new", "ada", "2027-02-20T10:00:00Z")]).await;
    jobs::purge::run(&app.app.jobs).await.unwrap();
    for path in ["/v1/feed.csv", "/v1/feed.ndjson", "/v1/feed.ndjson?from=2"] {
        let refused = get(&world.partner(), path).await;
        assert_eq!(refused.status, StatusCode::GONE);
        let error = &refused.json()["errors"][0]["extensions"];
        assert_eq!(
            (&error["code"], &error["oldestPosition"]),
            (&json!("CURSOR_EXPIRED"), &json!(3))
        );
    }
    let kept = get(&world.partner(), "/v1/feed.ndjson?from=3").await;
    assert_eq!(positions(&lines(&kept)), [3]);
}

async fn a_range_or_a_token_that_will_not_do_is_refused(app: &TestApp) {
    let world = earned(app, 1).await;
    for bad in [
        "from=0",
        "from=-1",
        "from=x",
        "from=2&to=1",
        "from=3",
        "form=1",
        "from=1.5",
        "from=99999999999999999999",
    ] {
        let refused = get(&world.partner(), &format!("/v1/feed.csv?{bad}")).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{bad}");
        assert_eq!(refused.code().unwrap(), "BAD_USER_INPUT", "{bad}");
    }
    let nobody = get(&app.anonymous(), "/v1/feed.csv").await;
    assert_eq!(nobody.status, StatusCode::UNAUTHORIZED);
    assert_eq!(nobody.code().unwrap(), "UNAUTHENTICATED");
    for other in [world.admin(), world.backend(), app.operator()] {
        let refused = get(&other, "/v1/feed.csv").await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{}", refused.text);
    }
}
