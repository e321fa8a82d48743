//! What is kept of a feed, and what a partner is told that has stayed away for longer.

use std::sync::Arc;

use async_graphql::Request;
use chrono::TimeDelta;
use entity::feed::cursor;
use futures_util::StreamExt;
use serde_json::{Value, json};

use super::always;
use crate::harness::{TestApp, World, event, incentive_input};

on_both!(
    what_is_older_than_is_kept_goes_and_whoever_asks_for_it_is_told_where_to_go_on,
    a_feed_of_which_nothing_is_kept_goes_on_where_it_was,
    a_subscription_to_what_is_no_longer_kept_is_told_so,
    a_revocation_is_told_after_what_told_of_the_earning_has_gone,
    what_was_told_is_not_told_again_by_a_back_fill_when_it_has_gone,
    a_sandbox_forgets_by_its_own_clock,
);

const FEED: &str = "query($after: String) { feed(after: $after) { entries { position } endCursor hasMore } }";

/// The positions after a cursor, or where the error says that they begin.
async fn after(world: &World<'_>, cursor: Value) -> Result<Vec<i64>, (String, i64)> {
    let answer = world.partner().ask(FEED, json!({"after": cursor})).await.json();
    let error = &answer["errors"][0]["extensions"];
    if error["code"] == "CURSOR_EXPIRED" {
        let position = error["oldestPosition"].as_i64().unwrap();
        return Err((error["oldestCursor"].as_str().unwrap().to_owned(), position));
    }
    let entries = answer["data"]["feed"]["entries"].as_array();
    let entries = entries.unwrap_or_else(|| panic!("{answer}"));
    Ok(entries
        .iter()
        .map(|entry| entry["position"].as_i64().unwrap())
        .collect())
}

/// Three entries, and ninety days and a moment later another one.
async fn old_and_new(app: &TestApp) -> World<'_> {
    let world = World::new(app).await;
    always(&world).await;
    world.members(&["ada", "bob", "eve", "zoe"]).await;
    let events = ["ada", "bob", "eve"].map(|member| event(member, member, "2026-11-21T10:00:00Z"));
    world.did(events).await;
    app.pass(TimeDelta::seconds(90 * 86_400 + 1));
    world.did([event("zoe", "zoe", "2027-02-19T10:00:00Z")]).await;
    world
}

async fn purge(app: &TestApp) {
    jobs::purge::run(&app.app.jobs).await.unwrap();
}

async fn what_is_older_than_is_kept_goes_and_whoever_asks_for_it_is_told_where_to_go_on(app: &TestApp) {
    let world = old_and_new(app).await;
    assert_eq!(after(&world, Value::Null).await, Ok(vec![1, 2, 3, 4]));
    purge(app).await;
    let at = |position| cursor::write(world.partner, position);
    let oldest = (at(3), 4);
    assert_eq!(after(&world, Value::Null).await, Err(oldest.clone()));
    for position in 0..=2 {
        assert_eq!(
            after(&world, json!(at(position))).await,
            Err(oldest.clone()),
            "{position}"
        );
    }
    assert_eq!(after(&world, json!(oldest.0)).await, Ok(vec![4]));
    assert_eq!(after(&world, json!(at(4))).await, Ok(vec![]));
    let digest = |from| format!("{{ feedDigest(from: {from}, to: 4) {{ count }} }}");
    assert_eq!(
        world.partner().error(&digest(3), json!({})).await,
        "CURSOR_EXPIRED"
    );
    let kept = world.partner().data(&digest(4), json!({})).await;
    assert_eq!(kept["feedDigest"]["count"], 1);
    // A second look finds nothing more to forget.
    purge(app).await;
    assert_eq!(after(&world, json!(oldest.0)).await, Ok(vec![4]));
}

async fn a_feed_of_which_nothing_is_kept_goes_on_where_it_was(app: &TestApp) {
    let world = old_and_new(app).await;
    app.pass(TimeDelta::days(91));
    purge(app).await;
    assert_eq!(app.count("SELECT count(*) AS count FROM feed_entry").await, 0);
    let at = |position| cursor::write(world.partner, position);
    for gone in [Value::Null, json!(at(1)), json!(at(3))] {
        assert_eq!(after(&world, gone).await, Err((at(4), 5)));
    }
    assert_eq!(after(&world, json!(at(4))).await, Ok(vec![]));
    let unreached = world.partner().error(FEED, json!({"after": at(5)})).await;
    assert_eq!(unreached, "BAD_USER_INPUT");
    world.did([event("ada-2", "ada", "2027-05-21T10:00:00Z")]).await;
    assert_eq!(after(&world, json!(at(4))).await, Ok(vec![5]));
}

async fn a_subscription_to_what_is_no_longer_kept_is_told_so(app: &TestApp) {
    let world = old_and_new(app).await;
    let schema = app.app.schema();
    let follow = |position: i64| {
        let token = world.partner().token().unwrap().to_owned();
        let viewer = app.app.verifier.authenticate(&token, app.now()).unwrap();
        let cursor = cursor::write(world.partner, position);
        let query = format!(
            "subscription {{ feed(after: \"{cursor}\") {{ ... on FeedEntry {{ position }} ... on FeedCaughtUp {{ cursor }} }} }}"
        );
        Box::pin(schema.execute_stream(Request::new(query).data(Arc::clone(&viewer))))
    };
    let told = |response: &async_graphql::Response| serde_json::to_value(response).unwrap();
    // Begun in time, but so slow that what comes next has gone meanwhile.
    let mut slow = follow(0);
    purge(app).await;
    let first = told(&slow.next().await.unwrap());
    assert_eq!(first["errors"][0]["extensions"]["oldestPosition"], 4, "{first}");
    assert!(slow.next().await.is_none());
    let refused = told(&follow(1).next().await.unwrap());
    assert_eq!(
        refused["errors"][0]["extensions"]["code"], "CURSOR_EXPIRED",
        "{refused}"
    );
    let mut kept = follow(3);
    let first = told(&kept.next().await.unwrap());
    assert_eq!(first["data"]["feed"]["position"], 4, "{first}");
}

/// A world in which events may be more than ninety days late, and ada has earned something ninety-one days ago.
async fn long_ago(app: &TestApp) -> World<'_> {
    let world = World::new(app).await;
    let far = json!({"key": "walked", "name": "Walked", "maxLate": "P400D"});
    world
        .admin()
        .change("createEventType", far, "eventType { key }")
        .await;
    let mut input = incentive_input(
        "walk",
        "walked",
        json!({"immediate": true}),
        json!({"unlimited": true}),
    );
    input["outcomes"][0]["achievement"]["onRetraction"] = json!("REVOKE");
    world.incentive(input).await;
    world.members(&["ada"]).await;
    world
        .did([event("w1", "ada", "2026-11-20T10:00:00Z").of("walked")])
        .await;
    app.pass(TimeDelta::days(91));
    purge(app).await;
    assert_eq!(app.count("SELECT count(*) AS count FROM feed_entry").await, 0);
    world
}

async fn a_revocation_is_told_after_what_told_of_the_earning_has_gone(app: &TestApp) {
    let world = long_ago(app).await;
    world.took_back(&["w1"]).await;
    let query =
        "query($after: String) { feed(after: $after) { entries { position kind achievement { status } } } }";
    let after = cursor::write(world.partner, 1);
    let data = world.partner().data(query, json!({"after": after})).await;
    let revoked =
        json!([{"position": 2, "kind": "ACHIEVEMENT_REVOKED", "achievement": {"status": "REVOKED"}}]);
    assert_eq!(data["feed"]["entries"], revoked);
}

async fn what_was_told_is_not_told_again_by_a_back_fill_when_it_has_gone(app: &TestApp) {
    let world = long_ago(app).await;
    let input = json!({"partner": "spa", "programs": ["wellbeing"], "backfill": true});
    world
        .admin()
        .change("grantPartner", input, "grants { program }")
        .await;
    app.run_jobs().await;
    let data = world
        .admin()
        .data(
            "{ employer { grants { backfill { state done told } } } }",
            json!({}),
        )
        .await;
    assert_eq!(
        data["employer"]["grants"],
        json!([{"backfill": {"state": "DONE", "done": 1, "told": 0}}])
    );
    assert_eq!(world.feed_length().await, 1);
}

async fn a_sandbox_forgets_by_its_own_clock(app: &TestApp) {
    let world = World::sandbox(app, "lab", "spa").await;
    always(&world).await;
    world.members(&["ada"]).await;
    world.did([event("e1", "ada", "2026-11-21T10:00:00Z")]).await;
    world.advance("2027-02-01T12:00:00Z").await;
    world.did([event("e2", "ada", "2027-02-01T10:00:00Z")]).await;
    purge(app).await;
    assert_eq!(after(&world, Value::Null).await, Ok(vec![1, 2]));
    world.advance("2027-03-01T12:00:00Z").await;
    purge(app).await;
    assert_eq!(
        after(&world, Value::Null).await,
        Err((cursor::write(world.partner, 1), 2))
    );
}
