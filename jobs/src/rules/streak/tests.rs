use serde_json::Value;

use super::*;

fn date(text: &str) -> NaiveDate {
    text.parse().expect("a date")
}

fn streak(length: u32, period: Period, per_period: u32) -> Streak {
    Streak {
        length,
        period,
        per_period,
    }
}

/// A member of whom these days were heard, in this order, and the days on which the streak was completed.
fn member(streak: Streak, days: &[&str]) -> (Memory, Vec<String>) {
    let mut memory = streak.start();
    let completed = days
        .iter()
        .filter_map(|day| take(streak, &mut memory, day))
        .collect();
    (memory, completed)
}

fn take(streak: Streak, memory: &mut Memory, day: &str) -> Option<String> {
    let occurrence = Occurrence {
        event_type: "health_data.logged",
        day: date(day),
        occurred_at: Default::default(),
        properties: &Value::Null,
    };
    streak.take(memory, &occurrence).map(|day| day.to_string())
}

fn completions(streak: Streak, days: &[&str]) -> Vec<String> {
    member(streak, days).1
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
    assert_eq!(
        completions(streak(3, Period::Day, 1), &days),
        Vec::<String>::new()
    );
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
fn a_late_event_inside_the_run_completes_it_on_the_last_day_it_takes() {
    let days = [
        "2026-11-17",
        "2026-11-19",
        "2026-11-20",
        "2026-11-21",
        "2026-11-18",
    ];
    assert_eq!(completions(streak(3, Period::Day, 1), &days), ["2026-11-21"]);
    // The first completion stood at the 21st; with five days there is still only one.
    assert_eq!(
        completions(
            streak(3, Period::Day, 1),
            &["2026-11-17", "2026-11-19", "2026-11-18"]
        ),
        ["2026-11-19"]
    );
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
        ["2026-11-03", "2026-11-07"]
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
        ["2026-11-03", "2026-11-08", "2026-11-09"]
    );
}

#[test]
fn the_second_completion_of_a_run_is_reached_where_its_second_length_ends() {
    let one = streak(1, Period::Day, 1);
    assert_eq!(
        completions(one, &["2026-11-20", "2026-11-21"]),
        ["2026-11-20", "2026-11-21"]
    );
    // The day that comes late is the first of two, but the run reaches its second completion with the other one.
    assert_eq!(
        completions(one, &["2026-11-21", "2026-11-20"]),
        ["2026-11-21", "2026-11-21"]
    );
}

#[test]
fn a_leap_day_is_a_day_like_any_other() {
    assert_eq!(
        completions(
            streak(3, Period::Day, 1),
            &["2028-02-28", "2028-02-29", "2028-03-01"]
        ),
        ["2028-03-01"]
    );
    assert_eq!(
        completions(
            streak(3, Period::Day, 1),
            &["2028-02-27", "2028-02-28", "2028-03-01"]
        ),
        Vec::<String>::new()
    );
    assert_eq!(
        completions(
            streak(3, Period::Day, 1),
            &["2027-02-27", "2027-02-28", "2027-03-01"]
        ),
        ["2027-03-01"]
    );
}

#[test]
fn a_day_can_ask_for_several_events() {
    let days = ["2026-11-20", "2026-11-21", "2026-11-21", "2026-11-20"];
    assert_eq!(completions(streak(2, Period::Day, 2), &days), ["2026-11-21"]);
    assert_eq!(
        completions(streak(2, Period::Day, 2), &days[..3]),
        Vec::<String>::new()
    );
}

#[test]
fn weeks_in_a_row_cross_the_turn_of_a_year_with_53_of_them() {
    let days = ["2026-12-22", "2027-01-03", "2027-01-04"];
    assert_eq!(completions(streak(3, Period::Week, 1), &days), ["2027-01-04"]);
}

#[test]
fn a_week_qualifies_on_the_day_it_has_enough() {
    let days = [
        "2026-11-09",
        "2026-11-11",
        "2026-11-16",
        "2026-11-19",
        "2026-11-21",
    ];
    assert_eq!(completions(streak(2, Period::Week, 2), &days), ["2026-11-19"]);
    // The order in which they come is no matter: the second day of the second week is the 19th either way.
    let days = [
        "2026-11-21",
        "2026-11-19",
        "2026-11-16",
        "2026-11-09",
        "2026-11-11",
    ];
    assert_eq!(completions(streak(2, Period::Week, 2), &days), ["2026-11-19"]);
}

#[test]
fn months_in_a_row_may_be_far_apart_in_days() {
    assert_eq!(
        completions(
            streak(3, Period::Month, 1),
            &["2026-12-01", "2027-01-31", "2027-02-28"]
        ),
        ["2027-02-28"]
    );
    assert_eq!(
        completions(
            streak(3, Period::Month, 1),
            &["2026-12-31", "2027-02-01", "2027-03-01"]
        ),
        Vec::<String>::new()
    );
}

#[test]
fn a_member_sees_the_run_the_day_that_counts_and_the_deadline() {
    let streak = streak(5, Period::Day, 1);
    let (memory, _) = member(streak, &["2026-11-16", "2026-11-19", "2026-11-20"]);
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
        assert_eq!(standing.run_started_on, started.map(date), "{today}");
        assert_eq!(standing.deadline_on, deadline.map(date), "{today}");
        assert_eq!(standing.last_counted_on, Some(date("2026-11-20")), "{today}");
    }
}

#[test]
fn the_deadline_of_weeks_is_the_sunday() {
    let streak = streak(4, Period::Week, 1);
    let (memory, _) = member(streak, &["2026-11-11", "2026-11-18"]);
    let standing = streak.standing(&memory, date("2026-11-21"));
    assert_eq!(standing.run_started_on, Some(date("2026-11-09")));
    assert_eq!(standing.deadline_on, Some(date("2026-11-29")));
}

#[test]
fn after_a_completion_the_count_starts_anew_and_nothing_is_at_stake() {
    let streak = streak(2, Period::Day, 1);
    let (memory, _) = member(streak, &["2026-11-20", "2026-11-21"]);
    let standing = streak.standing(&memory, date("2026-11-21"));
    assert_eq!(standing.current, Decimal::ZERO);
    assert_eq!(standing.run_started_on, Some(date("2026-11-20")));
    assert_eq!(standing.deadline_on, None);
}

#[test]
fn a_run_can_be_continued_on_the_horizon_itself() {
    let streak = streak(3, Period::Day, 1);
    let (mut memory, _) = member(streak, &["2026-11-19", "2026-11-20"]);
    assert!(!streak.forget_before(&mut memory, date("2026-11-21")));
    assert_eq!(
        take(streak, &mut memory, "2026-11-21").as_deref(),
        Some("2026-11-21")
    );
}

#[test]
fn what_no_event_can_reach_any_more_is_forgotten() {
    let day = streak(3, Period::Day, 2);
    let (mut memory, _) = member(day, &["2026-11-17", "2026-11-17", "2026-11-18", "2026-11-20"]);
    assert!(day.forget_before(&mut memory, date("2026-11-19")));
    assert_eq!(member(day, &["2026-11-20"]).0, memory);

    let week = streak(3, Period::Week, 1);
    let (mut memory, _) = member(week, &["2026-11-03", "2026-11-19"]);
    // The week of the 9th is open until its Sunday is over.
    assert!(week.forget_before(&mut memory, date("2026-11-15")));
    assert!(memory.runs.contain(Period::Week.index(date("2026-11-03"))));
    assert!(week.forget_before(&mut memory, date("2026-11-16")));
    assert_eq!(member(week, &["2026-11-19"]).0, memory);
}

#[test]
fn a_daily_member_of_three_years_is_remembered_in_a_line() {
    let streak = streak(5, Period::Week, 3);
    let mut memory = streak.start();
    let first = date("2024-01-01");
    let mut completed = 0;
    for day in first.iter_days().take(3 * 365) {
        completed += usize::from(take(streak, &mut memory, &day.to_string()).is_some());
        streak.forget_before(&mut memory, day - chrono::Days::new(7));
    }
    assert_eq!(completed, 156 / 5);
    let text = serde_json::to_string(&memory).expect("JSON");
    assert!(text.len() < 150, "{text}");
}
