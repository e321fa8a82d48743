//! Good tokens are taken, and every way to get a token wrong is refused with one answer.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::*;
use crate::auth::keys::Key;
use crate::auth::scope::Scope;
use crate::auth::testing::{at, authority, employer, member, partner, ring};
use crate::auth::verifier::Verifier;
use crate::auth::viewer::Viewer;

mod claim;
mod header;
mod shape;

/// A ring of one key, and what is needed to sign anything at all with it.
struct Forge {
    ring: KeyRing,
    kid: String,
    pair: EcdsaKeyPair,
}

impl Forge {
    fn new() -> Self {
        let ring = ring();
        let key = ring.signer(at(0)).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, key.private_pkcs8()).unwrap();
        Self {
            kid: key.kid().to_owned(),
            pair,
            ring,
        }
    }

    fn header(&self) -> Value {
        json!({ "alg": "ES256", "typ": "at+jwt", "kid": self.kid })
    }

    fn claims() -> Value {
        json!({
            "iss": authority().issuer, "aud": authority().audience, "sub": "cli", "client_id": "cli", "jti": "token",
            "iat": at(0).timestamp(), "exp": at(600).timestamp(), "scope": "events:write", "employer": employer().to_string(),
        })
    }

    fn sign_with(header: &str, claims: &str, sign: impl Fn(&[u8]) -> Vec<u8>) -> String {
        let message = format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(header),
            URL_SAFE_NO_PAD.encode(claims)
        );
        let signature = URL_SAFE_NO_PAD.encode(sign(message.as_bytes()));
        format!("{message}.{signature}")
    }

    /// Any header and claims with a signature that holds.
    fn sign(&self, header: &str, claims: &str) -> String {
        Self::sign_with(header, claims, |message| {
            self.pair
                .sign(&SystemRandom::new(), message)
                .unwrap()
                .as_ref()
                .to_vec()
        })
    }

    /// A good token but for members of its header; null takes one out.
    fn header_with(&self, changes: Value) -> String {
        self.sign(&changed(self.header(), changes), &Self::claims().to_string())
    }

    /// A good token but for claims; null takes one out.
    fn claims_with(&self, changes: Value) -> String {
        self.sign(&self.header().to_string(), &changed(Self::claims(), changes))
    }

    fn good(&self) -> String {
        self.claims_with(json!({}))
    }

    fn verify(&self, token: &str, now: i64) -> Result<Viewer, Refusal> {
        verify(&self.ring, &authority(), token, at(now))
    }
}

fn changed(mut object: Value, changes: Value) -> String {
    let members = object.as_object_mut().unwrap();
    for (name, value) in changes.as_object().unwrap_or(&Map::new()) {
        if value.is_null() {
            members.remove(name)
        } else {
            members.insert(name.clone(), value.clone())
        };
    }
    object.to_string()
}

/// The parts of a token.
fn parts(token: &str) -> [&str; 3] {
    token.split('.').collect::<Vec<_>>().try_into().unwrap()
}

#[test]
fn what_is_issued_verifies_and_says_the_same() {
    let ring = ring();
    let (employer, partner, member) = (employer(), partner(), member());
    for (party, scopes) in [
        (Party::Operator, "operator"),
        (Party::Operator, "members:read operator programs:write"),
        (Party::Operator, "members:read"),
        (Party::Employer(employer), "events:write member:any members:write"),
        (
            Party::Partner(partner),
            "feed:read fulfilment:write webhooks:write",
        ),
        (Party::Member { employer, member }, "member:self"),
    ] {
        let grant = Grant {
            party,
            client_id: "cli_1".to_owned(),
            scopes: scopes.parse().unwrap(),
            life: TimeDelta::minutes(10),
            token_id: "01J".to_owned(),
        };
        let token = issue(&ring, &authority(), &grant, at(0)).unwrap();
        let viewer = verify(&ring, &authority(), token.expose(), at(1)).unwrap();
        let expected = Viewer {
            party,
            client_id: "cli_1".to_owned(),
            scopes: grant.scopes,
            issued_at: at(0),
            expires_at: at(600),
            token_id: "01J".to_owned(),
        };
        assert_eq!(viewer, expected);
        assert_eq!(format!("{token:?}"), "AccessToken(..)");
    }
}

#[test]
fn a_token_has_the_header_and_the_claims_of_rfc_9068() {
    let ring = ring();
    let party = Party::Member {
        employer: employer(),
        member: member(),
    };
    let scopes = ScopeSet::from_iter([Scope::MemberSelf]);
    let grant = Grant {
        party,
        client_id: "cli".to_owned(),
        scopes,
        life: TimeDelta::seconds(5),
        token_id: "01J".to_owned(),
    };
    let token = issue(&ring, &authority(), &grant, at(0)).unwrap();
    let [header, claims, _] = parts(token.expose());
    let read = |part| serde_json::from_slice::<Value>(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap();
    assert_eq!(
        read(header),
        json!({ "alg": "ES256", "typ": "at+jwt", "kid": ring.signer(at(0)).unwrap().kid() })
    );
    let expected = json!({
        "iss": "https://plaudit.example", "aud": "https://plaudit.example/api", "sub": member().to_string(), "client_id": "cli",
        "iat": at(0).timestamp(), "exp": at(5).timestamp(), "jti": "01J", "scope": "member:self",
        "employer": employer().to_string(), "member": member().to_string(),
    });
    assert_eq!(read(claims), expected);
}

#[test]
fn a_token_that_would_not_be_taken_is_not_signed() {
    let ring = ring();
    let good = Grant {
        party: Party::Employer(employer()),
        client_id: "cli".to_owned(),
        scopes: "events:write".parse().unwrap(),
        life: TimeDelta::hours(24),
        token_id: "01J".to_owned(),
    };
    let scopes = |text: &str| text.parse::<ScopeSet>().unwrap();
    let (employer, partner, member) = (employer(), partner(), member());
    for (grant, error) in [
        (
            Grant {
                scopes: ScopeSet::EMPTY,
                ..good.clone()
            },
            IssueError::Scopes(ViewerKind::Employer),
        ),
        (
            Grant {
                scopes: scopes("events:write operator"),
                ..good.clone()
            },
            IssueError::Scopes(ViewerKind::Employer),
        ),
        (
            Grant {
                scopes: scopes("member:self"),
                ..good.clone()
            },
            IssueError::Scopes(ViewerKind::Employer),
        ),
        (
            Grant {
                party: Party::Partner(partner),
                ..good.clone()
            },
            IssueError::Scopes(ViewerKind::Partner),
        ),
        (
            Grant {
                party: Party::Member { employer, member },
                ..good.clone()
            },
            IssueError::Scopes(ViewerKind::Member),
        ),
        (
            Grant {
                party: Party::Operator,
                scopes: scopes("feed:read"),
                ..good.clone()
            },
            IssueError::Scopes(ViewerKind::Operator),
        ),
        (
            Grant {
                life: TimeDelta::zero(),
                ..good.clone()
            },
            IssueError::Life,
        ),
        (
            Grant {
                life: TimeDelta::milliseconds(999),
                ..good.clone()
            },
            IssueError::Life,
        ),
        (
            Grant {
                life: TimeDelta::seconds(-1),
                ..good.clone()
            },
            IssueError::Life,
        ),
        (
            Grant {
                life: TimeDelta::seconds(86_401),
                ..good.clone()
            },
            IssueError::Life,
        ),
        (
            Grant {
                life: TimeDelta::MAX,
                ..good.clone()
            },
            IssueError::Life,
        ),
        (
            Grant {
                client_id: String::new(),
                ..good.clone()
            },
            IssueError::Name,
        ),
        (
            Grant {
                token_id: String::new(),
                ..good.clone()
            },
            IssueError::Name,
        ),
        (
            Grant {
                client_id: "c".repeat(LONGEST_TOKEN),
                ..good.clone()
            },
            IssueError::Name,
        ),
    ] {
        assert_eq!(issue(&ring, &authority(), &grant, at(0)), Err(error), "{grant:?}");
    }
    assert!(issue(&ring, &authority(), &good, at(0)).is_ok());
    assert_eq!(
        issue(&KeyRing::default(), &authority(), &good, at(0)),
        Err(IssueError::NoKey)
    );
}

#[test]
fn the_letters_of_the_type_and_extra_scopes_do_not_matter() {
    let forge = Forge::new();
    for typ in ["at+jwt", "AT+JWT", "application/at+jwt", "Application/At+Jwt"] {
        assert!(
            forge.verify(&forge.header_with(json!({ "typ": typ })), 0).is_ok(),
            "{typ}"
        );
    }
    let viewer = forge
        .verify(
            &forge.claims_with(json!({ "scope": "events:write later:read" })),
            0,
        )
        .unwrap();
    assert_eq!(viewer.scopes.to_string(), "events:write");
}

#[test]
fn a_token_counts_from_its_beginning_to_its_end() {
    let forge = Forge::new();
    let token = forge.claims_with(json!({ "nbf": at(10).timestamp() }));
    for (now, expected) in [
        (-6, Err(Refusal::NotYetValid)),
        (4, Err(Refusal::NotYetValid)),
        (5, Ok(())),
        (599, Ok(())),
        (600, Err(Refusal::Expired)),
        (601, Err(Refusal::Expired)),
    ] {
        assert_eq!(forge.verify(&token, now).map(|_| ()), expected, "at {now}");
    }
    assert!(forge.verify(&forge.good(), -5).is_ok());
    assert_eq!(forge.verify(&forge.good(), -6), Err(Refusal::NotYetValid));
}

#[test]
fn a_token_does_not_outlive_its_key() {
    let forge = Forge::new();
    let key = forge.ring.signer(at(0)).unwrap();
    let ending = Key::from_pkcs8(key.private_pkcs8(), at(-3_600), at(-3_600), Some(at(300))).unwrap();
    let ring = KeyRing::new([ending]);
    let token = forge.good();
    assert_eq!(
        verify(&ring, &authority(), &token, at(299)).unwrap().expires_at,
        at(300)
    );
    assert_eq!(verify(&ring, &authority(), &token, at(300)), Err(Refusal::Key));
}

#[test]
fn a_key_that_is_published_but_does_not_sign_yet_verifies() {
    let forge = Forge::new();
    let key = forge.ring.signer(at(0)).unwrap();
    let coming = Key::from_pkcs8(key.private_pkcs8(), at(0), at(60), None).unwrap();
    assert!(verify(&KeyRing::new([coming]), &authority(), &forge.good(), at(0)).is_ok());
}

/// What is wrong with a token, the reason we expect to note, and the token.
type Bad = (&'static str, Refusal, String);

/// Every bad token with the reason we expect to note; the client sees no reason.
fn bad_tokens(forge: &Forge) -> Vec<Bad> {
    let mut bad = shape::bad_shapes(forge);
    bad.extend(shape::bad_signatures(forge));
    bad.extend(header::bad_headers(forge));
    bad.extend(claim::bad_claims(forge));
    bad
}

#[test]
fn every_bad_token_is_refused_for_its_reason_and_with_one_answer() {
    let forge = Forge::new();
    let verifier = Verifier::new(authority(), forge.ring.clone());
    assert!(verifier.authenticate(&forge.good(), at(0)).is_ok());
    let bad = bad_tokens(&forge);
    assert!(bad.len() >= 60, "{}", bad.len());
    let mut surprises = Vec::new();
    for (what, reason, token) in bad {
        let outcome = forge.verify(&token, 0).map(|_| ());
        if outcome != Err(reason) {
            surprises.push(format!("{what}: {outcome:?} instead of {reason:?}"));
        }
        // Twice: a refusal is not remembered as anything else.
        for _ in 0..2 {
            let answer = verifier
                .authenticate(&token, at(0))
                .map_err(|refused| refused.to_string());
            assert_eq!(answer.map(|_| what), Err("unauthenticated".to_owned()));
        }
    }
    assert_eq!(surprises, Vec::<String>::new());
}

#[test]
fn a_token_of_another_installation_with_the_same_names_is_refused() {
    let (ours, theirs) = (Forge::new(), Forge::new());
    assert_eq!(ours.verify(&theirs.good(), 0), Err(Refusal::Key));
}

proptest! {
    #[test]
    fn no_text_is_taken_and_none_makes_the_parser_panic(token in "[ -~]{0,200}|[a-zA-Z0-9_-]{0,80}(\\.[a-zA-Z0-9_-]{0,80}){0,4}") {
        let forge = Forge::new();
        prop_assert!(forge.verify(&token, 0).is_err());
    }

    #[test]
    fn a_token_with_one_letter_changed_is_refused(index in any::<prop::sample::Index>(), letter in "[a-zA-Z0-9_.-]") {
        let forge = Forge::new();
        let good = forge.good();
        let at = index.index(good.len());
        let mut changed = good.clone();
        changed.replace_range(at..=at, &letter);
        prop_assume!(changed != good);
        prop_assert!(forge.verify(&changed, 0).is_err());
    }
}
