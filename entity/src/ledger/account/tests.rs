//! The rules of an account: the hard cases one by one, and every interleaving against a list of single points.

mod oracle;

use super::*;
use crate::clock::Clock;
use crate::id::TypedId;

/// An account on a bench, at an instant that moves on.
struct Bench {
    ids: Ids,
    account: Account,
    now: i64,
}

fn cause(number: u8) -> Cause {
    Cause {
        incentive: IncentiveId::from_uuid(uuid::Uuid::from_u128(7)),
        key: vec![number],
    }
}

fn redemption(number: u8) -> About {
    About {
        redemption: Some(RedemptionId::from_uuid(uuid::Uuid::from_u128(
            u128::from(number) + 1,
        ))),
        ..About::default()
    }
}

impl Bench {
    fn new() -> Self {
        let clock = Clock::manual(chrono::DateTime::UNIX_EPOCH);
        let mut bench = Self {
            ids: Ids::seeded(clock, 1),
            account: Account::default(),
            now: 0,
        };
        bench.pass(0);
        bench
    }

    fn pass(&mut self, time: i64) {
        self.now += time;
        self.account.settle(&self.ids, Timestamp(self.now));
    }

    /// Earns points that wait for so long and then last for so long; for this cause.
    fn earn_for(&mut self, number: Option<u8>, amount: i64, waits: i64, lasts: Option<i64>) {
        let active_from = self.now + waits;
        let earned = Earned {
            amount,
            active_from: Timestamp(active_from),
            expires_at: lasts.map_or(NEVER, |lasts| Timestamp(active_from + lasts)),
            cause: number.map(cause),
        };
        let now = Timestamp(self.now);
        self.account
            .earn(&self.ids, now, EntryKind::Earned, earned, About::default())
            .unwrap();
    }

    /// Earns points for a cause that wait for an event.
    fn wait_for(&mut self, number: u8, amount: i64) {
        let earned = Earned {
            amount,
            active_from: AWAITED,
            expires_at: NEVER,
            cause: Some(cause(number)),
        };
        let now = Timestamp(self.now);
        self.account
            .earn(&self.ids, now, EntryKind::Earned, earned, About::default())
            .unwrap();
    }

    fn earn(&mut self, amount: i64, lasts: Option<i64>) {
        self.earn_for(None, amount, 0, lasts);
    }

    fn spend(&mut self, amount: i64, number: u8) -> bool {
        let about = redemption(number);
        self.account
            .spend(&self.ids, amount, EntryKind::Redeemed, about)
            .is_ok()
    }

    fn take_back(&mut self, amount: i64, number: u8, shortfall: Shortfall) -> i64 {
        self.account
            .take_back(&self.ids, amount, &cause(number), shortfall, About::default())
    }

    /// What a redemption has taken and not put back, as the store finds it.
    fn taken(&self, number: u8) -> Vec<(Lot, i64)> {
        let about = redemption(number);
        let mut taken = BTreeMap::<LotId, i64>::new();
        for entry in self.account.written() {
            for (lot, amount) in entry.postings.iter().filter(|_| entry.about == about) {
                *taken.entry(*lot).or_default() -= amount;
            }
        }
        let lots = self.account.lots();
        lots.filter_map(|lot| Some((lot.clone(), *taken.get(&lot.id).filter(|taken| **taken > 0)?)))
            .collect()
    }

    fn put_back(&mut self, number: u8) {
        let taken = self.taken(number);
        self.account.put_back(&self.ids, taken, redemption(number));
    }

    /// What remains of each lot, in the order of their making.
    fn remaining(&self) -> Vec<i64> {
        let lots: BTreeMap<LotId, i64> = self.account.lots().map(|lot| (lot.id, lot.remaining)).collect();
        lots.into_values().collect()
    }

    fn balance(&self) -> (i64, i64, i64) {
        (
            self.account.available(),
            self.account.pending(),
            self.account.debt(),
        )
    }

    fn entries(&self) -> Vec<(EntryKind, i64)> {
        let written = self.account.written().iter();
        written.map(|entry| (entry.kind, entry.amount)).collect()
    }
}

#[test]
fn what_ends_first_is_spent_first_and_what_never_ends_last() {
    let mut bench = Bench::new();
    bench.earn(10, None);
    bench.earn(10, Some(9));
    bench.earn(10, Some(5));
    bench.earn(10, Some(5));
    assert!(bench.spend(25, 0));
    assert_eq!(bench.remaining(), [10, 5, 0, 0]);
    assert!(bench.spend(6, 1));
    assert_eq!(bench.remaining(), [9, 0, 0, 0]);
}

#[test]
fn of_those_that_end_together_the_oldest_is_spent_first() {
    let mut bench = Bench::new();
    bench.earn(3, None);
    bench.earn(3, None);
    assert!(bench.spend(4, 0));
    assert_eq!(bench.remaining(), [0, 2]);
}

#[test]
fn at_the_instant_of_its_end_a_point_can_no_longer_be_spent_and_just_before_it_can() {
    for (passed, can) in [(4, true), (5, false)] {
        let mut bench = Bench::new();
        bench.earn(10, Some(5));
        bench.pass(passed);
        assert_eq!(bench.spend(10, 0), can, "{passed}");
    }
}

#[test]
fn at_the_instant_from_which_it_is_active_a_point_can_be_spent_and_just_before_it_cannot() {
    for (passed, can) in [(4, false), (5, true)] {
        let mut bench = Bench::new();
        bench.earn_for(None, 10, 5, None);
        assert_eq!(bench.balance(), (0, 10, 0));
        bench.pass(passed);
        assert_eq!(bench.spend(1, 0), can, "{passed}");
    }
}

#[test]
fn pending_points_whose_time_passed_unseen_become_active_and_expire_in_one_step() {
    let mut bench = Bench::new();
    bench.earn_for(None, 10, 5, Some(5));
    bench.pass(10);
    assert_eq!(bench.balance(), (0, 0, 0));
    assert_eq!(
        bench.entries(),
        [(EntryKind::Earned, 10), (EntryKind::Expired, -10)]
    );
    assert!(!bench.spend(1, 0));
}

#[test]
fn lots_that_end_are_booked_together_and_once() {
    let mut bench = Bench::new();
    bench.earn(4, Some(2));
    bench.earn(6, Some(3));
    bench.pass(5);
    bench.pass(5);
    let expired = (EntryKind::Expired, -10);
    assert_eq!(
        bench.entries(),
        [(EntryKind::Earned, 4), (EntryKind::Earned, 6), expired]
    );
}

#[test]
fn returned_points_go_back_to_their_lots_once() {
    let mut bench = Bench::new();
    bench.earn(4, Some(9));
    bench.earn(6, None);
    assert!(bench.spend(7, 0));
    bench.put_back(0);
    assert_eq!(bench.remaining(), [4, 6]);
    bench.put_back(0);
    assert_eq!(bench.balance(), (10, 0, 0));
    assert_eq!(bench.entries().len(), 4);
}

#[test]
fn returned_points_of_a_lot_that_has_ended_expire_at_once_and_cannot_be_spent() {
    let mut bench = Bench::new();
    bench.earn(4, Some(2));
    bench.earn(6, None);
    assert!(bench.spend(7, 0));
    bench.pass(2);
    bench.put_back(0);
    assert_eq!(bench.balance(), (6, 0, 0));
    assert!(!bench.spend(7, 1));
    let returned = [(EntryKind::Returned, 7), (EntryKind::Expired, -4)];
    assert_eq!(bench.entries().get(3..), Some(returned.as_slice()));
}

#[test]
fn what_is_owed_goes_off_several_earnings_until_it_is_made_up_for() {
    let mut bench = Bench::new();
    bench.earn_for(Some(1), 10, 0, None);
    assert!(bench.spend(10, 0));
    assert_eq!(bench.take_back(10, 1, Shortfall::Net), 0);
    assert_eq!(bench.balance(), (0, 0, 10));
    bench.earn(4, None);
    assert_eq!(bench.balance(), (0, 0, 6));
    bench.earn_for(None, 5, 3, None);
    assert_eq!(bench.balance(), (0, 0, 1));
    bench.earn(3, None);
    assert_eq!(bench.balance(), (2, 0, 0));
}

#[test]
fn debt_alone_is_a_change_that_must_be_written() {
    let mut bench = Bench::new();
    assert!(!bench.account.is_changed());
    assert_eq!(bench.take_back(10, 1, Shortfall::Net), 0);
    assert!(bench.account.is_changed());
}

#[test]
fn what_is_returned_makes_up_for_what_is_owed() {
    let mut bench = Bench::new();
    bench.earn_for(Some(1), 10, 0, None);
    assert!(bench.spend(10, 0));
    bench.take_back(6, 1, Shortfall::Net);
    bench.put_back(0);
    assert_eq!(bench.balance(), (4, 0, 0));
    assert_eq!(bench.taken(0), []);
}

#[test]
fn the_lots_of_the_cause_itself_are_taken_back_first_then_active_ones_then_pending_ones() {
    let mut bench = Bench::new();
    bench.earn_for(None, 5, 3, Some(1));
    bench.earn(5, Some(1));
    bench.earn_for(Some(1), 5, 3, None);
    bench.earn_for(Some(1), 5, 0, None);
    for (amount, left) in [
        (3, [5, 5, 2, 5]),
        (3, [5, 5, 0, 4]),
        (5, [5, 4, 0, 0]),
        (5, [4, 0, 0, 0]),
    ] {
        assert_eq!(bench.take_back(amount, 1, Shortfall::Forgive), amount);
        assert_eq!(bench.remaining(), left);
    }
}

#[test]
fn what_is_left_alone_touches_no_other_lot_and_owes_nothing() {
    let mut bench = Bench::new();
    bench.earn(5, None);
    bench.earn_for(Some(1), 5, 0, None);
    assert_eq!(bench.take_back(9, 1, Shortfall::Leave), 5);
    assert_eq!(bench.balance(), (5, 0, 0));
}

#[test]
fn what_is_forgiven_is_not_owed() {
    let mut bench = Bench::new();
    bench.earn_for(Some(1), 5, 0, None);
    assert_eq!(bench.take_back(9, 1, Shortfall::Forgive), 5);
    assert_eq!(bench.balance(), (0, 0, 0));
}

#[test]
fn pending_points_cannot_be_spent_beside_available_ones() {
    let mut bench = Bench::new();
    bench.earn(5, None);
    bench.earn_for(None, 5, 1, None);
    assert!(!bench.spend(6, 0));
    assert_eq!(bench.balance(), (5, 5, 0));
}

#[test]
fn nothing_is_gained_by_a_negative_amount() {
    let mut bench = Bench::new();
    bench.earn_for(Some(1), 5, 0, None);
    assert!(bench.spend(2, 0));
    assert!(bench.spend(-1, 0));
    assert!(bench.spend(0, 0));
    assert_eq!(bench.take_back(-1, 1, Shortfall::Net), 0);
    assert_eq!(bench.balance(), (3, 0, 0));
    assert_eq!(bench.entries().len(), 2);
}

#[test]
fn an_account_holds_no_more_than_can_be_told_exactly() {
    let mut bench = Bench::new();
    bench.earn(super::super::MOST, None);
    let one = Earned {
        amount: 1,
        active_from: Timestamp(0),
        expires_at: NEVER,
        cause: None,
    };
    let more = bench
        .account
        .earn(&bench.ids, Timestamp(0), EntryKind::Earned, one, About::default());
    assert_eq!(more, Err(Refusal::TooMany));
    assert_eq!(bench.balance(), (super::super::MOST, 0, 0));
}

#[test]
fn a_time_at_which_nothing_is_due_is_put_right_when_the_account_is_settled() {
    let mut bench = Bench::new();
    bench.account.due_read = Some(Timestamp(0));
    assert!(bench.account.is_changed());
}

#[test]
fn only_the_next_entry_gets_an_id_that_was_promised() {
    let mut bench = Bench::new();
    let promised = bench.ids.next();
    bench.account.promise(promised);
    bench.earn(1, None);
    bench.earn(1, None);
    let ids: Vec<PointsEntryId> = bench.account.written().iter().map(|entry| entry.id).collect();
    assert_eq!(ids.first(), Some(&promised));
    assert_ne!(ids.last(), Some(&promised));
}

#[test]
fn points_that_wait_for_an_event_become_active_with_it_and_end_from_there() {
    let mut bench = Bench::new();
    bench.wait_for(1, 10);
    bench.wait_for(2, 5);
    assert_eq!(bench.account.due_at(), None);
    bench.pass(1_000);
    assert_eq!(bench.balance(), (0, 15, 0));
    assert_eq!(bench.take_back(4, 1, Shortfall::Leave), 4);
    let release = |bench: &mut Bench, number, waits, lasts| {
        let from = bench.now + waits;
        let (from, end) = (Timestamp(from), Timestamp(from + lasts));
        bench.account.release(&bench.ids, &cause(number), from, end);
    };
    release(&mut bench, 1, 0, 7);
    assert_eq!(bench.balance(), (6, 5, 0));
    release(&mut bench, 2, 3, 7);
    assert_eq!(bench.balance(), (6, 5, 0));
    assert_eq!(bench.account.due_at(), Some(Timestamp(1_003)));
    bench.pass(3);
    assert_eq!(bench.balance(), (11, 0, 0));
    // Released once: later there is nothing that waits.
    release(&mut bench, 1, 0, 1_000);
    bench.pass(4);
    assert_eq!(bench.balance(), (5, 0, 0));
}
