//! Dry runs: a draft of an incentive over sample events, judged like real ones, and nothing of it stays.

use api::auth::viewer::Party;
use async_graphql::{Request, Variables};
use serde_json::{Value, json};

use crate::harness::{Caller, Event, TestApp, World, event, incentive_input, streak_input};

on_both!(
    a_dry_run_says_who_would_earn_what_and_why,
    a_dry_run_writes_nothing,
    samples_lie_anywhere_in_time_and_may_be_anybodys,
    local_dates_go_by_the_event_then_the_input_then_the_member_then_the_employer,
    the_dates_and_the_day_of_the_program_hold,
    the_same_event_twice_counts_once,
    what_stops_it_stops_it,
    attributes_of_members_are_for_those_who_may_read_them,
    what_is_wrong_with_the_draft_is_said_with_its_path,
    what_is_wrong_with_an_event_is_said_with_its_place,
    what_is_earned_by_achievements_cannot_be_tried,
    more_than_anybody_can_read_is_refused,
    a_dry_run_earns_what_the_real_run_earns,
    ten_thousand_events_fit_into_a_request,
    ten_thousand_events_of_a_hundred_members_are_judged,
    ten_thousand_events_of_one_member_are_judged,
);

const SIMULATE: &str = "query($input: SimulateInput!) { simulate(input: $input) {
    awards { member earnedOn ordinal points why { incentiveVersion text events { id source localDate timeZone } } }
    userErrors { code path message } } }";

async fn simulate(caller: &Caller<'_>, input: Value) -> Value {
    caller.data(SIMULATE, json!({"input": input})).await["simulate"].clone()
}

/// The input of a dry run.
fn input(incentive: &Value, events: impl IntoIterator<Item = Event>) -> Value {
    let events: Vec<Value> = events.into_iter().map(Value::from).collect();
    json!({"incentive": incentive, "events": events})
}

/// Member, day and ordinal of each award.
fn awards(simulation: &Value) -> Vec<String> {
    assert_eq!(simulation["userErrors"], json!([]));
    let awards = simulation["awards"].as_array().unwrap().iter();
    let words = |award: &Value| {
        let [member, day] = ["member", "earnedOn"].map(|field| award[field].as_str().unwrap().to_owned());
        format!("{member} {day} {}", award["ordinal"])
    };
    awards.map(words).collect()
}

/// Code and path of each thing to mend; then nothing is earned.
fn faults(simulation: &Value) -> Vec<String> {
    assert_eq!(simulation["awards"], json!([]));
    let faults = simulation["userErrors"].as_array().unwrap().iter();
    let words = |fault: &Value| {
        let path: Vec<&str> = fault["path"]
            .as_array()
            .unwrap()
            .iter()
            .map(|name| name.as_str().unwrap())
            .collect();
        format!("{} {}", fault["code"].as_str().unwrap(), path.join("."))
    };
    faults.map(words).collect()
}

fn each() -> Value {
    incentive_input(
        "draft",
        "meditation.completed",
        json!({"immediate": true}),
        json!({"unlimited": true}),
    )
}

fn pair() -> Value {
    streak_input("draft", 2, json!({"unlimited": true}))
}

async fn a_dry_run_says_who_would_earn_what_and_why(app: &TestApp) {
    let world = World::new(app).await;
    world.members(&["ada"]).await;
    let days =
        [19, 20, 17, 18].map(|day| event(&format!("e{day}"), "ada", &format!("2026-11-{day}T10:00:00Z")));
    let bob = [20, 21].map(|day| event(&format!("b{day}"), "bob", &format!("2026-11-{day}T10:00:00Z")));
    let simulation = simulate(&world.admin(), input(&pair(), days.into_iter().chain(bob))).await;
    assert_eq!(
        awards(&simulation),
        ["ada 2026-11-18 1", "ada 2026-11-20 2", "bob 2026-11-21 1"]
    );
    let second = &simulation["awards"][1];
    assert_eq!(second["points"], Value::Null);
    assert_eq!(second["why"]["incentiveVersion"], 1);
    let of = |day: u32| json!({"id": format!("e{day}"), "source": "default", "localDate": format!("2026-11-{day}"), "timeZone": "UTC"});
    assert_eq!(second["why"]["events"], json!([of(19), of(20)]));
}

async fn a_dry_run_writes_nothing(app: &TestApp) {
    let world = World::new(app).await;
    world.incentive(each()).await;
    world.members(&["ada"]).await;
    let before = app.row_counts().await;
    let catalogue = "SELECT count(*) AS count FROM employer WHERE catalogue_version = 3";
    let version = app.count(catalogue).await;
    // Its key may be taken.
    for caller in [world.admin(), app.operator()] {
        let mut input = input(&each(), [event("e1", "ada", "2026-11-20T10:00:00Z")]);
        input["employer"] = json!("acme");
        assert_eq!(awards(&simulate(&caller, input).await), ["ada 2026-11-20 1"]);
    }
    app.run_jobs().await;
    assert_eq!(app.row_counts().await, before);
    assert_eq!(app.count(catalogue).await, version);
    // The event is as new as before.
    world.did([event("e1", "ada", "2026-11-20T10:00:00Z")]).await;
}

async fn samples_lie_anywhere_in_time_and_may_be_anybodys(app: &TestApp) {
    let world = World::new(app).await;
    let events = [
        event("old", "nobody", "1999-12-31T23:00:00Z"),
        event("soon", "nobody", "2150-01-01T00:00:00Z"),
    ];
    let simulation = simulate(&world.admin(), input(&each(), events)).await;
    assert_eq!(
        awards(&simulation),
        ["nobody 1999-12-31 1", "nobody 2150-01-01 2"]
    );
    assert_eq!(
        awards(&simulate(&world.admin(), input(&each(), [])).await),
        [""; 0]
    );
}

async fn local_dates_go_by_the_event_then_the_input_then_the_member_then_the_employer(app: &TestApp) {
    let world = World::new(app).await;
    world
        .register(vec![json!({"externalId": "ada", "timeZone": "Pacific/Auckland"})])
        .await;
    let evening = |id: &str, member: &str| event(id, member, "2026-11-20T23:30:00Z");
    let events = || {
        [
            evening("e1", "ada"),
            evening("e2", "bob"),
            evening("e3", "eve").set("timeZone", json!("America/Lima")),
        ]
    };
    let simulation = simulate(&world.admin(), input(&each(), events())).await;
    let days = ["ada 2026-11-21 1", "bob 2026-11-20 1", "eve 2026-11-20 1"];
    assert_eq!(awards(&simulation), days);
    let mut zoned = input(&each(), events());
    zoned["timeZone"] = json!("Europe/Zurich");
    let simulation = simulate(&world.admin(), zoned).await;
    let days = ["ada 2026-11-21 1", "bob 2026-11-21 1", "eve 2026-11-20 1"];
    assert_eq!(awards(&simulation), days);
    let zone = |place: usize| simulation["awards"][place]["why"]["events"][0]["timeZone"].clone();
    assert_eq!([zone(0), zone(2)], ["Europe/Zurich", "America/Lima"]);
}

async fn the_dates_and_the_day_of_the_program_hold(app: &TestApp) {
    let world = World::new(app).await;
    // A draft of a program will do.
    let program = json!({"key": "night", "name": "Night", "startsOn": "2026-11-19", "endsOn": "2026-11-20", "dayStartsAt": "04:00"});
    world
        .admin()
        .change("createProgram", program, "program { id }")
        .await;
    let mut draft = each();
    draft["program"] = json!("night");
    let hours = ["19T03:59", "19T04:00", "21T03:59", "21T04:00"];
    let events = hours.map(|hour| event(hour, "ada", &format!("2026-11-{hour}:00Z")));
    let simulation = simulate(&world.admin(), input(&draft, events)).await;
    assert_eq!(awards(&simulation), ["ada 2026-11-19 1", "ada 2026-11-20 2"]);
}

async fn the_same_event_twice_counts_once(app: &TestApp) {
    let world = World::new(app).await;
    let e1 = || event("e1", "ada", "2026-11-20T10:00:00Z");
    let events = [e1(), e1(), e1().set("source", json!("watch"))];
    let simulation = simulate(&world.admin(), input(&each(), events)).await;
    assert_eq!(awards(&simulation), ["ada 2026-11-20 1", "ada 2026-11-20 2"]);
    let other = event("e1", "ada", "2026-11-20T11:00:00Z");
    let simulation = simulate(&world.admin(), input(&each(), [e1(), other])).await;
    assert_eq!(faults(&simulation), ["CONFLICT events.1.id"]);
}

async fn what_stops_it_stops_it(app: &TestApp) {
    let world = World::new(app).await;
    let mut draft = each();
    draft["unless"] = json!([{"eventType": "order.refunded"}]);
    let refund = event("stop", "ada", "2026-11-20T10:00:00Z")
        .of("order.refunded")
        .set("properties", json!({"order": "1", "total": 0, "currency": "EUR"}));
    let events = [
        event("at", "ada", "2026-11-20T10:00:00Z"),
        event("after", "ada", "2026-11-20T10:00:01Z"),
        event("before", "ada", "2026-11-20T09:59:59Z"),
        event("bob", "bob", "2026-11-21T10:00:00Z"),
        refund,
    ];
    let simulation = simulate(&world.admin(), input(&draft, events)).await;
    assert_eq!(awards(&simulation), ["ada 2026-11-20 1", "bob 2026-11-21 1"]);
    assert_eq!(simulation["awards"][0]["why"]["events"][0]["id"], "before");
}

async fn attributes_of_members_are_for_those_who_may_read_them(app: &TestApp) {
    let world = World::new(app).await;
    world
        .register(vec![json!({"externalId": "ada", "attributes": {"plan": "gold"}})])
        .await;
    let mut draft = each();
    draft["trigger"]["where"] = json!([{"path": "member.attributes.plan", "op": "EQ", "value": "gold"}]);
    let events = || ["ada", "bob"].map(|member| event(member, member, "2026-11-20T10:00:00Z"));
    let simulation = simulate(&world.admin(), input(&draft, events())).await;
    assert_eq!(awards(&simulation), ["ada 2026-11-20 1"]);
    // A condition is a question about a member.
    let blind = simulate(&world.by("programs:write"), input(&draft, events())).await;
    assert_eq!(awards(&blind), [""; 0]);
}

async fn what_is_wrong_with_the_draft_is_said_with_its_path(app: &TestApp) {
    let world = World::new(app).await;
    let set = |field: &str, value: Value| {
        let mut draft = each();
        draft[field] = value;
        draft
    };
    for (draft, expected) in [
        (set("key", json!("A key")), "INVALID_INPUT incentive.key"),
        (set("program", json!("nada")), "NOT_FOUND incentive.program"),
        (
            set("trigger", json!({"eventType": "nada"})),
            "INVALID_INPUT incentive.trigger.eventType",
        ),
        (
            set("structure", json!({"immediate": false})),
            "INVALID_INPUT incentive.structure.immediate",
        ),
        (
            set("structure", json!({"streak": {"length": 0}})),
            "INVALID_INPUT incentive.structure.streak.length",
        ),
        (set("outcomes", json!([])), "INVALID_INPUT incentive.outcomes"),
        (set("employer", json!("globex")), "NOT_FOUND incentive.employer"),
    ] {
        let simulation = simulate(&world.admin(), input(&draft, [])).await;
        assert_eq!(faults(&simulation), [expected]);
    }
    let mut both = input(&set("employer", json!("globex")), []);
    both["employer"] = json!("acme");
    let simulation = simulate(&world.admin(), both).await;
    assert_eq!(faults(&simulation), ["INVALID_INPUT incentive.employer"]);
    let mut foreign = input(&each(), []);
    foreign["employer"] = json!("globex");
    assert_eq!(
        faults(&simulate(&world.admin(), foreign).await),
        ["NOT_FOUND employer"]
    );
    let unnamed = simulate(&app.operator(), input(&each(), [])).await;
    assert_eq!(faults(&unnamed), ["INVALID_INPUT employer"]);
}

async fn what_is_wrong_with_an_event_is_said_with_its_place(app: &TestApp) {
    let world = World::new(app).await;
    let ok = |id: &str| event(id, "ada", "2026-11-20T10:00:00Z");
    let events = [
        ok("fine"),
        ok(""),
        ok("type").of("nada"),
        ok("member").set("member", json!("")),
        ok("instant").set("occurredAt", json!("yesterday")),
        ok("zone").set("timeZone", json!("Moon/Base")),
        ok("properties").set("properties", json!({"minutes": -1})),
        ok("list").set("properties", json!([])),
    ];
    let simulation = simulate(&world.admin(), input(&each(), events)).await;
    let expected = [
        "INVALID_INPUT events.1.id",
        "UNKNOWN_EVENT_TYPE events.2.type",
        "INVALID_INPUT events.3.member",
        "INVALID_INPUT events.4.occurredAt",
        "INVALID_INPUT events.5.timeZone",
        "INVALID_PROPERTIES events.6.properties.minutes",
        "INVALID_PROPERTIES events.7.properties",
    ];
    assert_eq!(faults(&simulation), expected);
    let many = (0..200).map(|_| ok("").of("nada"));
    assert_eq!(
        faults(&simulate(&world.admin(), input(&each(), many)).await).len(),
        100
    );
}

async fn what_is_earned_by_achievements_cannot_be_tried(app: &TestApp) {
    let world = World::new(app).await;
    world.incentive(each()).await;
    let draft = json!({
        "program": "wellbeing", "key": "all", "name": "All", "structure": {"achievements": {"of": ["draft"]}},
        "outcomes": [{"achievement": {"title": "All"}}],
    });
    let simulation = simulate(&world.admin(), input(&draft, [])).await;
    assert_eq!(
        faults(&simulation),
        ["INVALID_INPUT incentive.structure.achievements"]
    );
}

async fn more_than_anybody_can_read_is_refused(app: &TestApp) {
    let world = World::new(app).await;
    let mut draft = incentive_input(
        "draft",
        "order.completed",
        json!({"total": {"property": "total", "atLeast": "1"}}),
        json!({"unlimited": true}),
    );
    let order = |id: u32, total: u32| {
        event(&id.to_string(), "ada", "2026-11-20T10:00:00Z")
            .of("order.completed")
            .set(
                "properties",
                json!({"order": "1", "total": total, "currency": "EUR"}),
            )
    };
    // A thousand and one at once, as with real events; and a few more than ten thousand in all.
    for orders in [
        vec![order(0, 1_001)],
        (0..11).map(|id| order(id, 1_000)).collect(),
    ] {
        let simulation = simulate(&world.admin(), input(&draft, orders)).await;
        assert_eq!(faults(&simulation), ["INVALID_INPUT incentive"]);
    }
    draft["limit"] = json!({"once": true});
    let simulation = simulate(&world.admin(), input(&draft, [order(0, 1_001)])).await;
    assert_eq!(awards(&simulation), ["ada 2026-11-20 1"]);
    let many = (0..10_001).map(|id| event(&id.to_string(), "a", "2026-11-20T10:00:00Z"));
    assert_eq!(
        faults(&simulate(&world.admin(), input(&each(), many)).await),
        ["TOO_MANY events"]
    );
}

async fn a_dry_run_earns_what_the_real_run_earns(app: &TestApp) {
    let world = World::new(app).await;
    world.members(&["ada"]).await;
    let structures = [
        json!({"immediate": true}),
        json!({"streak": {"length": 2, "freezes": 1}}),
        json!({"streak": {"length": 1, "period": "WEEK", "perPeriod": 2}}),
        json!({"count": {"times": 3, "window": "WEEK"}}),
        json!({"total": {"property": "minutes", "atLeast": "25"}}),
    ];
    let events = || {
        (0..12).map(|number| {
            // Some days twice, some not at all, and the latest first.
            let day = 20 - (number * 5) % 6;
            event(
                &format!("e{number}"),
                "ada",
                &format!("2026-11-{day}T{number:02}:00:00Z"),
            )
            .set("properties", json!({"minutes": 7 + number}))
        })
    };
    let drafts: Vec<Value> = (0..structures.len())
        .map(|number| {
            incentive_input(
                &format!("draft-{number}"),
                "meditation.completed",
                structures[number].clone(),
                json!({"unlimited": true}),
            )
        })
        .collect();
    for draft in &drafts {
        world.incentive(draft.clone()).await;
    }
    world.did(events()).await;
    for draft in &drafts {
        let simulation = simulate(&world.admin(), input(draft, events())).await;
        let mut real: Vec<String> = world
            .earned("ada", draft["key"].as_str().unwrap())
            .await
            .iter()
            .map(|(ordinal, day)| format!("ada {day} {ordinal}"))
            .collect();
        real.sort_unstable();
        let mut dry = awards(&simulation);
        assert!(!dry.is_empty(), "{draft}");
        dry.sort_unstable();
        assert_eq!(dry, real, "{draft}");
    }
}

/// The hours of `days` days before the present, so many of each.
fn hours(count: u32, days: u32) -> impl Iterator<Item = String> {
    let first = chrono::NaiveDate::from_ymd_opt(2024, 1, 1).unwrap();
    (0..count).map(move |number| {
        let day = first
            .checked_add_days(chrono::Days::new(u64::from(number % days)))
            .unwrap();
        format!(
            "{day}T{:02}:{:02}:{:02}Z",
            number / days % 24,
            number / days / 24 % 60,
            number % 60
        )
    })
}

/// As [`simulate`], at leisure: how long the door waits for an answer says nothing in a build that is not optimised, on a machine with
/// much else to do.
async fn simulate_at_leisure(world: &World<'_>, input: Value) -> Value {
    let app = world.app;
    let token = app.token(Party::Employer(world.employer), "programs:write members:read");
    let viewer = app.app.verifier.authenticate(&token, app.now()).unwrap();
    let variables = Variables::from_json(json!({"input": input}));
    let request = Request::new(SIMULATE).variables(variables).data(viewer);
    let response = app.app.schema().execute(request).await;
    assert!(response.errors.is_empty(), "{:?}", response.errors);
    response.data.into_json().unwrap()["simulate"].clone()
}

/// The events of a hundred members, a hundred of each, with more to say than most.
fn of_a_hundred_members() -> impl Iterator<Item = Event> {
    (0..100).flat_map(|member| {
        hours(100, 100).enumerate().map(move |(number, hour)| {
            event(
                &format!("event-{member}-{number}"),
                &format!("member-{member}"),
                &hour,
            )
            .set("timeZone", json!("Europe/Zurich"))
            .set("properties", json!({"minutes": 20, "place": "x".repeat(180)}))
        })
    })
}

async fn ten_thousand_events_fit_into_a_request(app: &TestApp) {
    let world = World::new(app).await;
    let mut draft = each();
    draft["program"] = json!("nada");
    let input = input(&draft, of_a_hundred_members());
    let simulation = simulate(&world.admin(), input.clone()).await;
    assert_eq!(faults(&simulation), ["NOT_FOUND incentive.program"]);
    // Whoever may not try anything may not send as much.
    let answer = world.backend().ask(SIMULATE, json!({"input": input})).await;
    assert_eq!(answer.status, 413);
}

async fn ten_thousand_events_of_a_hundred_members_are_judged(app: &TestApp) {
    let world = World::new(app).await;
    let draft = streak_input("draft", 5, json!({"unlimited": true}));
    let simulation = simulate_at_leisure(&world, input(&draft, of_a_hundred_members())).await;
    assert_eq!(awards(&simulation).len(), 100 * 20);
}

async fn ten_thousand_events_of_one_member_are_judged(app: &TestApp) {
    let world = World::new(app).await;
    let draft = incentive_input(
        "draft",
        "meditation.completed",
        json!({"count": {"times": 10}}),
        json!({"unlimited": true}),
    );
    let events = hours(10_000, 1_000)
        .enumerate()
        .map(|(number, hour)| event(&number.to_string(), "ada", &hour));
    let simulation = simulate_at_leisure(&world, input(&draft, events)).await;
    assert_eq!(awards(&simulation).len(), 1_000);
    let last = &simulation["awards"][999];
    assert_eq!(last["ordinal"], 1_000);
    assert_eq!(last["why"]["events"].as_array().unwrap().len(), 10);
}
