//! Delivering what is promised: each entry of a feed to each webhook endpoint of its partner.
//!
//! ```text
//! feed entry ─▶ delivery (one transaction) ─▶ claim: a lease ─▶ call, outside any transaction ─▶ settle: only while the lease holds
//!                     ▲                                                                            │ failed: due again, later each time
//!                     └────────────────────────────────────────────────────────────────────────────┘
//! ```
//!
//! A delivery may be made more than once, and says so: whoever dies between the call and its settling leaves a lease that ends, and the
//! entry is sent again under the same `webhook-id`. It is never lost: what is promised stays promised until the endpoint takes it.
//!
//! A dead receiver costs the living nothing: few calls at a time go to one endpoint, and after some failures in a row one at a time, less
//! and less often ([`backoff`]). When that has gone on for days, or the endpoint says that it is gone, it is parked: not called, but
//! nothing is dropped, and it goes on where it stopped when its partner resumes it.

pub mod backoff;
pub mod claim;
pub mod content;
pub mod egress;
pub mod mail;
pub mod settle;
pub mod webhook;

use std::sync::Arc;
use std::time::Duration;

use entity::clock::Timestamp;
use entity::delivery::Finished;
use sea_orm::DbErr;
use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::Context;
use crate::metrics::Time;
use backoff::Scale;
use claim::Call;
use egress::Egress;

/// Calls under way at once, to all endpoints together.
const CALLS: usize = 512;
/// How long calls that are under way may go on when the process is to end; what is cut off is taken up by its lease.
const STOP_WITHIN: Duration = Duration::from_secs(5);

/// The shortest wait for what is due.
const MOMENT: Duration = Duration::from_millis(50);
/// How long to wait for calls without a look at what has come due meanwhile.
const LOOK_EVERY: Duration = Duration::from_secs(1);

const LATE: Time = Time::new(
    "webhook_latency",
    "From the recording of an entry until an endpoint had taken it, without calls made again by hand",
);

/// What is called and how patiently.
#[derive(Debug, Clone)]
pub struct Outbound {
    /// The way out.
    pub egress: Arc<Egress>,
    /// By how much every wait of ours is shortened.
    pub scale: Scale,
    /// How long a call may take.
    pub deadline: Duration,
}

impl Outbound {
    /// The settings of an installation.
    pub fn new(allow_private_networks: bool, scale: Scale) -> Self {
        Self {
            egress: Arc::new(Egress::new(allow_private_networks)),
            scale,
            deadline: egress::DEADLINE,
        }
    }
}

impl Default for Outbound {
    fn default() -> Self {
        Self::new(false, Scale::REAL)
    }
}

/// Makes every delivery that is due, and waits for the next as long as it is due before the next sweep.
pub async fn run(context: &Context, sweep_every: Duration, stop: &CancellationToken) -> Result<(), DbErr> {
    let mut woken = context.wakes.watch_deliveries();
    loop {
        woken.mark_unchanged();
        let next = until(context, drain(context, stop).await?);
        let Some(next) = next.filter(|next| *next < sweep_every && !stop.is_cancelled()) else {
            return Ok(());
        };
        tokio::select! {
            _ = tokio::time::timeout(next, stop.cancelled()) => {}
            () = news(&mut woken) => {}
        }
    }
}

/// Makes every delivery that is due, until there is none left or the process is to end; says when the next is due, if one is promised.
///
/// What came of calls is written down while others are looked for: whoever fails keeps nobody waiting who is told at that moment.
pub async fn drain(context: &Context, stop: &CancellationToken) -> Result<Option<Timestamp>, DbErr> {
    let mut woken = context.wakes.watch_deliveries();
    let mut calls = JoinSet::new();
    let mut finished = Vec::new();
    // One transaction at most: what ends meanwhile goes into the next.
    let mut settling: JoinSet<Result<(), DbErr>> = JoinSet::new();
    let (mut is_news, mut next) = (true, None);
    loop {
        if stop.is_cancelled() {
            while let Some(outcome) = settling.join_next().await {
                settled(outcome)?;
            }
            end(context, calls, finished).await?;
            return Ok(None);
        }
        if settling.is_empty() && !finished.is_empty() {
            let (context, finished) = (context.clone(), std::mem::take(&mut finished));
            settling.spawn(async move { settle::write(&context, finished).await });
        }
        if is_news {
            // Before the look into the tables: what is promised in between is either seen or wakes.
            woken.mark_unchanged();
            let claimed = claim::take(context, CALLS.saturating_sub(calls.len())).await?;
            next = claimed.next;
            for call in claimed.calls {
                calls.spawn(make(context.clone(), call));
            }
            is_news = false;
        }
        if calls.is_empty() && settling.is_empty() {
            return Ok(next);
        }
        let wait = until(context, next).unwrap_or(LOOK_EVERY).min(LOOK_EVERY);
        tokio::select! {
            // The first result, and all that have come with it.
            Some(first) = calls.join_next() => {
                finished.extend(known(first));
                while let Some(more) = calls.try_join_next() {
                    finished.extend(known(more));
                }
            }
            // Whoever had as many calls as may be can have others.
            Some(outcome) = settling.join_next() => {
                settled(outcome)?;
                is_news = true;
            }
            () = news(&mut woken) => is_news = true,
            _ = tokio::time::timeout(wait, stop.cancelled()) => is_news = true,
        }
    }
}

/// What came of writing down what came of calls.
fn settled(outcome: Result<Result<(), DbErr>, JoinError>) -> Result<(), DbErr> {
    outcome.unwrap_or_else(|error| {
        Err(DbErr::Custom(format!(
            "settling ended without an outcome: {error}"
        )))
    })
}

/// How long it is until then; at least a moment, in which others can finish what they are at.
fn until(context: &Context, next: Option<Timestamp>) -> Option<Duration> {
    let wait = next?.instant().signed_duration_since(context.clock.now());
    Some(wait.to_std().unwrap_or_default().max(MOMENT))
}

/// Waits for news; when nobody is left to bring any, for ever.
async fn news(woken: &mut watch::Receiver<u64>) {
    if woken.changed().await.is_err() {
        std::future::pending::<()>().await;
    }
}

async fn end(
    context: &Context,
    mut calls: JoinSet<Finished>,
    mut finished: Vec<Finished>,
) -> Result<(), DbErr> {
    let all = async {
        while let Some(one) = calls.join_next().await {
            finished.extend(known(one));
        }
    };
    if tokio::time::timeout(STOP_WITHIN, all).await.is_err() {
        tracing::info!("deliveries were still under way and are cut off; they are made again");
    }
    settle::write(context, finished).await
}

/// What came of a call; of one that panicked nothing is known, and its lease ends.
fn known(outcome: Result<Finished, JoinError>) -> Option<Finished> {
    outcome
        .inspect_err(|error| tracing::error!(error = %error, "a delivery ended without an outcome"))
        .ok()
}

/// Calls an endpoint.
async fn make(context: Context, call: Call) -> Finished {
    let began = tokio::time::Instant::now();
    let at = context.clock.now();
    let outbound = &context.outbound;
    let headers = call.headers(at.timestamp());
    let outcome = outbound
        .egress
        .post(&call.url, &headers, call.body, outbound.deadline)
        .await;
    let milliseconds = i64::try_from(began.elapsed().as_millis()).unwrap_or(i64::MAX);
    let now = context.clock.now();
    let mut random = [0; 4];
    context.ids.fill(&mut random);
    let jitter = f64::from(u32::from_be_bytes(random)) / f64::from(u32::MAX);
    let verdict = settle::judge(&outcome, now);
    // What a partner has asked for again has no time of its own.
    let is_first_course = call.taken.attempts == call.taken.tries;
    if let Some(recorded) = call
        .recorded_at
        .filter(|_| verdict.is_delivered && is_first_course)
    {
        context.metrics.time(&LATE, [now.signed_duration_since(recorded)]);
    }
    let wait = backoff::wait(call.taken.tries + 1, jitter, verdict.asked, outbound.scale);
    Finished {
        lease: call.lease,
        at: Timestamp::from(at),
        milliseconds,
        status: verdict.status,
        error: verdict.error,
        answer: verdict.answer,
        delivered_at: verdict.is_delivered.then_some(Timestamp::from(now)),
        due_at: Timestamp::from(now.checked_add_signed(wait).unwrap_or(now)),
        closed_until: verdict
            .asked
            .map(|_| Timestamp::from(now.checked_add_signed(wait).unwrap_or(now))),
        jitter,
        taken: call.taken,
    }
}
