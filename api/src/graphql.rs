//! The GraphQL face: resolvers translate, operations (`domain`) decide.
//!
//! A resolver asks its permit of the viewer, turns its input into the operation's, and its result into an object. Errors leave in one
//! of two ways: what the caller can mend in `userErrors` of a mutation's payload, everything else as an [`error::ApiError`].

pub mod connection;
pub mod error;
pub mod loader;
pub mod mutation;
pub mod object;
pub mod query;
pub mod scalar;
pub mod subscription;

use std::sync::Arc;

use async_graphql::{Context, Schema};

use crate::app::App;
use crate::auth::access::Operation;
use crate::auth::guard;
use crate::auth::viewer::{Permit, Viewer};
use crate::http::graphql::harden;

/// The executable schema.
pub type PlauditSchema = Schema<query::Query, mutation::Mutation, subscription::Subscription>;

/// The schema; on a `dev` server it describes itself.
pub fn schema(app: Option<Arc<App>>, dev: bool) -> PlauditSchema {
    let builder = Schema::build(
        query::Query::default(),
        mutation::Mutation::default(),
        subscription::Subscription,
    );
    let builder = match app {
        Some(app) => builder.data(app),
        None => builder,
    };
    harden(builder, dev).finish()
}

/// The schema as text, sorted, so that two builds of one schema are one text.
pub fn sdl() -> String {
    let options = async_graphql::SDLExportOptions::new()
        .sorted_fields()
        .sorted_arguments()
        .sorted_enum_items()
        .include_specified_by();
    let mut text = schema(None, true).sdl_with_options(options);
    if !text.ends_with('\n') {
        text.push('\n');
    }
    text
}

/// The application behind a request.
fn app<'a>(context: &Context<'a>) -> Result<&'a Arc<App>, error::ApiError> {
    context.data_opt::<Arc<App>>().ok_or(error::ApiError::Internal(
        "the schema was built without an application",
    ))
}

/// Who is asking.
fn viewer(context: &Context<'_>) -> Result<Arc<Viewer>, error::ApiError> {
    context
        .data_opt::<Arc<Viewer>>()
        .cloned()
        .ok_or(error::ApiError::Internal(
            "a guarded field was reached without a viewer",
        ))
}

/// The permit of the viewer for an operation.
fn permit<O: Operation>(context: &Context<'_>) -> Result<Permit<O>, error::ApiError> {
    guard::permit::<O>(context).map_err(error::ApiError::Given)
}
