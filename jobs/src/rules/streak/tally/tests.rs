use super::*;

fn tally_of(offsets: &[u8]) -> Tally {
    let mut tally = Tally::default();
    for offset in offsets {
        tally.add(*offset, 1);
    }
    tally
}

#[test]
fn the_day_with_the_last_event_that_was_needed_decides() {
    let tally = tally_of(&[3, 1, 3]);
    assert_eq!(tally.total(), 3);
    assert_eq!(tally.last_offset(), Some(3));
    assert_eq!(
        [1, 2, 3, 4].map(|nth| tally.offset_of(nth)),
        [Some(1), Some(3), Some(3), None]
    );
}

#[test]
fn the_order_of_events_is_no_matter() {
    assert_eq!(tally_of(&[5, 4, 2, 2]), tally_of(&[2, 5, 2, 4]));
}

#[test]
fn what_is_taken_away_was_never_there() {
    let mut tally = tally_of(&[5, 4, 2, 2]);
    assert!(tally.take(2, 1) && tally.take(5, 1));
    assert_eq!(tally, tally_of(&[2, 4]));
    assert!(tally.take(2, 1) && tally.take(4, 1));
    assert_eq!((tally.total(), tally.last_offset()), (0, None));
}

#[test]
fn what_is_not_there_cannot_be_taken_away() {
    let mut tally = tally_of(&[2, 2]);
    assert!(!tally.take(3, 1) && !tally.take(2, 3));
    assert_eq!(tally, tally_of(&[2, 2]));
}

#[test]
fn tallies_that_cannot_have_been_written_are_not_sound() {
    let sound = |days: &[(u8, u32)], period| {
        Tally(days.iter().map(|day| OnDay(day.0, day.1)).collect()).is_sound(period)
    };
    assert!(sound(&[(0, 1), (6, 2)], Period::Week));
    assert!(sound(&[(30, 1)], Period::Month));
    assert!(!sound(&[], Period::Week));
    assert!(!sound(&[(7, 1)], Period::Week));
    assert!(!sound(&[(1, 1)], Period::Day));
    assert!(!sound(&[(31, 1)], Period::Month));
    assert!(!sound(&[(1, 0)], Period::Week));
    assert!(!sound(&[(2, 1), (2, 1)], Period::Week));
    assert!(!sound(&[(3, 1), (2, 1)], Period::Week));
}
