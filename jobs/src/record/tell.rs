//! What the partners are told: an entry for each achievement and each partner that may know of it; and one for the employer's own
//! backend, where that listens ([`mod@crate::activity`]).
//!
//! A partner may know when the program is granted to it and the member shares with it, both at the moment of writing. Of a
//! revocation it hears when it has heard of the achievement and may still know.
//!
//! Both are asked under locks, so that whoever is answered that a grant or a consent is revoked knows that no entry follows: of the
//! members, which whoever records consents takes too, and of what is in force of the employers, for which whoever revokes a grant waits
//! ([`entity::employer::stop_awards`]).

use std::collections::{BTreeSet, HashMap, HashSet};

use chrono::{DateTime, Utc};
use entity::achievement;
use entity::consent::{self, Consent, Purpose};
use entity::feed::{self, NewEntry, News};
use entity::grant::{self, Recipient};
use entity::id::{AchievementId, EmployerId, Ids, MemberId, PartnerId, ProgramId};
use entity::partner;
use sea_orm::{ConnectionTrait, DbErr};

use super::Written;
use crate::activity::{self, Happened};
use crate::catalogue::Employers;

/// The entries that tell of achievements.
pub(super) async fn tell(
    connection: &impl ConnectionTrait,
    ids: &Ids,
    employers: &Employers,
    written: &Written,
    now: DateTime<Utc>,
) -> Result<Vec<NewEntry>, DbErr> {
    let is_shown = |row: &&achievement::Model| !row.hidden;
    let all: Vec<&achievement::Model> = written
        .earned
        .iter()
        .chain(&written.revoked)
        .filter(is_shown)
        .collect();
    if all.is_empty() {
        return Ok(Vec::new());
    }
    let mut entries = tell_partners(connection, ids, employers, (written, &all), now).await?;
    entries.extend(tell_employers(connection, ids, employers, written, now).await?);
    Ok(entries)
}

/// The entries that tell employers in feeds of their own: of everything that is shown to the member.
async fn tell_employers(
    connection: &impl ConnectionTrait,
    ids: &Ids,
    employers: &Employers,
    written: &Written,
    now: DateTime<Utc>,
) -> Result<Vec<NewEntry>, DbErr> {
    let earned = written.earned.iter().map(|row| (News::Earned(row.id), row));
    let revoked = written.revoked.iter().map(|row| (News::Revoked(row.id), row));
    let happened = earned.chain(revoked).filter(|(_, row)| !row.hidden);
    let happened: Vec<Happened> = happened
        .filter_map(|(news, row)| {
            Some(Happened {
                feed: employers.activity_feed(row.employer_id)?,
                employer_id: row.employer_id,
                member_id: row.member_id,
                news,
                at: employers.now(row.employer_id, now).into(),
            })
        })
        .collect();
    activity::entries(connection, ids, &happened).await
}

/// The entries that tell partners.
async fn tell_partners(
    connection: &impl ConnectionTrait,
    ids: &Ids,
    employers: &Employers,
    (written, all): (&Written, &[&achievement::Model]),
    now: DateTime<Utc>,
) -> Result<Vec<NewEntry>, DbErr> {
    let is_shown = |row: &&achievement::Model| !row.hidden;
    let programs = distinct(all, |row| (row.employer_id, row.program_id));
    let recipients = grant::recipients(connection, &programs).await?;
    if recipients.is_empty() {
        return Ok(Vec::new());
    }
    let members = distinct(all, |row| (row.employer_id, row.member_id));
    let words = consent::list(connection, Purpose::PartnerSharing, &members).await?;
    let gone: Vec<_> = written
        .revoked
        .iter()
        .map(|row| (row.employer_id, row.id))
        .collect();
    let mut told: HashSet<(AchievementId, PartnerId)> = if gone.is_empty() {
        HashSet::new()
    } else {
        feed::told(connection, &gone).await?.into_iter().collect()
    };
    let audience = Audience::new(&recipients, &words, employers);
    let mut entries = Vec::new();
    for (news, rows) in [
        (News::Earned as fn(AchievementId) -> News, &written.earned),
        (News::Revoked, &written.revoked),
    ] {
        for row in rows.iter().filter(is_shown) {
            for recipient in audience.of(row) {
                let news = news(row.id);
                if matches!(news, News::Earned(_)) {
                    told.insert((row.id, recipient.partner_id));
                } else if !told.contains(&(row.id, recipient.partner_id)) {
                    continue;
                }
                entries.push(entry(ids, employers, recipient, (news, row), now));
            }
        }
    }
    Ok(entries)
}

/// The entries that tell one partner of what was earned before it was granted the program, in the order given: of what it was not told
/// yet, where the member shares with it. The caller holds the locks of the members.
pub(crate) async fn tell_late(
    connection: &impl ConnectionTrait,
    ids: &Ids,
    employers: &Employers,
    (recipient, rows): (&Recipient, &[achievement::Model]),
    now: DateTime<Utc>,
) -> Result<Vec<NewEntry>, DbErr> {
    let all: Vec<&achievement::Model> = rows.iter().collect();
    let members = distinct(&all, |row| (row.employer_id, row.member_id));
    let words = consent::list(connection, Purpose::PartnerSharing, &members).await?;
    let wanted: Vec<_> = rows.iter().map(|row| (row.employer_id, row.id)).collect();
    let told: HashSet<(AchievementId, PartnerId)> =
        feed::told(connection, &wanted).await?.into_iter().collect();
    let recipients = std::slice::from_ref(recipient);
    let audience = Audience::new(recipients, &words, employers);
    let entries = all
        .into_iter()
        .filter(|row| !told.contains(&(row.id, recipient.partner_id)) && !audience.of(row).is_empty())
        .map(|row| entry(ids, employers, recipient, (News::Earned(row.id), row), now));
    Ok(entries.collect())
}

fn entry(
    ids: &Ids,
    employers: &Employers,
    recipient: &Recipient,
    (news, row): (News, &achievement::Model),
    now: DateTime<Utc>,
) -> NewEntry {
    NewEntry {
        partner_id: recipient.partner_id,
        id: ids.next(),
        employer_id: row.employer_id,
        news,
        member_ref: partner::member_ref(recipient.pairwise_key.expose(), row.employer_id, row.member_id),
        recorded_at: employers.now(row.employer_id, now).into(),
    }
}

/// Who may know of what.
struct Audience<'a> {
    by_program: HashMap<(EmployerId, ProgramId), Vec<&'a Recipient>>,
    by_member: HashMap<(EmployerId, MemberId), Vec<&'a Consent>>,
    employers: &'a Employers,
}

impl<'a> Audience<'a> {
    fn new(recipients: &'a [Recipient], words: &'a [Consent], employers: &'a Employers) -> Self {
        let mut by_program: HashMap<_, Vec<&Recipient>> = HashMap::new();
        for recipient in recipients {
            by_program
                .entry((recipient.employer_id, recipient.program_id))
                .or_default()
                .push(recipient);
        }
        let mut by_member: HashMap<_, Vec<&Consent>> = HashMap::new();
        for word in words {
            by_member
                .entry((word.employer_id, word.member_id))
                .or_default()
                .push(word);
        }
        Self {
            by_program,
            by_member,
            employers,
        }
    }

    fn of(&self, row: &achievement::Model) -> Vec<&'a Recipient> {
        let words = self
            .by_member
            .get(&(row.employer_id, row.member_id))
            .map(Vec::as_slice)
            .unwrap_or_default();
        let default = self.employers.shares_by_default(row.employer_id);
        let recipients = self.by_program.get(&(row.employer_id, row.program_id));
        recipients
            .into_iter()
            .flatten()
            .filter(|recipient| consent::allows(words, recipient.partner_id, default))
            .copied()
            .collect()
    }
}

fn distinct<K: Ord>(rows: &[&achievement::Model], key: impl Fn(&achievement::Model) -> K) -> Vec<K> {
    let keys: BTreeSet<K> = rows.iter().map(|row| key(row)).collect();
    keys.into_iter().collect()
}
