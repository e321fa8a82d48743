//! OAuth clients: their secrets, and what becomes of their tokens.

use axum::body::Body;
use http::Request;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use serde_json::{Value, json};

use crate::harness::{Answer, TestApp, World};

on_both!(
    a_client_gets_a_token_that_works,
    a_rotated_secret_is_taken_beside_the_new_one_until_the_overlap_ends,
    a_revoked_client_gets_no_token_and_its_tokens_are_refused,
    a_client_has_only_scopes_of_its_kind,
    an_unknown_client_cannot_be_rotated_or_revoked,
);

async fn token_request(app: &TestApp, client: &str, secret: &str, scope: &str) -> Answer {
    let form = format!("grant_type=client_credentials&client_id={client}&client_secret={secret}{scope}");
    let request = Request::post("/oauth/token")
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Body::from(form))
        .unwrap();
    app.anonymous().send(request).await
}

/// Creates a client and returns its id and secret.
async fn create(app: &TestApp, input: Value) -> (String, String) {
    let made = app
        .operator()
        .change("createClient", input, "client { clientId } clientSecret")
        .await;
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    (text(&made["client"]["clientId"]), text(&made["clientSecret"]))
}

async fn a_client_gets_a_token_that_works(app: &TestApp) {
    World::new(app).await;
    let (id, secret) = create(
        app,
        json!({"name": "Backend", "employer": "acme", "scopes": ["events:write", "members:write"]}),
    )
    .await;
    let basic = {
        use base64::Engine;
        base64::engine::general_purpose::STANDARD.encode(format!("{id}:{secret}"))
    };
    let request = Request::post("/oauth/token")
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header(AUTHORIZATION, format!("Basic {basic}"))
        .body(Body::from("grant_type=client_credentials&scope=events%3Awrite"))
        .unwrap();
    let answer = app.anonymous().send(request).await.json();
    assert_eq!(answer["scope"], "events:write");
    let token = answer["access_token"].as_str().unwrap();
    let viewer = app
        .with(token)
        .data(
            "{ viewer { kind scopes employer { key } partner { key } } }",
            json!({}),
        )
        .await;
    let expected =
        json!({"kind": "EMPLOYER", "scopes": ["events:write"], "employer": {"key": "acme"}, "partner": null});
    assert_eq!(viewer["viewer"], expected);
}

async fn a_rotated_secret_is_taken_beside_the_new_one_until_the_overlap_ends(app: &TestApp) {
    World::new(app).await;
    let (id, old) = create(
        app,
        json!({"name": "Spa", "partner": "spa", "scopes": ["feed:read"]}),
    )
    .await;
    let rotated = app
        .operator()
        .change(
            "rotateClientSecret",
            json!({"clientId": id, "overlap": "PT1H"}),
            "client { clientId } clientSecret",
        )
        .await;
    let new = rotated["clientSecret"].as_str().unwrap();
    assert_ne!(old, new);
    app.pass(chrono::TimeDelta::minutes(59));
    assert_eq!(token_request(app, &id, &old, "").await.status, 200);
    assert_eq!(token_request(app, &id, new, "").await.status, 200);
    app.pass(chrono::TimeDelta::minutes(1));
    assert_eq!(token_request(app, &id, &old, "").await.status, 401);
    assert_eq!(token_request(app, &id, new, "").await.status, 200);
}

async fn a_revoked_client_gets_no_token_and_its_tokens_are_refused(app: &TestApp) {
    World::new(app).await;
    let (id, secret) = create(
        app,
        json!({"name": "Spa", "partner": "spa", "scopes": ["feed:read"]}),
    )
    .await;
    let granted = token_request(app, &id, &secret, "").await.json();
    let token = granted["access_token"].as_str().unwrap();
    let partner = app.with(token);
    let feed = partner.data("{ feed { entries { id } } }", json!({})).await;
    assert_eq!(feed["feed"]["entries"], json!([]));
    let revoked = app
        .operator()
        .change("revokeClient", json!({"clientId": id}), "client { revokedAt }")
        .await;
    assert!(revoked["client"]["revokedAt"].is_string());
    let refused = partner.ask("{ feed { entries { id } } }", json!({})).await;
    assert_eq!(refused.status, 401);
    assert_eq!(refused.code().as_deref(), Some("UNAUTHENTICATED"));
    let refused = token_request(app, &id, &secret, "").await;
    assert_eq!(
        (refused.status.as_u16(), &refused.json()["error"]),
        (401, &json!("invalid_client"))
    );
}

async fn a_client_has_only_scopes_of_its_kind(app: &TestApp) {
    World::new(app).await;
    let operator = app.operator();
    for (input, path) in [
        (json!({"name": "x", "scopes": ["members:read"]}), "scopes.0"),
        (
            json!({"name": "x", "partner": "spa", "scopes": ["feed:read", "events:write"]}),
            "scopes.1",
        ),
        (
            json!({"name": "x", "employer": "acme", "scopes": ["feed:read"]}),
            "scopes.0",
        ),
        (
            json!({"name": "x", "employer": "acme", "scopes": ["operator"]}),
            "scopes.0",
        ),
        (
            json!({"name": "x", "employer": "acme", "scopes": ["member:self"]}),
            "scopes.0",
        ),
        (
            json!({"name": "x", "employer": "acme", "scopes": ["no:such"]}),
            "scopes.0",
        ),
        (json!({"name": "x", "employer": "acme", "scopes": []}), "scopes"),
        (
            json!({"name": "x", "employer": "acme", "partner": "spa", "scopes": ["feed:read"]}),
            "partner",
        ),
        (
            json!({"name": "", "employer": "acme", "scopes": ["events:write"]}),
            "name",
        ),
    ] {
        let fault = operator
            .fault("createClient", input.clone(), "client { clientId }")
            .await;
        assert_eq!(fault, ("INVALID_INPUT".to_owned(), path.to_owned()), "{input}");
    }
    for (input, path) in [
        (
            json!({"name": "x", "employer": "nobody", "scopes": ["events:write"]}),
            "employer",
        ),
        (
            json!({"name": "x", "partner": "nobody", "scopes": ["feed:read"]}),
            "partner",
        ),
    ] {
        let fault = operator
            .fault("createClient", input.clone(), "client { clientId }")
            .await;
        assert_eq!(fault, ("NOT_FOUND".to_owned(), path.to_owned()), "{input}");
    }
    assert_eq!(app.count("SELECT count(*) AS count FROM client").await, 0);
}

async fn an_unknown_client_cannot_be_rotated_or_revoked(app: &TestApp) {
    for id in ["cli_01ARZ3NDEKTSV4RRFFQ69G5FAV", "nonsense", ""] {
        for mutation in ["rotateClientSecret", "revokeClient"] {
            let fault = app
                .operator()
                .fault(mutation, json!({"clientId": id}), "client { clientId }")
                .await;
            assert_eq!(fault, ("NOT_FOUND".to_owned(), "clientId".to_owned()));
        }
    }
}
