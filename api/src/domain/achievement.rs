//! Achievements, and who may see them.
//!
//! A member's own token and the mobile backend, which acts for its members, see everything of a member. An administrator sees members
//! and what they achieved, but of sensitive incentives neither the achievement nor the progress, only counts of groups that are
//! large enough. A partner sees what its feed holds.

use entity::achievement::{self, Filter, Model, Tally};
use entity::id::{AchievementId, EmployerId, MemberId};
use entity::page::{Page, Slice};
use entity::{employer, incentive, member, program};
use sea_orm::{ConnectionTrait, DbErr};

use super::{Fault, Outcome, tenant};
use crate::app::App;
use crate::auth::access::{self, Operation};
use crate::auth::scope::Scope;
use crate::auth::viewer::{Permit, Viewer};

/// Which achievements are wanted, by the keys of a filter.
#[derive(Debug, Default)]
pub struct Wanted {
    /// The key of the employer.
    pub employer: Option<String>,
    /// The member's external id.
    pub member: Option<String>,
    /// The key of the program.
    pub program: Option<String>,
    /// The key of the incentive.
    pub incentive: Option<String>,
    /// Reached on this day or later.
    pub earned_from: Option<chrono::NaiveDate>,
    /// Reached on this day or earlier.
    pub earned_until: Option<chrono::NaiveDate>,
}

/// Whether this viewer sees sensitive achievements of a person.
pub fn sees_sensitive(viewer: &Viewer) -> bool {
    viewer.scopes.contains(Scope::MemberAny) || viewer.scopes.contains(Scope::MemberSelf)
}

/// Whether the member whom a token names, if it names one, is still there: whoever was erased is nobody, and what was achieved is not
/// theirs any more.
pub async fn is_somebody(connection: &impl ConnectionTrait, viewer: &Viewer) -> Result<bool, DbErr> {
    let (Some(employer), Some(own)) = (viewer.employer(), viewer.member()) else {
        return Ok(true);
    };
    let found = member::find(connection, employer, own).await?;
    Ok(found.is_some_and(|member| member.erased_at.is_none()))
}

/// A page of achievements, in the order in which they were recorded. A key that names nothing this viewer may see finds nothing.
pub async fn list(
    app: &App,
    permit: Permit<access::ListAchievements>,
    wanted: &Wanted,
    page: Page<AchievementId>,
) -> Outcome<Slice<Model>> {
    let db = app.db.read();
    let viewer = permit.viewer();
    let employer = tenant::resolve_id(db, viewer, wanted.employer.as_deref()).await?;
    let nothing = Slice {
        rows: Vec::new(),
        has_previous: false,
        has_next: false,
    };
    if !is_somebody(db, viewer).await? {
        return Ok(nothing);
    }
    let mut filter = Filter {
        member: viewer.member(),
        earned_from: wanted.earned_from,
        earned_until: wanted.earned_until,
        without_sensitive: !sees_sensitive(viewer),
        ..Filter::default()
    };
    if let Some(external_id) = &wanted.member {
        match member::find_by_external_id(db, employer, external_id).await? {
            Some(found) if viewer.member().is_none_or(|own| own == found.id) => {
                filter.member = Some(found.id);
            }
            _ => return Ok(nothing),
        }
    }
    if let Some(key) = &wanted.program {
        match program::find_by_key(db, employer, key).await? {
            Some(found) => filter.program = Some(found.id),
            None => return Ok(nothing),
        }
    }
    if let Some(key) = &wanted.incentive {
        match incentive::find_by_key(db, employer, key).await? {
            Some(found) => filter.incentive = Some(found.id),
            None => return Ok(nothing),
        }
    }
    Ok(achievement::list(db, employer, &filter, page).await?)
}

/// A page of one member's achievements.
pub async fn list_of_member(
    app: &App,
    permit: Permit<access::ReadMemberAchievements>,
    (employer, member): (EmployerId, MemberId),
    page: Page<AchievementId>,
) -> Outcome<Slice<Model>> {
    require_within(&permit, employer, Some(member))?;
    let filter = Filter {
        member: Some(member),
        without_sensitive: !sees_sensitive(permit.viewer()),
        ..Filter::default()
    };
    Ok(achievement::list(app.db.read(), employer, &filter, page).await?)
}

/// What is shown of what was achieved for an incentive of this employer, in counts, where so much was counted: nothing for a sensitive one
/// whose group is too small to hide a person in.
pub fn tally(
    permit: &Permit<access::ReadIncentiveTally>,
    incentive: &incentive::Model,
    employer: Option<&employer::Model>,
    counted: Option<Tally>,
) -> Outcome<Option<Tally>> {
    require_within(permit, incentive.employer_id, None)?;
    let tally = counted.unwrap_or(Tally {
        incentive_id: incentive.id,
        achievements: 0,
        members: 0,
    });
    let minimum = employer.map_or(i64::MAX, |employer| i64::from(employer.minimum_group_size));
    Ok((!incentive.sensitive || tally.members >= minimum).then_some(tally))
}

/// Refuses, as something that is not there, what lies outside the viewer's tenant.
pub fn require_within<O: Operation>(
    permit: &Permit<O>,
    employer: EmployerId,
    member: Option<MemberId>,
) -> Outcome<()> {
    let viewer = permit.viewer();
    let foreign_employer = viewer.partner().is_some() || viewer.employer().is_some_and(|own| own != employer);
    let foreign_member = viewer
        .member()
        .is_some_and(|own| member.is_some_and(|member| own != member));
    if foreign_employer || foreign_member {
        Err(Fault::not_found(&[], "there is no such thing").into())
    } else {
        Ok(())
    }
}
