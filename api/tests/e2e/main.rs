//! End-to-end tests: the built program as its own processes, on real sockets, with an SQLite file or a PostgreSQL database of its own
//! for each test, driven by clients that know nothing but the address. What a test waits for is a state, with a deadline.
// Without this, clippy does not know that the helpers between the tests are tests too.
#![cfg(test)]

#[macro_use]
mod support;

mod calls;
mod campaigns;
mod clients;
mod commands;
mod disconnects;
mod export;
mod kill;
mod lifecycle;
mod limits;
mod oauth;
mod outage;
mod partners;
mod points;
mod several;
mod webhooks;
