//! What is pushed.

use std::sync::Arc;

use async_graphql::{Context, Subscription as GraphqlSubscription};
use std::time::Duration;

use entity::feed::{Entry, cursor};
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
use crate::domain::activity::Activity;
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
        let partner = domain::feed::partner(&permit::<access::FollowFeed>(context)?)?;
        follow(context, Source::Feed(partner), after).await
    }

    /// What members achieve and ask for, as it happens, so that the app can congratulate at once: earned and revoked achievements,
    /// sensitive ones too, and redemptions and gifts that are requested or called off, of all programs, whatever members share with
    /// partners. `memberRef` is the member's external id, and `erased` once the member is; ids and times are those that things have
    /// everywhere. To the mobile backend the whole of it, or one member's; to a member its own. Replayed, caught up and live as `feed`,
    /// with the same cursors as `Query.memberActivity`, which says more. If the member is erased meanwhile, it ends with an error.
    /// Scope: `member:self` or `member:any`.
    #[graphql(guard = "Requires::<access::FollowMemberActivity>::new()")]
    async fn member_activity(
        &self,
        context: &Context<'_>,
        #[graphql(
            desc = "The member, by the employer's own id; all members unless given, and to a member itself."
        )]
        external_id: Option<String>,
        #[graphql(desc = "The key of the employer; the token's own unless given.")] employer: Option<String>,
        #[graphql(desc = "Only entries after this cursor; from the beginning unless given.")] after: Option<
            String,
        >,
    ) -> Result<impl Stream<Item = Result<Whole<FeedMessage>, ApiError>> + use<>, ApiError> {
        let permit = permit::<access::FollowMemberActivity>(context)?;
        let (employer, external_id) = (employer.as_deref(), external_id.as_deref());
        let activity = domain::activity::open(app(context)?, &permit, employer, external_id).await?;
        follow(context, Source::Activity(activity), after).await
    }
}

/// Replays what there is after a cursor, says so, and goes on with what comes.
async fn follow(
    context: &Context<'_>,
    source: Source,
    after: Option<String>,
) -> Result<impl Stream<Item = Result<Whole<FeedMessage>, ApiError>> + use<>, ApiError> {
    let app = Arc::clone(app(context)?);
    let feed = source.feed();
    // A client that comes back says where it was in a header, and repeats its first request.
    let bookmark = context.data_opt::<Bookmark>().cloned().unwrap_or_default();
    let start = bookmark
        .came_with()
        .or(after.as_deref())
        .map_or(Ok(0), |cursor| position(feed, cursor))?;
    domain::feed::require_kept(&app, feed, start).await?;
    // Watched before the first look into the table: what is recorded in between is either seen or wakes.
    let woken = app.wakes.watch_feed(feed);
    let follower = Follower {
        app,
        source,
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

/// How long a subscription goes without looking when no wake-up comes: a lost one costs at most this.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// The same of a member's own activity: there can be as many who follow it as there are members, and a wake-up is seldom lost.
const LOOK_EVERY_OF_MEMBER: Duration = Duration::from_secs(10);

/// What is followed.
enum Source {
    /// A partner's feed.
    Feed(PartnerId),
    /// An employer's own, or what is in it of one member.
    Activity(Activity),
}

impl Source {
    fn feed(&self) -> PartnerId {
        match self {
            Self::Feed(partner) => *partner,
            Self::Activity(activity) => activity.feed,
        }
    }

    fn look_every(&self) -> Duration {
        match self {
            Self::Activity(activity) if activity.is_of_one() => LOOK_EVERY_OF_MEMBER,
            _ => LOOK_EVERY,
        }
    }

    /// The next entries after a position, and up to where there is nothing else.
    async fn next(&self, app: &App, after: i64) -> Result<(Vec<Entry>, i64), ApiError> {
        let first = domain::feed::PAGE_MAX;
        match self {
            Self::Feed(partner) => {
                let page = domain::feed::list(app, *partner, after, first).await?;
                Ok((page.entries, after))
            }
            Self::Activity(activity) => {
                let part = domain::activity::list(app, activity, after, first).await?;
                Ok((part.entries, part.through))
            }
        }
    }
}

/// A reader of one feed. The table is the truth; wake-ups only say when to look, so a slow or disconnected reader misses nothing and
/// holds at most one page in memory.
struct Follower {
    app: Arc<App>,
    source: Source,
    /// The last position delivered or about to be, or up to which there is nothing to deliver.
    position: i64,
    woken: watch::Receiver<u64>,
    /// Where the cursor of each message is noted.
    bookmark: Bookmark,
    ready: std::vec::IntoIter<Entry>,
    caught_up: bool,
}

impl Follower {
    async fn next(&mut self) -> Result<FeedMessage, ApiError> {
        let feed = self.source.feed();
        loop {
            if let Some(entry) = self.ready.next() {
                self.position = entry.position;
                self.bookmark.mark(cursor::write(feed, self.position));
                return Ok(FeedMessage::FeedEntry(FeedEntry { partner: feed, entry }));
            }
            self.woken.mark_unchanged();
            let (entries, through) = self.source.next(&self.app, self.position).await?;
            if !entries.is_empty() {
                self.ready = entries.into_iter();
                continue;
            }
            self.position = through;
            if !self.caught_up {
                self.caught_up = true;
                let position = BigInt(self.position);
                self.bookmark.mark(cursor::write(feed, self.position));
                return Ok(FeedMessage::FeedCaughtUp(FeedCaughtUp {
                    position,
                    cursor: cursor::write(feed, self.position),
                }));
            }
            // Woken, or time to look anyway; that nobody is left to wake cannot be, as the application holds the sender.
            drop(tokio::time::timeout(self.source.look_every(), self.woken.changed()).await);
        }
    }
}
