//! Rewards: put up, changed, retired, read.

use serde_json::{Value, json};

use crate::harness::{TestApp, World};

on_both!(
    a_reward_is_what_it_was_put_up_as,
    a_reward_that_makes_no_sense_is_refused,
    without_a_program_the_only_one_is_meant,
    a_change_changes_what_it_names,
    a_retired_reward_is_there_to_be_read,
    the_rewards_of_a_program_are_read_page_by_page,
    only_whoever_reads_programs_or_reports_sees_how_often_it_was_redeemed,
);

const ALL: &str =
    "key name description price category stock perMember availableFrom availableUntil holdFor fulfilledBy
    program { key } createdAt retiredAt";

async fn a_reward_is_what_it_was_put_up_as(app: &TestApp) {
    let world = World::new(app).await;
    let input = json!({
        "key": "mug", "name": "A mug", "description": "Blue", "price": 300, "category": "MINDFULNESS", "stock": 5, "perMember": 2,
        "availableFrom": "2026-11-01", "availableUntil": "2026-12-31", "holdFor": "P7D", "fulfilledBy": "spa", "program": "wellbeing",
    });
    let select = format!("reward {{ {ALL} }}");
    let made = world.admin().change("createReward", input, &select).await;
    let expected = json!({
        "key": "mug", "name": "A mug", "description": "Blue", "price": 300, "category": "MINDFULNESS", "stock": 5, "perMember": 2,
        "availableFrom": "2026-11-01", "availableUntil": "2026-12-31", "holdFor": "P7D", "fulfilledBy": "spa",
        "program": {"key": "wellbeing"}, "createdAt": "2026-11-21T12:00:00Z", "retiredAt": null,
    });
    assert_eq!(made["reward"], expected);
    world.members(&["ada"]).await;
    let query = format!("{{ reward(key: \"mug\") {{ {ALL} }} }}");
    for caller in [world.admin(), world.backend(), world.member("ada").await] {
        assert_eq!(caller.data(&query, json!({})).await["reward"], expected);
    }
    // Nothing but a key, a name and a price has to be said.
    let plain = json!({"key": "plain", "name": "Plain", "price": 0});
    let made = world.admin().change("createReward", plain, &select).await;
    assert_eq!(
        made["reward"],
        json!({
            "key": "plain", "name": "Plain", "description": null, "price": 0, "category": "points", "stock": null, "perMember": null,
            "availableFrom": null, "availableUntil": null, "holdFor": null, "fulfilledBy": null, "program": {"key": "wellbeing"},
            "createdAt": "2026-11-21T12:00:00Z", "retiredAt": null,
        })
    );
}

async fn a_reward_that_makes_no_sense_is_refused(app: &TestApp) {
    let world = World::new(app).await;
    world.reward(json!({"key": "taken", "price": 1})).await;
    for (field, value, code) in [
        ("key", json!("No Key"), "INVALID_INPUT"),
        ("key", json!("taken"), "KEY_TAKEN"),
        ("name", json!(" "), "INVALID_INPUT"),
        ("description", json!("x".repeat(2001)), "INVALID_INPUT"),
        ("price", json!(-1), "INVALID_INPUT"),
        ("price", json!(1_000_000_001), "INVALID_INPUT"),
        ("category", json!("no category"), "INVALID_INPUT"),
        ("stock", json!(-1), "INVALID_INPUT"),
        ("perMember", json!(0), "INVALID_INPUT"),
        ("availableUntil", json!("2026-10-01"), "INVALID_INPUT"),
        ("holdFor", json!("P0D"), "INVALID_INPUT"),
        ("holdFor", json!("P3651D"), "INVALID_INPUT"),
        ("fulfilledBy", json!("nobody"), "NOT_FOUND"),
        ("program", json!("none"), "NOT_FOUND"),
    ] {
        let mut input = json!({"key": "mug", "name": "Mug", "price": 1, "availableFrom": "2026-11-01"});
        input[field] = value;
        let fault = world.admin().fault("createReward", input, "reward { id }").await;
        assert_eq!(fault, (code.to_owned(), field.to_owned()));
    }
    assert_eq!(app.count("SELECT count(*) AS count FROM reward").await, 1);
}

async fn without_a_program_the_only_one_is_meant(app: &TestApp) {
    let world = World::new(app).await;
    world.reward(json!({"key": "first", "price": 1})).await;
    world.program(json!({"key": "other"})).await;
    let input = json!({"key": "second", "name": "Second", "price": 1});
    let fault = world
        .admin()
        .fault("createReward", input.clone(), "reward { id }")
        .await;
    assert_eq!(fault, ("INVALID_INPUT".to_owned(), "program".to_owned()));
    world
        .change_program("endProgram", json!({"program": "wellbeing"}))
        .await;
    let made = world
        .admin()
        .change("createReward", input, "reward { program { key } }")
        .await;
    assert_eq!(made["reward"]["program"]["key"], "other");
    let ended = json!({"key": "third", "name": "Third", "price": 1, "program": "wellbeing"});
    let fault = world.admin().fault("createReward", ended, "reward { id }").await;
    assert_eq!(fault, ("INVALID_STATE".to_owned(), "program".to_owned()));
}

async fn a_change_changes_what_it_names(app: &TestApp) {
    let world = World::new(app).await;
    let input = json!({
        "key": "mug", "price": 300, "description": "Blue", "stock": 5, "perMember": 2, "availableFrom": "2026-11-01",
        "availableUntil": "2026-12-31", "holdFor": "P7D",
    });
    world.reward(input).await;
    let change = async |mut change: Value| {
        change["reward"] = json!("mug");
        let select = "reward { name description price stock perMember availableFrom availableUntil holdFor }";
        world.admin().change("updateReward", change, select).await["reward"].clone()
    };
    let before = change(json!({})).await;
    assert_eq!(before["stock"], 5);
    let after = change(json!({"price": 200, "stock": 9, "availableUntil": "2027-01-31"})).await;
    assert_eq!(
        after,
        json!({"name": "mug", "description": "Blue", "price": 200, "stock": 9, "perMember": 2, "availableFrom": "2026-11-01",
            "availableUntil": "2027-01-31", "holdFor": "P7D"})
    );
    let emptied = json!({
        "name": "Mug", "description": null, "stock": null, "perMember": null, "availableFrom": null, "availableUntil": null,
        "holdFor": null,
    });
    let after = change(emptied).await;
    assert_eq!(
        after,
        json!({"name": "Mug", "description": null, "price": 200, "stock": null, "perMember": null, "availableFrom": null,
            "availableUntil": null, "holdFor": null})
    );
    assert_eq!(change(json!({})).await, after);
    for (field, value) in [
        ("price", json!(-1)),
        ("perMember", json!(0)),
        ("holdFor", json!("P0D")),
    ] {
        let mut input = json!({"reward": "mug"});
        input[field] = value;
        let fault = world.admin().fault("updateReward", input, "reward { id }").await;
        assert_eq!(fault, ("INVALID_INPUT".to_owned(), field.to_owned()));
    }
    let missing = json!({"reward": "none", "price": 1});
    let fault = world
        .admin()
        .fault("updateReward", missing, "reward { id }")
        .await;
    assert_eq!(fault, ("NOT_FOUND".to_owned(), "reward".to_owned()));
}

async fn a_retired_reward_is_there_to_be_read(app: &TestApp) {
    let world = World::new(app).await;
    world.reward(json!({"key": "mug", "price": 1})).await;
    let retire = json!({"reward": "mug"});
    let retired = world
        .admin()
        .change("retireReward", retire.clone(), "reward { retiredAt }")
        .await;
    assert_eq!(retired["reward"]["retiredAt"], "2026-11-21T12:00:00Z");
    let fault = world.admin().fault("retireReward", retire, "reward { id }").await;
    assert_eq!(fault, ("INVALID_STATE".to_owned(), "reward".to_owned()));
    let data = world
        .admin()
        .data("{ reward(key: \"mug\") { retiredAt } }", json!({}))
        .await;
    assert_eq!(data["reward"]["retiredAt"], "2026-11-21T12:00:00Z");
}

async fn the_rewards_of_a_program_are_read_page_by_page(app: &TestApp) {
    let world = World::new(app).await;
    for key in ["mug", "pen", "cap"] {
        world.reward(json!({"key": key, "price": 1})).await;
    }
    let query = "query($after: String) { program(key: \"wellbeing\") { rewards(first: 2, after: $after) {
        nodes { key } pageInfo { hasNextPage endCursor } } } }";
    let first = world.admin().data(query, json!({})).await["program"]["rewards"].clone();
    assert_eq!(first["nodes"], json!([{"key": "mug"}, {"key": "pen"}]));
    assert_eq!(first["pageInfo"]["hasNextPage"], true);
    let after = json!({"after": first["pageInfo"]["endCursor"]});
    let second = world.admin().data(query, after).await["program"]["rewards"].clone();
    assert_eq!(second["nodes"], json!([{"key": "cap"}]));
    assert_eq!(second["pageInfo"]["hasNextPage"], false);
}

async fn only_whoever_reads_programs_or_reports_sees_how_often_it_was_redeemed(app: &TestApp) {
    let world = World::new(app).await;
    world.reward(json!({"key": "mug", "price": 0})).await;
    world.members(&["ada", "bob"]).await;
    world.redeemed("ada", "mug", "k1").await;
    world.redeemed("bob", "mug", "k2").await;
    let id = world.redeemed("bob", "mug", "k3").await;
    let cancel = json!({"redemption": id, "reason": "mistake"});
    world
        .shop()
        .change("cancelRedemption", cancel, "redemption { id }")
        .await;
    let query = "{ reward(key: \"mug\") { redeemed } }";
    assert_eq!(
        world.admin().data(query, json!({})).await["reward"]["redeemed"],
        2
    );
    assert_eq!(
        world.member("ada").await.error(query, json!({})).await,
        "FORBIDDEN"
    );
}
