//! Rewards that awards give.
//!
//! A gift is never refused: not for want of stock, of which it takes what is there, nor for a limit, a date or because the reward was
//! retired meanwhile. The partner that fulfils it is told only if the member shares with it; else the gift waits untold until the
//! member does. The employer's own feed tells of it at once. An award that is revoked takes its gifts back as long as they are held.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, TimeDelta, Utc};
use entity::consent::{self, Consent, Purpose};
use entity::feed::{NewEntry, News};
use entity::id::{AchievementId, EmployerId, Ids, MemberId, PartnerId, RewardId};
use entity::redemption::{self, RedemptionStatus};
use entity::{achievement, partner, reward};
use sea_orm::{ConnectionTrait, DbErr};

use crate::activity::{self, Happened};
use crate::catalogue::Employers;
use crate::moment::moment;
use crate::redemption::{AWARD_REVOKED, CalledOff, call_off};

/// A reward that follows from an award.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gift {
    /// The key of the reward.
    pub reward: String,
    /// How many of it.
    pub quantity: u32,
}

/// Gives what follows from these awards, and takes back what these others gave: those of them that are to be taken back at all.
/// Returns what the partners are to be told, for the one append at the end of the transaction. The caller holds the locks of the
/// members.
pub async fn follow(
    connection: &impl ConnectionTrait,
    ids: &Ids,
    employers: &Employers,
    fresh: &[(&achievement::Model, Vec<Gift>)],
    revoked: &[&achievement::Model],
    now: DateTime<Utc>,
) -> Result<Vec<NewEntry>, DbErr> {
    let fresh: Vec<_> = fresh.iter().filter(|(_, gifts)| !gifts.is_empty()).collect();
    if fresh.is_empty() && revoked.is_empty() {
        return Ok(Vec::new());
    }
    let rewards = rewards(connection, &fresh).await?;
    let gone: Vec<_> = revoked.iter().map(|row| (row.employer_id, row.id)).collect();
    let held = held(connection, &gone).await?;
    let mut stock = lock_stock(connection, &rewards, &held).await?;
    let given = give(ids, employers, (&fresh, &rewards), &mut stock, now);
    let mut entries = Vec::new();
    if !given.is_empty() {
        entries = insert(connection, ids, employers, given, &rewards).await?;
    }
    if !gone.is_empty() {
        // What was given and taken back in one go is there only now.
        let held = if fresh.is_empty() {
            held
        } else {
            self::held(connection, &gone).await?
        };
        let over = held.into_iter().filter_map(|row| {
            let employer = &employers.get(row.employer_id)?.employer;
            Some(CalledOff {
                moment: moment(employer, now),
                row,
                status: RedemptionStatus::Cancelled,
                reason: Some(AWARD_REVOKED.to_owned()),
            })
        });
        entries.extend(call_off(connection, ids, over.collect()).await?);
    }
    Ok(entries)
}

type Rewards = HashMap<(EmployerId, String), reward::Model>;
type Fresh<'a> = &'a (&'a achievement::Model, Vec<Gift>);

async fn rewards(connection: &impl ConnectionTrait, fresh: &[Fresh<'_>]) -> Result<Rewards, DbErr> {
    let keys: BTreeSet<(EmployerId, String)> = fresh
        .iter()
        .flat_map(|(award, gifts)| gifts.iter().map(|gift| (award.employer_id, gift.reward.clone())))
        .collect();
    if keys.is_empty() {
        return Ok(HashMap::new());
    }
    let keys: Vec<_> = keys.into_iter().collect();
    let rows = reward::list_by_keys(connection, &keys).await?;
    Ok(rows
        .into_iter()
        .map(|row| ((row.employer_id, row.key.clone()), row))
        .collect())
}

async fn held(
    connection: &impl ConnectionTrait,
    gone: &[(EmployerId, AchievementId)],
) -> Result<Vec<redemption::Model>, DbErr> {
    if gone.is_empty() {
        return Ok(Vec::new());
    }
    redemption::list_held_of_awards(connection, gone).await
}

/// How many are left of the rewards whose stock is limited, all of which stay as they are from here on: those that are given, and
/// those that come back, in one order.
async fn lock_stock(
    connection: &impl ConnectionTrait,
    rewards: &Rewards,
    held: &[redemption::Model],
) -> Result<BTreeMap<(EmployerId, RewardId), i64>, DbErr> {
    let given = rewards.values().filter(|row| row.stock.is_some());
    let given = given.map(|row| (row.employer_id, row.id));
    let back = held.iter().filter(|row| row.stock_taken > 0);
    let back = back.map(|row| (row.employer_id, row.reward_id));
    let wanted: BTreeSet<_> = given.chain(back).collect();
    if wanted.is_empty() {
        return Ok(BTreeMap::new());
    }
    let wanted: Vec<_> = wanted.into_iter().collect();
    let rows = reward::lock(connection, &wanted).await?;
    Ok(rows
        .into_iter()
        .filter_map(|row| Some(((row.employer_id, row.id), row.stock?)))
        .collect())
}

/// The redemptions that follow, one for each award and reward, in the order of the awards; takes from the stock what is there.
fn give(
    ids: &Ids,
    employers: &Employers,
    (fresh, rewards): (&[Fresh<'_>], &Rewards),
    stock: &mut BTreeMap<(EmployerId, RewardId), i64>,
    now: DateTime<Utc>,
) -> Vec<redemption::Model> {
    let mut given = Vec::new();
    for (award, gifts) in fresh {
        let Some(catalogue) = employers.get(award.employer_id) else {
            continue;
        };
        let moment = moment(&catalogue.employer, now);
        let mut wanted: BTreeMap<&str, i64> = BTreeMap::new();
        for gift in gifts {
            *wanted.entry(&gift.reward).or_default() += i64::from(gift.quantity);
        }
        for (key, quantity) in wanted.into_iter().filter(|(_, quantity)| *quantity > 0) {
            let Some(reward) = rewards.get(&(award.employer_id, key.to_owned())) else {
                tracing::error!(employer = %award.employer_id, incentive = %award.incentive_id, award = %award.id, "an award gives a reward that there is not");
                continue;
            };
            let left = stock.get_mut(&(reward.employer_id, reward.id));
            let taken = left.map_or(0, |left| {
                let taken = quantity.min(*left);
                *left -= taken;
                taken
            });
            let hold = reward.hold_seconds.map(TimeDelta::seconds);
            let expires_at = hold.and_then(|hold| moment.at.instant().checked_add_signed(hold));
            given.push(redemption::Model {
                employer_id: award.employer_id,
                id: ids.next(),
                member_id: award.member_id,
                reward_id: reward.id,
                quantity,
                points_spent: 0,
                stock_taken: taken,
                category: reward.category.clone(),
                status: RedemptionStatus::Held,
                requested_at: moment.at,
                requested_on: moment.on,
                expires_at: expires_at.map(Into::into),
                settled_at: None,
                reference: None,
                reason: None,
                achievement_id: Some(award.id),
                sensitive: award.sensitive,
                told_to: None,
                member_ref: None,
            });
        }
    }
    given
}

/// Writes gifts and what they have taken from the stock; says what is to be told of them.
async fn insert(
    connection: &impl ConnectionTrait,
    ids: &Ids,
    employers: &Employers,
    mut given: Vec<redemption::Model>,
    rewards: &Rewards,
) -> Result<Vec<NewEntry>, DbErr> {
    let fulfilled_by: HashMap<(EmployerId, RewardId), PartnerId> = rewards
        .values()
        .filter_map(|row| Some(((row.employer_id, row.id), row.fulfilled_by?)))
        .collect();
    let mut entries = Vec::new();
    if !fulfilled_by.is_empty() {
        let partners: BTreeSet<PartnerId> = fulfilled_by.values().copied().collect();
        let partners: HashMap<_, _> = partner::list_by_ids(connection, partners.into_iter().collect())
            .await?
            .into_iter()
            .map(|row| (row.id, row))
            .collect();
        let members: BTreeSet<_> = given.iter().map(|row| (row.employer_id, row.member_id)).collect();
        let members: Vec<_> = members.into_iter().collect();
        let words = consent::list(connection, Purpose::PartnerSharing, &members).await?;
        let mut by_member: HashMap<(EmployerId, MemberId), Vec<&Consent>> = HashMap::new();
        for word in &words {
            let of = by_member.entry((word.employer_id, word.member_id));
            of.or_default().push(word);
        }
        for row in &mut given {
            let fulfils = fulfilled_by.get(&(row.employer_id, row.reward_id));
            let Some(partner) = fulfils.and_then(|id| partners.get(id)) else {
                continue;
            };
            let said = by_member.get(&(row.employer_id, row.member_id));
            let said = said.map(Vec::as_slice).unwrap_or_default();
            if !consent::allows(said, partner.id, employers.shares_by_default(row.employer_id)) {
                continue;
            }
            let name = partner::member_ref(partner.pairwise_key.expose(), row.employer_id, row.member_id);
            row.told_to = Some(partner.id);
            row.member_ref = Some(name.clone());
            entries.push(NewEntry {
                partner_id: partner.id,
                id: ids.next(),
                employer_id: row.employer_id,
                news: News::Requested(row.id),
                member_ref: name,
                recorded_at: row.requested_at,
            });
        }
    }
    let happened = given.iter().filter_map(|row| {
        Some(Happened {
            feed: employers.activity_feed(row.employer_id)?,
            employer_id: row.employer_id,
            member_id: row.member_id,
            news: News::Requested(row.id),
            at: row.requested_at,
        })
    });
    let happened: Vec<Happened> = happened.collect();
    entries.extend(activity::entries(connection, ids, &happened).await?);
    redemption::insert(connection, &given).await?;
    let mut taken: BTreeMap<(EmployerId, RewardId), i64> = BTreeMap::new();
    for row in given.iter().filter(|row| row.stock_taken > 0) {
        *taken.entry((row.employer_id, row.reward_id)).or_default() -= row.stock_taken;
    }
    if !taken.is_empty() {
        let deltas: Vec<_> = taken
            .into_iter()
            .map(|((employer, reward), delta)| (employer, reward, delta))
            .collect();
        reward::restock(connection, &deltas).await?;
    }
    Ok(entries)
}
