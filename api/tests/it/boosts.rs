//! Boosts: how an employer makes and ends them. What they do to points is told where points are earned.

use serde_json::{Value, json};

use crate::harness::{TestApp, World};

on_both!(
    a_boost_is_shown_as_it_was_made,
    a_boost_is_ended_once,
    a_boost_that_makes_no_sense_is_refused,
    whoever_keeps_the_programs_in_memory_is_told_of_a_boost,
);

const SHOWN: &str = "key name multiplier category startsOn endsOn where { path op value } createdAt endedAt";

fn double() -> Value {
    json!({
        "program": "wellbeing", "key": "double", "name": "Double week", "multiplier": "2.50", "category": "MINDFULNESS",
        "startsOn": "2026-12-01", "endsOn": "2026-12-07", "where": [
            {"path": "member.attributes.plan", "op": "EQ", "value": "plus"},
            {"path": "properties.minutes", "op": "GTE", "value": 10},
        ],
    })
}

async fn boosts(world: &World<'_>) -> Value {
    let query = format!("{{ program(key: \"wellbeing\") {{ boosts {{ {SHOWN} }} }} }}");
    world.admin().data(&query, json!({})).await["program"]["boosts"].clone()
}

async fn a_boost_is_shown_as_it_was_made(app: &TestApp) {
    let world = World::new(app).await;
    assert_eq!(boosts(&world).await, json!([]));
    let selection = format!("boost {{ {SHOWN} }}");
    let made = world.admin().change("createBoost", double(), &selection).await["boost"].clone();
    assert_eq!(
        made,
        json!({
            "key": "double", "name": "Double week", "multiplier": "2.5", "category": "MINDFULNESS", "startsOn": "2026-12-01",
            "endsOn": "2026-12-07", "where": double()["where"], "createdAt": "2026-11-21T12:00:00Z", "endedAt": null,
        })
    );
    let plain = json!({"program": "wellbeing", "key": "always", "name": "Always", "multiplier": "0.000001",
        "startsOn": "2026-12-01", "endsOn": "2026-12-01"});
    world.admin().change("createBoost", plain, "boost { key }").await;
    let all = boosts(&world).await;
    assert!(all.as_array().unwrap().contains(&made), "{all}");
    let plain = all
        .as_array()
        .unwrap()
        .iter()
        .find(|boost| boost["key"] == "always");
    assert_eq!(
        (&plain.unwrap()["where"], &plain.unwrap()["category"]),
        (&json!([]), &Value::Null)
    );
}

async fn a_boost_is_ended_once(app: &TestApp) {
    let world = World::new(app).await;
    let key = json!({"program": "wellbeing", "key": "double"});
    let fault = world
        .admin()
        .fault("endBoost", key.clone(), "boost { key }")
        .await;
    assert_eq!(fault, ("NOT_FOUND".to_owned(), "key".to_owned()));
    world
        .admin()
        .change("createBoost", double(), "boost { key }")
        .await;
    app.set_clock("2026-12-03T12:00:00Z");
    let ended = world
        .admin()
        .change("endBoost", key.clone(), "boost { key endedAt }")
        .await;
    assert_eq!(
        ended["boost"],
        json!({"key": "double", "endedAt": "2026-12-03T12:00:00Z"})
    );
    assert_eq!(boosts(&world).await[0]["endedAt"], "2026-12-03T12:00:00Z");
    let again = world.admin().fault("endBoost", key, "boost { key }").await;
    assert_eq!(again, ("INVALID_STATE".to_owned(), "key".to_owned()));
    // Its key stays its own.
    let taken = world
        .admin()
        .fault("createBoost", double(), "boost { key }")
        .await;
    assert_eq!(taken, ("KEY_TAKEN".to_owned(), "key".to_owned()));
}

async fn a_boost_that_makes_no_sense_is_refused(app: &TestApp) {
    let world = World::new(app).await;
    let before = app.row_counts().await;
    let condition = json!({"path": "properties.minutes", "op": "GTE", "value": 10});
    for (field, value, path) in [
        ("key", json!("Double"), "key"),
        ("name", json!(""), "name"),
        ("multiplier", json!("0"), "multiplier"),
        ("multiplier", json!("-1"), "multiplier"),
        ("multiplier", json!("100.000001"), "multiplier"),
        ("multiplier", json!("1.0000001"), "multiplier"),
        ("category", json!("-"), "category"),
        ("category", json!("x".repeat(64)), "category"),
        ("endsOn", json!("2026-11-30"), "endsOn"),
        ("startsOn", json!("1066-01-01"), "startsOn"),
        (
            "where",
            json!([{"path": "minutes", "op": "GTE", "value": 10}]),
            "where.0.path",
        ),
        (
            "where",
            json!([condition, {"path": "properties.a", "op": "EQ"}]),
            "where.1.value",
        ),
        (
            "where",
            json!([{"path": format!("properties.{}", "a".repeat(65)), "op": "EQ", "value": 1}]),
            "where.0.path",
        ),
        ("where", json!(vec![condition.clone(); 21]), "where"),
        (
            "where",
            json!([{"path": "properties.a", "op": "EQ", "value": "\u{0}"}]),
            "where",
        ),
    ] {
        let mut input = double();
        input[field] = value;
        let fault = world.admin().fault("createBoost", input, "boost { key }").await;
        assert_eq!(fault, ("INVALID_INPUT".to_owned(), path.to_owned()));
    }
    let mut elsewhere = double();
    elsewhere["program"] = json!("nowhere");
    let fault = world
        .admin()
        .fault("createBoost", elsewhere, "boost { key }")
        .await;
    assert_eq!(fault, ("NOT_FOUND".to_owned(), "program".to_owned()));
    assert_eq!(app.row_counts().await, before);
    world
        .change_program("endProgram", json!({"program": "wellbeing"}))
        .await;
    let fault = world
        .admin()
        .fault("createBoost", double(), "boost { key }")
        .await;
    assert_eq!(fault, ("INVALID_STATE".to_owned(), "program".to_owned()));
    assert_eq!(app.count("SELECT count(*) AS count FROM boost").await, 0);
}

async fn whoever_keeps_the_programs_in_memory_is_told_of_a_boost(app: &TestApp) {
    let world = World::new(app).await;
    let version = async || {
        let found = entity::employer::find(app.app.db.read(), world.employer).await;
        found.unwrap().unwrap().catalogue_version
    };
    let before = version().await;
    world
        .admin()
        .change("createBoost", double(), "boost { key }")
        .await;
    let made = version().await;
    assert!(made > before);
    let key = json!({"program": "wellbeing", "key": "double"});
    world.admin().change("endBoost", key, "boost { key }").await;
    assert!(version().await > made);
}
