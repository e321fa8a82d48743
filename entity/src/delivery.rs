//! Deliveries: each entry of a feed is promised once to each webhook endpoint of the partner that wants its kind.
//!
//! A delivery is due at an instant. Whoever takes it gives it a lease, a number of its own, and makes it due again for when the lease
//! ends: if the taker dies, that is when somebody else takes it up. What came of it is written only by the holder of the lease. All of
//! that happens under the lock of the endpoint ([`crate::webhook_endpoint::lock`]).

pub mod read;
pub mod replay;

use sea_orm::{ConnectionTrait, DbErr, FromQueryResult};

use crate::clock::Timestamp;
use crate::db::sql::{Rows, Sql};
use crate::feed::FeedEntryKind;
use crate::id::{EmployerId, MemberId, PartnerId, WebhookEndpointId};
use crate::text_enum;

text_enum! {
    /// Where a delivery stands.
    DeliveryStatus {
        /// It has not been tried, or is to be tried anew.
        Pending = "PENDING",
        /// It was tried in vain, and will be tried again.
        Failed = "FAILED",
        /// The endpoint has taken it.
        Delivered = "DELIVERED",
    }
}

/// The endpoint of a delivery: whose, and which.
pub type EndpointKey = (PartnerId, WebhookEndpointId);

/// A delivery's own key: whose feed, the position of the entry, and the endpoint.
pub type Key = (PartnerId, i64, WebhookEndpointId);

/// An entry that is promised to whoever wants it.
#[derive(Debug, Clone, Copy)]
pub struct Promised {
    /// Whose feed.
    pub partner_id: PartnerId,
    /// The place of the entry.
    pub position: i64,
    /// What it tells.
    pub kind: FeedEntryKind,
    /// From when on it is to be delivered.
    pub due_at: Timestamp,
}

/// What is still to be delivered. That every instant is after 1970 leads SQLite to the index of what is due.
pub(crate) const PENDING: &str = " AND delivery.delivered_at IS NULL AND delivery.due_at >= 0";

/// Which kinds an endpoint is told of; the underscores are wildcards, and no two kinds differ in nothing else.
const WANTS: &str = "(endpoint.kinds IS NULL OR endpoint.kinds LIKE '% ' || fresh.kind || ' %')";

/// Promises entries to their partners' endpoints; one statement however many there are of either.
pub async fn promise(connection: &impl ConnectionTrait, entries: &[Promised]) -> Result<(), DbErr> {
    let rows = Rows::new()
        .id("partner_id", entries.iter().map(|entry| entry.partner_id))
        .int("position", entries.iter().map(|entry| entry.position))
        .text("kind", entries.iter().map(|entry| entry.kind.as_str()))
        .int("due_at", entries.iter().map(|entry| entry.due_at.0));
    Sql::on(
        connection,
        "INSERT INTO delivery (partner_id, position, endpoint_id, due_at, attempts, tries)
         SELECT fresh.partner_id, fresh.position, endpoint.id, fresh.due_at, 0, 0 FROM ",
    )
    .rows(rows)
    .push(" AS fresh JOIN webhook_endpoint AS endpoint ON endpoint.partner_id = fresh.partner_id WHERE endpoint.deleted_at IS NULL AND ")
    .push(WANTS)
    .execute(connection)
    .await
    .map(|_| ())
}

/// A delivery that was taken.
#[derive(Debug, Clone, PartialEq, Eq, FromQueryResult)]
pub struct Taken {
    /// Whose feed.
    pub partner_id: PartnerId,
    /// The place of the entry.
    pub position: i64,
    /// Where it goes.
    pub endpoint_id: WebhookEndpointId,
    /// Tries in all, so far.
    pub attempts: i64,
    /// Tries since it was last made due by hand, so far.
    pub tries: i64,
    /// Since when it is being tried.
    pub tried_since: Option<Timestamp>,
}

impl Taken {
    /// Its key.
    pub fn key(&self) -> Key {
        (self.partner_id, self.position, self.endpoint_id)
    }
}

/// What is due at these endpoints, the longest due first, at most `limit` of each; it is not taken yet. One statement.
pub async fn list_due(
    connection: &impl ConnectionTrait,
    endpoints: &[EndpointKey],
    now: Timestamp,
    limit: u32,
) -> Result<Vec<Taken>, DbErr> {
    let limit = limit.to_string();
    let columns = "due.partner_id, due.position, due.endpoint_id, due.attempts, due.tries, due.tried_since";
    let statement = Sql::on(connection, "SELECT ")
        .push(columns)
        .push(" FROM ")
        .rows(endpoint_rows(endpoints));
    // Either looks up each endpoint's few in the index of what is due, however much there is.
    statement
        .either(
            " AS wanted CROSS JOIN delivery AS due WHERE due.partner_id = wanted.partner_id AND due.endpoint_id = wanted.endpoint_id
              AND due.position IN (SELECT position FROM delivery WHERE delivery.partner_id = wanted.partner_id
                AND delivery.endpoint_id = wanted.endpoint_id AND delivery.delivered_at IS NULL AND delivery.due_at <= ",
            " AS wanted CROSS JOIN LATERAL (SELECT * FROM delivery WHERE delivery.partner_id = wanted.partner_id
                AND delivery.endpoint_id = wanted.endpoint_id AND delivery.delivered_at IS NULL AND delivery.due_at <= ",
        )
        .bind(now)
        .push(" ORDER BY delivery.due_at, delivery.position LIMIT ")
        .push(&limit)
        .either(")", ") AS due")
        .push(" ORDER BY due.due_at, due.position")
        .all(connection)
        .await
}

#[derive(FromQueryResult)]
struct Count {
    partner_id: PartnerId,
    endpoint_id: WebhookEndpointId,
    count: i64,
}

/// How many deliveries of these endpoints somebody is at, those without any left out.
pub async fn count_under_way(
    connection: &impl ConnectionTrait,
    endpoints: &[EndpointKey],
    now: Timestamp,
) -> Result<Vec<(EndpointKey, i64)>, DbErr> {
    let counts: Vec<Count> = Sql::on(
        connection,
        "SELECT * FROM (SELECT wanted.partner_id, wanted.endpoint_id, (SELECT count(*) FROM delivery
         WHERE delivery.partner_id = wanted.partner_id AND delivery.endpoint_id = wanted.endpoint_id
         AND delivery.lease IS NOT NULL AND delivery.due_at > ",
    )
    .bind(now)
    .push(") AS count FROM ")
    .rows(endpoint_rows(endpoints))
    .push(" AS wanted) AS counted WHERE count > 0")
    .all(connection)
    .await?;
    Ok(counts
        .into_iter()
        .map(|row| ((row.partner_id, row.endpoint_id), row.count))
        .collect())
}

/// Takes these deliveries under a lease that ends then.
pub async fn take(
    connection: &impl ConnectionTrait,
    keys: &[Key],
    lease: i64,
    until: Timestamp,
) -> Result<(), DbErr> {
    Sql::on(connection, "UPDATE delivery SET lease = ")
        .bind(lease)
        .push(", due_at = ")
        .bind(until)
        .push(" FROM ")
        .rows(key_rows(keys))
        .push(" AS wanted WHERE ")
        .push(OF_WANTED)
        .execute(connection)
        .await
        .map(|_| ())
}

/// What came of a delivery that was taken.
#[derive(Debug, Clone)]
pub struct Finished {
    /// What was taken.
    pub taken: Taken,
    /// Under which lease.
    pub lease: i64,
    /// When the call began.
    pub at: Timestamp,
    /// How long it took.
    pub milliseconds: i64,
    /// The status of the answer.
    pub status: Option<u16>,
    /// What else went wrong, as a short code.
    pub error: Option<&'static str>,
    /// The beginning of the answer.
    pub answer: Option<String>,
    /// When it was delivered; none: it was not.
    pub delivered_at: Option<Timestamp>,
    /// When it is to be tried again, if it was not delivered.
    pub due_at: Timestamp,
    /// Until when the endpoint asks to be left alone.
    pub closed_until: Option<Timestamp>,
    /// What is random of the next wait, from 0 to 1.
    pub jitter: f64,
}

#[derive(FromQueryResult)]
struct Ended {
    partner_id: PartnerId,
    position: i64,
    endpoint_id: WebhookEndpointId,
}

/// Ends the leases of these deliveries and writes what came of each, if its lease still held; says which did.
pub async fn finish(connection: &impl ConnectionTrait, finished: &[Finished]) -> Result<Vec<Key>, DbErr> {
    let keys: Vec<Key> = finished.iter().map(|one| one.taken.key()).collect();
    let rows = key_rows(&keys)
        .int("lease", finished.iter().map(|one| one.lease))
        .int("due_at", finished.iter().map(|one| one.due_at.0))
        .int("tried_at", finished.iter().map(|one| one.at.0))
        .int_or_null(
            "delivered_at",
            finished.iter().map(|one| one.delivered_at.map(|at| at.0)),
        );
    let ended: Vec<Ended> = Sql::on(
        connection,
        "UPDATE delivery SET lease = NULL, due_at = wanted.due_at, attempts = attempts + 1, tries = tries + 1,
         tried_since = COALESCE(tried_since, wanted.tried_at), delivered_at = wanted.delivered_at FROM ",
    )
    .rows(rows)
    .push(" AS wanted WHERE ")
    .push(OF_WANTED)
    .push(" AND delivery.lease = wanted.lease RETURNING delivery.partner_id, delivery.position, delivery.endpoint_id")
    .all(connection)
    .await?;
    let ended: Vec<Key> = ended
        .into_iter()
        .map(|row| (row.partner_id, row.position, row.endpoint_id))
        .collect();
    let held = finished
        .iter()
        .filter(|one| ended.contains(&one.taken.key()))
        .collect();
    put_attempts(connection, held).await?;
    Ok(ended)
}

async fn put_attempts(connection: &impl ConnectionTrait, finished: Vec<&Finished>) -> Result<(), DbErr> {
    if finished.is_empty() {
        return Ok(());
    }
    let keys: Vec<Key> = finished.iter().map(|one| one.taken.key()).collect();
    let rows = key_rows(&keys)
        .int("number", finished.iter().map(|one| one.taken.attempts + 1))
        .int("attempted_at", finished.iter().map(|one| one.at.0))
        .int("milliseconds", finished.iter().map(|one| one.milliseconds))
        .int_or_null("status", finished.iter().map(|one| one.status.map(i64::from)))
        .text_or_null("error", finished.iter().map(|one| one.error.map(str::to_owned)))
        .text_or_null("answer", finished.iter().map(|one| one.answer.clone()));
    Sql::on(
        connection,
        "INSERT INTO delivery_attempt (partner_id, position, endpoint_id, number, attempted_at, milliseconds, status, error, answer)
         SELECT partner_id, position, endpoint_id, number, attempted_at, milliseconds, status, error, answer FROM ",
    )
    .rows(rows)
    .push(" AS fresh")
    .execute(connection)
    .await
    .map(|_| ())
}

/// Makes everything that an endpoint has not taken yet due now, with all its tries before it.
pub async fn make_due(
    connection: &impl ConnectionTrait,
    (partner, endpoint): EndpointKey,
    now: Timestamp,
) -> Result<u64, DbErr> {
    Sql::on(
        connection,
        "UPDATE delivery SET tries = 0, tried_since = NULL, due_at = ",
    )
    .bind(now)
    .push(" WHERE partner_id = ")
    .bind(partner)
    .push(" AND endpoint_id = ")
    .bind(endpoint)
    .push(PENDING)
    .push(" AND (lease IS NULL OR due_at <= ")
    .bind(now)
    .push(")")
    .execute(connection)
    .await
}

/// Lets what has failed at an endpoint be tried now, as it takes calls again. The tries so far count.
pub async fn hasten(
    connection: &impl ConnectionTrait,
    endpoints: &[EndpointKey],
    now: Timestamp,
) -> Result<(), DbErr> {
    Sql::on(connection, "UPDATE delivery SET due_at = ")
        .bind(now)
        .push(" FROM ")
        .rows(endpoint_rows(endpoints))
        .push(
            " AS wanted WHERE delivery.partner_id = wanted.partner_id AND delivery.endpoint_id = wanted.endpoint_id
             AND delivery.delivered_at IS NULL AND delivery.lease IS NULL AND delivery.due_at > ",
        )
        .bind(now)
        .execute(connection)
        .await
        .map(|_| ())
}

/// Deletes up to `limit` deliveries that were made before an instant, or whose endpoint was deleted, with their attempts.
pub async fn purge(connection: &impl ConnectionTrait, before: Timestamp, limit: u64) -> Result<u64, DbErr> {
    let limit = limit.to_string();
    let key = "(partner_id, position, endpoint_id)";
    let delivered = Sql::on(connection, "DELETE FROM delivery WHERE ")
        .push(key)
        .push(" IN (SELECT partner_id, position, endpoint_id FROM delivery WHERE delivered_at < ")
        .bind(before)
        .push(" LIMIT ")
        .push(&limit)
        .push(")")
        .execute(connection)
        .await?;
    let orphaned = Sql::on(connection, "DELETE FROM delivery WHERE ")
        .push(key)
        .push(
            " IN (SELECT delivery.partner_id, delivery.position, delivery.endpoint_id FROM webhook_endpoint
             JOIN delivery ON delivery.partner_id = webhook_endpoint.partner_id AND delivery.endpoint_id = webhook_endpoint.id
             WHERE webhook_endpoint.deleted_at IS NOT NULL LIMIT ",
        )
        .push(&limit)
        .push(")")
        .execute(connection)
        .await?;
    Ok(delivered + orphaned)
}

/// Takes out what endpoints have answered to entries about a member.
pub(crate) async fn forget_member(
    connection: &impl ConnectionTrait,
    employer: EmployerId,
    member: MemberId,
) -> Result<u64, DbErr> {
    let mut forgotten = 0;
    for (column, table) in [("achievement_id", "achievement"), ("redemption_id", "redemption")] {
        forgotten += Sql::on(
            connection,
            "UPDATE delivery_attempt SET answer = NULL WHERE answer IS NOT NULL AND (partner_id, position) IN
             (SELECT feed_entry.partner_id, feed_entry.position FROM ",
        )
        .push(table)
        .push(" AS about JOIN feed_entry ON feed_entry.employer_id = about.employer_id AND feed_entry.")
        .push(column)
        .push(" = about.id WHERE about.employer_id = ")
        .bind(employer)
        .push(" AND about.member_id = ")
        .bind(member)
        .push(")")
        .execute(connection)
        .await?;
    }
    Ok(forgotten)
}

/// That a delivery is the wanted one.
const OF_WANTED: &str = "delivery.partner_id = wanted.partner_id AND delivery.position = wanted.position
     AND delivery.endpoint_id = wanted.endpoint_id";

fn endpoint_rows(endpoints: &[EndpointKey]) -> Rows {
    Rows::new()
        .id("partner_id", endpoints.iter().map(|(partner, _)| *partner))
        .id("endpoint_id", endpoints.iter().map(|(_, endpoint)| *endpoint))
}

fn key_rows(keys: &[Key]) -> Rows {
    Rows::new()
        .id("partner_id", keys.iter().map(|(partner, ..)| *partner))
        .int("position", keys.iter().map(|(_, position, _)| *position))
        .id("endpoint_id", keys.iter().map(|(.., endpoint)| *endpoint))
}
