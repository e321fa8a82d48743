//! The application: everything a request may touch, built once. Tests build the same with a clock and ids of their own.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use entity::clock::Clock;
use entity::db::Db;
use entity::id::Ids;
use jobs::deliver::Outbound;
use jobs::deliver::mail::Mailer;
use jobs::supervise::Health;
use jobs::wake::{self, Wakes};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::auth::store::{self, StoreError};
use crate::auth::token::Authority;
use crate::auth::verifier::Verifier;
use crate::domain;
use crate::domain::feed::tail::Tails;
use crate::graphql::{PlauditSchema, schema};
use crate::http::limit::{Limits, Rate};
use crate::http::sockets::Sockets;
use crate::intake::Intake;

/// How often the keys and the revoked clients are read again: a revocation takes effect within this, and the door's own second.
const TRUST_EVERY: Duration = Duration::from_secs(1);
/// How often it is asked whether the signing key is old enough to be replaced.
const ROTATION_EVERY: TimeDelta = TimeDelta::hours(1);

/// Requests to redeem that hold a connection at once: fewer than there are connections, so that others find one.
const REDEEMING: usize = 8;

/// What the application is built from.
pub struct Parts {
    /// The database, migrated.
    pub db: Db,
    /// The clock.
    pub clock: Clock,
    /// The ids.
    pub ids: Ids,
    /// The address by which clients reach this installation.
    pub public_url: String,
    /// What a client may use in a process.
    pub rate: Rate,
    /// Whether the schema describes itself and a page to try it is served.
    pub dev: bool,
    /// What is called outside, and how patiently.
    pub outbound: Outbound,
    /// Where mail goes.
    pub mailer: Mailer,
    /// How long entries of feeds are kept.
    pub feed_retention: TimeDelta,
}

/// Everything a request may touch.
pub struct App {
    /// The database.
    pub db: Db,
    /// The current instant.
    pub clock: Clock,
    /// New ids and secrets.
    pub ids: Ids,
    /// Who is to be woken when there is news.
    pub wakes: Wakes,
    /// The door of the queue of events.
    pub intake: Intake,
    /// What the workers of this process work with.
    pub jobs: jobs::Context,
    /// How the workers of this process are.
    pub health: Health,
    /// Who signs tokens, and whose are taken.
    pub verifier: Arc<Verifier>,
    /// The open sockets and streams.
    pub sockets: Sockets,
    /// The ends of the feeds, as who listens to them reads them.
    pub tails: Tails,
    /// What is left of the clients' budgets.
    pub limits: Limits,
    /// Turns of those who redeem.
    pub redeeming: Semaphore,
    /// Cancelled when the process is to end.
    pub shutdown: CancellationToken,
    /// Whether the schema describes itself and a page to try it is served.
    pub dev: bool,
    /// Tasks that end after `shutdown` when they have done what they were at.
    tasks: TaskTracker,
}

impl App {
    /// Builds the application and starts its tasks: the committers of the intake, the relay of wake-ups and the keeper of trust.
    pub async fn start(parts: Parts) -> Result<Arc<Self>, StoreError> {
        let Parts {
            db,
            clock,
            ids,
            public_url,
            rate,
            dev,
            outbound,
            mailer,
            feed_retention,
        } = parts;
        let issuer = public_url.trim_end_matches('/').to_owned();
        let members_url: Arc<str> = Arc::from(issuer.as_str());
        let ring = store::open_ring(&db, clock.now()).await?;
        let verifier = Arc::new(Verifier::new(
            Authority {
                audience: issuer.clone(),
                issuer,
            },
            ring,
        ));
        store::refresh(&db, &verifier, clock.now()).await?;
        let (shutdown, tasks) = (CancellationToken::new(), TaskTracker::new());
        let wakes = Wakes::new(db.postgres_pool().is_some());
        let jobs = jobs::Context {
            outbound,
            mailer,
            feed_retention,
            public_url: members_url,
            ..jobs::Context::new(db.clone(), clock.clone(), ids.clone(), wakes.clone())
        };
        let intake = Intake::start(&jobs, &tasks);
        let app = Arc::new(Self {
            jobs,
            health: Health::default(),
            sockets: Sockets::default(),
            tails: Tails::default(),
            limits: Limits::new(rate),
            redeeming: Semaphore::new(REDEEMING),
            db,
            clock,
            ids,
            wakes,
            intake,
            verifier,
            shutdown,
            dev,
            tasks,
        });
        app.tasks.spawn(wake::relay(
            app.db.clone(),
            app.wakes.clone(),
            app.shutdown.clone(),
        ));
        app.tasks.spawn(keep_trust(
            app.db.clone(),
            app.clock.clone(),
            Arc::clone(&app.verifier),
            app.shutdown.clone(),
        ));
        Ok(app)
    }

    /// The executable schema over this application.
    pub fn schema(self: &Arc<Self>) -> PlauditSchema {
        schema(Some(Arc::clone(self)), self.dev)
    }

    /// Starts the workers in this process.
    pub fn start_workers(&self) {
        // On PostgreSQL one batch is evaluated while another one's commit waits for the disk; SQLite has one writer.
        let evaluators = if self.db.postgres_pool().is_some() { 2 } else { 1 };
        self.tasks.spawn(jobs::worker::run(
            self.jobs.clone(),
            evaluators,
            self.health.clone(),
            self.shutdown.clone(),
        ));
    }

    /// Reads the keys and the revoked clients again, now.
    pub async fn refresh_trust(&self) -> domain::Outcome<()> {
        match store::refresh(&self.db, &self.verifier, self.clock.now()).await {
            Ok(()) => Ok(()),
            Err(StoreError::Db(error)) => Err(error.into()),
            Err(error) => {
                tracing::error!(error = %error, "what is stored of keys or clients cannot be read");
                Err(domain::Error::Internal("keys or clients cannot be read"))
            }
        }
    }

    /// Tells everything to end, and waits for it: sockets, workers, events that wait for their commit.
    pub async fn stop(self: Arc<Self>) {
        self.shutdown.cancel();
        self.sockets.drained().await;
        let (tasks, db) = (self.tasks.clone(), self.db.clone());
        tasks.close();
        // The committers end with the last handle of the intake.
        drop(self);
        tasks.wait().await;
        if let Err(error) = db.close().await {
            tracing::warn!(error = %error, "the database was not closed cleanly");
        }
    }
}

/// Keeps the keys and the revoked clients up to date, and replaces the signing key when it is old.
async fn keep_trust(db: Db, clock: Clock, verifier: Arc<Verifier>, shutdown: CancellationToken) {
    let mut rotation_asked_at = clock.now();
    while tokio::time::timeout(TRUST_EVERY, shutdown.cancelled())
        .await
        .is_err()
    {
        let now = clock.now();
        if now.signed_duration_since(rotation_asked_at) >= ROTATION_EVERY {
            rotation_asked_at = now;
            match store::rotate_if_due(&db, now).await {
                Ok(true) => tracing::info!("a new signing key was published"),
                Ok(false) => {}
                Err(error) => tracing::warn!(error = %error, "the signing keys could not be looked after"),
            }
        }
        // While the database is away, what is known goes on to hold.
        if let Err(error) = store::refresh(&db, &verifier, now).await {
            tracing::warn!(error = %error, "keys and revoked clients could not be read");
        }
    }
}
