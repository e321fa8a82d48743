//! The endpoint over its router, with a database behind it.

use axum::body::{Body, to_bytes};
use chrono::{DateTime, TimeDelta, Utc};
use entity::id::EmployerId;
use entity::secret::SecretBytes;
use http::Request;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use serde_json::Value;
use tower::Service;

use super::*;
use crate::auth::client_secret::ClientSecret;
use crate::auth::keys::PUBLISHED_AHEAD;
use crate::auth::token::{Authority, Refusal};
use crate::auth::viewer::Party;

struct Trial {
    endpoint: Endpoint,
    client: client::Model,
    secret: ClientSecret,
    // Removes the database when the trial is over.
    _folder: tempfile::TempDir,
}

fn begin() -> DateTime<Utc> {
    "2026-11-21T00:00:00Z".parse().unwrap()
}

fn authority() -> Authority {
    Authority {
        issuer: "http://127.0.0.1:8080".to_owned(),
        audience: "http://127.0.0.1:8080".to_owned(),
    }
}

async fn database() -> (tempfile::TempDir, Db) {
    let folder = tempfile::tempdir().unwrap();
    let db = Db::open(&format!(
        "sqlite://{}/plaudit.db?mode=rwc",
        folder.path().display()
    ))
    .await
    .unwrap();
    migration::migrate(db.read()).await.unwrap();
    (folder, db)
}

impl Trial {
    /// An endpoint with one client of the operator.
    async fn new() -> Self {
        let (folder, db) = database().await;
        let clock = Clock::manual(begin());
        let ids = Ids::seeded(clock.clone(), 1);
        let ring = store::open_ring(&db, clock.now()).await.unwrap();
        let verifier = Arc::new(Verifier::new(authority(), ring));
        let secret = ClientSecret::from_random([1; 32]);
        let client = client::Model {
            id: ids.next(),
            name: "back office".to_owned(),
            employer_id: None,
            partner_id: None,
            scopes: "operator".to_owned(),
            secret_digest: SecretBytes::new(*secret.digest().as_bytes()),
            previous_secret_digest: None,
            previous_secret_until: None,
            created_at: clock.now().into(),
            revoked_at: None,
        };
        let transaction = db.write_txn().await.unwrap();
        client::insert(&*transaction, client.clone()).await.unwrap();
        transaction.commit().await.unwrap();
        Self {
            endpoint: Endpoint {
                db,
                clock,
                ids,
                verifier,
                limits: Limits::default(),
            },
            client,
            secret,
            _folder: folder,
        }
    }

    fn now(&self) -> DateTime<Utc> {
        self.endpoint.clock.now()
    }

    fn pass(&self, time: TimeDelta) {
        self.endpoint
            .clock
            .set(self.now().checked_add_signed(time).unwrap());
    }

    async fn ask(&self, secret: &str) -> (StatusCode, Value) {
        let form = format!(
            "grant_type=client_credentials&client_id={}&client_secret={secret}",
            self.client.id
        );
        self.send(
            Request::post(TOKEN_PATH).header(CONTENT_TYPE, "application/x-www-form-urlencoded"),
            form,
        )
        .await
    }

    async fn token(&self) -> String {
        let (status, body) = self.ask(self.secret.expose()).await;
        assert_eq!(status, 200, "{body}");
        body["access_token"].as_str().unwrap().to_owned()
    }

    async fn send(&self, request: http::request::Builder, body: String) -> (StatusCode, Value) {
        let request = request.body(Body::from(body)).unwrap();
        let response = router(self.endpoint.clone()).call(request).await.unwrap();
        let status = response.status();
        let body = to_bytes(response.into_body(), 1 << 20).await.unwrap();
        (status, serde_json::from_slice(&body).unwrap())
    }
}

#[tokio::test]
async fn a_client_gets_a_token_that_verifies_and_ends() {
    let trial = Trial::new().await;
    let token = trial.token().await;
    let viewer = trial.endpoint.verifier.authenticate(&token, trial.now()).unwrap();
    assert_eq!(
        (viewer.party, viewer.client_id.clone()),
        (Party::Operator, trial.client.id.to_string())
    );
    trial.pass(TimeDelta::minutes(10));
    let refused = trial
        .endpoint
        .verifier
        .authenticate(&token, trial.now())
        .unwrap_err();
    assert_eq!(refused.reason(), Refusal::Expired);
}

#[tokio::test]
async fn a_client_may_show_its_secret_in_the_header() {
    use base64::Engine;
    let trial = Trial::new().await;
    let pair = format!("{}:{}", trial.client.id, trial.secret.expose());
    let basic = format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair));
    let request = Request::post(TOKEN_PATH)
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header(AUTHORIZATION, basic);
    let (status, body) = trial
        .send(request, "grant_type=client_credentials".to_owned())
        .await;
    assert_eq!(
        (status, body["scope"].as_str()),
        (StatusCode::OK, Some("operator"))
    );
}

#[tokio::test]
async fn a_wrong_secret_and_an_unknown_client_get_the_same_bytes() {
    let trial = Trial::new().await;
    let wrong = trial.ask("plaudit_secret_wrong").await;
    assert_eq!(wrong.0, StatusCode::UNAUTHORIZED);
    for unknown in [
        trial.endpoint.ids.next::<ClientId>().to_string(),
        "nobody".to_owned(),
        "' OR 1=1 --".to_owned(),
    ] {
        let form = format!(
            "grant_type=client_credentials&client_id={unknown}&client_secret={}",
            trial.secret.expose()
        );
        let request = Request::post(TOKEN_PATH).header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        assert_eq!(trial.send(request, form).await, wrong, "{unknown}");
    }
}

#[tokio::test]
async fn a_body_over_the_limit_is_an_invalid_request() {
    let trial = Trial::new().await;
    let request = Request::post(TOKEN_PATH).header(CONTENT_TYPE, "application/x-www-form-urlencoded");
    let (status, body) = trial.send(request, "a".repeat(LONGEST_REQUEST + 1)).await;
    assert_eq!(
        (status, body["error"].as_str()),
        (StatusCode::BAD_REQUEST, Some("invalid_request"))
    );
}

#[tokio::test]
async fn a_rotated_secret_is_taken_as_long_as_was_said() {
    let trial = Trial::new().await;
    let new = ClientSecret::from_random([2; 32]);
    let until = trial.now().checked_add_signed(TimeDelta::hours(1)).unwrap();
    let transaction = trial.endpoint.db.write_txn().await.unwrap();
    let digest = SecretBytes::new(*new.digest().as_bytes());
    assert!(
        client::rotate_secret(&*transaction, trial.client.id, digest, until.into())
            .await
            .unwrap()
    );
    transaction.commit().await.unwrap();
    assert_eq!(trial.ask(trial.secret.expose()).await.0, StatusCode::OK);
    assert_eq!(trial.ask(new.expose()).await.0, StatusCode::OK);
    trial.pass(TimeDelta::hours(1));
    assert_eq!(trial.ask(trial.secret.expose()).await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(trial.ask(new.expose()).await.0, StatusCode::OK);
}

#[tokio::test]
async fn a_revoked_client_gets_no_token_and_its_tokens_stop_with_the_next_refresh() {
    let trial = Trial::new().await;
    let token = trial.token().await;
    let Endpoint { db, verifier, .. } = &trial.endpoint;
    let viewer = verifier.authenticate(&token, trial.now()).unwrap();
    let transaction = db.write_txn().await.unwrap();
    assert!(
        client::revoke(&*transaction, trial.client.id, trial.now().into())
            .await
            .unwrap()
    );
    transaction.commit().await.unwrap();

    assert_eq!(trial.ask(trial.secret.expose()).await.0, StatusCode::UNAUTHORIZED);
    store::refresh(db, verifier, trial.now()).await.unwrap();
    assert_eq!(
        verifier.authenticate(&token, trial.now()).unwrap_err().reason(),
        Refusal::Revoked
    );
    assert_eq!(
        verifier.still(&viewer, trial.now()).unwrap_err().reason(),
        Refusal::Revoked
    );
}

#[tokio::test]
async fn keys_rotate_without_a_token_refused() {
    let trial = Trial::new().await;
    let Endpoint { db, verifier, .. } = &trial.endpoint;
    let published = async || {
        store::refresh(db, verifier, trial.now()).await.unwrap();
        let (_, body) = trial.send(Request::get(JWKS_PATH), String::new()).await;
        body["keys"].as_array().unwrap().len()
    };
    assert!(!store::rotate_if_due(db, trial.now()).await.unwrap());
    assert_eq!(published().await, 1);

    trial.pass(TimeDelta::days(30));
    assert!(store::rotate_if_due(db, trial.now()).await.unwrap());
    assert!(!store::rotate_if_due(db, trial.now()).await.unwrap());
    assert_eq!(published().await, 2);
    let before = trial.token().await;

    trial.pass(PUBLISHED_AHEAD.checked_sub(&TimeDelta::minutes(1)).unwrap());
    assert!(verifier.authenticate(&before, trial.now()).is_ok());
    let last_of_old = trial.token().await;
    trial.pass(TimeDelta::minutes(1));
    let first_of_new = trial.token().await;
    let key_of = |token: &str| jsonwebtoken::decode_header(token).unwrap().kid;
    assert_eq!(key_of(&before), key_of(&last_of_old));
    assert_ne!(key_of(&last_of_old), key_of(&first_of_new));
    for token in [&last_of_old, &first_of_new] {
        assert!(verifier.authenticate(token, trial.now()).is_ok());
    }

    trial.pass(TimeDelta::days(2));
    assert!(!store::rotate_if_due(db, trial.now()).await.unwrap());
    assert_eq!(published().await, 1);
}

#[tokio::test]
async fn two_processes_that_start_together_have_one_key() {
    let (_folder, db) = database().await;
    let (one, other) = tokio::join!(store::open_ring(&db, begin()), store::open_ring(&db, begin()));
    let (one, other) = (one.unwrap(), other.unwrap());
    assert_eq!(one, other);
    assert_eq!(one.public_keys(begin()).keys.len(), 1);
}

#[tokio::test]
async fn a_damaged_row_of_a_client_is_our_fault_and_says_nothing() {
    let trial = Trial::new().await;
    let damaged = client::Model {
        id: trial.endpoint.ids.next(),
        secret_digest: SecretBytes::new([1, 2, 3]),
        ..trial.client.clone()
    };
    let transaction = trial.endpoint.db.write_txn().await.unwrap();
    client::insert(&*transaction, damaged.clone()).await.unwrap();
    transaction.commit().await.unwrap();
    let trial = Trial {
        client: damaged,
        ..trial
    };
    let answer = trial.ask(trial.secret.expose()).await;
    assert_eq!(
        answer,
        (
            StatusCode::INTERNAL_SERVER_ERROR,
            serde_json::json!({ "error": "server_error" })
        )
    );
}

#[test]
fn a_client_acts_for_the_tenant_of_its_row() {
    let employer: EmployerId = "emp_01ARZ3NDEKTSV4RRFFQ69G5FAV".parse().unwrap();
    let partner = "ptr_01ARZ3NDEKTSV4RRFFQ69G5FAV".parse().unwrap();
    let row = |employer_id, partner_id| client::Model {
        id: "cli_01ARZ3NDEKTSV4RRFFQ69G5FAV".parse().unwrap(),
        name: String::new(),
        employer_id,
        partner_id,
        scopes: "events:write".to_owned(),
        secret_digest: SecretBytes::new([0; 32]),
        previous_secret_digest: None,
        previous_secret_until: None,
        created_at: begin().into(),
        revoked_at: None,
    };
    let party = |row| {
        store::client_record(&row, begin())
            .map(|record| record.party)
            .ok()
    };
    assert_eq!(party(row(None, None)), Some(Party::Operator));
    assert_eq!(party(row(Some(employer), None)), Some(Party::Employer(employer)));
    assert_eq!(party(row(None, Some(partner))), Some(Party::Partner(partner)));
    assert_eq!(party(row(Some(employer), Some(partner))), None);
}

#[tokio::test]
async fn the_documents_stand_at_their_addresses() {
    let trial = Trial::new().await;
    let (status, body) = trial.send(Request::get(METADATA_PATH), String::new()).await;
    assert_eq!(
        (status, body["token_endpoint"].as_str()),
        (StatusCode::OK, Some("http://127.0.0.1:8080/oauth/token"))
    );
    let (status, body) = trial.send(Request::get(JWKS_PATH), String::new()).await;
    assert_eq!(status, StatusCode::OK);
    let signer = trial.endpoint.verifier.ring();
    assert_eq!(
        body["keys"][0]["kid"].as_str(),
        signer.signer(trial.now()).map(|key| key.kid())
    );
}
