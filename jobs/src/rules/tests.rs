use serde_json::json;

use super::calendar::{Period, Window};
use super::count::Count;
use super::immediate::Immediate;
use super::limit::Limit;
use super::streak::Streak;
use super::*;

mod edits;
mod field;

fn date(text: &str) -> NaiveDate {
    text.parse().expect("a date")
}

fn incentive(structure: impl AnyStructure + 'static, limit: Limit) -> Incentive {
    Incentive {
        counts: Vec::new(),
        unless: Vec::new(),
        amount: None,
        of: Vec::new(),
        limit,
        structure: Box::new(structure),
        asked: StructureDefinition::Immediate,
        awarded: LimitDefinition::Once,
    }
}

fn days_in_a_row(length: u32) -> Streak {
    Streak {
        length,
        period: Period::Day,
        per_period: 1,
        freezes: 0,
    }
}

fn count(times: u32) -> Count {
    Count {
        times,
        window: Window::Ever,
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

/// A member of one incentive, of whom the rules know the progress and we know the awards.
struct Member {
    rules: Vec<(Incentive, bool)>,
    progress: Option<String>,
    standing: Vec<String>,
    horizon: NaiveDate,
    revocable: bool,
    allowance: Option<u32>,
}

impl Member {
    fn of(structure: impl AnyStructure + 'static, limit: Limit) -> Member {
        Member {
            rules: vec![(incentive(structure, limit), false)],
            progress: None,
            standing: Vec::new(),
            horizon: date("2026-11-01"),
            revocable: true,
            allowance: None,
        }
    }

    fn editions(rules: &[(Incentive, bool)]) -> Vec<Edition<'_>> {
        let numbered = (1..).zip(rules);
        numbered
            .map(|(number, (rule, restarts))| Edition {
                number,
                restarts: *restarts,
                effective_from: (number > 1).then(|| on("2026-11-15").occurred_at),
                rule: Some(rule),
            })
            .collect()
    }

    fn change(&mut self, version: i32, added: &[Evidence], removed: &[Evidence]) -> Evaluation {
        let change = Change {
            added,
            removed,
            stopped_from: None,
        };
        let terms = Terms {
            horizon: self.horizon,
            revocable: self.revocable,
            allowance: self.allowance,
        };
        let editions = Member::editions(&self.rules);
        let evaluation = evaluate(&editions, version, self.progress.as_deref(), &change, terms);
        let evaluation = evaluation.expect("an evaluation");
        self.progress = Some(evaluation.progress.clone());
        for gone in &evaluation.revoked {
            let place = format!("{} {}", gone.period_key, gone.ordinal);
            let stood = self.standing.iter().position(|other| *other == place);
            self.standing.remove(stood.expect("an award that stands"));
        }
        for award in &evaluation.awards {
            let place = format!("{} {}", award.period_key, award.ordinal);
            assert!(!self.standing.contains(&place), "{place} is earned twice");
            self.standing.push(place);
        }
        evaluation
    }

    /// Hears of events on these days, and says what they earn.
    fn hears(&mut self, days: &[&str]) -> Vec<String> {
        self.hears_by(1, days)
    }

    fn hears_by(&mut self, version: i32, days: &[&str]) -> Vec<String> {
        let added: Vec<_> = days.iter().map(|day| on(day)).collect();
        let evaluation = self.change(version, &added, &[]);
        assert!(evaluation.revoked.is_empty(), "more never takes away");
        let awards = evaluation.awards.iter();
        awards
            .map(|award| format!("{} {} {}", award.period_key, award.ordinal, award.earned_on))
            .collect()
    }

    /// Takes events of these days back, and says what goes with them.
    fn unhears(&mut self, days: &[&str]) -> Vec<String> {
        let removed: Vec<_> = days.iter().map(|day| on(day)).collect();
        let evaluation = self.change(1, &[], &removed);
        assert!(evaluation.missing.is_empty());
        let revoked = evaluation.revoked.iter();
        revoked
            .map(|gone| format!("{} {}", gone.period_key, gone.ordinal))
            .collect()
    }

    fn view(&self, today: &str) -> ProgressView {
        let version = i32::try_from(self.rules.len()).expect("a number");
        progress(
            &Member::editions(&self.rules),
            version,
            self.progress.as_deref(),
            date(today),
        )
        .expect("a view")
    }
}

#[test]
fn a_consistent_logger_is_awarded_once_and_then_hardly_remembered() {
    let mut member = Member::of(days_in_a_row(3), Limit::ONCE);
    let days = ["2026-11-19", "2026-11-20", "2026-11-21", "2026-11-22"];
    assert_eq!(member.hears(&days), ["once 1 2026-11-21"]);
    // As long as a retraction can come, the days are known.
    assert_ne!(member.progress.as_deref(), Some(r#"{"e":{"n":1}}"#));
    member.horizon = date("2026-11-22");
    assert!(member.hears(&["2026-11-23"]).is_empty());
    assert_eq!(member.progress.as_deref(), Some(r#"{"e":{"n":1}}"#));

    let again = member.change(1, &[on("2026-11-24")], &[]);
    assert_eq!(
        (again.changed, again.is_settled, again.progress.as_str()),
        (false, true, r#"{"e":{"n":1}}"#)
    );
    let expected = ProgressView {
        current: 3.into(),
        required: 3.into(),
        earned: 1,
        run_started_on: None,
        last_counted_on: None,
        deadline: None,
        stopped_from: None,
        not_before: None,
    };
    assert_eq!(member.view("2026-11-25"), expected);
}

#[test]
fn where_the_week_has_its_award_the_next_is_to_be_earned_in_the_next_week() {
    let mut member = Member::of(Immediate, Limit::Windowed(Window::Week));
    assert_eq!(member.view("2026-11-18").not_before, None);
    member.hears(&["2026-11-18"]);
    let monday = Some(date("2026-11-23"));
    assert_eq!(member.view("2026-11-22").not_before, monday);
    assert_eq!(member.view("2026-11-23").not_before, None);
    // Also when nothing of that week can be taken back any more.
    member.horizon = date("2026-11-22");
    member.hears(&["2026-11-25"]);
    assert_eq!(member.view("2026-11-21").not_before, monday);
    assert_eq!(member.view("2026-11-25").not_before, Some(date("2026-11-30")));
    assert_eq!(member.unhears(&["2026-11-25"]), ["2026-W48 1"]);
    assert_eq!(member.view("2026-11-25").not_before, None);
}

#[test]
fn a_member_of_whom_nothing_was_heard_has_everything_before_them() {
    let mut member = Member::of(days_in_a_row(3), Limit::ONCE);
    for _ in 0..2 {
        let view = member.view("2026-11-21");
        assert_eq!(
            (view.current, view.required, view.earned),
            (0.into(), 3.into(), 0)
        );
        assert!(member.hears(&[]).is_empty());
    }
    let days = ["2026-11-19", "2026-11-20", "2026-11-21"];
    assert_eq!(member.hears(&days).len(), 1);
}

#[test]
fn an_event_counts_for_what_its_trigger_says() {
    let trigger = json!({
        "eventType": "health_data.logged",
        "where": [
            { "path": "properties.kind", "op": "EQ", "value": "weight" },
            { "path": "member.attributes.plan", "op": "EQ", "value": "gold" },
        ],
    });
    let stored = json!({ "trigger": trigger, "structure": "immediate" });
    let incentive = Incentive::parse(&stored).expect("a definition");
    assert_eq!(incentive.event_types(), ["health_data.logged"]);
    assert!(!incentive.can_stop() && incentive.of().is_empty());
    let counts = |event_type, kind: &str, plan: &str| {
        let occurrence = Occurrence {
            event_type,
            day: date("2026-11-21"),
            occurred_at: on("2026-11-21").occurred_at,
            properties: &json!({ "kind": kind }),
        };
        incentive
            .evidence(&occurrence, &json!({ "plan": plan }))
            .expect("no fault")
    };
    assert_eq!(
        counts("health_data.logged", "weight", "gold"),
        Some(on("2026-11-21"))
    );
    assert_eq!(counts("health_data.logged", "sleep", "gold"), None);
    assert_eq!(counts("health_data.logged", "weight", "basic"), None);
    assert_eq!(counts("meditation.completed", "weight", "gold"), None);
}

#[test]
fn a_batch_in_any_order_is_judged_in_the_order_of_its_days() {
    let mut member = Member::of(Immediate, Limit::at_most(2));
    assert_eq!(
        member.hears(&["2026-11-21", "2026-11-19", "2026-11-20"]),
        ["ever 1 2026-11-19", "ever 2 2026-11-20"]
    );
}

#[test]
fn a_streak_awarded_once_a_week_can_be_earned_again_the_week_after() {
    let mut member = Member::of(days_in_a_row(2), Limit::once_per(Window::Week));
    let days = [
        "2026-11-16",
        "2026-11-17",
        "2026-11-18",
        "2026-11-19",
        "2026-11-23",
        "2026-11-24",
    ];
    assert_eq!(
        member.hears(&days),
        ["2026-W47 1 2026-11-17", "2026-W48 1 2026-11-24"]
    );
}

#[test]
fn an_event_after_a_broken_promise_is_named_and_the_others_count() {
    let mut member = Member::of(days_in_a_row(2), Limit::UNLIMITED);
    member.hears(&["2026-11-02", "2026-11-20"]);
    member.horizon = date("2026-11-14");
    member.hears(&[]);
    let evaluation = member.change(
        1,
        &[on("2026-11-21"), on("2026-11-03")],
        &[on("2026-11-02"), on("2026-11-20")],
    );
    assert_eq!((evaluation.too_late, evaluation.missing), (vec![1], vec![0]));
    // A horizon that made nothing forgotten refuses nothing.
    let mut member = Member::of(days_in_a_row(2), Limit::UNLIMITED);
    member.horizon = date("2026-11-21");
    member.hears(&["2026-11-20"]);
    assert_eq!(member.hears(&["2026-11-19"]), ["ever 1 2026-11-20"]);
}

#[test]
fn what_was_never_heard_cannot_be_taken_back() {
    let mut member = Member::of(Immediate, Limit::UNLIMITED);
    member.hears(&["2026-11-20"]);
    let evaluation = member.change(1, &[], &[on("2026-11-19"), on("2026-11-20"), on("2026-11-20")]);
    assert_eq!(evaluation.missing, [0, 2]);
    assert!(member.standing.is_empty());
}

#[test]
fn awards_for_which_there_was_no_budget_come_with_the_next_change() {
    let mut member = Member::of(Immediate, Limit::UNLIMITED);
    member.allowance = Some(1);
    assert_eq!(
        member.hears(&["2026-11-19", "2026-11-20", "2026-11-21"]),
        ["ever 1 2026-11-19"]
    );
    member.allowance = Some(0);
    assert!(member.hears(&["2026-11-22"]).is_empty());
    member.allowance = None;
    let awards = member.hears(&["2026-11-23"]);
    assert_eq!(
        awards,
        [
            "ever 2 2026-11-20",
            "ever 3 2026-11-21",
            "ever 4 2026-11-22",
            "ever 5 2026-11-23"
        ]
    );
    assert!(member.hears(&[]).is_empty());
}

#[test]
fn the_instant_that_stops_a_member_is_kept_with_the_progress() {
    let rule = incentive(days_in_a_row(3), Limit::UNLIMITED);
    let editions = [Edition {
        number: 1,
        restarts: false,
        effective_from: None,
        rule: Some(&rule),
    }];
    let terms = Terms {
        horizon: date("2026-11-01"),
        revocable: true,
        allowance: None,
    };
    let mut stored = None;
    for stopped in [Some(on("2026-11-20").occurred_at), None] {
        let change = Change {
            stopped_from: stopped,
            ..Change::default()
        };
        let evaluation = evaluate(&editions, 1, stored.as_deref(), &change, terms).expect("an evaluation");
        assert_eq!(stopped_from(Some(&evaluation.progress)), Ok(stopped));
        let view = progress(&editions, 1, Some(&evaluation.progress), date("2026-11-21"));
        assert_eq!(view.expect("a view").stopped_from, stopped);
        stored = Some(evaluation.progress);
    }
    assert_eq!(stopped_from(None), Ok(None));
}

#[test]
fn an_award_is_explained_by_what_it_rests_on() {
    let mut member = Member::of(days_in_a_row(2), Limit::UNLIMITED);
    let evidence = [
        "2026-11-17",
        "2026-11-19",
        "2026-11-20",
        "2026-11-20",
        "2026-11-21",
    ]
    .map(on);
    // Events that come after their horizon are explained with the call that judges them.
    member.horizon = date("2026-12-24");
    let evaluation = member.change(1, &evidence, &[]);
    let editions = Member::editions(&member.rules);
    let grounds = explain(
        &editions,
        1,
        member.progress.as_deref(),
        &evidence,
        evaluation.awards[0].completion,
    );
    let expected = Grounds {
        places: vec![1, 2, 3],
        ..Grounds::default()
    };
    assert_eq!(grounds, Ok(expected));
}

#[test]
fn corrupt_progress_is_a_fault_and_never_a_fresh_start() {
    let day = |stored: &str| judge_stored(incentive(days_in_a_row(2), Limit::UNLIMITED), stored);
    let weeks = Streak {
        period: Period::Week,
        ..days_in_a_row(2)
    };
    let mut member = Member::of(days_in_a_row(2), Limit::UNLIMITED);
    member.hears(&["2026-11-20"]);
    let of_days = member.progress.expect("progress");
    assert!(day(&of_days));
    assert!(!judge_stored(incentive(weeks, Limit::UNLIMITED), &of_days));
    assert!(!judge_stored(incentive(Immediate, Limit::ONCE), &of_days));
    for stored in [
        "",
        "null",
        "[]",
        "{\"e\":",
        "{}",
        r#"{"e":{},"y":1}"#,
        r#"{"e":{"n":-1}}"#,
        r#"{"e":{"w":["2026-11-16"]}}"#,
        r#"{"e":{},"x":[{"s":{"p":"DAY","r":[[5,1],[6,1]]}}]}"#,
        r#"{"e":{},"x":[{"s":{"p":"DAY","r":[[2147483647,2]]}}]}"#,
        r#"{"e":{},"x":[{"s":{"p":"DAY","r":[[5,4294967295]]}}]}"#,
        r#"{"e":{},"x":[{"s":{"p":"DAY","r":[],"t":{"5":[[3,1]]}}}]}"#,
        r#"{"e":{},"x":[{"v":2,"s":{"p":"DAY","r":[]}}]}"#,
        r#"{"e":{},"x":[{"s":{"l":"2026-11-20"}}]}"#,
    ] {
        assert!(!day(stored), "{stored}");
    }
}

fn judge_stored(rule: Incentive, stored: &str) -> bool {
    let rules = [(rule, false)];
    let editions = Member::editions(&rules);
    let change = Change {
        added: &[on("2026-11-21")],
        ..Change::default()
    };
    let terms = Terms {
        horizon: date("2026-11-14"),
        revocable: true,
        allowance: None,
    };
    let judged = evaluate(&editions, 1, Some(stored), &change, terms).is_ok();
    let shown = progress(&editions, 1, Some(stored), date("2026-11-21")).is_ok();
    assert_eq!(judged, shown, "{stored}");
    judged
}

#[test]
fn a_fault_says_nothing_about_the_member() {
    let rules = [(incentive(Immediate, Limit::ONCE), false)];
    let stored = r#"{"e":{},"x":[{"s":{"l":"born 2026-11-20"}}]}"#;
    let fault = progress(&Member::editions(&rules), 1, Some(stored), date("2026-11-21"))
        .expect_err("it cannot be read");
    assert!(!fault.to_string().contains("born"), "{fault}");
    assert!(
        fault
            .to_string()
            .starts_with("the stored progress cannot be read")
    );
}
