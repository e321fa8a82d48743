//! The rules: what members earn by what they do, decided on values alone.
//!
//! ```text
//! (definition, progress so far, occurrences of one member, horizon) -> (progress, awards)
//! ```
//!
//! Nothing here touches a database, a clock or a network, and nothing panics on any input.
//! An [`Incentive`] is a definition made ready; [`evaluate`] moves one member's progress by a set of occurrences and returns
//! what was earned by them; [`progress`](fn@progress) says how far a member is.
//!
//! Invariants:
//! - **Order-free.** Any permutation of the same occurrences, cut into calls in any way, ends in the same awards (period key
//!   and ordinal) and the same progress.
//!   The day of an award is the one known when it was made and does not move later.
//!   One exception is stated: under `oncePer`, which window a streak's award falls in may depend on arrival.
//! - **Nothing is taken back** by a further occurrence.
//! - **Progress is small.** It holds dates and counts, never properties; what can no longer change is forgotten.
//!
//! Left out on purpose: identity (occurrences reach the rules once, receipts see to that), the bounds of a program and of a
//! member's eligibility, and which version of an incentive is in force, which are facts of the tables.

use chrono::{DateTime, NaiveDate, Utc};
use serde_json::Value;
use thiserror::Error;

pub mod calendar;
mod condition;
pub mod definition;
mod explain;
mod immediate;
mod judge;
mod limit;
mod streak;
mod structure;

pub use explain::{ProgressView, progress};

use condition::Trigger;
use definition::{Definition, DefinitionFault};
use judge::Judge;
use limit::Limit;

/// A definition made ready to judge events by.
#[derive(Debug)]
pub struct Incentive {
    trigger: Trigger,
    limit: Limit,
    judge: Box<dyn Judge>,
}

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
    pub properties: &'a Value,
}

/// Something earned. Its period key and ordinal make it unique among the awards of one member by one incentive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Award {
    /// `once`, `ever`, `program`, or the window the award falls in.
    pub period_key: String,
    /// 1, 2, 3 inside the period key.
    pub ordinal: u32,
    /// The day on which it was earned, as known at this moment.
    pub earned_on: NaiveDate,
}

/// What a set of occurrences came to.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "awards and progress have to be recorded together"]
pub struct Evaluation {
    /// What to store for the next evaluation of this member: JSON, opaque to everyone else.
    pub progress: String,
    /// Whether that differs from what was stored.
    pub changed: bool,
    /// What was earned.
    pub awards: Vec<Award>,
    /// The places, in the list of occurrences, of those that lie before a horizon given earlier and that this incentive
    /// can no longer judge. Empty as long as horizons kept their word.
    pub too_late: Vec<usize>,
}

/// Why an incentive cannot judge a member. None of the texts contains anything about the member.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Fault {
    /// The stored progress is not JSON, or not what this incentive's structure writes.
    #[error("the stored progress cannot be read (at column {column})")]
    UnreadableProgress {
        /// Where reading stopped.
        column: usize,
    },
    /// The stored progress can be read, but says what cannot be.
    #[error("the stored progress contradicts itself")]
    UnsoundProgress,
    /// The new progress does not fit into JSON.
    #[error("the new progress cannot be written")]
    UnwritableProgress,
}

impl Incentive {
    /// Makes a definition ready, or says everything that is wrong with it.
    ///
    /// What depends on the schemas of event types is not looked at again; [`Definition::check`] does that when the definition
    /// is written.
    pub fn compile(definition: &Definition) -> Result<Incentive, Vec<DefinitionFault>> {
        definition.compile()
    }

    /// Reads a stored definition and makes it ready.
    pub fn parse(stored: &Value) -> Result<Incentive, Vec<DefinitionFault>> {
        Incentive::compile(&Definition::parse(stored).map_err(|fault| vec![fault])?)
    }

    /// The keys of the event types that can match; any other event need not be shown to this incentive.
    pub fn event_types(&self) -> Vec<&str> {
        vec![&self.trigger.event_type]
    }

    /// Whether an event of this type with these properties, of a member with these attributes, counts.
    pub fn matches(&self, event_type: &str, properties: &Value, attributes: &Value) -> bool {
        self.trigger.matches(event_type, properties, attributes)
    }
}

impl Evaluation {
    fn unchanged(progress: Option<&str>) -> Evaluation {
        Evaluation {
            // An empty object reads as the progress of a member of whom nothing has been heard.
            progress: progress.unwrap_or("{}").to_owned(),
            changed: false,
            awards: Vec::new(),
            too_late: Vec::new(),
        }
    }
}

/// Moves the progress of one member by some of the member's occurrences.
///
/// Occurrences that do not match the incentive are ignored.
/// `horizon` is a promise: no occurrence of an earlier day comes in a later call. What only such occurrences could touch is
/// forgotten; within this call the promise does not hold yet.
/// The cost depends on the number of occurrences and on the size of the progress, never on the length of the history.
pub fn evaluate(
    incentive: &Incentive,
    progress: Option<&str>,
    attributes: &Value,
    occurrences: &[Occurrence<'_>],
    horizon: NaiveDate,
) -> Result<Evaluation, Fault> {
    let matching: Vec<_> = occurrences
        .iter()
        .enumerate()
        .filter(|(_, occurrence)| incentive.matches(occurrence.event_type, occurrence.properties, attributes))
        .collect();
    if matching.is_empty() {
        return Ok(Evaluation::unchanged(progress));
    }
    incentive
        .judge
        .judge(incentive.limit, progress, matching, horizon)
}

#[cfg(test)]
mod tests;
