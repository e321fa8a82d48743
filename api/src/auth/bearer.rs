//! Where the token stands in a request: `Authorization: Bearer …` (RFC 6750), the same text in a socket's `connection_init`.

use http::HeaderMap;
use http::header::AUTHORIZATION;

use super::token::{Refusal, Unauthenticated};

/// What a 401 says about how to do better, in `WWW-Authenticate`; the same whatever was wrong.
pub const CHALLENGE: &str = "Bearer realm=\"plaudit\"";

/// The token of a request; none where there is no `Authorization` header. Two headers, or credentials that are not one bearer
/// token, are refused rather than treated as none: who shows something wanted to be known.
pub fn token(headers: &HeaderMap) -> Result<Option<&str>, Unauthenticated> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => value
            .to_str()
            .map_err(|_| Refusal::Credentials.into())
            .and_then(credentials)
            .map(Some),
        (Some(_), Some(_)) => Err(Refusal::Credentials.into()),
    }
}

/// The token in the text of such credentials.
pub fn credentials(text: &str) -> Result<&str, Unauthenticated> {
    let (scheme, token) = text.split_once(' ').ok_or(Refusal::Credentials)?;
    let token = token.trim_start_matches(' ');
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
    if scheme.eq_ignore_ascii_case("bearer") && !token.is_empty() && token.bytes().all(plain) {
        Ok(token)
    } else {
        Err(Refusal::Credentials.into())
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(values: &[&str]) -> HeaderMap {
        values
            .iter()
            .map(|value| (AUTHORIZATION, HeaderValue::from_bytes(value.as_bytes()).unwrap()))
            .collect()
    }

    #[test]
    fn the_token_follows_the_scheme_in_any_case() {
        for good in ["Bearer a.b-c._d", "bearer a.b-c._d", "BEARER   a.b-c._d"] {
            assert_eq!(token(&headers(&[good])), Ok(Some("a.b-c._d")), "{good}");
        }
    }

    #[test]
    fn no_header_is_no_token() {
        assert_eq!(token(&headers(&[])), Ok(None));
    }

    #[test]
    fn credentials_that_are_not_one_bearer_token_are_refused() {
        let refused = Err(Refusal::Credentials.into());
        for bad in [
            "",
            "Bearer",
            "Bearer ",
            "Bearer  ",
            "Basic YTpi",
            "a.b.c",
            "Bearer a b",
            "Bearer a,b",
            "Bearer\ta",
            "Bearer é",
        ] {
            assert_eq!(token(&headers(&[bad])), refused, "{bad:?}");
        }
        assert_eq!(token(&headers(&["Bearer a", "Bearer a"])), refused);
        assert_eq!(token(&headers(&["Bearer a", "Basic a"])), refused);
    }
}
