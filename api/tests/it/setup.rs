//! What is set up: employers, partners, event types, programs, incentives.

use serde_json::{Value, json};

use crate::harness::{TestApp, World, event, incentive_input, streak_input};

on_both!(
    an_employer_has_the_stock_menu_from_the_start,
    a_key_is_taken_once,
    an_employer_is_what_was_said_of_it,
    a_partner_starts_with_an_empty_feed,
    an_event_type_is_added_to_the_menu_at_once,
    a_draft_evaluates_nothing_and_keeps_nothing_for_later,
    a_program_is_activated_once,
    only_days_within_a_programs_dates_count,
    a_program_whose_day_starts_late_counts_the_night_to_the_day_before,
    an_incentive_shows_the_rule_it_was_given,
    a_published_version_cannot_be_updated_even_by_sql,
    an_incentive_that_makes_no_sense_is_refused,
    a_second_employer_may_use_the_same_keys,
);

async fn an_employer_has_the_stock_menu_from_the_start(app: &TestApp) {
    let world = World::new(app).await;
    let query = "{ employer { eventTypes { key sensitive maxLate maxFuture retention propertiesSchema } } }";
    let data = world.admin().data(query, json!({})).await;
    let menu = data["employer"]["eventTypes"].as_array().unwrap();
    let shown: Vec<(&str, bool)> = menu
        .iter()
        .map(|item| {
            (
                item["key"].as_str().unwrap(),
                item["sensitive"].as_bool().unwrap(),
            )
        })
        .collect();
    let expected = [
        ("birth.reported", true),
        ("health_data.logged", true),
        ("meditation.completed", false),
        ("order.completed", false),
        ("order.refunded", false),
        ("pregnancy.reported", true),
        ("purchase.completed", false),
        ("registration.completed", false),
    ];
    assert_eq!(shown, expected);
    for item in menu {
        assert_eq!(
            (&item["maxLate"], &item["maxFuture"]),
            (&json!("P7D"), &json!("PT5M"))
        );
        assert_eq!(item["propertiesSchema"]["type"], "object");
    }
}

async fn a_key_is_taken_once(app: &TestApp) {
    let world = World::new(app).await;
    world
        .incentive(streak_input("daily", 1, json!({"once": true})))
        .await;
    let before = app.row_counts().await;
    let (operator, admin) = (app.operator(), world.admin());
    for (caller, mutation, input, selection) in [
        (
            &operator,
            "createEmployer",
            json!({"key": "acme", "name": "Again"}),
            "employer { id }",
        ),
        (
            &operator,
            "createPartner",
            json!({"key": "spa", "name": "Again"}),
            "partner { id }",
        ),
        (
            &admin,
            "createEventType",
            json!({"key": "order.completed", "name": "Again"}),
            "eventType { key }",
        ),
        (
            &admin,
            "createProgram",
            json!({"key": "wellbeing", "name": "Again"}),
            "program { id }",
        ),
        (
            &admin,
            "createIncentive",
            streak_input("daily", 2, json!({"once": true})),
            "incentive { id }",
        ),
    ] {
        let fault = caller.fault(mutation, input, selection).await;
        assert_eq!(fault, ("KEY_TAKEN".to_owned(), "key".to_owned()), "{mutation}");
    }
    assert_eq!(app.row_counts().await, before);
}

async fn an_employer_is_what_was_said_of_it(app: &TestApp) {
    let selection = "employer { key name timeZone enrolment minimumGroupSize consentDefaults { partnerSharing email } createdAt }";
    let plain = app
        .operator()
        .change(
            "createEmployer",
            json!({"key": "plain", "name": "Plain"}),
            selection,
        )
        .await;
    let expected = json!({
        "key": "plain", "name": "Plain", "timeZone": "UTC", "enrolment": "ROSTER", "minimumGroupSize": 10,
        "consentDefaults": {"partnerSharing": false, "email": false}, "createdAt": "2026-11-21T12:00:00Z",
    });
    assert_eq!(plain["employer"], expected);
    let given = json!({
        "key": "full", "name": "Full", "timeZone": "Europe/Berlin", "enrolment": "OPEN", "minimumGroupSize": 3,
        "consentDefaults": {"partnerSharing": true, "email": true},
    });
    let full = app
        .operator()
        .change("createEmployer", given.clone(), selection)
        .await;
    for (field, value) in given.as_object().unwrap() {
        assert_eq!(&full["employer"][field], value, "{field}");
    }
    let all = app
        .operator()
        .data("{ employers { nodes { key } } }", json!({}))
        .await;
    assert_eq!(
        all["employers"]["nodes"],
        json!([{"key": "plain"}, {"key": "full"}])
    );
}

async fn a_partner_starts_with_an_empty_feed(app: &TestApp) {
    let world = World::new(app).await;
    let page = world
        .partner()
        .data(
            "{ feed { entries { id } endCursor hasMore } viewer { kind partner { key } employer { key } } }",
            json!({}),
        )
        .await;
    assert_eq!(
        page["feed"],
        json!({"entries": [], "endCursor": null, "hasMore": false})
    );
    assert_eq!(
        page["viewer"],
        json!({"kind": "PARTNER", "partner": {"key": "spa"}, "employer": null})
    );
}

async fn an_event_type_is_added_to_the_menu_at_once(app: &TestApp) {
    let world = World::new(app).await;
    world.members(&["ada"]).await;
    let walked = || {
        event("w1", "ada", "2026-11-21T11:00:00Z")
            .of("walk.walked")
            .into()
    };
    assert_eq!(world.backend().record([walked()]).await, ["UNKNOWN_EVENT_TYPE"]);
    let schema =
        json!({"type": "object", "properties": {"steps": {"type": "integer"}}, "required": ["steps"]});
    let input = json!({"key": "walk.walked", "name": "Walked", "propertiesSchema": schema, "maxLate": "P400D", "sensitive": true});
    let made = world
        .admin()
        .change(
            "createEventType",
            input,
            "eventType { key sensitive maxLate maxFuture propertiesSchema }",
        )
        .await;
    let expected = json!({
        "key": "walk.walked", "sensitive": true, "maxLate": "P400D", "maxFuture": "PT5M", "propertiesSchema": schema,
    });
    assert_eq!(made["eventType"], expected);
    assert_eq!(world.backend().record([walked()]).await, ["INVALID_PROPERTIES"]);
    let with_steps = event("w1", "ada", "2025-11-21T11:00:00Z")
        .of("walk.walked")
        .set("properties", json!({"steps": 1}));
    assert_eq!(world.backend().record([with_steps.into()]).await, ["ACCEPTED"]);
}

async fn a_draft_evaluates_nothing_and_keeps_nothing_for_later(app: &TestApp) {
    let world = World::new(app).await;
    world.members(&["ada"]).await;
    let admin = world.admin();
    let made = admin
        .change(
            "createProgram",
            json!({"key": "later", "name": "Later"}),
            "program { state activatedAt }",
        )
        .await;
    assert_eq!(made["program"], json!({"state": "DRAFT", "activatedAt": null}));
    let mut input = streak_input("first", 1, json!({"once": true}));
    input["program"] = json!("later");
    world.incentive(input).await;
    world.did([event("e1", "ada", "2026-11-21T10:00:00Z")]).await;
    let active = admin
        .change(
            "activateProgram",
            json!({"program": "later"}),
            "program { state activatedAt }",
        )
        .await;
    assert_eq!(
        active["program"],
        json!({"state": "ACTIVE", "activatedAt": "2026-11-21T12:00:00Z"})
    );
    app.run_jobs().await;
    assert_eq!(world.times("ada", "first").await, 0);
    // What is accepted from now on counts, also where it happened before.
    world.did([event("e2", "ada", "2026-11-20T10:00:00Z")]).await;
    assert_eq!(world.earned("ada", "first").await, [(1, "2026-11-20".to_owned())]);
}

async fn a_program_is_activated_once(app: &TestApp) {
    let world = World::new(app).await;
    let admin = world.admin();
    let again = admin
        .fault(
            "activateProgram",
            json!({"program": "wellbeing"}),
            "program { id }",
        )
        .await;
    assert_eq!(again, ("INVALID_STATE".to_owned(), "program".to_owned()));
    let unknown = admin
        .fault("activateProgram", json!({"program": "nothing"}), "program { id }")
        .await;
    assert_eq!(unknown, ("NOT_FOUND".to_owned(), "program".to_owned()));
}

async fn only_days_within_a_programs_dates_count(app: &TestApp) {
    let world = World::new(app).await;
    world.members(&["ada"]).await;
    world
        .program(json!({"key": "short", "startsOn": "2026-11-18", "endsOn": "2026-11-19"}))
        .await;
    let mut input = incentive_input(
        "each",
        "meditation.completed",
        json!({"immediate": true}),
        json!({"unlimited": true}),
    );
    input["program"] = json!("short");
    world.incentive(input).await;
    world
        .did([
            event("before", "ada", "2026-11-17T23:59:59Z"),
            event("first", "ada", "2026-11-18T00:00:00Z"),
            event("last", "ada", "2026-11-19T23:59:59Z"),
            event("after", "ada", "2026-11-20T00:00:00Z"),
            // By the clock where it happened it was still the 19th.
            event("west", "ada", "2026-11-20T05:00:00Z").set("timeZone", json!("America/Los_Angeles")),
            event("east", "ada", "2026-11-19T20:00:00Z").set("timeZone", json!("Asia/Tokyo")),
        ])
        .await;
    let mut days: Vec<String> = world
        .earned("ada", "each")
        .await
        .into_iter()
        .map(|(_, day)| day)
        .collect();
    days.sort_unstable();
    assert_eq!(days, ["2026-11-18", "2026-11-19", "2026-11-19"]);
}

async fn a_program_whose_day_starts_late_counts_the_night_to_the_day_before(app: &TestApp) {
    let world = World::new(app).await;
    world.members(&["ada", "bob"]).await;
    world
        .program(json!({"key": "owls", "dayStartsAt": "04:00"}))
        .await;
    let mut input = streak_input("pair", 2, json!({"once": true}));
    input["program"] = json!("owls");
    world.incentive(input).await;
    world
        .did([
            event("a1", "ada", "2026-11-19T10:00:00Z"),
            event("a2", "ada", "2026-11-20T03:59:59Z"),
            event("b1", "bob", "2026-11-19T10:00:00Z"),
            event("b2", "bob", "2026-11-20T04:00:00Z"),
        ])
        .await;
    assert_eq!(world.times("ada", "pair").await, 0);
    assert_eq!(world.earned("bob", "pair").await, [(1, "2026-11-20".to_owned())]);
}

async fn an_incentive_shows_the_rule_it_was_given(app: &TestApp) {
    let world = World::new(app).await;
    let mut input = incentive_input(
        "spender",
        "order.completed",
        json!({"streak": {"length": 3, "period": "WEEK", "perPeriod": 2}}),
        json!({"oncePer": "QUARTER"}),
    );
    input["description"] = json!("Three weeks of orders.");
    input["trigger"]["where"] = json!([
        {"path": "properties.total", "op": "GTE", "value": 1000},
        {"path": "member.attributes.plan", "op": "IN", "value": ["gold", "silver"]},
    ]);
    world.incentive(input.clone()).await;
    let query = "{ program(key: \"wellbeing\") { incentives { key name description sensitive version {
        number publishedAt trigger { eventType where { path op value } }
        structure { immediate streak { length period perPeriod } } limit { once atMost oncePer unlimited } } } } }";
    let data = world.admin().data(query, json!({})).await;
    let shown = &data["program"]["incentives"][0];
    assert_eq!(shown["description"], input["description"]);
    assert_eq!(shown["sensitive"], json!(false));
    let version = &shown["version"];
    assert_eq!(version["number"], 1);
    assert_eq!(version["trigger"], input["trigger"]);
    assert_eq!(
        version["structure"],
        json!({"immediate": null, "streak": input["structure"]["streak"]})
    );
    assert_eq!(
        version["limit"],
        json!({"once": null, "atMost": null, "oncePer": "QUARTER", "unlimited": null})
    );
}

async fn a_published_version_cannot_be_updated_even_by_sql(app: &TestApp) {
    let world = World::new(app).await;
    world
        .incentive(streak_input("daily", 5, json!({"once": true})))
        .await;
    let refused = app
        .sql("UPDATE incentive_version SET version = 2")
        .await
        .unwrap_err();
    assert!(
        refused.to_string().contains("incentive_version is immutable"),
        "{refused}"
    );
    assert_eq!(
        app.count("SELECT count(*) AS count FROM incentive_version WHERE version = 1")
            .await,
        1
    );
}

async fn an_incentive_that_makes_no_sense_is_refused(app: &TestApp) {
    let world = World::new(app).await;
    let before = app.row_counts().await;
    let good = || {
        incentive_input(
            "good",
            "order.completed",
            json!({"streak": {"length": 5}}),
            json!({"once": true}),
        )
    };
    let with = |pointer: &str, value: Value| {
        let mut input = good();
        *input.pointer_mut(pointer).unwrap() = value;
        input
    };
    let condition = |path: &str, op: &str, value: Value| {
        let mut input = good();
        input["trigger"]["where"] = json!([{"path": path, "op": op, "value": value}]);
        input
    };
    for (input, code, path) in [
        (with("/key", json!("Not A Key")), "INVALID_INPUT", "key"),
        (with("/name", json!(" ")), "INVALID_INPUT", "name"),
        (with("/program", json!("nothing")), "NOT_FOUND", "program"),
        (with("/outcomes", json!([])), "INVALID_INPUT", "outcomes"),
        (
            with("/outcomes/0/achievement/title", json!("")),
            "INVALID_INPUT",
            "outcomes.0.achievement.title",
        ),
        (
            with("/structure/streak/length", json!(0)),
            "INVALID_INPUT",
            "structure.streak.length",
        ),
        (
            with("/structure/streak/length", json!(1001)),
            "INVALID_INPUT",
            "structure.streak.length",
        ),
        (
            with("/structure", json!({"immediate": false})),
            "INVALID_INPUT",
            "structure.immediate",
        ),
        (
            with("/limit", json!({"once": false})),
            "INVALID_INPUT",
            "limit.once",
        ),
        (
            with("/limit", json!({"atMost": 0})),
            "INVALID_INPUT",
            "limit.atMost",
        ),
        (with("/trigger", Value::Null), "INVALID_INPUT", "trigger"),
        (
            with("/trigger/eventType", json!("no.such")),
            "INVALID_INPUT",
            "trigger.eventType",
        ),
        (
            condition("properties.totl", "EQ", json!(1)),
            "INVALID_INPUT",
            "trigger.where.0.path",
        ),
        (
            condition("properties.total", "EQ", json!("x")),
            "INVALID_INPUT",
            "trigger.where.0.value",
        ),
        (
            condition("somewhere.total", "EQ", json!(1)),
            "INVALID_INPUT",
            "trigger.where.0.path",
        ),
        (
            condition("properties.total", "IN", json!(1)),
            "INVALID_INPUT",
            "trigger.where.0.value",
        ),
    ] {
        let fault = world
            .admin()
            .fault("createIncentive", input.clone(), "incentive { id }")
            .await;
        assert_eq!(fault, (code.to_owned(), path.to_owned()), "{input}");
    }
    assert_eq!(app.row_counts().await, before);
}

async fn a_second_employer_may_use_the_same_keys(app: &TestApp) {
    let acme = World::new(app).await;
    let globex = World::named(app, "globex", "gym").await;
    for world in [&acme, &globex] {
        world
            .incentive(streak_input("first", 1, json!({"unlimited": true})))
            .await;
        world.members(&["ada"]).await;
    }
    acme.did([event("e1", "ada", "2026-11-20T10:00:00Z")]).await;
    globex.did([event("e1", "ada", "2026-11-21T10:00:00Z")]).await;
    assert_eq!(acme.earned("ada", "first").await, [(1, "2026-11-20".to_owned())]);
    assert_eq!(
        globex.earned("ada", "first").await,
        [(1, "2026-11-21".to_owned())]
    );
    assert_eq!((acme.feed().await.len(), globex.feed().await.len()), (1, 1));
}
