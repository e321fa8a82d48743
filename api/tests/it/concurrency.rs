//! Many at once: requests for one member, evaluators over the same members, processes on one database.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::harness::{Event, TestApp, World, event, incentive_input, streak_input};

on_both!(
    twenty_requests_in_flight_for_one_member_lose_nothing,
    one_event_sent_by_many_at_once_is_accepted_once,
    two_evaluators_over_the_same_members_count_each_event_once,
    two_processes_on_one_database_serve_the_same_feed,
);

const MEMBERS: usize = 8;

async fn each_and_daily(world: &World<'_>) {
    world
        .incentive(incentive_input(
            "each",
            "meditation.completed",
            json!({"immediate": true}),
            json!({"unlimited": true}),
        ))
        .await;
    world
        .incentive(streak_input("daily", 3, json!({"unlimited": true})))
        .await;
}

async fn twenty_requests_in_flight_for_one_member_lose_nothing(app: &TestApp) {
    let world = World::new(app).await;
    each_and_daily(&world).await;
    world.members(&["ada"]).await;
    let backend = world.backend();
    let requests = (0..20).map(|request| {
        let events: Vec<Value> = (0..5)
            .map(|number| {
                event(
                    &format!("e{request}-{number}"),
                    "ada",
                    &format!("2026-11-{}T10:00:00Z", 15 + request % 6),
                )
                .into()
            })
            .collect();
        backend.record(events)
    });
    let statuses = join_all(requests).await.concat();
    assert_eq!(statuses, vec!["ACCEPTED"; 100]);
    app.run_jobs().await;
    assert_eq!(world.times("ada", "each").await, 100);
    // The 15th to the 20th: a run of six.
    assert_eq!(world.times("ada", "daily").await, 2);
    assert_eq!(world.feed_length().await, 102);
}

async fn one_event_sent_by_many_at_once_is_accepted_once(app: &TestApp) {
    let world = World::new(app).await;
    each_and_daily(&world).await;
    world.members(&["ada"]).await;
    let backend = world.backend();
    let requests = (0..20).map(|_| backend.record([event("e1", "ada", "2026-11-20T10:00:00Z").into()]));
    let mut statuses = join_all(requests).await.concat();
    statuses.sort_unstable();
    assert_eq!(statuses[0], "ACCEPTED");
    assert_eq!(statuses[1..], vec!["DUPLICATE"; 19]);
    app.run_jobs().await;
    assert_eq!(world.times("ada", "each").await, 1);
}

/// For each member an event on each of six days, in an order that mixes members and days.
fn events() -> Vec<Event> {
    (0..MEMBERS * 6)
        .map(|number| {
            let (member, day) = (number % MEMBERS, 15 + (number * 5 / MEMBERS) % 6);
            event(
                &format!("e{number}"),
                &format!("m{member}"),
                &format!("2026-11-{day}T10:00:00Z"),
            )
        })
        .collect()
}

async fn two_evaluators_over_the_same_members_count_each_event_once(app: &TestApp) {
    let world = World::new(app).await;
    each_and_daily(&world).await;
    let names: Vec<String> = (0..MEMBERS).map(|number| format!("m{number}")).collect();
    world
        .members(&names.iter().map(String::as_str).collect::<Vec<_>>())
        .await;
    let other = TestApp::start(&app.url, 2).await;
    for batch in events().chunks(12) {
        let statuses = world
            .backend()
            .record(batch.iter().cloned().map(Value::from))
            .await;
        assert!(statuses.iter().all(|status| status == "ACCEPTED"), "{statuses:?}");
    }
    // Small claims, so that both hold events of the same members at the same time.
    let drain = async |app: &TestApp| while jobs::evaluate::batch(&app.app.jobs, 3).await.unwrap() > 0 {};
    tokio::join!(drain(app), drain(&other), drain(app), drain(&other));
    // What one claim had passed over because the other held it.
    let never = CancellationToken::new();
    jobs::evaluate::drain(&other.app.jobs, &never).await.unwrap();
    app.run_jobs().await;
    for name in &names {
        assert_eq!(world.times(name, "each").await, 6, "{name}");
        let days: BTreeSet<String> = world
            .earned(name, "each")
            .await
            .into_iter()
            .map(|(_, day)| day)
            .collect();
        let runs = world.times(name, "daily").await;
        assert_eq!(runs, expected_runs(&days), "{name}: {days:?}");
    }
    other.stop().await;
}

/// How many runs of three there are in these dates of one month.
fn expected_runs(days: &BTreeSet<String>) -> usize {
    let (mut run, mut runs) = (0, 0);
    for day in 1..=30 {
        run = if days.contains(&format!("2026-11-{day:02}")) {
            run + 1
        } else {
            0
        };
        runs += usize::from(run > 0 && run % 3 == 0);
    }
    runs
}

async fn two_processes_on_one_database_serve_the_same_feed(app: &TestApp) {
    let world = World::new(app).await;
    each_and_daily(&world).await;
    world.members(&["ada"]).await;
    let other = TestApp::start(&app.url, 2).await;
    let there = World {
        app: &other,
        employer: world.employer,
        partner: world.partner,
    };
    world.did([event("e1", "ada", "2026-11-20T10:00:00Z")]).await;
    there.did([event("e2", "ada", "2026-11-21T10:00:00Z")]).await;
    assert_eq!(world.feed().await, there.feed().await);
    assert_eq!(world.feed_length().await, 2);
    // A rule that one of them made is the other's too.
    there
        .incentive(streak_input("pair", 1, json!({"once": true})))
        .await;
    world.did([event("e3", "ada", "2026-11-19T10:00:00Z")]).await;
    assert_eq!(there.times("ada", "pair").await, 1);
    other.stop().await;
}
