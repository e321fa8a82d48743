//! Sums over all members of an employer, for its reports. What is sensitive is kept apart from the rest, each sum of it with how many
//! members it is of, so that whoever shows it can keep back what is of too few.

use chrono::NaiveDate;
use sea_orm::{ConnectionTrait, DbErr, FromQueryResult};

use crate::clock::Timestamp;
use crate::db::sql::Sql;
use crate::id::{EmployerId, IncentiveId, ProgramId};
use crate::ledger::EntryKind;

/// The first and the last day of a report.
pub type Days = (NaiveDate, NaiveDate);

/// Points that came or went on one day for one reason.
#[derive(Debug, Clone, FromQueryResult)]
pub struct PointsCell {
    /// The day.
    pub recorded_on: NaiveDate,
    /// Of which kind.
    pub category: String,
    /// What has happened.
    pub kind: EntryKind,
    /// Whether it is about something sensitive; then it is of one incentive.
    pub sensitive: bool,
    /// By how much accounts have changed.
    pub amount: i64,
    /// How many members it is of.
    pub members: i64,
}

/// Points by day, category and kind, in no order; those of a sensitive incentive in rows of their own.
pub async fn points(
    connection: &impl ConnectionTrait,
    employer: EmployerId,
    (from, to): Days,
) -> Result<Vec<PointsCell>, DbErr> {
    // An incentive may have become sensitive after an entry was written.
    Sql::on(
        connection,
        "SELECT recorded_on, category, kind, sensitive, CAST(SUM(amount) AS bigint) AS amount, COUNT(DISTINCT member_id) AS members
         FROM (SELECT entry.recorded_on, entry.category, entry.kind, entry.amount, entry.member_id,
         (entry.sensitive OR COALESCE(incentive.sensitive, entry.sensitive)) AS sensitive,
         CASE WHEN entry.sensitive OR incentive.sensitive THEN entry.incentive_id END AS about
         FROM points_entry AS entry
         LEFT JOIN incentive ON incentive.employer_id = entry.employer_id AND incentive.id = entry.incentive_id
         WHERE entry.employer_id = ",
    )
    .bind(employer)
    .push(" AND entry.recorded_on BETWEEN ")
    .bind(from)
    .push(" AND ")
    .bind(to)
    .push(") AS told GROUP BY recorded_on, category, kind, sensitive, about")
    .all(connection)
    .await
}

/// What members hold together of one category.
#[derive(Debug, Clone, FromQueryResult)]
pub struct Liability {
    /// Of which kind.
    pub category: String,
    /// Points that can be spent or will be.
    pub points: i64,
}

/// What all members hold at an instant, by category, in no order. What has ended by then is not counted, booked or not.
pub async fn liability(
    connection: &impl ConnectionTrait,
    employer: EmployerId,
    now: Timestamp,
) -> Result<Vec<Liability>, DbErr> {
    Sql::on(
        connection,
        "SELECT account.category, CAST(SUM(account.available + account.pending - CASE WHEN account.due_at <= ",
    )
    .bind(now)
    .push(
        " THEN COALESCE((SELECT SUM(lot.remaining) FROM points_lot AS lot WHERE lot.employer_id = account.employer_id
         AND lot.member_id = account.member_id AND lot.category = account.category AND lot.remaining > 0 AND lot.expires_at <= ",
    )
    .bind(now)
    .push("), 0) ELSE 0 END) AS bigint) AS points FROM points_account AS account WHERE account.employer_id = ")
    .bind(employer)
    .push(" GROUP BY account.category")
    .all(connection)
    .await
}

/// What has become of the redemptions of one reward.
#[derive(Debug, Clone, FromQueryResult)]
pub struct RedemptionCell {
    /// The key of the reward.
    pub key: String,
    /// Its name.
    pub name: String,
    /// Whether they were given by sensitive incentives.
    pub sensitive: bool,
    /// How many there are.
    pub requested: i64,
    /// How many of them were fulfilled.
    pub fulfilled: i64,
    /// How many were cancelled.
    pub cancelled: i64,
    /// How many have expired.
    pub expired: i64,
    /// The points of those that were not given back.
    pub points_spent: i64,
    /// How many members they are of.
    pub members: i64,
}

/// Redemptions that were requested or given on these days, by reward, in no order; of one program where one is given.
pub async fn redemptions(
    connection: &impl ConnectionTrait,
    employer: EmployerId,
    (from, to): Days,
    program: Option<ProgramId>,
) -> Result<Vec<RedemptionCell>, DbErr> {
    let sql = Sql::on(
        connection,
        "SELECT reward.key, reward.name, redemption.sensitive, COUNT(*) AS requested,
         COUNT(CASE WHEN redemption.status = 'FULFILLED' THEN 1 END) AS fulfilled,
         COUNT(CASE WHEN redemption.status = 'CANCELLED' THEN 1 END) AS cancelled,
         COUNT(CASE WHEN redemption.status = 'EXPIRED' THEN 1 END) AS expired,
         CAST(SUM(CASE WHEN redemption.status IN ('HELD', 'FULFILLED') THEN redemption.points_spent ELSE 0 END) AS bigint)
         AS points_spent, COUNT(DISTINCT redemption.member_id) AS members
         FROM redemption JOIN reward ON reward.employer_id = redemption.employer_id AND reward.id = redemption.reward_id
         WHERE redemption.employer_id = ",
    )
    .bind(employer)
    .push(" AND redemption.requested_on BETWEEN ")
    .bind(from)
    .push(" AND ")
    .bind(to);
    let sql = match program {
        Some(program) => sql.push(" AND reward.program_id = ").bind(program),
        None => sql,
    };
    sql.push(" GROUP BY reward.key, reward.name, redemption.sensitive")
        .all(connection)
        .await
}

/// What was achieved for one incentive on one day.
#[derive(Debug, Clone, FromQueryResult)]
pub struct AchievementCell {
    /// The incentive.
    pub incentive_id: IncentiveId,
    /// Whether it is sensitive.
    pub sensitive: bool,
    /// The day.
    pub earned_on: NaiveDate,
    /// How many were reached.
    pub earned: i64,
    /// How many of them were taken back.
    pub revoked: i64,
    /// How many members reached them.
    pub members: i64,
}

/// Achievements that were reached on these days, by incentive and day; of one program where one is given. Awards that nobody is shown
/// are not among them.
pub async fn achievements(
    connection: &impl ConnectionTrait,
    employer: EmployerId,
    (from, to): Days,
    program: Option<ProgramId>,
) -> Result<Vec<AchievementCell>, DbErr> {
    let sql = Sql::on(
        connection,
        "SELECT achievement.incentive_id, incentive.sensitive, achievement.earned_on, COUNT(*) AS earned,
         COUNT(CASE WHEN achievement.status = 'REVOKED' THEN 1 END) AS revoked, COUNT(DISTINCT achievement.member_id) AS members
         FROM achievement
         JOIN incentive ON incentive.employer_id = achievement.employer_id AND incentive.id = achievement.incentive_id
         WHERE achievement.employer_id = ",
    )
    .bind(employer)
    .push(" AND NOT achievement.hidden AND achievement.earned_on BETWEEN ")
    .bind(from)
    .push(" AND ")
    .bind(to);
    let sql = match program {
        Some(program) => sql.push(" AND incentive.program_id = ").bind(program),
        None => sql,
    };
    sql.push(
        " GROUP BY achievement.incentive_id, incentive.sensitive, achievement.earned_on
         ORDER BY achievement.incentive_id, achievement.earned_on",
    )
    .all(connection)
    .await
}
