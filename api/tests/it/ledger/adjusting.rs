//! Points that are corrected by hand: once for each key, never below zero, with a reason that goes with its member.

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::purse::Purse;
use crate::harness::{TestApp, World};

on_both!(
    points_are_added_and_taken_by_hand,
    a_correction_is_made_once_however_often_it_is_asked_for_at_once,
    a_key_that_was_used_for_something_else_is_a_conflict,
    asked_for_again_it_answers_with_the_same_entry_and_the_balance_of_now,
    no_more_points_are_taken_than_could_be_spent,
    a_correction_that_was_refused_leaves_its_key_free,
    what_makes_no_sense_is_refused_field_by_field,
    many_corrections_at_once_never_take_more_than_there_is,
    a_correction_says_who_has_made_it_and_why_until_the_member_is_erased,
    a_key_belongs_to_its_employer,
);

const MADE: &str = "entryId available pending";

fn input(amount: i64, key: &str) -> Value {
    json!({"member": "ada", "amount": amount, "reason": "By mistake", "idempotencyKey": key})
}

async fn adjust(world: &World<'_>, input: Value) -> Value {
    world.by("points:write").change("adjustPoints", input, MADE).await
}

async fn refused(world: &World<'_>, input: Value) -> (String, String) {
    world.by("points:write").fault("adjustPoints", input, MADE).await
}

fn fault(code: &str, path: &str) -> (String, String) {
    (code.to_owned(), path.to_owned())
}

async fn points_are_added_and_taken_by_hand(app: &TestApp) {
    let world = World::new(app).await;
    let purse = Purse::of(&world, "ada").await;
    let made = adjust(&world, input(10, "one")).await;
    assert!(made["entryId"].as_str().unwrap().starts_with("pte_"));
    assert_eq!((&made["available"], &made["pending"]), (&json!(10), &json!(0)));
    purse.earn(5, 1, None).await;
    let made = adjust(&world, input(-4, "two")).await;
    assert_eq!((&made["available"], &made["pending"]), (&json!(6), &json!(5)));
    let adjusted = |amount| ("ADJUSTED".to_owned(), amount);
    let earned = ("EARNED".to_owned(), 5);
    assert_eq!(purse.entries().await, [adjusted(10), earned, adjusted(-4)]);
    let mut other = input(3, "three");
    other["category"] = json!("MINDFULNESS");
    assert_eq!(adjust(&world, other).await["available"], json!(3));
    assert_eq!(purse.other("MINDFULNESS").balance().await, (3, 0));
}

async fn a_correction_is_made_once_however_often_it_is_asked_for_at_once(app: &TestApp) {
    let world = World::new(app).await;
    let purse = Purse::of(&world, "ada").await;
    let made = join_all((0..50).map(|_| adjust(&world, input(10, "one")))).await;
    assert!(made.iter().all(|one| one == &made[0]), "{made:?}");
    assert_eq!(purse.entries().await, [("ADJUSTED".to_owned(), 10)]);
    assert_eq!(
        app.count("SELECT count(*) AS count FROM points_adjustment").await,
        1
    );
}

async fn a_key_that_was_used_for_something_else_is_a_conflict(app: &TestApp) {
    let world = World::new(app).await;
    world.members(&["ada", "bob"]).await;
    adjust(&world, input(10, "one")).await;
    for (field, value) in [
        ("member", json!("bob")),
        ("category", json!("other")),
        ("amount", json!(11)),
        ("reason", json!("Another")),
    ] {
        let mut other = input(10, "one");
        other[field] = value;
        assert_eq!(
            refused(&world, other).await,
            fault("CONFLICT", "idempotencyKey"),
            "{field}"
        );
    }
    assert_eq!(app.count("SELECT count(*) AS count FROM points_entry").await, 1);
}

async fn asked_for_again_it_answers_with_the_same_entry_and_the_balance_of_now(app: &TestApp) {
    let world = World::new(app).await;
    world.members(&["ada"]).await;
    let first = adjust(&world, input(10, "one")).await;
    adjust(&world, input(-3, "two")).await;
    let again = adjust(&world, input(10, "one")).await;
    assert_eq!(again["entryId"], first["entryId"]);
    assert_eq!(again["available"], json!(7));
}

async fn no_more_points_are_taken_than_could_be_spent(app: &TestApp) {
    let world = World::new(app).await;
    let purse = Purse::of(&world, "ada").await;
    purse.earn(5, 0, None).await;
    purse.earn(5, 1, None).await;
    let insufficient = fault("INSUFFICIENT_POINTS", "amount");
    assert_eq!(refused(&world, input(-6, "one")).await, insufficient);
    assert_eq!(purse.balance().await, (5, 5));
    assert_eq!(adjust(&world, input(-5, "two")).await["available"], json!(0));
    assert_eq!(refused(&world, input(-1, "three")).await, insufficient);
}

async fn a_correction_that_was_refused_leaves_its_key_free(app: &TestApp) {
    let world = World::new(app).await;
    world.members(&["ada"]).await;
    let insufficient = fault("INSUFFICIENT_POINTS", "amount");
    assert_eq!(refused(&world, input(-1, "one")).await, insufficient);
    assert_eq!(adjust(&world, input(1, "one")).await["available"], json!(1));
}

async fn what_makes_no_sense_is_refused_field_by_field(app: &TestApp) {
    let world = World::new(app).await;
    world.members(&["ada"]).await;
    for (field, value) in [
        ("amount", json!(0)),
        ("amount", json!(1_000_000_001)),
        ("amount", json!(-1_000_000_001)),
        ("amount", json!(i64::MIN)),
        ("reason", json!(" ")),
        ("reason", json!("x".repeat(201))),
        ("reason", json!("a\u{0}b")),
        ("category", json!("")),
        ("category", json!("-points")),
        ("category", json!("two words")),
        ("category", json!("x".repeat(64))),
        ("idempotencyKey", json!("")),
        ("idempotencyKey", json!("two words")),
        ("idempotencyKey", json!("x".repeat(201))),
    ] {
        let mut bad = input(1, "one");
        bad[field] = value.clone();
        assert_eq!(
            refused(&world, bad).await,
            fault("INVALID_INPUT", field),
            "{value}"
        );
    }
    for nobody in ["bob", "", "a\u{0}b"] {
        let mut bad = input(1, "one");
        bad["member"] = json!(nobody);
        assert_eq!(
            refused(&world, bad).await,
            fault("UNKNOWN_MEMBER", "member"),
            "{nobody}"
        );
    }
    let mut good = input(1_000_000_000, &"x".repeat(200));
    good["category"] = json!(null);
    assert_eq!(adjust(&world, good).await["available"], json!(1_000_000_000));
}

async fn many_corrections_at_once_never_take_more_than_there_is(app: &TestApp) {
    let world = World::new(app).await;
    world.members(&["ada"]).await;
    adjust(&world, input(10, "first")).await;
    let caller = world.by("points:write");
    let keys: Vec<String> = (0..20).map(|number| format!("k{number}")).collect();
    let takes = keys
        .iter()
        .map(|key| caller.mutate("adjustPoints", input(-3, key), MADE));
    let payloads = join_all(takes).await;
    let done = payloads
        .iter()
        .filter(|payload| payload["userErrors"] == json!([]));
    assert_eq!(done.count(), 3);
    let refused = payloads
        .iter()
        .filter(|payload| payload["userErrors"][0]["code"] == "INSUFFICIENT_POINTS");
    assert_eq!(refused.count(), 17);
}

async fn a_correction_says_who_has_made_it_and_why_until_the_member_is_erased(app: &TestApp) {
    let world = World::new(app).await;
    world.members(&["ada", "bob"]).await;
    adjust(&world, input(10, "ada-1")).await;
    let mut of_bob = input(10, "bob-1");
    of_bob["member"] = json!("bob");
    adjust(&world, of_bob).await;
    let explained =
        "SELECT count(*) AS count FROM points_adjustment WHERE reason = 'By mistake' AND made_by = 'plaudit'";
    assert_eq!(app.count(explained).await, 2);
    world
        .backend()
        .change("eraseMember", json!({"member": "ada"}), "erased")
        .await;
    assert_eq!(app.count(explained).await, 1);
    assert_eq!(app.count("SELECT count(*) AS count FROM points_entry").await, 2);
    assert_eq!(app.count("SELECT count(*) AS count FROM idempotency").await, 1);
    assert_eq!(
        refused(&world, input(10, "ada-1")).await,
        fault("UNKNOWN_MEMBER", "member")
    );
}

async fn a_key_belongs_to_its_employer(app: &TestApp) {
    let (acme, globex) = (World::new(app).await, World::named(app, "globex", "gym").await);
    for world in [&acme, &globex] {
        world.members(&["ada"]).await;
        assert_eq!(adjust(world, input(10, "one")).await["available"], json!(10));
    }
    let mut foreign = input(10, "two");
    foreign["employer"] = json!("globex");
    assert_eq!(refused(&acme, foreign).await, fault("NOT_FOUND", "employer"));
}
