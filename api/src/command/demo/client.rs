//! The demo's clients: they know an address and their credentials, like anybody's.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

/// A server that does not answer within this is not there.
const WITHIN: Duration = Duration::from_secs(10);

/// The API at an address.
pub struct Api {
    address: SocketAddr,
    http: reqwest::Client,
}

impl Api {
    /// The API at this address.
    pub fn new(address: SocketAddr) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder()
            .timeout(WITHIN)
            .build()
            .context("no HTTP client could be made")?;
        Ok(Self { address, http })
    }

    /// Fetches a token with client credentials.
    pub async fn token(&self, (client_id, secret): &(String, String)) -> anyhow::Result<String> {
        let answer: Value = self
            .http
            .post(format!("http://{}/oauth/token", self.address))
            .basic_auth(client_id, Some(secret))
            .form(&[("grant_type", "client_credentials")])
            .send()
            .await?
            .error_for_status()?
            .json()
            .await?;
        answer["access_token"]
            .as_str()
            .map(str::to_owned)
            .context("an answer without a token")
    }

    /// Runs a query and returns its data.
    pub async fn query(&self, token: &str, query: &str, variables: Value) -> anyhow::Result<Value> {
        let mut answer: Value = self
            .http
            .post(format!("http://{}/graphql", self.address))
            .bearer_auth(token)
            .json(&json!({"query": query, "variables": variables}))
            .send()
            .await?
            .json()
            .await?;
        if let Some(errors) = answer.get("errors") {
            bail!("the API answered with errors: {errors}");
        }
        Ok(answer["data"].take())
    }

    /// Runs a mutation with its one input and returns its payload, which must be without user errors.
    pub async fn mutate(
        &self,
        token: &str,
        name: &str,
        input: &Value,
        payload: &str,
    ) -> anyhow::Result<Value> {
        let type_name: String = name
            .chars()
            .take(1)
            .flat_map(char::to_uppercase)
            .chain(name.chars().skip(1))
            .collect();
        let query =
            format!("mutation($input: {type_name}Input!) {{ {name}(input: $input) {{ {payload} }} }}");
        let mut data = self.query(token, &query, json!({"input": input})).await?;
        let payload = data[name].take();
        let errors = payload["userErrors"]
            .as_array()
            .is_some_and(|errors| !errors.is_empty());
        ensure!(!errors, "{name} was refused: {}", payload["userErrors"]);
        Ok(payload)
    }

    /// Subscribes to the partner's feed; what comes in is handed on, and the subscription ends when nobody takes it any more.
    pub async fn follow_feed(&self, token: &str) -> anyhow::Result<mpsc::Receiver<Value>> {
        let mut request = format!("ws://{}/graphql", self.address).into_client_request()?;
        request
            .headers_mut()
            .insert("sec-websocket-protocol", "graphql-transport-ws".parse()?);
        let (mut socket, _) = connect_async(request)
            .await
            .context("the subscription was refused")?;
        let say = |message: Value| Message::text(message.to_string());
        socket
            .send(say(
                json!({"type": "connection_init", "payload": {"authorization": format!("Bearer {token}")}}),
            ))
            .await?;
        let query = "subscription { feed { __typename
            ... on FeedEntry { position achievement { title earnedOn memberRef incentive { name } } }
            ... on FeedCaughtUp { position } } }";
        let (sender, receiver) = mpsc::channel(16);
        tokio::spawn(async move {
            while let Some(Ok(message)) = socket.next().await {
                let Ok(text) = message.to_text() else { continue };
                let Ok(mut message) = serde_json::from_str::<Value>(text) else {
                    continue;
                };
                let reply = match message["type"].as_str() {
                    Some("connection_ack") => {
                        json!({"id": "feed", "type": "subscribe", "payload": {"query": query}})
                    }
                    Some("ping") => json!({"type": "pong"}),
                    Some("next") => {
                        if sender
                            .send(message["payload"]["data"]["feed"].take())
                            .await
                            .is_err()
                        {
                            break;
                        }
                        continue;
                    }
                    _ => continue,
                };
                if socket.send(say(reply)).await.is_err() {
                    break;
                }
            }
        });
        Ok(receiver)
    }
}
