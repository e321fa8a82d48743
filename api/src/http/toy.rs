//! A small house behind the door, for the door's own tests: a clock moved by hand, tokens that are words, a schema of odd fields.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_graphql::{
    Context, Error, ErrorExtensions, InputObject, Object, Request, Schema, SimpleObject, Subscription,
};
use chrono::{DateTime, TimeDelta, Utc};
use futures_util::stream::{self, BoxStream, StreamExt};
use tokio_util::sync::CancellationToken;

use crate::http::graphql::{AuthFailure, Bounds, Door, harden};
use crate::http::limit::{Limits, Purse, Rate};
use crate::http::sockets::Sockets;
use crate::http::stream::Bookmark;

pub type ToySchema = Schema<Query, Mutation, Subscriptions>;

/// The good token is `good`, or `good-` and the name of a client.
#[derive(Clone)]
pub struct Toy {
    pub house: Arc<House>,
    pub bounds: Bounds,
}

pub struct House {
    pub schema: ToySchema,
    pub now: Mutex<DateTime<Utc>>,
    pub current: AtomicBool,
    pub sockets: Sockets,
    pub shutdown: CancellationToken,
    pub dev: bool,
    pub tally: Tally,
    ids: AtomicU64,
}

#[derive(Clone)]
pub struct Viewer {
    client: String,
    expires_at: DateTime<Utc>,
}

/// How often things happened, to be seen by a test.
#[derive(Default)]
pub struct Tally {
    pub added: AtomicUsize,
    pub produced: AtomicUsize,
    pub dropped: AtomicUsize,
}

impl Toy {
    pub fn new(dev: bool) -> Self {
        let builder = Schema::build(Query, Mutation, Subscriptions);
        Self {
            house: Arc::new(House {
                schema: harden(builder, dev).finish(),
                now: Mutex::new(DateTime::UNIX_EPOCH),
                current: AtomicBool::new(true),
                sockets: Sockets::default(),
                shutdown: CancellationToken::new(),
                dev,
                tally: Tally::default(),
                ids: AtomicU64::new(1),
            }),
            bounds: Bounds::of(dev),
        }
    }

    pub fn tally(&self) -> &Tally {
        &self.house.tally
    }

    pub fn pass(&self, seconds: i64) {
        let mut now = self.house.now.lock().expect("not poisoned");
        *now = after(*now, seconds);
    }
}

impl Door for Toy {
    type Viewer = Viewer;
    type Executor = ToySchema;

    fn executor(&self) -> &ToySchema {
        &self.house.schema
    }

    fn attach(&self, request: Request, viewer: Option<&Viewer>, _request_id: &str) -> Request {
        let request = request.data(self.clone());
        match viewer {
            Some(viewer) => request.data(viewer.clone()),
            None => request,
        }
    }

    async fn authenticate(&self, bearer: &str) -> Result<Viewer, AuthFailure> {
        match bearer.split('-').next() {
            Some("good") => Ok(Viewer {
                client: bearer.to_owned(),
                expires_at: after(self.now(), 60),
            }),
            Some("later") => Err(AuthFailure::Unavailable),
            _ => Err(AuthFailure::Bad),
        }
    }

    async fn is_current(&self, _viewer: &Viewer) -> bool {
        self.house.current.load(Ordering::SeqCst)
    }

    fn expires_at(&self, viewer: &Viewer) -> DateTime<Utc> {
        viewer.expires_at
    }

    fn client(&self, viewer: &Viewer) -> String {
        viewer.client.clone()
    }

    fn purse(&self, viewer: &Viewer) -> Option<Purse> {
        let rate = Rate { burst: 1, restore: 1 };
        let limits = Limits::new(rate);
        limits.take(&viewer.client, self.now(), 1);
        (viewer.client == "good-spent").then(|| Purse::new(limits, viewer.client.clone()))
    }

    fn now(&self) -> DateTime<Utc> {
        *self.house.now.lock().expect("not poisoned")
    }

    fn request_id(&self) -> String {
        format!("R{}", self.house.ids.fetch_add(1, Ordering::SeqCst))
    }

    fn sockets(&self) -> &Sockets {
        &self.house.sockets
    }

    fn shutdown(&self) -> &CancellationToken {
        &self.house.shutdown
    }

    fn dev(&self) -> bool {
        self.house.dev
    }

    fn allows_origin(&self, origin: &str) -> bool {
        origin == "https://console.example"
    }

    fn bounds(&self) -> Bounds {
        self.bounds.clone()
    }
}

fn after(instant: DateTime<Utc>, seconds: i64) -> DateTime<Utc> {
    instant
        .checked_add_signed(TimeDelta::seconds(seconds))
        .expect("within the calendar")
}

/// The house behind the door a request came through.
fn toy(context: &Context<'_>) -> Toy {
    context.data_opt::<Toy>().expect("attached").clone()
}

fn boom() -> i32 {
    panic!("a toy's panic")
}

fn coded(code: &'static str) -> Error {
    Error::new(format!("this is {code}")).extend_with(|_, extensions| extensions.set("code", code))
}

fn guard(context: &Context<'_>) -> Result<(), Error> {
    match context.data_opt::<Viewer>() {
        Some(_) => Ok(()),
        None => Err(coded("UNAUTHENTICATED")),
    }
}

#[derive(InputObject)]
pub struct Payment {
    amount: i32,
}

#[derive(SimpleObject)]
pub struct Person {
    name: String,
}

pub struct Query;

#[Object]
impl Query {
    async fn guarded(&self, context: &Context<'_>) -> Result<Option<String>, Error> {
        guard(context)?;
        Ok(Some("secret".into()))
    }

    async fn echo(&self, text: String) -> String {
        text
    }

    async fn double(&self, n: i32) -> i32 {
        n.wrapping_mul(2)
    }

    async fn hour(&self, #[graphql(validator(maximum = 23))] hour: i32) -> i32 {
        hour
    }

    async fn pay(&self, input: Payment) -> i32 {
        input.amount
    }

    async fn me(&self) -> Self {
        Self
    }

    async fn person(&self) -> Person {
        Person { name: "Ada".into() }
    }

    async fn fails(&self) -> Result<Option<i32>, Error> {
        Err(Error::new("SELECT secret FROM table"))
    }

    async fn forbidden(&self) -> Result<Option<i32>, Error> {
        Err(coded("FORBIDDEN"))
    }

    async fn panics(&self) -> i32 {
        boom()
    }

    async fn hangs(&self) -> i32 {
        std::future::pending().await
    }
}

pub struct Mutation;

#[Object]
impl Mutation {
    async fn add(&self, context: &Context<'_>) -> usize {
        let toy = toy(context);
        toy.tally().added.fetch_add(1, Ordering::SeqCst) + 1
    }
}

pub struct Subscriptions;

/// Counts when a stream is dropped.
struct Dropped(Toy);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.tally().dropped.fetch_add(1, Ordering::SeqCst);
    }
}

#[Subscription]
impl Subscriptions {
    async fn count(&self, to: i32) -> BoxStream<'static, i32> {
        stream::iter(1..=to).boxed()
    }

    async fn silent(&self, context: &Context<'_>) -> BoxStream<'static, i32> {
        let kept = Dropped(toy(context));
        stream::once(async move {
            let _kept = kept;
            std::future::pending().await
        })
        .boxed()
    }

    /// Messages of 100 kB without end, counted as they are made.
    async fn flood(&self, context: &Context<'_>) -> BoxStream<'static, String> {
        let toy = toy(context);
        stream::repeat_with(move || {
            toy.tally().produced.fetch_add(1, Ordering::SeqCst);
            "x".repeat(100_000)
        })
        .boxed()
    }

    /// Counts on from where the client was, and says where it is.
    async fn resumed(&self, context: &Context<'_>, after: i32) -> BoxStream<'static, i32> {
        let bookmark = context.data_opt::<Bookmark>().cloned().unwrap_or_default();
        let came_with = bookmark.came_with().and_then(|place| place.parse().ok());
        let first = came_with.unwrap_or(after) + 1;
        stream::iter(first..first + 2)
            .inspect(move |n| bookmark.mark(n.to_string()))
            .boxed()
    }

    async fn denied(&self) -> Result<BoxStream<'static, i32>, Error> {
        Err(coded("FORBIDDEN"))
    }

    async fn breaks(&self) -> BoxStream<'static, Result<i32, Error>> {
        stream::iter([Ok(1), Err(Error::new("SELECT secret")), Ok(3)]).boxed()
    }

    async fn panics(&self) -> BoxStream<'static, i32> {
        stream::iter(0..1).map(|_| boom()).boxed()
    }
}

/// What a test gives a thing to happen before it says that it does not.
pub const PATIENCE: Duration = Duration::from_secs(20);
