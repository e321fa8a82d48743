//! What does not agree is found, whatever it is, and named by ids alone.

use serde_json::json;

use super::purse::{Act, Purse};
use crate::harness::{TestApp, World, event, incentive_input};
use entity::check::{self, Report};
use entity::ledger::Depth;

on_both!(
    everything_agrees_where_nobody_has_meddled,
    each_thing_that_does_not_agree_is_found,
    of_many_differences_of_one_kind_only_some_are_listed,
);

async fn check(app: &TestApp) -> Report {
    check::run(&app.app.db).await.unwrap()
}

/// Ada has earned points of two kinds and spent some, has two achievements, and a partner knows.
async fn world(app: &TestApp) -> World<'_> {
    let world = World::new(app).await;
    let purse = Purse::of(&world, "ada").await;
    purse.earn(10, 0, Some(9)).await;
    purse.earn(5, 3, None).await;
    purse.other("other").earn(7, 0, None).await;
    purse
        .change(Depth::Lots, async |txn, account, moment| {
            let redemption = app.app.ids.next();
            assert!(purse.act(account, moment, &Act::Spend(4, redemption), Vec::new()));
            purse.redemption(txn, redemption, 4).await;
        })
        .await;
    let unlimited = json!({"unlimited": true});
    let input = incentive_input(
        "each",
        "meditation.completed",
        json!({"immediate": true}),
        unlimited,
    );
    world.incentive(input).await;
    let did = |id: &str| event(id, "ada", "2026-11-21T10:00:00Z").of("meditation.completed");
    world.did([did("e1"), did("e2")]).await;
    app.sql(
        "INSERT INTO points_cap (employer_id, member_id, incentive_id, category, period_key, gross, granted)
         SELECT employer_id, member_id, incentive_id, 'points', 'all', 9, 5 FROM achievement WHERE ordinal = 1",
    )
    .await
    .unwrap();
    world
}

async fn everything_agrees_where_nobody_has_meddled(app: &TestApp) {
    let nothing = check(app).await;
    assert_eq!((nothing.accounts, nothing.entries, nothing.feeds), (0, 0, 0));
    world(app).await;
    let report = check(app).await;
    assert_eq!((report.accounts, report.lots, report.entries), (2, 3, 4));
    assert_eq!((report.redemptions, report.awards, report.feeds), (1, 2, 1));
    assert_eq!(report.differences, []);
}

async fn each_thing_that_does_not_agree_is_found(app: &TestApp) {
    let world = world(app).await;
    app.leave_differences();
    app.sql_either(
        "DROP TRIGGER points_entry_is_immutable; DROP TRIGGER points_posting_is_immutable",
        "DROP TRIGGER points_entry_is_immutable ON points_entry; DROP TRIGGER points_posting_is_immutable ON points_posting",
    )
    .await;
    let other_cap = "CREATE TABLE other_cap AS SELECT * FROM points_cap; DROP TABLE points_cap;
        ALTER TABLE other_cap RENAME TO points_cap; UPDATE points_cap SET granted = gross + 1";
    for (change, what, id) in [
        (
            "UPDATE points_account SET available = available + 1, pending = pending - 1 WHERE category = 'points'",
            "the balance is not what remains of the lots",
            "mem_",
        ),
        (
            "UPDATE points_account SET entries = entries + 1 WHERE category = 'other'",
            "the balance is not what the entries add up to, or their numbers have a hole",
            "mem_",
        ),
        (
            "UPDATE points_account SET due_at = due_at + 1",
            "due at another time than the next of its lots becomes active or ends",
            "mem_",
        ),
        (
            "UPDATE points_entry SET balance_after = balance_after + 1 WHERE number = 1",
            "the balance after it is not the sum of the entries up to it",
            "pte_",
        ),
        (
            "UPDATE points_posting SET amount = amount + 1 WHERE amount = 7",
            "the amount is not the sum of its postings",
            "pte_",
        ),
        (
            "UPDATE points_lot SET category = 'other' WHERE amount = 5",
            "a posting is to a lot of another account",
            "pte_",
        ),
        (
            "UPDATE points_lot SET amount = amount + 1 WHERE amount = 10",
            "what it was made of, or what remains of it, is not the sum of its postings",
            "lot_",
        ),
        (
            "UPDATE redemption SET points_spent = 5",
            "the points that were spent on it are not what its entries have taken",
            "rdm_",
        ),
        (
            "UPDATE redemption SET category = 'other'",
            "it names a redemption that is not there, or of other points",
            "pte_",
        ),
        (
            "DROP INDEX achievement_once; UPDATE achievement SET ordinal = 1",
            "it stands beside another one of the same key",
            "ach_",
        ),
        (other_cap, "more points were given than a cap has seen", "mem_"),
        (
            "UPDATE feed_head SET position = position + 1",
            "the positions of the feed do not go on from its oldest to its head",
            "ptr_",
        ),
        (
            "DROP INDEX feed_entry_tells_achievement; DROP INDEX feed_entry_by_id;
             INSERT INTO feed_entry (partner_id, position, id, employer_id, kind, achievement_id, member_ref, recorded_at)
             SELECT partner_id, 3, id, employer_id, kind, achievement_id, member_ref, recorded_at FROM feed_entry WHERE position = 1",
            "the partner was told the same twice",
            "ptr_",
        ),
    ] {
        let found = |report: Report| report.differences.into_iter().find(|found| found.what == what);
        if !what.starts_with("what it was made of") {
            assert_eq!(found(check(app).await), None, "{what}");
        }
        app.sql(change).await.unwrap();
        let difference = found(check(app).await).unwrap_or_else(|| panic!("{what}: not found"));
        assert!(difference.id.starts_with(id), "{difference}");
        assert!(!difference.to_string().contains("ada"), "{difference}");
    }
    let member = world.member_id("ada").await;
    let line = format!(
        "{} {member} (other): the balance is not what the entries add up to",
        world.employer
    );
    let report = check(app).await;
    let mut lines = report.differences.iter().map(ToString::to_string);
    assert!(lines.any(|found| found.starts_with(&line)), "{line}");
}

async fn of_many_differences_of_one_kind_only_some_are_listed(app: &TestApp) {
    let world = World::new(app).await;
    app.leave_differences();
    let purse = Purse::of(&world, "ada").await;
    for number in 0..=check::LISTED {
        purse.other(&format!("kind-{number}")).earn(1, 0, Some(9)).await;
    }
    app.sql("UPDATE points_account SET due_at = NULL").await.unwrap();
    assert_eq!(check(app).await.differences.len(), check::LISTED);
}
