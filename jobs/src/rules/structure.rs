//! What every structure of an incentive has in common.
//!
//! A structure decides when a member has completed what an incentive asks, and nothing else: which events reach it is the
//! trigger's business, how often completing it is awarded is the limit's.
//! It keeps a small value for each member, its state.
//!
//! The state must be a function of the *set* of occurrences it has taken: any order and any division into calls ends in the
//! same one.
//! Its size may depend on how late an event can come, never on how long the member has been there.
//!
//! A new structure is one file with one type that implements [`Structure`], and one line in `definition.rs` that builds it.

use std::fmt::Debug;

use chrono::NaiveDate;
use rust_decimal::Decimal;
use serde::{Serialize, de::DeserializeOwned};

use super::Occurrence;

/// One kind of demand on a member, with its settings.
pub(super) trait Structure: Debug + Send + Sync {
    /// What it remembers of one member.
    type State: Serialize + DeserializeOwned;

    /// The state of a member of whom nothing has been heard.
    fn start(&self) -> Self::State;

    /// Whether a state that was read back is one this structure can have written.
    fn is_sound(&self, state: &Self::State) -> bool;

    /// Takes one occurrence, and says on which day the structure was completed by it, if it was.
    ///
    /// One occurrence completes a structure at most once.
    /// The day is never before the occurrence's own: limits rely on that to forget windows that are over.
    fn take(&self, state: &mut Self::State, occurrence: &Occurrence<'_>) -> Option<NaiveDate>;

    /// Forgets what only occurrences before `horizon` could still touch, and says whether there was anything of that kind.
    fn forget_before(&self, state: &mut Self::State, horizon: NaiveDate) -> bool;

    /// How a member stands on `today`.
    fn standing(&self, state: &Self::State, today: NaiveDate) -> Standing;

    /// How a member stands whose limit is reached, so that nothing is remembered of the structure any more.
    fn completed(&self) -> Standing;
}

/// How far a member is towards the next completion of a structure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Standing {
    pub current: Decimal,
    pub required: Decimal,
    pub run_started_on: Option<NaiveDate>,
    pub last_counted_on: Option<NaiveDate>,
    pub deadline_on: Option<NaiveDate>,
}

impl Standing {
    /// A member who has everything there is to earn.
    pub fn complete(required: Decimal) -> Standing {
        Standing {
            current: required,
            required,
            run_started_on: None,
            last_counted_on: None,
            deadline_on: None,
        }
    }
}
