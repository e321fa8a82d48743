//! Members.

mod register;

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use entity::feed::NewEntry;
use entity::id::{EmployerId, EventTypeId, KeptEventId, MemberId};
use entity::member::{self, Model};
use entity::page::{Page, Slice};
use entity::program::ProgramState;
use entity::redemption::RedemptionStatus;
use entity::{employer, event_type, kept_event};
use jobs::catalogue::Compiled;
use jobs::moment::moment;
use jobs::record::{self, Stand};
use jobs::redemption::{CalledOff, ERASED, call_off};
use jobs::rules::{self, Deadline, ProgressView, calendar};
use sea_orm::ConnectionTrait;

use super::achievement::{require_within, sees_sensitive};
use super::audit::{Change, What};
use super::{Error, Fault, FaultCode, Outcome, redemption, retrying, tenant};
use crate::app::App;
use crate::auth::access;
use crate::auth::viewer::{Permit, Viewer};
use crate::validate;

pub use register::{MEMBERS_MAX, Register, Registered, Word, register};

/// The member of this external id; none where the viewer may not see it.
pub async fn find(
    app: &App,
    permit: Permit<access::ReadMember>,
    employer: Option<&str>,
    external_id: &str,
) -> Outcome<Option<Model>> {
    let viewer = permit.viewer();
    let employer = match tenant::resolve_id(app.db.read(), viewer, employer).await {
        Ok(employer) => employer,
        Err(Error::Refused(faults)) if faults.iter().all(|fault| fault.code == FaultCode::NotFound) => {
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    let found = member::find_by_external_id(app.db.read(), employer, external_id).await?;
    Ok(found.filter(|member| viewer.member().is_none_or(|own| own == member.id)))
}

/// A page of the employer's members.
pub async fn list(
    app: &App,
    permit: Permit<access::ListMembers>,
    employer: EmployerId,
    page: Page<MemberId>,
) -> Outcome<Slice<Model>> {
    require_within(&permit, employer, None)?;
    Ok(member::list(app.db.read(), employer, page).await?)
}

/// How far a member is with one incentive.
pub struct IncentiveProgress {
    /// The incentive.
    pub incentive: entity::incentive::Model,
    /// How far.
    pub view: ProgressView,
    /// What is missing, in a sentence.
    pub missing: String,
    /// Until when the next step still counts.
    pub deadline: Option<DateTime<Utc>>,
}

/// How far a member is with each incentive of the employer's active and paused programs that is not retired, in the order of their
/// making. Sensitive incentives are left out for whoever may not see them by person.
pub async fn progress(
    app: &App,
    permit: Permit<access::ReadMemberProgress>,
    member: &Model,
) -> Outcome<Vec<IncentiveProgress>> {
    require_within(&permit, member.employer_id, Some(member.id))?;
    if member.erased_at.is_some() {
        return Ok(Vec::new());
    }
    let db = app.db.read();
    let catalogues = app.jobs.catalogues.load(db, vec![member.employer_id]).await?;
    let Some(catalogue) = catalogues.get(member.employer_id) else {
        return Ok(Vec::new());
    };
    let real = app.clock.now();
    let now = catalogue.employer.now(real);
    let states: HashMap<_, _> = entity::progress::list_of_member(db, member.employer_id, member.id)
        .await?
        .into_iter()
        .map(|row| (row.incentive_id, row.state))
        .collect();
    let stands = record::standing_of(db, catalogue, member.id, real).await?;
    let zone = member
        .time_zone
        .as_deref()
        .unwrap_or(&catalogue.employer.time_zone);
    let zone: Tz = zone.parse().unwrap_or(Tz::UTC);
    let sees_sensitive = sees_sensitive(permit.viewer());
    let visible = |compiled: &&Compiled| {
        matches!(
            compiled.program.state(),
            ProgramState::Active | ProgramState::Paused
        ) && compiled.incentive.retired_at.is_none()
            && (sees_sensitive || !compiled.incentive.sensitive)
    };
    let views = catalogue
        .incentives()
        .iter()
        .filter(visible)
        .filter_map(|compiled| {
            let incentive = compiled.incentive.id;
            let state = states.get(&incentive).map(String::as_str);
            progress_with(compiled, state, stands.get(&incentive), (now, zone))
        });
    Ok(views.collect())
}

/// How far a member is with an incentive of which this much is stored; none where nobody can tell.
fn progress_with(
    compiled: &Compiled,
    state: Option<&str>,
    stand: Option<&Stand>,
    (now, zone): (DateTime<Utc>, Tz),
) -> Option<IncentiveProgress> {
    let version = compiled.current(now)?;
    let rule = &version.ready.as_ref().ok()?.incentive;
    let day_starts_at = compiled.program.day_starts_at();
    let today = calendar::program_day(calendar::civil(now, zone), day_starts_at);
    let view = match stand.filter(|_| !rule.of().is_empty()) {
        None => rules::progress(&compiled.editions(), version.number, state, today),
        // What is stored says only from when on the member is stopped.
        Some(stand) => rules::stopped_from(state).and_then(|stopped_from| {
            let view = rules::progress(&compiled.editions(), version.number, Some(&stand.progress), today)?;
            Ok(ProgressView {
                earned: stand.earned,
                stopped_from,
                // The days of achievements are those known when they were recorded, so the latest of them says when events came.
                last_counted_on: None,
                ..view
            })
        }),
    };
    let view = match view {
        Ok(view) => view,
        Err(fault) => {
            let incentive = &compiled.incentive;
            tracing::error!(incentive = %incentive.id, employer = %incentive.employer_id, fault = %fault, "progress cannot be read");
            return None;
        }
    };
    let deadline = view.deadline.map(|deadline| match deadline {
        Deadline::EndOf(day) => calendar::day_end(day, day_starts_at, zone),
        Deadline::At(instant) => instant,
    });
    Some(IncentiveProgress {
        incentive: compiled.incentive.clone(),
        missing: rules::missing(rule, &view),
        view,
        deadline,
    })
}

/// A page of the member's kept events, with the keys of their types.
pub async fn events(
    app: &App,
    permit: Permit<access::ReadMemberEvents>,
    member: &Model,
    page: Page<KeptEventId>,
) -> Outcome<(Slice<kept_event::Model>, HashMap<EventTypeId, String>)> {
    require_within(&permit, member.employer_id, Some(member.id))?;
    let db = app.db.read();
    let kept = kept_event::list_of_member(db, member.employer_id, member.id, page).await?;
    let menu = event_type::list(db, member.employer_id).await?;
    let keys = menu.into_iter().map(|row| (row.id, row.key)).collect();
    Ok((kept, keys))
}

/// Erases a member: what identifies it goes, and what it achieved stays as nobody's.
pub async fn erase(
    app: &App,
    permit: Permit<access::EraseMember>,
    employer: Option<&str>,
    external_id: &str,
) -> Outcome<()> {
    // Workers and the intake hold rows of the member too.
    retrying(|| erase_once(app, permit.viewer(), employer, external_id)).await?;
    // Nobody is to be told any more by whom something was that was read before.
    app.tails.forget();
    Ok(())
}

async fn erase_once(app: &App, viewer: &Viewer, employer: Option<&str>, external_id: &str) -> Outcome<()> {
    let txn = Change::by::<access::EraseMember>(app, viewer).await?;
    let employer = tenant::resolve(&*txn, viewer, employer).await?;
    let unknown = || Fault::not_found(&["member"], "the employer has no member of this id");
    let member = match validate::is_external_id(external_id) {
        true => member::find_by_external_id(&*txn, employer.id, external_id).await?,
        false => None,
    };
    let member = member.ok_or_else(unknown)?;
    // No external id has a control character, so nobody can register as what an erased member is called.
    let marker = format!("\u{1}{}", member.id);
    let now = employer.now(app.clock.now()).into();
    if !member::erase(&*txn, employer.id, member.id, &marker, now).await? {
        // Another call was faster.
        return Err(unknown().into());
    }
    let entries = call_off_held(app, &*txn, &employer, member.id).await?;
    // Last, so that nothing that is written here tells who it was.
    entity::redemption::forget_member(&*txn, employer.id, member.id).await?;
    // Of whom, nobody is to know any more.
    let what = What::other("member", None, None);
    let txn = txn.enter(app, Some(&employer), what).await?;
    redemption::finish(app, txn, entries).await
}

/// Calls off what a member waits for who is erased. The partners that were told of it learn that, and nothing of the member.
async fn call_off_held(
    app: &App,
    connection: &impl ConnectionTrait,
    employer: &employer::Model,
    member: MemberId,
) -> Outcome<Vec<NewEntry>> {
    let moment = moment(employer, app.clock.now());
    let held = entity::redemption::list_held(connection, &[(employer.id, member)].into()).await?;
    let over = held.into_iter().map(|row| CalledOff {
        row,
        status: RedemptionStatus::Cancelled,
        reason: Some(ERASED.to_owned()),
        moment,
    });
    let entries = call_off(connection, &app.ids, over.collect()).await?;
    let nameless = |entry| NewEntry {
        member_ref: ERASED.to_owned(),
        ..entry
    };
    Ok(entries.into_iter().map(nameless).collect())
}
