//! What is another tenant's answers, byte for byte, like what never was.

use api::auth::viewer::{Party, ViewerKind};
use serde_json::{Value, json};

use super::example::Example;
use crate::harness::{Answer, Caller, TestApp, World, event, streak_input};

on_both!(
    another_employers_keys_answer_like_keys_that_never_were,
    another_tenants_ids_answer_like_ids_that_never_were,
    a_member_finds_nobody_else_under_any_id_or_key,
    the_operator_finds_employers_and_no_person,
);

/// Every scope of an employer's client.
const EVERYTHING: &str = "achievements:read events:write member:any members:read members:write points:read points:write \
                          programs:read programs:write redemptions:write reports:read";

/// An answer with what differs from request to request taken out.
fn masked(answer: &Answer) -> (u16, Value) {
    let mut body = answer.json();
    for error in body["errors"].as_array_mut().into_iter().flatten() {
        error["extensions"]["requestId"] = json!("masked");
    }
    // What it costs is the same for both; what is left after it is not.
    body["extensions"]["cost"]["available"] = json!("masked");
    (answer.status.as_u16(), body)
}

/// A second employer that has nothing but its menu.
async fn globex(app: &TestApp) -> Party {
    let made = app
        .operator()
        .change(
            "createEmployer",
            json!({"key": "globex", "name": "Globex"}),
            "employer { id }",
        )
        .await;
    Party::Employer(made["employer"]["id"].as_str().unwrap().parse().unwrap())
}

async fn world(app: &TestApp) -> World<'_> {
    let world = World::new(app).await;
    world
        .incentive(streak_input("first", 1, json!({"once": true})))
        .await;
    world
        .reward(json!({"key": "mug", "price": 0, "fulfilledBy": "spa"}))
        .await;
    world.campaign("hello", json!({})).await;
    world.members(&["ada", "bob"]).await;
    world.redeemed("ada", "mug", "k1").await;
    world
        .did([
            event("e1", "ada", "2026-11-21T10:00:00Z"),
            event("e2", "bob", "2026-11-21T10:00:00Z"),
        ])
        .await;
    world
}

async fn another_employers_keys_answer_like_keys_that_never_were(app: &TestApp) {
    world(app).await;
    let stranger = app.by(globex(app).await, EVERYTHING);
    let before = app.row_counts().await;
    let (mut asked, mut refused) = (0, 0);
    for example in Example::all() {
        let foreign = example.document(ViewerKind::Employer, "acme");
        if example.field.starts_with("Subscription.") || !foreign.contains("acme") {
            continue;
        }
        let missing = example.document(ViewerKind::Employer, "nada");
        let foreign = masked(&stranger.ask(&foreign, json!({})).await);
        let missing = masked(&stranger.ask(&missing, json!({})).await);
        assert_eq!(foreign, missing, "{}", example.field);
        asked += 1;
        refused += usize::from(foreign.1.to_string().contains("NOT_FOUND"));
    }
    assert!(asked > 10 && refused > 5, "{asked} asked, {refused} refused");
    // Inside the stranger's own tenant the other one's programs, members and incentives are no more there.
    for document in [
        r#"{ program(key: "{}") { key } }"#,
        r#"{ member(externalId: "{}") { id } }"#,
        r#"{ reward(key: "{}") { key } }"#,
        r#"{ campaign(key: "{}") { key } }"#,
        r#"{ achievements(filter: {member: "{}"}) { nodes { id } } }"#,
        r#"{ achievements(filter: {program: "{}"}) { nodes { id } } }"#,
        r#"{ achievements(filter: {incentive: "{}"}) { nodes { id } } }"#,
    ] {
        let mut answers = Vec::new();
        for key in ["wellbeing", "ada", "first", "mug", "hello", "missing"] {
            answers.push(masked(
                &stranger.ask(&document.replace("{}", key), json!({})).await,
            ));
        }
        assert!(answers.windows(2).all(|pair| pair[0] == pair[1]), "{document}");
    }
    assert_eq!(app.row_counts().await, before);
}

/// The answer to `node` and what it found.
async fn node(caller: &Caller<'_>, id: &str) -> (Answer, Value) {
    let query = "query($id: ID!) { node(id: $id) { __typename id } }";
    let answer = caller.ask(query, json!({"id": id})).await;
    let found = answer.json()["data"]["node"].clone();
    (answer, found)
}

/// Ids of everything that has one, each found by whoever it belongs to.
async fn ids(world: &World<'_>) -> Vec<String> {
    let query = "{ campaigns { nodes { id } } employer { id programs { id incentives { id } rewards { nodes { id } } }
        members { nodes { id achievements { nodes { id } } redemptions { nodes { id } } } } } }";
    let data = world.by(EVERYTHING).data(query, json!({})).await;
    let mut ids = Vec::new();
    collect(&data, &mut ids);
    for id in &ids {
        assert_eq!(node(&world.by(EVERYTHING), id).await.1["id"], json!(id));
    }
    for entry in world.feed().await {
        let id = entry["id"].as_str().unwrap().to_owned();
        assert_eq!(node(&world.partner(), &id).await.1["id"], json!(id));
        ids.push(id);
    }
    ids
}

fn collect(value: &Value, ids: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            ids.extend(fields.get("id").and_then(Value::as_str).map(str::to_owned));
            fields.values().for_each(|value| collect(value, ids));
        }
        Value::Array(items) => items.iter().for_each(|value| collect(value, ids)),
        _ => {}
    }
}

/// An id of the same type that never was.
fn never(id: &str) -> String {
    format!("{}_01ARZ3NDEKTSV4RRFFQ69G5FAV", id.split_once('_').unwrap().0)
}

async fn another_tenants_ids_answer_like_ids_that_never_were(app: &TestApp) {
    let world = world(app).await;
    let ids = ids(&world).await;
    assert!(ids.len() >= 12, "{ids:?}");
    let gym = app
        .operator()
        .change(
            "createPartner",
            json!({"key": "gym", "name": "Gym"}),
            "partner { id }",
        )
        .await;
    let gym = Party::Partner(gym["partner"]["id"].as_str().unwrap().parse().unwrap());
    let strangers = [
        app.by(globex(app).await, EVERYTHING),
        app.by(gym, "feed:read webhooks:write"),
    ];
    for stranger in &strangers {
        for id in &ids {
            let (foreign, found) = node(stranger, id).await;
            assert_eq!(found, Value::Null, "{id}");
            let (missing, _) = node(stranger, &never(id)).await;
            let (nonsense, _) = node(stranger, "nonsense").await;
            assert_eq!(masked(&foreign), masked(&missing), "{id}");
            assert_eq!(masked(&foreign), masked(&nonsense), "{id}");
        }
    }
}

async fn a_member_finds_nobody_else_under_any_id_or_key(app: &TestApp) {
    let world = world(app).await;
    let ada = world.member("ada").await;
    let own =
        "{ member(externalId: \"ada\") { externalId achievements { nodes { title } } progress { earned } } }";
    let own = ada.data(own, json!({})).await;
    assert_eq!(
        own["member"]["achievements"]["nodes"].as_array().unwrap().len(),
        1
    );
    let all = ada
        .data("{ achievements { nodes { member { externalId } } } }", json!({}))
        .await;
    assert_eq!(
        all["achievements"]["nodes"],
        json!([{"member": {"externalId": "ada"}}])
    );
    for (foreign, missing) in [
        (
            r#"{ member(externalId: "bob") { id } }"#,
            r#"{ member(externalId: "zed") { id } }"#,
        ),
        (
            r#"{ achievements(filter: {member: "bob"}) { nodes { id } } }"#,
            r#"{ achievements(filter: {member: "zed"}) { nodes { id } } }"#,
        ),
    ] {
        let foreign = ada.ask(foreign, json!({})).await;
        let missing = ada.ask(missing, json!({})).await;
        assert_eq!(masked(&foreign), masked(&missing));
        assert!(!foreign.text.contains("errors"), "{}", foreign.text);
    }
    let bob = world.by("member:any");
    let bob = bob
        .data(
            "{ member(externalId: \"bob\") { id achievements { nodes { id } } } }",
            json!({}),
        )
        .await;
    let mut ids = Vec::new();
    collect(&bob, &mut ids);
    assert_eq!(ids.len(), 2);
    for id in ids {
        let (foreign, found) = node(&ada, &id).await;
        assert_eq!(found, Value::Null);
        assert_eq!(masked(&foreign), masked(&node(&ada, &never(&id)).await.0));
    }
}

async fn the_operator_finds_employers_and_no_person(app: &TestApp) {
    let world = world(app).await;
    for id in ids(&world).await {
        let (_, found) = node(&app.operator(), &id).await;
        assert_eq!(found.is_object(), id.starts_with("emp_"), "{id}");
    }
}
