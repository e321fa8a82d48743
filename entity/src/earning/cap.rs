//! How much of a cap is used up, in each window.

use sea_orm::{ConnectionTrait, DbErr, FromQueryResult};

use crate::db::sql::{Rows, Sql};
use crate::id::{EmployerId, IncentiveId, MemberId};

/// Which cap of one member, in which window.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// The employer.
    pub employer_id: EmployerId,
    /// Whose points.
    pub member_id: MemberId,
    /// Of which incentive.
    pub incentive_id: IncentiveId,
    /// Of which kind.
    pub category: String,
    /// The window.
    pub period_key: String,
}

/// How much of it is used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Used {
    /// The points before the cap.
    pub gross: i64,
    /// Those that were given.
    pub granted: i64,
}

#[derive(FromQueryResult)]
struct Row {
    employer_id: EmployerId,
    member_id: MemberId,
    incentive_id: IncentiveId,
    category: String,
    period_key: String,
    gross: i64,
    granted: i64,
}

/// How much of these caps is used up; one that is not there is not used. One statement however many.
pub async fn list(connection: &impl ConnectionTrait, wanted: &[&Key]) -> Result<Vec<(Key, Used)>, DbErr> {
    let found: Vec<Row> = Sql::on(connection, "SELECT points_cap.* FROM ")
        .rows(keys(wanted))
        .push(
            " AS wanted JOIN points_cap ON points_cap.employer_id = wanted.employer_id AND points_cap.member_id = wanted.member_id
             AND points_cap.incentive_id = wanted.incentive_id AND points_cap.category = wanted.category
             AND points_cap.period_key = wanted.period_key",
        )
        .all(connection)
        .await?;
    let found = found.into_iter().map(|row| {
        let key = Key {
            employer_id: row.employer_id,
            member_id: row.member_id,
            incentive_id: row.incentive_id,
            category: row.category,
            period_key: row.period_key,
        };
        let used = Used {
            gross: row.gross,
            granted: row.granted,
        };
        (key, used)
    });
    Ok(found.collect())
}

/// Writes how much of caps is used up.
pub async fn put(connection: &impl ConnectionTrait, caps: &[(&Key, Used)]) -> Result<(), DbErr> {
    let wanted: Vec<&Key> = caps.iter().map(|(key, _)| *key).collect();
    let rows = keys(&wanted)
        .int("gross", caps.iter().map(|(_, used)| used.gross))
        .int("granted", caps.iter().map(|(_, used)| used.granted));
    Sql::on(
        connection,
        "INSERT INTO points_cap (employer_id, member_id, incentive_id, category, period_key, gross, granted)
         SELECT employer_id, member_id, incentive_id, category, period_key, gross, granted FROM ",
    )
    .rows(rows)
    .push(
        " AS fresh WHERE true ON CONFLICT (employer_id, member_id, incentive_id, category, period_key) DO UPDATE SET
         gross = excluded.gross, granted = excluded.granted",
    )
    .execute(connection)
    .await
    .map(|_| ())
}

fn keys(wanted: &[&Key]) -> Rows {
    Rows::new()
        .id("employer_id", wanted.iter().map(|key| key.employer_id))
        .id("member_id", wanted.iter().map(|key| key.member_id))
        .id("incentive_id", wanted.iter().map(|key| key.incentive_id))
        .text("category", wanted.iter().map(|key| key.category.as_str()))
        .text("period_key", wanted.iter().map(|key| key.period_key.as_str()))
}
