//! The pure part of `POST /oauth/token`: client credentials (RFC 6749 §4.4), from the bytes of a request to a grant or one of
//! the errors of §5.2, and the two documents by which a client finds its way ([`metadata`]). The handler adds the row of the
//! client, the clock and an id.
//!
//! On purpose absent: every other grant, refresh tokens (§4.4.3 advises against them) and credentials in the address.

use http::header::{CACHE_CONTROL, CONTENT_TYPE, PRAGMA, WWW_AUTHENTICATE};
use http::{HeaderValue, Response, StatusCode};
use serde::Serialize;

use super::client_secret::{self, SecretDigest};
use super::scope::ScopeSet;
use super::token::{AccessToken, CLIENT_TOKEN_LIFE, Grant};
use super::viewer::Party;

pub mod metadata;
mod request;

pub use request::{LONGEST_REQUEST, TokenRequest};

/// What the token endpoint knows of a client: its row, without the database.
#[derive(Debug, Clone)]
pub struct ClientRecord {
    /// Its id, as text.
    pub client_id: String,
    /// In whose name its tokens act.
    pub party: Party,
    /// The scopes it was registered with.
    pub scopes: ScopeSet,
    /// The secrets it may show now: the current one, and the one before while that still counts.
    pub secrets: Vec<SecretDigest>,
    /// Whether it was revoked.
    pub revoked: bool,
}

/// Decides on a request: what the token is to say. `client` is the row of [`TokenRequest::client_id`], if there is one;
/// `token_id` a fresh id.
pub fn decide(
    client: Option<&ClientRecord>,
    request: &TokenRequest,
    token_id: String,
) -> Result<Grant, TokenError> {
    // One answer for an unknown client, a revoked one and a wrong secret, with the same work done for each.
    let secrets = client.map(|client| client.secrets.as_slice()).unwrap_or_default();
    let proven = client_secret::matches(request.secret(), secrets);
    let client = client
        .filter(|client| proven && !client.revoked)
        .ok_or(TokenError::InvalidClient)?;
    let scopes = match request.scope() {
        None => client.scopes,
        Some(asked) => asked
            .parse::<ScopeSet>()
            .ok()
            .filter(|asked| asked.is_subset(client.scopes))
            .ok_or(TokenError::InvalidScope)?,
    };
    Ok(Grant {
        party: client.party,
        client_id: client.client_id.clone(),
        scopes,
        life: CLIENT_TOKEN_LIFE,
        token_id,
    })
}

/// Why no token is given: the errors of RFC 6749 §5.2 that can happen here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// The request is not one.
    #[error("{0}")]
    InvalidRequest(&'static str),
    /// No client, or not this one.
    #[error("the client is unknown, or did not prove that it is itself")]
    InvalidClient,
    /// Another grant than client credentials.
    #[error("the only grant here is client_credentials")]
    UnsupportedGrantType,
    /// A scope that is none, or that the client was not registered with.
    #[error("a scope is unknown, or the client was not registered with it")]
    InvalidScope,
}

impl TokenError {
    const fn code(self) -> &'static str {
        match self {
            Self::InvalidRequest(_) => "invalid_request",
            Self::InvalidClient => "invalid_client",
            Self::UnsupportedGrantType => "unsupported_grant_type",
            Self::InvalidScope => "invalid_scope",
        }
    }

    /// The answer to the client.
    pub fn response(self) -> Response<String> {
        #[derive(Serialize)]
        struct Body {
            error: &'static str,
            error_description: String,
        }
        let status = if self == Self::InvalidClient {
            StatusCode::UNAUTHORIZED
        } else {
            StatusCode::BAD_REQUEST
        };
        let mut response = json(
            status,
            &Body {
                error: self.code(),
                error_description: self.to_string(),
            },
        );
        if status == StatusCode::UNAUTHORIZED {
            // Every 401 names a way to authenticate (RFC 9110 §15.5.2), also to a client that sent its secret in the form.
            let basic = HeaderValue::from_static("Basic realm=\"plaudit\", charset=\"UTF-8\"");
            response.headers_mut().insert(WWW_AUTHENTICATE, basic);
        }
        response
    }
}

/// The answer that carries the token (RFC 6749 §5.1). It always names the scopes, as they may be fewer than were registered.
pub fn granted(token: &AccessToken, grant: &Grant) -> Response<String> {
    #[derive(Serialize)]
    struct Body<'a> {
        access_token: &'a str,
        token_type: &'static str,
        expires_in: i64,
        scope: String,
    }
    json(
        StatusCode::OK,
        &Body {
            access_token: token.expose(),
            token_type: "Bearer",
            expires_in: grant.life.num_seconds(),
            scope: grant.scopes.to_string(),
        },
    )
}

/// The answer when the request is right and there is no token now, whether by our fault or because there were too many: the two codes that OAuth has for it elsewhere (RFC 6749 §4.1.2.1).
pub fn failed(status: StatusCode) -> Response<String> {
    #[derive(Serialize)]
    struct Body {
        error: &'static str,
    }
    let away = matches!(
        status,
        StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS
    );
    json(
        status,
        &Body {
            error: if away {
                "temporarily_unavailable"
            } else {
                "server_error"
            },
        },
    )
}

/// An answer of the token endpoint: JSON that nobody keeps.
fn json(status: StatusCode, body: &impl Serialize) -> Response<String> {
    // The bodies are structures of text and numbers, which always have a JSON form.
    let body = serde_json::to_string(body).unwrap_or_default();
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(PRAGMA, HeaderValue::from_static("no-cache"));
    response
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;
    use http::header::AUTHORIZATION;
    use serde_json::{Value, json};

    use super::*;
    use crate::auth::client_secret::ClientSecret;
    use crate::auth::testing::{at, authority, employer, ring};
    use crate::auth::token::{issue, verify};

    fn secret() -> ClientSecret {
        ClientSecret::from_random([3; 32])
    }

    fn client() -> ClientRecord {
        ClientRecord {
            client_id: "cli_01ARZ3NDEKTSV4RRFFQ69G5FAV".to_owned(),
            party: Party::Employer(employer()),
            scopes: "events:write members:write".parse().unwrap(),
            secrets: vec![secret().digest()],
            revoked: false,
        }
    }

    fn request(secret: &str, rest: &str) -> TokenRequest {
        let form = format!(
            "grant_type=client_credentials&client_id={}&client_secret={secret}{rest}",
            client().client_id
        );
        let mut headers = HeaderMap::new();
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/x-www-form-urlencoded"),
        );
        assert!(!headers.contains_key(AUTHORIZATION));
        TokenRequest::parse(&headers, form.as_bytes()).unwrap()
    }

    fn decided(client: Option<&ClientRecord>, request: &TokenRequest) -> Result<String, TokenError> {
        decide(client, request, "token".to_owned()).map(|grant| grant.scopes.to_string())
    }

    #[test]
    fn a_client_that_asks_for_nothing_gets_all_its_scopes() {
        assert_eq!(
            decided(Some(&client()), &request(secret().expose(), "")).unwrap(),
            "events:write members:write"
        );
    }

    #[test]
    fn a_client_may_ask_for_less_and_never_for_more() {
        let ask = |scope| {
            decided(
                Some(&client()),
                &request(secret().expose(), &format!("&scope={scope}")),
            )
        };
        assert_eq!(ask("events:write").unwrap(), "events:write");
        assert_eq!(
            ask("members:write+events:write").unwrap(),
            "events:write members:write"
        );
        for bad in [
            "operator",
            "events:write+members:read",
            "no:scope",
            "events:write++members:write",
            "%20",
            "EVENTS:WRITE",
        ] {
            assert_eq!(ask(bad), Err(TokenError::InvalidScope), "{bad}");
        }
    }

    #[test]
    fn an_unknown_a_revoked_and_a_wrong_client_get_the_same_answer() {
        let good = request(secret().expose(), "");
        let wrong = request(ClientSecret::from_random([4; 32]).expose(), "&scope=operator");
        let revoked = ClientRecord {
            revoked: true,
            ..client()
        };
        for answer in [
            decided(None, &good),
            decided(Some(&revoked), &good),
            decided(Some(&client()), &wrong),
        ] {
            assert_eq!(answer, Err(TokenError::InvalidClient));
        }
    }

    #[test]
    fn during_a_rotation_both_secrets_are_taken() {
        let new = ClientSecret::from_random([5; 32]);
        let client = ClientRecord {
            secrets: vec![new.digest(), secret().digest()],
            ..client()
        };
        assert!(decided(Some(&client), &request(secret().expose(), "")).is_ok());
        assert!(decided(Some(&client), &request(new.expose(), "")).is_ok());
    }

    #[test]
    fn the_answer_carries_a_token_that_verifies() {
        let ring = ring();
        let grant = decide(
            Some(&client()),
            &request(secret().expose(), ""),
            "token".to_owned(),
        )
        .unwrap();
        let token = issue(&ring, &authority(), &grant, at(0)).unwrap();
        let response = granted(&token, &grant);
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()[CACHE_CONTROL], "no-store");
        let body: Value = serde_json::from_str(response.body()).unwrap();
        let expected = json!({
            "access_token": token.expose(), "token_type": "Bearer", "expires_in": 600, "scope": "events:write members:write",
        });
        assert_eq!(body, expected);
        let viewer = verify(&ring, &authority(), body["access_token"].as_str().unwrap(), at(0)).unwrap();
        assert_eq!(
            (viewer.party, viewer.client_id),
            (client().party, client().client_id)
        );
    }

    #[test]
    fn an_error_is_json_that_nobody_keeps() {
        for (error, status, code) in [
            (TokenError::InvalidRequest("no form"), 400, "invalid_request"),
            (TokenError::InvalidClient, 401, "invalid_client"),
            (TokenError::UnsupportedGrantType, 400, "unsupported_grant_type"),
            (TokenError::InvalidScope, 400, "invalid_scope"),
        ] {
            let response = error.response();
            let body: Value = serde_json::from_str(response.body()).unwrap();
            assert_eq!(
                (response.status().as_u16(), body["error"].as_str()),
                (status, Some(code))
            );
            assert_eq!(response.headers()[CACHE_CONTROL], "no-store");
            assert_eq!(response.headers().contains_key(WWW_AUTHENTICATE), status == 401);
            // The letters that RFC 6749 allows in a description.
            let description = body["error_description"].as_str().unwrap();
            assert!(
                description
                    .bytes()
                    .all(|byte| (b' '..=b'~').contains(&byte) && byte != b'"' && byte != b'\\')
            );
        }
    }
}
