//! Messages: why did this go, why did it not.

use async_graphql::{Context, Enum, ID, Object, SimpleObject};
use entity::message::{self, Model};

use super::Member;
use crate::domain::achievement::sees_sensitive;
use crate::graphql::error::ApiError;
use crate::graphql::loader::load;
use crate::graphql::scalar::DateTime;
use crate::graphql::viewer;

/// Where a message stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "message::MessageState")]
pub enum MessageState {
    /// It is still to be decided.
    Pending,
    /// It is to be sent, and somebody is at it.
    Reserved,
    /// It is being handed to a mail server.
    Sending,
    /// A mail server has taken it.
    Sent,
    /// It is not sent.
    Dropped,
    /// The mail server has refused it for good.
    Failed,
    /// Nobody knows whether the mail server has taken it. It is not sent again unless a person says so: `resendMessage`.
    Unknown,
}

/// What a message waits for that is not decided at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "message::WaitsFor")]
pub enum MessageWaitsFor {
    /// The end of the quiet hours where the member lives.
    QuietHours,
    /// The next period of a cap.
    Cap,
    /// The mail server, which did not take it for now.
    Server,
}

/// Why a message was not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "message::NotSent")]
pub enum NotSentReason {
    /// The campaign is archived.
    Archived,
    /// What had brought it about no longer holds.
    Revoked,
    /// The member was erased.
    Erased,
    /// The member is not eligible.
    NotEligible,
    /// No address of the member is known.
    NoAddress,
    /// Nothing is written to the address any more: it has bounced, somebody has complained, or a person has decided it.
    Suppressed,
    /// The member has not consented to being mailed, or has unsubscribed.
    NoConsent,
    /// The member had done what the campaign works towards.
    Converted,
    /// The member belongs to those who get nothing, to compare with.
    HeldOut,
    /// The member had as many as it is to get in the period.
    Cap,
    /// Its time was over before it could be sent.
    Expired,
    /// The mail server has refused it for good.
    Refused,
    /// Its templates could not be filled in.
    Unrenderable,
}

/// The campaign of a message.
#[derive(SimpleObject)]
pub struct MessageCampaign {
    /// Its short name, unique within the employer.
    key: String,
    /// Its name for people.
    name: String,
}

/// A message: one campaign, one member, one cause. What it said is not kept.
pub struct Message(pub Model);

/// A message: one campaign, one member, one cause. What it said is not kept.
#[Object]
impl Message {
    /// Its global id.
    pub async fn id(&self) -> ID {
        self.0.id.to_string().into()
    }

    /// The campaign.
    async fn campaign(&self, context: &Context<'_>) -> Result<MessageCampaign, ApiError> {
        let found = load(context, (self.0.employer_id, self.0.campaign_id)).await?;
        let campaign = found.ok_or(ApiError::Internal("a message without its campaign"))?;
        Ok(MessageCampaign {
            key: campaign.key,
            name: campaign.name,
        })
    }

    /// To whom; null where something sensitive has brought it about, and an administrator asks.
    async fn member(&self, context: &Context<'_>) -> Result<Option<Member>, ApiError> {
        if self.0.sensitive && !sees_sensitive(&*viewer(context)?) {
            return Ok(None);
        }
        let found = load(context, (self.0.employer_id, self.0.member_id)).await?;
        Ok(found.map(Member))
    }

    /// Where it stands.
    async fn state(&self) -> MessageState {
        self.0.state.into()
    }

    /// Why it was not sent; null: it was, or it is not settled.
    async fn reason(&self) -> Option<NotSentReason> {
        self.0.reason.map(Into::into)
    }

    /// What it waits for; null: nothing but its turn.
    async fn waits_for(&self) -> Option<MessageWaitsFor> {
        self.0.waits_for.map(Into::into)
    }

    /// When it was brought about.
    async fn triggered_at(&self) -> DateTime {
        self.0.triggered_at.into()
    }

    /// When somebody is to look at it; null: it is settled.
    async fn due_at(&self) -> Option<DateTime> {
        self.0.due_at.map(Into::into)
    }

    /// From when on it is not sent any more.
    async fn expires_at(&self) -> DateTime {
        self.0.expires_at.into()
    }

    /// When it was settled; null: it is not yet.
    async fn settled_at(&self) -> Option<DateTime> {
        self.0.settled_at.map(Into::into)
    }

    /// How often it was handed to a mail server.
    async fn tries(&self) -> i32 {
        i32::try_from(self.0.tries).unwrap_or(i32::MAX)
    }

    /// The code with which the mail server has last answered, such as 250 or 451; null: it has not.
    async fn answer_code(&self) -> Option<i32> {
        self.0.answer.and_then(|code| i32::try_from(code).ok())
    }

    /// When the member did what the campaign works towards, in time to be counted; null: it did not.
    async fn converted_at(&self) -> Option<DateTime> {
        self.0.converted_at.map(Into::into)
    }
}
