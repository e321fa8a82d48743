//! How far a member is: as the member itself reads it.

use serde_json::{Value, json};

use crate::harness::{TestApp, World, event, incentive_input, streak_input};

on_both!(
    progress_says_how_far_until_when_and_how_often,
    progress_of_a_broken_run_starts_again,
    what_can_be_earned_no_more_has_no_deadline,
    progress_shows_active_programs_only,
    a_new_version_shows_how_far_members_are_before_their_next_event,
    what_is_built_on_achievements_says_how_many_are_missing,
);

async fn progress(world: &World<'_>, member: &str) -> Vec<Value> {
    let query = "query($id: String!) { member(externalId: $id) {
        progress { incentive { key } current required earned deadline lastCountedOn runStartedOn } } }";
    let caller = world.member(member).await;
    let data = caller.data(query, json!({"id": member})).await;
    data["member"]["progress"].as_array().unwrap().clone()
}

async fn progress_says_how_far_until_when_and_how_often(app: &TestApp) {
    let world = World::new(app).await;
    world
        .incentive(streak_input("steady", 5, json!({"unlimited": true})))
        .await;
    world
        .incentive(incentive_input(
            "each",
            "order.completed",
            json!({"immediate": true}),
            json!({"unlimited": true}),
        ))
        .await;
    world
        .register(vec![json!({"externalId": "ada", "timeZone": "Asia/Tokyo"})])
        .await;
    let nothing = progress(&world, "ada").await;
    assert_eq!(nothing.len(), 2);
    assert_eq!(
        (&nothing[0]["current"], &nothing[0]["required"]),
        (&json!("0"), &json!("5"))
    );
    assert_eq!(
        (&nothing[0]["earned"], &nothing[0]["lastCountedOn"]),
        (&json!(0), &Value::Null)
    );
    let days = |days: std::ops::RangeInclusive<u32>| {
        days.map(|day| event(&format!("e{day}"), "ada", &format!("2026-11-{day}T01:00:00Z")))
            .collect::<Vec<_>>()
    };
    world.did(days(19..=21)).await;
    let running = &progress(&world, "ada").await[0];
    let expected = json!({
        "incentive": {"key": "steady"}, "current": "3", "required": "5", "earned": 0,
        // The 22nd must be reached before it ends in Tokyo.
        "deadline": "2026-11-22T15:00:00Z", "lastCountedOn": "2026-11-21", "runStartedOn": "2026-11-19",
    });
    assert_eq!(running, &expected);
    world.did(days(15..=18)).await;
    let earned = &progress(&world, "ada").await[0];
    assert_eq!((&earned["earned"], &earned["current"]), (&json!(1), &json!("2")));
    assert_eq!(earned["runStartedOn"], "2026-11-15");
}

async fn progress_of_a_broken_run_starts_again(app: &TestApp) {
    let world = World::new(app).await;
    world
        .incentive(streak_input("steady", 5, json!({"unlimited": true})))
        .await;
    world.members(&["ada"]).await;
    world
        .did(
            ["2026-11-17", "2026-11-18", "2026-11-19"]
                .map(|day| event(day, "ada", &format!("{day}T10:00:00Z"))),
        )
        .await;
    // It is the 21st: the 20th was missed.
    let broken = &progress(&world, "ada").await[0];
    assert_eq!(
        (&broken["current"], &broken["runStartedOn"]),
        (&json!("0"), &Value::Null)
    );
    assert_eq!(broken["lastCountedOn"], "2026-11-19");
}

async fn what_can_be_earned_no_more_has_no_deadline(app: &TestApp) {
    let world = World::new(app).await;
    world
        .incentive(streak_input("pair", 2, json!({"once": true})))
        .await;
    world.members(&["ada"]).await;
    world
        .did(["2026-11-20", "2026-11-21"].map(|day| event(day, "ada", &format!("{day}T10:00:00Z"))))
        .await;
    let done = &progress(&world, "ada").await[0];
    assert_eq!((&done["earned"], &done["deadline"]), (&json!(1), &Value::Null));
}

async fn progress_shows_active_programs_only(app: &TestApp) {
    let world = World::new(app).await;
    world
        .incentive(streak_input("shown", 2, json!({"once": true})))
        .await;
    world
        .admin()
        .change(
            "createProgram",
            json!({"key": "draft", "name": "Draft"}),
            "program { id }",
        )
        .await;
    let mut input = streak_input("hidden", 2, json!({"once": true}));
    input["program"] = json!("draft");
    world.incentive(input).await;
    world.members(&["ada"]).await;
    let keys: Vec<Value> = progress(&world, "ada")
        .await
        .iter()
        .map(|one| one["incentive"]["key"].clone())
        .collect();
    assert_eq!(keys, ["shown"]);
}

async fn missing(world: &World<'_>, member: &str, incentive: &str) -> (Value, Value) {
    let query =
        "query($id: String!) { member(externalId: $id) { progress { incentive { key } earned missing } } }";
    let data = world
        .member(member)
        .await
        .data(query, json!({"id": member}))
        .await;
    let all = data["member"]["progress"].as_array().unwrap();
    let one = all
        .iter()
        .find(|one| one["incentive"]["key"] == incentive)
        .unwrap();
    (one["earned"].clone(), one["missing"].clone())
}

async fn a_new_version_shows_how_far_members_are_before_their_next_event(app: &TestApp) {
    let world = World::new(app).await;
    world.members(&["ada"]).await;
    for key in ["kept", "anew"] {
        world.incentive(streak_input(key, 5, json!({"once": true}))).await;
    }
    world
        .did(["2026-11-20", "2026-11-21"].map(|day| event(day, "ada", &format!("{day}T10:00:00Z"))))
        .await;
    app.pass(chrono::TimeDelta::seconds(1));
    for (key, progress, text) in [
        (
            "kept",
            "KEEP",
            "Missing: 2 more days in a row, the next until 2026-11-22.",
        ),
        ("anew", "RESTART", "Missing: 4 days in a row."),
    ] {
        let version = json!({
            "incentive": key, "progress": progress, "trigger": {"eventType": "meditation.completed"},
            "structure": {"streak": {"length": 4}}, "outcomes": [{"achievement": {"title": "New"}}],
        });
        world.admin().change("publishIncentive", version, "version").await;
        assert_eq!(missing(&world, "ada", key).await, (json!(0), json!(text)));
    }
}

async fn what_is_built_on_achievements_says_how_many_are_missing(app: &TestApp) {
    let world = World::new(app).await;
    world.members(&["ada"]).await;
    for (key, event_type) in [("calm", "meditation.completed"), ("customer", "order.completed")] {
        let structure = json!({"immediate": true});
        world
            .incentive(incentive_input(key, event_type, structure, json!({"once": true})))
            .await;
    }
    world
        .incentive(json!({
            "program": "wellbeing", "key": "both", "name": "Both", "structure": {"achievements": {"of": ["calm", "customer"]}},
            "outcomes": [{"achievement": {"title": "Both"}}],
        }))
        .await;
    let both = async || missing(&world, "ada", "both").await;
    assert_eq!(both().await, (json!(0), json!("Missing: all of 2 incentives.")));
    world.did([event("m", "ada", "2026-11-20T10:00:00Z")]).await;
    assert_eq!(
        both().await,
        (json!(0), json!("Missing: 1 more of the incentives."))
    );
    let order = json!({"order": "o", "total": 1, "currency": "EUR"});
    world
        .did([event("o", "ada", "2026-11-21T10:00:00Z")
            .of("order.completed")
            .set("properties", order)])
        .await;
    let earned = "Nothing is missing: all there is to earn was earned.";
    assert_eq!(both().await, (json!(1), json!(earned)));
    let id = json!({"events": [{"id": "m"}]});
    world
        .backend()
        .change("retractEvents", id, "results { status }")
        .await;
    app.run_jobs().await;
    assert_eq!(
        both().await,
        (json!(0), json!("Missing: 1 more of the incentives."))
    );
}
