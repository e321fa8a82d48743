//! Corrections by hand: who has made each, and why.

use sea_orm::{ConnectionTrait, DbErr};

use crate::db::sql::Sql;
use crate::id::{EmployerId, MemberId, PointsEntryId};

/// Notes why an entry was made by hand, and by whom.
pub async fn insert(
    connection: &impl ConnectionTrait,
    (employer, entry): (EmployerId, PointsEntryId),
    reason: &str,
    made_by: &str,
) -> Result<(), DbErr> {
    Sql::on(
        connection,
        "INSERT INTO points_adjustment (employer_id, entry_id, reason, made_by) VALUES (",
    )
    .bind(employer)
    .push(", ")
    .bind(entry)
    .push(", ")
    .bind(reason)
    .push(", ")
    .bind(made_by)
    .push(")")
    .execute(connection)
    .await
    .map(|_| ())
}

/// Takes the reasons from a member's corrections: they are free text, and may tell who it was.
pub(crate) async fn forget_member(
    connection: &impl ConnectionTrait,
    employer: EmployerId,
    member: MemberId,
) -> Result<(), DbErr> {
    Sql::on(
        connection,
        "UPDATE points_adjustment SET reason = NULL WHERE reason IS NOT NULL AND employer_id = ",
    )
    .bind(employer)
    .push(" AND entry_id IN (SELECT id FROM points_entry WHERE employer_id = ")
    .bind(employer)
    .push(" AND member_id = ")
    .bind(member)
    .push(")")
    .execute(connection)
    .await
    .map(|_| ())
}
