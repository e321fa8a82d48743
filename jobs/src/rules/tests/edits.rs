//! Editing an incentive while members are on their way.

use super::*;

/// A member on the way by a first version; a second one keeps the progress or begins anew.
fn edited(
    old: impl AnyStructure + 'static,
    new: impl AnyStructure + 'static,
    restarts: bool,
    limits: (Limit, Limit),
) -> Member {
    let mut member = Member::of(old, limits.0);
    member.rules.push((incentive(new, limits.1), restarts));
    member
}

const OFTEN: (Limit, Limit) = (Limit::UNLIMITED, Limit::UNLIMITED);

#[test]
fn a_kept_run_goes_on_by_the_new_length() {
    let mut member = edited(days_in_a_row(5), days_in_a_row(4), false, OFTEN);
    member.hears(&["2026-11-12", "2026-11-13", "2026-11-14"]);
    assert_eq!(member.hears_by(2, &["2026-11-15"]), ["ever 1 2026-11-15"]);
}

#[test]
fn a_run_begins_anew_where_an_edit_says_so() {
    let mut member = edited(days_in_a_row(5), days_in_a_row(4), true, OFTEN);
    member.hears(&["2026-11-12", "2026-11-13", "2026-11-14"]);
    assert!(member.hears_by(2, &["2026-11-15"]).is_empty());
    assert_eq!(
        member.hears_by(2, &["2026-11-16", "2026-11-17", "2026-11-18"]),
        ["ever 1 2026-11-18"]
    );
}

#[test]
fn an_event_before_the_edit_that_comes_late_still_counts() {
    // Kept: it joins the run that goes on.
    let mut member = edited(days_in_a_row(5), days_in_a_row(4), false, OFTEN);
    member.hears(&["2026-11-12", "2026-11-13"]);
    member.hears_by(2, &["2026-11-15"]);
    assert_eq!(member.hears(&["2026-11-14"]), ["ever 1 2026-11-15"]);

    // Anew: it completes what was on the way before, and nothing of what began since.
    let mut member = edited(days_in_a_row(3), days_in_a_row(3), true, OFTEN);
    member.hears(&["2026-11-12", "2026-11-13"]);
    member.hears_by(2, &["2026-11-15", "2026-11-16"]);
    assert_eq!(member.hears(&["2026-11-14"]), ["ever 1 2026-11-14"]);
    assert_eq!(member.hears_by(2, &["2026-11-17"]), ["ever 2 2026-11-17"]);
}

#[test]
fn what_is_earned_is_earned_whatever_the_edit_asks() {
    for restarts in [false, true] {
        let mut member = edited(count(1), count(100), restarts, OFTEN);
        assert_eq!(member.hears(&["2026-11-12", "2026-11-13"]).len(), 2);
        assert!(member.hears_by(2, &["2026-11-15"]).is_empty());
        assert_eq!(member.standing.len(), 2);
        assert_eq!(member.view("2026-11-15").earned, 2);
    }
}

#[test]
fn once_stays_once_over_an_edit() {
    for restarts in [false, true] {
        let limits = (Limit::ONCE, Limit::ONCE);
        let mut member = edited(count(2), count(1), restarts, limits);
        assert_eq!(member.hears(&["2026-11-12", "2026-11-13"]).len(), 1);
        assert!(member.hears_by(2, &["2026-11-15", "2026-11-16"]).is_empty());
    }
}

#[test]
fn a_wider_limit_gives_nothing_for_what_was_before() {
    for restarts in [false, true] {
        let limits = (Limit::ONCE, Limit::UNLIMITED);
        let mut member = edited(Immediate, Immediate, restarts, limits);
        assert_eq!(
            member.hears(&["2026-11-11", "2026-11-12", "2026-11-13"]),
            ["once 1 2026-11-11"]
        );
        assert_eq!(member.hears_by(2, &["2026-11-15"]), ["ever 2 2026-11-15"]);
        // Nor does the next edit, and nothing is lost by it.
        let third = incentive(Immediate, Limit::UNLIMITED);
        member.rules.push((third, restarts));
        assert_eq!(member.hears_by(3, &["2026-11-16"]), ["ever 3 2026-11-16"]);
        assert_eq!(member.hears_by(3, &["2026-11-17"]), ["ever 4 2026-11-17"]);
    }
}

#[test]
fn an_award_stays_after_an_edit_while_something_before_it_stands_in() {
    let limits = (Limit::ONCE, Limit::ONCE);
    let mut member = edited(Immediate, Immediate, true, limits);
    member.hears(&["2026-11-11", "2026-11-12"]);
    member.hears_by(2, &["2026-11-15"]);
    assert!(member.unhears(&["2026-11-11"]).is_empty());
    assert!(member.change(2, &[], &[on("2026-11-15")]).revoked.is_empty());
    assert_eq!(member.standing, ["once 1"]);
    assert_eq!(member.unhears(&["2026-11-12"]), ["once 1"]);
}

#[test]
fn less_asked_for_than_is_there_is_earned_with_the_next_event() {
    let mut member = edited(count(10), count(2), false, OFTEN);
    member.hears(&["2026-11-11", "2026-11-12", "2026-11-13", "2026-11-14"]);
    assert_eq!(member.hears_by(2, &["2026-11-15"]).len(), 2);
    assert_eq!(member.hears_by(2, &["2026-11-16"]), ["ever 3 2026-11-16"]);
}

#[test]
fn what_was_on_the_way_can_be_taken_back_after_a_kept_edit() {
    let mut member = edited(count(3), count(4), false, OFTEN);
    member.hears(&["2026-11-10", "2026-11-11", "2026-11-12", "2026-11-13"]);
    member.hears_by(2, &["2026-11-15", "2026-11-16"]);
    // What is used up stays used up.
    let evaluation = member.change(2, &[], &[on("2026-11-10"), on("2026-11-13")]);
    assert_eq!((evaluation.missing.len(), evaluation.revoked.len()), (1, 0));
    assert!(member.hears_by(2, &["2026-11-17"]).is_empty());
    assert_eq!(member.hears_by(2, &["2026-11-18"]), ["ever 2 2026-11-18"]);
}

#[test]
fn a_window_has_one_award_over_an_edit() {
    let weekly = Limit::once_per(Window::Week);
    for restarts in [false, true] {
        let mut member = edited(Immediate, Immediate, restarts, (weekly, weekly));
        assert_eq!(member.hears(&["2026-11-16"]).len(), 1);
        assert!(member.hears_by(2, &["2026-11-18"]).is_empty());
        assert_eq!(member.hears_by(2, &["2026-11-24"]), ["2026-W48 1 2026-11-24"]);
        // Taking back what came after the edit leaves the award from before it.
        let evaluation = member.change(2, &[], &[on("2026-11-18")]);
        assert!(evaluation.revoked.is_empty());
        assert_eq!(member.standing, ["2026-W47 1", "2026-W48 1"]);
    }
}

#[test]
fn a_late_event_of_an_epoch_that_is_over_changes_nothing_of_the_new_one() {
    let mut member = edited(days_in_a_row(2), days_in_a_row(2), true, OFTEN);
    member.hears(&["2026-11-13", "2026-11-14"]);
    member.horizon = date("2026-11-20");
    member.hears_by(2, &["2026-11-20", "2026-11-21"]);
    assert_eq!(member.standing.len(), 2);
    let text = member.progress.clone().expect("progress");
    assert!(!text.contains("738"), "{text}");
    assert_eq!(member.hears_by(2, &["2026-11-22", "2026-11-23"]).len(), 1);
}

#[test]
fn a_version_that_cannot_be_read_is_a_fault() {
    let mut member = edited(Immediate, Immediate, false, OFTEN);
    member.hears(&["2026-11-13"]);
    let mut editions = Member::editions(&member.rules);
    editions[0].rule = None;
    let terms = Terms {
        horizon: member.horizon,
        revocable: true,
        allowance: None,
    };
    let judged = |version| {
        let progress = member.progress.as_deref();
        evaluate(&editions, version, progress, &Change::default(), terms).map(|_| ())
    };
    assert_eq!(judged(2), Err(Fault::UnknownVersion { number: 1 }));
    assert_eq!(judged(3), Err(Fault::UnknownVersion { number: 3 }));
}
