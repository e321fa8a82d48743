//! Integration tests: one binary, so that it links once and its modules run side by side.
//!
//! Every test that touches a database is an `async fn(&TestApp)` named in `on_both!` and runs as `…::sqlite` and `…::postgres`
//! ([`harness`]). They are ordered by noun; what concerns no noun alone (authorization, bad input, logs) has a module of its own.
// Without this, clippy does not know that the helpers between the tests are tests too.
#![cfg(test)]

#[macro_use]
mod harness;

mod activity;
mod audit;
mod authorization;
mod bad_input;
mod balances;
mod boosts;
mod budget;
mod campaigns;
mod clients;
mod concurrency;
mod editing;
mod erasure;
mod evaluation;
mod failures;
mod feed;
mod intake;
mod kept_events;
mod late;
mod ledger;
mod levels;
mod lifecycle;
mod limits;
mod logs;
mod members;
mod memory;
mod messages;
mod metrics;
mod migrations;
mod order;
mod partners;
mod pausing;
mod plans;
mod points;
mod points_http;
mod privacy;
mod progress;
mod readme;
mod redemption;
mod reports;
mod retraction;
mod rewards;
mod sandbox;
mod scenarios;
mod schema;
mod setup;
mod sharing;
mod simulation;
mod statements;
mod streams;
mod structures;
mod tables;
mod tidy;
mod told;
mod unless;
mod versions;
mod webhooks;
mod why;
mod windows;
