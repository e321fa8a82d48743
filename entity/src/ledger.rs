//! The ledger: members' points, by category. The only writer of accounts, lots and entries.
//!
//! Whoever changes an account holds the lock of its member ([`crate::member::lock`]) until the end of the transaction, so what is
//! read here stays as it is. The rules of how points come and go are in [`account`]; this file brings accounts in and out, all that
//! are asked for in one statement each.
//!
//! An entry is never changed. The balance that is stored is what the entries add up to, and what remains in the lots; `plaudit check`
//! says where it is not.

pub mod account;
pub mod adjustment;
pub mod read;
mod returned;
mod write;

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use sea_orm::{ConnectionTrait, DbErr, FromQueryResult};

use crate::clock::Timestamp;
use crate::db::sql::{Rows, Sql};
use crate::id::{EmployerId, Ids, IncentiveId, LotId, MemberId};
use crate::text_enum;
pub use account::{About, Account, Cause, Earned, Entry, Lot, Refusal, Shortfall};
pub use returned::{Return, put_back, taken};

/// The end of a lot that never ends.
pub const NEVER: Timestamp = Timestamp(i64::MAX);

/// From when on points are active that wait for an event: nobody knows yet.
pub const AWAITED: Timestamp = Timestamp(i64::MAX - 1);
/// The most points that an account can hold: every number up to it is exact in JSON.
pub const MOST: i64 = 9_007_199_254_740_991;

text_enum! {
    /// What has happened to an account.
    EntryKind {
        /// Points were earned.
        Earned = "EARNED",
        /// An administrator has corrected it.
        Adjusted = "ADJUSTED",
        /// Points were spent on a reward.
        Redeemed = "REDEEMED",
        /// A redemption has come to nothing, and its points are back.
        Returned = "RETURNED",
        /// Points have ended.
        Expired = "EXPIRED",
        /// What they were earned for no longer holds.
        ClawedBack = "CLAWED_BACK",
    }
}

/// Which account.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, FromQueryResult)]
pub struct AccountKey {
    /// The employer.
    pub employer_id: EmployerId,
    /// Whose points.
    pub member_id: MemberId,
    /// Of which kind.
    pub category: String,
}

/// The present, as an employer sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// By the employer's clock.
    pub at: Timestamp,
    /// The date of that in the employer's zone.
    pub on: NaiveDate,
}

/// How much of an account is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Depth {
    /// Enough to earn.
    Head,
    /// Its open lots as well: to spend, or to take back.
    Lots,
}

/// What is wanted of an account.
#[derive(Debug, Clone, Copy)]
pub struct Want {
    /// The present.
    pub moment: Moment,
    /// How much is needed.
    pub depth: Depth,
}

/// Accounts, settled to the present, and what has changed in them.
pub struct Ledger {
    ids: Ids,
    accounts: BTreeMap<AccountKey, (Account, Moment)>,
}

#[derive(Debug, FromQueryResult)]
struct AccountRow {
    employer_id: EmployerId,
    member_id: MemberId,
    category: String,
    available: i64,
    pending: i64,
    debt: i64,
    entries: i64,
    due_at: Option<Timestamp>,
}

#[derive(Debug, FromQueryResult)]
struct LotRow {
    employer_id: EmployerId,
    id: LotId,
    member_id: MemberId,
    category: String,
    amount: i64,
    remaining: i64,
    active_from: Timestamp,
    expires_at: Timestamp,
    is_active: bool,
    incentive_id: Option<IncentiveId>,
    cause: Option<Vec<u8>>,
}

impl LotRow {
    fn key(&self) -> AccountKey {
        AccountKey {
            employer_id: self.employer_id,
            member_id: self.member_id,
            category: self.category.clone(),
        }
    }

    fn lot(self) -> Lot {
        Lot {
            id: self.id,
            amount: self.amount,
            remaining: self.remaining,
            active_from: self.active_from,
            expires_at: self.expires_at,
            is_active: self.is_active,
            cause: self
                .incentive_id
                .zip(self.cause)
                .map(|(incentive, key)| Cause { incentive, key }),
        }
    }
}

const LOT: &str =
    "SELECT lot.employer_id, lot.id, lot.member_id, lot.category, lot.amount, lot.remaining, lot.active_from,
     lot.expires_at, lot.is_active, lot.incentive_id, lot.cause FROM ";

impl Ledger {
    /// Brings in these accounts and settles them; one that is not there yet is empty. The caller holds the locks of the members.
    pub async fn open(
        connection: &impl ConnectionTrait,
        ids: &Ids,
        wanted: BTreeMap<AccountKey, Want>,
    ) -> Result<Self, DbErr> {
        let mut ledger = Self {
            ids: ids.clone(),
            accounts: BTreeMap::new(),
        };
        if wanted.is_empty() {
            return Ok(ledger);
        }
        let rows: Vec<AccountRow> = Sql::on(connection, "SELECT account.* FROM ")
            .rows(keys(wanted.keys()))
            .push(
                " AS wanted JOIN points_account AS account ON account.employer_id = wanted.employer_id
                 AND account.member_id = wanted.member_id AND account.category = wanted.category",
            )
            .all(connection)
            .await?;
        let mut deep = BTreeSet::new();
        for row in rows {
            let key = AccountKey {
                employer_id: row.employer_id,
                member_id: row.member_id,
                category: row.category,
            };
            let Some(want) = wanted.get(&key) else { continue };
            // What is due is booked first, and that takes the lots.
            let is_due = row.due_at.is_some_and(|due| due <= want.moment.at);
            let is_deep = want.depth == Depth::Lots || is_due;
            if is_deep {
                deep.insert(key.clone());
            }
            let account = Account {
                available: row.available,
                pending: row.pending,
                debt: row.debt,
                debt_read: row.debt,
                due_read: row.due_at,
                entries: row.entries,
                due_elsewhere: row.due_at.filter(|_| !is_deep),
                ..Account::default()
            };
            ledger.accounts.insert(key, (account, want.moment));
        }
        for (key, want) in wanted {
            let empty = || (Account::default(), want.moment);
            ledger.accounts.entry(key).or_insert_with(empty);
        }
        if !deep.is_empty() {
            let lots: Vec<LotRow> = Sql::on(connection, LOT)
                .rows(keys(&deep))
                .push(
                    " AS wanted JOIN points_lot AS lot ON lot.employer_id = wanted.employer_id AND lot.member_id = wanted.member_id
                     AND lot.category = wanted.category AND lot.remaining > 0",
                )
                .all(connection)
                .await?;
            for row in lots {
                if let Some((account, _)) = ledger.accounts.get_mut(&row.key()) {
                    let lot = row.lot();
                    account.lots.insert((lot.expires_at, lot.id), lot);
                }
            }
        }
        for (account, moment) in ledger.accounts.values_mut() {
            account.settle(ids, moment.at);
        }
        Ok(ledger)
    }

    /// An account that was brought in.
    pub fn account(&mut self, key: &AccountKey) -> Option<&mut Account> {
        self.accounts.get_mut(key).map(|(account, _)| account)
    }

    /// The ids that lots and entries get.
    pub fn ids(&self) -> &Ids {
        &self.ids
    }

    /// Writes what has changed; five statements however much.
    pub async fn write(self, connection: &impl ConnectionTrait) -> Result<(), DbErr> {
        let changed: Vec<(&AccountKey, &Account, Moment)> = self
            .accounts
            .iter()
            .filter(|(_, (account, _))| account.is_changed())
            .map(|(key, (account, moment))| (key, account, *moment))
            .collect();
        if changed.is_empty() {
            return Ok(());
        }
        write::accounts(connection, &changed).await?;
        write::lots(connection, &changed).await?;
        write::entries(connection, &changed).await
    }
}

fn keys<'a>(wanted: impl IntoIterator<Item = &'a AccountKey> + Clone) -> Rows {
    let each = || wanted.clone().into_iter();
    Rows::new()
        .id("employer_id", each().map(|key| key.employer_id))
        .id("member_id", each().map(|key| key.member_id))
        .text("category", each().map(|key| key.category.as_str()))
}

/// Accounts, at most `limit`, of which a lot has become active or has ended by the clock of their employer and that is not booked yet.
/// In no order.
pub async fn list_due(
    connection: &impl ConnectionTrait,
    now: Timestamp,
    limit: u64,
) -> Result<Vec<AccountKey>, DbErr> {
    // What is due by the real clock is due for everyone, and the index finds it; only sandboxes, whose clocks are ahead, are then
    // looked through. The halves share no row, so a batch that is not full is the last.
    Sql::on(
        connection,
        "SELECT employer_id, member_id, category FROM points_account WHERE due_at <= ",
    )
    .bind(now)
    .push(
        " UNION ALL SELECT employer_id, member_id, category
         FROM (SELECT id AS sandbox_id, clock_offset_micros FROM employer WHERE clock_offset_micros > 0) AS sandbox
         CROSS JOIN points_account WHERE employer_id = sandbox_id AND due_at > ",
    )
    .bind(now)
    .push(" AND due_at - clock_offset_micros <= ")
    .bind(now)
    .push(" LIMIT ")
    .bind(i64::try_from(limit).unwrap_or(i64::MAX))
    .all(connection)
    .await
}
