//! Suppressions: the addresses that an employer does not write to any more.
//!
//! An address stands here as a digest, so that it outlives the erasure of its member without saying whose it was to whoever does not
//! know the address.

use aws_lc_rs::digest;
use sea_orm::FromQueryResult;
use sea_orm::entity::prelude::*;

use crate::clock::Timestamp;
use crate::db::sql::{Rows, Sql};
use crate::id::{EmployerId, TypedId};
use crate::text_enum;

text_enum! {
    /// Why an address is not written to any more.
    SuppressionReason {
        /// A mail server has said that there is no such address.
        Bounce = "BOUNCE",
        /// Whoever reads it has complained.
        Complaint = "COMPLAINT",
        /// A person has decided it.
        Manual = "MANUAL",
    }
}

/// A suppression. Read and written by statements only.
#[derive(Debug, Clone, PartialEq, Eq, FromQueryResult)]
pub struct Suppression {
    /// The employer.
    pub employer_id: EmployerId,
    /// The address, as [`address_digest`] makes it.
    pub address_digest: Vec<u8>,
    /// Why.
    pub reason: SuppressionReason,
    /// Since when.
    pub recorded_at: Timestamp,
}

/// The digest of an address: the same for every way to write it that mail servers take for one, and another for each employer.
pub fn address_digest(employer: EmployerId, address: &str) -> Vec<u8> {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(b"plaudit suppression\0");
    context.update(employer.uuid().as_bytes());
    context.update(address.trim().to_lowercase().as_bytes());
    context.finish().as_ref().to_vec()
}

/// Records suppressions; what is there already stays, with its reason.
pub async fn record(connection: &impl ConnectionTrait, suppressions: &[Suppression]) -> Result<u64, DbErr> {
    let rows = Rows::new()
        .id("employer_id", suppressions.iter().map(|row| row.employer_id))
        .bytes(
            "address_digest",
            suppressions.iter().map(|row| row.address_digest.clone()),
        )
        .text("reason", suppressions.iter().map(|row| row.reason.as_str()))
        .int("recorded_at", suppressions.iter().map(|row| row.recorded_at.0));
    Sql::on(
        connection,
        "INSERT INTO suppression (employer_id, address_digest, reason, recorded_at)
         SELECT employer_id, address_digest, reason, recorded_at FROM ",
    )
    .rows(rows)
    .push(" AS fresh WHERE true ON CONFLICT DO NOTHING")
    .execute(connection)
    .await
}

/// Which of these addresses are suppressed; one statement however many.
pub async fn list(
    connection: &impl ConnectionTrait,
    wanted: &[(EmployerId, Vec<u8>)],
) -> Result<Vec<Suppression>, DbErr> {
    let rows = Rows::new()
        .id("employer_id", wanted.iter().map(|(employer, _)| *employer))
        .bytes("address_digest", wanted.iter().map(|(_, digest)| digest.clone()));
    Sql::on(connection, "SELECT suppression.* FROM ")
        .rows(rows)
        .push(
            " AS wanted CROSS JOIN suppression WHERE suppression.employer_id = wanted.employer_id
             AND suppression.address_digest = wanted.address_digest",
        )
        .all(connection)
        .await
}

/// Lets an address be written to again; false when it could be before.
pub async fn lift(
    connection: &impl ConnectionTrait,
    employer: EmployerId,
    address: &str,
) -> Result<bool, DbErr> {
    let rows = Sql::on(connection, "DELETE FROM suppression WHERE employer_id = ")
        .bind(employer)
        .push(" AND address_digest = ")
        .bind(address_digest(employer, address))
        .execute(connection)
        .await?;
    Ok(rows == 1)
}
