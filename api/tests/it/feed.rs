//! A partner's feed: what enters it, in which order, and how it is read.

mod backfill;
mod digest;
mod export;
mod kept;
mod listeners;
mod races;

use api::auth::viewer::Party;
use serde_json::{Value, json};

use crate::harness::{Caller, Statements, TestApp, World, event, streak_input};

on_both!(
    positions_count_from_one_without_a_hole,
    an_entry_names_the_achievement_and_nothing_of_the_event_or_the_person,
    a_member_has_one_name_for_each_partner,
    the_members_word_stands_above_the_employers_default,
    a_grant_covers_its_programs_from_then_until_it_is_revoked,
    a_feed_is_read_page_by_page,
    a_cursor_that_is_none_or_anothers_is_refused,
    a_page_costs_no_more_statements_for_more_entries,
    what_a_partner_was_told_it_can_read_after_its_grant_was_revoked,
);

/// An incentive that each event earns once more.
async fn always(world: &World<'_>) {
    world
        .incentive(streak_input("always", 1, json!({"unlimited": true})))
        .await;
}

/// A further partner, that may know of "wellbeing".
async fn gym<'a>(world: &World<'a>) -> Caller<'a> {
    let app = world.app;
    let made = app
        .operator()
        .change(
            "createPartner",
            json!({"key": "gym", "name": "Gym"}),
            "partner { id }",
        )
        .await;
    world.grant("gym", "wellbeing").await;
    app.by(
        Party::Partner(made["partner"]["id"].as_str().unwrap().parse().unwrap()),
        "feed:read",
    )
}

async fn entries(partner: &Caller<'_>) -> Vec<Value> {
    let query = "{ feed { entries { position cursor achievement { id memberRef } } } }";
    let data = partner.data(query, json!({})).await;
    data["feed"]["entries"].as_array().unwrap().clone()
}

async fn positions_count_from_one_without_a_hole(app: &TestApp) {
    let world = World::new(app).await;
    always(&world).await;
    world.members(&["ada", "bob"]).await;
    for day in 15..=21 {
        let at = format!("2026-11-{day}T10:00:00Z");
        world
            .did(["ada", "bob"].map(|member| event(&format!("{member}-{day}"), member, &at)))
            .await;
    }
    let positions: Vec<i64> = world
        .feed()
        .await
        .iter()
        .map(|entry| entry["position"].as_i64().unwrap())
        .collect();
    assert_eq!(positions, (1..=14).collect::<Vec<i64>>());
}

async fn an_entry_names_the_achievement_and_nothing_of_the_event_or_the_person(app: &TestApp) {
    let world = World::new(app).await;
    always(&world).await;
    world.members(&["ada"]).await;
    world.did([event("e1", "ada", "2026-11-20T10:00:00Z")]).await;
    let feed = world.feed().await;
    let entry = &feed[0];
    assert_eq!(entry["kind"], "ACHIEVEMENT_EARNED");
    let achievement = &entry["achievement"];
    assert_eq!(achievement["title"], "Title of always");
    assert_eq!(achievement["earnedOn"], "2026-11-20");
    assert_eq!(achievement["status"], "EARNED");
    assert_eq!(achievement["incentive"]["key"], "always");
    assert_eq!(achievement["program"]["key"], "wellbeing");
    // Not the employer's id of the member, and no way from the achievement to the member.
    assert_ne!(
        achievement["memberRef"],
        json!(world.member_id("ada").await.to_string())
    );
    let answer = world
        .partner()
        .ask(
            "{ feed { entries { achievement { member { externalId email } } } } }",
            json!({}),
        )
        .await;
    assert!(!answer.text.contains("ada"), "{}", answer.text);
    for guarded in [
        "incentive { version { number } }",
        "incentive { tally { memberCount } }",
    ] {
        let code = world
            .partner()
            .error(
                &format!("{{ feed {{ entries {{ achievement {{ {guarded} }} }} }} }}"),
                json!({}),
            )
            .await;
        assert_eq!(code, "FORBIDDEN");
    }
}

async fn a_member_has_one_name_for_each_partner(app: &TestApp) {
    let world = World::new(app).await;
    always(&world).await;
    let gym = gym(&world).await;
    world.members(&["ada", "bob"]).await;
    for day in [20, 21] {
        let at = format!("2026-11-{day}T10:00:00Z");
        world
            .did(["ada", "bob"].map(|member| event(&format!("{member}-{day}"), member, &at)))
            .await;
    }
    let names = |entries: Vec<Value>| -> Vec<String> {
        entries
            .iter()
            .map(|entry| entry["achievement"]["memberRef"].as_str().unwrap().to_owned())
            .collect()
    };
    let (spa, gym) = (names(entries(&world.partner()).await), names(entries(&gym).await));
    let distinct = |names: &[String]| names.iter().collect::<std::collections::BTreeSet<_>>().len();
    assert_eq!((spa.len(), distinct(&spa)), (4, 2));
    assert_eq!((gym.len(), distinct(&gym)), (4, 2));
    assert!(spa.iter().all(|name| !gym.contains(name)));
}

async fn the_members_word_stands_above_the_employers_default(app: &TestApp) {
    let world = World::new(app).await;
    always(&world).await;
    let gym = gym(&world).await;
    let says = |given: bool, partner: Value| json!({"purpose": "PARTNER_SHARING", "given": given, "partner": partner});
    world
        .register(vec![
            json!({"externalId": "default"}),
            json!({"externalId": "none", "consents": [says(false, Value::Null)]}),
            json!({"externalId": "not-gym", "consents": [says(false, json!("gym"))]}),
            json!({"externalId": "only-gym", "consents": [says(false, Value::Null), says(true, json!("gym"))]}),
            json!({"externalId": "mail", "consents": [{"purpose": "EMAIL", "given": false}]}),
        ])
        .await;
    let members = ["default", "none", "not-gym", "only-gym", "mail"];
    world
        .did(members.map(|member| event(member, member, "2026-11-20T10:00:00Z")))
        .await;
    // default, not-gym, mail; and default, only-gym, mail.
    assert_eq!(
        (entries(&world.partner()).await.len(), entries(&gym).await.len()),
        (3, 3)
    );
    // A word counts from then on: nothing comes later, nothing is taken back.
    world
        .register(vec![
            json!({"externalId": "none", "consents": [says(true, Value::Null)]}),
            json!({"externalId": "default", "consents": [says(false, Value::Null)]}),
        ])
        .await;
    assert_eq!(
        (entries(&world.partner()).await.len(), entries(&gym).await.len()),
        (3, 3)
    );
    world
        .did(["default", "none"].map(|member| event(&format!("{member}-2"), member, "2026-11-21T10:00:00Z")))
        .await;
    assert_eq!(
        (entries(&world.partner()).await.len(), entries(&gym).await.len()),
        (4, 4)
    );
}

async fn a_grant_covers_its_programs_from_then_until_it_is_revoked(app: &TestApp) {
    let world = World::new(app).await;
    always(&world).await;
    world.program(json!({"key": "private"})).await;
    let mut input = streak_input("secret", 1, json!({"unlimited": true}));
    input["program"] = json!("private");
    world.incentive(input).await;
    world.members(&["ada"]).await;
    world.did([event("e1", "ada", "2026-11-20T10:00:00Z")]).await;
    let feed = world.feed().await;
    assert_eq!(feed.len(), 1);
    assert_eq!(feed[0]["achievement"]["program"]["key"], "wellbeing");
    world.grant("spa", "private").await;
    world.members(&["bob"]).await;
    world.did([event("e2", "bob", "2026-11-20T10:00:00Z")]).await;
    assert_eq!(world.feed().await.len(), 3);
    let revoked = world
        .admin()
        .change(
            "revokeGrant",
            json!({"partner": "spa", "programs": ["wellbeing"]}),
            "grants { program revokedAt }",
        )
        .await;
    assert_eq!(
        revoked["grants"],
        json!([{"program": "wellbeing", "revokedAt": "2026-11-21T12:00:00Z"}])
    );
    world.members(&["eve"]).await;
    world.did([event("e3", "eve", "2026-11-20T10:00:00Z")]).await;
    let feed = world.feed().await;
    assert_eq!(feed.len(), 4);
    assert_eq!(feed[3]["achievement"]["program"]["key"], "private");
    let again = world
        .admin()
        .fault(
            "revokeGrant",
            json!({"partner": "spa", "programs": ["wellbeing"]}),
            "grants { program }",
        )
        .await;
    assert_eq!(again.0, "NOT_FOUND");
    // Given again, it counts again from then on.
    world.grant("spa", "wellbeing").await;
    world.members(&["zoe"]).await;
    world.did([event("e4", "zoe", "2026-11-20T10:00:00Z")]).await;
    assert_eq!(world.feed().await.len(), 6);
}

async fn a_feed_is_read_page_by_page(app: &TestApp) {
    let world = World::new(app).await;
    always(&world).await;
    world.members(&["ada", "bob", "eve"]).await;
    for day in 15..=21 {
        let at = format!("2026-11-{day}T10:00:00Z");
        world
            .did(["ada", "bob", "eve"].map(|member| event(&format!("{member}-{day}"), member, &at)))
            .await;
    }
    let query = "query($after: String) { feed(after: $after, first: 8) { entries { position cursor } endCursor hasMore } }";
    let (mut after, mut positions, mut more) = (Value::Null, Vec::new(), Vec::new());
    for _ in 0..4 {
        let page = world.partner().data(query, json!({"after": after})).await["feed"].clone();
        let entries = page["entries"].as_array().unwrap();
        positions.extend(entries.iter().map(|entry| entry["position"].as_i64().unwrap()));
        if let Some(last) = entries.last() {
            assert_eq!(page["endCursor"], last["cursor"]);
        }
        more.push(page["hasMore"].as_bool().unwrap());
        // At the end the cursor stays where it is, for the next time there is news.
        assert!(page["endCursor"].is_string());
        after = page["endCursor"].clone();
    }
    assert_eq!(positions, (1..=21).collect::<Vec<i64>>());
    assert_eq!(more, [true, true, false, false]);
    for first in [0, -1, 101] {
        let code = world
            .partner()
            .error(&format!("{{ feed(first: {first}) {{ hasMore }} }}"), json!({}))
            .await;
        assert_eq!(code, "BAD_USER_INPUT", "{first}");
    }
}

async fn a_cursor_that_is_none_or_anothers_is_refused(app: &TestApp) {
    let world = World::new(app).await;
    always(&world).await;
    let gym = gym(&world).await;
    world.members(&["ada"]).await;
    world.did([event("e1", "ada", "2026-11-20T10:00:00Z")]).await;
    let foreign = entries(&gym).await[0]["cursor"].clone();
    let own = entries(&world.partner()).await[0]["cursor"].clone();
    // The position is the last thing in a cursor: this one is of an entry that is not there yet.
    let future = entity::feed::cursor::write(world.partner, 2);
    let query = "query($after: String!) { feed(after: $after) { entries { position } } }";
    let bad = [
        foreign,
        json!(future),
        json!(""),
        json!("garbage"),
        json!("AAAA"),
        json!("1"),
        json!("\u{0}"),
    ];
    for cursor in bad {
        let code = world.partner().error(query, json!({"after": cursor})).await;
        assert_eq!(code, "BAD_USER_INPUT", "{cursor}");
    }
    let page = world.partner().data(query, json!({"after": own})).await;
    assert_eq!(page["feed"]["entries"], json!([]));
}

async fn a_page_costs_no_more_statements_for_more_entries(app: &TestApp) {
    let world = World::new(app).await;
    world.program(json!({"key": "other"})).await;
    world.grant("spa", "other").await;
    for number in 0..5 {
        for program in ["wellbeing", "other"] {
            let mut input = streak_input(&format!("{program}-{number}"), 1, json!({"unlimited": true}));
            input["program"] = json!(program);
            world.incentive(input).await;
        }
    }
    world
        .reward(json!({"program": "wellbeing", "key": "mug", "price": 0, "fulfilledBy": "spa"}))
        .await;
    world.members(&["ada", "bob"]).await;
    for day in 15..=19 {
        let at = format!("2026-11-{day}T10:00:00Z");
        let events = ["ada", "bob"].map(|member| event(&format!("{member}-{day}"), member, &at));
        world.did(events).await;
        if day == 17 {
            world.redeemed("ada", "mug", "k1").await;
        }
    }
    let partner = world.partner();
    let statements = Statements::count(app);
    let cost = async |first: i32, expected: usize| {
        let query = "query($first: Int) { feed(first: $first) { hasMore entries { id position kind
            achievement { id memberRef incentive { key name } program { key name } } redemption { id reward { key } } } } }";
        let (data, cost) = statements.of(partner.data(query, json!({"first": first}))).await;
        assert_eq!(data["feed"]["entries"].as_array().unwrap().len(), expected);
        cost
    };
    cost(1, 1).await;
    let (one, page) = (cost(1, 1).await, cost(100, 100).await);
    // The entries, the incentives and the programs; of a page also the rewards.
    assert_eq!((one, page), (3, 4));
}

async fn what_a_partner_was_told_it_can_read_after_its_grant_was_revoked(app: &TestApp) {
    let world = World::new(app).await;
    always(&world).await;
    world.members(&["ada"]).await;
    world.did([event("e1", "ada", "2026-11-20T10:00:00Z")]).await;
    let told = world.feed().await;
    let node = "query($id: ID!) { node(id: $id) { ... on FeedEntry { position } ... on Achievement { title status } } }";
    let read = async || {
        let mut seen = Vec::new();
        for id in [&told[0]["id"], &told[0]["achievement"]["id"]] {
            seen.push(world.partner().data(node, json!({"id": id})).await["node"].clone());
        }
        seen
    };
    let before = read().await;
    assert_eq!(before[0], json!({"position": 1}));
    world
        .admin()
        .change(
            "revokeGrant",
            json!({"partner": "spa", "programs": ["wellbeing"]}),
            "grants { program }",
        )
        .await;
    assert_eq!((read().await, world.feed().await), (before, told));
}
