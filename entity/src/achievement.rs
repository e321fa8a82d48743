//! Achievements: what members have earned, each exactly once.

use chrono::NaiveDate;
use sea_orm::entity::prelude::*;
use sea_orm::{FromQueryResult, QueryFilter, QueryOrder, QuerySelect};

use crate::clock::Timestamp;
use crate::db::sql::{self, Rows, Sql};
use crate::id::{AchievementId, EmployerId, IncentiveId, MemberId, ProgramId};
use crate::page::{self, Page, Slice};
use crate::text_enum;

text_enum! {
    /// Whether an achievement stands.
    AchievementStatus {
        /// It stands.
        Earned = "EARNED",
        /// It was taken back, with a reason.
        Revoked = "REVOKED",
    }
}

/// An achievement.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "achievement")]
pub struct Model {
    /// The employer.
    #[sea_orm(primary_key, auto_increment = false)]
    pub employer_id: EmployerId,
    /// The achievement itself.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: AchievementId,
    /// Who earned it.
    pub member_id: MemberId,
    /// For what.
    pub incentive_id: IncentiveId,
    /// By which version of it.
    pub incentive_version: i32,
    /// In which program.
    pub program_id: ProgramId,
    /// The window of the limit it counts in.
    pub period_key: String,
    /// Counts 1, 2, 3 inside the window.
    pub ordinal: i32,
    /// What the member is congratulated on.
    pub title: String,
    /// Whether the incentive is sensitive.
    pub sensitive: bool,
    /// Whether nobody is shown it: the incentive gives points or rewards, and no achievement.
    pub hidden: bool,
    /// The local date on which it was reached.
    pub earned_on: NaiveDate,
    /// When it was recorded.
    pub recorded_at: Timestamp,
    /// Whether it stands.
    pub status: AchievementStatus,
    /// Why it was earned, as `jobs` writes it; none: nobody knows any more.
    pub why: Option<String>,
    /// When it was taken back.
    pub revoked_at: Option<Timestamp>,
    /// Why it was taken back, in the words of whoever did.
    pub revocation_reason: Option<String>,
}

impl ActiveModelBehavior for ActiveModel {}

/// Which achievements of an employer are wanted.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Of this member.
    pub member: Option<MemberId>,
    /// For this incentive.
    pub incentive: Option<IncentiveId>,
    /// In this program.
    pub program: Option<ProgramId>,
    /// Reached on this day or later.
    pub earned_from: Option<NaiveDate>,
    /// Reached on this day or earlier.
    pub earned_until: Option<NaiveDate>,
    /// Leave out those of sensitive incentives.
    pub without_sensitive: bool,
}

#[derive(FromQueryResult)]
struct Fresh {
    id: AchievementId,
}

/// Records achievements and returns the ids of those that were new; one whose key is there already, and stands, changes
/// nothing.
pub async fn insert_new(
    connection: &impl ConnectionTrait,
    achievements: &[Model],
) -> Result<Vec<AchievementId>, DbErr> {
    let rows = Rows::new()
        .id("employer_id", achievements.iter().map(|row| row.employer_id))
        .id("id", achievements.iter().map(|row| row.id))
        .id("member_id", achievements.iter().map(|row| row.member_id))
        .id("incentive_id", achievements.iter().map(|row| row.incentive_id))
        .int(
            "incentive_version",
            achievements.iter().map(|row| i64::from(row.incentive_version)),
        )
        .id("program_id", achievements.iter().map(|row| row.program_id))
        .text(
            "period_key",
            achievements.iter().map(|row| row.period_key.as_str()),
        )
        .int("ordinal", achievements.iter().map(|row| i64::from(row.ordinal)))
        .text("title", achievements.iter().map(|row| row.title.as_str()))
        .bool("sensitive", achievements.iter().map(|row| row.sensitive))
        .bool("hidden", achievements.iter().map(|row| row.hidden))
        .date("earned_on", achievements.iter().map(|row| row.earned_on))
        .int("recorded_at", achievements.iter().map(|row| row.recorded_at.0))
        .text("status", achievements.iter().map(|row| row.status.as_str()))
        .text_or_null("why", achievements.iter().map(|row| row.why.clone()));
    let fresh: Vec<Fresh> = Sql::on(
        connection,
        "INSERT INTO achievement (employer_id, id, member_id, incentive_id, incentive_version, program_id, period_key, ordinal, title,
         sensitive, hidden, earned_on, recorded_at, status, why)
         SELECT employer_id, id, member_id, incentive_id, incentive_version, program_id, period_key, ordinal, title,
         sensitive, hidden, earned_on, recorded_at, status, why FROM ",
    )
    .rows(rows)
    .push(" AS fresh WHERE true ON CONFLICT (employer_id, incentive_id, member_id, period_key, ordinal) WHERE status = 'EARNED' DO NOTHING RETURNING id")
    .all(connection)
    .await?;
    Ok(fresh.into_iter().map(|row| row.id).collect())
}

/// The employer's achievement of this id; none of what nobody is shown.
pub async fn find(
    connection: &impl ConnectionTrait,
    employer: EmployerId,
    id: AchievementId,
) -> Result<Option<Model>, DbErr> {
    Entity::find_by_id((employer, id))
        .filter(Column::Hidden.eq(false))
        .one(connection)
        .await
}

/// The achievements of these ids but for what nobody is shown, in no order; one statement however many.
pub async fn list_by_ids(
    connection: &impl ConnectionTrait,
    wanted: &[(EmployerId, AchievementId)],
) -> Result<Vec<Model>, DbErr> {
    let mut found: Vec<Model> = sql::list_by_ids(connection, "achievement", wanted).await?;
    found.retain(|row| !row.hidden);
    Ok(found)
}

/// The awards of these ids, also those that nobody is shown, in no order; one statement however many.
pub async fn list_awards_by_ids(
    connection: &impl ConnectionTrait,
    wanted: &[(EmployerId, AchievementId)],
) -> Result<Vec<Model>, DbErr> {
    sql::list_by_ids(connection, "achievement", wanted).await
}

/// A page of the employer's achievements, in the order in which they were recorded, but for what nobody is shown.
pub async fn list(
    connection: &impl ConnectionTrait,
    employer: EmployerId,
    filter: &Filter,
    page: Page<AchievementId>,
) -> Result<Slice<Model>, DbErr> {
    let mut select = Entity::find()
        .filter(Column::EmployerId.eq(employer))
        .filter(Column::Hidden.eq(false));
    if let Some(member) = filter.member {
        select = select.filter(Column::MemberId.eq(member));
    }
    if let Some(incentive) = filter.incentive {
        select = select.filter(Column::IncentiveId.eq(incentive));
    }
    if let Some(program) = filter.program {
        select = select.filter(Column::ProgramId.eq(program));
    }
    if let Some(from) = filter.earned_from {
        select = select.filter(Column::EarnedOn.gte(from));
    }
    if let Some(until) = filter.earned_until {
        select = select.filter(Column::EarnedOn.lte(until));
    }
    if filter.without_sensitive {
        select = select.filter(Column::Sensitive.eq(false));
    }
    page::read(connection, select, Column::Id, page).await
}

/// What stands of what was earned in a program, in the order of recording, after one and at most `limit`; hidden ones are left out.
pub async fn list_of_program(
    connection: &impl ConnectionTrait,
    (employer, program): (EmployerId, ProgramId),
    after: Option<AchievementId>,
    limit: u64,
) -> Result<Vec<Model>, DbErr> {
    let select = Entity::find()
        .filter(Column::EmployerId.eq(employer))
        .filter(Column::ProgramId.eq(program))
        .filter(Column::Status.eq(AchievementStatus::Earned))
        .filter(Column::Hidden.eq(false))
        .order_by_asc(Column::Id)
        .limit(limit);
    let select = match after {
        Some(after) => select.filter(Column::Id.gt(after)),
        None => select,
    };
    select.all(connection).await
}

/// The achievements that stand in these cases (employer, member, incentive), what nobody is shown included, in the order in which
/// they were recorded; one statement however many.
pub async fn list_standing(
    connection: &impl ConnectionTrait,
    wanted: &[(EmployerId, MemberId, IncentiveId)],
) -> Result<Vec<Model>, DbErr> {
    let rows = Rows::new()
        .id("employer_id", wanted.iter().map(|(employer, _, _)| *employer))
        .id("member_id", wanted.iter().map(|(_, member, _)| *member))
        .id("incentive_id", wanted.iter().map(|(_, _, incentive)| *incentive));
    Sql::on(connection, "SELECT achievement.* FROM ")
        .rows(rows)
        .push(
            " AS wanted JOIN achievement ON achievement.employer_id = wanted.employer_id AND achievement.member_id = wanted.member_id
             AND achievement.incentive_id = wanted.incentive_id AND achievement.status = 'EARNED' ORDER BY achievement.id",
        )
        .all(connection)
        .await
}

/// An achievement that is to be taken back.
#[derive(Debug, Clone)]
pub struct Revoked {
    /// The employer.
    pub employer_id: EmployerId,
    /// The achievement.
    pub id: AchievementId,
    /// Why.
    pub reason: Option<String>,
    /// When, by the employer's clock.
    pub at: Timestamp,
}

/// Takes achievements back and returns the ids of those that stood until now; one statement however many.
pub async fn revoke(
    connection: &impl ConnectionTrait,
    revoked: &[Revoked],
) -> Result<Vec<AchievementId>, DbErr> {
    let rows = Rows::new()
        .id("employer_id", revoked.iter().map(|row| row.employer_id))
        .id("id", revoked.iter().map(|row| row.id))
        .text_or_null("reason", revoked.iter().map(|row| row.reason.clone()))
        .int("at", revoked.iter().map(|row| row.at.0));
    let rows: Vec<Fresh> = Sql::on(
        connection,
        "UPDATE achievement SET status = 'REVOKED', revoked_at = wanted.at, revocation_reason = wanted.reason FROM ",
    )
    .rows(rows)
    .push(
        " AS wanted WHERE achievement.employer_id = wanted.employer_id AND achievement.id = wanted.id
             AND achievement.status = 'EARNED' RETURNING achievement.id",
    )
    .all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| row.id).collect())
}

/// Says why achievements were earned; one statement however many.
pub async fn set_why(
    connection: &impl ConnectionTrait,
    reasons: &[(EmployerId, AchievementId, Option<String>)],
) -> Result<(), DbErr> {
    let rows = Rows::new()
        .id("employer_id", reasons.iter().map(|(employer, _, _)| *employer))
        .id("id", reasons.iter().map(|(_, id, _)| *id))
        .text_or_null("why", reasons.iter().map(|(_, _, why)| why.clone()));
    Sql::on(connection, "UPDATE achievement SET why = wanted.why FROM ")
        .rows(rows)
        .push(" AS wanted WHERE achievement.employer_id = wanted.employer_id AND achievement.id = wanted.id")
        .execute(connection)
        .await
        .map(|_| ())
}

/// Forgets why the member's achievements were earned or taken back; that they were stays.
pub async fn forget_member(
    connection: &impl ConnectionTrait,
    employer: EmployerId,
    member: MemberId,
) -> Result<u64, DbErr> {
    Sql::on(
        connection,
        "UPDATE achievement SET why = NULL, revocation_reason = NULL WHERE employer_id = ",
    )
    .bind(employer)
    .push(" AND member_id = ")
    .bind(member)
    .execute(connection)
    .await
}

/// How much was achieved for one incentive.
#[derive(Debug, Clone, Copy, FromQueryResult)]
pub struct Tally {
    /// For which incentive.
    pub incentive_id: IncentiveId,
    /// How many achievements stand, what nobody is shown included.
    pub achievements: i64,
    /// How many different members earned them.
    pub members: i64,
}

/// What was achieved for these incentives, in no order; none: nothing was. One statement however many.
pub async fn tally(
    connection: &impl ConnectionTrait,
    wanted: &[(EmployerId, IncentiveId)],
) -> Result<Vec<Tally>, DbErr> {
    let rows = Rows::new()
        .id("employer_id", wanted.iter().map(|(employer, _)| *employer))
        .id("incentive_id", wanted.iter().map(|(_, incentive)| *incentive));
    Sql::on(connection, "SELECT achievement.incentive_id, count(*) AS achievements, count(DISTINCT achievement.member_id) AS members FROM ")
        .rows(rows)
        .push(
            " AS wanted JOIN achievement ON achievement.employer_id = wanted.employer_id AND achievement.incentive_id = wanted.incentive_id
             AND achievement.status = 'EARNED' GROUP BY achievement.incentive_id",
        )
        .all(connection)
        .await
}
