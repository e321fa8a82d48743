//! The doors, and the `plaudit` program.
//!
//! ```text
//! http (graphql, events, oauth, health) ─▶ auth (viewer, permit) ─▶ graphql (resolvers translate) ─▶ domain (operations decide)
//!                                                                                                └▶ intake (events, group commit)
//! ```
//!
//! Architecture invariants: a resolver translates and decides nothing; an operation takes a permit, which only a token with the right
//! scope yields; nothing here evaluates an event, that is `jobs`' part.

pub mod app;
pub mod auth;
pub mod command;
pub mod config;
pub mod domain;
pub mod graphql;
pub mod http;
pub mod intake;
pub mod validate;
