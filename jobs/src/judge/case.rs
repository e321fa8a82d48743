//! One case: what one incentive has to judge of one member. Values in, values out.
//!
//! An event of `unless` stops the member: evidence at that instant or later is idle. It does not count, but is kept beside what
//! does, so that it counts again should the stop be taken back. A stop that comes late turns what counted since into idle
//! evidence, by the same way by which a retraction takes evidence back.

use std::collections::{BTreeMap, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};

use chrono::{DateTime, NaiveDate, Utc};
use entity::contribution::{Contribution, Key, Role};
use entity::id::MemberId;

use crate::catalogue::{Catalogue, Compiled};
use crate::outcome::RetractionPolicy;
use crate::rules::{self, Award, Change, Evidence, Revocation, Terms};
use crate::why;

/// What one incentive has to judge of one member.
pub struct Case<'a> {
    /// What the employer has.
    pub catalogue: &'a Catalogue,
    /// The incentive.
    pub compiled: &'a Compiled,
    /// The member.
    pub member: MemberId,
    /// What new events count for, each with its place in the batch. Whether it counts or is idle is decided here.
    pub added: Vec<(usize, Contribution)>,
    /// What counted and is taken back.
    pub removed: Vec<Contribution>,
}

/// What is known of a case before it is judged.
#[derive(Clone, Copy)]
pub struct Known<'a> {
    /// The stored progress.
    pub progress: Option<&'a str>,
    /// Everything that has counted so far; needed only where [`Case::needs_rows`].
    pub rows: &'a [Contribution],
    /// The day before which nothing comes any more.
    pub horizon: NaiveDate,
    /// How many awards there may be at most.
    pub allowance: Option<u32>,
}

/// What came of a case.
#[derive(Default)]
pub struct Verdict {
    /// The progress after it.
    pub progress: Option<String>,
    /// Whether that differs from what is stored.
    pub changed: bool,
    /// Contributions to write.
    pub put: Vec<Contribution>,
    /// Contributions that have another role now.
    pub roles: Vec<(Key, Role)>,
    /// Contributions that are taken back.
    pub deleted: Vec<Key>,
    /// What was earned, each with the version that has judged.
    pub awards: Vec<(i32, Award)>,
    /// What no longer holds.
    pub revoked: Vec<Revocation>,
    /// The places of events that came so late that the progress before them is forgotten.
    pub too_late: Vec<usize>,
}

/// What is to be changed in the progress of one version, with the places of what is added.
#[derive(Default)]
struct Moves {
    added: Vec<Evidence>,
    places: Vec<Option<usize>>,
    removed: Vec<Evidence>,
}

impl Case<'_> {
    /// Whether it can only be judged with everything that has counted so far at hand.
    pub fn needs_rows(&self) -> bool {
        self.compiled.can_stop
            && (self.added.iter().map(|(_, row)| row).chain(&self.removed)).any(|row| row.role == Role::Stops)
    }

    /// Judges the case. An error says why it cannot be judged, and nothing about the member.
    pub fn judge(&self, known: Known<'_>) -> Result<Verdict, String> {
        // The rules promise not to panic; should one ever do, it is that incentive's fault alone.
        catch_unwind(AssertUnwindSafe(|| self.try_judge(known)))
            .map_err(|_| "the rule failed unexpectedly".to_owned())?
    }

    fn try_judge(&self, known: Known<'_>) -> Result<Verdict, String> {
        let before = if self.compiled.can_stop {
            rules::stopped_from(known.progress).map_err(|fault| fault.to_string())?
        } else {
            None
        };
        let removed: HashSet<Key> = self.removed.iter().map(Contribution::key).collect();
        let after = self.stopped_from(before, known.rows, &removed);
        let counts = |row: &Contribution| after.is_none_or(|stop| row.occurred_at.instant() < stop);

        let mut verdict = Verdict::default();
        let mut moves: BTreeMap<i32, Moves> = BTreeMap::new();
        for (place, row) in &self.added {
            let role = match row.role {
                Role::Stops => Role::Stops,
                _ if counts(row) => Role::Counts,
                _ => Role::Idle,
            };
            verdict.put.push(Contribution { role, ..row.clone() });
            // Even what changes nothing else may change from when on the member is stopped.
            let moves = moves.entry(row.version).or_default();
            if role == Role::Counts {
                moves.add(row, Some(*place))?;
            }
        }
        for row in &self.removed {
            verdict.deleted.push(row.key());
            let moves = moves.entry(row.version).or_default();
            if row.role == Role::Counts {
                moves.removed.push(evidence(row)?);
            }
        }
        for row in known.rows.iter().filter(|row| !removed.contains(&row.key())) {
            match row.role {
                Role::Counts if !counts(row) => {
                    moves.entry(row.version).or_default().removed.push(evidence(row)?);
                    verdict.roles.push((row.key(), Role::Idle));
                }
                Role::Idle if counts(row) => {
                    moves.entry(row.version).or_default().add(row, None)?;
                    verdict.roles.push((row.key(), Role::Counts));
                }
                _ => {}
            }
        }
        self.apply(known, after, moves, &mut verdict)?;
        Ok(verdict)
    }

    /// From which instant on nothing counts for the member after this case.
    fn stopped_from(
        &self,
        before: Option<DateTime<Utc>>,
        rows: &[Contribution],
        removed: &HashSet<Key>,
    ) -> Option<DateTime<Utc>> {
        let stops = |row: &&Contribution| row.role == Role::Stops;
        let fresh = self.added.iter().map(|(_, row)| row).filter(stops);
        let fresh = fresh.map(|row| row.occurred_at.instant());
        let taken_back = self.removed.iter().filter(stops);
        let first_known = rows.iter().filter(stops).chain(taken_back);
        let first_known = first_known.map(|row| row.occurred_at.instant()).min();
        // A stop from before the horizon is remembered in the progress alone, and for good.
        let is_forgotten = before.is_some_and(|before| first_known.is_none_or(|first| before < first));
        if !is_forgotten && self.removed.iter().any(|row| row.role == Role::Stops) {
            let left = rows
                .iter()
                .filter(stops)
                .filter(|row| !removed.contains(&row.key()));
            left.map(|row| row.occurred_at.instant()).chain(fresh).min()
        } else {
            before.into_iter().chain(fresh).min()
        }
    }

    /// Moves the progress, one version after the other.
    fn apply(
        &self,
        known: Known<'_>,
        stopped_from: Option<DateTime<Utc>>,
        moves: BTreeMap<i32, Moves>,
        verdict: &mut Verdict,
    ) -> Result<(), String> {
        let editions = self.compiled.editions();
        let mut allowance = known.allowance;
        verdict.progress = known.progress.map(str::to_owned);
        for (version, moves) in moves {
            let change = Change {
                added: &moves.added,
                removed: &moves.removed,
                stopped_from,
            };
            let terms = Terms {
                horizon: known.horizon,
                revocable: self.is_revocable(version)?,
                allowance,
            };
            let progress = verdict.progress.as_deref();
            let evaluation = rules::evaluate(&editions, version, progress, &change, terms)
                .map_err(|fault| fault.to_string())?;
            let late = evaluation
                .too_late
                .iter()
                .filter_map(|place| moves.places.get(*place));
            verdict.too_late.extend(late.flatten());
            if evaluation.is_settled {
                // All there is was earned long ago: what is new counts for nothing and need not be kept.
                verdict.put.retain(|row| row.version != version);
                continue;
            }
            let taken = u32::try_from(evaluation.awards.len()).unwrap_or(u32::MAX);
            allowance = allowance.map(|left| left.saturating_sub(taken));
            let judged_by = evaluation.version;
            verdict
                .awards
                .extend(evaluation.awards.into_iter().map(|award| (judged_by, award)));
            verdict.revoked.extend(evaluation.revoked);
            verdict.changed |= evaluation.changed;
            verdict.progress = Some(evaluation.progress);
        }
        if verdict.too_late.is_empty() {
            return Ok(());
        }
        let late: HashSet<Key> = self
            .added
            .iter()
            .filter(|(place, _)| verdict.too_late.contains(place))
            .map(|(_, row)| row.key())
            .collect();
        verdict.put.retain(|row| !late.contains(&row.key()));
        Ok(())
    }

    /// Whether what follows from an award goes with what it rests on.
    fn is_revocable(&self, version: i32) -> Result<bool, String> {
        let version = self
            .compiled
            .version(version)
            .ok_or_else(|| "there is no such version".to_owned())?;
        let ready = version.ready.as_ref().map_err(Clone::clone)?;
        Ok(ready.policy(self.compiled.incentive.sensitive) != RetractionPolicy::Keep)
    }
}

impl Moves {
    fn add(&mut self, row: &Contribution, place: Option<usize>) -> Result<(), String> {
        self.added.push(evidence(row)?);
        self.places.push(place);
        Ok(())
    }
}

fn evidence(row: &Contribution) -> Result<Evidence, String> {
    why::evidence(row).ok_or_else(|| "what an event counted for cannot be read".to_owned())
}
