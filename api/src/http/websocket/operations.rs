//! The operations that run on one socket. Nothing here is buffered: a stream is asked for its next result only when the socket has
//! taken the last one, and the streams take turns.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::future::poll_fn;
use futures_util::stream::{BoxStream, Stream};

/// One running operation.
struct Running<T> {
    id: String,
    results: BoxStream<'static, T>,
}

/// The running operations of one socket, by the ids their client gave them.
pub(super) struct Operations<T> {
    /// Whoever was asked goes to the end, so that a stream which always has a result does not keep the others waiting.
    running: VecDeque<Running<T>>,
}

impl<T> Operations<T> {
    pub(super) fn new() -> Self {
        Self {
            running: VecDeque::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.running.len()
    }

    pub(super) fn contains(&self, id: &str) -> bool {
        self.running.iter().any(|running| running.id == id)
    }

    pub(super) fn start(&mut self, id: String, results: BoxStream<'static, T>) {
        self.running.push_back(Running { id, results });
    }

    /// Drops an operation, and with it whatever it was doing.
    pub(super) fn stop(&mut self, id: &str) {
        self.running.retain(|running| running.id != id);
    }

    /// The next result of any operation, or its end: then the operation is gone. Waits forever where none runs.
    pub(super) async fn next(&mut self) -> (String, Option<T>) {
        poll_fn(|context| self.poll(context)).await
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<(String, Option<T>)> {
        for _ in 0..self.running.len() {
            let Some(mut running) = self.running.pop_front() else {
                break;
            };
            match Pin::new(&mut running.results).poll_next(context) {
                Poll::Ready(None) => return Poll::Ready((running.id, None)),
                Poll::Ready(Some(result)) => {
                    let id = running.id.clone();
                    self.running.push_back(running);
                    return Poll::Ready((id, Some(result)));
                }
                Poll::Pending => self.running.push_back(running),
            }
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use futures_util::stream::{self, StreamExt};

    use super::*;

    #[tokio::test]
    async fn streams_that_always_have_a_result_take_turns() {
        let mut operations = Operations::new();
        for id in ["a", "b", "c"] {
            operations.start(id.to_owned(), stream::repeat(()).boxed());
        }
        let mut order = String::new();
        for _ in 0..7 {
            order.push_str(&operations.next().await.0);
        }
        assert_eq!(order, "abcabca");
    }

    #[tokio::test]
    async fn an_operation_that_ends_is_gone_and_the_others_go_on() {
        let mut operations = Operations::new();
        operations.start("a".to_owned(), stream::iter([1]).boxed());
        operations.start("b".to_owned(), stream::iter([2, 3]).boxed());
        let mut seen = Vec::new();
        while operations.len() > 0 {
            seen.push(operations.next().await);
        }
        let expected = [
            ("a".to_owned(), Some(1)),
            ("b".to_owned(), Some(2)),
            ("a".to_owned(), None),
            ("b".to_owned(), Some(3)),
            ("b".to_owned(), None),
        ];
        assert_eq!(seen, expected);
    }

    #[tokio::test]
    async fn a_stopped_operation_gives_nothing_more() {
        let mut operations = Operations::new();
        operations.start("a".to_owned(), stream::repeat(1).boxed());
        operations.start("b".to_owned(), stream::iter([2]).boxed());
        assert!(operations.contains("a"));
        operations.stop("a");
        assert!(!operations.contains("a"));
        assert_eq!(operations.next().await, ("b".to_owned(), Some(2)));
    }
}
