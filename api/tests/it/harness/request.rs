//! A request through the real router, and its answer.

use axum::Router;
use axum::body::Body;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, Request, StatusCode};
use serde_json::{Value, json};
use tower::ServiceExt;

/// What came back.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body as it came.
    pub text: String,
}

impl Answer {
    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("not JSON: {} {}", self.status, self.text))
    }

    /// `extensions.code` of the first error, if there is one; of either of the two forms in which errors leave.
    pub fn code(&self) -> Option<String> {
        let body = self.json();
        body["errors"][0]["extensions"]["code"]
            .as_str()
            .map(str::to_owned)
    }
}

/// Sends one request.
pub async fn send(router: Router, request: Request<Body>) -> Answer {
    let response = router.oneshot(request).await.expect("a router never fails");
    let (status, headers) = (response.status(), response.headers().clone());
    let body = axum::body::to_bytes(response.into_body(), usize::MAX)
        .await
        .unwrap();
    Answer {
        status,
        headers,
        text: String::from_utf8(body.to_vec()).unwrap(),
    }
}

/// A request to POST `body`.
pub fn post(path: &str, token: Option<&str>, media: &str, body: impl Into<Body>) -> Request<Body> {
    let mut request = Request::post(path).header(CONTENT_TYPE, media);
    if let Some(token) = token {
        request = request.header(AUTHORIZATION, format!("Bearer {token}"));
    }
    request.body(body.into()).unwrap()
}

/// A CloudEvent in its JSON form.
pub fn cloud_event(
    id: &str,
    source: &str,
    event_type: &str,
    member: &str,
    time: &str,
    data: &Value,
) -> Value {
    json!({
        "specversion": "1.0", "id": id, "source": source, "type": event_type, "subject": member, "time": time, "data": data,
    })
}
