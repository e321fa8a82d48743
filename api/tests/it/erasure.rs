//! Members who are erased: nothing tells who they were, and the counts and the feeds still add up.

use serde_json::{Value, json};

use crate::harness::{Caller, TestApp, World, event, incentive_input, streak_input};

on_both!(
    nothing_that_identifies_an_erased_member_is_left_in_any_table,
    what_an_erased_member_achieved_still_counts_and_is_nobodys,
    the_feed_of_a_partner_keeps_its_entries_of_nobody,
    an_erased_member_is_found_in_no_way,
    the_token_of_an_erased_member_finds_nothing,
    an_external_id_is_free_again_and_names_somebody_new,
    a_member_is_erased_once,
    nobody_is_erased_by_a_name_that_is_nobodys,
    erasing_one_member_touches_no_other,
    events_under_way_while_their_member_is_erased_leave_nothing,
);

/// What is recognisable of the member who is erased, in whatever table it stands.
const TRACE: &str = "Recognisable";
const ADA: &str = "Recognisable-Ada";

async fn erase(world: &World<'_>, member: &str) {
    let payload = world
        .backend()
        .change("eraseMember", json!({"member": member}), "erased")
        .await;
    assert_eq!(payload["erased"], json!(true));
}

async fn refused(caller: &Caller<'_>, input: Value) -> (String, String) {
    caller.fault("eraseMember", input, "erased").await
}

fn unknown() -> (String, String) {
    ("NOT_FOUND".to_owned(), "member".to_owned())
}

/// An employer that is told something of Ada and of Bob by every way there is.
async fn world(app: &TestApp) -> World<'_> {
    let world = World::new(app).await;
    world
        .incentive(streak_input("daily", 2, json!({"unlimited": true})))
        .await;
    world
        .incentive(incentive_input(
            "born",
            "birth.reported",
            json!({"immediate": true}),
            json!({"once": true}),
        ))
        .await;
    for (member, name) in [(ADA, "Recognisable"), ("bob", "Bob")] {
        let registered = json!({
            "externalId": member, "email": format!("{name}@example.org"), "timeZone": "Pacific/Chatham", "locale": "de-CH",
            "eligibleFrom": "2026-01-02", "eligibleUntil": "2027-03-04", "attributes": {"nick": name, name: {"deep": [name]}},
            "consents": [{"purpose": "EMAIL", "given": true}, {"purpose": "PARTNER_SHARING", "partner": "spa", "given": true}],
        });
        assert_eq!(world.register(vec![registered]).await, ["CREATED"]);
        let did = |number: u32, event_type: &str, day: &str| {
            event(&format!("{name}-{number}"), member, &format!("{day}T10:00:00Z"))
                .of(event_type)
                .set("source", json!(format!("{name}-phone")))
        };
        world
            .did([
                did(1, "meditation.completed", "2026-11-19"),
                did(2, "meditation.completed", "2026-11-20"),
                did(3, "birth.reported", "2026-11-20"),
            ])
            .await;
    }
    world
}

/// Everything that is kept of Ada beside what came of her events: one that is queued, one that is dead, one that is kept, what one
/// counted for, one that was taken back, and why she has earned what she has.
async fn leave_traces(world: &World<'_>) {
    let app = world.app;
    app.leave_failures();
    let queued =
        event("Recognisable-4", ADA, "2026-11-21T10:00:00Z").set("source", json!("Recognisable-phone"));
    let statuses = world.backend().record([Value::from(queued)]).await;
    assert_eq!(statuses, ["ACCEPTED"]);
    for sql in [
        "UPDATE event SET properties = '{\"note\":\"Recognisable\"}'",
        "INSERT INTO dead_event (employer_id, id, member_id, event_type_id, source, event_id, occurred_at, received_at, local_time,
            time_zone, zone_origin, properties, only_incentive_id, attempts, reason, died_at)
         SELECT employer_id, id, member_id, event_type_id, source, event_id, occurred_at, received_at, local_time,
            time_zone, zone_origin, properties, only_incentive_id, 5, 'a reason', received_at FROM event",
        "INSERT INTO kept_event (employer_id, id, member_id, event_type_id, source, event_id, occurred_at, local_time, time_zone,
            properties, expires_at)
         SELECT employer_id, id, member_id, event_type_id, source, event_id, occurred_at, local_time, time_zone, properties,
            occurred_at + 1 FROM event",
        "DELETE FROM contribution",
        "INSERT INTO contribution (employer_id, member_id, incentive_id, source, event_id, version, day, time_zone, occurred_at, amount,
            steps, role)
         SELECT event.employer_id, event.member_id, incentive.id, event.source, event.event_id, 1, earned_on, time_zone, occurred_at, '1',
            0, 'COUNTS' FROM event JOIN achievement ON achievement.member_id = event.member_id
         JOIN incentive ON incentive.id = achievement.incentive_id",
        "INSERT INTO retraction (employer_id, source, event_id, reason, received_at, state, attempts, due_at, expires_at)
         SELECT employer_id, source, event_id, 'Recognisable, by mistake', accepted_at, 'APPLIED', 0, accepted_at, expires_at
         FROM receipt WHERE event_id = 'Recognisable-1'",
        "UPDATE achievement SET why = '{\"events\":[{\"source\":\"Recognisable-phone\",\"id\":\"Recognisable-1\"}]}'
         WHERE member_id = (SELECT id FROM member WHERE external_id = 'Recognisable-Ada')",
    ] {
        app.sql(sql).await.unwrap();
    }
    leave_points(world).await;
}

/// What is kept of how Ada came by points: a correction by hand, what an event and a refund of it have earned, and how much of a cap.
async fn leave_points(world: &World<'_>) {
    let input = json!({"member": ADA, "amount": 5, "reason": "Recognisable, by mistake", "idempotencyKey": "Recognisable-1"});
    world
        .by("points:write")
        .change("adjustPoints", input, "entryId")
        .await;
    let of_ada =
        "FROM incentive, member WHERE incentive.key = 'born' AND member.external_id = 'Recognisable-Ada'";
    let points = |bytes: &str| {
        format!(
            "INSERT INTO earning (employer_id, member_id, incentive_id, category, cause, version, day, factor, gross, is_rejected,
                updated_on)
             SELECT member.employer_id, member.id, incentive.id, 'points', {bytes}, 1, '2026-11-20', '1', 5, false, '2026-11-20' {of_ada};
             INSERT INTO refund (employer_id, member_id, incentive_id, source, event_id, cause, day, occurred_at, remaining)
             SELECT member.employer_id, member.id, incentive.id, 'Recognisable-phone', 'Recognisable-9', {bytes}, '2026-11-20', 1, '0'
             {of_ada};
             INSERT INTO points_cap (employer_id, member_id, incentive_id, category, period_key, gross, granted)
             SELECT member.employer_id, member.id, incentive.id, 'points', 'all', 5, 5 {of_ada};"
        )
    };
    world
        .app
        .sql_either(&points("x'01'"), &points("'\\x01'::bytea"))
        .await;
}

async fn nothing_that_identifies_an_erased_member_is_left_in_any_table(app: &TestApp) {
    let world = world(app).await;
    leave_traces(&world).await;
    let id = world.member_id(ADA).await;
    assert_eq!(
        app.tables_with(TRACE).await,
        [
            "achievement",
            "contribution",
            "dead_event",
            "event",
            "idempotency",
            "kept_event",
            "member",
            "points_adjustment",
            "receipt",
            "refund",
            "retraction",
        ]
    );
    let of_ada = |table: &str| {
        format!(
            "SELECT count(*) AS count FROM {table} WHERE member_id =
             (SELECT id FROM member WHERE erased_at IS NOT NULL OR external_id = '{ADA}')"
        )
    };
    for table in ["consent", "earning", "points_cap", "progress"] {
        assert!(app.count(&of_ada(table)).await > 0, "{table}");
    }
    erase(&world, ADA).await;
    assert_eq!(app.tables_with(TRACE).await, Vec::<&str>::new());
    for table in [
        "consent",
        "contribution",
        "dead_event",
        "earning",
        "event",
        "idempotency",
        "kept_event",
        "points_cap",
        "progress",
        "receipt",
        "refund",
    ] {
        assert_eq!(app.count(&of_ada(table)).await, 0, "{table}");
    }
    // Of the row of the member its id is left, to which achievements hold on, and nothing that was said of it.
    let blank = "SELECT count(*) AS count FROM member WHERE erased_at IS NOT NULL AND time_zone IS NULL AND locale IS NULL
        AND email IS NULL AND eligible_from IS NULL AND eligible_until IS NULL AND CAST(attributes AS text) = '{}'";
    assert_eq!(app.count(blank).await, 1);
    // Its id in writing stands nowhere but in what its row is called now.
    assert_eq!(app.tables_with(&id.to_string()).await, ["member"]);
}

async fn what_an_erased_member_achieved_still_counts_and_is_nobodys(app: &TestApp) {
    let world = world(app).await;
    let tallies =
        "{ program(key: \"wellbeing\") { incentives { key tally { achievementCount memberCount } } } }";
    let before = world.admin().data(tallies, json!({})).await;
    assert_eq!(
        before["program"]["incentives"][1]["tally"],
        json!({"achievementCount": 2, "memberCount": 2})
    );
    let listed = "{ achievements { nodes { id title earnedOn status member {
        id externalId email locale timeZone eligibleFrom eligibleUntil attributes progress { current } events { nodes { id } }
    } } } }";
    let backend = world.by("member:any");
    let known = backend.data(listed, json!({})).await;
    erase(&world, ADA).await;
    assert_eq!(world.admin().data(tallies, json!({})).await, before);
    let now = backend.data(listed, json!({})).await;
    let (known, now) = (&known["achievements"]["nodes"], &now["achievements"]["nodes"]);
    assert_eq!(known.as_array().unwrap().len(), 4);
    for (known, now) in known.as_array().unwrap().iter().zip(now.as_array().unwrap()) {
        for field in ["id", "title", "earnedOn", "status"] {
            assert_eq!(known[field], now[field]);
        }
        if known["member"]["externalId"] == "bob" {
            assert_eq!(known, now);
        } else {
            let nobody = json!({
                "id": known["member"]["id"], "externalId": null, "email": null, "locale": null, "timeZone": "UTC", "eligibleFrom": null,
                "eligibleUntil": null, "attributes": {}, "progress": [], "events": {"nodes": []},
            });
            assert_eq!(now["member"], nobody);
        }
    }
}

async fn the_feed_of_a_partner_keeps_its_entries_of_nobody(app: &TestApp) {
    let world = world(app).await;
    let before = world.feed().await;
    let ada = before[0]["achievement"]["memberRef"].clone();
    assert_eq!(
        before
            .iter()
            .filter(|entry| entry["achievement"]["memberRef"] == ada)
            .count(),
        2
    );
    erase(&world, ADA).await;
    let after = world.feed().await;
    assert_eq!(before.len(), after.len());
    for (mut before, after) in before.into_iter().zip(after) {
        if before["achievement"]["memberRef"] == ada {
            before["achievement"]["memberRef"] = json!("erased");
        }
        assert_eq!(before, after);
    }
}

async fn an_erased_member_is_found_in_no_way(app: &TestApp) {
    let world = world(app).await;
    let id = world.member_id(ADA).await;
    erase(&world, ADA).await;
    let backend = world.backend();
    let query = "query($id: ID!, $name: String!) { member(externalId: $name) { id } node(id: $id) { id }
        achievements(filter: {member: $name}) { nodes { id } } }";
    // Nor by what its row is called now.
    for name in [ADA.to_owned(), format!("\u{1}{id}")] {
        let data = backend
            .data(query, json!({"id": id.to_string(), "name": name}))
            .await;
        assert_eq!(
            data,
            json!({"member": null, "node": null, "achievements": {"nodes": []}})
        );
        let sent = event("e9", &name, "2026-11-21T10:00:00Z");
        assert_eq!(backend.record([Value::from(sent)]).await, ["UNKNOWN_MEMBER"]);
    }
    let members = world
        .admin()
        .data("{ employer { members { nodes { externalId } } } }", json!({}))
        .await;
    assert_eq!(
        members["employer"]["members"]["nodes"],
        json!([{"externalId": "bob"}])
    );
}

async fn the_token_of_an_erased_member_finds_nothing(app: &TestApp) {
    let world = world(app).await;
    let ada = world.member(ADA).await;
    let id = world.member_id(ADA).await.to_string();
    let listed = "{ achievements { nodes { id } } }";
    let own = ada.data(listed, json!({})).await;
    let achievement = own["achievements"]["nodes"][0]["id"].clone();
    assert!(achievement.is_string());
    erase(&world, ADA).await;
    assert_eq!(
        ada.data(listed, json!({})).await,
        json!({"achievements": {"nodes": []}})
    );
    let node = "query($id: ID!) { node(id: $id) { id } }";
    for id in [json!(id), achievement] {
        let found = ada.data(node, json!({"id": id})).await;
        assert_eq!(found, json!({"node": null}));
    }
    for name in [ADA, "bob"] {
        let member = "query($name: String!) { member(externalId: $name) { id } }";
        assert_eq!(
            ada.data(member, json!({"name": name})).await,
            json!({"member": null})
        );
    }
}

async fn an_external_id_is_free_again_and_names_somebody_new(app: &TestApp) {
    let world = world(app).await;
    let before = world.member_id(ADA).await;
    let token = world.member(ADA).await;
    erase(&world, ADA).await;
    world.members(&[ADA]).await;
    assert_ne!(world.member_id(ADA).await, before);
    let query = "query($name: String!) { member(externalId: $name) {
        email attributes achievements { nodes { id } } progress { earned current } } }";
    let fresh = world.by("member:any").data(query, json!({"name": ADA})).await;
    let nothing = json!({"earned": 0, "current": "0"});
    assert_eq!(
        fresh["member"],
        json!({"email": null, "attributes": {}, "achievements": {"nodes": []}, "progress": [nothing, nothing]})
    );
    // The same events count again: they are somebody else's.
    world
        .did([
            event("Recognisable-1", ADA, "2026-11-19T10:00:00Z").set("source", json!("Recognisable-phone")),
            event("Recognisable-2", ADA, "2026-11-20T10:00:00Z").set("source", json!("Recognisable-phone")),
        ])
        .await;
    assert_eq!(world.earned(ADA, "daily").await, [(1, "2026-11-20".to_owned())]);
    // Whoever holds the old token is nobody, and not whoever has the name now.
    let member = token.data(query, json!({"name": ADA})).await;
    assert_eq!(member["member"], Value::Null);
    erase(&world, ADA).await;
    assert_eq!(
        app.count("SELECT count(*) AS count FROM member WHERE erased_at IS NOT NULL")
            .await,
        2
    );
}

async fn a_member_is_erased_once(app: &TestApp) {
    let world = world(app).await;
    let backend = world.backend();
    let calls = (0..4).map(|_| backend.mutate("eraseMember", json!({"member": ADA}), "erased"));
    let payloads = futures_util::future::join_all(calls).await;
    let erased = payloads.iter().filter(|payload| payload["erased"] == json!(true));
    assert_eq!(erased.count(), 1);
    for payload in payloads.iter().filter(|payload| payload["erased"].is_null()) {
        assert_eq!(payload["userErrors"][0]["code"], "NOT_FOUND");
    }
    assert_eq!(refused(&backend, json!({"member": ADA})).await, unknown());
}

async fn nobody_is_erased_by_a_name_that_is_nobodys(app: &TestApp) {
    let world = world(app).await;
    let id = world.member_id(ADA).await;
    erase(&world, ADA).await;
    let before = app.row_counts().await;
    for name in [
        String::new(),
        "zed".to_owned(),
        "x".repeat(256),
        "\0".to_owned(),
        id.to_string(),
        format!("\u{1}{id}"),
    ] {
        assert_eq!(
            refused(&world.backend(), json!({"member": name})).await,
            unknown(),
            "{name}"
        );
    }
    assert_eq!(app.row_counts().await, before);
}

async fn erasing_one_member_touches_no_other(app: &TestApp) {
    let acme = world(app).await;
    let globex = World::named(app, "globex", "gym").await;
    globex
        .incentive(streak_input("first", 1, json!({"once": true})))
        .await;
    globex.members(&[ADA]).await;
    globex.did([event("e1", ADA, "2026-11-20T10:00:00Z")]).await;
    let shown = "query($name: String!) { member(externalId: $name) {
        id externalId email attributes achievements { nodes { id } } progress { earned current } } }";
    let (acmes, globexs) = (acme.by("member:any"), globex.by("member:any"));
    let bob = acmes.data(shown, json!({"name": "bob"})).await;
    let namesake = globexs.data(shown, json!({"name": ADA})).await;
    let foreign = json!({"employer": "globex", "member": ADA});
    assert_eq!(
        refused(&acme.backend(), foreign).await,
        ("NOT_FOUND".to_owned(), "employer".to_owned())
    );
    erase(&acme, ADA).await;
    assert_eq!(acmes.data(shown, json!({"name": "bob"})).await, bob);
    assert_eq!(globexs.data(shown, json!({"name": ADA})).await, namesake);
    assert_eq!(globex.feed().await.len(), 1);
    // The operator says whose member it is.
    let payload = app
        .operator()
        .change(
            "eraseMember",
            json!({"employer": "globex", "member": ADA}),
            "erased",
        )
        .await;
    assert_eq!(payload["erased"], json!(true));
}

async fn events_under_way_while_their_member_is_erased_leave_nothing(app: &TestApp) {
    let world = World::new(app).await;
    let backend = world.backend();
    for round in 0..10 {
        let member = format!("m{round}");
        world.members(&[&member]).await;
        let sent = (0..5).map(|number| {
            let id = format!("{member}-{number}");
            backend.record([Value::from(event(&id, &member, "2026-11-21T10:00:00Z"))])
        });
        let (statuses, ()) = tokio::join!(futures_util::future::join_all(sent), erase(&world, &member));
        for status in statuses.concat() {
            assert!(
                ["ACCEPTED", "UNKNOWN_MEMBER"].contains(&status.as_str()),
                "{status}"
            );
        }
    }
    for table in ["event", "receipt"] {
        let rows = format!("SELECT count(*) AS count FROM {table}");
        assert_eq!(app.count(&rows).await, 0, "{table}");
    }
}
