//! What the program does when it is called: one command a file. The only place that writes to the terminal.

mod check;
mod demo;
mod export;
mod serve;
mod token;

use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;
use entity::clock::Clock;
use entity::db::Db;
use entity::id::Ids;
use tracing_subscriber::EnvFilter;

use crate::app::{App, Parts};
use crate::auth::store;
use crate::config::{Arguments, Command, LogFormat, Settings};
use crate::http::limit::Rate;

/// Runs the program and says how it went: 0, or 1 after one line on the error stream.
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        // Help and version are no errors.
        Err(error) if !error.use_stderr() => {
            print(error.render().to_string().trim_end());
            return ExitCode::SUCCESS;
        }
        Err(error) => return refused(&error),
    };
    if let Err(error) = start_log(&arguments) {
        return failed(&error);
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&anyhow::Error::from(error).context("the runtime could not be started")),
    };
    match runtime.block_on(run(arguments)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&error),
    }
}

async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let settings = arguments.settings;
    match arguments.command {
        Command::Serve(serve) => serve::serve(&settings, &serve).await,
        Command::Work => serve::work(&settings).await,
        Command::Migrate => open(&settings).await.map(|_| ()),
        Command::Schema => {
            print(crate::graphql::sdl().trim_end());
            Ok(())
        }
        Command::Token(arguments) => token::token(&settings, &arguments).await,
        Command::RotateKey => {
            let db = open(&settings).await?;
            store::open_ring(&db, Clock::system().now()).await?;
            Ok(store::rotate(&db, Clock::system().now()).await?)
        }
        Command::Check => check::check(&settings).await,
        Command::Export(arguments) => export::export(&settings, &arguments).await,
        Command::Demo(arguments) => demo::demo(&arguments).await,
    }
}

/// Opens the database and brings it up to date.
async fn open(settings: &Settings) -> anyhow::Result<Db> {
    let db = Db::open(&settings.database_url)
        .await
        .context("the database cannot be reached")?;
    migration::migrate(db.read())
        .await
        .context("the database cannot be brought up to date")?;
    Ok(db)
}

/// The application over the database of the settings.
async fn start(settings: &Settings, dev: bool) -> anyhow::Result<std::sync::Arc<App>> {
    // The settings first: what contradicts itself is found out before anything is migrated.
    let mailer = settings.mail.mailer().map_err(anyhow::Error::msg)?;
    let db = open(settings).await?;
    let clock = Clock::system();
    let ids = Ids::system(clock.clone());
    let parts = Parts {
        db,
        clock,
        ids,
        public_url: settings.public_url.clone(),
        rate: Rate {
            burst: settings.rate_limit_burst,
            restore: settings.rate_limit_restore,
        },
        dev,
        outbound: settings.outbound(),
        mailer,
        feed_retention: settings.feed_retention,
    };
    App::start(parts)
        .await
        .context("the application cannot be started")
}

fn start_log(arguments: &Arguments) -> anyhow::Result<()> {
    let settings = &arguments.settings;
    // The demo tells its story itself.
    let level = if matches!(arguments.command, Command::Demo(_)) {
        "warn"
    } else {
        "info,apalis_core=warn,sea_orm_migration=warn,sqlx=warn"
    };
    let filter =
        EnvFilter::try_new(settings.log.as_deref().unwrap_or(level)).context("the log filter is not one")?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    match settings.log_format {
        LogFormat::Text => builder
            .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
            .init(),
        LogFormat::Json => builder.json().init(),
    }
    // A panic's own message can hold anything; only where it happened is written.
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string);
        tracing::error!(place, "a task panicked");
    }));
    Ok(())
}

/// Writes a line to the terminal. A reader that has gone away is no fault.
fn print(line: &str) {
    use std::io::Write;
    let mut out = std::io::stdout().lock();
    drop(writeln!(out, "{line}").and_then(|()| out.flush()));
}

/// Writes one line of what is wrong with the command line.
fn refused(error: &clap::Error) -> ExitCode {
    if error.kind() == clap::error::ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        complain("a command is missing, such as `serve` or `demo` (see `plaudit --help`)");
        return ExitCode::from(2);
    }
    let text = error.render().to_string();
    // What follows the first paragraph is usage, which `--help` tells better.
    let paragraph = text.split("\n\n").next().unwrap_or_default();
    let line = paragraph.split_whitespace().collect::<Vec<_>>().join(" ");
    complain(&format!(
        "{} (see `plaudit --help`)",
        line.trim_start_matches("error: ")
    ));
    ExitCode::from(2)
}

/// Writes one line of what went wrong, with its causes.
fn failed(error: &anyhow::Error) -> ExitCode {
    let mut line = String::new();
    for cause in error.chain() {
        let cause = cause.to_string();
        // The database's errors repeat what they come from.
        if !line.contains(&cause) {
            let separator = if line.is_empty() { "" } else { ": " };
            line.push_str(&format!("{separator}{cause}"));
        }
    }
    complain(&line.replace('\n', " "));
    ExitCode::FAILURE
}

fn complain(line: &str) {
    use std::io::Write;
    drop(writeln!(std::io::stderr(), "plaudit: {line}"));
}
