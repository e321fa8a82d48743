//! What has become active or has ended is booked by itself, once, by the clock of the employer.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use entity::ledger::{AccountKey, Depth, Ledger, Want};

use super::purse::{Act, Purse};
use crate::harness::{TestApp, World};

on_both!(
    points_become_active_and_end_by_themselves,
    points_end_at_their_instant_and_not_before,
    the_points_of_a_sandbox_end_by_its_own_clock_and_nobody_elses,
    the_points_of_an_erased_member_still_end,
    a_sweep_over_many_accounts_books_every_one_of_them_once,
    two_sweeps_at_once_book_everything_once,
);

fn entry(kind: &str, amount: i64) -> (String, i64) {
    (kind.to_owned(), amount)
}

async fn points_become_active_and_end_by_themselves(app: &TestApp) {
    let world = World::new(app).await;
    let purse = Purse::of(&world, "ada").await;
    purse.earn(10, 1, Some(2)).await;
    assert_eq!(purse.balance().await, (0, 10));
    app.pass(TimeDelta::days(1));
    app.run_jobs().await;
    assert_eq!(purse.balance().await, (10, 0));
    app.pass(TimeDelta::days(2));
    app.run_jobs().await;
    app.run_jobs().await;
    assert_eq!(purse.balance().await, (0, 0));
    assert_eq!(
        purse.entries().await,
        [entry("EARNED", 10), entry("EXPIRED", -10)]
    );
}

async fn points_end_at_their_instant_and_not_before(app: &TestApp) {
    let world = World::new(app).await;
    let purse = Purse::of(&world, "ada").await;
    purse.earn(10, 0, Some(1)).await;
    for (passed, left) in [
        (TimeDelta::microseconds(86_399_999_999), 10),
        (TimeDelta::microseconds(1), 0),
    ] {
        app.pass(passed);
        app.run_jobs().await;
        assert_eq!(purse.balance().await, (left, 0));
    }
}

async fn the_points_of_a_sandbox_end_by_its_own_clock_and_nobody_elses(app: &TestApp) {
    let acme = World::new(app).await;
    let lab = World::sandbox(app, "lab", "gym").await;
    let (real, tried) = (Purse::of(&acme, "ada").await, Purse::of(&lab, "bob").await);
    for purse in [&real, &tried] {
        purse.earn(10, 0, Some(30)).await;
    }
    lab.advance("2026-12-21T12:00:00Z").await;
    app.run_jobs().await;
    assert_eq!((real.balance().await, tried.balance().await), ((10, 0), (0, 0)));
    let dated =
        "SELECT count(*) AS count FROM points_entry WHERE kind = 'EXPIRED' AND recorded_on = '2026-12-21'";
    assert_eq!(app.count(dated).await, 1);
}

async fn the_points_of_an_erased_member_still_end(app: &TestApp) {
    let world = World::new(app).await;
    let purse = Purse::of(&world, "ada").await;
    purse.earn(10, 0, Some(1)).await;
    let input = serde_json::json!({"member": "ada"});
    world.backend().change("eraseMember", input, "erased").await;
    app.pass(TimeDelta::days(1));
    app.run_jobs().await;
    assert_eq!(purse.balance().await, (0, 0));
}

/// Earns points of many kinds, all of which end in a day.
async fn earn_many(purse: &Purse<'_>, kinds: usize) {
    let app = &purse.world.app.app;
    let moment = purse.moment().await;
    let depth = Depth::Head;
    let key = |kind: usize| AccountKey {
        category: format!("kind-{kind}"),
        ..purse.key()
    };
    let wanted: BTreeMap<_, _> = (0..kinds)
        .map(|kind| (key(kind), Want { moment, depth }))
        .collect();
    let txn = app.db.write_txn().await.unwrap();
    let mut ledger = Ledger::open(&*txn, &app.ids, wanted).await.unwrap();
    for kind in 0..kinds {
        let act = Act::Earn {
            cause: None,
            amount: 3,
            waits: 0,
            lasts: Some(1),
        };
        purse.act(ledger.account(&key(kind)).unwrap(), moment, &act, Vec::new());
    }
    ledger.write(&*txn).await.unwrap();
    txn.commit().await.unwrap();
}

const EXPIRED: &str = "SELECT count(*) AS count FROM points_entry WHERE kind = 'EXPIRED'";

async fn a_sweep_over_many_accounts_books_every_one_of_them_once(app: &TestApp) {
    let world = World::new(app).await;
    let purse = Purse::of(&world, "ada").await;
    earn_many(&purse, 1_100).await;
    app.pass(TimeDelta::days(1));
    jobs::expire::run(&app.app.jobs).await.unwrap();
    assert_eq!(app.count(EXPIRED).await, 1_100);
    let due = "SELECT count(*) AS count FROM points_account WHERE due_at IS NOT NULL";
    assert_eq!(app.count(due).await, 0);
}

async fn two_sweeps_at_once_book_everything_once(app: &TestApp) {
    let world = World::new(app).await;
    for member in ["ada", "bob", "eve"] {
        earn_many(&Purse::of(&world, member).await, 30).await;
    }
    app.pass(TimeDelta::days(1));
    let sweep = || jobs::expire::run(&app.app.jobs);
    let (first, second, third) = tokio::join!(sweep(), sweep(), sweep());
    for swept in [first, second, third] {
        swept.unwrap();
    }
    assert_eq!(app.count(EXPIRED).await, 90);
}
