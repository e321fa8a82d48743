//! A set of numbers, kept as its runs of consecutive ones.

use serde::{Deserialize, Serialize};

use crate::rules::calendar::Period;

/// Consecutive numbers: the first one, and how many there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Run(i32, u32);

/// Runs in ascending order, with at least one number missing between any two.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Runs(Vec<Run>);

impl Run {
    fn last(self) -> i32 {
        self.0.saturating_add_unsigned(self.1.saturating_sub(1))
    }
}

impl Runs {
    /// The numbers, ascending.
    pub fn numbers(&self) -> Vec<i32> {
        self.0.iter().flat_map(|run| run.0..=run.last()).collect()
    }

    /// The least number.
    pub fn first(&self) -> Option<i32> {
        self.0.first().map(|run| run.0)
    }

    /// Whether `number` is in the set.
    pub fn contain(&self, number: i32) -> bool {
        self.0
            .get(self.position(number))
            .is_some_and(|run| run.0 <= number)
    }

    /// The first number of the run that holds `number`.
    pub fn first_of(&self, number: i32) -> Option<i32> {
        let run = self.0.get(self.position(number))?;
        (run.0 <= number).then_some(run.0)
    }

    /// The greatest number up to `number`.
    pub fn last_through(&self, number: i32) -> Option<i32> {
        let at = self.position(number);
        if self.contain(number) {
            return Some(number);
        }
        self.0.get(at.checked_sub(1)?).map(|run| run.last())
    }

    /// Inserts a number, if it is not there.
    pub fn insert(&mut self, number: i32) {
        if self.contain(number) {
            return;
        }
        let at = self.position(number);
        let left = at
            .checked_sub(1)
            .and_then(|before| self.0.get(before))
            .filter(|run| run.last().checked_add(1) == Some(number))
            .copied();
        let right = self
            .0
            .get(at)
            .filter(|run| number.checked_add(1) == Some(run.0))
            .copied();
        let length = |run: Option<Run>| run.map_or(0, |run| run.1);
        let joined = Run(
            left.map_or(number, |run| run.0),
            length(left).saturating_add(1).saturating_add(length(right)),
        );
        let replaced = at - usize::from(left.is_some())..at + usize::from(right.is_some());
        self.0.splice(replaced, [joined]);
    }

    /// Removes a number, if it is there; its run falls into what was before it and what was behind.
    pub fn remove(&mut self, number: i32) {
        let at = self.position(number);
        let Some(run) = self.0.get(at).filter(|run| run.0 <= number).copied() else {
            return;
        };
        let before = Run(run.0, number.abs_diff(run.0));
        let behind = Run(number.saturating_add(1), run.last().abs_diff(number));
        self.0
            .splice(at..=at, [before, behind].into_iter().filter(|run| run.1 > 0));
    }

    /// Removes `number` and everything below it.
    pub fn drop_through(&mut self, number: i32) {
        let at = self.position(number);
        let behind = self
            .0
            .get(at)
            .filter(|run| run.0 <= number)
            .map(|run| Run(number.saturating_add(1), run.last().abs_diff(number)));
        self.0.drain(..at);
        if let Some(behind) = behind {
            self.0.splice(..1, Some(behind).filter(|run| run.1 > 0));
        }
    }

    /// Whether runs that were read back are in order, apart, not endless, and in the calendar of `period`.
    pub fn are_sound(&self, period: Period) -> bool {
        // More than a streak and its lateness can need was never written, and would take long to walk.
        const MOST: u32 = 100_000;
        let total = self
            .0
            .iter()
            .fold(0_u32, |total, run| total.saturating_add(run.1));
        let fits = |run: &Run| {
            run.1 >= 1
                && period.has(run.0)
                && run
                    .0
                    .checked_add_unsigned(run.1 - 1)
                    .is_some_and(|last| period.has(last))
        };
        total <= MOST
            && self.0.iter().all(fits)
            && self
                .0
                .is_sorted_by(|run, next| i64::from(run.last()) + 1 < i64::from(next.0))
    }

    /// The place of the first run that ends at `number` or behind it.
    fn position(&self, number: i32) -> usize {
        self.0.partition_point(|run| run.last() < number)
    }
}

#[cfg(test)]
mod tests;
