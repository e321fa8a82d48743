//! Points that follow from an award, or from each event.

use entity::ledger;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::RetractionPolicy;
use crate::rules::calendar::{Span, Window};
use crate::rules::points::{Cap, Excess, Rounding, Worth};

/// The kind of points where none is named.
pub const DEFAULT_CATEGORY: &str = "points";

/// Points that the member gets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PointsOutcome {
    /// Of which kind.
    pub category: String,
    /// So many; none: so many for each unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<i64>,
    /// So many for each unit; none: a fixed amount.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_unit: Option<PerUnit>,
    /// By how much they are multiplied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub multiplier: Option<Decimal>,
    /// How long they can be spent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_after: Option<Span>,
    /// How long they cannot be spent yet, in seconds: from when they are recorded, or from the event that releases them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending_for: Option<i64>,
    /// Which event releases them; none: they need not be released.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending_until: Option<ReleaseOutcome>,
    /// How many one member can get.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cap: Option<CapOutcome>,
    /// Which events take parts of them back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refund: Option<RefundOutcome>,
    /// What becomes of them when they no longer hold; none: by the other outcomes, else by the incentive's sensitivity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_retraction: Option<RetractionPolicy>,
}

/// Points for each unit of what an event says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PerUnit {
    /// The bare path of the property that says how many units there are.
    pub property: String,
    /// Points for one unit.
    pub points: Decimal,
    /// What becomes of parts of a point.
    #[serde(default)]
    pub rounding: Rounding,
}

/// How many points of an incentive one member can get in a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CapOutcome {
    /// So many.
    pub amount: i64,
    /// In each such window.
    pub window: Window,
    /// What becomes of those beyond.
    #[serde(default)]
    pub excess: Excess,
}

/// Which events take parts of what an order has earned back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RefundOutcome {
    /// The key of their type.
    pub event_type: String,
    /// The bare path of the property that names the order, in the order and in its refund.
    #[serde(rename = "match")]
    pub match_on: String,
    /// What is done where the points were spent already.
    #[serde(default)]
    pub shortfall: Shortfall,
}

/// Which event releases what an order has earned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReleaseOutcome {
    /// The key of its type.
    pub event_type: String,
    /// The bare path of the property that names the order, in the order and in the event that releases it.
    #[serde(rename = "match")]
    pub match_on: String,
}

/// What is done where points that are to be taken back were spent already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Shortfall {
    /// Other points are taken as well; what is still missing is forgiven.
    #[default]
    Forgive,
    /// Other points are taken as well; what is still missing is taken from what is earned next.
    Net,
}

impl PointsOutcome {
    /// How many points one thing is worth.
    pub fn worth(&self) -> Worth {
        match &self.per_unit {
            Some(per_unit) => Worth::PerUnit {
                points: per_unit.points,
                rounding: per_unit.rounding,
            },
            None => Worth::Fixed(self.amount.unwrap_or(0)),
        }
    }

    /// The bare path of the property that names the order they are earned for; none: each event stands for itself.
    pub fn order_name(&self) -> Option<&str> {
        let refund = self.refund.as_ref().map(|refund| refund.match_on.as_str());
        let release = self
            .pending_until
            .as_ref()
            .map(|release| release.match_on.as_str());
        refund.or(release)
    }

    /// Its cap, as the rules see it.
    pub fn cap(&self) -> Option<Cap> {
        self.cap.map(|cap| Cap {
            amount: cap.amount,
            window: cap.window,
            excess: cap.excess,
        })
    }

    /// What is done where points that a refund takes back were spent already.
    pub fn shortfall(&self) -> ledger::Shortfall {
        match self.refund.as_ref().map(|refund| refund.shortfall) {
            Some(Shortfall::Net) => ledger::Shortfall::Net,
            Some(Shortfall::Forgive) | None => ledger::Shortfall::Forgive,
        }
    }
}
