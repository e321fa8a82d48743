//! Incentives.

use entity::incentive::{self, Model, Version};
use entity::{employer, event_type, program};
use jobs::outcome::{AchievementOutcome, Outcome as AwardOutcome};
use jobs::rules::Incentive;
use jobs::rules::definition::Definition;
use serde_json::Value;

use super::{Error, Fault, FaultCode, Outcome, require_none, tenant};
use crate::app::App;
use crate::auth::access;
use crate::auth::viewer::Permit;
use crate::validate;

/// Incentives an employer may have: all of them are kept in memory.
const PER_EMPLOYER: u64 = 5_000;

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
    pub definition: Definition,
    /// What follows from an award.
    pub outcomes: Vec<AchievementOutcome>,
}

/// Creates an incentive with its first version, in force from ever: the dates of its program bound it.
pub async fn create(app: &App, permit: Permit<access::CreateIncentive>, input: Create) -> Outcome<Model> {
    require_none(check(&input))?;
    let now = app.clock.now().into();
    let txn = app.db.write_txn().await?;
    let employer = tenant::resolve(&*txn, permit.viewer(), input.employer.as_deref()).await?;
    let unknown = || Fault::not_found(&["program"], "the employer has no program of this key");
    let program = program::find_by_key(&*txn, employer.id, &input.program)
        .await?
        .ok_or_else(unknown)?;
    let menu = event_type::list(&*txn, employer.id).await?;
    let find = |key: &str| menu.iter().find(|event_type| event_type.key == key);
    let faults = input
        .definition
        .check(&|key| find(key).map(|item| item.properties_schema.clone().unwrap_or(Value::Null)));
    require_none(faults.into_iter().map(fault).collect())?;
    if incentive::count(&*txn, employer.id).await? >= PER_EMPLOYER {
        return Err(Fault::new(
            FaultCode::TooMany,
            &[],
            format!("an employer has at most {PER_EMPLOYER} incentives"),
        )
        .into());
    }
    let compiled = Incentive::compile(&input.definition)
        .map_err(|faults| Error::Refused(faults.into_iter().map(fault).collect()))?;
    let event_types: Vec<&str> = compiled.event_types();
    let incentive = Model {
        employer_id: employer.id,
        id: app.ids.next(),
        program_id: program.id,
        key: input.key,
        name: input.name,
        description: input.description,
        sensitive: event_types
            .iter()
            .any(|key| find(key).is_some_and(|event_type| event_type.sensitive)),
        created_at: now,
        retired_at: None,
    };
    let outcomes: Vec<AwardOutcome> = input
        .outcomes
        .into_iter()
        .map(AwardOutcome::Achievement)
        .collect();
    let unwritable = |_| Error::Internal("a definition could not be written");
    let first = Version {
        incentive_id: incentive.id,
        version: 1,
        event_types: serde_json::to_value(&event_types).map_err(unwritable)?,
        definition: serde_json::to_value(&input.definition).map_err(unwritable)?,
        outcomes: serde_json::to_value(&outcomes).map_err(unwritable)?,
        effective_from: None,
        published_at: now,
        restarts: false,
    };
    if !incentive::insert(&*txn, incentive.clone(), first).await? {
        return Err(Fault::new(
            FaultCode::KeyTaken,
            &["key"],
            "the employer has an incentive of this key",
        )
        .into());
    }
    employer::touch_catalogue(&*txn, employer.id).await?;
    txn.commit().await?;
    Ok(incentive)
}

fn check(input: &Create) -> Vec<Fault> {
    let mut faults = Vec::new();
    validate::key(&["key"], &input.key, &mut faults);
    validate::name(&["name"], &input.name, &mut faults);
    validate::description(&["description"], input.description.as_deref(), &mut faults);
    match input.outcomes.as_slice() {
        [outcome] => {
            validate::name(
                &["outcomes", "0", "achievement", "title"],
                &outcome.title,
                &mut faults,
            );
            let description = outcome.description.as_deref();
            validate::description(
                &["outcomes", "0", "achievement", "description"],
                description,
                &mut faults,
            );
        }
        [] => faults.push(Fault::invalid(&["outcomes"], "an incentive has an outcome")),
        _ => faults.push(Fault::invalid(
            &["outcomes"],
            "an incentive has at most one achievement",
        )),
    }
    faults
}

fn fault(fault: jobs::rules::definition::DefinitionFault) -> Fault {
    Fault {
        code: FaultCode::InvalidInput,
        message: fault.message,
        path: fault.path,
    }
}
