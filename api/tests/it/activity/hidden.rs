//! The feed of an employer's own is in the table of partners, and nobody meets it as one.

use serde_json::{Value, json};

use super::{meditate, world};
use crate::harness::TestApp;

on_both!(
    nobody_meets_an_employers_own_feed_as_a_partner,
    a_member_is_not_shown_what_its_own_backend_was_told,
);

async fn nobody_meets_an_employers_own_feed_as_a_partner(app: &TestApp) {
    let world = world(app).await;
    let own = "SELECT count(*) AS count FROM partner WHERE key = '@acme'";
    assert_eq!(app.count(own).await, 1);
    let operator = app.operator();
    let data = operator.data("{ partners { nodes { key } } }", json!({})).await;
    assert_eq!(data["partners"]["nodes"], json!([{"key": "spa"}]));
    let before = app.row_counts().await;
    let wellbeing = json!({"partner": "@acme", "programs": ["wellbeing"]});
    let not_found = |path: &str| ("NOT_FOUND".to_owned(), path.to_owned());
    for mutation in ["grantPartner", "revokeGrant"] {
        let fault = world
            .admin()
            .fault(mutation, wellbeing.clone(), "grants { partner }")
            .await;
        assert_eq!(fault, not_found("partner"), "{mutation}");
    }
    let reward =
        json!({"program": "wellbeing", "key": "mug", "name": "Mug", "price": 1, "fulfilledBy": "@acme"});
    let (code, path) = world.admin().fault("createReward", reward, "reward { id }").await;
    assert_eq!((code, path), not_found("fulfilledBy"));
    let client = json!({"name": "Shop", "partner": "@acme", "scopes": ["feed:read"]});
    let (code, path) = operator.fault("createClient", client, "clientSecret").await;
    assert_eq!((code, path), not_found("partner"));
    let (code, path) = operator
        .fault(
            "createPartner",
            json!({"key": "@globex", "name": "x"}),
            "partner { id }",
        )
        .await;
    assert_eq!((code.as_str(), path.as_str()), ("INVALID_INPUT", "key"));
    let word = json!([{"purpose": "PARTNER_SHARING", "given": true, "partner": "@acme"}]);
    let statuses = world
        .register(vec![json!({"externalId": "ada", "consents": word})])
        .await;
    assert_eq!(statuses, ["NOT_FOUND"]);
    assert_eq!(app.row_counts().await, before);
    let exported = entity::partner::find_by_key(app.app.db.read(), "@acme").await;
    assert_eq!(exported.unwrap(), None);
}

async fn a_member_is_not_shown_what_its_own_backend_was_told(app: &TestApp) {
    let world = world(app).await;
    meditate(&world, &[("e1", "ada")]).await;
    let query = "{ member(externalId: \"ada\") { sharing { nodes { partner kind } } } }";
    let data = world.member("ada").await.data(query, json!({})).await;
    let shared = &data["member"]["sharing"]["nodes"];
    assert_eq!(shared.as_array().map(Vec::len), Some(1));
    assert_eq!(shared[0]["partner"], Value::from("spa"));
}
