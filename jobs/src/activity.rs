//! What an employer's own backend is told in the feed of the employer's own: everything that is shown to its members of what they
//! achieve, and what they ask for or are given.
//!
//! The backend acts for the members, so neither a grant nor a consent stands between it and them, and it knows them by the names that
//! the employer has given them. Told is what happens while the feed is open, and of what had happened before what becomes of it.

use std::collections::{BTreeSet, HashMap};

use entity::clock::Timestamp;
use entity::feed::{NewEntry, News};
use entity::id::{EmployerId, Ids, MemberId, PartnerId};
use entity::member;
use sea_orm::{ConnectionTrait, DbErr};

use crate::redemption::ERASED;

/// Something that has happened to a member whose employer has a feed of its own.
#[derive(Debug, Clone, Copy)]
pub struct Happened {
    /// That feed.
    pub feed: PartnerId,
    /// The employer.
    pub employer_id: EmployerId,
    /// The member.
    pub member_id: MemberId,
    /// What.
    pub news: News,
    /// When, by the employer's clock.
    pub at: Timestamp,
}

/// The entries that tell of it, in the order given. The caller holds the locks of the members. Nothing is asked of the database when
/// there is nothing to tell.
pub async fn entries(
    connection: &impl ConnectionTrait,
    ids: &Ids,
    happened: &[Happened],
) -> Result<Vec<NewEntry>, DbErr> {
    if happened.is_empty() {
        return Ok(Vec::new());
    }
    let members: BTreeSet<_> = happened
        .iter()
        .map(|one| (one.employer_id, one.member_id))
        .collect();
    let members: Vec<_> = members.into_iter().collect();
    let names: HashMap<_, _> = member::list_by_ids(connection, &members)
        .await?
        .into_iter()
        .filter(|row| row.erased_at.is_none())
        .map(|row| ((row.employer_id, row.id), row.external_id))
        .collect();
    let name = |one: &Happened| names.get(&(one.employer_id, one.member_id)).cloned();
    let entry = |one: &Happened| NewEntry {
        partner_id: one.feed,
        id: ids.next(),
        employer_id: one.employer_id,
        news: one.news,
        member_ref: name(one).unwrap_or_else(|| ERASED.to_owned()),
        recorded_at: one.at,
    };
    Ok(happened.iter().map(entry).collect())
}
