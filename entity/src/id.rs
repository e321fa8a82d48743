//! Typed, prefixed, sortable ids.
//!
//! An id is 128 bits: 48 bits of milliseconds, then random bits, so that rows written together lie together in every index.
//! Outside it is text, a short prefix that names the type and a ULID (`mem_01JD…`); in the databases it is a `uuid` (PostgreSQL)
//! or 16 bytes (SQLite). A function that takes a `MemberId` cannot be given a `PartnerId` by mistake.

use std::sync::{Arc, Mutex};

use sea_orm::DeriveValueType;
use ulid::Ulid;
use uuid::Uuid;

use crate::clock::Clock;

/// The text is not an id of the expected type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an id of this type")]
pub struct IdError;

/// What all typed ids have in common.
pub trait TypedId: Copy + Ord + std::fmt::Display + std::str::FromStr<Err = IdError> {
    /// The prefix of the text form, without the underscore.
    const PREFIX: &'static str;
    /// Wraps the bits; the caller vouches that they name a thing of this type.
    fn from_uuid(uuid: Uuid) -> Self;
    /// The bits as the databases store them.
    fn uuid(self) -> Uuid;
}

macro_rules! typed_ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, DeriveValueType)]
        pub struct $name(Uuid);

        impl TypedId for $name {
            const PREFIX: &'static str = $prefix;
            fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }
            fn uuid(self) -> Uuid {
                self.0
            }
        }

        impl sea_orm::TryFromU64 for $name {
            fn try_from_u64(_: u64) -> Result<Self, sea_orm::DbErr> {
                // The databases never number our rows; sea-orm asks only where they could.
                Err(sea_orm::DbErr::ConvertFromU64(stringify!($name)))
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "{}_{}", $prefix, Ulid::from(self.0))
            }
        }

        impl std::str::FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                parse(text, $prefix).map(Self)
            }
        }
    )*};
}

typed_ids! {
    /// An employer: the tenant.
    EmployerId = "emp";
    /// A kind of event of one employer's menu.
    EventTypeId = "ety";
    /// A member of one employer.
    MemberId = "mem";
    /// A program of incentives.
    ProgramId = "prg";
    /// An incentive, stable over its versions.
    IncentiveId = "inc";
    /// A partner that runs rewards, possibly for several employers.
    PartnerId = "ptr";
    /// A grant: a partner may know of a program's achievements.
    GrantId = "grt";
    /// An OAuth client.
    ClientId = "cli";
    /// An accepted event while it is queued.
    QueuedEventId = "evt";
    /// An evaluated event that is kept for its member to see.
    KeptEventId = "kev";
    /// An achievement.
    AchievementId = "ach";
    /// Points that were earned together.
    LotId = "lot";
    /// An entry of the ledger.
    PointsEntryId = "pte";
    /// A reward of a program.
    RewardId = "rwd";
    /// A member's request for a reward, or one that was given.
    RedemptionId = "rdm";
    /// An entry of a partner's feed.
    FeedEntryId = "fde";
    /// A webhook endpoint of a partner.
    WebhookEndpointId = "whe";
    /// A campaign: what members are written.
    CampaignId = "cmp";
    /// A message of a campaign to a member.
    MessageId = "msg";
    /// The place of an entry in its audit log.
    AuditPlace = "aud";
}

fn parse(text: &str, prefix: &str) -> Result<Uuid, IdError> {
    let rest = text
        .strip_prefix(prefix)
        .and_then(|rest| rest.strip_prefix('_'))
        .ok_or(IdError)?;
    let ulid = Ulid::from_string(rest).map_err(|_| IdError)?;
    // One spelling only: lower case or a look-alike letter would make two texts of one id.
    if ulid.to_string() != rest {
        return Err(IdError);
    }
    Ok(ulid.into())
}

/// Where random bits come from: the system's generator, or a seed in tests.
#[derive(Debug)]
enum Randomness {
    System,
    Seeded(u64),
}

impl Randomness {
    fn fill(&mut self, bytes: &mut [u8]) {
        match self {
            Self::System => {
                // The generator fails only when the kernel has no entropy source; ids and secrets must then not be made at all.
                #[expect(clippy::expect_used, reason = "without randomness nothing safe can go on")]
                aws_lc_rs::rand::fill(bytes).expect("the system's random generator works");
            }
            Self::Seeded(state) => {
                for byte in bytes {
                    // SplitMix64: tests need different ids, not secrets.
                    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
                    let mut z = *state;
                    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
                    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
                    *byte = (z ^ (z >> 31)).to_be_bytes()[0];
                }
            }
        }
    }
}

/// The source of ids and other random values, handed to whoever makes them.
#[derive(Clone)]
pub struct Ids {
    clock: Clock,
    state: Arc<Mutex<(Randomness, u128)>>,
}

impl Ids {
    /// Ids from the system's random generator.
    pub fn system(clock: Clock) -> Self {
        Self {
            clock,
            state: Arc::new(Mutex::new((Randomness::System, 0))),
        }
    }

    /// Reproducible ids for tests.
    pub fn seeded(clock: Clock, seed: u64) -> Self {
        Self {
            clock,
            state: Arc::new(Mutex::new((Randomness::Seeded(seed), 0))),
        }
    }

    /// A new id, greater than every one this source has given before.
    pub fn next<I: TypedId>(&self) -> I {
        I::from_uuid(self.ulid().into())
    }

    /// A new ULID as text, for request ids and the like.
    pub fn text(&self) -> String {
        self.ulid().to_string()
    }

    /// Fills `bytes` with random bits.
    pub fn fill(&self, bytes: &mut [u8]) {
        self.lock().0.fill(bytes);
    }

    fn ulid(&self) -> Ulid {
        let milliseconds = u64::try_from(self.clock.now().timestamp_millis()).unwrap_or(0);
        let mut state = self.lock();
        let mut bytes = [0; 16];
        state.0.fill(&mut bytes);
        let fresh = u128::from(Ulid::from_parts(milliseconds, u128::from_be_bytes(bytes)));
        // Within a millisecond, or when the clock steps back, count on from the last one: ids of one source never go down.
        let next = if state.1 == 0 || fresh >> 80 > state.1 >> 80 {
            fresh
        } else {
            state.1.wrapping_add(1)
        };
        state.1 = next;
        Ulid::from(next)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, (Randomness, u128)> {
        // A panic while the lock is held leaves a usable state behind: the worst is a skipped number.
        self.state
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids() -> Ids {
        Ids::seeded(Clock::manual(chrono::DateTime::UNIX_EPOCH), 7)
    }

    #[test]
    fn an_id_reads_back_from_its_text() {
        let id: MemberId = ids().next();
        assert_eq!(id.to_string().parse::<MemberId>(), Ok(id));
        assert!(id.to_string().starts_with("mem_"));
    }

    #[test]
    fn an_id_of_another_type_or_spelling_is_refused() {
        let id: MemberId = ids().next();
        let text = id.to_string();
        assert_eq!(text.parse::<PartnerId>(), Err(IdError));
        assert_eq!(text.to_lowercase().parse::<MemberId>(), Err(IdError));
        for bad in [
            "",
            "mem",
            "mem_",
            "mem_0",
            "mem_01JD",
            "mem-01ARZ3NDEKTSV4RRFFQ69G5FAV",
        ] {
            assert_eq!(bad.parse::<MemberId>(), Err(IdError), "{bad}");
        }
    }

    #[test]
    fn ids_of_one_source_go_up_even_within_a_millisecond() {
        let ids = ids();
        let made: Vec<MemberId> = (0..1000).map(|_| ids.next()).collect();
        assert!(made.windows(2).all(|pair| pair[0] < pair[1]));
    }
}
