//! Programs.

use async_graphql::connection::Connection;
use async_graphql::{Context, Enum, ID, Object, SimpleObject};
use entity::program;

use super::boost::Boost;
use super::level::LevelScheme;
use super::{Incentive, Reward};
use crate::auth::access;
use crate::auth::guard::Requires;
use crate::domain;
use crate::graphql::connection::{Arguments, Cursor, connection};
use crate::graphql::error::ApiError;
use crate::graphql::loader::each::{Boosts, Incentives, Levels};
use crate::graphql::loader::load;
use crate::graphql::scalar::{BigInt, Date, DateTime, TimeZone, stored_zone};
use crate::graphql::{app, permit};

/// Where a program stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "program::ProgramState")]
pub enum ProgramState {
    /// Being put together: nothing is evaluated, and events of that time are not kept for it.
    Draft,
    /// Events are evaluated, within its dates.
    Active,
    /// Events are accepted and held; nothing is evaluated until the program goes on or ends.
    Paused,
    /// Over, for good. What happened before it ended still counts when it arrives late.
    Ended,
}

/// How many awards a program may make, of all its incentives and members together.
#[derive(SimpleObject)]
pub struct ProgramBudget {
    /// How many there may be.
    limit: BigInt,
    /// How many there are: those that stand.
    spent: BigInt,
    /// How many there still may be.
    remaining: BigInt,
}

/// A program: what an employer runs incentives in.
pub struct Program(pub program::Model);

/// A program: what an employer runs incentives in.
#[Object]
impl Program {
    /// Its global id.
    pub async fn id(&self) -> ID {
        self.0.id.to_string().into()
    }

    /// Its short name, unique within the employer.
    async fn key(&self) -> &str {
        &self.0.key
    }

    /// Its name for people.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// The first day, in the local date of the event, on which an event counts; null: from ever.
    async fn starts_on(&self) -> Option<Date> {
        self.0.starts_on.map(Date)
    }

    /// The last day, in the local date of the event, on which an event counts; null: for ever.
    async fn ends_on(&self) -> Option<Date> {
        self.0.ends_on.map(Date)
    }

    /// The zone of the program's own dates; null: the employer's.
    async fn time_zone(&self) -> Option<TimeZone> {
        self.0.time_zone.as_deref().map(stored_zone)
    }

    /// The local time, `HH:MM`, at which a day of this program starts: what happens before belongs to the day before.
    async fn day_starts_at(&self) -> String {
        self.0.day_starts_at().format("%H:%M").to_string()
    }

    /// Where it stands.
    async fn state(&self) -> ProgramState {
        self.0.state().into()
    }

    /// When it was created.
    async fn created_at(&self) -> DateTime {
        self.0.created_at.into()
    }

    /// When it was activated first; null: never.
    async fn activated_at(&self) -> Option<DateTime> {
        self.0.activated_at.map(Into::into)
    }

    /// Since when it is paused; null: it is not.
    async fn paused_at(&self) -> Option<DateTime> {
        self.0.paused_at.map(Into::into)
    }

    /// When it ended; null: it has not.
    async fn ended_at(&self) -> Option<DateTime> {
        self.0.ended_at.map(Into::into)
    }

    /// How many awards it may make; null: any number.
    async fn budget(&self) -> Option<ProgramBudget> {
        self.0.budget.map(|limit| ProgramBudget {
            limit: BigInt(limit),
            spent: BigInt(self.0.budget_spent),
            remaining: BigInt(limit.saturating_sub(self.0.budget_spent).max(0)),
        })
    }

    /// Its incentives, by key. Scope: `programs:read` or `operator`.
    #[graphql(guard = "Requires::<access::ListIncentives>::new()")]
    async fn incentives(&self, context: &Context<'_>) -> Result<Vec<Incentive>, ApiError> {
        permit::<access::ListIncentives>(context)?;
        let rows = load(context, Incentives((self.0.employer_id, self.0.id))).await?;
        Ok(rows.into_iter().flatten().map(Incentive).collect())
    }

    /// Its rewards, retired ones too, in the order of their making.
    /// Scope: `programs:read`, `member:self`, `member:any` or `operator`.
    #[graphql(guard = "Requires::<access::ListRewards>::new()")]
    async fn rewards(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "At most so many, 1 to 100; 20 unless given.")] first: Option<i32>,
        #[graphql(desc = "Only those after this cursor.")] after: Option<String>,
    ) -> Result<Connection<Cursor, Reward>, ApiError> {
        let page = Arguments::forward(first, after).page()?;
        let program = (self.0.employer_id, self.0.id);
        let slice = domain::reward::list(app(context)?, permit(context)?, program, page).await?;
        Ok(connection(slice, |row| row.id, Reward))
    }

    /// Its boosts, those that are over too, in the order of their making. Scope: `programs:read` or `operator`.
    #[graphql(guard = "Requires::<access::ListBoosts>::new()")]
    async fn boosts(&self, context: &Context<'_>) -> Result<Vec<Boost>, ApiError> {
        permit::<access::ListBoosts>(context)?;
        let rows = load(context, Boosts((self.0.employer_id, self.0.id))).await?;
        Ok(rows.into_iter().flatten().map(Boost::from).collect())
    }

    /// Its levels; null: it has none. Scope: `programs:read` or `operator`.
    #[graphql(guard = "Requires::<access::ListLevels>::new()")]
    async fn levels(&self, context: &Context<'_>) -> Result<Option<LevelScheme>, ApiError> {
        domain::level::require_shown(&permit(context)?, &self.0)?;
        let found = load(context, Levels((self.0.employer_id, self.0.id))).await?;
        found.map(LevelScheme::read).transpose()
    }
}
