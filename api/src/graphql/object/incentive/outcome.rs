//! What follows from an award, as a version says it.

use async_graphql::{Enum, SimpleObject, Union};
use chrono::TimeDelta;
use jobs::outcome::{self as rule, RetractionPolicy as RulePolicy};

use super::Window;
use crate::graphql::scalar::{BigInt, CalendarDuration, Decimal, Duration};

/// What becomes of an outcome when events that it was earned by are retracted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "RulePolicy")]
pub enum RetractionPolicy {
    /// It stays.
    Keep,
    /// It is revoked unless it was used. An achievement is never used: it is revoked. Of points, what is left of them is taken back.
    RevokeIfUnused,
    /// It is revoked. Points that were spent are taken from the member's other points of that category.
    Revoke,
}

/// What becomes of parts of a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "jobs::rules::points::Rounding")]
pub enum Rounding {
    /// They are dropped.
    Down,
    /// A half or more is a whole.
    HalfUp,
    /// Any part is a whole.
    Up,
}

/// What becomes of points beyond a cap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "jobs::rules::points::Excess")]
pub enum CapExcess {
    /// What is beyond it is cut off. What a refund makes room for is given to what was cut only as far as it is earned anew.
    Cut,
    /// What would go beyond it earns nothing, then and later. Which one that is depends on the order in which they arrive.
    Reject,
}

/// What is done where points that are to be taken back were spent already. Other points of the member are taken first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "rule::Shortfall")]
pub enum Shortfall {
    /// What is still missing is forgiven.
    Forgive,
    /// What is still missing is taken from what the member earns next.
    Net,
}

/// What follows from an award.
#[expect(clippy::large_enum_variant, reason = "an incentive has at most ten of them")]
#[derive(Union)]
pub enum Outcome {
    /// The member has an achievement.
    Achievement(AchievementOutcome),
    /// The member gets points.
    Points(PointsOutcome),
    /// The member is given a reward.
    Reward(RewardOutcome),
    /// The member is written to.
    Message(MessageOutcome),
}

/// An achievement as the member and the partners see it.
#[derive(SimpleObject)]
pub struct AchievementOutcome {
    /// What the member is congratulated on.
    title: String,
    /// More about it; null: nothing is said.
    description: Option<String>,
    /// What becomes of it when events that it was earned by are retracted; null: nothing was said, so it follows the other outcomes.
    on_retraction: Option<RetractionPolicy>,
}

/// Points that the member gets.
#[derive(SimpleObject)]
pub struct PointsOutcome {
    /// The kind of points.
    category: String,
    /// So many; null: so many for each unit.
    amount: Option<BigInt>,
    /// So many for each unit of what an event says; null: a fixed amount.
    per_unit: Option<PerUnit>,
    /// By how much they are multiplied; null: they are not.
    multiplier: Option<Decimal>,
    /// How long they can be spent, to the end of that day in the program's zone; null: for ever.
    expires_after: Option<CalendarDuration>,
    /// How long they cannot be spent yet, from when they are recorded, or from the event that releases them; null: no longer than that.
    pending_for: Option<Duration>,
    /// The event that releases them: until then they are pending; null: none need come.
    pending_until: Option<PendingUntil>,
    /// How many of them one member can get; null: any number.
    cap: Option<PointsCap>,
    /// Which events take parts of them back; null: none.
    refund: Option<Refund>,
    /// What becomes of them when events that they were earned by are retracted; null: nothing was said, so they follow the other
    /// outcomes.
    on_retraction: Option<RetractionPolicy>,
}

/// Points for each unit of a numeric property.
#[derive(SimpleObject)]
pub struct PerUnit {
    /// The bare path of the property.
    property: String,
    /// Points for one unit.
    points: Decimal,
    /// What becomes of parts of a point.
    rounding: Rounding,
}

/// How many points one member can get.
#[derive(SimpleObject)]
pub struct PointsCap {
    /// So many.
    amount: BigInt,
    /// In each such window.
    window: Window,
    /// What becomes of those beyond.
    excess: CapExcess,
}

/// The event that releases the points of an order.
#[derive(SimpleObject)]
pub struct PendingUntil {
    /// The key of its type.
    event_type: String,
    /// The bare path of the property that names the order.
    r#match: String,
}

/// Events that say what is left of an order.
#[derive(SimpleObject)]
pub struct Refund {
    /// The key of their type.
    event_type: String,
    /// The bare path of the property that names the order.
    r#match: String,
    /// What is done where the points were spent already.
    shortfall: Shortfall,
}

/// A reward that the member is given.
#[derive(SimpleObject)]
pub struct RewardOutcome {
    /// The key of the reward.
    reward: String,
    /// How many of it.
    quantity: i32,
    /// What becomes of it when events that it was earned by are retracted; null: nothing was said, so it follows the other outcomes.
    on_retraction: Option<RetractionPolicy>,
}

/// A campaign by which the member is written to.
#[derive(SimpleObject)]
pub struct MessageOutcome {
    /// The key of the campaign.
    campaign: String,
}

impl From<rule::Outcome> for Outcome {
    fn from(outcome: rule::Outcome) -> Self {
        match outcome {
            rule::Outcome::Achievement(outcome) => Self::Achievement(AchievementOutcome {
                title: outcome.title,
                description: outcome.description,
                on_retraction: outcome.on_retraction.map(Into::into),
            }),
            rule::Outcome::Points(outcome) => Self::Points(outcome.into()),
            rule::Outcome::Reward(outcome) => Self::Reward(RewardOutcome {
                reward: outcome.reward,
                quantity: i32::try_from(outcome.quantity).unwrap_or(i32::MAX),
                on_retraction: outcome.on_retraction.map(Into::into),
            }),
            rule::Outcome::Message(outcome) => Self::Message(MessageOutcome {
                campaign: outcome.campaign,
            }),
        }
    }
}

impl From<rule::PointsOutcome> for PointsOutcome {
    fn from(outcome: rule::PointsOutcome) -> Self {
        let pending = |seconds| Duration(TimeDelta::try_seconds(seconds).unwrap_or_default());
        Self {
            category: outcome.category,
            amount: outcome.amount.map(BigInt),
            per_unit: outcome.per_unit.map(|per_unit| PerUnit {
                property: per_unit.property,
                points: Decimal(per_unit.points),
                rounding: per_unit.rounding.into(),
            }),
            multiplier: outcome.multiplier.map(Decimal),
            expires_after: outcome.expires_after.map(CalendarDuration),
            pending_for: outcome.pending_for.map(pending),
            pending_until: outcome.pending_until.map(|release| PendingUntil {
                event_type: release.event_type,
                r#match: release.match_on,
            }),
            cap: outcome.cap.map(|cap| PointsCap {
                amount: BigInt(cap.amount),
                window: cap.window.into(),
                excess: cap.excess.into(),
            }),
            refund: outcome.refund.map(|refund| Refund {
                event_type: refund.event_type,
                r#match: refund.match_on,
                shortfall: refund.shortfall.into(),
            }),
            on_retraction: outcome.on_retraction.map(Into::into),
        }
    }
}
