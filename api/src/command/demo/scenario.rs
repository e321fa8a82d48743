//! Five days in the lives of five members, told as it happens.

use std::time::Duration;

use anyhow::{Context, bail, ensure};
use chrono::{DateTime, Days, NaiveDate, NaiveTime, TimeZone, Utc};
use chrono_tz::Tz;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::Clients;
use super::client::Api;
use crate::command::print;

/// An achievement that has not reached the partner by then is missing.
const ARRIVES_WITHIN: Duration = Duration::from_secs(10);
/// Quiet for so long means that nothing more is coming.
const QUIET_FOR: Duration = Duration::from_millis(1_500);

/// A member of the demo.
struct Person {
    id: &'static str,
    name: &'static str,
    zone: Tz,
}

const ANNA: Person = Person {
    id: "anna",
    name: "Anna, Berlin",
    zone: Tz::Europe__Berlin,
};
const KENJI: Person = Person {
    id: "kenji",
    name: "Kenji, Tokyo",
    zone: Tz::Asia__Tokyo,
};
const MARIA: Person = Person {
    id: "maria",
    name: "Maria, Los Angeles",
    zone: Tz::America__Los_Angeles,
};
const NOAH: Person = Person {
    id: "noah",
    name: "Noah, Auckland",
    zone: Tz::Pacific__Auckland,
};
const LENA: Person = Person {
    id: "lena",
    name: "Lena, Kolkata",
    zone: Tz::Asia__Kolkata,
};

/// The stage: who is connected, and what day it is.
struct Stage<'a> {
    api: &'a Api,
    mobile: String,
    feed: mpsc::Receiver<Value>,
    /// The fifth of the five days: yesterday, wherever on earth.
    last_day: NaiveDate,
    received: Vec<String>,
}

/// Plays the scenario; an error when an expected achievement does not arrive, or one does that should not.
pub async fn play(api: &Api, clients: &Clients, now: DateTime<Utc>) -> anyhow::Result<()> {
    let mobile = api
        .token(&clients.mobile)
        .await
        .context("the mobile backend got no token")?;
    let partner = api
        .token(&clients.partner)
        .await
        .context("the partner got no token")?;
    let feed = api.follow_feed(&partner).await?;
    // Noon of that day has passed in every zone of the world.
    let last_day = now
        .date_naive()
        .checked_sub_days(Days::new(2))
        .context("a day before today")?;
    let mut stage = Stage {
        api,
        mobile,
        feed,
        last_day,
        received: Vec::new(),
    };

    let caught_up = stage.message().await?;
    ensure!(
        caught_up["__typename"] == "FeedCaughtUp",
        "the subscription did not start by catching up"
    );
    print("partner │ connected: nothing missed so far, waiting for news");
    stage.register().await?;

    print("");
    print("Kenji logs every day for five days. His phone sends one of them twice; it counts once.");
    for day in 1..=5 {
        stage.log(&KENJI, day, "ACCEPTED").await?;
    }
    stage.log(&KENJI, 5, "DUPLICATE").await?;
    stage.expect("Consistent logger").await?;

    print("");
    print("Anna logs every day too, but on the third her phone is off. It sends that day last.");
    for day in [1, 2, 4, 5] {
        stage.log(&ANNA, day, "ACCEPTED").await?;
    }
    print("        │ (four days, one missing: no achievement)");
    stage.log(&ANNA, 3, "ACCEPTED").await?;
    stage.expect("Consistent logger").await?;

    print("");
    print("Maria skips the third day: two days, then two days. Not yet.");
    for day in [1, 2, 4, 5] {
        stage.log(&MARIA, day, "ACCEPTED").await?;
    }

    print("");
    print("Noah reports a birth.");
    stage.send(&NOAH, "birth.reported", 5, "ACCEPTED").await?;
    stage.expect("Birth reported").await?;

    print("");
    print("Lena reports a pregnancy. She has said that partners are not to know.");
    stage.send(&LENA, "pregnancy.reported", 5, "ACCEPTED").await?;
    stage.expect_nothing().await?;
    stage.check().await
}

impl Stage<'_> {
    async fn register(&self) -> anyhow::Result<()> {
        let member = |person: &Person| json!({"externalId": person.id, "timeZone": person.zone.name()});
        let mut members: Vec<Value> = [ANNA, KENJI, MARIA, NOAH].iter().map(member).collect();
        members.push(json!({
            "externalId": LENA.id, "timeZone": LENA.zone.name(), "consents": [{"purpose": "PARTNER_SHARING", "given": false}]
        }));
        let payload = "results { status } userErrors { code message path }";
        self.api
            .mutate(
                &self.mobile,
                "registerMembers",
                &json!({"members": members}),
                payload,
            )
            .await?;
        print("mobile  │ registered Anna, Kenji, Maria, Noah and Lena, from Berlin to Auckland");
        Ok(())
    }

    /// The civil date of the first to fifth day.
    fn date(&self, day: u64) -> anyhow::Result<NaiveDate> {
        self.last_day
            .checked_sub_days(Days::new(5 - day))
            .context("a day of this week")
    }

    async fn log(&self, person: &Person, day: u64, expected: &str) -> anyhow::Result<()> {
        self.send(person, "health_data.logged", day, expected).await
    }

    /// Sends one event of a person, at noon where the person is, as a request of its own.
    async fn send(&self, person: &Person, event_type: &str, day: u64, expected: &str) -> anyhow::Result<()> {
        let date = self.date(day)?;
        let noon = date.and_time(NaiveTime::from_hms_opt(12, 0, 0).context("noon")?);
        let occurred_at = person
            .zone
            .from_local_datetime(&noon)
            .earliest()
            .context("noon happens every day")?;
        let event = json!({
            "id": format!("{}-{event_type}-{date}", person.id), "source": "phone", "type": event_type, "member": person.id,
            "occurredAt": occurred_at.to_rfc3339()
        });
        let payload = "results { status error { code message } } userErrors { code message path }";
        let answer = self
            .api
            .mutate(&self.mobile, "recordEvents", &json!({"events": [event]}), payload)
            .await?;
        let status = answer["results"][0]["status"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        ensure!(
            status == expected,
            "an event of {} was {status}, not {expected}: {answer}",
            person.id
        );
        let day = date.format("%a %d %b");
        print(&format!(
            "mobile  │ {:<20} {event_type:<20} {day}   {}",
            person.name,
            status.to_lowercase()
        ));
        Ok(())
    }

    async fn message(&mut self) -> anyhow::Result<Value> {
        let message = tokio::time::timeout(ARRIVES_WITHIN, self.feed.recv())
            .await
            .context("nothing reached the partner in time")?;
        message.context("the partner's subscription ended")
    }

    async fn expect(&mut self, incentive: &str) -> anyhow::Result<()> {
        let entry = self
            .message()
            .await
            .with_context(|| format!("expected: {incentive}"))?;
        let achievement = &entry["achievement"];
        let text = |value: &Value| value.as_str().unwrap_or("?").to_owned();
        let name = text(&achievement["incentive"]["name"]);
        let earned_on = text(&achievement["earnedOn"]);
        print(&format!(
            "partner │ #{} {} (\"{}\"), reached on {earned_on} by {}",
            entry["position"],
            name,
            text(&achievement["title"]),
            text(&achievement["memberRef"])
        ));
        ensure!(name == incentive, "expected {incentive}, but {name} arrived");
        self.received.push(name);
        Ok(())
    }

    async fn expect_nothing(&mut self) -> anyhow::Result<()> {
        match tokio::time::timeout(QUIET_FOR, self.feed.recv()).await {
            Err(_) => {
                print("partner │ (silence: consent decides what enters the feed)");
                Ok(())
            }
            Ok(message) => {
                bail!("the partner learned what it may not know, or lost its subscription: {message:?}")
            }
        }
    }

    /// Asks the API what it knows: everything that was earned is there, and nothing else.
    async fn check(&self) -> anyhow::Result<()> {
        ensure!(
            self.received == ["Consistent logger", "Consistent logger", "Birth reported"],
            "achievements are missing"
        );
        let query = "query($id: String!) { member(externalId: $id) {
            achievements { nodes { incentive { name } } } progress { incentive { key } current required } } }";
        for (person, expected) in [
            (ANNA, Some("Consistent logger")),
            (KENJI, Some("Consistent logger")),
            (MARIA, None),
            (NOAH, Some("Birth reported")),
            (LENA, Some("Pregnancy reported")),
        ] {
            let data = self
                .api
                .query(&self.mobile, query, json!({"id": person.id}))
                .await?;
            let nodes = data["member"]["achievements"]["nodes"]
                .as_array()
                .cloned()
                .unwrap_or_default();
            let names: Vec<&str> = nodes
                .iter()
                .filter_map(|node| node["incentive"]["name"].as_str())
                .collect();
            ensure!(
                names == expected.into_iter().collect::<Vec<_>>(),
                "{} has {names:?}, not {expected:?}",
                person.id
            );
        }
        print("");
        print(
            "Three achievements reached the partner, each once. Lena's own app knows of hers; the partner never will.",
        );
        Ok(())
    }
}
