//! Progress: what an incentive remembers of a member, one small row.

use sea_orm::{ConnectionTrait, DbErr, FromQueryResult};

use crate::clock::Timestamp;
use crate::db::sql::{self, Rows, Sql};
use crate::id::{EmployerId, IncentiveId, MemberId};

/// What one incentive remembers of one member.
#[derive(Debug, Clone, PartialEq, Eq, FromQueryResult)]
pub struct Progress {
    /// The employer.
    pub employer_id: EmployerId,
    /// The member.
    pub member_id: MemberId,
    /// The incentive.
    pub incentive_id: IncentiveId,
    /// Opaque to all but the rules.
    pub state: String,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// The progress of these (employer, member, incentive), in no order; one statement however many.
pub async fn list(
    connection: &impl ConnectionTrait,
    wanted: &[(EmployerId, MemberId, IncentiveId)],
) -> Result<Vec<Progress>, DbErr> {
    Sql::on(connection, "SELECT progress.* FROM ")
        .rows(keys(wanted))
        .push(
            " AS wanted JOIN progress ON progress.employer_id = wanted.employer_id AND progress.member_id = wanted.member_id
             AND progress.incentive_id = wanted.incentive_id",
        )
        .all(connection)
        .await
}

/// All progress of one member.
pub async fn list_of_member(
    connection: &impl ConnectionTrait,
    employer: EmployerId,
    member: MemberId,
) -> Result<Vec<Progress>, DbErr> {
    Sql::on(connection, "SELECT * FROM progress WHERE employer_id = ")
        .bind(employer)
        .push(" AND member_id = ")
        .bind(member)
        .all(connection)
        .await
}

/// Writes progress, whether there was any before or not; one statement however many.
pub async fn put(connection: &impl ConnectionTrait, progress: &[Progress]) -> Result<(), DbErr> {
    let rows = Rows::new()
        .id(
            "employer_id",
            progress.iter().map(|progress| progress.employer_id),
        )
        .id("member_id", progress.iter().map(|progress| progress.member_id))
        .id(
            "incentive_id",
            progress.iter().map(|progress| progress.incentive_id),
        )
        .text("state", progress.iter().map(|progress| progress.state.as_str()))
        .int(
            "updated_at",
            progress.iter().map(|progress| progress.updated_at.0),
        );
    Sql::on(connection, "INSERT INTO progress (employer_id, member_id, incentive_id, state, updated_at) SELECT employer_id, member_id, incentive_id, state, updated_at FROM ")
        .rows(rows)
        .push(
            " AS fresh WHERE true ON CONFLICT (employer_id, member_id, incentive_id)
             DO UPDATE SET state = excluded.state, updated_at = excluded.updated_at",
        )
        .execute(connection)
        .await
        .map(|_| ())
}

/// Deletes progress of these (employer, member, incentive); one statement however many.
pub async fn delete(
    connection: &impl ConnectionTrait,
    wanted: &[(EmployerId, MemberId, IncentiveId)],
) -> Result<u64, DbErr> {
    Sql::on(
        connection,
        "DELETE FROM progress WHERE (employer_id, member_id, incentive_id) IN (SELECT employer_id, member_id, incentive_id FROM ",
    )
    .rows(keys(wanted))
    .push(" AS wanted)")
    .execute(connection)
    .await
}

/// At most `limit` rows after a key, in the order of the keys, that have not changed since an instant. The instant is one of the real
/// clock: a row of a sandbox is compared with what the sandbox's clock shows then. Spans employers.
pub async fn list_stale(
    connection: &impl ConnectionTrait,
    after: Option<(EmployerId, MemberId, IncentiveId)>,
    updated_before: Timestamp,
    limit: u64,
) -> Result<Vec<Progress>, DbErr> {
    // A cross join, so that SQLite walks along the key instead of sorting what it finds by employer.
    let sql = Sql::on(
        connection,
        "SELECT progress.* FROM progress CROSS JOIN employer WHERE employer.id = progress.employer_id AND progress.updated_at - employer.clock_offset_micros < ",
    )
    .bind(updated_before);
    let sql = match after {
        None => sql,
        Some((employer, member, incentive)) => sql
            .push(" AND (progress.employer_id, progress.member_id, progress.incentive_id) > (")
            .bind(employer)
            .push(", ")
            .bind(member)
            .push(", ")
            .bind(incentive)
            .push(")"),
    };
    sql.push(" ORDER BY progress.employer_id, progress.member_id, progress.incentive_id LIMIT ")
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .all(connection)
        .await
}

/// Forgets how far the member is.
pub async fn forget_member(
    connection: &impl ConnectionTrait,
    employer: EmployerId,
    member: MemberId,
) -> Result<u64, DbErr> {
    sql::delete_of_member(connection, "progress", (employer, member)).await
}

fn keys(wanted: &[(EmployerId, MemberId, IncentiveId)]) -> Rows {
    Rows::new()
        .id("employer_id", wanted.iter().map(|(employer, _, _)| *employer))
        .id("member_id", wanted.iter().map(|(_, member, _)| *member))
        .id("incentive_id", wanted.iter().map(|(_, _, incentive)| *incentive))
}
