//! GraphQL over WebSocket (`graphql-transport-ws`): our own loop, because the stock one answers half the protocol's errors with the wrong
//! code and lets a silent, a greedy or an expired client stay.
//!
//! One task a socket does everything in turn: hear a message, or take one result from one operation and send it. While a send waits
//! for a slow client nothing else is read or produced, so a socket holds at most one message each way. Beside that loop stands what
//! ends a socket whatever it is doing: the shutdown of the server, the end of its token, the withdrawal of its client.
//!
//! Here is the way in and the way out; the loop is in `session`. What the messages mean is decided in [`protocol`], whose turn it is
//! in `operations`; [`super::sockets`] counts.

mod operations;
pub mod protocol;
mod session;

use std::time::Duration;

use axum::RequestExt;
use axum::body::Body;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::response::Response;
use http::header::{CONNECTION, HOST, ORIGIN, SEC_WEBSOCKET_PROTOCOL, UPGRADE};
use http::{HeaderMap, HeaderValue, Request, StatusCode};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite;

use self::protocol::{Close, SUBPROTOCOL, Step};
use self::session::Session;
use super::graphql::errors::Code;
use super::graphql::{self, AuthFailure, Door, Gate, REQUEST_ID, Refused, tenure};
use super::sockets::Seat;

/// What one socket may do, and as far as it applies a stream.
#[derive(Debug, Clone)]
pub struct Bounds {
    /// How long a client may take to introduce itself.
    pub init_within: Duration,
    /// After so long without a word from the client it is asked for one; after so long without a result a stream gives a sign of life.
    pub ping_after: Duration,
    /// After so long without a word it is taken for gone. Every WebSocket library answers a ping frame by itself.
    pub silent_for: Duration,
    /// How long a client may take to read one message.
    pub send_within: Duration,
    /// How often the token's end is looked for.
    pub expiry_every: Duration,
    /// How often the door is asked whether the viewer is current.
    pub revocation_every: Duration,
    /// Bytes in one message.
    pub message_bytes: usize,
    /// Operations running at once.
    pub operations: usize,
    /// Sockets and streams of one client.
    pub sockets_per_client: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            init_within: Duration::from_secs(5),
            // Shorter than the idle limits of common proxies.
            ping_after: Duration::from_secs(15),
            silent_for: Duration::from_secs(50),
            send_within: Duration::from_secs(10),
            // A token's end shows within a second.
            expiry_every: Duration::from_millis(500),
            revocation_every: Duration::from_secs(1),
            message_bytes: 64 * 1024,
            operations: 20,
            sockets_per_client: 50,
        }
    }
}

/// Whether a request asks for a WebSocket.
pub(super) fn is_upgrade(request: &Request<Body>) -> bool {
    let names = |header, word: &str| {
        request.headers().get_all(header).iter().any(|line| {
            line.to_str()
                .is_ok_and(|line| line.to_ascii_lowercase().contains(word))
        })
    };
    names(UPGRADE, "websocket") && names(CONNECTION, "upgrade")
}

/// Lets a client in, unless its page, its token or the number of its sockets forbids it.
pub(super) async fn upgrade<D: Door>(
    gate: Gate<D>,
    mut request: Request<Body>,
    id: &str,
) -> Result<Response, Refused> {
    let headers = request.headers();
    if !is_welcome(headers, |origin| gate.door.allows_origin(origin)) {
        return Err(Refused::coded(
            Code::Forbidden,
            "pages of this origin may not open sockets here",
        ));
    }
    if gate.door.shutdown().is_cancelled() {
        return Err(Refused::coded(Code::Unavailable, "the server goes down"));
    }
    let guest = match graphql::authenticate(&gate.door, headers).await? {
        Some(viewer) => Some(seat(&gate, viewer).ok_or_else(|| {
            Refused::coded(
                Code::RateLimited,
                "this client has too many sockets and streams open",
            )
        })?),
        None => None,
    };
    let offered = first_offered(headers);
    let bounds = &gate.bounds.socket;
    let mut upgrade = request
        .extract_parts::<WebSocketUpgrade>()
        .await
        .map_err(|_| Refused::new(StatusCode::BAD_REQUEST, "this is not a WebSocket upgrade"))?
        // Twice the limit still arrives, so that a client a little over it reads why it is cut off.
        .max_message_size(2 * bounds.message_bytes)
        .max_frame_size(2 * bounds.message_bytes)
        // Most messages are short, and most sockets are silent: a large buffer each would be the greater part of their memory.
        .read_buffer_size(4 * 1024)
        .write_buffer_size(0)
        .protocols([SUBPROTOCOL]);
    let spoken = upgrade.selected_protocol().is_some();
    if let (false, Some(offered)) = (spoken, offered) {
        // A client whose offer goes unanswered fails the handshake and never learns the close code.
        upgrade.set_selected_protocol(offered);
    }
    // Counted from here on, not from when the upgrade is done, so that a shutdown in between waits for it.
    let counted = gate.door.sockets().count_socket();
    let mut response = upgrade.on_upgrade(async move |mut socket| {
        let _counted = counted;
        let end = if spoken {
            attend(&gate, &mut socket, guest).await
        } else {
            End::Close(Close::subprotocol())
        };
        if let End::Close(close) = end {
            part(&mut socket, close).await;
        }
    });
    if let Ok(id) = HeaderValue::from_str(id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    Ok(response)
}

/// The first subprotocol a client offers.
fn first_offered(headers: &HeaderMap) -> Option<HeaderValue> {
    let line = headers.get(SEC_WEBSOCKET_PROTOCOL)?.to_str().ok()?;
    HeaderValue::from_str(line.split(',').next()?.trim()).ok()
}

/// A browser names the origin of the page that opens a socket. That must be our own host, or one that is allowed.
fn is_welcome(headers: &HeaderMap, allows: impl Fn(&str) -> bool) -> bool {
    let mut lines = headers.get_all(ORIGIN).iter();
    let (Some(origin), None) = (lines.next(), lines.next()) else {
        // None at all is no browser; two are a forgery.
        return !headers.contains_key(ORIGIN);
    };
    let Ok(origin) = origin.to_str() else {
        return false;
    };
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let own = origin
        .split_once("://")
        .is_some_and(|(_, authority)| host.is_some_and(|host| host.eq_ignore_ascii_case(authority)));
    own || allows(origin)
}

/// A viewer and its place among its client's sockets.
type Guest<V> = (V, Seat);

fn seat<D: Door>(gate: &Gate<D>, viewer: D::Viewer) -> Option<Guest<D::Viewer>> {
    let client = gate.door.client(&viewer);
    let most = gate.bounds.socket.sockets_per_client;
    let seat = gate.door.sockets().seat(client, most)?;
    Some((viewer, seat))
}

/// How a conversation ends.
enum End {
    /// By us, with a reason.
    Close(Close),
    /// The client is gone, or takes nothing any more.
    Gone,
}

/// The whole conversation: introduction, then operations.
async fn attend<D: Door>(gate: &Gate<D>, socket: &mut WebSocket, guest: Option<Guest<D::Viewer>>) -> End {
    let shutdown = gate.door.shutdown();
    let introduction = timeout(gate.bounds.socket.init_within, greet(gate, socket, guest));
    let introduced = tokio::select! {
        biased;
        () = shutdown.cancelled() => return End::Close(Close::going_away()),
        introduced = introduction => introduced,
    };
    let (viewer, _seat) = match introduced {
        Ok(Ok(guest)) => guest,
        Ok(Err(end)) => return end,
        Err(_) => return End::Close(Close::init_timeout()),
    };
    let mut session = Session::new(gate, socket, viewer.clone());
    tokio::select! {
        biased;
        ending = tenure::ending(gate, &viewer) => End::Close(Close::from(ending)),
        end = session.serve() => end,
    }
}

/// Waits for `connection_init` and answers it.
async fn greet<D: Door>(
    gate: &Gate<D>,
    socket: &mut WebSocket,
    mut guest: Option<Guest<D::Viewer>>,
) -> Result<Guest<D::Viewer>, End> {
    loop {
        let Some(text) = hear(socket, gate.bounds.socket.message_bytes).await? else {
            continue;
        };
        match protocol::step(&text, false) {
            Step::Authenticate(token) => {
                if let Some(token) = token {
                    guest = Some(admit(gate, &token).await.map_err(End::Close)?);
                }
                let guest = guest.ok_or_else(|| End::Close(Close::forbidden("Forbidden")))?;
                say(socket, protocol::ack()).await?;
                return Ok(guest);
            }
            Step::Reply(reply) => say(socket, reply).await?,
            Step::End(close) => return Err(End::Close(close)),
            Step::Start(..) | Step::Stop(_) | Step::Nothing => {}
        }
    }
}

async fn admit<D: Door>(gate: &Gate<D>, token: &str) -> Result<Guest<D::Viewer>, Close> {
    let viewer = match gate.door.authenticate(token).await {
        Ok(viewer) => viewer,
        Err(AuthFailure::Bad) => return Err(Close::forbidden("Forbidden")),
        Err(AuthFailure::Unavailable) => {
            return Err(Close::try_again_later("the token cannot be checked now"));
        }
    };
    seat(gate, viewer).ok_or_else(|| {
        gate.door.rate_limited();
        Close::try_again_later("this client has too many sockets and streams open")
    })
}

/// The next text message, or nothing where the client sent a ping or pong frame.
async fn hear(socket: &mut WebSocket, most: usize) -> Result<Option<String>, End> {
    match socket.recv().await {
        Some(Ok(Message::Text(text))) if text.len() > most => Err(End::Close(Close::too_big())),
        Some(Ok(Message::Text(text))) => Ok(Some(text.as_str().to_owned())),
        Some(Ok(Message::Ping(_) | Message::Pong(_))) => Ok(None),
        Some(Ok(Message::Binary(_))) => Err(End::Close(Close::bad_message("Invalid message: binary"))),
        Some(Ok(Message::Close(_))) => {
            // The answer to it is written when the socket is asked for more.
            while let Some(Ok(_)) = socket.recv().await {}
            Err(End::Gone)
        }
        Some(Err(error)) => Err(match error.into_inner().downcast_ref() {
            Some(tungstenite::Error::Capacity(_)) => End::Close(Close::too_big()),
            Some(tungstenite::Error::Utf8(_)) => End::Close(Close::not_utf8()),
            _ => End::Gone,
        }),
        None => Err(End::Gone),
    }
}

async fn say(socket: &mut WebSocket, text: String) -> Result<(), End> {
    socket
        .send(Message::Text(text.into()))
        .await
        .map_err(|_| End::Gone)
}

/// Says why, and gives the client a moment to answer; what it still sends meanwhile is thrown away.
async fn part(socket: &mut WebSocket, close: Close) {
    const MOMENT: Duration = Duration::from_secs(1);
    let farewell = Message::Close(Some(CloseFrame {
        code: close.code,
        reason: close.reason.into(),
    }));
    let farewell = timeout(MOMENT, async {
        if socket.send(farewell).await.is_ok() {
            while let Some(Ok(_)) = socket.recv().await {}
        }
    });
    if farewell.await.is_err() {
        tracing::debug!("a client did not answer the close frame and is dropped");
    }
}

#[cfg(test)]
mod tests;
