//! Programs.

use chrono::NaiveDate;
use entity::program::{self, Model, ProgramState, StoredState};
use entity::{employer, event, incentive};
use sea_orm::ConnectionTrait;

use super::audit::{Change, What};
use super::{Error, Fault, FaultCode, Outcome, require_none, tenant};
use crate::app::App;
use crate::auth::access;
use crate::auth::viewer::{Permit, Viewer};
use crate::validate;

/// Programs an employer may have: all of them are kept in memory.
const PER_EMPLOYER: u64 = 1_000;
/// The largest budget: a larger one is none by another name.
const BUDGET_MAX: i64 = 1_000_000_000;
/// Held events refused by one statement.
const REFUSED_AT_ONCE: u64 = 5_000;
/// What is wrong with a budget that awards have used up already.
const LESS_THAN_SPENT: &str = "less than is spent already";

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
    /// How many awards there may be.
    pub budget: Option<i32>,
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
    let budget = input.budget.map(i64::from);
    check_budget(budget, 0, &mut faults);
    require_none(faults)?;
    let txn = Change::begin(app, &permit).await?;
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
        created_at: employer.now(app.clock.now()).into(),
        activated_at: None,
        paused_at: None,
        ended_at: None,
        budget,
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
    txn.commit(app, Some(&employer), What::made(&program)).await?;
    Ok(program)
}

/// What is to change of a program. A field that is left out stays as it is; `Some(None)` empties it.
#[derive(Debug)]
pub struct Update {
    /// The key of the employer.
    pub employer: Option<String>,
    /// Its key.
    pub program: String,
    /// Its name.
    pub name: Option<String>,
    /// The first day on which an event counts.
    pub starts_on: Option<Option<NaiveDate>>,
    /// The last day on which an event counts.
    pub ends_on: Option<Option<NaiveDate>>,
    /// The IANA zone of its own dates.
    pub time_zone: Option<Option<String>>,
    /// When its day starts, `HH:MM`; midnight when emptied.
    pub day_starts_at: Option<Option<String>>,
    /// How many awards there may be.
    pub budget: Option<Option<i32>>,
}

/// Changes a program. Which day an event belongs to is asked of a draft only: later, days that have counted would have to move.
pub async fn update(app: &App, permit: Permit<access::UpdateProgram>, input: Update) -> Outcome<Model> {
    let txn = Change::begin(app, &permit).await?;
    let (owner, program) = take(&*txn, permit.viewer(), input.employer.as_deref(), &input.program).await?;
    // As long as a program has no budget, nobody counts what it spends. The catalogue's new version keeps whoever would give awards
    // without counting them from committing.
    let spent = match (program.budget, input.budget) {
        (None, Some(Some(_))) => {
            Some(program::standing_awards(&*txn, program.employer_id, program.id).await?)
        }
        _ => None,
    };
    let mut faults = Vec::new();
    let day_starts_at_minutes = match &input.day_starts_at {
        None => program.day_starts_at_minutes,
        Some(None) => 0,
        Some(Some(text)) => validate::time_of_day(&["dayStartsAt"], text, &mut faults),
    };
    let changed = Model {
        name: input.name.unwrap_or_else(|| program.name.clone()),
        starts_on: input.starts_on.unwrap_or(program.starts_on),
        ends_on: input.ends_on.unwrap_or(program.ends_on),
        time_zone: input.time_zone.unwrap_or_else(|| program.time_zone.clone()),
        day_starts_at_minutes,
        budget: input
            .budget
            .map_or(program.budget, |budget| budget.map(i64::from)),
        budget_spent: spent.unwrap_or(program.budget_spent),
        ..program.clone()
    };
    validate::name(&["name"], &changed.name, &mut faults);
    validate::dates(
        [&["startsOn"], &["endsOn"]],
        changed.starts_on,
        changed.ends_on,
        &mut faults,
    );
    if let Some(zone) = &changed.time_zone {
        validate::zone(&["timeZone"], zone, &mut faults);
    }
    check_budget(changed.budget, changed.budget_spent, &mut faults);
    let of_a_draft = [
        ("timeZone", changed.time_zone != program.time_zone),
        (
            "dayStartsAt",
            changed.day_starts_at_minutes != program.day_starts_at_minutes,
        ),
    ];
    for (field, is_changed) in of_a_draft {
        if is_changed && program.state() != ProgramState::Draft {
            faults.push(Fault::new(
                FaultCode::InvalidState,
                &[field],
                "only of a draft: days have counted by it",
            ));
        }
    }
    require_none(faults)?;
    if !program::update(&*txn, &changed, spent).await? {
        // A worker has spent more in between.
        return Err(Fault::invalid(&["budget"], LESS_THAN_SPENT).into());
    }
    txn.commit(app, Some(&owner), What::changed(&program, &changed))
        .await?;
    Ok(changed)
}

/// Takes a draft into force: from now on its events are evaluated. A paused program goes on, and what was held is evaluated.
pub async fn activate(
    app: &App,
    permit: Permit<access::ActivateProgram>,
    employer: Option<&str>,
    key: &str,
) -> Outcome<Model> {
    let txn = Change::begin(app, &permit).await?;
    let (employer, program) = take(&*txn, permit.viewer(), employer, key).await?;
    match program.state() {
        ProgramState::Draft => {
            let now = employer.now(app.clock.now()).into();
            program::activate(&*txn, employer.id, program.id, now).await?;
        }
        ProgramState::Paused => {
            program::resume(&*txn, employer.id, program.id).await?;
        }
        ProgramState::Active => return Err(not_now("the program is active already")),
        ProgramState::Ended => return Err(not_now("the program has ended, for good")),
    }
    settle(app, txn, &employer, program).await
}

/// Holds what happens from now on until the program goes on: nothing is evaluated.
pub async fn pause(
    app: &App,
    permit: Permit<access::PauseProgram>,
    employer: Option<&str>,
    key: &str,
) -> Outcome<Model> {
    let txn = Change::begin(app, &permit).await?;
    let (employer, program) = take(&*txn, permit.viewer(), employer, key).await?;
    match program.state() {
        ProgramState::Active => {}
        ProgramState::Draft => return Err(not_now("the program is a draft: there is nothing to pause")),
        ProgramState::Paused => return Err(not_now("the program is paused already")),
        ProgramState::Ended => return Err(not_now("the program has ended, for good")),
    }
    let now = employer.now(app.clock.now()).into();
    program::pause(&*txn, employer.id, program.id, now).await?;
    settle(app, txn, &employer, program).await
}

/// Ends a program for good. What happened before still counts when it arrives late, and so does what a pause has held.
pub async fn end(
    app: &App,
    permit: Permit<access::EndProgram>,
    employer: Option<&str>,
    key: &str,
) -> Outcome<Model> {
    let txn = Change::begin(app, &permit).await?;
    let (employer, program) = take(&*txn, permit.viewer(), employer, key).await?;
    match program.state() {
        ProgramState::Active | ProgramState::Paused => {}
        ProgramState::Draft => return Err(not_now("the program is a draft: there is nothing to end")),
        ProgramState::Ended => return Err(not_now("the program has ended already")),
    }
    let now = employer.now(app.clock.now()).into();
    program::end(&*txn, employer.id, program.id, now).await?;
    settle(app, txn, &employer, program).await
}

/// Commits a step of a program, and returns the program as it is then. What a pause has held is let go in the same transaction, so
/// that no event is both held and of a program that is not paused; what has become too late meanwhile is refused.
async fn settle(app: &App, txn: Change, owner: &employer::Model, before: Model) -> Outcome<Model> {
    let (employer, id) = (before.employer_id, before.id);
    let gone = Error::Internal("a program is gone");
    let program = program::find(&*txn, employer, id).await?.ok_or(gone)?;
    let goes_on = before.state() == ProgramState::Paused;
    if goes_on {
        let incentives = incentive::list_of_program(&*txn, employer, id).await?;
        let held: Vec<_> = incentives.iter().map(|incentive| incentive.id).collect();
        let own_now = owner.now(app.clock.now());
        while event::refuse_late(&*txn, employer, Some(&held), own_now, REFUSED_AT_ONCE).await?
            == REFUSED_AT_ONCE
        {}
        // The queue keeps to the real clock.
        event::release(&*txn, employer, &held, app.clock.now().into()).await?;
    }
    txn.commit(app, Some(owner), What::changed(&before, &program))
        .await?;
    if goes_on {
        app.wakes.events();
    }
    Ok(program)
}

fn not_now(message: &str) -> Error {
    Fault::new(FaultCode::InvalidState, &["program"], message).into()
}

/// The employer and its program of this key, for a change: the catalogue's new version comes first, and its row keeps whoever else
/// would change this employer's programs waiting until this transaction has ended.
pub(super) async fn take(
    connection: &impl ConnectionTrait,
    viewer: &Viewer,
    employer: Option<&str>,
    key: &str,
) -> Outcome<(employer::Model, Model)> {
    let employer = tenant::resolve(connection, viewer, employer).await?;
    employer::touch_catalogue(connection, employer.id).await?;
    let unknown = || Fault::not_found(&["program"], "the employer has no program of this key");
    let program = program::find_by_key(connection, employer.id, key)
        .await?
        .ok_or_else(unknown)?;
    Ok((employer, program))
}

fn check_budget(budget: Option<i64>, spent: i64, faults: &mut Vec<Fault>) {
    let Some(budget) = budget else { return };
    if !(1..=BUDGET_MAX).contains(&budget) {
        faults.push(Fault::invalid(&["budget"], "from 1 to 1,000,000,000"));
    } else if budget < spent {
        faults.push(Fault::invalid(&["budget"], LESS_THAN_SPENT));
    }
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
