//! The audit log: every change is made through a [`Change`], which cannot be committed without saying what was changed.
//!
//! Not audited are the facts themselves, which have records of their own: events and their retraction, and what members ask for. A test
//! holds the mutations of the schema against that.

mod facts;

use entity::audit::{self, Actor, Entry, NewEntry};
use entity::db::WriteTxn;
use entity::employer;
use entity::id::{AuditPlace, EmployerId, MemberId};
use entity::page::{Page, Slice};
use sea_orm::DatabaseTransaction;
use serde_json::Value;

use super::Outcome;
use super::achievement::require_within;
use crate::app::App;
use crate::auth::access::{self, Operation};
use crate::auth::viewer::{Permit, Viewer, ViewerKind};

pub use facts::{Edition, EndpointOf, GrantsOf, LevelsOf, Noun};

/// A writing transaction that somebody with a token makes a change in. Dropped, it is rolled back.
#[must_use = "a change that is dropped has not happened"]
pub struct Change {
    txn: WriteTxn,
    client_id: String,
    actor: Actor,
    action: &'static str,
}

impl std::ops::Deref for Change {
    type Target = DatabaseTransaction;
    fn deref(&self) -> &DatabaseTransaction {
        &self.txn
    }
}

/// What was changed.
#[derive(Debug, Default)]
pub struct What {
    subject: String,
    before: Option<Value>,
    after: Option<Value>,
    members: Vec<MemberId>,
}

impl What {
    /// Something that there was not before.
    pub fn made(noun: &impl Noun) -> Self {
        Self {
            subject: noun.subject(),
            after: Some(noun.facts()),
            ..Self::default()
        }
    }

    /// Something that was different before.
    pub fn changed<N: Noun>(before: &N, after: &N) -> Self {
        Self {
            before: Some(before.facts()),
            ..Self::made(after)
        }
    }

    /// What no row alone says.
    pub fn other(subject: impl Into<String>, before: Option<Value>, after: Option<Value>) -> Self {
        Self {
            subject: subject.into(),
            before,
            after,
            members: Vec::new(),
        }
    }

    /// About these members.
    pub fn of(self, members: Vec<MemberId>) -> Self {
        Self { members, ..self }
    }
}

impl Change {
    /// Starts a change.
    pub async fn begin<O: Operation>(app: &App, permit: &Permit<O>) -> Outcome<Self> {
        Self::by::<O>(app, permit.viewer()).await
    }

    /// As [`Change::begin`], where the permit was looked at before.
    pub async fn by<O: Operation>(app: &App, viewer: &Viewer) -> Outcome<Self> {
        Ok(Self {
            txn: app.db.write_txn().await?,
            client_id: viewer.client_id.clone(),
            actor: match viewer.kind() {
                ViewerKind::Operator => Actor::Operator,
                ViewerKind::Employer => Actor::Employer,
                ViewerKind::Partner => Actor::Partner,
                ViewerKind::Member => Actor::Member,
            },
            action: O::FIELD.strip_prefix("Mutation.").unwrap_or(O::FIELD),
        })
    }

    /// Says what was changed, in the log of this employer or, without one, of the installation. What is left of the transaction is to
    /// tell the partners and to commit.
    pub async fn enter(self, app: &App, owner: Option<&employer::Model>, what: What) -> Outcome<WriteTxn> {
        let now = app.clock.now();
        let entry = NewEntry {
            employer: owner.map(|owner| owner.id),
            made_at: owner.map_or(now, |owner| owner.now(now)).into(),
            recorded_at: now.into(),
            client_id: self.client_id,
            actor: self.actor,
            action: self.action,
            subject: what.subject,
            before: what.before.map(|facts| facts.to_string()),
            after: what.after.map(|facts| facts.to_string()),
            members: what.members,
        };
        audit::append(&*self.txn, &app.ids, entry).await?;
        Ok(self.txn)
    }

    /// Makes the change durable, with what it was.
    pub async fn commit(self, app: &App, owner: Option<&employer::Model>, what: What) -> Outcome<()> {
        Ok(self.enter(app, owner, what).await?.commit().await?)
    }
}

/// An entry with the members it is about.
pub struct Shown {
    /// The entry.
    pub entry: Entry,
    /// The members; none in the place of one that is erased.
    pub members: Vec<Option<MemberId>>,
}

/// A page of an employer's log, newest first.
pub async fn list(
    app: &App,
    permit: &Permit<access::ReadAuditLog>,
    employer: EmployerId,
    page: Page<AuditPlace>,
) -> Outcome<Slice<Shown>> {
    require_within(permit, employer, None)?;
    read(app, Some(employer), page).await
}

/// A page of the installation's own log, newest first.
pub async fn list_own(
    app: &App,
    _: &Permit<access::ReadOwnAuditLog>,
    page: Page<AuditPlace>,
) -> Outcome<Slice<Shown>> {
    read(app, None, page).await
}

async fn read(app: &App, employer: Option<EmployerId>, page: Page<AuditPlace>) -> Outcome<Slice<Shown>> {
    let db = app.db.read();
    let slice = audit::list(db, employer, page).await?;
    let mut members = if slice.rows.is_empty() {
        Default::default()
    } else {
        audit::members(db, &slice.rows).await?
    };
    let shown = slice.rows.into_iter().map(|entry| Shown {
        members: members.remove(&entry.position).unwrap_or_default(),
        entry,
    });
    Ok(Slice {
        rows: shown.collect(),
        has_previous: slice.has_previous,
        has_next: slice.has_next,
    })
}
