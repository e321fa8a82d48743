//! Programs: what an employer runs incentives in.

use chrono::{NaiveDate, NaiveTime};
use sea_orm::entity::prelude::*;
use sea_orm::{FromQueryResult, QueryFilter, QueryOrder};

use crate::children;
use crate::clock::Timestamp;
use crate::db;
use crate::db::Kind;
use crate::db::sql::{self, Rows, Sql};
use crate::id::{EmployerId, ProgramId};
use crate::text_enum;

text_enum! {
    /// Whether a program was ever activated.
    StoredState {
        /// Being put together: nothing is evaluated.
        Draft = "DRAFT",
        /// It was activated; since then it may have been paused or have ended.
        Active = "ACTIVE",
    }
}

/// Where a program stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ProgramState {
    /// Being put together: nothing is evaluated.
    Draft,
    /// Events are evaluated, within its dates.
    Active,
    /// Nothing is evaluated until it is resumed; its events wait.
    Paused,
    /// Over: only what happened before still counts.
    Ended,
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
    /// Whether it was ever activated; where it stands is [`Model::state`].
    #[sea_orm(column_name = "state")]
    pub stored_state: StoredState,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was activated.
    pub activated_at: Option<Timestamp>,
    /// Since when it is paused; none: it is not.
    pub paused_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// How many awards there may be, of all members and incentives together; none: any number.
    pub budget: Option<i64>,
    /// How many of them there are.
    pub budget_spent: i64,
}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    /// Where it stands.
    pub fn state(&self) -> ProgramState {
        match self.stored_state {
            StoredState::Draft => ProgramState::Draft,
            StoredState::Active if self.ended_at.is_some() => ProgramState::Ended,
            StoredState::Active if self.paused_at.is_some() => ProgramState::Paused,
            StoredState::Active => ProgramState::Active,
        }
    }

    /// Whether an event of this instant happened before its end.
    pub fn covers_instant(&self, occurred_at: Timestamp) -> bool {
        self.ended_at.is_none_or(|ended_at| occurred_at < ended_at)
    }

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

/// The programs of these employers, by key; one statement however many.
pub async fn list_of_employers(
    connection: &impl ConnectionTrait,
    employers: &[EmployerId],
) -> Result<Vec<Model>, DbErr> {
    children::list_of_employers(connection, ("program", "found.key"), employers).await
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

/// Pauses an active program; false when it was not active, or is paused already.
pub async fn pause(
    connection: &impl ConnectionTrait,
    employer: EmployerId,
    id: ProgramId,
    at: Timestamp,
) -> Result<bool, DbErr> {
    let rows = Sql::on(connection, "UPDATE program SET paused_at = ")
        .bind(at)
        .push(" WHERE employer_id = ")
        .bind(employer)
        .push(" AND id = ")
        .bind(id)
        .push(" AND state = 'ACTIVE' AND paused_at IS NULL AND ended_at IS NULL")
        .execute(connection)
        .await?;
    Ok(rows == 1)
}

/// Resumes a paused program; false when it was not paused.
pub async fn resume(
    connection: &impl ConnectionTrait,
    employer: EmployerId,
    id: ProgramId,
) -> Result<bool, DbErr> {
    let rows = Sql::on(
        connection,
        "UPDATE program SET paused_at = NULL WHERE employer_id = ",
    )
    .bind(employer)
    .push(" AND id = ")
    .bind(id)
    .push(" AND paused_at IS NOT NULL AND ended_at IS NULL")
    .execute(connection)
    .await?;
    Ok(rows == 1)
}

/// Ends a program, paused or not; false when it was never activated, or has ended already.
pub async fn end(
    connection: &impl ConnectionTrait,
    employer: EmployerId,
    id: ProgramId,
    at: Timestamp,
) -> Result<bool, DbErr> {
    let rows = Sql::on(connection, "UPDATE program SET paused_at = NULL, ended_at = ")
        .bind(at)
        .push(" WHERE employer_id = ")
        .bind(employer)
        .push(" AND id = ")
        .bind(id)
        .push(" AND state = 'ACTIVE' AND ended_at IS NULL")
        .execute(connection)
        .await?;
    Ok(rows == 1)
}

/// How many awards of a program stand. Nothing else is counted as long as it has no budget.
pub async fn standing_awards(
    connection: &impl ConnectionTrait,
    employer: EmployerId,
    id: ProgramId,
) -> Result<i64, DbErr> {
    #[derive(FromQueryResult)]
    struct Count {
        count: i64,
    }
    let row = Sql::on(
        connection,
        "SELECT count(*) AS count FROM achievement WHERE employer_id = ",
    )
    .bind(employer)
    .push(" AND program_id = ")
    .bind(id)
    .push(" AND status = 'EARNED'")
    .one::<Count>(connection)
    .await?;
    Ok(row.map_or(0, |row| row.count))
}

/// Writes a program's name, dates, zone, start of the day and budget. What it has spent stays as it is, unless it had no budget until
/// now: then nobody has counted, and what is spent is what `spent` says. False when by now it has spent more than this budget.
pub async fn update(
    connection: &impl ConnectionTrait,
    program: &Model,
    spent: Option<i64>,
) -> Result<bool, DbErr> {
    let sql = Sql::on(connection, "UPDATE program SET name = ")
        .bind(program.name.as_str())
        .push(", starts_on = ")
        .bind(program.starts_on)
        .push(", ends_on = ")
        .bind(program.ends_on)
        .push(", time_zone = ")
        .bind(program.time_zone.clone())
        .push(", day_starts_at_minutes = ")
        .bind(program.day_starts_at_minutes)
        .push(", budget = ")
        .bind(program.budget);
    let sql = match spent {
        None => sql,
        Some(spent) => sql.push(", budget_spent = ").bind(spent),
    };
    let sql = sql
        .push(" WHERE employer_id = ")
        .bind(program.employer_id)
        .push(" AND id = ")
        .bind(program.id);
    let sql = match spent {
        None => sql.push(" AND budget_spent <= "),
        Some(spent) => sql.push(" AND ").bind(spent).push(" <= "),
    };
    let rows = sql
        .bind(program.budget.unwrap_or(i64::MAX))
        .execute(connection)
        .await?;
    Ok(rows == 1)
}

/// What a program may give and has given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, FromQueryResult)]
pub struct Budget {
    /// The employer.
    pub employer_id: EmployerId,
    /// The program.
    pub program_id: ProgramId,
    /// How many awards there may be; none: any number.
    pub budget: Option<i64>,
    /// How many of them there are.
    pub budget_spent: i64,
}

/// Locks these programs for the rest of the transaction and reads their budgets: until it ends nobody else can spend. Locks are taken
/// in the order of the ids, so two workers cannot wait for each other. SQLite has one writer anyway.
pub async fn lock_budgets(
    connection: &impl ConnectionTrait,
    wanted: &[(EmployerId, ProgramId)],
) -> Result<Vec<Budget>, DbErr> {
    let rows = Rows::new()
        .id("employer_id", wanted.iter().map(|(employer, _)| *employer))
        .id("id", wanted.iter().map(|(_, program)| *program));
    let sql = Sql::on(
        connection,
        "SELECT program.employer_id, program.id AS program_id, program.budget, program.budget_spent FROM ",
    )
    .rows(rows)
    .push(" AS wanted JOIN program ON program.employer_id = wanted.employer_id AND program.id = wanted.id");
    let sql = match Kind::of(connection) {
        Kind::Sqlite => sql,
        Kind::Postgres => sql.push(" ORDER BY program.employer_id, program.id FOR NO KEY UPDATE OF program"),
    };
    sql.all(connection).await
}

/// Adds to what programs have spent, or takes from it; the database refuses to go beyond a budget or below nothing. The programs are
/// locked already, and those of one call differ.
pub async fn spend(
    connection: &impl ConnectionTrait,
    deltas: &[(EmployerId, ProgramId, i64)],
) -> Result<(), DbErr> {
    let rows = Rows::new()
        .id("employer_id", deltas.iter().map(|(employer, _, _)| *employer))
        .id("id", deltas.iter().map(|(_, program, _)| *program))
        .int("delta", deltas.iter().map(|(_, _, delta)| *delta));
    Sql::on(
        connection,
        "UPDATE program SET budget_spent = program.budget_spent + spent.delta FROM ",
    )
    .rows(rows)
    .push(" AS spent WHERE program.employer_id = spent.employer_id AND program.id = spent.id")
    .execute(connection)
    .await
    .map(|_| ())
}
