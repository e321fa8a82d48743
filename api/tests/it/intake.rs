//! Events at the doors: what is taken, what is known again, what is refused, and when it happened where it happened.

mod cloudevents;

use serde_json::{Value, json};

use crate::harness::{Event, TestApp, World, event};

on_both!(
    each_event_has_its_result_in_the_order_of_the_input,
    the_same_event_again_is_a_duplicate_and_another_body_a_conflict,
    a_batch_that_repeats_itself_takes_each_event_once,
    a_duplicate_stays_one_when_it_would_be_too_late,
    the_bounds_of_time_are_exact,
    eligibility_is_judged_by_the_local_date,
    the_zone_of_the_event_comes_before_the_members_and_the_employers,
    open_enrolment_makes_members_of_those_who_did_something_acceptable,
    refusals_are_counted_by_day_type_and_reason,
    a_call_takes_a_thousand_events_and_no_more,
    an_id_belongs_to_its_source,
);

const NOON: &str = "2026-11-21T11:00:00Z";

async fn record<const N: usize>(world: &World<'_>, events: [Event; N]) -> Vec<String> {
    world.backend().record(events.map(Value::from)).await
}

async fn each_event_has_its_result_in_the_order_of_the_input(app: &TestApp) {
    let world = World::new(app).await;
    world.members(&["ada"]).await;
    let events = [
        event("1", "ada", NOON),
        event("2", "nobody", NOON),
        event("3", "ada", NOON).of("no.such"),
        event("4", "ada", "2020-01-01T00:00:00Z"),
        event("5", "ada", "2026-11-22T00:00:00Z"),
        event("6", "ada", "yesterday"),
        event("7", "ada", NOON).set("timeZone", json!("Mars/Olympus")),
        event("8", "ada", NOON).set("properties", json!({"minutes": "many"})),
        event("9", "ada", NOON).set("properties", json!([1])),
        event("1", "ada", NOON),
        event("1", "ada", "2026-11-21T11:00:01Z"),
        event("", "ada", NOON),
        event("10", "ada", NOON),
    ];
    let payload = world
        .backend()
        .change(
            "recordEvents",
            json!({"events": events.clone().map(Value::from)}),
            "results { id status error { code path message } }",
        )
        .await;
    let results = payload["results"].as_array().unwrap();
    let shown: Vec<(String, String)> = results
        .iter()
        .map(|result| {
            let word = result["error"]["code"]
                .as_str()
                .or(result["status"].as_str())
                .unwrap();
            (result["id"].as_str().unwrap().to_owned(), word.to_owned())
        })
        .collect();
    let expected = [
        ("1", "ACCEPTED"),
        ("2", "UNKNOWN_MEMBER"),
        ("3", "UNKNOWN_EVENT_TYPE"),
        ("4", "TOO_LATE"),
        ("5", "IN_FUTURE"),
        ("6", "INVALID_INPUT"),
        ("7", "INVALID_INPUT"),
        ("8", "INVALID_PROPERTIES"),
        ("9", "INVALID_PROPERTIES"),
        ("1", "DUPLICATE"),
        ("1", "CONFLICT"),
        ("", "INVALID_INPUT"),
        ("10", "ACCEPTED"),
    ]
    .map(|(id, word)| (id.to_owned(), word.to_owned()));
    assert_eq!(shown, expected);
    assert_eq!(results[7]["error"]["path"], json!(["properties", "minutes"]));
    // What was measured is nobody's business, not even the sender's log.
    assert!(!results[7]["error"]["message"].as_str().unwrap().contains("many"));
    assert_eq!(app.count("SELECT count(*) AS count FROM event").await, 2);
}

async fn the_same_event_again_is_a_duplicate_and_another_body_a_conflict(app: &TestApp) {
    let world = World::new(app).await;
    world.members(&["ada", "bob"]).await;
    let first = || event("e1", "ada", NOON).set("properties", json!({"minutes": 10, "mood": "calm"}));
    assert_eq!(record(&world, [first()]).await, ["ACCEPTED"]);
    app.run_jobs().await;
    let before = app.row_counts().await;
    // The same instant in another offset, the same properties in another order.
    let same = event("e1", "ada", "2026-11-21T12:00:00+01:00")
        .set("properties", json!({"mood": "calm", "minutes": 10}));
    assert_eq!(record(&world, [first(), same]).await, ["DUPLICATE"; 2]);
    assert_eq!(app.row_counts().await, before);
    let others = [
        first().set("member", json!("bob")),
        first().of("registration.completed"),
        first().set("occurredAt", json!("2026-11-21T11:00:00.000001Z")),
        first().set("properties", json!({"minutes": 11, "mood": "calm"})),
        first().set("timeZone", json!("UTC")),
    ];
    assert_eq!(record(&world, others).await, ["CONFLICT"; 5]);
    assert_eq!(app.count("SELECT count(*) AS count FROM event").await, 0);
    assert_eq!(app.count("SELECT count(*) AS count FROM receipt").await, 1);
}

async fn a_batch_that_repeats_itself_takes_each_event_once(app: &TestApp) {
    let world = World::new(app).await;
    world.members(&["ada"]).await;
    let events = [
        event("e1", "ada", NOON),
        event("e1", "ada", NOON),
        event("e1", "ada", NOON),
    ];
    assert_eq!(
        record(&world, events).await,
        ["ACCEPTED", "DUPLICATE", "DUPLICATE"]
    );
    assert_eq!(app.count("SELECT count(*) AS count FROM event").await, 1);
}

async fn a_duplicate_stays_one_when_it_would_be_too_late(app: &TestApp) {
    let world = World::new(app).await;
    world.members(&["ada"]).await;
    let edge = || event("e1", "ada", "2026-11-14T12:00:00Z");
    assert_eq!(record(&world, [edge()]).await, ["ACCEPTED"]);
    app.set_clock("2026-11-21T13:00:00Z");
    assert_eq!(record(&world, [edge()]).await, ["DUPLICATE"]);
    assert_eq!(
        record(&world, [event("e2", "ada", "2026-11-14T12:00:00Z")]).await,
        ["TOO_LATE"]
    );
}

async fn the_bounds_of_time_are_exact(app: &TestApp) {
    let world = World::new(app).await;
    world.members(&["ada"]).await;
    // It is noon on the 21st; a week late and five minutes early are the bounds.
    let statuses = record(
        &world,
        [
            event("1", "ada", "2026-11-14T12:00:00Z"),
            event("2", "ada", "2026-11-14T11:59:59.999999Z"),
            event("3", "ada", "2026-11-21T12:05:00Z"),
            event("4", "ada", "2026-11-21T12:05:00.000001Z"),
        ],
    )
    .await;
    assert_eq!(statuses, ["ACCEPTED", "TOO_LATE", "ACCEPTED", "IN_FUTURE"]);
}

async fn eligibility_is_judged_by_the_local_date(app: &TestApp) {
    let world = World::new(app).await;
    world
        .register(vec![json!({
            "externalId": "ada", "timeZone": "Asia/Tokyo", "eligibleFrom": "2026-11-20", "eligibleUntil": "2026-11-20",
        })])
        .await;
    // The 20th in Tokyo begins at 15:00 UTC on the 19th.
    let statuses = record(
        &world,
        [
            event("1", "ada", "2026-11-19T14:59:59Z"),
            event("2", "ada", "2026-11-19T15:00:00Z"),
            event("3", "ada", "2026-11-20T14:59:59Z"),
            event("4", "ada", "2026-11-20T15:00:00Z"),
            event("5", "ada", "2026-11-20T15:00:00Z").set("timeZone", json!("UTC")),
        ],
    )
    .await;
    assert_eq!(
        statuses,
        ["NOT_ELIGIBLE", "ACCEPTED", "ACCEPTED", "NOT_ELIGIBLE", "ACCEPTED"]
    );
}

async fn the_zone_of_the_event_comes_before_the_members_and_the_employers(app: &TestApp) {
    let world = World::new(app).await;
    world
        .register(vec![
            json!({"externalId": "ada", "timeZone": "Asia/Tokyo"}),
            json!({"externalId": "bob"}),
        ])
        .await;
    record(
        &world,
        [
            event("event", "ada", "2026-11-20T20:30:00.5Z").set("timeZone", json!("America/New_York")),
            event("member", "ada", "2026-11-20T20:30:00Z"),
            event("employer", "bob", "2026-11-20T20:30:00Z"),
        ],
    )
    .await;
    for (id, zone, origin, local_time) in [
        ("event", "America/New_York", "EVENT", "2026-11-20T15:30:00.500"),
        ("member", "Asia/Tokyo", "MEMBER", "2026-11-21T05:30:00"),
        ("employer", "UTC", "EMPLOYER", "2026-11-20T20:30:00"),
    ] {
        let stored = format!(
            "SELECT count(*) AS count FROM event WHERE event_id = '{id}' AND time_zone = '{zone}'
             AND zone_origin = '{origin}' AND local_time = '{local_time}'"
        );
        assert_eq!(app.count(&stored).await, 1, "{id}");
    }
    // It is never computed again: a member that has moved keeps the days it had.
    world
        .register(vec![json!({"externalId": "ada", "timeZone": "Europe/Berlin"})])
        .await;
    assert_eq!(
        app.count("SELECT count(*) AS count FROM event WHERE time_zone = 'Asia/Tokyo'")
            .await,
        1
    );
}

async fn open_enrolment_makes_members_of_those_who_did_something_acceptable(app: &TestApp) {
    let operator = app.operator();
    operator
        .change(
            "createEmployer",
            json!({"key": "open", "name": "Open", "enrolment": "OPEN"}),
            "employer { id }",
        )
        .await;
    let events: Vec<Value> = [
        event("1", "ada", NOON),
        event("2", "ada", NOON),
        event("3", "late", "2020-01-01T00:00:00Z"),
        event("4", "wrong", NOON).set("properties", json!({"minutes": -1})),
        event("5", "typo", NOON).of("no.such"),
        event("6", "bob", NOON),
    ]
    .map(Value::from)
    .into();
    let payload = operator
        .change(
            "recordEvents",
            json!({"employer": "open", "events": events}),
            "results { status error { code } }",
        )
        .await;
    let statuses: Vec<&str> = payload["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|result| result["status"].as_str().unwrap())
        .collect();
    assert_eq!(
        statuses,
        [
            "ACCEPTED", "ACCEPTED", "REJECTED", "REJECTED", "REJECTED", "ACCEPTED"
        ]
    );
    assert_eq!(app.count("SELECT count(*) AS count FROM member").await, 2);
}

async fn refusals_are_counted_by_day_type_and_reason(app: &TestApp) {
    let world = World::new(app).await;
    world.members(&["ada"]).await;
    let late = |id: &str| event(id, "ada", "2026-01-01T00:00:00Z");
    record(
        &world,
        [
            late("1"),
            late("2"),
            event("3", "ada", NOON).of("made.up"),
            event("4", "ada", NOON).of("made.up.too"),
        ],
    )
    .await;
    app.set_clock("2026-11-22T12:00:00Z");
    record(&world, [late("1"), event("5", "nobody", "2026-11-22T11:00:00Z")]).await;
    let query =
        "query($since: Date) { employer { refusedEvents(since: $since) { on eventType code count } } }";
    let shown = |on: &str, event_type: Value, code: &str, count: i64| json!({"on": on, "eventType": event_type, "code": code, "count": count});
    let meditation = json!("meditation.completed");
    let data = world.admin().data(query, json!({"since": "2026-11-21"})).await;
    let mut refused = data["employer"]["refusedEvents"].as_array().unwrap().clone();
    assert_eq!(refused.first().unwrap()["on"], "2026-11-22");
    let mut expected = vec![
        shown("2026-11-22", meditation.clone(), "TOO_LATE", 1),
        shown("2026-11-22", meditation.clone(), "UNKNOWN_MEMBER", 1),
        shown("2026-11-21", meditation, "TOO_LATE", 2),
        // Names that somebody made up do not become rows of their own.
        shown("2026-11-21", Value::Null, "UNKNOWN_EVENT_TYPE", 2),
    ];
    refused.sort_by_key(ToString::to_string);
    expected.sort_by_key(ToString::to_string);
    assert_eq!(refused, expected);
    let data = world.admin().data(query, json!({"since": "2026-11-22"})).await;
    assert_eq!(data["employer"]["refusedEvents"].as_array().unwrap().len(), 2);
}

async fn a_call_takes_a_thousand_events_and_no_more(app: &TestApp) {
    let world = World::new(app).await;
    world.members(&["ada"]).await;
    let many = |count: usize| -> Value {
        (0..count)
            .map(|number| Value::from(event(&format!("e{number}"), "ada", NOON)))
            .collect()
    };
    let before = app.row_counts().await;
    for count in [0, 1_001] {
        let fault = world
            .backend()
            .fault(
                "recordEvents",
                json!({"events": many(count)}),
                "results { status }",
            )
            .await;
        assert_eq!(fault, ("TOO_MANY".to_owned(), "events".to_owned()), "{count}");
    }
    assert_eq!(app.row_counts().await, before);
    let all = world
        .backend()
        .record(many(1_000).as_array().unwrap().clone())
        .await;
    assert_eq!(all, vec!["ACCEPTED"; 1_000]);
}

async fn an_id_belongs_to_its_source(app: &TestApp) {
    let world = World::new(app).await;
    world.members(&["ada"]).await;
    let from = |source: &str| event("e1", "ada", NOON).set("source", json!(source));
    let statuses = record(
        &world,
        [
            from("app"),
            from("web"),
            event("e1", "ada", NOON),
            from("default"),
        ],
    )
    .await;
    assert_eq!(statuses, ["ACCEPTED", "ACCEPTED", "ACCEPTED", "DUPLICATE"]);
}
