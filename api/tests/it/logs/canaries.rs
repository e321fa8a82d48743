//! A thousand words that stand nowhere but in what is sent of members: where each of them may be read, and where none of them.

use std::cell::Cell;

use api::auth::viewer::Party;
use axum::body::Body;
use http::Request;
use serde_json::{Value, json};

use super::captured;
use crate::harness::{Receiver, TestApp, World, event, incentive_input};

on_both!(no_word_of_a_member_leaves_by_a_door_that_is_not_its_own);

const MEMBERS: usize = 100;

/// Hands out words, each once.
#[derive(Default)]
struct Mint(Cell<usize>);

impl Mint {
    fn word(&self) -> String {
        self.0.set(self.0.get() + 1);
        format!("cnry{:04}end", self.0.get())
    }
}

/// The first of the words that a text has.
fn word_in(text: &str) -> Option<&str> {
    let start = text.find("cnry")?;
    text.get(start..start + 11)
}

/// Every message of an answer, wherever it stands.
fn messages(answer: &Value, found: &mut Vec<String>) {
    match answer {
        Value::Array(items) => items.iter().for_each(|item| messages(item, found)),
        Value::Object(fields) => {
            for (name, value) in fields {
                match value {
                    Value::String(text) if name == "message" => found.push(text.clone()),
                    _ => messages(value, found),
                }
            }
        }
        _ => {}
    }
}

fn person(mint: &Mint, name: &str) -> Value {
    json!({
        "externalId": name, "email": format!("{}@example.org", mint.word()), "locale": "de-DE",
        "attributes": {mint.word(): mint.word(), "plan": {"name": mint.word()}},
        "consents": [{"purpose": "PARTNER_SHARING", "given": true, "wording": mint.word()}],
    })
}

fn bought(mint: &Mint, name: &str) -> Value {
    let properties =
        json!({"order": mint.word(), "total": 5000, "currency": "EUR", mint.word(): mint.word()});
    event(&mint.word(), name, "2026-11-20T10:00:00Z")
        .of("order.completed")
        .set("source", json!(mint.word()))
        .set("properties", properties)
        .into()
}

/// What is wrong in each way there is, with words in it.
fn wrong(mint: &Mint, name: &str) -> Vec<Value> {
    let good = || bought(mint, name);
    let with = |field: &str, value: Value| {
        let mut event = good();
        event[field] = value;
        event
    };
    vec![
        with("member", json!(mint.word())),
        with("type", json!(mint.word())),
        with("occurredAt", json!("2020-01-01T00:00:00Z")),
        with("occurredAt", json!("2030-01-01T00:00:00Z")),
        with("properties", json!({"order": mint.word(), "total": mint.word()})),
        with("properties", json!(mint.word())),
        with("source", json!(format!("{}\u{7}", mint.word()))),
    ]
}

async fn world<'a>(app: &'a TestApp, mint: &Mint) -> (World<'a>, Receiver) {
    let world = World::new(app).await;
    let mut input = incentive_input(
        "euros",
        "order.completed",
        json!({"immediate": true}),
        json!({"unlimited": true}),
    );
    let points = json!({"perUnit": {"property": "total", "points": "0.01"}});
    input["outcomes"] = json!([{"achievement": {"title": "Bought"}}, {"points": points}]);
    world.incentive(input).await;
    for reward in [
        json!({"key": "cup", "price": 1}),
        json!({"key": "mug", "price": 1, "fulfilledBy": "spa"}),
    ] {
        world.reward(reward).await;
    }
    let receiver = Receiver::start().await;
    let spa = app.by(Party::Partner(world.partner), "webhooks:write");
    let hook = json!({"url": receiver.url()});
    spa.change("createWebhookEndpoint", hook, "endpoint { id }").await;
    let refused = world
        .backend()
        .mutate(
            "registerMembers",
            json!({"members": [
                {"externalId": mint.word(), "email": mint.word()}, {"externalId": mint.word(), "timeZone": mint.word()},
                {"externalId": mint.word(), "consents": [{"purpose": "EMAIL", "partner": mint.word(), "given": true}]},
            ]}),
            "results { error { message } }",
        )
        .await;
    let mut found = Vec::new();
    messages(&refused, &mut found);
    assert!(found.len() >= 2, "{refused}");
    for text in &found {
        assert_eq!(word_in(text), None, "{text}");
    }
    (world, receiver)
}

async fn no_word_of_a_member_leaves_by_a_door_that_is_not_its_own(app: &TestApp) {
    let (log, _guard) = captured();
    let mint = Mint::default();
    let (world, receiver) = world(app, &mint).await;
    let names: Vec<String> = (0..MEMBERS).map(|_| mint.word()).collect();
    world
        .register(names.iter().map(|name| person(&mint, name)).collect())
        .await;
    let orders: Vec<Value> = names.iter().map(|name| bought(&mint, name)).collect();
    let ids: Vec<Value> = orders.iter().map(|order| order["id"].clone()).collect();
    let sources: Vec<Value> = orders.iter().map(|order| order["source"].clone()).collect();
    let statuses = world.backend().record(orders).await;
    assert!(statuses.iter().all(|status| status == "ACCEPTED"), "{statuses:?}");
    let mut told = Vec::new();
    let sent = json!({"input": {"events": wrong(&mint, &names[0])}});
    let query = "mutation($input: RecordEventsInput!) { recordEvents(input: $input) { results { status error { code message } } } }";
    let answer = world.backend().ask(query, sent).await;
    messages(&answer.json(), &mut told);
    for body in wrong(&mint, &names[1]) {
        let cloud = json!({"specversion": "1.0", "id": body["id"], "source": body["source"], "type": body["type"],
            "subject": body["member"], "time": body["occurredAt"], "data": body["properties"], "note": mint.word()});
        let answer = world
            .backend()
            .post_events("application/cloudevents+json", cloud.to_string())
            .await;
        messages(&answer.json(), &mut told);
    }
    assert!(told.len() >= 10, "{told:?}");
    app.run_jobs().await;

    let shop = world.shop();
    let admin = world.by("points:write");
    let reason =
        json!({"member": names[0], "amount": 5, "reason": mint.word(), "idempotencyKey": mint.word()});
    admin.change("adjustPoints", reason, "entryId").await;
    for (reward, field, text) in [
        ("cup", "fulfilRedemption", "reference"),
        ("mug", "cancelRedemption", "reason"),
    ] {
        let id = world.redeemed(&names[1], reward, &mint.word()).await;
        let input = json!({"redemption": id, text: mint.word()});
        shop.change(field, input, "redemption { id }").await;
    }
    let retracted: Vec<Value> = ids
        .iter()
        .zip(&sources)
        .take(20)
        .map(|(id, source)| json!({"id": id, "source": source, "reason": mint.word()}))
        .collect();
    let input = json!({"events": retracted});
    world
        .backend()
        .change("retractEvents", input, "results { status }")
        .await;
    app.run_jobs().await;
    app.deliver().await;
    assert!(mint.0.get() >= 1_000, "there are only {} words", mint.0.get());

    let partner = world.partner();
    let feed = partner
        .ask(
            "{ feed { entries { id cursor recordedAt kind achievement { id memberRef title } redemption { id } } } }",
            json!({}),
        )
        .await;
    let file = async |path: &str| {
        let request = Request::get(path)
            .header("authorization", format!("Bearer {}", partner.token().unwrap()))
            .body(Body::empty())
            .unwrap();
        partner.send(request).await.text
    };
    let calls = receiver.calls();
    assert!(calls.len() > MEMBERS, "{} calls", calls.len());
    let calls: Vec<String> = calls.iter().map(|call| format!("{call:?}")).collect();
    let [csv, lines] = [file("/v1/feed.csv").await, file("/v1/feed.ndjson").await];
    assert!(csv.lines().count() > MEMBERS && lines.lines().count() > MEMBERS);
    let metrics = app.metrics().await;
    assert!(metrics.contains("plaudit_events_total"), "{metrics}");
    for (where_to, text) in [
        ("the feed", feed.text.as_str()),
        ("a file", &csv),
        ("a file", &lines),
        ("a webhook", &calls.join("\n")),
        ("the metrics", &metrics),
        ("an error", &told.join("\n")),
        ("a log", &log.text()),
    ] {
        assert_eq!(word_in(text), None, "a word of a member went to {where_to}");
    }
}
