//! The results of one operation, one after another: what sockets and streams deliver.

use std::panic::AssertUnwindSafe;

use async_graphql::parser::types::OperationType;
use async_graphql::{Executor, Value};
use futures_util::stream::{BoxStream, StreamExt, once};

use super::errors::Answer;
use super::request::Prepared;
use super::{Door, Gate, panicked, run};

/// One result of an operation.
#[derive(Debug)]
pub(in crate::http) enum Word {
    /// A result, after which there may be more.
    Next(Answer),
    /// The operation was refused or has failed: its last word.
    Error(Answer),
}

/// Runs an operation: the one result of a query or mutation, or whatever a subscription brings.
pub(in crate::http) fn results<D: Door>(
    gate: &Gate<D>,
    prepared: Prepared,
    viewer: &D::Viewer,
    id: String,
) -> BoxStream<'static, Word> {
    if prepared.operation != OperationType::Subscription {
        let (gate, viewer) = (gate.clone(), viewer.clone());
        let result = async move {
            let answer = run(&gate, prepared, Some(&viewer), &id).await;
            match answer.refused() {
                Some(_) => Word::Error(answer),
                None => Word::Next(answer),
            }
        };
        return once(result).boxed();
    }
    let request = gate.door.attach(prepared.request, Some(viewer), &id);
    let results = gate.door.executor().execute_stream(request, None);
    let results = AssertUnwindSafe(results).catch_unwind().map(move |result| {
        let Ok(response) = result else {
            return Word::Error(panicked(&id));
        };
        let answer = Answer::of(response, &id);
        // An event of which nothing could be told, or a stream that could not even begin.
        match &answer.data {
            None | Some(Value::Null) => Word::Error(answer),
            Some(_) => Word::Next(answer),
        }
    });
    results.boxed()
}
