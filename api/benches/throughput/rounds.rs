//! The built program from end to end: floor and program take turns on the same database.

use std::collections::HashMap;
use std::ops::Range;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use chrono::TimeDelta;
use entity::clock::{Clock, Timestamp};
use serde_json::json;

use crate::Scale;
use crate::cpu::{Measured, Runs};
use crate::employer::Employer;
use crate::floor::{Floor, Shape};
use crate::load::{Client, Door, Feed};
use crate::report::{Report, percentile, say};
use crate::scenario::{self, MEDITATION};
use crate::server::{self, Server};
use crate::stand::{Place, Stand};

/// What is not evaluated by then will not be.
const EVALUATED_WITHIN: Duration = Duration::from_mins(5);
/// How often it is looked whether all is evaluated: seldom enough that the looking costs nothing.
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// Requests in flight: of one event each, and of many.
const SINGLES_AT_ONCE: usize = 64;
const AT_ONCE: usize = 8;
/// Connections of the floor of single rows.
const COMMITTERS: usize = 32;

/// Sample events of a simulation, of so many members; and what they earn: a streak of 10 days ten times each.
const SAMPLES: i64 = 10_000;
const SAMPLE_MEMBERS: i64 = 100;
const SAMPLE_AWARDS: usize = 1_000;
/// How long a request may take.
const REQUEST_SECONDS: f64 = 5.0;

/// Of about the length of real ones.
const STATE: &str = r#"{"e":{"n":1},"x":[{"o":1,"s":{"2026-01-01":1}}]}"#;
const WHY: &str = r#"{"version":1,"events":[{"source":"bench","id":"e-1234","localDate":"2026-01-01","timeZone":"Europe/Berlin"}],"text":"It happened on 2026-01-01."}"#;

const ACCEPT_FLOOR: &str = "receipt + event rows in sets";
const SINGLE_FLOOR: &str = "one such row a commit, 32 clients";
const EVALUATE_FLOOR: &str = "the same rows in sets";

/// Measures everything on one kind of database.
pub async fn run(place: &Place<'_>, scale: Scale, report: &mut Report) -> anyhow::Result<()> {
    let mut bench = Bench::set_up(place, scale).await?;
    for round in 1..=scale.rounds {
        say(&format!("{}: round {round} of {}", report.title, scale.rounds));
        bench.round(report).await?;
    }
    bench.check().await
}

/// A database, and how far the members of each employer are used up.
struct Bench {
    scale: Scale,
    clock: Clock,
    stand: Stand,
    floor: Floor,
    used: HashMap<&'static str, usize>,
}

impl Bench {
    async fn set_up(place: &Place<'_>, scale: Scale) -> anyhow::Result<Self> {
        let Scale { rounds, events, .. } = scale;
        // Each measurement has an employer of its own, so that all of them find as much there from the rounds before.
        let employers = [
            ("sent", rounds * (events * 3 + scale.singles)),
            ("one", rounds * events),
            ("both", rounds * events),
            ("timed", rounds * scale.timed),
            ("floor", rounds * (events + scale.singles)),
        ];
        let employers = employers.map(|(key, members)| Employer::new(key, scenario::simple(), members));
        let clock = Clock::system();
        let stand = Stand::set_up(place, "fresh", &employers).await?;
        let floor = Floor::new(&stand, stand.tenant("floor").await?, &clock).await?;
        stand.settle().await?;
        Ok(Self {
            scale,
            clock,
            stand,
            floor,
            used: HashMap::new(),
        })
    }

    /// Members that have sent nothing yet.
    fn take(&mut self, employer: &'static str, count: usize) -> Range<usize> {
        let used = self.used.entry(employer).or_default();
        let first = *used;
        *used += count;
        first..*used
    }

    async fn round(&mut self, report: &mut Report) -> anyhow::Result<()> {
        let (events, singles) = (self.scale.events, self.scale.singles);
        let now = Timestamp::from(self.clock.now());
        let shape = Shape {
            cases: 1,
            awards: 1,
            of: 1,
            state: STATE.to_owned(),
            why: WHY.to_owned(),
            points: false,
        };
        let members = self.take("floor", events);
        let accept_floor = self.floor.accept(members, now).await?;
        let evaluate_floor = self.floor.evaluate(&shape, now).await?;
        let members = self.take("floor", singles);
        let single_floor = self.floor.accept_by(members, now, 1, COMMITTERS).await?;
        self.floor.evaluate(&shape, now).await?;

        let client = self.stand.client("sent").await?;
        for (what, door, per_request, at_once, count) in [
            (
                "accepted, requests of 1, 64 in flight",
                Door::CloudEvents,
                1,
                SINGLES_AT_ONCE,
                singles,
            ),
            (
                "accepted, requests of 100",
                Door::CloudEvents,
                100,
                AT_ONCE,
                events,
            ),
            (
                "accepted, requests of 1,000",
                Door::CloudEvents,
                1_000,
                AT_ONCE,
                events,
            ),
            (
                "accepted, requests of 100, GraphQL",
                Door::GraphQl,
                100,
                AT_ONCE,
                events / 2,
            ),
        ] {
            let members = self.take("sent", count);
            let running = self.stand.meter.start(Runs::Outside);
            client
                .send_all(door, members, per_request, at_once, self.clock.now())
                .await?;
            let rate = running.stop(count);
            report.compare(what, rate, ACCEPT_FLOOR, accept_floor, "events/s");
            if per_request == 1 {
                report.compare(what, rate, SINGLE_FLOOR, single_floor, "events/s");
            }
        }
        self.drain("sent", singles + 2 * events + events / 2).await?;

        let one = self.evaluate("one", events).await?;
        report.compare(
            "evaluated by work, immediate, once",
            one,
            EVALUATE_FLOOR,
            evaluate_floor,
            "events/s",
        );
        self.simulate(report).await?;
        self.serve(report, accept_floor.then(evaluate_floor)).await
    }

    /// How long a draft takes over as many sample events as there may be: an event of every member each day.
    async fn simulate(&self, report: &mut Report) -> anyhow::Result<()> {
        let first = self.clock.now() - TimeDelta::days(100);
        let events = (0..SAMPLES).map(|number| {
            let (day, member) = (number / SAMPLE_MEMBERS, number % SAMPLE_MEMBERS);
            json!({
                "id": format!("s-{number}"), "type": MEDITATION, "member": format!("sample-{member}"),
                "occurredAt": (first + TimeDelta::days(day)).to_rfc3339(), "properties": {"minutes": 12}
            })
        });
        let (events, draft) = (events.collect::<Vec<_>>(), scenario::draft());
        let input = json!({"input": {"employer": "one", "incentive": draft, "events": events}});
        let query = "query($input: SimulateInput!) {
            simulate(input: $input) { awards { member earnedOn why { text } } userErrors { message path } }
        }";
        let operator = Client::new(
            &self.stand.server.address,
            &server::token(&self.stand.url, &["operator"])?,
        )?;
        let start = Instant::now();
        let answer = operator.query(query, input).await?["simulate"].take();
        let seconds = start.elapsed().as_secs_f64();
        let awards = answer["awards"].as_array().map_or(0, Vec::len);
        ensure!(
            awards == SAMPLE_AWARDS,
            "{awards} awards: {}",
            answer["userErrors"]
        );
        report.note(
            "simulate, 10,000 sample events",
            seconds,
            "the time a request has",
            REQUEST_SECONDS,
            "s",
        );
        Ok(())
    }

    /// Queues events of an employer, then lets a worker loose on them.
    async fn evaluate(&mut self, employer: &'static str, count: usize) -> anyhow::Result<Measured> {
        let members = self.take(employer, count);
        let client = self.stand.client(employer).await?;
        client
            .send_all(Door::CloudEvents, members, 1_000, 2, self.clock.now())
            .await?;
        self.drain(employer, count).await
    }

    /// Lets a worker loose on so many events that are queued, and waits until the employer's partner has an entry of every member
    /// that has sent; measured is from the worker's start.
    async fn drain(&self, employer: &'static str, count: usize) -> anyhow::Result<Measured> {
        let worker = Server::work(&self.stand.url).await?;
        let running = self.stand.meter.start(Runs::Outside);
        self.recorded(employer).await?;
        let measured = running.stop(count);
        worker.end().await?;
        Ok(measured)
    }

    /// Waits until the employer's partner has an entry of every member that has sent.
    async fn recorded(&self, employer: &'static str) -> anyhow::Result<()> {
        let expected = i64::try_from(self.used.get(employer).copied().unwrap_or(0))?;
        let head = format!(
            "SELECT position FROM feed_head WHERE partner_id = (SELECT id FROM partner WHERE key = '{employer}')"
        );
        let looking = async {
            let mut looks = tokio::time::interval(LOOK_EVERY);
            while self.stand.count(&head).await? < expected {
                looks.tick().await;
            }
            anyhow::Ok(())
        };
        tokio::time::timeout(EVALUATED_WITHIN, looking)
            .await
            .context("not every event was evaluated")?
    }

    /// What one process does alone: accept and evaluate at once, push to a subscription, and the memory it needs for it.
    async fn serve(&mut self, report: &mut Report, floor: Measured) -> anyhow::Result<()> {
        let server = Server::serve(&self.stand.url, true).await?;
        let client = self.client(&server, "timed").await?;
        let partner = server::token(&self.stand.url, &["feed:read", "--partner", "timed"])?;
        let mut feed = Feed::open(&server.address, &partner).await?;
        let members = self.take("timed", self.scale.timed);
        let (mut acknowledged, mut pushed) = client.time_pushes(&mut feed, members, self.clock.now()).await?;
        for (what, share) in [
            ("request to push, p50, light load", 0.5),
            ("request to push, p99, light load", 0.99),
        ] {
            let floor = percentile(&mut acknowledged, share);
            report.note(
                what,
                percentile(&mut pushed, share),
                "request to acknowledgement",
                floor,
                "ms",
            );
        }
        drop(feed);

        let client = self.client(&server, "both").await?;
        let members = self.take("both", self.scale.events);
        let running = self.stand.meter.start(Runs::Outside);
        client
            .send_all(Door::CloudEvents, members, 100, AT_ONCE, self.clock.now())
            .await?;
        self.recorded("both").await?;
        let rate = running.stop(self.scale.events);
        report.compare(
            "accepted and evaluated, requests of 100",
            rate,
            "both floors one after the other",
            floor,
            "events/s",
        );
        report.note(
            "memory of serve at its most",
            server.peak_memory()?,
            "100 MiB",
            100.0,
            "MiB",
        );
        server.end().await
    }

    async fn client(&self, server: &Server, employer: &str) -> anyhow::Result<Client> {
        let token = server::token(&self.stand.url, &["events:write", "--employer", employer])?;
        Client::new(&server.address, &token)
    }

    /// Everything was evaluated and earned what it should.
    async fn check(self) -> anyhow::Result<()> {
        self.stand.check().await?;
        let sent: usize = self.used.values().sum();
        let earned = self.stand.count("SELECT count(*) FROM achievement").await?;
        ensure!(
            earned == i64::try_from(sent)?,
            "{sent} events, {earned} achievements"
        );
        self.stand.server.end().await?;
        Ok(self.stand.db.close().await?)
    }
}
