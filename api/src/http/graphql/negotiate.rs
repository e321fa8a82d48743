//! What the headers of a request decide: the form of the answer, whether a body is JSON, and whether a page of another site may
//! have sent it. Pure.

use http::HeaderMap;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};

use crate::http::stream::Framing;

/// The forms an answer can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Media {
    /// `application/graphql-response+json`: the status says whether the request was good.
    GraphqlResponse,
    /// `application/json`: a well-formed GraphQL answer is always 200, as clients of old expect.
    Json,
}

impl Media {
    /// The `Content-Type` of an answer in this form.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            Self::GraphqlResponse => "application/graphql-response+json; charset=utf-8",
            Self::Json => "application/json; charset=utf-8",
        }
    }

    fn subtype(self) -> &'static str {
        match self {
            Self::GraphqlResponse => "graphql-response+json",
            Self::Json => "json",
        }
    }
}

/// The form the caller likes best, or nothing where it takes neither.
#[must_use]
pub fn accept(headers: &HeaderMap) -> Option<Media> {
    let mut ranges = Vec::new();
    for line in headers.get_all(ACCEPT) {
        ranges.extend(line.to_str().ok()?.split(',').filter_map(Range::read));
    }
    if ranges.is_empty() {
        return headers.get(ACCEPT).is_none().then_some(Media::Json);
    }
    // `application/json` comes first where both are only covered by a wildcard, the other where both are named alike.
    let json = Range::best(&ranges, Media::Json);
    let graphql = Range::best(&ranges, Media::GraphqlResponse);
    match (graphql, json) {
        (Some(graphql), Some(json)) if graphql > json => Some(Media::GraphqlResponse),
        (Some(graphql), Some(json)) if graphql == json && graphql.1 == 2 => Some(Media::GraphqlResponse),
        (_, Some(_)) => Some(Media::Json),
        (Some(_), None) => Some(Media::GraphqlResponse),
        (None, None) => None,
    }
}

/// The form the caller likes best for results one after another, or nothing where it names none. Only by name: a caller that takes
/// anything does not mean an answer without end.
#[must_use]
pub fn streamed(headers: &HeaderMap) -> Option<Framing> {
    let lines = headers
        .get_all(ACCEPT)
        .iter()
        .filter_map(|line| line.to_str().ok());
    let ranges: Vec<Range> = lines
        .flat_map(|line| line.split(',').filter_map(Range::read))
        .collect();
    let quality = |framing| {
        let named = ranges.iter().filter(|range| range.names(framing));
        named
            .map(|range| range.quality)
            .max()
            .filter(|quality| *quality > 0)
    };
    let [events, parts] = [Framing::Events, Framing::Parts].map(quality);
    // Events where both are liked alike: they tell where to go on.
    match (events, parts) {
        (None, None) => None,
        (events, parts) if events >= parts => Some(Framing::Events),
        _ => Some(Framing::Parts),
    }
}

/// One media range of an `Accept` header; the quality in thousandths.
struct Range {
    kind: String,
    subtype: String,
    /// Whether it asks for the protocol that subscriptions have in parts.
    in_parts: bool,
    quality: u16,
}

impl Range {
    fn read(text: &str) -> Option<Self> {
        let mut parts = text.split(';').map(str::trim);
        let (kind, subtype) = parts.next()?.split_once('/')?;
        let (mut quality, mut in_parts) = (1_000, false);
        for parameter in parts {
            let (name, value) = parameter.split_once('=')?;
            match name.trim().to_ascii_lowercase().as_str() {
                "q" => quality = thousandths(value.trim())?,
                "charset" if !is_utf8(value) => return None,
                "subscriptionspec" => in_parts = value.trim().trim_matches('"') == "1.0",
                _ => {}
            }
        }
        Some(Self {
            in_parts,
            kind: kind.trim().to_ascii_lowercase(),
            subtype: subtype.trim().to_ascii_lowercase(),
            quality,
        })
    }

    fn names(&self, framing: Framing) -> bool {
        match framing {
            Framing::Events => (self.kind.as_str(), self.subtype.as_str()) == ("text", "event-stream"),
            Framing::Parts => {
                self.in_parts && (self.kind.as_str(), self.subtype.as_str()) == ("multipart", "mixed")
            }
        }
    }

    /// How exactly it covers `media`: 2 by name, 1 by `application/*`, 0 by `*/*`.
    fn covers(&self, media: Media) -> Option<u8> {
        match (self.kind.as_str(), self.subtype.as_str()) {
            ("application", subtype) if subtype == media.subtype() => Some(2),
            ("application", "*") => Some(1),
            ("*", "*") => Some(0),
            _ => None,
        }
    }

    /// Quality and exactness of the range that speaks for `media`: the most exact one, even where that refuses it.
    fn best(ranges: &[Self], media: Media) -> Option<(u16, u8)> {
        ranges
            .iter()
            .filter_map(|range| Some((range.covers(media)?, range.quality)))
            .max()
            .map(|(exactness, quality)| (quality, exactness))
            .filter(|(quality, _)| *quality > 0)
    }
}

/// A quality: `0`, `1`, or up to three decimals of them.
fn thousandths(text: &str) -> Option<u16> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    if decimals.len() > 3 || !decimals.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let decimals: u16 = format!("{decimals:0<3}").parse().ok()?;
    match (whole, decimals) {
        ("0", decimals) => Some(decimals),
        ("1", 0) => Some(1_000),
        _ => None,
    }
}

fn is_utf8(charset: &str) -> bool {
    charset.trim().trim_matches('"').eq_ignore_ascii_case("utf-8")
}

/// Whether the body is said to be `application/json` in UTF-8. Anything else may have been sent by a form of another site.
#[must_use]
pub fn is_json(headers: &HeaderMap) -> bool {
    let mut lines = headers.get_all(CONTENT_TYPE).iter();
    let (Some(line), None) = (lines.next(), lines.next()) else {
        return false;
    };
    let Ok(line) = line.to_str() else {
        return false;
    };
    let mut parts = line.split(';').map(str::trim);
    parts
        .next()
        .is_some_and(|kind| kind.eq_ignore_ascii_case("application/json"))
        && parts.all(|parameter| match parameter.split_once('=') {
            Some((name, value)) if name.trim().eq_ignore_ascii_case("charset") => is_utf8(value),
            _ => true,
        })
}

/// Headers which a page cannot send to another site without that site's leave (a CORS preflight, which is never granted here).
/// `Accept` is not one of them: a browser sends any value of it unasked.
const PREFLIGHTED: [&str; 4] = [
    "authorization",
    "apollo-require-preflight",
    "graphql-require-preflight",
    "x-apollo-operation-name",
];

/// Whether a GET was certainly not caused by a link, an image, a form or a script of another site.
///
/// Either it carries a header that needs a preflight; or it says of itself, in the `Sec-Fetch-` headers that pages cannot set, that
/// it is a `fetch` and nothing about another site: what a page of this very site sends, and what Node.js sends without being told
/// to. A browser that sends the mode always sends the site too. Everything here is guarded by a bearer token, which no browser adds
/// by itself, so this is the second line of defence.
#[must_use]
pub fn is_deliberate(headers: &HeaderMap) -> bool {
    let says = |name: &str, value: &str| headers.get(name).is_some_and(|given| given == value);
    let same_site = !headers.contains_key("sec-fetch-site") || says("sec-fetch-site", "same-origin");
    PREFLIGHTED.iter().any(|name| headers.contains_key(*name))
        || (says("sec-fetch-mode", "cors") && same_site)
}

/// The bearer token of a request, if it has an `Authorization` header at all.
///
/// # Errors
/// The header is there and is not one bearer token.
pub fn bearer(headers: &HeaderMap) -> Result<Option<&str>, NotBearer> {
    let mut lines = headers.get_all(AUTHORIZATION).iter();
    match (lines.next(), lines.next()) {
        (None, _) => Ok(None),
        (Some(line), None) => {
            let line = line.to_str().map_err(|_| NotBearer)?;
            token(line).map(Some).ok_or(NotBearer)
        }
        (Some(_), Some(_)) => Err(NotBearer),
    }
}

/// An `Authorization` header that is not one bearer token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotBearer;

/// The token in `Bearer <token>`.
#[must_use]
pub fn token(credentials: &str) -> Option<&str> {
    let (scheme, token) = credentials.trim().split_once(' ')?;
    let token = token.trim_start();
    let whole = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
    (scheme.eq_ignore_ascii_case("bearer") && whole).then_some(token)
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
        lines
            .iter()
            .map(|(name, value)| {
                (
                    HeaderName::from_static(name),
                    HeaderValue::from_str(value).expect("a header value"),
                )
            })
            .collect()
    }

    #[test]
    fn the_best_liked_form_is_chosen() {
        use Media::{GraphqlResponse as G, Json as J};
        let cases = [
            ("*/*", Some(J)),
            ("application/*", Some(J)),
            ("application/json", Some(J)),
            ("APPLICATION/Graphql-Response+JSON", Some(G)),
            ("application/json, application/graphql-response+json", Some(G)),
            (
                "application/graphql-response+json;q=0.9, application/json",
                Some(J),
            ),
            (
                "application/graphql-response+json, application/json;q=0.9",
                Some(G),
            ),
            ("application/json;q=0.1, */*", Some(G)),
            ("application/json;q=0, */*", Some(G)),
            ("application/json;q=0", None),
            ("text/html", None),
            ("text/html, */*;q=0.1", Some(J)),
            ("text/event-stream, multipart/mixed", None),
            ("application/json; charset=utf-8", Some(J)),
            ("application/json; charset=\"UTF-8\"", Some(J)),
            ("application/json; charset=latin1", None),
            ("application/json;q=2", None),
            ("application/json;q=0.0001", None),
            ("nonsense", None),
            ("", None),
        ];
        for (accepted, expected) in cases {
            assert_eq!(accept(&headers(&[("accept", accepted)])), expected, "{accepted}");
        }
        assert_eq!(accept(&HeaderMap::new()), Some(J), "no header at all");
        let mut both = HeaderMap::new();
        both.append("accept", HeaderValue::from_static("application/json;q=0.5"));
        both.append(
            "accept",
            HeaderValue::from_static("application/graphql-response+json"),
        );
        assert_eq!(accept(&both), Some(G), "two lines are one list");
    }

    #[test]
    fn results_one_after_another_are_for_callers_that_name_the_form() {
        use Framing::{Events as E, Parts as P};
        let cases = [
            ("text/event-stream", Some(E)),
            ("Text/Event-Stream; charset=utf-8", Some(E)),
            ("text/event-stream;q=0", None),
            ("application/json, text/event-stream;q=0.1", Some(E)),
            ("multipart/mixed;subscriptionSpec=1.0, application/json", Some(P)),
            (
                "multipart/mixed;boundary=graphql;subscriptionSpec=1.0,application/json",
                Some(P),
            ),
            (
                "multipart/mixed;boundary=\"graphql\";subscriptionSpec=\"1.0\"",
                Some(P),
            ),
            ("multipart/mixed;subscriptionSpec=2.0", None),
            ("multipart/mixed;deferSpec=20220824, application/json", None),
            ("multipart/mixed;subscriptionSpec=1.0, text/event-stream", Some(E)),
            (
                "multipart/mixed;subscriptionSpec=1.0, text/event-stream;q=0.5",
                Some(P),
            ),
            ("*/*", None),
            ("text/*, multipart/*", None),
            ("", None),
        ];
        for (accepted, expected) in cases {
            assert_eq!(
                streamed(&headers(&[("accept", accepted)])),
                expected,
                "{accepted}"
            );
        }
        assert_eq!(streamed(&HeaderMap::new()), None, "no header at all");
    }

    #[test]
    fn only_json_in_utf8_is_json() {
        for yes in [
            "application/json",
            "Application/JSON; charset=utf-8",
            "application/json;charset=\"UTF-8\"; profile=x",
        ] {
            assert!(is_json(&headers(&[("content-type", yes)])), "{yes}");
        }
        for no in [
            "text/plain",
            "text/plain; application/json",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=x",
            "application/jsonp",
            "application/json; charset=utf-16",
            "application/json, text/plain",
            "",
        ] {
            assert!(!is_json(&headers(&[("content-type", no)])), "{no}");
        }
        assert!(!is_json(&HeaderMap::new()));
        let mut twice = headers(&[("content-type", "application/json")]);
        twice.append("content-type", HeaderValue::from_static("text/plain"));
        assert!(!is_json(&twice));
    }

    #[test]
    fn a_get_that_any_page_could_cause_is_not_deliberate() {
        for yes in [
            &[("authorization", "Bearer x")][..],
            &[("apollo-require-preflight", "")],
            &[("graphql-require-preflight", "1")],
            &[("x-apollo-operation-name", "Q")],
            &[("sec-fetch-mode", "cors")],
            &[("sec-fetch-mode", "cors"), ("sec-fetch-site", "same-origin")],
        ] {
            assert!(is_deliberate(&headers(yes)), "{yes:?}");
        }
        for no in [
            &[][..],
            &[("accept", "application/graphql-response+json")],
            &[("sec-fetch-mode", "navigate")],
            &[("sec-fetch-mode", "no-cors"), ("sec-fetch-site", "same-origin")],
            &[("sec-fetch-mode", "cors"), ("sec-fetch-site", "cross-site")],
            &[("sec-fetch-mode", "cors"), ("sec-fetch-site", "same-site")],
        ] {
            assert!(!is_deliberate(&headers(no)), "{no:?}");
        }
    }

    #[test]
    fn a_bearer_token_is_read_and_nothing_else() {
        for (line, expected) in [
            ("Bearer abc.def", Ok(Some("abc.def"))),
            ("bearer  abc", Ok(Some("abc"))),
            ("Basic abc", Err(NotBearer)),
            ("Bearer", Err(NotBearer)),
            ("Bearer ", Err(NotBearer)),
            ("Bearer a b", Err(NotBearer)),
            ("abc", Err(NotBearer)),
            ("", Err(NotBearer)),
        ] {
            assert_eq!(bearer(&headers(&[("authorization", line)])), expected, "{line}");
        }
        assert_eq!(bearer(&HeaderMap::new()), Ok(None));
        let mut twice = headers(&[("authorization", "Bearer a")]);
        twice.append("authorization", HeaderValue::from_static("Bearer b"));
        assert_eq!(bearer(&twice), Err(NotBearer));
    }
}
