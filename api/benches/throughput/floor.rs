//! The floor: the rows that Plaudit writes, by plain statements of 1,000 rows, and nothing else.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use entity::clock::{Clock, Timestamp};
use entity::db::{Db, Kind};
use entity::id::{AchievementId, FeedEntryId, Ids, QueuedEventId, TypedId};
use sea_orm::prelude::Uuid;
use sea_orm::sea_query::{ArrayType, Value};
use sea_orm::{ConnectionTrait, DbBackend, Statement};
use tokio::task::JoinSet;

use crate::load::{name, per_second};
use crate::stand::{Stand, Tenant};

/// Rows of one statement.
const ROWS: usize = 1_000;
/// Of about the length of a real one.
const STATE: &str = r#"{"s":{"l":"2026-01-01"},"a":{"":1}}"#;

/// Who writes, and for whom.
#[derive(Clone)]
pub struct Floor {
    db: Db,
    tenant: Tenant,
    members: Arc<Vec<Uuid>>,
    ids: Ids,
}

impl Floor {
    /// A floor on this database, for the members of an employer of its own.
    pub async fn new(stand: &Stand, tenant: Tenant, clock: &Clock) -> anyhow::Result<Self> {
        let (kind, employer) = (stand.db.kind(), uuid(tenant.employer));
        let list = Statement::from_sql_and_values(
            backend(kind),
            "SELECT id FROM member WHERE employer_id = $1",
            [employer],
        );
        let members = stand.db.read().query_all_raw(list).await?;
        let members: Result<Vec<Uuid>, _> = members.iter().map(|row| row.try_get_by_index(0)).collect();
        Ok(Self {
            db: stand.db.clone(),
            tenant,
            members: Arc::new(members?),
            ids: Ids::system(clock.clone()),
        })
    }

    /// As many writers as Plaudit has: SQLite takes one.
    fn writers(&self) -> usize {
        if self.db.kind() == Kind::Postgres { 2 } else { 1 }
    }

    /// Writes receipts and events of these members; returns events per second.
    pub async fn accept(&self, members: std::ops::Range<usize>, now: Timestamp) -> anyhow::Result<f64> {
        self.accept_by(members, now, ROWS, self.writers()).await
    }

    /// The same, so many rows a transaction and with so many connections.
    pub async fn accept_by(
        &self,
        members: std::ops::Range<usize>,
        now: Timestamp,
        rows: usize,
        connections: usize,
    ) -> anyhow::Result<f64> {
        let count = members.len();
        let next = Arc::new(AtomicUsize::new(members.start));
        let mut writers = JoinSet::new();
        let start = Instant::now();
        for _ in 0..connections {
            let (floor, next, end) = (self.clone(), Arc::clone(&next), members.end);
            writers.spawn(async move {
                loop {
                    let first = next.fetch_add(rows, Ordering::Relaxed);
                    if first >= end {
                        return anyhow::Ok(());
                    }
                    floor.accept_once(first..end.min(first + rows), now).await?;
                }
            });
        }
        while let Some(writer) = writers.join_next().await {
            writer??;
        }
        Ok(per_second(count, start.elapsed()))
    }

    async fn accept_once(&self, members: std::ops::Range<usize>, now: Timestamp) -> anyhow::Result<()> {
        let count = members.len();
        let names: Vec<Value> = members
            .clone()
            .map(|member| format!("e-{member}").into())
            .collect();
        let receipts = Insert::new("receipt", count)
            .all("employer_id", "uuid", uuid(self.tenant.employer))
            .all("source", "text", "floor")
            .each("event_id", "text", names.clone())
            .each("body_digest", "bytea", (0..count).map(|_| vec![7_u8; 32].into()))
            .all("accepted_at", "bigint", now.0)
            .all("expires_at", "bigint", now.0);
        let ids = self.members.iter().skip(members.start).take(count);
        let events = Insert::new("event", count)
            .all("employer_id", "uuid", uuid(self.tenant.employer))
            .each(
                "id",
                "uuid",
                (0..count).map(|_| uuid(self.ids.next::<QueuedEventId>())),
            )
            .each("member_id", "uuid", ids.map(|id| (*id).into()))
            .all("event_type_id", "uuid", uuid(self.tenant.event_type))
            .all("source", "text", "floor")
            .each("event_id", "text", names)
            .all("occurred_at", "bigint", now.0)
            .all("received_at", "bigint", now.0)
            .all("local_time", "text", "2026-01-01T12:00:00.123456")
            .all("time_zone", "text", "Europe/Berlin")
            .all("zone_origin", "text", "MEMBER")
            .all("properties", "text", r#"{"minutes":12}"#)
            .all("attempts", "bigint", 0_i64)
            .all("due_at", "bigint", now.0);
        let txn = self.db.write_txn().await?;
        receipts.run(&*txn, "").await?;
        events.run(&*txn, "").await?;
        Ok(txn.commit().await?)
    }

    /// Takes all events out of the queue and writes what follows from them; returns events per second.
    pub async fn evaluate(&self, now: Timestamp) -> anyhow::Result<f64> {
        let mut writers = JoinSet::new();
        let start = Instant::now();
        for _ in 0..self.writers() {
            let floor = self.clone();
            writers.spawn(async move {
                let mut done = 0;
                loop {
                    match floor.evaluate_once(now).await? {
                        0 => return anyhow::Ok(done),
                        taken => done += taken,
                    }
                }
            });
        }
        let mut done = 0;
        while let Some(writer) = writers.join_next().await {
            done += writer??;
        }
        Ok(per_second(done, start.elapsed()))
    }

    async fn evaluate_once(&self, now: Timestamp) -> anyhow::Result<usize> {
        let kind = self.db.kind();
        let claim = match kind {
            Kind::Sqlite => {
                "DELETE FROM event WHERE rowid IN (SELECT rowid FROM event ORDER BY due_at, id LIMIT 1000) RETURNING member_id"
            }
            Kind::Postgres => {
                "DELETE FROM event WHERE ctid = ANY (ARRAY(SELECT ctid FROM event ORDER BY due_at, id LIMIT 1000 FOR UPDATE SKIP LOCKED)) \
                 RETURNING member_id"
            }
        };
        let txn = self.db.write_txn().await?;
        let claimed = txn
            .query_all_raw(Statement::from_string(backend(kind), claim))
            .await?;
        let members: Result<Vec<Uuid>, _> = claimed.iter().map(|row| row.try_get_by_index(0)).collect();
        let members: Vec<Value> = members?.into_iter().map(Value::from).collect();
        let count = members.len();
        if count == 0 {
            txn.rollback().await?;
            return Ok(0);
        }
        Insert::new("progress", count)
            .all("employer_id", "uuid", uuid(self.tenant.employer))
            .each("member_id", "uuid", members.clone())
            .all("incentive_id", "uuid", uuid(self.tenant.incentive))
            .all("state", "text", STATE)
            .all("updated_at", "bigint", now.0)
            .run(
                &*txn,
                "ON CONFLICT (employer_id, member_id, incentive_id) DO UPDATE SET state = excluded.state, updated_at = excluded.updated_at",
            )
            .await?;
        let achievements: Vec<Value> = (0..count)
            .map(|_| uuid(self.ids.next::<AchievementId>()))
            .collect();
        Insert::new("achievement", count)
            .all("employer_id", "uuid", uuid(self.tenant.employer))
            .each("id", "uuid", achievements.clone())
            .each("member_id", "uuid", members)
            .all("incentive_id", "uuid", uuid(self.tenant.incentive))
            .all("incentive_version", "bigint", 1_i64)
            .all("program_id", "uuid", uuid(self.tenant.program))
            .all("period_key", "text", "")
            .all("ordinal", "bigint", 1_i64)
            .all("title", "text", "Well done")
            .all("sensitive", "boolean", false)
            .all("earned_on", "date", "2026-01-01")
            .all("recorded_at", "bigint", now.0)
            .all("status", "text", "EARNED")
            .run(&*txn, "")
            .await?;
        let added = i64::try_from(count)?;
        let head = Statement::from_sql_and_values(
            backend(kind),
            "UPDATE feed_head SET position = position + $1 WHERE partner_id = $2 RETURNING position",
            [added.into(), uuid(self.tenant.partner)],
        );
        let head = txn.query_one_raw(head).await?;
        let last = head.map_or(Ok(0), |row| row.try_get_by_index::<i64>(0))?;
        Insert::new("feed_entry", count)
            .all("partner_id", "uuid", uuid(self.tenant.partner))
            .each("position", "bigint", (last - added + 1..=last).map(Value::from))
            .each(
                "id",
                "uuid",
                (0..count).map(|_| uuid(self.ids.next::<FeedEntryId>())),
            )
            .all("employer_id", "uuid", uuid(self.tenant.employer))
            .all("kind", "text", "ACHIEVEMENT_EARNED")
            .each("achievement_id", "uuid", achievements)
            .each(
                "member_ref",
                "text",
                (0..count).map(|number| format!("ref_{}{number}", name(number)).into()),
            )
            .all("recorded_at", "bigint", now.0)
            .run(&*txn, "")
            .await?;
        txn.commit().await?;
        Ok(count)
    }
}

/// An insert of many rows: arrays on PostgreSQL, a list of values on SQLite, which is each one's quickest plain form.
struct Insert {
    table: &'static str,
    count: usize,
    columns: Vec<(&'static str, &'static str, Vec<Value>)>,
}

impl Insert {
    fn new(table: &'static str, count: usize) -> Self {
        Self {
            table,
            count,
            columns: Vec::new(),
        }
    }

    /// A column with the same value in every row.
    fn all(self, name: &'static str, ty: &'static str, value: impl Into<Value>) -> Self {
        let values = vec![value.into(); self.count];
        self.each(name, ty, values)
    }

    /// A column with a value for each row.
    fn each(mut self, name: &'static str, ty: &'static str, values: impl IntoIterator<Item = Value>) -> Self {
        self.columns.push((name, ty, values.into_iter().collect()));
        self
    }

    async fn run(self, connection: &impl ConnectionTrait, end: &str) -> anyhow::Result<()> {
        let kind = Kind::of(connection);
        let names: Vec<&str> = self.columns.iter().map(|(name, _, _)| *name).collect();
        let names = names.join(", ");
        let (source, values) = match kind {
            Kind::Sqlite => self.values(),
            Kind::Postgres => self.arrays(),
        };
        let sql = format!("INSERT INTO {} ({names}) {source} {end}", self.table);
        connection
            .execute_raw(Statement::from_sql_and_values(backend(kind), sql, values))
            .await?;
        Ok(())
    }

    fn values(&self) -> (String, Vec<Value>) {
        let row = format!("({})", vec!["?"; self.columns.len()].join(", "));
        let rows = vec![row.as_str(); self.count].join(", ");
        let mut columns: Vec<_> = self
            .columns
            .iter()
            .map(|(_, _, values)| values.iter().cloned())
            .collect();
        let values =
            (0..self.count).flat_map(|_| columns.iter_mut().filter_map(Iterator::next).collect::<Vec<_>>());
        (format!("VALUES {rows}"), values.collect())
    }

    fn arrays(&self) -> (String, Vec<Value>) {
        let (mut arrays, mut selected, mut names, mut values) =
            (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for (index, (name, ty, column)) in self.columns.iter().enumerate() {
            // A date travels as text.
            let (sent, element) = match *ty {
                "uuid" => ("uuid", ArrayType::Uuid),
                "bigint" => ("bigint", ArrayType::BigInt),
                "bytea" => ("bytea", ArrayType::Bytes),
                "boolean" => ("boolean", ArrayType::Bool),
                _ => ("text", ArrayType::String),
            };
            arrays.push(format!("${}::{sent}[]", index + 1));
            selected.push(format!("{name}::{ty}"));
            names.push(*name);
            values.push(Value::Array(element, Some(Box::new(column.clone()))));
        }
        let source = format!(
            "SELECT {} FROM unnest({}) AS bound ({})",
            selected.join(", "),
            arrays.join(", "),
            names.join(", ")
        );
        (source, values)
    }
}

fn uuid(id: impl TypedId) -> Value {
    id.uuid().into()
}

fn backend(kind: Kind) -> DbBackend {
    match kind {
        Kind::Sqlite => DbBackend::Sqlite,
        Kind::Postgres => DbBackend::Postgres,
    }
}
