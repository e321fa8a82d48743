//! jobs

pub mod rules;
