//! A partner's feed.

pub mod names;
pub mod tail;

use aws_lc_rs::digest::{Context, SHA256};
use entity::db::Db;
use entity::feed::kept::{self, Extent};
use entity::feed::{self, Entry, cursor};
use entity::id::PartnerId;

use super::{Error, Fault, Oldest, Outcome};
use crate::app::App;
use crate::auth::access::Operation;
use crate::auth::viewer::Permit;

/// Entries of one page.
pub const PAGE_MAX: i64 = 100;
/// Positions of one digest: a fraction of a second on either database.
pub const DIGEST_MAX: i64 = 100_000;
/// Places that a digest reads at once.
const DIGEST_PAGE: u64 = 5_000;

/// The partner whose feed a permit is for.
pub fn partner<O: Operation>(permit: &Permit<O>) -> Outcome<PartnerId> {
    let missing = || Fault::invalid(&[], "a feed belongs to a partner, and this token to none");
    Ok(permit.viewer().partner().ok_or_else(missing)?)
}

/// A page of a feed.
#[derive(Debug)]
pub struct FeedPage {
    /// The entries, in order.
    pub entries: Vec<Entry>,
    /// Whether there are more after these.
    pub has_more: bool,
}

/// Refuses a number of entries that no page has.
pub fn require_first(first: i64) -> Outcome<()> {
    if (1..=PAGE_MAX).contains(&first) {
        Ok(())
    } else {
        Err(Fault::invalid(&["first"], format!("from 1 to {PAGE_MAX}")).into())
    }
}

/// The partner's entries after a position. Positions have no hole, so a page that does not begin right behind `after` shows by itself
/// that something is no longer kept, whatever was forgotten since the last page.
pub async fn list(app: &App, partner: PartnerId, after: i64, first: i64) -> Outcome<FeedPage> {
    require_first(first)?;
    page(&app.db, partner, after, first).await
}

/// As [`list`], however many entries a page is to have.
async fn page(db: &Db, partner: PartnerId, after: i64, first: i64) -> Outcome<FeedPage> {
    let limit = u64::try_from(first).unwrap_or(1);
    let mut entries = feed::list(db.read(), partner, after, limit + 1).await?;
    if let Some(entry) = entries
        .first()
        .filter(|entry| entry.position > after.saturating_add(1))
    {
        return Err(expired(partner, entry.position));
    }
    let has_more = entries.len() as u64 > limit;
    if has_more {
        entries.pop();
    }
    Ok(FeedPage { entries, has_more })
}

/// Refuses a position the feed has not reached, as such a cursor was never given out; and one behind which not everything is kept.
pub async fn require_kept(app: &App, partner: PartnerId, after: i64) -> Outcome<Extent> {
    let extent = kept::extent(app.db.read(), partner).await?;
    if !extent.reaches(after) {
        return Err(Fault::invalid(&["after"], "not a cursor of this feed").into());
    }
    if !extent.keeps_all_after(after) {
        return Err(expired(partner, extent.oldest));
    }
    Ok(extent)
}

/// What is to be said where something is asked for that comes before the oldest position.
pub fn expired(partner: PartnerId, oldest: i64) -> Error {
    Error::Expired(Oldest {
        position: oldest,
        cursor: cursor::write(partner, oldest.saturating_sub(1)),
    })
}

/// What proves that two sides hold the same entries.
#[derive(Debug, PartialEq, Eq)]
pub struct Digest {
    /// How many entries there are.
    pub count: i64,
    /// SHA-256 over each entry's position and id, in hexadecimal digits.
    pub sha256: String,
}

/// The digest of the partner's entries from one position to another. Reads each of them once, a page at a time, all as the feed is at
/// one moment.
pub async fn digest(app: &App, partner: PartnerId, (from, to): (i64, i64)) -> Outcome<Digest> {
    if from < 1 {
        return Err(Fault::invalid(&["from"], "positions count from 1").into());
    }
    if to < from || to.saturating_sub(from) >= DIGEST_MAX {
        let message = format!("`to` must not be before `from`, and the two at most {DIGEST_MAX} positions");
        return Err(Fault::invalid(&["to"], message).into());
    }
    let snapshot = app.db.snapshot().await?;
    let extent = kept::extent(&snapshot, partner).await?;
    if from < extent.oldest {
        return Err(expired(partner, extent.oldest));
    }
    let (mut next, mut count, mut hash) = (from, 0, Context::new(&SHA256));
    loop {
        let places = kept::list_places(&snapshot, partner, (next, to), DIGEST_PAGE).await?;
        let Some(last) = places.last() else { break };
        next = last.position.saturating_add(1);
        for place in places {
            hash.update(format!("{}:{}\n", place.position, place.id).as_bytes());
            count += 1;
        }
    }
    let hash = hash.finish();
    let sha256 = hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(Digest { count, sha256 })
}
