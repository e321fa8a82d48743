//! Boosts and levels of programs.

use async_graphql::{Context, InputObject, Object, SimpleObject};
use jobs::rules::levels;

use super::incentive::ConditionInput;
use crate::auth::access;
use crate::auth::guard::Requires;
use crate::domain;
use crate::graphql::error::{ApiError, UserError, settle};
use crate::graphql::object::Program;
use crate::graphql::object::boost::Boost;
use crate::graphql::object::incentive::Window;
use crate::graphql::object::level::LevelScheme;
use crate::graphql::scalar::{BigInt, Date, Decimal};
use crate::graphql::{app, permit};

/// A new boost.
#[derive(InputObject)]
pub struct CreateBoostInput {
    /// The key of the employer; the token's own unless given. The operator must give it.
    employer: Option<String>,
    /// The key of the program.
    program: String,
    /// Its short name, of the form of an employer's key; unique within the program.
    key: String,
    /// Its name for people, 1 to 200 characters.
    name: String,
    /// By how much points are multiplied: more than 0, at most 100, with at most 6 decimal places. Where several boosts apply, and the
    /// outcome has a multiplier of its own, all of them are multiplied; the product is at most 100.
    multiplier: Decimal,
    /// Which points; all unless given.
    category: Option<String>,
    /// The first day of the program on which it applies.
    starts_on: Date,
    /// The last one.
    ends_on: Date,
    /// Conditions that must all hold, at most 20. Points of an award, and not of a single event, know no properties: a boost that asks
    /// for one does not apply to them.
    r#where: Option<Vec<ConditionInput>>,
}

impl From<CreateBoostInput> for domain::boost::Create {
    fn from(input: CreateBoostInput) -> Self {
        let conditions = input.r#where.unwrap_or_default();
        Self {
            employer: input.employer,
            program: input.program,
            key: input.key,
            name: input.name,
            multiplier: input.multiplier.0,
            category: input.category,
            starts_on: input.starts_on.0,
            ends_on: input.ends_on.0,
            conditions: conditions.into_iter().map(ConditionInput::definition).collect(),
        }
    }
}

/// A boost, by its key.
#[derive(InputObject)]
pub struct EndBoostInput {
    /// The key of the employer; the token's own unless given. The operator must give it.
    employer: Option<String>,
    /// The key of the program.
    program: String,
    /// The key of the boost.
    key: String,
}

/// What came of `createBoost` or `endBoost`.
#[derive(SimpleObject)]
pub struct BoostPayload {
    /// The boost as it is now.
    boost: Option<Boost>,
    /// What the caller can mend.
    user_errors: Vec<UserError>,
}

impl BoostPayload {
    fn of(outcome: domain::Outcome<entity::boost::Model>) -> Result<Self, ApiError> {
        let (made, user_errors) = settle(outcome)?;
        Ok(Self {
            boost: made.map(Boost::from),
            user_errors,
        })
    }
}

/// The levels that a program is to have in place of those it has.
#[derive(InputObject)]
pub struct SetLevelsInput {
    /// The key of the employer; the token's own unless given. The operator must give it.
    employer: Option<String>,
    /// The key of the program.
    program: String,
    /// By which kind of points.
    #[graphql(default_with = "Some(\"points\".to_owned())")]
    category: Option<String>,
    /// Where points are counted anew: `MONTH`, `QUARTER`, `YEAR` or `EVER`.
    window: Window,
    /// Whether a level is lost that is not reached again in the window after. If not, the highest that was ever reached stays.
    #[graphql(default_with = "Some(true)")]
    may_fall: Option<bool>,
    /// The levels, the lowest first: at most 20, each with its own key and with more points than the one before. An empty list takes the
    /// program's levels away.
    levels: Vec<LevelInput>,
}

/// A level of a program.
#[derive(InputObject)]
pub struct LevelInput {
    /// Its name for programs, of the form of an employer's key.
    key: String,
    /// Its name for people, 1 to 200 characters.
    name: String,
    /// How many points it takes, at least 1.
    at_least: BigInt,
}

impl From<SetLevelsInput> for domain::level::Set {
    fn from(input: SetLevelsInput) -> Self {
        let level = |level: LevelInput| levels::Level {
            key: level.key,
            name: level.name,
            at_least: level.at_least.0,
        };
        Self {
            employer: input.employer,
            program: input.program,
            category: input.category.unwrap_or_else(|| "points".to_owned()),
            levels: levels::Levels {
                window: input.window.into(),
                may_fall: input.may_fall.unwrap_or(true),
                levels: input.levels.into_iter().map(level).collect(),
            },
        }
    }
}

/// What came of `setLevels`.
#[derive(SimpleObject)]
pub struct SetLevelsPayload {
    /// The program.
    program: Option<Program>,
    /// Its levels as they are now; null: it has none.
    levels: Option<LevelScheme>,
    /// What the caller can mend.
    user_errors: Vec<UserError>,
}

/// Boosts and levels of programs.
#[derive(Default)]
pub struct BoostMutation;

/// Boosts and levels of programs.
#[Object]
impl BoostMutation {
    /// Creates a boost: on its days a program gives more points. What was earned before it was created stays as it is.
    /// Scope: `programs:write` or `operator`.
    #[graphql(guard = "Requires::<access::CreateBoost>::new()")]
    async fn create_boost(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The boost.")] input: CreateBoostInput,
    ) -> Result<BoostPayload, ApiError> {
        BoostPayload::of(domain::boost::create(app(context)?, permit(context)?, input.into()).await)
    }

    /// Ends a boost before its last day: nothing that is recorded from now on is multiplied by it. What was earned by it stays.
    /// Scope: `programs:write` or `operator`.
    #[graphql(guard = "Requires::<access::EndBoost>::new()")]
    async fn end_boost(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The boost.")] input: EndBoostInput,
    ) -> Result<BoostPayload, ApiError> {
        let (employer, program) = (input.employer.as_deref(), &input.program);
        BoostPayload::of(
            domain::boost::end(app(context)?, permit(context)?, employer, program, &input.key).await,
        )
    }

    /// Sets the levels of a program in place of those it has, for what was earned before as well: a level is never stored, but found from
    /// the points at the instant of asking. Scope: `programs:write` or `operator`.
    #[graphql(guard = "Requires::<access::SetLevels>::new()")]
    async fn set_levels(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The program, and its levels.")] input: SetLevelsInput,
    ) -> Result<SetLevelsPayload, ApiError> {
        let (set, user_errors) =
            settle(domain::level::set(app(context)?, permit(context)?, input.into()).await)?;
        let (program, levels) = set.unzip();
        Ok(SetLevelsPayload {
            program: program.map(Program),
            levels: levels.flatten().map(LevelScheme::read).transpose()?,
            user_errors,
        })
    }
}
