//! One account, in memory: every rule of how points come and go. Values in, values out.
//!
//! A lot is a number of points that were earned together: they become active together and end together. Points are spent from the
//! lot that ends first, and of those that end together from the oldest; what never ends comes last. An account is first *settled* to
//! the present: what has become active is counted as available, and what has ended is booked as expired. So nothing that is past its
//! end can be spent, however late the sweep that books it is.
//!
//! Always: `available` is what remains of the active lots, `pending` what remains of the others, and their sum is the sum of all
//! entries.

use std::collections::BTreeMap;

use crate::clock::Timestamp;
use crate::id::{Ids, IncentiveId, LotId, PointsEntryId, RedemptionId};

use super::{EntryKind, NEVER};

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
    /// The first instant at which they can be spent.
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
    /// When they become active; in the past: at once.
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
    pub(super) fresh: Vec<LotId>,
    pub(super) changed: Vec<LotId>,
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
                Some(lot.active_from)
            }
        });
        due.chain(self.due_elsewhere).min()
    }

    /// Brings the account to the present. Must come before everything else.
    pub fn settle(&mut self, ids: &Ids, now: Timestamp) {
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

    /// Spends available points.
    pub fn spend(
        &mut self,
        ids: &Ids,
        amount: i64,
        kind: EntryKind,
        about: About,
    ) -> Result<Option<PointsEntryId>, Refusal> {
        if amount > self.available {
            return Err(Refusal::Insufficient);
        }
        let before = self.written.len();
        let active = self.places(|lot| lot.is_active);
        self.take(ids, active, amount, kind, about);
        Ok(self.written.get(before).map(|entry| entry.id))
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
        let taken = self.take(ids, places, amount, EntryKind::ClawedBack, about);
        if shortfall == Shortfall::Net {
            self.debt = self.debt.saturating_add(amount - taken);
        }
        taken
    }

    /// Puts points back into the lots that they were taken from. Those of a lot that has ended meanwhile expire with the next
    /// [`Self::settle`].
    pub fn put_back(&mut self, ids: &Ids, taken: Vec<(Lot, i64)>, about: About) {
        let mut postings = Vec::new();
        for (lot, amount) in taken {
            let lot = self.lots.entry((lot.expires_at, lot.id)).or_insert(lot);
            lot.remaining += amount;
            *(if lot.is_active {
                &mut self.available
            } else {
                &mut self.pending
            }) += amount;
            postings.push((lot.id, amount));
            self.changed.push(lot.id);
        }
        if !postings.is_empty() {
            self.note(ids, EntryKind::Returned, about, postings);
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
            if part == 0 {
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
        let id = ids.next();
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
