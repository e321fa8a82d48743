//! Redemptions: what a member asks for, and what becomes of it.

mod gifts;
mod partner;
mod races;

use entity::clock::Timestamp;
use serde_json::{Value, json};

use crate::harness::{TestApp, World, at};

on_both!(
    a_member_spends_points_on_a_reward,
    the_same_key_redeems_once,
    a_refused_request_has_not_used_its_key,
    what_cannot_be_had_is_refused_and_takes_nothing,
    a_reward_is_had_on_its_days_and_in_a_program_in_force_only,
    a_cancelled_redemption_gives_back_once_what_it_took_where_it_took_it,
    points_that_ended_meanwhile_do_not_come_back_to_be_spent,
    the_employer_fulfils_what_no_partner_does,
    a_hold_ends_by_the_clock_of_the_employer,
    a_member_redeems_and_reads_for_nobody_else,
    an_administrator_sees_of_a_redemption_what_it_may,
    what_an_erased_member_waits_for_is_called_off,
);

async fn shop(app: &TestApp) -> World<'_> {
    let world = World::new(app).await;
    world
        .reward(json!({"key": "mug", "price": 100, "stock": 5}))
        .await;
    world.members(&["ada"]).await;
    world.give_points("ada", "points", 1_000).await;
    world
}

/// The code of what is wrong with asking for a reward.
async fn refused(world: &World<'_>, member: &str, reward: &str, key: &str) -> String {
    let payload = world.redeem(member, reward, key).await;
    assert_eq!(payload["redemption"], Value::Null, "{payload}");
    payload["userErrors"][0]["code"].as_str().unwrap().to_owned()
}

async fn settle(world: &World<'_>, field: &str, input: Value) -> Result<Value, String> {
    let payload = world
        .shop()
        .mutate(
            field,
            input,
            "redemption { id status settledAt reference reason }",
        )
        .await;
    match payload["userErrors"][0]["code"].as_str() {
        Some(code) => Err(code.to_owned()),
        None => Ok(payload["redemption"].clone()),
    }
}

async fn cancel(world: &World<'_>, id: &str) -> Result<Value, String> {
    let input = json!({"redemption": id, "reason": "mistake"});
    settle(world, "cancelRedemption", input).await
}

async fn fulfil(world: &World<'_>, id: &str, reference: Value) -> Result<Value, String> {
    let input = json!({"redemption": id, "reference": reference});
    settle(world, "fulfilRedemption", input).await
}

async fn a_member_spends_points_on_a_reward(app: &TestApp) {
    let world = shop(app).await;
    let input = json!({"member": "ada", "reward": "mug", "quantity": 3, "idempotencyKey": "k1"});
    let select = "redemption { status quantity pointsSpent requestedAt expiresAt settledAt reference reason reward { key }
        member { externalId } achievement { id } }";
    let made = world.shop().change("redeemReward", input, select).await;
    assert_eq!(
        made["redemption"],
        json!({"status": "HELD", "quantity": 3, "pointsSpent": 300, "requestedAt": "2026-11-21T12:00:00Z", "expiresAt": null,
            "settledAt": null, "reference": null, "reason": null, "reward": {"key": "mug"}, "member": {"externalId": "ada"},
            "achievement": null})
    );
    assert_eq!(world.points("ada", "points").await, 700);
    assert_eq!(world.stock("mug").await, 2);
    assert_eq!(world.redemptions("ada").await, ["HELD"]);
}

async fn the_same_key_redeems_once(app: &TestApp) {
    let world = shop(app).await;
    let first = world.redeem("ada", "mug", "k1").await;
    assert_eq!(world.redeem("ada", "mug", "k1").await, first);
    assert_eq!(world.points("ada", "points").await, 900);
    // With another body it is another request, and the key is taken.
    let other = json!({"member": "ada", "reward": "mug", "quantity": 2, "idempotencyKey": "k1"});
    let fault = world
        .shop()
        .fault("redeemReward", other, "redemption { id }")
        .await;
    assert_eq!(fault, ("CONFLICT".to_owned(), "idempotencyKey".to_owned()));
    // The answer is the redemption as it is now.
    let id = first["redemption"]["id"].as_str().unwrap();
    cancel(&world, id).await.unwrap();
    let again = world.redeem("ada", "mug", "k1").await;
    assert_eq!(again["redemption"]["id"], id);
    assert_eq!(again["redemption"]["status"], "CANCELLED");
    assert_eq!(world.points("ada", "points").await, 1_000);
    for bad in ["", "a b", "tab\t", &"x".repeat(201)] {
        let input = json!({"member": "ada", "reward": "mug", "idempotencyKey": bad});
        let fault = world
            .shop()
            .fault("redeemReward", input, "redemption { id }")
            .await;
        assert_eq!(fault, ("INVALID_INPUT".to_owned(), "idempotencyKey".to_owned()));
    }
}

async fn a_refused_request_has_not_used_its_key(app: &TestApp) {
    let world = shop(app).await;
    world.reward(json!({"key": "bike", "price": 1_500})).await;
    assert_eq!(refused(&world, "ada", "bike", "k1").await, "INSUFFICIENT_POINTS");
    world.give_points("ada", "points", 500).await;
    world.redeemed("ada", "bike", "k1").await;
    assert_eq!(world.points("ada", "points").await, 0);
}

async fn what_cannot_be_had_is_refused_and_takes_nothing(app: &TestApp) {
    let world = shop(app).await;
    for input in [
        json!({"key": "bike", "price": 1_001}),
        json!({"key": "calm", "price": 1, "category": "MINDFULNESS"}),
        json!({"key": "gone", "price": 1, "stock": 0}),
        json!({"key": "rare", "price": 1, "perMember": 1}),
        json!({"key": "old", "price": 1}),
    ] {
        world.reward(input).await;
    }
    world
        .admin()
        .change("retireReward", json!({"reward": "old"}), "reward { id }")
        .await;
    world.redeemed("ada", "rare", "k0").await;
    for (member, reward, code) in [
        ("ada", "bike", "INSUFFICIENT_POINTS"),
        ("ada", "calm", "INSUFFICIENT_POINTS"),
        ("ada", "gone", "OUT_OF_STOCK"),
        ("ada", "rare", "LIMIT_REACHED"),
        ("ada", "old", "INVALID_STATE"),
        ("ada", "none", "NOT_FOUND"),
        ("zed", "mug", "UNKNOWN_MEMBER"),
    ] {
        assert_eq!(refused(&world, member, reward, "k1").await, code, "{reward}");
    }
    for quantity in [0, -1, 1_001] {
        let input = json!({"member": "ada", "reward": "mug", "quantity": quantity, "idempotencyKey": "k1"});
        let fault = world
            .shop()
            .fault("redeemReward", input, "redemption { id }")
            .await;
        assert_eq!(fault, ("INVALID_INPUT".to_owned(), "quantity".to_owned()));
    }
    assert_eq!(world.points("ada", "points").await, 999);
    assert_eq!(world.redemptions("ada").await, ["HELD"]);
    // What was called off no longer counts for the limit.
    let data = world
        .backend()
        .data(
            "{ member(externalId: \"ada\") { redemptions { nodes { id } } } }",
            json!({}),
        )
        .await;
    let id = data["member"]["redemptions"]["nodes"][0]["id"].as_str().unwrap();
    cancel(&world, id).await.unwrap();
    world.redeemed("ada", "rare", "k1").await;
}

async fn a_reward_is_had_on_its_days_and_in_a_program_in_force_only(app: &TestApp) {
    let world = World::new(app).await;
    // Fourteen hours ahead of UTC.
    world
        .admin()
        .change(
            "createProgram",
            json!({"key": "far", "name": "Far", "timeZone": "Pacific/Kiritimati"}),
            "program { id }",
        )
        .await;
    world
        .reward(json!({"key": "mug", "program": "far", "price": 0, "availableFrom": "2026-11-23", "availableUntil": "2026-11-23"}))
        .await;
    world.members(&["ada"]).await;
    // Its day is from ten to ten in UTC.
    app.set_clock("2026-11-22T10:00:00Z");
    assert_eq!(refused(&world, "ada", "mug", "k1").await, "INVALID_STATE");
    world
        .change_program("activateProgram", json!({"program": "far"}))
        .await;
    world.redeemed("ada", "mug", "k1").await;
    app.set_clock("2026-11-22T09:59:59Z");
    assert_eq!(refused(&world, "ada", "mug", "k2").await, "INVALID_STATE");
    app.set_clock("2026-11-23T09:59:59Z");
    world.redeemed("ada", "mug", "k2").await;
    app.set_clock("2026-11-23T10:00:00Z");
    assert_eq!(refused(&world, "ada", "mug", "k3").await, "INVALID_STATE");
    app.set_clock("2026-11-23T09:59:59Z");
    for (step, then) in [
        ("pauseProgram", "INVALID_STATE"),
        ("activateProgram", ""),
        ("endProgram", "INVALID_STATE"),
    ] {
        world.change_program(step, json!({"program": "far"})).await;
        let payload = world.redeem("ada", "mug", step).await;
        let code = payload["userErrors"][0]["code"].as_str().unwrap_or_default();
        assert_eq!(code, then, "{step}");
    }
}

async fn a_cancelled_redemption_gives_back_once_what_it_took_where_it_took_it(app: &TestApp) {
    let world = shop(app).await;
    let soon = Timestamp::from(at("2026-12-01T00:00:00Z"));
    let later = Timestamp::from(at("2026-12-31T00:00:00Z"));
    world.members(&["bob"]).await;
    world.give_points_until("bob", "points", 60, later).await;
    world.give_points_until("bob", "points", 70, soon).await;
    let before = world.lots("bob", "points").await;
    assert_eq!(before, [(soon, 70), (later, 60)]);
    let id = world.redeemed("bob", "mug", "k1").await;
    assert_eq!(world.lots("bob", "points").await, [(later, 30)]);
    assert_eq!(world.stock("mug").await, 4);
    let cancelled = cancel(&world, &id).await.unwrap();
    assert_eq!(cancelled["status"], "CANCELLED");
    assert_eq!(cancelled["reason"], "mistake");
    assert_eq!(cancelled["settledAt"], "2026-11-21T12:00:00Z");
    assert_eq!(world.lots("bob", "points").await, before);
    assert_eq!(world.stock("mug").await, 5);
    // A second time it is the same answer, and nothing comes back again.
    assert_eq!(cancel(&world, &id).await.unwrap(), cancelled);
    assert_eq!(world.lots("bob", "points").await, before);
    assert_eq!(world.stock("mug").await, 5);
    assert_eq!(
        fulfil(&world, &id, json!("x")).await.unwrap_err(),
        "INVALID_STATE"
    );
}

async fn points_that_ended_meanwhile_do_not_come_back_to_be_spent(app: &TestApp) {
    let world = shop(app).await;
    let soon = Timestamp::from(at("2026-12-01T00:00:00Z"));
    world.members(&["bob"]).await;
    world.give_points_until("bob", "points", 100, soon).await;
    let id = world.redeemed("bob", "mug", "k1").await;
    app.set_clock("2026-12-01T00:00:00Z");
    cancel(&world, &id).await.unwrap();
    assert_eq!(world.points("bob", "points").await, 0);
    assert_eq!(refused(&world, "bob", "mug", "k2").await, "INSUFFICIENT_POINTS");
}

async fn the_employer_fulfils_what_no_partner_does(app: &TestApp) {
    let world = shop(app).await;
    let id = world.redeemed("ada", "mug", "k1").await;
    let fulfilled = fulfil(&world, &id, json!("parcel 7")).await.unwrap();
    assert_eq!(fulfilled["status"], "FULFILLED");
    assert_eq!(fulfilled["reference"], "parcel 7");
    assert_eq!(fulfil(&world, &id, json!("parcel 7")).await.unwrap(), fulfilled);
    for other in [json!("parcel 8"), Value::Null] {
        assert_eq!(fulfil(&world, &id, other).await.unwrap_err(), "INVALID_STATE");
    }
    assert_eq!(cancel(&world, &id).await.unwrap_err(), "INVALID_STATE");
    assert_eq!(world.points("ada", "points").await, 900);
    assert_eq!(world.stock("mug").await, 4);
    for unknown in ["rdm_01ARZ3NDEKTSV4RRFFQ69G5FAV", "nonsense"] {
        assert_eq!(
            fulfil(&world, unknown, json!("x")).await.unwrap_err(),
            "NOT_FOUND"
        );
        assert_eq!(cancel(&world, unknown).await.unwrap_err(), "NOT_FOUND");
    }
}

async fn a_hold_ends_by_the_clock_of_the_employer(app: &TestApp) {
    let world = World::new(app).await;
    let lab = World::sandbox(app, "lab", "gym").await;
    for world in [&world, &lab] {
        world
            .reward(json!({"key": "mug", "price": 100, "stock": 5, "holdFor": "P7D"}))
            .await;
        world.members(&["ada"]).await;
        world.give_points("ada", "points", 100).await;
        world.redeemed("ada", "mug", "k1").await;
    }
    let sweep = async || jobs::expire::holds::run(&app.app.jobs).await.unwrap();
    lab.advance("2026-11-28T12:00:00Z").await;
    // What has waited too long is over even before it is booked.
    let held = lab
        .backend()
        .data(
            "{ member(externalId: \"ada\") { redemptions { nodes { id expiresAt } } } }",
            json!({}),
        )
        .await;
    let held = &held["member"]["redemptions"]["nodes"][0];
    assert_eq!(held["expiresAt"], "2026-11-28T12:00:00Z");
    let id = held["id"].as_str().unwrap();
    assert_eq!(fulfil(&lab, id, json!("x")).await.unwrap_err(), "INVALID_STATE");
    sweep().await;
    assert_eq!(lab.redemptions("ada").await, ["EXPIRED"]);
    assert_eq!(lab.points("ada", "points").await, 100);
    assert_eq!(lab.stock("mug").await, 5);
    assert_eq!(world.redemptions("ada").await, ["HELD"]);
    app.set_clock("2026-11-28T11:59:59Z");
    sweep().await;
    assert_eq!(world.redemptions("ada").await, ["HELD"]);
    app.set_clock("2026-11-28T12:00:00Z");
    sweep().await;
    sweep().await;
    assert_eq!(world.redemptions("ada").await, ["EXPIRED"]);
    assert_eq!(world.points("ada", "points").await, 100);
    assert_eq!(world.stock("mug").await, 5);
    assert_eq!(cancel(&lab, id).await.unwrap_err(), "INVALID_STATE");
}

async fn a_member_redeems_and_reads_for_nobody_else(app: &TestApp) {
    let world = shop(app).await;
    world.members(&["bob"]).await;
    world.give_points("bob", "points", 100).await;
    let ada = world.member("ada").await;
    let input = |member: &str, key: &str| json!({"member": member, "reward": "mug", "idempotencyKey": key});
    let own = ada
        .change("redeemReward", input("ada", "k1"), "redemption { id }")
        .await;
    let own = own["redemption"]["id"].as_str().unwrap().to_owned();
    let bobs = world.redeemed("bob", "mug", "k2").await;
    for (member, key) in [("bob", "k3"), ("zed", "k3")] {
        let fault = ada
            .fault("redeemReward", input(member, key), "redemption { id }")
            .await;
        assert_eq!(fault, ("UNKNOWN_MEMBER".to_owned(), "member".to_owned()));
    }
    // Another member's key is taken, and says nothing of what it made.
    let fault = ada
        .fault("redeemReward", input("ada", "k2"), "redemption { id }")
        .await;
    assert_eq!(fault, ("CONFLICT".to_owned(), "idempotencyKey".to_owned()));
    let node =
        "query($id: ID!) { node(id: $id) { __typename ... on Redemption { status member { externalId } } } }";
    let found = ada.data(node, json!({"id": own})).await;
    assert_eq!(
        found["node"],
        json!({"__typename": "Redemption", "status": "HELD", "member": {"externalId": "ada"}})
    );
    assert_eq!(ada.data(node, json!({"id": bobs})).await["node"], Value::Null);
    for field in ["fulfilRedemption", "cancelRedemption"] {
        let extra = if field == "cancelRedemption" {
            ", reason: \"r\""
        } else {
            ""
        };
        let document = format!(
            "mutation {{ {field}(input: {{redemption: \"{own}\"{extra}}}) {{ userErrors {{ code }} }} }}"
        );
        assert_eq!(ada.error(&document, json!({})).await, "FORBIDDEN");
    }
    assert_eq!(world.redemptions("ada").await, ["HELD"]);
}

async fn an_administrator_sees_of_a_redemption_what_it_may(app: &TestApp) {
    let world = shop(app).await;
    let id = world.redeemed("ada", "mug", "k1").await;
    let node =
        "query($id: ID!) { node(id: $id) { ... on Redemption { status memberRef member { externalId } } } }";
    let member = world.member_id("ada").await.to_string();
    let reader = world.by("points:read").data(node, json!({"id": id})).await;
    assert_eq!(
        reader["node"],
        json!({"status": "HELD", "memberRef": member, "member": null})
    );
    let both = world.by("points:read members:read");
    assert_eq!(
        both.data(node, json!({"id": id})).await["node"]["member"]["externalId"],
        "ada"
    );
    let neither = world.by("programs:read members:read");
    assert_eq!(neither.data(node, json!({"id": id})).await["node"], Value::Null);
}

async fn what_an_erased_member_waits_for_is_called_off(app: &TestApp) {
    let world = World::new(app).await;
    world
        .reward(json!({"key": "mug", "price": 100, "stock": 5, "fulfilledBy": "spa"}))
        .await;
    world.members(&["ada-lovelace"]).await;
    world.give_points("ada-lovelace", "points", 300).await;
    let held = world.redeemed("ada-lovelace", "mug", "ada-lovelace-1").await;
    let cancelled = world.redeemed("ada-lovelace", "mug", "ada-lovelace-2").await;
    let input = json!({"redemption": cancelled, "reason": "ada-lovelace has moved"});
    settle(&world, "cancelRedemption", input).await.unwrap();
    world
        .backend()
        .change("eraseMember", json!({"member": "ada-lovelace"}), "erased")
        .await;
    assert_eq!(world.stock("mug").await, 5);
    assert_eq!(app.tables_with("ada-lovelace").await, Vec::<&str>::new());
    // The partner learns that it is over, and nobody's name.
    let [held, cancelled] = [
        world.to_the_partner(&held).await,
        world.to_the_partner(&cancelled).await,
    ];
    let query = "{ feed { entries { kind redemption { id status memberRef } } } }";
    let data = world.partner().data(query, json!({})).await;
    let entries = data["feed"]["entries"].as_array().unwrap();
    let entry = |kind: &str, id: &str, status: &str| json!({"kind": kind, "redemption": {"id": id, "status": status, "memberRef": "erased"}});
    assert_eq!(
        entries[..],
        [
            entry("REDEMPTION_REQUESTED", &held, "HELD"),
            entry("REDEMPTION_REQUESTED", &cancelled, "HELD"),
            entry("REDEMPTION_CANCELLED", &cancelled, "CANCELLED"),
            entry("REDEMPTION_CANCELLED", &held, "CANCELLED"),
        ]
    );
}
