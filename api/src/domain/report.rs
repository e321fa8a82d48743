//! Reports: sums over all members of an employer, and nobody in person.
//!
//! What is sensitive is shown only where it is of enough members. What is kept back is kept back from the sums too, so that it cannot be
//! found by subtraction.

use std::collections::{BTreeMap, HashMap};

use chrono::NaiveDate;
use entity::id::IncentiveId;
use entity::ledger::EntryKind;
use entity::report::{self, AchievementCell, Liability, PointsCell, RedemptionCell};
use entity::{employer, incentive, program};

use super::achievement::require_within;
use super::{Error, Fault, Outcome};
use crate::app::App;
use crate::auth::access;
use crate::auth::viewer::Permit;

/// The longest stretch of a report, in days.
const DAYS_MAX: i64 = 366;

/// What came and went on one day in one category.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PointsDay {
    /// Earned.
    pub issued: i64,
    /// Spent on rewards.
    pub spent: i64,
    /// Ended unspent.
    pub expired: i64,
    /// Taken back, as what they were earned for no longer holds.
    pub taken_back: i64,
    /// Given back, as a redemption came to nothing.
    pub returned: i64,
    /// The sum of corrections by hand.
    pub adjusted: i64,
    /// Whether sensitive points of too few members are left out.
    pub withheld: bool,
}

/// The redemptions of one reward.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RewardSums {
    /// The name of the reward.
    pub name: String,
    /// How many there are.
    pub requested: i64,
    /// How many of them were fulfilled.
    pub fulfilled: i64,
    /// How many were cancelled.
    pub cancelled: i64,
    /// How many have expired.
    pub expired: i64,
    /// The points of those that were not given back.
    pub points_spent: i64,
    /// Whether those given by sensitive incentives are left out, as they are of too few members.
    pub withheld: bool,
}

/// The achievements of one incentive on one day.
#[derive(Debug)]
pub struct AchievementDay {
    /// The incentive.
    pub incentive: incentive::Model,
    /// The day.
    pub on: NaiveDate,
    /// How many were reached and how many of them were taken back; none: they are of too few members.
    pub counts: Option<(i64, i64)>,
}

/// A report.
#[derive(Debug)]
pub struct Report {
    /// Points by day and category.
    pub points: BTreeMap<(NaiveDate, String), PointsDay>,
    /// What members hold now, by category.
    pub liability: Vec<Liability>,
    /// Redemptions by the key of the reward.
    pub redemptions: BTreeMap<String, RewardSums>,
    /// Achievements by incentive and day.
    pub achievements: Vec<AchievementDay>,
}

/// The report of some days; redemptions and achievements of one program where one is given.
pub async fn read(
    app: &App,
    permit: Permit<access::ReadReport>,
    employer: &employer::Model,
    (from, to): (NaiveDate, NaiveDate),
    program: Option<&str>,
) -> Outcome<Report> {
    require_within(&permit, employer.id, None)?;
    if to < from {
        return Err(Fault::invalid(&["to"], "`to` is before `from`").into());
    }
    if to.signed_duration_since(from).num_days() >= DAYS_MAX {
        return Err(Fault::invalid(&["to"], format!("a report is of at most {DAYS_MAX} days")).into());
    }
    let db = app.db.read();
    let program = match program {
        None => None,
        Some(key) => {
            let unknown = || Fault::not_found(&["program"], "the employer has no program of this key");
            let found = program::find_by_key(db, employer.id, key).await?;
            Some(found.ok_or_else(unknown)?.id)
        }
    };
    let minimum = i64::from(employer.minimum_group_size);
    let now = employer.now(app.clock.now()).into();
    let points = report::points(db, employer.id, (from, to)).await?;
    let mut liability = report::liability(db, employer.id, now).await?;
    // The databases sort texts in ways of their own.
    liability.sort_by(|one, other| one.category.cmp(&other.category));
    let redemptions = report::redemptions(db, employer.id, (from, to), program).await?;
    let achievements = report::achievements(db, employer.id, (from, to), program).await?;
    let mut wanted: Vec<_> = achievements
        .iter()
        .map(|cell| (employer.id, cell.incentive_id))
        .collect();
    wanted.dedup();
    let incentives = incentive::list_by_ids(db, &wanted).await?;
    let incentives = incentives.into_iter().map(|row| (row.id, row)).collect();
    Ok(Report {
        points: by_day(points, minimum),
        liability,
        redemptions: by_reward(redemptions, minimum),
        achievements: by_incentive(achievements, &incentives, minimum)?,
    })
}

fn by_day(cells: Vec<PointsCell>, minimum: i64) -> BTreeMap<(NaiveDate, String), PointsDay> {
    let mut days: BTreeMap<_, PointsDay> = BTreeMap::new();
    for cell in cells {
        let day = days.entry((cell.recorded_on, cell.category)).or_default();
        if cell.sensitive && cell.members < minimum {
            day.withheld = true;
            continue;
        }
        let sum = match cell.kind {
            EntryKind::Earned => &mut day.issued,
            EntryKind::Adjusted => &mut day.adjusted,
            EntryKind::Redeemed => &mut day.spent,
            EntryKind::Returned => &mut day.returned,
            EntryKind::Expired => &mut day.expired,
            EntryKind::ClawedBack => &mut day.taken_back,
        };
        let is_loss = matches!(
            cell.kind,
            EntryKind::Redeemed | EntryKind::Expired | EntryKind::ClawedBack
        );
        *sum = if is_loss {
            sum.saturating_sub(cell.amount)
        } else {
            sum.saturating_add(cell.amount)
        };
    }
    days
}

fn by_reward(cells: Vec<RedemptionCell>, minimum: i64) -> BTreeMap<String, RewardSums> {
    let mut rewards: BTreeMap<_, RewardSums> = BTreeMap::new();
    for cell in cells {
        let sums = rewards.entry(cell.key).or_default();
        sums.name = cell.name;
        if cell.sensitive && cell.members < minimum {
            sums.withheld = true;
            continue;
        }
        sums.requested += cell.requested;
        sums.fulfilled += cell.fulfilled;
        sums.cancelled += cell.cancelled;
        sums.expired += cell.expired;
        sums.points_spent = sums.points_spent.saturating_add(cell.points_spent);
    }
    rewards
}

fn by_incentive(
    cells: Vec<AchievementCell>,
    incentives: &HashMap<IncentiveId, incentive::Model>,
    minimum: i64,
) -> Outcome<Vec<AchievementDay>> {
    let shown = |cell: AchievementCell| {
        let incentive = incentives.get(&cell.incentive_id).cloned();
        let is_small = cell.sensitive && cell.members < minimum;
        Ok(AchievementDay {
            incentive: incentive.ok_or(Error::Internal("an achievement without its incentive"))?,
            on: cell.earned_on,
            counts: (!is_small).then_some((cell.earned, cell.revoked)),
        })
    };
    cells.into_iter().map(shown).collect()
}
