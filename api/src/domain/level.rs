//! The levels of programs, and where members stand.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveTime;
use chrono_tz::Tz;
use entity::clock::Timestamp;
use entity::ledger::read;
use entity::level::Model;
use entity::{employer, level, member, program};
use jobs::rules::calendar::{self, Window};
use jobs::rules::levels::Levels;

use super::achievement::require_within;
use super::audit::{Change, LevelsOf, What};
use super::program::take;
use super::{Error, Fault, Outcome, require_none};
use crate::app::App;
use crate::auth::access;
use crate::auth::viewer::Permit;
use crate::validate;

/// Levels a program may have.
const LEVELS_MAX: usize = 20;

/// The levels that a program is to have.
#[derive(Debug)]
pub struct Set {
    /// The key of the employer.
    pub employer: Option<String>,
    /// The key of the program.
    pub program: String,
    /// By which points.
    pub category: String,
    /// The levels; none: the program is to have no more.
    pub levels: Levels,
}

/// Sets the levels of a program in place of those it has; returns the program with its levels.
pub async fn set(
    app: &App,
    permit: Permit<access::SetLevels>,
    input: Set,
) -> Outcome<(program::Model, Option<Model>)> {
    let mut faults = Vec::new();
    validate::category(&["category"], &input.category, &mut faults);
    check(&input.levels, &mut faults);
    require_none(faults)?;
    let txn = Change::begin(app, &permit).await?;
    let (employer, program) = take(&*txn, permit.viewer(), input.employer.as_deref(), &input.program).await?;
    let before = level::find(&*txn, employer.id, program.id).await?;
    let set = if input.levels.levels.is_empty() {
        level::remove(&*txn, employer.id, program.id).await?;
        None
    } else {
        let unwritable = |_| Error::Internal("levels could not be written");
        let levels = Model {
            employer_id: employer.id,
            program_id: program.id,
            category: input.category,
            definition: serde_json::to_value(&input.levels).map_err(unwritable)?,
            updated_at: employer.now(app.clock.now()).into(),
        };
        level::put(&*txn, levels.clone()).await?;
        Some(levels)
    };
    let what = What::changed(
        &LevelsOf(&program, before.as_ref()),
        &LevelsOf(&program, set.as_ref()),
    );
    txn.commit(app, Some(&employer), what).await?;
    Ok((program, set))
}

fn check(levels: &Levels, faults: &mut Vec<Fault>) {
    if matches!(levels.window, Window::Day | Window::Week | Window::Program) {
        faults.push(Fault::invalid(&["window"], "MONTH, QUARTER, YEAR or EVER"));
    }
    if levels.levels.len() > LEVELS_MAX {
        faults.push(Fault::invalid(
            &["levels"],
            format!("at most {LEVELS_MAX} levels"),
        ));
        return;
    }
    let (mut keys, mut below) = (BTreeSet::new(), 0);
    for (place, level) in levels.levels.iter().enumerate() {
        let place = place.to_string();
        validate::key(&["levels", &place, "key"], &level.key, faults);
        validate::name(&["levels", &place, "name"], &level.name, faults);
        if !keys.insert(&level.key) {
            faults.push(Fault::invalid(
                &["levels", &place, "key"],
                "another level has this key",
            ));
        }
        let path = ["levels", &*place, "atLeast"];
        if level.at_least > entity::ledger::MOST {
            faults.push(Fault::invalid(&path, "more than an account can hold"));
        } else if level.at_least <= below {
            faults.push(Fault::invalid(
                &path,
                "more than the level before, and at least 1",
            ));
        }
        below = below.max(level.at_least);
    }
}

/// Refuses to show the levels of a program that is not the viewer's.
pub fn require_shown(permit: &Permit<access::ListLevels>, program: &program::Model) -> Outcome<()> {
    require_within(permit, program.employer_id, None)
}

/// What is needed to say where a member stands.
pub struct Stand {
    /// The levels, as they are set.
    pub row: Model,
    /// The levels.
    pub levels: Levels,
    /// The points that were earned, by day.
    pub earned: BTreeMap<chrono::NaiveDate, i64>,
    /// The present day.
    pub today: chrono::NaiveDate,
}

/// Where a member stands in the program of this key; none where there is no such program, or it has no levels, or the member was erased.
pub async fn of_member(
    app: &App,
    permit: Permit<access::ReadMemberLevel>,
    member: &member::Model,
    program: &str,
) -> Outcome<Option<Stand>> {
    require_within(&permit, member.employer_id, Some(member.id))?;
    let db = app.db.read();
    if member.erased_at.is_some() {
        return Ok(None);
    }
    let Some(program) = program::find_by_key(db, member.employer_id, program).await? else {
        return Ok(None);
    };
    let Some(row) = level::find(db, member.employer_id, program.id).await? else {
        return Ok(None);
    };
    let gone = Error::Internal("a member without an employer");
    let employer = employer::find(db, member.employer_id).await?.ok_or(gone)?;
    let levels = Levels::parse(&row.definition).ok_or(Error::Internal("levels cannot be read"))?;
    let zone = program.time_zone.as_deref().unwrap_or(&employer.time_zone);
    let zone: Tz = zone.parse().unwrap_or(Tz::UTC);
    let today = calendar::civil(employer.now(app.clock.now()), zone).date();
    let since = levels
        .since(today)
        .and_then(|day| day.pred_opt())
        .map_or(Timestamp(i64::MIN), |eve| {
            calendar::day_end(eve, NaiveTime::MIN, zone).into()
        });
    let mut earned = BTreeMap::new();
    for (at, points) in read::earned(db, (employer.id, member.id), &row.category, since).await? {
        let day = calendar::civil(at.instant(), zone).date();
        let sum: &mut i64 = earned.entry(day).or_default();
        *sum = sum.saturating_add(points);
    }
    Ok(Some(Stand {
        row,
        levels,
        earned,
        today,
    }))
}
