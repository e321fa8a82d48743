//! The dialogue with a mail server, step by step, each with its deadline, so that it is known how far a message got.
//!
//! An answer of 4xx or 5xx is judged by what it answers. To the greeting, to STARTTLS and to AUTH it speaks of us and of the installation,
//! and the message waits, whatever the class. From MAIL on it speaks of the message.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::DEFAULT_MECHANISMS;
use lettre::transport::smtp::client::{AsyncSmtpConnection, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Quit, Rcpt, Rset};
use lettre::transport::smtp::extension::ClientId;
use lettre::transport::smtp::response::{Code, Response};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::Outcome;
use super::compose::Composed;
use super::plain::Plain;
use super::server::{Encryption, Limits, Server};

/// "Go ahead with the data."
const GO_AHEAD: u16 = 354;
/// "You are who you say."
const AUTHENTICATED: u16 = 235;
/// How much data is written at once.
const CHUNK: usize = 16 * 1_024;

/// A step that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Fault {
    code: Option<u16>,
    reason: &'static str,
}

impl Fault {
    const fn new(reason: &'static str) -> Self {
        Self { code: None, reason }
    }

    /// Whatever it was, it is not about the message.
    const fn deferred(self) -> Outcome {
        Outcome::Deferred {
            code: self.code,
            reason: self.reason,
        }
    }
}

/// A connection to a server that has let us in.
pub(super) struct Connection {
    smtp: AsyncSmtpConnection,
    limits: Limits,
}

impl Connection {
    /// Connects, encrypts and says who we are, or says why not.
    pub(super) async fn open(server: &Server, tls: &TlsParameters) -> Result<Self, Outcome> {
        Self::try_open(server, tls).await.map_err(Fault::deferred)
    }

    async fn try_open(server: &Server, tls: &TlsParameters) -> Result<Self, Fault> {
        let limits = server.limits;
        let hello = ClientId::default();
        let address = (server.host.as_str(), server.port);
        let smtp = if server.encryption == Encryption::Implicit {
            let opening = AsyncSmtpConnection::connect_tokio1(
                address,
                Some(limits.connect),
                &hello,
                Some(tls.clone()),
                None,
            );
            step(limits.connect.saturating_add(limits.command), opening)
                .await
                .map_err(unopened)?
        } else {
            let stream = timeout(limits.connect, TcpStream::connect(address)).await;
            let stream = stream
                .map_err(|_| Fault::new("TIMEOUT"))?
                .map_err(|_| Fault::new("CONNECTION_FAILED"))?;
            // The end of the data is a small write behind a large one: it must not wait for anything.
            stream
                .set_nodelay(true)
                .map_err(|_| Fault::new("CONNECTION_FAILED"))?;
            let greeting = AsyncSmtpConnection::connect_with_transport(Box::new(Plain::new(stream)), &hello);
            let mut smtp = step(limits.command, greeting).await.map_err(unopened)?;
            if smtp.can_starttls() {
                let starting = smtp.starttls(tls.clone(), &hello);
                step(limits.command, starting).await.map_err(|fault| Fault {
                    reason: if fault.reason == "TIMEOUT" {
                        "TIMEOUT"
                    } else {
                        "TLS_FAILED"
                    },
                    ..fault
                })?;
            } else if server.encryption == Encryption::Required {
                return Err(Fault::new("TLS_NOT_OFFERED"));
            }
            smtp
        };
        let mut connection = Self { smtp, limits };
        if let Some(credentials) = &server.credentials {
            if !connection.smtp.is_encrypted() {
                return Err(Fault::new("TLS_NOT_OFFERED"));
            }
            let auth = connection.smtp.auth(DEFAULT_MECHANISMS, credentials);
            let refused = |fault: Fault| match fault.reason {
                "REFUSED" | "NOT_POSSIBLE" => Fault {
                    reason: "LOGIN_REFUSED",
                    ..fault
                },
                _ => fault,
            };
            let answer = step(limits.command, auth).await.map_err(refused)?;
            expect(&answer, AUTHENTICATED)?;
        }
        Ok(connection)
    }

    /// Whether the server is still there, and ready for another message.
    pub(super) async fn is_ready(&mut self) -> bool {
        step(self.limits.check, self.smtp.command(Rset)).await.is_ok()
    }

    /// Takes leave; whether it is heard does not matter.
    pub(super) async fn close(mut self) {
        drop(step(self.limits.check, self.smtp.command(Quit)).await);
    }

    /// Hands a message over. Says what became of it, and whether the connection is good for another one.
    pub(super) async fn send(&mut self, composed: &Composed) -> (Outcome, bool) {
        if let Err((fault, about)) = self.announce(composed).await {
            let is_answer = fault.code.is_some_and(|code| code != 421);
            return (about_message(fault, about), is_answer);
        }
        let outcome = self.hand_over(&composed.bytes).await;
        let is_answer = !matches!(
            outcome,
            Outcome::Unknown
                | Outcome::Deferred {
                    code: None | Some(421),
                    ..
                }
        );
        (outcome, is_answer)
    }

    /// From whom, to whom, and here it comes; a fault with what it is about.
    async fn announce(&mut self, composed: &Composed) -> Result<(), (Fault, &'static str)> {
        let limit = self.limits.command;
        let sender = Mail::new(composed.envelope.from().cloned(), Vec::new());
        step(limit, self.smtp.command(sender))
            .await
            .map_err(|fault| (fault, "SENDER_REFUSED"))?;
        for to in composed.envelope.to() {
            let recipient = Rcpt::new(to.clone(), Vec::new());
            step(limit, self.smtp.command(recipient))
                .await
                .map_err(|fault| (fault, "RECIPIENT_REFUSED"))?;
        }
        let answer = step(limit, self.smtp.command(Data))
            .await
            .map_err(|fault| (fault, "CONTENT_REFUSED"))?;
        expect(&answer, GO_AHEAD).map_err(|fault| (fault, "CONTENT_REFUSED"))
    }

    /// Writes the data and its end, and waits for the answer.
    async fn hand_over(&mut self, bytes: &[u8]) -> Outcome {
        let ending = AtomicBool::new(false);
        // The end of the data is written when there is no chunk left: to ask for one more is to begin with the end.
        let chunks = bytes.chunks(CHUNK).chain(std::iter::from_fn(|| {
            ending.store(true, Ordering::Relaxed);
            None
        }));
        let answer = step(self.limits.data, self.smtp.message_iter(chunks)).await;
        match answer {
            Ok(answer) if answer.code().severity == POSITIVE => Outcome::Accepted,
            Err(fault) if fault.code.is_some() || !ending.load(Ordering::Relaxed) => {
                about_message(fault, "CONTENT_REFUSED")
            }
            Ok(_) | Err(_) => Outcome::Unknown,
        }
    }
}

const POSITIVE: lettre::transport::smtp::response::Severity =
    lettre::transport::smtp::response::Severity::PositiveCompletion;

/// What an answer to a command about the message means for it.
fn about_message(fault: Fault, about: &'static str) -> Outcome {
    match fault.code {
        // Unknown commands, their order, encryption and names: the server speaks of us.
        Some(500 | 502..=504 | 523 | 530 | 534 | 535 | 538) | None => fault.deferred(),
        Some(500..) => Outcome::Refused {
            code: fault.code,
            reason: about,
        },
        Some(_) => Outcome::Deferred {
            code: fault.code,
            reason: "NOT_NOW",
        },
    }
}

/// A step within its deadline.
async fn step<T>(limit: Duration, doing: impl Future<Output = Result<T, Error>>) -> Result<T, Fault> {
    match timeout(limit, doing).await {
        Err(_) => Err(Fault::new("TIMEOUT")),
        Ok(Ok(done)) => Ok(done),
        Ok(Err(error)) => Err(fault(&error)),
    }
}

/// What an error means. Its text can hold what the server said, and none of it leaves.
fn fault(error: &Error) -> Fault {
    let code = error.status().map(number);
    let reason = if code.is_some() {
        "REFUSED"
    } else if error.is_response() {
        "BAD_ANSWER"
    } else if error.is_client() {
        "NOT_POSSIBLE"
    } else if error.is_tls() {
        "TLS_FAILED"
    } else {
        "BROKEN_OFF"
    };
    Fault { code, reason }
}

/// Until we are let in, what breaks off is a connection that failed.
fn unopened(fault: Fault) -> Fault {
    match fault.reason {
        "BROKEN_OFF" => Fault::new("CONNECTION_FAILED"),
        _ => fault,
    }
}

/// The one code that means what it must; another one that is no refusal means that the two of us do not understand each other.
fn expect(answer: &Response, wanted: u16) -> Result<(), Fault> {
    if number(answer.code()) == wanted {
        Ok(())
    } else {
        Err(Fault::new("BAD_ANSWER"))
    }
}

fn number(code: Code) -> u16 {
    code.into()
}
