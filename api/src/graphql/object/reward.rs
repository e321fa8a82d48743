//! Rewards.

use async_graphql::{Context, ID, Object};
use chrono::TimeDelta;
use entity::{partner, reward};

use super::Program;
use crate::auth::access;
use crate::auth::guard::Requires;
use crate::domain;
use crate::graphql::error::ApiError;
use crate::graphql::loader::each::Redeemed;
use crate::graphql::loader::load;
use crate::graphql::permit;
use crate::graphql::scalar::{BigInt, Date, DateTime, Duration};

/// A reward: what members can have for points, or are given by an incentive.
pub struct Reward(pub reward::Model);

/// A reward: what members can have for points, or are given by an incentive.
#[Object]
impl Reward {
    /// Its global id.
    pub async fn id(&self) -> ID {
        self.0.id.to_string().into()
    }

    /// Its short name, unique within the employer.
    async fn key(&self) -> &str {
        &self.0.key
    }

    /// Its name for people.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// More about it, for people; null: nothing.
    async fn description(&self) -> Option<&str> {
        self.0.description.as_deref()
    }

    /// Points for one of it.
    async fn price(&self) -> BigInt {
        BigInt(self.0.price)
    }

    /// The category of these points.
    async fn category(&self) -> &str {
        &self.0.category
    }

    /// How many are left; null: any number.
    async fn stock(&self) -> Option<i32> {
        self.0.stock.map(|stock| i32::try_from(stock).unwrap_or(i32::MAX))
    }

    /// How many one member can have, those that were given included; null: any number.
    async fn per_member(&self) -> Option<i32> {
        self.0
            .per_member
            .map(|most| i32::try_from(most).unwrap_or(i32::MAX))
    }

    /// The first day, in the program's zone, on which it can be asked for; null: from ever.
    async fn available_from(&self) -> Option<Date> {
        self.0.available_from.map(Date)
    }

    /// The last day, in the program's zone, on which it can be asked for; null: for ever.
    async fn available_until(&self) -> Option<Date> {
        self.0.available_until.map(Date)
    }

    /// How long a redemption waits to be fulfilled before it expires; null: for ever.
    async fn hold_for(&self) -> Option<Duration> {
        let seconds = self.0.hold_seconds?;
        TimeDelta::try_seconds(seconds).map(Duration)
    }

    /// The key of the partner that fulfils it; null: the employer itself does.
    async fn fulfilled_by(&self, context: &Context<'_>) -> Result<Option<String>, ApiError> {
        let Some(partner) = self.0.fulfilled_by else {
            return Ok(None);
        };
        let found: Option<partner::Model> = load(context, partner).await?;
        Ok(found.map(|partner| partner.key))
    }

    /// The program it is of.
    async fn program(&self, context: &Context<'_>) -> Result<Program, ApiError> {
        let found = load(context, (self.0.employer_id, self.0.program_id)).await?;
        found
            .map(Program)
            .ok_or(ApiError::Internal("a reward without its program"))
    }

    /// When it was created.
    async fn created_at(&self) -> DateTime {
        self.0.created_at.into()
    }

    /// From when on nobody can ask for it; null: it is not retired.
    async fn retired_at(&self) -> Option<DateTime> {
        self.0.retired_at.map(Into::into)
    }

    /// How many of it members have or wait for, without those that sensitive incentives gave.
    /// Scope: `programs:read`, `reports:read` or `operator`.
    #[graphql(guard = "Requires::<access::ReadRewardRedeemed>::new()")]
    async fn redeemed(&self, context: &Context<'_>) -> Result<BigInt, ApiError> {
        let permit = permit(context)?;
        let counted = load(context, Redeemed((self.0.employer_id, self.0.id))).await?;
        Ok(BigInt(domain::reward::redeemed(&permit, &self.0, counted)?))
    }
}
