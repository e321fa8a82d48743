use proptest::prelude::*;

use super::*;

fn date(text: &str) -> NaiveDate {
    text.parse().expect("a date")
}

fn days_after(date: NaiveDate, days: i64) -> NaiveDate {
    date.checked_add_signed(TimeDelta::days(days)).expect("a date")
}

fn seconds_after(instant: DateTime<Utc>, seconds: i64) -> DateTime<Utc> {
    instant
        .checked_add_signed(TimeDelta::seconds(seconds))
        .expect("an instant")
}

fn time(text: &str) -> NaiveTime {
    NaiveTime::parse_from_str(text, "%H:%M").expect("a time of day")
}

fn instant(text: &str) -> DateTime<Utc> {
    text.parse().expect("an instant")
}

#[test]
fn the_civil_date_is_the_one_on_the_members_wall() {
    for (zone, at, expected) in [
        (Tz::Asia__Kolkata, "2026-11-20T18:29:59Z", "2026-11-20T23:59:59"),
        (Tz::Asia__Kolkata, "2026-11-20T18:30:00Z", "2026-11-21T00:00:00"),
        (
            Tz::America__New_York,
            "2026-11-21T04:59:59Z",
            "2026-11-20T23:59:59",
        ),
        (Tz::Europe__Berlin, "2026-03-29T00:59:59Z", "2026-03-29T01:59:59"),
        (Tz::Europe__Berlin, "2026-03-29T01:00:00Z", "2026-03-29T03:00:00"),
        (Tz::Europe__Berlin, "2026-10-25T00:30:00Z", "2026-10-25T02:30:00"),
        (Tz::Europe__Berlin, "2026-10-25T01:30:00Z", "2026-10-25T02:30:00"),
        (Tz::Pacific__Apia, "2011-12-30T09:59:59Z", "2011-12-29T23:59:59"),
        (Tz::Pacific__Apia, "2011-12-30T10:00:00Z", "2011-12-31T00:00:00"),
    ] {
        assert_eq!(
            civil(instant(at), zone).format("%FT%T").to_string(),
            expected,
            "{zone} {at}"
        );
    }
}

#[test]
fn what_happens_before_the_day_starts_belongs_to_the_day_before() {
    for (local, starts_at, expected) in [
        ("2026-11-21T00:00:00", "00:00", "2026-11-21"),
        ("2026-11-21T03:59:59", "04:00", "2026-11-20"),
        ("2026-11-21T04:00:00", "04:00", "2026-11-21"),
        ("2026-03-01T01:00:00", "04:00", "2026-02-28"),
        ("2028-03-01T01:00:00", "04:00", "2028-02-29"),
        ("2027-01-01T03:00:00", "04:00", "2026-12-31"),
    ] {
        let local = local.parse().expect("a civil time");
        assert_eq!(
            program_day(local, time(starts_at)),
            date(expected),
            "{local} {starts_at}"
        );
    }
}

#[test]
fn a_day_ends_where_the_next_one_starts_whatever_the_clocks_do() {
    for (zone, day, starts_at, expected) in [
        (Tz::UTC, "2026-11-21", "00:00", "2026-11-22T00:00:00Z"),
        (Tz::Asia__Kolkata, "2026-11-21", "00:00", "2026-11-21T18:30:00Z"),
        (Tz::Asia__Kolkata, "2026-11-21", "04:00", "2026-11-21T22:30:00Z"),
        // A day of 23 hours, and one of 25.
        (Tz::Europe__Berlin, "2026-03-29", "00:00", "2026-03-29T22:00:00Z"),
        (Tz::Europe__Berlin, "2026-10-25", "00:00", "2026-10-25T23:00:00Z"),
        (
            Tz::America__New_York,
            "2026-03-08",
            "00:00",
            "2026-03-09T04:00:00Z",
        ),
        (
            Tz::America__New_York,
            "2026-11-01",
            "00:00",
            "2026-11-02T05:00:00Z",
        ),
        // The start of the next day falls into the hour that is jumped over: 02:30 is never shown.
        (Tz::Europe__Berlin, "2026-03-28", "02:30", "2026-03-29T01:00:00Z"),
        // It is passed twice: the day goes on until the second pass.
        (Tz::Europe__Berlin, "2026-10-24", "02:30", "2026-10-25T01:30:00Z"),
        // It is the very first time that is passed twice: all that is passed again belongs to the next day.
        (Tz::Europe__Berlin, "2026-10-24", "02:00", "2026-10-25T00:00:00Z"),
        (Tz::America__Havana, "2026-10-31", "00:00", "2026-11-01T04:00:00Z"),
        // Midnight itself is jumped over.
        (Tz::America__Havana, "2026-03-07", "00:00", "2026-03-08T05:00:00Z"),
        // Samoa skipped the 30th: it is over the moment the 29th is.
        (Tz::Pacific__Apia, "2011-12-29", "00:00", "2011-12-30T10:00:00Z"),
        (Tz::Pacific__Apia, "2011-12-30", "00:00", "2011-12-30T10:00:00Z"),
        (Tz::Pacific__Apia, "2011-12-31", "00:00", "2011-12-31T10:00:00Z"),
        (Tz::UTC, "2028-02-28", "00:00", "2028-02-29T00:00:00Z"),
        (Tz::UTC, "2026-12-31", "00:00", "2027-01-01T00:00:00Z"),
    ] {
        assert_eq!(
            day_end(date(day), time(starts_at), zone),
            instant(expected),
            "{zone} {day} {starts_at}"
        );
    }
}

#[test]
fn weeks_are_iso_weeks() {
    for (day, key, first, last) in [
        ("2026-11-21", "2026-W47", "2026-11-16", "2026-11-22"),
        ("2026-12-31", "2026-W53", "2026-12-28", "2027-01-03"),
        ("2027-01-03", "2026-W53", "2026-12-28", "2027-01-03"),
        ("2027-01-04", "2027-W01", "2027-01-04", "2027-01-10"),
        ("2024-12-30", "2025-W01", "2024-12-30", "2025-01-05"),
        ("2021-01-01", "2020-W53", "2020-12-28", "2021-01-03"),
    ] {
        let index = Period::Week.index(date(day));
        assert_eq!(Window::Week.key(date(day)), key, "{day}");
        assert_eq!(Period::Week.first_day(index), date(first), "{day}");
        assert_eq!(Period::Week.last_day(index), date(last), "{day}");
    }
}

#[test]
fn months_end_where_the_calendar_says() {
    for (day, last) in [
        ("2026-02-01", "2026-02-28"),
        ("2028-02-10", "2028-02-29"),
        ("2100-02-10", "2100-02-28"),
        ("2026-04-30", "2026-04-30"),
        ("2026-12-01", "2026-12-31"),
    ] {
        assert_eq!(
            Period::Month.last_day(Period::Month.index(date(day))),
            date(last),
            "{day}"
        );
    }
}

#[test]
fn consecutive_periods_have_consecutive_numbers() {
    for (period, before, after) in [
        (Period::Day, "2028-02-28", "2028-02-29"),
        (Period::Day, "2027-02-28", "2027-03-01"),
        (Period::Day, "2026-12-31", "2027-01-01"),
        (Period::Week, "2026-12-28", "2027-01-10"),
        (Period::Week, "2021-01-03", "2021-01-04"),
        (Period::Month, "2026-01-31", "2026-02-01"),
        (Period::Month, "2026-12-31", "2027-01-31"),
    ] {
        assert_eq!(
            period.index(date(before)) + 1,
            period.index(date(after)),
            "{before} {after}"
        );
    }
}

#[test]
fn every_window_names_the_date_in_its_own_way() {
    let day = date("2026-11-21");
    for (window, key, first) in [
        (Window::Day, "2026-11-21", Some("2026-11-21")),
        (Window::Week, "2026-W47", Some("2026-11-16")),
        (Window::Month, "2026-11", Some("2026-11-01")),
        (Window::Quarter, "2026-Q4", Some("2026-10-01")),
        (Window::Year, "2026", Some("2026-01-01")),
        (Window::Program, "program", None),
        (Window::Ever, "ever", None),
    ] {
        assert_eq!(window.key(day), key);
        assert_eq!(window.first_day(day), first.map(date));
    }
    for (day, quarter) in [
        ("2026-03-31", "2026-Q1"),
        ("2026-04-01", "2026-Q2"),
        ("2026-09-30", "2026-Q3"),
    ] {
        assert_eq!(Window::Quarter.key(date(day)), quarter);
    }
}

#[test]
fn the_ends_of_the_calendar_are_ends_and_no_panics() {
    for day in [NaiveDate::MIN, NaiveDate::MAX] {
        for period in [Period::Day, Period::Week, Period::Month] {
            let index = period.index(day);
            assert!(period.has(index));
            assert!(period.first_day(index) <= day && day <= period.last_day(index));
            assert_eq!(period.date(index, period.offset(day)), day);
        }
        for window in [
            Window::Day,
            Window::Week,
            Window::Month,
            Window::Quarter,
            Window::Year,
        ] {
            assert!(window.first_day(day).is_some_and(|first| first <= day));
            assert!(!window.key(day).is_empty());
        }
        for starts_at in [time("00:00"), time("04:00")] {
            assert_eq!(program_day(day.and_time(time("12:00")), starts_at), day);
            day_end(day, starts_at, Tz::Pacific__Apia);
        }
    }
    for index in [i32::MIN, i32::MAX] {
        for period in [Period::Day, Period::Week, Period::Month] {
            assert!(!period.has(index));
            assert!(period.first_day(index) <= period.last_day(index));
            assert!(period.date(index, 255) <= period.last_day(index));
        }
    }
}

proptest! {
    #[test]
    fn a_date_lies_in_its_period_and_in_no_other(days in -100_000..100_000_i64) {
        let day = days_after(date("2026-11-21"), days);
        for period in [Period::Day, Period::Week, Period::Month] {
            let index = period.index(day);
            prop_assert!(period.first_day(index) <= day && day <= period.last_day(index));
            prop_assert_eq!(period.last_day(index).succ_opt(), Some(period.first_day(index + 1)));
            prop_assert_eq!(period.date(index, period.offset(day)), day);
        }
    }

    #[test]
    fn window_keys_are_equal_exactly_where_the_first_days_are(days in -20_000..20_000_i64, ahead in 0..400_i64) {
        let day = days_after(date("2026-11-21"), days);
        let later = days_after(day, ahead);
        for window in [Window::Day, Window::Week, Window::Month, Window::Quarter, Window::Year] {
            prop_assert_eq!(window.key(day) == window.key(later), window.first_day(day) == window.first_day(later));
            prop_assert!(window.first_day(day) <= window.first_day(later));
        }
    }

    #[test]
    fn just_before_its_end_it_is_still_the_day_and_at_its_end_it_never_is_again(
        days in -20_000..5_000_i64,
        hour in 0..24_u32,
        half in any::<bool>(),
        zone in prop::sample::select(vec![
            Tz::UTC, Tz::Europe__Berlin, Tz::America__New_York, Tz::Pacific__Apia, Tz::Asia__Kolkata,
            Tz::Australia__Lord_Howe, Tz::America__Havana, Tz::America__Sao_Paulo, Tz::Asia__Kathmandu,
        ]),
    ) {
        let starts_at = NaiveTime::from_hms_opt(hour, if half { 30 } else { 0 }, 0).expect("a time of day");
        let day = days_after(date("2026-11-21"), days);
        let end = day_end(day, starts_at, zone);
        let day_at = |instant| program_day(civil(instant, zone), starts_at);
        prop_assert!(day_at(seconds_after(end, -1)) <= day);
        for minutes in (0..26 * 60).step_by(15) {
            prop_assert!(day_at(seconds_after(end, minutes * 60)) > day);
        }
    }
}
