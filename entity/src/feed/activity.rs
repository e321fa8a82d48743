//! The feed of an employer's own: what its members achieve and ask for, for its own backend, which acts for them.
//!
//! It is written and read like a partner's ([`crate::partner::own_feed`] says where), but it names members as the employer does, and it
//! can be read for one member alone: by the positions of the whole feed, and so with holes.

use sea_orm::{ConnectionTrait, DbErr};

use super::{COLUMNS, Entry, JOINED, Row, of};
use crate::db::sql::Sql;
use crate::id::{EmployerId, FeedEntryId, MemberId, PartnerId};
use crate::partner::own_feed;
use crate::partner::pairwise::PairwiseIds;

/// So many positions are looked through one by one: whoever follows a member live has fewer of them to look at. In more of them the
/// member's entries are looked up by what the member has achieved.
const FEW: i64 = 500;

/// The entries about a member in the employer's own feed, after one position and up to another, in order, at most `limit`.
pub async fn list_of_member(
    connection: &impl ConnectionTrait,
    (employer, member): (EmployerId, MemberId),
    (after, through): (i64, i64),
    limit: u64,
) -> Result<Vec<Entry>, DbErr> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let feed = own_feed(employer);
    let sql = if through.saturating_sub(after) <= FEW {
        about(of(connection, feed), member)
            .push(" AND feed_entry.position > ")
            .bind(after)
            .push(" AND feed_entry.position <= ")
            .bind(through)
    } else {
        let sql = Sql::on(connection, COLUMNS).push("(");
        let sql = places(sql, "achievement", (employer, member), (after, through)).push(" UNION ALL ");
        places(sql, "redemption", (employer, member), (after, through))
            .push(" ORDER BY place LIMIT ")
            .bind(limit)
            // A cross join, so that SQLite looks each of them up, whatever its statistics say.
            .push(") AS wanted CROSS JOIN feed_entry")
            .push(JOINED)
            .bind(feed)
            .push(" AND feed_entry.position = wanted.place")
    };
    let rows: Vec<Row> = sql
        .push(" ORDER BY feed_entry.position LIMIT ")
        .bind(limit)
        .all(connection)
        .await?;
    let ids = PairwiseIds::plain();
    rows.into_iter().map(|row| row.entry(&ids)).collect()
}

/// The entry of this id in the employer's own feed; of one member alone, if so wished.
pub async fn find(
    connection: &impl ConnectionTrait,
    employer: EmployerId,
    member: Option<MemberId>,
    id: FeedEntryId,
) -> Result<Option<Entry>, DbErr> {
    let sql = of(connection, own_feed(employer))
        .push(" AND feed_entry.id = ")
        .bind(id);
    let sql = match member {
        Some(member) => about(sql, member),
        None => sql,
    };
    let row: Option<Row> = sql.one(connection).await?;
    row.map(|row| row.entry(&PairwiseIds::plain())).transpose()
}

/// Only what is about this member.
fn about(sql: Sql, member: MemberId) -> Sql {
    sql.push(" AND (achievement.member_id = ")
        .bind(member)
        .push(" OR redemption.member_id = ")
        .bind(member)
        .push(")")
}

/// The places of the entries about what the member has in this table.
fn places(
    sql: Sql,
    table: &'static str,
    (employer, member): (EmployerId, MemberId),
    (after, through): (i64, i64),
) -> Sql {
    let feed: PartnerId = own_feed(employer);
    sql.push("SELECT feed_entry.position AS place FROM ")
        .push(table)
        .push(" AS about CROSS JOIN feed_entry WHERE feed_entry.employer_id = about.employer_id AND feed_entry.")
        .push(table)
        .push("_id = about.id AND about.employer_id = ")
        .bind(employer)
        .push(" AND about.member_id = ")
        .bind(member)
        .push(" AND feed_entry.partner_id = ")
        .bind(feed)
        .push(" AND feed_entry.position > ")
        .bind(after)
        .push(" AND feed_entry.position <= ")
        .bind(through)
}
