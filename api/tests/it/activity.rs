//! What members achieve and ask for, told to the mobile backend and to themselves: the feed of the employer's own.

mod hidden;
mod races;
mod webhooks;

use api::auth::viewer::Party;
use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::harness::{Caller, TestApp, World, event, incentive_input};

on_both!(
    the_backend_is_told_of_all_by_the_employers_names_and_ids_whatever_is_shared,
    what_was_before_anybody_asked_is_not_told_and_what_becomes_of_it_is,
    a_member_reads_its_own_activity_and_nobody_elses,
    a_member_is_found_in_however_many_entries_of_others,
    redemptions_and_gifts_are_told_whoever_fulfils_them,
    an_activity_is_read_page_by_page_and_proved_by_its_digest,
    no_administrator_no_partner_and_no_other_employer_reads_it,
    an_erased_member_is_taken_out_of_what_was_told,
    what_is_no_longer_kept_is_told_so,
);

const ACTIVITY: &str = "query($externalId: String, $employer: String, $after: String, $first: Int) {
    memberActivity(externalId: $externalId, employer: $employer, after: $after, first: $first) { hasMore endCursor entries {
        id position cursor kind recordedAt
        achievement { id memberRef title status recordedAt incentive { key } program { key } member { id } }
        redemption { id memberRef status quantity reward { key } } } } }";

/// A page of an activity.
async fn page(caller: &Caller<'_>, variables: Value) -> Value {
    caller.data(ACTIVITY, variables).await["memberActivity"].clone()
}

/// All entries of an activity.
async fn entries(caller: &Caller<'_>, variables: Value) -> Vec<Value> {
    let page = page(caller, variables).await;
    assert_eq!(page["hasMore"], json!(false));
    page["entries"].as_array().unwrap().clone()
}

/// An entry in a few words: where, what and of whom.
fn brief(entry: &Value) -> String {
    let (achievement, redemption) = (&entry["achievement"], &entry["redemption"]);
    let of = if achievement.is_null() {
        redemption
    } else {
        achievement
    };
    let what = of["incentive"]["key"].as_str().or(of["reward"]["key"].as_str());
    format!(
        "{} {} {} {} {}",
        entry["position"],
        entry["kind"].as_str().unwrap(),
        what.unwrap(),
        of["memberRef"].as_str().unwrap(),
        of["status"].as_str().unwrap()
    )
}

/// What an activity tells, in a few words.
async fn told(caller: &Caller<'_>, variables: Value) -> Vec<String> {
    entries(caller, variables).await.iter().map(brief).collect()
}

/// A world in which each meditation and each reported birth earns, with Ada and Bob, whose backend listens.
async fn world(app: &TestApp) -> World<'_> {
    let world = silent(app).await;
    assert_eq!(told(&world.backend(), json!({})).await, [""; 0]);
    world
}

/// The same, while nobody listens.
async fn silent(app: &TestApp) -> World<'_> {
    let world = World::new(app).await;
    for (key, event_type) in [("calm", "meditation.completed"), ("born", "birth.reported")] {
        let (structure, limit) = (json!({"immediate": true}), json!({"unlimited": true}));
        let mut input = incentive_input(key, event_type, structure, limit);
        input["outcomes"][0]["achievement"]["onRetraction"] = json!("REVOKE");
        world.incentive(input).await;
    }
    world.members(&["ada", "bob"]).await;
    world
}

/// Members meditate, in this order.
async fn meditate(world: &World<'_>, ids: &[(&str, &str)]) {
    for (id, member) in ids {
        world.did([event(id, member, "2026-11-20T10:00:00Z")]).await;
    }
}

async fn the_backend_is_told_of_all_by_the_employers_names_and_ids_whatever_is_shared(app: &TestApp) {
    let world = world(app).await;
    let no = json!([{"purpose": "PARTNER_SHARING", "given": false}]);
    world
        .register(vec![json!({"externalId": "ada", "consents": no})])
        .await;
    meditate(&world, &[("e1", "ada")]).await;
    let birth = event("e2", "bob", "2026-11-20T10:00:00Z").of("birth.reported");
    world.did([birth]).await;
    world.took_back(&["e1"]).await;
    let backend = world.backend();
    let entries = entries(&backend, json!({})).await;
    assert_eq!(
        entries.iter().map(brief).collect::<Vec<_>>(),
        [
            "1 ACHIEVEMENT_EARNED calm ada EARNED",
            "2 ACHIEVEMENT_EARNED born bob EARNED",
            "3 ACHIEVEMENT_REVOKED calm ada REVOKED",
        ]
    );
    // The partner hears of Bob alone.
    assert_eq!(world.feed_length().await, 1);
    // By these ids the backend finds the rest, and the entries themselves.
    let own = "query($id: ID!) { node(id: $id) { __typename id ... on Achievement { recordedAt member { externalId } } } }";
    for entry in &entries {
        let (id, achievement) = (&entry["id"], &entry["achievement"]);
        let found = backend.data(own, json!({"id": id})).await;
        assert_eq!(found["node"], json!({"__typename": "FeedEntry", "id": id}));
        let found = backend.data(own, json!({"id": achievement["id"]})).await;
        assert_eq!(
            found["node"]["member"]["externalId"], achievement["memberRef"],
            "{achievement}"
        );
        assert_eq!(found["node"]["recordedAt"], achievement["recordedAt"]);
    }
}

async fn what_was_before_anybody_asked_is_not_told_and_what_becomes_of_it_is(app: &TestApp) {
    let world = silent(app).await;
    meditate(&world, &[("e1", "ada"), ("e2", "bob")]).await;
    let own = "SELECT count(*) AS count FROM partner WHERE employer_id IS NOT NULL";
    assert_eq!(app.count(own).await, 0);
    assert_eq!(told(&world.backend(), json!({})).await, [""; 0]);
    // Asked for twice, there is still one.
    assert_eq!(told(&world.backend(), json!({})).await, [""; 0]);
    assert_eq!(app.count(own).await, 1);
    world.took_back(&["e2"]).await;
    let wanted = ["1 ACHIEVEMENT_REVOKED calm bob REVOKED"];
    assert_eq!(told(&world.backend(), json!({})).await, wanted);
}

async fn a_member_reads_its_own_activity_and_nobody_elses(app: &TestApp) {
    let world = world(app).await;
    meditate(
        &world,
        &[("e1", "ada"), ("e2", "bob"), ("e3", "ada"), ("e4", "bob")],
    )
    .await;
    let (ada, backend) = (world.member("ada").await, world.backend());
    let wanted = [
        "1 ACHIEVEMENT_EARNED calm ada EARNED",
        "3 ACHIEVEMENT_EARNED calm ada EARNED",
    ];
    assert_eq!(told(&ada, json!({})).await, wanted);
    assert_eq!(told(&ada, json!({"externalId": "ada"})).await, wanted);
    assert_eq!(told(&backend, json!({"externalId": "ada"})).await, wanted);
    // The page goes to the end of the feed, so that it need not be looked through again.
    let own = page(&ada, json!({})).await;
    let all = page(&backend, json!({})).await;
    assert_eq!(own["endCursor"], all["endCursor"]);
    let first = page(&ada, json!({"first": 1})).await;
    assert_eq!(
        (brief(&first["entries"][0]), &first["hasMore"]),
        (wanted[0].to_owned(), &json!(true))
    );
    let rest = json!({"after": first["endCursor"]});
    assert_eq!(told(&ada, rest).await, [wanted[1]]);
    // Of another member there is as little as of one that never was.
    let other = ada.ask(ACTIVITY, json!({"externalId": "bob"})).await;
    assert_eq!(other.code().as_deref(), Some("BAD_USER_INPUT"));
    for never in ["zed", "", "\u{0}"] {
        let missing = ada.ask(ACTIVITY, json!({"externalId": never})).await.json();
        assert_eq!(
            missing["errors"][0]["message"],
            other.json()["errors"][0]["message"]
        );
        assert_eq!(
            backend.error(ACTIVITY, json!({"externalId": never})).await,
            "BAD_USER_INPUT"
        );
    }
    let node = "query($id: ID!) { node(id: $id) { id } }";
    for (place, found) in [(0, true), (1, false)] {
        let id = json!({"id": all["entries"][place]["id"]});
        assert_eq!(ada.data(node, id).await["node"].is_object(), found);
    }
}

async fn a_member_is_found_in_however_many_entries_of_others(app: &TestApp) {
    let world = world(app).await;
    meditate(&world, &[("a1", "ada")]).await;
    let minute = |minute: u32| format!("2026-11-20T{:02}:{:02}:00Z", minute / 60, minute % 60);
    world
        .did((0..600).map(|n| event(&format!("b{n}"), "bob", &minute(n))))
        .await;
    meditate(&world, &[("a2", "ada")]).await;
    world.reward(json!({"key": "mug", "price": 0})).await;
    world.redeemed("ada", "mug", "k1").await;
    let wanted = [
        "1 ACHIEVEMENT_EARNED calm ada EARNED",
        "602 ACHIEVEMENT_EARNED calm ada EARNED",
        "603 REDEMPTION_REQUESTED mug ada HELD",
    ];
    let ada = world.member("ada").await;
    assert_eq!(told(&ada, json!({})).await, wanted);
    let first = page(&ada, json!({"first": 2})).await;
    assert_eq!(first["hasMore"], json!(true));
    let rest = json!({"after": first["endCursor"]});
    assert_eq!(told(&ada, rest).await, [wanted[2]]);
}

async fn redemptions_and_gifts_are_told_whoever_fulfils_them(app: &TestApp) {
    let world = world(app).await;
    world.reward(json!({"key": "mug", "price": 0})).await;
    world
        .reward(json!({"key": "massage", "price": 0, "fulfilledBy": "spa", "holdFor": "P1D"}))
        .await;
    let mut input = incentive_input(
        "gifted",
        "registration.completed",
        json!({"immediate": true}),
        json!({"once": true}),
    );
    input["outcomes"] = json!([{"reward": {"reward": "mug", "onRetraction": "REVOKE"}}]);
    world.incentive(input).await;
    let mug = world.redeemed("ada", "mug", "k1").await;
    world.redeemed("bob", "massage", "k2").await;
    let gift = event("g1", "bob", "2026-11-20T10:00:00Z").of("registration.completed");
    world.did([gift]).await;
    let input = json!({"redemption": mug, "reason": "changed my mind"});
    world
        .shop()
        .change("cancelRedemption", input, "redemption { id }")
        .await;
    app.pass(TimeDelta::days(2));
    app.run_jobs().await;
    let wanted = [
        "1 REDEMPTION_REQUESTED mug ada HELD",
        "2 REDEMPTION_REQUESTED massage bob HELD",
        "3 REDEMPTION_REQUESTED mug bob HELD",
        "4 REDEMPTION_CANCELLED mug ada CANCELLED",
        "5 REDEMPTION_CANCELLED massage bob EXPIRED",
    ];
    let entries = entries(&world.backend(), json!({})).await;
    assert_eq!(entries.iter().map(brief).collect::<Vec<_>>(), wanted);
    assert_eq!(entries[0]["redemption"]["id"], json!(mug));
    // The partner is told of what it fulfils, as ever.
    assert_eq!(world.feed_length().await, 2);
}

async fn an_activity_is_read_page_by_page_and_proved_by_its_digest(app: &TestApp) {
    let world = world(app).await;
    meditate(&world, &[("e1", "ada"), ("e2", "bob"), ("e3", "ada")]).await;
    let backend = world.backend();
    let (mut after, mut read) = (Value::Null, Vec::new());
    loop {
        let page = page(&backend, json!({"after": after, "first": 2})).await;
        read.extend(page["entries"].as_array().unwrap().clone());
        after = page["endCursor"].clone();
        if page["hasMore"] == json!(false) {
            break;
        }
    }
    let positions: Vec<_> = read
        .iter()
        .map(|entry| entry["position"].as_i64().unwrap())
        .collect();
    assert_eq!(positions, [1, 2, 3]);
    let lines: String = read
        .iter()
        .map(|entry| format!("{}:{}\n", entry["position"], entry["id"].as_str().unwrap()))
        .collect();
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, lines.as_bytes());
    let hex: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    let query = "{ memberActivityDigest(from: 1, to: 9) { count sha256 } }";
    let data = backend.data(query, json!({})).await;
    assert_eq!(data["memberActivityDigest"], json!({"count": 3, "sha256": hex}));
    for bad in [
        json!({"first": 0}),
        json!({"first": 101}),
        json!({"after": "nonsense"}),
    ] {
        for external_id in [Value::Null, json!("ada")] {
            let mut variables = bad.clone();
            variables["externalId"] = external_id;
            assert_eq!(backend.error(ACTIVITY, variables).await, "BAD_USER_INPUT");
        }
    }
}

async fn no_administrator_no_partner_and_no_other_employer_reads_it(app: &TestApp) {
    let world = world(app).await;
    meditate(&world, &[("e1", "ada")]).await;
    let entry = entries(&world.backend(), json!({})).await.remove(0);
    let administrator =
        "achievements:read audit:read members:read points:read programs:read reports:read redemptions:write";
    assert_eq!(
        world.by(administrator).error(ACTIVITY, json!({})).await,
        "FORBIDDEN"
    );
    assert_eq!(world.partner().error(ACTIVITY, json!({})).await, "FORBIDDEN");
    let digest = "{ memberActivityDigest(from: 1, to: 1) { count } }";
    let ada = world.member("ada").await;
    assert_eq!(ada.error(digest, json!({})).await, "FORBIDDEN");
    let globex = World::named(app, "globex", "gym").await;
    let stranger = globex.backend();
    for (variables, like) in [
        (json!({"employer": "acme"}), json!({"employer": "nada"})),
        (json!({"externalId": "ada"}), json!({"externalId": "zed"})),
        (json!({"after": entry["cursor"]}), json!({"after": "nonsense"})),
    ] {
        let [foreign, missing] = [
            stranger.ask(ACTIVITY, variables).await.json(),
            stranger.ask(ACTIVITY, like).await.json(),
        ];
        assert_eq!(foreign["errors"][0]["extensions"]["code"], "BAD_USER_INPUT");
        assert_eq!(foreign["errors"][0]["message"], missing["errors"][0]["message"]);
    }
    assert_eq!(told(&stranger, json!({})).await, [""; 0]);
    let node = "query($id: ID!) { node(id: $id) { id } }";
    let found = stranger.data(node, json!({"id": entry["id"]})).await;
    assert_eq!(found["node"], Value::Null);
    // The operator has to say whose, and to hold the scope.
    assert_eq!(
        app.operator().error(ACTIVITY, json!({"employer": "acme"})).await,
        "FORBIDDEN"
    );
    let anybody = app.by(Party::Operator, "member:any");
    assert_eq!(anybody.error(ACTIVITY, json!({})).await, "BAD_USER_INPUT");
    assert_eq!(entries(&anybody, json!({"employer": "acme"})).await, [entry]);
}

async fn an_erased_member_is_taken_out_of_what_was_told(app: &TestApp) {
    let world = world(app).await;
    world.register(vec![json!({"externalId": "adelheid-7351"})]).await;
    meditate(&world, &[("e1", "adelheid-7351")]).await;
    world.reward(json!({"key": "mug", "price": 0})).await;
    world.redeemed("adelheid-7351", "mug", "k1").await;
    let adelheid = world.member("adelheid-7351").await;
    let input = json!({"member": "adelheid-7351"});
    world.backend().change("eraseMember", input, "erased").await;
    let wanted = [
        "1 ACHIEVEMENT_EARNED calm erased EARNED",
        "2 REDEMPTION_REQUESTED mug erased HELD",
        "3 REDEMPTION_CANCELLED mug erased CANCELLED",
    ];
    assert_eq!(told(&world.backend(), json!({})).await, wanted);
    assert_eq!(app.tables_with("adelheid-7351").await, [""; 0]);
    assert_eq!(adelheid.error(ACTIVITY, json!({})).await, "BAD_USER_INPUT");
    let again = json!({"externalId": "adelheid-7351"});
    assert_eq!(world.backend().error(ACTIVITY, again).await, "BAD_USER_INPUT");
}

async fn what_is_no_longer_kept_is_told_so(app: &TestApp) {
    let world = world(app).await;
    meditate(&world, &[("e1", "ada"), ("e2", "bob")]).await;
    app.pass(TimeDelta::days(91));
    world.did([event("e3", "bob", "2027-02-20T10:00:00Z")]).await;
    jobs::purge::run(&app.app.jobs).await.unwrap();
    let (backend, mut last) = (world.backend(), Value::Null);
    for variables in [
        json!({}),
        json!({"externalId": "ada"}),
        json!({"externalId": "bob"}),
    ] {
        let answer = backend.ask(ACTIVITY, variables.clone()).await.json();
        let error = &answer["errors"][0]["extensions"];
        assert_eq!(
            (&error["code"], &error["oldestPosition"]),
            (&json!("CURSOR_EXPIRED"), &json!(3))
        );
        let mut rest = variables;
        rest["after"] = error["oldestCursor"].clone();
        let wanted: &[&str] = if rest["externalId"] == json!("ada") {
            &[]
        } else {
            &["3 ACHIEVEMENT_EARNED calm bob EARNED"]
        };
        assert_eq!(told(&backend, rest.clone()).await, wanted);
        last = page(&backend, rest).await["endCursor"].clone();
    }
    // That an earning was told need not be remembered: every revocation is told.
    assert_eq!(app.count("SELECT count(*) AS count FROM feed_told").await, 2);
    world.took_back(&["e3"]).await;
    let read = told(&backend, json!({"externalId": "bob", "after": last})).await;
    assert_eq!(read, ["4 ACHIEVEMENT_REVOKED calm bob REVOKED"]);
}
