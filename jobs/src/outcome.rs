//! What follows from an award: the stored outcomes of an incentive version.

use serde::{Deserialize, Serialize};

/// One outcome. The stored form is a JSON object with one field that names the kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Outcome {
    /// The member has an achievement, and the partners learn of it.
    Achievement(AchievementOutcome),
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
    /// What becomes of it when it no longer holds; none: by the incentive's sensitivity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_retraction: Option<RetractionPolicy>,
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

impl AchievementOutcome {
    /// What becomes of it when it no longer holds: what was said, else the cause of something sensitive is erased and the outcome
    /// kept, and anything else is revoked.
    pub fn retraction_policy(&self, sensitive: bool) -> RetractionPolicy {
        self.on_retraction.unwrap_or(if sensitive {
            RetractionPolicy::Keep
        } else {
            RetractionPolicy::Revoke
        })
    }
}

/// Reads the stored outcomes of a version; an error says what is wrong with them, and nothing about any member.
pub fn parse(stored: &serde_json::Value) -> Result<Vec<Outcome>, String> {
    Vec::deserialize(stored).map_err(|error| format!("the outcomes cannot be read: {error}"))
}
