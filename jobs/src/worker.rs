//! The workers: one apalis worker a duty, each a loop that is nudged, does all there is to do, and waits.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use apalis::layers::WorkerBuilderExt;
use apalis_core::error::BoxDynError;
use apalis_core::worker::builder::WorkerBuilder;
use futures_util::future::BoxFuture;
use futures_util::{FutureExt, TryFutureExt};
use sea_orm::DbErr;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::queue::{Nudge, nudges};
use crate::supervise::{self, Health};
use crate::{Context, backfill, deliver, evaluate, expire, message, purge, retract};

/// The longest that a lost wake-up can delay an evaluation.
const SWEEP_EVERY: Duration = Duration::from_secs(1);
/// Purging is cheap and in no hurry; only a clock that is set forward wakes it before its hour.
const PURGE_EVERY: Duration = Duration::from_hours(1);
/// Whoever looks at points or spends them counts by the clock anyway; this is how late the ledger may say so.
const EXPIRE_EVERY: Duration = Duration::from_mins(1);

/// Whoever starts a back-fill wakes it; this is how late it may begin when that is lost, or go on when a process has died.
const BACKFILL_EVERY: Duration = Duration::from_secs(10);

/// What a duty does when it is nudged.
type Work = Arc<dyn Fn(Nudge) -> BoxFuture<'static, Result<(), DbErr>> + Send + Sync>;

/// Runs every duty until `shutdown`, then lets each finish what it is at.
pub async fn run(context: Context, evaluators: usize, health: Health, shutdown: CancellationToken) {
    let mut duties = tokio::task::JoinSet::new();
    let (evaluating, stop) = (context.clone(), shutdown.clone());
    let evaluate: Work = Arc::new(move |nudge| {
        let (context, stop) = (evaluating.clone(), stop.clone());
        async move {
            if nudge == Nudge::Woken || evaluate::is_due(&context).await? {
                evaluate::drain(&context, &stop).await?;
            }
            retract::drain(&context, &stop).await
        }
        .boxed()
    });
    for number in 0..evaluators {
        // The others help the first one where there is much to do.
        let woken = if number == 0 {
            context.wakes.watch_events()
        } else {
            context.wakes.watch_backlog()
        };
        duties.spawn(duty(
            format!("evaluate-{number}"),
            woken,
            SWEEP_EVERY,
            health.clone(),
            shutdown.clone(),
            Arc::clone(&evaluate),
        ));
    }
    let (woken, delivering, stop) = (
        context.wakes.watch_deliveries(),
        context.clone(),
        shutdown.clone(),
    );
    let deliver: Work = Arc::new(move |_| {
        let (context, stop) = (delivering.clone(), stop.clone());
        async move { deliver::run(&context, SWEEP_EVERY, &stop).await }.boxed()
    });
    duties.spawn(duty(
        "deliver".to_owned(),
        woken,
        SWEEP_EVERY,
        health.clone(),
        shutdown.clone(),
        deliver,
    ));
    let (woken, writing, stop) = (context.wakes.watch_messages(), context.clone(), shutdown.clone());
    let messages: Work = Arc::new(move |_| {
        let (context, stop) = (writing.clone(), stop.clone());
        async move { message::drain(&context, &stop).await }.boxed()
    });
    duties.spawn(duty(
        "messages".to_owned(),
        woken,
        SWEEP_EVERY,
        health.clone(),
        shutdown.clone(),
        messages,
    ));
    let (woken, expiring) = (context.wakes.watch_housekeeping(), context.clone());
    let expire: Work = Arc::new(move |_| {
        let context = expiring.clone();
        async move { expire::run(&context).await }.boxed()
    });
    duties.spawn(duty(
        "expire".to_owned(),
        woken,
        EXPIRE_EVERY,
        health.clone(),
        shutdown.clone(),
        expire,
    ));
    let (woken, filling, stop) = (
        context.wakes.watch_housekeeping(),
        context.clone(),
        shutdown.clone(),
    );
    let backfill: Work = Arc::new(move |_| {
        let (context, stop) = (filling.clone(), stop.clone());
        async move { backfill::drain(&context, &stop).await }.boxed()
    });
    duties.spawn(duty(
        "backfill".to_owned(),
        woken,
        BACKFILL_EVERY,
        health.clone(),
        shutdown.clone(),
        backfill,
    ));
    let woken = context.wakes.watch_housekeeping();
    let purge: Work = Arc::new(move |_| {
        let context = context.clone();
        async move { purge::run(&context).await }.boxed()
    });
    duties.spawn(duty(
        "purge".to_owned(),
        woken,
        PURGE_EVERY,
        health,
        shutdown,
        purge,
    ));
    while duties.join_next().await.is_some() {}
}

/// One duty: an apalis worker that does `work` at every nudge, built anew whenever it ends before `shutdown`.
async fn duty(
    name: String,
    woken: watch::Receiver<u64>,
    every: Duration,
    health: Health,
    shutdown: CancellationToken,
    work: Work,
) {
    let (duty, noted, stop) = (name.clone(), health.clone(), shutdown.clone());
    supervise::keep_running(name, health, shutdown, move |worker| {
        let (duty, noted, stop, work) = (duty.clone(), noted.clone(), stop.clone(), Arc::clone(&work));
        let backend = nudges(woken.clone(), every);
        let handle = move |nudge: Nudge| {
            let (duty, noted, work) = (duty.clone(), noted.clone(), work(nudge));
            async move {
                // Caught here and not by a layer of apalis, so that a panic counts as a failure of the duty in its health.
                let outcome = AssertUnwindSafe(work)
                    .catch_unwind()
                    .await
                    .unwrap_or_else(|_| Err(DbErr::Custom("it panicked".into())));
                noted.note(&duty, &outcome);
                // The next nudge is the next try; the queue is told nothing, so it repeats nothing by itself.
                if let Err(error) = outcome {
                    tracing::warn!(duty, error = %error, "a duty failed; the next sweep tries again");
                }
            }
        };
        let worker = WorkerBuilder::new(worker.as_str())
            .backend(backend)
            .concurrency(1)
            .build(handle);
        let stopped = async move {
            stop.cancelled().await;
            Ok::<(), std::io::Error>(())
        };
        worker.run_until(stopped).map_err(BoxDynError::from).boxed()
    })
    .await;
}
