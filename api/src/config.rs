//! Settings: flags and environment, with defaults that run. Read once, in `main`.

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::http::limit::Rate;
use clap::{Args, Parser, Subcommand, ValueEnum};
use jobs::deliver::Outbound;
use jobs::deliver::backoff::Scale;
use jobs::deliver::mail;

/// The address Plaudit is known by when nothing else is said: the one it listens on by default.
const DEFAULT_PUBLIC_URL: &str = "http://127.0.0.1:8080";

/// Plaudit, an incentives engine: an event a member's app sends becomes an achievement that a partner sees.
#[derive(Debug, Parser)]
#[command(name = "plaudit", version, about, propagate_version = true)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// Settings of every command.
    #[command(flatten)]
    pub settings: Settings,
}

/// Settings of every command.
#[derive(Debug, Clone, Args)]
pub struct Settings {
    /// Where everything is kept: `sqlite://plaudit.db?mode=rwc` or `postgres://user:password@host/database`.
    #[arg(
        long,
        global = true,
        env = "PLAUDIT_DATABASE_URL",
        default_value = "sqlite://plaudit.db?mode=rwc",
        hide_env_values = true
    )]
    pub database_url: String,
    /// The address by which clients reach this installation: issuer and audience of its tokens. The same in every process.
    #[arg(long, global = true, env = "PLAUDIT_PUBLIC_URL", default_value = DEFAULT_PUBLIC_URL, value_parser = parse_public_url)]
    pub public_url: String,
    /// For development: call webhooks at private addresses too, and without encryption.
    #[arg(
        long,
        global = true,
        env = "PLAUDIT_ALLOW_PRIVATE_NETWORKS",
        num_args = 0..=1,
        default_value_t = false,
        default_missing_value = "true",
        action = clap::ArgAction::Set
    )]
    pub allow_private_networks: bool,
    /// For development: by how much every wait before a webhook or a mail is tried again, and the lease of a message, is shortened,
    /// above 0 and at most 1.
    #[arg(long, global = true, env = "PLAUDIT_RETRY_SCALE", default_value = "1", value_parser = parse_scale)]
    pub retry_scale: Scale,
    /// How long entries of the partners' feeds are kept, as an ISO 8601 duration of at least 30 days.
    #[arg(long, global = true, env = "PLAUDIT_FEED_RETENTION", default_value = "P90D", value_parser = parse_retention)]
    pub feed_retention: chrono::TimeDelta,
    /// What a client may use at once in a process, in units: a request costs one, one more for each 16 KiB of its body, and what its
    /// document costs.
    #[arg(long, global = true, env = "PLAUDIT_RATE_LIMIT_BURST", default_value_t = Rate::default().burst, value_parser = clap::value_parser!(u32).range(1..))]
    pub rate_limit_burst: u32,
    /// How many units come back in a second.
    #[arg(long, global = true, env = "PLAUDIT_RATE_LIMIT_RESTORE", default_value_t = Rate::default().restore, value_parser = clap::value_parser!(u32).range(1..))]
    pub rate_limit_restore: u32,
    /// Settings of mail.
    #[command(flatten)]
    pub mail: MailSettings,
    /// How logs are written.
    #[arg(long, global = true, env = "PLAUDIT_LOG_FORMAT", value_enum, default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,
    /// The address of `/metrics` for operators, of `serve` and `work`; there is none unless given.
    #[arg(long, global = true, env = "PLAUDIT_METRICS_ADDR")]
    pub metrics_addr: Option<SocketAddr>,
    /// What is logged: a level, or a filter such as `info,jobs=debug`; `info` unless given.
    #[arg(long, global = true, env = "PLAUDIT_LOG")]
    pub log: Option<String>,
}

impl Settings {
    /// What is called outside, and how patiently.
    pub fn outbound(&self) -> Outbound {
        Outbound::new(self.allow_private_networks, self.retry_scale)
    }
}

/// Settings of mail. Without a server and a folder, mail waits.
#[derive(Debug, Clone, Args)]
pub struct MailSettings {
    /// The mail server: `smtp://name:password@host:587` (STARTTLS), `smtps://host:465`, or `smtp://host?tls=opportunistic`.
    #[arg(long, global = true, env = "PLAUDIT_SMTP_URL", hide_env_values = true)]
    pub smtp_url: Option<String>,
    /// For development: the folder to which mail is written as files instead, made if it is not there.
    #[arg(long, global = true, env = "PLAUDIT_MAIL_FOLDER")]
    pub mail_folder: Option<PathBuf>,
    /// Whose mail is: `Plaudit <hello@example.com>`, or the address alone.
    #[arg(long, global = true, env = "PLAUDIT_MAIL_FROM")]
    pub mail_from: Option<String>,
    /// The file of the private key that signs mail (DKIM; PEM, RSA of at least 2048 bits), of the domain of the sender.
    #[arg(long, global = true, env = "PLAUDIT_DKIM_KEY_FILE")]
    pub dkim_key_file: Option<PathBuf>,
    /// The name under which that domain publishes the public key.
    #[arg(long, global = true, env = "PLAUDIT_DKIM_SELECTOR")]
    pub dkim_selector: Option<String>,
}

impl MailSettings {
    /// Where mail goes; contradictions are refused in a sentence.
    pub fn mailer(&self) -> Result<mail::Mailer, String> {
        mail::Mailer::of(&mail::Settings {
            smtp_url: self.smtp_url.clone(),
            folder: self.mail_folder.clone(),
            from: self.mail_from.clone(),
            dkim_key_file: self.dkim_key_file.clone(),
            dkim_selector: self.dkim_selector.clone(),
        })
    }
}

/// How logs are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// A line for people.
    Text,
    /// A JSON object a line.
    Json,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve the API, and evaluate events unless told otherwise.
    Serve(ServeArguments),
    /// Evaluate events, without the API; any number of processes on one PostgreSQL.
    Work,
    /// Bring the database up to date.
    Migrate,
    /// Print the GraphQL schema.
    Schema,
    /// Print an access token, signed with the keys of the database.
    Token(TokenArguments),
    /// Add a signing key; it signs as soon as every process and every reader of the public keys can know it.
    RotateKey,
    /// Check that all balances, ledgers and feeds add up; 0 when they do.
    Check,
    /// Write a partner's feed to files; what is there already is not written again.
    Export(ExportArguments),
    /// Show the main job on a throw-away database.
    Demo(DemoArguments),
}

/// Settings of `serve`.
#[derive(Debug, Clone, Args)]
pub struct ServeArguments {
    /// The address to listen on.
    #[arg(long, env = "PLAUDIT_LISTEN", default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,
    /// Serve the API alone; other processes evaluate.
    #[arg(long)]
    pub no_workers: bool,
    /// For development: introspection, and a GraphiQL page at /graphiql.
    #[arg(long)]
    pub dev: bool,
}

/// Settings of `token`.
#[derive(Debug, Clone, Args)]
pub struct TokenArguments {
    /// The scopes, separated by spaces.
    #[arg(long)]
    pub scope: String,
    /// The key of the employer the token belongs to.
    #[arg(long, conflicts_with = "partner")]
    pub employer: Option<String>,
    /// The key of the partner the token belongs to.
    #[arg(long)]
    pub partner: Option<String>,
    /// The external id of the member whose token it is.
    #[arg(long, requires = "employer")]
    pub member: Option<String>,
    /// How long it is good for, at most 24h: `90s`, `15m`, `1h`.
    #[arg(long, default_value = "1h", value_parser = parse_duration)]
    pub ttl: chrono::TimeDelta,
}

/// Settings of `export`.
#[derive(Debug, Clone, Args)]
pub struct ExportArguments {
    /// The key of the partner.
    #[arg(long)]
    pub partner: String,
    /// A folder, or `s3://bucket/folder` with the usual AWS_ variables.
    #[arg(long)]
    pub to: String,
    /// The first position, unless it is there already.
    #[arg(long, value_parser = clap::value_parser!(i64).range(1..))]
    pub from: Option<i64>,
    /// The form of the files.
    #[arg(long, value_enum, default_value_t = FileFormat::Ndjson)]
    pub format: FileFormat,
}

/// The form of exported files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FileFormat {
    /// A JSON object a line.
    Ndjson,
    /// With a line of column names.
    Csv,
}

impl From<FileFormat> for jobs::export::Format {
    fn from(format: FileFormat) -> Self {
        match format {
            FileFormat::Ndjson => Self::Ndjson,
            FileFormat::Csv => Self::Csv,
        }
    }
}

/// Settings of `demo`.
#[derive(Debug, Clone, Args)]
pub struct DemoArguments {
    /// The address to listen on; port 0 takes a free one.
    #[arg(long, env = "PLAUDIT_LISTEN", default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,
    /// Stop after the scenario: 0 when every expected achievement arrived.
    #[arg(long)]
    pub once: bool,
}

/// A factor above 0 and at most 1.
fn parse_scale(text: &str) -> Result<Scale, String> {
    let factor = text.parse().ok().and_then(Scale::new);
    factor.ok_or_else(|| format!("`{text}` is not a number above 0 and at most 1"))
}

/// An address that others can be put behind.
fn parse_public_url(text: &str) -> Result<String, String> {
    let url = reqwest::Url::parse(text).ok().filter(|url| {
        let is_plain = url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
        matches!(url.scheme(), "http" | "https") && url.has_host() && is_plain
    });
    url.map(|_| text.to_owned())
        .ok_or_else(|| format!("`{text}` is not an address such as https://plaudit.example.com"))
}

/// The shortest time for which entries of feeds are kept: a partner can be away for a month.
const SHORTEST_FEED_RETENTION: chrono::TimeDelta = chrono::TimeDelta::days(30);

/// How long entries of feeds are kept.
fn parse_retention(text: &str) -> Result<chrono::TimeDelta, String> {
    crate::graphql::scalar::parse_duration(text)
        .filter(|time| *time >= SHORTEST_FEED_RETENTION)
        .ok_or_else(|| format!("`{text}` is not an ISO 8601 duration of at least 30 days, such as P90D"))
}

/// A number and a unit: s, m, h or d.
fn parse_duration(text: &str) -> Result<chrono::TimeDelta, String> {
    let wrong = || format!("`{text}` is not a duration such as 90s, 15m, 1h or 1d");
    let (digits, unit) = text
        .split_at_checked(text.len().saturating_sub(1))
        .ok_or_else(wrong)?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return Err(wrong()),
    };
    let number: i64 = digits.parse().map_err(|_| wrong())?;
    number
        .checked_mul(seconds)
        .and_then(chrono::TimeDelta::try_seconds)
        .ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn private_networks_are_called_only_where_that_was_said() {
        let said = |arguments: &[&str]| {
            let arguments = ["plaudit", "work"].iter().chain(arguments);
            Arguments::parse_from(arguments).settings.allow_private_networks
        };
        assert!(!said(&[]));
        assert!(said(&["--allow-private-networks"]) && said(&["--allow-private-networks", "true"]));
        assert!(!said(&["--allow-private-networks=false"]));
    }

    #[test]
    fn a_public_address_is_one_that_others_can_be_put_behind() {
        for good in [
            "http://127.0.0.1:8080",
            "https://plaudit.example/",
            "https://example.com/plaudit",
        ] {
            assert_eq!(parse_public_url(good), Ok(good.to_owned()));
        }
        for bad in [
            "",
            "plaudit.example",
            "ftp://a.example",
            "https://a.example?x",
            "https://a.example#x",
            "https://me@a.example",
        ] {
            assert!(parse_public_url(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn mail_goes_to_a_server_or_a_folder_or_nowhere_and_contradictions_are_refused() {
        let said = |arguments: &[&str]| {
            let arguments = ["plaudit", "work"].iter().chain(arguments);
            let mailer = Arguments::parse_from(arguments).settings.mail.mailer();
            mailer.map(|mailer| mailer.to_string())
        };
        let (smtp, from) = (
            "--smtp-url=smtp://me:secret@mail.example",
            "--mail-from=Acme <hello@acme.example>",
        );
        assert_eq!(said(&[]).unwrap(), "nowhere");
        assert_eq!(
            said(&["--mail-folder=/tmp/mail"]).unwrap(),
            "the folder /tmp/mail"
        );
        assert_eq!(said(&[smtp, from]).unwrap(), "the server mail.example");
        for wrong in [
            &[smtp] as &[&str],
            &[from],
            &[smtp, from, "--mail-folder=/tmp/mail"],
            &[smtp, "--mail-from=nobody"],
            &["--smtp-url=mail.example", from],
            &[smtp, from, "--dkim-selector=a"],
            &["--dkim-selector=a"],
            &[
                "--mail-folder=/tmp/mail",
                "--dkim-key-file=/nowhere/key.pem",
                "--dkim-selector=a",
            ],
        ] {
            let sentence = said(wrong).unwrap_err();
            assert!(
                sentence.contains("PLAUDIT_") && !sentence.contains("secret"),
                "{sentence}"
            );
        }
    }

    #[test]
    fn a_scale_is_above_0_and_at_most_1() {
        assert_eq!(parse_scale("1"), Ok(Scale::REAL));
        assert!(parse_scale("0.001").is_ok());
        for bad in ["", "0", "-1", "2", "NaN", "inf", "x"] {
            assert!(parse_scale(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn feeds_are_kept_for_a_month_or_longer() {
        assert_eq!(parse_retention("P90D"), Ok(chrono::TimeDelta::days(90)));
        assert_eq!(parse_retention("P30D"), Ok(chrono::TimeDelta::days(30)));
        for bad in ["", "90", "P29D", "P29DT23H59M59S", "-P90D", "P1Y"] {
            assert!(parse_retention(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn durations_have_a_number_and_a_unit() {
        assert_eq!(parse_duration("90s"), Ok(chrono::TimeDelta::seconds(90)));
        assert_eq!(parse_duration("15m"), Ok(chrono::TimeDelta::minutes(15)));
        assert_eq!(parse_duration("1d"), Ok(chrono::TimeDelta::days(1)));
        for bad in ["", "1", "h", "1w", "1.5h", "99999999999999999d", "é"] {
            assert!(parse_duration(bad).is_err(), "{bad}");
        }
    }
}
