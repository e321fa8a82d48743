//! The inputs of outcomes, and their translation.

use async_graphql::{InputObject, OneofObject};
use jobs::outcome::{
    AchievementOutcome, CapOutcome, DEFAULT_CATEGORY, MessageOutcome, Outcome, PerUnit, PointsOutcome,
    RefundOutcome, ReleaseOutcome, RewardOutcome,
};

use crate::graphql::object::incentive::Window;
use crate::graphql::object::incentive::outcome::{CapExcess, RetractionPolicy, Rounding, Shortfall};
use crate::graphql::scalar::{BigInt, CalendarDuration, Decimal, Duration};

/// What follows from an award.
#[expect(clippy::large_enum_variant, reason = "an incentive has at most ten of them")]
#[derive(OneofObject)]
pub enum OutcomeInput {
    /// The member has an achievement, and the partners learn of it. At most one.
    Achievement(AchievementOutcomeInput),
    /// The member gets points. At most once of each category.
    Points(PointsOutcomeInput),
    /// The member is given a reward.
    Reward(RewardOutcomeInput),
    /// The member is written to. Messages of a campaign are decided when they are due: see `createCampaign`.
    Message(MessageOutcomeInput),
}

/// An achievement as the member and the partners see it.
#[derive(InputObject)]
pub struct AchievementOutcomeInput {
    /// What the member is congratulated on, 1 to 200 characters.
    title: String,
    /// More about it, at most 2,000 characters.
    description: Option<String>,
    /// What becomes of it when events that it was earned by are retracted. Unless given it follows the other outcomes: either all are
    /// kept or none is. Where none says so: `KEEP` where an event type of the incentive is sensitive, else `REVOKE`.
    on_retraction: Option<RetractionPolicy>,
}

/// Points that the member gets: either `amount` or `perUnit`. Where the incentive is immediate and unlimited, each event that counts
/// earns them by itself, whatever the program's budget of awards; elsewhere each award does.
#[derive(InputObject)]
pub struct PointsOutcomeInput {
    /// The kind of points: 1 to 63 of A-Z, a-z, 0-9, `.`, `_` and `-`, starting with a letter or digit.
    #[graphql(default_with = "Some(DEFAULT_CATEGORY.to_owned())")]
    category: Option<String>,
    /// So many, 1 to 1,000,000,000.
    amount: Option<BigInt>,
    /// So many for each unit of what the event says; only where the incentive is immediate and unlimited.
    per_unit: Option<PerUnitInput>,
    /// By how much they are multiplied: more than 0, at most 100, with at most 6 decimals. The boosts of the program come on top; all
    /// factors are multiplied with each other, at most 100 together, and the points are rounded once, at the end.
    multiplier: Option<Decimal>,
    /// How long they can be spent: from when they are recorded, or become active, to the end of the day to which it leads in the
    /// program's zone. Years and months are those of the calendar, and at most 100 years; where a month is too short, its last day is
    /// meant. For ever unless given.
    expires_after: Option<CalendarDuration>,
    /// How long they cannot be spent yet, a second to ten years: from when they are recorded, or with `pendingUntil` from the event that
    /// releases them. Not at all unless given.
    pending_for: Option<Duration>,
    /// The event that releases them: until it has come they are pending, and their end is counted from there; only where the incentive
    /// is immediate and unlimited.
    pending_until: Option<PendingUntilInput>,
    /// How many of them one member can get.
    cap: Option<PointsCapInput>,
    /// Which events take parts of them back; only with `perUnit`.
    refund: Option<RefundInput>,
    /// What becomes of them when events that they were earned by are retracted. Unless given it follows the other outcomes: either all
    /// are kept or none is. Where none says so: `KEEP` where an event type of the incentive is sensitive, else `REVOKE`.
    on_retraction: Option<RetractionPolicy>,
}

/// Points for each unit of a numeric property.
#[derive(InputObject)]
pub struct PerUnitInput {
    /// The bare path of the property, `total` or `items.count`: at most 8 names of at most 64 bytes each, 256 bytes together. By the
    /// event type's schema it must be able to be a number, or a text that holds one. Only values above zero earn.
    property: String,
    /// Points for one unit: more than 0, at most 1,000,000, with at most 6 decimals. Where the property is in cents, `"0.01"` is a
    /// point for each whole euro.
    points: Decimal,
    /// What becomes of parts of a point.
    #[graphql(default_with = "Some(Rounding::Down)")]
    rounding: Option<Rounding>,
}

/// How many points of the incentive, of this category, one member can get.
#[derive(InputObject)]
pub struct PointsCapInput {
    /// So many, at least 1.
    amount: BigInt,
    /// In each such window, by the local date of the events.
    window: Window,
    /// What becomes of those beyond.
    #[graphql(default_with = "Some(CapExcess::Cut)")]
    excess: Option<CapExcess>,
}

/// The event that releases points. It may come before the order. Taking it back later takes nothing back: what was released stays so.
#[derive(InputObject)]
pub struct PendingUntilInput {
    /// The key of its type.
    event_type: String,
    /// The bare path of the property that names the order, in the order's event and in the one that releases it; a text or a number in
    /// both. Points of an order without a name are never released. Events that name the same order earn once, by the latest of them.
    r#match: String,
}

/// Events that say what is left of an order: points for what is left stay, the others are taken back. The latest such event counts;
/// so any split of refunds takes back what one full refund does. They count also where the program is paused or over by then.
#[derive(InputObject)]
pub struct RefundInput {
    /// The key of their type. What is left stands in the property that `perUnit` names.
    event_type: String,
    /// The bare path of the property that names the order, in the order's event and in its refund; a text or a number in both.
    r#match: String,
    /// What is done where the points were spent already.
    #[graphql(default_with = "Some(Shortfall::Forgive)")]
    shortfall: Option<Shortfall>,
}

/// A reward that the member is given: a redemption that costs nothing.
#[derive(InputObject)]
pub struct RewardOutcomeInput {
    /// The key of the reward, of any program of the employer.
    reward: String,
    /// How many of it, 1 to 100.
    #[graphql(default_with = "Some(1)")]
    quantity: Option<i32>,
    /// What becomes of it when events that it was earned by are retracted: what was handed over already stays. Unless given it follows
    /// the other outcomes: either all are kept or none is. Where none says so: `KEEP` where an event type of the incentive is sensitive,
    /// else `REVOKE`.
    on_retraction: Option<RetractionPolicy>,
}

/// A campaign by which the member is written to.
#[derive(InputObject)]
pub struct MessageOutcomeInput {
    /// The key of the campaign.
    campaign: String,
}

impl OutcomeInput {
    /// The outcome as the rules know it.
    pub fn outcome(self) -> Outcome {
        match self {
            Self::Achievement(outcome) => Outcome::Achievement(AchievementOutcome {
                title: outcome.title,
                description: outcome.description,
                on_retraction: outcome.on_retraction.map(Into::into),
            }),
            Self::Points(outcome) => Outcome::Points(outcome.outcome()),
            Self::Reward(outcome) => Outcome::Reward(RewardOutcome {
                reward: outcome.reward,
                // What is less than nothing is refused like nothing.
                quantity: u32::try_from(outcome.quantity.unwrap_or(1)).unwrap_or(0),
                on_retraction: outcome.on_retraction.map(Into::into),
            }),
            Self::Message(outcome) => Outcome::Message(MessageOutcome {
                campaign: outcome.campaign,
            }),
        }
    }
}

impl PointsOutcomeInput {
    fn outcome(self) -> PointsOutcome {
        PointsOutcome {
            category: self.category.unwrap_or_else(|| DEFAULT_CATEGORY.to_owned()),
            amount: self.amount.map(|amount| amount.0),
            per_unit: self.per_unit.map(|per_unit| PerUnit {
                property: per_unit.property,
                points: per_unit.points.0.normalize(),
                rounding: per_unit.rounding.unwrap_or(Rounding::Down).into(),
            }),
            multiplier: self.multiplier.map(|multiplier| multiplier.0.normalize()),
            expires_after: self.expires_after.map(|after| after.0),
            pending_for: self.pending_for.map(|pending| pending.0.num_seconds()),
            pending_until: self.pending_until.map(|release| ReleaseOutcome {
                event_type: release.event_type,
                match_on: release.r#match,
            }),
            cap: self.cap.map(|cap| CapOutcome {
                amount: cap.amount.0,
                window: cap.window.into(),
                excess: cap.excess.unwrap_or(CapExcess::Cut).into(),
            }),
            refund: self.refund.map(|refund| RefundOutcome {
                event_type: refund.event_type,
                match_on: refund.r#match,
                shortfall: refund.shortfall.unwrap_or(Shortfall::Forgive).into(),
            }),
            on_retraction: self.on_retraction.map(Into::into),
        }
    }
}
