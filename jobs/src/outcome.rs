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
}

/// Reads the stored outcomes of a version; an error says what is wrong with them, and nothing about any member.
pub fn parse(stored: &serde_json::Value) -> Result<Vec<Outcome>, String> {
    Vec::deserialize(stored).map_err(|error| format!("the outcomes cannot be read: {error}"))
}
