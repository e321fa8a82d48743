//! Reports: sums over all members of an employer.

use async_graphql::SimpleObject;

use super::Incentive;
use crate::domain::report;
use crate::graphql::scalar::{BigInt, Date};

/// Sums over all members of an employer, and nobody in person. What is sensitive is shown only where it is of at least the employer's
/// `minimumGroupSize` different members; what is not is left out of every sum.
#[derive(SimpleObject)]
pub struct Report {
    /// Points that came and went, by day and category; days on which there were none are left out. Of all programs: what ends or is
    /// corrected belongs to none.
    points_by_day: Vec<PointsDay>,
    /// What all members together hold now, by category, whatever the days of the report. Of all programs.
    liability: Vec<PointsLiability>,
    /// Redemptions that were requested or given on these days, by the key of the reward.
    redemptions: Vec<RewardRedemptions>,
    /// Achievements that were reached on these days, by incentive and day; days on which there were none are left out. What incentives
    /// give that is no achievement is not among them.
    achievements: Vec<AchievementDay>,
}

/// Points of one category that came and went on one day, in the zone of the employer.
#[derive(SimpleObject)]
pub struct PointsDay {
    /// The day on which it was recorded.
    on: Date,
    /// The kind of points.
    category: String,
    /// Earned.
    issued: BigInt,
    /// Spent on rewards.
    spent: BigInt,
    /// Ended unspent.
    expired: BigInt,
    /// Taken back, as what they were earned for no longer holds.
    taken_back: BigInt,
    /// Given back, as a redemption came to nothing.
    returned: BigInt,
    /// The sum of corrections by hand; less than 0 where more was taken than given.
    adjusted: BigInt,
    /// Whether points of a sensitive incentive are left out, as they are of too few members.
    withheld: bool,
}

/// What all members together hold of one category.
#[derive(SimpleObject)]
pub struct PointsLiability {
    /// The kind of points.
    category: String,
    /// What can be spent, and what will be once it is active.
    outstanding: BigInt,
}

/// The redemptions of one reward, by how they stand now.
#[derive(SimpleObject)]
pub struct RewardRedemptions {
    /// The key of the reward.
    reward: String,
    /// Its name.
    name: String,
    /// How many there are, whatever has become of them.
    requested: BigInt,
    /// How many of them were fulfilled.
    fulfilled: BigInt,
    /// How many were cancelled.
    cancelled: BigInt,
    /// How many have expired.
    expired: BigInt,
    /// The points that were spent on those that still wait or were fulfilled; those of the others were given back.
    points_spent: BigInt,
    /// Whether those given by a sensitive incentive are left out, as they are of too few members.
    withheld: bool,
}

/// The achievements of one incentive that were reached on one day.
#[derive(SimpleObject)]
pub struct AchievementDay {
    /// The incentive.
    incentive: Incentive,
    /// The day: `earnedOn` of the achievements.
    on: Date,
    /// How many were reached, those included that were taken back; null: withheld.
    earned: Option<BigInt>,
    /// How many of them were taken back, then or later; null: withheld.
    revoked: Option<BigInt>,
    /// Whether the incentive is sensitive and these are of too few members.
    withheld: bool,
}

impl From<report::Report> for Report {
    fn from(report: report::Report) -> Self {
        let points = report.points.into_iter();
        let redemptions = report.redemptions.into_iter();
        Self {
            points_by_day: points
                .map(|((on, category), day)| PointsDay {
                    on: Date(on),
                    category,
                    issued: BigInt(day.issued),
                    spent: BigInt(day.spent),
                    expired: BigInt(day.expired),
                    taken_back: BigInt(day.taken_back),
                    returned: BigInt(day.returned),
                    adjusted: BigInt(day.adjusted),
                    withheld: day.withheld,
                })
                .collect(),
            liability: report
                .liability
                .into_iter()
                .map(|held| PointsLiability {
                    category: held.category,
                    outstanding: BigInt(held.points),
                })
                .collect(),
            redemptions: redemptions
                .map(|(reward, sums)| RewardRedemptions {
                    reward,
                    name: sums.name,
                    requested: BigInt(sums.requested),
                    fulfilled: BigInt(sums.fulfilled),
                    cancelled: BigInt(sums.cancelled),
                    expired: BigInt(sums.expired),
                    points_spent: BigInt(sums.points_spent),
                    withheld: sums.withheld,
                })
                .collect(),
            achievements: report
                .achievements
                .into_iter()
                .map(|day| AchievementDay {
                    incentive: Incentive(day.incentive),
                    on: Date(day.on),
                    earned: day.counts.map(|(earned, _)| BigInt(earned)),
                    revoked: day.counts.map(|(_, revoked)| BigInt(revoked)),
                    withheld: day.counts.is_none(),
                })
                .collect(),
        }
    }
}
