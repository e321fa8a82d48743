//! Campaigns, how they would look, and messages of which nobody knows what came of them.

use async_graphql::connection::Connection;
use async_graphql::{Context, InputObject, Object, SimpleObject};

use crate::auth::access;
use crate::auth::guard::Requires;
use crate::domain;
use crate::domain::campaign::preview::Preview;
use crate::graphql::connection::{Arguments, Cursor, connection};
use crate::graphql::error::{ApiError, UserError, settle};
use crate::graphql::object::{Campaign, Message};
use crate::graphql::scalar::Json;
use crate::graphql::{app, permit};

/// What is to be looked at: a campaign, or templates that are none yet, or a campaign with other templates.
#[derive(InputObject)]
pub struct PreviewCampaignInput {
    /// The key of the employer; the token's own unless given. The operator must give it.
    employer: Option<String>,
    /// The key of a campaign whose templates stand in for those that are not given.
    campaign: Option<String>,
    /// The template of the subject.
    subject: Option<String>,
    /// The subject where something sensitive brings a message about.
    neutral_subject: Option<String>,
    /// The template of the text.
    text: Option<String>,
    /// The template of the HTML.
    html: Option<String>,
    /// What the templates are filled in with: a JSON object with any of `member` (`externalId`, `locale`, `attributes`), `event` (`type`,
    /// `properties`) and `achievement` (`title`, `earnedOn`, `ordinal`). What is left out is made up.
    sample: Option<Json>,
    /// As if something sensitive had brought the message about.
    #[graphql(default_with = "Some(false)")]
    sensitive: Option<bool>,
}

/// How a message would look, as far as there is nothing to mend.
#[derive(SimpleObject)]
pub struct CampaignPreview {
    /// The subject.
    subject: Option<String>,
    /// The text.
    text: Option<String>,
    /// The HTML; null: there is none.
    html: Option<String>,
    /// What the caller can mend.
    user_errors: Vec<UserError>,
}

/// Campaigns, how they would look, and messages of which nobody knows what came of them.
#[derive(Default)]
pub struct CampaignQuery;

/// Campaigns, how they would look, and messages of which nobody knows what came of them.
#[Object]
impl CampaignQuery {
    /// The campaign of this key. Null: there is none that this token may see. Scope: `programs:read` or `operator`.
    #[graphql(guard = "Requires::<access::ReadCampaign>::new()")]
    async fn campaign(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Its key.")] key: String,
        #[graphql(
            desc = "The key of the employer; the token's own unless given. The operator must give it."
        )]
        employer: Option<String>,
    ) -> Result<Option<Campaign>, ApiError> {
        let found =
            domain::campaign::find(app(context)?, permit(context)?, employer.as_deref(), &key).await?;
        Ok(found.map(Campaign))
    }

    /// The employer's campaigns, archived ones too, in the order of their making. Scope: `programs:read` or `operator`.
    #[graphql(guard = "Requires::<access::ListCampaigns>::new()")]
    async fn campaigns(
        &self,
        context: &Context<'_>,
        #[graphql(
            desc = "The key of the employer; the token's own unless given. The operator must give it."
        )]
        employer: Option<String>,
        #[graphql(desc = "At most so many, 1 to 100; 20 unless given.")] first: Option<i32>,
        #[graphql(desc = "Only those after this cursor.")] after: Option<String>,
    ) -> Result<Connection<Cursor, Campaign>, ApiError> {
        let page = Arguments::forward(first, after).page()?;
        let slice =
            domain::campaign::list(app(context)?, permit(context)?, employer.as_deref(), page).await?;
        Ok(connection(slice, |row| row.id, Campaign))
    }

    /// Fills in templates with a sample, in the way in which a message is filled in. Nothing is written or sent, no member is looked at, and
    /// no content source is asked. Scope: `programs:write` or `operator`.
    #[graphql(guard = "Requires::<access::PreviewCampaign>::new()")]
    async fn preview_campaign(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The templates and the sample.")] input: PreviewCampaignInput,
    ) -> Result<CampaignPreview, ApiError> {
        let preview = Preview {
            employer: input.employer,
            campaign: input.campaign,
            subject: input.subject,
            neutral_subject: input.neutral_subject,
            text: input.text,
            html: input.html,
            sample: input.sample.map(|sample| sample.0),
            sensitive: input.sensitive.unwrap_or(false),
        };
        let outcome = domain::campaign::preview::preview(app(context)?, permit(context)?, preview).await;
        let (shown, user_errors) = settle(outcome)?;
        let (subject, text, html) = shown.map_or((None, None, None), |shown| {
            (Some(shown.subject), Some(shown.text), shown.html)
        });
        Ok(CampaignPreview {
            subject,
            text,
            html,
            user_errors,
        })
    }

    /// Messages of which nobody knows whether the mail server has taken them, in the order in which they were brought about: none is sent
    /// again unless a person says so. An administrator does not see whose they are where something sensitive has brought them about.
    /// Scope: `members:read` or `member:any`.
    #[graphql(guard = "Requires::<access::ListUnknownMessages>::new()")]
    async fn unknown_messages(
        &self,
        context: &Context<'_>,
        #[graphql(
            desc = "The key of the employer; the token's own unless given. The operator must give it."
        )]
        employer: Option<String>,
        #[graphql(desc = "At most so many, 1 to 100; 20 unless given.")] first: Option<i32>,
        #[graphql(desc = "Only those after this cursor.")] after: Option<String>,
    ) -> Result<Connection<Cursor, Message>, ApiError> {
        let page = Arguments::forward(first, after).page()?;
        let (app, permit) = (app(context)?, permit(context)?);
        let slice = domain::message::list_unknown(app, permit, employer.as_deref(), page).await?;
        Ok(connection(slice, |row| row.id, Message))
    }
}
