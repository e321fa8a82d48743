//! A partner's own server, which is called by webhooks and answers as a test says.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::Response;
use futures_util::stream;
use http::{HeaderMap, StatusCode};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// How a call is answered.
#[derive(Debug, Clone)]
pub enum Reply {
    /// With a status.
    Status(u16),
    /// With a status, one header and a text.
    Full(u16, &'static str, String, String),
    /// Never.
    Hang,
    /// With 200 and a byte now and then, without an end.
    Drip,
}

/// A call as it came.
#[derive(Debug, Clone)]
pub struct Call {
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body, as it came.
    pub text: String,
}

impl Call {
    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }

    /// A header.
    pub fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().unwrap()
    }

    /// The position of the entry.
    pub fn position(&self) -> i64 {
        self.json()["data"]["position"].as_i64().unwrap()
    }

    /// Whether a secret as the partner has it verifies one of the signatures.
    pub fn is_signed_by(&self, secret: &str) -> bool {
        use base64::Engine;
        let key = base64::engine::general_purpose::STANDARD
            .decode(secret.strip_prefix("whsec_").unwrap())
            .unwrap();
        let (id, at) = (
            self.header("webhook-id"),
            self.header("webhook-timestamp").parse().unwrap(),
        );
        let wanted = jobs::deliver::webhook::sign([key.as_slice()], id, at, &self.text);
        self.header("webhook-signature")
            .split(' ')
            .any(|one| one == wanted)
    }
}

#[derive(Default)]
struct Plan {
    calls: Vec<Call>,
    replies: VecDeque<Reply>,
    usual: Option<Reply>,
}

/// A server of a partner. Dropped, it is gone.
pub struct Receiver {
    address: String,
    plan: Arc<Mutex<Plan>>,
    serving: JoinHandle<()>,
}

impl Receiver {
    /// One that takes everything until it is told otherwise.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}/hook", listener.local_addr().unwrap());
        let plan = Arc::<Mutex<Plan>>::default();
        let router = Router::new().fallback(answer).with_state(Arc::clone(&plan));
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self {
            address,
            plan,
            serving,
        }
    }

    /// Where it is.
    pub fn url(&self) -> &str {
        &self.address
    }

    /// How the next calls are answered, one after the other.
    pub fn next(&self, replies: impl IntoIterator<Item = Reply>) {
        self.plan.lock().unwrap().replies.extend(replies);
    }

    /// How all further calls are answered.
    pub fn always(&self, reply: Reply) {
        self.plan.lock().unwrap().usual = Some(reply);
    }

    /// The calls so far.
    pub fn calls(&self) -> Vec<Call> {
        self.plan.lock().unwrap().calls.clone()
    }

    /// The positions that it was called with so far, in order.
    pub fn positions(&self) -> Vec<i64> {
        let mut positions: Vec<i64> = self.calls().iter().map(Call::position).collect();
        positions.sort_unstable();
        positions
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn answer(State(plan): State<Arc<Mutex<Plan>>>, headers: HeaderMap, body: Bytes) -> Response {
    let reply = {
        let mut plan = plan.lock().unwrap();
        let text = String::from_utf8(body.to_vec()).unwrap();
        plan.calls.push(Call { headers, text });
        let next = plan.replies.pop_front();
        next.or(plan.usual.clone()).unwrap_or(Reply::Status(204))
    };
    let with = |status: u16| Response::builder().status(StatusCode::from_u16(status).unwrap());
    match reply {
        Reply::Status(status) => with(status).body(Body::empty()).unwrap(),
        Reply::Full(status, name, value, text) => {
            with(status).header(name, value).body(Body::from(text)).unwrap()
        }
        Reply::Hang => std::future::pending().await,
        Reply::Drip => {
            let beat = tokio::time::interval(Duration::from_millis(100));
            let bytes = stream::unfold(beat, |mut beat| async move {
                beat.tick().await;
                Some((Ok::<_, Infallible>(Bytes::from_static(b".")), beat))
            });
            with(200).body(Body::from_stream(bytes)).unwrap()
        }
    }
}
