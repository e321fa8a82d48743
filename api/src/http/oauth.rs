//! The token endpoint and the two public documents. What is decided stands in [`crate::auth::oauth`]; here are the row of the
//! client, the clock and the id.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, State};
use axum::routing::{get, post};
use entity::client;
use entity::clock::Clock;
use entity::db::{Db, is_unavailable};
use entity::id::{ClientId, Ids};
use http::header::RETRY_AFTER;
use http::{HeaderMap, HeaderValue, Response, StatusCode};

use super::limit::{self, Limits};
use crate::auth::oauth::metadata::{self, JWKS_PATH, METADATA_PATH, TOKEN_PATH};
use crate::auth::oauth::{self, LONGEST_REQUEST, TokenError, TokenRequest};
use crate::auth::store::{self, StoreError};
use crate::auth::token::{IssueError, issue};
use crate::auth::verifier::Verifier;

/// What the endpoint works with.
#[derive(Clone)]
pub struct Endpoint {
    /// Where the clients are.
    pub db: Db,
    /// The time.
    pub clock: Clock,
    /// The ids of tokens.
    pub ids: Ids,
    /// The keys, and the address under which all this is reached.
    pub verifier: Arc<Verifier>,
    /// What is left of the clients' budgets.
    pub limits: Limits,
}

/// Units that a token costs: it is good for ten minutes, and nobody needs many.
const UNITS_OF_TOKEN: u64 = 100;

/// The three addresses.
pub fn router(endpoint: Endpoint) -> Router {
    Router::new()
        .route(
            TOKEN_PATH,
            post(token).layer(DefaultBodyLimit::max(LONGEST_REQUEST)),
        )
        .route(JWKS_PATH, get(public_keys))
        .route(METADATA_PATH, get(server_metadata))
        .with_state(endpoint)
}

/// Why no token was given.
#[derive(Debug, thiserror::Error)]
enum Failure {
    /// The client can mend it.
    #[error(transparent)]
    Refused(#[from] TokenError),
    /// The client, which is the one it says it is, has asked too often.
    #[error("too many tokens; again in {0} s")]
    Spent(u32),
    /// Ours.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Ours.
    #[error(transparent)]
    Issue(#[from] IssueError),
}

async fn token(
    State(endpoint): State<Endpoint>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response<String> {
    match give_token(&endpoint, &headers, body).await {
        Ok(response) => response,
        Err(Failure::Refused(error)) => error.response(),
        Err(Failure::Spent(wait)) => {
            let mut response = oauth::failed(StatusCode::TOO_MANY_REQUESTS);
            response
                .headers_mut()
                .insert(RETRY_AFTER, HeaderValue::from(wait));
            response
        }
        Err(Failure::Store(StoreError::Db(error))) if is_unavailable(&error) => {
            tracing::warn!(%error, "no token was given: the database is away");
            oauth::failed(StatusCode::SERVICE_UNAVAILABLE)
        }
        Err(failure) => {
            let source = std::error::Error::source(&failure).map(ToString::to_string);
            tracing::error!(error = %failure, source, "no token was given");
            oauth::failed(StatusCode::INTERNAL_SERVER_ERROR)
        }
    }
}

async fn give_token(
    endpoint: &Endpoint,
    headers: &HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response<String>, Failure> {
    let body = body.map_err(|_| TokenError::InvalidRequest("the body is too long, or was cut off"))?;
    let request = TokenRequest::parse(headers, &body)?;
    let now = endpoint.clock.now();
    // A text that is no id belongs to no client, and is answered like any other unknown one.
    let row = match request.client_id().parse::<ClientId>() {
        Ok(id) => client::find(endpoint.db.read(), id)
            .await
            .map_err(StoreError::Db)?,
        Err(_) => None,
    };
    let record = row.map(|row| store::client_record(&row, now)).transpose()?;
    let grant = oauth::decide(record.as_ref(), &request, endpoint.ids.text())?;
    // Only now: whoever does not know the secret must not use up the budget of whoever does.
    let spent = endpoint
        .limits
        .take(&limit::client(&grant.client_id), now, UNITS_OF_TOKEN);
    if !spent.is_enough {
        return Err(Failure::Spent(spent.wait));
    }
    let token = issue(
        &endpoint.verifier.ring(),
        endpoint.verifier.authority(),
        &grant,
        now,
    )?;
    Ok(oauth::granted(&token, &grant))
}

async fn public_keys(State(endpoint): State<Endpoint>) -> Response<String> {
    metadata::public_keys(&endpoint.verifier.ring(), endpoint.clock.now())
}

async fn server_metadata(State(endpoint): State<Endpoint>) -> Response<String> {
    metadata::metadata(&endpoint.verifier.authority().issuer)
}

#[cfg(test)]
mod tests;
