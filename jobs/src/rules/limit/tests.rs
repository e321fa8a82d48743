use super::*;

fn date(text: &str) -> NaiveDate {
    text.parse().expect("a date")
}

/// The places of the awards for completions on these days, one after the other.
fn places(limit: Limit, days: &[&str]) -> Vec<String> {
    let mut earned = Earned::default();
    let awards = days.iter().filter_map(|day| limit.award(&mut earned, date(day)));
    awards
        .map(|award| format!("{} {} {}", award.period_key, award.ordinal, award.earned_on))
        .collect()
}

#[test]
fn once_is_once_for_good() {
    assert_eq!(
        places(Limit::ONCE, &["2026-11-21", "2027-11-21"]),
        ["once 1 2026-11-21"]
    );
}

#[test]
fn at_most_counts_to_its_number() {
    let days = ["2026-11-21", "2026-11-20", "2026-11-21"];
    assert_eq!(
        places(Limit::at_most(2), &days),
        ["ever 1 2026-11-21", "ever 2 2026-11-20"]
    );
}

#[test]
fn unlimited_goes_on() {
    let days = ["2026-11-21", "2026-11-20", "2026-11-21"];
    assert_eq!(
        places(Limit::UNLIMITED, &days),
        ["ever 1 2026-11-21", "ever 2 2026-11-20", "ever 3 2026-11-21"]
    );
}

#[test]
fn a_window_has_one_award_whenever_it_comes() {
    let days = ["2026-12-31", "2027-01-01", "2027-01-04", "2026-12-28"];
    for (window, expected) in [
        (
            Window::Day,
            vec!["2026-12-31 1", "2027-01-01 1", "2027-01-04 1", "2026-12-28 1"],
        ),
        (Window::Week, vec!["2026-W53 1", "2027-W01 1"]),
        (Window::Month, vec!["2026-12 1", "2027-01 1"]),
        (Window::Quarter, vec!["2026-Q4 1", "2027-Q1 1"]),
        (Window::Year, vec!["2026 1", "2027 1"]),
        (Window::Program, vec!["program 1"]),
        (Window::Ever, vec!["ever 1"]),
    ] {
        let places = places(Limit::once_per(window), &days);
        let places: Vec<_> = places
            .iter()
            .map(|place| place.rsplit_once(' ').expect("three words").0)
            .collect();
        assert_eq!(places, expected, "{window:?}");
    }
}

#[test]
fn only_a_window_that_is_over_is_forgotten() {
    let limit = Limit::once_per(Window::Week);
    let mut earned = Earned::default();
    for day in ["2026-11-11", "2026-11-18"] {
        assert!(limit.award(&mut earned, date(day)).is_some());
    }
    assert!(!limit.forget_before(&mut earned, date("2026-11-15")));
    assert!(limit.forget_before(&mut earned, date("2026-11-18")));
    assert!(!limit.forget_before(&mut earned, date("2026-11-22")));
    assert_eq!(limit.award(&mut earned, date("2026-11-22")), None);
    assert_eq!(earned.count, 2);
}

#[test]
fn the_last_number_there_is_ends_the_counting() {
    let mut earned = Earned {
        count: u32::MAX,
        ..Earned::default()
    };
    assert_eq!(Limit::UNLIMITED.award(&mut earned, date("2026-11-21")), None);
    assert_eq!(earned.count, u32::MAX);
}
