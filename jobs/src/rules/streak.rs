//! `streak`: so many consecutive periods, each with enough matching events.
//!
//! A streak is a function of the set of qualifying periods: a late event inserts its period, joins the run before it with the
//! run after it, and what the longer run has completed more than the two had before is the award.
//! A run completes the structure floor(run / length) times.
//! That grows when runs are joined and never shrinks, so nothing is ever taken back; and one more period in a run is at most
//! one more completion.
//!
//! What is remembered is bounded by how late an event can come: a run that no later event can reach is forgotten with its
//! completions, which were awarded when they happened, and a run of years is still two numbers.
//! Freezes are left out until they can be asked for.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::Occurrence;
use super::calendar::Period;
use super::structure::{Standing, Structure};
use runs::Runs;
use tally::Tally;

mod runs;
mod tally;

/// The settings of a streak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Streak {
    /// How many consecutive periods complete it; at least 1.
    pub length: u32,
    /// What a period is.
    pub period: Period,
    /// How many matching events a period needs to qualify; at least 1.
    pub per_period: u32,
}

/// What is remembered of a member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Memory {
    /// What the numbers below count. Without it the days of one streak would read as the weeks of another.
    #[serde(rename = "p")]
    period: Period,
    /// The qualifying periods.
    #[serde(rename = "r")]
    runs: Runs,
    /// The matching events of periods that can still get more of them, while there is something to learn from them: how
    /// many are missing, or on which day there were enough.
    #[serde(rename = "t", default, skip_serializing_if = "BTreeMap::is_empty")]
    tallies: BTreeMap<i32, Tally>,
    /// The latest day with a matching event.
    #[serde(rename = "l")]
    last: Option<NaiveDate>,
}

impl Streak {
    /// The day on which a period had enough events, as far as is known now.
    fn qualified_on(&self, memory: &Memory, index: i32) -> NaiveDate {
        let offset = memory
            .tallies
            .get(&index)
            .and_then(|tally| tally.offset_of(self.per_period));
        // A day has no tally once it qualifies, and needs none: it is its own last day.
        offset.map_or(self.period.last_day(index), |offset| {
            self.period.date(index, offset)
        })
    }
}

impl Structure for Streak {
    type State = Memory;

    fn start(&self) -> Memory {
        Memory {
            period: self.period,
            runs: Runs::default(),
            tallies: BTreeMap::new(),
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

    fn take(&self, memory: &mut Memory, occurrence: &Occurrence<'_>) -> Option<NaiveDate> {
        memory.last = memory.last.max(Some(occurrence.day));
        let index = self.period.index(occurrence.day);
        let is_one_day = self.period == Period::Day;
        if is_one_day && memory.runs.contain(index) {
            return None;
        }
        let tally = memory.tallies.entry(index).or_default();
        tally.add(self.period.offset(occurrence.day), self.per_period);
        if tally.total() < self.per_period {
            return None;
        }
        if is_one_day {
            memory.tallies.remove(&index);
        }
        let joined = memory.runs.insert(index)?;
        let before = joined.left / self.length + joined.right / self.length;
        let after = joined.run.length() / self.length;
        (after > before).then(|| {
            // The completion that is new is the run's last one. It lies at the new period or behind it: the periods left of
            // the new one completed no more than `before` and the run now completes more.
            let periods = after * self.length;
            self.qualified_on(memory, joined.run.first().saturating_add_unsigned(periods - 1))
        })
    }

    fn forget_before(&self, memory: &mut Memory, horizon: NaiveDate) -> bool {
        let open = self.period.index(horizon);
        let tallies = memory.tallies.len();
        memory.tallies = memory.tallies.split_off(&open);
        let closed_runs = memory.runs.forget_before(open);
        closed_runs || memory.tallies.len() < tallies
    }

    fn standing(&self, memory: &Memory, today: NaiveDate) -> Standing {
        let start = Standing {
            current: Decimal::ZERO,
            last_counted_on: memory.last,
            ..self.completed()
        };
        let Some(run) = memory.runs.alive_at(self.period.index(today)) else {
            return start;
        };
        let current = run.length() % self.length;
        Standing {
            current: current.into(),
            run_started_on: Some(self.period.first_day(run.first())),
            // A run that has just completed the structure may break off: the next one starts from nothing either way.
            deadline_on: (current > 0).then(|| self.period.last_day(run.last().saturating_add(1))),
            ..start
        }
    }

    fn completed(&self) -> Standing {
        Standing::complete(self.length.into())
    }
}

#[cfg(test)]
mod tests;
