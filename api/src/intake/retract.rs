//! Retractions: events that their sender takes back. What is written here is only that it was said; what follows from it is for the
//! jobs, in a transaction of their own after this one.

use std::collections::HashSet;

use entity::clock::Timestamp;
use entity::receipt::Identity;
use entity::retraction::{self, Retraction, State};
use entity::{employer, event_type};

use super::{EVENTS_MAX, ItemResult, Status};
use crate::app::App;
use crate::auth::access;
use crate::auth::viewer::{Permit, Viewer};
use crate::domain::{Fault, FaultCode, Outcome, retrying, tenant};
use crate::validate;

/// The longest reason, in characters.
const REASON_MAX: usize = 255;
/// How long a retraction is kept beyond the greatest `maxLate`, in seconds: an event that was accepted at the last moment may wait
/// that long for its evaluation.
const GRACE_SECONDS: i64 = 31 * 86_400;

/// An event that is to be taken back, as it was sent.
#[derive(Debug, Clone)]
pub struct Retract {
    /// The sender's own id of the event.
    pub id: String,
    /// Where the event came from.
    pub source: String,
    /// Why, in the sender's words.
    pub reason: Option<String>,
}

/// Takes retractions of one employer's events in, and returns when they are durable. The results are in the order of the input.
pub async fn retract(
    app: &App,
    permit: Permit<access::RetractEvents>,
    employer: Option<&str>,
    events: &[Retract],
) -> Outcome<Vec<ItemResult>> {
    if events.is_empty() || events.len() > EVENTS_MAX {
        let message = format!("1 to {EVENTS_MAX} events");
        return Err(Fault::new(FaultCode::TooMany, &["events"], message).into());
    }
    retrying(|| retract_once(app, permit.viewer(), employer, events)).await
}

async fn retract_once(
    app: &App,
    viewer: &Viewer,
    employer: Option<&str>,
    events: &[Retract],
) -> Outcome<Vec<ItemResult>> {
    let forms: Vec<Result<(), Fault>> = events.iter().map(form).collect();
    let txn = app.db.write_txn().await?;
    let employer = tenant::resolve(&*txn, viewer, employer).await?;
    let kept_seconds = event_type::greatest_max_late(&*txn, employer.id)
        .await?
        .saturating_add(GRACE_SECONDS);
    let mut seen = HashSet::new();
    let rows: Vec<Retraction> = events
        .iter()
        .zip(&forms)
        .filter(|(_, form)| form.is_ok())
        .filter(|(event, _)| seen.insert(identity(&employer, event)))
        .map(|(event, _)| row(app, &employer, event, kept_seconds))
        .collect();
    let mut fresh: HashSet<Identity> = HashSet::new();
    if !rows.is_empty() {
        fresh.extend(retraction::put_new(&*txn, rows).await?);
    }
    if fresh.is_empty() {
        txn.rollback().await?;
    } else {
        txn.commit().await?;
        app.wakes.events();
    }
    let results = events.iter().zip(forms).map(|(event, form)| ItemResult {
        id: event.id.clone(),
        status: match form {
            Err(fault) => Status::Rejected(fault),
            // The first of several is the one that was written.
            Ok(()) if fresh.remove(&identity(&employer, event)) => Status::Accepted,
            Ok(()) => Status::Duplicate,
        },
    });
    Ok(results.collect())
}

/// Checks the form of a retraction. Whether there is such an event is not asked: it may still come.
fn form(event: &Retract) -> Result<(), Fault> {
    validate::event_name("id", &event.id)?;
    validate::event_name("source", &event.source)?;
    let is_fine = |reason: &str| reason.chars().count() <= REASON_MAX && !reason.contains('\0');
    if event.reason.as_deref().is_none_or(is_fine) {
        Ok(())
    } else {
        let message = format!("at most {REASON_MAX} characters, none of them a zero character");
        Err(Fault::invalid(&["reason"], message))
    }
}

fn identity(employer: &employer::Model, event: &Retract) -> Identity {
    Identity {
        employer_id: employer.id,
        source: event.source.clone(),
        event_id: event.id.clone(),
    }
}

fn row(app: &App, employer: &employer::Model, event: &Retract, kept_seconds: i64) -> Retraction {
    let real = app.clock.now();
    let received_at = Timestamp::from(employer.now(real));
    Retraction {
        employer_id: employer.id,
        source: event.source.clone(),
        event_id: event.id.clone(),
        reason: event.reason.clone(),
        received_at,
        state: State::Pending,
        attempts: 0,
        // What waits to be done keeps to the real clock.
        due_at: real.into(),
        expires_at: Timestamp(
            received_at
                .0
                .saturating_add(kept_seconds.saturating_mul(1_000_000)),
        ),
    }
}
