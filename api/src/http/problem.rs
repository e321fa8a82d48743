//! Refusals of the plain HTTP doors: the same JSON as GraphQL's, with a code and the request's id.

use axum::body::Body;
use axum::response::Response;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use serde_json::{Value, json};

use super::graphql::REQUEST_ID;
use super::graphql::errors::Code;
use crate::auth::bearer::CHALLENGE;

/// A JSON answer with the request's id.
pub fn json(status: StatusCode, body: &Value, request_id: &str) -> Response {
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Ok(id) = HeaderValue::from_str(request_id) {
        headers.insert(REQUEST_ID, id);
    }
    if status == StatusCode::UNAUTHORIZED {
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(CHALLENGE));
    }
    if status == StatusCode::SERVICE_UNAVAILABLE {
        headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}

/// A refusal with a status of its own.
pub fn refuse(status: StatusCode, code: Code, message: &str, request_id: &str) -> Response {
    json(status, &body(code, message, request_id), request_id)
}

/// What a refusal says.
pub fn body(code: Code, message: &str, request_id: &str) -> Value {
    let error = json!({"message": message, "extensions": {"code": code.as_str(), "requestId": request_id}});
    json!({"errors": [error]})
}

/// A refusal with the status that belongs to the code.
pub fn coded(code: Code, message: &str, request_id: &str) -> Response {
    refuse(code.status(), code, message, request_id)
}

/// There is nothing at this address.
pub fn not_found(request_id: &str) -> Response {
    refuse(
        StatusCode::NOT_FOUND,
        Code::BadUserInput,
        "there is nothing at this address",
        request_id,
    )
}

/// A handler panicked; what it said is in the log.
pub fn panicked(request_id: &str) -> Response {
    tracing::error!(request_id, "a handler panicked");
    coded(Code::Internal, "internal error", request_id)
}
