//! The verbs that happen later: who earned what, decided from the queue of events and recorded exactly once.
//!
//! ```text
//! wake or sweep ─▶ worker ─┬▶ evaluate: claim a batch of events ──────┐
//!                          ├▶ retract: claim a batch of retractions ──┴▶ judge: progress, rules (pure) ─▶ record ─▶ commit ─▶ wake the feeds
//!                          ├▶ messages: decide what members are written, and send it
//!                          ├▶ deliver: call the partners' webhook endpoints
//!                          ├▶ backfill: tell a partner what was achieved before it was granted the program
//!                          ├▶ expire: book what has come due by the passing of time alone
//!                          └▶ purge: forget what has served its time
//! ```
//!
//! The cast: an *event* stands in the queue of record from its acceptance to its evaluation; a *contribution* is what an event counted
//! for, by which it can be taken back when the event itself is forgotten; a *retraction* names an event that is to be taken back, and
//! waits for it where it has not come yet; a *progress* row is what an incentive remembers of a member; an *award* is what the rules
//! say was earned; an *achievement* is the award as a row, with *why*, and revoked but never deleted when it no longer holds; a *feed
//! entry* tells a partner of either, and a *delivery* is the promise to call one of its endpoints with it. One transaction takes events out of the queue, or settles retractions, and writes all the rest,
//! so a crash leaves either everything or nothing, and the next worker finds the work where it was.
//!
//! What the words of an incentive mean is on the page of record, in [`rules`].
//!
//! Why every duty is both woken and periodic: a wake-up is only a hint and may be lost (a process dies, a connection drops), so
//! each duty takes its work from the tables and runs at least once a second or an hour as well. Correctness never depends on a
//! wake-up; only waiting times do.
//!
//! Architecture invariants: the rules touch no database, no clock, no network; nothing here answers a request; only [`queue`],
//! [`worker`] and [`supervise`] name apalis.

pub mod backfill;
pub mod campaign;
pub mod catalogue;
pub mod deliver;
pub mod evaluate;
pub mod expire;
pub mod export;
pub mod judge;
pub mod levels;
pub mod message;
pub mod metrics;
pub mod moment;
pub mod outcome;
pub mod purge;
pub mod queue;
pub mod record;
pub mod redemption;
pub mod retract;
pub mod rules;
pub mod supervise;
pub mod told;
pub mod wake;
pub mod why;
pub mod worker;

use std::sync::Arc;

use chrono::TimeDelta;
use entity::clock::Clock;
use entity::db::Db;
use entity::id::Ids;

/// What every duty may touch; tests build it with a clock and ids of their own.
#[derive(Clone)]
pub struct Context {
    /// The database.
    pub db: Db,
    /// The current instant.
    pub clock: Clock,
    /// New ids.
    pub ids: Ids,
    /// Who is to be woken when there is news.
    pub wakes: wake::Wakes,
    /// What operators watch of this process.
    pub metrics: metrics::Metrics,
    /// The employers' incentives, compiled.
    pub catalogues: Arc<catalogue::Catalogues>,
    /// What is called outside, and how patiently.
    pub outbound: deliver::Outbound,
    /// Where mail goes.
    pub mailer: deliver::mail::Mailer,
    /// What the employers' own servers have written for mail a moment ago.
    pub contents: deliver::content::Contents,
    /// Whether the mail server is left alone for a while.
    pub gate: message::Gate,
    /// Where members reach this installation, without a slash at the end: for the links in messages.
    pub public_url: Arc<str>,
    /// How long entries of feeds are kept.
    pub feed_retention: TimeDelta,
}

impl Context {
    /// A context over this database, with what is set when nothing is said.
    pub fn new(db: Db, clock: Clock, ids: Ids, wakes: wake::Wakes) -> Self {
        Self {
            db,
            clock,
            ids,
            wakes,
            metrics: metrics::Metrics::default(),
            catalogues: Arc::default(),
            outbound: deliver::Outbound::default(),
            mailer: deliver::mail::Mailer::nowhere(),
            contents: deliver::content::Contents::default(),
            gate: message::Gate::default(),
            public_url: Arc::from(""),
            feed_retention: purge::FEED_RETENTION,
        }
    }
}
