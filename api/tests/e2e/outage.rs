//! PostgreSQL goes away, for a moment or for longer, while the program serves.

use std::time::Duration;

use sea_orm::ConnectionTrait;
use serde_json::Value;

use crate::support::database::{self, Database};
use crate::support::feed::{self, News, Read, Subscription};
use crate::support::graphql::{Api, code};
use crate::support::plaudit::Plaudit;
use crate::support::setting::{Setting, record, record_cloud_events};
use crate::support::until::{SOON, eventually, within};

/// A pool may wait this long for a connection before it gives up, and a duty as long before it tries again.
const LONGER: Duration = Duration::from_mins(1);

async fn status(api: &Api, path: &str) -> u16 {
    let answer = api.http.get(format!("http://{}{path}", api.address)).send().await;
    answer.expect("it serves").status().as_u16()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_program_outlives_an_outage_and_recovers() {
    let database = Database::postgres().await;
    let plaudit = Plaudit::serve(&database, &[]).await;
    let worker = Plaudit::work(&database).await;
    let setting = Setting::new(&database, plaudit.address(), 1).await;
    let api = Api::new(plaudit.address(), &setting.employer);
    let before = setting.event("before", "m0", 0);
    record(&api, std::slice::from_ref(&before))
        .await
        .expect("it is accepted");
    let opened = Subscription::open(plaudit.address(), &setting.partner, Read::default()).await;
    let mut subscription = opened.expect("it serves");
    subscription.hold(1).await;

    database.allow_connections(false).await;
    database.cut_connections().await;
    eventually("/readyz says 503", LONGER, async || {
        (status(&api, "/readyz").await == 503).then_some(())
    })
    .await;
    assert_eq!(status(&api, "/livez").await, 200);
    // Nothing is taken that is not durable, and the answer says that it is worth another try.
    let during = setting.event("during", "m0", 0);
    let query =
        "mutation ($input: RecordEventsInput!) { recordEvents(input: $input) { results { status } } }";
    let variables = serde_json::json!({"input": {"events": [during]}});
    let (http_status, answer) = api.post(query, &variables).await;
    assert_eq!(code(&answer), "UNAVAILABLE", "{http_status} {answer}");
    assert_eq!(
        record_cloud_events(&api, std::slice::from_ref(&during)).await,
        None,
        "503 at the other door"
    );
    let (_, answer) = api.post("{ achievements { nodes { id } } }", &Value::Null).await;
    assert_eq!(code(&answer), "UNAVAILABLE", "{answer}");
    // A subscription either waits or ends; the cursor is good for another one.
    let ended = tokio::time::timeout(Duration::from_secs(15), subscription.next()).await;
    if let Ok(News::Entry(entry)) = ended {
        panic!("nothing has happened, but there came {entry}");
    }
    assert_eq!(status(&api, "/livez").await, 200);

    database.allow_connections(true).await;
    eventually("/readyz says 200", LONGER, async || {
        (status(&api, "/readyz").await == 200).then_some(())
    })
    .await;
    let statuses = record(&api, &[before, during]).await.expect("it is accepted");
    assert_eq!(statuses, ["DUPLICATE", "ACCEPTED"]);
    let reopened = Subscription::open(plaudit.address(), &setting.partner, subscription.read).await;
    let mut subscription = reopened.expect("it serves");
    within("the entry after the outage", LONGER, subscription.hold(2)).await;
    subscription.read.assert_dense("the partner");

    // The worker by itself has recovered too.
    plaudit.kill();
    let api_alone = Plaudit::serve(&database, &["--no-workers"]).await;
    let api = Api::new(api_alone.address(), &setting.employer);
    record(&api, &[setting.event("after", "m0", 0)])
        .await
        .expect("it is accepted");
    let db = database.open().await;
    eventually("an empty queue", LONGER, async || {
        (database::count(&db, "event").await == 0).then_some(())
    })
    .await;
    db.close().await.expect("the database closes");
    drop(worker);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_cannot_be_connected_to_counts_as_away() {
    let database = Database::postgres().await;
    let db = database.open().await;
    database.allow_connections(false).await;
    database.cut_connections().await;
    // First the connection that was there turns out to be gone, then there is no other.
    for _ in 0..3 {
        let refused = db.read().execute_unprepared("SELECT 1").await;
        let error = refused.expect_err("nobody is let in");
        assert!(entity::db::is_unavailable(&error), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_are_cut_lose_nothing() {
    const ROUNDS: usize = 30;
    let database = Database::postgres().await;
    let plaudit = Plaudit::serve(&database, &[]).await;
    let setting = Setting::new(&database, plaudit.address(), 1).await;
    let api = Api::new(plaudit.address(), &setting.employer);
    let mut again = 0;
    for round in 0..ROUNDS {
        let event = [setting.event(&format!("e{round}"), "m0", 0)];
        if round % 3 == 1 {
            database.cut_connections().await;
        }
        eventually("the event is accepted", SOON, async || {
            let answer = record(&api, &event).await;
            again += usize::from(answer.is_none());
            answer
        })
        .await;
    }
    println!("{again} requests of {ROUNDS} were sent again");
    let partner = api.with(&setting.partner);
    eventually("every entry", SOON, async || {
        let mut read = Read::default();
        feed::poll(&partner, &mut read, 100).await?;
        (read.entries.len() >= ROUNDS).then_some(())
    })
    .await;
    let whole = feed::poll_all(&partner).await;
    whole.assert_dense("the partner");
    assert_eq!(whole.entries.len(), ROUNDS, "each event counts once");
    assert_eq!(database.count("dead_event").await, 0);
    // A duty that looks by itself once a second may have met nothing but dead connections so far.
    eventually("/readyz says 200", SOON, async || {
        (status(&api, "/readyz").await == 200).then_some(())
    })
    .await;
}
