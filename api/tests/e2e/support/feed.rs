//! A partner that reads its feed, by polling and by subscription, across whatever happens to the server.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::watch;

use super::graphql::Api;
use super::socket::{Heard, Socket};
use super::until::{SOON, within};

/// The fields a partner asks for.
pub const FIELDS: &str = "id position cursor kind achievement { id memberRef title incentive { key } }";

/// Where the server is now; none while there is none.
pub type Whereabouts = watch::Receiver<Option<SocketAddr>>;

/// What a partner has learned of its feed.
#[derive(Default, Debug, Clone)]
pub struct Read {
    /// Every entry that came, in the order of coming.
    pub entries: Vec<Value>,
    cursor: Option<String>,
}

impl Read {
    pub fn take(&mut self, entry: &Value) {
        self.cursor = Some(entry["cursor"].as_str().expect("a cursor").to_owned());
        let mut entry = entry.clone();
        // Only a subscription has more than one kind of thing to tell apart.
        entry.as_object_mut().expect("an object").remove("__typename");
        self.entries.push(entry);
    }

    /// Where to go on.
    pub fn cursor(&self) -> Option<&str> {
        self.cursor.as_deref()
    }

    /// Nothing yet of what comes after all this.
    pub fn rest(&self) -> Self {
        Self {
            entries: Vec::new(),
            cursor: self.cursor.clone(),
        }
    }

    /// What came after all this.
    pub fn add(&mut self, more: &Self) {
        self.entries.extend(more.entries.iter().cloned());
        self.cursor.clone_from(&more.cursor);
    }

    /// That it holds every position from 1 on exactly once, in order, and every entry once.
    pub fn assert_dense(&self, who: &str) {
        let positions: Vec<i64> = self.entries.iter().map(position).collect();
        let expected: Vec<i64> = (1..=i64::try_from(positions.len()).unwrap()).collect();
        assert_eq!(positions, expected, "{who} holds other positions than 1, 2, 3 …");
        let mut ids: Vec<&str> = self
            .entries
            .iter()
            .filter_map(|entry| entry["id"].as_str())
            .collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), self.entries.len(), "{who} holds an id twice");
    }
}

/// The position of an entry.
pub fn position(entry: &Value) -> i64 {
    entry["position"].as_i64().expect("a position")
}

/// The whole feed, by polling.
pub async fn poll_all(api: &Api) -> Read {
    let mut read = Read::default();
    while poll(api, &mut read, 100).await == Some(true) {}
    read
}

/// One page more; whether there is another. None where no good answer came.
pub async fn poll(api: &Api, read: &mut Read, first: i64) -> Option<bool> {
    let query = format!(
        "query ($after: String, $first: Int!) {{ feed(after: $after, first: $first) {{ hasMore entries {{ {FIELDS} }} }} }}"
    );
    let variables = json!({"after": read.cursor, "first": first});
    let (_, answer) = api.try_post(&query, &variables).await.ok()?;
    let page = &answer["data"]["feed"];
    for entry in page["entries"].as_array()? {
        read.take(entry);
    }
    page["hasMore"].as_bool()
}

/// A subscription on one socket.
pub struct Subscription {
    socket: Socket,
    pub read: Read,
}

/// What a subscription brought.
#[derive(Debug)]
pub enum News {
    /// An entry, which has been read.
    Entry(Value),
    /// All that was there has come.
    CaughtUp,
    /// It is over, with the error it ended with, or the close code; the cursor in `read` is where to go on.
    Ended(Value),
}

impl Subscription {
    /// Subscribes after what was read before; none where the server is not there.
    pub async fn open(address: SocketAddr, token: &str, read: Read) -> Option<Self> {
        let mut socket = Socket::open(address, token).await?;
        let query = format!(
            "subscription ($after: String) {{ feed(after: $after) {{ __typename ... on FeedEntry {{ {FIELDS} }} \
             ... on FeedCaughtUp {{ position cursor }} }} }}"
        );
        let payload = json!({"query": query, "variables": {"after": read.cursor}});
        socket
            .say(&json!({"type": "subscribe", "id": "feed", "payload": payload}))
            .await?;
        Some(Self { socket, read })
    }

    pub async fn next(&mut self) -> News {
        let message = match self.socket.hear().await {
            Heard::Message(message) => message,
            Heard::Closed(code) => return News::Ended(json!(code)),
            Heard::Gone => return News::Ended(json!("gone")),
        };
        if message["type"] != "next" {
            return News::Ended(message);
        }
        let item = &message["payload"]["data"]["feed"];
        if item["__typename"] == "FeedCaughtUp" {
            return News::CaughtUp;
        }
        assert_eq!(item["__typename"], "FeedEntry", "{message}");
        self.read.take(item);
        News::Entry(item.clone())
    }

    /// Reads on until it holds so many entries.
    pub async fn hold(&mut self, entries: usize) {
        let had = self.read.entries.len();
        let reading = async {
            while self.read.entries.len() < entries {
                if let News::Ended(how) = self.next().await {
                    panic!("the subscription ended: {how}");
                }
            }
        };
        within(&format!("entry {entries}, after {had}"), SOON, reading).await;
    }

    /// The code with which the server closes the socket.
    pub async fn closed(self, within_time: Duration) -> u16 {
        self.socket.closed(within_time).await
    }

    /// Reads on until it is told that all that was there has come.
    pub async fn catch_up(&mut self) {
        let reading = async {
            loop {
                match self.next().await {
                    News::Entry(_) => {}
                    News::CaughtUp => return,
                    News::Ended(how) => panic!("the subscription ended: {how}"),
                }
            }
        };
        within("FeedCaughtUp", SOON, reading).await;
    }
}
