//! Forgetting what has served its time. Every step is idempotent and takes its work from the tables.

use chrono::Days;
use entity::clock::Timestamp;
use entity::{receipt, refusal, signing_key};
use sea_orm::DbErr;

use crate::Context;

/// Receipts deleted in one transaction: enough to keep up, few enough not to hold SQLite's writer for long.
const BATCH: u64 = 5_000;
/// Counts of refusals are kept for a year and a month, so that a year can be compared with the one before.
const REFUSALS_KEPT_DAYS: u64 = 396;

/// Deletes receipts of events that would be too late by now, old counts of refusals, and signing keys whose tokens have expired.
pub async fn run(context: &Context) -> Result<(), DbErr> {
    let now = context.clock.now();
    let mut receipts = 0;
    loop {
        let txn = context.db.write_txn().await?;
        let deleted = receipt::purge(&*txn, Timestamp::from(now), BATCH).await?;
        txn.commit().await?;
        receipts += deleted;
        if deleted < BATCH {
            break;
        }
    }
    let txn = context.db.write_txn().await?;
    if let Some(day) = now.date_naive().checked_sub_days(Days::new(REFUSALS_KEPT_DAYS)) {
        refusal::purge(&*txn, day).await?;
    }
    let keys = signing_key::purge(&*txn, Timestamp::from(now)).await?;
    txn.commit().await?;
    if receipts > 0 || keys > 0 {
        tracing::info!(receipts, keys, "purged what has served its time");
    }
    Ok(())
}
