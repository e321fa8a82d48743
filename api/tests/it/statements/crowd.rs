//! Some of everything that can be listed, and more of it.

use api::auth::viewer::Party;
use chrono::TimeDelta;
use entity::message;
use serde_json::{Value, json};

use super::dry_run;
use crate::harness::{Caller, Receiver, TestApp, World, event, incentive_input};

/// An installation that has so many of everything.
pub struct Crowd<'a> {
    pub world: World<'a>,
    receiver: Receiver,
    endpoint: Value,
    size: usize,
}

impl<'a> Crowd<'a> {
    pub async fn new(app: &'a TestApp) -> Self {
        // Of the dead.
        app.leave_failures();
        let world = World::new(app).await;
        // What happens from then on is in it.
        world
            .backend()
            .data("{ memberActivity { hasMore } }", json!({}))
            .await;
        world.program(json!({"key": "steady"})).await;
        let mut steady = incentive_input(
            "steady",
            "meditation.completed",
            json!({"immediate": true}),
            json!({"once": true}),
        );
        steady["program"] = json!("steady");
        world.incentive(steady).await;
        world.members(&["ada"]).await;
        let kept = json!({"key": "kept", "name": "kept", "retention": "P30D"});
        world
            .admin()
            .change("createEventType", kept, "eventType { key }")
            .await;
        Self {
            world,
            receiver: Receiver::start().await,
            endpoint: Value::Null,
            size: 0,
        }
    }

    /// What the documents take.
    pub fn variables(&self) -> Value {
        json!({"endpoint": self.endpoint, "dryRun": dry_run(self.size)})
    }

    /// Lets there be so many of everything.
    pub async fn grow(&mut self, size: usize) {
        for index in self.size..size {
            // No two versions of an incentive are of one instant.
            self.world.app.pass(TimeDelta::seconds(1));
            self.set_up(index).await;
            self.happen(index).await;
        }
        self.size = size;
    }

    async fn set_up(&mut self, index: usize) {
        let (world, operator, admin) = (&self.world, self.world.app.operator(), self.world.admin());
        let (partner, program) = (format!("partner-{index}"), format!("program-{index}"));
        let make = async |caller: &Caller<'_>, mutation: &str, input: Value| {
            caller.change(mutation, input, "userErrors { code }").await;
        };
        make(
            &operator,
            "createPartner",
            json!({"key": partner, "name": partner}),
        )
        .await;
        let employer = format!("employer-{index}");
        make(
            &operator,
            "createEmployer",
            json!({"key": employer, "name": employer}),
        )
        .await;
        let of_employer = json!({"name": "One", "employer": employer, "scopes": ["events:write"]});
        make(&operator, "createClient", of_employer).await;
        let of_partner = json!({"name": "One", "partner": partner, "scopes": ["feed:read"]});
        make(&operator, "createClient", of_partner).await;
        world.program(json!({"key": program})).await;
        let grants = json!({"partner": partner, "programs": ["wellbeing", program]});
        make(&admin, "grantPartner", grants).await;
        let event_type = json!({"key": format!("type-{index}"), "name": "One"});
        make(&admin, "createEventType", event_type).await;
        let boost = json!({"program": "wellbeing", "key": format!("boost-{index}"), "name": "Double", "multiplier": "2",
            "startsOn": "2026-12-01", "endsOn": "2026-12-31"});
        make(&admin, "createBoost", boost).await;
        let levels = json!({"program": program, "window": "MONTH", "levels": [{"key": "bronze", "name": "Bronze", "atLeast": 100}]});
        make(&admin, "setLevels", levels).await;
        for program in ["wellbeing", &program] {
            let mut incentive = incentive_input(
                &format!("{program}-{index}"),
                "meditation.completed",
                json!({"immediate": true}),
                json!({"unlimited": true}),
            );
            incentive["program"] = json!(program);
            incentive["outcomes"] = json!([
                {"achievement": {"title": "Calm"}}, {"points": {"amount": 5, "category": format!("points-{index}")}},
            ]);
            world.incentive(incentive).await;
            world
                .reward(json!({"program": program, "key": format!("{program}-{index}"), "price": 0, "fulfilledBy": partner}))
                .await;
        }
        world
            .reward(json!({"program": "wellbeing", "key": format!("spa-{index}"), "price": 0, "fulfilledBy": "spa"}))
            .await;
        let version = json!({"incentive": "steady", "progress": "KEEP", "trigger": {"eventType": "meditation.completed"},
            "structure": {"immediate": true}, "limit": {"once": true}, "outcomes": [{"achievement": {"title": "Calm"}}]});
        make(&admin, "publishIncentive", version).await;
        let campaign = format!("campaign-{index}");
        world.campaign(&campaign, json!({"program": program})).await;
        world.sends(&campaign, "meditation.completed").await;
        let spa = world
            .app
            .by(Party::Partner(world.partner), "feed:read webhooks:write");
        let endpoint = spa
            .change(
                "createWebhookEndpoint",
                json!({"url": self.receiver.url()}),
                "endpoint { id }",
            )
            .await;
        if index == 0 {
            self.endpoint = endpoint["endpoint"]["id"].clone();
        }
    }

    async fn happen(&self, index: usize) {
        let world = &self.world;
        let member = format!("member-{index}");
        world.members(&[&member]).await;
        let word =
            json!({"purpose": "PARTNER_SHARING", "given": true, "partner": format!("partner-{index}")});
        world
            .register(vec![json!({"externalId": "ada", "consents": [word]})])
            .await;
        let at = format!("2026-11-20T10:{index:02}:00Z");
        let kept = event(&format!("kept-{index}"), "ada", &at).of("kept");
        let did = ["ada", &member].map(|who| event(&format!("{who}-{index}"), who, &at));
        world.did(did.into_iter().chain([kept])).await;
        for reward in ["wellbeing", "spa"] {
            let reward = format!("{reward}-{index}");
            for who in ["ada", &member] {
                world.redeemed(who, &reward, &format!("{who}-{reward}")).await;
            }
        }
        let late = event(&format!("late-{index}"), "ada", "2026-01-01T10:00:00Z");
        world
            .backend()
            .record([late.of(&format!("type-{index}")).into()])
            .await;
        world.app.deliver().await;
        let messages = world.messages_of(&member).await;
        for message in messages {
            let message: message::Model = message;
            world.settled(message.id, "UNKNOWN", None).await;
        }
        let queued = event(&format!("dead-{index}"), "ada", &at);
        world.backend().record([queued.into()]).await;
        let died = "INSERT INTO dead_event (employer_id, id, member_id, event_type_id, source, event_id, occurred_at, received_at,
                local_time, time_zone, zone_origin, properties, only_incentive_id, attempts, reason, died_at)
             SELECT employer_id, id, member_id, event_type_id, source, event_id, occurred_at, received_at, local_time,
                time_zone, zone_origin, properties, only_incentive_id, 5, 'a reason', received_at FROM event";
        for sql in [died, "DELETE FROM event"] {
            world.app.sql(sql).await.unwrap();
        }
    }
}
