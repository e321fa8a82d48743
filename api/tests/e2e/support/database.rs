//! A database of a test's own.

use entity::clock::Clock;
use entity::db::Db;
use entity::id::Ids;
use sea_orm::ConnectionTrait;
use tempfile::TempDir;

/// An empty database, which is gone after the test.
pub enum Database {
    /// A file in a folder of its own.
    Sqlite(TempDir),
    /// A database in the server the tests were given.
    Postgres {
        /// The address of the server, and the database to which one connects to make others.
        server: String,
        /// The name of the database.
        name: String,
    },
}

impl Database {
    pub fn sqlite() -> Self {
        Self::Sqlite(tempfile::tempdir().expect("there is room for a folder"))
    }

    pub async fn postgres() -> Self {
        let server = server();
        let name = format!("e2e_{}", Ids::system(Clock::system()).text().to_lowercase());
        run(&server, &format!("CREATE DATABASE {name}")).await;
        Self::Postgres { server, name }
    }

    /// As the program is told it.
    pub fn url(&self) -> String {
        match self {
            Self::Sqlite(folder) => {
                format!("sqlite://{}?mode=rwc", folder.path().join("plaudit.db").display())
            }
            Self::Postgres { server, name } => {
                let (address, _) = server.rsplit_once('/').expect("the URL names a database");
                format!("{address}/{name}")
            }
        }
    }

    /// Looks into the database beside the program.
    pub async fn open(&self) -> Db {
        Db::open_with(&self.url(), 1).await.expect("the database opens")
    }

    /// How many rows a table has.
    pub async fn count(&self, table: &str) -> i64 {
        let db = self.open().await;
        let count = count(&db, table).await;
        db.close().await.expect("the database closes");
        count
    }

    /// Cuts every connection of the program to PostgreSQL.
    pub async fn cut_connections(&self) {
        let Self::Postgres { server, name } = self else {
            panic!("a file has no connections to cut");
        };
        run(
            server,
            &format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"),
        )
        .await;
    }

    /// Whether PostgreSQL lets anybody in.
    pub async fn allow_connections(&self, allow: bool) {
        let Self::Postgres { server, name } = self else {
            panic!("a file has no connections to allow");
        };
        run(
            server,
            &format!("ALTER DATABASE {name} ALLOW_CONNECTIONS {allow}"),
        )
        .await;
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let Self::Postgres { server, name } = self else {
            return;
        };
        let (server, statement) = (server.clone(), format!("DROP DATABASE {name} WITH (FORCE)"));
        // A runtime of its own: this one must not be blocked, and the test must not end before.
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(run(&server, &statement));
        });
        let outcome = dropped.join();
        assert!(
            outcome.is_ok() || std::thread::panicking(),
            "the database {name} could not be dropped"
        );
    }
}

/// How many rows a table has.
pub async fn count(db: &Db, table: &str) -> i64 {
    let statement =
        entity::db::sql::Sql::on(db.read(), &format!("SELECT COUNT(*) AS n FROM {table}")).statement();
    let row = db.read().query_one_raw(statement).await;
    let row = row.expect("the table is there").expect("a count is a row");
    row.try_get("", "n").expect("a count is a number")
}

async fn run(server: &str, statement: &str) {
    let db = Db::open_with(server, 1)
        .await
        .expect("PLAUDIT_TEST_POSTGRES_URL answers");
    let outcome = db.read().execute_unprepared(statement).await;
    outcome.unwrap_or_else(|error| panic!("{statement}: {error}"));
    db.close().await.expect("the database closes");
}

#[expect(
    clippy::disallowed_methods,
    reason = "the edge of the tests: the server they were given"
)]
fn server() -> String {
    std::env::var("PLAUDIT_TEST_POSTGRES_URL")
        .expect("PLAUDIT_TEST_POSTGRES_URL names a PostgreSQL server; `.ci/test` starts one")
}
