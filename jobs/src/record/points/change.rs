//! From what was said to what it comes to: values in, values out.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::NaiveDate;
use entity::clock::Timestamp;
use entity::contribution::Contribution;
use entity::earning::refund::Refund;
use entity::earning::{self, CauseKey, Earning, cap};
use entity::id::EmployerId;
use entity::ledger::{AccountKey, Moment, Shortfall};
use rust_decimal::Decimal;

use crate::catalogue::{Compiled, Employers};
use crate::judge::Release;
use crate::outcome::{PointsOutcome, RetractionPolicy};
use crate::rules::points::{Cap, Excess, Stated, Used};

/// Something that has changed in what points of one category are earned for one cause.
pub(super) struct Change {
    pub cause: CauseKey,
    pub category: String,
    /// Whether the cause is an order, of which there can be refunds and other events.
    pub is_order: bool,
    pub what: What,
}

pub(super) enum What {
    /// It is there.
    Earned(Claim),
    /// It was taken back.
    Gone {
        /// What it had said.
        stated: Stated,
        policy: RetractionPolicy,
    },
}

/// What an event or an award says of a cause.
#[derive(Debug, Clone, Copy)]
pub(super) struct Claim {
    pub version: i32,
    pub day: NaiveDate,
    pub stated: Stated,
    pub factor: Decimal,
}

/// What an event that counts earns of one category.
pub(super) struct EarnedBy<'a> {
    pub cause: CauseKey,
    pub outcome: &'a PointsOutcome,
    pub is_order: bool,
    pub claim: Claim,
}

/// What is known of the causes that change.
pub(super) struct Known {
    pub earnings: Vec<Earning>,
    pub refunds: Vec<Refund>,
    /// What other events say of orders of which one was taken back.
    pub others: Vec<(Key, Claim)>,
}

/// A cause and a category.
pub(super) type Key = (CauseKey, String);

/// By how many points an account changes for a cause.
pub(super) struct Delta {
    pub cause: CauseKey,
    pub category: String,
    pub version: i32,
    pub points: i64,
    pub shortfall: Shortfall,
    /// Whether what was earned, and waited for an event, no longer does.
    pub releases: bool,
    /// Whether what is earned waits for an event.
    pub awaits: bool,
}

impl Delta {
    pub fn account(&self) -> AccountKey {
        AccountKey {
            employer_id: self.cause.employer_id,
            member_id: self.cause.member_id,
            category: self.category.clone(),
        }
    }
}

/// What an event that counts earns by itself, of each category.
pub(super) fn earned_by<'a>(
    compiled: &'a Compiled,
    row: &'a Contribution,
) -> impl Iterator<Item = EarnedBy<'a>> {
    let ready = compiled.ready(row.version).filter(|ready| ready.earns_by_event);
    let outcomes = ready
        .map(|ready| ready.outcomes.points.as_slice())
        .unwrap_or_default();
    let factors = row.factor.as_deref().unwrap_or_default().split(' ');
    outcomes.iter().zip(factors).filter_map(|(outcome, factor)| {
        let amount = match &outcome.per_unit {
            Some(_) => decimal(row.units.as_deref()?)?,
            None => Decimal::ONE,
        };
        let order = row.cause.clone().filter(|_| outcome.order_name().is_some());
        let is_order = order.is_some();
        Some(EarnedBy {
            cause: CauseKey {
                employer_id: row.employer_id,
                member_id: row.member_id,
                incentive_id: row.incentive_id,
                cause: order.unwrap_or_else(|| earning::cause_of_event(&row.source, &row.event_id)),
            },
            outcome,
            is_order,
            claim: Claim {
                version: row.version,
                day: row.day,
                stated: Stated {
                    at: row.occurred_at.instant(),
                    amount,
                },
                factor: decimal(factor)?,
            },
        })
    })
}

/// What is earned for causes, before and after.
struct Slot {
    before: Option<Earning>,
    after: Earning,
    /// How it was taken back, if it was.
    gone: Option<RetractionPolicy>,
    is_refunded: bool,
}

impl Slot {
    /// Of a cause for which nothing is earned yet.
    fn new((cause, category): &Key, version: i32, day: NaiveDate) -> Self {
        Self {
            before: None,
            after: Earning {
                employer_id: cause.employer_id,
                member_id: cause.member_id,
                incentive_id: cause.incentive_id,
                category: category.clone(),
                cause: cause.cause.clone(),
                version,
                day,
                units: None,
                stated_at: None,
                remaining: None,
                refunded_at: None,
                released_at: None,
                factor: Decimal::ONE.to_string(),
                gross: 0,
                is_rejected: false,
                updated_on: day,
            },
            gone: None,
            is_refunded: false,
        }
    }
}

/// The causes that change, with their caps.
pub(super) struct Board<'a> {
    employers: &'a Employers,
    slots: HashMap<Key, Slot>,
    /// The order in which they came: which of several earnings a cap rejects depends on it.
    order: Vec<Key>,
    refunds: HashMap<CauseKey, Vec<Stated>>,
    taken_back: HashMap<CauseKey, Vec<Stated>>,
    others: HashMap<Key, Vec<Claim>>,
    caps: BTreeMap<cap::Key, (cap::Used, Used)>,
}

impl<'a> Board<'a> {
    pub fn new(employers: &'a Employers, known: Known, taken_back: &[Refund]) -> Self {
        let by_cause = |refunds: &[Refund]| {
            let mut stated: HashMap<CauseKey, Vec<Stated>> = HashMap::new();
            for refund in refunds {
                let said = statement(Some(&refund.remaining), Some(refund.occurred_at));
                stated.entry(refund.cause_key()).or_default().extend(said);
            }
            stated
        };
        let mut others: HashMap<Key, Vec<Claim>> = HashMap::new();
        for (key, claim) in known.others {
            others.entry(key).or_default().push(claim);
        }
        let slot = |row: Earning| {
            let key = (row.cause_key(), row.category.clone());
            let slot = Slot {
                before: Some(row.clone()),
                after: row,
                gone: None,
                is_refunded: false,
            };
            (key, slot)
        };
        Self {
            employers,
            slots: known.earnings.into_iter().map(slot).collect(),
            order: Vec::new(),
            refunds: by_cause(&known.refunds),
            taken_back: by_cause(taken_back),
            others,
            caps: BTreeMap::new(),
        }
    }

    /// Brings in what has changed, what refunds say of it, and what may be spent from now on. `now` is the present of an employer.
    pub fn apply(
        &mut self,
        changes: Vec<Change>,
        refunded: &BTreeSet<CauseKey>,
        released: &[Release],
        now: impl Fn(EmployerId) -> Moment,
    ) {
        let mut seen: BTreeSet<Key> = BTreeSet::new();
        for change in changes {
            let key = (change.cause, change.category);
            if seen.insert(key.clone()) {
                self.order.push(key.clone());
            }
            match change.what {
                What::Earned(claim) => self.earn(key, claim),
                What::Gone { stated, policy } => self.lose(&key, stated, policy),
            }
        }
        for release in released {
            let now = now(release.cause.employer_id);
            for key in self.release(release, now) {
                if seen.insert(key.clone()) {
                    self.order.push(key);
                }
            }
        }
        let mut more: Vec<Key> = self
            .slots
            .keys()
            .filter(|key| refunded.contains(&key.0) && !seen.contains(*key))
            .cloned()
            .collect();
        more.sort_unstable();
        self.order.extend(more);
        for key in &self.order {
            let Some(slot) = self.slots.get_mut(key) else {
                continue;
            };
            let void = self.taken_back.get(&key.0).map(Vec::as_slice).unwrap_or_default();
            let known = statement(slot.after.remaining.as_deref(), slot.after.refunded_at);
            let known = known.filter(|known| !void.contains(known));
            let said = self.refunds.get(&key.0).into_iter().flatten().copied();
            let left = Stated::latest(said.chain(known));
            slot.after.remaining = left.map(|left| left.amount.to_string());
            slot.after.refunded_at = left.map(|left| Timestamp::from(left.at));
            slot.is_refunded = refunded.contains(&key.0);
        }
    }

    fn earn(&mut self, key: Key, claim: Claim) {
        let fresh = Slot::new(&key, claim.version, claim.day);
        let slot = self.slots.entry(key).or_insert(fresh);
        let known = statement(slot.after.units.as_deref(), slot.after.stated_at);
        if known.is_none_or(|known| claim.stated.supersedes(&known)) {
            let awaited = awaited_by(self.employers, &slot.after);
            claim.write(&mut slot.after);
            // What has come before the order was read by another version, and may be nothing that this one waits for.
            if awaited != awaited_by(self.employers, &slot.after) {
                slot.after.released_at = None;
            }
        }
    }

    /// Takes note of what need not wait any longer, or will not have to: the event may come before the order.
    fn release(&mut self, release: &Release, now: Moment) -> Vec<Key> {
        let cause = &release.cause;
        let found = self.employers.get(cause.employer_id);
        let Some(compiled) = found.and_then(|catalogue| catalogue.find(cause.incentive_id)) else {
            return Vec::new();
        };
        let mut keys = Vec::new();
        for (category, version) in compiled.released_by(&release.event_type) {
            let key = (cause.clone(), category.to_owned());
            let fresh = Slot::new(&key, version, now.on);
            let slot = self.slots.entry(key.clone()).or_insert(fresh);
            if slot.after.released_at.is_none()
                && awaited_by(self.employers, &slot.after) == Some(release.event_type.as_str())
            {
                slot.after.released_at = Some(now.at);
                keys.push(key);
            }
        }
        keys
    }

    fn lose(&mut self, key: &Key, stated: Stated, policy: RetractionPolicy) {
        let Some(slot) = self.slots.get_mut(key) else {
            return;
        };
        // Another event has said something else of it since.
        if statement(slot.after.units.as_deref(), slot.after.stated_at) != Some(stated) {
            return;
        }
        slot.gone = Some(policy);
        let later = |one: Claim, other: Claim| {
            if other.stated.supersedes(&one.stated) {
                other
            } else {
                one
            }
        };
        let others = self.others.get(key).into_iter().flatten().copied();
        match others.reduce(later) {
            Some(claim) => claim.write(&mut slot.after),
            None => {
                slot.after.units = None;
                slot.after.stated_at = None;
            }
        }
    }

    /// The caps that count, whose use is to be brought in.
    pub fn caps(&self) -> Vec<cap::Key> {
        let mut caps = BTreeSet::new();
        for slot in self.order.iter().filter_map(|key| self.slots.get(key)) {
            for earning in slot.before.iter().chain([&slot.after]) {
                caps.extend(self.cap_of(earning).map(|(key, _)| key));
            }
        }
        caps.into_iter().collect()
    }

    pub fn bring_caps(&mut self, known: Vec<(cap::Key, cap::Used)>) {
        for (key, used) in known {
            let now = Used {
                gross: used.gross,
                granted: used.granted,
            };
            self.caps.insert(key, (used, now));
        }
    }

    /// Works out anew what is earned, and by how much the accounts change. `today` is the date of an employer.
    pub fn settle(&mut self, today: impl Fn(EmployerId) -> NaiveDate) -> Vec<Delta> {
        let mut deltas = Vec::new();
        for key in &self.order {
            let Some(slot) = self.slots.get(key) else { continue };
            let Some(outcome) = outcome_of(self.employers, &slot.after) else {
                tracing::error!(incentive = %key.0.incentive_id, employer = %key.0.employer_id, "what points were earned by cannot be read");
                continue;
            };
            let mut after = slot.after.clone();
            after.gross = gross(outcome, &after);
            let cap = self.cap_of(&after);
            let old_cap = slot.before.as_ref().and_then(|before| self.cap_of(before));
            let was_there = slot.before.as_ref().is_some_and(|before| before.units.is_some());
            if after.units.is_none() {
                after.is_rejected = false;
            } else if !was_there {
                after.is_rejected = cap.as_ref().is_some_and(|(key, cap)| {
                    let (_, used) = self.caps.get(key).copied().unwrap_or_default();
                    cap.excess == Excess::Reject && used.would_pass(cap.amount, after.gross)
                });
            }
            let counted = |earning: &Earning| if earning.is_rejected { 0 } else { earning.gross };
            let (was, is) = (slot.before.as_ref().map_or(0, counted), counted(&after));
            let window = |cap: &Option<(cap::Key, Cap)>| cap.as_ref().map(|(key, _)| key.clone());
            let points = if window(&old_cap) == window(&cap) {
                through(&mut self.caps, cap.as_ref(), is - was)
            } else {
                through(&mut self.caps, old_cap.as_ref(), -was) + through(&mut self.caps, cap.as_ref(), is)
            };
            let is_left = slot.gone == Some(RetractionPolicy::RevokeIfUnused) && !slot.is_refunded;
            let shortfall = if is_left {
                Shortfall::Leave
            } else {
                outcome.shortfall()
            };
            let was_released = slot
                .before
                .as_ref()
                .is_some_and(|before| before.released_at.is_some());
            let releases = was_there && !was_released && after.released_at.is_some();
            if points != 0 || releases {
                deltas.push(Delta {
                    cause: key.0.clone(),
                    category: key.1.clone(),
                    version: after.version,
                    points,
                    shortfall,
                    releases,
                    awaits: outcome.pending_until.is_some() && after.released_at.is_none(),
                });
            }
            if slot.before.as_ref() != Some(&after) {
                after.updated_on = today(after.employer_id);
            }
            if let Some(slot) = self.slots.get_mut(key) {
                slot.after = after;
            }
        }
        deltas
    }

    /// What is to be written.
    pub fn changed(&self) -> (Vec<Earning>, Vec<(&cap::Key, cap::Used)>) {
        let slots = self.order.iter().filter_map(|key| self.slots.get(key));
        let earnings = slots.filter(|slot| slot.before.as_ref() != Some(&slot.after));
        let caps = self.caps.iter().filter_map(|(key, (before, now))| {
            let now = cap::Used {
                gross: now.gross,
                granted: now.granted,
            };
            (now != *before).then_some((key, now))
        });
        (earnings.map(|slot| slot.after.clone()).collect(), caps.collect())
    }

    fn cap_of(&self, earning: &Earning) -> Option<(cap::Key, Cap)> {
        let cap = outcome_of(self.employers, earning)?.cap()?;
        let key = cap::Key {
            employer_id: earning.employer_id,
            member_id: earning.member_id,
            incentive_id: earning.incentive_id,
            category: earning.category.clone(),
            period_key: cap.window.key(earning.day),
        };
        Some((key, cap))
    }
}

impl Claim {
    fn write(self, earning: &mut Earning) {
        earning.version = self.version;
        earning.day = self.day;
        earning.units = Some(self.stated.amount.to_string());
        earning.stated_at = Some(Timestamp::from(self.stated.at));
        earning.factor = self.factor.to_string();
    }
}

/// The points before the cap.
fn gross(outcome: &PointsOutcome, earning: &Earning) -> i64 {
    let Some(units) = earning.units.as_deref().and_then(decimal) else {
        return 0;
    };
    let left = earning.remaining.as_deref().and_then(decimal);
    let factor = decimal(&earning.factor).unwrap_or(Decimal::ONE);
    outcome.worth().gross_of(units, left, factor)
}

/// By how much what is given changes, with the points before a cap.
fn through(caps: &mut BTreeMap<cap::Key, (cap::Used, Used)>, cap: Option<&(cap::Key, Cap)>, by: i64) -> i64 {
    match cap {
        Some(_) if by == 0 => 0,
        Some((key, cap)) => {
            let (_, used) = caps.entry(key.clone()).or_default();
            used.change(cap.amount, by)
        }
        None => by,
    }
}

/// The key of the event type that what is earned waits for.
fn awaited_by<'a>(employers: &'a Employers, earning: &Earning) -> Option<&'a str> {
    let outcome = outcome_of(employers, earning)?;
    Some(outcome.pending_until.as_ref()?.event_type.as_str())
}

fn outcome_of<'a>(employers: &'a Employers, earning: &Earning) -> Option<&'a PointsOutcome> {
    let compiled = employers.get(earning.employer_id)?.find(earning.incentive_id)?;
    compiled
        .ready(earning.version)?
        .outcomes
        .points_of(&earning.category)
}

pub(super) fn statement(amount: Option<&str>, at: Option<Timestamp>) -> Option<Stated> {
    Some(Stated {
        amount: decimal(amount?)?,
        at: at?.instant(),
    })
}

fn decimal(text: &str) -> Option<Decimal> {
    Decimal::from_str_exact(text).ok()
}
