//! What follows from an award: the stored outcomes of an incentive version.

mod check;
mod points;

use serde::{Deserialize, Serialize};

pub use check::{check, is_category};
pub use points::{
    CapOutcome, DEFAULT_CATEGORY, PerUnit, PointsOutcome, RefundOutcome, ReleaseOutcome, Shortfall,
};

/// One outcome. The stored form is a JSON object with one field that names the kind.
#[expect(clippy::large_enum_variant, reason = "an incentive has at most ten of them")]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Outcome {
    /// The member has an achievement, and the partners learn of it.
    Achievement(AchievementOutcome),
    /// The member gets points.
    Points(PointsOutcome),
    /// The member is given a reward.
    Reward(RewardOutcome),
    /// The member is written to.
    Message(MessageOutcome),
}

/// An achievement as the member and the partners see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AchievementOutcome {
    /// What the member is congratulated on.
    pub title: String,
    /// More about it, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// What becomes of it when it no longer holds; none: by the other outcomes, else by the incentive's sensitivity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_retraction: Option<RetractionPolicy>,
}

/// A reward that the member is given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RewardOutcome {
    /// The key of the reward.
    pub reward: String,
    /// How many of it.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub quantity: u32,
    /// What becomes of it when it no longer holds; none: by the other outcomes, else by the incentive's sensitivity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_retraction: Option<RetractionPolicy>,
}

/// A campaign by which the member is written to. A message that has not gone yet does not go when the award behind it no longer holds; one
/// that has gone cannot be taken back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MessageOutcome {
    /// The key of the campaign.
    pub campaign: String,
}

fn one() -> u32 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_one(quantity: &u32) -> bool {
    *quantity == 1
}

/// What becomes of an outcome when what it was earned by is retracted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RetractionPolicy {
    /// It stays.
    Keep,
    /// It is revoked unless it was used. An achievement is never used.
    RevokeIfUnused,
    /// It is revoked.
    Revoke,
}

/// All that follows from an award, by kind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcomes {
    /// The achievement; none: the award is hidden.
    pub achievement: Option<AchievementOutcome>,
    /// Points, each of another category.
    pub points: Vec<PointsOutcome>,
    /// Rewards.
    pub rewards: Vec<RewardOutcome>,
    /// Messages, each of another campaign.
    pub messages: Vec<MessageOutcome>,
}

impl Outcomes {
    /// The outcomes of a list.
    pub fn new(list: impl IntoIterator<Item = Outcome>) -> Self {
        let mut outcomes = Self::default();
        for outcome in list {
            match outcome {
                Outcome::Achievement(achievement) => {
                    outcomes.achievement.get_or_insert(achievement);
                }
                Outcome::Points(points) => outcomes.points.push(points),
                Outcome::Reward(reward) => outcomes.rewards.push(reward),
                Outcome::Message(message) => outcomes.messages.push(message),
            }
        }
        outcomes
    }

    /// What becomes of an outcome that says `said` about it, when it no longer holds. They are kept all together or not at all: one
    /// that says nothing follows those that do; where none does, the cause of something sensitive is erased and the outcomes kept,
    /// and anything else is revoked.
    pub fn policy(&self, said: Option<RetractionPolicy>, is_sensitive: bool) -> RetractionPolicy {
        let achievement = self.achievement.iter().map(|outcome| outcome.on_retraction);
        let points = self.points.iter().map(|outcome| outcome.on_retraction);
        let rewards = self.rewards.iter().map(|outcome| outcome.on_retraction);
        let any = achievement.chain(points).chain(rewards).flatten().next();
        said.unwrap_or(match any {
            Some(RetractionPolicy::Keep) => RetractionPolicy::Keep,
            None if is_sensitive => RetractionPolicy::Keep,
            Some(_) | None => RetractionPolicy::Revoke,
        })
    }

    /// Whether they stay when what they were earned by is taken back.
    pub fn are_kept(&self, is_sensitive: bool) -> bool {
        self.policy(None, is_sensitive) == RetractionPolicy::Keep
    }

    /// The points of a category.
    pub fn points_of(&self, category: &str) -> Option<&PointsOutcome> {
        self.points.iter().find(|points| points.category == category)
    }
}

/// Reads the stored outcomes of a version; an error says what is wrong with them, and nothing about any member.
pub fn parse(stored: &serde_json::Value) -> Result<Vec<Outcome>, String> {
    Vec::deserialize(stored).map_err(|error| format!("the outcomes cannot be read: {error}"))
}
