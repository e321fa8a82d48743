//! Webhook endpoints, of a partner or of an employer's own backend, and what becomes of what they are sent.

use std::time::Duration;

use chrono::TimeDelta;
use entity::clock::Timestamp;
use entity::delivery::read::{self, Attempt, Delivery};
use entity::delivery::replay::{self, Range};
use entity::delivery::{self, DeliveryStatus};
use entity::feed::{self, FeedEntryKind};
use entity::id::{FeedEntryId, PartnerId, WebhookEndpointId};
use entity::secret::SecretBytes;
use entity::webhook_endpoint::{self, Busy, Model, Settings, write_kinds};
use entity::{employer, partner};
use jobs::deliver::egress::address::Refused;
use jobs::deliver::{claim, settle, webhook};
use sea_orm::ConnectionTrait;
use serde_json::json;

use super::audit::{self, EndpointOf, What};
use super::{Error, Fault, FaultCode, Outcome, activity, require_none, retrying, tenant};
use crate::app::App;
use crate::auth::access::{self, Operation};
use crate::auth::scope::Scope;
use crate::auth::viewer::Permit;
use crate::validate;

/// Endpoints of one feed.
const ENDPOINTS_MAX: usize = 20;
/// How long the secret before a rotation signs too.
const OVERLAP: TimeDelta = TimeDelta::hours(24);
/// Positions that are sent again at once, and entries that are named at once.
const REPLAY_MAX: i64 = 10_000;
const REPLAYED_ENTRIES_MAX: usize = 100;
/// How long a test waits for its answer: shorter than a delivery, as somebody waits for it.
const TEST_WITHIN: Duration = Duration::from_secs(4);
/// Attempts shown of a delivery: the last ones.
const ATTEMPTS_SHOWN: i64 = 20;
/// Deliveries of one page.
const PAGE_MAX: i64 = 100;

/// Whose endpoints a token is about: of a partner, or of the mobile backend of an employer.
struct Owner {
    /// The feed that they are told of.
    feed: PartnerId,
    /// Whose own feed that is; none: a partner's. What is done is in its log, else in the installation's.
    employer: Option<employer::Model>,
}

impl Owner {
    fn shown<'a>(&'a self, endpoint: &'a Model) -> EndpointOf<'a> {
        EndpointOf(self.employer.as_ref(), endpoint)
    }
}

/// Whose endpoints this is about. An employer's are told everything of its members, so they are the mobile backend's alone, and nobody
/// sets them up who could not read the same.
async fn owner<O: Operation>(app: &App, permit: &Permit<O>, employer: Option<&str>) -> Outcome<Owner> {
    let viewer = permit.viewer();
    if let (Some(feed), None) = (viewer.partner(), employer) {
        let employer = None;
        return Ok(Owner { feed, employer });
    }
    let found = tenant::resolve(app.db.read(), viewer, employer).await?;
    if !viewer.scopes.contains(Scope::MemberAny) {
        let message =
            "an employer's endpoint is told everything of its members: that needs the scope member:any too";
        return Err(Fault::invalid(&[], message).into());
    }
    Ok(Owner {
        feed: partner::own_feed(found.id),
        employer: Some(found),
    })
}

/// An endpoint by its name.
#[derive(Debug, Clone, Copy)]
pub struct Named<'a> {
    /// The key of the employer whose backend it is of.
    pub employer: Option<&'a str>,
    /// Its global id.
    pub endpoint: &'a str,
}

/// What is said of an endpoint.
#[derive(Debug)]
pub struct Wanted {
    /// Where it is.
    pub url: String,
    /// What it is for, for people.
    pub description: Option<String>,
    /// The kinds of entries it is told of; none: all.
    pub kinds: Option<Vec<FeedEntryKind>>,
}

/// An endpoint with a secret that was just made and is never shown again.
pub struct WithSecret {
    /// The endpoint.
    pub endpoint: Model,
    /// Its secret, as its owner writes it down.
    pub secret: String,
}

/// Sets up an endpoint: it is told of every entry from now on.
pub async fn create(
    app: &App,
    permit: Permit<access::CreateWebhookEndpoint>,
    employer: Option<&str>,
    wanted: Wanted,
) -> Outcome<WithSecret> {
    let owner = owner(app, &permit, employer).await?;
    let partner = owner.feed;
    let settings = check(app, wanted)?;
    if let Some(employer) = &owner.employer {
        activity::open_feed(app, employer).await?;
    }
    let secret = new_secret(app);
    let txn = audit::Change::begin(app, &permit).await?;
    // Held to the end: no entry falls between the look at the feed and the endpoint.
    feed::lock(&*txn, partner).await?;
    if webhook_endpoint::list(&*txn, partner).await?.len() >= ENDPOINTS_MAX {
        let message = format!("there are at most {ENDPOINTS_MAX} endpoints");
        return Err(Fault::new(FaultCode::TooMany, &[], message).into());
    }
    let endpoint = Model {
        partner_id: partner,
        id: app.ids.next(),
        url: settings.url,
        description: settings.description,
        kinds: settings.kinds,
        secret: SecretBytes::new(secret),
        previous_secret: None,
        previous_secret_until: None,
        created_at: now(app),
        failures: 0,
        failing_since: None,
        closed_until: None,
        parked_at: None,
        parked_because: None,
        deleted_at: None,
    };
    webhook_endpoint::insert(&*txn, endpoint.clone()).await?;
    txn.commit(app, owner.employer.as_ref(), What::made(&owner.shown(&endpoint)))
        .await?;
    Ok(WithSecret {
        endpoint,
        secret: webhook::secret_text(&secret),
    })
}

/// What is to change of an endpoint: left as it is, emptied, or set.
#[derive(Debug)]
pub struct Change {
    /// Where it is.
    pub url: Option<String>,
    /// What it is for.
    pub description: Option<Option<String>>,
    /// The kinds of entries it is told of.
    pub kinds: Option<Option<Vec<FeedEntryKind>>>,
}

/// Changes an endpoint. What it was promised stays promised, and goes to where it is then.
pub async fn update(
    app: &App,
    permit: Permit<access::UpdateWebhookEndpoint>,
    named: Named<'_>,
    change: Change,
) -> Outcome<Model> {
    let owner = owner(app, &permit, named.employer).await?;
    let partner = owner.feed;
    let txn = audit::Change::begin(app, &permit).await?;
    let before = lock(&*txn, partner, named.endpoint).await?;
    let kinds = match change.kinds {
        Some(kinds) => kinds,
        None => before.kinds.as_deref().map(webhook_endpoint::read_kinds),
    };
    let wanted = Wanted {
        url: change.url.unwrap_or_else(|| before.url.clone()),
        description: change.description.unwrap_or_else(|| before.description.clone()),
        kinds,
    };
    let key = (partner, before.id);
    webhook_endpoint::update(&*txn, key, check(app, wanted)?).await?;
    let endpoint = reread(&*txn, key).await?;
    let what = What::changed(&owner.shown(&before), &owner.shown(&endpoint));
    txn.commit(app, owner.employer.as_ref(), what).await?;
    Ok(endpoint)
}

/// Deletes an endpoint.
pub async fn delete(
    app: &App,
    permit: Permit<access::DeleteWebhookEndpoint>,
    named: Named<'_>,
) -> Outcome<WebhookEndpointId> {
    let owner = owner(app, &permit, named.employer).await?;
    let partner = owner.feed;
    let txn = audit::Change::begin(app, &permit).await?;
    let endpoint = lock(&*txn, partner, named.endpoint).await?;
    webhook_endpoint::delete(&*txn, (partner, endpoint.id), now(app)).await?;
    let gone = Model {
        deleted_at: Some(now(app)),
        ..endpoint.clone()
    };
    let what = What::changed(&owner.shown(&endpoint), &owner.shown(&gone));
    txn.commit(app, owner.employer.as_ref(), what).await?;
    Ok(endpoint.id)
}

/// Gives an endpoint a new secret; for a day the one before signs too.
pub async fn rotate_secret(
    app: &App,
    permit: Permit<access::RotateWebhookSecret>,
    named: Named<'_>,
) -> Outcome<WithSecret> {
    let owner = owner(app, &permit, named.employer).await?;
    let partner = owner.feed;
    let secret = new_secret(app);
    let until = app.clock.now().checked_add_signed(OVERLAP);
    let until = until.ok_or(Error::Internal("the clock is at its end"))?;
    let txn = audit::Change::begin(app, &permit).await?;
    let before = lock(&*txn, partner, named.endpoint).await?;
    let key = (partner, before.id);
    webhook_endpoint::rotate_secret(&*txn, key, SecretBytes::new(secret), until.into()).await?;
    let endpoint = reread(&*txn, key).await?;
    let what = What::changed(&owner.shown(&before), &owner.shown(&endpoint));
    txn.commit(app, owner.employer.as_ref(), what).await?;
    Ok(WithSecret {
        endpoint,
        secret: webhook::secret_text(&secret),
    })
}

/// Calls an endpoint again that is parked or left alone, from where it stopped.
pub async fn resume(
    app: &App,
    permit: Permit<access::ResumeWebhookEndpoint>,
    named: Named<'_>,
) -> Outcome<Model> {
    let owner = owner(app, &permit, named.employer).await?;
    let partner = owner.feed;
    let resumed = retrying(|| async {
        let txn = audit::Change::begin(app, &permit).await?;
        let mut row = lock(&*txn, partner, named.endpoint).await?;
        let before = row.clone();
        row.failures = 0;
        row.failing_since = None;
        row.closed_until = None;
        row.parked_at = None;
        row.parked_because = None;
        webhook_endpoint::put_standing(&*txn, std::slice::from_ref(&row)).await?;
        delivery::make_due(&*txn, (partner, row.id), now(app)).await?;
        let what = What::changed(&owner.shown(&before), &owner.shown(&row));
        txn.commit(app, owner.employer.as_ref(), what).await?;
        Ok(row)
    })
    .await?;
    app.wakes.feeds(vec![partner]);
    Ok(resumed)
}

/// What is to be sent again.
#[derive(Debug)]
pub struct Replay {
    /// The key of the employer whose backend the endpoint is of.
    pub employer: Option<String>,
    /// To which endpoint.
    pub endpoint: String,
    /// From this position on.
    pub from: Option<i64>,
    /// Up to this position.
    pub to: Option<i64>,
    /// These entries only.
    pub entries: Option<Vec<String>>,
    /// Only what has failed and was not delivered since.
    pub failed_only: bool,
}

/// Sends entries again; says how many.
pub async fn send_again(app: &App, permit: Permit<access::ReplayWebhooks>, wanted: Replay) -> Outcome<u64> {
    let owner = owner(app, &permit, wanted.employer.as_deref()).await?;
    let partner = owner.feed;
    let mut faults = Vec::new();
    let mut position = |path: &str, position: Option<i64>| {
        if position.is_some_and(|position| position < 1) {
            faults.push(Fault::invalid(&[path], "a position is 1 or more"));
        }
    };
    position("fromPosition", wanted.from);
    position("toPosition", wanted.to);
    let entries = wanted
        .entries
        .as_deref()
        .map(|entries| named(entries, &mut faults));
    require_none(faults)?;
    let count = retrying(|| async {
        let txn = audit::Change::begin(app, &permit).await?;
        let row = lock(&*txn, partner, &wanted.endpoint).await?;
        let head = feed::head(&*txn, partner).await?;
        let positions = match &entries {
            None => None,
            Some(entries) => Some(feed::positions(&*txn, partner, entries).await?),
        };
        let range = Range {
            from: wanted.from.unwrap_or(1),
            to: wanted.to.unwrap_or(head).min(head),
            positions,
        };
        let is_bounded = wanted.failed_only || range.positions.is_some();
        if !is_bounded && range.to.saturating_sub(range.from) >= REPLAY_MAX {
            let message = format!("at most {REPLAY_MAX} positions at once; say from where to where");
            return Err(Fault::invalid(&["toPosition"], message).into());
        }
        let key = (partner, row.id);
        let count = if wanted.failed_only {
            replay::replay_failed(&*txn, key, &range, now(app)).await?
        } else {
            replay::replay(&*txn, key, &range, now(app)).await?
        };
        let replayed = json!({
            "from": range.from, "to": range.to, "entries": entries.as_ref().map(Vec::len), "failedOnly": wanted.failed_only,
            "deliveries": count,
        });
        let what = What::other(row.id.to_string(), None, Some(replayed));
        txn.commit(app, owner.employer.as_ref(), what).await?;
        Ok(count)
    })
    .await?;
    app.wakes.feeds(vec![partner]);
    Ok(count)
}

fn named(entries: &[String], faults: &mut Vec<Fault>) -> Vec<FeedEntryId> {
    if entries.is_empty() || entries.len() > REPLAYED_ENTRIES_MAX {
        faults.push(Fault::invalid(
            &["entries"],
            format!("1 to {REPLAYED_ENTRIES_MAX} entries"),
        ));
        return Vec::new();
    }
    // What is no id of an entry is the id of none.
    entries.iter().filter_map(|id| id.parse().ok()).collect()
}

/// What came of a test.
#[derive(Debug)]
pub struct Tested {
    /// The status of the answer.
    pub status: Option<u16>,
    /// What else went wrong, as a short code.
    pub error: Option<&'static str>,
    /// How long it took.
    pub milliseconds: i64,
    /// The beginning of the answer.
    pub answer: Option<String>,
}

/// Calls an endpoint once with a message of its own, signed as every other.
pub async fn test(
    app: &App,
    permit: Permit<access::TestWebhookEndpoint>,
    named: Named<'_>,
) -> Outcome<Tested> {
    let partner = owner(app, &permit, named.employer).await?.feed;
    let row = require(app.db.read(), partner, named.endpoint).await?;
    let at = app.clock.now();
    let (id, now) = (format!("test_{}", app.ids.text()), Timestamp::from(at));
    let body = webhook::test_body(&row.id.to_string(), &now.text());
    let secrets = claim::secrets(&row, now);
    let headers = claim::headers(secrets.iter().map(Vec::as_slice), &id, at.timestamp(), &body);
    let began = tokio::time::Instant::now();
    let egress = &app.jobs.outbound.egress;
    let outcome = egress.post(&row.url, &headers, body, TEST_WITHIN).await;
    let milliseconds = i64::try_from(began.elapsed().as_millis()).unwrap_or(i64::MAX);
    let verdict = settle::judge(&outcome, at);
    Ok(Tested {
        status: verdict.status,
        error: verdict.error,
        milliseconds,
        answer: verdict.answer,
    })
}

/// The endpoints, oldest first.
pub async fn list(
    app: &App,
    permit: Permit<access::ListWebhookEndpoints>,
    employer: Option<&str>,
) -> Outcome<Vec<Model>> {
    let feed = owner(app, &permit, employer).await?.feed;
    Ok(webhook_endpoint::list(app.db.read(), feed).await?)
}

/// A delivery, its entry and its last attempts.
#[derive(Debug)]
pub struct Delivered {
    /// The delivery.
    pub row: Delivery,
    /// Its entry.
    pub entry: FeedEntryId,
    /// Its last attempts, in order.
    pub attempts: Vec<Attempt>,
}

/// A page of an endpoint's deliveries, newest entry first.
#[derive(Debug)]
pub struct Page {
    /// The deliveries, each with its entry and its last attempts.
    pub rows: Vec<Delivered>,
    /// Whether there are older ones.
    pub has_more: bool,
}

/// The deliveries of an endpoint that the viewer was shown, before a position.
pub async fn deliveries(
    app: &App,
    endpoint: &Model,
    status: Option<DeliveryStatus>,
    before: Option<i64>,
    first: i64,
) -> Outcome<Page> {
    if !(1..=PAGE_MAX).contains(&first) {
        return Err(Fault::invalid(&["first"], format!("from 1 to {PAGE_MAX}")).into());
    }
    let limit = u64::try_from(first).unwrap_or(1);
    let (db, key) = (app.db.read(), (endpoint.partner_id, endpoint.id));
    let mut rows = read::list(db, key, status, before.unwrap_or(i64::MAX), limit + 1).await?;
    let has_more = rows.len() as u64 > limit;
    if has_more {
        rows.pop();
    }
    let positions: Vec<i64> = rows.iter().map(|row| row.position).collect();
    let attempts = read::list_attempts(db, key, &positions, ATTEMPTS_SHOWN).await?;
    let places: Vec<_> = positions.iter().map(|position| (key.0, *position)).collect();
    let entries = feed::list_at(db, &places).await?;
    let of = |row: Delivery| {
        let own = attempts.iter().filter(|attempt| attempt.position == row.position);
        let (_, entry) = entries.iter().find(|(_, entry)| entry.position == row.position)?;
        Some(Delivered {
            entry: entry.id,
            attempts: own.cloned().collect(),
            row,
        })
    };
    Ok(Page {
        rows: rows.into_iter().filter_map(of).collect(),
        has_more,
    })
}

fn check(app: &App, wanted: Wanted) -> Outcome<Settings> {
    let mut faults = Vec::new();
    if let Err(refused) = app.jobs.outbound.egress.check(&wanted.url) {
        let message = match refused {
            Refused::Inside => "its host is not an address on the public internet".to_owned(),
            other => other.to_string(),
        };
        faults.push(Fault::invalid(&["url"], message));
    }
    validate::description(&["description"], wanted.description.as_deref(), &mut faults);
    if wanted.kinds.as_ref().is_some_and(Vec::is_empty) {
        faults.push(Fault::invalid(
            &["kinds"],
            "an endpoint that is told of nothing; leave it out for all kinds",
        ));
    }
    require_none(faults)?;
    let kinds = wanted.kinds.map(|mut kinds| {
        kinds.sort_unstable();
        kinds.dedup();
        write_kinds(&kinds)
    });
    Ok(Settings {
        url: wanted.url,
        description: wanted.description,
        kinds,
    })
}

fn unknown() -> Error {
    Fault::not_found(&["endpoint"], "there is no such endpoint").into()
}

/// The endpoint of this id that is told of this feed.
async fn require(connection: &impl ConnectionTrait, partner: PartnerId, endpoint: &str) -> Outcome<Model> {
    let id = endpoint.parse().map_err(|_| unknown())?;
    let found = webhook_endpoint::find(connection, partner, id).await?;
    found.ok_or_else(unknown)
}

/// As [`require`], and nobody else changes it or takes of it until the end of the transaction.
async fn lock(connection: &impl ConnectionTrait, partner: PartnerId, endpoint: &str) -> Outcome<Model> {
    let id = endpoint.parse().map_err(|_| unknown())?;
    let found = webhook_endpoint::lock(connection, &[(partner, id)], Busy::Wait).await?;
    found.into_iter().next().ok_or_else(unknown)
}

async fn reread(
    connection: &impl ConnectionTrait,
    (partner, id): (PartnerId, WebhookEndpointId),
) -> Outcome<Model> {
    let found = webhook_endpoint::find(connection, partner, id).await?;
    found.ok_or(Error::Internal("an endpoint is gone"))
}

fn new_secret(app: &App) -> [u8; webhook::SECRET_BYTES] {
    let mut secret = [0; webhook::SECRET_BYTES];
    app.ids.fill(&mut secret);
    secret
}

fn now(app: &App) -> Timestamp {
    app.clock.now().into()
}
