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

    /// Of the completions that `before` does not have, the latest `count`; and of those the first `most`, ascending.
    ///
    /// A late event may move completions to other days besides adding one; of all the days that are new, the latest are taken
    /// for the ones it has added.
    pub fn gained_over(&self, before: &Completions, count: u64, most: usize) -> Vec<Completion> {
        let new = |day: NaiveDate, times: u64| times.saturating_sub(before.on(day));
        // A change is mostly about the latest of many days; what both have up to there is not new.
        let both = self.0.iter().zip(&before.0);
        let shared = both.take_while(|(one, other)| one == other).count();
        let later = self.0.get(shared..).unwrap_or_default();
        let all = later
            .iter()
            .fold(0, |all: u64, (day, times)| all.saturating_add(new(*day, *times)));
        let mut moved = all.saturating_sub(count);
        let mut gained = Vec::new();
        for (day, times) in later {
            let skipped = moved.min(new(*day, *times));
            moved -= skipped;
            let first = times - new(*day, *times) + skipped + 1;
            for nth in first..=*times {
                if gained.len() == most {
                    return gained;
                }
                gained.push(Completion { day: *day, nth });
            }
        }
        gained
    }

    /// The completion at a place, counted from 0.
    pub fn at(&self, place: u64) -> Option<Completion> {
        let mut before = 0_u64;
        self.0.iter().find_map(|(day, times)| {
            let nth = place.checked_sub(before)?.saturating_add(1);
            before = before.saturating_add(*times);
            (nth <= *times).then_some(Completion { day: *day, nth })
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
        let gained = of(&[4, 9]).gained_over(&of(&[5]), 1, 9);
        assert_eq!(gained, [Completion { day: day(9), nth: 1 }]);
    }

    #[test]
    fn several_completions_of_one_day_have_a_place_each() {
        let gained = of(&[4, 4, 4]).gained_over(&of(&[4]), 2, 9);
        let expected = [2, 3].map(|nth| Completion { day: day(4), nth });
        assert_eq!(gained, expected);
    }

    #[test]
    fn of_more_than_are_asked_for_the_first_are_taken() {
        let gained = of(&[4, 4, 7, 9]).gained_over(&of(&[4]), 3, 2);
        assert_eq!(
            gained,
            [
                Completion { day: day(4), nth: 2 },
                Completion { day: day(7), nth: 1 }
            ]
        );
    }

    #[test]
    fn every_completion_has_a_place() {
        let completions = of(&[4, 4, 7]);
        let days: Vec<_> = (0..4).map(|place| completions.at(place)).collect();
        let at = |number, nth| {
            Some(Completion {
                day: day(number),
                nth,
            })
        };
        assert_eq!(days, [at(4, 1), at(4, 2), at(7, 1), None]);
    }
}
