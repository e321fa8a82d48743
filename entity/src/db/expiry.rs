//! Deleting what has served its time.

use sea_orm::{ConnectionTrait, DbErr};

use super::sql::Sql;
use crate::clock::Timestamp;

/// A table whose rows have a time until which they are kept.
pub(crate) struct Expiring {
    /// The table.
    pub table: &'static str,
    /// The columns of its primary key, separated by commas; the first is the employer.
    pub key: &'static str,
    /// What else must be true of a row that goes; starts with AND.
    pub only: &'static str,
}

impl Expiring {
    /// Deletes at most `limit` rows whose `expires_at` is past, by the clock of their employer: a sandbox's is ahead. Says how many.
    pub(crate) async fn purge(
        &self,
        connection: &impl ConnectionTrait,
        now: Timestamp,
        limit: u64,
    ) -> Result<u64, DbErr> {
        // What is past by the real clock is past for everyone, and the index finds it; only sandboxes are then looked through. The
        // halves share no row, so a full batch is full.
        Sql::on(connection, "DELETE FROM ")
            .push(self.table)
            .push(" WHERE (")
            .push(self.key)
            // The outer SELECT: SQLite looks rows up by a list that is a compound only when it has the form of one SELECT.
            .push(") IN (SELECT ")
            .push(self.key)
            .push(" FROM (SELECT ")
            .push(self.key)
            .push(" FROM ")
            .push(self.table)
            .push(" WHERE expires_at < ")
            .bind(now)
            .push(self.only)
            .push(" UNION ALL SELECT ")
            .push(self.key)
            // SQLite then takes the employers first.
            .push(" FROM (SELECT id AS sandbox_id, clock_offset_micros FROM employer WHERE clock_offset_micros > 0) AS sandbox CROSS JOIN ")
            .push(self.table)
            .push(" WHERE employer_id = sandbox_id AND expires_at >= ")
            .bind(now)
            .push(" AND expires_at - clock_offset_micros < ")
            .bind(now)
            .push(self.only)
            .push(" LIMIT ")
            .bind(i64::try_from(limit).unwrap_or(i64::MAX))
            .push(") AS expired)")
            .execute(connection)
            .await
    }
}
