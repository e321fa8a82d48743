//! What an incentive can ask: every structure is taken as it is meant, and what makes no sense or means harm is refused.

use serde_json::{Map, Value, json};

use crate::harness::{TestApp, World, event, incentive_input};

on_both!(
    every_structure_is_shown_as_it_was_given,
    what_is_left_out_of_a_structure_has_a_default,
    every_structure_is_earned_by_what_it_asks,
    what_stops_an_incentive_is_shown,
    a_typing_error_is_an_error_at_once,
    a_malicious_incentive_is_refused_where_it_is_malicious,
    a_malicious_schema_is_refused,
    an_incentive_is_not_earned_by_itself,
    what_is_built_on_something_sensitive_is_sensitive,
);

/// All that can be shown of a structure.
const SHOWN: &str = "structure { immediate streak { length period perPeriod freezes } count { times window }
    total { property atLeast window } sequence { steps { eventType where { path op value } } within }
    achievements { of atLeast } }";

/// The input of an incentive; a null trigger is none.
fn input(key: &str, trigger: Value, structure: Value, limit: Value) -> Value {
    let mut input = incentive_input(key, "order.completed", structure, limit);
    input["trigger"] = trigger;
    input
}

fn order() -> Value {
    json!({"eventType": "order.completed", "where": []})
}

fn once() -> Value {
    json!({"once": true})
}

/// What the newest version of each incentive shows of its structure, by key, without what is null.
async fn shown(world: &World<'_>) -> Map<String, Value> {
    let query = format!("{{ program(key: \"wellbeing\") {{ incentives {{ key version {{ {SHOWN} }} }} }} }}");
    let data = world.admin().data(&query, json!({})).await;
    let incentives = data["program"]["incentives"].as_array().unwrap();
    let structure = |incentive: &Value| {
        let mut structure = incentive["version"]["structure"].clone();
        structure
            .as_object_mut()
            .unwrap()
            .retain(|_, value| !value.is_null());
        (incentive["key"].as_str().unwrap().to_owned(), structure)
    };
    incentives.iter().map(structure).collect()
}

async fn refused(world: &World<'_>, input: &Value) -> (String, String) {
    world
        .admin()
        .fault("createIncentive", input.clone(), "incentive { id }")
        .await
}

async fn every_structure_is_shown_as_it_was_given(app: &TestApp) {
    let world = World::new(app).await;
    let meditation = json!({"eventType": "meditation.completed", "where": [{"path": "member.attributes.plan", "op": "EQ", "value": "gold"}]});
    let mut given = Map::new();
    for (key, trigger, structure) in [
        ("a", order(), json!({"immediate": true})),
        (
            "b",
            order(),
            json!({"streak": {"length": 9, "period": "WEEK", "perPeriod": 2, "freezes": 1}}),
        ),
        ("c", order(), json!({"count": {"times": 10, "window": "QUARTER"}})),
        (
            "d",
            order(),
            json!({"total": {"property": "total", "atLeast": "12345.678901", "window": "PROGRAM"}}),
        ),
        (
            "e",
            Value::Null,
            json!({"sequence": {"steps": [order(), meditation], "within": "P1DT12H"}}),
        ),
        (
            "f",
            Value::Null,
            json!({"achievements": {"of": ["a", "c"], "atLeast": 1}}),
        ),
    ] {
        world
            .incentive(input(key, trigger, structure.clone(), once()))
            .await;
        given.insert(key.to_owned(), structure);
    }
    assert_eq!(shown(&world).await, given);
}

async fn what_is_left_out_of_a_structure_has_a_default(app: &TestApp) {
    let world = World::new(app).await;
    let mut expected = Map::new();
    for (key, trigger, structure, full) in [
        (
            "a",
            order(),
            json!({"streak": {"length": 9, "freezes": null}}),
            json!({"streak": {"length": 9, "period": "DAY", "perPeriod": 1, "freezes": 0}}),
        ),
        (
            "b",
            order(),
            json!({"count": {"times": 10, "window": null}}),
            json!({"count": {"times": 10, "window": "EVER"}}),
        ),
        (
            "c",
            order(),
            json!({"total": {"property": "total", "atLeast": "5.00"}}),
            json!({"total": {"property": "total", "atLeast": "5", "window": "EVER"}}),
        ),
        (
            "d",
            Value::Null,
            json!({"achievements": {"of": ["a"]}}),
            json!({"achievements": {"of": ["a"], "atLeast": null}}),
        ),
    ] {
        world.incentive(input(key, trigger, structure, once())).await;
        expected.insert(key.to_owned(), full);
    }
    assert_eq!(shown(&world).await, expected);
}

async fn every_structure_is_earned_by_what_it_asks(app: &TestApp) {
    let world = World::new(app).await;
    world.members(&["ada"]).await;
    let meditation = json!({"eventType": "meditation.completed"});
    let unlimited = || json!({"unlimited": true});
    for (key, trigger, structure) in [
        ("each", order(), json!({"immediate": true})),
        ("days", order(), json!({"streak": {"length": 2, "freezes": 1}})),
        ("count", order(), json!({"count": {"times": 2}})),
        (
            "total",
            order(),
            json!({"total": {"property": "total", "atLeast": "1500.5"}}),
        ),
        (
            "steps",
            Value::Null,
            json!({"sequence": {"steps": [order(), meditation], "within": "P2D"}}),
        ),
        (
            "all",
            Value::Null,
            json!({"achievements": {"of": ["each", "steps"]}}),
        ),
    ] {
        world.incentive(input(key, trigger, structure, unlimited())).await;
    }
    let ordered = |id: &str, at: &str, total: i32| {
        event(id, "ada", at).of("order.completed").set(
            "properties",
            json!({"order": id, "total": total, "currency": "EUR"}),
        )
    };
    world
        .did([
            ordered("o1", "2026-11-16T10:00:00Z", 1_000),
            ordered("o2", "2026-11-18T10:00:00Z", 1_000),
            event("m1", "ada", "2026-11-20T10:00:00Z"),
            event("m2", "ada", "2026-11-20T11:00:00Z"),
        ])
        .await;
    for (key, days) in [
        ("each", vec!["2026-11-16", "2026-11-18"]),
        ("days", vec!["2026-11-18"]),
        ("count", vec!["2026-11-18"]),
        ("total", vec!["2026-11-18"]),
        // The second order is two days before; the first is too far, and the second meditation has no order left.
        ("steps", vec!["2026-11-20"]),
        ("all", vec!["2026-11-20"]),
    ] {
        let earned = world.earned("ada", key).await;
        let found: Vec<&str> = earned.iter().map(|(_, day)| day.as_str()).collect();
        assert_eq!(found, days, "{key}");
    }
}

async fn what_stops_an_incentive_is_shown(app: &TestApp) {
    let world = World::new(app).await;
    let unless = json!([
        {"eventType": "order.refunded", "where": [{"path": "properties.total", "op": "EQ", "value": 0}]},
        {"eventType": "pregnancy.reported", "where": []},
    ]);
    let mut given = input("stopped", order(), json!({"immediate": true}), once());
    given["unless"] = unless.clone();
    world.incentive(given).await;
    let query = "{ program(key: \"wellbeing\") { incentives { sensitive version { unless { eventType where { path op value } } } } } }";
    let data = world.admin().data(query, json!({})).await;
    let incentive = &data["program"]["incentives"][0];
    assert_eq!(incentive["version"]["unless"], unless);
    // That somebody was stopped says as much as that somebody has earned it.
    assert_eq!(incentive["sensitive"], json!(true));
}

async fn a_typing_error_is_an_error_at_once(app: &TestApp) {
    let world = World::new(app).await;
    let before = app.row_counts().await;
    let asks = |event_type: &str, path: &str| json!({"eventType": event_type, "where": [{"path": path, "op": "EXISTS", "value": true}]});
    let steps = |step: Value| json!({"sequence": {"steps": [order(), step], "within": "P7D"}});
    let total = |property: &str| json!({"total": {"property": property, "atLeast": "100"}});
    let unless = |trigger: Value| {
        let mut input = input("x", order(), json!({"immediate": true}), once());
        input["unless"] = json!([trigger]);
        input
    };
    let none = || Value::Null;
    for (input, path) in [
        (
            input(
                "x",
                asks("order.completed", "properties.totl"),
                json!({"immediate": true}),
                once(),
            ),
            "trigger.where.0.path",
        ),
        (
            input("x", none(), steps(json!({"eventType": "order.complete"})), once()),
            "structure.sequence.steps.1.eventType",
        ),
        (
            input(
                "x",
                none(),
                steps(asks("order.refunded", "properties.totl")),
                once(),
            ),
            "structure.sequence.steps.1.where.0.path",
        ),
        (
            input("x", order(), total("totl"), once()),
            "structure.total.property",
        ),
        (
            input("x", order(), total("properties.total"), once()),
            "structure.total.property",
        ),
        (unless(json!({"eventType": "order.refund"})), "unless.0.eventType"),
        (unless(asks("order.refunded", "total")), "unless.0.where.0.path"),
        (
            input("x", none(), json!({"achievements": {"of": ["nothing"]}}), once()),
            "structure.achievements.of.0",
        ),
        (input("x", order(), steps(order()), once()), "trigger"),
        (
            input("x", none(), json!({"count": {"times": 1}}), once()),
            "trigger",
        ),
    ] {
        assert_eq!(
            refused(&world, &input).await,
            ("INVALID_INPUT".to_owned(), path.to_owned()),
            "{input}"
        );
    }
    assert_eq!(app.row_counts().await, before);
}

async fn a_malicious_incentive_is_refused_where_it_is_malicious(app: &TestApp) {
    let world = World::new(app).await;
    let before = app.row_counts().await;
    let condition = |path: &str, value: Value| json!({"path": path, "op": "IN", "value": value});
    let total = condition("properties.total", json!([1]));
    let trigger = |conditions: Vec<Value>| json!({"eventType": "order.completed", "where": conditions});
    let immediate = |trigger: Value| input("x", trigger, json!({"immediate": true}), once());
    let structure = |structure: Value| input("x", order(), structure, once());
    let sequence = |steps: Vec<Value>, within: &str, limit: Value| {
        input(
            "x",
            Value::Null,
            json!({"sequence": {"steps": steps, "within": within}}),
            limit,
        )
    };
    let kilobyte = format!("properties.{}", "x".repeat(1_024));
    let mut stopped = immediate(order());
    stopped["unless"] = json!(vec![order(); 1_000]);
    for (input, path) in [
        (immediate(trigger(vec![total; 1_000])), "trigger.where"),
        (
            immediate(trigger(vec![condition(&kilobyte, json!([1]))])),
            "trigger.where.0.path",
        ),
        (
            immediate(trigger(vec![condition(
                "member.attributes.a.b.c.d.e.f.g.h.i",
                json!([1]),
            )])),
            "trigger.where.0.path",
        ),
        (
            immediate(trigger(vec![condition(
                "member.attributes.a",
                json!(vec![1; 1_001]),
            )])),
            "trigger.where.0.value",
        ),
        (
            immediate(trigger(vec![condition(
                "member.attributes.a",
                json!(["x".repeat(1_001)]),
            )])),
            "trigger.where.0.value",
        ),
        // Each value is one that may be, and all of them are too much.
        (
            immediate(trigger(vec![condition(
                "member.attributes.a",
                json!(vec!["x".repeat(900); 100]),
            )])),
            "",
        ),
        (stopped, "unless"),
        (
            sequence(vec![order(); 1_000], "P7D", once()),
            "structure.sequence.steps",
        ),
        (sequence(vec![order()], "P7D", once()), "structure.sequence.steps"),
        (
            sequence(vec![order(); 2], "P401D", once()),
            "structure.sequence.within",
        ),
        (
            sequence(vec![order(); 2], "PT0S", once()),
            "structure.sequence.within",
        ),
        (
            sequence(
                vec![order(), json!({"eventType": "order.refunded"}), order()],
                "P7D",
                json!({"unlimited": true}),
            ),
            "structure.sequence.steps.2.eventType",
        ),
        (
            structure(json!({"streak": {"length": 5, "freezes": 5}})),
            "structure.streak.freezes",
        ),
        (
            structure(json!({"streak": {"length": 5, "freezes": -1}})),
            "structure.streak.freezes",
        ),
        (
            structure(json!({"count": {"times": 1_000_001}})),
            "structure.count.times",
        ),
        (
            structure(json!({"total": {"property": "total", "atLeast": "0"}})),
            "structure.total.atLeast",
        ),
        (
            structure(json!({"total": {"property": "total", "atLeast": "0.0000001"}})),
            "structure.total.atLeast",
        ),
        (
            structure(json!({"total": {"property": "x".repeat(1_024), "atLeast": "1"}})),
            "structure.total.property",
        ),
        (
            input(
                "x",
                Value::Null,
                json!({"achievements": {"of": vec!["a"; 1_000]}}),
                once(),
            ),
            "structure.achievements.of",
        ),
    ] {
        let text = input.to_string();
        assert_eq!(
            refused(&world, &input).await,
            ("INVALID_INPUT".to_owned(), path.to_owned()),
            "{text:.300}"
        );
    }
    // A number that is not exact is none of ours, whoever reads it.
    let inexact =
        structure(json!({"total": {"property": "total", "atLeast": "1.00000000000000000000000000001"}}));
    let document =
        "mutation($input: CreateIncentiveInput!) { createIncentive(input: $input) { userErrors { code } } }";
    let code = world.admin().error(document, json!({"input": inexact})).await;
    assert_eq!(code, "BAD_USER_INPUT");
    assert_eq!(app.row_counts().await, before);
}

async fn a_malicious_schema_is_refused(app: &TestApp) {
    let world = World::new(app).await;
    let before = app.row_counts().await;
    let mut doubling = json!({"$ref": "#/$defs/d0", "$defs": {"d30": {"type": "object"}}});
    for level in 0..30 {
        let next = json!({"$ref": format!("#/$defs/d{}", level + 1)});
        doubling["$defs"][format!("d{level}")] = json!({"allOf": [next, next]});
    }
    for schema in [
        doubling,
        json!({"properties": {"child": {"$ref": "#"}}}),
        json!({"$ref": "https://example.com/schema.json"}),
        json!({"properties": {"name": {"type": "string", "pattern": "^(?=(a+)+$).*"}}}),
        json!({"properties": {"name": {"type": "string", "pattern": "((a{1,200}){1,200}){1,200}"}}}),
        (0..40).fold(json!({}), |inner, _| json!({"properties": {"a": inner}})),
        json!({"description": "x".repeat(70_000)}),
    ] {
        let input = json!({"key": "own.type", "name": "Own", "propertiesSchema": schema});
        let fault = world
            .admin()
            .fault("createEventType", input, "eventType { key }")
            .await;
        assert_eq!(fault, ("INVALID_INPUT".to_owned(), "propertiesSchema".to_owned()));
    }
    assert_eq!(app.row_counts().await, before);
}

async fn an_incentive_is_not_earned_by_itself(app: &TestApp) {
    let world = World::new(app).await;
    let of = |key: &str| json!({"achievements": {"of": [key]}});
    world
        .incentive(input("base", order(), json!({"immediate": true}), once()))
        .await;
    world
        .incentive(input("first", Value::Null, of("base"), once()))
        .await;
    world
        .incentive(input("second", Value::Null, of("first"), once()))
        .await;
    let publish = |incentive: &str, on: &str| {
        json!({
            "incentive": incentive, "structure": of(on), "progress": "RESTART", "outcomes": [{"achievement": {"title": "New"}}],
        })
    };
    let circle = (
        "INVALID_INPUT".to_owned(),
        "structure.achievements.of.0".to_owned(),
    );
    for (incentive, on) in [("first", "first"), ("first", "second"), ("base", "second")] {
        let fault = world
            .admin()
            .fault("publishIncentive", publish(incentive, on), "version")
            .await;
        assert_eq!(fault, circle, "{incentive} {on}");
    }
    // What is over does not count: once the first is built on the other, the other way round is no circle any more.
    world
        .incentive(input("other", order(), json!({"immediate": true}), once()))
        .await;
    app.pass(chrono::TimeDelta::seconds(1));
    world
        .admin()
        .change("publishIncentive", publish("first", "other"), "version")
        .await;
    app.pass(chrono::TimeDelta::seconds(1));
    world
        .admin()
        .change("publishIncentive", publish("base", "second"), "version")
        .await;
}

async fn what_is_built_on_something_sensitive_is_sensitive(app: &TestApp) {
    let world = World::new(app).await;
    let birth = json!({"eventType": "birth.reported"});
    world
        .incentive(input("birth", birth, json!({"immediate": true}), once()))
        .await;
    world
        .incentive(input("order", order(), json!({"immediate": true}), once()))
        .await;
    let of = |key: &str| json!({"achievements": {"of": [key]}});
    world
        .incentive(input("on-birth", Value::Null, of("birth"), once()))
        .await;
    world
        .incentive(input("on-order", Value::Null, of("order"), once()))
        .await;
    world
        .incentive(input("on-both", Value::Null, of("on-birth"), once()))
        .await;
    let query = "{ program(key: \"wellbeing\") { incentives { key sensitive } } }";
    let data = world.admin().data(query, json!({})).await;
    let expected = [
        ("birth", true),
        ("on-birth", true),
        ("on-both", true),
        ("on-order", false),
        ("order", false),
    ]
    .map(|(key, sensitive)| json!({"key": key, "sensitive": sensitive}));
    assert_eq!(data["program"]["incentives"], json!(expected));
}
