//! An entry of a partner's feed as JSON: what webhooks and exports carry.
//!
//! It has the fields of the API's `FeedEntry` as a partner sees them, by the same names and in the same form, except for what leads
//! further: of an incentive, a program and a reward it gives the key and the name. Everything a partner may know is here already.

use std::collections::{BTreeSet, HashMap};

use entity::clock::Timestamp;
use entity::feed::{self, Entry, Subject, ToldAchievement, ToldRedemption};
use entity::id::{EmployerId, IncentiveId, PartnerId, ProgramId, RewardId, TypedId};
use entity::{incentive, program, reward};
use sea_orm::{ConnectionTrait, DbErr};
use serde::Serialize;

/// An entry of a partner's feed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Told {
    /// Its id: the same wherever and however often the entry is delivered.
    pub id: String,
    /// Its place in the feed.
    pub position: i64,
    /// Where to go on after it.
    pub cursor: String,
    /// What it tells.
    pub kind: &'static str,
    /// When it was recorded.
    pub recorded_at: String,
    /// The achievement it tells of.
    pub achievement: Option<Achievement>,
    /// The redemption it tells of.
    pub redemption: Option<Redemption>,
}

/// An achievement, as an entry tells of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Achievement {
    /// The achievement.
    pub id: String,
    /// What it was earned for.
    pub incentive: Named,
    /// The program it was earned in.
    pub program: Named,
    /// The partner's own name of the member.
    pub member_ref: String,
    /// What the member is congratulated on.
    pub title: String,
    /// The local date on which it was reached.
    pub earned_on: String,
    /// When it became known.
    pub recorded_at: String,
    /// Whether it stands.
    pub status: &'static str,
    /// Counts 1, 2, 3 inside the limit's window.
    pub ordinal: i32,
    /// When it was taken back.
    pub revoked_at: Option<String>,
}

/// A redemption, as an entry tells of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Redemption {
    /// The redemption.
    pub id: String,
    /// What was asked for, or given.
    pub reward: Named,
    /// The partner's own name of the member.
    pub member_ref: String,
    /// How many of it.
    pub quantity: i32,
    /// Points that were spent on all of it together.
    pub points_spent: i64,
    /// Where it stands.
    pub status: &'static str,
    /// When it was asked for, or given.
    pub requested_at: String,
    /// From when on it can no longer be fulfilled.
    pub expires_at: Option<String>,
    /// When it was called off or has expired.
    pub settled_at: Option<String>,
}

/// Something that has a short name and one for people.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Named {
    /// Its short name, unique within the employer.
    pub key: String,
    /// Its name for people.
    pub name: String,
}

/// The entries after a position of a partner's feed, in order, at most `limit`. A constant number of statements.
pub async fn list(
    connection: &impl ConnectionTrait,
    partner: PartnerId,
    after: i64,
    limit: u64,
) -> Result<Vec<Told>, DbErr> {
    let entries = feed::list(connection, partner, after, limit).await?;
    let names = Names::load(connection, &entries).await?;
    Ok(entries.iter().map(|entry| names.tell(partner, entry)).collect())
}

/// The entries at these places of these feeds, by place; what is no longer there is left out. A constant number of statements.
pub async fn list_at(
    connection: &impl ConnectionTrait,
    wanted: &[(PartnerId, i64)],
) -> Result<HashMap<(PartnerId, i64), Told>, DbErr> {
    let (partners, entries): (Vec<PartnerId>, Vec<Entry>) =
        feed::list_at(connection, wanted).await?.into_iter().unzip();
    let names = Names::load(connection, &entries).await?;
    let told =
        |(partner, entry): (PartnerId, &Entry)| ((partner, entry.position), names.tell(partner, entry));
    Ok(partners.into_iter().zip(&entries).map(told).collect())
}

/// The id by which this partner knows an achievement or a redemption.
fn told_id(_: PartnerId, id: impl TypedId) -> String {
    id.to_string()
}

/// The names of what a page of entries tells of.
struct Names {
    incentives: HashMap<(EmployerId, IncentiveId), Named>,
    programs: HashMap<(EmployerId, ProgramId), Named>,
    rewards: HashMap<(EmployerId, RewardId), Named>,
}

impl Names {
    async fn load(connection: &impl ConnectionTrait, entries: &[Entry]) -> Result<Self, DbErr> {
        let (mut incentives, mut programs, mut rewards) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        for entry in entries {
            match &entry.subject {
                Subject::Achievement(told) => {
                    incentives.insert((entry.employer_id, told.incentive_id));
                    programs.insert((entry.employer_id, told.program_id));
                }
                Subject::Redemption(told) => {
                    rewards.insert((entry.employer_id, told.reward_id));
                }
            }
        }
        let (incentives, programs, rewards) = (sorted(incentives), sorted(programs), sorted(rewards));
        let mut names = Self {
            incentives: HashMap::new(),
            programs: HashMap::new(),
            rewards: HashMap::new(),
        };
        if !incentives.is_empty() {
            for row in incentive::list_by_ids(connection, &incentives).await? {
                names
                    .incentives
                    .insert((row.employer_id, row.id), named(row.key, row.name));
            }
            for row in program::list_by_ids(connection, &programs).await? {
                names
                    .programs
                    .insert((row.employer_id, row.id), named(row.key, row.name));
            }
        }
        if !rewards.is_empty() {
            for row in reward::list_by_ids(connection, &rewards).await? {
                names
                    .rewards
                    .insert((row.employer_id, row.id), named(row.key, row.name));
            }
        }
        Ok(names)
    }

    fn tell(&self, partner: PartnerId, entry: &Entry) -> Told {
        let (achievement, redemption) = match &entry.subject {
            Subject::Achievement(told) => (Some(self.achievement(partner, entry, told)), None),
            Subject::Redemption(told) => (None, Some(self.redemption(partner, entry, told))),
        };
        Told {
            id: entry.id.to_string(),
            position: entry.position,
            cursor: feed::cursor::write(partner, entry.position),
            kind: entry.kind.as_str(),
            recorded_at: entry.recorded_at.text(),
            achievement,
            redemption,
        }
    }

    // Foreign keys see to it that everything an entry names is there; its name is then empty rather than the entry lost.
    fn achievement(&self, partner: PartnerId, entry: &Entry, told: &ToldAchievement) -> Achievement {
        let (incentive, program) = (
            self.incentives.get(&(entry.employer_id, told.incentive_id)),
            self.programs.get(&(entry.employer_id, told.program_id)),
        );
        Achievement {
            id: told_id(partner, told.id),
            incentive: incentive.cloned().unwrap_or_default(),
            program: program.cloned().unwrap_or_default(),
            member_ref: entry.member_ref.clone(),
            title: told.title.clone(),
            earned_on: told.earned_on.to_string(),
            recorded_at: told.earned_at.text(),
            status: told.status.as_str(),
            ordinal: told.ordinal,
            revoked_at: told.revoked_at.map(Timestamp::text),
        }
    }

    fn redemption(&self, partner: PartnerId, entry: &Entry, told: &ToldRedemption) -> Redemption {
        let reward = self.rewards.get(&(entry.employer_id, told.reward_id));
        Redemption {
            id: told_id(partner, told.id),
            reward: reward.cloned().unwrap_or_default(),
            member_ref: entry.member_ref.clone(),
            quantity: i32::try_from(told.quantity).unwrap_or(i32::MAX),
            points_spent: told.points_spent,
            status: told.status.as_str(),
            requested_at: told.requested_at.text(),
            expires_at: told.expires_at.map(Timestamp::text),
            settled_at: told.settled_at.map(Timestamp::text),
        }
    }
}

fn sorted<K>(keys: BTreeSet<K>) -> Vec<K> {
    keys.into_iter().collect()
}

fn named(key: String, name: String) -> Named {
    Named { key, name }
}
