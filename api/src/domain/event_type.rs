//! Event types: what an employer adds to its stock menu.

use entity::employer;
use entity::event_type::{self, Model};
use serde_json::Value;

use super::audit::{Change, What};
use super::{Fault, FaultCode, Outcome, require_none, tenant};
use crate::app::App;
use crate::auth::access;
use crate::auth::viewer::Permit;
use crate::{intake, validate};

/// Event types an employer may have: a menu, not a log of every button; all of them are kept in memory.
const PER_EMPLOYER: u64 = 500;
/// The longest `maxLate`, in seconds: 400 days, what progress is kept for.
const MAX_LATE_MAX: i64 = 400 * 86_400;
/// The longest `maxFuture`, in seconds: a day covers any clock set to the wrong zone.
const MAX_FUTURE_MAX: i64 = 86_400;
/// The longest retention, in seconds: ten years.
const RETENTION_MAX: i64 = 3_653 * 86_400;

/// A new event type.
#[derive(Debug)]
pub struct Create {
    /// The key of the employer.
    pub employer: Option<String>,
    /// Its key.
    pub key: String,
    /// Its name.
    pub name: String,
    /// What it means.
    pub description: Option<String>,
    /// JSON Schema of its properties.
    pub properties_schema: Option<Value>,
    /// Whether it is health data or the like.
    pub sensitive: bool,
    /// In seconds.
    pub max_late: i64,
    /// In seconds.
    pub max_future: i64,
    /// In seconds.
    pub retention: i64,
}

/// Adds an event type to the employer's menu.
pub async fn create(app: &App, permit: Permit<access::CreateEventType>, input: Create) -> Outcome<Model> {
    require_none(check(&input))?;
    let txn = Change::begin(app, &permit).await?;
    let employer = tenant::resolve(&*txn, permit.viewer(), input.employer.as_deref()).await?;
    if event_type::count(&*txn, employer.id).await? >= PER_EMPLOYER {
        return Err(Fault::new(
            FaultCode::TooMany,
            &[],
            format!("an employer has at most {PER_EMPLOYER} event types"),
        )
        .into());
    }
    let event_type = model(app, &employer, input);
    if !event_type::insert(&*txn, event_type.clone()).await? {
        return Err(Fault::new(
            FaultCode::KeyTaken,
            &["key"],
            "the employer has an event type of this key",
        )
        .into());
    }
    employer::touch_catalogue(&*txn, employer.id).await?;
    txn.commit(app, Some(&employer), What::made(&event_type)).await?;
    Ok(event_type)
}

fn check(input: &Create) -> Vec<Fault> {
    let mut faults = Vec::new();
    validate::key(&["key"], &input.key, &mut faults);
    validate::name(&["name"], &input.name, &mut faults);
    validate::description(&["description"], input.description.as_deref(), &mut faults);
    for (path, seconds, max) in [
        ("maxLate", input.max_late, MAX_LATE_MAX),
        ("maxFuture", input.max_future, MAX_FUTURE_MAX),
        ("retention", input.retention, RETENTION_MAX),
    ] {
        if !(0..=max).contains(&seconds) {
            faults.push(Fault::invalid(
                &[path],
                format!("from 0 to {} days", max / 86_400),
            ));
        }
    }
    if input.sensitive && input.retention > 0 {
        faults.push(Fault::invalid(
            &["retention"],
            "a sensitive event type keeps no properties after evaluation",
        ));
    }
    if let Some(schema) = &input.properties_schema
        && let Err(message) = intake::check_schema(schema)
    {
        faults.push(Fault::invalid(&["propertiesSchema"], message));
    }
    faults
}

fn model(app: &App, employer: &employer::Model, input: Create) -> Model {
    Model {
        employer_id: employer.id,
        id: app.ids.next(),
        key: input.key,
        name: input.name,
        description: input.description,
        properties_schema: input.properties_schema,
        sensitive: input.sensitive,
        max_late_seconds: input.max_late,
        max_future_seconds: input.max_future,
        retention_seconds: input.retention,
        created_at: employer.now(app.clock.now()).into(),
    }
}
