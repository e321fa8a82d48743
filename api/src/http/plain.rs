//! What the plain addresses have in common: who asks, and what is answered when that may not be or goes wrong.

use std::sync::Arc;

use http::HeaderMap;

use super::graphql::errors::{Code, UNAUTHENTICATED};
use crate::app::App;
use crate::auth::access::Operation;
use crate::auth::bearer;
use crate::auth::viewer::{Permit, Viewer};
use crate::domain;

/// Why there is no answer, for whoever has asked.
pub struct Refused(pub Code, pub String);

/// Who asks, by the token in the headers, and the permit for what is asked for.
pub fn admit<O: Operation>(app: &App, headers: &HeaderMap) -> Result<(Arc<Viewer>, Permit<O>), Refused> {
    let unauthenticated = || Refused(Code::Unauthenticated, UNAUTHENTICATED.to_owned());
    let token = bearer::token(headers)
        .map_err(|_| unauthenticated())?
        .ok_or_else(unauthenticated)?;
    let viewer = app
        .verifier
        .authenticate(token, app.clock.now())
        .map_err(|_| unauthenticated())?;
    let permit = viewer
        .permit::<O>()
        .map_err(|denied| Refused(Code::Forbidden, denied.to_string()))?;
    Ok((viewer, permit))
}

/// What is said of an error that the caller can do nothing about; it is logged where the fault is ours. `failed` names what could not be
/// done.
pub fn failed(error: domain::Error, failed: &str) -> Refused {
    match error {
        domain::Error::Busy => Refused(
            Code::Unavailable,
            "more is under way than can be taken; try again".to_owned(),
        ),
        domain::Error::Db(error)
            if entity::db::is_unavailable(&error) || entity::db::is_retryable(&error) =>
        {
            Refused(Code::Unavailable, "the database is away; try again".to_owned())
        }
        error => {
            let source = std::error::Error::source(&error).map(ToString::to_string);
            tracing::error!(error = %error, source, failed, "an answer failed");
            Refused(Code::Internal, "internal error".to_owned())
        }
    }
}
