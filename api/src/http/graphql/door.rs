//! What the door needs of the house behind it. The door knows HTTP, sockets and GraphQL documents; who a token is, what time it is
//! and what the schema does are handed in.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use async_graphql::{Executor, ObjectType, Request, SchemaBuilder, SubscriptionType};
use chrono::{DateTime, Utc};
use tokio_util::sync::CancellationToken;

use super::document::Limits;
use super::document::cost::Shapes;
use crate::http::limit::Purse;
use crate::http::sockets::Sockets;
use crate::http::websocket;

/// Why a token did not become a viewer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthFailure {
    /// It is not a good token, in whichever way.
    Bad,
    /// It could not be judged now.
    Unavailable,
}

/// The house behind the door.
pub trait Door: Clone + Send + Sync + 'static {
    /// Who a good token stands for.
    type Viewer: Clone + Send + Sync + 'static;
    /// The schema.
    type Executor: Executor;

    /// The schema that answers; built through [`harden`].
    fn executor(&self) -> &Self::Executor;

    /// Adds to a request what its resolvers need to know of its caller.
    fn attach(&self, request: Request, viewer: Option<&Self::Viewer>, request_id: &str) -> Request;

    /// Judges a bearer token.
    fn authenticate(&self, bearer: &str) -> impl Future<Output = Result<Self::Viewer, AuthFailure>> + Send;

    /// Whether a viewer of a while ago would still be let in, apart from its token's expiry. Asked of every open socket and stream
    /// about once a second.
    fn is_current(&self, viewer: &Self::Viewer) -> impl Future<Output = bool> + Send;

    /// When the viewer's token ends.
    fn expires_at(&self, viewer: &Self::Viewer) -> DateTime<Utc>;

    /// The client whose sockets and streams are counted together.
    fn client(&self, viewer: &Self::Viewer) -> String;

    /// The time.
    fn now(&self) -> DateTime<Utc>;

    /// An id for one request: visible ASCII.
    fn request_id(&self) -> String;

    /// Every open socket and stream, counted.
    fn sockets(&self) -> &Sockets;

    /// Takes note of a client on a socket that is refused for having too much at once.
    fn rate_limited(&self) {}

    /// Cancelled when the server goes down.
    fn shutdown(&self) -> &CancellationToken;

    /// Whether introspection and the page at `/graphiql` are offered.
    fn dev(&self) -> bool;

    /// Whether pages of this origin, apart from the server's own, may open sockets.
    fn allows_origin(&self, _origin: &str) -> bool {
        false
    }

    /// How many bytes the body of this viewer's request may have.
    fn body_bytes(&self, _viewer: Option<&Self::Viewer>, bounds: &Bounds) -> usize {
        bounds.body_bytes
    }

    /// What an operation on a socket is paid from. What comes by HTTP brings its own.
    fn purse(&self, _viewer: &Self::Viewer) -> Option<Purse> {
        None
    }

    /// How much, how long, how often.
    fn bounds(&self) -> Bounds {
        Bounds::of(self.dev())
    }
}

/// What one request may take.
#[derive(Debug, Clone)]
pub struct Bounds {
    /// What a document may hold.
    pub document: Limits,
    /// What the cost of a document depends on; where nothing is known of a schema, its lists cost as much as one of their items.
    pub shapes: Arc<Shapes>,
    /// Bytes of a request's body, for whoever may not send more.
    pub body_bytes: usize,
    /// How long a body may take to arrive.
    pub body_within: Duration,
    /// How long a query or mutation may run.
    pub operation_within: Duration,
    /// What a socket may do, or a stream.
    pub socket: websocket::Bounds,
}

impl Bounds {
    /// The bounds of a server.
    #[must_use]
    pub fn of(dev: bool) -> Self {
        Self {
            document: Limits::of(dev),
            shapes: Arc::default(),
            body_bytes: 1024 * 1024,
            // A megabyte over a slow line; a caller that sends a byte a second is not waited for.
            body_within: Duration::from_secs(30),
            operation_within: Duration::from_secs(5),
            socket: websocket::Bounds::default(),
        }
    }
}

/// Makes a schema fit for this door: nothing guesses at names for a caller, and only a `dev` server describes itself.
///
/// The library's own limits on depth and recursion stay at their defaults; [`super::document`] is stricter and comes first.
#[must_use]
pub fn harden<Q, M, S>(builder: SchemaBuilder<Q, M, S>, dev: bool) -> SchemaBuilder<Q, M, S>
where
    Q: ObjectType + 'static,
    M: ObjectType + 'static,
    S: SubscriptionType + 'static,
{
    let builder = builder.disable_suggestions();
    if dev {
        builder
    } else {
        builder.disable_introspection()
    }
}
