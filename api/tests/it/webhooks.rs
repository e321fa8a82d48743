//! Webhooks: a partner is called with each entry of its feed, until it has taken it.

mod endpoints;
mod retries;
mod several;

use api::auth::viewer::Party;
use serde_json::{Value, json};

use crate::harness::{Caller, Receiver, TestApp, World, event, incentive_input};

on_both!(
    an_entry_is_posted_as_the_feed_shows_it_and_signed,
    an_endpoint_is_told_of_its_kinds_from_its_creation_on,
    while_an_endpoint_has_all_the_calls_it_may_nobody_looks_for_more,
    after_a_rotation_both_secrets_sign_for_a_day,
    entries_are_sent_again_by_range_and_by_id,
    what_was_delivered_can_be_looked_at_for_a_month,
    an_erased_member_is_taken_out_of_what_endpoints_have_answered,
);

/// A world in which each event earns something, and whose partner has an endpoint.
async fn world(app: &TestApp) -> World<'_> {
    let world = World::new(app).await;
    let (structure, limit) = (json!({"immediate": true}), json!({"unlimited": true}));
    world
        .incentive(incentive_input(
            "always",
            "meditation.completed",
            structure,
            limit,
        ))
        .await;
    world.members(&["ada"]).await;
    world
}

/// The partner, with what it needs for webhooks.
fn spa<'a>(world: &World<'a>) -> Caller<'a> {
    let party = Party::Partner(world.partner);
    world.app.by(party, "feed:read webhooks:write")
}

/// An entry for each of these minutes.
async fn entries(world: &World<'_>, minutes: std::ops::Range<u32>) {
    let at = |minute| format!("2026-11-21T10:{minute:02}:00Z");
    world
        .did(minutes.map(|minute| event(&format!("e{minute}"), "ada", &at(minute))))
        .await;
}

/// Sets up an endpoint; its id and its secret.
async fn endpoint(world: &World<'_>, url: &str) -> (String, String) {
    let selection = "endpoint { id state } secret";
    let made = spa(world)
        .change("createWebhookEndpoint", json!({"url": url}), selection)
        .await;
    assert_eq!(made["endpoint"]["state"], "ACTIVE");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    (text(&made["endpoint"]["id"]), text(&made["secret"]))
}

const ENDPOINT: &str = "query($id: ID!, $status: WebhookDeliveryStatus) { node(id: $id) { ... on WebhookEndpoint {
    id url kinds state parkedAt parkedBecause failures closedUntil previousSecretUntil pendingCount
    deliveries(first: 100, status: $status) { pageInfo { hasNextPage } nodes { entryId position status attemptCount dueAt deliveredAt
        attempts { number attemptedAt milliseconds status error answer } } } } } }";

/// An endpoint as its partner sees it, with its deliveries.
async fn shown(world: &World<'_>, id: &str) -> Value {
    spa(world).data(ENDPOINT, json!({"id": id})).await["node"].clone()
}

/// The positions of the deliveries that stand so.
async fn standing(world: &World<'_>, id: &str, status: &str) -> Vec<i64> {
    let data = spa(world)
        .data(ENDPOINT, json!({"id": id, "status": status}))
        .await;
    let nodes = data["node"]["deliveries"]["nodes"].as_array().unwrap();
    nodes
        .iter()
        .map(|node| node["position"].as_i64().unwrap())
        .collect()
}

async fn an_entry_is_posted_as_the_feed_shows_it_and_signed(app: &TestApp) {
    let world = world(app).await;
    let receiver = Receiver::start().await;
    let (id, secret) = endpoint(&world, receiver.url()).await;
    entries(&world, 20..21).await;
    app.deliver().await;
    let calls = receiver.calls();
    assert_eq!(calls.len(), 1);
    let told = jobs::told::list(app.app.db.read(), world.partner, 0, 9)
        .await
        .unwrap();
    let wanted = json!({"type": "achievement.earned", "timestamp": "2026-11-21T12:00:00Z", "data": told[0]});
    assert_eq!(calls[0].json(), wanted);
    assert_eq!(calls[0].header("webhook-id"), told[0].id);
    assert_eq!(
        calls[0].header("webhook-timestamp"),
        app.now().timestamp().to_string()
    );
    assert_eq!(calls[0].header("content-type"), "application/json");
    assert!(calls[0].is_signed_by(&secret) && !calls[0].is_signed_by("whsec_AAAA"));
    let shown = shown(&world, &id).await;
    let delivery = &shown["deliveries"]["nodes"][0];
    assert_eq!(
        (&delivery["entryId"], &delivery["position"]),
        (&json!(told[0].id), &json!(1))
    );
    assert_eq!(
        (&delivery["status"], &delivery["dueAt"]),
        (&json!("DELIVERED"), &Value::Null)
    );
    let attempt = &delivery["attempts"][0];
    assert_eq!(
        (
            &attempt["number"],
            &attempt["status"],
            &attempt["error"],
            &attempt["answer"]
        ),
        (&json!(1), &json!(204), &Value::Null, &Value::Null)
    );
    assert_eq!(shown["pendingCount"], 0);
    // Nothing is sent twice, and the secret is shown nowhere again.
    app.deliver().await;
    assert_eq!(receiver.calls().len(), 1);
    assert!(!shown.to_string().contains("whsec_"));
}

async fn while_an_endpoint_has_all_the_calls_it_may_nobody_looks_for_more(app: &TestApp) {
    let world = world(app).await;
    endpoint(&world, "https://partner.example/").await;
    entries(&world, 20..26).await;
    let take = async || jobs::deliver::claim::take(&app.app.jobs, 512).await.unwrap();
    assert_eq!(take().await.calls.len(), 4);
    // The two that are left are due, and wait for the end of a call, not for the next moment.
    let second = take().await;
    assert_eq!((second.calls.len(), second.next), (0, None));
    // Where nobody ends them, their leases do.
    app.pass(chrono::TimeDelta::seconds(31));
    assert_eq!(take().await.calls.len(), 4);
}

async fn an_endpoint_is_told_of_its_kinds_from_its_creation_on(app: &TestApp) {
    let world = world(app).await;
    entries(&world, 15..17).await;
    let (all, revoked) = (Receiver::start().await, Receiver::start().await);
    endpoint(&world, all.url()).await;
    let input = json!({"url": revoked.url(), "kinds": ["ACHIEVEMENT_REVOKED"]});
    let made = spa(&world)
        .change("createWebhookEndpoint", input, "endpoint { id kinds }")
        .await;
    assert_eq!(made["endpoint"]["kinds"], json!(["ACHIEVEMENT_REVOKED"]));
    entries(&world, 18..20).await;
    world.took_back(&["e18"]).await;
    app.deliver().await;
    assert_eq!(all.positions(), [3, 4, 5]);
    assert_eq!(revoked.positions(), [5]);
    assert_eq!(revoked.calls()[0].json()["type"], "achievement.revoked");
    // Changed, it is told of what comes then; deleted, of nothing more.
    let id = &made["endpoint"]["id"];
    let change = json!({"endpoint": id, "kinds": null, "description": "All of it"});
    let changed = spa(&world)
        .change(
            "updateWebhookEndpoint",
            change,
            "endpoint { url kinds description }",
        )
        .await;
    let wanted = json!({"url": revoked.url(), "kinds": null, "description": "All of it"});
    assert_eq!(changed["endpoint"], wanted);
    entries(&world, 20..21).await;
    let deleted = spa(&world)
        .change("deleteWebhookEndpoint", json!({"endpoint": id}), "deletedId")
        .await;
    assert_eq!(&deleted["deletedId"], id);
    entries(&world, 21..22).await;
    app.deliver().await;
    assert_eq!(all.positions(), [3, 4, 5, 6, 7]);
    assert_eq!(revoked.positions(), [5]);
}

async fn after_a_rotation_both_secrets_sign_for_a_day(app: &TestApp) {
    let world = world(app).await;
    let receiver = Receiver::start().await;
    let (id, old) = endpoint(&world, receiver.url()).await;
    let rotated = spa(&world)
        .change(
            "rotateWebhookSecret",
            json!({"endpoint": id}),
            "endpoint { previousSecretUntil } secret",
        )
        .await;
    let new = rotated["secret"].as_str().unwrap();
    assert_eq!(rotated["endpoint"]["previousSecretUntil"], "2026-11-22T12:00:00Z");
    entries(&world, 20..21).await;
    app.deliver().await;
    app.set_clock("2026-11-22T12:00:00Z");
    entries(&world, 21..22).await;
    app.deliver().await;
    let signed: Vec<_> = receiver
        .calls()
        .iter()
        .map(|call| (call.is_signed_by(&old), call.is_signed_by(new)))
        .collect();
    assert_eq!(signed, [(true, true), (false, true)]);
}

async fn entries_are_sent_again_by_range_and_by_id(app: &TestApp) {
    let world = world(app).await;
    entries(&world, 10..13).await;
    let receiver = Receiver::start().await;
    let (id, _) = endpoint(&world, receiver.url()).await;
    entries(&world, 13..16).await;
    app.deliver().await;
    assert_eq!(receiver.positions(), [4, 5, 6]);
    let first = receiver.calls();
    let replay = async |more: Value| {
        let mut input = json!({"endpoint": id});
        input
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        let payload = spa(&world).change("replayWebhooks", input, "replayedCount").await;
        app.deliver().await;
        payload["replayedCount"].as_i64().unwrap()
    };
    // Also what was told before there was an endpoint.
    assert_eq!(replay(json!({"fromPosition": 3, "toPosition": 4})).await, 2);
    assert_eq!(receiver.positions(), [3, 4, 4, 5, 6]);
    let entry = first[1].header("webhook-id");
    assert_eq!(
        replay(json!({"entries": [entry, "fde_01ARZ3NDEKTSV4RRFFQ69G5FAV"]})).await,
        1
    );
    assert_eq!(receiver.positions(), [3, 4, 4, 5, 5, 6]);
    assert_eq!(replay(json!({"failedOnly": true})).await, 0);
    assert_eq!(replay(json!({})).await, 6);
    let positions = receiver.positions();
    assert_eq!(positions.len(), 12);
    let ids = |position| {
        let calls = receiver
            .calls()
            .into_iter()
            .filter(|call| call.position() == position);
        let ids = calls.map(|call| call.header("webhook-id").to_owned());
        ids.collect::<std::collections::BTreeSet<_>>().len()
    };
    assert!((1..=6).all(|position| ids(position) == 1));
    assert_eq!(standing(&world, &id, "DELIVERED").await, [6, 5, 4, 3, 2, 1]);
    let mut refused = Vec::new();
    for bad in [
        json!({"fromPosition": 0}),
        json!({"toPosition": -1}),
        json!({"entries": []}),
    ] {
        let mut input = json!({"endpoint": id});
        input
            .as_object_mut()
            .unwrap()
            .extend(bad.as_object().unwrap().clone());
        refused.push(
            spa(&world)
                .fault("replayWebhooks", input, "replayedCount")
                .await
                .0,
        );
    }
    assert_eq!(refused, ["INVALID_INPUT"; 3]);
}

async fn what_was_delivered_can_be_looked_at_for_a_month(app: &TestApp) {
    let world = world(app).await;
    let (receiver, other) = (Receiver::start().await, Receiver::start().await);
    let (id, _) = endpoint(&world, receiver.url()).await;
    let (gone, _) = endpoint(&world, other.url()).await;
    entries(&world, 20..21).await;
    app.deliver().await;
    let rows = async || {
        let attempts = app.count("SELECT count(*) AS count FROM delivery_attempt").await;
        (
            app.count("SELECT count(*) AS count FROM delivery").await,
            attempts,
        )
    };
    spa(&world)
        .change("deleteWebhookEndpoint", json!({"endpoint": gone}), "deletedId")
        .await;
    app.set_clock("2026-12-21T11:59:59Z");
    jobs::purge::run(&app.app.jobs).await.unwrap();
    assert_eq!(rows().await, (1, 1));
    assert_eq!(standing(&world, &id, "DELIVERED").await, [1]);
    let endpoints = "SELECT count(*) AS count FROM webhook_endpoint";
    assert_eq!(app.count(endpoints).await, 1);
    app.set_clock("2026-12-21T12:00:01Z");
    jobs::purge::run(&app.app.jobs).await.unwrap();
    assert_eq!(rows().await, (0, 0));
    // Forgotten is not undone: it is not sent again.
    app.deliver().await;
    assert_eq!(receiver.positions(), [1]);
}

async fn an_erased_member_is_taken_out_of_what_endpoints_have_answered(app: &TestApp) {
    let world = world(app).await;
    let receiver = Receiver::start().await;
    let (id, _) = endpoint(&world, receiver.url()).await;
    receiver.next([crate::harness::Reply::Full(
        200,
        "x-a",
        "b".to_owned(),
        "thanks for canary".to_owned(),
    )]);
    entries(&world, 20..21).await;
    app.deliver().await;
    assert_eq!(app.tables_with("canary").await, ["delivery_attempt"]);
    world
        .by("members:write")
        .change("eraseMember", json!({"member": "ada"}), "erased")
        .await;
    assert_eq!(app.tables_with("canary").await, Vec::<&str>::new());
    let delivery = shown(&world, &id).await["deliveries"]["nodes"][0].clone();
    assert_eq!(delivery["attempts"][0]["answer"], Value::Null);
}
