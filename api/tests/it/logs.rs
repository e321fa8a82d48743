//! No word of a member reaches a log or somebody else's answer, whatever went right or wrong.

mod canaries;

use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::harness::{TestApp, World, event, incentive_input};

on_both!(nothing_of_a_member_is_logged_or_told_to_others);

/// Everything that is logged, in memory.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn text(&self) -> String {
        let bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        String::from_utf8(bytes).unwrap()
    }
}

/// Captures everything that is logged as long as the guard lives: the test runs on this thread alone, and so does all that it starts.
fn captured() -> (Log, tracing::subscriber::DefaultGuard) {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(
            "warn,api=trace,jobs=trace,entity=trace,migration=trace,sea_orm=debug,sqlx=debug",
        ))
        .with_writer(log.clone())
        .with_ansi(false)
        .finish();
    let guard = tracing::subscriber::set_default(subscriber);
    (log, guard)
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// Words that stand nowhere but in what is sent of members.
const CANARIES: [&str; 9] = [
    "canary-external",
    "canary-email",
    "canary-attribute",
    "canary-name",
    "canary-property",
    "canary-key",
    "canary-event",
    "canary-source",
    "canary-unknown",
];

async fn nothing_of_a_member_is_logged_or_told_to_others(app: &TestApp) {
    let (log, _guard) = captured();
    let world = World::new(app).await;
    world
        .incentive(incentive_input(
            "each",
            "meditation.completed",
            json!({"immediate": true}),
            json!({"unlimited": true}),
        ))
        .await;
    world
        .register(vec![
            json!({
                "externalId": "canary-external", "email": "canary-email@example.org",
                "attributes": {"canary-name": "canary-attribute"},
            }),
            json!({"externalId": "canary-external-2", "email": "canary-email", "timeZone": "canary-unknown"}),
            json!({"externalId": "canary-external-3", "consents": [{"purpose": "EMAIL", "partner": "canary-unknown", "given": true}]}),
        ])
        .await;
    let sent = |id: &str| {
        event(id, "canary-external", "2026-11-21T10:00:00Z")
            .set("source", json!("canary-source"))
            .set(
                "properties",
                json!({"canary-key": "canary-property", "minutes": 7}),
            )
    };
    let events = [
        sent("canary-event-1"),
        sent("canary-event-1"),
        sent("canary-event-1").of("order.completed"),
        sent("canary-event-2").set("properties", json!({"minutes": "canary-property"})),
        sent("canary-event-3").set("member", json!("canary-unknown")),
        sent("canary-event-4").of("canary-unknown"),
        sent("canary-event-5").set("occurredAt", json!("canary-unknown")),
        sent("canary-event-6"),
    ];
    world.backend().record(events.map(Value::from)).await;
    // One that fails in the evaluator, and one that the database refuses.
    app.sql("UPDATE event SET properties = 'canary-property' WHERE event_id = 'canary-event-6'")
        .await
        .unwrap();
    app.leave_failures();
    for _ in 0..6 {
        app.run_jobs().await;
        app.pass(chrono::TimeDelta::minutes(1));
    }
    app.sql("UPDATE progress SET state = 'canary-property'")
        .await
        .unwrap();
    world.backend().record([sent("canary-event-7").into()]).await;
    app.run_jobs().await;
    world
        .backend()
        .ask("{ member(externalId: \"canary-unknown\") { canary } }", json!({}))
        .await;
    world
        .backend()
        .ask(
            "{ member(externalId: $canary) { id } }",
            json!({"canary": "canary-external"}),
        )
        .await;

    let queries = [
        (
            app.operator(),
            "{ deadEvents { nodes { id eventType incentive reason } } }",
        ),
        (
            app.operator(),
            "{ employers { nodes { key refusedEvents { eventType code } } } }",
        ),
        (
            world.partner(),
            "{ feed { entries { id cursor achievement { id memberRef title member { externalId } } } } }",
        ),
        (
            world.by("programs:read"),
            "{ employer { refusedEvents { eventType code } } }",
        ),
        (app.anonymous(), "{ member(externalId: \"x\") { id } }"),
    ];
    for (caller, query) in queries {
        let answer = caller.ask(query, json!({})).await;
        for canary in CANARIES {
            assert!(
                !answer.text.contains(canary),
                "{query} tells {canary}: {}",
                answer.text
            );
        }
    }
    let text = log.text();
    assert!(
        text.contains("an incentive could not judge a member"),
        "nothing was captured: {text}"
    );
    for canary in CANARIES {
        let line = text.lines().find(|line| line.contains(canary));
        assert_eq!(line, None, "{canary} was logged");
    }
    let token = world.backend().token().unwrap().to_owned();
    assert!(
        !text.contains(token.split('.').next().unwrap()),
        "a token was logged"
    );
}
