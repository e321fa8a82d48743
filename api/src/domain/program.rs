//! Programs.

use chrono::NaiveDate;
use entity::employer;
use entity::program::{self, Model, StoredState};

use super::{Error, Fault, FaultCode, Outcome, require_none, tenant};
use crate::app::App;
use crate::auth::access;
use crate::auth::viewer::Permit;
use crate::validate;

/// Programs an employer may have: all of them are kept in memory.
const PER_EMPLOYER: u64 = 1_000;

/// A new program.
#[derive(Debug)]
pub struct Create {
    /// The key of the employer.
    pub employer: Option<String>,
    /// Its key.
    pub key: String,
    /// Its name.
    pub name: String,
    /// The first day on which an event counts.
    pub starts_on: Option<NaiveDate>,
    /// The last day on which an event counts.
    pub ends_on: Option<NaiveDate>,
    /// The IANA zone of its own dates.
    pub time_zone: Option<String>,
    /// When its day starts, `HH:MM`.
    pub day_starts_at: Option<String>,
}

/// Creates a program, as a draft.
pub async fn create(app: &App, permit: Permit<access::CreateProgram>, input: Create) -> Outcome<Model> {
    let mut faults = Vec::new();
    validate::key(&["key"], &input.key, &mut faults);
    validate::name(&["name"], &input.name, &mut faults);
    validate::dates(
        [&["startsOn"], &["endsOn"]],
        input.starts_on,
        input.ends_on,
        &mut faults,
    );
    if let Some(zone) = &input.time_zone {
        validate::zone(&["timeZone"], zone, &mut faults);
    }
    let day_starts_at_minutes = input.day_starts_at.as_ref().map_or(0, |text| {
        validate::time_of_day(&["dayStartsAt"], text, &mut faults)
    });
    require_none(faults)?;
    let txn = app.db.write_txn().await?;
    let employer = tenant::resolve(&*txn, permit.viewer(), input.employer.as_deref()).await?;
    if program::count(&*txn, employer.id).await? >= PER_EMPLOYER {
        return Err(Fault::new(
            FaultCode::TooMany,
            &[],
            format!("an employer has at most {PER_EMPLOYER} programs"),
        )
        .into());
    }
    let program = Model {
        employer_id: employer.id,
        id: app.ids.next(),
        key: input.key,
        name: input.name,
        starts_on: input.starts_on,
        ends_on: input.ends_on,
        time_zone: input.time_zone,
        day_starts_at_minutes,
        stored_state: StoredState::Draft,
        created_at: app.clock.now().into(),
        activated_at: None,
        paused_at: None,
        ended_at: None,
        budget: None,
        budget_spent: 0,
    };
    if !program::insert(&*txn, program.clone()).await? {
        return Err(Fault::new(
            FaultCode::KeyTaken,
            &["key"],
            "the employer has a program of this key",
        )
        .into());
    }
    employer::touch_catalogue(&*txn, employer.id).await?;
    txn.commit().await?;
    Ok(program)
}

/// Takes a draft into force: from now on its events are evaluated.
pub async fn activate(
    app: &App,
    permit: Permit<access::ActivateProgram>,
    employer: Option<&str>,
    key: &str,
) -> Outcome<Model> {
    let now = app.clock.now().into();
    let txn = app.db.write_txn().await?;
    let employer = tenant::resolve(&*txn, permit.viewer(), employer).await?;
    let unknown = || Fault::not_found(&["program"], "the employer has no program of this key");
    let program = program::find_by_key(&*txn, employer.id, key)
        .await?
        .ok_or_else(unknown)?;
    if !program::activate(&*txn, employer.id, program.id, now).await? {
        return Err(Fault::new(
            FaultCode::InvalidState,
            &["program"],
            "the program is active already",
        )
        .into());
    }
    employer::touch_catalogue(&*txn, employer.id).await?;
    txn.commit().await?;
    Ok(Model {
        stored_state: StoredState::Active,
        activated_at: Some(now),
        ..program
    })
}

/// The program of this key; none where the viewer may not see it.
pub async fn find(
    app: &App,
    permit: Permit<access::ReadProgram>,
    employer: Option<&str>,
    key: &str,
) -> Outcome<Option<Model>> {
    let employer = match tenant::resolve(app.db.read(), permit.viewer(), employer).await {
        Ok(employer) => employer,
        Err(Error::Refused(faults)) if faults.iter().all(|fault| fault.code == FaultCode::NotFound) => {
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    Ok(program::find_by_key(app.db.read(), employer.id, key).await?)
}
