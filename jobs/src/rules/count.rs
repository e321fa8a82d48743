//! `count`: so many matching events within a window complete the structure, and as many again complete it again.

use super::amounts::{Amounts, OfAmounts};
use super::calendar::Window;

/// The settings of a count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Count {
    /// How many events complete it; at least 1.
    pub times: u32,
    /// Where counting begins anew.
    pub window: Window,
}

impl OfAmounts for Count {
    fn amounts(&self) -> Amounts {
        Amounts {
            step: self.times.into(),
            window: self.window,
        }
    }
}
