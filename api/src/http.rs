//! The doors: what reaches Plaudit over HTTP, and how each request is refused that should go no further.

pub mod cloudevents;
pub mod feed;
pub mod graphiql;
pub mod graphql;
pub mod health;
pub mod limit;
pub mod mail_events;
pub mod metrics;
pub mod oauth;
pub mod plain;
pub mod points;
pub mod problem;
pub mod sockets;
pub mod stream;
#[cfg(test)]
mod toy;
pub mod unsubscribe;
pub mod websocket;

use std::sync::{Arc, LazyLock};

use async_graphql::Request;
use axum::{Router, middleware};
use chrono::{DateTime, Utc};
use tokio_util::sync::CancellationToken;
use tower_http::catch_panic::CatchPanicLayer;

use self::graphql::document::cost::{Pages, Shapes};
use self::graphql::{AuthFailure, Bounds, Door};
use self::limit::Purse;
use self::sockets::Sockets;
use crate::app::App;
use crate::auth::access;
use crate::auth::viewer::Viewer;
use crate::graphql::loader::Nouns;
use crate::graphql::{PlauditSchema, connection, sdl};

/// Bytes of a request of whoever may ask for a dry run: ten thousand sample events of four hundred bytes.
const SIMULATION_BYTES: usize = 4 * 1024 * 1024;

/// What the cost of a document depends on, read from the schema once.
static SHAPES: LazyLock<Arc<Shapes>> = LazyLock::new(|| {
    let pages = Pages {
        usual: connection::PAGE_DEFAULT.unsigned_abs().into(),
        most: connection::PAGE_MAX.unsigned_abs().into(),
    };
    let shapes = Shapes::read(&sdl(), pages).unwrap_or_else(|error| {
        tracing::error!(%error, "the schema cannot be read back; documents cost no more than their requests");
        Shapes::default()
    });
    Arc::new(shapes)
});

/// Every address of the application.
pub fn router(app: &Arc<App>) -> Router {
    let door = AppDoor {
        schema: app.schema(),
        app: Arc::clone(app),
    };
    let endpoint = oauth::Endpoint {
        db: app.db.clone(),
        clock: app.clock.clone(),
        ids: app.ids.clone(),
        verifier: Arc::clone(&app.verifier),
        limits: app.limits.clone(),
    };
    Router::new()
        .merge(graphql::router(door))
        .merge(oauth::router(endpoint))
        .merge(cloudevents::router(Arc::clone(app)))
        .merge(feed::router(Arc::clone(app)))
        .merge(points::router(Arc::clone(app)))
        .merge(mail_events::router(Arc::clone(app)))
        .merge(unsubscribe::router(Arc::clone(app)))
        .merge(health::router(Arc::clone(app)))
        .fallback({
            let ids = app.ids.clone();
            move || async move { problem::not_found(&ids.text()) }
        })
        .layer(axum::middleware::from_fn_with_state(
            Arc::clone(app),
            limit::guard,
        ))
        .layer(CatchPanicLayer::custom({
            let ids = app.ids.clone();
            move |_| problem::panicked(&ids.text())
        }))
        .layer(middleware::from_fn_with_state(
            app.jobs.metrics.clone(),
            metrics::count,
        ))
}

/// The application behind the GraphQL door.
#[derive(Clone)]
struct AppDoor {
    app: Arc<App>,
    schema: PlauditSchema,
}

impl Door for AppDoor {
    type Viewer = Arc<Viewer>;
    type Executor = PlauditSchema;

    fn executor(&self) -> &PlauditSchema {
        &self.schema
    }

    fn attach(&self, request: Request, viewer: Option<&Arc<Viewer>>, _request_id: &str) -> Request {
        let request = request.data(Nouns::loaders(self.app.db.clone()));
        match viewer {
            Some(viewer) => request.data(Arc::clone(viewer)),
            None => request,
        }
    }

    async fn authenticate(&self, bearer: &str) -> Result<Arc<Viewer>, AuthFailure> {
        self.app
            .verifier
            .authenticate(bearer, self.app.clock.now())
            .map_err(|refused| {
                tracing::debug!(reason = ?refused.reason(), "a token was refused");
                AuthFailure::Bad
            })
    }

    async fn is_current(&self, viewer: &Arc<Viewer>) -> bool {
        self.app.verifier.still(viewer, self.app.clock.now()).is_ok()
    }

    fn expires_at(&self, viewer: &Arc<Viewer>) -> DateTime<Utc> {
        viewer.expires_at
    }

    fn client(&self, viewer: &Arc<Viewer>) -> String {
        viewer.client_id.clone()
    }

    fn purse(&self, viewer: &Arc<Viewer>) -> Option<Purse> {
        let who = limit::client(&viewer.client_id);
        Some(Purse::new(self.app.limits.clone(), who))
    }

    fn bounds(&self) -> Bounds {
        Bounds {
            shapes: Arc::clone(&SHAPES),
            ..Bounds::of(self.dev())
        }
    }

    fn body_bytes(&self, viewer: Option<&Arc<Viewer>>, bounds: &Bounds) -> usize {
        let may_simulate = |viewer: &Arc<Viewer>| viewer.permit::<access::Simulate>().is_ok();
        if viewer.is_some_and(may_simulate) {
            SIMULATION_BYTES
        } else {
            bounds.body_bytes
        }
    }

    fn now(&self) -> DateTime<Utc> {
        self.app.clock.now()
    }

    fn request_id(&self) -> String {
        self.app.ids.text()
    }

    fn sockets(&self) -> &Sockets {
        &self.app.sockets
    }

    fn rate_limited(&self) {
        metrics::rate_limited(&self.app.jobs.metrics, "socket");
    }

    fn shutdown(&self) -> &CancellationToken {
        &self.app.shutdown
    }

    fn dev(&self) -> bool {
        self.app.dev
    }
}
