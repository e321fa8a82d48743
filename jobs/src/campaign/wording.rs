//! What a message of a campaign says: its templates filled in, and what keeps a sensitive one from being read over a shoulder.

use entity::campaign::Model;
use serde_json::Value;

use super::template::{Form, Template};
use crate::deliver::content::Content;

/// The beginning of what is sensitive: longer than what a list of mail shows beside a subject, which is rarely more than 150 characters.
const OPENING: &str = "This is a personal message, for you alone. It begins with words that say nothing of what it is about, so that \
                       nobody who sees your screen or the list of your mail can read it there. What it is about stands below, after these lines.";

/// What a message says.
#[derive(Clone, PartialEq, Eq)]
pub struct Wording {
    /// One line.
    pub subject: String,
    /// Plain text.
    pub text: String,
    /// A page; none: there is the text alone.
    pub html: Option<String>,
}

/// Personal, as mail is.
impl std::fmt::Debug for Wording {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Wording").finish_non_exhaustive()
    }
}

/// Fills in the templates of a campaign; what `content` has takes their place. A fault names the template and the place in it, and quotes
/// no value.
///
/// `is_sensitive` says that what has brought the message about is nobody's business but the member's: then neither the subject nor what a
/// list of mail shows beside it tells anything of it.
pub fn wording(
    campaign: &Model,
    employer_name: &str,
    values: &Value,
    content: &Content,
    is_sensitive: bool,
) -> Result<Wording, String> {
    let fill = |what: &str, source: &str, form: Form, given: Option<&String>| {
        let filled = match given {
            Some(given) => form.clean(given),
            None => Template::render(source, form, values),
        };
        filled.map_err(|fault| format!("{what}: {fault}"))
    };
    let subject = if is_sensitive {
        let neutral = campaign.neutral_subject.clone();
        Form::Subject.clean(&neutral.unwrap_or_else(|| format!("A message from {employer_name}")))?
    } else {
        fill(
            "subject",
            &campaign.subject,
            Form::Subject,
            content.subject.as_ref(),
        )?
    };
    let text = fill("text", &campaign.body_text, Form::Text, content.text.as_ref())?;
    let html = match (campaign.body_html.as_deref(), content.html.as_ref()) {
        (None, None) => None,
        (source, given) => Some(fill("html", source.unwrap_or_default(), Form::Html, given)?),
    };
    if !is_sensitive {
        return Ok(Wording { subject, text, html });
    }
    Ok(Wording {
        subject,
        text: format!("{OPENING}\n\n\n{text}"),
        html: html.map(|html| with_preheader(&html)),
    })
}

/// The page with an opening that only a list of mail shows: in its body, where it says where that begins.
fn with_preheader(html: &str) -> String {
    let hidden = "display:none;max-height:0;overflow:hidden";
    let preheader = format!("<div style=\"{hidden}\" aria-hidden=\"true\">{OPENING}</div>");
    let (before, after) = end_of_body_tag(html)
        .and_then(|place| html.split_at_checked(place))
        .unwrap_or(("", html));
    format!("{before}{preheader}{after}")
}

/// Where the tag `<body …>` ends.
fn end_of_body_tag(html: &str) -> Option<usize> {
    let lower = html.to_ascii_lowercase();
    let start = lower.find("<body")?;
    let end = lower.get(start..)?.find('>')?;
    start.checked_add(end)?.checked_add(1)
}

#[cfg(test)]
mod tests;
