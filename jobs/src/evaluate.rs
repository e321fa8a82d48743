//! The shell around the rules: take events out of the queue, let the rules judge them, record what follows, in one transaction.
//!
//! Nothing here trusts anything but that transaction. An event is gone from the queue exactly when everything that follows from it
//! is there; a process that dies in between leaves the event to the next. What fails is kept apart from what does not: an event that
//! one incentive cannot judge comes back for that incentive alone, and after [`MAX_ATTEMPTS`] tries it stands among the dead with
//! its reason; an event that the database itself refuses is found by taking the batch event by event.

mod news;
mod open;

use chrono::{DateTime, Utc};
use entity::clock::Timestamp;
use entity::event::{self, Event};
use entity::id::EmployerId;
use entity::{db, dead_event, kept_event};
use sea_orm::{ConnectionTrait, DbErr};
use tokio_util::sync::CancellationToken;

use crate::catalogue::Employers;
use crate::judge::{self, Budgets};
use crate::metrics::{Count, Time};
use crate::record::Recorded;
use crate::{Context, record};

/// Events taken at once: enough that statements cost little each, few enough that a transaction stays short.
const BATCH: u32 = 1_000;
/// Events in one batch at which another evaluator of this process is called to help: few events are not worth the looks of many.
const BACKLOG: usize = 200;
/// Tries before an event is set aside.
pub const MAX_ATTEMPTS: i32 = 5;
/// The wait before the second try; it doubles for each further one, so an event is set aside after about 15 seconds.
const FIRST_RETRY_MICROS: i64 = 1_000_000;
/// Tries of a whole transaction that was in another one's way.
const TXN_ATTEMPTS: u32 = 5;

const EVALUATED: Count = Count::new("events_evaluated", "Events that were evaluated");
const AWARDED_AFTER: Time = Time::new(
    "event_latency",
    "From the acceptance of an event to the commit of everything that follows from it",
);

/// Whether something is due. A look costs less than a writing transaction, and on SQLite it leaves the writer to others.
pub async fn is_due(context: &Context) -> Result<bool, DbErr> {
    let due = event::next_due(context.db.read()).await?;
    Ok(due.is_some_and(|due| due <= Timestamp::from(context.clock.now())))
}

/// Evaluates everything that is due, until nothing is, or what is due is held by another worker, or `shutdown`.
pub async fn drain(context: &Context, shutdown: &CancellationToken) -> Result<(), DbErr> {
    while !shutdown.is_cancelled() {
        let count = batch(context, BATCH).await?;
        if count >= BACKLOG {
            context.wakes.backlog();
        }
        // Whatever has been accepted meanwhile wakes again.
        if count < BATCH as usize {
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
    loop {
        // Each round but the last is due to a change that somebody has made by hand.
        if let Some(count) = try_once(context, limit).await? {
            return Ok(count);
        }
    }
}

async fn try_once(context: &Context, limit: u32) -> Result<Option<usize>, Failure> {
    let now = context.clock.now();
    let txn = context.db.write_txn().await?;
    let events = event::claim(&*txn, Timestamp::from(now), limit).await?;
    if events.is_empty() {
        txn.rollback().await?;
        return Ok(Some(0));
    }
    let outcome = async {
        let recorded = evaluate(context, &*txn, &events, now).await?;
        match &recorded {
            Some(_) => txn.commit().await?,
            None => txn.rollback().await?,
        }
        Ok(recorded)
    };
    match outcome.await {
        Ok(None) => Ok(None),
        Ok(Some(recorded)) => {
            recorded.spread(context);
            context.metrics.count(&EVALUATED, [], events.len());
            let now = context.clock.now();
            let after = events
                .iter()
                .map(|event| now.signed_duration_since(event.received_at.instant()));
            context.metrics.time(&AWARDED_AFTER, after);
            Ok(Some(events.len()))
        }
        Err(error) => Err(Failure { events, error }),
    }
}

/// Everything that follows from a batch, up to the commit. Returns what was recorded; none when meanwhile an
/// employer has changed what the batch was judged by, and it has to be judged anew.
async fn evaluate(
    context: &Context,
    connection: &impl ConnectionTrait,
    events: &[Event],
    now: DateTime<Utc>,
) -> Result<Option<Recorded>, DbErr> {
    let attributes = open::lock_members(connection, events).await?;
    let mut wanted: Vec<EmployerId> = events.iter().map(|event| event.employer_id).collect();
    wanted.sort_unstable();
    wanted.dedup();
    let employers = context.catalogues.load(connection, wanted).await?;
    let retracted = open::retracted(connection, events).await?;
    let mut opened = open::open(&context.ids, &employers, events, &attributes, &retracted);
    // Should a program have gone on meanwhile, nobody would fetch what is held for it any more.
    let held = opened.held.iter().map(|event| event.employer_id);
    if !employers.lock(connection, held).await? {
        return Ok(None);
    }
    if !opened.held.is_empty() {
        event::put(connection, &opened.held).await?;
    }
    let Some(mut budgets) = Budgets::lock_for(connection, &employers, &opened.cases).await? else {
        return Ok(None);
    };
    let mut judged = judge::judge(connection, &opened.cases, &mut budgets, now).await?;
    judged.refunds = std::mem::take(&mut opened.refunds);
    news::tell_of(&mut judged.earned, &employers, events);
    if !employers.lock(connection, judged.employers()).await? {
        return Ok(None);
    }
    for (key, reason) in &judged.failed {
        opened.fail_case(&context.ids, events, *key, reason);
    }
    for (place, incentive) in &judged.too_late {
        if let Some(event) = events.get(*place) {
            let event = Event {
                attempts: MAX_ATTEMPTS - 1,
                ..open::only_for(&context.ids, event, *incentive)
            };
            let reason = "it came to be evaluated so late that the progress before it is forgotten";
            opened.failed.push((event, reason.to_owned()));
        }
    }
    keep(context, connection, &employers, events, &opened.counting).await?;
    opened.news.write(connection, &employers).await?;
    try_later(connection, opened.failed, now).await?;
    // Takes the feed positions, so nothing comes between it and the commit.
    record::record(connection, &context.ids, &employers, judged, budgets, now)
        .await
        .map(Some)
}

/// Keeps those of the events whose type asks for it. An event that is evaluated once more for one incentive alone was kept the first
/// time.
async fn keep(
    context: &Context,
    connection: &impl ConnectionTrait,
    employers: &Employers,
    events: &[Event],
    counting: &[usize],
) -> Result<(), DbErr> {
    let kept: Vec<kept_event::Model> = counting
        .iter()
        .filter_map(|place| events.get(*place))
        .filter(|event| event.only_incentive_id.is_none())
        .filter_map(|event| {
            let kind = employers
                .get(event.employer_id)?
                .event_type(event.event_type_id)?;
            (kind.retention_seconds > 0).then(|| kept_event::Model {
                employer_id: event.employer_id,
                id: context.ids.next(),
                member_id: event.member_id,
                event_type_id: event.event_type_id,
                source: event.source.clone(),
                event_id: event.event_id.clone(),
                occurred_at: event.occurred_at,
                local_time: event.local_time.clone(),
                time_zone: event.time_zone.clone(),
                properties: event.properties.clone(),
                expires_at: Timestamp(
                    event
                        .occurred_at
                        .0
                        .saturating_add(kind.retention_seconds.saturating_mul(1_000_000)),
                ),
            })
        })
        .collect();
    if kept.is_empty() {
        return Ok(());
    }
    kept_event::put(connection, &kept).await
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
