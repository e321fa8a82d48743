//! The nouns: one file a table, with what the table itself guarantees. No GraphQL, no HTTP, no rules.
pub mod clock;
pub mod db;
pub mod id;
