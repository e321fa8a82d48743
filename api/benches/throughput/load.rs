//! The client: a mobile backend that sends events, and a partner that listens.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use chrono::{DateTime, Utc};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

/// What takes longer is lost.
const WITHIN: Duration = Duration::from_secs(30);
/// When events are sent again that a busy server would not take: sooner than it asks for, so that it has always more than it can do.
const AGAIN_AFTER: Duration = Duration::from_millis(100);
const SERVICE_UNAVAILABLE: u16 = 503;

/// Which way events take into the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// `POST /events`, a batch of CloudEvents.
    CloudEvents,
    /// The mutation `recordEvents`.
    GraphQl,
}

/// A client with a token of one employer.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    address: String,
    token: String,
    /// Numbers from here on begin again with the first member.
    members: usize,
    refused: Arc<AtomicUsize>,
}

impl Client {
    /// A client of the server at this address.
    pub fn new(address: &str, token: &str) -> anyhow::Result<Self> {
        Ok(Self {
            http: reqwest::Client::builder().timeout(WITHIN).build()?,
            address: address.to_owned(),
            token: token.to_owned(),
            members: usize::MAX,
            refused: Arc::default(),
        })
    }

    /// The same, for so many members, each of whom may send any number of events.
    pub fn among(self, members: usize) -> Self {
        Self { members, ..self }
    }

    /// How many requests a busy server would not take.
    pub fn refused(&self) -> usize {
        self.refused.load(Ordering::Relaxed)
    }

    /// Runs a query, which must succeed, and returns its data.
    pub async fn query(&self, query: &str, variables: Value) -> anyhow::Result<Value> {
        let body = json!({"query": query, "variables": variables});
        let (_, mut answer) = self.post("graphql", "application/json", body.to_string()).await?;
        ensure!(answer.get("errors").is_none(), "the API answered: {answer}");
        Ok(answer["data"].take())
    }

    /// Runs a mutation, which must succeed.
    pub async fn mutate(&self, name: &str, type_name: &str, input: Value) -> anyhow::Result<()> {
        let query = format!(
            "mutation($input: {type_name}!) {{ {name}(input: $input) {{ userErrors {{ message path }} }} }}"
        );
        let data = self.query(&query, json!({"input": input})).await?;
        let errors = &data[name]["userErrors"];
        ensure!(errors.as_array().is_some_and(Vec::is_empty), "{name}: {errors}");
        Ok(())
    }

    /// Reads a plain address.
    pub async fn get(&self, path: &str) -> anyhow::Result<Value> {
        let request = self.http.get(format!("http://{}/{path}", self.address));
        let answer = request.bearer_auth(&self.token).send().await?;
        Ok(serde_json::from_slice(&answer.bytes().await?)?)
    }

    async fn post(&self, path: &str, media: &str, body: String) -> anyhow::Result<(u16, Value)> {
        let answer = self
            .http
            .post(format!("http://{}/{path}", self.address))
            .bearer_auth(&self.token)
            .header("content-type", media)
            .body(body)
            .send()
            .await?;
        let status = answer.status().as_u16();
        Ok((status, serde_json::from_slice(&answer.bytes().await?)?))
    }

    /// Sends the events of these numbers in one request; all of them must be accepted.
    pub async fn send(&self, door: Door, numbers: &[usize], now: DateTime<Utc>) -> anyhow::Result<()> {
        let at = now.to_rfc3339();
        let of = |number: usize| name(number % self.members);
        let answer = match door {
            Door::CloudEvents => {
                let events = numbers.iter().map(|number| {
                    json!({
                        "specversion": "1.0", "id": format!("e-{number}"), "source": "bench", "type": "meditation.completed",
                        "subject": of(*number), "time": at, "data": {"minutes": 12}
                    })
                });
                let body = Value::from(events.collect::<Vec<_>>()).to_string();
                loop {
                    let media = "application/cloudevents-batch+json";
                    let (status, answer) = self.post("events", media, body.clone()).await?;
                    if status != SERVICE_UNAVAILABLE {
                        break answer;
                    }
                    self.refused.fetch_add(1, Ordering::Relaxed);
                    tokio::time::interval_at(tokio::time::Instant::now() + AGAIN_AFTER, AGAIN_AFTER)
                        .tick()
                        .await;
                }
            }
            Door::GraphQl => {
                let events = numbers.iter().map(|number| {
                    json!({
                        "id": format!("e-{number}"), "source": "bench", "type": "meditation.completed",
                        "member": of(*number), "occurredAt": at, "properties": {"minutes": 12}
                    })
                });
                let query = "mutation($input: RecordEventsInput!) { recordEvents(input: $input) { results { id status } } }";
                let input = json!({"input": {"events": events.collect::<Vec<_>>()}});
                self.query(query, input).await?["recordEvents"].take()
            }
        };
        let accepted = answer["results"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|result| result["status"] == "ACCEPTED")
            .count();
        ensure!(
            accepted == numbers.len(),
            "{accepted} of {} events were accepted: {answer}",
            numbers.len()
        );
        Ok(())
    }

    /// Sends an event of each of these members, so many a request and so many requests at once.
    pub async fn send_all(
        &self,
        door: Door,
        members: std::ops::Range<usize>,
        per_request: usize,
        at_once: usize,
        now: DateTime<Utc>,
    ) -> anyhow::Result<()> {
        let next = Arc::new(AtomicUsize::new(members.start));
        let mut senders = JoinSet::new();
        for _ in 0..at_once {
            let (client, next, end) = (self.clone(), Arc::clone(&next), members.end);
            senders.spawn(async move {
                loop {
                    let first = next.fetch_add(per_request, Ordering::Relaxed);
                    if first >= end {
                        return anyhow::Ok(());
                    }
                    let batch: Vec<usize> = (first..end.min(first + per_request)).collect();
                    client.send(door, &batch, now).await?;
                }
            });
        }
        while let Some(sender) = senders.join_next().await {
            sender??;
        }
        Ok(())
    }

    /// Sends events one after another and waits for each on the partner's subscription; returns the milliseconds until the
    /// acknowledgement and until the push, of each.
    pub async fn time_pushes(
        &self,
        feed: &mut Feed,
        members: std::ops::Range<usize>,
        now: DateTime<Utc>,
    ) -> anyhow::Result<(Vec<f64>, Vec<f64>)> {
        let (mut acknowledged, mut pushed) = (Vec::new(), Vec::new());
        for member in members {
            let start = Instant::now();
            let batch = [member];
            let (sent, heard) = tokio::join!(
                async {
                    self.send(Door::CloudEvents, &batch, now).await?;
                    anyhow::Ok(start.elapsed())
                },
                async {
                    feed.next().await?;
                    anyhow::Ok(start.elapsed())
                }
            );
            acknowledged.push(sent?.as_secs_f64() * 1_000.0);
            pushed.push(heard?.as_secs_f64() * 1_000.0);
        }
        Ok((acknowledged, pushed))
    }
}

/// A partner's subscription that has caught up.
pub struct Feed {
    entries: mpsc::Receiver<Value>,
}

impl Feed {
    /// Subscribes, and waits until everything that was there has come.
    pub async fn open(address: &str, token: &str) -> anyhow::Result<Self> {
        let mut request = format!("ws://{address}/graphql").into_client_request()?;
        request
            .headers_mut()
            .insert("sec-websocket-protocol", "graphql-transport-ws".parse()?);
        let (mut socket, _) = tokio_tungstenite::connect_async(request).await?;
        let say = |message: Value| Message::text(message.to_string());
        let init =
            json!({"type": "connection_init", "payload": {"authorization": format!("Bearer {token}")}});
        socket.send(say(init)).await?;
        let subscribe = json!({"id": "feed", "type": "subscribe", "payload": {
            "query": "subscription { feed { __typename ... on FeedEntry { position } } }"
        }});
        let (sender, entries) = mpsc::channel(64);
        tokio::spawn(async move {
            while let Some(Ok(message)) = socket.next().await {
                let Ok(mut message) = message
                    .to_text()
                    .map_err(anyhow::Error::from)
                    .and_then(|text| serde_json::from_str::<Value>(text).map_err(anyhow::Error::from))
                else {
                    continue;
                };
                let reply = match message["type"].as_str() {
                    Some("connection_ack") => subscribe.clone(),
                    Some("ping") => json!({"type": "pong"}),
                    Some("next") => {
                        let entry = message["payload"]["data"]["feed"].take();
                        if sender.send(entry).await.is_err() {
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
        let mut feed = Self { entries };
        while feed.next().await?["__typename"] != "FeedCaughtUp" {}
        Ok(feed)
    }

    async fn next(&mut self) -> anyhow::Result<Value> {
        tokio::time::timeout(WITHIN, self.entries.recv())
            .await
            .context("nothing came over the subscription")?
            .context("the subscription ended")
    }
}

/// The external id of a member.
pub fn name(member: usize) -> String {
    format!("m-{member}")
}

/// So many things in so much time.
pub fn per_second(count: usize, elapsed: Duration) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX)) / elapsed.as_secs_f64()
}
