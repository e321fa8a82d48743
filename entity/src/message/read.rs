//! Messages as they are looked at.

use sea_orm::entity::prelude::*;
use sea_orm::{FromQueryResult, QueryFilter};

use super::{Column, Entity, MessageState, Model, NotSent};
use crate::children;
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

#[derive(FromQueryResult)]
struct StandingOf {
    campaign_id: CampaignId,
    #[sea_orm(nested)]
    standing: Standing,
}

/// How the messages of these campaigns stand; one statement however many.
pub async fn standing(
    connection: &impl ConnectionTrait,
    wanted: &[(EmployerId, CampaignId)],
) -> Result<Vec<(CampaignId, Standing)>, DbErr> {
    let rows: Vec<StandingOf> = Sql::on(
        connection,
        "SELECT campaign_id, state, reason, count(*) AS messages, count(DISTINCT member_id) AS members, count(converted_at) AS converted, ",
    )
    .either("max(sensitive) AS sensitive", "bool_or(sensitive) AS sensitive")
    .push(
        " FROM (SELECT message.campaign_id, CASE WHEN message.due_at IS NULL THEN message.state ELSE 'PENDING' END AS state,
         message.reason, message.member_id, message.converted_at, message.sensitive FROM ",
    )
    .rows(children::wanted(wanted))
    .push(OF_CAMPAIGNS)
    .push(") AS standing GROUP BY campaign_id, state, reason ORDER BY campaign_id, state, reason")
    .all(connection)
    .await?;
    let of = |row: StandingOf| (row.campaign_id, row.standing);
    Ok(rows.into_iter().map(of).collect())
}

/// Of how many different members there are messages of each of these campaigns; one statement however many. Of a campaign that is not
/// named here there are none.
pub async fn count_members(
    connection: &impl ConnectionTrait,
    wanted: &[(EmployerId, CampaignId)],
) -> Result<Vec<(CampaignId, i64)>, DbErr> {
    let found: Vec<Members> = Sql::on(
        connection,
        "SELECT message.campaign_id, count(DISTINCT message.member_id) AS members FROM ",
    )
    .rows(children::wanted(wanted))
    .push(OF_CAMPAIGNS)
    .push(" GROUP BY message.campaign_id")
    .all(connection)
    .await?;
    Ok(found
        .into_iter()
        .map(|row| (row.campaign_id, row.members))
        .collect())
}

// A cross join, so that SQLite looks each of them up, whatever its statistics say.
const OF_CAMPAIGNS: &str = " AS wanted CROSS JOIN message \
                            WHERE message.employer_id = wanted.employer_id AND message.campaign_id = wanted.owner_id";

#[derive(FromQueryResult)]
struct Members {
    campaign_id: CampaignId,
    members: i64,
}
