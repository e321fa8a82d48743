//! The keys that sign tokens: ES256 key pairs, which one signs now, which ones still verify, and how one follows another.
//!
//! ```text
//!            created_at        signs_from                  successor's signs_from        verifies_until
//!  unknown ──────┼─ published ─────┼─ published and signing ────────┼─ published, verifies only ─┼── forgotten
//! ```
//! A key is published before it signs, so that whoever caches the public keys knows it before its first token, and it verifies
//! until the last token it can have signed is over. Nothing here reads a clock or a table: both are handed in.

use std::collections::HashMap;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::jwk::{Jwk, JwkSet, PublicKeyUse, ThumbprintHash};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey};

use super::token::{CLOCK_SKEW, LONGEST_LIFE};

/// The one algorithm of every key, and so of every token: nothing in a token chooses how it is verified.
pub const ALGORITHM: Algorithm = Algorithm::ES256;

/// How long the public keys may be cached by whoever fetches them (the `max-age` of the JWKS address).
pub const PUBLIC_KEYS_MAX_AGE: TimeDelta = TimeDelta::minutes(5);

/// How long a key is published before it may sign: twice the time for which the public keys may be cached.
pub const PUBLISHED_AHEAD: TimeDelta = TimeDelta::minutes(10);

/// How long a key signs before its successor is published.
pub const SIGNING_LIFE: TimeDelta = TimeDelta::days(30);

/// A key could not be made or read, or a rotation is not possible.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The generator of keys failed.
    #[error("no key could be generated")]
    Generation,
    /// The stored bytes are no ES256 key pair.
    #[error("the stored signing key is not an ES256 key pair in PKCS#8")]
    Rejected,
    /// A key is already published and waits for its turn to sign.
    #[error("the next signing key is already published")]
    AlreadyPending,
    /// A successor must be published for [`PUBLISHED_AHEAD`] before it signs.
    #[error("a signing key must be published at least {} minutes before it signs", PUBLISHED_AHEAD.num_minutes())]
    TooSoon,
    /// The instant lies outside the calendar.
    #[error("the instant is out of range")]
    OutOfRange,
}

/// A signing key with its times. `Debug` shows the name and the times, never the private part.
#[derive(Debug, Clone)]
pub struct Key {
    kid: String,
    // Redacts itself in `Debug` and wipes itself on drop; it holds the PKCS#8 bytes as given.
    private: EncodingKey,
    verifying: DecodingKey,
    public: Jwk,
    created_at: DateTime<Utc>,
    signs_from: DateTime<Utc>,
    verifies_until: Option<DateTime<Utc>>,
}

impl Key {
    /// A fresh key, published from `now` on and signing from `signs_from` on.
    pub fn generate(now: DateTime<Utc>, signs_from: DateTime<Utc>) -> Result<Self, KeyError> {
        let pair =
            EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map_err(|_| KeyError::Generation)?;
        let pkcs8 = pair.to_pkcs8v1().map_err(|_| KeyError::Generation)?;
        Self::from_pkcs8(pkcs8.as_ref(), now, signs_from, None)
    }

    /// The key as it was stored: the private part as PKCS#8, and its times. Its name follows from the bytes.
    pub fn from_pkcs8(
        pkcs8: &[u8],
        created_at: DateTime<Utc>,
        signs_from: DateTime<Utc>,
        verifies_until: Option<DateTime<Utc>>,
    ) -> Result<Self, KeyError> {
        let private = EncodingKey::from_ec_der(pkcs8);
        let mut public = Jwk::from_encoding_key(&private, ALGORITHM).map_err(|_| KeyError::Rejected)?;
        let verifying = DecodingKey::from_jwk(&public).map_err(|_| KeyError::Rejected)?;
        // The thumbprint of RFC 7638: the same key has the same name wherever it is loaded.
        let kid = public
            .thumbprint(ThumbprintHash::SHA256)
            .map_err(|_| KeyError::Rejected)?;
        public.common.key_id = Some(kid.clone());
        public.common.public_key_use = Some(PublicKeyUse::Signature);
        Ok(Self {
            kid,
            private,
            verifying,
            public,
            created_at,
            signs_from,
            verifies_until,
        })
    }

    /// Its name: in the header of its tokens, and in the published set.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The private part, to be stored. Whoever has these bytes can sign any token.
    pub fn private_pkcs8(&self) -> &[u8] {
        self.private.as_bytes()
    }

    /// The public part.
    pub fn public(&self) -> &Jwk {
        &self.public
    }

    /// When it was made, and published.
    pub fn created_at(&self) -> DateTime<Utc> {
        self.created_at
    }

    /// From when on it signs.
    pub fn signs_from(&self) -> DateTime<Utc> {
        self.signs_from
    }

    /// From when on its tokens are worth nothing; none as long as it has no successor.
    pub fn verifies_until(&self) -> Option<DateTime<Utc>> {
        self.verifies_until
    }

    /// Whether tokens signed with it are taken at `now`. Also before it signs: another process may be a moment ahead.
    pub fn verifies_at(&self, now: DateTime<Utc>) -> bool {
        self.verifies_until.is_none_or(|until| now < until)
    }

    pub(super) fn signing(&self) -> &EncodingKey {
        &self.private
    }

    pub(super) fn verifying(&self) -> &DecodingKey {
        &self.verifying
    }
}

/// The name follows from the bytes, so two keys are the same when their names and their times are.
impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        let times = |key: &Self| (key.created_at, key.signs_from, key.verifies_until);
        self.kid == other.kid && times(self) == times(other)
    }
}

/// What a rotation changes in the store, in one transaction.
#[derive(Debug)]
pub struct Rotation {
    /// The key to add.
    pub publish: Key,
    /// The keys it replaces, by name.
    pub replaced: Vec<String>,
    /// From when on the replaced keys verify no more.
    pub verifies_until: DateTime<Utc>,
}

/// The keys of an installation, by name.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct KeyRing(HashMap<String, Key>);

impl KeyRing {
    /// The ring of these keys.
    pub fn new(keys: impl IntoIterator<Item = Key>) -> Self {
        Self(keys.into_iter().map(|key| (key.kid.clone(), key)).collect())
    }

    /// The key that signs at `now`: of those whose turn has come, the one whose turn came last. None in an empty ring.
    pub fn signer(&self, now: DateTime<Utc>) -> Option<&Key> {
        self.0
            .values()
            .filter(|key| key.signs_from <= now && key.verifies_at(now))
            .max_by_key(|key| (key.signs_from, &key.kid))
    }

    /// The key of this name, if its tokens are taken at `now`. The name is only ever looked up here: never a path, an address
    /// or a query.
    pub fn verifier(&self, kid: &str, now: DateTime<Utc>) -> Option<&Key> {
        self.0.get(kid).filter(|key| key.verifies_at(now))
    }

    /// The public keys at `now`: every one that still verifies, those that will sign later included. Oldest first.
    pub fn public_keys(&self, now: DateTime<Utc>) -> JwkSet {
        let mut keys: Vec<&Key> = self.0.values().filter(|key| key.verifies_at(now)).collect();
        keys.sort_by_key(|key| (key.signs_from, &key.kid));
        JwkSet {
            keys: keys.into_iter().map(|key| key.public.clone()).collect(),
        }
    }

    /// The first key, for a ring without any: it signs at once, as nobody can have cached the keys of an installation that
    /// never signed a token.
    pub fn first_key(now: DateTime<Utc>) -> Result<Key, KeyError> {
        Key::generate(now, now)
    }

    /// Whether it is time for a successor: the last key has signed for [`SIGNING_LIFE`].
    pub fn is_rotation_due(&self, now: DateTime<Utc>) -> bool {
        let last = self
            .0
            .values()
            .filter(|key| key.verifies_until.is_none())
            .map(|key| key.signs_from)
            .max();
        last.and_then(|last| last.checked_add_signed(SIGNING_LIFE))
            .is_some_and(|due| due <= now)
    }

    /// Makes `successor` the next key. The keys before it verify until the last token they can have signed is over; the clocks
    /// of the processes may differ by [`CLOCK_SKEW`].
    pub fn rotate(&self, successor: Key, now: DateTime<Utc>) -> Result<Rotation, KeyError> {
        if self
            .0
            .values()
            .any(|key| key.signs_from > now && key.verifies_until.is_none())
        {
            return Err(KeyError::AlreadyPending);
        }
        let signs_from = successor.signs_from;
        if now
            .checked_add_signed(PUBLISHED_AHEAD)
            .is_none_or(|earliest| signs_from < earliest)
        {
            return Err(KeyError::TooSoon);
        }
        let verifies_until = signs_from
            .checked_add_signed(LONGEST_LIFE)
            .and_then(|until| until.checked_add_signed(CLOCK_SKEW))
            .ok_or(KeyError::OutOfRange)?;
        let mut replaced: Vec<String> = self
            .0
            .values()
            .filter(|key| key.verifies_until.is_none())
            .map(|key| key.kid.clone())
            .collect();
        replaced.sort();
        Ok(Rotation {
            publish: successor,
            replaced,
            verifies_until,
        })
    }

    /// The ring after a rotation, as the store will hold it.
    #[must_use]
    pub fn after(&self, rotation: Rotation) -> Self {
        let mut keys = self.0.clone();
        for kid in &rotation.replaced {
            if let Some(key) = keys.get_mut(kid) {
                key.verifies_until = Some(rotation.verifies_until);
            }
        }
        keys.insert(rotation.publish.kid.clone(), rotation.publish);
        Self(keys)
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    use super::*;
    use crate::auth::testing::at;

    const DAY: i64 = 86_400;

    fn key(signs_from: i64) -> Key {
        Key::generate(at(signs_from.min(0)), at(signs_from)).unwrap()
    }

    fn kids(ring: &KeyRing, now: i64) -> Vec<String> {
        ring.public_keys(at(now))
            .keys
            .into_iter()
            .map(|jwk| jwk.common.key_id.unwrap())
            .collect()
    }

    #[test]
    fn the_name_of_a_key_is_its_rfc_7638_thumbprint() {
        let key = key(0);
        let jwk = serde_json::to_value(key.public()).unwrap();
        let canonical = format!(
            r#"{{"crv":"P-256","kty":"EC","x":{},"y":{}}}"#,
            jwk["x"], jwk["y"]
        );
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, canonical.as_bytes());
        assert_eq!(key.kid(), URL_SAFE_NO_PAD.encode(digest));
    }

    #[test]
    fn a_published_key_holds_the_public_part_alone() {
        let jwk = serde_json::to_value(key(0).public()).unwrap();
        let members: Vec<&str> = jwk.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(members, ["alg", "crv", "kid", "kty", "use", "x", "y"]);
        assert_eq!(
            (jwk["alg"].as_str(), jwk["use"].as_str()),
            (Some("ES256"), Some("sig"))
        );
    }

    #[test]
    fn a_stored_key_comes_back_under_its_name() {
        let key = key(0);
        let loaded = Key::from_pkcs8(key.private_pkcs8(), at(0), at(5), Some(at(9))).unwrap();
        assert_eq!((loaded.kid(), loaded.public()), (key.kid(), key.public()));
        assert_eq!(
            (loaded.created_at(), loaded.signs_from(), loaded.verifies_until()),
            (at(0), at(5), Some(at(9)))
        );
    }

    #[test]
    fn bytes_that_are_no_p256_key_are_refused() {
        let p384 = EcdsaKeyPair::generate(&aws_lc_rs::signature::ECDSA_P384_SHA384_FIXED_SIGNING).unwrap();
        let p384 = p384.to_pkcs8v1().unwrap();
        let good = key(0);
        let truncated = &good.private_pkcs8()[..good.private_pkcs8().len() - 1];
        for bad in [&b""[..], b"key", p384.as_ref(), truncated] {
            assert!(matches!(
                Key::from_pkcs8(bad, at(0), at(0), None),
                Err(KeyError::Rejected)
            ));
        }
    }

    #[test]
    fn a_key_never_prints_its_private_part() {
        let key = key(0);
        let printed = format!("{key:?} {:?}", KeyRing::new([key.clone()]));
        let private = format!("{:?}", &key.private_pkcs8()[40..60]);
        let bytes = private.trim_matches(['[', ']']);
        assert!(!printed.contains(bytes) && printed.contains("redacted"));
    }

    #[test]
    fn an_empty_ring_signs_and_verifies_nothing() {
        let ring = KeyRing::default();
        assert!(ring.signer(at(0)).is_none() && ring.verifier("any", at(0)).is_none());
        assert!(ring.public_keys(at(0)).keys.is_empty());
    }

    #[test]
    fn the_first_key_signs_at_once() {
        let first = KeyRing::first_key(at(0)).unwrap();
        let kid = first.kid().to_owned();
        assert_eq!(KeyRing::new([first]).signer(at(0)).unwrap().kid(), kid);
    }

    #[test]
    fn a_rotation_goes_from_published_to_signing_to_forgotten_without_a_gap() {
        let (old, new) = (key(0), key(1_000));
        let (old_kid, new_kid) = (old.kid().to_owned(), new.kid().to_owned());
        let before = KeyRing::new([old]);
        let rotation = before.rotate(new, at(400)).unwrap();
        assert_eq!(rotation.replaced, std::slice::from_ref(&old_kid));
        let over = 1_000 + DAY + CLOCK_SKEW.num_seconds();
        assert_eq!(rotation.verifies_until, at(over));
        let ring = before.after(rotation);

        for (now, signer, published) in [
            (400, &old_kid, vec![&old_kid, &new_kid]),
            (999, &old_kid, vec![&old_kid, &new_kid]),
            (1_000, &new_kid, vec![&old_kid, &new_kid]),
            (over - 1, &new_kid, vec![&old_kid, &new_kid]),
            (over, &new_kid, vec![&new_kid]),
        ] {
            assert_eq!(ring.signer(at(now)).unwrap().kid(), signer, "at {now}");
            assert_eq!(kids(&ring, now).iter().collect::<Vec<_>>(), published, "at {now}");
            for kid in [&old_kid, &new_kid] {
                assert_eq!(
                    ring.verifier(kid, at(now)).is_some(),
                    published.contains(&kid),
                    "at {now}"
                );
            }
        }
    }

    #[test]
    fn a_successor_that_was_not_published_long_enough_is_refused() {
        let ring = KeyRing::new([key(0)]);
        assert!(matches!(ring.rotate(key(699), at(100)), Err(KeyError::TooSoon)));
        assert!(ring.rotate(key(700), at(100)).is_ok());
    }

    #[test]
    fn a_successor_is_due_after_thirty_days_of_signing() {
        let ring = KeyRing::new([key(0)]);
        assert!(!ring.is_rotation_due(at(30 * DAY - 1)));
        assert!(ring.is_rotation_due(at(30 * DAY)));
        let ring = ring.after(ring.rotate(key(31 * DAY), at(30 * DAY)).unwrap());
        assert!(!ring.is_rotation_due(at(30 * DAY)));
        assert!(!ring.is_rotation_due(at(60 * DAY)));
        assert!(ring.is_rotation_due(at(61 * DAY)));
        assert!(!KeyRing::default().is_rotation_due(at(0)));
    }

    #[test]
    fn two_successors_at_once_are_refused() {
        let ring = KeyRing::new([key(0)]);
        let ring = ring.after(ring.rotate(key(1_000), at(100)).unwrap());
        assert!(matches!(
            ring.rotate(key(2_000), at(200)),
            Err(KeyError::AlreadyPending)
        ));
        assert!(ring.rotate(key(3_000), at(1_000)).is_ok());
    }
}
