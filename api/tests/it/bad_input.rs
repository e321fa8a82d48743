//! What is wrong gets a clear error, changes nothing and loses nothing.

use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::harness::{Answer, TestApp, World, event, streak_input};

on_both!(
    a_request_that_is_none_is_refused_as_a_whole,
    a_document_that_does_not_fit_the_schema_is_refused,
    odd_keys_and_dates_are_refused_with_their_path,
    a_token_wrong_in_any_way_gets_one_and_the_same_answer,
    odd_characters_find_nothing_and_break_nothing,
    what_was_queued_before_a_refusal_is_still_evaluated,
);

const RECORD: &str = "mutation($input: RecordEventsInput!) { recordEvents(input: $input) { results { status } userErrors { code } } }";

/// A world in which one event waits to be evaluated, so that something could be lost.
async fn world(app: &TestApp) -> World<'_> {
    let world = World::new(app).await;
    world
        .incentive(streak_input("first", 1, json!({"once": true})))
        .await;
    world.members(&["ada"]).await;
    let waiting = event("waiting", "ada", "2026-11-21T10:00:00Z");
    assert_eq!(world.backend().record([waiting.into()]).await, ["ACCEPTED"]);
    world
}

/// A message that a person can do something with, a code, and the request's id.
fn assert_clear(answer: &Answer, code: &str, what: &str) {
    assert_eq!(answer.code().as_deref(), Some(code), "{what}: {}", answer.text);
    let body = answer.json();
    let error = &body["errors"][0];
    assert!(!error["message"].as_str().unwrap().is_empty(), "{what}");
    assert!(
        !error["extensions"]["requestId"].as_str().unwrap().is_empty(),
        "{what}"
    );
    // Some values inside an input are only looked at when the field is executed: the answer is then one with errors.
    assert!(body["data"].is_null(), "{what}: {}", answer.text);
}

async fn a_request_that_is_none_is_refused_as_a_whole(app: &TestApp) {
    let world = world(app).await;
    let before = app.row_counts().await;
    let backend = world.backend();
    let large = json!({"query": RECORD, "variables": {"pad": "x".repeat(1_200_000)}}).to_string();
    for (what, body, status) in [
        ("no JSON", "{".to_owned(), 400),
        ("a list", "[]".to_owned(), 400),
        (
            "a batch",
            json!([{"query": "{ viewer { kind } }"}]).to_string(),
            400,
        ),
        ("no query", json!({"variables": {}}).to_string(), 400),
        ("a query that is a number", json!({"query": 7}).to_string(), 400),
        ("an empty query", json!({"query": ""}).to_string(), 400),
        ("no GraphQL", json!({"query": "SELECT 1"}).to_string(), 400),
        (
            "variables in a list",
            json!({"query": "{ viewer { kind } }", "variables": [1]}).to_string(),
            400,
        ),
        ("too large", large, 413),
    ] {
        let answer = backend.post_graphql(body).await;
        assert_eq!(answer.status, status, "{what}");
        assert_clear(&answer, "BAD_USER_INPUT", what);
    }
    assert_eq!(app.row_counts().await, before);
}

async fn a_document_that_does_not_fit_the_schema_is_refused(app: &TestApp) {
    let world = world(app).await;
    let before = app.row_counts().await;
    let backend = world.backend();
    let good = Value::from(event("new", "ada", "2026-11-21T10:00:00Z"));
    let with = |field: &str, value: Value| {
        let mut event = good.clone();
        event[field] = value;
        json!({"input": {"events": [event]}})
    };
    for (what, variables) in [
        ("an unknown field of an event", with("extra", json!(1))),
        ("a member that is a number", with("member", json!(7))),
        ("a type that is null", with("type", Value::Null)),
        (
            "an unknown field of the input",
            json!({"input": {"events": [good], "extra": 1}}),
        ),
        ("no events", json!({"input": {}})),
        ("no input", json!({})),
        ("an event that is a text", json!({"input": {"events": ["e1"]}})),
    ] {
        assert_clear(&backend.ask(RECORD, variables).await, "BAD_USER_INPUT", what);
    }
    for (what, document) in [
        ("an unknown field", "{ viewer { password } }"),
        ("an unknown argument", "{ member(name: \"ada\") { id } }"),
        ("an unknown mutation", "mutation { dropEverything }"),
        ("a missing argument", "{ member { id } }"),
        ("introspection", "{ __schema { types { name } } }"),
    ] {
        assert_clear(&backend.ask(document, json!({})).await, "BAD_USER_INPUT", what);
    }
    assert_eq!(app.row_counts().await, before);
}

async fn odd_keys_and_dates_are_refused_with_their_path(app: &TestApp) {
    let world = world(app).await;
    let before = app.row_counts().await;
    let (operator, admin) = (app.operator(), world.admin());
    let long = "x".repeat(64);
    let odd = [
        "",
        " ",
        "A",
        "Ünal",
        "a b",
        "a/b",
        "-a",
        ".a",
        "a\u{0}",
        "a'; DROP TABLE member; --",
        "🎉",
        long.as_str(),
    ];
    for key in odd {
        for (caller, mutation, selection) in [
            (&operator, "createEmployer", "employer { id }"),
            (&operator, "createPartner", "partner { id }"),
            (&admin, "createEventType", "eventType { key }"),
            (&admin, "createProgram", "program { id }"),
        ] {
            let fault = caller
                .fault(mutation, json!({"key": key, "name": "Odd"}), selection)
                .await;
            assert_eq!(
                fault,
                ("INVALID_INPUT".to_owned(), "key".to_owned()),
                "{mutation} {key:?}"
            );
        }
    }
    let program = |field: &str, value: Value| {
        let mut input = json!({"key": "odd", "name": "Odd", "startsOn": "2026-06-01"});
        input[field] = value;
        input
    };
    for (field, value) in [
        ("endsOn", json!("2026-05-31")),
        ("endsOn", json!("9999-12-31")),
        ("startsOn", json!("0001-01-01")),
        ("dayStartsAt", json!("24:00")),
        ("dayStartsAt", json!("4:00")),
        ("dayStartsAt", json!("soon")),
        ("name", json!("")),
    ] {
        let fault = admin
            .fault("createProgram", program(field, value.clone()), "program { id }")
            .await;
        assert_eq!(fault, ("INVALID_INPUT".to_owned(), field.to_owned()), "{value}");
    }
    let create = "mutation($input: CreateProgramInput!) { createProgram(input: $input) { program { id } } }";
    for (field, value) in [
        ("startsOn", json!("2026-02-30")),
        ("startsOn", json!("yesterday")),
        ("startsOn", json!(20_260_101)),
        ("timeZone", json!("Mars/Olympus")),
        ("timeZone", json!("+01:00")),
        ("timeZone", json!("")),
    ] {
        let answer = admin
            .ask(create, json!({"input": program(field, value.clone())}))
            .await;
        assert_clear(&answer, "BAD_USER_INPUT", &format!("{field} {value}"));
    }
    for (field, value) in [
        ("maxLate", json!("P401D")),
        ("maxFuture", json!("P2D")),
        ("retention", json!("P1D")),
        ("propertiesSchema", json!({"type": "no such type"})),
        (
            "propertiesSchema",
            json!({"$ref": "https://example.org/schema.json"}),
        ),
        ("propertiesSchema", json!(7)),
        ("name", json!("x".repeat(201))),
        ("description", json!("x".repeat(2_001))),
    ] {
        let mut input = json!({"key": "odd", "name": "Odd", "sensitive": true});
        input[field] = value.clone();
        let (code, path) = admin.fault("createEventType", input, "eventType { key }").await;
        assert_eq!(
            (code.as_str(), path.as_str()),
            ("INVALID_INPUT", field),
            "{value}"
        );
    }
    assert_eq!(app.row_counts().await, before);
}

async fn a_token_wrong_in_any_way_gets_one_and_the_same_answer(app: &TestApp) {
    let world = world(app).await;
    let before = app.row_counts().await;
    let good = world.backend().token().unwrap().to_owned();
    let parts: Vec<&str> = good.split('.').collect();
    let encode = |value: Value| {
        use base64::Engine;
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(value.to_string())
    };
    let decode = |part: &str| -> Value {
        use base64::Engine;
        let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD
            .decode(part)
            .unwrap();
        serde_json::from_slice(&bytes).unwrap()
    };
    let head = |field: &str, value: Value| {
        let mut header = decode(parts[0]);
        header[field] = value;
        format!("{}.{}.{}", encode(header), parts[1], parts[2])
    };
    let claim = |field: &str, value: Value| {
        let mut claims = decode(parts[1]);
        claims[field] = value;
        format!("{}.{}.{}", parts[0], encode(claims), parts[2])
    };
    let expired = app.token_for(
        api::auth::viewer::Party::Employer(world.employer),
        "events:write",
        TimeDelta::seconds(1),
    );
    app.pass(TimeDelta::seconds(2));
    let bad = [
        "garbage".to_owned(),
        "a.b.c".to_owned(),
        format!("{}.{}", parts[0], parts[1]),
        format!("{}.{}.", parts[0], parts[1]),
        format!("{good}.x"),
        "x".repeat(100_000),
        expired,
        head("alg", json!("none")),
        head("alg", json!("HS256")),
        head("typ", json!("JWT")),
        head("kid", json!("../../etc/passwd")),
        head("kid", json!("' OR 1=1 --")),
        head("jku", json!("https://example.org/keys")),
        head("crit", json!(["exp"])),
        claim("scope", json!("operator")),
        claim("aud", json!("https://elsewhere.example")),
        claim("iss", json!("https://elsewhere.example")),
        claim("exp", json!(9_999_999_999_i64)),
        claim("employer", json!("emp_01ARZ3NDEKTSV4RRFFQ69G5FAV")),
    ];
    let mut answers = Vec::new();
    for token in &bad {
        let answer = app.with(token).ask("{ viewer { kind } }", json!({})).await;
        assert_eq!(answer.status, 401);
        assert_clear(&answer, "UNAUTHENTICATED", token);
        assert!(answer.headers.contains_key("www-authenticate"));
        let mut body = answer.json();
        body["errors"][0]["extensions"]["requestId"] = json!("masked");
        answers.push(body);
    }
    assert!(answers.windows(2).all(|pair| pair[0] == pair[1]), "{answers:#?}");
    assert_eq!(app.row_counts().await, before);
}

async fn odd_characters_find_nothing_and_break_nothing(app: &TestApp) {
    let world = world(app).await;
    let before = app.row_counts().await;
    let admin = world.admin();
    for odd in [
        "",
        "\u{0}",
        "a\u{0}b",
        "' OR 1=1 --",
        "%",
        "🎉",
        "\u{202e}",
        &"x".repeat(10_000),
    ] {
        for (query, field) in [
            (
                "query($odd: String!) { member(externalId: $odd) { id } }",
                "member",
            ),
            ("query($odd: String!) { program(key: $odd) { id } }", "program"),
            ("query($odd: String!) { employer(key: $odd) { id } }", "employer"),
            ("query($odd: ID!) { node(id: $odd) { id } }", "node"),
        ] {
            let data = admin.data(query, json!({"odd": odd})).await;
            assert_eq!(data[field], Value::Null, "{field} {odd:?}");
        }
        for field in ["member", "program", "incentive"] {
            let query =
                "query($filter: AchievementFilter!) { achievements(filter: $filter) { nodes { id } } }";
            let mut filter = json!({});
            filter[field] = json!(odd);
            let data = admin.data(query, json!({"filter": filter})).await;
            assert_eq!(data["achievements"]["nodes"], json!([]), "{field} {odd:?}");
        }
        let code = admin
            .error(
                "query($odd: String!) { achievements(after: $odd) { nodes { id } } }",
                json!({"odd": odd}),
            )
            .await;
        assert_eq!(code, "BAD_USER_INPUT", "{odd:?}");
    }
    assert_eq!(app.row_counts().await, before);
}

async fn what_was_queued_before_a_refusal_is_still_evaluated(app: &TestApp) {
    let world = world(app).await;
    let backend = world.backend();
    let statuses = backend
        .record(
            [
                event("\u{0}", "ada", "2026-11-21T10:00:00Z"),
                event("e\nf", "ada", "2026-11-21T10:00:00Z"),
                event("a", "a\u{0}", "2026-11-21T10:00:00Z"),
                event("b", "ada", "2026-11-21T10:00:00Z").of("\u{0}"),
                event("c", "ada", "2026-11-21T10:00:00Z").set("properties", json!({"note": "\u{0}"})),
                event("d", "ada", "2026-11-21T10:00:00Z")
                    .set("properties", json!({"note": "x".repeat(17_000)})),
                event("e", "ada", "2026-11-21T10:00:00").set("properties", json!({})),
                event("f", "ada", "9999-12-31T23:59:59Z"),
                event("g", "ada", "-0001-01-01T00:00:00Z"),
                event("h", "ada", "2026-11-21T25:00:00Z"),
                event("waiting", "ada", "2026-11-21T10:00:00Z"),
            ]
            .map(Value::from),
        )
        .await;
    let expected = [
        "INVALID_INPUT",
        "INVALID_INPUT",
        "UNKNOWN_MEMBER",
        "UNKNOWN_EVENT_TYPE",
        "INVALID_PROPERTIES",
        "INVALID_PROPERTIES",
        "INVALID_INPUT",
        "INVALID_INPUT",
        "INVALID_INPUT",
        "INVALID_INPUT",
        "DUPLICATE",
    ];
    assert_eq!(statuses, expected);
    app.run_jobs().await;
    assert_eq!(world.times("ada", "first").await, 1);
}
