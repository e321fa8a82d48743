//! Incentives and their versions: created, published anew, retired.

mod input;

use async_graphql::{Context, Object, SimpleObject};

use crate::auth::access;
use crate::auth::guard::Requires;
use crate::domain;
use crate::graphql::error::{ApiError, UserError, settle};
use crate::graphql::object::Incentive;
use crate::graphql::{app, permit};
pub use input::{ConditionInput, CreateIncentiveInput, TriggerInput};
use input::{PublishIncentiveInput, RetireIncentiveInput};

/// What came of `createIncentive`.
#[derive(SimpleObject)]
pub struct CreateIncentivePayload {
    /// The incentive, in version 1.
    incentive: Option<Incentive>,
    /// What the caller can mend.
    user_errors: Vec<UserError>,
}

/// What came of `publishIncentive`.
#[derive(SimpleObject)]
pub struct PublishIncentivePayload {
    /// The incentive, with its new version.
    incentive: Option<Incentive>,
    /// The number of the new version.
    version: Option<i32>,
    /// What the caller can mend.
    user_errors: Vec<UserError>,
}

/// What came of `retireIncentive`.
#[derive(SimpleObject)]
pub struct RetireIncentivePayload {
    /// The incentive, retired.
    incentive: Option<Incentive>,
    /// What the caller can mend.
    user_errors: Vec<UserError>,
}

/// Incentives and their versions: created, published anew, retired.
#[derive(Default)]
pub struct IncentiveMutation;

/// Incentives and their versions: created, published anew, retired.
#[Object]
impl IncentiveMutation {
    /// Creates an incentive, in version 1. Scope: `programs:write` or `operator`.
    #[graphql(guard = "Requires::<access::CreateIncentive>::new()")]
    async fn create_incentive(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The incentive.")] input: CreateIncentiveInput,
    ) -> Result<CreateIncentivePayload, ApiError> {
        let outcome = match input.create() {
            Ok(create) => domain::incentive::create(app(context)?, permit(context)?, create).await,
            Err(fault) => Err(fault.into()),
        };
        let (made, user_errors) = settle(outcome)?;
        Ok(CreateIncentivePayload {
            incentive: made.map(Incentive),
            user_errors,
        })
    }

    /// Publishes a new version of an incentive. A version never changes: an event is judged by the version in force when it occurred,
    /// and what was earned stays earned. Scope: `programs:write` or `operator`.
    #[graphql(guard = "Requires::<access::PublishIncentive>::new()")]
    async fn publish_incentive(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The version.")] input: PublishIncentiveInput,
    ) -> Result<PublishIncentivePayload, ApiError> {
        let outcome = match input.publish() {
            Ok(publish) => domain::incentive::publish(app(context)?, permit(context)?, publish).await,
            Err(fault) => Err(fault.into()),
        };
        let (made, user_errors) = settle(outcome)?;
        let (incentive, version) = made.unzip();
        Ok(PublishIncentivePayload {
            incentive: incentive.map(Incentive),
            version,
            user_errors,
        })
    }

    /// Retires an incentive, for good: what happened before still counts when it arrives late, what happens from now on does not.
    /// Scope: `programs:write` or `operator`.
    #[graphql(guard = "Requires::<access::RetireIncentive>::new()")]
    async fn retire_incentive(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The incentive.")] input: RetireIncentiveInput,
    ) -> Result<RetireIncentivePayload, ApiError> {
        let (employer, key) = (input.employer.as_deref(), input.incentive.as_str());
        let outcome = domain::incentive::retire(app(context)?, permit(context)?, employer, key).await;
        let (retired, user_errors) = settle(outcome)?;
        Ok(RetireIncentivePayload {
            incentive: retired.map(Incentive),
            user_errors,
        })
    }
}
