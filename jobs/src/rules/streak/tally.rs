//! The matching events of one period, by the day they fell on.

use serde::{Deserialize, Serialize};

use crate::rules::calendar::Period;

/// How many events there were on which day of a period, in the order of days.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Tally(Vec<OnDay>);

/// The events of one day: how many days after the period's first one it is, and how many events it had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct OnDay(u8, u32);

impl Tally {
    /// So many events on one day.
    pub fn of(offset: u8, count: u32) -> Tally {
        Tally(vec![OnDay(offset, count)])
    }

    /// Adds events.
    pub fn add(&mut self, offset: u8, count: u32) {
        let at = self.0.partition_point(|day| day.0 < offset);
        match self.0.get_mut(at) {
            Some(day) if day.0 == offset => day.1 = day.1.saturating_add(count),
            _ => self.0.insert(at, OnDay(offset, count)),
        }
    }

    /// Takes events away; false if there are not so many on that day.
    pub fn take(&mut self, offset: u8, count: u32) -> bool {
        let at = self.0.partition_point(|day| day.0 < offset);
        let Some(day) = self.0.get_mut(at).filter(|day| day.0 == offset && day.1 >= count) else {
            return false;
        };
        day.1 -= count;
        if day.1 == 0 {
            self.0.remove(at);
        }
        true
    }

    /// How many events there are.
    pub fn total(&self) -> u32 {
        self.0.iter().fold(0, |total, day| total.saturating_add(day.1))
    }

    /// The day of the `nth` event, counted from 1.
    pub fn offset_of(&self, nth: u32) -> Option<u8> {
        let mut total = 0_u32;
        self.0.iter().find_map(|day| {
            total = total.saturating_add(day.1);
            (total >= nth).then_some(day.0)
        })
    }

    /// The last day with an event.
    pub fn last_offset(&self) -> Option<u8> {
        self.0.last().map(|day| day.0)
    }

    /// Whether a tally that was read back has its days in order, each with an event and within the period.
    pub fn is_sound(&self, period: Period) -> bool {
        let last_offset = match period {
            Period::Day => 0,
            Period::Week => 6,
            Period::Month => 30,
        };
        !self.0.is_empty()
            && self.0.iter().all(|day| day.0 <= last_offset && day.1 > 0)
            && self.0.is_sorted_by(|day, next| day.0 < next.0)
    }
}

#[cfg(test)]
mod tests;
