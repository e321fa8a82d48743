//! Quiet hours and caps: when a message may go, by the calendar and the clock of the member.
//!
//! Quiet hours are local times: from one, which is quiet, until another, which is not; a beginning at or after the end means through
//! midnight. Where a clock is put forward over the end, they end when the gap does; where it is put back over the end, they end when it is
//! shown for the first time and not again. Caps count by local dates: a day, a week that begins on Monday, a month.

use chrono::{DateTime, Datelike, Days, NaiveDate, NaiveDateTime, NaiveTime, TimeZone, Utc};
use chrono_tz::{GapInfo, Tz};
use entity::campaign::CapPeriod;

use crate::rules::calendar;

/// Local times at which nothing is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quiet {
    from: NaiveTime,
    to: NaiveTime,
}

/// At most so many messages in a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cap {
    /// How many.
    pub at_most: i64,
    /// In which period.
    pub per: CapPeriod,
}

impl Quiet {
    /// Reads two local times, `HH:MM`; none where one is no such time or both are the same, which would be always or never.
    pub fn parse(from: &str, to: &str) -> Option<Self> {
        let time = |text: &str| {
            let is_written_so = text.len() == 5;
            NaiveTime::parse_from_str(text, "%H:%M")
                .ok()
                .filter(|_| is_written_so)
        };
        let (from, to) = (time(from)?, time(to)?);
        (from != to).then_some(Self { from, to })
    }

    /// The end of the quiet hours that an instant falls into; none: it is not quiet then.
    pub fn end(self, now: DateTime<Utc>, zone: Tz) -> Option<DateTime<Utc>> {
        let local = calendar::civil(now, zone);
        let time = local.time();
        let through_midnight = self.from > self.to;
        let is_quiet = if through_midnight {
            time >= self.from || time < self.to
        } else {
            self.from <= time && time < self.to
        };
        if !is_quiet {
            return None;
        }
        let ends_on = if through_midnight && time >= self.from {
            local.date().checked_add_days(Days::new(1))?
        } else {
            local.date()
        };
        // A clock that is put back shows some times twice: after the first end it is not quiet.
        let end = first_instant(ends_on.and_time(self.to), zone)?;
        if end > now {
            return Some(end);
        }
        None
    }
}

impl Cap {
    /// The first day of the period that a day is in.
    pub fn first_day(self, day: NaiveDate) -> NaiveDate {
        first_day(self.per, day)
    }

    /// The instant at which the next period begins.
    pub fn next_period(self, day: NaiveDate, zone: Tz) -> Option<DateTime<Utc>> {
        first_instant(next_first_day(self.per, day)?.and_time(NaiveTime::MIN), zone)
    }
}

/// The first day of the period that a day is in.
pub fn first_day(per: CapPeriod, day: NaiveDate) -> NaiveDate {
    let back = match per {
        CapPeriod::Day => 0,
        CapPeriod::Week => day.weekday().num_days_from_monday(),
        CapPeriod::Month => day.day0(),
    };
    day.checked_sub_days(Days::new(u64::from(back))).unwrap_or(day)
}

fn next_first_day(per: CapPeriod, day: NaiveDate) -> Option<NaiveDate> {
    let first = first_day(per, day);
    match per {
        CapPeriod::Day => first.checked_add_days(Days::new(1)),
        CapPeriod::Week => first.checked_add_days(Days::new(7)),
        CapPeriod::Month => first.checked_add_months(chrono::Months::new(1)),
    }
}

/// The first instant at which a zone's clock shows a local time; where it is put forward over it, the instant at which that happens.
fn first_instant(local: NaiveDateTime, zone: Tz) -> Option<DateTime<Utc>> {
    let shown = zone.from_local_datetime(&local).earliest();
    let shown = shown.or_else(|| GapInfo::new(&local, &zone).and_then(|gap| gap.end));
    shown.map(|instant| instant.to_utc())
}

#[cfg(test)]
mod tests;
