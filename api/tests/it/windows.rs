//! What is counted and added up anew in each window, what follows each other, and what is built on other achievements.

use serde_json::{Value, json};

use crate::harness::{Event, TestApp, World, event, incentive_input};

on_both!(
    a_count_begins_anew_in_each_window,
    a_total_is_exact_and_begins_anew_in_each_window,
    only_amounts_above_zero_are_added_up,
    a_sequence_goes_by_strictly_later_instants_within_its_time,
    each_award_of_a_sequence_has_events_of_its_own,
    a_streak_bridges_as_many_missing_days_as_it_may,
    achievements_earn_achievements_and_go_with_them,
    achievements_ask_for_different_ones,
);

const MEDITATION: &str = "meditation.completed";
const UNLIMITED: &str = "unlimited";

/// Sunday the 15th, Monday the 16th twice, Tuesday the 17th twice; each with its number as the id.
fn five_events() -> Vec<Event> {
    ["15T08", "16T08", "16T09", "17T08", "17T09"]
        .iter()
        .enumerate()
        .map(|(number, hour)| event(&format!("e{number}"), "ada", &format!("2026-11-{hour}:00:00Z")))
        .collect()
}

async fn a_count_begins_anew_in_each_window(app: &TestApp) {
    let world = World::new(app).await;
    let windows = [
        ("DAY", 2),
        ("WEEK", 2),
        ("MONTH", 2),
        ("QUARTER", 2),
        ("YEAR", 2),
        ("PROGRAM", 2),
        ("EVER", 2),
    ];
    for (window, _) in windows {
        let structure = json!({"count": {"times": 2, "window": window}});
        let key = window.to_lowercase();
        world
            .incentive(incentive_input(
                &key,
                MEDITATION,
                structure,
                json!({UNLIMITED: true}),
            ))
            .await;
        let structure = json!({"count": {"times": 1, "window": window}});
        let once_per = json!({"oncePer": window});
        world
            .incentive(incentive_input(
                &format!("one-{key}"),
                MEDITATION,
                structure,
                once_per,
            ))
            .await;
    }
    world.members(&["ada"]).await;
    world.did(five_events()).await;
    for (window, times) in windows {
        assert_eq!(
            world.times("ada", &window.to_lowercase()).await,
            times,
            "{window}"
        );
    }
    for (key, times) in [
        ("one-day", 3),
        ("one-week", 2),
        ("one-month", 1),
        ("one-program", 1),
        ("one-ever", 1),
    ] {
        assert_eq!(world.times("ada", key).await, times, "{key}");
    }
    // Of the sixth event the window of the day has one left over, and so has that of ever.
    world.did([event("late", "ada", "2026-11-15T07:00:00Z")]).await;
    assert_eq!(world.times("ada", "day").await, 3);
    assert_eq!(world.times("ada", "week").await, 3);
    assert_eq!(world.times("ada", "ever").await, 3);
}

/// A meditation of so many minutes.
fn minutes(id: &str, at: &str, minutes: f64) -> Event {
    event(id, "ada", &format!("2026-11-{at}:00:00Z")).set("properties", json!({"minutes": minutes}))
}

async fn a_total_is_exact_and_begins_anew_in_each_window(app: &TestApp) {
    let world = World::new(app).await;
    for (key, window) in [("ever", "EVER"), ("day", "DAY")] {
        let structure = json!({"total": {"property": "minutes", "atLeast": "0.3", "window": window}});
        world
            .incentive(incentive_input(
                key,
                MEDITATION,
                structure,
                json!({UNLIMITED: true}),
            ))
            .await;
    }
    world.members(&["ada"]).await;
    // Of floats the sum of these two would be more than 0.3, and of three tenths less.
    world
        .did([minutes("a", "19T08", 0.1), minutes("b", "20T08", 0.2)])
        .await;
    assert_eq!(world.earned("ada", "ever").await, [(1, "2026-11-20".to_owned())]);
    assert_eq!(world.times("ada", "day").await, 0);
    world
        .did([
            minutes("c", "21T08", 0.1),
            minutes("d", "21T09", 0.1),
            minutes("e", "21T10", 0.1),
        ])
        .await;
    assert_eq!(world.times("ada", "ever").await, 2);
    assert_eq!(world.earned("ada", "day").await, [(1, "2026-11-21".to_owned())]);
    // One event can be worth several.
    world.did([minutes("f", "18T08", 1.0)]).await;
    assert_eq!(world.times("ada", "ever").await, 5);
    assert_eq!(world.times("ada", "day").await, 4);
}

async fn only_amounts_above_zero_are_added_up(app: &TestApp) {
    let world = World::new(app).await;
    let structure = json!({"total": {"property": "total", "atLeast": "100"}});
    world
        .incentive(incentive_input(
            "hundred",
            "order.completed",
            structure,
            json!({UNLIMITED: true}),
        ))
        .await;
    world.members(&["ada"]).await;
    let order = |id: &str, total: i64| {
        event(id, "ada", "2026-11-21T10:00:00Z")
            .of("order.completed")
            .set(
                "properties",
                json!({"order": id, "total": total, "currency": "EUR"}),
            )
    };
    world.did([order("a", 0), order("b", 99)]).await;
    assert_eq!(world.times("ada", "hundred").await, 0);
    world.did([order("c", 1)]).await;
    assert_eq!(world.times("ada", "hundred").await, 1);
}

/// The three steps of the sequences here.
fn steps() -> Value {
    json!([
        {"eventType": "registration.completed"},
        {"eventType": MEDITATION},
        {"eventType": "purchase.completed"},
    ])
}

async fn sequence(app: &TestApp, limit: Value) -> World<'_> {
    let world = World::new(app).await;
    let structure = json!({"sequence": {"steps": steps(), "within": "PT1H"}});
    let mut input = incentive_input("in-order", MEDITATION, structure, limit);
    input["trigger"] = Value::Null;
    world.incentive(input).await;
    world.members(&["ada", "bob", "eve"]).await;
    world
}

/// Register, meditate and buy at these times of the 21st.
fn three(member: &str, round: &str, times: [&str; 3]) -> Vec<Event> {
    ["registration.completed", MEDITATION, "purchase.completed"]
        .iter()
        .zip(times)
        .map(|(event_type, time)| {
            event(
                &format!("{member}-{round}-{event_type}"),
                member,
                &format!("2026-11-21T{time}Z"),
            )
            .of(event_type)
        })
        .collect()
}

async fn a_sequence_goes_by_strictly_later_instants_within_its_time(app: &TestApp) {
    let world = sequence(app, json!({"once": true})).await;
    // The whole hour is within the hour; a microsecond more is not; and at the same instant nothing is later.
    world
        .did(three("ada", "a", ["09:00:00", "09:30:00", "10:00:00"]))
        .await;
    world
        .did(three("bob", "a", ["09:00:00", "09:30:00", "10:00:00.000001"]))
        .await;
    world
        .did(three("eve", "a", ["09:00:00", "09:00:00", "10:00:00"]))
        .await;
    for (member, times) in [("ada", 1), ("bob", 0), ("eve", 0)] {
        assert_eq!(world.times(member, "in-order").await, times, "{member}");
    }
    // What comes last may be what happened first.
    let mut late = three("bob", "b", ["08:00:00", "08:01:00", "08:02:00"]);
    late.reverse();
    for step in late {
        assert_eq!(world.times("bob", "in-order").await, 0);
        world.did([step]).await;
    }
    assert_eq!(world.times("bob", "in-order").await, 1);
}

async fn each_award_of_a_sequence_has_events_of_its_own(app: &TestApp) {
    let world = sequence(app, json!({UNLIMITED: true})).await;
    world
        .did(three("ada", "a", ["09:00:00", "09:10:00", "09:20:00"]))
        .await;
    let mut steps = three("ada", "b", ["09:01:00", "09:11:00", "09:21:00"]);
    let rest = steps.split_off(1);
    world.did(steps).await;
    assert_eq!(world.times("ada", "in-order").await, 1);
    world.did(rest).await;
    assert_eq!(world.times("ada", "in-order").await, 2);
    world.took_back(&["ada-a-meditation.completed"]).await;
    assert_eq!(
        world.standing("ada", "in-order").await,
        [(1, "2026-11-21".to_owned())]
    );
}

async fn a_streak_bridges_as_many_missing_days_as_it_may(app: &TestApp) {
    let world = World::new(app).await;
    let structure = json!({"streak": {"length": 4, "freezes": 1}});
    world
        .incentive(incentive_input(
            "mostly",
            MEDITATION,
            structure,
            json!({"once": true}),
        ))
        .await;
    world.members(&["ada", "bob"]).await;
    let on = |member: &str, day: u32| {
        event(
            &format!("{member}-{day}"),
            member,
            &format!("2026-11-{day}T08:00:00Z"),
        )
    };
    // One day is missing for ada, two for bob.
    world.did([15, 16, 18, 19].map(|day| on("ada", day))).await;
    world.did([15, 17, 19, 20].map(|day| on("bob", day))).await;
    assert_eq!(
        world.earned("ada", "mostly").await,
        [(1, "2026-11-19".to_owned())]
    );
    assert_eq!(world.times("bob", "mostly").await, 0);
    // One of the two comes late after all.
    world.did([on("bob", 18)]).await;
    assert_eq!(
        world.earned("bob", "mostly").await,
        [(1, "2026-11-19".to_owned())]
    );
}

/// An incentive that other incentives earn.
fn built_on(key: &str, of: &[&str], at_least: usize) -> Value {
    let structure = json!({"achievements": {"of": of, "atLeast": at_least}});
    let mut input = incentive_input(key, MEDITATION, structure, json!({"once": true}));
    input["trigger"] = Value::Null;
    input
}

async fn achievements_earn_achievements_and_go_with_them(app: &TestApp) {
    let world = World::new(app).await;
    for (key, event_type) in [("sat", MEDITATION), ("bought", "purchase.completed")] {
        world
            .incentive(incentive_input(
                key,
                event_type,
                json!({"immediate": true}),
                json!({"once": true}),
            ))
            .await;
    }
    world.incentive(built_on("both", &["sat", "bought"], 2)).await;
    world.incentive(built_on("top", &["both"], 1)).await;
    world.members(&["ada"]).await;
    world.did([event("e1", "ada", "2026-11-19T10:00:00Z")]).await;
    assert_eq!(world.times("ada", "both").await, 0);
    world
        .did([event("e2", "ada", "2026-11-18T10:00:00Z").of("purchase.completed")])
        .await;
    // Reached on the day of the later of the two, however late the earlier came.
    for key in ["both", "top"] {
        assert_eq!(
            world.earned("ada", key).await,
            [(1, "2026-11-19".to_owned())],
            "{key}"
        );
    }
    assert_eq!(world.feed_length().await, 4);
    world.took_back(&["e2"]).await;
    for (key, standing) in [("sat", 1), ("bought", 0), ("both", 0), ("top", 0)] {
        assert_eq!(world.standing("ada", key).await.len(), standing, "{key}");
    }
    assert_eq!(world.feed_length().await, 7);
    let of_basis = "SELECT count(*) AS count FROM achievement WHERE revocation_reason = 'BASIS_REVOKED'";
    assert_eq!(app.count(of_basis).await, 2);
    // Another purchase brings all of it back, as new achievements.
    world
        .did([event("e3", "ada", "2026-11-20T10:00:00Z").of("purchase.completed")])
        .await;
    for key in ["bought", "both", "top"] {
        assert_eq!(
            world.standing("ada", key).await,
            [(1, "2026-11-20".to_owned())],
            "{key}"
        );
        assert_eq!(world.times("ada", key).await, 2, "{key}");
    }
}

async fn achievements_ask_for_different_ones(app: &TestApp) {
    let world = World::new(app).await;
    world
        .incentive(incentive_input(
            "each",
            MEDITATION,
            json!({"immediate": true}),
            json!({UNLIMITED: true}),
        ))
        .await;
    for (key, event_type) in [
        ("bought", "purchase.completed"),
        ("joined", "registration.completed"),
    ] {
        world
            .incentive(incentive_input(
                key,
                event_type,
                json!({"immediate": true}),
                json!({"once": true}),
            ))
            .await;
    }
    world
        .incentive(built_on("two", &["each", "bought", "joined"], 2))
        .await;
    world.members(&["ada"]).await;
    world.did(five_events()).await;
    assert_eq!(
        (world.times("ada", "each").await, world.times("ada", "two").await),
        (5, 0)
    );
    world
        .did([event("join", "ada", "2026-11-20T10:00:00Z").of("registration.completed")])
        .await;
    assert_eq!(world.earned("ada", "two").await, [(1, "2026-11-20".to_owned())]);
    // There are more of the first where one came from.
    world.took_back(&["e0"]).await;
    assert_eq!(world.standing("ada", "two").await.len(), 1);
}
