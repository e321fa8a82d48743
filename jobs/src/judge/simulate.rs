//! A dry run: what one member would earn by a draft of an incentive, judged by the same steps as what comes out of the queue, in
//! memory alone.

use chrono::NaiveDate;
use entity::contribution::{Contribution, Role};
use entity::id::MemberId;

use super::case::{Case, Known};
use super::{Basis, revokes};
use crate::catalogue::{Catalogue, Compiled};
use crate::rules::Award;
use crate::why::Why;

/// What is judged at once: little enough that no step earns more awards than the rules hand out at once.
const STEP: usize = 100;

/// What a member would earn.
#[derive(Debug, Clone)]
pub struct Simulated {
    /// The award.
    pub award: Award,
    /// What it rests on.
    pub why: Why,
}

/// Judges what a member has done, in the order in which it happened; at most `most` awards. An error says why it cannot be judged.
pub fn simulate(
    catalogue: &Catalogue,
    compiled: &Compiled,
    member: MemberId,
    mut contributions: Vec<Contribution>,
    most: usize,
) -> Result<Vec<Simulated>, String> {
    // At one instant, what stops comes first: nothing is earned that would be taken back at once.
    contributions.sort_by(|one, other| {
        let order = |row: &Contribution| (row.occurred_at, row.role != Role::Stops);
        order(one).cmp(&order(other))
    });
    let mut rows: Vec<Contribution> = Vec::new();
    let mut progress: Option<String> = None;
    let mut awards: Vec<Simulated> = Vec::new();
    for step in contributions.chunks(STEP) {
        let case = Case {
            catalogue,
            compiled,
            member,
            added: step.iter().cloned().enumerate().collect(),
            removed: Vec::new(),
        };
        let verdict = case.judge(Known {
            progress: progress.as_deref(),
            rows: &rows,
            // Samples lie anywhere in time, so nothing is forgotten.
            horizon: NaiveDate::MIN,
            allowance: None,
        })?;
        for revocation in &verdict.revoked {
            let named = |one: &Simulated| revokes(revocation, &one.award.period_key, one.award.ordinal);
            if let Some(place) = awards.iter().position(named) {
                awards.remove(place);
            }
        }
        if awards.len() + verdict.awards.len() > most {
            return Err(format!("this would be more than {most} awards"));
        }
        for earned in Basis::new(&case, &verdict, &rows).earned() {
            let why = earned.why.as_deref().and_then(Why::read);
            awards.push(Simulated {
                award: earned.award,
                why: why.ok_or_else(|| "what an award rests on cannot be told".to_owned())?,
            });
        }
        for (key, role) in &verdict.roles {
            for row in rows.iter_mut().filter(|row| row.key() == *key) {
                row.role = *role;
            }
        }
        rows.extend(verdict.put);
        progress = verdict.progress;
    }
    Ok(awards)
}
