//! Points of members: balances and history.

use async_graphql::{Context, Enum, ID, Object, SimpleObject};
use entity::ledger::EntryKind;
use entity::ledger::read::Balance;

use super::Incentive;
use crate::domain::points;
use crate::graphql::error::ApiError;
use crate::graphql::loader::load;
use crate::graphql::scalar::{BigInt, DateTime};

/// A member's points of one category, at the instant of asking.
#[derive(SimpleObject)]
pub struct PointsBalance {
    /// The kind of points.
    category: String,
    /// What can be spent.
    available: BigInt,
    /// What cannot be spent yet.
    pending: BigInt,
    /// What was taken back after it was spent, and is taken from what is earned next; it is no part of the other two.
    debt: BigInt,
    /// When the next of the available points end: the first instant at which they can no longer be spent. Null: none ever does.
    next_expiry: Option<DateTime>,
    /// How many end then; null: none ever does.
    next_expiry_amount: Option<BigInt>,
}

impl PointsBalance {
    /// The balance of a category.
    pub fn new(category: String, balance: &Balance) -> Self {
        Self {
            category,
            available: BigInt(balance.available),
            pending: BigInt(balance.pending),
            debt: BigInt(balance.debt),
            next_expiry: balance.next_expiry.map(|(end, _)| end.into()),
            next_expiry_amount: balance.next_expiry.map(|(_, amount)| BigInt(amount)),
        }
    }
}

/// What has happened to the points of a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "EntryKind")]
pub enum PointsEntryKind {
    /// Points were earned.
    Earned,
    /// An administrator has corrected them.
    Adjusted,
    /// Points were spent on a reward.
    Redeemed,
    /// A redemption has come to nothing, and its points are back.
    Returned,
    /// Points have ended unspent.
    Expired,
    /// Points were taken back, as what they were earned for no longer holds.
    ClawedBack,
}

/// A line of a member's points: what came or went, when and why. It never changes.
pub struct PointsEntry(pub points::Entry);

/// A line of a member's points: what came or went, when and why. It never changes.
#[Object]
impl PointsEntry {
    /// Its global id.
    pub async fn id(&self) -> ID {
        self.0.line.id.to_string().into()
    }

    /// The kind of points.
    async fn category(&self) -> &str {
        &self.0.line.category
    }

    /// By how many points the balance has changed; less than 0 for those that went.
    async fn amount(&self) -> BigInt {
        BigInt(self.0.line.amount)
    }

    /// What has happened.
    async fn kind(&self) -> PointsEntryKind {
        self.0.line.kind.into()
    }

    /// Why, in a sentence for the member, by the names that incentives and rewards have now. To an administrator of what is sensitive:
    /// `Confidential`.
    async fn reason(&self) -> &str {
        &self.0.reason
    }

    /// When it was recorded.
    async fn recorded_at(&self) -> DateTime {
        self.0.line.recorded_at.into()
    }

    /// The points of this category after it, those included that cannot be spent yet.
    async fn balance_after(&self) -> BigInt {
        BigInt(self.0.line.balance_after)
    }

    /// The incentive by which points were earned or taken back. Null: there is none, or it is sensitive and an administrator asks.
    async fn incentive(&self, context: &Context<'_>) -> Result<Option<Incentive>, ApiError> {
        match self.0.line.incentive_id {
            None => Ok(None),
            Some(id) => {
                let found = load(context, (self.0.line.employer_id, id)).await?;
                Ok(found.map(Incentive))
            }
        }
    }
}
