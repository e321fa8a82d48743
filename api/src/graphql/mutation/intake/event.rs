//! Events and their retractions, as they are sent.

use async_graphql::{Enum, ID, InputObject, SimpleObject};

use crate::graphql::error::UserError;
use crate::graphql::scalar::{DateTime, Json, PerItem, TimeZone};
use crate::intake::check::Candidate;
use crate::intake::retract::Retract;
use crate::intake::{ItemResult, Status};

/// Where an event comes from when nothing is said.
const DEFAULT_SOURCE: &str = "default";

/// Events to be recorded.
#[derive(InputObject)]
pub struct RecordEventsInput {
    /// The key of the employer; the token's own unless given. The operator must give it.
    pub employer: Option<String>,
    /// The events, 1 to 1,000.
    pub events: Vec<EventInput>,
}

/// A fact about one member.
#[derive(InputObject)]
pub struct EventInput {
    /// The sender's own id, 1 to 255 characters; reuse it when you retry. Unique with `source` within the employer.
    id: ID,
    /// Where it comes from, 1 to 255 characters.
    #[graphql(default_with = "Some(DEFAULT_SOURCE.to_owned())")]
    source: Option<String>,
    /// The key of the event type.
    r#type: String,
    /// The member's external id.
    member: String,
    /// When it happened.
    occurred_at: PerItem<DateTime>,
    /// The zone where it happened; the member's unless given, else the employer's.
    time_zone: Option<PerItem<TimeZone>>,
    /// A JSON object of at most 16 KiB that fits the event type's schema.
    properties: Option<Json>,
}

/// What came of `recordEvents`.
#[derive(SimpleObject)]
pub struct RecordEventsPayload {
    /// One result an event, in the order of the input. What is accepted is durable.
    pub results: Option<Vec<EventResult>>,
    /// What the caller can mend about the call as a whole.
    pub user_errors: Vec<UserError>,
}

/// What became of one event.
#[derive(SimpleObject)]
pub struct EventResult {
    /// The sender's own id.
    id: ID,
    /// What became of it.
    status: EventStatus,
    /// Why it was rejected; null otherwise.
    error: Option<UserError>,
}

/// What became of one event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum EventStatus {
    /// It is stored, and will be evaluated; of a retraction: it is stored, and will be carried out.
    Accepted,
    /// The same was accepted before; nothing has happened. A success.
    Duplicate,
    /// It was refused; nothing has happened.
    Rejected,
}

/// Events to be taken back.
#[derive(InputObject)]
pub struct RetractEventsInput {
    /// The key of the employer; the token's own unless given. The operator must give it.
    pub employer: Option<String>,
    /// The events, 1 to 1,000.
    pub events: Vec<RetractionInput>,
}

/// An event to be taken back.
#[derive(InputObject)]
pub struct RetractionInput {
    /// The sender's own id of the event.
    id: ID,
    /// Where the event came from.
    #[graphql(default_with = "Some(DEFAULT_SOURCE.to_owned())")]
    source: Option<String>,
    /// Why, at most 255 characters. It is kept with the retraction and shown to nobody.
    reason: Option<String>,
}

/// What came of `retractEvents`.
#[derive(SimpleObject)]
pub struct RetractEventsPayload {
    /// One result an event, in the order of the input. What is accepted is durable.
    pub results: Option<Vec<EventResult>>,
    /// What the caller can mend about the call as a whole.
    pub user_errors: Vec<UserError>,
}

impl From<ItemResult> for EventResult {
    fn from(item: ItemResult) -> Self {
        let (status, error) = match item.status {
            Status::Accepted => (EventStatus::Accepted, None),
            Status::Duplicate => (EventStatus::Duplicate, None),
            Status::Rejected(fault) => (EventStatus::Rejected, Some(fault.into())),
        };
        Self {
            id: item.id.into(),
            status,
            error,
        }
    }
}

impl RetractionInput {
    /// The retraction as the intake takes it.
    pub fn retract(self) -> Retract {
        Retract {
            id: self.id.0,
            source: self.source.unwrap_or_else(|| DEFAULT_SOURCE.to_owned()),
            reason: self.reason,
        }
    }
}

impl EventInput {
    /// The event as the intake takes it.
    pub fn candidate(self) -> Candidate {
        Candidate {
            id: self.id.0,
            source: self.source.unwrap_or_else(|| DEFAULT_SOURCE.to_owned()),
            event_type: self.r#type,
            member: self.member,
            occurred_at: self.occurred_at.0.map(|instant| instant.0),
            time_zone: self
                .time_zone
                .map_or(Ok(None), |zone| zone.0.map(|zone| Some(zone.0))),
            properties: Ok(self
                .properties
                .map_or_else(|| serde_json::json!({}), |properties| properties.0)),
        }
    }
}
