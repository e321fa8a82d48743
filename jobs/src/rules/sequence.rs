//! `sequence`: several steps, each at a strictly later instant than the one before, the last within a certain time of the first.
//!
//! A chain is one event for each step. A sequence is completed as often as there are chains that have no event in common.
//! They are found greedily: for each end in the order of time, the earliest unused event for the first step that is near
//! enough, then for each next step the earliest one behind it. Two chains that cross can be uncrossed, because no event can
//! be different steps where there is more than one award (the definition sees to that; steps that are the same and follow
//! each other share their events). So nothing else gives more chains, and more events never give fewer. One exception is
//! stated: several events at the very same instant that can be the same several steps may be used in a way that leaves one
//! chain less than there could be.
//! For a single award it is enough that there is a chain, and for one end the earliest events find it if any do.
//!
//! Which chains end before an instant depends on what happened before it alone, so they are consumed there. Of what is left,
//! an event is kept while a later end may still reach back to it.
//!
//! Instants and days meet at the horizon only: a day begins up to 14 hours before its midnight in UTC, so whatever happens on
//! the horizon's day or later lies behind the midnight of the day before.

use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::completions::{Completion, Completions};
use super::structure::{Deadline, Grounds, Standing, Structure};
use super::{Evidence, Fault};

/// The most events that are remembered of one member. Beyond it, they are not steps but a stream.
const EVENTS_MAX: u64 = 5_000;

/// How long before its midnight in UTC a day can begin.
const EARLIEST_ZONE: TimeDelta = TimeDelta::hours(14);

/// The settings of a sequence. What each step is, is said by the incentive, which marks events with the steps they can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sequence {
    /// How many steps; at least 2 and at most 32.
    pub steps: u32,
    /// How long it may take from the first step to the last, inclusive.
    pub within: TimeDelta,
}

/// What is remembered of a member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Memory {
    /// How many steps there are. Without it the steps of one sequence would read as those of another.
    #[serde(rename = "n")]
    steps: u32,
    /// The events that are not consumed, in order.
    #[serde(rename = "e", default, skip_serializing_if = "Vec::is_empty")]
    events: Vec<Event>,
    /// The latest day of an event that is not remembered by itself.
    #[serde(rename = "l", default, skip_serializing_if = "Option::is_none")]
    last: Option<NaiveDate>,
}

/// Events that are all the same: the instant in microseconds, the day, the steps they can be, and how many there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Event(i64, NaiveDate, u32, u32);

/// One event for each step.
#[derive(Debug, PartialEq, Eq)]
struct Chain {
    /// The day of the last step.
    day: NaiveDate,
    /// The places of the events, and how many of the same had been used before.
    events: Vec<(usize, u32)>,
}

impl Event {
    fn of(evidence: &Evidence) -> Event {
        Event(
            evidence.occurred_at.timestamp_micros(),
            evidence.day,
            evidence.steps,
            1,
        )
    }

    fn order(&self) -> (i64, NaiveDate, u32) {
        (self.0, self.1, self.2)
    }

    fn can_be(&self, step: u32) -> bool {
        self.2 & bit(step) != 0
    }

    fn instant(&self) -> DateTime<Utc> {
        DateTime::from_timestamp_micros(self.0).unwrap_or_default()
    }
}

fn bit(step: u32) -> u32 {
    1_u32.checked_shl(step).unwrap_or(0)
}

/// The midnight with which a day begins in UTC, in microseconds.
fn midnight(day: NaiveDate) -> i64 {
    day.and_time(NaiveTime::MIN).and_utc().timestamp_micros()
}

/// Up to and including this instant nothing changes any more when nothing does before `day`. A day of leave is enough for all
/// zones there ever were.
fn fixed_through(day: NaiveDate) -> i64 {
    midnight(day).saturating_sub(micros(TimeDelta::days(1)))
}

fn micros(length: TimeDelta) -> i64 {
    length.num_microseconds().unwrap_or(i64::MAX)
}

impl Sequence {
    fn last_step(self) -> u32 {
        self.steps.saturating_sub(1)
    }

    /// The chains that end at `through` or before, in the order of their ends, and how many of each event are not in one.
    fn chains(self, events: &[Event], through: i64) -> (Vec<Chain>, Vec<u32>) {
        let mut left: Vec<u32> = events.iter().map(|event| event.3).collect();
        // With every end, what a step can be begins later, and less of it is unused: nothing behind us has to be looked at again.
        let mut starts = vec![0; self.last_step() as usize];
        let mut chains = Vec::new();
        for (place, end) in events.iter().enumerate() {
            if end.0 > through {
                break;
            }
            while end.can_be(self.last_step()) && left.get(place).is_some_and(|left| *left > 0) {
                let Some(mut places) = self.before(end.0, events, &left, &mut starts) else {
                    break;
                };
                places.push(place);
                chains.push(Chain {
                    day: end.1,
                    events: places
                        .into_iter()
                        .map(|place| (place, take(events, &mut left, place)))
                        .collect(),
                });
            }
        }
        (chains, left)
    }

    /// The earliest unused events that all steps but the last can be in a chain that ends at `end`. Step by step `starts` says
    /// where to look from.
    fn before(self, end: i64, events: &[Event], left: &[u32], starts: &mut [usize]) -> Option<Vec<usize>> {
        let mut from = end.saturating_sub(micros(self.within));
        let mut places = Vec::with_capacity(self.steps as usize);
        for (step, start) in (0..).zip(starts) {
            let unused = left.get(*start..).unwrap_or_default();
            let candidates = events.get(*start..).unwrap_or_default().iter().zip(unused);
            let skipped = candidates
                .take_while(|(event, left)| event.0 < from || !event.can_be(step) || **left == 0)
                .count();
            *start += skipped;
            let found = events.get(*start).filter(|event| event.0 < end)?;
            from = found.0.saturating_add(1);
            places.push(*start);
        }
        Some(places)
    }

    /// How many steps are done of the chain that begins with an event at `first`, given the instants at which each step can be.
    fn done(self, first: i64, instants: &[Vec<i64>]) -> u32 {
        let until = first.saturating_add(micros(self.within));
        let mut done = 1;
        let mut at = first;
        for instants in instants.iter().skip(1) {
            let next = instants.get(instants.partition_point(|instant| *instant <= at));
            match next {
                Some(next) if *next <= until => at = *next,
                _ => break,
            }
            done += 1;
        }
        done
    }
}

/// Uses one of the events at a place up, and says how many had been used before.
fn take(events: &[Event], left: &mut [u32], place: usize) -> u32 {
    let Some((event, left)) = events.get(place).zip(left.get_mut(place)) else {
        return 0;
    };
    let used = event.3.saturating_sub(*left);
    *left = left.saturating_sub(1);
    used
}

impl Structure for Sequence {
    type State = Memory;

    fn start(&self) -> Memory {
        Memory {
            steps: self.steps,
            events: Vec::new(),
            last: None,
        }
    }

    fn is_sound(&self, memory: &Memory) -> bool {
        let all = bit(self.steps).wrapping_sub(1);
        let is_sound = |event: &Event| event.2 != 0 && event.2 & !all == 0 && event.3 > 0;
        memory.steps == self.steps
            && memory.events.iter().all(is_sound)
            && memory.events.is_sorted_by(|one, next| one.order() < next.order())
            && count(&memory.events) <= EVENTS_MAX
    }

    fn insert(&self, memory: &mut Memory, evidence: &Evidence) -> Result<(), Fault> {
        if count(&memory.events) >= EVENTS_MAX {
            return Err(Fault::TooMuchToRemember);
        }
        let event = Event::of(evidence);
        match memory.events.binary_search_by_key(&event.order(), Event::order) {
            Ok(place) => {
                if let Some(known) = memory.events.get_mut(place) {
                    known.3 = known.3.saturating_add(1);
                }
            }
            Err(place) => memory.events.insert(place, event),
        }
        Ok(())
    }

    fn remove(&self, memory: &mut Memory, evidence: &Evidence) -> bool {
        let order = Event::of(evidence).order();
        let Ok(place) = memory.events.binary_search_by_key(&order, Event::order) else {
            return false;
        };
        if let Some(known) = memory.events.get_mut(place) {
            known.3 = known.3.saturating_sub(1);
        }
        memory.events.retain(|event| event.3 > 0);
        true
    }

    fn completions(&self, memory: &Memory) -> Completions {
        let (chains, _) = self.chains(&memory.events, i64::MAX);
        Completions::of(chains.into_iter().map(|chain| (chain.day, 1)).collect())
    }

    /// Chains that end on the last days before `day` stay where a zone may still add to them.
    fn consume_before(&self, memory: &mut Memory, day: NaiveDate) -> Completions {
        let (chains, left) = self.chains(&memory.events, fixed_through(day));
        if chains.is_empty() {
            return Completions::default();
        }
        for (event, left) in memory.events.iter_mut().zip(left) {
            if left < event.3 {
                memory.last = memory.last.max(Some(event.1));
            }
            event.3 = left;
        }
        memory.events.retain(|event| event.3 > 0);
        Completions::of(chains.into_iter().map(|chain| (chain.day, 1)).collect())
    }

    /// The chains that end before the horizon have been consumed, so what is left is of use to later ends only.
    fn forget_before(&self, memory: &mut Memory, horizon: NaiveDate) -> bool {
        let fixed = fixed_through(horizon);
        let reach = fixed.saturating_sub(micros(self.within));
        let inner = bit(self.last_step()).wrapping_sub(1);
        let before = memory.events.len();
        let last = &mut memory.last;
        // The steps that something before this instant, and something at it, can be; a step needs one before it.
        let (mut reached, mut reached_now, mut now) = (0, 0, i64::MIN);
        memory.events.retain(|event| {
            if event.0 > now {
                (reached, now) = (reached | reached_now, event.0);
            }
            let useful = event.2 & inner & (1 | reached << 1);
            let is_kept = event.0 > fixed || event.0 > reach && useful != 0;
            if is_kept {
                reached_now |= useful;
            } else {
                *last = (*last).max(Some(event.1));
            }
            is_kept
        });
        memory.events.len() < before
    }

    /// The chain that has got furthest, of those the one with most time left. As long as somewhere on earth `today` may have
    /// begun before its time is over, it is alive.
    fn is_blank(&self, memory: &Memory) -> bool {
        memory.events.is_empty()
    }

    fn standing(&self, memory: &Memory, today: NaiveDate) -> Standing {
        let (_, left) = self.chains(&memory.events, i64::MAX);
        let unused: Vec<&Event> = memory
            .events
            .iter()
            .zip(left)
            .filter_map(|(event, left)| (left > 0).then_some(event))
            .collect();
        let instants: Vec<Vec<i64>> = (0..self.steps)
            .map(|step| {
                let fitting = unused.iter().filter(|event| event.can_be(step));
                fitting.map(|event| event.0).collect()
            })
            .collect();
        let earliest = midnight(today)
            .saturating_sub(micros(EARLIEST_ZONE))
            .saturating_sub(micros(self.within));
        let furthest = unused
            .iter()
            .filter(|event| event.can_be(0) && event.0 >= earliest)
            .map(|event| (self.done(event.0, &instants), event.0))
            .max();
        let deadline = furthest.and_then(|(_, first)| {
            DateTime::from_timestamp_micros(first.saturating_add(micros(self.within)))
        });
        Standing {
            current: furthest.map_or(Decimal::ZERO, |(done, _)| done.into()),
            last_counted_on: memory.events.iter().map(|event| event.1).max().max(memory.last),
            deadline: deadline.map(Deadline::At),
            ..self.completed()
        }
    }

    fn completed(&self) -> Standing {
        Standing::complete(self.steps.into())
    }

    fn reach(&self, memory: &Memory, completion: Completion) -> NaiveDate {
        let (chains, _) = self.chains(&memory.events, i64::MAX);
        let of_day = chains.into_iter().filter(|chain| chain.day == completion.day);
        let firsts = of_day.filter_map(|chain| {
            let places = chain.events.into_iter();
            let days = places.filter_map(|(place, _)| memory.events.get(place).map(|event| event.1));
            days.min()
        });
        firsts.min().unwrap_or(completion.day)
    }

    fn grounds(&self, memory: &Memory, evidence: &[Evidence], completion: Completion) -> Grounds {
        let (chains, _) = self.chains(&memory.events, i64::MAX);
        let before = completion
            .nth
            .checked_sub(1)
            .and_then(|before| usize::try_from(before).ok());
        let mut of_day = chains.into_iter().filter(|chain| chain.day == completion.day);
        let Some(chain) = before.and_then(|before| of_day.nth(before)) else {
            return Grounds::default();
        };
        let mut grounds = Grounds::default();
        for (place, used) in chain.events {
            let Some(event) = memory.events.get(place) else {
                continue;
            };
            let known = evidence
                .iter()
                .enumerate()
                .filter(|(_, known)| !known.stops && Event::of(known).order() == event.order())
                .nth(used as usize);
            match known {
                Some((place, _)) => grounds.places.push(place),
                None => grounds.remembered.push(Evidence {
                    day: event.1,
                    occurred_at: event.instant(),
                    amount: Decimal::ONE,
                    steps: event.2,
                    stops: false,
                }),
            }
        }
        grounds
    }
}

fn count(events: &[Event]) -> u64 {
    events.iter().map(|event| u64::from(event.3)).sum()
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "dates of one year")]
mod tests;
