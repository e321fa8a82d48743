//! Boosts: times in which a program gives more points.

use chrono::NaiveDate;
use entity::boost::{self, Model};
use jobs::rules::definition::{ConditionDefinition, check_conditions};
use rust_decimal::Decimal;

use super::audit::{Change, What};
use super::program::take;
use super::{Error, Fault, FaultCode, Outcome, require_none};
use crate::app::App;
use crate::auth::access;
use crate::auth::viewer::Permit;
use crate::validate;

/// Boosts a program may have: all of them are kept in memory.
const PER_PROGRAM: usize = 200;
/// The highest factor.
const MULTIPLIER_MAX: i64 = 100;
/// Decimal places of a factor.
const SCALE_MAX: u32 = 6;

/// A new boost.
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
    /// The factor.
    pub multiplier: Decimal,
    /// Which points.
    pub category: Option<String>,
    /// The first day.
    pub starts_on: NaiveDate,
    /// The last day.
    pub ends_on: NaiveDate,
    /// What has to hold.
    pub conditions: Vec<ConditionDefinition>,
}

/// Creates a boost.
pub async fn create(app: &App, permit: Permit<access::CreateBoost>, input: Create) -> Outcome<Model> {
    let mut faults = Vec::new();
    validate::key(&["key"], &input.key, &mut faults);
    validate::name(&["name"], &input.name, &mut faults);
    let multiplier = input.multiplier.normalize();
    if multiplier <= Decimal::ZERO
        || multiplier > Decimal::from(MULTIPLIER_MAX)
        || multiplier.scale() > SCALE_MAX
    {
        let message =
            format!("more than 0, at most {MULTIPLIER_MAX}, with at most {SCALE_MAX} decimal places");
        faults.push(Fault::invalid(&["multiplier"], message));
    }
    if let Some(category) = &input.category {
        validate::category(&["category"], category, &mut faults);
    }
    let days = [Some(input.starts_on), Some(input.ends_on)];
    validate::dates([&["startsOn"], &["endsOn"]], days[0], days[1], &mut faults);
    let found = check_conditions(&input.conditions);
    faults.extend(found.into_iter().map(Fault::from));
    let conditions = serde_json::to_value(&input.conditions)
        .map_err(|_| Error::Internal("conditions could not be written"))?;
    if validate::has_nul(&conditions) {
        faults.push(Fault::invalid(&["where"], "no text has a zero character"));
    }
    require_none(faults)?;
    let txn = Change::begin(app, &permit).await?;
    let (employer, program) = take(&*txn, permit.viewer(), input.employer.as_deref(), &input.program).await?;
    if program.ended_at.is_some() {
        let message = "the program has ended, for good";
        return Err(Fault::new(FaultCode::InvalidState, &["program"], message).into());
    }
    if boost::list_of_program(&*txn, employer.id, program.id)
        .await?
        .len()
        >= PER_PROGRAM
    {
        let message = format!("a program has at most {PER_PROGRAM} boosts");
        return Err(Fault::new(FaultCode::TooMany, &[], message).into());
    }
    let boost = Model {
        employer_id: employer.id,
        program_id: program.id,
        key: input.key,
        name: input.name,
        multiplier: multiplier.to_string(),
        category: input.category,
        starts_on: input.starts_on,
        ends_on: input.ends_on,
        conditions,
        created_at: employer.now(app.clock.now()).into(),
        ended_at: None,
    };
    if !boost::insert(&*txn, boost.clone()).await? {
        let message = "the program has a boost of this key";
        return Err(Fault::new(FaultCode::KeyTaken, &["key"], message).into());
    }
    txn.commit(app, Some(&employer), What::made(&boost)).await?;
    Ok(boost)
}

/// Ends a boost before its last day. What was earned by it stays.
pub async fn end(
    app: &App,
    permit: Permit<access::EndBoost>,
    employer: Option<&str>,
    program: &str,
    key: &str,
) -> Outcome<Model> {
    let txn = Change::begin(app, &permit).await?;
    let (employer, program) = take(&*txn, permit.viewer(), employer, program).await?;
    let boosts = boost::list_of_program(&*txn, employer.id, program.id).await?;
    let unknown = || Fault::not_found(&["key"], "the program has no boost of this key");
    let boost = boosts
        .into_iter()
        .find(|boost| boost.key == key)
        .ok_or_else(unknown)?;
    let now = employer.now(app.clock.now()).into();
    if !boost::end(&*txn, employer.id, program.id, key, now).await? {
        let message = "the boost has ended already";
        return Err(Fault::new(FaultCode::InvalidState, &["key"], message).into());
    }
    let ended = Model {
        ended_at: Some(now),
        ..boost.clone()
    };
    txn.commit(app, Some(&employer), What::changed(&boost, &ended))
        .await?;
    Ok(ended)
}
