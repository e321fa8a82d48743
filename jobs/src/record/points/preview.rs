//! What an award would earn, for a dry run: by the same worth, factors, refunds and caps, in memory alone.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use chrono::{DateTime, NaiveDate};
use entity::contribution::Contribution;
use entity::earning::refund::Refund;
use rust_decimal::Decimal;
use serde_json::Value;

use super::change::{earned_by, statement};
use super::factor_of_award;
use crate::catalogue::{Catalogue, Compiled};
use crate::rules::points::{Cap, Excess, Stated, Used, Worth};

/// Points of one category that an award would earn, before the cap.
#[derive(Debug, Clone)]
pub(crate) struct Gain {
    category: String,
    day: NaiveDate,
    worth: Worth,
    stated: Stated,
    factor: Decimal,
    /// The order that it is for; none: it stands for itself.
    order: Option<Vec<u8>>,
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
        let gains = earned.map(|earned| {
            let worth = earned.outcome.worth();
            let claim = earned.claim;
            Gain {
                category: earned.outcome.category.clone(),
                day: claim.day,
                worth,
                stated: claim.stated,
                factor: claim.factor,
                order: earned.is_order.then_some(earned.cause.cause),
                gross: worth.gross(claim.stated.amount, claim.factor),
                cap: earned.outcome.cap(),
            }
        });
        return gains.collect();
    }
    let gains = ready.outcomes.points.iter().map(|outcome| {
        let factor = factor_of_award(catalogue, compiled, outcome, day, attributes);
        let worth = outcome.worth();
        Gain {
            category: outcome.category.clone(),
            day,
            worth,
            stated: Stated {
                at: DateTime::UNIX_EPOCH,
                amount: Decimal::ONE,
            },
            factor,
            order: None,
            gross: worth.gross(Decimal::ONE, factor),
            cap: outcome.cap(),
        }
    });
    gains.collect()
}

/// Lets an order earn once, by the latest word of it, and only for what refunds leave of it.
pub(crate) fn settle_orders<'a>(gains: impl IntoIterator<Item = &'a mut Gain>, refunds: &[Refund]) {
    let mut left: HashMap<&[u8], Vec<Stated>> = HashMap::new();
    for refund in refunds {
        let said = statement(Some(&refund.remaining), Some(refund.occurred_at));
        left.entry(&refund.cause).or_default().extend(said);
    }
    let mut latest: HashMap<(String, Vec<u8>), &'a mut Gain> = HashMap::new();
    for gain in gains {
        let Some(order) = gain.order.clone() else { continue };
        let refunded = left.get(order.as_slice()).into_iter().flatten().copied();
        let left = Stated::latest(refunded).map(|left| left.amount);
        gain.gross = gain.worth.gross_of(gain.stated.amount, left, gain.factor);
        match latest.entry((gain.category.clone(), order)) {
            Entry::Vacant(place) => {
                place.insert(gain);
            }
            Entry::Occupied(mut place) => {
                if gain.stated.supersedes(&place.get().stated) {
                    place.insert(gain).gross = 0;
                } else {
                    gain.gross = 0;
                }
            }
        }
    }
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
