//! The digest by which a partner proves that it holds what its feed holds.

use aws_lc_rs::digest::{SHA256, digest};
use serde_json::{Value, json};

use super::always;
use crate::harness::{TestApp, World, event};

on_both!(
    a_digest_is_that_of_the_positions_and_ids_that_were_read,
    a_range_that_is_none_is_refused,
);

const QUERY: &str =
    "query($from: BigInt!, $to: BigInt!) { feedDigest(from: $from, to: $to) { from to count sha256 } }";

/// The digest as a partner computes it.
fn expected(entries: &[Value]) -> String {
    let lines: String = entries
        .iter()
        .map(|entry| format!("{}:{}\n", entry["position"], entry["id"].as_str().unwrap()))
        .collect();
    let sum = digest(&SHA256, lines.as_bytes());
    sum.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

async fn a_digest_is_that_of_the_positions_and_ids_that_were_read(app: &TestApp) {
    let world = World::new(app).await;
    always(&world).await;
    world.members(&["ada", "bob"]).await;
    for day in 18..=21 {
        let at = format!("2026-11-{day}T10:00:00Z");
        let events = ["ada", "bob"].map(|member| event(&format!("{member}-{day}"), member, &at));
        world.did(events).await;
    }
    let feed = world.feed().await;
    assert_eq!(feed.len(), 8);
    // What is asked for beyond the newest entry is not there yet.
    for (from, to, count) in [
        (1, 8, 8),
        (1, 1, 1),
        (3, 6, 4),
        (8, 100, 1),
        (9, 9, 0),
        (5, 100_004, 4),
    ] {
        let answer = world.partner().data(QUERY, json!({"from": from, "to": to})).await;
        let first = usize::try_from(from).unwrap() - 1;
        let held = feed.iter().skip(first).take(count);
        let held: Vec<Value> = held.cloned().collect();
        let expected = json!({"from": from, "to": to, "count": count, "sha256": expected(&held)});
        assert_eq!(answer["feedDigest"], expected);
    }
}

async fn a_range_that_is_none_is_refused(app: &TestApp) {
    let world = World::new(app).await;
    let bad = [
        (0, 1),
        (-1, 1),
        (2, 1),
        (1, 100_001),
        (i64::MIN, i64::MAX),
        (1, i64::MAX),
    ];
    for (from, to) in bad {
        let code = world
            .partner()
            .error(QUERY, json!({"from": from, "to": to}))
            .await;
        assert_eq!(code, "BAD_USER_INPUT", "{from} {to}");
    }
}
