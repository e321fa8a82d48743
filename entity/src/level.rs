//! The levels of programs.

use sea_orm::entity::prelude::*;

use crate::children;
use crate::clock::Timestamp;
use crate::db::sql::Sql;
use crate::id::{EmployerId, ProgramId};

/// The levels of a program.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "level_scheme")]
pub struct Model {
    /// The employer.
    #[sea_orm(primary_key, auto_increment = false)]
    pub employer_id: EmployerId,
    /// The program.
    #[sea_orm(primary_key, auto_increment = false)]
    pub program_id: ProgramId,
    /// By which points.
    pub category: String,
    /// The window, whether a level can be lost, and the levels with their thresholds.
    #[sea_orm(column_type = "JsonBinary")]
    pub definition: Json,
    /// When they were set.
    pub updated_at: Timestamp,
}

impl ActiveModelBehavior for ActiveModel {}

/// The levels of a program, if it has any.
pub async fn find(
    connection: &impl ConnectionTrait,
    employer: EmployerId,
    program: ProgramId,
) -> Result<Option<Model>, DbErr> {
    Entity::find_by_id((employer, program)).one(connection).await
}

/// The levels of these programs, as far as they have any, in no order; one statement however many.
pub async fn list_of_programs(
    connection: &impl ConnectionTrait,
    wanted: &[(EmployerId, ProgramId)],
) -> Result<Vec<Model>, DbErr> {
    children::list(
        connection,
        ("level_scheme", "program_id", "found.program_id"),
        wanted,
    )
    .await
}

/// Sets the levels of a program in place of those it has.
pub async fn put(connection: &impl ConnectionTrait, levels: Model) -> Result<(), DbErr> {
    remove(connection, levels.employer_id, levels.program_id).await?;
    crate::db::insert_new::<Entity>(connection, levels)
        .await
        .map(|_| ())
}

/// Takes a program's levels away.
pub async fn remove(
    connection: &impl ConnectionTrait,
    employer: EmployerId,
    program: ProgramId,
) -> Result<(), DbErr> {
    Sql::on(connection, "DELETE FROM level_scheme WHERE employer_id = ")
        .bind(employer)
        .push(" AND program_id = ")
        .bind(program)
        .execute(connection)
        .await
        .map(|_| ())
}
