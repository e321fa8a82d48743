//! Webhook endpoints and what they were sent.

use async_graphql::connection::{Connection, Edge};
use async_graphql::{Context, Enum, ID, Object, SimpleObject};
use entity::delivery::{self, read::Attempt};
use entity::feed::cursor;
use entity::webhook_endpoint::{self, Model, read_kinds};

use super::feed::FeedEntryKind;
use crate::domain;
use crate::domain::webhook::Delivered;
use crate::graphql::app;
use crate::graphql::connection::Cursor;
use crate::graphql::error::ApiError;
use crate::graphql::loader::each::Pending;
use crate::graphql::loader::load;
use crate::graphql::scalar::{BigInt, DateTime};

/// Whether an endpoint is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum WebhookEndpointState {
    /// It is called.
    Active,
    /// It is not called until `resumeWebhookEndpoint`. Nothing is lost meanwhile: what it was promised waits, and so does what is new.
    Parked,
}

/// Why an endpoint is parked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "webhook_endpoint::ParkedBecause")]
pub enum WebhookParkedBecause {
    /// Over at least 75 hours at least ten tries of one delivery, or ten calls in a row of any, have failed.
    Exhausted,
    /// It has answered 410: it is gone for good.
    Gone,
}

/// Where a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "delivery::DeliveryStatus")]
pub enum WebhookDeliveryStatus {
    /// It waits for its first try, or for the first one since it was replayed or the endpoint resumed.
    Pending,
    /// It was tried in vain and will be tried again.
    Failed,
    /// The endpoint has taken it, with a status from 200 to 299.
    Delivered,
}

/// A webhook endpoint: each entry of a feed is posted there, signed by Standard Webhooks.
pub struct WebhookEndpoint(pub Model);

/// A webhook endpoint: each entry of a feed is posted there, signed by Standard Webhooks. The feed is the partner's whose endpoint it is, or
/// where it is the mobile backend's, what the employer's members achieve (`memberActivity`).
#[Object]
impl WebhookEndpoint {
    /// Its global id.
    pub async fn id(&self) -> ID {
        self.0.id.to_string().into()
    }

    /// Where it is.
    async fn url(&self) -> &str {
        &self.0.url
    }

    /// What it is for, for people; null: nothing is said.
    async fn description(&self) -> Option<&str> {
        self.0.description.as_deref()
    }

    /// The kinds of entries it is told of; null: all.
    async fn kinds(&self) -> Option<Vec<FeedEntryKind>> {
        let kinds = self.0.kinds.as_deref().map(read_kinds)?;
        Some(kinds.into_iter().map(Into::into).collect())
    }

    /// When it was created: it is told of every entry since, and of those before only when asked to (`replayWebhooks`).
    async fn created_at(&self) -> DateTime {
        self.0.created_at.into()
    }

    /// Whether it is called.
    async fn state(&self) -> WebhookEndpointState {
        match self.0.parked_at {
            None => WebhookEndpointState::Active,
            Some(_) => WebhookEndpointState::Parked,
        }
    }

    /// Since when it is parked; null: it is not.
    async fn parked_at(&self) -> Option<DateTime> {
        self.0.parked_at.map(Into::into)
    }

    /// Why it is parked; null: it is not.
    async fn parked_because(&self) -> Option<WebhookParkedBecause> {
        self.0.parked_because.map(Into::into)
    }

    /// How many calls in a row have failed, up to now. From 5 on it is called one at a time, less and less often, until one is taken.
    async fn failures(&self) -> BigInt {
        BigInt(self.0.failures)
    }

    /// It is not called before then, as its calls keep failing or it has asked for that with `Retry-After`; null: it may be called now.
    async fn closed_until(&self) -> Option<DateTime> {
        self.0.closed_until.map(Into::into)
    }

    /// Until when the secret before the last rotation signs too; null: it was never rotated.
    async fn previous_secret_until(&self) -> Option<DateTime> {
        self.0.previous_secret_until.map(Into::into)
    }

    /// How many deliveries it has not taken yet.
    async fn pending_count(&self, context: &Context<'_>) -> Result<BigInt, ApiError> {
        let pending = load(context, Pending((self.0.partner_id, self.0.id))).await?;
        Ok(BigInt(pending.unwrap_or(0)))
    }

    /// What it was sent and is to be sent, newest entry first. What was delivered is kept for 30 days.
    async fn deliveries(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Only those that stand so; all unless given.")] status: Option<
            WebhookDeliveryStatus,
        >,
        #[graphql(desc = "At most so many, 1 to 100; 20 unless given.")] first: Option<i32>,
        #[graphql(desc = "Only those after this cursor.")] after: Option<String>,
    ) -> Result<Connection<Cursor, WebhookDelivery>, ApiError> {
        let partner = self.0.partner_id;
        let unknown = || ApiError::BadInput("`after` is not a cursor of this list".to_owned());
        let before = after
            .as_deref()
            .map(|text| cursor::read(partner, text).ok_or_else(unknown));
        let (status, before) = (status.map(Into::into), before.transpose()?);
        let first = first.map_or(20, i64::from);
        let page = domain::webhook::deliveries(app(context)?, &self.0, status, before, first).await?;
        let mut connection = Connection::new(before.is_some(), page.has_more);
        let edge = |delivered: Delivered| {
            let place = Cursor::of_text(cursor::write(partner, delivered.row.position));
            Edge::new(place, WebhookDelivery::from(delivered))
        };
        connection.edges.extend(page.rows.into_iter().map(edge));
        Ok(connection)
    }
}

/// An entry that is delivered to an endpoint: at least once, always under the same `webhook-id`.
#[derive(SimpleObject)]
pub struct WebhookDelivery {
    /// The entry's global id, which is the `webhook-id`.
    entry_id: ID,
    /// The entry's place in the feed.
    position: BigInt,
    /// Where it stands.
    status: WebhookDeliveryStatus,
    /// How many tries there were.
    attempt_count: BigInt,
    /// When it is to be tried next, at the earliest; null: it is delivered.
    due_at: Option<DateTime>,
    /// When it was delivered; null: it is not.
    delivered_at: Option<DateTime>,
    /// Its tries, the last 20, in order.
    attempts: Vec<WebhookAttempt>,
}

impl From<Delivered> for WebhookDelivery {
    fn from(delivered: Delivered) -> Self {
        let Delivered { row, entry, attempts } = delivered;
        Self {
            entry_id: entry.to_string().into(),
            position: BigInt(row.position),
            status: row.status().into(),
            attempt_count: BigInt(row.attempts),
            due_at: row.delivered_at.is_none().then(|| row.due_at.into()),
            delivered_at: row.delivered_at.map(Into::into),
            attempts: attempts.into_iter().map(WebhookAttempt::from).collect(),
        }
    }
}

/// A try of a delivery.
#[derive(SimpleObject)]
pub struct WebhookAttempt {
    /// Counts 1, 2, 3 within the delivery.
    number: BigInt,
    /// When the call began.
    attempted_at: DateTime,
    /// How long it took.
    milliseconds: BigInt,
    /// The HTTP status of the answer; null: none came.
    status: Option<i32>,
    /// What else went wrong: `TIMEOUT`, `CONNECTION_FAILED`, `ANSWER_BROKEN` or `ADDRESS_REFUSED`; null: nothing.
    error: Option<String>,
    /// The first kilobyte of the answer, as text; null: it was empty, or a member that it may have named was erased.
    answer: Option<String>,
}

impl From<Attempt> for WebhookAttempt {
    fn from(attempt: Attempt) -> Self {
        Self {
            number: BigInt(attempt.number),
            attempted_at: attempt.attempted_at.into(),
            milliseconds: BigInt(attempt.milliseconds),
            status: attempt.status,
            error: attempt.error,
            answer: attempt.answer,
        }
    }
}
