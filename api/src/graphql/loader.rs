//! Loaders: however many nodes of a page ask for their achievement, incentive, program, member or reward, one statement reads them all.

use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::dataloader::Loader;
use entity::db::Db;
use entity::id::{AchievementId, EmployerId, IncentiveId, MemberId, ProgramId, RewardId};
use entity::{achievement, incentive, member, program, reward};
use sea_orm::DbErr;

/// Reads by id, in sets. One a request: what it has read is forgotten with it.
pub struct Nouns {
    /// The database.
    pub db: Db,
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
loads!(IncentiveId => incentive);
loads!(ProgramId => program);
loads!(MemberId => member);
loads!(RewardId => reward);
