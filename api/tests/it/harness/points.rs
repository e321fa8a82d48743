//! Points without incentives: members who have some, and what they ask for.

use std::collections::BTreeMap;

use entity::clock::Timestamp;
use entity::id::RedemptionId;
use entity::ledger::{About, AccountKey, Depth, Earned, EntryKind, Ledger, NEVER, Want};
use entity::{employer, member, partner};
use sea_orm::ConnectionTrait;
use serde_json::{Value, json};

use super::{Caller, World, lasting};

impl<'a> World<'a> {
    /// The employer's shop, which redeems and reads points.
    pub fn shop(&self) -> Caller<'a> {
        self.by("redemptions:write points:read members:read")
    }

    /// Gives a member points that never end.
    pub async fn give_points(&self, member: &str, category: &str, amount: i64) {
        self.give_points_until(member, category, amount, NEVER).await;
    }

    /// Gives a member points that end then.
    pub async fn give_points_until(&self, member: &str, category: &str, amount: i64, end: Timestamp) {
        self.book(member, category, |ids, now, account| {
            let earned = Earned {
                expires_at: end,
                ..lasting(amount, now)
            };
            let about = About::default();
            account
                .earn(ids, now, EntryKind::Adjusted, earned, about)
                .unwrap();
        })
        .await;
    }

    /// How many points of a category a member can spend.
    pub async fn points(&self, member: &str, category: &str) -> i64 {
        let db = self.app.app.db.read();
        let (key, mut ledger, _) = self.account(db, member, category).await;
        ledger.account(&key).unwrap().available()
    }

    /// The lots of a member that have any left: until when, and how many.
    pub async fn lots(&self, member: &str, category: &str) -> Vec<(Timestamp, i64)> {
        let db = self.app.app.db.read();
        let (key, mut ledger, _) = self.account(db, member, category).await;
        let account = ledger.account(&key).unwrap();
        account
            .lots()
            .filter(|lot| lot.remaining > 0)
            .map(|lot| (lot.expires_at, lot.remaining))
            .collect()
    }

    async fn account(
        &self,
        connection: &impl ConnectionTrait,
        external_id: &str,
        category: &str,
    ) -> (AccountKey, Ledger, Timestamp) {
        let found = member::find_by_external_id(connection, self.employer, external_id).await;
        let member_id = found.unwrap().unwrap().id;
        let owner = employer::find(connection, self.employer).await.unwrap().unwrap();
        let moment = jobs::moment::moment(&owner, self.app.now());
        let key = AccountKey {
            employer_id: self.employer,
            member_id,
            category: category.to_owned(),
        };
        let want = Want {
            moment,
            depth: Depth::Lots,
        };
        let wanted = BTreeMap::from([(key.clone(), want)]);
        let ledger = Ledger::open(connection, &self.app.app.ids, wanted).await.unwrap();
        (key, ledger, moment.at)
    }

    /// Puts a reward up.
    pub async fn reward(&self, mut input: Value) {
        input["name"] = input["key"].clone();
        self.admin().change("createReward", input, "reward { id }").await;
    }

    /// How many of a reward are left.
    pub async fn stock(&self, reward: &str) -> Value {
        let query = "query($key: String!) { reward(key: $key) { stock } }";
        self.admin().data(query, json!({"key": reward})).await["reward"]["stock"].clone()
    }

    /// The payload of one reward for a member, under this key.
    pub async fn redeem(&self, member: &str, reward: &str, key: &str) -> Value {
        let input = json!({"member": member, "reward": reward, "idempotencyKey": key});
        let selection = "redemption { id status quantity pointsSpent }";
        self.shop().mutate("redeemReward", input, selection).await
    }

    /// The id of a redemption of one reward for a member, which must succeed.
    pub async fn redeemed(&self, member: &str, reward: &str, key: &str) -> String {
        let payload = self.redeem(member, reward, key).await;
        assert_eq!(payload["userErrors"], json!([]), "{payload}");
        payload["redemption"]["id"].as_str().unwrap().to_owned()
    }

    /// The id by which the partner knows a redemption.
    pub async fn to_the_partner(&self, redemption: &str) -> String {
        let ids = partner::pairwise_ids(self.app.app.db.read(), self.partner).await;
        let id: RedemptionId = redemption.parse().unwrap();
        ids.unwrap().shown(id).unwrap().to_string()
    }

    /// Where a member's redemptions stand, in the order in which they were made.
    pub async fn redemptions(&self, member: &str) -> Vec<String> {
        let query = "query($id: String!) { member(externalId: $id) { redemptions(first: 100) { nodes { status } } } }";
        let data = self.backend().data(query, json!({"id": member})).await;
        let nodes = data["member"]["redemptions"]["nodes"].as_array().unwrap();
        let status = |node: &Value| node["status"].as_str().unwrap().to_owned();
        nodes.iter().map(status).collect()
    }

    /// What the partner was told of redemptions: kind and status, in order.
    pub async fn told(&self) -> Vec<(String, String)> {
        let query = "{ feed { entries { kind redemption { status } } } }";
        let data = self.partner().data(query, json!({})).await;
        let entries = data["feed"]["entries"].as_array().unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        entries
            .iter()
            .filter(|entry| !entry["redemption"].is_null())
            .map(|entry| (text(&entry["kind"]), text(&entry["redemption"]["status"])))
            .collect()
    }
}
