//! A partner's webhook endpoints.

use async_graphql::{Context, Object};

use crate::auth::access;
use crate::auth::guard::Requires;
use crate::domain;
use crate::graphql::error::ApiError;
use crate::graphql::object::WebhookEndpoint;
use crate::graphql::{app, permit};

/// A partner's webhook endpoints.
#[derive(Default)]
pub struct WebhookQuery;

/// A partner's webhook endpoints.
#[Object]
impl WebhookQuery {
    /// The partner's webhook endpoints, oldest first; there are at most 20. Scope: `webhooks:write`.
    #[graphql(guard = "Requires::<access::ListWebhookEndpoints>::new()")]
    async fn webhook_endpoints(&self, context: &Context<'_>) -> Result<Vec<WebhookEndpoint>, ApiError> {
        let rows = domain::webhook::list(app(context)?, permit(context)?).await?;
        Ok(rows.into_iter().map(WebhookEndpoint).collect())
    }
}
