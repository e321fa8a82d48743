//! Which of many rules an event may count for, by its type and by the values it brings.
//!
//! A rule counts or stops by patterns: a trigger, the steps of a sequence, each of `unless`. Of each pattern one condition is
//! kept sorted by what it compares with, so an event finds the patterns whose condition holds, however many others there are.
//! What is found may be more than what matches, never less: the rule itself has the last word.
//!
//! Equality comes before bounds, because a value equals few others and lies above many; of several equalities the one that the
//! fewest patterns share. A pattern without either is found by every event of its type: so are those that ask for what a value is
//! not, for a part of it, or for its absence.

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

use super::Incentive;
use super::condition::{Condition, Subject, Test, order};

/// The places of rules in the caller's list, by what their patterns ask for.
#[derive(Debug, Default)]
pub struct Index(HashMap<String, Patterns>);

/// The patterns of one event type.
#[derive(Debug, Default)]
struct Patterns {
    /// What every event finds.
    always: Vec<usize>,
    /// What is found by the value at a path: each path is followed once for an event.
    asked: BTreeMap<(Subject, Vec<String>), Asked>,
}

/// What is asked of the value at one path.
#[derive(Debug, Default)]
struct Asked {
    equal: Sorted,
    /// Lower bounds, whether or not the bound itself will do.
    at_least: Sorted,
    /// Upper bounds, likewise.
    at_most: Sorted,
}

/// Places by what is compared with; ascending once they are all there.
#[derive(Debug, Default)]
struct Sorted(Vec<(Value, usize)>);

/// How a condition can be looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Equal,
    AtLeast,
    AtMost,
}

/// A value that some pattern wants at a path.
type Wanted<'a> = (Subject, &'a [String], &'a Value);

impl Index {
    /// An index over rules and their places, and over the places of what cannot be read, which is found by every event of a type.
    /// One place may come with several rules, as those of the versions of an incentive.
    pub fn new<'a>(
        rules: impl IntoIterator<Item = (usize, &'a Incentive)>,
        unreadable: impl IntoIterator<Item = (usize, &'a str)>,
    ) -> Self {
        let mut by_type: HashMap<&str, Vec<(usize, &[Condition])>> = HashMap::new();
        for (place, rule) in rules {
            for trigger in rule.counts.iter().chain(&rule.unless) {
                let patterns = by_type.entry(&trigger.event_type).or_default();
                patterns.push((place, &trigger.conditions));
            }
        }
        for (place, event_type) in unreadable {
            by_type.entry(event_type).or_default().push((place, &[]));
        }
        Self(
            by_type
                .into_iter()
                .map(|(key, patterns)| (key.to_owned(), Patterns::new(&patterns)))
                .collect(),
        )
    }

    /// The places of what an event of this type with these properties, of a member with these attributes, may match: ascending,
    /// each once.
    pub fn candidates(&self, event_type: &str, properties: &Value, attributes: &Value) -> Vec<usize> {
        self.0
            .get(event_type)
            .map(|patterns| patterns.candidates(properties, attributes))
            .unwrap_or_default()
    }
}

impl Patterns {
    fn new(patterns: &[(usize, &[Condition])]) -> Self {
        let mut wanted: Vec<Wanted<'_>> = patterns
            .iter()
            .flat_map(|(_, conditions)| *conditions)
            .filter(|condition| condition.test.kind() == Some(Kind::Equal))
            .flat_map(Condition::wanted)
            .collect();
        wanted.sort_unstable_by(by_path);
        let mut all = Self::default();
        for (place, conditions) in patterns {
            let Some((condition, kind)) = choice(conditions, &wanted) else {
                all.always.push(*place);
                continue;
            };
            let key = (condition.subject, condition.path.clone());
            let asked = all.asked.entry(key).or_default();
            let sorted = match kind {
                Kind::Equal => &mut asked.equal,
                Kind::AtLeast => &mut asked.at_least,
                Kind::AtMost => &mut asked.at_most,
            };
            let values = condition.test.values().iter();
            sorted.0.extend(values.map(|value| (value.clone(), *place)));
        }
        for asked in all.asked.values_mut() {
            for sorted in [&mut asked.equal, &mut asked.at_least, &mut asked.at_most] {
                sorted.0.sort_by(|(left, _), (right, _)| ascending(left, right));
            }
        }
        all
    }

    fn candidates(&self, properties: &Value, attributes: &Value) -> Vec<usize> {
        let mut found = self.always.clone();
        for ((subject, path), asked) in &self.asked {
            if let Some(value) = subject.find(path, properties, attributes) {
                asked.add_candidates(value, &mut found);
            }
        }
        found.sort_unstable();
        found.dedup();
        found
    }
}

impl Asked {
    fn add_candidates(&self, value: &Value, found: &mut Vec<usize>) {
        let is_less = |bound: &Value| ascending(bound, value).is_lt();
        let is_at_most = |bound: &Value| ascending(bound, value).is_le();
        found.extend(self.equal.between(is_less, is_at_most));
        // Bounds of another type are not comparable: those that sort before or after all bounds of the value's own.
        found.extend(
            self.at_least
                .between(|bound| rank(bound) < rank(value), is_at_most),
        );
        found.extend(self.at_most.between(is_less, |bound| rank(bound) <= rank(value)));
    }
}

impl Sorted {
    /// The places from the first that is not before what is sought to the last that is not behind it.
    fn between(
        &self,
        is_before: impl Fn(&Value) -> bool,
        is_not_behind: impl Fn(&Value) -> bool,
    ) -> impl Iterator<Item = usize> {
        let from = self.0.partition_point(|(value, _)| is_before(value));
        let to = self.0.partition_point(|(value, _)| is_not_behind(value));
        let places = self.0.get(from..to).unwrap_or_default();
        places.iter().map(|(_, place)| *place)
    }
}

impl Condition {
    fn wanted(&self) -> impl Iterator<Item = Wanted<'_>> {
        let values = self.test.values().iter();
        values.map(|value| (self.subject, self.path.as_slice(), value))
    }
}

impl Test {
    /// How the test can be looked up; none: not at all.
    fn kind(&self) -> Option<Kind> {
        let kind = match self {
            Test::Equal(_) | Test::In(_) => Kind::Equal,
            Test::Greater(_) | Test::GreaterOrEqual(_) => Kind::AtLeast,
            Test::Less(_) | Test::LessOrEqual(_) => Kind::AtMost,
            Test::NotEqual(_) | Test::NotIn(_) | Test::Exists(_) | Test::Contains(_) => return None,
        };
        self.values()
            .iter()
            .all(|value| rank(value).is_some())
            .then_some(kind)
    }
}

/// The condition by which a pattern is looked up.
fn choice<'a>(conditions: &'a [Condition], wanted: &[Wanted<'_>]) -> Option<(&'a Condition, Kind)> {
    let known = || {
        conditions
            .iter()
            .filter_map(|condition| Some((condition, condition.test.kind()?)))
    };
    known()
        .filter(|(_, kind)| *kind == Kind::Equal)
        .min_by_key(|(condition, _)| condition.wanted().map(|one| sharers(wanted, &one)).max())
        .or_else(|| known().next())
}

/// How many patterns want the same.
fn sharers(wanted: &[Wanted<'_>], one: &Wanted<'_>) -> usize {
    let from = wanted.partition_point(|other| by_path(other, one).is_lt());
    let to = wanted.partition_point(|other| by_path(other, one).is_le());
    to - from
}

fn by_path(left: &Wanted<'_>, right: &Wanted<'_>) -> Ordering {
    (left.0, left.1)
        .cmp(&(right.0, right.1))
        .then_with(|| ascending(left.2, right.2))
}

/// A total order of everything that has a rank, in which exactly those are equal that conditions take to be equal.
fn ascending(left: &Value, right: &Value) -> Ordering {
    let within = || match (left, right) {
        (Value::Bool(left), Value::Bool(right)) => left.cmp(right),
        _ => order(left, right).unwrap_or(Ordering::Equal),
    };
    rank(left).cmp(&rank(right)).then_with(within)
}

/// The place of a value's type among those that can be sorted; none of others.
fn rank(value: &Value) -> Option<u8> {
    match value {
        Value::Bool(_) => Some(0),
        Value::Number(_) => Some(1),
        Value::String(_) => Some(2),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests;
