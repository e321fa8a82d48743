//! The clock of a sandbox: set forward, and all that is said of the employer's facts goes by it, in its own tenant and nowhere else.

use serde_json::{Value, json};

use crate::harness::{TestApp, World, event, incentive_input, streak_input};

on_both!(
    only_a_sandbox_has_a_clock_of_its_own,
    a_clock_goes_forward_only_and_at_most_ten_years,
    a_clock_that_was_set_goes_on,
    whoever_has_something_to_do_when_time_passes_is_woken,
    a_streak_of_thirty_days_takes_no_time,
    each_event_of_a_commit_is_judged_by_its_own_employers_clock,
    what_is_set_up_is_dated_by_the_employers_clock,
    the_present_day_of_progress_is_the_employers,
    a_receipt_is_kept_by_the_employers_clock,
    refused_events_are_counted_on_the_employers_day,
);

const NOW: &str = "{ employer { sandbox now } }";

async fn now(world: &World<'_>) -> Value {
    world.admin().data(NOW, json!({})).await["employer"]["now"].clone()
}

async fn refused(world: &World<'_>, to: &str) -> (String, String) {
    world
        .admin()
        .fault("advanceClock", json!({"to": to}), "employer { now }")
        .await
}

fn fault(code: &str, path: &str) -> (String, String) {
    (code.to_owned(), path.to_owned())
}

async fn only_a_sandbox_has_a_clock_of_its_own(app: &TestApp) {
    let acme = World::new(app).await;
    let lab = World::sandbox(app, "lab", "gym").await;
    let real = json!("2026-11-21T12:00:00Z");
    for (world, is_sandbox) in [(&acme, false), (&lab, true)] {
        let data = world.admin().data(NOW, json!({})).await;
        assert_eq!(data["employer"], json!({"sandbox": is_sandbox, "now": real}));
    }
    assert_eq!(
        refused(&acme, "2026-11-22T00:00:00Z").await,
        fault("INVALID_STATE", "employer")
    );
    lab.advance("2026-11-22T00:00:00+01:00").await;
    assert_eq!(now(&lab).await, "2026-11-21T23:00:00Z");
    assert_eq!(now(&acme).await, real);
    // Another employer's clock is no more there than the employer.
    let input = json!({"employer": "lab", "to": "2027-01-01T00:00:00Z"});
    let foreign = acme
        .admin()
        .fault("advanceClock", input.clone(), "employer { now }")
        .await;
    assert_eq!(foreign, fault("NOT_FOUND", "employer"));
    app.operator()
        .change("advanceClock", input, "employer { now }")
        .await;
    assert_eq!(now(&lab).await, "2027-01-01T00:00:00Z");
}

async fn a_clock_goes_forward_only_and_at_most_ten_years(app: &TestApp) {
    let lab = World::sandbox(app, "lab", "gym").await;
    let wrong = fault("INVALID_INPUT", "to");
    for to in [
        "2026-11-21T12:00:00Z",
        "2026-11-20T12:00:00Z",
        "2036-11-21T12:00:00.000001Z",
    ] {
        assert_eq!(refused(&lab, to).await, wrong, "{to}");
    }
    lab.advance("2030-01-01T00:00:00Z").await;
    assert_eq!(refused(&lab, "2029-12-31T00:00:00Z").await, wrong);
    assert_eq!(refused(&lab, "2030-01-01T00:00:00Z").await, wrong);
    lab.advance("2036-11-21T12:00:00Z").await;
    assert_eq!(now(&lab).await, "2036-11-21T12:00:00Z");
}

async fn a_clock_that_was_set_goes_on(app: &TestApp) {
    let lab = World::sandbox(app, "lab", "gym").await;
    lab.advance("2026-12-24T12:00:00Z").await;
    app.pass(chrono::TimeDelta::minutes(5));
    assert_eq!(now(&lab).await, "2026-12-24T12:05:00Z");
}

async fn whoever_has_something_to_do_when_time_passes_is_woken(app: &TestApp) {
    let lab = World::sandbox(app, "lab", "gym").await;
    let mut purge = app.app.wakes.watch_housekeeping();
    purge.mark_unchanged();
    let mutation = "mutation { advanceClock(input: {to: \"2026-01-01T00:00:00Z\"}) { userErrors { code } } }";
    lab.admin().data(mutation, json!({})).await;
    assert!(!purge.has_changed().unwrap(), "it was refused");
    lab.advance("2026-12-24T12:00:00Z").await;
    assert!(purge.has_changed().unwrap());
}

async fn a_streak_of_thirty_days_takes_no_time(app: &TestApp) {
    let lab = World::sandbox(app, "lab", "gym").await;
    lab.incentive(streak_input("month", 30, json!({"once": true})))
        .await;
    lab.members(&["ada"]).await;
    for day in 1..=30 {
        assert_eq!(lab.times("ada", "month").await, 0, "{day}");
        lab.advance(&format!("2027-04-{day:02}T12:00:00Z")).await;
        let id = format!("e{day}");
        lab.did([event(&id, "ada", &format!("2027-04-{day:02}T11:00:00Z"))])
            .await;
    }
    assert_eq!(lab.earned("ada", "month").await, [(1, "2027-04-30".to_owned())]);
}

async fn each_event_of_a_commit_is_judged_by_its_own_employers_clock(app: &TestApp) {
    let acme = World::new(app).await;
    let lab = World::sandbox(app, "lab", "gym").await;
    for world in [&acme, &lab] {
        world.members(&["ada"]).await;
    }
    lab.advance("2027-11-21T12:00:00Z").await;
    let sent = async |world: &World<'_>| {
        let events = [
            event("now", "ada", "2026-11-21T12:00:00Z"),
            event("later", "ada", "2027-11-21T12:00:00Z"),
        ];
        world.backend().record(events.map(Value::from)).await
    };
    // Both are under way at once, and may well share a commit.
    let (here, there) = tokio::join!(sent(&acme), sent(&lab));
    assert_eq!(here, ["ACCEPTED", "IN_FUTURE"]);
    assert_eq!(there, ["TOO_LATE", "ACCEPTED"]);
}

async fn what_is_set_up_is_dated_by_the_employers_clock(app: &TestApp) {
    let lab = World::sandbox(app, "lab", "gym").await;
    lab.advance("2027-11-21T12:00:00Z").await;
    lab.program(json!({"key": "late"})).await;
    lab.incentive(streak_input("daily", 5, json!({"once": true})))
        .await;
    lab.advance("2027-11-22T12:00:00Z").await;
    let version = json!({
        "incentive": "daily", "trigger": {"eventType": "meditation.completed"}, "structure": {"streak": {"length": 4}},
        "outcomes": [{"achievement": {"title": "New"}}],
    });
    lab.admin().change("publishIncentive", version, "version").await;
    lab.advance("2027-11-23T12:00:00Z").await;
    lab.admin()
        .change(
            "retireIncentive",
            json!({"incentive": "daily"}),
            "incentive { key }",
        )
        .await;
    for mutation in ["pauseProgram", "endProgram"] {
        lab.admin()
            .change(mutation, json!({"program": "late"}), "program { key }")
            .await;
    }
    let query = "{ employer { programs { key createdAt activatedAt endedAt incentives {
        createdAt retiredAt versions { effectiveFrom publishedAt } } } } }";
    let data = lab.admin().data(query, json!({})).await;
    let (first, second, third) = (
        "2027-11-21T12:00:00Z",
        "2027-11-22T12:00:00Z",
        "2027-11-23T12:00:00Z",
    );
    let programs = &data["employer"]["programs"];
    assert_eq!(
        programs[0],
        json!({"key": "late", "createdAt": first, "activatedAt": first, "endedAt": third, "incentives": []})
    );
    assert_eq!(
        programs[1]["incentives"],
        json!([{"createdAt": first, "retiredAt": third, "versions": [
            {"effectiveFrom": null, "publishedAt": first}, {"effectiveFrom": second, "publishedAt": second},
        ]}])
    );
}

async fn the_present_day_of_progress_is_the_employers(app: &TestApp) {
    let lab = World::sandbox(app, "lab", "gym").await;
    lab.incentive(streak_input("daily", 5, json!({"once": true})))
        .await;
    lab.members(&["ada"]).await;
    lab.did([
        event("e1", "ada", "2026-11-20T10:00:00Z"),
        event("e2", "ada", "2026-11-21T10:00:00Z"),
    ])
    .await;
    let query = "{ member(externalId: \"ada\") { progress { current deadline } } }";
    let progress = async || {
        let data = lab.by("member:any").data(query, json!({})).await;
        data["member"]["progress"][0].clone()
    };
    let alive = json!({"current": "2", "deadline": "2026-11-23T00:00:00Z"});
    assert_eq!(progress().await, alive);
    lab.advance("2026-11-22T23:59:59Z").await;
    assert_eq!(progress().await, alive);
    lab.advance("2026-11-23T00:00:00Z").await;
    assert_eq!(progress().await, json!({"current": "0", "deadline": null}));
}

async fn a_receipt_is_kept_by_the_employers_clock(app: &TestApp) {
    let lab = World::sandbox(app, "lab", "gym").await;
    lab.members(&["ada"]).await;
    lab.advance("2027-11-21T12:00:00Z").await;
    lab.did([event("e1", "ada", "2027-11-21T10:00:00Z")]).await;
    let micros = |instant: &str| crate::harness::at(instant).timestamp_micros();
    let kept = format!(
        "SELECT count(*) AS count FROM receipt WHERE accepted_at = {} AND expires_at = {}",
        micros("2027-11-21T12:00:00Z"),
        micros("2027-11-28T10:00:00Z"),
    );
    assert_eq!(app.count(&kept).await, 1);
}

async fn refused_events_are_counted_on_the_employers_day(app: &TestApp) {
    let lab = World::sandbox(app, "lab", "gym").await;
    lab.incentive(incentive_input(
        "calm",
        "meditation.completed",
        json!({"immediate": true}),
        json!({"once": true}),
    ))
    .await;
    lab.advance("2027-11-21T12:00:00Z").await;
    let refused = lab
        .backend()
        .record([event("e1", "nobody", "2027-11-21T10:00:00Z").into()])
        .await;
    assert_eq!(refused, ["UNKNOWN_MEMBER"]);
    let query = "{ employer { refusedEvents { on code count } } }";
    let data = lab.admin().data(query, json!({})).await;
    assert_eq!(
        data["employer"]["refusedEvents"],
        json!([{"on": "2027-11-21", "code": "UNKNOWN_MEMBER", "count": 1}])
    );
}
