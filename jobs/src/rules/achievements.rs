//! `achievements`: so many different ones of certain incentives earned, whenever that was; completed once, on the day of the
//! one that made them enough.
//!
//! Its evidence is not events: there is one piece for each of the incentives that the member has an achievement of, on the
//! day it was first earned. The caller says all of them each time and begins with nothing, so nothing is ever consumed or
//! forgotten, and different ones are what it has been given.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use super::completions::{Completion, Completions};
use super::structure::{Grounds, Standing, Structure};
use super::{Evidence, Fault};

/// How many different incentives have to be earned; at least 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Achievements {
    pub at_least: u32,
}

/// How many of the incentives were first earned on each day.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Days(BTreeMap<NaiveDate, u32>);

impl Days {
    fn total(&self) -> u64 {
        self.0.values().map(|count| u64::from(*count)).sum()
    }
}

impl Structure for Achievements {
    type State = Days;

    fn start(&self) -> Days {
        Days::default()
    }

    fn is_sound(&self, days: &Days) -> bool {
        days.0.values().all(|count| *count > 0)
    }

    fn insert(&self, days: &mut Days, evidence: &Evidence) -> Result<(), Fault> {
        let count = days.0.entry(evidence.day).or_default();
        *count = count.saturating_add(1);
        Ok(())
    }

    fn remove(&self, days: &mut Days, evidence: &Evidence) -> bool {
        let Some(count) = days.0.get_mut(&evidence.day) else {
            return false;
        };
        *count = count.saturating_sub(1);
        days.0.retain(|_, count| *count > 0);
        true
    }

    fn completions(&self, days: &Days) -> Completions {
        let mut completions = Completions::default();
        let mut total = 0_u64;
        for (day, count) in &days.0 {
            total = total.saturating_add((*count).into());
            if total >= self.at_least.into() {
                completions.push(*day, 1);
                break;
            }
        }
        completions
    }

    /// Nothing: what is earned can be revoked at any time.
    fn consume_before(&self, _days: &mut Days, _day: NaiveDate) -> Completions {
        Completions::default()
    }

    fn forget_before(&self, _days: &mut Days, _horizon: NaiveDate) -> bool {
        false
    }

    fn is_blank(&self, days: &Days) -> bool {
        days.0.is_empty()
    }

    fn standing(&self, days: &Days, _today: NaiveDate) -> Standing {
        Standing {
            current: days.total().min(self.at_least.into()).into(),
            last_counted_on: days.0.keys().next_back().copied(),
            ..self.completed()
        }
    }

    fn completed(&self) -> Standing {
        Standing::complete(self.at_least.into())
    }

    /// The first ones, as many as it takes.
    fn reach(&self, days: &Days, completion: Completion) -> NaiveDate {
        days.0.keys().next().copied().unwrap_or(completion.day)
    }

    fn grounds(&self, _days: &Days, evidence: &[Evidence], completion: Completion) -> Grounds {
        let of_days = evidence.iter().enumerate();
        Grounds {
            places: of_days
                .filter(|(_, item)| !item.stops && item.day <= completion.day)
                .map(|(place, _)| place)
                .take(self.at_least as usize)
                .collect(),
            ..Grounds::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use rust_decimal::Decimal;

    use super::*;

    fn earned(day: u32) -> Evidence {
        let day = NaiveDate::from_ymd_opt(2026, 11, day).expect("a date");
        Evidence {
            day,
            occurred_at: day.and_time(chrono::NaiveTime::MIN).and_utc(),
            amount: Decimal::ONE,
            steps: 1,
            stops: false,
        }
    }

    fn days(earned: &[Evidence]) -> Days {
        let mut days = Days::default();
        for item in earned {
            Achievements { at_least: 2 }
                .insert(&mut days, item)
                .expect("room");
        }
        days
    }

    #[test]
    fn enough_different_ones_complete_it_once_on_the_day_of_the_last() {
        let two = Achievements { at_least: 2 };
        let completed = |earned: &[Evidence]| two.completions(&days(earned)).days().to_vec();
        assert_eq!(completed(&[earned(3)]), []);
        assert_eq!(completed(&[earned(9), earned(3)]), [(earned(9).day, 1)]);
        assert_eq!(
            completed(&[earned(9), earned(3), earned(5)]),
            [(earned(5).day, 1)]
        );
        assert_eq!(
            completed(&[earned(3), earned(3), earned(3), earned(9)]),
            [(earned(3).day, 1)]
        );
    }

    #[test]
    fn a_revoked_one_counts_no_longer() {
        let two = Achievements { at_least: 2 };
        let mut days = days(&[earned(3), earned(9)]);
        assert!(two.remove(&mut days, &earned(3)));
        assert!(!two.remove(&mut days, &earned(3)));
        assert_eq!(two.completions(&days).total(), 0);
        assert_eq!(two.standing(&days, earned(9).day).current, Decimal::ONE);
    }

    #[test]
    fn it_rests_on_the_first_ones_that_were_enough() {
        let two = Achievements { at_least: 2 };
        let all = [earned(3), earned(5), earned(9)];
        let completion = Completion {
            day: earned(5).day,
            nth: 1,
        };
        assert_eq!(two.grounds(&days(&all), &all, completion).places, [0, 1]);
    }
}
