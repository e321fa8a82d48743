//! The evaluator as `work` runs it, but in this process: so it is warm when it starts, and what is timed is nothing else.

use std::future::Future;

use entity::clock::Clock;
use entity::db::{Db, Kind};
use entity::id::Ids;
use jobs::wake::Wakes;
use jobs::{Context, evaluate, retract};
use sea_orm::DbErr;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// What is needed to evaluate.
#[derive(Clone)]
pub struct Evaluator {
    pub context: Context,
}

impl Evaluator {
    /// An evaluator on this database by this clock.
    pub fn new(db: &Db, clock: &Clock) -> Self {
        let ids = Ids::system(clock.clone());
        Self {
            context: Context::new(db.clone(), clock.clone(), ids, Wakes::new(false)),
        }
    }

    /// Evaluates all that is due.
    pub async fn evaluate(&self) -> anyhow::Result<()> {
        self.run(|context, shutdown| async move { evaluate::drain(&context, &shutdown).await })
            .await
    }

    /// Applies all retractions that are due.
    pub async fn retract(&self) -> anyhow::Result<()> {
        self.run(|context, shutdown| async move { retract::drain(&context, &shutdown).await })
            .await
    }

    /// Runs a duty with as many workers as Plaudit has.
    async fn run<F>(&self, duty: fn(Context, CancellationToken) -> F) -> anyhow::Result<()>
    where
        F: Future<Output = Result<(), DbErr>> + Send + 'static,
    {
        let workers = if self.context.db.kind() == Kind::Postgres {
            2
        } else {
            1
        };
        let mut duties = JoinSet::new();
        for _ in 0..workers {
            duties.spawn(duty(self.context.clone(), CancellationToken::new()));
        }
        while let Some(done) = duties.join_next().await {
            done??;
        }
        Ok(())
    }
}
