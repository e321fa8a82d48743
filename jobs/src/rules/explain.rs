//! Why, and why not yet: what an award rests on; what a member has, what is missing, and until when.

use chrono::{DateTime, NaiveDate, Utc};
use rust_decimal::Decimal;

use super::completions::Completions;
use super::judge::Stands;
use super::structure::Deadline;
use super::{Completion, Edition, Evidence, Fault, judge};

/// The most completions that are listed one by one.
const COMPLETIONS_MAX: u32 = 1_000;

/// How far a member is with an incentive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProgressView {
    /// What counts towards the next award; as much as `required` once the limit is reached.
    pub current: Decimal,
    /// What an award takes.
    pub required: Decimal,
    /// The number of awards that stand.
    pub earned: u32,
    /// The first day of the first period of the run that is still alive.
    pub run_started_on: Option<NaiveDate>,
    /// The latest day with a matching event; none once the limit is reached.
    pub last_counted_on: Option<NaiveDate>,
    /// Until when the next step still counts; none while nothing would be lost by waiting.
    pub deadline: Option<Deadline>,
    /// From which instant on nothing counts for the member; none: the member was not stopped.
    pub stopped_from: Option<DateTime<Utc>>,
    /// The first day on which the next award can be earned; none: today. The limit's window has its award until then.
    pub not_before: Option<NaiveDate>,
}

/// What an award rests on.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Grounds {
    /// The places, in the evidence that was given, of what contributed.
    pub places: Vec<usize>,
    /// The places of what contributed with a part of its amount, and that part; the completion before has used the rest.
    pub partly: Vec<(usize, Decimal)>,
    /// What contributed, but is only remembered in sums: an amount and a day by which it was there.
    pub remembered: Vec<Evidence>,
}

impl Grounds {
    /// What contributed, as evidence: a member with nothing else completes the structure on the same day.
    pub fn evidence(&self, known: &[Evidence]) -> Vec<Evidence> {
        let in_full = self.places.iter().filter_map(|place| known.get(*place));
        let in_part = self.partly.iter().filter_map(|(place, amount)| {
            Some(Evidence {
                amount: *amount,
                ..known.get(*place)?.clone()
            })
        });
        let kept = self.remembered.iter().chain(in_full).cloned();
        kept.chain(in_part).collect()
    }
}

/// How a member with this progress stands on `today`, the member's own program day, by version `version`.
pub fn progress(
    editions: &[Edition<'_>],
    version: i32,
    progress: Option<&str>,
    today: NaiveDate,
) -> Result<ProgressView, Fault> {
    let Stands {
        earned,
        standing,
        stopped_from,
        not_before,
    } = judge::standing(editions, version, progress, today)?;
    Ok(ProgressView {
        current: standing.current,
        required: standing.required,
        earned,
        run_started_on: standing.run_started_on,
        last_counted_on: standing.last_counted_on,
        deadline: standing.deadline,
        stopped_from,
        not_before,
    })
}

/// The first day that can matter to what these completions rest on; [`explain`](fn@explain) need not be given evidence of days before.
pub fn reach(
    editions: &[Edition<'_>],
    version: i32,
    progress: Option<&str>,
    completions: impl IntoIterator<Item = Completion>,
) -> Result<Option<NaiveDate>, Fault> {
    let opened = judge::opened(editions, version, progress)?;
    let days = completions.into_iter().map(|completion| opened.reach(completion));
    Ok(days.min())
}

/// What a completion rests on. `progress` is what the evaluation that gave the award has returned; `evidence` is all that is
/// still known in full of the member, by day and, within a day, in the order in which it was counted.
///
/// A member with nothing but these grounds completes the structure on the same day.
pub fn explain(
    editions: &[Edition<'_>],
    version: i32,
    progress: Option<&str>,
    evidence: &[Evidence],
    completion: Completion,
) -> Result<Grounds, Fault> {
    let opened = judge::opened(editions, version, progress)?;
    let grounds = opened.grounds(evidence, completion);
    Ok(Grounds {
        places: grounds.places,
        partly: grounds.partly,
        remembered: grounds.remembered,
    })
}

/// The completions of a member that rest on evidence which can still be taken back, in the order of the calendar; at most a
/// thousand, the latest.
pub fn completions(
    editions: &[Edition<'_>],
    version: i32,
    progress: Option<&str>,
) -> Result<Vec<Completion>, Fault> {
    let completions = judge::opened(editions, version, progress)?.completions();
    Ok(completions.gained_over(
        &Completions::default(),
        COMPLETIONS_MAX.into(),
        COMPLETIONS_MAX as usize,
    ))
}
