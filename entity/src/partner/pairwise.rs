//! The ids by which one partner knows things of members: achievements, redemptions and the entries of its feed.
//!
//! Under one id for all, two partners could lay their feeds side by side and find out who is the same person; even the entries'
//! own ids would do, as those of one moment follow each other. So each partner has an id of its own for each of them: the id
//! enciphered as a single block under a key of that partner's. It is stable, no two things have the same, it tells nothing of when
//! the thing was made, and it leads back to the thing for that partner alone.
//!
//! The feed of an employer's own hides nothing from the employer: there a thing has the id that it has everywhere, and its time.

use aws_lc_rs::cipher::{AES_256, DecryptingKey, DecryptionContext, EncryptingKey, UnboundCipherKey};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::hmac;
use sea_orm::entity::prelude::*;

use crate::clock::Timestamp;
use crate::id::{EmployerId, TypedId};

/// What the key of the ids is derived for; the members' names come from the same secret by another way.
const PURPOSE: &[u8] = b"ids of things";

/// The ids by which the owner of one feed knows things of members.
pub struct PairwiseIds(Option<Keys>);

/// The keys of a partner.
struct Keys {
    out: EncryptingKey,
    back: DecryptingKey,
}

impl PairwiseIds {
    /// The ids of the feed with this pairwise key: a partner's, or this employer's own.
    pub fn of(pairwise_key: &[u8], employer: Option<EmployerId>) -> Result<Self, DbErr> {
        match employer {
            Some(_) => Ok(Self::plain()),
            None => Self::new(pairwise_key),
        }
    }

    /// The ids that things have everywhere.
    pub const fn plain() -> Self {
        Self(None)
    }

    /// The ids of the partner with this pairwise key.
    pub fn new(pairwise_key: &[u8]) -> Result<Self, DbErr> {
        let secret = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, pairwise_key), PURPOSE);
        // One block under one key: there is no second one that a chain or a counter would have to keep apart from it.
        let key = || UnboundCipherKey::new(&AES_256, secret.as_ref()).map_err(failed);
        Ok(Self(Some(Keys {
            out: EncryptingKey::ecb(key()?).map_err(failed)?,
            back: DecryptingKey::ecb(key()?).map_err(failed)?,
        })))
    }

    /// The partner's own id of a thing.
    pub fn shown<I: TypedId>(&self, id: I) -> Result<I, DbErr> {
        let Some(keys) = &self.0 else {
            return Ok(id);
        };
        let mut block = id.uuid().into_bytes();
        keys.out.encrypt(&mut block).map_err(failed)?;
        Ok(I::from_uuid(Uuid::from_bytes(block)))
    }

    /// The thing that the partner means by an id. Any id leads somewhere; whether there is such a thing says the database.
    pub fn meant<I: TypedId>(&self, shown: I) -> Result<I, DbErr> {
        let Some(keys) = &self.0 else {
            return Ok(shown);
        };
        let mut block = shown.uuid().into_bytes();
        keys.back
            .decrypt(&mut block, DecryptionContext::None)
            .map_err(failed)?;
        Ok(I::from_uuid(Uuid::from_bytes(block)))
    }

    /// A time as it is told.
    pub fn time(&self, at: Timestamp) -> Timestamp {
        if self.0.is_some() { shown_time(at) } else { at }
    }
}

fn failed(_: Unspecified) -> DbErr {
    DbErr::Custom("the cipher of pairwise ids failed".to_owned())
}

/// A time as partners are told it, to the second: to the microsecond it would name one transaction, and so one member, to any two of
/// them.
fn shown_time(at: Timestamp) -> Timestamp {
    Timestamp(at.0 - at.0.rem_euclid(1_000_000))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{AchievementId, FeedEntryId};

    fn achievement(bits: u128) -> AchievementId {
        AchievementId::from_uuid(Uuid::from_u128(bits))
    }

    #[test]
    fn a_partner_has_its_own_id_of_a_thing_and_alone_gets_back_from_it() {
        let [spa, gym] = [b"spa", b"gym"].map(|key| PairwiseIds::new(key).unwrap());
        let one = achievement(1);
        let shown = spa.shown(one).unwrap();
        assert_eq!(shown, spa.shown(one).unwrap());
        assert_ne!(shown, one);
        assert_ne!(shown, gym.shown(one).unwrap());
        assert_eq!(spa.meant(shown).unwrap(), one);
        assert_ne!(gym.meant(shown).unwrap(), one);
        assert_ne!(spa.meant(one).unwrap(), one);
    }

    #[test]
    fn entries_that_were_made_one_after_the_other_do_not_look_so() {
        let spa = PairwiseIds::new(b"spa").unwrap();
        let [one, next] = [7, 8].map(|bits| FeedEntryId::from_uuid(Uuid::from_u128(bits)));
        let [one, next] = [one, next].map(|id| spa.shown(id).unwrap().uuid().as_u128());
        assert!((one ^ next).count_ones() > 20);
    }

    #[test]
    fn an_employer_is_told_the_ids_and_times_that_things_have_everywhere() {
        let employer = EmployerId::from_uuid(Uuid::from_u128(9));
        let own = PairwiseIds::of(b"acme", Some(employer)).unwrap();
        let one = achievement(1);
        assert_eq!((own.shown(one).unwrap(), own.meant(one).unwrap()), (one, one));
        assert_eq!(own.time(Timestamp(1_999_999)), Timestamp(1_999_999));
        let spa = PairwiseIds::of(b"acme", None).unwrap();
        assert_ne!(spa.shown(one).unwrap(), one);
        assert_eq!(spa.time(Timestamp(1_999_999)), Timestamp(1_000_000));
    }

    #[test]
    fn partners_are_told_whole_seconds() {
        assert_eq!(shown_time(Timestamp(1_999_999)), Timestamp(1_000_000));
        assert_eq!(shown_time(Timestamp(2_000_000)), Timestamp(2_000_000));
        assert_eq!(shown_time(Timestamp(-1)), Timestamp(-1_000_000));
    }
}
