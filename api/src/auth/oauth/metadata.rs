//! The two public documents: where the token endpoint is (RFC 8414), and the keys that verify its tokens (RFC 7517).

use chrono::{DateTime, Utc};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Response};
use serde_json::json;

use crate::auth::keys::{KeyRing, PUBLIC_KEYS_MAX_AGE};
use crate::auth::scope::Scope;

/// The path of the token endpoint.
pub const TOKEN_PATH: &str = "/oauth/token";
/// The path of the public keys.
pub const JWKS_PATH: &str = "/.well-known/jwks.json";
/// The path of the metadata.
pub const METADATA_PATH: &str = "/.well-known/oauth-authorization-server";

/// The metadata of the authorization server at `issuer`, an address without a trailing slash.
pub fn metadata(issuer: &str) -> Response<String> {
    let scopes: Vec<&str> = Scope::ALL.iter().map(|scope| scope.as_str()).collect();
    public_json(
        json!({
            "issuer": issuer,
            "token_endpoint": format!("{issuer}{TOKEN_PATH}"),
            "jwks_uri": format!("{issuer}{JWKS_PATH}"),
            "scopes_supported": scopes,
            // Required by §2, though nothing here has an authorization endpoint; readers of the document insist on the member.
            "response_types_supported": [],
            "grant_types_supported": ["client_credentials"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        })
        .to_string(),
        "application/json",
    )
}

/// The public keys at `now`.
pub fn public_keys(ring: &KeyRing, now: DateTime<Utc>) -> Response<String> {
    // A set of keys is text throughout, which always has a JSON form.
    public_json(
        serde_json::to_string(&ring.public_keys(now)).unwrap_or_default(),
        "application/jwk-set+json",
    )
}

fn public_json(body: String, media_type: &'static str) -> Response<String> {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    let age = format!("public, max-age={}", PUBLIC_KEYS_MAX_AGE.num_seconds());
    if let Ok(age) = HeaderValue::from_str(&age) {
        headers.insert(CACHE_CONTROL, age);
    }
    response
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::auth::testing::{at, ring};

    #[test]
    fn the_metadata_names_the_addresses_of_its_issuer() {
        let response = metadata("https://plaudit.example/sub");
        let body: Value = serde_json::from_str(response.body()).unwrap();
        assert_eq!(body["issuer"], "https://plaudit.example/sub");
        assert_eq!(body["token_endpoint"], "https://plaudit.example/sub/oauth/token");
        assert_eq!(
            body["jwks_uri"],
            "https://plaudit.example/sub/.well-known/jwks.json"
        );
        assert_eq!(
            body["scopes_supported"].as_array().unwrap().len(),
            Scope::ALL.len()
        );
    }

    #[test]
    fn the_public_keys_may_be_cached_for_less_than_a_key_is_published_ahead() {
        let response = public_keys(&ring(), at(0));
        assert_eq!(response.headers()[CACHE_CONTROL], "public, max-age=300");
        assert!(PUBLIC_KEYS_MAX_AGE < crate::auth::keys::PUBLISHED_AHEAD);
        let body: Value = serde_json::from_str(response.body()).unwrap();
        assert_eq!(body["keys"][0]["kty"], "EC");
        assert_eq!(body["keys"][0].get("d"), None);
    }
}
