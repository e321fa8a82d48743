//! Rewards: what members can have for points, or are given.

use chrono::{NaiveDate, TimeDelta};
use entity::id::{EmployerId, ProgramId, RewardId};
use entity::page::{Page, Slice};
use entity::program::ProgramState;
use entity::reward::{self, Model};
use entity::{partner, program};
use sea_orm::ConnectionTrait;

use super::achievement::{is_somebody, require_within};
use super::audit::{Change, What};
use super::{Error, Fault, FaultCode, Outcome, require_none, tenant};
use crate::app::App;
use crate::auth::access;
use crate::auth::viewer::Permit;
use crate::validate;

/// Rewards an employer may have.
const PER_EMPLOYER: u64 = 10_000;
/// The highest price, and the largest stock.
const AMOUNT_MAX: i64 = 1_000_000_000;
/// The longest hold: ten years.
const HOLD_SECONDS_MAX: i64 = 3_650 * 86_400;

/// A new reward.
#[derive(Debug)]
pub struct Create {
    /// The key of the employer.
    pub employer: Option<String>,
    /// The key of the program; the only one there is unless given.
    pub program: Option<String>,
    /// Its key.
    pub key: String,
    /// Its name.
    pub name: String,
    /// More about it.
    pub description: Option<String>,
    /// Points for one of it.
    pub price: i64,
    /// Which points.
    pub category: String,
    /// How many there are.
    pub stock: Option<i32>,
    /// How many one member can have.
    pub per_member: Option<i32>,
    /// The first day on which it can be asked for.
    pub available_from: Option<NaiveDate>,
    /// The last one.
    pub available_until: Option<NaiveDate>,
    /// How long a redemption waits to be fulfilled.
    pub hold_for: Option<TimeDelta>,
    /// The key of the partner that fulfils it.
    pub fulfilled_by: Option<String>,
}

/// Creates a reward.
pub async fn create(app: &App, permit: Permit<access::CreateReward>, input: Create) -> Outcome<Model> {
    let mut faults = Vec::new();
    validate::key(&["key"], &input.key, &mut faults);
    validate::category(&["category"], &input.category, &mut faults);
    let hold_seconds = input.hold_for.map(|hold| hold.num_seconds());
    let txn = Change::begin(app, &permit).await?;
    let employer = tenant::resolve(&*txn, permit.viewer(), input.employer.as_deref()).await?;
    let program = find_program(&*txn, employer.id, input.program.as_deref()).await?;
    let fulfilled_by = match &input.fulfilled_by {
        None => None,
        Some(key) => {
            let unknown = || Fault::not_found(&["fulfilledBy"], "there is no partner of this key");
            Some(partner::find_by_key(&*txn, key).await?.ok_or_else(unknown)?.id)
        }
    };
    let reward = Model {
        employer_id: employer.id,
        id: app.ids.next(),
        program_id: program.id,
        key: input.key,
        name: input.name,
        description: input.description,
        price: input.price,
        category: input.category,
        stock: input.stock.map(i64::from),
        per_member: input.per_member.map(i64::from),
        available_from: input.available_from,
        available_until: input.available_until,
        hold_seconds,
        fulfilled_by,
        created_at: employer.now(app.clock.now()).into(),
        retired_at: None,
    };
    check(&reward, &mut faults);
    require_none(faults)?;
    if reward::count(&*txn, employer.id).await? >= PER_EMPLOYER {
        return Err(Fault::new(
            FaultCode::TooMany,
            &[],
            format!("an employer has at most {PER_EMPLOYER} rewards"),
        )
        .into());
    }
    if !reward::insert(&*txn, reward.clone()).await? {
        return Err(Fault::new(
            FaultCode::KeyTaken,
            &["key"],
            "the employer has a reward of this key",
        )
        .into());
    }
    txn.commit(app, Some(&employer), What::made(&reward)).await?;
    Ok(reward)
}

/// The program of this key, or the only one that has not ended.
async fn find_program(
    connection: &impl ConnectionTrait,
    employer: EmployerId,
    key: Option<&str>,
) -> Outcome<program::Model> {
    let program = match key {
        Some(key) => {
            let unknown = || Fault::not_found(&["program"], "the employer has no program of this key");
            program::find_by_key(connection, employer, key)
                .await?
                .ok_or_else(unknown)?
        }
        None => {
            let all = program::list(connection, employer).await?;
            let mut open = all.into_iter().filter(|row| row.state() != ProgramState::Ended);
            match (open.next(), open.next()) {
                (Some(only), None) => only,
                _ => return Err(Fault::invalid(&["program"], "say which program").into()),
            }
        }
    };
    if program.state() == ProgramState::Ended {
        let message = "the program has ended, for good";
        return Err(Fault::new(FaultCode::InvalidState, &["program"], message).into());
    }
    Ok(program)
}

/// What can be wrong with what can be changed.
fn check(reward: &Model, faults: &mut Vec<Fault>) {
    validate::name(&["name"], &reward.name, faults);
    validate::description(&["description"], reward.description.as_deref(), faults);
    validate::dates(
        [&["availableFrom"], &["availableUntil"]],
        reward.available_from,
        reward.available_until,
        faults,
    );
    if !(0..=AMOUNT_MAX).contains(&reward.price) {
        faults.push(Fault::invalid(&["price"], "from 0 to 1,000,000,000"));
    }
    if reward
        .stock
        .is_some_and(|stock| !(0..=AMOUNT_MAX).contains(&stock))
    {
        faults.push(Fault::invalid(&["stock"], "from 0 to 1,000,000,000"));
    }
    if reward
        .per_member
        .is_some_and(|most| !(1..=AMOUNT_MAX).contains(&most))
    {
        faults.push(Fault::invalid(&["perMember"], "from 1 to 1,000,000,000"));
    }
    if reward
        .hold_seconds
        .is_some_and(|hold| !(1..=HOLD_SECONDS_MAX).contains(&hold))
    {
        faults.push(Fault::invalid(&["holdFor"], "from PT1S to P3650D"));
    }
}

/// What is to change of a reward. A field that is left out stays as it is; `Some(None)` empties it.
#[derive(Debug)]
pub struct Update {
    /// The key of the employer.
    pub employer: Option<String>,
    /// Its key.
    pub reward: String,
    /// Its name.
    pub name: Option<String>,
    /// More about it.
    pub description: Option<Option<String>>,
    /// Points for one of it.
    pub price: Option<i64>,
    /// How many are left.
    pub stock: Option<Option<i32>>,
    /// How many one member can have.
    pub per_member: Option<Option<i32>>,
    /// The first day on which it can be asked for.
    pub available_from: Option<Option<NaiveDate>>,
    /// The last one.
    pub available_until: Option<Option<NaiveDate>>,
    /// How long a redemption waits to be fulfilled.
    pub hold_for: Option<Option<TimeDelta>>,
}

/// Changes a reward. What was asked for before stays as it was asked for.
pub async fn update(app: &App, permit: Permit<access::UpdateReward>, input: Update) -> Outcome<Model> {
    let txn = Change::begin(app, &permit).await?;
    let owner = tenant::resolve(&*txn, permit.viewer(), input.employer.as_deref()).await?;
    let reward = take(&*txn, owner.id, &input.reward).await?;
    let stock = input.stock.map(|stock| stock.map(i64::from));
    let hold = input.hold_for.map(|hold| hold.map(|hold| hold.num_seconds()));
    let changed = Model {
        name: input.name.unwrap_or_else(|| reward.name.clone()),
        description: input.description.unwrap_or_else(|| reward.description.clone()),
        price: input.price.unwrap_or(reward.price),
        stock: stock.unwrap_or(reward.stock),
        per_member: input
            .per_member
            .map_or(reward.per_member, |most| most.map(i64::from)),
        available_from: input.available_from.unwrap_or(reward.available_from),
        available_until: input.available_until.unwrap_or(reward.available_until),
        hold_seconds: hold.unwrap_or(reward.hold_seconds),
        ..reward.clone()
    };
    let mut faults = Vec::new();
    check(&changed, &mut faults);
    require_none(faults)?;
    reward::update(&*txn, &changed, stock).await?;
    txn.commit(app, Some(&owner), What::changed(&reward, &changed))
        .await?;
    Ok(changed)
}

/// Retires a reward: nobody can ask for it any more. What was asked for or is given by an award is still fulfilled.
pub async fn retire(
    app: &App,
    permit: Permit<access::RetireReward>,
    employer: Option<&str>,
    key: &str,
) -> Outcome<Model> {
    let txn = Change::begin(app, &permit).await?;
    let owner = tenant::resolve(&*txn, permit.viewer(), employer).await?;
    let reward = take(&*txn, owner.id, key).await?;
    let now = owner.now(app.clock.now()).into();
    if !reward::retire(&*txn, reward.employer_id, reward.id, now).await? {
        let message = "the reward was retired before";
        return Err(Fault::new(FaultCode::InvalidState, &["reward"], message).into());
    }
    let retired = Model {
        retired_at: Some(now),
        ..reward.clone()
    };
    txn.commit(app, Some(&owner), What::changed(&reward, &retired))
        .await?;
    Ok(retired)
}

/// The reward of this key, for a change: it stays as it is until the transaction ends.
async fn take(connection: &impl ConnectionTrait, employer: EmployerId, key: &str) -> Outcome<Model> {
    let unknown = || {
        Error::from(Fault::not_found(
            &["reward"],
            "the employer has no reward of this key",
        ))
    };
    let found = reward::find_by_key(connection, employer, key)
        .await?
        .ok_or_else(unknown)?;
    let locked = reward::lock(connection, &[(employer, found.id)]).await?;
    locked.into_iter().next().ok_or_else(unknown)
}

/// The reward of this key; none where the viewer may not see it.
pub async fn find(
    app: &App,
    permit: Permit<access::ReadReward>,
    employer: Option<&str>,
    key: &str,
) -> Outcome<Option<Model>> {
    let db = app.db.read();
    let employer = match tenant::resolve_id(db, permit.viewer(), employer).await {
        Ok(employer) => employer,
        Err(Error::Refused(faults)) if faults.iter().all(|fault| fault.code == FaultCode::NotFound) => {
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    if !is_somebody(db, permit.viewer()).await? {
        return Ok(None);
    }
    Ok(reward::find_by_key(db, employer, key).await?)
}

/// A page of the rewards of a program.
pub async fn list(
    app: &App,
    permit: Permit<access::ListRewards>,
    (employer, program): (EmployerId, ProgramId),
    page: Page<RewardId>,
) -> Outcome<Slice<Model>> {
    require_within(&permit, employer, None)?;
    Ok(reward::list_of_program(app.db.read(), employer, program, page).await?)
}

/// How many of a reward members have or are to get.
pub fn redeemed(
    permit: &Permit<access::ReadRewardRedeemed>,
    reward: &Model,
    counted: Option<i64>,
) -> Outcome<i64> {
    require_within(permit, reward.employer_id, None)?;
    Ok(counted.unwrap_or(0))
}
