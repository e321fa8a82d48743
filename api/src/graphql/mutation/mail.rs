//! What a person decides about mail, and what mail servers report of it.

use async_graphql::{Context, Enum, ID, InputObject, Object, SimpleObject};

use crate::auth::access;
use crate::auth::guard::Requires;
use crate::domain;
use crate::domain::mail::{Happened, Reported, Verdict};
use crate::graphql::error::{ApiError, UserError, settle};
use crate::graphql::{app, permit};

/// A message that is to be sent again.
#[derive(InputObject)]
pub struct ResendMessageInput {
    /// The key of the employer; the token's own unless given. The operator must give it.
    employer: Option<String>,
    /// The id of the message.
    message: ID,
}

/// What came of `resendMessage`.
#[derive(SimpleObject)]
pub struct ResendMessagePayload {
    /// The id of the message.
    message_id: Option<ID>,
    /// What the caller can mend.
    user_errors: Vec<UserError>,
}

/// An address to which nothing more is to be written.
#[derive(InputObject)]
pub struct SuppressAddressInput {
    /// The key of the employer; the token's own unless given. The operator must give it.
    employer: Option<String>,
    /// The e-mail address.
    address: String,
}

/// What came of `suppressAddress`.
#[derive(SimpleObject)]
pub struct SuppressAddressPayload {
    /// True: nothing is written to it any more.
    suppressed: Option<bool>,
    /// What the caller can mend.
    user_errors: Vec<UserError>,
}

/// An address to which may be written again.
#[derive(InputObject)]
pub struct LiftSuppressionInput {
    /// The key of the employer; the token's own unless given. The operator must give it.
    employer: Option<String>,
    /// The e-mail address.
    address: String,
}

/// What came of `liftSuppression`.
#[derive(SimpleObject)]
pub struct LiftSuppressionPayload {
    /// True: it is not suppressed any more. Whoever reads it may still have said no.
    lifted: Option<bool>,
    /// What the caller can mend.
    user_errors: Vec<UserError>,
}

/// What has happened to a mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum MailEventType {
    /// It could not be delivered.
    Bounce,
    /// Whoever got it has complained.
    Complaint,
}

/// Something that has happened to a mail.
#[derive(InputObject)]
pub struct MailEventInput {
    /// What.
    r#type: MailEventType,
    /// Of a bounce: whether it is for good. Only then does anything follow from it.
    #[graphql(default_with = "Some(false)")]
    permanent: Option<bool>,
    /// The `Message-ID` under which the mail was sent.
    message_id: Option<String>,
    /// The address to which it was sent; the one that is known of the member unless given. Without a `messageId` the address alone is
    /// suppressed, whoever's it is.
    address: Option<String>,
}

/// What has happened to mail.
#[derive(InputObject)]
pub struct RecordMailEventsInput {
    /// The key of the employer; the token's own unless given. The operator gives it, or a `messageId` in every event.
    employer: Option<String>,
    /// What has happened, 1 to 1,000 events.
    events: Vec<MailEventInput>,
}

/// What came of something that has happened to a mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum MailEventStatus {
    /// Nothing is written to the address any more.
    Suppressed,
    /// Nothing follows from it.
    Ignored,
    /// It was not taken.
    Rejected,
}

/// What came of something that has happened to a mail.
#[derive(SimpleObject)]
pub struct MailEventResult {
    /// What.
    status: MailEventStatus,
    /// What the caller can mend; null: nothing.
    error: Option<UserError>,
}

/// What came of `recordMailEvents`.
#[derive(SimpleObject)]
pub struct RecordMailEventsPayload {
    /// What came of each, in order.
    results: Option<Vec<MailEventResult>>,
    /// What the caller can mend.
    user_errors: Vec<UserError>,
}

impl From<MailEventInput> for Reported {
    fn from(input: MailEventInput) -> Self {
        Self {
            happened: match input.r#type {
                MailEventType::Complaint => Happened::Complained,
                MailEventType::Bounce => Happened::Bounced {
                    permanently: input.permanent.unwrap_or(false),
                },
            },
            message_id: input.message_id,
            address: input.address,
        }
    }
}

impl From<Verdict> for MailEventResult {
    fn from(verdict: Verdict) -> Self {
        let (status, fault) = match verdict {
            Verdict::Suppressed => (MailEventStatus::Suppressed, None),
            Verdict::Ignored => (MailEventStatus::Ignored, None),
            Verdict::Rejected(fault) => (MailEventStatus::Rejected, Some(fault)),
        };
        Self {
            status,
            error: fault.map(UserError::from),
        }
    }
}

/// What a person decides about mail, and what mail servers report of it.
#[derive(Default)]
pub struct MailMutation;

/// What a person decides about mail, and what mail servers report of it.
#[Object]
impl MailMutation {
    /// Lets a message be decided anew of which nobody knows whether the mail server has taken it, with as much time as a new one. The member
    /// may then get it twice; whether it may be written to is looked at again. Scope: `members:write` or `operator`.
    #[graphql(guard = "Requires::<access::ResendMessage>::new()")]
    async fn resend_message(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The message.")] input: ResendMessageInput,
    ) -> Result<ResendMessagePayload, ApiError> {
        let employer = input.employer.as_deref();
        let outcome =
            domain::message::resend(app(context)?, permit(context)?, employer, &input.message).await;
        let (id, user_errors) = settle(outcome)?;
        Ok(ResendMessagePayload {
            message_id: id.map(|id| id.to_string().into()),
            user_errors,
        })
    }

    /// Lets nothing more be written to an address, transactional messages included. It is kept as a digest, and longer than the member whose
    /// it is. Scope: `members:write` or `operator`.
    #[graphql(guard = "Requires::<access::SuppressAddress>::new()")]
    async fn suppress_address(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The address.")] input: SuppressAddressInput,
    ) -> Result<SuppressAddressPayload, ApiError> {
        let (employer, address) = (input.employer.as_deref(), input.address.as_str());
        let outcome = domain::mail::suppress(app(context)?, permit(context)?, employer, address).await;
        let (done, user_errors) = settle(outcome)?;
        Ok(SuppressAddressPayload {
            suppressed: done.map(|()| true),
            user_errors,
        })
    }

    /// Lets an address be written to again, whatever it was suppressed for. Scope: `members:write` or `operator`.
    #[graphql(guard = "Requires::<access::LiftSuppression>::new()")]
    async fn lift_suppression(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The address.")] input: LiftSuppressionInput,
    ) -> Result<LiftSuppressionPayload, ApiError> {
        let (employer, address) = (input.employer.as_deref(), input.address.as_str());
        let outcome = domain::mail::lift(app(context)?, permit(context)?, employer, address).await;
        let (done, user_errors) = settle(outcome)?;
        Ok(LiftSuppressionPayload {
            lifted: done.map(|()| true),
            user_errors,
        })
    }

    /// Takes reports of bounces and complaints: to an address that has bounced for good, or whose reader has complained, nothing more is
    /// written, and whoever has complained has thereby unsubscribed. Reported twice it changes nothing. The same as `POST /v1/mail/events`.
    /// Scope: `mail:write` or `operator`.
    #[graphql(guard = "Requires::<access::RecordMailEvents>::new()")]
    async fn record_mail_events(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What has happened.")] input: RecordMailEventsInput,
    ) -> Result<RecordMailEventsPayload, ApiError> {
        let events: Vec<Reported> = input.events.into_iter().map(Reported::from).collect();
        let employer = input.employer.as_deref();
        let outcome = domain::mail::record_events(app(context)?, permit(context)?, employer, &events).await;
        let (results, user_errors) = settle(outcome)?;
        Ok(RecordMailEventsPayload {
            results: results.map(|results| results.into_iter().map(MailEventResult::from).collect()),
            user_errors,
        })
    }
}
