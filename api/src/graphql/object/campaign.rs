//! Campaigns.

use async_graphql::{Context, Enum, ID, Object, SimpleObject};
use chrono::TimeDelta;
use entity::campaign::{CapPeriod, Model};
use entity::{campaign, employer};
use jobs::campaign::SegmentDefinition;
use jobs::rules::definition::TriggerDefinition;
use serde::Deserialize;
use serde_json::Value;

use super::Program;
use super::incentive::{Period, Trigger};
use super::message::NotSentReason;
use crate::auth::access;
use crate::auth::guard::Requires;
use crate::domain::campaign::funnel;
use crate::graphql::error::ApiError;
use crate::graphql::loader::each::{Messages, MessagesOf};
use crate::graphql::loader::load;
use crate::graphql::permit;
use crate::graphql::scalar::{BigInt, DateTime, Duration};

/// What becomes of a message over the cap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "campaign::OverCap")]
pub enum OverCap {
    /// It is not sent.
    Drop,
    /// It waits for the next period, as long as it may.
    Defer,
}

/// A period as campaigns count it.
pub fn period(per: CapPeriod) -> Period {
    match per {
        CapPeriod::Day => Period::Day,
        CapPeriod::Week => Period::Week,
        CapPeriod::Month => Period::Month,
    }
}

/// How many messages of one category a member gets at most, in a calendar period where it lives.
#[derive(SimpleObject)]
pub struct MessageCap {
    /// How many.
    at_most: i32,
    /// In which period.
    per: Period,
    /// What becomes of more.
    over: OverCap,
}

/// How many messages of all campaigns a member gets at most, in a calendar period where it lives.
#[derive(SimpleObject)]
pub struct EmployerMessageCap {
    /// How many.
    at_most: i32,
    /// In which period.
    per: Period,
}

impl EmployerMessageCap {
    /// That of an employer.
    pub fn of(employer: &employer::Model) -> Option<Self> {
        Some(Self {
            at_most: small(employer.message_cap_at_most?),
            per: period(employer.message_cap_per?),
        })
    }
}

/// Local times of the member at which nothing is sent.
#[derive(SimpleObject)]
pub struct QuietHours {
    /// From then on, as `HH:MM`.
    from: String,
    /// Until then, as `HH:MM`; at or before the beginning: on the next day.
    to: String,
}

/// Where personalised content comes from.
#[derive(SimpleObject)]
pub struct ContentSource {
    /// Its address.
    url: String,
    /// How long it may take, in seconds.
    timeout_seconds: f64,
}

/// When a campaign is sent by itself, and to whom.
#[derive(SimpleObject)]
pub struct CampaignSchedule {
    /// When: a cron expression, in the employer's zone.
    cron: String,
    /// To whom.
    segment: Segment,
    /// When it is next due, by the employer's clock; null: while the campaign is paused or archived.
    next_run_at: Option<DateTime>,
}

/// The members to whom a schedule sends.
#[derive(SimpleObject)]
pub struct Segment {
    /// What they have done.
    did: Trigger,
    /// How long ago at most.
    within: Duration,
    /// Whether they have registered; null: either.
    engaged: Option<bool>,
}

/// How many messages were not sent, for one reason.
#[derive(SimpleObject)]
pub struct NotSentCount {
    /// The reason.
    reason: NotSentReason,
    /// How many; null: withheld.
    count: Option<BigInt>,
}

/// How the messages of a campaign stand, in counts. Where any of them was brought about by something sensitive, a count of fewer different
/// members than the employer's `minimumGroupSize` is null, and with it the sums in which it would be found.
#[derive(SimpleObject)]
pub struct CampaignFunnel {
    /// Whether any count is withheld.
    withheld: bool,
    /// All that were brought about, whatever has become of them.
    triggered: Option<BigInt>,
    /// Of how many different members they are.
    members: Option<BigInt>,
    /// Still to be decided, or being sent.
    pending: Option<BigInt>,
    /// Taken by a mail server.
    sent: Option<BigInt>,
    /// Of which nobody knows whether the mail server has taken them.
    unknown: Option<BigInt>,
    /// Refused by a mail server for good.
    failed: Option<BigInt>,
    /// Not sent for another reason, by reason; without those that were held out.
    dropped: Vec<NotSentCount>,
    /// Not sent as their members get nothing, to compare with.
    held_out: Option<BigInt>,
    /// How many that were sent, or of which nobody knows it, were followed by what the campaign works towards within its `conversionWindow`.
    converted_of_sent: Option<BigInt>,
    /// How many of those that were held out were.
    converted_of_held_out: Option<BigInt>,
}

impl From<funnel::Funnel> for CampaignFunnel {
    fn from(funnel: funnel::Funnel) -> Self {
        let shown = |count: Option<i64>| count.map(BigInt);
        Self {
            withheld: funnel.withheld,
            triggered: shown(funnel.triggered),
            members: shown(funnel.members),
            pending: shown(funnel.pending),
            sent: shown(funnel.sent),
            unknown: shown(funnel.unknown),
            failed: shown(funnel.failed),
            dropped: funnel
                .dropped
                .into_iter()
                .map(|(reason, count)| NotSentCount {
                    reason: reason.into(),
                    count: shown(count),
                })
                .collect(),
            held_out: shown(funnel.held_out),
            converted_of_sent: shown(funnel.converted_of_sent),
            converted_of_held_out: shown(funnel.converted_of_held_out),
        }
    }
}

/// A campaign: what members are written, and within which limits.
pub struct Campaign(pub Model);

/// A campaign: what members are written, and within which limits.
#[Object]
impl Campaign {
    /// Its global id.
    pub async fn id(&self) -> ID {
        self.0.id.to_string().into()
    }

    /// Its short name, unique within the employer.
    async fn key(&self) -> &str {
        &self.0.key
    }

    /// Its name for people.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// The program it belongs to, for people; null: none.
    async fn program(&self, context: &Context<'_>) -> Result<Option<Program>, ApiError> {
        let Some(id) = self.0.program_id else {
            return Ok(None);
        };
        let found = load(context, (self.0.employer_id, id)).await?;
        Ok(found.map(Program))
    }

    /// Goes up with every change of what is said or of the limits.
    async fn version(&self) -> BigInt {
        BigInt(self.0.version)
    }

    /// The template of the subject.
    async fn subject(&self) -> &str {
        &self.0.subject
    }

    /// The subject of what something sensitive has brought about; null: one that names the employer alone.
    async fn neutral_subject(&self) -> Option<&str> {
        self.0.neutral_subject.as_deref()
    }

    /// The template of the text.
    async fn text(&self) -> &str {
        &self.0.body_text
    }

    /// The template of the page; null: there is the text alone.
    async fn html(&self) -> Option<&str> {
        self.0.body_html.as_deref()
    }

    /// Where personalised content comes from; null: nowhere.
    async fn content_source(&self) -> Option<ContentSource> {
        let millis = self.0.content_timeout_millis?;
        Some(ContentSource {
            url: self.0.content_url.clone()?,
            timeout_seconds: f64::from(small(millis)) / 1_000.0,
        })
    }

    /// What kind of messages it sends: those of one category count together for its cap.
    async fn category(&self) -> &str {
        &self.0.category
    }

    /// Whether its messages are part of what the member has asked for: then neither consent, nor caps, nor quiet hours hold for them.
    async fn transactional(&self) -> bool {
        self.0.transactional
    }

    /// How many messages of its category a member gets at most; null: any number.
    async fn cap(&self) -> Option<MessageCap> {
        Some(MessageCap {
            at_most: small(self.0.cap_at_most?),
            per: period(self.0.cap_per?),
            over: self.0.cap_over?.into(),
        })
    }

    /// When nothing is sent; null: at any time.
    async fn quiet_hours(&self) -> Option<QuietHours> {
        Some(QuietHours {
            from: self.0.quiet_from.clone()?,
            to: self.0.quiet_to.clone()?,
        })
    }

    /// What it works towards: once that has happened, nothing more of it is sent to the member; null: nothing.
    async fn until(&self) -> Option<Trigger> {
        self.0.until.as_ref().and_then(trigger)
    }

    /// How long after a message that counts as brought about by it.
    async fn conversion_window(&self) -> Duration {
        seconds(self.0.conversion_seconds)
    }

    /// How many of a hundred members get nothing, to compare with: always the same ones.
    async fn held_out_percent(&self) -> i32 {
        small(self.0.held_out_percent)
    }

    /// How long a message may wait before it is not sent any more.
    async fn time_to_live(&self) -> Duration {
        seconds(self.0.time_to_live_seconds)
    }

    /// When it is sent by itself, and to whom; null: it is sent by what incentives bring about alone.
    async fn schedule(&self) -> Option<CampaignSchedule> {
        let segment = SegmentDefinition::deserialize(self.0.segment.as_ref()?).ok()?;
        Some(CampaignSchedule {
            cron: self.0.schedule.clone()?,
            segment: Segment {
                did: segment.did.into(),
                within: seconds(segment.within_seconds),
                engaged: segment.engaged,
            },
            next_run_at: self.0.next_run_at.map(Into::into),
        })
    }

    /// When it was created.
    async fn created_at(&self) -> DateTime {
        self.0.created_at.into()
    }

    /// Since when its messages wait; null: it is not paused.
    async fn paused_at(&self) -> Option<DateTime> {
        self.0.paused_at.map(Into::into)
    }

    /// Since when nothing of it is sent, for good; null: it is not archived.
    async fn archived_at(&self) -> Option<DateTime> {
        self.0.archived_at.map(Into::into)
    }

    /// How its messages stand, in counts. Scope: `programs:read` or `operator`.
    #[graphql(guard = "Requires::<access::ReadCampaignFunnel>::new()")]
    async fn funnel(&self, context: &Context<'_>) -> Result<CampaignFunnel, ApiError> {
        let permit = permit(context)?;
        let gone = ApiError::Internal("an employer is gone");
        let employer: employer::Model = load(context, self.0.employer_id).await?.ok_or(gone)?;
        let found = load(context, MessagesOf((self.0.employer_id, self.0.id))).await?;
        let Messages { standing, members } = found.unwrap_or_default();
        Ok(funnel::read(&permit, &self.0, &employer, (&standing, members))?.into())
    }
}

fn trigger(stored: &Value) -> Option<Trigger> {
    TriggerDefinition::deserialize(stored).ok().map(Trigger::from)
}

fn seconds(seconds: i64) -> Duration {
    Duration(TimeDelta::try_seconds(seconds).unwrap_or(TimeDelta::MAX))
}

/// A number that was checked to be small when it was written.
fn small(number: i64) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}
