//! Whether an employer has a reward of a key.

use sea_orm::{ConnectionTrait, DbErr, FromQueryResult};

use crate::db::sql::Sql;
use crate::id::EmployerId;

#[derive(FromQueryResult)]
struct Found {
    count: i64,
}

/// Whether the employer has a reward of this key.
pub async fn exists(
    connection: &impl ConnectionTrait,
    employer: EmployerId,
    key: &str,
) -> Result<bool, DbErr> {
    // PostgreSQL cannot even be asked for a text with a zero character, and no row has one.
    if key.contains('\0') {
        return Ok(false);
    }
    let found: Option<Found> = Sql::on(
        connection,
        "SELECT count(*) AS count FROM reward WHERE employer_id = ",
    )
    .bind(employer)
    .push(" AND key = ")
    .bind(key)
    .one(connection)
    .await?;
    Ok(found.is_some_and(|found| found.count > 0))
}
