//! `immediate`: each matching event completes the structure, on its own day.
//!
//! Nothing has to be remembered for that; the last day is kept so that a member can be shown it.

use chrono::NaiveDate;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::Occurrence;
use super::structure::{Standing, Structure};

/// The structure without settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Immediate;

/// What is remembered of a member.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Last {
    /// The latest day with a matching event.
    #[serde(rename = "l")]
    on: Option<NaiveDate>,
}

impl Structure for Immediate {
    type State = Last;

    fn start(&self) -> Last {
        Last::default()
    }

    fn is_sound(&self, _: &Last) -> bool {
        true
    }

    fn take(&self, state: &mut Last, occurrence: &Occurrence<'_>) -> Option<NaiveDate> {
        state.on = state.on.max(Some(occurrence.day));
        Some(occurrence.day)
    }

    fn forget_before(&self, _: &mut Last, _: NaiveDate) -> bool {
        false
    }

    fn standing(&self, state: &Last, _: NaiveDate) -> Standing {
        Standing {
            current: Decimal::ZERO,
            last_counted_on: state.on,
            ..self.completed()
        }
    }

    fn completed(&self) -> Standing {
        Standing::complete(Decimal::ONE)
    }
}

#[cfg(test)]
mod tests;
