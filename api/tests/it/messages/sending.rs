//! What becomes of messages at the mail server and at the content source.

use chrono::TimeDelta;
use entity::message::{MessageState, WaitsFor};
use serde_json::json;

use super::{invite, messages, on_every_order, order, shop, standing};
use crate::harness::{Receiver, Reply, TestApp};

on_both!(
    a_mail_bears_what_its_receiver_needs_to_end_it,
    what_the_server_puts_off_is_decided_anew_and_what_it_refuses_is_not,
    a_message_of_which_nobody_knows_whether_it_was_taken_is_sent_by_nobody_again,
    whoever_dies_before_handing_over_leaves_a_message_to_be_sent_and_after_it_one_that_is_unknown,
    the_content_source_writes_where_it_answers_and_the_campaign_where_it_does_not,
    the_content_source_is_not_asked_about_a_sensitive_trigger,
);

async fn a_mail_bears_what_its_receiver_needs_to_end_it(app: &TestApp) {
    let world = shop(app).await;
    invite(&world, |_| {}).await;
    on_every_order(&world, "invite").await;
    world
        .did([order("o1", "ada@example.com", "2026-11-21T11:00:00Z")])
        .await;
    let mails = app.write_to_members().await;
    let header = |name: &str| mails[0].header(name).unwrap_or_default();
    let link = header("List-Unsubscribe");
    let link = link.trim_matches(['<', '>']);
    assert!(link.starts_with("http://plaudit.test/unsubscribe/"), "{link}");
    assert_eq!(header("List-Unsubscribe-Post"), "List-Unsubscribe=One-Click");
    assert!(mails[0].text.contains(link), "{}", mails[0].text);
    assert!(header("From").contains("hello@plaudit.test") && header("From").contains("shop"));
    assert!(
        header("Message-ID").ends_with("@plaudit.test>"),
        "{}",
        header("Message-ID")
    );
    assert!(!mails[0].raw.contains(&world.employer.to_string()));
}

async fn what_the_server_puts_off_is_decided_anew_and_what_it_refuses_is_not(app: &TestApp) {
    let world = shop(app).await;
    invite(&world, |_| {}).await;
    on_every_order(&world, "invite").await;
    let names = ["busy@example.com", "gone@example.com"];
    world
        .did(names.map(|name| order(name, name, "2026-11-21T11:00:00Z")))
        .await;
    assert!(app.write_to_members().await.is_empty());
    let busy = &messages(&world, names[0]).await[0];
    assert_eq!(
        (busy.state, busy.waits_for),
        (MessageState::Pending, Some(WaitsFor::Server))
    );
    assert_eq!((busy.answer, busy.tries), (Some(451), 1));
    assert_eq!(standing(&world, names[1]).await, ["FAILED REFUSED"]);
    assert_eq!(messages(&world, names[1]).await[0].answer, Some(550));
    // It is tried again, later and later, until its time is over; never before.
    app.pass(TimeDelta::seconds(4));
    assert!(app.write_to_members().await.is_empty());
    assert_eq!(messages(&world, names[0]).await[0].tries, 1);
    app.pass(TimeDelta::seconds(10));
    app.write_to_members().await;
    assert_eq!(messages(&world, names[0]).await[0].tries, 2);
    app.pass(TimeDelta::days(1));
    app.write_to_members().await;
    assert_eq!(standing(&world, names[0]).await, ["DROPPED EXPIRED"]);
    // An address that is not there is not written to again; and what did not go takes no place in a cap.
    app.pass(TimeDelta::hours(1));
    world.did([order("o2", names[1], "2026-11-22T12:00:00Z")]).await;
    app.write_to_members().await;
    assert_eq!(
        standing(&world, names[1]).await,
        ["FAILED REFUSED", "DROPPED SUPPRESSED"]
    );
}

async fn a_message_of_which_nobody_knows_whether_it_was_taken_is_sent_by_nobody_again(app: &TestApp) {
    let world = shop(app).await;
    invite(&world, |_| {}).await;
    on_every_order(&world, "invite").await;
    world
        .did([order("o1", "lost@example.com", "2026-11-21T11:00:00Z")])
        .await;
    assert_eq!(
        app.write_to_members().await.len(),
        1,
        "the server has it, and did not say so"
    );
    assert_eq!(standing(&world, "lost@example.com").await, ["UNKNOWN"]);
    for _ in 0..3 {
        app.pass(TimeDelta::hours(1));
        assert!(app.write_to_members().await.is_empty());
    }
    // It takes its place in the cap, as it may have gone.
    app.set_clock("2026-11-21T20:00:00Z");
    world
        .did([order("o2", "lost@example.com", "2026-11-21T19:00:00Z")])
        .await;
    assert!(app.write_to_members().await.is_empty());
    assert_eq!(
        standing(&world, "lost@example.com").await,
        ["UNKNOWN", "DROPPED CAP"]
    );
}

async fn whoever_dies_before_handing_over_leaves_a_message_to_be_sent_and_after_it_one_that_is_unknown(
    app: &TestApp,
) {
    let world = shop(app).await;
    invite(&world, |_| {}).await;
    on_every_order(&world, "invite").await;
    let names = ["before@example.com", "during@example.com"];
    world
        .did(names.map(|name| order(name, name, "2026-11-21T11:00:00Z")))
        .await;
    // As a worker leaves them that dies at two different moments.
    let until =
        entity::clock::Timestamp::from(app.now().checked_add_signed(TimeDelta::minutes(10)).unwrap()).0;
    for (name, state) in names.iter().zip(["RESERVED", "SENDING"]) {
        let id = messages(&world, name).await[0].id;
        let read = app.app.db.write_txn().await.unwrap();
        entity::db::sql::Sql::on(
            &*read,
            "UPDATE message SET lease = 7, slot_category = 'marketing', slot_on = ",
        )
        .either("'2026-11-21'", "'2026-11-21'::date")
        .push(", state = ")
        .bind(state)
        .push(", due_at = ")
        .bind(until)
        .push(" WHERE id = ")
        .bind(id)
        .execute(&*read)
        .await
        .unwrap();
        read.commit().await.unwrap();
    }
    assert!(app.write_to_members().await.is_empty(), "somebody is at them");
    app.pass(TimeDelta::minutes(10));
    let mails = app.write_to_members().await;
    assert_eq!(mails.len(), 1);
    assert_eq!(mails[0].to, names[0]);
    assert_eq!(standing(&world, names[0]).await, ["SENT"]);
    assert_eq!(standing(&world, names[1]).await, ["UNKNOWN"]);
}

async fn the_content_source_writes_where_it_answers_and_the_campaign_where_it_does_not(app: &TestApp) {
    let world = shop(app).await;
    let source = Receiver::start().await;
    let url = source.url().to_owned();
    invite(&world, |row| {
        row.content_url = Some(url);
        row.content_timeout_millis = Some(300);
        row.body_html = Some("<p>Register</p>".to_owned());
        row.cap_at_most = None;
        row.cap_per = None;
        row.cap_over = None;
    })
    .await;
    on_every_order(&world, "invite").await;
    let said = json!({"subject": "For you", "text": "Two for one", "html": "<b>Two for one</b>", "more": 1})
        .to_string();
    let full = |status, text: &str| {
        Reply::Full(
            status,
            "content-type",
            "application/json".to_owned(),
            text.to_owned(),
        )
    };
    let replies = [
        full(200, &said),
        Reply::Hang,
        Reply::Drip,
        Reply::Status(500),
        full(200, "[1, 2]"),
        full(200, &"x".repeat(70_000)),
        full(404, &said),
    ];
    let count = replies.len();
    for (number, reply) in replies.into_iter().enumerate() {
        source.next([reply]);
        let name = format!("m{number}@example.com");
        world.did([order(&name, &name, "2026-11-21T11:00:00Z")]).await;
        let mails = app.write_to_members().await;
        assert_eq!(mails.len(), 1, "{number}");
        let is_own = mails[0].subject == "For you" && mails[0].text.starts_with("Two for one");
        let is_static = mails[0].subject == "Was it good?" && mails[0].text.starts_with("You had");
        assert!(
            if number == 0 { is_own } else { is_static },
            "{number}: {}",
            mails[0].raw
        );
    }
    let calls = source.calls();
    assert_eq!(calls.len(), count);
    let wanted = json!({
        "campaign": "invite",
        "member": {"ref": "m0@example.com", "locale": null, "attributes": {}},
        "event": {"type": "order.completed", "properties": {"order": "sandwich m0@example.com", "total": 500, "currency": "EUR"}},
    });
    assert_eq!(calls[0].json(), wanted);
}

async fn the_content_source_is_not_asked_about_a_sensitive_trigger(app: &TestApp) {
    let world = shop(app).await;
    let source = Receiver::start().await;
    let url = source.url().to_owned();
    invite(&world, |row| {
        row.content_url = Some(url);
        row.content_timeout_millis = Some(300);
        row.until = None;
    })
    .await;
    let mut input = crate::harness::incentive_input(
        "birth",
        "birth.reported",
        json!({"immediate": true}),
        json!({"once": true}),
    );
    input["outcomes"] = json!([{"message": {"campaign": "invite"}}]);
    world.incentive(input).await;
    let birth = crate::harness::event("b", "ada@example.com", "2026-11-21T09:00:00Z").of("birth.reported");
    world.did([birth]).await;
    assert_eq!(app.write_to_members().await.len(), 1);
    assert!(source.calls().is_empty());
}
