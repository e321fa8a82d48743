//! GraphiQL, only with `serve --dev`: a page that loads pinned files whose hashes it names.

use axum::response::IntoResponse;

/// The page.
pub async fn page() -> impl IntoResponse {
    ""
}

/// Its own script.
pub async fn script() -> impl IntoResponse {
    ""
}
