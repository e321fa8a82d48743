//! Quiet hours and caps against a calendar that is walked minute by minute.

#![expect(
    clippy::arithmetic_side_effects,
    reason = "instants of these years, far from the ends of the calendar"
)]

use chrono::{DateTime, NaiveTime, TimeDelta, TimeZone, Timelike, Utc};
use chrono_tz::Tz;
use entity::campaign::CapPeriod;
use proptest::prelude::*;

use super::*;

fn at(text: &str) -> DateTime<Utc> {
    text.parse().expect("an instant")
}

fn end(quiet: (&str, &str), zone: Tz, now: &str) -> Option<DateTime<Utc>> {
    Quiet::parse(quiet.0, quiet.1)
        .expect("quiet hours")
        .end(at(now), zone)
}

#[test]
fn a_customer_at_night_gets_the_mail_in_the_morning_of_its_own_zone() {
    let night = ("21:00", "08:00");
    let now = "2026-11-21T20:30:00Z";
    assert_eq!(end(night, Tz::UTC, now), None);
    assert_eq!(
        end(night, Tz::Europe__Berlin, now),
        Some(at("2026-11-22T07:00:00Z"))
    );
    assert_eq!(end(night, Tz::America__New_York, now), None);
    assert_eq!(end(night, Tz::Asia__Tokyo, now), Some(at("2026-11-21T23:00:00Z")));
}

#[test]
fn quiet_hours_begin_with_their_first_minute_and_are_over_with_their_last() {
    let noon = ("12:00", "14:00");
    assert_eq!(end(noon, Tz::UTC, "2026-11-21T11:59:59Z"), None);
    assert_eq!(
        end(noon, Tz::UTC, "2026-11-21T12:00:00Z"),
        Some(at("2026-11-21T14:00:00Z"))
    );
    assert_eq!(end(noon, Tz::UTC, "2026-11-21T14:00:00Z"), None);
}

#[test]
fn what_is_no_local_time_is_no_quiet_hour() {
    for (from, to) in [
        ("8:00", "21:00"),
        ("24:00", "08:00"),
        ("21:00", "21:00"),
        ("", ""),
        ("21:00", "08:0"),
    ] {
        assert_eq!(Quiet::parse(from, to), None, "{from} to {to}");
    }
}

#[test]
fn a_clock_that_is_put_forward_over_the_end_ends_the_quiet_hours_with_its_gap() {
    // In Berlin, 2027-03-28 has no 02:30.
    let found = end(("22:00", "02:30"), Tz::Europe__Berlin, "2027-03-27T23:00:00Z");
    assert_eq!(found, Some(at("2027-03-28T01:00:00Z")));
}

#[test]
fn a_clock_that_is_put_back_over_the_end_does_not_begin_the_quiet_hours_again() {
    // In Berlin, 2026-10-25 has 02:30 twice: at 00:30 and at 01:30 UTC.
    let night = ("22:00", "02:30");
    let berlin = Tz::Europe__Berlin;
    assert_eq!(
        end(night, berlin, "2026-10-25T00:10:00Z"),
        Some(at("2026-10-25T00:30:00Z"))
    );
    assert_eq!(end(night, berlin, "2026-10-25T00:40:00Z"), None);
    assert_eq!(end(night, berlin, "2026-10-25T01:10:00Z"), None);
}

#[test]
fn a_week_begins_on_monday_and_a_month_on_its_first() {
    let day = |text: &str| text.parse().expect("a date");
    let first = |per, text| first_day(per, day(text));
    assert_eq!(first(CapPeriod::Day, "2026-11-22"), day("2026-11-22"));
    assert_eq!(first(CapPeriod::Week, "2026-11-22"), day("2026-11-16"));
    assert_eq!(first(CapPeriod::Week, "2026-11-23"), day("2026-11-23"));
    assert_eq!(first(CapPeriod::Month, "2026-11-22"), day("2026-11-01"));
    let cap = |per| Cap { at_most: 1, per };
    let next = |per, text| cap(per).next_period(day(text), Tz::Europe__Berlin);
    assert_eq!(
        next(CapPeriod::Day, "2026-10-25"),
        Some(at("2026-10-25T23:00:00Z"))
    );
    assert_eq!(
        next(CapPeriod::Week, "2026-10-21"),
        Some(at("2026-10-25T23:00:00Z"))
    );
    assert_eq!(
        next(CapPeriod::Month, "2027-01-31"),
        Some(at("2027-01-31T23:00:00Z"))
    );
    // Cairo puts its clocks forward at midnight: its day begins at one.
    let cairo = cap(CapPeriod::Day).next_period(day("2027-04-29"), Tz::Africa__Cairo);
    assert_eq!(cairo, Some(at("2027-04-29T22:00:00Z")));
}

/// Whether it is quiet at a local time, said in the plainest way.
fn is_within(from: NaiveTime, to: NaiveTime, time: NaiveTime) -> bool {
    let minutes = |time: NaiveTime| time.hour() * 60 + time.minute();
    let (from, to, time) = (minutes(from), minutes(to), minutes(time));
    let length = (to + 1440 - from) % 1440;
    (time + 1440 - from) % 1440 < length
}

/// Whether the clock shows this local time for the second time.
fn is_second_pass(now: DateTime<Utc>, zone: Tz) -> bool {
    let local = calendar::civil(now, zone);
    let passes = zone.from_local_datetime(&local);
    passes.earliest().is_some_and(|first| first.to_utc() < now)
}

fn zones() -> impl Strategy<Value = Tz> {
    prop::sample::select(vec![
        Tz::UTC,
        Tz::Europe__Berlin,
        Tz::America__New_York,
        Tz::Australia__Lord_Howe,
        Tz::Africa__Cairo,
        Tz::Asia__Kathmandu,
        Tz::America__St_Johns,
        Tz::Pacific__Apia,
    ])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn quiet_hours_end_when_a_clock_that_is_watched_says_so(
        zone in zones(),
        from in 0_u32..1440,
        to in 0_u32..1440,
        // The nights around the days on which these zones change their clocks, and any other.
        day in prop::sample::select(vec!["2026-10-24", "2026-10-25", "2026-11-01", "2027-03-14", "2027-03-28", "2027-04-04", "2027-04-30", "2026-07-10"]),
        minute in 0_i64..2880,
    ) {
        prop_assume!(from != to);
        let time = |minutes: u32| NaiveTime::from_hms_opt(minutes / 60, minutes % 60, 0).expect("a time");
        let (from, to) = (time(from), time(to));
        let now = at(&format!("{day}T00:00:00Z")) + TimeDelta::minutes(minute);
        let found = Quiet { from, to }.end(now, zone);
        let local = |instant| calendar::civil(instant, zone).time();
        if !is_within(from, to, local(now)) {
            prop_assert_eq!(found, None);
        } else if is_second_pass(now, zone) {
            // Over already where the end was shown in the first pass; else it goes on to the end.
            let Some(end) = found else { return Ok(()) };
            prop_assert!(end > now && !is_within(from, to, local(end)));
        } else {
            let mut end = now;
            while is_within(from, to, local(end)) {
                end += TimeDelta::minutes(1);
            }
            prop_assert_eq!(found, Some(end));
        }
    }

    #[test]
    fn the_next_period_begins_with_the_first_minute_that_is_not_in_this_one(
        zone in zones(),
        day in prop::sample::select(vec!["2026-10-24", "2026-10-31", "2027-03-13", "2027-03-27", "2027-04-29", "2026-12-31"]),
        per in prop::sample::select(vec![CapPeriod::Day, CapPeriod::Week, CapPeriod::Month]),
    ) {
        let day = day.parse().expect("a date");
        let begins = Cap { at_most: 1, per }.next_period(day, zone).expect("a period");
        let on = |instant| calendar::civil(instant, zone).date();
        prop_assert_eq!(first_day(per, on(begins)), on(begins), "it begins on its first day");
        prop_assert_ne!(first_day(per, on(begins)), first_day(per, day));
        prop_assert_eq!(first_day(per, on(begins - TimeDelta::seconds(1))), first_day(per, day));
    }
}
