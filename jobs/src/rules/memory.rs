//! What an incentive remembers of a member, as it is stored: one small JSON object.
//!
//! The versions of an incentive from one restart to the next form an *epoch*. An epoch has its own evidence and its own state,
//! because events of the one before can still arrive; the awards are counted over all of them.

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::Fault;
use super::limit::{Earned, Limit};

/// The version that an epoch begins with, where none is written.
const FIRST: i32 = 1;

/// What an incentive remembers of a member.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Memory {
    /// What the limit remembers.
    #[serde(rename = "e", default)]
    pub earned: Earned,
    /// The instant from which on nothing counts, in microseconds.
    #[serde(rename = "u", default, skip_serializing_if = "Option::is_none")]
    stopped_micros: Option<i64>,
    /// What the completions of all epochs are short of the awards, or beyond them: completions of epochs that are over, less
    /// those that an edit has left without effect.
    #[serde(rename = "b", default, skip_serializing_if = "is_zero")]
    pub offset: i64,
    /// The epochs, oldest first. None at the beginning, and again once nothing can follow.
    #[serde(rename = "x", default, skip_serializing_if = "Vec::is_empty")]
    pub epochs: Vec<Epoch>,
}

/// What is remembered of one epoch.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Epoch {
    /// The version it begins with.
    #[serde(rename = "b", default = "first", skip_serializing_if = "is_first")]
    pub first: i32,
    /// The version by whose settings the state is.
    #[serde(rename = "v", default = "first", skip_serializing_if = "is_first")]
    pub version: i32,
    /// Completions that are consumed.
    #[serde(rename = "k", default, skip_serializing_if = "is_none")]
    pub consumed: u64,
    /// Completions that are in the state.
    #[serde(rename = "o", default, skip_serializing_if = "is_none")]
    pub open: u64,
    /// The first day of which everything is still known; none while nothing has been forgotten.
    #[serde(rename = "h", default, skip_serializing_if = "Option::is_none")]
    pub horizon: Option<NaiveDate>,
    /// What the structure remembers.
    #[serde(rename = "s")]
    pub state: Box<RawValue>,
}

fn first() -> i32 {
    FIRST
}

fn is_first(version: &i32) -> bool {
    *version == FIRST
}

fn is_none(count: &u64) -> bool {
    *count == 0
}

fn is_zero(count: &i64) -> bool {
    *count == 0
}

impl Memory {
    /// Reads what is stored; none is that of a member of whom nothing has been heard.
    pub fn read(stored: Option<&str>) -> Result<Memory, Fault> {
        let Some(text) = stored else {
            return Ok(Memory::default());
        };
        // The reader's own message may quote what it found, and that is about a member.
        let memory: Memory = serde_json::from_str(text).map_err(|error| Fault::UnreadableProgress {
            column: error.column(),
        })?;
        let ordered = memory.epochs.is_sorted_by(|one, next| one.first < next.first);
        let numbered = memory.epochs.iter().all(|epoch| epoch.first <= epoch.version);
        if Limit::is_sound(&memory.earned) && ordered && numbered {
            Ok(memory)
        } else {
            Err(Fault::UnsoundProgress)
        }
    }

    /// The form that is stored.
    pub fn write(&self) -> Result<String, Fault> {
        serde_json::to_string(self).map_err(|_| Fault::UnwritableProgress)
    }

    /// The instant from which on nothing counts; none: the member was not stopped.
    pub fn stopped_from(&self) -> Option<DateTime<Utc>> {
        self.stopped_micros.and_then(DateTime::from_timestamp_micros)
    }

    /// Sets the instant from which on nothing counts.
    pub fn stop_from(&mut self, instant: Option<DateTime<Utc>>) {
        self.stopped_micros = instant.map(|instant| instant.timestamp_micros());
    }

    /// All completions, as far as they can be awarded.
    pub fn total(&self) -> u64 {
        let counted = self
            .epochs
            .iter()
            .map(|epoch| epoch.consumed.saturating_add(epoch.open))
            .fold(0, u64::saturating_add);
        counted.saturating_add_signed(self.offset)
    }

    /// Completions whose evidence cannot be taken back any more.
    pub fn settled(&self) -> u64 {
        let counted = self
            .epochs
            .iter()
            .map(|epoch| epoch.consumed)
            .fold(0, u64::saturating_add);
        counted.saturating_add_signed(self.offset)
    }

    /// Leaves without effect what was completed beyond the awards: an edit changes what comes, not what was.
    pub fn drop_excess(&mut self) {
        let excess = self.total().saturating_sub(self.earned.count.into());
        self.offset = self
            .offset
            .saturating_sub(i64::try_from(excess).unwrap_or(i64::MAX));
    }
}
