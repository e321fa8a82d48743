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
use entity::message;
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
    let mut reserved: VecDeque<Outgoing> = VecDeque::new();
    let mut calls = JoinSet::new();
    let mut finished: Vec<Finished> = Vec::new();
    loop {
        let can_try = context.gate.is_open(context.clock.now());
        if stop.is_cancelled() || !can_try {
            // Others, or we later, decide anew what is reserved and was not begun.
            let now = context.clock.now();
            finished.extend(reserved.drain(..).map(|outgoing| send::put_back(outgoing, now)));
        }
        settle(context, std::mem::take(&mut finished)).await?;
        if stop.is_cancelled() {
            return end(context, calls).await;
        }
        let mut looked_at = 0;
        if can_try && reserved.is_empty() {
            let taken = claim::take(context, BATCH).await?;
            looked_at = taken.looked_at;
            reserved.extend(taken.outgoing);
        }
        while calls.len() < UNDER_WAY
            && let Some(next) = reserved.pop_front()
        {
            calls.spawn(send::send(context.clone(), next));
        }
        match calls.join_next().await {
            Some(outcome) => finished.extend(known(outcome)),
            // Nothing is under way: it goes on as long as there is something to decide.
            None if looked_at > 0 => {}
            None => return Ok(()),
        }
        while let Some(outcome) = calls.try_join_next() {
            finished.extend(known(outcome));
        }
    }
}

/// What came of a message; of one whose sending panicked nothing is known, and its lease ends.
fn known(outcome: Result<Option<Finished>, tokio::task::JoinError>) -> Option<Finished> {
    outcome
        .inspect_err(|error| tracing::error!(error = %error, "a message ended without an outcome"))
        .ok()
        .flatten()
}

async fn end(context: &Context, mut calls: JoinSet<Option<Finished>>) -> Result<(), DbErr> {
    let mut finished = Vec::new();
    let all = async {
        while let Some(outcome) = calls.join_next().await {
            finished.extend(known(outcome));
        }
    };
    if tokio::time::timeout(STOP_WITHIN, all).await.is_err() {
        tracing::info!("messages were still being sent and are cut off; what became of them is unknown");
    }
    settle(context, finished).await
}

/// Writes down what came of messages.
async fn settle(context: &Context, finished: Vec<Finished>) -> Result<(), DbErr> {
    if finished.is_empty() {
        return Ok(());
    }
    let suppressed: Vec<_> = finished.iter().filter_map(|one| one.suppressed.clone()).collect();
    let leases: Vec<i64> = finished.iter().map(|one| one.lease).collect();
    let rows: Vec<message::Model> = finished.iter().map(|one| one.row.clone()).collect();
    let txn = context.db.write_txn().await?;
    message::settle(&*txn, &leases, &rows).await?;
    if !suppressed.is_empty() {
        entity::suppression::record(&*txn, &suppressed).await?;
    }
    txn.commit().await?;
    for one in finished {
        context.metrics.count(&MESSAGES, [("outcome", one.outcome)], 1);
    }
    Ok(())
}
