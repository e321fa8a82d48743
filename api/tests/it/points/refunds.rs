//! Refunds of orders that points were given for.

use serde_json::{Value, json};

use super::{account, each, euros, order, points, refund, spend, world};
use crate::harness::{Event, TestApp, World};

on_both!(
    a_refund_takes_back_the_points_of_what_is_not_left,
    a_refund_that_comes_before_its_order_counts_when_the_order_comes,
    refunds_in_any_order_and_split_end_as_one,
    a_refund_that_is_taken_back_gives_the_points_again,
    what_is_missing_of_spent_points_is_forgiven,
    what_is_missing_of_spent_points_is_netted,
    a_new_version_does_not_change_what_a_refund_takes_back,
    orders_are_refunded_whether_or_not_the_program_goes_on,
    an_order_that_is_taken_back_and_sent_anew_is_refunded_as_before,
    a_refund_of_what_nobody_ordered_changes_nothing,
    the_latest_word_on_an_order_counts,
    behind_the_horizon_refunds_are_forgotten_and_what_they_left_stays,
);

fn netted() -> Value {
    let mut outcome = euros();
    outcome["refund"]["shortfall"] = json!("NET");
    outcome
}

async fn a_refund_takes_back_the_points_of_what_is_not_left(app: &TestApp) {
    let world = world(app, each("euros", "order.completed", &euros())).await;
    world.did([order("o1", "A", 2599, "2026-11-20T10:00:00Z")]).await;
    world.did([refund("r1", "A", 1050, "2026-11-20T11:00:00Z")]).await;
    assert_eq!(points(app).await, 10);
    world.did([refund("r2", "A", 0, "2026-11-20T12:00:00Z")]).await;
    assert_eq!(points(app).await, 0);
}

async fn a_refund_that_comes_before_its_order_counts_when_the_order_comes(app: &TestApp) {
    let world = world(app, each("euros", "order.completed", &euros())).await;
    world.did([refund("r1", "A", 1000, "2026-11-20T11:00:00Z")]).await;
    assert_eq!(points(app).await, 0);
    world.did([order("o1", "A", 2500, "2026-11-20T10:00:00Z")]).await;
    assert_eq!(points(app).await, 10);
    // In one batch as well.
    world
        .did([
            refund("r2", "B", 500, "2026-11-20T11:00:00Z"),
            order("o2", "B", 2500, "2026-11-20T10:00:00Z"),
        ])
        .await;
    assert_eq!(points(app).await, 15);
}

async fn refunds_in_any_order_and_split_end_as_one(app: &TestApp) {
    let world = world(app, each("euros", "order.completed", &euros())).await;
    let all = || -> [Event; 4] {
        [
            order("o1", "A", 2599, "2026-11-20T10:00:00Z"),
            refund("r1", "A", 2050, "2026-11-20T11:00:00Z"),
            refund("r2", "A", 999, "2026-11-20T12:00:00Z"),
            refund("r3", "A", 250, "2026-11-20T13:00:00Z"),
        ]
    };
    for (place, event) in all().into_iter().rev().enumerate() {
        world.did([event]).await;
        assert_eq!(points(app).await, if place < 3 { 0 } else { 2 });
    }
    world.did([refund("r4", "A", 0, "2026-11-20T14:00:00Z")]).await;
    assert_eq!(points(app).await, 0);
    let other = World::named(app, "other", "gym").await;
    other.members(&["ada"]).await;
    other.incentive(each("euros", "order.completed", &euros())).await;
    let [order, first, second, third] = all();
    other.did([second, order]).await;
    assert_eq!(points(app).await, 9);
    other.did([first]).await;
    assert_eq!(points(app).await, 9);
    other.did([third]).await;
    assert_eq!(points(app).await, 2);
}

async fn a_refund_that_is_taken_back_gives_the_points_again(app: &TestApp) {
    let world = world(app, each("euros", "order.completed", &euros())).await;
    world
        .did([
            order("o1", "A", 2500, "2026-11-20T10:00:00Z"),
            refund("r1", "A", 2000, "2026-11-20T11:00:00Z"),
            refund("r2", "A", 500, "2026-11-20T12:00:00Z"),
        ])
        .await;
    assert_eq!(points(app).await, 5);
    world.took_back(&["r1"]).await;
    assert_eq!(points(app).await, 5);
    world.took_back(&["r2"]).await;
    assert_eq!(points(app).await, 25);
}

async fn what_is_missing_of_spent_points_is_forgiven(app: &TestApp) {
    let world = world(app, each("euros", "order.completed", &euros())).await;
    world
        .did([
            order("o1", "A", 2500, "2026-11-20T10:00:00Z"),
            order("o2", "B", 500, "2026-11-20T10:00:00Z"),
        ])
        .await;
    spend(&world, 20).await;
    world.did([refund("r1", "A", 0, "2026-11-20T11:00:00Z")]).await;
    assert_eq!(account(app, "points").await, [0, 0, 0]);
    world.did([order("o3", "C", 3000, "2026-11-20T12:00:00Z")]).await;
    assert_eq!(points(app).await, 30);
}

async fn what_is_missing_of_spent_points_is_netted(app: &TestApp) {
    let world = world(app, each("euros", "order.completed", &netted())).await;
    world.did([order("o1", "A", 2500, "2026-11-20T10:00:00Z")]).await;
    spend(&world, 20).await;
    world.did([refund("r1", "A", 0, "2026-11-20T11:00:00Z")]).await;
    assert_eq!(account(app, "points").await, [0, 0, 20]);
    world.did([order("o2", "B", 3000, "2026-11-20T12:00:00Z")]).await;
    assert_eq!(account(app, "points").await, [10, 0, 0]);
}

async fn a_new_version_does_not_change_what_a_refund_takes_back(app: &TestApp) {
    let world = world(app, each("euros", "order.completed", &euros())).await;
    world.did([order("o1", "A", 2500, "2026-11-20T10:00:00Z")]).await;
    let mut next = each("euros", "order.completed", &euros());
    next["outcomes"][0]["points"]["perUnit"]["points"] = json!("0.1");
    let mut input = json!({"incentive": "euros"});
    for field in ["trigger", "structure", "limit", "outcomes"] {
        input[field] = next[field].clone();
    }
    world
        .admin()
        .change("publishIncentive", input, "incentive { key } version")
        .await;
    app.set_clock("2026-11-21T13:00:00Z");
    world.did([refund("r1", "A", 1000, "2026-11-21T12:30:00Z")]).await;
    assert_eq!(points(app).await, 10);
    world.did([order("o2", "B", 1000, "2026-11-21T12:30:00Z")]).await;
    assert_eq!(points(app).await, 110);
}

async fn orders_are_refunded_whether_or_not_the_program_goes_on(app: &TestApp) {
    let world = world(app, each("euros", "order.completed", &euros())).await;
    world.did([order("o1", "A", 9000, "2026-11-20T10:00:00Z")]).await;
    world
        .change_program("pauseProgram", json!({"program": "wellbeing"}))
        .await;
    world.did([refund("r1", "A", 6000, "2026-11-20T11:00:00Z")]).await;
    assert_eq!(points(app).await, 60);
    world
        .change_program("activateProgram", json!({"program": "wellbeing"}))
        .await;
    world
        .admin()
        .change(
            "retireIncentive",
            json!({"incentive": "euros"}),
            "incentive { key }",
        )
        .await;
    app.set_clock("2026-11-21T13:00:00Z");
    world.did([refund("r2", "A", 3000, "2026-11-21T12:30:00Z")]).await;
    assert_eq!(points(app).await, 30);
    world
        .change_program("endProgram", json!({"program": "wellbeing"}))
        .await;
    app.set_clock("2026-11-21T14:00:00Z");
    world.did([refund("r3", "A", 0, "2026-11-21T13:30:00Z")]).await;
    assert_eq!(points(app).await, 0);
}

async fn an_order_that_is_taken_back_and_sent_anew_is_refunded_as_before(app: &TestApp) {
    let world = world(app, each("euros", "order.completed", &euros())).await;
    world
        .did([
            order("o1", "A", 2500, "2026-11-20T10:00:00Z"),
            refund("r1", "A", 1000, "2026-11-20T11:00:00Z"),
        ])
        .await;
    world.took_back(&["o1"]).await;
    assert_eq!(points(app).await, 0);
    world.did([order("o2", "A", 2400, "2026-11-20T10:00:00Z")]).await;
    assert_eq!(points(app).await, 10);
    world.took_back(&["r1"]).await;
    assert_eq!(points(app).await, 24);
}

async fn a_refund_of_what_nobody_ordered_changes_nothing(app: &TestApp) {
    let world = world(app, each("euros", "order.completed", &euros())).await;
    world.did([order("o1", "A", 2500, "2026-11-20T10:00:00Z")]).await;
    world.did([refund("r1", "B", 0, "2026-11-20T11:00:00Z")]).await;
    world.took_back(&["r1"]).await;
    assert_eq!(points(app).await, 25);
    assert_eq!(app.count("SELECT count(*) AS count FROM refund").await, 0);
}

async fn the_latest_word_on_an_order_counts(app: &TestApp) {
    let world = world(app, each("euros", "order.completed", &euros())).await;
    world.did([order("o2", "A", 3000, "2026-11-20T11:00:00Z")]).await;
    world.did([order("o1", "A", 2500, "2026-11-20T10:00:00Z")]).await;
    assert_eq!(points(app).await, 30);
    world.took_back(&["o2"]).await;
    assert_eq!(points(app).await, 25);
    world.took_back(&["o1"]).await;
    assert_eq!(points(app).await, 0);
}

async fn behind_the_horizon_refunds_are_forgotten_and_what_they_left_stays(app: &TestApp) {
    let world = world(app, each("euros", "order.completed", &euros())).await;
    world
        .did([
            order("o1", "A", 2500, "2026-11-20T10:00:00Z"),
            refund("r1", "A", 1000, "2026-11-20T11:00:00Z"),
            order("o2", "B", 2500, "2026-11-20T10:00:00Z"),
        ])
        .await;
    world.took_back(&["o2"]).await;
    let earnings = "SELECT count(*) AS count FROM earning";
    assert_eq!(app.count(earnings).await, 2);
    app.set_clock("2027-02-21T12:00:00Z");
    jobs::purge::run(&app.app.jobs).await.unwrap();
    assert_eq!(app.count("SELECT count(*) AS count FROM refund").await, 0);
    assert_eq!(app.count(earnings).await, 1);
    world.did([refund("r2", "A", 400, "2027-02-20T11:00:00Z")]).await;
    assert_eq!(points(app).await, 4);
    // Nobody knows any more what was left before.
    world.took_back(&["r2"]).await;
    assert_eq!(points(app).await, 25);
}
