//! Rewards: what members can have for points, or are given.
//!
//! How many are left is changed by whoever holds the row: one at a time by a statement that takes only what is there, many at once
//! under [`lock`].

use chrono::NaiveDate;
use sea_orm::entity::prelude::*;
use sea_orm::{FromQueryResult, QueryFilter};

use crate::clock::Timestamp;
use crate::db;
use crate::db::sql::{self, Rows, Sql};
use crate::id::{EmployerId, PartnerId, ProgramId, RewardId};
use crate::page::{self, Page, Slice};

/// A reward.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "reward")]
pub struct Model {
    /// The employer.
    #[sea_orm(primary_key, auto_increment = false)]
    pub employer_id: EmployerId,
    /// The reward itself.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: RewardId,
    /// The program it is of.
    pub program_id: ProgramId,
    /// Its short name, unique within the employer.
    pub key: String,
    /// Its name for people.
    pub name: String,
    /// More about it, for people.
    pub description: Option<String>,
    /// Points for one of it.
    pub price: i64,
    /// Which points.
    pub category: String,
    /// How many are left; none: any number.
    pub stock: Option<i64>,
    /// How many one member can have; none: any number.
    pub per_member: Option<i64>,
    /// The first day on which it can be asked for.
    pub available_from: Option<NaiveDate>,
    /// The last one.
    pub available_until: Option<NaiveDate>,
    /// How long a redemption waits to be fulfilled; none: for ever.
    pub hold_seconds: Option<i64>,
    /// The partner that fulfils it; none: the employer itself.
    pub fulfilled_by: Option<PartnerId>,
    /// When it was created.
    pub created_at: Timestamp,
    /// From when on nobody can ask for it.
    pub retired_at: Option<Timestamp>,
}

impl ActiveModelBehavior for ActiveModel {}

/// Writes a new reward; false when the employer has one of this key.
pub async fn insert(connection: &impl ConnectionTrait, reward: Model) -> Result<bool, DbErr> {
    db::insert_new::<Entity>(connection, reward).await
}

/// The employer's reward of this id.
pub async fn find(
    connection: &impl ConnectionTrait,
    employer: EmployerId,
    id: RewardId,
) -> Result<Option<Model>, DbErr> {
    Entity::find_by_id((employer, id)).one(connection).await
}

/// The employer's reward of this key.
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

/// The reward of this id, of whichever employer, if this partner fulfils it. Each employer is looked up: there are few of them, and no
/// key begins with the id alone.
pub async fn find_of_partner(
    connection: &impl ConnectionTrait,
    partner: PartnerId,
    id: RewardId,
) -> Result<Option<Model>, DbErr> {
    Sql::on(
        connection,
        "SELECT reward.* FROM employer CROSS JOIN reward WHERE reward.employer_id = employer.id AND reward.id = ",
    )
    .bind(id)
    .push(" AND reward.fulfilled_by = ")
    .bind(partner)
    .one(connection)
    .await
}

/// A page of the rewards of a program, in the order of their making.
pub async fn list_of_program(
    connection: &impl ConnectionTrait,
    employer: EmployerId,
    program: ProgramId,
    page: Page<RewardId>,
) -> Result<Slice<Model>, DbErr> {
    let select = Entity::find()
        .filter(Column::EmployerId.eq(employer))
        .filter(Column::ProgramId.eq(program));
    page::read(connection, select, Column::Id, page).await
}

/// The rewards of these ids, in no order; one statement however many.
pub async fn list_by_ids(
    connection: &impl ConnectionTrait,
    wanted: &[(EmployerId, RewardId)],
) -> Result<Vec<Model>, DbErr> {
    sql::list_by_ids(connection, "reward", wanted).await
}

/// The rewards of these (employer, key), in no order; one statement however many.
pub async fn list_by_keys(
    connection: &impl ConnectionTrait,
    wanted: &[(EmployerId, String)],
) -> Result<Vec<Model>, DbErr> {
    let rows = Rows::new()
        .id("employer_id", wanted.iter().map(|(employer, _)| *employer))
        .text("key", wanted.iter().map(|(_, key)| key.as_str()));
    Sql::on(connection, "SELECT reward.* FROM ")
        .rows(rows)
        .push(" AS wanted JOIN reward ON reward.employer_id = wanted.employer_id AND reward.key = wanted.key")
        .all(connection)
        .await
}

/// How many rewards the employer has.
pub async fn count(connection: &impl ConnectionTrait, employer: EmployerId) -> Result<u64, DbErr> {
    Entity::find()
        .filter(Column::EmployerId.eq(employer))
        .count(connection)
        .await
}

/// Locks these rewards for the rest of the transaction and reads them as they are then. Locks are taken in the order of the ids, so
/// two transactions cannot wait for each other. SQLite has one writer anyway.
pub async fn lock(
    connection: &impl ConnectionTrait,
    wanted: &[(EmployerId, RewardId)],
) -> Result<Vec<Model>, DbErr> {
    let rows = Rows::new()
        .id("employer_id", wanted.iter().map(|(employer, _)| *employer))
        .id("id", wanted.iter().map(|(_, id)| *id));
    Sql::on(connection, "SELECT reward.* FROM ")
        .rows(rows)
        .push(
            " AS wanted JOIN reward ON reward.employer_id = wanted.employer_id AND reward.id = wanted.id
             ORDER BY reward.employer_id, reward.id",
        )
        .either("", " FOR NO KEY UPDATE OF reward")
        .all(connection)
        .await
}

/// Writes what can be changed of a reward; how many are left only where `stock` says so. The caller holds its lock.
pub async fn update(
    connection: &impl ConnectionTrait,
    reward: &Model,
    stock: Option<Option<i64>>,
) -> Result<(), DbErr> {
    let sql = Sql::on(connection, "UPDATE reward SET name = ")
        .bind(reward.name.as_str())
        .push(", description = ")
        .bind(reward.description.clone())
        .push(", price = ")
        .bind(reward.price)
        .push(", per_member = ")
        .bind(reward.per_member)
        .push(", available_from = ")
        .bind(reward.available_from)
        .push(", available_until = ")
        .bind(reward.available_until)
        .push(", hold_seconds = ")
        .bind(reward.hold_seconds);
    let sql = match stock {
        None => sql,
        Some(stock) => sql.push(", stock = ").bind(stock),
    };
    sql.push(" WHERE employer_id = ")
        .bind(reward.employer_id)
        .push(" AND id = ")
        .bind(reward.id)
        .execute(connection)
        .await
        .map(|_| ())
}

/// Retires a reward; false when it was retired before.
pub async fn retire(
    connection: &impl ConnectionTrait,
    employer: EmployerId,
    id: RewardId,
    at: Timestamp,
) -> Result<bool, DbErr> {
    let rows = Sql::on(connection, "UPDATE reward SET retired_at = ")
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

/// Takes so many out of the stock if there are as many, and says how many it has taken: 0 where any number is there. None: there are
/// not as many.
pub async fn take(
    connection: &impl ConnectionTrait,
    employer: EmployerId,
    id: RewardId,
    quantity: i64,
) -> Result<Option<i64>, DbErr> {
    #[derive(FromQueryResult)]
    struct Left {
        stock: Option<i64>,
    }
    let left: Option<Left> = Sql::on(connection, "UPDATE reward SET stock = stock - ")
        .bind(quantity)
        .push(" WHERE employer_id = ")
        .bind(employer)
        .push(" AND id = ")
        .bind(id)
        .push(" AND (stock IS NULL OR stock >= ")
        .bind(quantity)
        .push(") RETURNING stock")
        .one(connection)
        .await?;
    Ok(left.map(|left| left.stock.map_or(0, |_| quantity)))
}

/// Changes what is left of rewards by so many: those that still have a stock. The caller holds their locks, and takes no more than
/// there is; the rewards of one call differ.
pub async fn restock(
    connection: &impl ConnectionTrait,
    deltas: &[(EmployerId, RewardId, i64)],
) -> Result<(), DbErr> {
    let rows = Rows::new()
        .id("employer_id", deltas.iter().map(|(employer, ..)| *employer))
        .id("id", deltas.iter().map(|(_, id, _)| *id))
        .int("delta", deltas.iter().map(|(.., delta)| *delta));
    Sql::on(connection, "UPDATE reward SET stock = reward.stock + wanted.delta FROM ")
        .rows(rows)
        .push(
            " AS wanted WHERE reward.employer_id = wanted.employer_id AND reward.id = wanted.id AND reward.stock IS NOT NULL",
        )
        .execute(connection)
        .await
        .map(|_| ())
}
