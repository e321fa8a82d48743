//! Loaders: however many nodes of a page ask for their achievement, incentive, program, member or reward, few statements read them all.

use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;
use std::sync::Arc;

use async_graphql::dataloader::{DataLoader, HashMapCache, Loader};
use entity::db::Db;
use entity::id::{AchievementId, CampaignId, EmployerId, IncentiveId, MemberId, ProgramId, RewardId};
use entity::{achievement, campaign, incentive, member, program, reward};
use sea_orm::DbErr;

/// Reads by id, in sets. One a request: what it has read is forgotten with it.
pub struct Nouns {
    /// The database.
    pub db: Db,
}

/// The loaders of a request.
pub type Loaders = DataLoader<Nouns, HashMapCache>;

impl Nouns {
    /// Loaders that remember nothing: a mutation may change what an earlier one of the same request has read.
    pub fn loaders(db: Db) -> Loaders {
        let loaders = DataLoader::with_cache(Self { db }, tokio::spawn, HashMapCache::default());
        loaders.enable_all_cache(false);
        loaders
    }
}

/// Reads at once what the nodes of a page are going to ask for, of one type in one statement, and remembers it for the request: only for
/// queries. The library gathers what is asked for within a millisecond, and a page of a hundred takes longer.
pub async fn preload<K>(loaders: &Loaders, keys: BTreeSet<K>) -> Result<(), Arc<DbErr>>
where
    K: Ord + Hash + Eq + Clone + Send + Sync + 'static,
    Nouns: Loader<K, Error = Arc<DbErr>>,
{
    if keys.is_empty() {
        return Ok(());
    }
    let keys: Vec<K> = keys.into_iter().collect();
    let found = loaders.loader().load(&keys).await?;
    loaders.enable_all_cache(true);
    loaders.feed_many(found).await;
    Ok(())
}

macro_rules! loads {
    ($key:ty => $module:ident) => {
        impl Loader<(EmployerId, $key)> for Nouns {
            type Value = $module::Model;
            type Error = Arc<DbErr>;

            async fn load(
                &self,
                keys: &[(EmployerId, $key)],
            ) -> Result<HashMap<(EmployerId, $key), Self::Value>, Self::Error> {
                let rows = $module::list_by_ids(self.db.read(), keys)
                    .await
                    .map_err(Arc::new)?;
                Ok(rows
                    .into_iter()
                    .map(|row| ((row.employer_id, row.id), row))
                    .collect())
            }
        }
    };
}

loads!(AchievementId => achievement);
loads!(CampaignId => campaign);
loads!(IncentiveId => incentive);
loads!(ProgramId => program);
loads!(MemberId => member);
loads!(RewardId => reward);
