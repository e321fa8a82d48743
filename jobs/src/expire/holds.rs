//! Redemptions that have waited too long to be fulfilled, by the clock of their employer: they expire, and what they took is back.

use std::collections::{BTreeSet, HashMap};

use entity::clock::Timestamp;
use entity::redemption::{self, RedemptionStatus};
use entity::{db, employer, feed, member};
use sea_orm::DbErr;

use crate::Context;
use crate::moment::moment;
use crate::redemption::{CalledOff, call_off};

/// Redemptions that expire in one transaction.
const BATCH: u64 = 500;
/// Tries of a transaction that was in another one's way.
const ATTEMPTS: u32 = 5;

/// Ends all holds that are due.
pub async fn run(context: &Context) -> Result<(), DbErr> {
    loop {
        if batch(context).await? < BATCH {
            return Ok(());
        }
    }
}

/// Ends a batch of due holds in one transaction and says how many it has looked at.
async fn batch(context: &Context) -> Result<u64, DbErr> {
    let mut attempts = 0;
    loop {
        attempts += 1;
        match try_once(context).await {
            Err(error) if db::is_retryable(&error) && attempts < ATTEMPTS => {}
            outcome => return outcome,
        }
    }
}

async fn try_once(context: &Context) -> Result<u64, DbErr> {
    let now = context.clock.now();
    let due = redemption::list_due(context.db.read(), Timestamp::from(now), BATCH).await?;
    if due.is_empty() {
        return Ok(0);
    }
    let looked_at = due.len() as u64;
    let txn = context.db.write_txn().await?;
    let members: BTreeSet<_> = due.iter().map(|row| (row.employer_id, row.member_id)).collect();
    let members: Vec<_> = members.into_iter().collect();
    let _locked = member::lock(&*txn, &members).await?;
    // As they are now that nobody else can change them.
    let due: Vec<_> = due.iter().map(|row| (row.employer_id, row.id)).collect();
    let due = redemption::list_by_ids(&*txn, &due).await?;
    let employers: BTreeSet<_> = due.iter().map(|row| row.employer_id).collect();
    let employers: HashMap<_, _> = employer::list_by_ids(&*txn, employers.into_iter().collect())
        .await?
        .into_iter()
        .map(|row| (row.id, row))
        .collect();
    let over = due.into_iter().filter_map(|row| {
        Some(CalledOff {
            moment: moment(employers.get(&row.employer_id)?, now),
            row,
            status: RedemptionStatus::Expired,
            reason: None,
        })
    });
    let entries = call_off(&*txn, &context.ids, over.collect()).await?;
    let partners: BTreeSet<_> = entries.iter().map(|entry| entry.partner_id).collect();
    if !entries.is_empty() {
        feed::append(&*txn, entries).await?;
    }
    txn.commit().await?;
    if !partners.is_empty() {
        context.wakes.feeds(partners.into_iter().collect());
    }
    Ok(looked_at)
}
