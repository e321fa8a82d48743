//! No input makes the rules panic: definitions, schemas, progress and properties as nobody would write them.

use chrono::{DateTime, NaiveDate};
use jobs::rules::definition::Definition;
use jobs::rules::{
    Change, Completion, Edition, Evidence, Incentive, Occurrence, Terms, completions, evaluate, explain,
    progress, tidy,
};
use proptest::prelude::*;
use proptest::sample::select;
use rust_decimal::Decimal;
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
        "unless",
        "structure",
        "count",
        "total",
        "sequence",
        "achievements",
        "times",
        "window",
        "property",
        "atLeast",
        "steps",
        "within",
        "of",
        "freezes",
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
        "b",
        "c",
        "d",
        "i",
        "k",
        "o",
        "u",
        "v",
        "x",
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
    let steps = json!([{ "eventType": "a" }, { "eventType": "b", "where": [condition("properties.a", "EQ", json!(5))] }]);
    let structures = select(vec![
        json!("immediate"),
        json!({ "streak": { "length": 2, "period": "DAY", "perPeriod": 1 } }),
        json!({ "streak": { "length": 1000, "period": "MONTH", "perPeriod": 100 } }),
        json!({ "streak": { "length": 3, "period": "WEEK", "perPeriod": 2, "freezes": 2 } }),
        json!({ "streak": { "length": 40, "period": "DAY", "freezes": 31 } }),
        json!({ "count": { "times": 3, "window": "WEEK" } }),
        json!({ "count": { "times": 1_000_000, "window": "EVER" } }),
        json!({ "total": { "property": "a", "atLeast": "0.000001", "window": "EVER" } }),
        json!({ "total": { "property": "a.b", "atLeast": "999999999999999", "window": "DAY" } }),
        json!({ "sequence": { "steps": steps, "within": 1 } }),
        json!({ "sequence": { "steps": steps, "within": 400 * 86_400 } }),
        json!({ "achievements": { "of": ["a", "b"], "atLeast": 1 } }),
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
    (structures, limits, conditions, any::<bool>()).prop_map(|(structure, limit, conditions, stops)| {
        let has_no_trigger = structure
            .get("sequence")
            .or(structure.get("achievements"))
            .is_some();
        let mut stored = json!({ "structure": structure, "limit": limit });
        if !has_no_trigger {
            stored["trigger"] = json!({ "eventType": "a", "where": conditions });
        }
        if stops {
            stored["unless"] = json!([{ "eventType": "c" }]);
        }
        stored
    })
}

fn sound_progress() -> impl Strategy<Value = Value> {
    let states = select(vec![
        json!({}),
        json!({ "b": { "2026-11-16": "2" }, "d": { "2026-11-20": "1.5", "2026-11-21": "3" }, "l": "2026-11-18" }),
        json!({ "b": { "2026-11-16": "2" }, "d": "2026-11-16 1.5 0*3 3*2", "l": "2026-11-18" }),
        json!({ "d": "2026-11-20 1*9999 79228162514264337593543950335" }),
        json!({ "d": { "2026-11-20": "79228162514264337593543950335" } }),
        json!({ "p": "DAY", "r": [[739_940, 3], [739_945, 1]], "t": { "739945": [[0, 3]] }, "c": [739_900, 739_939] }),
        json!({ "p": "DAY", "r": [[739_000, 100_000]] }),
        json!({ "p": "WEEK", "r": [[105_706, 1]], "t": { "105706": [[0, 1], [5, 1]] }, "l": "2026-11-21" }),
        json!({ "p": "MONTH", "r": [[24_320, 3]], "t": { "24322": [[30, 4_294_967_295_u32]] } }),
        json!({ "n": 2, "e": [[1_795_000_000_000_000_i64, "2026-11-18", 1, 4_990], [1_795_000_000_000_001_i64, "2026-11-18", 3, 9]] }),
        json!({ "2026-11-20": 4 }),
    ]);
    let most = json!(u32::MAX);
    let earned = select(vec![
        json!({}),
        json!({ "n": 3 }),
        json!({ "n": most }),
        json!({ "n": 2, "p": 2, "w": ["2026-11-09"] }),
        json!({ "n": 7, "p": 6, "w": ["2026-11-02*2", "2026-11-09", "2026-11-11"] }),
    ]);
    let epoch = (states, any::<bool>()).prop_map(|(state, is_edited)| {
        if is_edited {
            json!({ "b": 1, "v": 2, "k": u64::MAX, "o": 3, "h": "2026-11-14", "s": state })
        } else {
            json!({ "s": state, "o": 4_000_000_000_u64, "w": ["2026-11-16"] })
        }
    });
    (earned, prop::collection::vec(epoch, 0..3), any::<bool>()).prop_map(|(earned, mut epochs, is_short)| {
        if let Some(second) = epochs.get_mut(1) {
            second["b"] = json!(2);
            second["v"] = json!(2);
        }
        if is_short {
            json!({ "e": earned, "x": epochs })
        } else {
            json!({ "e": earned, "u": 1_795_000_000_000_000_i64, "b": u64::MAX, "i": 2, "x": epochs })
        }
    })
}

fn any_evidence() -> impl Strategy<Value = Evidence> {
    let amounts = select(vec![
        Decimal::ONE,
        Decimal::ZERO,
        Decimal::NEGATIVE_ONE,
        Decimal::MAX,
        Decimal::MIN,
        Decimal::new(1, 28),
    ]);
    let instants = select(vec![
        0,
        1_795_000_000,
        1_795_086_400,
        -8_334_601_228_800,
        8_210_266_876_799,
    ]);
    (any_day(), instants, amounts, any::<u32>(), any::<bool>()).prop_map(
        |(day, instant, amount, steps, stops)| {
            let occurred_at = DateTime::from_timestamp(instant, 0).expect("an instant");
            Evidence {
                day,
                occurred_at,
                amount,
                steps: steps % 5,
                stops,
            }
        },
    )
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
            let faults = definition.check(&|_| Some(schema.clone()), &|_| true);
            prop_assert!(faults.iter().all(|fault| !fault.path.is_empty() && !fault.message.is_empty()));
            let compiled = Incentive::compile(&definition);
            prop_assert!(compiled.is_ok() || !faults.is_empty(), "what does not compile does not pass the check");
            if let Ok(incentive) = compiled {
                let occurrence =
                    Occurrence { event_type: "a", day: NaiveDate::MAX, occurred_at: Default::default(), properties: &properties };
                let evidence = incentive.evidence(&occurrence, &schema);
                prop_assert!(evidence.is_ok_and(|it| it.is_none_or(|it| it.amount > Decimal::ZERO)) || incentive.of().is_empty());
            }
        }
        prop_assert_eq!(Incentive::parse(&stored).is_ok(), Definition::parse(&stored).is_ok_and(|it| Incentive::compile(&it).is_ok()));
    }

    #[test]
    fn no_progress_and_no_change_is_too_strange(
        definitions in (sound_definition(), sound_definition()),
        stored in prop_oneof![
            any_json().boxed(), sound_progress().boxed(), broken(sound_progress()).boxed(), broken(broken(sound_progress())).boxed()
        ],
        added in prop::collection::vec(any_evidence(), 0..4),
        removed in prop::collection::vec(any_evidence(), 0..4),
        (horizon, today) in (any_day(), any_day()),
        (version, restarts, revocable, allowance) in (1..4, any::<bool>(), any::<bool>(), prop::option::of(0..3_u32)),
    ) {
        let rules = [&definitions.0, &definitions.1].map(|stored| Incentive::parse(stored).expect("a definition"));
        let edition = |number: i32, rule| Edition {
            number,
            restarts: restarts && number > 1,
            effective_from: DateTime::from_timestamp(1_795_000_000, 0),
            rule: Some(rule),
        };
        let editions = [edition(1, &rules[0]), edition(2, &rules[1])];
        let text = stored.to_string();
        let began = std::time::Instant::now();
        let view = progress(&editions, version, Some(&text), today);
        let change = Change { added: &added, removed: &removed, stopped_from: None };
        let terms = Terms { horizon, revocable, allowance };
        if let Ok(evaluation) = evaluate(&editions, version, Some(&text), &change, terms) {
            // What is written can be read, and what could be read stays readable.
            let can_be = |evidence: &Evidence| evidence.amount > Decimal::ZERO && (1..4).contains(&evidence.steps);
            prop_assert!(view.is_ok() || evaluation.is_settled);
            prop_assert!(!added.iter().all(can_be) || progress(&editions, version, Some(&evaluation.progress), today).is_ok());
            prop_assert!(evaluation.too_late.iter().all(|place| *place < added.len()));
            prop_assert!(evaluation.missing.iter().all(|place| *place < removed.len()));
            for award in evaluation.awards.iter().take(5) {
                let grounds = explain(&editions, version, Some(&evaluation.progress), &added, award.completion);
                prop_assert!(grounds.is_ok_and(|grounds| grounds.places.iter().all(|place| *place < added.len())) || !added.iter().all(can_be));
            }
        }
        let strange = Completion { day: today, nth: u64::MAX };
        let _: Option<_> = explain(&editions, version, Some(&text), &added, strange).ok();
        let _: Option<_> = completions(&editions, version, Some(&text)).ok();
        let _: Option<_> = tidy(&editions, version, &text, horizon).ok();
        prop_assert!(began.elapsed() < std::time::Duration::from_secs(5), "{} takes {:?}", text, began.elapsed());
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
                    let properties = json!({ "a": value });
                    let occurrence =
                        Occurrence { event_type: "a", day: NaiveDate::MAX, occurred_at: Default::default(), properties: &properties };
                    let counts = incentive.evidence(&occurrence, &Value::Null).is_ok_and(|evidence| evidence.is_some());
                    prop_assert_eq!(counts, expected, "{} {} {}", value, op, bound);
                }
            }
        }
    }
}
