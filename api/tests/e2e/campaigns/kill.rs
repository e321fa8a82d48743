//! `kill -9` while messages are being sent, again and again: none goes twice, and none is lost from sight.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasher, Hasher};
use std::time::Duration;

use serde_json::{Value, json};

use super::server::MailServer;
use super::{Shop, ids};
use crate::support::database::Database;
use crate::support::plaudit::Plaudit;
use crate::support::setting::record;
use crate::support::until::eventually;

on_both!(no_message_is_sent_twice_and_none_vanishes_over_fifty_kills,);

const KILLS: usize = 50;
/// Purchases between two kills.
const ORDERS: usize = 40;
/// Leases end after a second and a bit.
const SCALE: &str = "0.002";

async fn no_message_is_sent_twice_and_none_vanishes_over_fifty_kills(database: Database) {
    let mail = MailServer::start(&[]).await;
    let front = Plaudit::serve(&database, &["--no-workers"]).await;
    let shop = Shop::open(
        &database,
        &front,
        json!({"key": "thanks", "name": "Thanks", "subject": "Thank you", "text": "Come again.", "transactional": true}),
    )
    .await;
    let url = mail.url();
    let arguments = [
        "--smtp-url",
        &url,
        "--mail-from",
        "hello@shop.example",
        "--retry-scale",
        SCALE,
    ];
    // Different each time, and said if it fails.
    let seed = std::hash::RandomState::new().build_hasher().finish();
    println!("seed {seed}");
    let mut random = seed;
    for round in 0..KILLS {
        let worker = Plaudit::work_with(&database, &arguments).await;
        let before = mail.mails().len();
        let orders: Vec<Value> = (0..ORDERS)
            .map(|number| order(&shop, round * ORDERS + number))
            .collect();
        let statuses = record(&shop.backend, &orders).await.expect("an answer");
        assert!(statuses.iter().all(|status| status == "ACCEPTED"), "{statuses:?}");
        // In the middle of it: after so many mails of this round.
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let count = usize::try_from(random >> 33).expect("a number") % ORDERS;
        mail.came(before + count.max(1)).await;
        worker.kill();
    }
    let all = KILLS * ORDERS;
    let worker = Plaudit::work_with(&database, &arguments).await;
    let query = "{ campaign(key: \"thanks\") { funnel { triggered pending sent unknown failed } } }";
    let funnel = eventually("every message is settled", Duration::from_mins(1), async || {
        let data = shop.admin.data(query, &json!({})).await;
        let funnel = data["campaign"]["funnel"].clone();
        (funnel["pending"] == 0 && funnel["triggered"] == all).then_some(funnel)
    })
    .await;
    let number = |name: &str| {
        let number = funnel[name].as_u64().expect("a number");
        usize::try_from(number).expect("a number")
    };
    assert_eq!(number("failed"), 0);
    assert_eq!(number("sent") + number("unknown"), all, "{funnel}");
    let given = mail.mails();
    let mut times: BTreeMap<String, usize> = BTreeMap::new();
    for id in ids(&given) {
        *times.entry(id).or_default() += 1;
    }
    let twice: Vec<_> = times.iter().filter(|(_, times)| **times > 1).collect();
    assert_eq!(twice, Vec::new(), "sent twice");
    // Whatever stands as sent was taken; what was taken stands as sent, or as unknown, and then it can be seen.
    let unknown = unknown(&shop).await;
    assert_eq!(unknown.len(), number("unknown"));
    assert!(given.iter().all(super::server::Mail::is_accepted));
    let known: BTreeSet<&String> = times.keys().collect();
    let lost = number("sent") + unknown.len() - known.len();
    assert!(
        lost <= unknown.len(),
        "{lost} were never given to the server, and {} are unknown",
        unknown.len()
    );
    println!(
        "{} sent, {} unknown, {lost} of them never taken",
        number("sent"),
        unknown.len()
    );
    worker.kill();
}

fn order(shop: &Shop, number: usize) -> Value {
    json!({
        "id": format!("o{number}"), "type": "order.completed", "member": format!("m{number}@example.com"),
        "occurredAt": shop.now.to_rfc3339(), "properties": {"order": format!("o{number}"), "total": 1, "currency": "EUR"},
    })
}

/// The messages of which nobody knows what came of them, as a person sees them.
async fn unknown(shop: &Shop) -> Vec<String> {
    let query = "query ($after: String) { unknownMessages(first: 100, after: $after) {
        nodes { id } pageInfo { hasNextPage endCursor } } }";
    let mut found = Vec::new();
    let mut after = Value::Null;
    loop {
        let page = shop.admin.data(query, &json!({"after": after})).await["unknownMessages"].clone();
        let nodes = page["nodes"].as_array().expect("a list");
        found.extend(
            nodes
                .iter()
                .filter_map(|node| node["id"].as_str().map(str::to_owned)),
        );
        if page["pageInfo"]["hasNextPage"] != Value::Bool(true) {
            return found;
        }
        after = page["pageInfo"]["endCursor"].clone();
    }
}
