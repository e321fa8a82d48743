//! The schema of the database, one change a file, up and down.
//!
//! A migration is frozen history: it names no entity of today and is never edited once it has landed. Each is SQL whose column
//! types stand in braces; [`mod@column`] fills them in for SQLite or PostgreSQL, so that both have one schema.
//!
//! Habits of the schema: every table of a tenant starts its keys with `employer_id`, and so do its foreign keys, so that the
//! database itself refuses to join two tenants; instants (`…_at`) are microseconds since 1970 UTC in a 64-bit integer; civil dates
//! end in `_on`; what must be true of a row is a CHECK.

pub mod column;
mod m20261121_000001_create_tenants;
mod m20261121_000002_create_programs;
mod m20261121_000003_create_partners;
mod m20261121_000004_create_intake;
mod m20261121_000005_create_outcomes;
mod m20261121_000006_add_lifecycles;
mod m20261121_000007_create_contributions;
mod m20261121_000008_rebuild_achievements;
mod m20261121_000009_narrow_indexes;
mod m20261121_000010_create_points;
mod m20261121_000011_release_points;
mod m20261121_000012_create_webhooks;
mod m20261121_000013_complete_feeds;
mod m20261121_000014_create_audit;
mod m20261121_000015_add_member_activity;
mod m20261121_000016_create_campaigns;
mod m20261121_000017_tune_storage;
mod m20261121_000018_index_what_grows;

pub use sea_orm_migration::MigratorTrait;
use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::{
    ConnectionTrait, DatabaseConnection, DbBackend, DbErr, SqliteTransactionMode, TransactionOptions,
    TransactionTrait,
};

/// Applies the migrations in order.
#[derive(Debug)]
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m20261121_000001_create_tenants::Migration),
            Box::new(m20261121_000002_create_programs::Migration),
            Box::new(m20261121_000003_create_partners::Migration),
            Box::new(m20261121_000004_create_intake::Migration),
            Box::new(m20261121_000005_create_outcomes::Migration),
            Box::new(m20261121_000006_add_lifecycles::Migration),
            Box::new(m20261121_000007_create_contributions::Migration),
            Box::new(m20261121_000008_rebuild_achievements::Migration),
            Box::new(m20261121_000009_narrow_indexes::Migration),
            Box::new(m20261121_000010_create_points::Migration),
            Box::new(m20261121_000011_release_points::Migration),
            Box::new(m20261121_000012_create_webhooks::Migration),
            Box::new(m20261121_000013_complete_feeds::Migration),
            Box::new(m20261121_000014_create_audit::Migration),
            Box::new(m20261121_000015_add_member_activity::Migration),
            Box::new(m20261121_000016_create_campaigns::Migration),
            Box::new(m20261121_000017_tune_storage::Migration),
            Box::new(m20261121_000018_index_what_grows::Migration),
        ]
    }
}

/// Number of the PostgreSQL advisory lock under which migrations run; any constant serves that no other program uses.
const LOCK: i64 = 0x70_6C61_7564_6974;

/// Brings the database up to date. Safe when several processes start at once: on PostgreSQL they take turns under an advisory
/// lock, on SQLite under the file's write lock; whoever comes later finds nothing left to do.
pub async fn migrate(connection: &DatabaseConnection) -> Result<(), DbErr> {
    let options = TransactionOptions {
        sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
        ..TransactionOptions::default()
    };
    #[expect(
        clippy::disallowed_methods,
        reason = "migrations come before everything that entity knows"
    )]
    let txn = connection.begin_with_options(options).await?;
    if txn.get_database_backend() == DbBackend::Postgres {
        txn.execute_unprepared(&format!("SELECT pg_advisory_xact_lock({LOCK})"))
            .await?;
    }
    Migrator::up(&txn, None).await?;
    txn.commit().await
}

/// Whether every migration of this program has been applied. Only reads: probes ask this again and again.
pub async fn is_current(connection: &DatabaseConnection) -> Result<bool, DbErr> {
    Migrator::get_pending_migrations_read_only(connection)
        .await
        .map(|pending| pending.is_empty())
}
