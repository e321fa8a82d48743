//! Boosts: times in which a program gives more points.

use chrono::NaiveDate;
use sea_orm::QueryOrder;
use sea_orm::entity::prelude::*;

use crate::children;
use crate::clock::Timestamp;
use crate::id::{EmployerId, ProgramId};

/// A time in which a program gives more points.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "boost")]
pub struct Model {
    /// The employer.
    #[sea_orm(primary_key, auto_increment = false)]
    pub employer_id: EmployerId,
    /// The program.
    #[sea_orm(primary_key, auto_increment = false)]
    pub program_id: ProgramId,
    /// The employer's name for it, for programs.
    #[sea_orm(primary_key, auto_increment = false)]
    pub key: String,
    /// The employer's name for it, for people.
    pub name: String,
    /// By how much points are multiplied, an exact decimal.
    pub multiplier: String,
    /// Which points; none: all.
    pub category: Option<String>,
    /// The first day of the program on which it applies.
    pub starts_on: NaiveDate,
    /// The last one.
    pub ends_on: NaiveDate,
    /// The conditions that have to hold, as the rules read them: a list, perhaps empty.
    #[sea_orm(column_type = "JsonBinary")]
    pub conditions: Json,
    /// When it was made.
    pub created_at: Timestamp,
    /// From when on it no longer applies; none: until its last day.
    pub ended_at: Option<Timestamp>,
}

impl ActiveModelBehavior for ActiveModel {}

/// All boosts of an employer, in the order in which they were made.
pub async fn list(connection: &impl ConnectionTrait, employer: EmployerId) -> Result<Vec<Model>, DbErr> {
    Entity::find()
        .filter(Column::EmployerId.eq(employer))
        .order_by_asc(Column::CreatedAt)
        .order_by_asc(Column::Key)
        .all(connection)
        .await
}

/// The boosts of a program, in the order in which they were made.
pub async fn list_of_program(
    connection: &impl ConnectionTrait,
    employer: EmployerId,
    program: ProgramId,
) -> Result<Vec<Model>, DbErr> {
    Entity::find()
        .filter(Column::EmployerId.eq(employer))
        .filter(Column::ProgramId.eq(program))
        .order_by_asc(Column::CreatedAt)
        .order_by_asc(Column::Key)
        .all(connection)
        .await
}

/// The boosts of these programs, in the order of their making; one statement however many.
pub async fn list_of_programs(
    connection: &impl ConnectionTrait,
    wanted: &[(EmployerId, ProgramId)],
) -> Result<Vec<Model>, DbErr> {
    let order = "found.created_at, found.key";
    children::list(connection, ("boost", "program_id", order), wanted).await
}

/// Writes a new boost; false when the program has one of that key.
pub async fn insert(connection: &impl ConnectionTrait, boost: Model) -> Result<bool, DbErr> {
    crate::db::insert_new::<Entity>(connection, boost).await
}

/// Ends a boost; false when there is none of that key that goes on.
pub async fn end(
    connection: &impl ConnectionTrait,
    employer: EmployerId,
    program: ProgramId,
    key: &str,
    at: Timestamp,
) -> Result<bool, DbErr> {
    let ended = Entity::update_many()
        .col_expr(Column::EndedAt, Expr::value(at))
        .filter(Column::EmployerId.eq(employer))
        .filter(Column::ProgramId.eq(program))
        .filter(Column::Key.eq(key))
        .filter(Column::EndedAt.is_null())
        .exec(connection)
        .await?;
    Ok(ended.rows_affected == 1)
}
