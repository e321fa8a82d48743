//! Points: how many there are for what, what a refund leaves of them, and how a cap cuts them. Values in, values out.
//!
//! What is earned for one cause (an order, another event, an award) is a function of what was said of it, whatever the order in
//! which it was said: how many units there were by the latest statement ([`Stated`]), and how many are left by the latest refund.
//! Points for what is left are rounded once, so any split of refunds takes back what one full refund takes back. The sum of
//! points that a [`Cap`] lets through is a function of their sum before it ([`Used`]), but for those that it rejects.

use chrono::{DateTime, Utc};
use rust_decimal::prelude::ToPrimitive;
use rust_decimal::{Decimal, RoundingStrategy};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::calendar::Window;
use super::{Fault, amounts};

mod boost;

pub use boost::{Boost, Occasion};

/// The most by which points are multiplied, all factors taken together.
pub const FACTOR_MAX: i64 = 100;
/// The most points for one cause. What would be more is a mistake.
pub const GROSS_MAX: i64 = 1_000_000_000_000;

/// What becomes of parts of a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Rounding {
    /// They are dropped.
    #[default]
    Down,
    /// A half or more is a whole.
    HalfUp,
    /// Any part is a whole.
    Up,
}

/// What becomes of points beyond a cap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Excess {
    /// What is beyond it is cut off.
    #[default]
    Cut,
    /// What would go beyond it earns nothing.
    Reject,
}

/// How many points one thing is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Worth {
    /// So many.
    Fixed(i64),
    /// So many for each unit.
    PerUnit {
        /// Points for one unit.
        points: Decimal,
        /// What becomes of parts of a point.
        rounding: Rounding,
    },
}

/// How many points of one incentive and category a member can get in a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cap {
    /// So many.
    pub amount: i64,
    /// In each such window.
    pub window: Window,
    /// What becomes of those beyond.
    pub excess: Excess,
}

/// How much of a cap is used up in a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Used {
    /// The points before the cap.
    pub gross: i64,
    /// Those that were given.
    pub granted: i64,
}

/// A number that was stated at an instant: of the units of an order, or of those that a refund leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stated {
    /// When what stated it happened.
    pub at: DateTime<Utc>,
    /// The number.
    pub amount: Decimal,
}

impl Worth {
    /// The points for so many units, rounded once; at most [`GROSS_MAX`].
    pub fn gross(self, units: Decimal, factor: Decimal) -> i64 {
        let (points, units, rounding) = match self {
            Self::Fixed(amount) => (Decimal::from(amount), Decimal::ONE, Rounding::Down),
            Self::PerUnit { points, rounding } => (points, units, rounding),
        };
        let exact = points
            .checked_mul(units)
            .and_then(|product| product.checked_mul(factor));
        let whole = exact.map(|exact| match rounding {
            Rounding::Down => exact.floor(),
            Rounding::HalfUp => exact.round_dp_with_strategy(0, RoundingStrategy::MidpointAwayFromZero),
            Rounding::Up => exact.ceil(),
        });
        // What does not fit is more than anything.
        whole.map_or(GROSS_MAX, |whole| {
            whole.to_i64().unwrap_or(GROSS_MAX).clamp(0, GROSS_MAX)
        })
    }

    /// The points for an order of so many units of which a refund leaves so many.
    pub fn gross_of(self, units: Decimal, left: Option<Decimal>, factor: Decimal) -> i64 {
        self.gross(left.map_or(units, |left| left.min(units)), factor)
    }
}

impl Stated {
    /// Whether this counts and not the other: what was said last; of what was said at the same instant, the smaller number.
    pub fn supersedes(&self, other: &Self) -> bool {
        self.at > other.at || (self.at == other.at && self.amount < other.amount)
    }

    /// The one that counts.
    pub fn latest(stated: impl IntoIterator<Item = Self>) -> Option<Self> {
        let later = |one: Self, other: Self| if other.supersedes(&one) { other } else { one };
        stated.into_iter().reduce(later)
    }
}

impl Used {
    /// Changes the points before the cap and says by how many those that are given change.
    pub fn change(&mut self, cap: i64, by: i64) -> i64 {
        self.gross = self.gross.saturating_add(by).max(0);
        let wanted = self.gross.min(cap.max(0)).saturating_sub(self.granted);
        let delta = if by > 0 {
            wanted.clamp(0, by)
        } else {
            wanted.clamp(by, 0)
        };
        self.granted = self.granted.saturating_add(delta);
        delta
    }

    /// Whether so many more would be beyond the cap.
    pub fn would_pass(&self, cap: i64, more: i64) -> bool {
        self.gross.saturating_add(more) > cap
    }
}

/// All factors taken together; at most [`FACTOR_MAX`].
pub fn factor(factors: impl IntoIterator<Item = Decimal>) -> Decimal {
    let product = factors
        .into_iter()
        .try_fold(Decimal::ONE, |product, factor| product.checked_mul(factor));
    let most = Decimal::from(FACTOR_MAX);
    product.map_or(most, |product| product.min(most)).normalize()
}

/// The units of an event: the number at a path of its properties; none where there is none above zero.
pub fn units(properties: &Value, path: &str) -> Result<Option<Decimal>, Fault> {
    amounts::read(properties, &names(path))
}

/// The units that a refund leaves: as [`units`], zero included.
pub fn left(properties: &Value, path: &str) -> Result<Option<Decimal>, Fault> {
    let amount = amounts::decimal(properties, &names(path))?;
    Ok(amount.filter(|amount| *amount >= Decimal::ZERO))
}

/// The name that an event gives to its order, in a form in which equal names are equal: texts by their characters, numbers by
/// their value. A text is no number, as everywhere.
pub fn name(properties: &Value, path: &str) -> Option<String> {
    let found = path
        .split('.')
        .try_fold(properties, |value, name| value.as_object()?.get(name));
    match found? {
        Value::String(text) => Some(format!("\"{text}")),
        Value::Number(number) => {
            let text = number.to_string();
            let exact = Decimal::from_str_exact(&text).or_else(|_| Decimal::from_scientific(&text));
            Some(exact.map_or(text, |exact| exact.normalize().to_string()))
        }
        _ => None,
    }
}

fn names(path: &str) -> Vec<String> {
    path.split('.').map(str::to_owned).collect()
}

#[cfg(test)]
mod tests;
