//! Rewards that awards give.

use std::collections::BTreeSet;

use entity::achievement::{self, Filter};
use entity::feed;
use entity::page::Page;
use jobs::record::gifts::{self, Gift};
use serde_json::{Value, json};

use crate::harness::{TestApp, World, event, streak_input};

on_both!(
    a_gift_is_held_costs_nothing_and_is_told,
    a_gift_is_given_whatever_is_left_of_the_stock,
    a_gift_is_given_of_a_retired_reward_and_of_none_that_never_was,
    a_gift_waits_untold_until_the_member_shares,
    a_revoked_award_takes_back_what_is_held_and_leaves_what_was_had,
    what_a_sensitive_incentive_gave_an_administrator_does_not_see,
);

/// Members with an award each.
async fn awarded<'a>(
    app: &'a TestApp,
    members: &[&str],
    shares: bool,
) -> (World<'a>, Vec<achievement::Model>) {
    let world = World::new(app).await;
    world
        .incentive(streak_input("first", 1, json!({"once": true})))
        .await;
    for member in members {
        let consents = json!([{"purpose": "PARTNER_SHARING", "given": shares}]);
        world
            .register(vec![json!({"externalId": member, "consents": consents})])
            .await;
        world.did([event(member, member, "2026-11-20T10:00:00Z")]).await;
    }
    let db = app.app.db.read();
    let awards = achievement::list(db, world.employer, &Filter::default(), Page::first(100)).await;
    (world, awards.unwrap().rows)
}

/// Lets awards give so many of a reward, and others take back what they gave.
async fn follow(
    world: &World<'_>,
    fresh: &[(&achievement::Model, &str, u32)],
    revoked: &[&achievement::Model],
) {
    let context = &world.app.app.jobs;
    let txn = context.db.write_txn().await.unwrap();
    let employers = context
        .catalogues
        .load(&*txn, vec![world.employer])
        .await
        .unwrap();
    let gift = |reward: &str, quantity| {
        vec![Gift {
            reward: reward.to_owned(),
            quantity,
        }]
    };
    let fresh: Vec<_> = fresh
        .iter()
        .map(|(award, reward, quantity)| (*award, gift(reward, *quantity)))
        .collect();
    let now = world.app.now();
    let entries = gifts::follow(&*txn, &context.ids, &employers, &fresh, revoked, now)
        .await
        .unwrap();
    if !entries.is_empty() {
        feed::append(&*txn, entries).await.unwrap();
    }
    txn.commit().await.unwrap();
}

/// What a caller sees of a member's redemptions.
async fn seen(world: &World<'_>, scopes: &str, member: &str) -> Value {
    let query = "query($id: String!) { member(externalId: $id) { redemptions { nodes {
        quantity pointsSpent status expiresAt reason reward { key } achievement { title } } } } }";
    let data = world.by(scopes).data(query, json!({"id": member})).await;
    data["member"]["redemptions"]["nodes"].clone()
}

async fn a_gift_is_held_costs_nothing_and_is_told(app: &TestApp) {
    let (world, awards) = awarded(app, &["ada"], true).await;
    world
        .reward(json!({"key": "mug", "price": 100, "stock": 5, "fulfilledBy": "spa", "holdFor": "P1D", "perMember": 1}))
        .await;
    follow(&world, &[(&awards[0], "mug", 2)], &[]).await;
    assert_eq!(
        seen(&world, "member:any", "ada").await,
        json!([{"quantity": 2, "pointsSpent": 0, "status": "HELD", "expiresAt": "2026-11-22T12:00:00Z", "reason": null,
            "reward": {"key": "mug"}, "achievement": {"title": "Title of first"}}])
    );
    assert_eq!(world.stock("mug").await, 3);
    let told = ("REDEMPTION_REQUESTED".to_owned(), "HELD".to_owned());
    assert_eq!(world.told().await, [told]);
    // What was given counts for the limit of what can be asked for.
    let payload = world.redeem("ada", "mug", "k1").await;
    assert_eq!(payload["userErrors"][0]["code"], "LIMIT_REACHED");
}

async fn a_gift_is_given_whatever_is_left_of_the_stock(app: &TestApp) {
    let (world, awards) = awarded(app, &["ada", "bob"], true).await;
    world
        .reward(json!({"key": "mug", "price": 100, "stock": 3}))
        .await;
    let gifts: Vec<_> = awards.iter().map(|award| (award, "mug", 2)).collect();
    follow(&world, &gifts, &[]).await;
    assert_eq!(world.stock("mug").await, 0);
    for member in ["ada", "bob"] {
        assert_eq!(world.redemptions(member).await, ["HELD"]);
    }
    // Only what was taken comes back.
    let all: Vec<_> = awards.iter().collect();
    follow(&world, &[], &all).await;
    assert_eq!(world.stock("mug").await, 3);
}

async fn a_gift_is_given_of_a_retired_reward_and_of_none_that_never_was(app: &TestApp) {
    let (world, awards) = awarded(app, &["ada", "bob"], true).await;
    world.reward(json!({"key": "mug", "price": 100})).await;
    world
        .admin()
        .change("retireReward", json!({"reward": "mug"}), "reward { id }")
        .await;
    let of = |member: usize, reward| (&awards[member], reward, 1);
    follow(&world, &[of(0, "mug"), of(1, "none")], &[]).await;
    let db = app.app.db.read();
    let wanted: BTreeSet<_> = awards
        .iter()
        .map(|award| (award.employer_id, award.member_id))
        .collect();
    let held = entity::redemption::list_held(db, &wanted).await.unwrap();
    assert_eq!(held.len(), 1);
    assert_eq!(held[0].achievement_id, Some(awards[0].id));
}

async fn a_gift_waits_untold_until_the_member_shares(app: &TestApp) {
    let (world, awards) = awarded(app, &["ada"], false).await;
    world
        .reward(json!({"key": "mug", "price": 100, "fulfilledBy": "spa"}))
        .await;
    follow(&world, &[(&awards[0], "mug", 1)], &[]).await;
    assert_eq!(world.redemptions("ada").await, ["HELD"]);
    assert_eq!(world.feed_length().await, 0);
    let says = async |partner: Value, given: bool| {
        let consents = json!([{"purpose": "PARTNER_SHARING", "partner": partner, "given": given}]);
        let statuses = world
            .register(vec![json!({"externalId": "ada", "consents": consents})])
            .await;
        assert_eq!(statuses, ["UPDATED"]);
    };
    // A word about all stands below the word about one.
    says(json!("spa"), false).await;
    says(Value::Null, true).await;
    assert_eq!(world.feed_length().await, 0);
    says(json!("spa"), true).await;
    let told = ("REDEMPTION_REQUESTED".to_owned(), "HELD".to_owned());
    assert_eq!(world.told().await, [told]);
    // Once told it is told; what comes of it is told too.
    says(json!("spa"), false).await;
    says(json!("spa"), true).await;
    assert_eq!(world.feed_length().await, 1);
    follow(&world, &[], &[&awards[0]]).await;
    assert_eq!(world.told().await.len(), 2);
}

async fn a_revoked_award_takes_back_what_is_held_and_leaves_what_was_had(app: &TestApp) {
    let (world, awards) = awarded(app, &["ada", "bob", "eve"], false).await;
    world
        .reward(json!({"key": "mug", "price": 100, "stock": 5, "fulfilledBy": "spa"}))
        .await;
    world
        .reward(json!({"key": "pen", "price": 100, "stock": 5}))
        .await;
    let of = |member: usize, reward| (&awards[member], reward, 1);
    follow(&world, &[of(0, "mug"), of(1, "pen")], &[]).await;
    let query = "{ member(externalId: \"bob\") { redemptions { nodes { id } } } }";
    let data = world.backend().data(query, json!({})).await;
    let id = &data["member"]["redemptions"]["nodes"][0]["id"];
    let fulfil = json!({"redemption": id, "reference": "x"});
    world
        .shop()
        .change("fulfilRedemption", fulfil, "redemption { id }")
        .await;
    // What is given and taken back in one go has come and gone.
    let all: Vec<_> = awards.iter().collect();
    follow(&world, &[of(2, "mug")], &all).await;
    assert_eq!(world.redemptions("ada").await, ["CANCELLED"]);
    assert_eq!(world.redemptions("bob").await, ["FULFILLED"]);
    assert_eq!(world.redemptions("eve").await, ["CANCELLED"]);
    assert_eq!(
        seen(&world, "member:any", "ada").await[0]["reason"],
        "The award that gave it was revoked."
    );
    assert_eq!(world.stock("mug").await, 5);
    assert_eq!(world.stock("pen").await, 4);
    // Nobody who was not told of the beginning is told of the end.
    assert_eq!(world.feed_length().await, 0);
}

async fn what_a_sensitive_incentive_gave_an_administrator_does_not_see(app: &TestApp) {
    let (world, awards) = awarded(app, &["ada"], true).await;
    world.reward(json!({"key": "mug", "price": 0})).await;
    let sensitive = achievement::Model {
        sensitive: true,
        ..awards[0].clone()
    };
    follow(&world, &[(&sensitive, "mug", 1)], &[]).await;
    assert_eq!(seen(&world, "points:read members:read", "ada").await, json!([]));
    assert_eq!(
        seen(&world, "member:any", "ada").await.as_array().unwrap().len(),
        1
    );
    let count = "{ reward(key: \"mug\") { redeemed } }";
    assert_eq!(
        world.admin().data(count, json!({})).await["reward"]["redeemed"],
        0
    );
    world.redeemed("ada", "mug", "k1").await;
    assert_eq!(
        world.admin().data(count, json!({})).await["reward"]["redeemed"],
        1
    );
}
