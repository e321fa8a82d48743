//! Why not yet: what a member has, what is missing, and until when.

use chrono::NaiveDate;
use rust_decimal::Decimal;

use super::{Fault, Incentive};

/// How far a member is with an incentive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProgressView {
    /// What counts towards the next award; as much as `required` once the limit is reached.
    pub current: Decimal,
    /// What an award takes.
    pub required: Decimal,
    /// The number of awards so far.
    pub earned: u32,
    /// The first day of the first period of the run that is still alive.
    pub run_started_on: Option<NaiveDate>,
    /// The latest day with a matching event; none once the limit is reached, when nothing is kept but the number of awards.
    pub last_counted_on: Option<NaiveDate>,
    /// The last day on which the next step still counts; none while nothing would be lost by waiting.
    pub deadline_on: Option<NaiveDate>,
}

/// How a member with this progress stands on `today`, the member's own program day.
pub fn progress(
    incentive: &Incentive,
    progress: Option<&str>,
    today: NaiveDate,
) -> Result<ProgressView, Fault> {
    let (earned, standing) = incentive.judge.standing(incentive.limit, progress, today)?;
    Ok(ProgressView {
        current: standing.current,
        required: standing.required,
        earned,
        run_started_on: standing.run_started_on,
        last_counted_on: standing.last_counted_on,
        deadline_on: standing.deadline_on,
    })
}
