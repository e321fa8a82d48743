//! From cases to what is recorded: loads what the incentives remember, lets the rules judge each case, writes what they remember
//! now, and says what was earned and what no longer holds.
//!
//! Events and retractions come here by one way. Everything is done in sets: one statement loads the progress of all cases, one
//! writes it. Cases are in the order of their keys, so that a batch writes its rows in one order however it was put together.
//! The caller holds the locks of the members.

mod case;
mod happening;
mod simulate;

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, NaiveDate, Utc};
use entity::achievement;
use entity::contribution::{self, Contribution, Role};
use entity::earning::CauseKey;
use entity::earning::refund::Refund;
use entity::id::{AchievementId, EmployerId, IncentiveId, MemberId};
use entity::program::ProgramState;
use entity::progress::{self, Progress};
use sea_orm::{ConnectionTrait, DbErr};

use crate::record::{Earned, Lost, Reason, title};
use crate::rules::{self, Award, Evidence, Grounds, Revocation};
use crate::why::{self, Why};
pub use case::Case;
use case::{Known, Verdict};
pub use happening::{Happening, factor};
pub use simulate::{AWARDS_MAX, Samples, Simulated, simulate};

mod budget;
pub use budget::Budgets;

/// Which case.
pub type CaseKey = (EmployerId, MemberId, IncentiveId);

/// Cases by their keys.
pub type Cases<'a> = BTreeMap<CaseKey, Case<'a>>;

/// What came of the cases, apart from what the incentives remember, which is written already.
#[derive(Default)]
pub struct Judged {
    /// What members have earned.
    pub earned: Vec<Earned>,
    /// What no longer holds.
    pub lost: Vec<Lost>,
    /// Achievements that stand, on other grounds than before.
    pub renewed: Vec<Renewed>,
    /// The cases that could not be judged, each with the reason.
    pub failed: Vec<(CaseKey, String)>,
    /// Cases of incentives that are built on achievements, for which it has changed from when on the member is stopped.
    pub touched: Vec<CaseKey>,
    /// Cases of incentives that are built on those that were judged. They are looked at whether or not anything was earned: while their
    /// program was paused or had spent its budget, or before they were made, nobody did.
    pub built_on: Vec<CaseKey>,
    /// What has changed in what events earn by themselves.
    pub counted: Vec<Counted>,
    /// What was said of orders that points were given for.
    pub refunds: Refunds,
    /// The events that came so late that an incentive has forgotten the progress before them.
    pub too_late: Vec<(usize, IncentiveId)>,
}

/// An event that earns points by itself and counts from now on, or no longer does.
#[derive(Debug, Clone)]
pub struct Counted {
    /// What it counts for.
    pub row: Contribution,
    /// Whether it does.
    pub counts: bool,
}

/// What was said of orders, and what of that was taken back.
#[derive(Debug, Default)]
pub struct Refunds {
    /// What is new.
    pub stated: Vec<Refund>,
    /// What is not to hold any more.
    pub taken_back: Vec<Refund>,
    /// The orders whose points may be spent from now on.
    pub released: Vec<Release>,
}

/// An event that releases the points of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    /// The order.
    pub cause: CauseKey,
    /// The key of the event's type.
    pub event_type: String,
}

/// An achievement with what it rests on now.
pub type Renewed = (EmployerId, AchievementId, Option<String>);

impl Judged {
    /// The employers of whose incentives something was earned or lost.
    pub fn employers(&self) -> impl Iterator<Item = EmployerId> {
        let earned = self.earned.iter().map(|earned| earned.employer.id);
        let lost = self.lost.iter().map(|lost| lost.row.employer_id);
        let refunds = self.refunds.stated.iter().chain(&self.refunds.taken_back);
        earned
            .chain(lost)
            .chain(self.counted.iter().map(|counted| counted.row.employer_id))
            .chain(refunds.map(|refund| refund.employer_id))
            .chain(
                self.refunds
                    .released
                    .iter()
                    .map(|release| release.cause.employer_id),
            )
            .chain(self.touched.iter().map(|(employer, ..)| *employer))
            .chain(self.built_on.iter().map(|(employer, ..)| *employer))
    }
}

/// Lets the rules judge the cases and writes what the incentives remember of them. `now` is the real time.
pub async fn judge(
    connection: &impl ConnectionTrait,
    cases: &Cases<'_>,
    budgets: &mut Budgets,
    now: DateTime<Utc>,
) -> Result<Judged, DbErr> {
    if cases.is_empty() {
        return Ok(Judged::default());
    }
    let keys: Vec<CaseKey> = cases.keys().copied().collect();
    let states: HashMap<CaseKey, String> = progress::list(connection, &keys)
        .await?
        .into_iter()
        .map(|row| ((row.employer_id, row.member_id, row.incentive_id), row.state))
        .collect();
    let is_needed = |case: &Case<'_>| case.needs_rows() || !case.removed.is_empty();
    let everything = |_: &CaseKey, case: &Case<'_>| is_needed(case).then_some(NaiveDate::MIN);
    let mut rows = rows_of(connection, cases, everything).await?;

    let mut judged = Judged::default();
    let mut verdicts: BTreeMap<CaseKey, Verdict> = BTreeMap::new();
    for (key, case) in cases {
        let known = Known {
            progress: states.get(key).map(String::as_str),
            rows: rows.get(key).map(Vec::as_slice).unwrap_or_default(),
            horizon: case.catalogue.horizon(case.catalogue.employer.now(now)),
            allowance: budgets.allowance(&case.compiled.program),
        };
        match case.judge(known) {
            Ok(verdict) => {
                judged.counted.extend(counted(case, &verdict, known.rows));
                budgets.spend(&case.compiled.program, verdict.awards.len());
                let late = verdict.too_late.iter().map(|place| (*place, key.2));
                judged.too_late.extend(late);
                verdicts.insert(*key, verdict);
            }
            Err(reason) => {
                tracing::warn!(incentive = %key.2, employer = %key.0, reason, "an incentive could not judge a member");
                judged.failed.push((*key, reason));
            }
        }
    }
    let is_shaken = |verdict: &Verdict| {
        !(verdict.revoked.is_empty() && verdict.deleted.is_empty() && verdict.roles.is_empty())
    };
    let shaken: Vec<CaseKey> = verdicts
        .iter()
        .filter(|(_, verdict)| is_shaken(verdict))
        .map(|(key, _)| *key)
        .collect();
    let mut standing: HashMap<CaseKey, Vec<achievement::Model>> = HashMap::new();
    if !shaken.is_empty() {
        for row in achievement::list_standing(connection, &shaken).await? {
            let key = (row.employer_id, row.member_id, row.incentive_id);
            standing.entry(key).or_default().push(row);
        }
    }
    // What an award rests on lies within reach of its completion: older rows need not be read.
    let within_reach = |key: &CaseKey, case: &Case<'_>| {
        let verdict = verdicts.get(key).filter(|_| !is_needed(case))?;
        let of = |number: i32| verdict.awards.iter().filter(move |(by, _)| *by == number);
        let (number, _) = verdict.awards.first()?;
        let completions = of(*number).map(|(_, award)| award.completion);
        let editions = case.compiled.editions();
        let reach = rules::reach(&editions, *number, verdict.progress.as_deref(), completions).ok()??;
        // Awards by several versions at once are rare.
        let is_one = of(*number).count() == verdict.awards.len();
        Some(if is_one { reach } else { NaiveDate::MIN })
    };
    let known = rows_of(connection, cases, within_reach).await?;
    rows.extend(known);
    for (key, verdict) in &verdicts {
        let Some(case) = cases.get(key) else { continue };
        if case.compiled.is_built_on_others {
            judged.touched.push(*key);
        }
        let above = case.catalogue.built_on(&case.compiled.incentive.key);
        let above = above.filter(|above| above.program.state() != ProgramState::Paused);
        judged
            .built_on
            .extend(above.map(|above| (key.0, key.1, above.incentive.id)));
        // Most events earn nothing and shake nothing: then nobody asks what the case rests on.
        if verdict.awards.is_empty() && !is_shaken(verdict) {
            continue;
        }
        let grounds = Basis::new(
            case,
            verdict,
            rows.get(key).map(Vec::as_slice).unwrap_or_default(),
        );
        judged.earned.extend(grounds.earned());
        if is_shaken(verdict) {
            let (lost, left) = revoked(verdict, standing.remove(key).unwrap_or_default());
            for row in &lost {
                budgets.give_back((row.employer_id, row.program_id));
            }
            let reason = if case.removed.is_empty() {
                Reason::Stopped
            } else {
                Reason::EventRetracted
            };
            judged
                .lost
                .extend(lost.into_iter().map(|row| Lost { row, reason }));
            let horizon = case.catalogue.horizon(case.catalogue.employer.now(now));
            judged.renewed.extend(grounds.renewed(left, horizon));
        }
    }
    write(connection, cases, verdicts, now).await?;
    Ok(judged)
}

/// The events that earn points by themselves and count by a verdict from now on, or no longer do.
fn counted<'a>(
    case: &'a Case<'a>,
    verdict: &'a Verdict,
    rows: &'a [Contribution],
) -> impl Iterator<Item = Counted> {
    // Only what carries a factor earns by itself.
    let is_counted = |row: &&Contribution| row.factor.is_some() && row.role == Role::Counts;
    let fresh = verdict.put.iter().filter(is_counted).map(|row| (row, true));
    let gone = case.removed.iter().filter(is_counted).map(|row| (row, false));
    let moved = verdict.roles.iter().filter_map(|(key, role)| {
        let row = rows
            .iter()
            .find(|row| row.factor.is_some() && row.key() == *key)?;
        Some((row, *role == Role::Counts))
    });
    let all = fresh.chain(gone).chain(moved);
    all.map(|(row, counts)| Counted {
        row: row.clone(),
        counts,
    })
}

/// What has counted so far in the cases that are wanted, each since a day.
async fn rows_of(
    connection: &impl ConnectionTrait,
    cases: &Cases<'_>,
    since: impl Fn(&CaseKey, &Case<'_>) -> Option<NaiveDate>,
) -> Result<HashMap<CaseKey, Vec<Contribution>>, DbErr> {
    let wanted: Vec<(CaseKey, NaiveDate)> = cases
        .iter()
        .filter_map(|(key, case)| Some((*key, since(key, case)?)))
        .collect();
    let mut rows: HashMap<CaseKey, Vec<Contribution>> = HashMap::new();
    if wanted.is_empty() {
        return Ok(rows);
    }
    for row in contribution::list_since(connection, &wanted).await? {
        rows.entry((row.employer_id, row.member_id, row.incentive_id))
            .or_default()
            .push(row);
    }
    Ok(rows)
}

/// What a case rests on after its verdict.
struct Basis<'a> {
    case: &'a Case<'a>,
    verdict: &'a Verdict,
    rows: Vec<&'a Contribution>,
    evidence: Vec<Evidence>,
}

impl<'a> Basis<'a> {
    fn new(case: &'a Case<'a>, verdict: &'a Verdict, rows: &'a [Contribution]) -> Self {
        let rows = counting(verdict, rows);
        let evidence = rows.iter().filter_map(|row| why::evidence(row)).collect();
        Self {
            case,
            verdict,
            rows,
            evidence,
        }
    }

    /// What was earned, with what it rests on.
    fn earned(&self) -> Vec<Earned> {
        let earned = self.verdict.awards.iter().filter_map(|(number, award)| {
            let version = self.case.compiled.version(*number)?;
            let achievement = version.ready.as_ref().ok()?.outcomes.achievement.as_ref();
            Some(Earned {
                employer: self.case.catalogue.employer.clone(),
                incentive: self.case.compiled.incentive.clone(),
                version: *number,
                member: self.case.member,
                title: title(achievement, &self.case.compiled.incentive),
                is_hidden: achievement.is_none(),
                why: self.why(*number, award),
                completed_by: self.completed_by(*number, award),
                occasion: None,
                award: award.clone(),
            })
        });
        earned.collect()
    }

    /// What an award rests on.
    fn why(&self, number: i32, award: &Award) -> Option<String> {
        let incentive = &self.case.compiled.ready(number)?.incentive;
        let grounds = self.grounds(number, award)?;
        let text = rules::text(incentive, award, &grounds, &self.evidence);
        let own_zone = self.case.compiled.program.time_zone.as_deref();
        let zone = own_zone.unwrap_or(&self.case.catalogue.employer.time_zone);
        let is_sensitive = self.case.compiled.incentive.sensitive;
        Why::new(number, &grounds, &self.rows, zone, is_sensitive, text).write()
    }

    fn grounds(&self, number: i32, award: &Award) -> Option<Grounds> {
        let editions = self.case.compiled.editions();
        let progress = self.verdict.progress.as_deref();
        rules::explain(&editions, number, progress, &self.evidence, award.completion).ok()
    }

    /// The source and the id of the last event that an award rests on, where a message is to tell of it.
    fn completed_by(&self, number: i32, award: &Award) -> Option<(String, String)> {
        let ready = self.case.compiled.ready(number)?;
        if ready.outcomes.messages.is_empty() {
            return None;
        }
        let places = self.grounds(number, award)?.places.into_iter();
        let rows = places.filter_map(|place| self.rows.get(place).copied());
        let last = rows.max_by_key(|row| row.occurred_at)?;
        Some((last.source.clone(), last.event_id.clone()))
    }

    /// The first event that an award rests on.
    fn event_of(&self, number: i32, award: &Award) -> Option<&'a Contribution> {
        let place = self.grounds(number, award)?.places.into_iter().next()?;
        self.rows.get(place).copied()
    }

    /// Achievements that stand after something was taken back, each with what it rests on now. Those from before the horizon rest on
    /// nothing that can be taken back.
    fn renewed(&self, standing: Vec<achievement::Model>, horizon: NaiveDate) -> Vec<Renewed> {
        let editions = self.case.compiled.editions();
        let progress = self.verdict.progress.as_deref();
        let mut unused = Vec::new();
        let renewed = standing
            .into_iter()
            .filter(|row| row.earned_on >= horizon)
            .map(|row| {
                let number = row.incentive_version;
                if unused.is_empty() {
                    unused = rules::completions(&editions, number, progress).unwrap_or_default();
                }
                // On the day it was earned if it can be, else whatever completion there is.
                let place = unused
                    .iter()
                    .position(|completion| completion.day == row.earned_on);
                let place = place.or_else(|| unused.len().checked_sub(1));
                let why = place.map(|place| unused.remove(place)).and_then(|completion| {
                    let award = Award {
                        period_key: row.period_key.clone(),
                        ordinal: u32::try_from(row.ordinal).unwrap_or(u32::MAX),
                        earned_on: row.earned_on,
                        completion,
                    };
                    self.why(number, &award)
                });
                (
                    row.employer_id,
                    row.id,
                    why.or_else(|| Why::taken_back(number).write()),
                )
            });
        renewed.collect()
    }
}

/// Parts a member's standing achievements into those that no longer hold and those that do.
fn revoked(
    verdict: &Verdict,
    mut standing: Vec<achievement::Model>,
) -> (Vec<achievement::Model>, Vec<achievement::Model>) {
    let mut gone = Vec::new();
    for revocation in &verdict.revoked {
        let is_named = |row: &achievement::Model| {
            let ordinal = u32::try_from(row.ordinal).unwrap_or(u32::MAX);
            revokes(revocation, &row.period_key, ordinal)
        };
        // An edit of the limit changes the key, and not the ordinal, of what is counted for good.
        let is_same_place = |row: &achievement::Model| {
            ["once", "ever", "program"].contains(&row.period_key.as_str())
                && u32::try_from(row.ordinal) == Ok(revocation.ordinal)
        };
        let named = standing.iter().position(is_named);
        let named = named.or_else(|| standing.iter().position(is_same_place));
        if let Some(place) = named.or_else(|| standing.len().checked_sub(1)) {
            gone.push(standing.remove(place));
        }
    }
    (gone, standing)
}

/// Whether a revocation is of the award of this key.
fn revokes(revocation: &Revocation, period_key: &str, ordinal: u32) -> bool {
    revocation.period_key == period_key && revocation.ordinal == ordinal
}

/// The rows that count after a verdict, by day; within a day, what is new comes last.
fn counting<'a>(verdict: &'a Verdict, rows: &'a [Contribution]) -> Vec<&'a Contribution> {
    let fresh: std::collections::HashSet<_> = verdict.put.iter().map(Contribution::key).collect();
    let gone: std::collections::HashSet<_> = verdict.deleted.iter().collect();
    let moved: HashMap<_, _> = verdict.roles.iter().map(|(key, role)| (key, *role)).collect();
    let role = |row: &Contribution| moved.get(&row.key()).copied().unwrap_or(row.role);
    let old = rows
        .iter()
        .filter(|row| !fresh.contains(&row.key()) && !gone.contains(&row.key()));
    let mut known: Vec<&Contribution> = old
        .chain(&verdict.put)
        .filter(|row| role(row) == Role::Counts)
        .collect();
    known.sort_by_key(|row| row.day);
    known
}

async fn write(
    connection: &impl ConnectionTrait,
    cases: &Cases<'_>,
    verdicts: BTreeMap<CaseKey, Verdict>,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    let (mut states, mut put, mut deleted) = (Vec::new(), Vec::new(), Vec::new());
    let mut roles: BTreeMap<&'static str, (Role, Vec<contribution::Key>)> = BTreeMap::new();
    for (key, verdict) in verdicts {
        let (employer_id, member_id, incentive_id) = key;
        if verdict.changed
            && let Some(state) = verdict.progress
        {
            states.push(Progress {
                employer_id,
                member_id,
                incentive_id,
                state,
                updated_at: cases
                    .get(&key)
                    .map_or(now, |case| case.catalogue.employer.now(now))
                    .into(),
            });
        }
        put.extend(verdict.put);
        deleted.extend(verdict.deleted);
        for (key, role) in verdict.roles {
            roles
                .entry(role.as_str())
                .or_insert((role, Vec::new()))
                .1
                .push(key);
        }
    }
    if !states.is_empty() {
        progress::put(connection, &states).await?;
    }
    if !deleted.is_empty() {
        contribution::delete(connection, &deleted).await?;
    }
    for (role, keys) in roles.into_values() {
        contribution::set_role(connection, &keys, role).await?;
    }
    if !put.is_empty() {
        contribution::put(connection, &put).await?;
    }
    Ok(())
}
