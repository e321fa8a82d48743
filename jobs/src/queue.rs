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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nudge {
    /// Somebody says that there is something.
    Woken,
    /// It is time to see whether there is something nobody has told of.
    Sweep,
}

/// A backend for an apalis worker.
pub type Nudges = BoxStream<'static, Result<Nudge, Infallible>>;

/// Nudges at the start, whenever `woken` changes, and at the latest `every` so often.
pub fn nudges(woken: watch::Receiver<u64>, every: Duration) -> Nudges {
    stream::unfold((woken, true), move |(mut woken, first)| async move {
        let nudge = if first {
            Nudge::Sweep
        } else {
            match tokio::time::timeout(every, woken.changed()).await {
                Ok(Ok(())) => Nudge::Woken,
                // Nobody is left to wake.
                Ok(Err(_)) => return None,
                Err(_) => Nudge::Sweep,
            }
        };
        woken.mark_unchanged();
        Some((Ok(nudge), (woken, false)))
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
        assert_eq!(nudges.next().await, Some(Ok(Nudge::Sweep)));
        wake.send_modify(|count| *count += 1);
        assert_eq!(nudges.next().await, Some(Ok(Nudge::Woken)));
        assert_eq!(started.elapsed(), Duration::ZERO);
        assert_eq!(nudges.next().await, Some(Ok(Nudge::Sweep)));
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
