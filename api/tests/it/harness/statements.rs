//! Counting what the database is asked.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tracing::Subscriber;
use tracing::span::{Attributes, Id};
use tracing::subscriber::DefaultGuard;
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt};

use super::TestApp;

/// Counts the statements of the database driver that the thread of a test runs.
pub struct Statements {
    count: Arc<AtomicUsize>,
    _counting: DefaultGuard,
}

impl Statements {
    /// Counts from now on, and no longer what the application does by itself from time to time.
    pub fn count(app: &TestApp) -> Self {
        app.app.shutdown.cancel();
        let count = Arc::<AtomicUsize>::default();
        let counting = tracing_subscriber::registry().with(Counter(Arc::clone(&count)));
        Self {
            count,
            _counting: tracing::subscriber::set_default(counting),
        }
    }

    /// How many this takes.
    pub async fn of<T>(&self, what: impl Future<Output = T>) -> (T, usize) {
        let before = self.count.load(Ordering::SeqCst);
        let done = what.await;
        (done, self.count.load(Ordering::SeqCst) - before)
    }
}

struct Counter(Arc<AtomicUsize>);

impl<S: Subscriber> Layer<S> for Counter {
    fn on_new_span(&self, attributes: &Attributes<'_>, _: &Id, _: Context<'_, S>) {
        let metadata = attributes.metadata();
        let is_statement = ["execute", "query_one", "query_all"].contains(&metadata.name());
        if is_statement && metadata.target().starts_with("sea_orm::driver") {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
}
