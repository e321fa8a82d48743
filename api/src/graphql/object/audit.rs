//! The audit log.

use async_graphql::Object;
use entity::audit;
use entity::id::MemberId;

use super::viewer::ViewerKind;
use crate::auth::viewer::ViewerKind as Kind;
use crate::domain::audit::Shown;
use crate::graphql::scalar::{BigInt, DateTime, Json};

/// A change that somebody with a token has made.
pub struct AuditEntry(pub Shown);

/// A change that somebody with a token has made.
#[Object]
impl AuditEntry {
    /// Its place in the log: 1, 2, 3 in the order of the changes, with no hole.
    async fn position(&self) -> BigInt {
        BigInt(self.0.entry.position)
    }

    /// When it was made, by the employer's clock.
    async fn made_at(&self) -> DateTime {
        self.0.entry.made_at.into()
    }

    /// When it was made, by the real clock: the same, unless the employer is a sandbox.
    async fn recorded_at(&self) -> DateTime {
        self.0.entry.recorded_at.into()
    }

    /// The client whose token it was made with; `plaudit`: a token from the command line.
    async fn client_id(&self) -> &str {
        &self.0.entry.client_id
    }

    /// In whose name.
    async fn actor(&self) -> ViewerKind {
        let kind = match self.0.entry.actor {
            audit::Actor::Operator => Kind::Operator,
            audit::Actor::Employer => Kind::Employer,
            audit::Actor::Partner => Kind::Partner,
            audit::Actor::Member => Kind::Member,
        };
        kind.into()
    }

    /// The mutation.
    async fn action(&self) -> &str {
        &self.0.entry.action
    }

    /// What it was about: its key, or its id where it has none.
    async fn subject(&self) -> &str {
        &self.0.entry.subject
    }

    /// How that was before; null: it was not there. For people: the fields may change.
    async fn before(&self) -> Option<Json> {
        json(self.0.entry.before_json.as_deref())
    }

    /// How it was after it; null: there is nothing to tell, or it was no more. For people: the fields may change.
    async fn after(&self) -> Option<Json> {
        json(self.0.entry.after_json.as_deref())
    }

    /// The ids of the members it was about; `erased` in the place of one who was erased.
    async fn members(&self) -> Vec<String> {
        let shown = |member: &Option<MemberId>| match member {
            Some(member) => member.to_string(),
            None => "erased".to_owned(),
        };
        self.0.members.iter().map(shown).collect()
    }

    /// SHA-256 over the hash of the entry before it and all that this one says, in hexadecimal digits. Whoever keeps the newest one can
    /// prove later that nothing before it was changed, left out or put in.
    async fn hash(&self) -> String {
        let digits = self.0.entry.hash.iter().map(|byte| format!("{byte:02x}"));
        digits.collect()
    }
}

fn json(stored: Option<&str>) -> Option<Json> {
    stored
        .and_then(|text| serde_json::from_str(text).ok())
        .filter(|value: &serde_json::Value| !value.is_null())
        .map(Json)
}
