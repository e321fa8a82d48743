//! Achievements, as a member, an administrator or a partner sees them.

use std::sync::Arc;

use async_graphql::{Context, Enum, ID, Object, SimpleObject};
use chrono::NaiveDate;
use entity::achievement;
use entity::clock::Timestamp;
use entity::feed::ToldAchievement;
use entity::id::{AchievementId, EmployerId, IncentiveId, MemberId, ProgramId};
use jobs::record::Reason;
use jobs::why::Why;

use super::{Incentive, Member, Program};
use crate::domain::achievement::sees_sensitive;
use crate::domain::feed::names::Names;
use crate::graphql::error::ApiError;
use crate::graphql::loader::{load, name};
use crate::graphql::scalar::{Date, DateTime, Decimal, TimeZone, stored_zone};
use crate::graphql::viewer;

/// Whether an achievement stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "achievement::AchievementStatus")]
pub enum AchievementStatus {
    /// It stands.
    Earned,
    /// It was taken back.
    Revoked,
}

/// Why an achievement was taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "Reason")]
pub enum RevocationReason {
    /// An event that it rested on was retracted.
    EventRetracted,
    /// An event of the incentive's `unless` had stopped it for the member before it was reached.
    Stopped,
    /// An achievement that it rested on was taken back.
    BasisRevoked,
}

/// Why something was earned. Evaluating exactly these events again earns it again.
#[derive(SimpleObject)]
pub struct Explanation {
    /// The version of the incentive that has judged.
    incentive_version: i32,
    /// The events that contributed, by local date.
    events: Vec<ContributingEvent>,
    /// The same in a sentence, for people. Not for programs: it may change.
    text: String,
}

/// An event that contributed.
#[derive(SimpleObject)]
pub struct ContributingEvent {
    /// The sender's own id; null where only the date is kept: of sensitive incentives, and of what is long past.
    id: Option<ID>,
    /// Where it came from; null where the id is.
    source: Option<String>,
    /// The local date it counted for: the day of the program.
    local_date: Date,
    /// The zone by which that date was found.
    time_zone: TimeZone,
    /// How much of it this award rests on: of a `total` that part of its value, in the unit of the property; otherwise the number of
    /// events, which is 1 where the id is known. Null where nothing but the date is kept.
    amount: Option<Decimal>,
}

impl From<Why> for Explanation {
    fn from(why: Why) -> Self {
        let events = why.events.into_iter().map(|event| ContributingEvent {
            amount: match event.amount {
                Some(amount) => amount.parse().ok().map(Decimal),
                None => event.id.is_some().then_some(Decimal(rust_decimal::Decimal::ONE)),
            },
            id: event.id.map(ID),
            source: event.source,
            local_date: Date(event.local_date),
            time_zone: stored_zone(&event.time_zone),
        });
        Self {
            incentive_version: why.version,
            events: events.collect(),
            text: why.text,
        }
    }
}

/// For whose eyes an achievement is.
enum Seen {
    /// The member, the mobile backend or an administrator.
    ByEmployer(Box<Told>),
    /// A partner, who knows the member by its own name only.
    ByPartner {
        member_ref: String,
        /// What it names, where it is shown to many at once.
        names: Option<Arc<Names>>,
    },
}

/// What is no business of a partner.
struct Told {
    member_id: MemberId,
    sensitive: bool,
    why: Option<String>,
    revocation_reason: Option<String>,
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
    revoked_at: Option<Timestamp>,
    ordinal: i32,
}

impl Achievement {
    /// For whoever may see the member.
    pub fn of_employer(row: achievement::Model) -> Self {
        Self {
            seen: Seen::ByEmployer(Box::new(Told {
                member_id: row.member_id,
                sensitive: row.sensitive,
                why: row.why,
                revocation_reason: row.revocation_reason,
            })),
            employer_id: row.employer_id,
            id: row.id,
            incentive_id: row.incentive_id,
            program_id: row.program_id,
            title: row.title,
            earned_on: row.earned_on,
            recorded_at: row.recorded_at,
            status: row.status,
            revoked_at: row.revoked_at,
            ordinal: row.ordinal,
        }
    }

    /// For the partner in whose feed it is, by its name of the member.
    pub fn of_partner(employer_id: EmployerId, member_ref: &str, told: &ToldAchievement) -> Self {
        Self {
            seen: Seen::ByPartner {
                member_ref: member_ref.to_owned(),
                names: None,
            },
            employer_id,
            id: told.id,
            incentive_id: told.incentive_id,
            program_id: told.program_id,
            title: told.title.clone(),
            earned_on: told.earned_on,
            recorded_at: told.earned_at,
            status: told.status,
            revoked_at: told.revoked_at,
            ordinal: told.ordinal,
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

    fn names(&self) -> Option<&Names> {
        match &self.seen {
            Seen::ByPartner { names, .. } => names.as_deref(),
            Seen::ByEmployer(_) => None,
        }
    }
}

/// What a member has achieved, exactly once.
#[Object]
impl Achievement {
    /// Its global id: to a partner its own pairwise id, that no other partner shares.
    pub async fn id(&self) -> ID {
        self.id.to_string().into()
    }

    /// What it was earned for.
    async fn incentive(&self, context: &Context<'_>) -> Result<Incentive, ApiError> {
        let found = name(context, self.names(), (self.employer_id, self.incentive_id)).await?;
        found
            .map(Incentive)
            .ok_or(ApiError::Internal("an achievement without its incentive"))
    }

    /// The program it was earned in.
    async fn program(&self, context: &Context<'_>) -> Result<Program, ApiError> {
        let found = name(context, self.names(), (self.employer_id, self.program_id)).await?;
        found
            .map(Program)
            .ok_or(ApiError::Internal("an achievement without its program"))
    }

    /// Who earned it, for whoever may see the member; null to a partner, and in an entry of a feed.
    async fn member(&self, context: &Context<'_>) -> Result<Option<Member>, ApiError> {
        match &self.seen {
            Seen::ByPartner { .. } => Ok(None),
            Seen::ByEmployer(told) => {
                let found = load(context, (self.employer_id, told.member_id)).await?;
                Ok(found.map(Member))
            }
        }
    }

    /// Who earned it: to a partner its own pairwise id for the member, that no other partner shares; to others the member's id, and in
    /// `memberActivity` the member's external id, or `erased`.
    async fn member_ref(&self) -> String {
        match &self.seen {
            Seen::ByPartner { member_ref, .. } => member_ref.clone(),
            Seen::ByEmployer(told) => told.member_id.to_string(),
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

    /// When it was taken back; null while it stands.
    async fn revoked_at(&self) -> Option<DateTime> {
        self.revoked_at.map(Into::into)
    }

    /// Why it was taken back; null while it stands, to a partner, and in an entry of a feed.
    async fn revocation_reason(&self) -> Option<RevocationReason> {
        let stored = match &self.seen {
            Seen::ByPartner { .. } => None,
            Seen::ByEmployer(told) => told.revocation_reason.as_deref(),
        };
        stored.and_then(Reason::from_text).map(Into::into)
    }

    /// Counts 1, 2, 3 inside the window of the incentive's limit.
    async fn ordinal(&self) -> i32 {
        self.ordinal
    }

    /// Why it was earned, to the member itself and to the mobile backend, which acts for it; to an administrator only of what is not
    /// sensitive. Null to a partner, in an entry of a feed, and of a member who was erased.
    async fn why(&self, context: &Context<'_>) -> Result<Option<Explanation>, ApiError> {
        let Seen::ByEmployer(told) = &self.seen else {
            return Ok(None);
        };
        if told.sensitive && !sees_sensitive(&*viewer(context)?) {
            return Ok(None);
        }
        Ok(told.why.as_deref().and_then(Why::read).map(Explanation::from))
    }
}
