//! What a message says, put together from its campaign, its content source and what is known when it goes.
//!
//! Of a sensitive trigger nothing shows to whoever only sees a list of mails: the subject is neutral, and the mail begins with an opening
//! that is longer than any preview.

use entity::campaign::Model;
use entity::employer;
use serde_json::{Value, json};

use super::Campaign;
use super::template::{Form, Template};
use crate::deliver::content::Content;

/// What comes first in a mail with a sensitive trigger: longer than what mail programs show in a list.
const OPENING: &str = "This is a message for you alone. What it says begins further down, so that nobody reads it who only sees the list \
of your mail, the first lines of this one, or a notification on your screen. Please open it where you are by yourself.";

/// A mail's own words.
#[derive(Clone, PartialEq, Eq)]
pub struct Words {
    /// The subject, one line.
    pub subject: String,
    /// The text.
    pub text: String,
    /// The HTML, if there is any.
    pub html: Option<String>,
}

/// Personal, as mail is.
impl std::fmt::Debug for Words {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Words").finish_non_exhaustive()
    }
}

/// What a message is put together by.
#[derive(Debug, Clone, Copy)]
pub struct Occasion<'a> {
    /// What templates can name: `member`, `event`, `achievement`, `employer`, `campaign` and `unsubscribeUrl`.
    pub values: &'a Value,
    /// What the content source has written, if there is one and it answered.
    pub content: Option<&'a Content>,
    /// Whether what brought it about is nobody's business but the member's.
    pub is_sensitive: bool,
    /// The employer's name.
    pub employer: &'a str,
    /// Where the member ends such mail; none: it cannot.
    pub unsubscribe_url: Option<&'a str>,
}

/// What templates can name; of the member, the event and the achievement what the caller knows of them.
pub fn values(
    campaign: &Model,
    employer: &employer::Model,
    (member, event, achievement): (Value, Value, Value),
    unsubscribe_url: Option<&str>,
) -> Value {
    json!({
        "member": member,
        "event": event,
        "achievement": achievement,
        "employer": {"key": employer.key, "name": employer.name},
        "campaign": {"key": campaign.key, "name": campaign.name},
        "unsubscribeUrl": unsubscribe_url,
    })
}

/// Puts a message together; an error says why a template cannot be rendered, and nothing of the member.
pub fn compose(campaign: &Campaign, occasion: &Occasion<'_>) -> Result<Words, String> {
    let row = &campaign.row;
    let render = |source: &str, form| Template::render(source, form, occasion.values);
    let own = occasion.content.cloned().unwrap_or_default();
    let subject = if occasion.is_sensitive {
        let neutral = row.neutral_subject.clone();
        let neutral = neutral.unwrap_or_else(|| format!("A message from {}", occasion.employer));
        Form::Subject.clean(&neutral)?
    } else {
        own.subject
            .map_or_else(|| render(&row.subject, Form::Subject), Ok)?
    };
    let text = own.text.map_or_else(|| render(&row.body_text, Form::Text), Ok)?;
    let html = match (own.html, &row.body_html) {
        (Some(html), _) => Some(html),
        (None, Some(source)) => Some(render(source, Form::Html)?),
        (None, None) => None,
    };
    let (mut text, mut html) = (text, html);
    if let Some(url) = occasion.unsubscribe_url {
        if !text.contains(url) {
            text = format!("{}\n\n--\nTo get no more such mail: {url}\n", text.trim_end());
        }
        html = html.map(|html| {
            if html.contains(url) {
                return html;
            }
            at_end(
                &html,
                &format!("<p><a href=\"{url}\">To get no more such mail</a></p>"),
            )
        });
    }
    if occasion.is_sensitive {
        text = format!("{OPENING}\n\n{text}");
        html = html.map(|html| {
            at_start(
                &html,
                &format!("<div style=\"display:none;max-height:0;overflow:hidden\">{OPENING}</div>"),
            )
        });
    }
    Ok(Words { subject, text, html })
}

/// The page with a part more at the beginning of its body.
fn at_start(html: &str, part: &str) -> String {
    let body = find(html, "<body").and_then(|at| {
        let rest = html.get(at..)?;
        Some(at + rest.find('>')? + 1)
    });
    insert(html, body.unwrap_or(0), part)
}

/// The page with a part more at the end of its body.
fn at_end(html: &str, part: &str) -> String {
    let lower = html.to_ascii_lowercase();
    insert(html, lower.rfind("</body").unwrap_or(html.len()), part)
}

fn find(html: &str, tag: &str) -> Option<usize> {
    html.to_ascii_lowercase().find(tag)
}

fn insert(html: &str, at: usize, part: &str) -> String {
    let (before, after) = html.split_at_checked(at).unwrap_or((html, ""));
    format!("{before}{part}{after}")
}

#[cfg(test)]
mod tests;
