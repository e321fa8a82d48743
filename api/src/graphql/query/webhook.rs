//! Webhook endpoints, of a partner or of an employer's mobile backend.

use async_graphql::{Context, Object};

use crate::auth::access;
use crate::auth::guard::Requires;
use crate::domain;
use crate::graphql::error::ApiError;
use crate::graphql::object::WebhookEndpoint;
use crate::graphql::{app, permit};

/// Webhook endpoints, of a partner or of an employer's mobile backend.
#[derive(Default)]
pub struct WebhookQuery;

/// Webhook endpoints, of a partner or of an employer's mobile backend.
#[Object]
impl WebhookQuery {
    /// The partner's webhook endpoints, oldest first; there are at most 20. With the token of an employer, which must hold `member:any`
    /// too, those of its mobile backend. Scope: `webhooks:write`.
    #[graphql(guard = "Requires::<access::ListWebhookEndpoints>::new()")]
    async fn webhook_endpoints(
        &self,
        context: &Context<'_>,
        #[graphql(
            desc = "The key of the employer whose mobile backend they are of; the token's own unless given. The operator must give it, a partner must not."
        )]
        employer: Option<String>,
    ) -> Result<Vec<WebhookEndpoint>, ApiError> {
        let rows = domain::webhook::list(app(context)?, permit(context)?, employer.as_deref()).await?;
        Ok(rows.into_iter().map(WebhookEndpoint).collect())
    }
}
