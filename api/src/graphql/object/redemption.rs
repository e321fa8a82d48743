//! Redemptions, as a member, an administrator or a partner sees them.

use std::sync::Arc;

use async_graphql::{Context, Enum, ID, Object};
use entity::clock::Timestamp;
use entity::feed::ToldRedemption;
use entity::id::{AchievementId, EmployerId, MemberId, RedemptionId, RewardId};
use entity::redemption::{self, Model};
use entity::{achievement, member, reward};

use super::{Achievement, Member, Reward};
use crate::auth::access;
use crate::auth::viewer::Viewer;
use crate::domain::feed::names::Names;
use crate::graphql::error::ApiError;
use crate::graphql::loader::{load, name};
use crate::graphql::scalar::{BigInt, DateTime};
use crate::graphql::viewer;

/// Where a redemption stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "redemption::RedemptionStatus")]
pub enum RedemptionStatus {
    /// It waits to be fulfilled.
    Held,
    /// The member has it.
    Fulfilled,
    /// It was called off; its points are back in the lots that they came from, and what it took is back in stock.
    Cancelled,
    /// It was not fulfilled in time; its points are back in the lots that they came from, and what it took is back in stock.
    Expired,
}

/// For whose eyes a redemption is.
enum Seen {
    /// The member, the mobile backend or an administrator.
    ByEmployer {
        member_id: MemberId,
        reason: Option<String>,
        achievement_id: Option<AchievementId>,
    },
    /// A partner, who knows the member by its own name only.
    ByPartner {
        member_ref: String,
        /// What it names, where it is shown to many at once.
        names: Option<Arc<Names>>,
    },
}

/// A reward that a member has asked for, or was given.
pub struct Redemption {
    seen: Seen,
    employer_id: EmployerId,
    id: RedemptionId,
    reward_id: RewardId,
    quantity: i64,
    points_spent: i64,
    status: redemption::RedemptionStatus,
    requested_at: Timestamp,
    expires_at: Option<Timestamp>,
    settled_at: Option<Timestamp>,
    reference: Option<String>,
}

impl Redemption {
    /// For whoever asks: a partner sees it as one.
    pub fn of(viewer: &Viewer, row: Model) -> Self {
        let seen = match viewer.partner() {
            Some(_) => Seen::ByPartner {
                member_ref: row.member_ref.unwrap_or_default(),
                names: None,
            },
            None => Seen::ByEmployer {
                member_id: row.member_id,
                reason: row.reason,
                achievement_id: row.achievement_id,
            },
        };
        Self {
            seen,
            employer_id: row.employer_id,
            id: row.id,
            reward_id: row.reward_id,
            quantity: row.quantity,
            points_spent: row.points_spent,
            status: row.status,
            requested_at: row.requested_at,
            expires_at: row.expires_at,
            settled_at: row.settled_at,
            reference: row.reference,
        }
    }

    /// As an entry of a partner's feed tells of it.
    pub fn told(employer_id: EmployerId, member_ref: &str, told: &ToldRedemption) -> Self {
        Self {
            seen: Seen::ByPartner {
                member_ref: member_ref.to_owned(),
                names: None,
            },
            employer_id,
            id: told.id,
            reward_id: told.reward_id,
            quantity: told.quantity,
            points_spent: told.points_spent,
            status: told.status,
            requested_at: told.requested_at,
            expires_at: told.expires_at,
            settled_at: told.settled_at,
            reference: None,
        }
    }

    /// With the names that are read for all who are shown it.
    #[must_use]
    pub fn with_names(mut self, read: Option<Arc<Names>>) -> Self {
        if let Seen::ByPartner { names, .. } = &mut self.seen {
            *names = read;
        }
        self
    }
}

/// A reward that a member has asked for, or was given.
#[Object]
impl Redemption {
    /// Its global id: to a partner its own pairwise id, that no other partner shares.
    pub async fn id(&self) -> ID {
        self.id.to_string().into()
    }

    /// What was asked for, or given.
    async fn reward(&self, context: &Context<'_>) -> Result<Reward, ApiError> {
        let names = match &self.seen {
            Seen::ByPartner { names, .. } => names.as_deref(),
            Seen::ByEmployer { .. } => None,
        };
        let found: Option<reward::Model> = name(context, names, (self.employer_id, self.reward_id)).await?;
        found
            .map(Reward)
            .ok_or(ApiError::Internal("a redemption without its reward"))
    }

    /// How many of it.
    async fn quantity(&self) -> i32 {
        i32::try_from(self.quantity).unwrap_or(i32::MAX)
    }

    /// Points that were spent on all of it together; 0 of what was given.
    async fn points_spent(&self) -> BigInt {
        BigInt(self.points_spent)
    }

    /// Where it stands.
    async fn status(&self) -> RedemptionStatus {
        self.status.into()
    }

    /// When it was asked for, or given.
    async fn requested_at(&self) -> DateTime {
        self.requested_at.into()
    }

    /// From this instant on it can no longer be fulfilled, and expires; null: it waits for ever.
    async fn expires_at(&self) -> Option<DateTime> {
        self.expires_at.map(Into::into)
    }

    /// When it was fulfilled, cancelled or expired; null while it is held.
    async fn settled_at(&self) -> Option<DateTime> {
        self.settled_at.map(Into::into)
    }

    /// The name for it of whoever has fulfilled it; null: none was given. In an entry of a feed always null.
    async fn reference(&self) -> Option<&str> {
        self.reference.as_deref()
    }

    /// Why it was cancelled, for people; null: it was not, to a partner, and in an entry of a feed.
    async fn reason(&self) -> Option<&str> {
        match &self.seen {
            Seen::ByEmployer { reason, .. } => reason.as_deref(),
            Seen::ByPartner { .. } => None,
        }
    }

    /// Whose it is; null to a partner, in an entry of a feed, and to whoever may not read members.
    async fn member(&self, context: &Context<'_>) -> Result<Option<Member>, ApiError> {
        match &self.seen {
            Seen::ByEmployer { member_id, .. } if viewer(context)?.permit::<access::ReadMember>().is_ok() => {
                let found: Option<member::Model> = load(context, (self.employer_id, *member_id)).await?;
                Ok(found.map(Member))
            }
            _ => Ok(None),
        }
    }

    /// Whose it is: to a partner its own pairwise id for the member, that no other partner shares; to others the member's id, and in
    /// `memberActivity` the member's external id, or `erased`.
    async fn member_ref(&self) -> String {
        match &self.seen {
            Seen::ByEmployer { member_id, .. } => member_id.to_string(),
            Seen::ByPartner { member_ref, .. } => member_ref.clone(),
        }
    }

    /// The achievement that gave it; null: the member asked for it, or what gave it is no achievement that can be seen. Null to a
    /// partner, in an entry of a feed, and to whoever may not read achievements.
    async fn achievement(&self, context: &Context<'_>) -> Result<Option<Achievement>, ApiError> {
        let viewer: Arc<Viewer> = viewer(context)?;
        match &self.seen {
            Seen::ByEmployer {
                achievement_id: Some(id),
                ..
            } if viewer.permit::<access::ListAchievements>().is_ok() => {
                let found: Option<achievement::Model> = load(context, (self.employer_id, *id)).await?;
                Ok(found.map(Achievement::of_employer))
            }
            _ => Ok(None),
        }
    }
}
