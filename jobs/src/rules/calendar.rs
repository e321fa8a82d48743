//! Civil dates and the periods made of them.
//!
//! A day here is a date on a member's calendar, never a number of hours: "yesterday" is the date minus one, whatever the
//! clocks did that night.
//! Instants appear only at the two edges, where an event gets its civil time ([`civil`]) and where a deadline has to be
//! shown as a moment ([`day_end`]).
//! Every function answers for every date chrono can express; at the two ends of its calendar the last, incomplete period is
//! cut off there.

use chrono::{
    DateTime, Datelike, Days, Months, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, TimeZone, Utc,
};
use chrono_tz::{GapInfo, Tz};
use serde::{Deserialize, Serialize};

mod span;

pub use span::{NoSpan, Span};

/// The steps a streak walks in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Period {
    /// A civil day.
    #[default]
    Day,
    /// An ISO week, Monday to Sunday.
    Week,
    /// A calendar month.
    Month,
}

/// The stretch of the calendar within which a limit allows one award.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Window {
    /// A civil day.
    Day,
    /// An ISO week, Monday to Sunday.
    Week,
    /// A calendar month.
    Month,
    /// Three calendar months, from January, April, July or October.
    Quarter,
    /// A calendar year.
    Year,
    /// The whole program.
    Program,
    /// No bound at all.
    Ever,
}

/// The civil date and time an instant has in a zone.
pub fn civil(instant: DateTime<Utc>, zone: Tz) -> NaiveDateTime {
    instant.with_timezone(&zone).naive_local()
}

/// The day a civil time belongs to in a program whose day starts at `day_starts_at`: what happens before that time of day
/// belongs to the day before.
pub fn program_day(local: NaiveDateTime, day_starts_at: NaiveTime) -> NaiveDate {
    if local.time() < day_starts_at {
        local.date().pred_opt().unwrap_or(NaiveDate::MIN)
    } else {
        local.date()
    }
}

/// The end of a program day in a zone: the first instant from which on no civil time belongs to `day` or to a day before it.
///
/// Where the clocks jump over the start of the next day, the day ends with the jump.
/// Where they pass that start twice, it ends with the second pass, unless everything between the two belongs to the next
/// day anyway.
pub fn day_end(day: NaiveDate, day_starts_at: NaiveTime, zone: Tz) -> DateTime<Utc> {
    let start_of_next = day.succ_opt().unwrap_or(NaiveDate::MAX).and_time(day_starts_at);
    let passes = zone.from_local_datetime(&start_of_next);
    let end = if repeats_from(start_of_next, zone) {
        passes.earliest()
    } else {
        passes.latest()
    };
    end.or_else(|| GapInfo::new(&start_of_next, &zone).and_then(|gap| gap.end))
        .map_or_else(|| start_of_next.and_utc(), |end| end.with_timezone(&Utc))
}

/// Whether `local` is the very first civil time of a stretch that the clocks pass twice.
fn repeats_from(local: NaiveDateTime, zone: Tz) -> bool {
    // Time zones change by whole seconds, so the second before tells whether the stretch began earlier.
    local
        .checked_sub_signed(TimeDelta::seconds(1))
        .is_some_and(|before| zone.from_local_datetime(&before).single().is_some())
}

impl Period {
    /// The number of the period that holds `date`; consecutive periods have consecutive numbers.
    pub fn index(self, date: NaiveDate) -> i32 {
        match self {
            Period::Day => date.num_days_from_ce(),
            // Day 1 of the common era is a Monday.
            Period::Week => (date.num_days_from_ce() - 1).div_euclid(7),
            Period::Month => date.year() * 12 + date.month0().cast_signed(),
        }
    }

    /// Whether `index` is the number of a period of the calendar.
    pub fn has(self, index: i32) -> bool {
        (self.index(NaiveDate::MIN)..=self.index(NaiveDate::MAX)).contains(&index)
    }

    /// The first date of a period.
    pub fn first_day(self, index: i32) -> NaiveDate {
        let first = match self {
            Period::Day => NaiveDate::from_num_days_from_ce_opt(index),
            Period::Week => index
                .checked_mul(7)
                .and_then(|days| days.checked_add(1))
                .and_then(NaiveDate::from_num_days_from_ce_opt),
            Period::Month => {
                NaiveDate::from_ymd_opt(index.div_euclid(12), index.rem_euclid(12) as u32 + 1, 1)
            }
        };
        first.unwrap_or(if index < 0 { NaiveDate::MIN } else { NaiveDate::MAX })
    }

    /// The last date of a period.
    pub fn last_day(self, index: i32) -> NaiveDate {
        match index.checked_add(1) {
            Some(next) if self.has(next) => self.first_day(next).pred_opt().unwrap_or(NaiveDate::MIN),
            _ => NaiveDate::MAX,
        }
    }

    /// How many days after the first one of its period `date` lies; at most 30.
    pub fn offset(self, date: NaiveDate) -> u8 {
        let first = self.first_day(self.index(date));
        u8::try_from(date.signed_duration_since(first).num_days()).unwrap_or(0)
    }

    /// The date at an offset into a period, never past its end.
    pub fn date(self, index: i32, offset: u8) -> NaiveDate {
        let last = self.last_day(index);
        self.first_day(index)
            .checked_add_days(Days::new(offset.into()))
            .map_or(last, |date| date.min(last))
    }
}

impl Window {
    /// The key of the window that holds `date`: `2026-11-21`, `2026-W47`, `2026-11`, `2026-Q4`, `2026`, `program` or `ever`.
    pub fn key(self, date: NaiveDate) -> String {
        let (year, month) = (date.year(), date.month());
        match self {
            Window::Day => date.to_string(),
            // The year of a week is the one its Thursday lies in, not always the year of the date.
            Window::Week => format!("{:04}-W{:02}", date.iso_week().year(), date.iso_week().week()),
            Window::Month => format!("{year:04}-{month:02}"),
            Window::Quarter => format!("{year:04}-Q{}", date.quarter()),
            Window::Year => format!("{year:04}"),
            Window::Program => "program".to_owned(),
            Window::Ever => "ever".to_owned(),
        }
    }

    /// The first date of the window that holds `date`; none for the two windows that have no dates of their own.
    pub fn first_day(self, date: NaiveDate) -> Option<NaiveDate> {
        let first = match self {
            Window::Day => Some(date),
            Window::Week => Some(Period::Week.first_day(Period::Week.index(date))),
            Window::Month => date.with_day(1),
            Window::Quarter => NaiveDate::from_ymd_opt(date.year(), (date.quarter() - 1) * 3 + 1, 1),
            Window::Year => NaiveDate::from_ymd_opt(date.year(), 1, 1),
            Window::Program | Window::Ever => return None,
        };
        Some(first.unwrap_or(NaiveDate::MIN))
    }

    /// The last date of the window that holds `date`; none for the two windows that have no dates of their own.
    pub fn last_day(self, date: NaiveDate) -> Option<NaiveDate> {
        let months = |count| {
            self.first_day(date)?
                .checked_add_months(Months::new(count))?
                .pred_opt()
        };
        let last = match self {
            Window::Day => Some(date),
            Window::Week => Some(Period::Week.last_day(Period::Week.index(date))),
            Window::Month => months(1),
            Window::Quarter => months(3),
            Window::Year => months(12),
            Window::Program | Window::Ever => return None,
        };
        Some(last.unwrap_or(NaiveDate::MAX))
    }
}

#[cfg(test)]
mod tests;
