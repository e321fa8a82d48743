//! A candidate on its way through a group commit, and what is known of it.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use entity::clock::Timestamp;
use entity::event::Event;
use entity::id::EmployerId;
use entity::receipt::{Identity, Receipt};
use entity::refusal::Refusal;

use super::Status;
use super::check::{self, Candidate, WellFormed};
use super::menu::Menu;
use crate::domain::{Fault, FaultCode};

/// A candidate and what is known of its form.
pub(super) struct Offered {
    pub(super) candidate: Candidate,
    pub(super) form: Result<WellFormed, Fault>,
}

impl Offered {
    pub(super) fn new(candidate: Candidate) -> Self {
        Self {
            form: check::form(&candidate),
            candidate,
        }
    }
}

/// An identity: the employer, the source and the sender's own id.
pub(super) type Key<'a> = (EmployerId, &'a str, &'a str);

/// A candidate on its way through the group.
pub(super) struct Item<'a> {
    pub(super) employer: EmployerId,
    pub(super) candidate: &'a Candidate,
    pub(super) form: Option<&'a WellFormed>,
    pub(super) verdict: Verdict,
}

pub(super) enum Verdict {
    /// Nothing is known against it, and this is what would be queued.
    Acceptable(Box<Event>, Timestamp),
    /// What became of it is certain.
    Settled(Status),
}

impl<'a> Item<'a> {
    pub(super) fn new(employer: EmployerId, offered: &'a Offered) -> Self {
        let (form, fault) = match &offered.form {
            // Replaced as soon as the employer's menu is at hand.
            Ok(form) => (
                Some(form),
                Fault::not_found(&["employer"], "there is no such employer"),
            ),
            Err(fault) => (None, fault.clone()),
        };
        Self {
            employer,
            candidate: &offered.candidate,
            form,
            verdict: Verdict::Settled(Status::Rejected(fault)),
        }
    }

    /// Its identity, as far as it can be compared without a copy.
    pub(super) fn key(&self) -> Key<'a> {
        (self.employer, &self.candidate.source, &self.candidate.id)
    }

    pub(super) fn identity(&self) -> Identity {
        Identity {
            employer_id: self.employer,
            source: self.candidate.source.clone(),
            event_id: self.candidate.id.clone(),
        }
    }

    pub(super) fn receipt(&self) -> Option<Receipt> {
        match (&self.verdict, self.form) {
            (Verdict::Acceptable(event, until), Some(form)) => Some(Receipt {
                identity: self.identity(),
                body_digest: form.digest,
                accepted_at: event.received_at,
                expires_at: *until,
                member_id: event.member_id,
                event_type_id: event.event_type_id,
            }),
            _ => None,
        }
    }

    pub(super) fn was_refused(&self) -> bool {
        matches!(self.verdict, Verdict::Settled(Status::Rejected(_)))
    }

    pub(super) fn status(self) -> Status {
        match self.verdict {
            Verdict::Settled(status) => status,
            // Every acceptable item is settled by its receipt, which is either new or known.
            Verdict::Acceptable(..) => Status::Rejected(Fault::new(
                FaultCode::Conflict,
                &["id"],
                "another request with this id is under way; send it again",
            )),
        }
    }
}

/// The refusals among the items, counted by employer, type and reason. A type the employer does not have is counted without its
/// name: what a caller makes up does not become rows.
pub(super) fn refusals(
    items: &[Item<'_>],
    menus: &HashMap<EmployerId, Arc<Menu>>,
    now: DateTime<Utc>,
) -> Vec<Refusal> {
    let mut counts: BTreeMap<(EmployerId, String, &'static str), i64> = BTreeMap::new();
    for item in items {
        let Verdict::Settled(Status::Rejected(fault)) = &item.verdict else {
            continue;
        };
        let Some(menu) = menus.get(&item.employer) else {
            continue;
        };
        let known = menu.find(&item.candidate.event_type).is_some();
        let event_type = if known {
            item.candidate.event_type.clone()
        } else {
            String::new()
        };
        *counts
            .entry((item.employer, event_type, fault.code.as_str()))
            .or_default() += 1;
    }
    counts
        .into_iter()
        .filter_map(|((employer_id, event_type, code), count)| {
            Some(Refusal {
                employer_id,
                refused_on: menus.get(&employer_id)?.employer.now(now).date_naive(),
                event_type,
                code: code.to_owned(),
                count,
            })
        })
        .collect()
}
