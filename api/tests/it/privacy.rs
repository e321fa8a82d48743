//! What an administrator may learn of people: nothing by person where it is sensitive, and no count that gives one away.

use serde_json::{Value, json};

use crate::harness::{Caller, TestApp, World, event, incentive_input};

on_both!(
    an_administrator_sees_no_sensitive_achievement_by_any_way,
    the_member_and_the_backend_see_what_is_sensitive,
    a_sensitive_tally_is_shown_from_the_minimum_group_size_on,
    a_member_sees_itself_and_nobody_else,
);

/// Ada has reported a birth (sensitive) and meditated (not).
async fn world(app: &TestApp) -> World<'_> {
    let world = World::new(app).await;
    for (key, event_type) in [("born", "birth.reported"), ("calm", "meditation.completed")] {
        world
            .incentive(incentive_input(
                key,
                event_type,
                json!({"immediate": true}),
                json!({"once": true}),
            ))
            .await;
    }
    world.members(&["ada"]).await;
    world
        .did([
            event("e1", "ada", "2026-11-20T10:00:00Z").of("birth.reported"),
            event("e2", "ada", "2026-11-20T10:00:00Z"),
        ])
        .await;
    world
}

/// The keys of the incentives that a caller sees of Ada, by each way there is.
async fn seen(caller: &Caller<'_>) -> Vec<Vec<String>> {
    let query = "{
        achievements { nodes { incentive { key } } }
        filtered: achievements(filter: {member: \"ada\"}) { nodes { incentive { key } } }
        member(externalId: \"ada\") { achievements { nodes { incentive { key } } } progress { incentive { key } } }
    }";
    let data = caller.data(query, json!({})).await;
    let keys = |list: &Value| -> Vec<String> {
        let mut keys: Vec<String> = list
            .as_array()
            .unwrap()
            .iter()
            .map(|node| node["incentive"]["key"].as_str().unwrap().to_owned())
            .collect();
        keys.sort_unstable();
        keys
    };
    vec![
        keys(&data["achievements"]["nodes"]),
        keys(&data["filtered"]["nodes"]),
        keys(&data["member"]["achievements"]["nodes"]),
        keys(&data["member"]["progress"]),
    ]
}

async fn an_administrator_sees_no_sensitive_achievement_by_any_way(app: &TestApp) {
    let world = world(app).await;
    let admin = world.admin();
    assert_eq!(seen(&admin).await, vec![vec!["calm"]; 4]);
    let filter = "{ achievements(filter: {incentive: \"born\"}) { nodes { id } } }";
    assert_eq!(
        admin.data(filter, json!({})).await["achievements"]["nodes"],
        json!([])
    );
    let backend = world.by("member:any").data(filter, json!({})).await;
    let id = &backend["achievements"]["nodes"][0]["id"];
    assert!(id.is_string());
    let node = "query($id: ID!) { node(id: $id) { id } }";
    let hidden = admin.ask(node, json!({"id": id})).await;
    let never = admin
        .ask(node, json!({"id": "ach_01ARZ3NDEKTSV4RRFFQ69G5FAV"}))
        .await;
    assert_eq!(
        (hidden.status, &hidden.json()["data"], hidden.code()),
        (never.status, &never.json()["data"], never.code())
    );
    // The pages do not give it away either: what is hidden takes no place.
    let page = admin
        .data(
            "{ achievements(first: 1) { nodes { title } pageInfo { hasNextPage } } }",
            json!({}),
        )
        .await;
    assert_eq!(page["achievements"]["pageInfo"]["hasNextPage"], json!(false));
}

async fn the_member_and_the_backend_see_what_is_sensitive(app: &TestApp) {
    let world = world(app).await;
    for caller in [world.member("ada").await, world.by("member:any")] {
        assert_eq!(seen(&caller).await, vec![vec!["born", "calm"]; 4]);
    }
}

async fn a_sensitive_tally_is_shown_from_the_minimum_group_size_on(app: &TestApp) {
    let world = world(app).await;
    let query = "{ program(key: \"wellbeing\") { incentives { key sensitive tally { achievementCount memberCount } } } }";
    let tallies = async || {
        let data = world.admin().data(query, json!({})).await;
        let incentives = &data["program"]["incentives"];
        assert_eq!(
            (&incentives[0]["key"], &incentives[0]["sensitive"]),
            (&json!("born"), &json!(true))
        );
        assert_eq!(
            (&incentives[1]["key"], &incentives[1]["sensitive"]),
            (&json!("calm"), &json!(false))
        );
        [incentives[0]["tally"].clone(), incentives[1]["tally"].clone()]
    };
    let one = json!({"achievementCount": 1, "memberCount": 1});
    assert_eq!(tallies().await, [Value::Null, one.clone()]);
    // With Ada the tenth is the first that makes the group large enough.
    for number in 2..=10 {
        let member = format!("m{number}");
        world.members(&[&member]).await;
        assert_eq!(tallies().await[0], Value::Null, "{number}");
        world
            .did([event(&member, &member, "2026-11-20T10:00:00Z").of("birth.reported")])
            .await;
    }
    assert_eq!(
        tallies().await,
        [json!({"achievementCount": 10, "memberCount": 10}), one]
    );
}

async fn a_member_sees_itself_and_nobody_else(app: &TestApp) {
    let world = world(app).await;
    world.members(&["bob"]).await;
    world.did([event("b1", "bob", "2026-11-20T10:00:00Z")]).await;
    let bob = world.member("bob").await;
    let data = bob
        .data(
            "{ viewer { kind employer { key } } achievements { nodes { member { externalId } } } }",
            json!({}),
        )
        .await;
    assert_eq!(
        data["viewer"],
        json!({"kind": "MEMBER", "employer": {"key": "acme"}})
    );
    assert_eq!(
        data["achievements"]["nodes"],
        json!([{"member": {"externalId": "bob"}}])
    );
    let ada = bob
        .data("{ member(externalId: \"ada\") { id } }", json!({}))
        .await;
    assert_eq!(ada["member"], Value::Null);
    assert_eq!(
        bob.error("{ viewer { employer { members { nodes { id } } } } }", json!({}))
            .await,
        "FORBIDDEN"
    );
}
