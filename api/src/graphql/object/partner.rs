//! Partners.

use async_graphql::{ID, Object};
use entity::partner;

use crate::graphql::scalar::DateTime;

/// A partner: who runs rewards, possibly for several employers.
pub struct Partner(pub partner::Model);

/// A partner: who runs rewards, possibly for several employers.
#[Object]
impl Partner {
    /// Its global id.
    async fn id(&self) -> ID {
        self.0.id.to_string().into()
    }

    /// Its short name, unique among all partners.
    async fn key(&self) -> &str {
        &self.0.key
    }

    /// Its name for people.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// When it was created.
    async fn created_at(&self) -> DateTime {
        self.0.created_at.into()
    }
}
