//! Awards become rows: achievements, each exactly once, and the entries of the partners' feeds.

use std::collections::{HashMap, HashSet};

use entity::achievement::{self, AchievementStatus};
use entity::clock::Timestamp;
use entity::consent::{self, Consent, Purpose};
use entity::feed::{self, FeedEntryKind, NewEntry};
use entity::grant::{self, Recipient};
use entity::id::{AchievementId, EmployerId, Ids, MemberId, PartnerId, ProgramId};
use entity::{employer, incentive, partner};
use sea_orm::{ConnectionTrait, DbErr};

use crate::rules::Award;

/// An award with all that is recorded of it.
#[derive(Debug, Clone)]
pub struct Earned {
    /// The employer.
    pub employer: employer::Model,
    /// What it was earned for.
    pub incentive: incentive::Model,
    /// By which version.
    pub version: i32,
    /// Who earned it.
    pub member: MemberId,
    /// What the member is congratulated on.
    pub title: String,
    /// The award.
    pub award: Award,
}

/// Writes achievements and feed entries and returns the partners whose feeds have grown. An award whose key is there already
/// changes nothing. Takes the feed positions, so it must be the last thing before the commit.
pub async fn record(
    connection: &impl ConnectionTrait,
    ids: &Ids,
    earned: Vec<Earned>,
    now: Timestamp,
) -> Result<Vec<PartnerId>, DbErr> {
    if earned.is_empty() {
        return Ok(Vec::new());
    }
    let rows: Vec<achievement::Model> = earned.iter().map(|earned| row(earned, ids.next(), now)).collect();
    let fresh: HashSet<AchievementId> = achievement::insert_new(connection, &rows)
        .await?
        .into_iter()
        .collect();
    let fresh: Vec<&achievement::Model> = rows.iter().filter(|row| fresh.contains(&row.id)).collect();
    if fresh.is_empty() {
        return Ok(Vec::new());
    }
    let recipients = grant::recipients(
        connection,
        &distinct(&fresh, |row| (row.employer_id, row.program_id)),
    )
    .await?;
    if recipients.is_empty() {
        return Ok(Vec::new());
    }
    let words = consent::list(
        connection,
        Purpose::PartnerSharing,
        &distinct(&fresh, |row| (row.employer_id, row.member_id)),
    )
    .await?;
    let defaults: HashMap<EmployerId, bool> = earned
        .iter()
        .map(|earned| (earned.employer.id, earned.employer.default_partner_sharing))
        .collect();
    let entries = entries(ids, &fresh, &recipients, &words, &defaults, now);
    if entries.is_empty() {
        return Ok(Vec::new());
    }
    let mut partners: Vec<PartnerId> = entries.iter().map(|entry| entry.partner_id).collect();
    partners.sort_unstable();
    partners.dedup();
    feed::append(connection, entries).await?;
    Ok(partners)
}

fn row(earned: &Earned, id: AchievementId, now: Timestamp) -> achievement::Model {
    achievement::Model {
        employer_id: earned.employer.id,
        id,
        member_id: earned.member,
        incentive_id: earned.incentive.id,
        incentive_version: earned.version,
        program_id: earned.incentive.program_id,
        period_key: earned.award.period_key.clone(),
        ordinal: i32::try_from(earned.award.ordinal).unwrap_or(i32::MAX),
        title: earned.title.clone(),
        sensitive: earned.incentive.sensitive,
        earned_on: earned.award.earned_on,
        recorded_at: now,
        status: AchievementStatus::Earned,
        why: None,
        revoked_at: None,
        revocation_reason: None,
    }
}

/// An entry for each achievement and each partner that may know of it: the program is granted, and the member shares.
fn entries(
    ids: &Ids,
    fresh: &[&achievement::Model],
    recipients: &[Recipient],
    words: &[Consent],
    defaults: &HashMap<EmployerId, bool>,
    now: Timestamp,
) -> Vec<NewEntry> {
    let mut by_program: HashMap<(EmployerId, ProgramId), Vec<&Recipient>> = HashMap::new();
    for recipient in recipients {
        by_program
            .entry((recipient.employer_id, recipient.program_id))
            .or_default()
            .push(recipient);
    }
    let mut by_member: HashMap<(EmployerId, MemberId), Vec<&Consent>> = HashMap::new();
    for word in words {
        by_member
            .entry((word.employer_id, word.member_id))
            .or_default()
            .push(word);
    }
    let mut entries = Vec::new();
    for row in fresh {
        let words = by_member
            .get(&(row.employer_id, row.member_id))
            .map(Vec::as_slice)
            .unwrap_or_default();
        let default = defaults.get(&row.employer_id).copied().unwrap_or(false);
        for recipient in by_program
            .get(&(row.employer_id, row.program_id))
            .into_iter()
            .flatten()
        {
            if consent::allows(words, recipient.partner_id, default) {
                entries.push(NewEntry {
                    partner_id: recipient.partner_id,
                    id: ids.next(),
                    employer_id: row.employer_id,
                    kind: FeedEntryKind::AchievementEarned,
                    achievement_id: row.id,
                    member_ref: partner::member_ref(
                        recipient.pairwise_key.expose(),
                        row.employer_id,
                        row.member_id,
                    ),
                    recorded_at: now,
                });
            }
        }
    }
    entries
}

fn distinct<K: Ord>(rows: &[&achievement::Model], key: impl Fn(&achievement::Model) -> K) -> Vec<K> {
    let mut keys: Vec<K> = rows.iter().map(|row| key(row)).collect();
    keys.sort_unstable();
    keys.dedup();
    keys
}
