//! Rewards: put up, changed, retired.

use async_graphql::{Context, InputObject, MaybeUndefined, Object, SimpleObject};
use entity::reward::Model;

use crate::auth::access;
use crate::auth::guard::Requires;
use crate::domain;
use crate::graphql::error::{ApiError, UserError, settle};
use crate::graphql::mutation::given;
use crate::graphql::object::Reward;
use crate::graphql::scalar::{BigInt, Date, Duration};
use crate::graphql::{app, permit};

/// A new reward.
#[derive(InputObject)]
pub struct CreateRewardInput {
    /// The key of the employer; the token's own unless given. The operator must give it.
    employer: Option<String>,
    /// The key of the program; may be left out where the employer has only one that has not ended.
    program: Option<String>,
    /// Its short name, of the form of an employer's key; unique within the employer.
    key: String,
    /// Its name for people, 1 to 200 characters.
    name: String,
    /// More about it, for people, at most 2,000 characters.
    description: Option<String>,
    /// Points for one of it, from 0 to 1,000,000,000.
    price: BigInt,
    /// The category of these points.
    #[graphql(default_with = "Some(\"points\".to_owned())")]
    category: Option<String>,
    /// How many there are; any number unless given.
    stock: Option<i32>,
    /// How many one member can have, from 1, those that incentives give included; any number unless given.
    per_member: Option<i32>,
    /// The first day, in the program's zone, on which it can be asked for; from ever unless given.
    available_from: Option<Date>,
    /// The last day, in the program's zone, on which it can be asked for; for ever unless given.
    available_until: Option<Date>,
    /// How long a redemption waits to be fulfilled before it expires, from PT1S to P3650D; for ever unless given.
    hold_for: Option<Duration>,
    /// The key of the partner that fulfils it, and is told of each redemption; the employer itself unless given.
    fulfilled_by: Option<String>,
}

impl From<CreateRewardInput> for domain::reward::Create {
    fn from(input: CreateRewardInput) -> Self {
        Self {
            employer: input.employer,
            program: input.program,
            key: input.key,
            name: input.name,
            description: input.description,
            price: input.price.0,
            category: input.category.unwrap_or_else(|| "points".to_owned()),
            stock: input.stock,
            per_member: input.per_member,
            available_from: input.available_from.map(|date| date.0),
            available_until: input.available_until.map(|date| date.0),
            hold_for: input.hold_for.map(|hold| hold.0),
            fulfilled_by: input.fulfilled_by,
        }
    }
}

/// What is to change of a reward. What is left out stays as it is; what was asked for before stays as it was asked for.
#[derive(InputObject)]
pub struct UpdateRewardInput {
    /// The key of the employer; the token's own unless given. The operator must give it.
    employer: Option<String>,
    /// The key of the reward.
    reward: String,
    /// Its name for people, 1 to 200 characters.
    name: Option<String>,
    /// More about it, for people, at most 2,000 characters; `null`: nothing.
    description: MaybeUndefined<String>,
    /// Points for one of it, from 0 to 1,000,000,000.
    price: Option<BigInt>,
    /// How many are left from now on; `null`: any number.
    stock: MaybeUndefined<i32>,
    /// How many one member can have, from 1; `null`: any number.
    per_member: MaybeUndefined<i32>,
    /// The first day, in the program's zone, on which it can be asked for; `null`: from ever.
    available_from: MaybeUndefined<Date>,
    /// The last day, in the program's zone, on which it can be asked for; `null`: for ever.
    available_until: MaybeUndefined<Date>,
    /// How long a redemption from now on waits to be fulfilled, from PT1S to P3650D; `null`: for ever.
    hold_for: MaybeUndefined<Duration>,
}

impl From<UpdateRewardInput> for domain::reward::Update {
    fn from(input: UpdateRewardInput) -> Self {
        Self {
            employer: input.employer,
            reward: input.reward,
            name: input.name,
            description: given(input.description),
            price: input.price.map(|price| price.0),
            stock: given(input.stock),
            per_member: given(input.per_member),
            available_from: given(input.available_from).map(|date| date.map(|date| date.0)),
            available_until: given(input.available_until).map(|date| date.map(|date| date.0)),
            hold_for: given(input.hold_for).map(|hold| hold.map(|hold| hold.0)),
        }
    }
}

/// A reward that is to be retired.
#[derive(InputObject)]
pub struct RetireRewardInput {
    /// The key of the employer; the token's own unless given. The operator must give it.
    employer: Option<String>,
    /// The key of the reward.
    reward: String,
}

/// What came of `createReward`.
#[derive(SimpleObject)]
pub struct CreateRewardPayload {
    /// The reward.
    reward: Option<Reward>,
    /// What the caller can mend.
    user_errors: Vec<UserError>,
}

/// What came of `updateReward`.
#[derive(SimpleObject)]
pub struct UpdateRewardPayload {
    /// The reward as it is now.
    reward: Option<Reward>,
    /// What the caller can mend.
    user_errors: Vec<UserError>,
}

/// What came of `retireReward`.
#[derive(SimpleObject)]
pub struct RetireRewardPayload {
    /// The reward as it is now.
    reward: Option<Reward>,
    /// What the caller can mend.
    user_errors: Vec<UserError>,
}

fn shown(outcome: domain::Outcome<Model>) -> Result<(Option<Reward>, Vec<UserError>), ApiError> {
    let (made, user_errors) = settle(outcome)?;
    Ok((made.map(Reward), user_errors))
}

/// Rewards: put up, changed, retired.
#[derive(Default)]
pub struct RewardMutation;

/// Rewards: put up, changed, retired.
#[Object]
impl RewardMutation {
    /// Creates a reward. Scope: `programs:write` or `operator`.
    #[graphql(guard = "Requires::<access::CreateReward>::new()")]
    async fn create_reward(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The reward.")] input: CreateRewardInput,
    ) -> Result<CreateRewardPayload, ApiError> {
        let outcome = domain::reward::create(app(context)?, permit(context)?, input.into()).await;
        let (reward, user_errors) = shown(outcome)?;
        Ok(CreateRewardPayload { reward, user_errors })
    }

    /// Changes a reward. Its category and who fulfils it stay as they are. Scope: `programs:write` or `operator`.
    #[graphql(guard = "Requires::<access::UpdateReward>::new()")]
    async fn update_reward(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The reward, and what is to change.")] input: UpdateRewardInput,
    ) -> Result<UpdateRewardPayload, ApiError> {
        let outcome = domain::reward::update(app(context)?, permit(context)?, input.into()).await;
        let (reward, user_errors) = shown(outcome)?;
        Ok(UpdateRewardPayload { reward, user_errors })
    }

    /// Retires a reward, for good: nobody can ask for it any more. What was asked for is still fulfilled, and what an incentive
    /// promises is still given. Scope: `programs:write` or `operator`.
    #[graphql(guard = "Requires::<access::RetireReward>::new()")]
    async fn retire_reward(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The reward.")] input: RetireRewardInput,
    ) -> Result<RetireRewardPayload, ApiError> {
        let (employer, key) = (input.employer.as_deref(), input.reward.as_str());
        let outcome = domain::reward::retire(app(context)?, permit(context)?, employer, key).await;
        let (reward, user_errors) = shown(outcome)?;
        Ok(RetireRewardPayload { reward, user_errors })
    }
}
