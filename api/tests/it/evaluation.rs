//! From events to achievements: streaks, limits, conditions, whatever the order of arrival.

use serde_json::{Value, json};

use crate::harness::{Event, TestApp, World, event, incentive_input, streak_input};

on_both!(
    five_days_in_a_row_earn_a_streak_once,
    a_late_event_merges_two_runs,
    a_skipped_day_breaks_a_streak,
    several_events_of_one_day_are_one_day,
    an_immediate_incentive_counts_as_its_limit_says,
    a_repeated_streak_is_earned_once_for_each_full_length,
    weeks_and_months_are_periods_of_a_streak,
    a_period_counts_when_it_has_enough_events,
    a_condition_on_properties_picks_the_events,
    a_condition_on_a_member_sees_what_is_known_at_evaluation,
    the_local_date_decides_at_the_change_of_clocks,
    each_event_serves_every_incentive_that_matches,
);

/// A meditation at 10:00 UTC of each of these days of November 2026.
fn days(member: &str, days: impl IntoIterator<Item = u32>) -> Vec<Event> {
    days.into_iter()
        .map(|day| {
            event(
                &format!("{member}-{day}"),
                member,
                &format!("2026-11-{day:02}T10:00:00Z"),
            )
        })
        .collect()
}

async fn five_days_in_a_row_earn_a_streak_once(app: &TestApp) {
    let world = World::new(app).await;
    world
        .incentive(streak_input("steady", 5, json!({"once": true})))
        .await;
    world.members(&["ada"]).await;
    world.did(days("ada", 15..=18)).await;
    assert_eq!(world.times("ada", "steady").await, 0);
    world.did(days("ada", [19])).await;
    assert_eq!(
        world.earned("ada", "steady").await,
        [(1, "2026-11-19".to_owned())]
    );
    world.did(days("ada", 20..=21)).await;
    assert_eq!(world.times("ada", "steady").await, 1);
    assert_eq!(
        world
            .backend()
            .record(days("ada", 15..=21).into_iter().map(Value::from))
            .await,
        ["DUPLICATE"; 7]
    );
    app.run_jobs().await;
    assert_eq!(world.times("ada", "steady").await, 1);
    assert_eq!(world.feed().await.len(), 1);
}

async fn a_late_event_merges_two_runs(app: &TestApp) {
    let world = World::new(app).await;
    world
        .incentive(streak_input("steady", 5, json!({"once": true})))
        .await;
    world.members(&["ada"]).await;
    world.did(days("ada", [20, 16])).await;
    world.did(days("ada", [19, 17])).await;
    assert_eq!(world.times("ada", "steady").await, 0);
    world.did(days("ada", [18])).await;
    assert_eq!(
        world.earned("ada", "steady").await,
        [(1, "2026-11-20".to_owned())]
    );
}

async fn a_skipped_day_breaks_a_streak(app: &TestApp) {
    let world = World::new(app).await;
    world
        .incentive(streak_input("steady", 5, json!({"once": true})))
        .await;
    world.members(&["ada", "bob"]).await;
    world.did(days("ada", [15, 16, 18, 19, 20, 21])).await;
    world.did(days("bob", [16, 17, 18, 19, 20])).await;
    assert_eq!(world.times("ada", "steady").await, 0);
    assert_eq!(world.times("bob", "steady").await, 1);
}

async fn several_events_of_one_day_are_one_day(app: &TestApp) {
    let world = World::new(app).await;
    world
        .incentive(streak_input("pair", 2, json!({"unlimited": true})))
        .await;
    world.members(&["ada"]).await;
    let hours = (0..10).map(|hour| event(&format!("h{hour}"), "ada", &format!("2026-11-20T0{hour}:00:00Z")));
    world.did(hours).await;
    assert_eq!(world.times("ada", "pair").await, 0);
}

async fn an_immediate_incentive_counts_as_its_limit_says(app: &TestApp) {
    let world = World::new(app).await;
    for (key, limit) in [
        ("once", json!({"once": true})),
        ("thrice", json!({"atMost": 3})),
        ("daily", json!({"oncePer": "DAY"})),
        ("weekly", json!({"oncePer": "WEEK"})),
        ("always", json!({"unlimited": true})),
    ] {
        let input = incentive_input(key, "meditation.completed", json!({"immediate": true}), limit);
        world.incentive(input).await;
    }
    world.members(&["ada"]).await;
    // Sunday the 15th, Monday the 16th twice, Tuesday the 17th twice.
    let instants = ["15T08", "16T08", "16T09", "17T08", "17T09"];
    for (number, instant) in instants.iter().enumerate() {
        world
            .did([event(
                &format!("e{number}"),
                "ada",
                &format!("2026-11-{instant}:00:00Z"),
            )])
            .await;
    }
    for (key, times) in [
        ("once", 1),
        ("thrice", 3),
        ("daily", 3),
        ("weekly", 2),
        ("always", 5),
    ] {
        assert_eq!(world.times("ada", key).await, times, "{key}");
    }
    let keys = "SELECT count(DISTINCT period_key) AS count FROM achievement WHERE title = 'Title of ";
    for (key, windows) in [
        ("once", 1),
        ("thrice", 1),
        ("daily", 3),
        ("weekly", 2),
        ("always", 1),
    ] {
        assert_eq!(app.count(&format!("{keys}{key}'")).await, windows, "{key}");
    }
    let ordinals: Vec<i64> = world
        .earned("ada", "always")
        .await
        .into_iter()
        .map(|(ordinal, _)| ordinal)
        .collect();
    assert_eq!(ordinals, [1, 2, 3, 4, 5]);
}

async fn a_repeated_streak_is_earned_once_for_each_full_length(app: &TestApp) {
    let world = World::new(app).await;
    world
        .incentive(streak_input("pair", 2, json!({"unlimited": true})))
        .await;
    world
        .incentive(streak_input("two-pairs", 2, json!({"atMost": 2})))
        .await;
    world.members(&["ada"]).await;
    // Two runs of three make one each; the day between them makes a run of seven: three in all.
    world.did(days("ada", [15, 16, 17, 19, 20, 21])).await;
    assert_eq!(world.times("ada", "pair").await, 2);
    world.did(days("ada", [18])).await;
    assert_eq!(world.times("ada", "pair").await, 3);
    assert_eq!(world.times("ada", "two-pairs").await, 2);
}

async fn weeks_and_months_are_periods_of_a_streak(app: &TestApp) {
    let world = World::new(app).await;
    let far = json!({"key": "walked", "name": "Walked", "maxLate": "P400D"});
    world
        .admin()
        .change("createEventType", far, "eventType { key }")
        .await;
    for (key, period) in [("weeks", "WEEK"), ("months", "MONTH")] {
        let structure = json!({"streak": {"length": 3, "period": period}});
        world
            .incentive(incentive_input(key, "walked", structure, json!({"once": true})))
            .await;
    }
    world.members(&["ada", "bob"]).await;
    let walked = |member: &str, day: &str| {
        event(&format!("{member}-{day}"), member, &format!("{day}T10:00:00Z")).of("walked")
    };
    // Three ISO weeks over New Year's, from a Sunday to a Monday; and three months with one day each.
    world
        .did(["2025-12-28", "2025-12-31", "2026-01-05"].map(|day| walked("ada", day)))
        .await;
    assert_eq!(world.earned("ada", "weeks").await, [(1, "2026-01-05".to_owned())]);
    assert_eq!(world.times("ada", "months").await, 0);
    world
        .did(["2026-02-28", "2026-01-31", "2026-03-01"].map(|day| walked("bob", day)))
        .await;
    assert_eq!(
        world.earned("bob", "months").await,
        [(1, "2026-03-01".to_owned())]
    );
    assert_eq!(world.times("bob", "weeks").await, 0);
}

async fn a_period_counts_when_it_has_enough_events(app: &TestApp) {
    let world = World::new(app).await;
    let structure = json!({"streak": {"length": 2, "perPeriod": 2}});
    world
        .incentive(incentive_input(
            "twice",
            "meditation.completed",
            structure,
            json!({"once": true}),
        ))
        .await;
    world.members(&["ada"]).await;
    world.did(days("ada", [20, 21])).await;
    assert_eq!(world.times("ada", "twice").await, 0);
    world.did([event("second", "ada", "2026-11-20T11:00:00Z")]).await;
    assert_eq!(world.times("ada", "twice").await, 0);
    world.did([event("fourth", "ada", "2026-11-21T11:00:00Z")]).await;
    assert_eq!(world.earned("ada", "twice").await, [(1, "2026-11-21".to_owned())]);
}

async fn a_condition_on_properties_picks_the_events(app: &TestApp) {
    let world = World::new(app).await;
    let mut input = incentive_input(
        "big",
        "order.completed",
        json!({"immediate": true}),
        json!({"unlimited": true}),
    );
    input["trigger"]["where"] = json!([
        {"path": "properties.total", "op": "GTE", "value": 1000},
        {"path": "properties.currency", "op": "IN", "value": ["EUR", "CHF"]},
    ]);
    world.incentive(input).await;
    world.members(&["ada"]).await;
    let order = |id: &str, total: i64, currency: &str| {
        event(id, "ada", "2026-11-21T10:00:00Z")
            .of("order.completed")
            .set(
                "properties",
                json!({"order": id, "total": total, "currency": currency}),
            )
    };
    world
        .did([
            order("a", 999, "EUR"),
            order("b", 1000, "EUR"),
            order("c", 5000, "USD"),
            order("d", 1001, "CHF"),
        ])
        .await;
    assert_eq!(world.times("ada", "big").await, 2);
}

async fn a_condition_on_a_member_sees_what_is_known_at_evaluation(app: &TestApp) {
    let world = World::new(app).await;
    let mut input = incentive_input(
        "gold",
        "meditation.completed",
        json!({"immediate": true}),
        json!({"unlimited": true}),
    );
    input["trigger"]["where"] = json!([{"path": "member.attributes.plan", "op": "EQ", "value": "gold"}]);
    world.incentive(input).await;
    world
        .register(vec![
            json!({"externalId": "ada", "attributes": {"plan": "gold"}}),
            json!({"externalId": "bob", "attributes": {"plan": "basic"}}),
            json!({"externalId": "eve"}),
        ])
        .await;
    for member in ["ada", "bob", "eve"] {
        world.did(days(member, [20])).await;
    }
    world
        .register(vec![json!({"externalId": "bob", "attributes": {"plan": "gold"}})])
        .await;
    for member in ["ada", "bob", "eve"] {
        world.did(days(member, [21])).await;
    }
    for (member, times) in [("ada", 2), ("bob", 1), ("eve", 0)] {
        assert_eq!(world.times(member, "gold").await, times, "{member}");
    }
}

async fn the_local_date_decides_at_the_change_of_clocks(app: &TestApp) {
    let world = World::new(app).await;
    world
        .incentive(streak_input("three", 3, json!({"oncePer": "MONTH"})))
        .await;
    world
        .register(vec![json!({"externalId": "ada", "timeZone": "Europe/Berlin"})])
        .await;
    // By the clocks of Berlin: 23:30 on the 27th, 23:30 on the 28th (a day of 23 hours), 00:30 on the 30th is the 30th.
    app.set_clock("2027-03-30T12:00:00Z");
    world
        .did(
            [
                "2027-03-27T22:30:00Z",
                "2027-03-28T21:30:00Z",
                "2027-03-29T22:30:00Z",
            ]
            .map(|at| event(at, "ada", at)),
        )
        .await;
    assert_eq!(world.times("ada", "three").await, 0);
    world.did([event("29th", "ada", "2027-03-28T22:30:00Z")]).await;
    assert_eq!(world.earned("ada", "three").await, [(1, "2027-03-29".to_owned())]);
    // 00:30 on the 30th, 00:30 on the 31st (a day of 25 hours), and within an hour of its end the 1st.
    app.set_clock("2027-11-01T12:00:00Z");
    world
        .did(
            [
                "2027-10-29T22:30:00Z",
                "2027-10-30T22:30:00Z",
                "2027-10-31T23:00:00Z",
            ]
            .map(|at| event(at, "ada", at)),
        )
        .await;
    assert_eq!(
        world.earned("ada", "three").await[1..],
        [(1, "2027-11-01".to_owned())]
    );
}

async fn each_event_serves_every_incentive_that_matches(app: &TestApp) {
    let world = World::new(app).await;
    for key in ["one", "two", "three"] {
        world.incentive(streak_input(key, 1, json!({"once": true}))).await;
    }
    world
        .incentive(incentive_input(
            "other",
            "order.completed",
            json!({"immediate": true}),
            json!({"once": true}),
        ))
        .await;
    world.members(&["ada"]).await;
    world.did(days("ada", [20])).await;
    for (key, times) in [("one", 1), ("two", 1), ("three", 1), ("other", 0)] {
        assert_eq!(world.times("ada", key).await, times, "{key}");
    }
}
