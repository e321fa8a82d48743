//! Points of members, for whoever may see them.
//!
//! A member's own token and the mobile backend see everything. An administrator sees what came and went and when, but not what for where
//! that is sensitive.

use entity::id::{EmployerId, MemberId, PointsEntryId};
use entity::ledger::EntryKind;
use entity::ledger::read::{self, Balances, Line, Whose};
use entity::member;
use entity::page::{Page, Slice};
use sea_orm::{ConnectionTrait, DbErr};

use super::achievement::{require_within, sees_sensitive};
use super::{Error, FaultCode, Outcome, tenant};
use crate::app::App;
use crate::auth::access;
use crate::auth::viewer::{Permit, Viewer};
use crate::validate;

/// An entry as one viewer may see it.
pub struct Entry {
    /// The entry, without what it is about where that is confidential.
    pub line: Line,
    /// Why, in the words of whoever looks at an account.
    pub reason: String,
}

/// The balances of a member, by category; of one where one is given. None of a member who was erased.
pub async fn balances(
    app: &App,
    permit: &Permit<access::ReadMemberPoints>,
    member: &member::Model,
    category: Option<&str>,
) -> Outcome<Balances> {
    require_within(permit, member.employer_id, Some(member.id))?;
    let whose = Whose::Id(member.id);
    let now = app.clock.now();
    let found = read::balances(app.db.read(), member.employer_id, whose, category, now).await?;
    Ok(found.map_or_else(Balances::new, |(_, balances)| balances))
}

/// The balances of the member of this external id; none where this viewer may not see it. One statement, where the token names the
/// employer: this is what client apps ask for most.
pub async fn find(
    app: &App,
    permit: &Permit<access::ReadMemberPoints>,
    external_id: &str,
) -> Outcome<Option<Balances>> {
    let viewer = permit.viewer();
    if !validate::is_external_id(external_id) {
        return Ok(None);
    }
    let db = app.db.read();
    let employer = match tenant::resolve_id(db, viewer, None).await {
        Ok(employer) => employer,
        Err(Error::Refused(faults)) if faults.iter().all(|fault| fault.code == FaultCode::NotFound) => {
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    let whose = Whose::ExternalId(external_id);
    let found = read::balances(db, employer, whose, None, app.clock.now()).await?;
    let may_see = |(member, _): &(MemberId, _)| viewer.member().is_none_or(|own| own == *member);
    Ok(found.filter(may_see).map(|(_, balances)| balances))
}

/// A page of a member's entries, newest first. None of a member who was erased.
pub async fn history(
    app: &App,
    permit: Permit<access::ReadMemberPointsHistory>,
    member: &member::Model,
    category: Option<&str>,
    page: Page<PointsEntryId>,
) -> Outcome<Slice<Entry>> {
    require_within(&permit, member.employer_id, Some(member.id))?;
    if member.erased_at.is_some() {
        return Ok(Slice {
            rows: Vec::new(),
            has_previous: false,
            has_next: false,
        });
    }
    let slice = read::history(app.db.read(), (member.employer_id, member.id), category, page).await?;
    let viewer = permit.viewer();
    Ok(Slice {
        rows: slice.rows.into_iter().map(|line| shown(line, viewer)).collect(),
        has_previous: slice.has_previous,
        has_next: slice.has_next,
    })
}

/// The employer's entry of this id, as far as this viewer may see it.
pub async fn find_entry(
    connection: &impl ConnectionTrait,
    viewer: &Viewer,
    employer: EmployerId,
    id: PointsEntryId,
) -> Result<Option<Entry>, DbErr> {
    let found = read::line(connection, employer, id).await?;
    Ok(found
        .filter(|line| viewer.member().is_none_or(|own| own == line.member_id))
        .map(|line| shown(line, viewer)))
}

fn shown(line: Line, viewer: &Viewer) -> Entry {
    if line.sensitive && !sees_sensitive(viewer) {
        let line = Line {
            incentive_id: None,
            incentive_name: None,
            redemption_id: None,
            quantity: None,
            reward_name: None,
            reason: None,
            ..line
        };
        return Entry {
            line,
            reason: "Confidential".to_owned(),
        };
    }
    let reason = reason(&line);
    Entry { line, reason }
}

/// Why an account has changed.
fn reason(line: &Line) -> String {
    let of = |what: &str, name: &Option<String>| match name {
        Some(name) => format!("{what}: {name}"),
        None => what.to_owned(),
    };
    match line.kind {
        EntryKind::Earned => line.incentive_name.clone().unwrap_or_else(|| "Earned".to_owned()),
        EntryKind::ClawedBack => of("Taken back", &line.incentive_name),
        EntryKind::Adjusted => line.reason.clone().unwrap_or_else(|| "Correction".to_owned()),
        EntryKind::Redeemed => {
            let quantity = line.quantity.unwrap_or(1);
            let reward = line
                .reward_name
                .as_ref()
                .map(|name| format!("{quantity} × {name}"));
            of("Redeemed", &reward)
        }
        EntryKind::Returned => of("Returned", &line.reward_name),
        EntryKind::Expired => "Expired".to_owned(),
    }
}
