//! A set of numbers, kept as its runs of consecutive ones.

use serde::{Deserialize, Serialize};

use crate::rules::calendar::Period;

/// Consecutive numbers: the first one, and how many there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Run(i32, u32);

/// Runs in ascending order, with at least one number missing between any two.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Runs(Vec<Run>);

/// What inserting a number did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Joined {
    /// The length of the run that ended right before the number.
    pub left: u32,
    /// The length of the run that began right behind it.
    pub right: u32,
    /// The run that holds the number now.
    pub run: Run,
}

impl Run {
    /// The first number.
    pub fn first(self) -> i32 {
        self.0
    }

    /// How many numbers there are.
    pub fn length(self) -> u32 {
        self.1
    }

    /// The last number.
    pub fn last(self) -> i32 {
        self.0.saturating_add_unsigned(self.1.saturating_sub(1))
    }

    /// Whether `number` is the one right behind the last.
    fn ends_before(self, number: i32) -> bool {
        self.last().checked_add(1) == Some(number)
    }
}

impl Runs {
    /// Whether `number` is in the set.
    pub fn contain(&self, number: i32) -> bool {
        self.0
            .get(self.position(number))
            .is_some_and(|run| run.first() <= number)
    }

    /// Inserts a number; none if it was there already.
    pub fn insert(&mut self, number: i32) -> Option<Joined> {
        if self.contain(number) {
            return None;
        }
        let at = self.position(number);
        let left = at
            .checked_sub(1)
            .and_then(|before| self.0.get(before))
            .filter(|run| run.ends_before(number))
            .copied();
        let right = self
            .0
            .get(at)
            .filter(|run| number.checked_add(1) == Some(run.first()))
            .copied();
        let joined = Joined {
            left: left.map_or(0, Run::length),
            right: right.map_or(0, Run::length),
            run: Run(
                left.map_or(number, Run::first),
                left.map_or(0, Run::length)
                    .saturating_add(1)
                    .saturating_add(right.map_or(0, Run::length)),
            ),
        };
        let replaced = at - usize::from(left.is_some())..at + usize::from(right.is_some());
        self.0.splice(replaced, [joined.run]);
        Some(joined)
    }

    /// Forgets the runs that can no longer grow if no number below `open` is ever inserted again, and says whether there
    /// were any.
    ///
    /// A run that ends right before `open` stays: `open` itself would continue it.
    pub fn forget_before(&mut self, open: i32) -> bool {
        let before = self.0.len();
        self.0.retain(|run| run.last().saturating_add(1) >= open);
        self.0.len() < before
    }

    /// The run that holds `now` or would be continued by it; failing that, one that has begun behind it.
    pub fn alive_at(&self, now: i32) -> Option<Run> {
        self.0
            .iter()
            .copied()
            .find(|run| run.last().saturating_add(1) >= now)
    }

    /// Whether runs that were read back are in order, apart, and in the calendar of `period`.
    pub fn are_sound(&self, period: Period) -> bool {
        let fits = |run: &Run| {
            run.1 > 0
                && period.has(run.0)
                && run
                    .0
                    .checked_add_unsigned(run.1 - 1)
                    .is_some_and(|last| period.has(last))
        };
        self.0.iter().all(fits)
            && self
                .0
                .is_sorted_by(|run, next| i64::from(run.last()) + 1 < i64::from(next.first()))
    }

    /// The place of the first run that ends at `number` or behind it.
    fn position(&self, number: i32) -> usize {
        self.0.partition_point(|run| run.last() < number)
    }
}

#[cfg(test)]
mod tests;
