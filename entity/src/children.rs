//! What belongs to many owners, read at once.

use sea_orm::{ConnectionTrait, DbErr, FromQueryResult};

use crate::db::sql::{Rows, Sql};
use crate::id::{EmployerId, TypedId};

/// The ids of tenants' things, to be joined as `wanted`.
pub(crate) fn wanted<I: TypedId>(owners: &[(EmployerId, I)]) -> Rows {
    Rows::new()
        .id("employer_id", owners.iter().map(|(employer, _)| *employer))
        .id("owner_id", owners.iter().map(|(_, id)| *id))
}

/// The rows of a tenant's table in which this column names one of these, in this order; one statement however many. A cross join, so that
/// SQLite looks each of them up, whatever its statistics say.
pub(crate) async fn list<M: FromQueryResult, I: TypedId>(
    connection: &impl ConnectionTrait,
    (table, column, order): (&'static str, &'static str, &'static str),
    owners: &[(EmployerId, I)],
) -> Result<Vec<M>, DbErr> {
    Sql::on(connection, "SELECT found.* FROM ")
        .rows(wanted(owners))
        .push(" AS wanted CROSS JOIN ")
        .push(table)
        .push(" AS found WHERE found.employer_id = wanted.employer_id AND found.")
        .push(column)
        .push(" = wanted.owner_id ORDER BY ")
        .push(order)
        .all(connection)
        .await
}

/// The rows of a tenants' table of these employers, in this order; one statement however many.
pub(crate) async fn list_of_employers<M: FromQueryResult>(
    connection: &impl ConnectionTrait,
    (table, order): (&'static str, &'static str),
    employers: &[EmployerId],
) -> Result<Vec<M>, DbErr> {
    Sql::on(connection, "SELECT found.* FROM ")
        .rows(Rows::new().id("employer_id", employers.iter().copied()))
        .push(" AS wanted CROSS JOIN ")
        .push(table)
        .push(" AS found WHERE found.employer_id = wanted.employer_id ORDER BY ")
        .push(order)
        .all(connection)
        .await
}
