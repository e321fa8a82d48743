use serde_json::json;

use super::*;
use crate::rules::calendar::Period;

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

/// The only incentives there are.
fn exists(key: &str) -> bool {
    ["first", "second"].contains(&key)
}

/// What `check` finds wrong with a structure, where `trigger` is its trigger.
fn structure_faults(trigger: &Value, structure: &Value, limit: Value) -> Vec<String> {
    let mut stored = json!({ "structure": structure, "limit": limit });
    if !trigger.is_null() {
        stored["trigger"] = trigger.clone();
    }
    paths(&definition(stored).check(&order_schema, &exists))
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
    paths(&definition(stored).check(&order_schema, &exists))
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
        json!({
            "trigger": { "eventType": "a" },
            "structure": { "streak": { "length": 4, "period": "DAY", "perPeriod": 1, "freezes": 2 } },
            "limit": "once",
            "unless": [{ "eventType": "b", "where": [{ "path": "properties.c", "op": "EXISTS", "value": true }] }],
        }),
        json!({ "trigger": { "eventType": "a" }, "structure": { "count": { "times": 4, "window": "MONTH" } }, "limit": "once" }),
        json!({
            "trigger": { "eventType": "a" },
            "structure": { "total": { "property": "items.count", "atLeast": "12.50", "window": "EVER" } },
            "limit": "once",
        }),
        json!({
            "structure": { "sequence": { "steps": [{ "eventType": "a" }, { "eventType": "b" }], "within": 3_600 } },
            "limit": "once",
        }),
        json!({ "structure": { "achievements": { "of": ["first", "second"], "atLeast": 1 } }, "limit": "once" }),
        json!({ "structure": { "achievements": { "of": ["first", "second"] } }, "limit": "once" }),
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
        freezes: 0,
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
        json!({ "structure": { "streak": { "length": 5, "grace": 1 } } }),
        json!({ "structure": { "total": { "property": "total", "atLeast": 12.5 } } }),
        json!({ "structure": { "total": { "property": "total", "atLeast": "a lot" } } }),
        json!({ "structure": { "sequence": { "steps": [], "within": "P7D" } } }),
        json!({ "structure": { "streak": { "length": 5e9 } } }),
        json!({ "structure": "immediate", "limit": { "oncePer": "DECADE" } }),
        json!({ "structure": "immediate", "unless": {} }),
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
        paths(&definition(stored).check(&order_schema, &exists))
    };
    assert_eq!(check("order.completed"), [""; 0]);
    assert_eq!(check("order.complete"), ["trigger.eventType"]);
    assert_eq!(check(""), ["trigger.eventType"]);
    assert_eq!(
        paths(&definition(json!({ "structure": "immediate" })).check(&order_schema, &exists)),
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
    assert_eq!(definition(stored).check(&order_schema, &exists), []);
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
        let faults = definition(stored).check(&|_| Some(schema.clone()), &exists);
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

#[test]
fn paths_and_texts_have_a_length_that_somebody_can_need() {
    let with = |path: &str, value: Value| {
        let condition = json!({ "path": path, "op": "IN", "value": [value] });
        let trigger = json!({ "eventType": "meditation.completed", "where": [condition] });
        paths(
            &definition(json!({ "trigger": trigger, "structure": "immediate" }))
                .check(&order_schema, &exists),
        )
    };
    let long =
        |names: usize, length: usize| format!("properties.{}", vec!["x".repeat(length); names].join("."));
    assert_eq!(with(&long(1, 64), json!("x".repeat(1_000))), [""; 0]);
    assert_eq!(with(&long(8, 31), json!(1)), [""; 0]);
    assert_eq!(with(&long(1, 65), json!(1)), ["trigger.where.0.path"]);
    assert_eq!(with(&long(1, 1_024), json!(1)), ["trigger.where.0.path"]);
    assert_eq!(with(&long(8, 32), json!(1)), ["trigger.where.0.path"]);
    assert_eq!(with(&long(9, 1), json!(1)), ["trigger.where.0.path"]);
    assert_eq!(
        with("member.attributes.a", json!("x".repeat(1_001))),
        ["trigger.where.0.value"]
    );
}

#[test]
fn a_definition_is_no_place_for_data() {
    let with = |values: usize| {
        let condition = json!({ "path": "properties.a", "op": "IN", "value": vec!["x".repeat(900); values] });
        let trigger = json!({ "eventType": "meditation.completed", "where": [condition] });
        definition(json!({ "trigger": trigger, "structure": "immediate" })).check(&order_schema, &exists)
    };
    assert_eq!(with(70), []);
    let faults = with(75);
    assert_eq!(paths(&faults), [""]);
    assert!(faults[0].message.contains("64 KiB"), "{faults:?}");
}

#[test]
fn every_structure_has_its_bounds() {
    let order = json!({ "eventType": "order.completed" });
    let step = |event_type: &str| json!({ "eventType": event_type });
    let steps = |count: usize| json!({ "sequence": { "steps": vec![order.clone(); count], "within": 60 } });
    let within = |seconds: i64| json!({ "sequence": { "steps": [order, step("meditation.completed")], "within": seconds } });
    let total =
        |property: &str, at_least: &str| json!({ "total": { "property": property, "atLeast": at_least } });
    let freezes = |length: i32, freezes: i32| json!({ "streak": { "length": length, "freezes": freezes } });
    for (trigger, structure, expected) in [
        (&order, freezes(32, 31), vec![]),
        (&order, freezes(1, 0), vec![]),
        (&order, freezes(40, 32), vec!["structure.streak.freezes"]),
        (&order, freezes(5, 5), vec!["structure.streak.freezes"]),
        (&order, freezes(5, -1), vec!["structure.streak.freezes"]),
        (&order, json!({ "count": { "times": 1_000_000 } }), vec![]),
        (
            &order,
            json!({ "count": { "times": 0 } }),
            vec!["structure.count.times"],
        ),
        (
            &order,
            json!({ "count": { "times": 1_000_001 } }),
            vec!["structure.count.times"],
        ),
        (&Value::Null, json!({ "count": { "times": 1 } }), vec!["trigger"]),
        (&order, total("total", "999999999999999.999999"), vec![]),
        (&order, total("total", "0.000001000"), vec![]),
        (&order, total("items.count", "1"), vec![]),
        (&order, total("order", "1"), vec![]),
        (&order, total("discount", "1"), vec![]),
        (&order, total("extra.whatever", "1"), vec![]),
        (&order, total("total", "0"), vec!["structure.total.atLeast"]),
        (&order, total("total", "-1"), vec!["structure.total.atLeast"]),
        (
            &order,
            total("total", "0.0000001"),
            vec!["structure.total.atLeast"],
        ),
        (
            &order,
            total("total", "1000000000000000"),
            vec!["structure.total.atLeast"],
        ),
        (&order, total("totl", "1"), vec!["structure.total.property"]),
        (&order, total("gift", "1"), vec!["structure.total.property"]),
        (&order, total("items", "1"), vec!["structure.total.property"]),
        (&order, total("", "1"), vec!["structure.total.property"]),
        (
            &order,
            total("properties.total", "1"),
            vec!["structure.total.property", "structure.total.property"],
        ),
        (
            &step("meditation.completed"),
            total("properties.total", "1"),
            vec!["structure.total.property"],
        ),
        (
            &step("meditation.completed"),
            total(&"x".repeat(1_024), "1"),
            vec!["structure.total.property"],
        ),
        (&Value::Null, steps(2), vec![]),
        (&Value::Null, steps(20), vec![]),
        (&Value::Null, steps(0), vec!["structure.sequence.steps"]),
        (&Value::Null, steps(1), vec!["structure.sequence.steps"]),
        (&Value::Null, steps(21), vec!["structure.sequence.steps"]),
        (&Value::Null, steps(1_000), vec!["structure.sequence.steps"]),
        (&order, steps(2), vec!["trigger"]),
        (&Value::Null, within(1), vec![]),
        (&Value::Null, within(400 * 86_400), vec![]),
        (&Value::Null, within(0), vec!["structure.sequence.within"]),
        (
            &Value::Null,
            within(400 * 86_400 + 1),
            vec!["structure.sequence.within"],
        ),
        (
            &Value::Null,
            json!({ "achievements": { "of": ["first", "second"] } }),
            vec![],
        ),
        (
            &Value::Null,
            json!({ "achievements": { "of": ["first"], "atLeast": 1 } }),
            vec![],
        ),
        (
            &order,
            json!({ "achievements": { "of": ["first"] } }),
            vec!["trigger"],
        ),
        (
            &Value::Null,
            json!({ "achievements": { "of": [] } }),
            vec!["structure.achievements.of"],
        ),
        (
            &Value::Null,
            json!({ "achievements": { "of": ["first", "first"] } }),
            vec!["structure.achievements.of.1"],
        ),
        (
            &Value::Null,
            json!({ "achievements": { "of": ["first", "third"] } }),
            vec!["structure.achievements.of.1"],
        ),
        (
            &Value::Null,
            json!({ "achievements": { "of": ["first"], "atLeast": 2 } }),
            vec!["structure.achievements.atLeast"],
        ),
        (
            &Value::Null,
            json!({ "achievements": { "of": ["first"], "atLeast": 0 } }),
            vec!["structure.achievements.atLeast"],
        ),
    ] {
        let found = structure_faults(trigger, &structure, json!("once"));
        assert_eq!(found, expected, "{structure}");
    }
    let many: Vec<String> = (0..101).map(|number| format!("i{number}")).collect();
    let stored = json!({ "structure": { "achievements": { "of": many } } });
    let faults = paths(&definition(stored).check(&order_schema, &|_| true));
    assert_eq!(faults, ["structure.achievements.of"]);
}

#[test]
fn steps_and_unless_are_checked_against_their_own_event_types() {
    let order = |path: &str| json!({ "eventType": "order.completed", "where": [{ "path": path, "op": "EXISTS", "value": true }] });
    let stored = json!({
        "structure": { "sequence": { "steps": [{ "eventType": "no.such" }, order("properties.totl")], "within": 60 } },
        "unless": [{ "eventType": "meditation.complete" }, order("properties.total"), order("properties.gifts")],
    });
    let mut found = paths(&definition(stored).check(&order_schema, &exists));
    found.sort_unstable();
    let expected = [
        "structure.sequence.steps.0.eventType",
        "structure.sequence.steps.1.where.0.path",
        "unless.0.eventType",
        "unless.2.where.0.path",
    ];
    assert_eq!(found, expected);
    let stored = json!({
        "trigger": { "eventType": "order.completed" }, "structure": "immediate", "unless": vec![order("properties.total"); 21],
    });
    assert_eq!(
        paths(&definition(stored).check(&order_schema, &exists)),
        ["unless"]
    );
}

#[test]
fn an_event_can_be_several_steps_only_where_there_is_one_award() {
    let order = |total: i32| json!({ "eventType": "order.completed", "where": [{ "path": "properties.total", "op": "GTE", "value": total }] });
    let rest = json!({ "eventType": "meditation.completed" });
    let sequence = |steps: &[&Value]| json!({ "sequence": { "steps": steps, "within": 60 } });
    let apart = sequence(&[&order(1), &rest, &order(1)]);
    let different = sequence(&[&order(1), &order(2)]);
    let same = sequence(&[&order(1), &order(1), &order(1), &rest, &rest]);
    for limit in [
        json!("once"),
        json!({ "atMost": 1 }),
        json!({ "oncePer": "EVER" }),
        json!({ "oncePer": "PROGRAM" }),
    ] {
        for structure in [&apart, &different, &same] {
            assert_eq!(
                structure_faults(&Value::Null, structure, limit.clone()),
                [""; 0],
                "{structure}"
            );
        }
    }
    for limit in [
        json!("unlimited"),
        json!({ "atMost": 2 }),
        json!({ "oncePer": "WEEK" }),
    ] {
        let faults = |structure: &Value| structure_faults(&Value::Null, structure, limit.clone());
        assert_eq!(faults(&apart), ["structure.sequence.steps.2.eventType"]);
        assert_eq!(faults(&different), ["structure.sequence.steps.1.eventType"]);
        assert_eq!(faults(&same), [""; 0]);
    }
}

#[test]
fn progress_is_kept_where_it_means_the_same() {
    let order = json!({ "eventType": "order.completed" });
    let with = |structure: Value| definition(json!({ "trigger": order, "structure": structure }));
    let streak = |length: i32, period: &str| {
        with(json!({ "streak": { "length": length, "period": period, "freezes": 1 } }))
    };
    let count = |times: i32, window: &str| with(json!({ "count": { "times": times, "window": window } }));
    let total = |property: &str, window: &str| {
        with(json!({ "total": { "property": property, "atLeast": "5", "window": window } }))
    };
    let sequence =
        |steps: usize| with(json!({ "sequence": { "steps": vec![order.clone(); steps], "within": 60 } }));
    let achievements = |keys: &[&str]| with(json!({ "achievements": { "of": keys } }));
    for (old, new) in [
        (with(json!("immediate")), with(json!("immediate"))),
        (streak(5, "DAY"), streak(7, "DAY")),
        (count(5, "WEEK"), count(6, "WEEK")),
        (total("total", "EVER"), total("total", "EVER")),
        (sequence(3), sequence(3)),
        (achievements(&["first"]), achievements(&["second"])),
    ] {
        assert_eq!(keeps_progress(&old, &new), Ok(()), "{old:?}");
    }
    for (old, new) in [
        (with(json!("immediate")), count(1, "EVER")),
        (streak(5, "DAY"), streak(5, "WEEK")),
        (count(5, "WEEK"), count(5, "MONTH")),
        (total("total", "EVER"), total("total", "YEAR")),
        (total("total", "EVER"), total("discount", "EVER")),
        (sequence(3), sequence(2)),
        (sequence(3), achievements(&["first"])),
    ] {
        let refused = keeps_progress(&old, &new).expect_err("not the same");
        assert!(
            refused.starts_with("progress can be kept only where"),
            "{refused}"
        );
    }
}
