use serde_json::json;

use super::*;

fn date(text: &str) -> NaiveDate {
    text.parse().expect("a date")
}

fn incentive(structure: Value, limit: Value) -> Incentive {
    let stored =
        json!({ "trigger": { "eventType": "health_data.logged" }, "structure": structure, "limit": limit });
    Incentive::parse(&stored).expect("a definition")
}

fn on(days: &[&str]) -> Vec<Occurrence<'static>> {
    let of_day = |day: &&str| Occurrence {
        event_type: "health_data.logged",
        day: date(day),
        occurred_at: Default::default(),
        properties: &Value::Null,
    };
    days.iter().map(of_day).collect()
}

fn judge(incentive: &Incentive, progress: Option<&str>, days: &[&str], horizon: &str) -> Evaluation {
    evaluate(incentive, progress, &Value::Null, &on(days), date(horizon)).expect("an evaluation")
}

#[test]
fn a_consistent_logger_is_awarded_once_and_then_hardly_remembered() {
    let incentive = incentive(json!({ "streak": { "length": 3 } }), json!("once"));
    let days = [
        "2026-11-19",
        "2026-11-20",
        "2026-11-21",
        "2026-11-22",
        "2026-11-23",
        "2026-11-24",
    ];
    let evaluation = judge(&incentive, None, &days, "2026-11-14");
    let award = Award {
        period_key: "once".to_owned(),
        ordinal: 1,
        earned_on: date("2026-11-21"),
    };
    assert_eq!(evaluation.awards, [award]);
    assert_eq!(evaluation.progress, r#"{"e":{"n":1}}"#);

    let again = judge(
        &incentive,
        Some(&evaluation.progress),
        &["2026-11-25"],
        "2026-11-18",
    );
    assert_eq!(
        (again.changed, again.awards.len(), again.progress),
        (false, 0, evaluation.progress.clone())
    );

    let view = progress(&incentive, Some(&evaluation.progress), date("2026-11-25")).expect("a view");
    let expected = ProgressView {
        current: 3.into(),
        required: 3.into(),
        earned: 1,
        run_started_on: None,
        last_counted_on: None,
        deadline_on: None,
    };
    assert_eq!(view, expected);
}

#[test]
fn a_member_of_whom_nothing_was_heard_has_everything_before_them() {
    let incentive = incentive(json!({ "streak": { "length": 3 } }), json!("once"));
    let nothing = judge(&incentive, None, &[], "2026-11-14");
    assert!(!nothing.changed && nothing.awards.is_empty());
    for progress in [None, Some(nothing.progress.as_str())] {
        let view = super::progress(&incentive, progress, date("2026-11-21")).expect("a view");
        assert_eq!(
            (view.current, view.required, view.earned),
            (0.into(), 3.into(), 0)
        );
    }
    let days = ["2026-11-19", "2026-11-20", "2026-11-21"];
    assert_eq!(
        judge(&incentive, Some(&nothing.progress), &days, "2026-11-14")
            .awards
            .len(),
        1
    );
}

#[test]
fn events_that_do_not_match_are_as_if_they_had_not_been() {
    let stored = json!({
        "trigger": { "eventType": "health_data.logged", "where": [
            { "path": "properties.kind", "op": "EQ", "value": "weight" },
            { "path": "member.attributes.plan", "op": "EQ", "value": "gold" },
        ] },
        "structure": "immediate",
        "limit": "unlimited",
    });
    let incentive = Incentive::parse(&stored).expect("a definition");
    assert_eq!(incentive.event_types(), ["health_data.logged"]);
    let (weight, sleep) = (json!({ "kind": "weight" }), json!({ "kind": "sleep" }));
    let mut occurrences = on(&["2026-11-19", "2026-11-20", "2026-11-21"]);
    occurrences[0].properties = &weight;
    occurrences[1].properties = &sleep;
    occurrences[2].properties = &weight;
    occurrences[2].event_type = "meditation.completed";
    let judge = |attributes: Value| {
        evaluate(&incentive, None, &attributes, &occurrences, date("2026-11-14")).expect("an evaluation")
    };
    assert_eq!(judge(json!({ "plan": "basic" })), judge(json!(null)));
    assert!(!judge(json!(null)).changed);
    let earned_on: Vec<_> = judge(json!({ "plan": "gold" }))
        .awards
        .iter()
        .map(|award| award.earned_on)
        .collect();
    assert_eq!(earned_on, [date("2026-11-19")]);
}

#[test]
fn a_batch_in_any_order_is_judged_in_the_order_of_its_days() {
    let incentive = incentive(json!("immediate"), json!({ "atMost": 2 }));
    let evaluation = judge(
        &incentive,
        None,
        &["2026-11-21", "2026-11-19", "2026-11-20"],
        "2026-11-14",
    );
    let earned_on: Vec<_> = evaluation
        .awards
        .iter()
        .map(|award| (award.ordinal, award.earned_on))
        .collect();
    assert_eq!(earned_on, [(1, date("2026-11-19")), (2, date("2026-11-20"))]);
}

#[test]
fn a_streak_awarded_once_a_week_can_be_earned_again_the_week_after() {
    let incentive = incentive(json!({ "streak": { "length": 2 } }), json!({ "oncePer": "WEEK" }));
    let days = [
        "2026-11-16",
        "2026-11-17",
        "2026-11-18",
        "2026-11-19",
        "2026-11-23",
        "2026-11-24",
    ];
    let evaluation = judge(&incentive, None, &days, "2026-11-14");
    let keys: Vec<_> = evaluation
        .awards
        .iter()
        .map(|award| (award.period_key.as_str(), award.ordinal))
        .collect();
    assert_eq!(keys, [("2026-W47", 1), ("2026-W48", 1)]);
}

#[test]
fn an_occurrence_after_a_broken_promise_is_named_and_the_others_count() {
    let incentive = incentive(json!({ "streak": { "length": 2 } }), json!("unlimited"));
    let first = judge(&incentive, None, &["2026-11-01", "2026-11-20"], "2026-11-14");
    let second = judge(
        &incentive,
        Some(&first.progress),
        &["2026-11-21", "2026-11-02"],
        "2026-11-14",
    );
    assert_eq!(second.too_late, [1]);
    assert_eq!(second.awards.len(), 1);
    // A horizon that made nothing forgotten refuses nothing.
    let first = judge(&incentive, None, &["2026-11-20"], "2026-11-21");
    let second = judge(&incentive, Some(&first.progress), &["2026-11-19"], "2026-11-21");
    assert_eq!((second.too_late.len(), second.awards.len()), (0, 1));
}

#[test]
fn corrupt_progress_is_a_fault_and_never_a_fresh_start() {
    let streak = incentive(json!({ "streak": { "length": 2 } }), json!("unlimited"));
    let weekly = incentive(
        json!({ "streak": { "length": 2, "period": "WEEK" } }),
        json!("unlimited"),
    );
    let windowed = incentive(json!("immediate"), json!({ "oncePer": "WEEK" }));
    let of_days = judge(&streak, None, &["2026-11-20"], "2026-11-14").progress;
    for (incentive, stored) in [
        (&streak, ""),
        (&streak, "null"),
        (&streak, "[]"),
        (&streak, "{\"e\":"),
        (&streak, r#"{"x":1}"#),
        (&streak, r#"{"e":{"n":-1}}"#),
        (&streak, r#"{"e":{"w":["2026-11-16"]}}"#),
        (&streak, r#"{"s":{"p":"DAY","r":[[5,1],[6,1]],"l":null}}"#),
        (&streak, r#"{"s":{"p":"DAY","r":[[2147483647,2]],"l":null}}"#),
        (&streak, r#"{"s":{"p":"DAY","r":[[5,4294967295]],"l":null}}"#),
        (&streak, r#"{"s":{"p":"DAY","r":[],"t":{"5":[[3,1]]},"l":null}}"#),
        (&streak, r#"{"s":{"l":"2026-11-20"}}"#),
        (&weekly, of_days.as_str()),
        (&windowed, of_days.as_str()),
        (&windowed, r#"{"e":{"n":1,"w":["2026-11-17"]}}"#),
        (&windowed, r#"{"e":{"n":1,"w":["2026-11-09","2026-11-16"]}}"#),
    ] {
        let evaluation = evaluate(
            incentive,
            Some(stored),
            &Value::Null,
            &on(&["2026-11-21"]),
            date("2026-11-14"),
        );
        assert!(evaluation.is_err(), "{stored}");
        assert!(
            progress(incentive, Some(stored), date("2026-11-21")).is_err(),
            "{stored}"
        );
    }
}

#[test]
fn a_fault_says_nothing_about_the_member() {
    let incentive = incentive(json!("immediate"), json!("once"));
    let stored = r#"{"s":{"l":"born 2026-11-20"}}"#;
    let fault = progress(&incentive, Some(stored), date("2026-11-21")).expect_err("it cannot be read");
    assert_eq!(
        fault.to_string(),
        "the stored progress cannot be read (at column 27)"
    );
}
