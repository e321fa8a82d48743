//! The inputs of campaigns, and their translation.

use async_graphql::{InputObject, MaybeUndefined};
use chrono::TimeDelta;
use entity::campaign::CapPeriod;

use crate::domain::campaign::{self, Create, Update};
use crate::graphql::mutation::given;
use crate::graphql::mutation::incentive::TriggerInput;
use crate::graphql::object::campaign::OverCap;
use crate::graphql::object::incentive::Period;
use crate::graphql::scalar::Duration;

/// How long a content source may take unless something else is said.
const CONTENT_TIMEOUT: TimeDelta = TimeDelta::seconds(2);
/// How long a message may wait unless something else is said.
const TIME_TO_LIVE: TimeDelta = TimeDelta::days(1);
/// How long after a message a conversion counts unless something else is said.
const CONVERSION_WINDOW: TimeDelta = TimeDelta::days(7);

/// A new campaign. Templates are in the language of Jinja: `{{ member.attributes.name }}`, `{% if %}`, `{% for %}`; of the values there are
/// `member` (`externalId`, `locale`, `attributes`), `event` (`type`, `properties`), `achievement` (`title`, `earnedOn`, `ordinal`), `employer` (`key`, `name`),
/// `campaign` (`key`, `name`) and `unsubscribeUrl`. What is not there is empty; in HTML values are escaped.
#[derive(InputObject)]
pub struct CreateCampaignInput {
    /// The key of the employer; the token's own unless given. The operator must give it.
    employer: Option<String>,
    /// The key of the program it belongs to, for people.
    program: Option<String>,
    /// Its short name, of the form of an employer's key; unique within the employer.
    key: String,
    /// Its name for people, 1 to 200 characters.
    name: String,
    /// The template of the subject, at most 998 bytes.
    subject: String,
    /// The subject where something sensitive brings a message about, 1 to 200 characters, and no template; one that names the employer alone
    /// unless given.
    neutral_subject: Option<String>,
    /// The template of the text, at most 64 KiB.
    text: String,
    /// The template of the HTML, at most 64 KiB; there is the text alone unless given.
    html: Option<String>,
    /// Where personalised content comes from, over HTTP; the templates are used unless given, where it fails, and where something sensitive
    /// brings a message about.
    content_source: Option<ContentSourceInput>,
    /// What kind of messages it sends: those of one category count together for its cap.
    #[graphql(default_with = "Some(\"marketing\".to_owned())")]
    category: Option<String>,
    /// Whether its messages are part of what the member has asked for: then neither consent, nor caps, nor quiet hours hold for them.
    #[graphql(default_with = "Some(false)")]
    transactional: Option<bool>,
    /// How many messages of its category a member gets at most; any number unless given.
    cap: Option<MessageCapInput>,
    /// When nothing is sent; at any time unless given.
    quiet_hours: Option<QuietHoursInput>,
    /// What it works towards: once that has happened, nothing more of it is sent to the member. Not of a sensitive event type.
    until: Option<TriggerInput>,
    /// How long after a message what it works towards counts as brought about by it, from PT1M to P90D.
    #[graphql(default_with = "Some(Duration(CONVERSION_WINDOW))")]
    conversion_window: Option<Duration>,
    /// How many of a hundred members get nothing, to compare with, from 0 to 90: always the same ones.
    #[graphql(default_with = "Some(0)")]
    held_out_percent: Option<i32>,
    /// How long a message may wait before it is not sent any more, from PT1M to P90D.
    #[graphql(default_with = "Some(Duration(TIME_TO_LIVE))")]
    time_to_live: Option<Duration>,
    /// When it is sent by itself, and to whom; by what incentives bring about alone unless given.
    schedule: Option<CampaignScheduleInput>,
}

/// Where personalised content comes from: asked by POST with `{"campaign", "member": {"ref", "locale", "attributes"}, "event": {"type",
/// "properties"}}`, it answers 200 and `{"subject", "text", "html"}`, each of which takes the place of a template as it is.
#[derive(InputObject)]
pub struct ContentSourceInput {
    /// Its address: `https`, and on the public internet.
    url: String,
    /// How long it may take, from PT1S to PT10S; then the templates are used.
    #[graphql(default_with = "Some(Duration(CONTENT_TIMEOUT))")]
    timeout: Option<Duration>,
}

/// How many messages of one category a member gets at most.
#[derive(InputObject)]
pub struct MessageCapInput {
    /// How many, from 1 to 1,000.
    at_most: i32,
    /// In which calendar period, where the member lives.
    per: Period,
    /// What becomes of more.
    #[graphql(default_with = "Some(OverCap::Drop)")]
    over: Option<OverCap>,
}

/// Local times of the member at which nothing is sent.
#[derive(InputObject)]
pub struct QuietHoursInput {
    /// From then on, as `HH:MM`.
    from: String,
    /// Until then, as `HH:MM`; before the beginning: on the next day.
    to: String,
}

/// When a campaign is sent by itself, and to whom.
#[derive(InputObject)]
pub struct CampaignScheduleInput {
    /// When: a cron expression of five fields, in the employer's zone, at most every five minutes.
    cron: String,
    /// To whom.
    segment: SegmentInput,
}

/// The members to whom a schedule sends.
#[derive(InputObject)]
pub struct SegmentInput {
    /// What they have done.
    did: TriggerInput,
    /// How long ago at most, from PT1M to P90D.
    within: Duration,
    /// Whether they have registered; either unless given.
    engaged: Option<bool>,
}

/// What is to change of a campaign. What is left out stays as it is.
#[derive(InputObject)]
pub struct UpdateCampaignInput {
    /// The key of the employer; the token's own unless given. The operator must give it.
    employer: Option<String>,
    /// The key of the campaign.
    campaign: String,
    /// Its name for people, 1 to 200 characters.
    name: Option<String>,
    /// The template of the subject, at most 998 bytes.
    subject: Option<String>,
    /// The subject where something sensitive brings a message about; `null`: one that names the employer alone.
    neutral_subject: MaybeUndefined<String>,
    /// The template of the text, at most 64 KiB.
    text: Option<String>,
    /// The template of the HTML, at most 64 KiB; `null`: there is the text alone.
    html: MaybeUndefined<String>,
    /// Where personalised content comes from; `null`: nowhere.
    content_source: MaybeUndefined<ContentSourceInput>,
    /// What kind of messages it sends.
    category: Option<String>,
    /// How many messages of its category a member gets at most; `null`: any number.
    cap: MaybeUndefined<MessageCapInput>,
    /// When nothing is sent; `null`: at any time.
    quiet_hours: MaybeUndefined<QuietHoursInput>,
    /// How long a message that is brought about from now on may wait, from PT1M to P90D.
    time_to_live: Option<Duration>,
}

/// A period as campaigns count it.
pub fn cap_period(period: Period) -> CapPeriod {
    match period {
        Period::Day => CapPeriod::Day,
        Period::Week => CapPeriod::Week,
        Period::Month => CapPeriod::Month,
    }
}

impl From<ContentSourceInput> for campaign::ContentSource {
    fn from(input: ContentSourceInput) -> Self {
        Self {
            url: input.url,
            timeout: input.timeout.map_or(CONTENT_TIMEOUT, |timeout| timeout.0),
        }
    }
}

impl From<MessageCapInput> for campaign::Cap {
    fn from(input: MessageCapInput) -> Self {
        Self {
            at_most: input.at_most,
            per: cap_period(input.per),
            over: input.over.unwrap_or(OverCap::Drop).into(),
        }
    }
}

impl From<QuietHoursInput> for campaign::QuietHours {
    fn from(input: QuietHoursInput) -> Self {
        Self {
            from: input.from,
            to: input.to,
        }
    }
}

impl From<CampaignScheduleInput> for campaign::Schedule {
    fn from(input: CampaignScheduleInput) -> Self {
        Self {
            cron: input.cron,
            did: input.segment.did.definition(),
            within: input.segment.within.0,
            engaged: input.segment.engaged,
        }
    }
}

impl From<CreateCampaignInput> for Create {
    fn from(input: CreateCampaignInput) -> Self {
        Self {
            employer: input.employer,
            program: input.program,
            key: input.key,
            name: input.name,
            subject: input.subject,
            neutral_subject: input.neutral_subject,
            text: input.text,
            html: input.html,
            content_source: input.content_source.map(Into::into),
            category: input.category.unwrap_or_else(|| "marketing".to_owned()),
            transactional: input.transactional.unwrap_or(false),
            cap: input.cap.map(Into::into),
            quiet_hours: input.quiet_hours.map(Into::into),
            until: input.until.map(TriggerInput::definition),
            conversion_window: input
                .conversion_window
                .map_or(CONVERSION_WINDOW, |window| window.0),
            held_out_percent: input.held_out_percent.unwrap_or(0),
            time_to_live: input.time_to_live.map_or(TIME_TO_LIVE, |time| time.0),
            schedule: input.schedule.map(Into::into),
        }
    }
}

impl From<UpdateCampaignInput> for Update {
    fn from(input: UpdateCampaignInput) -> Self {
        Self {
            employer: input.employer,
            campaign: input.campaign,
            name: input.name,
            subject: input.subject,
            neutral_subject: given(input.neutral_subject),
            text: input.text,
            html: given(input.html),
            content_source: given(input.content_source).map(|source| source.map(Into::into)),
            category: input.category,
            cap: given(input.cap).map(|cap| cap.map(Into::into)),
            quiet_hours: given(input.quiet_hours).map(|quiet| quiet.map(Into::into)),
            time_to_live: input.time_to_live.map(|time| time.0),
        }
    }
}
