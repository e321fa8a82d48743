//! Tokens that verified lately, so that a client that sends the same one a thousand times costs one signature.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::digest::{SHA256, digest};
use chrono::{DateTime, Utc};

use crate::auth::viewer::Viewer;

/// A token is kept as its digest: a dump of the memory shows no token that still works.
type Digest = [u8; 32];

/// A bounded memory of verified tokens. It is kept in two halves: when the younger one is full the elder one is forgotten and
/// the younger takes its place; a token that is used moves to the younger one. So what is in use stays, without any list of
/// uses to keep. It belongs to one ring of keys and is thrown away with it.
#[derive(Debug)]
pub struct VerifiedTokens {
    // Held for a look-up or an insertion, never while a signature is verified.
    halves: Mutex<Halves>,
    half: usize,
}

#[derive(Debug, Default)]
struct Halves {
    young: HashMap<Digest, Arc<Viewer>>,
    old: HashMap<Digest, Arc<Viewer>>,
}

impl VerifiedTokens {
    /// An empty memory for at most about `capacity` tokens.
    pub fn new(capacity: usize) -> Self {
        Self {
            halves: Mutex::default(),
            half: (capacity / 2).max(1),
        }
    }

    /// The viewer of `token` at `now`: remembered, or from `verify` and then remembered. A refusal is never remembered, so
    /// that bad tokens drive no good ones out.
    pub fn viewer<E>(
        &self,
        token: &str,
        now: DateTime<Utc>,
        verify: impl FnOnce() -> Result<Viewer, E>,
    ) -> Result<Arc<Viewer>, E> {
        let key = key(token);
        if let Some(viewer) = self.remembered(&key, now) {
            return Ok(viewer);
        }
        let viewer = Arc::new(verify()?);
        self.remember(key, Arc::clone(&viewer));
        Ok(viewer)
    }

    fn remembered(&self, key: &Digest, now: DateTime<Utc>) -> Option<Arc<Viewer>> {
        let mut halves = self.lock();
        if let Some(viewer) = halves.young.get(key) {
            return Some(viewer).filter(|viewer| viewer.lives_at(now)).cloned();
        }
        let viewer = halves.old.remove(key).filter(|viewer| viewer.lives_at(now))?;
        self.put(&mut halves, *key, Arc::clone(&viewer));
        Some(viewer)
    }

    fn remember(&self, key: Digest, viewer: Arc<Viewer>) {
        self.put(&mut self.lock(), key, viewer);
    }

    fn put(&self, halves: &mut Halves, key: Digest, viewer: Arc<Viewer>) {
        if halves.young.len() >= self.half {
            halves.old = std::mem::take(&mut halves.young);
        }
        halves.young.insert(key, viewer);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Halves> {
        // A panic under the lock leaves two maps of verified tokens, whatever it interrupted.
        self.halves.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key(token: &str) -> Digest {
    let mut key = Digest::default();
    // SHA-256 gives 32 bytes, so that the two slices are of one length.
    key.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
    key
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::auth::testing::{at, viewer};

    /// A memory, and how often something had to be verified.
    struct Trial {
        tokens: VerifiedTokens,
        verified: Cell<usize>,
    }

    impl Trial {
        fn new(capacity: usize) -> Self {
            Self {
                tokens: VerifiedTokens::new(capacity),
                verified: Cell::new(0),
            }
        }

        /// How many verifications the token cost.
        fn cost(&self, token: &str, now: i64) -> usize {
            let before = self.verified.get();
            let answer = self.tokens.viewer(token, at(now), || {
                self.verified.set(before + 1);
                Ok::<_, ()>(Viewer {
                    token_id: token.to_owned(),
                    ..viewer("operator")
                })
            });
            assert_eq!(answer.unwrap().token_id, token);
            self.verified.get() - before
        }

        fn len(&self) -> usize {
            let halves = self.tokens.lock();
            halves.young.len() + halves.old.len()
        }
    }

    #[test]
    fn a_token_is_verified_once() {
        let trial = Trial::new(10);
        assert_eq!(
            (trial.cost("a", 0), trial.cost("b", 0), trial.cost("a", 1)),
            (1, 1, 0)
        );
    }

    #[test]
    fn a_remembered_token_is_never_taken_past_its_end() {
        let trial = Trial::new(10);
        assert_eq!(
            (trial.cost("a", 0), trial.cost("a", 599), trial.cost("a", 600)),
            (1, 0, 1)
        );
    }

    #[test]
    fn the_memory_stays_within_its_bound_and_keeps_what_is_used() {
        let trial = Trial::new(10);
        trial.cost("used", 0);
        for round in 0..100 {
            trial.cost(&format!("once {round}"), 0);
            assert!(trial.len() <= 10);
            assert_eq!(trial.cost("used", 0), 0, "round {round}");
        }
        assert_eq!(trial.cost("once 1", 0), 1);
    }

    #[test]
    fn a_refusal_is_not_remembered() {
        let tokens = VerifiedTokens::new(10);
        assert_eq!(tokens.viewer("a", at(0), || Err("no")), Err("no"));
        assert!(
            tokens
                .viewer("a", at(0), || Ok::<_, ()>(viewer("operator")))
                .is_ok()
        );
    }
}
