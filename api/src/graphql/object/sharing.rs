//! What a member has said of sharing, and what was shared.

use async_graphql::{Enum, SimpleObject};
use entity::consent::Purpose;

use super::feed::FeedEntryKind;
use crate::domain::sharing::{Told, Word};
use crate::graphql::scalar::DateTime;

/// What a consent is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "Purpose")]
pub enum ConsentPurpose {
    /// Partners may learn of what the member achieves.
    PartnerSharing,
    /// The member may be mailed.
    Email,
}

/// Something that a member has said.
#[derive(SimpleObject)]
pub struct ConsentWord {
    /// What for.
    purpose: ConsentPurpose,
    /// The key of the partner; null: all of them.
    partner: Option<String>,
    /// Yes or no.
    given: bool,
    /// The version of the wording that the member has answered to; null: whoever recorded it has not said.
    wording: Option<String>,
    /// Since when.
    recorded_at: DateTime,
}

impl From<Word> for ConsentWord {
    fn from(word: Word) -> Self {
        Self {
            purpose: word.consent.purpose.into(),
            partner: word.partner,
            given: word.consent.given,
            wording: word.consent.wording,
            recorded_at: word.consent.recorded_at.into(),
        }
    }
}

/// Something that a partner was told of a member.
#[derive(SimpleObject)]
pub struct SharedFact {
    /// The key of the partner.
    partner: String,
    /// Its name for people.
    partner_name: String,
    /// What it was told.
    kind: FeedEntryKind,
    /// Of an achievement its title, of a redemption the name of the reward.
    title: String,
    /// When it was told.
    recorded_at: DateTime,
    /// The word by which it could be told. Null: the employer's default, or the member had asked for the reward that the partner fulfils,
    /// which is a consent of its own.
    consent: Option<ConsentWord>,
}

impl From<Told> for SharedFact {
    fn from(told: Told) -> Self {
        Self {
            partner: told.shared.partner_key,
            partner_name: told.shared.partner_name,
            kind: told.shared.kind.into(),
            title: told.shared.title,
            recorded_at: told.shared.recorded_at.into(),
            // A refusal in force is not what it was told by: then the member had asked for it, or it is told that it is over.
            consent: told.word.filter(|word| word.consent.given).map(Into::into),
        }
    }
}
