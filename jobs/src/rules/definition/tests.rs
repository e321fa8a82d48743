use serde_json::json;

use super::*;

fn definition(stored: Value) -> Definition {
    Definition::parse(&stored).expect("a definition")
}

fn streak(length: i32, per_period: i32) -> Value {
    json!({ "trigger": { "eventType": "health_data.logged" }, "structure": { "streak": { "length": length, "perPeriod": per_period } } })
}

/// The paths of the faults, joined by dots.
fn paths(faults: &[DefinitionFault]) -> Vec<String> {
    faults.iter().map(|fault| fault.path.join(".")).collect()
}

fn faults_of(stored: Value) -> Vec<String> {
    paths(&Incentive::compile(&definition(stored)).err().unwrap_or_default())
}

fn order_schema(event_type: &str) -> Option<Value> {
    let schema = json!({
        "type": "object",
        "properties": {
            "order": { "type": "string" },
            "total": { "$ref": "#/$defs/cents" },
            "discount": { "type": ["number", "null"] },
            "gift": { "type": "boolean" },
            "tags": { "type": "array", "items": { "type": "string" } },
            "channel": { "enum": ["web", "shop"] },
            "items": { "type": "object", "properties": { "count": { "type": "integer" } } },
            "extra": { "type": "object" },
            "either": { "anyOf": [{ "type": "string" }, { "type": "integer" }] },
            "circle": { "$ref": "#/properties/circle" },
        },
        "$defs": { "cents": { "type": "integer", "minimum": 0 } },
    });
    match event_type {
        "order.completed" => Some(schema),
        "meditation.completed" => Some(Value::Null),
        _ => None,
    }
}

/// What `check` finds wrong with one condition on an order.
fn condition_faults(path: &str, op: &str, value: Value) -> Vec<String> {
    let condition = json!({ "path": path, "op": op, "value": value });
    let stored = json!({ "trigger": { "eventType": "order.completed", "where": [condition] }, "structure": "immediate" });
    paths(&definition(stored).check(&order_schema))
}

#[test]
fn the_stored_form_reads_as_it_was_written() {
    for stored in [
        json!({ "trigger": { "eventType": "birth.reported" }, "structure": "immediate", "limit": "once" }),
        json!({
            "trigger": { "eventType": "order.completed", "where": [{ "path": "properties.total", "op": "NOT_IN", "value": [1, "a"] }] },
            "structure": { "streak": { "length": 4, "period": "WEEK", "perPeriod": 2 } },
            "limit": { "oncePer": "QUARTER" },
        }),
        json!({ "trigger": { "eventType": "birth.reported" }, "structure": "immediate", "limit": { "atMost": 3 } }),
        json!({ "trigger": { "eventType": "birth.reported" }, "structure": "immediate", "limit": "unlimited" }),
    ] {
        let read = definition(stored.clone());
        assert_eq!(serde_json::to_value(&read).expect("JSON"), stored);
        assert!(Incentive::parse(&stored).is_ok());
    }
}

#[test]
fn what_is_left_out_has_a_default() {
    let read =
        definition(json!({ "trigger": { "eventType": "a" }, "structure": { "streak": { "length": 5 } } }));
    let streak = StreakDefinition {
        length: 5,
        period: Period::Day,
        per_period: 1,
    };
    assert_eq!(read.structure, StructureDefinition::Streak(streak));
    assert_eq!(read.limit, LimitDefinition::Once);
}

#[test]
fn a_definition_from_a_newer_program_is_a_fault_and_not_half_a_definition() {
    for stored in [
        json!(null),
        json!({}),
        json!({ "structure": "perpetual" }),
        json!({ "structure": { "streak": { "length": 5, "freezes": 1 } } }),
        json!({ "structure": { "streak": { "length": 5e9 } } }),
        json!({ "structure": "immediate", "limit": { "oncePer": "DECADE" } }),
        json!({ "structure": "immediate", "unless": [] }),
        json!({ "structure": "immediate", "trigger": { "eventType": "a", "where": [{ "path": "properties.a", "op": "LIKE" }] } }),
    ] {
        let faults = Incentive::parse(&stored).expect_err("it cannot be read");
        assert_eq!(paths(&faults), [""], "{stored}");
    }
}

#[test]
fn numbers_have_a_range_and_every_fault_is_named() {
    assert_eq!(faults_of(streak(1, 1)), [""; 0]);
    assert_eq!(faults_of(streak(1_000, 100)), [""; 0]);
    assert_eq!(faults_of(streak(0, 1)), ["structure.streak.length"]);
    assert_eq!(faults_of(streak(1_001, 1)), ["structure.streak.length"]);
    assert_eq!(
        faults_of(streak(-5, 101)),
        ["structure.streak.length", "structure.streak.perPeriod"]
    );
    for (times, expected) in [
        (1, vec![]),
        (1_000_000, vec![]),
        (0, vec!["limit.atMost"]),
        (-1, vec!["limit.atMost"]),
    ] {
        let stored = json!({ "trigger": { "eventType": "a" }, "structure": "immediate", "limit": { "atMost": times } });
        assert_eq!(faults_of(stored), expected, "{times}");
    }
    let stored = json!({ "structure": { "streak": { "length": 0 } }, "limit": { "atMost": 0 } });
    assert_eq!(
        faults_of(stored),
        ["trigger", "structure.streak.length", "limit.atMost"]
    );
}

#[test]
fn a_trigger_needs_a_type_that_exists() {
    let check = |event_type: &str| {
        let stored = json!({ "trigger": { "eventType": event_type }, "structure": "immediate" });
        paths(&definition(stored).check(&order_schema))
    };
    assert_eq!(check("order.completed"), [""; 0]);
    assert_eq!(check("order.complete"), ["trigger.eventType"]);
    assert_eq!(check(""), ["trigger.eventType"]);
    assert_eq!(
        paths(&definition(json!({ "structure": "immediate" })).check(&order_schema)),
        ["trigger"]
    );
}

#[test]
fn a_path_says_whose_value_it_is_and_names_a_known_property() {
    for path in [
        "properties.total",
        "properties.items.count",
        "properties.extra.whatever",
        "member.attributes.plan",
        "properties.either.x",
        "properties.circle.x",
    ] {
        assert_eq!(condition_faults(path, "EXISTS", json!(true)), [""; 0], "{path}");
    }
    for path in [
        "total",
        "",
        "properties",
        "properties.",
        "properties..total",
        "member.plan",
        "member.attributes.",
        "properties.totel",
        "properties.items.counts",
        "properties.total.cents",
        "properties.a.b.c.d.e.f.g.h.i",
    ] {
        assert_eq!(
            condition_faults(path, "EXISTS", json!(true)),
            ["trigger.where.0.path"],
            "{path}"
        );
    }
}

#[test]
fn a_value_has_to_be_of_the_propertys_type() {
    for (path, op, value) in [
        ("properties.total", "EQ", json!(5)),
        ("properties.total", "GTE", json!(5.5)),
        ("properties.discount", "LT", json!(5)),
        ("properties.order", "GT", json!("A-100")),
        ("properties.gift", "NE", json!(true)),
        ("properties.channel", "IN", json!(["web", "app"])),
        ("properties.tags", "CONTAINS", json!("new")),
        ("properties.order", "CONTAINS", json!("A-")),
        ("properties.either", "EQ", json!(true)),
        ("properties.extra.whatever", "CONTAINS", json!(1)),
        ("member.attributes.plan", "NOT_IN", json!(["basic", 1, false])),
    ] {
        assert_eq!(
            condition_faults(path, op, value.clone()),
            [""; 0],
            "{path} {op} {value}"
        );
    }
    for (path, op, value) in [
        ("properties.total", "EQ", json!("5")),
        ("properties.total", "GT", json!("5")),
        ("properties.total", "GT", json!(true)),
        ("properties.total", "EQ", json!(null)),
        ("properties.total", "EQ", json!([5])),
        ("properties.total", "IN", json!(5)),
        ("properties.total", "IN", json!([])),
        ("properties.total", "NOT_IN", json!([5, "6"])),
        ("properties.total", "NOT_IN", json!([[5]])),
        ("properties.total", "EXISTS", json!("yes")),
        ("properties.total", "EXISTS", json!(null)),
        ("properties.total", "CONTAINS", json!(5)),
        ("properties.gift", "GT", json!(1)),
        ("properties.tags", "EQ", json!("new")),
        ("properties.tags", "CONTAINS", json!(5)),
        ("properties.order", "CONTAINS", json!(5)),
        ("properties.channel", "EQ", json!(1)),
        ("properties.items", "EQ", json!("a")),
        ("member.attributes.plan", "GT", json!(false)),
    ] {
        assert_eq!(
            condition_faults(path, op, value.clone()),
            ["trigger.where.0.value"],
            "{path} {op} {value}"
        );
    }
}

#[test]
fn an_event_type_without_a_schema_takes_any_condition() {
    let stored = json!({
        "trigger": { "eventType": "meditation.completed", "where": [{ "path": "properties.a.b", "op": "GT", "value": 1 }] },
        "structure": "immediate",
    });
    assert_eq!(definition(stored).check(&order_schema), []);
}

#[test]
fn a_schema_that_opens_itself_takes_other_properties() {
    for (schema, allowed) in [
        (json!({ "properties": { "a": {} } }), false),
        (
            json!({ "properties": { "a": {} }, "additionalProperties": true }),
            true,
        ),
        (
            json!({ "properties": { "a": {} }, "additionalProperties": { "type": "integer" } }),
            true,
        ),
        (
            json!({ "properties": { "a": {} }, "additionalProperties": { "type": "string" } }),
            false,
        ),
        (
            json!({ "properties": { "a": {} }, "additionalProperties": false }),
            false,
        ),
        (
            json!({ "properties": { "a": {} }, "patternProperties": { "^b": {} } }),
            true,
        ),
        (json!({ "properties": { "b": false } }), false),
        (json!({ "additionalProperties": false }), false),
        (json!({ "$ref": "elsewhere.json" }), true),
        (json!({}), true),
        (json!(true), true),
    ] {
        let stored = json!({
            "trigger": { "eventType": "a", "where": [{ "path": "properties.b", "op": "GT", "value": 1 }] },
            "structure": "immediate",
        });
        let faults = definition(stored).check(&|_| Some(schema.clone()));
        assert_eq!(faults.is_empty(), allowed, "{schema} {faults:?}");
    }
}

#[test]
fn conditions_and_their_lists_have_a_bound() {
    let with = |conditions: usize, values: usize| {
        let condition = json!({ "path": "properties.a", "op": "IN", "value": vec![1; values] });
        faults_of(
            json!({ "trigger": { "eventType": "a", "where": vec![condition; conditions] }, "structure": "immediate" }),
        )
    };
    assert_eq!(with(20, 1_000), [""; 0]);
    assert_eq!(with(21, 1), ["trigger.where"]);
    assert_eq!(with(1, 1_001), ["trigger.where.0.value"]);
}
