//! What becomes of events while a program is paused, when it goes on, and when it ends.

use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::harness::{Event, TestApp, World, event, incentive_input, streak_input};

on_both!(
    what_happens_during_a_pause_counts_when_the_program_goes_on,
    what_has_become_too_late_during_a_pause_is_refused,
    the_purge_refuses_what_has_become_too_late_too,
    a_pause_holds_up_no_other_program,
    what_happened_before_the_end_counts_however_late_it_comes,
    a_paused_program_that_ends_takes_up_what_it_has_held,
    what_was_taken_back_during_a_pause_counts_for_nothing,
    nothing_new_can_be_earned_in_a_program_that_has_ended,
    a_sandbox_is_late_by_its_own_clock,
);

async fn each(app: &TestApp) -> World<'_> {
    let world = World::new(app).await;
    let (structure, limit) = (json!({"immediate": true}), json!({"unlimited": true}));
    world
        .incentive(incentive_input("each", "meditation.completed", structure, limit))
        .await;
    world.members(&["ada"]).await;
    world
}

async fn step(world: &World<'_>, mutation: &str) {
    world
        .change_program(mutation, json!({"program": "wellbeing"}))
        .await;
    world.app.run_jobs().await;
}

fn at(instant: &str) -> Event {
    event(instant, "ada", instant)
}

async fn waiting(app: &TestApp) -> i64 {
    app.count("SELECT count(*) AS count FROM event").await
}

/// How many events were refused, as the employer sees it.
async fn refused(world: &World<'_>) -> Value {
    let query = "{ employer { refusedEvents { eventType code count } } }";
    world.admin().data(query, json!({})).await["employer"]["refusedEvents"].clone()
}

async fn what_happens_during_a_pause_counts_when_the_program_goes_on(app: &TestApp) {
    let world = each(app).await;
    world
        .incentive(streak_input("three", 3, json!({"once": true})))
        .await;
    world.did([at("2026-11-19T10:00:00Z")]).await;
    step(&world, "pauseProgram").await;
    world
        .did([at("2026-11-21T10:00:00Z"), at("2026-11-20T10:00:00Z")])
        .await;
    assert_eq!(
        (
            world.times("ada", "each").await,
            world.times("ada", "three").await
        ),
        (1, 0)
    );
    // One for each incentive that waits.
    assert_eq!(waiting(app).await, 4);
    step(&world, "activateProgram").await;
    assert_eq!(waiting(app).await, 0);
    assert_eq!(world.times("ada", "each").await, 3);
    assert_eq!(world.earned("ada", "three").await, [(1, "2026-11-21".to_owned())]);
    assert_eq!(refused(&world).await, json!([]));
}

async fn what_has_become_too_late_during_a_pause_is_refused(app: &TestApp) {
    let world = each(app).await;
    world
        .incentive(streak_input("three", 3, json!({"once": true})))
        .await;
    step(&world, "pauseProgram").await;
    world
        .did([
            at("2026-11-15T10:00:00Z"),
            at("2026-11-16T12:00:00Z"),
            at("2026-11-16T12:00:00.000001Z"),
            at("2026-11-17T10:00:00Z"),
        ])
        .await;
    // Seven days to the microsecond are still in time.
    app.set_clock("2026-11-23T12:00:00Z");
    step(&world, "activateProgram").await;
    assert_eq!(waiting(app).await, 0);
    assert_eq!(world.times("ada", "each").await, 3);
    // Two incentives have waited for it; it is one event.
    assert_eq!(
        refused(&world).await,
        json!([{"eventType": "meditation.completed", "code": "TOO_LATE", "count": 1}])
    );
}

async fn the_purge_refuses_what_has_become_too_late_too(app: &TestApp) {
    let world = each(app).await;
    step(&world, "pauseProgram").await;
    world
        .did([at("2026-11-15T10:00:00Z"), at("2026-11-20T10:00:00Z")])
        .await;
    app.set_clock("2026-11-23T12:00:00Z");
    jobs::purge::run(&app.app.jobs).await.unwrap();
    assert_eq!(waiting(app).await, 1);
    app.pass(TimeDelta::days(7));
    jobs::purge::run(&app.app.jobs).await.unwrap();
    jobs::purge::run(&app.app.jobs).await.unwrap();
    assert_eq!(waiting(app).await, 0);
    step(&world, "activateProgram").await;
    assert_eq!(world.times("ada", "each").await, 0);
    let counts = refused(&world).await;
    let counts: Vec<&Value> = counts
        .as_array()
        .unwrap()
        .iter()
        .map(|row| &row["count"])
        .collect();
    assert_eq!(counts, [1, 1]);
}

async fn a_pause_holds_up_no_other_program(app: &TestApp) {
    let world = each(app).await;
    world.program(json!({"key": "other"})).await;
    let (structure, limit) = (json!({"immediate": true}), json!({"unlimited": true}));
    let mut input = incentive_input("elsewhere", "meditation.completed", structure, limit);
    input["program"] = json!("other");
    world.incentive(input).await;
    step(&world, "pauseProgram").await;
    world.did([at("2026-11-20T10:00:00Z")]).await;
    assert_eq!(
        (
            world.times("ada", "each").await,
            world.times("ada", "elsewhere").await
        ),
        (0, 1)
    );
    step(&world, "activateProgram").await;
    assert_eq!(
        (
            world.times("ada", "each").await,
            world.times("ada", "elsewhere").await
        ),
        (1, 1)
    );
}

async fn what_happened_before_the_end_counts_however_late_it_comes(app: &TestApp) {
    let world = each(app).await;
    step(&world, "endProgram").await;
    app.pass(TimeDelta::days(2));
    world
        .did([
            at("2026-11-21T11:59:59Z"),
            at("2026-11-21T12:00:00Z"),
            at("2026-11-22T12:00:00Z"),
            at("2026-11-20T12:00:00Z"),
        ])
        .await;
    assert_eq!(world.days("ada", "each").await, ["2026-11-20", "2026-11-21"]);
}

async fn a_paused_program_that_ends_takes_up_what_it_has_held(app: &TestApp) {
    let world = each(app).await;
    step(&world, "pauseProgram").await;
    world
        .did([at("2026-11-21T11:00:00Z"), at("2026-11-14T13:00:00Z")])
        .await;
    app.pass(TimeDelta::hours(2));
    step(&world, "endProgram").await;
    // During the pause, before the end, and after it; the oldest one has waited too long.
    world
        .did([
            at("2026-11-21T13:30:00Z"),
            at("2026-11-21T14:00:00Z"),
            at("2026-11-21T14:04:00Z"),
        ])
        .await;
    assert_eq!(world.days("ada", "each").await, ["2026-11-21", "2026-11-21"]);
    assert_eq!(waiting(app).await, 0);
    assert_eq!(
        refused(&world).await,
        json!([{"eventType": "meditation.completed", "code": "TOO_LATE", "count": 1}])
    );
}

async fn what_was_taken_back_during_a_pause_counts_for_nothing(app: &TestApp) {
    let world = each(app).await;
    world
        .did([at("2026-11-18T10:00:00Z"), at("2026-11-19T10:00:00Z")])
        .await;
    step(&world, "pauseProgram").await;
    world
        .did([at("2026-11-20T10:00:00Z"), at("2026-11-21T10:00:00Z")])
        .await;
    world
        .took_back(&["2026-11-19T10:00:00Z", "2026-11-20T10:00:00Z"])
        .await;
    step(&world, "activateProgram").await;
    assert_eq!(world.standing("ada", "each").await.len(), 2);
    let counted = "SELECT count(*) AS count FROM contribution WHERE event_id IN ('2026-11-18T10:00:00Z', '2026-11-21T10:00:00Z')";
    assert_eq!(app.count(counted).await, 2);
}

async fn nothing_new_can_be_earned_in_a_program_that_has_ended(app: &TestApp) {
    let world = each(app).await;
    step(&world, "endProgram").await;
    let expected = ("INVALID_STATE".to_owned(), "program".to_owned());
    let create = streak_input("new", 3, json!({"once": true}));
    let fault = world
        .admin()
        .fault("createIncentive", create, "incentive { id }")
        .await;
    assert_eq!(fault, expected);
    let publish = json!({
        "incentive": "each", "trigger": {"eventType": "meditation.completed"}, "structure": {"immediate": true},
        "limit": {"unlimited": true}, "outcomes": [{"achievement": {"title": "New"}}],
    });
    let fault = world
        .admin()
        .fault("publishIncentive", publish, "incentive { id }")
        .await;
    assert_eq!(fault, expected);
}

async fn a_sandbox_is_late_by_its_own_clock(app: &TestApp) {
    let world = World::sandbox(app, "lab", "gym").await;
    let (structure, limit) = (json!({"immediate": true}), json!({"unlimited": true}));
    world
        .incentive(incentive_input("each", "meditation.completed", structure, limit))
        .await;
    world.members(&["ada"]).await;
    step(&world, "pauseProgram").await;
    world.did([at("2026-11-20T10:00:00Z")]).await;
    world.advance("2026-11-28T10:00:00Z").await;
    world.did([at("2026-11-28T09:00:00Z")]).await;
    step(&world, "activateProgram").await;
    assert_eq!(world.days("ada", "each").await, ["2026-11-28"]);
    assert_eq!(refused(&world).await[0]["count"], 1);
}
