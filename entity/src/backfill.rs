//! Back-fills: telling a partner what was achieved in a program before the program was granted to it.

use std::collections::HashMap;

use sea_orm::{ConnectionTrait, DbErr, FromQueryResult};

use crate::clock::Timestamp;
use crate::db::sql::{Rows, Sql};
use crate::id::{AchievementId, EmployerId, GrantId, PartnerId, ProgramId};
use crate::text_enum;

text_enum! {
    /// How far a back-fill has come.
    BackfillState {
        /// There is more to look at.
        Running = "RUNNING",
        /// Everything was looked at.
        Done = "DONE",
        /// The grant was revoked before everything was looked at.
        Stopped = "STOPPED",
    }
}

/// A back-fill of a grant.
#[derive(Debug, Clone, PartialEq, Eq, FromQueryResult)]
pub struct Model {
    /// The employer.
    pub employer_id: EmployerId,
    /// The grant.
    pub grant_id: GrantId,
    /// How far it has come.
    pub state: BackfillState,
    /// The last achievement that was looked at.
    pub last_id: Option<AchievementId>,
    /// How many achievements were looked at.
    pub done: i64,
    /// How many of them the partner was told by it.
    pub told: i64,
    /// When it was asked for.
    pub started_at: Timestamp,
    /// When everything was looked at, or the grant was found revoked.
    pub ended_at: Option<Timestamp>,
}

/// A back-fill that is running, with what its grant says.
#[derive(Debug, Clone, PartialEq, Eq, FromQueryResult)]
pub struct Running {
    /// The employer.
    pub employer_id: EmployerId,
    /// The grant.
    pub grant_id: GrantId,
    /// Who is told.
    pub partner_id: PartnerId,
    /// Of what program.
    pub program_id: ProgramId,
    /// The last achievement that was looked at.
    pub last_id: Option<AchievementId>,
}

/// What one step of a back-fill has come to.
#[derive(Debug, Clone, Copy)]
pub struct Step {
    /// The last achievement that was looked at.
    pub last_id: AchievementId,
    /// How many were looked at.
    pub done: usize,
    /// How many of them were told.
    pub told: usize,
}

/// Starts back-fills of the partner's grants for these programs, from the beginning. One that is running goes on as it is.
pub async fn start(
    connection: &impl ConnectionTrait,
    employer: EmployerId,
    partner: PartnerId,
    programs: &[ProgramId],
    at: Timestamp,
) -> Result<(), DbErr> {
    Sql::on(
        connection,
        "INSERT INTO backfill (employer_id, grant_id, state, done, told, started_at)
         SELECT partner_grant.employer_id, partner_grant.id, 'RUNNING', 0, 0, ",
    )
    // PostgreSQL does not look ahead to the column that it is for.
    .push("CAST(")
    .bind(at)
    .push(" AS bigint) FROM ")
    .rows(Rows::new().id("program_id", programs.iter().copied()))
    .push(" AS wanted JOIN partner_grant ON partner_grant.program_id = wanted.program_id AND partner_grant.employer_id = ")
    .bind(employer)
    .push(" AND partner_grant.partner_id = ")
    .bind(partner)
    .push(
        " WHERE true ON CONFLICT (employer_id, grant_id) DO UPDATE SET state = 'RUNNING', last_id = NULL, done = 0, told = 0,
         started_at = excluded.started_at, ended_at = NULL WHERE backfill.state <> 'RUNNING'",
    )
    .execute(connection)
    .await
    .map(|_| ())
}

/// The back-fills of the employer's grants, by grant.
pub async fn list(
    connection: &impl ConnectionTrait,
    employer: EmployerId,
) -> Result<HashMap<GrantId, Model>, DbErr> {
    let rows: Vec<Model> = Sql::on(connection, "SELECT * FROM backfill WHERE employer_id = ")
        .bind(employer)
        .all(connection)
        .await?;
    Ok(rows.into_iter().map(|row| (row.grant_id, row)).collect())
}

/// The back-fills that are running, of all employers, in the order of their grants.
pub async fn list_running(connection: &impl ConnectionTrait) -> Result<Vec<Running>, DbErr> {
    Sql::on(
        connection,
        "SELECT backfill.employer_id, backfill.grant_id, partner_grant.partner_id, partner_grant.program_id, backfill.last_id
         FROM backfill JOIN partner_grant ON partner_grant.employer_id = backfill.employer_id AND partner_grant.id = backfill.grant_id
         WHERE backfill.state = 'RUNNING' ORDER BY backfill.grant_id",
    )
    .all(connection)
    .await
}

/// Notes a step; false when somebody else has taken it, and then it must not be taken again.
pub async fn advance(
    connection: &impl ConnectionTrait,
    running: &Running,
    step: Step,
) -> Result<bool, DbErr> {
    let sql = Sql::on(connection, "UPDATE backfill SET last_id = ")
        .bind(step.last_id)
        .push(", done = done + ")
        .bind(i64::try_from(step.done).unwrap_or(i64::MAX))
        .push(", told = told + ")
        .bind(i64::try_from(step.told).unwrap_or(i64::MAX));
    still(sql, running)
        .execute(connection)
        .await
        .map(|rows| rows == 1)
}

/// Ends a back-fill that has come this far and no further; false when somebody else has.
pub async fn end(
    connection: &impl ConnectionTrait,
    running: &Running,
    state: BackfillState,
    at: Timestamp,
) -> Result<bool, DbErr> {
    let sql = Sql::on(connection, "UPDATE backfill SET state = ")
        .bind(state.as_str())
        .push(", ended_at = ")
        .bind(at);
    still(sql, running)
        .execute(connection)
        .await
        .map(|rows| rows == 1)
}

/// Only while it is where it was seen.
fn still(sql: Sql, running: &Running) -> Sql {
    let sql = sql
        .push(" WHERE employer_id = ")
        .bind(running.employer_id)
        .push(" AND grant_id = ")
        .bind(running.grant_id)
        .push(" AND state = 'RUNNING' AND last_id ");
    match running.last_id {
        Some(last) => sql.push("= ").bind(last),
        None => sql.push("IS NULL"),
    }
}
