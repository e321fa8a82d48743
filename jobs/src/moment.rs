//! The present, as an employer sees it.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use entity::employer;
use entity::ledger::Moment;

/// What the clock and the calendar of an employer show when the real clock shows `real`.
pub fn moment(employer: &employer::Model, real: DateTime<Utc>) -> Moment {
    let now = employer.now(real);
    // The zone was checked when it was written.
    let zone: Tz = employer.time_zone.parse().unwrap_or(Tz::UTC);
    Moment {
        at: now.into(),
        on: now.with_timezone(&zone).date_naive(),
    }
}
