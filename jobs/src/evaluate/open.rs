//! From events to cases: which incentives each event counts for, and for what.

#![expect(
    clippy::indexing_slicing,
    reason = "an index is the place of an event in the batch that it was taken from"
)]

use std::collections::{HashMap, HashSet};

use chrono::NaiveDateTime;
use entity::contribution::Contribution;
use entity::event::{Event, HELD};
use entity::id::{EmployerId, Ids, IncentiveId, MemberId};
use entity::program::ProgramState;
use entity::receipt::Identity;
use entity::{member, retraction};
use sea_orm::{ConnectionTrait, DbErr};
use serde_json::Value;

use super::news::News;
use crate::catalogue::{Catalogue, Compiled, Employers};
use crate::judge::{Case, Cases, Happening, Refunds};

/// What a batch of events comes to before it is judged.
pub(super) struct Opened<'a> {
    /// What is to be judged.
    pub cases: Cases<'a>,
    /// The events that could not be judged, each with the reason.
    pub failed: Vec<(Event, String)>,
    /// The events that wait for a paused program.
    pub held: Vec<Event>,
    /// What the events say of orders that points were given for, or will be.
    pub refunds: Refunds,
    /// What the events are to campaigns and their members.
    pub news: News,
    /// The places of the events that count, as far as anything wants them: those that were not retracted before they came.
    pub counting: Vec<usize>,
}

/// An event as far as the rules need it.
struct Read {
    properties: Value,
    local_time: NaiveDateTime,
}

/// The attributes of the members of a batch; none of a member that was erased.
pub(super) type Attributes = HashMap<(EmployerId, MemberId), Option<Value>>;

/// Locks the members of a batch and returns the attributes of those that are there.
pub(super) async fn lock_members(
    connection: &impl ConnectionTrait,
    events: &[Event],
) -> Result<Attributes, DbErr> {
    let mut wanted: Vec<(EmployerId, MemberId)> = events
        .iter()
        .map(|event| (event.employer_id, event.member_id))
        .collect();
    wanted.sort_unstable();
    wanted.dedup();
    let rows = member::lock(connection, &wanted).await?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let attributes = row.erased_at.is_none().then_some(row.attributes);
            ((row.employer_id, row.id), attributes)
        })
        .collect())
}

/// The events of a batch that were retracted before they were evaluated. Asked after the members are locked: a retraction that is
/// not seen here finds, when its turn comes, what the event has counted for.
pub(super) async fn retracted(
    connection: &impl ConnectionTrait,
    events: &[Event],
) -> Result<HashSet<Identity>, DbErr> {
    let identities: Vec<Identity> = events.iter().map(identity).collect();
    let known = retraction::list(connection, &identities).await?;
    Ok(known.iter().map(retraction::Retraction::identity).collect())
}

fn identity(event: &Event) -> Identity {
    Identity {
        employer_id: event.employer_id,
        source: event.source.clone(),
        event_id: event.event_id.clone(),
    }
}

/// Opens the cases of a batch.
pub(super) fn open<'a>(
    ids: &Ids,
    employers: &'a Employers,
    events: &[Event],
    attributes: &Attributes,
    retracted: &HashSet<Identity>,
) -> Opened<'a> {
    let mut opened = Opened {
        cases: Cases::new(),
        failed: Vec::new(),
        held: Vec::new(),
        refunds: Refunds::default(),
        news: News::default(),
        counting: Vec::new(),
    };
    for (index, event) in events.iter().enumerate() {
        if !retracted.is_empty() && retracted.contains(&identity(event)) {
            continue;
        }
        let catalogue = employers.get(event.employer_id);
        let attributes = attributes.get(&(event.employer_id, event.member_id));
        match (catalogue, attributes, read(event)) {
            // Of a member that was erased nothing is evaluated any more.
            (_, Some(None), _) => {}
            (Some(catalogue), Some(Some(attributes)), Some(read)) => {
                opened.counting.push(index);
                opened.open_for(ids, catalogue, (index, event), &read, attributes);
            }
            _ => opened.failed.push((
                event.clone(),
                "what is stored of the event cannot be read".to_owned(),
            )),
        }
    }
    opened
}

/// Reads what is stored of an event; none where it cannot be read.
fn read(event: &Event) -> Option<Read> {
    Some(Read {
        properties: serde_json::from_str(&event.properties).ok()?,
        local_time: event.local_time.parse().ok()?,
    })
}

impl<'a> Opened<'a> {
    /// Adds an event to the case of every incentive that it counts for.
    fn open_for(
        &mut self,
        ids: &Ids,
        catalogue: &'a Catalogue,
        (index, event): (usize, &Event),
        read: &Read,
        attributes: &Value,
    ) {
        let Some(kind) = catalogue.event_type(event.event_type_id) else {
            return;
        };
        let happening = Happening {
            employer: event.employer_id,
            member: event.member_id,
            event_type: &kind.key,
            source: &event.source,
            event_id: &event.event_id,
            occurred_at: event.occurred_at,
            local_time: read.local_time,
            time_zone: &event.time_zone,
            properties: &read.properties,
        };
        // An event that is evaluated once more for one incentive alone was news the first time.
        if event.only_incentive_id.is_none() {
            let values = (&read.properties, attributes);
            self.news.note(catalogue, event, &kind.key, values);
        }
        for compiled in catalogue.matching(&kind.key, &read.properties, attributes) {
            let incentive = compiled.incentive.id;
            if event.only_incentive_id.is_some_and(|only| only != incentive) {
                continue;
            }
            let contribution = match happening.counts_for(catalogue, compiled, attributes) {
                Ok(Some(contribution)) => contribution,
                Ok(None) => continue,
                Err(reason) => {
                    // The event waits for the repair of what cannot judge it.
                    self.fail(ids, event, incentive, reason);
                    continue;
                }
            };
            if compiled.program.state() == ProgramState::Paused {
                self.held.push(Event {
                    due_at: HELD,
                    ..only_for(ids, event, incentive)
                });
                continue;
            }
            self.add(catalogue, compiled, index, contribution);
        }
        for compiled in catalogue.refunded_by(&kind.key) {
            let incentive = compiled.incentive.id;
            if event.only_incentive_id.is_some_and(|only| only != incentive) {
                continue;
            }
            match happening.refunds(compiled) {
                Ok(refund) => self.refunds.stated.extend(refund),
                Err(reason) => self.fail(ids, event, incentive, reason),
            }
        }
        for compiled in catalogue.released_by(&kind.key) {
            let is_meant = |only| only == compiled.incentive.id;
            if event.only_incentive_id.is_none_or(is_meant) {
                self.refunds.released.extend(happening.releases(compiled));
            }
        }
    }

    fn add(
        &mut self,
        catalogue: &'a Catalogue,
        compiled: &'a Compiled,
        index: usize,
        contribution: Contribution,
    ) {
        let member = contribution.member_id;
        let key = (contribution.employer_id, member, compiled.incentive.id);
        let case = self.cases.entry(key).or_insert_with(|| Case {
            catalogue,
            compiled,
            member,
            added: Vec::new(),
            removed: Vec::new(),
        });
        case.added.push((index, contribution));
    }

    fn fail(&mut self, ids: &Ids, event: &Event, incentive: IncentiveId, reason: String) {
        tracing::warn!(incentive = %incentive, employer = %event.employer_id, reason, "an incentive could not judge a member");
        self.failed.push((only_for(ids, event, incentive), reason));
    }

    /// Takes note of what the judging has left undone.
    pub fn fail_case(&mut self, ids: &Ids, events: &[Event], key: crate::judge::CaseKey, reason: &str) {
        let Some(case) = self.cases.get(&key) else { return };
        let again: Vec<(Event, String)> = case
            .added
            .iter()
            .map(|(index, _)| (only_for(ids, &events[*index], key.2), reason.to_owned()))
            .collect();
        self.failed.extend(again);
    }
}

/// The event once more, for one incentive alone.
pub(super) fn only_for(ids: &Ids, event: &Event, incentive: IncentiveId) -> Event {
    // The first time it is a further row beside what the others have made of it; from then on it keeps its place.
    let id = if event.only_incentive_id.is_some() {
        event.id
    } else {
        ids.next()
    };
    Event {
        id,
        only_incentive_id: Some(incentive),
        ..event.clone()
    }
}
