//! The two ways in which results go out one after another in the body of one answer, as text. Pure.
//!
//! *Events* are GraphQL over server-sent events in its distinct connections mode: an event `next` a result, then `complete`. An
//! answer that ends without `complete` was cut off, and clients come again. *Parts* are Apollo's multipart protocol for
//! subscriptions, 1.0: each result in `payload`; what ends the stream from outside stands beside a `payload` of null.

use serde::Serialize;
use serde_json::{Value, json};

use crate::http::graphql::errors::{Answer, Code};
use crate::http::graphql::tenure::Ending;

/// A form of the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// `text/event-stream`.
    Events,
    /// `multipart/mixed;subscriptionSpec=1.0`.
    Parts,
}

/// Between two parts. A part is read only when the boundary behind it has come, so it is sent at once.
const BOUNDARY: &str = "\r\n--graphql";

impl Framing {
    /// The `Content-Type` of an answer in this form.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Events => "text/event-stream; charset=utf-8",
            Self::Parts => "multipart/mixed;boundary=\"graphql\";subscriptionSpec=1.0",
        }
    }

    /// What goes first, before there is any result.
    pub(super) fn opening(self) -> String {
        match self {
            Self::Events => ":\n\n".to_owned(),
            Self::Parts => "--graphql".to_owned(),
        }
    }

    /// A result. `bookmark` is where a client goes on after it, if there is such a place; it has no line breaks.
    pub(super) fn next(self, answer: &Answer, bookmark: Option<&str>) -> String {
        match self {
            Self::Events => {
                let id = bookmark.map_or_else(String::new, |id| format!("id: {id}\n"));
                // JSON as it is written here has no line breaks.
                format!("event: next\n{id}data: {}\n\n", written(answer))
            }
            Self::Parts => part(&json!({ "payload": answer })),
        }
    }

    /// A sign of life for the client and for whatever stands in between.
    pub(super) fn heartbeat(self) -> String {
        match self {
            Self::Events => ":\n\n".to_owned(),
            Self::Parts => part(&json!({})),
        }
    }

    /// There are no more results.
    pub(super) fn complete(self) -> String {
        match self {
            // With a line of data, though it is empty: browsers keep an event without one to themselves.
            Self::Events => "event: complete\ndata:\n\n".to_owned(),
            Self::Parts => "--\r\n".to_owned(),
        }
    }

    /// There may be more results, and they will not come this way.
    pub(super) fn cut(self, ending: Ending, request_id: &str) -> String {
        let reason = ending.reason();
        match self {
            Self::Events => format!(": {reason}\n\n"),
            Self::Parts => {
                let code = match ending {
                    Ending::ShuttingDown => Code::Unavailable,
                    Ending::Expired | Ending::Revoked => Code::Unauthenticated,
                };
                let errors = Answer::refusal(code, reason, Vec::new(), request_id).errors;
                format!("{}--\r\n", part(&json!({ "payload": null, "errors": errors })))
            }
        }
    }
}

fn part(body: &Value) -> String {
    format!("\r\ncontent-type: application/json\r\n\r\n{body}{BOUNDARY}")
}

fn written(answer: &impl Serialize) -> String {
    serde_json::to_string(answer).unwrap_or_else(|error| {
        tracing::error!(%error, "a result could not be written as JSON");
        // A result a client can read and find empty.
        "{}".to_owned()
    })
}

#[cfg(test)]
mod tests {
    use async_graphql::{Response, value};

    use super::*;

    fn answer() -> Answer {
        Answer::of(Response::new(value!({ "a": "line\nbreak" })), "R1")
    }

    #[test]
    fn an_event_has_its_bookmark_and_one_line_of_data() {
        assert_eq!(
            Framing::Events.next(&answer(), Some("c7")),
            "event: next\nid: c7\ndata: {\"data\":{\"a\":\"line\\nbreak\"}}\n\n"
        );
        let without = Framing::Events.next(&answer(), None);
        assert!(without.starts_with("event: next\ndata: {"), "{without}");
        assert_eq!(Framing::Events.complete(), "event: complete\ndata:\n\n");
    }

    #[test]
    fn a_part_ends_with_the_boundary_that_lets_it_be_read() {
        let parts = [
            Framing::Parts.opening(),
            Framing::Parts.next(&answer(), Some("c7")),
            Framing::Parts.heartbeat(),
            Framing::Parts.complete(),
        ];
        assert_eq!(
            parts.concat(),
            "--graphql\r\ncontent-type: application/json\r\n\r\n{\"payload\":{\"data\":{\"a\":\"line\\nbreak\"}}}\r\n--graphql\
             \r\ncontent-type: application/json\r\n\r\n{}\r\n--graphql--\r\n"
        );
    }

    #[test]
    fn what_is_cut_off_is_not_complete_and_says_why() {
        assert_eq!(
            Framing::Events.cut(Ending::Expired, "R1"),
            ": the token has expired\n\n"
        );
        let cut = Framing::Parts.cut(Ending::ShuttingDown, "R1");
        assert!(
            cut.contains("\"payload\":null") && cut.contains("\"UNAVAILABLE\""),
            "{cut}"
        );
        assert!(cut.ends_with("\r\n--graphql--\r\n"), "{cut}");
    }
}
