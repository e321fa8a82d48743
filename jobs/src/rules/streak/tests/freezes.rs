//! Streaks that bridge missing periods.

use chrono::Datelike;

use super::*;

fn frozen(length: u32, freezes: u32) -> Streak {
    Streak {
        freezes,
        ..streak(length, Period::Day, 1)
    }
}

/// The days on which a streak is completed by events on these days of November 2026.
fn completed(streak: Streak, heard: &[u32]) -> Vec<u32> {
    let text: Vec<String> = heard.iter().map(|day| format!("2026-11-{day:02}")).collect();
    let heard: Vec<&str> = text.iter().map(String::as_str).collect();
    let days = completions(streak, &heard);
    days.iter().map(|day| date(day).day()).collect()
}

#[test]
fn a_missing_day_is_bridged_and_counts_for_nothing() {
    assert_eq!(completed(frozen(4, 1), &[1, 2, 4, 5]), [5]);
    assert!(completed(frozen(4, 1), &[1, 2, 4]).is_empty());
    assert!(completed(frozen(4, 0), &[1, 2, 4, 5]).is_empty());
}

#[test]
fn two_gaps_take_two_freezes() {
    assert!(completed(frozen(4, 1), &[1, 2, 4, 6]).is_empty());
    assert_eq!(completed(frozen(4, 2), &[1, 2, 4, 6]), [6]);
    assert_eq!(completed(frozen(4, 2), &[1, 2, 5, 6]), [6]);
    assert!(completed(frozen(4, 2), &[1, 2, 5, 7]).is_empty());
    // The gap that is too much ends what was before it, and the row goes on from behind it.
    assert_eq!(completed(frozen(4, 1), &[1, 2, 4, 6, 7, 8]), [8]);
}

#[test]
fn every_row_has_its_freezes_anew() {
    assert_eq!(completed(frozen(3, 1), &[1, 3, 4, 5, 7, 8]), [4, 8]);
    // A gap between two rows costs neither of them anything.
    assert_eq!(completed(frozen(2, 0), &[1, 2, 4, 5]), [2, 5]);
}

#[test]
fn a_late_event_gives_the_freeze_back() {
    // The 2nd is bridged, so the 6th cannot be; when the 2nd comes late, it is.
    assert!(completed(frozen(6, 1), &[1, 3, 4, 5, 7]).is_empty());
    assert_eq!(completed(frozen(6, 1), &[1, 3, 4, 5, 7, 2]), [7]);
}

#[test]
fn taking_back_an_event_takes_a_freeze() {
    let streak = frozen(4, 1);
    let mut memory = member(
        streak,
        &[
            "2026-11-01",
            "2026-11-02",
            "2026-11-03",
            "2026-11-04",
            "2026-11-05",
        ],
    );
    assert_eq!(days(&streak.completions(&memory)), ["2026-11-04"]);
    assert!(streak.remove(&mut memory, &on("2026-11-03")));
    assert_eq!(days(&streak.completions(&memory)), ["2026-11-05"]);
    assert!(streak.remove(&mut memory, &on("2026-11-02")));
    assert!(days(&streak.completions(&memory)).is_empty());
}

#[test]
fn what_a_freeze_can_still_reach_over_the_horizon_is_kept() {
    let streak = frozen(4, 2);
    for (horizon, kept) in [("2026-11-04", true), ("2026-11-06", true), ("2026-11-07", false)] {
        let mut memory = member(streak, &["2026-11-01", "2026-11-02", "2026-11-03"]);
        streak.consume_before(&mut memory, date(horizon));
        assert_eq!(
            streak.forget_before(&mut memory, date(horizon)),
            !kept,
            "{horizon}"
        );
        streak.insert(&mut memory, &on(horizon)).expect("it counts");
        assert_eq!(!days(&streak.completions(&memory)).is_empty(), kept, "{horizon}");
    }
}

#[test]
fn a_freeze_that_is_used_up_before_the_horizon_is_not_there_behind_it() {
    let streak = frozen(4, 1);
    let mut memory = member(streak, &["2026-11-01", "2026-11-03", "2026-11-04"]);
    // The 1st cannot reach over the 5th any more, the other two can.
    assert!(streak.forget_before(&mut memory, date("2026-11-06")));
    assert_eq!(memory.runs, member(streak, &["2026-11-03", "2026-11-04"]).runs);
    let standing = streak.standing(&memory, date("2026-11-06"));
    assert_eq!(standing.current, 2.into());
    assert_eq!(standing.deadline, Some(Deadline::EndOf(date("2026-11-06"))));
}

#[test]
fn the_deadline_reaches_as_far_as_the_freezes_that_are_left() {
    let heard = ["2026-11-16", "2026-11-18"];
    for (freezes, current, deadline) in [(1, 2, "2026-11-19"), (2, 2, "2026-11-20"), (3, 2, "2026-11-21")] {
        let streak = frozen(5, freezes);
        let standing = streak.standing(&member(streak, &heard), date("2026-11-18"));
        assert_eq!(standing.current, current.into(), "{freezes}");
        assert_eq!(
            standing.deadline,
            Some(Deadline::EndOf(date(deadline))),
            "{freezes}"
        );
    }
    // Today has not been missed yet.
    let streak = frozen(5, 1);
    let standing = streak.standing(&member(streak, &["2026-11-18"]), date("2026-11-20"));
    assert_eq!(standing.current, Decimal::ONE);
    let standing = streak.standing(&member(streak, &["2026-11-18"]), date("2026-11-21"));
    assert_eq!(standing.current, Decimal::ZERO);
}

#[test]
fn weeks_are_bridged_as_weeks() {
    let streak = Streak {
        freezes: 1,
        ..streak(3, Period::Week, 1)
    };
    // A holiday of thirteen days that leaves one week empty.
    let days = ["2026-12-20", "2027-01-02", "2027-01-04"];
    assert_eq!(completions(streak, &days), ["2027-01-04"]);
    let days = ["2026-12-14", "2026-12-31", "2027-01-11"];
    assert!(completions(streak, &days).is_empty());
}
