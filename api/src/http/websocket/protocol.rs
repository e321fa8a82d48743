//! The `graphql-transport-ws` protocol as values: what a client said, what that means, and what is said to it. Pure.

use async_graphql::ServerError;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::http::graphql::errors::Answer;
use crate::http::graphql::negotiate;
use crate::http::graphql::request::Parameters;
use crate::http::graphql::tenure::Ending;

/// The subprotocol a client has to offer.
pub const SUBPROTOCOL: &str = "graphql-transport-ws";

/// Why the server ends a socket. Clients of `graphql-ws` take 4400, 4401, 4406, 4409 and 4429 for mistakes of their own and stop; after
/// the others they may come again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Close {
    /// The close code.
    pub code: u16,
    /// For people; at most 123 bytes, or the frame could not be sent.
    pub reason: String,
}

impl Close {
    fn new(code: u16, reason: &str) -> Self {
        const LONGEST: usize = 123;
        let mut reason = reason.to_owned();
        reason.truncate(reason.floor_char_boundary(LONGEST));
        Self { code, reason }
    }

    /// The server goes down.
    pub fn going_away() -> Self {
        Self::new(1001, "going away")
    }

    /// A text that is not UTF-8.
    pub fn not_utf8() -> Self {
        Self::new(1007, "a text message must be UTF-8")
    }

    /// A message over the limit.
    pub fn too_big() -> Self {
        Self::new(1009, "message too big")
    }

    /// Nothing is wrong with the client; it may come again later.
    pub fn try_again_later(reason: &str) -> Self {
        Self::new(1013, reason)
    }

    /// A message that is none.
    pub fn bad_message(reason: &str) -> Self {
        Self::new(4400, reason)
    }

    /// An operation before the acknowledgement.
    pub fn unauthorized() -> Self {
        Self::new(4401, "Unauthorized")
    }

    /// A token that is missing, bad, at its end, or withdrawn.
    pub fn forbidden(reason: &str) -> Self {
        Self::new(4403, reason)
    }

    /// Another subprotocol than ours.
    pub fn subprotocol() -> Self {
        Self::new(4406, "Subprotocol not acceptable")
    }

    /// No `connection_init` in time.
    pub fn init_timeout() -> Self {
        Self::new(4408, "Connection initialisation timeout")
    }

    /// An id that is still in use.
    pub fn subscriber_exists(id: &str) -> Self {
        Self::new(4409, &format!("Subscriber for {id} already exists"))
    }

    /// A second `connection_init`.
    pub fn too_many_inits() -> Self {
        Self::new(4429, "Too many initialisation requests")
    }
}

impl From<Ending> for Close {
    fn from(ending: Ending) -> Self {
        match ending {
            Ending::ShuttingDown => Self::going_away(),
            Ending::Expired | Ending::Revoked => Self::forbidden(ending.reason()),
        }
    }
}

/// What a client can say.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Incoming {
    ConnectionInit { payload: Option<Map<String, Value>> },
    Ping { payload: Option<Map<String, Value>> },
    Pong {},
    Subscribe { id: String, payload: Parameters },
    Complete { id: String },
}

/// What has to be done about a message.
#[derive(Debug)]
pub enum Step {
    /// The client introduces itself, with this token if it gave one.
    Authenticate(Option<String>),
    /// Start the operation.
    Start(String, Box<Parameters>),
    /// The client wants no more of this operation.
    Stop(String),
    /// Say this.
    Reply(String),
    /// Nothing.
    Nothing,
    /// End the socket.
    End(Close),
}

/// Decides what a text message means to a socket that was acknowledged or not yet.
#[must_use]
pub fn step(text: &str, acknowledged: bool) -> Step {
    // The reader's own words may quote the message and name our types; the reason names only what is expected.
    let incoming = match serde_json::from_str(text) {
        // The reader would take a list for the members of an object in their order.
        Ok(_) if !text.trim_start().starts_with('{') => {
            return Step::End(Close::bad_message("Invalid message: not an object"));
        }
        Ok(incoming) => incoming,
        Err(error) if error.is_data() => {
            return Step::End(Close::bad_message("Invalid message: unknown type or shape"));
        }
        Err(_) => return Step::End(Close::bad_message("Invalid message: not JSON")),
    };
    match incoming {
        Incoming::ConnectionInit { .. } if acknowledged => Step::End(Close::too_many_inits()),
        Incoming::ConnectionInit { payload } => match authorization(payload.as_ref()) {
            Ok(token) => Step::Authenticate(token),
            Err(close) => Step::End(close),
        },
        Incoming::Ping { payload } => Step::Reply(frame(&Outgoing::Pong { payload })),
        Incoming::Subscribe { .. } if !acknowledged => Step::End(Close::unauthorized()),
        Incoming::Subscribe { id, .. } if id.is_empty() || id.len() > LONGEST_ID => {
            Step::End(Close::bad_message("Invalid message: id must have 1 to 128 bytes"))
        }
        Incoming::Subscribe { id, payload } => Step::Start(id, Box::new(payload)),
        Incoming::Complete { id } => Step::Stop(id),
        Incoming::Pong {} => Step::Nothing,
    }
}

/// An id is repeated in every message of its operation.
const LONGEST_ID: usize = 128;

/// The token in the payload of `connection_init`: `authorization`, with or without the word Bearer.
fn authorization(payload: Option<&Map<String, Value>>) -> Result<Option<String>, Close> {
    let Some(payload) = payload else {
        return Ok(None);
    };
    let given = payload
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case("authorization"));
    match given {
        None | Some((_, Value::Null)) => Ok(None),
        Some((_, Value::String(text))) => Ok(Some(negotiate::token(text).unwrap_or(text).to_owned())),
        Some(_) => Err(Close::bad_message(
            "Invalid message: authorization must be a string",
        )),
    }
}

/// What the server can say.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Outgoing<'a> {
    ConnectionAck,
    Ping,
    Pong {
        #[serde(skip_serializing_if = "Option::is_none")]
        payload: Option<Map<String, Value>>,
    },
    Next {
        id: &'a str,
        payload: &'a Answer,
    },
    Error {
        id: &'a str,
        payload: &'a [ServerError],
    },
    Complete {
        id: &'a str,
    },
}

/// `connection_ack`.
#[must_use]
pub fn ack() -> String {
    frame(&Outgoing::ConnectionAck)
}

/// `ping`.
#[must_use]
pub fn ping() -> String {
    frame(&Outgoing::Ping)
}

/// `next`: one result of an operation that goes on.
#[must_use]
pub fn next(id: &str, answer: &Answer) -> String {
    frame(&Outgoing::Next { id, payload: answer })
}

/// `error`: the operation was refused, or has failed, and is over.
#[must_use]
pub fn error(id: &str, answer: &Answer) -> String {
    frame(&Outgoing::Error {
        id,
        payload: &answer.errors,
    })
}

/// `complete`: the operation is over.
#[must_use]
pub fn complete(id: &str) -> String {
    frame(&Outgoing::Complete { id })
}

fn frame(message: &Outgoing<'_>) -> String {
    serde_json::to_string(message).unwrap_or_else(|error| {
        tracing::error!(%error, "a message could not be written as JSON");
        // A message a client can read and ignore.
        r#"{"type":"pong"}"#.to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HI: &str = r#"{"type":"connection_init"}"#;
    const SUBSCRIBE: &str = r#"{"type":"subscribe","id":"1","payload":{"query":"{a}"}}"#;

    fn ended(text: &str, acknowledged: bool) -> Option<u16> {
        match step(text, acknowledged) {
            Step::End(close) => Some(close.code),
            _ => None,
        }
    }

    #[test]
    fn what_breaks_the_protocol_ends_the_socket_with_its_code() {
        let cases = [
            (SUBSCRIBE, false, 4401),
            (HI, true, 4429),
            ("", true, 4400),
            ("nonsense", false, 4400),
            ("{\"type\":\"connection_init\"", false, 4400),
            ("[]", true, 4400),
            ("\"ping\"", true, 4400),
            ("[\"ping\"]", true, 4400),
            ("{}", true, 4400),
            (r#"{"type":"start","id":"1"}"#, true, 4400),
            (r#"{"type":"next","id":"1","payload":{}}"#, true, 4400),
            (r#"{"type":7}"#, true, 4400),
            (r#"{"type":"connection_init","payload":"x"}"#, false, 4400),
            (r#"{"type":"connection_init","payload":[]}"#, false, 4400),
            (
                r#"{"type":"connection_init","payload":{"authorization":7}}"#,
                false,
                4400,
            ),
            (r#"{"type":"ping","payload":7}"#, true, 4400),
            (r#"{"type":"complete"}"#, true, 4400),
            (r#"{"type":"complete","id":7}"#, true, 4400),
            (r#"{"type":"subscribe","id":"1"}"#, true, 4400),
            (r#"{"type":"subscribe","id":"1","payload":{}}"#, true, 4400),
            (r#"{"type":"subscribe","payload":{"query":"{a}"}}"#, true, 4400),
            (
                r#"{"type":"subscribe","id":"","payload":{"query":"{a}"}}"#,
                true,
                4400,
            ),
            (
                r#"{"type":"subscribe","id":7,"payload":{"query":"{a}"}}"#,
                true,
                4400,
            ),
            (
                r#"{"type":"subscribe","id":"1","payload":{"query":"{a}","variables":[]}}"#,
                true,
                4400,
            ),
        ];
        for (text, acknowledged, code) in cases {
            assert_eq!(ended(text, acknowledged), Some(code), "{text}");
        }
    }

    #[test]
    fn an_endless_id_is_refused_with_a_reason_that_fits_a_frame() {
        let long = "é".repeat(10_000);
        let text = format!(r#"{{"type":"subscribe","id":"{long}","payload":{{"query":"a"}}}}"#);
        assert_eq!(ended(&text, true), Some(4400));
        let close = Close::subscriber_exists(&long);
        assert!(close.reason.len() <= 123, "{}", close.reason.len());
        assert!(close.reason.starts_with("Subscriber for é"));
    }

    #[test]
    fn a_token_is_found_with_and_without_the_word_bearer() {
        let cases = [
            (HI, None),
            (r#"{"type":"connection_init","payload":null}"#, None),
            (r#"{"type":"connection_init","payload":{}}"#, None),
            (
                r#"{"type":"connection_init","payload":{"authorization":null}}"#,
                None,
            ),
            (
                r#"{"type":"connection_init","payload":{"authorization":"Bearer a.b.c"}}"#,
                Some("a.b.c"),
            ),
            (
                r#"{"type":"connection_init","payload":{"Authorization":"a.b.c"}}"#,
                Some("a.b.c"),
            ),
            (
                r#"{"type":"connection_init","payload":{"authorization":""}}"#,
                Some(""),
            ),
        ];
        for (text, expected) in cases {
            let Step::Authenticate(token) = step(text, false) else {
                panic!("{text} is an introduction");
            };
            assert_eq!(token.as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn a_ping_is_answered_with_its_payload_before_and_after_the_acknowledgement() {
        for acknowledged in [false, true] {
            for (ping, pong) in [
                (r#"{"type":"ping"}"#, r#"{"type":"pong"}"#),
                (
                    r#"{"type":"ping","payload":{"a":1}}"#,
                    r#"{"type":"pong","payload":{"a":1}}"#,
                ),
            ] {
                let Step::Reply(reply) = step(ping, acknowledged) else {
                    panic!("{ping} wants a reply");
                };
                assert_eq!(reply, pong);
            }
            assert!(matches!(step(r#"{"type":"pong"}"#, acknowledged), Step::Nothing));
            assert!(matches!(
                step(r#"{"type":"pong","payload":null}"#, acknowledged),
                Step::Nothing
            ));
        }
    }

    #[test]
    fn operations_start_and_stop_once_acknowledged() {
        assert!(matches!(step(SUBSCRIBE, true), Step::Start(id, _) if id == "1"));
        let complete = r#"{"type":"complete","id":"1"}"#;
        assert!(matches!(step(complete, true), Step::Stop(id) if id == "1"));
    }

    #[test]
    fn what_the_server_says_has_the_protocols_form() {
        let answer = Answer::refusal(
            crate::http::graphql::errors::Code::Forbidden,
            "no",
            Vec::new(),
            "R",
        );
        assert_eq!(ack(), r#"{"type":"connection_ack"}"#);
        assert_eq!(ping(), r#"{"type":"ping"}"#);
        assert_eq!(complete("1"), r#"{"type":"complete","id":"1"}"#);
        assert_eq!(
            error("1", &answer),
            r#"{"type":"error","id":"1","payload":[{"message":"no","extensions":{"code":"FORBIDDEN","requestId":"R"}}]}"#
        );
        assert!(next("1", &answer).starts_with(r#"{"type":"next","id":"1","payload":{"errors":"#));
    }
}
