//! What stops an incentive for a member: from the instant of the stop on, however late it is known, and until it is taken back.

use serde_json::{Value, json};

use crate::harness::{Event, TestApp, World, event, incentive_input};

on_both!(
    nothing_counts_from_the_instant_of_a_stop_on,
    a_late_stop_takes_back_what_was_reached_after_it,
    a_late_stop_takes_nothing_back_that_is_to_be_kept,
    what_was_stopped_by_mistake_goes_on,
    the_earliest_of_several_stops_counts,
    a_stop_outlives_what_it_was_known_by,
    a_stop_and_what_comes_before_it_may_come_at_once,
    what_is_built_on_achievements_can_be_stopped_too,
);

fn each(key: &str, limit: Value) -> Value {
    let mut input = incentive_input(key, "meditation.completed", json!({"immediate": true}), limit);
    input["unless"] = json!([{"eventType": "purchase.completed"}]);
    input
}

fn unlimited() -> Value {
    json!({"unlimited": true})
}

/// A meditation at ten on a day of November, the day being its id.
fn on(day: u32) -> Event {
    event(&format!("d{day}"), "ada", &format!("2026-11-{day}T10:00:00Z"))
}

fn stop(id: &str, at: &str) -> Event {
    event(id, "ada", at).of("purchase.completed")
}

/// Ada, of whom each meditation counts until she buys something.
async fn each_until_a_purchase(app: &TestApp) -> World<'_> {
    let world = World::new(app).await;
    world.incentive(each("each", unlimited())).await;
    world.members(&["ada"]).await;
    world
}

async fn roles(app: &TestApp, role: &str) -> i64 {
    app.count(&format!(
        "SELECT count(*) AS count FROM contribution WHERE role = '{role}'"
    ))
    .await
}

async fn nothing_counts_from_the_instant_of_a_stop_on(app: &TestApp) {
    let world = each_until_a_purchase(app).await;
    world.did([on(18), stop("s", "2026-11-19T10:00:00Z")]).await;
    // At the very instant it counts no more; what happened before and comes late does.
    world.did([on(19), on(20), on(17)]).await;
    assert_eq!(world.days("ada", "each").await, ["2026-11-17", "2026-11-18"]);
    assert_eq!(
        (
            roles(app, "COUNTS").await,
            roles(app, "IDLE").await,
            roles(app, "STOPS").await
        ),
        (2, 2, 1)
    );
    assert_eq!(world.feed_length().await, 2);
}

async fn a_late_stop_takes_back_what_was_reached_after_it(app: &TestApp) {
    let world = each_until_a_purchase(app).await;
    let structure = json!({"streak": {"length": 3}});
    let mut streak = incentive_input("three", "meditation.completed", structure, unlimited());
    streak["unless"] = json!([{"eventType": "purchase.completed"}]);
    world.incentive(streak).await;
    world.did((15..=20).map(on)).await;
    assert_eq!(
        (
            world.times("ada", "each").await,
            world.times("ada", "three").await
        ),
        (6, 2)
    );
    world.did([stop("s", "2026-11-18T09:00:00Z")]).await;
    assert_eq!(world.standing("ada", "each").await.len(), 3);
    assert_eq!(
        world.standing("ada", "three").await,
        [(1, "2026-11-17".to_owned())]
    );
    let revoked = "SELECT count(*) AS count FROM achievement WHERE status = 'REVOKED' AND revocation_reason = 'STOPPED'";
    assert_eq!(app.count(revoked).await, 4);
    assert_eq!(world.feed_length().await, 8 + 4);
    assert_eq!(
        (
            roles(app, "COUNTS").await,
            roles(app, "IDLE").await,
            roles(app, "STOPS").await
        ),
        (6, 6, 2)
    );
}

async fn a_late_stop_takes_nothing_back_that_is_to_be_kept(app: &TestApp) {
    let world = World::new(app).await;
    let mut kept = each("each", unlimited());
    kept["outcomes"][0]["achievement"]["onRetraction"] = json!("KEEP");
    world.incentive(kept).await;
    world.members(&["ada"]).await;
    world
        .did([on(19), on(20), stop("s", "2026-11-18T10:00:00Z"), on(21)])
        .await;
    // What comes in one batch with its stop was never reached.
    assert_eq!(world.standing("ada", "each").await.len(), 0);
    world.register(vec![json!({"externalId": "bob"})]).await;
    let of_bob = |id: &str, day: u32| event(id, "bob", &format!("2026-11-{day}T10:00:00Z"));
    world.did([of_bob("b1", 19), of_bob("b2", 20)]).await;
    world.did([of_bob("bs", 18).of("purchase.completed")]).await;
    world.did([of_bob("b3", 21)]).await;
    assert_eq!(world.standing("bob", "each").await.len(), 2);
}

async fn what_was_stopped_by_mistake_goes_on(app: &TestApp) {
    let world = each_until_a_purchase(app).await;
    world.did([on(17), on(19)]).await;
    world.did([stop("s", "2026-11-18T10:00:00Z")]).await;
    world.did([on(20)]).await;
    assert_eq!(world.days("ada", "each").await, ["2026-11-17"]);
    world.took_back(&["s"]).await;
    assert_eq!(
        world.days("ada", "each").await,
        ["2026-11-17", "2026-11-19", "2026-11-20"]
    );
    assert_eq!(
        (
            roles(app, "COUNTS").await,
            roles(app, "IDLE").await,
            roles(app, "STOPS").await
        ),
        (3, 0, 0)
    );
    // Earned twice on the 17th and 19th, revoked once; then earned again, and the 20th for the first time.
    assert_eq!(world.feed_length().await, 2 + 1 + 2);
    world.did([on(21)]).await;
    assert_eq!(world.standing("ada", "each").await.len(), 4);
}

async fn the_earliest_of_several_stops_counts(app: &TestApp) {
    let world = each_until_a_purchase(app).await;
    world.did((16..=20).map(on)).await;
    world.did([stop("late", "2026-11-19T12:00:00Z")]).await;
    world.did([stop("early", "2026-11-17T12:00:00Z")]).await;
    assert_eq!(world.days("ada", "each").await, ["2026-11-16", "2026-11-17"]);
    world.took_back(&["early"]).await;
    assert_eq!(world.standing("ada", "each").await.len(), 4);
    world.took_back(&["late"]).await;
    assert_eq!(world.standing("ada", "each").await.len(), 5);
}

async fn a_stop_outlives_what_it_was_known_by(app: &TestApp) {
    let world = World::sandbox(app, "lab", "gym").await;
    world.incentive(each("each", unlimited())).await;
    world.members(&["ada"]).await;
    world.did([on(18), stop("s", "2026-11-19T10:00:00Z")]).await;
    world.advance("2027-02-01T12:00:00Z").await;
    jobs::purge::run(&app.app.jobs).await.unwrap();
    assert_eq!(app.count("SELECT count(*) AS count FROM contribution").await, 0);
    let later = |id: &str| event(id, "ada", "2027-02-01T10:00:00Z");
    world
        .did([later("e"), later("again").of("purchase.completed")])
        .await;
    // A second stop is taken back; the first one cannot be any more.
    world.took_back(&["again"]).await;
    world.did([event("e2", "ada", "2027-02-01T11:00:00Z")]).await;
    assert_eq!(world.days("ada", "each").await, ["2026-11-18"]);
}

async fn a_stop_and_what_comes_before_it_may_come_at_once(app: &TestApp) {
    let world = World::new(app).await;
    world.incentive(each("daily", json!({"oncePer": "DAY"}))).await;
    world.members(&["ada"]).await;
    world.did([on(20)]).await;
    // One day is lost and another gained by one batch: they do not make up for each other.
    world.did([stop("s", "2026-11-19T10:00:00Z"), on(17)]).await;
    assert_eq!(world.days("ada", "daily").await, ["2026-11-17"]);
}

async fn what_is_built_on_achievements_can_be_stopped_too(app: &TestApp) {
    let world = World::sandbox(app, "lab", "gym").await;
    for key in ["one", "two"] {
        let event_type = if key == "one" {
            "meditation.completed"
        } else {
            "registration.completed"
        };
        let limit = json!({"once": true});
        world
            .incentive(incentive_input(
                key,
                event_type,
                json!({"immediate": true}),
                limit,
            ))
            .await;
    }
    let mut both = each("both", json!({"once": true}));
    both["trigger"] = Value::Null;
    both["structure"] = json!({"achievements": {"of": ["one", "two"]}});
    world.incentive(both).await;
    world.members(&["ada", "bob"]).await;
    world
        .did([
            on(18),
            event("r", "ada", "2026-11-20T10:00:00Z").of("registration.completed"),
        ])
        .await;
    assert_eq!(world.days("ada", "both").await, ["2026-11-20"]);
    world.did([stop("s", "2026-11-19T10:00:00Z")]).await;
    assert_eq!(world.standing("ada", "both").await.len(), 0);
    let revoked = "SELECT count(*) AS count FROM achievement WHERE revocation_reason = 'STOPPED'";
    assert_eq!(app.count(revoked).await, 1);
    world.took_back(&["s"]).await;
    assert_eq!(world.standing("ada", "both").await.len(), 1);
    // Of bob's stop nothing but the instant is remembered when the second of the two comes.
    let of_bob = |id: &str, at: &str| event(id, "bob", at);
    world.did([of_bob("b1", "2026-11-18T10:00:00Z")]).await;
    world
        .did([of_bob("bs", "2026-11-19T10:00:00Z").of("purchase.completed")])
        .await;
    world.advance("2027-02-01T12:00:00Z").await;
    jobs::purge::run(&app.app.jobs).await.unwrap();
    world
        .did([of_bob("b2", "2027-02-01T10:00:00Z").of("registration.completed")])
        .await;
    assert_eq!(
        (world.times("bob", "two").await, world.times("bob", "both").await),
        (1, 0)
    );
}
