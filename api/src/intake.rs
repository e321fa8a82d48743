//! Intake: from what a caller sends to the queue of record.
//!
//! ```text
//! candidate ─▶ checks (pure) ─▶ receipt (is it new?) ─▶ queue ─▶ commit ─▶ results
//! ```
//!
//! Concurrent callers share commits: a committer takes all that has gathered while the last commit was under way into one
//! transaction and writes each table once. A caller has its answer after the commit that holds its events, never before. How many
//! events may wait for a commit is bounded; a caller beyond that is told to come again, and nothing of its request is taken.

pub mod body;
pub mod check;
mod commit;
mod item;
mod menu;
pub mod retract;
mod schema;

use std::sync::Arc;
use std::time::Duration;

use entity::clock::Clock;
use entity::db::{Db, Kind};
use entity::id::{EmployerId, Ids};
use jobs::metrics::Metrics;
use jobs::wake::Wakes;
use sea_orm::{ConnectionTrait, DbErr};
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio_util::task::TaskTracker;

use crate::domain::{self, Fault};
use check::Candidate;
use item::Offered;
pub use menu::Menu;
pub use schema::check as check_schema;

/// Events in one request.
pub const EVENTS_MAX: usize = 1_000;
/// Events of one commit: beyond this a longer statement saves nothing more.
const GROUP_MAX: usize = 2_000;
/// Requests that may wait for a commit.
const WAITING_MAX: usize = 1_024;
/// How long a request waits for its place among them.
const PLACE_WITHIN: Duration = Duration::from_secs(2);

/// What became of one event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemResult {
    /// The sender's own id.
    pub id: String,
    /// What became of it.
    pub status: Status,
}

/// What became of one event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    /// It is stored and queued.
    Accepted,
    /// It was accepted before; nothing has happened.
    Duplicate,
    /// It was refused; nothing has happened.
    Rejected(Fault),
}

/// A request on its way to a commit.
struct Request {
    employer: EmployerId,
    offered: Vec<Offered>,
    answer: oneshot::Sender<domain::Outcome<Vec<ItemResult>>>,
}

/// The door of the committers. Cheap to clone.
#[derive(Clone)]
pub struct Intake {
    requests: mpsc::Sender<Request>,
    menus: Arc<menu::Menus>,
}

/// What committers work with.
#[derive(Clone)]
pub(crate) struct Committer {
    db: Db,
    clock: Clock,
    ids: Ids,
    wakes: Wakes,
    metrics: Metrics,
    menus: Arc<menu::Menus>,
}

impl Intake {
    /// Starts the committers; they end when the last clone of the intake is gone and everything that was waiting is committed.
    pub fn start(jobs: &jobs::Context, tasks: &TaskTracker) -> Self {
        let (requests, waiting) = mpsc::channel(WAITING_MAX);
        let waiting = Arc::new(Mutex::new(waiting));
        let menus: Arc<menu::Menus> = Arc::default();
        let committer = Committer {
            db: jobs.db.clone(),
            clock: jobs.clock.clone(),
            ids: jobs.ids.clone(),
            wakes: jobs.wakes.clone(),
            metrics: jobs.metrics.clone(),
            menus: Arc::clone(&menus),
        };
        // On PostgreSQL a second group is put together while the first one's commit waits for the disk; SQLite has one writer.
        let committers = if jobs.db.kind() == Kind::Postgres { 2 } else { 1 };
        for _ in 0..committers {
            let (committer, waiting) = (committer.clone(), Arc::clone(&waiting));
            tasks.spawn(async move { committer.run(&waiting).await });
        }
        Self { requests, menus }
    }

    /// The menu of an employer, by which its events are judged; none: there is no such employer.
    pub async fn menu(
        &self,
        connection: &impl ConnectionTrait,
        employer: EmployerId,
    ) -> Result<Option<Arc<Menu>>, DbErr> {
        Ok(self
            .menus
            .load(connection, vec![employer])
            .await?
            .remove(&employer))
    }

    /// Offers events of one employer and waits until what was accepted of them is durable. The results are in the order of the
    /// candidates.
    pub async fn offer(
        &self,
        employer: EmployerId,
        candidates: Vec<Candidate>,
    ) -> domain::Outcome<Vec<ItemResult>> {
        let (answer, answered) = oneshot::channel();
        let request = Request {
            employer,
            // Here, where callers do not wait for each other.
            offered: candidates.into_iter().map(Offered::new).collect(),
            answer,
        };
        match tokio::time::timeout(PLACE_WITHIN, self.requests.send(request)).await {
            Ok(Ok(())) => answered.await.unwrap_or(Err(domain::Error::Busy)),
            Ok(Err(_)) | Err(_) => Err(domain::Error::Busy),
        }
    }
}

impl Committer {
    async fn run(&self, waiting: &Mutex<mpsc::Receiver<Request>>) {
        loop {
            let mut group = Vec::new();
            {
                let mut waiting = waiting.lock().await;
                let Some(first) = waiting.recv().await else { return };
                let mut events = first.offered.len();
                group.push(first);
                while events < GROUP_MAX
                    && let Ok(next) = waiting.try_recv()
                {
                    events += next.offered.len();
                    group.push(next);
                }
            }
            self.commit_group(group).await;
        }
    }
}
