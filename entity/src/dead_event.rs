//! Events that could not be evaluated in several tries: they stand aside with their reason until an operator queues them again.

use sea_orm::FromQueryResult;
use sea_orm::entity::prelude::*;

use crate::clock::Timestamp;
use crate::db::sql::{self, Rows, Sql};
use crate::event::{self, Event, ZoneOrigin};
use crate::id::{EmployerId, EventTypeId, IncentiveId, MemberId, QueuedEventId};
use crate::page::{self, Page, Slice};

/// A dead event.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "dead_event")]
pub struct Model {
    /// The employer.
    #[sea_orm(primary_key, auto_increment = false)]
    pub employer_id: EmployerId,
    /// The place it had in the queue.
    #[sea_orm(primary_key, auto_increment = false)]
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
    /// The civil date and time where it happened.
    pub local_time: String,
    /// The zone by which that was computed.
    pub time_zone: String,
    /// Whose zone that was.
    pub zone_origin: ZoneOrigin,
    /// The properties, a JSON object.
    pub properties: String,
    /// When set, all other incentives have had it.
    pub only_incentive_id: Option<IncentiveId>,
    /// How often its evaluation failed.
    pub attempts: i32,
    /// Why it failed the last time.
    pub reason: String,
    /// When it was set aside.
    pub died_at: Timestamp,
}

impl ActiveModelBehavior for ActiveModel {}

/// Sets events aside, each with its reason.
pub async fn put(
    connection: &impl ConnectionTrait,
    dead: &[(Event, String)],
    at: Timestamp,
) -> Result<(), DbErr> {
    let events: Vec<Event> = dead.iter().map(|(event, _)| event.clone()).collect();
    let rows = event::rows(&events)
        .text("reason", dead.iter().map(|(_, reason)| reason.as_str()))
        .int("died_at", dead.iter().map(|_| at.0));
    Sql::on(
        connection,
        "INSERT INTO dead_event (employer_id, id, member_id, event_type_id, source, event_id, occurred_at, received_at, local_time,
         time_zone, zone_origin, properties, only_incentive_id, attempts, reason, died_at)
         SELECT employer_id, id, member_id, event_type_id, source, event_id, occurred_at, received_at, local_time,
         time_zone, zone_origin, properties, only_incentive_id, attempts, reason, died_at FROM ",
    )
    .rows(rows)
    .push(" AS fresh")
    .execute(connection)
    .await
    .map(|_| ())
}

/// A page of all dead events, oldest first. For the operator only: it spans employers.
pub async fn list(
    connection: &impl ConnectionTrait,
    page: Page<QueuedEventId>,
) -> Result<Slice<Model>, DbErr> {
    page::read(connection, Entity::find(), Column::Id, page).await
}

/// Takes these out, to be queued again. For the operator only: it spans employers.
pub async fn take(connection: &impl ConnectionTrait, ids: Vec<QueuedEventId>) -> Result<Vec<Model>, DbErr> {
    Sql::on(connection, "DELETE FROM dead_event WHERE id IN (SELECT id FROM ")
        .rows(Rows::new().id("id", ids))
        .push(" AS wanted) RETURNING *")
        .all(connection)
        .await
}

/// How many there are.
pub async fn count(connection: &impl ConnectionTrait) -> Result<u64, DbErr> {
    #[derive(FromQueryResult)]
    struct Count {
        count: i64,
    }
    let row = Sql::on(connection, "SELECT count(*) AS count FROM dead_event")
        .one::<Count>(connection)
        .await?;
    Ok(row.and_then(|row| u64::try_from(row.count).ok()).unwrap_or(0))
}

/// Forgets at most `limit` of the employer's dead events that happened before an instant; says how many.
pub async fn purge(
    connection: &impl ConnectionTrait,
    employer: EmployerId,
    occurred_before: Timestamp,
    limit: u64,
) -> Result<u64, DbErr> {
    Sql::on(connection, "DELETE FROM dead_event WHERE (employer_id, id) IN (SELECT employer_id, id FROM dead_event WHERE employer_id = ")
        .bind(employer)
        .push(" AND occurred_at < ")
        .bind(occurred_before)
        .push(" LIMIT ")
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .push(")")
        .execute(connection)
        .await
}

/// Forgets the member's dead events.
pub async fn forget_member(
    connection: &impl ConnectionTrait,
    employer: EmployerId,
    member: MemberId,
) -> Result<u64, DbErr> {
    sql::delete_of_member(connection, "dead_event", (employer, member)).await
}

impl Model {
    /// The event as it goes back into the queue, with all its tries before it.
    pub fn revived(self, due_at: Timestamp) -> Event {
        Event {
            employer_id: self.employer_id,
            id: self.id,
            member_id: self.member_id,
            event_type_id: self.event_type_id,
            source: self.source,
            event_id: self.event_id,
            occurred_at: self.occurred_at,
            received_at: self.received_at,
            local_time: self.local_time,
            time_zone: self.time_zone,
            zone_origin: self.zone_origin,
            properties: self.properties,
            only_incentive_id: self.only_incentive_id,
            attempts: 0,
            due_at,
        }
    }
}
