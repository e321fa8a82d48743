//! Boosts: times in which a program gives more points.

use chrono::{DateTime, NaiveDate, Utc};
use rust_decimal::Decimal;
use serde_json::Value;

use crate::rules::condition::{Condition, Subject};
use crate::rules::definition::ConditionDefinition;

/// A time in which a program gives more points, ready to be asked.
#[derive(Debug, Clone, PartialEq)]
pub struct Boost {
    multiplier: Decimal,
    category: Option<String>,
    starts_on: NaiveDate,
    ends_on: NaiveDate,
    /// From then on it applies no more, and after which day.
    ended: Option<(DateTime<Utc>, NaiveDate)>,
    conditions: Vec<Condition>,
}

/// What a boost is asked about.
#[derive(Debug, Clone, Copy)]
pub struct Occasion<'a> {
    /// The kind of points.
    pub category: &'a str,
    /// The day of the program.
    pub day: NaiveDate,
    /// The instant of the event; none: it is an award, of which the day is all that is known.
    pub at: Option<DateTime<Utc>>,
    /// The properties of the event; none: it is an award.
    pub properties: Option<&'a Value>,
    /// The attributes of the member.
    pub attributes: &'a Value,
}

impl Boost {
    /// Makes a boost ready. `conditions` is the stored list; an error says what is wrong with it.
    pub fn read(
        multiplier: &str,
        category: Option<String>,
        (starts_on, ends_on): (NaiveDate, NaiveDate),
        ended: Option<(DateTime<Utc>, NaiveDate)>,
        conditions: &Value,
    ) -> Result<Self, String> {
        let multiplier = Decimal::from_str_exact(multiplier)
            .ok()
            .filter(|multiplier| *multiplier > Decimal::ZERO)
            .ok_or("the multiplier is not a number above zero")?;
        let conditions: Vec<ConditionDefinition> = serde::Deserialize::deserialize(conditions)
            .map_err(|error| format!("the conditions cannot be read: {error}"))?;
        let conditions: Result<Vec<Condition>, _> =
            conditions.iter().map(ConditionDefinition::compile).collect();
        let conditions = conditions.map_err(|faults| {
            let messages: Vec<String> = faults.into_iter().map(|fault| fault.message).collect();
            messages.join("; ")
        })?;
        Ok(Self {
            multiplier,
            category,
            starts_on,
            ends_on,
            ended,
            conditions,
        })
    }

    /// By how much it multiplies; none: it does not apply.
    pub fn applies(&self, to: &Occasion<'_>) -> Option<Decimal> {
        let is_over = self.ended.is_some_and(|(instant, day)| match to.at {
            Some(at) => at >= instant,
            // A day is all that is known of an award: the one on which the boost ended still counts.
            None => to.day > day,
        });
        let is_for_it = self.category.as_deref().is_none_or(|own| own == to.category)
            && (self.starts_on..=self.ends_on).contains(&to.day)
            && !is_over
            // What asks about an event says nothing about an award.
            && (to.properties.is_some() || !self.asks_about(Subject::Properties));
        let properties = to.properties.unwrap_or(&Value::Null);
        (is_for_it
            && self
                .conditions
                .iter()
                .all(|condition| condition.holds(properties, to.attributes)))
        .then_some(self.multiplier)
    }

    /// Whether it asks about the member.
    pub fn asks_about_member(&self) -> bool {
        self.asks_about(Subject::Attributes)
    }

    fn asks_about(&self, subject: Subject) -> bool {
        self.conditions
            .iter()
            .any(|condition| condition.subject == subject)
    }
}
