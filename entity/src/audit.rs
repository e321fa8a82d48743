//! The audit log: every change that somebody with a token has made, in one chain an employer.
//!
//! An entry's hash is over the hash before it and all that the entry says, so whoever has noted the newest hash can prove later that
//! nothing before it was changed, left out or put in; `check` follows the chains. The database refuses to change or delete an entry.
//! Who it is about is the one thing that can go: a member is in it by a salted digest, and what the digest is of is forgotten when the
//! member is erased.

mod chain;

use std::collections::HashMap;

use sea_orm::FromQueryResult;
use sea_orm::entity::prelude::*;

use crate::clock::Timestamp;
use crate::db::sql::{Rows, Sql};
use crate::id::{AuditPlace, EmployerId, Ids, MemberId, TypedId};
use crate::page::{Page, Slice};
use crate::text_enum;

pub use chain::{Fault, verify};

text_enum! {
    /// In whose name a change was made.
    Actor {
        /// The operator's.
        Operator = "OPERATOR",
        /// An employer's.
        Employer = "EMPLOYER",
        /// A partner's.
        Partner = "PARTNER",
        /// A member's own.
        Member = "MEMBER",
    }
}

/// The chain of what is about no employer.
fn chain_of(employer: Option<EmployerId>) -> EmployerId {
    employer.unwrap_or_else(|| EmployerId::from_uuid(Uuid::nil()))
}

/// A change that is to be entered.
#[derive(Debug, Clone)]
pub struct NewEntry {
    /// Whose log; none: the installation's.
    pub employer: Option<EmployerId>,
    /// When, by the employer's clock.
    pub made_at: Timestamp,
    /// When, by the real clock.
    pub recorded_at: Timestamp,
    /// The client of the token.
    pub client_id: String,
    /// In whose name it acts.
    pub actor: Actor,
    /// The mutation.
    pub action: &'static str,
    /// What it was about.
    pub subject: String,
    /// How that was, as JSON; none: it was not there.
    pub before: Option<String>,
    /// How it is now, as JSON; none: it is no more.
    pub after: Option<String>,
    /// The members it was about.
    pub members: Vec<MemberId>,
}

/// An entry.
#[derive(Debug, Clone, FromQueryResult)]
pub struct Entry {
    /// Whose log; zeros: the installation's.
    pub employer_id: EmployerId,
    /// Its place: 1, 2, 3 in each log.
    pub position: i64,
    /// When, by the employer's clock.
    pub made_at: Timestamp,
    /// When, by the real clock.
    pub recorded_at: Timestamp,
    /// The client of the token.
    pub client_id: String,
    /// In whose name it acts.
    pub actor: Actor,
    /// The mutation.
    pub action: String,
    /// What it was about.
    pub subject: String,
    /// How that was, as JSON.
    pub before_json: Option<String>,
    /// How it is now, as JSON.
    pub after_json: Option<String>,
    /// Over the hash before it and all of the above.
    pub hash: Vec<u8>,
}

impl Entry {
    /// Its place as the cursor of a page.
    pub fn place(&self) -> AuditPlace {
        AuditPlace::from_uuid(Uuid::from_u128(u128::from(self.position.unsigned_abs())))
    }
}

/// A member that an entry is about; without its id once it is erased.
#[derive(Debug, Clone, FromQueryResult)]
struct About {
    employer_id: EmployerId,
    position: i64,
    place: i32,
    member_id: Option<MemberId>,
    salt: Option<Vec<u8>>,
    digest: Vec<u8>,
}

#[derive(FromQueryResult)]
struct Head {
    employer_id: EmployerId,
    position: i64,
    hash: Vec<u8>,
}

/// Enters a change. From here to the end of the transaction every other change of the same employer waits, so it is done when nothing
/// but the partners' feeds is left to write.
pub async fn append(connection: &impl ConnectionTrait, ids: &Ids, entry: NewEntry) -> Result<(), DbErr> {
    let chain = chain_of(entry.employer);
    Sql::on(
        connection,
        "INSERT INTO audit_head (employer_id, position, hash) VALUES (",
    )
    .bind(chain)
    .push(", 0, ")
    .bind(Vec::<u8>::new())
    .push(") ON CONFLICT (employer_id) DO NOTHING")
    .execute(connection)
    .await?;
    let head: Option<Head> = Sql::on(
        connection,
        "SELECT employer_id, position, hash FROM audit_head WHERE employer_id = ",
    )
    .bind(chain)
    .either("", " FOR NO KEY UPDATE")
    .one(connection)
    .await?;
    let head = head.ok_or_else(|| DbErr::RecordNotFound("an audit log has no head".to_owned()))?;
    let position = head.position + 1;
    let about: Vec<About> = (0..)
        .zip(&entry.members)
        .map(|(place, member)| {
            let mut salt = vec![0; 16];
            ids.fill(&mut salt);
            About {
                employer_id: chain,
                position,
                place,
                member_id: Some(*member),
                digest: chain::digest_of(&salt, *member),
                salt: Some(salt),
            }
        })
        .collect();
    let mut row = Entry {
        employer_id: chain,
        position,
        made_at: entry.made_at,
        recorded_at: entry.recorded_at,
        client_id: entry.client_id,
        actor: entry.actor,
        action: entry.action.to_owned(),
        subject: entry.subject,
        before_json: entry.before,
        after_json: entry.after,
        hash: Vec::new(),
    };
    row.hash = chain::hash(&head.hash, &row, about.iter().map(|row| row.digest.as_slice()));
    insert(connection, &row).await?;
    if !about.is_empty() {
        insert_about(connection, &about).await?;
    }
    Sql::on(connection, "UPDATE audit_head SET position = ")
        .bind(position)
        .push(", hash = ")
        .bind(row.hash)
        .push(" WHERE employer_id = ")
        .bind(chain)
        .execute(connection)
        .await
        .map(|_| ())
}

async fn insert(connection: &impl ConnectionTrait, row: &Entry) -> Result<(), DbErr> {
    Sql::on(
        connection,
        "INSERT INTO audit_entry (employer_id, position, made_at, recorded_at, client_id, actor, action, subject, before_json, after_json, hash) VALUES (",
    )
    .bind(row.employer_id)
    .push(", ")
    .bind(row.position)
    .push(", ")
    .bind(row.made_at)
    .push(", ")
    .bind(row.recorded_at)
    .push(", ")
    .bind(row.client_id.as_str())
    .push(", ")
    .bind(row.actor.as_str())
    .push(", ")
    .bind(row.action.as_str())
    .push(", ")
    .bind(row.subject.as_str())
    .push(", ")
    .bind(row.before_json.clone())
    .push(", ")
    .bind(row.after_json.clone())
    .push(", ")
    .bind(row.hash.clone())
    .push(")")
    .execute(connection)
    .await
    .map(|_| ())
}

async fn insert_about(connection: &impl ConnectionTrait, rows: &[About]) -> Result<(), DbErr> {
    let bound = Rows::new()
        .id("employer_id", rows.iter().map(|row| row.employer_id))
        .int("position", rows.iter().map(|row| row.position))
        .int("place", rows.iter().map(|row| i64::from(row.place)))
        .id_or_null("member_id", rows.iter().map(|row| row.member_id))
        .bytes_or_null("salt", rows.iter().map(|row| row.salt.clone()))
        .bytes("digest", rows.iter().map(|row| row.digest.clone()));
    Sql::on(
        connection,
        "INSERT INTO audit_member (employer_id, position, place, member_id, salt, digest)
         SELECT employer_id, position, place, member_id, salt, digest FROM ",
    )
    .rows(bound)
    .push(" AS fresh")
    .execute(connection)
    .await
    .map(|_| ())
}

/// A page of a log, newest first; without an employer of the installation's.
pub async fn list(
    connection: &impl ConnectionTrait,
    employer: Option<EmployerId>,
    page: Page<AuditPlace>,
) -> Result<Slice<Entry>, DbErr> {
    let after = page.after.map_or(i64::MAX, |place| {
        i64::try_from(place.uuid().as_u128()).unwrap_or(i64::MAX)
    });
    let mut rows: Vec<Entry> = Sql::on(connection, "SELECT * FROM audit_entry WHERE employer_id = ")
        .bind(chain_of(employer))
        .push(" AND position < ")
        .bind(after)
        .push(" ORDER BY position DESC LIMIT ")
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

/// The members that these entries of one log are about, by position; none in the place of one that is erased.
pub async fn members(
    connection: &impl ConnectionTrait,
    entries: &[Entry],
) -> Result<HashMap<i64, Vec<Option<MemberId>>>, DbErr> {
    let mut found: HashMap<i64, Vec<Option<MemberId>>> = HashMap::new();
    for row in about(connection, entries).await? {
        found.entry(row.position).or_default().push(row.member_id);
    }
    Ok(found)
}

async fn about(connection: &impl ConnectionTrait, entries: &[Entry]) -> Result<Vec<About>, DbErr> {
    let wanted = Rows::new()
        .id("employer_id", entries.iter().map(|entry| entry.employer_id))
        .int("position", entries.iter().map(|entry| entry.position));
    Sql::on(connection, "SELECT audit_member.* FROM ")
        .rows(wanted)
        .push(
            " AS wanted CROSS JOIN audit_member WHERE audit_member.employer_id = wanted.employer_id
             AND audit_member.position = wanted.position ORDER BY audit_member.position, audit_member.place",
        )
        .all(connection)
        .await
}

/// Takes the member out of the entries about it.
pub async fn forget_member(
    connection: &impl ConnectionTrait,
    employer: EmployerId,
    member: MemberId,
) -> Result<u64, DbErr> {
    Sql::on(
        connection,
        "UPDATE audit_member SET member_id = NULL, salt = NULL WHERE employer_id = ",
    )
    .bind(employer)
    .push(" AND member_id = ")
    .bind(member)
    .execute(connection)
    .await
}
