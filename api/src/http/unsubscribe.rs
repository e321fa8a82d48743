//! `/unsubscribe/{token}`: the page behind the link in a mail, and the one POST that unsubscribes.
//!
//! Whoever has the link has the mail, so no log-in is asked for, and no cookie is set. Looking at the page changes nothing: mail scanners look
//! at every link. A POST unsubscribes, that of the page's button as well as that of a mail program (RFC 8058, `List-Unsubscribe=One-Click`):
//! its body says nothing that the address does not, and is not read. The page names the employer and nothing of the member.

use std::sync::Arc;

use axum::Router;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use entity::employer;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, RETRY_AFTER,
    X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderName, HeaderValue, StatusCode};

use super::graphql::REQUEST_ID;
use super::graphql::errors::Code;
use super::plain;
use crate::app::App;
use crate::domain::{self, Outcome};

/// Nothing is loaded and nothing runs; the button may send its form here.
const POLICY: &str = "default-src 'none'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// The address.
pub fn router(app: Arc<App>) -> Router {
    Router::new()
        .route("/unsubscribe/{token}", get(ask).post(carry_out))
        .with_state(app)
}

async fn ask(State(app): State<Arc<App>>, path: Result<Path<String>, PathRejection>) -> Response {
    let sender = match path {
        Ok(Path(token)) => domain::mail::sender(&app, &token).await,
        Err(_) => Ok(None),
    };
    answer(&app, sender, |name| {
        let words = format!(
            "<p>You get mail from {name}.</p>\n<form method=\"post\"><button type=\"submit\">Unsubscribe</button></form>"
        );
        ("Unsubscribe", words)
    })
}

async fn carry_out(State(app): State<Arc<App>>, path: Result<Path<String>, PathRejection>) -> Response {
    let sender = match path {
        Ok(Path(token)) => domain::mail::unsubscribe(&app, &token).await,
        Err(_) => Ok(None),
    };
    answer(&app, sender, |name| {
        let words = format!("<p>{name} sends you no more advertising.</p>");
        ("You are unsubscribed", words)
    })
}

/// The page for whoever has written the mail; another where there is no such link, or something went wrong.
fn answer(
    app: &App,
    sender: Outcome<Option<employer::Model>>,
    page: impl FnOnce(&str) -> (&'static str, String),
) -> Response {
    let (status, (title, words)) = match sender {
        Ok(Some(employer)) => (StatusCode::OK, page(&escaped(&employer.name))),
        Ok(None) => {
            let words = "<p>This link leads nowhere. Please follow the one in the mail as it is.</p>";
            (StatusCode::NOT_FOUND, ("Not found", words.to_owned()))
        }
        Err(error) => {
            let plain::Refused(code, _) = plain::failed(error, "unsubscribe");
            let words = "<p>That did not work just now. Please try again in a minute.</p>";
            (code.status(), ("Please try again", words.to_owned()))
        }
    };
    let html = include_str!("unsubscribe/page.html")
        .replace("{title}", title)
        .replace("{words}", &words);
    let headers: [(HeaderName, &str); 5] = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CONTENT_SECURITY_POLICY, POLICY),
        (CACHE_CONTROL, "no-store"),
        // The address is a secret of the mail's.
        (REFERRER_POLICY, "no-referrer"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    let mut response = (status, headers, html).into_response();
    if let Ok(id) = HeaderValue::from_str(&app.ids.text()) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    if status == Code::Unavailable.status() {
        response
            .headers_mut()
            .insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}

/// Text as it may stand between tags.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_text_and_no_tag() {
        assert_eq!(escaped("A & B <script>"), "A &amp; B &lt;script&gt;");
    }
}
