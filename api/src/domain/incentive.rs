//! Incentives and their versions.

mod basis;

use chrono::{DateTime, Utc};
use entity::incentive::{self, Model, Version};
use entity::{campaign, employer, event_type, program, reward};
use jobs::outcome::{self, Outcome as AwardOutcome};
use jobs::rules::definition::Definition;
use jobs::rules::{self, Incentive};
use sea_orm::ConnectionTrait;
use serde_json::Value;

use super::audit::{Change, Edition, What};
use super::{Error, Fault, FaultCode, Outcome, require_none, tenant};
use crate::app::App;
use crate::auth::access;
use crate::auth::viewer::{Permit, Viewer};
use crate::validate;
use basis::Basis;

/// Incentives an employer may have: all of them are kept in memory.
const PER_EMPLOYER: u64 = 5_000;
/// Versions an incentive may have: all of them are kept in memory, as late events are judged by old ones.
const VERSIONS_MAX: i32 = 100;

/// What a version asks, and what follows from it.
#[derive(Debug)]
pub struct Rule {
    /// What it asks.
    pub definition: Definition,
    /// What follows from an award.
    pub outcomes: Vec<AwardOutcome>,
}

/// A new incentive.
#[derive(Debug)]
pub struct Create {
    /// The key of the employer.
    pub employer: Option<String>,
    /// The key of the program.
    pub program: String,
    /// Its key.
    pub key: String,
    /// Its name.
    pub name: String,
    /// What it is about.
    pub description: Option<String>,
    /// The rule.
    pub rule: Rule,
}

/// A new version of an incentive.
#[derive(Debug)]
pub struct Publish {
    /// The key of the employer.
    pub employer: Option<String>,
    /// The key of the incentive.
    pub incentive: String,
    /// A new name.
    pub name: Option<String>,
    /// A new description; `Some(None)` empties it.
    pub description: Option<Option<String>>,
    /// The rule, whole.
    pub rule: Rule,
    /// In force from then on; none: from now on.
    pub effective_from: Option<DateTime<Utc>>,
    /// Whether members start anew.
    pub restarts: bool,
}

/// A rule that was checked against the employer's menu, as it is stored.
struct Checked {
    event_types: Value,
    definition: Value,
    outcomes: Value,
    /// Whether an event type it names is sensitive, or an incentive it is earned by.
    sensitive: bool,
}

/// An incentive that was checked in all respects but whether its key is free, with its first version.
pub(super) struct Draft {
    /// The employer.
    pub employer: employer::Model,
    /// The program.
    pub program: program::Model,
    /// The incentive.
    pub incentive: Model,
    /// Its first version, in force from ever: the dates of its program bound it.
    pub first: Version,
}

/// Creates an incentive with its first version.
pub async fn create(app: &App, permit: Permit<access::CreateIncentive>, input: Create) -> Outcome<Model> {
    check_form(&input)?;
    let txn = Change::begin(app, &permit).await?;
    let draft = draft(app, &*txn, permit.viewer(), input).await?;
    let (employer, incentive, first) = (draft.employer, draft.incentive, draft.first);
    if incentive::count(&*txn, employer.id).await? >= PER_EMPLOYER {
        return Err(Fault::new(
            FaultCode::TooMany,
            &[],
            format!("an employer has at most {PER_EMPLOYER} incentives"),
        )
        .into());
    }
    if !incentive::insert(&*txn, incentive.clone(), first.clone()).await? {
        return Err(Fault::new(
            FaultCode::KeyTaken,
            &["key"],
            "the employer has an incentive of this key",
        )
        .into());
    }
    employer::touch_catalogue(&*txn, employer.id).await?;
    let what = What::made(&Edition(&incentive, &first));
    txn.commit(app, Some(&employer), what).await?;
    Ok(incentive)
}

/// Checks what can be checked of a new incentive without a look at anything else.
pub(super) fn check_form(input: &Create) -> Outcome<()> {
    let mut faults = Vec::new();
    validate::key(&["key"], &input.key, &mut faults);
    check_words(&input.name, input.description.as_deref(), &mut faults);
    check_outcomes(&input.rule.outcomes, &mut faults);
    require_none(faults)
}

/// Checks the rest of a new incentive and makes it ready to be stored.
pub(super) async fn draft(
    app: &App,
    connection: &impl ConnectionTrait,
    viewer: &Viewer,
    input: Create,
) -> Outcome<Draft> {
    let employer = tenant::resolve(connection, viewer, input.employer.as_deref()).await?;
    let now = employer.now(app.clock.now());
    let unknown = || Fault::not_found(&["program"], "the employer has no program of this key");
    let program = program::find_by_key(connection, employer.id, &input.program)
        .await?
        .ok_or_else(unknown)?;
    require_open(&program)?;
    let rule = checked(connection, &employer, None, now, input.rule).await?;
    let incentive = Model {
        employer_id: employer.id,
        id: app.ids.next(),
        program_id: program.id,
        key: input.key,
        name: input.name,
        description: input.description,
        sensitive: rule.sensitive,
        created_at: now.into(),
        retired_at: None,
    };
    let first = Version {
        incentive_id: incentive.id,
        version: 1,
        event_types: rule.event_types,
        definition: rule.definition,
        outcomes: rule.outcomes,
        effective_from: None,
        restarts: false,
        published_at: now.into(),
    };
    Ok(Draft {
        employer,
        program,
        incentive,
        first,
    })
}

/// Publishes a new version of an incentive; returns the incentive with the number of the version.
pub async fn publish(
    app: &App,
    permit: Permit<access::PublishIncentive>,
    input: Publish,
) -> Outcome<(Model, i32)> {
    let mut faults = Vec::new();
    check_outcomes(&input.rule.outcomes, &mut faults);
    require_none(faults)?;
    let txn = Change::begin(app, &permit).await?;
    let (employer, incentive) = take(
        &*txn,
        permit.viewer(),
        input.employer.as_deref(),
        &input.incentive,
    )
    .await?;
    let program = program::find(&*txn, employer.id, incentive.program_id)
        .await?
        .ok_or(Error::Internal("an incentive without a program"))?;
    require_open(&program)?;
    let now = employer.now(app.clock.now());
    let name = input.name.unwrap_or_else(|| incentive.name.clone());
    let description = input.description.unwrap_or_else(|| incentive.description.clone());
    let mut faults = Vec::new();
    check_words(&name, description.as_deref(), &mut faults);
    let newest = incentive::latest_version(&*txn, employer.id, incentive.id)
        .await?
        .ok_or(Error::Internal("an incentive without a version"))?;
    if newest.version >= VERSIONS_MAX {
        let message = format!("an incentive has at most {VERSIONS_MAX} versions");
        return Err(Fault::new(FaultCode::TooMany, &[], message).into());
    }
    let effective_from = input.effective_from.unwrap_or(now);
    if effective_from < now {
        faults.push(Fault::invalid(&["effectiveFrom"], "in the past"));
    } else if newest
        .effective_from
        .is_some_and(|before| effective_from <= before.instant())
    {
        faults.push(Fault::invalid(
            &["effectiveFrom"],
            "not after the version before comes into force",
        ));
    }
    if !input.restarts
        && let Ok(old) = Definition::parse(&newest.definition)
        && let Err(message) = rules::keeps_progress(&old, &input.rule.definition)
    {
        faults.push(Fault::invalid(&["progress"], message));
    }
    require_none(faults)?;
    let rule = checked(&*txn, &employer, Some(&incentive), now, input.rule).await?;
    let version = Version {
        incentive_id: incentive.id,
        version: newest.version.saturating_add(1),
        event_types: rule.event_types,
        definition: rule.definition,
        outcomes: rule.outcomes,
        effective_from: Some(effective_from.into()),
        restarts: input.restarts,
        published_at: now.into(),
    };
    // What was sensitive once stays so: achievements of older versions are shown by it.
    let before = incentive.clone();
    let incentive = Model {
        name,
        description,
        sensitive: incentive.sensitive || rule.sensitive,
        ..incentive
    };
    let number = version.version;
    let what = What::changed(&Edition(&before, &newest), &Edition(&incentive, &version));
    if !incentive::insert_version(&*txn, employer.id, version).await? {
        return Err(Error::Internal("a version is there already"));
    }
    incentive::update(&*txn, &incentive).await?;
    txn.commit(app, Some(&employer), what).await?;
    Ok((incentive, number))
}

/// Retires an incentive, for good. What happened before still counts when it arrives late.
pub async fn retire(
    app: &App,
    permit: Permit<access::RetireIncentive>,
    employer: Option<&str>,
    key: &str,
) -> Outcome<Model> {
    let txn = Change::begin(app, &permit).await?;
    let (employer, incentive) = take(&*txn, permit.viewer(), employer, key).await?;
    let now = employer.now(app.clock.now()).into();
    incentive::retire(&*txn, employer.id, incentive.id, now).await?;
    let retired = Model {
        retired_at: Some(now),
        ..incentive.clone()
    };
    txn.commit(app, Some(&employer), What::changed(&incentive, &retired))
        .await?;
    Ok(retired)
}

/// The employer and its incentive of this key, for a change of what is not retired: the catalogue's new version comes first, and its
/// row keeps whoever else would change this employer's incentives waiting until this transaction has ended.
async fn take(
    connection: &impl ConnectionTrait,
    viewer: &Viewer,
    employer: Option<&str>,
    key: &str,
) -> Outcome<(employer::Model, Model)> {
    let employer = tenant::resolve(connection, viewer, employer).await?;
    employer::touch_catalogue(connection, employer.id).await?;
    let unknown = || Fault::not_found(&["incentive"], "the employer has no incentive of this key");
    let incentive = incentive::find_by_key(connection, employer.id, key)
        .await?
        .ok_or_else(unknown)?;
    if incentive.retired_at.is_some() {
        return Err(Fault::new(
            FaultCode::InvalidState,
            &["incentive"],
            "the incentive is retired, for good",
        )
        .into());
    }
    Ok((employer, incentive))
}

/// In a program that has ended nothing new can be earned.
fn require_open(program: &program::Model) -> Outcome<()> {
    if program.state() == program::ProgramState::Ended {
        let message = "the program has ended, for good";
        return Err(Fault::new(FaultCode::InvalidState, &["program"], message).into());
    }
    Ok(())
}

/// Checks a rule of `own`, or of a new incentive, against the employer's menu and its other incentives, and makes it ready to be stored.
async fn checked(
    connection: &impl ConnectionTrait,
    employer: &employer::Model,
    own: Option<&Model>,
    now: DateTime<Utc>,
    rule: Rule,
) -> Outcome<Checked> {
    let menu = event_type::list(connection, employer.id).await?;
    let find = |key: &str| menu.iter().find(|event_type| event_type.key == key);
    let basis = Basis::read(connection, employer, own, &rule.definition, now).await?;
    let schema = |key: &str| find(key).map(|item| item.properties_schema.clone().unwrap_or(Value::Null));
    let faults = rule.definition.check(&schema, &|key| basis.has(key));
    let mut faults: Vec<Fault> = faults.into_iter().map(Fault::from).collect();
    faults.extend(basis.circles(own, &rule.definition));
    let outcome_faults = outcome::check(&rule.outcomes, &rule.definition, &schema);
    faults.extend(outcome_faults.into_iter().map(Fault::from));
    faults.extend(unknown_rewards(connection, employer, &rule.outcomes).await?);
    faults.extend(unknown_campaigns(connection, employer, &rule.outcomes).await?);
    require_none(faults)?;
    let compiled = Incentive::compile(&rule.definition)
        .map_err(|faults| Error::Refused(faults.into_iter().map(Fault::from).collect()))?;
    let event_types: Vec<&str> = compiled.event_types();
    let refunds = rule.outcomes.iter().filter_map(|outcome| match outcome {
        AwardOutcome::Points(points) => points.refund.as_ref().map(|refund| refund.event_type.as_str()),
        AwardOutcome::Achievement(_) | AwardOutcome::Reward(_) | AwardOutcome::Message(_) => None,
    });
    let unwritable = |_| Error::Internal("a definition could not be written");
    Ok(Checked {
        event_types: serde_json::to_value(&event_types).map_err(unwritable)?,
        definition: serde_json::to_value(&rule.definition).map_err(unwritable)?,
        outcomes: serde_json::to_value(&rule.outcomes).map_err(unwritable)?,
        sensitive: basis.is_sensitive(&rule.definition)
            || event_types
                .iter()
                .copied()
                .chain(refunds)
                .any(|key| find(key).is_some_and(|event_type| event_type.sensitive)),
    })
}

fn check_words(name: &str, description: Option<&str>, faults: &mut Vec<Fault>) {
    validate::name(&["name"], name, faults);
    validate::description(&["description"], description, faults);
}

/// Checks the texts of outcomes; the rest is looked at with the rule that they follow from.
fn check_outcomes(outcomes: &[AwardOutcome], faults: &mut Vec<Fault>) {
    for (place, outcome) in outcomes.iter().enumerate() {
        let place = place.to_string();
        match outcome {
            AwardOutcome::Achievement(outcome) => {
                let at = |field: &'static str| ["outcomes", place.as_str(), "achievement", field];
                validate::name(&at("title"), &outcome.title, faults);
                let description = outcome.description.as_deref();
                validate::description(&at("description"), description, faults);
            }
            AwardOutcome::Reward(outcome) => {
                validate::key(&["outcomes", &place, "reward", "reward"], &outcome.reward, faults);
            }
            AwardOutcome::Message(outcome) => {
                validate::key(
                    &["outcomes", &place, "message", "campaign"],
                    &outcome.campaign,
                    faults,
                );
            }
            AwardOutcome::Points(_) => {}
        }
    }
    if outcomes.is_empty() {
        faults.push(Fault::invalid(&["outcomes"], "an incentive has an outcome"));
    }
}

/// A fault for each reward that the employer does not have.
async fn unknown_rewards(
    connection: &impl ConnectionTrait,
    employer: &employer::Model,
    outcomes: &[AwardOutcome],
) -> Outcome<Vec<Fault>> {
    let mut faults = Vec::new();
    for (place, outcome) in outcomes.iter().enumerate() {
        if let AwardOutcome::Reward(outcome) = outcome
            && reward::find_by_key(connection, employer.id, &outcome.reward)
                .await?
                .is_none()
        {
            let path = ["outcomes", &place.to_string(), "reward", "reward"];
            let message = "the employer has no reward of this key";
            faults.push(Fault::not_found(&path, message));
        }
    }
    Ok(faults)
}

/// A fault for each campaign that the employer does not have, or that is over.
async fn unknown_campaigns(
    connection: &impl ConnectionTrait,
    employer: &employer::Model,
    outcomes: &[AwardOutcome],
) -> Outcome<Vec<Fault>> {
    let mut faults = Vec::new();
    for (place, outcome) in outcomes.iter().enumerate() {
        let AwardOutcome::Message(outcome) = outcome else {
            continue;
        };
        let known = campaign::find_by_key(connection, employer.id, &outcome.campaign).await?;
        if known.is_none_or(|known| known.archived_at.is_some()) {
            let path = ["outcomes", &place.to_string(), "message", "campaign"];
            let message = "the employer has no campaign of this key that is not archived";
            faults.push(Fault::not_found(&path, message));
        }
    }
    Ok(faults)
}
