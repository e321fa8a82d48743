//! What members have consented to.
//!
//! A member's own word stands above the employer's default; a word about one partner stands above the word about all of them.

use std::collections::{BTreeSet, HashMap};

use sea_orm::FromQueryResult;
use sea_orm::entity::prelude::*;

use crate::clock::Timestamp;
use crate::db::sql::{self, Rows, Sql};
use crate::id::{EmployerId, MemberId, PartnerId};
use crate::text_enum;

text_enum! {
    /// What a consent is for.
    Purpose {
        /// Partners may learn of what the member achieves.
        PartnerSharing = "PARTNER_SHARING",
        /// The member may be mailed.
        Email = "EMAIL",
    }
}

/// A member's word. The table has no primary key that is never null, so it is read and written by statements only.
#[derive(Debug, Clone, PartialEq, Eq, FromQueryResult)]
pub struct Consent {
    /// The employer.
    pub employer_id: EmployerId,
    /// The member.
    pub member_id: MemberId,
    /// What for.
    pub purpose: Purpose,
    /// Which partner; none: all of them.
    pub partner_id: Option<PartnerId>,
    /// Yes or no.
    pub given: bool,
    /// The version of the wording that it is the answer to; none: nobody has said.
    pub wording: Option<String>,
    /// Since when.
    pub recorded_at: Timestamp,
}

/// Records what members have said; a later word replaces an earlier one. The words of one call must be about different things.
pub async fn record(connection: &impl ConnectionTrait, consents: &[Consent]) -> Result<(), DbErr> {
    let (for_all, for_one): (Vec<_>, Vec<_>) =
        consents.iter().partition(|consent| consent.partner_id.is_none());
    for (consents, target) in [
        (
            for_all,
            "(employer_id, member_id, purpose) WHERE partner_id IS NULL",
        ),
        (
            for_one,
            "(employer_id, member_id, purpose, partner_id) WHERE partner_id IS NOT NULL",
        ),
    ] {
        if consents.is_empty() {
            continue;
        }
        let rows = rows(consents.iter().copied());
        Sql::on(
            connection,
            "INSERT INTO consent (employer_id, member_id, purpose, partner_id, given, wording, recorded_at)
             SELECT employer_id, member_id, purpose, partner_id, given, wording, recorded_at FROM ",
        )
        .rows(rows)
        .push(" AS fresh WHERE true ON CONFLICT ")
        .push(target)
        .push(
            " DO UPDATE SET given = excluded.given, wording = excluded.wording, recorded_at = excluded.recorded_at
             WHERE consent.given <> excluded.given OR consent.wording IS DISTINCT FROM excluded.wording",
        )
        .execute(connection)
        .await?;
    }
    remember(connection, consents).await
}

fn rows<'a>(consents: impl Iterator<Item = &'a Consent> + Clone) -> Rows {
    let of = || consents.clone();
    Rows::new()
        .id("employer_id", of().map(|consent| consent.employer_id))
        .id("member_id", of().map(|consent| consent.member_id))
        .text("purpose", of().map(|consent| consent.purpose.as_str()))
        .id_or_null("partner_id", of().map(|consent| consent.partner_id))
        .bool("given", of().map(|consent| consent.given))
        .text_or_null("wording", of().map(|consent| consent.wording.clone()))
        .int("recorded_at", of().map(|consent| consent.recorded_at.0))
}

#[derive(FromQueryResult)]
struct Newest {
    member_id: MemberId,
    number: i64,
}

/// Adds words to the history of their members, whom the caller has locked.
async fn remember(connection: &impl ConnectionTrait, consents: &[Consent]) -> Result<(), DbErr> {
    let members: BTreeSet<_> = consents
        .iter()
        .map(|consent| (consent.employer_id, consent.member_id))
        .collect();
    let wanted = Rows::new()
        .id("employer_id", members.iter().map(|(employer, _)| *employer))
        .id("member_id", members.iter().map(|(_, member)| *member));
    let newest: Vec<Newest> = Sql::on(
        connection,
        "SELECT word.member_id, MAX(word.number) AS number FROM ",
    )
    .rows(wanted)
    .push(
        " AS wanted JOIN consent_word AS word ON word.employer_id = wanted.employer_id AND word.member_id = wanted.member_id
         GROUP BY word.member_id",
    )
    .all(connection)
    .await?;
    let mut newest: HashMap<MemberId, i64> = newest
        .into_iter()
        .map(|row| (row.member_id, row.number))
        .collect();
    let numbers: Vec<i64> = consents
        .iter()
        .map(|consent| {
            let number = newest.entry(consent.member_id).or_default();
            *number += 1;
            *number
        })
        .collect();
    let rows = rows(consents.iter()).int("number", numbers);
    Sql::on(
        connection,
        "INSERT INTO consent_word (employer_id, member_id, number, purpose, partner_id, given, wording, recorded_at)
         SELECT employer_id, member_id, number, purpose, partner_id, given, wording, recorded_at FROM ",
    )
    .rows(rows)
    .push(" AS fresh")
    .execute(connection)
    .await
    .map(|_| ())
}

/// All that a member has ever said, newest first.
pub async fn history(
    connection: &impl ConnectionTrait,
    employer: EmployerId,
    member: MemberId,
) -> Result<Vec<Consent>, DbErr> {
    Sql::on(
        connection,
        "SELECT employer_id, member_id, purpose, partner_id, given, wording, recorded_at FROM consent_word WHERE employer_id = ",
    )
    .bind(employer)
    .push(" AND member_id = ")
    .bind(member)
    .push(" ORDER BY number DESC")
    .all(connection)
    .await
}

/// The word of a history, newest first, by which a partner could or could not be told something at an instant; none: the employer's
/// default was in force. The history may hold more than the words: `word` says where they are.
pub fn in_force<W>(
    history: &[W],
    word: impl Fn(&W) -> &Consent,
    partner: PartnerId,
    at: Timestamp,
) -> Option<&W> {
    let said = |about: Option<PartnerId>| {
        history.iter().find(|item| {
            let word = word(item);
            word.purpose == Purpose::PartnerSharing && word.partner_id == about && word.recorded_at <= at
        })
    };
    said(Some(partner)).or_else(|| said(None))
}

/// What these members have said for one purpose; one statement however many.
pub async fn list(
    connection: &impl ConnectionTrait,
    purpose: Purpose,
    members: &[(EmployerId, MemberId)],
) -> Result<Vec<Consent>, DbErr> {
    let rows = Rows::new()
        .id("employer_id", members.iter().map(|(employer, _)| *employer))
        .id("member_id", members.iter().map(|(_, member)| *member));
    Sql::on(connection, "SELECT consent.* FROM ")
        .rows(rows)
        .push(" AS wanted JOIN consent ON consent.employer_id = wanted.employer_id AND consent.member_id = wanted.member_id AND consent.purpose = ")
        .bind(purpose.as_str())
        .all(connection)
        .await
}

/// Forgets what the member has said.
pub async fn forget_member(
    connection: &impl ConnectionTrait,
    employer: EmployerId,
    member: MemberId,
) -> Result<u64, DbErr> {
    sql::delete_of_member(connection, "consent_word", (employer, member)).await?;
    sql::delete_of_member(connection, "consent", (employer, member)).await
}

/// Whether a member's words and the employer's default together allow sharing with a partner.
pub fn allows(words: &[&Consent], partner: PartnerId, default: bool) -> bool {
    let said = |about: Option<PartnerId>| {
        words
            .iter()
            .find(|word| word.partner_id == about)
            .map(|word| word.given)
    };
    said(Some(partner)).or_else(|| said(None)).unwrap_or(default)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::TypedId;

    fn word(partner: Option<PartnerId>, given: bool) -> Consent {
        Consent {
            employer_id: EmployerId::from_uuid(uuid::Uuid::from_u128(1)),
            member_id: MemberId::from_uuid(uuid::Uuid::from_u128(2)),
            purpose: Purpose::PartnerSharing,
            partner_id: partner,
            given,
            wording: None,
            recorded_at: Timestamp(0),
        }
    }

    #[test]
    fn what_was_said_later_was_not_in_force_before() {
        let one = PartnerId::from_uuid(uuid::Uuid::from_u128(3));
        let at = |word: Consent, instant| Consent {
            recorded_at: Timestamp(instant),
            ..word
        };
        let history = [
            at(word(Some(one), false), 30),
            at(word(None, false), 20),
            at(word(None, true), 10),
        ];
        let given = |instant| in_force(&history, |word| word, one, Timestamp(instant)).map(|word| word.given);
        assert_eq!(
            [9, 10, 20, 30].map(given),
            [None, Some(true), Some(false), Some(false)]
        );
    }

    #[test]
    fn the_word_about_one_partner_stands_above_the_word_about_all_and_that_above_the_default() {
        let one = PartnerId::from_uuid(uuid::Uuid::from_u128(3));
        let other = PartnerId::from_uuid(uuid::Uuid::from_u128(4));
        let (no_to_all, yes_to_one) = (word(None, false), word(Some(one), true));
        assert!(allows(&[], one, true));
        assert!(!allows(&[], one, false));
        assert!(!allows(&[&no_to_all], one, true));
        assert!(allows(&[&no_to_all, &yes_to_one], one, false));
        assert!(!allows(&[&no_to_all, &yes_to_one], other, true));
    }
}
