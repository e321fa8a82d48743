//! The chain of hashes: how an entry is bound to all before it, and whether it still is.

use std::collections::HashMap;

use aws_lc_rs::digest::{Context, SHA256};
use aws_lc_rs::hmac;
use sea_orm::{ConnectionTrait, DbErr};

use super::{About, Entry, Head, about};
use crate::db::sql::Sql;
use crate::id::{EmployerId, MemberId, TypedId};

/// Entries read at once while a chain is followed.
const AT_ONCE: i64 = 500;

/// The digest of a member: without the salt nobody can tell by trying which one.
pub(super) fn digest_of(salt: &[u8], member: MemberId) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, salt);
    hmac::sign(&key, member.uuid().as_bytes()).as_ref().to_vec()
}

/// The hash of an entry. Every part is preceded by its length, so that no two entries read alike.
pub(super) fn hash<'a>(before: &[u8], entry: &Entry, members: impl Iterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut context = Context::new(&SHA256);
    let mut part = |bytes: Option<&[u8]>| match bytes {
        None => context.update(&u64::MAX.to_be_bytes()),
        Some(bytes) => {
            context.update(&(bytes.len() as u64).to_be_bytes());
            context.update(bytes);
        }
    };
    part(Some(before));
    part(Some(entry.employer_id.uuid().as_bytes()));
    for number in [entry.position, entry.made_at.0, entry.recorded_at.0] {
        part(Some(&number.to_be_bytes()));
    }
    for text in [
        Some(&entry.client_id),
        Some(&entry.actor.as_str().to_owned()),
        Some(&entry.action),
        Some(&entry.subject),
        entry.before_json.as_ref(),
        entry.after_json.as_ref(),
    ] {
        part(text.map(String::as_bytes));
    }
    for digest in members {
        part(Some(digest));
    }
    context.finish().as_ref().to_vec()
}

/// The first entry of a chain that is not as it was entered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// Whose log; zeros: the installation's.
    pub employer: EmployerId,
    /// Its place.
    pub position: i64,
}

/// Follows every chain from its start, a page at a time, and says how many entries there are and where chains are broken.
pub async fn verify(connection: &impl ConnectionTrait) -> Result<(i64, Vec<Fault>), DbErr> {
    let heads: Vec<Head> = Sql::on(
        connection,
        "SELECT employer_id, position, hash FROM audit_head ORDER BY employer_id",
    )
    .all(connection)
    .await?;
    let (mut entries, mut faults) = (0, Vec::new());
    for head in heads {
        entries += head.position;
        if let Some(position) = broken_at(connection, &head).await? {
            faults.push(Fault {
                employer: head.employer_id,
                position,
            });
        }
    }
    Ok((entries, faults))
}

/// Where a chain is broken first; none: nowhere.
async fn broken_at(connection: &impl ConnectionTrait, head: &Head) -> Result<Option<i64>, DbErr> {
    let (mut position, mut before) = (0, Vec::new());
    loop {
        let entries: Vec<Entry> = Sql::on(connection, "SELECT * FROM audit_entry WHERE employer_id = ")
            .bind(head.employer_id)
            .push(" AND position > ")
            .bind(position)
            .push(" ORDER BY position LIMIT ")
            .bind(AT_ONCE)
            .all(connection)
            .await?;
        if entries.is_empty() {
            let is_whole = position == head.position && before == head.hash;
            return Ok((!is_whole).then_some(position + 1));
        }
        let mut members: HashMap<i64, Vec<About>> = HashMap::new();
        for row in about(connection, &entries).await? {
            members.entry(row.position).or_default().push(row);
        }
        for entry in entries {
            let members = members.remove(&entry.position).unwrap_or_default();
            let digests = members.iter().map(|row| row.digest.as_slice());
            let holds = entry.position == position + 1
                && entry.hash == hash(&before, &entry, digests)
                && members.iter().all(is_of_its_member);
            if !holds {
                return Ok(Some(position + 1));
            }
            position = entry.position;
            before = entry.hash;
        }
    }
}

/// Whether a digest is of the member beside it; of one that is erased nobody can tell any more.
fn is_of_its_member(row: &About) -> bool {
    match (&row.salt, row.member_id) {
        (Some(salt), Some(member)) => digest_of(salt, member) == row.digest,
        (None, None) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::Actor;
    use crate::clock::Timestamp;

    fn entry() -> Entry {
        Entry {
            employer_id: EmployerId::from_uuid(uuid::Uuid::from_u128(1)),
            position: 1,
            made_at: Timestamp(2),
            recorded_at: Timestamp(3),
            client_id: "client".to_owned(),
            actor: Actor::Employer,
            action: "createProgram".to_owned(),
            subject: "wellbeing".to_owned(),
            before_json: None,
            after_json: Some("{}".to_owned()),
            hash: Vec::new(),
        }
    }

    fn plain(entry: &Entry) -> Vec<u8> {
        hash(b"before", entry, [].into_iter())
    }

    #[test]
    fn whatever_an_entry_says_is_in_its_hash() {
        let own = plain(&entry());
        assert_eq!(own, plain(&entry()));
        let changes: [fn(&mut Entry); 9] = [
            |entry| entry.position = 2,
            |entry| entry.made_at = Timestamp(3),
            |entry| entry.recorded_at = Timestamp(4),
            |entry| entry.client_id = "clien".to_owned(),
            |entry| entry.actor = Actor::Operator,
            |entry| entry.action = "tcreateProgram".to_owned(),
            |entry| entry.subject = String::new(),
            |entry| entry.before_json = Some(String::new()),
            |entry| entry.after_json = None,
        ];
        for change in changes {
            let mut other = entry();
            change(&mut other);
            assert_ne!(own, plain(&other), "{other:?}");
        }
        assert_ne!(own, hash(b"other", &entry(), [].into_iter()));
        assert_ne!(own, hash(b"before", &entry(), [b"digest".as_slice()].into_iter()));
    }

    #[test]
    fn what_is_said_in_one_field_cannot_be_moved_to_the_next() {
        let (mut one, mut other) = (entry(), entry());
        (one.action, one.subject) = ("ab".to_owned(), "c".to_owned());
        (other.action, other.subject) = ("a".to_owned(), "bc".to_owned());
        assert_ne!(plain(&one), plain(&other));
    }

    #[test]
    fn a_digest_says_nothing_without_its_salt() {
        let member = MemberId::from_uuid(uuid::Uuid::from_u128(7));
        assert_eq!(digest_of(b"salt", member), digest_of(b"salt", member));
        assert_ne!(digest_of(b"salt", member), digest_of(b"other", member));
    }
}
