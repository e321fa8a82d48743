//! What is broken stops nothing else, stands among the dead with its reason, and counts once when it was mended.

use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::harness::{TestApp, World, event, streak_input};

on_both!(
    a_broken_incentive_stops_no_other_and_counts_once_after_its_repair,
    progress_that_cannot_be_read_stops_no_other_member,
    an_event_that_cannot_be_read_dies_alone,
    a_failure_that_passes_is_never_seen_among_the_dead,
    only_dead_events_can_be_replayed,
);

/// Lets all tries of what is failing come due, one after the other.
async fn wear_out(app: &TestApp) {
    for _ in 0..6 {
        app.run_jobs().await;
        app.pass(TimeDelta::minutes(1));
    }
}

async fn dead(app: &TestApp) -> Vec<Value> {
    let query = "{ deadEvents { nodes { id eventType incentive reason attempts receivedAt diedAt } } }";
    let data = app.operator().data(query, json!({})).await;
    data["deadEvents"]["nodes"].as_array().unwrap().clone()
}

async fn replay(app: &TestApp, dead: &[Value]) -> i64 {
    let ids: Vec<&Value> = dead.iter().map(|event| &event["id"]).collect();
    let payload = app
        .operator()
        .change("replayDeadEvents", json!({"ids": ids}), "replayedCount")
        .await;
    app.run_jobs().await;
    payload["replayedCount"].as_i64().unwrap()
}

/// Replaces the rule of an incentive by SQL, as no API would.
async fn define(app: &TestApp, incentive: &str, definition: &str) {
    app.sql(&format!(
        "UPDATE incentive_version SET definition = '{definition}' WHERE incentive_id = (SELECT id FROM incentive WHERE key = '{incentive}')"
    ))
    .await
    .unwrap();
    app.sql("UPDATE employer SET catalogue_version = catalogue_version + 1")
        .await
        .unwrap();
}

async fn a_broken_incentive_stops_no_other_and_counts_once_after_its_repair(app: &TestApp) {
    let world = World::new(app).await;
    world
        .incentive(streak_input("broken", 2, json!({"unlimited": true})))
        .await;
    world
        .incentive(streak_input("sound", 2, json!({"unlimited": true})))
        .await;
    world.members(&["ada", "bob"]).await;
    app.sql("CREATE TABLE kept AS SELECT definition FROM incentive_version WHERE incentive_id = (SELECT id FROM incentive WHERE key = 'broken')").await.unwrap();
    app.sql_either(
        "DROP TRIGGER incentive_version_is_immutable",
        "DROP TRIGGER incentive_version_is_immutable ON incentive_version",
    )
    .await;
    define(app, "broken", r#"{"structure": "no such thing"}"#).await;
    let events = ["ada", "bob"].into_iter().flat_map(|member| {
        ["2026-11-20", "2026-11-21"]
            .map(|day| event(&format!("{member}-{day}"), member, &format!("{day}T10:00:00Z")))
    });
    world.did(events).await;
    for member in ["ada", "bob"] {
        assert_eq!(world.times(member, "sound").await, 1);
        assert_eq!(world.times(member, "broken").await, 0);
    }
    assert_eq!(dead(app).await, Vec::<Value>::new());
    wear_out(app).await;
    let died = dead(app).await;
    assert_eq!(died.len(), 4);
    for event in &died {
        assert_eq!(event["incentive"], "broken");
        assert_eq!(event["eventType"], "meditation.completed");
        assert_eq!(event["attempts"], 5);
        assert!(
            event["reason"]
                .as_str()
                .unwrap()
                .starts_with("the definition is broken"),
            "{event}"
        );
    }

    // Without a repair they die again.
    assert_eq!(replay(app, &died).await, 4);
    wear_out(app).await;
    let died = dead(app).await;
    assert_eq!(died.len(), 4);

    app.sql("UPDATE incentive_version SET definition = (SELECT definition FROM kept) WHERE incentive_id = (SELECT id FROM incentive WHERE key = 'broken')")
        .await
        .unwrap();
    app.sql("UPDATE employer SET catalogue_version = catalogue_version + 1")
        .await
        .unwrap();
    assert_eq!(replay(app, &died).await, 4);
    assert_eq!(dead(app).await, Vec::<Value>::new());
    for member in ["ada", "bob"] {
        for incentive in ["sound", "broken"] {
            assert_eq!(
                world.earned(member, incentive).await,
                [(1, "2026-11-21".to_owned())]
            );
        }
    }
    // What was replayed is no longer dead, so it cannot be replayed into counting twice.
    assert_eq!(replay(app, &died).await, 0);
    assert_eq!(world.times("ada", "broken").await, 1);
}

async fn progress_that_cannot_be_read_stops_no_other_member(app: &TestApp) {
    let world = World::new(app).await;
    world
        .incentive(streak_input("pair", 2, json!({"once": true})))
        .await;
    world
        .incentive(streak_input("other", 2, json!({"once": true})))
        .await;
    world.members(&["ada", "bob"]).await;
    world
        .did(["ada", "bob"].map(|member| event(&format!("{member}-1"), member, "2026-11-20T10:00:00Z")))
        .await;
    let place = "WHERE member_id = (SELECT id FROM member WHERE external_id = 'ada')
                 AND incentive_id = (SELECT id FROM incentive WHERE key = 'pair')";
    app.sql(&format!(
        "CREATE TABLE kept AS SELECT state FROM progress {place}"
    ))
    .await
    .unwrap();
    app.sql(&format!("UPDATE progress SET state = 'garbage' {place}"))
        .await
        .unwrap();
    world
        .did(["ada", "bob"].map(|member| event(&format!("{member}-2"), member, "2026-11-21T10:00:00Z")))
        .await;
    assert_eq!(world.times("bob", "pair").await, 1);
    assert_eq!(world.times("ada", "other").await, 1);
    assert_eq!(world.times("ada", "pair").await, 0);
    wear_out(app).await;
    let died = dead(app).await;
    assert_eq!(died.len(), 1);
    assert_eq!(died[0]["incentive"], "pair");
    app.sql(&format!(
        "UPDATE progress SET state = (SELECT state FROM kept) {place}"
    ))
    .await
    .unwrap();
    assert_eq!(replay(app, &died).await, 1);
    assert_eq!(world.earned("ada", "pair").await, [(1, "2026-11-21".to_owned())]);
    assert_eq!(world.feed().await.len(), 4);
}

async fn an_event_that_cannot_be_read_dies_alone(app: &TestApp) {
    let world = World::new(app).await;
    world
        .incentive(streak_input("first", 1, json!({"once": true})))
        .await;
    world.members(&["ada", "bob"]).await;
    let events = ["ada", "bob"].map(|member| Value::from(event(member, member, "2026-11-21T10:00:00Z")));
    assert_eq!(world.backend().record(events).await, ["ACCEPTED"; 2]);
    app.sql("UPDATE event SET properties = 'garbage' WHERE event_id = 'ada'")
        .await
        .unwrap();
    wear_out(app).await;
    assert_eq!(
        (
            world.times("ada", "first").await,
            world.times("bob", "first").await
        ),
        (0, 1)
    );
    let died = dead(app).await;
    assert_eq!(died.len(), 1);
    assert_eq!(died[0]["incentive"], Value::Null);
    assert_eq!(died[0]["reason"], "what is stored of the event cannot be read");
    app.sql("UPDATE dead_event SET properties = '{}'").await.unwrap();
    assert_eq!(replay(app, &died).await, 1);
    assert_eq!(world.times("ada", "first").await, 1);
}

async fn a_failure_that_passes_is_never_seen_among_the_dead(app: &TestApp) {
    let world = World::new(app).await;
    world
        .incentive(streak_input("first", 1, json!({"once": true})))
        .await;
    world.members(&["ada"]).await;
    let sent = Value::from(event("e1", "ada", "2026-11-21T10:00:00Z"));
    assert_eq!(world.backend().record([sent]).await, ["ACCEPTED"]);
    app.sql("UPDATE event SET properties = 'garbage'").await.unwrap();
    app.run_jobs().await;
    assert_eq!(
        app.count("SELECT count(*) AS count FROM event WHERE attempts = 1")
            .await,
        1
    );
    app.sql("UPDATE event SET properties = '{}'").await.unwrap();
    // It is not tried again before its time.
    app.run_jobs().await;
    assert_eq!(world.times("ada", "first").await, 0);
    app.pass(TimeDelta::seconds(1));
    app.run_jobs().await;
    assert_eq!(world.times("ada", "first").await, 1);
    assert_eq!(dead(app).await, Vec::<Value>::new());
}

async fn only_dead_events_can_be_replayed(app: &TestApp) {
    let operator = app.operator();
    let never = "evt_01ARZ3NDEKTSV4RRFFQ69G5FAV";
    let payload = operator
        .change("replayDeadEvents", json!({"ids": [never]}), "replayedCount")
        .await;
    assert_eq!(payload["replayedCount"], 0);
    let fault = operator
        .fault("replayDeadEvents", json!({"ids": []}), "replayedCount")
        .await;
    assert_eq!(fault, ("INVALID_INPUT".to_owned(), "ids".to_owned()));
    let many = vec![never; 1_001];
    let fault = operator
        .fault("replayDeadEvents", json!({"ids": many}), "replayedCount")
        .await;
    assert_eq!(fault, ("INVALID_INPUT".to_owned(), "ids".to_owned()));
}
