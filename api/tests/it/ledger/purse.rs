//! A member's points in the database, and what can be done to them without any door.

use std::collections::BTreeMap;

use entity::clock::Timestamp;
use entity::db::WriteTxn;
use entity::db::sql::Sql;
use entity::id::{IncentiveId, MemberId, ProgramId, RedemptionId, RewardId};
use entity::ledger::{
    About, Account, AccountKey, Cause, Depth, Earned, EntryKind, Ledger, Lot, Moment, NEVER, Shortfall, Want,
};
use sea_orm::FromQueryResult;
use serde_json::json;

use crate::harness::{World, incentive_input};

const DAY: i64 = 86_400_000_000;

/// A member's points, and the incentive that they are earned for.
pub struct Purse<'a> {
    /// Where it is.
    pub world: &'a World<'a>,
    /// Whose points.
    pub member: MemberId,
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

    /// Which account it is.
    pub fn key(&self) -> AccountKey {
        AccountKey {
            employer_id: self.world.employer,
            member_id: self.member,
            category: self.category.clone(),
        }
    }

    /// The present, as the employer sees it.
    pub async fn moment(&self) -> Moment {
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
    pub async fn cancel(&self, txn: &WriteTxn, id: RedemptionId) {
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
    pub fn act(&self, account: &mut Account, moment: Moment, act: &Act, taken: Vec<(Lot, i64)>) -> bool {
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
pub enum Act {
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
