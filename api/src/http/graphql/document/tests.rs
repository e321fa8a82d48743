use serde_json::json;

use super::*;

fn limits() -> Limits {
    Limits::of(false)
}

fn parsed(document: &str) -> ExecutableDocument {
    parse(document, &limits()).expect("parses")
}

fn refused(document: &str) -> Refusal {
    parse(document, &limits()).expect_err("must be refused")
}

fn too_much(document: &str) -> &'static str {
    match refused(document) {
        Refusal::TooMuch { what, .. } => what,
        other => panic!("{other:?}"),
    }
}

fn accepted(document: &str) {
    if let Err(refusal) = parse(document, &limits()) {
        panic!("{refusal}: {document:.200}");
    }
}

/// `width` spreads of the next fragment in each of `count` fragments.
fn bomb(count: usize, width: usize) -> String {
    let mut document = "{ ...F0 }".to_owned();
    for at in 0..count {
        let spreads = format!(" ...F{}", at + 1).repeat(width);
        document.push_str(&format!(" fragment F{at} on Query {{{spreads} }}"));
    }
    document.push_str(&format!(" fragment F{count} on Query {{ a }}"));
    document
}

#[test]
fn ordinary_documents_pass() {
    for document in [
        "{ __typename }",
        "{ a }",
        "query Q($a: [Int!]! = [1]) @d { a(b: $a) { ...F } } fragment F on T { c }",
        "mutation { a: x b: x }",
        "subscription { feed(after: \"x\") { position } }",
        "query A { a } query B { b }",
        "{ ...A ...B } fragment A on Q { node { id } x } fragment B on Q { node { id } x }",
        "{ __type(name: \"T\") { name } }",
        "{ missing { ...Fragment } }",
    ] {
        accepted(document);
    }
}

#[test]
fn a_fragment_bomb_is_refused_without_being_expanded() {
    // The first is the 648-byte family of the field notes; expanded, the second would be 10^30 selections.
    for (count, width) in [(7, 10), (30, 10), (12, 60)] {
        let document = bomb(count, width);
        assert!(document.len() < 64 * 1024);
        assert_eq!(
            too_much(&document),
            "selections in a document, fragments expanded",
            "{count} fragments of {width}"
        );
    }
}

#[test]
fn a_bomb_that_no_operation_uses_is_refused_too() {
    let document = bomb(7, 10).replace("{ ...F0 }", "{ a }");
    assert_eq!(
        too_much(&document),
        "selections in a document, fragments expanded"
    );
}

#[test]
fn a_bomb_of_inline_fragments_or_operations_is_refused() {
    let mut document = "fragment F on Q {".to_owned();
    document.push_str(&" a".repeat(300));
    document.push('}');
    for at in 0..10 {
        document.push_str(&format!(" query Q{at} {{ ... on Q {{ ...F }} }}"));
    }
    assert_eq!(
        too_much(&document),
        "selections in a document, fragments expanded"
    );
}

#[test]
fn a_fragment_that_spreads_itself_is_refused() {
    for document in [
        "{ ...A } fragment A on Q { ...A }",
        "{ a } fragment A on Q { x { ...B } } fragment B on Q { ... on Q { ...A } }",
        "{ ...A } fragment A on Q { ...B ...B } fragment B on Q { ...C ...C } fragment C on Q { ...A ...A }",
    ] {
        let refusal = refused(document);
        assert!(matches!(refusal, Refusal::Cycle(_)), "{refusal:?}");
        assert_eq!(refusal.code(), Code::BadUserInput);
    }
}

#[test]
fn nesting_that_would_cost_the_parser_its_stack_is_refused_before_it_is_parsed() {
    for (open, close) in [("{a", "}"), ("[", "]"), ("{a:", "}"), ("a(b:[", "])"), ("(", ")")] {
        let deep = format!("{{ a(b: {}1{}) }}", open.repeat(9_000), close.repeat(9_000));
        let cut: String = deep.chars().take(64 * 1024).collect();
        let refusal = refused(&cut);
        assert_eq!(refusal.code(), Code::QueryTooComplex, "{open}: {refusal}");
    }
    // Few tokens, and still too deep.
    let deep = format!("query ($a: {}Int{}) {{ a }}", "[".repeat(41), "]".repeat(41));
    assert_eq!(too_much(&deep), "brackets within brackets");
    let deep = format!("{{ a(b: {}{}) }}", "[".repeat(38), "]".repeat(38));
    accepted(&deep);
}

#[test]
fn brackets_in_strings_and_comments_are_not_nesting() {
    let brackets = "{[(".repeat(1_000);
    accepted(&format!(
        "{{ a(b: \"{brackets}\", c: \"\"\"{brackets}\"\"\") # {brackets}\n }}"
    ));
}

#[test]
fn each_limit_lets_its_number_pass_and_refuses_one_more() {
    fn fields(count: usize) -> String {
        format!("{{{}}}", " a".repeat(count))
    }
    fn nested(depth: usize) -> String {
        format!("{}{}", "{a".repeat(depth), "}".repeat(depth))
    }
    fn nested_inline(depth: usize) -> String {
        format!("{{{}a{}}}", "...{".repeat(depth - 1), "}".repeat(depth - 1))
    }
    fn aliases(count: usize) -> String {
        let aliases: String = (0..count).map(|at| format!(" x{at}: a")).collect();
        format!("{{{aliases}}}")
    }
    fn repeats(count: usize) -> String {
        format!("{{{}}}", " a { b }".repeat(count + 1))
    }
    fn directives(count: usize) -> String {
        format!("{{ a {} }}", " @d".repeat(count))
    }
    fn many_directives(count: usize) -> String {
        format!("{{{}}}", " a @d".repeat(count))
    }
    fn bytes(count: usize) -> String {
        format!("{{a}}{}", " ".repeat(count - 3))
    }
    type Maker = fn(usize) -> String;
    let cases: [(&str, Maker, usize); 8] = [
        ("bytes in a document", bytes, 64 * 1024),
        ("tokens in a document", |count| fields(count - 2), 2_000),
        ("fields within fields", nested, 10),
        ("selection sets within selection sets", nested_inline, 32),
        ("aliases and repeated fields in a document", aliases, 15),
        ("aliases and repeated fields in a document", repeats, 15),
        ("directives in one place", directives, 5),
        ("directives in a document", many_directives, 50),
    ];
    for (what, make, limit) in cases {
        accepted(&make(limit));
        let refusal = refused(&make(limit + 1));
        assert_eq!(refusal, Refusal::TooMuch { what, limit });
        assert_eq!(refusal.code(), Code::QueryTooComplex);
    }
}

#[test]
fn depth_and_levels_are_counted_through_fragments() {
    let chain = |length: usize, body: &str| {
        let mut document = "{ ...F0 }".to_owned();
        for at in 0..length {
            let inner = body.replace('@', &format!("...F{}", at + 1));
            document.push_str(&format!(" fragment F{at} on Q {{ {inner} }}"));
        }
        document.push_str(&format!(" fragment F{length} on Q {{ a }}"));
        document
    };
    accepted(&chain(9, "a { @ }"));
    assert_eq!(too_much(&chain(10, "a { @ }")), "fields within fields");
    accepted(&chain(20, "@"));
    assert_eq!(too_much(&chain(200, "@")), "selection sets within selection sets");
}

#[test]
fn fields_repeated_through_fragments_count_as_aliases_do() {
    let mut document = "{".to_owned();
    for at in 0..20 {
        document.push_str(&format!(" ...F{at}"));
    }
    document.push('}');
    for at in 0..20 {
        document.push_str(&format!(" fragment F{at} on Q {{ list(first: 100) {{ id }} }}"));
    }
    assert_eq!(too_much(&document), "aliases and repeated fields in a document");
}

#[test]
fn introspection_is_refused_anywhere_and_allowed_to_a_developer() {
    let full = "query IntrospectionQuery { __schema { types { fields { args { type { ofType { ofType { \
                ofType { ofType { ofType { ofType { ofType { name } } } } } } } } } } } } }";
    for document in [
        "{ __schema { queryType { name } } }",
        "{ x: __schema { __typename } }",
        "{ ...F } fragment F on Query { ... on Query { __schema { __typename } } }",
        "query A { a } query B { __schema { __typename } }",
        full,
    ] {
        assert_eq!(refused(document), Refusal::Introspection, "{document}");
        parse(document, &Limits::of(true)).expect(document);
    }
}

#[test]
fn a_mutation_runs_once_or_not_at_all() {
    for document in [
        "mutation { add(n: 1) add(n: 1) }",
        "mutation { a: add a: add }",
        "mutation { ...F ... { add } } fragment F on Mutation { add }",
        "mutation { ...F ...F } fragment F on Mutation { add }",
    ] {
        let refusal = refused(document);
        assert!(matches!(refusal, Refusal::RepeatedMutation(_)), "{refusal}");
    }
    accepted("mutation { __typename __typename a: add b: add }");
}

#[test]
fn a_subscription_selects_one_field() {
    for document in [
        "subscription { a b }",
        "subscription { a a }",
        "subscription { ...F } fragment F on Subscription { a }",
        "subscription { ... { a } }",
    ] {
        assert_eq!(refused(document), Refusal::SubscriptionRoot, "{document}");
    }
}

#[test]
fn a_syntax_error_says_where_and_does_not_draw_the_document() {
    let long = format!("{{ a(b: \"{}\") ", "y".repeat(10_000));
    for (document, line, column) in [
        ("{", 1, 2),
        ("{ a\n  b( }", 2, 6),
        ("", 1, 1),
        ("{ 8f31 }", 1, 3),
        ("{ a(b: \"x) }", 1, 8),
        (&long, 1, 10_012),
    ] {
        let refusal = refused(document);
        assert_eq!(refusal.code(), Code::BadUserInput);
        let positions = refusal.positions();
        assert_eq!(
            (positions[0].line, positions[0].column),
            (line, column),
            "{document:.50}"
        );
        assert!(refusal.to_string().len() < 300, "{refusal:.1000}");
    }
}

#[test]
fn a_variable_that_must_have_a_value_is_missed_before_anything_runs() {
    let document = parsed("query($a: Int!, $b: Int! = 1, $c: Int, $d: [Int!]!) { a }");
    let operation = operation(&document, None).expect("the only one");
    let missing = |json| require_variables(operation, &Variables::from_json(json));
    assert_eq!(missing(json!({ "a": 1, "d": [] })), Ok(()));
    assert_eq!(
        missing(json!({ "a": "wrong", "d": 7 })),
        Ok(()),
        "types are the library's to check"
    );
    for (given, name) in [
        (json!({}), "a"),
        (json!({ "a": null, "d": [] }), "a"),
        (json!({ "a": 1 }), "d"),
        (json!({ "a": 1, "d": [], "b": null }), "b"),
    ] {
        let refusal = missing(given).expect_err(name);
        assert!(matches!(&refusal, Refusal::MissingVariable { name: found, .. } if found == name));
        assert_eq!(refusal.code(), Code::BadUserInput);
    }
}

#[test]
fn the_operation_meant_is_found_or_it_is_said_why_not() {
    let anonymous = parsed("{ a }");
    let one = parsed("mutation M { a }");
    let two = parsed("query Q { a } mutation M { a }");
    let kind = |document, name| operation(document, name).map(|operation| operation.ty);
    assert_eq!(kind(&anonymous, None), Ok(OperationType::Query));
    assert_eq!(kind(&one, None), Ok(OperationType::Mutation));
    assert_eq!(kind(&two, Some("M")), Ok(OperationType::Mutation));
    assert_eq!(kind(&two, None), Err(Refusal::OperationNameNeeded));
    for (document, name) in [(&anonymous, "M"), (&one, "Q"), (&two, "")] {
        assert_eq!(
            kind(document, Some(name)),
            Err(Refusal::UnknownOperation(name.to_owned()))
        );
    }
}

proptest::proptest! {
    #[test]
    fn any_text_is_judged_and_what_is_wrong_lies_within_it(document in "[\\PC\\n]{0,200}") {
        let positions = parse(&document, &limits()).map_or_else(|refusal| refusal.positions(), |_| Vec::new());
        for position in positions {
            proptest::prop_assert!(position.line <= document.matches('\n').count() + 1);
            proptest::prop_assert!(position.column <= document.chars().count() + 1);
        }
    }

    #[test]
    fn what_the_parser_takes_is_no_syntax_error_to_the_guard(
        tokens in proptest::collection::vec(
            proptest::sample::select(vec![
                "{", "}", "(", ")", "[", "]", ":", "=", "!", "$", "@", "...", "on", "a", "F", "fragment", "query",
                "mutation", "subscription", "1", "-1.5", "\"x\"", "\"\"\"y\"\"\"", "#c\n", "true", "null", "&", "|", ",",
            ]),
            0..60,
        )
    ) {
        let document = tokens.join(" ");
        let refused = matches!(parse(&document, &limits()), Err(Refusal::Syntax { .. }));
        proptest::prop_assert_eq!(refused, parse_query(&document).is_err());
    }
}
