//! What points were earned for: an order, another event or an award; what refunds have left of orders; and how much of the caps is
//! used up. Whoever changes any of it holds the lock of the member.

use aws_lc_rs::digest;
use chrono::NaiveDate;
use sea_orm::{ConnectionTrait, DbErr, FromQueryResult};

use crate::clock::Timestamp;
use crate::db::sql::{self, Rows, Sql};
use crate::id::{EmployerId, IncentiveId, MemberId};

pub mod cap;
pub mod refund;

/// Which cause of one member and incentive.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CauseKey {
    /// The employer.
    pub employer_id: EmployerId,
    /// Whose points.
    pub member_id: MemberId,
    /// For which incentive.
    pub incentive_id: IncentiveId,
    /// A digest of the order's own name or of the event's identity, or the id of an award.
    pub cause: Vec<u8>,
}

/// Points of one category that were earned for one cause.
#[derive(Debug, Clone, PartialEq, Eq, FromQueryResult)]
pub struct Earning {
    /// The employer.
    pub employer_id: EmployerId,
    /// Whose points.
    pub member_id: MemberId,
    /// For which incentive.
    pub incentive_id: IncentiveId,
    /// Of which kind.
    pub category: String,
    /// What for, as in [`CauseKey`].
    pub cause: Vec<u8>,
    /// By which version of the incentive.
    pub version: i32,
    /// On which day of the program.
    pub day: NaiveDate,
    /// How many units there were, an exact decimal; none: what they were earned for was taken back.
    pub units: Option<String>,
    /// When that was stated.
    pub stated_at: Option<Timestamp>,
    /// What is left by the latest refund, an exact decimal; none: there was none.
    pub remaining: Option<String>,
    /// When that was stated.
    pub refunded_at: Option<Timestamp>,
    /// Since when they need not wait for the event that releases them; none: no such event has come.
    pub released_at: Option<Timestamp>,
    /// By how much the points are multiplied, an exact decimal.
    pub factor: String,
    /// The points before the cap.
    pub gross: i64,
    /// Whether the cap has rejected them.
    pub is_rejected: bool,
    /// When it was changed last, by the employer's date.
    pub updated_on: NaiveDate,
}

impl Earning {
    /// What for.
    pub fn cause_key(&self) -> CauseKey {
        CauseKey {
            employer_id: self.employer_id,
            member_id: self.member_id,
            incentive_id: self.incentive_id,
            cause: self.cause.clone(),
        }
    }
}

/// The cause that an order is, by its own name.
pub fn cause_of_order(name: &str) -> Vec<u8> {
    digest_of(&["order", name])
}

/// The cause that an event is, by its identity.
pub fn cause_of_event(source: &str, event_id: &str) -> Vec<u8> {
    digest_of(&["event", source, event_id])
}

fn digest_of(parts: &[&str]) -> Vec<u8> {
    let mut context = digest::Context::new(&digest::SHA256);
    for part in parts {
        // The length in front keeps parts apart.
        context.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        context.update(part.as_bytes());
    }
    context.finish().as_ref().to_vec()
}

/// What was earned for these causes, of all categories; one statement however many.
pub async fn list(connection: &impl ConnectionTrait, wanted: &[CauseKey]) -> Result<Vec<Earning>, DbErr> {
    Sql::on(connection, "SELECT earning.* FROM ")
        .rows(causes(wanted))
        .push(
            " AS wanted JOIN earning ON earning.employer_id = wanted.employer_id AND earning.member_id = wanted.member_id
             AND earning.incentive_id = wanted.incentive_id AND earning.cause = wanted.cause",
        )
        .all(connection)
        .await
}

const COLUMNS: &str = "employer_id, member_id, incentive_id, category, cause, version, day, units, stated_at, remaining, refunded_at,
     released_at, factor, gross, is_rejected, updated_on";

/// Writes what was earned, each of another cause or category; what is there is replaced.
pub async fn put(connection: &impl ConnectionTrait, earnings: &[Earning]) -> Result<(), DbErr> {
    let rows = Rows::new()
        .id("employer_id", earnings.iter().map(|row| row.employer_id))
        .id("member_id", earnings.iter().map(|row| row.member_id))
        .id("incentive_id", earnings.iter().map(|row| row.incentive_id))
        .text("category", earnings.iter().map(|row| row.category.as_str()))
        .bytes("cause", earnings.iter().map(|row| row.cause.clone()))
        .int("version", earnings.iter().map(|row| i64::from(row.version)))
        .date("day", earnings.iter().map(|row| row.day))
        .text_or_null("units", earnings.iter().map(|row| row.units.clone()))
        .int_or_null(
            "stated_at",
            earnings.iter().map(|row| row.stated_at.map(|at| at.0)),
        )
        .text_or_null("remaining", earnings.iter().map(|row| row.remaining.clone()))
        .int_or_null(
            "refunded_at",
            earnings.iter().map(|row| row.refunded_at.map(|at| at.0)),
        )
        .int_or_null(
            "released_at",
            earnings.iter().map(|row| row.released_at.map(|at| at.0)),
        )
        .text("factor", earnings.iter().map(|row| row.factor.as_str()))
        .int("gross", earnings.iter().map(|row| row.gross))
        .bool("is_rejected", earnings.iter().map(|row| row.is_rejected))
        .date("updated_on", earnings.iter().map(|row| row.updated_on));
    Sql::on(connection, "INSERT INTO earning (")
        .push(COLUMNS)
        .push(") SELECT ")
        .push(COLUMNS)
        .push(" FROM ")
        .rows(rows)
        .push(
            " AS fresh WHERE true ON CONFLICT (employer_id, member_id, incentive_id, category, cause) DO UPDATE SET
             version = excluded.version, day = excluded.day, units = excluded.units, stated_at = excluded.stated_at,
             remaining = excluded.remaining, refunded_at = excluded.refunded_at,
             released_at = excluded.released_at, factor = excluded.factor, gross = excluded.gross,
             is_rejected = excluded.is_rejected, updated_on = excluded.updated_on",
        )
        .execute(connection)
        .await
        .map(|_| ())
}

/// Forgets at most `limit` of the employer's causes that were taken back, and have not changed since before `day`; says how many.
pub async fn purge(
    connection: &impl ConnectionTrait,
    employer: EmployerId,
    day: NaiveDate,
    limit: u64,
) -> Result<u64, DbErr> {
    Sql::on(
        connection,
        "DELETE FROM earning WHERE (employer_id, member_id, incentive_id, category, cause) IN
         (SELECT employer_id, member_id, incentive_id, category, cause FROM earning WHERE units IS NULL AND employer_id = ",
    )
    .bind(employer)
    .push(" AND updated_on < ")
    .bind(day)
    .push(" LIMIT ")
    .bind(i64::try_from(limit).unwrap_or(i64::MAX))
    .push(")")
    .execute(connection)
    .await
}

/// Forgets what the member's points were earned for.
pub async fn forget_member(
    connection: &impl ConnectionTrait,
    employer: EmployerId,
    member: MemberId,
) -> Result<(), DbErr> {
    for table in ["earning", "refund", "points_cap"] {
        sql::delete_of_member(connection, table, (employer, member)).await?;
    }
    Ok(())
}

fn causes(wanted: &[CauseKey]) -> Rows {
    Rows::new()
        .id("employer_id", wanted.iter().map(|key| key.employer_id))
        .id("member_id", wanted.iter().map(|key| key.member_id))
        .id("incentive_id", wanted.iter().map(|key| key.incentive_id))
        .bytes("cause", wanted.iter().map(|key| key.cause.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_are_kept_apart() {
        assert_ne!(cause_of_event("ab", "c"), cause_of_event("a", "bc"));
        assert_ne!(cause_of_event("order", "a"), cause_of_order("a"));
        assert_eq!(cause_of_order("a"), cause_of_order("a"));
    }
}
