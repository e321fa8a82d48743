//! `total`: the values of a numeric property are added up within a window, and each time the sum passes a multiple of what is
//! asked for, the structure is completed.
//!
//! Only values above zero count: what is taken back is a refund or a retraction, not a negative amount.

use rust_decimal::Decimal;

use super::amounts::{Amounts, OfAmounts};
use super::calendar::Window;

/// The settings of a total. Which property is added up is said by the incentive, which reads it from the event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Total {
    /// What completes it; greater than zero.
    pub at_least: Decimal,
    /// Where adding up begins anew.
    pub window: Window,
}

impl OfAmounts for Total {
    fn amounts(&self) -> Amounts {
        Amounts {
            step: self.at_least,
            window: self.window,
        }
    }
}
