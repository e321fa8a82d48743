//! Limits: how often completing a structure is awarded.
//!
//! A limit turns completions into awards and gives each its place: a period key, and an ordinal counted from 1 inside it.
//! Together with the incentive and the member that place is what makes an award unique.
//! When evidence is taken back, the limit says which awards go with it.

use std::collections::BTreeSet;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use super::calendar::Window;
use super::completions::{Completion, Completions};
use super::{Award, Fault, Revocation};

/// The most awards that one call gives to one member. More is an amount that dwarfs what is asked for, and nobody's intention.
const AWARDS_MAX: usize = 1_000;

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
    /// The number of awards that stand.
    #[serde(rename = "n", default, skip_serializing_if = "is_zero")]
    pub count: u32,
    /// The first days of the windows that have their award.
    #[serde(rename = "w", default, skip_serializing_if = "BTreeSet::is_empty")]
    windows: BTreeSet<NaiveDate>,
    /// Those of them whose award can no longer go, because what it rests on lies before the horizon.
    #[serde(rename = "f", default, skip_serializing_if = "BTreeSet::is_empty")]
    fixed: BTreeSet<NaiveDate>,
}

/// What has happened to the completions of a member.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shift<'a> {
    /// Those in the state before.
    pub before: &'a Completions,
    /// Those that were left when evidence had been taken back and none been added.
    pub between: &'a Completions,
    /// Those in the state now.
    pub after: &'a Completions,
    /// All of them now, with those that are consumed.
    pub total: u64,
    /// The day of an award whose own day is not known any more.
    pub today: NaiveDate,
}

/// What may follow from it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Leave {
    /// Whether awards go when what they rest on is taken back.
    pub revocable: bool,
    /// How many awards there may be at most; none: as many as there are.
    pub allowance: Option<u32>,
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

    /// The number of awards after which there are no more; none: there is always a next one.
    pub fn most(self) -> Option<u32> {
        match self {
            Limit::Counted { at_most, .. } => at_most,
            Limit::Windowed(_) => None,
        }
    }

    /// Whether nothing can be earned any more, as long as nothing is taken back.
    pub fn is_reached(self, earned: &Earned) -> bool {
        self.most().is_some_and(|most| earned.count >= most)
    }

    /// Awards what has been completed, and takes back what no longer is.
    pub fn follow(
        self,
        earned: &mut Earned,
        shift: Shift<'_>,
        leave: Leave,
    ) -> Result<(Vec<Award>, Vec<Revocation>), Fault> {
        match self {
            Limit::Counted { key, at_most } => follow_counted(key, at_most, earned, shift, leave),
            Limit::Windowed(window) => follow_windowed(window, earned, shift, leave),
        }
    }

    /// Learns that completions are consumed and what they rest on cannot be taken back, and forgets the windows that ended
    /// before `horizon`; says whether anything was forgotten.
    ///
    /// None of those windows can be asked for again: a structure is never completed on a day before the evidence that completes
    /// it, and no evidence before the horizon comes any more.
    pub fn settle(self, earned: &mut Earned, consumed: &Completions, horizon: NaiveDate) -> bool {
        let Limit::Windowed(window) = self else {
            return false;
        };
        for (day, _) in consumed.days() {
            if let Some(first) = window.first_day(*day)
                && earned.windows.contains(&first)
            {
                earned.fixed.insert(first);
            }
        }
        let before = earned.windows.len();
        let open = window.first_day(horizon);
        earned.windows.retain(|first| Some(*first) >= open);
        earned.fixed.retain(|first| Some(*first) >= open);
        earned.windows.len() < before
    }

    /// Whether a memory that was read back is one a limit can have written.
    pub fn is_sound(earned: &Earned) -> bool {
        earned.windows.len() <= earned.count as usize && earned.fixed.is_subset(&earned.windows)
    }
}

fn follow_counted(
    key: &str,
    at_most: Option<u32>,
    earned: &mut Earned,
    shift: Shift<'_>,
    leave: Leave,
) -> Result<(Vec<Award>, Vec<Revocation>), Fault> {
    let target = u32::try_from(shift.total)
        .unwrap_or(u32::MAX)
        .min(at_most.unwrap_or(u32::MAX));
    let lost = shift.before.total().saturating_sub(shift.after.total());
    if target < earned.count {
        if !leave.revocable || lost == 0 {
            return Ok((Vec::new(), Vec::new()));
        }
        let gone = (earned.count - target).min(u32::try_from(lost).unwrap_or(u32::MAX));
        let revoked = (earned.count - gone + 1..=earned.count)
            .rev()
            .map(|ordinal| Revocation {
                period_key: key.to_owned(),
                ordinal,
            })
            .collect();
        earned.count -= gone;
        return Ok((Vec::new(), revoked));
    }
    let count = (target - earned.count).min(leave.allowance.unwrap_or(u32::MAX)) as usize;
    if count > AWARDS_MAX {
        return Err(Fault::TooManyAwards);
    }
    let mut gained = shift.after.gained_over(shift.before, count);
    // Awards that were held back earlier, for want of budget, come without a completion of their own.
    let overdue = count - gained.len();
    let late = shift.after.last().unwrap_or(Completion {
        day: shift.today,
        nth: 0,
    });
    gained.splice(0..0, std::iter::repeat_n(late, overdue));
    let awards = gained
        .into_iter()
        .map(|completion| {
            earned.count += 1;
            Award {
                period_key: key.to_owned(),
                ordinal: earned.count,
                earned_on: completion.day,
                completion,
            }
        })
        .collect();
    Ok((awards, Vec::new()))
}

fn follow_windowed(
    window: Window,
    earned: &mut Earned,
    shift: Shift<'_>,
    leave: Leave,
) -> Result<(Vec<Award>, Vec<Revocation>), Fault> {
    // What is lost in one window and gained in another at the same time does not make up for each other.
    let (before, between, after) = (shift.before.total(), shift.between.total(), shift.after.total());
    let mut revoked = Vec::new();
    if before > between && leave.revocable {
        let lost = usize::try_from(before - between).unwrap_or(usize::MAX);
        for gone in shift.before.gained_over(shift.between, lost) {
            let own = window.first_day(gone.day);
            let supported: BTreeSet<_> = shift
                .after
                .days()
                .iter()
                .filter_map(|(day, _)| window.first_day(*day))
                .collect();
            let mut open = earned
                .windows
                .iter()
                .copied()
                .filter(|first| !supported.contains(first) && !earned.fixed.contains(first));
            // The award lies in the completion's own window, or in a later one into which it fell when it was made.
            if let Some(first) = open.find(|first| own.is_some_and(|own| *first >= own)) {
                earned.windows.remove(&first);
                earned.count = earned.count.saturating_sub(1);
                revoked.push(Revocation {
                    period_key: window.key(first),
                    ordinal: 1,
                });
            }
        }
    }
    let mut awards = Vec::new();
    let count = usize::try_from(after.saturating_sub(between)).unwrap_or(usize::MAX);
    let mut allowance = leave.allowance.unwrap_or(u32::MAX);
    // Of many completions on one day the first is enough to see that its window has its award.
    for completion in shift.after.gained_over(shift.between, count.min(100_000)) {
        let Some(first) = window.first_day(completion.day) else {
            continue;
        };
        if allowance == 0 || earned.windows.contains(&first) {
            continue;
        }
        if awards.len() == AWARDS_MAX {
            return Err(Fault::TooManyAwards);
        }
        allowance -= 1;
        earned.windows.insert(first);
        earned.count = earned.count.saturating_add(1);
        awards.push(Award {
            period_key: window.key(completion.day),
            ordinal: 1,
            earned_on: completion.day,
            completion,
        });
    }
    Ok((awards, revoked))
}
