//! The shell around the rules: take events out of the queue, let the rules judge them, record what follows, in one transaction.
//!
//! Nothing here trusts anything but that transaction. An event is gone from the queue exactly when everything that follows from it
//! is there; a process that dies in between leaves the event to the next. What fails is kept apart from what does not: an event that
//! one incentive cannot judge comes back for that incentive alone, and after [`MAX_ATTEMPTS`] tries it stands among the dead with
//! its reason; an event that the database itself refuses is found by taking the batch event by event.

#![expect(
    clippy::indexing_slicing,
    reason = "an index is the place of an event in the batch that it was taken from"
)]

use std::collections::{BTreeMap, HashMap};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use chrono::{DateTime, NaiveDateTime, Utc};
use entity::clock::Timestamp;
use entity::event::{self, Event};
use entity::id::{EmployerId, IncentiveId, MemberId, PartnerId};
use entity::progress::{self, Progress};
use entity::{db, dead_event, member};
use sea_orm::{ConnectionTrait, DbErr};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::Context;
use crate::catalogue::{Catalogue, Compiled, Version};
use crate::record::{self, Earned};
use crate::rules::{self, Occurrence, calendar};

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
        let partners = evaluate(context, &*txn, &events, now).await?;
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

/// What one incentive version has to judge of one member.
struct Case<'a> {
    catalogue: &'a Catalogue,
    compiled: &'a Compiled,
    version: &'a Version,
    /// Indices of the events.
    events: Vec<usize>,
}

/// Events by member and incentive; a map that is ordered, so that a batch writes its rows in one order however it was claimed.
type Cases<'a> = BTreeMap<(EmployerId, MemberId, IncentiveId, i32), Case<'a>>;

/// An event as far as the rules need it.
struct Read {
    properties: Value,
    local_time: NaiveDateTime,
    occurred_at: DateTime<Utc>,
}

/// Lets the rules judge the events and records what follows; returns the partners whose feeds have grown.
async fn evaluate(
    context: &Context,
    connection: &impl ConnectionTrait,
    events: &[Event],
    now: DateTime<Utc>,
) -> Result<Vec<PartnerId>, DbErr> {
    let mut wanted: Vec<(EmployerId, MemberId)> = events
        .iter()
        .map(|event| (event.employer_id, event.member_id))
        .collect();
    wanted.sort_unstable();
    wanted.dedup();
    let attributes: HashMap<(EmployerId, MemberId), Value> = member::lock(connection, &wanted)
        .await?
        .into_iter()
        .map(|row| ((row.employer_id, row.id), row.attributes))
        .collect();
    let mut employers: Vec<EmployerId> = wanted.iter().map(|(employer, _)| *employer).collect();
    employers.dedup();
    let catalogues = context.catalogues.load(connection, employers).await?;

    let mut failed: Vec<(Event, String)> = Vec::new();
    let read: Vec<Option<Read>> = events.iter().map(read).collect();
    let mut cases = Cases::new();
    for (index, event) in events.iter().enumerate() {
        let catalogue = catalogues.get(&event.employer_id);
        let attributes = attributes.get(&(event.employer_id, event.member_id));
        match (catalogue, attributes, &read[index]) {
            (Some(catalogue), Some(attributes), Some(read)) => {
                open_cases(&mut cases, catalogue, index, event, read, attributes);
            }
            _ => failed.push((
                event.clone(),
                "what is stored of the event cannot be read".to_owned(),
            )),
        }
    }

    let mut keys: Vec<_> = cases
        .keys()
        .map(|(employer, member, incentive, _)| (*employer, *member, *incentive))
        .collect();
    keys.dedup();
    let mut states: HashMap<(EmployerId, MemberId, IncentiveId), String> = if keys.is_empty() {
        HashMap::new()
    } else {
        progress::list(connection, &keys)
            .await?
            .into_iter()
            .map(|row| ((row.employer_id, row.member_id, row.incentive_id), row.state))
            .collect()
    };

    let mut changed = BTreeMap::new();
    let mut earned = Vec::new();
    for ((employer, member, incentive, _), case) in &cases {
        let key = (*employer, *member, *incentive);
        let attributes = attributes.get(&(*employer, *member)).unwrap_or(&Value::Null);
        match judge(
            case,
            states.get(&key).map(String::as_str),
            attributes,
            events,
            &read,
            now,
        ) {
            Ok(verdict) => {
                if verdict.evaluation.changed {
                    states.insert(key, verdict.evaluation.progress.clone());
                    changed.insert(key, verdict.evaluation.progress);
                }
                if let Some(achievement) = verdict.achievement {
                    earned.extend(verdict.evaluation.awards.into_iter().map(|award| Earned {
                        employer: case.catalogue.employer.clone(),
                        incentive: case.compiled.incentive.clone(),
                        version: case.version.number,
                        member: *member,
                        title: achievement.title.clone(),
                        award,
                    }));
                }
                for index in verdict.evaluation.too_late {
                    let event = Event {
                        attempts: MAX_ATTEMPTS - 1,
                        ..only_for(context, &events[case.events[index]], *incentive)
                    };
                    failed.push((
                        event,
                        "it came to be evaluated so late that the progress before it is forgotten".to_owned(),
                    ));
                }
            }
            Err(reason) => {
                tracing::warn!(incentive = %incentive, employer = %employer, reason, "an incentive could not judge a member");
                failed.extend(
                    case.events
                        .iter()
                        .map(|index| (only_for(context, &events[*index], *incentive), reason.clone())),
                );
            }
        }
    }

    if !changed.is_empty() {
        let rows: Vec<Progress> = changed
            .into_iter()
            .map(|((employer_id, member_id, incentive_id), state)| Progress {
                employer_id,
                member_id,
                incentive_id,
                state,
                updated_at: Timestamp::from(now),
            })
            .collect();
        progress::put(connection, &rows).await?;
    }
    try_later(connection, failed, now).await?;
    record::record(connection, &context.ids, earned, Timestamp::from(now)).await
}

/// Reads what is stored of an event; none where it cannot be read.
fn read(event: &Event) -> Option<Read> {
    Some(Read {
        properties: serde_json::from_str(&event.properties).ok()?,
        local_time: event.local_time.parse().ok()?,
        occurred_at: event.occurred_at.instant(),
    })
}

/// Adds an event to the case of every incentive version that it counts for.
fn open_cases<'a>(
    cases: &mut Cases<'a>,
    catalogue: &'a Arc<Catalogue>,
    index: usize,
    event: &Event,
    read: &Read,
    attributes: &Value,
) {
    let Some(event_type) = catalogue.event_type(event.event_type_id) else {
        return;
    };
    for compiled in catalogue.matching(event_type) {
        if event
            .only_incentive_id
            .is_some_and(|only| only != compiled.incentive.id)
        {
            continue;
        }
        if !compiled.program.covers(calendar::program_day(
            read.local_time,
            compiled.program.day_starts_at(),
        )) {
            continue;
        }
        let Some(version) = compiled.version_at(read.occurred_at, event_type) else {
            continue;
        };
        // A broken version cannot say what it matches: it gets the event, and the event waits for its repair.
        if version
            .ready
            .as_ref()
            .is_ok_and(|ready| !ready.incentive.matches(event_type, &read.properties, attributes))
        {
            continue;
        }
        cases
            .entry((
                event.employer_id,
                event.member_id,
                compiled.incentive.id,
                version.number,
            ))
            .or_insert_with(|| Case {
                catalogue,
                compiled,
                version,
                events: Vec::new(),
            })
            .events
            .push(index);
    }
}

struct Verdict<'a> {
    evaluation: rules::Evaluation,
    achievement: Option<&'a crate::outcome::AchievementOutcome>,
}

/// Lets the rules judge one case. An error says why they cannot, and nothing about the member.
fn judge<'a>(
    case: &Case<'a>,
    state: Option<&str>,
    attributes: &Value,
    events: &[Event],
    read: &[Option<Read>],
    now: DateTime<Utc>,
) -> Result<Verdict<'a>, String> {
    let ready = case.version.ready.as_ref().map_err(Clone::clone)?;
    let day_starts_at = case.compiled.program.day_starts_at();
    let occurrences: Vec<Occurrence<'_>> = case
        .events
        .iter()
        .filter_map(|index| {
            let read = read[*index].as_ref()?;
            Some(Occurrence {
                event_type: case.catalogue.event_type(events[*index].event_type_id)?,
                day: calendar::program_day(read.local_time, day_starts_at),
                occurred_at: read.occurred_at,
                properties: &read.properties,
            })
        })
        .collect();
    let horizon = case.catalogue.horizon(now);
    // The rules promise not to panic; should one ever do, it is that incentive's fault alone.
    let evaluation = catch_unwind(AssertUnwindSafe(|| {
        rules::evaluate(&ready.incentive, state, attributes, &occurrences, horizon)
    }))
    .map_err(|_| "the rule failed unexpectedly".to_owned())?
    .map_err(|fault| fault.to_string())?;
    Ok(Verdict {
        evaluation,
        achievement: ready.achievement.as_ref(),
    })
}

/// The event once more, for one incentive alone.
fn only_for(context: &Context, event: &Event, incentive: IncentiveId) -> Event {
    // The first time it is a further row beside what the others have made of it; from then on it keeps its place.
    let id = if event.only_incentive_id.is_some() {
        event.id
    } else {
        context.ids.next()
    };
    Event {
        id,
        only_incentive_id: Some(incentive),
        ..event.clone()
    }
}
