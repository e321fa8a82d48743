//! Incentives.

pub mod outcome;
mod structure;

use async_graphql::{Context, Enum, ID, Object, SimpleObject};
use entity::incentive;
use jobs::rules::definition::{ConditionOp as RuleOp, Definition};

use super::Whole;
use crate::auth::access;
use crate::auth::guard::Requires;
use crate::domain;
use crate::graphql::error::ApiError;
use crate::graphql::loader::each::{Achieved, LatestVersion, Versions};
use crate::graphql::loader::load;
use crate::graphql::permit;
use crate::graphql::scalar::{BigInt, DateTime};
use outcome::Outcome;
pub use structure::{Condition, Trigger};
use structure::{Limit, Structure};

/// How a condition compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "RuleOp")]
pub enum ConditionOp {
    /// Equal; numbers by value.
    Eq,
    /// There, and not equal.
    Ne,
    /// Greater.
    Gt,
    /// Greater or equal.
    Gte,
    /// Less.
    Lt,
    /// Less or equal.
    Lte,
    /// One of a list.
    In,
    /// There, and none of a list.
    NotIn,
    /// There (`true`) or missing (`false`).
    Exists,
    /// A list that contains the value, or a text that contains it.
    Contains,
}

/// A calendar period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "jobs::rules::calendar::Period")]
pub enum Period {
    /// A calendar day.
    Day,
    /// An ISO week, Monday to Sunday.
    Week,
    /// A calendar month.
    Month,
}

/// A window of time in which something is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "jobs::rules::calendar::Window")]
pub enum Window {
    /// A calendar day.
    Day,
    /// An ISO week, Monday to Sunday.
    Week,
    /// A calendar month.
    Month,
    /// A calendar quarter.
    Quarter,
    /// A calendar year.
    Year,
    /// The whole program.
    Program,
    /// All time.
    Ever,
}

/// What becomes of what members have done so far when a new version comes into force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum ProgressPolicy {
    /// Members go on from where they are, by the new settings. The structure must be of the same kind and count the same things.
    Keep,
    /// Members start anew. What they have earned stays.
    Restart,
}

/// How much was achieved for an incentive.
#[derive(SimpleObject)]
pub struct Tally {
    /// How many achievements stand; of an incentive that gives none, how many awards.
    achievement_count: BigInt,
    /// How many different members earned them.
    member_count: BigInt,
}

/// An incentive: what a member has to do, how often it is awarded, and what follows. It keeps its identity over its versions.
pub struct Incentive(pub incentive::Model);

/// An incentive: what a member has to do, how often it is awarded, and what follows. It keeps its identity over its versions.
#[Object]
impl Incentive {
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

    /// What it is about, for people; null: nothing is said.
    async fn description(&self) -> Option<&str> {
        self.0.description.as_deref()
    }

    /// Whether an event type that any version of it names is sensitive: administrators then see counts, never who.
    async fn sensitive(&self) -> bool {
        self.0.sensitive
    }

    /// When it was created.
    async fn created_at(&self) -> DateTime {
        self.0.created_at.into()
    }

    /// Since when it is retired: what happens from then on does not count; null: it is not.
    async fn retired_at(&self) -> Option<DateTime> {
        self.0.retired_at.map(Into::into)
    }

    /// Its newest version, in force or about to be; a version never changes. Null only when what is stored cannot be read.
    /// Scope: `programs:read` or `operator`.
    #[graphql(guard = "Requires::<access::ReadIncentiveVersion>::new()")]
    async fn version(&self, context: &Context<'_>) -> Result<Option<IncentiveVersion>, ApiError> {
        permit::<access::ReadIncentiveVersion>(context)?;
        let version = load(context, LatestVersion((self.0.employer_id, self.0.id))).await?;
        Ok(version.and_then(IncentiveVersion::read))
    }

    /// All its versions, oldest first, at most 100; one that cannot be read is left out. Scope: `programs:read` or `operator`.
    #[graphql(guard = "Requires::<access::ListIncentiveVersions>::new()")]
    async fn versions(&self, context: &Context<'_>) -> Result<Vec<IncentiveVersion>, ApiError> {
        permit::<access::ListIncentiveVersions>(context)?;
        let rows = load(context, Versions((self.0.employer_id, self.0.id))).await?;
        Ok(rows
            .into_iter()
            .flatten()
            .filter_map(IncentiveVersion::read)
            .collect())
    }

    /// How much was achieved. Null for a sensitive incentive that fewer members than the employer's minimum group size have achieved.
    /// Scope: `programs:read`, `reports:read` or `operator`.
    #[graphql(guard = "Requires::<access::ReadIncentiveTally>::new()")]
    async fn tally(&self, context: &Context<'_>) -> Result<Option<Tally>, ApiError> {
        let permit = permit(context)?;
        let counted = load(context, Achieved((self.0.employer_id, self.0.id))).await?;
        let employer = match self.0.sensitive {
            true => load(context, self.0.employer_id).await?,
            false => None,
        };
        let tally = domain::achievement::tally(&permit, &self.0, employer.as_ref(), counted)?;
        Ok(tally.map(|tally| Tally {
            achievement_count: BigInt(tally.achievements),
            member_count: BigInt(tally.members),
        }))
    }
}

/// A version of an incentive; it never changes.
#[derive(SimpleObject)]
pub struct IncentiveVersion {
    /// Counts 1, 2, 3.
    number: i32,
    /// Which events count; null for structures without a trigger.
    trigger: Option<Trigger>,
    /// What has to be done with them.
    structure: Structure,
    /// How often one member is awarded.
    limit: Limit,
    /// What stops it for a member: nothing that happens at the instant of such an event or later counts.
    unless: Vec<Trigger>,
    /// What follows from an award; empty when what is stored cannot be read.
    outcomes: Vec<Whole<Outcome>>,
    /// Events that occur from then on are judged by it, until a newer version is in force; null: from ever.
    effective_from: Option<DateTime>,
    /// What became of what members had done before; null of the first version, before which there is nothing.
    progress: Option<ProgressPolicy>,
    /// When it was published.
    published_at: DateTime,
}

impl IncentiveVersion {
    fn read(row: incentive::Version) -> Option<Self> {
        let definition = Definition::parse(&row.definition).ok()?;
        Some(Self {
            number: row.version,
            trigger: definition.trigger.map(Trigger::from),
            structure: definition.structure.into(),
            limit: definition.limit.into(),
            unless: definition.unless.into_iter().map(Trigger::from).collect(),
            outcomes: jobs::outcome::parse(&row.outcomes)
                .unwrap_or_default()
                .into_iter()
                .map(|outcome| Whole(Outcome::from(outcome)))
                .collect(),
            effective_from: row.effective_from.map(Into::into),
            progress: (row.version > 1).then_some(if row.restarts {
                ProgressPolicy::Restart
            } else {
                ProgressPolicy::Keep
            }),
            published_at: row.published_at.into(),
        })
    }
}
