//! Reports: sums over all members, and nobody in person.

use entity::ledger::{About, Earned, EntryKind};
use serde_json::{Value, json};

use crate::harness::{TestApp, World, at, event, incentive_input, lasting};

on_both!(
    points_are_summed_up_by_day_and_category,
    what_has_ended_is_owed_to_nobody_even_before_it_is_booked,
    redemptions_are_counted_by_reward_and_by_how_they_stand,
    achievements_are_counted_by_incentive_and_day,
    what_is_sensitive_is_kept_back_until_enough_members_share_it,
    what_became_sensitive_later_is_kept_back_too,
    a_report_is_of_one_employer_and_of_at_most_a_year,
);

const REPORT: &str = "query($from: Date!, $to: Date!, $program: String) { viewer { employer { report(from: $from, to: $to, program: $program) {
    pointsByDay { on category issued spent expired takenBack returned adjusted withheld }
    liability { category outstanding }
    redemptions { reward name requested fulfilled cancelled expired pointsSpent withheld }
    achievements { incentive { key } on earned revoked withheld } } } } }";

/// An employer that shows sensitive numbers of two members and more, with the incentives "calm" and, sensitive, "born".
async fn world(app: &TestApp) -> World<'_> {
    let world = World::new(app).await;
    for (key, event_type) in [("calm", "meditation.completed"), ("born", "birth.reported")] {
        let limit = json!({"unlimited": true});
        world
            .incentive(incentive_input(
                key,
                event_type,
                json!({"immediate": true}),
                limit,
            ))
            .await;
    }
    app.sql("UPDATE employer SET minimum_group_size = 2")
        .await
        .unwrap();
    world.members(&["ada", "bob"]).await;
    world
}

async fn report(world: &World<'_>, variables: Value) -> Value {
    let data = world.by("reports:read").data(REPORT, variables).await;
    data["viewer"]["employer"]["report"].clone()
}

fn november() -> Value {
    json!({"from": "2026-11-01", "to": "2026-11-30"})
}

async fn points_are_summed_up_by_day_and_category(app: &TestApp) {
    let world = world(app).await;
    // What is reported is made up here, and need not agree.
    app.leave_differences();
    app.set_clock("2026-11-21T23:59:59Z");
    world.earn("ada", "points", 1_000, "calm").await;
    app.set_clock("2026-11-22T12:00:00Z");
    world.earn("ada", "points", 100, "calm").await;
    world.earn("bob", "points", 50, "calm").await;
    world.earn("bob", "STEPS", 7, "calm").await;
    world
        .book("ada", "points", |ids, now, account| {
            let about = About::default;
            account.spend(ids, 30, EntryKind::Redeemed, about()).unwrap();
            account.spend(ids, 5, EntryKind::Adjusted, about()).unwrap();
            account.spend(ids, 4, EntryKind::ClawedBack, about()).unwrap();
            account
                .earn(ids, now, EntryKind::Returned, lasting(3, now), about())
                .unwrap();
            let ending = Earned {
                expires_at: at("2026-11-23T00:00:00Z").into(),
                ..lasting(11, now)
            };
            account
                .earn(ids, now, EntryKind::Earned, ending, about())
                .unwrap();
        })
        .await;
    app.set_clock("2026-11-23T12:00:00Z");
    world.earn("ada", "points", 1, "calm").await;
    world.earn("ada", "STEPS", 1, "calm").await;
    let found = report(&world, json!({"from": "2026-11-22", "to": "2026-11-23"})).await;
    let day = |on: &str, category: &str, sums: [i64; 6]| {
        let [issued, spent, expired, taken_back, returned, adjusted] = sums;
        json!({"on": on, "category": category, "issued": issued, "spent": spent, "expired": expired, "takenBack": taken_back,
            "returned": returned, "adjusted": adjusted, "withheld": false})
    };
    assert_eq!(
        found["pointsByDay"],
        json!([
            day("2026-11-22", "STEPS", [7, 0, 0, 0, 0, 0]),
            day("2026-11-22", "points", [161, 30, 0, 4, 3, -5]),
            day("2026-11-23", "STEPS", [1, 0, 0, 0, 0, 0]),
            day("2026-11-23", "points", [1, 0, 11, 0, 0, 0]),
        ])
    );
    assert_eq!(
        found["liability"],
        json!([{"category": "STEPS", "outstanding": 8}, {"category": "points", "outstanding": 1_115}])
    );
}

async fn what_has_ended_is_owed_to_nobody_even_before_it_is_booked(app: &TestApp) {
    let world = world(app).await;
    for (member, until) in [("ada", "2026-11-22T00:00:00Z"), ("bob", "2026-11-23T00:00:00Z")] {
        world
            .book(member, "points", |ids, now, account| {
                let ending = Earned {
                    active_from: at("2026-11-21T18:00:00Z").into(),
                    expires_at: at(until).into(),
                    ..lasting(10, now)
                };
                account
                    .earn(ids, now, EntryKind::Earned, ending, About::default())
                    .unwrap();
            })
            .await;
        world.earn(member, "points", 1, "calm").await;
    }
    for (instant, outstanding) in [
        ("2026-11-21T23:59:59Z", 22),
        ("2026-11-22T00:00:00Z", 12),
        ("2026-11-23T00:00:00Z", 2),
    ] {
        app.set_clock(instant);
        let found = report(&world, november()).await;
        assert_eq!(
            found["liability"],
            json!([{"category": "points", "outstanding": outstanding}]),
            "at {instant}"
        );
    }
}

async fn redemptions_are_counted_by_reward_and_by_how_they_stand(app: &TestApp) {
    let world = world(app).await;
    // What is reported is made up here, and need not agree.
    app.leave_differences();
    let massage = world.reward_row("massage", "Massage").await;
    let book = world.reward_row("book", "Book").await;
    for (member, reward, quantity, status, sensitive) in [
        ("ada", massage, 2, "HELD", false),
        ("bob", massage, 1, "FULFILLED", false),
        ("ada", massage, 1, "CANCELLED", false),
        ("ada", massage, 1, "EXPIRED", false),
        ("ada", massage, 1, "FULFILLED", true),
        ("ada", book, 1, "HELD", true),
        ("bob", book, 1, "HELD", true),
    ] {
        world
            .redemption_row(member, reward, (quantity, status, sensitive))
            .await;
    }
    let expected = json!([
        {"reward": "book", "name": "Book", "requested": 2, "fulfilled": 0, "cancelled": 0, "expired": 0, "pointsSpent": 200,
            "withheld": false},
        {"reward": "massage", "name": "Massage", "requested": 4, "fulfilled": 1, "cancelled": 1, "expired": 1, "pointsSpent": 300,
            "withheld": true},
    ]);
    assert_eq!(report(&world, november()).await["redemptions"], expected);
    world.program(json!({"key": "other"})).await;
    for (program, expected) in [("wellbeing", expected), ("other", json!([]))] {
        let mut variables = november();
        variables["program"] = json!(program);
        assert_eq!(report(&world, variables).await["redemptions"], expected);
    }
    let october = json!({"from": "2026-10-01", "to": "2026-10-31"});
    assert_eq!(report(&world, october).await["redemptions"], json!([]));
}

async fn achievements_are_counted_by_incentive_and_day(app: &TestApp) {
    let world = world(app).await;
    world
        .did([
            event("e1", "ada", "2026-11-19T10:00:00Z"),
            event("e2", "ada", "2026-11-20T10:00:00Z"),
            event("e3", "ada", "2026-11-20T11:00:00Z"),
            event("e4", "bob", "2026-11-20T10:00:00Z"),
            event("e5", "ada", "2026-11-20T10:00:00Z").of("birth.reported"),
            event("e6", "ada", "2026-11-21T10:00:00Z").of("birth.reported"),
            event("e7", "bob", "2026-11-21T10:00:00Z").of("birth.reported"),
        ])
        .await;
    world.took_back(&["e3"]).await;
    let of = |incentive: &str, on: &str, counts: Option<(i64, i64)>| {
        let (earned, revoked) = counts.unzip();
        json!({"incentive": {"key": incentive}, "on": on, "earned": earned, "revoked": revoked, "withheld": counts.is_none()})
    };
    let variables = json!({"from": "2026-11-20", "to": "2026-11-21", "program": "wellbeing"});
    let found = report(&world, variables.clone()).await;
    assert_eq!(
        found["achievements"],
        json!([
            of("calm", "2026-11-20", Some((3, 1))),
            of("born", "2026-11-20", None),
            of("born", "2026-11-21", Some((2, 0))),
        ])
    );
    // Awards that are no achievements are nobody's business.
    app.sql_either(
        "UPDATE achievement SET hidden = 1",
        "UPDATE achievement SET hidden = true",
    )
    .await;
    assert_eq!(report(&world, variables).await["achievements"], json!([]));
}

async fn what_is_sensitive_is_kept_back_until_enough_members_share_it(app: &TestApp) {
    let world = world(app).await;
    world.earn("ada", "points", 5, "calm").await;
    world.earn("ada", "points", 100, "born").await;
    // Twice the same member is still one.
    world.earn("ada", "points", 100, "born").await;
    let day = async || report(&world, november()).await["pointsByDay"][0].clone();
    let found = day().await;
    assert_eq!((&found["issued"], &found["withheld"]), (&json!(5), &json!(true)));
    world.earn("bob", "points", 100, "born").await;
    let found = day().await;
    assert_eq!(
        (&found["issued"], &found["withheld"]),
        (&json!(305), &json!(false))
    );
    // What is taken back is a number of its own.
    let about = world.about("born").await;
    world
        .book("ada", "points", |ids, _, account| {
            account.spend(ids, 100, EntryKind::ClawedBack, about).unwrap();
        })
        .await;
    let found = day().await;
    assert_eq!(
        (&found["issued"], &found["takenBack"], &found["withheld"]),
        (&json!(305), &json!(0), &json!(true))
    );
}

async fn what_became_sensitive_later_is_kept_back_too(app: &TestApp) {
    let world = world(app).await;
    world.earn("ada", "points", 5, "calm").await;
    app.sql_either(
        "UPDATE incentive SET sensitive = 1",
        "UPDATE incentive SET sensitive = true",
    )
    .await;
    let found = report(&world, november()).await["pointsByDay"][0].clone();
    assert_eq!((&found["issued"], &found["withheld"]), (&json!(0), &json!(true)));
}

async fn a_report_is_of_one_employer_and_of_at_most_a_year(app: &TestApp) {
    let world = world(app).await;
    world.earn("ada", "points", 5, "calm").await;
    let other = World::named(app, "globex", "gym").await;
    let nothing = json!({"pointsByDay": [], "liability": [], "redemptions": [], "achievements": []});
    assert_eq!(report(&other, november()).await, nothing);
    let reader = world.by("reports:read");
    for bad in [
        json!({"from": "2026-11-02", "to": "2026-11-01"}),
        json!({"from": "2025-11-01", "to": "2026-11-02"}),
        json!({"from": "2026-11-01", "to": "2026-11-01", "program": "nowhere"}),
    ] {
        assert_eq!(reader.error(REPORT, bad).await, "BAD_USER_INPUT");
    }
    let year = json!({"from": "2025-11-22", "to": "2026-11-22"});
    assert_eq!(report(&world, year).await["pointsByDay"][0]["issued"], 5);
}
