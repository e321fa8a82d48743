//! Operations: each takes a permit and a parsed input, owns its transaction, and returns what it made or why it did not.
//!
//! Architecture invariant: nothing here knows GraphQL or HTTP, so every door decides alike. A failed operation has written nothing.

pub mod achievement;
pub mod activity;
pub mod adjustment;
pub mod audit;
pub mod boost;
pub mod campaign;
pub mod client;
pub mod dead_event;
pub mod employer;
pub mod event_type;
pub mod feed;
pub mod grant;
pub mod incentive;
pub mod level;
pub mod mail;
pub mod member;
pub mod message;
pub mod partner;
pub mod points;
pub mod program;
pub mod redemption;
pub mod report;
pub mod reward;
pub mod sharing;
pub mod simulation;
pub mod stock_menu;
pub mod tenant;
pub mod webhook;

use entity::db;
use jobs::rules::definition::DefinitionFault;
use sea_orm::DbErr;

/// What the caller of an operation can mend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FaultCode {
    /// A value that is not acceptable.
    InvalidInput,
    /// There is one of that key already.
    KeyTaken,
    /// There is nothing of that key or id that this token may see.
    NotFound,
    /// Not in the state it is in.
    InvalidState,
    /// More than one call, or more than one employer, may have.
    TooMany,
    /// The employer has no such event type.
    UnknownEventType,
    /// The employer has no such member.
    UnknownMember,
    /// The member was not eligible on that day.
    NotEligible,
    /// The properties do not fit the event type's schema.
    InvalidProperties,
    /// It happened longer ago than the event type allows.
    TooLate,
    /// It claims to happen further in the future than the event type allows.
    InFuture,
    /// The same id was used with another body.
    Conflict,
    /// The member has not as many points.
    InsufficientPoints,
    /// There are not as many left.
    OutOfStock,
    /// More than one member can have.
    LimitReached,
}

impl FaultCode {
    /// The public text form.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidInput => "INVALID_INPUT",
            Self::KeyTaken => "KEY_TAKEN",
            Self::NotFound => "NOT_FOUND",
            Self::InvalidState => "INVALID_STATE",
            Self::TooMany => "TOO_MANY",
            Self::UnknownEventType => "UNKNOWN_EVENT_TYPE",
            Self::UnknownMember => "UNKNOWN_MEMBER",
            Self::NotEligible => "NOT_ELIGIBLE",
            Self::InvalidProperties => "INVALID_PROPERTIES",
            Self::TooLate => "TOO_LATE",
            Self::InFuture => "IN_FUTURE",
            Self::Conflict => "CONFLICT",
            Self::InsufficientPoints => "INSUFFICIENT_POINTS",
            Self::OutOfStock => "OUT_OF_STOCK",
            Self::LimitReached => "LIMIT_REACHED",
        }
    }
}

/// One thing the caller can mend, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// What kind of thing.
    pub code: FaultCode,
    /// What is wrong, for whoever wrote the input; never anything about a person.
    pub message: String,
    /// The path of the input field, from the input downwards.
    pub path: Vec<String>,
}

impl From<DefinitionFault> for Fault {
    fn from(fault: DefinitionFault) -> Self {
        Self {
            code: FaultCode::InvalidInput,
            message: fault.message,
            path: fault.path,
        }
    }
}

impl Fault {
    /// A fault at a path of input fields.
    pub fn new(code: FaultCode, path: &[&str], message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            path: path.iter().map(|&field| field.to_owned()).collect(),
        }
    }

    /// The same fault as seen from further out.
    pub fn under(mut self, path: &[&str]) -> Self {
        self.path.splice(0..0, path.iter().map(|&field| field.to_owned()));
        self
    }

    /// An unacceptable value.
    pub fn invalid(path: &[&str], message: impl Into<String>) -> Self {
        Self::new(FaultCode::InvalidInput, path, message)
    }

    /// Nothing there that this token may see.
    pub fn not_found(path: &[&str], message: impl Into<String>) -> Self {
        Self::new(FaultCode::NotFound, path, message)
    }
}

/// Where what is kept of a feed begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Oldest {
    /// The oldest position that is kept.
    pub position: i64,
    /// After this cursor comes all that is kept.
    pub cursor: String,
}

/// Why an operation did not happen.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The caller can mend it.
    #[error("the input was refused")]
    Refused(Vec<Fault>),
    /// What was asked for is no longer kept.
    #[error("it is no longer kept")]
    Expired(Oldest),
    /// More is under way than can be taken; later it can.
    #[error("too much is under way")]
    Busy,
    /// The database failed.
    #[error("the database failed")]
    Db(#[from] DbErr),
    /// A fault of ours.
    #[error("{0}")]
    Internal(&'static str),
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        Self::Refused(vec![fault])
    }
}

/// What an operation returns.
pub type Outcome<T> = Result<T, Error>;

/// Tries of a transaction that was in another one's way.
const ATTEMPTS: u32 = 5;

/// Does an operation in a transaction of its own; once more where that was in another one's way, and a few times at most.
pub async fn retrying<T, F>(mut once: impl FnMut() -> F) -> Outcome<T>
where
    F: Future<Output = Outcome<T>>,
{
    let mut attempt = 1;
    loop {
        match once().await {
            Err(Error::Db(error)) if db::is_retryable(&error) && attempt < ATTEMPTS => attempt += 1,
            outcome => return outcome,
        }
    }
}

/// Refuses when there is any fault.
pub fn require_none(faults: Vec<Fault>) -> Outcome<()> {
    if faults.is_empty() {
        Ok(())
    } else {
        Err(Error::Refused(faults))
    }
}
