//! Waiting for a state, with a deadline.

use std::time::Duration;

/// How long a test waits for what should take a moment: long enough for a busy machine.
pub const SOON: Duration = Duration::from_secs(20);
/// How often a state is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Looks until there is something to see; a test that waits longer has failed.
pub async fn eventually<T>(what: &str, within: Duration, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let mut looks = tokio::time::interval(LOOK_EVERY);
    looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let seen = async {
        loop {
            looks.tick().await;
            if let Some(seen) = look().await {
                return seen;
            }
        }
    };
    let seen = tokio::time::timeout(within, seen).await;
    seen.unwrap_or_else(|_| panic!("within {within:?} there was never: {what}"))
}

/// What the future yields, within the time.
pub async fn within<T>(what: &str, within: Duration, future: impl Future<Output = T>) -> T {
    let value = tokio::time::timeout(within, future).await;
    value.unwrap_or_else(|_| panic!("within {within:?} there was no: {what}"))
}
