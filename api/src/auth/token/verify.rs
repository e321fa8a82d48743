//! Reading a token back: everything is checked, in an order in which nothing unverified is trusted.
//!
//! The library verifies the signature; the claims are judged here. Left to itself it takes a token without an issuer or an
//! audience, one that is over for 50 seconds or not yet valid, and one that is no access token at all.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::{Authority, CLOCK_SKEW, Claims, LONGEST_LIFE, TYPE, scopes_fit};
use crate::auth::keys::{ALGORITHM, Key, KeyRing};
use crate::auth::scope::ScopeSet;
use crate::auth::viewer::Viewer;

/// The longest text that is looked at: several times what a token with every scope takes.
pub const LONGEST_TOKEN: usize = 4_096;

/// The one answer to every token that is not taken. What was wrong is for our own log and metrics: a client that is told
/// learns how to get further.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("unauthenticated")]
pub struct Unauthenticated {
    reason: Refusal,
}

impl Unauthenticated {
    /// Why, for a log or a metric alone.
    pub fn reason(self) -> Refusal {
        self.reason
    }
}

impl From<Refusal> for Unauthenticated {
    fn from(reason: Refusal) -> Self {
        Self { reason }
    }
}

/// Why a token is not taken: a closed list without any text of the token, fit for a metric's label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// The credentials are not `Bearer` and one token.
    Credentials,
    /// Longer than [`LONGEST_TOKEN`].
    TooLong,
    /// Not three parts of base64url.
    Shape,
    /// The header is not the three members that ours have; `crit`, `jwk`, `jku`, `x5u` and the like end here.
    Header,
    /// Not an access token by its type.
    Type,
    /// Not the algorithm of our keys.
    Algorithm,
    /// Names no key that verifies now.
    Key,
    /// The signature is not the key's over this text.
    Signature,
    /// A claim is missing, given twice, unknown, or of the wrong type.
    Claims,
    /// Signed by or for somebody else.
    Authority,
    /// Over.
    Expired,
    /// Not begun, or signed in the future.
    NotYetValid,
    /// Lives longer than any token of ours, or not at all.
    Life,
    /// The tenants, or the subject, make no party.
    Party,
    /// No scope, or one that has no meaning for the party.
    Scopes,
    /// The client was revoked.
    Revoked,
}

impl Refusal {
    /// A short name for a log field or a metric's label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Credentials => "credentials",
            Self::TooLong => "too_long",
            Self::Shape => "shape",
            Self::Header => "header",
            Self::Type => "type",
            Self::Algorithm => "algorithm",
            Self::Key => "key",
            Self::Signature => "signature",
            Self::Claims => "claims",
            Self::Authority => "authority",
            Self::Expired => "expired",
            Self::NotYetValid => "not_yet_valid",
            Self::Life => "life",
            Self::Party => "party",
            Self::Scopes => "scopes",
            Self::Revoked => "revoked",
        }
    }
}

/// The header of our tokens. Whatever else a header may hold asks for something we do not do: to fetch a key, to take a key
/// or certificate along, to unpack the payload, to understand an extension.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ProtectedHeader {
    alg: String,
    typ: String,
    kid: String,
}

/// The viewer a token makes at `now`, or the reason why it makes none.
///
/// A signature of ECDSA has a twin that verifies as well, so two texts may carry the same claims: a token is known by its
/// `jti`, never by its text.
pub fn verify(
    ring: &KeyRing,
    authority: &Authority,
    token: &str,
    now: DateTime<Utc>,
) -> Result<Viewer, Refusal> {
    if token.len() > LONGEST_TOKEN {
        return Err(Refusal::TooLong);
    }
    let (message, signature) = token.rsplit_once('.').ok_or(Refusal::Shape)?;
    let (header, payload) = message.split_once('.').ok_or(Refusal::Shape)?;
    if payload.contains('.') {
        return Err(Refusal::Shape);
    }
    let key = key_of(ring, header, now)?;
    if !signature_holds(key, message, signature)? {
        return Err(Refusal::Signature);
    }
    let claims = read::<Claims>(payload).map_err(|_| Refusal::Claims)?;
    judge(claims, key, authority, now)
}

/// The key the header names, if the header is one of ours.
fn key_of<'a>(ring: &'a KeyRing, header: &str, now: DateTime<Utc>) -> Result<&'a Key, Refusal> {
    let header = read::<ProtectedHeader>(header).map_err(|fault| match fault {
        Fault::Encoding => Refusal::Shape,
        Fault::Content => Refusal::Header,
    })?;
    // A media type is compared without regard to case, and its `application/` may be left out (RFC 7515 §4.1.9).
    let short = match header.typ.split_at_checked("application/".len()) {
        Some((prefix, rest)) if prefix.eq_ignore_ascii_case("application/") => rest,
        _ => header.typ.as_str(),
    };
    if !short.eq_ignore_ascii_case(TYPE) {
        return Err(Refusal::Type);
    }
    // All our keys are of one algorithm, which the header may name but not choose.
    if header.alg != "ES256" {
        return Err(Refusal::Algorithm);
    }
    ring.verifier(&header.kid, now).ok_or(Refusal::Key)
}

fn signature_holds(key: &Key, message: &str, signature: &str) -> Result<bool, Refusal> {
    // A signature that is no base64url is an error, one that does not hold is `false`.
    jsonwebtoken::crypto::verify(signature, message.as_bytes(), key.verifying(), ALGORITHM)
        .map_err(|_| Refusal::Shape)
}

enum Fault {
    Encoding,
    Content,
}

/// A part of a token: base64url without padding, of a JSON object.
fn read<T: DeserializeOwned>(part: &str) -> Result<T, Fault> {
    let bytes = URL_SAFE_NO_PAD.decode(part).map_err(|_| Fault::Encoding)?;
    // Serde would also read a structure from an array of its values.
    if bytes.first() != Some(&b'{') {
        return Err(Fault::Content);
    }
    serde_json::from_slice(&bytes).map_err(|_| Fault::Content)
}

/// What claims that we signed are worth at `now`.
fn judge(claims: Claims, key: &Key, authority: &Authority, now: DateTime<Utc>) -> Result<Viewer, Refusal> {
    if claims.iss != authority.issuer || claims.aud != authority.audience {
        return Err(Refusal::Authority);
    }
    let (issued_at, expires_at) = span(&claims, now)?;
    if claims.client_id.is_empty() || claims.jti.is_empty() {
        return Err(Refusal::Claims);
    }
    let party = claims.party().ok_or(Refusal::Party)?;
    if claims.sub != Claims::subject(party, &claims.client_id) {
        return Err(Refusal::Party);
    }
    let scopes = ScopeSet::parse_known(&claims.scope).map_err(|_| Refusal::Scopes)?;
    if !scopes_fit(scopes, party.kind()) {
        return Err(Refusal::Scopes);
    }
    Ok(Viewer {
        party,
        client_id: claims.client_id,
        scopes,
        issued_at,
        // Nothing outlives its key, in the cache and on an open socket neither.
        expires_at: key
            .verifies_until()
            .map_or(expires_at, |until| expires_at.min(until)),
        token_id: claims.jti,
    })
}

/// From when until when the token counts, if `now` is in between. Only a beginning is given the benefit of the clocks: an end
/// that comes early by a few seconds costs a renewal, one that comes late is a token that works after it is over.
fn span(claims: &Claims, now: DateTime<Utc>) -> Result<(DateTime<Utc>, DateTime<Utc>), Refusal> {
    let life = claims.exp.checked_sub(claims.iat).ok_or(Refusal::Life)?;
    if life < 1 || life > LONGEST_LIFE.num_seconds() {
        return Err(Refusal::Life);
    }
    let latest_begin = now.timestamp().saturating_add(CLOCK_SKEW.num_seconds());
    if claims.iat > latest_begin || claims.nbf.is_some_and(|nbf| nbf > latest_begin) {
        return Err(Refusal::NotYetValid);
    }
    if claims.exp <= now.timestamp() {
        return Err(Refusal::Expired);
    }
    let instant = |seconds| DateTime::from_timestamp(seconds, 0).ok_or(Refusal::Life);
    Ok((instant(claims.iat)?, instant(claims.exp)?))
}
