//! Campaigns: what members are written, and within which limits.

use sea_orm::entity::prelude::*;
use sea_orm::{IntoActiveModel, QueryFilter, QueryOrder};

use crate::clock::Timestamp;
use crate::db;
use crate::db::sql::{self, Sql};
use crate::id::{CampaignId, EmployerId, ProgramId};
use crate::page::{self, Page, Slice};
use crate::text_enum;

text_enum! {
    /// The period in which messages are counted, by the calendar of the member: weeks begin on Monday.
    CapPeriod {
        /// A day.
        Day = "DAY",
        /// A week.
        Week = "WEEK",
        /// A month.
        Month = "MONTH",
    }
}

text_enum! {
    /// What becomes of a message over the cap.
    OverCap {
        /// It is not sent.
        Drop = "DROP",
        /// It waits for the next period.
        Defer = "DEFER",
    }
}

/// A campaign.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "campaign")]
pub struct Model {
    /// The employer.
    #[sea_orm(primary_key, auto_increment = false)]
    pub employer_id: EmployerId,
    /// The campaign itself.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: CampaignId,
    /// The program it belongs to, for people; none: none.
    pub program_id: Option<ProgramId>,
    /// Its short name, unique within the employer.
    pub key: String,
    /// Its name for people.
    pub name: String,
    /// Goes up with every change of what is said.
    pub version: i64,
    /// The template of the subject.
    pub subject: String,
    /// The subject where the trigger is sensitive; none: one that names the employer alone.
    pub neutral_subject: Option<String>,
    /// The template of the text.
    pub body_text: String,
    /// The template of the HTML.
    pub body_html: Option<String>,
    /// Where personalised content comes from.
    pub content_url: Option<String>,
    /// How long that may take, in milliseconds.
    pub content_timeout_millis: Option<i64>,
    /// What kind of messages it sends: they count together for its cap.
    pub category: String,
    /// Whether its messages are part of what the member has asked for, and no advertising.
    pub transactional: bool,
    /// At most so many messages of the category to a member; none: any number.
    pub cap_at_most: Option<i64>,
    /// In which period.
    pub cap_per: Option<CapPeriod>,
    /// What becomes of more.
    pub cap_over: Option<OverCap>,
    /// From which local time of the member on nothing is sent, `HH:MM`; none: at any time.
    pub quiet_from: Option<String>,
    /// Until which; at or before the beginning: on the next day.
    pub quiet_to: Option<String>,
    /// The trigger of what it works towards, as in an incentive's definition.
    pub until: Option<Json>,
    /// How long after a message that counts as brought about by it, in seconds.
    pub conversion_seconds: i64,
    /// How many of a hundred members get nothing, to compare with.
    pub held_out_percent: i64,
    /// How long a message may wait, in seconds.
    pub time_to_live_seconds: i64,
    /// When it is sent by itself: a cron expression in the employer's zone.
    pub schedule: Option<String>,
    /// To whom it is then sent.
    pub segment: Option<Json>,
    /// When the schedule is next due, by the employer's clock; none: never.
    pub next_run_at: Option<Timestamp>,
    /// When it was created.
    pub created_at: Timestamp,
    /// Since when its messages wait.
    pub paused_at: Option<Timestamp>,
    /// Since when it is over.
    pub archived_at: Option<Timestamp>,
}

impl ActiveModelBehavior for ActiveModel {}

/// Writes a new campaign; false when the employer has one of this key.
pub async fn insert(connection: &impl ConnectionTrait, campaign: Model) -> Result<bool, DbErr> {
    db::insert_new::<Entity>(connection, campaign).await
}

/// The employer's campaign of this id.
pub async fn find(
    connection: &impl ConnectionTrait,
    employer: EmployerId,
    id: CampaignId,
) -> Result<Option<Model>, DbErr> {
    Entity::find_by_id((employer, id)).one(connection).await
}

/// The employer's campaign of this key.
pub async fn find_by_key(
    connection: &impl ConnectionTrait,
    employer: EmployerId,
    key: &str,
) -> Result<Option<Model>, DbErr> {
    // PostgreSQL cannot even be asked for a text with a zero character, and no row has one.
    if key.contains('\0') {
        return Ok(None);
    }
    Entity::find()
        .filter(Column::EmployerId.eq(employer))
        .filter(Column::Key.eq(key))
        .one(connection)
        .await
}

/// All of the employer's campaigns, in the order of their making.
pub async fn list(connection: &impl ConnectionTrait, employer: EmployerId) -> Result<Vec<Model>, DbErr> {
    Entity::find()
        .filter(Column::EmployerId.eq(employer))
        .order_by_asc(Column::Id)
        .all(connection)
        .await
}

/// A page of the employer's campaigns, in the order of their making.
pub async fn list_page(
    connection: &impl ConnectionTrait,
    employer: EmployerId,
    page: Page<CampaignId>,
) -> Result<Slice<Model>, DbErr> {
    let select = Entity::find().filter(Column::EmployerId.eq(employer));
    page::read(connection, select, Column::Id, page).await
}

/// The campaigns of these ids, in no order; one statement however many.
pub async fn list_by_ids(
    connection: &impl ConnectionTrait,
    wanted: &[(EmployerId, CampaignId)],
) -> Result<Vec<Model>, DbErr> {
    sql::list_by_ids(connection, "campaign", wanted).await
}

/// How many campaigns the employer has.
pub async fn count(connection: &impl ConnectionTrait, employer: EmployerId) -> Result<u64, DbErr> {
    Entity::find()
        .filter(Column::EmployerId.eq(employer))
        .count(connection)
        .await
}

/// Writes all that can be changed of a campaign. Whoever keeps the catalogue in memory is told by
/// [`crate::employer::touch_catalogue`].
pub async fn update(connection: &impl ConnectionTrait, campaign: Model) -> Result<(), DbErr> {
    let mut row = campaign.into_active_model().reset_all();
    // Its identity stays.
    for column in [Column::EmployerId, Column::Id, Column::Key, Column::CreatedAt] {
        sea_orm::ActiveModelTrait::reset(&mut row, column);
    }
    Entity::update(row).exec(connection).await.map(|_| ())
}

/// The campaigns whose schedule is due, the longest due first, by the clock of their employer: a sandbox's is ahead.
pub async fn list_due(connection: &impl ConnectionTrait, now: Timestamp) -> Result<Vec<Model>, DbErr> {
    // What is past by the real clock is past for everyone, and the index finds it; only sandboxes are then looked through.
    Sql::on(
        connection,
        "SELECT due.* FROM (SELECT campaign.* FROM campaign WHERE next_run_at <= ",
    )
    .bind(now)
    .push(
        " UNION ALL SELECT campaign.* FROM
         (SELECT id AS sandbox_id, clock_offset_micros FROM employer WHERE clock_offset_micros > 0) AS sandbox
         JOIN campaign ON campaign.employer_id = sandbox_id WHERE campaign.next_run_at > ",
    )
    .bind(now)
    .push(" AND campaign.next_run_at - clock_offset_micros <= ")
    .bind(now)
    .push(") AS due ORDER BY due.next_run_at")
    .all(connection)
    .await
}

/// Moves the schedule of a campaign on; false when somebody else has.
pub async fn set_next_run(
    connection: &impl ConnectionTrait,
    campaign: &Model,
    next: Option<Timestamp>,
) -> Result<bool, DbErr> {
    let rows = Sql::on(connection, "UPDATE campaign SET next_run_at = ")
        .bind(next)
        .push(" WHERE employer_id = ")
        .bind(campaign.employer_id)
        .push(" AND id = ")
        .bind(campaign.id)
        .push(" AND next_run_at = ")
        .bind(campaign.next_run_at)
        .execute(connection)
        .await?;
    Ok(rows == 1)
}
