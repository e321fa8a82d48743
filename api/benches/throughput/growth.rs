//! Whether what was before makes an event cost more: a fresh database, and one with a past, take turns.
//!
//! In the second one a great many members have begun already, a thousand more incentives wait for events of another type, and events
//! have passed through the queue, a thousand a transaction, whose receipts are all there. Of each figure there is also what the
//! database itself loses, which is in the floors.

use anyhow::ensure;
use chrono::{DateTime, Utc};
use entity::clock::{Clock, Timestamp};

use crate::Scale;
use crate::course::Course;
use crate::cpu::{Measured, Runs};
use crate::employer::Employer;
use crate::evaluator::Evaluator;
use crate::floor::{Floor, Shape};
use crate::load::Feed;
use crate::report::{Report, percentile, say};
use crate::scenario;
use crate::server::{self, Server};
use crate::stand::{Place, Stand};

/// Events that pass at once.
const PASSING: usize = 10_000;
/// How often it is told how many have.
const TELL_EVERY: usize = 1_000_000;
/// Incentives that wait for something else.
const IDLE: usize = 1_000;

/// As many of each measurement at least: a process that starts reads all incentives, which is not what is asked about.
const AT_LEAST: usize = 10_000;

const KEY: &str = "grown";
const FLOOR: &str = "floor";
/// Whoever has earned an achievement without an event.
const COPIED: &str = "copied";
const FRESH: &str = "in a fresh database";

/// Measures it on one kind of database.
pub async fn run(place: &Place<'_>, scale: Scale, report: &mut Report) -> anyhow::Result<()> {
    let mut fresh = House::set_up(place, "young", scale, None).await?;
    let past = Past {
        progress: scale.progress,
        passed: match place {
            // One file is for employers of that size.
            Place::Sqlite(_) => scale.passed.div_ceil(10),
            Place::Postgres(_) => scale.passed,
        },
    };
    say(&format!(
        "{}: growth, {} members begin and {} events pass",
        report.title, past.progress, past.passed
    ));
    let mut grown = House::set_up(place, "old", scale, Some(past)).await?;
    say(&format!(
        "{}: growth: beside {} rows of progress, {IDLE} other incentives, {} events that have passed",
        report.title, past.progress, past.passed
    ));
    for round in 1..=scale.rounds {
        say(&format!(
            "{}: growth, round {round} of {}",
            report.title, scale.rounds
        ));
        // Neither is always the first.
        let (base, now) = if round % 2 == 1 {
            let base = fresh.round().await?;
            (base, grown.round().await?)
        } else {
            let now = grown.round().await?;
            (fresh.round().await?, now)
        };
        for ((what, rate), (_, base)) in now.rates.into_iter().zip(base.rates) {
            report.compare(&format!("grown: {what}"), rate, FRESH, base, "events/s");
        }
        let (mut base, mut now) = (base.pushed, now.pushed);
        for (what, share) in [("p50", 0.5), ("p99", 0.99)] {
            let what = format!("grown: request to push, {what}");
            let base = percentile(&mut base, share);
            report.note(&what, percentile(&mut now, share), FRESH, base, "ms");
        }
    }
    fresh.course.check().await?;
    grown.course.check().await
}

/// What was before.
#[derive(Debug, Clone, Copy)]
struct Past {
    progress: usize,
    passed: usize,
}

/// One of the databases.
struct House {
    /// Events of each measurement, and events that are timed.
    events: usize,
    timed: usize,
    course: Course,
    floor: Floor,
    /// Warm, as a process is that has not just started.
    evaluator: Evaluator,
}

/// What one round has shown.
struct Round {
    rates: [(&'static str, Measured); 5],
    /// Milliseconds from the request to the push.
    pushed: Vec<f64>,
}

impl House {
    async fn set_up(place: &Place<'_>, name: &str, scale: Scale, past: Option<Past>) -> anyhow::Result<Self> {
        let Scale { rounds, events, .. } = scale;
        let events = events.max(AT_LEAST);
        let mut incentives = scenario::simple();
        // One sends before all others, for the past to be a copy of.
        let active = 1 + (1 + rounds) * (2 * events + scale.timed);
        let mut members = active;
        if let Some(past) = past {
            incentives.extend(scenario::idle(IDLE));
            members += past.progress;
        }
        let employers = [
            Employer::new(KEY, incentives, members),
            Employer::new(FLOOR, scenario::simple(), PASSING.max((1 + rounds) * events)),
        ];
        let stand = Stand::set_up(place, name, &employers).await?;
        let floor = Floor::new(&stand, stand.tenant(FLOOR).await?, &Clock::system()).await?;
        let mut house = Self {
            events,
            timed: scale.timed,
            evaluator: Evaluator::new(&stand.db, &Clock::system()),
            course: Course::new(stand),
            floor,
        };
        if let Some(past) = past {
            house.course.accept(KEY, 1, 1).await?;
            house.evaluator.evaluate().await?;
            let stand = &house.course.stand;
            stand.copy_first(&stand.tenant(KEY).await?, active).await?;
            let progress = stand.count("SELECT count(*) FROM progress").await?;
            ensure!(
                progress == i64::try_from(past.progress)? + 1,
                "{progress} rows of progress"
            );
            house.course.take(COPIED, past.progress);
            house.pass(past.passed).await?;
        }
        // What is not measured: the evaluator learns the incentives, and there are rows of every kind.
        house.round().await?;
        Ok(house)
    }

    /// Lets events pass through the queue, from which nothing follows.
    async fn pass(&self, events: usize) -> anyhow::Result<()> {
        let mut passed = 0;
        while passed < events {
            let now = self.now();
            self.floor.accept(0..PASSING, now.into()).await?;
            self.floor.evaluate(&Shape::nothing(), now.into()).await?;
            passed += PASSING;
            if passed % TELL_EVERY == 0 {
                say(&format!("{passed} events have passed"));
            }
        }
        Ok(())
    }

    fn now(&self) -> DateTime<Utc> {
        self.course.clock.now()
    }

    async fn round(&mut self) -> anyhow::Result<Round> {
        let events = self.events;
        self.course.stand.settle().await?;
        let now = Timestamp::from(self.now());
        let members = self.course.take(FLOOR, events);
        let floor_accepted = self.floor.accept(members, now).await?;
        let floor_evaluated = self.floor.evaluate(&Shape::simple(), now).await?;
        let accepted = self.course.accept(KEY, events, 100).await?;
        let meter = self.course.stand.meter;
        let running = meter.start(Runs::Inside);
        self.evaluator.evaluate().await?;
        let evaluated = running.stop(events);
        let server = Server::serve(&self.course.stand.url, true).await?;
        let partner = server::token(&self.course.stand.url, &["feed:read", "--partner", KEY])?;
        meter.quiet().await?;
        let both = self.course.both(&server, KEY, events).await?;
        let mut feed = Feed::open(&server.address, &partner).await?;
        let client = self.course.client(&server, KEY)?;
        let members = self.course.take(KEY, self.timed);
        let (_, pushed) = client.time_pushes(&mut feed, members, self.now()).await?;
        server.end().await?;
        Ok(Round {
            rates: [
                ("accepted, requests of 100", accepted),
                ("evaluated", evaluated),
                ("accepted and evaluated", both),
                ("floor of accepting", floor_accepted),
                ("floor of evaluating", floor_evaluated),
            ],
            pushed,
        })
    }
}
