//! What is pushed.

use std::sync::Arc;

use async_graphql::{Context, Subscription as GraphqlSubscription};
use std::time::Duration;

use entity::feed::cursor;
use entity::id::PartnerId;
use futures_util::Stream;
use futures_util::stream;
use tokio::sync::watch;
use tokio::time::Instant;

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
use crate::domain::feed::tail::{Look, Page, Tail, Wish};
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
    let tail = app.tails.of(&app.db, &app.wakes, feed);
    // Watched before the first look into the table: what is recorded in between is either seen or wakes.
    let woken = tail.watch();
    tail.reaches(domain::feed::require_kept(&app, feed, start).await?.newest);
    let follower = Follower {
        app,
        source,
        tail,
        woken,
        opened: Instant::now(),
        position: start,
        page: None,
        bookmark,
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

    /// What everybody was shown, as far as it may concern this one: of a member, either all of the page or none of it.
    fn concerns(&self, page: &Page, after: i64) -> bool {
        match self {
            Self::Activity(activity) if activity.is_of_one() => activity.may_be_in(page.after(after)),
            _ => true,
        }
    }

    fn is_of_one(&self) -> bool {
        matches!(self, Self::Activity(activity) if activity.is_of_one())
    }

    /// The next entries after a position, read for this one alone.
    async fn read(&self, app: &App, look: Look, after: i64) -> Result<Page, ApiError> {
        let first = domain::feed::PAGE_MAX;
        let found = match self {
            Self::Feed(partner) => {
                let page = domain::feed::list(app, *partner, after, first).await?;
                let through = page.entries.last().map_or(after, |entry| entry.position);
                (page.entries, page.has_more, through)
            }
            Self::Activity(activity) => {
                let part = domain::activity::list(app, activity, after, first).await?;
                (part.entries, part.has_more, part.through)
            }
        };
        Ok(Page::new(&app.db, look, after, found))
    }
}

/// A reader of one feed. The table is the truth; wake-ups only say when to look, so a slow or disconnected reader misses nothing and
/// holds at most one page in memory. It looks together with the others who follow the feed, where they are at about the same place.
struct Follower {
    app: Arc<App>,
    source: Source,
    tail: Arc<Tail>,
    woken: watch::Receiver<u64>,
    /// When it began: all that was there then is replayed before it says so.
    opened: Instant,
    /// The last position delivered or about to be, or up to which there is nothing to deliver.
    position: i64,
    /// What was found last. What of it comes after the position is to be delivered.
    page: Option<Arc<Page>>,
    /// Where the cursor of each message is noted.
    bookmark: Bookmark,
    caught_up: bool,
}

impl Follower {
    async fn next(&mut self) -> Result<FeedMessage, ApiError> {
        let feed = self.source.feed();
        loop {
            let Some(page) = self.page.clone() else {
                self.look(Look::now(&self.woken)).await?;
                continue;
            };
            if let Some(entry) = page.next(self.position) {
                self.position = entry.position;
                self.bookmark.mark(cursor::write(feed, self.position));
                return Ok(FeedMessage::FeedEntry(FeedEntry {
                    partner: feed,
                    entry: entry.clone(),
                    names: Some(Arc::clone(&page.names)),
                }));
            }
            self.position = self.position.max(page.through);
            // A page that others had read before may end before what was there when this one came.
            if page.has_more || page.look.at < self.opened {
                self.look(Look::now(&self.woken)).await?;
                continue;
            }
            if !self.caught_up {
                self.caught_up = true;
                let position = BigInt(self.position);
                self.bookmark.mark(cursor::write(feed, self.position));
                return Ok(FeedMessage::FeedCaughtUp(FeedCaughtUp {
                    position,
                    cursor: cursor::write(feed, self.position),
                }));
            }
            let look = self.wait(page.look).await;
            self.look(look).await?;
        }
    }

    /// Waits for a wake-up since the last look, or until it is time to look anyway. Says since when a look of somebody else will do.
    async fn wait(&mut self, last: Look) -> Look {
        let every = self.source.look_every();
        let due = last.at + every;
        // That nobody is left to wake cannot be, as the application holds the sender.
        let woken = self.woken.wait_for(|wakes| *wakes != last.wakes);
        let is_woken = tokio::time::timeout_at(due, woken).await.is_ok();
        Look {
            wakes: *self.woken.borrow(),
            // By time alone those look together whose time comes within half of it: a few looks of all, and not one of each.
            at: if is_woken { last.at } else { due - every / 2 },
        }
    }

    /// Looks for what comes next, as it is since this look or later.
    async fn look(&mut self, since: Look) -> Result<(), ApiError> {
        let wish = Wish {
            after: self.position,
            look: since,
        };
        let shared = self.tail.look(&wish).await;
        self.page = Some(match shared {
            Some(page) if !self.source.concerns(&page, self.position) => {
                Arc::new(page.without_entries(&self.app.db))
            }
            Some(page) if !self.source.is_of_one() => page,
            _ => Arc::new(
                self.source
                    .read(&self.app, Look::now(&self.woken), self.position)
                    .await?,
            ),
        });
        Ok(())
    }
}
