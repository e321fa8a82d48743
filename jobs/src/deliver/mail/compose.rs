//! A mail as the bytes of a message: MIME, and the headers that say what it is.
//!
//! Nothing that is put in can become a header, a line of the dialogue or another part: addresses are checked, an id and a link have no white space,
//! a subject is a line, and bodies are encoded, so that no line of them is longer than 76 characters or ends in anything but CR LF.

use std::time::SystemTime;

use lettre::address::{Address, Envelope};
use lettre::message::header::{ContentTransferEncoding, ContentType, HeaderName, HeaderValue, MessageId};
use lettre::message::{Body, Mailbox, Message, MultiPart, SinglePart};
use reqwest::Url;

use super::{Dkim, Mail};
use crate::campaign::template::Form;

/// The longest address, in bytes.
const ADDRESS_MAX: usize = 254;
/// The longest id or link: its line holds no more.
const LINE_MAX: usize = 900;

/// A message, and between whom.
pub(super) struct Composed {
    pub(super) envelope: Envelope,
    pub(super) bytes: Vec<u8>,
}

/// A mail as a message, or the short code of what is wrong with it.
pub(super) fn compose(mail: &Mail, dkim: Option<&Dkim>) -> Result<Composed, &'static str> {
    let from: Mailbox = mail.from.parse().map_err(|_| "BAD_SENDER")?;
    let from = Mailbox::new(from.name, address(from.email.as_ref()).ok_or("BAD_SENDER")?);
    let to = address(&mail.to).ok_or("BAD_ADDRESS")?;
    let domain = from.email.domain().to_owned();
    let envelope = Envelope::new(Some(from.email.clone()), vec![to.clone()]).map_err(|_| "BAD_ADDRESS")?;
    let subject = Form::Subject.clean(&mail.subject).map_err(|_| "BAD_SUBJECT")?;
    let mut message = Message::builder()
        .envelope(envelope.clone())
        .from(from)
        .to(Mailbox::new(None, to))
        .subject(subject)
        .date(SystemTime::from(mail.date))
        .header(id(&mail.message_id).ok_or("BAD_MESSAGE_ID")?)
        .raw_header(fixed("Auto-Submitted", "auto-generated".to_owned()));
    if let Some(url) = &mail.unsubscribe_url {
        let url = link(url).ok_or("BAD_UNSUBSCRIBE_URL")?;
        message = message
            .raw_header(fixed("List-Unsubscribe", format!("<{url}>")))
            .raw_header(fixed(
                "List-Unsubscribe-Post",
                "List-Unsubscribe=One-Click".to_owned(),
            ));
    }
    let text = part(ContentType::TEXT_PLAIN, &mail.text)?;
    let message = match &mail.html {
        Some(html) => {
            let html = part(ContentType::TEXT_HTML, html)?;
            message.multipart(MultiPart::alternative().singlepart(text).singlepart(html))
        }
        None => message.singlepart(text),
    };
    let mut bytes = message.map_err(|_| "BAD_MESSAGE")?.formatted();
    if let Some(dkim) = dkim.filter(|dkim| dkim.is_of(&domain)) {
        let mut signed = dkim.sign(&bytes).ok_or("NOT_SIGNED")?;
        signed.append(&mut bytes);
        bytes = signed;
    }
    Ok(Composed { envelope, bytes })
}

/// An address that can stand in a dialogue and in a header. Its domain may be of any script; what is before the `@` not, as few servers take that.
pub(super) fn address(text: &str) -> Option<Address> {
    let is_strange = |character: char| {
        character.is_control()
            || character.is_whitespace()
            || matches!(character, '<' | '>' | '"' | '\\' | '(' | ')' | ',')
    };
    if text.len() > ADDRESS_MAX || text.contains(is_strange) {
        return None;
    }
    let (user, domain) = text.rsplit_once('@')?;
    if domain.is_ascii() {
        return Address::new(user, domain).ok().filter(|_| user.is_ascii());
    }
    let url = Url::parse(&format!("https://{domain}/")).ok()?;
    let domain = url.host_str().filter(|host| host.contains('.'))?;
    Address::new(user, domain).ok().filter(|_| user.is_ascii())
}

fn id(text: &str) -> Option<MessageId> {
    let is_fine = |character: char| character.is_ascii_graphic() && !matches!(character, '<' | '>');
    let (left, right) = text.split_once('@')?;
    let fits = text.len() <= LINE_MAX && !left.is_empty() && !right.is_empty() && !right.contains('@');
    (fits && text.chars().all(is_fine)).then(|| MessageId::from(format!("<{text}>")))
}

/// A link as it is written down: the parser leaves no white space, no brackets and nothing but ASCII.
fn link(text: &str) -> Option<String> {
    let url = Url::parse(text).ok()?;
    let is_fine = |character: char| character.is_ascii_graphic() && !matches!(character, '<' | '>' | ',');
    let fits = matches!(url.scheme(), "https" | "http") && url.as_str().len() <= LINE_MAX;
    (fits && url.as_str().chars().all(is_fine)).then(|| url.into())
}

/// A header whose value is fit to be written as it is.
fn fixed(name: &'static str, value: String) -> HeaderValue {
    let name = HeaderName::new_from_ascii_str(name);
    HeaderValue::dangerous_new_pre_encoded(name, value.clone(), value)
}

fn part(kind: ContentType, text: &str) -> Result<SinglePart, &'static str> {
    let form = if kind == ContentType::TEXT_HTML {
        Form::Html
    } else {
        Form::Text
    };
    let mut text = form.clean(text).map_err(|_| "TOO_LONG")?;
    // A last line that is not ended would be joined to what follows.
    if !text.ends_with('\n') {
        text.push('\n');
    }
    let body =
        Body::new_with_encoding(text, ContentTransferEncoding::QuotedPrintable).map_err(|_| "BAD_MESSAGE")?;
    Ok(SinglePart::builder().header(kind).body(body))
}
