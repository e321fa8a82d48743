//! Many at once: exactly as many win as can, and every other one is told why.

use std::collections::BTreeMap;

use futures_util::future::{join, join_all};
use serde_json::{Value, json};

use crate::harness::{TestApp, World, event};

on_both!(
    out_of_one_balance_exactly_as_many_are_had_as_it_pays_for,
    the_last_one_has_one_winner,
    no_member_has_more_than_the_limit,
    one_key_redeems_once_however_many_bring_it,
    a_redemption_is_either_fulfilled_or_called_off,
    what_has_waited_too_long_is_given_back_once,
    what_is_refunded_is_either_taken_back_or_owed,
);

/// How often each thing was answered: `OK` or the code of what is wrong.
fn tally<'a>(payloads: impl IntoIterator<Item = &'a Value>) -> BTreeMap<String, usize> {
    let mut tally = BTreeMap::new();
    for payload in payloads {
        let code = payload["userErrors"][0]["code"].as_str().unwrap_or("OK");
        *tally.entry(code.to_owned()).or_default() += 1;
    }
    tally
}

fn answers(expected: &[(&str, usize)]) -> BTreeMap<String, usize> {
    expected
        .iter()
        .map(|(code, count)| ((*code).to_owned(), *count))
        .collect()
}

async fn out_of_one_balance_exactly_as_many_are_had_as_it_pays_for(app: &TestApp) {
    let world = World::new(app).await;
    world
        .reward(json!({"key": "gift", "price": 100, "fulfilledBy": "spa"}))
        .await;
    world.members(&["ada"]).await;
    world.give_points("ada", "points", 700).await;
    world.give_points("ada", "points", 350).await;
    let keys: Vec<String> = (0..200).map(|number| format!("k{number}")).collect();
    let payloads = join_all(keys.iter().map(|key| world.redeem("ada", "gift", key))).await;
    assert_eq!(
        tally(&payloads),
        answers(&[("OK", 10), ("INSUFFICIENT_POINTS", 190)])
    );
    assert_eq!(world.points("ada", "points").await, 50);
    assert_eq!(world.redemptions("ada").await, ["HELD"; 10]);
    assert_eq!(world.feed_length().await, 10);
}

async fn the_last_one_has_one_winner(app: &TestApp) {
    let world = World::new(app).await;
    world
        .reward(json!({"key": "gift", "price": 0, "stock": 1, "fulfilledBy": "spa"}))
        .await;
    let names: Vec<String> = (0..200).map(|number| format!("m{number}")).collect();
    world
        .members(&names.iter().map(String::as_str).collect::<Vec<_>>())
        .await;
    let payloads = join_all(names.iter().map(|name| world.redeem(name, "gift", name))).await;
    assert_eq!(tally(&payloads), answers(&[("OK", 1), ("OUT_OF_STOCK", 199)]));
    assert_eq!(world.stock("gift").await, 0);
    assert_eq!(world.feed_length().await, 1);
}

async fn no_member_has_more_than_the_limit(app: &TestApp) {
    let world = World::new(app).await;
    world
        .reward(json!({"key": "gift", "price": 0, "perMember": 3, "stock": 1000}))
        .await;
    world.members(&["ada"]).await;
    let keys: Vec<String> = (0..50).map(|number| format!("k{number}")).collect();
    let payloads = join_all(keys.iter().map(|key| world.redeem("ada", "gift", key))).await;
    assert_eq!(tally(&payloads), answers(&[("OK", 3), ("LIMIT_REACHED", 47)]));
    assert_eq!(world.stock("gift").await, 997);
}

async fn one_key_redeems_once_however_many_bring_it(app: &TestApp) {
    let world = World::new(app).await;
    world
        .reward(json!({"key": "gift", "price": 100, "stock": 50, "fulfilledBy": "spa"}))
        .await;
    world.members(&["ada"]).await;
    world.give_points("ada", "points", 10_000).await;
    let payloads = join_all((0..50).map(|_| world.redeem("ada", "gift", "once"))).await;
    assert_eq!(tally(&payloads), answers(&[("OK", 50)]));
    assert!(payloads.windows(2).all(|pair| pair[0] == pair[1]));
    assert_eq!(world.points("ada", "points").await, 9_900);
    assert_eq!(world.stock("gift").await, 49);
    assert_eq!(world.feed_length().await, 1);
}

async fn a_redemption_is_either_fulfilled_or_called_off(app: &TestApp) {
    const ROUNDS: usize = 20;
    let world = World::new(app).await;
    world
        .reward(json!({"key": "gift", "price": 100, "stock": 100}))
        .await;
    world.members(&["ada"]).await;
    world.give_points("ada", "points", 2_000).await;
    let mut ids = Vec::new();
    for round in 0..ROUNDS {
        ids.push(world.redeemed("ada", "gift", &format!("k{round}")).await);
    }
    let shop = world.shop();
    let select = "redemption { status }";
    let pairs = ids.iter().map(|id| {
        join(
            shop.mutate(
                "cancelRedemption",
                json!({"redemption": id, "reason": "mistake"}),
                select,
            ),
            shop.mutate(
                "fulfilRedemption",
                json!({"redemption": id, "reference": "x"}),
                select,
            ),
        )
    });
    let outcomes = join_all(pairs).await;
    let mut cancelled = 0;
    for (cancel, fulfil) in &outcomes {
        assert_eq!(
            tally([cancel, fulfil]),
            answers(&[("OK", 1), ("INVALID_STATE", 1)])
        );
        cancelled += i64::from(cancel["userErrors"] == json!([]));
    }
    assert_eq!(world.points("ada", "points").await, cancelled * 100);
    let stock = 100 - i64::try_from(ROUNDS).unwrap() + cancelled;
    assert_eq!(world.stock("gift").await, stock);
}

async fn what_has_waited_too_long_is_given_back_once(app: &TestApp) {
    const HELD: usize = 20;
    let world = World::new(app).await;
    world
        .reward(json!({"key": "gift", "price": 100, "stock": 100, "holdFor": "P1D", "fulfilledBy": "spa"}))
        .await;
    world.members(&["ada"]).await;
    world.give_points("ada", "points", 2_000).await;
    let mut ids = Vec::new();
    for number in 0..HELD {
        ids.push(world.redeemed("ada", "gift", &format!("k{number}")).await);
    }
    assert_eq!(world.points("ada", "points").await, 0);
    app.set_clock("2026-11-22T12:00:00Z");
    let shop = world.shop();
    let cancelled = join_all(ids.iter().map(|id| {
        let input = json!({"redemption": id, "reason": "too late"});
        shop.mutate("cancelRedemption", input, "redemption { status }")
    }));
    let sweep = async || jobs::expire::holds::run(&app.app.jobs).await.unwrap();
    let (cancelled, _) = join(cancelled, join_all([sweep(), sweep()])).await;
    sweep().await;
    let tally = tally(&cancelled);
    let by_hand = tally.get("OK").copied().unwrap_or(0);
    let late = tally.get("INVALID_STATE").copied().unwrap_or(0);
    assert_eq!(by_hand + late, HELD, "{tally:?}");
    let statuses = world.redemptions("ada").await;
    let expired = statuses.iter().filter(|status| *status == "EXPIRED").count();
    assert_eq!(expired, late, "{statuses:?}");
    assert_eq!(world.points("ada", "points").await, 2_000);
    assert_eq!(world.stock("gift").await, 100);
    // The partner was asked for each, and told of each once.
    assert_eq!(world.feed_length().await, 2 * HELD);
}

async fn what_is_refunded_is_either_taken_back_or_owed(app: &TestApp) {
    const MEMBERS: usize = 40;
    let world = World::new(app).await;
    world
        .incentive(json!({
            "program": "wellbeing", "key": "per-euro", "name": "A point per euro", "trigger": {"eventType": "order.completed"},
            "structure": {"immediate": true}, "limit": {"unlimited": true},
            "outcomes": [{"points": {
                "perUnit": {"property": "total", "points": "0.01"},
                "refund": {"eventType": "order.refunded", "match": "order", "shortfall": "NET"}
            }}]
        }))
        .await;
    world.reward(json!({"key": "gift", "price": 100})).await;
    let names: Vec<String> = (0..MEMBERS).map(|number| format!("m{number}")).collect();
    let all: Vec<&str> = names.iter().map(String::as_str).collect();
    world.members(&all).await;
    let said = |event_type: &'static str, total: i64, at: &'static str| {
        let about = move |name: &String| {
            let properties = json!({"order": "o1", "total": total, "currency": "EUR"});
            let id = format!("{event_type}-{name}");
            event(&id, name, at).of(event_type).set("properties", properties)
        };
        names.iter().map(about).collect::<Vec<_>>()
    };
    world
        .did(said("order.completed", 10_000, "2026-11-20T09:00:00Z"))
        .await;
    let refunds = said("order.refunded", 0, "2026-11-20T10:00:00Z");
    let refunds = refunds.into_iter().map(Value::from);
    assert_eq!(world.backend().record(refunds).await, ["ACCEPTED"; MEMBERS]);
    let redeemed = join_all(all.iter().map(|name| world.redeem(name, "gift", name)));
    let (payloads, ()) = join(redeemed, app.run_jobs()).await;
    app.run_jobs().await;
    let tally = tally(&payloads);
    let had = tally.get("OK").copied().unwrap_or(0);
    let refused = tally.get("INSUFFICIENT_POINTS").copied().unwrap_or(0);
    assert_eq!(had + refused, MEMBERS, "{tally:?}");
    let held = "SELECT count(*) AS count FROM points_account WHERE available + pending > 0";
    assert_eq!(app.count(held).await, 0);
    let owed = "SELECT count(*) AS count FROM points_account WHERE debt = 100";
    assert_eq!(app.count(owed).await, i64::try_from(had).unwrap());
    let nothing = "SELECT count(*) AS count FROM points_account WHERE debt = 0";
    assert_eq!(app.count(nothing).await, i64::try_from(refused).unwrap());
}
