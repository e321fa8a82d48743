//! Deliveries as their partner sees them.

use sea_orm::{ConnectionTrait, DbErr, FromQueryResult};

use super::{DeliveryStatus, EndpointKey, PENDING};
use crate::clock::Timestamp;
use crate::db::sql::{Rows, Sql};
use crate::id::{PartnerId, WebhookEndpointId};

/// A delivery as its partner sees it.
#[derive(Debug, Clone, FromQueryResult)]
pub struct Delivery {
    /// The place of its entry in the feed.
    pub position: i64,
    /// Tries in all.
    pub attempts: i64,
    /// Tries since it was last made due by hand.
    pub tries: i64,
    /// When it is to be tried.
    pub due_at: Timestamp,
    /// When it was delivered.
    pub delivered_at: Option<Timestamp>,
}

impl Delivery {
    /// Where it stands.
    pub fn status(&self) -> DeliveryStatus {
        match (self.delivered_at, self.tries) {
            (Some(_), _) => DeliveryStatus::Delivered,
            (None, 0) => DeliveryStatus::Pending,
            (None, _) => DeliveryStatus::Failed,
        }
    }
}

/// The deliveries of an endpoint before a position, newest entry first, at most `limit`.
pub async fn list(
    connection: &impl ConnectionTrait,
    (partner, endpoint): EndpointKey,
    status: Option<DeliveryStatus>,
    before: i64,
    limit: u64,
) -> Result<Vec<Delivery>, DbErr> {
    let wanted = match status {
        None => ["", ""],
        Some(DeliveryStatus::Pending) => [PENDING, " AND delivery.tries = 0"],
        Some(DeliveryStatus::Failed) => [PENDING, " AND delivery.tries > 0"],
        Some(DeliveryStatus::Delivered) => [" AND delivery.delivered_at IS NOT NULL", ""],
    };
    Sql::on(
        connection,
        "SELECT position, attempts, tries, due_at, delivered_at FROM delivery WHERE delivery.partner_id = ",
    )
    .bind(partner)
    .push(" AND delivery.endpoint_id = ")
    .bind(endpoint)
    .push(" AND delivery.position < ")
    .bind(before)
    .push(&wanted.concat())
    .push(" ORDER BY delivery.position DESC LIMIT ")
    .bind(i64::try_from(limit).unwrap_or(i64::MAX))
    .all(connection)
    .await
}

/// What came of a try.
#[derive(Debug, Clone, FromQueryResult)]
pub struct Attempt {
    /// The place of the entry.
    pub position: i64,
    /// Counts 1, 2, 3 within the delivery.
    pub number: i64,
    /// When the call began.
    pub attempted_at: Timestamp,
    /// How long it took.
    pub milliseconds: i64,
    /// The status of the answer.
    pub status: Option<i32>,
    /// What else went wrong, as a short code.
    pub error: Option<String>,
    /// The beginning of the answer.
    pub answer: Option<String>,
}

/// The last tries of these deliveries of an endpoint, at most `limit` of each, in order; one statement however many.
pub async fn list_attempts(
    connection: &impl ConnectionTrait,
    (partner, endpoint): EndpointKey,
    positions: &[i64],
    limit: i64,
) -> Result<Vec<Attempt>, DbErr> {
    Sql::on(
        connection,
        "SELECT attempt.position, attempt.number, attempt.attempted_at, attempt.milliseconds, attempt.status, attempt.error,
         attempt.answer FROM ",
    )
    .rows(Rows::new().int("position", positions.iter().copied()))
    .push(
        " AS wanted CROSS JOIN delivery_attempt AS attempt JOIN delivery ON delivery.partner_id = attempt.partner_id
         AND delivery.position = attempt.position AND delivery.endpoint_id = attempt.endpoint_id
         WHERE attempt.position = wanted.position AND attempt.partner_id = ",
    )
    .bind(partner)
    .push(" AND attempt.endpoint_id = ")
    .bind(endpoint)
    .push(" AND attempt.number > delivery.attempts - ")
    .bind(limit)
    .push(" ORDER BY attempt.position, attempt.number")
    .all(connection)
    .await
}

#[derive(FromQueryResult)]
struct Pending {
    partner_id: PartnerId,
    endpoint_id: WebhookEndpointId,
    count: i64,
}

/// How many deliveries each of these endpoints has not taken yet; one statement however many. An endpoint that is not named here has
/// taken all of them.
pub async fn count_pending(
    connection: &impl ConnectionTrait,
    endpoints: &[EndpointKey],
) -> Result<Vec<(EndpointKey, i64)>, DbErr> {
    let wanted = Rows::new()
        .id("owner_id", endpoints.iter().map(|(partner, _)| *partner))
        .id("id", endpoints.iter().map(|(_, endpoint)| *endpoint));
    let counts: Vec<Pending> = Sql::on(
        connection,
        "SELECT delivery.partner_id, delivery.endpoint_id, count(*) AS count FROM ",
    )
    .rows(wanted)
    // A cross join, so that SQLite looks each of them up, whatever its statistics say.
    .push(
        " AS wanted CROSS JOIN delivery WHERE delivery.partner_id = wanted.owner_id AND delivery.endpoint_id = wanted.id",
    )
    .push(PENDING)
    .push(" GROUP BY delivery.partner_id, delivery.endpoint_id")
    .all(connection)
    .await?;
    let counted = |row: Pending| ((row.partner_id, row.endpoint_id), row.count);
    Ok(counts.into_iter().map(counted).collect())
}
