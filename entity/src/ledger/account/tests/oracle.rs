//! Every interleaving, against a list of single points that shares no code with the account.

use proptest::prelude::*;

use super::*;

/// Where a point is.
#[derive(Clone, Copy, PartialEq)]
enum At {
    Held,
    Spent(u8),
    Gone,
}

/// One point.
#[derive(Clone)]
struct Point {
    lot: usize,
    from: i64,
    end: Option<i64>,
    cause: Option<u8>,
    at: At,
}

/// All points there ever were.
#[derive(Default)]
struct Points {
    now: i64,
    lots: usize,
    all: Vec<Point>,
    debt: usize,
    entries: Vec<(EntryKind, i64)>,
}

#[derive(Debug, Clone)]
enum Act {
    Pass(i64),
    Earn {
        cause: Option<u8>,
        amount: i64,
        waits: i64,
        lasts: Option<i64>,
    },
    Spend(i64, u8),
    TakeBack(i64, u8, Shortfall),
    PutBack(u8),
}

fn many(count: usize) -> i64 {
    i64::try_from(count).unwrap()
}

impl Points {
    /// The places of the held points of a kind, in the order in which they go.
    fn line(&self, wanted: impl Fn(&Point) -> bool) -> Vec<usize> {
        let mut line: Vec<usize> = (0..self.all.len())
            .filter(|&place| self.all[place].at == At::Held && wanted(&self.all[place]))
            .collect();
        line.sort_by_key(|&place| {
            let point = &self.all[place];
            (point.end.is_none(), point.end, point.lot)
        });
        line
    }

    fn go(&mut self, places: &[usize], to: At, kind: EntryKind) {
        for &place in places {
            self.all[place].at = to;
        }
        if !places.is_empty() {
            self.entries.push((kind, -many(places.len())));
        }
    }

    fn expire(&mut self) {
        let now = self.now;
        let over = self.line(|point| point.end.is_some_and(|end| end <= now));
        self.go(&over, At::Gone, EntryKind::Expired);
    }

    /// What is owed goes off these points.
    fn pay(&mut self, wanted: impl Fn(&Point) -> bool) {
        let mut places = self.line(wanted);
        places.truncate(self.debt);
        self.debt -= places.len();
        self.go(&places, At::Gone, EntryKind::ClawedBack);
    }

    fn act(&mut self, act: &Act) {
        let now = self.now;
        match *act {
            Act::Pass(time) => {
                self.now += time;
                self.expire();
            }
            Act::Earn {
                cause,
                amount,
                waits,
                lasts,
            } => {
                self.lots += 1;
                let point = Point {
                    lot: self.lots,
                    from: now + waits,
                    end: lasts.map(|lasts| now + waits + lasts),
                    cause,
                    at: At::Held,
                };
                self.all
                    .extend(std::iter::repeat_n(point, usize::try_from(amount).unwrap()));
                self.entries.push((EntryKind::Earned, amount));
                let newest = self.lots;
                self.pay(|point| point.lot == newest);
            }
            Act::Spend(amount, number) => {
                let mut places = self.line(|point| point.from <= now);
                let amount = usize::try_from(amount).unwrap();
                if amount <= places.len() {
                    places.truncate(amount);
                    self.go(&places, At::Spent(number), EntryKind::Redeemed);
                }
            }
            Act::TakeBack(amount, number, shortfall) => {
                let own = |point: &Point| point.cause == Some(number);
                let mut places = self.line(own);
                if shortfall != Shortfall::Leave {
                    places.extend(self.line(|point| !own(point) && point.from <= now));
                    places.extend(self.line(|point| !own(point) && point.from > now));
                }
                let amount = usize::try_from(amount).unwrap();
                places.truncate(amount);
                if shortfall == Shortfall::Net {
                    self.debt += amount - places.len();
                }
                self.go(&places, At::Gone, EntryKind::ClawedBack);
            }
            Act::PutBack(number) => {
                let back: Vec<usize> = (0..self.all.len())
                    .filter(|&place| self.all[place].at == At::Spent(number))
                    .collect();
                for &place in &back {
                    self.all[place].at = At::Held;
                }
                if !back.is_empty() {
                    self.entries.push((EntryKind::Returned, many(back.len())));
                }
                self.expire();
                let lots: Vec<usize> = back.iter().map(|&place| self.all[place].lot).collect();
                // One of a lot is as good as another.
                if !back.is_empty() {
                    self.pay(|point| lots.contains(&point.lot));
                }
            }
        }
    }

    fn count(&self, wanted: impl Fn(&Point) -> bool) -> i64 {
        many(self.line(wanted).len())
    }

    fn remaining(&self) -> Vec<i64> {
        (1..=self.lots)
            .map(|lot| self.count(|point| point.lot == lot))
            .collect()
    }

    fn due_at(&self) -> Option<i64> {
        let held = self.all.iter().filter(|point| point.at == At::Held);
        held.filter_map(|point| {
            if point.from > self.now {
                Some(point.from)
            } else {
                point.end
            }
        })
        .min()
    }
}

fn act() -> impl Strategy<Value = Act> {
    let shortfall = prop_oneof![
        Just(Shortfall::Leave),
        Just(Shortfall::Forgive),
        Just(Shortfall::Net)
    ];
    let earn = (
        proptest::option::of(0..3_u8),
        1..9_i64,
        0..4_i64,
        proptest::option::of(1..5_i64),
    );
    prop_oneof![
        2 => (0..4_i64).prop_map(Act::Pass),
        4 => earn.prop_map(|(cause, amount, waits, lasts)| Act::Earn { cause, amount, waits, lasts }),
        3 => (1..12_i64, 0..5_u8).prop_map(|(amount, number)| Act::Spend(amount, number)),
        2 => (0..12_i64, 0..3_u8, shortfall).prop_map(|(amount, number, shortfall)| Act::TakeBack(amount, number, shortfall)),
        2 => (0..5_u8).prop_map(Act::PutBack),
    ]
}

fn do_act(bench: &mut Bench, act: &Act) {
    match *act {
        Act::Pass(time) => bench.pass(time),
        Act::Earn {
            cause,
            amount,
            waits,
            lasts,
        } => bench.earn_for(cause, amount, waits, lasts),
        Act::Spend(amount, number) => {
            bench.spend(amount, number);
        }
        Act::TakeBack(amount, number, shortfall) => {
            bench.take_back(amount, number, shortfall);
        }
        Act::PutBack(number) => bench.put_back(number),
    }
}

/// What must be true of the entries whatever has happened: numbers without a hole, a running balance, each the sum of its postings.
fn require_a_ledger(account: &Account) {
    let mut balance = 0;
    let mut lots = BTreeMap::<LotId, i64>::new();
    for (entry, number) in account.written().iter().zip(1..) {
        balance += entry.amount;
        assert_eq!((entry.number, entry.balance_after), (number, balance));
        assert!(balance >= 0 && entry.amount != 0);
        let mut posted: Vec<LotId> = entry.postings.iter().map(|(lot, _)| *lot).collect();
        assert_eq!(
            entry.postings.iter().map(|(_, amount)| amount).sum::<i64>(),
            entry.amount
        );
        posted.sort_unstable();
        posted.dedup();
        assert_eq!(posted.len(), entry.postings.len(), "a lot twice in one entry");
        for (lot, amount) in &entry.postings {
            assert_ne!(*amount, 0);
            *lots.entry(*lot).or_default() += amount;
        }
    }
    assert_eq!(balance, account.available() + account.pending());
    assert!(account.debt() == 0 || balance == 0, "owed while there are points");
    for lot in account.lots() {
        assert!((0..=lot.amount).contains(&lot.remaining));
        assert_eq!(lots.get(&lot.id), Some(&lot.remaining));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2_000) })]

    #[test]
    fn an_account_is_a_list_of_single_points(acts in proptest::collection::vec(act(), 0..40)) {
        let (mut bench, mut points) = (Bench::new(), Points::default());
        for act in &acts {
            do_act(&mut bench, act);
            points.act(act);
            let now = points.now;
            let expected = (
                points.count(|point| point.from <= now),
                points.count(|point| point.from > now),
                many(points.debt),
            );
            prop_assert_eq!(bench.balance(), expected, "after {:?}", act);
            prop_assert_eq!(bench.remaining(), points.remaining(), "after {:?}", act);
            prop_assert_eq!(bench.account.due_at().map(|due| due.0), points.due_at(), "after {:?}", act);
            require_a_ledger(&bench.account);
        }
        prop_assert_eq!(bench.entries(), points.entries);
    }

    #[test]
    fn what_was_settled_late_is_as_what_was_settled_in_time(acts in proptest::collection::vec(act(), 0..20), late in 1..9_i64) {
        let (mut swept, mut late_only) = (Bench::new(), Bench::new());
        for act in &acts {
            do_act(&mut swept, act);
            do_act(&mut late_only, act);
        }
        for _ in 0..late {
            swept.pass(1);
        }
        late_only.pass(late);
        prop_assert_eq!(swept.balance(), late_only.balance());
        prop_assert_eq!(swept.remaining(), late_only.remaining());
    }
}
