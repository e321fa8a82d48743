//! Whatever the order of arrival, the cuts into batches, the repetitions, the moments of evaluation and how many evaluate at once:
//! the same achievements stand, the same progress is shown, and the partner knows the same. What stands is compared with an oracle
//! that goes through all that happened and was not taken back, and shares nothing with the rules but the words.

mod oracle;

use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, TestRunner};
use sea_orm::FromQueryResult;
use serde_json::{Value, json};

use crate::harness::{TestApp, World, event};
use oracle::{Deed, Happening, INCENTIVES, Key, NIGHT};

on_both!(what_stands_does_not_depend_on_the_order_of_arrival);

/// Few enough for a debug build, each with dozens of events, in two orders each.
const CASES: usize = 60;
const MEMBERS: [(&str, &str); 3] = [
    ("ada", "UTC"),
    ("bob", "America/Los_Angeles"),
    ("eve", "Pacific/Auckland"),
];
/// It is noon on the 21st; this many hours back an event may lie and still be taken.
const HOURS: u32 = 7 * 24;

/// What a client sends.
#[derive(Debug, Clone, Copy)]
enum Step {
    Event(usize),
    Retraction(usize),
}

/// What goes on while a batch is sent, and after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Evaluation {
    None,
    Afterwards,
    Meanwhile,
}

/// An order of arrival, and after how many steps a batch is cut.
#[derive(Debug, Clone)]
struct Order {
    steps: Vec<Step>,
    cuts: Vec<(usize, Evaluation)>,
}

/// A set of events, and two orders in which they come and are taken back.
#[derive(Debug, Clone)]
struct Plan {
    happenings: Vec<Happening>,
    orders: [Order; 2],
}

fn happening() -> impl Strategy<Value = Happening> {
    let zone = prop_oneof![3 => Just(None), 1 => Just(Some("Asia/Kolkata")), 1 => Just(Some("UTC"))];
    let deed = prop_oneof![
        12 => (1..60_i64).prop_map(Deed::Meditation),
        6 => (0..1_500_i64).prop_map(Deed::Order),
        1 => Just(Deed::Purchase),
    ];
    (
        0..MEMBERS.len(),
        deed,
        0..HOURS,
        0..60_u32,
        zone,
        prop::bool::weighted(0.2),
    )
        .prop_map(|(member, deed, hours, minutes, named_zone, is_retracted)| {
            let (member, own) = MEMBERS[member];
            Happening {
                member,
                deed,
                minutes_ago: hours * 60 + minutes,
                named_zone,
                zone: named_zone.unwrap_or(own),
                is_retracted,
            }
        })
}

/// All events and retractions, some of them a second and a third time, in any order.
fn order(happenings: &[Happening]) -> impl Strategy<Value = Order> + use<> {
    let events = (0..happenings.len()).map(Step::Event);
    let retracted = happenings.iter().enumerate().filter(|(_, one)| one.is_retracted);
    let steps: Vec<Step> = events
        .chain(retracted.map(|(index, _)| Step::Retraction(index)))
        .collect();
    let again = prop::collection::vec(prop::sample::select(steps.clone()), 0..=steps.len() / 3);
    let steps = again
        .prop_map(move |again| [steps.clone(), again].concat())
        .prop_shuffle();
    let evaluation = prop_oneof![
        Just(Evaluation::None),
        Just(Evaluation::Afterwards),
        Just(Evaluation::Meanwhile),
    ];
    let cuts = prop::collection::vec((1..20_usize, evaluation), 1..20);
    (steps, cuts).prop_map(|(steps, cuts)| Order { steps, cuts })
}

fn plans() -> impl Strategy<Value = Plan> {
    prop::collection::vec(happening(), 1..70).prop_flat_map(|happenings| {
        let orders = [order(&happenings), order(&happenings)];
        (Just(happenings), orders).prop_map(|(happenings, orders)| Plan { happenings, orders })
    })
}

async fn what_stands_does_not_depend_on_the_order_of_arrival(app: &TestApp) {
    let mut runner = TestRunner::new_with_rng(
        Config::default(),
        proptest::test_runner::TestRng::deterministic_rng(proptest::test_runner::RngAlgorithm::ChaCha),
    );
    let other = TestApp::start(&app.url, 2).await;
    let worlds = [
        World::named(app, "acme", "spa").await,
        World::named(app, "globex", "gym").await,
    ];
    for world in &worlds {
        world.program(json!({"key": NIGHT, "dayStartsAt": "04:00"})).await;
        world
            .grant(
                if world.employer == worlds[0].employer {
                    "spa"
                } else {
                    "gym"
                },
                NIGHT,
            )
            .await;
        for incentive in INCENTIVES {
            world.incentive(incentive.input()).await;
        }
    }
    let mut earned = 0;
    for case in 0..CASES {
        let plan = plans().new_tree(&mut runner).unwrap().current();
        let expected = oracle::achievements(&plan.happenings);
        let mut shown = Vec::new();
        for (world, order) in worlds.iter().zip(&plan.orders) {
            let members = MEMBERS.map(|(name, zone)| {
                let attributes = json!({"plan": if name == "bob" { "gold" } else { "basic" }});
                json!({"externalId": name_in(case, name), "timeZone": zone, "attributes": attributes})
            });
            world.register(members.into()).await;
            Box::pin(send(world, &other, case, &plan.happenings, order)).await;
            let found = standing(app, world, case).await;
            let missing: Vec<_> = expected.difference(&found).collect();
            let surplus: Vec<_> = found.difference(&expected).collect();
            assert!(
                missing.is_empty() && surplus.is_empty(),
                "case {case}: missing {missing:?}, not to be there {surplus:?}\n{plan:#?}"
            );
            shown.push(progress(world, case).await);
        }
        assert_eq!(shown[0], shown[1], "case {case}: {plan:#?}");
        earned += expected.len();
    }
    assert_feeds_agree(app).await;
    assert!(earned > 40 * CASES, "the cases earn next to nothing: {earned}");
    other.stop().await;
}

/// Each case has members of its own.
fn name_in(case: usize, member: &str) -> String {
    format!("{member}-{case}")
}

/// Sends events and retractions as an order says, then evaluates the rest.
async fn send(world: &World<'_>, other: &TestApp, case: usize, happenings: &[Happening], order: &Order) {
    let mut cuts = order.cuts.iter().cycle();
    let mut steps = order.steps.as_slice();
    while !steps.is_empty() {
        let (size, evaluation) = *cuts.next().unwrap();
        let (batch, rest) = steps.split_at(size.min(steps.len()));
        let sending = async {
            record(world, case, happenings, batch).await;
            retract(world, case, batch).await;
        };
        match evaluation {
            Evaluation::None => sending.await,
            Evaluation::Afterwards => {
                sending.await;
                world.app.run_jobs().await;
            }
            Evaluation::Meanwhile => {
                tokio::join!(
                    sending,
                    work(world.app),
                    work(other),
                    work(world.app),
                    work(other)
                );
            }
        }
        steps = rest;
    }
    tokio::join!(work(world.app), work(other));
    world.app.run_jobs().await;
}

/// Evaluates in small batches, so that several at once get at the same members, as long as there is anything.
async fn work(app: &TestApp) {
    for _ in 0..3 {
        while jobs::evaluate::batch(&app.app.jobs, 5).await.unwrap() > 0 {}
        while jobs::retract::batch(&app.app.jobs).await.unwrap() > 0 {}
        tokio::task::yield_now().await;
    }
}

async fn record(world: &World<'_>, case: usize, happenings: &[Happening], batch: &[Step]) {
    let events: Vec<Value> = batch
        .iter()
        .filter_map(|step| match step {
            Step::Event(index) => Some(*index),
            Step::Retraction(_) => None,
        })
        .map(|index| {
            let happening = &happenings[index];
            let id = id_in(case, index);
            let (event_type, properties) = match happening.deed {
                Deed::Meditation(halves) => (
                    "meditation.completed",
                    json!({"minutes": f64::from(i32::try_from(halves).unwrap()) / 2.0}),
                ),
                Deed::Order(cents) => (
                    "order.completed",
                    json!({"order": id, "total": cents, "currency": "EUR"}),
                ),
                Deed::Purchase => (
                    "purchase.completed",
                    json!({"purchase": id, "product": "tea", "total": 1, "currency": "EUR"}),
                ),
            };
            let member = name_in(case, happening.member);
            let sent = event(&id, &member, &happening.instant().to_rfc3339()).of(event_type);
            let sent = sent.set("timeZone", json!(happening.named_zone));
            sent.set("properties", properties).into()
        })
        .collect();
    if events.is_empty() {
        return;
    }
    let statuses = world.backend().record(events).await;
    assert!(
        statuses
            .iter()
            .all(|status| status == "ACCEPTED" || status == "DUPLICATE"),
        "{statuses:?}"
    );
}

async fn retract(world: &World<'_>, case: usize, batch: &[Step]) {
    let events: Vec<Value> = batch
        .iter()
        .filter_map(|step| match step {
            Step::Event(_) => None,
            Step::Retraction(index) => Some(json!({"id": id_in(case, *index)})),
        })
        .collect();
    if events.is_empty() {
        return;
    }
    let payload = world
        .backend()
        .change("retractEvents", json!({"events": events}), "results { status }")
        .await;
    let statuses = payload["results"].as_array().unwrap();
    assert!(
        statuses.iter().all(|result| result["status"] != "REJECTED"),
        "{payload}"
    );
}

fn id_in(case: usize, index: usize) -> String {
    format!("{case}-e{index}")
}

/// What stands in the table for the members of one case.
async fn standing(app: &TestApp, world: &World<'_>, case: usize) -> BTreeSet<Key> {
    #[derive(FromQueryResult)]
    struct Row {
        incentive: String,
        member: String,
        period_key: String,
        ordinal: i32,
    }
    let db = app.app.db.read();
    let rows: Vec<Row> = entity::db::sql::Sql::on(
        db,
        "SELECT incentive.key AS incentive, member.external_id AS member, period_key, ordinal FROM achievement
         JOIN incentive ON incentive.employer_id = achievement.employer_id AND incentive.id = achievement.incentive_id
         JOIN member ON member.employer_id = achievement.employer_id AND member.id = achievement.member_id
         WHERE achievement.status = 'EARNED' AND achievement.employer_id = ",
    )
    .bind(world.employer)
    .push(" AND member.external_id LIKE ")
    .bind(format!("%-{case}"))
    .all(db)
    .await
    .unwrap();
    let count = rows.len();
    let keys: BTreeSet<Key> = rows
        .into_iter()
        .map(|row| {
            let (member, _) = row.member.split_once('-').unwrap();
            (row.incentive, member.to_owned(), row.period_key, row.ordinal)
        })
        .collect();
    assert_eq!(keys.len(), count);
    keys
}

/// What the members of one case are shown of their progress.
async fn progress(world: &World<'_>, case: usize) -> Vec<Value> {
    let query = "query($id: String!) { member(externalId: $id) {
        progress { incentive { key } current required earned deadline lastCountedOn runStartedOn } } }";
    let mut shown = Vec::new();
    for (name, _) in MEMBERS {
        let variables = json!({"id": name_in(case, name)});
        let data = world.by("member:any").data(query, variables).await;
        let mut views = data["member"]["progress"].clone();
        for view in views.as_array_mut().unwrap() {
            let is_derived = |incentive: &&oracle::Incentive| view["incentive"]["key"] == incentive.key;
            if INCENTIVES.iter().find(is_derived).unwrap().is_built_on_others() {
                // The day of an achievement is the one that was known when it was recorded, and that depends on what came first.
                view["lastCountedOn"] = Value::Null;
            }
        }
        shown.push(views);
    }
    shown
}

/// For each achievement a partner knows of the last that has become of it: neither more nor less.
async fn assert_feeds_agree(app: &TestApp) {
    let told = |kind: &str| {
        format!(
            "EXISTS (SELECT 1 FROM feed_entry WHERE feed_entry.employer_id = achievement.employer_id
             AND achievement_id = achievement.id AND kind = 'ACHIEVEMENT_{kind}')"
        )
    };
    let (earned, revoked) = (told("EARNED"), told("REVOKED"));
    let astray = format!(
        "SELECT count(*) AS count FROM achievement
         WHERE NOT {earned} OR (status = 'REVOKED' AND NOT {revoked}) OR (status = 'EARNED' AND {revoked})"
    );
    assert_eq!(app.count(&astray).await, 0, "a partner believes what is not so");
    let revocations = app
        .count("SELECT count(*) AS count FROM achievement WHERE status = 'REVOKED'")
        .await;
    assert!(revocations > 500, "next to nothing is taken back: {revocations}");
}
