//! The rules: what members earn by what they do, decided on values alone.
//!
//! ```text
//! event ─▶ evidence ─▶ (versions, progress so far, change of evidence, terms) ─▶ (progress, awards, revocations)
//! ```
//!
//! Nothing here touches a database, a clock or a network, and nothing panics on any input.
//! An [`Incentive`] is one version of a definition made ready; an [`Index`] says which of many an event may count for, and
//! [`Incentive::evidence`] for what it counts;
//! [`evaluate`] moves one member's progress by evidence added and taken back, and returns what is earned by that and what no
//! longer is; [`progress`](fn@progress) says how far a member is, [`explain`](fn@explain) what an award rests on.
//!
//! Invariants:
//! - **Order-free.** Any permutation of the same changes, cut into calls in any way, ends in the same awards (period key
//!   and ordinal) and the same progress.
//!   The day of an award is the one known when it was made and does not move later.
//!   One exception is stated: under `oncePer`, which window an award falls in may depend on arrival and on what is settled,
//!   where a completion can move from one window to another: of streaks, sequences, and counts and totals over more than one.
//!   There is never a second award in a window, and never more awards than completions.
//! - **More never takes away.** Only evidence taken back revokes an award.
//! - **Progress is small.** It holds dates and sums, never properties; what can no longer change is forgotten.
//!
//! Left out on purpose: identity (an event reaches the rules once, receipts see to that), the bounds of a program and of a
//! member's eligibility, and which version of an incentive is in force when, which are facts of the tables.
#![doc = include_str!("rules/meaning.md")]

use chrono::{DateTime, NaiveDate, Utc};
use rust_decimal::Decimal;
use serde_json::Value;
use thiserror::Error;

mod achievements;
mod amounts;
pub mod calendar;
mod completions;
mod condition;
mod count;
pub mod definition;
mod evidence;
mod explain;
mod immediate;
mod index;
mod judge;
pub mod levels;
mod limit;
mod memory;
pub mod pattern;
pub mod points;
mod sequence;
mod streak;
mod structure;
mod total;
mod words;

pub use completions::Completion;
pub use definition::keeps_progress;
pub use evidence::{Evidence, Occurrence};
pub use explain::{Grounds, ProgressView, completions, explain, progress, reach};
pub use index::Index;
pub use structure::Deadline;
pub use words::{missing, text};

use condition::Trigger;
use definition::{Definition, DefinitionFault, LimitDefinition, StructureDefinition};
use limit::Limit;
use structure::AnyStructure;

/// One version of an incentive, ready to judge by.
#[derive(Debug)]
pub struct Incentive {
    /// What counts: one trigger, or one a step of a sequence; none where nothing a member does counts by itself.
    counts: Vec<Trigger>,
    /// What stops it for a member.
    unless: Vec<Trigger>,
    /// The property whose values are added up; none: each event counts once.
    amount: Option<Vec<String>>,
    /// The keys of the incentives whose achievements are what counts.
    of: Vec<String>,
    limit: Limit,
    structure: Box<dyn AnyStructure>,
    /// What it asks and how often it is awarded, to say it in words.
    asked: StructureDefinition,
    awarded: LimitDefinition,
}

/// A version of an incentive and its place among the others.
#[derive(Debug, Clone, Copy)]
pub struct Edition<'a> {
    /// Counts 1, 2, 3.
    pub number: i32,
    /// Whether progress begins anew with it. Without that, what was on the way by the version before goes on by this one.
    pub restarts: bool,
    /// In force from then on; none: from ever.
    pub effective_from: Option<DateTime<Utc>>,
    /// Its rule; none where it cannot be read.
    pub rule: Option<&'a Incentive>,
}

/// What has changed in what is known of a member.
#[derive(Debug, Clone, Copy, Default)]
pub struct Change<'a> {
    /// Evidence that is new; none of it stops.
    pub added: &'a [Evidence],
    /// Evidence that was added before and does not hold any more.
    pub removed: &'a [Evidence],
    /// From which instant on nothing counts for the member, after the change; it is kept with the progress.
    pub stopped_from: Option<DateTime<Utc>>,
}

/// By what terms a change is judged.
#[derive(Debug, Clone, Copy)]
pub struct Terms {
    /// A promise: no evidence of an earlier day is added or taken back in a later call. What only such evidence could touch is
    /// forgotten; within this call the promise does not hold yet.
    pub horizon: NaiveDate,
    /// Whether awards go when what they rest on is taken back.
    pub revocable: bool,
    /// How many awards there may be at most; none: as many as there are. What is held back comes with a later change.
    pub allowance: Option<u32>,
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
    /// The completion that it is for; its `nth` is 0 where that cannot be told any more.
    pub completion: Completion,
}

/// An award that no longer holds. An edit may have changed the limit since: where no such award stands, it is the one with the
/// same ordinal under another of the keys `once`, `ever` and `program`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revocation {
    /// As in [`Award`].
    pub period_key: String,
    /// As in [`Award`].
    pub ordinal: u32,
}

/// What a change came to.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "awards and progress have to be recorded together"]
pub struct Evaluation {
    /// What to store for the next evaluation of this member: JSON, opaque to everyone else.
    pub progress: String,
    /// Whether that differs from what was stored.
    pub changed: bool,
    /// The version that has judged: the one asked for, or a later one by which the progress already goes.
    pub version: i32,
    /// What was earned.
    pub awards: Vec<Award>,
    /// What no longer holds, latest first.
    pub revoked: Vec<Revocation>,
    /// The places, in what was added, of evidence that lies before a horizon given earlier and can no longer be judged. Empty
    /// as long as horizons kept their word.
    pub too_late: Vec<usize>,
    /// The places, in what was removed, of evidence that is not in the progress any more.
    pub missing: Vec<usize>,
    /// Whether the member had earned all there is, for good: nothing was looked at, and nothing need be kept.
    pub is_settled: bool,
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
    /// The progress goes by a version that is not there or cannot be read.
    #[error("version {number}, by which the progress goes, cannot be used")]
    UnknownVersion {
        /// Which version.
        number: i32,
    },
    /// A property that is to be added up is beyond what is added up exactly.
    #[error("the amount has more than 15 digits before or 6 behind the decimal point")]
    AmountOutOfRange,
    /// One change would earn more awards than anyone can have meant.
    #[error("this would be more than 1,000 awards at once")]
    TooManyAwards,
    /// The evidence of one member for one incentive is more than is kept.
    #[error("more events within reach of each other than are kept for one member")]
    TooMuchToRemember,
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

    /// The keys of the event types that can match, each once; any other event need not be shown to this incentive.
    pub fn event_types(&self) -> Vec<&str> {
        let mut keys: Vec<&str> = self
            .counts
            .iter()
            .chain(&self.unless)
            .map(|trigger| trigger.event_type.as_str())
            .collect();
        keys.sort_unstable();
        keys.dedup();
        keys
    }

    /// The keys of the incentives whose achievements count; empty unless the structure is `achievements`.
    pub fn of(&self) -> &[String] {
        &self.of
    }

    /// Whether each event that counts is awarded by itself.
    pub fn is_per_event(&self) -> bool {
        matches!(self.asked, StructureDefinition::Immediate) && self.awarded == LimitDefinition::Unlimited
    }

    /// Whether there is something that stops it for a member.
    pub fn can_stop(&self) -> bool {
        !self.unless.is_empty()
    }

    /// What an event of a member with these attributes counts for; none: nothing.
    ///
    /// An event that both stops and would count, stops: what happens from its instant on does not count, itself included.
    pub fn evidence(
        &self,
        occurrence: &Occurrence<'_>,
        attributes: &Value,
    ) -> Result<Option<Evidence>, Fault> {
        let matches =
            |trigger: &Trigger| trigger.matches(occurrence.event_type, occurrence.properties, attributes);
        let evidence = Evidence {
            day: occurrence.day,
            occurred_at: occurrence.occurred_at,
            amount: Decimal::ONE,
            steps: 1,
            stops: false,
        };
        if self.unless.iter().any(matches) {
            return Ok(Some(Evidence {
                stops: true,
                ..evidence
            }));
        }
        let steps = (0..u32::BITS)
            .zip(&self.counts)
            .filter(|(_, trigger)| matches(trigger))
            .fold(0, |steps, (step, _)| steps | 1 << step);
        if steps == 0 {
            return Ok(None);
        }
        let amount = match &self.amount {
            None => Some(Decimal::ONE),
            Some(path) => amounts::read(occurrence.properties, path)?,
        };
        Ok(amount.map(|amount| Evidence {
            amount,
            steps,
            ..evidence
        }))
    }
}

/// Moves the progress of one member by evidence added and taken back.
///
/// `editions` are the versions of the incentive in ascending order, `version` the one in force when the events occurred.
/// The cost depends on the amount of evidence and on the size of the progress, never on the length of the history.
pub fn evaluate(
    editions: &[Edition<'_>],
    version: i32,
    progress: Option<&str>,
    change: &Change<'_>,
    terms: Terms,
) -> Result<Evaluation, Fault> {
    judge::judge(editions, version, progress, change, terms)
}

/// What is left of progress that has not moved for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tidied {
    /// All of it still matters.
    Unchanged,
    /// This much.
    Changed(String),
    /// Nothing: a member of whom nothing has been heard has the same progress.
    Nothing,
}

/// What is left of a member's progress under the promise that no evidence of a day before `horizon` is added or taken back any more.
pub fn tidy(
    editions: &[Edition<'_>],
    version: i32,
    progress: &str,
    horizon: NaiveDate,
) -> Result<Tidied, Fault> {
    judge::tidy(editions, version, progress, horizon)
}

/// From which instant on nothing counts for a member with this progress; none: the member was not stopped.
pub fn stopped_from(progress: Option<&str>) -> Result<Option<DateTime<Utc>>, Fault> {
    memory::Memory::read(progress).map(|memory| memory.stopped_from())
}

#[cfg(test)]
mod tests;
