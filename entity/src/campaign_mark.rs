//! What a campaign remembers of a member: that an event of its segment has happened, or the one that it works towards.

use sea_orm::FromQueryResult;
use sea_orm::entity::prelude::*;

use crate::clock::Timestamp;
use crate::db::sql::{self, Rows, Sql};
use crate::id::{CampaignId, EmployerId, MemberId};
use crate::receipt::Identity;
use crate::text_enum;

text_enum! {
    /// What a mark says.
    MarkKind {
        /// An event of the segment has happened; the newest is remembered.
        Matched = "MATCHED",
        /// What the campaign works towards has happened; the first is remembered.
        Converted = "CONVERTED",
    }
}

/// A mark. Read and written by statements only.
#[derive(Debug, Clone, PartialEq, Eq, FromQueryResult)]
pub struct Mark {
    /// The employer.
    pub employer_id: EmployerId,
    /// The campaign.
    pub campaign_id: CampaignId,
    /// What it says.
    pub kind: MarkKind,
    /// Of whom.
    pub member_id: MemberId,
    /// When it happened.
    pub marked_at: Timestamp,
    /// The source of the event.
    pub source: String,
    /// Its id there.
    pub event_id: String,
}

/// Whose mark: the employer, the campaign and the member.
pub type MarkKey = (EmployerId, CampaignId, MemberId);

/// Sets marks. Of events of one segment the newest stays, of those that a campaign works towards the first. No two may be of one kind,
/// campaign and member.
pub async fn put(connection: &impl ConnectionTrait, marks: &[Mark]) -> Result<(), DbErr> {
    let rows = keys(
        marks
            .iter()
            .map(|mark| (mark.employer_id, mark.campaign_id, mark.member_id)),
    )
    .text("kind", marks.iter().map(|mark| mark.kind.as_str()))
    .int("marked_at", marks.iter().map(|mark| mark.marked_at.0))
    .text("source", marks.iter().map(|mark| mark.source.as_str()))
    .text("event_id", marks.iter().map(|mark| mark.event_id.as_str()));
    Sql::on(
        connection,
        "INSERT INTO campaign_mark (employer_id, campaign_id, kind, member_id, marked_at, source, event_id)
         SELECT employer_id, campaign_id, kind, member_id, marked_at, source, event_id FROM ",
    )
    .rows(rows)
    .push(
        " AS fresh WHERE true ON CONFLICT (employer_id, campaign_id, kind, member_id)
         DO UPDATE SET marked_at = excluded.marked_at, source = excluded.source, event_id = excluded.event_id
         WHERE (excluded.kind = 'MATCHED' AND excluded.marked_at > campaign_mark.marked_at)
            OR (excluded.kind = 'CONVERTED' AND excluded.marked_at < campaign_mark.marked_at)",
    )
    .execute(connection)
    .await
    .map(|_| ())
}

/// Which of these members have done what the campaign works towards; one statement however many.
pub async fn list_converted(
    connection: &impl ConnectionTrait,
    wanted: &[MarkKey],
) -> Result<Vec<Mark>, DbErr> {
    Sql::on(connection, "SELECT mark.* FROM ")
        .rows(keys(wanted.iter().copied()))
        .push(
            " AS wanted CROSS JOIN campaign_mark AS mark WHERE mark.employer_id = wanted.employer_id
             AND mark.campaign_id = wanted.campaign_id AND mark.kind = 'CONVERTED' AND mark.member_id = wanted.member_id",
        )
        .all(connection)
        .await
}

/// At most `limit` of the members of a segment: those of whom an event has happened since an instant, after one member, in the order of
/// their ids.
pub async fn list_matched(
    connection: &impl ConnectionTrait,
    (employer, campaign): (EmployerId, CampaignId),
    (since, until): (Timestamp, Timestamp),
    after: Option<MemberId>,
    limit: u64,
) -> Result<Vec<Mark>, DbErr> {
    let sql = Sql::on(
        connection,
        "SELECT mark.* FROM campaign_mark AS mark WHERE mark.employer_id = ",
    )
    .bind(employer)
    .push(" AND mark.campaign_id = ")
    .bind(campaign)
    .push(" AND mark.kind = 'MATCHED' AND mark.marked_at > ")
    .bind(since)
    .push(" AND mark.marked_at <= ")
    .bind(until);
    let sql = match after {
        None => sql,
        Some(after) => sql.push(" AND mark.member_id > ").bind(after),
    };
    sql.push(" ORDER BY mark.member_id LIMIT ")
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .all(connection)
        .await
}

/// Takes back the marks of these events.
pub async fn take_back(
    connection: &impl ConnectionTrait,
    events: &[(MemberId, Identity)],
) -> Result<u64, DbErr> {
    let rows = Rows::new()
        .id("employer_id", events.iter().map(|(_, event)| event.employer_id))
        .id("member_id", events.iter().map(|(member, _)| *member))
        .text("source", events.iter().map(|(_, event)| event.source.as_str()))
        .text(
            "event_id",
            events.iter().map(|(_, event)| event.event_id.as_str()),
        );
    Sql::on(
        connection,
        "DELETE FROM campaign_mark WHERE (employer_id, campaign_id, kind, member_id) IN
         (SELECT mark.employer_id, mark.campaign_id, mark.kind, mark.member_id FROM ",
    )
    .rows(rows)
    .push(
        " AS gone CROSS JOIN campaign_mark AS mark WHERE mark.employer_id = gone.employer_id AND mark.member_id = gone.member_id
         AND mark.source = gone.source AND mark.event_id = gone.event_id)",
    )
    .execute(connection)
    .await
}

/// Deletes at most `limit` marks of a segment that are older than any run will ask for.
pub async fn purge_matched(
    connection: &impl ConnectionTrait,
    (employer, campaign): (EmployerId, CampaignId),
    before: Timestamp,
    limit: u64,
) -> Result<u64, DbErr> {
    Sql::on(
        connection,
        "DELETE FROM campaign_mark WHERE (employer_id, campaign_id, kind, member_id) IN
         (SELECT employer_id, campaign_id, kind, member_id FROM campaign_mark WHERE employer_id = ",
    )
    .bind(employer)
    .push(" AND campaign_id = ")
    .bind(campaign)
    .push(" AND kind = 'MATCHED' AND marked_at < ")
    .bind(before)
    .push(" LIMIT ")
    .bind(i64::try_from(limit).unwrap_or(i64::MAX))
    .push(")")
    .execute(connection)
    .await
}

/// Forgets what campaigns remember of the member.
pub async fn forget_member(
    connection: &impl ConnectionTrait,
    employer: EmployerId,
    member: MemberId,
) -> Result<u64, DbErr> {
    sql::delete_of_member(connection, "campaign_mark", (employer, member)).await
}

fn keys(keys: impl Iterator<Item = MarkKey> + Clone) -> Rows {
    Rows::new()
        .id("employer_id", keys.clone().map(|(employer, ..)| employer))
        .id("campaign_id", keys.clone().map(|(_, campaign, _)| campaign))
        .id("member_id", keys.map(|(.., member)| member))
}
