//! What members achieve and ask for, for the mobile backend, which acts for them, and for each of them in person: the feed of the
//! employer's own.
//!
//! It is opened by the first who asks for it, and tells what happens from then on. Whoever was answered that it is open can count on
//! everything that is committed later being in it, what was under way just then too: to open it waits for those who are writing down
//! awards ([`employer::stop_awards`]), and they judge anew what they had judged without it.

use entity::employer;
use entity::feed::Entry;
use entity::feed::activity;
use entity::id::{EmployerId, MemberId, PartnerId};
use entity::secret::SecretBytes;
use entity::{member, partner};
use jobs::redemption::ERASED;
use sea_orm::ConnectionTrait;

use super::{Error, Fault, Outcome, feed, tenant};
use crate::app::App;
use crate::auth::access::Operation;
use crate::auth::viewer::{Permit, Viewer};
use crate::validate;

/// Whose activity somebody may follow.
#[derive(Debug, Clone)]
pub struct Activity {
    /// The employer's own feed.
    pub feed: PartnerId,
    employer: EmployerId,
    /// Of this member alone, whom entries name so; none: of all members.
    member: Option<(MemberId, String)>,
}

impl Activity {
    /// Whether it is of one member alone.
    pub const fn is_of_one(&self) -> bool {
        self.member.is_some()
    }

    /// Whether entries of the feed may concern it. Who was erased since then is named in them no more: that may be anybody.
    pub fn may_be_in(&self, entries: &[Entry]) -> bool {
        let Some((_, external_id)) = &self.member else {
            return !entries.is_empty();
        };
        let mut names = entries.iter().map(|entry| entry.member_ref.as_str());
        names.any(|name| name == external_id || name == ERASED)
    }
}

/// The activity that was asked for, as far as this viewer may know of it: a member of its own, others of any member or of all of them.
pub async fn open<O: Operation>(
    app: &App,
    permit: &Permit<O>,
    employer: Option<&str>,
    external_id: Option<&str>,
) -> Outcome<Activity> {
    let db = app.db.read();
    let employer = tenant::resolve(db, permit.viewer(), employer).await?;
    let member = member(db, permit.viewer(), employer.id, external_id).await?;
    Ok(Activity {
        feed: open_feed(app, &employer).await?,
        employer: employer.id,
        member,
    })
}

async fn member(
    connection: &impl ConnectionTrait,
    viewer: &Viewer,
    employer: EmployerId,
    external_id: Option<&str>,
) -> Outcome<Option<(MemberId, String)>> {
    let found = match (external_id, viewer.member()) {
        (None, None) => return Ok(None),
        (None, Some(own)) => member::find(connection, employer, own).await?,
        (Some(id), _) if !validate::is_external_id(id) => None,
        (Some(id), own) => member::find_by_external_id(connection, employer, id)
            .await?
            .filter(|row| own.is_none_or(|own| own == row.id)),
    };
    let found = found.filter(|row| row.erased_at.is_none());
    let found = found.ok_or_else(unknown_member)?;
    Ok(Some((found.id, found.external_id)))
}

fn unknown_member() -> Error {
    Fault::not_found(&["externalId"], "the employer has no such member").into()
}

/// The employer's own feed, which is open from now on.
pub async fn open_feed(app: &App, employer: &employer::Model) -> Outcome<PartnerId> {
    if let Some(open) = employer.activity_feed() {
        return Ok(open);
    }
    let mut key = [0; 32];
    app.ids.fill(&mut key);
    let now = app.clock.now().into();
    let txn = app.db.write_txn().await?;
    employer::stop_awards(&*txn, employer.id).await?;
    if partner::insert_own_feed(&*txn, employer, SecretBytes::new(key), now).await? {
        employer::tell_activity(&*txn, employer.id, now).await?;
    }
    txn.commit().await?;
    Ok(partner::own_feed(employer.id))
}

/// A part of an activity.
#[derive(Debug)]
pub struct Part {
    /// The entries, in order.
    pub entries: Vec<Entry>,
    /// Whether there are more after these.
    pub has_more: bool,
    /// Up to which position there is nothing else.
    pub through: i64,
}

/// The entries after a position. Of one member they have holes, which say nothing; that nothing is missing is found out from what is
/// kept of the whole feed.
pub async fn list(app: &App, activity: &Activity, after: i64, first: i64) -> Outcome<Part> {
    let Some((member, _)) = activity.member else {
        let page = feed::list(app, activity.feed, after, first).await?;
        return Ok(Part {
            through: page.entries.last().map_or(after, |entry| entry.position),
            entries: page.entries,
            has_more: page.has_more,
        });
    };
    feed::require_first(first)?;
    let db = app.db.read();
    // Where the feed ends is looked up before: what comes meanwhile is for the next look.
    let newest = feed::require_kept(app, activity.feed, after).await?.newest;
    let limit = u64::try_from(first).unwrap_or(1);
    let mut part = Part {
        entries: Vec::new(),
        has_more: false,
        through: newest,
    };
    if newest == after {
        return Ok(part);
    }
    let key = (activity.employer, member);
    part.entries = activity::list_of_member(db, key, (after, newest), limit + 1).await?;
    // Where it begins, after: nothing of what was looked for has been forgotten meanwhile.
    feed::require_kept(app, activity.feed, after).await?;
    part.has_more = part.entries.len() as u64 > limit;
    if part.has_more {
        part.entries.pop();
        part.through = part.entries.last().map_or(after, |entry| entry.position);
    }
    if !part.entries.is_empty() && !is_there(db, key).await? {
        return Err(unknown_member());
    }
    Ok(part)
}

/// Whether a member was not erased meanwhile: whoever was is nobody, and what was achieved is not theirs any more.
async fn is_there(
    connection: &impl ConnectionTrait,
    (employer, member): (EmployerId, MemberId),
) -> Outcome<bool> {
    let found = member::find(connection, employer, member).await?;
    Ok(found.is_some_and(|row| row.erased_at.is_none()))
}
