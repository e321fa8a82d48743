//! Webhook endpoints, of a partner or of an employer's mobile backend.

use async_graphql::{Context, ID, InputObject, MaybeUndefined, Object, SimpleObject};

use super::given;
use crate::auth::access;
use crate::auth::guard::Requires;
use crate::domain::webhook::{Change, Named, Replay, Wanted};
use crate::domain::{self};
use crate::graphql::error::{ApiError, UserError, settle};
use crate::graphql::object::WebhookEndpoint;
use crate::graphql::object::feed::FeedEntryKind;
use crate::graphql::scalar::BigInt;
use crate::graphql::{app, permit};

/// A new webhook endpoint.
#[derive(InputObject)]
pub struct CreateWebhookEndpointInput {
    /// The key of the employer whose mobile backend it is of; the token's own unless given. The operator must give it, a partner must not.
    employer: Option<String>,
    /// Where it is: https, at a host on the public internet, on port 443 or one from 1024 on; at most 2,000 characters, without a user
    /// name, a password or a fragment.
    url: String,
    /// What it is for, for people, at most 2,000 characters.
    description: Option<String>,
    /// The kinds of entries it is told of; all unless given.
    kinds: Option<Vec<FeedEntryKind>>,
}

/// What is to change of an endpoint. What is left out stays as it is.
#[derive(InputObject)]
pub struct UpdateWebhookEndpointInput {
    /// The key of the employer whose mobile backend it is of; the token's own unless given. The operator must give it, a partner must not.
    employer: Option<String>,
    /// The global id of the endpoint.
    endpoint: ID,
    /// Where it is, as when it is created. What waits is sent there too. Null leaves it as it is.
    url: Option<String>,
    /// What it is for, for people, at most 2,000 characters; null: nothing.
    description: MaybeUndefined<String>,
    /// The kinds of entries it is told of from now on; null: all.
    kinds: MaybeUndefined<Vec<FeedEntryKind>>,
}

/// An endpoint.
#[derive(InputObject)]
pub struct DeleteWebhookEndpointInput {
    /// The key of the employer whose mobile backend it is of; the token's own unless given. The operator must give it, a partner must not.
    employer: Option<String>,
    /// The global id of the endpoint.
    endpoint: ID,
}

/// An endpoint.
#[derive(InputObject)]
pub struct RotateWebhookSecretInput {
    /// The key of the employer whose mobile backend it is of; the token's own unless given. The operator must give it, a partner must not.
    employer: Option<String>,
    /// The global id of the endpoint.
    endpoint: ID,
}

/// An endpoint.
#[derive(InputObject)]
pub struct ResumeWebhookEndpointInput {
    /// The key of the employer whose mobile backend it is of; the token's own unless given. The operator must give it, a partner must not.
    employer: Option<String>,
    /// The global id of the endpoint.
    endpoint: ID,
}

/// An endpoint.
#[derive(InputObject)]
pub struct TestWebhookEndpointInput {
    /// The key of the employer whose mobile backend it is of; the token's own unless given. The operator must give it, a partner must not.
    employer: Option<String>,
    /// The global id of the endpoint.
    endpoint: ID,
}

/// What is to be sent again.
#[derive(InputObject)]
pub struct ReplayWebhooksInput {
    /// The key of the employer whose mobile backend it is of; the token's own unless given. The operator must give it, a partner must not.
    employer: Option<String>,
    /// The global id of the endpoint.
    endpoint: ID,
    /// From this position of the feed on; from the beginning unless given.
    from_position: Option<BigInt>,
    /// Up to this position of the feed; to the end unless given.
    to_position: Option<BigInt>,
    /// Only these entries, by their global ids, 1 to 100.
    entries: Option<Vec<ID>>,
    /// Only what has failed and was not delivered since. Otherwise every entry, also one of before the endpoint was created; then at most
    /// 10,000 positions at once.
    #[graphql(default_with = "Some(false)")]
    failed_only: Option<bool>,
}

/// What came of `createWebhookEndpoint`.
#[derive(SimpleObject)]
pub struct CreateWebhookEndpointPayload {
    /// The endpoint.
    endpoint: Option<WebhookEndpoint>,
    /// Its secret, `whsec_` and 32 bytes in base64, shown here and never again.
    secret: Option<String>,
    /// What the caller can mend.
    user_errors: Vec<UserError>,
}

/// What came of `updateWebhookEndpoint`.
#[derive(SimpleObject)]
pub struct UpdateWebhookEndpointPayload {
    /// The endpoint.
    endpoint: Option<WebhookEndpoint>,
    /// What the caller can mend.
    user_errors: Vec<UserError>,
}

/// What came of `deleteWebhookEndpoint`.
#[derive(SimpleObject)]
pub struct DeleteWebhookEndpointPayload {
    /// The global id that the endpoint had.
    deleted_id: Option<ID>,
    /// What the caller can mend.
    user_errors: Vec<UserError>,
}

/// What came of `rotateWebhookSecret`.
#[derive(SimpleObject)]
pub struct RotateWebhookSecretPayload {
    /// The endpoint.
    endpoint: Option<WebhookEndpoint>,
    /// Its new secret, shown here and never again.
    secret: Option<String>,
    /// What the caller can mend.
    user_errors: Vec<UserError>,
}

/// What came of `resumeWebhookEndpoint`.
#[derive(SimpleObject)]
pub struct ResumeWebhookEndpointPayload {
    /// The endpoint.
    endpoint: Option<WebhookEndpoint>,
    /// What the caller can mend.
    user_errors: Vec<UserError>,
}

/// What came of `replayWebhooks`.
#[derive(SimpleObject)]
pub struct ReplayWebhooksPayload {
    /// How many entries are sent again.
    replayed_count: Option<BigInt>,
    /// What the caller can mend.
    user_errors: Vec<UserError>,
}

/// What came of `testWebhookEndpoint`.
#[derive(SimpleObject)]
pub struct TestWebhookEndpointPayload {
    /// The HTTP status of the answer; null: none came.
    status: Option<i32>,
    /// What else went wrong: `TIMEOUT`, `CONNECTION_FAILED`, `ANSWER_BROKEN` or `ADDRESS_REFUSED`; null: nothing.
    error: Option<String>,
    /// How long it took.
    milliseconds: Option<BigInt>,
    /// The first kilobyte of the answer, as text; null: it was empty.
    answer: Option<String>,
    /// What the caller can mend.
    user_errors: Vec<UserError>,
}

fn named<'a>(employer: Option<&'a str>, endpoint: &'a ID) -> Named<'a> {
    Named { employer, endpoint }
}

fn kinds(kinds: Option<Vec<FeedEntryKind>>) -> Option<Vec<entity::feed::FeedEntryKind>> {
    kinds.map(|kinds| kinds.into_iter().map(Into::into).collect())
}

/// Webhook endpoints, of a partner or of an employer's mobile backend.
#[derive(Default)]
pub struct WebhookMutation;

/// Webhook endpoints, of a partner or of an employer's mobile backend.
#[Object]
impl WebhookMutation {
    /// Sets up an endpoint of the partner: from now on each entry of its feed is posted there, as the feed shows it, signed by Standard
    /// Webhooks. Any answer from 200 to 299 takes it; anything else, or none within 15 seconds, is tried again for three days and longer.
    /// With the token of an employer it is an endpoint of the mobile backend, and is told what members achieve, as `memberActivity` shows
    /// it; for that, here and in all that is about such an endpoint, the token must hold `member:any` too.
    /// Scope: `webhooks:write`.
    #[graphql(guard = "Requires::<access::CreateWebhookEndpoint>::new()")]
    async fn create_webhook_endpoint(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The endpoint.")] input: CreateWebhookEndpointInput,
    ) -> Result<CreateWebhookEndpointPayload, ApiError> {
        let wanted = Wanted {
            url: input.url,
            description: input.description,
            kinds: kinds(input.kinds),
        };
        let outcome =
            domain::webhook::create(app(context)?, permit(context)?, input.employer.as_deref(), wanted).await;
        let (made, user_errors) = settle(outcome)?;
        let (endpoint, secret) = made.map(|made| (made.endpoint, made.secret)).unzip();
        Ok(CreateWebhookEndpointPayload {
            endpoint: endpoint.map(WebhookEndpoint),
            secret,
            user_errors,
        })
    }

    /// Changes an endpoint. Scope: `webhooks:write`.
    #[graphql(guard = "Requires::<access::UpdateWebhookEndpoint>::new()")]
    async fn update_webhook_endpoint(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What is to change.")] input: UpdateWebhookEndpointInput,
    ) -> Result<UpdateWebhookEndpointPayload, ApiError> {
        let change = Change {
            url: input.url,
            description: given(input.description),
            kinds: given(input.kinds).map(kinds),
        };
        let outcome = domain::webhook::update(
            app(context)?,
            permit(context)?,
            named(input.employer.as_deref(), &input.endpoint),
            change,
        )
        .await;
        let (endpoint, user_errors) = settle(outcome)?;
        Ok(UpdateWebhookEndpointPayload {
            endpoint: endpoint.map(WebhookEndpoint),
            user_errors,
        })
    }

    /// Deletes an endpoint: it is called no more, and what it was not sent yet it is never sent. Scope: `webhooks:write`.
    #[graphql(guard = "Requires::<access::DeleteWebhookEndpoint>::new()")]
    async fn delete_webhook_endpoint(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The endpoint.")] input: DeleteWebhookEndpointInput,
    ) -> Result<DeleteWebhookEndpointPayload, ApiError> {
        let outcome = domain::webhook::delete(
            app(context)?,
            permit(context)?,
            named(input.employer.as_deref(), &input.endpoint),
        )
        .await;
        let (deleted, user_errors) = settle(outcome)?;
        Ok(DeleteWebhookEndpointPayload {
            deleted_id: deleted.map(|id| id.to_string().into()),
            user_errors,
        })
    }

    /// Gives an endpoint a new secret. For 24 hours what is sent is signed with the one before too, so that a receiver that knows either
    /// can verify it. Scope: `webhooks:write`.
    #[graphql(guard = "Requires::<access::RotateWebhookSecret>::new()")]
    async fn rotate_webhook_secret(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The endpoint.")] input: RotateWebhookSecretInput,
    ) -> Result<RotateWebhookSecretPayload, ApiError> {
        let outcome = domain::webhook::rotate_secret(
            app(context)?,
            permit(context)?,
            named(input.employer.as_deref(), &input.endpoint),
        )
        .await;
        let (made, user_errors) = settle(outcome)?;
        let (endpoint, secret) = made.map(|made| (made.endpoint, made.secret)).unzip();
        Ok(RotateWebhookSecretPayload {
            endpoint: endpoint.map(WebhookEndpoint),
            secret,
            user_errors,
        })
    }

    /// Calls an endpoint again that is parked, or left alone for a while as its calls kept failing. It goes on where it stopped: all that
    /// it has not taken is sent now, with all its tries before it. Scope: `webhooks:write`.
    #[graphql(guard = "Requires::<access::ResumeWebhookEndpoint>::new()")]
    async fn resume_webhook_endpoint(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The endpoint.")] input: ResumeWebhookEndpointInput,
    ) -> Result<ResumeWebhookEndpointPayload, ApiError> {
        let outcome = domain::webhook::resume(
            app(context)?,
            permit(context)?,
            named(input.employer.as_deref(), &input.endpoint),
        )
        .await;
        let (endpoint, user_errors) = settle(outcome)?;
        Ok(ResumeWebhookEndpointPayload {
            endpoint: endpoint.map(WebhookEndpoint),
            user_errors,
        })
    }

    /// Sends entries again to an endpoint, each under the same `webhook-id` as before: those of some ids, of a range of positions, or all
    /// that have failed. An endpoint that is parked must be resumed too. Scope: `webhooks:write`.
    #[graphql(guard = "Requires::<access::ReplayWebhooks>::new()")]
    async fn replay_webhooks(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What is to be sent again.")] input: ReplayWebhooksInput,
    ) -> Result<ReplayWebhooksPayload, ApiError> {
        let replay = Replay {
            employer: input.employer,
            endpoint: input.endpoint.to_string(),
            from: input.from_position.map(|position| position.0),
            to: input.to_position.map(|position| position.0),
            entries: input
                .entries
                .map(|entries| entries.iter().map(|id| id.to_string()).collect()),
            failed_only: input.failed_only.unwrap_or(false),
        };
        let outcome = domain::webhook::send_again(app(context)?, permit(context)?, replay).await;
        let (count, user_errors) = settle(outcome)?;
        Ok(ReplayWebhooksPayload {
            replayed_count: count.map(|count| BigInt(i64::try_from(count).unwrap_or(i64::MAX))),
            user_errors,
        })
    }

    /// Calls an endpoint once, now, with a message of type `webhook.test`, signed as every other, and shows what it answers within 4
    /// seconds. Nothing else depends on it. Scope: `webhooks:write`.
    #[graphql(guard = "Requires::<access::TestWebhookEndpoint>::new()")]
    async fn test_webhook_endpoint(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The endpoint.")] input: TestWebhookEndpointInput,
    ) -> Result<TestWebhookEndpointPayload, ApiError> {
        let outcome = domain::webhook::test(
            app(context)?,
            permit(context)?,
            named(input.employer.as_deref(), &input.endpoint),
        )
        .await;
        let (tested, user_errors) = settle(outcome)?;
        let tested = tested.as_ref();
        Ok(TestWebhookEndpointPayload {
            status: tested.and_then(|tested| tested.status).map(i32::from),
            error: tested.and_then(|tested| tested.error).map(str::to_owned),
            milliseconds: tested.map(|tested| BigInt(tested.milliseconds)),
            answer: tested.and_then(|tested| tested.answer.clone()),
            user_errors,
        })
    }
}
