//! The names in a page of a feed: of incentives, programs and rewards, read once for all who are shown the page.

use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;
use std::sync::{Arc, OnceLock};

use entity::db::Db;
use entity::feed::{Entry, Subject};
use entity::id::{EmployerId, IncentiveId, ProgramId, RewardId};
use entity::{incentive, program, reward};
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use sea_orm::DbErr;

/// What the entries of one page name. Each noun is read by one statement, when the first of the listeners asks for it; the others wait
/// for that one. What could not be read is nothing here: whoever asks then looks for itself, and is told what is wrong.
pub struct Names {
    db: Db,
    entries: Arc<[Entry]>,
    incentives: Once<IncentiveId, incentive::Model>,
    programs: Once<ProgramId, program::Model>,
    rewards: Once<RewardId, reward::Model>,
}

/// A thing that entries name by an id.
pub trait Named<K> {
    /// The thing.
    type Value;

    /// The thing of this id, where an entry of the page names it.
    fn named(&self, key: &K) -> impl Future<Output = Option<Self::Value>> + Send;
}

impl Names {
    /// The names in these entries, of which none is read yet.
    pub fn new(db: Db, entries: Arc<[Entry]>) -> Self {
        Self {
            db,
            entries,
            incentives: Once::default(),
            programs: Once::default(),
            rewards: Once::default(),
        }
    }
}

type Key<I> = (EmployerId, I);
type Found<I, M> = Option<Arc<HashMap<Key<I>, M>>>;

/// A statement that is run once, by a task of its own: a listener that stops listening, or is slow, holds up nobody who waits for it too.
struct Once<I, M>(OnceLock<Shared<BoxFuture<'static, Found<I, M>>>>);

impl<I, M> Default for Once<I, M> {
    fn default() -> Self {
        Self(OnceLock::new())
    }
}

impl<I, M> Once<I, M>
where
    I: Copy + Eq + Hash + Send + Sync + 'static,
    M: Clone + Send + Sync + 'static,
{
    async fn find<F>(&self, key: &Key<I>, read: impl FnOnce() -> F) -> Option<M>
    where
        F: Future<Output = Result<HashMap<Key<I>, M>, DbErr>> + Send + 'static,
    {
        let reading = self.0.get_or_init(|| {
            let task = tokio::spawn(read());
            let found = async move {
                let found = task.await.ok()?;
                let found = found
                    .inspect_err(|error| tracing::debug!(error = %error, "names of a feed were not read"));
                found.ok().map(Arc::new)
            };
            found.boxed().shared()
        });
        reading.clone().await?.get(key).cloned()
    }
}

macro_rules! names {
    ($key:ty => $module:ident, $once:ident, $subject:ident, $id:ident) => {
        impl Named<(EmployerId, $key)> for Names {
            type Value = $module::Model;

            async fn named(&self, key: &(EmployerId, $key)) -> Option<Self::Value> {
                let read = || {
                    let (db, entries) = (self.db.clone(), Arc::clone(&self.entries));
                    async move {
                        let keys: BTreeSet<_> = entries
                            .iter()
                            .filter_map(|entry| match &entry.subject {
                                Subject::$subject(told) => Some((entry.employer_id, told.$id)),
                                _ => None,
                            })
                            .collect();
                        let keys: Vec<_> = keys.into_iter().collect();
                        let rows = $module::list_by_ids(db.read(), &keys).await?;
                        Ok(rows
                            .into_iter()
                            .map(|row| ((row.employer_id, row.id), row))
                            .collect())
                    }
                };
                self.$once.find(key, read).await
            }
        }
    };
}

names!(IncentiveId => incentive, incentives, Achievement, incentive_id);
names!(ProgramId => program, programs, Achievement, program_id);
names!(RewardId => reward, rewards, Redemption, reward_id);
