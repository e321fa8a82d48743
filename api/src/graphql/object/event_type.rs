//! Event types.

use async_graphql::Object;
use chrono::TimeDelta;
use entity::event_type;

use crate::graphql::scalar::{Duration, Json};

/// A kind of event on an employer's menu.
pub struct EventType(pub event_type::Model);

/// A kind of event on an employer's menu.
#[Object]
impl EventType {
    /// Its short name, as events bear it in `type`; unique within the employer.
    async fn key(&self) -> &str {
        &self.0.key
    }

    /// Its name for people.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// What it means; null: nothing is said.
    async fn description(&self) -> Option<&str> {
        self.0.description.as_deref()
    }

    /// JSON Schema of the properties; null: anything goes.
    async fn properties_schema(&self) -> Option<Json> {
        self.0.properties_schema.clone().map(Json)
    }

    /// Whether it is health data or the like: what follows from it is never shown by person to the employer's administrators.
    async fn sensitive(&self) -> bool {
        self.0.sensitive
    }

    /// How long after it happened an event is still accepted.
    async fn max_late(&self) -> Duration {
        seconds(self.0.max_late_seconds)
    }

    /// How far in the future an event may claim to happen.
    async fn max_future(&self) -> Duration {
        seconds(self.0.max_future_seconds)
    }

    /// How long after it happened an evaluated event is kept with its properties, as `Member.events` shows it; none: it is forgotten
    /// once it is evaluated.
    async fn retention(&self) -> Duration {
        seconds(self.0.retention_seconds)
    }
}

fn seconds(seconds: i64) -> Duration {
    Duration(TimeDelta::try_seconds(seconds).unwrap_or_default())
}
