//! A database for each test: a file in a folder of its own, or a copy of a migrated PostgreSQL database.

use std::sync::atomic::{AtomicU64, Ordering};

use entity::db::Db;
use sea_orm::{ConnectionTrait, FromQueryResult};
use tempfile::TempDir;
use tokio::sync::OnceCell;

/// Every table of the schema, by name.
pub const TABLES: [&str; 48] = [
    "achievement",
    "audit_entry",
    "audit_head",
    "audit_member",
    "backfill",
    "boost",
    "campaign",
    "campaign_mark",
    "client",
    "consent",
    "consent_word",
    "contribution",
    "dead_event",
    "delivery",
    "delivery_attempt",
    "earning",
    "employer",
    "event",
    "event_type",
    "feed_entry",
    "feed_head",
    "feed_told",
    "idempotency",
    "incentive",
    "incentive_version",
    "kept_event",
    "level_scheme",
    "member",
    "message",
    "partner",
    "partner_grant",
    "points_account",
    "points_adjustment",
    "points_cap",
    "points_entry",
    "points_lot",
    "points_posting",
    "program",
    "progress",
    "receipt",
    "redemption",
    "refund",
    "refusal",
    "retraction",
    "reward",
    "signing_key",
    "suppression",
    "webhook_endpoint",
];

/// On which database a test runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// An embedded file.
    Sqlite,
    /// A server.
    Postgres,
}

/// The database of one test.
pub struct Database {
    url: String,
    /// Removed with the test.
    folder: Option<TempDir>,
    /// The name of a PostgreSQL database.
    name: Option<String>,
}

static TEMPLATE: OnceCell<String> = OnceCell::const_new();
static COPIES: AtomicU64 = AtomicU64::new(0);

impl Database {
    /// An up-to-date database without a row.
    pub async fn migrated(kind: Kind) -> Self {
        match kind {
            Kind::Sqlite => {
                let database = Self::empty(kind).await;
                migrate(&database.url).await;
                database
            }
            Kind::Postgres => {
                let template = TEMPLATE
                    .get_or_init(|| async {
                        let template = Self::create("template", "template1").await;
                        migrate(&template.url).await;
                        template.name.unwrap()
                    })
                    .await;
                Self::create("copy", template).await
            }
        }
    }

    /// A database without a table.
    pub async fn empty(kind: Kind) -> Self {
        match kind {
            Kind::Sqlite => {
                let folder = tempfile::tempdir().unwrap();
                let url = format!("sqlite://{}?mode=rwc", folder.path().join("plaudit.db").display());
                Self {
                    url,
                    folder: Some(folder),
                    name: None,
                }
            }
            Kind::Postgres => Self::create("empty", "template1").await,
        }
    }

    /// The address.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Removes it. After a failed test it stays, for whoever wants to look.
    pub async fn drop(self) {
        drop(self.folder);
        if let Some(name) = self.name {
            administer(&format!("DROP DATABASE {name} WITH (FORCE)")).await;
        }
    }

    async fn create(role: &str, template: &str) -> Self {
        // Processes on one server differ by their number, tests of one process by the count.
        let count = COPIES.fetch_add(1, Ordering::SeqCst);
        let name = format!("plaudit_it_{}_{role}_{count}", std::process::id());
        administer(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await;
        administer(&format!("CREATE DATABASE {name} TEMPLATE {template}")).await;
        let server = server_url();
        let (server, _) = server.rsplit_once('/').unwrap();
        Self {
            url: format!("{server}/{name}"),
            folder: None,
            name: Some(name),
        }
    }
}

/// The number that a `SELECT count(*) AS count …` gives.
pub async fn count(db: &Db, sql: &str) -> i64 {
    #[derive(FromQueryResult)]
    struct Count {
        count: i64,
    }
    let counted = entity::db::sql::Sql::on(db.read(), sql)
        .one::<Count>(db.read())
        .await
        .unwrap();
    counted.unwrap().count
}

/// The columns of a table of SQLite.
pub async fn columns(db: &Db, table: &str) -> Vec<String> {
    #[derive(FromQueryResult)]
    struct Column {
        name: String,
    }
    let columns: Vec<Column> = entity::db::sql::Sql::on(db.read(), "SELECT name FROM pragma_table_info(")
        .bind(table)
        .push(")")
        .all(db.read())
        .await
        .unwrap();
    columns.into_iter().map(|column| column.name).collect()
}

async fn migrate(url: &str) {
    let db = Db::open_with(url, 1).await.unwrap();
    migration::migrate(db.read()).await.unwrap();
    db.close().await.unwrap();
}

/// Runs a statement on the server itself. The connection is closed before the next: a database that somebody is connected to cannot
/// be copied.
async fn administer(sql: &str) {
    let db = Db::open_with(&server_url(), 1)
        .await
        .expect("the PostgreSQL server of PLAUDIT_TEST_POSTGRES_URL answers");
    let outcome = db.read().execute_unprepared(sql).await;
    db.close().await.unwrap();
    outcome.unwrap();
}

fn server_url() -> String {
    #[expect(clippy::disallowed_methods, reason = "the one setting of the tests, read here alone")]
    std::env::var("PLAUDIT_TEST_POSTGRES_URL").expect(
        "PLAUDIT_TEST_POSTGRES_URL names the PostgreSQL server of the tests: run .ci/test, or eval \"$(.ci/postgres start)\" first",
    )
}
