//! The sums of single days, and the text they are stored as.
//!
//! The text is a date and, from it on, the sums of consecutive days, each with `*` and the number of days in a row that have it
//! where these are several; a day without evidence has the sum 0. So `2026-01-01 1*40 0*19 12 7.5` are 40 ones from the 1st of
//! January and two more days in March. It is short where days are alike, and read without looking at more than one date,
//! because it is read and written for every event of a member.

use std::fmt::{self, Write as _};

use chrono::{Days, NaiveDate};
use rust_decimal::Decimal;
use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::rules::Fault;

/// The most days that are remembered one by one. More than any lateness takes were never written, and a short text must not
/// stand for more than is walked in no time.
pub(super) const DAYS_MAX: usize = 10_000;
/// A text with no more characters than this is a number of which the digits fit into 64 bits.
const SHORT: usize = 18;

/// A sum for each of some days, in ascending order of days.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(in crate::rules) struct DaySums(Vec<(NaiveDate, Decimal)>);

impl DaySums {
    /// Adds to the sum of a day.
    pub fn add(&mut self, day: NaiveDate, amount: Decimal) -> Result<(), Fault> {
        let at = self.number_before(day);
        let is_full = self.0.len() >= DAYS_MAX;
        match self.0.get_mut(at).filter(|(found, _)| *found == day) {
            Some((_, sum)) => {
                let more = sum.checked_add(amount).ok_or(Fault::AmountOutOfRange)?;
                *sum = more.normalize();
            }
            None if is_full => return Err(Fault::TooMuchToRemember),
            None => self.0.insert(at, (day, amount.normalize())),
        }
        Ok(())
    }

    /// Takes from the sum of a day; false when there is not as much.
    pub fn take(&mut self, day: NaiveDate, amount: Decimal) -> bool {
        let at = self.number_before(day);
        let Some((_, sum)) = self.0.get_mut(at).filter(|(found, _)| *found == day) else {
            return false;
        };
        let rest = sum.checked_sub(amount);
        let Some(rest) = rest.filter(|rest| *rest >= Decimal::ZERO) else {
            return false;
        };
        *sum = rest.normalize();
        if sum.is_zero() {
            self.0.remove(at);
        }
        true
    }

    /// Adds a day behind all others; false when it is not, or one too many.
    pub fn push(&mut self, day: NaiveDate, sum: Decimal) -> bool {
        let fits = self.last().is_none_or(|last| last < day) && self.0.len() < DAYS_MAX;
        if fits {
            self.0.push((day, sum));
        }
        fits
    }

    /// Removes the latest days, as long as they are `first` or behind it.
    pub fn drop_from(&mut self, first: NaiveDate) {
        self.0.truncate(self.number_before(first));
    }

    /// Removes the days before `day`.
    pub fn drop_before(&mut self, day: NaiveDate) {
        self.0.drain(..self.number_before(day));
    }

    /// All days.
    pub fn all(&self) -> &[(NaiveDate, Decimal)] {
        &self.0
    }

    /// The days before `day`.
    pub fn before(&self, day: NaiveDate) -> &[(NaiveDate, Decimal)] {
        self.0.get(..self.number_before(day)).unwrap_or_default()
    }

    /// The days up to `day`.
    pub fn through(&self, day: NaiveDate) -> &[(NaiveDate, Decimal)] {
        day.succ_opt().map_or(self.all(), |next| self.before(next))
    }

    /// The latest day.
    pub fn last(&self) -> Option<NaiveDate> {
        self.0.last().map(|(day, _)| *day)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn number_before(&self, day: NaiveDate) -> usize {
        self.0.partition_point(|(other, _)| *other < day)
    }

    /// Reads the stored form.
    fn parse(text: &str) -> Option<DaySums> {
        let mut words = text.split(' ');
        let mut next: Option<NaiveDate> = Some(words.next()?.parse().ok()?);
        let mut days = DaySums::default();
        for word in words {
            let (sum, times) = word.split_once('*').unwrap_or((word, "1"));
            let (sum, times) = (parse_sum(sum)?, parse_whole(times)?);
            if sum.is_zero() {
                next = next?.checked_add_days(Days::new(times));
                continue;
            }
            for _ in 0..times {
                let day = next?;
                if !days.push(day, sum) {
                    return None;
                }
                next = day.succ_opt();
            }
        }
        (!days.is_empty()).then_some(days)
    }

    /// The stored form; empty for no days.
    fn text(&self) -> String {
        let mut text = String::new();
        let Some((mut next, _)) = self.0.first().copied() else {
            return text;
        };
        text.push_str(&next.to_string());
        for run in self.runs() {
            let Some((first, sum)) = run.first() else {
                continue;
            };
            write_times(
                &mut text,
                Decimal::ZERO,
                first.signed_duration_since(next).num_days(),
            );
            write_times(&mut text, *sum, i64::try_from(run.len()).unwrap_or(i64::MAX));
            next = run
                .last()
                .and_then(|(last, _)| last.succ_opt())
                .unwrap_or(NaiveDate::MAX);
        }
        text
    }

    /// The days in runs of consecutive ones with the same sum.
    fn runs(&self) -> impl Iterator<Item = &[(NaiveDate, Decimal)]> {
        self.0
            .chunk_by(|one, next| one.1 == next.1 && one.0.succ_opt() == Some(next.0))
    }
}

/// Writes a sum that so many days in a row have.
fn write_times(text: &mut String, sum: Decimal, times: i64) {
    if times < 1 {
        return;
    }
    text.push(' ');
    let scale = sum.scale() as usize;
    // Writing into a text does not fail.
    let written = match (u64::try_from(sum.mantissa()), 10_u64.checked_pow(sum.scale())) {
        (Ok(digits), Some(1)) => write!(text, "{digits}"),
        (Ok(digits), Some(unit)) => write!(text, "{}.{:0scale$}", digits / unit, digits % unit),
        _ => write!(text, "{sum}"),
    };
    if written.is_ok() && times > 1 {
        text.push('*');
        text.push_str(&times.to_string());
    }
}

/// Reads digits, at most [`SHORT`] of them.
fn parse_whole(text: &str) -> Option<u64> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    (digits && text.len() <= SHORT)
        .then(|| text.parse().ok())
        .flatten()
        .filter(|whole| *whole > 0)
}

/// Reads digits with at most one point between them. Short ones, which nearly all are, need no decimal arithmetic.
fn parse_sum(text: &str) -> Option<Decimal> {
    let are_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let scale = match text.split_once('.') {
        None if are_digits(text) => 0,
        Some((whole, places)) if are_digits(whole) && are_digits(places) => places.len(),
        _ => return None,
    };
    if text.len() > SHORT {
        return Decimal::from_str_exact(text).ok();
    }
    let digits = text.bytes().filter(u8::is_ascii_digit);
    let mantissa = digits.fold(0_i64, |number, digit| {
        number
            .saturating_mul(10)
            .saturating_add(i64::from(digit.saturating_sub(b'0')))
    });
    Some(Decimal::new(mantissa, u32::try_from(scale).ok()?))
}

impl Serialize for DaySums {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text())
    }
}

impl<'de> Deserialize<'de> for DaySums {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<DaySums, D::Error> {
        deserializer.deserialize_any(Stored)
    }
}

/// Reads what is stored: the text, or the object of dates and sums that was written in its place at first.
struct Stored;

impl<'de> Visitor<'de> for Stored {
    type Value = DaySums;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the sums of days")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<DaySums, E> {
        DaySums::parse(text).ok_or_else(|| E::custom("no sums of days"))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<DaySums, A::Error> {
        let mut days = DaySums::default();
        while let Some((day, sum)) = map.next_entry()? {
            if !days.push(day, sum) {
                return Err(A::Error::custom("no sums of days"));
            }
        }
        Ok(days)
    }
}

#[cfg(test)]
mod tests;
