//! Points and rewards by the built program: what its workers book by themselves, and several processes at one balance.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::database::Database;
use crate::support::graphql::Api;
use crate::support::plaudit::{Plaudit, run, token};
use crate::support::until::{SOON, eventually};

on_both!(what_time_alone_ends_is_booked_by_the_workers);

/// An employer with a clock of its own, its member ada, and a mug for ten points.
async fn shop(database: &Database, plaudit: &Plaudit) -> Api {
    let operator = token(database, &["--scope", "operator"]).await;
    let api = Api::new(plaudit.address(), &operator);
    let employer = json!({"key": "shop", "name": "Shop", "sandbox": true});
    api.mutate("createEmployer", "employer { key }", &employer).await;
    let scopes = "programs:read programs:write members:write members:read member:any points:read points:write redemptions:write";
    let shop = api.with(&token(database, &["--employer", "shop", "--scope", scopes]).await);
    let program = json!({"key": "loyalty", "name": "Loyalty"});
    shop.mutate("createProgram", "program { key }", &program).await;
    shop.mutate(
        "activateProgram",
        "program { state }",
        &json!({"program": "loyalty"}),
    )
    .await;
    let mug = json!({"program": "loyalty", "key": "mug", "name": "A mug", "price": 10, "stock": 100, "holdFor": "P1D"});
    shop.mutate("createReward", "reward { key }", &mug).await;
    let ada = json!({"members": [{"externalId": "ada"}]});
    shop.mutate("registerMembers", "results { status }", &ada).await;
    let given = json!({"member": "ada", "amount": 100, "reason": "a start", "idempotencyKey": "start"});
    shop.mutate("adjustPoints", "available", &given).await;
    shop
}

async fn redeem(api: &Api, key: &str) -> Value {
    let query = "mutation ($input: RedeemRewardInput!) {
        redeemReward(input: $input) { redemption { status } userErrors { code } }
    }";
    let input = json!({"input": {"member": "ada", "reward": "mug", "idempotencyKey": key}});
    api.data(query, &input).await["redeemReward"].clone()
}

async fn what_time_alone_ends_is_booked_by_the_workers(database: Database) {
    let plaudit = Plaudit::serve(&database, &[]).await;
    let shop = shop(&database, &plaudit).await;
    assert_eq!(redeem(&shop, "k1").await["redemption"]["status"], "HELD");
    let viewer = "{ employer { now } }";
    let now = shop.data(viewer, &Value::Null).await["employer"]["now"].clone();
    let now: chrono::DateTime<chrono::Utc> = serde_json::from_value(now).expect("an instant");
    let later = now
        .checked_add_signed(chrono::TimeDelta::days(2))
        .expect("a later instant");
    shop.mutate(
        "advanceClock",
        "employer { key }",
        &json!({"to": later.to_rfc3339()}),
    )
    .await;
    // Nobody asks about the redemption: the entry of the ledger is there once a worker has written it.
    eventually("points that come back", SOON, async || {
        (database.count("points_entry").await == 3).then_some(())
    })
    .await;
    let query = "{ member(externalId: \"ada\") { points { available } redemptions { nodes { status } } } }";
    let member = &shop.data(query, &Value::Null).await["member"];
    assert_eq!(
        member,
        &json!({"points": [{"available": 100}], "redemptions": {"nodes": [{"status": "EXPIRED"}]}})
    );
    let checked = run(&database, &["check"]).await;
    assert!(checked.status.success(), "{checked:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_balance_is_spent_once_though_two_processes_are_asked() {
    let database = Database::postgres().await;
    let first = Plaudit::serve(&database, &["--no-workers"]).await;
    let second = Plaudit::serve(&database, &["--no-workers"]).await;
    let shop = shop(&database, &first).await;
    let both = [shop.clone(), Api::new(second.address(), &shop.token)];
    // Each key at both of them: sixty wishes, and points for ten.
    let keys: Vec<String> = (0..60).map(|number| format!("k{number}")).collect();
    let asked = keys
        .iter()
        .flat_map(|key| both.each_ref().map(|api| redeem(api, key)));
    let mut had: BTreeMap<String, usize> = BTreeMap::new();
    for payload in join_all(asked).await {
        let code = payload["userErrors"][0]["code"].as_str().unwrap_or("OK");
        *had.entry(code.to_owned()).or_default() += 1;
    }
    let refused = had.get("INSUFFICIENT_POINTS").copied().unwrap_or(0);
    let answered = had.get("OK").copied().unwrap_or(0);
    assert_eq!(answered + refused, 120, "{had:?}");
    assert!((10..=20).contains(&answered), "{had:?}");
    assert_eq!(database.count("redemption").await, 10);
    let points = "{ member(externalId: \"ada\") { points { available } } }";
    let left = shop.data(points, &Value::Null).await;
    assert_eq!(left["member"]["points"], json!([{"available": 0}]));
    let checked = run(&database, &["check"]).await;
    assert!(checked.status.success(), "{checked:?}");
}
