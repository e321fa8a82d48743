//! What an incentive asks, as it is shown.

use async_graphql::SimpleObject;
use chrono::TimeDelta;
use jobs::rules::definition::{ConditionDefinition, LimitDefinition, StructureDefinition, TriggerDefinition};

use super::{ConditionOp, Period, Window};
use crate::graphql::scalar::{Decimal, Duration, Json};

/// Which events count.
#[derive(SimpleObject)]
pub struct Trigger {
    /// The key of the event type.
    event_type: String,
    /// Conditions that must all hold.
    r#where: Vec<Condition>,
}

/// A condition on a property of the event or an attribute of the member.
#[derive(SimpleObject)]
pub struct Condition {
    /// `properties.…` or `member.attributes.…`.
    path: String,
    /// How it compares.
    op: ConditionOp,
    /// With what; null for nothing.
    value: Option<Json>,
}

/// What has to be done with the events. Exactly one field is not null.
#[derive(SimpleObject, Default)]
pub struct Structure {
    /// Each matching event.
    immediate: Option<bool>,
    /// Consecutive calendar periods.
    streak: Option<Streak>,
    /// So many matching events.
    count: Option<Count>,
    /// A sum of the values of a property.
    total: Option<Total>,
    /// Several steps, one after the other.
    sequence: Option<Sequence>,
    /// Other incentives that the member has earned.
    achievements: Option<Achievements>,
}

/// Consecutive calendar periods, each with enough matching events.
#[derive(SimpleObject)]
pub struct Streak {
    /// How many consecutive periods.
    length: i32,
    /// What a period is.
    period: Period,
    /// How many matching events make a period count.
    per_period: i32,
    /// How many missing periods among them are bridged.
    freezes: i32,
}

/// So many matching events within a window.
#[derive(SimpleObject)]
pub struct Count {
    /// How many events.
    times: i32,
    /// Where counting begins anew.
    window: Window,
}

/// A sum of the values of a property within a window.
#[derive(SimpleObject)]
pub struct Total {
    /// The bare path of the property.
    property: String,
    /// What the sum has to reach.
    at_least: Decimal,
    /// Where adding up begins anew.
    window: Window,
}

/// Steps, each at a strictly later instant than the one before.
#[derive(SimpleObject)]
pub struct Sequence {
    /// What each step is.
    steps: Vec<Trigger>,
    /// How long it may take from the first step to the last, inclusive.
    within: Duration,
}

/// So many different ones of these incentives.
#[derive(SimpleObject)]
pub struct Achievements {
    /// The keys of the incentives.
    of: Vec<String>,
    /// How many of them; null: all.
    at_least: Option<i32>,
}

/// How often one member is awarded. Exactly one field is not null.
#[derive(SimpleObject, Default)]
pub struct Limit {
    /// Once, for good.
    once: Option<bool>,
    /// At most so many times, for good.
    at_most: Option<i32>,
    /// Once in each such window.
    once_per: Option<Window>,
    /// Every time.
    unlimited: Option<bool>,
}

impl From<ConditionDefinition> for Condition {
    fn from(condition: ConditionDefinition) -> Self {
        Self {
            path: condition.path,
            op: condition.op.into(),
            value: condition.value.map(Json),
        }
    }
}

impl From<TriggerDefinition> for Trigger {
    fn from(trigger: TriggerDefinition) -> Self {
        Self {
            event_type: trigger.event_type,
            r#where: trigger.conditions.into_iter().map(Condition::from).collect(),
        }
    }
}

impl From<StructureDefinition> for Structure {
    fn from(structure: StructureDefinition) -> Self {
        let mut shown = Self::default();
        match structure {
            StructureDefinition::Immediate => shown.immediate = Some(true),
            StructureDefinition::Streak(streak) => {
                shown.streak = Some(Streak {
                    length: streak.length,
                    period: streak.period.into(),
                    per_period: streak.per_period,
                    freezes: streak.freezes,
                });
            }
            StructureDefinition::Count(count) => {
                shown.count = Some(Count {
                    times: count.times,
                    window: count.window.into(),
                });
            }
            StructureDefinition::Total(total) => {
                shown.total = Some(Total {
                    property: total.property,
                    at_least: Decimal(total.at_least),
                    window: total.window.into(),
                });
            }
            StructureDefinition::Sequence(sequence) => {
                shown.sequence = Some(Sequence {
                    steps: sequence.steps.into_iter().map(Trigger::from).collect(),
                    within: Duration(TimeDelta::try_seconds(sequence.within).unwrap_or_default()),
                });
            }
            StructureDefinition::Achievements(achievements) => {
                shown.achievements = Some(Achievements {
                    of: achievements.of,
                    at_least: achievements.at_least,
                });
            }
        }
        shown
    }
}

impl From<LimitDefinition> for Limit {
    fn from(limit: LimitDefinition) -> Self {
        let mut shown = Self::default();
        match limit {
            LimitDefinition::Once => shown.once = Some(true),
            LimitDefinition::AtMost(times) => shown.at_most = Some(times),
            LimitDefinition::OncePer(window) => shown.once_per = Some(window.into()),
            LimitDefinition::Unlimited => shown.unlimited = Some(true),
        }
        shown
    }
}
