//! What the tests stand on: the application as it is built for real, over a database of its own, with a clock that stands still.
//!
//! Nothing is evaluated behind a test's back: [`TestApp::run_jobs`] does it, and the end of each test does it once more and then
//! looks at what is left. Requests go through the real router, with tokens signed by the application's own keys.

mod booking;
mod caller;
mod campaigns;
mod database;
mod mailbox;
mod points;
mod receiver;
mod request;
mod statements;
mod world;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use api::app::{App, Parts};
use api::auth::token::{Grant, issue};
use api::auth::viewer::Party;
use api::http::limit::Rate;
use axum::Router;
use axum::body::Body;
use chrono::{DateTime, TimeDelta, Utc};
use entity::clock::Clock;
use entity::db::Db;
use entity::id::Ids;
use http::Request;
use jobs::deliver::Outbound;
use jobs::deliver::backoff::Scale;
use jobs::deliver::mail::{Mailer, Server};
use sea_orm::ConnectionTrait;
use tokio_util::sync::CancellationToken;

pub use booking::lasting;
pub use caller::Caller;
pub use campaigns::campaign_input;
pub use database::{Database, Kind, TABLES, count};
pub use mailbox::{Mailbox, Received};
pub use receiver::{Receiver, Reply};
pub use request::{Answer, cloud_event};
pub use statements::Statements;
pub use world::{Event, World, at, event, incentive_input, streak_input};

/// The address by which the application of a test is known.
pub const PUBLIC_URL: &str = "http://plaudit.test";

/// Longer than anything in these tests takes; whoever waits longer waits in vain.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// Runs each named test on both databases.
///
/// A test is an `async fn(app: &TestApp)`; one that is not named here is dead code, which the lints refuse.
macro_rules! on_both {
    ($($name:ident),+ $(,)?) => {$(
        mod $name {
            #[tokio::test]
            async fn sqlite() {
                $crate::harness::run($crate::harness::Kind::Sqlite, super::$name).await;
            }

            #[tokio::test]
            async fn postgres() {
                $crate::harness::run($crate::harness::Kind::Postgres, super::$name).await;
            }
        }
    )+};
}

/// The application of one test.
pub struct TestApp {
    /// The application, as `serve` builds it.
    pub app: Arc<App>,
    /// Its clock.
    pub clock: Clock,
    /// The database's address, for a second application on it.
    pub url: String,
    /// The mail server that it knows.
    pub mailbox: Mailbox,
    router: Router,
    leaves_failures: AtomicBool,
    leaves_differences: AtomicBool,
}

/// Runs a test over a fresh database, then looks at what it has left behind.
pub async fn run(kind: Kind, test: impl AsyncFnOnce(&TestApp)) {
    let database = Database::migrated(kind).await;
    let app = TestApp::start(database.url(), 1).await;
    test(&app).await;
    app.finish().await;
    database.drop().await;
}

impl TestApp {
    /// An application over a migrated database. Two over one database need two seeds, as their ids must differ.
    pub async fn start(url: &str, seed: u64) -> Self {
        // The receivers of tests are on this machine.
        let outbound = Outbound::new(true, Scale::REAL);
        Self::start_with(url, seed, outbound).await
    }

    /// As [`TestApp::start`], calling nobody inside, as is usual.
    pub async fn careful(url: &str, seed: u64) -> Self {
        Self::start_with(url, seed, Outbound::default()).await
    }

    async fn start_with(url: &str, seed: u64, outbound: Outbound) -> Self {
        let mailbox = Mailbox::open().await;
        let clock = Clock::manual(at("2026-11-21T12:00:00Z"));
        let ids = Ids::seeded(clock.clone(), seed);
        let parts = Parts {
            db: Db::open(url).await.unwrap(),
            clock: clock.clone(),
            ids,
            public_url: PUBLIC_URL.to_owned(),
            rate: Rate::default(),
            dev: false,
            outbound,
            mailer: mailer(&mailbox),
            feed_retention: jobs::purge::FEED_RETENTION,
        };
        let app = App::start(parts).await.unwrap();
        Self {
            router: api::http::router(&app),
            app,
            clock,
            url: url.to_owned(),
            mailbox,
            leaves_failures: AtomicBool::new(false),
            leaves_differences: AtomicBool::new(false),
        }
    }

    /// Every address of the application.
    pub fn router(&self) -> Router {
        self.router.clone()
    }

    /// Evaluates everything that is due, takes back what is to be taken back, goes on with back-fills, and books what has come due by time alone.
    pub async fn run_jobs(&self) {
        let never = CancellationToken::new();
        jobs::evaluate::drain(&self.app.jobs, &never).await.unwrap();
        jobs::retract::drain(&self.app.jobs, &never).await.unwrap();
        jobs::backfill::drain(&self.app.jobs, &never).await.unwrap();
        jobs::expire::run(&self.app.jobs).await.unwrap();
    }

    /// Runs the schedules that are due, decides every message that is due, and sends those that go; what the mail server was sent.
    pub async fn write_to_members(&self) -> Vec<Received> {
        let never = CancellationToken::new();
        let writing = jobs::message::drain(&self.app.jobs, &never);
        tokio::time::timeout(DEADLINE, writing).await.unwrap().unwrap();
        self.mailbox.take()
    }

    /// Makes every delivery that is due.
    pub async fn deliver(&self) {
        let never = CancellationToken::new();
        let delivering = jobs::deliver::drain(&self.app.jobs, &never);
        tokio::time::timeout(DEADLINE, delivering).await.unwrap().unwrap();
    }

    /// What operators see of this process.
    pub async fn metrics(&self) -> String {
        let request = Request::get("/metrics").body(Body::empty()).unwrap();
        let router = api::http::metrics::router(&self.app);
        let response = tower::ServiceExt::oneshot(router, request).await.unwrap();
        assert_eq!(response.status(), 200);
        let body = axum::body::to_bytes(response.into_body(), usize::MAX)
            .await
            .unwrap();
        String::from_utf8(body.to_vec()).unwrap()
    }

    /// Sets the clock.
    pub fn set_clock(&self, instant: &str) {
        self.clock.set(at(instant));
    }

    /// Lets time pass.
    pub fn pass(&self, time: TimeDelta) {
        self.clock.set(self.now().checked_add_signed(time).unwrap());
    }

    /// The current instant.
    pub fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    /// A token of this party, signed with the application's key.
    pub fn token(&self, party: Party, scopes: &str) -> String {
        self.token_for(party, scopes, TimeDelta::hours(24))
    }

    /// As [`TestApp::token`], good for so long.
    pub fn token_for(&self, party: Party, scopes: &str, life: TimeDelta) -> String {
        let grant = Grant {
            party,
            client_id: "plaudit".to_owned(),
            scopes: scopes.parse().unwrap(),
            life,
            token_id: self.app.ids.text(),
        };
        let verifier = &self.app.verifier;
        let token = issue(&verifier.ring(), verifier.authority(), &grant, self.now()).unwrap();
        token.expose().to_owned()
    }

    /// Whoever shows this token.
    pub fn with(&self, token: &str) -> Caller<'_> {
        Caller::new(self, Some(token.to_owned()))
    }

    /// Whoever shows none.
    pub fn anonymous(&self) -> Caller<'_> {
        Caller::new(self, None)
    }

    /// A caller of this party with these scopes.
    pub fn by(&self, party: Party, scopes: &str) -> Caller<'_> {
        self.with(&self.token(party, scopes))
    }

    /// The operator of the installation.
    pub fn operator(&self) -> Caller<'_> {
        self.by(Party::Operator, "operator")
    }

    /// Runs SQL that no code of ours would.
    pub async fn sql(&self, sql: &str) -> Result<(), sea_orm::DbErr> {
        let txn = self.app.db.write_txn().await?;
        txn.execute_unprepared(sql).await?;
        txn.commit().await
    }

    /// Runs SQL that differs between the databases.
    pub async fn sql_either(&self, sqlite: &str, postgres: &str) {
        let sql = match self.app.db.kind() {
            entity::db::Kind::Sqlite => sqlite,
            entity::db::Kind::Postgres => postgres,
        };
        self.sql(sql).await.unwrap();
    }

    /// The number that a `SELECT count(*) …` gives.
    pub async fn count(&self, sql: &str) -> i64 {
        database::count(&self.app.db, sql).await
    }

    /// The tables that hold a text in any column of any row, in either case, as text or as bytes.
    pub async fn tables_with(&self, text: &str) -> Vec<&'static str> {
        let mut found = Vec::new();
        for table in database::TABLES {
            let holds = match self.app.db.kind() {
                entity::db::Kind::Sqlite => {
                    let columns = database::columns(&self.app.db, table).await;
                    let holds = |column: &String| {
                        format!("instr(lower(CAST({column} AS TEXT)), lower('{text}')) > 0")
                    };
                    columns.iter().map(holds).collect::<Vec<_>>().join(" OR ")
                }
                entity::db::Kind::Postgres => {
                    let bytes: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
                    format!("held::text ILIKE '%{text}%' OR held::text ILIKE '%{bytes}%'")
                }
            };
            let query = format!("SELECT count(*) AS count FROM {table} AS held WHERE {holds}");
            if self.count(&query).await > 0 {
                found.push(table);
            }
        }
        found
    }

    /// How many rows each table holds.
    pub async fn row_counts(&self) -> Vec<(&'static str, i64)> {
        let mut counts = Vec::new();
        for table in database::TABLES {
            counts.push((
                table,
                self.count(&format!("SELECT count(*) AS count FROM {table}"))
                    .await,
            ));
        }
        counts
    }

    /// Says that this test leaves dead events, or events that still wait for a further try.
    pub fn leave_failures(&self) {
        self.leaves_failures.store(true, Ordering::SeqCst);
    }

    /// Says that this test leaves rows that do not agree with each other.
    pub fn leave_differences(&self) {
        self.leaves_differences.store(true, Ordering::SeqCst);
    }

    /// What must be true after any test, then the end of the application.
    async fn finish(self) {
        self.run_jobs().await;
        self.check().await;
        self.stop().await;
    }

    /// Ends the application without a look at what it leaves.
    pub async fn stop(self) {
        let Self { app, router, .. } = self;
        // The router holds the application; its tasks end with the last handle.
        drop(router);
        tokio::time::timeout(DEADLINE, app.stop())
            .await
            .expect("the application ends when it is told to");
    }

    async fn check(&self) {
        if !self.leaves_failures.load(Ordering::SeqCst) {
            let waiting = self.count("SELECT count(*) AS count FROM event").await;
            assert_eq!(
                waiting, 0,
                "events that failed are still waiting for a further try"
            );
            let dead = self.count("SELECT count(*) AS count FROM dead_event").await;
            assert_eq!(dead, 0, "there are dead events");
        }
        if self.leaves_differences.load(Ordering::SeqCst) {
            return;
        }
        let report = entity::check::run(&self.app.db).await.unwrap();
        let differences = report.differences.iter().map(ToString::to_string);
        assert_eq!(differences.collect::<Vec<_>>(), Vec::<String>::new());
    }
}

/// Mail through the server of a test.
fn mailer(mailbox: &Mailbox) -> Mailer {
    let server = Server::parse(mailbox.url()).unwrap();
    Mailer::smtp(server)
        .unwrap()
        .with_from("hello@plaudit.test")
        .unwrap()
}
