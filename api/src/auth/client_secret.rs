//! The secrets of OAuth clients: made here, shown once, kept as a digest.

use std::fmt;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// What every secret begins with, so that a scanner that finds one in a repository knows what it has found.
const PREFIX: &str = "plaudit_secret_";

/// A secret as its client gets it. It prints as nothing; [`ClientSecret::expose`] shows it, once.
#[derive(Clone, PartialEq, Eq)]
pub struct ClientSecret(String);

impl ClientSecret {
    /// The secret of these 256 random bits.
    pub fn from_random(bits: [u8; 32]) -> Self {
        Self(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bits)))
    }

    /// The secret itself. Its letters mean the same before and after the percent-encoding of RFC 6749 §2.3.1, which half of
    /// all clients forget.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// What is stored of it.
    pub fn digest(&self) -> SecretDigest {
        SecretDigest::of(&self.0)
    }
}

impl fmt::Debug for ClientSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientSecret(..)")
    }
}

/// The SHA-256 of a secret: what the table holds.
///
/// A fast digest, on purpose. A slow one (argon2, bcrypt) makes up for secrets that people choose, where an attacker with the
/// table tries a list of likely ones. These are 256 random bits: at 10¹² trials a second the first half of them takes 10⁵⁷
/// years, and nothing is gained by making a trial cost more. A slow digest would only cost us: the token endpoint
/// is open to everybody, and at 50 ms and 20 MB a trial a few requests a second that know no secret at all would keep the
/// processors from everybody else.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SecretDigest([u8; 32]);

impl SecretDigest {
    /// The digest of a secret's text.
    fn of(secret: &str) -> Self {
        let mut bytes = [0; 32];
        // SHA-256 gives 32 bytes, so that the two slices are of one length.
        bytes.copy_from_slice(digest(&SHA256, secret.as_bytes()).as_ref());
        Self(bytes)
    }

    /// The digest as it was stored; none if it has another length.
    pub fn from_stored(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// The bytes to store.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for SecretDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretDigest(..)")
    }
}

/// Whether `presented` is one of the secrets behind `accepted`: the current one, and during a rotation the one before. Each
/// comparison takes the same time however much agrees. Without any accepted secret (no such client) the work is the same but
/// for the comparison; which client ids exist is no secret.
pub fn matches(presented: &str, accepted: &[SecretDigest]) -> bool {
    let presented = SecretDigest::of(presented);
    accepted.iter().fold(false, |found, one| {
        found | verify_slices_are_equal(&presented.0, &one.0).is_ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_its_prefix_and_43_letters() {
        let secret = ClientSecret::from_random([255; 32]);
        assert_eq!(
            secret.expose(),
            "plaudit_secret___________________________________________8"
        );
        assert_eq!(secret.expose().len(), PREFIX.len() + 43);
    }

    #[test]
    fn a_secret_matches_its_digest_and_no_other() {
        let (old, new) = (
            ClientSecret::from_random([1; 32]),
            ClientSecret::from_random([2; 32]),
        );
        assert!(matches(new.expose(), &[new.digest()]));
        assert!(matches(old.expose(), &[new.digest(), old.digest()]));
        assert!(!matches(old.expose(), &[new.digest()]));
        assert!(!matches(new.expose(), &[]));
        assert!(!matches("", &[new.digest()]));
        assert!(!matches(new.expose().trim_start_matches(PREFIX), &[new.digest()]));
    }

    #[test]
    fn a_digest_reads_back_from_the_store_only_at_its_length() {
        let digest = ClientSecret::from_random([7; 32]).digest();
        assert_eq!(SecretDigest::from_stored(digest.as_bytes()), Some(digest));
        assert_eq!(SecretDigest::from_stored(&digest.as_bytes()[1..]), None);
        assert_eq!(SecretDigest::from_stored(&[]), None);
    }

    #[test]
    fn neither_a_secret_nor_its_digest_prints() {
        let secret = ClientSecret::from_random([9; 32]);
        assert_eq!(
            format!("{secret:?} {:?}", secret.digest()),
            "ClientSecret(..) SecretDigest(..)"
        );
    }
}
