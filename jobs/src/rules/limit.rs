//! Limits: how often completing a structure is awarded.
//!
//! A limit turns completions into awards and gives each its place: a period key, and an ordinal counted from 1 inside it.
//! Together with the incentive and the member that place is what makes an award unique.
//! When evidence is taken back, the limit says which awards go with it.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use super::calendar::Window;
use super::completions::{Completion, Completions};
use super::memory::dates;
use super::{Award, Fault, Revocation};

/// The most awards that one call gives to one member. More is an amount that dwarfs what is asked for, and nobody's intention.
const AWARDS_MAX: usize = 1_000;
/// The most awards that one call takes back: those of many calls may rest on what one takes back.
const REVOCATIONS_MAX: u32 = 100_000;

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
    /// How many of them have the key of a window; all others share their ordinals, whatever their keys.
    #[serde(rename = "p", default, skip_serializing_if = "is_zero")]
    pub placed: u32,
    /// The first days of the windows that have their award for good, because what it rests on can no longer be taken back.
    #[serde(
        rename = "w",
        default,
        skip_serializing_if = "BTreeSet::is_empty",
        with = "dates"
    )]
    pub windows: BTreeSet<NaiveDate>,
}

/// What has happened to the completions of a member in one epoch.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shift<'a> {
    /// Those in the state before.
    pub before: &'a Completions,
    /// Those without what was taken back.
    pub kept: &'a Completions,
    /// Those in the state now.
    pub after: &'a Completions,
    /// All of them now, with those that are consumed and those of other epochs.
    pub total: u64,
    /// Whether there is no later epoch. If there is, completions beyond what has changed are not for this one to award.
    pub is_latest: bool,
    /// The day of an award whose own day is not known any more.
    pub today: NaiveDate,
}

/// The windows of the calendar that have their award, by their first days.
#[derive(Debug)]
pub(super) struct Places<'a> {
    /// By completions of this epoch that can still be taken back.
    pub own: &'a mut BTreeSet<NaiveDate>,
    /// By other epochs.
    pub others: BTreeSet<NaiveDate>,
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

impl Earned {
    /// The highest ordinal of an award that does not have the key of a window.
    fn numbered(&self) -> u32 {
        self.count.saturating_sub(self.placed)
    }
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

    /// The first day after the window of `today` where that has its award; none: there may be one today. `open` are the first days
    /// of the windows whose award can still be taken back.
    pub fn free_from(
        self,
        earned: &Earned,
        open: &BTreeSet<NaiveDate>,
        today: NaiveDate,
    ) -> Option<NaiveDate> {
        let Limit::Windowed(window) = self else {
            return None;
        };
        let first = window.first_day(today)?;
        let is_taken = earned.windows.contains(&first) || open.contains(&first);
        window.last_day(today).filter(|_| is_taken)?.succ_opt()
    }

    /// Awards what has been completed, and takes back what no longer is.
    pub fn follow(
        self,
        earned: &mut Earned,
        places: &mut Places<'_>,
        shift: Shift<'_>,
        leave: Leave,
    ) -> Result<(Vec<Award>, Vec<Revocation>), Fault> {
        match self {
            Limit::Counted { key, at_most } => follow_counted(key, at_most, earned, shift, leave),
            Limit::Windowed(window) => {
                let gone = give_back(window, earned, places, shift, leave);
                let given = give(window, earned, places, shift, leave)?;
                // What goes and comes at once has stood all the time.
                let both: BTreeSet<_> = gone
                    .iter()
                    .copied()
                    .filter(|first| given.contains_key(first))
                    .collect();
                let revoked = gone.into_iter().filter(|first| !both.contains(first));
                let awarded = given.into_iter().filter(|(first, _)| !both.contains(first));
                Ok((
                    awarded
                        .map(|(_, completion)| window_award(window, completion))
                        .collect(),
                    revoked
                        .map(|first| Revocation {
                            period_key: window.key(first),
                            ordinal: 1,
                        })
                        .collect(),
                ))
            }
        }
    }

    /// Learns that completions are consumed, so that the awards for them stay, and forgets the windows that ended before
    /// `horizon`; says whether anything was forgotten. `rest` are the completions that are left, where they matter.
    ///
    /// None of those windows can be asked for again: a structure is never completed on a day before the evidence that completes
    /// it, and no evidence before the horizon comes any more.
    pub fn settle(
        self,
        earned: &mut Earned,
        own: &mut BTreeSet<NaiveDate>,
        consumed: &Completions,
        rest: impl FnOnce() -> Completions,
        horizon: NaiveDate,
    ) -> bool {
        let Limit::Windowed(window) = self else {
            return false;
        };
        let mut supported = windows_of(window, &rest());
        let open = window
            .first_day(horizon)
            .min(supported.first().copied().or(Some(NaiveDate::MAX)));
        for first in windows_of(window, consumed) {
            // The completion may lie in another window than when it was awarded; then that one is taken for good.
            let moved = || own.iter().copied().find(|place| !supported.contains(place));
            if earned.windows.contains(&first) {
                continue;
            }
            if let Some(place) = own.get(&first).copied().or_else(moved) {
                own.remove(&place);
                earned.windows.insert(place);
            }
        }
        supported.retain(|first| !earned.windows.contains(first));
        // So it is where several completions have moved into one window.
        while consumed.total() > 0
            && own.len() > supported.len()
            && let Some(place) = own.iter().copied().find(|place| !supported.contains(place))
        {
            own.remove(&place);
            earned.windows.insert(place);
        }
        let before = earned.windows.len();
        earned.windows.retain(|first| Some(*first) >= open);
        earned.windows.len() < before
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
        let numbered = earned.numbered();
        let gone = (earned.count - target)
            .min(u32::try_from(lost).unwrap_or(u32::MAX))
            .min(numbered);
        if gone > REVOCATIONS_MAX {
            return Err(Fault::TooManyAwards);
        }
        let revoked = (numbered - gone + 1..=numbered)
            .rev()
            .map(|ordinal| Revocation {
                period_key: key.to_owned(),
                ordinal,
            })
            .collect();
        earned.count -= gone;
        return Ok((Vec::new(), revoked));
    }
    let added = shift.after.total().saturating_sub(shift.before.total());
    let mut wanted = target - earned.count;
    if !shift.is_latest {
        wanted = wanted.min(u32::try_from(added).unwrap_or(u32::MAX));
    }
    let mut count = wanted.min(leave.allowance.unwrap_or(u32::MAX)) as usize;
    if count > AWARDS_MAX {
        if added > AWARDS_MAX as u64 {
            return Err(Fault::TooManyAwards);
        }
        // What was held back for so long can wait for the next change.
        count = AWARDS_MAX;
    }
    // Awards that were held back earlier, for want of budget, are for the completions that have none yet.
    let overdue = u64::from(wanted).saturating_sub(added);
    let settled = shift.total.saturating_sub(shift.after.total());
    let unknown = Completion {
        day: shift.today,
        nth: 0,
    };
    let mut gained: Vec<_> = (u64::from(earned.count)..)
        .take(count.min(usize::try_from(overdue).unwrap_or(usize::MAX)))
        .map(|place| {
            place
                .checked_sub(settled)
                .and_then(|place| shift.after.at(place))
                .unwrap_or(unknown)
        })
        .collect();
    gained.extend(shift.after.gained_over(shift.before, added, count - gained.len()));
    let awards = gained
        .into_iter()
        .map(|completion| {
            earned.count += 1;
            Award {
                period_key: key.to_owned(),
                ordinal: earned.numbered(),
                earned_on: completion.day,
                completion,
            }
        })
        .collect();
    Ok((awards, Vec::new()))
}

/// Takes back awards of windows in which no completion is left, latest first, and no more of them than completions are lost.
///
/// Where completions stay in their windows, these are exactly the windows that were left. A completion can move to another
/// window without being lost, and then its award stays where it was made, as long as there are not too many.
fn give_back(
    window: Window,
    earned: &mut Earned,
    places: &mut Places<'_>,
    shift: Shift<'_>,
    leave: Leave,
) -> Vec<NaiveDate> {
    let lost = shift.before.total().saturating_sub(shift.kept.total());
    let supported = open_windows(window, earned, places, shift.kept);
    let were = windows_of(window, shift.before);
    let left = |first: &&NaiveDate| !supported.contains(first);
    let just_left = places
        .own
        .iter()
        .rev()
        .filter(left)
        .filter(|first| were.contains(first));
    let left_before = places
        .own
        .iter()
        .rev()
        .filter(left)
        .filter(|first| !were.contains(first));
    let excess = places.own.len().saturating_sub(supported.len());
    let number = excess.max(just_left.clone().count());
    let gone: Vec<_> = just_left
        .chain(left_before)
        .take(number.min(usize::try_from(lost).unwrap_or(usize::MAX)))
        .copied()
        .collect();
    for first in &gone {
        places.own.remove(first);
        if !leave.revocable {
            // It stays, and does not stand in for what comes.
            earned.windows.insert(*first);
        }
    }
    if !leave.revocable {
        return Vec::new();
    }
    let number = u32::try_from(gone.len()).unwrap_or(u32::MAX);
    earned.count = earned.count.saturating_sub(number);
    earned.placed = earned.placed.saturating_sub(number);
    gone
}

/// Awards windows with completions, until there are as many awards as windows. The latest windows are taken for the new ones.
fn give(
    window: Window,
    earned: &mut Earned,
    places: &mut Places<'_>,
    shift: Shift<'_>,
    leave: Leave,
) -> Result<BTreeMap<NaiveDate, Completion>, Fault> {
    let supported = open_windows(window, earned, places, shift.after);
    let wanted = supported.len().saturating_sub(places.own.len());
    let allowed = usize::try_from(leave.allowance.unwrap_or(u32::MAX)).unwrap_or(usize::MAX);
    let latest = supported.iter().rev().filter(|first| !places.own.contains(first));
    let latest: BTreeSet<_> = latest.take(wanted).copied().collect();
    let new: BTreeSet<_> = latest.into_iter().take(allowed).collect();
    if new.len() > AWARDS_MAX {
        return Err(Fault::TooManyAwards);
    }
    let mut given = BTreeMap::new();
    for (day, _) in shift.after.days() {
        if let Some(first) = window.first_day(*day)
            && new.contains(&first)
            && places.own.insert(first)
        {
            earned.count = earned.count.saturating_add(1);
            earned.placed = earned.placed.saturating_add(1);
            given.insert(first, Completion { day: *day, nth: 1 });
        }
    }
    Ok(given)
}

fn window_award(window: Window, completion: Completion) -> Award {
    Award {
        period_key: window.key(completion.day),
        ordinal: 1,
        earned_on: completion.day,
        completion,
    }
}

/// The windows in which there are completions.
fn windows_of(window: Window, completions: &Completions) -> BTreeSet<NaiveDate> {
    let days = completions.days().iter();
    days.filter_map(|(day, _)| window.first_day(*day)).collect()
}

/// The windows in which there are completions, without those whose award is not for this epoch to give or to take.
fn open_windows(
    window: Window,
    earned: &Earned,
    places: &Places<'_>,
    completions: &Completions,
) -> BTreeSet<NaiveDate> {
    let mut windows = windows_of(window, completions);
    windows.retain(|first| !earned.windows.contains(first) && !places.others.contains(first));
    windows
}

#[cfg(test)]
mod tests;
