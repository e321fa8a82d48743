//! Webhooks of a mobile backend: called with what members achieve, and nobody else's.

use serde_json::{Value, json};

use super::{entries, meditate, silent};
use crate::harness::{Caller, Receiver, TestApp, World, event};

on_both!(
    the_backend_is_called_with_what_is_in_the_activity,
    an_endpoint_is_looked_after_like_any_other,
    whoever_may_not_read_all_members_sets_up_no_endpoint,
    another_employer_and_a_partner_find_no_endpoint,
    what_the_backend_does_with_its_endpoints_is_in_the_employers_log,
);

/// The mobile backend, with what it needs for webhooks.
fn backend<'a>(world: &World<'a>) -> Caller<'a> {
    world.by("member:any webhooks:write")
}

/// Sets up an endpoint; its id and its secret.
async fn endpoint(caller: &Caller<'_>, input: Value) -> (String, String) {
    let made = caller
        .change("createWebhookEndpoint", input, "endpoint { id } secret")
        .await;
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    (text(&made["endpoint"]["id"]), text(&made["secret"]))
}

async fn the_backend_is_called_with_what_is_in_the_activity(app: &TestApp) {
    // Nobody has listened before: the endpoint opens the feed.
    let world = silent(app).await;
    let receiver = Receiver::start().await;
    let (_, secret) = endpoint(&backend(&world), json!({"url": receiver.url()})).await;
    let birth = event("e1", "ada", "2026-11-20T10:00:00Z").of("birth.reported");
    world.did([birth]).await;
    app.deliver().await;
    let entry = entries(&world.backend(), json!({})).await.remove(0);
    let call = receiver.calls().remove(0);
    assert!(call.is_signed_by(&secret));
    assert_eq!(call.header("webhook-id"), entry["id"].as_str().unwrap());
    let body = call.json();
    assert_eq!(body["type"], "achievement.earned");
    let data = &body["data"];
    for field in ["id", "position", "cursor", "kind", "recordedAt"] {
        assert_eq!(data[field], entry[field], "{field}");
    }
    for field in ["id", "memberRef", "title", "status", "recordedAt"] {
        assert_eq!(data["achievement"][field], entry["achievement"][field], "{field}");
    }
    assert_eq!(data["achievement"]["memberRef"], "ada");
    assert_eq!(data["achievement"]["incentive"]["key"], "born");
    // An erased member is not named to whoever is called again.
    world
        .backend()
        .change("eraseMember", json!({"member": "ada"}), "erased")
        .await;
    let nodes = backend(&world)
        .data("{ webhookEndpoints { id } }", json!({}))
        .await;
    let again = json!({"endpoint": nodes["webhookEndpoints"][0]["id"]});
    backend(&world)
        .change("replayWebhooks", again, "replayedCount")
        .await;
    app.deliver().await;
    let again = receiver.calls().remove(1).json();
    assert_eq!(again["data"]["achievement"]["memberRef"], "erased");
}

async fn an_endpoint_is_looked_after_like_any_other(app: &TestApp) {
    let world = silent(app).await;
    let (receiver, backend) = (Receiver::start().await, backend(&world));
    let revoked = json!({"url": receiver.url(), "kinds": ["ACHIEVEMENT_REVOKED"], "employer": "acme"});
    let (id, first_secret) = endpoint(&backend, revoked).await;
    meditate(&world, &[("e1", "ada")]).await;
    world.took_back(&["e1"]).await;
    app.deliver().await;
    assert_eq!(receiver.positions(), [2]);
    let hook = json!({"endpoint": id});
    let mut all = hook.clone();
    all["kinds"] = Value::Null;
    backend
        .change("updateWebhookEndpoint", all, "endpoint { kinds }")
        .await;
    let rotated = backend
        .change("rotateWebhookSecret", hook.clone(), "secret")
        .await;
    backend
        .change("resumeWebhookEndpoint", hook.clone(), "endpoint { state }")
        .await;
    let tested = backend
        .change("testWebhookEndpoint", hook.clone(), "status")
        .await;
    assert_eq!(tested["status"], 204);
    meditate(&world, &[("e2", "bob")]).await;
    app.deliver().await;
    let last = receiver.calls().pop().unwrap();
    assert!(last.is_signed_by(&first_secret) && last.is_signed_by(rotated["secret"].as_str().unwrap()));
    assert_eq!(last.position(), 3);
    let query =
        "query($id: ID!) { webhookEndpoints { id } node(id: $id) { ... on WebhookEndpoint { pendingCount
        deliveries { nodes { position status entryId } } } } }";
    let data = backend.data(query, json!({"id": id})).await;
    assert_eq!(data["webhookEndpoints"], json!([{"id": id}]));
    let deliveries = data["node"]["deliveries"]["nodes"].as_array().unwrap();
    let positions: Vec<_> = deliveries.iter().map(|row| row["position"].as_i64()).collect();
    assert_eq!(positions, [Some(3), Some(2)]);
    let mut by_id = hook.clone();
    by_id["entries"] = json!([deliveries[1]["entryId"]]);
    let again = backend.change("replayWebhooks", by_id, "replayedCount").await;
    assert_eq!(again["replayedCount"], 1);
    backend.change("deleteWebhookEndpoint", hook, "deletedId").await;
    meditate(&world, &[("e3", "bob")]).await;
    app.deliver().await;
    assert_eq!(receiver.calls().len(), 3);
}

async fn whoever_may_not_read_all_members_sets_up_no_endpoint(app: &TestApp) {
    let world = silent(app).await;
    let url = json!({"url": "https://backend.example/"});
    let (code, _) = world
        .by("webhooks:write achievements:read members:read")
        .fault("createWebhookEndpoint", url.clone(), "secret")
        .await;
    assert_eq!(code, "INVALID_INPUT");
    let list = "{ webhookEndpoints { id } }";
    let code = world.by("webhooks:write").error(list, json!({})).await;
    assert_eq!(code, "BAD_USER_INPUT");
    let mutation = "mutation($url: String!) { createWebhookEndpoint(input: {url: $url}) { secret } }";
    assert_eq!(world.by("member:any").error(mutation, url).await, "FORBIDDEN");
    // Nobody listens yet, so nothing is told.
    meditate(&world, &[("e1", "ada")]).await;
    let own = "SELECT count(*) AS count FROM partner WHERE employer_id IS NOT NULL";
    assert_eq!(app.count(own).await, 0);
}

async fn another_employer_and_a_partner_find_no_endpoint(app: &TestApp) {
    let world = silent(app).await;
    let url = json!({"url": "https://backend.example/"});
    let (id, _) = endpoint(&backend(&world), url.clone()).await;
    let globex = World::named(app, "globex", "gym").await;
    let partner = api::auth::viewer::Party::Partner(world.partner);
    let strangers = [backend(&globex), app.by(partner, "feed:read webhooks:write")];
    for stranger in &strangers {
        let fault = stranger
            .fault("deleteWebhookEndpoint", json!({"endpoint": id}), "deletedId")
            .await;
        assert_eq!(fault, ("NOT_FOUND".to_owned(), "endpoint".to_owned()));
        let mut theirs = url.clone();
        theirs["employer"] = json!("acme");
        let fault = stranger.fault("createWebhookEndpoint", theirs, "secret").await;
        assert_eq!(fault, ("NOT_FOUND".to_owned(), "employer".to_owned()));
        let query = "query($id: ID!) { webhookEndpoints { id } node(id: $id) { id } }";
        let data = stranger.data(query, json!({"id": id})).await;
        assert_eq!(data, json!({"webhookEndpoints": [], "node": null}));
    }
}

async fn what_the_backend_does_with_its_endpoints_is_in_the_employers_log(app: &TestApp) {
    let world = silent(app).await;
    let url = json!({"url": "https://backend.example/?token=whs"});
    let (id, _) = endpoint(&backend(&world), url).await;
    let hook = json!({"endpoint": id});
    backend(&world)
        .change("deleteWebhookEndpoint", hook, "deletedId")
        .await;
    let query = "{ viewer { employer { id auditLog(first: 2) { nodes { action subject before after } } } } }";
    let data = world.by("audit:read").data(query, json!({})).await;
    let employer = &data["viewer"]["employer"];
    let log = employer["auditLog"]["nodes"].as_array().unwrap();
    for (entry, action) in log.iter().zip(["deleteWebhookEndpoint", "createWebhookEndpoint"]) {
        assert_eq!(
            (&entry["action"], &entry["subject"]),
            (&json!(action), &json!(id))
        );
        let after = &entry["after"];
        assert_eq!(
            (&after["employer"], &after["partner"]),
            (&employer["id"], &Value::Null)
        );
        assert!(!entry.to_string().contains("whs_") && !entry.to_string().contains("token"));
    }
    let own = app
        .operator()
        .data("{ auditLog { nodes { action } } }", json!({}))
        .await;
    assert_eq!(own["auditLog"]["nodes"], json!([{"action": "createPartner"}]));
}
