//! One `serve` that accepts and evaluates at once for minutes, over HTTP in batches of 100, and whether it keeps up.
//!
//! First it is given as much as it accepts. If it evaluates less than that, so that events grow old, what is offered is steered from
//! then on to the rate at which none gets older than a second. At half of the rate that lasts, and with events sent at their times
//! whether or not those before were answered, it is then timed how long an event takes to its partner. Floors are taken before and
//! after. Members send any number of events, each of which is an achievement and an entry, so that minutes do not need millions of
//! members.

mod pace;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use entity::clock::{Clock, Timestamp};
use serde_json::json;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::Scale;
use crate::course::{AT_ONCE, Course};
use crate::cpu::{Measured, Runs};
use crate::employer::Employer;
use crate::floor::{Floor, Shape};
use crate::load::{Client, Door, Feed, per_second};
use crate::report::{Report, percentile, say};
use crate::scenario;
use crate::server::{self, Server};
use crate::stand::{Place, Stand};
use pace::{Pace, Steering};

/// Events of each request.
const BATCH: usize = 100;
/// Events of each floor.
const FLOOR_EVENTS: usize = 40_000;
/// Members for each minute.
const MEMBERS: f64 = 100_000.0;
/// How often it is looked how far the server is.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// As long as it is given all that it accepts, before that is steered.
const RUSH_SHARE: f64 = 0.2;
const RUSH_AT_MOST: Duration = Duration::from_secs(30);
/// How old an event may get that is not evaluated, in seconds.
const AGE_AT_MOST: f64 = 1.0;
/// How often an event is sent whose way is timed, and for how long at most.
const PROBE_EVERY: Duration = Duration::from_millis(25);
const PROBE_FOR: Duration = Duration::from_mins(1);

const LOAD: &str = "load";
const PROBES: &str = "timed";
const FLOOR: &str = "floor";

/// Measures it on one kind of database.
pub async fn run(place: &Place<'_>, scale: Scale, report: &mut Report) -> anyhow::Result<()> {
    Bench::set_up(place, scale).await?.measure(report).await
}

struct Bench {
    length: Duration,
    course: Course,
    floor: Floor,
    members: usize,
    /// The number of the next event.
    next: Arc<AtomicUsize>,
}

/// What is measured, and who sends to it.
struct Serving {
    server: Server,
    client: Client,
}

/// How far the server is at some time.
#[derive(Debug, Clone, Copy)]
struct Sample {
    /// Seconds since the start.
    at: f64,
    sent: usize,
    evaluated: usize,
    /// Of the oldest event that is not evaluated, in seconds.
    age: f64,
    /// Resident, in MiB.
    memory: f64,
}

/// Some time of sending, and what followed from it.
struct Stretch {
    measured: Measured,
    /// Events accepted a second while they were sent.
    accepted: f64,
    samples: Vec<Sample>,
}

impl Stretch {
    /// The value below which this share of the samples lies.
    fn of(&self, share: f64, value: fn(&Sample) -> f64) -> f64 {
        percentile(&mut self.samples.iter().map(value).collect::<Vec<_>>(), share)
    }

    /// The middle value of the first third of the time, and of the last.
    fn thirds(&self, value: fn(&Sample) -> f64) -> (f64, f64) {
        let third = self.samples.len() / 3;
        let middle = |samples: &[Sample]| percentile(&mut samples.iter().map(value).collect::<Vec<_>>(), 0.5);
        let (first, rest) = self.samples.split_at(third);
        (middle(first), middle(rest.split_at(rest.len() - third).1))
    }

    fn tell(&self, what: &str) {
        let (backlog, backlog_later) = self.thirds(backlog);
        say(&format!(
            "{what}: accepted {:.0} events/s; accepted and evaluated {:.0} events/s; oldest unevaluated p50 {:.0} ms, p99 {:.0} ms, \
             most {:.0} ms; backlog {backlog:.0} events in the first third, {backlog_later:.0} in the last; memory {:.1} MiB at first, \
             {:.1} MiB median, {:.1} MiB at most",
            self.accepted,
            self.measured.rate,
            self.of(0.5, |sample| sample.age) * 1e3,
            self.of(0.99, |sample| sample.age) * 1e3,
            self.of(1.0, |sample| sample.age) * 1e3,
            self.samples.first().map_or(f64::NAN, |sample| sample.memory),
            self.of(0.5, |sample| sample.memory),
            self.of(1.0, |sample| sample.memory),
        ));
    }
}

fn backlog(sample: &Sample) -> f64 {
    per_second(
        sample.sent.saturating_sub(sample.evaluated),
        Duration::from_secs(1),
    )
}

impl Bench {
    async fn set_up(place: &Place<'_>, scale: Scale) -> anyhow::Result<Self> {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a number of people"
        )]
        let members = (MEMBERS * scale.minutes.clamp(0.1, 10.0)) as usize;
        let mut unlimited = scenario::simple();
        for incentive in &mut unlimited {
            incentive["limit"] = json!({"unlimited": true});
        }
        let probes = usize::try_from(PROBE_FOR.as_millis() / PROBE_EVERY.as_millis())?;
        let employers = [(LOAD, members), (PROBES, probes), (FLOOR, FLOOR_EVENTS)];
        let employers = employers.map(|(key, members)| Employer::new(key, unlimited.clone(), members));
        let stand = Stand::set_up(place, "sustained", &employers).await?;
        let floor = Floor::new(&stand, stand.tenant(FLOOR).await?, &Clock::system()).await?;
        stand.settle().await?;
        let course = Course::new(stand);
        Ok(Self {
            length: Duration::from_secs_f64(scale.minutes * 60.0),
            course,
            floor,
            members,
            next: Arc::default(),
        })
    }

    async fn measure(mut self, report: &mut Report) -> anyhow::Result<()> {
        let title = report.title;
        say(&format!("{title}: sustained, floors before"));
        let (accept_before, evaluate_before) = self.floors().await?;

        // Not before: it would evaluate what the floor has queued.
        let server = Server::serve(&self.course.stand.url, true).await?;
        let client = self.course.client(&server, LOAD)?.among(self.members);
        let serving = Serving { server, client };
        let mut steering = Steering::new(Arc::new(Pace::unlimited()));
        let rush = self.length.mul_f64(RUSH_SHARE).min(RUSH_AT_MOST);
        say(&format!(
            "{title}: sustained, all that is accepted for {rush:.0?}"
        ));
        let rushed = self.stretch(&serving, rush, &mut steering, false).await?;
        rushed.tell("as fast as accepted");
        if rushed.of(1.0, |sample| sample.age) > AGE_AT_MOST {
            steering.limit(rushed.measured.rate);
        }
        self.course.stand.settle().await?;
        say(&format!("{title}: sustained, for {:.0?}", self.length));
        let held = self.stretch(&serving, self.length, &mut steering, true).await?;
        held.tell("sustained");
        say(&match steering.rate() {
            None => "offered: all that was accepted, all the time".to_owned(),
            Some(rate) => format!("offered: {rate:.0} events/s in the end"),
        });
        say(&format!(
            "requests that a busy server would not take: {}",
            serving.client.refused()
        ));
        say(&format!("{title}: half the sustained rate, times to the push"));
        self.half(&serving, held.measured.rate / 2.0, report).await?;
        serving.server.end().await?;

        say(&format!("{title}: sustained, floors after"));
        let (accept_after, evaluate_after) = self.floors().await?;
        let (accept, evaluate) = (
            accept_before.between(accept_after),
            evaluate_before.between(evaluate_after),
        );
        let what = format!("accepted and evaluated for {:.0?}", self.length);
        let both = accept.then(evaluate);
        let against = "both floors one after the other";
        report.compare(&what, held.measured, against, both, "events/s");
        let slower = if accept.rate < evaluate.rate {
            accept
        } else {
            evaluate
        };
        report.compare(&what, held.measured, "the slower floor", slower, "events/s");
        for (share, what) in [(0.99, "p99"), (1.0, "most")] {
            let what = format!("age of the oldest unevaluated event, {what}");
            let age = held.of(share, |sample| sample.age);
            report.note(&what, age, "as old as it may be", AGE_AT_MOST, "s");
        }
        let most = held.of(1.0, |sample| sample.memory);
        report.note("memory of serve, most", most, "100 MiB", 100.0, "MiB");
        let (first, last) = held.thirds(|sample| sample.memory);
        report.note("memory of serve, last third", last, "first third", first, "MiB");
        self.course.take(LOAD, self.next.load(Ordering::Relaxed));
        self.course.check().await
    }

    /// The rates at which the rows of accepting and evaluating are written.
    async fn floors(&mut self) -> anyhow::Result<(Measured, Measured)> {
        self.course.take(FLOOR, FLOOR_EVENTS);
        let now = Timestamp::from(self.course.clock.now());
        let accept = self.floor.accept(0..FLOOR_EVENTS, now).await?;
        let evaluate = self.floor.evaluate(&Shape::simple(), now).await?;
        Ok((accept, evaluate))
    }

    /// Sends for so long, then waits until all is evaluated.
    async fn stretch(
        &self,
        serving: &Serving,
        length: Duration,
        steering: &mut Steering,
        steer: bool,
    ) -> anyhow::Result<Stretch> {
        let before = self.next.load(Ordering::Relaxed);
        let sent = Arc::new(AtomicUsize::new(before));
        let running = self.course.stand.meter.start(Runs::Outside);
        let start = Instant::now();
        let mut senders = JoinSet::new();
        for _ in 0..AT_ONCE {
            let (client, clock) = (serving.client.clone(), self.course.clock.clone());
            let (next, sent) = (Arc::clone(&self.next), Arc::clone(&sent));
            let pace = steering.pace();
            senders.spawn(async move {
                while start.elapsed() < length {
                    pace.turn().await;
                    let first = next.fetch_add(BATCH, Ordering::Relaxed);
                    let numbers: Vec<usize> = (first..first + BATCH).collect();
                    client.send(Door::CloudEvents, &numbers, clock.now()).await?;
                    sent.fetch_add(BATCH, Ordering::Relaxed);
                }
                anyhow::Ok(())
            });
        }
        let mut samples = Vec::new();
        let mut looks = tokio::time::interval(LOOK_EVERY);
        while start.elapsed() < length {
            looks.tick().await;
            samples.push(self.look(&serving.server, start, &sent).await?);
            if steer {
                steering.steer(&samples);
            }
        }
        while let Some(sender) = senders.join_next().await {
            sender??;
        }
        let elapsed = start.elapsed();
        let after = self.next.load(Ordering::Relaxed);
        self.course.reached(LOAD, after).await?;
        Ok(Stretch {
            measured: running.stop(after - before),
            accepted: per_second(after - before, elapsed),
            samples,
        })
    }

    async fn look(&self, server: &Server, start: Instant, sent: &AtomicUsize) -> anyhow::Result<Sample> {
        let oldest = "SELECT coalesce((SELECT received_at FROM event ORDER BY due_at, id LIMIT 1), 0)";
        let oldest = self.course.stand.count(oldest).await?;
        let now = self.course.clock.now();
        let age = match oldest {
            0 => 0.0,
            oldest => (now - Timestamp(oldest).instant()).as_seconds_f64(),
        };
        Ok(Sample {
            at: start.elapsed().as_secs_f64(),
            sent: sent.load(Ordering::Relaxed),
            evaluated: usize::try_from(self.course.entries(LOAD).await?)?,
            age,
            memory: server.memory()?,
        })
    }

    /// Sends at this rate, whatever is answered, and times single events on their way to a partner who listens.
    async fn half(&mut self, serving: &Serving, rate: f64, report: &mut Report) -> anyhow::Result<()> {
        let token = server::token(&self.course.stand.url, &["feed:read", "--partner", PROBES])?;
        let mut feed = Feed::open(&serving.server.address, &token).await?;
        let client = self.course.client(&serving.server, PROBES)?;
        let length = self.length.min(PROBE_FOR);
        let stop = CancellationToken::new();
        let load = tokio::spawn(open_loop(
            serving.client.clone(),
            self.course.clock.clone(),
            Arc::clone(&self.next),
            rate,
            stop.clone(),
        ));
        let (mut acknowledged, mut pushed) = (Vec::new(), Vec::new());
        let mut probes = tokio::time::interval(PROBE_EVERY);
        probes.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let start = Instant::now();
        while start.elapsed() < length {
            probes.tick().await;
            let member = self.course.take(PROBES, 1);
            let (sent, heard) = client
                .time_pushes(&mut feed, member, self.course.clock.now())
                .await?;
            acknowledged.extend(sent);
            pushed.extend(heard);
        }
        stop.cancel();
        load.await??;
        self.course
            .reached(LOAD, self.next.load(Ordering::Relaxed))
            .await?;
        say(&format!(
            "half the sustained rate: {rate:.0} events/s and {} events whose way was timed",
            pushed.len()
        ));
        for (what, share) in [
            ("request to push, p50, half the sustained rate", 0.5),
            ("request to push, p99, half the sustained rate", 0.99),
        ] {
            let floor = percentile(&mut acknowledged, share);
            let push = percentile(&mut pushed, share);
            report.note(what, push, "request to acknowledgement", floor, "ms");
        }
        Ok(())
    }
}

/// Sends batches at their times, whether or not those before were answered, until it is told to stop.
async fn open_loop(
    client: Client,
    clock: Clock,
    next: Arc<AtomicUsize>,
    rate: f64,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let batches = rate / per_second(BATCH, Duration::from_secs(1));
    let mut times = tokio::time::interval(Duration::from_secs_f64(1.0 / batches));
    let mut senders = JoinSet::new();
    while stop.run_until_cancelled(times.tick()).await.is_some() {
        let (client, clock, next) = (client.clone(), clock.clone(), Arc::clone(&next));
        senders.spawn(async move {
            let first = next.fetch_add(BATCH, Ordering::Relaxed);
            let numbers: Vec<usize> = (first..first + BATCH).collect();
            client.send(Door::CloudEvents, &numbers, clock.now()).await
        });
        while let Some(sent) = senders.try_join_next() {
            sent??;
        }
    }
    while let Some(sent) = senders.join_next().await {
        sent??;
    }
    Ok(())
}
