//! A mail server that behaves, except where it is told not to.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What the server does instead of behaving.
#[derive(Debug, Clone, Copy)]
pub enum Then {
    /// Says this.
    Say(&'static str),
    /// Ends the connection.
    Close,
    /// Says nothing more, and reads nothing more.
    Hang,
}

type Script = &'static [(&'static str, Then)];

/// What has come.
#[derive(Debug, Default)]
struct Seen {
    commands: Vec<String>,
    messages: Vec<String>,
    connections: usize,
}

/// A server on this machine.
pub struct Scripted {
    pub port: u16,
    seen: Arc<Mutex<Seen>>,
    news: watch::Receiver<usize>,
}

impl Scripted {
    /// Does this at these stages: `greeting`, a command, `body` for the data, `.` for its end.
    pub async fn start(script: Script) -> Self {
        Self::start_with(script, false).await
    }

    /// As [`Scripted::start`], and the connection ends after the answer to a message.
    pub async fn start_and_close_after_data(script: Script) -> Self {
        Self::start_with(script, true).await
    }

    async fn start_with(script: Script, closes: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::<Mutex<Seen>>::default();
        let (tell, news) = watch::channel(0);
        let tell = Arc::new(tell);
        let kept = Arc::clone(&seen);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                seen.lock().unwrap().connections += 1;
                tokio::spawn(talk(stream, script, closes, Arc::clone(&seen), Arc::clone(&tell)));
            }
        });
        Self {
            port,
            seen: kept,
            news,
        }
    }

    pub fn commands(&self) -> Vec<String> {
        self.seen.lock().unwrap().commands.clone()
    }

    pub fn messages(&self) -> Vec<String> {
        self.seen.lock().unwrap().messages.clone()
    }

    pub fn connections(&self) -> usize {
        self.seen.lock().unwrap().connections
    }

    /// The command that begins so, once it has come.
    pub async fn until(&self, command: &str) -> String {
        let mut news = self.news.clone();
        loop {
            let found = self.commands().into_iter().find(|one| one.starts_with(command));
            if let Some(found) = found {
                return found;
            }
            news.changed().await.unwrap();
        }
    }
}

async fn talk(
    stream: TcpStream,
    script: Script,
    closes: bool,
    seen: Arc<Mutex<Seen>>,
    tell: Arc<watch::Sender<usize>>,
) {
    let mut stream = BufReader::new(stream);
    let then = |stage: &str| script.iter().find(|(at, _)| *at == stage).map(|(_, then)| *then);
    let mut stage = "greeting".to_owned();
    let mut good = "220 here\r\n";
    loop {
        let mut goes_on = stage == "DATA";
        let answer = match then(&stage) {
            None => good,
            Some(Then::Say(answer)) => {
                goes_on &= answer.starts_with("354");
                answer
            }
            Some(Then::Close) => return,
            Some(Then::Hang) => return std::future::pending().await,
        };
        if stream.write_all(answer.as_bytes()).await.is_err() || (closes && stage == ".") || stage == "QUIT" {
            return;
        }
        if goes_on {
            if let Some(Then::Hang) = then("body") {
                drop(stream.read(&mut [0; 1]).await);
                return std::future::pending().await;
            }
            let Some(message) = data(&mut stream).await else {
                return;
            };
            seen.lock().unwrap().messages.push(message);
            (stage, good) = (".".to_owned(), "250 queued\r\n");
            continue;
        }
        let mut line = Vec::new();
        if !matches!(stream.read_until(b'\n', &mut line).await, Ok(1..)) {
            return;
        }
        let line = String::from_utf8_lossy(&line).trim_end().to_owned();
        stage = line.split(' ').next().unwrap().to_owned();
        good = match stage.as_str() {
            "DATA" => "354 go\r\n",
            "QUIT" => "221 bye\r\n",
            _ => "250 fine\r\n",
        };
        seen.lock().unwrap().commands.push(line);
        tell.send_modify(|count| *count += 1);
    }
}

/// A message with its dots taken off, as far as its end.
async fn data(stream: &mut BufReader<TcpStream>) -> Option<String> {
    let mut message = String::new();
    loop {
        let mut line = Vec::new();
        let read = stream.read_until(b'\n', &mut line).await.ok()?;
        let line = String::from_utf8_lossy(&line).into_owned();
        if read == 0 {
            return None;
        }
        if line == ".\r\n" {
            return Some(message);
        }
        message.push_str(line.strip_prefix('.').unwrap_or(&line));
    }
}
