//! The inputs of what an employer sets up, and their translation.

use async_graphql::{InputObject, OneofObject};
use chrono::TimeDelta;
use jobs::outcome::AchievementOutcome;
use jobs::rules::definition::{
    ConditionDefinition, Definition, LimitDefinition, StreakDefinition, StructureDefinition,
    TriggerDefinition,
};

use crate::domain::stock_menu::{MAX_FUTURE_SECONDS, MAX_LATE_SECONDS};
use crate::domain::{self, Fault};
use crate::graphql::object::incentive::{ConditionOp, Period, Window};
use crate::graphql::scalar::{Date, Duration, Json, TimeZone};

const MAX_LATE: Duration = Duration(TimeDelta::seconds(MAX_LATE_SECONDS));
const MAX_FUTURE: Duration = Duration(TimeDelta::seconds(MAX_FUTURE_SECONDS));
const RETENTION: Duration = Duration(TimeDelta::zero());

/// A new event type.
#[derive(InputObject)]
pub struct CreateEventTypeInput {
    /// The key of the employer; the token's own unless given. The operator must give it.
    employer: Option<String>,
    /// Its short name, of the form of an employer's key; unique within the employer.
    key: String,
    /// Its name for people, 1 to 200 characters.
    name: String,
    /// What it means, at most 2,000 characters.
    description: Option<String>,
    /// JSON Schema of the properties, at most 64 KiB; without one anything goes. References to elsewhere are not followed.
    properties_schema: Option<Json>,
    /// Health data and the like: never shown by person to the employer's administrators.
    #[graphql(default_with = "Some(false)")]
    sensitive: Option<bool>,
    /// How long after it happened an event is still accepted, at most 400 days.
    #[graphql(default_with = "Some(MAX_LATE)")]
    max_late: Option<Duration>,
    /// How far in the future an event may claim to happen, at most a day.
    #[graphql(default_with = "Some(MAX_FUTURE)")]
    max_future: Option<Duration>,
    /// How long the properties are kept after evaluation. None for a sensitive type.
    #[graphql(default_with = "Some(RETENTION)")]
    retention: Option<Duration>,
}

impl From<CreateEventTypeInput> for domain::event_type::Create {
    fn from(input: CreateEventTypeInput) -> Self {
        Self {
            employer: input.employer,
            key: input.key,
            name: input.name,
            description: input.description,
            properties_schema: input.properties_schema.map(|schema| schema.0),
            sensitive: input.sensitive.unwrap_or(false),
            max_late: input.max_late.unwrap_or(MAX_LATE).0.num_seconds(),
            max_future: input.max_future.unwrap_or(MAX_FUTURE).0.num_seconds(),
            retention: input.retention.unwrap_or(RETENTION).0.num_seconds(),
        }
    }
}

/// A new program.
#[derive(InputObject)]
pub struct CreateProgramInput {
    /// The key of the employer; the token's own unless given. The operator must give it.
    employer: Option<String>,
    /// Its short name, of the form of an employer's key; unique within the employer.
    key: String,
    /// Its name for people, 1 to 200 characters.
    name: String,
    /// The first day, in the local date of the event, on which an event counts; from ever unless given.
    starts_on: Option<Date>,
    /// The last day, in the local date of the event, on which an event counts; for ever unless given.
    ends_on: Option<Date>,
    /// The zone of the program's own dates; the employer's unless given.
    time_zone: Option<TimeZone>,
    /// The local time, `HH:MM`, at which a day of this program starts; midnight unless given. What happens before belongs to the day
    /// before.
    day_starts_at: Option<String>,
}

impl From<CreateProgramInput> for domain::program::Create {
    fn from(input: CreateProgramInput) -> Self {
        Self {
            employer: input.employer,
            key: input.key,
            name: input.name,
            starts_on: input.starts_on.map(|date| date.0),
            ends_on: input.ends_on.map(|date| date.0),
            time_zone: input.time_zone.map(|zone| zone.0.name().to_owned()),
            day_starts_at: input.day_starts_at,
        }
    }
}

/// A program, by its key.
#[derive(InputObject)]
pub struct ProgramKeyInput {
    /// The key of the employer; the token's own unless given. The operator must give it.
    pub employer: Option<String>,
    /// The key of the program.
    pub program: String,
}

/// What a partner may know from now on.
#[derive(InputObject)]
pub struct GrantPartnerInput {
    /// The key of the employer; the token's own unless given. The operator must give it.
    pub employer: Option<String>,
    /// The key of the partner.
    pub partner: String,
    /// The keys of the programs, 1 to 100.
    pub programs: Vec<String>,
}

/// What a partner may know no longer.
#[derive(InputObject)]
pub struct RevokeGrantInput {
    /// The key of the employer; the token's own unless given. The operator must give it.
    pub employer: Option<String>,
    /// The key of the partner.
    pub partner: String,
    /// The keys of the programs.
    pub programs: Vec<String>,
}

/// A new incentive.
#[derive(InputObject)]
pub struct CreateIncentiveInput {
    /// The key of the employer; the token's own unless given. The operator must give it.
    employer: Option<String>,
    /// The key of the program.
    program: String,
    /// Its short name, of the form of an employer's key; unique within the employer.
    key: String,
    /// Its name for people, 1 to 200 characters.
    name: String,
    /// What it is about, at most 2,000 characters.
    description: Option<String>,
    /// Which events count. Required by every structure there is so far.
    trigger: Option<TriggerInput>,
    /// What has to be done with them.
    structure: StructureInput,
    /// How often one member is awarded; once unless given.
    limit: Option<LimitInput>,
    /// What follows from an award: one achievement.
    outcomes: Vec<OutcomeInput>,
}

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
    /// `properties.total`, `properties.items.count` or `member.attributes.plan`. Checked against the event type's schema.
    path: String,
    /// How it compares.
    op: ConditionOp,
    /// With what: a list for `IN` and `NOT_IN`, true or false for `EXISTS`.
    value: Option<Json>,
}

/// What has to be done with the events.
#[derive(OneofObject)]
pub enum StructureInput {
    /// `true`: each matching event.
    Immediate(bool),
    /// Consecutive calendar periods.
    Streak(StreakInput),
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
}

/// How often one member is awarded.
#[derive(OneofObject)]
pub enum LimitInput {
    /// `true`: once, for good.
    Once(bool),
    /// At most so many times, for good; 1 to 1,000,000.
    AtMost(i32),
    /// Once in each such window.
    OncePer(Window),
    /// `true`: every time.
    Unlimited(bool),
}

/// What follows from an award.
#[derive(OneofObject)]
pub enum OutcomeInput {
    /// The member has an achievement, and the partners learn of it.
    Achievement(AchievementOutcomeInput),
}

/// An achievement as the member and the partners see it.
#[derive(InputObject)]
pub struct AchievementOutcomeInput {
    /// What the member is congratulated on, 1 to 200 characters.
    title: String,
    /// More about it, at most 2,000 characters.
    description: Option<String>,
}

impl CreateIncentiveInput {
    /// The operation's input; a fault where a choice was made by `false`.
    pub fn create(self) -> Result<domain::incentive::Create, Fault> {
        let structure = match self.structure {
            StructureInput::Immediate(true) => StructureDefinition::Immediate,
            StructureInput::Immediate(false) => {
                return Err(Fault::invalid(
                    &["structure", "immediate"],
                    "only `true` is a choice",
                ));
            }
            StructureInput::Streak(streak) => StructureDefinition::Streak(StreakDefinition {
                length: streak.length,
                period: streak.period.unwrap_or(Period::Day).into(),
                per_period: streak.per_period.unwrap_or(1),
            }),
        };
        let limit = match self.limit {
            None | Some(LimitInput::Once(true)) => LimitDefinition::Once,
            Some(LimitInput::AtMost(times)) => LimitDefinition::AtMost(times),
            Some(LimitInput::OncePer(window)) => LimitDefinition::OncePer(window.into()),
            Some(LimitInput::Unlimited(true)) => LimitDefinition::Unlimited,
            Some(LimitInput::Once(false)) => {
                return Err(Fault::invalid(&["limit", "once"], "only `true` is a choice"));
            }
            Some(LimitInput::Unlimited(false)) => {
                return Err(Fault::invalid(&["limit", "unlimited"], "only `true` is a choice"));
            }
        };
        let trigger = self.trigger.map(|trigger| TriggerDefinition {
            event_type: trigger.event_type,
            conditions: trigger
                .r#where
                .unwrap_or_default()
                .into_iter()
                .map(|condition| ConditionDefinition {
                    path: condition.path,
                    op: condition.op.into(),
                    value: condition.value.map(|value| value.0),
                })
                .collect(),
        });
        let outcomes = self
            .outcomes
            .into_iter()
            .map(|OutcomeInput::Achievement(outcome)| AchievementOutcome {
                title: outcome.title,
                description: outcome.description,
            })
            .collect();
        Ok(domain::incentive::Create {
            employer: self.employer,
            program: self.program,
            key: self.key,
            name: self.name,
            description: self.description,
            definition: Definition {
                trigger,
                structure,
                limit,
            },
            outcomes,
        })
    }
}
