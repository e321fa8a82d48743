//! Results one after another in the body of one answer: server-sent events as of the npm package `graphql-sse` (its distinct
//! connections mode), and the multipart protocol of Apollo's clients. For partners whose proxies or tools know no WebSocket.
//!
//! Everything before the first result is the ordinary door's ([`super::graphql`]): method, token, body, document. From there on the
//! bounds are those of a socket, and both are counted together. A task of its own brings the results and waits for a slow client as
//! long as a socket would; it holds one result, and the body one more.
//!
//! Left out on purpose: the single connection mode of `graphql-sse`, which keeps state between requests for the sake of browsers.

mod bookmark;
mod framing;

use std::convert::Infallible;

use axum::body::{Body, Bytes};
use axum::response::Response;
use futures_util::stream::{self, BoxStream, StreamExt};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, VARY};
use http::{HeaderMap, HeaderName, HeaderValue};
use tokio::sync::mpsc;
use tokio::time::timeout;

pub use self::bookmark::Bookmark;
pub use self::framing::Framing;
use super::graphql::errors::{Answer, Code, UNAUTHENTICATED};
use super::graphql::request::Prepared;
use super::graphql::results::{Word, results};
use super::graphql::{Door, Gate, REQUEST_ID, Refused, tenure};

/// In which a client that was cut off says where it was.
const LAST_EVENT_ID: &str = "last-event-id";
/// Asks proxies not to collect what they pass on.
const ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// The bookmark a request brings along.
pub(super) fn bookmark(headers: &HeaderMap) -> Bookmark {
    let id = headers.get(LAST_EVENT_ID).and_then(|id| id.to_str().ok());
    Bookmark::new(id.filter(|id| !id.is_empty()).map(ToOwned::to_owned))
}

/// Answers with the results of an operation, or with why its document was refused.
pub(super) fn open<D: Door>(
    gate: &Gate<D>,
    framing: Framing,
    viewer: Option<D::Viewer>,
    bookmark: Bookmark,
    prepared: Result<Prepared, Answer>,
    id: &str,
) -> Result<Response, Refused> {
    let viewer = viewer.ok_or_else(|| Refused::coded(Code::Unauthenticated, UNAUTHENTICATED))?;
    if gate.door.shutdown().is_cancelled() {
        return Err(Refused::coded(Code::Unavailable, "the server goes down"));
    }
    let most = gate.bounds.socket.sockets_per_client;
    let seat = gate.door.sockets().seat(gate.door.client(&viewer), most);
    let seat = seat.ok_or_else(|| {
        Refused::coded(
            Code::RateLimited,
            "this client has too many sockets and streams open",
        )
    })?;
    let results = match prepared {
        Ok(mut prepared) => {
            prepared.request = prepared.request.data(bookmark.clone());
            results(gate, prepared, &viewer, id.to_owned())
        }
        Err(refusal) => stream::iter([Word::Error(refusal)]).boxed(),
    };
    let (out, mut taken) = mpsc::channel(1);
    let flow = Flow {
        gate: gate.clone(),
        framing,
        viewer,
        bookmark,
        id: id.to_owned(),
        out,
    };
    let counted = gate.door.sockets().count_stream();
    tokio::spawn(async move {
        let (_seat, _counted) = (seat, counted);
        flow.run(results).await;
    });
    let body = stream::poll_fn(move |context| taken.poll_recv(context)).map(Ok::<Bytes, Infallible>);
    let mut response = Response::new(Body::from_stream(body));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(framing.content_type()));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(VARY, HeaderValue::from_static("accept, authorization"));
    headers.insert(ACCEL_BUFFERING, HeaderValue::from_static("no"));
    if let Ok(id) = HeaderValue::from_str(id) {
        headers.insert(REQUEST_ID, id);
    }
    Ok(response)
}

/// The client is gone, or takes nothing any more.
struct Gone;

/// What brings the results of one operation to the body of its answer.
struct Flow<D: Door> {
    gate: Gate<D>,
    framing: Framing,
    viewer: D::Viewer,
    bookmark: Bookmark,
    id: String,
    out: mpsc::Sender<Bytes>,
}

impl<D: Door> Flow<D> {
    async fn run(self, results: BoxStream<'static, Word>) {
        let last = tokio::select! {
            biased;
            () = self.out.closed() => return,
            ending = tenure::ending(&self.gate, &self.viewer) => self.framing.cut(ending, &self.id),
            delivered = self.deliver(results) => match delivered {
                Ok(()) => self.framing.complete(),
                Err(Gone) => return,
            },
        };
        if self.say(last).await.is_err() {
            tracing::debug!("a client did not take the end of its stream");
        }
    }

    /// Delivers everything there is, with a sign of life wherever there is nothing for a while.
    async fn deliver(&self, mut results: BoxStream<'static, Word>) -> Result<(), Gone> {
        self.say(self.framing.opening()).await?;
        loop {
            let word = match timeout(self.gate.bounds.socket.ping_after, results.next()).await {
                Err(_) => {
                    self.say(self.framing.heartbeat()).await?;
                    continue;
                }
                Ok(None) => return Ok(()),
                Ok(Some(word)) => word,
            };
            let (answer, is_last) = match word {
                Word::Next(answer) => (answer, false),
                Word::Error(answer) => (answer, true),
            };
            let place = self.bookmark.take();
            self.say(self.framing.next(&answer, place.as_deref())).await?;
            if is_last {
                return Ok(());
            }
        }
    }

    async fn say(&self, text: String) -> Result<(), Gone> {
        match timeout(self.gate.bounds.socket.send_within, self.out.send(text.into())).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(Gone),
        }
    }
}

#[cfg(test)]
mod tests;
