//! The audit log: who has changed what, when, and that nobody can rewrite it.

use std::collections::BTreeSet;

use api::auth::access::TABLE;
use api::auth::viewer::Party;
use serde_json::{Value, json};

use crate::harness::{Caller, TestApp, World, event, incentive_input, streak_input};

on_both!(
    every_mutation_is_in_the_log_or_has_a_record_of_its_own,
    an_entry_says_who_has_changed_what_and_when,
    what_was_refused_or_changes_nothing_is_not_in_the_log,
    only_its_own_administrators_and_the_operator_read_a_log,
    no_entry_can_be_changed_or_deleted,
    a_check_finds_where_a_log_was_rewritten,
    an_erased_member_is_in_no_entry_and_the_chain_holds,
    whoever_fulfils_something_sensitive_is_not_told_on,
    the_log_is_read_page_by_page_newest_first,
    changes_at_the_same_time_are_one_chain,
);

/// Mutations that are in no audit log, because what they do has a record of its own, the events and the redemption, or because they
/// change nothing: a test call.
const RECORDED_ELSEWHERE: &[&str] = &[
    "recordEvents",
    "retractEvents",
    "recordMailEvents",
    "redeemReward",
    "testWebhookEndpoint",
];

const ENTRY: &str = "position madeAt recordedAt clientId actor action subject before after members hash";

async fn log(world: &World<'_>) -> Vec<Value> {
    let query = format!("{{ viewer {{ employer {{ auditLog(first: 100) {{ nodes {{ {ENTRY} }} }} }} }} }}");
    let data = world.by("audit:read").data(&query, json!({})).await;
    data["viewer"]["employer"]["auditLog"]["nodes"]
        .as_array()
        .unwrap()
        .clone()
}

async fn own_log(app: &TestApp) -> Vec<Value> {
    let query = format!("{{ auditLog(first: 100) {{ nodes {{ {ENTRY} }} }} }}");
    let data = app.operator().data(&query, json!({})).await;
    data["auditLog"]["nodes"].as_array().unwrap().clone()
}

fn actions(log: &[Value]) -> Vec<&str> {
    log.iter()
        .map(|entry| entry["action"].as_str().unwrap())
        .collect()
}

async fn every_mutation_is_in_the_log_or_has_a_record_of_its_own(app: &TestApp) {
    // Creates the employer, the partner, a program, and a grant.
    let world = World::sandbox(app, "acme", "spa").await;
    let (operator, admin) = (app.operator(), world.admin());
    let client = json!({"name": "Shop", "employer": "acme", "scopes": ["events:write"]});
    let made = operator
        .change("createClient", client, "client { clientId }")
        .await;
    let client = json!({"clientId": made["client"]["clientId"]});
    operator
        .change("rotateClientSecret", client.clone(), "clientSecret")
        .await;
    operator
        .change("revokeClient", client, "client { clientId }")
        .await;
    let none = json!({"ids": ["evt_01ARZ3NDEKTSV4RRFFQ69G5FAV"]});
    operator.change("replayDeadEvents", none, "replayedCount").await;
    let name = |field: &str, key: &str| json!({field: key, "name": "New"});
    admin
        .change("createEventType", name("key", "walk.done"), "eventType { key }")
        .await;
    admin
        .change("updateProgram", name("program", "wellbeing"), "program { key }")
        .await;
    world
        .incentive(streak_input("first", 1, json!({"once": true})))
        .await;
    let next = json!({"incentive": "first", "progress": "RESTART", "trigger": {"eventType": "meditation.completed"},
        "structure": {"streak": {"length": 2}}, "outcomes": [{"achievement": {"title": "T"}}]});
    admin.change("publishIncentive", next, "version").await;
    admin
        .change(
            "retireIncentive",
            json!({"incentive": "first"}),
            "incentive { key }",
        )
        .await;
    let boost = json!({"program": "wellbeing", "key": "double", "name": "Double", "multiplier": "2",
        "startsOn": "2026-11-01", "endsOn": "2026-11-30"});
    admin.change("createBoost", boost, "boost { key }").await;
    let boost = json!({"program": "wellbeing", "key": "double"});
    admin.change("endBoost", boost, "boost { key }").await;
    let levels = json!({"program": "wellbeing", "window": "YEAR", "levels": [{"key": "gold", "name": "Gold", "atLeast": 1}]});
    admin.change("setLevels", levels, "program { key }").await;
    world.reward(json!({"key": "mug", "price": 10})).await;
    admin
        .change("updateReward", name("reward", "mug"), "reward { key }")
        .await;
    world.members(&["ada"]).await;
    campaigns(&world).await;
    let points = json!({"member": "ada", "amount": 100, "reason": "Because", "idempotencyKey": "a"});
    world
        .by("points:write")
        .change("adjustPoints", points, "entryId")
        .await;
    for (key, field, text) in [
        ("k1", "fulfilRedemption", "reference"),
        ("k2", "cancelRedemption", "reason"),
    ] {
        let id = world.redeemed("ada", "mug", key).await;
        let input = json!({"redemption": id, text: "x"});
        world.shop().change(field, input, "redemption { id }").await;
    }
    admin
        .change("retireReward", json!({"reward": "mug"}), "reward { key }")
        .await;
    admin
        .change("eraseMember", json!({"member": "ada"}), "erased")
        .await;
    let spa = app.by(Party::Partner(world.partner), "webhooks:write feed:read");
    let made = spa
        .change(
            "createWebhookEndpoint",
            json!({"url": "https://partner.example/hooks?token=whs"}),
            "endpoint { id }",
        )
        .await;
    let hook = json!({"endpoint": made["endpoint"]["id"]});
    let mut renamed = hook.clone();
    renamed["description"] = json!("New");
    spa.change("updateWebhookEndpoint", renamed, "endpoint { id }")
        .await;
    for field in ["rotateWebhookSecret", "resumeWebhookEndpoint"] {
        spa.change(field, hook.clone(), "endpoint { id }").await;
    }
    spa.change("replayWebhooks", hook.clone(), "replayedCount").await;
    spa.change("deleteWebhookEndpoint", hook, "deletedId").await;
    let grant = json!({"partner": "spa", "programs": ["wellbeing"]});
    admin.change("revokeGrant", grant, "grants { partner }").await;
    world.advance("2026-11-23T00:00:00Z").await;
    let program = json!({"program": "wellbeing"});
    admin
        .change("pauseProgram", program.clone(), "program { key }")
        .await;
    admin.change("endProgram", program, "program { key }").await;

    let (of_employer, own) = (log(&world).await, own_log(app).await);
    let logged: BTreeSet<&str> = actions(&of_employer).into_iter().chain(actions(&own)).collect();
    let mutations: BTreeSet<&str> = TABLE
        .iter()
        .filter_map(|row| row.field.strip_prefix("Mutation."))
        .collect();
    let expected: BTreeSet<&str> = mutations
        .iter()
        .copied()
        .filter(|mutation| !RECORDED_ELSEWHERE.contains(mutation))
        .collect();
    assert_eq!(logged, expected);
    for entry in of_employer.iter().chain(&own) {
        let text = entry.to_string();
        for hidden in ["ada", "Because", "secret\":\"", "whs", "pairwise"] {
            assert!(!text.contains(hidden), "{hidden} in {text}");
        }
    }
}

/// Every change of a campaign, of its messages, and of who is written to.
async fn campaigns(world: &World<'_>) {
    let admin = world.admin();
    let secret = json!({"contentSource": {"url": "https://content.example/?token=whs"}});
    world.campaign("thanks", secret).await;
    let mut key = json!({"campaign": "thanks", "name": "New"});
    admin
        .change("updateCampaign", key.clone(), "campaign { id }")
        .await;
    key.as_object_mut().unwrap().remove("name");
    world.sends("thanks", "meditation.completed").await;
    world.did([event("e1", "ada", "2026-11-21T10:00:00Z")]).await;
    let message = world.messages_of("ada").await[0].id;
    world.settled(message, "UNKNOWN", None).await;
    let again = json!({"message": message.to_string()});
    admin.change("resendMessage", again, "messageId").await;
    for step in ["pauseCampaign", "resumeCampaign", "archiveCampaign"] {
        admin.change(step, key.clone(), "campaign { id }").await;
    }
    let cap = json!({"atMost": 5, "per": "DAY"});
    admin.change("setMessageCap", cap, "employer { key }").await;
    let address = json!({"address": "ada@example.org"});
    admin
        .change("suppressAddress", address.clone(), "suppressed")
        .await;
    admin.change("liftSuppression", address, "lifted").await;
}

async fn an_entry_says_who_has_changed_what_and_when(app: &TestApp) {
    let world = World::new(app).await;
    app.set_clock("2026-11-21T13:00:00Z");
    let input = json!({"program": "wellbeing", "name": "Wellbeing for all"});
    world
        .admin()
        .change("updateProgram", input, "program { key }")
        .await;
    world.members(&["ada", "bob"]).await;
    let log = log(&world).await;
    assert_eq!(
        actions(&log),
        [
            "registerMembers",
            "updateProgram",
            "grantPartner",
            "activateProgram",
            "createProgram",
            "createEmployer"
        ]
    );
    let [registered, updated] = [&log[0], &log[1]];
    for (field, value) in [
        ("clientId", "plaudit"),
        ("actor", "EMPLOYER"),
        ("subject", "wellbeing"),
        ("madeAt", "2026-11-21T13:00:00Z"),
        ("recordedAt", "2026-11-21T13:00:00Z"),
    ] {
        assert_eq!(updated[field], json!(value));
    }
    assert_eq!(updated["position"], json!(5));
    assert_eq!(updated["before"]["name"], "wellbeing");
    assert_eq!(updated["after"]["name"], "Wellbeing for all");
    assert_eq!(updated["before"]["key"], updated["after"]["key"]);
    assert_eq!(
        registered["after"],
        json!({"created": 2, "updated": 0, "consents": 0})
    );
    let ada = world.member_id("ada").await.to_string();
    assert_eq!(registered["members"][0], json!(ada));
    assert_eq!(log[5]["actor"], "OPERATOR");
    assert_eq!(log[5]["before"], Value::Null);
    // The installation's own log has what is about no employer.
    assert_eq!(actions(&own_log(app).await), ["createPartner"]);
}

async fn what_was_refused_or_changes_nothing_is_not_in_the_log(app: &TestApp) {
    let world = World::new(app).await;
    world.members(&["ada"]).await;
    let before = log(&world).await.len();
    let taken = json!({"key": "wellbeing", "name": "Again"});
    world
        .admin()
        .fault("createProgram", taken, "program { key }")
        .await;
    assert_eq!(
        world.register(vec![json!({"externalId": "ada"})]).await,
        ["UNCHANGED"]
    );
    world.did([event("e1", "ada", "2026-11-20T10:00:00Z")]).await;
    assert_eq!(log(&world).await.len(), before);
}

async fn only_its_own_administrators_and_the_operator_read_a_log(app: &TestApp) {
    let world = World::new(app).await;
    let globex = World::named(app, "globex", "tent").await;
    let query = "{ viewer { employer { auditLog { nodes { action subject } } } } }";
    let data = globex.by("audit:read").data(query, json!({})).await;
    assert!(!data.to_string().contains("acme"), "{data}");
    for scopes in [
        "programs:read programs:write members:read",
        "member:any reports:read",
    ] {
        assert_eq!(world.by(scopes).error(query, json!({})).await, "FORBIDDEN");
    }
    let by_key = "query($key: String) { employer(key: $key) { auditLog { nodes { action } } } }";
    let data = app.operator().data(by_key, json!({"key": "acme"})).await;
    assert_eq!(data["employer"]["auditLog"]["nodes"].as_array().unwrap().len(), 4);
    let stranger: Caller<'_> = globex.by("audit:read programs:read");
    assert_eq!(
        stranger.data(by_key, json!({"key": "acme"})).await["employer"],
        Value::Null
    );
    let own = "{ auditLog { nodes { action } } }";
    assert_eq!(
        world.by("audit:read programs:read").error(own, json!({})).await,
        "FORBIDDEN"
    );
}

async fn no_entry_can_be_changed_or_deleted(app: &TestApp) {
    let world = World::new(app).await;
    world.members(&["ada"]).await;
    for sql in [
        "UPDATE audit_entry SET subject = 'another' WHERE position = 1",
        "DELETE FROM audit_entry WHERE position = 5",
        "DELETE FROM audit_member",
        "UPDATE audit_member SET digest = salt",
        "UPDATE audit_member SET place = 7, member_id = NULL, salt = NULL",
        "DELETE FROM audit_head",
    ] {
        assert!(app.sql(sql).await.is_err(), "{sql}");
    }
}

/// What the check says of the logs.
async fn broken(app: &TestApp) -> Vec<String> {
    let report = entity::check::run(&app.app.db).await.unwrap();
    report
        .differences
        .iter()
        .map(|difference| difference.id.clone())
        .collect()
}

async fn a_check_finds_where_a_log_was_rewritten(app: &TestApp) {
    let world = World::new(app).await;
    world.members(&["ada"]).await;
    assert_eq!(broken(app).await, Vec::<String>::new());
    for (table, operation) in [
        ("audit_entry", "update"),
        ("audit_entry", "delete"),
        ("audit_member", "delete"),
        ("audit_member", "update"),
    ] {
        app.sql_either(
            &format!("DROP TRIGGER {table}_no_{operation}"),
            &format!("DROP TRIGGER {table}_no_{operation} ON {table}"),
        )
        .await;
    }
    let employer = format!("employer_id = (SELECT id FROM employer WHERE key = '{}')", "acme");
    let subject =
        |text: &str| format!("UPDATE audit_entry SET subject = '{text}' WHERE {employer} AND position = 3");
    app.sql(&subject("another")).await.unwrap();
    assert_eq!(broken(app).await, ["3"]);
    app.sql(&subject("wellbeing")).await.unwrap();
    assert_eq!(broken(app).await, Vec::<String>::new());
    // That a member was ever in an entry cannot be taken out either.
    app.sql("UPDATE audit_member SET salt = digest").await.unwrap();
    assert_eq!(broken(app).await, ["5"]);
    app.sql("DELETE FROM audit_member").await.unwrap();
    assert_eq!(broken(app).await, ["5"]);
    app.sql(&format!(
        "DELETE FROM audit_entry WHERE {employer} AND position = 5"
    ))
    .await
    .unwrap();
    assert_eq!(broken(app).await, ["5"]);
    app.sql(&format!(
        "DELETE FROM audit_entry WHERE {employer} AND position = 2"
    ))
    .await
    .unwrap();
    assert_eq!(broken(app).await, ["2"]);
    app.leave_differences();
}

async fn an_erased_member_is_in_no_entry_and_the_chain_holds(app: &TestApp) {
    let world = World::new(app).await;
    world.members(&["ada", "bob"]).await;
    let [ada, bob] = [world.member_id("ada").await, world.member_id("bob").await].map(|id| id.to_string());
    let hashes = |log: &[Value]| log.iter().map(|entry| entry["hash"].clone()).collect::<Vec<_>>();
    let before = log(&world).await;
    assert_eq!(before[0]["members"], json!([ada, bob]));
    world
        .backend()
        .change("eraseMember", json!({"member": "ada"}), "erased")
        .await;
    let after = log(&world).await;
    assert_eq!(after[0]["action"], "eraseMember");
    assert_eq!(after[0]["members"], json!([]));
    assert_eq!(after[1]["members"], json!(["erased", bob]));
    assert_eq!(hashes(&after[1..]), hashes(&before));
    assert!(!Value::from(after).to_string().contains(&ada));
    assert_eq!(broken(app).await, Vec::<String>::new());
}

async fn whoever_fulfils_something_sensitive_is_not_told_on(app: &TestApp) {
    let world = World::new(app).await;
    world.reward(json!({"key": "leave", "price": 0})).await;
    let mut incentive = incentive_input(
        "born",
        "birth.reported",
        json!({"immediate": true}),
        json!({"once": true}),
    );
    incentive["outcomes"] = json!([{"reward": {"reward": "leave"}}]);
    world.incentive(incentive).await;
    world.members(&["ada"]).await;
    world
        .did([event("e1", "ada", "2026-11-20T10:00:00Z").of("birth.reported")])
        .await;
    let query = "{ member(externalId: \"ada\") { id redemptions { nodes { id } } } }";
    let data = world.backend().data(query, json!({})).await;
    let id = &data["member"]["redemptions"]["nodes"][0]["id"];
    world
        .shop()
        .change("fulfilRedemption", json!({"redemption": id}), "redemption { id }")
        .await;
    let entry = &log(&world).await[0];
    assert_eq!(entry["action"], "fulfilRedemption");
    for hidden in [id, &data["member"]["id"], &json!("leave")] {
        assert!(!entry.to_string().contains(hidden.as_str().unwrap()), "{entry}");
    }
}

async fn the_log_is_read_page_by_page_newest_first(app: &TestApp) {
    let world = World::new(app).await;
    for number in 1..=3 {
        world.members(&[&format!("m{number}")]).await;
    }
    let query = "query($after: String) { viewer { employer { auditLog(first: 3, after: $after) {
        nodes { position } pageInfo { hasNextPage endCursor } } } } }";
    let (mut positions, mut after) = (Vec::new(), Value::Null);
    loop {
        let data = world.by("audit:read").data(query, json!({"after": after})).await;
        let page = &data["viewer"]["employer"]["auditLog"];
        positions.extend(
            page["nodes"]
                .as_array()
                .unwrap()
                .iter()
                .map(|node| node["position"].as_i64().unwrap()),
        );
        after = page["pageInfo"]["endCursor"].clone();
        if page["pageInfo"]["hasNextPage"] == json!(false) {
            break;
        }
    }
    assert_eq!(positions, [7, 6, 5, 4, 3, 2, 1]);
}

async fn changes_at_the_same_time_are_one_chain(app: &TestApp) {
    let world = World::new(app).await;
    let admin = app.by(Party::Employer(world.employer), "members:write programs:write");
    let change = async |number: usize| {
        let input = json!({"members": [{"externalId": format!("m{number}")}]});
        admin.change("registerMembers", input, "results { status }").await;
        let input = json!({"program": "wellbeing", "name": format!("Name {number}")});
        admin.change("updateProgram", input, "program { key }").await;
    };
    futures_util::future::join_all((0..10).map(change)).await;
    let log = log(&world).await;
    let positions: Vec<i64> = log
        .iter()
        .map(|entry| entry["position"].as_i64().unwrap())
        .collect();
    assert_eq!(positions, (1..=24).rev().collect::<Vec<_>>());
    // Each change of the program goes on from the one before it.
    let names: Vec<_> = log
        .iter()
        .filter(|entry| entry["action"] == "updateProgram")
        .collect();
    for pair in names.windows(2) {
        assert_eq!(pair[0]["before"]["name"], pair[1]["after"]["name"]);
    }
    assert_eq!(broken(app).await, Vec::<String>::new());
}
