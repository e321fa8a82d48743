use super::*;

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn levels(window: Window, may_fall: bool) -> Levels {
    let level = |key: &str, at_least| Level {
        key: key.to_owned(),
        name: key.to_owned(),
        at_least,
    };
    Levels {
        window,
        may_fall,
        levels: vec![level("bronze", 100), level("silver", 200), level("gold", 400)],
    }
}

/// Level, points, next level and what it still takes, day of reassessment, and until when the level is kept.
type Seen = (
    &'static str,
    i64,
    Option<(&'static str, i64)>,
    Option<&'static str>,
    Option<&'static str>,
);

fn check(levels: &Levels, earned: &[(&str, i64)], today: &str, expected: Seen) {
    let mut by_day = BTreeMap::new();
    for (on, points) in earned {
        *by_day.entry(day(on)).or_insert(0) += points;
    }
    let standing = levels.standing(&by_day, day(today));
    let (level, points, next, reassessed_on, kept_until) = expected;
    assert_eq!(
        standing.level.map_or("", |level| &level.key),
        level,
        "{earned:?} on {today}"
    );
    assert_eq!(standing.points, points, "{earned:?} on {today}");
    let found = standing.next.map(|level| &*level.key).zip(standing.missing());
    assert_eq!(found, next, "{earned:?} on {today}");
    assert_eq!(
        standing.reassessed_on,
        reassessed_on.map(day),
        "{earned:?} on {today}"
    );
    assert_eq!(standing.kept_until, kept_until.map(day), "{earned:?} on {today}");
}

#[test]
fn a_level_is_the_higher_of_the_year_before_and_the_year_so_far() {
    let levels = levels(Window::Year, true);
    let next_year = Some("2027-01-01");
    let cases: [(&[(&str, i64)], Seen); 7] = [
        (&[], ("", 0, Some(("bronze", 100)), next_year, None)),
        (
            &[("2026-03-01", 99)],
            ("", 99, Some(("bronze", 1)), next_year, None),
        ),
        (
            &[("2026-03-01", 60), ("2026-03-02", 40)],
            (
                "bronze",
                100,
                Some(("silver", 100)),
                next_year,
                Some("2027-12-31"),
            ),
        ),
        // Reached last year, not yet again this year.
        (
            &[("2025-12-31", 250), ("2026-03-01", 150)],
            ("silver", 150, Some(("gold", 250)), next_year, Some("2026-12-31")),
        ),
        // The year before last says nothing any more.
        (
            &[("2024-12-31", 500), ("2026-03-01", 150)],
            ("bronze", 150, Some(("silver", 50)), next_year, Some("2027-12-31")),
        ),
        (
            &[("2026-01-01", 1_000)],
            ("gold", 1_000, None, next_year, Some("2027-12-31")),
        ),
        // What was taken back goes off in the year in which it was.
        (
            &[("2025-06-01", 200), ("2026-01-05", -50)],
            ("silver", 0, Some(("gold", 400)), next_year, Some("2026-12-31")),
        ),
    ];
    for (earned, expected) in cases {
        check(&levels, earned, "2026-11-21", expected);
    }
}

#[test]
fn a_level_of_this_window_falls_when_its_points_are_taken_back() {
    let levels = levels(Window::Quarter, true);
    let earned = [("2026-10-02", 120), ("2026-11-01", -30)];
    check(
        &levels,
        &earned,
        "2026-10-31",
        (
            "bronze",
            120,
            Some(("silver", 80)),
            Some("2027-01-01"),
            Some("2027-03-31"),
        ),
    );
    check(
        &levels,
        &earned,
        "2026-11-01",
        ("", 90, Some(("bronze", 10)), Some("2027-01-01"), None),
    );
}

#[test]
fn a_level_that_may_not_fall_is_the_highest_ever_reached() {
    let levels = levels(Window::Month, false);
    let earned = [("2026-01-10", 450), ("2026-01-20", -400), ("2026-11-02", 100)];
    check(
        &levels,
        &earned,
        "2026-01-09",
        ("", 0, Some(("bronze", 100)), None, None),
    );
    check(&levels, &earned, "2026-01-10", ("gold", 450, None, None, None));
    check(&levels, &earned, "2026-11-21", ("gold", 100, None, None, None));
}

#[test]
fn points_of_two_windows_never_add_up() {
    for may_fall in [true, false] {
        let levels = levels(Window::Month, may_fall);
        let earned = [("2026-10-31", 150), ("2026-11-01", 150)];
        let standing = levels.standing(
            &earned.iter().map(|(on, points)| (day(on), *points)).collect(),
            day("2026-11-21"),
        );
        assert_eq!(standing.level.unwrap().key, "bronze");
    }
}

#[test]
fn what_counts_for_ever_is_never_judged_anew() {
    let levels = levels(Window::Ever, true);
    let earned = [("2020-01-01", 150), ("2026-11-01", 150)];
    check(
        &levels,
        &earned,
        "2026-11-21",
        ("silver", 300, Some(("gold", 100)), None, None),
    );
    check(
        &levels,
        &[("2020-01-01", 150), ("2026-11-01", -100)],
        "2026-11-21",
        ("", 50, Some(("bronze", 50)), None, None),
    );
}

#[test]
fn only_the_points_of_two_windows_are_asked_for_where_levels_may_fall() {
    for (window, may_fall, since) in [
        (Window::Month, true, Some("2026-10-01")),
        (Window::Quarter, true, Some("2026-07-01")),
        (Window::Year, true, Some("2025-01-01")),
        (Window::Ever, true, None),
        (Window::Year, false, None),
    ] {
        assert_eq!(
            levels(window, may_fall).since(day("2026-11-21")),
            since.map(day),
            "{window:?}"
        );
    }
}

#[test]
fn the_ends_of_the_calendar_are_days_like_others() {
    for window in [Window::Month, Window::Quarter, Window::Year, Window::Ever] {
        for may_fall in [true, false] {
            let levels = levels(window, may_fall);
            for today in [NaiveDate::MIN, NaiveDate::MAX] {
                let earned = BTreeMap::from([(today, i64::MAX), (day("2026-11-21"), i64::MAX)]);
                let _ = levels.since(today);
                assert_eq!(levels.standing(&earned, today).level.unwrap().key, "gold");
            }
        }
    }
}

#[test]
fn levels_read_back_as_they_were_written() {
    let levels = levels(Window::Quarter, true);
    let stored = serde_json::to_value(&levels).unwrap();
    assert_eq!(Levels::parse(&stored), Some(levels));
    assert_eq!(Levels::parse(&serde_json::json!({"window": "QUARTER"})), None);
}
