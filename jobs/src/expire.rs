//! What ends by time.

pub mod holds;
