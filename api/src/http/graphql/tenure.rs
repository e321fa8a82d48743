//! How long a conversation that goes on may go on: a socket, a stream.

use std::time::Duration;

use tokio::time::{Interval, MissedTickBehavior, interval};

use super::{Door, Gate};

/// Why a conversation ends with which nothing is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http) enum Ending {
    /// The server goes down.
    ShuttingDown,
    /// The token has come to its end.
    Expired,
    /// The client, or whatever else the door goes by, was withdrawn.
    Revoked,
}

impl Ending {
    /// For people.
    pub(in crate::http) fn reason(self) -> &'static str {
        match self {
            Self::ShuttingDown => "going away",
            Self::Expired => "the token has expired",
            Self::Revoked => "the token was revoked",
        }
    }
}

/// Waits until the conversation of this viewer has to end.
pub(in crate::http) async fn ending<D: Door>(gate: &Gate<D>, viewer: &D::Viewer) -> Ending {
    tokio::select! {
        biased;
        () = gate.door.shutdown().cancelled() => Ending::ShuttingDown,
        () = expiry(gate, viewer) => Ending::Expired,
        () = revocation(gate, viewer) => Ending::Revoked,
    }
}

async fn expiry<D: Door>(gate: &Gate<D>, viewer: &D::Viewer) {
    let ends = gate.door.expires_at(viewer);
    let mut looks = every(gate.bounds.socket.expiry_every);
    while gate.door.now() < ends {
        looks.tick().await;
    }
}

async fn revocation<D: Door>(gate: &Gate<D>, viewer: &D::Viewer) {
    let mut looks = every(gate.bounds.socket.revocation_every);
    while gate.door.is_current(viewer).await {
        looks.tick().await;
    }
}

fn every(period: Duration) -> Interval {
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}
