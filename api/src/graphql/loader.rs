//! Loaders: however many nodes of a page ask for their achievement, incentive, program, member or reward, few statements read them all;
//! and so with what is counted or listed of each of them ([`each`]).

pub mod each;

use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;
use std::sync::Arc;

use async_graphql::Context;
use async_graphql::dataloader::{DataLoader, HashMapCache, Loader};
use entity::db::Db;
use entity::id::{
    AchievementId, CampaignId, EmployerId, EventTypeId, IncentiveId, MemberId, PartnerId, ProgramId, RewardId,
};
use entity::{achievement, campaign, employer, event_type, incentive, member, partner, program, reward};
use sea_orm::DbErr;

use super::error::ApiError;
use crate::domain::feed::names::{Named, Names};

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

/// What a loader of the request finds by a key.
pub async fn load<K>(context: &Context<'_>, key: K) -> Result<Option<<Nouns as Loader<K>>::Value>, ApiError>
where
    K: Send + Sync + Hash + Eq + Clone + 'static,
    Nouns: Loader<K, Error = Arc<DbErr>>,
{
    let missing = ApiError::Internal("a request without its loaders");
    let loader = context.data_opt::<Loaders>().ok_or(missing)?;
    loader.load_one(key).await.map_err(|error| {
        tracing::error!(error = %error, "a loader failed");
        ApiError::Internal("a loader failed")
    })
}

/// What is named by a key: of what is shown to many at once, as it was read for all of them; else as [`load`] finds it.
pub async fn name<K>(
    context: &Context<'_>,
    names: Option<&Names>,
    key: K,
) -> Result<Option<<Nouns as Loader<K>>::Value>, ApiError>
where
    K: Send + Sync + Hash + Eq + Clone + 'static,
    Nouns: Loader<K, Error = Arc<DbErr>>,
    Names: Named<K, Value = <Nouns as Loader<K>>::Value>,
{
    if let Some(names) = names
        && let Some(named) = names.named(&key).await
    {
        return Ok(Some(named));
    }
    load(context, key).await
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
loads!(EventTypeId => event_type);
loads!(IncentiveId => incentive);
loads!(ProgramId => program);
loads!(MemberId => member);
loads!(RewardId => reward);

macro_rules! loads_tenants {
    ($key:ty => $module:ident) => {
        impl Loader<$key> for Nouns {
            type Value = $module::Model;
            type Error = Arc<DbErr>;

            async fn load(&self, keys: &[$key]) -> Result<HashMap<$key, Self::Value>, Self::Error> {
                let rows = $module::list_by_ids(self.db.read(), keys.to_vec())
                    .await
                    .map_err(Arc::new)?;
                Ok(rows.into_iter().map(|row| (row.id, row)).collect())
            }
        }
    };
}

loads_tenants!(EmployerId => employer);
loads_tenants!(PartnerId => partner);
