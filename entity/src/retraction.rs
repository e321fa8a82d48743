//! Retractions: events that their sender has taken back. One that never came leaves a tombstone, so that it counts for nothing should
//! it come after all.

use sea_orm::{ConnectionTrait, DbErr, FromQueryResult};

use crate::clock::Timestamp;
use crate::db::Kind;
use crate::db::expiry::Expiring;
use crate::db::sql::{Rows, Sql};
use crate::id::{EmployerId, MemberId};
use crate::receipt::Identity;
use crate::text_enum;

text_enum! {
    /// What has become of a retraction.
    State {
        /// Still to be carried out.
        Pending = "PENDING",
        /// The event has not come: should it come, it counts for nothing.
        Waiting = "WAITING",
        /// What the event counted for is taken back.
        Applied = "APPLIED",
    }
}

/// A retraction.
#[derive(Debug, Clone, PartialEq, Eq, FromQueryResult)]
pub struct Retraction {
    /// The employer.
    pub employer_id: EmployerId,
    /// Where the event came from, as the sender calls it.
    pub source: String,
    /// The sender's own id of the event.
    pub event_id: String,
    /// Why, in the sender's words.
    pub reason: Option<String>,
    /// When it was taken in.
    pub received_at: Timestamp,
    /// What has become of it.
    pub state: State,
    /// How often carrying it out has failed.
    pub attempts: i32,
    /// Not to be tried before.
    pub due_at: Timestamp,
    /// Kept until then.
    pub expires_at: Timestamp,
}

impl Retraction {
    /// The event that is taken back.
    pub fn identity(&self) -> Identity {
        Identity {
            employer_id: self.employer_id,
            source: self.source.clone(),
            event_id: self.event_id.clone(),
        }
    }
}

const COLUMNS: &str =
    "employer_id, source, event_id, reason, received_at, state, attempts, due_at, expires_at";

/// Writes retractions and returns the identities that were new. The order of the keys is the order of the locks, so two transactions
/// that write the same retractions cannot wait for each other.
pub async fn put_new(
    connection: &impl ConnectionTrait,
    mut retractions: Vec<Retraction>,
) -> Result<Vec<Identity>, DbErr> {
    retractions.sort_by_cached_key(Retraction::identity);
    let rows = Rows::new()
        .id("employer_id", retractions.iter().map(|row| row.employer_id))
        .text("source", retractions.iter().map(|row| row.source.as_str()))
        .text("event_id", retractions.iter().map(|row| row.event_id.as_str()))
        .text_or_null("reason", retractions.iter().map(|row| row.reason.clone()))
        .int("received_at", retractions.iter().map(|row| row.received_at.0))
        .text("state", retractions.iter().map(|row| row.state.as_str()))
        .int("attempts", retractions.iter().map(|row| i64::from(row.attempts)))
        .int("due_at", retractions.iter().map(|row| row.due_at.0))
        .int("expires_at", retractions.iter().map(|row| row.expires_at.0));
    Sql::on(connection, "INSERT INTO retraction (")
        .push(COLUMNS)
        .push(") SELECT ")
        .push(COLUMNS)
        .push(" FROM ")
        .rows(rows)
        .push(" AS fresh WHERE true ON CONFLICT DO NOTHING RETURNING employer_id, source, event_id")
        .all(connection)
        .await
}

/// Up to `limit` retractions that are due, the longest due first, locked for the rest of the transaction, passing over those that
/// another worker holds. They stay: the same transaction settles or postpones them.
pub async fn claim(
    connection: &impl ConnectionTrait,
    now: Timestamp,
    limit: u32,
) -> Result<Vec<Retraction>, DbErr> {
    let sql = Sql::on(connection, "SELECT ")
        .push(COLUMNS)
        .push(" FROM retraction WHERE state = 'PENDING' AND due_at <= ")
        .bind(now)
        .push(" ORDER BY due_at, employer_id, source, event_id LIMIT ")
        .bind(i64::from(limit));
    let sql = match Kind::of(connection) {
        Kind::Sqlite => sql,
        Kind::Postgres => sql.push(" FOR UPDATE SKIP LOCKED"),
    };
    sql.all(connection).await
}

/// Says what has become of retractions; one statement however many.
pub async fn settle(
    connection: &impl ConnectionTrait,
    identities: &[Identity],
    state: State,
) -> Result<(), DbErr> {
    Sql::on(connection, "UPDATE retraction SET state = ")
        .bind(state.as_str())
        .push(" FROM ")
        .rows(Identity::rows(identities))
        .push(
            " AS wanted WHERE retraction.employer_id = wanted.employer_id AND retraction.source = wanted.source
             AND retraction.event_id = wanted.event_id",
        )
        .execute(connection)
        .await
        .map(|_| ())
}

/// Puts retractions off, each with how often it was tried and until when; one statement however many.
pub async fn postpone(
    connection: &impl ConnectionTrait,
    retractions: &[(Identity, i32, Timestamp)],
) -> Result<(), DbErr> {
    let identities: Vec<Identity> = retractions
        .iter()
        .map(|(identity, _, _)| identity.clone())
        .collect();
    let rows = Identity::rows(&identities)
        .int(
            "attempts",
            retractions.iter().map(|(_, attempts, _)| i64::from(*attempts)),
        )
        .int("due_at", retractions.iter().map(|(_, _, due_at)| due_at.0));
    Sql::on(
        connection,
        "UPDATE retraction SET attempts = later.attempts, due_at = later.due_at FROM ",
    )
    .rows(rows)
    .push(
        " AS later WHERE retraction.employer_id = later.employer_id AND retraction.source = later.source
         AND retraction.event_id = later.event_id",
    )
    .execute(connection)
    .await
    .map(|_| ())
}

/// The retractions of these events, in no order; one statement however many.
pub async fn list(
    connection: &impl ConnectionTrait,
    identities: &[Identity],
) -> Result<Vec<Retraction>, DbErr> {
    Sql::on(connection, "SELECT retraction.* FROM ")
        .rows(Identity::rows(identities))
        .push(
            " AS wanted JOIN retraction ON retraction.employer_id = wanted.employer_id AND retraction.source = wanted.source
             AND retraction.event_id = wanted.event_id",
        )
        .all(connection)
        .await
}

/// When the next retraction is due; none: nothing is pending.
pub async fn next_due(connection: &impl ConnectionTrait) -> Result<Option<Timestamp>, DbErr> {
    #[derive(FromQueryResult)]
    struct Due {
        due_at: Timestamp,
    }
    let row = Sql::on(
        connection,
        "SELECT due_at FROM retraction WHERE state = 'PENDING' ORDER BY due_at LIMIT 1",
    )
    .one::<Due>(connection)
    .await?;
    Ok(row.map(|row| row.due_at))
}

/// How many retractions are still to be carried out; counts no further than `limit`.
pub async fn count_pending(connection: &impl ConnectionTrait, limit: u32) -> Result<i64, DbErr> {
    #[derive(FromQueryResult)]
    struct Count {
        count: i64,
    }
    let row: Option<Count> = Sql::on(
        connection,
        "SELECT count(*) AS count FROM (SELECT 1 FROM retraction WHERE state = 'PENDING' LIMIT ",
    )
    .bind(i64::from(limit))
    .push(") AS pending")
    .one(connection)
    .await?;
    Ok(row.map_or(0, |row| row.count))
}

/// Forgets the retractions of the member's events, as far as receipts or contributions still say whose they are: while those are there.
pub async fn forget_member(
    connection: &impl ConnectionTrait,
    employer: EmployerId,
    member: MemberId,
) -> Result<u64, DbErr> {
    let of_member = |sql: Sql, table: &str| {
        sql.push("SELECT source, event_id FROM ")
            .push(table)
            .push(" WHERE employer_id = ")
            .bind(employer)
            .push(" AND member_id = ")
            .bind(member)
    };
    let sql = Sql::on(connection, "DELETE FROM retraction WHERE employer_id = ")
        .bind(employer)
        .push(" AND (source, event_id) IN (");
    let sql = of_member(sql, "receipt").push(" UNION ");
    of_member(sql, "contribution").push(")").execute(connection).await
}

/// Forgets at most `limit` retractions whose time is over by their employer's clock; one that is pending stays. Says how many.
pub async fn purge(connection: &impl ConnectionTrait, now: Timestamp, limit: u64) -> Result<u64, DbErr> {
    let retractions = Expiring {
        table: "retraction",
        key: "employer_id, source, event_id",
        only: " AND state <> 'PENDING'",
    };
    retractions.purge(connection, now, limit).await
}
