//! graphile-worker as a child process, with jobs that do nothing: see `graphile/jobs.mjs`.

use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, ensure};
use tokio::sync::mpsc;

use crate::report::say;
use crate::stand::{self, Place};

/// As many as Plaudit has workers in a process.
const CONNECTIONS: &str = "2";
/// What is not done by then never will be.
const WITHIN: Duration = Duration::from_mins(5);
/// All that there is of it.
const FILES: [(&str, &str); 3] = [
    ("package.json", include_str!("graphile/package.json")),
    ("package-lock.json", include_str!("graphile/package-lock.json")),
    ("jobs.mjs", include_str!("graphile/jobs.mjs")),
];

/// A running worker; killed when dropped.
pub struct Graphile {
    child: Child,
    orders: ChildStdin,
    answers: mpsc::Receiver<String>,
}

impl Graphile {
    /// Installs it, if that has not been done, and starts it on a database of its own; none where that cannot be, and says why.
    pub async fn start(place: &Place<'_>) -> anyhow::Result<Option<Self>> {
        let Place::Postgres(_) = place else {
            return Ok(None);
        };
        let Some(folder) = install()? else {
            return Ok(None);
        };
        let mut child = Command::new("node")
            .current_dir(folder)
            .args(["jobs.mjs", CONNECTIONS])
            .env("DATABASE_URL", stand::make(place, "graphile").await?)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("node does not start")?;
        let orders = child.stdin.take().context("a way to tell it something")?;
        let told = child.stdout.take().context("a way to hear from it")?;
        let (sender, answers) = mpsc::channel(1);
        std::thread::spawn(move || {
            for line in BufReader::new(told).lines().map_while(Result::ok) {
                if sender.blocking_send(line).is_err() {
                    break;
                }
            }
        });
        let mut worker = Self {
            child,
            orders,
            answers,
        };
        worker.hear("ready").await?;
        Ok(Some(worker))
    }

    /// Queues so many jobs.
    pub async fn queue(&mut self, jobs: usize) -> anyhow::Result<()> {
        writeln!(self.orders, "queue {jobs}")?;
        self.hear("queued").await
    }

    /// Lets them run, and waits until all have.
    pub async fn run(&mut self) -> anyhow::Result<()> {
        writeln!(self.orders, "run")?;
        self.hear("done").await
    }

    async fn hear(&mut self, expected: &str) -> anyhow::Result<()> {
        let told = tokio::time::timeout(WITHIN, self.answers.recv()).await;
        let told = told
            .context("graphile-worker does not answer")?
            .context("graphile-worker has ended")?;
        ensure!(told == expected, "graphile-worker says {told}");
        Ok(())
    }
}

impl Drop for Graphile {
    fn drop(&mut self) {
        // One that has ended already cannot be killed, which is as well.
        drop(self.child.kill().and_then(|()| self.child.wait()));
    }
}

/// Installs exactly what the lock file says, beside what cargo builds.
fn install() -> anyhow::Result<Option<PathBuf>> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("graphile");
    std::fs::create_dir_all(&folder)?;
    for (name, text) in FILES {
        std::fs::write(folder.join(name), text)?;
    }
    let installed = Command::new("npm")
        .current_dir(&folder)
        .args([
            "ci",
            "--no-audit",
            "--no-fund",
            "--ignore-scripts",
            "--loglevel=error",
        ])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status();
    match installed {
        Ok(status) if status.success() => Ok(Some(folder)),
        Ok(status) => {
            say(&format!(
                "graphile-worker was left out: npm ci ended with {status}."
            ));
            Ok(None)
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            say("graphile-worker was left out: there is no npm.");
            Ok(None)
        }
        Err(error) => Err(error).context("npm cannot be run"),
    }
}
