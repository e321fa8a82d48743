//! `POST /events`: CloudEvents 1.0 over HTTP, binary, structured and batched.
//!
//! `id` and `source` come from the envelope, `subject` is the member's external id, `time` the instant, the extension `timezone` the
//! zone, `data` (a JSON object) the properties. The answer is 202 with one result an event, in order, after what was accepted is
//! durable; what cannot be read as CloudEvents at all is 400 and nothing is taken.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Query, State};
use axum::response::Response;
use axum::routing::post;
use cloudevents::binding::http::to_event;
use cloudevents::event::{ExtensionValue, SpecVersion};
use cloudevents::{AttributesReader, Data, Event};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use super::graphql::errors::Code;
use super::{plain, problem};
use crate::app::App;
use crate::auth::access;
use crate::domain::{self, Fault, tenant};
use crate::graphql::scalar::parse_zone;
use crate::intake::check::Candidate;
use crate::intake::{EVENTS_MAX, ItemResult, Status};

/// Bytes of a request.
const BODY_MAX: usize = 1024 * 1024;
const STRUCTURED: &str = "application/cloudevents+json";
const BATCHED: &str = "application/cloudevents-batch+json";
/// The library reads drafts before 1.0 too, in which other attributes mean other things.
const OTHER_VERSION: &str = "not a CloudEvent 1.0: another `specversion`";

/// The address.
pub fn router(app: Arc<App>) -> Router {
    Router::new()
        .route("/events", post(receive))
        .layer(DefaultBodyLimit::max(BODY_MAX))
        .with_state(app)
}

#[derive(Deserialize)]
struct Parameters {
    /// The key of the employer, for the operator's tokens.
    employer: Option<String>,
}

/// A request that is not taken.
struct Refused(StatusCode, Code, String);

impl Refused {
    fn coded(code: Code, message: impl Into<String>) -> Self {
        Self(code.status(), code, message.into())
    }
}

impl From<domain::Error> for Refused {
    fn from(error: domain::Error) -> Self {
        match error {
            domain::Error::Refused(faults) => Self::coded(
                Code::BadUserInput,
                faults
                    .into_iter()
                    .next()
                    .map_or_else(String::new, |fault| fault.message),
            ),
            error => plain::failed(error, "events").into(),
        }
    }
}

impl From<plain::Refused> for Refused {
    fn from(plain::Refused(code, message): plain::Refused) -> Self {
        Self::coded(code, message)
    }
}

async fn receive(
    State(app): State<Arc<App>>,
    Query(parameters): Query<Parameters>,
    headers: HeaderMap,
    body: Result<Bytes, axum::extract::rejection::BytesRejection>,
) -> Response {
    let request_id = app.ids.text();
    match take(&app, parameters, &headers, body).await {
        Ok(results) => {
            let results: Vec<Value> = results.into_iter().map(shown).collect();
            problem::json(StatusCode::ACCEPTED, &json!({"results": results}), &request_id)
        }
        Err(Refused(status, code, message)) => problem::refuse(status, code, &message, &request_id),
    }
}

async fn take(
    app: &App,
    parameters: Parameters,
    headers: &HeaderMap,
    body: Result<Bytes, axum::extract::rejection::BytesRejection>,
) -> Result<Vec<ItemResult>, Refused> {
    let (_, permit) = plain::admit::<access::RecordEvents>(app, headers)?;
    let body = body.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => {
            let message = format!("the body is longer than {BODY_MAX} bytes");
            Refused(StatusCode::PAYLOAD_TOO_LARGE, Code::BadUserInput, message)
        }
        _ => Refused::coded(Code::BadUserInput, "the body did not arrive whole"),
    })?;
    let events = read(headers, &body)?;
    if events.is_empty() || events.len() > EVENTS_MAX {
        return Err(Refused::coded(
            Code::BadUserInput,
            format!("1 to {EVENTS_MAX} events"),
        ));
    }
    let employer = tenant::resolve_id(app.db.read(), permit.viewer(), parameters.employer.as_deref()).await?;

    // What is no event is refused in its place; the others go on.
    let candidates: Vec<Candidate> = events
        .iter()
        .filter_map(|event| event.as_ref().ok().cloned())
        .collect();
    let mut taken = if candidates.is_empty() {
        Vec::new()
    } else {
        app.intake.offer(employer, candidates).await?
    }
    .into_iter();
    let results = events.into_iter().map(|event| match event {
        Ok(candidate) => taken.next().unwrap_or_else(|| {
            let fault = Fault::invalid(&[], "the event was not answered; send it again");
            ItemResult {
                id: candidate.id,
                status: Status::Rejected(fault),
            }
        }),
        Err((id, message)) => ItemResult {
            id,
            status: Status::Rejected(Fault::invalid(&[], message)),
        },
    });
    Ok(results.collect())
}

/// An event, or the id and fault of what is none.
type Read = Result<Candidate, (String, String)>;

fn read(headers: &HeaderMap, body: &[u8]) -> Result<Vec<Read>, Refused> {
    let content_type = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let media = content_type
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    let no_json = || Refused::coded(Code::BadUserInput, "the body is not JSON");
    match media.as_str() {
        BATCHED => {
            let events: Vec<Value> = serde_json::from_slice(body).map_err(|_| {
                Refused::coded(Code::BadUserInput, "the body is not a JSON list of CloudEvents")
            })?;
            Ok(events.into_iter().map(structured).collect())
        }
        STRUCTURED => {
            let event: Value = serde_json::from_slice(body).map_err(|_| no_json())?;
            match structured(event) {
                Ok(candidate) => Ok(vec![Ok(candidate)]),
                Err((_, message)) => Err(Refused::coded(Code::BadUserInput, message)),
            }
        }
        _ if headers.contains_key("ce-specversion") => {
            if !media.is_empty() && media != "application/json" && !media.ends_with("+json") {
                let message = "the data of an event is JSON".to_owned();
                return Err(Refused(
                    StatusCode::UNSUPPORTED_MEDIA_TYPE,
                    Code::BadUserInput,
                    message,
                ));
            }
            let wrong = |error: cloudevents::message::Error| {
                Refused::coded(
                    Code::BadUserInput,
                    format!("not a CloudEvent in binary mode: {error}"),
                )
            };
            let event = to_event(headers, body.to_vec()).map_err(wrong)?;
            Ok(vec![Ok(from_headers(candidate(&event)))])
        }
        _ => {
            let message = format!("send {STRUCTURED}, {BATCHED}, or the binary mode with its ce- headers");
            Err(Refused(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                Code::BadUserInput,
                message,
            ))
        }
    }
}

/// The candidate with its attributes percent-decoded: in binary mode they travel in headers, where the HTTP binding has them encoded.
fn from_headers(candidate: Candidate) -> Candidate {
    let decoded = |text: &str| match percent_encoding::percent_decode_str(text).decode_utf8() {
        Ok(plain) => plain.into_owned(),
        Err(_) => text.to_owned(),
    };
    Candidate {
        id: decoded(&candidate.id),
        source: decoded(&candidate.source),
        event_type: decoded(&candidate.event_type),
        member: decoded(&candidate.member),
        ..candidate
    }
}

fn structured(event: Value) -> Read {
    let id = event
        .get("id")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned();
    match serde_json::from_value::<Event>(event) {
        Ok(event) if event.specversion() != SpecVersion::V10 => Err((id, OTHER_VERSION.to_owned())),
        Ok(event) => Ok(candidate(&event)),
        Err(error) => Err((id, format!("not a CloudEvent 1.0: {error}"))),
    }
}

fn candidate(event: &Event) -> Candidate {
    let zone = match event.extension("timezone") {
        None => Ok(None),
        Some(ExtensionValue::String(zone)) => parse_zone(zone).map(Some),
        Some(_) => Err("the extension `timezone` is a text".to_owned()),
    };
    let properties = match event.data() {
        None => Ok(json!({})),
        Some(Data::Json(data)) => Ok(data.clone()),
        Some(Data::String(text)) => serde_json::from_str(text).map_err(|_| "the data is not JSON".to_owned()),
        Some(Data::Binary(bytes)) if bytes.is_empty() => Ok(json!({})),
        Some(Data::Binary(bytes)) => {
            serde_json::from_slice(bytes).map_err(|_| "the data is not JSON".to_owned())
        }
    };
    let time = event
        .time()
        .ok_or_else(|| "the attribute `time` is missing".to_owned());
    Candidate {
        id: event.id().to_owned(),
        source: event.source().clone(),
        event_type: event.ty().to_owned(),
        member: event.subject().unwrap_or_default().to_owned(),
        // Through its text, so that both doors take the same instants.
        occurred_at: time.and_then(|time| crate::graphql::scalar::parse_instant(&time.to_rfc3339())),
        time_zone: zone,
        properties,
    }
}

fn shown(result: ItemResult) -> Value {
    let (status, error) = match result.status {
        Status::Accepted => ("ACCEPTED", Value::Null),
        Status::Duplicate => ("DUPLICATE", Value::Null),
        Status::Rejected(fault) => (
            "REJECTED",
            json!({"code": fault.code.as_str(), "message": fault.message, "path": fault.path}),
        ),
    };
    json!({"id": result.id, "status": status, "error": error})
}
