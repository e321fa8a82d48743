//! Making deliveries again.

use sea_orm::{ConnectionTrait, DbErr};

use super::{EndpointKey, PENDING, WANTS};
use crate::clock::Timestamp;
use crate::db::sql::{Rows, Sql};

/// Which deliveries are to be made again.
#[derive(Debug, Clone, Default)]
pub struct Range {
    /// From this position on.
    pub from: i64,
    /// Up to this position.
    pub to: i64,
    /// These only.
    pub positions: Option<Vec<i64>>,
}

/// Promises the entries of a range anew, whether they were delivered or not; says how many. What somebody is at is left to it.
pub async fn replay(
    connection: &impl ConnectionTrait,
    (partner, endpoint): EndpointKey,
    range: &Range,
    now: Timestamp,
) -> Result<u64, DbErr> {
    let statement = Sql::on(
        connection,
        "INSERT INTO delivery (partner_id, position, endpoint_id, due_at, attempts, tries)
         SELECT fresh.partner_id, fresh.position, endpoint.id, ",
    )
    .bind(now)
    .push(
        ", 0, 0 FROM feed_entry AS fresh JOIN webhook_endpoint AS endpoint ON endpoint.partner_id = fresh.partner_id
         WHERE fresh.partner_id = ",
    )
    .bind(partner)
    .push(" AND endpoint.id = ")
    .bind(endpoint)
    .push(" AND fresh.position >= ")
    .bind(range.from)
    .push(" AND fresh.position <= ")
    .bind(range.to)
    .push(" AND ")
    .push(WANTS);
    let statement = within(statement, " AND fresh.position IN ", range);
    statement
        .push(
            " ON CONFLICT (partner_id, position, endpoint_id) DO UPDATE SET due_at = excluded.due_at, tries = 0, tried_since = NULL,
             lease = NULL, delivered_at = NULL WHERE delivery.lease IS NULL OR delivery.due_at <= ",
        )
        .bind(now)
        .execute(connection)
        .await
}

/// Makes what has failed in a range due now, with all its tries before it; says how much.
pub async fn replay_failed(
    connection: &impl ConnectionTrait,
    (partner, endpoint): EndpointKey,
    range: &Range,
    now: Timestamp,
) -> Result<u64, DbErr> {
    let statement = Sql::on(
        connection,
        "UPDATE delivery SET tries = 0, tried_since = NULL, due_at = ",
    )
    .bind(now)
    .push(" WHERE partner_id = ")
    .bind(partner)
    .push(" AND endpoint_id = ")
    .bind(endpoint)
    .push(PENDING)
    .push(" AND tries > 0 AND lease IS NULL AND position >= ")
    .bind(range.from)
    .push(" AND position <= ")
    .bind(range.to);
    let statement = within(statement, " AND position IN ", range);
    statement.execute(connection).await
}

/// Narrows a statement to the positions of a range, if it has any.
fn within(statement: Sql, words: &str, range: &Range) -> Sql {
    match &range.positions {
        None => statement,
        Some(positions) => statement
            .push(words)
            .push("(SELECT wanted.position FROM ")
            .rows(Rows::new().int("position", positions.iter().copied()))
            .push(" AS wanted)"),
    }
}
