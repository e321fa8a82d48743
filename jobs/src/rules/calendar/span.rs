//! Lengths of calendar time: years and months beside days and hours.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Days, Months, NaiveDate, NaiveTime, TimeDelta, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use super::{civil, day_end};

/// The longest span, in months, in days and in seconds: each about a hundred years.
const MONTHS_MAX: u32 = 1_200;
const DAYS_MAX: u32 = 36_525;
const SECONDS_MAX: u32 = DAYS_MAX * 86_400;

/// A length of calendar time. How long it is in hours depends on where it starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Span {
    /// Calendar months; a year has twelve. Where the month that they lead to is too short, its last day is meant.
    months: u32,
    /// Calendar days, after the months.
    days: u32,
    /// Seconds, after the days.
    seconds: u32,
}

impl Span {
    /// Whether it leads nowhere.
    pub fn is_empty(self) -> bool {
        self == Self::default()
    }

    /// The end of the civil day to which it leads from an instant in a zone: the first instant of the day after.
    pub fn end_of_day(self, from: DateTime<Utc>, zone: Tz) -> DateTime<Utc> {
        let end = civil(from, zone)
            .checked_add_months(Months::new(self.months))
            .and_then(|local| local.checked_add_days(Days::new(self.days.into())))
            .and_then(|local| local.checked_add_signed(TimeDelta::seconds(self.seconds.into())));
        let day = end.map_or(NaiveDate::MAX, |local| local.date());
        day_end(day, NaiveTime::MIN, zone)
    }
}

/// Not an ISO 8601 duration of at most a hundred years.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an ISO 8601 duration such as P1Y, P6M or P30D, of at most 100 years")]
pub struct NoSpan;

impl FromStr for Span {
    type Err = NoSpan;

    fn from_str(text: &str) -> Result<Self, NoSpan> {
        let rest = text.strip_prefix('P').ok_or(NoSpan)?;
        let (date, time) = match rest.split_once('T') {
            Some((_, "")) => return Err(NoSpan),
            Some(parts) => parts,
            None => (rest, ""),
        };
        if date.is_empty() && time.is_empty() {
            return Err(NoSpan);
        }
        let [years, months, weeks, days] = amounts(date, ['Y', 'M', 'W', 'D'])?;
        let [hours, minutes, seconds] = amounts(time, ['H', 'M', 'S'])?;
        let sum = |parts: &[(u32, u32)], most: u32| {
            parts
                .iter()
                .try_fold(0_u32, |sum, (count, each)| {
                    sum.checked_add(count.checked_mul(*each)?)
                })
                .filter(|sum| *sum <= most)
                .ok_or(NoSpan)
        };
        Ok(Self {
            months: sum(&[(years, 12), (months, 1)], MONTHS_MAX)?,
            days: sum(&[(weeks, 7), (days, 1)], DAYS_MAX)?,
            seconds: sum(&[(hours, 3_600), (minutes, 60), (seconds, 1)], SECONDS_MAX)?,
        })
    }
}

/// The numbers before these units, in this order; 0 of a unit that is not there.
fn amounts<const N: usize>(text: &str, units: [char; N]) -> Result<[u32; N], NoSpan> {
    let mut rest = text;
    let mut found = [0; N];
    for (place, unit) in found.iter_mut().zip(units) {
        let Some((number, after)) = rest.split_once(unit) else {
            continue;
        };
        if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(NoSpan);
        }
        *place = number.parse().map_err(|_| NoSpan)?;
        rest = after;
    }
    if rest.is_empty() { Ok(found) } else { Err(NoSpan) }
}

impl fmt::Display for Span {
    fn fmt(&self, form: &mut fmt::Formatter<'_>) -> fmt::Result {
        let date = [(self.months / 12, 'Y'), (self.months % 12, 'M'), (self.days, 'D')];
        let time = [
            (self.seconds / 3_600, 'H'),
            (self.seconds % 3_600 / 60, 'M'),
            (self.seconds % 60, 'S'),
        ];
        form.write_str("P")?;
        for (number, unit) in date.into_iter().filter(|(number, _)| *number > 0) {
            write!(form, "{number}{unit}")?;
        }
        if self.seconds > 0 {
            form.write_str("T")?;
        } else if self.is_empty() {
            form.write_str("0D")?;
        }
        for (number, unit) in time.into_iter().filter(|(number, _)| *number > 0) {
            write!(form, "{number}{unit}")?;
        }
        Ok(())
    }
}

impl TryFrom<String> for Span {
    type Error = NoSpan;

    fn try_from(text: String) -> Result<Self, NoSpan> {
        text.parse()
    }
}

impl From<Span> for String {
    fn from(span: Span) -> Self {
        span.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(from: &str, span: &str, zone: Tz) -> String {
        let from: DateTime<Utc> = from.parse().expect("an instant");
        let span: Span = span.parse().expect("a span");
        span.end_of_day(from, zone).to_rfc3339()
    }

    #[test]
    fn spans_read_and_write() {
        for (text, written) in [
            ("P1Y", "P1Y"),
            ("P18M", "P1Y6M"),
            ("P1W", "P7D"),
            ("P1Y2M3W4DT5H6M7S", "P1Y2M25DT5H6M7S"),
            ("PT90M", "PT1H30M"),
            ("P0D", "P0D"),
            ("P100Y", "P100Y"),
        ] {
            let span: Span = text.parse().expect("a span");
            assert_eq!(span.to_string(), written, "{text}");
            assert_eq!(written.parse(), Ok(span), "{text}");
        }
    }

    #[test]
    fn what_is_no_span_is_refused() {
        for bad in [
            "",
            "P",
            "PT",
            "1Y",
            "P1",
            "P1D1M",
            "P-1D",
            "P1.5D",
            "P1Y1Y",
            "PT1D",
            "P101Y",
            "P1M1Y",
            "P99999999999D",
            "P36526D",
            "P1DT",
        ] {
            assert_eq!(bad.parse::<Span>(), Err(NoSpan), "{bad}");
        }
    }

    #[test]
    fn points_end_with_the_day_that_a_span_leads_to() {
        let berlin = Tz::Europe__Berlin;
        for (from, span, wanted) in [
            // The last of January and a month is the last of February, in the zone, and the end of that day.
            ("2027-01-31T12:00:00Z", "P1M", "2027-02-28T23:00:00+00:00"),
            ("2028-01-31T12:00:00Z", "P1M", "2028-02-29T23:00:00+00:00"),
            ("2026-11-30T12:00:00Z", "P1Y3M", "2028-02-29T23:00:00+00:00"),
            ("2028-02-29T12:00:00Z", "P1Y", "2029-02-28T23:00:00+00:00"),
            // Half past midnight in Berlin is the next day already.
            ("2026-11-21T23:30:00Z", "P1D", "2026-11-23T23:00:00+00:00"),
            // Over the change of the clocks, the end is midnight by then.
            ("2026-03-01T12:00:00Z", "P1M", "2026-04-01T22:00:00+00:00"),
            ("2026-11-21T12:00:00Z", "PT12H", "2026-11-22T23:00:00+00:00"),
        ] {
            assert_eq!(end(from, span, berlin), wanted, "{from} {span}");
        }
    }
}
