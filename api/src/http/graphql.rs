//! GraphQL over HTTP: our own handler, because the stock one runs mutations over GET, takes any content type and has no limits.
//!
//! A request goes one way: headers ([`negotiate`]) → token → parameters ([`request`]) → document ([`document`]) → executor → answer
//! ([`errors`]). Whatever stops it on the way is answered in JSON with a code and the request's id.
//!
//! Status codes follow the audits of the npm package `graphql-http`: under `application/json` an answer about the document is 200
//! whatever it says, under `application/graphql-response+json` a document that was not executed is 400. What HTTP itself can say
//! (401, 405, 406, 408, 413, 415, 429, 503) is said in both.
//!
//! Where the caller asks for it, results go out one after another ([`super::stream`]): always those of a subscription, and of any
//! other operation where nothing else is taken; a document that is refused is then a result too.
//!
//! Left out on purpose: batching, uploads, `@defer`, other media types, headers set by resolvers, CORS (no other site's page has
//! business here). A client that hangs up drops its operation where it stands; what had not committed is rolled back.

pub mod document;
pub mod door;
pub mod errors;
pub mod negotiate;
pub mod request;
pub(super) mod results;
pub(super) mod tenure;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use async_graphql::Executor;
use async_graphql::parser::types::OperationType;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, FromRequest, State};
use axum::response::Response;
use axum::routing::{any, get};
use futures_util::FutureExt;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, VARY, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode};
use tokio::time::timeout;
use tracing::Instrument;

pub use self::door::{AuthFailure, Bounds, Door, harden};
use self::errors::{Answer, Code, UNAUTHENTICATED};
use self::negotiate::Media;
use self::request::{Parameters, Prepared};
use super::limit::{Purse, used_up};
use super::stream::Framing;
use super::{graphiql, stream, websocket};

/// Where GraphQL is.
pub const PATH: &str = "/graphql";
/// The header in which a request's id goes out.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// `/graphql` for GET, POST, streams and WebSocket, and on a `dev` server `/graphiql`.
pub fn router<D: Door>(door: D) -> Router {
    let pages = if door.dev() {
        Router::new()
            .route("/graphiql", get(graphiql::page))
            .route("/graphiql.js", get(graphiql::script))
    } else {
        Router::new()
    };
    let bounds = Arc::new(door.bounds());
    Router::new()
        .route(PATH, any(serve::<D>))
        .with_state(Gate { door, bounds })
        .merge(pages)
}

/// A door with its bounds.
#[derive(Clone)]
pub(super) struct Gate<D> {
    pub(super) door: D,
    pub(super) bounds: Arc<Bounds>,
}

/// A request that HTTP refuses, whatever GraphQL would have said.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) status: StatusCode,
    pub(super) code: Code,
    pub(super) message: String,
    /// The methods that would do, with a 405.
    pub(super) allow: Option<&'static str>,
}

impl Refused {
    pub(super) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self {
            status,
            code: Code::BadUserInput,
            message: message.into(),
            allow: None,
        }
    }

    /// Refused with the status that belongs to the code.
    pub(super) fn coded(code: Code, message: impl Into<String>) -> Self {
        Self {
            status: code.status(),
            code,
            message: message.into(),
            allow: None,
        }
    }

    fn method(message: &str, allow: &'static str) -> Self {
        Self {
            allow: Some(allow),
            ..Self::new(StatusCode::METHOD_NOT_ALLOWED, message)
        }
    }

    pub(super) fn into_response(self, media: Media, purse: Option<&Purse>, request_id: &str) -> Response {
        let answer = Answer::refusal(self.code, self.message, Vec::new(), request_id);
        let mut response = respond(self.status, media, answer, purse, request_id);
        if let Some(allow) = self.allow {
            response
                .headers_mut()
                .insert(ALLOW, HeaderValue::from_static(allow));
        }
        response
    }
}

impl From<AuthFailure> for Refused {
    fn from(failure: AuthFailure) -> Self {
        match failure {
            AuthFailure::Bad => Self::coded(Code::Unauthenticated, UNAUTHENTICATED),
            AuthFailure::Unavailable => Self::coded(Code::Unavailable, "the token cannot be checked now"),
        }
    }
}

async fn serve<D: Door>(State(gate): State<Gate<D>>, mut request: Request<Body>) -> Response {
    let id = gate.door.request_id();
    let mut purse = request.extensions_mut().remove::<Purse>();
    if websocket::is_upgrade(&request) {
        return websocket::upgrade(gate, request, &id)
            .await
            .unwrap_or_else(|refused| refused.into_response(Media::Json, purse.as_ref(), &id));
    }
    let form = Form {
        plain: negotiate::accept(request.headers()),
        streamed: negotiate::streamed(request.headers()),
    };
    let mut response = match answer(&gate, request, form, &mut purse, &id).await {
        Ok(response) => response,
        Err(refused) => refused.into_response(form.plain.unwrap_or(Media::Json), purse.as_ref(), &id),
    };
    // For the headers that say what is left.
    if let Some(purse) = purse {
        response.extensions_mut().insert(purse.taken());
    }
    response
}

/// The forms of answers that a caller takes.
#[derive(Debug, Clone, Copy)]
struct Form {
    /// The best liked for one result.
    plain: Option<Media>,
    /// The best liked for one result after another.
    streamed: Option<Framing>,
}

async fn answer<D: Door>(
    gate: &Gate<D>,
    request: Request<Body>,
    form: Form,
    purse: &mut Option<Purse>,
    id: &str,
) -> Result<Response, Refused> {
    if form.plain.is_none() && form.streamed.is_none() {
        return Err(Refused::new(
            StatusCode::NOT_ACCEPTABLE,
            "answers are application/graphql-response+json or application/json, of subscriptions text/event-stream or \
             multipart/mixed;subscriptionSpec=1.0",
        ));
    }
    let get = match *request.method() {
        Method::GET => true,
        Method::POST => false,
        _ => return Err(Refused::method("use POST, or GET for queries", "GET, POST")),
    };
    if get && !negotiate::is_deliberate(request.headers()) {
        return Err(Refused::new(
            StatusCode::BAD_REQUEST,
            "a GET needs an Authorization or graphql-require-preflight header",
        ));
    }
    if !get && !negotiate::is_json(request.headers()) {
        return Err(Refused::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "the body must be application/json in UTF-8",
        ));
    }
    let viewer = authenticate(&gate.door, request.headers()).await?;
    let bookmark = stream::bookmark(request.headers());
    let parameters = if get {
        Parameters::from_uri(request.uri())
    } else {
        let most = gate.door.body_bytes(viewer.as_ref(), &gate.bounds);
        Parameters::from_json(&body(gate, request, most).await?)
    };
    let parameters = parameters.map_err(|message| Refused::new(StatusCode::BAD_REQUEST, message))?;
    let prepared = parameters.prepare(&gate.bounds.document, &gate.bounds.shapes);
    let prepared = prepared.map_err(|refusal| {
        let message = refusal.to_string();
        Answer::refusal(refusal.code(), message, refusal.positions(), id)
    });
    let operation = prepared.as_ref().ok().map(|prepared| prepared.operation);
    if get && operation == Some(OperationType::Mutation) {
        return Err(Refused::method("mutations need POST", "POST"));
    }
    if let (Some(purse), Ok(prepared)) = (purse.as_mut(), &prepared) {
        let paid = purse.pay(gate.door.now(), prepared.units);
        paid.map_err(|wait| Refused::coded(Code::RateLimited, used_up(wait)))?;
    }
    let is_subscription = operation == Some(OperationType::Subscription);
    match form {
        Form {
            streamed: Some(framing),
            plain,
        } if is_subscription || plain.is_none() => {
            stream::open(gate, framing, viewer, bookmark, prepared, id)
        }
        _ if is_subscription => Err(Refused::new(
            StatusCode::BAD_REQUEST,
            "subscriptions need a WebSocket (graphql-transport-ws), or Accept: text/event-stream",
        )),
        Form { plain, .. } => {
            let answer = match prepared {
                Ok(prepared) => run(gate, prepared, viewer.as_ref(), id).await,
                Err(refusal) => refusal,
            };
            let media = plain.unwrap_or(Media::Json);
            Ok(respond(status(&answer, media), media, answer, purse.as_ref(), id))
        }
    }
}

/// The viewer behind the `Authorization` header, if there is one.
pub(super) async fn authenticate<D: Door>(
    door: &D,
    headers: &HeaderMap,
) -> Result<Option<D::Viewer>, Refused> {
    match negotiate::bearer(headers) {
        Ok(None) => Ok(None),
        Ok(Some(token)) => Ok(Some(door.authenticate(token).await?)),
        Err(_) => Err(AuthFailure::Bad.into()),
    }
}

async fn body<D: Door>(gate: &Gate<D>, mut request: Request<Body>, most: usize) -> Result<Bytes, Refused> {
    DefaultBodyLimit::max(most).apply(&mut request);
    let read = timeout(gate.bounds.body_within, Bytes::from_request(request, &()));
    match read.await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(rejection)) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => Err(Refused::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("the body is longer than {most} bytes"),
        )),
        Ok(Err(_)) => Err(Refused::new(
            StatusCode::BAD_REQUEST,
            "the body did not arrive whole",
        )),
        Err(_) => Err(Refused::new(
            StatusCode::REQUEST_TIMEOUT,
            "the body took too long to arrive",
        )),
    }
}

/// Executes a query or mutation within its time. A panic in a resolver is a fault of ours, not the end of the connection.
pub(super) async fn run<D: Door>(
    gate: &Gate<D>,
    prepared: Prepared,
    viewer: Option<&D::Viewer>,
    id: &str,
) -> Answer {
    let request = gate.door.attach(prepared.request, viewer, id);
    let execution = gate
        .door
        .executor()
        .execute(request)
        .instrument(tracing::info_span!("graphql", request_id = id));
    let within = gate.bounds.operation_within;
    match timeout(within, AssertUnwindSafe(execution).catch_unwind()).await {
        Ok(Ok(response)) => Answer::of(response, id),
        Ok(Err(_)) => panicked(id),
        Err(_) => Answer::refusal(
            Code::Unavailable,
            format!("the operation took longer than {} seconds", within.as_secs_f32()),
            Vec::new(),
            id,
        ),
    }
}

/// The answer where a resolver panicked; what it said is on the standard error stream.
pub(super) fn panicked(id: &str) -> Answer {
    tracing::error!(request_id = id, "a resolver panicked");
    Answer::refusal(Code::Internal, "internal error", Vec::new(), id)
}

fn status(answer: &Answer, media: Media) -> StatusCode {
    match (answer.refused(), media) {
        (None, _) => StatusCode::OK,
        (Some(Code::BadUserInput | Code::QueryTooComplex), Media::Json) => StatusCode::OK,
        (Some(code), _) => code.status(),
    }
}

fn respond(
    status: StatusCode,
    media: Media,
    mut answer: Answer,
    purse: Option<&Purse>,
    id: &str,
) -> Response {
    if let Some(purse) = purse {
        answer.extensions.insert("cost".to_owned(), purse.cost());
    }
    let body = serde_json::to_vec(&answer).unwrap_or_else(|error| {
        tracing::error!(request_id = id, %error, "an answer could not be written as JSON");
        Vec::new()
    });
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media.content_type()));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(VARY, HeaderValue::from_static("accept, authorization"));
    if let Ok(id) = HeaderValue::from_str(id) {
        headers.insert(REQUEST_ID, id);
    }
    match status {
        StatusCode::UNAUTHORIZED => {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
            let short = purse.map(Purse::taken).filter(|taken| !taken.is_enough);
            let wait = short.map_or(1, |taken| taken.wait);
            headers.insert(RETRY_AFTER, HeaderValue::from(wait));
        }
        _ => {}
    }
    response
}

#[cfg(test)]
mod tests;
