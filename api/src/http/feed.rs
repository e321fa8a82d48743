//! `GET /v1/feed.csv` and `GET /v1/feed.ndjson`: a partner's feed as a file, for whoever lives on nightly batches.
//!
//! The file is sent while it is read, a page at a time, so neither its length nor a slow reader costs memory, and no connection to the
//! database is held while the reader takes its time. A file that breaks off is not ended properly, which every HTTP client notices: go on
//! with `from` one more than the last position that arrived.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::Response;
use axum::routing::get;
use entity::id::PartnerId;
use futures_util::{Stream, StreamExt, stream};
use http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE, VARY};
use http::{HeaderMap, HeaderValue};
use jobs::export::{self, ExportError, Format};
use serde::Deserialize;
use serde_json::json;
use tower_http::compression::CompressionLayer;

use super::graphql::REQUEST_ID;
use super::graphql::errors::{CURSOR_EXPIRED, Code};
use super::{plain, problem};
use crate::app::App;
use crate::auth::access;
use crate::auth::viewer::Viewer;
use crate::domain::{self, Oldest};

/// The addresses.
pub fn router(app: Arc<App>) -> Router {
    let file = |format| {
        move |app: State<Arc<App>>, query: Result<Query<Range>, QueryRejection>, headers: HeaderMap| {
            answer(app, query, headers, format)
        }
    };
    Router::new()
        .route("/v1/feed.csv", get(file(Format::Csv)))
        .route("/v1/feed.ndjson", get(file(Format::Ndjson)))
        .layer(CompressionLayer::new().gzip(true))
        .with_state(app)
}

/// Which positions are wanted.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Range {
    /// The first; 1 unless given.
    from: Option<i64>,
    /// The last; the newest unless given.
    to: Option<i64>,
}

/// Why there is no file.
enum Refused {
    Plainly(plain::Refused),
    Expired(Oldest),
}

impl From<plain::Refused> for Refused {
    fn from(refused: plain::Refused) -> Self {
        Self::Plainly(refused)
    }
}

impl From<domain::Error> for Refused {
    fn from(error: domain::Error) -> Self {
        match error {
            domain::Error::Refused(faults) => {
                let message = faults.into_iter().next().map(|fault| fault.message);
                bad(&message.unwrap_or_default())
            }
            domain::Error::Expired(oldest) => Self::Expired(oldest),
            error => Self::Plainly(plain::failed(error, "a feed")),
        }
    }
}

async fn answer(
    State(app): State<Arc<App>>,
    query: Result<Query<Range>, QueryRejection>,
    headers: HeaderMap,
    format: Format,
) -> Response {
    let request_id = app.ids.text();
    let mut response = match open(&app, query.ok(), &headers, format).await {
        Ok((sending, to)) => file(sending, to, &request_id),
        Err(Refused::Plainly(plain::Refused(code, message))) => problem::coded(code, &message, &request_id),
        Err(Refused::Expired(oldest)) => {
            let extensions = json!({
                "code": Code::CursorExpired.as_str(), "requestId": request_id,
                "oldestCursor": oldest.cursor, "oldestPosition": oldest.position,
            });
            let error = json!({"message": CURSOR_EXPIRED, "extensions": extensions});
            let body = json!({"errors": [error]});
            problem::json(Code::CursorExpired.status(), &body, &request_id)
        }
    };
    let headers = response.headers_mut();
    headers.append(VARY, HeaderValue::from_static("authorization"));
    response
}

fn bad(message: &str) -> Refused {
    Refused::Plainly(plain::Refused(Code::BadUserInput, message.to_owned()))
}

/// Finds out who asks, and whether what is asked for is there.
async fn open(
    app: &Arc<App>,
    range: Option<Query<Range>>,
    headers: &HeaderMap,
    format: Format,
) -> Result<(Sending, i64), Refused> {
    let (viewer, permit) = plain::admit::<access::ReadFeed>(app, headers)?;
    let partner = domain::feed::partner(&permit)?;
    let Some(Query(Range { from, to })) = range else {
        return Err(bad(
            "`from` and `to` are positions, and there is nothing else to ask for",
        ));
    };
    let from = from.unwrap_or(1);
    if from < 1 || to.is_some_and(|to| to < from) {
        return Err(bad("positions count from 1, and `to` must not be before `from`"));
    }
    let unreached = |_| bad("the feed has not come as far as `from`");
    let extent = domain::feed::require_kept(app, partner, from.saturating_sub(1))
        .await
        .map_err(|error| match error {
            domain::Error::Refused(faults) => unreached(faults),
            error => error.into(),
        })?;
    // Where the file ends is settled when it begins: it would never end where entries come faster than they are read.
    let to = to.map_or(extent.newest, |to| to.min(extent.newest));
    let sending = Sending {
        app: Arc::clone(app),
        viewer,
        partner,
        format,
        next: from,
        to,
        has_begun: false,
    };
    Ok((sending, to))
}

fn file(sending: Sending, to: i64, request_id: &str) -> Response {
    let (media, extension) = match sending.format {
        Format::Csv => ("text/csv; charset=utf-8; header=present", "csv"),
        Format::Ndjson => ("application/x-ndjson", "ndjson"),
    };
    let name = format!("attachment; filename=\"feed-{}-{to}.{extension}\"", sending.next);
    let mut response = Response::new(Body::from_stream(sending.stream()));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Ok(name) = HeaderValue::from_str(&name) {
        headers.insert(CONTENT_DISPOSITION, name);
    }
    if let Ok(id) = HeaderValue::from_str(request_id) {
        headers.insert(REQUEST_ID, id);
    }
    response
}

/// A file under way.
struct Sending {
    app: Arc<App>,
    viewer: Arc<Viewer>,
    partner: PartnerId,
    format: Format,
    /// The position that comes next.
    next: i64,
    /// The last position.
    to: i64,
    has_begun: bool,
}

/// Why a file breaks off. Nobody reads it: the connection is cut.
#[derive(Debug, thiserror::Error)]
#[error("the file breaks off")]
struct BrokenOff;

impl Sending {
    fn stream(self) -> impl Stream<Item = Result<Vec<u8>, BrokenOff>> {
        stream::unfold(Some(self), |sending| async move {
            let mut sending = sending?;
            match sending.part().await {
                Ok(None) => None,
                Ok(Some(part)) => Some((Ok(part), Some(sending))),
                Err(error) => Some((Err(error), None)),
            }
        })
        // Whoever compresses asks once more after the end.
        .fuse()
    }

    /// What is sent next; none: that was all.
    async fn part(&mut self) -> Result<Option<Vec<u8>>, BrokenOff> {
        if !self.has_begun {
            self.has_begun = true;
            let head = self.format.head().map_err(|error| broken_off(&error))?;
            if !head.is_empty() {
                return Ok(Some(head));
            }
        }
        if self.next > self.to {
            return Ok(None);
        }
        // A token that has expired or was revoked meanwhile reads no further, and a process that is to end does not wait for the reader.
        let now = self.app.clock.now();
        if self.app.shutdown.is_cancelled() || self.app.verifier.still(&self.viewer, now).is_err() {
            return Err(BrokenOff);
        }
        let entries = export::page(self.app.db.read(), self.partner, (self.next, self.to))
            .await
            .map_err(|error| broken_off(&error))?;
        let Some(last) = entries.last() else {
            return Err(BrokenOff);
        };
        self.next = last.position.saturating_add(1);
        let lines = self.format.lines(&entries).map_err(|error| broken_off(&error))?;
        Ok(Some(lines))
    }
}

fn broken_off(error: &ExportError) -> BrokenOff {
    let source = std::error::Error::source(error).map(ToString::to_string);
    tracing::warn!(error = %error, source, "the export of a feed broke off");
    BrokenOff
}
