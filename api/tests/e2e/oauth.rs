//! Clients and their tokens, from the token endpoint to the end of a client.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::database::Database;
use crate::support::feed::{Read, Subscription};
use crate::support::graphql::Api;
use crate::support::plaudit::{Plaudit, run};
use crate::support::setting::Setting;
use crate::support::until::{SOON, eventually};

on_both!(
    a_client_gets_a_token_either_way_and_works_with_it,
    a_revoked_client_is_out_within_five_seconds,
    a_key_is_replaced_while_tokens_of_the_old_one_go_on,
    the_public_documents_have_the_forms_of_their_standards,
);

/// What the revocation of a client promises.
const REVOKED_WITHIN: Duration = Duration::from_secs(5);

struct Client {
    id: String,
    secret: String,
}

async fn client(operator: &Api, owner: &str, key: &str, scopes: &[&str]) -> Client {
    let input = json!({owner: key, "name": "A client", "scopes": scopes});
    let payload = operator
        .mutate("createClient", "client { clientId } clientSecret", &input)
        .await;
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    Client {
        id: text(&payload["client"]["clientId"]),
        secret: text(&payload["clientSecret"]),
    }
}

impl Client {
    /// With the credentials in the header.
    async fn basic(&self, api: &Api, more: &[(&str, &str)]) -> (u16, Value) {
        let request = api
            .http
            .post(endpoint(api))
            .basic_auth(&self.id, Some(&self.secret));
        answer(request.form(&with_grant(more))).await
    }

    /// With the credentials in the form.
    async fn post(&self, api: &Api, more: &[(&str, &str)]) -> (u16, Value) {
        let mut form = with_grant(more);
        form.extend([
            ("client_id", self.id.as_str()),
            ("client_secret", self.secret.as_str()),
        ]);
        answer(api.http.post(endpoint(api)).form(&form)).await
    }

    async fn token(&self, api: &Api) -> String {
        let (status, answer) = self.basic(api, &[]).await;
        assert_eq!(status, 200, "{answer}");
        answer["access_token"].as_str().expect("a token").to_owned()
    }
}

fn endpoint(api: &Api) -> String {
    format!("http://{}/oauth/token", api.address)
}

fn with_grant<'a>(more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    [&[("grant_type", "client_credentials")], more].concat()
}

async fn answer(request: reqwest::RequestBuilder) -> (u16, Value) {
    let answer = request.send().await.expect("it serves");
    assert_eq!(answer.headers()["cache-control"], "no-store");
    let status = answer.status().as_u16();
    if status == 401 {
        assert!(answer.headers().contains_key("www-authenticate"));
    }
    (status, answer.json().await.expect("JSON"))
}

async fn viewer(api: &Api, token: &str) -> (u16, Value) {
    api.with(token)
        .post("{ viewer { kind scopes } }", &Value::Null)
        .await
}

async fn a_client_gets_a_token_either_way_and_works_with_it(database: Database) {
    let plaudit = Plaudit::serve(&database, &[]).await;
    let setting = Setting::new(&database, plaudit.address(), 1).await;
    let operator = Api::new(plaudit.address(), &setting.operator);
    let client = client(&operator, "employer", "acme", &["events:write", "members:read"]).await;
    let (status, by_header) = client.basic(&operator, &[]).await;
    assert_eq!(status, 200, "{by_header}");
    let (status, by_form) = client.post(&operator, &[("scope", "members:read")]).await;
    assert_eq!(status, 200, "{by_form}");
    for (answer, scopes) in [
        (&by_header, json!(["events:write", "members:read"])),
        (&by_form, json!(["members:read"])),
    ] {
        assert_eq!(answer["token_type"], "Bearer");
        assert!(
            answer["expires_in"].as_i64().is_some_and(|seconds| seconds > 0),
            "{answer}"
        );
        let granted: Vec<&str> = answer["scope"].as_str().expect("scopes").split(' ').collect();
        assert_eq!(json!(granted), scopes);
        let token = answer["access_token"].as_str().expect("a token");
        let (status, seen) = viewer(&operator, token).await;
        assert_eq!(status, 200, "{seen}");
        assert_eq!(
            seen["data"]["viewer"],
            json!({"kind": "EMPLOYER", "scopes": scopes})
        );
    }
    let stranger = Client {
        id: client.id.clone(),
        secret: "wrong".to_owned(),
    };
    for (status, answer) in [
        stranger.basic(&operator, &[]).await,
        stranger.post(&operator, &[]).await,
    ] {
        assert_eq!((status, &answer["error"]), (401, &json!("invalid_client")));
    }
    let (status, answer) = client.basic(&operator, &[("scope", "operator")]).await;
    assert_eq!((status, &answer["error"]), (400, &json!("invalid_scope")));
}

async fn a_revoked_client_is_out_within_five_seconds(database: Database) {
    let plaudit = Plaudit::serve(&database, &[]).await;
    let setting = Setting::new(&database, plaudit.address(), 1).await;
    let operator = Api::new(plaudit.address(), &setting.operator);
    let revoked = client(&operator, "partner", "pillow", &["feed:read"]).await;
    let kept = client(&operator, "partner", "pillow", &["feed:read"]).await;
    let (token, other) = (revoked.token(&operator).await, kept.token(&operator).await);
    let mut sockets = Vec::new();
    for token in [&token, &other] {
        let opened = Subscription::open(plaudit.address(), token, Read::default()).await;
        let mut subscription = opened.expect("it serves");
        subscription.catch_up().await;
        sockets.push(subscription);
    }
    let began = Instant::now();
    operator
        .mutate(
            "revokeClient",
            "client { revokedAt }",
            &json!({"clientId": revoked.id}),
        )
        .await;
    let out = async {
        eventually("the token is refused", REVOKED_WITHIN, async || {
            let (status, _) = viewer(&operator, &token).await;
            (status == 401).then_some(())
        })
        .await;
    };
    let other_socket = sockets.pop().expect("two were opened");
    let socket = sockets.pop().expect("two were opened");
    let (code, ()) = tokio::join!(socket.closed(REVOKED_WITHIN), out);
    assert_eq!(code, 4403);
    println!("out {:?} after the revocation", began.elapsed());
    let (status, answer) = revoked.basic(&operator, &[]).await;
    assert_eq!((status, &answer["error"]), (401, &json!("invalid_client")));
    // Nobody else is touched.
    assert_eq!(viewer(&operator, &other).await.0, 200);
    let mut other_socket = other_socket;
    let api = operator.with(&setting.employer);
    let event = setting.event("e", "m0", 0);
    crate::support::setting::record(&api, &[event])
        .await
        .expect("it is accepted");
    other_socket.hold(1).await;
}

async fn key_ids(api: &Api) -> BTreeSet<String> {
    let url = format!("http://{}/.well-known/jwks.json", api.address);
    let answer = api.http.get(url).send().await.expect("it serves");
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["content-type"], "application/jwk-set+json");
    let keys: Value = answer.json().await.expect("JSON");
    let keys = keys["keys"].as_array().expect("keys");
    for key in keys {
        assert_eq!((&key["kty"], &key["crv"]), (&json!("EC"), &json!("P-256")));
        assert_eq!((&key["alg"], &key["use"]), (&json!("ES256"), &json!("sig")));
        assert!(key["x"].is_string() && key["y"].is_string());
        assert_eq!(key.get("d"), None, "no private part");
    }
    keys.iter()
        .map(|key| key["kid"].as_str().expect("a kid").to_owned())
        .collect()
}

async fn a_key_is_replaced_while_tokens_of_the_old_one_go_on(database: Database) {
    let plaudit = Plaudit::serve(&database, &[]).await;
    let setting = Setting::new(&database, plaudit.address(), 1).await;
    let operator = Api::new(plaudit.address(), &setting.operator);
    let client = client(&operator, "employer", "acme", &["members:read"]).await;
    let old = client.token(&operator).await;
    let before = key_ids(&operator).await;
    assert_eq!(before.len(), 1);
    let said = run(&database, &["rotate-key"]).await;
    assert!(said.status.success(), "{said:?}");
    let both = eventually("both keys are published", SOON, async || {
        let now = key_ids(&operator).await;
        (now.len() == 2).then_some(now)
    })
    .await;
    assert!(both.is_superset(&before));
    let new = client.token(&operator).await;
    let restarted = Plaudit::serve(&database, &[]).await;
    let there = Api::new(restarted.address(), "");
    assert_eq!(key_ids(&there).await, both);
    for token in [&old, &new, &setting.operator] {
        assert_eq!(viewer(&operator, token).await.0, 200);
        assert_eq!(viewer(&there, token).await.0, 200);
    }
}

async fn the_public_documents_have_the_forms_of_their_standards(database: Database) {
    let plaudit = Plaudit::serve(&database, &["--public-url", "https://plaudit.example/"]).await;
    let http = crate::support::graphql::http();
    let url = plaudit.url("/.well-known/oauth-authorization-server");
    let answer = http.get(url).send().await.expect("it serves");
    assert_eq!(
        (answer.status().as_u16(), &answer.headers()["content-type"]),
        (200, &"application/json".parse().unwrap())
    );
    let metadata: Value = answer.json().await.expect("JSON");
    assert_eq!(metadata["issuer"], "https://plaudit.example");
    assert_eq!(metadata["token_endpoint"], "https://plaudit.example/oauth/token");
    assert_eq!(
        metadata["jwks_uri"],
        "https://plaudit.example/.well-known/jwks.json"
    );
    assert_eq!(metadata["grant_types_supported"], json!(["client_credentials"]));
    assert_eq!(
        metadata["token_endpoint_auth_methods_supported"],
        json!(["client_secret_basic", "client_secret_post"])
    );
    // A token of another issuer is worth nothing, though the keys are the same.
    let elsewhere = crate::support::plaudit::token(&database, &["--scope", "operator"]).await;
    let here = ["--scope", "operator", "--public-url", "https://plaudit.example"];
    let here = crate::support::plaudit::token(&database, &here).await;
    let api = Api::new(plaudit.address(), "");
    assert_eq!(viewer(&api, &elsewhere).await.0, 401);
    assert_eq!(viewer(&api, &here).await.0, 200);
}
