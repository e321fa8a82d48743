//! What one request pays, from its first byte to the last it is told.

use async_graphql::{Value as Told, value};
use chrono::{DateTime, Utc};
use serde_json::Value;

use super::{Limits, Rate, Taken};

/// The budget that a request is paid from, and what it has cost so far.
#[derive(Debug, Clone)]
pub struct Purse {
    limits: Limits,
    who: String,
    paid: u64,
    taken: Taken,
    requested: u64,
}

impl Purse {
    /// The budget of `who`, for a request that has paid nothing yet.
    pub fn new(limits: Limits, who: String) -> Self {
        let taken = Taken {
            is_enough: true,
            left: 0,
            wait: 0,
        };
        Self {
            limits,
            who,
            paid: 0,
            taken,
            requested: 0,
        }
    }

    /// Pays so many units more.
    ///
    /// # Errors
    /// The budget does not hold them, and they were not taken: the seconds until it holds all that the request costs.
    pub fn pay(&mut self, now: DateTime<Utc>, units: u64) -> Result<(), u32> {
        self.requested = self.paid.saturating_add(units);
        self.taken = self.limits.take_after(&self.who, now, units, self.paid);
        if self.taken.is_enough {
            self.paid = self.requested;
            Ok(())
        } else {
            Err(self.taken.wait)
        }
    }

    /// What is left, and how long to wait, as it was found last.
    pub fn taken(&self) -> Taken {
        self.taken
    }

    /// `extensions.cost` of the answer: in units what the request costs, what is left, what a full budget holds, and what comes back in
    /// a second.
    pub fn cost(&self) -> Told {
        let Rate { burst, restore } = self.limits.rate;
        value!({
            "requested": self.requested, "available": self.taken.left, "maximum": burst, "restoreRate": restore,
        })
    }

    /// The same for an answer that GraphQL had no part in.
    pub fn cost_json(&self) -> Value {
        self.cost().into_json().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_request_cannot_pay_to_the_end_says_how_long_until_it_can_pay_all_of_it() {
        let limits = Limits::new(Rate {
            burst: 10,
            restore: 1,
        });
        let now = DateTime::UNIX_EPOCH;
        let mut purse = Purse::new(limits.clone(), "a".to_owned());
        assert_eq!(purse.pay(now, 2), Ok(()));
        assert_eq!(
            purse.cost_json(),
            serde_json::json!({"requested": 2, "available": 8, "maximum": 10, "restoreRate": 1})
        );
        assert_eq!(limits.take("a", now, 4).left, 4);
        // Four are left, and it will need seven again: five and the two it has paid.
        assert_eq!(purse.pay(now, 5), Err(3));
        assert_eq!(
            purse.cost_json(),
            serde_json::json!({"requested": 7, "available": 4, "maximum": 10, "restoreRate": 1})
        );
        let later = DateTime::from_timestamp(3, 0).unwrap();
        let mut again = Purse::new(limits, "a".to_owned());
        assert_eq!(again.pay(later, 2), Ok(()));
        assert_eq!(again.pay(later, 5), Ok(()));
        assert_eq!(again.taken().left, 0);
    }

    #[test]
    fn what_costs_more_than_a_full_budget_in_two_parts_can_still_be_had() {
        let limits = Limits::new(Rate {
            burst: 10,
            restore: 1,
        });
        let mut purse = Purse::new(limits, "a".to_owned());
        assert_eq!(purse.pay(DateTime::UNIX_EPOCH, 2), Ok(()));
        assert_eq!(purse.pay(DateTime::UNIX_EPOCH, 1_000), Ok(()));
        assert_eq!(purse.taken().left, 0);
    }
}
