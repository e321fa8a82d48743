//! A program's budget: so many awards of all its incentives and members together, first recorded, first served.

use serde_json::{Value, json};

use crate::harness::{Event, TestApp, World, event, incentive_input};

on_both!(
    a_budget_is_spent_by_whoever_comes_first,
    many_evaluators_never_spend_more_than_there_is,
    what_is_revoked_can_be_earned_by_another,
    a_larger_budget_makes_up_with_the_next_event,
    a_budget_of_a_running_program_knows_what_it_has_spent,
    a_budget_set_while_it_is_spent_counts_every_award,
    what_is_built_on_achievements_is_paid_for_too,
);

/// A program with a budget and an award for each meditation.
async fn each(app: &TestApp, budget: Value) -> World<'_> {
    let world = World::new(app).await;
    let input = json!({"program": "wellbeing", "budget": budget});
    world.change_program("updateProgram", input).await;
    let (structure, limit) = (json!({"immediate": true}), json!({"unlimited": true}));
    world
        .incentive(incentive_input("each", "meditation.completed", structure, limit))
        .await;
    world.members(&["ada", "bob", "eve"]).await;
    world
}

fn did(member: &str, number: u32) -> Event {
    event(
        &format!("{member}-{number}"),
        member,
        &format!("2026-11-20T{number:02}:00:00Z"),
    )
}

async fn shown(world: &World<'_>) -> Value {
    let query = "{ program(key: \"wellbeing\") { budget { limit spent remaining } } }";
    world.admin().data(query, json!({})).await["program"]["budget"].clone()
}

async fn standing(world: &World<'_>) -> [usize; 3] {
    let of = async |member: &str| world.standing(member, "each").await.len();
    [of("ada").await, of("bob").await, of("eve").await]
}

async fn a_budget_is_spent_by_whoever_comes_first(app: &TestApp) {
    let world = each(app, json!(3)).await;
    assert_eq!(
        shown(&world).await,
        json!({"limit": 3, "spent": 0, "remaining": 3})
    );
    world.did([did("ada", 1), did("ada", 2)]).await;
    assert_eq!(
        shown(&world).await,
        json!({"limit": 3, "spent": 2, "remaining": 1})
    );
    world.did([did("bob", 1)]).await;
    world.did([did("bob", 2), did("eve", 1)]).await;
    assert_eq!(standing(&world).await, [2, 1, 0]);
    assert_eq!(
        shown(&world).await,
        json!({"limit": 3, "spent": 3, "remaining": 0})
    );
    assert_eq!(world.feed_length().await, 3);
}

async fn many_evaluators_never_spend_more_than_there_is(app: &TestApp) {
    let world = each(app, json!(11)).await;
    let other = TestApp::start(&app.url, 2).await;
    let events = ["ada", "bob", "eve"]
        .into_iter()
        .flat_map(|member| (0..20).map(move |hour| did(member, hour)));
    let statuses = world.backend().record(events.map(Value::from)).await;
    assert_eq!(statuses, vec!["ACCEPTED"; 60]);
    let drain = async |app: &TestApp| while jobs::evaluate::batch(&app.app.jobs, 2).await.unwrap() > 0 {};
    tokio::join!(drain(app), drain(&other), drain(app), drain(&other));
    app.run_jobs().await;
    assert_eq!(standing(&world).await.iter().sum::<usize>(), 11);
    assert_eq!(
        shown(&world).await,
        json!({"limit": 11, "spent": 11, "remaining": 0})
    );
    other.stop().await;
}

async fn what_is_revoked_can_be_earned_by_another(app: &TestApp) {
    let world = each(app, json!(2)).await;
    world.did([did("ada", 1)]).await;
    world.did([did("bob", 1)]).await;
    world.did([did("eve", 1)]).await;
    assert_eq!(standing(&world).await, [1, 1, 0]);
    world.took_back(&["bob-1"]).await;
    assert_eq!(
        shown(&world).await,
        json!({"limit": 2, "spent": 1, "remaining": 1})
    );
    // What eve has done before is made up for; what she does now is beyond the budget.
    world.did([did("eve", 2)]).await;
    assert_eq!(standing(&world).await, [1, 0, 1]);
    assert_eq!(
        shown(&world).await,
        json!({"limit": 2, "spent": 2, "remaining": 0})
    );
}

async fn a_larger_budget_makes_up_with_the_next_event(app: &TestApp) {
    let world = each(app, json!(1)).await;
    world.did([did("ada", 1), did("ada", 2), did("ada", 3)]).await;
    world.did([did("bob", 1)]).await;
    assert_eq!(standing(&world).await, [1, 0, 0]);
    world
        .change_program("updateProgram", json!({"program": "wellbeing", "budget": 4}))
        .await;
    assert_eq!(standing(&world).await, [1, 0, 0]);
    world.did([did("ada", 4)]).await;
    assert_eq!(standing(&world).await, [4, 0, 0]);
    world
        .change_program("updateProgram", json!({"program": "wellbeing", "budget": null}))
        .await;
    world.did([did("bob", 2)]).await;
    assert_eq!(standing(&world).await, [4, 2, 0]);
}

async fn a_budget_of_a_running_program_knows_what_it_has_spent(app: &TestApp) {
    let world = each(app, Value::Null).await;
    world.did([did("ada", 1), did("ada", 2), did("bob", 1)]).await;
    world.took_back(&["ada-2"]).await;
    assert_eq!(shown(&world).await, Value::Null);
    let input = |budget: i32| json!({"program": "wellbeing", "budget": budget});
    let fault = world
        .admin()
        .fault("updateProgram", input(1), "program { id }")
        .await;
    assert_eq!(fault, ("INVALID_INPUT".to_owned(), "budget".to_owned()));
    world.change_program("updateProgram", input(3)).await;
    assert_eq!(
        shown(&world).await,
        json!({"limit": 3, "spent": 2, "remaining": 1})
    );
    world.did([did("eve", 1)]).await;
    world.did([did("eve", 2)]).await;
    assert_eq!(standing(&world).await, [1, 1, 1]);
    // Given up and set again, it is counted again.
    world
        .change_program("updateProgram", json!({"program": "wellbeing", "budget": null}))
        .await;
    world.did([did("eve", 3)]).await;
    world.change_program("updateProgram", input(9)).await;
    assert_eq!(
        shown(&world).await,
        json!({"limit": 9, "spent": 5, "remaining": 4})
    );
}

async fn a_budget_set_while_it_is_spent_counts_every_award(app: &TestApp) {
    let world = each(app, Value::Null).await;
    let other = TestApp::start(&app.url, 2).await;
    for round in 0..4 {
        let members = ["ada", "bob", "eve"];
        let events = members
            .into_iter()
            .flat_map(|member| (0..5).map(move |hour| did(member, round * 5 + hour)));
        world.backend().record(events.map(Value::from)).await;
        let drain = async |app: &TestApp| while jobs::evaluate::batch(&app.app.jobs, 2).await.unwrap() > 0 {};
        let budget = async |budget: Value| {
            world
                .change_program("updateProgram", json!({"program": "wellbeing", "budget": budget}))
                .await;
        };
        tokio::join!(drain(app), drain(&other), budget(json!(1_000)));
        app.run_jobs().await;
        let stands = standing(&world).await.iter().sum::<usize>();
        assert_eq!(stands, 15 * (usize::try_from(round).unwrap() + 1));
        assert_eq!(shown(&world).await["spent"], json!(stands));
        budget(Value::Null).await;
    }
    other.stop().await;
}

async fn what_is_built_on_achievements_is_paid_for_too(app: &TestApp) {
    let world = each(app, json!(3)).await;
    let structure = json!({"achievements": {"of": ["each"]}});
    let mut built = incentive_input("built", "meditation.completed", structure, json!({"once": true}));
    built["trigger"] = Value::Null;
    world.incentive(built).await;
    world.did([did("ada", 1)]).await;
    assert_eq!(world.times("ada", "built").await, 1);
    assert_eq!(shown(&world).await["spent"], 2);
    world.did([did("bob", 1)]).await;
    assert_eq!(
        (
            world.times("bob", "each").await,
            world.times("bob", "built").await
        ),
        (1, 0)
    );
    assert_eq!(shown(&world).await["remaining"], 0);
    world.took_back(&["ada-1"]).await;
    assert_eq!(shown(&world).await["spent"], 1);
}
