//! Boosts: times in which a program gives more points.

use async_graphql::SimpleObject;
use entity::boost::Model;
use jobs::rules::definition::ConditionDefinition;

use super::incentive::Condition;
use crate::graphql::scalar::{Date, DateTime, Decimal};

/// A time in which a program gives more points.
#[derive(SimpleObject)]
pub struct Boost {
    /// Its short name, unique within the program.
    key: String,
    /// Its name for people.
    name: String,
    /// By how much points are multiplied.
    multiplier: Decimal,
    /// Which points; null: all.
    category: Option<String>,
    /// The first day of the program on which it applies.
    starts_on: Date,
    /// The last one.
    ends_on: Date,
    /// Conditions that must all hold.
    r#where: Vec<Condition>,
    /// When it was created.
    created_at: DateTime,
    /// From when on it no longer applies, as it was ended early; null: it was not.
    ended_at: Option<DateTime>,
}

impl From<Model> for Boost {
    fn from(row: Model) -> Self {
        // All of it was checked when the boost was created.
        let conditions: Vec<ConditionDefinition> = serde_json::from_value(row.conditions).unwrap_or_default();
        Self {
            key: row.key,
            name: row.name,
            multiplier: Decimal(row.multiplier.parse().unwrap_or(rust_decimal::Decimal::ONE)),
            category: row.category,
            starts_on: Date(row.starts_on),
            ends_on: Date(row.ends_on),
            r#where: conditions.into_iter().map(Condition::from).collect(),
            created_at: row.created_at.into(),
            ended_at: row.ended_at.map(Into::into),
        }
    }
}
