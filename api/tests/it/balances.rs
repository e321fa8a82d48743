//! What a member holds, and what came and went of it.

use chrono::TimeDelta;
use entity::ledger::{About, Earned, EntryKind, Shortfall};
use serde_json::{Value, json};

use crate::harness::{Caller, TestApp, World, at, incentive_input, lasting};

on_both!(
    a_balance_tells_what_can_be_spent_and_what_ends_next,
    an_end_that_nobody_has_booked_yet_counts_as_soon_as_it_is_there,
    what_is_taken_back_too_late_is_told_as_debt,
    history_goes_back_page_by_page_from_the_newest_entry,
    every_entry_says_why_in_words_that_the_member_understands,
    an_administrator_sees_how_much_but_not_what_for_where_it_is_sensitive,
    nobody_sees_the_points_of_a_stranger,
    whoever_was_erased_has_no_points_to_be_seen,
);

const BALANCES: &str = "query($category: String) { member(externalId: \"ada\") {
    points(category: $category) { category available pending debt nextExpiry nextExpiryAmount } } }";
const HISTORY: &str = "query($first: Int, $after: String, $category: String) { member(externalId: \"ada\") {
    pointsHistory(first: $first, after: $after, category: $category) {
        nodes { id category amount kind reason recordedAt balanceAfter incentive { key } }
        pageInfo { hasNextPage hasPreviousPage endCursor } } } }";

/// An employer with the members Ada and Bob and two incentives: "calm", and "born" which is sensitive.
async fn world(app: &TestApp) -> World<'_> {
    let world = World::new(app).await;
    for (key, event_type) in [("calm", "meditation.completed"), ("born", "birth.reported")] {
        world
            .incentive(incentive_input(
                key,
                event_type,
                json!({"immediate": true}),
                json!({"unlimited": true}),
            ))
            .await;
    }
    world.members(&["ada", "bob"]).await;
    world
}

async fn balances(caller: &Caller<'_>, category: Value) -> Value {
    let data = caller.data(BALANCES, json!({"category": category})).await;
    data["member"]["points"].clone()
}

async fn history(caller: &Caller<'_>, variables: Value) -> Value {
    caller.data(HISTORY, variables).await["member"]["pointsHistory"].clone()
}

/// Points by hand, from one instant to another.
async fn give(world: &World<'_>, category: &str, amount: i64, from: &str, until: &str) {
    let earned = Earned {
        amount,
        active_from: at(from).into(),
        expires_at: at(until).into(),
        cause: None,
    };
    let grant = |ids: &_, now, account: &mut entity::ledger::Account| {
        let about = About::default();
        account.earn(ids, now, EntryKind::Earned, earned, about).unwrap();
    };
    world.book("ada", category, grant).await;
}

async fn a_balance_tells_what_can_be_spent_and_what_ends_next(app: &TestApp) {
    let world = world(app).await;
    assert_eq!(balances(&world.backend(), Value::Null).await, json!([]));
    world.earn("ada", "points", 50, "calm").await;
    let (past, soon, later) = (
        "2026-11-21T12:00:00Z",
        "2026-12-01T00:00:00Z",
        "2027-01-01T00:00:00Z",
    );
    give(&world, "points", 30, past, later).await;
    give(&world, "points", 20, past, soon).await;
    give(&world, "points", 5, past, soon).await;
    give(&world, "points", 7, soon, later).await;
    world.earn("ada", "STEPS", 3, "calm").await;
    let steps = json!({"category": "STEPS", "available": 3, "pending": 0, "debt": 0, "nextExpiry": null, "nextExpiryAmount": null});
    let points = json!({"category": "points", "available": 105, "pending": 7, "debt": 0, "nextExpiry": soon, "nextExpiryAmount": 25});
    let ada = world.member("ada").await;
    for caller in [&world.backend(), &world.by("members:read points:read"), &ada] {
        assert_eq!(balances(caller, Value::Null).await, json!([steps, points]));
        assert_eq!(balances(caller, json!("STEPS")).await, json!([steps]));
        assert_eq!(balances(caller, json!("steps\u{0}")).await, json!([]));
    }
}

async fn an_end_that_nobody_has_booked_yet_counts_as_soon_as_it_is_there(app: &TestApp) {
    let world = world(app).await;
    let (now, first, second, third) = (
        "2026-11-21T12:00:00Z",
        "2026-11-22T00:00:00Z",
        "2026-11-23T00:00:00Z",
        "2026-11-24T00:00:00Z",
    );
    give(&world, "points", 10, now, second).await;
    give(&world, "points", 20, first, third).await;
    give(&world, "points", 40, first, second).await;
    let before = app.row_counts().await;
    let shown = |available, pending, next: Option<(&str, i64)>| {
        let (end, amount) = next.unzip();
        json!([{"category": "points", "available": available, "pending": pending, "debt": 0,
            "nextExpiry": end, "nextExpiryAmount": amount}])
    };
    for (instant, expected) in [
        (now, shown(10, 60, Some((second, 10)))),
        (first, shown(70, 0, Some((second, 50)))),
        (second, shown(20, 0, Some((third, 20)))),
        (third, shown(0, 0, None)),
    ] {
        app.set_clock(instant);
        assert_eq!(
            balances(&world.backend(), Value::Null).await,
            expected,
            "at {instant}"
        );
    }
    assert_eq!(app.row_counts().await, before, "a look has written something");
}

async fn what_is_taken_back_too_late_is_told_as_debt(app: &TestApp) {
    let world = world(app).await;
    let incentive = world.incentive_id("calm").await;
    let cause = entity::ledger::Cause {
        incentive,
        key: b"order".to_vec(),
    };
    world
        .book("ada", "points", |ids, now, account| {
            let earned = Earned {
                cause: Some(cause.clone()),
                ..lasting(30, now)
            };
            account
                .earn(ids, now, EntryKind::Earned, earned, About::default())
                .unwrap();
            account
                .spend(ids, 20, EntryKind::Redeemed, About::default())
                .unwrap();
            account.take_back(ids, 30, &cause, Shortfall::Net, About::default());
        })
        .await;
    let balance = balances(&world.backend(), Value::Null).await[0].clone();
    assert_eq!((&balance["available"], &balance["debt"]), (&json!(0), &json!(20)));
}

async fn history_goes_back_page_by_page_from_the_newest_entry(app: &TestApp) {
    let world = world(app).await;
    for amount in 1..=5 {
        world.earn("ada", "points", amount, "calm").await;
        world.earn("ada", "STEPS", 10 * amount, "calm").await;
        world.earn("bob", "points", 1_000, "calm").await;
        app.pass(TimeDelta::minutes(1));
    }
    let backend = world.backend();
    for (category, expected) in [
        (Value::Null, vec![50, 5, 40, 4, 30, 3, 20, 2, 10, 1]),
        (json!("points"), vec![5, 4, 3, 2, 1]),
        (json!("nothing"), vec![]),
    ] {
        let (mut found, mut after) = (Vec::new(), Value::Null);
        loop {
            let page = history(
                &backend,
                json!({"first": 2, "after": after, "category": category}),
            )
            .await;
            let nodes = page["nodes"].as_array().unwrap();
            found.extend(nodes.iter().map(|node| node["amount"].as_i64().unwrap()));
            assert_eq!(page["pageInfo"]["hasPreviousPage"], json!(!after.is_null()));
            if page["pageInfo"]["hasNextPage"] == json!(false) {
                break;
            }
            assert_eq!(nodes.len(), 2);
            after = page["pageInfo"]["endCursor"].clone();
        }
        assert_eq!(found, expected, "{category}");
    }
    let sums: Vec<Value> = history(&backend, json!({"category": "points"})).await["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|node| node["balanceAfter"].clone())
        .collect();
    assert_eq!(sums, [15, 10, 6, 3, 1]);
    for bad in [
        json!({"first": 0}),
        json!({"first": 101}),
        json!({"after": "nonsense"}),
    ] {
        assert_eq!(backend.error(HISTORY, bad).await, "BAD_USER_INPUT");
    }
}

async fn every_entry_says_why_in_words_that_the_member_understands(app: &TestApp) {
    let world = world(app).await;
    // The redemption is made up, and its price is not what the entries say.
    app.leave_differences();
    let massage = world.reward_row("massage", "Massage").await;
    let redemption = world.redemption_row("ada", massage, (2, "HELD", false)).await;
    let about = world.about("calm").await;
    let asked = About {
        redemption: Some(redemption),
        ..About::default()
    };
    give(
        &world,
        "points",
        5,
        "2026-11-21T12:00:00Z",
        "2026-11-22T00:00:00Z",
    )
    .await;
    app.set_clock("2026-11-22T12:00:00Z");
    let incentive = world.incentive_id("calm").await;
    let cause = entity::ledger::Cause {
        incentive,
        key: b"order".to_vec(),
    };
    let mut corrections = Vec::new();
    world
        .book("ada", "points", |ids, now, account| {
            let earned = Earned {
                cause: Some(cause.clone()),
                ..lasting(300, now)
            };
            account
                .earn(ids, now, EntryKind::Earned, earned, about.clone())
                .unwrap();
            account
                .spend(ids, 200, EntryKind::Redeemed, asked.clone())
                .unwrap();
            let lots: Vec<_> = account
                .lots()
                .filter(|lot| lot.remaining > 0)
                .map(|lot| (lot.clone(), 200))
                .collect();
            account.put_back(ids, lots, asked);
            account.take_back(ids, 100, &cause, Shortfall::Leave, about);
            for amount in [7, 8] {
                let earned = lasting(amount, now);
                let made = account.earn(ids, now, EntryKind::Adjusted, earned, About::default());
                corrections.push(made.unwrap());
            }
        })
        .await;
    let txn = app.app.db.write_txn().await.unwrap();
    entity::db::sql::Sql::on(
        &*txn,
        "INSERT INTO points_adjustment (employer_id, entry_id, reason, made_by) VALUES (",
    )
    .bind(world.employer)
    .push(", ")
    .bind(corrections[0])
    .push(", 'A gift from us', 'plaudit')")
    .execute(&*txn)
    .await
    .unwrap();
    txn.commit().await.unwrap();
    let page = history(&world.member("ada").await, json!({})).await;
    let told: Vec<(&str, i64, &str, &Value)> = page["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|node| {
            (
                node["kind"].as_str().unwrap(),
                node["amount"].as_i64().unwrap(),
                node["reason"].as_str().unwrap(),
                &node["incentive"],
            )
        })
        .collect();
    let calm = json!({"key": "calm"});
    assert_eq!(
        told,
        [
            ("ADJUSTED", 8, "Correction", &Value::Null),
            ("ADJUSTED", 7, "A gift from us", &Value::Null),
            ("CLAWED_BACK", -100, "Taken back: calm", &calm),
            ("RETURNED", 200, "Returned: Massage", &Value::Null),
            ("REDEEMED", -200, "Redeemed: 2 × Massage", &Value::Null),
            ("EARNED", 300, "calm", &calm),
            ("EXPIRED", -5, "Expired", &Value::Null),
            ("EARNED", 5, "Earned", &Value::Null),
        ]
    );
}

async fn an_administrator_sees_how_much_but_not_what_for_where_it_is_sensitive(app: &TestApp) {
    let world = world(app).await;
    world.earn("ada", "points", 10, "calm").await;
    world.earn("ada", "points", 90, "born").await;
    let admin = world.by("members:read points:read");
    let ada = world.member("ada").await;
    for (caller, reason, incentive) in [
        (&admin, "Confidential", Value::Null),
        (&ada, "born", json!({"key": "born"})),
        (&world.backend(), "born", json!({"key": "born"})),
        // Whoever acts for members may see it, whatever else the token may do.
        (
            &world.by("member:any points:read"),
            "born",
            json!({"key": "born"}),
        ),
    ] {
        let page = history(caller, json!({})).await;
        let newest = &page["nodes"][0];
        assert_eq!(
            (&newest["amount"], &newest["balanceAfter"]),
            (&json!(90), &json!(100))
        );
        assert_eq!(
            (&newest["reason"], &newest["incentive"]),
            (&json!(reason), &incentive)
        );
        assert_eq!(page["nodes"][1]["reason"], "calm");
        let node =
            "query($id: ID!) { node(id: $id) { ... on PointsEntry { amount reason incentive { key } } } }";
        let node = caller.data(node, json!({"id": newest["id"]})).await;
        assert_eq!(
            node["node"],
            json!({"amount": 90, "reason": reason, "incentive": incentive})
        );
    }
}

async fn nobody_sees_the_points_of_a_stranger(app: &TestApp) {
    let world = world(app).await;
    world.earn("ada", "points", 10, "calm").await;
    let id = history(&world.backend(), json!({})).await["nodes"][0]["id"].clone();
    let other = World::named(app, "globex", "gym").await;
    let bob = world.member("bob").await;
    let node = "query($id: ID!) { node(id: $id) { id } }";
    for stranger in [
        &bob,
        &other.by("member:any members:read points:read"),
        &app.operator(),
        &world.partner(),
        // Without the scope the entry is not even there.
        &world.by("members:read achievements:read"),
    ] {
        let found = stranger.data(node, json!({"id": id})).await;
        assert_eq!(found["node"], Value::Null);
    }
    for stranger in [&bob, &other.by("member:any")] {
        let found = stranger.data(BALANCES, json!({})).await;
        assert_eq!(found["member"], Value::Null);
    }
    let found = world.by("points:read").data(node, json!({"id": id})).await;
    assert_eq!(found["node"]["id"], id);
}

async fn whoever_was_erased_has_no_points_to_be_seen(app: &TestApp) {
    let world = world(app).await;
    world.earn("ada", "points", 10, "calm").await;
    let ada = world.member("ada").await;
    let id = history(&ada, json!({})).await["nodes"][0]["id"].clone();
    world
        .admin()
        .change("eraseMember", json!({"member": "ada"}), "erased")
        .await;
    let node = ada
        .data("query($id: ID!) { node(id: $id) { id } }", json!({"id": id}))
        .await;
    assert_eq!(node["node"], Value::Null);
    assert_eq!(
        world.backend().data(BALANCES, json!({})).await["member"],
        Value::Null
    );
}
