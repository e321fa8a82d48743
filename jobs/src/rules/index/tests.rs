use proptest::prelude::*;
use proptest::sample::select;
use serde_json::json;

use super::super::condition::Trigger;
use super::*;

fn on(subject: Subject, path: &[&str], test: Test) -> Condition {
    Condition {
        subject,
        path: path.iter().map(|name| (*name).to_owned()).collect(),
        test,
    }
}

fn of_it(test: Test) -> Condition {
    on(Subject::Properties, &["it"], test)
}

fn index(patterns: &[Vec<Condition>]) -> Patterns {
    let placed: Vec<_> = patterns.iter().map(Vec::as_slice).enumerate().collect();
    Patterns::new(&placed)
}

/// Which of these tests a value is a candidate for.
fn found(tests: &[Test], value: &Value) -> Vec<usize> {
    let patterns: Vec<_> = tests.iter().map(|test| vec![of_it(test.clone())]).collect();
    index(&patterns).candidates(&json!({ "it": value }), &Value::Null)
}

fn rule(definition: Value) -> Incentive {
    Incentive::parse(&definition).expect("a definition")
}

fn at_least(minutes: i64) -> Value {
    let condition = json!({ "path": "properties.minutes", "op": "GTE", "value": minutes });
    json!({ "eventType": "meditation.completed", "where": [condition] })
}

#[test]
fn a_thousand_incentives_that_ask_for_more_are_not_looked_at() {
    let rules: Vec<_> = [vec![60; 500], vec![12], (61..561).collect()]
        .concat()
        .into_iter()
        .map(|minutes| rule(json!({ "trigger": at_least(minutes), "structure": "immediate" })))
        .collect();
    let index = Index::new(rules.iter().enumerate(), []);
    let found =
        |event_type, minutes| index.candidates(event_type, &json!({ "minutes": minutes }), &json!({}));
    assert_eq!(rules.len(), 1_001);
    assert_eq!(found("meditation.completed", 11), [0; 0]);
    assert_eq!(found("meditation.completed", 12), [500]);
    assert_eq!(found("meditation.completed", 60).len(), 501);
    assert_eq!(found("meditation.completed", 61).len(), 502);
    assert_eq!(found("order.completed", 61), [0; 0]);
}

#[test]
fn a_number_is_found_by_its_size_however_it_is_written() {
    let tests = [
        Test::Equal(json!(5)),
        Test::Equal(json!(5.0)),
        Test::Equal(json!("5")),
        Test::Equal(json!(5.5)),
    ];
    assert_eq!(found(&tests, &json!(5)), [0, 1]);
    assert_eq!(found(&tests, &json!(5.0)), [0, 1]);
    assert_eq!(found(&tests, &json!("5")), [2]);
    assert_eq!(found(&tests, &json!(5.5)), [3]);
    assert_eq!(found(&[Test::Equal(json!(0))], &json!(-0.0)), [0]);
}

#[test]
fn large_integers_are_told_apart() {
    let tests = [
        Test::Equal(json!(9_007_199_254_740_992_i64)),
        Test::Equal(json!(9_007_199_254_740_993_i64)),
        Test::Equal(json!(9_007_199_254_740_992.0)),
        Test::Equal(json!(u64::MAX)),
        Test::Equal(json!(i64::MIN)),
        Test::Equal(json!(18_446_744_073_709_551_616.0)),
        Test::GreaterOrEqual(json!(9_007_199_254_740_993_i64)),
    ];
    assert_eq!(found(&tests, &json!(9_007_199_254_740_992_i64)), [0, 2]);
    assert_eq!(found(&tests, &json!(9_007_199_254_740_993_i64)), [1, 6]);
    assert_eq!(found(&tests, &json!(u64::MAX)), [3, 6]);
    assert_eq!(found(&tests, &json!(18_446_744_073_709_551_616.0)), [5, 6]);
    assert_eq!(found(&tests, &json!(i64::MIN)), [4]);
}

#[test]
fn bounds_are_compared_with_values_of_their_own_type_alone() {
    let tests = [
        Test::GreaterOrEqual(json!("2026-11-20")),
        Test::LessOrEqual(json!("2026-11-20")),
        Test::GreaterOrEqual(json!(5)),
        Test::LessOrEqual(json!(5)),
        Test::Greater(json!(5)),
        Test::Less(json!(5)),
    ];
    assert_eq!(found(&tests, &json!("2026-11-19")), [1]);
    assert_eq!(found(&tests, &json!("2026-11-20")), [0, 1]);
    assert_eq!(found(&tests, &json!("2026-11-21")), [0]);
    assert_eq!(found(&tests, &json!(4)), [3, 5]);
    // More than what matches: the rule has the last word.
    assert_eq!(found(&tests, &json!(5.0)), [2, 3, 4, 5]);
    assert_eq!(found(&tests, &json!(5.1)), [2, 4]);
    for other in [json!(true), json!([5]), json!({}), json!(null)] {
        assert_eq!(found(&tests, &other), [0; 0], "{other}");
    }
}

#[test]
fn a_list_is_found_by_each_of_its_values_and_only_once() {
    let tests = [
        Test::In(vec![json!("a"), json!(2), json!(2.0), json!(true)]),
        Test::In(vec![json!("b")]),
        Test::Equal(json!(true)),
    ];
    assert_eq!(found(&tests, &json!("a")), [0]);
    assert_eq!(found(&tests, &json!(2)), [0]);
    assert_eq!(found(&tests, &json!(true)), [0, 2]);
    assert_eq!(found(&tests, &json!("b")), [1]);
    assert_eq!(found(&tests, &json!(false)), [0; 0]);
}

#[test]
fn what_asks_for_nothing_that_is_sorted_is_found_by_every_event() {
    let patterns = [
        vec![of_it(Test::Exists(false))],
        vec![of_it(Test::NotEqual(json!(5)))],
        vec![of_it(Test::NotIn(vec![json!(5)]))],
        vec![of_it(Test::Contains(json!(5)))],
        vec![of_it(Test::Equal(json!([5])))],
        vec![],
        vec![of_it(Test::Equal(json!(5)))],
    ];
    let index = index(&patterns);
    for properties in [
        json!({}),
        json!({ "it": null }),
        json!({ "it": 6 }),
        json!(null),
        json!([{ "it": 5 }]),
    ] {
        let found = index.candidates(&properties, &json!({ "it": 5 }));
        assert_eq!(found, [0, 1, 2, 3, 4, 5], "{properties}");
    }
    assert_eq!(index.candidates(&json!({ "it": 5 }), &json!({})).len(), 7);
}

#[test]
fn a_value_is_looked_for_where_the_condition_says() {
    let five = || Test::Equal(json!(5));
    let patterns = [
        vec![on(Subject::Properties, &["it"], five())],
        vec![on(Subject::Attributes, &["it"], five())],
        vec![on(Subject::Properties, &["it", "is"], five())],
        vec![on(Subject::Properties, &["it.is"], five())],
    ];
    let index = index(&patterns);
    let nothing = json!({});
    assert_eq!(index.candidates(&json!({ "it": 5 }), &nothing), [0]);
    assert_eq!(index.candidates(&nothing, &json!({ "it": 5 })), [1]);
    assert_eq!(index.candidates(&json!({ "it": { "is": 5 } }), &nothing), [2]);
    assert_eq!(index.candidates(&json!({ "it.is": 5 }), &nothing), [3]);
}

#[test]
fn of_several_conditions_the_one_that_tells_most_patterns_apart_is_looked_up() {
    let lesson = |number: i64| {
        vec![
            on(Subject::Properties, &["minutes"], Test::GreaterOrEqual(json!(1))),
            on(Subject::Properties, &["kind"], Test::Equal(json!("lesson"))),
            on(
                Subject::Properties,
                &["lesson"],
                Test::In(vec![json!(number), json!(-number)]),
            ),
        ]
    };
    let lessons: Vec<_> = (0..1_000).map(lesson).collect();
    let done = |lesson: i64| json!({ "minutes": 12, "kind": "lesson", "lesson": lesson });
    assert_eq!(index(&lessons).candidates(&done(7), &json!({})), [7]);
    assert_eq!(index(&lessons).candidates(&done(1_007), &json!({})), [0; 0]);
}

#[test]
fn an_incentive_is_found_by_whatever_of_any_version_an_event_may_match() {
    let is = |event_type: &str, value: &str| {
        let condition = json!({ "path": "properties.is", "op": "EQ", "value": value });
        json!({ "eventType": event_type, "where": [condition] })
    };
    let steps = [is("visit", "first"), is("visit", "second"), is("call", "first")];
    let versions = [
        (
            0,
            rule(json!({ "trigger": is("visit", "old"), "structure": "immediate" })),
        ),
        (
            0,
            rule(json!({ "trigger": is("visit", "new"), "structure": "immediate" })),
        ),
        (
            1,
            rule(json!({ "structure": { "sequence": { "steps": steps, "within": 604_800 } } })),
        ),
        (
            2,
            rule(json!({
                "trigger": is("visit", "new"),
                "unless": [is("visit", "bad"), is("call", "bad")],
                "structure": "immediate",
            })),
        ),
    ];
    let rules = versions.iter().map(|(place, rule)| (*place, rule));
    let index = Index::new(rules, [(3, "visit"), (0, "call")]);
    let found = |event_type, is: &str| index.candidates(event_type, &json!({ "is": is }), &json!({}));
    assert_eq!(found("visit", "old"), [0, 3]);
    assert_eq!(found("visit", "new"), [0, 2, 3]);
    assert_eq!(found("visit", "first"), [1, 3]);
    assert_eq!(found("visit", "second"), [1, 3]);
    assert_eq!(found("visit", "bad"), [2, 3]);
    assert_eq!(found("visit", "other"), [3]);
    assert_eq!(found("call", "first"), [0, 1]);
    assert_eq!(found("call", "bad"), [0, 2]);
    assert_eq!(found("order", "new"), [0; 0]);
}

/// Values that are easily mistaken for one another, or cannot be sorted.
fn value() -> impl Strategy<Value = Value> {
    select(vec![
        json!(5),
        json!(5.0),
        json!(5.5),
        json!("5"),
        json!(0),
        json!(-0.0),
        json!(-1),
        json!(9_007_199_254_740_992_i64),
        json!(9_007_199_254_740_993_i64),
        json!(9_007_199_254_740_992.0),
        json!(i64::MIN),
        json!(u64::MAX),
        json!(18_446_744_073_709_551_616.0),
        json!(-1e300),
        json!(1e300),
        json!(""),
        json!("a"),
        json!("é"),
        json!("\u{ffff}"),
        json!("\u{10000}"),
        json!(true),
        json!(false),
        json!(null),
        json!([5]),
        json!({ "b": "a" }),
    ])
}

fn scalar() -> impl Strategy<Value = Value> {
    value().prop_filter("a scalar", |value| rank(value).is_some())
}

fn sorted_test() -> impl Strategy<Value = Test> {
    let bound = || scalar().prop_filter("a bound", |value| !value.is_boolean());
    prop_oneof![
        scalar().prop_map(Test::Equal),
        proptest::collection::vec(scalar(), 1..4).prop_map(Test::In),
        bound().prop_map(Test::GreaterOrEqual),
        bound().prop_map(Test::LessOrEqual),
    ]
}

fn any_test() -> impl Strategy<Value = Test> {
    prop_oneof![
        4 => sorted_test(),
        1 => value().prop_map(Test::Equal),
        1 => value().prop_map(Test::NotEqual),
        1 => value().prop_map(Test::Greater),
        1 => value().prop_map(Test::Less),
        1 => proptest::collection::vec(value(), 0..4).prop_map(Test::In),
        1 => proptest::collection::vec(value(), 0..4).prop_map(Test::NotIn),
        1 => any::<bool>().prop_map(Test::Exists),
        1 => value().prop_map(Test::Contains),
    ]
}

fn condition(test: impl Strategy<Value = Test>) -> impl Strategy<Value = Condition> {
    let subject = select(vec![Subject::Properties, Subject::Attributes]);
    let path = select(vec![vec!["a"], vec!["b"], vec!["a", "b"]]);
    (subject, path, test).prop_map(|(subject, path, test)| on(subject, &path, test))
}

/// What an event or a member says about itself.
fn facts() -> impl Strategy<Value = Value> {
    let inner = prop_oneof![value(), value().prop_map(|value| json!({ "b": value }))];
    let fact = (select(vec!["a", "b"]), inner);
    proptest::collection::vec(fact, 0..4).prop_map(|facts| {
        facts
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect()
    })
}

fn matches(conditions: &[Condition], properties: &Value, attributes: &Value) -> bool {
    let trigger = Trigger {
        event_type: String::new(),
        conditions: conditions.to_vec(),
    };
    trigger.matches("", properties, attributes)
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(2_000)
    })]

    #[test]
    fn whatever_matches_is_found(
        patterns in proptest::collection::vec(proptest::collection::vec(condition(any_test()), 0..4), 1..30),
        properties in facts(),
        attributes in facts(),
    ) {
        let found = index(&patterns).candidates(&properties, &attributes);
        prop_assert!(found.is_sorted_by(|left, right| left < right));
        for (place, conditions) in patterns.iter().enumerate() {
            prop_assert!(
                found.contains(&place) || !matches(conditions, &properties, &attributes),
                "{:?} is not found", conditions
            );
        }
    }

    #[test]
    fn of_patterns_with_one_sorted_condition_exactly_those_that_match_are_found(
        patterns in proptest::collection::vec(condition(sorted_test()), 1..30),
        properties in facts(),
        attributes in facts(),
    ) {
        let patterns: Vec<_> = patterns.into_iter().map(|condition| vec![condition]).collect();
        let expected: Vec<usize> = patterns.iter()
            .enumerate()
            .filter(|(_, conditions)| matches(conditions, &properties, &attributes))
            .map(|(place, _)| place)
            .collect();
        prop_assert_eq!(index(&patterns).candidates(&properties, &attributes), expected);
    }
}
