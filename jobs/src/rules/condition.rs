//! Triggers and their conditions: which events count, by their type, their properties and the member.
//!
//! A condition is judged on values alone and always has an answer: what cannot be compared does not match.
//! A missing value satisfies only "does not exist", and every other operator is false on it; `null` says that there is no
//! value, so it counts as missing.
//! Conversions between types are left out on purpose: `"5"` is not 5, and `true` is not `"true"`.

use std::cmp::Ordering;

use rust_decimal::prelude::ToPrimitive;
use serde_json::{Number, Value};

/// Which events count.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Trigger {
    /// The key of the event type.
    pub event_type: String,
    /// All of them have to hold.
    pub conditions: Vec<Condition>,
}

/// One condition, ready to be judged.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Condition {
    /// Whose value is asked for.
    pub subject: Subject,
    /// The names that lead to the value, from the outside in.
    pub path: Vec<String>,
    /// What is asked of the value.
    pub test: Test,
}

/// Where a condition looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Subject {
    /// The properties of the event.
    Properties,
    /// The attributes of the member.
    Attributes,
}

/// What a condition asks of the value it finds.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Test {
    Equal(Value),
    NotEqual(Value),
    Greater(Value),
    GreaterOrEqual(Value),
    Less(Value),
    LessOrEqual(Value),
    In(Vec<Value>),
    NotIn(Vec<Value>),
    Exists(bool),
    Contains(Value),
}

impl Trigger {
    /// Whether an event of this type with these properties, of a member with these attributes, counts.
    pub fn matches(&self, event_type: &str, properties: &Value, attributes: &Value) -> bool {
        self.event_type == event_type
            && self
                .conditions
                .iter()
                .all(|condition| condition.holds(properties, attributes))
    }
}

impl Condition {
    /// Whether the condition holds for an event with these properties of a member with these attributes.
    pub fn holds(&self, properties: &Value, attributes: &Value) -> bool {
        let found = self.subject.find(&self.path, properties, attributes);
        match (found, &self.test) {
            (found, Test::Exists(wanted)) => found.is_some() == *wanted,
            (Some(value), test) => test.passes(value),
            (None, _) => false,
        }
    }
}

impl Subject {
    /// The value at a path; none where there is none, or `null`.
    pub fn find<'a>(
        self,
        path: &[String],
        properties: &'a Value,
        attributes: &'a Value,
    ) -> Option<&'a Value> {
        let root = match self {
            Subject::Properties => properties,
            Subject::Attributes => attributes,
        };
        path.iter()
            .try_fold(root, |value, name| value.as_object()?.get(name))
            .filter(|value| !value.is_null())
    }
}

impl Test {
    /// What the value is compared with.
    pub fn values(&self) -> &[Value] {
        match self {
            Test::Equal(value)
            | Test::NotEqual(value)
            | Test::Greater(value)
            | Test::GreaterOrEqual(value)
            | Test::Less(value)
            | Test::LessOrEqual(value)
            | Test::Contains(value) => std::slice::from_ref(value),
            Test::In(values) | Test::NotIn(values) => values,
            Test::Exists(_) => &[],
        }
    }

    fn passes(&self, value: &Value) -> bool {
        match self {
            Test::Equal(wanted) => equal(value, wanted),
            Test::NotEqual(unwanted) => !equal(value, unwanted),
            Test::Greater(bound) => order(value, bound).is_some_and(Ordering::is_gt),
            Test::GreaterOrEqual(bound) => order(value, bound).is_some_and(Ordering::is_ge),
            Test::Less(bound) => order(value, bound).is_some_and(Ordering::is_lt),
            Test::LessOrEqual(bound) => order(value, bound).is_some_and(Ordering::is_le),
            Test::In(wanted) => wanted.iter().any(|one| equal(value, one)),
            Test::NotIn(unwanted) => !unwanted.iter().any(|one| equal(value, one)),
            Test::Exists(wanted) => *wanted,
            Test::Contains(wanted) => contains(value, wanted),
        }
    }
}

/// Whether a list holds a value, or a text another text.
fn contains(value: &Value, wanted: &Value) -> bool {
    match (value, wanted) {
        (Value::Array(items), _) => items.iter().any(|item| equal(item, wanted)),
        (Value::String(text), Value::String(part)) => text.contains(part.as_str()),
        _ => false,
    }
}

/// Equality by value: 5 and 5.0 are the same number, and nothing equals a value of another type.
fn equal(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => compare(left, right) == Some(Ordering::Equal),
        _ => left == right,
    }
}

/// The order of two numbers by size, or of two texts by code point; anything else has none.
pub(super) fn order(left: &Value, right: &Value) -> Option<Ordering> {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => compare(left, right),
        // UTF-8 keeps the order of code points.
        (Value::String(left), Value::String(right)) => Some(left.cmp(right)),
        _ => None,
    }
}

/// The exact order of two JSON numbers.
///
/// Converting a large integer to a float first would make 9007199254740993 equal to 9007199254740992.0.
fn compare(left: &Number, right: &Number) -> Option<Ordering> {
    match (integer(left), integer(right)) {
        (Some(left), Some(right)) => Some(left.cmp(&right)),
        (Some(left), None) => integer_to_float(left, right.as_f64()?),
        (None, Some(right)) => integer_to_float(right, left.as_f64()?).map(Ordering::reverse),
        (None, None) => left.as_f64()?.partial_cmp(&right.as_f64()?),
    }
}

fn integer(number: &Number) -> Option<i128> {
    number
        .as_i64()
        .map(i128::from)
        .or_else(|| number.as_u64().map(i128::from))
}

/// The exact order of an integer of at most 64 bits and a float.
fn integer_to_float(integer: i128, float: f64) -> Option<Ordering> {
    let whole = match float.trunc().to_i128() {
        Some(whole) => integer.cmp(&whole),
        // A float that does not fit is farther from zero than any integer of 64 bits, on its own side.
        None => 0.0.partial_cmp(&float)?,
    };
    Some(whole.then(0.0.partial_cmp(&float.fract())?))
}

#[cfg(test)]
mod tests;
