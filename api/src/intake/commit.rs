//! The group commit: the events of all callers that have gathered, in one transaction, each table written once.

#![expect(
    clippy::indexing_slicing,
    reason = "an index is the place of an item in the group that it was taken from"
)]

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use entity::clock::Timestamp;
use entity::employer::Enrolment;
use entity::event::{self, Event};
use entity::id::EmployerId;
use entity::receipt::{self, Identity, Receipt};
use entity::{db, member, refusal};
use jobs::metrics::Count;
use sea_orm::{ConnectionTrait, DbErr};
use serde_json::Value;

use super::check::{self, WellFormed};
use super::item::{Item, Verdict, refusals};
use super::menu::Menu;
use super::{Committer, ItemResult, Request, Status};
use crate::domain::{self, Fault, FaultCode};
use crate::validate;

const EVENTS: Count = Count::new(
    "events",
    "Events that were sent, by result: accepted, duplicate, rejected",
);

/// Tries of a transaction that was in another one's way.
const ATTEMPTS: u32 = 5;

impl Committer {
    /// Commits a group and answers its callers. When the group as a whole fails, each request is tried by itself, so that none is
    /// refused for another's sake.
    pub(super) async fn commit_group(&self, group: Vec<Request>) {
        match self.try_commit(&group).await {
            Ok(results) => {
                for (request, results) in group.into_iter().zip(results) {
                    self.count(&results);
                    // A caller that has gone away does not hear of it, and its retry will be a duplicate.
                    drop(request.answer.send(Ok(results)));
                }
            }
            Err(error) if group.len() == 1 || db::is_unavailable(&error) => {
                tracing::warn!(error = %error, requests = group.len(), "events could not be stored; their callers are told");
                let mut error = Some(error);
                for request in group {
                    let failure = error.take().map_or(domain::Error::Busy, domain::Error::Db);
                    drop(request.answer.send(Err(failure)));
                }
            }
            Err(_) => {
                for request in group {
                    Box::pin(self.commit_group(vec![request])).await;
                }
            }
        }
    }

    fn count(&self, results: &[ItemResult]) {
        let of = |is: fn(&Status) -> bool| results.iter().filter(|item| is(&item.status)).count();
        for (result, count) in [
            ("accepted", of(|status| matches!(status, Status::Accepted))),
            ("duplicate", of(|status| matches!(status, Status::Duplicate))),
            ("rejected", of(|status| matches!(status, Status::Rejected(_)))),
        ] {
            self.metrics.count(&EVENTS, [("result", result)], count);
        }
    }

    async fn try_commit(&self, group: &[Request]) -> Result<Vec<Vec<ItemResult>>, DbErr> {
        let mut attempt = 1;
        loop {
            match self.commit_once(group).await {
                Err(error) if db::is_retryable(&error) && attempt < ATTEMPTS => attempt += 1,
                outcome => return outcome,
            }
        }
    }

    async fn commit_once(&self, group: &[Request]) -> Result<Vec<Vec<ItemResult>>, DbErr> {
        let mut items: Vec<Item<'_>> = group
            .iter()
            .flat_map(|request| {
                request
                    .candidates
                    .iter()
                    .map(|candidate| Item::new(request.employer, candidate))
            })
            .collect();
        let txn = self.db.write_txn().await?;
        let queued = self.judge(&*txn, &mut items).await?;
        if queued.is_empty() && !items.iter().any(Item::was_refused) {
            txn.rollback().await?;
        } else {
            txn.commit().await?;
        }
        if !queued.is_empty() {
            self.wakes.events();
        }
        let mut statuses = items.into_iter().map(Item::status);
        Ok(group
            .iter()
            .map(|request| {
                let ids = request.candidates.iter().map(|candidate| candidate.id.clone());
                ids.zip(statuses.by_ref())
                    .map(|(id, status)| ItemResult { id, status })
                    .collect()
            })
            .collect())
    }

    /// Settles every item and writes what is accepted; returns what was queued.
    async fn judge(
        &self,
        connection: &impl ConnectionTrait,
        items: &mut [Item<'_>],
    ) -> Result<Vec<Event>, DbErr> {
        let now = self.clock.now();
        let mut employers: Vec<EmployerId> = items.iter().map(|item| item.employer).collect();
        employers.sort_unstable();
        employers.dedup();
        let menus = self.menus.load(connection, employers).await?;
        let members = self.members(connection, items, &menus, now).await?;
        for item in items.iter_mut() {
            let (Some(form), Some(menu)) = (&item.form, menus.get(&item.employer)) else {
                continue;
            };
            match self.acceptable(item, form, menu, &members, now) {
                Ok((event, until)) => item.verdict = Verdict::Acceptable(Box::new(event), until),
                Err(fault) => item.verdict = Verdict::Settled(Status::Rejected(fault)),
            }
        }

        // Of items with one identity in this group, the first acceptable one stands for the event; the others are compared with it.
        let mut firsts: HashMap<Identity, usize> = HashMap::new();
        for (index, item) in items.iter().enumerate() {
            if matches!(item.verdict, Verdict::Acceptable(..)) {
                firsts.entry(item.identity()).or_insert(index);
            }
        }
        let receipts: Vec<Receipt> = firsts
            .values()
            .filter_map(|index| items[*index].receipt())
            .collect();
        let fresh: HashSet<Identity> = if receipts.is_empty() {
            HashSet::new()
        } else {
            receipt::insert_new(connection, receipts)
                .await?
                .into_iter()
                .collect()
        };
        let known = self.known(connection, items, &fresh).await?;
        let mut queued = Vec::new();
        for index in 0..items.len() {
            let identity = items[index].identity();
            let Some(digest) = items[index].form.as_ref().map(|form| form.digest) else {
                continue;
            };
            let is_first = firsts.get(&identity) == Some(&index);
            let before = if fresh.contains(&identity) {
                firsts
                    .get(&identity)
                    .and_then(|first| items[*first].form.as_ref())
                    .map(|form| form.digest.to_vec())
            } else {
                known.get(&identity).cloned()
            };
            let item = &mut items[index];
            match (&item.verdict, before) {
                (Verdict::Acceptable(event, _), Some(_)) if is_first && fresh.contains(&identity) => {
                    queued.push((**event).clone());
                    item.verdict = Verdict::Settled(Status::Accepted);
                }
                // It was accepted before, even if by now it would be too late: a retry gets its success.
                (_, Some(before)) if before == digest => item.verdict = Verdict::Settled(Status::Duplicate),
                (Verdict::Acceptable(..), Some(_)) => {
                    let fault =
                        Fault::new(FaultCode::Conflict, &["id"], "this id was used for another event");
                    item.verdict = Verdict::Settled(Status::Rejected(fault));
                }
                _ => {}
            }
        }
        if !queued.is_empty() {
            event::put(connection, &queued).await?;
        }
        let refusals = refusals(items, &menus, now);
        if !refusals.is_empty() {
            refusal::add(connection, &refusals).await?;
        }
        Ok(queued)
    }

    /// The members that the items name; where the employer's enrolment is open, unknown ones become members now.
    async fn members(
        &self,
        connection: &impl ConnectionTrait,
        items: &[Item<'_>],
        menus: &HashMap<EmployerId, Arc<Menu>>,
        now: DateTime<Utc>,
    ) -> Result<HashMap<(EmployerId, String), member::Model>, DbErr> {
        let mut wanted: Vec<(EmployerId, String)> = items
            .iter()
            .filter(|item| item.form.is_some())
            .map(|item| (item.employer, item.candidate.member.clone()))
            .collect();
        wanted.retain(|(_, external_id)| validate::is_external_id(external_id));
        wanted.sort_unstable();
        wanted.dedup();
        if wanted.is_empty() {
            return Ok(HashMap::new());
        }
        let by_key = |rows: Vec<member::Model>| {
            rows.into_iter()
                .map(|row| ((row.employer_id, row.external_id.clone()), row))
        };
        let mut members: HashMap<_, _> =
            by_key(member::list_by_external_ids(connection, &wanted).await?).collect();
        let enrols = |item: &&Item<'_>| {
            let menu = menus
                .get(&item.employer)
                .filter(|menu| menu.employer.enrolment == Enrolment::Open);
            let menu_item = menu.and_then(|menu| Some((menu, menu.find(&item.candidate.event_type)?)));
            // An event that is refused enrols nobody.
            item.form
                .as_ref()
                .zip(menu_item)
                .is_some_and(|(form, (menu, menu_item))| {
                    check::fits_type(form, menu_item, menu.employer.now(now)).is_ok()
                })
        };
        let mut enrolling: HashMap<(EmployerId, &str), Option<Tz>> = HashMap::new();
        for item in items.iter().filter(enrols) {
            let zone = enrolling
                .entry((item.employer, item.candidate.member.as_str()))
                .or_default();
            *zone = zone.or(item.form.as_ref().and_then(|form| form.time_zone));
        }
        wanted.retain(|(employer, external_id)| {
            enrolling.contains_key(&(*employer, external_id.as_str()))
                && !members.contains_key(&(*employer, external_id.clone()))
        });
        if !wanted.is_empty() {
            let enrolled: Vec<member::Model> = wanted
                .iter()
                .filter_map(|(employer, external_id)| {
                    let now = Timestamp::from(menus.get(employer)?.employer.now(now));
                    let zone = enrolling
                        .get(&(*employer, external_id.as_str()))
                        .copied()
                        .flatten();
                    Some(member::Model {
                        employer_id: *employer,
                        id: self.ids.next(),
                        external_id: external_id.clone(),
                        // What its first event tells: the zone it was in, and an address where that is all it is known by.
                        time_zone: zone.map(|zone| zone.name().to_owned()),
                        locale: None,
                        email: validate::is_email(external_id).then(|| external_id.clone()),
                        eligible_from: None,
                        eligible_until: None,
                        attributes: Value::Object(serde_json::Map::new()),
                        created_at: now,
                        updated_at: now,
                        erased_at: None,
                        engaged_at: None,
                    })
                })
                .collect();
            member::insert_missing(connection, &enrolled).await?;
            members.extend(by_key(member::list_by_external_ids(connection, &wanted).await?));
        }
        Ok(members)
    }

    /// What would be queued of an item, and until when it could come again.
    fn acceptable(
        &self,
        item: &Item<'_>,
        form: &WellFormed,
        menu: &Menu,
        members: &HashMap<(EmployerId, String), member::Model>,
        real: DateTime<Utc>,
    ) -> Result<(Event, Timestamp), Fault> {
        let now = menu.employer.now(real);
        let candidate = item.candidate;
        let menu_item = check::item(candidate, menu)?;
        let member = members
            .get(&(item.employer, candidate.member.clone()))
            .ok_or_else(|| {
                Fault::new(
                    FaultCode::UnknownMember,
                    &["member"],
                    "the employer has no member of this id",
                )
            })?;
        check::fits_type(form, menu_item, now)?;
        let local = check::local(form, Some(member), &menu.employer);
        check::eligible(&local, member)?;
        let event = Event {
            employer_id: item.employer,
            id: self.ids.next(),
            member_id: member.id,
            event_type_id: menu_item.event_type.id,
            source: candidate.source.clone(),
            event_id: candidate.id.clone(),
            occurred_at: form.occurred_at.into(),
            received_at: now.into(),
            local_time: local.time,
            time_zone: local.zone.name().to_owned(),
            zone_origin: local.origin,
            properties: form.properties_text.clone(),
            only_incentive_id: None,
            attempts: 0,
            // The queue keeps to the real clock.
            due_at: real.into(),
        };
        Ok((event, check::acceptable_until(form, menu_item)))
    }

    /// The digests of the bodies accepted before under the identities of items that are not new.
    async fn known(
        &self,
        connection: &impl ConnectionTrait,
        items: &[Item<'_>],
        fresh: &HashSet<Identity>,
    ) -> Result<HashMap<Identity, Vec<u8>>, DbErr> {
        let mut wanted: Vec<Identity> = items
            .iter()
            .filter(|item| item.form.is_some())
            .map(Item::identity)
            .filter(|identity| !fresh.contains(identity))
            .collect();
        if wanted.is_empty() {
            return Ok(HashMap::new());
        }
        wanted.sort_unstable();
        wanted.dedup();
        let rows = receipt::list(connection, &wanted).await?;
        Ok(rows
            .into_iter()
            .map(|row| {
                (
                    Identity {
                        employer_id: row.employer_id,
                        source: row.source,
                        event_id: row.event_id,
                    },
                    row.body_digest,
                )
            })
            .collect())
    }
}
