//! Which employer an operation is about: the token's own, or, for the operator, the one the input names.

use entity::employer;
use entity::id::EmployerId;
use sea_orm::ConnectionTrait;

use super::{Error, Fault, Outcome};
use crate::auth::viewer::{Party, Viewer};

/// The employer that `key` names, as far as this viewer may act for it. Another tenant's key answers like one that never was.
pub async fn resolve(
    connection: &impl ConnectionTrait,
    viewer: &Viewer,
    key: Option<&str>,
) -> Outcome<employer::Model> {
    let unknown = || Error::from(Fault::not_found(&["employer"], "there is no such employer"));
    match (viewer.party, key) {
        (Party::Operator, None) => {
            Err(Fault::invalid(&["employer"], "say which employer: the token belongs to none").into())
        }
        (Party::Operator, Some(key)) => employer::find_by_key(connection, key).await?.ok_or_else(unknown),
        (Party::Employer(id) | Party::Member { employer: id, .. }, key) => {
            let employer = employer::find(connection, id).await?.ok_or_else(unknown)?;
            if key.is_none_or(|key| key == employer.key) {
                Ok(employer)
            } else {
                Err(unknown())
            }
        }
        (Party::Partner(_), _) => Err(unknown()),
    }
}

/// As [`resolve`], where only the id is needed: no look into the database when the token says it all.
pub async fn resolve_id(
    connection: &impl ConnectionTrait,
    viewer: &Viewer,
    key: Option<&str>,
) -> Outcome<EmployerId> {
    match (viewer.employer(), key) {
        (Some(id), None) => Ok(id),
        _ => resolve(connection, viewer, key).await.map(|employer| employer.id),
    }
}
