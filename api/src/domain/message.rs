//! Messages as members and administrators see them, and what a person decides about them.

use chrono::TimeDelta;
use entity::id::{EmployerId, MemberId, MessageId};
use entity::message::{self, MessageState, Model, read};
use entity::page::{Page, Slice};
use entity::{campaign, employer};
use sea_orm::ConnectionTrait;
use serde_json::json;

use super::achievement::{is_somebody, require_within, sees_sensitive};
use super::audit::{Change, What};
use super::{Error, Fault, FaultCode, Outcome, tenant};
use crate::app::App;
use crate::auth::access;
use crate::auth::viewer::{Permit, Viewer};

/// A page of a member's messages. Whoever may not see what is sensitive does not see what was brought about by it.
pub async fn list_of_member(
    app: &App,
    permit: Permit<access::ReadMemberMessages>,
    (employer, member): (EmployerId, MemberId),
    page: Page<MessageId>,
) -> Outcome<Slice<Model>> {
    require_within(&permit, employer, Some(member))?;
    let without_sensitive = !sees_sensitive(permit.viewer());
    let db = app.db.read();
    Ok(read::list_of_member(db, employer, member, without_sensitive, page).await?)
}

/// A page of the employer's messages of which nobody knows what came of them.
pub async fn list_unknown(
    app: &App,
    permit: Permit<access::ListUnknownMessages>,
    employer: Option<&str>,
    page: Page<MessageId>,
) -> Outcome<Slice<Model>> {
    let db = app.db.read();
    let employer = tenant::resolve_id(db, permit.viewer(), employer).await?;
    Ok(read::list_unknown(db, employer, page).await?)
}

/// The message of this id, as far as this viewer may see it: `find` and `list_of_member` show the same.
pub async fn find(
    connection: &impl ConnectionTrait,
    viewer: &Viewer,
    employer: EmployerId,
    id: MessageId,
) -> Result<Option<Model>, sea_orm::DbErr> {
    if !is_somebody(connection, viewer).await? {
        return Ok(None);
    }
    let found = read::find(connection, employer, id).await?;
    let visible = |row: &Model| {
        viewer.member().is_none_or(|own| own == row.member_id) && (!row.sensitive || sees_sensitive(viewer))
    };
    Ok(found.filter(visible))
}

/// Lets a message be decided anew of which nobody knows what came of it, because a person says so: it may then be with the member twice. It
/// has as much time as a new one.
pub async fn resend(
    app: &App,
    permit: Permit<access::ResendMessage>,
    employer: Option<&str>,
    message: &str,
) -> Outcome<MessageId> {
    let unknown = || Error::from(Fault::not_found(&["message"], "there is no such message"));
    let txn = Change::begin(app, &permit).await?;
    let employer = tenant::resolve(&*txn, permit.viewer(), employer).await?;
    let id: MessageId = message.parse().map_err(|_| unknown())?;
    let row = read::find(&*txn, employer.id, id).await?.ok_or_else(unknown)?;
    if row.state != MessageState::Unknown {
        return Err(not_unknown());
    }
    let campaign = campaign::find(&*txn, employer.id, row.campaign_id).await?;
    let campaign = campaign.ok_or(Error::Internal("a message without its campaign"))?;
    let now = employer.now(app.clock.now());
    let expires_at = TimeDelta::try_seconds(campaign.time_to_live_seconds)
        .and_then(|time| now.checked_add_signed(time))
        .ok_or(Error::Internal("the clock is at its end"))?;
    let times = (now.into(), expires_at.into());
    if !message::decide_anew(&*txn, (employer.id, id), times).await? {
        // Whoever was at it has said in between what came of it.
        return Err(not_unknown());
    }
    txn.commit(app, Some(&employer), resent(&row, &campaign)).await?;
    app.wakes.messages();
    Ok(id)
}

/// What the log says of it. An administrator who reads it must not learn who was written to of something sensitive.
fn resent(row: &Model, campaign: &campaign::Model) -> What {
    if row.sensitive {
        return What::other("message", None, None);
    }
    let facts = json!({"campaign": campaign.key});
    What::other(row.id.to_string(), None, Some(facts)).of(vec![row.member_id])
}

fn not_unknown() -> Error {
    let message = "only a message of which nobody knows what came of it can be sent again";
    Fault::new(FaultCode::InvalidState, &["message"], message).into()
}

/// The employer of this id: it is there as long as anything of it is.
pub(super) async fn owner(
    connection: &impl ConnectionTrait,
    employer: EmployerId,
) -> Outcome<employer::Model> {
    let gone = Error::Internal("an employer is gone");
    employer::find(connection, employer).await?.ok_or(gone)
}
