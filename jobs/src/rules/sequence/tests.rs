use chrono::Days;
use proptest::prelude::*;

use super::*;

fn day(number: u64) -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 11, 1).expect("a date") + Days::new(number)
}

/// An event `hours` after the first midnight that can be the steps of `steps`.
fn event(hours: i64, steps: u32) -> Evidence {
    let occurred_at = day(0).and_time(NaiveTime::MIN).and_utc() + TimeDelta::hours(hours);
    Evidence {
        day: occurred_at.date_naive(),
        occurred_at,
        amount: Decimal::ONE,
        steps,
        stops: false,
    }
}

fn sequence(steps: u32, hours: i64) -> Sequence {
    Sequence {
        steps,
        within: TimeDelta::hours(hours),
    }
}

fn memory(sequence: Sequence, events: &[Evidence]) -> Memory {
    let mut memory = sequence.start();
    for event in events {
        sequence.insert(&mut memory, event).expect("room");
    }
    assert!(sequence.is_sound(&memory), "{memory:?}");
    memory
}

fn times(sequence: Sequence, events: &[Evidence]) -> u64 {
    sequence.completions(&memory(sequence, events)).total()
}

/// The greatest number of chains without a common event, by trying all of them.
fn most_chains(sequence: Sequence, events: &[Evidence]) -> u64 {
    fn chain(
        sequence: Sequence,
        left: &[Evidence],
        first: Option<DateTime<Utc>>,
        at: Option<DateTime<Utc>>,
        step: u32,
    ) -> u64 {
        if step == sequence.steps {
            return 1 + most_chains(sequence, left);
        }
        let mut most = 0;
        for (place, event) in left.iter().enumerate() {
            let is_next = at.is_none_or(|at| event.occurred_at > at);
            let is_near = first.is_none_or(|first| event.occurred_at - first <= sequence.within);
            if event.steps & bit(step) != 0 && is_next && is_near {
                let mut others = left.to_vec();
                others.remove(place);
                let first = first.or(Some(event.occurred_at));
                most = most.max(chain(sequence, &others, first, Some(event.occurred_at), step + 1));
            }
        }
        most
    }
    chain(sequence, events, None, None, 0)
}

#[test]
fn steps_come_one_after_the_other() {
    let pair = sequence(2, 24);
    assert_eq!(times(pair, &[event(1, 1), event(2, 2)]), 1);
    assert_eq!(times(pair, &[event(2, 1), event(1, 2)]), 0);
    // At the same instant neither is later.
    assert_eq!(times(pair, &[event(1, 1), event(1, 2)]), 0);
    // What can be both steps is still one event.
    assert_eq!(times(pair, &[event(1, 3)]), 0);
    assert_eq!(times(pair, &[event(1, 3), event(2, 3)]), 1);
}

#[test]
fn the_time_from_first_to_last_is_inclusive() {
    let pair = sequence(2, 24);
    assert_eq!(times(pair, &[event(0, 1), event(24, 2)]), 1);
    assert_eq!(times(pair, &[event(0, 1), event(25, 2)]), 0);
    assert_eq!(
        times(sequence(3, 24), &[event(0, 1), event(12, 2), event(25, 4)]),
        0
    );
}

#[test]
fn repeats_share_no_event() {
    let events = [event(0, 1), event(1, 2), event(2, 2)];
    assert_eq!(times(sequence(2, 24), &events), 1);
    assert_eq!(times(sequence(2, 24), &[&events[..], &[event(1, 1)]].concat()), 2);
}

#[test]
fn the_day_is_that_of_the_last_step() {
    let pair = sequence(2, 48);
    let completions = pair.completions(&memory(pair, &[event(1, 1), event(30, 2)]));
    assert_eq!(completions.days(), [(day(1), 1)]);
}

#[test]
fn what_is_taken_back_is_gone_once() {
    let pair = sequence(2, 24);
    let mut memory = memory(pair, &[event(1, 1), event(1, 1), event(2, 2)]);
    assert!(pair.remove(&mut memory, &event(1, 1)));
    assert_eq!(pair.completions(&memory).total(), 1);
    assert!(pair.remove(&mut memory, &event(1, 1)));
    assert_eq!(pair.completions(&memory).total(), 0);
    assert!(!pair.remove(&mut memory, &event(1, 1)));
    assert!(!pair.remove(&mut memory, &event(2, 1)));
}

#[test]
fn the_furthest_chain_shows_how_far_a_member_is_and_until_when() {
    let three = sequence(3, 48);
    let standing = |events: &[Evidence], today: u64| three.standing(&memory(three, events), day(today));
    let nothing = standing(&[], 0);
    assert_eq!(
        (nothing.current, nothing.required),
        (Decimal::ZERO, Decimal::from(3))
    );
    assert_eq!(nothing.deadline, None);
    let begun = standing(&[event(0, 1), event(5, 2), event(20, 1)], 1);
    assert_eq!(begun.current, Decimal::from(2));
    assert_eq!(begun.deadline, Some(Deadline::At(event(48, 1).occurred_at)));
    assert_eq!(begun.last_counted_on, Some(day(0)));
    // When the first has run out, what began later is left.
    let later = standing(&[event(0, 1), event(5, 2), event(20, 1)], 3);
    assert_eq!(later.current, Decimal::from(1));
    assert_eq!(later.deadline, Some(Deadline::At(event(68, 1).occurred_at)));
    assert_eq!(standing(&[event(0, 1), event(5, 2)], 5).current, Decimal::ZERO);
    // What has completed it does not count towards the next one.
    let done = standing(&[event(0, 1), event(5, 2), event(6, 4), event(7, 2)], 0);
    assert_eq!(done.current, Decimal::ZERO);
}

#[test]
fn a_completion_rests_on_its_own_events() {
    let pair = sequence(2, 24);
    let events = [event(0, 1), event(0, 1), event(1, 2), event(2, 2)];
    let memory = memory(pair, &events);
    let second = Completion { day: day(0), nth: 2 };
    let grounds = pair.grounds(&memory, &events, second);
    assert_eq!((grounds.places, grounds.remembered), (vec![1, 3], vec![]));
    // Of what is not known in full any more, the event itself is remembered.
    let grounds = pair.grounds(&memory, &events[3..], second);
    assert_eq!((grounds.places, grounds.remembered), (vec![0], vec![event(0, 1)]));
    let third = Completion { day: day(0), nth: 3 };
    assert_eq!(pair.grounds(&memory, &events, third), Grounds::default());
}

#[test]
fn a_stream_of_events_is_more_than_is_remembered() {
    let pair = sequence(2, 24);
    let mut memory = pair.start();
    for minute in 0..5_000 {
        pair.insert(&mut memory, &event(minute, 1)).expect("room");
    }
    let fault = pair.insert(&mut memory, &event(0, 1)).expect_err("no room");
    assert_eq!(fault, Fault::TooMuchToRemember);
    // Of a year of first steps without a last one, only those are kept to which a last one can still reach back.
    assert!(pair.forget_before(&mut memory, day(100)));
    let kept = event(99 * 24 - 24 + 1, 1).occurred_at;
    assert_eq!(memory.events.first().map(Event::instant), Some(kept));
}

#[test]
fn a_memory_of_something_else_is_not_read() {
    let three = sequence(3, 24);
    for text in [
        r#"{"n":2}"#,
        r#"{"n":3,"e":[[0,"2026-11-01",8,1]]}"#,
        r#"{"n":3,"e":[[0,"2026-11-01",0,1]]}"#,
        r#"{"n":3,"e":[[0,"2026-11-01",1,0]]}"#,
        r#"{"n":3,"e":[[0,"2026-11-01",1,5001]]}"#,
        r#"{"n":3,"e":[[5,"2026-11-01",1,1],[0,"2026-11-01",1,1]]}"#,
        r#"{"n":3,"e":[[0,"2026-11-01",1,1],[0,"2026-11-01",1,1]]}"#,
    ] {
        let memory: Memory = serde_json::from_str(text).expect("JSON");
        assert!(!three.is_sound(&memory), "{text}");
    }
    let extreme = format!(
        r#"{{"n":3,"e":[[{},"-262143-01-01",1,1],[{},"+262142-12-31",6,1]]}}"#,
        i64::MIN,
        i64::MAX
    );
    let mut memory: Memory = serde_json::from_str(&extreme).expect("JSON");
    assert_eq!(three.completions(&memory).total(), 0);
    for day in [NaiveDate::MIN, day(0), NaiveDate::MAX] {
        three.standing(&memory, day);
        three.consume_before(&mut memory, day);
        three.forget_before(&mut memory, day);
    }
}

/// The steps that one event can be: those of one group of the same steps.
fn groups() -> impl Strategy<Value = (u32, Vec<u32>)> {
    prop_oneof![
        Just((2, vec![0b01, 0b10])),
        Just((2, vec![0b11])),
        Just((3, vec![0b001, 0b010, 0b100])),
        Just((3, vec![0b011, 0b100])),
        Just((3, vec![0b001, 0b110])),
        Just((3, vec![0b111])),
        Just((4, vec![0b0001, 0b0110, 0b1000])),
    ]
}

fn events(most: usize, hours: i64) -> impl Strategy<Value = (Sequence, Vec<Evidence>)> {
    groups().prop_flat_map(move |(steps, masks)| {
        let event =
            (0..hours, proptest::sample::select(masks)).prop_map(|(hours, steps)| event(hours, steps));
        (1..=hours, proptest::collection::vec(event, 0..most))
            .prop_map(move |(within, events)| (sequence(steps, within), events))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    /// Events at the same instant that can be several steps are left out: the rule is what it is there, and not always the most.
    #[test]
    fn no_other_way_gives_more_chains((sequence, mut events) in events(10, 9)) {
        events.sort_by_key(|event| (event.occurred_at, event.steps));
        events.dedup_by(|event, before| event == before && event.steps.count_ones() > 1);
        prop_assert_eq!(times(sequence, &events), most_chains(sequence, &events));
    }

    #[test]
    fn steps_that_overlap_are_completed_if_there_is_any_chain(
        steps in 2_u32..=4,
        within in 1_i64..9,
        events in proptest::collection::vec((0_i64..9, 1_u32..16), 0..7),
    ) {
        let sequence = sequence(steps, within);
        let events: Vec<Evidence> = events.into_iter()
            .map(|(hours, mask)| event(hours, mask & (bit(steps) - 1)))
            .filter(|event| event.steps != 0)
            .collect();
        prop_assert_eq!(times(sequence, &events) > 0, most_chains(sequence, &events) > 0);
    }

    /// What is consumed and forgotten on the way makes no difference to what comes, whatever comes; and where it is done
    /// once or more often, the same is left.
    #[test]
    fn forgetting_changes_nothing(
        (sequence, events) in events(40, 240),
        horizons in proptest::collection::vec(0_u64..12, 1..4),
        shift in -14_i64..=14,
    ) {
        let mut horizons = horizons;
        horizons.sort_unstable();
        let last = *horizons.last().expect("one");
        let zoned = |mut event: Evidence| {
            event.day = (event.occurred_at + TimeDelta::hours(shift)).date_naive();
            event
        };
        let events: Vec<Evidence> = events.into_iter().map(zoned).collect();
        let whole = memory(sequence, &events);
        let mut stepwise = sequence.start();
        let mut consumed = 0;
        let mut days = Vec::new();
        let mut from = NaiveDate::MIN;
        for horizon in &horizons {
            let horizon = day(*horizon);
            // All evidence of a day comes before the day is behind the horizon, and not before the horizon of the call before.
            for event in events.iter().filter(|event| (from..horizon).contains(&event.day)) {
                sequence.insert(&mut stepwise, event).expect("room");
            }
            let part = sequence.consume_before(&mut stepwise, horizon);
            consumed += part.total();
            days.extend_from_slice(part.days());
            sequence.forget_before(&mut stepwise, horizon);
            prop_assert!(sequence.is_sound(&stepwise));
            from = horizon;
        }
        for event in events.iter().filter(|event| event.day >= from) {
            sequence.insert(&mut stepwise, event).expect("room");
        }
        days.extend_from_slice(sequence.completions(&stepwise).days());
        let expected = sequence.completions(&whole);
        prop_assert_eq!(consumed + sequence.completions(&stepwise).total(), expected.total());
        prop_assert_eq!(&Completions::of(days), &expected);
        let mut once = whole;
        sequence.consume_before(&mut once, day(last));
        sequence.forget_before(&mut once, day(last));
        sequence.consume_before(&mut stepwise, day(last));
        sequence.forget_before(&mut stepwise, day(last));
        prop_assert_eq!(once, stepwise);
    }

    #[test]
    fn more_never_gives_less_and_taking_back_undoes_it((sequence, events) in events(12, 12)) {
        let mut memory = sequence.start();
        let mut before = Vec::new();
        for event in &events {
            before.push(memory.clone());
            let times = sequence.completions(&memory).total();
            sequence.insert(&mut memory, event).expect("room");
            let more = sequence.completions(&memory).total() - times;
            prop_assert!(more <= 1);
        }
        for event in events.iter().rev() {
            prop_assert!(sequence.remove(&mut memory, event));
            prop_assert_eq!(Some(memory.clone()), before.pop());
        }
    }

    #[test]
    fn the_grounds_alone_complete_it_on_the_same_day((sequence, events) in events(12, 60)) {
        let full = memory(sequence, &events);
        let mut sorted = events.clone();
        sorted.sort_by_key(|event| (event.day, event.occurred_at));
        for (day, times) in sequence.completions(&full).days() {
            for nth in 1..=*times {
                let grounds = sequence.grounds(&full, &sorted, Completion { day: *day, nth });
                let alone: Vec<Evidence> = grounds.places.iter().map(|place| sorted[*place].clone()).collect();
                prop_assert_eq!(alone.len(), sequence.steps as usize);
                let completions = sequence.completions(&memory(sequence, &alone));
                prop_assert_eq!(completions.days(), &[(*day, 1)]);
            }
        }
    }
}
