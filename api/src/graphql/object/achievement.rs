//! Achievements, as a member, an administrator or a partner sees them.

use async_graphql::dataloader::DataLoader;
use async_graphql::{Context, Enum, ID, Object};
use chrono::NaiveDate;
use entity::clock::Timestamp;
use entity::id::{AchievementId, EmployerId, IncentiveId, MemberId, ProgramId};
use entity::{achievement, feed};

use super::{Incentive, Member, Program};
use crate::graphql::error::ApiError;
use crate::graphql::loader::Nouns;
use crate::graphql::scalar::{Date, DateTime};

/// Whether an achievement stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "achievement::AchievementStatus")]
pub enum AchievementStatus {
    /// It stands.
    Earned,
    /// It was taken back.
    Revoked,
}

/// For whose eyes an achievement is.
enum Seen {
    /// The member, the mobile backend or an administrator.
    ByEmployer(MemberId),
    /// A partner, who knows the member by its own name only.
    ByPartner { member_ref: String },
}

/// What a member has achieved, exactly once.
pub struct Achievement {
    seen: Seen,
    employer_id: EmployerId,
    id: AchievementId,
    incentive_id: IncentiveId,
    program_id: ProgramId,
    title: String,
    earned_on: NaiveDate,
    recorded_at: Timestamp,
    status: achievement::AchievementStatus,
    ordinal: i32,
}

impl Achievement {
    /// For whoever may see the member.
    pub fn of_employer(row: achievement::Model) -> Self {
        Self {
            seen: Seen::ByEmployer(row.member_id),
            employer_id: row.employer_id,
            id: row.id,
            incentive_id: row.incentive_id,
            program_id: row.program_id,
            title: row.title,
            earned_on: row.earned_on,
            recorded_at: row.recorded_at,
            status: row.status,
            ordinal: row.ordinal,
        }
    }

    /// For the partner in whose feed it is.
    pub fn of_partner(entry: &feed::Entry) -> Self {
        Self {
            seen: Seen::ByPartner {
                member_ref: entry.member_ref.clone(),
            },
            employer_id: entry.employer_id,
            id: entry.achievement_id,
            incentive_id: entry.incentive_id,
            program_id: entry.program_id,
            title: entry.title.clone(),
            earned_on: entry.earned_on,
            recorded_at: entry.recorded_at,
            status: entry.status,
            ordinal: entry.ordinal,
        }
    }
}

/// What a member has achieved, exactly once.
#[Object]
impl Achievement {
    /// Its global id.
    pub async fn id(&self) -> ID {
        self.id.to_string().into()
    }

    /// What it was earned for.
    async fn incentive(&self, context: &Context<'_>) -> Result<Incentive, ApiError> {
        let found = load(context, (self.employer_id, self.incentive_id)).await?;
        found
            .map(Incentive)
            .ok_or(ApiError::Internal("an achievement without its incentive"))
    }

    /// The program it was earned in.
    async fn program(&self, context: &Context<'_>) -> Result<Program, ApiError> {
        let found = load(context, (self.employer_id, self.program_id)).await?;
        found
            .map(Program)
            .ok_or(ApiError::Internal("an achievement without its program"))
    }

    /// Who earned it, for whoever may see the member; null to a partner.
    async fn member(&self, context: &Context<'_>) -> Result<Option<Member>, ApiError> {
        match self.seen {
            Seen::ByPartner { .. } => Ok(None),
            Seen::ByEmployer(member) => Ok(load(context, (self.employer_id, member)).await?.map(Member)),
        }
    }

    /// Who earned it: to a partner its own pairwise id for the member, that no other partner shares; to others the member's id.
    async fn member_ref(&self) -> String {
        match &self.seen {
            Seen::ByPartner { member_ref } => member_ref.clone(),
            Seen::ByEmployer(member) => member.to_string(),
        }
    }

    /// What the member is congratulated on.
    async fn title(&self) -> &str {
        &self.title
    }

    /// The local date on which it was reached, as known when it was recorded.
    async fn earned_on(&self) -> Date {
        Date(self.earned_on)
    }

    /// When it became known.
    async fn recorded_at(&self) -> DateTime {
        self.recorded_at.into()
    }

    /// Whether it stands.
    async fn status(&self) -> AchievementStatus {
        self.status.into()
    }

    /// Counts 1, 2, 3 inside the window of the incentive's limit.
    async fn ordinal(&self) -> i32 {
        self.ordinal
    }
}

async fn load<K>(
    context: &Context<'_>,
    key: K,
) -> Result<Option<<Nouns as async_graphql::dataloader::Loader<K>>::Value>, ApiError>
where
    K: Send + Sync + std::hash::Hash + Eq + Clone + 'static,
    Nouns: async_graphql::dataloader::Loader<K, Error = std::sync::Arc<sea_orm::DbErr>>,
{
    let missing = ApiError::Internal("a request without its loaders");
    let loader = context.data_opt::<DataLoader<Nouns>>().ok_or(missing)?;
    loader.load_one(key).await.map_err(|error| {
        tracing::error!(error = %error, "a loader failed");
        ApiError::Internal("a loader failed")
    })
}
