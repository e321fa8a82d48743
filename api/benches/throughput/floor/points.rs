//! The rows that points leave: what they were earned for, an account, a lot, an entry of the ledger and its posting.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use entity::clock::Timestamp;
use entity::id::{LotId, PointsEntryId};
use sea_orm::ConnectionTrait;
use sea_orm::prelude::Uuid;
use sea_orm::sea_query::Value;

use super::Floor;
use crate::insert::{Insert, uuid};

/// As many as an event gives.
const AMOUNT: i64 = 12;

impl Floor {
    /// Points of these members, one lot for each place in the list.
    pub(super) async fn pay(
        &self,
        txn: &impl ConnectionTrait,
        members: Vec<Value>,
        now: Timestamp,
    ) -> anyhow::Result<()> {
        let count = members.len();
        let employer = || uuid(self.tenant.employer);
        // Each cause, and each entry of an account, is there once.
        let first = self.ordinal.fetch_add(i64::try_from(count)?, Ordering::Relaxed);
        let causes = (first..).take(count).map(|number| {
            let mut cause = vec![0; 24];
            cause.extend(number.to_be_bytes());
            cause
        });
        let causes: Vec<Value> = causes.map(Value::from).collect();
        Insert::new("earning", count)
            .all("employer_id", "uuid", employer())
            .each("member_id", "uuid", members.clone())
            .all("incentive_id", "uuid", uuid(self.tenant.incentives[0]))
            .all("category", "text", "points")
            .each("cause", "bytea", causes.clone())
            .all("version", "bigint", 1_i64)
            .all("day", "date", "2026-01-01")
            .all("units", "text", "12")
            .all("stated_at", "bigint", now.0)
            .all("factor", "text", "1")
            .all("gross", "bigint", AMOUNT)
            .all("is_rejected", "boolean", false)
            .all("updated_on", "date", "2026-01-01")
            .run(txn, "")
            .await?;
        let mut accounts: BTreeMap<Uuid, (Value, i64)> = BTreeMap::new();
        for member in &members {
            if let Value::Uuid(Some(id)) = member {
                accounts.entry(*id).or_insert_with(|| (member.clone(), 0)).1 += 1;
            }
        }
        Insert::new("points_account", accounts.len())
            .all("employer_id", "uuid", employer())
            .each("member_id", "uuid", accounts.values().map(|(member, _)| member.clone()))
            .all("category", "text", "points")
            .each("available", "bigint", accounts.values().map(|(_, lots)| (lots * AMOUNT).into()))
            .all("pending", "bigint", 0_i64)
            .all("debt", "bigint", 0_i64)
            .each("entries", "bigint", accounts.values().map(|(_, lots)| (*lots).into()))
            .run(
                txn,
                "ON CONFLICT (employer_id, member_id, category) DO UPDATE SET available = points_account.available + excluded.available,
                 entries = points_account.entries + excluded.entries",
            )
            .await?;
        let lots: Vec<Value> = (0..count).map(|_| uuid(self.ids.next::<LotId>())).collect();
        Insert::new("points_lot", count)
            .all("employer_id", "uuid", employer())
            .each("id", "uuid", lots.clone())
            .each("member_id", "uuid", members.clone())
            .all("category", "text", "points")
            .all("amount", "bigint", AMOUNT)
            .all("remaining", "bigint", AMOUNT)
            .all("active_from", "bigint", now.0)
            .all("expires_at", "bigint", i64::MAX)
            .all("is_active", "boolean", true)
            .all("incentive_id", "uuid", uuid(self.tenant.incentives[0]))
            .each("cause", "bytea", causes)
            .run(txn, "")
            .await?;
        let entries: Vec<Value> = (0..count)
            .map(|_| uuid(self.ids.next::<PointsEntryId>()))
            .collect();
        Insert::new("points_entry", count)
            .all("employer_id", "uuid", employer())
            .each("id", "uuid", entries.clone())
            .each("member_id", "uuid", members)
            .all("category", "text", "points")
            .each("number", "bigint", (first..).take(count).map(Value::from))
            .all("kind", "text", "EARNED")
            .all("amount", "bigint", AMOUNT)
            .all("balance_after", "bigint", AMOUNT)
            .all("recorded_at", "bigint", now.0)
            .all("recorded_on", "date", "2026-01-01")
            .all("incentive_id", "uuid", uuid(self.tenant.incentives[0]))
            .all("sensitive", "boolean", false)
            .run(txn, "")
            .await?;
        Insert::new("points_posting", count)
            .all("employer_id", "uuid", employer())
            .each("entry_id", "uuid", entries)
            .each("lot_id", "uuid", lots)
            .all("amount", "bigint", AMOUNT)
            .run(txn, "")
            .await
    }
}
