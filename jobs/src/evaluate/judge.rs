//! From events to awards: which incentives each event counts for, what they remember of the member, what the rules say.
//!
//! Everything is done in sets: one statement locks the batch's members, one loads their progress, one writes it. Cases are kept in the
//! order of their keys, so that a batch writes its rows in one order however it was claimed.

#![expect(
    clippy::indexing_slicing,
    reason = "an index is the place of an event in the batch that it was taken from"
)]

use std::collections::{BTreeMap, HashMap};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use chrono::{DateTime, NaiveDateTime, Utc};
use entity::clock::Timestamp;
use entity::event::Event;
use entity::id::{EmployerId, IncentiveId, MemberId};
use entity::member;
use entity::progress::{self, Progress};
use sea_orm::{ConnectionTrait, DbErr};
use serde_json::Value;

use super::MAX_ATTEMPTS;
use crate::Context;
use crate::catalogue::{Catalogue, Compiled, Version};
use crate::record::Earned;
use crate::rules::{self, Occurrence, calendar};

/// What one incentive version has to judge of one member.
struct Case<'a> {
    catalogue: &'a Catalogue,
    compiled: &'a Compiled,
    version: &'a Version,
    /// Indices of the events.
    events: Vec<usize>,
}

/// Events by member and incentive; a map that is ordered, so that a batch writes its rows in one order however it was claimed.
type Cases<'a> = BTreeMap<(EmployerId, MemberId, IncentiveId, i32), Case<'a>>;

/// An event as far as the rules need it.
struct Read {
    properties: Value,
    local_time: NaiveDateTime,
    occurred_at: DateTime<Utc>,
}

/// What came of a batch, apart from the progress, which is written already.
pub(super) struct Judged {
    /// What members have earned.
    pub earned: Vec<Earned>,
    /// The events that could not be judged, each with the reason.
    pub failed: Vec<(Event, String)>,
}

/// Lets the rules judge the events of a batch and writes what the incentives remember of them.
pub(super) async fn judge(
    context: &Context,
    connection: &impl ConnectionTrait,
    events: &[Event],
    now: DateTime<Utc>,
) -> Result<Judged, DbErr> {
    let mut wanted: Vec<(EmployerId, MemberId)> = events
        .iter()
        .map(|event| (event.employer_id, event.member_id))
        .collect();
    wanted.sort_unstable();
    wanted.dedup();
    let attributes: HashMap<(EmployerId, MemberId), Value> = member::lock(connection, &wanted)
        .await?
        .into_iter()
        .map(|row| ((row.employer_id, row.id), row.attributes))
        .collect();
    let mut employers: Vec<EmployerId> = wanted.iter().map(|(employer, _)| *employer).collect();
    employers.dedup();
    let catalogues = context.catalogues.load(connection, employers).await?;

    let mut failed: Vec<(Event, String)> = Vec::new();
    let read: Vec<Option<Read>> = events.iter().map(read).collect();
    let mut cases = Cases::new();
    for (index, event) in events.iter().enumerate() {
        let catalogue = catalogues.get(&event.employer_id);
        let attributes = attributes.get(&(event.employer_id, event.member_id));
        match (catalogue, attributes, &read[index]) {
            (Some(catalogue), Some(attributes), Some(read)) => {
                open_cases(&mut cases, catalogue, index, event, read, attributes);
            }
            _ => failed.push((
                event.clone(),
                "what is stored of the event cannot be read".to_owned(),
            )),
        }
    }

    let mut keys: Vec<_> = cases
        .keys()
        .map(|(employer, member, incentive, _)| (*employer, *member, *incentive))
        .collect();
    keys.dedup();
    let mut states: HashMap<(EmployerId, MemberId, IncentiveId), String> = if keys.is_empty() {
        HashMap::new()
    } else {
        progress::list(connection, &keys)
            .await?
            .into_iter()
            .map(|row| ((row.employer_id, row.member_id, row.incentive_id), row.state))
            .collect()
    };

    let mut changed = BTreeMap::new();
    let mut earned = Vec::new();
    for ((employer, member, incentive, _), case) in &cases {
        let key = (*employer, *member, *incentive);
        let attributes = attributes.get(&(*employer, *member)).unwrap_or(&Value::Null);
        match judge_case(
            case,
            states.get(&key).map(String::as_str),
            attributes,
            events,
            &read,
            now,
        ) {
            Ok(verdict) => {
                if verdict.evaluation.changed {
                    states.insert(key, verdict.evaluation.progress.clone());
                    changed.insert(key, verdict.evaluation.progress);
                }
                if let Some(achievement) = verdict.achievement {
                    earned.extend(verdict.evaluation.awards.into_iter().map(|award| Earned {
                        employer: case.catalogue.employer.clone(),
                        incentive: case.compiled.incentive.clone(),
                        version: case.version.number,
                        member: *member,
                        title: achievement.title.clone(),
                        award,
                    }));
                }
                for index in verdict.evaluation.too_late {
                    let event = Event {
                        attempts: MAX_ATTEMPTS - 1,
                        ..only_for(context, &events[case.events[index]], *incentive)
                    };
                    failed.push((
                        event,
                        "it came to be evaluated so late that the progress before it is forgotten".to_owned(),
                    ));
                }
            }
            Err(reason) => {
                tracing::warn!(incentive = %incentive, employer = %employer, reason, "an incentive could not judge a member");
                failed.extend(
                    case.events
                        .iter()
                        .map(|index| (only_for(context, &events[*index], *incentive), reason.clone())),
                );
            }
        }
    }

    if !changed.is_empty() {
        let rows: Vec<Progress> = changed
            .into_iter()
            .map(|((employer_id, member_id, incentive_id), state)| Progress {
                employer_id,
                member_id,
                incentive_id,
                state,
                updated_at: Timestamp::from(now),
            })
            .collect();
        progress::put(connection, &rows).await?;
    }
    Ok(Judged { earned, failed })
}

/// Reads what is stored of an event; none where it cannot be read.
fn read(event: &Event) -> Option<Read> {
    Some(Read {
        properties: serde_json::from_str(&event.properties).ok()?,
        local_time: event.local_time.parse().ok()?,
        occurred_at: event.occurred_at.instant(),
    })
}

/// Adds an event to the case of every incentive version that it counts for.
fn open_cases<'a>(
    cases: &mut Cases<'a>,
    catalogue: &'a Arc<Catalogue>,
    index: usize,
    event: &Event,
    read: &Read,
    attributes: &Value,
) {
    let Some(event_type) = catalogue.event_type(event.event_type_id) else {
        return;
    };
    for compiled in catalogue.matching(event_type) {
        if event
            .only_incentive_id
            .is_some_and(|only| only != compiled.incentive.id)
        {
            continue;
        }
        if !compiled.program.covers(calendar::program_day(
            read.local_time,
            compiled.program.day_starts_at(),
        )) {
            continue;
        }
        let Some(version) = compiled.version_at(read.occurred_at, event_type) else {
            continue;
        };
        // A broken version cannot say what it matches: it gets the event, and the event waits for its repair.
        let occurrence = Occurrence {
            event_type,
            day: calendar::program_day(read.local_time, compiled.program.day_starts_at()),
            occurred_at: read.occurred_at,
            properties: &read.properties,
        };
        if version
            .ready
            .as_ref()
            .is_ok_and(|ready| ready.incentive.evidence(&occurrence, attributes) == Ok(None))
        {
            continue;
        }
        cases
            .entry((
                event.employer_id,
                event.member_id,
                compiled.incentive.id,
                version.number,
            ))
            .or_insert_with(|| Case {
                catalogue,
                compiled,
                version,
                events: Vec::new(),
            })
            .events
            .push(index);
    }
}

struct Verdict<'a> {
    evaluation: rules::Evaluation,
    achievement: Option<&'a crate::outcome::AchievementOutcome>,
}

/// Lets the rules judge one case. An error says why they cannot, and nothing about the member.
fn judge_case<'a>(
    case: &Case<'a>,
    state: Option<&str>,
    attributes: &Value,
    events: &[Event],
    read: &[Option<Read>],
    now: DateTime<Utc>,
) -> Result<Verdict<'a>, String> {
    let ready = case.version.ready.as_ref().map_err(Clone::clone)?;
    let day_starts_at = case.compiled.program.day_starts_at();
    let occurrences: Vec<Occurrence<'_>> = case
        .events
        .iter()
        .filter_map(|index| {
            let read = read[*index].as_ref()?;
            Some(Occurrence {
                event_type: case.catalogue.event_type(events[*index].event_type_id)?,
                day: calendar::program_day(read.local_time, day_starts_at),
                occurred_at: read.occurred_at,
                properties: &read.properties,
            })
        })
        .collect();
    let horizon = case.catalogue.horizon(now);
    // The rules promise not to panic; should one ever do, it is that incentive's fault alone.
    let evaluation = catch_unwind(AssertUnwindSafe(|| {
        let mut added = Vec::new();
        for occurrence in &occurrences {
            added.extend(ready.incentive.evidence(occurrence, attributes)?);
        }
        let edition = rules::Edition {
            number: case.version.number,
            restarts: false,
            effective_from: None,
            rule: Some(&ready.incentive),
        };
        let change = rules::Change {
            added: &added,
            ..rules::Change::default()
        };
        let terms = rules::Terms {
            horizon,
            revocable: true,
            allowance: None,
        };
        rules::evaluate(&[edition], case.version.number, state, &change, terms)
    }))
    .map_err(|_| "the rule failed unexpectedly".to_owned())?
    .map_err(|fault| fault.to_string())?;
    Ok(Verdict {
        evaluation,
        achievement: ready.achievement.as_ref(),
    })
}

/// The event once more, for one incentive alone.
fn only_for(context: &Context, event: &Event, incentive: IncentiveId) -> Event {
    // The first time it is a further row beside what the others have made of it; from then on it keeps its place.
    let id = if event.only_incentive_id.is_some() {
        event.id
    } else {
        context.ids.next()
    };
    Event {
        id,
        only_incentive_id: Some(incentive),
        ..event.clone()
    }
}
