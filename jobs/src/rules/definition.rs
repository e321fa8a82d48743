//! Definitions: what an incentive asks, as an employer states it and as it is stored.
//!
//! [`Definition::check`] is for the moment a definition is written: it says everything that is wrong, each fault with the
//! path of the input field to mend.
//! `Incentive::compile` is for the moment it is used: a stored definition that does not read or does not compile is a fault
//! of that one incentive, and no panic.
//!
//! The stored form is versioned by being strict: a field or a choice this program does not know is refused, so an older
//! program never judges by half of a newer definition. What is added later gets a default, so that older definitions still
//! read.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Incentive;
use super::calendar::{Period, Window};
use super::immediate::Immediate;
use super::limit::Limit;
use super::streak::Streak;
use super::structure::AnyStructure;

mod schema;
mod trigger;

pub use trigger::{ConditionDefinition, ConditionOp, TriggerDefinition};

/// The longest streak. A thousand days are almost three years, longer than programs run; and products of a length stay far
/// from overflow.
const LENGTH_MAX: u32 = 1_000;

/// The most events a period of a streak can ask for. More within one period is an amount and no habit; and a member's
/// progress keeps up to this many for each open period.
const PER_PERIOD_MAX: u32 = 100;

/// The highest number of awards to count to. Beyond it a limit is `unlimited` by another name.
const AT_MOST_MAX: u32 = 1_000_000;

/// What an incentive asks of a member, and how often it is awarded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Definition {
    /// Which events count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trigger: Option<TriggerDefinition>,
    /// What has to be done with them.
    pub structure: StructureDefinition,
    /// How often doing it is awarded.
    #[serde(default)]
    pub limit: LimitDefinition,
}

/// What has to be done to earn an incentive.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum StructureDefinition {
    /// Each matching event earns it.
    Immediate,
    /// So many consecutive periods with matching events earn it.
    Streak(StreakDefinition),
}

/// Consecutive calendar periods, each with enough matching events.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StreakDefinition {
    /// How many consecutive periods.
    pub length: i32,
    /// What a period is.
    #[serde(default)]
    pub period: Period,
    /// How many matching events make a period count.
    #[serde(default = "one")]
    pub per_period: i32,
}

/// How often one member is awarded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum LimitDefinition {
    /// Once, for good.
    #[default]
    Once,
    /// So many times, for good.
    AtMost(i32),
    /// Once in each window.
    OncePer(Window),
    /// Every time.
    Unlimited,
}

/// What is wrong with a definition, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DefinitionFault {
    /// The names of the input fields that lead to the one to mend, as in `createIncentive`; empty for the whole definition.
    pub path: Vec<String>,
    /// What is wrong with it, for whoever wrote it.
    pub message: String,
}

fn one() -> i32 {
    1
}

impl Definition {
    /// Reads a stored definition.
    pub fn parse(stored: &Value) -> Result<Definition, DefinitionFault> {
        Definition::deserialize(stored)
            .map_err(|error| DefinitionFault::at(&[], format!("the definition cannot be read: {error}")))
    }

    /// Everything that is wrong with the definition.
    ///
    /// `schemas` answers with the JSON Schema of an event type's properties, `null` where it has none; no answer means that
    /// there is no such event type.
    pub fn check(&self, schemas: &dyn Fn(&str) -> Option<Value>) -> Vec<DefinitionFault> {
        let mut faults = self.compile().err().unwrap_or_default();
        if let Some(trigger) = &self.trigger {
            faults.extend(trigger.check(schemas));
        }
        faults
    }

    pub(super) fn compile(&self) -> Result<Incentive, Vec<DefinitionFault>> {
        let trigger = match &self.trigger {
            Some(trigger) => trigger.compile(),
            None => Err(vec![DefinitionFault::at(
                &["trigger"],
                "this structure needs a trigger",
            )]),
        };
        match (trigger, self.structure.compile(), self.limit.compile()) {
            (Ok(trigger), Ok(structure), Ok(limit)) => Ok(Incentive {
                counts: vec![trigger],
                unless: Vec::new(),
                amount: None,
                of: Vec::new(),
                limit,
                structure,
            }),
            (trigger, structure, limit) => {
                let faults = [
                    trigger.err(),
                    structure.err(),
                    limit.err().map(|fault| vec![fault]),
                ];
                Err(faults.into_iter().flatten().flatten().collect())
            }
        }
    }
}

impl StructureDefinition {
    fn compile(&self) -> Result<Box<dyn AnyStructure>, Vec<DefinitionFault>> {
        match self {
            StructureDefinition::Immediate => Ok(Box::new(Immediate)),
            StructureDefinition::Streak(streak) => Ok(Box::new(streak.compile()?)),
        }
    }
}

impl StreakDefinition {
    fn compile(&self) -> Result<Streak, Vec<DefinitionFault>> {
        let length = in_range(self.length, LENGTH_MAX, &["structure", "streak", "length"]);
        let per_period = in_range(
            self.per_period,
            PER_PERIOD_MAX,
            &["structure", "streak", "perPeriod"],
        );
        match (length, per_period) {
            (Ok(length), Ok(per_period)) => Ok(Streak {
                length,
                period: self.period,
                per_period,
                freezes: 0,
            }),
            (length, per_period) => Err([length.err(), per_period.err()].into_iter().flatten().collect()),
        }
    }
}

impl LimitDefinition {
    fn compile(self) -> Result<Limit, DefinitionFault> {
        Ok(match self {
            LimitDefinition::Once => Limit::ONCE,
            LimitDefinition::AtMost(times) => {
                Limit::at_most(in_range(times, AT_MOST_MAX, &["limit", "atMost"])?)
            }
            LimitDefinition::OncePer(window) => Limit::once_per(window),
            LimitDefinition::Unlimited => Limit::UNLIMITED,
        })
    }
}

impl DefinitionFault {
    fn at(path: &[&str], message: impl Into<String>) -> DefinitionFault {
        DefinitionFault {
            path: path.iter().map(|name| (*name).to_owned()).collect(),
            message: message.into(),
        }
    }
}

fn in_range(value: i32, max: u32, path: &[&str]) -> Result<u32, DefinitionFault> {
    u32::try_from(value)
        .ok()
        .filter(|value| (1..=max).contains(value))
        .ok_or_else(|| DefinitionFault::at(path, format!("must be between 1 and {max}, not {value}")))
}

#[cfg(test)]
mod tests;
