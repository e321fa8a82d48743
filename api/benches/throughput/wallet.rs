//! What members see and spend: balances that are read and rewards that are redeemed, among many accounts with a past.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use anyhow::ensure;
use entity::clock::{Clock, Timestamp};
use entity::db::Kind;
use sea_orm::prelude::Uuid;
use sea_orm::{ConnectionTrait, Statement};
use serde_json::json;
use tokio::task::JoinSet;

use crate::Scale;
use crate::cpu::{Measured, Runs};
use crate::employer::Employer;
use crate::floor::{Floor, Shape};
use crate::insert::{backend, uuid};
use crate::load::{Client, name};
use crate::report::{Report, percentile, say};
use crate::scenario;
use crate::server;
use crate::stand::{Place, Stand, Tenant};

/// Entries of each account, each with a lot that has something left.
const ENTRIES: usize = 50;
/// What a mug costs.
const PRICE: i64 = 7;
/// Balances that are read for each reward that is redeemed.
const READS: usize = 10;
/// Requests in flight: of readers, and of members who redeem.
const READERS: usize = 32;
const AT_ONCE: usize = 100;
/// Connections of the floor of single rows.
const COMMITTERS: usize = 32;
/// How long a request may take, in milliseconds.
const REQUEST_MILLIS: f64 = 5_000.0;

const KEY: &str = "wallet";

/// Measures everything on one kind of database.
pub async fn run(place: &Place<'_>, scale: Scale, report: &mut Report) -> anyhow::Result<()> {
    let mut bench = Bench::set_up(place, scale).await?;
    for round in 1..=scale.rounds {
        say(&format!(
            "{}: points, round {round} of {}",
            report.title, scale.rounds
        ));
        bench.round(report).await?;
    }
    bench.stand.check().await?;
    bench.stand.server.end().await?;
    Ok(bench.stand.db.close().await?)
}

struct Bench {
    scale: Scale,
    clock: Clock,
    stand: Stand,
    floor: Floor,
    client: Client,
    employer: Tenant,
    members: Arc<Vec<Uuid>>,
    /// How many members have been asked about, and have redeemed; and those of the floor.
    used: usize,
    floor_used: usize,
}

impl Bench {
    async fn set_up(place: &Place<'_>, mut scale: Scale) -> anyhow::Result<Self> {
        if let Place::Sqlite(_) = place {
            // One file is for employers of that size.
            scale.accounts = scale.accounts.div_ceil(10);
        }
        let employers = [
            Employer::new(KEY, scenario::simple(), scale.accounts),
            Employer::new("floor", scenario::simple(), scale.rounds * scale.singles),
        ];
        let clock = Clock::system();
        let stand = Stand::set_up(place, KEY, &employers).await?;
        let employer = stand.tenant(KEY).await?;
        fill(&stand, &employer).await?;
        let operator = Client::new(&stand.server.address, &server::token(&stand.url, &["operator"])?)?;
        let mug = json!({"input": {"employer": KEY, "program": "program", "key": "mug", "name": "A mug", "price": PRICE}});
        let query = "mutation($input: CreateRewardInput!) { createReward(input: $input) { userErrors { message path } } }";
        let made = operator.query(query, mug).await?;
        let errors = &made["createReward"]["userErrors"];
        ensure!(errors.as_array().is_some_and(Vec::is_empty), "{errors}");
        let token = server::token(&stand.url, &["member:any", "--employer", KEY])?;
        let floor = Floor::new(&stand, stand.tenant("floor").await?, &clock).await?;
        stand.settle().await?;
        Ok(Self {
            scale,
            client: Client::new(&stand.server.address, &token)?,
            members: Arc::new(stand.members(&employer).await?),
            employer,
            clock,
            floor,
            stand,
            used: 0,
            floor_used: 0,
        })
    }

    async fn round(&mut self, report: &mut Report) -> anyhow::Result<()> {
        let count = self.scale.singles;
        let first = self.used;
        self.used += count;
        ensure!(self.used <= self.scale.accounts, "there are too few accounts");

        let (reads, accounts) = (count * READS, self.scale.accounts);
        let (floor, mut floor_times) = self.read_rows(first, reads).await?;
        let client = self.client.clone();
        let running = self.stand.meter.start(Runs::Outside);
        let mut times = in_flight(READERS, reads, move |place| {
            let (client, member) = (client.clone(), name(somewhere(first + place, accounts)));
            async move {
                let answer = client.get(&format!("v1/members/{member}/points")).await?;
                let available = answer["balances"][0]["available"].as_i64();
                // Whoever has redeemed a mug has less.
                let full = i64::try_from(ENTRIES)?;
                ensure!(
                    available.is_some_and(|available| [full, full - PRICE].contains(&available)),
                    "a balance is not right: {answer}"
                );
                anyhow::Ok(())
            }
        })
        .await?;
        let rate = running.stop(reads);
        let what = format!("balance read, 1 of {} accounts", self.scale.accounts);
        report.compare(&what, rate, "one row by its key, 32 clients", floor, "reads/s");
        let (p99, floor) = (percentile(&mut times, 0.99), percentile(&mut floor_times, 0.99));
        report.note("balance read, p99", p99, "p99 of such a row", floor, "ms");

        let now = Timestamp::from(self.clock.now());
        let rows = self.floor_used..self.floor_used + count;
        self.floor_used = rows.end;
        let floor = self.floor.accept_by(rows, now, 1, COMMITTERS).await?;
        self.floor.evaluate(&Shape::nothing(), now).await?;
        let client = self.client.clone();
        let running = self.stand.meter.start(Runs::Outside);
        let mut times = in_flight(AT_ONCE, count, move |place| {
            let (client, member) = (client.clone(), name(first + place));
            async move {
            let input = json!({"member": member, "reward": "mug", "idempotencyKey": format!("mug-{member}")});
            let query = "mutation($input: RedeemRewardInput!) { redeemReward(input: $input) { redemption { status } userErrors { code } } }";
            let answer = client.query(query, json!({"input": input})).await?;
            let status = &answer["redeemReward"]["redemption"]["status"];
            ensure!(status == "HELD", "not redeemed: {answer}");
            anyhow::Ok(())
            }
        })
        .await?;
        let rate = running.stop(count);
        report.compare(
            "redeemed, 100 in flight",
            rate,
            "one row a commit, 32 clients",
            floor,
            "redemptions/s",
        );
        report.note(
            "redeemed, 100 in flight, p99",
            percentile(&mut times, 0.99),
            "the time a request has",
            REQUEST_MILLIS,
            "ms",
        );
        Ok(())
    }

    /// Reads accounts by their keys, and nothing else.
    async fn read_rows(&self, first: usize, count: usize) -> anyhow::Result<(Measured, Vec<f64>)> {
        let db = self.stand.db.clone();
        let (members, employer) = (Arc::clone(&self.members), uuid(self.employer.employer));
        let running = self.stand.meter.start(Runs::Inside);
        let times = in_flight(READERS, count, move |place| {
            let db = db.clone();
            let read = Statement::from_sql_and_values(
                backend(db.kind()),
                "SELECT available, pending FROM points_account WHERE employer_id = $1 AND member_id = $2 AND category = $3",
                [employer.clone(), members[somewhere(first + place, members.len())].into(), "points".into()],
            );
            async move {
            let row = db.read().query_one_raw(read).await?;
            ensure!(row.is_some(), "an account is not there");
            anyhow::Ok(())
            }
        })
        .await?;
        Ok((running.stop(count), times))
    }
}

/// A place among accounts, so that places one after the other are far apart.
fn somewhere(place: usize, accounts: usize) -> usize {
    place.wrapping_mul(7_919) % accounts.max(1)
}

/// Does something so many times, so many at once; returns how long each took in milliseconds.
async fn in_flight<F>(
    at_once: usize,
    count: usize,
    act: impl Fn(usize) -> F + Clone + Send + 'static,
) -> anyhow::Result<Vec<f64>>
where
    F: Future<Output = anyhow::Result<()>> + Send,
{
    let next = Arc::new(AtomicUsize::new(0));
    let mut actors = JoinSet::new();
    for _ in 0..at_once {
        let (next, act) = (Arc::clone(&next), act.clone());
        actors.spawn(async move {
            let mut times = Vec::new();
            loop {
                let place = next.fetch_add(1, Ordering::Relaxed);
                if place >= count {
                    return anyhow::Ok(times);
                }
                let start = Instant::now();
                act(place).await?;
                times.push(start.elapsed().as_secs_f64() * 1_000.0);
            }
        });
    }
    let mut times = Vec::with_capacity(count);
    while let Some(actor) = actors.join_next().await {
        times.extend(actor??);
    }
    Ok(times)
}

/// Gives every member of an employer an account with as many entries, each of one point in a lot of its own. Rows come in the order of
/// their keys and without a look at what they refer to, so that a million accounts are there within minutes.
async fn fill(stand: &Stand, employer: &Tenant) -> anyhow::Result<()> {
    let employer = hex(employer);
    let (id, fresh, date, [before, after]) = match stand.db.kind() {
        Kind::Sqlite => (
            format!("x'{employer}'"),
            "unhex(printf('%032x', place))",
            "'2026-01-01'",
            ["PRAGMA foreign_keys = OFF", "PRAGMA foreign_keys = ON"],
        ),
        Kind::Postgres => (
            format!("'{employer}'::uuid"),
            "lpad(to_hex(place), 32, '0')::uuid",
            "'2026-01-01'::date",
            [
                "SET session_replication_role = replica",
                "RESET session_replication_role",
            ],
        ),
    };
    let numbers =
        format!("WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {ENTRIES})");
    let each = format!(
        "FROM (SELECT member.id, n.i, row_number() OVER (ORDER BY member.id, n.i) AS place
         FROM member CROSS JOIN n WHERE member.employer_id = {id}) AS member"
    );
    for sql in [
        format!(
            "INSERT INTO points_account (employer_id, member_id, category, available, pending, debt, entries)
             SELECT {id}, member.id, 'points', {ENTRIES}, 0, 0, {ENTRIES} FROM member WHERE member.employer_id = {id}"
        ),
        format!(
            "{numbers} INSERT INTO points_lot (employer_id, id, member_id, category, amount, remaining, active_from, expires_at, is_active)
             SELECT {id}, {fresh}, member.id, 'points', 1, 1, member.i, 9223372036854775807, true {each}"
        ),
        format!(
            "{numbers} INSERT INTO points_entry (employer_id, id, member_id, category, number, kind, amount, balance_after, recorded_at,
             recorded_on, sensitive)
             SELECT {id}, {fresh}, member.id, 'points', member.i, 'ADJUSTED', 1, member.i, member.i, {date}, false {each}"
        ),
    ] {
        let sql = format!("{before}; {sql}; {after}");
        stand.db.read().execute_unprepared(&sql).await?;
    }
    Ok(())
}

/// The id of an employer in hexadecimal digits.
fn hex(employer: &Tenant) -> String {
    use entity::id::TypedId;
    employer.employer.uuid().simple().to_string()
}
