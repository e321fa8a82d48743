//! Definitions: what an incentive asks, as an employer states it and as it is stored.
//!
//! [`Definition::check`] is for the moment a definition is written: it says everything that is wrong, each fault with the
//! path of the input field to mend.
//! `Incentive::compile` is for the moment it is used: a stored definition that does not read or does not compile is a fault
//! of that one incentive, and no panic. Bounds that only keep definitions small are not looked at then.
//!
//! The stored form is versioned by being strict: a field or a choice this program does not know is refused, so an older
//! program never judges by half of a newer definition. What is added later gets a default and is left out where it has it, so
//! that older definitions still read.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Incentive;
use super::calendar::Window;
use super::limit::Limit;

mod schema;
mod structure;
mod trigger;

pub use structure::{
    AchievementsDefinition, CountDefinition, SequenceDefinition, StreakDefinition, StructureDefinition,
    TotalDefinition,
};
pub use trigger::{ConditionDefinition, ConditionOp, TriggerDefinition, check_conditions};

/// The highest number of awards to count to. Beyond it a limit is `unlimited` by another name.
const AT_MOST_MAX: u32 = 1_000_000;

/// The most triggers of `unless`. Every event of one of their types is judged by all of them.
const UNLESS_MAX: usize = 20;

/// The longest stored form, in bytes. Definitions are read whenever a catalogue is; what is longer is data and belongs into
/// events or members.
const STORED_MAX: usize = 64 * 1024;

/// What an incentive asks of a member, and how often it is awarded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Definition {
    /// Which events count; none where the structure says so itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trigger: Option<TriggerDefinition>,
    /// What has to be done with them.
    pub structure: StructureDefinition,
    /// How often doing it is awarded.
    #[serde(default)]
    pub limit: LimitDefinition,
    /// Events from whose instant on nothing counts for the member any more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unless: Vec<TriggerDefinition>,
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

impl Definition {
    /// Reads a stored definition.
    pub fn parse(stored: &Value) -> Result<Definition, DefinitionFault> {
        Definition::deserialize(stored)
            .map_err(|error| DefinitionFault::at(&[], format!("the definition cannot be read: {error}")))
    }

    /// Everything that is wrong with the definition.
    ///
    /// `schemas` answers with the JSON Schema of an event type's properties, `null` where it has none; no answer means that
    /// there is no such event type. `incentives` says whether there is an incentive of a key.
    pub fn check(
        &self,
        schemas: &dyn Fn(&str) -> Option<Value>,
        incentives: &dyn Fn(&str) -> bool,
    ) -> Vec<DefinitionFault> {
        let mut faults = self.compile().err().unwrap_or_default();
        if let Some(trigger) = &self.trigger {
            faults.extend(under(&["trigger"], trigger.check(schemas)));
        }
        faults.extend(self.check_structure(schemas, incentives));
        if self.unless.len() <= UNLESS_MAX {
            for (place, trigger) in self.unless.iter().enumerate() {
                faults.extend(under(&["unless", &place.to_string()], trigger.check(schemas)));
            }
        }
        // Whatever is too long is also named by what makes it so, where there is such a part.
        if faults.is_empty() && serde_json::to_vec(self).map_or(true, |stored| stored.len() > STORED_MAX) {
            faults.push(DefinitionFault::at(
                &[],
                format!(
                    "the whole definition is longer than {} KiB as JSON",
                    STORED_MAX / 1024
                ),
            ));
        }
        faults
    }

    fn check_structure(
        &self,
        schemas: &dyn Fn(&str) -> Option<Value>,
        incentives: &dyn Fn(&str) -> bool,
    ) -> Vec<DefinitionFault> {
        match &self.structure {
            StructureDefinition::Immediate
            | StructureDefinition::Streak(_)
            | StructureDefinition::Count(_) => Vec::new(),
            StructureDefinition::Total(total) => {
                let schema = self
                    .trigger
                    .as_ref()
                    .and_then(|trigger| schemas(&trigger.event_type));
                schema.map_or_else(Vec::new, |schema| total.check(&schema))
            }
            StructureDefinition::Sequence(sequence) => sequence.check(schemas),
            StructureDefinition::Achievements(achievements) => achievements.check(incentives),
        }
    }

    pub(super) fn compile(&self) -> Result<Incentive, Vec<DefinitionFault>> {
        let mut faults = Vec::new();
        let mut counts = Vec::new();
        match (&self.trigger, self.structure.no_trigger()) {
            (None, Some(_)) => {}
            (Some(_), Some(reason)) => faults.push(DefinitionFault::at(&["trigger"], reason)),
            (None, None) => faults.push(DefinitionFault::at(
                &["trigger"],
                "this structure needs a trigger",
            )),
            (Some(trigger), None) => match trigger.compile() {
                Ok(trigger) => counts.push(trigger),
                Err(found) => faults.extend(under(&["trigger"], found)),
            },
        }
        let structure = self.structure.compile(&mut counts);
        let limit = self.limit.compile();
        let mut unless = Vec::new();
        if self.unless.len() > UNLESS_MAX {
            faults.push(DefinitionFault::at(
                &["unless"],
                format!("at most {UNLESS_MAX} triggers"),
            ));
        } else {
            for (place, trigger) in self.unless.iter().enumerate() {
                match trigger.compile() {
                    Ok(trigger) => unless.push(trigger),
                    Err(found) => faults.extend(under(&["unless", &place.to_string()], found)),
                }
            }
        }
        if let (StructureDefinition::Sequence(sequence), true) = (&self.structure, self.limit.repeats()) {
            faults.extend(sequence.overlap());
        }
        match (structure, limit) {
            (Ok(structure), Ok(limit)) if faults.is_empty() => Ok(Incentive {
                counts,
                unless,
                amount: self.structure.amount(),
                of: self.structure.of(),
                limit,
                structure,
                asked: self.structure.clone(),
                awarded: self.limit,
            }),
            (structure, limit) => {
                faults.extend(structure.err().unwrap_or_default());
                faults.extend(limit.err());
                Err(faults)
            }
        }
    }
}

impl LimitDefinition {
    fn compile(self) -> Result<Limit, DefinitionFault> {
        Ok(match self {
            LimitDefinition::Once => Limit::ONCE,
            LimitDefinition::AtMost(times) => {
                Limit::at_most(in_range(times, 1, AT_MOST_MAX, &["limit", "atMost"])?)
            }
            LimitDefinition::OncePer(window) => Limit::once_per(window),
            LimitDefinition::Unlimited => Limit::UNLIMITED,
        })
    }

    /// Whether one member can be awarded more than once.
    fn repeats(self) -> bool {
        match self {
            LimitDefinition::Once
            | LimitDefinition::AtMost(1)
            | LimitDefinition::OncePer(Window::Program | Window::Ever) => false,
            LimitDefinition::AtMost(_) | LimitDefinition::OncePer(_) | LimitDefinition::Unlimited => true,
        }
    }
}

/// Whether what members have on the way by `old` can count on by `new`; if not, why not.
///
/// Lengths, amounts, conditions and limits may differ: what is remembered means the same by both.
pub fn keeps_progress(old: &Definition, new: &Definition) -> Result<(), String> {
    use StructureDefinition::{Achievements, Count, Immediate, Sequence, Streak, Total};
    let same = |what: &str, is_same: bool| {
        if is_same {
            Ok(())
        } else {
            Err(format!("progress can be kept only where {what} stays the same"))
        }
    };
    match (&old.structure, &new.structure) {
        (Immediate, Immediate) | (Achievements(_), Achievements(_)) => Ok(()),
        (Streak(old), Streak(new)) => same("the period", old.period == new.period),
        (Count(old), Count(new)) => same("the window", old.window == new.window),
        (Total(old), Total(new)) => same("the window", old.window == new.window)
            .and_then(|()| same("the property", old.property == new.property)),
        (Sequence(old), Sequence(new)) => same("the number of steps", old.steps.len() == new.steps.len()),
        (Immediate | Streak(_) | Count(_) | Total(_) | Sequence(_) | Achievements(_), _) => {
            same("the kind of structure", false)
        }
    }
}

/// Why the property at a bare path can never be a number, by the schema of its event type (`null`: there is none), if it cannot.
pub fn misfit_as_amount(schema: &Value, path: &str) -> Option<String> {
    misfit(schema, path, |place| place.misfit_as_amount())
}

/// Why the property at a bare path can never name anything, by the schema of its event type (`null`: there is none), if it cannot.
pub fn misfit_as_name(schema: &Value, path: &str) -> Option<String> {
    misfit(schema, path, |place| place.misfit_as_name())
}

fn misfit(schema: &Value, path: &str, judge: impl Fn(schema::Place<'_>) -> Option<String>) -> Option<String> {
    let names = match trigger::names(path) {
        Ok(names) => names,
        Err(message) => return Some(message),
    };
    trigger::too_long(&names).or_else(|| match schema::find(schema, &names) {
        Err(name) => Some(format!("the event type has no property `{}` here", shown(name))),
        Ok(place) => judge(place),
    })
}

impl DefinitionFault {
    /// A fault at a path.
    pub fn at(path: &[&str], message: impl Into<String>) -> DefinitionFault {
        DefinitionFault {
            path: path.iter().map(|name| (*name).to_owned()).collect(),
            message: message.into(),
        }
    }
}

/// Faults of a part of a definition, as seen from the definition.
fn under(path: &[&str], mut faults: Vec<DefinitionFault>) -> Vec<DefinitionFault> {
    for fault in &mut faults {
        fault
            .path
            .splice(0..0, path.iter().map(|name| (*name).to_owned()));
    }
    faults
}

fn in_range(value: i32, min: u32, max: u32, path: &[&str]) -> Result<u32, DefinitionFault> {
    u32::try_from(value)
        .ok()
        .filter(|value| (min..=max).contains(value))
        .ok_or_else(|| DefinitionFault::at(path, format!("must be between {min} and {max}, not {value}")))
}

/// A key as it is repeated in a message: what somebody wrote there can be of any length.
fn shown(key: &str) -> String {
    const SHOWN: usize = 64;
    if key.chars().count() <= SHOWN {
        return key.to_owned();
    }
    key.chars().take(SHOWN).chain(['…']).collect()
}

#[cfg(test)]
mod tests;
