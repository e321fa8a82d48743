//! Content of a mail that an employer's own server writes: asked for over HTTP when the mail is sent, within a deadline.
//!
//! The server gets `{"campaign", "member": {"ref", "locale", "attributes"}, "event": {"type", "properties"}}` and answers 200 with an object that may hold
//! `subject`, `text` and `html`; each takes the place of the campaign's own, as it is: it is no template. Whatever else happens, the campaign's own
//! content goes out, and the failure is counted. Its address is held to the rules of every call to the outside ([`super::egress`]).
//!
//! What was answered is remembered for a minute, so that what is tried again does not ask again: failures are not.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_lc_rs::digest::{Context, SHA256};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio::time::Instant;

use super::egress::{Answer, CallError, Egress};
use crate::campaign::template::Form;
use crate::metrics::{Count, Metrics};

/// The longest that a source may take, whatever the campaign says.
pub const DEADLINE_MAX: Duration = Duration::from_secs(10);
/// How long an answer is remembered.
const REMEMBERED: Duration = Duration::from_mins(1);
/// How many answers are remembered.
const ANSWERS: usize = 500;

const SOURCES: Count = Count::new(
    "content_sources",
    "Content of mail that was asked for, by outcome",
);

/// A question for content.
#[derive(Debug, Clone)]
pub struct Question<'a> {
    /// The id of the campaign; with its version it says which answers are the same.
    pub campaign_id: &'a str,
    /// The version of the campaign.
    pub version: i64,
    /// Where the source is.
    pub url: &'a str,
    /// How long it may take; never more than [`DEADLINE_MAX`].
    pub deadline: Duration,
    /// What it is told.
    pub body: Body<'a>,
}

/// What a source is told.
#[derive(Debug, Clone, Serialize)]
pub struct Body<'a> {
    /// The key of the campaign.
    pub campaign: &'a str,
    /// Whom the mail goes to.
    pub member: Member<'a>,
    /// What happened, where an event is behind it.
    pub event: Option<Event<'a>>,
}

/// A member as a source may know them.
#[derive(Debug, Clone, Serialize)]
pub struct Member<'a> {
    /// The employer's own id.
    #[serde(rename = "ref")]
    pub reference: &'a str,
    /// Their language.
    pub locale: Option<&'a str>,
    /// What the employer has said of them.
    pub attributes: &'a Map<String, Value>,
}

/// An event as a source may know it.
#[derive(Debug, Clone, Serialize)]
pub struct Event<'a> {
    /// Its type.
    #[serde(rename = "type")]
    pub event_type: &'a str,
    /// Its properties.
    pub properties: &'a Map<String, Value>,
}

/// What a source has written, clean: what is not there stays as the campaign has it.
#[derive(Clone, PartialEq, Eq, Default, Deserialize)]
pub struct Content {
    /// The subject.
    pub subject: Option<String>,
    /// The text.
    pub text: Option<String>,
    /// The page.
    pub html: Option<String>,
}

/// Personal, as mail is.
impl std::fmt::Debug for Content {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Content").finish_non_exhaustive()
    }
}

/// Why there is no content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// Not answered to the end in time.
    #[error("TIMEOUT")]
    Timeout,
    /// Answered, but not with 200.
    #[error("STATUS")]
    Status,
    /// The answer is larger than 64 KiB.
    #[error("TOO_LARGE")]
    TooLarge,
    /// The answer is no object with texts.
    #[error("NOT_JSON")]
    NotJson,
    /// The address may not be called.
    #[error("REFUSED_ADDRESS")]
    RefusedAddress,
    /// No connection, or it broke off.
    #[error("CONNECTION")]
    Connection,
}

impl Failure {
    /// The short code by which it is shown.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Timeout => "TIMEOUT",
            Self::Status => "STATUS",
            Self::TooLarge => "TOO_LARGE",
            Self::NotJson => "NOT_JSON",
            Self::RefusedAddress => "REFUSED_ADDRESS",
            Self::Connection => "CONNECTION",
        }
    }
}

/// The answers of a while. Cheap to clone; all clones are one.
#[derive(Debug, Clone, Default)]
pub struct Contents {
    // Never held across an await.
    known: Arc<Mutex<Known>>,
}

/// Answers, and when each came: the oldest first.
#[derive(Debug, Default)]
struct Known {
    answers: HashMap<Key, Arc<Content>>,
    order: VecDeque<(Instant, Key)>,
}

type Key = [u8; 32];

impl Contents {
    /// What the source says, now or a moment ago.
    pub async fn ask(
        &self,
        egress: &Egress,
        metrics: &Metrics,
        question: &Question<'_>,
    ) -> Result<Arc<Content>, Failure> {
        let count = |outcome| metrics.count(&SOURCES, [("outcome", outcome)], 1);
        let body = serde_json::to_string(&question.body).map_err(|_| Failure::NotJson)?;
        let key = key(question, &body);
        if let Some(known) = self.lock().get(&key) {
            count("remembered");
            return Ok(known);
        }
        let deadline = question.deadline.min(DEADLINE_MAX);
        let answer = egress.post(question.url, &[], body, deadline).await;
        match read(answer) {
            Ok(content) => {
                let content = Arc::new(content);
                self.lock().put(key, Arc::clone(&content));
                count("answered");
                Ok(content)
            }
            Err(failure) => {
                count(failure.code());
                Err(failure)
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn get(&mut self, key: &Key) -> Option<Arc<Content>> {
        while let Some((came, old)) = self.order.front() {
            if came.elapsed() < REMEMBERED {
                break;
            }
            self.answers.remove(old);
            self.order.pop_front();
        }
        self.answers.get(key).cloned()
    }

    fn put(&mut self, key: Key, content: Arc<Content>) {
        // Two may have asked the same at once: the first answer stays as long as it would have.
        if self.answers.contains_key(&key) {
            return;
        }
        if self.order.len() >= ANSWERS
            && let Some((_, oldest)) = self.order.pop_front()
        {
            self.answers.remove(&oldest);
        }
        self.order.push_back((Instant::now(), key));
        self.answers.insert(key, content);
    }
}

/// What makes two questions the same.
fn key(question: &Question<'_>, body: &str) -> Key {
    let mut digest = Context::new(&SHA256);
    for part in [question.campaign_id, question.url, body] {
        // With its length, so that no two questions read as the same bytes.
        digest.update(&part.len().to_be_bytes());
        digest.update(part.as_bytes());
    }
    digest.update(&question.version.to_be_bytes());
    let mut key = [0; 32];
    for (to, from) in key.iter_mut().zip(digest.finish().as_ref()) {
        *to = *from;
    }
    key
}

fn read(answer: Result<Answer, CallError>) -> Result<Content, Failure> {
    let answer = answer.map_err(|error| match error {
        CallError::Refused => Failure::RefusedAddress,
        CallError::Timeout(_) => Failure::Timeout,
        CallError::Connection | CallError::Broken(_) => Failure::Connection,
    })?;
    if answer.status != 200 {
        return Err(Failure::Status);
    }
    if answer.is_cut {
        return Err(Failure::TooLarge);
    }
    // By way of a map: what reads a struct would take a list for one.
    let fields: Map<String, Value> = serde_json::from_slice(&answer.body).map_err(|_| Failure::NotJson)?;
    let content: Content = serde_json::from_value(Value::Object(fields)).map_err(|_| Failure::NotJson)?;
    Ok(Content {
        subject: clean(Form::Subject, content.subject)?,
        text: clean(Form::Text, content.text)?,
        html: clean(Form::Html, content.html)?,
    })
}

/// The text as it may stand in a mail; an empty one is none.
fn clean(form: Form, text: Option<String>) -> Result<Option<String>, Failure> {
    let clean = text
        .map(|text| form.clean(&text))
        .transpose()
        .map_err(|_| Failure::TooLarge)?;
    Ok(clean.filter(|text| !text.trim().is_empty()))
}

#[cfg(test)]
mod tests;
