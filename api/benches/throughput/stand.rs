//! A database with employers, incentives, partners and members, made for one measurement each.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};
use entity::clock::Clock;
use entity::db::{Db, Kind};
use entity::id::{EmployerId, EventTypeId, IncentiveId, PartnerId, ProgramId, TypedId};
use sea_orm::prelude::Uuid;
use sea_orm::{ConnectionTrait, FromQueryResult, Statement};
use serde_json::{Value, json};

use crate::load::Client;
use crate::server::{self, Server};

/// Connections of the measuring side: as many as single-row commits are tried with.
const CONNECTIONS: u32 = 40;

/// A PostgreSQL server of our own, thrown away in the end.
pub struct Cluster {
    /// Where it is reached.
    pub url: String,
    folder: String,
}

impl Cluster {
    /// Starts one that keeps what it has committed, as in production.
    pub fn start() -> anyhow::Result<Self> {
        let output = Command::new(script())
            .arg("start")
            .env("PLAUDIT_TEST_POSTGRES_FSYNC", "on")
            .output()
            .context("PostgreSQL cannot be started")?;
        let told = String::from_utf8(output.stdout)?;
        ensure!(
            output.status.success(),
            "PostgreSQL does not start: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        let exported = |name: &str| {
            let value = told
                .lines()
                .find_map(|line| line.strip_prefix(&format!("export {name}='")))
                .and_then(|rest| rest.strip_suffix('\''));
            value
                .map(str::to_owned)
                .with_context(|| format!("PostgreSQL told no {name}"))
        };
        Ok(Self {
            url: exported("PLAUDIT_TEST_POSTGRES_URL")?,
            folder: exported("PLAUDIT_TEST_POSTGRES_DIR")?,
        })
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let stopped = Command::new(script()).args(["stop", &self.folder]).status();
        if !stopped.is_ok_and(|status| status.success()) {
            super::say(&format!(
                "PostgreSQL was not stopped; its folder is {}",
                self.folder
            ));
        }
    }
}

fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../.ci/postgres")
}

/// Where databases are made.
#[derive(Debug, Clone, Copy)]
pub enum Place<'a> {
    /// In this folder.
    Sqlite(&'a Path),
    /// In the server at this address.
    Postgres(&'a str),
}

/// A database that is set up, and a serving process on it that evaluates nothing.
pub struct Stand {
    /// The address of the database.
    pub url: String,
    /// The measuring side's own connections.
    pub db: Db,
    /// The serving process.
    pub server: Server,
}

/// An employer with its one matching incentive, its partner and its event type.
#[derive(Debug, Clone, FromQueryResult)]
pub struct Tenant {
    pub employer: EmployerId,
    pub event_type: EventTypeId,
    pub program: ProgramId,
    pub incentive: IncentiveId,
    pub partner: PartnerId,
}

impl Stand {
    /// Makes a database with these employers, each with so many incentives of which one matches, and with so many members.
    pub async fn set_up(
        place: &Place<'_>,
        name: &str,
        employers: &[(&str, usize, usize)],
    ) -> anyhow::Result<Self> {
        let url = make(place, name).await?;
        server::migrate(&url)?;
        let db = Db::open_with(&url, CONNECTIONS).await?;
        let server = Server::serve(&url, false).await?;
        let operator = Client::new(&server.address, &server::token(&url, &["operator"])?)?;
        for (key, incentives, _) in employers {
            create(&operator, key, *incentives).await?;
        }
        let stand = Self { url, db, server };
        for (key, _, members) in employers {
            let tenant = stand.tenant(key).await?;
            stand.add_members(&tenant, "m", *members).await?;
        }
        Ok(stand)
    }

    /// A client with a token of this employer.
    pub async fn client(&self, employer: &str) -> anyhow::Result<Client> {
        let token = server::token(&self.url, &["events:write", "--employer", employer])?;
        Client::new(&self.server.address, &token)
    }

    /// The ids of an employer and what belongs to it.
    pub async fn tenant(&self, key: &str) -> anyhow::Result<Tenant> {
        let sql = format!(
            "SELECT employer.id AS employer, event_type.id AS event_type, program.id AS program, incentive.id AS incentive, partner.id AS partner
             FROM employer JOIN event_type ON event_type.employer_id = employer.id AND event_type.key = 'meditation.completed'
             JOIN program ON program.employer_id = employer.id
             JOIN incentive ON incentive.employer_id = employer.id AND incentive.key = 'matching'
             JOIN partner ON partner.key = employer.key WHERE employer.key = '{key}'"
        );
        let row = self.one(&sql).await?;
        Ok(Tenant::from_query_result(&row, "")?)
    }

    /// A number.
    pub async fn count(&self, sql: &str) -> anyhow::Result<i64> {
        Ok(self.one(sql).await?.try_get_by_index::<i64>(0)?)
    }

    async fn one(&self, sql: &str) -> anyhow::Result<sea_orm::QueryResult> {
        let backend = self.db.read().get_database_backend();
        let row = self
            .db
            .read()
            .query_one_raw(Statement::from_string(backend, sql))
            .await?;
        row.with_context(|| format!("no row: {sql}"))
    }

    /// Adds members `m-0`, `m-1` and so on by one statement.
    async fn add_members(&self, tenant: &Tenant, prefix: &str, count: usize) -> anyhow::Result<()> {
        let columns = "employer_id, id, external_id, time_zone, attributes, created_at, updated_at";
        let employer = id_literal(self.db.kind(), tenant.employer.uuid());
        let now = entity::clock::Timestamp::from(Clock::system().now()).0;
        let sql = match self.db.kind() {
            Kind::Sqlite => format!(
                "WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < {count})
                 INSERT INTO member ({columns}) SELECT {employer}, randomblob(16), '{prefix}-' || i, 'Europe/Berlin', '{{}}', {now}, {now} FROM n"
            ),
            Kind::Postgres => format!(
                "INSERT INTO member ({columns}) SELECT {employer}, gen_random_uuid(), '{prefix}-' || i, 'Europe/Berlin', '{{}}', {now}, {now}
                 FROM generate_series(0, {count} - 1) AS n (i)"
            ),
        };
        self.db.read().execute_unprepared(&sql).await?;
        Ok(())
    }

    /// Adds so many members that have made progress already.
    pub async fn add_progress(&self, key: &str, count: usize) -> anyhow::Result<()> {
        let tenant = self.tenant(key).await?;
        self.add_members(&tenant, "old", count).await?;
        let incentive = id_literal(self.db.kind(), tenant.incentive.uuid());
        let state = self
            .one("SELECT state FROM progress LIMIT 1")
            .await?
            .try_get_by_index::<String>(0)?;
        let sql = format!(
            "INSERT INTO progress (employer_id, member_id, incentive_id, state, updated_at)
             SELECT employer_id, id, {incentive}, '{state}', created_at FROM member WHERE external_id LIKE 'old-%'"
        );
        self.db.read().execute_unprepared(&sql).await?;
        self.settle().await
    }

    /// Lets the database finish what it would otherwise do at a time of its own choice.
    pub async fn settle(&self) -> anyhow::Result<()> {
        let sql: &[&str] = match self.db.kind() {
            Kind::Sqlite => &["ANALYZE", "PRAGMA wal_checkpoint(TRUNCATE)"],
            Kind::Postgres => &["VACUUM ANALYZE", "CHECKPOINT"],
        };
        for statement in sql {
            self.db.read().execute_unprepared(statement).await?;
        }
        Ok(())
    }
}

/// Makes an empty database and returns its address.
async fn make(place: &Place<'_>, name: &str) -> anyhow::Result<String> {
    match place {
        Place::Sqlite(folder) => Ok(format!(
            "sqlite://{}?mode=rwc",
            folder.join(name).with_extension("db").display()
        )),
        Place::Postgres(url) => {
            let admin = Db::open_with(url, 1).await?;
            for setting in ["fsync", "synchronous_commit"] {
                let show = Statement::from_string(sea_orm::DbBackend::Postgres, format!("SHOW {setting}"));
                let row = admin.read().query_one_raw(show).await?.context("a setting")?;
                ensure!(
                    row.try_get_by_index::<String>(0)? == "on",
                    "{setting} is off: the figures would mean nothing"
                );
            }
            let database = format!("plaudit_bench_{name}");
            let drop = format!("DROP DATABASE IF EXISTS {database} WITH (FORCE)");
            admin.read().execute_unprepared(&drop).await?;
            admin
                .read()
                .execute_unprepared(&format!("CREATE DATABASE {database}"))
                .await?;
            admin.close().await?;
            let (server, parameters) = url
                .split_once('?')
                .map_or((*url, String::new()), |(server, rest)| {
                    (server, format!("?{rest}"))
                });
            let (server, _) = server
                .rsplit_once('/')
                .context("a database in the address of PostgreSQL")?;
            Ok(format!("{server}/{database}{parameters}"))
        }
    }
}

/// Sets up an employer through the API, with a partner of the same key that may know everything.
async fn create(operator: &Client, key: &str, incentives: usize) -> anyhow::Result<()> {
    let mutate = async |name: &str, input: Value, type_name: &str| {
        let query = format!(
            "mutation($input: {type_name}!) {{ {name}(input: $input) {{ userErrors {{ message path }} }} }}"
        );
        let data = operator.query(&query, json!({"input": input})).await?;
        let errors = &data[name]["userErrors"];
        ensure!(errors.as_array().is_some_and(Vec::is_empty), "{name}: {errors}");
        anyhow::Ok(())
    };
    let employer = json!({"key": key, "name": key, "timeZone": "Europe/Berlin", "consentDefaults": {"partnerSharing": true}});
    mutate("createEmployer", employer, "CreateEmployerInput").await?;
    mutate(
        "createPartner",
        json!({"key": key, "name": key}),
        "CreatePartnerInput",
    )
    .await?;
    mutate(
        "createProgram",
        json!({"employer": key, "key": "program", "name": "Program"}),
        "CreateProgramInput",
    )
    .await?;
    for number in 0..incentives {
        // Of those that do not match, one half waits for events of another type, the other for more of the same type.
        let (name, trigger) = match number {
            0 => (
                "matching".to_owned(),
                json!({"eventType": "meditation.completed"}),
            ),
            odd if odd % 2 == 1 => (
                format!("other-{odd}"),
                json!({"eventType": "registration.completed"}),
            ),
            even => (
                format!("more-{even}"),
                json!({"eventType": "meditation.completed", "where": [{"path": "properties.minutes", "op": "GTE", "value": 60}]}),
            ),
        };
        let incentive = json!({
            "employer": key, "program": "program", "key": name, "name": name, "trigger": trigger, "structure": {"immediate": true},
            "limit": {"once": true}, "outcomes": [{"achievement": {"title": "Well done"}}]
        });
        mutate("createIncentive", incentive, "CreateIncentiveInput").await?;
    }
    let grant = json!({"employer": key, "partner": key, "programs": ["program"]});
    mutate("grantPartner", grant, "GrantPartnerInput").await?;
    mutate(
        "activateProgram",
        json!({"employer": key, "program": "program"}),
        "ProgramKeyInput",
    )
    .await
}

fn id_literal(kind: Kind, id: Uuid) -> String {
    match kind {
        Kind::Sqlite => format!("x'{}'", id.simple()),
        Kind::Postgres => format!("'{id}'::uuid"),
    }
}
