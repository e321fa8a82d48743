//! What fails in the field: clocks, calendars, phones, and people who change their minds.

use chrono::{NaiveTime, TimeDelta};
use chrono_tz::Tz;

use super::*;

/// The program day of an event: its instant, the zone its member was in, and when the program's day starts.
fn day_of(instant: &str, zone: Tz, day_starts_at: &str) -> NaiveDate {
    let instant: DateTime<Utc> = instant.parse().expect("an instant");
    let starts: NaiveTime = day_starts_at.parse().expect("a time");
    calendar::program_day(calendar::civil(instant, zone), starts)
}

/// Events at these instants in these zones.
fn events(heard: &[(&str, Tz)], day_starts_at: &str) -> Vec<Evidence> {
    let event = |(instant, zone): &(&str, Tz)| Evidence {
        day: day_of(instant, *zone, day_starts_at),
        occurred_at: instant.parse().expect("an instant"),
        ..on("2026-11-21")
    };
    heard.iter().map(event).collect()
}

/// How often a streak of so many days is completed by events, whatever the order and the calls they come in.
fn completed(length: u32, evidence: &[Evidence]) -> usize {
    let mut together = Member::of(days_in_a_row(length), Limit::UNLIMITED);
    let earned = together.change(1, evidence, &[]).awards.len();
    let mut backwards = Member::of(days_in_a_row(length), Limit::UNLIMITED);
    for event in evidence.iter().rev() {
        let alone = backwards.change(1, std::slice::from_ref(event), &[]);
        assert!(alone.awards.len() <= 1);
    }
    assert_eq!(together.standing, backwards.standing);
    earned
}

#[test]
fn travelling_west_at_midnight() {
    // 23:50 in Berlin, then an evening in New York with the same date again, then the next day there.
    let heard = [
        ("2026-11-19T22:50:00Z", Tz::Europe__Berlin),
        ("2026-11-20T04:30:00Z", Tz::America__New_York),
        ("2026-11-20T12:00:00Z", Tz::America__New_York),
        ("2026-11-22T04:59:59Z", Tz::America__New_York),
    ];
    let evidence = events(&heard, "00:00:00");
    let days: Vec<_> = evidence.iter().map(|event| event.day.to_string()).collect();
    assert_eq!(days, ["2026-11-19", "2026-11-19", "2026-11-20", "2026-11-21"]);
    assert_eq!(completed(3, &evidence), 1);
}

#[test]
fn travelling_east_loses_hours_and_no_day() {
    // Los Angeles on the 19th, then over the date line: the 20th has an hour in the air, the 21st is in Auckland.
    let heard = [
        ("2026-11-20T05:00:00Z", Tz::America__Los_Angeles),
        ("2026-11-20T09:00:00Z", Tz::America__Los_Angeles),
        ("2026-11-20T20:00:00Z", Tz::Pacific__Auckland),
    ];
    assert_eq!(completed(3, &events(&heard, "00:00:00")), 1);
    // Who crosses the date line eastwards has a day twice, and it counts once.
    let heard = [
        ("2026-11-20T20:00:00Z", Tz::Pacific__Auckland),
        ("2026-11-21T20:00:00Z", Tz::America__Los_Angeles),
    ];
    assert_eq!(completed(2, &events(&heard, "00:00:00")), 0);
}

#[test]
fn the_spring_forward_day_has_23_hours_and_is_a_day() {
    // One event a day, 23 hours apart on the 28th and the 29th of March.
    let heard = [
        ("2026-03-27T22:30:00Z", Tz::Europe__Berlin),
        ("2026-03-28T22:30:00Z", Tz::Europe__Berlin),
        ("2026-03-29T21:30:00Z", Tz::Europe__Berlin),
        ("2026-03-29T22:30:00Z", Tz::Europe__Berlin),
    ];
    assert_eq!(completed(4, &events(&heard, "00:00:00")), 1);
    // Where midnight itself is jumped over, the day begins at one o'clock.
    let heard = [
        ("2026-04-23T21:59:59Z", Tz::Africa__Cairo),
        ("2026-04-23T22:00:00Z", Tz::Africa__Cairo),
    ];
    assert_eq!(completed(2, &events(&heard, "00:00:00")), 1);
}

#[test]
fn the_autumn_day_has_25_hours_and_is_one_day() {
    let heard = [
        ("2026-10-24T22:00:00Z", Tz::Europe__Berlin),
        ("2026-10-25T00:30:00Z", Tz::Europe__Berlin),
        ("2026-10-25T01:30:00Z", Tz::Europe__Berlin),
        ("2026-10-25T22:59:59Z", Tz::Europe__Berlin),
    ];
    let evidence = events(&heard, "00:00:00");
    assert!(evidence.iter().all(|event| event.day == date("2026-10-25")));
    assert_eq!(completed(2, &evidence), 0);
    // 24 hours and 30 minutes apart, and still two days in a row.
    let heard = [
        ("2026-10-24T22:10:00Z", Tz::Europe__Berlin),
        ("2026-10-25T23:40:00Z", Tz::Europe__Berlin),
    ];
    assert_eq!(completed(2, &events(&heard, "00:00:00")), 1);
}

#[test]
fn a_night_owl_logs_for_the_day_before_until_the_program_s_day_starts() {
    let heard = [
        ("2026-11-19T20:00:00Z", Tz::Europe__Berlin),
        ("2026-11-21T02:59:59Z", Tz::Europe__Berlin),
        ("2026-11-21T03:00:00Z", Tz::Europe__Berlin),
    ];
    assert_eq!(completed(3, &events(&heard, "04:00:00")), 1);
    assert_eq!(completed(3, &events(&heard, "00:00:00")), 0);
    // In the night in which two o'clock comes twice, and in the one in which it does not come.
    let heard = [
        ("2026-10-24T12:00:00Z", Tz::Europe__Berlin),
        ("2026-10-25T02:59:59Z", Tz::Europe__Berlin),
        ("2026-10-25T03:00:00Z", Tz::Europe__Berlin),
    ];
    assert_eq!(completed(2, &events(&heard, "04:00:00")), 1);
    let heard = [
        ("2026-03-28T12:00:00Z", Tz::Europe__Berlin),
        ("2026-03-29T01:59:59Z", Tz::Europe__Berlin),
        ("2026-03-29T02:00:00Z", Tz::Europe__Berlin),
    ];
    assert_eq!(completed(2, &events(&heard, "04:00:00")), 1);
}

#[test]
fn a_phone_that_was_offline_for_a_weekend() {
    let mut member = Member::of(days_in_a_row(5), Limit::UNLIMITED);
    assert!(member.hears(&["2026-11-19", "2026-11-20"]).is_empty());
    // On Monday the app is opened, and what it has kept follows.
    assert!(member.hears(&["2026-11-23"]).is_empty());
    assert_eq!(member.hears(&["2026-11-22", "2026-11-21"]), ["ever 1 2026-11-23"]);
}

#[test]
fn logging_yesterday_after_logging_today() {
    let mut member = Member::of(days_in_a_row(2), Limit::ONCE);
    assert!(member.hears(&["2026-11-21"]).is_empty());
    assert_eq!(member.hears(&["2026-11-20"]), ["once 1 2026-11-21"]);
}

#[test]
fn five_hundred_days_without_a_gap() {
    let first = date("2026-01-01");
    let days: Vec<_> = first.iter_days().take(500).map(|day| day.to_string()).collect();
    let days: Vec<&str> = days.iter().map(String::as_str).collect();
    for size in [1, 7, 500] {
        let mut member = Member::of(days_in_a_row(500), Limit::UNLIMITED);
        let mut earned = Vec::new();
        for call in days.chunks(size) {
            member.horizon = date(call[0]) - TimeDelta::days(40);
            earned.extend(member.hears(call));
        }
        assert_eq!(earned, ["ever 1 2027-05-15"]);
        // The one day without which it would not be.
        assert_eq!(member.unhears(&["2027-05-10"]), ["ever 1"]);
        assert_eq!(member.hears(&["2027-05-10"]), ["ever 1 2027-05-15"]);
    }
}

#[test]
fn two_events_in_the_same_second_from_two_devices() {
    let twice = [on("2026-11-21"), on("2026-11-21")];
    let mut member = Member::of(count(2), Limit::UNLIMITED);
    assert_eq!(member.change(1, &twice, &[]).awards.len(), 1);
    let mut member = Member::of(Immediate, Limit::UNLIMITED);
    assert_eq!(member.change(1, &twice, &[]).awards.len(), 2);
    let mut member = Member::of(days_in_a_row(2), Limit::UNLIMITED);
    assert!(member.change(1, &twice, &[]).awards.is_empty());
}

#[test]
fn retracting_the_middle_day() {
    let days = ["2026-11-19", "2026-11-20", "2026-11-21"];
    let mut member = Member::of(days_in_a_row(3), Limit::UNLIMITED);
    member.hears(&days);
    assert_eq!(member.unhears(&["2026-11-20"]), ["ever 1"]);
    let view = member.view("2026-11-21");
    assert_eq!(
        (view.current, view.run_started_on),
        (1.into(), Some(date("2026-11-21")))
    );
    // The same place can be earned again.
    assert_eq!(member.hears(&["2026-11-20"]), ["ever 1 2026-11-21"]);
}

#[test]
fn retracting_one_of_two_events_of_a_day() {
    let days = ["2026-11-20", "2026-11-21", "2026-11-21"];
    let mut member = Member::of(days_in_a_row(2), Limit::UNLIMITED);
    member.hears(&days);
    assert!(member.unhears(&["2026-11-21"]).is_empty());
    assert_eq!(member.unhears(&["2026-11-21"]), ["ever 1"]);
}

#[test]
fn retracting_what_is_kept_by_policy() {
    let mut member = Member::of(days_in_a_row(2), Limit::UNLIMITED);
    member.revocable = false;
    member.hears(&["2026-11-20", "2026-11-21"]);
    assert!(member.unhears(&["2026-11-20"]).is_empty());
    assert_eq!(member.view("2026-11-21").earned, 1);
    // The next completion is the one that was awarded already.
    assert!(member.hears(&["2026-11-22"]).is_empty());
    assert_eq!(member.hears(&["2026-11-23", "2026-11-24"]), ["ever 2 2026-11-24"]);
}

#[test]
fn a_run_over_the_end_of_a_year_a_month_and_a_leap_day() {
    for (days, length) in [
        (&["2026-12-31", "2027-01-01"][..], 2),
        (&["2027-01-31", "2027-02-01"], 2),
        (&["2028-02-28", "2028-02-29", "2028-03-01"], 3),
        (&["2027-02-28", "2027-03-01"], 2),
        (&["2100-02-28", "2100-03-01"], 2),
    ] {
        let evidence: Vec<_> = days.iter().map(|day| on(day)).collect();
        assert_eq!(completed(length, &evidence), 1, "{days:?}");
    }
    let evidence = ["2028-02-28", "2028-03-01"].map(on);
    assert_eq!(completed(2, &evidence), 0);
}

#[test]
fn week_53_is_a_week_of_its_own() {
    let mut member = Member::of(Immediate, Limit::once_per(Window::Week));
    let days = ["2026-12-27", "2026-12-28", "2027-01-03", "2027-01-04"];
    let earned = member.hears(&days);
    assert_eq!(
        earned,
        [
            "2026-W52 1 2026-12-27",
            "2026-W53 1 2026-12-28",
            "2027-W01 1 2027-01-04"
        ]
    );
    let weeks = Streak {
        period: Period::Week,
        ..days_in_a_row(3)
    };
    let mut member = Member::of(weeks, Limit::ONCE);
    assert_eq!(
        member.hears(&["2026-12-27", "2027-01-03", "2027-01-04"]),
        ["once 1 2027-01-04"]
    );
}

#[test]
fn a_freeze_at_the_horizon_bridges_what_can_no_longer_come() {
    let frozen = Streak {
        freezes: 1,
        ..days_in_a_row(4)
    };
    let mut member = Member::of(frozen, Limit::UNLIMITED);
    member.hears(&["2026-11-10", "2026-11-11"]);
    // The 12th is missing for good now; the run goes on from the 13th.
    member.horizon = date("2026-11-13");
    assert!(member.hears(&["2026-11-13"]).is_empty());
    assert_eq!(member.hears(&["2026-11-14"]), ["ever 1 2026-11-14"]);
    // With a second gap it would not have.
    let mut member = Member::of(frozen, Limit::UNLIMITED);
    member.hears(&["2026-11-10", "2026-11-11"]);
    member.horizon = date("2026-11-13");
    assert!(member.hears(&["2026-11-13", "2026-11-15"]).is_empty());
}

#[test]
fn a_late_event_fills_a_bridged_day_and_gives_the_freeze_back() {
    let frozen = Streak {
        freezes: 1,
        ..days_in_a_row(4)
    };
    let mut member = Member::of(frozen, Limit::UNLIMITED);
    assert!(
        member
            .hears(&["2026-11-10", "2026-11-12", "2026-11-14"])
            .is_empty()
    );
    assert_eq!(member.view("2026-11-14").current, 2.into());
    assert_eq!(member.hears(&["2026-11-13"]), ["ever 1 2026-11-14"]);
    assert_eq!(member.unhears(&["2026-11-13"]), ["ever 1"]);
}
