//! Points that wait for an event: an order earns, and its delivery makes that spendable.

use entity::clock::Timestamp;
use serde_json::{Value, json};

use super::{account, each, order, points, refund};
use crate::harness::{Event, TestApp, World, at};

on_both!(
    the_points_of_an_order_can_be_spent_once_it_is_delivered,
    an_order_that_was_delivered_before_it_was_reported_need_not_wait,
    a_delivery_releases_its_own_order_alone,
    what_is_left_of_an_order_is_released,
    points_wait_and_end_from_the_delivery_on,
    a_delivery_that_did_not_happen_takes_nothing_back,
    an_order_without_a_name_waits_for_ever,
    an_order_waits_for_what_its_own_version_says,
    what_cannot_be_released_is_refused,
);

/// A point for each whole euro, to be spent once the order is delivered.
fn delivered_euros() -> Value {
    let refund = json!({"eventType": "order.refunded", "match": "order"});
    json!({
        "perUnit": {"property": "total", "points": "0.01"}, "refund": refund,
        "pendingUntil": {"eventType": "order.delivered", "match": "order"},
    })
}

fn delivery(id: &str, name: &str) -> Event {
    order(id, name, 1, "2026-11-20T20:00:00Z").of("order.delivered")
}

/// Ada, in a shop that reports deliveries.
async fn shop(app: &TestApp) -> World<'_> {
    let world = World::new(app).await;
    world.members(&["ada"]).await;
    for key in ["order.delivered", "order.shipped"] {
        let input = json!({"key": key, "name": key});
        world
            .admin()
            .change("createEventType", input, "eventType { key }")
            .await;
    }
    world
}

async fn earning<'a>(app: &'a TestApp, points: &Value) -> World<'a> {
    let world = shop(app).await;
    world.incentive(each("euros", "order.completed", points)).await;
    world
}

async fn the_points_of_an_order_can_be_spent_once_it_is_delivered(app: &TestApp) {
    let world = earning(app, &delivered_euros()).await;
    world.did([order("o1", "A", 1_050, "2026-11-20T10:00:00Z")]).await;
    assert_eq!(account(app, "points").await, [0, 10, 0]);
    let query = "{ member(externalId: \"ada\") { points { available pending nextExpiry } } }";
    let shown = world.shop().data(query, json!({})).await;
    let waiting = json!([{"available": 0, "pending": 10, "nextExpiry": null}]);
    assert_eq!(shown["member"]["points"], waiting);
    // However often it is said.
    for id in ["d1", "d2"] {
        world.did([delivery(id, "A")]).await;
        assert_eq!(account(app, "points").await, [10, 0, 0]);
    }
    // What is said of the order later need not wait again.
    world.did([order("o2", "A", 1_200, "2026-11-20T11:00:00Z")]).await;
    assert_eq!(account(app, "points").await, [12, 0, 0]);
}

async fn an_order_that_was_delivered_before_it_was_reported_need_not_wait(app: &TestApp) {
    let world = earning(app, &delivered_euros()).await;
    world.did([delivery("d1", "A")]).await;
    assert_eq!(account(app, "points").await, [0, 0, 0]);
    world.did([order("o1", "A", 1_000, "2026-11-20T10:00:00Z")]).await;
    assert_eq!(account(app, "points").await, [10, 0, 0]);
}

async fn a_delivery_releases_its_own_order_alone(app: &TestApp) {
    let world = earning(app, &delivered_euros()).await;
    let orders = [
        order("o1", "A", 1_000, "2026-11-20T10:00:00Z"),
        order("o2", "B", 2_000, "2026-11-20T11:00:00Z"),
    ];
    world.did(orders).await;
    world.did([delivery("d1", "B"), delivery("d2", "C")]).await;
    assert_eq!(account(app, "points").await, [20, 10, 0]);
}

async fn what_is_left_of_an_order_is_released(app: &TestApp) {
    let world = earning(app, &delivered_euros()).await;
    world.did([order("o1", "A", 3_000, "2026-11-20T10:00:00Z")]).await;
    world
        .did([refund("r1", "A", 2_000, "2026-11-20T12:00:00Z")])
        .await;
    assert_eq!(account(app, "points").await, [0, 20, 0]);
    // In one batch: a delivery, and a refund of what it releases.
    let both = [
        delivery("d1", "A"),
        refund("r2", "A", 500, "2026-11-20T21:00:00Z"),
    ];
    world.did(both).await;
    assert_eq!(account(app, "points").await, [5, 0, 0]);
    world.took_back(&["o1"]).await;
    assert_eq!(account(app, "points").await, [0, 0, 0]);
}

async fn points_wait_and_end_from_the_delivery_on(app: &TestApp) {
    let ten = json!({
        "amount": 10, "pendingFor": "P14D", "expiresAfter": "P1Y",
        "pendingUntil": {"eventType": "order.delivered", "match": "order"},
    });
    let world = earning(app, &ten).await;
    world.did([order("o1", "A", 1_000, "2026-11-20T10:00:00Z")]).await;
    app.set_clock("2026-11-24T12:00:00Z");
    let delivered = order("d1", "A", 1, "2026-11-24T10:00:00Z").of("order.delivered");
    world.did([delivered]).await;
    assert_eq!(account(app, "points").await, [0, 10, 0]);
    let [active, end] =
        ["2026-12-08T12:00:00Z", "2027-12-09T00:00:00Z"].map(|instant| Timestamp::from(at(instant)).0);
    let sql = format!(
        "SELECT count(*) AS count FROM points_lot WHERE active_from = {active} AND expires_at = {end} AND NOT is_active"
    );
    assert_eq!(app.count(&sql).await, 1);
}

async fn a_delivery_that_did_not_happen_takes_nothing_back(app: &TestApp) {
    let world = earning(app, &delivered_euros()).await;
    world.did([order("o1", "A", 1_000, "2026-11-20T10:00:00Z")]).await;
    world.did([delivery("d1", "A")]).await;
    world.took_back(&["d1"]).await;
    assert_eq!(account(app, "points").await, [10, 0, 0]);
}

async fn an_order_without_a_name_waits_for_ever(app: &TestApp) {
    let ten = json!({"amount": 10, "pendingUntil": {"eventType": "order.delivered", "match": "parcel"}});
    let world = shop(app).await;
    world.incentive(each("ten", "order.delivered", &ten)).await;
    world.did([delivery("d1", "A"), delivery("d2", "A")]).await;
    assert_eq!(account(app, "points").await, [0, 20, 0]);
}

async fn an_order_waits_for_what_its_own_version_says(app: &TestApp) {
    let world = earning(app, &delivered_euros()).await;
    world.did([order("o1", "A", 1_000, "2026-11-20T10:00:00Z")]).await;
    let mut shipped = delivered_euros();
    shipped["pendingUntil"]["eventType"] = json!("order.shipped");
    let mut input = each("euros", "order.completed", &shipped);
    for field in ["key", "name", "program", "description"] {
        input.as_object_mut().unwrap().remove(field);
    }
    input["incentive"] = json!("euros");
    world
        .admin()
        .change("publishIncentive", input, "incentive { key }")
        .await;
    app.set_clock("2026-11-21T13:00:00Z");
    world.did([order("o2", "B", 2_000, "2026-11-21T12:30:00Z")]).await;
    assert_eq!(account(app, "points").await, [0, 30, 0]);
    let other = |id: &str, name: &str| delivery(id, name).of("order.shipped");
    world.did([other("s1", "A"), delivery("d1", "B")]).await;
    assert_eq!(points(app).await, 0);
    world.did([other("s2", "B")]).await;
    assert_eq!(account(app, "points").await, [20, 10, 0]);
    world.did([delivery("d2", "A")]).await;
    assert_eq!(account(app, "points").await, [30, 0, 0]);
}

async fn what_cannot_be_released_is_refused(app: &TestApp) {
    let world = shop(app).await;
    let mut streak = each("euros", "order.completed", &delivered_euros());
    streak["outcomes"][0]["points"] =
        json!({"amount": 1, "pendingUntil": {"eventType": "order.delivered", "match": "order"}});
    streak["structure"] = json!({"streak": {"length": 3}});
    let mut nothing = each("euros", "order.completed", &delivered_euros());
    nothing["outcomes"][0]["points"]["pendingUntil"]["eventType"] = json!("order.lost");
    let mut two_names = each("euros", "order.completed", &delivered_euros());
    two_names["outcomes"][0]["points"]["pendingUntil"]["match"] = json!("parcel");
    for (input, path) in [
        (streak, "outcomes.0.points.pendingUntil"),
        (nothing, "outcomes.0.points.pendingUntil.eventType"),
        (two_names, "outcomes.0.points.pendingUntil.match"),
    ] {
        let (code, found) = world
            .admin()
            .fault("createIncentive", input, "incentive { key }")
            .await;
        assert_eq!((code.as_str(), found.as_str()), ("INVALID_INPUT", path));
    }
}
