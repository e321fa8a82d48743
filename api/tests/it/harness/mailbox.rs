//! A mail server, which takes what it is sent, or behaves as the name before the at sign says:
//!
//! - `busy…` is put off, `gone…` is refused for good,
//! - `lost…` has its message read to the end, and then the connection is closed without an answer.

use std::sync::{Arc, Mutex};

use mailparse::MailHeaderMap;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// A mail server of a test.
pub struct Mailbox {
    url: String,
    taken: Arc<Mutex<Vec<Received>>>,
    task: JoinHandle<()>,
}

/// A mail that was taken.
#[derive(Debug, Clone)]
pub struct Received {
    /// The address of the envelope.
    pub to: String,
    /// The subject.
    pub subject: String,
    /// The text.
    pub text: String,
    /// The HTML, if there is any.
    pub html: Option<String>,
    /// The whole, as it came.
    pub raw: String,
}

impl Received {
    /// A header, as it came.
    pub fn header(&self, name: &str) -> Option<String> {
        let parsed = mailparse::parse_mail(self.raw.as_bytes()).unwrap();
        parsed.headers.get_first_value(name)
    }
}

impl Mailbox {
    /// Opens one at an address of its own.
    pub async fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let taken: Arc<Mutex<Vec<Received>>> = Arc::default();
        let all = Arc::clone(&taken);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let taken = Arc::clone(&all);
                // Whoever goes away in the middle of it has sent nothing.
                tokio::spawn(async move { drop(talk(stream, &taken).await) });
            }
        });
        Self {
            url: format!("smtp://{address}?tls=opportunistic"),
            taken,
            task,
        }
    }

    /// Where it is, as the settings say it.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What it has taken since it was last asked, in the order of arrival.
    pub fn take(&self) -> Vec<Received> {
        std::mem::take(&mut *self.taken.lock().unwrap())
    }
}

impl Drop for Mailbox {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn talk(stream: TcpStream, taken: &Mutex<Vec<Received>>) -> std::io::Result<()> {
    let (read, mut write) = stream.into_split();
    let mut lines = BufReader::new(read).lines();
    write.write_all(b"220 mail.test ESMTP\r\n").await?;
    let mut to = String::new();
    while let Some(line) = lines.next_line().await? {
        let command = line.split([' ', ':']).next().unwrap_or_default().to_uppercase();
        let answer = match command.as_str() {
            "EHLO" => "250-mail.test\r\n250 8BITMIME",
            "RCPT" => {
                to = address(&line);
                match to.as_str() {
                    name if name.starts_with("busy") => "451 not now",
                    name if name.starts_with("gone") => "550 5.1.1 no such address",
                    _ => "250 ok",
                }
            }
            "DATA" => {
                write.write_all(b"354 go on\r\n").await?;
                let mut raw = String::new();
                while let Some(line) = lines.next_line().await? {
                    if line == "." {
                        break;
                    }
                    raw.push_str(line.strip_prefix('.').unwrap_or(&line));
                    raw.push_str("\r\n");
                }
                taken.lock().unwrap().push(read_mail(to.clone(), raw));
                if to.starts_with("lost") {
                    return Ok(());
                }
                "250 taken"
            }
            "QUIT" => "221 bye",
            _ => "250 ok",
        };
        write.write_all(format!("{answer}\r\n").as_bytes()).await?;
    }
    Ok(())
}

fn address(line: &str) -> String {
    let inside = line.split_once('<').and_then(|(_, rest)| rest.split_once('>'));
    inside.map(|(address, _)| address.to_owned()).unwrap()
}

fn read_mail(to: String, raw: String) -> Received {
    let parsed = mailparse::parse_mail(raw.as_bytes()).unwrap();
    let part = |kind: &str| {
        parsed
            .parts()
            .find(|part| part.ctype.mimetype == kind)
            .map(|part| part.get_body().unwrap().replace("\r\n", "\n"))
    };
    Received {
        to,
        subject: parsed.headers.get_first_value("Subject").unwrap(),
        text: part("text/plain").unwrap(),
        html: part("text/html"),
        raw,
    }
}
