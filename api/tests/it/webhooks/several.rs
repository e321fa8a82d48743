//! Several workers, and several endpoints of which some are dead.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use tokio_util::sync::CancellationToken;

use super::{endpoint, entries, standing, world};
use crate::harness::{DEADLINE, Receiver, Reply, TestApp};

on_both!(
    two_workers_make_each_call_once,
    the_dead_cost_the_living_nothing_and_get_everything_when_they_are_back,
);

async fn two_workers_make_each_call_once(app: &TestApp) {
    let world = world(app).await;
    let receivers = [
        Receiver::start().await,
        Receiver::start().await,
        Receiver::start().await,
    ];
    for receiver in &receivers {
        endpoint(&world, receiver.url()).await;
    }
    entries(&world, 1..22).await;
    let other = TestApp::start(&app.url, 2).await;
    let never = CancellationToken::new();
    let everything = async |context: &jobs::Context| {
        // Whoever finds that the other is at it looks again.
        while app
            .count("SELECT count(*) AS count FROM delivery WHERE delivered_at IS NULL")
            .await
            > 0
        {
            jobs::deliver::drain(context, &never).await.unwrap();
        }
    };
    let both = async { tokio::join!(everything(&app.app.jobs), everything(&other.app.jobs)) };
    tokio::time::timeout(DEADLINE, both).await.unwrap();
    other.stop().await;
    for receiver in &receivers {
        assert_eq!(receiver.positions(), (1..=21).collect::<Vec<_>>());
    }
}

async fn the_dead_cost_the_living_nothing_and_get_everything_when_they_are_back(app: &TestApp) {
    let world = world(app).await;
    let mut receivers = Vec::new();
    for reply in [Reply::Hang, Reply::Status(500), Reply::Drip, Reply::Status(200)] {
        let receiver = Receiver::start().await;
        let (id, _) = endpoint(&world, receiver.url()).await;
        receiver.always(reply);
        receivers.push((receiver, id));
    }
    let (hanging, healthy) = (&receivers[0].1, &receivers[3].1);
    let never = CancellationToken::new();
    let delivering = async {
        loop {
            jobs::deliver::drain(&app.app.jobs, &never).await.unwrap();
        }
    };
    let living = async {
        for minutes in [0..8, 8..15, 15..22] {
            let last = i64::from(minutes.end);
            entries(&world, minutes).await;
            while standing(&world, healthy, "DELIVERED").await.len() < usize::try_from(last).unwrap() {
                tokio::task::yield_now().await;
            }
        }
    };
    tokio::select! {
        // Dropped then, with the calls that still hang: as if the process had been killed.
        () = delivering => {}
        outcome = tokio::time::timeout(DEADLINE, living) => outcome.expect("the healthy one gets everything"),
    }
    // The healthy one had everything before the first call to the other had come to its end.
    assert_eq!(standing(&world, hanging, "PENDING").await.len(), 22);
    for (receiver, id) in &receivers[..3] {
        assert_eq!(standing(&world, id, "DELIVERED").await, Vec::<i64>::new());
        receiver.always(Reply::Status(200));
    }
    app.pass(TimeDelta::hours(1));
    app.deliver().await;
    for (receiver, id) in &receivers {
        assert_eq!(standing(&world, id, "DELIVERED").await.len(), 22);
        let mut ids = BTreeMap::new();
        for call in receiver.calls() {
            let id = call.header("webhook-id").to_owned();
            assert_eq!(*ids.entry(call.position()).or_insert_with(|| id.clone()), id);
        }
        assert_eq!(ids.len(), 22);
    }
}
