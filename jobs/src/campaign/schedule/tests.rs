use chrono::{Datelike, Timelike};
use chrono_tz::{Africa, America, Asia, Australia, Europe, Pacific};
use proptest::prelude::*;

use super::*;

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn parse(source: &str) -> Schedule {
    Schedule::parse(source).unwrap_or_else(|error| panic!("{source}: {error}"))
}

/// The next runs after an instant.
fn runs(source: &str, zone: Tz, after: &str, count: usize) -> Vec<String> {
    let schedule = parse(source);
    let mut instant = at(after);
    let mut next = || {
        instant = schedule.next_after(instant, zone)?;
        Some(instant.format("%m-%dT%H:%M").to_string())
    };
    (0..count).map_while(|_| next()).collect()
}

#[test]
fn a_schedule_follows_the_clock_of_its_zone() {
    let after = "2026-07-01T00:00:00Z";
    assert_eq!(
        runs("0 9 * * *", Europe::Berlin, after, 2),
        ["07-01T07:00", "07-02T07:00"]
    );
    assert_eq!(runs("0 9 * * *", Asia::Kathmandu, after, 1), ["07-01T03:15"]);
    assert_eq!(
        runs("*/20 8,9 * * MON-FRI", Europe::Berlin, "2026-07-03T07:30:00Z", 2),
        ["07-03T07:40", "07-06T06:00"]
    );
    // After means after: not the instant itself, but what is a second later.
    assert_eq!(
        runs("0 9 * * *", Europe::Berlin, "2026-07-01T07:00:00Z", 1),
        ["07-02T07:00"]
    );
    assert_eq!(
        runs("0 9 * * *", Europe::Berlin, "2026-07-01T06:59:59Z", 1),
        ["07-01T07:00"]
    );
    assert_eq!(runs("0 12 29 2 *", Europe::Berlin, after, 1), ["02-29T11:00"]);
}

#[test]
fn a_local_time_that_does_not_exist_is_due_once_after_the_gap() {
    for (zone, source, after, expected) in [
        (
            Europe::Berlin,
            "30 2 * * *",
            "2026-03-28T12:00:00Z",
            ["03-29T01:00", "03-30T00:30"],
        ),
        // All that fall into the gap, and what is due at its end, are one run.
        (
            Europe::Berlin,
            "*/15 2,3 * * *",
            "2026-03-29T00:30:00Z",
            ["03-29T01:00", "03-29T01:15"],
        ),
        (
            America::New_York,
            "30 2 * * *",
            "2026-03-07T12:00:00Z",
            ["03-08T07:00", "03-09T06:30"],
        ),
        // Half an hour.
        (
            Australia::Lord_Howe,
            "15 2 * * *",
            "2026-10-03T00:00:00Z",
            ["10-03T15:30", "10-04T15:15"],
        ),
        // Midnight itself.
        (
            Africa::Cairo,
            "0 0 * * *",
            "2026-04-22T23:00:00Z",
            ["04-23T22:00", "04-24T21:00"],
        ),
        // A whole day.
        (
            Pacific::Apia,
            "0 9 * * *",
            "2011-12-29T20:00:00Z",
            ["12-30T10:00", "12-30T19:00"],
        ),
    ] {
        assert_eq!(runs(source, zone, after, 2), expected, "{zone}");
    }
}

#[test]
fn a_local_time_that_is_there_twice_is_due_once_when_it_is_there_first() {
    for (zone, source, after, expected) in [
        (
            Europe::Berlin,
            "30 2 * * *",
            "2026-10-24T12:00:00Z",
            ["10-25T00:30", "10-26T01:30"],
        ),
        (
            Europe::Berlin,
            "30 2 * * *",
            "2026-10-25T00:45:00Z",
            ["10-26T01:30", "10-27T01:30"],
        ),
        (
            Europe::Berlin,
            "30 2,3 * * *",
            "2026-10-25T00:30:00Z",
            ["10-25T02:30", "10-26T01:30"],
        ),
        (
            America::New_York,
            "30 1 * * *",
            "2026-10-31T12:00:00Z",
            ["11-01T05:30", "11-02T06:30"],
        ),
        (
            Australia::Lord_Howe,
            "45 1 * * *",
            "2026-04-03T20:00:00Z",
            ["04-04T14:45", "04-05T15:15"],
        ),
        (
            Africa::Cairo,
            "30 23 * * *",
            "2026-10-29T12:00:00Z",
            ["10-29T20:30", "10-30T21:30"],
        ),
    ] {
        assert_eq!(runs(source, zone, after, 2), expected, "{zone}");
    }
}

#[test]
fn a_schedule_of_every_hour_runs_in_every_hour_that_passes() {
    let autumn = ["10-24T23:00", "10-25T00:00", "10-25T01:00", "10-25T02:00"];
    assert_eq!(
        runs("0 * * * *", Europe::Berlin, "2026-10-24T22:30:00Z", 4),
        autumn
    );
    let spring = ["03-29T00:30", "03-29T01:30", "03-29T02:30"];
    assert_eq!(
        runs("30 * * * *", Europe::Berlin, "2026-03-29T00:00:00Z", 3),
        spring
    );
    // Half an hour is there twice, so the full hour comes half an hour late by the clock.
    let howe = ["04-04T14:00", "04-04T14:45", "04-04T15:15", "04-04T15:30"];
    assert_eq!(
        runs("0,45 * * * *", Australia::Lord_Howe, "2026-04-04T13:50:00Z", 4),
        howe
    );
}

#[test]
fn what_is_no_schedule_is_refused_in_a_sentence() {
    for bad in [
        "",
        "* * * *",
        "0 0 0 * * *",
        "@daily",
        "@daily * * * *",
        "60 * * * *",
        "x 9 * * *",
        "0 9 * * ü",
        "0 9 30 2 *",
        "0 9 31 4,6 *",
        &format!("{}0 9 * * *", "0,".repeat(100)),
    ] {
        let error = Schedule::parse(bad).unwrap_err();
        assert!(!error.is_empty() && !error.ends_with('.'), "{bad}: {error}");
    }
}

#[test]
fn nothing_runs_more_often_than_every_five_minutes() {
    for often in [
        "* * * * *",
        "*/4 * * * *",
        "0,4 9 * * *",
        "2,58 * * * *",
        "2,58 23,0 * * *",
        "0-10 9 * * *",
    ] {
        assert!(
            Schedule::parse(often).unwrap_err().contains("every 5 minutes"),
            "{often}"
        );
    }
    for fine in [
        "*/5 * * * *",
        "0,5 9 * * *",
        "2,58 9 * * *",
        "2,57 * * * *",
        "2,58 */2 * * *",
    ] {
        parse(fine);
    }
}

/// Every minute of a while, one after the other: what is due when the clock comes to it, or has jumped over it.
fn naive(
    minutes: &[u32],
    hours: &[u32],
    from: DateTime<Utc>,
    until: DateTime<Utc>,
    zone: Tz,
) -> Vec<DateTime<Utc>> {
    let every_hour = hours.len() == 24;
    let is_due = |local: NaiveDateTime| minutes.contains(&local.minute()) && hours.contains(&local.hour());
    let mut due = Vec::new();
    // Long enough before to know which local times have been there.
    let mut instant = from - TimeDelta::days(2);
    let mut latest = instant.with_timezone(&zone).naive_local();
    while instant < until {
        instant += TimeDelta::minutes(1);
        let local = instant.with_timezone(&zone).naive_local();
        let mut now = every_hour && is_due(local);
        // The local times that have come to pass since the latest one that had: one, none when it was there before, many after a gap.
        while !every_hour && latest < local {
            latest += TimeDelta::minutes(1);
            now |= is_due(latest);
        }
        if now && instant > from {
            due.push(instant);
        }
    }
    due
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn a_schedule_is_due_when_a_clock_that_is_watched_by_the_minute_says_so(
        zone in prop::sample::select(vec![
            Europe::Berlin, America::New_York, Australia::Lord_Howe, Africa::Cairo, America::St_Johns, Africa::Casablanca,
            Asia::Kolkata, Pacific::Chatham, Pacific::Apia, America::Sao_Paulo,
        ]),
        turn in prop::sample::select(vec![
            "2026-03-29T01:00:00Z", "2026-10-25T01:00:00Z", "2026-03-08T07:00:00Z", "2026-11-01T06:00:00Z", "2026-04-04T15:00:00Z",
            "2026-10-03T15:30:00Z", "2026-04-23T22:00:00Z", "2026-10-29T21:00:00Z", "2011-12-30T10:00:00Z", "2018-11-04T03:00:00Z",
            "2026-09-26T14:00:00Z", "2026-02-15T02:00:00Z", "2026-07-01T00:00:00Z",
        ]),
        first in 0_u32..25,
        apart in 5_u32..30,
        count in 1_usize..3,
        hours in prop_oneof![
            Just((0..24).collect::<Vec<u32>>()),
            prop::collection::btree_set(0_u32..24, 1..8).prop_map(|hours| hours.into_iter().collect()),
            prop::collection::btree_set(0_u32..5, 1..4).prop_map(|hours| hours.into_iter().collect()),
        ],
    ) {
        let minutes: Vec<u32> = (0..count).map(|place| first + u32::try_from(place).unwrap() * apart).collect();
        let list = |numbers: &[u32]| numbers.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
        let schedule = parse(&format!("{} {} * * *", list(&minutes), list(&hours)));
        let (from, until) = (at(turn) - TimeDelta::hours(30), at(turn) + TimeDelta::hours(30));
        let mut found = Vec::new();
        let mut instant = from;
        while let Some(next) = schedule.next_after(instant, zone) {
            prop_assert!(next > instant);
            if next > until {
                break;
            }
            found.push(next);
            instant = next;
        }
        prop_assert_eq!(found, naive(&minutes, &hours, from, until, zone));
    }
}

#[test]
fn days_of_the_month_and_of_the_week_hold_across_a_turn() {
    let schedule = parse("*/5 * 25 10 *");
    let mut instant = at("2026-10-24T00:00:00Z");
    let mut count = 0;
    while let Some(next) = schedule
        .next_after(instant, Europe::Berlin)
        .filter(|next| next.year() == 2026)
    {
        instant = next;
        count += 1;
    }
    assert_eq!(count, 25 * 12, "the day has 25 hours");
}
