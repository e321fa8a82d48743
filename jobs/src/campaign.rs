//! Campaigns: what is said to members, and when.

pub mod schedule;
pub mod template;
