//! Where a client is in what it follows: sent along with each result, and brought back by a client that was cut off.

use std::sync::{Arc, Mutex, PoisonError};

/// The bookmark of one operation, shared by the resolver that knows what a place is and the stream that sends it along. A resolver
/// finds it in the data of its request where the results go out in a form that has a place for it.
#[derive(Debug, Clone, Default)]
pub struct Bookmark {
    came_with: Option<String>,
    // Protects one text, and is never held across an await. A stream takes one result at a time, so what is marked belongs to it.
    marked: Arc<Mutex<Option<String>>>,
}

impl Bookmark {
    /// The bookmark of a client that says where it was.
    #[must_use]
    pub fn new(came_with: Option<String>) -> Self {
        Self {
            came_with,
            marked: Arc::default(),
        }
    }

    /// Where the client was when it was cut off.
    #[must_use]
    pub fn came_with(&self) -> Option<&str> {
        self.came_with.as_deref()
    }

    /// Notes where a client goes on that has the result which is being made. Visible ASCII.
    pub fn mark(&self, place: String) {
        *self.marked.lock().unwrap_or_else(PoisonError::into_inner) = Some(place);
    }

    /// What was noted for the last result.
    pub(super) fn take(&self) -> Option<String> {
        self.marked.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}
