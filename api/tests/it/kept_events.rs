//! Events that are kept for their members to see.

use chrono::TimeDelta;
use entity::id::KeptEventId;
use entity::{event_type, kept_event};
use serde_json::{Value, json};

use crate::harness::{TestApp, World, at};

on_both!(
    the_kept_events_of_a_member_are_shown_page_by_page,
    a_member_sees_its_own_kept_events_and_nobody_elses,
    nobody_without_the_scope_sees_kept_events,
);

/// Keeps so many meditations of a member, an hour after each other.
async fn keep(world: &World<'_>, member: &str, count: i64) {
    let app = &world.app.app;
    let member_id = world.member_id(member).await;
    let menu = event_type::list(app.db.read(), world.employer).await.unwrap();
    let meditation = menu
        .iter()
        .find(|event_type| event_type.key == "meditation.completed")
        .unwrap();
    let first = at("2026-11-20T22:30:00Z");
    let kept = |number: i64| {
        let occurred_at = first.checked_add_signed(TimeDelta::hours(number)).unwrap();
        let id: KeptEventId = app.ids.next();
        kept_event::Model {
            employer_id: world.employer,
            id,
            member_id,
            event_type_id: meditation.id,
            source: "phone".to_owned(),
            event_id: format!("{member}-{number}"),
            occurred_at: occurred_at.into(),
            local_time: (occurred_at.naive_utc().checked_add_signed(TimeDelta::hours(1)))
                .unwrap()
                .format("%Y-%m-%dT%H:%M:%S%.f")
                .to_string(),
            time_zone: "Europe/Berlin".to_owned(),
            properties: json!({"minutes": number}).to_string(),
            expires_at: occurred_at
                .checked_add_signed(TimeDelta::days(30))
                .unwrap()
                .into(),
        }
    };
    let events: Vec<kept_event::Model> = (0..count).map(kept).collect();
    let txn = app.db.write_txn().await.unwrap();
    kept_event::put(&*txn, &events).await.unwrap();
    txn.commit().await.unwrap();
}

const SHOWN: &str = "query($name: String!, $first: Int, $after: String) { member(externalId: $name) { events(first: $first, after: $after) {
    nodes { type source id occurredAt localDate localTime timeZone properties keptUntil } pageInfo { endCursor hasNextPage } } } }";

async fn the_kept_events_of_a_member_are_shown_page_by_page(app: &TestApp) {
    let world = World::new(app).await;
    world.members(&["ada", "bob"]).await;
    keep(&world, "ada", 3).await;
    keep(&world, "bob", 1).await;
    let caller = world.by("member:any");
    let page = async |after: Value| {
        let variables = json!({"name": "ada", "first": 2, "after": after});
        caller.data(SHOWN, variables).await["member"]["events"].clone()
    };
    let first = page(Value::Null).await;
    let shown = |number: i64, day: &str, utc: &str, local: &str| {
        json!({
            "type": "meditation.completed", "source": "phone", "id": format!("ada-{number}"), "occurredAt": format!("{utc}Z"),
            "localDate": day, "localTime": local, "timeZone": "Europe/Berlin", "properties": {"minutes": number},
            "keptUntil": format!("{}Z", utc.replace("-11-", "-12-")),
        })
    };
    assert_eq!(
        first["nodes"],
        json!([
            shown(0, "2026-11-20", "2026-11-20T22:30:00", "2026-11-20T23:30:00"),
            shown(1, "2026-11-21", "2026-11-20T23:30:00", "2026-11-21T00:30:00"),
        ])
    );
    assert_eq!(first["pageInfo"]["hasNextPage"], json!(true));
    let second = page(first["pageInfo"]["endCursor"].clone()).await;
    assert_eq!(second["nodes"].as_array().unwrap().len(), 1);
    assert_eq!(second["nodes"][0]["id"], "ada-2");
    assert_eq!(second["pageInfo"]["hasNextPage"], json!(false));
    for first in [0, 101] {
        let variables = json!({"name": "ada", "first": first});
        assert_eq!(caller.error(SHOWN, variables).await, "BAD_USER_INPUT", "{first}");
    }
}

async fn a_member_sees_its_own_kept_events_and_nobody_elses(app: &TestApp) {
    let world = World::new(app).await;
    world.members(&["ada", "bob"]).await;
    keep(&world, "ada", 1).await;
    let ada = world
        .member("ada")
        .await
        .data(SHOWN, json!({"name": "ada"}))
        .await;
    assert_eq!(ada["member"]["events"]["nodes"].as_array().unwrap().len(), 1);
    let bob = world.member("bob").await;
    assert_eq!(
        bob.data(SHOWN, json!({"name": "ada"})).await["member"],
        Value::Null
    );
    assert_eq!(
        bob.data(SHOWN, json!({"name": "bob"})).await["member"]["events"]["nodes"],
        json!([])
    );
}

async fn nobody_without_the_scope_sees_kept_events(app: &TestApp) {
    let world = World::new(app).await;
    world.members(&["ada"]).await;
    keep(&world, "ada", 1).await;
    let by = async |scopes: &str| world.by(scopes).ask(SHOWN, json!({"name": "ada"})).await;
    let admin = by("achievements:read members:read").await.json();
    assert_eq!(admin["data"]["member"]["events"]["nodes"][0]["id"], "ada-0");
    assert_eq!(by("members:read").await.code().as_deref(), Some("FORBIDDEN"));
}
