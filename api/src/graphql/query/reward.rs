//! Rewards.

use async_graphql::{Context, Object};

use crate::auth::access;
use crate::auth::guard::Requires;
use crate::domain;
use crate::graphql::error::ApiError;
use crate::graphql::object::Reward;
use crate::graphql::{app, permit};

/// Rewards.
#[derive(Default)]
pub struct RewardQuery;

/// Rewards.
#[Object]
impl RewardQuery {
    /// The reward of this key. Null: there is none that this token may see.
    /// Scope: `programs:read`, `redemptions:write`, `member:self`, `member:any` or `operator`.
    #[graphql(guard = "Requires::<access::ReadReward>::new()")]
    async fn reward(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Its key.")] key: String,
        #[graphql(
            desc = "The key of the employer; the token's own unless given. The operator must give it."
        )]
        employer: Option<String>,
    ) -> Result<Option<Reward>, ApiError> {
        let found = domain::reward::find(app(context)?, permit(context)?, employer.as_deref(), &key).await?;
        Ok(found.map(Reward))
    }
}
