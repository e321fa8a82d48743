//! `POST /v1/mail/events`: bounces and complaints, as a mail provider or whoever reads its reports tells them.
//!
//! `{"events": [{"type": "bounce", "permanent": true, "messageId": "<…>"}, {"type": "complaint", "address": "…"}]}`; the answer is 200 with one
//! result an event, in order. The same as `recordMailEvents` of GraphQL, for the same tokens.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, Query, State};
use axum::response::Response;
use axum::routing::post;
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use super::graphql::errors::Code;
use super::{plain, problem};
use crate::app::App;
use crate::auth::access;
use crate::domain;
use crate::domain::mail::{Happened, Reported, Verdict, record_events};

/// Bytes of a request.
const BODY_MAX: usize = 1024 * 1024;

/// The address.
pub fn router(app: Arc<App>) -> Router {
    Router::new()
        .route("/v1/mail/events", post(receive))
        .layer(DefaultBodyLimit::max(BODY_MAX))
        .with_state(app)
}

#[derive(Deserialize)]
struct Parameters {
    /// The key of the employer, for the operator's tokens.
    employer: Option<String>,
}

/// The body. What providers add to it is left out.
#[derive(Deserialize)]
struct Body {
    events: Vec<Item>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Item {
    r#type: Kind,
    #[serde(default)]
    permanent: bool,
    message_id: Option<String>,
    address: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Bounce,
    Complaint,
}

impl From<Item> for Reported {
    fn from(item: Item) -> Self {
        Self {
            happened: match item.r#type {
                Kind::Complaint => Happened::Complained,
                Kind::Bounce => Happened::Bounced {
                    permanently: item.permanent,
                },
            },
            message_id: item.message_id,
            address: item.address,
        }
    }
}

/// A request that is not taken.
struct Refused(StatusCode, Code, String);

impl From<plain::Refused> for Refused {
    fn from(plain::Refused(code, message): plain::Refused) -> Self {
        Self(code.status(), code, message)
    }
}

impl From<domain::Error> for Refused {
    fn from(error: domain::Error) -> Self {
        match error {
            domain::Error::Refused(faults) => {
                let message = faults.into_iter().next().map(|fault| fault.message);
                bad(message.unwrap_or_default())
            }
            error => plain::failed(error, "mail events").into(),
        }
    }
}

fn bad(message: impl Into<String>) -> Refused {
    Refused(StatusCode::BAD_REQUEST, Code::BadUserInput, message.into())
}

async fn receive(
    State(app): State<Arc<App>>,
    Query(parameters): Query<Parameters>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let request_id = app.ids.text();
    match take(&app, parameters, &headers, body).await {
        Ok(verdicts) => {
            let results: Vec<Value> = verdicts.into_iter().map(shown).collect();
            problem::json(StatusCode::OK, &json!({"results": results}), &request_id)
        }
        Err(Refused(status, code, message)) => problem::refuse(status, code, &message, &request_id),
    }
}

async fn take(
    app: &App,
    parameters: Parameters,
    headers: &HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Vec<Verdict>, Refused> {
    let (_, permit) = plain::admit::<access::RecordMailEvents>(app, headers)?;
    let body = body.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => {
            let message = format!("the body is longer than {BODY_MAX} bytes");
            Refused(StatusCode::PAYLOAD_TOO_LARGE, Code::BadUserInput, message)
        }
        _ => bad("the body did not arrive whole"),
    })?;
    // What exactly is wrong is not said: it could hold an address.
    let body: Body = serde_json::from_slice(&body).map_err(|_| {
        bad("the body is not JSON of the form {\"events\": [{\"type\": \"bounce\" or \"complaint\", …}]}")
    })?;
    let events: Vec<Reported> = body.events.into_iter().map(Reported::from).collect();
    Ok(record_events(app, permit, parameters.employer.as_deref(), &events).await?)
}

fn shown(verdict: Verdict) -> Value {
    match verdict {
        Verdict::Suppressed => json!({"status": "SUPPRESSED"}),
        Verdict::Ignored => json!({"status": "IGNORED"}),
        Verdict::Rejected(fault) => {
            let error = json!({"code": fault.code.as_str(), "message": fault.message, "path": fault.path});
            json!({"status": "REJECTED", "error": error})
        }
    }
}
