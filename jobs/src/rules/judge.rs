//! One evaluation, the same for every structure: read what is remembered of a member, take back and add evidence, let the limit
//! decide on what that has completed, consume and forget what can no longer change, write it back.

use std::collections::BTreeSet;

use chrono::{DateTime, NaiveDate, Utc};
use serde_json::value::RawValue;

use super::completions::Completions;
use super::limit::{Leave, Limit, Places, Shift};
use super::memory::{Epoch, Memory};
use super::structure::{Opened, Standing};
use super::{Award, Change, Edition, Evaluation, Fault, Incentive, Terms, Tidied};

/// The version that judges: its number, its rule, and the version its epoch begins with.
#[derive(Clone, Copy)]
struct Judging<'a> {
    number: i32,
    first: i32,
    rule: &'a Incentive,
}

/// Moves the progress of one member. See [`super::evaluate`].
pub(super) fn judge(
    editions: &[Edition<'_>],
    number: i32,
    progress: Option<&str>,
    change: &Change<'_>,
    terms: Terms,
) -> Result<Evaluation, Fault> {
    let mut memory = Memory::read(progress)?;
    let judging = judging(editions, &memory, number)?;
    let limit = judging.rule.limit;
    if memory.epochs.is_empty() && limit.is_reached(&memory.earned) {
        return Ok(Evaluation::settled(progress, judging.number));
    }
    let mut epoch = take_epoch(&mut memory, judging);
    let mut opened = open(editions, judging, &mut epoch, &mut memory)?;

    let is_latest = memory.epochs.iter().all(|other| other.first < epoch.first);
    let pending = memory.pending(epoch.consumed.saturating_add(epoch.open));

    let before = opened.completions();
    let mut missing = Vec::new();
    for (place, evidence) in change.removed.iter().enumerate() {
        let is_forgotten = epoch.horizon.is_some_and(|horizon| evidence.day < horizon);
        if is_forgotten || !opened.remove(evidence) {
            missing.push(place);
        }
    }
    let kept = if change.removed.is_empty() {
        before.clone()
    } else {
        opened.completions()
    };
    let mut too_late = Vec::new();
    let mut today = terms.horizon;
    for (place, evidence) in change.added.iter().enumerate() {
        if epoch.horizon.is_some_and(|horizon| evidence.day < horizon) {
            too_late.push(place);
        } else {
            opened.insert(evidence)?;
            today = today.max(evidence.day);
        }
    }
    let after = if change.added.is_empty() {
        kept.clone()
    } else {
        opened.completions()
    };
    epoch.open = after.total();
    let lost = before.total().saturating_sub(kept.total());
    memory.idle = memory.idle.saturating_sub(lost);
    let mut own = std::mem::take(&mut epoch.windows);
    let mut places = Places {
        own: &mut own,
        others: memory.windows(),
    };
    memory.epochs.push(epoch);
    let shift = Shift {
        before: &before,
        kept: &kept,
        after: &after,
        total: memory.total(),
        is_latest,
        today,
    };
    let leave = Leave {
        revocable: terms.revocable,
        allowance: terms.allowance,
    };
    let (awards, revoked) = limit.follow(&mut memory.earned, &mut places, shift, leave)?;
    if !is_latest {
        memory.drop_beyond(pending);
    }
    memory.stop_from(change.stopped_from);
    let horizon = settled_before(change, &awards, terms.horizon);
    if let Some(mut epoch) = memory.epochs.pop() {
        let consumed = opened.consume_before(horizon);
        let forgot = opened.forget_before(horizon);
        let rest = || opened.completions();
        let forgot_windows = limit.settle(&mut memory.earned, &mut own, &consumed, rest, horizon);
        epoch.windows = own;
        let epoch = close(epoch, &*opened, &consumed, forgot || forgot_windows, horizon)?;
        memory.epochs.push(epoch);
    }
    drop_old_epochs(editions, &mut memory, judging.first, terms.horizon);
    memory.epochs.sort_by_key(|epoch| epoch.first);
    if forget_what_is_settled(limit, &mut memory) {
        too_late.clear();
    }
    let text = memory.write()?;
    Ok(Evaluation {
        changed: progress != Some(text.as_str()),
        progress: text,
        version: judging.number,
        awards,
        revoked,
        too_late,
        missing,
        is_settled: false,
    })
}

/// The horizon of a call that has just been judged: what it has changed and what it has awarded is still explained by the
/// progress that it returns, and settled with the next call.
fn settled_before(change: &Change<'_>, awards: &[Award], horizon: NaiveDate) -> NaiveDate {
    let changed = change
        .added
        .iter()
        .chain(change.removed)
        .map(|evidence| evidence.day);
    let awarded = awards.iter().map(|award| award.completion.day);
    changed.chain(awarded).fold(horizon, NaiveDate::min)
}

/// How a member stands.
pub(super) struct Stands {
    /// How many awards stand.
    pub earned: u32,
    /// How far the next completion is.
    pub standing: Standing,
    /// From which instant on nothing counts.
    pub stopped_from: Option<DateTime<Utc>>,
    /// The first day on which the next award can be earned; none: today.
    pub not_before: Option<NaiveDate>,
}

/// How a member stands on `today`.
pub(super) fn standing(
    editions: &[Edition<'_>],
    number: i32,
    progress: Option<&str>,
    today: NaiveDate,
) -> Result<Stands, Fault> {
    let mut memory = Memory::read(progress)?;
    let judging = judging(editions, &memory, number)?;
    let earned = memory.earned.count;
    let stopped_from = memory.stopped_from();
    let limit = judging.rule.limit;
    if limit.is_reached(&memory.earned) {
        return Ok(Stands {
            earned,
            standing: judging.rule.structure.completed(),
            stopped_from,
            not_before: None,
        });
    }
    let not_before = limit.free_from(&memory.earned, &memory.windows(), today);
    let mut epoch = take_epoch(&mut memory, judging);
    let opened = open(editions, judging, &mut epoch, &mut memory)?;
    Ok(Stands {
        earned,
        standing: opened.standing(today),
        stopped_from,
        not_before,
    })
}

/// What is left of a member's progress when `horizon` has passed. See [`super::tidy`].
pub(super) fn tidy(
    editions: &[Edition<'_>],
    number: i32,
    progress: &str,
    horizon: NaiveDate,
) -> Result<Tidied, Fault> {
    let mut memory = Memory::read(Some(progress))?;
    let limit = rule(editions, number)?.limit;
    let mut is_blank = true;
    let mut epochs = Vec::new();
    for mut epoch in std::mem::take(&mut memory.epochs) {
        let mut opened = rule(editions, epoch.version)?
            .structure
            .open(Some(epoch.state.get()))?;
        let consumed = opened.consume_before(horizon);
        let forgot = opened.forget_before(horizon);
        let rest = || opened.completions();
        let forgot_windows = limit.settle(&mut memory.earned, &mut epoch.windows, &consumed, rest, horizon);
        is_blank &= opened.is_blank();
        epochs.push(close(
            epoch,
            &*opened,
            &consumed,
            forgot || forgot_windows,
            horizon,
        )?);
    }
    memory.epochs = epochs;
    drop_old_epochs(editions, &mut memory, first_of_epoch(editions, number), horizon);
    forget_what_is_settled(limit, &mut memory);
    if is_blank && memory.earned.count == 0 && memory.total() == 0 && memory.stopped_from().is_none() {
        return Ok(Tidied::Nothing);
    }
    let text = memory.write()?;
    Ok(if text == progress {
        Tidied::Unchanged
    } else {
        Tidied::Changed(text)
    })
}

/// The structure with the member's state as the version sees it.
pub(super) fn opened<'a>(
    editions: &[Edition<'a>],
    number: i32,
    progress: Option<&str>,
) -> Result<Box<dyn Opened + 'a>, Fault> {
    let mut memory = Memory::read(progress)?;
    let judging = judging(editions, &memory, number)?;
    let mut epoch = take_epoch(&mut memory, judging);
    open(editions, judging, &mut epoch, &mut memory)
}

/// Which version judges: the one asked for, or the latest that has judged in its epoch, by whose settings the state is.
fn judging<'a>(editions: &[Edition<'a>], memory: &Memory, number: i32) -> Result<Judging<'a>, Fault> {
    let first = first_of_epoch(editions, number);
    let number = memory
        .epochs
        .iter()
        .find(|epoch| epoch.first == first)
        .map_or(number, |epoch| epoch.version.max(number));
    Ok(Judging {
        number,
        first,
        rule: rule(editions, number)?,
    })
}

fn rule<'a>(editions: &[Edition<'a>], number: i32) -> Result<&'a Incentive, Fault> {
    editions
        .iter()
        .find(|edition| edition.number == number)
        .and_then(|edition| edition.rule)
        .ok_or(Fault::UnknownVersion { number })
}

/// The version with which the epoch of version `number` begins.
fn first_of_epoch(editions: &[Edition<'_>], number: i32) -> i32 {
    let starts = editions.iter().filter(|edition| edition.number <= number);
    starts
        .filter(|edition| edition.restarts)
        .map(|edition| edition.number)
        .max()
        .unwrap_or(1)
}

/// Takes the epoch out of the memory, or begins it.
fn take_epoch(memory: &mut Memory, judging: Judging<'_>) -> Epoch {
    let place = memory
        .epochs
        .iter()
        .position(|epoch| epoch.first == judging.first);
    if let Some(place) = place {
        return memory.epochs.remove(place);
    }
    if memory.epochs.is_empty() {
        // Of a member who had earned all there was, only the number of awards was kept.
        memory.over = memory.earned.count.into();
        memory.idle = 0;
    } else if memory.epochs.iter().all(|epoch| epoch.first < judging.first) {
        memory.drop_excess(0);
    }
    Epoch {
        first: judging.first,
        version: judging.number,
        consumed: 0,
        open: 0,
        windows: BTreeSet::new(),
        horizon: None,
        state: RawValue::NULL.to_owned(),
    }
}

/// Opens the state of an epoch. When an older version was the last to judge, what it has completed is consumed by its own
/// settings first, and what was on the way goes on by those of the newer one.
fn open<'a>(
    editions: &[Edition<'a>],
    judging: Judging<'a>,
    epoch: &mut Epoch,
    memory: &mut Memory,
) -> Result<Box<dyn Opened + 'a>, Fault> {
    let state = Some(epoch.state.get()).filter(|state| *state != RawValue::NULL.get());
    if epoch.version == judging.number {
        return judging.rule.structure.open(state);
    }
    let mut old = rule(editions, epoch.version)?.structure.open(state)?;
    let consumed = old.consume_all().total();
    epoch.consumed = epoch.consumed.saturating_add(consumed);
    epoch.open = 0;
    epoch.version = judging.number;
    memory.earned.windows.append(&mut epoch.windows);
    memory.drop_excess(epoch.consumed);
    judging.rule.structure.open(Some(old.write()?.get()))
}

fn close(
    mut epoch: Epoch,
    opened: &dyn Opened,
    consumed: &Completions,
    forgot: bool,
    horizon: NaiveDate,
) -> Result<Epoch, Fault> {
    let consumed = consumed.total();
    epoch.consumed = epoch.consumed.saturating_add(consumed);
    epoch.open = epoch.open.saturating_sub(consumed);
    if forgot || consumed > 0 {
        epoch.horizon = epoch.horizon.max(Some(horizon));
    }
    epoch.state = opened.write()?;
    Ok(epoch)
}

/// Forgets epochs of which no event can come any more; what they have completed stays in the count.
fn drop_old_epochs(editions: &[Edition<'_>], memory: &mut Memory, current: i32, horizon: NaiveDate) {
    let ended = |first: i32| {
        let next = editions
            .iter()
            .find(|edition| edition.restarts && edition.number > first)?;
        // A day of leave for zones in which the day before has not ended.
        Some(next.effective_from?.date_naive().succ_opt()? < horizon)
    };
    let (mut over, mut windows) = (memory.over, BTreeSet::new());
    memory.epochs.retain_mut(|epoch| {
        let is_over = epoch.first < current && ended(epoch.first) == Some(true);
        if is_over {
            over = over.saturating_add(epoch.consumed).saturating_add(epoch.open);
            windows.append(&mut epoch.windows);
        }
        !is_over
    });
    memory.over = over;
    memory.earned.windows.append(&mut windows);
}

/// Keeps nothing but the number of awards where nothing can follow and nothing can be taken back.
fn forget_what_is_settled(limit: Limit, memory: &mut Memory) -> bool {
    let is_settled = limit.is_reached(&memory.earned)
        && limit
            .most()
            .is_some_and(|most| memory.settled() >= u64::from(most));
    if is_settled {
        memory.epochs.clear();
        (memory.over, memory.idle) = (0, 0);
    }
    is_settled
}

impl Evaluation {
    /// Of a member who has earned everything there is, for good.
    fn settled(progress: Option<&str>, version: i32) -> Evaluation {
        Evaluation {
            progress: progress.unwrap_or(r#"{"e":{}}"#).to_owned(),
            changed: false,
            version,
            awards: Vec::<Award>::new(),
            revoked: Vec::new(),
            too_late: Vec::new(),
            missing: Vec::new(),
            is_settled: true,
        }
    }
}
