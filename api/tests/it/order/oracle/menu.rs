//! The incentives that are judged: as the API takes them, and in the words of the twin.

use serde_json::{Value, json};

use crate::harness::incentive_input;

/// The program whose days start at four in the morning.
pub const NIGHT: &str = "night";

/// A calendar period or a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Span {
    Day,
    Week,
    Month,
    Program,
    Ever,
}

/// What is asked of a member.
#[derive(Debug, Clone, Copy)]
pub enum Ask {
    EachMeditation,
    EachBigOrder,
    /// Of members whose plan is gold: bob.
    EachOfGoldMembers,
    Streak {
        length: usize,
        span: Span,
        per_period: usize,
        freezes: i64,
    },
    Count {
        times: i64,
        span: Span,
    },
    HalfMinutes {
        at_least: i64,
        span: Span,
    },
    Cents {
        at_least: i64,
        span: Span,
    },
    OrderAfterMeditation {
        hours: i64,
    },
    OrderBetweenMeditations {
        hours: i64,
    },
    Achievements {
        of: &'static [&'static str],
        at_least: usize,
    },
}

/// How often it is awarded.
#[derive(Debug, Clone, Copy)]
pub enum Cap {
    Once,
    AtMost(i32),
    Unlimited,
    /// A window with dates only where the window a completion falls into does not depend on arrival.
    OncePer(Span),
}

/// An incentive of the property test.
#[derive(Debug, Clone, Copy)]
pub struct Incentive {
    /// Its key.
    pub key: &'static str,
    /// What it asks.
    pub ask: Ask,
    /// How often it is awarded.
    pub cap: Cap,
    /// Whether a purchase stops it.
    pub is_stoppable: bool,
    /// The hour at which the days of its program start.
    pub starts_at: i64,
}

/// Those that are built on others come after them.
pub const INCENTIVES: [Incentive; 30] = [
    days("three-once", 3, 1, 0, Cap::Once),
    days("two-always", 2, 1, 0, Cap::Unlimited),
    days("one-thrice", 1, 1, 0, Cap::AtMost(3)),
    days("twice-a-day", 2, 2, 0, Cap::Unlimited),
    days("five-once", 5, 1, 0, Cap::Once),
    days("frozen", 3, 1, 1, Cap::Unlimited),
    days("frozen-twice", 4, 1, 2, Cap::AtMost(2)),
    days("frozen-often", 2, 2, 1, Cap::Unlimited),
    streak("weeks", 2, Span::Week, 2, Cap::Once),
    streak("each-week", 1, Span::Week, 3, Cap::Unlimited),
    streak("month", 1, Span::Month, 5, Cap::Unlimited),
    of("each", Ask::EachBigOrder, Cap::Unlimited),
    of("some", Ask::EachMeditation, Cap::AtMost(4)),
    of("daily", Ask::EachMeditation, Cap::OncePer(Span::Day)),
    of("weekly", Ask::EachBigOrder, Cap::OncePer(Span::Week)),
    of("gold", Ask::EachOfGoldMembers, Cap::OncePer(Span::Ever)),
    of(
        "fours",
        Ask::Count {
            times: 4,
            span: Span::Ever,
        },
        Cap::Unlimited,
    ),
    of(
        "two-of-a-day",
        Ask::Count {
            times: 2,
            span: Span::Day,
        },
        Cap::OncePer(Span::Day),
    ),
    of(
        "five-of-a-week",
        Ask::Count {
            times: 5,
            span: Span::Week,
        },
        Cap::OncePer(Span::Program),
    ),
    of(
        "half-hours",
        Ask::HalfMinutes {
            at_least: 61,
            span: Span::Ever,
        },
        Cap::Unlimited,
    ),
    of(
        "long-days",
        Ask::HalfMinutes {
            at_least: 50,
            span: Span::Day,
        },
        Cap::AtMost(3),
    ),
    of(
        "shopping",
        Ask::Cents {
            at_least: 1_000,
            span: Span::Week,
        },
        Cap::OncePer(Span::Week),
    ),
    of(
        "spree",
        Ask::Cents {
            at_least: 2_500,
            span: Span::Program,
        },
        Cap::Unlimited,
    ),
    of(
        "then-order",
        Ask::OrderAfterMeditation { hours: 6 },
        Cap::Unlimited,
    ),
    of(
        "in-between",
        Ask::OrderBetweenMeditations { hours: 24 },
        Cap::Once,
    ),
    Incentive {
        is_stoppable: true,
        ..of("each-unless", Ask::EachMeditation, Cap::OncePer(Span::Day))
    },
    Incentive {
        is_stoppable: true,
        ..days("days-unless", 2, 1, 0, Cap::Unlimited)
    },
    Incentive {
        starts_at: 4,
        ..days("nights", 2, 1, 0, Cap::Unlimited)
    },
    of(
        "two-of-three",
        Ask::Achievements {
            of: &["three-once", "then-order", "days-unless"],
            at_least: 2,
        },
        Cap::Once,
    ),
    of(
        "all",
        Ask::Achievements {
            of: &["two-of-three", "weekly"],
            at_least: 2,
        },
        Cap::Once,
    ),
];

const fn of(key: &'static str, ask: Ask, cap: Cap) -> Incentive {
    Incentive {
        key,
        ask,
        cap,
        is_stoppable: false,
        starts_at: 0,
    }
}

const fn days(key: &'static str, length: usize, per_period: usize, freezes: i64, cap: Cap) -> Incentive {
    let span = Span::Day;
    of(
        key,
        Ask::Streak {
            length,
            span,
            per_period,
            freezes,
        },
        cap,
    )
}

const fn streak(key: &'static str, length: usize, span: Span, per_period: usize, cap: Cap) -> Incentive {
    let freezes = 0;
    of(
        key,
        Ask::Streak {
            length,
            span,
            per_period,
            freezes,
        },
        cap,
    )
}

impl Span {
    fn word(self) -> &'static str {
        match self {
            Span::Day => "DAY",
            Span::Week => "WEEK",
            Span::Month => "MONTH",
            Span::Program => "PROGRAM",
            Span::Ever => "EVER",
        }
    }
}

impl Incentive {
    /// As the API takes it.
    pub fn input(&self) -> Value {
        let event_type = match self.ask {
            Ask::EachBigOrder | Ask::Cents { .. } => "order.completed",
            _ => "meditation.completed",
        };
        let mut input = incentive_input(self.key, event_type, self.structure(), self.limit());
        let big = json!([{"path": "properties.total", "op": "GTE", "value": 500}]);
        match self.ask {
            Ask::EachBigOrder => input["trigger"]["where"] = big,
            Ask::EachOfGoldMembers => {
                input["trigger"]["where"] =
                    json!([{"path": "member.attributes.plan", "op": "EQ", "value": "gold"}]);
            }
            Ask::OrderAfterMeditation { .. }
            | Ask::OrderBetweenMeditations { .. }
            | Ask::Achievements { .. } => {
                input["trigger"] = Value::Null;
            }
            _ => {}
        }
        if self.is_stoppable {
            input["unless"] = json!([{"eventType": "purchase.completed"}]);
        }
        if self.starts_at > 0 {
            input["program"] = json!(NIGHT);
        }
        input
    }

    fn structure(&self) -> Value {
        let exact = |halves: i64| format!("{}.{}", halves / 2, halves % 2 * 5);
        match self.ask {
            Ask::EachMeditation | Ask::EachBigOrder | Ask::EachOfGoldMembers => json!({"immediate": true}),
            Ask::Streak {
                length,
                span,
                per_period,
                freezes,
            } => json!({"streak": {
                "length": length, "period": span.word(), "perPeriod": per_period, "freezes": freezes,
            }}),
            Ask::Count { times, span } => json!({"count": {"times": times, "window": span.word()}}),
            Ask::HalfMinutes { at_least, span } => {
                json!({"total": {"property": "minutes", "atLeast": exact(at_least), "window": span.word()}})
            }
            Ask::Cents { at_least, span } => {
                json!({"total": {"property": "total", "atLeast": at_least.to_string(), "window": span.word()}})
            }
            Ask::OrderAfterMeditation { hours } => json!({"sequence": {
                "steps": [{"eventType": "meditation.completed"}, {"eventType": "order.completed"}],
                "within": format!("PT{hours}H"),
            }}),
            Ask::OrderBetweenMeditations { hours } => json!({"sequence": {
                "steps": [
                    {"eventType": "meditation.completed"},
                    {"eventType": "order.completed", "where": [{"path": "properties.total", "op": "GTE", "value": 500}]},
                    {"eventType": "meditation.completed"},
                ],
                "within": format!("PT{hours}H"),
            }}),
            Ask::Achievements { of, at_least } => json!({"achievements": {"of": of, "atLeast": at_least}}),
        }
    }

    fn limit(&self) -> Value {
        match self.cap {
            Cap::Once => json!({"once": true}),
            Cap::AtMost(times) => json!({"atMost": times}),
            Cap::Unlimited => json!({"unlimited": true}),
            Cap::OncePer(span) => json!({"oncePer": span.word()}),
        }
    }
}
