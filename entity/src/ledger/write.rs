//! Writing what has changed in accounts, all of it in a few statements.

use std::collections::BTreeSet;

use sea_orm::{ConnectionTrait, DbErr};

use super::{Account, AccountKey, Entry, Lot, Moment, keys};
use crate::db::sql::{Rows, Sql};
use crate::id::{EmployerId, LotId, PointsEntryId};

/// Writes what the accounts hold now.
pub(super) async fn accounts(
    connection: &impl ConnectionTrait,
    changed: &[(&AccountKey, &Account, Moment)],
) -> Result<(), DbErr> {
    let of = |value: fn(&Account) -> i64| changed.iter().map(move |(_, account, _)| value(account));
    let rows = keys(changed.iter().map(|(key, _, _)| *key).collect::<Vec<_>>())
        .int("available", of(|account| account.available))
        .int("pending", of(|account| account.pending))
        .int("debt", of(|account| account.debt))
        .int("entries", of(|account| account.entries))
        .int_or_null(
            "due_at",
            changed
                .iter()
                .map(|(_, account, _)| account.due_at().map(|due| due.0)),
        );
    Sql::on(
        connection,
        "INSERT INTO points_account (employer_id, member_id, category, available, pending, debt, entries, due_at)
         SELECT employer_id, member_id, category, available, pending, debt, entries, due_at FROM ",
    )
    .rows(rows)
    .push(
        " AS fresh WHERE true ON CONFLICT (employer_id, member_id, category) DO UPDATE SET available = excluded.available,
         pending = excluded.pending, debt = excluded.debt, entries = excluded.entries, due_at = excluded.due_at",
    )
    .execute(connection)
    .await
    .map(|_| ())
}

/// Writes the lots that are new or have changed.
pub(super) async fn lots(
    connection: &impl ConnectionTrait,
    changed: &[(&AccountKey, &Account, Moment)],
) -> Result<(), DbErr> {
    let (mut fresh, mut moved, mut released) = (Vec::new(), Vec::new(), Vec::new());
    for (key, account, _) in changed {
        let new: BTreeSet<LotId> = account.fresh.iter().copied().collect();
        let old: BTreeSet<LotId> = account.changed.iter().copied().collect();
        let timed: BTreeSet<LotId> = account.released.iter().copied().collect();
        for lot in account.lots.values() {
            if new.contains(&lot.id) {
                fresh.push((*key, lot));
            } else if old.contains(&lot.id) {
                moved.push((*key, lot));
            }
            if timed.contains(&lot.id) && !new.contains(&lot.id) {
                released.push((*key, lot));
            }
        }
    }
    if !fresh.is_empty() {
        let cause = |lot: &Lot| lot.cause.clone();
        let rows = keys(fresh.iter().map(|(key, _)| *key).collect::<Vec<_>>())
            .id("id", fresh.iter().map(|(_, lot)| lot.id))
            .int("amount", fresh.iter().map(|(_, lot)| lot.amount))
            .int("remaining", fresh.iter().map(|(_, lot)| lot.remaining))
            .int("active_from", fresh.iter().map(|(_, lot)| lot.active_from.0))
            .int("expires_at", fresh.iter().map(|(_, lot)| lot.expires_at.0))
            .bool("is_active", fresh.iter().map(|(_, lot)| lot.is_active))
            .id_or_null(
                "incentive_id",
                fresh
                    .iter()
                    .map(|(_, lot)| cause(lot).map(|cause| cause.incentive)),
            )
            .bytes_or_null(
                "cause",
                fresh.iter().map(|(_, lot)| cause(lot).map(|cause| cause.key)),
            );
        Sql::on(
            connection,
            "INSERT INTO points_lot (employer_id, id, member_id, category, amount, remaining, active_from, expires_at, is_active,
             incentive_id, cause)
             SELECT employer_id, id, member_id, category, amount, remaining, active_from, expires_at, is_active, incentive_id, cause
             FROM ",
        )
        .rows(rows)
        .push(" AS fresh")
        .execute(connection)
        .await?;
    }
    if !released.is_empty() {
        let rows = Rows::new()
            .id("employer_id", released.iter().map(|(key, _)| key.employer_id))
            .id("id", released.iter().map(|(_, lot)| lot.id))
            .int("active_from", released.iter().map(|(_, lot)| lot.active_from.0))
            .int("expires_at", released.iter().map(|(_, lot)| lot.expires_at.0));
        Sql::on(
            connection,
            "UPDATE points_lot SET active_from = wanted.active_from, expires_at = wanted.expires_at FROM ",
        )
        .rows(rows)
        .push(" AS wanted WHERE points_lot.employer_id = wanted.employer_id AND points_lot.id = wanted.id")
        .execute(connection)
        .await?;
    }
    if !moved.is_empty() {
        let rows = Rows::new()
            .id("employer_id", moved.iter().map(|(key, _)| key.employer_id))
            .id("id", moved.iter().map(|(_, lot)| lot.id))
            .int("remaining", moved.iter().map(|(_, lot)| lot.remaining))
            .bool("is_active", moved.iter().map(|(_, lot)| lot.is_active));
        Sql::on(
            connection,
            "UPDATE points_lot SET remaining = wanted.remaining, is_active = wanted.is_active FROM ",
        )
        .rows(rows)
        .push(" AS wanted WHERE points_lot.employer_id = wanted.employer_id AND points_lot.id = wanted.id")
        .execute(connection)
        .await?;
    }
    Ok(())
}

/// Writes the entries and what each has put into which lot, or taken from it.
pub(super) async fn entries(
    connection: &impl ConnectionTrait,
    changed: &[(&AccountKey, &Account, Moment)],
) -> Result<(), DbErr> {
    let entries: Vec<(&AccountKey, &Entry, Moment)> = changed
        .iter()
        .flat_map(|(key, account, moment)| account.written.iter().map(|entry| (*key, entry, *moment)))
        .collect();
    if entries.is_empty() {
        return Ok(());
    }
    let rows = keys(entries.iter().map(|(key, _, _)| *key).collect::<Vec<_>>())
        .id("id", entries.iter().map(|(_, entry, _)| entry.id))
        .int("number", entries.iter().map(|(_, entry, _)| entry.number))
        .text("kind", entries.iter().map(|(_, entry, _)| entry.kind.as_str()))
        .int("amount", entries.iter().map(|(_, entry, _)| entry.amount))
        .int(
            "balance_after",
            entries.iter().map(|(_, entry, _)| entry.balance_after),
        )
        .int("recorded_at", entries.iter().map(|(_, _, moment)| moment.at.0))
        .date("recorded_on", entries.iter().map(|(_, _, moment)| moment.on))
        .id_or_null(
            "incentive_id",
            entries.iter().map(|(_, entry, _)| entry.about.incentive),
        )
        .id_or_null(
            "redemption_id",
            entries.iter().map(|(_, entry, _)| entry.about.redemption),
        )
        .bool(
            "sensitive",
            entries.iter().map(|(_, entry, _)| entry.about.sensitive),
        );
    Sql::on(
        connection,
        "INSERT INTO points_entry (employer_id, id, member_id, category, number, kind, amount, balance_after, recorded_at, recorded_on,
         incentive_id, redemption_id, sensitive)
         SELECT employer_id, id, member_id, category, number, kind, amount, balance_after, recorded_at, recorded_on, incentive_id,
         redemption_id, sensitive FROM ",
    )
    .rows(rows)
    .push(" AS fresh")
    .execute(connection)
    .await?;
    let postings: Vec<(EmployerId, PointsEntryId, LotId, i64)> = entries
        .iter()
        .flat_map(|(key, entry, _)| {
            let of = entry.postings.iter();
            of.map(|(lot, amount)| (key.employer_id, entry.id, *lot, *amount))
        })
        .collect();
    let rows = Rows::new()
        .id("employer_id", postings.iter().map(|(employer, ..)| *employer))
        .id("entry_id", postings.iter().map(|(_, entry, ..)| *entry))
        .id("lot_id", postings.iter().map(|(_, _, lot, _)| *lot))
        .int("amount", postings.iter().map(|(.., amount)| *amount));
    Sql::on(
        connection,
        "INSERT INTO points_posting (employer_id, entry_id, lot_id, amount) SELECT employer_id, entry_id, lot_id, amount FROM ",
    )
    .rows(rows)
    .push(" AS fresh")
    .execute(connection)
    .await
    .map(|_| ())
}
