//! Redemptions: asked for, fulfilled, called off.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};
use entity::redemption::Model;

use crate::auth::access;
use crate::auth::guard::Requires;
use crate::domain::{self, redemption::Settle};
use crate::graphql::error::{ApiError, UserError, settle};
use crate::graphql::object::Redemption;
use crate::graphql::{app, permit, viewer};

/// What a member asks for.
#[derive(InputObject)]
pub struct RedeemRewardInput {
    /// The key of the employer; the token's own unless given. The operator must give it.
    employer: Option<String>,
    /// The member's external id.
    member: String,
    /// The key of the reward.
    reward: String,
    /// How many of it, from 1 to 1,000.
    #[graphql(default_with = "Some(1)")]
    quantity: Option<i32>,
    /// The caller's own key of this request, 1 to 200 visible characters of ASCII, unique within the employer. The same key with the same
    /// member, reward and quantity redeems once, however often it is sent; with others it is a `CONFLICT`. A request that was
    /// refused has not used its key.
    idempotency_key: String,
}

/// A redemption that is fulfilled.
#[derive(InputObject)]
pub struct FulfilRedemptionInput {
    /// The key of the employer; the token's own unless given. The operator must give it; a partner need not.
    employer: Option<String>,
    /// The global id of the redemption.
    redemption: ID,
    /// The name for it of whoever fulfils it, such as the number of a voucher or a parcel, 1 to 500 characters.
    reference: Option<String>,
}

/// A redemption that is called off.
#[derive(InputObject)]
pub struct CancelRedemptionInput {
    /// The key of the employer; the token's own unless given. The operator must give it; a partner need not.
    employer: Option<String>,
    /// The global id of the redemption.
    redemption: ID,
    /// Why, for people, 1 to 500 characters.
    reason: String,
}

/// What came of `redeemReward`.
#[derive(SimpleObject)]
pub struct RedeemRewardPayload {
    /// The redemption as it is now.
    redemption: Option<Redemption>,
    /// What the caller can mend.
    user_errors: Vec<UserError>,
}

/// What came of `fulfilRedemption`.
#[derive(SimpleObject)]
pub struct FulfilRedemptionPayload {
    /// The redemption as it is now.
    redemption: Option<Redemption>,
    /// What the caller can mend.
    user_errors: Vec<UserError>,
}

/// What came of `cancelRedemption`.
#[derive(SimpleObject)]
pub struct CancelRedemptionPayload {
    /// The redemption as it is now.
    redemption: Option<Redemption>,
    /// What the caller can mend.
    user_errors: Vec<UserError>,
}

fn shown(
    context: &Context<'_>,
    outcome: domain::Outcome<Model>,
) -> Result<(Option<Redemption>, Vec<UserError>), ApiError> {
    let (made, user_errors) = settle(outcome)?;
    let viewer = viewer(context)?;
    Ok((made.map(|row| Redemption::of(&viewer, row)), user_errors))
}

/// Redemptions: asked for, fulfilled, called off.
#[derive(Default)]
pub struct RedemptionMutation;

/// Redemptions: asked for, fulfilled, called off.
#[Object]
impl RedemptionMutation {
    /// Redeems a reward for a member: takes its price from the member's points, those that end first first, and its quantity from the
    /// stock, and tells the partner that fulfils it, all of it or nothing. Who comes too late has `INSUFFICIENT_POINTS`,
    /// `OUT_OF_STOCK` or `LIMIT_REACHED`; a reward that is retired, out of its dates, or of a program that is not in force has
    /// `INVALID_STATE`. Scope: `redemptions:write`, `member:self` or `member:any`.
    #[graphql(guard = "Requires::<access::RedeemReward>::new()")]
    async fn redeem_reward(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Who asks for what.")] input: RedeemRewardInput,
    ) -> Result<RedeemRewardPayload, ApiError> {
        let redeem = domain::redemption::Redeem {
            employer: input.employer,
            member: input.member,
            reward: input.reward,
            quantity: input.quantity.unwrap_or(1),
            idempotency_key: input.idempotency_key,
        };
        let outcome = domain::redemption::redeem(app(context)?, permit(context)?, redeem).await;
        let (redemption, user_errors) = shown(context, outcome)?;
        Ok(RedeemRewardPayload {
            redemption,
            user_errors,
        })
    }

    /// Says that the member has it: the partner that fulfils the reward, or the employer where no partner does. Again with the same
    /// reference it has the same answer. What is cancelled or expired can no longer be fulfilled.
    /// Scope: `fulfilment:write` or `redemptions:write`.
    #[graphql(guard = "Requires::<access::FulfilRedemption>::new()")]
    async fn fulfil_redemption(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The redemption.")] input: FulfilRedemptionInput,
    ) -> Result<FulfilRedemptionPayload, ApiError> {
        let settle = Settle {
            employer: input.employer,
            redemption: input.redemption.to_string(),
            text: input.reference,
        };
        let outcome = domain::redemption::fulfil(app(context)?, permit(context)?, settle).await;
        let (redemption, user_errors) = shown(context, outcome)?;
        Ok(FulfilRedemptionPayload {
            redemption,
            user_errors,
        })
    }

    /// Calls a held redemption off: its points go back into the lots that they came from, once, what it took goes back into the stock,
    /// and a partner that was told of it learns that. Again it has the same answer. What is fulfilled or expired can no longer be
    /// cancelled. Scope: `fulfilment:write` or `redemptions:write`.
    #[graphql(guard = "Requires::<access::CancelRedemption>::new()")]
    async fn cancel_redemption(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The redemption.")] input: CancelRedemptionInput,
    ) -> Result<CancelRedemptionPayload, ApiError> {
        let settle = Settle {
            employer: input.employer,
            redemption: input.redemption.to_string(),
            text: Some(input.reason),
        };
        let outcome = domain::redemption::cancel(app(context)?, permit(context)?, settle).await;
        let (redemption, user_errors) = shown(context, outcome)?;
        Ok(CancelRedemptionPayload {
            redemption,
            user_errors,
        })
    }
}
