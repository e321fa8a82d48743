use rust_decimal::Decimal;

use super::*;

mod freezes;

fn date(text: &str) -> NaiveDate {
    text.parse().expect("a date")
}

fn streak(length: u32, period: Period, per_period: u32) -> Streak {
    Streak {
        length,
        period,
        per_period,
        freezes: 0,
    }
}

fn on(day: &str) -> Evidence {
    Evidence {
        day: date(day),
        occurred_at: date(day).and_time(chrono::NaiveTime::MIN).and_utc(),
        amount: Decimal::ONE,
        steps: 1,
        stops: false,
    }
}

/// What is remembered of a member of whom these days were heard, in this order.
fn member(streak: Streak, days: &[&str]) -> Memory {
    let mut memory = streak.start();
    for day in days {
        streak.insert(&mut memory, &on(day)).expect("it counts");
    }
    memory
}

fn days(completions: &Completions) -> Vec<String> {
    let days = completions.days().iter();
    days.flat_map(|(day, times)| (0..*times).map(|_| day.to_string()))
        .collect()
}

/// The days on which a streak is completed by events on these days.
fn completions(streak: Streak, heard: &[&str]) -> Vec<String> {
    days(&streak.completions(&member(streak, heard)))
}

#[test]
fn five_days_in_a_row_complete_a_streak_of_five_on_the_fifth() {
    let days = [
        "2026-11-17",
        "2026-11-18",
        "2026-11-19",
        "2026-11-20",
        "2026-11-21",
    ];
    assert_eq!(completions(streak(5, Period::Day, 1), &days), ["2026-11-21"]);
}

#[test]
fn a_member_who_skips_a_day_starts_again() {
    let days = [
        "2026-11-17",
        "2026-11-18",
        "2026-11-20",
        "2026-11-21",
        "2026-11-22",
    ];
    assert_eq!(completions(streak(3, Period::Day, 1), &days), ["2026-11-22"]);
}

#[test]
fn a_second_event_on_a_day_counts_for_nothing() {
    let days = ["2026-11-20", "2026-11-20", "2026-11-20", "2026-11-21"];
    assert!(completions(streak(3, Period::Day, 1), &days).is_empty());
}

#[test]
fn a_late_event_merges_two_runs() {
    let days = [
        "2026-11-17",
        "2026-11-18",
        "2026-11-20",
        "2026-11-21",
        "2026-11-19",
    ];
    assert_eq!(completions(streak(5, Period::Day, 1), &days), ["2026-11-21"]);
}

#[test]
fn two_completed_runs_joined_by_a_day_are_two_completions_still() {
    let days = [
        "2026-11-01",
        "2026-11-02",
        "2026-11-03",
        "2026-11-05",
        "2026-11-06",
        "2026-11-07",
        "2026-11-04",
    ];
    assert_eq!(
        completions(streak(3, Period::Day, 1), &days),
        ["2026-11-03", "2026-11-06"]
    );
}

#[test]
fn what_two_runs_had_left_over_can_complete_another_one_when_they_are_joined() {
    // 4 + 1 + 4 days are three times three.
    let days: Vec<String> = (1..=9)
        .filter(|day| *day != 5)
        .chain([5])
        .map(|day| format!("2026-11-{day:02}"))
        .collect();
    let days: Vec<&str> = days.iter().map(String::as_str).collect();
    assert_eq!(
        completions(streak(3, Period::Day, 1), &days),
        ["2026-11-03", "2026-11-06", "2026-11-09"]
    );
    assert_eq!(
        completions(streak(3, Period::Day, 1), &days[..8]),
        ["2026-11-03", "2026-11-08"]
    );
}

#[test]
fn a_leap_day_is_a_day_like_any_other() {
    let three = streak(3, Period::Day, 1);
    for (days, completed) in [
        (["2028-02-28", "2028-02-29", "2028-03-01"], true),
        (["2028-02-27", "2028-02-28", "2028-03-01"], false),
        (["2027-02-27", "2027-02-28", "2027-03-01"], true),
    ] {
        assert_eq!(!completions(three, &days).is_empty(), completed, "{days:?}");
    }
}

#[test]
fn a_day_can_ask_for_several_events() {
    let days = ["2026-11-20", "2026-11-21", "2026-11-21", "2026-11-20"];
    assert_eq!(completions(streak(2, Period::Day, 2), &days), ["2026-11-21"]);
    assert!(completions(streak(2, Period::Day, 2), &days[..3]).is_empty());
}

#[test]
fn weeks_in_a_row_cross_the_turn_of_a_year_with_53_of_them() {
    let days = ["2026-12-22", "2027-01-03", "2027-01-04"];
    assert_eq!(completions(streak(3, Period::Week, 1), &days), ["2027-01-04"]);
}

#[test]
fn a_week_qualifies_on_the_day_it_has_enough() {
    // The order in which they come is no matter: the second day of the second week is the 19th either way.
    let mut days = [
        "2026-11-09",
        "2026-11-11",
        "2026-11-16",
        "2026-11-19",
        "2026-11-21",
    ];
    assert_eq!(completions(streak(2, Period::Week, 2), &days), ["2026-11-19"]);
    days.reverse();
    assert_eq!(completions(streak(2, Period::Week, 2), &days), ["2026-11-19"]);
}

#[test]
fn months_in_a_row_may_be_far_apart_in_days() {
    let three = streak(3, Period::Month, 1);
    let far = ["2026-12-01", "2027-01-31", "2027-02-28"];
    assert_eq!(completions(three, &far), ["2027-02-28"]);
    let near = ["2026-12-31", "2027-02-01", "2027-03-01"];
    assert!(completions(three, &near).is_empty());
}

#[test]
fn what_is_taken_back_was_never_there() {
    for (streak, heard) in [
        (
            streak(2, Period::Day, 1),
            ["2026-11-19", "2026-11-20", "2026-11-20"],
        ),
        (
            streak(1, Period::Day, 2),
            ["2026-11-20", "2026-11-20", "2026-11-20"],
        ),
        (
            streak(1, Period::Week, 2),
            ["2026-11-16", "2026-11-20", "2026-11-18"],
        ),
        (
            streak(2, Period::Month, 1),
            ["2026-11-30", "2026-12-01", "2026-12-31"],
        ),
    ] {
        for gone in 0..3 {
            let mut memory = member(streak, &heard);
            assert!(streak.remove(&mut memory, &on(heard[gone])));
            let mut rest = heard.to_vec();
            rest.remove(gone);
            assert_eq!(
                memory,
                member(streak, &rest),
                "{streak:?} without {}",
                heard[gone]
            );
            assert!(!streak.remove(&mut memory, &on("2026-11-01")));
        }
    }
}

#[test]
fn a_member_sees_the_run_the_day_that_counts_and_the_deadline() {
    let streak = streak(5, Period::Day, 1);
    let memory = member(streak, &["2026-11-16", "2026-11-19", "2026-11-20"]);
    for (today, current, started, deadline) in [
        ("2026-11-20", 2, Some("2026-11-19"), Some("2026-11-21")),
        ("2026-11-21", 2, Some("2026-11-19"), Some("2026-11-21")),
        ("2026-11-22", 0, None, None),
    ] {
        let standing = streak.standing(&memory, date(today));
        assert_eq!(
            (standing.current, standing.required),
            (current.into(), 5.into()),
            "{today}"
        );
        let deadline = deadline.map(|day| Deadline::EndOf(date(day)));
        assert_eq!(standing.run_started_on, started.map(date), "{today}");
        assert_eq!(standing.deadline, deadline, "{today}");
        assert_eq!(standing.last_counted_on, Some(date("2026-11-20")), "{today}");
    }
}

#[test]
fn the_deadline_of_weeks_is_the_sunday() {
    let streak = streak(4, Period::Week, 1);
    let memory = member(streak, &["2026-11-11", "2026-11-18"]);
    let standing = streak.standing(&memory, date("2026-11-21"));
    assert_eq!(standing.run_started_on, Some(date("2026-11-09")));
    assert_eq!(standing.deadline, Some(Deadline::EndOf(date("2026-11-29"))));
    assert_eq!(standing.last_counted_on, Some(date("2026-11-18")));
}

#[test]
fn after_a_completion_the_count_starts_anew_and_nothing_is_at_stake() {
    let streak = streak(2, Period::Day, 1);
    let mut memory = member(streak, &["2026-11-20", "2026-11-21"]);
    let standing = streak.standing(&memory, date("2026-11-21"));
    assert_eq!(standing.current, Decimal::ZERO);
    assert_eq!(standing.run_started_on, Some(date("2026-11-20")));
    assert_eq!(standing.deadline, None);
    // The same is shown once the completion is settled.
    assert_eq!(
        days(&streak.consume_before(&mut memory, date("2026-11-22"))),
        ["2026-11-21"]
    );
    assert_eq!(streak.standing(&memory, date("2026-11-21")), standing);
}

#[test]
fn a_run_can_be_continued_on_the_horizon_itself() {
    let streak = streak(3, Period::Day, 1);
    let mut memory = member(streak, &["2026-11-19", "2026-11-20"]);
    assert!(!streak.forget_before(&mut memory, date("2026-11-21")));
    streak.insert(&mut memory, &on("2026-11-21")).expect("it counts");
    assert_eq!(days(&streak.completions(&memory)), ["2026-11-21"]);
}

#[test]
fn what_no_event_can_reach_any_more_is_forgotten() {
    let day = streak(3, Period::Day, 2);
    let mut memory = member(day, &["2026-11-17", "2026-11-17", "2026-11-18", "2026-11-20"]);
    assert!(day.forget_before(&mut memory, date("2026-11-19")));
    assert_eq!(memory.runs, member(day, &["2026-11-20"]).runs);
    assert_eq!(memory.tallies, member(day, &["2026-11-20"]).tallies);

    let week = streak(3, Period::Week, 1);
    let mut memory = member(week, &["2026-11-03", "2026-11-19"]);
    // The week of the 9th is open until its Sunday is over.
    assert!(week.forget_before(&mut memory, date("2026-11-15")));
    assert!(memory.runs.contain(Period::Week.index(date("2026-11-03"))));
    assert!(week.forget_before(&mut memory, date("2026-11-16")));
    assert_eq!(memory.runs, member(week, &["2026-11-19"]).runs);
}

#[test]
fn the_last_day_is_shown_when_it_is_forgotten_too() {
    for (period, day) in [
        (Period::Day, "2026-11-03"),
        (Period::Week, "2026-11-05"),
        (Period::Month, "2026-09-29"),
    ] {
        let streak = streak(3, period, 2);
        let mut memory = member(streak, &[day, day, "2026-09-02"]);
        streak.forget_before(&mut memory, date("2026-11-16"));
        let standing = streak.standing(&memory, date("2026-11-21"));
        assert_eq!(standing.last_counted_on, Some(date(day)), "{period:?}");
    }
}

#[test]
fn a_row_rests_on_the_events_of_its_periods() {
    let streak = streak(2, Period::Week, 2);
    let heard = [
        "2026-11-03",
        "2026-11-09",
        "2026-11-11",
        "2026-11-16",
        "2026-11-19",
        "2026-11-21",
    ];
    let memory = member(streak, &heard);
    let evidence = heard.map(on);
    let completion = Completion {
        day: date("2026-11-19"),
        nth: 1,
    };
    let grounds = streak.grounds(&memory, &evidence, completion);
    assert_eq!(grounds.places, [1, 2, 3, 4]);
    assert!(grounds.remembered.is_empty());
    // Of a week of which the events are not known any more there is what it took.
    let grounds = streak.grounds(&memory, &evidence[3..], completion);
    assert_eq!(grounds.places, [0, 1]);
    let remembered: Vec<_> = grounds
        .remembered
        .iter()
        .map(|item| (item.day, item.amount))
        .collect();
    assert_eq!(remembered, [(date("2026-11-11"), 2.into())]);
}

#[test]
fn a_daily_member_of_three_years_is_remembered_in_a_line() {
    let streak = streak(5, Period::Week, 3);
    let mut memory = streak.start();
    let first = date("2024-01-01");
    let mut completed = 0;
    for day in first.iter_days().take(3 * 365) {
        streak
            .insert(&mut memory, &on(&day.to_string()))
            .expect("it counts");
        let horizon = day - chrono::Days::new(7);
        completed += streak.consume_before(&mut memory, horizon).total();
        streak.forget_before(&mut memory, horizon);
    }
    assert_eq!(completed, 156 / 5);
    let text = serde_json::to_string(&memory).expect("JSON");
    assert!(text.len() < 200, "{text}");
}
