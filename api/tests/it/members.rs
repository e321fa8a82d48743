//! Members: registered, changed, listed, and never shared between employers.

use serde_json::{Value, json};

use crate::harness::{TestApp, World};

on_both!(
    registering_says_what_became_of_each_member,
    what_is_left_out_stays_and_null_empties,
    one_bad_member_does_not_stop_the_others,
    a_repeated_consent_changes_nothing,
    members_are_listed_in_the_order_of_registration_page_by_page,
    a_call_takes_a_thousand_members_and_no_more,
    two_calls_that_register_the_same_members_at_once_agree,
);

const SHOWN: &str = "query($id: String!) { member(externalId: $id) {
    externalId timeZone locale email eligibleFrom eligibleUntil attributes } }";

async fn shown(world: &World<'_>, external_id: &str) -> Value {
    world.backend().data(SHOWN, json!({"id": external_id})).await["member"].clone()
}

async fn registering_says_what_became_of_each_member(app: &TestApp) {
    let world = World::new(app).await;
    let ada = json!({"externalId": "ada", "timeZone": "Europe/Berlin", "attributes": {"plan": "gold"}});
    let bob = json!({"externalId": "bob"});
    assert_eq!(
        world.register(vec![ada.clone(), bob.clone()]).await,
        ["CREATED", "CREATED"]
    );
    assert_eq!(
        world.register(vec![bob.clone(), ada.clone()]).await,
        ["UNCHANGED", "UNCHANGED"]
    );
    let moved = json!({"externalId": "ada", "timeZone": "Asia/Tokyo"});
    assert_eq!(
        world
            .register(vec![moved, bob, json!({"externalId": "eve"})])
            .await,
        ["UPDATED", "UNCHANGED", "CREATED"]
    );
    assert_eq!(app.count("SELECT count(*) AS count FROM member").await, 3);
}

async fn what_is_left_out_stays_and_null_empties(app: &TestApp) {
    let world = World::new(app).await;
    let full = json!({
        "externalId": "ada", "timeZone": "Europe/Berlin", "locale": "de-CH", "email": "ada@example.org",
        "eligibleFrom": "2026-01-01", "eligibleUntil": "2026-12-31", "attributes": {"plan": "gold"},
    });
    world.register(vec![full.clone()]).await;
    assert_eq!(shown(&world, "ada").await, full);
    assert_eq!(
        world
            .register(vec![json!({"externalId": "ada", "locale": "fr"})])
            .await,
        ["UPDATED"]
    );
    let mut expected = full.clone();
    expected["locale"] = json!("fr");
    assert_eq!(shown(&world, "ada").await, expected);
    let empty = json!({
        "externalId": "ada", "timeZone": null, "locale": null, "email": null, "eligibleFrom": null, "eligibleUntil": null,
    });
    assert_eq!(world.register(vec![empty.clone()]).await, ["UPDATED"]);
    let mut expected = empty;
    expected["attributes"] = json!({"plan": "gold"});
    // A member without a zone lives in the employer's.
    expected["timeZone"] = json!("UTC");
    assert_eq!(shown(&world, "ada").await, expected);
    assert_eq!(
        world
            .register(vec![json!({"externalId": "ada", "attributes": {}})])
            .await,
        ["UPDATED"]
    );
    assert_eq!(shown(&world, "ada").await["attributes"], json!({}));
}

async fn one_bad_member_does_not_stop_the_others(app: &TestApp) {
    let world = World::new(app).await;
    let statuses = world
        .register(vec![
            json!({"externalId": "ada"}),
            json!({"externalId": ""}),
            json!({"externalId": "x".repeat(256)}),
            json!({"externalId": "zone", "timeZone": "Mars/Olympus"}),
            json!({"externalId": "dates", "eligibleFrom": "2026-12-31", "eligibleUntil": "2026-01-01"}),
            json!({"externalId": "date", "eligibleFrom": "2026-02-30"}),
            json!({"externalId": "ancient", "eligibleFrom": "0001-01-01"}),
            json!({"externalId": "mail", "email": "nobody"}),
            json!({"externalId": "list", "attributes": [1]}),
            json!({"externalId": "large", "attributes": {"text": "x".repeat(17_000)}}),
            json!({"externalId": "partner", "consents": [{"purpose": "PARTNER_SHARING", "partner": "none", "given": true}]}),
            json!({"externalId": "ada"}),
            json!({"externalId": "bob"}),
        ])
        .await;
    let mut expected = vec!["INVALID_INPUT"; 13];
    (expected[0], expected[12]) = ("CREATED", "CREATED");
    // The partner is there or not, which is another fault than a bad value.
    expected[10] = "NOT_FOUND";
    assert_eq!(statuses, expected);
    assert_eq!(app.count("SELECT count(*) AS count FROM member").await, 2);
}

async fn a_repeated_consent_changes_nothing(app: &TestApp) {
    let world = World::new(app).await;
    let says = |given: bool, partner: Value| {
        vec![
            json!({"externalId": "ada", "consents": [{"purpose": "PARTNER_SHARING", "partner": partner, "given": given}]}),
        ]
    };
    assert_eq!(world.register(says(true, Value::Null)).await, ["CREATED"]);
    assert_eq!(world.register(says(true, Value::Null)).await, ["UNCHANGED"]);
    assert_eq!(world.register(says(true, json!("spa"))).await, ["UPDATED"]);
    assert_eq!(world.register(says(false, json!("spa"))).await, ["UPDATED"]);
    assert_eq!(world.register(says(false, json!("spa"))).await, ["UNCHANGED"]);
    assert_eq!(app.count("SELECT count(*) AS count FROM consent").await, 2);
}

async fn members_are_listed_in_the_order_of_registration_page_by_page(app: &TestApp) {
    let world = World::new(app).await;
    let names: Vec<String> = (0..45).map(|number| format!("m{}", (number * 7) % 45)).collect();
    for name in &names {
        world.members(&[name]).await;
    }
    let query = "query($after: String) { employer { members(after: $after) {
        nodes { externalId } pageInfo { endCursor hasNextPage hasPreviousPage } } } }";
    let (mut listed, mut after, mut pages) = (Vec::new(), Value::Null, 0);
    loop {
        let data = world.admin().data(query, json!({"after": after})).await;
        let page = &data["employer"]["members"];
        let nodes = page["nodes"].as_array().unwrap();
        listed.extend(
            nodes
                .iter()
                .map(|node| node["externalId"].as_str().unwrap().to_owned()),
        );
        pages += 1;
        if page["pageInfo"]["hasNextPage"] == json!(false) {
            break;
        }
        after = page["pageInfo"]["endCursor"].clone();
    }
    assert_eq!(pages, 3);
    assert_eq!(listed, names);
}

async fn a_call_takes_a_thousand_members_and_no_more(app: &TestApp) {
    let world = World::new(app).await;
    let many = |count: usize| -> Value {
        (0..count)
            .map(|number| json!({"externalId": format!("m{number}")}))
            .collect()
    };
    let backend = world.backend();
    for count in [0, 1_001] {
        let fault = backend
            .fault(
                "registerMembers",
                json!({"members": many(count)}),
                "results { status }",
            )
            .await;
        assert_eq!(fault, ("TOO_MANY".to_owned(), "members".to_owned()), "{count}");
    }
    assert_eq!(app.count("SELECT count(*) AS count FROM member").await, 0);
    let payload = backend
        .change(
            "registerMembers",
            json!({"members": many(1_000)}),
            "results { status }",
        )
        .await;
    assert_eq!(payload["results"].as_array().unwrap().len(), 1_000);
    assert_eq!(app.count("SELECT count(*) AS count FROM member").await, 1_000);
}

async fn two_calls_that_register_the_same_members_at_once_agree(app: &TestApp) {
    let world = World::new(app).await;
    let named = |reverse: bool| -> Vec<Value> {
        let mut members: Vec<Value> = (0..50)
            .map(|number| json!({"externalId": format!("m{number}")}))
            .collect();
        if reverse {
            members.reverse();
        }
        members
    };
    let calls = (0..6).map(|call| world.register(named(call % 2 == 0)));
    let statuses: Vec<String> = futures_util::future::join_all(calls).await.concat();
    let created = statuses.iter().filter(|status| *status == "CREATED").count();
    let unchanged = statuses.iter().filter(|status| *status == "UNCHANGED").count();
    assert_eq!((created, unchanged), (50, 250));
}
