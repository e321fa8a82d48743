//! What is pushed.

use std::sync::Arc;

use async_graphql::{Context, Subscription as GraphqlSubscription};
use entity::feed::cursor;
use entity::id::PartnerId;
use futures_util::Stream;
use futures_util::stream;
use tokio::sync::watch;

use super::error::ApiError;
use super::object::Whole;
use super::object::feed::{FeedCaughtUp, FeedEntry, FeedMessage, position};
use super::scalar::BigInt;
use super::{app, permit};
use crate::app::App;
use crate::auth::access;
use crate::auth::guard::Requires;
use crate::domain;
use crate::http::stream::Bookmark;

/// What is pushed: over a WebSocket, as server-sent events, or in parts.
#[derive(Default)]
pub struct Subscription;

/// What is pushed: over a WebSocket, as server-sent events, or in parts.
#[GraphqlSubscription]
impl Subscription {
    /// The partner's feed: first every entry after the cursor, then `FeedCaughtUp` once, then each further entry as it is recorded.
    /// Nothing is lost on a dropped connection: go on with the cursor of the last entry that was taken, or with the last event's id in
    /// the header `Last-Event-ID`, which wins over `after`. Where something after the cursor is no longer kept there is the error
    /// `CURSOR_EXPIRED`, as of `Query.feed`. Scope: `feed:read`.
    #[graphql(guard = "Requires::<access::FollowFeed>::new()")]
    async fn feed(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Only entries after this cursor; from the beginning unless given.")] after: Option<
            String,
        >,
    ) -> Result<impl Stream<Item = Result<Whole<FeedMessage>, ApiError>> + use<>, ApiError> {
        let app = Arc::clone(app(context)?);
        let partner = domain::feed::partner(&permit::<access::FollowFeed>(context)?)?;
        // A client that comes back says where it was in a header, and repeats its first request.
        let bookmark = context.data_opt::<Bookmark>().cloned().unwrap_or_default();
        let start = bookmark
            .came_with()
            .or(after.as_deref())
            .map_or(Ok(0), |cursor| position(partner, cursor))?;
        domain::feed::require_kept(&app, partner, start).await?;
        // Watched before the first look into the table: what is recorded in between is either seen or wakes.
        let woken = app.wakes.watch_feed(partner);
        let follower = Follower {
            app,
            partner,
            position: start,
            woken,
            bookmark,
            ready: Vec::new().into_iter(),
            caught_up: false,
        };
        Ok(stream::unfold(Some(follower), |follower| async move {
            let mut follower = follower?;
            match follower.next().await {
                Ok(message) => Some((Ok(Whole(message)), Some(follower))),
                // Told once, and the stream ends: the client goes on with its cursor.
                Err(error) => Some((Err(error), None)),
            }
        }))
    }
}

/// How long a subscription goes without looking when no wake-up comes: a lost one costs at most this.
const LOOK_EVERY: std::time::Duration = std::time::Duration::from_secs(1);

/// A reader of one feed. The table is the truth; wake-ups only say when to look, so a slow or disconnected reader misses nothing and
/// holds at most one page in memory.
struct Follower {
    app: Arc<App>,
    partner: PartnerId,
    /// The last position delivered or about to be.
    position: i64,
    woken: watch::Receiver<u64>,
    /// Where the cursor of each message is noted.
    bookmark: Bookmark,
    ready: std::vec::IntoIter<entity::feed::Entry>,
    caught_up: bool,
}

impl Follower {
    async fn next(&mut self) -> Result<FeedMessage, ApiError> {
        loop {
            if let Some(entry) = self.ready.next() {
                self.position = entry.position;
                self.bookmark.mark(cursor::write(self.partner, self.position));
                return Ok(FeedMessage::FeedEntry(FeedEntry {
                    partner: self.partner,
                    entry,
                }));
            }
            self.woken.mark_unchanged();
            let page =
                domain::feed::list(&self.app, self.partner, self.position, domain::feed::PAGE_MAX).await?;
            if !page.entries.is_empty() {
                self.ready = page.entries.into_iter();
                continue;
            }
            if !self.caught_up {
                self.caught_up = true;
                let position = BigInt(self.position);
                self.bookmark.mark(cursor::write(self.partner, self.position));
                return Ok(FeedMessage::FeedCaughtUp(FeedCaughtUp {
                    position,
                    cursor: cursor::write(self.partner, self.position),
                }));
            }
            // Woken, or time to look anyway; that nobody is left to wake cannot be, as the application holds the sender.
            drop(tokio::time::timeout(LOOK_EVERY, self.woken.changed()).await);
        }
    }
}
