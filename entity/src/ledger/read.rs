//! Balances and history for whoever only looks: nothing is locked and nothing is written.
//!
//! A balance is true at the instant it is read for, however late the sweep that books what has become active or has ended: what is
//! due is added and taken off in memory, as [`Account::settle`](super::Account::settle) would.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, DbErr, FromQueryResult};

use super::{EntryKind, NEVER};
use crate::clock::Timestamp;
use crate::db::sql::Sql;
use crate::employer;
use crate::id::{EmployerId, IncentiveId, MemberId, PointsEntryId, RedemptionId};
use crate::page::{Page, Slice};

/// A member's points of one category at an instant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Balance {
    /// What can be spent.
    pub available: i64,
    /// What cannot be spent yet.
    pub pending: i64,
    /// What is taken from what is earned next.
    pub debt: i64,
    /// When the next of the available points end, and how many do then; none: none ever does.
    pub next_expiry: Option<(Timestamp, i64)>,
}

/// What is left of an open lot that becomes active or ends one day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Remnant {
    /// How many points are left.
    pub remaining: i64,
    /// The first instant at which they can be spent.
    pub active_from: Timestamp,
    /// The first instant at which they no longer can.
    pub expires_at: Timestamp,
    /// Whether they are counted as available already.
    pub is_active: bool,
}

impl Balance {
    /// Adds what a lot changes by an instant, and when it ends.
    pub fn settle(&mut self, lot: Remnant, now: Timestamp) {
        if !lot.is_active {
            if lot.active_from > now {
                return;
            }
            self.pending -= lot.remaining;
            self.available += lot.remaining;
        }
        if lot.expires_at <= now {
            self.available -= lot.remaining;
        } else if lot.expires_at < NEVER {
            self.next_expiry = Some(match self.next_expiry {
                Some((end, amount)) if end < lot.expires_at => (end, amount),
                Some((end, amount)) if end == lot.expires_at => (end, amount + lot.remaining),
                _ => (lot.expires_at, lot.remaining),
            });
        }
    }
}

/// A member with one of its accounts and one of the lots in it; or with none.
#[derive(Debug, FromQueryResult)]
struct BalanceRow {
    member_id: MemberId,
    clock_offset_micros: i64,
    category: Option<String>,
    available: Option<i64>,
    pending: Option<i64>,
    debt: Option<i64>,
    remaining: Option<i64>,
    active_from: Option<Timestamp>,
    expires_at: Option<Timestamp>,
    is_active: Option<bool>,
}

impl BalanceRow {
    fn balance(&self) -> Option<Balance> {
        Some(Balance {
            available: self.available?,
            pending: self.pending?,
            debt: self.debt?,
            next_expiry: None,
        })
    }

    fn remnant(&self) -> Option<Remnant> {
        Some(Remnant {
            remaining: self.remaining?,
            active_from: self.active_from?,
            expires_at: self.expires_at?,
            is_active: self.is_active?,
        })
    }
}

/// Whose balances are asked for.
#[derive(Debug, Clone, Copy)]
pub enum Whose<'a> {
    /// The member of this id.
    Id(MemberId),
    /// The member that the employer calls this.
    ExternalId(&'a str),
}

/// A member's balances, by category.
pub type Balances = BTreeMap<String, Balance>;

/// The balances of a member when the real clock shows `now`; of one category where one is given. None where there is no such member, or
/// none any more. One statement, so that accounts and lots are of one moment; no lot is looked at of an account in which none ever
/// becomes active or ends.
pub async fn balances(
    connection: &impl ConnectionTrait,
    employer: EmployerId,
    whose: Whose<'_>,
    category: Option<&str>,
    now: DateTime<Utc>,
) -> Result<Option<(MemberId, Balances)>, DbErr> {
    let texts = [
        category,
        match whose {
            Whose::Id(_) => None,
            Whose::ExternalId(external_id) => Some(external_id),
        },
    ];
    // PostgreSQL cannot even be asked for a text with a zero character, and no row has one.
    if texts.iter().flatten().any(|text| text.contains('\0')) {
        return Ok(None);
    }
    // The CASE is what spares the lots: a condition beside the key would be looked at once they are read.
    let mut sql = Sql::on(
        connection,
        "SELECT member.id AS member_id, employer.clock_offset_micros, account.category, account.available, account.pending, account.debt,
         lot.remaining, lot.active_from, lot.expires_at, lot.is_active
         FROM member JOIN employer ON employer.id = member.employer_id
         LEFT JOIN points_account AS account ON account.employer_id = member.employer_id AND account.member_id = member.id",
    );
    if let Some(category) = category {
        sql = sql.push(" AND account.category = ").bind(category);
    }
    sql = sql
        .push(
            " LEFT JOIN points_lot AS lot ON lot.employer_id = CASE WHEN account.due_at IS NOT NULL THEN account.employer_id END
             AND lot.member_id = account.member_id AND lot.category = account.category AND lot.remaining > 0
             AND (lot.expires_at < ",
        )
        .bind(NEVER)
        .push(" OR NOT lot.is_active) WHERE member.employer_id = ")
        .bind(employer);
    sql = match whose {
        Whose::Id(id) => sql.push(" AND member.id = ").bind(id),
        Whose::ExternalId(external_id) => sql.push(" AND member.external_id = ").bind(external_id),
    };
    let rows: Vec<BalanceRow> = sql.push(" AND member.erased_at IS NULL").all(connection).await?;
    let Some(first) = rows.first() else {
        return Ok(None);
    };
    let member = first.member_id;
    let now = employer::now(now, first.clock_offset_micros).into();
    let mut balances = Balances::new();
    for row in &rows {
        let (Some(category), Some(balance)) = (&row.category, row.balance()) else {
            continue;
        };
        let balance = balances.entry(category.clone()).or_insert(balance);
        if let Some(lot) = row.remnant() {
            balance.settle(lot, now);
        }
    }
    Ok(Some((member, balances)))
}

/// An entry of the ledger, with what its reason is made of.
#[derive(Debug, Clone, FromQueryResult)]
pub struct Line {
    /// The employer.
    pub employer_id: EmployerId,
    /// The entry itself.
    pub id: PointsEntryId,
    /// Whose points.
    pub member_id: MemberId,
    /// Of which kind.
    pub category: String,
    /// What has happened.
    pub kind: EntryKind,
    /// By how much the account has changed.
    pub amount: i64,
    /// What the account held after it, pending points included.
    pub balance_after: i64,
    /// When.
    pub recorded_at: Timestamp,
    /// Whether it must not be shown to the employer's administrators, as it was written or as its incentive is now.
    pub sensitive: bool,
    /// By which incentive.
    pub incentive_id: Option<IncentiveId>,
    /// What that is called.
    pub incentive_name: Option<String>,
    /// By which redemption.
    pub redemption_id: Option<RedemptionId>,
    /// How many rewards that is about.
    pub quantity: Option<i64>,
    /// What the reward is called.
    pub reward_name: Option<String>,
    /// What an administrator has said of a correction.
    pub reason: Option<String>,
}

const LINE: &str =
    "SELECT entry.employer_id, entry.id, entry.member_id, entry.category, entry.kind, entry.amount, entry.balance_after,
     entry.recorded_at, (entry.sensitive OR COALESCE(incentive.sensitive, entry.sensitive)) AS sensitive, entry.incentive_id,
     incentive.name AS incentive_name, entry.redemption_id, redemption.quantity, reward.name AS reward_name, adjustment.reason
     FROM points_entry AS entry
     LEFT JOIN incentive ON incentive.employer_id = entry.employer_id AND incentive.id = entry.incentive_id
     LEFT JOIN redemption ON redemption.employer_id = entry.employer_id AND redemption.id = entry.redemption_id
     LEFT JOIN reward ON reward.employer_id = redemption.employer_id AND reward.id = redemption.reward_id
     LEFT JOIN points_adjustment AS adjustment ON adjustment.employer_id = entry.employer_id AND adjustment.entry_id = entry.id
     WHERE entry.employer_id = ";

/// The employer's entry of this id.
pub async fn line(
    connection: &impl ConnectionTrait,
    employer: EmployerId,
    id: PointsEntryId,
) -> Result<Option<Line>, DbErr> {
    Sql::on(connection, LINE)
        .bind(employer)
        .push(" AND entry.id = ")
        .bind(id)
        .one(connection)
        .await
}

/// A page of a member's entries, newest first; of one category where one is given.
pub async fn history(
    connection: &impl ConnectionTrait,
    (employer, member): (EmployerId, MemberId),
    category: Option<&str>,
    page: Page<PointsEntryId>,
) -> Result<Slice<Line>, DbErr> {
    let has_previous = page.after.is_some();
    if category.is_some_and(|category| category.contains('\0')) {
        return Ok(Slice {
            rows: Vec::new(),
            has_previous,
            has_next: false,
        });
    }
    let mut sql = Sql::on(connection, LINE)
        .bind(employer)
        .push(" AND entry.member_id = ")
        .bind(member);
    if let Some(category) = category {
        sql = sql.push(" AND entry.category = ").bind(category);
    }
    if let Some(after) = page.after {
        sql = sql.push(" AND entry.id < ").bind(after);
    }
    // One row more than asked for tells whether the list goes on.
    let limit = usize::try_from(page.limit).unwrap_or(usize::MAX);
    let mut rows: Vec<Line> = sql
        .push(" ORDER BY entry.employer_id DESC, entry.member_id DESC, entry.id DESC LIMIT ")
        .bind(i64::try_from(page.limit).unwrap_or(i64::MAX).saturating_add(1))
        .all(connection)
        .await?;
    let has_next = rows.len() > limit;
    rows.truncate(limit);
    Ok(Slice {
        rows,
        has_previous,
        has_next,
    })
}

/// When and how many points of a category a member has earned or lost again what they were earned for, from an instant on, in no order.
/// Corrections by hand are not among them.
pub async fn earned(
    connection: &impl ConnectionTrait,
    (employer, member): (EmployerId, MemberId),
    category: &str,
    from: Timestamp,
) -> Result<Vec<(Timestamp, i64)>, DbErr> {
    #[derive(FromQueryResult)]
    struct Row {
        recorded_at: Timestamp,
        amount: i64,
    }
    let rows: Vec<Row> = Sql::on(
        connection,
        "SELECT recorded_at, CAST(SUM(amount) AS bigint) AS amount FROM points_entry WHERE employer_id = ",
    )
    .bind(employer)
    .push(" AND member_id = ")
    .bind(member)
    .push(" AND category = ")
    .bind(category)
    .push(" AND kind IN ('EARNED', 'CLAWED_BACK') AND recorded_at >= ")
    .bind(from)
    .push(" GROUP BY recorded_at")
    .all(connection)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.recorded_at, row.amount))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::id::Ids;
    use crate::ledger::{About, Account, Earned};

    /// A few numbers that look like chance, and are the same in every run.
    fn numbers(seed: u64) -> impl FnMut(u64) -> i64 {
        let mut state = seed;
        move |below| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            i64::try_from((state >> 33) % below).unwrap()
        }
    }

    #[test]
    fn a_balance_that_is_read_is_the_one_that_booking_would_leave() {
        let ids = Ids::seeded(Clock::manual(chrono::DateTime::UNIX_EPOCH), 3);
        for seed in 0..500 {
            let mut next = numbers(seed);
            let mut account = Account::default();
            for _ in 0..next(8) {
                let active_from = Timestamp(next(20));
                let ends = Timestamp(active_from.0 + 1 + next(20));
                let earned = Earned {
                    amount: 1 + next(50),
                    active_from,
                    expires_at: if next(3) == 0 { NEVER } else { ends },
                    cause: None,
                };
                account
                    .earn(&ids, Timestamp(5), EntryKind::Earned, earned, About::default())
                    .unwrap();
            }
            let now = Timestamp(5 + next(40));
            let mut read = Balance {
                available: account.available(),
                pending: account.pending(),
                ..Balance::default()
            };
            for lot in account.lots() {
                let lot = Remnant {
                    remaining: lot.remaining,
                    active_from: lot.active_from,
                    expires_at: lot.expires_at,
                    is_active: lot.is_active,
                };
                read.settle(lot, now);
            }
            account.settle(&ids, now);
            let open = || {
                account
                    .lots()
                    .filter(|lot| lot.is_active && lot.remaining > 0 && lot.expires_at < NEVER)
            };
            let end = open().map(|lot| lot.expires_at).min();
            let ending = |end| {
                open()
                    .filter(|lot| lot.expires_at == end)
                    .map(|lot| lot.remaining)
                    .sum()
            };
            let booked = Balance {
                available: account.available(),
                pending: account.pending(),
                debt: 0,
                next_expiry: end.map(|end| (end, ending(end))),
            };
            assert_eq!(read, booked, "seed {seed}");
        }
    }
}
