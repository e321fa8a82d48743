//! Booking what has come due by the passing of time alone: points that have become active, points that have ended, and redemptions
//! that nobody has fulfilled in time.
//!
//! Nothing waits for it. Whoever changes an account books what is due in it first, and whoever reads one counts only what is good at
//! that instant; this is for the accounts that nobody touches, so that their ledgers say in time what has happened to them.

pub mod holds;

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use entity::clock::Timestamp;
use entity::id::EmployerId;
use entity::ledger::{self, AccountKey, Depth, Ledger, Moment, Want};
use entity::{employer, member};
use sea_orm::DbErr;

use crate::Context;
use crate::moment::moment;

/// Accounts booked in one transaction: few enough not to hold SQLite's writer for long.
const BATCH: u64 = 500;

/// Books everything that is due.
pub async fn run(context: &Context) -> Result<(), DbErr> {
    let accounts = points(context).await?;
    if accounts > 0 {
        tracing::info!(accounts, "booked points that became active or have ended");
    }
    holds::run(context).await
}

/// Books what has become active or has ended, each batch in a transaction of its own, and says of how many accounts.
async fn points(context: &Context) -> Result<u64, DbErr> {
    let real = context.clock.now();
    let mut booked = 0;
    loop {
        let due = ledger::list_due(context.db.read(), Timestamp::from(real), BATCH).await?;
        let found = u64::try_from(due.len()).unwrap_or(u64::MAX);
        if !due.is_empty() {
            book(context, due, real).await?;
        }
        booked += found;
        if found < BATCH {
            return Ok(booked);
        }
    }
}

/// Books what is due in these accounts, under their members' locks.
async fn book(context: &Context, due: Vec<AccountKey>, real: DateTime<Utc>) -> Result<(), DbErr> {
    let txn = context.db.write_txn().await?;
    let mut members: Vec<_> = due.iter().map(|key| (key.employer_id, key.member_id)).collect();
    members.sort_unstable();
    members.dedup();
    let _locked = member::lock(&*txn, &members).await?;
    let mut ids: Vec<EmployerId> = members.iter().map(|(employer, _)| *employer).collect();
    ids.dedup();
    let moments: HashMap<EmployerId, Moment> = employer::list_by_ids(&*txn, ids)
        .await?
        .iter()
        .map(|employer| (employer.id, moment(employer, real)))
        .collect();
    let wanted: BTreeMap<AccountKey, Want> = due
        .into_iter()
        .filter_map(|key| {
            let moment = *moments.get(&key.employer_id)?;
            let depth = Depth::Lots;
            Some((key, Want { moment, depth }))
        })
        .collect();
    // Opening an account books what is due in it.
    let ledger = Ledger::open(&*txn, &context.ids, wanted).await?;
    ledger.write(&*txn).await?;
    txn.commit().await
}
