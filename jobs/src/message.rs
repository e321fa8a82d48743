//! Messages to members, from what brings them about to the mail server: the shell around [`crate::campaign`].
//!
//! ```text
//! award ─▶ message (one transaction) ─▶ claim: decided under the member's lock ─┬▶ dropped, or due again later
//! schedule ─▶ messages of its segment ─▶┘                                       └▶ reserved: a lease, and a place in the caps
//!                                              content source, templates ─▶ being sent ─▶ mail server ─▶ settle
//! ```
//!
//! A message that a mail server has taken is never sent again, and neither is one of which nobody knows whether it was taken. Whoever dies
//! before a message is marked as being sent has handed nothing over, and it is decided anew; whoever dies after that leaves it unknown,
//! which a person sees and decides. What is called outside is called outside any transaction.

mod claim;
mod schedule;
mod send;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use entity::{db, message, suppression};
use sea_orm::DbErr;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::Context;
use crate::deliver::backoff::{self, Scale};
use crate::deliver::mail::CONNECTIONS;
use crate::metrics::Count;
use claim::Outgoing;
use send::Finished;

/// Messages decided in one transaction.
const BATCH: usize = 500;
/// Messages under way at once: so many content sources are asked at once.
const UNDER_WAY: usize = 32;
/// How long messages that are under way may go on when the process is to end; what is cut off is settled by its lease.
const STOP_WITHIN: Duration = Duration::from_secs(10);
/// How long a database that is away is waited for, to write down what came of messages, and how soon it is asked again.
const SETTLE_WITHIN: Duration = Duration::from_mins(1);
const SETTLE_AGAIN_AFTER: Duration = Duration::from_millis(200);

const MESSAGES: Count = Count::new(
    "messages",
    "Messages to members, by outcome: sent, failed, unknown, deferred, or the reason for which they were dropped",
);

/// The way to the mail server: as many at once as there are connections, so that what is marked as being sent does not wait for one; and
/// none for a while when it does not answer. Cheap to clone; all clones are one.
#[derive(Debug, Clone)]
pub struct Gate {
    silence: Arc<Mutex<Silence>>,
    turns: Arc<Semaphore>,
}

impl Default for Gate {
    fn default() -> Self {
        Self {
            silence: Arc::default(),
            turns: Arc::new(Semaphore::new(CONNECTIONS)),
        }
    }
}

/// For how many messages in a row there was no answer, and until when no other is tried.
#[derive(Debug, Default)]
struct Silence {
    failures: i64,
    until: Option<DateTime<Utc>>,
}

impl Gate {
    /// A turn at the mail server; none: nobody is to have one any more.
    async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        self.turns.acquire().await.ok()
    }

    /// Takes note of whether the mail server has answered.
    fn note(&self, has_answered: bool, (now, jitter): (DateTime<Utc>, f64), scale: Scale) {
        let mut silence = self.silence.lock().unwrap_or_else(PoisonError::into_inner);
        if has_answered {
            *silence = Silence::default();
            return;
        }
        silence.failures = silence.failures.saturating_add(1);
        let wait = backoff::probe(silence.failures, jitter, scale);
        silence.until = wait.and_then(|wait| now.checked_add_signed(wait));
    }

    /// Whether messages can be tried now.
    fn is_open(&self, now: DateTime<Utc>) -> bool {
        let silence = self.silence.lock().unwrap_or_else(PoisonError::into_inner);
        silence.until.is_none_or(|until| until <= now)
    }
}

/// Runs what schedules are due, and decides and sends every message that is due, until there is none left or the process is to end.
pub async fn drain(context: &Context, stop: &CancellationToken) -> Result<(), DbErr> {
    schedule::run(context, stop).await?;
    // Without a way out nothing is decided: it would be decided by what holds now, and be sent when something else does.
    if context.mailer.goes_nowhere() {
        return Ok(());
    }
    let mut desk = Desk::default();
    let outcome = desk.work(context, stop).await;
    // Whatever has ended it: what is being sent is not cut off where it ends soon, and what came of it is written down.
    let cleared = desk.clear(context, stop).await;
    outcome.and(cleared)
}

/// What is being worked at.
#[derive(Default)]
struct Desk {
    /// To be sent, and not begun.
    reserved: VecDeque<Outgoing>,
    /// Being sent.
    under_way: JoinSet<Option<Finished>>,
    /// What came of those that were sent, to be written down.
    finished: Vec<Finished>,
}

impl Desk {
    /// Decides and sends what is due, until there is none left, an error, or the process is to end.
    async fn work(&mut self, context: &Context, stop: &CancellationToken) -> Result<(), DbErr> {
        while !stop.is_cancelled() {
            let can_try = context.gate.is_open(context.clock.now());
            if !can_try {
                self.put_back(context);
            }
            self.settle(context, stop).await?;
            let mut looked_at = 0;
            if can_try && self.reserved.is_empty() {
                let taken = claim::take(context, BATCH).await?;
                looked_at = taken.looked_at;
                self.reserved.extend(taken.outgoing);
            }
            while self.under_way.len() < UNDER_WAY
                && let Some(next) = self.reserved.pop_front()
            {
                self.under_way.spawn(send::send(context.clone(), next));
            }
            match self.under_way.join_next().await {
                Some(outcome) => self.finished.extend(known(outcome)),
                // Nothing is under way: it goes on as long as there is something to decide.
                None if looked_at > 0 => {}
                None => return Ok(()),
            }
            while let Some(outcome) = self.under_way.try_join_next() {
                self.finished.extend(known(outcome));
            }
        }
        Ok(())
    }

    /// Lets others, or us later, decide anew what is reserved and was not begun.
    fn put_back(&mut self, context: &Context) {
        let now = context.clock.now();
        let left = self.reserved.drain(..);
        self.finished
            .extend(left.map(|outgoing| send::put_back(outgoing, now)));
    }

    /// Leaves nothing: waits for what is being sent, and writes down what came of it.
    async fn clear(mut self, context: &Context, stop: &CancellationToken) -> Result<(), DbErr> {
        self.put_back(context);
        let all = async {
            while let Some(outcome) = self.under_way.join_next().await {
                self.finished.extend(known(outcome));
            }
        };
        if tokio::time::timeout(STOP_WITHIN, all).await.is_err() {
            tracing::warn!("messages were still being sent and are cut off; what became of them is unknown");
        }
        self.settle(context, stop).await
    }

    /// Writes down what came of messages. A database that is away for a moment is waited for: else what a mail server has taken would stand
    /// as unknown.
    async fn settle(&mut self, context: &Context, stop: &CancellationToken) -> Result<(), DbErr> {
        if self.finished.is_empty() {
            return Ok(());
        }
        let began = tokio::time::Instant::now();
        while let Err(error) = write(context, &self.finished).await {
            let may_pass = db::is_retryable(&error) || db::is_unavailable(&error);
            if !may_pass || stop.is_cancelled() || began.elapsed() > SETTLE_WITHIN {
                return Err(error);
            }
            tracing::warn!(error = %error, "what came of messages could not be written down, and is tried again");
            drop(tokio::time::timeout(SETTLE_AGAIN_AFTER, stop.cancelled()).await);
        }
        for outcome in self.finished.drain(..).filter_map(|one| one.outcome) {
            context.metrics.count(&MESSAGES, [("outcome", outcome)], 1);
        }
        Ok(())
    }
}

/// What came of a message; of one whose sending panicked nothing is known, and its lease ends.
fn known(outcome: Result<Option<Finished>, tokio::task::JoinError>) -> Option<Finished> {
    outcome
        .inspect_err(|error| tracing::error!(error = %error, "a message ended without an outcome"))
        .ok()
        .flatten()
}

async fn write(context: &Context, finished: &[Finished]) -> Result<(), DbErr> {
    let suppressed: Vec<_> = finished.iter().filter_map(|one| one.suppressed.clone()).collect();
    let leases: Vec<i64> = finished.iter().map(|one| one.lease).collect();
    let rows: Vec<message::Model> = finished.iter().map(|one| one.row.clone()).collect();
    let txn = context.db.write_txn().await?;
    message::settle(&*txn, &leases, &rows).await?;
    if !suppressed.is_empty() {
        suppression::record(&*txn, &suppressed).await?;
    }
    txn.commit().await
}
