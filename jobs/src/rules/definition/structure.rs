//! The structures as they are stored, their bounds, and everything that can be wrong with one.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::schema;
use super::trigger::{self, TriggerDefinition};
use super::{DefinitionFault, in_range, shown, under};
use crate::rules::achievements::Achievements;
use crate::rules::amounts::{AMOUNT_MAX, SCALE_MAX};
use crate::rules::calendar::{Period, Window};
use crate::rules::condition::Trigger;
use crate::rules::count::Count;
use crate::rules::immediate::Immediate;
use crate::rules::sequence::Sequence;
use crate::rules::streak::Streak;
use crate::rules::structure::AnyStructure;
use crate::rules::total::Total;

/// The longest streak. A thousand days are almost three years, longer than programs run; and products of a length stay far
/// from overflow.
const LENGTH_MAX: u32 = 1_000;

/// The most events a period of a streak can ask for. More within one period is an amount and no habit; and a member's
/// progress keeps up to this many for each open period.
const PER_PERIOD_MAX: u32 = 100;

/// The most missing periods a streak bridges: a month of days. What is missing more often is no streak.
const FREEZES_MAX: u32 = 31;

/// The highest number of events to count to, as for awards.
const TIMES_MAX: u32 = 1_000_000;

/// The fewest steps of a sequence; one step is `immediate`.
const STEPS_MIN: usize = 2;
/// The most steps of a sequence. Each event of a type is judged by all of them, and longer ones are a process and no incentive.
const STEPS_MAX: usize = 20;

/// The longest time from the first step of a sequence to the last, in seconds: 400 days, the longest `maxLate`. Events within
/// reach of each other are remembered one by one.
const WITHIN_MAX: i64 = 400 * 86_400;

/// The most incentives whose achievements are asked for.
const OF_MAX: usize = 100;

/// What has to be done to earn an incentive.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum StructureDefinition {
    /// Each matching event earns it.
    Immediate,
    /// So many consecutive periods with matching events earn it.
    Streak(StreakDefinition),
    /// So many matching events earn it.
    Count(CountDefinition),
    /// A sum of the values of a property earns it.
    Total(TotalDefinition),
    /// Different things one after the other earn it.
    Sequence(SequenceDefinition),
    /// Other incentives that were earned earn it.
    Achievements(AchievementsDefinition),
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
    /// How many missing periods are bridged.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub freezes: i32,
}

/// So many matching events within a window.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CountDefinition {
    /// How many events.
    pub times: i32,
    /// Where counting begins anew.
    #[serde(default = "ever")]
    pub window: Window,
}

/// A sum of the values of a property within a window.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TotalDefinition {
    /// The bare path of the property: `total`, `items.count`.
    pub property: String,
    /// What the sum has to reach; stored as text, because a JSON number is not exact everywhere.
    #[serde(with = "exact")]
    pub at_least: Decimal,
    /// Where adding up begins anew.
    #[serde(default = "ever")]
    pub window: Window,
}

/// Steps, each at a later instant than the one before.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SequenceDefinition {
    /// What each step is.
    pub steps: Vec<TriggerDefinition>,
    /// How long it may take from the first step to the last, in seconds, inclusive.
    pub within: i64,
}

/// So many different ones of these incentives.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AchievementsDefinition {
    /// The keys of the incentives.
    pub of: Vec<String>,
    /// How many of them; none: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_least: Option<i32>,
}

fn one() -> i32 {
    1
}

fn ever() -> Window {
    Window::Ever
}

fn is_zero(number: &i32) -> bool {
    *number == 0
}

/// Decimals as text, and as nothing else.
mod exact {
    use super::{Decimal, Deserialize};

    pub fn serialize<S: serde::Serializer>(amount: &Decimal, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(amount)
    }

    pub fn deserialize<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Decimal, D::Error> {
        let text = String::deserialize(deserializer)?;
        Decimal::from_str_exact(&text).map_err(serde::de::Error::custom)
    }
}

impl StructureDefinition {
    /// Makes the structure ready; a sequence adds what its steps count by to `counts`.
    pub(super) fn compile(
        &self,
        counts: &mut Vec<Trigger>,
    ) -> Result<Box<dyn AnyStructure>, Vec<DefinitionFault>> {
        Ok(match self {
            StructureDefinition::Immediate => Box::new(Immediate),
            StructureDefinition::Streak(streak) => Box::new(streak.compile()?),
            StructureDefinition::Count(count) => Box::new(count.compile().map_err(|fault| vec![fault])?),
            StructureDefinition::Total(total) => Box::new(total.compile()?),
            StructureDefinition::Sequence(sequence) => Box::new(sequence.compile(counts)?),
            StructureDefinition::Achievements(achievements) => Box::new(achievements.compile()?),
        })
    }

    /// Why the structure has no trigger, if it has none.
    pub(super) fn no_trigger(&self) -> Option<&'static str> {
        match self {
            StructureDefinition::Sequence(_) => Some("a sequence has its triggers in its steps"),
            StructureDefinition::Achievements(_) => Some("achievements are counted here, not events"),
            StructureDefinition::Immediate
            | StructureDefinition::Streak(_)
            | StructureDefinition::Count(_)
            | StructureDefinition::Total(_) => None,
        }
    }

    /// The names that lead to the property that is added up.
    pub(super) fn amount(&self) -> Option<Vec<String>> {
        match self {
            StructureDefinition::Total(total) => trigger::names(&total.property).ok(),
            _ => None,
        }
    }

    /// The keys of the incentives whose achievements count.
    pub(super) fn of(&self) -> Vec<String> {
        match self {
            StructureDefinition::Achievements(achievements) => achievements.of.clone(),
            _ => Vec::new(),
        }
    }
}

impl StreakDefinition {
    fn compile(&self) -> Result<Streak, Vec<DefinitionFault>> {
        let length = in_range(self.length, 1, LENGTH_MAX, &["structure", "streak", "length"]);
        let per_period = in_range(
            self.per_period,
            1,
            PER_PERIOD_MAX,
            &["structure", "streak", "perPeriod"],
        );
        let freezes = self.freezes();
        match (length, per_period, freezes) {
            (Ok(length), Ok(per_period), Ok(freezes)) => Ok(Streak {
                length,
                period: self.period,
                per_period,
                freezes,
            }),
            (length, per_period, freezes) => Err([length.err(), per_period.err(), freezes.err()]
                .into_iter()
                .flatten()
                .collect()),
        }
    }

    /// A streak has more periods in which something was done than such in which nothing was.
    fn freezes(&self) -> Result<u32, DefinitionFault> {
        let path = ["structure", "streak", "freezes"];
        let freezes = in_range(self.freezes, 0, FREEZES_MAX, &path)?;
        if self.length >= 1 && self.freezes >= self.length {
            return Err(DefinitionFault::at(&path, "must be less than the length"));
        }
        Ok(freezes)
    }
}

impl CountDefinition {
    fn compile(&self) -> Result<Count, DefinitionFault> {
        Ok(Count {
            times: in_range(self.times, 1, TIMES_MAX, &["structure", "count", "times"])?,
            window: self.window,
        })
    }
}

impl TotalDefinition {
    fn compile(&self) -> Result<Total, Vec<DefinitionFault>> {
        let mut faults = Vec::new();
        if let Err(message) = trigger::names(&self.property) {
            faults.push(of_property(message));
        } else if self.property.starts_with("properties.") {
            faults.push(of_property("the bare path of a property, without `properties.`"));
        }
        let at_least = self.at_least.normalize();
        if at_least <= Decimal::ZERO || at_least >= AMOUNT_MAX.into() || at_least.scale() > SCALE_MAX {
            faults.push(DefinitionFault::at(
                &["structure", "total", "atLeast"],
                "must be greater than 0, with at most 15 digits before and 6 behind the decimal point",
            ));
        }
        if faults.is_empty() {
            Ok(Total {
                at_least,
                window: self.window,
            })
        } else {
            Err(faults)
        }
    }

    /// What is wrong with the property in the light of the schema of its event type, or too long.
    pub(super) fn check(&self, schema: &Value) -> Vec<DefinitionFault> {
        let Ok(names) = trigger::names(&self.property) else {
            return Vec::new();
        };
        let fault = trigger::too_long(&names)
            .or_else(|| match schema::find(schema, &names) {
                Err(name) => Some(format!("the event type has no property `{}` here", shown(name))),
                Ok(place) => place.misfit_as_amount(),
            })
            .map(of_property);
        fault.into_iter().collect()
    }
}

fn of_property(message: impl Into<String>) -> DefinitionFault {
    DefinitionFault::at(&["structure", "total", "property"], message)
}

impl SequenceDefinition {
    fn compile(&self, counts: &mut Vec<Trigger>) -> Result<Sequence, Vec<DefinitionFault>> {
        let mut faults = Vec::new();
        if self.has_too_many_steps() || self.steps.len() < STEPS_MIN {
            faults.push(DefinitionFault::at(
                &["structure", "sequence", "steps"],
                format!(
                    "between {STEPS_MIN} and {STEPS_MAX} steps, not {}",
                    self.steps.len()
                ),
            ));
        }
        if !(1..=WITHIN_MAX).contains(&self.within) {
            faults.push(DefinitionFault::at(
                &["structure", "sequence", "within"],
                format!("must be between 1 second and {} days", WITHIN_MAX / 86_400),
            ));
        }
        if self.has_too_many_steps() {
            return Err(faults);
        }
        for (place, step) in self.steps.iter().enumerate() {
            match step.compile() {
                Ok(trigger) => counts.push(trigger),
                Err(found) => faults.extend(in_step(place, found)),
            }
        }
        match u32::try_from(self.steps.len()) {
            Ok(steps) if faults.is_empty() => Ok(Sequence {
                steps,
                within: TimeDelta::seconds(self.within),
            }),
            _ => Err(faults),
        }
    }

    /// What is wrong with the steps in the light of their event types.
    pub(super) fn check(&self, schemas: &dyn Fn(&str) -> Option<Value>) -> Vec<DefinitionFault> {
        if self.has_too_many_steps() {
            return Vec::new();
        }
        let steps = self.steps.iter().enumerate();
        steps
            .flat_map(|(place, step)| in_step(place, step.check(schemas)))
            .collect()
    }

    /// Steps of which one event could be several, where there is more than one award: then it would depend on guesses which
    /// step an event is best taken for, and how many awards there are. Steps that are the same and follow each other have no
    /// such choice.
    pub(super) fn overlap(&self) -> Vec<DefinitionFault> {
        if self.has_too_many_steps() {
            return Vec::new();
        }
        let mut faults = Vec::new();
        for (place, step) in self.steps.iter().enumerate() {
            let before = self.steps.get(..place).unwrap_or_default();
            let same = before.iter().rev().take_while(|earlier| *earlier == step).count();
            let others = before.iter().rev().skip(same);
            if others
                .into_iter()
                .any(|earlier| earlier.event_type == step.event_type)
            {
                let message = "a sequence that can be earned more than once names an event type in one step only, or in steps \
                               that are the same and follow each other";
                faults.extend(in_step(place, vec![DefinitionFault::at(&["eventType"], message)]));
            }
        }
        faults
    }

    fn has_too_many_steps(&self) -> bool {
        self.steps.len() > STEPS_MAX
    }
}

fn in_step(place: usize, faults: Vec<DefinitionFault>) -> Vec<DefinitionFault> {
    under(&["structure", "sequence", "steps", &place.to_string()], faults)
}

impl AchievementsDefinition {
    fn compile(&self) -> Result<Achievements, Vec<DefinitionFault>> {
        let mut faults = Vec::new();
        let count = self.of.len();
        if !(1..=OF_MAX).contains(&count) {
            faults.push(DefinitionFault::at(
                &["structure", "achievements", "of"],
                format!("between 1 and {OF_MAX} incentives, not {count}"),
            ));
            return Err(faults);
        }
        let mut seen = BTreeSet::new();
        for (place, key) in self.of.iter().enumerate() {
            if !seen.insert(key) {
                faults.push(of_achievement(place, "named twice"));
            }
        }
        let all = u32::try_from(count).unwrap_or(u32::MAX);
        let at_least = self.at_least.map_or(Ok(all), |at_least| {
            in_range(at_least, 1, all, &["structure", "achievements", "atLeast"])
        });
        match at_least {
            Ok(at_least) if faults.is_empty() => Ok(Achievements { at_least }),
            at_least => {
                faults.extend(at_least.err());
                Err(faults)
            }
        }
    }

    /// The incentives that are not there.
    pub(super) fn check(&self, incentives: &dyn Fn(&str) -> bool) -> Vec<DefinitionFault> {
        let keys = self.of.iter().take(OF_MAX).enumerate();
        keys.filter(|(_, key)| !incentives(key))
            .map(|(place, key)| of_achievement(place, format!("there is no incentive `{}`", shown(key))))
            .collect()
    }
}

fn of_achievement(place: usize, message: impl Into<String>) -> DefinitionFault {
    DefinitionFault::at(&["structure", "achievements", "of", &place.to_string()], message)
}
