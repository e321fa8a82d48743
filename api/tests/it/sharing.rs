//! What a member can see of what it has said and of what was shared with whom.

use serde_json::{Value, json};

use crate::harness::{Caller, TestApp, World, event, streak_input};

on_both!(
    every_word_is_kept_with_its_time_and_its_wording,
    the_same_word_again_is_none_and_to_another_wording_it_is_one,
    a_member_sees_what_was_told_to_whom_and_by_which_word,
    no_administrator_and_no_other_member_sees_it,
    what_an_erased_member_has_said_is_gone,
);

async fn world(app: &TestApp) -> World<'_> {
    let world = World::new(app).await;
    world
        .incentive(streak_input("always", 1, json!({"unlimited": true})))
        .await;
    world
}

fn says(given: bool, partner: Option<&str>, wording: Option<&str>) -> Value {
    json!({"purpose": "PARTNER_SHARING", "given": given, "partner": partner, "wording": wording})
}

async fn say(world: &World<'_>, word: Value) -> String {
    let member = json!({"externalId": "ada", "consents": [word]});
    world.register(vec![member]).await.remove(0)
}

async fn words(caller: &Caller<'_>) -> Vec<Value> {
    let query = "{ member(externalId: \"ada\") { consents { purpose partner given wording recordedAt } } }";
    let data = caller.data(query, json!({})).await;
    data["member"]["consents"].as_array().unwrap().clone()
}

async fn every_word_is_kept_with_its_time_and_its_wording(app: &TestApp) {
    let world = world(app).await;
    say(&world, says(true, None, Some("2026-01"))).await;
    app.set_clock("2026-11-21T13:00:00Z");
    say(&world, says(false, Some("spa"), Some("2026-02"))).await;
    app.set_clock("2026-11-21T14:00:00Z");
    say(&world, json!({"purpose": "EMAIL", "given": true})).await;
    let word = |purpose: &str, partner: Option<&str>, given, wording: Option<&str>, hour| {
        json!({"purpose": purpose, "partner": partner, "given": given, "wording": wording,
            "recordedAt": format!("2026-11-21T{hour}:00:00Z")})
    };
    let expected = [
        word("EMAIL", None, true, None, 14),
        word("PARTNER_SHARING", Some("spa"), false, Some("2026-02"), 13),
        word("PARTNER_SHARING", None, true, Some("2026-01"), 12),
    ];
    assert_eq!(words(&world.backend()).await, expected);
    assert_eq!(words(&world.member("ada").await).await, expected);
    let update = app.sql("UPDATE consent_word SET wording = 'another'").await;
    assert!(update.is_err());
}

async fn the_same_word_again_is_none_and_to_another_wording_it_is_one(app: &TestApp) {
    let world = world(app).await;
    assert_eq!(say(&world, says(true, None, Some("v1"))).await, "CREATED");
    assert_eq!(say(&world, says(true, None, Some("v1"))).await, "UNCHANGED");
    assert_eq!(say(&world, says(true, None, None)).await, "UNCHANGED");
    assert_eq!(say(&world, says(true, None, Some("v2"))).await, "UPDATED");
    assert_eq!(say(&world, says(false, None, None)).await, "UPDATED");
    let said = words(&world.backend()).await;
    let said: Vec<_> = said
        .iter()
        .map(|word| (&word["given"], &word["wording"]))
        .collect();
    let [yes, no, v1, v2] = [json!(true), json!(false), json!("v1"), json!("v2")];
    assert_eq!(said, [(&no, &Value::Null), (&yes, &v2), (&yes, &v1)]);
    assert_eq!(say(&world, says(true, None, Some(""))).await, "INVALID_INPUT");
}

async fn a_member_sees_what_was_told_to_whom_and_by_which_word(app: &TestApp) {
    let world = world(app).await;
    world.members(&["ada"]).await;
    world.did([event("e1", "ada", "2026-11-20T10:00:00Z")]).await;
    app.set_clock("2026-11-21T13:00:00Z");
    say(&world, says(true, None, Some("v1"))).await;
    world.did([event("e2", "ada", "2026-11-21T10:00:00Z")]).await;
    app.set_clock("2026-11-21T14:00:00Z");
    say(&world, says(false, None, Some("v2"))).await;
    world.did([event("e3", "ada", "2026-11-19T10:00:00Z")]).await;
    // Asking for what a partner fulfils is a consent of its own.
    world
        .reward(json!({"key": "mug", "price": 0, "fulfilledBy": "spa"}))
        .await;
    world.redeemed("ada", "mug", "k1").await;
    let query = "query($after: String) { member(externalId: \"ada\") { sharing(first: 2, after: $after) {
        nodes { partner partnerName kind title recordedAt consent { partner given wording } } pageInfo { hasNextPage endCursor } } } }";
    let (mut told, mut after) = (Vec::new(), Value::Null);
    loop {
        let data = world.backend().data(query, json!({"after": after})).await;
        let page = &data["member"]["sharing"];
        told.extend(page["nodes"].as_array().unwrap().iter().cloned());
        after = page["pageInfo"]["endCursor"].clone();
        if page["pageInfo"]["hasNextPage"] == json!(false) {
            break;
        }
    }
    let fact = |kind: &str, title: &str, hour: u32, consent: Value| {
        json!({"partner": "spa", "partnerName": "spa", "kind": kind, "title": title,
            "recordedAt": format!("2026-11-21T{hour}:00:00Z"), "consent": consent})
    };
    let yes = json!({"partner": null, "given": true, "wording": "v1"});
    assert_eq!(
        told,
        [
            fact("REDEMPTION_REQUESTED", "mug", 14, Value::Null),
            fact("ACHIEVEMENT_EARNED", "Title of always", 13, yes),
            fact("ACHIEVEMENT_EARNED", "Title of always", 12, Value::Null),
        ]
    );
}

async fn no_administrator_and_no_other_member_sees_it(app: &TestApp) {
    let world = world(app).await;
    world.members(&["ada", "bob"]).await;
    for field in ["consents { given }", "sharing { nodes { title } }"] {
        let query = format!("{{ member(externalId: \"ada\") {{ {field} }} }}");
        assert_eq!(world.admin().error(&query, json!({})).await, "FORBIDDEN");
        let bob = world.member("bob").await;
        assert_eq!(bob.data(&query, json!({})).await["member"], Value::Null);
    }
}

async fn what_an_erased_member_has_said_is_gone(app: &TestApp) {
    let world = world(app).await;
    say(&world, says(true, None, Some("v1"))).await;
    let count = "SELECT count(*) AS count FROM consent_word";
    assert_eq!(app.count(count).await, 1);
    world
        .backend()
        .change("eraseMember", json!({"member": "ada"}), "erased")
        .await;
    assert_eq!(app.count(count).await, 0);
}
