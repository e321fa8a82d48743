//! Points and redemptions, given by the ledger itself: how incentives give them and members spend them is tested elsewhere.

use std::collections::BTreeMap;

use entity::clock::Timestamp;
use entity::db::sql::Sql;
use entity::id::{Ids, IncentiveId, RedemptionId, RewardId};
use entity::ledger::{About, Account, AccountKey, Depth, Earned, EntryKind, Ledger, Moment, NEVER, Want};
use entity::{incentive, member, program};

use super::World;

/// Points that are active at once and never end.
pub fn lasting(amount: i64, now: Timestamp) -> Earned {
    Earned {
        amount,
        active_from: now,
        expires_at: NEVER,
        cause: None,
    }
}

impl World<'_> {
    /// Changes a member's account.
    pub async fn book(
        &self,
        member: &str,
        category: &str,
        change: impl FnOnce(&Ids, Timestamp, &mut Account),
    ) {
        let key = AccountKey {
            employer_id: self.employer,
            member_id: self.member_id(member).await,
            category: category.to_owned(),
        };
        let now = self.app.now();
        let moment = Moment {
            at: now.into(),
            on: now.date_naive(),
        };
        let want = Want {
            moment,
            depth: Depth::Lots,
        };
        let txn = self.app.app.db.write_txn().await.unwrap();
        member::lock(&*txn, &[(self.employer, key.member_id)])
            .await
            .unwrap();
        let mut ledger = Ledger::open(&*txn, &self.app.app.ids, BTreeMap::from([(key.clone(), want)]))
            .await
            .unwrap();
        let ids = ledger.ids().clone();
        change(&ids, moment.at, ledger.account(&key).unwrap());
        ledger.write(&*txn).await.unwrap();
        txn.commit().await.unwrap();
    }

    /// Lets a member earn lasting points by an incentive.
    pub async fn earn(&self, member: &str, category: &str, amount: i64, incentive: &str) {
        let about = self.about(incentive).await;
        self.book(member, category, |ids, now, account| {
            let earned = lasting(amount, now);
            account.earn(ids, now, EntryKind::Earned, earned, about).unwrap();
        })
        .await;
    }

    /// What an entry says of this incentive.
    pub async fn about(&self, incentive: &str) -> About {
        let found = incentive::find_by_key(self.app.app.db.read(), self.employer, incentive)
            .await
            .unwrap()
            .unwrap();
        About {
            incentive: Some(found.id),
            redemption: None,
            sensitive: found.sensitive,
        }
    }

    /// The id of an incentive.
    pub async fn incentive_id(&self, key: &str) -> IncentiveId {
        self.about(key).await.incentive.unwrap()
    }

    /// A reward of the program "wellbeing" for 100 points.
    pub async fn reward_row(&self, key: &str, name: &str) -> RewardId {
        let txn = self.app.app.db.write_txn().await.unwrap();
        let program = program::find_by_key(&*txn, self.employer, "wellbeing")
            .await
            .unwrap();
        let id: RewardId = self.app.app.ids.next();
        Sql::on(
            &*txn,
            "INSERT INTO reward (employer_id, id, program_id, key, name, price, category, created_at) VALUES (",
        )
        .bind(self.employer)
        .push(", ")
        .bind(id)
        .push(", ")
        .bind(program.unwrap().id)
        .push(", ")
        .bind(key)
        .push(", ")
        .bind(name)
        .push(", 100, 'points', 0)")
        .execute(&*txn)
        .await
        .unwrap();
        txn.commit().await.unwrap();
        id
    }

    /// A redemption of so many of a reward, for 100 points each.
    pub async fn redemption_row(
        &self,
        member: &str,
        reward: RewardId,
        (quantity, status, sensitive): (i64, &str, bool),
    ) -> RedemptionId {
        let member = self.member_id(member).await;
        let txn = self.app.app.db.write_txn().await.unwrap();
        let id: RedemptionId = self.app.app.ids.next();
        Sql::on(
            &*txn,
            "INSERT INTO redemption (employer_id, id, member_id, reward_id, quantity, points_spent, stock_taken, category, status,
             requested_at, requested_on, settled_at, sensitive) VALUES (",
        )
        .bind(self.employer)
        .push(", ")
        .bind(id)
        .push(", ")
        .bind(member)
        .push(", ")
        .bind(reward)
        .push(", ")
        .bind(quantity)
        .push(", ")
        .bind(quantity * 100)
        .push(", 0, 'points', ")
        .bind(status)
        .push(", 0, ")
        .bind(self.app.now().date_naive())
        .push(", ")
        .bind((status != "HELD").then_some(0_i64))
        .push(", ")
        .bind(sensitive)
        .push(")")
        .execute(&*txn)
        .await
        .unwrap();
        txn.commit().await.unwrap();
        id
    }
}
