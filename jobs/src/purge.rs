//! Forgetting what has served its time. Every step is idempotent, takes its work from the tables, and deletes in small transactions.
//!
//! What goes, and when, by the employer's own clock:
//! - a receipt, when its event could not be accepted any more (`maxLate` after it happened);
//! - what an event counted for, what a refund has said, what points were earned for that is taken back, and an event that could not be evaluated, behind the horizon: the greatest `maxLate` of the
//!   employer's event types and 33 days;
//! - an event that waits for a paused program, when it has become too late meanwhile (it is counted as refused);
//! - a kept event, when its type's `retention` is over;
//! - a delivery, 30 days after it was made, and what was promised to a webhook endpoint that was deleted;
//! - a message to a member, 396 days after it was settled;
//! - a retraction, when no event that it names can come any more;
//! - an entry of a feed, when it is older than `feed_retention`, the oldest first;
//! - of progress what no later event can change, and all of it where nothing is left that could matter.

use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc};
use entity::clock::Timestamp;
use entity::feed::kept;
use entity::id::{EmployerId, PartnerId};
use entity::page::Page;
use entity::progress::{self, Progress};
use entity::{
    contribution, dead_event, delivery, earning, employer, event, kept_event, message, receipt, refusal,
    retraction, signing_key, webhook_endpoint,
};
use sea_orm::DbErr;

use crate::Context;
use crate::catalogue::{Catalogue, Employers};
use crate::judge::CaseKey;
use crate::rules::{self, Tidied};

/// Rows deleted in one transaction: enough to keep up, few enough not to hold SQLite's writer for long.
const BATCH: u64 = 5_000;
/// Progress looked at in one transaction.
const PROGRESS_BATCH: u64 = 1_000;
/// Counts of refusals are kept for a year and a month, so that a year can be compared with the one before.
const REFUSALS_KEPT_DAYS: u64 = 396;
/// What was delivered can be looked at for a month.
const DELIVERIES_KEPT_DAYS: i64 = 30;
/// Messages are kept for a year and a month, so that a year can be compared with the one before.
const MESSAGES_KEPT_DAYS: i64 = 396;
/// Employers looked at together.
const EMPLOYERS: u64 = 100;

/// How long entries of feeds are kept unless the operator says otherwise.
pub const FEED_RETENTION: TimeDelta = TimeDelta::days(90);

/// Forgets everything that has served its time.
pub async fn run(context: &Context) -> Result<(), DbErr> {
    let now = context.clock.now();
    let instant = Timestamp::from(now);
    let receipts = Step::Receipts.repeat(context, now).await?;
    let kept = Step::KeptEvents.repeat(context, now).await?;
    let retractions = Step::Retractions.repeat(context, now).await?;
    let deliveries = Step::Deliveries.repeat(context, now).await?;
    let messages = Step::Messages.repeat(context, now).await?;
    let Gone {
        contributions,
        dead,
        held,
    } = of_each_employer(context, now).await?;
    let progress = tidy_progress(context, now).await?;
    let entries = purge_feeds(context, now).await?;
    let txn = context.db.write_txn().await?;
    if let Some(day) = now.date_naive().checked_sub_days(Days::new(REFUSALS_KEPT_DAYS)) {
        refusal::purge(&*txn, day).await?;
    }
    let keys = signing_key::purge(&*txn, instant).await?;
    let endpoints = webhook_endpoint::purge(&*txn).await?;
    txn.commit().await?;
    let forgotten = [
        receipts,
        kept,
        retractions,
        contributions,
        dead,
        held,
        progress,
        entries,
        keys,
        deliveries,
        messages,
        endpoints,
    ];
    if forgotten.iter().any(|count| *count > 0) {
        tracing::info!(
            receipts,
            kept,
            retractions,
            contributions,
            dead,
            held,
            progress,
            entries,
            keys,
            deliveries,
            messages,
            endpoints,
            "purged what has served its time"
        );
    }
    Ok(())
}

/// What is deleted batch after batch.
#[derive(Clone, Copy)]
enum Step {
    Receipts,
    KeptEvents,
    Retractions,
    Deliveries,
    Messages,
    Contributions(EmployerId, NaiveDate),
    Earnings(EmployerId, NaiveDate),
    Refunds(EmployerId, NaiveDate),
    DeadEvents(EmployerId, Timestamp),
    HeldEvents(EmployerId, DateTime<Utc>),
    FeedEntries(PartnerId, Timestamp),
}

impl Step {
    /// Deletes all there is, each batch in a transaction of its own, and says how many rows there were.
    async fn repeat(self, context: &Context, now: DateTime<Utc>) -> Result<u64, DbErr> {
        let now = Timestamp::from(now);
        let mut deleted = 0;
        loop {
            let txn = context.db.write_txn().await?;
            let batch = match self {
                Self::Receipts => receipt::purge(&*txn, now, BATCH).await?,
                Self::KeptEvents => kept_event::purge(&*txn, now, BATCH).await?,
                Self::Retractions => retraction::purge(&*txn, now, BATCH).await?,
                Self::Deliveries => {
                    delivery::purge(&*txn, days_before(now, DELIVERIES_KEPT_DAYS), BATCH).await?
                }
                Self::Messages => message::purge(&*txn, days_before(now, MESSAGES_KEPT_DAYS), BATCH).await?,
                Self::Contributions(employer, horizon) => {
                    contribution::purge(&*txn, employer, horizon, BATCH).await?
                }
                Self::Earnings(employer, horizon) => earning::purge(&*txn, employer, horizon, BATCH).await?,
                Self::Refunds(employer, horizon) => {
                    earning::refund::purge(&*txn, employer, horizon, BATCH).await?
                }
                Self::DeadEvents(employer, before) => {
                    dead_event::purge(&*txn, employer, before, BATCH).await?
                }
                Self::HeldEvents(employer, own_now) => {
                    event::refuse_late(&*txn, employer, None, own_now, BATCH).await?
                }
                Self::FeedEntries(partner, before) => kept::purge(&*txn, partner, before, BATCH).await?,
            };
            txn.commit().await?;
            deleted += batch;
            if batch < BATCH {
                return Ok(deleted);
            }
        }
    }
}

fn days_before(now: Timestamp, days: i64) -> Timestamp {
    let before = now.instant().checked_sub_signed(TimeDelta::days(days));
    before.unwrap_or(DateTime::UNIX_EPOCH).into()
}

/// Deletes what the feeds keep no longer.
async fn purge_feeds(context: &Context, now: DateTime<Utc>) -> Result<u64, DbErr> {
    let Some(before) = now.checked_sub_signed(context.feed_retention) else {
        return Ok(0);
    };
    let before = Timestamp::from(before);
    let mut gone = 0;
    for partner in kept::list_due(context.db.read(), before).await? {
        gone += Step::FeedEntries(partner, before).repeat(context, now).await?;
    }
    Ok(gone)
}

/// What was deleted of all employers.
#[derive(Default)]
struct Gone {
    contributions: u64,
    dead: u64,
    held: u64,
}

/// Deletes what lies behind each employer's horizon: what events counted for or have refunded, and events that could not be evaluated; and held
/// events that are too late.
async fn of_each_employer(context: &Context, now: DateTime<Utc>) -> Result<Gone, DbErr> {
    let mut gone = Gone::default();
    let mut after: Option<EmployerId> = None;
    loop {
        let page = Page {
            after,
            ..Page::first(EMPLOYERS)
        };
        let slice = employer::list(context.db.read(), page).await?;
        let Some(last) = slice.rows.last().map(|row| row.id) else {
            return Ok(gone);
        };
        let ids: Vec<EmployerId> = slice.rows.iter().map(|row| row.id).collect();
        let employers = context.catalogues.load(context.db.read(), ids.clone()).await?;
        for id in ids {
            let Some(catalogue) = employers.get(id) else {
                continue;
            };
            let own_now = catalogue.employer.now(now);
            let horizon = catalogue.horizon(own_now);
            gone.held += Step::HeldEvents(id, own_now).repeat(context, now).await?;
            for step in [
                Step::Contributions(id, horizon),
                Step::Earnings(id, horizon),
                Step::Refunds(id, horizon),
            ] {
                gone.contributions += step.repeat(context, now).await?;
            }
            let before = Timestamp::from(horizon.and_time(chrono::NaiveTime::MIN).and_utc());
            let lost = Step::DeadEvents(id, before).repeat(context, now).await?;
            if lost > 0 {
                tracing::warn!(employer = %id, events = lost, "events that could not be evaluated are too old by now and were deleted");
            }
            gone.dead += lost;
        }
        if !slice.has_next {
            return Ok(gone);
        }
        after = Some(last);
    }
}

/// Forgets of the members' progress what no later event can change.
///
/// Progress that is still moving forgets by itself; looked at here is what has not changed for as long as an event can be late.
async fn tidy_progress(context: &Context, now: DateTime<Utc>) -> Result<u64, DbErr> {
    let mut tidied = 0;
    let mut after: Option<CaseKey> = None;
    loop {
        // The shortest horizon there is; each employer's own is looked at row by row.
        let shortest = TimeDelta::days(Catalogue::SHORTEST_HORIZON_DAYS);
        let updated_before = now.checked_sub_signed(shortest).unwrap_or(DateTime::UNIX_EPOCH);
        let rows =
            progress::list_stale(context.db.read(), after, updated_before.into(), PROGRESS_BATCH).await?;
        let Some(last) = rows.last().map(key) else {
            return Ok(tidied);
        };
        after = Some(last);
        let mut ids: Vec<EmployerId> = rows.iter().map(|row| row.employer_id).collect();
        ids.dedup();
        let employers = context.catalogues.load(context.db.read(), ids).await?;
        let stale: Vec<CaseKey> = rows
            .iter()
            .filter(|row| !matches!(tidy(&employers, row, now), Some(Tidied::Unchanged) | None))
            .map(key)
            .collect();
        if !stale.is_empty() {
            tidied += tidy_batch(context, &employers, &stale, now).await?;
        }
    }
}

/// Tidies these rows, under their members' locks.
async fn tidy_batch(
    context: &Context,
    employers: &Employers,
    stale: &[CaseKey],
    now: DateTime<Utc>,
) -> Result<u64, DbErr> {
    let txn = context.db.write_txn().await?;
    let mut members: Vec<_> = stale
        .iter()
        .map(|(employer, member, _)| (*employer, *member))
        .collect();
    members.sort_unstable();
    members.dedup();
    let _locked = entity::member::lock(&*txn, &members).await?;
    let (mut changed, mut gone) = (Vec::new(), Vec::new());
    for row in progress::list(&*txn, stale).await? {
        match tidy(employers, &row, now) {
            Some(Tidied::Changed(state)) => changed.push(Progress {
                state,
                updated_at: employers.now(row.employer_id, now).into(),
                ..row
            }),
            Some(Tidied::Nothing) => gone.push(key(&row)),
            Some(Tidied::Unchanged) | None => {}
        }
    }
    let count = changed.len() + gone.len();
    if !changed.is_empty() {
        progress::put(&*txn, &changed).await?;
    }
    if !gone.is_empty() {
        progress::delete(&*txn, &gone).await?;
    }
    txn.commit().await?;
    Ok(u64::try_from(count).unwrap_or(u64::MAX))
}

/// What is left of a row; none where its incentive cannot be evaluated now.
fn tidy(employers: &Employers, row: &Progress, now: DateTime<Utc>) -> Option<Tidied> {
    let catalogue = employers.get(row.employer_id)?;
    let compiled = catalogue.find(row.incentive_id)?;
    let own_now = catalogue.employer.now(now);
    let number = compiled.current(own_now)?.number;
    rules::tidy(
        &compiled.editions(),
        number,
        &row.state,
        catalogue.horizon(own_now),
    )
    .ok()
}

fn key(row: &Progress) -> CaseKey {
    (row.employer_id, row.member_id, row.incentive_id)
}
