//! Campaigns as administrators set them up, look at them, and read what became of them.

mod mail;
mod messages;
mod unsubscribe;

use serde_json::{Value, json};

use crate::harness::{TestApp, World, campaign_input, event};

on_both!(
    a_campaign_is_created_and_shown_as_it_was_said,
    what_is_left_out_of_a_campaign_is_what_the_schema_says,
    a_campaign_that_cannot_be_is_refused_with_its_path,
    a_change_leaves_what_it_does_not_name_and_counts_a_version,
    a_schedule_is_due_by_the_zone_of_the_employer_and_not_while_paused,
    an_archived_campaign_is_over_for_good,
    a_preview_shows_what_a_message_would_say,
    a_sensitive_preview_keeps_its_occasion_to_itself,
    a_cap_over_all_campaigns_is_set_and_lifted,
    a_funnel_counts_what_became_of_messages,
    a_sensitive_funnel_keeps_small_counts_back,
    the_funnel_is_withheld_as_long_as_it_would_tell_of_few,
);

const SHOWN: &str = "key name version subject neutralSubject text html category transactional
    contentSource { url timeoutSeconds } cap { atMost per over } quietHours { from to }
    until { eventType where { path op value } } conversionWindow heldOutPercent timeToLive
    schedule { cron segment { did { eventType } within engaged } nextRunAt } program { key } pausedAt archivedAt";

async fn shown(world: &World<'_>, key: &str) -> Value {
    let query = format!("query($key: String!) {{ campaign(key: $key) {{ {SHOWN} }} }}");
    world.admin().data(&query, json!({"key": key})).await["campaign"].clone()
}

async fn a_campaign_is_created_and_shown_as_it_was_said(app: &TestApp) {
    let world = World::new(app).await;
    let said = json!({
        "program": "wellbeing", "subject": "Hello {{ member.attributes.name }}", "neutralSubject": "News", "text": "Hi",
        "html": "<p>Hi</p>", "contentSource": {"url": "https://content.example/mail", "timeout": "PT5S"}, "category": "invitations",
        "cap": {"atMost": 2, "per": "WEEK", "over": "DEFER"}, "quietHours": {"from": "21:00", "to": "08:00"},
        "until": {"eventType": "registration.completed"}, "conversionWindow": "P14D", "heldOutPercent": 10, "timeToLive": "P2D",
        "schedule": {"cron": "0 * * * *", "segment": {"did": {"eventType": "order.completed"}, "within": "PT1H", "engaged": false}},
    });
    world.campaign("invite", said).await;
    assert_eq!(
        shown(&world, "invite").await,
        json!({
            "key": "invite", "name": "Name of invite", "version": 1, "subject": "Hello {{ member.attributes.name }}",
            "neutralSubject": "News", "text": "Hi", "html": "<p>Hi</p>", "category": "invitations", "transactional": false,
            "contentSource": {"url": "https://content.example/mail", "timeoutSeconds": 5.0},
            "cap": {"atMost": 2, "per": "WEEK", "over": "DEFER"}, "quietHours": {"from": "21:00", "to": "08:00"},
            "until": {"eventType": "registration.completed", "where": []}, "conversionWindow": "P14D", "heldOutPercent": 10,
            "timeToLive": "P2D",
            "schedule": {"cron": "0 * * * *", "nextRunAt": "2026-11-21T13:00:00Z",
                "segment": {"did": {"eventType": "order.completed"}, "within": "PT1H", "engaged": false}},
            "program": {"key": "wellbeing"}, "pausedAt": null, "archivedAt": null,
        })
    );
    let listed = world
        .admin()
        .data("{ campaigns { nodes { id key } } }", json!({}))
        .await;
    assert_eq!(listed["campaigns"]["nodes"][0]["key"], "invite");
    let id = listed["campaigns"]["nodes"][0]["id"].clone();
    let query = "query($id: ID!) { node(id: $id) { ... on Campaign { key } } }";
    let node = world.admin().data(query, json!({"id": id})).await;
    assert_eq!(node["node"], json!({"key": "invite"}));
    let globex = World::named(app, "globex", "tent").await;
    let node = globex.admin().data(query, json!({"id": id})).await;
    assert_eq!(node["node"], Value::Null);
    assert_eq!(shown(&globex, "invite").await, Value::Null);
}

async fn what_is_left_out_of_a_campaign_is_what_the_schema_says(app: &TestApp) {
    let world = World::new(app).await;
    let nothing = json!({"cap": null, "category": null, "transactional": null, "timeToLive": null, "heldOutPercent": null});
    world.campaign("plain", nothing).await;
    let campaign = shown(&world, "plain").await;
    for (field, value) in [
        ("category", json!("marketing")),
        ("transactional", json!(false)),
        ("conversionWindow", json!("P7D")),
        ("heldOutPercent", json!(0)),
        ("timeToLive", json!("P1D")),
        ("cap", Value::Null),
        ("quietHours", Value::Null),
        ("contentSource", Value::Null),
        ("until", Value::Null),
        ("schedule", Value::Null),
        ("program", Value::Null),
    ] {
        assert_eq!(campaign[field], value, "{field}");
    }
}

async fn a_campaign_that_cannot_be_is_refused_with_its_path(app: &TestApp) {
    let world = World::new(app).await;
    world.campaign("taken", json!({})).await;
    let segment = |did: &str| json!({"did": {"eventType": did}, "within": "PT1H"});
    let before = app.row_counts().await;
    for (with, path) in [
        (json!({"key": "A b"}), "key"),
        (json!({"key": "taken"}), "key"),
        (json!({"name": " "}), "name"),
        (json!({"subject": "{{ member. }}"}), "subject"),
        (json!({"subject": " "}), "subject"),
        (json!({"text": "{{ secret.key }}"}), "text"),
        (json!({"html": "{% include \"x\" %}"}), "html"),
        (json!({"neutralSubject": "{{ event.type }}"}), "neutralSubject"),
        (json!({"category": "a b"}), "category"),
        (
            json!({"contentSource": {"url": "ftp://content.example/"}}),
            "contentSource.url",
        ),
        (
            json!({"contentSource": {"url": "https://content.example/", "timeout": "PT11S"}}),
            "contentSource.timeout",
        ),
        (json!({"cap": {"atMost": 0, "per": "DAY"}}), "cap.atMost"),
        (json!({"cap": {"atMost": 1001, "per": "DAY"}}), "cap.atMost"),
        (
            json!({"quietHours": {"from": "9:00", "to": "10:00"}}),
            "quietHours",
        ),
        (
            json!({"quietHours": {"from": "09:00", "to": "09:00"}}),
            "quietHours",
        ),
        (json!({"until": {"eventType": "never.heard"}}), "until.eventType"),
        (
            json!({"until": {"eventType": "birth.reported"}}),
            "until.eventType",
        ),
        (json!({"timeToLive": "PT59S"}), "timeToLive"),
        (json!({"timeToLive": "P91D"}), "timeToLive"),
        (json!({"conversionWindow": "P91D"}), "conversionWindow"),
        (json!({"heldOutPercent": 91}), "heldOutPercent"),
        (
            json!({"transactional": true, "heldOutPercent": 1}),
            "heldOutPercent",
        ),
        (json!({"program": "missing"}), "program"),
        (
            json!({"schedule": {"cron": "* * * * *", "segment": segment("order.completed")}}),
            "schedule.cron",
        ),
        (
            json!({"schedule": {"cron": "0 9 * * *", "segment": segment("never.heard")}}),
            "schedule.segment.did.eventType",
        ),
        (
            json!({"transactional": true, "schedule": {"cron": "0 9 * * *", "segment": segment("order.completed")}}),
            "schedule",
        ),
    ] {
        let input = campaign_input("new", with.clone());
        let (_, found) = world
            .admin()
            .fault("createCampaign", input, "campaign { id }")
            .await;
        assert_eq!(found, path, "{with}");
    }
    assert_eq!(app.row_counts().await, before);
}

async fn a_change_leaves_what_it_does_not_name_and_counts_a_version(app: &TestApp) {
    let world = World::new(app).await;
    world
        .campaign("news", json!({"html": "<p>Hi</p>", "cap": {"atMost": 1, "per": "DAY"}, "quietHours": {"from": "21:00", "to": "08:00"}}))
        .await;
    let before = shown(&world, "news").await;
    let admin = world.admin();
    let change = json!({"campaign": "news", "subject": "Hello again", "html": null, "cap": {"atMost": 3, "per": "MONTH"}});
    admin.change("updateCampaign", change, "campaign { id }").await;
    let after = shown(&world, "news").await;
    let expected = {
        let mut expected = before.clone();
        expected["version"] = json!(2);
        expected["subject"] = json!("Hello again");
        expected["html"] = Value::Null;
        expected["cap"] = json!({"atMost": 3, "per": "MONTH", "over": "DROP"});
        expected
    };
    assert_eq!(after, expected);
    let refused = json!({"campaign": "news", "text": "{{ secret }}"});
    let fault = admin.fault("updateCampaign", refused, "campaign { id }").await;
    assert_eq!(fault, ("INVALID_INPUT".to_owned(), "text".to_owned()));
    assert_eq!(shown(&world, "news").await, after);
}

async fn a_schedule_is_due_by_the_zone_of_the_employer_and_not_while_paused(app: &TestApp) {
    let world = World::new(app).await;
    let segment = json!({"did": {"eventType": "order.completed"}, "within": "P1D"});
    world
        .campaign(
            "daily",
            json!({"schedule": {"cron": "30 9 * * *", "segment": segment}}),
        )
        .await;
    let next = async || shown(&world, "daily").await["schedule"]["nextRunAt"].clone();
    assert_eq!(next().await, json!("2026-11-22T09:30:00Z"));
    let key = json!({"campaign": "daily"});
    let admin = world.admin();
    admin
        .change("pauseCampaign", key.clone(), "campaign { pausedAt }")
        .await;
    assert_eq!(next().await, Value::Null);
    app.set_clock("2026-11-25T10:00:00Z");
    let admin = world.admin();
    assert_eq!(
        admin
            .fault("pauseCampaign", key.clone(), "campaign { id }")
            .await
            .0,
        "INVALID_STATE"
    );
    admin
        .change("resumeCampaign", key.clone(), "campaign { pausedAt }")
        .await;
    assert_eq!(next().await, json!("2026-11-26T09:30:00Z"));
    assert_eq!(
        admin.fault("resumeCampaign", key, "campaign { id }").await.0,
        "INVALID_STATE"
    );
}

async fn an_archived_campaign_is_over_for_good(app: &TestApp) {
    let world = World::new(app).await;
    world.campaign("old", json!({})).await;
    let (admin, key) = (world.admin(), json!({"campaign": "old"}));
    let archived = admin
        .change("archiveCampaign", key.clone(), "campaign { archivedAt }")
        .await;
    assert_eq!(archived["campaign"]["archivedAt"], json!("2026-11-21T12:00:00Z"));
    for mutation in [
        "archiveCampaign",
        "pauseCampaign",
        "resumeCampaign",
        "updateCampaign",
    ] {
        let fault = admin.fault(mutation, key.clone(), "campaign { id }").await;
        assert_eq!(
            fault,
            ("INVALID_STATE".to_owned(), "campaign".to_owned()),
            "{mutation}"
        );
    }
}

const PREVIEW: &str = "query($input: PreviewCampaignInput!) { previewCampaign(input: $input) {
    subject text html userErrors { code path message } } }";

async fn preview(world: &World<'_>, input: Value) -> Value {
    let data = world.admin().data(PREVIEW, json!({"input": input})).await;
    data["previewCampaign"].clone()
}

async fn a_preview_shows_what_a_message_would_say(app: &TestApp) {
    let world = World::new(app).await;
    world
        .campaign("hello", json!({"subject": "Hello {{ member.attributes.name }}", "html": "<p>{{ event.properties.what }}</p>"}))
        .await;
    let before = app.row_counts().await;
    let sample = json!({"member": {"attributes": {"name": "Ada"}}, "event": {"properties": {"what": "<b>"}}});
    let shown = preview(
        &world,
        json!({"campaign": "hello", "sample": sample, "text": "For {{ member.attributes.name }}"}),
    )
    .await;
    assert_eq!(shown["userErrors"], json!([]));
    assert_eq!(shown["subject"], "Hello Ada");
    assert!(shown["text"].as_str().unwrap().starts_with("For Ada"), "{shown}");
    assert!(
        shown["html"].as_str().unwrap().contains("<p>&lt;b&gt;</p>"),
        "{shown}"
    );
    for part in ["text", "html"] {
        assert!(
            shown[part]
                .as_str()
                .unwrap()
                .contains("http://plaudit.test/unsubscribe/"),
            "{shown}"
        );
    }
    for (input, path) in [
        (json!({}), "subject"),
        (json!({"subject": "a", "text": "{{ secret }}"}), "text"),
        (json!({"campaign": "missing"}), "campaign"),
        (json!({"campaign": "hello", "sample": {"secret": 1}}), "sample"),
        (json!({"campaign": "hello", "sample": [1]}), "sample"),
    ] {
        let refused = preview(&world, input.clone()).await;
        assert_eq!(refused["userErrors"][0]["path"], json!([path]), "{input}");
        assert_eq!(refused["subject"], Value::Null);
    }
    assert_eq!(app.row_counts().await, before);
}

async fn a_sensitive_preview_keeps_its_occasion_to_itself(app: &TestApp) {
    let world = World::new(app).await;
    world
        .campaign("baby", json!({"subject": "A gift for {{ event.properties.what }}", "text": "A gift for {{ event.properties.what }}"}))
        .await;
    let sample = json!({"event": {"properties": {"what": "twins"}}});
    let shown = preview(
        &world,
        json!({"campaign": "baby", "sample": sample, "sensitive": true}),
    )
    .await;
    assert_eq!(shown["subject"], "A message from acme");
    let text = shown["text"].as_str().unwrap();
    let beginning: String = text.chars().take(200).collect();
    assert!(
        !beginning.contains("gift") && text.contains("A gift for twins"),
        "{text}"
    );
}

async fn a_cap_over_all_campaigns_is_set_and_lifted(app: &TestApp) {
    let world = World::new(app).await;
    let admin = world.admin();
    let cap = "employer { messageCap { atMost per } }";
    let set = admin
        .change("setMessageCap", json!({"atMost": 5, "per": "WEEK"}), cap)
        .await;
    assert_eq!(set["employer"]["messageCap"], json!({"atMost": 5, "per": "WEEK"}));
    let lifted = admin.change("setMessageCap", json!({}), cap).await;
    assert_eq!(lifted["employer"]["messageCap"], Value::Null);
    for (input, path) in [
        (json!({"atMost": 5}), "per"),
        (json!({"per": "DAY"}), "atMost"),
        (json!({"atMost": 0, "per": "DAY"}), "atMost"),
    ] {
        assert_eq!(admin.fault("setMessageCap", input, cap).await.1, path);
    }
}

const FUNNEL: &str = "query($key: String!) { campaign(key: $key) { funnel { withheld triggered members pending sent unknown failed
    heldOut convertedOfSent convertedOfHeldOut dropped { reason count } } } }";

async fn funnel(world: &World<'_>, key: &str) -> Value {
    let data = world.admin().data(FUNNEL, json!({"key": key})).await;
    data["campaign"]["funnel"].clone()
}

/// An employer whose campaign "thanks" has written to these members, once for each event of this type.
async fn thanking<'a>(app: &'a TestApp, event_type: &str, members: &[&str]) -> World<'a> {
    let world = World::new(app).await;
    world.campaign("thanks", json!({})).await;
    world.sends("thanks", event_type).await;
    world.members(members).await;
    let events = members
        .iter()
        .enumerate()
        .map(|(number, member)| event(&format!("e{number}"), member, "2026-11-21T10:00:00Z").of(event_type));
    world.did(events).await;
    world
}

async fn a_funnel_counts_what_became_of_messages(app: &TestApp) {
    let members = ["ada", "bob", "cyd", "dan", "eve"];
    let world = thanking(app, "meditation.completed", &members).await;
    for (member, state, reason) in [
        ("ada", "SENT", None),
        ("bob", "SENT", None),
        ("cyd", "DROPPED", Some("HELD_OUT")),
        ("dan", "DROPPED", Some("NO_CONSENT")),
    ] {
        let id = world.messages_of(member).await[0].id;
        world.settled(id, state, reason).await;
    }
    app.sql("UPDATE message SET converted_at = settled_at WHERE reason = 'HELD_OUT'")
        .await
        .unwrap();
    assert_eq!(
        funnel(&world, "thanks").await,
        json!({
            "withheld": false, "triggered": 5, "members": 5, "pending": 1, "sent": 2, "unknown": 0, "failed": 0, "heldOut": 1,
            "convertedOfSent": 0, "convertedOfHeldOut": 1, "dropped": [{"reason": "NO_CONSENT", "count": 1}],
        })
    );
}

async fn a_sensitive_funnel_keeps_small_counts_back(app: &TestApp) {
    let world = thanking(app, "birth.reported", &["ada", "bob"]).await;
    let id = world.messages_of("ada").await[0].id;
    world.settled(id, "DROPPED", Some("NO_CONSENT")).await;
    assert_eq!(
        funnel(&world, "thanks").await,
        json!({
            "withheld": true, "triggered": null, "members": null, "pending": null, "sent": null, "unknown": null, "failed": null,
            "heldOut": null, "convertedOfSent": null, "convertedOfHeldOut": null, "dropped": [{"reason": "NO_CONSENT", "count": null}],
        })
    );
}

async fn the_funnel_is_withheld_as_long_as_it_would_tell_of_few(app: &TestApp) {
    let members: Vec<String> = (0..12).map(|number| format!("member-{number}")).collect();
    let members: Vec<&str> = members.iter().map(String::as_str).collect();
    let world = thanking(app, "birth.reported", &members).await;
    let all = funnel(&world, "thanks").await;
    assert_eq!((&all["triggered"], &all["pending"]), (&json!(12), &json!(12)));
    let id = world.messages_of("member-3").await[0].id;
    world.settled(id, "SENT", None).await;
    let one = funnel(&world, "thanks").await;
    assert_eq!(
        (&one["triggered"], &one["members"], &one["pending"], &one["sent"]),
        (&Value::Null, &Value::Null, &json!(11), &Value::Null)
    );
}
