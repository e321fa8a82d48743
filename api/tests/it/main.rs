//! Integration tests: one binary, so that it links once and its modules run side by side.
// Without this, clippy does not know that the helpers between the tests are tests too.
#![cfg(test)]

mod tidy;
