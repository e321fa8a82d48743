//! A database with a cast of employers, one for each scenario, and an evaluator on it.

use std::collections::HashMap;

use anyhow::ensure;
use chrono::{DateTime, Datelike, Days, NaiveDate, NaiveTime, TimeDelta, Utc};
use entity::clock::{Clock, Timestamp};
use entity::id::Ids;
use jobs::purge;
use sea_orm::prelude::Uuid;

use crate::cpu::{Measured, Runs};
use crate::employer::Employer;
use crate::evaluator::Evaluator;
use crate::floor::{Floor, Shape};
use crate::insert::{Insert, uuid};
use crate::queue::{Lot, ROWS, SOURCE};
use crate::scenario::{MEDITATION, STEPS, Scenario};
use crate::stand::{Place, Stand, Tenant};

/// The database and what takes place on it.
pub struct Stage {
    pub stand: Stand,
    ids: Ids,
    evaluator: Evaluator,
    scenes: HashMap<&'static str, Scene>,
    /// A Monday, two to three weeks ago: the first day of what is measured.
    first_day: NaiveDate,
}

/// A scenario with its employer, and how far its members are used up. The first one is there for the others to be like.
pub struct Scene {
    scenario: Scenario,
    pub tenant: Tenant,
    members: Vec<Uuid>,
    used: usize,
}

/// What has been evaluated: of which members, by what name, how quickly.
pub struct Played {
    key: &'static str,
    members: std::ops::Range<usize>,
    prefix: String,
    pub rate: Measured,
}

impl Stage {
    /// Makes a database with an employer for each scenario, each with so many members, and others.
    pub async fn set_up(
        place: &Place<'_>,
        name: &str,
        cast: Vec<(Scenario, usize)>,
        others: Vec<Employer>,
    ) -> anyhow::Result<Self> {
        let of = |(scenario, members): &(Scenario, usize)| {
            Employer::new(scenario.key, scenario.incentives.clone(), 1 + members)
        };
        let employers: Vec<Employer> = cast.iter().map(of).chain(others).collect();
        let stand = Stand::set_up(place, name, &employers).await?;
        let mut scenes = HashMap::new();
        for (scenario, _) in cast {
            let tenant = stand.tenant(scenario.key).await?;
            let scene = Scene {
                members: stand.members(&tenant).await?,
                used: 1,
                tenant,
                scenario,
            };
            scenes.insert(scene.scenario.key, scene);
        }
        let clock = Clock::system();
        let today = clock.now().date_naive();
        let back = 14 + u64::from(today.weekday().num_days_from_monday());
        Ok(Self {
            ids: Ids::system(clock.clone()),
            evaluator: Evaluator::new(&stand.db, &clock),
            stand,
            scenes,
            first_day: today - Days::new(back),
        })
    }

    /// The scene of this key.
    pub fn scene(&self, key: &str) -> &Scene {
        &self.scenes[key]
    }

    /// Lets the first member of each scene do what it is about, and returns for each what a floor has to write.
    pub async fn rehearse(&self) -> anyhow::Result<HashMap<&'static str, Shape>> {
        let mut shapes = HashMap::new();
        for (key, scene) in &self.scenes {
            self.queue(scene, 0..1, "rehearsed").await?;
            self.evaluator.evaluate().await?;
            let of = format!(
                "FROM employer JOIN progress ON progress.employer_id = employer.id WHERE employer.key = '{key}'"
            );
            let state = self.stand.text(&format!("SELECT max(state) {of}")).await?;
            let of = of.replace("progress", "achievement");
            let why = self
                .stand
                .text(&format!("SELECT coalesce(max(why), '') {of}"))
                .await?;
            let shape = Shape {
                cases: scene.scenario.cases,
                awards: scene.scenario.earned(),
                of: STEPS,
                state,
                why,
                points: scene.scenario.points,
            };
            shapes.insert(*key, shape);
        }
        Ok(shapes)
    }

    /// Lets the first members of these scenes have so many days behind them, an event a day, each evaluated on its day; then all
    /// other members of these scenes have the same past.
    pub async fn live(&self, keys: &[&str], days: u64) -> anyhow::Result<()> {
        let clock = Clock::manual(DateTime::UNIX_EPOCH);
        let evaluator = Evaluator::new(&self.stand.db, &clock);
        for back in (1..=days).rev() {
            let occurred_at = noon(self.first_day - Days::new(back));
            clock.set(occurred_at + TimeDelta::hours(1));
            for scene in keys.iter().map(|key| self.scene(key)) {
                let prefix = format!("past-{back}");
                Self::lot(scene, 0..1, MEDITATION, &prefix, occurred_at, occurred_at.into())?
                    .put(&self.stand.db, &self.ids)
                    .await?;
            }
            evaluator.evaluate().await?;
        }
        purge::run(&self.evaluator.context).await?;
        for scene in keys.iter().map(|key| self.scene(key)) {
            self.stand.copy_first(&scene.tenant, 1).await?;
        }
        Ok(())
    }

    /// Lets members who have not done so before do what a scene is about: so many events in all.
    pub async fn play(&mut self, key: &'static str, events: usize) -> anyhow::Result<Played> {
        let scene = &self.scenes[key];
        let members = scene.used..scene.used + events / STEPS;
        let prefix = format!("played-{}", members.start);
        let before = self.standing(key).await?;
        self.queue(scene, members.clone(), &prefix).await?;
        let running = self.stand.meter.start(Runs::Inside);
        self.evaluator.evaluate().await?;
        let rate = running.stop(members.len() * STEPS);
        let earned = self.standing(key).await? - before;
        let expected = members.len() * scene.scenario.earned();
        ensure!(
            earned == i64::try_from(expected)?,
            "{key}: {earned} achievements instead of {expected}"
        );
        if let Some(scene) = self.scenes.get_mut(key) {
            scene.used = members.end;
        }
        Ok(Played {
            key,
            members,
            prefix,
            rate,
        })
    }

    /// Writes, for members who have not done anything before, the rows that follow from so many events of a scene, and nothing else.
    pub async fn floor(
        &mut self,
        key: &'static str,
        events: usize,
        shape: &Shape,
    ) -> anyhow::Result<Measured> {
        let scene = &self.scenes[key];
        let members = scene.used..scene.used + events / STEPS;
        let clock = &self.evaluator.context.clock;
        let floor = Floor::new(&self.stand, scene.tenant.clone(), clock).await?;
        let prefix = format!("floor-{}", members.start);
        floor.queue(members.clone(), &prefix, STEPS).await?;
        let rate = floor.evaluate(shape, Timestamp::from(clock.now())).await?;
        if let Some(scene) = self.scenes.get_mut(key) {
            scene.used = members.end;
        }
        Ok(rate)
    }

    /// Takes back the last event of each member.
    pub async fn retract(&self, played: &Played) -> anyhow::Result<Measured> {
        let scene = self.scene(played.key);
        let now = Timestamp::from(self.evaluator.context.clock.now());
        let names: Vec<sea_orm::Value> = played
            .members
            .clone()
            .map(|number| format!("{}-{}-{number}", played.prefix, STEPS - 1).into())
            .collect();
        let before = self.standing(played.key).await?;
        for names in names.chunks(ROWS) {
            let txn = self.stand.db.write_txn().await?;
            Insert::new("retraction", names.len())
                .all("employer_id", "uuid", uuid(scene.tenant.employer))
                .all("source", "text", SOURCE)
                .each("event_id", "text", names.to_vec())
                .all("received_at", "bigint", now.0)
                .all("state", "text", "PENDING")
                .all("attempts", "bigint", 0_i64)
                .all("due_at", "bigint", now.0)
                .all("expires_at", "bigint", now.0 + 60 * 86_400_000_000)
                .run(&*txn, "")
                .await?;
            txn.commit().await?;
        }
        let running = self.stand.meter.start(Runs::Inside);
        self.evaluator.retract().await?;
        let rate = running.stop(names.len());
        let lost = before - self.standing(played.key).await?;
        let expected = played.members.len() * scene.scenario.lost;
        ensure!(
            lost == i64::try_from(expected)?,
            "{}: {lost} achievements were revoked instead of {expected}",
            played.key
        );
        Ok(rate)
    }

    /// Everything was evaluated and taken back, nothing was set aside, no feed has a hole.
    pub async fn check(self) -> anyhow::Result<()> {
        let sql = "SELECT count(*) FROM retraction WHERE state <> 'APPLIED'";
        let count = self.stand.count(sql).await?;
        ensure!(count == 0, "{count} retractions are not applied");
        self.stand.check().await?;
        self.stand.server.end().await?;
        Ok(self.stand.db.close().await?)
    }

    /// How many achievements of an employer stand.
    async fn standing(&self, key: &str) -> anyhow::Result<i64> {
        let sql = format!(
            "SELECT count(*) FROM achievement WHERE status = 'EARNED' AND employer_id = (SELECT id FROM employer WHERE key = '{key}')"
        );
        self.stand.count(&sql).await
    }

    /// Queues the events of these members, step by step.
    async fn queue(
        &self,
        scene: &Scene,
        members: std::ops::Range<usize>,
        prefix: &str,
    ) -> anyhow::Result<()> {
        let now = Timestamp::from(self.evaluator.context.clock.now());
        for (step, due) in (0..STEPS).zip(now.0 - 1_000..) {
            let occurred_at = noon(self.first_day + Days::new(scene.scenario.days[step]));
            let (event_type, prefix) = (scene.scenario.types[step], format!("{prefix}-{step}"));
            Self::lot(
                scene,
                members.clone(),
                event_type,
                &prefix,
                occurred_at,
                Timestamp(due),
            )?
            .put(&self.stand.db, &self.ids)
            .await?;
        }
        Ok(())
    }

    fn lot<'a>(
        scene: &'a Scene,
        members: std::ops::Range<usize>,
        event_type: &str,
        prefix: &'a str,
        occurred_at: DateTime<Utc>,
        now: Timestamp,
    ) -> anyhow::Result<Lot<'a>> {
        Ok(Lot {
            employer: scene.tenant.employer,
            event_type: scene.tenant.event_type(event_type)?,
            prefix,
            first: members.start,
            members: &scene.members[members],
            occurred_at,
            now,
        })
    }
}

fn noon(day: NaiveDate) -> DateTime<Utc> {
    day.and_time(NaiveTime::MIN).and_utc() + TimeDelta::hours(12)
}
