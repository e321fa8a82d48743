//! What is remembered of members' events, for how long, and that it is forgotten then.

use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::harness::{Event, TestApp, World, event, incentive_input, streak_input};

on_both!(
    an_event_is_forgotten_once_it_is_evaluated,
    a_kept_event_is_forgotten_when_its_retention_is_over,
    of_sensitive_events_no_property_is_kept_anywhere,
    receipts_and_tombstones_go_when_nothing_can_come_any_more,
    behind_the_horizon_only_what_counts_is_left,
    what_can_no_longer_matter_leaves_no_progress,
    dead_events_are_forgotten_behind_the_horizon,
    thirty_days_pass_in_a_moment,
);

/// Something that no other row says.
const TRACE: &str = "Xylophone";

async fn purge(app: &TestApp) {
    jobs::purge::run(&app.app.jobs).await.unwrap();
}

async fn rows(app: &TestApp, table: &str) -> i64 {
    app.count(&format!("SELECT count(*) AS count FROM {table}")).await
}

/// An incentive for each event of a type.
async fn each(world: &World<'_>, event_type: &str) {
    let limit = json!({"unlimited": true});
    world
        .incentive(incentive_input(
            "each",
            event_type,
            json!({"immediate": true}),
            limit,
        ))
        .await;
    world.members(&["ada"]).await;
}

fn traced(id: &str, event_type: &str) -> Event {
    event(id, "ada", "2026-11-20T10:00:00Z")
        .of(event_type)
        .set("properties", json!({"note": TRACE}))
}

async fn an_event_is_forgotten_once_it_is_evaluated(app: &TestApp) {
    let world = World::new(app).await;
    each(&world, "meditation.completed").await;
    let sent = Value::from(traced("e1", "meditation.completed"));
    assert_eq!(world.backend().record([sent]).await, ["ACCEPTED"]);
    assert_eq!(app.tables_with(TRACE).await, ["event"]);
    app.run_jobs().await;
    assert_eq!(world.times("ada", "each").await, 1);
    assert!(app.tables_with(TRACE).await.is_empty());
}

async fn a_kept_event_is_forgotten_when_its_retention_is_over(app: &TestApp) {
    let world = World::new(app).await;
    let kept = json!({"key": "walked", "name": "Walked", "retention": "P3D"});
    world
        .admin()
        .change("createEventType", kept, "eventType { key }")
        .await;
    each(&world, "walked").await;
    world.did([traced("e1", "walked"), traced("e2", "walked")]).await;
    assert_eq!(app.tables_with(TRACE).await, ["kept_event"]);
    let shown = async || {
        let query = "{ member(externalId: \"ada\") { events { nodes { id properties keptUntil } } } }";
        let data = world.by("member:any").data(query, json!({})).await;
        data["member"]["events"]["nodes"].clone()
    };
    assert_eq!(
        shown().await[0],
        json!({"id": "e1", "properties": {"note": TRACE}, "keptUntil": "2026-11-23T10:00:00Z"})
    );
    // What its sender takes back is not kept either.
    world.took_back(&["e1"]).await;
    assert_eq!(shown().await.as_array().unwrap().len(), 1);
    app.set_clock("2026-11-23T10:00:00Z");
    purge(app).await;
    assert_eq!(rows(app, "kept_event").await, 1);
    app.pass(TimeDelta::seconds(1));
    purge(app).await;
    assert!(app.tables_with(TRACE).await.is_empty());
    assert_eq!(world.standing("ada", "each").await.len(), 1);
}

async fn of_sensitive_events_no_property_is_kept_anywhere(app: &TestApp) {
    let world = World::new(app).await;
    let sensitive = json!({"key": "scan.done", "name": "Scan", "sensitive": true});
    world
        .admin()
        .change("createEventType", sensitive, "eventType { key }")
        .await;
    each(&world, "scan.done").await;
    let mut total = incentive_input(
        "grams",
        "scan.done",
        json!({"total": {"property": "grams", "atLeast": "3000"}}),
        json!({"once": true}),
    );
    total["trigger"]["where"] = json!([{"path": "properties.note", "op": "EQ", "value": "Xylo-phone"}]);
    total["unless"] = json!([{"eventType": "scan.done", "where": [{"path": "properties.stop", "op": "EQ", "value": true}]}]);
    world.incentive(total).await;
    let scan = |id: &str, more: Value| {
        let mut properties = json!({"note": TRACE});
        properties
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        traced(id, "scan.done").set("properties", properties)
    };
    world
        .did([
            scan("e1", json!({"grams": 3210.125})),
            scan("e2", json!({})),
            scan("e3", json!({"stop": true})),
        ])
        .await;
    assert_eq!(world.times("ada", "each").await, 3);
    assert!(app.tables_with(TRACE).await.is_empty());
    assert!(app.tables_with("3210").await.is_empty());
    world.took_back(&["e3"]).await;
    assert!(app.tables_with(TRACE).await.is_empty());
    assert_eq!(rows(app, "kept_event").await, 0);
}

async fn receipts_and_tombstones_go_when_nothing_can_come_any_more(app: &TestApp) {
    let world = World::new(app).await;
    each(&world, "meditation.completed").await;
    world.did([event("e1", "ada", "2026-11-20T10:00:00Z")]).await;
    world.took_back(&["never-came"]).await;
    assert_eq!(
        (rows(app, "receipt").await, rows(app, "retraction").await),
        (1, 1)
    );
    // As long as it could be accepted it is known to be a duplicate.
    app.set_clock("2026-11-27T10:00:00Z");
    purge(app).await;
    let again = Value::from(event("e1", "ada", "2026-11-20T10:00:00Z"));
    assert_eq!(world.backend().record([again.clone()]).await, ["DUPLICATE"]);
    app.pass(TimeDelta::seconds(1));
    purge(app).await;
    assert_eq!(rows(app, "receipt").await, 0);
    assert_eq!(world.backend().record([again]).await, ["TOO_LATE"]);
    assert_eq!(rows(app, "retraction").await, 1);
    app.set_clock("2026-12-30T12:00:00Z");
    purge(app).await;
    assert_eq!(rows(app, "retraction").await, 0);
    assert_eq!(world.times("ada", "each").await, 1);
}

async fn behind_the_horizon_only_what_counts_is_left(app: &TestApp) {
    let world = World::new(app).await;
    world
        .incentive(streak_input("ten", 10, json!({"unlimited": true})))
        .await;
    let structure = json!({"total": {"property": "minutes", "atLeast": "100"}});
    world
        .incentive(incentive_input(
            "sum",
            "meditation.completed",
            structure,
            json!({"unlimited": true}),
        ))
        .await;
    world.members(&["ada"]).await;
    let minutes = |day: u32| {
        event(&format!("d{day}"), "ada", &format!("2026-11-{day}T10:00:00Z"))
            .set("properties", json!({"minutes": 30}))
    };
    world.did((15..=21).map(minutes)).await;
    assert_eq!(
        (rows(app, "contribution").await, world.times("ada", "sum").await),
        (14, 2)
    );
    // Eight days of the greatest `maxLate`, 31 and 2: on the 27th of December the 16th is the horizon.
    app.set_clock("2026-12-27T12:00:00Z");
    purge(app).await;
    let days = "SELECT count(*) AS count FROM contribution WHERE day >= '2026-11-16'";
    assert_eq!((rows(app, "contribution").await, app.count(days).await), (12, 12));
    app.pass(TimeDelta::days(30));
    purge(app).await;
    assert_eq!(rows(app, "contribution").await, 0);
    // What was on the way is still on the way, where no window has ended.
    world
        .did([event("new", "ada", "2027-01-26T10:00:00Z").set("properties", json!({"minutes": 90}))])
        .await;
    assert_eq!(world.times("ada", "sum").await, 3);
    assert_eq!(world.times("ada", "ten").await, 0);
}

async fn what_can_no_longer_matter_leaves_no_progress(app: &TestApp) {
    let world = World::new(app).await;
    world
        .incentive(streak_input("ten", 10, json!({"once": true})))
        .await;
    world
        .incentive(streak_input("two", 2, json!({"once": true})))
        .await;
    world.members(&["ada"]).await;
    world
        .did(["2026-11-19", "2026-11-20"].map(|day| event(day, "ada", &format!("{day}T10:00:00Z"))))
        .await;
    assert_eq!(
        (rows(app, "progress").await, world.times("ada", "two").await),
        (2, 1)
    );
    app.set_clock("2027-02-01T12:00:00Z");
    purge(app).await;
    // That it was earned is known for ever; of the broken run nothing is.
    assert_eq!(rows(app, "progress").await, 1);
    world
        .did(["2027-01-31", "2027-02-01"].map(|day| event(day, "ada", &format!("{day}T10:00:00Z"))))
        .await;
    assert_eq!(world.times("ada", "two").await, 1);
}

async fn dead_events_are_forgotten_behind_the_horizon(app: &TestApp) {
    let world = World::new(app).await;
    each(&world, "meditation.completed").await;
    world.did([event("e1", "ada", "2026-11-20T10:00:00Z")]).await;
    app.sql("UPDATE progress SET state = 'garbage'").await.unwrap();
    world.did([traced("e2", "meditation.completed")]).await;
    for _ in 0..6 {
        app.pass(TimeDelta::minutes(1));
        app.run_jobs().await;
    }
    assert_eq!(app.tables_with(TRACE).await, ["dead_event"]);
    app.set_clock("2026-12-30T12:00:00Z");
    purge(app).await;
    assert_eq!(rows(app, "dead_event").await, 1);
    app.set_clock("2027-01-02T12:00:00Z");
    purge(app).await;
    assert!(app.tables_with(TRACE).await.is_empty());
}

async fn thirty_days_pass_in_a_moment(app: &TestApp) {
    let lab = World::sandbox(app, "lab", "gym").await;
    let walked = json!({"key": "walked", "name": "Walked", "retention": "P3D"});
    lab.admin()
        .change("createEventType", walked, "eventType { key }")
        .await;
    for (key, length, limit) in [
        ("ten", 10, json!({"unlimited": true})),
        ("month", 30, json!({"once": true})),
    ] {
        let structure = json!({"streak": {"length": length}});
        lab.incentive(incentive_input(key, "walked", structure, limit))
            .await;
    }
    lab.members(&["ada"]).await;
    for number in 0..30 {
        let day = chrono::NaiveDate::from_ymd_opt(2026, 11, 22).unwrap() + chrono::Days::new(number);
        lab.advance(&format!("{day}T20:00:00Z")).await;
        lab.did([event(&format!("{day}"), "ada", &format!("{day}T10:00:00Z")).of("walked")])
            .await;
        assert_eq!(
            lab.times("ada", "ten").await,
            usize::try_from((number + 1) / 10).unwrap()
        );
        purge(app).await;
        // Three days and the one that has just passed; a week and that day.
        assert!(
            rows(app, "kept_event").await <= 3 && rows(app, "receipt").await <= 8,
            "{day}"
        );
    }
    assert_eq!(lab.times("ada", "month").await, 1);
    assert_eq!(
        lab.days("ada", "ten").await,
        ["2026-12-01", "2026-12-11", "2026-12-21"]
    );
    assert_eq!(lab.feed_length().await, 4);
    // A day is missed, and the streak begins anew.
    lab.advance("2026-12-23T20:00:00Z").await;
    lab.did([event("again", "ada", "2026-12-23T10:00:00Z").of("walked")])
        .await;
    let query = "{ member(externalId: \"ada\") { progress { incentive { key } current runStartedOn } } }";
    let data = lab.by("member:any").data(query, json!({})).await;
    let shown = data["member"]["progress"].as_array().unwrap().clone();
    let ten = shown.iter().find(|one| one["incentive"]["key"] == "ten").unwrap();
    assert_eq!(
        (&ten["current"], &ten["runStartedOn"]),
        (&json!("1"), &json!("2026-12-23"))
    );
    lab.advance("2027-04-01T12:00:00Z").await;
    purge(app).await;
    for table in ["contribution", "receipt", "kept_event", "event"] {
        assert_eq!(rows(app, table).await, 0, "{table}");
    }
    assert_eq!(lab.times("ada", "ten").await, 3);
}
