//! Incentives and their versions. An incentive keeps its identity over its versions; a version never changes once it is published
//! (a trigger of the database refuses the update).

use sea_orm::entity::prelude::*;
use sea_orm::{FromQueryResult, QueryFilter, QueryOrder};

use crate::children;
use crate::clock::Timestamp;
use crate::db;
use crate::db::sql::{self, Sql};
use crate::id::{EmployerId, IncentiveId, ProgramId};

/// An incentive.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "incentive")]
pub struct Model {
    /// The employer.
    #[sea_orm(primary_key, auto_increment = false)]
    pub employer_id: EmployerId,
    /// The incentive itself.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: IncentiveId,
    /// The program it is in.
    pub program_id: ProgramId,
    /// Its short name, unique within the employer.
    pub key: String,
    /// Its name for people.
    pub name: String,
    /// What it is about, for people.
    pub description: Option<String>,
    /// Whether any event type it names is sensitive.
    pub sensitive: bool,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was retired: what happens from then on does not count.
    pub retired_at: Option<Timestamp>,
}

impl ActiveModelBehavior for ActiveModel {}

/// A version of an incentive, with what the evaluator needs of the incentive and its program.
#[derive(Debug, Clone, FromQueryResult)]
pub struct Version {
    /// The incentive.
    pub incentive_id: IncentiveId,
    /// Counts 1, 2, 3.
    pub version: i32,
    /// The keys of the event types that can match, a JSON list; known even when the definition cannot be read.
    pub event_types: Json,
    /// The rule, as `jobs` reads it.
    pub definition: Json,
    /// What follows from an award, as `jobs` reads it.
    pub outcomes: Json,
    /// In force from then on; none: from ever.
    pub effective_from: Option<Timestamp>,
    /// When it was published.
    pub published_at: Timestamp,
    /// Whether members start anew with it, instead of going on from where the version before has left them.
    pub restarts: bool,
}

const VERSION: &str = "SELECT incentive_id, version, event_types, definition, outcomes, effective_from, published_at, restarts \
                       FROM incentive_version WHERE employer_id = ";

const FOUND: &str = "SELECT found.incentive_id, found.version, found.event_types, found.definition, found.outcomes, found.effective_from, \
                     found.published_at, found.restarts FROM ";
// A cross join, so that SQLite looks each of them up, whatever its statistics say.
const OF_EACH: &str = " AS wanted CROSS JOIN incentive_version AS found \
                       WHERE found.employer_id = wanted.employer_id AND found.incentive_id = wanted.owner_id";

/// Writes a new incentive with its first version; false when the employer has one of this key.
pub async fn insert(
    connection: &impl ConnectionTrait,
    incentive: Model,
    first: Version,
) -> Result<bool, DbErr> {
    let employer = incentive.employer_id;
    if !db::insert_new::<Entity>(connection, incentive).await? {
        return Ok(false);
    }
    insert_version(connection, employer, first).await
}

/// Writes a further version; false when the incentive has one of this number.
pub async fn insert_version(
    connection: &impl ConnectionTrait,
    employer: EmployerId,
    version: Version,
) -> Result<bool, DbErr> {
    let rows = Sql::on(
        connection,
        "INSERT INTO incentive_version (employer_id, incentive_id, version, event_types, definition, outcomes, effective_from, published_at, restarts) VALUES (",
    )
    .bind(employer)
    .push(", ")
    .bind(version.incentive_id)
    .push(", ")
    .bind(version.version)
    .push(", ")
    .bind(version.event_types)
    .push(", ")
    .bind(version.definition)
    .push(", ")
    .bind(version.outcomes)
    .push(", ")
    .bind(version.effective_from)
    .push(", ")
    .bind(version.published_at)
    .push(", ")
    .bind(version.restarts)
    .push(") ON CONFLICT DO NOTHING")
    .execute(connection)
    .await?;
    Ok(rows == 1)
}

/// Writes an incentive's name, description and whether it is sensitive.
pub async fn update(connection: &impl ConnectionTrait, incentive: &Model) -> Result<(), DbErr> {
    Sql::on(connection, "UPDATE incentive SET name = ")
        .bind(incentive.name.as_str())
        .push(", description = ")
        .bind(incentive.description.clone())
        .push(", sensitive = ")
        .bind(incentive.sensitive)
        .push(" WHERE employer_id = ")
        .bind(incentive.employer_id)
        .push(" AND id = ")
        .bind(incentive.id)
        .execute(connection)
        .await
        .map(|_| ())
}

/// Retires an incentive; false when it was retired before.
pub async fn retire(
    connection: &impl ConnectionTrait,
    employer: EmployerId,
    id: IncentiveId,
    at: Timestamp,
) -> Result<bool, DbErr> {
    let rows = Sql::on(connection, "UPDATE incentive SET retired_at = ")
        .bind(at)
        .push(" WHERE employer_id = ")
        .bind(employer)
        .push(" AND id = ")
        .bind(id)
        .push(" AND retired_at IS NULL")
        .execute(connection)
        .await?;
    Ok(rows == 1)
}

/// The employer's incentive of this id.
pub async fn find(
    connection: &impl ConnectionTrait,
    employer: EmployerId,
    id: IncentiveId,
) -> Result<Option<Model>, DbErr> {
    Entity::find_by_id((employer, id)).one(connection).await
}

/// The employer's incentive of this key.
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

/// The incentives of one program, by key.
pub async fn list_of_program(
    connection: &impl ConnectionTrait,
    employer: EmployerId,
    program: ProgramId,
) -> Result<Vec<Model>, DbErr> {
    Entity::find()
        .filter(Column::EmployerId.eq(employer))
        .filter(Column::ProgramId.eq(program))
        .order_by_asc(Column::Key)
        .all(connection)
        .await
}

/// The incentives of these programs, by key; one statement however many.
pub async fn list_of_programs(
    connection: &impl ConnectionTrait,
    wanted: &[(EmployerId, ProgramId)],
) -> Result<Vec<Model>, DbErr> {
    children::list(connection, ("incentive", "program_id", "found.key"), wanted).await
}

/// All incentives of the employer.
pub async fn list(connection: &impl ConnectionTrait, employer: EmployerId) -> Result<Vec<Model>, DbErr> {
    Entity::find()
        .filter(Column::EmployerId.eq(employer))
        .order_by_asc(Column::Id)
        .all(connection)
        .await
}

/// How many incentives the employer has.
pub async fn count(connection: &impl ConnectionTrait, employer: EmployerId) -> Result<u64, DbErr> {
    Entity::find()
        .filter(Column::EmployerId.eq(employer))
        .count(connection)
        .await
}

/// The incentives of these (employer, id), in no order; one statement however many.
pub async fn list_by_ids(
    connection: &impl ConnectionTrait,
    wanted: &[(EmployerId, IncentiveId)],
) -> Result<Vec<Model>, DbErr> {
    sql::list_by_ids(connection, "incentive", wanted).await
}

/// Every version of every incentive of the employer, oldest first.
pub async fn list_versions(
    connection: &impl ConnectionTrait,
    employer: EmployerId,
) -> Result<Vec<Version>, DbErr> {
    Sql::on(connection, VERSION)
        .bind(employer)
        .push(" ORDER BY incentive_id, version")
        .all(connection)
        .await
}

/// Every version of these incentives, oldest first; one statement however many.
pub async fn list_versions_of_each(
    connection: &impl ConnectionTrait,
    wanted: &[(EmployerId, IncentiveId)],
) -> Result<Vec<Version>, DbErr> {
    Sql::on(connection, FOUND)
        .rows(children::wanted(wanted))
        .push(OF_EACH)
        .push(" ORDER BY found.version")
        .all(connection)
        .await
}

/// The newest version of each of these incentives, in no order; one statement however many.
pub async fn latest_versions(
    connection: &impl ConnectionTrait,
    wanted: &[(EmployerId, IncentiveId)],
) -> Result<Vec<Version>, DbErr> {
    Sql::on(connection, FOUND)
        .rows(children::wanted(wanted))
        .push(OF_EACH)
        .push(
            " AND found.version = (SELECT max(version) FROM incentive_version AS newest
             WHERE newest.employer_id = wanted.employer_id AND newest.incentive_id = wanted.owner_id)",
        )
        .all(connection)
        .await
}

/// The newest version of one incentive.
pub async fn latest_version(
    connection: &impl ConnectionTrait,
    employer: EmployerId,
    id: IncentiveId,
) -> Result<Option<Version>, DbErr> {
    Sql::on(connection, VERSION)
        .bind(employer)
        .push(" AND incentive_id = ")
        .bind(id)
        .push(" ORDER BY version DESC LIMIT 1")
        .one(connection)
        .await
}
