//! Setting endpoints up: what is taken, what is refused, and whose they are.

use api::auth::viewer::Party;
use serde_json::{Value, json};

use super::{endpoint, entries, shown, spa, world};
use crate::harness::{Receiver, Reply, TestApp, World};

on_both!(
    an_endpoint_inside_is_refused_unless_the_operator_allows_it,
    what_is_wrong_with_an_endpoint_is_said,
    a_test_shows_what_an_endpoint_answers,
    nobody_elses_endpoint_is_there,
);

async fn an_endpoint_inside_is_refused_unless_the_operator_allows_it(app: &TestApp) {
    let world = world(app).await;
    let receiver = Receiver::start().await;
    let (id, _) = endpoint(&world, receiver.url()).await;
    let careful = TestApp::careful(&app.url, 2).await;
    let world = World {
        app: &careful,
        ..world
    };
    for url in [
        receiver.url(),
        "http://partner.example/",
        "https://127.0.0.1/",
        "https://2130706433/",
        "https://[::ffff:10.0.0.1]/",
        "https://169.254.169.254/latest/meta-data",
        "https://localhost/",
        "https://user@partner.example/",
        "https://partner.example:22/",
        "partner.example",
    ] {
        let input = json!({"url": url});
        let (code, path) = spa(&world).fault("createWebhookEndpoint", input, "secret").await;
        assert_eq!(
            (code.as_str(), path),
            ("INVALID_INPUT", "url".to_owned()),
            "{url}"
        );
    }
    endpoint(&world, "https://partner.example/hook").await;
    // What was set up while it was allowed is not called any more.
    entries(&world, 20..21).await;
    careful.deliver().await;
    let delivery = shown(&world, &id).await["deliveries"]["nodes"][0].clone();
    assert_eq!(delivery["attempts"][0]["error"], "ADDRESS_REFUSED");
    let input = json!({"endpoint": id});
    let tested = spa(&world)
        .change("testWebhookEndpoint", input, "status error")
        .await;
    assert_eq!(
        (&tested["status"], &tested["error"]),
        (&Value::Null, &json!("ADDRESS_REFUSED"))
    );
    assert_eq!(receiver.calls().len(), 0);
    careful.stop().await;
}

async fn what_is_wrong_with_an_endpoint_is_said(app: &TestApp) {
    let world = world(app).await;
    let url = "https://partner.example/";
    for (input, path) in [
        (json!({"url": "ftp://partner.example/"}), "url"),
        (json!({"url": ""}), "url"),
        (
            json!({"url": url, "description": "a".repeat(2_001)}),
            "description",
        ),
        (json!({"url": url, "kinds": []}), "kinds"),
    ] {
        let fault = spa(&world).fault("createWebhookEndpoint", input, "secret").await;
        assert_eq!(fault, ("INVALID_INPUT".to_owned(), path.to_owned()));
    }
    let (id, _) = endpoint(&world, url).await;
    let change = json!({"endpoint": id, "url": "ftp://partner.example/"});
    let fault = spa(&world)
        .fault("updateWebhookEndpoint", change, "endpoint { id }")
        .await;
    assert_eq!(fault, ("INVALID_INPUT".to_owned(), "url".to_owned()));
    for _ in 1..20 {
        endpoint(&world, url).await;
    }
    let (code, _) = spa(&world)
        .fault("createWebhookEndpoint", json!({"url": url}), "secret")
        .await;
    assert_eq!(code, "TOO_MANY");
    let data = spa(&world)
        .data("{ webhookEndpoints { id url } }", json!({}))
        .await;
    assert_eq!(data["webhookEndpoints"].as_array().unwrap().len(), 20);
}

async fn a_test_shows_what_an_endpoint_answers(app: &TestApp) {
    let world = world(app).await;
    let receiver = Receiver::start().await;
    let (id, secret) = endpoint(&world, receiver.url()).await;
    receiver.next([Reply::Full(
        418,
        "x-a",
        "b".to_owned(),
        "short and stout".to_owned(),
    )]);
    let input = json!({"endpoint": id});
    let selection = "status error milliseconds answer";
    let tested = spa(&world).change("testWebhookEndpoint", input, selection).await;
    let wanted = (json!(418), Value::Null, json!("short and stout"));
    assert_eq!(
        (
            tested["status"].clone(),
            tested["error"].clone(),
            tested["answer"].clone()
        ),
        wanted
    );
    assert!(tested["milliseconds"].is_number());
    let call = &receiver.calls()[0];
    assert!(call.is_signed_by(&secret));
    assert_eq!(call.json()["type"], "webhook.test");
    assert_eq!(call.json()["data"], json!({"endpoint": id}));
    // Nothing comes of it.
    let shown = shown(&world, &id).await;
    assert_eq!(
        (&shown["failures"], &shown["deliveries"]["nodes"]),
        (&json!(0), &json!([]))
    );
}

async fn nobody_elses_endpoint_is_there(app: &TestApp) {
    let world = world(app).await;
    let receiver = Receiver::start().await;
    let (id, _) = endpoint(&world, receiver.url()).await;
    let made = app
        .operator()
        .change(
            "createPartner",
            json!({"key": "gym", "name": "Gym"}),
            "partner { id }",
        )
        .await;
    let gym = made["partner"]["id"].as_str().unwrap().parse().unwrap();
    let gym = app.by(Party::Partner(gym), "feed:read webhooks:write");
    for (mutation, selection) in [
        ("updateWebhookEndpoint", "endpoint { id }"),
        ("deleteWebhookEndpoint", "deletedId"),
        ("rotateWebhookSecret", "secret"),
        ("resumeWebhookEndpoint", "endpoint { id }"),
        ("replayWebhooks", "replayedCount"),
        ("testWebhookEndpoint", "status"),
    ] {
        for endpoint in [id.as_str(), "whe_01ARZ3NDEKTSV4RRFFQ69G5FAV", "", "garbage\u{0}"] {
            let input = json!({"endpoint": endpoint});
            let fault = gym.fault(mutation, input, selection).await;
            assert_eq!(
                fault,
                ("NOT_FOUND".to_owned(), "endpoint".to_owned()),
                "{mutation}"
            );
        }
    }
    let node = "query($id: ID!) { node(id: $id) { id } webhookEndpoints { id } }";
    let data = gym.data(node, json!({"id": id})).await;
    assert_eq!(data, json!({"node": null, "webhookEndpoints": []}));
    // Nor is it found without the scope.
    let reader = app.by(Party::Partner(world.partner), "feed:read");
    let data = reader
        .data("query($id: ID!) { node(id: $id) { id } }", json!({"id": id}))
        .await;
    assert_eq!(data["node"], Value::Null);
    entries(&world, 20..21).await;
    app.deliver().await;
    assert_eq!(receiver.positions(), [1]);
}
