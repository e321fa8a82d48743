//! Events put straight into the queue, as the intake leaves them: receipts and events, by plain statements.

use chrono::{DateTime, Utc};
use chrono_tz::Europe::Berlin;
use entity::clock::Timestamp;
use entity::db::Db;
use entity::id::{EmployerId, EventTypeId, Ids, QueuedEventId};
use sea_orm::prelude::Uuid;
use sea_orm::sea_query::Value;

use crate::insert::{Insert, uuid};

/// Where all these events come from.
pub const SOURCE: &str = "bench";
/// Rows of one statement.
pub const ROWS: usize = 1_000;
/// How long their receipts are kept.
const KEPT_MICROS: i64 = 60 * 86_400_000_000;

/// Events of one type and one instant, one of each of these members.
#[derive(Debug, Clone, Copy)]
pub struct Lot<'a> {
    pub employer: EmployerId,
    pub event_type: EventTypeId,
    /// What their ids start with; then comes the member's number.
    pub prefix: &'a str,
    pub members: &'a [Uuid],
    /// The number of the first member.
    pub first: usize,
    pub occurred_at: DateTime<Utc>,
    /// When they are accepted, and due.
    pub now: Timestamp,
}

impl Lot<'_> {
    /// The ids of the events.
    pub fn names(&self) -> Vec<Value> {
        (self.first..self.first + self.members.len())
            .map(|number| format!("{}-{number}", self.prefix).into())
            .collect()
    }

    /// Writes them, a thousand a transaction.
    pub async fn put(&self, db: &Db, ids: &Ids) -> anyhow::Result<()> {
        for (first, members) in (self.first..).step_by(ROWS).zip(self.members.chunks(ROWS)) {
            let part = Lot {
                members,
                first,
                ..*self
            };
            part.put_at_once(db, ids).await?;
        }
        Ok(())
    }

    async fn put_at_once(&self, db: &Db, ids: &Ids) -> anyhow::Result<()> {
        let count = self.members.len();
        let occurred_at = Timestamp::from(self.occurred_at).0;
        let members = || self.members.iter().map(|id| Value::from(*id));
        let receipts = Insert::new("receipt", count)
            .all("employer_id", "uuid", uuid(self.employer))
            .all("source", "text", SOURCE)
            .each("event_id", "text", self.names())
            .each("body_digest", "bytea", (0..count).map(|_| vec![7_u8; 32].into()))
            .all("accepted_at", "bigint", self.now.0)
            .all("expires_at", "bigint", self.now.0 + KEPT_MICROS)
            .each("member_id", "uuid", members())
            .all("event_type_id", "uuid", uuid(self.event_type));
        let local_time = self.occurred_at.with_timezone(&Berlin).naive_local();
        let events = Insert::new("event", count)
            .all("employer_id", "uuid", uuid(self.employer))
            .each(
                "id",
                "uuid",
                (0..count).map(|_| uuid(ids.next::<QueuedEventId>())),
            )
            .each("member_id", "uuid", members())
            .all("event_type_id", "uuid", uuid(self.event_type))
            .all("source", "text", SOURCE)
            .each("event_id", "text", self.names())
            .all("occurred_at", "bigint", occurred_at)
            .all("received_at", "bigint", self.now.0)
            .all(
                "local_time",
                "text",
                local_time.format("%Y-%m-%dT%H:%M:%S%.6f").to_string(),
            )
            .all("time_zone", "text", Berlin.name())
            .all("zone_origin", "text", "MEMBER")
            .all("properties", "text", r#"{"minutes":12}"#)
            .all("attempts", "bigint", 0_i64)
            .all("due_at", "bigint", self.now.0);
        let txn = db.write_txn().await?;
        receipts.run(&*txn, "").await?;
        events.run(&*txn, "").await?;
        Ok(txn.commit().await?)
    }
}
