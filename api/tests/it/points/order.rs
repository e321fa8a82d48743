//! Orders, refunds, repetitions and retractions in any order, evaluated at any moment: the same balances, and those that a few plain
//! loops come to.

use std::collections::BTreeMap;

use chrono::{TimeDelta, Timelike};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Value, json};

use crate::harness::{TestApp, World, at, event, incentive_input};

on_both!(balances_do_not_depend_on_the_order_of_arrival);

/// Few enough for a debug build.
const CASES: usize = 40;
const MEMBERS: [&str; 2] = ["ada", "bob"];
/// What a day's capped points end at.
const CAP: i64 = 60;
/// Orders are at least so many minutes old, so that their refunds are not of the future.
const AGE: i64 = 2_000;
/// Minutes before that in which everything happens; it is all within the week that events may be late.
const MINUTES: i64 = 5 * 24 * 60;

/// An order, in minutes before now and in cents, and what became of it.
#[derive(Debug, Clone)]
struct Bought {
    member: &'static str,
    minutes_ago: i64,
    total: i64,
    is_retracted: bool,
    is_delivered: bool,
    /// How long after it, what is left, and whether that was taken back.
    refunds: Vec<(i64, i64, bool)>,
}

/// What is sent: an order, its delivery, one of its refunds, or that one of them did not happen.
#[derive(Debug, Clone, Copy)]
enum Step {
    Event(usize, Option<usize>),
    Delivery(usize),
    Retraction(usize, Option<usize>),
}

fn bought() -> impl Strategy<Value = Bought> {
    let refund = (1..AGE, 0..6_000_i64, prop::bool::weighted(0.25));
    (
        prop::sample::select(&MEMBERS[..]),
        0..MINUTES,
        1..6_000_i64,
        prop::bool::weighted(0.2),
        any::<bool>(),
        prop::collection::vec(refund, 0..4),
    )
        .prop_map(
            |(member, minutes_ago, total, is_retracted, is_delivered, refunds)| Bought {
                member,
                minutes_ago,
                total,
                is_retracted,
                is_delivered,
                refunds,
            },
        )
}

fn steps(orders: &[Bought]) -> impl Strategy<Value = Vec<Step>> + use<> {
    let mut steps = Vec::new();
    for (index, order) in orders.iter().enumerate() {
        steps.push(Step::Event(index, None));
        if order.is_retracted {
            steps.push(Step::Retraction(index, None));
        }
        if order.is_delivered {
            steps.push(Step::Delivery(index));
        }
        for (refund, (_, _, is_retracted)) in order.refunds.iter().enumerate() {
            steps.push(Step::Event(index, Some(refund)));
            if *is_retracted {
                steps.push(Step::Retraction(index, Some(refund)));
            }
        }
    }
    let again = prop::collection::vec(prop::sample::select(steps.clone()), 0..=steps.len() / 3);
    again
        .prop_map(move |again| [steps.clone(), again].concat())
        .prop_shuffle()
}

type Plan = (Vec<Bought>, [Vec<Step>; 2], Vec<usize>);

fn plans() -> impl Strategy<Value = Plan> {
    prop::collection::vec(bought(), 1..14).prop_flat_map(|orders| {
        let orders_of_arrival = [steps(&orders), steps(&orders)];
        let cuts = prop::collection::vec(1..8_usize, 1..8);
        (Just(orders), orders_of_arrival, cuts)
    })
}

/// By plain loops: what each member has of each kind.
fn expected(orders: &[Bought]) -> BTreeMap<(&'static str, &'static str), i64> {
    let mut balances = BTreeMap::new();
    for member in MEMBERS {
        let (mut all, mut delivered) = (0, 0);
        let mut by_day: BTreeMap<i64, i64> = BTreeMap::new();
        let mut count = 0;
        for order in orders
            .iter()
            .filter(|order| order.member == member && !order.is_retracted)
        {
            let mut left = order.total;
            let mut latest: Option<(i64, i64)> = None;
            for (after, remains, is_retracted) in &order.refunds {
                let is_later = latest.is_none_or(|(when, what)| (*after, -*remains) > (when, -what));
                if !is_retracted && is_later {
                    latest = Some((*after, *remains));
                }
            }
            if let Some((_, remains)) = latest {
                left = left.min(remains);
            }
            all += left / 100;
            if order.is_delivered {
                delivered += left / 100;
            }
            // It is noon.
            let day = (order.minutes_ago + AGE + 12 * 60 - 1).div_euclid(24 * 60);
            *by_day.entry(day).or_default() += left / 100;
            count += 1;
        }
        balances.insert((member, "points"), all);
        balances.insert((member, "delivered"), delivered);
        balances.insert(
            (member, "capped"),
            by_day.values().map(|sum| (*sum).min(CAP)).sum(),
        );
        balances.insert((member, "pairs"), count / 2 * 10);
    }
    balances
}

async fn balances_do_not_depend_on_the_order_of_arrival(app: &TestApp) {
    assert_eq!((app.now().hour(), app.now().minute()), (12, 0));
    let mut runner = TestRunner::new_with_rng(
        Config::default(),
        TestRng::deterministic_rng(RngAlgorithm::ChaCha),
    );
    let worlds = [
        World::named(app, "acme", "spa").await,
        World::named(app, "globex", "gym").await,
    ];
    for world in &worlds {
        set_up(world).await;
    }
    let mut earned = 0;
    for case in 0..CASES {
        let (orders, arrivals, cuts) = plans().new_tree(&mut runner).unwrap().current();
        let expected = expected(&orders);
        for (world, steps) in worlds.iter().zip(&arrivals) {
            let names = MEMBERS.map(|name| format!("{name}-{case}"));
            world.members(&names.each_ref().map(String::as_str)).await;
            let mut cuts = cuts.iter().cycle();
            let mut rest = steps.as_slice();
            while !rest.is_empty() {
                let (batch, more) = rest.split_at((*cuts.next().unwrap()).min(rest.len()));
                send(world, case, &orders, batch).await;
                rest = more;
            }
            world.app.run_jobs().await;
            for ((member, category), balance) in &expected {
                let found = world.points(&format!("{member}-{case}"), category).await;
                assert_eq!(
                    found, *balance,
                    "case {case}: {category} of {member}\n{orders:#?}\n{steps:?}"
                );
            }
        }
        earned += expected.values().sum::<i64>();
    }
    assert!(
        earned > 100 * i64::try_from(CASES).unwrap(),
        "the cases earn next to nothing: {earned}"
    );
}

async fn set_up(world: &World<'_>) {
    let refund = json!({"eventType": "order.refunded", "match": "order"});
    let per_euro = json!({"property": "total", "points": "0.01"});
    let delivered = json!({"key": "order.delivered", "name": "Delivered"});
    world
        .admin()
        .change("createEventType", delivered, "eventType { key }")
        .await;
    let release = json!({"eventType": "order.delivered", "match": "order"});
    for (key, structure, points) in [
        (
            "per-euro",
            json!({"immediate": true}),
            json!({"perUnit": per_euro, "refund": refund}),
        ),
        (
            "capped",
            json!({"immediate": true}),
            json!({"category": "capped", "perUnit": per_euro, "refund": refund, "cap": {"amount": CAP, "window": "DAY"}}),
        ),
        (
            "delivered",
            json!({"immediate": true}),
            json!({"category": "delivered", "perUnit": per_euro, "refund": refund, "pendingUntil": release}),
        ),
        (
            "pairs",
            json!({"count": {"times": 2}}),
            json!({"category": "pairs", "amount": 10}),
        ),
    ] {
        let mut input = incentive_input(key, "order.completed", structure, json!({"unlimited": true}));
        input["outcomes"] = json!([{"points": points}]);
        world.incentive(input).await;
    }
}

/// The id of an event: of an order, or of one of its refunds.
fn id_in(case: usize, order: usize, refund: Option<usize>) -> String {
    refund.map_or_else(
        || format!("{case}-{order}"),
        |refund| format!("{case}-{order}-{refund}"),
    )
}

/// Sends a batch, what happened before what did not, and perhaps evaluates it.
async fn send(world: &World<'_>, case: usize, orders: &[Bought], batch: &[Step]) {
    let noon = at("2026-11-21T12:00:00Z");
    let (mut events, mut retractions): (Vec<Value>, Vec<Value>) = (Vec::new(), Vec::new());
    for step in batch {
        match *step {
            Step::Event(index, refund) => {
                let order = &orders[index];
                let (event_type, minutes_ago, total) = match refund {
                    None => ("order.completed", order.minutes_ago, order.total),
                    Some(refund) => {
                        let (after, remains, _) = order.refunds[refund];
                        ("order.refunded", order.minutes_ago - after, remains)
                    }
                };
                let ago = TimeDelta::minutes(minutes_ago + AGE);
                let instant = noon.checked_sub_signed(ago).unwrap();
                let member = format!("{}-{case}", order.member);
                let properties =
                    json!({"order": format!("order-{case}-{index}"), "total": total, "currency": "EUR"});
                let sent = event(&id_in(case, index, refund), &member, &instant.to_rfc3339());
                events.push(sent.of(event_type).set("properties", properties).into());
            }
            Step::Delivery(index) => {
                let order = &orders[index];
                let member = format!("{}-{case}", order.member);
                let properties = json!({"order": format!("order-{case}-{index}")});
                let sent = event(&format!("{case}-{index}-delivered"), &member, &noon.to_rfc3339());
                events.push(sent.of("order.delivered").set("properties", properties).into());
            }
            Step::Retraction(index, refund) => {
                retractions.push(json!({"id": id_in(case, index, refund)}));
            }
        }
    }
    if !events.is_empty() {
        let statuses = world.backend().record(events).await;
        let is_taken = |status: &String| status == "ACCEPTED" || status == "DUPLICATE";
        assert!(statuses.iter().all(is_taken), "{statuses:?}");
    }
    if !retractions.is_empty() {
        let input = json!({"events": retractions});
        let payload = world
            .backend()
            .change("retractEvents", input, "results { status }")
            .await;
        assert_eq!(payload["userErrors"], json!([]));
    }
    if batch.len().is_multiple_of(2) {
        world.app.run_jobs().await;
    }
}
