//! Members ask for rewards: what can be refused, and the one transaction in which points and stock are taken.

use aws_lc_rs::digest::{SHA256, digest};
use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use entity::feed::{NewEntry, News};
use entity::id::{EmployerId, MemberId, PartnerId, RedemptionId};
use entity::idempotency::{self, Claim, Request};
use entity::ledger::{About, AccountKey, Depth, EntryKind, Ledger, Moment, Want};
use entity::program::{self, ProgramState};
use entity::redemption::{self, Model, RedemptionStatus};
use entity::reward::{self, Model as Reward};
use entity::{employer, member, partner};
use jobs::activity::{self, Happened};
use jobs::moment::moment;
use sea_orm::ConnectionTrait;

use super::super::{Error, Fault, FaultCode, Outcome, require_none, retrying, tenant};
use super::{finish, turn};
use crate::app::App;
use crate::auth::access;
use crate::auth::viewer::{Permit, Viewer};
use crate::validate;

/// What idempotency keys of redemptions are kept under.
const OPERATION: &str = "redeemReward";
/// The most that one call can ask for.
const QUANTITY_MAX: i64 = 1_000;

/// What a member asks for.
#[derive(Debug)]
pub struct Redeem {
    /// The key of the employer.
    pub employer: Option<String>,
    /// The member's external id.
    pub member: String,
    /// The key of the reward.
    pub reward: String,
    /// How many of it.
    pub quantity: i32,
    /// The caller's own key.
    pub idempotency_key: String,
}

/// Redeems a reward for points.
pub async fn redeem(app: &App, permit: Permit<access::RedeemReward>, input: Redeem) -> Outcome<Model> {
    let mut faults = Vec::new();
    if !(1..=QUANTITY_MAX).contains(&i64::from(input.quantity)) {
        faults.push(Fault::invalid(&["quantity"], format!("from 1 to {QUANTITY_MAX}")));
    }
    validate::idempotency_key(&["idempotencyKey"], &input.idempotency_key, &mut faults);
    require_none(faults)?;
    let _turn = turn(app).await?;
    retrying(|| redeem_once(app, permit.viewer(), &input)).await
}

async fn redeem_once(app: &App, viewer: &Viewer, input: &Redeem) -> Outcome<Model> {
    refuse_early(app, viewer, input).await?;
    let txn = app.db.write_txn().await?;
    let asked = Asked::read(app, &*txn, viewer, input).await?;
    let Asked {
        employer,
        member,
        moment,
        quantity,
    } = &asked;
    let (employer_id, member_id, moment, quantity) = (employer.id, *member, *moment, *quantity);
    let request = Request {
        employer_id,
        operation: OPERATION,
        key: &input.idempotency_key,
        body_hash: body_hash(member_id, input),
        member_id,
        made_id: app.ids.next(),
        at: moment.at,
    };
    let id: RedemptionId = match idempotency::claim(&*txn, &request).await? {
        Claim::First => request.made_id,
        Claim::Again(made) => {
            let gone = Error::Internal("what a key has made is gone");
            return redemption::find(&*txn, employer_id, made).await?.ok_or(gone);
        }
        Claim::Conflict => {
            return Err(Fault::new(
                FaultCode::Conflict,
                &["idempotencyKey"],
                "the key was used before for something else",
            )
            .into());
        }
    };
    let locked = member::lock(&*txn, &[(employer_id, member_id)]).await?;
    if locked.iter().all(|row| row.erased_at.is_some()) {
        return Err(unknown_member());
    }
    let Had {
        reward,
        points: points_spent,
        account,
    } = asked.judge(app, &*txn, &input.reward, Depth::Lots).await?;
    if let Some((key, mut ledger)) = account {
        let account = ledger
            .account(&key)
            .ok_or(Error::Internal("an account was not brought in"))?;
        let about = About {
            redemption: Some(id),
            ..About::default()
        };
        account
            .spend(&app.ids, points_spent, EntryKind::Redeemed, about)
            .map_err(|_| too_few_points())?;
        ledger.write(&*txn).await?;
    }
    let stock_taken = match reward.stock {
        None => 0,
        Some(_) => reward::take(&*txn, employer_id, reward.id, quantity)
            .await?
            .ok_or_else(out_of_stock)?,
    };
    let told = match reward.fulfilled_by {
        None => None,
        Some(partner) => Some(told(&*txn, partner, (employer_id, member_id)).await?),
    };
    let hold = reward.hold_seconds.map(TimeDelta::seconds);
    let expires_at = hold.and_then(|hold| moment.at.instant().checked_add_signed(hold));
    let made = Model {
        employer_id,
        id,
        member_id,
        reward_id: reward.id,
        quantity,
        points_spent,
        stock_taken,
        category: reward.category,
        status: RedemptionStatus::Held,
        requested_at: moment.at,
        requested_on: moment.on,
        expires_at: expires_at.map(Into::into),
        settled_at: None,
        reference: None,
        reason: None,
        achievement_id: None,
        sensitive: false,
        told_to: told.as_ref().map(|(partner, _)| *partner),
        member_ref: told.as_ref().map(|(_, name)| name.clone()),
    };
    redemption::insert(&*txn, std::slice::from_ref(&made)).await?;
    let told = told.map(|(partner_id, member_ref)| NewEntry {
        partner_id,
        id: app.ids.next(),
        employer_id,
        news: News::Requested(id),
        member_ref,
        recorded_at: moment.at,
    });
    let mut entries: Vec<NewEntry> = told.into_iter().collect();
    entries.extend(told_at_home(app, &*txn, employer, &made).await?);
    finish(app, txn, entries).await?;
    Ok(made)
}

/// What the employer's own backend is to be told, where it listens.
async fn told_at_home(
    app: &App,
    connection: &impl ConnectionTrait,
    employer: &employer::Model,
    made: &Model,
) -> Outcome<Vec<NewEntry>> {
    // Once there is such a feed it stays; whether it is being opened just now takes a lock to say.
    let feed = match employer.activity_feed() {
        Some(open) => Some(open),
        None => {
            let feeds = employer::activity_feeds(connection, vec![employer.id]).await?;
            feeds.get(&employer.id).copied()
        }
    };
    let happened = feed.map(|feed| Happened {
        feed,
        employer_id: employer.id,
        member_id: made.member_id,
        news: News::Requested(made.id),
        at: made.requested_at,
    });
    Ok(activity::entries(connection, &app.ids, happened.as_slice()).await?)
}

/// Refuses without a lock or a transaction what would be refused now. Of many who come for one balance or one stock most are, and they
/// need not wait for each other. Where there is nothing to refuse, or the key was used before, the transaction decides. The key is
/// looked up last: whoever used it meanwhile was not refused.
async fn refuse_early(app: &App, viewer: &Viewer, input: &Redeem) -> Outcome<()> {
    let db = app.db.read();
    let asked = Asked::read(app, db, viewer, input).await?;
    let Err(refusal) = asked.judge(app, db, &input.reward, Depth::Head).await else {
        return Ok(());
    };
    if idempotency::is_known(db, asked.employer.id, OPERATION, &input.idempotency_key).await? {
        return Ok(());
    }
    Err(refusal)
}

/// Who asks, and for how many.
struct Asked {
    employer: employer::Model,
    member: MemberId,
    moment: Moment,
    quantity: i64,
}

/// A reward that can be had, and what it costs; with the account that pays for it, if it costs anything.
struct Had {
    reward: Reward,
    points: i64,
    account: Option<(AccountKey, Ledger)>,
}

impl Asked {
    async fn read(
        app: &App,
        connection: &impl ConnectionTrait,
        viewer: &Viewer,
        input: &Redeem,
    ) -> Outcome<Self> {
        let employer = tenant::resolve(connection, viewer, input.employer.as_deref()).await?;
        let member = member::find_by_external_id(connection, employer.id, &input.member)
            .await?
            .filter(|member| viewer.member().is_none_or(|own| own == member.id))
            .ok_or_else(unknown_member)?
            .id;
        Ok(Self {
            moment: moment(&employer, app.clock.now()),
            employer,
            member,
            quantity: i64::from(input.quantity),
        })
    }

    /// Whether the reward can be had, as far as one can see. It is certain for the limit and the points where the caller holds the lock
    /// of the member; for the stock only when it is taken.
    /// To spend takes the lots of the account; to see whether there is enough, its head will do.
    async fn judge(
        &self,
        app: &App,
        connection: &impl ConnectionTrait,
        key: &str,
        depth: Depth,
    ) -> Outcome<Had> {
        let (employer_id, member_id) = (self.employer.id, self.member);
        let reward = reward::find_by_key(connection, employer_id, key)
            .await?
            .ok_or_else(|| Fault::not_found(&["reward"], "the employer has no reward of this key"))?;
        require_available(connection, &self.employer, &reward, self.moment.at.instant()).await?;
        if let Some(most) = reward.per_member {
            let had = redemption::had_by(connection, employer_id, member_id, reward.id).await?;
            if had.saturating_add(self.quantity) > most {
                let message = "more than one member can have";
                return Err(Fault::new(FaultCode::LimitReached, &["quantity"], message).into());
            }
        }
        let points = reward.price.saturating_mul(self.quantity);
        let mut account = None;
        if points > 0 {
            let key = AccountKey {
                employer_id,
                member_id,
                category: reward.category.clone(),
            };
            let want = Want {
                moment: self.moment,
                depth,
            };
            let mut ledger = Ledger::open(connection, &app.ids, [(key.clone(), want)].into()).await?;
            let available = ledger.account(&key).map_or(0, |account| account.available());
            if available < points {
                return Err(too_few_points());
            }
            account = Some((key, ledger));
        }
        if reward.stock.is_some_and(|left| left < self.quantity) {
            return Err(out_of_stock());
        }
        Ok(Had {
            reward,
            points,
            account,
        })
    }
}

fn unknown_member() -> Error {
    let message = "the employer has no such member";
    Fault::new(FaultCode::UnknownMember, &["member"], message).into()
}

fn too_few_points() -> Error {
    let message = "there are not as many points";
    Fault::new(FaultCode::InsufficientPoints, &["reward"], message).into()
}

fn out_of_stock() -> Error {
    let message = "there are not as many left";
    Fault::new(FaultCode::OutOfStock, &["quantity"], message).into()
}

/// A digest of what is asked for; of whom, by the id, so that whoever is called the same later asks for something else.
fn body_hash(member: MemberId, input: &Redeem) -> Vec<u8> {
    let body = serde_json::json!([member.to_string(), input.reward, input.quantity]);
    digest(&SHA256, body.to_string().as_bytes()).as_ref().to_vec()
}

/// Refuses a reward that cannot be asked for now.
async fn require_available(
    connection: &impl ConnectionTrait,
    employer: &employer::Model,
    reward: &Reward,
    now: DateTime<Utc>,
) -> Outcome<()> {
    let not_now = |message: &str| Err(Fault::new(FaultCode::InvalidState, &["reward"], message).into());
    if reward.retired_at.is_some() {
        return not_now("the reward is retired");
    }
    let program = program::find(connection, employer.id, reward.program_id)
        .await?
        .ok_or(Error::Internal("a reward without a program"))?;
    match program.state() {
        ProgramState::Active => {}
        ProgramState::Draft => return not_now("its program is a draft"),
        ProgramState::Paused => return not_now("its program is paused"),
        ProgramState::Ended => return not_now("its program has ended"),
    }
    let zone = program.time_zone.as_ref().unwrap_or(&employer.time_zone);
    let today = now.with_timezone(&zone.parse().unwrap_or(Tz::UTC)).date_naive();
    if reward.available_from.is_some_and(|from| today < from) {
        return not_now("the reward is not available yet");
    }
    if reward.available_until.is_some_and(|until| until < today) {
        return not_now("the reward is not available any more");
    }
    Ok(())
}

/// The partner that is to be told, with its name for the member.
async fn told(
    connection: &impl ConnectionTrait,
    partner: PartnerId,
    (employer, member): (EmployerId, MemberId),
) -> Outcome<(PartnerId, String)> {
    let gone = Error::Internal("a reward without its partner");
    let partner = partner::find(connection, partner).await?.ok_or(gone)?;
    let name = partner::member_ref(partner.pairwise_key.expose(), employer, member);
    Ok((partner.id, name))
}
