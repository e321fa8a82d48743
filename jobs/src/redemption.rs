//! What a redemption that comes to nothing gives back: its points to the lots that they came from, what it has taken to the stock, and
//! the news to the partner that was told of it and to the employer's own backend, where that listens.
//!
//! One way for all who call redemptions off: members' backends and partners, an award that is revoked, a hold that ends, a member who
//! is erased. It happens once, however many of them come together.

use std::collections::{BTreeMap, BTreeSet};

use entity::feed::{NewEntry, News};
use entity::id::{EmployerId, Ids, RewardId};
use entity::ledger::{self, AccountKey, Moment, Return};
use entity::redemption::{self, Model, RedemptionStatus, Settled};
use entity::{employer, reward};
use sea_orm::{ConnectionTrait, DbErr};

use crate::activity::{self, Happened};

/// What is stored as the reason where the award that gave it was revoked.
pub const AWARD_REVOKED: &str = "The award that gave it was revoked.";
/// What stands in the place of what a member who was erased was called.
pub const ERASED: &str = "erased";

/// A redemption that comes to nothing.
#[derive(Debug, Clone)]
pub struct CalledOff {
    /// The redemption, as it was.
    pub row: Model,
    /// `CANCELLED` or `EXPIRED`.
    pub status: RedemptionStatus,
    /// Why, if anything is to be said.
    pub reason: Option<String>,
    /// The present.
    pub moment: Moment,
}

/// Calls off those of the redemptions that are still held, and returns what is to be told of it. The caller holds the locks
/// of the members, and appends the entries as the last thing before the commit.
pub async fn call_off(
    connection: &impl ConnectionTrait,
    ids: &Ids,
    wanted: Vec<CalledOff>,
) -> Result<Vec<NewEntry>, DbErr> {
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let settled: Vec<Settled> = wanted
        .iter()
        .map(|one| Settled {
            employer_id: one.row.employer_id,
            id: one.row.id,
            status: one.status,
            at: one.moment.at,
            reference: None,
            reason: one.reason.clone(),
        })
        .collect();
    let gone = redemption::settle(connection, &settled).await?;
    let over: Vec<CalledOff> = wanted
        .into_iter()
        .filter(|one| gone.contains(&one.row.id))
        .collect();
    if over.is_empty() {
        return Ok(Vec::new());
    }
    // Before the stock, as whoever evaluates takes the two in that order.
    let employers: BTreeSet<_> = over.iter().map(|one| one.row.employer_id).collect();
    let feeds = employer::activity_feeds(connection, employers.into_iter().collect()).await?;
    let returns: Vec<Return> = over
        .iter()
        .filter(|one| one.row.points_spent > 0)
        .map(|one| Return {
            account: AccountKey {
                employer_id: one.row.employer_id,
                member_id: one.row.member_id,
                category: one.row.category.clone(),
            },
            redemption: one.row.id,
            moment: one.moment,
            sensitive: one.row.sensitive,
        })
        .collect();
    ledger::put_back(connection, ids, &returns).await?;
    let mut stock: BTreeMap<(EmployerId, RewardId), i64> = BTreeMap::new();
    for CalledOff { row, .. } in over.iter().filter(|one| one.row.stock_taken > 0) {
        *stock.entry((row.employer_id, row.reward_id)).or_default() += row.stock_taken;
    }
    if !stock.is_empty() {
        let wanted: Vec<_> = stock.keys().copied().collect();
        reward::lock(connection, &wanted).await?;
        let back: Vec<_> = stock
            .into_iter()
            .map(|((employer, reward), taken)| (employer, reward, taken))
            .collect();
        reward::restock(connection, &back).await?;
    }
    let happened = over.iter().filter_map(|one| {
        Some(Happened {
            feed: *feeds.get(&one.row.employer_id)?,
            employer_id: one.row.employer_id,
            member_id: one.row.member_id,
            news: News::Cancelled(one.row.id),
            at: one.moment.at,
        })
    });
    let happened: Vec<Happened> = happened.collect();
    let mut entries = activity::entries(connection, ids, &happened).await?;
    entries.extend(over.into_iter().filter_map(|one| {
        Some(NewEntry {
            partner_id: one.row.told_to?,
            id: ids.next(),
            employer_id: one.row.employer_id,
            news: News::Cancelled(one.row.id),
            member_ref: one.row.member_ref?,
            recorded_at: one.moment.at,
        })
    }));
    Ok(entries)
}
