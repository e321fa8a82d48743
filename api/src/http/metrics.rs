//! `/metrics`: what operators watch, on a listener of its own, so that it can stand where no client reaches it. Nobody is asked for a
//! token; there is nothing of a member, a tenant or a token in it.
//!
//! Here too the requests are counted, by door and status.

use std::sync::{Arc, Weak};
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::StatusCode;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use jobs::metrics::{Count, Level, Metrics};
use tokio::sync::Mutex;

use crate::app::App;

const CONTENT: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// A database that takes longer is away; its levels are then missing, and the rest is told.
const MEASURED_WITHIN: Duration = Duration::from_secs(2);

const REQUESTS: Count = Count::new("requests", "Answered requests, by door and HTTP status");
const RATE_LIMITED: Count = Count::new(
    "rate_limited",
    "Requests, sockets and operations refused because a client had too much at once, by door",
);
const SOCKETS: Level = Level::new("sockets_open", "WebSockets that are open");
const STREAMS: Level = Level::new("streams_open", "Streams over HTTP that are open");
const DUTIES_FAILING: Level = Level::new(
    "duties_failing",
    "Duties of the workers of this process that have failed several times in a row",
);
const DATABASE_UP: Level = Level::new(
    "database_up",
    "Whether the database could be asked just now: 1 or 0",
);

/// What a look needs. The application may end while the listener is still there.
struct Source {
    app: Weak<App>,
    /// One look at a time: a second one would find levels half taken away.
    turn: Mutex<()>,
}

/// The address for operators.
pub fn router(app: &Arc<App>) -> Router {
    let source = Arc::new(Source {
        app: Arc::downgrade(app),
        turn: Mutex::new(()),
    });
    Router::new().route("/metrics", get(show)).with_state(source)
}

async fn show(State(source): State<Arc<Source>>) -> Response {
    let Some(app) = source.app.upgrade() else {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    let _turn = source.turn.lock().await;
    measure(&app).await;
    let headers = [(CONTENT_TYPE, CONTENT), (CACHE_CONTROL, "no-store")];
    (headers, app.jobs.metrics.text()).into_response()
}

async fn measure(app: &App) {
    let metrics = &app.jobs.metrics;
    metrics.clear_levels();
    metrics.level(&SOCKETS, [], small(app.sockets.open()));
    metrics.level(&STREAMS, [], small(app.sockets.streaming()));
    metrics.level(&DUTIES_FAILING, [], small(app.health.failing().len()));
    let measured = tokio::time::timeout(MEASURED_WITHIN, jobs::levels::measure(&app.jobs)).await;
    let is_up = matches!(measured, Ok(Ok(())));
    metrics.level(&DATABASE_UP, [], f64::from(u8::from(is_up)));
}

fn small(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::INFINITY, f64::from)
}

/// Counts a client that was refused for having too much at once.
pub fn rate_limited(metrics: &Metrics, door: &'static str) {
    metrics.count(&RATE_LIMITED, [("door", door)], 1);
}

/// Counts each request when its answer begins.
pub async fn count(State(metrics): State<Metrics>, request: Request, next: Next) -> Response {
    let door = door(request.uri().path());
    let response = next.run(request).await;
    let status = response.status();
    metrics.count(&REQUESTS, [("door", door), ("status", word(status))], 1);
    if status == StatusCode::TOO_MANY_REQUESTS {
        rate_limited(&metrics, door);
    }
    response
}

/// The door an address belongs to; the address itself may name a member.
fn door(path: &str) -> &'static str {
    let first = path.split('/').nth(1).unwrap_or_default();
    match first {
        "graphql" => "graphql",
        "events" => "events",
        "oauth" | ".well-known" => "oauth",
        "livez" | "readyz" => "probes",
        "unsubscribe" => "unsubscribe",
        "v1" => "v1",
        _ => "other",
    }
}

/// A status as a word of ours: those that are answered here, and the class of any other.
fn word(status: StatusCode) -> &'static str {
    match status.as_u16() {
        101 => "101",
        200 => "200",
        202 => "202",
        304 => "304",
        400 => "400",
        401 => "401",
        403 => "403",
        404 => "404",
        405 => "405",
        406 => "406",
        408 => "408",
        413 => "413",
        415 => "415",
        429 => "429",
        500 => "500",
        503 => "503",
        100..=199 => "1xx",
        201..=299 => "2xx",
        300..=399 => "3xx",
        402..=499 => "4xx",
        _ => "5xx",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_door_is_told_by_the_first_word_of_an_address_and_nothing_else_of_it() {
        for (path, expected) in [
            ("/graphql", "graphql"),
            ("/v1/members/ada%40example.org/points", "v1"),
            ("/.well-known/jwks.json", "oauth"),
            ("/unsubscribe/a.b.c", "unsubscribe"),
            ("/ada@example.org", "other"),
            ("", "other"),
        ] {
            assert_eq!(door(path), expected, "{path}");
        }
    }

    #[test]
    fn every_status_has_a_word() {
        for code in 100..=599 {
            let status = StatusCode::from_u16(code).expect("a status");
            let (text, class) = (code.to_string(), format!("{}xx", code / 100));
            assert!([text.as_str(), class.as_str()].contains(&word(status)), "{code}");
        }
    }
}
