//! What a client may learn of an error: one of eight codes, a message that was meant for it, and the request's id.
//!
//! Nothing else leaves. An error without a code comes either from the library's own checks of the request, and is the client's to
//! mend, or from a resolver, and then its text goes to the log and the client reads "internal error".

use std::collections::BTreeMap;

use async_graphql::{Name, PathSegment, Pos, Response, ServerError, Value};
use http::StatusCode;
use serde::Serialize;

/// The closed list of `extensions.code`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Code {
    /// The token is missing or bad; nothing says in which way.
    Unauthenticated,
    /// The token is good and does not reach this far.
    Forbidden,
    /// The request is wrong, and will be until it is changed.
    BadUserInput,
    /// The document asks for more than one request may.
    QueryTooComplex,
    /// What is asked for of a feed is no longer kept; the error says where what is kept begins.
    CursorExpired,
    /// Too much at once; later it will be taken.
    RateLimited,
    /// Something Plaudit needs is away, or it took too long; the same request may succeed later.
    Unavailable,
    /// A fault of ours, of which the client only gets the request's id.
    Internal,
}

impl Code {
    /// Every code there is.
    pub const ALL: [Self; 8] = [
        Self::Unauthenticated,
        Self::Forbidden,
        Self::BadUserInput,
        Self::QueryTooComplex,
        Self::CursorExpired,
        Self::RateLimited,
        Self::Unavailable,
        Self::Internal,
    ];

    /// The code as it stands in `extensions.code`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unauthenticated => "UNAUTHENTICATED",
            Self::Forbidden => "FORBIDDEN",
            Self::BadUserInput => "BAD_USER_INPUT",
            Self::QueryTooComplex => "QUERY_TOO_COMPLEX",
            Self::CursorExpired => "CURSOR_EXPIRED",
            Self::RateLimited => "RATE_LIMITED",
            Self::Unavailable => "UNAVAILABLE",
            Self::Internal => "INTERNAL",
        }
    }

    /// The HTTP status of a request that is refused with this code as a whole.
    #[must_use]
    pub fn status(self) -> StatusCode {
        match self {
            Self::Unauthenticated => StatusCode::UNAUTHORIZED,
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::BadUserInput | Self::QueryTooComplex => StatusCode::BAD_REQUEST,
            Self::CursorExpired => StatusCode::GONE,
            Self::RateLimited => StatusCode::TOO_MANY_REQUESTS,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The code an error carries, if it is one of the list.
    #[must_use]
    pub fn of(error: &ServerError) -> Option<Self> {
        match error.extensions.as_ref()?.get("code")? {
            Value::String(code) => Self::ALL.into_iter().find(|known| known.as_str() == code),
            _ => None,
        }
    }
}

/// What is said to a caller whose token is missing or bad, whatever is wrong with it.
pub const UNAUTHENTICATED: &str = "a valid bearer token is needed";

/// What is said to a partner that has stayed away for longer than its feed is kept.
pub const CURSOR_EXPIRED: &str = "what was asked for is no longer kept; all that is kept comes after `oldestCursor`, from `oldestPosition` on";

/// More errors than these tell a caller nothing it can use.
const MOST_ERRORS: usize = 20;

/// A GraphQL response as it goes out.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Answer {
    /// Absent when the request was refused before anything was executed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<Value>,
    /// Each with `extensions.code` and `extensions.requestId`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<ServerError>,
    /// What the schema's extensions add.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub extensions: BTreeMap<String, Value>,
}

impl Answer {
    /// Nothing was executed, for one reason.
    #[must_use]
    pub fn refusal(code: Code, message: impl Into<String>, positions: Vec<Pos>, request_id: &str) -> Self {
        let mut error = ServerError::new(message, None);
        error.locations = positions;
        Self {
            data: None,
            errors: vec![coded(error, code, request_id)],
            extensions: BTreeMap::new(),
        }
    }

    /// The executor's response, with every error made fit for a client.
    #[must_use]
    pub fn of(response: Response, request_id: &str) -> Self {
        // The library gives a path to what went wrong while executing, and none to what it found before.
        let executed = response.data != Value::Null
            || response.errors.is_empty()
            || response.errors.iter().any(|error| !error.path.is_empty());
        let mut errors: Vec<_> = response
            .errors
            .into_iter()
            .take(MOST_ERRORS)
            .map(|error| mask(error, request_id))
            .collect();
        // One guarded field without a good token makes the whole answer a 401.
        if let Some(error) = errors
            .iter()
            .find(|error| Code::of(error) == Some(Code::Unauthenticated))
        {
            errors = vec![error.clone()];
            return Self {
                data: None,
                errors,
                extensions: BTreeMap::new(),
            };
        }
        let mut data = response.data;
        for error in &errors {
            mark_failed(&mut data, &error.path);
        }
        Self {
            data: executed.then_some(data),
            errors,
            extensions: response.extensions,
        }
    }

    /// The code of an answer that has no data because the request was refused as a whole.
    #[must_use]
    pub fn refused(&self) -> Option<Code> {
        match self.data {
            Some(_) => None,
            None => Some(self.errors.first().and_then(Code::of).unwrap_or(Code::Internal)),
        }
    }
}

/// Puts null where a field failed: the library leaves the field out, and clients take an absent field for a broken server.
fn mark_failed(data: &mut Value, path: &[PathSegment]) {
    let Some((first, rest)) = path.split_first() else {
        return;
    };
    match (first, data) {
        (PathSegment::Field(name), Value::Object(fields)) => match fields.get_mut(name.as_str()) {
            Some(value) => mark_failed(value, rest),
            None if rest.is_empty() => {
                fields.insert(Name::new(name), Value::Null);
            }
            None => {}
        },
        (PathSegment::Index(index), Value::List(items)) => {
            if let Some(item) = items.get_mut(*index) {
                mark_failed(item, rest);
            }
        }
        _ => {}
    }
}

fn mask(mut error: ServerError, request_id: &str) -> ServerError {
    let code = match Code::of(&error) {
        Some(code) => code,
        None if error.path.is_empty() || is_coercion(&error) => Code::BadUserInput,
        None => {
            // The text of an error that nobody meant for a client; variables are never part of what is logged here.
            tracing::error!(
                request_id,
                path = %path(&error.path),
                error = %error.message,
                "a resolver failed"
            );
            "internal error".clone_into(&mut error.message);
            Code::Internal
        }
    };
    // What else an error carries was not meant for clients either, unless its maker gave it a code.
    if Code::of(&error).is_none() {
        error.extensions = None;
    }
    coded(error, code, request_id)
}

/// An argument that the library could not turn into its type, which it finds only when the field is resolved.
///
/// It marks these errors by nothing but their first words. A resolver's own error has a source, or a code.
fn is_coercion(error: &ServerError) -> bool {
    error.source.is_none()
        && ["Failed to parse \"", "Expected input type \""]
            .iter()
            .any(|start| error.message.starts_with(start))
}

fn coded(mut error: ServerError, code: Code, request_id: &str) -> ServerError {
    let mut extensions = error.extensions.take().unwrap_or_default();
    extensions.set("code", code.as_str());
    extensions.set("requestId", request_id);
    error.extensions = Some(extensions);
    error
}

fn path(segments: &[PathSegment]) -> String {
    segments
        .iter()
        .map(|segment| match segment {
            PathSegment::Field(name) => name.clone(),
            PathSegment::Index(index) => index.to_string(),
        })
        .collect::<Vec<_>>()
        .join(".")
}

#[cfg(test)]
mod tests {
    use async_graphql::{Error, ErrorExtensions, InputValueError, value};

    use super::*;

    fn at_field(error: ServerError) -> ServerError {
        error.with_path(vec![PathSegment::Field("field".into())])
    }

    fn answered(data: Value, errors: Vec<ServerError>) -> Answer {
        let mut response = Response::new(data);
        response.errors = errors;
        Answer::of(response, "R1")
    }

    fn json(answer: &Answer) -> serde_json::Value {
        serde_json::to_value(answer).expect("serializes")
    }

    #[test]
    fn every_code_has_its_own_text_and_a_status_that_is_an_error() {
        let texts: std::collections::HashSet<_> = Code::ALL.iter().map(|c| c.as_str()).collect();
        assert_eq!(texts.len(), Code::ALL.len());
        for code in Code::ALL {
            assert!(code.status().is_client_error() || code.status().is_server_error());
        }
    }

    #[test]
    fn a_resolver_error_without_a_code_is_masked() {
        let pos = Pos { line: 1, column: 2 };
        for error in [
            Error::new("password=hunter2").into_server_error(pos),
            Error::from("password=hunter2").into_server_error(pos),
            Error::new_with_source("Failed to parse \"hunter2\"").into_server_error(pos),
            Error::new("hunter2")
                .extend_with(|_, e| e.set("code", "TEAPOT"))
                .into_server_error(pos),
            Error::new("x")
                .extend_with(|_, e| e.set("detail", "hunter2"))
                .into_server_error(pos),
        ] {
            let answer = answered(value!({ "field": null }), vec![at_field(error)]);
            assert_eq!(
                json(&answer),
                serde_json::json!({
                    "data": { "field": null },
                    "errors": [{
                        "message": "internal error",
                        "path": ["field"],
                        "locations": [{ "line": 1, "column": 2 }],
                        "extensions": { "code": "INTERNAL", "requestId": "R1" },
                    }],
                })
            );
        }
    }

    #[test]
    fn an_error_with_a_code_keeps_its_text_and_its_details() {
        let error = Error::new("not yours")
            .extend_with(|_, e| {
                e.set("code", "FORBIDDEN");
                e.set("scope", "feed:read");
            })
            .into_server_error(Pos::default());
        let answer = answered(Value::Null, vec![at_field(error)]);
        let json = json(&answer);
        assert_eq!(json["errors"][0]["message"], "not yours");
        assert_eq!(json["errors"][0]["extensions"]["scope"], "feed:read");
        assert_eq!(json["errors"][0]["extensions"]["code"], "FORBIDDEN");
        assert_eq!(json["data"], serde_json::Value::Null);
        assert!(answer.data.is_some(), "it was executed, so data is there");
    }

    #[test]
    fn what_the_library_refused_is_the_callers_to_mend_and_has_no_data() {
        let answer = answered(Value::Null, vec![ServerError::new("Unknown field \"x\"", None)]);
        assert_eq!(answer.refused(), Some(Code::BadUserInput));
        assert_eq!(
            json(&answer),
            serde_json::json!({ "errors": [{
                "message": "Unknown field \"x\"",
                "extensions": { "code": "BAD_USER_INPUT", "requestId": "R1" },
            }] })
        );
    }

    #[test]
    fn an_argument_that_does_not_coerce_is_the_callers_to_mend() {
        let errors = [
            InputValueError::<i32>::custom("too big").into_server_error(Pos::default()),
            InputValueError::<i32>::expected_type(value!("x")).into_server_error(Pos::default()),
        ];
        for error in errors {
            let answer = answered(value!({ "field": null }), vec![at_field(error)]);
            assert_eq!(Code::of(&answer.errors[0]), Some(Code::BadUserInput));
        }
    }

    #[test]
    fn one_field_without_a_token_makes_the_whole_answer_unauthenticated() {
        let unauthenticated = Error::new(UNAUTHENTICATED)
            .extend_with(|_, e| e.set("code", "UNAUTHENTICATED"))
            .into_server_error(Pos::default());
        let answer = answered(
            value!({ "other": 1 }),
            vec![at_field(ServerError::new("x", None)), at_field(unauthenticated)],
        );
        assert_eq!(answer.refused(), Some(Code::Unauthenticated));
        assert_eq!(answer.errors.len(), 1);
        assert_eq!(json(&answer).get("data"), None);
    }

    #[test]
    fn a_field_that_failed_is_null_and_not_absent() {
        let path = vec![
            PathSegment::Field("list".into()),
            PathSegment::Index(1),
            PathSegment::Field("field".into()),
        ];
        let error = ServerError::new("x", None).with_path(path);
        let data = value!({ "list": [{ "field": 1 }, { "other": 2 }] });
        let answer = answered(data, vec![error, at_field(ServerError::new("y", None))]);
        assert_eq!(
            json(&answer)["data"],
            serde_json::json!({ "list": [{ "field": 1 }, { "other": 2, "field": null }], "field": null })
        );
    }

    #[test]
    fn a_thousand_errors_are_not_all_told() {
        let errors = vec![ServerError::new("x", None); 1_000];
        assert_eq!(answered(Value::Null, errors).errors.len(), MOST_ERRORS);
    }
}
