//! Evaluation as an employer has it: several incentives match, a hundred do not. Beside it the floor, and what a team would otherwise
//! pick: a queue in the same PostgreSQL, with as many connections, whose jobs do nothing.

use entity::clock::{Clock, Timestamp};

use crate::Scale;
use crate::cpu::Runs;
use crate::employer::Employer;
use crate::floor::Floor;
use crate::graphile::Graphile;
use crate::report::{Report, say};
use crate::scenario::{self, STEPS};
use crate::stage::Stage;
use crate::stand::Place;

/// Measures it on one kind of database.
pub async fn run(place: &Place<'_>, scale: Scale, report: &mut Report) -> anyhow::Result<()> {
    let Scale { rounds, mixed, .. } = scale;
    let scenario = scenario::mixed();
    let (key, what) = (scenario.key, format!("evaluated, {}", scenario.what));
    let members = mixed / STEPS;
    let floor = Employer::new("floor", scenario::unused(), (1 + rounds) * members);
    let mut stage = Stage::set_up(
        place,
        "mixed",
        vec![(scenario, (1 + rounds) * members)],
        vec![floor],
    )
    .await?;
    let shapes = stage.rehearse().await?;
    let clock = Clock::system();
    let floor = Floor::new(&stage.stand, stage.stand.tenant("floor").await?, &clock).await?;
    let mut graphile = Graphile::start(place).await?;
    if let Some(graphile) = &mut graphile {
        // Its code is compiled while it runs.
        graphile.queue(mixed).await?;
        graphile.run().await?;
    }
    // The first one is not measured: it fills the tables.
    for round in 0..=rounds {
        say(&format!(
            "{}: several incentives, round {round} of {rounds}",
            report.title
        ));
        stage.stand.settle().await?;
        let used = round * members..(round + 1) * members;
        floor.queue(used, &format!("floor-{round}"), STEPS).await?;
        let floor_rate = floor.evaluate(&shapes[key], Timestamp::from(clock.now())).await?;
        let played = stage.play(key, mixed).await?;
        if round == 0 {
            continue;
        }
        report.compare(
            &what,
            played.rate,
            "the same rows in sets",
            floor_rate,
            "events/s",
        );
        if let Some(graphile) = &mut graphile {
            graphile.queue(mixed).await?;
            let running = stage.stand.meter.start(Runs::Outside);
            graphile.run().await?;
            let jobs = running.stop(mixed);
            report.compare(
                &what,
                played.rate,
                "graphile-worker, empty jobs",
                jobs,
                "events/s",
            );
        }
    }
    stage.check().await
}
