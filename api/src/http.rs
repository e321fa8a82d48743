//! The doors: what reaches Plaudit over HTTP, and how each request is refused that should go no further.

pub mod graphiql;
pub mod graphql;
pub mod oauth;
pub mod websocket;

#[cfg(test)]
mod toy;
