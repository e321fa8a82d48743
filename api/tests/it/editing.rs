//! What becomes of what members have done when an incentive changes or ends.

use serde_json::{Value, json};

use crate::harness::{Event, TestApp, World, event, incentive_input};

on_both!(
    a_streak_that_is_kept_goes_on_by_the_new_settings,
    a_streak_that_restarts_begins_with_the_new_version,
    a_total_that_is_kept_keeps_what_was_on_the_way,
    a_total_that_restarts_begins_with_nothing,
    a_late_event_is_judged_by_the_version_of_its_time,
    a_late_event_of_the_old_version_completes_what_was_on_the_way,
    a_version_can_come_into_force_later,
    what_was_reached_once_stays_reached_whatever_changes,
    an_edit_takes_nothing_away,
    an_event_of_an_older_version_can_be_taken_back,
    a_retired_incentive_takes_late_events_only,
);

fn unlimited() -> Value {
    json!({"unlimited": true})
}

fn streak(length: u32) -> Value {
    json!({"streak": {"length": length}})
}

fn total(at_least: &str) -> Value {
    json!({"total": {"property": "minutes", "atLeast": at_least}})
}

/// Ada and the incentive "habit", at eleven on the 22nd.
async fn habit(app: &TestApp, structure: Value, limit: Value) -> World<'_> {
    app.set_clock("2026-11-22T11:00:00Z");
    let world = World::new(app).await;
    world
        .incentive(incentive_input("habit", "meditation.completed", structure, limit))
        .await;
    world.members(&["ada"]).await;
    world
}

/// Publishes a version of "habit"; `more` says what else is to be said of it.
async fn publish(world: &World<'_>, structure: Value, limit: Value, more: Value) {
    let mut input = incentive_input("habit", "meditation.completed", structure, limit);
    let fields = input.as_object_mut().unwrap();
    fields.retain(|field, _| !["program", "key", "name"].contains(&field.as_str()));
    fields.insert("incentive".to_owned(), json!("habit"));
    fields.extend(more.as_object().unwrap().clone());
    world
        .admin()
        .change("publishIncentive", input, "incentive { key } version")
        .await;
}

/// A meditation of twenty minutes at ten on a day of November, the day being its id.
fn on(day: u32) -> Event {
    event(&format!("d{day}"), "ada", &format!("2026-11-{day}T10:00:00Z"))
        .set("properties", json!({"minutes": 20}))
}

async fn by_version(app: &TestApp, version: u32) -> i64 {
    let standing = "SELECT count(*) AS count FROM achievement WHERE status = 'EARNED' AND incentive_version";
    app.count(&format!("{standing} = {version}")).await
}

/// How far ada is.
async fn current(world: &World<'_>) -> Value {
    let query = "{ member(externalId: \"ada\") { progress { current } } }";
    let data = world.by("member:any").data(query, json!({})).await;
    data["member"]["progress"][0]["current"].clone()
}

async fn a_streak_that_is_kept_goes_on_by_the_new_settings(app: &TestApp) {
    let world = habit(app, streak(5), unlimited()).await;
    world.did((20..=22).map(on)).await;
    publish(&world, streak(4), unlimited(), json!({})).await;
    // An edit alone earns nothing.
    app.run_jobs().await;
    assert_eq!(world.times("ada", "habit").await, 0);
    app.set_clock("2026-11-24T11:00:00Z");
    world.did([on(23)]).await;
    assert_eq!(world.earned("ada", "habit").await, [(1, "2026-11-23".to_owned())]);
    assert_eq!((by_version(app, 1).await, by_version(app, 2).await), (0, 1));
    world.did([on(24)]).await;
    assert_eq!(current(&world).await, "1");
}

async fn a_streak_that_restarts_begins_with_the_new_version(app: &TestApp) {
    let world = habit(app, streak(5), unlimited()).await;
    world.did((19..=22).map(on)).await;
    publish(&world, streak(3), unlimited(), json!({"progress": "RESTART"})).await;
    app.set_clock("2026-11-25T11:00:00Z");
    world.did([on(23), on(24)]).await;
    assert_eq!(world.times("ada", "habit").await, 0);
    assert_eq!(current(&world).await, "2");
    world.did([on(25)]).await;
    assert_eq!(world.earned("ada", "habit").await, [(1, "2026-11-25".to_owned())]);
    assert_eq!((by_version(app, 1).await, by_version(app, 2).await), (0, 1));
}

async fn a_total_that_is_kept_keeps_what_was_on_the_way(app: &TestApp) {
    let world = habit(app, total("50"), unlimited()).await;
    world.did((18..=21).map(on)).await;
    // 80 minutes: once, and 30 on the way.
    assert_eq!(current(&world).await, "30");
    publish(&world, total("60"), unlimited(), json!({})).await;
    app.set_clock("2026-11-24T11:00:00Z");
    world.did([on(23)]).await;
    assert_eq!(
        (world.times("ada", "habit").await, current(&world).await),
        (1, json!("50"))
    );
    world.did([on(24)]).await;
    assert_eq!(
        (world.times("ada", "habit").await, current(&world).await),
        (2, json!("10"))
    );
    assert_eq!((by_version(app, 1).await, by_version(app, 2).await), (1, 1));
}

async fn a_total_that_restarts_begins_with_nothing(app: &TestApp) {
    let world = habit(app, total("50"), unlimited()).await;
    world.did((18..=21).map(on)).await;
    publish(&world, total("40"), unlimited(), json!({"progress": "RESTART"})).await;
    app.set_clock("2026-11-24T11:00:00Z");
    world.did([on(23)]).await;
    assert_eq!(
        (world.times("ada", "habit").await, current(&world).await),
        (1, json!("20"))
    );
    world.did([on(24)]).await;
    assert_eq!(
        (world.times("ada", "habit").await, current(&world).await),
        (2, json!("0"))
    );
}

async fn a_late_event_is_judged_by_the_version_of_its_time(app: &TestApp) {
    let world = habit(app, json!({"immediate": true}), unlimited()).await;
    let long = json!({"trigger": {
        "eventType": "meditation.completed", "where": [{"path": "properties.minutes", "op": "GT", "value": 20}],
    }});
    publish(&world, json!({"immediate": true}), unlimited(), long).await;
    app.set_clock("2026-11-24T11:00:00Z");
    world.did([on(23), on(21)]).await;
    assert_eq!(world.days("ada", "habit").await, ["2026-11-21"]);
    assert_eq!((by_version(app, 1).await, by_version(app, 2).await), (1, 0));
}

async fn a_late_event_of_the_old_version_completes_what_was_on_the_way(app: &TestApp) {
    for progress in ["KEEP", "RESTART"] {
        let employer = progress.to_lowercase();
        app.set_clock("2026-11-22T11:00:00Z");
        let world = World::named(app, &employer, &format!("{employer}-spa")).await;
        world
            .incentive(incentive_input(
                "habit",
                "meditation.completed",
                streak(3),
                unlimited(),
            ))
            .await;
        world.members(&["ada"]).await;
        world.did([on(20), on(22)]).await;
        publish(&world, streak(4), unlimited(), json!({"progress": progress})).await;
        app.set_clock("2026-11-24T11:00:00Z");
        world.did([on(23)]).await;
        assert_eq!(world.times("ada", "habit").await, 0, "{progress}");
        world.did([on(21)]).await;
        // Kept, the four days are the new version's streak; restarted, the first three are the old one's.
        let day = if progress == "KEEP" {
            "2026-11-23"
        } else {
            "2026-11-22"
        };
        assert_eq!(
            world.earned("ada", "habit").await,
            [(1, day.to_owned())],
            "{progress}"
        );
    }
    assert_eq!((by_version(app, 1).await, by_version(app, 2).await), (1, 1));
}

async fn a_version_can_come_into_force_later(app: &TestApp) {
    let world = habit(app, json!({"immediate": true}), unlimited()).await;
    let later = json!({"effectiveFrom": "2026-11-23T12:00:00Z", "progress": "RESTART"});
    publish(&world, streak(2), unlimited(), later).await;
    app.set_clock("2026-11-25T11:00:00Z");
    world.did([on(22), on(23)]).await;
    assert_eq!(world.times("ada", "habit").await, 2);
    let at_noon = event("noon", "ada", "2026-11-23T12:00:00Z");
    world.did([at_noon, on(24)]).await;
    assert_eq!((by_version(app, 1).await, by_version(app, 2).await), (2, 1));
    // The instant before it comes into force is the old version's.
    world
        .did([event("before", "ada", "2026-11-23T11:59:59.999999Z")])
        .await;
    assert_eq!((by_version(app, 1).await, by_version(app, 2).await), (3, 1));
}

async fn what_was_reached_once_stays_reached_whatever_changes(app: &TestApp) {
    let world = habit(app, json!({"immediate": true}), json!({"once": true})).await;
    world.did([on(21)]).await;
    for progress in ["KEEP", "RESTART"] {
        publish(
            &world,
            json!({"immediate": true}),
            json!({"once": true}),
            json!({"progress": progress}),
        )
        .await;
        app.pass(chrono::TimeDelta::days(1));
        let day = if progress == "KEEP" { 23 } else { 24 };
        app.set_clock(&format!("2026-11-{day}T11:00:00Z"));
        world.did([on(day)]).await;
        assert_eq!(world.times("ada", "habit").await, 1, "{progress}");
    }
}

async fn an_edit_takes_nothing_away(app: &TestApp) {
    let world = habit(app, streak(2), unlimited()).await;
    world.did((17..=22).map(on)).await;
    assert_eq!(world.times("ada", "habit").await, 3);
    publish(&world, streak(6), json!({"atMost": 2}), json!({})).await;
    app.set_clock("2026-11-28T11:00:00Z");
    world.did((23..=28).map(on)).await;
    assert_eq!(world.standing("ada", "habit").await.len(), 3);
    // And not even then when what came after it is taken back.
    world.took_back(&["d25"]).await;
    assert_eq!(world.standing("ada", "habit").await.len(), 3);
}

async fn an_event_of_an_older_version_can_be_taken_back(app: &TestApp) {
    let world = habit(app, json!({"count": {"times": 2}}), unlimited()).await;
    world.did([on(20), on(21)]).await;
    publish(
        &world,
        json!({"count": {"times": 3}}),
        unlimited(),
        json!({"progress": "RESTART"}),
    )
    .await;
    app.set_clock("2026-11-25T11:00:00Z");
    world.did([on(23), on(24), on(25)]).await;
    assert_eq!(world.standing("ada", "habit").await.len(), 2);
    world.took_back(&["d20"]).await;
    assert_eq!(world.standing("ada", "habit").await.len(), 1);
    world.took_back(&["d24"]).await;
    assert_eq!(world.standing("ada", "habit").await.len(), 0);
}

async fn a_retired_incentive_takes_late_events_only(app: &TestApp) {
    let world = habit(app, streak(3), unlimited()).await;
    world.did([on(20), on(21)]).await;
    world
        .admin()
        .change(
            "retireIncentive",
            json!({"incentive": "habit"}),
            "incentive { key }",
        )
        .await;
    app.set_clock("2026-11-24T11:00:00Z");
    world.did([on(23), on(24)]).await;
    assert_eq!(world.times("ada", "habit").await, 0);
    world.did([on(22)]).await;
    assert_eq!(world.earned("ada", "habit").await, [(1, "2026-11-22".to_owned())]);
    world.took_back(&["d21"]).await;
    assert_eq!(world.standing("ada", "habit").await.len(), 0);
}
