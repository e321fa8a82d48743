//! Limits: how often completing a structure is awarded.
//!
//! A limit turns completions into awards and gives each its place: a period key, and an ordinal counted from 1 inside it.
//! Together with the incentive and the member that place is what makes an award unique.

use std::collections::BTreeSet;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use super::Award;
use super::calendar::Window;

/// How often completing a structure is awarded to one member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Limit {
    /// Under one key for good, up to a number or without end.
    Counted {
        /// The period key of every award.
        key: &'static str,
        /// The highest ordinal; none is unlimited.
        at_most: Option<u32>,
    },
    /// Once in each window.
    Windowed(Window),
}

/// What a limit remembers of one member.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Earned {
    /// The number of awards so far.
    #[serde(rename = "n", default, skip_serializing_if = "is_zero")]
    pub count: u32,
    /// The first days of the windows that have their award.
    #[serde(rename = "w", default, skip_serializing_if = "BTreeSet::is_empty")]
    windows: BTreeSet<NaiveDate>,
}

fn is_zero(count: &u32) -> bool {
    *count == 0
}

impl Limit {
    /// Once, for good.
    pub const ONCE: Limit = Limit::Counted {
        key: "once",
        at_most: Some(1),
    };
    /// As often as the structure is completed.
    pub const UNLIMITED: Limit = Limit::Counted {
        key: "ever",
        at_most: None,
    };

    /// At most so many times, for good.
    pub fn at_most(times: u32) -> Limit {
        Limit::Counted {
            key: "ever",
            at_most: Some(times),
        }
    }

    /// Once in each window; a window without dates of its own allows one award for good.
    pub fn once_per(window: Window) -> Limit {
        match window {
            Window::Program => Limit::Counted {
                key: "program",
                at_most: Some(1),
            },
            Window::Ever => Limit::Counted {
                key: "ever",
                at_most: Some(1),
            },
            Window::Day | Window::Week | Window::Month | Window::Quarter | Window::Year => {
                Limit::Windowed(window)
            }
        }
    }

    /// Whether nothing can be earned any more, whatever happens.
    pub fn is_reached(self, earned: &Earned) -> bool {
        match self {
            Limit::Counted { at_most, .. } => at_most.is_some_and(|most| earned.count >= most),
            Limit::Windowed(_) => false,
        }
    }

    /// Awards a completion on `day`, unless the limit forbids it.
    pub fn award(self, earned: &mut Earned, day: NaiveDate) -> Option<Award> {
        if self.is_reached(earned) {
            return None;
        }
        let count = earned.count.checked_add(1)?;
        let award = match self {
            Limit::Counted { key, .. } => Award {
                period_key: key.to_owned(),
                ordinal: count,
                earned_on: day,
            },
            Limit::Windowed(window) => {
                if !earned.windows.insert(window.first_day(day)?) {
                    return None;
                }
                Award {
                    period_key: window.key(day),
                    ordinal: 1,
                    earned_on: day,
                }
            }
        };
        earned.count = count;
        Some(award)
    }

    /// Forgets the windows that ended before `horizon`, and says whether there were any.
    ///
    /// None of them can be asked for again: a structure is never completed on a day before the occurrence that completes it,
    /// and no occurrence before the horizon comes any more.
    pub fn forget_before(self, earned: &mut Earned, horizon: NaiveDate) -> bool {
        let before = earned.windows.len();
        if let Limit::Windowed(window) = self {
            let open = window.first_day(horizon);
            earned.windows.retain(|first| Some(*first) >= open);
        }
        earned.windows.len() < before
    }

    /// Whether a memory that was read back is one this limit can have written.
    pub fn is_sound(self, earned: &Earned) -> bool {
        match self {
            Limit::Counted { .. } => earned.windows.is_empty(),
            Limit::Windowed(window) => {
                earned.windows.len() <= earned.count as usize
                    && earned
                        .windows
                        .iter()
                        .all(|first| window.first_day(*first) == Some(*first))
            }
        }
    }
}

#[cfg(test)]
mod tests;
