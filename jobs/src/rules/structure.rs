//! What every structure of an incentive has in common.
//!
//! A structure decides how often a member has completed what an incentive asks, and nothing else: which events count is the
//! trigger's business, how often completing it is awarded is the limit's.
//!
//! It keeps a small value for each member, its state: a function of the *multiset* of evidence it was given, so that any order
//! and any division into calls ends in the same one, and evidence can be taken back.
//! What lies before the horizon can no longer change: completions that rest on it alone are consumed, and evidence that no
//! later completion can use is forgotten. So the size of a state depends on how late an event can come and on what one
//! completion takes, never on how long the member has been there.
//!
//! A new structure is one file with one type that implements [`Structure`], and one line in `definition.rs` that builds it.

use std::fmt::Debug;

use chrono::{DateTime, NaiveDate, Utc};
use rust_decimal::Decimal;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::value::RawValue;

use super::completions::{Completion, Completions};
use super::{Evidence, Fault};

/// One kind of demand on a member, with its settings.
pub(super) trait Structure: Debug + Send + Sync {
    /// What it remembers of one member.
    type State: Serialize + DeserializeOwned;

    /// The state of a member of whom nothing has been heard.
    fn start(&self) -> Self::State;

    /// Whether a state that was read back is one this structure can have written.
    fn is_sound(&self, state: &Self::State) -> bool;

    /// Adds evidence. Its day is never before a horizon given earlier.
    fn insert(&self, state: &mut Self::State, evidence: &Evidence) -> Result<(), Fault>;

    /// Takes evidence back that was added before; false when the state does not hold it any more.
    fn remove(&self, state: &mut Self::State, evidence: &Evidence) -> bool;

    /// The completions that the evidence in the state amounts to, in the order of the calendar.
    ///
    /// More evidence never makes them fewer.
    fn completions(&self, state: &Self::State) -> Completions;

    /// Takes the completions before `day` out of the state together with the evidence they have used up, and returns them.
    ///
    /// With the promise that no evidence before `day` is added or removed any more, this changes neither the later
    /// completions nor their number.
    fn consume_before(&self, state: &mut Self::State, day: NaiveDate) -> Completions;

    /// Takes all completions out of the state together with the evidence they have used up, and returns them. What is left is on
    /// the way, and can still be taken back.
    fn consume_all(&self, state: &mut Self::State) -> Completions {
        self.consume_before(state, NaiveDate::MAX)
    }

    /// Forgets evidence before `horizon` that no later completion can use, and says whether there was any.
    fn forget_before(&self, state: &mut Self::State, horizon: NaiveDate) -> bool;

    /// Whether no evidence is left in the state.
    fn is_blank(&self, state: &Self::State) -> bool;

    /// How a member stands on `today`.
    fn standing(&self, state: &Self::State, today: NaiveDate) -> Standing;

    /// How a member stands whose limit is reached, so that nothing is remembered of the structure any more.
    fn completed(&self) -> Standing;

    /// The first day that can matter to what a completion rests on.
    fn reach(&self, state: &Self::State, completion: Completion) -> NaiveDate;

    /// What a completion rests on, in terms of the evidence that is still known in full; `evidence` is in ascending order of
    /// days and, within a day, in the order in which it was counted; it may leave out the days before [`Structure::reach`].
    ///
    /// A member with nothing but these grounds completes the structure.
    fn grounds(&self, state: &Self::State, evidence: &[Evidence], completion: Completion) -> Grounds;
}

/// How far a member is towards the next completion of a structure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Standing {
    pub current: Decimal,
    pub required: Decimal,
    pub run_started_on: Option<NaiveDate>,
    pub last_counted_on: Option<NaiveDate>,
    pub deadline: Option<Deadline>,
}

/// Until when the next step still counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deadline {
    /// To the end of this program day.
    EndOf(NaiveDate),
    /// Up to and including this instant.
    At(DateTime<Utc>),
}

/// What a completion rests on.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Grounds {
    /// The places of the evidence that is still known in full.
    pub places: Vec<usize>,
    /// Evidence of which only a part is left for this completion, and how much that is.
    pub partly: Vec<(usize, Decimal)>,
    /// What is only remembered in sums: a day, and how much there was by then.
    pub remembered: Vec<Evidence>,
}

impl Standing {
    /// A member who has everything there is to earn.
    pub fn complete(required: Decimal) -> Standing {
        Standing {
            current: required,
            required,
            run_started_on: None,
            last_counted_on: None,
            deadline: None,
        }
    }
}

/// A structure without its type of state, so that an incentive holds any of them and nobody has to tell them apart.
pub(super) trait AnyStructure: Debug + Send + Sync {
    /// Reads a state; none is that of a member of whom nothing has been heard.
    fn open<'a>(&'a self, state: Option<&str>) -> Result<Box<dyn Opened + 'a>, Fault>;

    /// See [`Structure::completed`].
    fn completed(&self) -> Standing;
}

/// A structure together with the state of one member. See [`Structure`] for what each does.
pub(super) trait Opened {
    fn insert(&mut self, evidence: &Evidence) -> Result<(), Fault>;
    fn remove(&mut self, evidence: &Evidence) -> bool;
    fn completions(&self) -> Completions;
    fn consume_before(&mut self, day: NaiveDate) -> Completions;
    fn consume_all(&mut self) -> Completions;
    fn forget_before(&mut self, horizon: NaiveDate) -> bool;
    fn is_blank(&self) -> bool;
    fn standing(&self, today: NaiveDate) -> Standing;
    fn reach(&self, completion: Completion) -> NaiveDate;
    fn grounds(&self, evidence: &[Evidence], completion: Completion) -> Grounds;

    /// The state as it is stored.
    fn write(&self) -> Result<Box<RawValue>, Fault>;
}

struct Held<'a, S: Structure> {
    structure: &'a S,
    state: S::State,
}

impl<S: Structure> AnyStructure for S {
    fn open<'a>(&'a self, state: Option<&str>) -> Result<Box<dyn Opened + 'a>, Fault> {
        let state = match state {
            None => self.start(),
            // The reader's own message may quote what it found, and that is about a member.
            Some(text) => serde_json::from_str(text).map_err(|error| Fault::UnreadableProgress {
                column: error.column(),
            })?,
        };
        if self.is_sound(&state) {
            Ok(Box::new(Held {
                structure: self,
                state,
            }))
        } else {
            Err(Fault::UnsoundProgress)
        }
    }

    fn completed(&self) -> Standing {
        Structure::completed(self)
    }
}

impl<S: Structure> Opened for Held<'_, S> {
    fn insert(&mut self, evidence: &Evidence) -> Result<(), Fault> {
        self.structure.insert(&mut self.state, evidence)
    }

    fn remove(&mut self, evidence: &Evidence) -> bool {
        self.structure.remove(&mut self.state, evidence)
    }

    fn completions(&self) -> Completions {
        self.structure.completions(&self.state)
    }

    fn consume_before(&mut self, day: NaiveDate) -> Completions {
        self.structure.consume_before(&mut self.state, day)
    }

    fn consume_all(&mut self) -> Completions {
        self.structure.consume_all(&mut self.state)
    }

    fn forget_before(&mut self, horizon: NaiveDate) -> bool {
        self.structure.forget_before(&mut self.state, horizon)
    }

    fn is_blank(&self) -> bool {
        self.structure.is_blank(&self.state)
    }

    fn standing(&self, today: NaiveDate) -> Standing {
        self.structure.standing(&self.state, today)
    }

    fn reach(&self, completion: Completion) -> NaiveDate {
        self.structure.reach(&self.state, completion)
    }

    fn grounds(&self, evidence: &[Evidence], completion: Completion) -> Grounds {
        self.structure.grounds(&self.state, evidence, completion)
    }

    fn write(&self) -> Result<Box<RawValue>, Fault> {
        serde_json::value::to_raw_value(&self.state).map_err(|_| Fault::UnwritableProgress)
    }
}
