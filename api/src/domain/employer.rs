//! Employers.

use chrono::{DateTime, TimeDelta, Utc};
use entity::employer::{self, Enrolment, Model};
use entity::event_type;
use entity::id::EmployerId;
use entity::page::{Page, Slice};

use super::audit::{Change, What};
use super::{Error, Fault, FaultCode, Outcome, require_none, stock_menu, tenant};
use crate::app::App;
use crate::auth::access;
use crate::auth::viewer::Permit;
use crate::validate;

/// How far the clock of a sandbox may be ahead: ten years.
const AHEAD_MAX: TimeDelta = TimeDelta::days(3_653);

/// A new employer.
#[derive(Debug)]
pub struct Create {
    /// Its key.
    pub key: String,
    /// Its name.
    pub name: String,
    /// Its IANA zone.
    pub time_zone: String,
    /// How its members come to be known.
    pub enrolment: Enrolment,
    /// The smallest group whose sensitive counts are shown.
    pub minimum_group_size: i32,
    /// Whether members share with partners until they say otherwise.
    pub default_partner_sharing: bool,
    /// Whether members may be mailed until they say otherwise.
    pub default_email: bool,
    /// Whether it has a clock of its own.
    pub sandbox: bool,
}

/// Creates an employer with the stock menu of event types.
pub async fn create(app: &App, permit: Permit<access::CreateEmployer>, input: Create) -> Outcome<Model> {
    let mut faults = Vec::new();
    validate::key(&["key"], &input.key, &mut faults);
    validate::name(&["name"], &input.name, &mut faults);
    validate::zone(&["timeZone"], &input.time_zone, &mut faults);
    if !(1..=1_000_000).contains(&input.minimum_group_size) {
        faults.push(Fault::invalid(&["minimumGroupSize"], "from 1 to 1,000,000"));
    }
    require_none(faults)?;
    let employer = Model {
        id: app.ids.next(),
        key: input.key,
        name: input.name,
        time_zone: input.time_zone,
        enrolment: input.enrolment,
        minimum_group_size: input.minimum_group_size,
        default_partner_sharing: input.default_partner_sharing,
        default_email: input.default_email,
        sandbox: input.sandbox,
        clock_offset_micros: 0,
        message_cap_at_most: None,
        message_cap_per: None,
        activity_since: None,
        catalogue_version: 1,
        created_at: app.clock.now().into(),
    };
    let txn = Change::begin(app, &permit).await?;
    if !employer::insert(&*txn, employer.clone()).await? {
        return Err(Fault::new(FaultCode::KeyTaken, &["key"], "there is an employer of this key").into());
    }
    for item in stock_menu::items() {
        event_type::insert(
            &*txn,
            item.event_type(employer.id, app.ids.next(), employer.created_at),
        )
        .await?;
    }
    txn.commit(app, Some(&employer), What::made(&employer)).await?;
    Ok(employer)
}

/// The employer of this key, or the token's own; none where the viewer may not see it.
pub async fn find(
    app: &App,
    permit: Permit<access::ReadEmployer>,
    key: Option<&str>,
) -> Outcome<Option<Model>> {
    match tenant::resolve(app.db.read(), permit.viewer(), key).await {
        Ok(employer) => Ok(Some(employer)),
        Err(Error::Refused(faults)) if faults.iter().all(|fault| fault.code == FaultCode::NotFound) => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Sets the clock of a sandbox forward, and wakes whoever forgets what has served its time: the queue keeps to the real clock.
pub async fn advance_clock(
    app: &App,
    permit: Permit<access::AdvanceClock>,
    employer: Option<&str>,
    to: DateTime<Utc>,
) -> Outcome<Model> {
    let txn = Change::begin(app, &permit).await?;
    let employer = tenant::resolve(&*txn, permit.viewer(), employer).await?;
    if !employer.sandbox {
        return Err(Fault::new(
            FaultCode::InvalidState,
            &["employer"],
            "only a sandbox has a clock of its own",
        )
        .into());
    }
    let real = app.clock.now();
    let behind = || Fault::invalid(&["to"], "not after the employer's present instant");
    if to <= employer.now(real) {
        return Err(behind().into());
    }
    let ahead = to.signed_duration_since(real);
    if ahead > AHEAD_MAX {
        return Err(Fault::invalid(&["to"], "more than 3,653 days ahead of the real clock").into());
    }
    let offset = ahead
        .num_microseconds()
        .ok_or(Error::Internal("an offset is out of range"))?;
    if !employer::set_clock_offset(&*txn, employer.id, offset).await? {
        // Another call has set it further in between.
        return Err(behind().into());
    }
    let ahead = Model {
        clock_offset_micros: offset,
        ..employer.clone()
    };
    txn.commit(app, Some(&ahead), What::changed(&employer, &ahead))
        .await?;
    app.wakes.housekeeping();
    Ok(ahead)
}

/// A page of all employers.
pub async fn list(
    app: &App,
    _: Permit<access::ListEmployers>,
    page: Page<EmployerId>,
) -> Outcome<Slice<Model>> {
    Ok(employer::list(app.db.read(), page).await?)
}
