//! No input makes the rules panic: definitions, schemas, progress and properties as nobody would write them.

use chrono::NaiveDate;
use jobs::rules::definition::Definition;
use jobs::rules::{Incentive, Occurrence, evaluate, progress};
use proptest::prelude::*;
use proptest::sample::select;
use rust_decimal::prelude::ToPrimitive;
use serde_json::{Map, Number, Value, json};

use super::cases;

/// Any JSON, made of words that mean something to the rules.
fn any_json() -> impl Strategy<Value = Value> {
    let words = select(vec![
        "",
        "a",
        "immediate",
        "once",
        "unlimited",
        "DAY",
        "WEEK",
        "QUARTER",
        "EVER",
        "EQ",
        "GT",
        "IN",
        "EXISTS",
        "CONTAINS",
        "properties.a",
        "properties.a.b",
        "member.attributes.a",
        "properties..",
        "2026-11-21",
        "-262143-01-01",
        "+262142-12-31",
        "string",
        "integer",
        "array",
        "object",
        "#",
        "#/properties/a",
        "#/$defs/a",
        "\u{10ffff}",
    ]);
    let names = select(vec![
        "trigger",
        "structure",
        "limit",
        "eventType",
        "where",
        "path",
        "op",
        "value",
        "streak",
        "length",
        "period",
        "perPeriod",
        "atMost",
        "oncePer",
        "e",
        "n",
        "w",
        "h",
        "s",
        "p",
        "r",
        "t",
        "l",
        "0",
        "739000",
        "2147483647",
        "-2147483648",
        "a",
        "b",
        "type",
        "properties",
        "additionalProperties",
        "items",
        "enum",
        "$ref",
        "$defs",
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any_number().prop_map(Value::Number),
        words.prop_map(|word| json!(word)),
    ];
    leaf.prop_recursive(4, 32, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::Array),
            prop::collection::vec((names.clone(), inner), 0..5).prop_map(|pairs| pairs
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect::<Map<_, _>>()
                .into()),
        ]
    })
}

fn any_number() -> impl Strategy<Value = Number> {
    prop_oneof![
        select(vec![
            0,
            1,
            -1,
            5,
            739_000,
            i64::from(i32::MAX),
            i64::from(i32::MIN),
            i64::from(u32::MAX),
            i64::MIN
        ])
        .prop_map(Number::from),
        any::<u64>().prop_map(Number::from),
        any::<f64>().prop_filter_map("no number of JSON", Number::from_f64),
    ]
}

/// A sound value with any value in place of one of its parts.
fn broken(sound: impl Strategy<Value = Value>) -> impl Strategy<Value = Value> {
    (sound, any::<prop::sample::Index>(), any_json()).prop_map(|(mut value, place, other)| {
        let mut places = Vec::new();
        collect_places(&value, String::new(), &mut places);
        if let Some(part) = value.pointer_mut(place.get::<String>(&places)) {
            *part = other;
        }
        value
    })
}

fn collect_places(value: &Value, here: String, places: &mut Vec<String>) {
    match value {
        Value::Array(items) => items
            .iter()
            .enumerate()
            .for_each(|(at, item)| collect_places(item, format!("{here}/{at}"), places)),
        Value::Object(fields) => fields
            .iter()
            .for_each(|(name, field)| collect_places(field, format!("{here}/{name}"), places)),
        _ => {}
    }
    places.push(here);
}

fn sound_definition() -> impl Strategy<Value = Value> {
    let condition = |path: &str, op: &str, value: Value| json!({ "path": path, "op": op, "value": value });
    let structures = select(vec![
        json!("immediate"),
        json!({ "streak": { "length": 2, "period": "DAY", "perPeriod": 1 } }),
        json!({ "streak": { "length": 1000, "period": "MONTH", "perPeriod": 100 } }),
        json!({ "streak": { "length": 1, "period": "WEEK", "perPeriod": 2 } }),
    ]);
    let limits = select(vec![
        json!("once"),
        json!("unlimited"),
        json!({ "atMost": 3 }),
        json!({ "oncePer": "WEEK" }),
        json!({ "oncePer": "EVER" }),
    ]);
    let conditions = prop::collection::vec(
        select(vec![
            condition("properties.a", "EQ", json!(5)),
            condition("properties.a.b", "IN", json!(["a", 0.5])),
            condition("properties.a", "GTE", json!(1.5)),
            condition("properties.a", "CONTAINS", json!("a")),
            condition("member.attributes.a", "EXISTS", json!(false)),
        ]),
        0..3,
    );
    (structures, limits, conditions).prop_map(|(structure, limit, conditions)| {
        json!({ "trigger": { "eventType": "a", "where": conditions }, "structure": structure, "limit": limit })
    })
}

fn sound_progress() -> impl Strategy<Value = Value> {
    select(vec![
        json!({ "e": { "n": 3 } }),
        json!({ "e": { "n": 2, "w": ["2026-11-09", "2026-11-16"] }, "h": "2026-11-14", "s": { "l": "2026-11-21" } }),
        json!({ "e": {}, "h": "2026-11-14", "s": { "p": "DAY", "r": [[739_940, 3], [739_945, 1]], "l": "2026-11-21" } }),
        json!({ "e": {}, "s": { "p": "WEEK", "r": [[105_706, 1]], "t": { "105706": [[0, 1], [5, 1]] }, "l": "2026-11-21" } }),
        json!({ "e": {}, "s": { "p": "MONTH", "r": [[24_320, 3]], "t": { "24322": [[30, 100]] }, "l": null } }),
    ])
}

fn any_day() -> impl Strategy<Value = NaiveDate> {
    let near = (739_930..739_960).prop_filter_map("a date", NaiveDate::from_num_days_from_ce_opt);
    prop_oneof![8 => near, 1 => Just(NaiveDate::MIN), 1 => Just(NaiveDate::MAX)]
}

proptest! {
    #![proptest_config(cases(1_500))]

    #[test]
    fn no_definition_and_no_schema_is_too_strange(
        stored in prop_oneof![any_json().boxed(), broken(sound_definition()).boxed(), broken(broken(sound_definition())).boxed()],
        schema in any_json(),
        properties in any_json(),
    ) {
        if let Ok(definition) = Definition::parse(&stored) {
            let faults = definition.check(&|_| Some(schema.clone()));
            prop_assert!(faults.iter().all(|fault| !fault.path.is_empty() && !fault.message.is_empty()));
            let compiled = Incentive::compile(&definition);
            prop_assert!(compiled.is_ok() || !faults.is_empty(), "what does not compile does not pass the check");
            if let Ok(incentive) = compiled {
                incentive.matches("a", &properties, &schema);
            }
        }
        prop_assert_eq!(Incentive::parse(&stored).is_ok(), Definition::parse(&stored).is_ok_and(|it| Incentive::compile(&it).is_ok()));
    }

    #[test]
    fn no_progress_and_no_event_is_too_strange(
        definition in sound_definition(),
        stored in prop_oneof![any_json().boxed(), sound_progress().boxed(), broken(sound_progress()).boxed(), broken(broken(sound_progress())).boxed()],
        days in prop::collection::vec(any_day(), 0..4),
        properties in any_json(),
        (horizon, today) in (any_day(), any_day()),
    ) {
        let incentive = Incentive::parse(&definition).expect("a definition");
        let of_day = |day: &NaiveDate| Occurrence { event_type: "a", day: *day, occurred_at: Default::default(), properties: &properties };
        let occurrences: Vec<_> = days.iter().map(of_day).collect();
        let text = stored.to_string();
        let view = progress(&incentive, Some(&text), today);
        if let Ok(evaluation) = evaluate(&incentive, Some(&text), &properties, &occurrences, horizon)
            && view.is_ok()
        {
            // What is written can be read, and what could be read stays readable.
            prop_assert!(progress(&incentive, Some(&evaluation.progress), today).is_ok());
            prop_assert!(evaluation.too_late.iter().all(|place| *place < days.len()));
        }
    }

    #[test]
    fn half_numbers_are_ordered_by_size_in_any_spelling(left in -6..6_i64, right in -6..6_i64, shift in select(vec![0, 1 << 40])) {
        // Halves are exact as floats, and whole ones can be spelt as integers.
        let spellings = |halves: i64| {
            let float = json!(halves.to_f64().expect("a small number") / 2.0);
            if halves % 2 == 0 { vec![json!(halves / 2), float] } else { vec![float] }
        };
        let (left, right) = (left + shift, right + shift);
        for value in spellings(left) {
            for bound in spellings(right) {
                for (op, expected) in [
                    ("EQ", left == right), ("NE", left != right), ("GT", left > right), ("GTE", left >= right),
                    ("LT", left < right), ("LTE", left <= right),
                ] {
                    let stored = json!({
                        "trigger": { "eventType": "a", "where": [{ "path": "properties.a", "op": op, "value": bound }] },
                        "structure": "immediate",
                    });
                    let incentive = Incentive::parse(&stored).expect("a definition");
                    prop_assert_eq!(incentive.matches("a", &json!({ "a": value }), &Value::Null), expected, "{} {} {}", value, op, bound);
                }
            }
        }
    }
}
