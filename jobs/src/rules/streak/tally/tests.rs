use super::*;

fn tally_of(offsets: &[u8], enough: u32) -> Tally {
    let mut tally = Tally::default();
    for offset in offsets {
        tally.add(*offset, enough);
    }
    tally
}

#[test]
fn the_day_with_the_last_event_that_was_needed_decides() {
    let tally = tally_of(&[3, 1, 3], 3);
    assert_eq!(tally.total(), 3);
    assert_eq!(
        [1, 2, 3, 4].map(|nth| tally.offset_of(nth)),
        [Some(1), Some(3), Some(3), None]
    );
}

#[test]
fn an_earlier_event_pushes_the_latest_one_out() {
    assert_eq!(tally_of(&[5, 4, 2, 2], 2), tally_of(&[2, 2], 2));
    assert_eq!(tally_of(&[5, 4, 2], 2).offset_of(2), Some(4));
}

#[test]
fn a_later_event_than_needed_changes_nothing() {
    assert_eq!(tally_of(&[2, 4, 5, 6], 2), tally_of(&[4, 2], 2));
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
