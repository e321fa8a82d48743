//! Messages as they are looked at.

use sea_orm::entity::prelude::*;
use sea_orm::{FromQueryResult, QueryFilter};

use super::{Column, Entity, MessageState, Model, NotSent};
use crate::db::sql::{self, Sql};
use crate::id::{CampaignId, EmployerId, MemberId, MessageId};
use crate::page::{self, Page, Slice};

/// The employer's message of this id.
pub async fn find(
    connection: &impl ConnectionTrait,
    employer: EmployerId,
    id: MessageId,
) -> Result<Option<Model>, DbErr> {
    Entity::find_by_id((employer, id)).one(connection).await
}

/// The messages of these ids, in no order; one statement however many.
pub async fn list_by_ids(
    connection: &impl ConnectionTrait,
    wanted: &[super::Key],
) -> Result<Vec<Model>, DbErr> {
    sql::list_by_ids(connection, "message", wanted).await
}

/// A page of a member's messages, in the order in which they were brought about; without those of sensitive triggers, if so wished.
pub async fn list_of_member(
    connection: &impl ConnectionTrait,
    employer: EmployerId,
    member: MemberId,
    without_sensitive: bool,
    page: Page<MessageId>,
) -> Result<Slice<Model>, DbErr> {
    let mut select = Entity::find()
        .filter(Column::EmployerId.eq(employer))
        .filter(Column::MemberId.eq(member));
    if without_sensitive {
        select = select.filter(Column::Sensitive.eq(false));
    }
    page::read(connection, select, Column::Id, page).await
}

/// A page of the employer's messages of which nobody knows what came of them, in the order in which they were brought about.
pub async fn list_unknown(
    connection: &impl ConnectionTrait,
    employer: EmployerId,
    page: Page<MessageId>,
) -> Result<Slice<Model>, DbErr> {
    let select = Entity::find()
        .filter(Column::EmployerId.eq(employer))
        .filter(Column::State.eq(MessageState::Unknown));
    page::read(connection, select, Column::Id, page).await
}

/// How many messages of a campaign stand where, and why; of how many members, and how many of them have done what it works towards.
#[derive(Debug, Clone, PartialEq, Eq, FromQueryResult)]
pub struct Standing {
    /// Where they stand: pending as long as they are not settled.
    pub state: MessageState,
    /// Why they were not sent.
    pub reason: Option<NotSent>,
    /// How many there are.
    pub messages: i64,
    /// Of how many members.
    pub members: i64,
    /// How many of these messages were followed by what the campaign works towards.
    pub converted: i64,
    /// Whether any was brought about by something sensitive.
    pub sensitive: bool,
}

/// How the messages of a campaign stand.
pub async fn standing(
    connection: &impl ConnectionTrait,
    employer: EmployerId,
    campaign: CampaignId,
) -> Result<Vec<Standing>, DbErr> {
    Sql::on(
        connection,
        "SELECT state, reason, count(*) AS messages, count(DISTINCT member_id) AS members, count(converted_at) AS converted, ",
    )
    .either("max(sensitive) AS sensitive", "bool_or(sensitive) AS sensitive")
    .push(
        " FROM (SELECT CASE WHEN due_at IS NULL THEN state ELSE 'PENDING' END AS state, reason, member_id, converted_at, sensitive
         FROM message WHERE employer_id = ",
    )
    .bind(employer)
    .push(" AND campaign_id = ")
    .bind(campaign)
    .push(") AS standing GROUP BY state, reason ORDER BY state, reason")
    .all(connection)
    .await
}

/// Of how many different members there are messages of a campaign.
pub async fn count_members(
    connection: &impl ConnectionTrait,
    employer: EmployerId,
    campaign: CampaignId,
) -> Result<i64, DbErr> {
    let found: Option<Members> = Sql::on(
        connection,
        "SELECT count(DISTINCT member_id) AS members FROM message WHERE employer_id = ",
    )
    .bind(employer)
    .push(" AND campaign_id = ")
    .bind(campaign)
    .one(connection)
    .await?;
    Ok(found.map_or(0, |found| found.members))
}

#[derive(FromQueryResult)]
struct Members {
    members: i64,
}
