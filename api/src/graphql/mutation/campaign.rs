//! Campaigns: created, changed, paused, resumed, archived.

mod input;

use async_graphql::{Context, InputObject, Object, SimpleObject};
use entity::campaign::Model;

use crate::auth::access;
use crate::auth::guard::Requires;
use crate::domain;
use crate::graphql::error::{ApiError, UserError, settle};
use crate::graphql::object::incentive::Period;
use crate::graphql::object::{Campaign, Employer};
use crate::graphql::{app, permit};
use input::{CreateCampaignInput, UpdateCampaignInput, cap_period};

macro_rules! key_input {
    ($(#[$doc:meta] $name:ident),+) => {$(
        #[$doc]
        #[derive(InputObject)]
        pub struct $name {
            /// The key of the employer; the token's own unless given. The operator must give it.
            employer: Option<String>,
            /// The key of the campaign.
            campaign: String,
        }
    )+};
}

key_input! {
    /// A campaign that is to wait.
    PauseCampaignInput,
    /// A campaign that is to go on.
    ResumeCampaignInput,
    /// A campaign that is to end.
    ArchiveCampaignInput
}

/// How many messages of all campaigns a member is to get at most. Both are given, or neither: then any number.
#[derive(InputObject)]
pub struct SetMessageCapInput {
    /// The key of the employer; the token's own unless given. The operator must give it.
    employer: Option<String>,
    /// How many, from 1 to 1,000.
    at_most: Option<i32>,
    /// In which calendar period, where the member lives.
    per: Option<Period>,
}

macro_rules! payload {
    ($(#[$doc:meta] $name:ident),+) => {$(
        #[$doc]
        #[derive(SimpleObject)]
        pub struct $name {
            /// The campaign as it is now.
            campaign: Option<Campaign>,
            /// What the caller can mend.
            user_errors: Vec<UserError>,
        }

        impl $name {
            fn of(outcome: domain::Outcome<Model>) -> Result<Self, ApiError> {
                let (made, user_errors) = settle(outcome)?;
                Ok(Self { campaign: made.map(Campaign), user_errors })
            }
        }
    )+};
}

payload! {
    /// What came of `createCampaign`.
    CreateCampaignPayload,
    /// What came of `updateCampaign`.
    UpdateCampaignPayload,
    /// What came of `pauseCampaign`.
    PauseCampaignPayload,
    /// What came of `resumeCampaign`.
    ResumeCampaignPayload,
    /// What came of `archiveCampaign`.
    ArchiveCampaignPayload
}

/// What came of `setMessageCap`.
#[derive(SimpleObject)]
pub struct SetMessageCapPayload {
    /// The employer as it is now.
    employer: Option<Employer>,
    /// What the caller can mend.
    user_errors: Vec<UserError>,
}

/// Campaigns: created, changed, paused, resumed, archived.
#[derive(Default)]
pub struct CampaignMutation;

/// Campaigns: created, changed, paused, resumed, archived.
#[Object]
impl CampaignMutation {
    /// Creates a campaign. It sends nothing by itself unless it has a schedule: incentives name it in an outcome, `{message: {campaign}}`.
    /// Scope: `programs:write` or `operator`.
    #[graphql(guard = "Requires::<access::CreateCampaign>::new()")]
    async fn create_campaign(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The campaign.")] input: CreateCampaignInput,
    ) -> Result<CreateCampaignPayload, ApiError> {
        let outcome = domain::campaign::create(app(context)?, permit(context)?, input.into()).await;
        CreateCampaignPayload::of(outcome)
    }

    /// Changes what a campaign says, and its limits, for every message that is decided from then on. What it works towards, its control group
    /// and its schedule stay as they are. Scope: `programs:write` or `operator`.
    #[graphql(guard = "Requires::<access::UpdateCampaign>::new()")]
    async fn update_campaign(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The campaign, and what is to change.")] input: UpdateCampaignInput,
    ) -> Result<UpdateCampaignPayload, ApiError> {
        let outcome = domain::campaign::update(app(context)?, permit(context)?, input.into()).await;
        UpdateCampaignPayload::of(outcome)
    }

    /// Pauses a campaign: its messages wait as long as their `timeToLive` lasts, and its schedule does not run.
    /// Scope: `programs:write` or `operator`.
    #[graphql(guard = "Requires::<access::PauseCampaign>::new()")]
    async fn pause_campaign(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The campaign.")] input: PauseCampaignInput,
    ) -> Result<PauseCampaignPayload, ApiError> {
        let (employer, key) = (input.employer.as_deref(), input.campaign.as_str());
        PauseCampaignPayload::of(
            domain::campaign::pause(app(context)?, permit(context)?, employer, key).await,
        )
    }

    /// Resumes a campaign: what still waits is decided, and its schedule runs from now on; what a pause has left out of it is not made up
    /// for. Scope: `programs:write` or `operator`.
    #[graphql(guard = "Requires::<access::ResumeCampaign>::new()")]
    async fn resume_campaign(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The campaign.")] input: ResumeCampaignInput,
    ) -> Result<ResumeCampaignPayload, ApiError> {
        let (employer, key) = (input.employer.as_deref(), input.campaign.as_str());
        let outcome = domain::campaign::resume(app(context)?, permit(context)?, employer, key).await;
        ResumeCampaignPayload::of(outcome)
    }

    /// Archives a campaign, for good: nothing of it is sent any more, not even what waits. Scope: `programs:write` or `operator`.
    #[graphql(guard = "Requires::<access::ArchiveCampaign>::new()")]
    async fn archive_campaign(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The campaign.")] input: ArchiveCampaignInput,
    ) -> Result<ArchiveCampaignPayload, ApiError> {
        let (employer, key) = (input.employer.as_deref(), input.campaign.as_str());
        let outcome = domain::campaign::archive(app(context)?, permit(context)?, employer, key).await;
        ArchiveCampaignPayload::of(outcome)
    }

    /// Says how many messages of all campaigns together a member gets at most, but for transactional ones. What a campaign does with more
    /// it says in its own `cap`; without one they are not sent. Scope: `programs:write` or `operator`.
    #[graphql(guard = "Requires::<access::SetMessageCap>::new()")]
    async fn set_message_cap(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "How many, in which period.")] input: SetMessageCapInput,
    ) -> Result<SetMessageCapPayload, ApiError> {
        let cap = (input.at_most, input.per.map(cap_period));
        let employer = input.employer.as_deref();
        let outcome = domain::campaign::set_cap(app(context)?, permit(context)?, employer, cap).await;
        let (employer, user_errors) = settle(outcome)?;
        Ok(SetMessageCapPayload {
            employer: employer.map(Employer),
            user_errors,
        })
    }
}
