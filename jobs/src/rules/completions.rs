//! Completions: how often, and on which days, a structure is completed.

use chrono::NaiveDate;

/// One completion: its day, and its place among those of that day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Completion {
    /// The day on which the structure was completed.
    pub day: NaiveDate,
    /// 1, 2, 3 among the completions of that day.
    pub nth: u64,
}

/// A multiset of days, ascending.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Completions(Vec<(NaiveDate, u64)>);

impl Completions {
    /// Adds completions on a day that is not before any that is there.
    pub fn push(&mut self, day: NaiveDate, times: u64) {
        match self.0.last_mut() {
            _ if times == 0 => {}
            Some(last) if last.0 == day => last.1 = last.1.saturating_add(times),
            _ => self.0.push((day, times)),
        }
    }

    /// The union of completions in any order.
    pub fn of(mut days: Vec<(NaiveDate, u64)>) -> Completions {
        days.sort_unstable();
        let mut completions = Completions::default();
        for (day, times) in days {
            completions.push(day, times);
        }
        completions
    }

    /// How many there are.
    pub fn total(&self) -> u64 {
        self.0
            .iter()
            .fold(0, |total, (_, times)| total.saturating_add(*times))
    }

    /// The days, ascending, each with its number of completions.
    pub fn days(&self) -> &[(NaiveDate, u64)] {
        &self.0
    }

    /// The number of completions on a day.
    pub fn on(&self, day: NaiveDate) -> u64 {
        match self.0.binary_search_by_key(&day, |(day, _)| *day) {
            Ok(place) => self.0.get(place).map_or(0, |(_, times)| *times),
            Err(_) => 0,
        }
    }

    /// The latest `count` of the completions that `before` does not have, ascending.
    ///
    /// A late event may move completions to other days besides adding one; of all the days that are new, the latest are taken
    /// for the ones it has added.
    pub fn gained_over(&self, before: &Completions, count: usize) -> Vec<Completion> {
        let mut gained = Vec::new();
        for (day, times) in self.0.iter().rev() {
            let known = before.on(*day).min(*times);
            for nth in (known + 1..=*times).rev() {
                if gained.len() == count {
                    break;
                }
                gained.push(Completion { day: *day, nth });
            }
        }
        gained.reverse();
        gained
    }

    /// The last completion of all.
    pub fn last(&self) -> Option<Completion> {
        self.0.last().map(|(day, times)| Completion {
            day: *day,
            nth: *times,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(day: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(2026, 11, day).expect("a date")
    }

    fn of(days: &[u32]) -> Completions {
        Completions::of(days.iter().map(|number| (day(*number), 1)).collect())
    }

    #[test]
    fn what_is_gained_is_the_latest_of_what_is_new() {
        // A run that gains a day in front is completed earlier than before, and once more behind.
        let gained = of(&[4, 9]).gained_over(&of(&[5]), 1);
        assert_eq!(gained, [Completion { day: day(9), nth: 1 }]);
    }

    #[test]
    fn several_completions_of_one_day_have_a_place_each() {
        let gained = of(&[4, 4, 4]).gained_over(&of(&[4]), 5);
        let expected = [2, 3].map(|nth| Completion { day: day(4), nth });
        assert_eq!(gained, expected);
    }
}
