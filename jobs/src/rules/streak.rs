//! `streak`: so many calendar periods in a row, each with enough matching events.
//!
//! A streak is a function of the set of qualifying periods.
//! It is completed by `length` qualifying periods in a row; up to `freezes` missing ones among them are bridged, which keeps the
//! row and counts for nothing. A late event that fills a bridged period gives the freeze back, because the set is all that
//! matters.
//! How often it is completed is the greatest number of such rows that have no period in common. Without freezes that is
//! floor(run / length) for each run of consecutive periods. It grows when periods are added and never shrinks.
//!
//! Rows are taken greedily, each time the one that ends first: with equally long rows nothing else gives more of them.
//! Which ones end before the horizon depends on what lies before the horizon alone, so they are consumed there; and of what is
//! left before it, only what a later row can still reach over `freezes` missing periods is kept.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use rust_decimal::prelude::ToPrimitive;
use serde::{Deserialize, Serialize};

use super::calendar::Period;
use super::completions::{Completion, Completions};
use super::structure::{Deadline, Grounds, Standing, Structure};
use super::{Evidence, Fault};
use runs::Runs;
use tally::Tally;

mod runs;
mod tally;

/// The settings of a streak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Streak {
    /// How many qualifying periods complete it; at least 1.
    pub length: u32,
    /// What a period is.
    pub period: Period,
    /// How many matching events a period needs to qualify; at least 1.
    pub per_period: u32,
    /// How many missing periods are bridged.
    pub freezes: u32,
}

/// What is remembered of a member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Memory {
    /// What the numbers below count. Without it the days of one streak would read as the weeks of another.
    #[serde(rename = "p")]
    period: Period,
    /// The qualifying periods that are not consumed.
    #[serde(rename = "r")]
    runs: Runs,
    /// The matching events of periods that can still change. A qualifying day without a tally had just as many as it needs.
    #[serde(rename = "t", default, skip_serializing_if = "BTreeMap::is_empty")]
    tallies: BTreeMap<i32, Tally>,
    /// The run in which the last consumed period lies: its first period, and that one. Only for showing since when it goes.
    #[serde(rename = "c", default, skip_serializing_if = "Option::is_none")]
    consumed: Option<(i32, i32)>,
    /// The latest day with a matching event, of those that are not remembered one by one.
    #[serde(rename = "l", default, skip_serializing_if = "Option::is_none")]
    last: Option<NaiveDate>,
}

/// A row of qualifying periods that completes the streak.
struct Row<'a> {
    periods: &'a [i32],
    end: i32,
}

impl Streak {
    /// The rows that complete the streak, first to last, and the periods behind the last of them.
    fn rows<'a>(&self, periods: &'a [i32]) -> (Vec<Row<'a>>, &'a [i32]) {
        let length = self.length as usize;
        let span = i64::from(self.length) + i64::from(self.freezes);
        let mut rows = Vec::new();
        let mut rest = periods;
        let mut unused = periods;
        while let Some(row) = rest.get(..length) {
            let (Some(first), Some(end)) = (row.first(), row.last()) else {
                break;
            };
            if i64::from(*end) - i64::from(*first) < span {
                rows.push(Row {
                    periods: row,
                    end: *end,
                });
                rest = rest.get(length..).unwrap_or_default();
                unused = rest;
            } else {
                rest = rest.get(1..).unwrap_or_default();
            }
        }
        (rows, unused)
    }

    /// The part of `periods` that a row can begin with which also reaches period `next` or one behind it.
    fn reaching<'a>(&self, periods: &'a [i32], next: i32) -> &'a [i32] {
        let before = periods.partition_point(|period| *period < next);
        let missing = |place: usize, first: i32| {
            (i64::from(next) - i64::from(first)) - i64::try_from(before - place).unwrap_or(i64::MAX)
        };
        let start = periods
            .iter()
            .take(before)
            .enumerate()
            .position(|(place, first)| missing(place, *first) <= i64::from(self.freezes))
            .unwrap_or(before);
        periods.get(start..).unwrap_or_default()
    }

    /// The day on which a period had enough events, as far as is known now.
    fn qualified_on(&self, memory: &Memory, index: i32) -> NaiveDate {
        let offset = memory
            .tallies
            .get(&index)
            .and_then(|tally| tally.offset_of(self.per_period));
        // A period without a tally is a day, which is its own last day, or one that lies behind us.
        offset.map_or(self.period.last_day(index), |offset| {
            self.period.date(index, offset)
        })
    }

    /// The events of a period that can still change.
    fn tally(&self, memory: &Memory, index: i32) -> Tally {
        match memory.tallies.get(&index) {
            Some(tally) => tally.clone(),
            None if memory.runs.contain(index) => Tally::of(0, self.per_period),
            None => Tally::default(),
        }
    }

    /// The latest day with a matching event in the periods up to `end`, of those of which the days are known.
    fn last_through(&self, memory: &Memory, end: i32) -> Option<NaiveDate> {
        let tallied = memory.tallies.range(..=end).next_back();
        let tallied = tallied.and_then(|(index, tally)| Some(self.period.date(*index, tally.last_offset()?)));
        let plain = (self.period == Period::Day)
            .then(|| memory.runs.last_through(end))
            .flatten()
            .map(|day| self.period.first_day(day));
        tallied.max(plain)
    }

    fn set_tally(&self, memory: &mut Memory, index: i32, tally: Tally) {
        let total = tally.total();
        if total >= self.per_period {
            memory.runs.insert(index);
        } else {
            memory.runs.remove(index);
        }
        let is_plain_day = self.period == Period::Day && total == self.per_period;
        if total == 0 || is_plain_day {
            memory.tallies.remove(&index);
        } else {
            memory.tallies.insert(index, tally);
        }
    }
}

/// How many events a piece of evidence stands for: one, unless it sums up what is only remembered.
fn weight(evidence: &Evidence) -> u32 {
    evidence.amount.to_u32().unwrap_or(1).max(1)
}

impl Structure for Streak {
    type State = Memory;

    fn start(&self) -> Memory {
        Memory {
            period: self.period,
            runs: Runs::default(),
            tallies: BTreeMap::new(),
            consumed: None,
            last: None,
        }
    }

    fn is_sound(&self, memory: &Memory) -> bool {
        memory.period == self.period
            && memory.runs.are_sound(self.period)
            && memory
                .tallies
                .iter()
                .all(|(index, tally)| self.period.has(*index) && tally.is_sound(self.period))
    }

    fn insert(&self, memory: &mut Memory, evidence: &Evidence) -> Result<(), Fault> {
        let index = self.period.index(evidence.day);
        // After an edit, what the version before has used up is not used again.
        if memory.consumed.is_some_and(|(_, end)| index <= end) {
            memory.last = memory.last.max(Some(evidence.day));
            return Ok(());
        }
        let mut tally = self.tally(memory, index);
        tally.add(self.period.offset(evidence.day), weight(evidence));
        self.set_tally(memory, index, tally);
        Ok(())
    }

    fn remove(&self, memory: &mut Memory, evidence: &Evidence) -> bool {
        let index = self.period.index(evidence.day);
        let mut tally = self.tally(memory, index);
        let removed = tally.take(self.period.offset(evidence.day), weight(evidence));
        if removed {
            self.set_tally(memory, index, tally);
        }
        removed
    }

    fn completions(&self, memory: &Memory) -> Completions {
        let periods = memory.runs.numbers();
        let mut completions = Completions::default();
        for row in self.rows(&periods).0 {
            completions.push(self.qualified_on(memory, row.end), 1);
        }
        completions
    }

    fn consume_before(&self, memory: &mut Memory, day: NaiveDate) -> Completions {
        let open = self.period.index(day);
        let periods = memory.runs.numbers();
        let mut completions = Completions::default();
        let mut consumed = None;
        for row in self.rows(&periods).0 {
            if row.end < open {
                completions.push(self.qualified_on(memory, row.end), 1);
                consumed = Some(row.end);
            }
        }
        if let Some(end) = consumed {
            memory.last = memory.last.max(self.last_through(memory, end));
            let first = memory.runs.first_of(end).unwrap_or(end);
            let first = match memory.consumed {
                Some((since, until)) if until.checked_add(1) == Some(first) => since,
                _ => first,
            };
            memory.consumed = Some((first, end));
            memory.runs.drop_through(end);
            memory.tallies = memory.tallies.split_off(&end.saturating_add(1));
        }
        completions
    }

    fn forget_before(&self, memory: &mut Memory, horizon: NaiveDate) -> bool {
        let open = self.period.index(horizon);
        let tallies = memory.tallies.len();
        memory.last = memory.last.max(self.last_through(memory, open.saturating_sub(1)));
        memory.tallies = memory.tallies.split_off(&open);
        let periods = memory.runs.numbers();
        let kept = self.reaching(&periods, open);
        let dropped = periods.len() > kept.len();
        if dropped {
            let last_dropped = periods.get(periods.len() - kept.len() - 1).copied();
            memory.runs.drop_through(last_dropped.unwrap_or(i32::MIN));
        }
        if memory
            .consumed
            .is_some_and(|(_, end)| end.saturating_add(1) < open)
            && memory.runs.first() != memory.consumed.and_then(|(_, end)| end.checked_add(1))
        {
            memory.consumed = None;
        }
        dropped || memory.tallies.len() < tallies
    }

    fn is_blank(&self, memory: &Memory) -> bool {
        memory.runs.first().is_none() && memory.tallies.is_empty() && memory.consumed.is_none()
    }

    fn standing(&self, memory: &Memory, today: NaiveDate) -> Standing {
        let now = self.period.index(today);
        let periods = memory.runs.numbers();
        let (rows, rest) = self.rows(&periods);
        let alive = self.reaching(rest, now);
        let start = Standing {
            current: alive.len().into(),
            last_counted_on: memory.last.max(self.last_through(memory, i32::MAX)),
            ..self.completed()
        };
        // A row that has just completed the streak may break off: the next one starts from nothing either way.
        let (first, last) = match (alive.first(), alive.last(), rows.last()) {
            (Some(first), Some(last), _) => (*first, *last),
            (_, _, Some(row)) if row.end.saturating_add(1) >= now => {
                return Standing {
                    run_started_on: Some(self.period.first_day(memory.since(row.end))),
                    ..start
                };
            }
            _ => {
                let consumed = memory.consumed.filter(|(_, end)| end.saturating_add(1) >= now);
                return Standing {
                    run_started_on: consumed.map(|(since, _)| self.period.first_day(since)),
                    ..start
                };
            }
        };
        let bridged = i64::from(last) - i64::from(first) + 1 - i64::try_from(alive.len()).unwrap_or(0);
        let spare = i32::try_from(i64::from(self.freezes) - bridged)
            .unwrap_or(0)
            .max(0);
        let deadline = last.saturating_add(1).saturating_add(spare);
        Standing {
            run_started_on: Some(self.period.first_day(memory.since(first))),
            deadline: Some(Deadline::EndOf(self.period.last_day(deadline))),
            ..start
        }
    }

    fn completed(&self) -> Standing {
        Standing::complete(self.length.into())
    }

    fn reach(&self, memory: &Memory, completion: Completion) -> NaiveDate {
        let end = self.period.index(completion.day);
        let periods = memory.runs.numbers();
        let (rows, _) = self.rows(&periods);
        let row = rows.into_iter().find(|row| row.end == end);
        let first = row.and_then(|row| row.periods.first().copied());
        self.period.first_day(first.unwrap_or(end))
    }

    fn grounds(&self, memory: &Memory, evidence: &[Evidence], completion: Completion) -> Grounds {
        let end = self.period.index(completion.day);
        let periods = memory.runs.numbers();
        let (rows, _) = self.rows(&periods);
        let Some(row) = rows.into_iter().find(|row| row.end == end) else {
            return Grounds::default();
        };
        let mut grounds = Grounds::default();
        for index in row.periods {
            let mut known = 0_u32;
            for (place, item) in evidence.iter().enumerate() {
                if self.period.index(item.day) == *index && item.day <= completion.day {
                    grounds.places.push(place);
                    known = known.saturating_add(weight(item));
                }
            }
            if known < self.per_period {
                let day = self.qualified_on(memory, *index);
                grounds.remembered.push(Evidence {
                    day,
                    occurred_at: day.and_time(chrono::NaiveTime::MIN).and_utc(),
                    amount: (self.per_period - known).into(),
                    steps: 1,
                    stops: false,
                });
            }
        }
        grounds
    }
}

impl Memory {
    /// The first period of the run that holds `period`, with what of it is consumed.
    fn since(&self, period: i32) -> i32 {
        let first = self.runs.first_of(period).unwrap_or(period);
        match self.consumed {
            Some((since, end)) if end.checked_add(1) == Some(first) => since,
            _ => first,
        }
    }
}

#[cfg(test)]
mod tests;
