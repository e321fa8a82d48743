//! Access tokens: JWTs of the profile of RFC 9068, signed with the key whose turn it is.
//!
//! The claims are those of the profile, and three of ours that name the party: `employer`, `partner`, `member` (typed ids as
//! text). `sub` is the client, or the member where the token is a member's own. Reading them back is [`verify()`]'s part.

use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};
use entity::id::{EmployerId, MemberId, PartnerId};
use jsonwebtoken::Header;
use serde::{Deserialize, Deserializer, Serialize};

use super::keys::{ALGORITHM, KeyRing};
use super::scope::ScopeSet;
use super::viewer::{Party, ViewerKind};

mod cache;
#[cfg(test)]
mod tests;
mod verify;

pub use cache::VerifiedTokens;
pub use verify::{LONGEST_TOKEN, Refusal, Unauthenticated, verify};

/// The longest life of a token, for `plaudit token --ttl`; it also decides how long a replaced key is kept.
pub const LONGEST_LIFE: TimeDelta = TimeDelta::hours(24);

/// The life of a token from the token endpoint: short, as what it may do is only asked again when it is renewed.
pub const CLIENT_TOKEN_LIFE: TimeDelta = TimeDelta::minutes(10);

/// By how much the clocks of two processes of one installation may differ.
pub const CLOCK_SKEW: TimeDelta = TimeDelta::seconds(5);

/// The client named in tokens that the command line prints: no row of the client table.
pub const COMMAND_LINE_CLIENT: &str = "plaudit";

/// The media type of the profile, in the header of every token.
const TYPE: &str = "at+jwt";

/// Who signs the tokens and for whom, the same in every process of an installation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authority {
    /// The public address of the installation, without a trailing slash: `iss`.
    pub issuer: String,
    /// The API the tokens are for: `aud`.
    pub audience: String,
}

/// What a token is to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// In whose name it acts.
    pub party: Party,
    /// The client it is given to.
    pub client_id: String,
    /// What it may do.
    pub scopes: ScopeSet,
    /// For how long.
    pub life: TimeDelta,
    /// Its own id, never used before.
    pub token_id: String,
}

/// A token that was just signed. It prints as nothing; [`AccessToken::expose`] hands it to its client.
#[derive(Clone, PartialEq, Eq)]
pub struct AccessToken(String);

impl AccessToken {
    /// The token itself, for its client alone.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AccessToken(..)")
    }
}

/// Why a token is not signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IssueError {
    /// No scopes, or one that has no meaning for the party.
    #[error("{}", misfit(.0))]
    Scopes(ViewerKind),
    /// A life of less than a second or more than [`LONGEST_LIFE`].
    #[error("a token lives between one second and {} hours", LONGEST_LIFE.num_hours())]
    Life,
    /// The client or the token has no name, or one so long that the token would not be taken.
    #[error("the name of the client or of the token is empty or too long")]
    Name,
    /// No key signs now.
    #[error("there is no key that signs now")]
    NoKey,
    /// The library could not sign.
    #[error("the token could not be signed")]
    Signing,
}

fn misfit(kind: &ViewerKind) -> &'static str {
    match kind {
        ViewerKind::Operator => "a token without a tenant holds `operator` or scopes of an employer",
        ViewerKind::Employer => "a token of an employer holds scopes of an employer",
        ViewerKind::Partner => "a token of a partner holds scopes of a partner",
        ViewerKind::Member => "a token of a member holds `member:self`",
    }
}

/// The claims in a token. Reading is strict: a claim this version does not know could be one that narrows what the token may
/// do, so it is refused rather than overlooked, and so is a claim given twice.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Claims {
    iss: String,
    aud: String,
    sub: String,
    client_id: String,
    iat: i64,
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    nbf: Option<i64>,
    exp: i64,
    jti: String,
    scope: String,
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    employer: Option<String>,
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    partner: Option<String>,
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    member: Option<String>,
}

/// An optional claim is absent or has a value: `null` for a tenant must not read as "no tenant".
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

impl Claims {
    /// The subject that fits the party.
    fn subject(party: Party, client_id: &str) -> String {
        match party {
            Party::Member { member, .. } => member.to_string(),
            Party::Operator | Party::Employer(_) | Party::Partner(_) => client_id.to_owned(),
        }
    }

    /// The party the claims name, if they name one: tenants that have nothing to do with each other make no party.
    fn party(&self) -> Option<Party> {
        match (&self.employer, &self.partner, &self.member) {
            (None, None, None) => Some(Party::Operator),
            (Some(employer), None, None) => Some(Party::Employer(employer.parse::<EmployerId>().ok()?)),
            (None, Some(partner), None) => Some(Party::Partner(partner.parse::<PartnerId>().ok()?)),
            (Some(employer), None, Some(member)) => Some(Party::Member {
                employer: employer.parse::<EmployerId>().ok()?,
                member: member.parse::<MemberId>().ok()?,
            }),
            _ => None,
        }
    }
}

/// Whether a party may carry these scopes: at least one, and each with a meaning for it.
fn scopes_fit(scopes: ScopeSet, kind: ViewerKind) -> bool {
    !scopes.is_empty() && scopes.iter().all(|scope| scope.fits_token(kind))
}

/// Signs a token that says `grant`, from `now` on.
pub fn issue(
    ring: &KeyRing,
    authority: &Authority,
    grant: &Grant,
    now: DateTime<Utc>,
) -> Result<AccessToken, IssueError> {
    let kind = grant.party.kind();
    if !scopes_fit(grant.scopes, kind) {
        return Err(IssueError::Scopes(kind));
    }
    let life = grant.life.num_seconds();
    if life < 1 || grant.life > LONGEST_LIFE {
        return Err(IssueError::Life);
    }
    if grant.client_id.is_empty() || grant.token_id.is_empty() {
        return Err(IssueError::Name);
    }
    let key = ring.signer(now).ok_or(IssueError::NoKey)?;
    let (employer, partner, member) = match grant.party {
        Party::Operator => (None, None, None),
        Party::Employer(employer) => (Some(employer), None, None),
        Party::Partner(partner) => (None, Some(partner), None),
        Party::Member { employer, member } => (Some(employer), None, Some(member)),
    };
    let iat = now.timestamp();
    let claims = Claims {
        iss: authority.issuer.clone(),
        aud: authority.audience.clone(),
        sub: Claims::subject(grant.party, &grant.client_id),
        client_id: grant.client_id.clone(),
        iat,
        nbf: None,
        exp: iat.saturating_add(life),
        jti: grant.token_id.clone(),
        scope: grant.scopes.to_string(),
        employer: employer.map(|id| id.to_string()),
        partner: partner.map(|id| id.to_string()),
        member: member.map(|id| id.to_string()),
    };
    let header = Header {
        typ: Some(TYPE.to_owned()),
        kid: Some(key.kid().to_owned()),
        ..Header::new(ALGORITHM)
    };
    let text = jsonwebtoken::encode(&header, &claims, key.signing()).map_err(|_| IssueError::Signing)?;
    if text.len() > LONGEST_TOKEN {
        return Err(IssueError::Name);
    }
    Ok(AccessToken(text))
}
