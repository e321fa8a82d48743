//! A mail server: where it is, and how far it is trusted.

use std::time::Duration;

use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, TlsParameters};
use percent_encoding::percent_decode_str;
use reqwest::Url;

/// The port of submission, and the one that is encrypted from the first byte on.
const PORTS: (u16, u16) = (587, 465);

/// How the way to the server is kept private.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encryption {
    /// From the first byte on: `smtps://`.
    Implicit,
    /// After STARTTLS, and not at all without: `smtp://`.
    Required,
    /// After STARTTLS where the server offers it: `smtp://…?tls=opportunistic`. A name and a password never go in clear.
    Opportunistic,
}

/// How long each step may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// To connect.
    pub(super) connect: Duration,
    /// To answer a command.
    pub(super) command: Duration,
    /// To take the data, and to answer its end.
    pub(super) data: Duration,
    /// To show that a connection that was idle is alive.
    pub(super) check: Duration,
    /// For a connection to become free.
    pub(super) turn: Duration,
    /// For which a connection that is not used is kept.
    pub(super) idle: Duration,
}

const LIMITS: Limits = Limits {
    connect: Duration::from_secs(10),
    command: Duration::from_secs(30),
    data: Duration::from_mins(1),
    check: Duration::from_secs(5),
    turn: Duration::from_secs(30),
    idle: Duration::from_secs(30),
};
/// Connections at once.
pub const CONNECTIONS: usize = 8;

/// A mail server.
#[derive(Clone)]
pub struct Server {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) encryption: Encryption,
    pub(super) credentials: Option<Credentials>,
    pub(super) connections: usize,
    pub(super) limits: Limits,
    roots: Vec<Certificate>,
}

/// Name and password stay out.
impl std::fmt::Debug for Server {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Server")
            .field("host", &self.host)
            .field("port", &self.port)
            .field("encryption", &self.encryption)
            .finish_non_exhaustive()
    }
}

impl Server {
    /// Reads `PLAUDIT_SMTP_URL`; what is wrong with it is said in a sentence that does not hold it, as it can hold a password.
    pub fn parse(url: &str) -> Result<Self, String> {
        let form = "`smtp://name:password@host:587`, `smtps://host` or `smtp://host?tls=opportunistic`";
        let wrong = || format!("PLAUDIT_SMTP_URL is not an address such as {form}");
        let url = Url::parse(url).map_err(|_| wrong())?;
        let (port, mut encryption) = match url.scheme() {
            "smtp" => (PORTS.0, Encryption::Required),
            "smtps" => (PORTS.1, Encryption::Implicit),
            _ => return Err(wrong()),
        };
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or_else(wrong)?;
        if !matches!(url.path(), "" | "/") || url.fragment().is_some() {
            return Err(wrong());
        }
        for (name, value) in url.query_pairs() {
            encryption = match (&*name, &*value, encryption) {
                ("tls", "required", Encryption::Required) => Encryption::Required,
                ("tls", "opportunistic", Encryption::Required) => Encryption::Opportunistic,
                ("tls", "required" | "opportunistic", _) => {
                    return Err("PLAUDIT_SMTP_URL says `smtps` and `tls`, or `tls` twice".to_owned());
                }
                _ => return Err("PLAUDIT_SMTP_URL takes `tls=required` or `tls=opportunistic`".to_owned()),
            };
        }
        let decode = |text: &str| {
            let text = percent_decode_str(text).decode_utf8().ok();
            // What has a line break in it would be more than a line.
            text.filter(|text| !text.contains(char::is_control))
                .map(String::from)
        };
        let credentials = match (url.username(), url.password()) {
            ("", None) => None,
            (name, Some(password)) if !name.is_empty() => {
                let both = decode(name).zip(decode(password)).ok_or_else(wrong)?;
                Some(Credentials::from(both))
            }
            _ => {
                return Err(
                    "PLAUDIT_SMTP_URL has a name without a password, or the other way round".to_owned(),
                );
            }
        };
        Ok(Self {
            host: host.trim_start_matches('[').trim_end_matches(']').to_owned(),
            port: url.port().unwrap_or(port),
            encryption,
            credentials,
            connections: CONNECTIONS,
            limits: LIMITS,
            roots: Vec::new(),
        })
    }

    /// The same, trusting these certificates (PEM) besides those of the system.
    pub fn trusting(mut self, pem: &str) -> Result<Self, String> {
        let root = Certificate::from_pem(pem.as_bytes()).map_err(|_| "this is no certificate".to_owned())?;
        self.roots.push(root);
        Ok(self)
    }

    /// What encrypts, and whose certificates count: those the system trusts.
    pub(super) fn tls(&self) -> Result<TlsParameters, String> {
        let builder = TlsParameters::builder(self.host.clone());
        self.roots
            .iter()
            .fold(builder, |builder, root| {
                builder.add_root_certificate(root.clone())
            })
            .build()
            .map_err(|_| {
                "the certificates of the system cannot be read, by which mail servers are known".to_owned()
            })
    }
}

#[cfg(test)]
impl Server {
    /// The same with other limits.
    pub(super) fn limited(mut self, connections: usize, change: impl FnOnce(&mut Limits)) -> Self {
        self.connections = connections;
        change(&mut self.limits);
        self
    }
}
