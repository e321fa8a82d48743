//! What can happen to a member: facts somewhere on earth, heard in some order and some calls, and some of them taken back.

use chrono::{NaiveDate, NaiveTime, Offset, TimeDelta, TimeZone};
use chrono_tz::Tz;
use jobs::rules::calendar::{civil, program_day};
use proptest::prelude::*;
use proptest::sample::select;

use super::member::{day_after, day_before};
use super::twin::{Cap, Demand, Fact, Step};

/// One call: the places of what is new, of what is taken back, and the promise that is kept from then on.
#[derive(Debug, Clone)]
pub struct Call {
    pub added: Vec<usize>,
    pub removed: Vec<usize>,
    pub horizon: NaiveDate,
}

/// Everything that happens to a member.
#[derive(Debug, Clone)]
pub struct History {
    pub facts: Vec<Fact>,
    pub calls: Vec<Call>,
}

impl History {
    /// The facts that hold after each call.
    pub fn known(&self) -> Vec<Vec<usize>> {
        let mut known = Vec::new();
        let mut states = Vec::new();
        for call in &self.calls {
            known.extend(&call.added);
            known.retain(|place| !call.removed.contains(place));
            states.push(known.clone());
        }
        states
    }

    pub fn facts_at(&self, places: &[usize]) -> Vec<&Fact> {
        places.iter().map(|place| &self.facts[*place]).collect()
    }
}

/// Days to start from: an ordinary one, before a leap day, before the turn of a year with 53 weeks, before a short month, and
/// before the clocks go forth and back.
fn start() -> impl Strategy<Value = NaiveDate> {
    let dates = [
        (2026, 11, 14),
        (2028, 2, 20),
        (2026, 12, 20),
        (2027, 1, 25),
        (2020, 12, 1),
        (2026, 3, 22),
        (2026, 10, 18),
    ];
    select(
        dates
            .map(|(year, month, day)| NaiveDate::from_ymd_opt(year, month, day).expect("a date"))
            .to_vec(),
    )
}

/// Zones with daylight saving of an hour and of half an hour, with changes at midnight, and at both ends of the earth.
fn zone() -> impl Strategy<Value = Tz> {
    select(vec![
        Tz::Europe__Berlin,
        Tz::Europe__Berlin,
        Tz::America__New_York,
        Tz::Australia__Lord_Howe,
        Tz::Africa__Cairo,
        Tz::America__Santiago,
        Tz::Pacific__Kiritimati,
        Tz::Pacific__Niue,
    ])
}

/// Something that happens within so many days, in a program whose day starts at some hour.
fn fact(start: NaiveDate, days: i64, starts: u32) -> impl Strategy<Value = Fact> {
    (
        0..days * 1440,
        zone(),
        0..3_u8,
        select(vec![1, 50, 99, 100, 101, 250]),
    )
        .prop_map(move |(minutes, zone, kind, amount)| {
            let at = start.and_time(NaiveTime::MIN).and_utc() + TimeDelta::minutes(minutes);
            let starts_at = NaiveTime::from_hms_opt(starts, 0, 0).expect("a time");
            // What the rules make of it, and the same in seconds.
            let day = program_day(civil(at, zone), starts_at);
            let ahead = zone
                .offset_from_utc_datetime(&at.naive_utc())
                .fix()
                .local_minus_utc();
            let seconds = at.timestamp() + i64::from(ahead) - i64::from(starts) * 3600;
            let epoch = NaiveDate::from_ymd_opt(1970, 1, 1).expect("a date");
            assert_eq!(
                (day - epoch).num_days(),
                seconds.div_euclid(86_400),
                "{at} in {zone}"
            );
            Fact {
                day,
                at,
                amount,
                kind,
            }
        })
}

/// A streak, how many days make its completions come and go, and how many facts.
pub fn streak() -> impl Strategy<Value = (Demand, i64, usize)> {
    let steps = select(vec![
        (Step::Day, 1_i64),
        (Step::Day, 1),
        (Step::Week, 7),
        (Step::Month, 30),
    ]);
    let (per_step, freezes) = (select(vec![1, 1, 2, 3_usize]), select(vec![0, 0, 1, 2_usize]));
    (steps, 1..6_usize, per_step, freezes).prop_map(|((step, days), length, per_step, freezes)| {
        let demand = Demand::Streak {
            length,
            step,
            per_step,
            freezes: freezes.min(length - 1),
        };
        (demand, 20 * days, 15 * per_step)
    })
}

/// The same of any demand.
fn demand() -> impl Strategy<Value = (Demand, i64, usize)> {
    let windows = || select(vec!["DAY", "WEEK", "MONTH", "QUARTER", "YEAR", "PROGRAM", "EVER"]);
    let count = (1..5_i64, windows()).prop_map(|(times, window)| (Demand::Count { times, window }, 100, 16));
    let total = (select(vec![25, 75, 100, 333]), windows())
        .prop_map(|(at_least, window)| (Demand::Total { at_least, window }, 100, 12));
    let kinds = select(vec![vec![0, 1], vec![0, 1, 2], vec![2, 0, 1], vec![1, 2]]);
    let sequence = (kinds, select(vec![86_400, 3 * 86_400, 9 * 86_400 + 60]))
        .prop_map(|(kinds, within)| (Demand::Sequence { kinds, within }, 12, 11));
    prop_oneof![
        1 => Just((Demand::Immediate, 60, 14)),
        4 => streak(),
        2 => count,
        2 => total,
        2 => sequence,
    ]
}

pub fn cap() -> impl Strategy<Value = Cap> {
    prop_oneof![
        1 => Just(Cap::Once),
        1 => (1..4_usize).prop_map(Cap::AtMost),
        3 => Just(Cap::Unlimited),
        3 => select(vec!["DAY", "WEEK", "MONTH", "QUARTER", "YEAR", "PROGRAM", "EVER"]).prop_map(Cap::OncePer),
    ]
}

/// A sequence of the same steps, or of steps that overlap, with no two facts at one instant.
pub fn repeating_sequence() -> impl Strategy<Value = (Demand, Cap, Vec<Fact>)> {
    let cases = select(vec![
        (vec![0, 0], Cap::Unlimited),
        (vec![0, 0, 1], Cap::Unlimited),
        (vec![0, 1, 1], Cap::AtMost(2)),
        (vec![0, 0, 0], Cap::Unlimited),
        (vec![0, 1, 0], Cap::Once),
        (vec![1, 0, 1, 2], Cap::Once),
    ]);
    (cases, select(vec![86_400, 4 * 86_400]), start())
        .prop_flat_map(|((kinds, cap), within, start)| {
            let demand = Demand::Sequence { kinds, within };
            (
                Just(demand),
                Just(cap),
                prop::collection::vec(fact(start, 9, 0), 0..11),
            )
        })
        .prop_map(|(demand, cap, mut facts)| {
            for (place, fact) in (0..).zip(&mut facts) {
                fact.at += TimeDelta::seconds(place);
            }
            (demand, cap, facts)
        })
}

/// Something asked for, and everything that happens. `late` is how many days facts are late at most, and whether there is a
/// horizon at all.
pub fn history() -> impl Strategy<Value = (Demand, History)> {
    history_of(demand(), 0)
}

/// The same for one kind of demand, with at least so many facts.
pub fn history_of(
    demand: impl Strategy<Value = (Demand, i64, usize)>,
    least: usize,
) -> impl Strategy<Value = (Demand, History)> {
    let lateness = select(vec![
        (3, true),
        (12, true),
        (12, true),
        (1000, false),
        (1000, false),
    ]);
    (demand, start(), select(vec![0, 0, 4_u32]), lateness).prop_flat_map(
        move |((demand, days, most), start, starts, (late, has_horizon))| {
            let facts = prop::collection::vec(fact(start, days, starts), least..=most);
            facts.prop_flat_map(move |facts| {
                let demand = demand.clone();
                calls(facts, late, has_horizon).prop_map(move |history| (demand.clone(), history))
            })
        },
    )
}

/// The calls in which facts are heard, late by some days, and some of them taken back later.
pub fn calls(facts: Vec<Fact>, late: u64, has_horizon: bool) -> impl Strategy<Value = History> {
    let count = facts.len();
    let delays = prop::collection::vec((0..=late, prop::option::weighted(0.25, 0..=late)), count);
    let sizes = prop::collection::vec((1..6_usize, 0..4_u64), 2 * count + 1);
    (Just(facts), delays, sizes).prop_map(move |(facts, delays, sizes)| {
        // When what happens to which fact: heard, or taken back.
        let mut happens: Vec<(NaiveDate, usize, bool)> = Vec::new();
        for (place, (fact, (heard, gone))) in facts.iter().zip(delays).enumerate() {
            let heard = day_after(fact.day, heard);
            happens.push((heard, place, true));
            happens.extend(gone.map(|gone| (day_after(heard, gone), place, false)));
        }
        happens.sort_by_key(|(when, place, is_new)| (*when, !is_new, *place));
        let mut calls: Vec<Call> = Vec::new();
        let mut horizon = NaiveDate::MIN;
        let mut rest = happens.as_slice();
        for (size, slack) in sizes {
            let (now, later) = rest.split_at(size.min(rest.len()));
            rest = later;
            if has_horizon {
                let touched = later.iter().map(|(_, place, _)| facts[*place].day).min();
                let latest = facts.iter().map(|fact| day_after(fact.day, 40)).max();
                let promise = touched.or(latest).map(|day| day_before(day, slack));
                horizon = horizon.max(promise.unwrap_or(horizon));
            }
            let of = |new: bool| {
                now.iter()
                    .filter(move |(_, _, is_new)| *is_new == new)
                    .map(|(_, place, _)| *place)
            };
            let mut call = Call {
                added: of(true).collect(),
                removed: of(false).collect(),
                horizon,
            };
            // What comes and goes within one call was not there before it.
            let both: Vec<usize> = call
                .added
                .iter()
                .filter(|place| call.removed.contains(place))
                .copied()
                .collect();
            call.added.retain(|place| !both.contains(place));
            call.removed.retain(|place| !both.contains(place));
            calls.push(call);
            if now.is_empty() {
                break;
            }
        }
        History { facts, calls }
    })
}
