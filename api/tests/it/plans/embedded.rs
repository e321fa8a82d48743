//! How SQLite finds rows: it keeps no statistics unless somebody asks it to, and nobody of ours does, so that its plans are the same for a
//! hundred rows as for a hundred million. None of them may read a table from end to end.

use std::collections::BTreeSet;

use chrono::NaiveDate;
use entity::clock::Timestamp;
use entity::consent::Purpose;
use entity::feed::kept;
use entity::page::Page;
use entity::receipt::Identity;
use entity::{
    achievement, consent, contribution, delivery, event, feed, incentive, kept_event, ledger, member,
    message, progress, receipt, retraction, webhook_endpoint,
};
use serde_json::json;

use super::Explaining;
use crate::harness::{Kind, TestApp, World, event as happening, run, streak_input};

mod nothing_is_read_from_end_to_end {
    #[tokio::test]
    async fn sqlite() {
        super::run(super::Kind::Sqlite, super::nothing_from_end_to_end).await;
    }
}

/// What may be read whole: what the statement brought along, what it is about for each employer or partner, and nothing else.
const SMALL: [&str; 8] = [
    "json_each",
    "wanted",
    "fresh",
    "employer",
    "endpoint",
    "head",
    "sandbox",
    "webhook_endpoint",
];

async fn nothing_from_end_to_end(app: &TestApp) {
    let world = World::new(app).await;
    let (limit, now) = (json!({"unlimited": true}), Timestamp::from(app.now()));
    world.incentive(streak_input("daily", 1, limit)).await;
    world.members(&["ada"]).await;
    world.did([happening("e1", "ada", "2026-11-20T10:00:00Z")]).await;
    world
        .backend()
        .record([happening("e2", "ada", "2026-11-21T10:00:00Z").into()])
        .await;
    assert_eq!(
        app.count("SELECT count(*) AS count FROM sqlite_master WHERE name LIKE 'sqlite_stat%'")
            .await,
        0
    );

    let (employer, partner) = (world.employer, world.partner);
    let member = world.member_id("ada").await;
    let daily = incentive::find_by_key(app.app.db.read(), employer, "daily").await;
    let case = (employer, member, daily.unwrap().unwrap().id);
    let day = NaiveDate::from_ymd_opt(2026, 11, 1).unwrap();
    let identity = Identity {
        employer_id: employer,
        source: "default".to_owned(),
        event_id: "e1".to_owned(),
    };
    let (cases, members, identities) = ([case], [(employer, member)], [identity]);
    let txn = app.app.db.write_txn().await.unwrap();
    let on = Explaining::new(&*txn);
    // Accepting and evaluating.
    let names = [(employer, "ada".to_owned())];
    let known = member::list_by_external_ids(&on, &names).await.unwrap();
    assert_eq!(known.len(), 1);
    assert_eq!(receipt::list(&on, &identities).await.unwrap().len(), 1);
    let claimed = event::claim(&on, now, 1_000).await.unwrap();
    assert_eq!(claimed.len(), 1);
    event::put(&on, &claimed).await.unwrap();
    assert_eq!(event::waiting(&on, 1_000).await.unwrap().count, 1);
    assert!(event::next_due(&on).await.unwrap().is_some());
    assert_eq!(member::lock(&on, &members).await.unwrap().len(), 1);
    let remembered = progress::list(&on, &cases).await.unwrap();
    assert_eq!(remembered.len(), 1);
    progress::put(&on, &remembered).await.unwrap();
    let counted = contribution::list_since(&on, &[(case, day)]).await.unwrap();
    assert_eq!(counted.len(), 1);
    contribution::put(&on, &counted).await.unwrap();
    assert_eq!(achievement::list_standing(&on, &cases).await.unwrap().len(), 1);
    let said = consent::list(&on, Purpose::PartnerSharing, &members).await;
    assert!(said.unwrap().is_empty());
    assert_eq!(retraction::list(&on, &identities).await.unwrap().len(), 0);
    assert!(retraction::claim(&on, now, 100).await.unwrap().is_empty());
    // Telling.
    assert_eq!(feed::list(&on, partner, 0, 100).await.unwrap().len(), 1);
    assert_eq!(
        kept::list_places(&on, partner, (1, 100), 100)
            .await
            .unwrap()
            .len(),
        1
    );
    assert_eq!(kept::extent(&on, partner).await.unwrap().newest, 1);
    let endpoint = (partner, app.app.ids.next());
    assert!(
        delivery::list_due(&on, &[endpoint], now, 100)
            .await
            .unwrap()
            .is_empty()
    );
    let under_way = delivery::count_under_way(&on, &[endpoint], now).await;
    assert!(under_way.unwrap().is_empty());
    delivery::take(&on, &[(partner, 1, endpoint.1)], 1, now)
        .await
        .unwrap();
    assert!(webhook_endpoint::list_waiting(&on, now).await.unwrap().is_empty());
    assert!(message::list_due(&on, now, 100).await.unwrap().is_empty());
    assert!(message::list_slots(&on, &members, day).await.unwrap().is_empty());
    // Reading and booking.
    assert_eq!(
        member::list(&on, employer, Page::first(50))
            .await
            .unwrap()
            .rows
            .len(),
        1
    );
    let history = ledger::read::history(&on, (employer, member), None, Page::first(50)).await;
    assert!(history.unwrap().rows.is_empty());
    assert!(ledger::list_due(&on, now, 100).await.unwrap().is_empty());
    // Forgetting.
    receipt::purge(&on, now, 100).await.unwrap();
    kept_event::purge(&on, now, 100).await.unwrap();
    retraction::purge(&on, now, 100).await.unwrap();
    contribution::purge(&on, employer, day, 100).await.unwrap();
    delivery::purge(&on, now, 100).await.unwrap();
    message::purge(&on, now, 100).await.unwrap();
    kept::purge(&on, partner, now, 100).await.unwrap();

    let plan = on.plan();
    let after = |line: &'static str| {
        let names = plan.lines().filter_map(move |text| text.split_once(line));
        names.map(|(_, rest)| rest)
    };
    // What a statement has put together by itself is no table.
    let own: BTreeSet<&str> = after("CO-ROUTINE ").chain(after("MATERIALIZE ")).collect();
    let whole: BTreeSet<&str> = after("SCAN ")
        .filter(|scan| !scan.contains(" USING ") && !own.contains(scan))
        .filter(|scan| {
            let table = scan.split(' ').next().unwrap_or_default();
            !SMALL.contains(&table) && !table.starts_with('(') && table != "CONSTANT"
        })
        .collect();
    assert_eq!(whole, BTreeSet::new());
    // And what is walked over by an index is walked over in its order, up to a limit.
    assert!(plan.contains("event_by_due"), "{plan}");
    txn.rollback().await.unwrap();
}
