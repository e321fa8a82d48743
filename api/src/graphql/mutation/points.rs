//! Points that are corrected by hand.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};
use jobs::outcome::DEFAULT_CATEGORY;

use crate::auth::access;
use crate::auth::guard::Requires;
use crate::domain;
use crate::graphql::error::{ApiError, UserError, settle};
use crate::graphql::scalar::BigInt;
use crate::graphql::{app, permit};

/// A correction by hand.
#[derive(InputObject)]
pub struct AdjustPointsInput {
    /// The key of the employer; the token's own unless given. The operator must give it.
    employer: Option<String>,
    /// The member's external id.
    member: String,
    /// Which points: 1 to 63 of A-Z, a-z, 0-9, `.`, `_`, `-`, the first a letter or digit.
    #[graphql(default_with = "Some(DEFAULT_CATEGORY.to_owned())")]
    category: Option<String>,
    /// How many points are added or, below 0, taken; at most 1,000,000,000 either way, and not 0. What is added can be spent at once and
    /// never ends; what the member owes goes off first.
    amount: BigInt,
    /// Why, 1 to 200 characters. Kept beside the entry, until the member is erased.
    reason: String,
    /// The caller's own name for this request, 1 to 200 visible characters of ASCII. Asked for again by the same key it is not done
    /// again.
    idempotency_key: String,
}

/// What came of `adjustPoints`.
#[derive(SimpleObject)]
pub struct AdjustPointsPayload {
    /// The entry of the ledger.
    entry_id: Option<ID>,
    /// What the member can spend now.
    available: Option<BigInt>,
    /// What the member has earned and cannot spend yet.
    pending: Option<BigInt>,
    /// What the caller can mend.
    user_errors: Vec<UserError>,
}

/// Points that are corrected by hand.
#[derive(Default)]
pub struct PointsMutation;

/// Points that are corrected by hand.
#[Object]
impl PointsMutation {
    /// Corrects a member's points by hand: adds some, or takes some that could be spent, never more than there are
    /// (`INSUFFICIENT_POINTS`). Once for each `idempotencyKey`: asked for again with the same input it answers with the same entry and
    /// the balance of now, with another input it is a `CONFLICT`.
    /// Scope: `points:write`.
    #[graphql(guard = "Requires::<access::AdjustPoints>::new()")]
    async fn adjust_points(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The correction.")] input: AdjustPointsInput,
    ) -> Result<AdjustPointsPayload, ApiError> {
        let adjust = domain::adjustment::Adjust {
            employer: input.employer,
            member: input.member,
            category: input.category.unwrap_or_else(|| DEFAULT_CATEGORY.to_owned()),
            amount: input.amount.0,
            reason: input.reason,
            idempotency_key: input.idempotency_key,
        };
        let outcome = domain::adjustment::adjust(app(context)?, permit(context)?, &adjust).await;
        let (made, user_errors) = settle(outcome)?;
        Ok(AdjustPointsPayload {
            entry_id: made.as_ref().map(|made| ID(made.entry.to_string())),
            available: made.as_ref().map(|made| BigInt(made.available)),
            pending: made.as_ref().map(|made| BigInt(made.pending)),
            user_errors,
        })
    }
}
