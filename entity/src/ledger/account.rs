//! One account, in memory: every rule of how points come and go. Values in, values out.
//!
//! A lot is a number of points that were earned together: they become active together and end together. Points are spent from the
//! lot that ends first, and of those that end together from the oldest; what never ends comes last. An account is first *settled* to
//! the present: what has become active is counted as available, and what has ended is booked as expired. So nothing that is past its
//! end can be spent, however late the sweep that books it is; what is returned to a lot that has ended meanwhile expires at once.
//!
//! Always: `available` is what remains of the active lots, `pending` what remains of the others, and their sum is the sum of all
//! entries.

use std::collections::BTreeMap;

use crate::clock::Timestamp;
use crate::id::{Ids, IncentiveId, LotId, PointsEntryId, RedemptionId};

use super::{AWAITED, EntryKind, NEVER};

/// What points were earned for: of this incentive, this order, event or award.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cause {
    /// The incentive.
    pub incentive: IncentiveId,
    /// A digest of the order's or event's own name, or the id of the award.
    pub key: Vec<u8>,
}

/// Points that were earned together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lot {
    /// The lot itself.
    pub id: LotId,
    /// How many they were.
    pub amount: i64,
    /// How many are left.
    pub remaining: i64,
    /// The first instant at which they can be spent; [`AWAITED`]: they wait for an event.
    pub active_from: Timestamp,
    /// The first instant at which they no longer can; [`NEVER`]: they always can.
    pub expires_at: Timestamp,
    /// Whether they are counted as available already.
    pub is_active: bool,
    /// What for; none: by hand.
    pub cause: Option<Cause>,
}

/// What is said of an entry besides its amount.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct About {
    /// The incentive.
    pub incentive: Option<IncentiveId>,
    /// The redemption.
    pub redemption: Option<RedemptionId>,
    /// Whether it must not be shown to the employer's administrators.
    pub sensitive: bool,
}

/// An entry that is to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The entry itself.
    pub id: PointsEntryId,
    /// Its number in the account: 1, 2, 3.
    pub number: i64,
    /// What has happened.
    pub kind: EntryKind,
    /// By how much the account has changed.
    pub amount: i64,
    /// What the account holds after it, pending points included.
    pub balance_after: i64,
    /// What it is about.
    pub about: About,
    /// The lots that it has changed, each by how much.
    pub postings: Vec<(LotId, i64)>,
}

/// What is to be done where the points that are taken back were spent already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shortfall {
    /// Only what is left of what was earned for the cause is taken.
    Leave,
    /// Other points are taken as well; what is still missing is forgiven.
    Forgive,
    /// Other points are taken as well; what is still missing is taken from what is earned next.
    Net,
}

/// Points that are earned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Earned {
    /// How many; at least 1.
    pub amount: i64,
    /// When they become active; in the past: at once; [`AWAITED`]: once they are released.
    pub active_from: Timestamp,
    /// When they end.
    pub expires_at: Timestamp,
    /// What for; none: by hand.
    pub cause: Option<Cause>,
}

/// An account does not have as many points as are wanted, or would have more than can be counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It has fewer.
    #[error("there are not as many points")]
    Insufficient,
    /// It would have more than [`super::MOST`].
    #[error("there would be more points than an account can hold")]
    TooMany,
}

/// An account with its open lots, and what has changed since it was read.
#[derive(Debug, Clone, Default)]
pub struct Account {
    pub(super) available: i64,
    pub(super) pending: i64,
    pub(super) debt: i64,
    pub(super) entries: i64,
    /// In the order in which they are spent.
    pub(super) lots: BTreeMap<(Timestamp, LotId), Lot>,
    /// When the next lot that is not among [`Self::lots`] becomes active or ends.
    pub(super) due_elsewhere: Option<Timestamp>,
    /// What it owed, and when the next of its lots was due, when it was read.
    pub(super) debt_read: i64,
    pub(super) due_read: Option<Timestamp>,
    /// The id that the next entry gets.
    pub(super) promised: Option<PointsEntryId>,
    /// To when it was settled.
    pub(super) now: Option<Timestamp>,
    pub(super) fresh: Vec<LotId>,
    pub(super) changed: Vec<LotId>,
    /// The lots of which it is known now when they become active and end.
    pub(super) released: Vec<LotId>,
    pub(super) written: Vec<Entry>,
}

impl Account {
    /// What can be spent.
    pub fn available(&self) -> i64 {
        self.available
    }

    /// What cannot be spent yet.
    pub fn pending(&self) -> i64 {
        self.pending
    }

    /// What is taken from what is earned next.
    pub fn debt(&self) -> i64 {
        self.debt
    }

    /// The entries that were written since it was read.
    pub fn written(&self) -> &[Entry] {
        &self.written
    }

    /// The open lots, in the order in which they are spent.
    pub fn lots(&self) -> impl Iterator<Item = &Lot> {
        self.lots.values()
    }

    /// When the next lot becomes active or ends; none: none ever does.
    pub fn due_at(&self) -> Option<Timestamp> {
        let open = self.lots.values().filter(|lot| lot.remaining > 0);
        let due = open.filter_map(|lot| {
            if lot.is_active {
                Some(lot.expires_at).filter(|end| *end != NEVER)
            } else {
                Some(lot.active_from).filter(|from| *from != AWAITED)
            }
        });
        due.chain(self.due_elsewhere).min()
    }

    /// Whether anything is other than it was read.
    pub fn is_changed(&self) -> bool {
        // Debt alone changes where there was nothing left to be taken back.
        self.debt != self.debt_read
            || self.due_at() != self.due_read
            || !(self.written.is_empty()
                && self.changed.is_empty()
                && self.released.is_empty()
                && self.fresh.is_empty())
    }

    /// The next entry gets this id, which somebody was told already.
    pub fn promise(&mut self, id: PointsEntryId) {
        self.promised = Some(id);
    }

    /// Brings the account to the present. Must come before everything else.
    pub fn settle(&mut self, ids: &Ids, now: Timestamp) {
        self.now = Some(now);
        let mut over = Vec::new();
        for lot in self.lots.values_mut().filter(|lot| lot.remaining > 0) {
            if !lot.is_active && lot.active_from <= now {
                lot.is_active = true;
                self.pending -= lot.remaining;
                self.available += lot.remaining;
                self.changed.push(lot.id);
            }
            if lot.is_active && lot.expires_at <= now {
                over.push((lot.expires_at, lot.id));
            }
        }
        let all = i64::MAX;
        self.take(ids, over, all, EntryKind::Expired, About::default());
    }

    /// Adds points, by an incentive or by hand. What was taken back too late goes off at once.
    pub fn earn(
        &mut self,
        ids: &Ids,
        now: Timestamp,
        kind: EntryKind,
        earned: Earned,
        about: About,
    ) -> Result<PointsEntryId, Refusal> {
        let held = self.available + self.pending;
        if held
            .checked_add(earned.amount)
            .is_none_or(|sum| sum > super::MOST)
        {
            return Err(Refusal::TooMany);
        }
        let is_active = earned.active_from <= now;
        let lot = Lot {
            id: ids.next(),
            amount: earned.amount,
            remaining: earned.amount,
            active_from: earned.active_from,
            expires_at: earned.expires_at,
            is_active,
            cause: earned.cause,
        };
        let place = (lot.expires_at, lot.id);
        *(if is_active {
            &mut self.available
        } else {
            &mut self.pending
        }) += lot.amount;
        self.fresh.push(lot.id);
        let entry = self.note(ids, kind, about.clone(), vec![(lot.id, lot.amount)]);
        self.lots.insert(place, lot);
        if self.debt > 0 {
            self.debt -= self.take(ids, vec![place], self.debt, EntryKind::ClawedBack, about);
        }
        Ok(entry)
    }

    /// Spends available points; no entry where it is none.
    pub fn spend(
        &mut self,
        ids: &Ids,
        amount: i64,
        kind: EntryKind,
        about: About,
    ) -> Result<Option<PointsEntryId>, Refusal> {
        let active = self.places(|lot| lot.is_active);
        // Counted from the lots: an account without them spends nothing.
        let open = active.iter().filter_map(|place| self.lots.get(place));
        if amount > open.map(|lot| lot.remaining).sum() {
            return Err(Refusal::Insufficient);
        }
        let before = self.written.len();
        self.take(ids, active, amount, kind, about);
        Ok(self.written.get(before).map(|entry| entry.id))
    }

    /// Lets points that were earned for a cause, and wait for an event, become active and end at these instants.
    pub fn release(&mut self, ids: &Ids, cause: &Cause, active_from: Timestamp, expires_at: Timestamp) {
        let waits =
            |lot: &Lot| !lot.is_active && lot.active_from == AWAITED && lot.cause.as_ref() == Some(cause);
        for place in self.places(waits) {
            let Some(mut lot) = self.lots.remove(&place) else {
                continue;
            };
            lot.active_from = active_from;
            lot.expires_at = expires_at;
            self.released.push(lot.id);
            self.lots.insert((lot.expires_at, lot.id), lot);
        }
        if let Some(now) = self.now {
            self.settle(ids, now);
        }
    }

    /// Takes points back that were earned for a cause; says how many were there to be taken.
    pub fn take_back(
        &mut self,
        ids: &Ids,
        amount: i64,
        cause: &Cause,
        shortfall: Shortfall,
        about: About,
    ) -> i64 {
        let is_own = |lot: &Lot| lot.cause.as_ref() == Some(cause);
        let mut places = self.places(is_own);
        if shortfall != Shortfall::Leave {
            places.extend(self.places(|lot| !is_own(lot) && lot.is_active));
            places.extend(self.places(|lot| !is_own(lot) && !lot.is_active));
        }
        let amount = amount.max(0);
        let taken = self.take(ids, places, amount, EntryKind::ClawedBack, about);
        if shortfall == Shortfall::Net {
            self.debt = self.debt.saturating_add(amount - taken);
        }
        taken
    }

    /// Puts points back into the lots that they were taken from. Those of a lot that has ended meanwhile expire at once, and of the
    /// others what is owed goes off: it was owed because they were spent.
    pub fn put_back(&mut self, ids: &Ids, taken: Vec<(Lot, i64)>, about: About) {
        let (mut postings, mut places) = (Vec::new(), Vec::new());
        for (lot, amount) in taken {
            let place = (lot.expires_at, lot.id);
            let lot = self.lots.entry(place).or_insert(lot);
            lot.remaining += amount;
            *(if lot.is_active {
                &mut self.available
            } else {
                &mut self.pending
            }) += amount;
            postings.push((lot.id, amount));
            places.push(place);
            self.changed.push(lot.id);
        }
        if postings.is_empty() {
            return;
        }
        self.note(ids, EntryKind::Returned, about.clone(), postings);
        if let Some(now) = self.now {
            self.settle(ids, now);
        }
        if self.debt > 0 {
            places.sort_unstable();
            // What the redemption itself has taken and returned stays even.
            let about = About {
                redemption: None,
                ..about
            };
            self.debt -= self.take(ids, places, self.debt, EntryKind::ClawedBack, about);
        }
    }

    /// The open lots of a kind, in the order in which they are spent.
    fn places(&self, wanted: impl Fn(&Lot) -> bool) -> Vec<(Timestamp, LotId)> {
        let open = self
            .lots
            .iter()
            .filter(|(_, lot)| lot.remaining > 0 && wanted(lot));
        open.map(|(place, _)| *place).collect()
    }

    /// Takes up to so many points from these lots, in this order; says how many there were.
    fn take(
        &mut self,
        ids: &Ids,
        places: Vec<(Timestamp, LotId)>,
        amount: i64,
        kind: EntryKind,
        about: About,
    ) -> i64 {
        let mut left = amount;
        let mut postings = Vec::new();
        for place in places {
            let Some(lot) = self.lots.get_mut(&place) else {
                continue;
            };
            let part = left.min(lot.remaining);
            if part <= 0 {
                continue;
            }
            left -= part;
            lot.remaining -= part;
            *(if lot.is_active {
                &mut self.available
            } else {
                &mut self.pending
            }) -= part;
            postings.push((lot.id, -part));
            self.changed.push(lot.id);
        }
        if !postings.is_empty() {
            self.note(ids, kind, about, postings);
        }
        amount - left
    }

    fn note(
        &mut self,
        ids: &Ids,
        kind: EntryKind,
        about: About,
        postings: Vec<(LotId, i64)>,
    ) -> PointsEntryId {
        let id = self.promised.take().unwrap_or_else(|| ids.next());
        self.entries += 1;
        self.written.push(Entry {
            id,
            number: self.entries,
            kind,
            amount: postings.iter().map(|(_, amount)| amount).sum(),
            balance_after: self.available + self.pending,
            about,
            postings,
        });
        id
    }
}

#[cfg(test)]
mod tests;
