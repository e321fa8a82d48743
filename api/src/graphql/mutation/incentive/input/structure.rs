//! The inputs of triggers and structures, and their translation.

use async_graphql::{InputObject, OneofObject};
use jobs::rules::definition::{
    AchievementsDefinition, ConditionDefinition, CountDefinition, SequenceDefinition, StreakDefinition,
    StructureDefinition, TotalDefinition, TriggerDefinition,
};

use super::only_true;
use crate::domain::Fault;
use crate::graphql::object::incentive::{ConditionOp, Period, Window};
use crate::graphql::scalar::{Decimal, Duration, Json};

/// Which events count.
#[derive(InputObject)]
pub struct TriggerInput {
    /// The key of the event type.
    event_type: String,
    /// Conditions that must all hold, at most 20.
    r#where: Option<Vec<ConditionInput>>,
}

/// A condition on a property of the event or an attribute of the member. A property that is missing satisfies only `EXISTS: false`.
#[derive(InputObject)]
pub struct ConditionInput {
    /// `properties.total`, `properties.items.count` or `member.attributes.plan`: at most 8 names of at most 64 bytes each, 256 bytes
    /// together. Checked against the event type's schema.
    path: String,
    /// How it compares.
    op: ConditionOp,
    /// With what: a list of 1 to 1,000 values for `IN` and `NOT_IN`, true or false for `EXISTS`. A text has at most 1,000 bytes.
    value: Option<Json>,
}

/// What has to be done with the events.
#[derive(OneofObject)]
pub enum StructureInput {
    /// `true`: each matching event.
    Immediate(bool),
    /// Consecutive calendar periods.
    Streak(StreakInput),
    /// So many matching events.
    Count(CountInput),
    /// A sum of the values of a property.
    Total(TotalInput),
    /// Several steps, one after the other.
    Sequence(SequenceInput),
    /// Other incentives that the member has earned.
    Achievements(AchievementsInput),
}

/// Consecutive calendar periods, each with enough matching events, by the local date of the events.
#[derive(InputObject)]
pub struct StreakInput {
    /// How many consecutive periods, 1 to 1,000.
    length: i32,
    /// What a period is.
    #[graphql(default_with = "Some(Period::Day)")]
    period: Option<Period>,
    /// How many matching events make a period count, 1 to 100.
    #[graphql(default_with = "Some(1)")]
    per_period: Option<i32>,
    /// How many missing periods among them are bridged, 0 to 31 and less than the length: they keep the streak and do not count.
    #[graphql(default_with = "Some(0)")]
    freezes: Option<i32>,
}

/// So many matching events within a window; as many again earn it again, where the limit allows that.
#[derive(InputObject)]
pub struct CountInput {
    /// How many events, 1 to 1,000,000.
    times: i32,
    /// Where counting begins anew, by the local date of the events.
    #[graphql(default_with = "Some(Window::Ever)")]
    window: Option<Window>,
}

/// A sum of the values of a property within a window; as much again earns it again, where the limit allows that. Only values above
/// zero count, each of at most 15 digits before and 6 behind the decimal point.
#[derive(InputObject)]
pub struct TotalInput {
    /// The bare path of the property, `total` or `items.count`: at most 8 names of at most 64 bytes each, 256 bytes together. By the
    /// event type's schema it must be able to be a number, or a text that holds one.
    property: String,
    /// What the sum has to reach: more than zero, at most 15 digits before and 6 behind the decimal point.
    at_least: Decimal,
    /// Where adding up begins anew, by the local date of the events.
    #[graphql(default_with = "Some(Window::Ever)")]
    window: Option<Window>,
}

/// Steps, each at a strictly later instant than the one before. Where the limit allows more than one award, an event type may stand
/// in one step only, or in steps that are the same and follow each other; then every award has events of its own.
#[derive(InputObject)]
pub struct SequenceInput {
    /// What each step is, 2 to 20 steps.
    steps: Vec<TriggerInput>,
    /// How long it may take from the first step to the last, inclusive: 1 second to 400 days.
    within: Duration,
}

/// So many different ones of these incentives, earned at any time and not revoked. It is earned once.
#[derive(InputObject)]
pub struct AchievementsInput {
    /// The keys of 1 to 100 different incentives of the employer.
    of: Vec<String>,
    /// How many of them; all unless given.
    at_least: Option<i32>,
}

/// The triggers of a list.
pub fn triggers(inputs: Vec<TriggerInput>) -> Vec<TriggerDefinition> {
    inputs.into_iter().map(TriggerInput::definition).collect()
}

impl ConditionInput {
    /// The condition as the rules know it.
    pub fn definition(self) -> ConditionDefinition {
        ConditionDefinition {
            path: self.path,
            op: self.op.into(),
            value: self.value.map(|value| value.0),
        }
    }
}

impl TriggerInput {
    /// The trigger as the rules know it.
    pub fn definition(self) -> TriggerDefinition {
        TriggerDefinition {
            event_type: self.event_type,
            conditions: self
                .r#where
                .unwrap_or_default()
                .into_iter()
                .map(ConditionInput::definition)
                .collect(),
        }
    }
}

impl StructureInput {
    /// The structure as the rules know it; a fault where a choice was made by `false`.
    pub fn definition(self) -> Result<StructureDefinition, Fault> {
        Ok(match self {
            Self::Immediate(true) => StructureDefinition::Immediate,
            Self::Immediate(false) => return Err(only_true(&["structure", "immediate"])),
            Self::Streak(streak) => StructureDefinition::Streak(StreakDefinition {
                length: streak.length,
                period: streak.period.unwrap_or(Period::Day).into(),
                per_period: streak.per_period.unwrap_or(1),
                freezes: streak.freezes.unwrap_or(0),
            }),
            Self::Count(count) => StructureDefinition::Count(CountDefinition {
                times: count.times,
                window: count.window.unwrap_or(Window::Ever).into(),
            }),
            Self::Total(total) => StructureDefinition::Total(TotalDefinition {
                property: total.property,
                at_least: total.at_least.0,
                window: total.window.unwrap_or(Window::Ever).into(),
            }),
            Self::Sequence(sequence) => StructureDefinition::Sequence(SequenceDefinition {
                steps: triggers(sequence.steps),
                within: sequence.within.0.num_seconds(),
            }),
            Self::Achievements(achievements) => StructureDefinition::Achievements(AchievementsDefinition {
                of: achievements.of,
                at_least: achievements.at_least,
            }),
        })
    }
}
