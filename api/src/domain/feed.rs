//! A partner's feed.

use entity::feed::{self, Entry};
use entity::id::PartnerId;

use super::{Fault, Outcome};
use crate::app::App;
use crate::auth::access::Operation;
use crate::auth::viewer::Permit;

/// Entries of one page.
pub const PAGE_MAX: i64 = 100;

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

/// The partner's entries after a position.
pub async fn list(app: &App, partner: PartnerId, after: i64, first: i64) -> Outcome<FeedPage> {
    if !(1..=PAGE_MAX).contains(&first) {
        return Err(Fault::invalid(&["first"], format!("from 1 to {PAGE_MAX}")).into());
    }
    let limit = u64::try_from(first).unwrap_or(1);
    let mut entries = feed::list(app.db.read(), partner, after, limit + 1).await?;
    let has_more = entries.len() as u64 > limit;
    if has_more {
        entries.pop();
    }
    Ok(FeedPage { entries, has_more })
}

/// Refuses a position the feed has not reached: such a cursor was never given out.
pub async fn require_reached(app: &App, partner: PartnerId, position: i64) -> Outcome<()> {
    if position > 0 && position > feed::head(app.db.read(), partner).await? {
        return Err(Fault::invalid(&["after"], "not a cursor of this feed").into());
    }
    Ok(())
}
