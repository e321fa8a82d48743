use serde_json::json;

use super::*;

fn holds(test: Test, value: Value) -> bool {
    let condition = Condition {
        subject: Subject::Properties,
        path: vec!["it".to_owned()],
        test,
    };
    condition.holds(&json!({ "it": value }), &Value::Null)
}

/// One test of every operator, none of which can fail on a value that is there.
fn every_test() -> Vec<Test> {
    let five = || json!(5);
    vec![
        Test::Equal(five()),
        Test::NotEqual(five()),
        Test::Greater(five()),
        Test::GreaterOrEqual(five()),
        Test::Less(five()),
        Test::LessOrEqual(five()),
        Test::In(vec![five()]),
        Test::NotIn(vec![five()]),
        Test::Exists(true),
        Test::Contains(five()),
    ]
}

#[test]
fn a_missing_value_satisfies_only_does_not_exist() {
    for properties in [
        json!({}),
        json!({ "it": null }),
        json!({ "it": { "is": 1 } }),
        json!({ "it": { "is": { "deep": null } } }),
        json!([]),
        json!(null),
        json!("it.is.deep"),
    ] {
        let holds = |test| {
            let path = ["it", "is", "deep"].map(str::to_owned).to_vec();
            Condition {
                subject: Subject::Properties,
                path,
                test,
            }
            .holds(&properties, &Value::Null)
        };
        for test in every_test() {
            assert!(!holds(test.clone()), "{test:?} {properties}");
        }
        assert!(holds(Test::Exists(false)), "{properties}");
    }
    assert!(!holds(Test::Exists(false), json!(false)));
    assert!(holds(Test::Exists(true), json!("")));
}

#[test]
fn numbers_are_compared_exactly() {
    for (left, right, expected) in [
        (json!(5), json!(5.0), Ordering::Equal),
        (json!(0.1), json!(0.1), Ordering::Equal),
        (json!(-0.0), json!(0), Ordering::Equal),
        (
            json!(9_007_199_254_740_993_i64),
            json!(9_007_199_254_740_992.0),
            Ordering::Greater,
        ),
        (
            json!(9_007_199_254_740_993_i64),
            json!(9_007_199_254_740_994.0),
            Ordering::Less,
        ),
        (json!(u64::MAX), json!(i64::MAX), Ordering::Greater),
        (
            json!(u64::MAX),
            json!(18_446_744_073_709_551_616.0),
            Ordering::Less,
        ),
        (json!(i64::MIN), json!(-1e300), Ordering::Greater),
        (json!(1), json!(1e300), Ordering::Less),
        (json!(2), json!(2.5), Ordering::Less),
        (json!(-2), json!(-2.5), Ordering::Greater),
        (json!(0), json!(-0.5), Ordering::Greater),
        (json!(0), json!(5e-324), Ordering::Less),
    ] {
        assert_eq!(order(&left, &right), Some(expected), "{left} {right}");
        assert_eq!(order(&right, &left), Some(expected.reverse()), "{right} {left}");
        assert_eq!(equal(&left, &right), expected.is_eq(), "{left} {right}");
    }
}

#[test]
fn the_bounds_belong_to_the_operators_that_say_so() {
    for (value, greater, at_least, less, at_most) in [
        (4, false, false, true, true),
        (5, false, true, false, true),
        (6, true, true, false, false),
    ] {
        assert_eq!(holds(Test::Greater(json!(5)), json!(value)), greater);
        assert_eq!(holds(Test::GreaterOrEqual(json!(5)), json!(value)), at_least);
        assert_eq!(holds(Test::Less(json!(5)), json!(value)), less);
        assert_eq!(holds(Test::LessOrEqual(json!(5)), json!(value)), at_most);
    }
}

#[test]
fn texts_are_ordered_by_code_point() {
    assert!(holds(Test::Less(json!("b")), json!("B")));
    assert!(holds(Test::Greater(json!("2026-11-20")), json!("2026-11-21")));
    assert!(holds(Test::Greater(json!("\u{ffff}")), json!("\u{10000}")));
    assert!(holds(Test::Less(json!("é")), json!("z")));
}

#[test]
fn nothing_is_converted() {
    for (value, other) in [
        (json!("5"), json!(5)),
        (json!(true), json!("true")),
        (json!(1), json!(true)),
        (json!([5]), json!(5)),
        (json!({}), json!("{}")),
    ] {
        assert!(
            !holds(Test::Equal(other.clone()), value.clone()),
            "{value} {other}"
        );
        assert!(
            holds(Test::NotEqual(other.clone()), value.clone()),
            "{value} {other}"
        );
        assert!(
            holds(Test::NotIn(vec![other.clone()]), value.clone()),
            "{value} {other}"
        );
        for test in [
            Test::Greater(other.clone()),
            Test::GreaterOrEqual(other.clone()),
            Test::Less(other.clone()),
            Test::LessOrEqual(other.clone()),
        ] {
            assert!(!holds(test, value.clone()), "{value} {other}");
        }
    }
}

#[test]
fn a_value_is_in_a_list_by_value() {
    assert!(holds(Test::In(vec![json!("a"), json!(2)]), json!(2.0)));
    assert!(!holds(Test::In(vec![json!("a"), json!(2)]), json!("b")));
    assert!(!holds(Test::NotIn(vec![json!("a"), json!(2)]), json!(2.0)));
}

#[test]
fn a_list_contains_its_items_and_a_text_its_parts() {
    assert!(holds(Test::Contains(json!(2)), json!([1, 2.0])));
    assert!(!holds(Test::Contains(json!(2)), json!(["2", [2]])));
    assert!(holds(Test::Contains(json!("log")), json!("catalogue")));
    assert!(!holds(Test::Contains(json!("Log")), json!("catalogue")));
    assert!(!holds(Test::Contains(json!(2)), json!("12")));
    assert!(!holds(Test::Contains(json!("a")), json!({ "a": 1 })));
}

#[test]
fn a_trigger_needs_its_type_and_all_of_its_conditions() {
    let condition = |subject, path: &str, test| Condition {
        subject,
        path: vec![path.to_owned()],
        test,
    };
    let trigger = Trigger {
        event_type: "order.completed".to_owned(),
        conditions: vec![
            condition(Subject::Properties, "total", Test::GreaterOrEqual(json!(1000))),
            condition(Subject::Attributes, "plan", Test::In(vec![json!("gold")])),
        ],
    };
    let gold = json!({ "plan": "gold" });
    assert!(trigger.matches("order.completed", &json!({ "total": 1000 }), &gold));
    assert!(!trigger.matches("order.refunded", &json!({ "total": 1000 }), &gold));
    assert!(!trigger.matches("order.completed", &json!({ "total": 999 }), &gold));
    assert!(!trigger.matches(
        "order.completed",
        &json!({ "total": 1000 }),
        &json!({ "plan": "basic" })
    ));
    // A property cannot stand in for an attribute.
    assert!(!trigger.matches(
        "order.completed",
        &json!({ "total": 1000, "plan": "gold" }),
        &json!({})
    ));
}
