//! Evaluation: each structure against the rows it writes, and what its cost must not depend on.

use std::collections::HashMap;

use entity::clock::{Clock, Timestamp};

use crate::Scale;
use crate::cpu::Measured;
use crate::employer::Employer;
use crate::floor::{Floor, Shape};
use crate::report::{Report, say};
use crate::scenario::{self, STEPS, Scenario};
use crate::stage::Stage;
use crate::stand::Place;

/// Days that members with a history have behind them.
const HISTORY_DAYS: u64 = 400;
/// The comparisons of one round that are made with new members of the streak; the other structures have one.
const COMPARISONS: usize = 7;

const FLOOR: &str = "the same rows in sets";

/// Measures the evaluation on one kind of database.
pub async fn run(place: &Place<'_>, scale: Scale, report: &mut Report) -> anyhow::Result<()> {
    let mut bench = Bench::set_up(place, scale).await?;
    for round in 1..=scale.rounds {
        let Scale { rounds, .. } = scale;
        say(&format!(
            "{}: evaluation, round {round} of {rounds}",
            report.title
        ));
        bench.stage.stand.settle().await?;
        bench.grown.stand.settle().await?;
        bench.structures(round, report).await?;
        bench.flatness(report).await?;
    }
    bench.stage.check().await?;
    bench.grown.check().await
}

/// Two databases, in one of which a great many members have begun already.
struct Bench {
    scale: Scale,
    stage: Stage,
    grown: Stage,
    floor: Floor,
    floor_used: usize,
    shapes: HashMap<&'static str, Shape>,
}

impl Bench {
    async fn set_up(place: &Place<'_>, scale: Scale) -> anyhow::Result<Self> {
        let Scale { rounds, progress, .. } = scale;
        let (judged, flat) = (rounds * scale.judged / STEPS, rounds * scale.flat / STEPS);
        let structures = scenario::structures();
        let floor = Employer::new("floor", scenario::unused(), structures.len() * judged);
        let mut cast: Vec<(Scenario, usize)> = structures.into_iter().map(|one| (one, judged)).collect();
        let histories = scenario::histories();
        let lived: Vec<&str> = histories.iter().map(|(_, lived)| lived.key).collect();
        let begun = histories[0].0.clone();
        for (fresh, lived) in histories {
            cast.extend([(fresh, flat * COMPARISONS), (lived, flat)]);
        }
        cast.extend(scenario::crowded().map(|crowd| (crowd, flat)));
        let stage = Stage::set_up(place, "judged", cast, vec![floor]).await?;
        let key = begun.key;
        let grown = Stage::set_up(place, "grown", vec![(begun, 2 * flat + progress)], Vec::new()).await?;

        stage.live(&lived, HISTORY_DAYS).await?;
        let shapes = stage.rehearse().await?;
        grown.rehearse().await?;
        grown
            .stand
            .copy_first(&grown.scene(key).tenant, 1 + 2 * flat)
            .await?;
        let floor = Floor::new(&stage.stand, stage.stand.tenant("floor").await?, &Clock::system()).await?;
        stage.stand.settle().await?;
        grown.stand.settle().await?;
        Ok(Self {
            scale,
            stage,
            grown,
            floor,
            floor_used: 0,
            shapes,
        })
    }

    /// Each structure, and what it costs to take events back, each beside the floor.
    async fn structures(&mut self, round: usize, report: &mut Report) -> anyhow::Result<()> {
        for scenario in scenario::structures() {
            let floor = self.floor_of(scenario.key, round).await?;
            let played = self.stage.play(scenario.key, self.scale.judged).await?;
            let what = format!("evaluated, {}", scenario.what);
            report.compare(&what, played.rate, FLOOR, floor, "events/s");
            let rate = self.stage.retract(&played).await?;
            let what = format!("retracted, {}", scenario.what);
            report.compare(&what, rate, "evaluated", played.rate, "events/s");
        }
        Ok(())
    }

    /// The rate at which the rows that follow from such events are written.
    async fn floor_of(&mut self, key: &str, round: usize) -> anyhow::Result<Measured> {
        let members = self.floor_used..self.floor_used + self.scale.judged / STEPS;
        self.floor_used = members.end;
        self.floor
            .queue(members, &format!("{key}-{round}"), STEPS)
            .await?;
        let now = Timestamp::from(Clock::system().now());
        self.floor.evaluate(&self.shapes[key], now).await
    }

    /// What the cost of an event must not depend on, each beside new members of an employer with nothing else.
    async fn flatness(&mut self, report: &mut Report) -> anyhow::Result<()> {
        let flat = self.scale.flat;
        for (fresh, lived) in scenario::histories() {
            let base = self.stage.play(fresh.key, flat).await?.rate;
            let rate = self.stage.play(lived.key, flat).await?.rate;
            let what = format!("{}, {HISTORY_DAYS} days behind", fresh.what);
            report.compare(&what, rate, "new members", base, "events/s");
        }
        let [(fresh, _), ..] = scenario::histories();
        let base = self.stage.play(fresh.key, flat).await?.rate;
        let rate = self.grown.play(fresh.key, flat).await?.rate;
        let what = format!("{}, beside {} members", fresh.what, self.scale.progress);
        report.compare(&what, rate, "beside few", base, "events/s");
        // The database itself is slower in larger tables: that much is not ours.
        let shape = &self.shapes[fresh.key];
        let base = self.stage.floor(fresh.key, flat, shape).await?;
        let rate = self.grown.floor(fresh.key, flat, shape).await?;
        let what = format!("{FLOOR}, beside {} members", self.scale.progress);
        report.compare(&what, rate, "beside few", base, "events/s");
        for crowd in scenario::crowded() {
            let base = self.stage.play(fresh.key, flat).await?.rate;
            let rate = self.stage.play(crowd.key, flat).await?.rate;
            report.compare(crowd.what, rate, "the 1 that matches", base, "events/s");
        }
        Ok(())
    }
}
