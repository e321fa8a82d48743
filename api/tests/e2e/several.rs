//! Several processes on one database.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::database::{self, Database};
use crate::support::feed::{self, News, Read, Subscription};
use crate::support::graphql::Api;
use crate::support::plaudit::{Plaudit, run};
use crate::support::setting::{Setting, record, record_cloud_events};
use crate::support::until::{SOON, eventually, within};

on_both!(processes_that_start_at_once_on_an_empty_database_all_serve);

async fn processes_that_start_at_once_on_an_empty_database_all_serve(database: Database) {
    let mut serving: Vec<Plaudit> = (0..4).map(|_| Plaudit::serve_unready(&database, &[])).collect();
    let (one, other) = tokio::join!(run(&database, &["migrate"]), run(&database, &["migrate"]));
    for said in [one, other] {
        assert!(said.status.success(), "{said:?}");
    }
    for plaudit in &mut serving {
        plaudit.ready().await;
    }
    // One of them issues a token, and all of them take it: they agree on the keys too.
    let token = crate::support::plaudit::token(&database, &["--scope", "operator"]).await;
    for plaudit in &serving {
        let api = Api::new(plaudit.address(), &token);
        eventually("a token of the shared keys is taken", SOON, async || {
            let (status, _) = api.post("{ viewer { kind } }", &Value::Null).await;
            (status == 200).then_some(())
        })
        .await;
    }
}

/// Two processes that serve, two that evaluate, one PostgreSQL.
struct Installation {
    database: Database,
    serving: [Plaudit; 2],
    working: Vec<Plaudit>,
    setting: Setting,
}

impl Installation {
    async fn new(members: usize) -> Self {
        let database = Database::postgres().await;
        let first = Plaudit::serve(&database, &["--no-workers"]).await;
        let second = Plaudit::serve(&database, &["--no-workers"]).await;
        let working = vec![Plaudit::work(&database).await, Plaudit::work(&database).await];
        let setting = Setting::new(&database, first.address(), members).await;
        Self {
            database,
            serving: [first, second],
            working,
            setting,
        }
    }

    /// The API of the backend at each of the serving processes.
    fn backends(&self) -> [Api; 2] {
        [0, 1].map(|n: usize| Api::new(self.serving[n].address(), &self.setting.employer))
    }

    /// A subscription at each of the serving processes, caught up.
    async fn subscriptions(&self) -> [Subscription; 2] {
        let mut both = Vec::new();
        for plaudit in &self.serving {
            let opened = Subscription::open(plaudit.address(), &self.setting.partner, Read::default()).await;
            let mut subscription = opened.expect("it serves");
            subscription.catch_up().await;
            both.push(subscription);
        }
        both.try_into().unwrap_or_else(|_| panic!("two serve"))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_at_one_process_wakes_the_others() {
    const EVENTS: usize = 25;
    let installation = Installation::new(1).await;
    let backends = installation.backends();
    let [mut one, mut other] = installation.subscriptions().await;
    let mut latencies = Vec::new();
    for n in 0..EVENTS {
        let began = Instant::now();
        let event = installation.setting.event(&format!("e{n}"), "m0", 0);
        let answer = record(&backends[n % 2], &[event]).await;
        assert_eq!(answer, Some(vec!["ACCEPTED".to_owned()]));
        tokio::join!(one.hold(n + 1), other.hold(n + 1));
        latencies.push(began.elapsed());
    }
    assert_eq!(one.read.entries, other.read.entries);
    one.read.assert_dense("a subscription");
    latencies.sort_unstable();
    let (median, all) = (latencies[EVENTS / 2], latencies.iter().sum::<Duration>());
    println!(
        "request to both subscriptions: median {median:?}, slowest {:?}",
        latencies[EVENTS - 1]
    );
    // Without wake-ups each of these steps waits for the next look of the subscription, a second after the one before.
    assert!(
        all < Duration::from_secs(15),
        "{EVENTS} events one after another took {all:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_doors_of_both_processes_fill_one_feed_though_a_worker_is_killed() {
    const ROUNDS: usize = 60;
    const BATCH: usize = 5;
    const MEMBERS: usize = 10;
    let mut installation = Installation::new(MEMBERS).await;
    let backends = installation.backends();
    let [one, other] = installation.subscriptions().await;
    let entries = ROUNDS * BATCH + MEMBERS;
    let [one, other] = [one, other].map(|mut subscription| {
        tokio::spawn(async move {
            while subscription.read.entries.len() < entries {
                if let News::Ended(how) = subscription.next().await {
                    panic!("a subscription ended: {how}");
                }
            }
            subscription.read
        })
    });
    for round in 0..ROUNDS {
        if round == ROUNDS / 2 {
            installation.working.pop().expect("two work").kill();
        }
        let batch: Vec<Value> = (0..BATCH)
            .map(|days_ago| {
                let (id, member) = (format!("{round}-{days_ago}"), format!("m{}", round % MEMBERS));
                installation
                    .setting
                    .event(&id, &member, i64::try_from(days_ago).unwrap())
            })
            .collect();
        // Everything at both processes at once: one takes it, to the other it is known, and it counts once.
        let (taken, known) = tokio::join!(
            record(&backends[round % 2], &batch),
            record_cloud_events(&backends[(round + 1) % 2], &batch)
        );
        let statuses: Vec<String> = taken.into_iter().chain(known).flatten().collect();
        let accepted = statuses.iter().filter(|status| *status == "ACCEPTED").count();
        let duplicates = statuses.iter().filter(|status| *status == "DUPLICATE").count();
        assert_eq!((accepted, duplicates), (BATCH, BATCH), "{statuses:?}");
    }
    let one = within("everything at one process", SOON, one)
        .await
        .expect("it lived");
    let other = within("everything at the other", SOON, other)
        .await
        .expect("it lived");
    one.assert_dense("a subscription");
    assert!(one.entries == other.entries, "both processes tell the same");
    let refs: BTreeSet<&str> = one
        .entries
        .iter()
        .filter_map(|entry| entry["achievement"]["memberRef"].as_str())
        .collect();
    assert_eq!(refs.len(), MEMBERS);
    let polled = feed::poll_all(&backends[0].with(&installation.setting.partner)).await;
    assert!(
        polled.entries == one.entries,
        "polling tells the same, and no more"
    );
    assert_eq!(
        installation.database.count("event").await,
        0,
        "the queue is empty"
    );
    assert_eq!(installation.database.count("dead_event").await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_wait_for_a_worker_where_there_is_none() {
    let database = Database::postgres().await;
    let plaudit = Plaudit::serve(&database, &["--no-workers"]).await;
    let setting = Setting::new(&database, plaudit.address(), 1).await;
    let api = Api::new(plaudit.address(), &setting.employer);
    record(&api, &[setting.event("e", "m0", 0)])
        .await
        .expect("it is accepted");
    let db = database.open().await;
    assert_eq!(database::count(&db, "event").await, 1);
    let opened = Subscription::open(plaudit.address(), &setting.partner, Read::default()).await;
    let mut subscription = opened.expect("it serves");
    subscription.catch_up().await;
    assert_eq!(subscription.read.entries.len(), 0);
    let _worker = Plaudit::work(&database).await;
    subscription.hold(1).await;
    assert_eq!(database::count(&db, "event").await, 0);
    db.close().await.expect("the database closes");
}
