//! Editing an incentive while members are on their way: nothing is lost by it, and nothing doubled.

use chrono::NaiveDate;
use proptest::prelude::*;
use proptest::sample::select;

use super::history::{History, cap, history};
use super::member::{Member, Policy, Version};
use super::twin::{Cap, Demand, Fact};
use super::{cases, owned};

/// The same kind of demand with another number.
fn edited(demand: &Demand, by: usize) -> Demand {
    let other = |number: i64| match by {
        0 => number,
        1 => number + 1,
        _ => number / 2 + number % 2,
    };
    let grown = |length: usize| match by {
        0 => length,
        1 => length + 1,
        _ => length.div_ceil(2),
    };
    let mut demand = demand.clone();
    match &mut demand {
        Demand::Streak { length, freezes, .. } => {
            *length = grown(*length);
            *freezes = (*freezes).min(*length - 1);
        }
        Demand::Count { times, .. } => *times = other(*times),
        Demand::Total { at_least, .. } => *at_least = other(*at_least),
        Demand::Sequence { within, .. } => *within = other(*within),
        Demand::Immediate => {}
    }
    demand
}

/// The day of an edit: one in the middle of what happens.
fn middle(history: &History) -> Option<NaiveDate> {
    let mut days: Vec<_> = history.facts.iter().map(|fact| fact.day).collect();
    days.sort_unstable();
    days.get(days.len() / 2).copied()
}

/// A member, some of whose facts were judged by an older version; each fact belongs to the version of its instant.
fn member_of(demand: &Demand, caps: (Cap, Cap), by: usize, restarts: bool, from: NaiveDate) -> Member {
    let mut member = Member::of(demand, caps.0);
    member
        .versions
        .push(Version::edit(edited(demand, by), caps.1, restarts, from));
    member
}

/// The facts of a call before and behind the edit.
fn split(facts: Vec<&Fact>, from: NaiveDate) -> [Vec<&Fact>; 2] {
    let (old, new) = facts.into_iter().partition(|fact| fact.at.date_naive() < from);
    [old, new]
}

/// Tells a member everything, and after each call lets it be looked at.
fn tell(
    member: &mut Member,
    history: &History,
    from: NaiveDate,
    has_horizon: bool,
    mut look: impl FnMut(&Member, &[Fact], bool) -> Result<(), TestCaseError>,
) -> Result<(), TestCaseError> {
    for (call, known) in history.calls.iter().zip(history.known()) {
        let horizon = if has_horizon { call.horizon } else { NaiveDate::MIN };
        let added = split(history.facts_at(&call.added), from);
        let removed = split(history.facts_at(&call.removed), from);
        // The promise holds once the whole call has been judged.
        for (version, horizon) in [(0, NaiveDate::MIN), (1, horizon)] {
            if added[version].is_empty() && removed[version].is_empty() {
                continue;
            }
            let policy = Policy {
                horizon,
                ..Policy::PLAIN
            };
            let evaluation = member.learn(version, &added[version], &removed[version], policy);
            prop_assert!(evaluation.version > i32::try_from(version).expect("a number"));
        }
        look(member, &owned(&history.facts_at(&known)), call.removed.is_empty())?;
    }
    Ok(())
}

proptest! {
    #![proptest_config(cases(1_500))]

    #[test]
    fn two_epochs_are_worth_what_each_of_them_is(
        (demand, history) in history(),
        by in 0..3_usize,
    ) {
        let Some(from) = middle(&history) else { return Ok(()) };
        let mut member = member_of(&demand, (Cap::Unlimited, Cap::Unlimited), by, true, from);
        let new = edited(&demand, by);
        tell(&mut member, &history, from, true, |member, known, _| {
            let [old_facts, new_facts] = split(known.iter().collect(), from);
            let worth = demand.worth(&owned(&old_facts)) + new.worth(&owned(&new_facts));
            prop_assert_eq!(member.standing.len(), worth);
            Ok(())
        })?;
    }

    #[test]
    fn an_edit_takes_no_award_and_gives_none_for_what_was_awarded(
        (demand, history) in history(),
        caps in (cap(), cap()),
        (by, restarts, has_horizon) in (0..3_usize, any::<bool>(), any::<bool>()),
    ) {
        let Some(from) = middle(&history) else { return Ok(()) };
        let mut member = member_of(&demand, caps, by, restarts, from);
        let easiest = [demand.clone(), edited(&demand, by)];
        let mut stood = 0;
        tell(&mut member, &history, from, has_horizon, |member, known, only_adds| {
            // No evidence is used twice: each version alone would give at least what it has given.
            let worth: usize = easiest.iter().map(|demand| demand.worth(known)).sum();
            prop_assert!(!only_adds || member.standing.len() >= stood);
            stood = member.standing.len();
            prop_assert!(!history.calls.iter().all(|call| call.removed.is_empty()) || stood <= worth);
            if let Some(fact) = known.first() {
                prop_assert_eq!(member.view(fact.day).earned as usize, stood);
            }
            Ok(())
        })?;
    }

    #[test]
    fn a_kept_count_goes_on_where_it_was(
        (times, mut history) in (1..5_i64, history().prop_map(|(_, history)| history)),
        limit in select(vec![Cap::Unlimited, Cap::AtMost(2), Cap::Once]),
    ) {
        let Some(from) = middle(&history) else { return Ok(()) };
        for call in &mut history.calls {
            call.removed.clear();
        }
        let demand = Demand::Count { times, window: "EVER" };
        let mut member = member_of(&demand, (limit, limit), 0, false, from);
        tell(&mut member, &history, from, false, |member, known, _| {
            let expected = limit.counted(demand.worth(known)).expect("a number").1;
            prop_assert_eq!(member.standing.len(), expected);
            Ok(())
        })?;
    }
}
