//! Levels of programs: how they are set, and where members stand.

use entity::ledger::{About, EntryKind};
use serde_json::{Value, json};

use crate::harness::{TestApp, World, incentive_input, lasting};

on_both!(
    a_member_rises_by_what_it_earns_and_keeps_it_through_the_next_window,
    a_window_starts_at_midnight_of_the_program,
    corrections_and_other_points_raise_nobody,
    levels_can_be_changed_and_taken_away,
    levels_that_make_no_sense_are_refused,
    a_member_has_no_level_where_a_program_has_none,
);

const LEVEL: &str = "query($program: String!) { member(externalId: \"ada\") { level(program: $program) {
    category level { key name atLeast } points next { key } missing reassessedOn keptUntil } } }";

/// An employer with the program "wellbeing", bronze from 100 points of a month on and silver from 200.
async fn world(app: &TestApp) -> World<'_> {
    let world = World::new(app).await;
    world
        .incentive(incentive_input(
            "calm",
            "meditation.completed",
            json!({"immediate": true}),
            json!({"unlimited": true}),
        ))
        .await;
    world.members(&["ada"]).await;
    set(&world, two("MONTH")).await;
    world
}

fn two(window: &str) -> Value {
    json!({"program": "wellbeing", "window": window, "levels": [
        {"key": "bronze", "name": "Bronze", "atLeast": 100}, {"key": "silver", "name": "Silver", "atLeast": 200},
    ]})
}

async fn set(world: &World<'_>, input: Value) -> Value {
    let shown = "levels { category window mayFall levels { key name atLeast } }";
    world.admin().change("setLevels", input, shown).await["levels"].clone()
}

async fn standing(world: &World<'_>) -> Value {
    let program = json!({"program": "wellbeing"});
    let data = world.member("ada").await.data(LEVEL, program.clone()).await;
    let by_admin = world.by("members:read points:read").data(LEVEL, program).await;
    assert_eq!(data, by_admin);
    data["member"]["level"].clone()
}

async fn a_member_rises_by_what_it_earns_and_keeps_it_through_the_next_window(app: &TestApp) {
    let world = world(app).await;
    world.earn("ada", "points", 99, "calm").await;
    assert_eq!(
        standing(&world).await,
        json!({"category": "points", "level": null, "points": 99, "next": {"key": "bronze"}, "missing": 1,
            "reassessedOn": "2026-12-01", "keptUntil": null})
    );
    world.earn("ada", "points", 1, "calm").await;
    let bronze = json!({"key": "bronze", "name": "Bronze", "atLeast": 100});
    assert_eq!(
        standing(&world).await,
        json!({"category": "points", "level": bronze, "points": 100, "next": {"key": "silver"}, "missing": 100,
            "reassessedOn": "2026-12-01", "keptUntil": "2026-12-31"})
    );
    for (instant, level, kept_until) in [
        ("2026-12-01T00:00:00Z", bronze, json!("2026-12-31")),
        ("2027-01-01T00:00:00Z", Value::Null, Value::Null),
    ] {
        app.set_clock(instant);
        let found = standing(&world).await;
        assert_eq!(
            (&found["level"], &found["points"], &found["keptUntil"]),
            (&level, &json!(0), &kept_until)
        );
    }
}

async fn a_window_starts_at_midnight_of_the_program(app: &TestApp) {
    let world = world(app).await;
    world
        .program(json!({"key": "far", "timeZone": "Pacific/Auckland"}))
        .await;
    let mut far = two("MONTH");
    far["program"] = json!("far");
    set(&world, far).await;
    // In Auckland, thirteen hours ahead, December has begun.
    app.set_clock("2026-11-30T12:00:00Z");
    world.earn("ada", "points", 100, "calm").await;
    for (program, reassessed_on, kept_until) in [
        ("wellbeing", "2026-12-01", "2026-12-31"),
        ("far", "2027-01-01", "2027-01-31"),
    ] {
        let data = world.backend().data(LEVEL, json!({"program": program})).await;
        let level = &data["member"]["level"];
        assert_eq!(level["level"]["key"], "bronze", "{program}");
        assert_eq!(level["reassessedOn"], reassessed_on, "{program}");
        assert_eq!(level["keptUntil"], kept_until, "{program}");
    }
    app.set_clock("2026-12-31T12:00:00Z");
    let data = world.backend().data(LEVEL, json!({"program": "far"})).await;
    // January there: what was earned in December there is what was kept.
    assert_eq!(data["member"]["level"]["level"]["key"], "bronze");
    assert_eq!(data["member"]["level"]["keptUntil"], "2027-01-31");
}

async fn corrections_and_other_points_raise_nobody(app: &TestApp) {
    let world = world(app).await;
    world.earn("ada", "STEPS", 500, "calm").await;
    world
        .book("ada", "points", |ids, now, account| {
            account
                .earn(ids, now, EntryKind::Adjusted, lasting(500, now), About::default())
                .unwrap();
        })
        .await;
    assert_eq!(standing(&world).await["level"], Value::Null);
    world.earn("ada", "points", 120, "calm").await;
    world
        .book("ada", "points", |ids, _, account| {
            account
                .spend(ids, 590, EntryKind::Redeemed, About::default())
                .unwrap();
        })
        .await;
    let found = standing(&world).await;
    assert_eq!(
        (&found["level"]["key"], &found["points"]),
        (&json!("bronze"), &json!(120))
    );
    world
        .book("ada", "points", |ids, _, account| {
            account
                .spend(ids, 20, EntryKind::ClawedBack, About::default())
                .unwrap();
        })
        .await;
    assert_eq!(
        standing(&world).await["level"],
        json!({"key": "bronze", "name": "Bronze", "atLeast": 100})
    );
    world
        .book("ada", "points", |ids, now, account| {
            account
                .earn(ids, now, EntryKind::Adjusted, lasting(500, now), About::default())
                .unwrap();
            account
                .spend(ids, 1, EntryKind::ClawedBack, About::default())
                .unwrap();
        })
        .await;
    let found = standing(&world).await;
    assert_eq!((&found["level"], &found["points"]), (&Value::Null, &json!(99)));
}

async fn levels_can_be_changed_and_taken_away(app: &TestApp) {
    let world = world(app).await;
    world.earn("ada", "points", 250, "calm").await;
    app.set_clock("2027-01-21T12:00:00Z");
    assert_eq!(standing(&world).await["level"], Value::Null);
    let mut kept = two("MONTH");
    kept["mayFall"] = json!(false);
    let shown = set(&world, kept.clone()).await;
    assert_eq!(
        (&shown["mayFall"], &shown["window"], &shown["category"]),
        (&json!(false), &json!("MONTH"), &json!("points"))
    );
    let found = standing(&world).await;
    assert_eq!(
        (
            &found["level"]["key"],
            &found["reassessedOn"],
            &found["keptUntil"]
        ),
        (&json!("silver"), &Value::Null, &Value::Null)
    );
    kept["category"] = json!("STEPS");
    kept["mayFall"] = Value::Null;
    let shown = set(&world, kept.clone()).await;
    assert_eq!(
        (&shown["mayFall"], &shown["category"]),
        (&json!(true), &json!("STEPS"))
    );
    let query =
        "{ program(key: \"wellbeing\") { levels { category window mayFall levels { key name atLeast } } } }";
    let data = world.admin().data(query, json!({})).await;
    assert_eq!(data["program"]["levels"], shown);
    kept["levels"] = json!([]);
    assert_eq!(set(&world, kept).await, Value::Null);
    assert_eq!(
        world.admin().data(query, json!({})).await["program"]["levels"],
        Value::Null
    );
    assert_eq!(standing(&world).await, Value::Null);
}

async fn levels_that_make_no_sense_are_refused(app: &TestApp) {
    let world = world(app).await;
    let level = |key: &str, at_least: i64| json!({"key": key, "name": key, "atLeast": at_least});
    let many: Vec<Value> = (1..=21).map(|place| level(&format!("l{place}"), place)).collect();
    for (field, value, path) in [
        ("window", json!("DAY"), "window"),
        ("window", json!("WEEK"), "window"),
        ("window", json!("PROGRAM"), "window"),
        ("category", json!("no points"), "category"),
        ("levels", json!(many), "levels"),
        ("levels", json!([level("a", 0)]), "levels.0.atLeast"),
        (
            "levels",
            json!([level("a", 1), level("b", 1)]),
            "levels.1.atLeast",
        ),
        (
            "levels",
            json!([level("a", 9_007_199_254_740_992)]),
            "levels.0.atLeast",
        ),
        ("levels", json!([level("a", 1), level("a", 2)]), "levels.1.key"),
        ("levels", json!([level("A", 1)]), "levels.0.key"),
        (
            "levels",
            json!([{"key": "a", "name": " ", "atLeast": 1}]),
            "levels.0.name",
        ),
    ] {
        let mut input = two("MONTH");
        input[field] = value;
        let fault = world
            .admin()
            .fault("setLevels", input, "levels { category }")
            .await;
        assert_eq!(fault, ("INVALID_INPUT".to_owned(), path.to_owned()));
    }
    let mut elsewhere = two("MONTH");
    elsewhere["program"] = json!("nowhere");
    let fault = world
        .admin()
        .fault("setLevels", elsewhere, "levels { category }")
        .await;
    assert_eq!(fault, ("NOT_FOUND".to_owned(), "program".to_owned()));
    world.earn("ada", "points", 100, "calm").await;
    assert_eq!(standing(&world).await["level"]["key"], "bronze");
}

async fn a_member_has_no_level_where_a_program_has_none(app: &TestApp) {
    let world = world(app).await;
    world.program(json!({"key": "plain"})).await;
    for program in ["plain", "nowhere"] {
        let data = world.backend().data(LEVEL, json!({"program": program})).await;
        assert_eq!(data["member"]["level"], Value::Null, "{program}");
    }
}
