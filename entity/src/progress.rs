//! Progress: what an incentive remembers of a member, one small row.

use sea_orm::{ConnectionTrait, DbErr, FromQueryResult};

use crate::clock::Timestamp;
use crate::db::sql::{Rows, Sql};
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
    let rows = Rows::new()
        .id("employer_id", wanted.iter().map(|(employer, _, _)| *employer))
        .id("member_id", wanted.iter().map(|(_, member, _)| *member))
        .id("incentive_id", wanted.iter().map(|(_, _, incentive)| *incentive));
    Sql::on(connection, "SELECT progress.* FROM ")
        .rows(rows)
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
