//! Programs: what an employer runs incentives in.

use chrono::{NaiveDate, NaiveTime};
use sea_orm::entity::prelude::*;
use sea_orm::{QueryFilter, QueryOrder};

use crate::clock::Timestamp;
use crate::db;
use crate::db::sql::{self, Sql};
use crate::id::{EmployerId, ProgramId};
use crate::text_enum;

text_enum! {
    /// Where a program stands.
    ProgramState {
        /// Being put together: nothing is evaluated.
        Draft = "DRAFT",
        /// Events are evaluated, within its dates.
        Active = "ACTIVE",
    }
}

/// A program.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "program")]
pub struct Model {
    /// The employer.
    #[sea_orm(primary_key, auto_increment = false)]
    pub employer_id: EmployerId,
    /// The program itself.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ProgramId,
    /// Its short name, unique within the employer.
    pub key: String,
    /// Its name for people.
    pub name: String,
    /// The first day on which an event counts; none: from ever.
    pub starts_on: Option<NaiveDate>,
    /// The last day on which an event counts; none: for ever.
    pub ends_on: Option<NaiveDate>,
    /// The IANA zone of the program's own dates; none: the employer's.
    pub time_zone: Option<String>,
    /// When its day starts, in minutes after midnight.
    pub day_starts_at_minutes: i32,
    /// Where it stands.
    pub state: ProgramState,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was activated.
    pub activated_at: Option<Timestamp>,
}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    /// The local time at which its day starts: what happens before belongs to the day before.
    pub fn day_starts_at(&self) -> NaiveTime {
        let seconds = u32::try_from(self.day_starts_at_minutes).unwrap_or(0) * 60;
        NaiveTime::from_num_seconds_from_midnight_opt(seconds, 0).unwrap_or(NaiveTime::MIN)
    }

    /// Whether an event on this day of the program is within its dates.
    pub fn covers(&self, day: NaiveDate) -> bool {
        self.starts_on.is_none_or(|start| start <= day) && self.ends_on.is_none_or(|end| day <= end)
    }
}

/// Writes a new program; false when the employer has one of this key.
pub async fn insert(connection: &impl ConnectionTrait, program: Model) -> Result<bool, DbErr> {
    db::insert_new::<Entity>(connection, program).await
}

/// The employer's program of this key.
pub async fn find_by_key(
    connection: &impl ConnectionTrait,
    employer: EmployerId,
    key: &str,
) -> Result<Option<Model>, DbErr> {
    // PostgreSQL cannot even be asked for a text with a zero character, and no row has one.
    if key.contains('\0') {
        return Ok(None);
    }
    Entity::find()
        .filter(Column::EmployerId.eq(employer))
        .filter(Column::Key.eq(key))
        .one(connection)
        .await
}

/// The employer's program of this id.
pub async fn find(
    connection: &impl ConnectionTrait,
    employer: EmployerId,
    id: ProgramId,
) -> Result<Option<Model>, DbErr> {
    Entity::find_by_id((employer, id)).one(connection).await
}

/// The employer's programs, by key.
pub async fn list(connection: &impl ConnectionTrait, employer: EmployerId) -> Result<Vec<Model>, DbErr> {
    Entity::find()
        .filter(Column::EmployerId.eq(employer))
        .order_by_asc(Column::Key)
        .all(connection)
        .await
}

/// How many programs the employer has.
pub async fn count(connection: &impl ConnectionTrait, employer: EmployerId) -> Result<u64, DbErr> {
    Entity::find()
        .filter(Column::EmployerId.eq(employer))
        .count(connection)
        .await
}

/// The programs of these (employer, id), in no order; one statement however many.
pub async fn list_by_ids(
    connection: &impl ConnectionTrait,
    wanted: &[(EmployerId, ProgramId)],
) -> Result<Vec<Model>, DbErr> {
    sql::list_by_ids(connection, "program", wanted).await
}

/// Takes a draft into force; false when it was no draft.
pub async fn activate(
    connection: &impl ConnectionTrait,
    employer: EmployerId,
    id: ProgramId,
    at: Timestamp,
) -> Result<bool, DbErr> {
    let rows = Sql::on(connection, "UPDATE program SET state = 'ACTIVE', activated_at = ")
        .bind(at)
        .push(" WHERE employer_id = ")
        .bind(employer)
        .push(" AND id = ")
        .bind(id)
        .push(" AND state = 'DRAFT'")
        .execute(connection)
        .await?;
    Ok(rows == 1)
}
