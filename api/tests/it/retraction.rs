//! Events that their sender takes back: before they come, after, twice; what goes with them, and who hears of it.

use std::collections::BTreeSet;

use futures_util::future::join3;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::harness::{Caller, TestApp, World, event, incentive_input, streak_input};

on_both!(
    a_retraction_before_its_event_leaves_it_counting_for_nothing,
    a_retraction_of_an_event_that_waits_to_be_evaluated_leaves_it_counting_for_nothing,
    a_retracted_event_counts_no_longer,
    retracting_twice_is_retracting_once,
    each_retraction_has_a_result_of_its_own,
    a_retraction_touches_no_other_source_and_no_other_employer,
    a_retraction_of_an_event_that_is_forgotten_changes_nothing,
    retracting_the_middle_day_takes_the_streak_until_another_day_fills_it,
    what_was_retracted_stays_so_when_it_is_sent_again,
    what_is_to_be_kept_is_kept,
    what_is_sensitive_is_kept_unless_it_says_otherwise,
    a_partner_hears_that_it_was_earned_and_that_it_was_revoked,
    a_partner_who_was_never_told_hears_of_no_revocation,
    whoever_may_not_know_is_not_told_the_reason,
    retracting_while_it_is_evaluated_ends_the_same_however_they_meet,
    a_thousand_are_retracted_by_one_request,
);

const RESULTS: &str = "results { id status error { code path } }";

/// Each retraction's status, or the code of its error with the path.
async fn retract(caller: &Caller<'_>, events: Value) -> Vec<String> {
    let payload = caller
        .change("retractEvents", json!({"events": events}), RESULTS)
        .await;
    let results = payload["results"].as_array().unwrap().iter();
    let word = |result: &Value| match result["error"]["code"].as_str() {
        Some(code) => format!("{code} {}", result["error"]["path"]),
        None => result["status"].as_str().unwrap().to_owned(),
    };
    results.map(word).collect()
}

/// What ada has for an incentive: id, status, day, reason, in the order of recording.
async fn achievements(caller: &Caller<'_>, incentive: &str) -> Vec<Value> {
    let query = "query($filter: AchievementFilter!) { achievements(filter: $filter) { nodes {
        id status earnedOn revokedAt revocationReason why { text events { id } } } } }";
    let filter = json!({"filter": {"member": "ada", "incentive": incentive}});
    let data = caller.data(query, filter).await;
    data["achievements"]["nodes"].as_array().unwrap().clone()
}

/// The statuses of what ada has for an incentive.
async fn statuses(world: &World<'_>, incentive: &str) -> Vec<String> {
    let all = achievements(&world.by("member:any"), incentive).await;
    all.iter()
        .map(|one| one["status"].as_str().unwrap().to_owned())
        .collect()
}

/// Ada, and an achievement for each of her meditations.
async fn each(app: &TestApp) -> World<'_> {
    let world = World::new(app).await;
    world
        .incentive(incentive_input(
            "each",
            "meditation.completed",
            json!({"immediate": true}),
            json!({"unlimited": true}),
        ))
        .await;
    world.members(&["ada"]).await;
    world
}

async fn a_retraction_before_its_event_leaves_it_counting_for_nothing(app: &TestApp) {
    let world = each(app).await;
    world.took_back(&["e1"]).await;
    world
        .did([
            event("e1", "ada", "2026-11-20T10:00:00Z"),
            event("e2", "ada", "2026-11-20T11:00:00Z"),
        ])
        .await;
    assert_eq!(statuses(&world, "each").await, ["EARNED"]);
    assert_eq!(app.count("SELECT count(*) AS count FROM contribution").await, 1);
}

async fn a_retraction_of_an_event_that_waits_to_be_evaluated_leaves_it_counting_for_nothing(app: &TestApp) {
    let world = each(app).await;
    let recorded = world
        .backend()
        .record([event("e1", "ada", "2026-11-20T10:00:00Z").into()])
        .await;
    assert_eq!(recorded, ["ACCEPTED"]);
    world.took_back(&["e1"]).await;
    assert!(statuses(&world, "each").await.is_empty());
    assert_eq!(world.feed_length().await, 0);
}

async fn a_retracted_event_counts_no_longer(app: &TestApp) {
    let world = each(app).await;
    world
        .did([
            event("e1", "ada", "2026-11-19T10:00:00Z"),
            event("e2", "ada", "2026-11-20T10:00:00Z"),
        ])
        .await;
    app.set_clock("2026-11-21T13:00:00Z");
    world.took_back(&["e2"]).await;
    let all = achievements(&world.by("member:any"), "each").await;
    assert_eq!(all[0]["status"], "EARNED");
    assert_eq!(
        (&all[0]["revokedAt"], &all[0]["revocationReason"]),
        (&Value::Null, &Value::Null)
    );
    assert_eq!(all[1]["status"], "REVOKED");
    assert_eq!(all[1]["revokedAt"], "2026-11-21T13:00:00Z");
    assert_eq!(all[1]["revocationReason"], "EVENT_RETRACTED");
}

async fn retracting_twice_is_retracting_once(app: &TestApp) {
    let world = each(app).await;
    world
        .did([
            event("e1", "ada", "2026-11-19T10:00:00Z"),
            event("e2", "ada", "2026-11-20T10:00:00Z"),
        ])
        .await;
    let backend = world.backend();
    let twice = json!([{"id": "e1"}, {"id": "e1", "reason": "typed twice"}]);
    assert_eq!(retract(&backend, twice).await, ["ACCEPTED", "DUPLICATE"]);
    assert_eq!(retract(&backend, json!([{"id": "e1"}])).await, ["DUPLICATE"]);
    app.run_jobs().await;
    assert_eq!(retract(&backend, json!([{"id": "e1"}])).await, ["DUPLICATE"]);
    app.run_jobs().await;
    let mut all = statuses(&world, "each").await;
    all.sort_unstable();
    assert_eq!(all, ["EARNED", "REVOKED"]);
    assert_eq!(world.feed_length().await, 3);
}

async fn each_retraction_has_a_result_of_its_own(app: &TestApp) {
    let world = each(app).await;
    let long = "x".repeat(256);
    let events = json!([
        {"id": ""}, {"id": "a\u{7}"}, {"id": long}, {"id": "e1", "source": ""}, {"id": "e1", "source": long},
        {"id": "e1", "reason": long}, {"id": "e1", "reason": "a\u{0}"}, {"id": "e1", "source": null, "reason": "x".repeat(255)},
    ]);
    let statuses = retract(&world.backend(), events).await;
    let of = |field: &str| format!("INVALID_INPUT [\"{field}\"]");
    let expected = [
        of("id"),
        of("id"),
        of("id"),
        of("source"),
        of("source"),
        of("reason"),
        of("reason"),
        "ACCEPTED".to_owned(),
    ];
    assert_eq!(statuses, expected);
    assert_eq!(app.count("SELECT count(*) AS count FROM retraction").await, 1);
    // Why somebody takes something back may tell of their health: it stands in that row and nowhere else.
    assert_eq!(app.tables_with(&"x".repeat(255)).await, ["retraction"]);

    let fault = async |caller: Caller<'_>, input: Value| caller.fault("retractEvents", input, RESULTS).await;
    let too_many: Vec<Value> = (0..=1_000)
        .map(|number| json!({"id": number.to_string()}))
        .collect();
    let wrong = ("TOO_MANY".to_owned(), "events".to_owned());
    assert_eq!(fault(world.backend(), json!({"events": []})).await, wrong);
    assert_eq!(fault(world.backend(), json!({"events": too_many})).await, wrong);
    let unknown = ("NOT_FOUND".to_owned(), "employer".to_owned());
    let nada = json!({"employer": "nada", "events": [{"id": "e1"}]});
    assert_eq!(fault(world.backend(), nada.clone()).await, unknown);
    assert_eq!(fault(app.operator(), nada).await, unknown);
    let unnamed = fault(app.operator(), json!({"events": [{"id": "e1"}]})).await;
    assert_eq!(unnamed, ("INVALID_INPUT".to_owned(), "employer".to_owned()));
}

async fn a_retraction_touches_no_other_source_and_no_other_employer(app: &TestApp) {
    let world = each(app).await;
    let other = World::named(app, "globex", "gym").await;
    let e1 = || event("e1", "ada", "2026-11-19T10:00:00Z");
    world.did([e1(), e1().set("source", json!("watch"))]).await;
    other.members(&["ada"]).await;
    let input = json!([{"id": "e1", "source": "watch"}]);
    assert_eq!(retract(&other.backend(), input.clone()).await, ["ACCEPTED"]);
    app.run_jobs().await;
    assert_eq!(statuses(&world, "each").await, ["EARNED", "EARNED"]);
    assert_eq!(retract(&world.backend(), input).await, ["ACCEPTED"]);
    app.run_jobs().await;
    assert_eq!(statuses(&world, "each").await, ["EARNED", "REVOKED"]);
}

async fn a_retraction_of_an_event_that_is_forgotten_changes_nothing(app: &TestApp) {
    let world = World::sandbox(app, "lab", "gym").await;
    world
        .incentive(streak_input("daily", 1, json!({"unlimited": true})))
        .await;
    world.members(&["ada"]).await;
    world.did([event("e1", "ada", "2026-11-20T10:00:00Z")]).await;
    // The receipt goes when the event could not be reported any more.
    world.advance("2026-11-28T00:00:00Z").await;
    jobs::purge::run(&app.app.jobs).await.unwrap();
    world.took_back(&["e1"]).await;
    assert_eq!(statuses(&world, "daily").await, ["EARNED"]);
    assert_eq!(world.feed_length().await, 1);
    // And what was said of it is forgotten in turn.
    world.advance("2027-01-06T00:00:01Z").await;
    jobs::purge::run(&app.app.jobs).await.unwrap();
    assert_eq!(app.count("SELECT count(*) AS count FROM retraction").await, 0);
}

async fn retracting_the_middle_day_takes_the_streak_until_another_day_fills_it(app: &TestApp) {
    let world = World::new(app).await;
    world
        .incentive(streak_input("five", 5, json!({"once": true})))
        .await;
    world.members(&["ada"]).await;
    world
        .did((16..=20).map(|day| event(&format!("e{day}"), "ada", &format!("2026-11-{day}T10:00:00Z"))))
        .await;
    world.took_back(&["e18"]).await;
    let all = achievements(&world.by("member:any"), "five").await;
    assert_eq!((all.len(), &all[0]["status"]), (1, &json!("REVOKED")));
    world.did([event("late", "ada", "2026-11-18T20:00:00Z")]).await;
    let again = achievements(&world.by("member:any"), "five").await;
    assert_eq!((again.len(), &again[0]), (2, &all[0]));
    assert_eq!(again[1]["status"], "EARNED");
    assert_ne!(again[1]["id"], all[0]["id"]);
    let events = again[1]["why"]["events"].as_array().unwrap().iter();
    let ids: Vec<&str> = events.map(|event| event["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["e16", "e17", "late", "e19", "e20"]);
}

async fn what_was_retracted_stays_so_when_it_is_sent_again(app: &TestApp) {
    let world = each(app).await;
    let e1 = || event("e1", "ada", "2026-11-19T10:00:00Z");
    world.did([e1()]).await;
    world.took_back(&["e1"]).await;
    assert_eq!(world.backend().record([e1().into()]).await, ["DUPLICATE"]);
    app.run_jobs().await;
    assert_eq!(statuses(&world, "each").await, ["REVOKED"]);
}

/// An incentive for an event type whose achievement goes by a policy, and how ada stands with it after its one event was taken back.
async fn with_policy(world: &World<'_>, key: &str, event_type: &str, policy: Value) -> Vec<String> {
    let mut input = incentive_input(key, event_type, json!({"immediate": true}), json!({"once": true}));
    input["outcomes"][0]["achievement"]["onRetraction"] = policy;
    world.incentive(input).await;
    world
        .did([event(key, "ada", "2026-11-20T10:00:00Z").of(event_type)])
        .await;
    world.took_back(&[key]).await;
    statuses(world, key).await
}

async fn what_is_to_be_kept_is_kept(app: &TestApp) {
    let world = World::new(app).await;
    world.members(&["ada"]).await;
    let stands = with_policy(&world, "keep", "meditation.completed", json!("KEEP")).await;
    assert_eq!(stands, ["EARNED"]);
    let all = achievements(&world.by("member:any"), "keep").await;
    assert_eq!(all[0]["why"]["events"], json!([]));
    assert!(all[0]["why"]["text"].as_str().unwrap().contains("taken back"));
}

async fn what_is_sensitive_is_kept_unless_it_says_otherwise(app: &TestApp) {
    let world = World::new(app).await;
    world.members(&["ada"]).await;
    let birth = "birth.reported";
    for (key, policy, expected) in [
        ("default", Value::Null, "EARNED"),
        ("unused", json!("REVOKE_IF_UNUSED"), "REVOKED"),
        ("revoke", json!("REVOKE"), "REVOKED"),
    ] {
        let stands = with_policy(&world, key, birth, policy).await;
        assert_eq!(stands, [expected], "{key}");
    }
}

async fn a_partner_hears_that_it_was_earned_and_that_it_was_revoked(app: &TestApp) {
    let world = each(app).await;
    world.did([event("e1", "ada", "2026-11-19T10:00:00Z")]).await;
    app.set_clock("2026-11-21T13:00:00Z");
    world.took_back(&["e1"]).await;
    let query = "{ feed { entries { kind recordedAt achievement { id status recordedAt revokedAt revocationReason memberRef
        why { text } member { id } } } } }";
    let data = world.partner().data(query, json!({})).await;
    let entries = data["feed"]["entries"].as_array().unwrap();
    let kinds: Vec<&Value> = entries.iter().map(|entry| &entry["kind"]).collect();
    assert_eq!(kinds, ["ACHIEVEMENT_EARNED", "ACHIEVEMENT_REVOKED"]);
    let [earned, revoked] = [&entries[0]["achievement"], &entries[1]["achievement"]];
    assert_eq!(
        (&earned["status"], &earned["revokedAt"]),
        (&json!("EARNED"), &Value::Null)
    );
    assert_eq!(revoked["status"], "REVOKED");
    assert_eq!(revoked["revokedAt"], "2026-11-21T13:00:00Z");
    for same in ["id", "memberRef", "recordedAt"] {
        assert_eq!(earned[same], revoked[same], "{same}");
    }
    for hidden in ["revocationReason", "why", "member"] {
        assert_eq!(revoked[hidden], Value::Null, "{hidden}");
    }
    let node = "query($id: ID!) { node(id: $id) { ... on Achievement { status } } }";
    let found = world.partner().data(node, json!({"id": earned["id"]})).await;
    assert_eq!(found["node"]["status"], "REVOKED");
}

async fn a_partner_who_was_never_told_hears_of_no_revocation(app: &TestApp) {
    let world = each(app).await;
    world.did([event("e1", "ada", "2026-11-19T10:00:00Z")]).await;
    let gym = World::named(app, "globex", "gym").await;
    world.grant("gym", "wellbeing").await;
    world.took_back(&["e1"]).await;
    assert_eq!(gym.feed().await, Vec::<Value>::new());
    assert_eq!(world.feed_length().await, 2);
    world.did([event("e2", "ada", "2026-11-20T10:00:00Z")]).await;
    assert_eq!(gym.feed().await.len(), 1);
    // Who may know no longer hears no more.
    world
        .admin()
        .change(
            "revokeGrant",
            json!({"partner": "gym", "programs": ["wellbeing"]}),
            "grants { program }",
        )
        .await;
    world.took_back(&["e2"]).await;
    assert_eq!(gym.feed().await.len(), 1);
    assert_eq!(world.feed_length().await, 4);
}

async fn whoever_may_not_know_is_not_told_the_reason(app: &TestApp) {
    let world = each(app).await;
    let stands = with_policy(&world, "born", "birth.reported", json!("REVOKE")).await;
    assert_eq!(stands, ["REVOKED"]);
    assert_eq!(achievements(&world.admin(), "born").await, Vec::<Value>::new());
    let own = achievements(&world.member("ada").await, "born").await;
    assert_eq!(own[0]["revocationReason"], "EVENT_RETRACTED");
}

/// Ways of one event and its retraction to meet, until as many were seen as there are.
const MEETINGS: usize = 50;

async fn retracting_while_it_is_evaluated_ends_the_same_however_they_meet(app: &TestApp) {
    let world = each(app).await;
    world
        .incentive(streak_input("daily", 2, json!({"unlimited": true})))
        .await;
    let members: Vec<String> = (0..MEETINGS).map(|number| format!("m{number}")).collect();
    let names: Vec<&str> = members.iter().map(String::as_str).collect();
    world.members(&names).await;
    let never = CancellationToken::new();
    let backend = world.backend();
    for (number, member) in members.iter().enumerate() {
        let id = |day: u32| format!("{member}-{day}");
        let events: Vec<Value> = [18, 19, 20]
            .map(|day| event(&id(day), member, &format!("2026-11-{day}T10:00:00Z")).into())
            .into();
        let middle = json!([{"id": id(19)}]);
        let jobs = &app.app.jobs;
        let work = async {
            // Some rounds look at the queue more often, some see it later.
            for _ in 0..=number % 3 {
                tokio::task::yield_now().await;
                jobs::evaluate::drain(jobs, &never).await.unwrap();
                jobs::retract::drain(jobs, &never).await.unwrap();
            }
        };
        let (recorded, retracted, ()) = if number % 2 == 0 {
            join3(backend.record(events), retract(&backend, middle), work).await
        } else {
            assert_eq!(backend.record(events).await, ["ACCEPTED"; 3]);
            let other = jobs::evaluate::batch(jobs, 2);
            let (evaluated, retracted, ()) = join3(other, retract(&backend, middle), work).await;
            evaluated.unwrap();
            (vec!["ACCEPTED".to_owned(); 3], retracted, ())
        };
        assert_eq!(
            (recorded, retracted),
            (vec!["ACCEPTED".to_owned(); 3], vec!["ACCEPTED".to_owned()])
        );
    }
    app.run_jobs().await;
    let query = "query($after: String) { achievements(first: 100, after: $after) {
        nodes { status earnedOn incentive { key } member { externalId } } pageInfo { hasNextPage endCursor } } }";
    let (mut standing, mut after) = (BTreeSet::new(), Value::Null);
    loop {
        let data = world.by("member:any").data(query, json!({"after": after})).await;
        let page = &data["achievements"];
        for node in page["nodes"].as_array().unwrap() {
            if node["status"] == "EARNED" {
                let words = [&node["member"]["externalId"], &node["incentive"]["key"]];
                standing.insert((
                    words.map(|word| word.as_str().unwrap().to_owned()),
                    node["earnedOn"].to_string(),
                ));
            }
        }
        after = page["pageInfo"]["endCursor"].clone();
        if page["pageInfo"]["hasNextPage"] == json!(false) {
            break;
        }
    }
    // Two single days each, and never a run of two.
    assert_eq!(standing.len(), 2 * MEETINGS);
    assert!(standing.iter().all(|([_, incentive], _)| incentive == "each"));
    let left = "SELECT count(*) AS count FROM contribution WHERE event_id LIKE '%-19'";
    assert_eq!(app.count(left).await, 0);
    let applied = "SELECT count(*) AS count FROM retraction WHERE state = 'PENDING'";
    assert_eq!(app.count(applied).await, 0);
}

async fn a_thousand_are_retracted_by_one_request(app: &TestApp) {
    let world = each(app).await;
    let minute = |number: u32| format!("2026-11-20T{:02}:{:02}:00Z", number / 60, number % 60);
    world
        .did((0..1_000).map(|number| event(&number.to_string(), "ada", &minute(number))))
        .await;
    let events: Vec<Value> = (0..1_000)
        .map(|number| json!({"id": number.to_string()}))
        .collect();
    assert_eq!(
        retract(&world.backend(), json!(events)).await,
        vec!["ACCEPTED"; 1_000]
    );
    app.run_jobs().await;
    let left = "SELECT count(*) AS count FROM achievement WHERE status = 'EARNED'";
    assert_eq!(app.count(left).await, 0);
    assert_eq!(world.feed_length().await, 2_000);
}
