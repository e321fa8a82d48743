//! `smtp.py`: a mail server of other make, which says what it was sent.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;

use crate::support::until::{SOON, eventually};

const CLIENTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients");
const PYTHON: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/python/bin/python");

/// A mail that the server was given.
#[derive(Debug, Clone)]
pub struct Mail(Value);

impl Mail {
    /// The address of the envelope.
    pub fn to(&self) -> &str {
        self.0["to"][0].as_str().expect("an address")
    }

    /// Whether the server has said that it took it.
    pub fn is_accepted(&self) -> bool {
        self.0["accepted"] == Value::Bool(true)
    }

    /// A header; empty: there is none.
    pub fn header(&self, name: &str) -> String {
        let headers = self.0["headers"].as_array().expect("headers");
        let found = headers.iter().find(|header| header[0] == name);
        found
            .and_then(|header| header[1].as_str())
            .unwrap_or_default()
            .to_owned()
    }
}

/// A mail server that runs until it is dropped.
pub struct MailServer {
    child: Child,
    port: u16,
    mails: Arc<Mutex<Vec<Mail>>>,
}

impl MailServer {
    /// Starts it.
    pub async fn start(arguments: &[&str]) -> Self {
        assert!(
            Path::new(PYTHON).exists(),
            "run .ci/test, which installs what the Python clients need"
        );
        let mut child = Command::new(PYTHON)
            .arg("smtp.py")
            .args(arguments)
            .current_dir(CLIENTS)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        let said = BufReader::new(child.stdout.take().expect("it is a pipe"));
        let (mails, port) = (Arc::<Mutex<Vec<Mail>>>::default(), Arc::new(Mutex::new(None)));
        let (kept, found) = (Arc::clone(&mails), Arc::clone(&port));
        std::thread::spawn(move || {
            let mut lines = said.lines().map_while(Result::ok);
            let first = lines.next().and_then(|line| line.parse::<u16>().ok());
            *found.lock().unwrap_or_else(PoisonError::into_inner) = first;
            for line in lines {
                let mail = Mail(serde_json::from_str(&line).expect("a mail a line"));
                kept.lock().unwrap_or_else(PoisonError::into_inner).push(mail);
            }
        });
        let port = eventually("the mail server says where it is", SOON, async || {
            *port.lock().unwrap_or_else(PoisonError::into_inner)
        })
        .await;
        Self { child, port, mails }
    }

    /// Where it is, as the settings say it.
    pub fn url(&self) -> String {
        format!("smtp://127.0.0.1:{}?tls=opportunistic", self.port)
    }

    /// What it was sent so far.
    pub fn mails(&self) -> Vec<Mail> {
        self.mails.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What it was sent, once there is so much of it.
    pub async fn came(&self, count: usize) -> Vec<Mail> {
        eventually(&format!("{count} mails"), SOON, async || {
            let mails = self.mails();
            (mails.len() >= count).then_some(mails)
        })
        .await
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        // It has mostly ended before.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
