//! Achievements that are earned by achievements.
//!
//! Such an incentive remembers nothing of its own: it is judged from the achievements that stand, each time one of those it is
//! built on comes or goes. The caller holds the locks of the members, so what stands cannot change meanwhile.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;
use entity::achievement;
use entity::contribution::{self, Role};
use entity::id::{IncentiveId, MemberId};
use entity::program::ProgramState;
use entity::progress;
use rust_decimal::Decimal;
use sea_orm::{ConnectionTrait, DbErr};

use super::{Earned, Lost, Reason, Written, title};
use crate::catalogue::{Catalogue, Compiled, Employers};
use crate::judge::{Budgets, CaseKey};
use crate::outcome::RetractionPolicy;
use crate::rules::{self, Award, Change, Evaluation, Evidence, Terms, calendar};
use crate::why::{Contributing, Why};

/// What follows from achievements that have come and gone, for the members who were stopped or go on (`touched`), and for those who
/// did something for what these incentives are built on.
pub(super) async fn derive(
    connection: &impl ConnectionTrait,
    employers: &Employers,
    round: &Written,
    [touched, built_on]: [&[CaseKey]; 2],
    budgets: &mut Budgets,
    now: DateTime<Utc>,
) -> Result<(Vec<Earned>, Vec<Lost>), DbErr> {
    let mut affected: BTreeMap<CaseKey, (&Catalogue, &Compiled)> = BTreeMap::new();
    for key in touched.iter().chain(built_on) {
        if let Some(catalogue) = employers.get(key.0)
            && let Some(compiled) = catalogue.find(key.2)
        {
            affected.insert(*key, (catalogue, compiled));
        }
    }
    for row in round.earned.iter().chain(&round.revoked) {
        let Some(catalogue) = employers.get(row.employer_id) else {
            continue;
        };
        let Some(basis) = catalogue.find(row.incentive_id) else {
            continue;
        };
        for compiled in catalogue.built_on(&basis.incentive.key) {
            if compiled.program.state() != ProgramState::Paused {
                let key = (row.employer_id, row.member_id, compiled.incentive.id);
                affected.insert(key, (catalogue, compiled));
            }
        }
    }
    if affected.is_empty() {
        return Ok((Vec::new(), Vec::new()));
    }
    let standing = standing(connection, &affected, now).await?;
    let stopped = stops(connection, &affected).await?;
    let (mut earned, mut lost) = (Vec::new(), Vec::new());
    for (key, (catalogue, compiled)) in affected {
        let own = standing.get(&key).map(Vec::as_slice).unwrap_or_default();
        let found = Found {
            key,
            catalogue,
            compiled,
            stopped_on: stopped.get(&key).copied(),
            standing: &standing,
            now: catalogue.employer.now(now),
        };
        match (found.judge(), own) {
            (Some(award), []) if budgets.allowance(&compiled.program) != Some(0) => {
                budgets.spend(&compiled.program, 1);
                earned.push(award);
            }
            (Some(_), _) | (None, []) => {}
            (None, own) => {
                if found.is_revocable() {
                    for row in own {
                        budgets.give_back((row.employer_id, row.program_id));
                        let is_stopped = touched.contains(&key);
                        lost.push(Lost {
                            row: row.clone(),
                            reason: if is_stopped {
                                Reason::Stopped
                            } else {
                                Reason::BasisRevoked
                            },
                        });
                    }
                }
            }
        }
    }
    Ok((earned, lost))
}

/// How a member stands with an incentive that is built on others.
#[derive(Debug, Clone)]
pub struct Stand {
    /// What stands for the progress that such an incentive does not keep.
    pub progress: String,
    /// How many achievements the member has of it.
    pub earned: u32,
}

/// How a member stands with those of the incentives of an employer that are built on others; two or three statements however many.
pub async fn standing_of(
    connection: &impl ConnectionTrait,
    catalogue: &Catalogue,
    member: MemberId,
    now: DateTime<Utc>,
) -> Result<HashMap<IncentiveId, Stand>, DbErr> {
    let employer = catalogue.employer.id;
    let affected: BTreeMap<CaseKey, (&Catalogue, &Compiled)> = catalogue
        .incentives()
        .iter()
        .filter(|compiled| compiled.is_built_on_others)
        .map(|compiled| ((employer, member, compiled.incentive.id), (catalogue, compiled)))
        .collect();
    if affected.is_empty() {
        return Ok(HashMap::new());
    }
    let standing = standing(connection, &affected, now).await?;
    let stopped = stops(connection, &affected).await?;
    let stands = affected.into_iter().filter_map(|(key, (catalogue, compiled))| {
        let found = Found {
            key,
            catalogue,
            compiled,
            stopped_on: stopped.get(&key).copied(),
            standing: &standing,
            now: catalogue.employer.now(now),
        };
        let version = compiled.current(found.now)?;
        let evaluation = found.evaluation(version.number, &found.evidence())?;
        let stand = Stand {
            progress: evaluation.progress,
            earned: u32::try_from(standing.get(&key).map_or(0, Vec::len)).unwrap_or(u32::MAX),
        };
        Some((compiled.incentive.id, stand))
    });
    Ok(stands.collect())
}

/// The achievements that stand of the incentives in question and of those they are built on.
async fn standing(
    connection: &impl ConnectionTrait,
    affected: &BTreeMap<CaseKey, (&Catalogue, &Compiled)>,
    now: DateTime<Utc>,
) -> Result<HashMap<CaseKey, Vec<achievement::Model>>, DbErr> {
    let wanted: BTreeSet<CaseKey> = affected
        .iter()
        .flat_map(|((employer, member, own), (catalogue, compiled))| {
            let instant = catalogue.employer.now(now);
            let of = basis(catalogue, compiled, instant);
            of.into_iter()
                .chain([*own])
                .map(|incentive| (*employer, *member, incentive))
        })
        .collect();
    let wanted: Vec<CaseKey> = wanted.into_iter().collect();
    let mut standing: HashMap<CaseKey, Vec<achievement::Model>> = HashMap::new();
    for row in achievement::list_standing(connection, &wanted).await? {
        let key = (row.employer_id, row.member_id, row.incentive_id);
        standing.entry(key).or_default().push(row);
    }
    Ok(standing)
}

/// The incentives that an incentive is built on at an instant.
fn basis(catalogue: &Catalogue, compiled: &Compiled, instant: DateTime<Utc>) -> Vec<IncentiveId> {
    let ready = compiled
        .current(instant)
        .and_then(|version| version.ready.as_ref().ok());
    let keys = ready.map(|ready| ready.incentive.of()).unwrap_or_default();
    keys.iter()
        .filter_map(|key| catalogue.find_by_key(key))
        .map(|compiled| compiled.incentive.id)
        .collect()
}

/// From which day on nothing counts, for the members that were stopped. The event itself says it by its own zone; of one from before
/// the horizon only the instant is remembered.
async fn stops(
    connection: &impl ConnectionTrait,
    affected: &BTreeMap<CaseKey, (&Catalogue, &Compiled)>,
) -> Result<HashMap<CaseKey, NaiveDate>, DbErr> {
    let wanted: Vec<CaseKey> = affected
        .iter()
        .filter(|(_, (_, compiled))| compiled.can_stop)
        .map(|(key, _)| *key)
        .collect();
    let mut stops: HashMap<CaseKey, NaiveDate> = HashMap::new();
    if wanted.is_empty() {
        return Ok(stops);
    }
    let mut first_known: HashMap<CaseKey, DateTime<Utc>> = HashMap::new();
    for row in contribution::list_of_cases(connection, &wanted).await? {
        if row.role == Role::Stops {
            let key = (row.employer_id, row.member_id, row.incentive_id);
            let instant = row.occurred_at.instant();
            if first_known.get(&key).is_none_or(|first| instant < *first) {
                first_known.insert(key, instant);
                stops.insert(key, row.day);
            }
        }
    }
    for row in progress::list(connection, &wanted).await? {
        let key = (row.employer_id, row.member_id, row.incentive_id);
        let Some((catalogue, compiled)) = affected.get(&key) else {
            continue;
        };
        // Progress that cannot be read stops nobody; the event that finds it so stands among the dead.
        if let Ok(Some(instant)) = rules::stopped_from(Some(&row.state))
            && first_known.get(&key).is_none_or(|first| instant < *first)
        {
            let zone: Tz = zone_of(catalogue, compiled).parse().unwrap_or(Tz::UTC);
            let local = calendar::civil(instant, zone);
            stops.insert(
                key,
                calendar::program_day(local, compiled.program.day_starts_at()),
            );
        }
    }
    Ok(stops)
}

/// What is found of one member for one incentive that is built on others.
struct Found<'a> {
    key: CaseKey,
    catalogue: &'a Catalogue,
    compiled: &'a Compiled,
    stopped_on: Option<NaiveDate>,
    standing: &'a HashMap<CaseKey, Vec<achievement::Model>>,
    now: DateTime<Utc>,
}

impl Found<'_> {
    /// What is earned by what stands; none: nothing.
    fn judge(&self) -> Option<Earned> {
        let version = self.compiled.current(self.now)?;
        let ready = version.ready.as_ref().ok()?;
        let evidence = self.evidence();
        let evaluation = self.evaluation(version.number, &evidence)?;
        let award = evaluation.awards.into_iter().next()?;
        let contributing: Vec<Evidence> = evidence
            .into_iter()
            .filter(|evidence| evidence.day <= award.earned_on)
            .collect();
        let why = self.why(version.number, &ready.incentive, &award, &contributing);
        let achievement = ready.outcomes.achievement.as_ref();
        Some(Earned {
            employer: self.catalogue.employer.clone(),
            incentive: self.compiled.incentive.clone(),
            version: version.number,
            member: self.key.1,
            title: title(achievement, &self.compiled.incentive),
            is_hidden: achievement.is_none(),
            completed_by: None,
            occasion: None,
            award,
            why,
        })
    }

    /// What counts: for each of the incentives it is built on the day it was first earned, in the order of the days.
    fn evidence(&self) -> Vec<Evidence> {
        let basis = basis(self.catalogue, self.compiled, self.now);
        let mut firsts: Vec<NaiveDate> = basis
            .into_iter()
            .filter_map(|incentive| self.first_earned(incentive))
            .collect();
        firsts.sort_unstable();
        firsts.into_iter().map(one_on).collect()
    }

    fn evaluation(&self, version: i32, evidence: &[Evidence]) -> Option<Evaluation> {
        let change = Change {
            added: evidence,
            ..Change::default()
        };
        let terms = Terms {
            horizon: NaiveDate::MIN,
            revocable: true,
            allowance: None,
        };
        rules::evaluate(&self.compiled.editions(), version, None, &change, terms).ok()
    }

    /// The first day on which an achievement of another incentive that counts was earned.
    fn first_earned(&self, incentive: IncentiveId) -> Option<NaiveDate> {
        let (employer, member, _) = self.key;
        let rows = self.standing.get(&(employer, member, incentive))?;
        // What was earned on the day on which the program or the incentive ended still counts: the day is all that is known.
        let ended = [self.compiled.program.ended_at, self.compiled.incentive.retired_at];
        let zone: Tz = zone_of(self.catalogue, self.compiled).parse().unwrap_or(Tz::UTC);
        let until = ended
            .into_iter()
            .flatten()
            .min()
            .map(|instant| calendar::civil(instant.instant(), zone).date());
        rows.iter()
            .map(|row| row.earned_on)
            .filter(|day| self.compiled.program.covers(*day))
            .filter(|day| self.stopped_on.is_none_or(|stop| *day <= stop))
            .filter(|day| until.is_none_or(|until| *day <= until))
            .min()
    }

    fn why(
        &self,
        version: i32,
        incentive: &rules::Incentive,
        award: &Award,
        contributing: &[Evidence],
    ) -> Option<String> {
        let zone = zone_of(self.catalogue, self.compiled);
        let events = contributing.iter().map(|evidence| Contributing {
            source: None,
            id: None,
            local_date: evidence.day,
            time_zone: zone.to_owned(),
            amount: None,
        });
        let grounds = rules::Grounds {
            places: (0..contributing.len()).collect(),
            ..rules::Grounds::default()
        };
        let why = Why {
            version,
            events: events.collect(),
            text: rules::text(incentive, award, &grounds, contributing),
        };
        why.write()
    }

    fn is_revocable(&self) -> bool {
        let ready = self
            .compiled
            .current(self.now)
            .and_then(|version| version.ready.as_ref().ok());
        ready.is_some_and(|ready| ready.policy(self.compiled.incentive.sensitive) != RetractionPolicy::Keep)
    }
}

/// The zone of the program's own dates.
fn zone_of<'a>(catalogue: &'a Catalogue, compiled: &'a Compiled) -> &'a str {
    let own = compiled.program.time_zone.as_deref();
    own.unwrap_or(&catalogue.employer.time_zone)
}

fn one_on(day: NaiveDate) -> Evidence {
    Evidence {
        day,
        occurred_at: day.and_time(chrono::NaiveTime::MIN).and_utc(),
        amount: Decimal::ONE,
        steps: 1,
        stops: false,
    }
}
