//! Levels: what a member is called by the points earned in a window.
//!
//! The level of a day is the higher of two: what the points of the window before gave at its end, which is kept through the present
//! window, and what the points of the present window have given so far. Where levels may not fall, it is the highest that any day has
//! ever given. Points count on the civil day on which they were recorded; what is taken back goes off on the day on which it is.

use std::collections::BTreeMap;

use chrono::{Days, NaiveDate};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::calendar::Window;

/// The levels of a program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Levels {
    /// Where points are counted anew.
    pub window: Window,
    /// Whether a level that is not reached again is lost.
    pub may_fall: bool,
    /// The levels, the lowest first.
    pub levels: Vec<Level>,
}

/// A level.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Level {
    /// Its name for programs.
    pub key: String,
    /// Its name for people.
    pub name: String,
    /// How many points it takes.
    pub at_least: i64,
}

/// Where a member stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing<'a> {
    /// The level; none: below the first one.
    pub level: Option<&'a Level>,
    /// The points of the present window, at least 0.
    pub points: i64,
    /// The next higher level; none: there is none.
    pub next: Option<&'a Level>,
    /// The first day of the next window, on which the level is judged anew; none: it is not.
    pub reassessed_on: Option<NaiveDate>,
    /// The last day on which the level is kept without another point, unless points are taken back; none: there is no level, or it is
    /// kept for good.
    pub kept_until: Option<NaiveDate>,
}

impl Standing<'_> {
    /// How many points of the present window the next level still takes.
    pub fn missing(&self) -> Option<i64> {
        self.next
            .map(|next| next.at_least.saturating_sub(self.points).max(0))
    }
}

impl Levels {
    /// Reads stored levels; none where they cannot be read.
    pub fn parse(stored: &Value) -> Option<Self> {
        Self::deserialize(stored).ok()
    }

    /// The first day whose points still say something on `today`; none: all of them do.
    pub fn since(&self, today: NaiveDate) -> Option<NaiveDate> {
        if self.may_fall {
            self.before(self.window.first_day(today)?)
        } else {
            None
        }
    }

    /// Where a member stands on `today` who has earned so many points on each day.
    pub fn standing(&self, earned: &BTreeMap<NaiveDate, i64>, today: NaiveDate) -> Standing<'_> {
        let start = self.window.first_day(today);
        let present = self.reached(earned, today);
        let kept = start
            .and_then(|start| start.pred_opt())
            .map_or(0, |eve| self.reached(earned, eve));
        let best = if self.may_fall {
            present.max(kept)
        } else {
            self.peak(earned, today)
        };
        let level = self.rank(best);
        let next_start = self
            .window
            .last_day(today)
            .filter(|_| start.is_some() && self.may_fall)
            .and_then(|last| last.succ_opt());
        // What the present window gives is kept through the next one.
        let kept_until = next_start.filter(|_| level > 0).and_then(|next_start| {
            if self.rank(present) >= level {
                self.window.last_day(next_start)
            } else {
                next_start.pred_opt()
            }
        });
        Standing {
            level: level.checked_sub(1).and_then(|place| self.levels.get(place)),
            points: present.max(0),
            next: self.levels.get(level),
            reassessed_on: next_start,
            kept_until,
        }
    }

    /// How many levels so many points reach.
    fn rank(&self, points: i64) -> usize {
        let reached = |level: &&Level| level.at_least <= points;
        self.levels.iter().take_while(reached).count()
    }

    /// The points of the window of a day, up to and including it.
    fn reached(&self, earned: &BTreeMap<NaiveDate, i64>, day: NaiveDate) -> i64 {
        let start = self.window.first_day(day).unwrap_or(NaiveDate::MIN);
        let points = earned.range(start..=day).map(|(_, points)| *points);
        points.fold(0, i64::saturating_add)
    }

    /// The most points that any window has held at the end of any of its days, up to a day.
    fn peak(&self, earned: &BTreeMap<NaiveDate, i64>, today: NaiveDate) -> i64 {
        let (mut window, mut held, mut peak) = (None, 0_i64, 0);
        for (day, points) in earned.range(..=today) {
            let start = self.window.first_day(*day);
            if window != Some(start) {
                (window, held) = (Some(start), 0);
            }
            held = held.saturating_add(*points);
            peak = peak.max(held);
        }
        peak
    }

    /// The first day of the window before the one that starts on `start`.
    fn before(&self, start: NaiveDate) -> Option<NaiveDate> {
        self.window.first_day(start.checked_sub_days(Days::new(1))?)
    }
}

#[cfg(test)]
mod tests;
