//! A database with employers, incentives, partners and members, made for one measurement each.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};
use entity::clock::Clock;
use entity::db::{Db, Kind};
use entity::id::{EmployerId, EventTypeId, IncentiveId, PartnerId, ProgramId, TypedId};
use sea_orm::prelude::Uuid;
use sea_orm::{ConnectionTrait, QueryResult, Statement};

use crate::cpu::Meter;
use crate::employer::Employer;
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
    /// Adds up the processor time of what works on it.
    pub meter: Meter,
}

/// An employer with its partner, its one program and the first of its incentives.
#[derive(Debug, Clone)]
pub struct Tenant {
    pub employer: EmployerId,
    pub program: ProgramId,
    pub partner: PartnerId,
    /// In the order of their making.
    pub incentives: Vec<IncentiveId>,
    event_types: HashMap<String, EventTypeId>,
}

impl Tenant {
    /// The event type of this key.
    pub fn event_type(&self, key: &str) -> anyhow::Result<EventTypeId> {
        let found = self.event_types.get(key).copied();
        found.with_context(|| format!("no event type {key}"))
    }
}

impl Stand {
    /// Makes a database with these employers.
    pub async fn set_up(place: &Place<'_>, name: &str, employers: &[Employer]) -> anyhow::Result<Self> {
        let url = make(place, name).await?;
        server::migrate(&url)?;
        let db = Db::open_with(&url, CONNECTIONS).await?;
        let server = Server::serve(&url, false).await?;
        let operator = Client::new(&server.address, &server::token(&url, &["operator"])?)?;
        let meter = Meter::new(&db).await?;
        let stand = Self {
            url,
            db,
            server,
            meter,
        };
        for employer in employers {
            employer.create(&operator).await?;
            let tenant = stand.tenant(&employer.key).await?;
            stand.add_members(&tenant, employer.members).await?;
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
        let row = self
            .one(&format!(
                "SELECT employer.id, program.id, partner.id FROM employer JOIN program ON program.employer_id = employer.id
                 JOIN partner ON partner.key = employer.key WHERE employer.key = '{key}'"
            ))
            .await?;
        let employer: EmployerId = row.try_get_by_index(0)?;
        let id = id_literal(self.db.kind(), employer.uuid());
        let incentives = format!("SELECT id FROM incentive WHERE employer_id = {id} ORDER BY id LIMIT 10");
        let incentives = self.all(&incentives).await?;
        let event_types = format!("SELECT key, id FROM event_type WHERE employer_id = {id}");
        let event_types = self.all(&event_types).await?;
        let incentives: Result<_, _> = incentives.iter().map(|row| row.try_get_by_index(0)).collect();
        let event_types: Result<_, sea_orm::DbErr> = event_types
            .iter()
            .map(|row| Ok((row.try_get_by_index(0)?, row.try_get_by_index(1)?)))
            .collect();
        Ok(Tenant {
            employer,
            program: row.try_get_by_index(1)?,
            partner: row.try_get_by_index(2)?,
            incentives: incentives?,
            event_types: event_types?,
        })
    }

    /// The members of an employer, in the order of their making.
    pub async fn members(&self, tenant: &Tenant) -> anyhow::Result<Vec<Uuid>> {
        let employer = id_literal(self.db.kind(), tenant.employer.uuid());
        let sql = format!(
            "SELECT id FROM member WHERE employer_id = {employer} ORDER BY length(external_id), external_id"
        );
        let members = self.all(&sql).await?;
        let members: Result<_, _> = members.iter().map(|row| row.try_get_by_index(0)).collect();
        Ok(members?)
    }

    /// A number.
    pub async fn count(&self, sql: &str) -> anyhow::Result<i64> {
        Ok(self.one(sql).await?.try_get_by_index::<i64>(0)?)
    }

    /// A text.
    pub async fn text(&self, sql: &str) -> anyhow::Result<String> {
        Ok(self.one(sql).await?.try_get_by_index::<String>(0)?)
    }

    async fn one(&self, sql: &str) -> anyhow::Result<QueryResult> {
        let row = self.all(sql).await?.into_iter().next();
        row.with_context(|| format!("no row: {sql}"))
    }

    async fn all(&self, sql: &str) -> anyhow::Result<Vec<QueryResult>> {
        let connection = self.db.read();
        let statement = Statement::from_string(connection.get_database_backend(), sql);
        Ok(connection.query_all_raw(statement).await?)
    }

    /// Adds members `m-0`, `m-1` and so on by one statement.
    async fn add_members(&self, tenant: &Tenant, count: usize) -> anyhow::Result<()> {
        let columns = "employer_id, id, external_id, time_zone, attributes, created_at, updated_at";
        let employer = id_literal(self.db.kind(), tenant.employer.uuid());
        let now = entity::clock::Timestamp::from(Clock::system().now()).0;
        let sql = match self.db.kind() {
            Kind::Sqlite => format!(
                "WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < {count})
                 INSERT INTO member ({columns}) SELECT {employer}, randomblob(16), 'm-' || i, 'Europe/Berlin', '{{}}', {now}, {now} FROM n"
            ),
            Kind::Postgres => format!(
                "INSERT INTO member ({columns}) SELECT {employer}, gen_random_uuid(), 'm-' || i, 'Europe/Berlin', '{{}}', {now}, {now}
                 FROM generate_series(0, {count} - 1) AS n (i)"
            ),
        };
        self.db.read().execute_unprepared(&sql).await?;
        Ok(())
    }

    /// Gives the employer's members from number `first` on a copy of all that is known of its first one: what incentives remember,
    /// what has counted, what was earned.
    pub async fn copy_first(&self, tenant: &Tenant, first: usize) -> anyhow::Result<()> {
        let kind = self.db.kind();
        let employer = id_literal(kind, tenant.employer.uuid());
        let fresh = match kind {
            Kind::Sqlite => "randomblob(16)",
            Kind::Postgres => "gen_random_uuid()",
        };
        let achievement = "incentive_id, incentive_version, program_id, period_key, ordinal, title, sensitive, earned_on, recorded_at, status, why";
        let contribution =
            "incentive_id, source, event_id, version, day, time_zone, occurred_at, amount, steps, role";
        for (table, id, columns) in [
            ("progress", None, "incentive_id, state, updated_at"),
            ("contribution", None, contribution),
            ("achievement", Some(fresh), achievement),
        ] {
            let (id_column, id) = id.map_or_else(Default::default, |id| ("id, ", format!("{id}, ")));
            let sql = format!(
                "INSERT INTO {table} (employer_id, member_id, {id_column}{columns}) SELECT {employer}, other_id, {id}{columns}
                 FROM (SELECT id AS other_id FROM member
                 WHERE employer_id = {employer} AND CAST(substr(external_id, 3) AS integer) >= {first}) AS other
                 CROSS JOIN {table} AS known WHERE known.employer_id = {employer}
                 AND known.member_id = (SELECT id FROM member WHERE employer_id = {employer} AND external_id = 'm-0')"
            );
            self.db.read().execute_unprepared(&sql).await?;
        }
        Ok(())
    }

    /// Everything was evaluated, nothing was set aside, no feed has a hole.
    pub async fn check(&self) -> anyhow::Result<()> {
        for (what, sql) in [
            ("events are still queued", "SELECT count(*) FROM event"),
            ("events were set aside", "SELECT count(*) FROM dead_event"),
            (
                "feeds have a hole",
                "SELECT count(*) FROM feed_head WHERE position <>
                 (SELECT count(*) FROM feed_entry WHERE feed_entry.partner_id = feed_head.partner_id)
                 OR position <> (SELECT coalesce(max(feed_entry.position), 0) FROM feed_entry WHERE feed_entry.partner_id = feed_head.partner_id)",
            ),
        ] {
            let count = self.count(sql).await?;
            ensure!(count == 0, "{count} {what}");
        }
        Ok(())
    }

    /// Lets the database finish what it would otherwise do at a time of its own choice. Once a round: PostgreSQL plans by what it last
    /// counted, and in earnest it has counted tables that are full.
    pub async fn settle(&self) -> anyhow::Result<()> {
        let sql: &[&str] = match self.db.kind() {
            // Nothing ever analyses an SQLite database of Plaudit's.
            Kind::Sqlite => &["PRAGMA wal_checkpoint(TRUNCATE)"],
            Kind::Postgres => &["VACUUM ANALYZE", "CHECKPOINT"],
        };
        for statement in sql {
            self.db.read().execute_unprepared(statement).await?;
        }
        Ok(())
    }
}

/// Makes an empty database and returns its address.
pub async fn make(place: &Place<'_>, name: &str) -> anyhow::Result<String> {
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

fn id_literal(kind: Kind, id: Uuid) -> String {
    match kind {
        Kind::Sqlite => format!("x'{}'", id.simple()),
        Kind::Postgres => format!("'{id}'::uuid"),
    }
}
