//! The worlds that points and rewards come from, each from the first set-up to the last point: an app for meditation, a fashion shop,
//! and an insurer's wellness program.

use api::auth::viewer::Party;
use axum::body::Body;
use http::Request;
use http::header::AUTHORIZATION;
use serde_json::{Value, json};

use crate::harness::{Caller, Event, TestApp, World, event};

on_both!(
    a_meditation_app_counts_mindful_minutes,
    a_fashion_shop_gives_a_point_per_euro,
    five_days_of_logging_give_a_pillow,
);

/// Everything that the backend of an app does for its members.
const BACKEND: &str = "events:write member:any members:write points:read redemptions:write";

/// What a member has of a category: available, pending.
async fn balance(caller: &Caller<'_>, member: &str, category: &str) -> (i64, i64) {
    let query = "query($member: String!, $category: String) {
        member(externalId: $member) { points(category: $category) { category available pending } }
    }";
    let data = caller
        .data(query, json!({"member": member, "category": category}))
        .await;
    let balances = data["member"]["points"].as_array().unwrap();
    match balances.as_slice() {
        [] => (0, 0),
        [one] => (
            one["available"].as_i64().unwrap(),
            one["pending"].as_i64().unwrap(),
        ),
        more => panic!("{} balances of one category", more.len()),
    }
}

/// What has happened to a member's points, newest first: kind, amount, balance after it.
async fn history(caller: &Caller<'_>, member: &str) -> Vec<(String, i64, i64)> {
    let query = "query($member: String!) {
        member(externalId: $member) { pointsHistory(first: 100) { nodes { kind amount balanceAfter reason } } }
    }";
    let data = caller.data(query, json!({"member": member})).await;
    let nodes = data["member"]["pointsHistory"]["nodes"].as_array().unwrap();
    let each = |node: &Value| {
        assert!(!node["reason"].as_str().unwrap().is_empty());
        (
            node["kind"].as_str().unwrap().to_owned(),
            node["amount"].as_i64().unwrap(),
            node["balanceAfter"].as_i64().unwrap(),
        )
    };
    nodes.iter().map(each).collect()
}

fn kinds(history: &[(String, i64, i64)]) -> Vec<(&str, i64, i64)> {
    history
        .iter()
        .map(|(kind, amount, after)| (kind.as_str(), *amount, *after))
        .collect()
}

async fn a_meditation_app_counts_mindful_minutes(app: &TestApp) {
    let world = World::new(app).await;
    let admin = world.admin();
    let schema = json!({"type": "object", "properties": {
        "action": {"type": "string"}, "objectType": {"type": "string"}, "minutes": {"type": "number"}
    }});
    let kind =
        json!({"key": "app.action", "name": "Something was done in the app", "propertiesSchema": schema});
    admin.change("createEventType", kind, "eventType { key }").await;
    let meditated = json!({"eventType": "app.action", "where": [
        {"path": "properties.action", "op": "EQ", "value": "completed"},
        {"path": "properties.objectType", "op": "EQ", "value": "meditation"}
    ]});
    world
        .incentive(json!({
            "program": "wellbeing", "key": "mindful", "name": "A meditation a day", "trigger": meditated,
            "structure": {"immediate": true}, "limit": {"unlimited": true},
            "outcomes": [{"points": {"category": "MINDFULNESS", "amount": 10}}]
        }))
        .await;
    let week = json!({
        "program": "wellbeing", "key": "mindful-week", "name": "The mindful week", "multiplier": "2",
        "startsOn": "2026-11-16", "endsOn": "2026-11-22"
    });
    admin.change("createBoost", week, "boost { key }").await;
    world.members(&["ada"]).await;

    let action = |id: &str, at: &str, action: &str, object: &str| -> Event {
        let properties = json!({"action": action, "objectType": object, "minutes": 12});
        event(id, "ada", at)
            .of("app.action")
            .set("properties", properties)
    };
    world
        .did([
            action("a1", "2026-11-15T10:00:00Z", "completed", "meditation"),
            action("a2", "2026-11-16T10:00:00Z", "completed", "meditation"),
            action("a3", "2026-11-16T11:00:00Z", "started", "meditation"),
            action("a4", "2026-11-16T12:00:00Z", "completed", "course"),
        ])
        .await;
    let backend = world.by(BACKEND);
    assert_eq!(balance(&backend, "ada", "MINDFULNESS").await, (30, 0));
    // A meditation earns points, and is nothing that a partner hears of.
    assert_eq!(world.feed_length().await, 0);
    assert_eq!(world.times("ada", "mindful").await, 0);
    let earned = history(&backend, "ada").await;
    assert_eq!(kinds(&earned), [("EARNED", 20, 30), ("EARNED", 10, 10)]);
    // The phone sends it once more, and takes one back.
    let again = backend
        .record([Value::from(action(
            "a2",
            "2026-11-16T10:00:00Z",
            "completed",
            "meditation",
        ))])
        .await;
    assert_eq!(again, ["DUPLICATE"]);
    world.took_back(&["a2"]).await;
    assert_eq!(balance(&backend, "ada", "MINDFULNESS").await, (10, 0));
    let taken = history(&backend, "ada").await;
    assert_eq!(kinds(&taken)[0], ("CLAWED_BACK", -20, 10));
    let own = world.member("ada").await;
    assert_eq!(balance(&own, "ada", "MINDFULNESS").await, (10, 0));
}

fn order(id: &str, event_type: &str, order: &str, total: i64, at: &str) -> Event {
    let properties = json!({"order": order, "total": total, "currency": "EUR"});
    event(id, "bea", at).of(event_type).set("properties", properties)
}

fn completed(id: &str, name: &str, total: i64, at: &str) -> Event {
    order(id, "order.completed", name, total, at)
}

fn refunded(id: &str, name: &str, remains: i64, at: &str) -> Event {
    order(id, "order.refunded", name, remains, at)
}

async fn a_fashion_shop_gives_a_point_per_euro(app: &TestApp) {
    let world = World::new(app).await;
    let admin = world.admin();
    world
        .incentive(json!({
            "program": "wellbeing", "key": "per-euro", "name": "A point per euro", "trigger": {"eventType": "order.completed"},
            "structure": {"immediate": true}, "limit": {"unlimited": true},
            "outcomes": [{"points": {
                "perUnit": {"property": "total", "points": "0.01"}, "expiresAfter": "P1Y",
                "refund": {"eventType": "order.refunded", "match": "order", "shortfall": "NET"}
            }}]
        }))
        .await;
    let scarf = json!({"program": "wellbeing", "key": "scarf", "name": "A silk scarf", "price": 50, "stock": 2, "fulfilledBy": "spa"});
    admin.change("createReward", scarf, "reward { key }").await;
    world.members(&["bea"]).await;
    let backend = world.by(BACKEND);

    world
        .did([completed("e1", "o1", 12_999, "2026-11-20T09:00:00Z")])
        .await;
    assert_eq!(balance(&backend, "bea", "points").await, (129, 0));
    let request = Request::get("/v1/members/bea/points");
    let request = request.header(AUTHORIZATION, format!("Bearer {}", backend.token().unwrap()));
    let answer = backend.send(request.body(Body::empty()).unwrap()).await;
    assert_eq!(answer.json()["balances"][0]["available"], json!(129));

    let redeem = json!({"member": "bea", "reward": "scarf", "idempotencyKey": "k1"});
    let made = backend
        .change(
            "redeemReward",
            redeem.clone(),
            "redemption { id status pointsSpent }",
        )
        .await;
    assert_eq!(made["redemption"]["status"], json!("HELD"));
    assert_eq!(made["redemption"]["pointsSpent"], json!(50));
    let again = backend
        .change("redeemReward", redeem, "redemption { id status pointsSpent }")
        .await;
    assert_eq!(again, made);
    assert_eq!(balance(&backend, "bea", "points").await, (79, 0));

    let partner = app.by(Party::Partner(world.partner), "feed:read fulfilment:write");
    let query = "{ feed { entries { kind redemption { id quantity status reward { key } member { externalId } } } } }";
    let feed = partner.data(query, json!({})).await;
    let told = &feed["feed"]["entries"][0];
    assert_eq!(told["kind"], json!("REDEMPTION_REQUESTED"));
    assert_eq!(told["redemption"]["reward"]["key"], json!("scarf"));
    assert_eq!(told["redemption"]["member"], json!(null));
    let fulfil = json!({"redemption": told["redemption"]["id"], "reference": "parcel-7"});
    let done = partner
        .change("fulfilRedemption", fulfil, "redemption { status }")
        .await;
    assert_eq!(done["redemption"]["status"], json!("FULFILLED"));

    // She sends back the coat, then everything; by then most of the points are spent.
    world
        .did([refunded("e2", "o1", 8_000, "2026-11-20T10:00:00Z")])
        .await;
    assert_eq!(balance(&backend, "bea", "points").await, (30, 0));
    world.did([refunded("e3", "o1", 0, "2026-11-20T11:00:00Z")]).await;
    assert_eq!(balance(&backend, "bea", "points").await, (0, 0));
    // What was missing goes off the next order.
    world
        .did([completed("e4", "o2", 10_000, "2026-11-20T11:30:00Z")])
        .await;
    assert_eq!(balance(&backend, "bea", "points").await, (50, 0));
    let entries = history(&backend, "bea").await;
    assert_eq!(
        kinds(&entries),
        [
            ("CLAWED_BACK", -50, 50),
            ("EARNED", 100, 100),
            ("CLAWED_BACK", -30, 0),
            ("CLAWED_BACK", -49, 30),
            ("REDEEMED", -50, 79),
            ("EARNED", 129, 129),
        ]
    );
}

async fn five_days_of_logging_give_a_pillow(app: &TestApp) {
    let world = World::new(app).await;
    let admin = world.admin();
    let pillow = json!({"program": "wellbeing", "key": "pillow", "name": "A pregnancy pillow", "price": 0, "stock": 3, "fulfilledBy": "spa"});
    admin.change("createReward", pillow, "reward { key }").await;
    let log = |key: &str, outcome: Value| {
        json!({
            "program": "wellbeing", "key": key, "name": key, "trigger": {"eventType": "health_data.logged"},
            "structure": {"streak": {"length": 5}}, "limit": {"once": true}, "outcomes": [outcome]
        })
    };
    world
        .incentive(log(
            "pillow-for-five-days",
            json!({"reward": {"reward": "pillow"}}),
        ))
        .await;
    world.members(&["cleo", "dora"]).await;
    // Dora shares nothing with partners.
    let word = json!({"externalId": "dora", "consents": [{"purpose": "PARTNER_SHARING", "given": false}]});
    world.register(vec![word]).await;
    let logged = |member: &'static str| {
        (16..21).map(move |day| {
            let id = format!("{member}-{day}");
            event(&id, member, &format!("2026-11-{day}T08:00:00Z")).of("health_data.logged")
        })
    };
    world.did(logged("cleo").chain(logged("dora"))).await;
    let told = world.told().await;
    assert_eq!(told, [("REDEMPTION_REQUESTED".to_owned(), "HELD".to_owned())]);
    for member in ["cleo", "dora"] {
        assert_eq!(world.redemptions(member).await, ["HELD"]);
        // What gives a pillow and no achievement is none.
        assert_eq!(world.times(member, "pillow-for-five-days").await, 0);
    }
    assert_eq!(world.stock("pillow").await, json!(1));
    // By default what is sensitive is kept when its cause is taken back.
    world.took_back(&["cleo-18"]).await;
    assert_eq!(world.redemptions("cleo").await, ["HELD"]);
    // Dora changes her mind, and the partner that sends pillows learns of hers.
    let word = json!({"externalId": "dora", "consents": [{"purpose": "PARTNER_SHARING", "given": true}]});
    world.register(vec![word]).await;
    assert_eq!(world.told().await.len(), 2);
}
