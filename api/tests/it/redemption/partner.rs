//! The partner that fulfils a reward: what it learns, and what it may do.

use std::sync::Arc;

use api::auth::viewer::Party;
use async_graphql::Request;
use futures_util::StreamExt;
use serde_json::{Value, json};

use crate::harness::{Caller, DEADLINE, TestApp, World};

on_both!(
    the_partner_that_fulfils_a_reward_learns_of_each_redemption_and_of_nothing_that_identifies,
    the_partner_is_told_at_once_by_subscription,
    the_partner_fulfils_or_calls_off_what_it_was_told_of,
    what_a_partner_fulfils_the_employer_can_call_off_but_not_fulfil,
    a_hold_that_ends_is_told,
    nobody_elses_token_gets_at_a_redemption,
);

async fn world(app: &TestApp) -> World<'_> {
    let world = World::new(app).await;
    world
        .reward(json!({"key": "mug", "price": 100, "stock": 5, "fulfilledBy": "spa", "holdFor": "P7D"}))
        .await;
    world.reward(json!({"key": "leave", "price": 0})).await;
    // Asking is the consent to being fulfilled, whatever was said before.
    let ada = json!({"externalId": "ada", "email": "ada@example.com", "consents": [{"purpose": "PARTNER_SHARING", "given": false}]});
    world.register(vec![ada]).await;
    world.give_points("ada", "points", 1_000).await;
    world
}

fn spa<'a>(world: &World<'a>) -> Caller<'a> {
    world
        .app
        .by(Party::Partner(world.partner), "feed:read fulfilment:write")
}

/// A further partner with every scope.
async fn gym(app: &TestApp) -> Caller<'_> {
    let made = app
        .operator()
        .change(
            "createPartner",
            json!({"key": "gym", "name": "Gym"}),
            "partner { id }",
        )
        .await;
    let id = made["partner"]["id"].as_str().unwrap().parse().unwrap();
    app.by(Party::Partner(id), "feed:read fulfilment:write")
}

const NODE: &str = "query($id: ID!) { node(id: $id) { ... on Redemption { status reference settledAt } } }";

async fn the_partner_that_fulfils_a_reward_learns_of_each_redemption_and_of_nothing_that_identifies(
    app: &TestApp,
) {
    let world = world(app).await;
    let id = world.redeemed("ada", "mug", "k1").await;
    let own = world.to_the_partner(&id).await;
    // What the employer fulfils itself is its own business.
    world.redeemed("ada", "leave", "k2").await;
    let query = "{ feed { entries { position kind achievement { id } redemption {
        id quantity pointsSpent status requestedAt expiresAt settledAt reference reason memberRef member { id } achievement { id }
        reward { key name price fulfilledBy } } } } }";
    let data = spa(&world).data(query, json!({})).await;
    let entries = data["feed"]["entries"].as_array().unwrap();
    assert_eq!(entries.len(), 1, "{data}");
    let told = &entries[0]["redemption"];
    let name = told["memberRef"].as_str().unwrap();
    assert!(name.starts_with("ref_"), "{name}");
    assert_eq!(
        entries[0],
        json!({"position": 1, "kind": "REDEMPTION_REQUESTED", "achievement": null, "redemption": {
            "id": own, "quantity": 1, "pointsSpent": 100, "status": "HELD", "requestedAt": "2026-11-21T12:00:00Z",
            "expiresAt": "2026-11-28T12:00:00Z", "settledAt": null, "reference": null, "reason": null, "memberRef": name,
            "member": null, "achievement": null,
            "reward": {"key": "mug", "name": "mug", "price": 100, "fulfilledBy": "spa"}}})
    );
    let member = world.member_id("ada").await.to_string();
    for hidden in ["ada", member.as_str(), id.as_str()] {
        assert!(!data.to_string().contains(hidden), "{hidden}");
    }
    // The same by its own id, and the reward by its.
    let node = "query($id: ID!) { node(id: $id) { __typename ... on Redemption { status memberRef member { id } reward { id } } } }";
    let found = spa(&world).data(node, json!({"id": own})).await;
    let reward = found["node"]["reward"]["id"].clone();
    assert_eq!(
        found["node"],
        json!({"__typename": "Redemption", "status": "HELD", "memberRef": name, "member": null, "reward": {"id": reward}})
    );
    let found = spa(&world).data(node, json!({"id": reward})).await;
    assert_eq!(found["node"]["__typename"], "Reward");
    let count = "query($id: ID!) { node(id: $id) { ... on Reward { redeemed } } }";
    assert_eq!(spa(&world).error(count, json!({"id": reward})).await, "FORBIDDEN");
}

async fn the_partner_is_told_at_once_by_subscription(app: &TestApp) {
    let world = world(app).await;
    let token = app.token(Party::Partner(world.partner), "feed:read");
    let viewer = app.app.verifier.authenticate(&token, app.now()).unwrap();
    let query =
        "subscription { feed { __typename ... on FeedEntry { position kind redemption { id status } } } }";
    let schema = app.app.schema();
    let mut messages = Box::pin(schema.execute_stream(Request::new(query).data(Arc::clone(&viewer))));
    let mut next = async || {
        let message = tokio::time::timeout(DEADLINE, messages.next())
            .await
            .expect("the partner is told")
            .unwrap();
        serde_json::to_value(&message).unwrap()["data"]["feed"].clone()
    };
    assert_eq!(next().await["__typename"], "FeedCaughtUp");
    let id = world.redeemed("ada", "mug", "k1").await;
    let own = world.to_the_partner(&id).await;
    assert_eq!(
        next().await,
        json!({"__typename": "FeedEntry", "position": 1, "kind": "REDEMPTION_REQUESTED",
            "redemption": {"id": own, "status": "HELD"}})
    );
    let cancel = json!({"redemption": id, "reason": "mistake"});
    world
        .shop()
        .change("cancelRedemption", cancel, "redemption { id }")
        .await;
    assert_eq!(
        next().await,
        json!({"__typename": "FeedEntry", "position": 2, "kind": "REDEMPTION_CANCELLED",
            "redemption": {"id": own, "status": "CANCELLED"}})
    );
}

async fn the_partner_fulfils_or_calls_off_what_it_was_told_of(app: &TestApp) {
    let world = world(app).await;
    let spa = spa(&world);
    let first = world.redeemed("ada", "mug", "k1").await;
    let second = world.redeemed("ada", "mug", "k2").await;
    let [first, second] = [
        world.to_the_partner(&first).await,
        world.to_the_partner(&second).await,
    ];
    let fulfil = json!({"redemption": first, "reference": "voucher 7"});
    let select = "redemption { id status reference reason memberRef member { id } }";
    let done = spa.change("fulfilRedemption", fulfil.clone(), select).await;
    assert_eq!(done["redemption"]["id"], json!(first));
    assert_eq!(done["redemption"]["status"], "FULFILLED");
    assert_eq!(done["redemption"]["reference"], "voucher 7");
    assert_eq!(done["redemption"]["member"], Value::Null);
    assert_eq!(spa.change("fulfilRedemption", fulfil, select).await, done);
    let cancel = json!({"redemption": second, "reason": "sold out"});
    let done = spa.change("cancelRedemption", cancel, select).await;
    assert_eq!(done["redemption"]["status"], "CANCELLED");
    assert_eq!(done["redemption"]["reason"], Value::Null);
    assert_eq!(world.points("ada", "points").await, 900);
    assert_eq!(world.stock("mug").await, 4);
    assert_eq!(world.redemptions("ada").await, ["FULFILLED", "CANCELLED"]);
    // An entry goes on telling what it told; the id tells how it is.
    let told = world.told().await;
    let told: Vec<_> = told
        .iter()
        .map(|(kind, status)| (kind.as_str(), status.as_str()))
        .collect();
    assert_eq!(
        told,
        [
            ("REDEMPTION_REQUESTED", "HELD"),
            ("REDEMPTION_REQUESTED", "HELD"),
            ("REDEMPTION_CANCELLED", "CANCELLED"),
        ]
    );
    let now = spa.data(NODE, json!({"id": first})).await;
    assert_eq!(
        now["node"],
        json!({"status": "FULFILLED", "reference": "voucher 7", "settledAt": "2026-11-21T12:00:00Z"})
    );
}

async fn what_a_partner_fulfils_the_employer_can_call_off_but_not_fulfil(app: &TestApp) {
    let world = world(app).await;
    let id = world.redeemed("ada", "mug", "k1").await;
    let fulfil = json!({"redemption": id, "reference": "x"});
    let fault = world
        .shop()
        .fault("fulfilRedemption", fulfil, "redemption { id }")
        .await;
    assert_eq!(fault, ("INVALID_STATE".to_owned(), "redemption".to_owned()));
    let cancel = json!({"redemption": id, "reason": "mistake"});
    world
        .shop()
        .change("cancelRedemption", cancel, "redemption { id }")
        .await;
    let own = world.to_the_partner(&id).await;
    let fulfil = json!({"redemption": own, "reference": "x"});
    let fault = spa(&world)
        .fault("fulfilRedemption", fulfil, "redemption { id }")
        .await;
    assert_eq!(fault, ("INVALID_STATE".to_owned(), "redemption".to_owned()));
    assert_eq!(world.told().await.len(), 2);
}

async fn a_hold_that_ends_is_told(app: &TestApp) {
    let world = world(app).await;
    world.redeemed("ada", "mug", "k1").await;
    app.set_clock("2026-11-28T12:00:00Z");
    jobs::expire::holds::run(&app.app.jobs).await.unwrap();
    let told = world.told().await;
    assert_eq!(told[1], ("REDEMPTION_CANCELLED".to_owned(), "EXPIRED".to_owned()));
    assert_eq!(told.len(), 2);
}

async fn nobody_elses_token_gets_at_a_redemption(app: &TestApp) {
    let world = world(app).await;
    let id = world.redeemed("ada", "mug", "k1").await;
    // What the employer fulfils itself was told to nobody.
    let own = world.redeemed("ada", "leave", "k2").await;
    let globex = World::named(app, "globex", "tent").await;
    // The ids by which the partner knows the one, and would know the other.
    let [told, untold] = [world.to_the_partner(&id).await, world.to_the_partner(&own).await];
    let gym = gym(app).await;
    let strangers = [
        (&gym, &id),
        (&gym, &told),
        (&spa(&world), &own),
        (&spa(&world), &untold),
        (&spa(&world), &id),
        (&globex.shop(), &id),
        (&world.shop(), &told),
        (&spa(&globex), &told),
    ];
    for (stranger, id) in strangers {
        let fulfil = json!({"redemption": id, "reference": "x"});
        let cancel = json!({"redemption": id, "reason": "x"});
        for (field, input) in [("fulfilRedemption", fulfil), ("cancelRedemption", cancel)] {
            let fault = stranger.fault(field, input, "redemption { id }").await;
            assert_eq!(fault, ("NOT_FOUND".to_owned(), "redemption".to_owned()));
        }
        assert_eq!(stranger.data(NODE, json!({"id": id})).await["node"], Value::Null);
    }
    assert_eq!(world.redemptions("ada").await, ["HELD", "HELD"]);
    // Another employer's reward of the same key is another one.
    globex.members(&["ada"]).await;
    let payload = globex.redeem("ada", "mug", "k1").await;
    assert_eq!(payload["userErrors"][0]["code"], "NOT_FOUND");
}
