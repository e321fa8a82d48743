//! The partners' feeds.
//!
//! Each partner has one feed, and an entry has a dense position in it: 1, 2, 3, with no hole, in commit order. The counter row of the
//! partner is taken as the last thing before the commit and held until it; a later transaction can only get a later position, a
//! reader that sees a position sees every one before it, and a roll-back leaves no hole.
//!
//! An employer can have a feed of its own, for its own backend ([`mod@activity`]): in all that is said of partners here it is one of them.

pub mod activity;
pub mod cursor;
pub mod kept;

use std::collections::{BTreeMap, HashMap, hash_map};

use chrono::NaiveDate;
use sea_orm::{ConnectionTrait, DbErr, FromQueryResult};

use crate::achievement::AchievementStatus;
use crate::clock::Timestamp;
use crate::db::Kind;
use crate::db::sql::{Rows, Sql};
use crate::delivery::{self, Promised};
use crate::id::{
    AchievementId, EmployerId, FeedEntryId, IncentiveId, MemberId, PartnerId, ProgramId, RedemptionId,
    RewardId, TypedId,
};
use crate::page::{Page, Slice};
use crate::partner;
use crate::partner::pairwise::PairwiseIds;
use crate::redemption::RedemptionStatus;
use crate::secret::SecretBytes;
use crate::text_enum;

text_enum! {
    /// What an entry tells.
    FeedEntryKind {
        /// A member has earned an achievement.
        AchievementEarned = "ACHIEVEMENT_EARNED",
        /// An achievement was taken back.
        AchievementRevoked = "ACHIEVEMENT_REVOKED",
        /// A member has asked for a reward, or was given one, that the partner fulfils.
        RedemptionRequested = "REDEMPTION_REQUESTED",
        /// A redemption was called off or has expired.
        RedemptionCancelled = "REDEMPTION_CANCELLED",
    }
}

/// What an entry that has no position yet tells, and of what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum News {
    /// A member has earned this achievement.
    Earned(AchievementId),
    /// This achievement was taken back.
    Revoked(AchievementId),
    /// This redemption is to be fulfilled.
    Requested(RedemptionId),
    /// This redemption was called off or has expired.
    Cancelled(RedemptionId),
}

impl News {
    /// What it tells.
    pub const fn kind(self) -> FeedEntryKind {
        match self {
            Self::Earned(_) => FeedEntryKind::AchievementEarned,
            Self::Revoked(_) => FeedEntryKind::AchievementRevoked,
            Self::Requested(_) => FeedEntryKind::RedemptionRequested,
            Self::Cancelled(_) => FeedEntryKind::RedemptionCancelled,
        }
    }

    const fn achievement(self) -> Option<AchievementId> {
        match self {
            Self::Earned(id) | Self::Revoked(id) => Some(id),
            Self::Requested(_) | Self::Cancelled(_) => None,
        }
    }

    const fn redemption(self) -> Option<RedemptionId> {
        match self {
            Self::Requested(id) | Self::Cancelled(id) => Some(id),
            Self::Earned(_) | Self::Revoked(_) => None,
        }
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
    /// What it tells, and of what.
    pub news: News,
    /// The partner's own name for the member.
    pub member_ref: String,
    /// When it was recorded.
    pub recorded_at: Timestamp,
}

/// An entry as a partner reads it: with the partner's own ids of what it tells of, and with times to the second. Whoever reads a feed
/// gets nothing else, whatever door it leaves by.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Its place in the partner's feed.
    pub position: i64,
    /// The partner's own id of it.
    pub id: FeedEntryId,
    /// The employer it is about.
    pub employer_id: EmployerId,
    /// What it tells.
    pub kind: FeedEntryKind,
    /// The partner's own name for the member.
    pub member_ref: String,
    /// When it was recorded.
    pub recorded_at: Timestamp,
    /// What it tells of.
    pub subject: Subject,
}

/// What an entry tells of, as it tells it: an entry never changes, a later one tells what comes later.
#[derive(Debug, Clone)]
pub enum Subject {
    /// An achievement.
    Achievement(ToldAchievement),
    /// A redemption.
    Redemption(ToldRedemption),
}

/// An achievement, as an entry tells of it.
#[derive(Debug, Clone)]
pub struct ToldAchievement {
    /// The partner's own id of it.
    pub id: AchievementId,
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
    /// Whether it stands.
    pub status: AchievementStatus,
    /// When it was taken back.
    pub revoked_at: Option<Timestamp>,
}

/// A redemption, as an entry tells of it.
#[derive(Debug, Clone)]
pub struct ToldRedemption {
    /// The partner's own id of it.
    pub id: RedemptionId,
    /// Of what.
    pub reward_id: RewardId,
    /// How many of it.
    pub quantity: i64,
    /// Points that were spent on it.
    pub points_spent: i64,
    /// When it was made.
    pub requested_at: Timestamp,
    /// From when on it can no longer be fulfilled.
    pub expires_at: Option<Timestamp>,
    /// Where it stands.
    pub status: RedemptionStatus,
    /// When it was called off or has expired.
    pub settled_at: Option<Timestamp>,
}

/// An entry with what it is joined to: the columns of the one or of the other.
#[derive(FromQueryResult)]
struct Row {
    partner_id: PartnerId,
    position: i64,
    id: FeedEntryId,
    employer_id: EmployerId,
    kind: FeedEntryKind,
    member_ref: String,
    recorded_at: Timestamp,
    achievement_id: Option<AchievementId>,
    incentive_id: Option<IncentiveId>,
    program_id: Option<ProgramId>,
    title: Option<String>,
    earned_on: Option<NaiveDate>,
    ordinal: Option<i32>,
    earned_at: Option<Timestamp>,
    revoked_at: Option<Timestamp>,
    redemption_id: Option<RedemptionId>,
    reward_id: Option<RewardId>,
    quantity: Option<i64>,
    points_spent: Option<i64>,
    requested_at: Option<Timestamp>,
    expires_at: Option<Timestamp>,
    status: Option<RedemptionStatus>,
    settled_at: Option<Timestamp>,
    pairwise_key: SecretBytes,
    feed_owner: Option<EmployerId>,
}

impl Row {
    /// The ids by which whoever reads it knows things.
    fn ids(&self) -> Result<PairwiseIds, DbErr> {
        PairwiseIds::of(self.pairwise_key.expose(), self.feed_owner)
    }

    /// With the partner's own ids and times in the place of ours.
    fn shown(self, ids: &PairwiseIds) -> Result<Self, DbErr> {
        Ok(Self {
            id: ids.shown(self.id)?,
            achievement_id: self.achievement_id.map(|id| ids.shown(id)).transpose()?,
            redemption_id: self.redemption_id.map(|id| ids.shown(id)).transpose()?,
            recorded_at: ids.time(self.recorded_at),
            earned_at: self.earned_at.map(|at| ids.time(at)),
            revoked_at: self.revoked_at.map(|at| ids.time(at)),
            requested_at: self.requested_at.map(|at| ids.time(at)),
            expires_at: self.expires_at.map(|at| ids.time(at)),
            settled_at: self.settled_at.map(|at| ids.time(at)),
            ..self
        })
    }

    fn subject(&self) -> Option<Subject> {
        let achievement = |status, revoked_at| {
            Some(Subject::Achievement(ToldAchievement {
                id: self.achievement_id?,
                incentive_id: self.incentive_id?,
                program_id: self.program_id?,
                title: self.title.clone()?,
                earned_on: self.earned_on?,
                ordinal: self.ordinal?,
                earned_at: self.earned_at?,
                status,
                revoked_at,
            }))
        };
        let redemption = |status, settled_at| {
            Some(Subject::Redemption(ToldRedemption {
                id: self.redemption_id?,
                reward_id: self.reward_id?,
                quantity: self.quantity?,
                points_spent: self.points_spent?,
                requested_at: self.requested_at?,
                expires_at: self.expires_at,
                status,
                settled_at,
            }))
        };
        match self.kind {
            FeedEntryKind::AchievementEarned => achievement(AchievementStatus::Earned, None),
            FeedEntryKind::AchievementRevoked => achievement(AchievementStatus::Revoked, self.revoked_at),
            FeedEntryKind::RedemptionRequested => redemption(RedemptionStatus::Held, None),
            FeedEntryKind::RedemptionCancelled => redemption(self.status?, self.settled_at),
        }
    }

    fn entry(self, ids: &PairwiseIds) -> Result<Entry, DbErr> {
        self.shown(ids)?.told()
    }

    fn told(self) -> Result<Entry, DbErr> {
        let nothing = || DbErr::RecordNotFound("an entry of a feed tells of nothing".into());
        Ok(Entry {
            subject: self.subject().ok_or_else(nothing)?,
            position: self.position,
            id: self.id,
            employer_id: self.employer_id,
            kind: self.kind,
            member_ref: self.member_ref,
            recorded_at: self.recorded_at,
        })
    }
}

#[derive(FromQueryResult)]
struct Head {
    partner_id: PartnerId,
    position: i64,
}

/// Appends entries to their partners' feeds, in the order given, and promises them to the partners' webhook endpoints. Must be the last thing a transaction does: from here to its commit
/// every other transaction that writes to one of these feeds waits.
pub async fn append(connection: &impl ConnectionTrait, entries: Vec<NewEntry>) -> Result<(), DbErr> {
    let mut counts = BTreeMap::<PartnerId, i64>::new();
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
    let mut next = HashMap::<PartnerId, i64>::new();
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
    let promised: Vec<Promised> = entries
        .iter()
        .zip(&positions)
        .map(|(entry, position)| Promised {
            partner_id: entry.partner_id,
            position: *position,
            kind: entry.news.kind(),
            due_at: written_at(entry.id),
        })
        .collect();
    let rows = Rows::new()
        .id("partner_id", entries.iter().map(|entry| entry.partner_id))
        .int("position", positions)
        .id("id", entries.iter().map(|entry| entry.id))
        .id("employer_id", entries.iter().map(|entry| entry.employer_id))
        .text("kind", entries.iter().map(|entry| entry.news.kind().as_str()))
        .id_or_null(
            "achievement_id",
            entries.iter().map(|entry| entry.news.achievement()),
        )
        .id_or_null(
            "redemption_id",
            entries.iter().map(|entry| entry.news.redemption()),
        )
        .text(
            "member_ref",
            entries.iter().map(|entry| entry.member_ref.as_str()),
        )
        .int("recorded_at", entries.iter().map(|entry| entry.recorded_at.0));
    Sql::on(
        connection,
        "INSERT INTO feed_entry (partner_id, position, id, employer_id, kind, achievement_id, redemption_id, member_ref, recorded_at)
         SELECT partner_id, position, id, employer_id, kind, achievement_id, redemption_id, member_ref, recorded_at FROM ",
    )
    .rows(rows)
    .push(" AS fresh")
    .execute(connection)
    .await?;
    delivery::promise(connection, &promised).await
}

/// When an entry was written by the clock of the installation: an employer's own may be ahead of it.
fn written_at(id: FeedEntryId) -> Timestamp {
    let milliseconds = ulid::Ulid::from(id.uuid()).timestamp_ms();
    Timestamp(i64::try_from(milliseconds).unwrap_or(0).saturating_mul(1_000))
}

const COLUMNS: &str = "SELECT feed_entry.partner_id, feed_entry.position, feed_entry.id, feed_entry.employer_id, feed_entry.kind, feed_entry.member_ref,
     feed_entry.recorded_at, feed_entry.achievement_id, achievement.incentive_id, achievement.program_id, achievement.title,
     achievement.earned_on, achievement.ordinal, achievement.recorded_at AS earned_at, achievement.revoked_at,
     feed_entry.redemption_id, redemption.reward_id, redemption.quantity, redemption.points_spent, redemption.requested_at,
     redemption.expires_at, redemption.status, redemption.settled_at, partner.pairwise_key, partner.employer_id AS feed_owner FROM ";

const JOINED: &str = " JOIN partner ON partner.id = feed_entry.partner_id LEFT JOIN achievement ON achievement.employer_id = feed_entry.employer_id
     AND achievement.id = feed_entry.achievement_id
     LEFT JOIN redemption ON redemption.employer_id = feed_entry.employer_id AND redemption.id = feed_entry.redemption_id
     WHERE feed_entry.partner_id = ";

/// The entries of this partner.
fn of(connection: &impl ConnectionTrait, partner: PartnerId) -> Sql {
    Sql::on(connection, COLUMNS)
        .push("feed_entry")
        .push(JOINED)
        .bind(partner)
}

/// The partner's entries after a position, in order, at most `limit`.
pub async fn list(
    connection: &impl ConnectionTrait,
    partner: PartnerId,
    after: i64,
    limit: u64,
) -> Result<Vec<Entry>, DbErr> {
    let rows: Vec<Row> = of(connection, partner)
        .push(" AND feed_entry.position > ")
        .bind(after)
        .push(" ORDER BY feed_entry.position LIMIT ")
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .all(connection)
        .await?;
    let Some(first) = rows.first() else {
        return Ok(Vec::new());
    };
    let ids = first.ids()?;
    rows.into_iter().map(|row| row.entry(&ids)).collect()
}

/// The entries at these places of these partners' feeds, in no order; one statement however many.
pub async fn list_at(
    connection: &impl ConnectionTrait,
    wanted: &[(PartnerId, i64)],
) -> Result<Vec<(PartnerId, Entry)>, DbErr> {
    let rows = Rows::new()
        .id("partner_id", wanted.iter().map(|(partner, _)| *partner))
        .int("position", wanted.iter().map(|(_, position)| *position));
    let rows: Vec<Row> = Sql::on(connection, COLUMNS)
        .rows(rows)
        // A cross join, so that SQLite looks each of them up, whatever its statistics say.
        .push(" AS wanted CROSS JOIN feed_entry")
        .push(JOINED)
        .push("wanted.partner_id AND feed_entry.position = wanted.position")
        .all(connection)
        .await?;
    let mut ids: HashMap<PartnerId, PairwiseIds> = HashMap::new();
    let mut found = Vec::with_capacity(rows.len());
    for row in rows {
        let partner = row.partner_id;
        let ids = match ids.entry(partner) {
            hash_map::Entry::Occupied(known) => known.into_mut(),
            hash_map::Entry::Vacant(place) => place.insert(row.ids()?),
        };
        found.push((partner, row.entry(ids)?));
    }
    Ok(found)
}

/// The partner's entry of this id.
/// The entry that the partner means by this id.
pub async fn find(
    connection: &impl ConnectionTrait,
    partner: PartnerId,
    shown: FeedEntryId,
) -> Result<Option<Entry>, DbErr> {
    let ids = partner::pairwise_ids(connection, partner).await?;
    let id = ids.meant(shown)?;
    let row: Option<Row> = of(connection, partner)
        .push(" AND feed_entry.id = ")
        .bind(id)
        .one(connection)
        .await?;
    row.map(|row| row.entry(&ids)).transpose()
}

/// The places of the entries that the partner means by these ids, in no order; one statement however many.
pub async fn positions(
    connection: &impl ConnectionTrait,
    partner: PartnerId,
    ids: &[FeedEntryId],
) -> Result<Vec<i64>, DbErr> {
    let pairwise = partner::pairwise_ids(connection, partner).await?;
    let ids: Result<Vec<FeedEntryId>, DbErr> = ids.iter().map(|id| pairwise.meant(*id)).collect();
    let places: Vec<Head> = Sql::on(
        connection,
        "SELECT feed_entry.partner_id, feed_entry.position FROM ",
    )
    .rows(Rows::new().id("id", ids?))
    .push(" AS wanted CROSS JOIN feed_entry WHERE feed_entry.id = wanted.id AND feed_entry.partner_id = ")
    .bind(partner)
    .all(connection)
    .await?;
    Ok(places.into_iter().map(|place| place.position).collect())
}

/// The partner's newest entry about the achievement it means by this id; none: it may not know of it. Each employer is looked up: there are few of them, and
/// what tells of an achievement is found by its employer first.
pub async fn find_of_achievement(
    connection: &impl ConnectionTrait,
    partner: PartnerId,
    shown: AchievementId,
) -> Result<Option<Entry>, DbErr> {
    let ids = partner::pairwise_ids(connection, partner).await?;
    let achievement = ids.meant(shown)?;
    let row: Option<Row> = Sql::on(connection, COLUMNS)
        .push("employer CROSS JOIN feed_entry")
        .push(JOINED)
        .bind(partner)
        .push(" AND feed_entry.employer_id = employer.id AND feed_entry.achievement_id = ")
        .bind(achievement)
        .push(" ORDER BY feed_entry.position DESC LIMIT 1")
        .one(connection)
        .await?;
    row.map(|row| row.entry(&ids)).transpose()
}

/// Takes the lock of the partner's feed and says the position of its newest entry: what is appended by others comes after the end of this
/// transaction.
pub async fn lock(connection: &impl ConnectionTrait, partner: PartnerId) -> Result<i64, DbErr> {
    let head: Option<Head> = Sql::on(
        connection,
        "UPDATE feed_head SET position = position WHERE partner_id = ",
    )
    .bind(partner)
    .push(" RETURNING partner_id, position")
    .one(connection)
    .await?;
    head.map(|head| head.position)
        .ok_or_else(|| DbErr::RecordNotFound("a partner has no feed".into()))
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

/// How many entries were written to all feeds together.
pub async fn written(connection: &impl ConnectionTrait) -> Result<i64, DbErr> {
    #[derive(FromQueryResult)]
    struct Written {
        written: i64,
    }
    // A sum is wider than what it adds up, in PostgreSQL.
    let row: Option<Written> = Sql::on(
        connection,
        "SELECT CAST(coalesce(sum(position), 0) AS bigint) AS written FROM feed_head",
    )
    .one(connection)
    .await?;
    Ok(row.map_or(0, |row| row.written))
}

#[derive(FromQueryResult)]
struct Told {
    achievement_id: AchievementId,
    partner_id: PartnerId,
}

/// Which partners were told that these achievements were earned, by entries that are no longer kept too, in no order; one statement
/// however many.
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
    let told: Vec<Told> = Sql::on(
        connection,
        "SELECT feed_entry.achievement_id, feed_entry.partner_id FROM ",
    )
    .rows(rows.clone())
    // A cross join, so that SQLite looks each of them up instead of reading the whole table, whatever its statistics say.
    .push(
        " AS wanted CROSS JOIN feed_entry WHERE feed_entry.employer_id = wanted.employer_id
             AND feed_entry.achievement_id = wanted.achievement_id AND feed_entry.kind = 'ACHIEVEMENT_EARNED'
             UNION ALL SELECT feed_told.achievement_id, feed_told.partner_id FROM ",
    )
    .rows(rows)
    .push(
        " AS wanted CROSS JOIN feed_told WHERE feed_told.employer_id = wanted.employer_id
             AND feed_told.achievement_id = wanted.achievement_id",
    )
    .all(connection)
    .await?;
    Ok(told
        .into_iter()
        .map(|row| (row.achievement_id, row.partner_id))
        .collect())
}

/// Something of a member that a partner was told of, as the member is shown it.
#[derive(Debug, Clone, FromQueryResult)]
pub struct Shared {
    /// The entry that told it.
    pub id: FeedEntryId,
    /// Who was told.
    pub partner_id: PartnerId,
    /// The partner's key.
    pub partner_key: String,
    /// The partner's name.
    pub partner_name: String,
    /// What was told.
    pub kind: FeedEntryKind,
    /// Of the achievement its title, of a redemption the name of the reward.
    pub title: String,
    /// When.
    pub recorded_at: Timestamp,
}

/// A page of what partners were told of a member, newest first, as far back as feeds are kept.
pub async fn shared(
    connection: &impl ConnectionTrait,
    (employer, member): (EmployerId, MemberId),
    page: Page<FeedEntryId>,
) -> Result<Slice<Shared>, DbErr> {
    let mut sql = Sql::on(
        connection,
        "SELECT told.id, told.partner_id, partner.key AS partner_key, partner.name AS partner_name, told.kind, told.title,
         told.recorded_at FROM (SELECT feed_entry.id, feed_entry.partner_id, feed_entry.kind, feed_entry.recorded_at, achievement.title
         FROM achievement CROSS JOIN feed_entry WHERE feed_entry.employer_id = achievement.employer_id
         AND feed_entry.achievement_id = achievement.id AND achievement.employer_id = ",
    )
    .bind(employer)
    .push(" AND achievement.member_id = ")
    .bind(member)
    .push(
        " UNION ALL SELECT feed_entry.id, feed_entry.partner_id, feed_entry.kind, feed_entry.recorded_at, reward.name
         FROM redemption CROSS JOIN feed_entry CROSS JOIN reward WHERE feed_entry.employer_id = redemption.employer_id
         AND feed_entry.redemption_id = redemption.id AND reward.employer_id = redemption.employer_id
         AND reward.id = redemption.reward_id AND redemption.employer_id = ",
    )
    .bind(employer)
    .push(" AND redemption.member_id = ")
    .bind(member)
    .push(") AS told JOIN partner ON partner.id = told.partner_id WHERE partner.employer_id IS NULL");
    if let Some(after) = page.after {
        sql = sql.push(" AND told.id < ").bind(after);
    }
    let mut rows: Vec<Shared> = sql
        .push(" ORDER BY told.id DESC LIMIT ")
        .bind(i64::try_from(page.limit + 1).unwrap_or(i64::MAX))
        .all(connection)
        .await?;
    let has_next = rows.len() as u64 > page.limit;
    if has_next {
        rows.pop();
    }
    Ok(Slice {
        rows,
        has_previous: page.after.is_some(),
        has_next,
    })
}

/// Takes the member's names out of the entries about it; the entries keep their ids and positions.
pub async fn forget_member(
    connection: &impl ConnectionTrait,
    employer: EmployerId,
    member: MemberId,
) -> Result<u64, DbErr> {
    // An endpoint may have answered with the name that it was told.
    let mut forgotten = delivery::forget_member(connection, employer, member).await?;
    for (column, table) in [("achievement_id", "achievement"), ("redemption_id", "redemption")] {
        forgotten += Sql::on(
            connection,
            "UPDATE feed_entry SET member_ref = 'erased' WHERE employer_id = ",
        )
        .bind(employer)
        .push(" AND ")
        .push(column)
        .push(" IN (SELECT id FROM ")
        .push(table)
        .push(" WHERE employer_id = ")
        .bind(employer)
        .push(" AND member_id = ")
        .bind(member)
        .push(")")
        .execute(connection)
        .await?;
    }
    Ok(forgotten)
}
