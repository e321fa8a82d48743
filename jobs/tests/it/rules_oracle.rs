//! The rules against a naive twin that is told everything and counts anew each time.
//!
//! What must hold for any member: the order in which events are heard and taken back and the calls they come in make no
//! difference, what is awarded is what the twin counts in what is left, forgetting what is behind the horizon changes nothing,
//! and what explains an award is enough to earn it.
//!
//! In each run of CI the properties are tried 30,000 times: 25,500 against the twin, 4,500 with input that nobody would write.
//! `PLAUDIT_PROPTEST_CASES` multiplies these numbers; `.ci/soak` does that.

use std::collections::BTreeSet;

use chrono::NaiveDate;
use jobs::rules::{Award, Deadline, ProgressView};
use proptest::prelude::*;
use proptest::sample::select;
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

use history::{calls, cap, history, history_of, repeating_sequence, streak};
use member::{Member, Policy, day_after};
use twin::{Cap, Demand, Fact, in_windows};

mod edits;
mod history;
mod hostile;
mod member;
mod size;
mod twin;

/// How many cases a property is tried with: its own number, as many times as `PLAUDIT_PROPTEST_CASES` says.
#[expect(
    clippy::disallowed_methods,
    reason = "a test has no settings but this one, which must not ask for a new build"
)]
fn cases(own: u32) -> ProptestConfig {
    let times = std::env::var("PLAUDIT_PROPTEST_CASES")
        .ok()
        .and_then(|text| text.parse().ok());
    ProptestConfig {
        // A case that fails is named by the output; nothing is written into the tree.
        failure_persistence: None,
        ..ProptestConfig::with_cases(own.saturating_mul(times.unwrap_or(1)))
    }
}

fn owned(facts: &[&Fact]) -> Vec<Fact> {
    facts.iter().map(|fact| (*fact).clone()).collect()
}

/// Whether the awards that stand are those for what is known, as far as the order of arrival has no say in it.
fn check_standing(member: &Member, demand: &Demand, cap: Cap, known: &[Fact]) -> Result<(), TestCaseError> {
    let worth = demand.worth(known);
    if let Some((key, count)) = cap.counted(worth) {
        let expected: BTreeSet<_> = (1..)
            .take(count)
            .map(|ordinal| (key.to_owned(), ordinal))
            .collect();
        prop_assert_eq!(&member.standing, &expected);
    } else if let (Cap::OncePer(window), true) = (cap, demand.stays_in(cap)) {
        prop_assert_eq!(&member.standing, &in_windows(window, &demand.days(known)));
    } else {
        // Which windows have one depends on what came first; there is never more than one in a window.
        prop_assert!(member.standing.iter().all(|(_, ordinal)| *ordinal == 1));
        prop_assert!(member.standing.len() <= worth);
        prop_assert_eq!(member.standing.is_empty(), worth == 0);
    }
    Ok(())
}

proptest! {
    #![proptest_config(cases(8_000))]

    #[test]
    fn what_stands_is_what_is_left_whatever_came_and_went_in_between(
        (demand, history) in history(),
        cap in cap(),
    ) {
        let mut member = Member::of(&demand, cap);
        for (call, known) in history.calls.iter().zip(history.known()) {
            let policy = Policy { horizon: call.horizon, ..Policy::PLAIN };
            let evaluation = member.learn(0, &history.facts_at(&call.added), &history.facts_at(&call.removed), policy);
            prop_assert!(evaluation.missing.is_empty() || evaluation.is_settled);
            check_standing(&member, &demand, cap, &owned(&history.facts_at(&known)))?;
        }
    }
}

proptest! {
    #![proptest_config(cases(2_000))]

    #[test]
    fn what_is_remembered_depends_on_what_is_left_alone(
        (demand, facts) in history().prop_map(|(demand, history)| (demand, history.facts)),
        cap in cap(),
        order in prop::collection::vec(any::<prop::sample::Index>(), 20),
        gone in prop::collection::vec(any::<bool>(), 50),
        late in 0..30_u64,
    ) {
        let mut shuffled: Vec<&Fact> = facts.iter().collect();
        for (place, other) in order.iter().enumerate().take(shuffled.len()) {
            let other = other.index(shuffled.len());
            shuffled.swap(place, other);
        }
        let (gone, rest): (Vec<_>, Vec<_>) = shuffled.iter().zip(gone).partition(|(_, gone)| *gone);
        let of = |facts: Vec<(&&'_ Fact, bool)>| -> Vec<Fact> { facts.into_iter().map(|(fact, _)| (*fact).clone()).collect() };
        let (gone, rest) = (of(gone), of(rest));
        let (gone, rest): (Vec<&Fact>, Vec<&Fact>) = (gone.iter().collect(), rest.iter().collect());

        let (mut one, mut other) = (Member::of(&demand, cap), Member::of(&demand, cap));
        for fact in &shuffled {
            let _: Vec<_> = one.learn(0, &[fact], &[], Policy::PLAIN).awards;
        }
        let missing = one.learn(0, &[], &gone, Policy::PLAIN).missing;
        prop_assert!(missing.is_empty());
        let awards = other.learn(0, &rest, &[], Policy::PLAIN).awards;
        prop_assert_eq!(awards.len(), other.standing.len());
        prop_assert_eq!(one.standing.len() <= demand.worth(&owned(&rest)), true);
        // Which windows have an award may depend on the order, everything else does not.
        if demand.stays_in(cap) {
            prop_assert_eq!(&one.standing, &other.standing);
            prop_assert_eq!(&one.progress, &other.progress);
        }
        let today = facts.iter().map(|fact| fact.day).max().map(|day| day_after(day, late));
        if let Some(today) = today {
            let (one, other) = (one.view(today), other.view(today));
            prop_assert_eq!((one.current, one.deadline, one.run_started_on, one.last_counted_on),
                (other.current, other.deadline, other.run_started_on, other.last_counted_on));
        }
    }
}

proptest! {
    #![proptest_config(cases(2_000))]

    #[test]
    fn forgetting_behind_the_horizon_changes_nothing(
        (demand, history) in history(),
        cap in cap(),
        ahead in select(vec![0, 1, 2, 9, 40]),
    ) {
        let (mut forgetful, mut mindful) = (Member::of(&demand, cap), Member::of(&demand, cap));
        for call in &history.calls {
            let (added, removed) = (history.facts_at(&call.added), history.facts_at(&call.removed));
            let forgot = forgetful.learn(0, &added, &removed, Policy { horizon: call.horizon, ..Policy::PLAIN });
            let minded = mindful.learn(0, &added, &removed, Policy::PLAIN);
            let is_fixed = demand.stays_in(cap);
            if is_fixed {
                prop_assert_eq!(&forgetful.standing, &mindful.standing);
                let days = |awards: &[Award]| awards.iter().map(|award| award.earned_on).collect::<Vec<_>>();
                prop_assert_eq!(days(&forgot.awards), days(&minded.awards));
            }
            if call.horizon > NaiveDate::MIN {
                let today = day_after(call.horizon, ahead);
                let (forgot, minded) = (forgetful.view(today), mindful.view(today));
                // Which windows have an award, and so which one is free next, may depend on what is remembered; nothing else does.
                let of_windows = |view: &ProgressView| (view.earned, view.not_before);
                prop_assert!(of_windows(&forgot) == of_windows(&minded) || !is_fixed);
                let rest = |view| ProgressView { earned: 0, not_before: None, ..view };
                prop_assert_eq!(rest(forgot), rest(minded));
            }
        }
    }

    #[test]
    fn steps_that_share_or_overlap_are_worth_what_trying_everything_finds(
        (demand, cap, history) in repeating_sequence()
            .prop_flat_map(|(demand, cap, facts)| (Just(demand), Just(cap), calls(facts, 9, false)))
    ) {
        let mut member = Member::of(&demand, cap);
        for (call, known) in history.calls.iter().zip(history.known()) {
            let (added, removed) = (history.facts_at(&call.added), history.facts_at(&call.removed));
            let evaluation = member.learn(0, &added, &removed, Policy::PLAIN);
            let known = history.facts_at(&known);
            check_standing(&member, &demand, cap, &owned(&known))?;
            for award in &evaluation.awards {
                prop_assert!(member.is_explained(award, &known, cap));
            }
        }
    }
}

proptest! {
    #![proptest_config(cases(2_000))]

    #[test]
    fn what_explains_an_award_earns_it_on_the_same_day(
        (demand, history) in history(),
        cap in cap(),
        forgets in any::<bool>(),
    ) {
        let mut member = Member::of(&demand, cap);
        let mut forgotten = NaiveDate::MIN;
        for (call, known) in history.calls.iter().zip(history.known()) {
            let policy = Policy { horizon: call.horizon, ..Policy::PLAIN };
            let mut facts = history.facts_at(&known);
            let evaluation = member.learn(0, &history.facts_at(&call.added), &history.facts_at(&call.removed), policy);
            // What lay before the horizon may be known in sums only.
            facts.retain(|fact| !forgets || fact.day >= forgotten);
            forgotten = call.horizon;
            for award in &evaluation.awards {
                prop_assert!(award.completion.nth > 0);
                prop_assert!(member.is_explained(award, &facts, Cap::Unlimited), "{:?}", award);
            }
        }
    }

    #[test]
    fn an_award_that_is_kept_by_policy_never_goes_and_stands_in_for_the_next(
        (demand, history) in history(),
        cap in cap(),
    ) {
        let mut member = Member::of(&demand, cap);
        let mut most = 0;
        for (call, known) in history.calls.iter().zip(history.known()) {
            let policy = Policy { horizon: call.horizon, revocable: false, ..Policy::PLAIN };
            let stood = member.standing.clone();
            let evaluation = member.learn(0, &history.facts_at(&call.added), &history.facts_at(&call.removed), policy);
            prop_assert!(evaluation.revoked.is_empty() && member.standing.is_superset(&stood));
            let known = owned(&history.facts_at(&known));
            if let Some((key, count)) = cap.counted(demand.worth(&known)) {
                most = most.max(count);
                let expected: BTreeSet<_> = (1..).take(most).map(|ordinal| (key.to_owned(), ordinal)).collect();
                prop_assert_eq!(&member.standing, &expected);
            } else if let (Cap::OncePer(window), true) = (cap, demand.stays_in(cap)) {
                let now = in_windows(window, &demand.days(&known));
                prop_assert_eq!(&member.standing, &stood.union(&now).cloned().collect());
            }
        }
    }

    #[test]
    fn what_a_budget_holds_back_comes_when_there_is_budget(
        (demand, history) in history(),
        cap in cap(),
        allowances in prop::collection::vec(0..3_u32, 60),
    ) {
        let mut member = Member::of(&demand, cap);
        for (call, allowance) in history.calls.iter().zip(allowances) {
            let policy = Policy { allowance: Some(allowance), ..Policy::PLAIN };
            let (added, removed) = (history.facts_at(&call.added), history.facts_at(&call.removed));
            let awards = member.learn(0, &added, &removed, policy).awards;
            prop_assert!(awards.len() <= allowance as usize);
        }
        let awards = member.learn(0, &[], &[], Policy::PLAIN).awards;
        prop_assert!(awards.iter().all(|award| award.completion.nth > 0));
        let known = history.known().pop().unwrap_or_default();
        check_standing(&member, &demand, cap, &owned(&history.facts_at(&known)))?;
    }
}

/// A streak, and the facts of a member who has done something for it, in the order of days.
fn begun() -> impl Strategy<Value = (Demand, Vec<Fact>)> {
    history_of(streak(), 1).prop_map(|(demand, history)| {
        let mut facts = history.facts;
        facts.sort_by_key(|fact| fact.day);
        (demand, facts)
    })
}

proptest! {
    #![proptest_config(cases(1_000))]

    #[test]
    fn a_member_is_told_what_the_next_award_takes((demand, facts) in begun()) {
        let mut member = Member::of(&demand, Cap::Unlimited);
        let awards = member.learn(0, &facts.iter().collect::<Vec<_>>(), &[], Policy::PLAIN).awards;
        let today = facts.last().expect("a fact").day;
        let view = member.view(today);
        prop_assert_eq!(view.earned as usize, demand.worth(&facts));
        prop_assert_eq!(view.earned as usize, awards.len());
        prop_assert_eq!(view.last_counted_on, Some(today));
        let Some(Deadline::EndOf(deadline)) = view.deadline else {
            prop_assert_eq!(view.current, Decimal::ZERO);
            return Ok(());
        };
        prop_assert!(view.run_started_on.is_some_and(|started| started <= today));

        // Going on at the last moment that counts earns the next award with what is missing; a day later it does not.
        let missing = view.required.checked_sub(view.current).and_then(|missing| missing.to_usize()).expect("a count");
        let worth_going_on = |day| demand.worth(&[facts.clone(), demand.steps_from(day, missing)].concat());
        prop_assert_eq!(worth_going_on(deadline), view.earned as usize + 1);
        prop_assert_eq!(worth_going_on(day_after(deadline, 1)), view.earned as usize);
    }
}
