//! Which rewards awards give, and which of them go with an award that no longer holds. Values in, values out; whoever gives them
//! calls this when all awards of a batch are known, after the points and before the feeds.

use entity::achievement;

use crate::catalogue::Employers;
use crate::outcome::{RetractionPolicy, RewardOutcome};

/// The awards that give rewards, each with what it gives.
pub fn fresh<'a>(
    employers: &'a Employers,
    earned: &'a [achievement::Model],
) -> Vec<(&'a achievement::Model, &'a [RewardOutcome])> {
    let given = earned.iter().filter_map(|row| {
        let compiled = employers.get(row.employer_id)?.find(row.incentive_id)?;
        let ready = compiled.ready(row.incentive_version)?;
        let rewards = ready.outcomes.rewards.as_slice();
        (!rewards.is_empty()).then_some((row, rewards))
    });
    given.collect()
}

/// The revoked awards whose rewards go with them, where they are still there.
pub fn revoked<'a>(employers: &Employers, revoked: &'a [achievement::Model]) -> Vec<&'a achievement::Model> {
    let goes = |row: &&achievement::Model| {
        let found = employers.get(row.employer_id);
        let compiled = found.and_then(|catalogue| catalogue.find(row.incentive_id));
        let ready = compiled.and_then(|compiled| compiled.ready(row.incentive_version));
        ready.is_some_and(|ready| {
            let policy =
                |outcome: &RewardOutcome| ready.outcomes.policy(outcome.on_retraction, row.sensitive);
            let mut rewards = ready.outcomes.rewards.iter();
            rewards.any(|outcome| policy(outcome) != RetractionPolicy::Keep)
        })
    };
    revoked.iter().filter(goes).collect()
}
