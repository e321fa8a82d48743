//! Who is asking.

use std::sync::Arc;

use async_graphql::{Context, Enum, Object};
use entity::{employer, partner};

use super::{Employer, Partner};
use crate::auth::viewer::{Viewer as Token, ViewerKind as Kind};
use crate::graphql::app;
use crate::graphql::error::ApiError;
use crate::graphql::scalar::DateTime;

/// In whose name a token acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "Kind")]
pub enum ViewerKind {
    /// The operator of the installation.
    Operator,
    /// An employer: its administration or its mobile backend.
    Employer,
    /// A partner.
    Partner,
    /// One member.
    Member,
}

/// Who this token is.
pub struct Viewer(pub Arc<Token>);

/// Who this token is.
#[Object]
impl Viewer {
    /// In whose name it acts.
    async fn kind(&self) -> ViewerKind {
        self.0.kind().into()
    }

    /// What it may do, sorted.
    async fn scopes(&self) -> Vec<String> {
        self.0.scopes.iter().map(|scope| scope.to_string()).collect()
    }

    /// The employer it belongs to; null for the operator and for partners.
    async fn employer(&self, context: &Context<'_>) -> Result<Option<Employer>, ApiError> {
        match self.0.employer() {
            Some(id) => Ok(employer::find(app(context)?.db.read(), id).await?.map(Employer)),
            None => Ok(None),
        }
    }

    /// The partner it belongs to; null for everyone else.
    async fn partner(&self, context: &Context<'_>) -> Result<Option<Partner>, ApiError> {
        match self.0.partner() {
            Some(id) => Ok(partner::find(app(context)?.db.read(), id).await?.map(Partner)),
            None => Ok(None),
        }
    }

    /// From this instant on it is worth nothing.
    async fn expires_at(&self) -> DateTime {
        DateTime(self.0.expires_at)
    }
}
