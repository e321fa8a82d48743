//! What an incentive remembers of a member, as it is stored: one small JSON object.
//!
//! The versions of an incentive from one restart to the next form an *epoch*. An epoch has its own evidence and its own state,
//! because events of the one before can still arrive; the awards are counted over all of them.

use std::collections::BTreeSet;

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::Fault;
use super::limit::Earned;

pub(super) mod dates;

/// The version that an epoch begins with, where none is written.
const FIRST: i32 = 1;

/// What an incentive remembers of a member.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Memory {
    /// What the limit remembers.
    #[serde(rename = "e")]
    pub earned: Earned,
    /// The instant from which on nothing counts, in microseconds.
    #[serde(rename = "u", default, skip_serializing_if = "Option::is_none")]
    stopped_micros: Option<i64>,
    /// Completions of epochs that are over.
    #[serde(rename = "b", default, skip_serializing_if = "is_none")]
    pub over: u64,
    /// Completions that an edit has left without effect. They are never awarded, and are the first to go when evidence is taken
    /// back, so that no award goes while others can stand in for what it rests on.
    #[serde(rename = "i", default, skip_serializing_if = "is_none")]
    pub idle: u64,
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
    /// The first days of the windows that have their award by completions in the state.
    #[serde(
        rename = "w",
        default,
        skip_serializing_if = "BTreeSet::is_empty",
        with = "dates"
    )]
    pub windows: BTreeSet<NaiveDate>,
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
        if memory.is_sound() {
            Ok(memory)
        } else {
            Err(Fault::UnsoundProgress)
        }
    }

    /// Whether what was read back can have been written.
    fn is_sound(&self) -> bool {
        let epochs = &self.epochs;
        let ordered = epochs.is_sorted_by(|one, next| one.first < next.first);
        let numbered = epochs.iter().all(|epoch| epoch.first <= epoch.version);
        let windows =
            epochs.iter().map(|epoch| epoch.windows.len()).sum::<usize>() + self.earned.windows.len();
        ordered
            && numbered
            && windows <= self.earned.placed as usize
            && self.earned.placed <= self.earned.count
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
        let counted = |epoch: &Epoch| epoch.consumed.saturating_add(epoch.open);
        self.counted(counted).saturating_sub(self.idle)
    }

    /// Completions whose evidence cannot be taken back any more.
    pub fn settled(&self) -> u64 {
        self.counted(|epoch| epoch.consumed).saturating_sub(self.idle)
    }

    fn counted(&self, of: impl Fn(&Epoch) -> u64) -> u64 {
        self.epochs.iter().map(of).fold(self.over, u64::saturating_add)
    }

    /// How many completions there are beyond the awards, or how many they are short of them; `more` are those of an epoch that
    /// is not among the others at the moment.
    pub fn pending(&self, more: u64) -> i128 {
        let counted = self.counted(|epoch| epoch.consumed.saturating_add(epoch.open));
        i128::from(counted) + i128::from(more) - i128::from(self.idle) - i128::from(self.earned.count)
    }

    /// Leaves without effect what was completed beyond the awards: an edit changes what comes, not what was.
    pub fn drop_excess(&mut self, more: u64) {
        let excess = self.pending(more);
        self.idle_away(excess);
    }

    /// Leaves without effect what an epoch that is over has completed without an award, so that no later epoch awards it.
    pub fn drop_beyond(&mut self, pending: i128) {
        let excess = self.pending(0) - pending;
        self.idle_away(excess);
    }

    fn idle_away(&mut self, excess: i128) {
        self.idle = self
            .idle
            .saturating_add(u64::try_from(excess.max(0)).unwrap_or(u64::MAX));
    }

    /// The windows that have their award by the completions of any epoch that can still be taken back.
    pub fn windows(&self) -> BTreeSet<NaiveDate> {
        let windows = self.epochs.iter().flat_map(|epoch| &epoch.windows);
        windows.copied().collect()
    }
}

#[cfg(test)]
mod tests;
