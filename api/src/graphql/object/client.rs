//! OAuth clients.

use async_graphql::{Context, Object};
use entity::client;

use super::{Employer, Partner};
use crate::graphql::error::ApiError;
use crate::graphql::loader::load;
use crate::graphql::scalar::DateTime;

/// An OAuth client of an employer, of a partner or of the operator.
pub struct Client(pub client::Model);

/// An OAuth client of an employer, of a partner or of the operator.
#[Object]
impl Client {
    /// What it calls itself at the token endpoint.
    async fn client_id(&self) -> String {
        self.0.id.to_string()
    }

    /// Its name for people.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// The scopes it may ask for, sorted.
    async fn scopes(&self) -> Vec<String> {
        self.0.scopes.split(' ').map(str::to_owned).collect()
    }

    /// Whose it is; null: no employer's.
    async fn employer(&self, context: &Context<'_>) -> Result<Option<Employer>, ApiError> {
        match self.0.employer_id {
            Some(id) => Ok(load(context, id).await?.map(Employer)),
            None => Ok(None),
        }
    }

    /// Whose it is; null: no partner's.
    async fn partner(&self, context: &Context<'_>) -> Result<Option<Partner>, ApiError> {
        match self.0.partner_id {
            Some(id) => Ok(load(context, id).await?.map(Partner)),
            None => Ok(None),
        }
    }

    /// When it was created.
    async fn created_at(&self) -> DateTime {
        self.0.created_at.into()
    }

    /// When it was revoked; null: it is not.
    async fn revoked_at(&self) -> Option<DateTime> {
        self.0.revoked_at.map(Into::into)
    }
}
