//! Time is handed in: everything below the edge asks a [`Clock`], and a test sets it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{DateTime, Utc};
use sea_orm::DeriveValueType;

/// The current instant: the system's, or one that a test sets.
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    System,
    Manual(Arc<AtomicI64>),
}

impl Clock {
    /// The system's clock.
    pub fn system() -> Self {
        Self(Source::System)
    }

    /// A clock that stands still until it is set.
    pub fn manual(now: DateTime<Utc>) -> Self {
        Self(Source::Manual(Arc::new(AtomicI64::new(now.timestamp_micros()))))
    }

    /// The current instant, to the microsecond.
    pub fn now(&self) -> DateTime<Utc> {
        match &self.0 {
            #[expect(clippy::disallowed_methods, reason = "the one place where time enters")]
            Source::System => Timestamp::from(Utc::now()).into(),
            Source::Manual(micros) => Timestamp(micros.load(Ordering::SeqCst)).into(),
        }
    }

    /// Sets a manual clock; the system's clock cannot be set and stays as it is.
    pub fn set(&self, now: DateTime<Utc>) {
        if let Source::Manual(micros) = &self.0 {
            micros.store(now.timestamp_micros(), Ordering::SeqCst);
        }
    }
}

/// An instant as both databases store it: microseconds since 1970-01-01T00:00:00Z in a 64-bit integer. One form on SQLite and
/// PostgreSQL, that sorts, compares and indexes the same on both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, DeriveValueType)]
pub struct Timestamp(pub i64);

impl From<DateTime<Utc>> for Timestamp {
    fn from(instant: DateTime<Utc>) -> Self {
        Self(instant.timestamp_micros())
    }
}

impl From<Timestamp> for DateTime<Utc> {
    fn from(timestamp: Timestamp) -> Self {
        // Every 64-bit number of microseconds that we write is in chrono's range; one that is not was never ours.
        DateTime::from_timestamp_micros(timestamp.0).unwrap_or(DateTime::UNIX_EPOCH)
    }
}

impl Timestamp {
    /// The instant as chrono sees it.
    pub fn instant(self) -> DateTime<Utc> {
        self.into()
    }

    /// The instant as every answer shows it: RFC 3339 in UTC, with as much of the second as is needed.
    pub fn text(self) -> String {
        self.instant()
            .to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true)
    }
}
