//! What the operator and an employer's administrators have set up.

use async_graphql::connection::Connection;
use async_graphql::{Context, Object};

use crate::auth::access;
use crate::auth::guard::Requires;
use crate::domain;
use crate::graphql::connection::{Arguments, Cursor, connection};
use crate::graphql::error::ApiError;
use crate::graphql::object::viewer::Viewer;
use crate::graphql::object::{AuditEntry, Client, DeadEvent, Employer, Partner, Program};
use crate::graphql::{app, permit, viewer};

/// What was set up.
#[derive(Default)]
pub struct SetupQuery;

/// What was set up.
#[Object]
impl SetupQuery {
    /// Who this token is. Scope: any valid token.
    #[graphql(guard = "Requires::<access::ReadViewer>::new()")]
    async fn viewer(&self, context: &Context<'_>) -> Result<Viewer, ApiError> {
        permit::<access::ReadViewer>(context)?;
        viewer(context).map(Viewer)
    }

    /// The employer of this key; without a key the token's own. Null: there is none that this token may see.
    /// Scope: `programs:read` or `operator`.
    #[graphql(guard = "Requires::<access::ReadEmployer>::new()")]
    async fn employer(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Its key. The operator must give it.")] key: Option<String>,
    ) -> Result<Option<Employer>, ApiError> {
        let found = domain::employer::find(app(context)?, permit(context)?, key.as_deref()).await?;
        Ok(found.map(Employer))
    }

    /// All employers, in the order of their making. Scope: `operator`.
    #[graphql(guard = "Requires::<access::ListEmployers>::new()")]
    async fn employers(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "At most so many, 1 to 100; 20 unless given.")] first: Option<i32>,
        #[graphql(desc = "Only those after this cursor.")] after: Option<String>,
    ) -> Result<Connection<Cursor, Employer>, ApiError> {
        let page = Arguments::forward(first, after).page()?;
        let slice = domain::employer::list(app(context)?, permit(context)?, page).await?;
        Ok(connection(slice, |row| row.id, Employer))
    }

    /// All partners, in the order of their making. Scope: `operator`.
    #[graphql(guard = "Requires::<access::ListPartners>::new()")]
    async fn partners(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "At most so many, 1 to 100; 20 unless given.")] first: Option<i32>,
        #[graphql(desc = "Only those after this cursor.")] after: Option<String>,
    ) -> Result<Connection<Cursor, Partner>, ApiError> {
        let page = Arguments::forward(first, after).page()?;
        let slice = domain::partner::list(app(context)?, permit(context)?, page).await?;
        Ok(connection(slice, |row| row.id, Partner))
    }

    /// All OAuth clients, revoked ones too, in the order of their making. Scope: `operator`.
    #[graphql(guard = "Requires::<access::ListClients>::new()")]
    async fn clients(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "At most so many, 1 to 100; 20 unless given.")] first: Option<i32>,
        #[graphql(desc = "Only those after this cursor.")] after: Option<String>,
    ) -> Result<Connection<Cursor, Client>, ApiError> {
        let page = Arguments::forward(first, after).page()?;
        let slice = domain::client::list(app(context)?, permit(context)?, page).await?;
        Ok(connection(slice, |row| row.id, Client))
    }

    /// Events that could not be evaluated in several tries, oldest first. Scope: `operator`.
    #[graphql(guard = "Requires::<access::ListDeadEvents>::new()")]
    async fn dead_events(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "At most so many, 1 to 100; 20 unless given.")] first: Option<i32>,
        #[graphql(desc = "Only those after this cursor.")] after: Option<String>,
    ) -> Result<Connection<Cursor, DeadEvent>, ApiError> {
        let page = Arguments::forward(first, after).page()?;
        let slice = domain::dead_event::list(app(context)?, permit(context)?, page).await?;
        Ok(connection(slice, |row| row.id, DeadEvent))
    }

    /// Every change that the operator has made and that is about no employer, newest first; those about one are in its own log. Scope:
    /// `operator`.
    #[graphql(guard = "Requires::<access::ReadOwnAuditLog>::new()")]
    async fn audit_log(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "At most so many, 1 to 100; 20 unless given.")] first: Option<i32>,
        #[graphql(desc = "Only those after this cursor, which are older.")] after: Option<String>,
    ) -> Result<Connection<Cursor, AuditEntry>, ApiError> {
        let page = Arguments::forward(first, after).page()?;
        let slice = domain::audit::list_own(app(context)?, &permit(context)?, page).await?;
        Ok(connection(slice, |row| row.entry.place(), AuditEntry))
    }

    /// The program of this key. Null: there is none that this token may see. Scope: `programs:read` or `operator`.
    #[graphql(guard = "Requires::<access::ReadProgram>::new()")]
    async fn program(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Its key.")] key: String,
        #[graphql(
            desc = "The key of the employer; the token's own unless given. The operator must give it."
        )]
        employer: Option<String>,
    ) -> Result<Option<Program>, ApiError> {
        let found = domain::program::find(app(context)?, permit(context)?, employer.as_deref(), &key).await?;
        Ok(found.map(Program))
    }
}
