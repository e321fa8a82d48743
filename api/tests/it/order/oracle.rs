//! The naive twin: sets of dates and loops over days.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Datelike, NaiveDate, TimeDelta, Utc};
use serde_json::{Value, json};

use crate::harness::at;

/// Incentive, member, period key, ordinal.
pub type Key = (String, String, String, i32);

/// Something that a member did.
#[derive(Debug, Clone)]
pub struct Happening {
    /// Who.
    pub member: &'static str,
    /// When, counted back from noon of the 21st.
    pub minutes_ago: u32,
    /// The zone that the event names.
    pub named_zone: Option<&'static str>,
    /// The zone that counts.
    pub zone: &'static str,
}

impl Happening {
    /// When.
    pub fn instant(&self) -> DateTime<Utc> {
        at("2026-11-21T12:00:00Z")
            .checked_sub_signed(TimeDelta::minutes(self.minutes_ago.into()))
            .unwrap()
    }

    fn day(&self) -> NaiveDate {
        let zone: chrono_tz::Tz = self.zone.parse().unwrap();
        self.instant().with_timezone(&zone).date_naive()
    }
}

/// An incentive of the property test.
pub struct Incentive {
    /// Its key.
    pub key: &'static str,
    /// Days of a streak; none is an immediate one.
    length: Option<u32>,
    per_day: usize,
    limit: Limit,
}

enum Limit {
    Once,
    AtMost(i32),
    Unlimited,
    /// Of an immediate one only: which window a streak falls into may depend on arrival.
    OncePerDay,
    OncePerWeek,
}

/// The incentives that are judged.
pub const INCENTIVES: [Incentive; 9] = [
    streak("three-once", 3, 1, Limit::Once),
    streak("two-always", 2, 1, Limit::Unlimited),
    streak("one-thrice", 1, 1, Limit::AtMost(3)),
    streak("twice-a-day", 2, 2, Limit::Unlimited),
    streak("five-once", 5, 1, Limit::Once),
    immediate("each", Limit::Unlimited),
    immediate("some", Limit::AtMost(4)),
    immediate("daily", Limit::OncePerDay),
    immediate("weekly", Limit::OncePerWeek),
];

const fn streak(key: &'static str, length: u32, per_day: usize, limit: Limit) -> Incentive {
    Incentive {
        key,
        length: Some(length),
        per_day,
        limit,
    }
}

const fn immediate(key: &'static str, limit: Limit) -> Incentive {
    Incentive {
        key,
        length: None,
        per_day: 1,
        limit,
    }
}

impl Incentive {
    /// As the API takes it.
    pub fn structure(&self) -> Value {
        match self.length {
            Some(length) => json!({"streak": {"length": length, "perPeriod": self.per_day}}),
            None => json!({"immediate": true}),
        }
    }

    /// As the API takes it.
    pub fn limit(&self) -> Value {
        match self.limit {
            Limit::Once => json!({"once": true}),
            Limit::AtMost(times) => json!({"atMost": times}),
            Limit::Unlimited => json!({"unlimited": true}),
            Limit::OncePerDay => json!({"oncePer": "DAY"}),
            Limit::OncePerWeek => json!({"oncePer": "WEEK"}),
        }
    }

    /// How often a member has done enough, whatever the limit.
    fn completions(&self, days: &[NaiveDate]) -> i32 {
        let Some(length) = self.length else {
            return i32::try_from(days.len()).unwrap();
        };
        let full: BTreeSet<NaiveDate> = days
            .iter()
            .copied()
            .filter(|day| days.iter().filter(|other| *other == day).count() >= self.per_day)
            .collect();
        let (mut completions, mut run) = (0, 0);
        let (Some(first), Some(last)) = (full.first(), full.last()) else {
            return 0;
        };
        for day in first.iter_days().take_while(|day| day <= last) {
            run = if full.contains(&day) { run + 1 } else { 0 };
            if run > 0 && run % length == 0 {
                completions += 1;
            }
        }
        completions
    }

    fn places(&self, days: &[NaiveDate]) -> BTreeSet<(String, i32)> {
        let completions = self.completions(days);
        let counted = |key: &str, most: i32| {
            (1..=completions.min(most))
                .map(|ordinal| (key.to_owned(), ordinal))
                .collect()
        };
        match self.limit {
            Limit::Once => counted("once", 1),
            Limit::AtMost(times) => counted("ever", times),
            Limit::Unlimited => counted("ever", i32::MAX),
            Limit::OncePerDay => days.iter().map(|day| (day.to_string(), 1)).collect(),
            Limit::OncePerWeek => {
                let week =
                    |day: &NaiveDate| format!("{}-W{:02}", day.iso_week().year(), day.iso_week().week());
                days.iter().map(|day| (week(day), 1)).collect()
            }
        }
    }
}

/// What these happenings earn.
pub fn achievements(happenings: &[Happening]) -> BTreeSet<Key> {
    let mut days: BTreeMap<&str, Vec<NaiveDate>> = BTreeMap::new();
    for happening in happenings {
        days.entry(happening.member).or_default().push(happening.day());
    }
    let mut earned = BTreeSet::new();
    for incentive in INCENTIVES {
        for (member, days) in &days {
            for (period_key, ordinal) in incentive.places(days) {
                earned.insert((
                    incentive.key.to_owned(),
                    (*member).to_owned(),
                    period_key,
                    ordinal,
                ));
            }
        }
    }
    earned
}
