//! What is remembered of a member stays small however long the member has been there.

use chrono::{NaiveDate, NaiveTime};

use super::member::{Member, Policy, day_before};
use super::twin::{Cap, Demand, Fact, Step};

/// A day's entry in what a structure remembers takes at most this many characters.
const PER_DAY: usize = 24;
/// Days that are like each other are remembered in at most this many characters, with all that is remembered besides.
const ALIKE: usize = 150;
/// How many days lie between an event and the horizon.
const OPEN: usize = 40;

#[test]
fn three_years_of_daily_events_are_remembered_by_what_is_open() {
    let streak = |length, step, per_step, freezes| Demand::Streak {
        length,
        step,
        per_step,
        freezes,
    };
    let demands = [
        Demand::Immediate,
        streak(5, Step::Day, 1, 0),
        streak(1_000, Step::Day, 1, 0),
        streak(7, Step::Day, 2, 3),
        streak(4, Step::Week, 3, 1),
        streak(2, Step::Month, 20, 0),
        Demand::Count {
            times: 100,
            window: "EVER",
        },
        Demand::Count {
            times: 3,
            window: "DAY",
        },
        Demand::Total {
            at_least: 333,
            window: "WEEK",
        },
        Demand::Sequence {
            kinds: vec![0, 1, 2],
            within: 9 * 86_400,
        },
        // It is never completed, and only its first step ever happens.
        Demand::Sequence {
            kinds: vec![1, 1, 0, 2],
            within: 20 * 86_400,
        },
    ];
    let caps = [Cap::Unlimited, Cap::OncePer("DAY")];
    let first = NaiveDate::from_ymd_opt(2024, 1, 1).expect("a date");
    for demand in &demands {
        for mut cap in caps {
            if matches!(demand, Demand::Sequence { kinds, .. } if kinds.len() == 4) {
                // Its steps overlap, which is for one award only.
                cap = Cap::Once;
            }
            let mut member = Member::of(demand, cap);
            let mut longest = 0;
            for (place, day) in first.iter_days().take(3 * 365).enumerate() {
                let fact = Fact {
                    day,
                    at: day.and_time(NaiveTime::MIN).and_utc(),
                    amount: 101,
                    kind: u8::try_from(place % 3).expect("a kind"),
                };
                let policy = Policy {
                    horizon: day_before(day, OPEN as u64),
                    ..Policy::PLAIN
                };
                let evaluation = member.learn(0, &[&fact], &[], policy);
                longest = longest.max(evaluation.progress.len());
            }
            // Windows that have their award are dates; a chain reaches back some days behind the horizon.
            let windows = if cap == Cap::OncePer("DAY") {
                OPEN * 14
            } else {
                100
            };
            let bound = 150 + windows + PER_DAY * (OPEN + 2);
            assert!(longest < bound + 20 * PER_DAY, "{demand:?} {cap:?}: {longest}");
            // What is completed on each day has its award on each; a window every few days is a date of its own.
            let is_alike = match demand {
                Demand::Immediate => true,
                Demand::Count { .. } | Demand::Total { .. } => matches!(cap, Cap::Unlimited),
                _ => false,
            };
            if is_alike {
                assert!(longest <= ALIKE, "{demand:?} {cap:?}: {longest}");
            }
        }
    }
}
