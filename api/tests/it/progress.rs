//! How far a member is: as the member itself reads it.

use serde_json::{Value, json};

use crate::harness::{TestApp, World, event, incentive_input, streak_input};

on_both!(
    progress_says_how_far_until_when_and_how_often,
    progress_of_a_broken_run_starts_again,
    what_can_be_earned_no_more_has_no_deadline,
    progress_shows_programs_that_are_active_or_paused,
    progress_says_in_words_what_is_missing,
    progress_says_from_when_on_nothing_counts,
    progress_counts_the_achievements_that_an_incentive_is_earned_by,
    progress_goes_on_by_a_version_that_keeps_it,
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

async fn progress_shows_programs_that_are_active_or_paused(app: &TestApp) {
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
    world
        .admin()
        .change(
            "pauseProgram",
            json!({"program": "wellbeing"}),
            "program { state }",
        )
        .await;
    assert_eq!(progress(&world, "ada").await.len(), 1);
    world
        .admin()
        .change("endProgram", json!({"program": "wellbeing"}), "program { state }")
        .await;
    assert_eq!(progress(&world, "ada").await, Vec::<Value>::new());
}

/// What is said of a member beside the numbers: what is missing, and from when on nothing counts.
async fn words(world: &World<'_>, member: &str) -> Vec<(String, Value)> {
    let query = "query($id: String!) { member(externalId: $id) { progress { missing stoppedFrom } } }";
    let caller = world.member(member).await;
    let data = caller.data(query, json!({"id": member})).await;
    let all = data["member"]["progress"].as_array().unwrap().iter();
    all.map(|one| {
        (
            one["missing"].as_str().unwrap().to_owned(),
            one["stoppedFrom"].clone(),
        )
    })
    .collect()
}

async fn progress_says_in_words_what_is_missing(app: &TestApp) {
    let world = World::new(app).await;
    world
        .incentive(streak_input("five", 5, json!({"once": true})))
        .await;
    world
        .incentive(streak_input("one", 1, json!({"once": true})))
        .await;
    world.members(&["ada"]).await;
    world
        .did([20, 21].map(|day| event(&day.to_string(), "ada", &format!("2026-11-{day}T10:00:00Z"))))
        .await;
    let words = words(&world, "ada").await;
    assert!(words[0].0.contains("3 more days in a row"), "{words:?}");
    assert!(words[1].0.contains("Nothing is missing"), "{words:?}");
    assert!(words.iter().all(|(_, stopped)| stopped.is_null()));
}

async fn progress_says_from_when_on_nothing_counts(app: &TestApp) {
    let world = World::new(app).await;
    let mut input = streak_input("five", 5, json!({"once": true}));
    input["unless"] = json!([{"eventType": "registration.completed"}]);
    world.incentive(input).await;
    world.members(&["ada"]).await;
    world
        .did([
            event("e1", "ada", "2026-11-20T10:00:00Z"),
            event("stop", "ada", "2026-11-20T11:00:00Z").of("registration.completed"),
            event("e2", "ada", "2026-11-21T10:00:00Z"),
        ])
        .await;
    let (missing, stopped) = words(&world, "ada").await.remove(0);
    assert_eq!(stopped, "2026-11-20T11:00:00Z");
    assert!(missing.contains("Nothing counts any more"), "{missing}");
    let counted = &progress(&world, "ada").await[0];
    assert_eq!(counted["lastCountedOn"], "2026-11-20");
}

async fn progress_counts_the_achievements_that_an_incentive_is_earned_by(app: &TestApp) {
    let world = World::new(app).await;
    for (key, event_type) in [
        ("calm", "meditation.completed"),
        ("new", "registration.completed"),
    ] {
        let input = incentive_input(key, event_type, json!({"immediate": true}), json!({"once": true}));
        world.incentive(input).await;
    }
    world
        .incentive(json!({
            "program": "wellbeing", "key": "both", "name": "Both", "structure": {"achievements": {"of": ["calm", "new"]}},
            "outcomes": [{"achievement": {"title": "Both"}}],
        }))
        .await;
    world.members(&["ada"]).await;
    let both = async || {
        let last = progress(&world, "ada").await.remove(2);
        let number = |field: &str| last[field].to_string().trim_matches('"').to_owned();
        [number("current"), number("required"), number("earned")]
    };
    assert_eq!(both().await, ["0", "2", "0"]);
    world.did([event("e1", "ada", "2026-11-20T10:00:00Z")]).await;
    assert_eq!(both().await, ["1", "2", "0"]);
    world
        .did([event("e2", "ada", "2026-11-21T10:00:00Z").of("registration.completed")])
        .await;
    assert_eq!(both().await, ["2", "2", "1"]);
    let retracted = json!({"events": [{"id": "e1"}]});
    world
        .backend()
        .change("retractEvents", retracted, "results { status }")
        .await;
    app.run_jobs().await;
    assert_eq!(both().await, ["1", "2", "0"]);
}

async fn progress_goes_on_by_a_version_that_keeps_it(app: &TestApp) {
    let world = World::new(app).await;
    let mut input = streak_input("run", 5, json!({"once": true}));
    world.incentive(input.clone()).await;
    world.members(&["ada"]).await;
    world
        .did([20, 21].map(|day| event(&day.to_string(), "ada", &format!("2026-11-{day}T10:00:00Z"))))
        .await;
    for (progress, expected) in [("KEEP", "2"), ("RESTART", "0")] {
        app.pass(chrono::TimeDelta::minutes(1));
        input = json!({
            "incentive": "run", "trigger": input["trigger"], "structure": {"streak": {"length": 7}},
            "outcomes": input["outcomes"], "progress": progress,
        });
        world
            .admin()
            .change("publishIncentive", input.clone(), "version")
            .await;
        let run = &self::progress(&world, "ada").await[0];
        let numbers = (&run["current"], &run["required"]);
        assert_eq!(numbers, (&json!(expected), &json!("7")), "{progress}");
    }
}
