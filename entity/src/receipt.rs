//! Receipts: by which an event that was accepted is known again. A receipt holds the identity, whom and what it is about and a digest
//! of the body, never the body, for as long as the event could be accepted once more.

use sea_orm::{ConnectionTrait, DbErr, FromQueryResult};

use crate::clock::Timestamp;
use crate::db::expiry::Expiring;
use crate::db::sql::{self, Rows, Sql};
use crate::id::{EmployerId, EventTypeId, MemberId};

/// The identity of an event: unique within an employer.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, FromQueryResult)]
pub struct Identity {
    /// The employer.
    pub employer_id: EmployerId,
    /// Where it came from, as the sender calls it.
    pub source: String,
    /// The sender's own id.
    pub event_id: String,
}

impl Identity {
    /// The rows of these identities.
    pub(crate) fn rows(identities: &[Self]) -> Rows {
        Rows::new()
            .id(
                "employer_id",
                identities.iter().map(|identity| identity.employer_id),
            )
            .text(
                "source",
                identities.iter().map(|identity| identity.source.as_str()),
            )
            .text(
                "event_id",
                identities.iter().map(|identity| identity.event_id.as_str()),
            )
    }
}

/// A receipt.
#[derive(Debug, Clone)]
pub struct Receipt {
    /// Which event.
    pub identity: Identity,
    /// SHA-256 of the body.
    pub body_digest: [u8; 32],
    /// When it was accepted.
    pub accepted_at: Timestamp,
    /// From then on the event would be too late anyway.
    pub expires_at: Timestamp,
    /// Whom the event is about.
    pub member_id: MemberId,
    /// What happened.
    pub event_type_id: EventTypeId,
}

/// What a receipt says of an event that came again.
#[derive(Debug, Clone, FromQueryResult)]
pub struct Known {
    /// The employer.
    pub employer_id: EmployerId,
    /// Where it came from.
    pub source: String,
    /// The sender's own id.
    pub event_id: String,
    /// SHA-256 of the body that was accepted.
    pub body_digest: Vec<u8>,
    /// Whom it is about; none: the receipt was written before that was kept.
    pub member_id: Option<MemberId>,
    /// What happened; none: likewise.
    pub event_type_id: Option<EventTypeId>,
}

/// Writes receipts and returns the identities that were new. The order of the keys is the order of the locks, so two transactions
/// that write the same receipts cannot wait for each other.
pub async fn insert_new(
    connection: &impl ConnectionTrait,
    mut receipts: Vec<Receipt>,
) -> Result<Vec<Identity>, DbErr> {
    receipts.sort_by(|a, b| a.identity.cmp(&b.identity));
    let rows = Rows::new()
        .id(
            "employer_id",
            receipts.iter().map(|receipt| receipt.identity.employer_id),
        )
        .text(
            "source",
            receipts.iter().map(|receipt| receipt.identity.source.as_str()),
        )
        .text(
            "event_id",
            receipts.iter().map(|receipt| receipt.identity.event_id.as_str()),
        )
        .bytes(
            "body_digest",
            receipts.iter().map(|receipt| receipt.body_digest.to_vec()),
        )
        .int(
            "accepted_at",
            receipts.iter().map(|receipt| receipt.accepted_at.0),
        )
        .int("expires_at", receipts.iter().map(|receipt| receipt.expires_at.0))
        .id("member_id", receipts.iter().map(|receipt| receipt.member_id))
        .id(
            "event_type_id",
            receipts.iter().map(|receipt| receipt.event_type_id),
        );
    Sql::on(
        connection,
        "INSERT INTO receipt (employer_id, source, event_id, body_digest, accepted_at, expires_at, member_id, event_type_id)
         SELECT employer_id, source, event_id, body_digest, accepted_at, expires_at, member_id, event_type_id FROM ",
    )
    .rows(rows)
    .push(" AS fresh WHERE true ON CONFLICT DO NOTHING RETURNING employer_id, source, event_id")
    .all(connection)
    .await
}

/// The receipts of these identities, in no order; one statement however many.
pub async fn list(connection: &impl ConnectionTrait, identities: &[Identity]) -> Result<Vec<Known>, DbErr> {
    Sql::on(connection, "SELECT receipt.employer_id, receipt.source, receipt.event_id, receipt.body_digest, receipt.member_id, receipt.event_type_id FROM ")
        .rows(Identity::rows(identities))
        .push(
            " AS wanted JOIN receipt ON receipt.employer_id = wanted.employer_id AND receipt.source = wanted.source
             AND receipt.event_id = wanted.event_id",
        )
        .all(connection)
        .await
}

/// Forgets at most `limit` receipts of events that would be too late by now, by their employer's clock; says how many.
pub async fn purge(connection: &impl ConnectionTrait, now: Timestamp, limit: u64) -> Result<u64, DbErr> {
    let receipts = Expiring {
        table: "receipt",
        key: "employer_id, source, event_id",
        only: "",
    };
    receipts.purge(connection, now, limit).await
}

/// Forgets the receipts of the member's events.
pub async fn forget_member(
    connection: &impl ConnectionTrait,
    employer: EmployerId,
    member: MemberId,
) -> Result<u64, DbErr> {
    sql::delete_of_member(connection, "receipt", (employer, member)).await
}
