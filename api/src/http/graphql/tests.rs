use std::time::Duration;

use axum::body::to_bytes;
use axum::http::request::Builder;
use serde_json::{Value, json};
use std::sync::atomic::Ordering;
use tower::ServiceExt;

use super::*;
use crate::http::toy::Toy;

const GRAPHQL: &str = "application/graphql-response+json";
const JSON: &str = "application/json";

/// An answer as a client sees it.
struct Seen {
    status: u16,
    headers: HeaderMap,
    body: Value,
}

impl Seen {
    fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().expect("a text"))
    }

    fn code(&self) -> &str {
        self.body["errors"][0]["extensions"]["code"]
            .as_str()
            .unwrap_or_default()
    }

    fn message(&self) -> &str {
        self.body["errors"][0]["message"].as_str().unwrap_or_default()
    }
}

async fn send(toy: &Toy, request: Request<Body>) -> Seen {
    let response = router(toy.clone()).oneshot(request).await.expect("infallible");
    let (parts, body) = response.into_parts();
    let body = to_bytes(body, usize::MAX).await.expect("a body");
    let seen = Seen {
        status: parts.status.as_u16(),
        body: serde_json::from_slice(&body).expect("every answer is JSON"),
        headers: parts.headers,
    };
    // What holds for every answer, whatever it says.
    let id = seen.header("x-request-id");
    assert!(!id.is_empty(), "an id");
    assert_eq!(seen.header("cache-control"), "no-store");
    if let Some(errors) = seen.body.get("errors") {
        for error in errors.as_array().expect("a list") {
            assert_eq!(error["extensions"]["requestId"], id, "{error}");
            assert!(
                Code::ALL
                    .iter()
                    .any(|code| error["extensions"]["code"] == code.as_str()),
                "{error}"
            );
        }
    } else {
        assert_eq!(seen.status, 200);
    }
    seen
}

fn post() -> Builder {
    Request::post("/graphql").header("content-type", JSON)
}

async fn ask_as(toy: &Toy, accept: &str, body: Value) -> Seen {
    let request = post().header("accept", accept);
    send(toy, request.body(body.to_string().into()).expect("a request")).await
}

async fn ask(toy: &Toy, query: &str) -> Seen {
    ask_as(toy, GRAPHQL, json!({ "query": query })).await
}

fn search(query: &str) -> String {
    let query: String = query
        .bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        })
        .collect();
    format!("/graphql?query={query}")
}

#[tokio::test]
async fn a_query_is_answered_in_the_form_asked_for() {
    let toy = Toy::new(false);
    for (accept, content_type) in [
        (GRAPHQL, "application/graphql-response+json; charset=utf-8"),
        ("*/*", "application/json; charset=utf-8"),
    ] {
        let seen = ask_as(&toy, accept, json!({ "query": "{ __typename person { name } }" })).await;
        assert_eq!(seen.status, 200);
        assert_eq!(seen.header("content-type"), content_type);
        assert_eq!(
            seen.body,
            json!({ "data": { "__typename": "Query", "person": { "name": "Ada" } } })
        );
    }
}

#[tokio::test]
async fn a_document_that_is_not_executed_has_no_data_and_400_or_200_by_its_form() {
    let toy = Toy::new(false);
    let bomb = "{...A} fragment A on Query{...B ...B ...B ...B ...B ...B ...B ...B ...B} fragment B on Query{\
                ...C ...C ...C ...C ...C ...C ...C ...C ...C} fragment C on Query{...D ...D ...D ...D ...D ...D \
                ...D ...D ...D} fragment D on Query{me{__typename} me{__typename} me{__typename}}";
    let cases = [
        (json!({ "query": "{" }), "BAD_USER_INPUT"),
        (json!({ "query": "{ nowhere }" }), "BAD_USER_INPUT"),
        (json!({ "query": "{ double(n: \"x\") }" }), "BAD_USER_INPUT"),
        (
            json!({ "query": "query($n: Int!) { double(n: $n) }" }),
            "BAD_USER_INPUT",
        ),
        (
            json!({ "query": "query($n: Int!) { double(n: $n) }", "variables": { "n": "x" } }),
            "BAD_USER_INPUT",
        ),
        (
            json!({ "query": "{ __typename }", "operationName": "Nobody" }),
            "BAD_USER_INPUT",
        ),
        (
            json!({ "query": "query A { __typename } query B { __typename }" }),
            "BAD_USER_INPUT",
        ),
        (
            json!({ "query": "{ __schema { queryType { name } } }" }),
            "BAD_USER_INPUT",
        ),
        (
            json!({ "query": "{ pay(input: { amount: 1, tip: 2 }) }" }),
            "BAD_USER_INPUT",
        ),
        (
            json!({
                "query": "query($i: Payment!) { pay(input: $i) }",
                "variables": { "i": { "amount": 1, "tip": 2 } },
            }),
            "BAD_USER_INPUT",
        ),
        (json!({ "query": bomb }), "QUERY_TOO_COMPLEX"),
    ];
    for (body, code) in cases {
        for (accept, status) in [(GRAPHQL, 400), (JSON, 200)] {
            let seen = ask_as(&toy, accept, body.clone()).await;
            assert_eq!((seen.status, seen.code()), (status, code), "{body}");
            assert_eq!(seen.body.get("data"), None, "{body}");
        }
    }
}

#[tokio::test]
async fn what_http_can_refuse_is_refused_in_every_form() {
    let toy = Toy::new(false);
    let query = r#"{"query":"{ __typename }"}"#;
    let long = format!("{{\"query\":\"{}\"}}", "x".repeat(1024 * 1024));
    let cases = [
        (Request::put("/graphql"), query, 405, "use POST"),
        (Request::options("/graphql"), "", 405, "use POST"),
        (post().header("accept", "text/html"), query, 406, "answers are"),
        (Request::post("/graphql"), query, 415, "application/json"),
        (
            Request::post("/graphql").header("content-type", "text/plain"),
            query,
            415,
            "application/json",
        ),
        (
            Request::post("/graphql").header("content-type", "multipart/form-data; boundary=x"),
            query,
            415,
            "application/json",
        ),
        (post(), &long, 413, "1048576"),
        (post(), "", 400, "empty"),
        (post(), "[{\"query\":\"{ __typename }\"}]", 400, "batching is off"),
        (post(), "{\"query\":", 400, "not a GraphQL request"),
        (post(), "{\"query\":1}", 400, "expected a string"),
        (post(), "{\"query\":\"\u{0}\"}", 400, "control character"),
        (
            post(),
            "{\"query\":\"subscription { silent }\"}",
            400,
            "WebSocket",
        ),
        (
            Request::get("/graphql?query=%7B__typename%7D"),
            "",
            400,
            "needs an Authorization",
        ),
        (
            Request::get("/graphql").header("graphql-require-preflight", "1"),
            "",
            400,
            "query is missing",
        ),
    ];
    for (request, body, status, message) in cases {
        let request = request.body(Body::from(body.to_owned())).expect("a request");
        let seen = send(&toy, request).await;
        assert_eq!(
            (seen.status, seen.code()),
            (status, "BAD_USER_INPUT"),
            "{message}"
        );
        assert!(seen.message().contains(message), "{}", seen.message());
        assert_eq!(seen.header("allow"), if status == 405 { "GET, POST" } else { "" });
    }
}

#[tokio::test]
async fn a_body_of_unknown_length_stops_at_the_limit() {
    let toy = Toy::new(false);
    let endless = futures_util::stream::repeat_with(|| Ok::<_, std::io::Error>("x".repeat(1_000)));
    let request = post().body(Body::from_stream(endless)).expect("a request");
    assert_eq!(send(&toy, request).await.status, 413);
}

#[tokio::test]
async fn a_body_that_never_comes_is_not_waited_for() {
    let mut toy = Toy::new(false);
    toy.bounds.body_within = Duration::from_millis(10);
    let never = futures_util::stream::pending::<Result<String, std::io::Error>>();
    let request = post().body(Body::from_stream(never)).expect("a request");
    assert_eq!(send(&toy, request).await.status, 408);
}

#[tokio::test]
async fn get_runs_queries_that_no_page_could_have_forged_and_never_mutations() {
    let toy = Toy::new(false);
    for (name, value) in [
        ("authorization", "Bearer good"),
        ("apollo-require-preflight", "true"),
        ("x-apollo-operation-name", "Q"),
        ("graphql-require-preflight", ""),
        ("sec-fetch-mode", "cors"),
    ] {
        let get = |query: &str| {
            let request = Request::get(search(query)).header(name, value);
            request.body(Body::empty()).expect("a request")
        };
        let seen = send(&toy, get("{ echo(text: \"a b\") }")).await;
        assert_eq!(seen.body, json!({ "data": { "echo": "a b" } }), "{name}");
        let seen = send(&toy, get("mutation { add }")).await;
        assert_eq!((seen.status, seen.header("allow")), (405, "POST"), "{name}");
        let seen = send(&toy, get("query A { __typename } mutation B { add }")).await;
        assert_eq!(seen.code(), "BAD_USER_INPUT");
    }
    assert_eq!(toy.tally().added.load(Ordering::SeqCst), 0);
    let request = Request::get(search("query A { __typename } mutation B { add }") + "&operationName=A")
        .header("authorization", "Bearer good");
    let seen = send(&toy, request.body(Body::empty()).expect("a request")).await;
    assert_eq!(seen.status, 200, "only the operation that is meant counts");
}

#[tokio::test]
async fn a_mutation_runs_over_post() {
    let toy = Toy::new(false);
    assert_eq!(
        ask(&toy, "mutation { add }").await.body,
        json!({ "data": { "add": 1 } })
    );
}

#[tokio::test]
async fn without_a_good_token_the_answer_is_401_with_one_body_and_nothing_is_executed() {
    let toy = Toy::new(false);
    let mut bodies = std::collections::HashSet::new();
    for token in [
        "Bearer bad",
        "Bearer",
        "Basic good",
        "good",
        "Bearer a b",
        "Bearer ",
        "\u{1}",
    ] {
        for query in ["{ __typename }", "mutation { add }", "{"] {
            for accept in [GRAPHQL, JSON] {
                let Ok(request) = post()
                    .header("accept", accept)
                    .header("authorization", token)
                    .body(Body::from(json!({ "query": query }).to_string()))
                else {
                    continue;
                };
                let mut seen = send(&toy, request).await;
                assert_eq!((seen.status, seen.header("www-authenticate")), (401, "Bearer"));
                seen.body["errors"][0]["extensions"]["requestId"] = json!("");
                bodies.insert(seen.body.to_string());
            }
        }
    }
    assert_eq!(bodies.len(), 1, "{bodies:?}");
    assert_eq!(toy.tally().added.load(Ordering::SeqCst), 0);
    for accept in [GRAPHQL, JSON] {
        let seen = ask_as(&toy, accept, json!({ "query": "{ __typename guarded }" })).await;
        assert_eq!((seen.status, seen.code()), (401, "UNAUTHENTICATED"));
        assert_eq!(seen.body.get("data"), None);
    }
    let request = post().header("authorization", "Bearer good");
    let request = request
        .body(Body::from(r#"{"query":"{ guarded }"}"#))
        .expect("a request");
    assert_eq!(
        send(&toy, request).await.body,
        json!({ "data": { "guarded": "secret" } })
    );
}

#[tokio::test]
async fn a_token_that_cannot_be_judged_now_is_503() {
    let toy = Toy::new(false);
    let request = post().header("authorization", "Bearer later");
    let request = request
        .body(Body::from(r#"{"query":"{ __typename }"}"#))
        .expect("a request");
    let seen = send(&toy, request).await;
    assert_eq!((seen.status, seen.code()), (503, "UNAVAILABLE"));
    assert_eq!(seen.header("retry-after"), "1");
}

#[tokio::test]
async fn a_fault_of_ours_tells_nothing_but_the_request() {
    let toy = Toy::new(false);
    let seen = ask(&toy, "{ echo(text: \"x\") fails }").await;
    assert_eq!((seen.status, seen.code()), (200, "INTERNAL"));
    assert_eq!(seen.message(), "internal error");
    assert_eq!(seen.body["data"]["echo"], "x");
    let seen = ask(&toy, "{ panics }").await;
    assert_eq!((seen.status, seen.code()), (500, "INTERNAL"));
    assert_eq!(seen.message(), "internal error");
}

#[tokio::test]
async fn an_error_with_a_code_reaches_the_client_beside_the_data() {
    let seen = ask(&Toy::new(false), "{ echo(text: \"x\") forbidden }").await;
    assert_eq!(
        (seen.status, seen.code(), seen.message()),
        (200, "FORBIDDEN", "this is FORBIDDEN")
    );
    assert_eq!(seen.body["data"], json!({ "echo": "x", "forbidden": null }));
}

#[tokio::test]
async fn a_value_out_of_range_is_the_callers_to_mend() {
    let toy = Toy::new(false);
    for query in ["{ hour(hour: 24) }", "{ pay(input: { amount: 3000000000 }) }"] {
        // The library finds this only at the field, so it is an answer, with a path.
        let seen = ask(&toy, query).await;
        assert_eq!(
            (seen.status, seen.code()),
            (200, "BAD_USER_INPUT"),
            "{}",
            seen.body
        );
        assert!(seen.body["errors"][0]["path"].is_array());
    }
}

#[tokio::test]
async fn an_operation_that_takes_too_long_is_given_up() {
    let mut toy = Toy::new(false);
    toy.bounds.operation_within = Duration::from_millis(10);
    let seen = ask(&toy, "{ hangs }").await;
    assert_eq!((seen.status, seen.code()), (503, "UNAVAILABLE"));
}

#[tokio::test]
async fn the_schema_is_told_to_developers_alone() {
    let schema = "{ __schema { queryType { name } } }";
    let a_type = "{ __type(name: \"Person\") { name } }";
    let dev = Toy::new(true);
    assert_eq!(
        ask(&dev, schema).await.body["data"]["__schema"]["queryType"]["name"],
        "Query"
    );
    assert_eq!(ask(&dev, a_type).await.body["data"]["__type"]["name"], "Person");
    let toy = Toy::new(false);
    assert_eq!(ask(&toy, schema).await.code(), "BAD_USER_INPUT");
    // No type exists for a stranger, so asking for one is no error; it is null for every name.
    assert_eq!(
        ask(&toy, a_type).await.body,
        json!({ "data": { "__type": null } })
    );
}

#[tokio::test]
async fn no_error_suggests_a_name() {
    let toy = Toy::new(false);
    for query in [
        "{ ech }",
        "{ person { nam } }",
        "{ echo(tex: 1) }",
        "{ echo(text: 1) ... on Quer { me } }",
        "query($a: Strin) { echo(text: $a) }",
        "mutation { ad }",
    ] {
        let seen = ask(&toy, query).await;
        assert_eq!(seen.code(), "BAD_USER_INPUT", "{query}");
        assert!(!seen.body.to_string().contains("Did you mean"), "{}", seen.body);
    }
}

#[tokio::test]
async fn a_request_for_an_upgrade_that_is_none_is_answered_in_json() {
    let toy = Toy::new(false);
    let request = Request::get("/graphql")
        .header("connection", "Upgrade")
        .header("upgrade", "websocket");
    let seen = send(&toy, request.body(Body::empty()).expect("a request")).await;
    assert_eq!((seen.status, seen.code()), (400, "BAD_USER_INPUT"));
}

#[tokio::test]
async fn graphiql_exists_for_developers_alone() {
    for (dev, status) in [(true, 200), (false, 404)] {
        for path in ["/graphiql", "/graphiql.js"] {
            let request = Request::get(path).body(Body::empty()).expect("a request");
            let response = router(Toy::new(dev)).oneshot(request).await.expect("infallible");
            assert_eq!(response.status().as_u16(), status, "{path}");
        }
    }
}

#[tokio::test]
async fn what_a_good_query_answers_is_what_the_stock_handler_answers() {
    let toy = Toy::new(true);
    for query in [
        "{ __typename }",
        "{ a: __typename b: __typename }",
        "{ __schema { queryType { name } types { name } } }",
    ] {
        let body = json!({ "query": query }).to_string();
        let ours = send(&toy, post().body(Body::from(body.clone())).expect("a request")).await;
        let stock = async_graphql_axum::GraphQL::new(toy.house.schema.clone());
        let request = post().body(Body::from(body)).expect("a request");
        let response = stock.oneshot(request).await.expect("infallible");
        let bytes = to_bytes(response.into_body(), usize::MAX).await.expect("a body");
        let theirs: Value = serde_json::from_slice(&bytes).expect("JSON");
        assert_eq!(ours.body["data"], theirs["data"], "{query}");
        assert_ne!(ours.body["data"], Value::Null, "{query}");
    }
}
