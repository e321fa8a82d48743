//! Probes. `/livez` says that the process runs and never touches the database; `/readyz` says whether requests would be served.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use http::StatusCode;
use serde_json::json;

use super::problem;
use crate::app::App;

/// A database that takes longer to answer is away.
const DATABASE_WITHIN: Duration = Duration::from_secs(2);

/// The probes.
pub fn router(app: Arc<App>) -> Router {
    Router::new()
        .route("/livez", get(live))
        .route("/readyz", get(ready))
        .with_state(app)
}

async fn live(State(app): State<Arc<App>>) -> Response {
    problem::json(StatusCode::OK, &json!({"status": "live"}), &app.ids.text())
}

async fn ready(State(app): State<Arc<App>>) -> Response {
    let reason = why_not(&app).await;
    let status = if reason.is_none() {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let body = match reason {
        None => json!({"status": "ready"}),
        Some(reason) => json!({"status": "not ready", "reason": reason}),
    };
    problem::json(status, &body, &app.ids.text())
}

/// Why requests would not be served now; none: they would.
async fn why_not(app: &App) -> Option<String> {
    if app.shutdown.is_cancelled() {
        return Some("shutting down".to_owned());
    }
    match tokio::time::timeout(DATABASE_WITHIN, migration::is_current(app.db.read())).await {
        Ok(Ok(true)) => {}
        Ok(Ok(false)) => return Some("the database is not up to date".to_owned()),
        Ok(Err(_)) | Err(_) => return Some("the database is away".to_owned()),
    }
    let failing = app.health.failing();
    if failing.is_empty() {
        None
    } else {
        Some(format!("workers are failing: {}", failing.join(", ")))
    }
}
