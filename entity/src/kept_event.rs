//! Kept events: events that were evaluated and whose type is kept for a while, for the member to see.

use sea_orm::QueryFilter;
use sea_orm::entity::prelude::*;

use crate::clock::Timestamp;
use crate::db::expiry::Expiring;
use crate::db::sql::{self, Rows, Sql};
use crate::id::{EmployerId, EventTypeId, KeptEventId, MemberId};
use crate::page::{self, Page, Slice};

/// A kept event.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "kept_event")]
pub struct Model {
    /// The employer.
    #[sea_orm(primary_key, auto_increment = false)]
    pub employer_id: EmployerId,
    /// The kept event itself.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: KeptEventId,
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
    /// The civil date and time where it happened, ISO 8601 without offset.
    pub local_time: String,
    /// The IANA zone by which that was computed.
    pub time_zone: String,
    /// The properties, a JSON object.
    pub properties: String,
    /// Kept until then.
    pub expires_at: Timestamp,
}

impl ActiveModelBehavior for ActiveModel {}

const COLUMNS: &str = "employer_id, id, member_id, event_type_id, source, event_id, occurred_at, local_time, time_zone, properties, expires_at";

/// Keeps events; one statement however many.
pub async fn put(connection: &impl ConnectionTrait, events: &[Model]) -> Result<(), DbErr> {
    let rows = Rows::new()
        .id("employer_id", events.iter().map(|event| event.employer_id))
        .id("id", events.iter().map(|event| event.id))
        .id("member_id", events.iter().map(|event| event.member_id))
        .id("event_type_id", events.iter().map(|event| event.event_type_id))
        .text("source", events.iter().map(|event| event.source.as_str()))
        .text("event_id", events.iter().map(|event| event.event_id.as_str()))
        .int("occurred_at", events.iter().map(|event| event.occurred_at.0))
        .text("local_time", events.iter().map(|event| event.local_time.as_str()))
        .text("time_zone", events.iter().map(|event| event.time_zone.as_str()))
        .text("properties", events.iter().map(|event| event.properties.as_str()))
        .int("expires_at", events.iter().map(|event| event.expires_at.0));
    Sql::on(connection, "INSERT INTO kept_event (")
        .push(COLUMNS)
        .push(") SELECT ")
        .push(COLUMNS)
        .push(" FROM ")
        .rows(rows)
        .push(" AS fresh")
        .execute(connection)
        .await
        .map(|_| ())
}

/// A page of the member's kept events, in the order in which they were evaluated.
pub async fn list_of_member(
    connection: &impl ConnectionTrait,
    employer: EmployerId,
    member: MemberId,
    page: Page<KeptEventId>,
) -> Result<Slice<Model>, DbErr> {
    let select = Entity::find()
        .filter(Column::EmployerId.eq(employer))
        .filter(Column::MemberId.eq(member));
    page::read(connection, select, Column::Id, page).await
}

/// Forgets these events (employer, member, source, id), because they were taken back.
pub async fn delete(
    connection: &impl ConnectionTrait,
    events: &[(EmployerId, MemberId, String, String)],
) -> Result<(), DbErr> {
    let rows = Rows::new()
        .id("employer_id", events.iter().map(|(employer, ..)| *employer))
        .id("member_id", events.iter().map(|(_, member, ..)| *member))
        .text("source", events.iter().map(|(_, _, source, _)| source.as_str()))
        .text("event_id", events.iter().map(|(_, _, _, id)| id.as_str()));
    Sql::on(
        connection,
        "DELETE FROM kept_event WHERE (employer_id, member_id, source, event_id) IN
         (SELECT employer_id, member_id, source, event_id FROM ",
    )
    .rows(rows)
    .push(" AS wanted)")
    .execute(connection)
    .await
    .map(|_| ())
}

/// Forgets at most `limit` events whose time is over by their employer's clock; says how many.
pub async fn purge(connection: &impl ConnectionTrait, now: Timestamp, limit: u64) -> Result<u64, DbErr> {
    let events = Expiring {
        table: "kept_event",
        key: "employer_id, id",
        only: "",
    };
    events.purge(connection, now, limit).await
}

/// Forgets the member's events.
pub async fn forget_member(
    connection: &impl ConnectionTrait,
    employer: EmployerId,
    member: MemberId,
) -> Result<u64, DbErr> {
    sql::delete_of_member(connection, "kept_event", (employer, member)).await
}
