//! Events that could not be evaluated.

use async_graphql::{Context, ID, Object};
use entity::{dead_event, event_type, incentive};

use crate::graphql::error::ApiError;
use crate::graphql::loader::load;
use crate::graphql::scalar::DateTime;

/// An event that could not be evaluated in several tries. Nothing here says whom it is about or what was measured.
pub struct DeadEvent(pub dead_event::Model);

/// An event that could not be evaluated in several tries. Nothing here says whom it is about or what was measured.
#[Object]
impl DeadEvent {
    /// Its id, for `replayDeadEvents`.
    async fn id(&self) -> ID {
        self.0.id.to_string().into()
    }

    /// The key of its type.
    async fn event_type(&self, context: &Context<'_>) -> Result<Option<String>, ApiError> {
        let key = (self.0.employer_id, self.0.event_type_id);
        let found: Option<event_type::Model> = load(context, key).await?;
        Ok(found.map(|event_type| event_type.key))
    }

    /// The key of the one incentive that could not judge it; null: no incentive has had it.
    async fn incentive(&self, context: &Context<'_>) -> Result<Option<String>, ApiError> {
        match self.0.only_incentive_id {
            Some(id) => {
                let found: Option<incentive::Model> = load(context, (self.0.employer_id, id)).await?;
                Ok(found.map(|incentive| incentive.key))
            }
            None => Ok(None),
        }
    }

    /// Why it failed the last time.
    async fn reason(&self) -> &str {
        &self.0.reason
    }

    /// How often it was tried.
    async fn attempts(&self) -> i32 {
        self.0.attempts
    }

    /// When it was accepted.
    async fn received_at(&self) -> DateTime {
        self.0.received_at.into()
    }

    /// When it was set aside.
    async fn died_at(&self) -> DateTime {
        self.0.died_at.into()
    }
}
