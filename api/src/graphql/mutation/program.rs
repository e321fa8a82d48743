//! Programs: put together, taken into force, paused, ended.

use async_graphql::{Context, InputObject, MaybeUndefined, Object, SimpleObject};
use entity::program::Model;

use crate::auth::access;
use crate::auth::guard::Requires;
use crate::domain;
use crate::graphql::error::{ApiError, UserError, settle};
use crate::graphql::mutation::given;
use crate::graphql::object::Program;
use crate::graphql::scalar::{Date, TimeZone};
use crate::graphql::{app, permit};

/// A new program.
#[derive(InputObject)]
pub struct CreateProgramInput {
    /// The key of the employer; the token's own unless given. The operator must give it.
    employer: Option<String>,
    /// Its short name, of the form of an employer's key; unique within the employer.
    key: String,
    /// Its name for people, 1 to 200 characters.
    name: String,
    /// The first day, in the local date of the event, on which an event counts; from ever unless given.
    starts_on: Option<Date>,
    /// The last day, in the local date of the event, on which an event counts; for ever unless given.
    ends_on: Option<Date>,
    /// The zone of the program's own dates; the employer's unless given.
    time_zone: Option<TimeZone>,
    /// The local time, `HH:MM`, at which a day of this program starts; midnight unless given. What happens before belongs to the day
    /// before.
    day_starts_at: Option<String>,
    /// How many awards of all its incentives together, over all members, from 1 to 1,000,000,000; any number unless given. First
    /// recorded, first served; an award that is revoked gives its place back.
    budget: Option<i32>,
}

impl From<CreateProgramInput> for domain::program::Create {
    fn from(input: CreateProgramInput) -> Self {
        Self {
            employer: input.employer,
            key: input.key,
            name: input.name,
            starts_on: input.starts_on.map(|date| date.0),
            ends_on: input.ends_on.map(|date| date.0),
            time_zone: input.time_zone.map(|zone| zone.0.name().to_owned()),
            day_starts_at: input.day_starts_at,
            budget: input.budget,
        }
    }
}

/// A program, by its key.
#[derive(InputObject)]
pub struct ProgramKeyInput {
    /// The key of the employer; the token's own unless given. The operator must give it.
    pub employer: Option<String>,
    /// The key of the program.
    pub program: String,
}

/// What is to change of a program. What is left out stays as it is.
#[derive(InputObject)]
pub struct UpdateProgramInput {
    /// The key of the employer; the token's own unless given. The operator must give it.
    employer: Option<String>,
    /// The key of the program.
    program: String,
    /// Its name for people, 1 to 200 characters.
    name: Option<String>,
    /// The first day, in the local date of the event, on which an event counts; `null`: from ever. What was earned stays earned.
    starts_on: MaybeUndefined<Date>,
    /// The last day, in the local date of the event, on which an event counts; `null`: for ever. What was earned stays earned.
    ends_on: MaybeUndefined<Date>,
    /// The zone of the program's own dates; `null`: the employer's. Only of a draft.
    time_zone: MaybeUndefined<TimeZone>,
    /// The local time, `HH:MM`, at which a day of this program starts; `null`: midnight. Only of a draft.
    day_starts_at: MaybeUndefined<String>,
    /// How many awards of all its incentives together, from 1, or as many as are spent, to 1,000,000,000; `null`: any number.
    /// A member who was turned away for want of it is made up for at the next event.
    budget: MaybeUndefined<i32>,
}

impl From<UpdateProgramInput> for domain::program::Update {
    fn from(input: UpdateProgramInput) -> Self {
        Self {
            employer: input.employer,
            program: input.program,
            name: input.name,
            starts_on: given(input.starts_on).map(|date| date.map(|date| date.0)),
            ends_on: given(input.ends_on).map(|date| date.map(|date| date.0)),
            time_zone: given(input.time_zone).map(|zone| zone.map(|zone| zone.0.name().to_owned())),
            day_starts_at: given(input.day_starts_at),
            budget: given(input.budget),
        }
    }
}

/// What came of `createProgram`.
#[derive(SimpleObject)]
pub struct CreateProgramPayload {
    /// The program, in `DRAFT`.
    program: Option<Program>,
    /// What the caller can mend.
    user_errors: Vec<UserError>,
}

/// What came of `updateProgram`.
#[derive(SimpleObject)]
pub struct UpdateProgramPayload {
    /// The program as it is now.
    program: Option<Program>,
    /// What the caller can mend.
    user_errors: Vec<UserError>,
}

/// What came of a step of a program from one state to another.
#[derive(SimpleObject)]
pub struct ProgramPayload {
    /// The program as it is now.
    program: Option<Program>,
    /// What the caller can mend.
    user_errors: Vec<UserError>,
}

impl ProgramPayload {
    fn of(outcome: domain::Outcome<Model>) -> Result<Self, ApiError> {
        let (made, user_errors) = settle(outcome)?;
        Ok(Self {
            program: made.map(Program),
            user_errors,
        })
    }
}

/// Programs: put together, taken into force, paused, ended.
#[derive(Default)]
pub struct ProgramMutation;

/// Programs: put together, taken into force, paused, ended.
#[Object]
impl ProgramMutation {
    /// Creates a program, in `DRAFT`. Scope: `programs:write` or `operator`.
    #[graphql(guard = "Requires::<access::CreateProgram>::new()")]
    async fn create_program(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The program.")] input: CreateProgramInput,
    ) -> Result<CreateProgramPayload, ApiError> {
        let (made, user_errors) =
            settle(domain::program::create(app(context)?, permit(context)?, input.into()).await)?;
        Ok(CreateProgramPayload {
            program: made.map(Program),
            user_errors,
        })
    }

    /// Changes a program. Scope: `programs:write` or `operator`.
    #[graphql(guard = "Requires::<access::UpdateProgram>::new()")]
    async fn update_program(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The program, and what is to change.")] input: UpdateProgramInput,
    ) -> Result<UpdateProgramPayload, ApiError> {
        let (made, user_errors) =
            settle(domain::program::update(app(context)?, permit(context)?, input.into()).await)?;
        Ok(UpdateProgramPayload {
            program: made.map(Program),
            user_errors,
        })
    }

    /// Takes a draft into force: events accepted from now on are evaluated, also those that happened before, within the program's
    /// dates. A paused program goes on: the events that were held meanwhile are evaluated, but for those that by now are later than
    /// their type's `maxLate`. Scope: `programs:write` or `operator`.
    #[graphql(guard = "Requires::<access::ActivateProgram>::new()")]
    async fn activate_program(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The program.")] input: ProgramKeyInput,
    ) -> Result<ProgramPayload, ApiError> {
        let (employer, key) = (input.employer.as_deref(), input.program.as_str());
        ProgramPayload::of(domain::program::activate(app(context)?, permit(context)?, employer, key).await)
    }

    /// Pauses a program in force: events are accepted and held, and nothing is evaluated until `activateProgram`.
    /// Scope: `programs:write` or `operator`.
    #[graphql(guard = "Requires::<access::PauseProgram>::new()")]
    async fn pause_program(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The program.")] input: ProgramKeyInput,
    ) -> Result<ProgramPayload, ApiError> {
        let (employer, key) = (input.employer.as_deref(), input.program.as_str());
        ProgramPayload::of(domain::program::pause(app(context)?, permit(context)?, employer, key).await)
    }

    /// Ends a program in force or paused, for good: what happened before still counts when it arrives late, what happens from now on
    /// does not. What a pause has held is evaluated, as by `activateProgram`. Scope: `programs:write` or `operator`.
    #[graphql(guard = "Requires::<access::EndProgram>::new()")]
    async fn end_program(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The program.")] input: ProgramKeyInput,
    ) -> Result<ProgramPayload, ApiError> {
        let (employer, key) = (input.employer.as_deref(), input.program.as_str());
        ProgramPayload::of(domain::program::end(app(context)?, permit(context)?, employer, key).await)
    }
}
