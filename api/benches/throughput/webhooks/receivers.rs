//! Partners' servers: each has a port of its own, and takes what it is sent, or does not.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use http::{HeaderMap, StatusCode};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// Between two bytes of an answer that drips.
const DRIP_EVERY: Duration = Duration::from_secs(1);

/// How a receiver answers until it recovers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// It takes everything.
    Healthy,
    /// It never answers.
    Hangs,
    /// It answers 500.
    Fails,
    /// It answers a byte a second, without an end.
    Drips,
}

/// The receivers of one installation.
pub struct Receivers {
    all: Vec<Arc<One>>,
    /// Where each is.
    pub urls: Vec<String>,
    recovered: Arc<AtomicBool>,
    _serving: JoinSet<()>,
}

/// One receiver.
struct One {
    manner: Manner,
    recovered: Arc<AtomicBool>,
    book: Mutex<Book>,
}

/// What one receiver knows.
#[derive(Default)]
struct Book {
    /// The id under which each position came, whatever was answered.
    ids: BTreeMap<i64, String>,
    /// When each entry was taken for the first time.
    taken: BTreeMap<i64, Instant>,
    calls: usize,
    /// What no receiver should ever see.
    wrong: Option<String>,
}

impl Receivers {
    /// Starts one of each of these.
    pub async fn start(manners: &[Manner]) -> anyhow::Result<Self> {
        let recovered = Arc::new(AtomicBool::new(false));
        let (mut all, mut urls, mut serving) = (Vec::new(), Vec::new(), JoinSet::new());
        for manner in manners {
            let listener = TcpListener::bind("127.0.0.1:0").await?;
            urls.push(format!("http://{}/hook", listener.local_addr()?));
            let one = Arc::new(One {
                manner: *manner,
                recovered: Arc::clone(&recovered),
                book: Mutex::default(),
            });
            all.push(Arc::clone(&one));
            let router = Router::new().fallback(answer).with_state(one);
            serving.spawn(async move {
                // It ends with the measurement.
                drop(axum::serve(listener, router).await);
            });
        }
        Ok(Self {
            all,
            urls,
            recovered,
            _serving: serving,
        })
    }

    /// From now on all of them take everything.
    pub fn recover(&self) {
        self.recovered.store(true, Ordering::Relaxed);
    }

    /// Whether all of them, or all healthy ones, have taken every position up to this one.
    pub fn have_taken(&self, last: i64, healthy_alone: bool) -> bool {
        self.all
            .iter()
            .filter(|one| one.manner == Manner::Healthy || !healthy_alone)
            .all(|one| i64::try_from(one.book().taken.len()).is_ok_and(|count| count >= last))
    }

    /// How long after it was sent each event came to each healthy receiver, in milliseconds. An entry says only to the second when
    /// it was recorded, so that is not what is asked; `sent` are the moments of the events that made the positions from `first` on.
    pub fn lateness(&self, first: i64, sent: &[Instant]) -> Vec<f64> {
        let healthy = self.all.iter().filter(|one| one.manner == Manner::Healthy);
        let mut late = Vec::new();
        for one in healthy {
            let book = one.book();
            let taken = sent.iter().zip(first..).filter_map(|(sent, position)| {
                let taken = book.taken.get(&position)?;
                Some(taken.saturating_duration_since(*sent).as_secs_f64() * 1_000.0)
            });
            late.extend(taken);
        }
        late
    }

    /// The calls so far.
    pub fn calls(&self) -> usize {
        self.all.iter().map(|one| one.book().calls).sum()
    }

    /// Each has taken positions 1 to `last` and no other, each under one id, which is the same at all receivers of one partner.
    pub fn check(&self, last: i64, per_partner: usize) -> anyhow::Result<()> {
        let expected: Vec<i64> = (1..=last).collect();
        for (number, one) in self.all.iter().enumerate() {
            let book = one.book();
            if let Some(wrong) = &book.wrong {
                anyhow::bail!("receiver {number}: {wrong}");
            }
            let taken: Vec<i64> = book.taken.keys().copied().collect();
            ensure!(taken == expected, "receiver {number} has positions {taken:?}");
            let first = self
                .all
                .get(number - number % per_partner)
                .context("a receiver")?;
            let is_same = Arc::ptr_eq(first, one) || first.book().ids == book.ids;
            ensure!(is_same, "receiver {number} knows entries by other ids");
        }
        Ok(())
    }
}

impl One {
    fn book(&self) -> std::sync::MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_well(&self) -> bool {
        self.manner == Manner::Healthy || self.recovered.load(Ordering::Relaxed)
    }

    /// Notes a call.
    fn note(&self, headers: &HeaderMap, body: &str, now: Instant) -> anyhow::Result<()> {
        let body: Value = serde_json::from_str(body)?;
        let entry = &body["data"];
        let position = entry["position"].as_i64().context("a position")?;
        let id = headers.get("webhook-id").context("an id")?.to_str()?;
        let is_well = self.is_well();
        let mut book = self.book();
        book.calls += 1;
        let known = book.ids.entry(position).or_insert_with(|| id.to_owned());
        ensure!(
            known == id && entry["id"] == id,
            "position {position} came under two ids"
        );
        if is_well {
            book.taken.entry(position).or_insert(now);
        }
        Ok(())
    }
}

async fn answer(State(one): State<Arc<One>>, headers: HeaderMap, body: String) -> Response {
    if let Err(error) = one.note(&headers, &body, Instant::now()) {
        one.book().wrong = Some(error.to_string());
    }
    if one.is_well() {
        return StatusCode::NO_CONTENT.into_response();
    }
    match one.manner {
        Manner::Healthy => StatusCode::NO_CONTENT.into_response(),
        Manner::Fails => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        Manner::Hangs => std::future::pending().await,
        Manner::Drips => {
            let beat = tokio::time::interval(DRIP_EVERY);
            let bytes = stream::unfold(beat, |mut beat| async move {
                beat.tick().await;
                Some((Ok::<_, Infallible>(Bytes::from_static(b".")), beat))
            });
            Body::from_stream(bytes).into_response()
        }
    }
}
