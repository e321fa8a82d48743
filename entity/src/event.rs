//! The queue of record: an accepted event stands here until it is evaluated.
//!
//! Claiming deletes: the row is gone when, and only when, the transaction that evaluated it commits. A worker that dies leaves its
//! events where they were, free at once for the next one; there is no lease to wait for.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, DbErr, FromQueryResult};

use crate::clock::Timestamp;
use crate::db::sql::{self, Rows, Sql};
use crate::id::{EmployerId, EventTypeId, IncentiveId, MemberId, QueuedEventId};
use crate::refusal::{self, Refusal};
use crate::{event_type, text_enum};

text_enum! {
    /// Whose zone an event's local time was computed by.
    ZoneOrigin {
        /// The event named it.
        Event = "EVENT",
        /// The member's.
        Member = "MEMBER",
        /// The employer's.
        Employer = "EMPLOYER",
    }
}

/// An event in the queue.
#[derive(Debug, Clone, PartialEq, Eq, FromQueryResult)]
pub struct Event {
    /// The employer.
    pub employer_id: EmployerId,
    /// Its place in the queue.
    pub id: QueuedEventId,
    /// Whom it is about.
    pub member_id: MemberId,
    /// What happened.
    pub event_type_id: EventTypeId,
    /// Where it came from.
    pub source: String,
    /// The sender's own id.
    pub event_id: String,
    /// When it happened.
    pub occurred_at: Timestamp,
    /// When it was accepted.
    pub received_at: Timestamp,
    /// The civil date and time where it happened, ISO 8601 without offset.
    pub local_time: String,
    /// The IANA zone by which that was computed.
    pub time_zone: String,
    /// Whose zone that was.
    pub zone_origin: ZoneOrigin,
    /// The properties, a JSON object.
    pub properties: String,
    /// When set, all other incentives have had it.
    pub only_incentive_id: Option<IncentiveId>,
    /// How often its evaluation has failed.
    pub attempts: i32,
    /// Not to be tried before.
    pub due_at: Timestamp,
}

/// When a held event is due: not before it is released. For the incentive of a program that is paused.
pub const HELD: Timestamp = Timestamp(i64::MAX);

const COLUMNS: &str = "employer_id, id, member_id, event_type_id, source, event_id, occurred_at, received_at, local_time, time_zone, \
                       zone_origin, properties, only_incentive_id, attempts, due_at";

/// The rows of `events`, for this table's columns and the dead ones'.
pub(crate) fn rows(events: &[Event]) -> Rows {
    Rows::new()
        .id("employer_id", events.iter().map(|event| event.employer_id))
        .id("id", events.iter().map(|event| event.id))
        .id("member_id", events.iter().map(|event| event.member_id))
        .id("event_type_id", events.iter().map(|event| event.event_type_id))
        .text("source", events.iter().map(|event| event.source.as_str()))
        .text("event_id", events.iter().map(|event| event.event_id.as_str()))
        .int("occurred_at", events.iter().map(|event| event.occurred_at.0))
        .int("received_at", events.iter().map(|event| event.received_at.0))
        .text("local_time", events.iter().map(|event| event.local_time.as_str()))
        .text("time_zone", events.iter().map(|event| event.time_zone.as_str()))
        .text(
            "zone_origin",
            events.iter().map(|event| event.zone_origin.as_str()),
        )
        .text("properties", events.iter().map(|event| event.properties.as_str()))
        .id_or_null(
            "only_incentive_id",
            events.iter().map(|event| event.only_incentive_id),
        )
        .int("attempts", events.iter().map(|event| i64::from(event.attempts)))
        .int("due_at", events.iter().map(|event| event.due_at.0))
}

/// Puts events into the queue; one statement however many.
pub async fn put(connection: &impl ConnectionTrait, events: &[Event]) -> Result<(), DbErr> {
    Sql::on(connection, "INSERT INTO event (")
        .push(COLUMNS)
        .push(") SELECT ")
        .push(COLUMNS)
        .push(" FROM ")
        .rows(rows(events))
        .push(" AS fresh")
        .execute(connection)
        .await
        .map(|_| ())
}

/// Takes up to `limit` due events out of the queue, oldest first, passing over those that another worker holds.
pub async fn claim(
    connection: &impl ConnectionTrait,
    now: Timestamp,
    limit: u32,
) -> Result<Vec<Event>, DbErr> {
    Sql::on(connection, "DELETE FROM event WHERE ")
        // The rows are locked in the subselect, so their physical places cannot change before they are deleted.
        .either("rowid IN (SELECT rowid", "ctid = ANY (ARRAY(SELECT ctid")
        .push(" FROM event WHERE due_at <= ")
        .bind(now)
        .push(" ORDER BY due_at, id LIMIT ")
        .bind(i64::from(limit))
        .either(")", " FOR UPDATE SKIP LOCKED))")
        .push(" RETURNING ")
        .push(COLUMNS)
        .all(connection)
        .await
}

/// Takes one event out of the queue; false when it is not there any more.
pub async fn take(
    connection: &impl ConnectionTrait,
    employer: EmployerId,
    id: QueuedEventId,
) -> Result<bool, DbErr> {
    let rows = Sql::on(connection, "DELETE FROM event WHERE employer_id = ")
        .bind(employer)
        .push(" AND id = ")
        .bind(id)
        .execute(connection)
        .await?;
    Ok(rows == 1)
}

/// How many events wait: due, not yet due, or held.
pub async fn count(connection: &impl ConnectionTrait) -> Result<i64, DbErr> {
    Ok(Sql::on(connection, "SELECT count(*) AS count FROM event")
        .one::<Count>(connection)
        .await?
        .map_or(0, |row| row.count))
}

/// What waits to be evaluated.
#[derive(Debug, Clone, Copy, FromQueryResult)]
pub struct Waiting {
    /// How many events.
    pub count: i64,
    /// When the one that was accepted first was; none: nothing waits.
    pub oldest: Option<Timestamp>,
}

/// What waits to be evaluated, due or not yet due but not held; looks at no more than the first `limit` events.
pub async fn waiting(connection: &impl ConnectionTrait, limit: u32) -> Result<Waiting, DbErr> {
    let row: Option<Waiting> = Sql::on(
        connection,
        "SELECT count(*) AS count, min(received_at) AS oldest FROM (SELECT received_at FROM event WHERE due_at < ",
    )
    .bind(HELD)
    .push(" ORDER BY due_at, id LIMIT ")
    .bind(i64::from(limit))
    .push(") AS waiting")
    .one(connection)
    .await?;
    Ok(row.unwrap_or(Waiting {
        count: 0,
        oldest: None,
    }))
}

/// When the next event is due; none: the queue is empty, or all that stands in it is held.
pub async fn next_due(connection: &impl ConnectionTrait) -> Result<Option<Timestamp>, DbErr> {
    let row = Sql::on(connection, "SELECT due_at FROM event WHERE due_at < ")
        .bind(HELD)
        .push(" ORDER BY due_at LIMIT 1")
        .one::<Due>(connection)
        .await?;
    Ok(row.map(|row| row.due_at))
}

/// Makes the held events of these incentives due; says how many.
pub async fn release(
    connection: &impl ConnectionTrait,
    employer: EmployerId,
    incentives: &[IncentiveId],
    now: Timestamp,
) -> Result<u64, DbErr> {
    Sql::on(connection, "UPDATE event SET due_at = ")
        .bind(now)
        .push(" WHERE due_at = ")
        .bind(HELD)
        .push(" AND employer_id = ")
        .bind(employer)
        .push(" AND only_incentive_id IN (SELECT id FROM ")
        .rows(Rows::new().id("id", incentives.iter().copied()))
        .push(" AS wanted)")
        .execute(connection)
        .await
}

/// Takes held events out of the queue that by now are too late to be accepted, of these incentives or of all, and counts them as
/// refused: at most `limit` of them; says how many. `own_now` is the employer's own time.
pub async fn refuse_late(
    connection: &impl ConnectionTrait,
    employer: EmployerId,
    incentives: Option<&[IncentiveId]>,
    own_now: DateTime<Utc>,
    limit: u64,
) -> Result<u64, DbErr> {
    let sql = Sql::on(
        connection,
        "DELETE FROM event WHERE (employer_id, id) IN (SELECT event.employer_id, event.id FROM event
         JOIN event_type ON event_type.employer_id = event.employer_id AND event_type.id = event.event_type_id
         WHERE event.due_at = ",
    )
    .bind(HELD)
    .push(" AND event.employer_id = ")
    .bind(employer)
    .push(" AND event.occurred_at + event_type.max_late_seconds * 1000000 < ")
    .bind(Timestamp::from(own_now));
    let sql = match incentives {
        None => sql,
        Some(incentives) => sql
            .push(" AND event.only_incentive_id IN (SELECT id FROM ")
            .rows(Rows::new().id("id", incentives.iter().copied()))
            .push(" AS wanted)"),
    };
    let gone: Vec<Late> = sql
        .push(" ORDER BY event.source, event.event_id LIMIT ")
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .push(") RETURNING event_type_id, source, event_id")
        .all(connection)
        .await?;
    if gone.is_empty() {
        return Ok(0);
    }
    let count = u64::try_from(gone.len()).unwrap_or(u64::MAX);
    let menu = event_type::list(connection, employer).await?;
    // An event that several incentives wait for is refused once.
    let different: BTreeSet<Late> = gone.into_iter().collect();
    let mut counts: BTreeMap<&str, i64> = BTreeMap::new();
    for late in &different {
        let kind = menu.iter().find(|kind| kind.id == late.event_type_id);
        *counts.entry(kind.map_or("", |kind| &kind.key)).or_default() += 1;
    }
    let refusals: Vec<Refusal> = counts
        .into_iter()
        .map(|(event_type, count)| Refusal {
            employer_id: employer,
            refused_on: own_now.date_naive(),
            event_type: event_type.to_owned(),
            code: "TOO_LATE".to_owned(),
            count,
        })
        .collect();
    refusal::add(connection, &refusals).await?;
    Ok(count)
}

/// Takes the member's events out of the queue.
pub async fn forget_member(
    connection: &impl ConnectionTrait,
    employer: EmployerId,
    member: MemberId,
) -> Result<u64, DbErr> {
    sql::delete_of_member(connection, "event", (employer, member)).await
}

/// A held event that has become too late.
#[derive(PartialEq, Eq, PartialOrd, Ord, FromQueryResult)]
struct Late {
    event_type_id: EventTypeId,
    source: String,
    event_id: String,
}

#[derive(FromQueryResult)]
struct Count {
    count: i64,
}

#[derive(FromQueryResult)]
struct Due {
    due_at: Timestamp,
}
