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
    assert_eq!(
        Runs::default().insert(7),
        Some(Joined {
            left: 0,
            right: 0,
            run: Run(7, 1)
        })
    );
}

#[test]
fn a_number_between_two_runs_joins_them() {
    let mut runs = runs_of(&[1, 2, 4, 5, 6]);
    assert_eq!(runs, Runs(vec![Run(1, 2), Run(4, 3)]));
    assert_eq!(
        runs.insert(3),
        Some(Joined {
            left: 2,
            right: 3,
            run: Run(1, 6)
        })
    );
    assert_eq!(runs, Runs(vec![Run(1, 6)]));
}

#[test]
fn a_number_at_either_end_makes_a_run_longer() {
    let mut runs = runs_of(&[4]);
    assert_eq!(
        runs.insert(5),
        Some(Joined {
            left: 1,
            right: 0,
            run: Run(4, 2)
        })
    );
    assert_eq!(
        runs.insert(3),
        Some(Joined {
            left: 0,
            right: 2,
            run: Run(3, 3)
        })
    );
}

#[test]
fn a_number_that_is_there_is_not_inserted_again() {
    let mut runs = runs_of(&[1, 2, 3]);
    for number in [1, 2, 3] {
        assert!(runs.contain(number));
        assert_eq!(runs.insert(number), None);
    }
    assert!(!runs.contain(0) && !runs.contain(4));
}

#[test]
fn a_run_is_forgotten_when_nothing_can_continue_it() {
    let mut runs = runs_of(&[1, 2, 5, 6, 9]);
    assert!(!runs.forget_before(3));
    assert!(runs.forget_before(4));
    assert_eq!(runs, Runs(vec![Run(5, 2), Run(9, 1)]));
    assert!(!runs.forget_before(7));
    assert!(runs.forget_before(8));
    assert_eq!(runs, Runs(vec![Run(9, 1)]));
}

#[test]
fn the_run_that_is_alive_is_the_one_today_can_still_continue() {
    let runs = runs_of(&[1, 2, 3, 6]);
    assert_eq!(runs.alive_at(3), Some(Run(1, 3)));
    assert_eq!(runs.alive_at(4), Some(Run(1, 3)));
    assert_eq!(runs.alive_at(5), Some(Run(6, 1)));
    assert_eq!(runs.alive_at(8), None);
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
        &[(i32::MAX, 1)],
        &[(i32::MIN, 1)],
    ] {
        assert!(!sound(broken), "{broken:?}");
    }
}
