//! A subscription to a feed by server-sent events, which goes on by the id of the last one.

use serde_json::json;

use super::feed::{FIELDS, News, Read};
use super::graphql::Api;

/// An open stream.
pub struct EventStream {
    answer: reqwest::Response,
    /// What has come of the next event.
    text: String,
    pub read: Read,
}

impl EventStream {
    /// Subscribes after what was read before, which it says by `Last-Event-ID` alone; none where no stream begins.
    pub async fn open(api: &Api, read: Read) -> Option<Self> {
        let query = format!("subscription {{ feed {{ __typename ... on FeedEntry {{ {FIELDS} }} }} }}");
        let mut request = api
            .http
            .post(format!("http://{}/graphql", api.address))
            .bearer_auth(&api.token)
            .header("accept", "text/event-stream");
        if let Some(cursor) = read.cursor() {
            request = request.header("last-event-id", cursor);
        }
        let answer = request.json(&json!({"query": query})).send().await.ok()?;
        (answer.status() == 200).then(|| Self {
            answer,
            text: String::new(),
            read,
        })
    }

    pub async fn next(&mut self) -> News {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let (event, rest) = (event.to_owned(), rest.to_owned());
                self.text = rest;
                match self.take(&event) {
                    Some(news) => return news,
                    None => continue,
                }
            }
            match self.answer.chunk().await {
                Ok(Some(chunk)) => self
                    .text
                    .push_str(std::str::from_utf8(&chunk).expect("whole characters")),
                Ok(None) | Err(_) => return News::Ended(json!("gone")),
            }
        }
    }

    /// What an event tells; none: it is a comment.
    fn take(&mut self, event: &str) -> Option<News> {
        let field = |name: &str| event.lines().find_map(|line| line.strip_prefix(name));
        let data = match field("event: ")? {
            "next" => field("data: ").expect("data"),
            other => return Some(News::Ended(json!(other))),
        };
        let data: serde_json::Value = serde_json::from_str(data).expect("JSON");
        let item = &data["data"]["feed"];
        match item["__typename"].as_str() {
            Some("FeedEntry") => {
                assert_eq!(field("id: "), item["cursor"].as_str(), "{event}");
                self.read.take(item);
                Some(News::Entry(item.clone()))
            }
            Some("FeedCaughtUp") => Some(News::CaughtUp),
            _ => Some(News::Ended(data)),
        }
    }
}
