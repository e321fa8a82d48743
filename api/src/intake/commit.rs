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
use super::item::{Item, Key, Verdict, refusals};
use super::menu::Menu;
use super::{Committer, ItemResult, Request, Status};
use crate::domain::{self, Fault, FaultCode};
use crate::validate;

const EVENTS: Count = Count::new(
    "events",
    "Events that were sent, by result: accepted, duplicate, rejected",
);

/// The members that the items of a group name.
type Members<'a> = HashMap<(EmployerId, &'a str), &'a member::Model>;

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
                    .offered
                    .iter()
                    .map(|offered| Item::new(request.employer, offered))
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
                let ids = request.offered.iter().map(|offered| offered.candidate.id.clone());
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
        let members: Members<'_> = members
            .iter()
            .map(|row| ((row.employer_id, row.external_id.as_str()), row))
            .collect();
        for item in items.iter_mut() {
            let (Some(form), Some(menu)) = (item.form, menus.get(&item.employer)) else {
                continue;
            };
            match self.acceptable(item, form, menu, &members, now) {
                Ok((event, until)) => item.verdict = Verdict::Acceptable(Box::new(event), until),
                Err(fault) => item.verdict = Verdict::Settled(Status::Rejected(fault)),
            }
        }

        // Of items with one identity in this group, the first acceptable one stands for the event; the others are compared with it.
        let mut firsts: HashMap<Key<'_>, usize> = HashMap::new();
        for (index, item) in items.iter().enumerate() {
            if matches!(item.verdict, Verdict::Acceptable(..)) {
                firsts.entry(item.key()).or_insert(index);
            }
        }
        let receipts: Vec<Receipt> = firsts
            .values()
            .filter_map(|index| items[*index].receipt())
            .collect();
        let fresh = if receipts.is_empty() {
            Vec::new()
        } else {
            receipt::insert_new(connection, receipts).await?
        };
        let fresh: HashSet<usize> = fresh
            .iter()
            .filter_map(|new| firsts.get(&(new.employer_id, new.source.as_str(), new.event_id.as_str())))
            .copied()
            .collect();
        let is_fresh = |key: &Key<'_>| firsts.get(key).copied().filter(|first| fresh.contains(first));
        let known = self
            .known(connection, items, |key| is_fresh(key).is_some())
            .await?;
        let known: HashMap<Key<'_>, &[u8]> = known
            .iter()
            .map(|row| {
                let key = (row.employer_id, row.source.as_str(), row.event_id.as_str());
                (key, row.body_digest.as_slice())
            })
            .collect();
        let mut queued = Vec::new();
        for index in 0..items.len() {
            let Some(form) = items[index].form else { continue };
            let key = items[index].key();
            let first = is_fresh(&key);
            let before = match first {
                Some(first) => items[first].form.map(|form| form.digest.as_slice()),
                None => known.get(&key).copied(),
            };
            let item = &mut items[index];
            match (&item.verdict, before) {
                (Verdict::Acceptable(..), Some(_)) if first == Some(index) => {
                    let accepted = Verdict::Settled(Status::Accepted);
                    if let Verdict::Acceptable(event, _) = std::mem::replace(&mut item.verdict, accepted) {
                        queued.push(*event);
                    }
                }
                // It was accepted before, even if by now it would be too late: a retry gets its success.
                (_, Some(before)) if before == form.digest => {
                    item.verdict = Verdict::Settled(Status::Duplicate);
                }
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
    ) -> Result<Vec<member::Model>, DbErr> {
        let mut wanted: Vec<(EmployerId, &str)> = items
            .iter()
            .filter(|item| item.form.is_some() && validate::is_external_id(&item.candidate.member))
            .map(|item| (item.employer, item.candidate.member.as_str()))
            .collect();
        wanted.sort_unstable();
        wanted.dedup();
        if wanted.is_empty() {
            return Ok(Vec::new());
        }
        let owned = |wanted: &[(EmployerId, &str)]| -> Vec<(EmployerId, String)> {
            let owned = wanted
                .iter()
                .map(|(employer, name)| (*employer, (*name).to_owned()));
            owned.collect()
        };
        let mut members = member::list_by_external_ids(connection, &owned(&wanted)).await?;
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
                    check::fits_type(item.candidate, form, menu_item, menu.employer.now(now)).is_ok()
                })
        };
        let known: HashSet<(EmployerId, &str)> = members
            .iter()
            .map(|row| (row.employer_id, row.external_id.as_str()))
            .collect();
        let is_unknown = |item: &&Item<'_>| !known.contains(&(item.employer, item.candidate.member.as_str()));
        let mut enrolling: HashMap<(EmployerId, &str), Option<Tz>> = HashMap::new();
        for item in items.iter().filter(is_unknown).filter(enrols) {
            let zone = enrolling
                .entry((item.employer, item.candidate.member.as_str()))
                .or_default();
            *zone = zone.or(item.form.as_ref().and_then(|form| form.time_zone));
        }
        wanted.retain(|who| enrolling.contains_key(who));
        if !wanted.is_empty() {
            let enrolled: Vec<member::Model> = wanted
                .iter()
                .filter_map(|(employer, external_id)| {
                    let now = Timestamp::from(menus.get(employer)?.employer.now(now));
                    let zone = enrolling.get(&(*employer, *external_id)).copied().flatten();
                    Some(member::Model {
                        employer_id: *employer,
                        id: self.ids.next(),
                        external_id: (*external_id).to_owned(),
                        // What its first event tells: the zone it was in, and an address where that is all it is known by.
                        time_zone: zone.map(|zone| zone.name().to_owned()),
                        locale: None,
                        email: validate::is_email(external_id).then(|| (*external_id).to_owned()),
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
            members.extend(member::list_by_external_ids(connection, &owned(&wanted)).await?);
        }
        Ok(members)
    }

    /// What would be queued of an item, and until when it could come again.
    fn acceptable(
        &self,
        item: &Item<'_>,
        form: &WellFormed,
        menu: &Menu,
        members: &Members<'_>,
        real: DateTime<Utc>,
    ) -> Result<(Event, Timestamp), Fault> {
        let now = menu.employer.now(real);
        let candidate = item.candidate;
        let menu_item = check::item(candidate, menu)?;
        let member = *members
            .get(&(item.employer, candidate.member.as_str()))
            .ok_or_else(|| {
                Fault::new(
                    FaultCode::UnknownMember,
                    &["member"],
                    "the employer has no member of this id",
                )
            })?;
        check::fits_type(candidate, form, menu_item, now)?;
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

    /// What is known of the bodies accepted before under the identities of items that are not new.
    async fn known(
        &self,
        connection: &impl ConnectionTrait,
        items: &[Item<'_>],
        is_new: impl Fn(&Key<'_>) -> bool,
    ) -> Result<Vec<receipt::Known>, DbErr> {
        let mut wanted: Vec<Identity> = items
            .iter()
            .filter(|item| item.form.is_some() && !is_new(&item.key()))
            .map(Item::identity)
            .collect();
        if wanted.is_empty() {
            return Ok(Vec::new());
        }
        wanted.sort_unstable();
        wanted.dedup();
        receipt::list(connection, &wanted).await
    }
}
