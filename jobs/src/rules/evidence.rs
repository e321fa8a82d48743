//! Evidence: what is left of an event once an incentive has seen that it counts.
//!
//! It holds what the structures count by and none of the event's properties. Everything an incentive remembers is a function
//! of the multiset of evidence it was given, so evidence can be added and taken back in any order.

use chrono::{DateTime, NaiveDate, Utc};
use rust_decimal::Decimal;

/// One event of a member, as far as the rules need to know it.
#[derive(Debug, Clone, Copy)]
pub struct Occurrence<'a> {
    /// The key of the event's type.
    pub event_type: &'a str,
    /// The program day the event belongs to.
    pub day: NaiveDate,
    /// When it happened.
    pub occurred_at: DateTime<Utc>,
    /// What the event says about itself.
    pub properties: &'a serde_json::Value,
}

/// What an event counts for in one version of an incentive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// The program day the event belongs to.
    pub day: NaiveDate,
    /// When it happened.
    pub occurred_at: DateTime<Utc>,
    /// How much it counts: the value of the property of a `total`, 1 otherwise. Greater than zero.
    pub amount: Decimal,
    /// The steps of a `sequence` that it can be, one bit each from the lowest; 1 for every other structure.
    pub steps: u32,
    /// Whether it is an event of `unless`: it counts for nothing and stops what happens from its instant on.
    pub stops: bool,
}
