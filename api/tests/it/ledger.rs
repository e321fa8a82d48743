//! The ledger in the database: what is written and read again is what the rules in memory say, whoever comes in between.

mod adjusting;
mod checking;
mod purse;
mod sweep;

use std::collections::BTreeMap;

use entity::id::{LotId, RedemptionId};
use entity::ledger::{self, Account, Depth, Lot, Return, Shortfall};

use crate::harness::{TestApp, World};
use purse::{Act, Purse};

on_both!(
    any_plan_written_step_by_step_is_as_one_that_was_never_written,
    no_balance_is_below_zero,
    an_entry_is_never_changed,
    a_lot_never_has_more_left_than_it_was_made_of,
    debt_alone_is_written,
    two_who_spend_at_once_spend_one_after_the_other,
);

/// Numbers that are different and the same every time.
struct Dice(u64);

impl Dice {
    /// From 0 up to and without `sides`.
    fn roll(&mut self, sides: i64) -> i64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        i64::try_from(self.0 >> 33).unwrap() % sides
    }
}

/// The open lots, in the order in which they are spent: what they were made of, what remains, and their times.
fn open_lots(account: &Account) -> Vec<(i64, i64, i64, i64, bool)> {
    let open = account.lots().filter(|lot| lot.remaining > 0);
    open.map(|lot| {
        (
            lot.amount,
            lot.remaining,
            lot.active_from.0,
            lot.expires_at.0,
            lot.is_active,
        )
    })
    .collect()
}

/// What a redemption has taken from an account that was never written, and not put back.
fn taken_in_memory(account: &Account, redemption: RedemptionId) -> Vec<(Lot, i64)> {
    let mut taken = BTreeMap::<LotId, i64>::new();
    let own = account
        .written()
        .iter()
        .filter(|entry| entry.about.redemption == Some(redemption));
    for (lot, amount) in own.flat_map(|entry| &entry.postings) {
        *taken.entry(*lot).or_default() -= amount;
    }
    let lots = account
        .lots()
        .filter_map(|lot| Some((lot.clone(), *taken.get(&lot.id)?)));
    lots.filter(|(_, taken)| *taken > 0).collect()
}

async fn any_plan_written_step_by_step_is_as_one_that_was_never_written(app: &TestApp) {
    let world = World::new(app).await;
    let points = Purse::of(&world, "ada").await;
    let purses = [points.other("MINDFULNESS"), points];
    for (purse, seed) in purses.iter().zip(1..) {
        let mut dice = Dice(seed);
        let mut twin = Account::default();
        let mut redemptions = Vec::<RedemptionId>::new();
        for _ in 0..120 {
            app.pass(chrono::TimeDelta::hours(6 * dice.roll(5)));
            let act = match dice.roll(10) {
                0..4 => Act::Earn {
                    cause: Some(dice.roll(4))
                        .filter(|cause| *cause < 3)
                        .map(|cause| u8::try_from(cause).unwrap()),
                    amount: 1 + dice.roll(20),
                    waits: (dice.roll(4) - 1).max(0),
                    lasts: Some(dice.roll(5)).filter(|lasts| *lasts > 0),
                },
                4..7 => Act::Spend(1 + dice.roll(15), app.app.ids.next()),
                7..9 => {
                    let shortfalls = [Shortfall::Leave, Shortfall::Forgive, Shortfall::Net];
                    let shortfall = shortfalls[usize::try_from(dice.roll(3)).unwrap()];
                    Act::TakeBack(dice.roll(15), u8::try_from(dice.roll(3)).unwrap(), shortfall)
                }
                _ => match redemptions.get(usize::try_from(dice.roll(9)).unwrap()) {
                    Some(redemption) => Act::PutBack(*redemption),
                    None => continue,
                },
            };
            let now = purse.moment().await;
            twin.settle(&app.app.ids, now.at);
            let depth = match act {
                Act::Earn { .. } => Depth::Head,
                _ => Depth::Lots,
            };
            let taken = match act {
                Act::PutBack(redemption) => taken_in_memory(&twin, redemption),
                _ => Vec::new(),
            };
            let expected = purse.act(&mut twin, now, &act, taken);
            let done = purse
                .change(depth, async |txn, account, moment| {
                    let taken = match act {
                        Act::PutBack(redemption) => {
                            purse.cancel(txn, redemption).await;
                            let gone = Return {
                                account: purse.key(),
                                redemption,
                                moment,
                                sensitive: false,
                            };
                            let mut taken = ledger::taken(&**txn, &[gone]).await.unwrap();
                            taken.remove(&redemption).unwrap_or_default()
                        }
                        _ => Vec::new(),
                    };
                    let done = purse.act(account, moment, &act, taken);
                    if let Act::Spend(amount, redemption) = act
                        && done
                    {
                        purse.redemption(txn, redemption, amount).await;
                    }
                    done
                })
                .await;
            assert_eq!(done, expected);
            match act {
                Act::Spend(_, redemption) if done => redemptions.push(redemption),
                Act::PutBack(redemption) => redemptions.retain(|other| *other != redemption),
                _ => {}
            }
            let balance = |account: &Account| (account.available(), account.pending(), account.debt());
            purse
                .change(Depth::Lots, async |_, account, _| {
                    assert_eq!(balance(account), balance(&twin));
                    assert_eq!(account.due_at(), twin.due_at());
                    assert_eq!(open_lots(account), open_lots(&twin));
                    assert!(!account.is_changed(), "what was written is settled");
                })
                .await;
            assert_eq!(purse.balance().await, (twin.available(), twin.pending()));
        }
        let entries = twin
            .written()
            .iter()
            .map(|entry| (entry.kind.as_str().to_owned(), entry.amount));
        assert_eq!(purse.entries().await, entries.collect::<Vec<_>>());
    }
    for kind in ["EARNED", "REDEEMED", "RETURNED", "EXPIRED", "CLAWED_BACK"] {
        let entries = format!("SELECT count(*) AS count FROM points_entry WHERE kind = '{kind}'");
        assert!(app.count(&entries).await > 5, "{kind}");
    }
}

async fn no_balance_is_below_zero(app: &TestApp) {
    let world = World::new(app).await;
    let purse = Purse::of(&world, "ada").await;
    purse.earn(5, 0, None).await;
    for column in ["available", "pending", "debt", "entries"] {
        let below = format!("UPDATE points_account SET {column} = -1");
        assert!(app.sql(&below).await.is_err(), "{column}");
    }
    assert_eq!(purse.balance().await, (5, 0));
}

async fn an_entry_is_never_changed(app: &TestApp) {
    let world = World::new(app).await;
    let purse = Purse::of(&world, "ada").await;
    purse.earn(5, 0, None).await;
    for change in [
        "UPDATE points_entry SET amount = 6",
        "UPDATE points_entry SET kind = 'ADJUSTED'",
        "UPDATE points_posting SET amount = 6",
    ] {
        assert!(app.sql(change).await.is_err(), "{change}");
    }
    assert_eq!(purse.entries().await, [("EARNED".to_owned(), 5)]);
}

async fn a_lot_never_has_more_left_than_it_was_made_of(app: &TestApp) {
    let world = World::new(app).await;
    let purse = Purse::of(&world, "ada").await;
    purse.earn(5, 0, None).await;
    for change in [
        "UPDATE points_lot SET remaining = 6",
        "UPDATE points_lot SET remaining = -1",
        "UPDATE points_lot SET amount = 4",
        "UPDATE points_lot SET expires_at = active_from",
    ] {
        assert!(app.sql(change).await.is_err(), "{change}");
    }
}

async fn debt_alone_is_written(app: &TestApp) {
    let world = World::new(app).await;
    let purse = Purse::of(&world, "ada").await;
    purse
        .change(Depth::Lots, async |_, account, moment| {
            let act = Act::TakeBack(7, 1, Shortfall::Net);
            purse.act(account, moment, &act, Vec::new());
        })
        .await;
    purse.earn(10, 0, None).await;
    assert_eq!(purse.balance().await, (3, 0));
}

async fn two_who_spend_at_once_spend_one_after_the_other(app: &TestApp) {
    let world = World::new(app).await;
    let purse = Purse::of(&world, "ada").await;
    purse.earn(10, 0, None).await;
    let spend = async || {
        purse
            .change(Depth::Lots, async |txn, account, moment| {
                let redemption = app.app.ids.next();
                let spent = purse.act(account, moment, &Act::Spend(4, redemption), Vec::new());
                if spent {
                    purse.redemption(txn, redemption, 4).await;
                }
                spent
            })
            .await
    };
    let spent = futures_util::future::join_all((0..5).map(|_| spend())).await;
    assert_eq!(spent.iter().filter(|spent| **spent).count(), 2);
    assert_eq!(purse.balance().await, (2, 0));
}
