//! Several processes on one PostgreSQL: what each of them adds, and whether they wait for one another.
//!
//! All events are of one employer and all entries of one feed, whose positions every worker has to take in turn: it is the worst
//! case. How many cores there are decides what can be gained.

use std::collections::BTreeMap;
use std::future::Future;
use std::ops::Range;
use std::time::Duration;

use futures_util::future::try_join_all;
use tokio_util::sync::CancellationToken;

use crate::Scale;
use crate::course::{AT_ONCE, Course};
use crate::cpu::Runs;
use crate::employer::Employer;
use crate::load::{Client, Door};
use crate::report::{Report, say};
use crate::scenario;
use crate::server::Server;
use crate::stand::{Place, Stand};

/// Worker processes.
const WORKERS: [usize; 3] = [1, 2, 4];
/// Processes that serve, and that work beside them.
const TOGETHER: [(usize, usize); 3] = [(1, 1), (2, 2), (2, 4)];
/// Events of each measurement, so many times those of others: processes do not start at the same instant.
const TIMES: usize = 4;
/// How often it is looked who waits.
const LOOK_EVERY: Duration = Duration::from_millis(25);

const KEY: &str = "shared";
const WAITING: &str =
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
const DEADLOCKS: &str = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()";

/// Measures it on PostgreSQL; SQLite has one writer.
pub async fn run(place: &Place<'_>, scale: Scale, report: &mut Report) -> anyhow::Result<()> {
    let Place::Postgres(_) = place else {
        return Ok(());
    };
    let events = scale.events * TIMES;
    let each = events * WORKERS.len() + 2 * scale.events + events * TOGETHER.len();
    let employers = [Employer::new(KEY, scenario::simple(), scale.rounds * each)];
    let stand = Stand::set_up(place, "workers", &employers).await?;
    let second = Server::serve(&stand.url, false).await?;
    stand.settle().await?;
    let mut bench = Bench {
        course: Course::new(stand),
        second,
        events,
        waits: BTreeMap::new(),
    };
    for round in 1..=scale.rounds {
        say(&format!(
            "{}: several processes, round {round} of {}",
            report.title, scale.rounds
        ));
        bench.course.stand.settle().await?;
        bench.working(report).await?;
        bench.serving(scale.events, report).await?;
        bench.together(report).await?;
    }
    bench.second.end().await?;
    for (what, waits) in &bench.waits {
        waits.tell(what);
    }
    let deadlocks = bench.course.stand.count(DEADLOCKS).await?;
    say(&format!("deadlocks: {deadlocks}"));
    bench.course.check().await
}

struct Bench {
    course: Course,
    /// The second process that serves; the first is the stand's own.
    second: Server,
    events: usize,
    waits: BTreeMap<String, Waits>,
}

/// How many connections waited for a lock, each time it was looked.
#[derive(Debug, Default)]
struct Waits(Vec<i64>);

impl Waits {
    fn tell(&self, what: &str) {
        let (looks, all) = (self.0.len().max(1), self.0.iter().sum::<i64>());
        let most = self.0.iter().max().copied().unwrap_or(0);
        #[expect(clippy::cast_precision_loss, reason = "small counts")]
        let mean = all as f64 / looks as f64;
        say(&format!(
            "{what}: connections that wait for a lock: {mean:.2} on average, {most} at most, in {looks} looks"
        ));
    }
}

impl Bench {
    /// Worker processes alone, on what is queued.
    async fn working(&mut self, report: &mut Report) -> anyhow::Result<()> {
        let mut one = None;
        for count in WORKERS {
            self.course.accept(KEY, self.events, 1_000).await?;
            let expected = self.course.used(KEY);
            let workers = self.workers(count).await?;
            let running = self.course.stand.meter.start(Runs::Outside);
            // Those that were up first have begun.
            let left = expected.saturating_sub(usize::try_from(self.course.entries(KEY).await?)?);
            let doing = self.course.reached(KEY, expected);
            let waits = watched(&self.course.stand, doing).await?;
            let rate = running.stop(left);
            end(workers).await?;
            self.waits
                .entry(format!("{count} work"))
                .or_default()
                .0
                .extend(waits);
            let what = format!("evaluated, processes of work: {count}");
            let one = *one.get_or_insert(rate);
            report.compare(&what, rate, "one process of work", one, "events/s");
        }
        Ok(())
    }

    /// Processes that accept.
    async fn serving(&mut self, events: usize, report: &mut Report) -> anyhow::Result<()> {
        let mut one = None;
        for count in [1, 2] {
            let clients = self.clients(count)?;
            let members = self.course.take(KEY, events);
            let running = self.course.stand.meter.start(Runs::Outside);
            self.send(&clients, members).await?;
            let rate = running.stop(events);
            let what = format!("accepted, processes of serve: {count}");
            let one = *one.get_or_insert(rate);
            report.compare(&what, rate, "one process of serve", one, "events/s");
        }
        self.course.drain(KEY, 2 * events).await?;
        Ok(())
    }

    /// Both at once.
    async fn together(&mut self, report: &mut Report) -> anyhow::Result<()> {
        let mut one = None;
        for (serving, working) in TOGETHER {
            let clients = self.clients(serving)?;
            let workers = self.workers(working).await?;
            let members = self.course.take(KEY, self.events);
            let running = self.course.stand.meter.start(Runs::Outside);
            let doing = async {
                self.send(&clients, members).await?;
                self.course.reached(KEY, self.course.used(KEY)).await
            };
            let waits = watched(&self.course.stand, doing).await?;
            let rate = running.stop(self.events);
            end(workers).await?;
            let name = format!("{serving} serve and {working} work");
            let what = format!("accepted and evaluated, {name}");
            self.waits.entry(name).or_default().0.extend(waits);
            let one = *one.get_or_insert(rate);
            report.compare(&what, rate, "one of each", one, "events/s");
        }
        Ok(())
    }

    async fn workers(&self, count: usize) -> anyhow::Result<Vec<Server>> {
        try_join_all((0..count).map(|_| Server::work(&self.course.stand.url))).await
    }

    fn clients(&self, count: usize) -> anyhow::Result<Vec<Client>> {
        let servers = [&self.course.stand.server, &self.second];
        let servers = servers.into_iter().take(count);
        servers.map(|server| self.course.client(server, KEY)).collect()
    }

    /// Sends an event of each of these members, as much to each process and as many requests at once in all.
    async fn send(&self, clients: &[Client], members: Range<usize>) -> anyhow::Result<()> {
        let share = members.len().div_ceil(clients.len());
        let sending = clients
            .iter()
            .zip(members.clone().step_by(share))
            .map(|(client, first)| {
                let members = first..members.end.min(first + share);
                let at_once = AT_ONCE / clients.len();
                client.send_all(Door::CloudEvents, members, 100, at_once, self.course.clock.now())
            });
        try_join_all(sending).await?;
        Ok(())
    }
}

/// Looks who waits for a lock until something is done.
async fn watched(stand: &Stand, doing: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<Vec<i64>> {
    let end = CancellationToken::new();
    let looking = async {
        let (mut waits, mut looks) = (Vec::new(), tokio::time::interval(LOOK_EVERY));
        while end.run_until_cancelled(looks.tick()).await.is_some() {
            waits.push(stand.count(WAITING).await?);
        }
        anyhow::Ok(waits)
    };
    let doing = async {
        let done = doing.await;
        end.cancel();
        done
    };
    let (done, waits) = tokio::join!(doing, looking);
    done?;
    waits
}

async fn end(workers: Vec<Server>) -> anyhow::Result<()> {
    try_join_all(workers.into_iter().map(Server::end)).await?;
    Ok(())
}
