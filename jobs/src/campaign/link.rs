//! What leads from a mail back to its message: the link by which its member unsubscribes, and the id under which mail servers speak of it.
//!
//! The link holds the message's own secret, so that nobody can make one for another. The id holds none: whoever reports a bounce shows a
//! token of its own.

use aws_lc_rs::constant_time;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use entity::id::{EmployerId, MessageId, TypedId};
use entity::message::Model;

/// The longest text of either kind that is looked at, in bytes.
const LONGEST: usize = 512;

/// What a link names, as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// The employer.
    pub employer: EmployerId,
    /// The message.
    pub message: MessageId,
    secret: Vec<u8>,
}

impl Token {
    /// Whether it is the link of this message, and not one that somebody has made up. Takes as long for any secret.
    pub fn is_of(&self, message: &Model) -> bool {
        (self.employer, self.message) == (message.employer_id, message.id)
            && constant_time::verify_slices_are_equal(&self.secret, &message.token).is_ok()
    }
}

/// The address at which the member of a message unsubscribes.
pub fn unsubscribe(public_url: &str, message: &Model) -> String {
    format!(
        "{}/unsubscribe/{}",
        public_url.trim_end_matches('/'),
        token(message)
    )
}

/// The last part of that address.
pub fn token(message: &Model) -> String {
    format!(
        "{}.{}.{}",
        bare(message.employer_id),
        bare(message.id),
        URL_SAFE_NO_PAD.encode(&message.token)
    )
}

/// Reads the last part of such an address; none: it never was one.
pub fn read_token(text: &str) -> Option<Token> {
    let short = Some(text).filter(|text| text.len() <= LONGEST)?;
    let (employer, rest) = short.split_once('.')?;
    let (message, secret) = rest.split_once('.')?;
    Some(Token {
        employer: typed(employer)?,
        message: typed(message)?,
        secret: URL_SAFE_NO_PAD
            .decode(secret)
            .ok()
            .filter(|secret| !secret.is_empty())?,
    })
}

/// What stands before the `@` of the id under which a message is sent.
pub fn message_name(employer: EmployerId, message: MessageId) -> String {
    format!("{}.{}", bare(message), bare(employer))
}

/// The id under which a message is sent, as it stands in its header.
pub fn message_id(employer: EmployerId, message: MessageId, domain: &str) -> String {
    format!("<{}@{domain}>", message_name(employer, message))
}

/// Reads such an id, with or without the angle brackets; none: it is none of ours.
pub fn read_message_id(text: &str) -> Option<(EmployerId, MessageId)> {
    let text = text.trim();
    let inside = text
        .strip_prefix('<')
        .and_then(|text| text.strip_suffix('>'))
        .unwrap_or(text);
    let short = Some(inside).filter(|text| text.len() <= LONGEST)?;
    let (name, domain) = short.split_once('@')?;
    let (message, employer) = name.split_once('.')?;
    let is_whole = !domain.is_empty() && !domain.contains('@');
    is_whole.then_some((typed(employer)?, typed(message)?))
}

/// An id without the prefix that names its type.
fn bare<I: TypedId>(id: I) -> String {
    let text = id.to_string();
    text.split_once('_')
        .map_or_else(String::new, |(_, bare)| bare.to_owned())
}

fn typed<I: TypedId>(bare: &str) -> Option<I> {
    format!("{}_{bare}", I::PREFIX).parse().ok()
}

#[cfg(test)]
mod tests;
