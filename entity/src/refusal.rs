//! Refused events, counted: nothing an employer sends is dropped without a trace.

use chrono::NaiveDate;
use sea_orm::{ConnectionTrait, DbErr, FromQueryResult};

use crate::db::sql::{Rows, Sql};
use crate::id::EmployerId;

/// How many events of one type were refused on one day for one reason.
#[derive(Debug, Clone, PartialEq, Eq, FromQueryResult)]
pub struct Refusal {
    /// The employer.
    pub employer_id: EmployerId,
    /// The day of the refusal, UTC.
    pub refused_on: NaiveDate,
    /// The `type` of the events, as sent, when the employer has such a type; else empty.
    pub event_type: String,
    /// Why.
    pub code: String,
    /// How many.
    pub count: i64,
}

/// Adds to the counts; the keys of one call must differ.
pub async fn add(connection: &impl ConnectionTrait, refusals: &[Refusal]) -> Result<(), DbErr> {
    let rows = Rows::new()
        .id("employer_id", refusals.iter().map(|refusal| refusal.employer_id))
        .date("refused_on", refusals.iter().map(|refusal| refusal.refused_on))
        .text(
            "event_type",
            refusals.iter().map(|refusal| refusal.event_type.as_str()),
        )
        .text("code", refusals.iter().map(|refusal| refusal.code.as_str()))
        .int("count", refusals.iter().map(|refusal| refusal.count));
    Sql::on(connection, "INSERT INTO refusal (employer_id, refused_on, event_type, code, count) SELECT employer_id, refused_on, event_type, code, count FROM ")
        .rows(rows)
        // One order for all, so that two transactions that count the same refusals cannot wait for each other.
        .push(" AS fresh WHERE true ORDER BY employer_id, refused_on, event_type, code
               ON CONFLICT (employer_id, refused_on, event_type, code) DO UPDATE SET count = refusal.count + excluded.count")
        .execute(connection)
        .await
        .map(|_| ())
}

/// The employer's counts since a day, newest day first.
pub async fn list(
    connection: &impl ConnectionTrait,
    employer: EmployerId,
    since: NaiveDate,
) -> Result<Vec<Refusal>, DbErr> {
    Sql::on(
        connection,
        "SELECT employer_id, refused_on, event_type, code, count FROM refusal WHERE employer_id = ",
    )
    .bind(employer)
    .push(" AND refused_on >= ")
    .bind(since)
    .push(" ORDER BY refused_on DESC, event_type, code")
    .all(connection)
    .await
}

/// Forgets the counts before a day.
pub async fn purge(connection: &impl ConnectionTrait, before: NaiveDate) -> Result<u64, DbErr> {
    Sql::on(connection, "DELETE FROM refusal WHERE refused_on < ")
        .bind(before)
        .execute(connection)
        .await
}
