//! An employer with members, a program whose incentives count every event, and a partner that learns of all of it.

use std::net::SocketAddr;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use entity::clock::Clock;
use serde_json::{Value, json};

use super::database::Database;
use super::graphql::Api;
use super::plaudit::token;

/// What was set up, and tokens to use it.
pub struct Setting {
    /// The operator's token.
    pub operator: String,
    /// A token of the employer with every scope it needs.
    pub employer: String,
    /// A token of the partner.
    pub partner: String,
    /// The instant at which it was set up, from which the events count back.
    pub now: DateTime<Utc>,
}

/// The event type of every event here.
pub const EVENT: &str = "meditation.completed";
/// The incentive that is earned once for each event.
pub const EVERY: &str = "every-event";
/// The incentive that is earned once by each member who has events on five days in a row.
pub const STREAK: &str = "five-days";

impl Setting {
    /// Sets it up over the API at `address`; the members are `m0`, `m1` and so on.
    pub async fn new(database: &Database, address: SocketAddr, members: usize) -> Self {
        let operator = token(database, &["--scope", "operator"]).await;
        let api = Api::new(address, &operator);
        api.mutate(
            "createEmployer",
            "employer { key }",
            &json!({"key": "acme", "name": "Acme", "consentDefaults": {"partnerSharing": true}}),
        )
        .await;
        api.mutate(
            "createPartner",
            "partner { key }",
            &json!({"key": "pillow", "name": "Pillow"}),
        )
        .await;
        api.mutate(
            "createProgram",
            "program { key }",
            &json!({"employer": "acme", "key": "calm", "name": "Calm"}),
        )
        .await;
        for (key, structure, limit) in [
            (EVERY, json!({"immediate": true}), json!({"unlimited": true})),
            (STREAK, json!({"streak": {"length": 5}}), json!({"once": true})),
        ] {
            let incentive = json!({
                "employer": "acme", "program": "calm", "key": key, "name": key, "trigger": {"eventType": EVENT},
                "structure": structure, "limit": limit, "outcomes": [{"achievement": {"title": key}}],
            });
            api.mutate("createIncentive", "incentive { key }", &incentive)
                .await;
        }
        let calm = json!({"employer": "acme", "program": "calm"});
        api.mutate("activateProgram", "program { state }", &calm).await;
        let grant = json!({"employer": "acme", "partner": "pillow", "programs": ["calm"]});
        api.mutate("grantPartner", "grants { program }", &grant).await;
        let members: Vec<Value> = (0..members)
            .map(|n| json!({"externalId": format!("m{n}")}))
            .collect();
        api.mutate(
            "registerMembers",
            "results { status }",
            &json!({"employer": "acme", "members": members}),
        )
        .await;
        let scopes = "events:write achievements:read members:read programs:read";
        Self {
            employer: token(database, &["--employer", "acme", "--scope", scopes]).await,
            partner: token(database, &["--partner", "pillow", "--scope", "feed:read"]).await,
            operator,
            now: Clock::system().now(),
        }
    }

    /// An event of a member, so many days ago.
    pub fn event(&self, id: &str, member: &str, days_ago: i64) -> Value {
        let at = self
            .now
            .checked_sub_signed(TimeDelta::days(days_ago))
            .expect("a day of this age");
        json!({
            "id": id, "member": member, "type": EVENT,
            "occurredAt": at.to_rfc3339_opts(SecondsFormat::Micros, true), "properties": {"minutes": 10},
        })
    }
}

/// Sends events through GraphQL: the statuses, or nothing where no good answer came and they are to be sent again.
pub async fn record(api: &Api, events: &[Value]) -> Option<Vec<String>> {
    let query = "mutation ($input: RecordEventsInput!) {
        recordEvents(input: $input) { results { status error { code message } } userErrors { code message } }
    }";
    let answer = api.try_post(query, &json!({"input": {"events": events}})).await;
    let (status, answer) = answer.ok()?;
    if status == 503 {
        return None;
    }
    // A failed resolver leaves an answer of 200 with an error that says to try again.
    if super::graphql::code(&answer) == "UNAVAILABLE" {
        return None;
    }
    assert_eq!((status, &answer["errors"]), (200, &Value::Null), "{answer}");
    Some(statuses(&answer["data"]["recordEvents"]["results"], &answer))
}

/// Takes events back; each one's status. None where no good answer came: then it may be sent again.
pub async fn retract(api: &Api, ids: &[String]) -> Option<Vec<String>> {
    let query = "mutation ($input: RetractEventsInput!) {
        retractEvents(input: $input) { results { status error { code message } } userErrors { code message } }
    }";
    let events: Vec<Value> = ids.iter().map(|id| json!({"id": id})).collect();
    let answer = api.try_post(query, &json!({"input": {"events": events}})).await;
    let (status, answer) = answer.ok()?;
    if status == 503 || super::graphql::code(&answer) == "UNAVAILABLE" {
        return None;
    }
    assert_eq!((status, &answer["errors"]), (200, &Value::Null), "{answer}");
    Some(statuses(&answer["data"]["retractEvents"]["results"], &answer))
}

/// The same through the door for CloudEvents.
pub async fn record_cloud_events(api: &Api, events: &[Value]) -> Option<Vec<String>> {
    let cloud = |event: &Value| {
        json!({
            "specversion": "1.0", "source": "default", "id": event["id"], "type": event["type"],
            "subject": event["member"], "time": event["occurredAt"],
            "datacontenttype": "application/json", "data": event["properties"],
        })
    };
    let events: Vec<Value> = events.iter().map(cloud).collect();
    let answer = api
        .http
        .post(format!("http://{}/events", api.address))
        .bearer_auth(&api.token)
        .header("content-type", "application/cloudevents-batch+json")
        .body(Value::from(events).to_string())
        .send()
        .await
        .ok()?;
    let status = answer.status().as_u16();
    let body: Value = answer.json().await.ok()?;
    if status == 503 {
        return None;
    }
    assert_eq!(status, 202, "{body}");
    Some(statuses(&body["results"], &body))
}

fn statuses(results: &Value, answer: &Value) -> Vec<String> {
    let results = results
        .as_array()
        .unwrap_or_else(|| panic!("no results: {answer}"));
    let text = |result: &Value| result["status"].as_str().expect("a status").to_owned();
    results.iter().map(text).collect()
}
