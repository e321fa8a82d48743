//! `GET /v1/members/{externalId}/points`: the points of one member in one plain answer, for a page or an app that shows nothing else.
//!
//! The same as `Member.points` of GraphQL, for the same tokens. Its `ETag` is a digest of the body, so whoever asks again with
//! `If-None-Match` is sent the body only when it has changed.

use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use axum::Router;
use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::get;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::SecondsFormat;
use entity::ledger::read::Balance;
use http::header::{CACHE_CONTROL, ETAG, IF_NONE_MATCH, VARY};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::{Value, json};

use super::graphql::errors::Code;
use super::{plain, problem};
use crate::app::App;
use crate::auth::access;
use crate::domain;

/// The address.
pub fn router(app: Arc<App>) -> Router {
    Router::new()
        .route("/v1/members/{external_id}/points", get(answer))
        .with_state(app)
}

/// Why there is no answer.
enum Refused {
    Plainly(plain::Refused),
    /// No such member, or one that this token may not see.
    Unknown,
}

impl From<plain::Refused> for Refused {
    fn from(refused: plain::Refused) -> Self {
        Self::Plainly(refused)
    }
}

impl From<domain::Error> for Refused {
    fn from(error: domain::Error) -> Self {
        match error {
            domain::Error::Refused(_) => Self::Unknown,
            error => Self::Plainly(plain::failed(error, "points")),
        }
    }
}

async fn answer(
    State(app): State<Arc<App>>,
    path: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
) -> Response {
    let request_id = app.ids.text();
    let external_id = path.map(|Path(external_id)| external_id);
    let mut response = match read(&app, external_id.ok(), &headers).await {
        Ok(body) => shown(&body, &headers, &request_id),
        Err(Refused::Plainly(plain::Refused(code, message))) => problem::coded(code, &message, &request_id),
        Err(Refused::Unknown) => {
            let message = "there is no such member";
            problem::refuse(StatusCode::NOT_FOUND, Code::BadUserInput, message, &request_id)
        }
    };
    response
        .headers_mut()
        .insert(VARY, HeaderValue::from_static("authorization"));
    response
}

/// The body for the member of this external id; an address that is no text names nobody.
async fn read(app: &App, external_id: Option<String>, headers: &HeaderMap) -> Result<Value, Refused> {
    let (_, permit) = plain::admit::<access::ReadMemberPoints>(app, headers)?;
    let external_id = external_id.ok_or(Refused::Unknown)?;
    let balances = domain::points::find(app, &permit, &external_id)
        .await?
        .ok_or(Refused::Unknown)?;
    let balances: Vec<Value> = balances.into_iter().map(balance).collect();
    Ok(json!({"member": external_id, "balances": balances}))
}

fn balance((category, balance): (String, Balance)) -> Value {
    let (end, amount) = balance.next_expiry.unzip();
    let end = end.map(|end| end.instant().to_rfc3339_opts(SecondsFormat::AutoSi, true));
    json!({
        "category": category, "available": balance.available, "pending": balance.pending, "nextExpiry": end, "nextExpiryAmount": amount,
    })
}

fn shown(body: &Value, headers: &HeaderMap, request_id: &str) -> Response {
    let mut response = problem::json(StatusCode::OK, body, request_id);
    let sum = digest(&SHA256, body.to_string().as_bytes());
    let tag = format!("\"{}\"", URL_SAFE_NO_PAD.encode(sum));
    if is_known(headers, &tag) {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        *response.body_mut() = Body::empty();
        response.headers_mut().remove(http::header::CONTENT_TYPE);
    }
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        headers.insert(ETAG, tag);
    }
    response
}

/// Whether the asker has the body of this tag already. Tags are compared weakly (RFC 9110 §13.1.2).
fn is_known(headers: &HeaderMap, tag: &str) -> bool {
    let lists = headers.get_all(IF_NONE_MATCH).iter();
    lists
        .filter_map(|list| list.to_str().ok())
        .flat_map(|list| list.split(','))
        .map(str::trim)
        .any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag)
}
