//! How many events are offered a second, and what that is made to depend on.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::{BATCH, Sample};
use crate::load::per_second;

/// From this age of the oldest event on, in seconds, less is offered; below the other one, more.
const OLD: f64 = 0.6;
const YOUNG: f64 = 0.25;
/// By how much less, at most once in as many samples; and by how much more, each time.
const LESS: f64 = 0.9;
const LESS_EVERY: usize = 4;
const MORE: f64 = 1.005;

/// When the next batch may be sent.
pub struct Pace(Mutex<Turns>);

struct Turns {
    /// None: at once.
    every: Option<Duration>,
    next: Instant,
}

impl Pace {
    /// Each at once.
    pub fn unlimited() -> Self {
        Self(Mutex::new(Turns {
            every: None,
            next: Instant::now(),
        }))
    }

    fn turns(&self) -> MutexGuard<'_, Turns> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// So many events a second.
    fn limit(&self, rate: f64) {
        let batches = rate / per_second(BATCH, Duration::from_secs(1));
        self.turns().every = Some(Duration::from_secs_f64(1.0 / batches.max(1.0)));
    }

    /// Waits until a batch may be sent. What could not be sent in time is not made up for.
    pub async fn turn(&self) {
        let at = {
            let mut turns = self.turns();
            let Some(every) = turns.every else {
                return;
            };
            let at = turns.next.max(Instant::now());
            turns.next = at + every;
            at
        };
        tokio::time::interval_at(at, Duration::from_secs(1)).tick().await;
    }
}

/// Keeps events from getting old.
pub struct Steering {
    pace: Arc<Pace>,
    rate: Option<f64>,
    /// Samples to come before it may be made less again.
    patience: usize,
}

impl Steering {
    /// Of this pace, without a limit so far.
    pub fn new(pace: Arc<Pace>) -> Self {
        Self {
            pace,
            rate: None,
            patience: LESS_EVERY,
        }
    }

    /// What it steers.
    pub fn pace(&self) -> Arc<Pace> {
        Arc::clone(&self.pace)
    }

    /// Events a second that are offered; none: all that are accepted.
    pub fn rate(&self) -> Option<f64> {
        self.rate
    }

    /// Offers so many events a second from now on.
    pub fn limit(&mut self, rate: f64) {
        self.rate = Some(rate);
        self.pace.limit(rate);
    }

    /// Offers less if events get old, and more if they do not.
    pub fn steer(&mut self, samples: &[Sample]) {
        self.patience = self.patience.saturating_sub(1);
        let [first, .., now] = samples else {
            return;
        };
        if now.age > OLD && self.patience == 0 {
            self.patience = LESS_EVERY;
            // On the whole: right now it may be a checkpoint that everything waits for.
            let evaluated = now.evaluated.saturating_sub(first.evaluated);
            let evaluated = per_second(evaluated, Duration::from_secs_f64(now.at - first.at));
            self.limit(self.rate.unwrap_or(evaluated) * LESS);
        } else if now.age < YOUNG
            && let Some(rate) = self.rate
        {
            self.limit(rate * MORE);
        }
    }
}
