//! Reading the request for a token: a form, and a client that shows its secret in the header or in the form, never in both.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use http::header::{AUTHORIZATION, CONTENT_TYPE};

use super::TokenError;

/// The longest form that is read: many times what a request with every scope takes.
pub const LONGEST_REQUEST: usize = 16 * 1_024;

/// A request for a token of client credentials. It prints without the secret.
#[derive(Clone, PartialEq, Eq)]
pub struct TokenRequest {
    client_id: String,
    secret: String,
    scope: Option<String>,
}

impl fmt::Debug for TokenRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenRequest")
            .field("client_id", &self.client_id)
            .finish_non_exhaustive()
    }
}

impl TokenRequest {
    /// Who says to be asking.
    pub fn client_id(&self) -> &str {
        &self.client_id
    }

    /// The scopes asked for, not yet looked at; none: all that were registered.
    pub fn scope(&self) -> Option<&str> {
        self.scope.as_deref()
    }

    pub(super) fn secret(&self) -> &str {
        &self.secret
    }

    /// Reads the headers and the body of a request.
    pub fn parse(headers: &HeaderMap, body: &[u8]) -> Result<Self, TokenError> {
        let form = Form::read(headers, body)?;
        match form.grant_type.as_deref() {
            Some("client_credentials") => {}
            Some(_) => return Err(TokenError::UnsupportedGrantType),
            None => return Err(TokenError::InvalidRequest("grant_type is missing")),
        }
        let (client_id, secret) = match (basic(headers)?, form.client_id, form.client_secret) {
            (Some(_), _, Some(_)) => {
                return Err(TokenError::InvalidRequest(
                    "the client shows its secret twice, in the header and in the form",
                ));
            }
            (Some((header, _)), Some(form), None) if header != form => {
                return Err(TokenError::InvalidRequest(
                    "the header and the form name two clients",
                ));
            }
            (Some(shown), _, None) => shown,
            (None, Some(client_id), Some(secret)) => (client_id, secret),
            (None, _, _) => return Err(TokenError::InvalidClient),
        };
        Ok(Self {
            client_id,
            secret,
            scope: form.scope,
        })
    }
}

/// The parameters that are looked at; others are ignored, as RFC 6749 §3.2 asks.
#[derive(Default)]
struct Form {
    grant_type: Option<String>,
    client_id: Option<String>,
    client_secret: Option<String>,
    scope: Option<String>,
}

impl Form {
    fn read(headers: &HeaderMap, body: &[u8]) -> Result<Self, TokenError> {
        let media_type = headers
            .get(CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        let essence = media_type.split(';').next().unwrap_or_default().trim();
        if !essence.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            return Err(TokenError::InvalidRequest(
                "the body must be application/x-www-form-urlencoded",
            ));
        }
        if body.len() > LONGEST_REQUEST {
            return Err(TokenError::InvalidRequest("the body is too long"));
        }
        let mut form = Self::default();
        for (name, value) in form_urlencoded::parse(body) {
            let place = match name.as_ref() {
                "grant_type" => &mut form.grant_type,
                "client_id" => &mut form.client_id,
                "client_secret" => &mut form.client_secret,
                "scope" => &mut form.scope,
                _ => continue,
            };
            // A parameter without a value counts as left out; one given twice is an error.
            if value.is_empty() {
                continue;
            }
            if place.replace(value.into_owned()).is_some() {
                return Err(TokenError::InvalidRequest("a parameter is given twice"));
            }
        }
        Ok(form)
    }
}

/// The client and the secret of `Authorization: Basic`; none without the header.
fn basic(headers: &HeaderMap) -> Result<Option<(String, String)>, TokenError> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = match (values.next(), values.next()) {
        (None, _) => return Ok(None),
        (Some(value), None) => value,
        (Some(_), Some(_)) => {
            return Err(TokenError::InvalidRequest(
                "the client shows its secret twice, in two headers",
            ));
        }
    };
    value
        .to_str()
        .ok()
        .and_then(credentials)
        .map(Some)
        .ok_or(TokenError::InvalidClient)
}

/// `Basic`, then base64 of the form-encoded id and the form-encoded secret with a colon in between (RFC 6749 §2.3.1).
fn credentials(text: &str) -> Option<(String, String)> {
    let (scheme, encoded) = text.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let plain = String::from_utf8(STANDARD.decode(encoded.trim_start_matches(' ')).ok()?).ok()?;
    let (client_id, secret) = plain.split_once(':')?;
    let pair = (form_decoded(client_id)?, form_decoded(secret)?);
    (!pair.0.is_empty() && !pair.1.is_empty()).then_some(pair)
}

/// The text behind one form-encoded value.
fn form_decoded(value: &str) -> Option<String> {
    // Encoded, these two stand as %26 and %3D; plain, they would end the value.
    if value.contains(['&', '=']) {
        return None;
    }
    Some(
        form_urlencoded::parse(value.as_bytes())
            .map(|(text, _)| text.into_owned())
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    const FORM: &str = "application/x-www-form-urlencoded";

    fn parse(
        authorization: &[&str],
        media_type: &str,
        body: &str,
    ) -> Result<(String, String, Option<String>), TokenError> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_str(media_type).unwrap());
        for value in authorization {
            headers.append(AUTHORIZATION, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        TokenRequest::parse(&headers, body.as_bytes()).map(|read| (read.client_id, read.secret, read.scope))
    }

    fn basic_of(pair: &str) -> String {
        format!("Basic {}", STANDARD.encode(pair))
    }

    fn expect(
        client_id: &str,
        secret: &str,
        scope: Option<&str>,
    ) -> Result<(String, String, Option<String>), TokenError> {
        Ok((client_id.to_owned(), secret.to_owned(), scope.map(str::to_owned)))
    }

    #[test]
    fn a_client_shows_its_secret_in_the_header() {
        let grant = "grant_type=client_credentials";
        assert_eq!(
            parse(&[&basic_of("id:secret")], FORM, grant),
            expect("id", "secret", None)
        );
        assert_eq!(
            parse(&[&basic_of("id:se:cret")], FORM, grant),
            expect("id", "se:cret", None)
        );
        assert_eq!(
            parse(&[&basic_of("i%3Ad:s%26+%2B%3d%C3%A9")], FORM, grant),
            expect("i:d", "s& +=é", None)
        );
        assert_eq!(
            parse(
                &[&basic_of("id:secret").replace("Basic ", "bAsIc  ")],
                FORM,
                grant
            ),
            expect("id", "secret", None)
        );
        assert_eq!(
            parse(&[&basic_of("id:secret")], FORM, &format!("{grant}&client_id=id")),
            expect("id", "secret", None)
        );
    }

    #[test]
    fn a_client_shows_its_secret_in_the_form() {
        let body = "client_id=i%3Ad&scope=feed%3Aread+operator&client_secret=s%26+%2B&grant_type=client_credentials&other=1&other=2";
        for media_type in [FORM, "Application/X-WWW-Form-Urlencoded; charset=utf-8"] {
            assert_eq!(
                parse(&[], media_type, body),
                expect("i:d", "s& +", Some("feed:read operator"))
            );
        }
    }

    #[test]
    fn a_request_that_is_none_gets_the_error_of_the_standard() {
        let good = basic_of("id:secret");
        let grant = "grant_type=client_credentials";
        let posted = format!("{grant}&client_id=id&client_secret=secret");
        let request = TokenError::InvalidRequest("");
        for (authorization, media_type, body, expected) in [
            // Not a form.
            (
                vec![good.as_str()],
                "application/json",
                "{\"grant_type\":\"client_credentials\"}",
                request,
            ),
            (vec![&good], "text/plain", grant, request),
            (vec![&good], "", grant, request),
            // No grant, an empty one, two, another.
            (vec![&good], FORM, "", request),
            (vec![&good], FORM, "grant_type=", request),
            (
                vec![&good],
                FORM,
                "grant_type=client_credentials&grant_type=client_credentials",
                request,
            ),
            (
                vec![&good],
                FORM,
                "grant_type=password",
                TokenError::UnsupportedGrantType,
            ),
            (
                vec![&good],
                FORM,
                "grant_type=authorization_code&code=1",
                TokenError::UnsupportedGrantType,
            ),
            (
                vec![&good],
                FORM,
                "grant_type=Client_Credentials",
                TokenError::UnsupportedGrantType,
            ),
            // Two ways at once, or two clients.
            (vec![&good], FORM, &posted, request),
            (
                vec![&good],
                FORM,
                "grant_type=client_credentials&client_id=other",
                request,
            ),
            (vec![&good, &good], FORM, grant, request),
            (vec![], FORM, &format!("{posted}&client_id=other"), request),
            (
                vec![],
                FORM,
                &format!("{posted}&scope=operator&scope=operator"),
                request,
            ),
            // No client.
            (vec![], FORM, grant, TokenError::InvalidClient),
            (
                vec![],
                FORM,
                "grant_type=client_credentials&client_id=id",
                TokenError::InvalidClient,
            ),
            (
                vec![],
                FORM,
                "grant_type=client_credentials&client_id=id&client_secret=",
                TokenError::InvalidClient,
            ),
            (
                vec![],
                FORM,
                "grant_type=client_credentials&client_secret=secret",
                TokenError::InvalidClient,
            ),
            // A header that names none.
            (
                vec!["Bearer aWQ6c2VjcmV0"],
                FORM,
                grant,
                TokenError::InvalidClient,
            ),
            (vec!["Basic"], FORM, grant, TokenError::InvalidClient),
            (vec!["Basic !!"], FORM, grant, TokenError::InvalidClient),
            (vec![&basic_of("id")], FORM, grant, TokenError::InvalidClient),
            (vec![&basic_of("id:")], FORM, grant, TokenError::InvalidClient),
            (vec![&basic_of(":secret")], FORM, grant, TokenError::InvalidClient),
            (vec![&basic_of("id:a&b")], FORM, grant, TokenError::InvalidClient),
            (vec!["Basic /w=="], FORM, grant, TokenError::InvalidClient),
        ] {
            let error = parse(&authorization, media_type, body).unwrap_err();
            assert_eq!(
                std::mem::discriminant(&error),
                std::mem::discriminant(&expected),
                "{authorization:?} {body}"
            );
        }
    }

    #[test]
    fn a_form_over_the_limit_is_refused() {
        let body = format!(
            "grant_type=client_credentials&other={}",
            "a".repeat(LONGEST_REQUEST)
        );
        assert_eq!(
            parse(&[], FORM, &body),
            Err(TokenError::InvalidRequest("the body is too long"))
        );
    }

    #[test]
    fn a_request_prints_without_its_secret() {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(FORM));
        let body = b"grant_type=client_credentials&client_id=id&client_secret=hush";
        let printed = format!("{:?}", TokenRequest::parse(&headers, body).unwrap());
        assert!(printed.contains("id") && !printed.contains("hush"));
    }

    proptest! {
        #[test]
        fn any_id_and_secret_come_through_both_ways(client_id in ".{1,20}", secret in ".{1,20}") {
            let encode = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
            let (id_sent, secret_sent) = (encode(&client_id), encode(&secret));
            let header = basic_of(&format!("{id_sent}:{secret_sent}"));
            prop_assert_eq!(parse(&[&header], FORM, "grant_type=client_credentials"), expect(&client_id, &secret, None));
            let body = format!("grant_type=client_credentials&client_id={id_sent}&client_secret={secret_sent}");
            prop_assert_eq!(parse(&[], FORM, &body), expect(&client_id, &secret, None));
        }

        #[test]
        fn no_header_and_no_body_makes_the_parser_panic(header in "[ -~]*", body in ".*") {
            prop_assert!(parse(&[&header], FORM, &body).is_err());
        }
    }
}
