//! A GraphQL client.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};

/// An HTTP client that gives up before a test does.
pub fn http() -> reqwest::Client {
    reqwest::Client::builder()
        .timeout(Duration::from_secs(15))
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .expect("a client")
}

/// The API at one address, as one token sees it.
#[derive(Clone)]
pub struct Api {
    pub http: reqwest::Client,
    pub address: SocketAddr,
    pub token: String,
}

impl Api {
    pub fn new(address: SocketAddr, token: &str) -> Self {
        Self {
            http: http(),
            address,
            token: token.to_owned(),
        }
    }

    /// The same API to another token.
    pub fn with(&self, token: &str) -> Self {
        Self {
            token: token.to_owned(),
            ..self.clone()
        }
    }

    /// A request of any outcome; an error only where no answer came.
    pub async fn try_post(&self, query: &str, variables: &Value) -> reqwest::Result<(u16, Value)> {
        let answer = self
            .http
            .post(format!("http://{}/graphql", self.address))
            .bearer_auth(&self.token)
            .json(&json!({"query": query, "variables": variables}))
            .send()
            .await?;
        let status = answer.status().as_u16();
        Ok((status, answer.json().await?))
    }

    /// A request that has an answer.
    pub async fn post(&self, query: &str, variables: &Value) -> (u16, Value) {
        let answer = self.try_post(query, variables).await;
        answer.unwrap_or_else(|error| panic!("{query}: {error}"))
    }

    /// A request that succeeds: its data.
    pub async fn data(&self, query: &str, variables: &Value) -> Value {
        let (status, answer) = self.post(query, variables).await;
        assert_eq!(
            (status, &answer["errors"]),
            (200, &Value::Null),
            "{query} {variables}: {answer}"
        );
        answer["data"].clone()
    }

    /// A mutation of one `input` that succeeds: what was asked for of its payload.
    pub async fn mutate(&self, mutation: &str, wanted: &str, input: &Value) -> Value {
        // The names of the inputs follow those of the mutations, but for one.
        let (initial, rest) = mutation.split_at(1);
        let kind = match mutation {
            "activateProgram" => "ProgramKeyInput".to_owned(),
            _ => format!("{}{rest}Input", initial.to_uppercase()),
        };
        let query = format!(
            "mutation ($input: {kind}!) {{ {mutation}(input: $input) {{ {wanted} userErrors {{ code path message }} }} }}"
        );
        let data = self.data(&query, &json!({"input": input})).await;
        let payload = data[mutation].clone();
        assert_eq!(payload["userErrors"], json!([]), "{mutation} {input}");
        payload
    }
}

/// The code of the first error of an answer.
pub fn code(answer: &Value) -> &str {
    answer["errors"][0]["extensions"]["code"]
        .as_str()
        .unwrap_or("none")
}
