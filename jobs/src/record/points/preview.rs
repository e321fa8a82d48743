//! What an award would earn, for a dry run: by the same worth, factors and caps, in memory alone.

use std::collections::HashMap;

use chrono::NaiveDate;
use entity::contribution::Contribution;
use rust_decimal::Decimal;
use serde_json::Value;

use super::change::earned_by;
use super::factor_of_award;
use crate::catalogue::{Catalogue, Compiled};
use crate::rules::points::{Cap, Excess, Used};

/// Points of one category that an award would earn, before the cap.
#[derive(Debug, Clone)]
pub(crate) struct Gain {
    category: String,
    day: NaiveDate,
    gross: i64,
    cap: Option<Cap>,
}

/// What an award would earn: by the event that it rests on where events earn by themselves, else by itself.
pub(crate) fn gains(
    catalogue: &Catalogue,
    compiled: &Compiled,
    (version, day): (i32, NaiveDate),
    event: Option<&Contribution>,
    attributes: &Value,
) -> Vec<Gain> {
    let Some(ready) = compiled.ready(version) else {
        return Vec::new();
    };
    if ready.earns_by_event {
        let earned = event.into_iter().flat_map(|row| earned_by(compiled, row));
        let gains = earned.map(|earned| Gain {
            category: earned.outcome.category.clone(),
            day: earned.claim.day,
            gross: earned
                .outcome
                .worth()
                .gross(earned.claim.stated.amount, earned.claim.factor),
            cap: earned.outcome.cap(),
        });
        return gains.collect();
    }
    let gains = ready.outcomes.points.iter().map(|outcome| {
        let factor = factor_of_award(catalogue, compiled, outcome, day, attributes);
        Gain {
            category: outcome.category.clone(),
            day,
            gross: outcome.worth().gross(Decimal::ONE, factor),
            cap: outcome.cap(),
        }
    });
    gains.collect()
}

/// The caps of a dry run.
#[derive(Debug, Default)]
pub(crate) struct Caps(HashMap<(String, String), Used>);

impl Caps {
    /// How many points of an award the caps let through, after those of the awards before it.
    pub fn through(&mut self, gains: &[Gain]) -> i64 {
        let through = gains.iter().map(|gain| {
            let Some(cap) = gain.cap else { return gain.gross };
            let key = (gain.category.clone(), cap.window.key(gain.day));
            let used = self.0.entry(key).or_default();
            if cap.excess == Excess::Reject && used.would_pass(cap.amount, gain.gross) {
                return 0;
            }
            used.change(cap.amount, gain.gross)
        });
        through.sum()
    }
}
