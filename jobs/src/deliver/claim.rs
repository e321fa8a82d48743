//! Taking what is due.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use entity::clock::Timestamp;
use entity::delivery::{self, EndpointKey, Key, Taken};
use entity::webhook_endpoint::{self, Busy, Model, Waiting};
use sea_orm::DbErr;

use super::{backoff, webhook};
use crate::{Context, told};

/// Calls under way at once to one endpoint.
const CALLS_EACH: u32 = 4;
/// How long a taker has: the deadline of the call, and as much again to write down what came of it.
const LEASE: TimeDelta = TimeDelta::seconds(30);

/// A call that is to be made.
#[derive(Debug)]
pub struct Call {
    /// The delivery that was taken.
    pub taken: Taken,
    /// Under which lease.
    pub lease: i64,
    /// Where to.
    pub url: String,
    /// The entry's own id.
    pub id: String,
    /// When it was recorded.
    pub recorded_at: Option<DateTime<Utc>>,
    /// What is sent.
    pub body: String,
    /// What it is signed with.
    secrets: Vec<Vec<u8>>,
}

impl Call {
    /// The headers of the call when it is made at this second.
    pub fn headers(&self, timestamp: i64) -> [(&'static str, String); 3] {
        let secrets = self.secrets.iter().map(Vec::as_slice);
        headers(secrets, &self.id, timestamp, &self.body)
    }
}

/// What was taken.
#[derive(Debug, Default)]
pub struct Claimed {
    /// The calls that are to be made.
    pub calls: Vec<Call>,
    /// When something else is due, if anything is promised.
    pub next: Option<Timestamp>,
}

/// The headers of a message.
pub fn headers<'a>(
    secrets: impl IntoIterator<Item = &'a [u8]>,
    id: &str,
    timestamp: i64,
    body: &str,
) -> [(&'static str, String); 3] {
    let [name_of_id, name_of_time, name_of_signature] = webhook::HEADERS;
    [
        (name_of_id, id.to_owned()),
        (name_of_time, timestamp.to_string()),
        (name_of_signature, webhook::sign(secrets, id, timestamp, body)),
    ]
}

/// The secrets that an endpoint's messages are signed with: the one before while it is being replaced.
pub fn secrets(endpoint: &Model, now: Timestamp) -> Vec<Vec<u8>> {
    let previous = endpoint.previous_secret.as_ref();
    let previous = previous.filter(|_| endpoint.previous_secret_until.is_some_and(|until| until > now));
    std::iter::once(&endpoint.secret)
        .chain(previous)
        .map(|secret| secret.expose().to_vec())
        .collect()
}

/// Takes at most `room` deliveries that are due, a few of each endpoint.
pub async fn take(context: &Context, room: usize) -> Result<Claimed, DbErr> {
    let now = Timestamp::from(context.clock.now());
    if room == 0 {
        return Ok(Claimed::default());
    }
    // A look first: most of the time nothing is due, and a look keeps nobody waiting.
    let mut waiting = webhook_endpoint::list_waiting(context.db.read(), now).await?;
    // Where there are as many calls as may be, the end of one of them is what to wait for.
    waiting.retain(|one| one.under_way < slots_of(one.failures));
    let opens = |one: &Waiting| {
        one.closed_until
            .map_or(one.due_at, |closed| closed.max(one.due_at))
    };
    let (due, later): (Vec<&Waiting>, Vec<&Waiting>) = waiting.iter().partition(|one| opens(one) <= now);
    let later = later.into_iter().map(opens).min();
    if due.is_empty() {
        return Ok(Claimed {
            calls: Vec::new(),
            next: later,
        });
    }
    let due: Vec<EndpointKey> = due.iter().map(|one| (one.partner_id, one.id)).collect();
    let mut random = [0; 8];
    context.ids.fill(&mut random);
    let lease = i64::from_be_bytes(random);
    let until = context
        .clock
        .now()
        .checked_add_signed(LEASE)
        .map_or(now, Timestamp::from);
    let txn = context.db.write_txn().await?;
    // Whoever is at an endpoint looks at it again when it has finished.
    let endpoints = webhook_endpoint::lock(&*txn, &due, Busy::Skip).await?;
    let mut endpoints: HashMap<EndpointKey, Model> = endpoints
        .into_iter()
        .filter(|row| row.parked_at.is_none() && row.closed_until.is_none_or(|closed| closed <= now))
        .map(|row| ((row.partner_id, row.id), row))
        .collect();
    let keys: Vec<EndpointKey> = endpoints.keys().copied().collect();
    let mut slots: HashMap<EndpointKey, i64> = endpoints
        .iter()
        .map(|(key, row)| (*key, slots_of(row.failures)))
        .collect();
    let under_way: HashMap<EndpointKey, i64> = delivery::count_under_way(&*txn, &keys, now)
        .await?
        .into_iter()
        .collect();
    for (key, count) in &under_way {
        slots.entry(*key).and_modify(|slots| *slots -= count);
    }
    let mut taken = delivery::list_due(&*txn, &keys, now, CALLS_EACH).await?;
    // The longest due first, over all endpoints.
    taken.retain(|one| {
        let slots = slots.entry((one.partner_id, one.endpoint_id)).or_default();
        *slots -= 1;
        *slots >= 0
    });
    taken.truncate(room);
    // Of these, whoever answers is called before those from whom nothing good has come: what a broken receiver costs comes after.
    // Only the order of the calls, not what is taken: so nobody is kept waiting for good.
    taken.sort_by_key(|one| {
        let key = (one.partner_id, one.endpoint_id);
        let fails = endpoints.get(&key).is_none_or(|row| row.failures > 0);
        fails || under_way.contains_key(&key)
    });
    let keys: Vec<Key> = taken.iter().map(Taken::key).collect();
    delivery::take(&*txn, &keys, lease, until).await?;
    txn.commit().await?;

    let places: Vec<_> = taken.iter().map(|one| (one.partner_id, one.position)).collect();
    let told = told::list_at(context.db.read(), &places).await?;
    let call = |taken: Taken| {
        let told = told.get(&(taken.partner_id, taken.position))?;
        let endpoint = endpoints.get_mut(&(taken.partner_id, taken.endpoint_id))?;
        Some(Call {
            lease,
            url: endpoint.url.clone(),
            id: told.id.clone(),
            recorded_at: told.recorded_at.parse().ok(),
            body: webhook::body(told),
            secrets: secrets(endpoint, now),
            taken,
        })
    };
    let calls: Vec<Call> = taken.into_iter().filter_map(call).collect();
    // What is due and could not be taken is others' for now.
    let next = if calls.is_empty() { Some(now) } else { later };
    Ok(Claimed { calls, next })
}

/// How many calls an endpoint gets at once: one where calls keep failing.
fn slots_of(failures: i64) -> i64 {
    if failures >= backoff::CIRCUIT_AFTER {
        1
    } else {
        i64::from(CALLS_EACH)
    }
}
