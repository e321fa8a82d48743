//! Opening the database, writing transactions, and everything that differs between SQLite and PostgreSQL.
//!
//! A [`Db`] is one database: an SQLite file (write-ahead log, one writer at a time, foreign keys on) or a PostgreSQL server.
//! Reading takes any pooled connection. Writing takes [`Db::write_txn`] and nothing else: on SQLite it starts IMMEDIATE and
//! waits its turn in a fair queue of this process, so that a transaction that reads before it writes can never fail half way
//! because another one wrote in between.
//!
//! Durability: SQLite runs with `synchronous = FULL`, so an acknowledged commit survives a power cut; PostgreSQL runs with the
//! server's own `synchronous_commit` (on, unless the operator has changed it).

pub(crate) mod expiry;
pub mod sql;

use std::sync::Arc;
use std::time::Duration;

use sea_orm::sea_query::OnConflict;
use sea_orm::sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sea_orm::sqlx::{ConnectOptions as _, Connection as _};
use sea_orm::{
    AccessMode, ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DatabaseTransaction,
    DbBackend, DbErr, EntityTrait, ExecResult, IntoActiveModel, IsolationLevel, QueryResult, RuntimeErr,
    SqliteTransactionMode, Statement, TransactionOptions, TransactionTrait, sqlx,
};
use tokio::sync::{Mutex, OwnedMutexGuard};

/// Connections kept for one process: enough for the intake, the evaluator and readers at once; PostgreSQL's default of 100 leaves
/// room for several processes.
const MAX_CONNECTIONS: u32 = 20;
/// How long a caller waits for a free connection before the database counts as unavailable.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long SQLite waits for another *process* to finish writing; within a process the fair queue comes first.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Tries of a connection that found the file locked, and the wait between two: as long as a writer is waited for.
const CONNECT_ATTEMPTS: u32 = 100;
const CONNECT_AGAIN: Duration = Duration::from_millis(50);
/// Memory for the pages that SQLite's writer keeps, as the pragma takes it: negative, in KiB.
const WRITER_CACHE: &str = "-16384";

/// One database and its connections.
#[derive(Clone, Debug)]
pub struct Db {
    pool: DatabaseConnection,
    /// SQLite's one writer; PostgreSQL has as many as there are connections.
    writer: Option<Writer>,
}

/// The connection by which this process writes to SQLite.
#[derive(Clone, Debug)]
struct Writer {
    /// A pool of one. A connection's pages are forgotten whenever another one writes: with one that writes always, they stay.
    pool: DatabaseConnection,
    /// A fair lock hands the turn on in the order of asking, where SQLite's own busy wait polls and starves.
    turn: Arc<Mutex<()>>,
}

/// Which database it is, for the few statements that have two forms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An embedded file.
    Sqlite,
    /// A server, shared by any number of processes.
    Postgres,
}

impl Kind {
    /// The kind behind a connection or transaction.
    pub fn of(connection: &impl ConnectionTrait) -> Self {
        match connection.get_database_backend() {
            DbBackend::Postgres => Self::Postgres,
            _ => Self::Sqlite,
        }
    }
}

impl Db {
    /// Opens the database at `url` (`sqlite://file?mode=rwc` or `postgres://…`) and checks that it answers.
    pub async fn open(url: &str) -> Result<Self, DbErr> {
        Self::open_with(url, MAX_CONNECTIONS).await
    }

    /// As [`Db::open`], with at most `connections` connections.
    pub async fn open_with(url: &str, connections: u32) -> Result<Self, DbErr> {
        if !url.starts_with("sqlite:") && !url.starts_with("postgres:") && !url.starts_with("postgresql:") {
            return Err(DbErr::Conn(RuntimeErr::Internal(
                "the database URL starts with neither sqlite: nor postgres:".into(),
            )));
        }
        if !url.starts_with("sqlite:") {
            // The pool would only say that it waited in vain; one connection of its own says why.
            let failed = |error: sqlx::Error| DbErr::Conn(RuntimeErr::SqlxError(Arc::new(error)));
            let options: sqlx::postgres::PgConnectOptions = url.parse().map_err(failed)?;
            let connection = tokio::time::timeout(ACQUIRE_TIMEOUT, options.connect())
                .await
                .unwrap_or(Err(sqlx::Error::PoolTimedOut))
                .map_err(failed)?;
            connection.close().await.map_err(failed)?;
        }
        let mut options = ConnectOptions::new(url);
        options
            .max_connections(connections)
            .min_connections(1)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .connect_timeout(ACQUIRE_TIMEOUT)
            .test_before_acquire_if_idle_for(Duration::from_secs(10))
            // Statements carry members' data; none of it belongs in a log or a trace.
            .sqlx_logging(false)
            .record_stmt_in_spans(false)
            .map_sqlx_sqlite_opts(sqlite)
            .map_sqlx_postgres_opts(|options| options.statement_cache_capacity(200));
        let pool = connect(&options).await?;
        let writer = match Kind::of(&pool) {
            Kind::Postgres => None,
            Kind::Sqlite => {
                options
                    .max_connections(1)
                    .map_sqlx_sqlite_opts(|options| sqlite(options).pragma("cache_size", WRITER_CACHE));
                let pool = connect(&options).await?;
                let turn = Arc::default();
                Some(Writer { pool, turn })
            }
        };
        Ok(Self { pool, writer })
    }

    /// A connection for reading. Not for writing: that is [`Db::write_txn`]'s.
    pub fn read(&self) -> &DatabaseConnection {
        &self.pool
    }

    /// Which database it is.
    pub fn kind(&self) -> Kind {
        Kind::of(&self.pool)
    }

    /// Starts a writing transaction. Dropped without [`WriteTxn::commit`], it is rolled back.
    pub async fn write_txn(&self) -> Result<WriteTxn, DbErr> {
        let (pool, turn) = match &self.writer {
            Some(writer) => (&writer.pool, Some(Arc::clone(&writer.turn).lock_owned().await)),
            None => (&self.pool, None),
        };
        let options = TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        };
        #[expect(
            clippy::disallowed_methods,
            reason = "this is the one place that begins a transaction"
        )]
        let txn = pool.begin_with_options(options).await?;
        Ok(WriteTxn { txn, _turn: turn })
    }

    /// Starts a transaction that only reads, and all of it as things are at its first statement. Nobody waits for it.
    pub async fn snapshot(&self) -> Result<DatabaseTransaction, DbErr> {
        let options = match self.kind() {
            Kind::Sqlite => TransactionOptions {
                sqlite_transaction_mode: Some(SqliteTransactionMode::Deferred),
                ..TransactionOptions::default()
            },
            Kind::Postgres => TransactionOptions {
                isolation_level: Some(IsolationLevel::RepeatableRead),
                access_mode: Some(AccessMode::ReadOnly),
                ..TransactionOptions::default()
            },
        };
        #[expect(
            clippy::disallowed_methods,
            reason = "beside the one that writes, the one place that begins a transaction"
        )]
        self.pool.begin_with_options(options).await
    }

    /// Whether the database answers.
    pub async fn ping(&self) -> Result<(), DbErr> {
        self.pool.ping().await
    }

    /// Closes every connection.
    pub async fn close(&self) -> Result<(), DbErr> {
        if let Some(writer) = &self.writer {
            writer.pool.close_by_ref().await?;
        }
        self.pool.close_by_ref().await
    }

    /// The PostgreSQL pool underneath, for LISTEN; nothing on SQLite, where all who could wait are in this process.
    pub fn postgres_pool(&self) -> Option<&sqlx::PgPool> {
        (self.kind() == Kind::Postgres).then(|| self.pool.get_postgres_connection_pool())
    }
}

/// Connects. Processes that start at once on a new SQLite file get in each other's way while the first of them turns it to WAL: that
/// one step does not wait for a lock, so it is tried again.
async fn connect(options: &ConnectOptions) -> Result<DatabaseConnection, DbErr> {
    let mut attempts = 0;
    loop {
        attempts += 1;
        #[expect(clippy::disallowed_methods, reason = "this is the one place that connects")]
        match Database::connect(options.clone()).await {
            Err(error) if is_retryable(&error) && attempts < CONNECT_ATTEMPTS => {
                tokio::time::sleep(CONNECT_AGAIN).await;
            }
            outcome => return outcome,
        }
    }
}

/// How every connection to SQLite is set.
fn sqlite(options: SqliteConnectOptions) -> SqliteConnectOptions {
    options
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(BUSY_TIMEOUT)
        .pragma("temp_store", "memory")
        .statement_cache_capacity(200)
}

/// A writing transaction; also SQLite's turn to write, handed on when it ends.
#[derive(Debug)]
#[must_use = "a transaction that is dropped is rolled back"]
pub struct WriteTxn {
    // Declared before the turn, so that a dropped transaction has asked for its roll-back before the next writer starts.
    txn: DatabaseTransaction,
    _turn: Option<OwnedMutexGuard<()>>,
}

impl WriteTxn {
    /// Makes everything durable.
    pub async fn commit(self) -> Result<(), DbErr> {
        self.txn.commit().await
    }

    /// Takes everything back.
    pub async fn rollback(self) -> Result<(), DbErr> {
        self.txn.rollback().await
    }
}

impl std::ops::Deref for WriteTxn {
    type Target = DatabaseTransaction;
    fn deref(&self) -> &DatabaseTransaction {
        &self.txn
    }
}

/// Runs a statement and counts the rows it changed.
pub async fn execute(connection: &impl ConnectionTrait, statement: Statement) -> Result<u64, DbErr> {
    connection
        .execute_raw(statement)
        .await
        .map(|result: ExecResult| result.rows_affected())
}

/// Runs a statement and returns its rows.
pub async fn query(
    connection: &impl ConnectionTrait,
    statement: Statement,
) -> Result<Vec<QueryResult>, DbErr> {
    connection.query_all_raw(statement).await
}

/// Writes a new row; false when one of the same key is there already, and then nothing has happened.
pub async fn insert_new<E>(connection: &impl ConnectionTrait, row: E::Model) -> Result<bool, DbErr>
where
    E: EntityTrait,
    E::Model: IntoActiveModel<E::ActiveModel>,
    E::ActiveModel: Send,
{
    let insert = E::insert(row.into_active_model()).on_conflict(OnConflict::new().do_nothing().to_owned());
    Ok(insert.exec_without_returning(connection).await? == 1)
}

/// Whether the same transaction, tried again, may well succeed: two PostgreSQL transactions were in each other's way, or another
/// process held SQLite's write lock for longer than the busy timeout.
pub fn is_retryable(error: &DbErr) -> bool {
    matches!(
        code(error).as_deref(),
        Some("40001" | "40P01" | "5" | "517" | "261")
    )
}

/// Whether the database is away (unreachable, shutting down, out of connections), rather than displeased with a statement.
pub fn is_unavailable(error: &DbErr) -> bool {
    match error {
        // Whatever the reason is for which there is no connection, a statement never came to be judged.
        DbErr::ConnectionAcquire(_) | DbErr::Conn(_) => true,
        DbErr::Exec(RuntimeErr::SqlxError(cause)) | DbErr::Query(RuntimeErr::SqlxError(cause)) => {
            matches!(
                &**cause,
                sqlx::Error::Io(_)
                    | sqlx::Error::PoolClosed
                    | sqlx::Error::PoolTimedOut
                    | sqlx::Error::Protocol(_)
                    | sqlx::Error::WorkerCrashed
            ) || code(error)
                .is_some_and(|code| code.starts_with("08") || code.starts_with("57P") || code == "53300")
        }
        _ => false,
    }
}

/// The database's own code of an error: five characters of PostgreSQL, a number of SQLite.
fn code(error: &DbErr) -> Option<String> {
    let (DbErr::Conn(RuntimeErr::SqlxError(cause))
    | DbErr::Exec(RuntimeErr::SqlxError(cause))
    | DbErr::Query(RuntimeErr::SqlxError(cause))) = error
    else {
        return None;
    };
    match &**cause {
        sqlx::Error::Database(error) => error.code().map(std::borrow::Cow::into_owned),
        _ => None,
    }
}
