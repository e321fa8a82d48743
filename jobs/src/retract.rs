//! The shell around taking events back: what a retracted event has counted for is given back, in one transaction with all that
//! follows from it.
//!
//! A retraction is looked at in a transaction of its own, after the one that has stored it. That is what makes the order of arrival
//! irrelevant: an event that was accepted before has its receipt by then, and one that comes later sees the retraction when it is
//! evaluated and counts for nothing (`evaluate/open.rs`). Both ways take the member's lock first.

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::{DateTime, Utc};
use entity::clock::Timestamp;
use entity::earning::refund;
use entity::id::{EmployerId, MemberId};
use entity::receipt::{self, Identity};
use entity::retraction::{self, Retraction, State};
use entity::{campaign_mark, contribution, db, kept_event, member};
use sea_orm::{ConnectionTrait, DbErr};
use tokio_util::sync::CancellationToken;

use crate::judge::{self, Budgets, Case, Cases};
use crate::record::Recorded;
use crate::{Context, record};

/// Retractions taken at once.
const BATCH: u32 = 500;
/// The wait before a retraction that could not be applied is tried again; it doubles each time, up to an hour, and never ends:
/// nothing else takes back what should not count.
const FIRST_RETRY_MICROS: i64 = 1_000_000;
const LAST_RETRY_MICROS: i64 = 3_600_000_000;
/// Tries of a whole transaction that was in another one's way.
const TXN_ATTEMPTS: u32 = 5;

/// Applies every retraction that is due, until none is or `shutdown`.
pub async fn drain(context: &Context, shutdown: &CancellationToken) -> Result<(), DbErr> {
    while !shutdown.is_cancelled() {
        let due = retraction::next_due(context.db.read()).await?;
        if due.is_none_or(|due| due > Timestamp::from(context.clock.now())) {
            return Ok(());
        }
        if batch(context).await? == 0 {
            // What is due is held by another worker.
            return Ok(());
        }
    }
    Ok(())
}

/// Applies a batch of due retractions in one transaction and says how many it has looked at.
pub async fn batch(context: &Context) -> Result<usize, DbErr> {
    let mut attempts = 0;
    loop {
        attempts += 1;
        match attempt(context).await {
            Err(error) if db::is_retryable(&error) && attempts < TXN_ATTEMPTS => {}
            outcome => return outcome,
        }
    }
}

async fn attempt(context: &Context) -> Result<usize, DbErr> {
    loop {
        // Each round but the last is due to a change that somebody has made by hand.
        if let Some(count) = try_once(context).await? {
            return Ok(count);
        }
    }
}

async fn try_once(context: &Context) -> Result<Option<usize>, DbErr> {
    let now = context.clock.now();
    let txn = context.db.write_txn().await?;
    let retractions = retraction::claim(&*txn, Timestamp::from(now), BATCH).await?;
    if retractions.is_empty() {
        txn.rollback().await?;
        return Ok(Some(0));
    }
    let Some(recorded) = apply(context, &*txn, &retractions, now).await? else {
        txn.rollback().await?;
        return Ok(None);
    };
    txn.commit().await?;
    recorded.spread(context);
    Ok(Some(retractions.len()))
}

/// Everything that follows from retractions, up to the commit. Returns what was recorded; none when meanwhile an
/// employer has changed what they were judged by, and they have to be judged anew.
async fn apply(
    context: &Context,
    connection: &impl ConnectionTrait,
    retractions: &[Retraction],
    now: DateTime<Utc>,
) -> Result<Option<Recorded>, DbErr> {
    let identities: Vec<Identity> = retractions.iter().map(Retraction::identity).collect();
    let known: HashMap<Identity, MemberId> = receipt::list(connection, &identities)
        .await?
        .into_iter()
        .filter_map(|row| {
            let identity = Identity {
                employer_id: row.employer_id,
                source: row.source,
                event_id: row.event_id,
            };
            Some((identity, row.member_id?))
        })
        .collect();
    let (found, waiting): (Vec<Identity>, Vec<Identity>) = identities
        .into_iter()
        .partition(|identity| known.contains_key(identity));
    if !waiting.is_empty() {
        retraction::settle(connection, &waiting, State::Waiting).await?;
    }
    if found.is_empty() {
        return Ok(Some(Recorded::default()));
    }
    let mut members: Vec<(EmployerId, MemberId)> = known
        .iter()
        .map(|(identity, member)| (identity.employer_id, *member))
        .collect();
    members.sort_unstable();
    members.dedup();
    let _locked = member::lock(connection, &members).await?;
    let mut employers: Vec<EmployerId> = members.iter().map(|(employer, _)| *employer).collect();
    employers.dedup();
    let employers = context.catalogues.load(connection, employers).await?;

    let events: Vec<_> = found
        .iter()
        .filter_map(|identity| {
            let member = known.get(identity)?;
            let Identity {
                employer_id,
                source,
                event_id,
            } = identity.clone();
            Some((employer_id, *member, source, event_id))
        })
        .collect();
    // What still waits to be evaluated counts for nothing when its turn comes; a copy that was kept goes now.
    kept_event::delete(connection, &events).await?;
    let marked: Vec<(MemberId, Identity)> = found
        .iter()
        .filter(|identity| {
            let catalogue = employers.get(identity.employer_id);
            catalogue.is_some_and(|catalogue| catalogue.campaigns.marks_anything())
        })
        .filter_map(|identity| Some((*known.get(identity)?, identity.clone())))
        .collect();
    if !marked.is_empty() {
        campaign_mark::take_back(connection, &marked).await?;
    }
    let mut cases = Cases::new();
    for row in contribution::list_of_events(connection, &events).await? {
        let Some(catalogue) = employers.get(row.employer_id) else {
            continue;
        };
        let Some(compiled) = catalogue.find(row.incentive_id) else {
            continue;
        };
        cases
            .entry((row.employer_id, row.member_id, row.incentive_id))
            .or_insert_with(|| Case {
                catalogue,
                compiled,
                member: row.member_id,
                added: Vec::new(),
                removed: Vec::new(),
            })
            .removed
            .push(row);
    }
    let Some(mut budgets) = Budgets::lock_for(connection, &employers, &cases).await? else {
        return Ok(None);
    };
    let mut judged = judge::judge(connection, &cases, &mut budgets, now).await?;
    judged.refunds.taken_back = refund::list_of_events(connection, &events).await?;
    if !employers.lock(connection, judged.employers()).await? {
        return Ok(None);
    }
    settle(connection, retractions, found, &cases, &judged.failed, now).await?;
    // Takes the feed positions, so nothing comes between it and the commit.
    record::record(connection, &context.ids, &employers, judged, budgets, now)
        .await
        .map(Some)
}

/// Notes which retractions are done; one of which an incentive could not take note comes again, and then finds only what is left.
async fn settle(
    connection: &impl ConnectionTrait,
    retractions: &[Retraction],
    found: Vec<Identity>,
    cases: &Cases<'_>,
    failed: &[(judge::CaseKey, String)],
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    let unfinished: HashSet<Identity> = failed
        .iter()
        .filter_map(|(key, _)| cases.get(key))
        .flat_map(|case| &case.removed)
        .map(|row| Identity {
            employer_id: row.employer_id,
            source: row.source.clone(),
            event_id: row.event_id.clone(),
        })
        .collect();
    let attempts: BTreeMap<Identity, i32> = retractions
        .iter()
        .map(|retraction| (retraction.identity(), retraction.attempts))
        .collect();
    let (later, done): (Vec<Identity>, Vec<Identity>) = found
        .into_iter()
        .partition(|identity| unfinished.contains(identity));
    if !done.is_empty() {
        retraction::settle(connection, &done, State::Applied).await?;
    }
    if later.is_empty() {
        return Ok(());
    }
    let later: Vec<_> = later
        .into_iter()
        .map(|identity| {
            let attempts = attempts.get(&identity).copied().unwrap_or(0).saturating_add(1);
            let wait = FIRST_RETRY_MICROS
                .saturating_mul(1 << (attempts - 1).clamp(0, 16))
                .min(LAST_RETRY_MICROS);
            let due_at = Timestamp(Timestamp::from(now).0.saturating_add(wait));
            (identity, attempts, due_at)
        })
        .collect();
    retraction::postpone(connection, &later).await
}
