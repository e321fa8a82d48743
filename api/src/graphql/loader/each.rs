//! What is counted or listed of each node of a page, read for all of them at once. What is not found of a node is nothing or none of it.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use async_graphql::dataloader::Loader;
use entity::achievement::Tally;
use entity::db::Db;
use entity::id::{CampaignId, EmployerId, IncentiveId, PartnerId, ProgramId, RewardId, WebhookEndpointId};
use entity::message::read::Standing;
use entity::{achievement, boost, delivery, event_type, incentive, level, message, program, redemption};
use sea_orm::DbErr;

use super::Nouns;

/// How the messages of a campaign stand, and of how many members they are.
#[derive(Debug, Clone, Default)]
pub struct Messages {
    /// By where they stand.
    pub standing: Vec<Standing>,
    /// How many members they are of.
    pub members: i64,
}

macro_rules! each {
    ($($(#[$doc:meta])* $name:ident: $key:ty => $value:ty, $read:ident;)*) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
            pub struct $name(pub $key);

            impl Loader<$name> for Nouns {
                type Value = $value;
                type Error = Arc<DbErr>;

                async fn load(&self, keys: &[$name]) -> Result<HashMap<$name, $value>, Self::Error> {
                    let wanted: Vec<_> = keys.iter().map(|key| key.0).collect();
                    let found = $read(&self.db, &wanted).await.map_err(Arc::new)?;
                    Ok(found.into_iter().map(|(key, value)| ($name(key), value)).collect())
                }
            }
        )*
    };
}

each! {
    /// The newest version of an incentive.
    LatestVersion: (EmployerId, IncentiveId) => incentive::Version, latest_versions;
    /// Every version of an incentive, oldest first.
    Versions: (EmployerId, IncentiveId) => Vec<incentive::Version>, versions;
    /// What was achieved for an incentive.
    Achieved: (EmployerId, IncentiveId) => Tally, achieved;
    /// The incentives of a program, by key.
    Incentives: (EmployerId, ProgramId) => Vec<incentive::Model>, incentives;
    /// The boosts of a program, in the order of their making.
    Boosts: (EmployerId, ProgramId) => Vec<boost::Model>, boosts;
    /// The levels of a program.
    Levels: (EmployerId, ProgramId) => level::Model, levels;
    /// How many of a reward members have or are to get.
    Redeemed: (EmployerId, RewardId) => i64, redeemed;
    /// How the messages of a campaign stand.
    MessagesOf: (EmployerId, CampaignId) => Messages, messages;
    /// How many deliveries an endpoint has not taken yet.
    Pending: (PartnerId, WebhookEndpointId) => i64, pending;
    /// The event types of an employer, by key.
    EventTypes: EmployerId => Vec<event_type::Model>, event_types;
    /// The programs of an employer, by key.
    Programs: EmployerId => Vec<program::Model>, programs;
}

type Of<I> = (EmployerId, I);

/// With the employer's id of each thing that is known by its own.
fn with_employer<I: Copy + Eq + Hash, V>(
    wanted: &[Of<I>],
    found: impl IntoIterator<Item = (I, V)>,
) -> Vec<(Of<I>, V)> {
    let employers: HashMap<I, EmployerId> = wanted.iter().map(|(employer, id)| (*id, *employer)).collect();
    let keyed = |(id, value)| Some(((*employers.get(&id)?, id), value));
    found.into_iter().filter_map(keyed).collect()
}

/// What belongs together under its owner, in the order in which it comes.
fn grouped<K: Eq + Hash, V>(found: impl IntoIterator<Item = (K, V)>) -> HashMap<K, Vec<V>> {
    let mut groups = HashMap::<K, Vec<V>>::new();
    for (key, value) in found {
        groups.entry(key).or_default().push(value);
    }
    groups
}

async fn latest_versions(
    db: &Db,
    wanted: &[Of<IncentiveId>],
) -> Result<Vec<(Of<IncentiveId>, incentive::Version)>, DbErr> {
    let rows = incentive::latest_versions(db.read(), wanted).await?;
    Ok(with_employer(
        wanted,
        rows.into_iter().map(|row| (row.incentive_id, row)),
    ))
}

async fn versions(
    db: &Db,
    wanted: &[Of<IncentiveId>],
) -> Result<Vec<(Of<IncentiveId>, Vec<incentive::Version>)>, DbErr> {
    let rows = incentive::list_versions_of_each(db.read(), wanted).await?;
    Ok(with_employer(
        wanted,
        grouped(rows.into_iter().map(|row| (row.incentive_id, row))),
    ))
}

async fn achieved(db: &Db, wanted: &[Of<IncentiveId>]) -> Result<Vec<(Of<IncentiveId>, Tally)>, DbErr> {
    let rows = achievement::tally(db.read(), wanted).await?;
    Ok(with_employer(
        wanted,
        rows.into_iter().map(|row| (row.incentive_id, row)),
    ))
}

async fn incentives(
    db: &Db,
    wanted: &[Of<ProgramId>],
) -> Result<HashMap<Of<ProgramId>, Vec<incentive::Model>>, DbErr> {
    let rows = incentive::list_of_programs(db.read(), wanted).await?;
    Ok(grouped(
        rows.into_iter()
            .map(|row| ((row.employer_id, row.program_id), row)),
    ))
}

async fn boosts(
    db: &Db,
    wanted: &[Of<ProgramId>],
) -> Result<HashMap<Of<ProgramId>, Vec<boost::Model>>, DbErr> {
    let rows = boost::list_of_programs(db.read(), wanted).await?;
    Ok(grouped(
        rows.into_iter()
            .map(|row| ((row.employer_id, row.program_id), row)),
    ))
}

async fn levels(db: &Db, wanted: &[Of<ProgramId>]) -> Result<Vec<(Of<ProgramId>, level::Model)>, DbErr> {
    let rows = level::list_of_programs(db.read(), wanted).await?;
    Ok(rows
        .into_iter()
        .map(|row| ((row.employer_id, row.program_id), row))
        .collect())
}

async fn redeemed(db: &Db, wanted: &[Of<RewardId>]) -> Result<Vec<(Of<RewardId>, i64)>, DbErr> {
    let counts = redemption::counts_of_rewards(db.read(), wanted).await?;
    Ok(with_employer(wanted, counts))
}

async fn messages(db: &Db, wanted: &[Of<CampaignId>]) -> Result<Vec<(Of<CampaignId>, Messages)>, DbErr> {
    let mut standing = grouped(message::read::standing(db.read(), wanted).await?);
    let members: HashMap<_, _> = message::read::count_members(db.read(), wanted)
        .await?
        .into_iter()
        .collect();
    let of = |key: &Of<CampaignId>| Messages {
        standing: standing.remove(&key.1).unwrap_or_default(),
        members: members.get(&key.1).copied().unwrap_or(0),
    };
    let keys = wanted.iter().copied();
    Ok(keys.clone().zip(wanted.iter().map(of)).collect())
}

async fn pending(
    db: &Db,
    wanted: &[(PartnerId, WebhookEndpointId)],
) -> Result<Vec<((PartnerId, WebhookEndpointId), i64)>, DbErr> {
    delivery::read::count_pending(db.read(), wanted).await
}

async fn event_types(
    db: &Db,
    wanted: &[EmployerId],
) -> Result<HashMap<EmployerId, Vec<event_type::Model>>, DbErr> {
    let rows = event_type::list_of_employers(db.read(), wanted).await?;
    Ok(grouped(rows.into_iter().map(|row| (row.employer_id, row))))
}

async fn programs(db: &Db, wanted: &[EmployerId]) -> Result<HashMap<EmployerId, Vec<program::Model>>, DbErr> {
    let rows = program::list_of_employers(db.read(), wanted).await?;
    Ok(grouped(rows.into_iter().map(|row| (row.employer_id, row))))
}
