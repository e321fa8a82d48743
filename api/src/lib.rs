//! The doors: GraphQL and plain HTTP, and what stands behind them.

pub mod auth;
