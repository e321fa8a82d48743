//! What an event costs in processor time: neighbours on the machine change how long things take, and hardly how much of it they need.
//!
//! The time is what the system has booked in `/proc`, of user and system together. Without such a folder, or with a PostgreSQL on
//! another machine, a figure is missing. What the system does on nobody's behalf, such as writing to the disk, is in none of them.

use std::collections::HashMap;
use std::fs;
use std::time::{Duration, Instant};

use anyhow::Context;
use entity::db::{Db, Kind};
use sea_orm::{ConnectionTrait, Statement};

use crate::insert::backend;
use crate::load::per_second;

/// The unit of time in `/proc/PID/stat`: Linux has it at a hundredth of a second for every program.
const TICK: Duration = Duration::from_millis(10);
/// Where fields of `/proc/PID/stat` are, counted from the one after the name.
const PARENT: usize = 1;
const OWN: [usize; 2] = [11, 12];
const ENDED_CHILDREN: [usize; 2] = [13, 14];
/// Processes rest when for so long they have needed less than this share of a core.
const QUIET_FOR: Duration = Duration::from_millis(250);
const QUIET_SHARE: f64 = 0.1;
const QUIET_WITHIN: Duration = Duration::from_mins(5);

/// What was measured of so many events.
#[derive(Debug, Clone, Copy)]
pub struct Measured {
    /// Events per second.
    pub rate: f64,
    /// Microseconds of processor time an event.
    pub cost: Cost,
}

impl Measured {
    /// Both, one after the other.
    pub fn then(self, next: Self) -> Self {
        Self {
            rate: 1.0 / (1.0 / self.rate + 1.0 / next.rate),
            cost: Cost {
                program: self.cost.program + next.cost.program,
                database: self.cost.database + next.cost.database,
                client: self.cost.client + next.cost.client,
            },
        }
    }

    /// Half-way between both.
    pub fn between(self, other: Self) -> Self {
        let middle = |one: f64, other: f64| f64::midpoint(one, other);
        Self {
            rate: middle(self.rate, other.rate),
            cost: Cost {
                program: middle(self.cost.program, other.cost.program),
                database: middle(self.cost.database, other.cost.database),
                client: middle(self.cost.client, other.cost.client),
            },
        }
    }
}

/// Microseconds of processor time an event; not a number where nobody knows.
#[derive(Debug, Clone, Copy)]
pub struct Cost {
    /// Of what is measured.
    pub program: f64,
    /// Of PostgreSQL; SQLite is a part of the program.
    pub database: f64,
    /// Of who sends the events and listens, where that is another process.
    pub client: f64,
}

impl Cost {
    /// Of what is measured and of its database together.
    pub fn total(self) -> f64 {
        self.program + self.database
    }
}

/// Where what is measured runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Runs {
    /// In this process, as the floors do.
    Inside,
    /// In processes that this one has started, and this one is their client.
    Outside,
}

/// Knows whose time to add up.
#[derive(Debug, Clone, Copy)]
pub struct Meter {
    kind: Kind,
    /// The process from which all others of PostgreSQL come, if it is on this machine.
    postmaster: Option<u32>,
}

impl Meter {
    /// A meter for what works on this database.
    pub async fn new(db: &Db) -> anyhow::Result<Self> {
        let kind = db.kind();
        let postmaster = match kind {
            Kind::Sqlite => None,
            Kind::Postgres => {
                let asked = Statement::from_string(backend(kind), "SELECT pg_backend_pid()");
                let row = db.read().query_one_raw(asked).await?;
                let pid = row.map_or(Ok(0), |row| row.try_get_by_index::<i32>(0))?;
                // On another machine, or in another container, this number is another process, or none.
                let processes = processes();
                let backend = u32::try_from(pid).ok().and_then(|pid| processes.get(&pid));
                backend
                    .filter(|backend| backend.name == "postgres")
                    .map(|backend| backend.parent)
            }
        };
        Ok(Self { kind, postmaster })
    }

    /// Starts the clock.
    pub fn start(self, runs: Runs) -> Running {
        let before = self.read();
        Running {
            meter: self,
            runs,
            before,
            start: Instant::now(),
        }
    }

    /// Waits until nothing is done any more that this adds up, such as what a process does when it has started.
    pub async fn quiet(self) -> anyhow::Result<()> {
        let waiting = async {
            let mut looks = tokio::time::interval(QUIET_FOR);
            loop {
                looks.tick().await;
                let before = self.read();
                looks.tick().await;
                let after = self.read();
                let spent = after.children - before.children + after.database - before.database;
                // Where it is not known it is not waited for.
                if spent.is_nan() || spent < QUIET_FOR.as_secs_f64() * QUIET_SHARE {
                    break;
                }
            }
        };
        tokio::time::timeout(QUIET_WITHIN, waiting)
            .await
            .context("processes never come to rest")
    }

    fn read(self) -> Reading {
        let processes = processes();
        let this = std::process::id();
        let seconds = |of: Duration| of.as_secs_f64();
        let own = processes.get(&this);
        let children = |of: u32| {
            let alive = processes.iter().filter(|(_, process)| process.parent == of);
            let alive: f64 = alive.map(|(pid, process)| seconds(process.spent(*pid))).sum();
            alive + processes.get(&of).map_or(0.0, |process| seconds(process.ended))
        };
        Reading {
            this: own.map_or(f64::NAN, |process| seconds(process.spent(this))),
            children: own.map_or(f64::NAN, |_| children(this)),
            database: match (self.kind, self.postmaster) {
                (Kind::Sqlite, _) => 0.0,
                (Kind::Postgres, None) => f64::NAN,
                (Kind::Postgres, Some(pid)) => {
                    let postmaster = processes.get(&pid);
                    postmaster.map_or(f64::NAN, |process| seconds(process.spent(pid)) + children(pid))
                }
            },
        }
    }
}

/// A measurement that goes on.
pub struct Running {
    meter: Meter,
    runs: Runs,
    before: Reading,
    start: Instant,
}

impl Running {
    /// Stops the clock after so many events.
    pub fn stop(self, events: usize) -> Measured {
        let elapsed = self.start.elapsed();
        self.stop_at(events, elapsed)
    }

    /// The same, of events that were done after this time.
    pub fn stop_at(self, events: usize, elapsed: Duration) -> Measured {
        let (after, before) = (self.meter.read(), self.before);
        let events_per_micro = per_second(events, Duration::from_secs(1)) / 1e6;
        let each = |after: f64, before: f64| (after - before) / events_per_micro;
        let (this, children) = (
            each(after.this, before.this),
            each(after.children, before.children),
        );
        let (program, client) = match self.runs {
            Runs::Inside => (this + children, 0.0),
            Runs::Outside => (children, this),
        };
        Measured {
            rate: per_second(events, elapsed),
            cost: Cost {
                program,
                database: each(after.database, before.database),
                client,
            },
        }
    }
}

/// Seconds of processor time so far.
#[derive(Debug, Clone, Copy)]
struct Reading {
    this: f64,
    children: f64,
    database: f64,
}

/// A process as the system tells it.
struct Process {
    name: String,
    parent: u32,
    /// Its own time, to a tick.
    own: Duration,
    /// The time of its children that have ended.
    ended: Duration,
}

impl Process {
    /// What is in `/proc/PID/stat`. The name may have spaces and brackets in it.
    fn parse(stat: &str) -> Option<Self> {
        let (_, rest) = stat.split_once('(')?;
        let (name, rest) = rest.rsplit_once(')')?;
        let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
        let time = |at: [usize; 2]| {
            let ticks = at.into_iter().map(|at| fields.get(at)?.parse::<u32>().ok());
            Some(TICK * ticks.sum::<Option<u32>>()?)
        };
        Some(Self {
            name: name.to_owned(),
            parent: fields.get(PARENT)?.parse().ok()?,
            own: time(OWN)?,
            ended: time(ENDED_CHILDREN)?,
        })
    }

    /// Its own time. That of its threads is known far better than to a tick, but is gone with each of them: neither is too much.
    fn spent(&self, pid: u32) -> Duration {
        let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten();
        let exact = threads.flatten().filter_map(|thread| {
            let text = fs::read_to_string(thread.path().join("schedstat")).ok()?;
            text.split_ascii_whitespace().next()?.parse::<u64>().ok()
        });
        let exact = Duration::from_nanos(exact.sum());
        exact.max(self.own)
    }
}

/// All that runs.
fn processes() -> HashMap<u32, Process> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries
        .filter_map(|entry| {
            let pid = entry.file_name().to_str()?.parse().ok()?;
            let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
            Some((pid, Process::parse(&stat)?))
        })
        .collect()
}
