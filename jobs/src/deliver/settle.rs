//! What came of calls: judged, and written down.

use std::collections::{BTreeSet, HashMap, HashSet};

use chrono::{DateTime, TimeDelta, Utc};
use entity::clock::Timestamp;
use entity::delivery::{self, EndpointKey, Finished, Key};
use entity::webhook_endpoint::{self, Busy, Model, ParkedBecause};
use sea_orm::DbErr;

use super::backoff::{self, Scale};
use super::egress::{Answer, CallError};
use crate::Context;
use crate::metrics::Count;

/// How much of an answer is kept, in bytes.
const KEPT: usize = 1_024;
/// The status by which an endpoint says that it is gone for good.
const GONE: u16 = 410;

const CALLS: Count = Count::new("webhook_calls", "Calls of webhook endpoints, by outcome");

/// What a call has shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Whether the endpoint has taken what it was sent: any status of the class 2xx, and no other.
    pub is_delivered: bool,
    /// The status of the answer.
    pub status: Option<u16>,
    /// What else went wrong, as a short code.
    pub error: Option<&'static str>,
    /// The beginning of the answer, as text.
    pub answer: Option<String>,
    /// How long the endpoint asks us to wait.
    pub asked: Option<TimeDelta>,
}

/// Judges a call. A redirect is a failure: it leads where nobody has looked.
pub fn judge(outcome: &Result<Answer, CallError>, now: DateTime<Utc>) -> Verdict {
    match outcome {
        Ok(answer) => {
            let is_delivered = (200..300).contains(&answer.status);
            Verdict {
                is_delivered,
                status: Some(answer.status),
                error: None,
                answer: (!answer.body.is_empty()).then(|| text(&answer.body)),
                asked: answer
                    .retry_after
                    .as_deref()
                    .filter(|_| !is_delivered)
                    .and_then(|header| backoff::asked(header, now)),
            }
        }
        Err(error) => Verdict {
            is_delivered: false,
            status: error.status(),
            error: Some(error.code()),
            answer: None,
            asked: None,
        },
    }
}

/// The first kilobyte as text that both databases can hold.
pub fn text(body: &[u8]) -> String {
    let kept = body.get(..KEPT).unwrap_or(body);
    String::from_utf8_lossy(kept).replace('\0', "\u{fffd}")
}

/// Writes down what came of calls, all in one transaction, where their leases still hold.
pub async fn write(context: &Context, finished: Vec<Finished>) -> Result<(), DbErr> {
    if finished.is_empty() {
        return Ok(());
    }
    let now = context.clock.now();
    let of = |one: &Finished| (one.taken.partner_id, one.taken.endpoint_id);
    let keys: BTreeSet<EndpointKey> = finished.iter().map(of).collect();
    let keys: Vec<EndpointKey> = keys.into_iter().collect();
    let txn = context.db.write_txn().await?;
    let endpoints = webhook_endpoint::lock(&*txn, &keys, Busy::Wait).await?;
    let held: HashSet<Key> = delivery::finish(&*txn, &finished).await?.into_iter().collect();
    let mut endpoints: HashMap<EndpointKey, Model> = endpoints
        .into_iter()
        .map(|row| ((row.partner_id, row.id), row))
        .collect();
    let mut recovered = Vec::new();
    let mut lost = 0_u32;
    for one in &finished {
        if !held.contains(&one.taken.key()) {
            lost += 1;
            continue;
        }
        // Deleted meanwhile: then nothing of it matters.
        let Some(endpoint) = endpoints.get_mut(&of(one)) else {
            continue;
        };
        let before = endpoint.failures;
        let was_parked = endpoint.parked_at.is_some();
        note(endpoint, one, now, context.outbound.scale);
        if endpoint.failures == 0 && before >= backoff::CIRCUIT_AFTER {
            recovered.push(of(one));
        }
        if !was_parked && let Some(because) = endpoint.parked_because {
            tracing::warn!(partner = %endpoint.partner_id, endpoint = %endpoint.id, because = because.as_str(), "a webhook endpoint was parked");
        }
    }
    let changed: Vec<Model> = endpoints.into_values().collect();
    webhook_endpoint::put_standing(&*txn, &changed).await?;
    if !recovered.is_empty() {
        delivery::hasten(&*txn, &recovered, now.into()).await?;
    }
    txn.commit().await?;
    let of = |is_delivered: bool| {
        let those = finished
            .iter()
            .filter(|one| one.delivered_at.is_some() == is_delivered);
        those.count()
    };
    context
        .metrics
        .count(&CALLS, [("outcome", "delivered")], of(true));
    context.metrics.count(&CALLS, [("outcome", "failed")], of(false));
    if lost > 0 {
        tracing::warn!(
            calls = lost,
            "calls took longer than their leases; they are made again"
        );
    }
    Ok(())
}

/// What a call changes of how its endpoint is called.
fn note(endpoint: &mut Model, call: &Finished, now: DateTime<Utc>, scale: Scale) {
    if call.delivered_at.is_some() {
        endpoint.failures = 0;
        endpoint.failing_since = None;
        endpoint.closed_until = None;
        return;
    }
    endpoint.failures = endpoint.failures.saturating_add(1);
    let failing_since = *endpoint.failing_since.get_or_insert(call.at);
    let probe = backoff::probe(endpoint.failures, call.jitter, scale);
    let probe = probe
        .and_then(|wait| now.checked_add_signed(wait))
        .map(Timestamp::from);
    endpoint.closed_until = endpoint.closed_until.max(probe).max(call.closed_until);
    if endpoint.parked_at.is_some() {
        return;
    }
    let tried_since = call.taken.tried_since.unwrap_or(call.at);
    let is_exhausted = backoff::is_exhausted(call.taken.tries + 1, tried_since.instant(), now, scale)
        || backoff::is_exhausted(endpoint.failures, failing_since.instant(), now, scale);
    let because = match call.status {
        Some(GONE) => Some(ParkedBecause::Gone),
        _ if is_exhausted => Some(ParkedBecause::Exhausted),
        _ => None,
    };
    if because.is_some() {
        endpoint.parked_at = Some(now.into());
        endpoint.parked_because = because;
    }
}

#[cfg(test)]
mod tests;
