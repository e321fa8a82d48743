//! api

pub mod http;
