//! One evaluation, the same for every structure: read what is remembered of a member, take the occurrences in the order of
//! their days, let the limit decide on what they completed, forget what can no longer matter, write it back.
//!
//! [`Judge`] is [`Structure`] without its type of state, so that an incentive holds any of them and nobody has to tell them
//! apart.

use std::fmt::Debug;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::limit::{Earned, Limit};
use super::structure::{Standing, Structure};
use super::{Award, Evaluation, Fault, Occurrence};

/// A structure that reads and writes its own state.
pub(super) trait Judge: Debug + Send + Sync {
    /// Evaluates matching occurrences, each with its place in the caller's list.
    fn judge(
        &self,
        limit: Limit,
        progress: Option<&str>,
        matching: Vec<(usize, &Occurrence<'_>)>,
        horizon: NaiveDate,
    ) -> Result<Evaluation, Fault>;

    /// How often a member has been awarded, and how far the next completion is on `today`.
    fn standing(
        &self,
        limit: Limit,
        progress: Option<&str>,
        today: NaiveDate,
    ) -> Result<(u32, Standing), Fault>;
}

/// What an incentive remembers of a member, as it is stored.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Memory<S> {
    /// What the limit remembers.
    #[serde(rename = "e", default)]
    earned: Earned,
    /// The first day of which everything is still known; none while nothing has been forgotten.
    #[serde(rename = "h", skip_serializing_if = "Option::is_none")]
    horizon: Option<NaiveDate>,
    /// What the structure remembers; none before its first event, and again once the limit is reached.
    #[serde(rename = "s", skip_serializing_if = "Option::is_none")]
    state: Option<S>,
}

impl<S: Structure> Judge for S {
    fn judge(
        &self,
        limit: Limit,
        progress: Option<&str>,
        mut matching: Vec<(usize, &Occurrence<'_>)>,
        horizon: NaiveDate,
    ) -> Result<Evaluation, Fault> {
        let mut memory = read(self, limit, progress)?;
        if limit.is_reached(&memory.earned) {
            return Ok(Evaluation::unchanged(progress));
        }
        // Which awards there are does not depend on the order, but their days do: in the order of the calendar they are the
        // same however the call was put together.
        matching.sort_by_key(|(_, occurrence)| (occurrence.day, occurrence.occurred_at));

        let mut state = memory.state.take().unwrap_or_else(|| self.start());
        let mut awards = Vec::new();
        let mut too_late = Vec::new();
        for (place, occurrence) in matching {
            if memory.horizon.is_some_and(|horizon| occurrence.day < horizon) {
                too_late.push(place);
            } else if let Some(day) = self.take(&mut state, occurrence) {
                awards.extend(limit.award(&mut memory.earned, day));
            }
        }

        if limit.is_reached(&memory.earned) {
            // Nothing can follow, so the number of awards is all that is left to know.
            memory.horizon = None;
            too_late.clear();
        } else {
            let forgot = [
                self.forget_before(&mut state, horizon),
                limit.forget_before(&mut memory.earned, horizon),
            ];
            if forgot.contains(&true) {
                memory.horizon = memory.horizon.max(Some(horizon));
            }
            memory.state = Some(state);
        }
        write(&memory, progress, awards, too_late)
    }

    fn standing(
        &self,
        limit: Limit,
        progress: Option<&str>,
        today: NaiveDate,
    ) -> Result<(u32, Standing), Fault> {
        let memory = read(self, limit, progress)?;
        let standing = if limit.is_reached(&memory.earned) {
            self.completed()
        } else {
            Structure::standing(self, &memory.state.unwrap_or_else(|| self.start()), today)
        };
        Ok((memory.earned.count, standing))
    }
}

fn read<S: Structure>(structure: &S, limit: Limit, progress: Option<&str>) -> Result<Memory<S::State>, Fault>
where
    S::State: DeserializeOwned,
{
    let Some(text) = progress else {
        return Ok(Memory {
            earned: Earned::default(),
            horizon: None,
            state: None,
        });
    };
    // The reader's own message may quote what it found, and that is about a member.
    let memory: Memory<S::State> = serde_json::from_str(text).map_err(|error| Fault::UnreadableProgress {
        column: error.column(),
    })?;
    let sound = limit.is_sound(&memory.earned)
        && memory
            .state
            .as_ref()
            .is_none_or(|state| structure.is_sound(state));
    if sound {
        Ok(memory)
    } else {
        Err(Fault::UnsoundProgress)
    }
}

fn write<T: Serialize>(
    memory: &Memory<T>,
    progress: Option<&str>,
    awards: Vec<Award>,
    too_late: Vec<usize>,
) -> Result<Evaluation, Fault> {
    let text = serde_json::to_string(memory).map_err(|_| Fault::UnwritableProgress)?;
    Ok(Evaluation {
        changed: progress != Some(text.as_str()),
        progress: text,
        awards,
        too_late,
    })
}
