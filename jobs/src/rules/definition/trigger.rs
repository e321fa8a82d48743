//! Triggers as they are stated and stored, and everything that can be wrong with one.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::schema::{self, Place};
use super::{DefinitionFault, shown, under};
use crate::rules::condition::{Condition, Subject, Test, Trigger};

/// The most conditions of a trigger. Every event of the type is judged by all of them.
const CONDITIONS_MAX: usize = 20;

/// The most values of one list. Longer ones are a table of the employer's and belong into the event or the member.
const LIST_MAX: usize = 1_000;

/// The most names in a path. Properties are facts about one event, not documents.
const DEPTH_MAX: usize = 8;

/// The longest name in a path, in bytes.
const NAME_MAX: usize = 64;

/// The longest path, in bytes.
const PATH_MAX: usize = 256;

/// The longest text to compare with, in bytes. Longer ones are prose, which nobody compares.
const TEXT_MAX: usize = 1_000;

/// Which events count.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TriggerDefinition {
    /// The key of the event type.
    pub event_type: String,
    /// All of them have to hold.
    #[serde(rename = "where", default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<ConditionDefinition>,
}

/// One thing that has to be true of an event or of its member.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ConditionDefinition {
    /// `properties.` or `member.attributes.`, and the bare path of a value in them: `properties.items.count`.
    pub path: String,
    /// How the value is judged.
    pub op: ConditionOp,
    /// What it is judged by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
}

/// How a condition judges a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ConditionOp {
    /// Equal to the value.
    Eq,
    /// There, and not equal to the value.
    Ne,
    /// Greater than the value: numbers by size, texts by code point.
    Gt,
    /// Greater than the value or equal to it.
    Gte,
    /// Less than the value.
    Lt,
    /// Less than the value or equal to it.
    Lte,
    /// Equal to one of the values.
    In,
    /// There, and equal to none of the values.
    NotIn,
    /// There, or not there.
    Exists,
    /// A list with the value in it, or a text with the value as a part.
    Contains,
}

impl TriggerDefinition {
    /// Makes the trigger ready. The paths of faults begin at the trigger.
    pub(in crate::rules) fn compile(&self) -> Result<Trigger, Vec<DefinitionFault>> {
        let mut faults = Vec::new();
        if self.event_type.is_empty() {
            faults.push(DefinitionFault::at(&["eventType"], "must name an event type"));
        }
        if self.conditions.len() > CONDITIONS_MAX {
            let message = format!(
                "at most {CONDITIONS_MAX} conditions, not {}",
                self.conditions.len()
            );
            faults.push(DefinitionFault::at(&["where"], message));
            return Err(faults);
        }
        let mut conditions = Vec::new();
        for (place, condition) in self.conditions.iter().enumerate() {
            match condition.compile() {
                Ok(condition) => conditions.push(condition),
                Err(found) => faults.extend(in_condition(place, found)),
            }
        }
        if faults.is_empty() {
            Ok(Trigger {
                event_type: self.event_type.clone(),
                conditions,
            })
        } else {
            Err(faults)
        }
    }

    /// What is wrong with the trigger in the light of its event type, and what is too long; what is wrong in itself is left
    /// to `compile`.
    pub(in crate::rules) fn check(&self, schemas: &dyn Fn(&str) -> Option<Value>) -> Vec<DefinitionFault> {
        if self.event_type.is_empty() || self.conditions.len() > CONDITIONS_MAX {
            return Vec::new();
        }
        let schema = schemas(&self.event_type);
        let mut faults = Vec::new();
        if schema.is_none() {
            let message = format!("there is no event type `{}`", shown(&self.event_type));
            faults.push(DefinitionFault::at(&["eventType"], message));
        }
        for (place, condition) in self.conditions.iter().enumerate() {
            let Ok(condition) = condition.compile() else {
                continue;
            };
            let found = too_long_in(&condition).or_else(|| misfit(&condition, schema.as_ref()?));
            faults.extend(in_condition(place, found.into_iter().collect()));
        }
        faults
    }
}

/// What is wrong in themselves with conditions that belong to no one event type. The paths of faults begin at the input's `where`.
pub fn check_conditions(conditions: &[ConditionDefinition]) -> Vec<DefinitionFault> {
    if conditions.len() > CONDITIONS_MAX {
        let message = format!("at most {CONDITIONS_MAX} conditions, not {}", conditions.len());
        return vec![DefinitionFault::at(&["where"], message)];
    }
    let of = |(place, condition): (usize, &ConditionDefinition)| match condition.compile() {
        Ok(condition) => in_condition(place, too_long_in(&condition).into_iter().collect()),
        Err(found) => in_condition(place, found),
    };
    conditions.iter().enumerate().flat_map(of).collect()
}

/// Faults of a condition, as seen from its trigger.
fn in_condition(place: usize, faults: Vec<DefinitionFault>) -> Vec<DefinitionFault> {
    under(&["where", &place.to_string()], faults)
}

/// What of a condition is longer than anybody needs.
fn too_long_in(condition: &Condition) -> Option<DefinitionFault> {
    let is_long = |value: &Value| value.as_str().is_some_and(|text| text.len() > TEXT_MAX);
    if let Some(message) = too_long(&condition.path) {
        return Some(DefinitionFault::at(&["path"], message));
    }
    condition
        .test
        .values()
        .iter()
        .any(is_long)
        .then(|| DefinitionFault::at(&["value"], format!("a text of at most {TEXT_MAX} bytes")))
}

/// Why a path is longer than anybody needs, if it is.
pub(super) fn too_long(names: &[String]) -> Option<String> {
    let length = names.iter().map(|name| name.len() + 1).sum::<usize>();
    if names.iter().any(|name| name.len() > NAME_MAX) {
        Some(format!("each name of at most {NAME_MAX} bytes"))
    } else {
        (length > PATH_MAX + 1).then(|| format!("a path of at most {PATH_MAX} bytes"))
    }
}

/// The names of a bare path, from the outside in.
pub(super) fn names(path: &str) -> Result<Vec<String>, String> {
    let names: Vec<&str> = path.split('.').take(DEPTH_MAX + 1).collect();
    if names.iter().any(|name| name.is_empty()) {
        return Err("must not have an empty name between its dots".to_owned());
    }
    if names.len() > DEPTH_MAX {
        return Err(format!("at most {DEPTH_MAX} names"));
    }
    Ok(names.into_iter().map(str::to_owned).collect())
}

/// What makes a condition pointless for properties of this schema. Attributes of members have none.
fn misfit(condition: &Condition, schema: &Value) -> Option<DefinitionFault> {
    if condition.subject == Subject::Attributes {
        return None;
    }
    match schema::find(schema, &condition.path) {
        Err(name) => Some(DefinitionFault::at(
            &["path"],
            format!("the event type has no property `{}` here", shown(name)),
        )),
        Ok(place) => condition
            .test
            .misfit(&place)
            .map(|message| DefinitionFault::at(&["value"], message)),
    }
}

impl ConditionDefinition {
    pub(in crate::rules) fn compile(&self) -> Result<Condition, Vec<DefinitionFault>> {
        let path = self
            .parse_path()
            .map_err(|message| DefinitionFault::at(&["path"], message));
        let test = self
            .parse_test()
            .map_err(|message| DefinitionFault::at(&["value"], message));
        match (path, test) {
            (Ok((subject, path)), Ok(test)) => Ok(Condition { subject, path, test }),
            (path, test) => Err([path.err(), test.err()].into_iter().flatten().collect()),
        }
    }

    fn parse_path(&self) -> Result<(Subject, Vec<String>), String> {
        let (subject, rest) = if let Some(rest) = self.path.strip_prefix("properties.") {
            (Subject::Properties, rest)
        } else if let Some(rest) = self.path.strip_prefix("member.attributes.") {
            (Subject::Attributes, rest)
        } else {
            return Err("must begin with `properties.` or `member.attributes.`".to_owned());
        };
        Ok((subject, names(rest)?))
    }

    fn parse_test(&self) -> Result<Test, String> {
        let value = self.value.as_ref();
        Ok(match self.op {
            ConditionOp::Eq => Test::Equal(scalar(value)?),
            ConditionOp::Ne => Test::NotEqual(scalar(value)?),
            ConditionOp::Gt => Test::Greater(bound(value)?),
            ConditionOp::Gte => Test::GreaterOrEqual(bound(value)?),
            ConditionOp::Lt => Test::Less(bound(value)?),
            ConditionOp::Lte => Test::LessOrEqual(bound(value)?),
            ConditionOp::In => Test::In(list(value)?),
            ConditionOp::NotIn => Test::NotIn(list(value)?),
            ConditionOp::Exists => Test::Exists(
                value
                    .and_then(Value::as_bool)
                    .ok_or("must be true (is there) or false (is not there)")?,
            ),
            ConditionOp::Contains => Test::Contains(scalar(value)?),
        })
    }
}

fn scalar(value: Option<&Value>) -> Result<Value, String> {
    match value {
        Some(value @ (Value::String(_) | Value::Number(_) | Value::Bool(_))) => Ok(value.clone()),
        _ => Err("must be a text, a number, true or false".to_owned()),
    }
}

fn bound(value: Option<&Value>) -> Result<Value, String> {
    match value {
        Some(value @ (Value::String(_) | Value::Number(_))) => Ok(value.clone()),
        _ => Err("must be a number or a text, which have an order".to_owned()),
    }
}

fn list(value: Option<&Value>) -> Result<Vec<Value>, String> {
    let values = value
        .and_then(Value::as_array)
        .ok_or("must be a list of values")?;
    if values.is_empty() || values.len() > LIST_MAX {
        return Err(format!(
            "must have between 1 and {LIST_MAX} values, not {}",
            values.len()
        ));
    }
    values.iter().map(|value| scalar(Some(value))).collect()
}

impl Test {
    /// Why the test can never mean anything at a place, if it cannot.
    fn misfit(&self, place: &Place<'_>) -> Option<String> {
        match self {
            Test::Exists(_) => None,
            Test::In(values) | Test::NotIn(values) => values.iter().find_map(|value| place.misfit(value)),
            Test::Contains(value) => place.misfit_inside(value),
            Test::Equal(value)
            | Test::NotEqual(value)
            | Test::Greater(value)
            | Test::GreaterOrEqual(value)
            | Test::Less(value)
            | Test::LessOrEqual(value) => place.misfit(value),
        }
    }
}
