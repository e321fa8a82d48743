//! Messages: one campaign, one member, one cause.
//!
//! A message is due at an instant. Whoever takes it decides under the lock of its member whether it goes: then it is *reserved*, takes a
//! place of its caps, and bears a lease. Right before a mail server is spoken to it is marked as *being sent*, and afterwards settled by
//! the holder of the lease. A lease that ends leaves a reserved message to be decided anew, as nothing was handed over; of one that was
//! being sent nobody knows what came of it, and it stays *unknown* until a person decides.

pub mod read;

use chrono::NaiveDate;
use sea_orm::FromQueryResult;
use sea_orm::entity::prelude::*;

use crate::clock::Timestamp;
use crate::db::sql::{Rows, Sql};
use crate::id::{AchievementId, CampaignId, EmployerId, MemberId, MessageId};
use crate::text_enum;

text_enum! {
    /// Where a message stands.
    MessageState {
        /// It is still to be decided.
        Pending = "PENDING",
        /// It is to be sent, and somebody is at it.
        Reserved = "RESERVED",
        /// It is being handed to a mail server.
        Sending = "SENDING",
        /// A mail server has taken it.
        Sent = "SENT",
        /// It is not sent.
        Dropped = "DROPPED",
        /// The mail server has refused it for good.
        Failed = "FAILED",
        /// Nobody knows whether the mail server has taken it.
        Unknown = "UNKNOWN",
    }
}

text_enum! {
    /// What a message waits for that is not decided at once.
    WaitsFor {
        /// The end of the quiet hours.
        QuietHours = "QUIET_HOURS",
        /// The next period of a cap.
        Cap = "CAP",
        /// The mail server, which did not take it for now.
        Server = "SERVER",
    }
}

text_enum! {
    /// Why a message was not sent.
    NotSent {
        /// The campaign is over.
        Archived = "ARCHIVED",
        /// The award behind it no longer holds.
        Revoked = "REVOKED",
        /// The member was erased.
        Erased = "ERASED",
        /// The member is not eligible any more.
        NotEligible = "NOT_ELIGIBLE",
        /// No address of the member is known.
        NoAddress = "NO_ADDRESS",
        /// The address is not written to any more.
        Suppressed = "SUPPRESSED",
        /// The member has not consented, or has unsubscribed.
        NoConsent = "NO_CONSENT",
        /// The member has done what the campaign works towards.
        Converted = "CONVERTED",
        /// The member belongs to those who get nothing, to compare with.
        HeldOut = "HELD_OUT",
        /// The member had as many as it is to get in the period.
        Cap = "CAP",
        /// Its time was over before it could be sent.
        Expired = "EXPIRED",
        /// The mail server has refused it for good.
        Refused = "REFUSED",
        /// Its templates could not be rendered.
        Unrenderable = "UNRENDERABLE",
    }
}

/// A message.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "message")]
pub struct Model {
    /// The employer.
    #[sea_orm(primary_key, auto_increment = false)]
    pub employer_id: EmployerId,
    /// The message itself.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: MessageId,
    /// What it says.
    pub campaign_id: CampaignId,
    /// To whom.
    pub member_id: MemberId,
    /// What brought it about: [`cause_of_award`] or [`cause_of_run`].
    pub cause: String,
    /// The award that brought it about, if one did.
    pub achievement_id: Option<AchievementId>,
    /// Whether that is nobody's business but the member's.
    pub sensitive: bool,
    /// When it was brought about.
    pub triggered_at: Timestamp,
    /// When its time is over.
    pub expires_at: Timestamp,
    /// The type of the event behind it, while it is kept.
    pub event_type: Option<String>,
    /// The properties of that event, a JSON object, while they are kept.
    pub event_properties: Option<String>,
    /// Where it stands.
    pub state: MessageState,
    /// When somebody is to look at it, by the employer's clock; none: it is settled.
    pub due_at: Option<Timestamp>,
    /// What it waits for, where it could not be decided at once.
    pub waits_for: Option<WaitsFor>,
    /// Why it was not sent.
    pub reason: Option<NotSent>,
    /// Whose turn it is.
    pub lease: Option<i64>,
    /// How often it was handed to a mail server.
    pub tries: i64,
    /// The category in whose caps it takes a place.
    pub slot_category: Option<String>,
    /// The local date of the member on which it does.
    pub slot_on: Option<NaiveDate>,
    /// What the mail server has answered.
    pub answer: Option<i64>,
    /// What makes its links nobody else's.
    pub token: Vec<u8>,
    /// When it was settled.
    pub settled_at: Option<Timestamp>,
    /// When the member did what the campaign works towards, in time to be counted.
    pub converted_at: Option<Timestamp>,
}

impl ActiveModelBehavior for ActiveModel {}

/// The cause of what an award brings about.
pub fn cause_of_award(award: AchievementId) -> String {
    format!("award:{award}")
}

/// The cause of what a run of a schedule brings about.
pub fn cause_of_run(at: Timestamp) -> String {
    format!("run:{}", at.instant().to_rfc3339())
}

/// A message's own key.
pub type Key = (EmployerId, MessageId);

fn key_rows(wanted: &[Key]) -> Rows {
    Rows::new()
        .id("employer_id", wanted.iter().map(|(employer, _)| *employer))
        .id("id", wanted.iter().map(|(_, id)| *id))
}

/// Writes new messages; where one of the same campaign, member and cause is there already, nothing happens. Says how many are new.
pub async fn insert_new(connection: &impl ConnectionTrait, messages: &[Model]) -> Result<u64, DbErr> {
    let keys: Vec<Key> = messages.iter().map(|row| (row.employer_id, row.id)).collect();
    let rows = key_rows(&keys)
        .id("campaign_id", messages.iter().map(|row| row.campaign_id))
        .id("member_id", messages.iter().map(|row| row.member_id))
        .text("cause", messages.iter().map(|row| row.cause.as_str()))
        .id_or_null("achievement_id", messages.iter().map(|row| row.achievement_id))
        .bool("sensitive", messages.iter().map(|row| row.sensitive))
        .int("triggered_at", messages.iter().map(|row| row.triggered_at.0))
        .int("expires_at", messages.iter().map(|row| row.expires_at.0))
        .text_or_null("event_type", messages.iter().map(|row| row.event_type.clone()))
        .text_or_null(
            "event_properties",
            messages.iter().map(|row| row.event_properties.clone()),
        )
        .int_or_null("due_at", messages.iter().map(|row| row.due_at.map(|at| at.0)))
        .bytes("token", messages.iter().map(|row| row.token.clone()));
    Sql::on(
        connection,
        "INSERT INTO message (employer_id, id, campaign_id, member_id, cause, achievement_id, sensitive, triggered_at, expires_at,
           event_type, event_properties, state, due_at, tries, token)
         SELECT employer_id, id, campaign_id, member_id, cause, achievement_id, sensitive, triggered_at, expires_at,
           event_type, event_properties, 'PENDING', due_at, 0, token FROM ",
    )
    .rows(rows)
    .push(" AS fresh WHERE true ON CONFLICT DO NOTHING")
    .execute(connection)
    .await
}

/// A message that somebody is to look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, FromQueryResult)]
pub struct Due {
    /// The employer.
    pub employer_id: EmployerId,
    /// The message.
    pub id: MessageId,
}

/// At most `limit` messages that are due, the longest due first, by the clock of their employer: a sandbox's is ahead.
pub async fn list_due(
    connection: &impl ConnectionTrait,
    now: Timestamp,
    limit: u64,
) -> Result<Vec<Due>, DbErr> {
    let limit = limit.to_string();
    // What is past by the real clock is past for everyone, and the index finds it; only sandboxes are then looked through. The halves
    // share no row.
    Sql::on(
        connection,
        "SELECT due.employer_id, due.id FROM (SELECT * FROM (SELECT employer_id, id, due_at FROM message WHERE due_at <= ",
    )
    .bind(now)
    .push(" ORDER BY due_at LIMIT ")
    .push(&limit)
    .push(
        ") AS past UNION ALL SELECT employer_id, id, due_at FROM
         (SELECT id AS sandbox_id, clock_offset_micros FROM employer WHERE clock_offset_micros > 0) AS sandbox
         CROSS JOIN message WHERE employer_id = sandbox_id AND due_at > ",
    )
    .bind(now)
    .push(" AND due_at <= ")
    .bind(now)
    .push(" + clock_offset_micros) AS due ORDER BY due.due_at LIMIT ")
    .push(&limit)
    .all(connection)
    .await
}

/// Lets what a campaign has still to decide be decided now: what a pause has put off until its time is over.
pub async fn hasten(
    connection: &impl ConnectionTrait,
    (employer, campaign): (EmployerId, CampaignId),
    now: Timestamp,
) -> Result<u64, DbErr> {
    Sql::on(connection, "UPDATE message SET due_at = ")
        .bind(now)
        .push(" WHERE employer_id = ")
        .bind(employer)
        .push(" AND campaign_id = ")
        .bind(campaign)
        // Those too that are due anyway: whoever is deciding one of them as of a paused campaign is waited for.
        .push(" AND state = 'PENDING' AND waits_for IS NULL")
        .execute(connection)
        .await
}

/// Takes the locks of these messages and reads them; those that somebody else is at are left out. Messages are locked before their
/// members.
pub async fn lock(connection: &impl ConnectionTrait, wanted: &[Due]) -> Result<Vec<Model>, DbErr> {
    let keys: Vec<Key> = wanted.iter().map(|due| (due.employer_id, due.id)).collect();
    Sql::on(connection, "SELECT message.* FROM ")
        .rows(key_rows(&keys))
        .push(
            " AS wanted JOIN message ON message.employer_id = wanted.employer_id AND message.id = wanted.id",
        )
        .either("", " FOR UPDATE OF message SKIP LOCKED")
        .all(connection)
        .await
}

/// Places taken by a member on a local date.
#[derive(Debug, Clone, PartialEq, Eq, FromQueryResult)]
pub struct Slots {
    /// The employer.
    pub employer_id: EmployerId,
    /// The member.
    pub member_id: MemberId,
    /// In the caps of which category.
    pub slot_category: String,
    /// The local date.
    pub slot_on: NaiveDate,
    /// How many.
    pub count: i64,
}

/// The places that these members have taken of their caps since a local date; one statement however many. The caller holds the locks of
/// the members.
pub async fn list_slots(
    connection: &impl ConnectionTrait,
    members: &[(EmployerId, MemberId)],
    since: NaiveDate,
) -> Result<Vec<Slots>, DbErr> {
    let rows = Rows::new()
        .id("employer_id", members.iter().map(|(employer, _)| *employer))
        .id("member_id", members.iter().map(|(_, member)| *member));
    Sql::on(
        connection,
        "SELECT message.employer_id, message.member_id, message.slot_category, message.slot_on, count(*) AS count FROM ",
    )
    .rows(rows)
    // A cross join, so that SQLite looks each of them up instead of reading the whole table, whatever its statistics say.
    .push(
        " AS wanted CROSS JOIN message WHERE message.employer_id = wanted.employer_id AND message.member_id = wanted.member_id
         AND message.slot_on >= ",
    )
    .bind(since)
    .push(" GROUP BY message.employer_id, message.member_id, message.slot_category, message.slot_on")
    .all(connection)
    .await
}

/// What was decided of messages that the caller has locked: writes of each its state, when it is due, what it waits for, why it is not
/// sent, its lease, its place, when it was settled; of one that is dropped the event is forgotten.
pub async fn decide(connection: &impl ConnectionTrait, decided: &[Model]) -> Result<(), DbErr> {
    write(connection, key_rows(&keys_of(decided)), decided, "")
        .await
        .map(|_| ())
}

fn keys_of(rows: &[Model]) -> Vec<Key> {
    rows.iter().map(|row| (row.employer_id, row.id)).collect()
}

async fn write(
    connection: &impl ConnectionTrait,
    keys: Rows,
    rows: &[Model],
    only: &str,
) -> Result<Vec<Due>, DbErr> {
    let columns = keys
        .text("state", rows.iter().map(|row| row.state.as_str()))
        .int_or_null("due_at", rows.iter().map(|row| row.due_at.map(|at| at.0)))
        .text_or_null(
            "waits_for",
            rows.iter()
                .map(|row| row.waits_for.map(|what| what.as_str().to_owned())),
        )
        .text_or_null(
            "reason",
            rows.iter()
                .map(|row| row.reason.map(|why| why.as_str().to_owned())),
        )
        .int_or_null("lease", rows.iter().map(|row| row.lease))
        .int("tries", rows.iter().map(|row| row.tries))
        .text_or_null("slot_category", rows.iter().map(|row| row.slot_category.clone()))
        .text_or_null(
            "slot_on",
            rows.iter().map(|row| row.slot_on.map(|day| day.to_string())),
        )
        .int_or_null("answer", rows.iter().map(|row| row.answer))
        .int_or_null("settled_at", rows.iter().map(|row| row.settled_at.map(|at| at.0)))
        .text_or_null("event_type", rows.iter().map(|row| row.event_type.clone()))
        .text_or_null(
            "event_properties",
            rows.iter().map(|row| row.event_properties.clone()),
        );
    Sql::on(
        connection,
        "UPDATE message SET state = fresh.state, due_at = fresh.due_at, waits_for = fresh.waits_for, reason = fresh.reason,
           lease = fresh.lease, tries = fresh.tries, slot_category = fresh.slot_category, answer = fresh.answer,
           settled_at = fresh.settled_at, event_type = fresh.event_type, event_properties = fresh.event_properties, ",
    )
    .either("slot_on = fresh.slot_on", "slot_on = fresh.slot_on::date")
    .push(" FROM ")
    .rows(columns)
    .push(" AS fresh WHERE message.employer_id = fresh.employer_id AND message.id = fresh.id")
    .push(only)
    .push(" RETURNING message.employer_id, message.id")
    .all(connection)
    .await
}

/// Marks a reserved message as being handed to a mail server, until an instant by the employer's clock; false when its lease was lost.
pub async fn begin(
    connection: &impl ConnectionTrait,
    (employer, id): Key,
    lease: i64,
    until: Timestamp,
) -> Result<bool, DbErr> {
    let rows = Sql::on(
        connection,
        "UPDATE message SET state = 'SENDING', tries = tries + 1, due_at = ",
    )
    .bind(until)
    .push(" WHERE employer_id = ")
    .bind(employer)
    .push(" AND id = ")
    .bind(id)
    .push(" AND state = 'RESERVED' AND lease = ")
    .bind(lease)
    .execute(connection)
    .await?;
    Ok(rows == 1)
}

/// Writes what came of messages that somebody was at under these leases, if they still hold; says of which they did. One that became
/// unknown meanwhile keeps its lease, so that whoever was late can still say what came of it.
pub async fn settle(
    connection: &impl ConnectionTrait,
    held: &[i64],
    settled: &[Model],
) -> Result<Vec<Due>, DbErr> {
    let keys = key_rows(&keys_of(settled)).int("held", held.iter().copied());
    let only = " AND message.lease = fresh.held AND message.state IN ('RESERVED', 'SENDING', 'UNKNOWN')";
    write(connection, keys, settled, only).await
}

/// Lets an unknown message be decided anew, because a person says so; false when it is not unknown any more.
pub async fn decide_anew(
    connection: &impl ConnectionTrait,
    (employer, id): Key,
    (now, expires_at): (Timestamp, Timestamp),
) -> Result<bool, DbErr> {
    let rows = Sql::on(
        connection,
        "UPDATE message SET state = 'PENDING', lease = NULL, slot_on = NULL, slot_category = NULL, settled_at = NULL, due_at = ",
    )
    .bind(now)
    .push(", expires_at = ")
    .bind(expires_at)
    .push(" WHERE employer_id = ")
    .bind(employer)
    .push(" AND id = ")
    .bind(id)
    .push(" AND state = 'UNKNOWN'")
    .execute(connection)
    .await?;
    Ok(rows == 1)
}

/// Counts a conversion for the newest message of the campaign that the member got, or would have got, within the campaign's time before
/// it; one that is counted stays. `converted` is whose, when, and since when a message counts.
pub async fn convert(
    connection: &impl ConnectionTrait,
    converted: &[(EmployerId, CampaignId, MemberId, Timestamp, Timestamp)],
) -> Result<u64, DbErr> {
    let rows = Rows::new()
        .id("employer_id", converted.iter().map(|row| row.0))
        .id("campaign_id", converted.iter().map(|row| row.1))
        .id("member_id", converted.iter().map(|row| row.2))
        .int("converted_at", converted.iter().map(|row| row.3.0))
        .int("since", converted.iter().map(|row| row.4.0));
    let counts = "(message.state IN ('SENT', 'UNKNOWN') OR message.reason = 'HELD_OUT')";
    Sql::on(
        connection,
        "UPDATE message SET converted_at = found.converted_at FROM (SELECT message.employer_id, message.id, fresh.converted_at,
           row_number() OVER (PARTITION BY message.employer_id, message.campaign_id, message.member_id ORDER BY message.settled_at DESC) AS place
         FROM ",
    )
    .rows(rows)
    .push(
        " AS fresh CROSS JOIN message WHERE message.employer_id = fresh.employer_id AND message.campaign_id = fresh.campaign_id
           AND message.member_id = fresh.member_id AND message.settled_at <= fresh.converted_at AND message.settled_at > fresh.since AND ",
    )
    .push(counts)
    .push(
        ") AS found WHERE message.employer_id = found.employer_id AND message.id = found.id AND found.place = 1
           AND message.converted_at IS NULL",
    )
    .execute(connection)
    .await
}

/// Drops what is still to be decided of a member, and forgets the events behind its messages.
pub async fn forget_member(
    connection: &impl ConnectionTrait,
    employer: EmployerId,
    member: MemberId,
    at: Timestamp,
) -> Result<u64, DbErr> {
    let mut count = 0;
    let open = "state IN ('PENDING', 'RESERVED')";
    for (set, only) in [
        (
            "state = 'DROPPED', reason = 'ERASED', due_at = NULL, waits_for = NULL, lease = NULL, slot_on = NULL, slot_category = NULL, ",
            open,
        ),
        ("", "event_type IS NOT NULL"),
    ] {
        let sql = Sql::on(connection, "UPDATE message SET ").push(set);
        let sql = if only == open {
            sql.push("settled_at = ").bind(at).push(", ")
        } else {
            sql
        };
        count += sql
            .push("event_type = NULL, event_properties = NULL WHERE employer_id = ")
            .bind(employer)
            .push(" AND member_id = ")
            .bind(member)
            .push(" AND ")
            .push(only)
            .execute(connection)
            .await?;
    }
    Ok(count)
}

/// Deletes at most `limit` messages that were settled before an instant.
pub async fn purge(connection: &impl ConnectionTrait, before: Timestamp, limit: u64) -> Result<u64, DbErr> {
    Sql::on(
        connection,
        "DELETE FROM message WHERE (employer_id, id) IN (SELECT employer_id, id FROM message WHERE settled_at < ",
    )
    .bind(before)
    .push(" LIMIT ")
    .bind(i64::try_from(limit).unwrap_or(i64::MAX))
    .push(")")
    .execute(connection)
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_award_and_a_run_are_different_causes() {
        let run = cause_of_run(Timestamp(0));
        assert_eq!(run, "run:1970-01-01T00:00:00+00:00");
        assert!(!run.starts_with("award:"));
    }
}
