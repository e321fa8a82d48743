use super::*;

fn date(text: &str) -> NaiveDate {
    text.parse().expect("a date")
}

fn completions(days: &[&str]) -> Completions {
    Completions::of(days.iter().map(|day| (date(day), 1)).collect())
}

/// A member whose completions are these and those, one after the other.
#[derive(Default)]
struct Member {
    earned: Earned,
    own: BTreeSet<NaiveDate>,
    held: Completions,
}

const FREE: Leave = Leave {
    revocable: true,
    allowance: None,
};

impl Member {
    /// What the limit does when only these completions are left after something was taken back, and then there are those.
    fn moves(
        &mut self,
        limit: Limit,
        kept: &[&str],
        after: &[&str],
        leave: Leave,
    ) -> (Vec<String>, Vec<String>) {
        let (kept, after) = (completions(kept), completions(after));
        let shift = Shift {
            before: &self.held,
            kept: &kept,
            after: &after,
            total: after.total(),
            is_latest: true,
            today: date("2027-11-21"),
        };
        let mut places = Places {
            own: &mut self.own,
            others: BTreeSet::new(),
        };
        let (awards, revoked) = limit
            .follow(&mut self.earned, &mut places, shift, leave)
            .expect("no fault");
        self.held = after;
        let awards = awards
            .iter()
            .map(|award| format!("{} {} {}", award.period_key, award.ordinal, award.earned_on));
        let revoked = revoked
            .iter()
            .map(|gone| format!("{} {}", gone.period_key, gone.ordinal));
        (awards.collect(), revoked.collect())
    }

    fn grows(&mut self, limit: Limit, after: &[&str]) -> Vec<String> {
        let before: Vec<String> = self.held.days().iter().map(|(day, _)| day.to_string()).collect();
        let before: Vec<&str> = before.iter().map(String::as_str).collect();
        let (awards, revoked) = self.moves(limit, &before, after, FREE);
        assert!(revoked.is_empty(), "more never takes away");
        awards
    }

    fn shrinks(&mut self, limit: Limit, after: &[&str]) -> Vec<String> {
        let (awards, revoked) = self.moves(limit, after, after, FREE);
        assert!(awards.is_empty(), "less never gives");
        revoked
    }
}

#[test]
fn once_is_once_for_good() {
    let mut member = Member::default();
    assert_eq!(member.grows(Limit::ONCE, &["2026-11-21"]), ["once 1 2026-11-21"]);
    assert!(
        member
            .grows(Limit::ONCE, &["2026-11-21", "2027-11-21"])
            .is_empty()
    );
}

#[test]
fn at_most_counts_to_its_number() {
    let limit = Limit::at_most(2);
    let mut member = Member::default();
    let days = ["2026-11-20", "2026-11-21", "2026-11-22"];
    assert_eq!(
        member.grows(limit, &days),
        ["ever 1 2026-11-20", "ever 2 2026-11-21"]
    );
}

#[test]
fn unlimited_goes_on() {
    let mut member = Member::default();
    assert_eq!(
        member.grows(Limit::UNLIMITED, &["2026-11-21"]),
        ["ever 1 2026-11-21"]
    );
    assert_eq!(
        member.grows(Limit::UNLIMITED, &["2026-11-20", "2026-11-21", "2026-11-22"]),
        ["ever 2 2026-11-20", "ever 3 2026-11-22"]
    );
}

#[test]
fn what_is_taken_back_goes_from_the_highest_number_down() {
    let mut member = Member::default();
    member.grows(Limit::UNLIMITED, &["2026-11-19", "2026-11-20", "2026-11-21"]);
    assert_eq!(
        member.shrinks(Limit::UNLIMITED, &["2026-11-20"]),
        ["ever 3", "ever 2"]
    );
    assert_eq!(
        member.grows(Limit::UNLIMITED, &["2026-11-20", "2026-11-22"]),
        ["ever 2 2026-11-22"]
    );
}

#[test]
fn once_stays_as_long_as_another_completion_stands_in() {
    let mut member = Member::default();
    member.grows(Limit::ONCE, &["2026-11-19", "2026-11-20"]);
    assert!(member.shrinks(Limit::ONCE, &["2026-11-20"]).is_empty());
    assert_eq!(member.shrinks(Limit::ONCE, &[]), ["once 1"]);
}

#[test]
fn an_award_that_is_kept_stands_in_for_the_next_completion() {
    let kept = Leave {
        revocable: false,
        allowance: None,
    };
    let nothing = (Vec::<String>::new(), Vec::<String>::new());
    let mut member = Member::default();
    member.grows(Limit::UNLIMITED, &["2026-11-19"]);
    assert_eq!(member.moves(Limit::UNLIMITED, &[], &[], kept), nothing);
    assert_eq!(
        member.moves(Limit::UNLIMITED, &[], &["2026-11-20"], kept),
        nothing
    );

    // In a window it stands in for nothing but its window.
    let weekly = Limit::once_per(Window::Week);
    let mut member = Member::default();
    member.grows(weekly, &["2026-11-11"]);
    assert_eq!(member.moves(weekly, &[], &[], kept), nothing);
    assert_eq!(
        member.moves(weekly, &[], &["2026-11-12", "2026-11-18"], kept).0,
        ["2026-W47 1 2026-11-18"]
    );
}

#[test]
fn a_window_has_one_award_whenever_it_comes() {
    let days = ["2026-12-28", "2026-12-31", "2027-01-01", "2027-01-04"];
    for (window, expected) in [
        (
            Window::Day,
            vec!["2026-12-28", "2026-12-31", "2027-01-01", "2027-01-04"],
        ),
        (Window::Week, vec!["2026-W53", "2027-W01"]),
        (Window::Month, vec!["2026-12", "2027-01"]),
        (Window::Quarter, vec!["2026-Q4", "2027-Q1"]),
        (Window::Year, vec!["2026", "2027"]),
        (Window::Program, vec!["program"]),
        (Window::Ever, vec!["ever"]),
    ] {
        let limit = Limit::once_per(window);
        for first in days {
            let mut member = Member::default();
            let mut keys: Vec<String> = [member.grows(limit, &[first]), member.grows(limit, &days)]
                .concat()
                .iter()
                .map(|award| award.split(' ').next().expect("a key").to_owned())
                .collect();
            keys.sort();
            assert_eq!(keys, expected, "{window:?} from {first}");
        }
    }
}

#[test]
fn a_window_that_is_left_gives_its_award_back() {
    let limit = Limit::once_per(Window::Week);
    let mut member = Member::default();
    member.grows(limit, &["2026-11-11", "2026-11-12", "2026-11-18"]);
    assert!(member.shrinks(limit, &["2026-11-12", "2026-11-18"]).is_empty());
    assert_eq!(member.shrinks(limit, &["2026-11-18"]), ["2026-W46 1"]);
    assert_eq!(member.shrinks(limit, &[]), ["2026-W47 1"]);
    assert_eq!(member.earned.count, 0);
}

#[test]
fn one_window_can_be_left_and_another_entered_at_once() {
    let limit = Limit::once_per(Window::Week);
    let mut member = Member::default();
    member.grows(limit, &["2026-11-11"]);
    let (awards, revoked) = member.moves(limit, &[], &["2026-11-18"], FREE);
    assert_eq!(
        (awards, revoked),
        (
            vec!["2026-W47 1 2026-11-18".to_owned()],
            vec!["2026-W46 1".to_owned()]
        )
    );
    // What is corrected within its window has stood all the time.
    let nothing = (Vec::<String>::new(), Vec::<String>::new());
    assert_eq!(member.moves(limit, &[], &["2026-11-19"], FREE), nothing);
    assert_eq!(member.earned.count, 1);
}

#[test]
fn an_award_stays_where_it_was_made_when_its_completion_moves() {
    let limit = Limit::once_per(Window::Week);
    let mut member = Member::default();
    member.grows(limit, &["2026-11-17"]);
    assert!(member.grows(limit, &["2026-11-15"]).is_empty());
    assert_eq!(
        member.grows(limit, &["2026-11-15", "2026-11-24"]),
        ["2026-W48 1 2026-11-24"]
    );
    assert_eq!(member.shrinks(limit, &["2026-11-15"]), ["2026-W48 1"]);
    assert_eq!(member.shrinks(limit, &[]), ["2026-W47 1"]);
}

#[test]
fn what_there_is_no_budget_for_comes_when_there_is() {
    let one = Leave {
        revocable: true,
        allowance: Some(1),
    };
    for (limit, keys) in [
        (Limit::UNLIMITED, ["ever 1 2026-11-11", "ever 2 2026-11-18"]),
        (
            Limit::once_per(Window::Week),
            ["2026-W46 1 2026-11-11", "2026-W47 1 2026-11-18"],
        ),
    ] {
        let days = ["2026-11-11", "2026-11-18"];
        let mut member = Member::default();
        assert_eq!(member.moves(limit, &[], &days, one).0, keys[..1]);
        assert_eq!(member.moves(limit, &days, &days, one).0, keys[1..]);
        assert!(member.moves(limit, &days, &days, one).0.is_empty());
    }
}

#[test]
fn only_a_window_that_is_over_is_forgotten() {
    let limit = Limit::once_per(Window::Week);
    let mut member = Member::default();
    member.grows(limit, &["2026-11-11", "2026-11-18"]);
    let none = Completions::default();
    let Member { earned, own, held } = &mut member;
    assert!(!limit.settle(earned, own, &none, || held.clone(), date("2026-11-15")));
    assert!(!limit.settle(earned, own, held, Completions::default, date("2026-11-15")));
    assert!(limit.settle(earned, own, &none, Completions::default, date("2026-11-18")));
    assert!(!limit.settle(earned, own, &none, Completions::default, date("2026-11-22")));
    assert_eq!((earned.count, earned.windows.len(), own.len()), (2, 1, 0));
    assert!(member.grows(limit, &["2026-11-22"]).is_empty());
}

#[test]
fn an_award_that_rests_on_what_is_settled_does_not_go() {
    let limit = Limit::once_per(Window::Month);
    let mut member = Member::default();
    member.grows(limit, &["2026-11-11", "2026-11-18"]);
    let (settled, rest) = (completions(&["2026-11-11"]), completions(&["2026-11-18"]));
    assert!(!limit.settle(
        &mut member.earned,
        &mut member.own,
        &settled,
        || rest.clone(),
        date("2026-11-15")
    ));
    member.held = rest;
    assert!(member.shrinks(limit, &[]).is_empty());
}

#[test]
fn the_last_number_there_is_ends_the_counting() {
    let mut earned = Earned {
        count: u32::MAX,
        ..Earned::default()
    };
    let after = completions(&["2026-11-21"]);
    let none = Completions::default();
    let shift = Shift {
        before: &none,
        kept: &none,
        after: &after,
        total: u64::MAX,
        is_latest: true,
        today: date("2026-11-21"),
    };
    let mut own = BTreeSet::new();
    let mut places = Places {
        own: &mut own,
        others: BTreeSet::new(),
    };
    let followed = Limit::UNLIMITED.follow(&mut earned, &mut places, shift, FREE);
    assert_eq!(followed, Ok((Vec::new(), Vec::new())));
    assert_eq!(earned.count, u32::MAX);
}

#[test]
fn more_awards_than_anyone_can_have_meant_are_a_fault() {
    let thousands = Completions::of(vec![(date("2026-11-21"), 1_001)]);
    let none = Completions::default();
    let shift = Shift {
        before: &none,
        kept: &none,
        after: &thousands,
        total: 1_001,
        is_latest: true,
        today: date("2026-11-21"),
    };
    let mut own = BTreeSet::new();
    let mut places = Places {
        own: &mut own,
        others: BTreeSet::new(),
    };
    let followed = Limit::UNLIMITED.follow(&mut Earned::default(), &mut places, shift, FREE);
    assert_eq!(followed, Err(Fault::TooManyAwards));
}
