use chrono::{DateTime, NaiveDate, Utc};
use serde_json::{Value, json};

use super::*;

fn incentive(structure: Value, limit: Value) -> Incentive {
    let mut stored = json!({ "structure": structure, "limit": limit });
    if structure
        .get("sequence")
        .or(structure.get("achievements"))
        .is_none()
    {
        stored["trigger"] = json!({ "eventType": "a" });
    }
    Incentive::parse(&stored).expect("an incentive")
}

fn day(day: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 11, day).expect("a date")
}

fn on(number: u32, amount: &str) -> Evidence {
    Evidence {
        day: day(number),
        occurred_at: day(number).and_time(chrono::NaiveTime::MIN).and_utc(),
        amount: amount.parse().expect("a number"),
        steps: 1,
        stops: false,
    }
}

/// The words for an award on the last of these days.
fn why(incentive: &Incentive, period_key: &str, remembered: Vec<Evidence>, known: &[Evidence]) -> String {
    let earned_on = known.last().expect("something").day;
    let award = Award {
        period_key: period_key.to_owned(),
        ordinal: 2,
        earned_on,
        completion: super::super::Completion {
            day: earned_on,
            nth: 1,
        },
    };
    let grounds = Grounds {
        places: (0..known.len()).collect(),
        remembered,
        ..Grounds::default()
    };
    text(incentive, &award, &grounds, known)
}

#[test]
fn an_award_says_what_was_asked_what_was_found_and_how_often_it_is_awarded() {
    let streak = json!({ "streak": { "length": 3, "perPeriod": 2, "freezes": 1 } });
    let days = [on(16, "1"), on(16, "1"), on(18, "1"), on(18, "1"), on(19, "2")];
    assert_eq!(
        why(
            &incentive(streak, json!({ "oncePer": "WEEK" })),
            "2026-W47",
            vec![],
            &days
        ),
        "Asked for: 3 days in a row, each with 2 matching events, not counting up to 1 missed day between them. Found: 3 days with \
         6 events, from 2026-11-16 to 2026-11-19; earned on 2026-11-19. Awarded once a week: 2026-W47."
    );
    assert_eq!(
        why(
            &incentive(json!("immediate"), json!("unlimited")),
            "ever",
            vec![],
            &[on(20, "1")]
        ),
        "Asked for: a matching event. Found: 1 event, on 2026-11-20; earned on 2026-11-20. Awarded every time; this is number 2."
    );
    let count = json!({ "count": { "times": 4, "window": "MONTH" } });
    assert_eq!(
        why(
            &incentive(count, json!({ "atMost": 3 })),
            "ever",
            vec![on(2, "3")],
            &[on(20, "1")]
        ),
        "Asked for: 4 matching events within one month. Found: 4 events, from 2026-11-02 to 2026-11-20; earned on 2026-11-20. Of \
         the events, 3 are remembered in sums only. Awarded at most 3 times; this is number 2."
    );
    let total = json!({ "total": { "property": "total", "atLeast": "100.00" } });
    assert_eq!(
        why(
            &incentive(total, json!("once")),
            "once",
            vec![on(2, "12.50")],
            &[on(20, "90")]
        ),
        "Asked for: a sum of 100. Found: a sum of 102.5, from 2026-11-02 to 2026-11-20; earned on 2026-11-20. Of that, 12.5 is \
         remembered as a sum only. Awarded once."
    );
    let sequence =
        json!({ "sequence": { "steps": [{ "eventType": "a" }, { "eventType": "b" }], "within": 7_200 } });
    assert_eq!(
        why(
            &incentive(sequence, json!({ "oncePer": "PROGRAM" })),
            "program",
            vec![],
            &[on(19, "1"), on(20, "1")]
        ),
        "Asked for: 2 steps, one after the other within 2 hours. Found: 2 steps, from 2026-11-19 to 2026-11-20; earned on \
         2026-11-20. Awarded once in the program."
    );
    let achievements = json!({ "achievements": { "of": ["one", "two", "three"], "atLeast": 1 } });
    assert_eq!(
        why(
            &incentive(achievements, json!("once")),
            "once",
            vec![],
            &[on(20, "1")]
        ),
        "Asked for: 1 of 3 incentives. Found: 1 incentive earned, on 2026-11-20; earned on 2026-11-20. Awarded once."
    );
}

fn view(current: &str, required: &str, deadline: Option<Deadline>) -> ProgressView {
    ProgressView {
        current: current.parse().expect("a number"),
        required: required.parse().expect("a number"),
        earned: 0,
        run_started_on: None,
        last_counted_on: None,
        deadline,
        stopped_from: None,
        not_before: None,
    }
}

#[test]
fn what_is_missing_is_said_with_its_deadline() {
    let until = Some(Deadline::EndOf(day(22)));
    let instant: DateTime<Utc> = on(23, "1").occurred_at;
    let steps = json!({ "sequence": { "steps": [{ "eventType": "a" }, { "eventType": "b" }, { "eventType": "c" }], "within": 86_400 } });
    for (structure, view, expected) in [
        (
            json!("immediate"),
            view("0", "1", None),
            "Missing: 1 matching event.",
        ),
        (
            json!({ "streak": { "length": 5 } }),
            view("3", "5", until),
            "Missing: 2 more days in a row, the next until 2026-11-22.",
        ),
        (
            json!({ "streak": { "length": 5, "period": "WEEK" } }),
            view("0", "5", None),
            "Missing: 5 weeks in a row.",
        ),
        (
            json!({ "count": { "times": 3, "window": "WEEK" } }),
            view("2", "3", until),
            "Missing: 1 more matching event within one week, until 2026-11-22.",
        ),
        (
            json!({ "total": { "property": "total", "atLeast": "10" } }),
            view("7.50", "10", None),
            "Missing: a sum of 2.5 more.",
        ),
        (
            steps.clone(),
            view("0", "3", None),
            "Missing: 3 steps, one after the other within 1 day.",
        ),
        (
            steps,
            view("1", "3", Some(Deadline::At(instant))),
            "Missing: 2 more steps after the first 1, until 2026-11-23T00:00:00Z.",
        ),
        (
            json!({ "achievements": { "of": ["one", "two"] } }),
            view("0", "2", None),
            "Missing: all of 2 incentives.",
        ),
        (
            json!({ "achievements": { "of": ["one", "two"] } }),
            view("1", "2", None),
            "Missing: 1 more of the incentives.",
        ),
    ] {
        assert_eq!(missing(&incentive(structure, json!("once")), &view), expected);
    }
}

#[test]
fn where_the_window_has_its_award_it_says_from_when_on_the_next_can_be_earned() {
    let view = ProgressView {
        not_before: Some(day(23)),
        ..view("0", "1", None)
    };
    assert_eq!(
        missing(
            &incentive(json!("immediate"), json!({ "oncePer": "WEEK" })),
            &view
        ),
        "Missing: 1 matching event, to be earned from 2026-11-23 on."
    );
}

#[test]
fn where_nothing_can_be_earned_it_says_why() {
    let once = incentive(json!("immediate"), json!("once"));
    assert_eq!(
        missing(&once, &view("1", "1", None)),
        "Nothing is missing: all there is to earn was earned."
    );
    let stopped = ProgressView {
        stopped_from: Some(on(20, "1").occurred_at),
        ..view("0", "1", None)
    };
    assert_eq!(
        missing(&once, &stopped),
        "Nothing counts any more since 2026-11-20T00:00:00Z."
    );
}
