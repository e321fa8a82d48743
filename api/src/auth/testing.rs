//! What the tests of this folder share.

use chrono::{DateTime, TimeDelta, Utc};
use entity::id::{EmployerId, MemberId, PartnerId};

use super::keys::{Key, KeyRing};
use super::scope::ScopeSet;
use super::token::Authority;
use super::viewer::{Party, Viewer};

/// So many seconds after the instant at which every test begins.
pub fn at(seconds: i64) -> DateTime<Utc> {
    let begin: DateTime<Utc> = "2026-11-21T00:00:00Z".parse().unwrap();
    begin.checked_add_signed(TimeDelta::seconds(seconds)).unwrap()
}

/// A viewer of no tenant with these scopes, alive for ten minutes.
pub fn viewer(scopes: &str) -> Viewer {
    Viewer {
        party: Party::Operator,
        client_id: "plaudit".to_owned(),
        scopes: scopes.parse::<ScopeSet>().unwrap(),
        issued_at: at(0),
        expires_at: at(600),
        token_id: "token".to_owned(),
    }
}

pub fn employer() -> EmployerId {
    "emp_01ARZ3NDEKTSV4RRFFQ69G5FAV".parse().unwrap()
}

pub fn partner() -> PartnerId {
    "ptr_01ARZ3NDEKTSV4RRFFQ69G5FAV".parse().unwrap()
}

pub fn member() -> MemberId {
    "mem_01ARZ3NDEKTSV4RRFFQ69G5FAV".parse().unwrap()
}

pub fn authority() -> Authority {
    Authority {
        issuer: "https://plaudit.example".to_owned(),
        audience: "https://plaudit.example/api".to_owned(),
    }
}

/// A ring of one key that signs.
pub fn ring() -> KeyRing {
    KeyRing::new([Key::generate(at(-3_600), at(-3_600)).unwrap()])
}
