//! `immediate`: each matching event completes the structure, on its own day.

use rust_decimal::Decimal;

use super::amounts::{Amounts, OfAmounts};
use super::calendar::Window;

/// The structure without settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Immediate;

impl OfAmounts for Immediate {
    fn amounts(&self) -> Amounts {
        Amounts {
            step: Decimal::ONE,
            window: Window::Ever,
        }
    }
}

#[cfg(test)]
mod tests;
