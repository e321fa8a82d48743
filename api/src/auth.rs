//! Who is asking, and what they may do.
//!
//! ```text
//!  POST /oauth/token ── oauth ── client_secret ──▶ token (signed by keys) ──▶ the client
//!
//!  Authorization ── bearer ──▶ verifier ── token::verify ──▶ Viewer ── access (the table) ──▶ Permit<O> ──▶ domain
//!                               │ revoked clients, cache                  └─▶ guard, and the schema's documentation
//! ```
//! What holds:
//! - A token is verified with the one algorithm of the key it names, and every claim is checked; whatever is wrong with it, the
//!   client sees one answer ([`token::Unauthenticated`]).
//! - A scope is checked twice from one table ([`access`]): by the guard on the field, and by the [`viewer::Permit`] without
//!   which the operation cannot be called.
//! - The tenants of a viewer come from its token alone ([`viewer::Party`]).
//! - Secrets, tokens and private keys print as nothing.
//!
//! On purpose absent: refresh tokens (a client asks again), sessions, and any key or algorithm that a token could choose.
//! Everything but [`verifier`] and [`store`] is a function of its arguments; the clock, the randomness and the rows are handed in.

pub mod access;
pub mod bearer;
pub mod client_secret;
pub mod guard;
pub mod keys;
pub mod oauth;
pub mod scope;
pub mod store;
pub mod token;
pub mod verifier;
pub mod viewer;

#[cfg(test)]
mod testing;
