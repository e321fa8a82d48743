//! What is revoked while awards are being written down: once it is answered, nothing more is told. And a grant that is given while they
//! are: its back-fill misses none of them.
//!
//! On PostgreSQL alone, where two write at once: an evaluation is held up in the middle, after it has looked who may know, by somebody
//! who holds the head of a feed that it will write to.

use serde_json::{Value, json};

use super::{always, entries, gym};
use crate::harness::{DEADLINE, Kind, TestApp, World, event, run};
use sea_orm::ConnectionTrait;

#[tokio::test]
async fn a_grant_that_is_revoked_while_an_award_is_written_down_is_answered_when_it_was_told() {
    run(Kind::Postgres, async |app: &TestApp| {
        revoking(app, Revoked::Grant).await;
    })
    .await;
}

#[tokio::test]
async fn a_consent_that_is_revoked_while_an_award_is_written_down_is_answered_when_it_was_told() {
    run(Kind::Postgres, async |app: &TestApp| {
        revoking(app, Revoked::Consent).await;
    })
    .await;
}

#[tokio::test]
async fn a_back_fill_misses_no_award_that_is_written_down_while_the_grant_is_given() {
    run(Kind::Postgres, async |app: &TestApp| granting(app).await).await;
}

/// Waits until so many transactions wait for a lock of another one.
async fn waiting(app: &TestApp, count: i64) {
    let waiting = "SELECT count(*) AS count FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    let reached = async { while app.count(waiting).await < count {} };
    let reached = tokio::time::timeout(DEADLINE, reached).await;
    reached.expect("nobody waits");
}

enum Revoked {
    Grant,
    Consent,
}

async fn record(world: &World<'_>, id: &str) {
    let statuses = world
        .backend()
        .record([Value::from(event(id, "ada", "2026-11-20T10:00:00Z"))])
        .await;
    assert_eq!(statuses, ["ACCEPTED"]);
}

async fn revoking(app: &TestApp, what: Revoked) {
    let world = World::new(app).await;
    always(&world).await;
    world.members(&["ada"]).await;
    record(&world, "e1").await;
    let held = app.app.db.write_txn().await.unwrap();
    let hold = "UPDATE feed_head SET position = position";
    held.execute_unprepared(hold).await.unwrap();
    let revoke = async {
        waiting(app, 1).await;
        match what {
            Revoked::Grant => {
                let input = json!({"partner": "spa", "programs": ["wellbeing"]});
                world
                    .admin()
                    .change("revokeGrant", input, "grants { program }")
                    .await;
            }
            Revoked::Consent => {
                let no = json!([{"purpose": "PARTNER_SHARING", "given": false}]);
                let statuses = world
                    .register(vec![json!({"externalId": "ada", "consents": no})])
                    .await;
                assert_eq!(statuses, ["UPDATED"]);
            }
        }
        world.feed_length().await
    };
    let release = async {
        waiting(app, 2).await;
        held.rollback().await.unwrap();
    };
    let evaluate = jobs::evaluate::batch(&app.app.jobs, 100);
    let (evaluated, when_answered, ()) = tokio::join!(evaluate, revoke, release);
    assert_eq!(evaluated.unwrap(), 1);
    record(&world, "e2").await;
    app.run_jobs().await;
    assert_eq!((when_answered, world.feed_length().await), (1, 1));
}

async fn granting(app: &TestApp) {
    let world = World::new(app).await;
    let gym = gym(&world).await;
    let input = json!({"partner": "gym", "programs": ["wellbeing"]});
    world
        .admin()
        .change("revokeGrant", input, "grants { program }")
        .await;
    always(&world).await;
    world.members(&["ada"]).await;
    record(&world, "e1").await;
    let held = app.app.db.write_txn().await.unwrap();
    let hold = "UPDATE feed_head SET position = position";
    held.execute_unprepared(hold).await.unwrap();
    let grant = async {
        waiting(app, 1).await;
        let input = json!({"partner": "gym", "programs": ["wellbeing"], "backfill": true});
        world
            .admin()
            .change("grantPartner", input, "grants { program }")
            .await;
        jobs::backfill::round(&app.app.jobs).await.unwrap();
    };
    let release = async {
        waiting(app, 2).await;
        held.rollback().await.unwrap();
    };
    let evaluate = jobs::evaluate::batch(&app.app.jobs, 100);
    let (evaluated, (), ()) = tokio::join!(evaluate, grant, release);
    assert_eq!(evaluated.unwrap(), 1);
    app.run_jobs().await;
    assert_eq!(entries(&gym).await.len(), 1);
}
