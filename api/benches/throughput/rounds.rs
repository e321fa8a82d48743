//! The built program from end to end: floor and program take turns on the same database.

use std::time::Instant;

use anyhow::ensure;
use chrono::TimeDelta;
use entity::clock::{Clock, Timestamp};
use serde_json::json;

use crate::Scale;
use crate::course::{AT_ONCE, Course};
use crate::cpu::{Measured, Runs};
use crate::employer::Employer;
use crate::floor::{Floor, Shape};
use crate::load::{Client, Door, Feed};
use crate::report::{Report, percentile, say};
use crate::scenario::{self, MEDITATION};
use crate::server::{self, Server};
use crate::stand::{Place, Stand};

/// Requests of one event each in flight.
const SINGLES_AT_ONCE: usize = 64;
/// Connections of the floor of single rows.
const COMMITTERS: usize = 32;

/// Sample events of a simulation, of so many members; and what they earn: a streak of 10 days ten times each.
const SAMPLES: i64 = 10_000;
const SAMPLE_MEMBERS: i64 = 100;
const SAMPLE_AWARDS: usize = 1_000;
/// How long a request may take.
const REQUEST_SECONDS: f64 = 5.0;

/// Pushes before those that are timed.
const WARMED: usize = 200;
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
    bench.course.check().await
}

/// A database, and a floor on it.
struct Bench {
    scale: Scale,
    course: Course,
    floor: Floor,
}

impl Bench {
    async fn set_up(place: &Place<'_>, scale: Scale) -> anyhow::Result<Self> {
        let Scale { rounds, events, .. } = scale;
        // Each measurement has an employer of its own, so that all of them find as much there from the rounds before.
        let employers = [
            ("sent", rounds * (events * 3 + scale.singles)),
            ("one", rounds * events),
            ("both", rounds * events),
            ("timed", rounds * (WARMED + scale.timed)),
            ("floor", rounds * (events + scale.singles)),
        ];
        let employers = employers.map(|(key, members)| Employer::new(key, scenario::simple(), members));
        let stand = Stand::set_up(place, "fresh", &employers).await?;
        let floor = Floor::new(&stand, stand.tenant("floor").await?, &Clock::system()).await?;
        stand.settle().await?;
        Ok(Self {
            scale,
            course: Course::new(stand),
            floor,
        })
    }

    async fn round(&mut self, report: &mut Report) -> anyhow::Result<()> {
        self.course.stand.settle().await?;
        let (events, singles) = (self.scale.events, self.scale.singles);
        let now = Timestamp::from(self.course.clock.now());
        let shape = Shape::simple();
        let members = self.course.take("floor", events);
        let accept_floor = self.floor.accept(members, now).await?;
        let evaluate_floor = self.floor.evaluate(&shape, now).await?;
        let members = self.course.take("floor", singles);
        let single_floor = self.floor.accept_by(members, now, 1, COMMITTERS).await?;
        self.floor.evaluate(&shape, now).await?;

        let client = self.course.stand.client("sent").await?;
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
            let members = self.course.take("sent", count);
            let running = self.course.stand.meter.start(Runs::Outside);
            client
                .send_all(door, members, per_request, at_once, self.course.clock.now())
                .await?;
            let rate = running.stop(count);
            report.compare(what, rate, ACCEPT_FLOOR, accept_floor, "events/s");
            if per_request == 1 {
                report.compare(what, rate, SINGLE_FLOOR, single_floor, "events/s");
            }
        }
        self.course
            .drain("sent", singles + 2 * events + events / 2)
            .await?;

        let one = self.course.evaluate("one", events).await?;
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
        let first = self.course.clock.now() - TimeDelta::days(100);
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
            &self.course.stand.server.address,
            &server::token(&self.course.stand.url, &["operator"])?,
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

    /// What one process does alone: accept and evaluate at once, push to a subscription, and the memory it needs for it.
    async fn serve(&mut self, report: &mut Report, floor: Measured) -> anyhow::Result<()> {
        let server = Server::serve(&self.course.stand.url, true).await?;
        let client = self.course.client(&server, "timed")?;
        let partner = server::token(&self.course.stand.url, &["feed:read", "--partner", "timed"])?;
        let mut feed = Feed::open(&server.address, &partner).await?;
        let now = self.course.clock.now();
        // In its first hundreds of statements PostgreSQL plans each anew, connection by connection: what lasts is what comes after.
        let members = self.course.take("timed", WARMED);
        client.time_pushes(&mut feed, members, now).await?;
        let members = self.course.take("timed", self.scale.timed);
        let (mut acknowledged, mut pushed) = client.time_pushes(&mut feed, members, now).await?;
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

        let rate = self.course.both(&server, "both", self.scale.events).await?;
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
}
