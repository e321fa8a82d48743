//! How close Plaudit comes to what the database could do: the built program and a real client, against a floor taken in the same run.
//!
//! ```text
//! cargo bench -p api                                      an hour or more; SQLite, and a PostgreSQL of its own with fsync on
//! cargo bench -p api -- --quick                           less of everything, in about ten minutes for each database
//! cargo bench -p api -- --sqlite                          without PostgreSQL
//! cargo bench -p api -- --only judged                     evaluation alone, structure by structure; likewise served, mixed,
//!                                                         sustained, growth, workers, wallet, webhooks, messages
//! cargo bench -p api -- --only sustained --minutes 10     for that long; without it one minute
//! cargo bench -p api -- --only growth --passed 20000000   after so many events
//! ```
//!
//! The floor writes the rows that Plaudit writes, by plain statements of 1,000 rows through the same driver, with as many
//! connections, and does nothing else. Rounds of floor and program take turns, and what is shown is the median of the rounds'
//! ratios: other work on the machine slows both. Absolute numbers depend on the machine and its neighbours, and mean nothing.
//! Beside each rate is what an event cost in processor time, of the program and of PostgreSQL, and the ratio of both to that of the
//! floor: a busy machine changes it least, so where the two ratios differ much, this is the one to believe.
//! Asserted is correctness alone: everything accepted, everything evaluated, the feed without a hole, nothing set aside.

#![expect(
    clippy::arithmetic_side_effects,
    reason = "instants and dates of a few years, far from the ends of the calendar"
)]
#![expect(
    clippy::indexing_slicing,
    reason = "a field that an answer does not have reads as null"
)]

mod course;
mod cpu;
mod employer;
mod evaluator;
mod floor;
mod graphile;
mod growth;
mod insert;
mod judged;
mod load;
mod messages;
mod mixed;
mod queue;
mod report;
mod rounds;
mod scenario;
mod server;
mod stage;
mod stand;
mod sustained;
mod wallet;
mod webhooks;
mod workers;

use anyhow::Context;
use clap::{Parser, ValueEnum};

use report::{Report, say};

/// Plaudit's throughput, latency and memory, as ratios to a floor taken in the same run.
#[derive(Debug, Parser)]
#[command(name = "throughput")]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
struct Options {
    /// Less of everything: some minutes.
    #[arg(long)]
    quick: bool,
    /// SQLite alone.
    #[arg(long)]
    sqlite: bool,
    /// PostgreSQL alone.
    #[arg(long, conflicts_with = "sqlite")]
    postgres: bool,
    /// A PostgreSQL server, with fsync and synchronous_commit on, in which databases may be made; without it, one of its own is
    /// started and thrown away.
    #[arg(long, env = "PLAUDIT_BENCH_POSTGRES_URL", hide_env_values = true)]
    postgres_url: Option<String>,
    /// Rounds; the medians are taken over them.
    #[arg(long)]
    rounds: Option<usize>,
    /// How long it has to accept and evaluate at once without falling behind.
    #[arg(long, default_value_t = 1.0)]
    minutes: f64,
    /// Events that pass through the queue before growth is measured: 2,000,000, or a tenth of that; a tenth as many on SQLite.
    #[arg(long)]
    passed: Option<usize>,
    /// This part alone.
    #[arg(long)]
    only: Option<Part>,
    /// What cargo itself adds.
    #[arg(long, hide = true)]
    bench: bool,
}

/// A part of the whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// The built program from end to end.
    Served,
    /// Evaluation, structure by structure.
    Judged,
    /// Evaluation where several incentives match and a hundred do not, beside a queue of jobs that do nothing.
    Mixed,
    /// Accepting and evaluating at once, for minutes.
    Sustained,
    /// A database with a past beside a fresh one.
    Growth,
    /// Several processes on one PostgreSQL.
    Workers,
    /// Balances that are read, and rewards that are redeemed.
    Wallet,
    /// Webhooks to endpoints of which nearly half are broken.
    Webhooks,
    /// Messages of campaigns that are decided.
    Messages,
}

/// How much of everything.
#[derive(Debug, Clone, Copy)]
struct Scale {
    rounds: usize,
    /// For how long it has to keep up.
    minutes: f64,
    /// Events of each measurement.
    events: usize,
    /// Events sent one by one.
    singles: usize,
    /// Progress rows that are there already.
    progress: usize,
    /// Events that have passed.
    passed: usize,
    /// Events whose way to the partner is timed.
    timed: usize,
    /// Events of each structure's measurement; four of each member.
    judged: usize,
    /// Events of each measurement of several incentives, and jobs of the queue beside it.
    mixed: usize,
    /// Events of each measurement that is compared with another one; four of each member.
    flat: usize,
    /// Accounts of points, each with 50 entries.
    accounts: usize,
    /// Events of each round of webhooks, each an entry of every partner.
    told: usize,
    /// Messages of each round.
    messages: usize,
}

impl Scale {
    fn of(options: &Options) -> Self {
        let scale = if options.quick {
            Self {
                rounds: 3,
                minutes: options.minutes,
                events: 3_000,
                singles: 600,
                progress: 100_000,
                passed: 200_000,
                timed: 100,
                judged: 4_000,
                mixed: 8_000,
                flat: 4_000,
                accounts: 10_000,
                told: 15,
                messages: 20_000,
            }
        } else {
            Self {
                rounds: 5,
                minutes: options.minutes,
                events: 20_000,
                singles: 4_000,
                progress: 1_000_000,
                passed: 2_000_000,
                timed: 400,
                judged: 12_000,
                mixed: 40_000,
                flat: 8_000,
                accounts: 1_000_000,
                told: 30,
                messages: 100_000,
            }
        };
        Self {
            rounds: options.rounds.unwrap_or(scale.rounds).max(1),
            passed: options.passed.unwrap_or(scale.passed),
            ..scale
        }
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let scale = Scale::of(&options);
    let folder = tempfile::tempdir().context("there is no room for throw-away databases")?;
    if !options.postgres {
        let place = stand::Place::Sqlite(folder.path());
        let mut report = Report::new("SQLite (write-ahead log, synchronous = FULL)");
        measure(&place, scale, options.only, &mut report).await?;
        report.show();
    }
    if options.sqlite {
        say("PostgreSQL was left out, as --sqlite says.");
        return Ok(());
    }
    let cluster = match options.postgres_url {
        Some(_) => None,
        None => Some(stand::Cluster::start()?),
    };
    let url = options
        .postgres_url
        .or_else(|| cluster.as_ref().map(|cluster| cluster.url.clone()))
        .context("a PostgreSQL server")?;
    let mut report = Report::new("PostgreSQL (fsync and synchronous_commit on)");
    let place = stand::Place::Postgres(&url);
    measure(&place, scale, options.only, &mut report).await?;
    report.show();
    Ok(())
}

async fn measure(
    place: &stand::Place<'_>,
    scale: Scale,
    only: Option<Part>,
    report: &mut Report,
) -> anyhow::Result<()> {
    let wants = |part| only.is_none_or(|only| only == part);
    if wants(Part::Served) {
        rounds::run(place, scale, report).await?;
    }
    if wants(Part::Judged) {
        judged::run(place, scale, report).await?;
    }
    if wants(Part::Mixed) {
        mixed::run(place, scale, report).await?;
    }
    if wants(Part::Sustained) {
        sustained::run(place, scale, report).await?;
    }
    if wants(Part::Growth) {
        growth::run(place, scale, report).await?;
    }
    if wants(Part::Workers) {
        workers::run(place, scale, report).await?;
    }
    if wants(Part::Wallet) {
        wallet::run(place, scale, report).await?;
    }
    if wants(Part::Webhooks) {
        webhooks::run(place, scale, report).await?;
    }
    if wants(Part::Messages) {
        messages::run(place, scale, report).await?;
    }
    Ok(())
}
