//! Addresses that are not written to any more: bounces, complaints, and what a person decides.

use api::auth::viewer::Party;
use axum::body::Body;
use entity::suppression::{SuppressionReason, address_digest, list};
use http::Request;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use jobs::campaign::link;
use serde_json::{Value, json};

use crate::harness::{Answer, Caller, TestApp, World, event};

on_both!(
    a_bounce_for_good_suppresses_the_address_and_another_does_not,
    a_complaint_is_the_members_no_as_well,
    each_report_has_a_result_of_its_own,
    the_id_of_a_mail_says_whose_it_is_to_the_operator_alone,
    reports_that_are_none_are_refused_as_a_whole,
    a_person_suppresses_an_address_and_lifts_it_again,
);

const ADDRESS: &str = "ada@example.org";

async fn world(app: &TestApp) -> World<'_> {
    let world = World::new(app).await;
    world.campaign("thanks", json!({})).await;
    world.sends("thanks", "meditation.completed").await;
    let ada = json!({"externalId": "ada", "email": ADDRESS});
    assert_eq!(world.register(vec![ada]).await, ["CREATED"]);
    world.did([event("e1", "ada", "2026-11-21T10:00:00Z")]).await;
    world
}

/// The id under which the first mail to Ada was sent.
async fn sent(world: &World<'_>) -> String {
    let messages = world.messages_of("ada").await;
    link::message_id(world.employer, messages[0].id, "mail.example")
}

async fn report(caller: &Caller<'_>, address: &str, body: String) -> Answer {
    let mut request = Request::post(address).header(CONTENT_TYPE, "application/json");
    if let Some(token) = caller.token() {
        request = request.header(AUTHORIZATION, format!("Bearer {token}"));
    }
    caller.send(request.body(Body::from(body)).unwrap()).await
}

async fn reported(caller: &Caller<'_>, events: Value) -> Vec<Value> {
    let answer = report(caller, "/v1/mail/events", json!({"events": events}).to_string()).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()["results"].as_array().unwrap().clone()
}

/// Why an address is suppressed, if it is.
async fn suppressed(world: &World<'_>, address: &str) -> Option<SuppressionReason> {
    let wanted = (world.employer, address_digest(world.employer, address));
    let found = list(world.app.app.db.read(), &[wanted]).await.unwrap();
    found.first().map(|row| row.reason)
}

async fn said(world: &World<'_>) -> Value {
    let query = "{ member(externalId: \"ada\") { consents { purpose given wording } } }";
    world.backend().data(query, json!({})).await["member"]["consents"].clone()
}

async fn a_bounce_for_good_suppresses_the_address_and_another_does_not(app: &TestApp) {
    let world = world(app).await;
    let (provider, id) = (world.by("mail:write"), sent(&world).await);
    let bounce = |permanent: bool| json!([{"type": "bounce", "permanent": permanent, "messageId": id}]);
    assert_eq!(
        reported(&provider, bounce(false)).await,
        [json!({"status": "IGNORED"})]
    );
    assert_eq!(suppressed(&world, ADDRESS).await, None);
    for _ in 0..2 {
        assert_eq!(
            reported(&provider, bounce(true)).await,
            [json!({"status": "SUPPRESSED"})]
        );
        assert_eq!(
            suppressed(&world, "Ada@Example.org").await,
            Some(SuppressionReason::Bounce)
        );
    }
    assert_eq!(said(&world).await, json!([]));
}

async fn a_complaint_is_the_members_no_as_well(app: &TestApp) {
    let world = world(app).await;
    let id = sent(&world).await;
    let input = json!({"events": [{"type": "COMPLAINT", "messageId": id.trim_matches(['<', '>'])}]});
    for _ in 0..2 {
        let payload = world
            .by("mail:write")
            .change(
                "recordMailEvents",
                input.clone(),
                "results { status error { code } }",
            )
            .await;
        assert_eq!(
            payload["results"],
            json!([{"status": "SUPPRESSED", "error": null}])
        );
        assert_eq!(
            said(&world).await,
            json!([{"purpose": "EMAIL", "given": false, "wording": "complaint"}])
        );
    }
    assert_eq!(
        suppressed(&world, ADDRESS).await,
        Some(SuppressionReason::Complaint)
    );
}

async fn each_report_has_a_result_of_its_own(app: &TestApp) {
    let world = world(app).await;
    let events = json!([
        {"type": "bounce", "permanent": true, "address": "bob@example.org", "diagnostic": "550"},
        {"type": "complaint"},
        {"type": "complaint", "address": "nobody"},
        {"type": "complaint", "messageId": "<a@b>"},
        {"type": "bounce", "permanent": true, "messageId": sent(&world).await, "address": "old@example.org"},
    ]);
    let results = reported(&world.by("mail:write"), events).await;
    let told: Vec<(Value, Value)> = results
        .iter()
        .map(|result| (result["status"].clone(), result["error"]["path"][0].clone()))
        .collect();
    let word = |status: &str, path: Value| (json!(status), path);
    assert_eq!(
        told,
        [
            word("SUPPRESSED", Value::Null),
            word("REJECTED", json!("messageId")),
            word("REJECTED", json!("address")),
            word("REJECTED", json!("messageId")),
            word("SUPPRESSED", Value::Null),
        ]
    );
    let bounced = Some(SuppressionReason::Bounce);
    assert_eq!(suppressed(&world, "bob@example.org").await, bounced);
    assert_eq!(suppressed(&world, "old@example.org").await, bounced);
    assert_eq!(suppressed(&world, ADDRESS).await, None);
}

async fn the_id_of_a_mail_says_whose_it_is_to_the_operator_alone(app: &TestApp) {
    let world = world(app).await;
    let globex = World::named(app, "globex", "tent").await;
    let complaint = json!([{"type": "complaint", "messageId": sent(&world).await}]);
    let foreign = reported(&globex.by("mail:write"), complaint.clone()).await;
    assert_eq!(foreign[0]["error"]["code"], "NOT_FOUND");
    assert_eq!(suppressed(&world, ADDRESS).await, None);
    let operator = app.operator();
    let of_nobody = reported(&operator, json!([{"type": "complaint", "address": ADDRESS}])).await;
    assert_eq!(of_nobody[0]["error"]["code"], "INVALID_INPUT");
    assert_eq!(
        reported(&operator, complaint).await,
        [json!({"status": "SUPPRESSED"})]
    );
    assert_eq!(
        suppressed(&world, ADDRESS).await,
        Some(SuppressionReason::Complaint)
    );
    assert_eq!(suppressed(&globex, ADDRESS).await, None);
    let named = json!({"events": [{"type": "complaint", "address": ADDRESS}]}).to_string();
    let answer = report(&operator, "/v1/mail/events?employer=globex", named).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(
        suppressed(&globex, ADDRESS).await,
        Some(SuppressionReason::Complaint)
    );
}

async fn reports_that_are_none_are_refused_as_a_whole(app: &TestApp) {
    let world = world(app).await;
    let before = app.row_counts().await;
    let good = json!({"events": [{"type": "complaint", "address": ADDRESS}]}).to_string();
    let provider = world.by("mail:write");
    let many = json!({"events": vec![json!({"type": "complaint", "address": ADDRESS}); 1_001]});
    for (caller, body, status) in [
        (&app.anonymous(), good.clone(), 401),
        (&app.with("nonsense"), good.clone(), 401),
        (&world.by("members:write"), good.clone(), 403),
        (&app.by(Party::Partner(world.partner), "feed:read"), good, 403),
        (&provider, "{".to_owned(), 400),
        (&provider, "{}".to_owned(), 400),
        (&provider, json!({"events": []}).to_string(), 400),
        (
            &provider,
            json!({"events": [{"type": "sneeze"}]}).to_string(),
            400,
        ),
        (&provider, many.to_string(), 400),
        (&provider, json!({"pad": "x".repeat(1_100_000)}).to_string(), 413),
    ] {
        let answer = report(caller, "/v1/mail/events", body).await;
        assert_eq!(answer.status, status, "{}", answer.text);
        assert!(answer.code().is_some(), "{}", answer.text);
    }
    assert_eq!(app.row_counts().await, before);
}

async fn a_person_suppresses_an_address_and_lifts_it_again(app: &TestApp) {
    let world = world(app).await;
    let admin = world.admin();
    let input = json!({"address": "Bob@example.org"});
    let log = "SELECT count(*) AS count FROM audit_entry";
    let before = app.count(log).await;
    for _ in 0..2 {
        let done = admin.change("suppressAddress", input.clone(), "suppressed").await;
        assert_eq!(done["suppressed"], json!(true));
        assert_eq!(
            suppressed(&world, "bob@example.org").await,
            Some(SuppressionReason::Manual)
        );
    }
    for _ in 0..2 {
        let done = admin.change("liftSuppression", input.clone(), "lifted").await;
        assert_eq!(done["lifted"], json!(true));
        assert_eq!(suppressed(&world, "bob@example.org").await, None);
    }
    // What changes nothing is not in the log, and no address is anywhere.
    assert_eq!(app.count(log).await, before + 2);
    assert_eq!(app.tables_with("bob@example.org").await, Vec::<&str>::new());
    for field in ["suppressAddress", "liftSuppression"] {
        let selection = if field == "suppressAddress" {
            "suppressed"
        } else {
            "lifted"
        };
        let fault = admin.fault(field, json!({"address": "nobody"}), selection).await;
        assert_eq!(fault, ("INVALID_INPUT".to_owned(), "address".to_owned()));
    }
}
