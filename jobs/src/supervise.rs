//! Keeping workers running: an apalis worker ends at the first error of its backend, so each is built anew, under a new name, after a
//! wait that doubles up to a limit. A duty that keeps failing shows in [`Health`].

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use apalis_core::error::BoxDynError;
use futures_util::future::BoxFuture;
use tokio_util::sync::CancellationToken;

/// The first wait after a failure, and the longest.
const WAIT: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));
/// A worker that ran this long was well: the next wait is the first again.
const WELL_AFTER: Duration = Duration::from_secs(30);

/// How the workers of this process are.
#[derive(Clone, Debug, Default)]
pub struct Health(Arc<Mutex<BTreeMap<String, u32>>>);

impl Health {
    /// The duties that have failed several times in a row and are waiting to be tried again.
    pub fn failing(&self) -> Vec<String> {
        self.lock()
            .iter()
            .filter(|(_, failures)| **failures >= 3)
            .map(|(duty, _)| duty.clone())
            .collect()
    }

    /// Notes how one run of a duty went.
    pub fn note<T, E>(&self, duty: &str, outcome: &Result<T, E>) {
        let mut failures = self.lock();
        let count = failures.entry(duty.to_owned()).or_default();
        *count = if outcome.is_ok() {
            0
        } else {
            count.saturating_add(1)
        };
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, u32>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The wait after so many failures in a row.
fn wait(failures: u32) -> Duration {
    WAIT.0
        .saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1).min(16)))
        .min(WAIT.1)
}

/// Runs what `start` builds until `shutdown`, and again whenever it ends before.
pub async fn keep_running(
    duty: String,
    health: Health,
    shutdown: CancellationToken,
    start: impl Fn(String) -> BoxFuture<'static, Result<(), BoxDynError>>,
) {
    let mut failures = 0;
    let mut run = 0_u64;
    while !shutdown.is_cancelled() {
        run += 1;
        let started = tokio::time::Instant::now();
        let outcome = start(format!("{duty}-{}-{run}", std::process::id())).await;
        if shutdown.is_cancelled() {
            return;
        }
        failures = if started.elapsed() >= WELL_AFTER {
            1
        } else {
            failures + 1
        };
        let outcome: Result<(), BoxDynError> = outcome.and_then(|()| Err("it ended by itself".into()));
        health.note(&duty, &outcome);
        let cause = outcome.err().map(|error: BoxDynError| error.to_string());
        tracing::error!(
            duty,
            failures,
            cause,
            "a worker stopped; it starts again after a wait"
        );
        drop(tokio::time::timeout(wait(failures), shutdown.cancelled()).await);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_doubles_up_to_its_limit() {
        let waits = [1, 2, 3, 6, 7, 100].map(|failures| wait(failures).as_millis());
        assert_eq!(waits, [100, 200, 400, 3_200, 5_000, 5_000]);
    }
}
