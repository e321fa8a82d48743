use chrono::NaiveDate;

use super::super::structure::Structure;
use super::super::{Completion, Evidence};
use super::*;

fn on(day: &str) -> Evidence {
    let day: NaiveDate = day.parse().expect("a date");
    Evidence {
        day,
        occurred_at: day.and_time(chrono::NaiveTime::MIN).and_utc(),
        amount: Decimal::ONE,
        steps: 1,
        stops: false,
    }
}

#[test]
fn each_event_completes_it_on_its_own_day() {
    let mut state = Immediate.start();
    for day in ["2026-11-21", "2026-11-20", "2026-11-20"] {
        Immediate.insert(&mut state, &on(day)).expect("it counts");
    }
    let days = [(on("2026-11-20").day, 2), (on("2026-11-21").day, 1)];
    assert_eq!(Immediate.completions(&state).days(), days);
    let standing = Immediate.standing(&state, NaiveDate::MAX);
    assert_eq!(standing.last_counted_on, Some(on("2026-11-21").day));
    assert_eq!(
        (standing.current, standing.required),
        (Decimal::ZERO, Decimal::ONE)
    );
    assert_eq!(standing.deadline, None);
}

#[test]
fn what_is_taken_back_was_never_there() {
    let mut state = Immediate.start();
    for day in ["2026-11-21", "2026-11-20"] {
        Immediate.insert(&mut state, &on(day)).expect("it counts");
    }
    assert!(Immediate.remove(&mut state, &on("2026-11-21")));
    assert!(!Immediate.remove(&mut state, &on("2026-11-21")));
    let standing = Immediate.standing(&state, NaiveDate::MAX);
    assert_eq!(standing.last_counted_on, Some(on("2026-11-20").day));
}

#[test]
fn it_rests_on_its_own_event_and_on_no_other_of_the_day() {
    let evidence = [on("2026-11-19"), on("2026-11-20"), on("2026-11-20")];
    let mut state = Immediate.start();
    for item in &evidence {
        Immediate.insert(&mut state, item).expect("it counts");
    }
    for (nth, place) in [(1, 1), (2, 2)] {
        let day = on("2026-11-20").day;
        let grounds = Immediate.grounds(&state, &evidence, Completion { day, nth });
        assert_eq!(grounds.places, [place]);
        assert!(grounds.remembered.is_empty());
    }
}
