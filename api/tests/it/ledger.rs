//! The ledger in the database: what is written and read again is what the rules in memory say, whoever comes in between.

mod adjusting;
mod checking;
mod sweep;

use std::collections::BTreeMap;

use entity::clock::Timestamp;
use entity::db::WriteTxn;
use entity::db::sql::Sql;
use entity::id::{IncentiveId, LotId, MemberId, ProgramId, RedemptionId, RewardId};
use entity::ledger::{
    self, About, Account, AccountKey, Cause, Depth, Earned, EntryKind, Ledger, Lot, Moment, NEVER, Shortfall,
    Want,
};
use sea_orm::FromQueryResult;
use serde_json::json;

use crate::harness::{TestApp, World, incentive_input};

on_both!(
    any_plan_written_step_by_step_is_as_one_that_was_never_written,
    no_balance_is_below_zero,
    an_entry_is_never_changed,
    a_lot_never_has_more_left_than_it_was_made_of,
    debt_alone_is_written,
    two_who_spend_at_once_spend_one_after_the_other,
);

const DAY: i64 = 86_400_000_000;

/// A member's points, and the incentive that they are earned for.
pub struct Purse<'a> {
    world: &'a World<'a>,
    member: MemberId,
    category: String,
    incentive: IncentiveId,
    program: ProgramId,
}

impl<'a> Purse<'a> {
    /// The points of a member who is registered for it.
    pub async fn of(world: &'a World<'a>, member: &str) -> Self {
        world.members(&[member]).await;
        let key = format!("for-{member}");
        let immediate = json!({"immediate": true});
        let input = incentive_input(&key, "registration.completed", immediate, json!({"once": true}));
        world.incentive(input).await;
        let db = world.app.app.db.read();
        let incentives = entity::incentive::list(db, world.employer).await.unwrap();
        let incentive = incentives.into_iter().find(|row| row.key == key).unwrap();
        Self {
            world,
            member: world.member_id(member).await,
            category: "points".to_owned(),
            incentive: incentive.id,
            program: incentive.program_id,
        }
    }

    /// Other points of the same member.
    pub fn other(&self, category: &str) -> Purse<'a> {
        Purse {
            category: category.to_owned(),
            ..*self
        }
    }

    fn key(&self) -> AccountKey {
        AccountKey {
            employer_id: self.world.employer,
            member_id: self.member,
            category: self.category.clone(),
        }
    }

    async fn moment(&self) -> Moment {
        let db = self.world.app.app.db.read();
        let employer = entity::employer::find(db, self.world.employer)
            .await
            .unwrap()
            .unwrap();
        jobs::moment::moment(&employer, self.world.app.now())
    }

    fn cause(&self, number: u8) -> Cause {
        Cause {
            incentive: self.incentive,
            key: vec![number],
        }
    }

    /// Opens the account under the member's lock, does something to it, and writes it.
    pub async fn change<T>(
        &self,
        depth: Depth,
        act: impl AsyncFnOnce(&WriteTxn, &mut Account, Moment) -> T,
    ) -> T {
        let app = self.world.app;
        let moment = self.moment().await;
        let txn = app.app.db.write_txn().await.unwrap();
        let member = [(self.world.employer, self.member)];
        entity::member::lock(&*txn, &member).await.unwrap();
        let wanted = BTreeMap::from([(self.key(), Want { moment, depth })]);
        let mut ledger = Ledger::open(&*txn, &app.app.ids, wanted).await.unwrap();
        let done = act(&txn, ledger.account(&self.key()).unwrap(), moment).await;
        ledger.write(&*txn).await.unwrap();
        txn.commit().await.unwrap();
        done
    }

    /// Earns points that wait for so many days and then last for so many.
    pub async fn earn(&self, amount: i64, waits: i64, lasts: Option<i64>) {
        self.change(Depth::Head, async |_, account, moment| {
            let act = Act::Earn {
                cause: None,
                amount,
                waits,
                lasts,
            };
            self.act(account, moment, &act, Vec::new());
        })
        .await;
    }

    /// What can be spent and what cannot yet, as it stands in the database.
    pub async fn balance(&self) -> (i64, i64) {
        #[derive(FromQueryResult)]
        struct Balance {
            available: i64,
            pending: i64,
        }
        let db = self.world.app.app.db.read();
        let row: Option<Balance> = Sql::on(
            db,
            "SELECT available, pending FROM points_account WHERE member_id = ",
        )
        .bind(self.member)
        .push(" AND category = ")
        .bind(self.category.as_str())
        .one(db)
        .await
        .unwrap();
        row.map_or((0, 0), |row| (row.available, row.pending))
    }

    /// Kinds and amounts of the entries, in order.
    pub async fn entries(&self) -> Vec<(String, i64)> {
        #[derive(FromQueryResult)]
        struct Entry {
            kind: String,
            amount: i64,
        }
        let db = self.world.app.app.db.read();
        let rows: Vec<Entry> = Sql::on(db, "SELECT kind, amount FROM points_entry WHERE member_id = ")
            .bind(self.member)
            .push(" AND category = ")
            .bind(self.category.as_str())
            .push(" ORDER BY number")
            .all(db)
            .await
            .unwrap();
        rows.into_iter().map(|row| (row.kind, row.amount)).collect()
    }

    /// A redemption that has spent so much.
    pub async fn redemption(&self, txn: &WriteTxn, id: RedemptionId, spent: i64) {
        let reward: RewardId = self.world.app.app.ids.next();
        let employer = self.world.employer;
        Sql::on(&**txn, "INSERT INTO reward (employer_id, id, program_id, key, name, price, category, created_at) VALUES (")
            .bind(employer)
            .push(", ")
            .bind(reward)
            .push(", ")
            .bind(self.program)
            .push(", ")
            .bind(reward.to_string())
            .push(", 'A reward', 1, ")
            .bind(self.category.as_str())
            .push(", 0)")
            .execute(&**txn)
            .await
            .unwrap();
        Sql::on(
            &**txn,
            "INSERT INTO redemption (employer_id, id, member_id, reward_id, quantity, points_spent, stock_taken, category, status,
             requested_at, requested_on, sensitive) VALUES (",
        )
        .bind(employer)
        .push(", ")
        .bind(id)
        .push(", ")
        .bind(self.member)
        .push(", ")
        .bind(reward)
        .push(", 1, ")
        .bind(spent)
        .push(", 0, ")
        .bind(self.category.as_str())
        .push(", 'HELD', 0, '2026-11-21', false)")
        .execute(&**txn)
        .await
        .unwrap();
    }

    /// Cancels a redemption.
    async fn cancel(&self, txn: &WriteTxn, id: RedemptionId) {
        Sql::on(
            &**txn,
            "UPDATE redemption SET status = 'CANCELLED', settled_at = 1 WHERE id = ",
        )
        .bind(id)
        .execute(&**txn)
        .await
        .unwrap();
    }

    /// Does one thing to an account, in memory.
    fn act(&self, account: &mut Account, moment: Moment, act: &Act, taken: Vec<(Lot, i64)>) -> bool {
        let ids = &self.world.app.app.ids;
        let about = |redemption: Option<RedemptionId>| About {
            redemption,
            ..About::default()
        };
        match *act {
            Act::Earn {
                cause,
                amount,
                waits,
                lasts,
            } => {
                let active_from = moment.at.0 + waits * DAY;
                let earned = Earned {
                    amount,
                    active_from: Timestamp(active_from),
                    expires_at: lasts.map_or(NEVER, |lasts| Timestamp(active_from + lasts * DAY)),
                    cause: cause.map(|number| self.cause(number)),
                };
                account
                    .earn(ids, moment.at, EntryKind::Earned, earned, about(None))
                    .is_ok()
            }
            Act::Spend(amount, redemption) => {
                let about = about(Some(redemption));
                account.spend(ids, amount, EntryKind::Redeemed, about).is_ok()
            }
            Act::TakeBack(amount, number, shortfall) => {
                let cause = self.cause(number);
                account.take_back(ids, amount, &cause, shortfall, about(None)) > 0
            }
            Act::PutBack(redemption) => {
                account.put_back(ids, taken, about(Some(redemption)));
                true
            }
        }
    }
}

/// What can be done to an account.
enum Act {
    Earn {
        cause: Option<u8>,
        amount: i64,
        waits: i64,
        lasts: Option<i64>,
    },
    Spend(i64, RedemptionId),
    TakeBack(i64, u8, Shortfall),
    PutBack(RedemptionId),
}

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
                            let member = purse.member;
                            ledger::taken_for(&**txn, world.employer, redemption, member)
                                .await
                                .unwrap()
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
