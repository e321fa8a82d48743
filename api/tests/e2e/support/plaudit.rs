//! The built program as a process.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::Value;

use super::database::Database;
use super::until::{SOON, eventually};

/// Settings a developer may have in the environment, and no test may see.
const SETTINGS: &[&str] = &[
    "PLAUDIT_ALLOW_PRIVATE_NETWORKS",
    "PLAUDIT_DATABASE_URL",
    "PLAUDIT_DKIM_KEY_FILE",
    "PLAUDIT_DKIM_SELECTOR",
    "PLAUDIT_LISTEN",
    "PLAUDIT_LOG",
    "PLAUDIT_LOG_FORMAT",
    "PLAUDIT_MAIL_FOLDER",
    "PLAUDIT_MAIL_FROM",
    "PLAUDIT_METRICS_ADDR",
    "PLAUDIT_PUBLIC_URL",
    "PLAUDIT_RETRY_SCALE",
    "PLAUDIT_SMTP_URL",
];

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_plaudit"));
    for setting in SETTINGS {
        command.env_remove(setting);
    }
    command.args(arguments).stdin(Stdio::null());
    command
}

/// A process that runs until it is told to end. Dropped, it is killed at once, as by `kill -9`.
pub struct Plaudit {
    child: Child,
    /// Everything it has logged, a JSON object a line.
    log: Arc<Mutex<Vec<String>>>,
    reader: Option<JoinHandle<()>>,
    address: Option<SocketAddr>,
}

impl Plaudit {
    /// `serve` on a free port, ready to serve.
    pub async fn serve(database: &Database, arguments: &[&str]) -> Self {
        let mut plaudit = Self::serve_unready(database, arguments);
        plaudit.ready().await;
        plaudit
    }

    /// `serve` on a free port, just started.
    pub fn serve_unready(database: &Database, arguments: &[&str]) -> Self {
        let mut all = vec!["serve", "--listen", "127.0.0.1:0"];
        all.extend(arguments);
        Self::start(database, &all)
    }

    /// `serve` where another one has served, ready to serve.
    pub async fn serve_at(database: &Database, address: SocketAddr) -> Self {
        let mut plaudit = Self::start(database, &["serve", "--listen", &address.to_string()]);
        plaudit.ready().await;
        plaudit
    }

    /// Waits until it serves; answers where.
    pub async fn ready(&mut self) -> SocketAddr {
        let serving = self.logged("serving").await;
        let address = serving["fields"]["address"].as_str().expect("it says where");
        let address: SocketAddr = address.parse().expect("an address");
        self.address = Some(address);
        let http = super::graphql::http();
        eventually("/readyz says 200", SOON, async || {
            let answer = http.get(format!("http://{address}/readyz")).send().await.ok()?;
            answer.status().is_success().then_some(())
        })
        .await;
        address
    }

    /// `work`, working.
    pub async fn work(database: &Database) -> Self {
        Self::work_with(database, &[]).await
    }

    /// `work` with these settings, working.
    pub async fn work_with(database: &Database, arguments: &[&str]) -> Self {
        let plaudit = Self::start(database, &[&["work"], arguments].concat());
        plaudit.logged("working").await;
        plaudit
    }

    fn start(database: &Database, arguments: &[&str]) -> Self {
        let mut child = command(arguments)
            .env("PLAUDIT_DATABASE_URL", database.url())
            .env("PLAUDIT_LOG_FORMAT", "json")
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let log = Arc::new(Mutex::new(Vec::new()));
        let said = BufReader::new(child.stderr.take().expect("its log is a pipe"));
        let kept = Arc::clone(&log);
        let reader = std::thread::spawn(move || {
            for line in said.lines().map_while(Result::ok) {
                kept.lock().unwrap_or_else(PoisonError::into_inner).push(line);
            }
        });
        Self {
            child,
            log,
            reader: Some(reader),
            address: None,
        }
    }

    /// Where it serves.
    pub fn address(&self) -> SocketAddr {
        self.address.expect("it serves, and was waited for")
    }

    /// An address of it.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address())
    }

    /// How many lines of the log so far hold this.
    pub fn logged_times(&self, text: &str) -> usize {
        let lines = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        lines.iter().filter(|line| line.contains(text)).count()
    }

    /// The line with this message, once it is there.
    pub async fn logged(&self, message: &str) -> Value {
        eventually(&format!("`{message}` in the log"), SOON, async || {
            let lines = self.log.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let values = lines
                .iter()
                .filter_map(|line| serde_json::from_str::<Value>(line).ok());
            let mut values = values.filter(|line| line["fields"]["message"] == message);
            values.next()
        })
        .await
    }

    /// As `kill -9` does.
    pub fn kill(mut self) {
        self.end();
    }

    /// SIGTERM.
    pub fn terminate(&self) {
        let pid = self.child.id();
        // The shell's own `kill` is everywhere.
        let status = Command::new("sh")
            .arg("-c")
            .arg(format!("kill -TERM {pid}"))
            .status();
        assert!(
            status.expect("a shell").success(),
            "the process is there to be told"
        );
    }

    /// How it ended.
    pub async fn ended(&mut self, within: Duration) -> ExitStatus {
        eventually("the process has ended", within, async || {
            self.child.try_wait().expect("it is our child")
        })
        .await
    }

    fn end(&mut self) {
        // It may have ended before.
        drop(self.child.kill());
        self.child.wait().expect("it is our child");
        if let Some(reader) = self.reader.take() {
            reader.join().expect("the log was read");
        }
    }
}

impl Drop for Plaudit {
    fn drop(&mut self) {
        self.end();
        let log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        if std::thread::panicking() {
            // What the program had to say belongs to the failure.
            for line in log.iter().rev().take(30).rev() {
                println!("{line}");
            }
        } else {
            let panicked = log.iter().find(|line| line.contains("panicked"));
            assert_eq!(panicked, None, "the program panicked");
        }
    }
}

/// What a command that ends by itself said.
#[derive(Debug)]
pub struct Said {
    pub status: ExitStatus,
    pub out: String,
    pub err: String,
}

/// Runs a command without any database of a test's.
pub async fn run_alone(arguments: &[&str]) -> Said {
    finish(command(arguments)).await
}

/// Runs a command on the database.
pub async fn run(database: &Database, arguments: &[&str]) -> Said {
    finish(program(database, arguments)).await
}

/// A command on the database, to be run.
pub fn program(database: &Database, arguments: &[&str]) -> Command {
    let mut command = command(arguments);
    command.env("PLAUDIT_DATABASE_URL", database.url());
    command
}

/// Waits for a command to end, and ends it if that takes too long.
pub async fn finish(command: Command) -> Said {
    finish_with(command, "").await
}

/// As [`finish`], for a command that reads this.
pub async fn finish_with(mut command: Command, input: &str) -> Said {
    let child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = Ended(
        child
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}")),
    );
    let mut pipe = child.0.stdin.take().expect("it is a pipe");
    // A command that reads nothing may have ended before.
    drop(pipe.write_all(input.as_bytes()));
    drop(pipe);
    let out = swallow(child.0.stdout.take());
    let err = swallow(child.0.stderr.take());
    let status = eventually("the command has ended", Duration::from_mins(1), async || {
        child.0.try_wait().expect("it is our child")
    })
    .await;
    let text = |thread: JoinHandle<String>| thread.join().expect("it was read");
    Said {
        status,
        out: text(out),
        err: text(err),
    }
}

struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        // It has mostly ended before.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn swallow(pipe: Option<impl Read + Send + 'static>) -> JoinHandle<String> {
    let mut pipe = pipe.expect("it is a pipe");
    std::thread::spawn(move || {
        let mut text = String::new();
        pipe.read_to_string(&mut text).expect("it is text");
        text
    })
}

/// A token from the command line.
pub async fn token(database: &Database, arguments: &[&str]) -> String {
    let mut all = vec!["token"];
    all.extend(arguments);
    let said = run(database, &all).await;
    assert!(said.status.success(), "{said:?}");
    said.out.trim().to_owned()
}
