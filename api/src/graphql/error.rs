//! What leaves when something goes wrong. [`ApiError`] does not implement `Display`, on purpose: the library sends the text of any
//! displayable error to the client, and this way `?` on a database error cannot.

use async_graphql::{Enum, Error, ErrorExtensions, SimpleObject};
use sea_orm::DbErr;

use crate::domain::{self, Fault, FaultCode, Oldest};
use crate::http::graphql::errors::{CURSOR_EXPIRED, Code};

/// A failure of a request, as it leaves in `errors`.
#[derive(Clone)]
pub enum ApiError {
    /// The request is wrong.
    BadInput(String),
    /// The database failed.
    Db(DbErr),
    /// What was asked for of a feed is no longer kept.
    Expired(Oldest),
    /// More is under way than can be taken.
    Busy,
    /// A fault of ours; the text is for the log.
    Internal(&'static str),
    /// Made elsewhere, with its code.
    Given(Error),
}

impl From<DbErr> for ApiError {
    fn from(error: DbErr) -> Self {
        Self::Db(error)
    }
}

impl From<domain::Error> for ApiError {
    fn from(error: domain::Error) -> Self {
        match error {
            // Where there are no `userErrors` to put them in, faults are the request's.
            domain::Error::Refused(faults) => Self::BadInput(
                faults
                    .into_iter()
                    .next()
                    .map_or_else(|| "refused".to_owned(), |fault| fault.message),
            ),
            domain::Error::Expired(oldest) => Self::Expired(oldest),
            domain::Error::Busy => Self::Busy,
            domain::Error::Db(error) => Self::Db(error),
            domain::Error::Internal(text) => Self::Internal(text),
        }
    }
}

impl From<ApiError> for Error {
    fn from(error: ApiError) -> Self {
        let coded = |code: Code, message: &str| {
            Error::new(message).extend_with(|_, fields| fields.set("code", code.as_str()))
        };
        match error {
            ApiError::Given(error) => error,
            ApiError::BadInput(message) => coded(Code::BadUserInput, &message),
            ApiError::Expired(oldest) => {
                coded(Code::CursorExpired, CURSOR_EXPIRED).extend_with(|_, fields| {
                    fields.set("oldestCursor", oldest.cursor.as_str());
                    fields.set("oldestPosition", oldest.position);
                })
            }
            ApiError::Busy => coded(
                Code::Unavailable,
                "more is under way than can be taken; try again",
            ),
            ApiError::Db(error) if entity::db::is_unavailable(&error) || entity::db::is_retryable(&error) => {
                tracing::warn!(error = %error, "a request failed because the database is away or busy");
                coded(Code::Unavailable, "the database is away; try again")
            }
            ApiError::Db(error) => {
                tracing::error!(error = %error, "a request failed in the database");
                coded(Code::Internal, "internal error")
            }
            ApiError::Internal(text) => {
                tracing::error!(error = text, "a request failed");
                coded(Code::Internal, "internal error")
            }
        }
    }
}

/// What kind of thing the caller can mend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "FaultCode")]
pub enum UserErrorCode {
    /// The value is not acceptable.
    InvalidInput,
    /// There is one of that key already.
    KeyTaken,
    /// There is nothing of that key or id that this token may see.
    NotFound,
    /// It is not in a state in which that can be done.
    InvalidState,
    /// More than one call, or more than one employer, may have.
    TooMany,
    /// The employer has no such event type.
    UnknownEventType,
    /// The employer has no such member.
    UnknownMember,
    /// The member was not eligible on the local date of the event.
    NotEligible,
    /// The properties do not fit the event type's schema.
    InvalidProperties,
    /// The event happened longer ago than the event type's `maxLate`.
    TooLate,
    /// The event claims to happen further in the future than the event type's `maxFuture`.
    InFuture,
    /// The same id or key was used before with another body.
    Conflict,
    /// The member has not as many points of that category.
    InsufficientPoints,
    /// There are not as many of the reward left.
    OutOfStock,
    /// More of the reward than one member can have.
    LimitReached,
}

/// What the caller of a mutation can mend. A mutation that has any of these has written nothing.
#[derive(Debug, Clone, SimpleObject)]
pub struct UserError {
    /// What kind of thing.
    pub code: UserErrorCode,
    /// What is wrong, for people. Not for programs: it may change.
    pub message: String,
    /// The path of the input field, from the `input` downwards; list items by their index. Empty: the input as a whole.
    pub path: Vec<String>,
}

impl From<Fault> for UserError {
    fn from(fault: Fault) -> Self {
        Self {
            code: fault.code.into(),
            message: fault.message,
            path: fault.path,
        }
    }
}

/// Splits what an operation returned into what it made and what the caller can mend; anything else is an error of the request.
pub fn settle<T>(outcome: domain::Outcome<T>) -> Result<(Option<T>, Vec<UserError>), ApiError> {
    match outcome {
        Ok(made) => Ok((Some(made), Vec::new())),
        Err(domain::Error::Refused(faults)) => Ok((None, faults.into_iter().map(UserError::from).collect())),
        Err(error) => Err(error.into()),
    }
}
