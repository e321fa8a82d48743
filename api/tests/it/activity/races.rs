//! A feed that is opened while awards are written down: whoever was answered that it is open misses nothing that comes later.
//!
//! On PostgreSQL alone, where two write at once: whoever opens the feed is held up in the middle, by somebody who is about to take its
//! name.

use serde_json::{Value, json};

use super::{silent, told};
use crate::harness::{DEADLINE, Kind, TestApp, World, event, run};
use sea_orm::ConnectionTrait;

#[tokio::test]
async fn an_award_that_was_judged_before_the_feed_was_open_is_told_in_it() {
    run(Kind::Postgres, async |app: &TestApp| {
        opening(app, Written::Award).await;
    })
    .await;
}

#[tokio::test]
async fn a_redemption_that_was_asked_for_before_the_feed_was_open_is_told_in_it() {
    run(Kind::Postgres, async |app: &TestApp| {
        opening(app, Written::Redemption).await;
    })
    .await;
}

enum Written {
    Award,
    Redemption,
}

/// Waits until so many transactions wait for a lock of another one.
async fn waiting(app: &TestApp, count: i64) {
    let waiting = "SELECT count(*) AS count FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    let reached = async { while app.count(waiting).await < count {} };
    let reached = tokio::time::timeout(DEADLINE, reached).await;
    reached.expect("nobody waits");
}

/// Writes something down while the feed is being opened.
async fn write(world: &World<'_>, written: Written) {
    waiting(world.app, 1).await;
    match written {
        Written::Award => {
            let evaluated = jobs::evaluate::batch(&world.app.app.jobs, 100).await;
            assert_eq!(evaluated.unwrap(), 1);
        }
        Written::Redemption => {
            world.redeemed("ada", "mug", "k1").await;
        }
    }
}

async fn opening(app: &TestApp, written: Written) {
    let world = silent(app).await;
    world.reward(json!({"key": "mug", "price": 0})).await;
    let wanted = match written {
        Written::Award => {
            let meditation = Value::from(event("e1", "ada", "2026-11-20T10:00:00Z"));
            assert_eq!(world.backend().record([meditation]).await, ["ACCEPTED"]);
            "1 ACHIEVEMENT_EARNED calm ada EARNED"
        }
        Written::Redemption => "1 REDEMPTION_REQUESTED mug ada HELD",
    };
    let held = app.app.db.write_txn().await.unwrap();
    let hold = "INSERT INTO partner (id, key, name, pairwise_key, created_at) VALUES (gen_random_uuid(), '@acme', 'x', '', 1)";
    held.execute_unprepared(hold).await.unwrap();
    let backend = world.backend();
    let open = told(&backend, json!({}));
    let release = async {
        waiting(app, 2).await;
        held.rollback().await.unwrap();
    };
    let (when_open, (), ()) = tokio::join!(open, write(&world, written), release);
    assert!(when_open.is_empty() || when_open == [wanted], "{when_open:?}");
    assert_eq!(told(&backend, json!({})).await, [wanted]);
}
