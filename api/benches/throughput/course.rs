//! A database whose members send an event each, and what becomes of those: every one of them is an entry of their employer's partner.

use std::collections::HashMap;
use std::ops::Range;
use std::time::Duration;

use anyhow::{Context, ensure};
use entity::clock::Clock;

use crate::cpu::{Measured, Runs};
use crate::load::{Client, Door};
use crate::server::{self, Server};
use crate::stand::Stand;

/// What is not evaluated by then will not be.
const EVALUATED_WITHIN: Duration = Duration::from_mins(5);
/// How often it is looked whether all is evaluated: seldom enough that the looking costs nothing.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// Requests of many events in flight.
pub const AT_ONCE: usize = 8;

/// The database, and how far the members of each employer are used up.
pub struct Course {
    pub clock: Clock,
    pub stand: Stand,
    used: HashMap<&'static str, usize>,
}

impl Course {
    /// One whose members have sent nothing yet.
    pub fn new(stand: Stand) -> Self {
        Self {
            clock: Clock::system(),
            stand,
            used: HashMap::new(),
        }
    }

    /// Members that have sent nothing yet, who will now.
    pub fn take(&mut self, employer: &'static str, count: usize) -> Range<usize> {
        let used = self.used.entry(employer).or_default();
        let first = *used;
        *used += count;
        first..*used
    }

    /// How many members have sent.
    pub fn used(&self, employer: &str) -> usize {
        self.used.get(employer).copied().unwrap_or(0)
    }

    /// A client of this process with a token of this employer.
    pub fn client(&self, server: &Server, employer: &str) -> anyhow::Result<Client> {
        let token = server::token(&self.stand.url, &["events:write", "--employer", employer])?;
        Client::new(&server.address, &token)
    }

    /// Sends an event of each of so many members in requests of so many.
    pub async fn accept(
        &mut self,
        employer: &'static str,
        count: usize,
        per_request: usize,
    ) -> anyhow::Result<Measured> {
        let members = self.take(employer, count);
        let client = self.stand.client(employer).await?;
        let running = self.stand.meter.start(Runs::Outside);
        client
            .send_all(Door::CloudEvents, members, per_request, AT_ONCE, self.clock.now())
            .await?;
        Ok(running.stop(count))
    }

    /// Queues events of an employer, then lets a worker loose on them.
    pub async fn evaluate(&mut self, employer: &'static str, count: usize) -> anyhow::Result<Measured> {
        self.accept(employer, count, 1_000).await?;
        self.drain(employer, count).await
    }

    /// Lets a worker loose on so many events that are queued, and waits until the employer's partner has an entry of every member
    /// that has sent; measured is from the worker's start.
    pub async fn drain(&self, employer: &'static str, count: usize) -> anyhow::Result<Measured> {
        let worker = Server::work(&self.stand.url).await?;
        let running = self.stand.meter.start(Runs::Outside);
        self.recorded(employer).await?;
        let measured = running.stop(count);
        worker.end().await?;
        Ok(measured)
    }

    /// Lets this process accept and evaluate so many events at once.
    pub async fn both(
        &mut self,
        server: &Server,
        employer: &'static str,
        count: usize,
    ) -> anyhow::Result<Measured> {
        let client = self.client(server, employer)?;
        let members = self.take(employer, count);
        let running = self.stand.meter.start(Runs::Outside);
        client
            .send_all(Door::CloudEvents, members, 100, AT_ONCE, self.clock.now())
            .await?;
        self.recorded(employer).await?;
        Ok(running.stop(count))
    }

    /// How many entries the employer's partner has.
    pub async fn entries(&self, employer: &str) -> anyhow::Result<i64> {
        let head = format!(
            "SELECT position FROM feed_head WHERE partner_id = (SELECT id FROM partner WHERE key = '{employer}')"
        );
        self.stand.count(&head).await
    }

    /// Waits until the employer's partner has an entry of every member that has sent.
    async fn recorded(&self, employer: &'static str) -> anyhow::Result<()> {
        self.reached(employer, self.used(employer)).await
    }

    /// Waits until the employer's partner has so many entries.
    pub async fn reached(&self, employer: &str, entries: usize) -> anyhow::Result<()> {
        let expected = i64::try_from(entries)?;
        let looking = async {
            let mut looks = tokio::time::interval(LOOK_EVERY);
            while self.entries(employer).await? < expected {
                looks.tick().await;
            }
            anyhow::Ok(())
        };
        tokio::time::timeout(EVALUATED_WITHIN, looking)
            .await
            .context("not every event was evaluated")?
    }

    /// Everything was evaluated and earned what it should.
    pub async fn check(self) -> anyhow::Result<()> {
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
