use super::*;

fn runs_of(numbers: &[i32]) -> Runs {
    let mut runs = Runs::default();
    for number in numbers {
        runs.insert(*number);
    }
    runs
}

#[test]
fn a_number_alone_is_a_run_of_one() {
    assert_eq!(runs_of(&[7]), Runs(vec![Run(7, 1)]));
}

#[test]
fn a_number_between_two_runs_joins_them() {
    let mut runs = runs_of(&[1, 2, 4, 5, 6]);
    assert_eq!(runs, Runs(vec![Run(1, 2), Run(4, 3)]));
    runs.insert(3);
    assert_eq!(runs, Runs(vec![Run(1, 6)]));
}

#[test]
fn a_number_at_either_end_makes_a_run_longer() {
    assert_eq!(runs_of(&[4, 5]), Runs(vec![Run(4, 2)]));
    assert_eq!(runs_of(&[4, 5, 3]), Runs(vec![Run(3, 3)]));
}

#[test]
fn a_number_that_is_there_is_not_inserted_again() {
    let mut runs = runs_of(&[1, 2, 3]);
    for number in [1, 2, 3] {
        assert!(runs.contain(number));
        runs.insert(number);
    }
    assert_eq!(runs, Runs(vec![Run(1, 3)]));
    assert!(!runs.contain(0) && !runs.contain(4));
}

#[test]
fn a_run_falls_apart_where_a_number_is_removed() {
    for (number, left) in [
        (1, vec![Run(2, 3)]),
        (2, vec![Run(1, 1), Run(3, 2)]),
        (4, vec![Run(1, 3)]),
        (0, vec![Run(1, 4)]),
        (5, vec![Run(1, 4)]),
    ] {
        let mut runs = runs_of(&[1, 2, 3, 4]);
        runs.remove(number);
        assert_eq!(runs, Runs(left), "{number}");
    }
    let mut runs = runs_of(&[7]);
    runs.remove(7);
    assert_eq!(runs, Runs::default());
}

#[test]
fn everything_up_to_a_number_can_be_dropped() {
    for (number, left) in [
        (0, vec![Run(1, 2), Run(5, 2)]),
        (1, vec![Run(2, 1), Run(5, 2)]),
        (2, vec![Run(5, 2)]),
        (4, vec![Run(5, 2)]),
        (5, vec![Run(6, 1)]),
        (9, vec![]),
    ] {
        let mut runs = runs_of(&[1, 2, 5, 6]);
        runs.drop_through(number);
        assert_eq!(runs, Runs(left), "{number}");
    }
}

#[test]
fn the_numbers_of_a_set_are_found_again() {
    let runs = runs_of(&[5, 1, 2, 6, 9]);
    assert_eq!(runs.numbers(), [1, 2, 5, 6, 9]);
    assert_eq!(runs.first(), Some(1));
    assert_eq!(
        [0, 2, 4, 6, 9].map(|number| runs.first_of(number)),
        [None, Some(1), None, Some(5), Some(9)]
    );
    assert_eq!(
        [0, 1, 4, 5, 20].map(|number| runs.last_through(number)),
        [None, Some(1), Some(2), Some(5), Some(9)]
    );
}

#[test]
fn the_ends_of_all_numbers_are_numbers_too() {
    let mut runs = runs_of(&[i32::MIN, i32::MAX]);
    assert_eq!(runs.numbers(), [i32::MIN, i32::MAX]);
    runs.remove(i32::MAX);
    runs.drop_through(i32::MIN);
    assert_eq!(runs, Runs::default());
}

#[test]
fn runs_that_cannot_have_been_written_are_not_sound() {
    let sound = |runs: &[(i32, u32)]| {
        Runs(runs.iter().map(|(first, length)| Run(*first, *length)).collect()).are_sound(Period::Day)
    };
    assert!(sound(&[]));
    assert!(sound(&[(1, 2), (4, 1)]));
    for broken in [
        &[(1, 0)][..],
        &[(4, 1), (1, 2)],
        &[(1, 2), (3, 1)],
        &[(1, 3), (2, 5)],
        &[(1, u32::MAX)],
        &[(1, 60_000), (70_000, 60_000)],
        &[(i32::MAX, 1)],
        &[(i32::MIN, 1)],
    ] {
        assert!(!sound(broken), "{broken:?}");
    }
}
