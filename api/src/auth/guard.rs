//! The two places where a resolver meets the table: [`Requires`] before the field, [`permit`] inside it.

use std::marker::PhantomData;
use std::sync::Arc;

use async_graphql::{Context, Error, ErrorExtensions, Guard};

use super::access::Operation;
use super::viewer::{Denied, Permit, Viewer};

/// The guard of the field behind `O`: `#[graphql(guard = "Requires::<access::CreateEmployer>::new()")]`.
///
/// It refuses before anything of the field runs, and answers UNAUTHENTICATED without a viewer, FORBIDDEN without a scope. The
/// door puts an `Arc<Viewer>` into the data of a request or a socket whose token verifies, and nothing where there was none.
#[derive(Debug)]
pub struct Requires<O: Operation>(PhantomData<fn() -> O>);

impl<O: Operation> Requires<O> {
    /// The guard; what it asks for stands in the table.
    #[expect(
        clippy::new_without_default,
        reason = "a guard is named in an attribute and never built by default"
    )]
    pub const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<O: Operation> Guard for Requires<O> {
    async fn check(&self, context: &Context<'_>) -> async_graphql::Result<()> {
        permit::<O>(context).map(|_| ())
    }
}

/// The permit of the viewer at hand for `O`.
pub fn permit<O: Operation>(context: &Context<'_>) -> Result<Permit<O>, Error> {
    let viewer = context.data_opt::<Arc<Viewer>>().ok_or_else(unauthenticated)?;
    viewer.permit::<O>().map_err(forbidden)
}

fn unauthenticated() -> Error {
    Error::new("a valid token is needed")
        .extend_with(|_, extensions| extensions.set("code", "UNAUTHENTICATED"))
}

fn forbidden(denied: Denied) -> Error {
    Error::new(denied.to_string()).extend_with(|_, extensions| extensions.set("code", "FORBIDDEN"))
}

#[cfg(test)]
mod tests {
    use async_graphql::{EmptyMutation, EmptySubscription, Object, Request, Schema};

    use super::*;
    use crate::auth::access;
    use crate::auth::testing::viewer;

    struct Query;

    #[Object]
    impl Query {
        #[graphql(guard = "Requires::<access::ReadProgram>::new()")]
        async fn program(&self, context: &Context<'_>) -> async_graphql::Result<String> {
            Ok(permit::<access::ReadProgram>(context)?.viewer().client_id.clone())
        }
    }

    async fn answer(viewer: Option<Viewer>) -> serde_json::Value {
        let mut request = Request::new("{ program }");
        if let Some(viewer) = viewer {
            request = request.data(Arc::new(viewer));
        }
        let schema = Schema::new(Query, EmptyMutation, EmptySubscription);
        serde_json::to_value(schema.execute(request).await).unwrap()
    }

    #[tokio::test]
    async fn a_request_without_a_viewer_is_unauthenticated() {
        let answer = answer(None).await;
        assert_eq!(answer["errors"][0]["extensions"]["code"], "UNAUTHENTICATED");
    }

    #[tokio::test]
    async fn a_viewer_without_the_scope_is_told_which_ones_would_do() {
        let answer = answer(Some(viewer("feed:read"))).await;
        assert_eq!(answer["errors"][0]["extensions"]["code"], "FORBIDDEN");
        assert_eq!(
            answer["errors"][0]["message"],
            "this needs the scope programs:read or operator"
        );
    }

    #[tokio::test]
    async fn a_viewer_with_the_scope_goes_on() {
        let answer = answer(Some(viewer("programs:read"))).await;
        assert_eq!(answer["data"]["program"], "plaudit");
    }
}
