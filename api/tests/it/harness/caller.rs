//! Somebody with a token, and what they can ask.

use axum::body::Body;
use http::Request;
use http::header::ACCEPT;
use serde_json::{Value, json};

use super::TestApp;
use super::request::{Answer, post, send};

/// Somebody with a token, or without.
pub struct Caller<'a> {
    app: &'a TestApp,
    token: Option<String>,
}

impl<'a> Caller<'a> {
    pub(super) fn new(app: &'a TestApp, token: Option<String>) -> Self {
        Self { app, token }
    }

    /// The answer to a GraphQL document.
    pub async fn ask(&self, query: &str, variables: Value) -> Answer {
        let body = json!({"query": query, "variables": variables}).to_string();
        self.post_graphql(body).await
    }

    /// The answer of the GraphQL door to whatever body.
    pub async fn post_graphql(&self, body: impl Into<Body>) -> Answer {
        let mut request = post("/graphql", self.token.as_deref(), "application/json", body);
        let accept = "application/graphql-response+json".parse().unwrap();
        request.headers_mut().insert(ACCEPT, accept);
        self.send(request).await
    }

    /// The answer of the CloudEvents door.
    pub async fn post_events(&self, media: &str, body: impl Into<Body>) -> Answer {
        self.send(post("/events", self.token.as_deref(), media, body))
            .await
    }

    /// The answer to any request; the token has to be in it.
    pub async fn send(&self, request: Request<Body>) -> Answer {
        send(self.app.router(), request).await
    }

    /// The token, where there is one.
    pub fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// The data that a document yields; no error is expected.
    pub async fn data(&self, query: &str, variables: Value) -> Value {
        let answer = self.ask(query, variables).await;
        let body = answer.json();
        assert!(body.get("errors").is_none(), "{query}\n{body:#}");
        body["data"].clone()
    }

    /// The code of the error that a document yields.
    pub async fn error(&self, query: &str, variables: Value) -> String {
        let answer = self.ask(query, variables).await;
        answer
            .code()
            .unwrap_or_else(|| panic!("{query}\nthere is no error: {}", answer.text))
    }

    /// The payload of the mutation `field`, asked for `selection`; what it takes is its `input`, of the type named after the field.
    pub async fn mutate(&self, field: &str, input: Value, selection: &str) -> Value {
        let input_type = match field {
            "activateProgram" | "pauseProgram" | "endProgram" => "ProgramKeyInput".to_owned(),
            _ => {
                let (first, rest) = field.split_at(1);
                format!("{}{rest}Input", first.to_uppercase())
            }
        };
        let document = format!(
            "mutation($input: {input_type}!) {{ {field}(input: $input) {{ {selection} userErrors {{ code message path }} }} }}"
        );
        self.data(&document, json!({"input": input})).await[field].clone()
    }

    /// As [`Caller::mutate`], where it must succeed.
    pub async fn change(&self, field: &str, input: Value, selection: &str) -> Value {
        let payload = self.mutate(field, input, selection).await;
        assert_eq!(payload["userErrors"], json!([]), "{field}");
        payload
    }

    /// The code and the path of the first thing that the caller of a mutation can mend.
    pub async fn fault(&self, field: &str, input: Value, selection: &str) -> (String, String) {
        let payload = self.mutate(field, input, selection).await;
        let fault = &payload["userErrors"][0];
        let path: Vec<&str> = fault["path"]
            .as_array()
            .unwrap_or_else(|| panic!("{field} has no fault: {payload}"))
            .iter()
            .map(|part| part.as_str().unwrap())
            .collect();
        (fault["code"].as_str().unwrap().to_owned(), path.join("."))
    }

    /// Records events and returns each one's status, or the code of its error.
    pub async fn record(&self, events: impl IntoIterator<Item = Value>) -> Vec<String> {
        let events: Vec<Value> = events.into_iter().collect();
        let payload = self
            .change(
                "recordEvents",
                json!({"events": events}),
                "results { id status error { code path } }",
            )
            .await;
        results(&payload)
    }
}

/// Each result's status, or the code of its error.
fn results(payload: &Value) -> Vec<String> {
    let results = payload["results"].as_array().unwrap();
    results
        .iter()
        .map(|result| {
            let word = result["error"]["code"].as_str().or(result["status"].as_str());
            word.unwrap().to_owned()
        })
        .collect()
}
