//! The one thing here that remembers: what a process needs to know who is asking. The keys and the revoked clients are set from
//! the tables by whoever reads them (at the start, and every second or two); asking never touches a database.

use std::collections::HashSet;
use std::sync::{Arc, PoisonError, RwLock};

use chrono::{DateTime, Utc};

use super::keys::KeyRing;
use super::token::{Authority, Refusal, Unauthenticated, VerifiedTokens, verify};
use super::viewer::Viewer;

/// How many verified tokens a process remembers: about 10 MB, more than the clients of a large installation have at a time.
const REMEMBERED_TOKENS: usize = 20_000;

/// Turns tokens into viewers.
#[derive(Debug)]
pub struct Verifier {
    authority: Authority,
    // Both locks are held to copy a pointer or to replace it, nothing else.
    keys: RwLock<Arc<Keys>>,
    revoked: RwLock<Arc<HashSet<String>>>,
}

/// A ring, and the tokens verified with this ring and no other.
#[derive(Debug)]
struct Keys {
    ring: Arc<KeyRing>,
    verified: VerifiedTokens,
}

impl Keys {
    fn new(ring: KeyRing) -> Arc<Self> {
        Arc::new(Self {
            ring: Arc::new(ring),
            verified: VerifiedTokens::new(REMEMBERED_TOKENS),
        })
    }
}

impl Verifier {
    /// A verifier of tokens of this authority, signed with these keys.
    pub fn new(authority: Authority, ring: KeyRing) -> Self {
        Self {
            authority,
            keys: RwLock::new(Keys::new(ring)),
            revoked: RwLock::default(),
        }
    }

    /// Who signs the tokens, and for whom.
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// The keys at hand, to sign with and to publish.
    pub fn ring(&self) -> Arc<KeyRing> {
        Arc::clone(&self.keys().ring)
    }

    /// Replaces the keys. What was verified with the old ones is forgotten; call it when the stored keys have changed.
    pub fn set_keys(&self, ring: KeyRing) {
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = Keys::new(ring);
    }

    /// Replaces the clients whose tokens are taken no more. A client revoked longer ago than [`super::token::LONGEST_LIFE`]
    /// need not be among them: it has no token left.
    pub fn set_revoked(&self, clients: HashSet<String>) {
        *self.revoked.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(clients);
    }

    /// The viewer that `token` makes at `now`.
    pub fn authenticate(&self, token: &str, now: DateTime<Utc>) -> Result<Arc<Viewer>, Unauthenticated> {
        let keys = self.keys();
        let viewer = keys
            .verified
            .viewer(token, now, || verify(&keys.ring, &self.authority, token, now))?;
        self.still(&viewer, now)?;
        Ok(viewer)
    }

    /// Whether a viewer taken earlier may go on at `now`: for open sockets, on every message and from time to time in silence.
    pub fn still(&self, viewer: &Viewer, now: DateTime<Utc>) -> Result<(), Unauthenticated> {
        if !viewer.lives_at(now) {
            return Err(Refusal::Expired.into());
        }
        let revoked = Arc::clone(&self.revoked.read().unwrap_or_else(PoisonError::into_inner));
        if revoked.contains(&viewer.client_id) {
            Err(Refusal::Revoked.into())
        } else {
            Ok(())
        }
    }

    fn keys(&self) -> Arc<Keys> {
        Arc::clone(&self.keys.read().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::auth::testing::{at, authority, ring};
    use crate::auth::token::{Grant, issue};
    use crate::auth::viewer::Party;

    fn token(ring: &KeyRing, client_id: &str) -> String {
        let grant = Grant {
            party: Party::Operator,
            client_id: client_id.to_owned(),
            scopes: "operator".parse().unwrap(),
            life: TimeDelta::minutes(10),
            token_id: "token".to_owned(),
        };
        issue(ring, &authority(), &grant, at(0))
            .unwrap()
            .expose()
            .to_owned()
    }

    #[test]
    fn a_token_makes_the_same_viewer_again_and_again() {
        let ring = ring();
        let verifier = Verifier::new(authority(), ring.clone());
        let token = token(&ring, "cli");
        let first = verifier.authenticate(&token, at(0)).unwrap();
        let second = verifier.authenticate(&token, at(599)).unwrap();
        assert!(Arc::ptr_eq(&first, &second));
        assert_eq!(
            verifier.authenticate(&token, at(600)).unwrap_err().reason(),
            Refusal::Expired
        );
    }

    #[test]
    fn a_revoked_client_is_refused_though_its_token_is_remembered_and_its_socket_open() {
        let ring = ring();
        let verifier = Verifier::new(authority(), ring.clone());
        let (revoked, other) = (token(&ring, "revoked"), token(&ring, "other"));
        let viewer = verifier.authenticate(&revoked, at(0)).unwrap();
        verifier.set_revoked(HashSet::from(["revoked".to_owned()]));
        assert_eq!(
            verifier.authenticate(&revoked, at(1)).unwrap_err().reason(),
            Refusal::Revoked
        );
        assert_eq!(
            verifier.still(&viewer, at(1)).unwrap_err().reason(),
            Refusal::Revoked
        );
        assert!(verifier.authenticate(&other, at(1)).is_ok());
    }

    #[test]
    fn a_viewer_may_not_go_on_past_its_end() {
        let ring = ring();
        let verifier = Verifier::new(authority(), ring.clone());
        let viewer = verifier.authenticate(&token(&ring, "cli"), at(0)).unwrap();
        assert!(verifier.still(&viewer, at(599)).is_ok());
        assert_eq!(
            verifier.still(&viewer, at(600)).unwrap_err().reason(),
            Refusal::Expired
        );
    }

    #[test]
    fn a_withdrawn_key_takes_its_remembered_tokens_along() {
        let old = ring();
        let verifier = Verifier::new(authority(), old.clone());
        let token = token(&old, "cli");
        assert!(verifier.authenticate(&token, at(0)).is_ok());
        verifier.set_keys(ring());
        assert_eq!(
            verifier.authenticate(&token, at(0)).unwrap_err().reason(),
            Refusal::Key
        );
    }
}
