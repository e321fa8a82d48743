//! The nouns: one file a table, with what the table itself guarantees.
//!
//! Architecture invariant: every finder of a tenant's rows takes the employer, so nothing is ever found by its id alone. There is
//! no GraphQL, no HTTP, no rule and no job here; a statement that differs between SQLite and PostgreSQL goes through [`db`].

pub mod achievement;
pub mod audit;
pub mod backfill;
pub mod boost;
pub mod campaign;
pub mod campaign_mark;
pub mod check;
mod children;
pub mod client;
pub mod clock;
pub mod consent;
pub mod contribution;
pub mod db;
pub mod dead_event;
pub mod delivery;
pub mod earning;
pub mod employer;
pub mod event;
pub mod event_type;
pub mod feed;
pub mod grant;
pub mod id;
pub mod idempotency;
pub mod incentive;
pub mod kept_event;
pub mod ledger;
pub mod level;
pub mod member;
pub mod message;
pub mod page;
pub mod partner;
pub mod program;
pub mod progress;
pub mod receipt;
pub mod redemption;
pub mod refusal;
pub mod report;
pub mod retraction;
pub mod reward;
pub mod secret;
pub mod signing_key;
pub mod suppression;
pub mod webhook_endpoint;

/// The text columns that hold one of a few words: an enum with its text form, stored as that text.
#[macro_export]
macro_rules! text_enum {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, sea_orm::DeriveActiveEnum, sea_orm::EnumIter)]
        #[sea_orm(rs_type = "String", db_type = "Text")]
        pub enum $name {
            $($(#[$vdoc])* #[sea_orm(string_value = $text)] $variant),*
        }

        impl $name {
            /// The text form, as stored and as the API shows it.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),* }
            }
        }
    };
}
