//! What was asked for once is done once: the caller's own keys, each with what came of it.

use sea_orm::{ConnectionTrait, DbErr, FromQueryResult};

use crate::clock::Timestamp;
use crate::db::sql::{self, Sql};
use crate::id::{EmployerId, MemberId, TypedId};

/// What was asked for, and what came of it.
#[derive(Debug, Clone)]
pub struct Request<'a, I> {
    /// The employer.
    pub employer_id: EmployerId,
    /// Which operation: a key belongs to one.
    pub operation: &'static str,
    /// The caller's own key.
    pub key: &'a str,
    /// A digest of all that was asked for.
    pub body_hash: Vec<u8>,
    /// Whom it is about.
    pub member_id: MemberId,
    /// What is made of it.
    pub made_id: I,
    /// When.
    pub at: Timestamp,
}

/// Whether a request is the first of its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim<I> {
    /// It is: go on, and make what has the id of the request.
    First,
    /// It was made before, of the same body: here is what came of it.
    Again(I),
    /// The key was used before with another body.
    Conflict,
}

#[derive(FromQueryResult)]
struct Known {
    body_hash: Vec<u8>,
    made_id: sea_orm::prelude::Uuid,
}

/// Claims a key. Another transaction that claims the same one waits until this one ends; comes before every other lock.
pub async fn claim<I: TypedId>(
    connection: &impl ConnectionTrait,
    request: &Request<'_, I>,
) -> Result<Claim<I>, DbErr> {
    let written = Sql::on(
        connection,
        "INSERT INTO idempotency (employer_id, operation, key, body_hash, member_id, made_id, created_at) VALUES (",
    )
    .bind(request.employer_id)
    .push(", ")
    .bind(request.operation)
    .push(", ")
    .bind(request.key)
    .push(", ")
    .bind(request.body_hash.clone())
    .push(", ")
    .bind(request.member_id)
    .push(", ")
    .bind(request.made_id.uuid())
    .push(", ")
    .bind(request.at)
    .push(") ON CONFLICT (employer_id, operation, key) DO NOTHING")
    .execute(connection)
    .await?;
    if written == 1 {
        return Ok(Claim::First);
    }
    let known: Option<Known> = Sql::on(
        connection,
        "SELECT body_hash, made_id FROM idempotency WHERE employer_id = ",
    )
    .bind(request.employer_id)
    .push(" AND operation = ")
    .bind(request.operation)
    .push(" AND key = ")
    .bind(request.key)
    .one(connection)
    .await?;
    Ok(match known {
        Some(known) if known.body_hash == request.body_hash => Claim::Again(I::from_uuid(known.made_id)),
        _ => Claim::Conflict,
    })
}

/// Whether a key was used, in what has been committed.
pub async fn is_known(
    connection: &impl ConnectionTrait,
    employer: EmployerId,
    operation: &'static str,
    key: &str,
) -> Result<bool, DbErr> {
    let known: Option<Known> = Sql::on(
        connection,
        "SELECT body_hash, made_id FROM idempotency WHERE employer_id = ",
    )
    .bind(employer)
    .push(" AND operation = ")
    .bind(operation)
    .push(" AND key = ")
    .bind(key)
    .one(connection)
    .await?;
    Ok(known.is_some())
}

/// Forgets what was asked for about a member: a key is the caller's own words.
pub async fn forget_member(
    connection: &impl ConnectionTrait,
    employer: EmployerId,
    member: MemberId,
) -> Result<u64, DbErr> {
    sql::delete_of_member(connection, "idempotency", (employer, member)).await
}
