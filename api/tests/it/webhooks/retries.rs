//! What happens when an endpoint does not take what it is sent.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{endpoint, entries, shown, spa, standing, world};
use crate::harness::{Receiver, Reply, TestApp};

on_both!(
    a_call_that_fails_is_made_again_under_the_same_id,
    an_endpoint_that_asks_for_time_gets_it,
    a_call_whose_caller_dies_is_made_again_under_the_same_id,
    who_comes_back_after_its_lease_changes_nothing,
    an_endpoint_that_is_gone_is_parked_and_goes_on_where_it_stopped,
    after_ten_tries_over_three_days_an_endpoint_is_parked,
    after_five_failures_in_a_row_one_call_at_a_time_is_made,
    what_has_failed_is_sent_again_at_once_when_asked,
);

async fn a_call_that_fails_is_made_again_under_the_same_id(app: &TestApp) {
    let world = world(app).await;
    let (receiver, elsewhere) = (Receiver::start().await, Receiver::start().await);
    let (id, _) = endpoint(&world, receiver.url()).await;
    let redirect = Reply::Full(
        302,
        "location",
        elsewhere.url().to_owned(),
        "over there".to_owned(),
    );
    receiver.next([Reply::Status(500), redirect, Reply::Status(202)]);
    entries(&world, 20..21).await;
    for (wait, calls) in [(0, 1), (4, 1), (2, 2), (290, 2), (45, 3), (9_999, 3)] {
        app.pass(TimeDelta::seconds(wait));
        app.deliver().await;
        assert_eq!(receiver.calls().len(), calls, "after {wait}");
        let wanted = if calls < 3 { "FAILED" } else { "DELIVERED" };
        assert_eq!(standing(&world, &id, wanted).await, [1]);
    }
    let calls = receiver.calls();
    let ids: Vec<_> = calls.iter().map(|call| call.header("webhook-id")).collect();
    assert_eq!(ids, [ids[0]; 3]);
    assert!(calls.iter().all(|call| call.text == calls[0].text));
    // A redirect leads nowhere.
    assert_eq!(elsewhere.calls().len(), 0);
    let delivery = shown(&world, &id).await["deliveries"]["nodes"][0].clone();
    let attempts: Vec<_> = delivery["attempts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|attempt| (&attempt["number"], &attempt["status"], &attempt["answer"]))
        .collect();
    let wanted = json!([[1, 500, null], [2, 302, "over there"], [3, 202, null]]);
    assert_eq!(json!(attempts), wanted);
    let told = app.metrics().await;
    for line in [
        "plaudit_webhook_latency_seconds_bucket{le=\"60.0\"} 0",
        "plaudit_webhook_latency_seconds_sum 341.0",
        "plaudit_webhook_latency_seconds_count 1",
    ] {
        assert!(told.lines().any(|told| told == line), "{line} is not in {told}");
    }
}

async fn an_endpoint_that_asks_for_time_gets_it(app: &TestApp) {
    let world = world(app).await;
    let receiver = Receiver::start().await;
    let (id, _) = endpoint(&world, receiver.url()).await;
    let busy = |value: &str| Reply::Full(429, "retry-after", value.to_owned(), String::new());
    receiver.next([busy("120"), busy("Sat, 21 Nov 2026 13:00:00 GMT")]);
    entries(&world, 20..21).await;
    app.deliver().await;
    assert_eq!(shown(&world, &id).await["closedUntil"], "2026-11-21T12:02:00Z");
    app.set_clock("2026-11-21T12:01:59Z");
    // What is new waits as well.
    entries(&world, 21..22).await;
    app.deliver().await;
    assert_eq!(receiver.positions(), [1]);
    app.set_clock("2026-11-21T12:02:00Z");
    receiver.always(busy("soon"));
    app.deliver().await;
    assert_eq!(receiver.calls().len(), 3);
    receiver.always(Reply::Status(200));
    app.set_clock("2026-11-21T12:59:59Z");
    app.deliver().await;
    assert_eq!(receiver.calls().len(), 3);
    app.set_clock("2026-11-21T13:00:01Z");
    app.deliver().await;
    assert_eq!(standing(&world, &id, "DELIVERED").await, [2, 1]);
}

async fn a_call_whose_caller_dies_is_made_again_under_the_same_id(app: &TestApp) {
    let world = world(app).await;
    let receiver = Receiver::start().await;
    let (id, _) = endpoint(&world, receiver.url()).await;
    entries(&world, 20..21).await;
    // Taken and called, and then nothing is written of it.
    let claimed = jobs::deliver::claim::take(&app.app.jobs, 9).await.unwrap();
    let call = &claimed.calls[0];
    let headers = call.headers(app.now().timestamp());
    let egress = &app.app.jobs.outbound.egress;
    let deadline = std::time::Duration::from_secs(9);
    let answer = egress
        .post(&call.url, &headers, call.body.clone(), deadline)
        .await;
    assert_eq!(answer.unwrap().status, 204);
    app.pass(TimeDelta::seconds(29));
    app.deliver().await;
    assert_eq!(receiver.calls().len(), 1);
    app.pass(TimeDelta::seconds(1));
    app.deliver().await;
    let calls = receiver.calls();
    assert_eq!(calls.len(), 2);
    assert_eq!(calls[0].header("webhook-id"), calls[1].header("webhook-id"));
    assert_eq!(calls[0].text, calls[1].text);
    assert_eq!(standing(&world, &id, "DELIVERED").await, [1]);
}

async fn who_comes_back_after_its_lease_changes_nothing(app: &TestApp) {
    let world = world(app).await;
    let receiver = Receiver::start().await;
    let (id, _) = endpoint(&world, receiver.url()).await;
    entries(&world, 20..21).await;
    let claimed = jobs::deliver::claim::take(&app.app.jobs, 9).await.unwrap();
    let call = claimed.calls.into_iter().next().unwrap();
    app.pass(TimeDelta::seconds(30));
    app.deliver().await;
    let late = entity::delivery::Finished {
        lease: call.lease,
        at: app.now().into(),
        milliseconds: 1,
        status: Some(410),
        error: None,
        answer: None,
        delivered_at: None,
        due_at: app.now().into(),
        closed_until: None,
        jitter: 0.0,
        taken: call.taken,
    };
    jobs::deliver::settle::write(&app.app.jobs, vec![late])
        .await
        .unwrap();
    let shown = shown(&world, &id).await;
    assert_eq!(
        (&shown["state"], &shown["failures"]),
        (&json!("ACTIVE"), &json!(0))
    );
    assert_eq!(shown["deliveries"]["nodes"][0]["attemptCount"], 1);
    assert_eq!(standing(&world, &id, "DELIVERED").await, [1]);
}

async fn an_endpoint_that_is_gone_is_parked_and_goes_on_where_it_stopped(app: &TestApp) {
    let world = world(app).await;
    let receiver = Receiver::start().await;
    let (id, _) = endpoint(&world, receiver.url()).await;
    entries(&world, 10..12).await;
    app.deliver().await;
    receiver.always(Reply::Status(410));
    entries(&world, 12..13).await;
    app.deliver().await;
    assert_eq!(receiver.calls().len(), 3);
    let parked = shown(&world, &id).await;
    assert_eq!(
        (&parked["state"], &parked["parkedBecause"], &parked["parkedAt"]),
        (&json!("PARKED"), &json!("GONE"), &json!("2026-11-21T12:00:00Z"))
    );
    // Promised further, and not called.
    entries(&world, 13..20).await;
    app.pass(TimeDelta::days(20));
    app.deliver().await;
    assert_eq!(receiver.calls().len(), 3);
    assert_eq!(shown(&world, &id).await["pendingCount"], 8);
    receiver.always(Reply::Status(200));
    let resumed = spa(&world)
        .change(
            "resumeWebhookEndpoint",
            json!({"endpoint": id}),
            "endpoint { state parkedAt parkedBecause failures }",
        )
        .await;
    let wanted = json!({"state": "ACTIVE", "parkedAt": null, "parkedBecause": null, "failures": 0});
    assert_eq!(resumed["endpoint"], wanted);
    app.deliver().await;
    assert_eq!(
        standing(&world, &id, "DELIVERED").await,
        (1..=10).rev().collect::<Vec<_>>()
    );
    let mut positions = receiver.positions();
    positions.dedup();
    assert_eq!(positions, (1..=10).collect::<Vec<_>>());
}

async fn after_ten_tries_over_three_days_an_endpoint_is_parked(app: &TestApp) {
    let world = world(app).await;
    let receiver = Receiver::start().await;
    let (id, _) = endpoint(&world, receiver.url()).await;
    receiver.always(Reply::Status(500));
    entries(&world, 20..21).await;
    let began = app.now();
    let mut tries = 0;
    while shown(&world, &id).await["state"] == "ACTIVE" {
        assert!(tries < 50, "it is never parked");
        app.deliver().await;
        tries += 1;
        let delivery = shown(&world, &id).await["deliveries"]["nodes"][0].clone();
        let due: chrono::DateTime<chrono::Utc> = delivery["dueAt"].as_str().unwrap().parse().unwrap();
        if shown(&world, &id).await["state"] == "ACTIVE" {
            let closed = shown(&world, &id).await["closedUntil"].clone();
            let closed = closed.as_str().map(|text| text.parse().unwrap());
            app.clock.set(closed.map_or(due, |closed| due.max(closed)));
        }
    }
    let took = app.now().signed_duration_since(began);
    assert_eq!((tries, receiver.calls().len()), (10, 10));
    assert!(
        took >= TimeDelta::hours(75) && took < TimeDelta::hours(90),
        "{took}"
    );
    let parked = shown(&world, &id).await;
    assert_eq!(parked["parkedBecause"], "EXHAUSTED");
    assert_eq!(standing(&world, &id, "FAILED").await, [1]);
}

async fn after_five_failures_in_a_row_one_call_at_a_time_is_made(app: &TestApp) {
    let world = world(app).await;
    let receiver = Receiver::start().await;
    let (id, _) = endpoint(&world, receiver.url()).await;
    receiver.always(Reply::Status(503));
    entries(&world, 1..21).await;
    app.deliver().await;
    // Four at a time: the second four make it eight, and no more are made.
    let after = receiver.calls().len();
    assert!((5..=8).contains(&after), "{after}");
    assert_eq!(shown(&world, &id).await["failures"], after);
    app.pass(TimeDelta::seconds(100));
    app.deliver().await;
    assert_eq!(receiver.calls().len(), after + 1);
    app.deliver().await;
    assert_eq!(receiver.calls().len(), after + 1);
    // One that is taken opens the way for all, also for what has failed.
    receiver.always(Reply::Status(200));
    app.pass(TimeDelta::seconds(1_000));
    app.deliver().await;
    let shown = shown(&world, &id).await;
    assert_eq!(
        (&shown["failures"], &shown["closedUntil"]),
        (&json!(0), &Value::Null)
    );
    assert_eq!(standing(&world, &id, "DELIVERED").await.len(), 20);
}

async fn what_has_failed_is_sent_again_at_once_when_asked(app: &TestApp) {
    let world = world(app).await;
    let receiver = Receiver::start().await;
    let (id, _) = endpoint(&world, receiver.url()).await;
    receiver.next([Reply::Status(500), Reply::Status(500), Reply::Status(500)]);
    entries(&world, 10..13).await;
    app.deliver().await;
    assert_eq!(standing(&world, &id, "FAILED").await, [3, 2, 1]);
    let input = json!({"endpoint": id, "failedOnly": true, "fromPosition": 2});
    let payload = spa(&world).change("replayWebhooks", input, "replayedCount").await;
    assert_eq!(payload["replayedCount"], 2);
    assert_eq!(standing(&world, &id, "PENDING").await, [3, 2]);
    app.deliver().await;
    assert_eq!(standing(&world, &id, "DELIVERED").await, [3, 2]);
    assert_eq!(standing(&world, &id, "FAILED").await, [1]);
}
