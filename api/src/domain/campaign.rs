//! Campaigns: what members are written, to whom it goes, and within which limits.

mod check;
pub mod funnel;
pub mod preview;

use chrono::TimeDelta;
use chrono_tz::Tz;
use entity::campaign::{self, CapPeriod, Model, OverCap};
use entity::id::{CampaignId, EmployerId};
use entity::page::{Page, Slice};
use entity::{employer, message, program};
use jobs::campaign::schedule::Schedule as Cron;
use jobs::rules::definition::TriggerDefinition;
use sea_orm::ConnectionTrait;

use super::audit::{Change, What};
use super::{Error, Fault, FaultCode, Outcome, require_none, tenant};
use crate::app::App;
use crate::auth::access;
use crate::auth::viewer::{Permit, Viewer};
use crate::validate;

/// Campaigns an employer may have: all of them are kept in memory.
const PER_EMPLOYER: u64 = 200;

/// Where personalised content comes from.
#[derive(Debug, Clone)]
pub struct ContentSource {
    /// Its address.
    pub url: String,
    /// How long it may take.
    pub timeout: TimeDelta,
}

/// How many messages a member gets at most.
#[derive(Debug, Clone, Copy)]
pub struct Cap {
    /// How many.
    pub at_most: i32,
    /// In which period.
    pub per: CapPeriod,
    /// What becomes of more.
    pub over: OverCap,
}

/// Local times at which nothing is sent.
#[derive(Debug, Clone)]
pub struct QuietHours {
    /// From then on.
    pub from: String,
    /// Until then.
    pub to: String,
}

/// When a campaign is sent by itself, and to whom.
#[derive(Debug, Clone)]
pub struct Schedule {
    /// When: a cron expression.
    pub cron: String,
    /// To whom: what they have done.
    pub did: TriggerDefinition,
    /// How long ago at most.
    pub within: TimeDelta,
    /// Whether they have registered; none: either.
    pub engaged: Option<bool>,
}

/// A new campaign.
#[derive(Debug, Clone)]
pub struct Create {
    /// The key of the employer.
    pub employer: Option<String>,
    /// The key of the program.
    pub program: Option<String>,
    /// Its key.
    pub key: String,
    /// Its name.
    pub name: String,
    /// The template of the subject.
    pub subject: String,
    /// The subject where the trigger is sensitive.
    pub neutral_subject: Option<String>,
    /// The template of the text.
    pub text: String,
    /// The template of the page.
    pub html: Option<String>,
    /// Where personalised content comes from.
    pub content_source: Option<ContentSource>,
    /// What kind of messages it sends.
    pub category: String,
    /// Whether its messages are no advertising.
    pub transactional: bool,
    /// How many a member gets.
    pub cap: Option<Cap>,
    /// When nothing is sent.
    pub quiet_hours: Option<QuietHours>,
    /// What it works towards.
    pub until: Option<TriggerDefinition>,
    /// How long after a message that counts as brought about by it.
    pub conversion_window: TimeDelta,
    /// How many of a hundred members get nothing.
    pub held_out_percent: i32,
    /// How long a message may wait.
    pub time_to_live: TimeDelta,
    /// When it is sent by itself.
    pub schedule: Option<Schedule>,
}

/// Creates a campaign.
pub async fn create(app: &App, permit: Permit<access::CreateCampaign>, input: Create) -> Outcome<Model> {
    let mut faults = Vec::new();
    validate::key(&["key"], &input.key, &mut faults);
    check::once(&input, &mut faults);
    let txn = Change::begin(app, &permit).await?;
    let employer = tenant::resolve(&*txn, permit.viewer(), input.employer.as_deref()).await?;
    let program = match &input.program {
        None => None,
        Some(key) => Some(open_program(&*txn, employer.id, key).await?.id),
    };
    check::triggers(&*txn, employer.id, &input, &mut faults).await?;
    let now = employer.now(app.clock.now());
    let segment = input.schedule.as_ref().map(check::segment).transpose()?;
    let (cron, segment) = segment.unzip();
    let until = input.until.as_ref().map(check::stored).transpose()?;
    let campaign = Model {
        employer_id: employer.id,
        id: app.ids.next(),
        program_id: program,
        key: input.key,
        name: input.name,
        version: 1,
        subject: input.subject,
        neutral_subject: input.neutral_subject,
        body_text: input.text,
        body_html: input.html,
        content_timeout_millis: input
            .content_source
            .as_ref()
            .map(|source| source.timeout.num_milliseconds()),
        content_url: input.content_source.map(|source| source.url),
        category: input.category,
        transactional: input.transactional,
        cap_at_most: input.cap.map(|cap| i64::from(cap.at_most)),
        cap_per: input.cap.map(|cap| cap.per),
        cap_over: input.cap.map(|cap| cap.over),
        quiet_from: input.quiet_hours.as_ref().map(|quiet| quiet.from.clone()),
        quiet_to: input.quiet_hours.map(|quiet| quiet.to),
        until,
        conversion_seconds: input.conversion_window.num_seconds(),
        held_out_percent: i64::from(input.held_out_percent),
        time_to_live_seconds: input.time_to_live.num_seconds(),
        schedule: cron,
        segment,
        next_run_at: None,
        created_at: now.into(),
        paused_at: None,
        archived_at: None,
    };
    check::wording(app, &campaign, &mut faults);
    require_none(faults)?;
    let campaign = scheduled(app, &employer, campaign);
    if campaign::count(&*txn, employer.id).await? >= PER_EMPLOYER {
        let message = format!("an employer has at most {PER_EMPLOYER} campaigns");
        return Err(Fault::new(FaultCode::TooMany, &[], message).into());
    }
    if !campaign::insert(&*txn, campaign.clone()).await? {
        let message = "the employer has a campaign of this key";
        return Err(Fault::new(FaultCode::KeyTaken, &["key"], message).into());
    }
    employer::touch_catalogue(&*txn, employer.id).await?;
    txn.commit(app, Some(&employer), What::made(&campaign)).await?;
    Ok(campaign)
}

/// What is to change of a campaign. A field that is left out stays as it is; `Some(None)` empties it.
#[derive(Debug, Clone)]
pub struct Update {
    /// The key of the employer.
    pub employer: Option<String>,
    /// Its key.
    pub campaign: String,
    /// Its name.
    pub name: Option<String>,
    /// The template of the subject.
    pub subject: Option<String>,
    /// The subject where the trigger is sensitive.
    pub neutral_subject: Option<Option<String>>,
    /// The template of the text.
    pub text: Option<String>,
    /// The template of the page.
    pub html: Option<Option<String>>,
    /// Where personalised content comes from.
    pub content_source: Option<Option<ContentSource>>,
    /// What kind of messages it sends.
    pub category: Option<String>,
    /// How many a member gets.
    pub cap: Option<Option<Cap>>,
    /// When nothing is sent.
    pub quiet_hours: Option<Option<QuietHours>>,
    /// How long a message may wait.
    pub time_to_live: Option<TimeDelta>,
}

/// Changes what a campaign says, and its limits: for every message that is decided from then on.
pub async fn update(app: &App, permit: Permit<access::UpdateCampaign>, input: Update) -> Outcome<Model> {
    let txn = Change::begin(app, &permit).await?;
    let employer = input.employer.as_deref();
    let (owner, before) = take(&*txn, permit.viewer(), employer, &input.campaign).await?;
    let mut campaign = Model {
        version: before.version.saturating_add(1),
        name: input.name.unwrap_or_else(|| before.name.clone()),
        subject: input.subject.unwrap_or_else(|| before.subject.clone()),
        neutral_subject: input
            .neutral_subject
            .unwrap_or_else(|| before.neutral_subject.clone()),
        body_text: input.text.unwrap_or_else(|| before.body_text.clone()),
        body_html: input.html.unwrap_or_else(|| before.body_html.clone()),
        category: input.category.unwrap_or_else(|| before.category.clone()),
        time_to_live_seconds: input
            .time_to_live
            .map_or(before.time_to_live_seconds, |time| time.num_seconds()),
        ..before.clone()
    };
    if let Some(source) = input.content_source {
        let timeout = source.as_ref().map(|source| source.timeout);
        campaign.content_timeout_millis = timeout.map(|timeout| timeout.num_milliseconds());
        campaign.content_url = source.map(|source| source.url);
    }
    if let Some(cap) = input.cap {
        campaign.cap_at_most = cap.map(|cap| i64::from(cap.at_most));
        campaign.cap_per = cap.map(|cap| cap.per);
        campaign.cap_over = cap.map(|cap| cap.over);
    }
    if let Some(quiet) = input.quiet_hours {
        campaign.quiet_from = quiet.as_ref().map(|quiet| quiet.from.clone());
        campaign.quiet_to = quiet.map(|quiet| quiet.to);
    }
    let mut faults = Vec::new();
    check::wording(app, &campaign, &mut faults);
    require_none(faults)?;
    settle(app, txn, &owner, &before, campaign).await
}

/// Pauses a campaign: its messages wait, as long as they may, and its schedule does not run.
pub async fn pause(
    app: &App,
    permit: Permit<access::PauseCampaign>,
    employer: Option<&str>,
    key: &str,
) -> Outcome<Model> {
    let txn = Change::begin(app, &permit).await?;
    let (owner, before) = take(&*txn, permit.viewer(), employer, key).await?;
    if before.paused_at.is_some() {
        return Err(not_now("the campaign is paused already"));
    }
    let paused = Model {
        paused_at: Some(owner.now(app.clock.now()).into()),
        next_run_at: None,
        ..before.clone()
    };
    settle(app, txn, &owner, &before, paused).await
}

/// Resumes a campaign: what still waits is decided, and its schedule runs from now on. What a pause has left out of it is not made up for.
pub async fn resume(
    app: &App,
    permit: Permit<access::ResumeCampaign>,
    employer: Option<&str>,
    key: &str,
) -> Outcome<Model> {
    let txn = Change::begin(app, &permit).await?;
    let (owner, before) = take(&*txn, permit.viewer(), employer, key).await?;
    if before.paused_at.is_none() {
        return Err(not_now("the campaign is not paused"));
    }
    let resumed = Model {
        paused_at: None,
        ..before.clone()
    };
    let resumed = scheduled(app, &owner, resumed);
    settle(app, txn, &owner, &before, resumed).await
}

/// Archives a campaign, for good: nothing of it is sent any more.
pub async fn archive(
    app: &App,
    permit: Permit<access::ArchiveCampaign>,
    employer: Option<&str>,
    key: &str,
) -> Outcome<Model> {
    let txn = Change::begin(app, &permit).await?;
    let (owner, before) = take(&*txn, permit.viewer(), employer, key).await?;
    let archived = Model {
        archived_at: Some(owner.now(app.clock.now()).into()),
        next_run_at: None,
        ..before.clone()
    };
    settle(app, txn, &owner, &before, archived).await
}

/// Writes a changed campaign, and wakes whoever decides its messages.
async fn settle(
    app: &App,
    txn: Change,
    owner: &employer::Model,
    before: &Model,
    campaign: Model,
) -> Outcome<Model> {
    campaign::update(&*txn, campaign.clone()).await?;
    let lets_go = before.paused_at.is_some() && campaign.paused_at.is_none();
    if lets_go || campaign.archived_at.is_some() {
        let now = owner.now(app.clock.now()).into();
        message::hasten(&*txn, (campaign.employer_id, campaign.id), now).await?;
    }
    txn.commit(app, Some(owner), What::changed(before, &campaign))
        .await?;
    app.wakes.messages();
    Ok(campaign)
}

/// The employer and its campaign of this key, for a change of what is not archived: the catalogue's new version comes first, and its row
/// keeps whoever else would change this employer's campaigns waiting until this transaction has ended.
async fn take(
    connection: &impl ConnectionTrait,
    viewer: &Viewer,
    employer: Option<&str>,
    key: &str,
) -> Outcome<(employer::Model, Model)> {
    let employer = tenant::resolve(connection, viewer, employer).await?;
    employer::touch_catalogue(connection, employer.id).await?;
    let campaign = require(connection, employer.id, key).await?;
    if campaign.archived_at.is_some() {
        return Err(not_now("the campaign is archived, for good"));
    }
    Ok((employer, campaign))
}

async fn require(connection: &impl ConnectionTrait, employer: EmployerId, key: &str) -> Outcome<Model> {
    let unknown = || Fault::not_found(&["campaign"], "the employer has no campaign of this key");
    let found = campaign::find_by_key(connection, employer, key).await?;
    Ok(found.ok_or_else(unknown)?)
}

async fn open_program(
    connection: &impl ConnectionTrait,
    employer: EmployerId,
    key: &str,
) -> Outcome<program::Model> {
    let unknown = || Fault::not_found(&["program"], "the employer has no program of this key");
    let program = program::find_by_key(connection, employer, key)
        .await?
        .ok_or_else(unknown)?;
    if program.state() == program::ProgramState::Ended {
        let message = "the program has ended, for good";
        return Err(Fault::new(FaultCode::InvalidState, &["program"], message).into());
    }
    Ok(program)
}

/// The campaign with the instant at which its schedule is next due, by the zone and the clock of its employer.
fn scheduled(app: &App, employer: &employer::Model, campaign: Model) -> Model {
    let now = employer.now(app.clock.now());
    let zone: Tz = employer.time_zone.parse().unwrap_or(Tz::UTC);
    let cron = campaign.schedule.as_deref().map(Cron::parse);
    let next = cron
        .and_then(Result::ok)
        .and_then(|cron| cron.next_after(now, zone));
    Model {
        next_run_at: next.map(Into::into),
        ..campaign
    }
}

fn not_now(message: &str) -> Error {
    Fault::new(FaultCode::InvalidState, &["campaign"], message).into()
}

/// The campaign of this key; none where the viewer may not see it.
pub async fn find(
    app: &App,
    permit: Permit<access::ReadCampaign>,
    employer: Option<&str>,
    key: &str,
) -> Outcome<Option<Model>> {
    let db = app.db.read();
    match tenant::resolve_id(db, permit.viewer(), employer).await {
        Ok(employer) => Ok(campaign::find_by_key(db, employer, key).await?),
        Err(Error::Refused(faults)) if faults.iter().all(|fault| fault.code == FaultCode::NotFound) => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// A page of the employer's campaigns, in the order of their making.
pub async fn list(
    app: &App,
    permit: Permit<access::ListCampaigns>,
    employer: Option<&str>,
    page: Page<CampaignId>,
) -> Outcome<Slice<Model>> {
    let db = app.db.read();
    let employer = tenant::resolve_id(db, permit.viewer(), employer).await?;
    Ok(campaign::list_page(db, employer, page).await?)
}

/// How many messages of all campaigns a member gets at most in a period; none: any number.
pub async fn set_cap(
    app: &App,
    permit: Permit<access::SetMessageCap>,
    employer: Option<&str>,
    cap: (Option<i32>, Option<CapPeriod>),
) -> Outcome<employer::Model> {
    let cap = match cap {
        (None, None) => None,
        (Some(at_most), Some(per)) => {
            let mut faults = Vec::new();
            check::at_most(&["atMost"], i64::from(at_most), &mut faults);
            require_none(faults)?;
            Some((i64::from(at_most), per))
        }
        (Some(_), None) => return Err(Fault::invalid(&["per"], "say in which period").into()),
        (None, Some(_)) => return Err(Fault::invalid(&["atMost"], "say how many").into()),
    };
    let txn = Change::begin(app, &permit).await?;
    let employer = tenant::resolve(&*txn, permit.viewer(), employer).await?;
    employer::set_message_cap(&*txn, employer.id, cap).await?;
    let (at_most, per) = cap.unzip();
    let changed = employer::Model {
        message_cap_at_most: at_most,
        message_cap_per: per,
        ..employer.clone()
    };
    txn.commit(app, Some(&changed), What::changed(&employer, &changed))
        .await?;
    Ok(changed)
}
