use serde_json::json;

use super::super::{Limits, operation, parse};
use super::*;

const SDL: &str = "
    type Query {
        name: String!
        person: Person
        people(first: Int, last: Int, after: String): People!
        feed(first: Int = 100): Feed!
        words: [Person!]!
        direct(first: Int): [Person!]!
        find(input: Find!): Int
    }
    type Mutation { record(input: Record!): Recorded! rename(name: String!): Recorded! }
    type Subscription { feed(after: String): Entry! }
    type Person { name: String! tags: [String!]! friends(first: Int): People! words: [Person!]! }
    type People { nodes: [Person!]! edges: [Edge!]! total: Int! }
    type Edge { cursor: String! node: Person! }
    type Feed { entries: [Entry!]! hasMore: Boolean! }
    type Entry { id: ID! person: Person }
    type Recorded { results: [Result!] person: Person userErrors: [Fault!]! }
    type Result { status: String! }
    type Fault { message: String! }
    input Record { events: [Event!]! }
    input Event { id: ID! tags: [String!] }
    input Find { names: [String!] }
";

fn shapes() -> Shapes {
    let pages = Pages { usual: 20, most: 100 };
    Shapes::read(SDL, pages).unwrap()
}

/// What an operation weighs.
fn weight(document: &str, variables: serde_json::Value) -> u64 {
    let (shapes, document) = (shapes(), parse(document, &Limits::of(false)).unwrap());
    let operation = operation(&document, None).unwrap();
    let variables = serde_json::from_value(variables).unwrap();
    let scale = Scale {
        shapes: &shapes,
        document: &document,
        operation,
        variables: &variables,
    };
    let units = shapes.units(&document, operation, &variables);
    let weight = scale.whole();
    assert_eq!(units, weight / WEIGHT_PER_UNIT);
    weight
}

#[test]
fn an_operation_weighs_what_it_may_bring() {
    for (document, expected) in [
        ("{ name }", 1),
        ("{ __typename name other: name }", 3),
        ("{ person { name tags } }", 3),
        // A page is as large as the request says, else as the schema says, else as usual; and never larger than a page may be.
        ("{ people(first: 3) { nodes { name } } }", 1 + 1 + 3),
        ("{ people(last: 3) { nodes { name } } }", 1 + 1 + 3),
        ("{ people { nodes { name } } }", 1 + 1 + 20),
        ("{ people(first: null) { nodes { name } } }", 1 + 1 + 20),
        ("{ people(first: 1000000) { nodes { name } } }", 1 + 1 + 100),
        ("{ people(first: -1) { nodes { name } } }", 1 + 1 + 20),
        ("{ people(first: 0) { nodes { name } } }", 1 + 1 + 1),
        ("{ feed { entries { id } hasMore } }", 1 + 1 + 100 + 1),
        ("{ feed(first: 5) { entries { id } hasMore } }", 1 + 1 + 5 + 1),
        ("{ direct(first: 7) { name } }", 1 + 7),
        // What stands once in a page costs once.
        (
            "{ people(first: 3) { total edges { cursor node { name } } } }",
            1 + 1 + 1 + 3 * 3,
        ),
        // Pages within pages.
        (
            "{ people(first: 50) { nodes { friends(first: 50) { nodes { name } } } } }",
            1 + 1 + 50 * (1 + 1 + 50),
        ),
        // Lists without pages.
        ("{ words { name } }", 1 + 10),
        ("{ words { words { name } } }", 1 + 10 * (1 + 10)),
        (
            "{ people(first: 2) { nodes { words { name } } } }",
            1 + 1 + 2 * (1 + 10),
        ),
        // Fragments, of whichever kind, weigh what they hold.
        ("{ ...F ...F } fragment F on Query { words { name } }", 22),
        (
            "{ people(first: 3) { ...F } } fragment F on People { nodes { ... on Person { name } } }",
            5,
        ),
        ("{ ... { words { name } } ... @include(if: true) { name } }", 12),
        // Handed over.
        ("{ find(input: {names: [\"a\", \"b\"]}) }", 1 + 2 * 10),
        // Writes: the results are paid for with what they are the results of.
        (
            "mutation { rename(name: \"a\") { userErrors { message } } }",
            10 + 1 + 2,
        ),
        (
            "mutation { record(input: {events: [{id: 1, tags: [1, 2, 3]}, {id: 2}]}) { results { status } } }",
            10 + 1 + 2 * 10 + 2,
        ),
        (
            "mutation { record(input: {events: []}) { person { words { name } } } }",
            10 + 1 + 1 + 1 + 10,
        ),
        (
            "mutation { ...M } fragment M on Mutation { rename(name: \"a\") { person { name } } }",
            13,
        ),
        ("subscription { feed { id person { name } } }", 4),
        // What the schema does not have is refused later.
        ("{ missing { nodes { name } ...None } }", 3),
    ] {
        assert_eq!(weight(document, json!({})), expected, "{document}");
    }
}

#[test]
fn variables_weigh_as_what_they_stand_for() {
    let page = "query($n: Int) { people(first: $n) { nodes { name } } }";
    assert_eq!(weight(page, json!({"n": 7})), 1 + 1 + 7);
    assert_eq!(weight(page, json!({"n": null})), 1 + 1 + 20);
    assert_eq!(weight(page, json!({"n": 1e300})), 1 + 1 + 20);
    assert_eq!(weight(page, json!({})), 1 + 1 + 20);
    let by_default = "query($n: Int = 4) { people(first: $n) { nodes { name } } }";
    assert_eq!(weight(by_default, json!({})), 1 + 1 + 4);
    let events: Vec<_> = (0..100).map(|id| json!({"id": id, "tags": [1, 2, 3]})).collect();
    let whole = "mutation($input: Record!) { record(input: $input) { results { status } } }";
    let part = "mutation($events: [Event!]!) { record(input: {events: $events}) { results { status } } }";
    assert_eq!(weight(whole, json!({"input": {"events": events}})), 1_000 + 13);
    assert_eq!(weight(part, json!({"events": events})), 1_000 + 13);
    assert_eq!(weight(whole, json!({"input": "nonsense"})), 13);
}

#[test]
fn the_operation_that_is_meant_is_paid_for_and_no_other() {
    let document = parse(
        "query A { name } query B { words { words { name } } }",
        &Limits::of(false),
    )
    .unwrap();
    let units = |name| {
        let operation = operation(&document, Some(name)).unwrap();
        shapes().units(&document, operation, &Variables::default())
    };
    assert_eq!((units("A"), units("B")), (0, 1));
}

#[test]
fn nothing_that_passes_the_limits_overflows() {
    let mut document = "name".to_owned();
    for _ in 0..9 {
        document = format!("words {{ {document} }}");
    }
    assert_eq!(weight(&format!("{{ {document} }}"), json!({})), 1_111_111_111);
    let deep = "{ people(first: 100) { nodes { friends(first: 100) { nodes { friends(first: 100) { nodes { \
                friends(first: 100) { nodes { name } } } } } } } } }";
    assert_eq!(weight(deep, json!({})), 102_020_202);
}
