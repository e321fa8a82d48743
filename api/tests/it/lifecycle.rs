//! A program's way from draft to end, its budget, and what may be changed of it.

use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::harness::{TestApp, World, event, incentive_input};

on_both!(
    a_program_goes_from_draft_to_active_to_paused_and_back_and_ends,
    a_step_that_a_programs_state_does_not_allow_is_refused,
    a_program_that_is_not_there_takes_no_step,
    what_is_left_out_of_a_program_stays_and_null_empties,
    a_change_of_a_program_that_makes_no_sense_is_refused,
    when_a_day_starts_is_asked_of_a_draft_only,
    a_budget_is_never_less_than_what_is_spent,
    every_step_and_change_renews_the_catalogue,
    what_a_pause_has_held_is_due_when_its_program_goes_on_or_ends,
);

const SHOWN: &str = "state activatedAt pausedAt endedAt";

async fn step(world: &World<'_>, mutation: &str) -> Value {
    let selection = format!("program {{ {SHOWN} }}");
    world
        .admin()
        .change(mutation, json!({"program": "wellbeing"}), &selection)
        .await["program"]
        .clone()
}

/// The fault of a step of the program "wellbeing".
async fn refused(world: &World<'_>, mutation: &str) -> (String, String) {
    world
        .admin()
        .fault(mutation, json!({"program": "wellbeing"}), "program { state }")
        .await
}

fn invalid_state() -> (String, String) {
    ("INVALID_STATE".to_owned(), "program".to_owned())
}

async fn shown(world: &World<'_>, key: &str) -> Value {
    let query = "query($key: String!) { program(key: $key) {
        name startsOn endsOn timeZone dayStartsAt state budget { limit spent remaining } } }";
    world.admin().data(query, json!({"key": key})).await["program"].clone()
}

/// Creates a program, as a draft.
async fn draft(world: &World<'_>, mut input: Value) {
    input["name"] = input["key"].clone();
    world
        .admin()
        .change("createProgram", input, "program { id }")
        .await;
}

async fn a_program_goes_from_draft_to_active_to_paused_and_back_and_ends(app: &TestApp) {
    let world = World::new(app).await;
    let activated = json!("2026-11-21T12:00:00Z");
    app.pass(TimeDelta::hours(1));
    assert_eq!(
        step(&world, "pauseProgram").await,
        json!({"state": "PAUSED", "activatedAt": activated, "pausedAt": "2026-11-21T13:00:00Z", "endedAt": null})
    );
    app.pass(TimeDelta::hours(1));
    assert_eq!(
        step(&world, "activateProgram").await,
        json!({"state": "ACTIVE", "activatedAt": activated, "pausedAt": null, "endedAt": null})
    );
    app.pass(TimeDelta::hours(1));
    assert_eq!(
        step(&world, "endProgram").await,
        json!({"state": "ENDED", "activatedAt": activated, "pausedAt": null, "endedAt": "2026-11-21T15:00:00Z"})
    );
    // What the mutation says is what is stored.
    let query = format!("{{ program(key: \"wellbeing\") {{ {SHOWN} }} }}");
    let stored = world.admin().data(&query, json!({})).await;
    assert_eq!(
        stored["program"],
        json!({"state": "ENDED", "activatedAt": activated, "pausedAt": null, "endedAt": "2026-11-21T15:00:00Z"})
    );
}

async fn a_step_that_a_programs_state_does_not_allow_is_refused(app: &TestApp) {
    let world = World::new(app).await;
    assert_eq!(refused(&world, "activateProgram").await, invalid_state());
    step(&world, "pauseProgram").await;
    assert_eq!(refused(&world, "pauseProgram").await, invalid_state());
    // A paused program may end without going on first.
    step(&world, "endProgram").await;
    for mutation in ["activateProgram", "pauseProgram", "endProgram"] {
        assert_eq!(refused(&world, mutation).await, invalid_state(), "{mutation}");
    }
    draft(&world, json!({"key": "draft"})).await;
    for mutation in ["pauseProgram", "endProgram"] {
        let fault = world
            .admin()
            .fault(mutation, json!({"program": "draft"}), "program { state }")
            .await;
        assert_eq!(fault, invalid_state(), "{mutation}");
    }
    assert_eq!(shown(&world, "draft").await["state"], "DRAFT");
    assert_eq!(shown(&world, "wellbeing").await["state"], "ENDED");
}

async fn a_program_that_is_not_there_takes_no_step(app: &TestApp) {
    let world = World::new(app).await;
    let globex = World::named(app, "globex", "gym").await;
    draft(&globex, json!({"key": "theirs"})).await;
    for mutation in ["activateProgram", "pauseProgram", "endProgram", "updateProgram"] {
        for program in ["none", "theirs"] {
            let fault = world
                .admin()
                .fault(mutation, json!({"program": program}), "program { state }")
                .await;
            assert_eq!(
                fault,
                ("NOT_FOUND".to_owned(), "program".to_owned()),
                "{mutation} {program}"
            );
        }
        let foreign = json!({"employer": "globex", "program": "wellbeing"});
        let fault = world.admin().fault(mutation, foreign, "program { state }").await;
        assert_eq!(
            fault,
            ("NOT_FOUND".to_owned(), "employer".to_owned()),
            "{mutation}"
        );
    }
    assert_eq!(shown(&globex, "wellbeing").await["state"], "ACTIVE");
    assert_eq!(shown(&globex, "theirs").await["state"], "DRAFT");
}

async fn what_is_left_out_of_a_program_stays_and_null_empties(app: &TestApp) {
    let world = World::new(app).await;
    let full = json!({
        "key": "spring", "startsOn": "2027-03-01", "endsOn": "2027-05-31", "timeZone": "Europe/Berlin", "dayStartsAt": "04:00",
        "budget": 100,
    });
    draft(&world, full).await;
    let mut expected = json!({
        "name": "spring", "startsOn": "2027-03-01", "endsOn": "2027-05-31", "timeZone": "Europe/Berlin", "dayStartsAt": "04:00",
        "state": "DRAFT", "budget": {"limit": 100, "spent": 0, "remaining": 100},
    });
    assert_eq!(shown(&world, "spring").await, expected);
    let update = async |input: Value| {
        let mut input = input;
        input["program"] = json!("spring");
        world
            .admin()
            .change("updateProgram", input, "program { name }")
            .await
    };
    update(json!({})).await;
    assert_eq!(shown(&world, "spring").await, expected);
    update(json!({"name": "Spring"})).await;
    expected["name"] = json!("Spring");
    assert_eq!(shown(&world, "spring").await, expected);
    // A program always has a name.
    update(json!({"name": null, "budget": 7})).await;
    expected["budget"] = json!({"limit": 7, "spent": 0, "remaining": 7});
    assert_eq!(shown(&world, "spring").await, expected);
    update(json!({"startsOn": null, "endsOn": null, "timeZone": null, "dayStartsAt": null, "budget": null}))
        .await;
    assert_eq!(
        shown(&world, "spring").await,
        json!({
            "name": "Spring", "startsOn": null, "endsOn": null, "timeZone": null, "dayStartsAt": "00:00", "state": "DRAFT",
            "budget": null,
        })
    );
}

async fn a_change_of_a_program_that_makes_no_sense_is_refused(app: &TestApp) {
    let world = World::new(app).await;
    draft(&world, json!({"key": "spring", "startsOn": "2027-03-01"})).await;
    let before = shown(&world, "spring").await;
    for (input, path) in [
        (json!({"name": " "}), "name"),
        (json!({"endsOn": "2027-02-28"}), "endsOn"),
        (json!({"startsOn": "0001-01-01"}), "startsOn"),
        (json!({"dayStartsAt": "24:00"}), "dayStartsAt"),
        (json!({"budget": 0}), "budget"),
        (json!({"budget": -1}), "budget"),
        (json!({"budget": 1_000_000_001}), "budget"),
    ] {
        let mut update = input.clone();
        update["program"] = json!("spring");
        let fault = world
            .admin()
            .fault("updateProgram", update, "program { name }")
            .await;
        assert_eq!(fault, ("INVALID_INPUT".to_owned(), path.to_owned()), "{input}");
        let mut create = input.clone();
        create["key"] = json!("other");
        create["name"] = create.get("name").cloned().unwrap_or(json!("Other"));
        if path != "endsOn" {
            let fault = world
                .admin()
                .fault("createProgram", create, "program { name }")
                .await;
            assert_eq!(fault, ("INVALID_INPUT".to_owned(), path.to_owned()), "{input}");
        }
    }
    assert_eq!(shown(&world, "spring").await, before);
}

async fn when_a_day_starts_is_asked_of_a_draft_only(app: &TestApp) {
    let world = World::new(app).await;
    for (field, value) in [("timeZone", json!("Asia/Tokyo")), ("dayStartsAt", json!("04:00"))] {
        let fault = world
            .admin()
            .fault(
                "updateProgram",
                json!({"program": "wellbeing", field: value}),
                "program { name }",
            )
            .await;
        assert_eq!(fault, ("INVALID_STATE".to_owned(), field.to_owned()));
    }
    // What it is already may be said again, and the rest changes in any state.
    step(&world, "endProgram").await;
    let input = json!({
        "program": "wellbeing", "name": "Over", "startsOn": "2026-01-01", "endsOn": "2026-12-31", "budget": 5, "dayStartsAt": "00:00",
        "timeZone": null,
    });
    world
        .admin()
        .change("updateProgram", input, "program { name }")
        .await;
    assert_eq!(
        shown(&world, "wellbeing").await,
        json!({
            "name": "Over", "startsOn": "2026-01-01", "endsOn": "2026-12-31", "timeZone": null, "dayStartsAt": "00:00",
            "state": "ENDED", "budget": {"limit": 5, "spent": 0, "remaining": 5},
        })
    );
}

async fn a_budget_is_never_less_than_what_is_spent(app: &TestApp) {
    let world = World::new(app).await;
    app.sql("UPDATE program SET budget = 10, budget_spent = 4")
        .await
        .unwrap();
    let budget = async |budget: Value| {
        world
            .admin()
            .mutate(
                "updateProgram",
                json!({"program": "wellbeing", "budget": budget}),
                "program { budget { limit spent remaining } }",
            )
            .await
    };
    let less = budget(json!(3)).await;
    assert_eq!(less["program"], Value::Null);
    assert_eq!(less["userErrors"][0]["path"], json!(["budget"]));
    assert_eq!(
        budget(json!(4)).await["program"]["budget"],
        json!({"limit": 4, "spent": 4, "remaining": 0})
    );
    assert_eq!(budget(Value::Null).await["program"]["budget"], Value::Null);
    // Without a budget nobody counts; a later one begins with what stands, and that is nothing here.
    assert_eq!(
        budget(json!(9)).await["program"]["budget"],
        json!({"limit": 9, "spent": 0, "remaining": 9})
    );
}

async fn every_step_and_change_renews_the_catalogue(app: &TestApp) {
    let world = World::new(app).await;
    let version = async || app.count("SELECT catalogue_version AS count FROM employer").await;
    for mutation in ["updateProgram", "pauseProgram", "activateProgram", "endProgram"] {
        let before = version().await;
        world
            .admin()
            .change(mutation, json!({"program": "wellbeing"}), "program { id }")
            .await;
        assert!(version().await > before, "{mutation}");
        let before = version().await;
        let fault = world
            .admin()
            .mutate(mutation, json!({"program": "none"}), "program { id }")
            .await;
        assert_eq!(fault["program"], Value::Null);
        assert_eq!(version().await, before, "{mutation} that was refused");
    }
}

async fn what_a_pause_has_held_is_due_when_its_program_goes_on_or_ends(app: &TestApp) {
    let world = World::new(app).await;
    world.program(json!({"key": "other"})).await;
    for program in ["wellbeing", "other"] {
        let (structure, limit) = (json!({"immediate": true}), json!({"once": true}));
        let mut input = incentive_input(program, "meditation.completed", structure, limit);
        input["program"] = json!(program);
        world.incentive(input).await;
    }
    world.members(&["ada"]).await;
    let held = async |event_id: &str, incentive: &str| {
        let sent = event(event_id, "ada", "2026-11-21T10:00:00Z");
        assert_eq!(world.backend().record([Value::from(sent)]).await, ["ACCEPTED"]);
        let hold = format!(
            "UPDATE event SET due_at = {}, only_incentive_id = (SELECT id FROM incentive WHERE key = '{incentive}')
             WHERE event_id = '{event_id}'",
            i64::MAX,
        );
        app.sql(&hold).await.unwrap();
    };
    let held_for = async |incentive: &str| {
        let held = format!(
            "SELECT count(*) AS count FROM event JOIN incentive ON incentive.id = only_incentive_id
             WHERE key = '{incentive}' AND due_at = {}",
            i64::MAX,
        );
        app.count(&held).await
    };
    let mut evaluators = app.app.wakes.watch_events();
    for (round, mutation) in ["activateProgram", "endProgram"].into_iter().enumerate() {
        step(&world, "pauseProgram").await;
        held(&format!("e{round}"), "wellbeing").await;
        held(&format!("o{round}"), "other").await;
        evaluators.mark_unchanged();
        step(&world, mutation).await;
        assert!(evaluators.has_changed().unwrap(), "{mutation}");
        assert_eq!(held_for("wellbeing").await, 0, "{mutation}");
    }
    // Another program's pause is not over.
    assert_eq!(held_for("other").await, 2);
    let other = json!({"program": "other"});
    for mutation in ["pauseProgram", "activateProgram"] {
        world
            .admin()
            .change(mutation, other.clone(), "program { id }")
            .await;
    }
    assert_eq!(held_for("other").await, 0);
}
