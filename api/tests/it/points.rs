//! Points that members earn: how many, what for, and what is taken back.

mod order;
mod refunds;
mod released;

use entity::boost;
use entity::clock::Timestamp;
use entity::id::MemberId;
use entity::ledger::{About, EntryKind};
use serde_json::{Value, json};

use crate::harness::{Event, TestApp, World, event, incentive_input};

on_both!(
    a_member_gets_a_point_for_each_euro_of_an_order,
    a_member_gets_ten_points_for_each_meditation_and_twice_as_many_in_a_boost,
    a_boost_doubles_only_what_it_is_for,
    a_streak_gives_a_hundred_points_once,
    an_award_of_gold_members_is_boosted,
    an_event_that_is_sent_twice_earns_once,
    the_points_of_an_event_that_is_taken_back_go,
    of_spent_points_only_what_is_left_goes_where_the_policy_says_so,
    points_that_are_kept_are_kept,
    the_points_of_an_award_that_no_longer_holds_go,
    what_is_sensitive_keeps_its_points,
    a_stop_takes_back_what_was_earned_since,
    a_cap_cuts_to_the_same_sum_whatever_the_order,
    a_cap_rejects_what_would_go_beyond_it,
    what_a_cap_has_cut_is_taken_back_last,
    points_end_with_a_day_of_the_program_and_months_are_those_of_the_calendar,
    points_are_pending_until_they_become_active,
    points_without_an_achievement_show_none_and_tell_nobody,
    an_award_that_nobody_is_shown_counts_for_what_is_built_on_it,
    an_incentive_gives_points_of_several_categories,
    outcomes_are_shown_as_they_were_said,
    outcomes_that_make_no_sense_are_refused,
    a_dry_run_says_how_many_points_there_would_be,
    a_dry_run_takes_refunds_off_and_counts_an_order_once,
    nothing_is_kept_of_what_a_member_earned_points_for_once_it_is_erased,
);

/// An order of ada: its name and its total in cents.
fn order(id: &str, name: &str, total: i64, at: &str) -> Event {
    let properties = json!({"order": name, "total": total, "currency": "EUR"});
    event(id, "ada", at)
        .of("order.completed")
        .set("properties", properties)
}

/// What is left of an order of ada.
fn refund(id: &str, name: &str, total: i64, at: &str) -> Event {
    order(id, name, total, at).of("order.refunded")
}

/// An incentive that gives points for each event of a type.
fn each(key: &str, event_type: &str, points: &Value) -> Value {
    let input = incentive_input(
        key,
        event_type,
        json!({"immediate": true}),
        json!({"unlimited": true}),
    );
    with_points(input, points)
}

fn with_points(mut input: Value, points: &Value) -> Value {
    input["outcomes"] = json!([{"points": points}]);
    input
}

/// A point for each whole euro of an order.
fn euros() -> Value {
    let refund = json!({"eventType": "order.refunded", "match": "order"});
    json!({"perUnit": {"property": "total", "points": "0.01"}, "refund": refund})
}

/// Ada, and an incentive.
async fn world(app: &TestApp, incentive: Value) -> World<'_> {
    let world = World::new(app).await;
    world.members(&["ada"]).await;
    world.incentive(incentive).await;
    world
}

/// How many points of a category ada has: those she can spend, those she cannot yet, and those she owes.
async fn account(app: &TestApp, category: &str) -> [i64; 3] {
    let mut found = [0; 3];
    for (place, column) in found.iter_mut().zip(["available", "pending", "debt"]) {
        let sql = format!(
            "SELECT CAST(COALESCE(SUM({column}), 0) AS bigint) AS count FROM points_account WHERE category = '{category}'"
        );
        *place = app.count(&sql).await;
    }
    found
}

/// How many points ada can spend.
async fn points(app: &TestApp) -> i64 {
    account(app, "points").await[0]
}

/// Ada spends points.
async fn spend(world: &World<'_>, amount: i64) {
    world
        .book("ada", "points", |ids, _, account| {
            account
                .spend(ids, amount, EntryKind::Redeemed, About::default())
                .unwrap();
        })
        .await;
}

/// A boost of the program "wellbeing", by two.
async fn boosted(world: &World<'_>, category: Option<&str>, conditions: Value) {
    let app = world.app;
    let db = app.app.db.read();
    let program = entity::program::find_by_key(db, world.employer, "wellbeing")
        .await
        .unwrap()
        .unwrap();
    let txn = app.app.db.write_txn().await.unwrap();
    entity::employer::touch_catalogue(&*txn, world.employer)
        .await
        .unwrap();
    let row = boost::Model {
        employer_id: world.employer,
        program_id: program.id,
        key: "week".to_owned(),
        name: "Twice as many".to_owned(),
        multiplier: "2".to_owned(),
        category: category.map(str::to_owned),
        starts_on: "2026-11-16".parse().unwrap(),
        ends_on: "2026-11-20".parse().unwrap(),
        conditions,
        created_at: Timestamp::from(app.now()),
        ended_at: None,
    };
    assert!(boost::insert(&*txn, row).await.unwrap());
    txn.commit().await.unwrap();
}

async fn a_member_gets_a_point_for_each_euro_of_an_order(app: &TestApp) {
    let world = world(app, each("euros", "order.completed", &euros())).await;
    world.did([order("o1", "A", 2599, "2026-11-20T10:00:00Z")]).await;
    assert_eq!(points(app).await, 25);
    world
        .did([
            order("o2", "B", 99, "2026-11-20T11:00:00Z"),
            order("o3", "C", 100, "2026-11-20T12:00:00Z"),
        ])
        .await;
    assert_eq!(points(app).await, 26);
    // No entry for nothing.
    assert_eq!(app.count("SELECT count(*) AS count FROM points_entry").await, 2);
}

async fn a_member_gets_ten_points_for_each_meditation_and_twice_as_many_in_a_boost(app: &TestApp) {
    let ten = json!({"amount": 10, "category": "MINDFULNESS"});
    let world = world(app, each("calm", "meditation.completed", &ten)).await;
    world.did([event("e1", "ada", "2026-11-20T10:00:00Z")]).await;
    assert_eq!(account(app, "MINDFULNESS").await, [10, 0, 0]);
    boosted(&world, None, json!([])).await;
    world
        .did([
            event("e2", "ada", "2026-11-20T11:00:00Z"),
            event("e3", "ada", "2026-11-21T10:00:00Z"),
        ])
        .await;
    assert_eq!(account(app, "MINDFULNESS").await, [40, 0, 0]);
    // What was earned in the boost is taken back as it was earned.
    world.took_back(&["e2"]).await;
    assert_eq!(account(app, "MINDFULNESS").await, [20, 0, 0]);
}

async fn a_boost_doubles_only_what_it_is_for(app: &TestApp) {
    let world = world(app, each("calm", "meditation.completed", &json!({"amount": 10}))).await;
    let long = json!([{"path": "properties.minutes", "op": "GTE", "value": 20}]);
    boosted(&world, Some("points"), long).await;
    let of = |id: &str, minutes: i64| {
        event(id, "ada", "2026-11-20T10:00:00Z").set("properties", json!({"minutes": minutes}))
    };
    world.did([of("e1", 30), of("e2", 5)]).await;
    assert_eq!(points(app).await, 30);
}

async fn a_streak_gives_a_hundred_points_once(app: &TestApp) {
    let streak = incentive_input(
        "daily",
        "meditation.completed",
        json!({"streak": {"length": 2}}),
        json!({"once": true}),
    );
    let world = world(
        app,
        with_points(streak, &json!({"amount": 100, "multiplier": "1.5"})),
    )
    .await;
    world.did([event("e1", "ada", "2026-11-18T10:00:00Z")]).await;
    assert_eq!(points(app).await, 0);
    world
        .did([
            event("e2", "ada", "2026-11-19T10:00:00Z"),
            event("e3", "ada", "2026-11-20T10:00:00Z"),
            event("e4", "ada", "2026-11-21T10:00:00Z"),
        ])
        .await;
    assert_eq!(points(app).await, 150);
}

async fn an_award_of_gold_members_is_boosted(app: &TestApp) {
    let count = incentive_input(
        "some",
        "meditation.completed",
        json!({"count": {"times": 1}}),
        json!({"once": true}),
    );
    let world = world(app, with_points(count, &json!({"amount": 100}))).await;
    world
        .register(vec![json!({"externalId": "gil", "attributes": {"plan": "gold"}})])
        .await;
    boosted(
        &world,
        None,
        json!([{"path": "member.attributes.plan", "op": "EQ", "value": "gold"}]),
    )
    .await;
    world
        .did([
            event("e1", "ada", "2026-11-20T10:00:00Z"),
            event("e2", "gil", "2026-11-20T10:00:00Z"),
        ])
        .await;
    assert_eq!(points(app).await, 300);
}

async fn an_event_that_is_sent_twice_earns_once(app: &TestApp) {
    let world = world(app, each("euros", "order.completed", &euros())).await;
    let one = || order("o1", "A", 2500, "2026-11-20T10:00:00Z");
    world.did([one()]).await;
    assert_eq!(world.backend().record([one().into()]).await, ["DUPLICATE"]);
    app.run_jobs().await;
    // Another event about the same order says nothing new.
    world.did([order("o2", "A", 2500, "2026-11-20T10:00:00Z")]).await;
    assert_eq!(points(app).await, 25);
}

async fn the_points_of_an_event_that_is_taken_back_go(app: &TestApp) {
    let world = world(app, each("calm", "meditation.completed", &json!({"amount": 10}))).await;
    world
        .did([
            event("e1", "ada", "2026-11-20T10:00:00Z"),
            event("e2", "ada", "2026-11-20T11:00:00Z"),
        ])
        .await;
    spend(&world, 15).await;
    // What of it was spent is taken from the others; the rest is forgiven.
    world.took_back(&["e1"]).await;
    assert_eq!(account(app, "points").await, [0, 0, 0]);
    world.took_back(&["e2"]).await;
    assert_eq!(account(app, "points").await, [0, 0, 0]);
}

async fn of_spent_points_only_what_is_left_goes_where_the_policy_says_so(app: &TestApp) {
    let ten = json!({"amount": 10, "onRetraction": "REVOKE_IF_UNUSED"});
    let world = world(app, each("calm", "meditation.completed", &ten)).await;
    world
        .did([
            event("e1", "ada", "2026-11-20T10:00:00Z"),
            event("e2", "ada", "2026-11-20T11:00:00Z"),
        ])
        .await;
    spend(&world, 6).await;
    world.took_back(&["e1"]).await;
    assert_eq!(points(app).await, 10);
}

async fn points_that_are_kept_are_kept(app: &TestApp) {
    let ten = json!({"amount": 10, "onRetraction": "KEEP"});
    let world = world(app, each("calm", "meditation.completed", &ten)).await;
    world.did([event("e1", "ada", "2026-11-20T10:00:00Z")]).await;
    world.took_back(&["e1"]).await;
    assert_eq!(points(app).await, 10);
}

async fn the_points_of_an_award_that_no_longer_holds_go(app: &TestApp) {
    let streak = incentive_input(
        "daily",
        "meditation.completed",
        json!({"streak": {"length": 2}}),
        json!({"once": true}),
    );
    let world = world(app, with_points(streak, &json!({"amount": 100}))).await;
    world
        .did([
            event("e1", "ada", "2026-11-18T10:00:00Z"),
            event("e2", "ada", "2026-11-19T10:00:00Z"),
        ])
        .await;
    world.took_back(&["e1"]).await;
    assert_eq!(points(app).await, 0);
    world.did([event("e3", "ada", "2026-11-20T10:00:00Z")]).await;
    assert_eq!(points(app).await, 100);
}

async fn what_is_sensitive_keeps_its_points(app: &TestApp) {
    let world = world(app, each("health", "health_data.logged", &json!({"amount": 10}))).await;
    world
        .did([event("e1", "ada", "2026-11-20T10:00:00Z").of("health_data.logged")])
        .await;
    world.took_back(&["e1"]).await;
    assert_eq!(points(app).await, 10);
    let sensitive = "SELECT count(*) AS count FROM points_entry WHERE sensitive";
    assert_eq!(app.count(sensitive).await, 1);
}

async fn a_stop_takes_back_what_was_earned_since(app: &TestApp) {
    let mut input = each("calm", "meditation.completed", &json!({"amount": 10}));
    input["unless"] = json!([{"eventType": "purchase.completed"}]);
    let world = world(app, input).await;
    world
        .did([
            event("e1", "ada", "2026-11-19T10:00:00Z"),
            event("e2", "ada", "2026-11-20T10:00:00Z"),
        ])
        .await;
    world
        .did([event("p1", "ada", "2026-11-19T12:00:00Z").of("purchase.completed")])
        .await;
    assert_eq!(points(app).await, 10);
    world.did([event("e3", "ada", "2026-11-20T11:00:00Z")]).await;
    assert_eq!(points(app).await, 10);
    world.took_back(&["p1"]).await;
    assert_eq!(points(app).await, 30);
}

async fn a_cap_cuts_to_the_same_sum_whatever_the_order(app: &TestApp) {
    let mut outcome = euros();
    outcome["cap"] = json!({"amount": 50, "window": "WEEK"});
    let world = world(app, each("euros", "order.completed", &outcome)).await;
    world
        .did([
            order("o1", "A", 3000, "2026-11-18T10:00:00Z"),
            order("o2", "B", 4000, "2026-11-19T10:00:00Z"),
        ])
        .await;
    assert_eq!(points(app).await, 50);
    // Forty of seventy go: thirty are left, and all of them fit.
    world.did([refund("r2", "B", 0, "2026-11-20T10:00:00Z")]).await;
    assert_eq!(points(app).await, 30);
    world.did([order("o3", "C", 1500, "2026-11-20T10:00:00Z")]).await;
    assert_eq!(points(app).await, 45);
    // A new week.
    world.did([order("o4", "D", 6000, "2026-11-15T10:00:00Z")]).await;
    assert_eq!(points(app).await, 95);
}

async fn a_cap_rejects_what_would_go_beyond_it(app: &TestApp) {
    let mut outcome = euros();
    outcome["cap"] = json!({"amount": 50, "window": "EVER", "excess": "REJECT"});
    let world = world(app, each("euros", "order.completed", &outcome)).await;
    for (id, name, total, wanted) in [
        ("o1", "A", 3000, 30),
        ("o2", "B", 4000, 30),
        ("o3", "C", 2000, 50),
    ] {
        world.did([order(id, name, total, "2026-11-18T10:00:00Z")]).await;
        assert_eq!(points(app).await, wanted, "{id}");
    }
    // What was rejected has nothing to give back, and stays rejected.
    world.did([refund("r2", "B", 0, "2026-11-20T10:00:00Z")]).await;
    assert_eq!(points(app).await, 50);
    world.did([refund("r1", "A", 0, "2026-11-20T10:00:00Z")]).await;
    world.took_back(&["r2"]).await;
    assert_eq!(points(app).await, 20);
}

async fn what_a_cap_has_cut_is_taken_back_last(app: &TestApp) {
    let ten = json!({"amount": 10, "cap": {"amount": 15, "window": "DAY"}});
    let world = world(app, each("calm", "meditation.completed", &ten)).await;
    world
        .did((1..=3).map(|place| event(&format!("e{place}"), "ada", "2026-11-20T10:00:00Z")))
        .await;
    assert_eq!(points(app).await, 15);
    for (id, wanted) in [("e1", 15), ("e2", 10), ("e3", 0)] {
        world.took_back(&[id]).await;
        assert_eq!(points(app).await, wanted, "{id}");
    }
}

async fn points_end_with_a_day_of_the_program_and_months_are_those_of_the_calendar(app: &TestApp) {
    app.set_clock("2027-01-31T11:30:00Z");
    let world = World::new(app).await;
    world.members(&["ada"]).await;
    world
        .program(json!({"key": "far", "timeZone": "Pacific/Auckland"}))
        .await;
    let mut input = each(
        "calm",
        "meditation.completed",
        &json!({"amount": 10, "expiresAfter": "P1M"}),
    );
    input["program"] = json!("far");
    world.incentive(input).await;
    world.did([event("e1", "ada", "2027-01-31T10:00:00Z")]).await;
    // In Auckland it is the last of January by then, and the last of February is the end.
    let end = Timestamp::from(crate::harness::at("2027-02-28T11:00:00Z")).0;
    let sql = format!("SELECT count(*) AS count FROM points_lot WHERE expires_at = {end}");
    assert_eq!(app.count(&sql).await, 0);
    let end = Timestamp::from(crate::harness::at("2027-03-01T11:00:00Z")).0;
    let sql = format!("SELECT count(*) AS count FROM points_lot WHERE expires_at = {end}");
    assert_eq!(app.count(&sql).await, 1);
}

async fn points_are_pending_until_they_become_active(app: &TestApp) {
    let ten = json!({"amount": 10, "pendingFor": "P14D", "expiresAfter": "P1Y"});
    let world = world(app, each("calm", "meditation.completed", &ten)).await;
    world.did([event("e1", "ada", "2026-11-20T10:00:00Z")]).await;
    assert_eq!(account(app, "points").await, [0, 10, 0]);
    let [active, end] = ["2026-12-05T12:00:00Z", "2027-12-06T00:00:00Z"]
        .map(|instant| Timestamp::from(crate::harness::at(instant)).0);
    let zone = "SELECT count(*) AS count FROM employer WHERE time_zone = 'UTC'";
    assert_eq!(app.count(zone).await, 1);
    let sql = format!(
        "SELECT count(*) AS count FROM points_lot WHERE active_from = {active} AND expires_at = {end} AND NOT is_active"
    );
    assert_eq!(app.count(&sql).await, 1);
    // What is pending is taken back like anything else.
    world.took_back(&["e1"]).await;
    assert_eq!(account(app, "points").await, [0, 0, 0]);
}

async fn points_without_an_achievement_show_none_and_tell_nobody(app: &TestApp) {
    let count = incentive_input(
        "some",
        "meditation.completed",
        json!({"count": {"times": 1}}),
        json!({"unlimited": true}),
    );
    let world = world(app, with_points(count, &json!({"amount": 5}))).await;
    world.did([event("e1", "ada", "2026-11-20T10:00:00Z")]).await;
    assert_eq!(points(app).await, 5);
    assert_eq!(world.times("ada", "some").await, 0);
    let all = world
        .admin()
        .data("{ achievements { nodes { id } } }", json!({}))
        .await;
    assert_eq!(all["achievements"]["nodes"], json!([]));
    assert_eq!(world.feed_length().await, 0);
    let hidden = "SELECT count(*) AS count FROM achievement WHERE hidden AND title = 'some'";
    assert_eq!(app.count(hidden).await, 1);
    world.took_back(&["e1"]).await;
    assert_eq!(points(app).await, 0);
    assert_eq!(world.feed_length().await, 0);
}

async fn an_award_that_nobody_is_shown_counts_for_what_is_built_on_it(app: &TestApp) {
    let count = incentive_input(
        "some",
        "meditation.completed",
        json!({"count": {"times": 1}}),
        json!({"once": true}),
    );
    let world = world(app, with_points(count, &json!({"amount": 5}))).await;
    world
        .incentive(json!({
            "program": "wellbeing", "key": "all", "name": "All", "structure": {"achievements": {"of": ["some"]}},
            "outcomes": [{"points": {"amount": 50}}],
        }))
        .await;
    world.did([event("e1", "ada", "2026-11-20T10:00:00Z")]).await;
    assert_eq!(points(app).await, 55);
    world.took_back(&["e1"]).await;
    assert_eq!(points(app).await, 0);
}

async fn an_incentive_gives_points_of_several_categories(app: &TestApp) {
    let mut input = each("euros", "order.completed", &euros());
    let outcomes = json!([{"achievement": {"title": "Bought"}}, {"points": euros()}, {"points": {"category": "B", "amount": 3}}]);
    input["outcomes"] = outcomes;
    let world = world(app, input).await;
    boosted(&world, Some("B"), json!([])).await;
    world.did([order("o1", "A", 2500, "2026-11-20T10:00:00Z")]).await;
    assert_eq!(
        (account(app, "points").await[0], account(app, "B").await[0]),
        (25, 6)
    );
    assert_eq!(world.times("ada", "euros").await, 1);
    // A refund is about what there was for each unit.
    world.did([refund("r1", "A", 500, "2026-11-20T11:00:00Z")]).await;
    assert_eq!(
        (account(app, "points").await[0], account(app, "B").await[0]),
        (5, 6)
    );
    world.took_back(&["o1"]).await;
    assert_eq!(
        (account(app, "points").await[0], account(app, "B").await[0]),
        (0, 0)
    );
}

const OUTCOMES: &str = "{ program(key: \"wellbeing\") { incentives { version { outcomes {
    ... on AchievementOutcome { title }
    ... on PointsOutcome { category amount multiplier expiresAfter pendingFor onRetraction
        perUnit { property points rounding } cap { amount window excess } refund { eventType match shortfall } }
} } } } }";

async fn outcomes_are_shown_as_they_were_said(app: &TestApp) {
    let full = json!({
        "category": "MILES", "perUnit": {"property": "total", "points": "0.010"}, "multiplier": "1.50", "expiresAfter": "P18M",
        "pendingFor": "P14D", "cap": {"amount": 1000, "window": "MONTH"}, "refund": {"eventType": "order.refunded", "match": "order"},
        "onRetraction": "REVOKE",
    });
    let mut input = each("euros", "order.completed", &full);
    input["outcomes"] = json!([{"achievement": {"title": "Bought"}}, {"points": full}]);
    let world = world(app, input).await;
    let shown = world.admin().data(OUTCOMES, json!({})).await;
    let outcomes = &shown["program"]["incentives"][0]["version"]["outcomes"];
    assert_eq!(outcomes[0], json!({"title": "Bought"}));
    assert_eq!(
        outcomes[1],
        json!({
            "category": "MILES", "amount": null, "multiplier": "1.5", "expiresAfter": "P1Y6M", "pendingFor": "P14D",
            "onRetraction": "REVOKE", "perUnit": {"property": "total", "points": "0.01", "rounding": "DOWN"},
            "cap": {"amount": 1000, "window": "MONTH", "excess": "CUT"},
            "refund": {"eventType": "order.refunded", "match": "order", "shortfall": "FORGIVE"},
        })
    );
}

async fn outcomes_that_make_no_sense_are_refused(app: &TestApp) {
    let world = World::new(app).await;
    let refused = async |input: Value| {
        world
            .admin()
            .fault("createIncentive", input, "incentive { key }")
            .await
    };
    for (outcome, code, path) in [
        (json!({"points": {}}), "INVALID_INPUT", "outcomes.0.points"),
        (
            json!({"points": {"amount": 0}}),
            "INVALID_INPUT",
            "outcomes.0.points.amount",
        ),
        (
            json!({"points": {"perUnit": {"property": "totla", "points": "1"}}}),
            "INVALID_INPUT",
            "outcomes.0.points.perUnit.property",
        ),
        (
            json!({"points": {"amount": 1, "expiresAfter": "PT0S"}}),
            "INVALID_INPUT",
            "outcomes.0.points.expiresAfter",
        ),
        (
            json!({"reward": {"reward": "mug"}}),
            "NOT_FOUND",
            "outcomes.0.reward.reward",
        ),
    ] {
        let mut input = each("euros", "order.completed", &euros());
        input["outcomes"] = json!([outcome]);
        assert_eq!(
            refused(input).await,
            (code.to_owned(), path.to_owned()),
            "{outcome}"
        );
    }
    let mut input = each("euros", "order.completed", &euros());
    input["limit"] = json!({"once": true});
    let wanted = ("INVALID_INPUT".to_owned(), "outcomes.0.points.perUnit".to_owned());
    assert_eq!(refused(input).await, wanted);
}

async fn a_dry_run_says_how_many_points_there_would_be(app: &TestApp) {
    let world = World::new(app).await;
    boosted(&world, None, json!([])).await;
    let mut outcome = euros();
    outcome["cap"] = json!({"amount": 70, "window": "WEEK"});
    let input = each("euros", "order.completed", &outcome);
    let events: Vec<Value> = [
        order("o1", "A", 2500, "2026-11-20T10:00:00Z"),
        order("o2", "B", 1000, "2026-11-21T10:00:00Z"),
        order("o3", "C", 2500, "2026-11-21T11:00:00Z"),
    ]
    .map(Value::from)
    .into();
    let query =
        "query($input: SimulateInput!) { simulate(input: $input) { awards { points } userErrors { path } } }";
    let asked = json!({"input": {"incentive": input, "events": events}});
    let data = world.admin().data(query, asked).await;
    assert_eq!(
        data["simulate"],
        json!({"awards": [{"points": 50}, {"points": 10}, {"points": 10}], "userErrors": []})
    );
}

async fn a_dry_run_takes_refunds_off_and_counts_an_order_once(app: &TestApp) {
    let world = World::new(app).await;
    let input = each("euros", "order.completed", &euros());
    let events: Vec<Value> = [
        refund("r2", "A", 500, "2026-11-20T13:00:00Z"),
        order("o1", "A", 2500, "2026-11-20T10:00:00Z"),
        refund("r1", "A", 2000, "2026-11-20T11:00:00Z"),
        order("o2", "B", 1000, "2026-11-21T09:00:00Z"),
        order("o3", "B", 1500, "2026-11-21T10:00:00Z"),
        order("o4", "C", 700, "2026-11-21T11:00:00Z"),
        refund("r3", "C", 900, "2026-11-21T11:30:00Z"),
    ]
    .map(Value::from)
    .into();
    let query =
        "query($input: SimulateInput!) { simulate(input: $input) { awards { points } userErrors { path } } }";
    let asked = json!({"input": {"incentive": input.clone(), "events": events.clone()}});
    let data = world.admin().data(query, asked).await;
    assert_eq!(
        data["simulate"],
        json!({"awards": [{"points": 5}, {"points": 0}, {"points": 15}, {"points": 7}], "userErrors": []})
    );
    // And what comes to pass is what was foretold.
    world.members(&["ada"]).await;
    world.incentive(input).await;
    let statuses = world.backend().record(events).await;
    assert!(statuses.iter().all(|status| status == "ACCEPTED"), "{statuses:?}");
    app.run_jobs().await;
    assert_eq!(points(app).await, 27);
}

async fn nothing_is_kept_of_what_a_member_earned_points_for_once_it_is_erased(app: &TestApp) {
    let mut outcome = euros();
    outcome["cap"] = json!({"amount": 70, "window": "WEEK"});
    let world = world(app, each("euros", "order.completed", &outcome)).await;
    world
        .did([
            order("o1", "A", 2500, "2026-11-20T10:00:00Z"),
            refund("r1", "A", 500, "2026-11-20T11:00:00Z"),
        ])
        .await;
    let tables = ["earning", "refund", "points_cap"];
    for table in tables {
        let sql = format!("SELECT count(*) AS count FROM {table}");
        assert_eq!(app.count(&sql).await, 1, "{table}");
    }
    let _: MemberId = world.member_id("ada").await;
    world
        .by("member:any members:write")
        .change("eraseMember", json!({"member": "ada"}), "erased")
        .await;
    for table in tables {
        let sql = format!("SELECT count(*) AS count FROM {table}");
        assert_eq!(app.count(&sql).await, 0, "{table}");
    }
    assert_eq!(points(app).await, 5);
}
