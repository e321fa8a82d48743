//! A partner's feed, by page.

use async_graphql::{Context, Object};
use entity::feed::cursor;

use crate::auth::access;
use crate::auth::guard::Requires;
use crate::domain;
use crate::graphql::error::ApiError;
use crate::graphql::object::feed::{FeedEntry, FeedPage, position};
use crate::graphql::{app, permit};

/// A partner's feed, by page.
#[derive(Default)]
pub struct FeedQuery;

/// A partner's feed, by page.
#[Object]
impl FeedQuery {
    /// The entries of the partner's feed after a cursor, by position. Scope: `feed:read`.
    #[graphql(guard = "Requires::<access::ReadFeed>::new()")]
    async fn feed(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Only entries after this cursor; from the beginning unless given.")] after: Option<
            String,
        >,
        #[graphql(desc = "At most so many, 1 to 100.", default_with = "Some(100)")] first: Option<i32>,
    ) -> Result<FeedPage, ApiError> {
        let app = app(context)?;
        let partner = domain::feed::partner(&permit::<access::ReadFeed>(context)?)?;
        let start = after
            .as_deref()
            .map_or(Ok(0), |cursor| position(partner, cursor))?;
        domain::feed::require_reached(app, partner, start).await?;
        let page = domain::feed::list(
            app,
            partner,
            start,
            first.map_or(domain::feed::PAGE_MAX, i64::from),
        )
        .await?;
        let end_cursor = page
            .entries
            .last()
            .map(|entry| cursor::write(partner, entry.position))
            .or(after);
        let entries = page
            .entries
            .into_iter()
            .map(|entry| FeedEntry { partner, entry })
            .collect();
        Ok(FeedPage {
            entries,
            end_cursor,
            has_more: page.has_more,
        })
    }
}
