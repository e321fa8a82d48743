//! Redemptions: rewards that members ask for ([`redeem()`]), and what becomes of it.
//!
//! Locks are taken in one order by all: the row of the idempotency key, the member, the stock of the reward, the heads of the feeds.
//! What is decided under them is decided once: whoever comes second is answered, and nothing is taken twice.

mod redeem;

use std::collections::BTreeSet;

use entity::feed::{self, NewEntry};
use entity::id::{EmployerId, MemberId, PartnerId, RedemptionId};
use entity::page::{Page, Slice};
use entity::redemption::{self, Model, RedemptionStatus, Settled};
use entity::{db, employer, member, partner, reward};
use jobs::moment::moment;
use jobs::redemption::{CalledOff, call_off};
use sea_orm::{ConnectionTrait, DbErr};

use super::achievement::{require_within, sees_sensitive};
use super::audit::{Change, What};
use super::{Error, Fault, FaultCode, Outcome, require_none, retrying, tenant};
use crate::app::App;
use crate::auth::access;
use crate::auth::viewer::{Party, Permit, Viewer};
use crate::validate;

pub use redeem::{Redeem, redeem};

/// A place among those who may hold a connection to redeem. Requests about one member or one reward wait for each other; those that
/// cannot go on yet wait here, fairly, and leave the connections to others.
async fn turn(app: &App) -> Outcome<tokio::sync::SemaphorePermit<'_>> {
    let closed = Error::Internal("the turns to redeem are closed");
    app.redeeming.acquire().await.map_err(|_| closed)
}

/// Tells the partners, commits, and wakes whoever waits for their feeds.
pub async fn finish(app: &App, txn: db::WriteTxn, entries: Vec<NewEntry>) -> Outcome<()> {
    let partners: BTreeSet<PartnerId> = entries.iter().map(|entry| entry.partner_id).collect();
    if !entries.is_empty() {
        feed::append(&*txn, entries).await?;
    }
    txn.commit().await?;
    if !partners.is_empty() {
        app.wakes.feeds(partners.into_iter().collect());
    }
    Ok(())
}

/// What is to become of which redemption.
#[derive(Debug)]
pub struct Settle {
    /// The key of the employer.
    pub employer: Option<String>,
    /// The redemption's global id.
    pub redemption: String,
    /// The name for it of whoever fulfils it; or why it is called off.
    pub text: Option<String>,
}

/// Says that the member has it.
pub async fn fulfil(app: &App, permit: Permit<access::FulfilRedemption>, input: Settle) -> Outcome<Model> {
    let mut faults = Vec::new();
    if let Some(reference) = &input.text {
        validate::words(&["reference"], reference, &mut faults);
    }
    require_none(faults)?;
    settle(app, permit.viewer(), &input, Step::Fulfil).await
}

/// Calls a redemption off.
pub async fn cancel(app: &App, permit: Permit<access::CancelRedemption>, input: Settle) -> Outcome<Model> {
    let mut faults = Vec::new();
    validate::words(
        &["reason"],
        input.text.as_deref().unwrap_or_default(),
        &mut faults,
    );
    require_none(faults)?;
    settle(app, permit.viewer(), &input, Step::Cancel).await
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Fulfil,
    Cancel,
}

async fn settle(app: &App, viewer: &Viewer, input: &Settle, step: Step) -> Outcome<Model> {
    let _turn = turn(app).await?;
    let row = retrying(|| settle_once(app, viewer, input, step)).await?;
    Ok(shown(app.db.read(), viewer, row).await?)
}

/// The redemption as this viewer knows it: a partner knows it by an id of its own.
pub async fn shown(connection: &impl ConnectionTrait, viewer: &Viewer, row: Model) -> Result<Model, DbErr> {
    match viewer.partner() {
        Some(partner) => row.shown(&partner::pairwise_ids(connection, partner).await?),
        None => Ok(row),
    }
}

async fn settle_once(app: &App, viewer: &Viewer, input: &Settle, step: Step) -> Outcome<Model> {
    let txn = match step {
        Step::Fulfil => Change::by::<access::FulfilRedemption>(app, viewer).await?,
        Step::Cancel => Change::by::<access::CancelRedemption>(app, viewer).await?,
    };
    let found = find_for(&*txn, viewer, input).await?;
    member::lock(&*txn, &[(found.employer_id, found.member_id)]).await?;
    // As it is now that nobody else can change it.
    let gone = || Error::Internal("a redemption is gone");
    let row = redemption::find(&*txn, found.employer_id, found.id)
        .await?
        .ok_or_else(gone)?;
    let owner = employer::find(&*txn, row.employer_id)
        .await?
        .ok_or(Error::Internal("a redemption without its employer"))?;
    let moment = moment(&owner, app.clock.now());
    let entries = match step {
        Step::Fulfil => {
            require_fulfils(&*txn, viewer, &row).await?;
            if row.status == RedemptionStatus::Fulfilled && row.reference == input.text {
                return Ok(row);
            }
            require_held(&row)?;
            if row.expires_at.is_some_and(|end| end <= moment.at) {
                return Err(not_now("the redemption has expired"));
            }
            let settled = Settled {
                employer_id: row.employer_id,
                id: row.id,
                status: RedemptionStatus::Fulfilled,
                at: moment.at,
                reference: input.text.clone(),
                reason: None,
            };
            redemption::settle(&*txn, &[settled]).await?;
            Vec::new()
        }
        Step::Cancel => {
            if row.status == RedemptionStatus::Cancelled {
                return Ok(row);
            }
            require_held(&row)?;
            let over = CalledOff {
                row: row.clone(),
                status: RedemptionStatus::Cancelled,
                reason: input.text.clone(),
                moment,
            };
            call_off(&*txn, &app.ids, vec![over]).await?
        }
    };
    let settled = redemption::find(&*txn, row.employer_id, row.id)
        .await?
        .ok_or_else(gone)?;
    // An administrator who reads the log must not learn by whom something sensitive was earned.
    let what = if row.sensitive {
        What::other("redemption", None, None)
    } else {
        What::changed(&row, &settled).of(vec![row.member_id])
    };
    let txn = txn.enter(app, Some(&owner), what).await?;
    finish(app, txn, entries).await?;
    Ok(settled)
}

/// The redemption, if this viewer may see it.
async fn find_for(connection: &impl ConnectionTrait, viewer: &Viewer, input: &Settle) -> Outcome<Model> {
    let unknown = || Error::from(Fault::not_found(&["redemption"], "there is no such redemption"));
    if let Party::Partner(partner) = viewer.party {
        let id = input.redemption.parse().map_err(|_| unknown())?;
        let found = redemption::find_of_partner(connection, partner, id).await?;
        return found.ok_or_else(unknown);
    }
    let employer = tenant::resolve_id(connection, viewer, input.employer.as_deref()).await?;
    let id = input.redemption.parse().map_err(|_| unknown())?;
    let found = redemption::find(connection, employer, id).await?;
    found.ok_or_else(unknown)
}

/// What a partner fulfils only that partner can say is fulfilled.
async fn require_fulfils(connection: &impl ConnectionTrait, viewer: &Viewer, row: &Model) -> Outcome<()> {
    let reward = reward::find(connection, row.employer_id, row.reward_id)
        .await?
        .ok_or(Error::Internal("a redemption without its reward"))?;
    if reward.fulfilled_by == viewer.partner() {
        Ok(())
    } else {
        Err(not_now("a partner fulfils it"))
    }
}

fn require_held(row: &Model) -> Outcome<()> {
    match row.status {
        RedemptionStatus::Held => Ok(()),
        RedemptionStatus::Fulfilled => Err(not_now("the redemption is fulfilled")),
        RedemptionStatus::Cancelled => Err(not_now("the redemption is cancelled")),
        RedemptionStatus::Expired => Err(not_now("the redemption has expired")),
    }
}

fn not_now(message: &str) -> Error {
    Fault::new(FaultCode::InvalidState, &["redemption"], message).into()
}

/// A page of a member's redemptions. Whoever may not see what is sensitive does not see what sensitive incentives gave.
pub async fn list_of_member(
    app: &App,
    permit: Permit<access::ReadMemberRedemptions>,
    (employer, member): (EmployerId, MemberId),
    page: Page<RedemptionId>,
) -> Outcome<Slice<Model>> {
    require_within(&permit, employer, Some(member))?;
    let without_sensitive = !sees_sensitive(permit.viewer());
    let db = app.db.read();
    Ok(redemption::list_of_member(db, employer, member, without_sensitive, page).await?)
}
