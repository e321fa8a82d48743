//! The partners' feeds.
//!
//! Each partner has one feed, and an entry has a dense position in it: 1, 2, 3, with no hole, in commit order. The counter row of the
//! partner is taken as the last thing before the commit and held until it; a later transaction can only get a later position, a
//! reader that sees a position sees every one before it, and a roll-back leaves no hole.

use chrono::NaiveDate;
use sea_orm::{ConnectionTrait, DbErr, FromQueryResult};

use crate::achievement::AchievementStatus;
use crate::clock::Timestamp;
use crate::db::Kind;
use crate::db::sql::{Rows, Sql};
use crate::id::{AchievementId, EmployerId, FeedEntryId, IncentiveId, MemberId, PartnerId, ProgramId};
use crate::text_enum;

text_enum! {
    /// What an entry tells.
    FeedEntryKind {
        /// A member has earned an achievement.
        AchievementEarned = "ACHIEVEMENT_EARNED",
        /// An achievement was taken back.
        AchievementRevoked = "ACHIEVEMENT_REVOKED",
    }
}

/// An entry that has no position yet.
#[derive(Debug, Clone)]
pub struct NewEntry {
    /// Whose feed.
    pub partner_id: PartnerId,
    /// The entry itself.
    pub id: FeedEntryId,
    /// The employer it is about.
    pub employer_id: EmployerId,
    /// What it tells.
    pub kind: FeedEntryKind,
    /// Of which achievement.
    pub achievement_id: AchievementId,
    /// The partner's own name for the member.
    pub member_ref: String,
    /// When it was recorded.
    pub recorded_at: Timestamp,
}

/// An entry as a partner reads it.
#[derive(Debug, Clone, FromQueryResult)]
pub struct Entry {
    /// Its place in the partner's feed.
    pub position: i64,
    /// The entry itself.
    pub id: FeedEntryId,
    /// The employer it is about.
    pub employer_id: EmployerId,
    /// What it tells.
    pub kind: FeedEntryKind,
    /// The partner's own name for the member.
    pub member_ref: String,
    /// When it was recorded.
    pub recorded_at: Timestamp,
    /// The achievement.
    pub achievement_id: AchievementId,
    /// What for.
    pub incentive_id: IncentiveId,
    /// In which program.
    pub program_id: ProgramId,
    /// What the member is congratulated on.
    pub title: String,
    /// The local date on which it was reached.
    pub earned_on: NaiveDate,
    /// Counts 1, 2, 3 inside the limit's window.
    pub ordinal: i32,
    /// When the achievement was recorded.
    pub earned_at: Timestamp,
    /// Whether it stands, as this entry tells it: an entry never changes, a later one tells what comes later.
    pub status: AchievementStatus,
    /// When it was taken back, as this entry tells it.
    pub revoked_at: Option<Timestamp>,
}

#[derive(FromQueryResult)]
struct Head {
    partner_id: PartnerId,
    position: i64,
}

/// Appends entries to their partners' feeds, in the order given. Must be the last thing a transaction does: from here to its commit
/// every other transaction that writes to one of these feeds waits.
pub async fn append(connection: &impl ConnectionTrait, entries: Vec<NewEntry>) -> Result<(), DbErr> {
    let mut counts = std::collections::BTreeMap::<PartnerId, i64>::new();
    for entry in &entries {
        *counts.entry(entry.partner_id).or_default() += 1;
    }
    let wanted = Rows::new()
        .id("partner_id", counts.keys().copied())
        .int("added", counts.values().copied());
    if Kind::of(connection) == Kind::Postgres && counts.len() > 1 {
        // An UPDATE takes its rows in no certain order; two transactions must take the counters in the same one.
        Sql::on(connection, "SELECT feed_head.partner_id, feed_head.position FROM feed_head JOIN ")
            .rows(wanted.clone())
            .push(" AS wanted ON wanted.partner_id = feed_head.partner_id ORDER BY feed_head.partner_id FOR NO KEY UPDATE OF feed_head")
            .all::<Head>(connection)
            .await?;
    }
    let heads: Vec<Head> = Sql::on(connection, "UPDATE feed_head SET position = feed_head.position + wanted.added FROM ")
        .rows(wanted)
        .push(" AS wanted WHERE feed_head.partner_id = wanted.partner_id RETURNING feed_head.partner_id, feed_head.position")
        .all(connection)
        .await?;
    let mut next = std::collections::HashMap::<PartnerId, i64>::new();
    for head in heads {
        next.insert(
            head.partner_id,
            head.position - counts.get(&head.partner_id).copied().unwrap_or(0) + 1,
        );
    }
    let mut positions = Vec::with_capacity(entries.len());
    for entry in &entries {
        let position = next
            .get_mut(&entry.partner_id)
            .ok_or_else(|| DbErr::RecordNotFound("a partner has no feed".into()))?;
        positions.push(*position);
        *position += 1;
    }
    let rows = Rows::new()
        .id("partner_id", entries.iter().map(|entry| entry.partner_id))
        .int("position", positions)
        .id("id", entries.iter().map(|entry| entry.id))
        .id("employer_id", entries.iter().map(|entry| entry.employer_id))
        .text("kind", entries.iter().map(|entry| entry.kind.as_str()))
        .id("achievement_id", entries.iter().map(|entry| entry.achievement_id))
        .text(
            "member_ref",
            entries.iter().map(|entry| entry.member_ref.as_str()),
        )
        .int("recorded_at", entries.iter().map(|entry| entry.recorded_at.0));
    Sql::on(
        connection,
        "INSERT INTO feed_entry (partner_id, position, id, employer_id, kind, achievement_id, member_ref, recorded_at)
         SELECT partner_id, position, id, employer_id, kind, achievement_id, member_ref, recorded_at FROM ",
    )
    .rows(rows)
    .push(" AS fresh")
    .execute(connection)
    .await
    .map(|_| ())
}

const ENTRY: &str = "SELECT feed_entry.position, feed_entry.id, feed_entry.employer_id, feed_entry.kind, feed_entry.member_ref,
     feed_entry.recorded_at, feed_entry.achievement_id, achievement.incentive_id, achievement.program_id, achievement.title,
     achievement.earned_on, achievement.ordinal, achievement.recorded_at AS earned_at,
     CASE feed_entry.kind WHEN 'ACHIEVEMENT_REVOKED' THEN 'REVOKED' ELSE 'EARNED' END AS status,
     CASE feed_entry.kind WHEN 'ACHIEVEMENT_REVOKED' THEN achievement.revoked_at END AS revoked_at
     FROM feed_entry JOIN achievement ON achievement.employer_id = feed_entry.employer_id AND achievement.id = feed_entry.achievement_id
     WHERE feed_entry.partner_id = ";

/// The partner's entries after a position, in order, at most `limit`.
pub async fn list(
    connection: &impl ConnectionTrait,
    partner: PartnerId,
    after: i64,
    limit: u64,
) -> Result<Vec<Entry>, DbErr> {
    Sql::on(connection, ENTRY)
        .bind(partner)
        .push(" AND feed_entry.position > ")
        .bind(after)
        .push(" ORDER BY feed_entry.position LIMIT ")
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .all(connection)
        .await
}

/// The partner's entry of this id.
pub async fn find(
    connection: &impl ConnectionTrait,
    partner: PartnerId,
    id: FeedEntryId,
) -> Result<Option<Entry>, DbErr> {
    Sql::on(connection, ENTRY)
        .bind(partner)
        .push(" AND feed_entry.id = ")
        .bind(id)
        .one(connection)
        .await
}

/// The partner's newest entry about an achievement; none: it may not know of it.
pub async fn find_of_achievement(
    connection: &impl ConnectionTrait,
    partner: PartnerId,
    achievement: AchievementId,
) -> Result<Option<Entry>, DbErr> {
    Sql::on(connection, ENTRY)
        .bind(partner)
        .push(" AND feed_entry.achievement_id = ")
        .bind(achievement)
        .push(" ORDER BY feed_entry.position DESC LIMIT 1")
        .one(connection)
        .await
}

/// The position of the newest entry; 0: the feed is empty.
pub async fn head(connection: &impl ConnectionTrait, partner: PartnerId) -> Result<i64, DbErr> {
    let head: Option<Head> = Sql::on(
        connection,
        "SELECT partner_id, position FROM feed_head WHERE partner_id = ",
    )
    .bind(partner)
    .one(connection)
    .await?;
    Ok(head.map_or(0, |head| head.position))
}

#[derive(FromQueryResult)]
struct Told {
    achievement_id: AchievementId,
    partner_id: PartnerId,
}

/// Which partners were told that these achievements were earned, in no order; one statement however many.
pub async fn told(
    connection: &impl ConnectionTrait,
    wanted: &[(EmployerId, AchievementId)],
) -> Result<Vec<(AchievementId, PartnerId)>, DbErr> {
    let rows = Rows::new()
        .id("employer_id", wanted.iter().map(|(employer, _)| *employer))
        .id(
            "achievement_id",
            wanted.iter().map(|(_, achievement)| *achievement),
        );
    let told: Vec<Told> = Sql::on(connection, "SELECT feed_entry.achievement_id, feed_entry.partner_id FROM ")
        .rows(rows)
        // A cross join, so that SQLite looks each of them up instead of reading the whole table, whatever its statistics say.
        .push(
            " AS wanted CROSS JOIN feed_entry WHERE feed_entry.employer_id = wanted.employer_id
             AND feed_entry.achievement_id = wanted.achievement_id AND feed_entry.kind = 'ACHIEVEMENT_EARNED'",
        )
        .all(connection)
        .await?;
    Ok(told
        .into_iter()
        .map(|row| (row.achievement_id, row.partner_id))
        .collect())
}

/// Takes the member's names out of the entries about it; the entries keep their ids and positions.
pub async fn forget_member(
    connection: &impl ConnectionTrait,
    employer: EmployerId,
    member: MemberId,
) -> Result<u64, DbErr> {
    Sql::on(
        connection,
        "UPDATE feed_entry SET member_ref = 'erased' WHERE employer_id = ",
    )
    .bind(employer)
    .push(" AND achievement_id IN (SELECT id FROM achievement WHERE employer_id = ")
    .bind(employer)
    .push(" AND member_id = ")
    .bind(member)
    .push(")")
    .execute(connection)
    .await
}
