//! The naive twin: lists of what a member did, counted anew for every question.

mod menu;

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Datelike, NaiveDate, TimeDelta, Utc};

use crate::harness::at;

use menu::{Ask, Cap, Span};
pub use menu::{INCENTIVES, Incentive, NIGHT};

/// Incentive, member, period key, ordinal.
pub type Key = (String, String, String, i32);

/// What a member did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    /// A meditation of so many half minutes.
    Meditation(i64),
    /// An order of so many cents.
    Order(i64),
    /// A purchase, which stops what is not to go on after one.
    Purchase,
}

/// Something that a member did.
#[derive(Debug, Clone)]
pub struct Happening {
    /// Who.
    pub member: &'static str,
    /// What.
    pub deed: Deed,
    /// When, counted back from noon of the 21st.
    pub minutes_ago: u32,
    /// The zone that the event names.
    pub named_zone: Option<&'static str>,
    /// The zone that counts.
    pub zone: &'static str,
    /// Whether it is taken back.
    pub is_retracted: bool,
}

impl Happening {
    /// When.
    pub fn instant(&self) -> DateTime<Utc> {
        at("2026-11-21T12:00:00Z")
            .checked_sub_signed(TimeDelta::minutes(self.minutes_ago.into()))
            .unwrap()
    }

    /// The day in a program whose days start at this hour.
    fn day(&self, starts_at: i64) -> NaiveDate {
        let zone: chrono_tz::Tz = self.zone.parse().unwrap();
        let local = self.instant().with_timezone(&zone).naive_local();
        local
            .checked_sub_signed(TimeDelta::hours(starts_at))
            .unwrap()
            .date()
    }
}

/// What these happenings earn, after all that was taken back.
pub fn achievements(happenings: &[Happening]) -> BTreeSet<Key> {
    let left: Vec<&Happening> = happenings.iter().filter(|one| !one.is_retracted).collect();
    let members: BTreeSet<&str> = left.iter().map(|one| one.member).collect();
    let mut earned = BTreeSet::new();
    for member in members {
        let own: Vec<&Happening> = left.iter().copied().filter(|one| one.member == member).collect();
        let mut had: BTreeSet<&str> = BTreeSet::new();
        for incentive in INCENTIVES {
            for (period_key, ordinal) in incentive.places(&own, &had) {
                had.insert(incentive.key);
                let (key, member) = (incentive.key.to_owned(), member.to_owned());
                earned.insert((key, member, period_key, ordinal));
            }
        }
    }
    earned
}

impl Incentive {
    fn places(&self, done: &[&Happening], had: &BTreeSet<&str>) -> BTreeSet<(String, i32)> {
        let stop = done
            .iter()
            .filter(|one| self.is_stoppable && one.deed == Deed::Purchase)
            .map(|one| one.instant())
            .min();
        let counts = |one: &&Happening| stop.is_none_or(|stop| one.instant() < stop);
        let done: Vec<&Happening> = done.iter().copied().filter(counts).collect();
        let days = self.completions(&done, had);
        let times = i32::try_from(days.len()).unwrap();
        let counted = |key: &str, most: i32| {
            (1..=times.min(most))
                .map(|ordinal| (key.to_owned(), ordinal))
                .collect()
        };
        match self.cap {
            Cap::Once => counted("once", 1),
            Cap::AtMost(most) => counted("ever", most),
            Cap::Unlimited => counted("ever", i32::MAX),
            Cap::OncePer(Span::Program) => counted("program", 1),
            Cap::OncePer(Span::Ever) => counted("ever", 1),
            Cap::OncePer(span) => days.iter().map(|day| (span.key(*day), 1)).collect(),
        }
    }

    /// The days on which a member has done enough once more, whatever the limit.
    fn completions(&self, done: &[&Happening], had: &BTreeSet<&str>) -> Vec<NaiveDate> {
        let of = |is_wanted: &dyn Fn(Deed) -> bool| -> Vec<&Happening> {
            done.iter().copied().filter(|one| is_wanted(one.deed)).collect()
        };
        let day = |one: &Happening| one.day(self.starts_at);
        let meditations = of(&|deed| matches!(deed, Deed::Meditation(_)));
        let orders = of(&|deed| matches!(deed, Deed::Order(_)));
        let big_orders = of(&|deed| matches!(deed, Deed::Order(cents) if cents >= 500));
        match self.ask {
            Ask::EachMeditation => meditations.into_iter().map(day).collect(),
            Ask::EachBigOrder => big_orders.into_iter().map(day).collect(),
            Ask::EachOfGoldMembers if done.iter().all(|one| one.member != "bob") => Vec::new(),
            Ask::EachOfGoldMembers => meditations.into_iter().map(day).collect(),
            Ask::Streak {
                length,
                span,
                per_period,
                freezes,
            } => {
                let days: Vec<NaiveDate> = meditations.into_iter().map(day).collect();
                streaks(&days, length, span, per_period, freezes)
            }
            Ask::Count { times, span } => sums(meditations.into_iter().map(|one| (day(one), 1)), times, span),
            Ask::HalfMinutes { at_least, span } => {
                let amounts = meditations.into_iter().map(|one| match one.deed {
                    Deed::Meditation(halves) => (day(one), halves),
                    _ => (day(one), 0),
                });
                sums(amounts, at_least, span)
            }
            Ask::Cents { at_least, span } => {
                let amounts = orders.into_iter().map(|one| match one.deed {
                    Deed::Order(cents) => (day(one), cents),
                    _ => (day(one), 0),
                });
                sums(amounts, at_least, span)
            }
            Ask::OrderAfterMeditation { hours } => {
                let (first, then) = (instants(&meditations), instants(&orders));
                vec![NaiveDate::MIN; matching(&first, &then, TimeDelta::hours(hours))]
            }
            Ask::OrderBetweenMeditations { hours } => {
                let (outer, inner) = (instants(&meditations), instants(&big_orders));
                let within = TimeDelta::hours(hours);
                let is_there = outer.iter().any(|first| {
                    outer.iter().any(|last| {
                        last.signed_duration_since(*first) <= within
                            && inner.iter().any(|middle| first < middle && middle < last)
                    })
                });
                vec![NaiveDate::MIN; usize::from(is_there)]
            }
            Ask::Achievements { of, at_least } => {
                let count = of.iter().filter(|key| had.contains(*key)).count();
                vec![NaiveDate::MIN; usize::from(count >= at_least)]
            }
        }
    }
}

fn instants(done: &[&Happening]) -> Vec<DateTime<Utc>> {
    done.iter().map(|one| one.instant()).collect()
}

/// The greatest number of rows without a common period, found by trying for each last period whether a row ends with it.
fn streaks(days: &[NaiveDate], length: usize, span: Span, per_period: usize, freezes: i64) -> Vec<NaiveDate> {
    let numbers: BTreeSet<i64> = days.iter().map(|day| span.number(*day)).collect();
    let enough: Vec<i64> = numbers
        .into_iter()
        .filter(|number| days.iter().filter(|day| span.number(**day) == *number).count() >= per_period)
        .collect();
    let mut best = vec![0; enough.len() + 1];
    for end in 1..=enough.len() {
        best[end] = best[end - 1];
        if end >= length {
            let missing = enough[end - 1] - enough[end - length] + 1 - i64::try_from(length).unwrap();
            if missing <= freezes {
                best[end] = best[end].max(best[end - length] + 1);
            }
        }
    }
    vec![NaiveDate::MIN; best[enough.len()]]
}

/// The days on which the sum within a window passes one more multiple of a step.
fn sums(amounts: impl Iterator<Item = (NaiveDate, i64)>, step: i64, span: Span) -> Vec<NaiveDate> {
    let mut amounts: Vec<(NaiveDate, i64)> = amounts.collect();
    amounts.sort_unstable();
    let mut sums: BTreeMap<String, i64> = BTreeMap::new();
    let mut days = Vec::new();
    for (day, amount) in amounts {
        let sum = sums.entry(span.key(day)).or_default();
        for _ in *sum / step..(*sum + amount) / step {
            days.push(day);
        }
        *sum += amount;
    }
    days
}

/// The greatest number of pairs without a common event, by augmenting paths.
fn matching(first: &[DateTime<Utc>], then: &[DateTime<Utc>], within: TimeDelta) -> usize {
    fn place(
        one: usize,
        fits: &[Vec<usize>],
        tried: &mut BTreeSet<usize>,
        taken: &mut BTreeMap<usize, usize>,
    ) -> bool {
        for other in &fits[one] {
            if !tried.insert(*other) {
                continue;
            }
            let holder = taken.get(other).copied();
            if holder.is_none_or(|holder| place(holder, fits, tried, taken)) {
                taken.insert(*other, one);
                return true;
            }
        }
        false
    }
    let fits: Vec<Vec<usize>> = first
        .iter()
        .map(|one| {
            let is_fit = |(_, other): &(usize, &DateTime<Utc>)| {
                one < *other && other.signed_duration_since(*one) <= within
            };
            then.iter()
                .enumerate()
                .filter(is_fit)
                .map(|(place, _)| place)
                .collect()
        })
        .collect();
    let mut taken = BTreeMap::new();
    (0..first.len())
        .filter(|one| place(*one, &fits, &mut BTreeSet::new(), &mut taken))
        .count()
}

impl Span {
    /// What a window is called.
    fn key(self, day: NaiveDate) -> String {
        match self {
            Span::Day => day.to_string(),
            Span::Week => format!("{}-W{:02}", day.iso_week().year(), day.iso_week().week()),
            Span::Month => format!("{}-{:02}", day.year(), day.month()),
            Span::Program => "program".to_owned(),
            Span::Ever => "ever".to_owned(),
        }
    }

    /// Numbers that follow each other when the spans do.
    fn number(self, day: NaiveDate) -> i64 {
        let days = i64::from(day.num_days_from_ce());
        match self {
            Span::Day => days,
            Span::Week => (days - i64::from(day.weekday().num_days_from_monday())) / 7,
            Span::Month => i64::from(day.year()) * 12 + i64::from(day.month()),
            Span::Program | Span::Ever => 0,
        }
    }
}
