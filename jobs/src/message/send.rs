//! Sending a message that is reserved: its words, the mark that it is being sent, the mail server.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use entity::achievement;
use entity::message::{self, MessageState, Model, NotSent, WaitsFor};
use entity::suppression::{self, Suppression, SuppressionReason};
use sea_orm::DbErr;
use serde_json::{Map, Value, json};

use super::claim::{Outgoing, dropped};
use crate::Context;
use crate::campaign::compose::{self, Occasion, Words, compose};
use crate::campaign::link;
use crate::deliver::backoff;
use crate::deliver::content::{self, Content, Question};
use crate::deliver::mail::{Mail, Outcome};

/// How long a mail server may take for all its answers together; afterwards nobody knows what came of the message.
const HANDING_OVER: TimeDelta = TimeDelta::minutes(10);
/// How soon a message is decided anew that was put back.
const SOON: TimeDelta = TimeDelta::seconds(1);
/// The deadline of a content source where its campaign names none.
const CONTENT_WITHIN: Duration = Duration::from_secs(2);

/// What came of a message.
#[derive(Debug)]
pub(super) struct Finished {
    /// Under which lease it was sent.
    pub lease: i64,
    /// The message as it is to be from now on.
    pub row: Model,
    /// The address that is not to be written to any more, if that is what came of it.
    pub suppressed: Option<Suppression>,
    /// What came of it, for the metrics; none: it was not begun.
    pub outcome: Option<&'static str>,
}

/// Sends a message; none: its lease was lost, or it could not be marked, and then nothing was handed over.
pub(super) async fn send(context: Context, outgoing: Outgoing) -> Option<Finished> {
    let now = outgoing.employer.now(context.clock.now());
    let row = &outgoing.row;
    let url = (!outgoing.campaign.row.transactional).then(|| link::unsubscribe(&context.public_url, row));
    let words = match words(&context, &outgoing, url.as_deref()).await {
        Ok(words) => words,
        Err(reason) => {
            let campaign = outgoing.campaign.row.id;
            tracing::error!(%campaign, reason, "a message could not be put together");
            let row = failed(outgoing.row.clone(), NotSent::Unrenderable, None, now);
            return Some(Finished {
                lease: outgoing.lease,
                row,
                suppressed: None,
                outcome: Some("failed"),
            });
        }
    };
    let mail = mail(&context, &outgoing, words, url)?;
    let _turn = context.gate.turn().await?;
    match begin(&context, &outgoing, now).await {
        Ok(true) => {}
        Ok(false) => return None,
        Err(error) => {
            tracing::warn!(error = %error, "a message could not be marked as being sent; it is decided anew");
            return None;
        }
    }
    let outcome = context.mailer.send(&mail).await;
    let real = context.clock.now();
    let mut random = [0; 4];
    context.ids.fill(&mut random);
    let jitter = f64::from(u32::from_be_bytes(random)) / f64::from(u32::MAX);
    let scale = context.outbound.scale;
    let is_silent = matches!(outcome, Outcome::Deferred { code: None, .. });
    context.gate.note(!is_silent, (real, jitter), scale);
    Some(finish(
        outgoing,
        outcome,
        |tries| backoff::wait(tries, jitter, None, scale),
        real,
    ))
}

/// The words of a message: those of its content source, where that answers in time, and those of its templates.
async fn words(context: &Context, outgoing: &Outgoing, url: Option<&str>) -> Result<Words, String> {
    let Outgoing {
        row,
        campaign,
        employer,
        ..
    } = outgoing;
    let content = content(context, outgoing).await;
    let values = values(outgoing, url);
    compose(
        campaign,
        &Occasion {
            values: &values,
            content: content.as_deref(),
            is_sensitive: row.sensitive,
            employer: &employer.name,
            unsubscribe_url: url,
        },
    )
}

/// What templates can name.
fn values(outgoing: &Outgoing, unsubscribe_url: Option<&str>) -> Value {
    let Outgoing {
        row,
        campaign,
        employer,
        member,
        award,
        ..
    } = outgoing;
    let event = row
        .event_type
        .as_ref()
        .map(|kind| json!({"type": kind, "properties": properties(row)}));
    let shown = award.as_ref().filter(|award| !award.hidden);
    let achievement = shown.map(|award: &achievement::Model| {
        json!({"title": award.title, "earnedOn": award.earned_on, "ordinal": award.ordinal})
    });
    let member = json!({
        "externalId": member.external_id, "locale": member.locale, "attributes": member.attributes,
    });
    let known = (member, event.unwrap_or_default(), achievement.unwrap_or_default());
    compose::values(&campaign.row, employer, known, unsubscribe_url)
}

fn properties(row: &Model) -> Map<String, Value> {
    let stored = row.event_properties.as_deref().unwrap_or("{}");
    serde_json::from_str(stored).unwrap_or_default()
}

/// What the content source says; none where there is none, where it does not answer in time or not as it should, and of a sensitive
/// trigger, of which nobody is asked.
async fn content(context: &Context, outgoing: &Outgoing) -> Option<std::sync::Arc<Content>> {
    let Outgoing {
        row,
        campaign,
        member,
        ..
    } = outgoing;
    let url = campaign.row.content_url.as_deref().filter(|_| !row.sensitive)?;
    let nothing = Map::new();
    let properties = properties(row);
    let question = Question {
        campaign_id: &campaign.row.id.to_string(),
        version: campaign.row.version,
        url,
        deadline: campaign.content_timeout().unwrap_or(CONTENT_WITHIN),
        body: content::Body {
            campaign: &campaign.row.key,
            member: content::Member {
                reference: &member.external_id,
                locale: member.locale.as_deref(),
                attributes: member.attributes.as_object().unwrap_or(&nothing),
            },
            event: row.event_type.as_deref().map(|event_type| content::Event {
                event_type,
                properties: &properties,
            }),
        },
    };
    let asked = context
        .contents
        .ask(&context.outbound.egress, &context.metrics, &question);
    asked.await.ok()
}

/// The mail; none: the member has no address any more, which whoever decided has seen.
fn mail(
    context: &Context,
    outgoing: &Outgoing,
    words: Words,
    unsubscribe_url: Option<String>,
) -> Option<Mail> {
    let Outgoing {
        row,
        employer,
        member,
        ..
    } = outgoing;
    let name = link::message_name(row.employer_id, row.id);
    Some(Mail {
        from: context.mailer.sender(Some(&employer.name)),
        to: member.email.clone()?,
        subject: words.subject,
        text: words.text,
        html: words.html,
        message_id: context.mailer.message_id(&name),
        date: context.clock.now(),
        unsubscribe_url,
    })
}

/// Marks a message as being sent. From then on it is sent at most once, whatever happens.
async fn begin(context: &Context, outgoing: &Outgoing, now: DateTime<Utc>) -> Result<bool, DbErr> {
    let lasts = context.outbound.scale.shorten(HANDING_OVER);
    let until = now.checked_add_signed(lasts).unwrap_or(now);
    let key = (outgoing.row.employer_id, outgoing.row.id);
    let txn = context.db.write_txn().await?;
    let is_ours = message::begin(&*txn, key, outgoing.lease, until.into()).await?;
    txn.commit().await?;
    Ok(is_ours)
}

/// A message that is not begun, to be decided anew in a while.
pub(super) fn put_back(outgoing: Outgoing, real: DateTime<Utc>) -> Finished {
    let now = outgoing.employer.now(real);
    Finished {
        lease: outgoing.lease,
        row: waiting(outgoing.row, None, now.checked_add_signed(SOON).unwrap_or(now)),
        suppressed: None,
        outcome: None,
    }
}

/// A message that waits for the mail server and takes no place until it is decided anew.
fn waiting(row: Model, code: Option<u16>, until: DateTime<Utc>) -> Model {
    Model {
        state: MessageState::Pending,
        lease: None,
        slot_category: None,
        slot_on: None,
        waits_for: Some(WaitsFor::Server),
        due_at: Some(until.into()),
        answer: code.map(i64::from),
        ..row
    }
}

/// What is to be written of a message when the mail server has said, or not said, what came of it.
fn finish(
    outgoing: Outgoing,
    outcome: Outcome,
    wait: impl Fn(i64) -> TimeDelta,
    real: DateTime<Utc>,
) -> Finished {
    let now = outgoing.employer.now(real);
    let tries = outgoing.row.tries + 1;
    let row = Model {
        tries,
        ..outgoing.row
    };
    let settled = |row: Model, state| Model {
        state,
        due_at: None,
        settled_at: Some(now.into()),
        ..row
    };
    let mut suppressed = None;
    let row = match outcome {
        Outcome::Accepted => Model {
            lease: None,
            event_type: None,
            event_properties: None,
            ..settled(row, MessageState::Sent)
        },
        Outcome::Deferred { code, .. } => {
            // A server that says nothing is no fault of the message: it is the gate that waits longer and longer.
            let wait = wait(if code.is_some() { tries } else { 1 });
            waiting(row, code, now.checked_add_signed(wait).unwrap_or(now))
        }
        Outcome::Refused { code, reason } => {
            if reason == RECIPIENT_REFUSED
                && let Some(address) = &outgoing.member.email
            {
                suppressed = Some(Suppression {
                    employer_id: row.employer_id,
                    address_digest: suppression::address_digest(row.employer_id, address),
                    reason: SuppressionReason::Bounce,
                    recorded_at: now.into(),
                });
            }
            failed(row, NotSent::Refused, code, now)
        }
        Outcome::Unknown => settled(row, MessageState::Unknown),
    };
    Finished {
        lease: outgoing.lease,
        row,
        suppressed,
        outcome: Some(match outcome {
            Outcome::Accepted => "sent",
            Outcome::Deferred { .. } => "deferred",
            Outcome::Refused { .. } => "failed",
            Outcome::Unknown => "unknown",
        }),
    }
}

/// The server's word that there is no such address.
const RECIPIENT_REFUSED: &str = "RECIPIENT_REFUSED";

/// A message that does not go for good, and takes no place in any cap.
fn failed(row: Model, why: NotSent, code: Option<u16>, now: DateTime<Utc>) -> Model {
    Model {
        state: MessageState::Failed,
        lease: None,
        slot_category: None,
        slot_on: None,
        answer: code.map(i64::from),
        ..dropped(row, why, now)
    }
}
