//! Feeds: of partners, and of what members achieve.

use std::sync::Arc;

use async_graphql::{Enum, ID, Object, SimpleObject, Union};
use entity::feed::{self, Subject, cursor};
use entity::id::PartnerId;

use super::{Achievement, Redemption};
use crate::domain::feed::names::Names;
use crate::graphql::error::ApiError;
use crate::graphql::scalar::{BigInt, DateTime};

/// What an entry of a feed tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "feed::FeedEntryKind")]
pub enum FeedEntryKind {
    /// A member has earned an achievement.
    AchievementEarned,
    /// An achievement was taken back that this feed has told of, or in `memberActivity` of whenever: the entry has another id and position, the achievement the same id.
    /// It does not come back: who earns it again has a new one.
    AchievementRevoked,
    /// A member has asked for a reward that the partner fulfils, or was given one; in `memberActivity`, whoever fulfils it. A partner
    /// answers with `fulfilRedemption` or `cancelRedemption`.
    RedemptionRequested,
    /// A redemption that this feed has told of, or in `memberActivity` of whenever, was called off, by whomever, or has expired: it is no longer to be fulfilled.
    RedemptionCancelled,
}

/// An entry of the partner's feed. Polling and the subscription carry the same entries, ids and positions.
pub struct FeedEntry {
    /// Whose feed.
    pub partner: PartnerId,
    /// The entry.
    pub entry: feed::Entry,
    /// What it names, where it is shown to many at once.
    pub names: Option<Arc<Names>>,
}

/// An entry of a feed. Polling, the subscription and webhooks carry the same entries, ids and positions. To a partner all times in it are
/// to the second.
#[Object]
impl FeedEntry {
    /// Its global id: the same wherever and however often the entry is delivered, and of no other feed.
    pub async fn id(&self) -> ID {
        self.entry.id.to_string().into()
    }

    /// Its place in the feed: 1, 2, 3 in the order of recording, with no hole. Who has every position has missed nothing. The
    /// `memberActivity` of one member is a part of that of all, with the same positions, and so has holes.
    async fn position(&self) -> BigInt {
        BigInt(self.entry.position)
    }

    /// Where to go on after this entry, in `after`.
    async fn cursor(&self) -> String {
        cursor::write(self.partner, self.entry.position)
    }

    /// What it tells.
    async fn kind(&self) -> FeedEntryKind {
        self.entry.kind.into()
    }

    /// When it was recorded.
    async fn recorded_at(&self) -> DateTime {
        self.entry.recorded_at.into()
    }

    /// The achievement it tells of, as it tells it: an entry never changes, so the one of the earning goes on saying `EARNED`. Null for
    /// kinds that tell of something else.
    async fn achievement(&self) -> Option<Achievement> {
        match &self.entry.subject {
            Subject::Achievement(told) => {
                let (employer, name) = (self.entry.employer_id, &self.entry.member_ref);
                Some(Achievement::of_partner(employer, name, told).with_names(self.names.clone()))
            }
            Subject::Redemption(_) => None,
        }
    }

    /// The redemption it tells of, as it tells it: an entry never changes, so the one of the request goes on saying `HELD`; where it
    /// stands by now says `node`. Null for kinds that tell of something else.
    async fn redemption(&self) -> Option<Redemption> {
        match &self.entry.subject {
            Subject::Redemption(told) => {
                let (employer, name) = (self.entry.employer_id, &self.entry.member_ref);
                Some(Redemption::told(employer, name, told).with_names(self.names.clone()))
            }
            Subject::Achievement(_) => None,
        }
    }
}

/// A page of a feed.
#[derive(SimpleObject)]
pub struct FeedPage {
    /// The entries, by position.
    pub entries: Vec<FeedEntry>,
    /// Where to go on, in `after`: after the last entry of this page, or where the page started when it has none; of one member's
    /// activity, where there is nothing more of the member. Null only when nothing was ever read.
    pub end_cursor: Option<String>,
    /// Whether there are more entries already.
    pub has_more: bool,
}

/// What proves that two sides hold the same entries.
#[derive(SimpleObject)]
pub struct FeedDigest {
    /// The first position that was asked for.
    pub from: BigInt,
    /// The last position that was asked for.
    pub to: BigInt,
    /// How many entries there are from the one to the other.
    pub count: BigInt,
    /// SHA-256 in lower-case hexadecimal digits over `position:id` of each entry, by position, each followed by a line feed (U+000A):
    /// such as `1:fee_01JD…`.
    pub sha256: String,
}

/// Everything that was there has been replayed: what follows is live.
#[derive(SimpleObject)]
pub struct FeedCaughtUp {
    /// The position of the last entry replayed, or where the replay started when there was none.
    pub position: BigInt,
    /// Where to go on after it, in `after`.
    pub cursor: String,
}

/// What the subscription to a feed delivers.
#[derive(Union)]
pub enum FeedMessage {
    /// An entry, replayed or live.
    FeedEntry(FeedEntry),
    /// The replay is over. Sent once.
    FeedCaughtUp(FeedCaughtUp),
}

/// The position behind a cursor of this feed.
pub fn position(partner: PartnerId, text: &str) -> Result<i64, ApiError> {
    cursor::read(partner, text)
        .ok_or_else(|| ApiError::BadInput("`after` is not a cursor of this feed".to_owned()))
}
