//! What is judged becomes rows: achievements, each exactly once, and what the partners are told of them.
//!
//! An achievement that is earned can be what another incentive is earned by, so achievements are written in rounds until nothing
//! new follows; the feeds come last, because their positions are taken last.

mod derive;
pub mod gifts;
mod messages;
pub(crate) mod points;
mod tell;

pub use derive::{Stand, standing_of};
pub(crate) use messages::blank;
pub(crate) use tell::tell_late;

use std::collections::{BTreeSet, HashMap, HashSet};

use chrono::{DateTime, Utc};
use entity::achievement::{self, AchievementStatus, Revoked};
use entity::feed::{self, NewEntry};
use entity::id::{AchievementId, Ids, MemberId, PartnerId};
use entity::{employer, incentive};
use sea_orm::{ConnectionTrait, DbErr};

use crate::Context;
use crate::catalogue::Employers;
use crate::judge::{Budgets, Judged};
use crate::metrics::Count;
use crate::outcome::AchievementOutcome;
use crate::rules::Award;
use gifts::Gift;

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
    /// Whether nobody is shown it.
    pub is_hidden: bool,
    /// The award.
    pub award: Award,
    /// What it rests on, as it is stored.
    pub why: Option<String>,
    /// The source and the id of the last event that it rests on, where a message is to tell of it.
    pub completed_by: Option<(String, String)>,
    /// That event, where it is at hand.
    pub occasion: Option<Occasion>,
}

/// The event behind a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Occasion {
    /// The key of its type.
    pub event_type: String,
    /// Its properties, a JSON object.
    pub properties: String,
}

/// An achievement that no longer holds.
#[derive(Debug, Clone)]
pub struct Lost {
    /// The achievement, as it was.
    pub row: achievement::Model,
    /// Why it no longer holds.
    pub reason: Reason,
}

/// Why an achievement no longer holds. What the sender of a retraction says about it is not repeated here: it may tell of the
/// member's health.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// An event that it rested on was retracted.
    EventRetracted,
    /// The incentive was stopped for the member before it was reached.
    Stopped,
    /// An achievement that it rested on was revoked.
    BasisRevoked,
}

impl Reason {
    /// Every reason.
    const ALL: [Self; 3] = [Self::EventRetracted, Self::Stopped, Self::BasisRevoked];

    /// The reason that was stored as this text.
    pub fn from_text(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == text)
    }

    /// The text form that is stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::EventRetracted => "EVENT_RETRACTED",
            Self::Stopped => "STOPPED",
            Self::BasisRevoked => "BASIS_REVOKED",
        }
    }
}

/// What has become rows.
#[derive(Debug, Default)]
struct Written {
    /// Achievements that are new.
    earned: Vec<achievement::Model>,
    /// Achievements that were revoked.
    revoked: Vec<achievement::Model>,
    /// The events behind those that are new, where a message is to tell of them.
    occasions: HashMap<AchievementId, Occasion>,
}

/// What was recorded, for whoever goes on after the commit.
#[derive(Debug, Default)]
pub struct Recorded {
    /// The partners whose feeds have grown.
    pub partners: Vec<PartnerId>,
    /// How many achievements are new.
    pub earned: usize,
    /// How many achievements were revoked.
    pub revoked: usize,
    /// How many messages are to be decided.
    pub messages: usize,
}

const ACHIEVEMENTS: Count = Count::new(
    "achievements",
    "Achievements of members, by change: earned, revoked",
);

impl Recorded {
    /// Counts it, and wakes whoever waits for it. After the commit.
    pub fn spread(self, context: &Context) {
        context
            .metrics
            .count(&ACHIEVEMENTS, [("change", "earned")], self.earned);
        context
            .metrics
            .count(&ACHIEVEMENTS, [("change", "revoked")], self.revoked);
        if !self.partners.is_empty() {
            context.wakes.feeds(self.partners);
        }
        if self.messages > 0 {
            context.wakes.messages();
        }
    }
}

/// Writes what was judged and all that follows from it. An award whose key is
/// there already changes nothing. Takes the feed positions, so it must be the last thing before the commit.
pub async fn record(
    connection: &impl ConnectionTrait,
    ids: &Ids,
    employers: &Employers,
    judged: Judged,
    mut budgets: Budgets,
    now: DateTime<Utc>,
) -> Result<Recorded, DbErr> {
    if !judged.renewed.is_empty() {
        achievement::set_why(connection, &judged.renewed).await?;
    }
    let mut all = Written::default();
    let mut round = write(connection, ids, employers, judged.earned, judged.lost, now).await?;
    let (counted, refunds) = (judged.counted, judged.refunds);
    let (mut touched, mut built_on) = (judged.touched, judged.built_on);
    while !(round.earned.is_empty() && round.revoked.is_empty() && touched.is_empty() && built_on.is_empty())
    {
        let (earned, lost) = derive::derive(
            connection,
            employers,
            &round,
            [&touched, &built_on],
            &mut budgets,
            now,
        )
        .await?;
        touched.clear();
        built_on.clear();
        all.earned.append(&mut round.earned);
        all.revoked.append(&mut round.revoked);
        all.occasions.extend(round.occasions.drain());
        round = write(connection, ids, employers, earned, lost, now).await?;
    }
    budgets.write(connection).await?;
    points::follow(connection, ids, employers, (&counted, &refunds), &all, now).await?;
    let messages = messages::follow(connection, ids, employers, &all, now).await?;
    // All that is to be told goes into one append: the positions of the feeds are taken last, and once.
    let mut entries = give(connection, ids, employers, &all, now).await?;
    entries.extend(tell::tell(connection, ids, employers, &all, now).await?);
    let partners: BTreeSet<PartnerId> = entries.iter().map(|entry| entry.partner_id).collect();
    if !entries.is_empty() {
        feed::append(connection, entries).await?;
    }
    Ok(Recorded {
        partners: partners.into_iter().collect(),
        earned: all.earned.len(),
        revoked: all.revoked.len(),
        messages,
    })
}

/// Gives the rewards that follow from awards, and takes back those of awards that were revoked.
async fn give(
    connection: &impl ConnectionTrait,
    ids: &Ids,
    employers: &Employers,
    written: &Written,
    now: DateTime<Utc>,
) -> Result<Vec<NewEntry>, DbErr> {
    let rewards = |row: &achievement::Model| {
        let compiled = employers.get(row.employer_id)?.find(row.incentive_id)?;
        let ready = compiled.ready(row.incentive_version)?;
        let gifts = ready.outcomes.rewards.iter().map(|outcome| Gift {
            reward: outcome.reward.clone(),
            quantity: outcome.quantity,
        });
        Some(gifts.collect::<Vec<Gift>>()).filter(|gifts| !gifts.is_empty())
    };
    let earned = written.earned.iter();
    let fresh: Vec<_> = earned.filter_map(|row| Some((row, rewards(row)?))).collect();
    // What an incentive keeps is not revoked to begin with.
    let revoked = written.revoked.iter();
    let revoked: Vec<_> = revoked.filter(|row| rewards(row).is_some()).collect();
    gifts::follow(connection, ids, employers, &fresh, &revoked, now).await
}

async fn write(
    connection: &impl ConnectionTrait,
    ids: &Ids,
    employers: &Employers,
    earned: Vec<Earned>,
    lost: Vec<Lost>,
    now: DateTime<Utc>,
) -> Result<Written, DbErr> {
    let mut written = Written::default();
    // What goes makes its place free before what comes takes it.
    if !lost.is_empty() {
        let mut lost = lost;
        lost.sort_by_key(|lost| (lost.row.employer_id, lost.row.id));
        let wanted: Vec<Revoked> = lost
            .iter()
            .map(|Lost { row, reason }| Revoked {
                employer_id: row.employer_id,
                id: row.id,
                reason: Some(reason.as_str().to_owned()),
                at: employers.now(row.employer_id, now).into(),
            })
            .collect();
        let gone: HashSet<AchievementId> = achievement::revoke(connection, &wanted)
            .await?
            .into_iter()
            .collect();
        let rows = lost.into_iter().map(|lost| lost.row);
        written.revoked = rows.filter(|row| gone.contains(&row.id)).collect();
    }
    if !earned.is_empty() {
        let mut rows = Vec::with_capacity(earned.len());
        for mut earned in earned {
            let id = ids.next();
            if let Some(occasion) = earned.occasion.take() {
                written.occasions.insert(id, occasion);
            }
            rows.push(row(earned, id, now));
        }
        let fresh: HashSet<AchievementId> = achievement::insert_new(connection, &rows)
            .await?
            .into_iter()
            .collect();
        written.earned = rows.into_iter().filter(|row| fresh.contains(&row.id)).collect();
    }
    Ok(written)
}

/// What an award is called: by its achievement, else by its incentive.
pub fn title(achievement: Option<&AchievementOutcome>, incentive: &incentive::Model) -> String {
    let own = achievement.map(|achievement| &achievement.title);
    own.unwrap_or(&incentive.name).clone()
}

fn row(earned: Earned, id: AchievementId, now: DateTime<Utc>) -> achievement::Model {
    achievement::Model {
        employer_id: earned.employer.id,
        id,
        member_id: earned.member,
        incentive_id: earned.incentive.id,
        incentive_version: earned.version,
        program_id: earned.incentive.program_id,
        period_key: earned.award.period_key,
        ordinal: i32::try_from(earned.award.ordinal).unwrap_or(i32::MAX),
        title: earned.title,
        sensitive: earned.incentive.sensitive,
        hidden: earned.is_hidden,
        earned_on: earned.award.earned_on,
        recorded_at: earned.employer.now(now).into(),
        status: AchievementStatus::Earned,
        why: earned.why,
        revoked_at: None,
        revocation_reason: None,
    }
}
