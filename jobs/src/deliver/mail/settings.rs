//! What an operator says about mail, and what contradicts itself.

use std::fs;
use std::path::PathBuf;

use lettre::message::Mailbox;

use super::{Dkim, Mailer, Server};

/// What an operator says about mail.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// `PLAUDIT_SMTP_URL`.
    pub smtp_url: Option<String>,
    /// `PLAUDIT_MAIL_FOLDER`.
    pub folder: Option<PathBuf>,
    /// `PLAUDIT_MAIL_FROM`.
    pub from: Option<String>,
    /// `PLAUDIT_DKIM_KEY_FILE`.
    pub dkim_key_file: Option<PathBuf>,
    /// `PLAUDIT_DKIM_SELECTOR`.
    pub dkim_selector: Option<String>,
}

impl Settings {
    pub(super) fn mailer(&self) -> Result<Mailer, String> {
        let mailer = match (&self.smtp_url, &self.folder) {
            (Some(_), Some(_)) => {
                return Err(
                    "PLAUDIT_SMTP_URL and PLAUDIT_MAIL_FOLDER are both set: mail goes to a server or to a folder"
                        .to_owned(),
                );
            }
            (Some(_), None) if self.from.is_none() => {
                return Err(
                    "PLAUDIT_SMTP_URL is set, but not PLAUDIT_MAIL_FROM: mail has a sender".to_owned(),
                );
            }
            (Some(url), None) => Mailer::smtp(Server::parse(url)?)?,
            (None, Some(folder)) => Mailer::folder(folder),
            (None, None) => return self.nowhere(),
        };
        let mailer = match &self.from {
            Some(from) => mailer.with_from(from)?,
            None => mailer,
        };
        Ok(match self.dkim(&mailer)? {
            Some(dkim) => mailer.with_dkim(dkim),
            None => mailer,
        })
    }

    /// Whoever says how mail is sent, but not where to, has forgotten something.
    fn nowhere(&self) -> Result<Mailer, String> {
        let said = [
            ("PLAUDIT_MAIL_FROM", self.from.is_some()),
            ("PLAUDIT_DKIM_KEY_FILE", self.dkim_key_file.is_some()),
            ("PLAUDIT_DKIM_SELECTOR", self.dkim_selector.is_some()),
        ];
        match said.iter().find(|(_, is_said)| *is_said) {
            Some((name, _)) => Err(format!(
                "{name} is set, but neither PLAUDIT_SMTP_URL nor PLAUDIT_MAIL_FOLDER: mail would go nowhere"
            )),
            None => Ok(Mailer::nowhere()),
        }
    }

    fn dkim(&self, mailer: &Mailer) -> Result<Option<Dkim>, String> {
        let (file, selector) = match (&self.dkim_key_file, &self.dkim_selector) {
            (None, None) => return Ok(None),
            (Some(file), Some(selector)) => (file, selector),
            _ => {
                return Err(
                    "PLAUDIT_DKIM_KEY_FILE and PLAUDIT_DKIM_SELECTOR belong together, and one of them is missing"
                        .to_owned(),
                );
            }
        };
        let key = fs::read_to_string(file)
            .map_err(|error| format!("the file of PLAUDIT_DKIM_KEY_FILE cannot be read: {error}"))?;
        let domain = mailer.inner.from.email.domain();
        Dkim::new(domain, selector, &key).map(Some)
    }
}

/// The sender of the settings.
pub(super) fn sender(text: &str) -> Result<Mailbox, String> {
    let wrong =
        || format!("PLAUDIT_MAIL_FROM is not a sender such as `Plaudit <hello@example.com>`: `{text}`");
    let from: Mailbox = text.parse().map_err(|_| wrong())?;
    let email = super::compose::address(from.email.as_ref()).ok_or_else(wrong)?;
    Ok(Mailbox::new(from.name, email))
}

/// Who sends when nobody was named: what goes to a folder leaves this machine no further.
#[expect(clippy::expect_used, reason = "an address of the source code is one")]
pub(super) fn nobody() -> Mailbox {
    "Plaudit <plaudit@localhost.localdomain>"
        .parse()
        .expect("an address of the source code is one")
}
