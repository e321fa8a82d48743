//! Sums of evidence within a window, each step of which is one completion: what `immediate`, `count` and `total` share.
//!
//! Sums are exact decimals. An amount has at most 15 digits before and 6 behind the decimal point, so a sum of billions of
//! them still fits.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::num::NonZeroU64;

use chrono::NaiveDate;
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::calendar::Window;
use super::completions::{Completion, Completions};
use super::structure::{Deadline, Grounds, Standing, Structure};
use super::{Evidence, Fault};
use days::DaySums;

mod days;

/// Beyond this an amount is a mistake, and its sums would not be exact for ever.
pub(super) const AMOUNT_MAX: i64 = 1_000_000_000_000_000;
/// Decimal places of an amount.
pub(super) const SCALE_MAX: u32 = 6;

/// A step, and the window within which sums are formed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Amounts {
    /// What completes the structure once; greater than zero.
    pub step: Decimal,
    /// Where a sum begins anew.
    pub window: Window,
}

/// What is remembered of a member.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Sums {
    /// What is left over of the days that are not remembered one by one, by the first day of the window.
    #[serde(rename = "b", default, skip_serializing_if = "BTreeMap::is_empty")]
    rests: BTreeMap<NaiveDate, Decimal>,
    /// The sums of single days.
    #[serde(rename = "d", default, skip_serializing_if = "DaySums::is_empty")]
    days: DaySums,
    /// The latest day that counted and is not remembered by itself.
    #[serde(rename = "l", default, skip_serializing_if = "Option::is_none")]
    last: Option<NaiveDate>,
}

/// The amount at a path of an event's properties; none where there is no number greater than zero.
///
/// A number counts by its shortest decimal form, which is how it was written; a text that is a decimal number counts as well,
/// because JSON numbers are cut off at about 15 digits by many senders.
pub(super) fn read(properties: &Value, path: &[String]) -> Result<Option<Decimal>, Fault> {
    Ok(decimal(properties, path)?.filter(|amount| *amount > Decimal::ZERO))
}

/// As [`read`], with zero and what is below it as well.
pub(super) fn decimal(properties: &Value, path: &[String]) -> Result<Option<Decimal>, Fault> {
    let found = path
        .iter()
        .try_fold(properties, |value, name| value.as_object()?.get(name));
    let text = match found {
        Some(Value::Number(number)) => number.to_string(),
        Some(Value::String(text)) if text.len() <= 40 => text.clone(),
        _ => return Ok(None),
    };
    let parsed = Decimal::from_str_exact(&text).or_else(|_| Decimal::from_scientific(&text));
    let Ok(amount) = parsed.map(|amount: Decimal| amount.normalize()) else {
        // A text need not be a number; a number that is none of ours is too large or too fine.
        let is_decimal = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
            && text.bytes().any(|byte| byte.is_ascii_digit())
            && text.matches('.').count() <= 1;
        return if (found.is_some_and(Value::is_number) && !text.starts_with('-')) || is_decimal {
            Err(Fault::AmountOutOfRange)
        } else {
            Ok(None)
        };
    };
    if amount > Decimal::ZERO && (amount.scale() > SCALE_MAX || amount >= Decimal::from(AMOUNT_MAX)) {
        return Err(Fault::AmountOutOfRange);
    }
    Ok(Some(amount))
}

impl Amounts {
    /// The first day of the window of a day; the windows without dates of their own have one that never changes.
    fn window_of(self, day: NaiveDate) -> NaiveDate {
        self.window.first_day(day).unwrap_or_default()
    }

    /// Whether sums that were read back can have been written by this structure. After an edit, what is left over may be more
    /// than a step; then the next evidence of the window completes it.
    pub fn is_sound(self, sums: &Sums) -> bool {
        let positive = |amount: &Decimal| *amount > Decimal::ZERO;
        sums.rests
            .iter()
            .all(|(first, rest)| self.window_of(*first) == *first && positive(rest))
            && sums.days.all().iter().all(|(_, sum)| positive(sum))
    }

    /// The completions of the sums of `days`, which are in ascending order; `leave` is told what is left over in each of their
    /// windows.
    fn run(
        self,
        rests: &BTreeMap<NaiveDate, Decimal>,
        days: &[(NaiveDate, Decimal)],
        mut leave: impl FnMut(NaiveDate, Decimal),
    ) -> Completions {
        let mut completions = Completions::default();
        let mut later = days;
        while let Some((first, _)) = later.first() {
            let last = self.window.last_day(*first).unwrap_or(NaiveDate::MAX);
            let of_window;
            (of_window, later) = later.split_at(later.partition_point(|(day, _)| *day <= last));
            let window = self.window_of(*first);
            let mut rest = rests.get(&window).copied().unwrap_or_default();
            for (day, amount) in of_window {
                let (times, left) = self.steps_in(rest.saturating_add(*amount));
                completions.push(*day, times);
                rest = left;
            }
            leave(window, rest);
        }
        completions
    }

    /// How many whole steps there are in a sum, and what is over.
    fn steps_in(self, sum: Decimal) -> (u64, Decimal) {
        if sum < self.step {
            return (0, sum);
        }
        if let Some((sum, step, scale)) = in_one_unit(sum, self.step) {
            return (
                sum / step,
                Decimal::new((sum % step).cast_signed(), scale).normalize(),
            );
        }
        let times = sum
            .checked_div(self.step)
            .and_then(|times| times.floor().to_u64());
        let rest = sum.checked_rem(self.step).unwrap_or_default();
        (times.unwrap_or(0), rest.normalize())
    }

    /// See [`super::structure::Structure::completions`].
    pub fn completions(self, sums: &Sums) -> Completions {
        self.run(&sums.rests, sums.days.all(), |_, _| {})
    }

    /// See [`super::structure::Structure::consume_before`].
    pub fn consume_before(self, sums: &mut Sums, day: NaiveDate) -> Completions {
        let days = sums.days.before(day);
        let mut rests = sums.rests.clone();
        let completions = self.run(&sums.rests, days, |window, rest| {
            rests.insert(window, rest);
        });
        rests.retain(|_, rest| !rest.is_zero());
        sums.last = sums.last.max(days.last().map(|(day, _)| *day));
        sums.days.drop_before(day);
        sums.rests = rests;
        completions
    }

    /// See [`super::structure::Structure::consume_all`].
    pub fn consume_all(self, sums: &mut Sums) -> Completions {
        let mut completions = Completions::default();
        let mut running = sums.rests.clone();
        let mut left = DaySums::default();
        sums.last = sums.last.max(sums.days.last());
        for (day, amount) in sums.days.all().iter().copied() {
            let window = self.window_of(day);
            let sum = running.entry(window).or_default();
            let (times, over) = self.steps_in(sum.saturating_add(amount));
            *sum = over;
            completions.push(day, times);
            if times == 0 {
                left.push(day, amount);
                continue;
            }
            // What came before in the window is used up, and of this day there is what is over.
            sums.rests.remove(&window);
            left.drop_from(self.window.first_day(day).unwrap_or(NaiveDate::MIN));
            if !over.is_zero() {
                left.push(day, over);
            }
        }
        sums.days = left;
        completions
    }

    /// Forgets windows that ended before `horizon`.
    pub fn forget_before(self, sums: &mut Sums, horizon: NaiveDate) -> bool {
        let before = sums.rests.len();
        let open = self.window_of(horizon);
        sums.rests.retain(|first, _| *first >= open);
        sums.rests.len() < before
    }

    /// How a member stands in the window of `today`.
    pub fn standing(self, sums: &Sums, today: NaiveDate) -> Standing {
        let of_today = self.window_of(today);
        let mut rest = sums.rests.get(&of_today).copied().unwrap_or_default();
        self.run(&sums.rests, sums.days.all(), |window, left| {
            if window == of_today {
                rest = left;
            }
        });
        let last_of_window = self.window.last_day(today);
        Standing {
            current: rest.min(self.step),
            last_counted_on: sums.days.last().max(sums.last),
            // Only what would be lost runs out.
            deadline: last_of_window.filter(|_| !rest.is_zero()).map(Deadline::EndOf),
            ..Standing::complete(self.step)
        }
    }

    /// The day on which the step that `completion` ends was begun: the latest one before it on which a step was ended, or the first.
    pub fn reach(self, sums: &Sums, completion: Completion) -> NaiveDate {
        let window = self.window_of(completion.day);
        let mut rest = sums.rests.get(&window).copied().unwrap_or_default();
        let mut reach = self.window.first_day(completion.day).unwrap_or(NaiveDate::MIN);
        for (day, amount) in sums.days.before(completion.day) {
            if self.window_of(*day) == window {
                let (times, left) = self.steps_in(rest.saturating_add(*amount));
                rest = left;
                if times > 0 {
                    reach = *day;
                }
            }
        }
        // What is over from the days before may be nothing; and one event may end the step it began on and several more.
        if rest.is_zero() { completion.day } else { reach }
    }

    /// The evidence that fills the step which `completion` ends: from where the step before it ended.
    pub fn grounds(self, sums: &Sums, evidence: &[Evidence], completion: Completion) -> Grounds {
        let mut filled = Decimal::ZERO;
        let mut grounds = Grounds::default();
        let mut nth = 0_u64;
        for (place, piece) in self.pieces(sums, evidence, completion) {
            let (times, left) = self.steps_in(filled.saturating_add(piece.amount));
            filled = left;
            if piece.day == completion.day
                && nth.saturating_add(1) < completion.nth
                && nth.saturating_add(times) >= completion.nth
            {
                // The steps behind the first one that this piece ends are made of nothing else.
                grounds = Grounds::default();
            }
            match place {
                Some(place) => grounds.places.push(place),
                None => grounds.remembered.push(piece.clone()),
            }
            if times == 0 {
                continue;
            }
            if piece.day == completion.day {
                nth = nth.saturating_add(times);
                if nth >= completion.nth {
                    return grounds;
                }
            }
            // What is over belongs to the next step.
            grounds = Grounds::default();
            match place {
                _ if filled.is_zero() => {}
                Some(place) => grounds.partly.push((place, filled)),
                None => grounds.remembered.push(Evidence {
                    amount: filled,
                    ..piece
                }),
            }
        }
        Grounds::default()
    }

    /// What the sum consists of on the day of a completion, in the order in which it was added up: evidence with its place, and
    /// sums of such as is not known any more.
    fn pieces(
        self,
        sums: &Sums,
        evidence: &[Evidence],
        completion: Completion,
    ) -> Vec<(Option<usize>, Evidence)> {
        let window = self.window_of(completion.day);
        let of_sum = |day: NaiveDate, amount: Decimal| Evidence {
            day,
            occurred_at: day.and_time(chrono::NaiveTime::MIN).and_utc(),
            amount,
            steps: 1,
            stops: false,
        };
        let mut known: BTreeMap<NaiveDate, Vec<(usize, &Evidence)>> = BTreeMap::new();
        for (place, item) in evidence.iter().enumerate() {
            known.entry(item.day).or_default().push((place, item));
        }
        let mut pieces = Vec::new();
        if let Some(rest) = sums.rests.get(&window) {
            let last = sums.last.filter(|last| self.window_of(*last) == window);
            let day = last.map_or(completion.day, |last| last.min(completion.day));
            pieces.push((None, of_sum(day, *rest)));
        }
        for (day, sum) in sums.days.through(completion.day) {
            if self.window_of(*day) != window {
                continue;
            }
            let known = known.remove(day).unwrap_or_default();
            let unknown = known
                .iter()
                .fold(*sum, |sum, (_, item)| sum.saturating_sub(item.amount));
            if unknown > Decimal::ZERO {
                pieces.push((None, of_sum(*day, unknown.normalize())));
            }
            pieces.extend(known.into_iter().map(|(place, item)| (Some(place), item.clone())));
        }
        pieces
    }
}

/// A sum and a step as whole numbers of the finer unit of both, and its decimal places; none where they are too large for that.
/// All but absurd ones are not, and dividing them is what most of the time of judging would go into.
fn in_one_unit(sum: Decimal, step: Decimal) -> Option<(u64, NonZeroU64, u32)> {
    let scale = sum.scale().max(step.scale());
    let whole = |number: Decimal| {
        let unit = 10_i64.checked_pow(scale.checked_sub(number.scale())?)?;
        let whole = i64::try_from(number.mantissa()).ok()?.checked_mul(unit)?;
        u64::try_from(whole).ok()
    };
    Some((whole(sum)?, NonZeroU64::new(whole(step)?)?, scale))
}

/// A structure that is nothing but a step and a window.
pub(super) trait OfAmounts: Debug + Send + Sync {
    /// Its step and its window.
    fn amounts(&self) -> Amounts;
}

impl<S: OfAmounts> Structure for S {
    type State = Sums;

    fn start(&self) -> Sums {
        Sums::default()
    }

    fn is_sound(&self, sums: &Sums) -> bool {
        self.amounts().is_sound(sums)
    }

    fn insert(&self, sums: &mut Sums, evidence: &Evidence) -> Result<(), Fault> {
        sums.days.add(evidence.day, evidence.amount)
    }

    fn remove(&self, sums: &mut Sums, evidence: &Evidence) -> bool {
        sums.days.take(evidence.day, evidence.amount)
    }

    fn completions(&self, sums: &Sums) -> Completions {
        self.amounts().completions(sums)
    }

    fn consume_before(&self, sums: &mut Sums, day: NaiveDate) -> Completions {
        self.amounts().consume_before(sums, day)
    }

    fn consume_all(&self, sums: &mut Sums) -> Completions {
        self.amounts().consume_all(sums)
    }

    fn forget_before(&self, sums: &mut Sums, horizon: NaiveDate) -> bool {
        self.amounts().forget_before(sums, horizon)
    }

    fn is_blank(&self, sums: &Sums) -> bool {
        sums.rests.is_empty() && sums.days.is_empty()
    }

    fn standing(&self, sums: &Sums, today: NaiveDate) -> Standing {
        self.amounts().standing(sums, today)
    }

    fn completed(&self) -> Standing {
        Standing::complete(self.amounts().step)
    }

    fn reach(&self, sums: &Sums, completion: Completion) -> NaiveDate {
        self.amounts().reach(sums, completion)
    }

    fn grounds(&self, sums: &Sums, evidence: &[Evidence], completion: Completion) -> Grounds {
        self.amounts().grounds(sums, evidence, completion)
    }
}

#[cfg(test)]
mod tests;
