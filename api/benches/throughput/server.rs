//! The built program as a child process.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, ensure};
use serde_json::Value;
use tokio::sync::oneshot;

/// What every process and every token of a run agree on.
const PUBLIC_URL: &str = "http://plaudit.invalid";
/// A process that is not up, or has not ended, by then never will.
const WITHIN: Duration = Duration::from_mins(1);

/// A running `plaudit`; killed when dropped.
pub struct Server {
    child: Child,
    /// Nothing is ever sent: it closes when the log comes to its end, and with it the process.
    ended: oneshot::Receiver<()>,
    /// Where it listens; empty for a worker.
    pub address: String,
}

fn command(database_url: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_plaudit"));
    command
        .args(["--log-format", "json", "--public-url", PUBLIC_URL])
        .env("PLAUDIT_DATABASE_URL", database_url)
        // The receivers of webhooks are on this machine, and a broken one is to come back while somebody waits.
        .env("PLAUDIT_ALLOW_PRIVATE_NETWORKS", "true")
        .env("PLAUDIT_RETRY_SCALE", "0.1")
        .stdin(Stdio::null());
    command
}

impl Server {
    /// Starts `serve` on a free port.
    pub async fn serve(database_url: &str, workers: bool) -> anyhow::Result<Self> {
        let mut arguments = vec!["serve", "--listen", "127.0.0.1:0"];
        if !workers {
            arguments.push("--no-workers");
        }
        Self::start(database_url, &arguments, "serving").await
    }

    /// Starts `work`.
    pub async fn work(database_url: &str) -> anyhow::Result<Self> {
        Self::start(database_url, &["work"], "working").await
    }

    /// Starts a process and waits until its log has the message `up`.
    async fn start(database_url: &str, arguments: &[&str], up: &'static str) -> anyhow::Result<Self> {
        let mut child = command(database_url)
            .args(arguments)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .context("plaudit does not start")?;
        let log = child.stderr.take().context("a log")?;
        let (started, starting) = oneshot::channel();
        let (ending, ended) = oneshot::channel::<()>();
        // The log is read to its end, so that the process never waits for a reader; what it warns of, people see.
        std::thread::spawn(move || {
            let mut started = Some(started);
            for line in BufReader::new(log).lines().map_while(Result::ok) {
                let entry: Value = serde_json::from_str(&line).unwrap_or_default();
                if entry["fields"]["message"] == up
                    && let Some(started) = started.take()
                {
                    let address = entry["fields"]["address"].as_str().unwrap_or_default();
                    drop(started.send(address.to_owned()));
                } else if entry["level"] != "INFO" {
                    super::say(&line);
                }
            }
            drop(ending);
        });
        let address = tokio::time::timeout(WITHIN, starting).await;
        let address = address
            .context("plaudit does not come up")?
            .context("plaudit ended at once")?;
        Ok(Self {
            child,
            ended,
            address,
        })
    }

    /// The most resident memory it ever had, in MiB.
    pub fn peak_memory(&self) -> anyhow::Result<f64> {
        self.status("VmHWM:")
    }

    /// The resident memory it has, in MiB.
    pub fn memory(&self) -> anyhow::Result<f64> {
        self.status("VmRSS:")
    }

    fn status(&self, field: &str) -> anyhow::Result<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let kib = status
            .lines()
            .find_map(|line| line.strip_prefix(field))
            .and_then(|rest| rest.trim().strip_suffix(" kB"))
            .and_then(|text| text.trim().parse::<f64>().ok())
            .context("the system tells no process's memory")?;
        Ok(kib / 1024.0)
    }

    /// Tells it to end and waits until it has.
    pub async fn end(mut self) -> anyhow::Result<()> {
        let told = Command::new("kill").arg(self.child.id().to_string()).status()?;
        ensure!(told.success(), "plaudit cannot be told to end");
        let ended = tokio::time::timeout(WITHIN, &mut self.ended).await;
        ensure!(ended.is_ok(), "plaudit does not end");
        let status = self.child.wait()?;
        ensure!(status.success(), "plaudit ended with {status}");
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // One that has ended already cannot be killed, which is as well.
        drop(self.child.kill().and_then(|()| self.child.wait()));
    }
}

/// Brings the database up to date.
pub fn migrate(database_url: &str) -> anyhow::Result<()> {
    let ended = command(database_url)
        .arg("migrate")
        .stderr(Stdio::null())
        .status()?;
    ensure!(ended.success(), "the database cannot be made");
    Ok(())
}

/// A token from the command line.
pub fn token(database_url: &str, arguments: &[&str]) -> anyhow::Result<String> {
    let output = command(database_url)
        .args(["token", "--ttl", "12h", "--scope"])
        .args(arguments)
        .output()?;
    ensure!(output.status.success(), "no token for {arguments:?}");
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}
