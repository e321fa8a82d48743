//! Every open socket and stream of this process: how many each client has, and a way to wait for the last one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

/// The open sockets and streams. Cloning shares the count.
#[derive(Debug, Clone, Default)]
pub struct Sockets {
    // Protects the counts alone, and is never held across an await.
    seats: Arc<Mutex<HashMap<String, usize>>>,
    sockets: TaskTracker,
    streams: TaskTracker,
}

impl Sockets {
    /// Takes one of a client's seats, or none where all `most` of them are taken.
    #[must_use]
    pub fn seat(&self, client: String, most: usize) -> Option<Seat> {
        let mut seats = self.seats.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = seats.entry(client.clone()).or_default();
        if *taken >= most {
            return None;
        }
        *taken += 1;
        Some(Seat {
            sockets: self.clone(),
            client,
        })
    }

    /// How many streams there are, and sockets that have introduced themselves, of one client or another.
    #[must_use]
    pub fn seated(&self) -> usize {
        let seats = self.seats.lock().unwrap_or_else(PoisonError::into_inner);
        seats.values().sum()
    }

    /// How many sockets are open, introduced or not.
    #[must_use]
    pub fn open(&self) -> usize {
        self.sockets.len()
    }

    /// How many streams are open.
    #[must_use]
    pub fn streaming(&self) -> usize {
        self.streams.len()
    }

    /// Waits until every socket and stream has ended. They end by themselves once the door's shutdown is cancelled.
    pub async fn drained(&self) {
        for tasks in [&self.sockets, &self.streams] {
            tasks.close();
            tasks.wait().await;
        }
    }

    /// Counts one more open socket until what it returns is dropped.
    pub(super) fn count_socket(&self) -> TaskTrackerToken {
        self.sockets.token()
    }

    /// Counts one more open stream until what it returns is dropped.
    pub(super) fn count_stream(&self) -> TaskTrackerToken {
        self.streams.token()
    }
}

/// One socket or stream of a client; the seat is free again when this is dropped.
#[derive(Debug)]
pub struct Seat {
    sockets: Sockets,
    client: String,
}

impl Drop for Seat {
    fn drop(&mut self) {
        let seats = &self.sockets.seats;
        let mut seats = seats.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(taken) = seats.get_mut(&self.client) {
            *taken -= 1;
            if *taken == 0 {
                seats.remove(&self.client);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_has_so_many_seats_and_gets_them_back() {
        let sockets = Sockets::default();
        let first = sockets.seat("a".into(), 2).expect("the first");
        let _second = sockets.seat("a".into(), 2).expect("the second");
        assert!(sockets.seat("a".into(), 2).is_none());
        let _other = sockets.seat("b".into(), 2).expect("another client's");
        drop(first);
        assert_eq!(sockets.seated(), 2);
        let _again = sockets.seat("a".into(), 2).expect("the freed one");
    }

    #[test]
    fn nothing_is_kept_of_a_client_that_left() {
        let sockets = Sockets::default();
        drop(sockets.seat("a".into(), 1));
        let seats = sockets.seats.lock().expect("not poisoned");
        assert!(seats.is_empty());
    }
}
