//! The floor: the rows that Plaudit writes, by plain statements of 1,000 rows, and nothing else.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};

use entity::clock::{Clock, Timestamp};
use entity::db::{Db, Kind};
use entity::id::{AchievementId, FeedEntryId, Ids};
use sea_orm::prelude::Uuid;
use sea_orm::sea_query::Value;
use sea_orm::{ConnectionTrait, Statement};
use tokio::task::JoinSet;

use crate::cpu::{Measured, Meter, Runs};
use crate::insert::{Insert, backend, uuid};
use crate::queue::{Lot, ROWS, SOURCE};
use crate::scenario::MEDITATION;
use crate::stand::{Stand, Tenant};

mod points;

/// Of about the length of real ones.
const STATE: &str = r#"{"e":{"n":1},"x":[{"o":1,"s":{"2026-01-01":1}}]}"#;
const WHY: &str = r#"{"version":1,"events":[{"source":"bench","id":"e-1234","localDate":"2026-01-01","timeZone":"Europe/Berlin"}],"text":"It happened on 2026-01-01."}"#;

/// What follows from an event, besides that it leaves the queue.
#[derive(Debug, Clone)]
pub struct Shape {
    /// Incentives that it counts for: as many rows of progress and of what it has counted for.
    pub cases: usize,
    /// Achievements of so many events, each with an entry in a feed.
    pub awards: usize,
    pub of: usize,
    /// Progress of about the length of a real one.
    pub state: String,
    /// Why an achievement was earned, in about so many words.
    pub why: String,
    /// Whether awards give points, and nobody is told of them.
    pub points: bool,
}

impl Shape {
    /// An achievement, and an entry that tells of it, from each event.
    pub fn simple() -> Self {
        Self {
            cases: 1,
            awards: 1,
            of: 1,
            state: STATE.to_owned(),
            why: WHY.to_owned(),
            points: false,
        }
    }

    /// Nothing at all.
    pub fn nothing() -> Self {
        Self {
            cases: 0,
            awards: 0,
            of: 1,
            state: String::new(),
            why: String::new(),
            points: false,
        }
    }
}

/// Who writes, and for whom.
#[derive(Clone)]
pub struct Floor {
    db: Db,
    tenant: Arc<Tenant>,
    members: Arc<Vec<Uuid>>,
    ids: Ids,
    meter: Meter,
    /// Every achievement has a place of its own.
    ordinal: Arc<AtomicI64>,
}

impl Floor {
    /// A floor on this database, for the members of an employer of its own.
    pub async fn new(stand: &Stand, tenant: Tenant, clock: &Clock) -> anyhow::Result<Self> {
        Ok(Self {
            db: stand.db.clone(),
            members: Arc::new(stand.members(&tenant).await?),
            tenant: Arc::new(tenant),
            ids: Ids::system(clock.clone()),
            meter: stand.meter,
            ordinal: Arc::new(AtomicI64::new(1)),
        })
    }

    /// As many writers as Plaudit has: SQLite takes one.
    fn writers(&self) -> usize {
        if self.db.kind() == Kind::Postgres { 2 } else { 1 }
    }

    /// Writes receipts and events of these members.
    pub async fn accept(&self, members: Range<usize>, now: Timestamp) -> anyhow::Result<Measured> {
        self.accept_by(members, now, ROWS, self.writers()).await
    }

    /// The same, so many rows a transaction and with so many connections.
    pub async fn accept_by(
        &self,
        members: Range<usize>,
        now: Timestamp,
        rows: usize,
        connections: usize,
    ) -> anyhow::Result<Measured> {
        let count = members.len();
        let event_type = self.tenant.event_type(MEDITATION)?;
        let next = Arc::new(AtomicUsize::new(members.start));
        let mut writers = JoinSet::new();
        let running = self.meter.start(Runs::Inside);
        for _ in 0..connections {
            let (floor, next, end) = (self.clone(), Arc::clone(&next), members.end);
            writers.spawn(async move {
                loop {
                    let first = next.fetch_add(rows, Ordering::Relaxed);
                    if first >= end {
                        return anyhow::Ok(());
                    }
                    let lot = Lot {
                        employer: floor.tenant.employer,
                        event_type,
                        prefix: &format!("floor-{}", now.0),
                        members: &floor.members[first..end.min(first + rows)],
                        first,
                        occurred_at: now.instant(),
                        now,
                    };
                    lot.put(&floor.db, &floor.ids).await?;
                }
            });
        }
        while let Some(writer) = writers.join_next().await {
            writer??;
        }
        Ok(running.stop(count))
    }

    /// Queues so many events of each of these members, one after the other.
    pub async fn queue(&self, members: Range<usize>, prefix: &str, each: usize) -> anyhow::Result<()> {
        let event_type = self.tenant.event_type(MEDITATION)?;
        let now = Timestamp::from(Clock::system().now());
        for (due, step) in (now.0..).zip(0..each) {
            let lot = Lot {
                employer: self.tenant.employer,
                event_type,
                prefix: &format!("{prefix}-{step}"),
                members: &self.members[members.clone()],
                first: members.start,
                occurred_at: now.instant(),
                now: Timestamp(due),
            };
            lot.put(&self.db, &self.ids).await?;
        }
        Ok(())
    }

    /// Takes all events out of the queue and writes what follows from them.
    pub async fn evaluate(&self, shape: &Shape, now: Timestamp) -> anyhow::Result<Measured> {
        let mut writers = JoinSet::new();
        let running = self.meter.start(Runs::Inside);
        for _ in 0..self.writers() {
            let (floor, shape) = (self.clone(), shape.clone());
            writers.spawn(async move {
                let mut done = 0;
                loop {
                    match floor.evaluate_once(&shape, now).await? {
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
        Ok(running.stop(done))
    }

    async fn evaluate_once(&self, shape: &Shape, now: Timestamp) -> anyhow::Result<usize> {
        let kind = self.db.kind();
        let claim = match kind {
            Kind::Sqlite => {
                "DELETE FROM event WHERE rowid IN (SELECT rowid FROM event ORDER BY due_at, id LIMIT 1000) RETURNING member_id, event_id"
            }
            Kind::Postgres => {
                "DELETE FROM event WHERE ctid = ANY (ARRAY(SELECT ctid FROM event ORDER BY due_at, id LIMIT 1000 FOR UPDATE SKIP LOCKED)) \
                 RETURNING member_id, event_id"
            }
        };
        let txn = self.db.write_txn().await?;
        let claimed = txn
            .query_all_raw(Statement::from_string(backend(kind), claim))
            .await?;
        if claimed.is_empty() {
            txn.rollback().await?;
            return Ok(0);
        }
        let mut rows: Vec<(Uuid, String)> = Vec::with_capacity(claimed.len());
        for row in &claimed {
            rows.push((row.try_get_by_index(0)?, row.try_get_by_index(1)?));
        }
        // Two writers must take the rows of the same members in the same order.
        rows.sort_unstable();
        let (members, names): (Vec<Value>, Vec<Value>) = rows
            .into_iter()
            .map(|(member, name)| (member.into(), name.into()))
            .unzip();
        for incentive in self.tenant.incentives.iter().take(shape.cases) {
            let incentive = uuid(*incentive);
            self.count(&*txn, &members, names.clone(), incentive, shape, now)
                .await?;
        }
        let awards = members.len() * shape.awards / shape.of;
        if awards > 0 {
            let members: Vec<Value> = members.iter().cycle().take(awards).cloned().collect();
            let achievements = self.award(&*txn, &members, shape, now).await?;
            if shape.points {
                self.pay(&*txn, members, now).await?;
            } else {
                self.tell(&*txn, achievements, now).await?;
            }
        }
        txn.commit().await?;
        Ok(claimed.len())
    }

    /// What the members' events count for with one incentive, and what it remembers of them.
    async fn count(
        &self,
        txn: &impl ConnectionTrait,
        members: &[Value],
        names: Vec<Value>,
        incentive: Value,
        shape: &Shape,
        now: Timestamp,
    ) -> anyhow::Result<()> {
        let employer = || uuid(self.tenant.employer);
        // They are sorted; of a member with several events there is one row all the same.
        let mut once = members.to_vec();
        once.dedup();
        Insert::new("progress", once.len())
            .all("employer_id", "uuid", employer())
            .each("member_id", "uuid", once)
            .all("incentive_id", "uuid", incentive.clone())
            .all("state", "text", shape.state.as_str())
            .all("updated_at", "bigint", now.0)
            .run(
                txn,
                "ON CONFLICT (employer_id, member_id, incentive_id) DO UPDATE SET state = excluded.state, updated_at = excluded.updated_at",
            )
            .await?;
        Insert::new("contribution", members.len())
            .all("employer_id", "uuid", employer())
            .each("member_id", "uuid", members.to_vec())
            .all("incentive_id", "uuid", incentive)
            .all("source", "text", SOURCE)
            .each("event_id", "text", names)
            .all("version", "bigint", 1_i64)
            .all("day", "date", "2026-01-01")
            .all("time_zone", "text", "Europe/Berlin")
            .all("occurred_at", "bigint", now.0)
            .all("amount", "text", "1")
            .all("steps", "bigint", 1_i64)
            .all("role", "text", "COUNTS")
            .run(txn, "")
            .await
    }

    /// Achievements of these members.
    async fn award(
        &self,
        txn: &impl ConnectionTrait,
        members: &[Value],
        shape: &Shape,
        now: Timestamp,
    ) -> anyhow::Result<Vec<Value>> {
        let count = members.len();
        let added = i64::try_from(count)?;
        let first = self.ordinal.fetch_add(added, Ordering::Relaxed);
        let achievements: Vec<Value> = (0..count)
            .map(|_| uuid(self.ids.next::<AchievementId>()))
            .collect();
        Insert::new("achievement", count)
            .all("employer_id", "uuid", uuid(self.tenant.employer))
            .each("id", "uuid", achievements.clone())
            .each("member_id", "uuid", members.to_vec())
            .all("incentive_id", "uuid", uuid(self.tenant.incentives[0]))
            .all("incentive_version", "bigint", 1_i64)
            .all("program_id", "uuid", uuid(self.tenant.program))
            .all("period_key", "text", "ever")
            .each("ordinal", "bigint", (first..first + added).map(Value::from))
            .all("title", "text", "Well done")
            .all("sensitive", "boolean", false)
            .all("earned_on", "date", "2026-01-01")
            .all("recorded_at", "bigint", now.0)
            .all("status", "text", "EARNED")
            .all("why", "text", shape.why.as_str())
            .run(txn, "")
            .await?;
        Ok(achievements)
    }

    /// The entries that tell of achievements.
    async fn tell(
        &self,
        txn: &impl ConnectionTrait,
        achievements: Vec<Value>,
        now: Timestamp,
    ) -> anyhow::Result<()> {
        let count = achievements.len();
        let added = i64::try_from(count)?;
        let head = Statement::from_sql_and_values(
            txn.get_database_backend(),
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
                (0..count).map(|number| format!("ref_{number:0>26}").into()),
            )
            .all("recorded_at", "bigint", now.0)
            .run(txn, "")
            .await
    }
}
