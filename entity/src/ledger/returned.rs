//! Points of redemptions that have come to nothing go back into the lots that they were taken from.

use std::collections::{BTreeMap, HashMap};

use sea_orm::{ConnectionTrait, DbErr, FromQueryResult};

use super::{About, AccountKey, Depth, LOT, Ledger, Lot, LotRow, Moment, Want};
use crate::db::sql::{Rows, Sql};
use crate::id::{EmployerId, Ids, LotId, RedemptionId};

/// A redemption that has come to nothing.
#[derive(Debug, Clone)]
pub struct Return {
    /// Whose points, and which.
    pub account: AccountKey,
    /// The redemption.
    pub redemption: RedemptionId,
    /// The present.
    pub moment: Moment,
    /// Whether it must not be shown to the employer's administrators.
    pub sensitive: bool,
}

#[derive(Debug, FromQueryResult)]
struct Taken {
    redemption_id: RedemptionId,
    employer_id: EmployerId,
    lot_id: LotId,
    taken: i64,
}

/// Puts the points of redemptions back: all that they have taken and not put back, so that a second time nothing happens. What has
/// ended meanwhile expires at once. The caller holds the locks of the members. A few statements however many.
pub async fn put_back(connection: &impl ConnectionTrait, ids: &Ids, returns: &[Return]) -> Result<(), DbErr> {
    if returns.is_empty() {
        return Ok(());
    }
    let wanted: BTreeMap<AccountKey, Want> = returns
        .iter()
        .map(|one| {
            let (moment, depth) = (one.moment, Depth::Lots);
            (one.account.clone(), Want { moment, depth })
        })
        .collect();
    let mut ledger = Ledger::open(connection, ids, wanted).await?;
    let mut taken = taken(connection, returns).await?;
    for one in returns {
        let Some(account) = ledger.account(&one.account) else {
            continue;
        };
        let about = About {
            redemption: Some(one.redemption),
            sensitive: one.sensitive,
            ..About::default()
        };
        account.put_back(ids, taken.remove(&one.redemption).unwrap_or_default(), about);
    }
    ledger.write(connection).await
}

/// The lots that each redemption has taken points from, with how many it has taken and not put back.
pub async fn taken(
    connection: &impl ConnectionTrait,
    returns: &[Return],
) -> Result<HashMap<RedemptionId, Vec<(Lot, i64)>>, DbErr> {
    let rows = Rows::new()
        .id("employer_id", returns.iter().map(|one| one.account.employer_id))
        .id("member_id", returns.iter().map(|one| one.account.member_id))
        .text(
            "category",
            returns.iter().map(|one| one.account.category.as_str()),
        )
        .id("redemption_id", returns.iter().map(|one| one.redemption));
    let taken: Vec<Taken> = Sql::on(
        connection,
        "SELECT entry.redemption_id, entry.employer_id, posting.lot_id, CAST(-SUM(posting.amount) AS bigint) AS taken FROM ",
    )
    .rows(rows)
    .push(
        " AS wanted JOIN points_entry AS entry ON entry.employer_id = wanted.employer_id AND entry.member_id = wanted.member_id
         AND entry.category = wanted.category AND entry.redemption_id = wanted.redemption_id
         JOIN points_posting AS posting ON posting.employer_id = entry.employer_id AND posting.entry_id = entry.id
         GROUP BY entry.redemption_id, entry.employer_id, posting.lot_id ORDER BY entry.redemption_id, posting.lot_id",
    )
    .all(connection)
    .await?;
    let rows = Rows::new()
        .id("employer_id", taken.iter().map(|row| row.employer_id))
        .id("id", taken.iter().map(|row| row.lot_id));
    let lots: Vec<LotRow> = Sql::on(connection, LOT)
        .rows(rows)
        .push(" AS wanted JOIN points_lot AS lot ON lot.employer_id = wanted.employer_id AND lot.id = wanted.id")
        .all(connection)
        .await?;
    let lots: HashMap<LotId, Lot> = lots.into_iter().map(|row| (row.id, row.lot())).collect();
    let mut found: HashMap<RedemptionId, Vec<(Lot, i64)>> = HashMap::new();
    for row in taken.into_iter().filter(|row| row.taken > 0) {
        if let Some(lot) = lots.get(&row.lot_id) {
            let of = found.entry(row.redemption_id).or_default();
            of.push((lot.clone(), row.taken));
        }
    }
    Ok(found)
}
