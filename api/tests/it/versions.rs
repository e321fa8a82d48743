//! The versions of an incentive: published, in force from an instant on, immutable; and its retirement.

use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::harness::{TestApp, World, event, incentive_input, streak_input};

on_both!(
    a_new_version_is_in_force_from_an_instant_on,
    a_version_that_makes_no_sense_is_refused,
    a_version_is_in_force_neither_in_the_past_nor_before_the_one_before,
    progress_is_kept_only_where_the_same_things_are_counted,
    a_new_version_may_rename_the_incentive,
    an_incentive_stays_sensitive_once_a_version_was,
    an_incentive_has_at_most_a_hundred_versions,
    versions_published_at_once_are_numbered_one_by_one,
    a_retired_incentive_is_retired_for_good,
    an_incentive_that_is_not_there_is_neither_published_nor_retired,
    what_becomes_of_an_achievement_on_a_retraction_is_stored_as_said,
);

/// The input of a new version of an incentive: a streak of so many days of meditation.
fn version_input(incentive: &str, length: u32) -> Value {
    json!({
        "incentive": incentive, "trigger": {"eventType": "meditation.completed"}, "structure": {"streak": {"length": length}},
        "outcomes": [{"achievement": {"title": "New"}}],
    })
}

fn with(mut input: Value, field: &str, value: Value) -> Value {
    input[field] = value;
    input
}

/// The employer with the incentive "daily", a streak of five days.
async fn world(app: &TestApp) -> World<'_> {
    let world = World::new(app).await;
    world
        .incentive(streak_input("daily", 5, json!({"once": true})))
        .await;
    world
}

async fn publish(world: &World<'_>, input: Value) -> i64 {
    let payload = world
        .admin()
        .change("publishIncentive", input, "incentive { key } version")
        .await;
    payload["version"].as_i64().unwrap()
}

async fn refused(world: &World<'_>, input: Value) -> (String, String) {
    world
        .admin()
        .fault("publishIncentive", input, "incentive { key } version")
        .await
}

fn fault(code: &str, path: &str) -> (String, String) {
    (code.to_owned(), path.to_owned())
}

/// The incentive "daily", with all its versions.
async fn daily(world: &World<'_>) -> Value {
    let query = "{ program(key: \"wellbeing\") { incentives { key name description sensitive retiredAt version { number }
        versions { number effectiveFrom publishedAt progress structure { streak { length } } } } } }";
    let data = world.admin().data(query, json!({})).await;
    let incentives = data["program"]["incentives"].as_array().unwrap();
    incentives
        .iter()
        .find(|incentive| incentive["key"] == "daily")
        .unwrap()
        .clone()
}

async fn a_new_version_is_in_force_from_an_instant_on(app: &TestApp) {
    let world = world(app).await;
    app.pass(TimeDelta::hours(1));
    assert_eq!(publish(&world, version_input("daily", 3)).await, 2);
    let later = with(
        version_input("daily", 2),
        "effectiveFrom",
        json!("2026-12-01T00:00:00+01:00"),
    );
    let later = with(later, "progress", json!("RESTART"));
    assert_eq!(publish(&world, later).await, 3);
    let version = |number: i64, from: Value, published: &str, progress: Value, length: i64| {
        json!({
            "number": number, "effectiveFrom": from, "publishedAt": published, "progress": progress,
            "structure": {"streak": {"length": length}},
        })
    };
    let shown = daily(&world).await;
    assert_eq!(
        shown["versions"],
        json!([
            version(1, Value::Null, "2026-11-21T12:00:00Z", Value::Null, 5),
            version(
                2,
                json!("2026-11-21T13:00:00Z"),
                "2026-11-21T13:00:00Z",
                json!("KEEP"),
                3
            ),
            version(
                3,
                json!("2026-11-30T23:00:00Z"),
                "2026-11-21T13:00:00Z",
                json!("RESTART"),
                2
            ),
        ])
    );
    assert_eq!(shown["version"]["number"], 3);
}

async fn a_version_that_makes_no_sense_is_refused(app: &TestApp) {
    let world = world(app).await;
    let before = app.row_counts().await;
    let set = |pointer: &str, value: Value| {
        let mut input = version_input("daily", 5);
        *input.pointer_mut(pointer).unwrap() = value;
        input
    };
    for (input, path) in [
        (
            set("/structure/streak/length", json!(0)),
            "structure.streak.length",
        ),
        (
            set("/structure", json!({"immediate": false})),
            "structure.immediate",
        ),
        (set("/trigger", Value::Null), "trigger"),
        (set("/trigger/eventType", json!("no.such")), "trigger.eventType"),
        (set("/outcomes", json!([])), "outcomes"),
        (
            set("/outcomes/0/achievement/title", json!("")),
            "outcomes.0.achievement.title",
        ),
        (
            with(version_input("daily", 5), "limit", json!({"atMost": 0})),
            "limit.atMost",
        ),
        (with(version_input("daily", 5), "name", json!(" ")), "name"),
        (
            with(version_input("daily", 5), "description", json!("x".repeat(2_001))),
            "description",
        ),
    ] {
        assert_eq!(
            refused(&world, input.clone()).await,
            fault("INVALID_INPUT", path),
            "{input}"
        );
    }
    assert_eq!(app.row_counts().await, before);
}

async fn a_version_is_in_force_neither_in_the_past_nor_before_the_one_before(app: &TestApp) {
    let world = world(app).await;
    let from = |instant: &str| with(version_input("daily", 5), "effectiveFrom", json!(instant));
    let wrong = fault("INVALID_INPUT", "effectiveFrom");
    assert_eq!(refused(&world, from("2026-11-21T11:59:59Z")).await, wrong);
    assert_eq!(publish(&world, from("2026-11-25T00:00:00Z")).await, 2);
    for instant in ["2026-11-22T00:00:00Z", "2026-11-25T00:00:00Z"] {
        assert_eq!(refused(&world, from(instant)).await, wrong, "{instant}");
    }
    // From now on is also before the twenty-fifth.
    assert_eq!(refused(&world, version_input("daily", 5)).await, wrong);
    assert_eq!(publish(&world, from("2026-11-25T00:00:01Z")).await, 3);
}

async fn progress_is_kept_only_where_the_same_things_are_counted(app: &TestApp) {
    let world = world(app).await;
    let weekly = json!({"streak": {"length": 2, "period": "WEEK"}});
    for structure in [weekly, json!({"immediate": true})] {
        app.pass(TimeDelta::hours(1));
        let input = with(version_input("daily", 5), "structure", structure.clone());
        assert_eq!(
            refused(&world, input.clone()).await,
            fault("INVALID_INPUT", "progress"),
            "{structure}"
        );
        let null = with(input.clone(), "progress", Value::Null);
        assert_eq!(refused(&world, null).await, fault("INVALID_INPUT", "progress"));
        publish(&world, with(input, "progress", json!("RESTART"))).await;
    }
    assert_eq!(daily(&world).await["versions"].as_array().unwrap().len(), 3);
}

async fn a_new_version_may_rename_the_incentive(app: &TestApp) {
    let world = world(app).await;
    let named = with(version_input("daily", 4), "name", json!("Every day"));
    publish(&world, with(named, "description", json!("Sit."))).await;
    let shown = daily(&world).await;
    assert_eq!(
        (&shown["name"], &shown["description"]),
        (&json!("Every day"), &json!("Sit."))
    );
    app.pass(TimeDelta::hours(1));
    publish(&world, version_input("daily", 3)).await;
    let shown = daily(&world).await;
    assert_eq!(
        (&shown["name"], &shown["description"]),
        (&json!("Every day"), &json!("Sit."))
    );
    app.pass(TimeDelta::hours(1));
    publish(
        &world,
        with(version_input("daily", 3), "description", Value::Null),
    )
    .await;
    let shown = daily(&world).await;
    assert_eq!(
        (&shown["name"], &shown["description"]),
        (&json!("Every day"), &Value::Null)
    );
}

async fn an_incentive_stays_sensitive_once_a_version_was(app: &TestApp) {
    let world = world(app).await;
    assert_eq!(daily(&world).await["sensitive"], json!(false));
    let births = with(
        version_input("daily", 5),
        "trigger",
        json!({"eventType": "birth.reported"}),
    );
    publish(&world, births).await;
    assert_eq!(daily(&world).await["sensitive"], json!(true));
    app.pass(TimeDelta::hours(1));
    publish(&world, version_input("daily", 5)).await;
    assert_eq!(daily(&world).await["sensitive"], json!(true));
}

async fn an_incentive_has_at_most_a_hundred_versions(app: &TestApp) {
    let world = world(app).await;
    for number in 2..=100 {
        app.pass(TimeDelta::minutes(1));
        assert_eq!(publish(&world, version_input("daily", 5)).await, number);
    }
    app.pass(TimeDelta::minutes(1));
    assert_eq!(
        refused(&world, version_input("daily", 5)).await,
        fault("TOO_MANY", "")
    );
}

async fn versions_published_at_once_are_numbered_one_by_one(app: &TestApp) {
    let world = world(app).await;
    let at = |hour: u32| {
        with(
            version_input("daily", 5),
            "effectiveFrom",
            json!(format!("2026-11-22T{hour:02}:00:00Z")),
        )
    };
    let admin = world.admin();
    let calls = (0..6).map(|hour| admin.mutate("publishIncentive", at(hour), "version"));
    let payloads = futures_util::future::join_all(calls).await;
    let mut numbers: Vec<i64> = payloads
        .iter()
        .filter_map(|payload| payload["version"].as_i64())
        .collect();
    numbers.sort_unstable();
    // One that came after a later one is refused for its instant, never for its number.
    let expected: Vec<i64> = (2..).take(numbers.len()).collect();
    assert_eq!(numbers, expected);
    for payload in payloads.iter().filter(|payload| payload["version"].is_null()) {
        assert_eq!(payload["userErrors"][0]["path"], json!(["effectiveFrom"]));
    }
    assert!(!numbers.is_empty());
}

async fn a_retired_incentive_is_retired_for_good(app: &TestApp) {
    let world = world(app).await;
    app.pass(TimeDelta::hours(1));
    let retired = world
        .admin()
        .change(
            "retireIncentive",
            json!({"incentive": "daily"}),
            "incentive { key retiredAt }",
        )
        .await;
    assert_eq!(
        retired["incentive"],
        json!({"key": "daily", "retiredAt": "2026-11-21T13:00:00Z"})
    );
    app.pass(TimeDelta::hours(1));
    let again = world
        .admin()
        .fault(
            "retireIncentive",
            json!({"incentive": "daily"}),
            "incentive { key }",
        )
        .await;
    assert_eq!(again, fault("INVALID_STATE", "incentive"));
    assert_eq!(
        refused(&world, version_input("daily", 5)).await,
        fault("INVALID_STATE", "incentive")
    );
    let shown = daily(&world).await;
    assert_eq!(shown["retiredAt"], "2026-11-21T13:00:00Z");
    // There is nothing to be on the way to any more.
    world.members(&["ada"]).await;
    let query = "{ member(externalId: \"ada\") { progress { current } } }";
    let data = world.by("member:any").data(query, json!({})).await;
    assert_eq!(data["member"]["progress"], json!([]));
    assert_eq!(shown["versions"].as_array().unwrap().len(), 1);
}

async fn an_incentive_that_is_not_there_is_neither_published_nor_retired(app: &TestApp) {
    let world = World::new(app).await;
    let globex = World::named(app, "globex", "gym").await;
    globex
        .incentive(streak_input("daily", 5, json!({"once": true})))
        .await;
    let before = app.row_counts().await;
    let unknown = fault("NOT_FOUND", "incentive");
    for key in ["daily", "none"] {
        assert_eq!(refused(&world, version_input(key, 5)).await, unknown);
        let retired = world
            .admin()
            .fault("retireIncentive", json!({"incentive": key}), "incentive { key }")
            .await;
        assert_eq!(retired, unknown);
    }
    let foreign = with(version_input("daily", 5), "employer", json!("globex"));
    assert_eq!(refused(&world, foreign).await, fault("NOT_FOUND", "employer"));
    assert_eq!(app.row_counts().await, before);
    assert_eq!(daily(&globex).await["retiredAt"], Value::Null);
}

async fn what_becomes_of_an_achievement_on_a_retraction_is_stored_as_said(app: &TestApp) {
    let world = World::new(app).await;
    for (key, policy) in [
        ("a", json!("KEEP")),
        ("b", json!("REVOKE_IF_UNUSED")),
        ("c", json!("REVOKE")),
        ("d", Value::Null),
    ] {
        let mut input = incentive_input(
            key,
            "meditation.completed",
            json!({"immediate": true}),
            json!({"once": true}),
        );
        input["outcomes"][0]["achievement"]["onRetraction"] = policy;
        world.incentive(input).await;
    }
    let query = "SELECT count(*) AS count FROM incentive JOIN incentive_version ON incentive_id = incentive.id WHERE ";
    for (key, policy) in [("a", "KEEP"), ("b", "REVOKE_IF_UNUSED"), ("c", "REVOKE")] {
        let stored = format!("{query} key = '{key}' AND CAST(outcomes AS text) LIKE '%\"{policy}\"%'");
        assert_eq!(app.count(&stored).await, 1, "{key}");
    }
    let silent = format!("{query} key = 'd' AND CAST(outcomes AS text) NOT LIKE '%onRetraction%'");
    assert_eq!(app.count(&silent).await, 1);
    // What was stored can be read: all four are evaluated.
    world.members(&["ada"]).await;
    world.did([event("e1", "ada", "2026-11-21T10:00:00Z")]).await;
    for key in ["a", "b", "c", "d"] {
        assert_eq!(world.times("ada", key).await, 1, "{key}");
    }
}
