//! Mail: composed here, and handed to a mail server, or written to a folder in development.
//!
//! What matters is to know what became of it. A mail server takes a message over when it has read the end of its data and answers so; until we
//! begin to write that end, nothing has been taken over, whatever breaks, and the mail may be sent again. From there on, only an answer
//! tells: without one, nobody knows, and nobody but a person may send it again. [`Outcome`] has a variant for each.
//!
//! No address, subject or text is logged, and no outcome holds any.

mod compose;
mod dialogue;
mod dkim;
mod folder;
mod plain;
mod pool;
mod server;
mod settings;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use lettre::message::Mailbox;

pub use dkim::Dkim;
pub use server::{CONNECTIONS, Encryption, Server};
pub use settings::Settings;

use pool::Pool;

/// A mail to one person.
#[derive(Clone, PartialEq, Eq)]
pub struct Mail {
    /// Whose it is: `Acme <hello@acme.example>`, or the address alone.
    pub from: String,
    /// The address it goes to.
    pub to: String,
    /// What it is about, in a line.
    pub subject: String,
    /// What it says, as plain text.
    pub text: String,
    /// What it says, as a page.
    pub html: Option<String>,
    /// Its id, `something@domain` without angle brackets: always the same for the same message.
    pub message_id: String,
    /// When it was written.
    pub date: DateTime<Utc>,
    /// Where one click ends such mail; what is not advertising has none.
    pub unsubscribe_url: Option<String>,
}

/// A mail is personal: what it holds is not shown by accident.
impl fmt::Debug for Mail {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Mail")
            .field("message_id", &self.message_id)
            .finish_non_exhaustive()
    }
}

/// What became of a mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The server has taken it over.
    Accepted,
    /// Not taken over, for now: it may be sent again.
    Deferred {
        /// The server's answer, if it was one.
        code: Option<u16>,
        /// Why, as a short code.
        reason: &'static str,
    },
    /// Refused for good.
    Refused {
        /// The server's answer; none when there was nothing that could be sent.
        code: Option<u16>,
        /// Why, as a short code: `RECIPIENT_REFUSED` is about the address alone.
        reason: &'static str,
    },
    /// It may have been taken over, or not: sending it again could be sending it twice.
    Unknown,
}

impl Outcome {
    /// A word for counts and rows: `accepted`, `deferred`, `refused` or `unknown`.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Deferred { .. } => "deferred",
            Self::Refused { .. } => "refused",
            Self::Unknown => "unknown",
        }
    }
}

/// Where mail goes. Cheap to clone; all clones are one.
#[derive(Clone, Debug)]
pub struct Mailer {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    way: Way,
    from: Mailbox,
    dkim: Option<Dkim>,
}

#[derive(Debug)]
enum Way {
    Nowhere,
    Folder(PathBuf),
    Smtp(Arc<Pool>),
}

impl Mailer {
    fn new(way: Way, from: Mailbox, dkim: Option<Dkim>) -> Self {
        let inner = Arc::new(Inner { way, from, dkim });
        Self { inner }
    }

    /// Mail goes nowhere: what is to be sent waits.
    pub fn nowhere() -> Self {
        Self::new(Way::Nowhere, settings::nobody(), None)
    }

    /// Mail is written to a folder, a file each.
    pub fn folder(folder: impl Into<PathBuf>) -> Self {
        Self::new(Way::Folder(folder.into()), settings::nobody(), None)
    }

    /// Mail is handed to this server; what is wrong with the certificates of the system is said in a sentence.
    pub fn smtp(server: Server) -> Result<Self, String> {
        Ok(Self::new(Way::Smtp(Pool::new(server)?), settings::nobody(), None))
    }

    /// As [`Mailer::smtp`] or [`Mailer::folder`], whichever the settings say; contradictions are refused in a sentence.
    pub fn of(settings: &Settings) -> Result<Self, String> {
        settings.mailer()
    }

    /// The same with another sender.
    pub fn with_from(self, from: &str) -> Result<Self, String> {
        let from = settings::sender(from)?;
        Ok(self.changed(|inner| inner.from = from))
    }

    /// The same, signing what is from the key's domain.
    pub fn with_dkim(self, dkim: Dkim) -> Self {
        self.changed(|inner| inner.dkim = Some(dkim))
    }

    fn changed(self, change: impl FnOnce(&mut Inner)) -> Self {
        let way = match &self.inner.way {
            Way::Nowhere => Way::Nowhere,
            Way::Folder(folder) => Way::Folder(folder.clone()),
            Way::Smtp(pool) => Way::Smtp(Arc::clone(pool)),
        };
        let mut inner = Inner {
            way,
            from: self.inner.from.clone(),
            dkim: self.inner.dkim.clone(),
        };
        change(&mut inner);
        Self {
            inner: Arc::new(inner),
        }
    }

    /// Whether there is nowhere to send anything to: what is to be sent waits.
    pub fn goes_nowhere(&self) -> bool {
        matches!(self.inner.way, Way::Nowhere)
    }

    /// Whether mail goes to a server.
    pub fn leaves_this_machine(&self) -> bool {
        matches!(self.inner.way, Way::Smtp(_))
    }

    /// The sender of the settings, under another name if one is given: for [`Mail::from`].
    pub fn sender(&self, name: Option<&str>) -> String {
        let mut from = self.inner.from.clone();
        if let Some(name) = name {
            let name = crate::campaign::template::Form::Subject.clean(name);
            from.name = name.ok().filter(|name| !name.is_empty());
        }
        from.to_string()
    }

    /// The id under which a message is sent, for [`Mail::message_id`].
    pub fn message_id(&self, message: &str) -> String {
        format!("{message}@{}", self.inner.from.email.domain())
    }

    /// Sends a mail, and says what became of it.
    pub async fn send(&self, mail: &Mail) -> Outcome {
        let composed = match compose::compose(mail, self.inner.dkim.as_ref()) {
            Ok(composed) => composed,
            Err(reason) => return Outcome::Refused { code: None, reason },
        };
        match &self.inner.way {
            Way::Nowhere => Outcome::Deferred {
                code: None,
                reason: "NO_MAIL_SERVER",
            },
            Way::Folder(folder) => folder::write(folder.clone(), &mail.message_id, composed.bytes).await,
            Way::Smtp(pool) => pool.send(&composed).await,
        }
    }
}

/// Where mail goes, for the log: the host of a server, or a folder.
impl fmt::Display for Mailer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.inner.way {
            Way::Nowhere => formatter.write_str("nowhere"),
            Way::Folder(folder) => write!(formatter, "the folder {}", folder.display()),
            Way::Smtp(pool) => write!(formatter, "the server {}", pool.host()),
        }
    }
}

impl Default for Mailer {
    fn default() -> Self {
        Self::nowhere()
    }
}

#[cfg(test)]
mod tests;
