//! Refunds: events that have said what is left of an order, for as long as they could be taken back.

use chrono::NaiveDate;
use sea_orm::{ConnectionTrait, DbErr, FromQueryResult};

use super::{CauseKey, causes};
use crate::clock::Timestamp;
use crate::db::sql::{Rows, Sql};
use crate::id::{EmployerId, IncentiveId, MemberId};

/// What one event has said with one incentive.
#[derive(Debug, Clone, PartialEq, Eq, FromQueryResult)]
pub struct Refund {
    /// The employer.
    pub employer_id: EmployerId,
    /// Whose order.
    pub member_id: MemberId,
    /// With which incentive.
    pub incentive_id: IncentiveId,
    /// Where the event came from.
    pub source: String,
    /// The sender's own id.
    pub event_id: String,
    /// A digest of the order's own name.
    pub cause: Vec<u8>,
    /// On which day of the program.
    pub day: NaiveDate,
    /// When it happened.
    pub occurred_at: Timestamp,
    /// What is left of the order, an exact decimal.
    pub remaining: String,
}

impl Refund {
    /// Of which order.
    pub fn cause_key(&self) -> CauseKey {
        CauseKey {
            employer_id: self.employer_id,
            member_id: self.member_id,
            incentive_id: self.incentive_id,
            cause: self.cause.clone(),
        }
    }
}

const COLUMNS: &str =
    "employer_id, member_id, incentive_id, source, event_id, cause, day, occurred_at, remaining";

/// Writes refunds; one that is there already, because its event is evaluated once more, stays.
pub async fn put(connection: &impl ConnectionTrait, refunds: &[Refund]) -> Result<(), DbErr> {
    let rows = keys(refunds)
        .bytes("cause", refunds.iter().map(|row| row.cause.clone()))
        .date("day", refunds.iter().map(|row| row.day))
        .int("occurred_at", refunds.iter().map(|row| row.occurred_at.0))
        .text("remaining", refunds.iter().map(|row| row.remaining.as_str()));
    Sql::on(connection, "INSERT INTO refund (")
        .push(COLUMNS)
        .push(") SELECT ")
        .push(COLUMNS)
        .push(" FROM ")
        .rows(rows)
        .push(" AS fresh WHERE true ON CONFLICT DO NOTHING")
        .execute(connection)
        .await
        .map(|_| ())
}

/// The refunds of these orders; one statement however many.
pub async fn list(connection: &impl ConnectionTrait, wanted: &[CauseKey]) -> Result<Vec<Refund>, DbErr> {
    Sql::on(connection, "SELECT refund.* FROM ")
        .rows(causes(wanted))
        .push(
            " AS wanted JOIN refund ON refund.employer_id = wanted.employer_id AND refund.member_id = wanted.member_id
             AND refund.incentive_id = wanted.incentive_id AND refund.cause = wanted.cause",
        )
        .all(connection)
        .await
}

/// The refunds that these events (employer, member, source, id) are, in no order; one statement however many.
pub async fn list_of_events(
    connection: &impl ConnectionTrait,
    wanted: &[(EmployerId, MemberId, String, String)],
) -> Result<Vec<Refund>, DbErr> {
    let rows = Rows::new()
        .id("employer_id", wanted.iter().map(|(employer, _, _, _)| *employer))
        .id("member_id", wanted.iter().map(|(_, member, _, _)| *member))
        .text("source", wanted.iter().map(|(_, _, source, _)| source.as_str()))
        .text("event_id", wanted.iter().map(|(_, _, _, id)| id.as_str()));
    Sql::on(connection, "SELECT refund.* FROM ")
        .rows(rows)
        .push(
            " AS wanted JOIN refund ON refund.employer_id = wanted.employer_id AND refund.member_id = wanted.member_id
             AND refund.source = wanted.source AND refund.event_id = wanted.event_id",
        )
        .all(connection)
        .await
}

/// Deletes refunds; one statement however many.
pub async fn delete(connection: &impl ConnectionTrait, refunds: &[Refund]) -> Result<(), DbErr> {
    Sql::on(
        connection,
        "DELETE FROM refund WHERE (employer_id, member_id, incentive_id, source, event_id) IN
         (SELECT employer_id, member_id, incentive_id, source, event_id FROM ",
    )
    .rows(keys(refunds))
    .push(" AS wanted)")
    .execute(connection)
    .await
    .map(|_| ())
}

/// Forgets at most `limit` of the employer's refunds of days before `day`; says how many.
pub async fn purge(
    connection: &impl ConnectionTrait,
    employer: EmployerId,
    day: NaiveDate,
    limit: u64,
) -> Result<u64, DbErr> {
    Sql::on(
        connection,
        // What is left is always there: that is said for the sake of the index, which is there for this statement alone.
        "DELETE FROM refund WHERE (employer_id, member_id, incentive_id, source, event_id) IN
         (SELECT employer_id, member_id, incentive_id, source, event_id FROM refund
          WHERE remaining IS NOT NULL AND employer_id = ",
    )
    .bind(employer)
    .push(" AND day < ")
    .bind(day)
    .push(" LIMIT ")
    .bind(i64::try_from(limit).unwrap_or(i64::MAX))
    .push(")")
    .execute(connection)
    .await
}

fn keys(refunds: &[Refund]) -> Rows {
    Rows::new()
        .id("employer_id", refunds.iter().map(|row| row.employer_id))
        .id("member_id", refunds.iter().map(|row| row.member_id))
        .id("incentive_id", refunds.iter().map(|row| row.incentive_id))
        .text("source", refunds.iter().map(|row| row.source.as_str()))
        .text("event_id", refunds.iter().map(|row| row.event_id.as_str()))
}
