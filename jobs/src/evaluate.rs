//! The shell around the rules: take events out of the queue, let the rules judge them, record what follows, in one transaction.
//!
//! Nothing here trusts anything but that transaction. An event is gone from the queue exactly when everything that follows from it
//! is there; a process that dies in between leaves the event to the next. What fails is kept apart from what does not: an event that
//! one incentive cannot judge comes back for that incentive alone, and after [`MAX_ATTEMPTS`] tries it stands among the dead with
//! its reason; an event that the database itself refuses is found by taking the batch event by event.

mod judge;

use chrono::{DateTime, Utc};
use entity::clock::Timestamp;
use entity::event::{self, Event};
use entity::{db, dead_event};
use sea_orm::{ConnectionTrait, DbErr};
use tokio_util::sync::CancellationToken;

use crate::{Context, record};

/// Events taken at once: enough that statements cost little each, few enough that a transaction stays short.
const BATCH: u32 = 1_000;
/// Tries before an event is set aside.
pub const MAX_ATTEMPTS: i32 = 5;
/// The wait before the second try; it doubles for each further one, so an event is set aside after about 15 seconds.
const FIRST_RETRY_MICROS: i64 = 1_000_000;
/// Tries of a whole transaction that was in another one's way.
const TXN_ATTEMPTS: u32 = 5;

/// Evaluates everything that is due, until nothing is or `shutdown`.
pub async fn drain(context: &Context, shutdown: &CancellationToken) -> Result<(), DbErr> {
    while !shutdown.is_cancelled() {
        // A look costs less than a writing transaction, and on SQLite it leaves the writer to others.
        let due = event::next_due(context.db.read()).await?;
        if due.is_none_or(|due| due > Timestamp::from(context.clock.now())) {
            return Ok(());
        }
        if batch(context, BATCH).await? == 0 {
            // What is due is held by another worker.
            return Ok(());
        }
    }
    Ok(())
}

/// Evaluates up to `limit` due events in one transaction and says how many.
pub async fn batch(context: &Context, limit: u32) -> Result<usize, DbErr> {
    let mut attempts = 0;
    loop {
        attempts += 1;
        match attempt(context, limit).await {
            Ok(count) => return Ok(count),
            Err(failure) if db::is_retryable(&failure.error) && attempts < TXN_ATTEMPTS => {}
            Err(failure) if db::is_retryable(&failure.error) || db::is_unavailable(&failure.error) => {
                return Err(failure.error);
            }
            // The database has refused something that follows from one of these events: find out which.
            Err(failure) if failure.events.len() > 1 => {
                return one_by_one(context, failure.events.len()).await;
            }
            Err(failure) => {
                let Some(event) = failure.events.into_iter().next() else {
                    return Err(failure.error);
                };
                tracing::error!(event = %event.id, employer = %event.employer_id, error = %failure.error, "an event could not be recorded");
                return put_back(context, event, "the database refused what follows from it")
                    .await
                    .map(|()| 1);
            }
        }
    }
}

/// A failed attempt and the events it had taken; they are back in the queue.
struct Failure {
    events: Vec<Event>,
    error: DbErr,
}

impl From<DbErr> for Failure {
    fn from(error: DbErr) -> Self {
        Self {
            events: Vec::new(),
            error,
        }
    }
}

async fn attempt(context: &Context, limit: u32) -> Result<usize, Failure> {
    let now = context.clock.now();
    let txn = context.db.write_txn().await?;
    let events = event::claim(&*txn, Timestamp::from(now), limit).await?;
    if events.is_empty() {
        txn.rollback().await?;
        return Ok(0);
    }
    let outcome = async {
        let judged = judge::judge(context, &*txn, &events, now).await?;
        try_later(&*txn, judged.failed, now).await?;
        // Takes the feed positions, so nothing comes between it and the commit.
        let partners = record::record(&*txn, &context.ids, judged.earned, Timestamp::from(now)).await?;
        txn.commit().await?;
        Ok(partners)
    };
    match outcome.await {
        Ok(partners) => {
            if !partners.is_empty() {
                context.wakes.feeds(partners);
            }
            Ok(events.len())
        }
        Err(error) => Err(Failure { events, error }),
    }
}

async fn one_by_one(context: &Context, count: usize) -> Result<usize, DbErr> {
    let mut done = 0;
    while done < count {
        let taken = Box::pin(batch(context, 1)).await?;
        if taken == 0 {
            break;
        }
        done += taken;
    }
    Ok(done)
}

/// Counts a failed try of an event that stands in the queue.
async fn put_back(context: &Context, failed: Event, reason: &str) -> Result<(), DbErr> {
    let now = context.clock.now();
    let txn = context.db.write_txn().await?;
    if event::take(&*txn, failed.employer_id, failed.id).await? {
        try_later(&*txn, vec![(failed, reason.to_owned())], now).await?;
    }
    txn.commit().await
}

/// Puts events back for a later try, or sets them aside where they have had enough.
async fn try_later(
    connection: &impl ConnectionTrait,
    failed: Vec<(Event, String)>,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    let (mut again, mut dead) = (Vec::new(), Vec::new());
    for (mut event, reason) in failed {
        event.attempts += 1;
        if event.attempts >= MAX_ATTEMPTS {
            tracing::error!(event = %event.id, employer = %event.employer_id, reason, "an event was set aside");
            dead.push((event, reason));
        } else {
            let doubled = 1 << (event.attempts - 1).clamp(0, 16);
            event.due_at = Timestamp(
                Timestamp::from(now)
                    .0
                    .saturating_add(FIRST_RETRY_MICROS * doubled),
            );
            again.push(event);
        }
    }
    if !again.is_empty() {
        event::put(connection, &again).await?;
    }
    if !dead.is_empty() {
        dead_event::put(connection, &dead, Timestamp::from(now)).await?;
    }
    Ok(())
}
