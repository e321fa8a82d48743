//! Messages to members: the right one, once, or the reason why not.

mod sending;

use chrono::TimeDelta;
use entity::campaign::{self, CapPeriod, OverCap};
use entity::clock::Timestamp;
use entity::employer;
use entity::id::MemberId;
use entity::message::{MessageState, Model};
use entity::page::Page;
use serde_json::{Value, json};

use crate::harness::{Event, TestApp, World, event};

on_both!(
    five_sandwiches_in_an_hour_bring_one_mail_and_a_registration_none,
    whoever_earns_an_achievement_is_congratulated_in_words_of_its_own,
    nothing_of_a_sensitive_trigger_shows_in_the_subject,
    a_mail_at_night_waits_for_the_morning_of_its_member,
    what_is_decided_in_the_morning_goes_by_what_holds_in_the_morning,
    a_message_of_an_award_that_no_longer_holds_is_not_sent,
    a_deferred_message_goes_in_the_next_period_and_not_twice,
    members_without_a_word_of_consent_follow_the_default_of_their_employer,
    a_registration_that_came_before_the_campaign_stops_it_too,
    a_conversion_counts_for_the_newest_message_before_it,
    a_schedule_writes_to_whoever_bought_in_the_last_hour_and_has_not_registered,
    the_messages_of_an_erased_member_are_not_sent_and_say_nothing_of_it,
    a_customer_that_is_known_by_an_address_alone_becomes_a_member_with_it,
    two_workers_never_send_one_message_twice_nor_more_than_the_cap,
    what_a_pause_has_put_off_goes_when_the_campaign_is_resumed_and_never_when_it_is_archived,
);

/// A shop whose customers become members by what they buy, and may be mailed until they say otherwise.
async fn shop(app: &TestApp) -> World<'_> {
    let world = World::named(app, "shop", "spa").await;
    app.sql("UPDATE employer SET enrolment = 'OPEN', default_email = true")
        .await
        .unwrap();
    world
}

/// A campaign that invites whoever buys, at most once a day, until they register.
async fn invite(world: &World<'_>, change: impl FnOnce(&mut campaign::Model)) -> campaign::Model {
    let app = &world.app.app;
    let mut row = campaign::Model {
        employer_id: world.employer,
        id: app.ids.next(),
        program_id: None,
        key: "invite".to_owned(),
        name: "Invite".to_owned(),
        version: 1,
        subject: "Was it good?".to_owned(),
        neutral_subject: None,
        body_text: "You had {{ event.properties.order }}. Register, {{ member.externalId }}!".to_owned(),
        body_html: None,
        content_url: None,
        content_timeout_millis: None,
        category: "marketing".to_owned(),
        transactional: false,
        cap_at_most: Some(1),
        cap_per: Some(CapPeriod::Day),
        cap_over: Some(OverCap::Drop),
        quiet_from: None,
        quiet_to: None,
        until: Some(json!({"eventType": "registration.completed"})),
        conversion_seconds: 604_800,
        held_out_percent: 0,
        time_to_live_seconds: 86_400,
        schedule: None,
        segment: None,
        next_run_at: None,
        created_at: world.app.now().into(),
        paused_at: None,
        archived_at: None,
    };
    change(&mut row);
    let txn = app.db.write_txn().await.unwrap();
    assert!(campaign::insert(&*txn, row.clone()).await.unwrap());
    employer::touch_catalogue(&*txn, world.employer).await.unwrap();
    txn.commit().await.unwrap();
    row
}

/// Whoever buys is sent a campaign, every time.
async fn on_every_order(world: &World<'_>, campaign: &str) {
    world
        .incentive(json!({
            "program": "wellbeing", "key": format!("buys-{campaign}"), "name": "Buys", "trigger": {"eventType": "order.completed"},
            "structure": {"immediate": true}, "limit": {"unlimited": true}, "outcomes": [{"message": {"campaign": campaign}}],
        }))
        .await;
}

fn order(id: &str, member: &str, at: &str) -> Event {
    event(id, member, at).of("order.completed").set(
        "properties",
        json!({"order": format!("sandwich {id}"), "total": 500, "currency": "EUR"}),
    )
}

fn registers(id: &str, member: &str, at: &str) -> Event {
    event(id, member, at).of("registration.completed")
}

async fn id_of(world: &World<'_>, member: &str) -> MemberId {
    world.member_id(member).await
}

/// The messages of a member, as they stand, in the order in which they were brought about.
async fn messages(world: &World<'_>, member: &str) -> Vec<Model> {
    let id = id_of(world, member).await;
    let read = world.app.app.db.read();
    entity::message::read::list_of_member(read, world.employer, id, false, Page::first(100))
        .await
        .unwrap()
        .rows
}

/// Where the messages of a member stand, and why they were not sent.
async fn standing(world: &World<'_>, member: &str) -> Vec<String> {
    let word = |row: &Model| match row.reason {
        Some(reason) => format!("{} {}", row.state.as_str(), reason.as_str()),
        None => row.state.as_str().to_owned(),
    };
    messages(world, member).await.iter().map(word).collect()
}

async fn five_sandwiches_in_an_hour_bring_one_mail_and_a_registration_none(app: &TestApp) {
    let world = shop(app).await;
    invite(&world, |_| {}).await;
    on_every_order(&world, "invite").await;
    let minutes = ["10:00", "10:10", "10:20", "10:40", "10:55"];
    for (number, minute) in minutes.iter().enumerate() {
        let at = format!("2026-11-21T{minute}:00Z");
        world
            .did([order(&format!("o{number}"), "ada@example.com", &at)])
            .await;
    }
    let mails = app.write_to_members().await;
    assert_eq!(mails.len(), 1);
    assert_eq!(
        (mails[0].to.as_str(), mails[0].subject.as_str()),
        ("ada@example.com", "Was it good?")
    );
    assert!(
        mails[0]
            .text
            .starts_with("You had sandwich o0. Register, ada@example.com!"),
        "{}",
        mails[0].text
    );
    let wanted = ["SENT", "DROPPED CAP", "DROPPED CAP", "DROPPED CAP", "DROPPED CAP"];
    assert_eq!(standing(&world, "ada@example.com").await, wanted);

    // The next day another one goes; after the registration none does.
    app.pass(TimeDelta::days(1));
    world
        .did([order("o5", "ada@example.com", "2026-11-22T10:00:00Z")])
        .await;
    assert_eq!(app.write_to_members().await.len(), 1);
    app.pass(TimeDelta::days(1));
    world
        .did([order("o6", "ada@example.com", "2026-11-23T10:00:00Z")])
        .await;
    world
        .did([registers("r", "ada@example.com", "2026-11-23T10:01:00Z")])
        .await;
    assert!(app.write_to_members().await.is_empty());
    assert_eq!(
        standing(&world, "ada@example.com").await[6..],
        ["DROPPED CONVERTED"]
    );
    // What was settled says nothing of the events behind it any more.
    let left =
        "SELECT count(*) AS count FROM message WHERE event_properties IS NOT NULL OR event_type IS NOT NULL";
    assert_eq!(app.count(left).await, 0);
}

async fn whoever_earns_an_achievement_is_congratulated_in_words_of_its_own(app: &TestApp) {
    let world = World::new(app).await;
    invite(&world, |row| {
        row.subject = "Well done: {{ achievement.title }}".to_owned();
        row.body_text =
            "{{ member.attributes.name }}, you earned it on {{ achievement.earnedOn }}.".to_owned();
        row.body_html = Some("<p>{{ achievement.title }}, {{ member.attributes.name }}</p>".to_owned());
        row.until = None;
        row.transactional = true;
    })
    .await;
    let structure = json!({"streak": {"length": 2}});
    let mut input =
        crate::harness::incentive_input("calm", "meditation.completed", structure, json!({"once": true}));
    input["outcomes"] =
        json!([{"achievement": {"title": "Two calm days"}}, {"message": {"campaign": "invite"}}]);
    world.incentive(input).await;
    let ada = json!({"externalId": "ada", "email": "ada@example.com", "attributes": {"name": "Ada <L>"}});
    assert_eq!(world.register(vec![ada]).await, ["CREATED"]);
    world.did([event("a", "ada", "2026-11-20T09:00:00Z")]).await;
    assert!(app.write_to_members().await.is_empty());
    world.did([event("b", "ada", "2026-11-21T09:00:00Z")]).await;
    let mails = app.write_to_members().await;
    assert_eq!(mails.len(), 1);
    assert_eq!(mails[0].subject, "Well done: Two calm days");
    assert_eq!(mails[0].text.trim_end(), "Ada <L>, you earned it on 2026-11-21.");
    let html = mails[0].html.as_deref().unwrap();
    assert!(html.contains("<p>Two calm days, Ada &lt;L&gt;</p>"), "{html}");
    assert_eq!(mails[0].header("List-Unsubscribe"), None, "it is no advertising");
    assert!(app.write_to_members().await.is_empty(), "once");
}

async fn nothing_of_a_sensitive_trigger_shows_in_the_subject(app: &TestApp) {
    let world = World::new(app).await;
    invite(&world, |row| {
        row.subject = "A child is born: {{ achievement.title }}".to_owned();
        row.body_text = "On {{ event.properties.bornOn }}: {{ achievement.title }}".to_owned();
        row.transactional = true;
        row.until = None;
    })
    .await;
    let mut input = crate::harness::incentive_input(
        "birth",
        "birth.reported",
        json!({"immediate": true}),
        json!({"once": true}),
    );
    input["outcomes"] = json!([{"achievement": {"title": "A birth"}}, {"message": {"campaign": "invite"}}]);
    world.incentive(input).await;
    let ada = json!({"externalId": "ada", "email": "ada@example.com"});
    assert_eq!(world.register(vec![ada]).await, ["CREATED"]);
    let birth = event("b", "ada", "2026-11-21T09:00:00Z").of("birth.reported");
    world
        .did([birth.set("properties", json!({"bornOn": "2026-11-20"}))])
        .await;
    let mails = app.write_to_members().await;
    assert_eq!(mails.len(), 1);
    assert_eq!(mails[0].subject, "A message from acme");
    let opening: String = mails[0].text.chars().take(200).collect();
    assert!(
        !opening.contains("birth") && !opening.contains("2026"),
        "{opening}"
    );
    assert!(
        mails[0].text.contains("On 2026-11-20: A birth"),
        "{}",
        mails[0].text
    );
}

async fn a_mail_at_night_waits_for_the_morning_of_its_member(app: &TestApp) {
    let world = shop(app).await;
    invite(&world, |row| {
        row.quiet_from = Some("21:00".to_owned());
        row.quiet_to = Some("08:00".to_owned());
    })
    .await;
    on_every_order(&world, "invite").await;
    // At noon in Greenwich it is nine in the evening in Tokyo.
    let here = order("o1", "ada@example.com", "2026-11-21T11:59:00Z");
    let there = order("o2", "bob@example.com", "2026-11-21T11:59:00Z").set("timeZone", json!("Asia/Tokyo"));
    world.did([here, there]).await;
    let to = |mails: Vec<crate::harness::Received>| -> Vec<String> {
        mails.into_iter().map(|mail| mail.to).collect()
    };
    assert_eq!(to(app.write_to_members().await), ["ada@example.com"]);
    let waits = &messages(&world, "bob@example.com").await[0];
    assert_eq!(waits.state, MessageState::Pending);
    assert_eq!(
        waits.due_at.map(Timestamp::instant),
        Some(crate::harness::at("2026-11-21T23:00:00Z"))
    );
    app.set_clock("2026-11-21T22:59:59Z");
    assert!(app.write_to_members().await.is_empty());
    app.set_clock("2026-11-21T23:00:00Z");
    assert_eq!(to(app.write_to_members().await), ["bob@example.com"]);
}

async fn what_is_decided_in_the_morning_goes_by_what_holds_in_the_morning(app: &TestApp) {
    let world = shop(app).await;
    invite(&world, |row| {
        row.quiet_from = Some("12:00".to_owned());
        row.quiet_to = Some("13:00".to_owned());
    })
    .await;
    on_every_order(&world, "invite").await;
    let names = ["registers", "unsubscribes", "stays"].map(|name| format!("{name}@example.com"));
    world
        .did(names.iter().map(|name| order(name, name, "2026-11-21T11:00:00Z")))
        .await;
    assert!(app.write_to_members().await.is_empty());
    world
        .did([registers("r", &names[0], "2026-11-21T12:00:00Z")])
        .await;
    let says = json!({"externalId": names[1], "consents": [{"purpose": "EMAIL", "given": false}]});
    assert_eq!(world.register(vec![says]).await, ["UPDATED"]);
    app.pass(TimeDelta::hours(1));
    let mails = app.write_to_members().await;
    assert_eq!(mails.len(), 1);
    assert_eq!(mails[0].to, names[2]);
    assert_eq!(standing(&world, &names[0]).await, ["DROPPED CONVERTED"]);
    assert_eq!(standing(&world, &names[1]).await, ["DROPPED NO_CONSENT"]);
}

async fn a_message_of_an_award_that_no_longer_holds_is_not_sent(app: &TestApp) {
    let world = shop(app).await;
    invite(&world, |_| {}).await;
    on_every_order(&world, "invite").await;
    world
        .did([order("o1", "ada@example.com", "2026-11-21T11:00:00Z")])
        .await;
    world.took_back(&["o1"]).await;
    assert!(app.write_to_members().await.is_empty());
    assert_eq!(standing(&world, "ada@example.com").await, ["DROPPED REVOKED"]);
}

async fn a_deferred_message_goes_in_the_next_period_and_not_twice(app: &TestApp) {
    let world = shop(app).await;
    invite(&world, |row| {
        row.cap_over = Some(OverCap::Defer);
        row.time_to_live_seconds = 5 * 86_400;
    })
    .await;
    on_every_order(&world, "invite").await;
    let orders = ["o1", "o2", "o3"].map(|id| order(id, "ada@example.com", "2026-11-21T11:00:00Z"));
    world.did(orders).await;
    for day in 21..=23 {
        assert_eq!(app.write_to_members().await.len(), 1, "one each day");
        assert!(app.write_to_members().await.is_empty(), "on {day}");
        app.set_clock(&format!("2026-11-{}T00:00:00Z", day + 1));
    }
    assert!(app.write_to_members().await.is_empty());
    assert_eq!(standing(&world, "ada@example.com").await, ["SENT"; 3]);
}

async fn members_without_a_word_of_consent_follow_the_default_of_their_employer(app: &TestApp) {
    let world = World::new(app).await;
    invite(&world, |_| {}).await;
    on_every_order(&world, "invite").await;
    let member = |name: &str, consents: Value| json!({"externalId": name, "email": format!("{name}@example.com"), "consents": consents});
    let registered = world
        .register(vec![
            member("silent", json!([])),
            member("agrees", json!([{"purpose": "EMAIL", "given": true}])),
        ])
        .await;
    assert_eq!(registered, ["CREATED", "CREATED"]);
    // On a roster everybody has registered; so this campaign works towards something else.
    app.sql("UPDATE campaign SET until = NULL").await.unwrap();
    app.sql("UPDATE employer SET catalogue_version = catalogue_version + 1")
        .await
        .unwrap();
    let orders = ["silent", "agrees"].map(|name| order(name, name, "2026-11-21T11:00:00Z"));
    world.did(orders).await;
    let mails = app.write_to_members().await;
    assert_eq!(mails.len(), 1);
    assert_eq!(mails[0].to, "agrees@example.com");
    assert_eq!(standing(&world, "silent").await, ["DROPPED NO_CONSENT"]);
}

async fn a_registration_that_came_before_the_campaign_stops_it_too(app: &TestApp) {
    let world = shop(app).await;
    world
        .did([registers("r", "ada@example.com", "2026-11-21T10:00:00Z")])
        .await;
    invite(&world, |_| {}).await;
    on_every_order(&world, "invite").await;
    app.pass(TimeDelta::hours(1));
    world
        .did([order("o1", "ada@example.com", "2026-11-21T12:30:00Z")])
        .await;
    assert!(app.write_to_members().await.is_empty());
    assert_eq!(standing(&world, "ada@example.com").await, ["DROPPED CONVERTED"]);
}

async fn a_conversion_counts_for_the_newest_message_before_it(app: &TestApp) {
    let world = shop(app).await;
    invite(&world, |row| row.conversion_seconds = 2 * 86_400).await;
    on_every_order(&world, "invite").await;
    for day in [21, 22] {
        let at = format!("2026-11-{day}T12:00:00Z");
        app.set_clock(&at);
        let members = ["ada@example.com", "bob@example.com"];
        world
            .did(members.map(|member| order(&format!("{member}{day}"), member, &at)))
            .await;
        assert_eq!(app.write_to_members().await.len(), 2);
    }
    // Two days and an hour later it was not the message any more.
    app.set_clock("2026-11-24T13:00:00Z");
    world
        .did([
            registers("r1", "ada@example.com", "2026-11-23T12:00:00Z"),
            registers("r2", "bob@example.com", "2026-11-24T13:00:00Z"),
        ])
        .await;
    let converted =
        |rows: Vec<Model>| -> Vec<bool> { rows.iter().map(|row| row.converted_at.is_some()).collect() };
    assert_eq!(
        converted(messages(&world, "ada@example.com").await),
        [false, true]
    );
    assert_eq!(
        converted(messages(&world, "bob@example.com").await),
        [false, false]
    );
}

async fn a_schedule_writes_to_whoever_bought_in_the_last_hour_and_has_not_registered(app: &TestApp) {
    let world = shop(app).await;
    let row = invite(&world, |row| {
        row.body_text = "Register!".to_owned();
        row.schedule = Some("0 * * * *".to_owned());
        row.segment =
            Some(json!({"did": {"eventType": "order.completed"}, "withinSeconds": 3600, "engaged": false}));
        row.next_run_at = Some(crate::harness::at("2026-11-21T13:00:00Z").into());
        row.until = None;
    })
    .await;
    app.set_clock("2026-11-21T12:59:00Z");
    world
        .did([
            order("o1", "early@example.com", "2026-11-21T11:59:00Z"),
            order("o2", "buys@example.com", "2026-11-21T12:01:00Z"),
            order("o3", "buys@example.com", "2026-11-21T12:30:00Z"),
            order("o4", "joins@example.com", "2026-11-21T12:30:00Z"),
            registers("r", "joins@example.com", "2026-11-21T12:31:00Z"),
            order("o5", "returns@example.com", "2026-11-21T12:40:00Z"),
        ])
        .await;
    world.took_back(&["o5"]).await;
    assert!(app.write_to_members().await.is_empty(), "it is not the hour yet");
    app.set_clock("2026-11-21T13:00:07Z");
    let mails = app.write_to_members().await;
    let to: Vec<&str> = mails.iter().map(|mail| mail.to.as_str()).collect();
    assert_eq!(to, ["buys@example.com"]);
    assert!(app.write_to_members().await.is_empty(), "a run is made once");
    let now = campaign::find(app.app.db.read(), world.employer, row.id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        now.next_run_at.map(Timestamp::instant),
        Some(crate::harness::at("2026-11-21T14:00:00Z"))
    );
    // What was missed is made up for once.
    app.set_clock("2026-11-21T18:30:00Z");
    assert!(app.write_to_members().await.is_empty());
    let now = campaign::find(app.app.db.read(), world.employer, row.id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        now.next_run_at.map(Timestamp::instant),
        Some(crate::harness::at("2026-11-21T19:00:00Z"))
    );
}

async fn the_messages_of_an_erased_member_are_not_sent_and_say_nothing_of_it(app: &TestApp) {
    let world = shop(app).await;
    invite(&world, |_| {}).await;
    on_every_order(&world, "invite").await;
    world
        .did([order("o1", "ada@example.com", "2026-11-21T11:00:00Z")])
        .await;
    let id = id_of(&world, "ada@example.com").await;
    world
        .backend()
        .change("eraseMember", json!({"member": "ada@example.com"}), "erased")
        .await;
    assert!(app.write_to_members().await.is_empty());
    let read = app.app.db.read();
    let rows = entity::message::read::list_of_member(read, world.employer, id, false, Page::first(9))
        .await
        .unwrap()
        .rows;
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].reason, Some(entity::message::NotSent::Erased));
    assert_eq!(app.tables_with("sandwich").await, Vec::<&str>::new());
    assert_eq!(app.tables_with("ada@example.com").await, Vec::<&str>::new());
}

async fn a_customer_that_is_known_by_an_address_alone_becomes_a_member_with_it(app: &TestApp) {
    let world = shop(app).await;
    let bought =
        order("o1", "fridge-7@example.com", "2026-11-21T11:00:00Z").set("timeZone", json!("Europe/Berlin"));
    world
        .did([bought, order("o2", "till-9", "2026-11-21T11:00:00Z")])
        .await;
    let find = async |external_id: &str| {
        let read = app.app.db.read();
        let found = entity::member::find_by_external_id(read, world.employer, external_id).await;
        found.unwrap().unwrap()
    };
    let known = find("fridge-7@example.com").await;
    assert_eq!(known.email.as_deref(), Some("fridge-7@example.com"));
    assert_eq!(known.time_zone.as_deref(), Some("Europe/Berlin"));
    assert_eq!(known.engaged_at, None);
    assert_eq!(find("till-9").await.email, None);
    world
        .did([registers("r", "fridge-7@example.com", "2026-11-21T11:30:00Z")])
        .await;
    let at = find("fridge-7@example.com").await.engaged_at.unwrap();
    assert_eq!(at.instant(), crate::harness::at("2026-11-21T11:30:00Z"));
}

async fn two_workers_never_send_one_message_twice_nor_more_than_the_cap(app: &TestApp) {
    let world = shop(app).await;
    invite(&world, |row| row.cap_at_most = Some(2)).await;
    on_every_order(&world, "invite").await;
    let names: Vec<String> = (0..40).map(|number| format!("m{number}@example.com")).collect();
    let orders = names.iter().flat_map(|name| {
        (0..4).map(move |number| order(&format!("{name}{number}"), name, "2026-11-21T11:00:00Z"))
    });
    world.did(orders.collect::<Vec<_>>()).await;
    let other = TestApp::start(&app.url, 2).await;
    let (ours, theirs) = tokio::join!(app.write_to_members(), other.write_to_members());
    let mut all: Vec<String> = ours.iter().chain(&theirs).map(|mail| mail.to.clone()).collect();
    all.sort();
    let mut wanted: Vec<String> = names
        .iter()
        .flat_map(|name| [name.clone(), name.clone()])
        .collect();
    wanted.sort();
    assert_eq!(all, wanted, "two each");
    for name in &names {
        let mut found = standing(&world, name).await;
        found.sort();
        assert_eq!(found, ["DROPPED CAP", "DROPPED CAP", "SENT", "SENT"]);
    }
    other.stop().await;
}

async fn what_a_pause_has_put_off_goes_when_the_campaign_is_resumed_and_never_when_it_is_archived(
    app: &TestApp,
) {
    let world = shop(app).await;
    invite(&world, |_| {}).await;
    on_every_order(&world, "invite").await;
    let admin = world.admin();
    let (key, wanted) = (json!({"campaign": "invite"}), "campaign { key }");
    admin.change("pauseCampaign", key.clone(), wanted).await;
    world
        .did([order("o1", "ada@example.com", "2026-11-21T11:00:00Z")])
        .await;
    assert!(app.write_to_members().await.is_empty());
    app.pass(TimeDelta::hours(1));
    assert!(app.write_to_members().await.is_empty());
    assert_eq!(standing(&world, "ada@example.com").await, ["PENDING"]);
    admin.change("resumeCampaign", key.clone(), wanted).await;
    assert_eq!(app.write_to_members().await.len(), 1);

    admin.change("pauseCampaign", key.clone(), wanted).await;
    let late = order("o2", "bob@example.com", "2026-11-21T11:00:00Z");
    world
        .did([late, order("o3", "eve@example.com", "2026-11-21T11:00:00Z")])
        .await;
    assert!(app.write_to_members().await.is_empty());
    app.pass(TimeDelta::hours(24));
    assert!(app.write_to_members().await.is_empty());
    assert_eq!(standing(&world, "bob@example.com").await, ["DROPPED EXPIRED"]);
    world
        .did([order("o4", "ida@example.com", "2026-11-22T12:00:00Z")])
        .await;
    assert!(app.write_to_members().await.is_empty());
    world.admin().change("archiveCampaign", key, wanted).await;
    assert!(app.write_to_members().await.is_empty());
    assert_eq!(standing(&world, "ida@example.com").await, ["DROPPED ARCHIVED"]);
}
