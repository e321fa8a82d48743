//! A few connections to the server, kept for a while for the next message.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use lettre::transport::smtp::client::TlsParameters;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::Outcome;
use super::compose::Composed;
use super::dialogue::Connection;
use super::server::Server;

/// Messages on one connection: servers end one that never ends.
const MESSAGES: u32 = 100;

/// The connections to a server.
pub(super) struct Pool {
    server: Server,
    tls: TlsParameters,
    turns: Semaphore,
    // Never held across an await.
    idle: Mutex<Idle>,
    /// Ends the keeper with the pool.
    ended: CancellationToken,
    _end: DropGuard,
}

#[derive(Default)]
struct Idle {
    connections: Vec<Kept>,
    /// Whether somebody takes leave of those that are not used.
    is_kept: bool,
}

struct Kept {
    connection: Connection,
    messages: u32,
    since: Instant,
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Pool")
            .field("server", &self.server)
            .finish_non_exhaustive()
    }
}

impl Pool {
    pub(super) fn new(server: Server) -> Result<Arc<Self>, String> {
        let ended = CancellationToken::new();
        Ok(Arc::new(Self {
            tls: server.tls()?,
            turns: Semaphore::new(server.connections),
            idle: Mutex::default(),
            server,
            _end: ended.clone().drop_guard(),
            ended,
        }))
    }

    pub(super) fn host(&self) -> &str {
        &self.server.host
    }

    /// Sends a message over a connection that is there, or a new one.
    pub(super) async fn send(self: &Arc<Self>, composed: &Composed) -> Outcome {
        let Ok(Ok(_turn)) = timeout(self.server.limits.turn, self.turns.acquire()).await else {
            return Outcome::Deferred {
                code: None,
                reason: "NO_CONNECTION_FREE",
            };
        };
        // From here on the connection is ours: if nobody waits for the outcome any more, it is dropped with us, in whatever state it is.
        let (mut connection, messages) = match self.ready().await {
            Some(kept) => (kept.connection, kept.messages),
            None => match Connection::open(&self.server, &self.tls).await {
                Ok(connection) => (connection, 0),
                Err(outcome) => return outcome,
            },
        };
        let (outcome, is_good) = connection.send(composed).await;
        if is_good && messages < MESSAGES {
            self.keep(connection, messages.saturating_add(1));
        }
        outcome
    }

    /// A connection that was kept and is still good.
    async fn ready(&self) -> Option<Kept> {
        loop {
            let mut kept = self.idle().connections.pop()?;
            if kept.since.elapsed() < self.server.limits.idle && kept.connection.is_ready().await {
                return Some(kept);
            }
        }
    }

    fn keep(self: &Arc<Self>, connection: Connection, messages: u32) {
        let mut idle = self.idle();
        idle.connections.push(Kept {
            connection,
            messages,
            since: Instant::now(),
        });
        if !std::mem::replace(&mut idle.is_kept, true) {
            tokio::spawn(keeper(Arc::downgrade(self), self.ended.clone()));
        }
    }

    /// Those that have not been used for too long; the others stay. No more keeper when none is left.
    fn take_old(&self) -> Option<Vec<Kept>> {
        let mut idle = self.idle();
        if idle.connections.is_empty() {
            idle.is_kept = false;
            return None;
        }
        let limit = self.server.limits.idle;
        let (old, young) = std::mem::take(&mut idle.connections)
            .into_iter()
            .partition(|kept| kept.since.elapsed() >= limit);
        idle.connections = young;
        Some(old)
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Idle> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes leave of connections that nobody uses, until there are none, or no pool.
async fn keeper(pool: Weak<Pool>, ended: CancellationToken) {
    loop {
        let Some(limit) = pool.upgrade().map(|pool| pool.server.limits.idle) else {
            return;
        };
        if timeout(limit, ended.cancelled()).await.is_ok() {
            return;
        }
        let Some(old) = pool.upgrade().and_then(|pool| pool.take_old()) else {
            return;
        };
        for kept in old {
            kept.connection.close().await;
        }
    }
}
