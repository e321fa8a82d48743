//! What members and administrators see of messages, and what a person decides about one of which nobody knows what came of it.

use serde_json::{Value, json};

use crate::harness::{TestApp, World, event};

on_both!(
    a_member_reads_why_a_message_went_and_why_one_did_not,
    an_administrator_sees_no_message_of_something_sensitive,
    nobody_else_finds_a_message,
    whoever_is_known_from_events_alone_has_not_registered,
    a_message_of_which_nobody_knows_is_listed_and_can_be_sent_again,
    an_unknown_message_of_something_sensitive_is_listed_without_its_member,
);

const MESSAGES: &str = "query($member: String!) { member(externalId: $member) { messages { nodes {
    id campaign { key name } member { externalId } state reason waitsFor triggeredAt dueAt expiresAt settledAt tries answerCode
    convertedAt } } } }";

async fn world(app: &TestApp) -> World<'_> {
    let world = World::new(app).await;
    world.campaign("thanks", json!({})).await;
    world.sends("thanks", "meditation.completed").await;
    world.campaign("baby", json!({})).await;
    world.sends("baby", "birth.reported").await;
    world.members(&["ada", "bob"]).await;
    world
        .did([
            event("e1", "ada", "2026-11-21T10:00:00Z"),
            event("e2", "ada", "2026-11-21T11:00:00Z").of("birth.reported"),
        ])
        .await;
    world
}

fn nodes(data: &Value) -> &Vec<Value> {
    data["member"]["messages"]["nodes"].as_array().unwrap()
}

async fn a_member_reads_why_a_message_went_and_why_one_did_not(app: &TestApp) {
    let world = world(app).await;
    let thanks = world
        .messages_of("ada")
        .await
        .into_iter()
        .find(|row| !row.sensitive)
        .unwrap();
    world.settled(thanks.id, "DROPPED", Some("NO_CONSENT")).await;
    let ada = world.member("ada").await;
    for caller in [ada, world.backend()] {
        let data = caller.data(MESSAGES, json!({"member": "ada"})).await;
        let messages = nodes(&data);
        assert_eq!(messages.len(), 2);
        let thanked = messages
            .iter()
            .find(|node| node["campaign"]["key"] == "thanks")
            .unwrap();
        assert_eq!(
            thanked,
            &json!({
                "id": thanks.id.to_string(), "campaign": {"key": "thanks", "name": "Name of thanks"},
                "member": {"externalId": "ada"}, "state": "DROPPED", "reason": "NO_CONSENT", "waitsFor": null,
                "triggeredAt": "2026-11-21T12:00:00Z", "dueAt": null, "expiresAt": "2026-11-22T12:00:00Z",
                "settledAt": "2026-11-21T12:00:00Z", "tries": 0, "answerCode": null, "convertedAt": null,
            })
        );
        let waiting = messages
            .iter()
            .find(|node| node["campaign"]["key"] == "baby")
            .unwrap();
        assert_eq!(
            (&waiting["state"], &waiting["reason"]),
            (&json!("PENDING"), &Value::Null)
        );
    }
}

async fn an_administrator_sees_no_message_of_something_sensitive(app: &TestApp) {
    let world = world(app).await;
    let admin = world.by("members:read");
    let data = admin.data(MESSAGES, json!({"member": "ada"})).await;
    let campaigns: Vec<&Value> = nodes(&data).iter().map(|node| &node["campaign"]["key"]).collect();
    assert_eq!(campaigns, [&json!("thanks")]);
    let node = "query($id: ID!) { node(id: $id) { id } }";
    for message in world.messages_of("ada").await {
        let id = json!({"id": message.id.to_string()});
        let seen = admin.data(node, id.clone()).await["node"].is_object();
        assert_eq!(seen, !message.sensitive);
        assert!(world.backend().data(node, id).await["node"].is_object());
    }
}

async fn nobody_else_finds_a_message(app: &TestApp) {
    let world = world(app).await;
    let globex = World::named(app, "globex", "tent").await;
    let (bob, stranger) = (world.member("bob").await, globex.by("members:read member:any"));
    let node = "query($id: ID!) { node(id: $id) { id } }";
    for message in world.messages_of("ada").await {
        let id = message.id.to_string();
        for caller in [&bob, &stranger, &world.partner()] {
            assert_eq!(caller.data(node, json!({"id": id})).await["node"], Value::Null);
        }
        let again = globex
            .admin()
            .fault("resendMessage", json!({"message": id}), "messageId")
            .await;
        assert_eq!(again, ("NOT_FOUND".to_owned(), "message".to_owned()));
    }
    assert_eq!(
        bob.data(MESSAGES, json!({"member": "ada"})).await["member"],
        Value::Null
    );
}

async fn whoever_is_known_from_events_alone_has_not_registered(app: &TestApp) {
    let world = world(app).await;
    let query = "query($id: String!, $employer: String) { member(externalId: $id, employer: $employer) { engaged engagedAt } }";
    let data = world.backend().data(query, json!({"id": "ada"})).await;
    assert_eq!(
        data["member"],
        json!({"engaged": true, "engagedAt": "2026-11-21T12:00:00Z"})
    );
    let input = json!({"key": "fridge", "name": "Fridge", "enrolment": "OPEN"});
    let made = app
        .operator()
        .change("createEmployer", input, "employer { id }")
        .await;
    let fridge = made["employer"]["id"].as_str().unwrap().parse().unwrap();
    let shop = app.by(
        api::auth::viewer::Party::Employer(fridge),
        "events:write member:any",
    );
    let bought = event("e1", "cyd", "2026-11-21T10:00:00Z").of("order.completed");
    let bought = bought.set(
        "properties",
        json!({"order": "o1", "total": 500, "currency": "EUR"}),
    );
    assert_eq!(shop.record([bought.into()]).await, ["ACCEPTED"]);
    let data = shop.data(query, json!({"id": "cyd"})).await;
    assert_eq!(data["member"], json!({"engaged": false, "engagedAt": null}));
}

const UNKNOWN: &str = "{ unknownMessages { nodes { id state campaign { key } member { externalId } } } }";

async fn unknown(caller: &crate::harness::Caller<'_>) -> Vec<Value> {
    let data = caller.data(UNKNOWN, json!({})).await;
    data["unknownMessages"]["nodes"].as_array().unwrap().clone()
}

async fn a_message_of_which_nobody_knows_is_listed_and_can_be_sent_again(app: &TestApp) {
    let world = world(app).await;
    let (admin, ada) = (world.admin(), world.messages_of("ada").await);
    let thanks = ada.iter().find(|row| !row.sensitive).unwrap();
    let input = json!({"message": thanks.id.to_string()});
    assert_eq!(unknown(&admin).await, Vec::<Value>::new());
    let refused = admin.fault("resendMessage", input.clone(), "messageId").await;
    assert_eq!(refused, ("INVALID_STATE".to_owned(), "message".to_owned()));
    world.settled(thanks.id, "UNKNOWN", None).await;
    let listed = json!({"id": thanks.id.to_string(), "state": "UNKNOWN", "campaign": {"key": "thanks"}, "member": {"externalId": "ada"}});
    assert_eq!(unknown(&admin).await, [listed]);
    app.set_clock("2026-11-25T12:00:00Z");
    let admin = world.admin();
    let sent = admin.change("resendMessage", input, "messageId").await;
    assert_eq!(sent["messageId"], json!(thanks.id.to_string()));
    assert_eq!(unknown(&admin).await, Vec::<Value>::new());
    let again = world.messages_of("ada").await;
    let again = again.iter().find(|row| row.id == thanks.id).unwrap();
    assert_eq!(again.state, entity::message::MessageState::Pending);
    assert_eq!(
        again.due_at,
        Some(crate::harness::at("2026-11-25T12:00:00Z").into())
    );
    assert_eq!(
        again.expires_at,
        crate::harness::at("2026-11-26T12:00:00Z").into()
    );
}

async fn an_unknown_message_of_something_sensitive_is_listed_without_its_member(app: &TestApp) {
    let world = world(app).await;
    let ada = world.messages_of("ada").await;
    let baby = ada.iter().find(|row| row.sensitive).unwrap();
    world.settled(baby.id, "UNKNOWN", None).await;
    assert_eq!(unknown(&world.by("members:read")).await[0]["member"], Value::Null);
    assert_eq!(
        unknown(&world.by("member:any")).await[0]["member"],
        json!({"externalId": "ada"})
    );
    let input = json!({"message": baby.id.to_string()});
    world.admin().change("resendMessage", input, "messageId").await;
    let query = "{ viewer { employer { auditLog(first: 1) { nodes { action subject members after } } } } }";
    let data = world.by("audit:read").data(query, json!({})).await;
    assert_eq!(
        data["viewer"]["employer"]["auditLog"]["nodes"],
        json!([{"action": "resendMessage", "subject": "message", "members": [], "after": null}])
    );
}
