//! The end of a feed, which all who listen to it in this process read together: a thousand listeners cost one look at the table a wake.
//!
//! The table is the truth, here as everywhere. A look is shared with those who would have looked no sooner: with whom the same wake-up
//! has told, and for a moment (a second) with those who come after, as far as there is something in it for them; only a look that began
//! after the wake-up says that there is nothing. What was read before a member was erased is shown to nobody who asks after it, in this
//! process at once and in others within that moment.
//!
//! Whoever is further behind than a page reads by itself, so that replays hold up nobody who is live. A look is a task of its own, and
//! one at a time for each feed: a listener that is slow or goes away holds up nobody either, and while it lasts, those who need another
//! one gather for the next. What is kept is a few pages a feed, for as long as somebody listens to it.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use entity::db::Db;
use entity::feed::Entry;
use entity::id::PartnerId;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use jobs::wake::Wakes;
use tokio::sync::watch;
use tokio::time::Instant;

use super::names::Names;
use super::{PAGE_MAX, page};

/// Who is so many entries behind is served from here; who is further behind reads by itself.
const REACH: i64 = PAGE_MAX;
/// Entries of one look: whoever is a reach behind and whoever is at the end both get on by it.
const LOOK_MAX: i64 = 2 * REACH;
/// Pages that are kept of a feed.
const PAGES_MAX: usize = 4;
/// How old a page may be for those who come after; as old as what is known of revoked clients may be.
const FRESH: Duration = Duration::from_secs(1);
/// So many looks of others are waited for.
const ROUNDS: usize = 3;

/// When somebody looked.
#[derive(Debug, Clone, Copy)]
pub struct Look {
    /// The wake-ups that there had been.
    pub wakes: u64,
    /// When it began.
    pub at: Instant,
}

impl Look {
    /// A look that begins now.
    pub fn now(woken: &watch::Receiver<u64>) -> Self {
        Self {
            wakes: *woken.borrow(),
            at: Instant::now(),
        }
    }
}

/// What somebody looked for who had everything up to a position, and found.
pub struct Page {
    /// When.
    pub look: Look,
    /// The position after which it begins.
    after: i64,
    /// Up to which position there is nothing else.
    pub through: i64,
    /// Whether there was more after that.
    pub has_more: bool,
    entries: Arc<[Entry]>,
    /// What the entries name.
    pub names: Arc<Names>,
    /// How often members had been erased.
    erased: u64,
}

impl Page {
    /// What was found.
    pub fn new(
        db: &Db,
        look: Look,
        after: i64,
        (entries, has_more, through): (Vec<Entry>, bool, i64),
    ) -> Self {
        let entries: Arc<[Entry]> = entries.into();
        Self {
            look,
            after,
            through,
            has_more,
            names: Arc::new(Names::new(db.clone(), Arc::clone(&entries))),
            entries,
            erased: 0,
        }
    }

    /// The first entry after a position.
    pub fn next(&self, position: i64) -> Option<&Entry> {
        self.after(position).first()
    }

    /// The entries after a position.
    pub fn after(&self, position: i64) -> &[Entry] {
        let before = self.entries.partition_point(|entry| entry.position <= position);
        self.entries.get(before..).unwrap_or_default()
    }

    /// The same look, for somebody whom none of the entries concerns.
    #[must_use]
    pub fn without_entries(&self, db: &Db) -> Self {
        Self::new(
            db,
            self.look,
            self.after,
            (Vec::new(), self.has_more, self.through),
        )
    }

    /// Whether it tells what comes after a position.
    fn covers(&self, position: i64) -> bool {
        self.after <= position && (position < self.through || (position == self.through && !self.has_more))
    }

    /// Whether it does for this wish.
    fn suits(&self, wish: &Wish, erased: u64) -> bool {
        let is_own = self.look.wakes >= wish.look.wakes && self.look.at >= wish.look.at;
        let has_news = self.through > wish.after && self.look.at.elapsed() < FRESH;
        self.erased == erased && self.covers(wish.after) && (is_own || has_news)
    }
}

/// What a listener wants to see.
#[derive(Debug, Clone, Copy)]
pub struct Wish {
    /// What comes after this position.
    pub after: i64,
    /// As it is found by a look that begins no sooner than this one, after as many wake-ups.
    pub look: Look,
}

/// The end of one feed.
pub struct Tail {
    feed: PartnerId,
    db: Db,
    woken: watch::Receiver<u64>,
    erased: Arc<AtomicU64>,
    shelf: Mutex<Shelf>,
}

#[derive(Default)]
struct Shelf {
    /// The newest position that anybody knows of.
    newest: i64,
    /// The lowest position of those who wait for the next look.
    lowest: Option<i64>,
    /// What was found, the newest last.
    pages: VecDeque<Arc<Page>>,
    under_way: Option<Looking>,
}

/// A look that is under way; in the end nothing, where it has failed.
type Looking = Shared<BoxFuture<'static, Option<Arc<Page>>>>;

enum Step {
    Found(Arc<Page>),
    Wait(Looking),
    Alone,
}

impl Tail {
    /// Changes whenever the feed may have grown.
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.woken.clone()
    }

    /// Takes note that the feed has come this far.
    pub fn reaches(&self, newest: i64) {
        let mut shelf = self.shelf();
        shelf.newest = shelf.newest.max(newest);
    }

    /// What is shared and does for a wish; nothing: whoever wishes it has to look for itself. What has failed is not shared, so that
    /// each is told what is wrong with its own place.
    pub async fn look(self: &Arc<Self>, wish: &Wish) -> Option<Arc<Page>> {
        for _ in 0..ROUNDS {
            let looking = match self.step(wish) {
                Step::Found(page) => return Some(page),
                Step::Wait(looking) => looking,
                Step::Alone => return None,
            };
            looking.await?;
        }
        None
    }

    fn step(self: &Arc<Self>, wish: &Wish) -> Step {
        let erased = self.erased.load(Ordering::SeqCst);
        let mut shelf = self.shelf();
        shelf.newest = shelf.newest.max(wish.after);
        if let Some(page) = shelf.pages.iter().rev().find(|page| page.suits(wish, erased)) {
            return Step::Found(Arc::clone(page));
        }
        if shelf.newest.saturating_sub(wish.after) > REACH {
            return Step::Alone;
        }
        if let Some(looking) = shelf
            .under_way
            .as_ref()
            .filter(|looking| looking.peek().is_none())
        {
            let looking = looking.clone();
            let lowest = shelf.lowest.map_or(wish.after, |lowest| lowest.min(wish.after));
            shelf.lowest = Some(lowest);
            return Step::Wait(looking);
        }
        // From where the last of those on who have waited for it, as far as whoever begins it is served by that too.
        let lowest = shelf.lowest.take().unwrap_or(wish.after);
        let after = lowest.clamp(wish.after.saturating_sub(REACH), wish.after);
        let task = tokio::spawn(Arc::clone(self).read(after));
        let looking = async move { task.await.ok().flatten() }.boxed().shared();
        shelf.under_way = Some(looking.clone());
        Step::Wait(looking)
    }

    async fn read(self: Arc<Self>, after: i64) -> Option<Arc<Page>> {
        let erased = self.erased.load(Ordering::SeqCst);
        let look = Look::now(&self.woken);
        let found = page(&self.db, self.feed, after, LOOK_MAX).await;
        let mut shelf = self.shelf();
        shelf.under_way = None;
        let found = match found {
            Ok(found) => found,
            Err(error) => {
                tracing::debug!(error = ?error, "a feed was not read for all who listen");
                return None;
            }
        };
        let through = found.entries.last().map_or(after, |entry| entry.position);
        let page = Arc::new(Page {
            erased,
            ..Page::new(&self.db, look, after, (found.entries, found.has_more, through))
        });
        shelf.newest = shelf.newest.max(through);
        shelf.pages.retain(|page| page.look.at.elapsed() < FRESH);
        if shelf.pages.len() >= PAGES_MAX {
            shelf.pages.pop_front();
        }
        shelf.pages.push_back(Arc::clone(&page));
        Some(page)
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The ends of the feeds that somebody listens to.
#[derive(Default)]
pub struct Tails {
    feeds: Mutex<HashMap<PartnerId, Weak<Tail>>>,
    erased: Arc<AtomicU64>,
}

impl Tails {
    /// The end of a feed, which is there as long as somebody holds it.
    pub fn of(&self, db: &Db, wakes: &Wakes, feed: PartnerId) -> Arc<Tail> {
        let mut feeds = self.feeds.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(tail) = feeds.get(&feed).and_then(Weak::upgrade) {
            return tail;
        }
        feeds.retain(|_, tail| tail.strong_count() > 0);
        let tail = Arc::new(Tail {
            feed,
            db: db.clone(),
            woken: wakes.watch_feed(feed),
            erased: Arc::clone(&self.erased),
            shelf: Mutex::default(),
        });
        feeds.insert(feed, Arc::downgrade(&tail));
        tail
    }

    /// Takes note that a member was erased: what was read before is shown to nobody any more.
    pub fn forget(&self) {
        self.erased.fetch_add(1, Ordering::SeqCst);
    }
}
