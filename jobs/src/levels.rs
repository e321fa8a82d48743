//! The levels that stand in the database, measured when somebody looks: what waits, and since when. The same in every process on one
//! database.

use entity::{dead_event, event, feed, retraction, webhook_endpoint};
use sea_orm::DbErr;

use crate::Context;
use crate::metrics::Level;

const QUEUE_LENGTH: Level = Level::new(
    "queue_events",
    "Events that wait to be evaluated; counted up to 100,000",
);
const QUEUE_AGE: Level = Level::new(
    "queue_oldest_seconds",
    "How long ago the oldest event that waits was accepted; 0 when none does",
);
const RETRACTIONS: Level = Level::new(
    "retractions_waiting",
    "Retractions that wait to be applied; counted up to 100,000",
);
const DEAD_EVENTS: Level = Level::new(
    "dead_events",
    "Events that were set aside because they could not be evaluated",
);
const FEED_ENTRIES: Level = Level::new(
    "feed_entries_written",
    "Entries written to all feeds since the beginning: the sum of their last positions",
);

const PARKED: Level = Level::new(
    "webhook_endpoints_parked",
    "Webhook endpoints that are not called until their partner resumes them",
);
const DELIVERY_AGE: Level = Level::new(
    "webhook_oldest_due_seconds",
    "How long the delivery that has waited longest is due, of endpoints that are not parked; 0 when none is",
);

/// What is counted is counted so far, so that a look costs little however long a queue is.
const COUNTED_MAX: u32 = 100_000;

/// Measures everything.
pub async fn measure(context: &Context) -> Result<(), DbErr> {
    let (connection, metrics) = (context.db.read(), &context.metrics);
    let waiting = event::waiting(connection, COUNTED_MAX).await?;
    metrics.level(&QUEUE_LENGTH, [], number(waiting.count));
    let now = context.clock.now().timestamp_micros();
    let age = waiting
        .oldest
        .map_or(0, |oldest| now.saturating_sub(oldest.0).max(0));
    metrics.level(&QUEUE_AGE, [], number(age) / 1e6);
    let retractions = retraction::count_pending(connection, COUNTED_MAX).await?;
    metrics.level(&RETRACTIONS, [], number(retractions));
    let dead = i64::try_from(dead_event::count(connection).await?).unwrap_or(i64::MAX);
    metrics.level(&DEAD_EVENTS, [], number(dead));
    metrics.level(&FEED_ENTRIES, [], number(feed::written(connection).await?));
    let standing = webhook_endpoint::standing(connection).await?;
    metrics.level(&PARKED, [], number(standing.parked));
    let late = standing
        .oldest_due
        .map_or(0, |due| now.saturating_sub(due.0).max(0));
    metrics.level(&DELIVERY_AGE, [], number(late) / 1e6);
    Ok(())
}

#[expect(
    clippy::cast_precision_loss,
    reason = "exact as far as 2 to the power of 53, and nobody reads a graph beyond"
)]
fn number(value: i64) -> f64 {
    value as f64
}
