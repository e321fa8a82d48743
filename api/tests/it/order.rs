//! Whatever the order of arrival, the cuts into batches, the repetitions and the moments of evaluation: the same achievements. They
//! are compared with an oracle that goes through the calendar day by day and shares nothing with the rules but the words.

mod oracle;

use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, TestRunner};
use sea_orm::FromQueryResult;
use serde_json::{Value, json};

use crate::harness::{TestApp, World, event, incentive_input};
use oracle::{Happening, INCENTIVES, Key};

on_both!(the_achievements_do_not_depend_on_the_order_of_arrival);

/// Few enough for a debug build, each with dozens of events.
const CASES: usize = 20;
const MEMBERS: [(&str, &str); 3] = [
    ("ada", "UTC"),
    ("bob", "America/Los_Angeles"),
    ("eve", "Pacific/Auckland"),
];
/// It is noon on the 21st; this many hours back an event may lie and still be taken.
const HOURS: u32 = 7 * 24;

/// A set of events, the order of their arrival, and after how many of them a batch is cut or everything is evaluated.
#[derive(Debug, Clone)]
struct Plan {
    happenings: Vec<Happening>,
    arrivals: Vec<usize>,
    cuts: Vec<(usize, bool)>,
}

fn plans() -> impl Strategy<Value = Plan> {
    let zone = prop_oneof![3 => Just(None), 1 => Just(Some("Asia/Kolkata")), 1 => Just(Some("UTC"))];
    let happening = (0..MEMBERS.len(), 0..HOURS, 0..60u32, zone);
    prop::collection::vec(happening, 1..60).prop_flat_map(|drawn| {
        let happenings: Vec<Happening> = drawn
            .into_iter()
            .map(|(member, hours, minutes, zone)| {
                let (name, own) = MEMBERS[member];
                Happening {
                    member: name,
                    minutes_ago: hours * 60 + minutes,
                    named_zone: zone,
                    zone: zone.unwrap_or(own),
                }
            })
            .collect();
        let count = happenings.len();
        // Some arrive a second and a third time.
        let again = prop::collection::vec(0..count, 0..=count / 2);
        let arrivals = again
            .prop_map(move |again| (0..count).chain(again).collect::<Vec<usize>>())
            .prop_shuffle();
        let cuts = prop::collection::vec((1..20usize, any::<bool>()), 1..20);
        (Just(happenings), arrivals, cuts).prop_map(|(happenings, arrivals, cuts)| Plan {
            happenings,
            arrivals,
            cuts,
        })
    })
}

async fn the_achievements_do_not_depend_on_the_order_of_arrival(app: &TestApp) {
    let mut runner = TestRunner::new_with_rng(
        Config::default(),
        proptest::test_runner::TestRng::deterministic_rng(proptest::test_runner::RngAlgorithm::ChaCha),
    );
    let mut earned = 0;
    for case in 0..CASES {
        let plan = plans().new_tree(&mut runner).unwrap().current();
        let employer = format!("acme-{case}");
        let world = World::named(app, &employer, &format!("spa-{case}")).await;
        for incentive in INCENTIVES {
            world
                .incentive(incentive_input(
                    incentive.key,
                    "meditation.completed",
                    incentive.structure(),
                    incentive.limit(),
                ))
                .await;
        }
        let members = MEMBERS.map(|(name, zone)| json!({"externalId": name, "timeZone": zone}));
        world.register(members.into()).await;
        send(app, &world, &plan).await;
        let expected = oracle::achievements(&plan.happenings);
        assert_eq!(achievements(app, &employer).await, expected, "{plan:#?}");
        assert_eq!(world.feed_length().await, expected.len());
        earned += expected.len();
    }
    assert!(earned > 20 * CASES, "the cases earn next to nothing: {earned}");
}

/// Sends a plan's events as it says, then evaluates the rest.
async fn send(app: &TestApp, world: &World<'_>, plan: &Plan) {
    let backend = world.backend();
    let mut cuts = plan.cuts.iter().cycle();
    let mut arrivals = plan.arrivals.as_slice();
    while !arrivals.is_empty() {
        let (size, evaluates) = *cuts.next().unwrap();
        let (batch, rest) = arrivals.split_at(size.min(arrivals.len()));
        let events = batch.iter().map(|index| {
            let happening = &plan.happenings[*index];
            let sent = event(
                &format!("e{index}"),
                happening.member,
                &happening.instant().to_rfc3339(),
            );
            Value::from(sent.set("timeZone", json!(happening.named_zone)))
        });
        let statuses = backend.record(events).await;
        assert!(
            statuses
                .iter()
                .all(|status| status == "ACCEPTED" || status == "DUPLICATE"),
            "{statuses:?}"
        );
        if evaluates {
            app.run_jobs().await;
        }
        arrivals = rest;
    }
    app.run_jobs().await;
}

/// What stands in the table for one employer.
async fn achievements(app: &TestApp, employer: &str) -> BTreeSet<Key> {
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
         JOIN employer ON employer.id = achievement.employer_id
         JOIN incentive ON incentive.employer_id = achievement.employer_id AND incentive.id = achievement.incentive_id
         JOIN member ON member.employer_id = achievement.employer_id AND member.id = achievement.member_id
         WHERE employer.key = ",
    )
    .bind(employer.to_owned())
    .all(db)
    .await
    .unwrap();
    let count = rows.len();
    let keys: BTreeSet<Key> = rows
        .into_iter()
        .map(|row| (row.incentive, row.member, row.period_key, row.ordinal))
        .collect();
    assert_eq!(keys.len(), count);
    keys
}
