//! When a scheduled campaign runs: a cron expression, in a time zone.
//!
//! Five fields (minute, hour, day of month, month, day of week), as cron has them, at most every five minutes. Daylight saving:
//!
//! - A schedule that names hours follows the clock on the wall. A local time that does not exist is due at the first instant after the gap, once
//!   for all that fall into it; one that is there twice is due once, when it is there for the first time.
//! - A schedule of every hour follows time itself: it is due whenever the clock shows one of its minutes, in an hour that is there twice both
//!   times, for else "who bought in the last hour" would leave out whoever bought in the first of the two.

use chrono::{DateTime, LocalResult, NaiveDateTime, TimeDelta, TimeZone, Utc};
use chrono_tz::{GapInfo, Tz};
use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};

/// The longest expression, in bytes.
const SOURCE_MAX: usize = 200;
/// The fewest minutes between two runs.
const APART: u16 = 5;
const HOUR: u16 = 60;
const DAY: u16 = 24;
/// More than any zone has ever turned its clocks back.
const TURNED_BACK: TimeDelta = TimeDelta::hours(25);

/// A schedule.
#[derive(Debug, Clone)]
pub struct Schedule {
    cron: Cron,
    /// Whether it runs in every hour.
    every_hour: bool,
}

impl Schedule {
    /// Reads an expression; what is wrong with it is said in a sentence without a full stop.
    pub fn parse(source: &str) -> Result<Self, String> {
        let fields = source.split_ascii_whitespace().count();
        if source.len() > SOURCE_MAX || !source.is_ascii() || fields != 5 {
            return Err(
                "a schedule has five fields: minute, hour, day of month, month and day of week".to_owned(),
            );
        }
        let parser = CronParser::builder()
            .seconds(Seconds::Disallowed)
            .year(Year::Disallowed)
            .build();
        let cron = parser.parse(source).map_err(|error| {
            format!("the schedule cannot be read: {error}")
                .trim_end_matches('.')
                .to_owned()
        })?;
        let hours = cron.pattern.hours.get_set_values(ALL);
        let minutes = cron.pattern.minutes.get_set_values(ALL);
        if are_too_close(&minutes, &hours) {
            return Err(format!("a schedule runs at most every {APART} minutes"));
        }
        let every_hour = hours.len() == usize::from(DAY);
        let schedule = Self { cron, every_hour };
        // A leap day comes within eight years.
        let from = DateTime::<Utc>::UNIX_EPOCH;
        match schedule.next_after(from, Tz::UTC) {
            Some(_) => Ok(schedule),
            None => Err("the schedule is never due".to_owned()),
        }
    }

    /// When it is due next after `instant`, in this zone.
    pub fn next_after(&self, instant: DateTime<Utc>, zone: Tz) -> Option<DateTime<Utc>> {
        let local = instant.with_timezone(&zone).naive_local();
        if self.every_hour {
            self.next_in_time(instant, local, zone)
        } else {
            self.next_on_the_wall(instant, local, zone)
        }
    }

    /// The instants of later local times are no earlier ones, so the first that is after `instant` is the next.
    fn next_on_the_wall(
        &self,
        instant: DateTime<Utc>,
        mut local: NaiveDateTime,
        zone: Tz,
    ) -> Option<DateTime<Utc>> {
        loop {
            local = self.cron.find_next_occurrence(&local, false).ok()?;
            let due = match zone.from_local_datetime(&local) {
                LocalResult::Single(due) | LocalResult::Ambiguous(due, _) => due.to_utc(),
                LocalResult::None => GapInfo::new(&local, &zone)?.end?.to_utc(),
            };
            if due > instant {
                return Some(due);
            }
        }
    }

    /// Local times that have passed can come again, when the clocks are turned back.
    fn next_in_time(&self, instant: DateTime<Utc>, local: NaiveDateTime, zone: Tz) -> Option<DateTime<Utc>> {
        let mut local = local.checked_sub_signed(TURNED_BACK)?;
        let mut next: Option<DateTime<Utc>> = None;
        loop {
            local = self.cron.find_next_occurrence(&local, false).ok()?;
            let (first, again) = match zone.from_local_datetime(&local) {
                LocalResult::Single(only) => (only.to_utc(), only.to_utc()),
                LocalResult::Ambiguous(first, again) => (first.to_utc(), again.to_utc()),
                LocalResult::None => continue,
            };
            if next.is_some_and(|next| first >= next) {
                return next;
            }
            let due = [first, again].into_iter().find(|due| *due > instant);
            next = [next, due].into_iter().flatten().min();
        }
    }
}

/// The bit of a plain value in croner's sets.
const ALL: u8 = 1;

/// Whether two runs can be closer than they may: in one hour, or around a full hour with a run before and after it.
fn are_too_close(minutes: &[u16], hours: &[u16]) -> bool {
    let in_one_hour = minutes
        .windows(2)
        .any(|pair| matches!(pair, [one, next] if next.saturating_sub(*one) < APART));
    let (Some(first), Some(last)) = (minutes.first(), minutes.last()) else {
        return false;
    };
    let around = first.saturating_add(HOUR).saturating_sub(*last) < APART;
    let neighbours = hours
        .iter()
        .any(|hour| hours.contains(&(hour.saturating_add(1) % DAY)));
    in_one_hour || (around && neighbours)
}

#[cfg(test)]
#[expect(
    clippy::arithmetic_side_effects,
    reason = "instants of a few years, far from the ends of the calendar"
)]
mod tests;
