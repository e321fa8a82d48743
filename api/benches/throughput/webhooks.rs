//! What broken receivers cost the others: the same entries to the same healthy endpoints, alone and among others that hang, fail or
//! drip; then all recover, and everything has to arrive.
//!
//! Two installations take turns, so that what the broken ones have left behind is not there when the healthy ones are alone. Waits
//! before another try are a tenth of the real ones, which makes the broken ones come back ten times as often.

mod receivers;

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use entity::clock::Clock;
use serde_json::json;

use crate::Scale;
use crate::employer::Employer;
use crate::load::{Client, Door};
use crate::report::{Report, percentile, say};
use crate::scenario;
use crate::server::{self, Server};
use crate::stand::{Place, Stand};
use receivers::{Manner, Receivers};

/// Partners, each with as many endpoints as it may have.
const PARTNERS: usize = 10;
const ENDPOINTS_EACH: usize = 20;
/// Of the endpoints of each partner: 20 % hang, 20 % answer 500, 5 % drip a byte a second.
const HANGS: usize = 4;
const FAILS: usize = 4;
const DRIPS: usize = 1;
/// An event is sent so often; each becomes an entry of every partner. It is a pace that leaves a small machine time to spare: what
/// is asked is whether others wait for the broken ones, and not how much there is of everything.
const EVENT_EVERY: Duration = Duration::from_secs(1);
/// What has not arrived by then never will.
const ARRIVED_WITHIN: Duration = Duration::from_mins(3);
const RECOVERED_WITHIN: Duration = Duration::from_mins(10);
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// How much later healthy endpoints may be told when others are broken.
const GOAL: f64 = 1.5;

/// Measures it on one kind of database.
pub async fn run(place: &Place<'_>, scale: Scale, report: &mut Report) -> anyhow::Result<()> {
    let mut alone = Installation::set_up(place, "alone", scale, &[]).await?;
    let broken = [
        vec![Manner::Hangs; HANGS],
        vec![Manner::Fails; FAILS],
        vec![Manner::Drips; DRIPS],
    ];
    let mut all = Installation::set_up(place, "all", scale, &broken.concat()).await?;
    for round in 1..=scale.rounds {
        say(&format!(
            "{}: webhooks, round {round} of {}",
            report.title, scale.rounds
        ));
        let mut floor = alone.round(scale.told).await?;
        let mut late = all.round(scale.told).await?;
        for (what, share) in [("p50", 0.5), ("p99", 0.99)] {
            let what = format!("healthy webhooks among broken ones, {what} (goal {GOAL})");
            let floor = percentile(&mut floor, share);
            report.note(
                &what,
                percentile(&mut late, share),
                "the healthy ones alone",
                floor,
                "ms",
            );
        }
    }
    all.recover().await?;
    alone.end().await?;
    all.end().await
}

/// A database with partners and their endpoints.
struct Installation {
    name: &'static str,
    stand: Stand,
    clock: Clock,
    receivers: Receivers,
    endpoints_each: usize,
    /// Events so far, and the position of each partner's last entry.
    sent: usize,
}

impl Installation {
    /// One whose partners have the healthy endpoints, and these beside them.
    async fn set_up(
        place: &Place<'_>,
        name: &'static str,
        scale: Scale,
        broken: &[Manner],
    ) -> anyhow::Result<Self> {
        // And one of each round that is not measured.
        let members = scale.rounds * (scale.told + 1);
        let employers = [Employer::new(name, scenario::simple(), members)];
        let stand = Stand::set_up(place, &format!("webhooks_{name}"), &employers).await?;
        let healthy = ENDPOINTS_EACH - HANGS - FAILS - DRIPS;
        let each = [&vec![Manner::Healthy; healthy], broken].concat();
        let receivers = Receivers::start(&each.repeat(PARTNERS)).await?;
        let operator = Client::new(&stand.server.address, &server::token(&stand.url, &["operator"])?)?;
        let mut urls = receivers.urls.iter();
        for number in 0..PARTNERS {
            let partner = match number {
                0 => name.to_owned(),
                _ => format!("partner-{number}"),
            };
            if number > 0 {
                let input = json!({"key": partner, "name": partner});
                operator
                    .mutate("createPartner", "CreatePartnerInput", input)
                    .await?;
                let input = json!({"employer": name, "partner": partner, "programs": ["program"]});
                operator
                    .mutate("grantPartner", "GrantPartnerInput", input)
                    .await?;
            }
            let scopes = ["feed:read webhooks:write", "--partner", &partner];
            let client = Client::new(&stand.server.address, &server::token(&stand.url, &scopes)?)?;
            for url in urls.by_ref().take(each.len()) {
                let input = json!({"url": url});
                client
                    .mutate("createWebhookEndpoint", "CreateWebhookEndpointInput", input)
                    .await?;
            }
        }
        stand.settle().await?;
        Ok(Self {
            name,
            stand,
            clock: Clock::system(),
            receivers,
            endpoints_each: each.len(),
            sent: 0,
        })
    }

    /// Sends events at an even pace; how late the healthy endpoints were told of each entry, in milliseconds.
    async fn round(&mut self, events: usize) -> anyhow::Result<Vec<f64>> {
        let worker = Server::serve(&self.stand.url, true).await?;
        let token = server::token(&self.stand.url, &["events:write", "--employer", self.name])?;
        let client = Client::new(&worker.address, &token)?;
        // The first finds a worker that has only started, and connections to be made.
        self.send(&client).await?;
        self.arrived(ARRIVED_WITHIN, true).await?;
        let first = i64::try_from(self.sent)? + 1;
        let mut sent = Vec::with_capacity(events);
        let mut pace = tokio::time::interval(EVENT_EVERY);
        for _ in 0..events {
            pace.tick().await;
            sent.push(Instant::now());
            self.send(&client).await?;
        }
        self.arrived(ARRIVED_WITHIN, true).await?;
        worker.end().await?;
        let late = self.receivers.lateness(first, &sent);
        let healthy = PARTNERS * (ENDPOINTS_EACH - HANGS - FAILS - DRIPS);
        ensure!(late.len() == events * healthy, "{} calls were timed", late.len());
        Ok(late)
    }

    /// Sends an event of a member that has sent nothing yet.
    async fn send(&mut self, client: &Client) -> anyhow::Result<()> {
        let member = self.sent..self.sent + 1;
        client
            .send_all(Door::CloudEvents, member, 1, 1, self.clock.now())
            .await?;
        self.sent += 1;
        Ok(())
    }

    /// Lets everybody recover, and waits until everything has arrived everywhere.
    async fn recover(&self) -> anyhow::Result<()> {
        let before = self.receivers.calls();
        self.receivers.recover();
        let worker = Server::work(&self.stand.url).await?;
        let start = Instant::now();
        self.arrived(RECOVERED_WITHIN, false).await?;
        say(&format!(
            "all {} entries of {PARTNERS} partners arrived at each of their {} endpoints, {:.0} s after they had recovered; {} calls, \
             {} of them then; ids stable",
            self.sent,
            self.endpoints_each,
            start.elapsed().as_secs_f64(),
            self.receivers.calls(),
            self.receivers.calls() - before,
        ));
        worker.end().await
    }

    async fn arrived(&self, within: Duration, healthy_alone: bool) -> anyhow::Result<()> {
        let last = i64::try_from(self.sent)?;
        let looking = async {
            let mut looks = tokio::time::interval(LOOK_EVERY);
            while !self.receivers.have_taken(last, healthy_alone) {
                looks.tick().await;
            }
        };
        let looked = tokio::time::timeout(within, looking).await;
        looked.context("not every entry has arrived")
    }

    async fn end(self) -> anyhow::Result<()> {
        self.receivers
            .check(i64::try_from(self.sent)?, self.endpoints_each)?;
        self.stand.check().await?;
        self.stand.server.end().await?;
        Ok(self.stand.db.close().await?)
    }
}
