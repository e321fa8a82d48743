//! Programs.

use async_graphql::{Context, Enum, ID, Object};
use entity::{incentive, program};

use super::Incentive;
use crate::auth::access;
use crate::auth::guard::Requires;
use crate::graphql::error::ApiError;
use crate::graphql::scalar::{Date, DateTime, TimeZone, stored_zone};
use crate::graphql::{app, permit};

/// Where a program stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "program::ProgramState")]
pub enum ProgramState {
    /// Being put together: nothing is evaluated, and events of that time are not kept for it.
    Draft,
    /// Events are evaluated, within its dates.
    Active,
    /// Nothing is evaluated: its events wait until it is resumed.
    Paused,
    /// Over: events that happened before its end still count when they arrive late, later ones do not.
    Ended,
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

    /// When it was activated; null: never.
    async fn activated_at(&self) -> Option<DateTime> {
        self.0.activated_at.map(Into::into)
    }

    /// Its incentives, by key. Scope: `programs:read` or `operator`.
    #[graphql(guard = "Requires::<access::ListIncentives>::new()")]
    async fn incentives(&self, context: &Context<'_>) -> Result<Vec<Incentive>, ApiError> {
        permit::<access::ListIncentives>(context)?;
        let rows = incentive::list_of_program(app(context)?.db.read(), self.0.employer_id, self.0.id).await?;
        Ok(rows.into_iter().map(Incentive).collect())
    }
}
