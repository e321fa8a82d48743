//! The first days of windows as they are stored: a list of dates, in which days in a row are one entry, `2026-01-01*40` for 40 of
//! them.

use std::collections::BTreeSet;

use chrono::{Days, NaiveDate};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serializer};

/// More dates than any lateness takes were never written, and a short text must not stand for them.
const DATES_MAX: u64 = 100_000;

/// Writes the dates.
pub fn serialize<S: Serializer>(dates: &BTreeSet<NaiveDate>, serializer: S) -> Result<S::Ok, S::Error> {
    let mut runs: Vec<(NaiveDate, u64)> = Vec::new();
    let mut next = None;
    for date in dates {
        match runs.last_mut() {
            Some((_, number)) if next == Some(*date) => *number += 1,
            _ => runs.push((*date, 1)),
        }
        next = date.succ_opt();
    }
    serializer.collect_seq(runs.into_iter().map(|(first, number)| match number {
        1 => first.to_string(),
        _ => format!("{first}*{number}"),
    }))
}

/// Reads the dates; a list without runs is what was written at first.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeSet<NaiveDate>, D::Error> {
    let entries = Vec::<String>::deserialize(deserializer)?;
    read(&entries).ok_or_else(|| D::Error::custom("no list of dates"))
}

fn read(entries: &[String]) -> Option<BTreeSet<NaiveDate>> {
    let mut dates = Vec::new();
    let mut free = DATES_MAX;
    for entry in entries {
        let (first, number) = match entry.split_once('*') {
            None => (entry.as_str(), 1),
            Some((first, number)) if number.bytes().all(|byte| byte.is_ascii_digit()) => {
                (first, number.parse().ok()?)
            }
            Some(_) => return None,
        };
        let first: NaiveDate = first.parse().ok()?;
        free = free.checked_sub(number)?;
        first.checked_add_days(Days::new(number.checked_sub(1)?))?;
        dates.extend(first.iter_days().take(usize::try_from(number).ok()?));
    }
    Some(dates.into_iter().collect())
}

#[cfg(test)]
mod tests;
