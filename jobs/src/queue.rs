//! The queue as apalis sees it: a stream of nudges.
//!
//! Durability lives in our own tables (`entity::event`), so a task carries nothing and may be lost: it says "look now". There is one
//! at the start, one for every wake-up, and one whenever `every` has passed without any.

use std::convert::Infallible;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use tokio::sync::watch;

/// A task without content: look into the tables.
#[derive(Debug, Clone, Copy)]
pub struct Nudge;

/// A backend for an apalis worker.
pub type Nudges = BoxStream<'static, Result<Nudge, Infallible>>;

/// Nudges at the start, whenever `woken` changes, and at the latest `every` so often.
pub fn nudges(woken: watch::Receiver<u64>, every: Duration) -> Nudges {
    stream::unfold((woken, true), move |(mut woken, first)| async move {
        if !first {
            // Passed without a wake-up, or nobody left to wake: either way it is time to look.
            if let Ok(Err(_)) = tokio::time::timeout(every, woken.changed()).await {
                return None;
            }
        }
        woken.mark_unchanged();
        Some((Ok(Nudge), (woken, false)))
    })
    .boxed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_nudge_comes_at_the_start_at_each_wake_up_and_after_a_while() {
        let (wake, woken) = watch::channel(0);
        let mut nudges = nudges(woken, Duration::from_secs(1));
        let started = tokio::time::Instant::now();
        assert!(nudges.next().await.is_some());
        wake.send_modify(|count| *count += 1);
        assert!(nudges.next().await.is_some());
        assert_eq!(started.elapsed(), Duration::ZERO);
        assert!(nudges.next().await.is_some());
        assert_eq!(started.elapsed(), Duration::from_secs(1));
    }

    #[tokio::test(start_paused = true)]
    async fn the_stream_ends_when_nobody_is_left_to_wake() {
        let (wake, woken) = watch::channel(0);
        let mut nudges = nudges(woken, Duration::from_secs(1));
        drop(wake);
        assert!(nudges.next().await.is_some());
        assert!(nudges.next().await.is_none());
    }
}
