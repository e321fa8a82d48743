//! What a partner is told of what was achieved before it was granted a program.

use std::collections::BTreeSet;

use entity::id::AchievementId;
use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::{always, entries, gym};
use crate::harness::{Caller, TestApp, World, event, incentive_input};

on_both!(
    a_partner_is_told_of_what_stands_and_is_shared_and_of_nothing_else,
    a_grant_alone_reaches_not_back,
    asking_again_tells_what_was_not_told_yet,
    a_back_fill_goes_on_where_another_process_has_left_it,
    a_revoked_grant_stops_it,
    while_members_go_on_earning_each_achievement_is_told_once,
);

/// Grants the program to the partner "gym", with what was achieved before.
async fn fill(world: &World<'_>) -> Value {
    let input = json!({"partner": "gym", "programs": ["wellbeing"], "backfill": true});
    let selection = "grants { partner backfill { state done told endedAt } }";
    let made = world.admin().change("grantPartner", input, selection).await;
    made["grants"][0]["backfill"].clone()
}

/// How far the back-fill of the partner "gym" has come.
async fn progress(world: &World<'_>) -> Value {
    let query = "{ employer { grants { partner backfill { state done told } } } }";
    let data = world.admin().data(query, json!({})).await;
    let grants = data["employer"]["grants"].as_array().unwrap();
    let gym = grants.iter().find(|grant| grant["partner"] == "gym");
    gym.unwrap()["backfill"].clone()
}

/// The ids of the achievements that the partner was told of, in order.
async fn told(partner: &Caller<'_>) -> Vec<String> {
    let query =
        "query($after: String) { feed(after: $after) { endCursor hasMore entries { achievement { id } } } }";
    let (mut told, mut after) = (Vec::new(), Value::Null);
    loop {
        let page = partner.data(query, json!({"after": after})).await["feed"].clone();
        let ids = page["entries"].as_array().unwrap().iter();
        told.extend(ids.map(|entry| entry["achievement"]["id"].as_str().unwrap().to_owned()));
        if page["hasMore"] == json!(false) {
            return told;
        }
        after = page["endCursor"].clone();
    }
}

/// The ids by which the partner "gym" knows achievements.
async fn known_to_gym(app: &TestApp, ids: &[String]) -> Vec<String> {
    let db = app.app.db.read();
    let gym = entity::partner::find_by_key(db, "gym").await.unwrap().unwrap();
    let known = entity::partner::pairwise_ids(db, gym.id).await.unwrap();
    ids.iter()
        .map(|id| {
            known
                .shown(id.parse::<AchievementId>().unwrap())
                .unwrap()
                .to_string()
        })
        .collect()
}

/// The partner "gym", whose grant was revoked before anything was achieved.
async fn without_grant<'a>(world: &World<'a>) -> Caller<'a> {
    let gym = gym(world).await;
    let input = json!({"partner": "gym", "programs": ["wellbeing"]});
    world
        .admin()
        .change("revokeGrant", input, "grants { program }")
        .await;
    gym
}

/// So many meditations, each of which earns "each" once more.
async fn earn(world: &World<'_>, member: &str, name: &str, count: usize) {
    let events = (0..count).map(|number| event(&format!("{name}-{number}"), member, "2026-11-20T10:00:00Z"));
    world.did(events).await;
}

async fn each(world: &World<'_>) {
    let limit = json!({"unlimited": true});
    let mut input = incentive_input("each", "meditation.completed", json!({"immediate": true}), limit);
    input["outcomes"][0]["achievement"]["onRetraction"] = json!("REVOKE");
    world.incentive(input).await;
}

async fn a_partner_is_told_of_what_stands_and_is_shared_and_of_nothing_else(app: &TestApp) {
    let world = World::new(app).await;
    let gym = without_grant(&world).await;
    each(&world).await;
    world.program(json!({"key": "private"})).await;
    let mut input = incentive_input(
        "secret",
        "meditation.completed",
        json!({"immediate": true}),
        json!({"unlimited": true}),
    );
    input["program"] = json!("private");
    world.incentive(input).await;
    let mut hidden = incentive_input(
        "points",
        "meditation.completed",
        json!({"immediate": true}),
        json!({"unlimited": true}),
    );
    hidden["outcomes"] = json!([{"points": {"amount": 1}}]);
    world.incentive(hidden).await;
    let no = |partner: Value| json!([{"purpose": "PARTNER_SHARING", "given": false, "partner": partner}]);
    world
        .register(vec![
            json!({"externalId": "ada"}),
            json!({"externalId": "silent", "consents": no(Value::Null)}),
            json!({"externalId": "not-gym", "consents": no(json!("gym"))}),
            json!({"externalId": "later", "consents": no(json!("gym"))}),
            json!({"externalId": "gone"}),
        ])
        .await;
    for member in ["ada", "silent", "not-gym", "later", "gone"] {
        earn(&world, member, member, 2).await;
    }
    world.took_back(&["ada-1"]).await;
    world
        .admin()
        .change("eraseMember", json!({"member": "gone"}), "erased")
        .await;
    let yes = json!([{"purpose": "PARTNER_SHARING", "given": true, "partner": "gym"}]);
    world
        .register(vec![json!({"externalId": "later", "consents": yes})])
        .await;
    assert!(told(&gym).await.is_empty());
    let begun = fill(&world).await;
    assert_eq!(
        begun,
        json!({"state": "RUNNING", "done": 0, "told": 0, "endedAt": null})
    );
    app.run_jobs().await;
    assert_eq!(
        progress(&world).await,
        json!({"state": "DONE", "done": 9, "told": 3})
    );
    let mut standing = Vec::new();
    for member in ["ada", "later"] {
        let query =
            "query($filter: AchievementFilter!) { achievements(filter: $filter) { nodes { id status } } }";
        let filter = json!({"filter": {"member": member, "incentive": "each"}});
        let data = world.by("member:any").data(query, filter).await;
        let nodes = data["achievements"]["nodes"].as_array().unwrap().iter();
        let ids = nodes.filter(|node| node["status"] == "EARNED");
        standing.extend(ids.map(|node| node["id"].as_str().unwrap().to_owned()));
    }
    assert_eq!(told(&gym).await, known_to_gym(app, &standing).await);
    // From then on it hears by itself, of revocations too.
    earn(&world, "ada", "more", 1).await;
    world.took_back(&["later-0"]).await;
    assert_eq!(entries(&gym).await.len(), 5);
}

async fn a_grant_alone_reaches_not_back(app: &TestApp) {
    let world = World::new(app).await;
    let gym = without_grant(&world).await;
    always(&world).await;
    world.members(&["ada"]).await;
    earn(&world, "ada", "e", 1).await;
    world.grant("gym", "wellbeing").await;
    let input = json!({"partner": "gym", "programs": ["wellbeing"], "backfill": false});
    world
        .admin()
        .change("grantPartner", input, "grants { program }")
        .await;
    app.run_jobs().await;
    assert!(entries(&gym).await.is_empty());
    assert_eq!(progress(&world).await, Value::Null);
}

async fn asking_again_tells_what_was_not_told_yet(app: &TestApp) {
    let world = World::new(app).await;
    let gym = gym(&world).await;
    each(&world).await;
    let word = |given: bool| json!([{"purpose": "PARTNER_SHARING", "given": given}]);
    world
        .register(vec![
            json!({"externalId": "ada"}),
            json!({"externalId": "bob", "consents": word(false)}),
        ])
        .await;
    earn(&world, "ada", "a", 2).await;
    earn(&world, "bob", "b", 3).await;
    for (told_before, given, told_now) in [(2, false, 0), (2, true, 3), (5, true, 0)] {
        world
            .register(vec![json!({"externalId": "bob", "consents": word(given)})])
            .await;
        assert_eq!(entries(&gym).await.len(), told_before);
        fill(&world).await;
        app.run_jobs().await;
        assert_eq!(
            progress(&world).await,
            json!({"state": "DONE", "done": 5, "told": told_now})
        );
    }
    assert_eq!(entries(&gym).await.len(), 5);
}

async fn a_back_fill_goes_on_where_another_process_has_left_it(app: &TestApp) {
    let world = World::new(app).await;
    let gym = without_grant(&world).await;
    each(&world).await;
    world.members(&["ada", "bob"]).await;
    earn(&world, "ada", "a", 400).await;
    earn(&world, "bob", "b", 203).await;
    fill(&world).await;
    assert!(jobs::backfill::round(&app.app.jobs).await.unwrap());
    assert_eq!(
        progress(&world).await,
        json!({"state": "RUNNING", "done": 500, "told": 500})
    );
    // Asked for once more meanwhile: it goes on as it is.
    assert_eq!(fill(&world).await["done"], 500);
    let other = TestApp::start(&app.url, 2).await;
    other.run_jobs().await;
    other.stop().await;
    assert_eq!(
        progress(&world).await,
        json!({"state": "DONE", "done": 603, "told": 603})
    );
    let told = told(&gym).await;
    let once: BTreeSet<&String> = told.iter().collect();
    assert_eq!((told.len(), once.len()), (603, 603));
}

async fn a_revoked_grant_stops_it(app: &TestApp) {
    let world = World::new(app).await;
    let gym = without_grant(&world).await;
    each(&world).await;
    world.members(&["ada"]).await;
    earn(&world, "ada", "a", 501).await;
    fill(&world).await;
    assert!(jobs::backfill::round(&app.app.jobs).await.unwrap());
    let input = json!({"partner": "gym", "programs": ["wellbeing"]});
    world
        .admin()
        .change("revokeGrant", input, "grants { program }")
        .await;
    app.run_jobs().await;
    assert_eq!(
        progress(&world).await,
        json!({"state": "STOPPED", "done": 500, "told": 500})
    );
    assert_eq!(told(&gym).await.len(), 500);
    // Granted again, it begins again, and tells the rest.
    fill(&world).await;
    app.run_jobs().await;
    assert_eq!(
        progress(&world).await,
        json!({"state": "DONE", "done": 501, "told": 1})
    );
    assert_eq!(told(&gym).await.len(), 501);
}

async fn while_members_go_on_earning_each_achievement_is_told_once(app: &TestApp) {
    let world = World::new(app).await;
    let gym = without_grant(&world).await;
    each(&world).await;
    let names: Vec<String> = (0..10).map(|number| format!("m{number}")).collect();
    world
        .members(&names.iter().map(String::as_str).collect::<Vec<_>>())
        .await;
    let other = TestApp::start(&app.url, 2).await;
    let record = async |round: usize| {
        let events = names.iter().flat_map(|name| {
            (0..10).map(move |number| {
                event(&format!("{name}-{round}-{number}"), name, "2026-11-20T10:00:00Z").into()
            })
        });
        let statuses = world.backend().record(events).await;
        assert_eq!(statuses, vec!["ACCEPTED"; 100]);
    };
    for round in 0..6 {
        record(round).await;
    }
    let never = CancellationToken::new();
    // Small claims, so that the grant comes and the back-fill runs while awards are written down.
    let evaluate = async |app: &TestApp| while jobs::evaluate::batch(&app.app.jobs, 7).await.unwrap() > 0 {};
    let granting = async {
        record(6).await;
        fill(&world).await;
        let fills = [app, &other].map(|app| jobs::backfill::drain(&app.app.jobs, &never));
        for outcome in join_all(fills).await {
            outcome.unwrap();
        }
    };
    tokio::join!(evaluate(app), evaluate(&other), granting);
    app.run_jobs().await;
    other.stop().await;
    let mut told = told(&gym).await;
    assert_eq!(told.len(), 700);
    told.sort_unstable();
    told.dedup();
    assert_eq!(told.len(), 700);
}
