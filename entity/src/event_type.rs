//! The menu of events of one employer.

use sea_orm::entity::prelude::*;
use sea_orm::{FromQueryResult, QueryFilter, QueryOrder};

use crate::children;
use crate::clock::Timestamp;
use crate::db;
use crate::db::sql::{self, Sql};
use crate::id::{EmployerId, EventTypeId};

/// A kind of event that an employer has on its menu.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "event_type")]
pub struct Model {
    /// The employer whose menu it is on.
    #[sea_orm(primary_key, auto_increment = false)]
    pub employer_id: EmployerId,
    /// The event type itself.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: EventTypeId,
    /// Its short name, as events bear it in `type`; unique within the employer.
    pub key: String,
    /// Its name for people.
    pub name: String,
    /// What it means.
    pub description: Option<String>,
    /// JSON Schema of the properties; none: anything goes.
    pub properties_schema: Option<Json>,
    /// Health data and the like: never shown by person to an employer's administrators.
    pub sensitive: bool,
    /// How long after it happened an event is still accepted, in seconds.
    pub max_late_seconds: i64,
    /// How far in the future an event may claim to have happened, in seconds.
    pub max_future_seconds: i64,
    /// How long the properties are kept after evaluation, in seconds.
    pub retention_seconds: i64,
    /// When it was created.
    pub created_at: Timestamp,
}

impl ActiveModelBehavior for ActiveModel {}

/// Writes a new event type; false when the employer has one of this key.
pub async fn insert(connection: &impl ConnectionTrait, event_type: Model) -> Result<bool, DbErr> {
    db::insert_new::<Entity>(connection, event_type).await
}

/// The employer's whole menu, by key.
pub async fn list(connection: &impl ConnectionTrait, employer: EmployerId) -> Result<Vec<Model>, DbErr> {
    Entity::find()
        .filter(Column::EmployerId.eq(employer))
        .order_by_asc(Column::Key)
        .all(connection)
        .await
}

/// The event types of these employers, by key; one statement however many.
pub async fn list_of_employers(
    connection: &impl ConnectionTrait,
    employers: &[EmployerId],
) -> Result<Vec<Model>, DbErr> {
    children::list_of_employers(connection, ("event_type", "found.key"), employers).await
}

/// The event types of these ids, in no order; one statement however many.
pub async fn list_by_ids(
    connection: &impl ConnectionTrait,
    wanted: &[(EmployerId, EventTypeId)],
) -> Result<Vec<Model>, DbErr> {
    sql::list_by_ids(connection, "event_type", wanted).await
}

/// The greatest time, in seconds, for which an event of the employer's is accepted after it happened.
pub async fn greatest_max_late(
    connection: &impl ConnectionTrait,
    employer: EmployerId,
) -> Result<i64, DbErr> {
    #[derive(FromQueryResult)]
    struct Greatest {
        seconds: i64,
    }
    let sql = "SELECT coalesce(max(max_late_seconds), 0) AS seconds FROM event_type WHERE employer_id = ";
    let row = Sql::on(connection, sql)
        .bind(employer)
        .one::<Greatest>(connection)
        .await?;
    Ok(row.map_or(0, |row| row.seconds))
}

/// How many event types the employer has.
pub async fn count(connection: &impl ConnectionTrait, employer: EmployerId) -> Result<u64, DbErr> {
    Entity::find()
        .filter(Column::EmployerId.eq(employer))
        .count(connection)
        .await
}

/// The employer's event type of this id.
pub async fn find(
    connection: &impl ConnectionTrait,
    employer: EmployerId,
    id: EventTypeId,
) -> Result<Option<Model>, DbErr> {
    Entity::find_by_id((employer, id)).one(connection).await
}
