//! Redemptions: what members have asked for or were given, and what became of it.
//!
//! A redemption is held until it is fulfilled, cancelled or expired, once: whoever settles it changes it only as long as it is held.

use std::collections::BTreeSet;

use chrono::NaiveDate;
use sea_orm::entity::prelude::*;
use sea_orm::{FromQueryResult, QueryFilter};

use crate::children;
use crate::clock::Timestamp;
use crate::db::sql::{self, Rows, Sql};
use crate::id::{AchievementId, EmployerId, MemberId, PartnerId, RedemptionId, RewardId};
use crate::page::{self, Page, Slice};
use crate::partner;
use crate::partner::pairwise::PairwiseIds;
use crate::text_enum;

text_enum! {
    /// Where a redemption stands.
    RedemptionStatus {
        /// It waits to be fulfilled.
        Held = "HELD",
        /// The member has it.
        Fulfilled = "FULFILLED",
        /// It was called off; what it took is back.
        Cancelled = "CANCELLED",
        /// It has waited too long; what it took is back.
        Expired = "EXPIRED",
    }
}

/// A redemption.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "redemption")]
pub struct Model {
    /// The employer.
    #[sea_orm(primary_key, auto_increment = false)]
    pub employer_id: EmployerId,
    /// The redemption itself.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: RedemptionId,
    /// Whose it is.
    pub member_id: MemberId,
    /// Of what.
    pub reward_id: RewardId,
    /// How many of it.
    pub quantity: i64,
    /// Points that were spent on it.
    pub points_spent: i64,
    /// How much of the stock it has taken.
    pub stock_taken: i64,
    /// Which points.
    pub category: String,
    /// Where it stands.
    pub status: RedemptionStatus,
    /// When it was made.
    pub requested_at: Timestamp,
    /// The civil date of that in the employer's zone.
    pub requested_on: NaiveDate,
    /// From when on it can no longer be fulfilled; none: it always can.
    pub expires_at: Option<Timestamp>,
    /// When it was fulfilled, cancelled or expired.
    pub settled_at: Option<Timestamp>,
    /// The name for it of whoever has fulfilled it.
    pub reference: Option<String>,
    /// Why it was cancelled.
    pub reason: Option<String>,
    /// The award that gave it; none: the member asked for it.
    pub achievement_id: Option<AchievementId>,
    /// Whether an incentive gave it that is sensitive.
    pub sensitive: bool,
    /// The partner that was told of it.
    pub told_to: Option<PartnerId>,
    /// That partner's name for the member.
    pub member_ref: Option<String>,
}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    /// As the partner knows it that was told of it: by the partner's own id, and with times to the second. To be shown, not to be
    /// looked up by.
    pub fn shown(self, ids: &PairwiseIds) -> Result<Self, DbErr> {
        Ok(Self {
            id: ids.shown(self.id)?,
            requested_at: ids.time(self.requested_at),
            expires_at: self.expires_at.map(|at| ids.time(at)),
            settled_at: self.settled_at.map(|at| ids.time(at)),
            ..self
        })
    }
}

/// Writes new redemptions; one statement however many.
pub async fn insert(connection: &impl ConnectionTrait, rows: &[Model]) -> Result<(), DbErr> {
    let bound = Rows::new()
        .id("employer_id", rows.iter().map(|row| row.employer_id))
        .id("id", rows.iter().map(|row| row.id))
        .id("member_id", rows.iter().map(|row| row.member_id))
        .id("reward_id", rows.iter().map(|row| row.reward_id))
        .int("quantity", rows.iter().map(|row| row.quantity))
        .int("points_spent", rows.iter().map(|row| row.points_spent))
        .int("stock_taken", rows.iter().map(|row| row.stock_taken))
        .text("category", rows.iter().map(|row| row.category.as_str()))
        .text("status", rows.iter().map(|row| row.status.as_str()))
        .int("requested_at", rows.iter().map(|row| row.requested_at.0))
        .date("requested_on", rows.iter().map(|row| row.requested_on))
        .int_or_null("expires_at", rows.iter().map(|row| row.expires_at.map(|at| at.0)))
        .id_or_null("achievement_id", rows.iter().map(|row| row.achievement_id))
        .bool("sensitive", rows.iter().map(|row| row.sensitive))
        .id_or_null("told_to", rows.iter().map(|row| row.told_to))
        .text_or_null("member_ref", rows.iter().map(|row| row.member_ref.clone()));
    const COLUMNS: &str = "employer_id, id, member_id, reward_id, quantity, points_spent, stock_taken, category, status, requested_at,
         requested_on, expires_at, achievement_id, sensitive, told_to, member_ref";
    Sql::on(connection, "INSERT INTO redemption (")
        .push(COLUMNS)
        .push(") SELECT ")
        .push(COLUMNS)
        .push(" FROM ")
        .rows(bound)
        .push(" AS fresh")
        .execute(connection)
        .await
        .map(|_| ())
}

/// The employer's redemption of this id.
pub async fn find(
    connection: &impl ConnectionTrait,
    employer: EmployerId,
    id: RedemptionId,
) -> Result<Option<Model>, DbErr> {
    Entity::find_by_id((employer, id)).one(connection).await
}

/// The redemptions of these ids, in no order; one statement however many.
pub async fn list_by_ids(
    connection: &impl ConnectionTrait,
    wanted: &[(EmployerId, RedemptionId)],
) -> Result<Vec<Model>, DbErr> {
    sql::list_by_ids(connection, "redemption", wanted).await
}

/// The redemption that the partner means by this id, of whichever employer, if it was told of it. Each employer is looked up: there are few of
/// them, and no key begins with the id alone.
pub async fn find_of_partner(
    connection: &impl ConnectionTrait,
    partner: PartnerId,
    shown: RedemptionId,
) -> Result<Option<Model>, DbErr> {
    let id = partner::pairwise_ids(connection, partner).await?.meant(shown)?;
    Sql::on(
        connection,
        "SELECT redemption.* FROM employer CROSS JOIN redemption WHERE redemption.employer_id = employer.id AND redemption.id = ",
    )
    .bind(id)
    .push(" AND redemption.told_to = ")
    .bind(partner)
    .one(connection)
    .await
}

/// A page of a member's redemptions, in the order in which they were made; without those that sensitive incentives gave, if so wished.
pub async fn list_of_member(
    connection: &impl ConnectionTrait,
    employer: EmployerId,
    member: MemberId,
    without_sensitive: bool,
    page: Page<RedemptionId>,
) -> Result<Slice<Model>, DbErr> {
    let mut select = Entity::find()
        .filter(Column::EmployerId.eq(employer))
        .filter(Column::MemberId.eq(member));
    if without_sensitive {
        select = select.filter(Column::Sensitive.eq(false));
    }
    page::read(connection, select, Column::Id, page).await
}

#[derive(FromQueryResult)]
struct Sum {
    sum: i64,
}

/// How many of a reward a member has or is to get.
pub async fn had_by(
    connection: &impl ConnectionTrait,
    employer: EmployerId,
    member: MemberId,
    reward: RewardId,
) -> Result<i64, DbErr> {
    let sum: Option<Sum> = Sql::on(
        connection,
        "SELECT CAST(COALESCE(SUM(quantity), 0) AS bigint) AS sum FROM redemption WHERE employer_id = ",
    )
    .bind(employer)
    .push(" AND member_id = ")
    .bind(member)
    .push(" AND reward_id = ")
    .bind(reward)
    .push(" AND status IN ('HELD', 'FULFILLED')")
    .one(connection)
    .await?;
    Ok(sum.map_or(0, |row| row.sum))
}

#[derive(FromQueryResult)]
struct SumOfReward {
    reward_id: RewardId,
    sum: i64,
}

/// How many of each of these rewards members have or are to get, without those that sensitive incentives gave; one statement however
/// many. A reward that is not named here has none.
pub async fn counts_of_rewards(
    connection: &impl ConnectionTrait,
    wanted: &[(EmployerId, RewardId)],
) -> Result<Vec<(RewardId, i64)>, DbErr> {
    let sums: Vec<SumOfReward> = Sql::on(
        connection,
        "SELECT redemption.reward_id, CAST(SUM(redemption.quantity) AS bigint) AS sum FROM ",
    )
    .rows(children::wanted(wanted))
    // A cross join, so that SQLite looks each of them up, whatever its statistics say.
    .push(
        " AS wanted CROSS JOIN redemption WHERE redemption.employer_id = wanted.employer_id AND redemption.reward_id = wanted.owner_id
         AND redemption.status IN ('HELD', 'FULFILLED') AND redemption.sensitive = false GROUP BY redemption.reward_id",
    )
    .all(connection)
    .await?;
    Ok(sums.into_iter().map(|row| (row.reward_id, row.sum)).collect())
}

/// The held redemptions that these awards gave, in no order; one statement however many.
pub async fn list_held_of_awards(
    connection: &impl ConnectionTrait,
    wanted: &[(EmployerId, AchievementId)],
) -> Result<Vec<Model>, DbErr> {
    let rows = Rows::new()
        .id("employer_id", wanted.iter().map(|(employer, _)| *employer))
        .id("achievement_id", wanted.iter().map(|(_, award)| *award));
    Sql::on(connection, "SELECT redemption.* FROM ")
        .rows(rows)
        // A cross join, so that SQLite looks each of them up instead of reading the whole table, whatever its statistics say.
        .push(
            " AS wanted CROSS JOIN redemption WHERE redemption.employer_id = wanted.employer_id
             AND redemption.achievement_id = wanted.achievement_id AND redemption.status = 'HELD'",
        )
        .all(connection)
        .await
}

/// The held redemptions of these members, in no order; one statement however many.
pub async fn list_held(
    connection: &impl ConnectionTrait,
    wanted: &BTreeSet<(EmployerId, MemberId)>,
) -> Result<Vec<Model>, DbErr> {
    let rows = Rows::new()
        .id("employer_id", wanted.iter().map(|(employer, _)| *employer))
        .id("member_id", wanted.iter().map(|(_, member)| *member));
    Sql::on(connection, "SELECT redemption.* FROM ")
        .rows(rows)
        .push(
            " AS wanted CROSS JOIN redemption WHERE redemption.employer_id = wanted.employer_id
             AND redemption.member_id = wanted.member_id AND redemption.status = 'HELD' ORDER BY redemption.id",
        )
        .all(connection)
        .await
}

/// At most `limit` held redemptions that have waited too long, by the clock of their employer: a sandbox's is ahead.
pub async fn list_due(
    connection: &impl ConnectionTrait,
    now: Timestamp,
    limit: u64,
) -> Result<Vec<Model>, DbErr> {
    // What is past by the real clock is past for everyone, and the index finds it; only sandboxes are then looked through. The
    // halves share no row.
    Sql::on(connection, "SELECT due.* FROM (SELECT redemption.* FROM redemption WHERE status = 'HELD' AND expires_at <= ")
        .bind(now)
        .push(
            " UNION ALL SELECT redemption.* FROM
             (SELECT id AS sandbox_id, clock_offset_micros FROM employer WHERE clock_offset_micros > 0) AS sandbox
             CROSS JOIN redemption WHERE redemption.employer_id = sandbox_id AND redemption.status = 'HELD' AND redemption.expires_at > ",
        )
        .bind(now)
        .push(" AND redemption.expires_at - clock_offset_micros <= ")
        .bind(now)
        .push(" LIMIT ")
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .push(") AS due")
        .all(connection)
        .await
}

/// What becomes of a held redemption.
#[derive(Debug, Clone)]
pub struct Settled {
    /// The employer.
    pub employer_id: EmployerId,
    /// The redemption.
    pub id: RedemptionId,
    /// Where it stands from now on.
    pub status: RedemptionStatus,
    /// When, by the employer's clock.
    pub at: Timestamp,
    /// The name for it of whoever has fulfilled it.
    pub reference: Option<String>,
    /// Why it was cancelled.
    pub reason: Option<String>,
}

#[derive(FromQueryResult)]
struct Id {
    id: RedemptionId,
}

/// Settles redemptions and returns the ids of those that were held until now; one statement however many.
pub async fn settle(
    connection: &impl ConnectionTrait,
    settled: &[Settled],
) -> Result<BTreeSet<RedemptionId>, DbErr> {
    let rows = Rows::new()
        .id("employer_id", settled.iter().map(|row| row.employer_id))
        .id("id", settled.iter().map(|row| row.id))
        .text("status", settled.iter().map(|row| row.status.as_str()))
        .int("at", settled.iter().map(|row| row.at.0))
        .text_or_null("reference", settled.iter().map(|row| row.reference.clone()))
        .text_or_null("reason", settled.iter().map(|row| row.reason.clone()));
    let rows: Vec<Id> = Sql::on(
        connection,
        "UPDATE redemption SET status = wanted.status, settled_at = wanted.at, reference = wanted.reference, reason = wanted.reason
         FROM ",
    )
    .rows(rows)
    .push(
        " AS wanted WHERE redemption.employer_id = wanted.employer_id AND redemption.id = wanted.id AND redemption.status = 'HELD'
         RETURNING redemption.id",
    )
    .all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| row.id).collect())
}

/// A held redemption that the partner of its reward was not told of.
#[derive(Debug, Clone, FromQueryResult)]
pub struct Untold {
    /// The employer.
    pub employer_id: EmployerId,
    /// The redemption.
    pub id: RedemptionId,
    /// Whose it is.
    pub member_id: MemberId,
    /// Who fulfils it.
    pub partner_id: PartnerId,
}

/// The held redemptions of these members that nobody was told of though a partner fulfils them, in the order in which they were made;
/// one statement however many.
pub async fn list_untold(
    connection: &impl ConnectionTrait,
    wanted: &BTreeSet<(EmployerId, MemberId)>,
) -> Result<Vec<Untold>, DbErr> {
    let rows = Rows::new()
        .id("employer_id", wanted.iter().map(|(employer, _)| *employer))
        .id("member_id", wanted.iter().map(|(_, member)| *member));
    Sql::on(
        connection,
        "SELECT redemption.employer_id, redemption.id, redemption.member_id, reward.fulfilled_by AS partner_id FROM ",
    )
    .rows(rows)
    .push(
        " AS wanted CROSS JOIN redemption JOIN reward ON reward.employer_id = redemption.employer_id AND reward.id = redemption.reward_id
         WHERE redemption.employer_id = wanted.employer_id AND redemption.member_id = wanted.member_id
         AND redemption.status = 'HELD' AND redemption.told_to IS NULL AND reward.fulfilled_by IS NOT NULL ORDER BY redemption.id",
    )
    .all(connection)
    .await
}

/// Says that partners are told of redemptions, and by what name of the member; one statement however many.
pub async fn set_told(
    connection: &impl ConnectionTrait,
    told: &[(EmployerId, RedemptionId, PartnerId, String)],
) -> Result<(), DbErr> {
    let rows = Rows::new()
        .id("employer_id", told.iter().map(|(employer, ..)| *employer))
        .id("id", told.iter().map(|(_, id, ..)| *id))
        .id("told_to", told.iter().map(|(_, _, partner, _)| *partner))
        .text("member_ref", told.iter().map(|(.., name)| name.as_str()));
    Sql::on(
        connection,
        "UPDATE redemption SET told_to = wanted.told_to, member_ref = wanted.member_ref FROM ",
    )
    .rows(rows)
    .push(" AS wanted WHERE redemption.employer_id = wanted.employer_id AND redemption.id = wanted.id")
    .execute(connection)
    .await
    .map(|_| ())
}

/// Takes out of the member's redemptions what others have said about them; that they were stays.
pub async fn forget_member(
    connection: &impl ConnectionTrait,
    employer: EmployerId,
    member: MemberId,
) -> Result<u64, DbErr> {
    Sql::on(
        connection,
        "UPDATE redemption SET reference = CASE WHEN reference IS NOT NULL THEN 'erased' END,
         reason = CASE WHEN reason IS NOT NULL THEN 'erased' END, member_ref = CASE WHEN member_ref IS NOT NULL THEN 'erased' END
         WHERE employer_id = ",
    )
    .bind(employer)
    .push(" AND member_id = ")
    .bind(member)
    .execute(connection)
    .await
}
