//! What is kept of a feed: which positions, and forgetting the oldest of them.
//!
//! Entries go from the oldest on, so what is kept has no hole, and the head remembers where it begins. That a partner was told of an
//! achievement outlives the entry that told it: it is told of a revocation however late, and of nothing twice. An employer is told of
//! every revocation, so nothing need be remembered for its own feed.

use sea_orm::{ConnectionTrait, DbErr, FromQueryResult};

use crate::clock::Timestamp;
use crate::db::sql::Sql;
use crate::id::{FeedEntryId, PartnerId};
use crate::partner;

/// Which positions of a feed there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, FromQueryResult)]
pub struct Extent {
    /// The oldest position that is kept; one more than `newest` when none is.
    pub oldest: i64,
    /// The newest position; 0: nothing was ever told.
    pub newest: i64,
}

impl Extent {
    /// Whether everything that came after a position is kept.
    pub fn keeps_all_after(&self, position: i64) -> bool {
        position >= self.oldest.saturating_sub(1)
    }

    /// Whether the feed has come as far as a position.
    pub fn reaches(&self, position: i64) -> bool {
        position <= self.newest
    }

    /// Where whoever wants all that is kept goes on: the position before the oldest.
    pub fn before_oldest(&self) -> i64 {
        self.oldest.saturating_sub(1)
    }
}

/// Which positions of the partner's feed there are.
pub async fn extent(connection: &impl ConnectionTrait, partner: PartnerId) -> Result<Extent, DbErr> {
    let found = Sql::on(
        connection,
        "SELECT oldest, position AS newest FROM feed_head WHERE partner_id = ",
    )
    .bind(partner)
    .one(connection)
    .await?;
    Ok(found.unwrap_or(Extent { oldest: 1, newest: 0 }))
}

/// A position and the entry there.
#[derive(Debug, Clone, Copy, FromQueryResult)]
pub struct Place {
    /// The position.
    pub position: i64,
    /// The entry.
    pub id: FeedEntryId,
}

/// The places from one position to another, in order, at most `limit`, with the ids by which the partner knows the entries.
pub async fn list_places(
    connection: &impl ConnectionTrait,
    partner: PartnerId,
    (from, to): (i64, i64),
    limit: u64,
) -> Result<Vec<Place>, DbErr> {
    let mut places: Vec<Place> = Sql::on(
        connection,
        "SELECT position, id FROM feed_entry WHERE partner_id = ",
    )
    .bind(partner)
    .push(" AND position >= ")
    .bind(from)
    .push(" AND position <= ")
    .bind(to)
    .push(" ORDER BY position LIMIT ")
    .bind(i64::try_from(limit).unwrap_or(i64::MAX))
    .all(connection)
    .await?;
    let ids = partner::pairwise_ids(connection, partner).await?;
    for place in &mut places {
        place.id = ids.shown(place.id)?;
    }
    Ok(places)
}

/// The partners whose oldest entry was recorded before an instant, by the clock of the entry's employer: a sandbox's is ahead.
pub async fn list_due(connection: &impl ConnectionTrait, before: Timestamp) -> Result<Vec<PartnerId>, DbErr> {
    #[derive(FromQueryResult)]
    struct Due {
        partner_id: PartnerId,
    }
    let due: Vec<Due> = Sql::on(
        connection,
        "SELECT head.partner_id FROM feed_head AS head
         JOIN feed_entry ON feed_entry.partner_id = head.partner_id AND feed_entry.position = head.oldest
         JOIN employer ON employer.id = feed_entry.employer_id
         WHERE feed_entry.recorded_at - employer.clock_offset_micros < ",
    )
    .bind(before)
    .push(" ORDER BY head.partner_id")
    .all(connection)
    .await?;
    Ok(due.into_iter().map(|due| due.partner_id).collect())
}

/// Forgets the oldest entries of a feed, at most `limit`: those up to the first that was recorded at an instant or later. Says how many.
pub async fn purge(
    connection: &impl ConnectionTrait,
    partner: PartnerId,
    before: Timestamp,
    limit: u64,
) -> Result<u64, DbErr> {
    #[derive(FromQueryResult)]
    struct Found {
        first_kept: Option<i64>,
        last: Option<i64>,
    }
    let oldest = extent(connection, partner).await?.oldest;
    let found: Option<Found> = Sql::on(
        connection,
        "SELECT min(CASE WHEN recorded >= ",
    )
    .bind(before)
    .push(
        " THEN position END) AS first_kept, max(position) AS last FROM (
         SELECT feed_entry.position, feed_entry.recorded_at - employer.clock_offset_micros AS recorded
         FROM feed_entry JOIN employer ON employer.id = feed_entry.employer_id WHERE feed_entry.partner_id = ",
    )
    .bind(partner)
    .push(" AND feed_entry.position >= ")
    .bind(oldest)
    .push(" ORDER BY feed_entry.position LIMIT ")
    .bind(i64::try_from(limit).unwrap_or(i64::MAX))
    .push(") AS next")
    .one(connection)
    .await?;
    let Some(Found {
        first_kept,
        last: Some(last),
    }) = found
    else {
        return Ok(0);
    };
    let oldest_kept = first_kept.unwrap_or_else(|| last.saturating_add(1));
    if oldest_kept <= oldest {
        return Ok(0);
    }
    Sql::on(
        connection,
        "INSERT INTO feed_told (employer_id, achievement_id, partner_id)
         SELECT feed_entry.employer_id, feed_entry.achievement_id, feed_entry.partner_id FROM feed_entry
         JOIN achievement ON achievement.employer_id = feed_entry.employer_id AND achievement.id = feed_entry.achievement_id
         JOIN partner ON partner.id = feed_entry.partner_id AND partner.employer_id IS NULL
         WHERE feed_entry.kind = 'ACHIEVEMENT_EARNED' AND achievement.status = 'EARNED' AND feed_entry.partner_id = ",
    )
    .bind(partner)
    .push(" AND feed_entry.position < ")
    .bind(oldest_kept)
    .push(" ON CONFLICT DO NOTHING")
    .execute(connection)
    .await?;
    let gone = Sql::on(connection, "DELETE FROM feed_entry WHERE partner_id = ")
        .bind(partner)
        .push(" AND position < ")
        .bind(oldest_kept)
        .execute(connection)
        .await?;
    // Last: from here on whoever writes to the feed waits for the commit.
    Sql::on(connection, "UPDATE feed_head SET oldest = ")
        .bind(oldest_kept)
        .push(" WHERE partner_id = ")
        .bind(partner)
        .push(" AND oldest < ")
        .bind(oldest_kept)
        .execute(connection)
        .await?;
    Ok(gone)
}
