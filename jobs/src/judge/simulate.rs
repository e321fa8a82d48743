//! A dry run: what one member would earn by a draft of an incentive, judged by the same steps as what comes out of the queue, in
//! memory alone.
//!
//! What happened is judged in the order in which it happened, a little at a time; of a member with a long sample the progress is
//! tidied between the steps as the purge does it, so that the cost of a step does not grow with those before it.

use chrono::NaiveDate;
use entity::contribution::{Contribution, Role};
use entity::earning::refund::Refund;
use entity::id::MemberId;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::case::{Case, Known, Verdict};
use super::{Basis, revokes};
use crate::catalogue::{Catalogue, Compiled};
use crate::record::points::{Caps, Gain, gains, settle_orders};
use crate::rules::{self, Award, Tidied};
use crate::why::Why;

/// What is judged at once.
const STEP: usize = 100;
/// What is kept in full at least, for explanations.
const KEPT: usize = 250;

/// The most awards of one member: each brings its explanation.
pub const AWARDS_MAX: usize = 10_000;

/// What a member would earn.
#[derive(Debug, Clone)]
pub struct Simulated {
    /// The award.
    pub award: Award,
    /// What it rests on.
    pub why: Why,
    /// The points that it would earn, of all categories; none: the incentive gives none.
    pub points: Option<i64>,
}

/// What the samples of a member say.
#[derive(Debug, Default)]
pub struct Samples {
    /// What counts for the draft.
    pub contributions: Vec<Contribution>,
    /// What is left of orders.
    pub refunds: Vec<Refund>,
}

/// Judges what a member has done; at most [`AWARDS_MAX`] awards. An error says why it cannot be judged, or that it is `unwanted` by now.
pub fn simulate(
    catalogue: &Catalogue,
    compiled: &Compiled,
    member: MemberId,
    samples: Samples,
    attributes: &Value,
    unwanted: &CancellationToken,
) -> Result<Vec<Simulated>, String> {
    let Samples {
        mut contributions,
        refunds,
    } = samples;
    // At one instant, what stops comes first: nothing is earned that would be taken back at once.
    contributions.sort_by_key(|row| (row.occurred_at, row.role != Role::Stops));
    // For each step the first day of what comes after it. Days need not follow the instants, because zones differ.
    let mut ahead = NaiveDate::MAX;
    let mut steps: Vec<(&[Contribution], NaiveDate)> = Vec::new();
    for step in contributions.chunks(STEP).rev() {
        steps.push((step, ahead));
        ahead = step.iter().map(|row| row.day).fold(ahead, NaiveDate::min);
    }
    let mut run = Run {
        catalogue,
        compiled,
        member,
        attributes,
        rows: Vec::new(),
        progress: None,
        awards: Vec::new(),
    };
    for (step, next) in steps.into_iter().rev() {
        if unwanted.is_cancelled() {
            return Err("nobody waits for it".to_owned());
        }
        run.judge(step)?;
        run.tidy(next)?;
    }
    settle_orders(
        run.awards.iter_mut().flat_map(|(_, gains)| gains).flatten(),
        &refunds,
    );
    // What an award gets of a cap depends on those before it, and some may have been taken back.
    let mut caps = Caps::default();
    for (simulated, gains) in &mut run.awards {
        simulated.points = gains.as_ref().map(|gains| caps.through(gains));
    }
    Ok(run.awards.into_iter().map(|(simulated, _)| simulated).collect())
}

/// A dry run under way.
struct Run<'a> {
    catalogue: &'a Catalogue,
    compiled: &'a Compiled,
    member: MemberId,
    attributes: &'a Value,
    rows: Vec<Contribution>,
    progress: Option<String>,
    /// With the points that each would earn before the caps.
    awards: Vec<(Simulated, Option<Vec<Gain>>)>,
}

impl Run<'_> {
    /// Judges a step; one that would earn more than the rules award at once is judged in halves.
    fn judge(&mut self, step: &[Contribution]) -> Result<(), String> {
        let case = Case {
            catalogue: self.catalogue,
            compiled: self.compiled,
            member: self.member,
            added: step.iter().cloned().enumerate().collect(),
            removed: Vec::new(),
        };
        let known = Known {
            progress: self.progress.as_deref(),
            rows: &self.rows,
            // Samples lie anywhere in time.
            horizon: NaiveDate::MIN,
            allowance: None,
        };
        match case.judge(known) {
            Ok(verdict) => self.note(&case, verdict),
            Err(reason) => match step.split_at_checked(step.len() / 2) {
                Some((first, second)) if !first.is_empty() => {
                    self.judge(first)?;
                    self.judge(second)
                }
                _ => Err(reason),
            },
        }
    }

    fn note(&mut self, case: &Case<'_>, verdict: Verdict) -> Result<(), String> {
        for revocation in &verdict.revoked {
            let is_named =
                |(one, _): &(Simulated, _)| revokes(revocation, &one.award.period_key, one.award.ordinal);
            if let Some(place) = self.awards.iter().position(is_named) {
                self.awards.remove(place);
            }
        }
        if self.awards.len() + verdict.awards.len() > AWARDS_MAX {
            return Err(format!("this would be more than {AWARDS_MAX} awards"));
        }
        if !verdict.awards.is_empty() {
            let basis = Basis::new(case, &verdict, &self.rows);
            for earned in basis.earned() {
                let why = earned.why.as_deref().and_then(Why::read);
                let ready = self.compiled.ready(earned.version);
                let gains = ready.filter(|ready| !ready.outcomes.points.is_empty()).map(|_| {
                    gains(
                        self.catalogue,
                        self.compiled,
                        (earned.version, earned.award.earned_on),
                        basis.event_of(earned.version, &earned.award),
                        self.attributes,
                    )
                });
                let simulated = Simulated {
                    award: earned.award,
                    why: why.ok_or_else(|| "what an award rests on cannot be told".to_owned())?,
                    points: None,
                };
                self.awards.push((simulated, gains));
            }
        }
        for (key, role) in &verdict.roles {
            for row in self.rows.iter_mut().filter(|row| row.key() == *key) {
                row.role = *role;
            }
        }
        self.rows.extend(verdict.put);
        self.progress = verdict.progress;
        Ok(())
    }

    /// Forgets what no longer matters, once there is enough of it. Nothing of a day before `next` follows.
    fn tidy(&mut self, next: NaiveDate) -> Result<(), String> {
        let Some(recent) = self.rows.len().checked_sub(KEPT).filter(|older| *older > 0) else {
            return Ok(());
        };
        let kept = self.rows.iter().skip(recent).map(|row| row.day);
        let horizon = kept.fold(next, NaiveDate::min);
        let Some(version) = self.rows.last().map(|row| row.version) else {
            return Ok(());
        };
        if let Some(progress) = &self.progress {
            let editions = self.compiled.editions();
            let tidied = rules::tidy(&editions, version, progress, horizon);
            match tidied.map_err(|fault| fault.to_string())? {
                Tidied::Unchanged => {}
                Tidied::Changed(progress) => self.progress = Some(progress),
                Tidied::Nothing => self.progress = None,
            }
        }
        self.rows
            .retain(|row| row.day >= horizon || row.role == Role::Stops);
        Ok(())
    }
}
