//! The inputs of incentives, and their translation.

mod outcome;
mod structure;

use async_graphql::{InputObject, MaybeUndefined, OneofObject};
use jobs::rules::definition::{Definition, LimitDefinition};

use crate::domain::Fault;
use crate::domain::incentive::{Create, Publish, Rule};
use crate::graphql::mutation::given;
use crate::graphql::object::incentive::{ProgressPolicy, Window};
use crate::graphql::scalar::DateTime;
use outcome::OutcomeInput;
pub use structure::ConditionInput;
pub use structure::TriggerInput;
use structure::{StructureInput, triggers};

/// A new incentive.
#[derive(InputObject)]
pub struct CreateIncentiveInput {
    /// The key of the employer; the token's own unless given. The operator must give it.
    employer: Option<String>,
    /// The key of the program.
    program: String,
    /// Its short name, of the form of an employer's key; unique within the employer.
    key: String,
    /// Its name for people, 1 to 200 characters.
    name: String,
    /// What it is about, at most 2,000 characters.
    description: Option<String>,
    /// Which events count. Required, but for `sequence`, which has its triggers in its steps, and `achievements`, which has none.
    trigger: Option<TriggerInput>,
    /// What has to be done with them.
    structure: StructureInput,
    /// How often one member is awarded; once unless given.
    limit: Option<LimitInput>,
    /// What stops it for a member, at most 20 triggers: nothing that happens at the instant of such an event or later counts, and
    /// what was earned by it goes by the outcome's policy, also when the event arrives late.
    unless: Option<Vec<TriggerInput>>,
    /// What follows from an award, 1 to 10 outcomes.
    outcomes: Vec<OutcomeInput>,
}

/// A new version of an incentive. The rule is given whole: what is left out of it is not taken from the version before.
#[derive(InputObject)]
pub struct PublishIncentiveInput {
    /// The key of the employer; the token's own unless given. The operator must give it.
    employer: Option<String>,
    /// The key of the incentive.
    incentive: String,
    /// A new name for people, 1 to 200 characters; the incentive keeps its name unless given.
    name: Option<String>,
    /// A new description, at most 2,000 characters; it stays when left out, and `null` empties it.
    description: MaybeUndefined<String>,
    /// Which events count. Required, but for `sequence`, which has its triggers in its steps, and `achievements`, which has none.
    trigger: Option<TriggerInput>,
    /// What has to be done with them.
    structure: StructureInput,
    /// How often one member is awarded; once unless given.
    limit: Option<LimitInput>,
    /// What stops it for a member, at most 20 triggers: nothing that happens at the instant of such an event or later counts, and
    /// what was earned by it goes by the outcome's policy, also when the event arrives late.
    unless: Option<Vec<TriggerInput>>,
    /// What follows from an award, 1 to 10 outcomes.
    outcomes: Vec<OutcomeInput>,
    /// Events that occur from then on are judged by this version; from now on unless given. Not in the past, and after the version
    /// before came into force.
    effective_from: Option<DateTime>,
    /// What becomes of what members have done so far.
    #[graphql(default_with = "Some(ProgressPolicy::Keep)")]
    progress: Option<ProgressPolicy>,
}

/// An incentive that is to end.
#[derive(InputObject)]
pub struct RetireIncentiveInput {
    /// The key of the employer; the token's own unless given. The operator must give it.
    pub employer: Option<String>,
    /// The key of the incentive.
    pub incentive: String,
}

/// How often one member is awarded.
#[derive(OneofObject)]
pub enum LimitInput {
    /// `true`: once, for good.
    Once(bool),
    /// At most so many times, for good; 1 to 1,000,000.
    AtMost(i32),
    /// Once in each such window; `PROGRAM` and `EVER` are one window, so that is once.
    OncePer(Window),
    /// `true`: every time.
    Unlimited(bool),
}

impl CreateIncentiveInput {
    /// The operation's input; a fault where a choice was made by `false`.
    pub fn create(self) -> Result<Create, Fault> {
        Ok(Create {
            rule: rule(
                self.trigger,
                self.structure,
                self.limit,
                self.unless,
                self.outcomes,
            )?,
            employer: self.employer,
            program: self.program,
            key: self.key,
            name: self.name,
            description: self.description,
        })
    }
}

impl PublishIncentiveInput {
    /// The operation's input; a fault where a choice was made by `false`.
    pub fn publish(self) -> Result<Publish, Fault> {
        Ok(Publish {
            rule: rule(
                self.trigger,
                self.structure,
                self.limit,
                self.unless,
                self.outcomes,
            )?,
            employer: self.employer,
            incentive: self.incentive,
            name: self.name,
            description: given(self.description),
            effective_from: self.effective_from.map(|instant| instant.0),
            restarts: self.progress == Some(ProgressPolicy::Restart),
        })
    }
}

/// The rule that both inputs state.
fn rule(
    trigger: Option<TriggerInput>,
    structure: StructureInput,
    limit: Option<LimitInput>,
    unless: Option<Vec<TriggerInput>>,
    outcomes: Vec<OutcomeInput>,
) -> Result<Rule, Fault> {
    let definition = Definition {
        trigger: trigger.map(TriggerInput::definition),
        structure: structure.definition()?,
        limit: limit.map_or(Ok(LimitDefinition::Once), LimitInput::definition)?,
        unless: triggers(unless.unwrap_or_default()),
    };
    let outcomes = outcomes.into_iter().map(OutcomeInput::outcome).collect();
    Ok(Rule { definition, outcomes })
}

impl LimitInput {
    fn definition(self) -> Result<LimitDefinition, Fault> {
        match self {
            Self::Once(true) => Ok(LimitDefinition::Once),
            Self::Once(false) => Err(only_true(&["limit", "once"])),
            Self::AtMost(times) => Ok(LimitDefinition::AtMost(times)),
            Self::OncePer(window) => Ok(LimitDefinition::OncePer(window.into())),
            Self::Unlimited(true) => Ok(LimitDefinition::Unlimited),
            Self::Unlimited(false) => Err(only_true(&["limit", "unlimited"])),
        }
    }
}

fn only_true(path: &[&str]) -> Fault {
    Fault::invalid(path, "only `true` is a choice")
}
