//! The rules against a naive twin that remembers everything and walks the calendar day by day.
//!
//! What must hold for any member: the order of events and the calls they come in make no difference, every award is the one
//! the twin gives, on the same day, and forgetting what is behind the horizon changes nothing.

use chrono::{Days, NaiveDate};
use jobs::rules::{Award, Evaluation, Incentive, Occurrence, evaluate, progress};
use proptest::prelude::*;
use proptest::sample::select;
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use serde_json::{Value, json};

use twin::{Cap, Demand, Prize, Step, Twin};

mod hostile;
mod twin;

/// How many cases a property is tried with: its own number, or what `PLAUDIT_PROPTEST_CASES` said when this was built, if
/// that is more.
fn cases(own: u32) -> ProptestConfig {
    let wanted = option_env!("PLAUDIT_PROPTEST_CASES")
        .and_then(|text| text.parse().ok())
        .unwrap_or(0);
    ProptestConfig::with_cases(own.max(wanted))
}

const EVENT_TYPE: &str = "health_data.logged";

/// An incentive in the words of the rules.
fn incentive(demand: Demand, cap: Cap) -> Incentive {
    let structure = match demand {
        Demand::Immediate => json!("immediate"),
        Demand::Streak {
            length,
            step,
            per_step,
        } => {
            let period = match step {
                Step::Day => "DAY",
                Step::Week => "WEEK",
                Step::Month => "MONTH",
            };
            json!({ "streak": { "length": length, "period": period, "perPeriod": per_step } })
        }
    };
    let limit = match cap {
        Cap::Once => json!("once"),
        Cap::AtMost(times) => json!({ "atMost": times }),
        Cap::Unlimited => json!("unlimited"),
        Cap::OncePer(window) => json!({ "oncePer": window }),
    };
    let stored = json!({ "trigger": { "eventType": EVENT_TYPE }, "structure": structure, "limit": limit });
    Incentive::parse(&stored).expect("a definition")
}

/// A member of the rules, of whom only the progress is kept.
struct Member {
    incentive: Incentive,
    progress: Option<String>,
    prizes: Vec<Prize>,
}

impl Member {
    fn of(demand: Demand, cap: Cap) -> Member {
        Member {
            incentive: incentive(demand, cap),
            progress: None,
            prizes: Vec::new(),
        }
    }

    fn hear(&mut self, days: &[NaiveDate], horizon: NaiveDate) {
        let of_day = |day: &NaiveDate| Occurrence {
            event_type: EVENT_TYPE,
            day: *day,
            occurred_at: day.and_time(chrono::NaiveTime::MIN).and_utc(),
            properties: &Value::Null,
        };
        let occurrences: Vec<_> = days.iter().map(of_day).collect();
        let Evaluation {
            progress,
            changed,
            awards,
            too_late,
        } = evaluate(
            &self.incentive,
            self.progress.as_deref(),
            &Value::Null,
            &occurrences,
            horizon,
        )
        .expect("no fault");
        assert!(
            too_late.is_empty(),
            "a horizon that keeps its word makes nothing late"
        );
        assert_eq!(
            changed,
            !days.is_empty() && self.progress.as_deref() != Some(progress.as_str())
        );
        self.progress = Some(progress);
        self.prizes.extend(awards.into_iter().map(
            |Award {
                 period_key,
                 ordinal,
                 earned_on,
             }| { (period_key, ordinal as usize, earned_on) },
        ));
    }

    /// What makes awards unique, in order.
    fn places(&self) -> Vec<(String, usize)> {
        places(&self.prizes)
    }
}

fn places(prizes: &[Prize]) -> Vec<(String, usize)> {
    let mut places: Vec<_> = prizes
        .iter()
        .map(|(key, ordinal, _)| (key.clone(), *ordinal))
        .collect();
    places.sort();
    places
}

fn day_after(day: NaiveDate, days: u64) -> NaiveDate {
    day.checked_add_days(Days::new(days)).expect("a date")
}

/// Days to start from: an ordinary one, before a leap day, before the turn of a year with 53 weeks, before a short month.
fn start() -> impl Strategy<Value = NaiveDate> {
    let dates = [
        (2026, 11, 14),
        (2028, 2, 20),
        (2026, 12, 20),
        (2027, 1, 25),
        (2020, 12, 1),
    ];
    select(
        dates
            .map(|(year, month, day)| NaiveDate::from_ymd_opt(year, month, day).expect("a date"))
            .to_vec(),
    )
}

/// A streak, and as many days as make its runs come and go.
fn streak() -> impl Strategy<Value = (Demand, Vec<NaiveDate>)> {
    let steps = select(vec![
        (Step::Day, 1_u64),
        (Step::Day, 1),
        (Step::Week, 7),
        (Step::Month, 30),
    ]);
    (steps, 1..6_usize, select(vec![1, 1, 2, 3_usize]), start()).prop_flat_map(
        |((step, days), length, per_step, start)| {
            // Few steps and many events make runs that merge; many steps and few events make gaps.
            let days = prop::collection::vec(
                (0..20 * days).prop_map(move |after| day_after(start, after)),
                0..16 * per_step,
            );
            (
                Just(Demand::Streak {
                    length,
                    step,
                    per_step,
                }),
                days,
            )
        },
    )
}

fn immediate() -> impl Strategy<Value = (Demand, Vec<NaiveDate>)> {
    let days = start().prop_flat_map(|start| {
        prop::collection::vec((0..100_u64).prop_map(move |after| day_after(start, after)), 0..16)
    });
    (Just(Demand::Immediate), days)
}

fn counted_cap() -> impl Strategy<Value = Cap> {
    prop_oneof![
        Just(Cap::Once),
        (1..4_usize).prop_map(Cap::AtMost),
        Just(Cap::Unlimited),
        Just(Cap::Unlimited)
    ]
}

fn windowed_cap() -> impl Strategy<Value = Cap> {
    select(vec!["DAY", "WEEK", "MONTH", "QUARTER", "YEAR", "PROGRAM", "EVER"]).prop_map(Cap::OncePer)
}

fn any_cap() -> impl Strategy<Value = Cap> {
    prop_oneof![counted_cap(), windowed_cap()]
}

/// Days in some order, cut into calls in some way.
fn calls(days: Vec<NaiveDate>) -> impl Strategy<Value = Vec<Vec<NaiveDate>>> {
    let cuts = prop::collection::vec(prop::bool::weighted(0.4), days.len());
    (Just(days).prop_shuffle(), cuts).prop_map(|(days, cuts)| {
        let mut calls = vec![Vec::new()];
        for (day, cut) in days.into_iter().zip(cuts) {
            if cut {
                calls.push(Vec::new());
            }
            calls.last_mut().expect("a call").push(day);
        }
        calls
    })
}

/// Calls, each with a horizon that no later call breaks.
fn calls_with_horizons(days: Vec<NaiveDate>) -> impl Strategy<Value = Vec<(Vec<NaiveDate>, NaiveDate)>> {
    // Events come within some days of each other's order, as if the phones had been offline for a while.
    let delays = prop::collection::vec(0..12_u64, days.len());
    (
        delays,
        prop::collection::vec((1..6_usize, 0..4_u64), days.len() + 1),
    )
        .prop_map(move |(delays, sizes)| {
            let mut arrivals: Vec<_> = days
                .iter()
                .zip(delays)
                .map(|(day, delay)| (day_after(*day, delay), *day))
                .collect();
            arrivals.sort_unstable();
            let mut rest: Vec<_> = arrivals.into_iter().map(|(_, day)| day).collect();
            let (mut calls, mut horizon) = (Vec::new(), NaiveDate::MIN);
            for (size, slack) in sizes {
                let call: Vec<_> = rest.drain(..size.min(rest.len())).collect();
                let earliest = rest.iter().min().or(call.iter().max());
                let promise = earliest.and_then(|day| day.checked_sub_days(Days::new(slack)));
                horizon = horizon.max(promise.unwrap_or(horizon));
                let is_last = call.is_empty();
                calls.push((call, horizon));
                if is_last {
                    break;
                }
            }
            calls
        })
}

proptest! {
    #![proptest_config(cases(9_000))]

    #[test]
    fn a_streak_is_worth_the_same_in_any_order_and_any_calls(
        ((demand, days), calls, cap) in
            streak().prop_flat_map(|(demand, days)| (Just((demand, days.clone())), calls(days), counted_cap()))
    ) {
        let mut member = Member::of(demand, cap);
        for call in &calls {
            member.hear(call, NaiveDate::MIN);
        }
        let worth = demand.worth(&days);
        let expected: Vec<_> = match cap {
            Cap::Once => (1..=worth.min(1)).map(|ordinal| ("once".to_owned(), ordinal)).collect(),
            Cap::AtMost(most) => (1..=worth.min(most)).map(|ordinal| ("ever".to_owned(), ordinal)).collect(),
            _ => (1..=worth).map(|ordinal| ("ever".to_owned(), ordinal)).collect(),
        };
        prop_assert_eq!(member.places(), expected);

        // Not only the awards are the same, what is remembered is too.
        let mut other = Member::of(demand, cap);
        other.hear(&days, NaiveDate::MIN);
        if !days.is_empty() {
            prop_assert_eq!(member.progress, other.progress);
        }
    }
}

proptest! {
    #![proptest_config(cases(3_000))]

    #[test]
    fn every_award_is_the_twins_on_the_same_day(
        ((demand, calls), cap) in
            (streak().prop_flat_map(|(demand, days)| (Just(demand), calls(days))), any_cap())
    ) {
        let mut member = Member::of(demand, cap);
        let mut twin = Twin::of(demand, cap);
        for mut call in calls {
            member.hear(&call, NaiveDate::MIN);
            // Within one call the rules go by the calendar.
            call.sort_unstable();
            for day in call {
                twin.hear(day);
            }
            prop_assert_eq!(&member.prizes, &twin.prizes);
        }
    }

    #[test]
    fn an_immediate_incentive_is_awarded_the_same_in_any_order_and_any_calls(
        (days, calls, cap) in
            immediate().prop_flat_map(|(_, days)| (Just(days.clone()), calls(days), any_cap()))
    ) {
        let mut member = Member::of(Demand::Immediate, cap);
        for call in calls {
            member.hear(&call, NaiveDate::MIN);
        }
        let mut twin = Twin::of(Demand::Immediate, cap);
        for day in &days {
            twin.hear(*day);
        }
        prop_assert_eq!(member.places(), places(&twin.prizes));
        let days_of_events = member.prizes.iter().all(|(_, _, day)| days.contains(day));
        prop_assert!(days_of_events);
    }
}

proptest! {
    #![proptest_config(cases(3_000))]

    #[test]
    fn forgetting_behind_the_horizon_changes_nothing(
        (demand, calls, cap) in
            prop_oneof![3 => streak().boxed(), 1 => immediate().boxed()]
                .prop_flat_map(|(demand, days)| (Just(demand), calls_with_horizons(days), any_cap())),
        ahead in select(vec![0, 1, 2, 9, 40]),
    ) {
        let mut forgetful = Member::of(demand, cap);
        let mut mindful = Member::of(demand, cap);
        for (call, horizon) in calls {
            forgetful.hear(&call, horizon);
            mindful.hear(&call, NaiveDate::MIN);
            prop_assert_eq!(&forgetful.prizes, &mindful.prizes);
            let today = day_after(horizon, ahead);
            let view = |member: &Member| progress(&member.incentive, member.progress.as_deref(), today);
            prop_assert_eq!(view(&forgetful), view(&mindful));
        }
    }
}

proptest! {
    #![proptest_config(cases(1_000))]

    #[test]
    fn a_member_is_told_what_the_next_award_takes(
        (demand, mut days) in streak().prop_filter("a member of whom something was heard", |(_, days)| !days.is_empty()),
    ) {
        days.sort_unstable();
        let mut member = Member::of(demand, Cap::Unlimited);
        member.hear(&days, NaiveDate::MIN);
        let today = *days.last().expect("a day");
        let view = progress(&member.incentive, member.progress.as_deref(), today).expect("a view");
        prop_assert_eq!(view.earned as usize, demand.worth(&days));
        prop_assert_eq!(view.last_counted_on, Some(today));
        let Some(deadline) = view.deadline_on else {
            prop_assert_eq!(view.current, Decimal::ZERO);
            return Ok(());
        };
        prop_assert!(view.run_started_on.is_some_and(|started| started <= today));

        // Going on at the last moment that counts earns the next award with what is missing; a day later it does not.
        let missing = view.required.checked_sub(view.current).and_then(|missing| missing.to_usize()).expect("a count");
        let worth_going_on = |day| demand.worth(&[days.clone(), demand.steps_from(day, missing)].concat());
        prop_assert_eq!(worth_going_on(deadline), view.earned as usize + 1);
        prop_assert_eq!(worth_going_on(day_after(deadline, 1)), view.earned as usize);
    }
}
