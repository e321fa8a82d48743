//! What is evaluated: for each structure an employer's incentives, what a member does in four events, and what that earns.

use serde_json::{Value, json};

/// The event type of nearly all that happens.
pub const MEDITATION: &str = "meditation.completed";
/// The other one.
pub const REGISTRATION: &str = "registration.completed";
/// Events of one member in one measurement.
pub const STEPS: usize = 4;

/// One measurement's incentives and events.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// The key of its employer.
    pub key: &'static str,
    /// What it is, for people.
    pub what: &'static str,
    pub incentives: Vec<Value>,
    /// On which day after the first each event happens.
    pub days: [u64; STEPS],
    /// Of which type each event is.
    pub types: [&'static str; STEPS],
    /// How many achievements follow from each event.
    pub awards: [usize; STEPS],
    /// How many incentives an event counts for.
    pub cases: usize,
    /// How many achievements a member loses when the last event is retracted.
    pub lost: usize,
    /// Whether awards give points, and nobody is told of them.
    pub points: bool,
}

impl Scenario {
    fn new(key: &'static str, what: &'static str, structure: Value, awards: [usize; STEPS]) -> Self {
        Self {
            key,
            what,
            incentives: vec![incentive(
                "matching",
                json!({"structure": structure, "trigger": {"eventType": MEDITATION}, "limit": {"unlimited": true}}),
            )],
            days: [0, 1, 2, 3],
            types: [MEDITATION; STEPS],
            awards,
            cases: 1,
            lost: awards[STEPS - 1],
            points: false,
        }
    }

    /// The achievements of all four events of one member.
    pub fn earned(&self) -> usize {
        self.awards.iter().sum()
    }
}

/// One for each structure, and some of their settings.
pub fn structures() -> Vec<Scenario> {
    let last = [0, 0, 0, 1];
    vec![
        Scenario::new("immediate", "immediate", json!({"immediate": true}), [1; STEPS]),
        going(
            "streak",
            "streak of days, none earned",
            json!({"streak": {"length": 30}}),
        ),
        Scenario::new(
            "earned",
            "streak of days, one in 4 earns",
            json!({"streak": {"length": 4}}),
            last,
        ),
        Scenario {
            days: [0, 1, 3, 4],
            ..Scenario::new(
                "freezes",
                "streak of days, 1 freeze",
                json!({"streak": {"length": 4, "freezes": 1}}),
                last,
            )
        },
        Scenario {
            days: [0, 1, 7, 8],
            ..Scenario::new(
                "weeks",
                "streak of weeks, 2 a week",
                json!({"streak": {"length": 2, "period": "WEEK", "perPeriod": 2}}),
                last,
            )
        },
        Scenario::new("count", "count", json!({"count": {"times": 4}}), last),
        Scenario::new(
            "total",
            "total",
            json!({"total": {"property": "minutes", "atLeast": "48"}}),
            last,
        ),
        sequence(),
        achievements(),
        unless(),
        points(),
    ]
}

/// A point for each minute.
fn points() -> Scenario {
    let mut rule = json!({
        "structure": {"immediate": true}, "trigger": {"eventType": MEDITATION}, "limit": {"unlimited": true}
    });
    rule["key"] = json!("matching");
    rule["name"] = json!("A point for each minute");
    rule["outcomes"] = json!([{"points": {"perUnit": {"property": "minutes", "points": "1"}}}]);
    Scenario {
        incentives: vec![rule],
        points: true,
        ..Scenario::new("points", "a point per unit", Value::Null, [1; STEPS])
    }
}

/// A streak that goes on and a point for each minute, among 100 incentives that do not match: half wait for events of another type, half
/// for more of the same type.
pub fn mixed() -> Scenario {
    let streak = json!({
        "structure": {"streak": {"length": 30}}, "trigger": {"eventType": MEDITATION}, "limit": {"unlimited": true}
    });
    let other = json!({"eventType": REGISTRATION});
    let more =
        json!({"eventType": MEDITATION, "where": [{"path": "properties.minutes", "op": "GTE", "value": 60}]});
    let mut scenario = Scenario {
        key: "mixed",
        what: "a streak and points among 100 others",
        cases: 2,
        ..points()
    };
    scenario.incentives.push(incentive("streak", streak));
    scenario.incentives.extend((0..100).map(|number| {
        let trigger = if number % 2 == 0 { &other } else { &more };
        let idle = json!({"structure": {"immediate": true}, "trigger": trigger});
        incentive(&format!("idle-{number}"), idle)
    }));
    scenario
}

fn sequence() -> Scenario {
    let steps = json!([{"eventType": REGISTRATION}, {"eventType": MEDITATION}]);
    Scenario {
        incentives: vec![incentive(
            "matching",
            json!({"structure": {"sequence": {"steps": steps, "within": "P7D"}}, "limit": {"unlimited": true}}),
        )],
        types: [REGISTRATION, MEDITATION, REGISTRATION, MEDITATION],
        ..Scenario::new("sequence", "sequence of 2 steps", Value::Null, [0, 1, 0, 1])
    }
}

fn achievements() -> Scenario {
    let count = |key: &str, times: u32| {
        incentive(
            key,
            json!({"structure": {"count": {"times": times}}, "trigger": {"eventType": MEDITATION}}),
        )
    };
    let both = json!({"structure": {"achievements": {"of": ["first", "second"]}}});
    Scenario {
        incentives: vec![count("first", 2), count("second", 4), incentive("both", both)],
        cases: 2,
        ..Scenario::new("both", "achievements of 2 incentives", Value::Null, [0, 1, 0, 2])
    }
}

fn unless() -> Scenario {
    Scenario {
        incentives: vec![incentive(
            "matching",
            json!({
                "structure": {"count": {"times": 3}}, "trigger": {"eventType": MEDITATION}, "limit": {"unlimited": true},
                "unless": [{"eventType": REGISTRATION}]
            }),
        )],
        types: [MEDITATION, MEDITATION, MEDITATION, REGISTRATION],
        ..Scenario::new("unless", "count, stopped in the end", Value::Null, [0, 0, 1, 0])
    }
}

/// On the way: four events earn nothing.
pub fn going(key: &'static str, what: &'static str, structure: Value) -> Scenario {
    Scenario::new(key, what, structure, [0; STEPS])
}

/// What is on the way for new members and for those with a long history, each of whom is far into the next one.
pub fn histories() -> [(Scenario, Scenario); 3] {
    let pair =
        |new, old, what, structure: Value| (going(new, what, structure.clone()), going(old, what, structure));
    [
        pair(
            "new-streak",
            "old-streak",
            "streak of days",
            json!({"streak": {"length": 30}}),
        ),
        pair("new-count", "old-count", "count", json!({"count": {"times": 30}})),
        pair(
            "new-total",
            "old-total",
            "total",
            json!({"total": {"property": "minutes", "atLeast": "360"}}),
        ),
    ]
}

/// A streak among so many incentives that do not match: that wait for events of another type, or for more of the same type.
pub fn crowded() -> [Scenario; 4] {
    let other = json!({"eventType": REGISTRATION});
    let more =
        json!({"eventType": MEDITATION, "where": [{"path": "properties.minutes", "op": "GTE", "value": 60}]});
    [
        crowd("other-100", "100 incentives, 99 of another type", 100, &other),
        crowd(
            "other-1000",
            "1,000 incentives, 999 of another type",
            1_000,
            &other,
        ),
        crowd("more-100", "100 incentives, 99 ask for more", 100, &more),
        crowd("more-1000", "1,000 incentives, 999 ask for more", 1_000, &more),
    ]
}

/// So many incentives that wait for events of a type that never come.
pub fn idle(count: usize) -> impl Iterator<Item = Value> {
    let rule = json!({"structure": {"immediate": true}, "trigger": {"eventType": REGISTRATION}});
    (0..count).map(move |number| incentive(&format!("idle-{number}"), rule.clone()))
}

fn crowd(key: &'static str, what: &'static str, count: usize, trigger: &Value) -> Scenario {
    let mut scenario = going(key, what, json!({"streak": {"length": 30}}));
    let idle = json!({"structure": {"immediate": true}, "trigger": trigger});
    scenario
        .incentives
        .extend((1..count).map(|number| incentive(&format!("idle-{number}"), idle.clone())));
    scenario
}

/// What the floor writes for: it needs incentives to refer to, and nothing of theirs.
pub fn unused() -> Vec<Value> {
    let rule = json!({"structure": {"immediate": true}, "trigger": {"eventType": MEDITATION}});
    vec![incentive("first", rule.clone()), incentive("second", rule)]
}

/// The one incentive of an employer of which something else is measured: earned by every member's first event.
pub fn simple() -> Vec<Value> {
    vec![incentive(
        "matching",
        json!({"structure": {"immediate": true}, "trigger": {"eventType": MEDITATION}}),
    )]
}

/// A draft that is tried on sample events.
pub fn draft() -> Value {
    let streak = json!({"streak": {"length": 10}});
    let mut draft = incentive(
        "draft",
        json!({"structure": streak, "trigger": {"eventType": MEDITATION}, "limit": {"unlimited": true}}),
    );
    draft["program"] = json!("program");
    draft
}

/// The input of an incentive with one achievement.
fn incentive(key: &str, mut rule: Value) -> Value {
    rule["key"] = json!(key);
    rule["name"] = json!(key);
    rule["outcomes"] = json!([{"achievement": {"title": "Well done"}}]);
    rule
}
