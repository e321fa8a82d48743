//! A day's work in an hour: whatever the application does for members, partners and administrators, and by itself, once.

use api::auth::scope::Scope;
use api::auth::viewer::Party;
use serde_json::{Value, json};

use crate::authorization::example::Example;
use crate::harness::{Caller, Receiver, TestApp, World, event, incentive_input, streak_input};

/// As many incentives of which an event matches three.
pub const INCENTIVES: usize = 100;

/// The employer, what it has set up, and what the application writes of one member, Ada.
pub async fn set_up<'a>(app: &'a TestApp, receiver: &Receiver) -> World<'a> {
    let world = World::new(app).await;
    let admin = world.admin();
    for number in 1..=10 {
        let input = json!({"key": format!("type{number}"), "name": "Some type", "retention": "P30D"});
        admin.change("createEventType", input, "eventType { key }").await;
    }
    world
        .reward(json!({"key": "mug", "price": 5, "fulfilledBy": "spa"}))
        .await;
    world.campaign("hello", json!({"transactional": true})).await;
    for number in 0..INCENTIVES {
        let key = format!("many-{number:02}");
        let (limit, event_type) = (json!({"unlimited": true}), format!("type{}", number % 10 + 1));
        let input = match number {
            0 => streak_input(&key, 1, limit),
            1 => points(&key, "meditation.completed", &json!({"amount": 10})),
            2 => {
                let refund = json!({"eventType": "order.refunded", "match": "order"});
                let each = json!({"perUnit": {"property": "total", "points": "0.01"}, "refund": refund});
                points(&key, "order.completed", &each)
            }
            _ => incentive_input(&key, &event_type, json!({"streak": {"length": 5}}), limit),
        };
        world.incentive(input).await;
    }
    let mut both = streak_input("both", 1, json!({"once": true}));
    both.as_object_mut().unwrap().remove("trigger");
    both["structure"] = json!({"achievements": {"of": ["many-00", "many-03"], "atLeast": 1}});
    world.incentive(both).await;
    world.sends("hello", "health_data.logged").await;
    world.members(&["ada"]).await;
    backend(&world)
        .data("{ memberActivity { entries { position } } }", json!({}))
        .await;
    spa(&world)
        .change(
            "createWebhookEndpoint",
            json!({"url": receiver.url()}),
            "endpoint { id }",
        )
        .await;
    world.did([event("ada-1", "ada", "2026-11-20T10:00:00Z")]).await;
    world
}

fn points(key: &str, event_type: &str, points: &Value) -> Value {
    let (structure, limit) = (json!({"immediate": true}), json!({"unlimited": true}));
    let mut input = incentive_input(key, event_type, structure, limit);
    input["outcomes"] = json!([{"points": points}]);
    input
}

/// The employer's backend, with all that it may do.
fn backend<'a>(world: &World<'a>) -> Caller<'a> {
    by_all(world, Party::Employer(world.employer))
}

fn spa<'a>(world: &World<'a>) -> Caller<'a> {
    by_all(world, Party::Partner(world.partner))
}

/// Somebody with every scope that there is for its kind.
fn by_all<'a>(world: &World<'a>, party: Party) -> Caller<'a> {
    let scopes: Vec<&str> = Scope::ALL
        .iter()
        .filter(|scope| scope.fits_token(party.kind()))
        .map(|scope| scope.as_str())
        .collect();
    world.app.by(party, &scopes.join(" "))
}

/// What members do: many at once, some of it again, too late or by nobody who is known; orders, refunds, and what is taken back.
pub async fn members_do(world: &World<'_>, day: &str) {
    let at = format!("{day}T10:00:00Z");
    let mut events: Vec<Value> = (1..=50)
        .map(|number| event(&format!("{day}-{number}"), &format!("m-{number}"), &at).into())
        .collect();
    events.extend((1..=10).map(|number| {
        let total = json!({"order": format!("{day}-{number}"), "total": 1_000, "currency": "EUR"});
        let order = event(&format!("{day}-order-{number}"), &format!("m-{number}"), &at);
        order.of("order.completed").set("properties", total).into()
    }));
    events.extend((1..=10).map(|number| {
        let log = event(&format!("{day}-log-{number}"), &format!("m-{number}"), &at);
        log.of("health_data.logged").into()
    }));
    events.extend((1..=10).map(|number| {
        let kept = event(&format!("{day}-kept-{number}"), &format!("m-{number}"), &at);
        kept.of("type4").into()
    }));
    let backend = backend(world);
    backend.record(events.clone()).await;
    events.push(event("late", "m-1", "2026-01-01T10:00:00Z").into());
    events.push(event("unknown", "nobody", &at).into());
    backend.record(events).await;
    world.app.run_jobs().await;
    let refunds = (1..=10).map(|number| {
        let rest = json!({"order": format!("{day}-{number}"), "total": 500, "currency": "EUR"});
        let refund = event(&format!("{day}-refund-{number}"), &format!("m-{number}"), &at);
        refund.of("order.refunded").set("properties", rest).into()
    });
    backend.record(refunds).await;
    world.app.run_jobs().await;
    let taken_back: Vec<Value> = [1, 2, 3]
        .iter()
        .map(|number| json!({"id": format!("{day}-{number}")}))
        .chain([json!({"id": "r-7"}), json!({"id": format!("{day}-never")})])
        .collect();
    backend
        .change(
            "retractEvents",
            json!({"events": taken_back}),
            "results { status }",
        )
        .await;
    world.app.run_jobs().await;
}

/// Pages in the middle of what there is, backwards and forwards, with what hangs on them.
const PAGES: &[&str] = &[
    "{ m: member(externalId: \"m-77\") { achievements(first: 50) { nodes { title why { text events { id } } incentive { key } } }
        progress { current } points { available } pointsHistory(first: 5) { nodes { amount } pageInfo { endCursor } }
        level(program: \"wellbeing\") { points } events(first: 5) { nodes { id } } redemptions(first: 5) { nodes { status } }
        messages(first: 5) { nodes { state } } consents { given } sharing(first: 5) { nodes { title } } } }",
    "{ viewer { employer { members(first: 50) { nodes { externalId points { available } achievements(first: 2) { nodes { title } } }
        pageInfo { endCursor } } auditLog(first: 50) { nodes { action } } } } }",
    "{ achievements(first: 50) { nodes { title member { externalId } program { key } } } }",
    "{ achievements(last: 50) { nodes { title } } }",
    "{ achievements(first: 50, filter: {incentive: \"many-03\"}) { nodes { title } } }",
    "{ achievements(first: 50, filter: {program: \"wellbeing\"}) { nodes { title } } }",
    "{ achievements(first: 50, filter: {member: \"m-78\", incentive: \"many-03\"}) { nodes { title } } }",
    "{ achievements(first: 50, filter: {earnedFrom: \"2026-11-20\"}) { nodes { title } } }",
    "{ achievements(first: 50, filter: {earnedFrom: \"2026-05-01\", earnedUntil: \"2026-05-01\"}) { nodes { title } } }",
    "{ unknownMessages(first: 50) { nodes { id member { externalId } } } }",
    "{ memberActivity(first: 50) { entries { position achievement { title member { externalId } } } endCursor } }",
    "{ memberActivity(first: 50, externalId: \"m-79\") { entries { position } } }",
    "{ memberActivityDigest(from: 5000, to: 6000) { count sha256 } }",
    "{ campaign(key: \"hello\") { funnel { triggered sent members } } }",
    "{ viewer { employer { report(from: \"2026-11-14\", to: \"2026-11-20\") { pointsByDay { on issued } liability { category }
        redemptions { reward } achievements { on earned } } } } }",
    "{ program(key: \"wellbeing\") { incentives { key tally { memberCount } } rewards { nodes { redeemed } } boosts { key } } }",
];

const OF_THE_PARTNER: &[&str] = &[
    "{ feed(first: 100) { entries { position achievement { title memberRef incentive { key } program { key } } redemption { id } } endCursor } }",
    "{ feedDigest(from: 5000, to: 6000) { count sha256 } }",
    "{ webhookEndpoints { id state pendingCount deliveries(first: 50) { nodes { position attempts { status } } pageInfo { endCursor } } } }",
    "{ webhookEndpoints { deliveries(first: 50, status: PENDING) { nodes { position } } } }",
    "{ webhookEndpoints { deliveries(first: 50, status: DELIVERED) { nodes { position } } } }",
];

/// Every field that anybody may read, by everybody; then pages in the middle.
pub async fn all_is_read(world: &World<'_>) {
    let member = world.member_id("m-76").await;
    let parties = [
        Party::Operator,
        Party::Employer(world.employer),
        Party::Partner(world.partner),
        Party::Member {
            employer: world.employer,
            member,
        },
    ];
    for party in parties {
        let caller = by_all(world, party);
        for example in Example::all() {
            if example.field.starts_with("Mutation.") || example.field.starts_with("Subscription.") {
                continue;
            }
            // Who may not read it is told so, and nothing is looked up.
            caller
                .ask(&example.document(party.kind(), "acme"), json!({}))
                .await;
        }
    }
    for page in PAGES {
        backend(world).data(page, json!({})).await;
    }
    for page in OF_THE_PARTNER {
        spa(world).data(page, json!({})).await;
    }
    further_pages(world).await;
    jobs::export::page(world.app.app.db.read(), world.partner, (5_000, 6_000))
        .await
        .unwrap();
    let node = "query($id: ID!) { node(id: $id) { id } }";
    let data = backend(world)
        .data(
            "{ achievements(last: 1) { nodes { id member { id } } } }",
            json!({}),
        )
        .await;
    let last = &data["achievements"]["nodes"][0];
    for id in [&last["id"], &last["member"]["id"]] {
        backend(world).data(node, json!({"id": id})).await;
    }
}

/// The page behind one far from either end.
async fn further_pages(world: &World<'_>) {
    let feed = "query($after: String) { feed(first: 100, after: $after) { entries { position } endCursor } }";
    let mut after = Value::Null;
    for _ in 0..3 {
        let data = spa(world).data(feed, json!({"after": after})).await;
        after = data["feed"]["endCursor"].clone();
    }
    let members = "query($after: String) { viewer { employer { members(first: 100, after: $after) { nodes { id } pageInfo { endCursor } } } } }";
    let achievements = "query($after: String) { achievements(first: 100, after: $after) { nodes { id } pageInfo { endCursor } } }";
    for (query, path) in [
        (members, "/viewer/employer/members"),
        (achievements, "/achievements"),
    ] {
        let mut after = Value::Null;
        for _ in 0..3 {
            let data = backend(world).data(query, json!({"after": after})).await;
            after = data.pointer(path).unwrap()["pageInfo"]["endCursor"].clone();
        }
    }
}

/// What members and administrators change.
pub async fn all_is_changed(world: &World<'_>, round: usize) {
    let backend = backend(world);
    let asked = json!({"member": format!("m-{}", 100 + round), "reward": "mug", "idempotencyKey": format!("round-{round}")});
    let payload = backend.change("redeemReward", asked, "redemption { id }").await;
    let redemption = json!({"redemption": payload["redemption"]["id"], "reason": "not wanted"});
    backend
        .change("cancelRedemption", redemption, "redemption { status }")
        .await;
    let correction = json!({"member": "m-110", "amount": 5, "reason": "a gift", "idempotencyKey": format!("round-{round}")});
    backend.change("adjustPoints", correction, "entryId").await;
    let consents =
        json!([{"purpose": "PARTNER_SHARING", "given": true}, {"purpose": "EMAIL", "given": false}]);
    world
        .register(vec![
            json!({"externalId": format!("new-{round}"), "email": "new@example.org"}),
            json!({"externalId": "m-120", "consents": consents}),
        ])
        .await;
    let erased = json!({"member": format!("m-{}", 130 + round)});
    backend.change("eraseMember", erased, "erased").await;
    told_late(world, round).await;
}

/// A partner that comes late is told of what was achieved before, as far as one step goes.
async fn told_late(world: &World<'_>, round: usize) {
    let key = format!("late-{round}");
    let app = world.app;
    app.operator()
        .change(
            "createPartner",
            json!({"key": key, "name": key}),
            "partner { id }",
        )
        .await;
    let grant = json!({"partner": key, "programs": ["wellbeing"], "backfill": true});
    world
        .admin()
        .change("grantPartner", grant, "grants { partner }")
        .await;
    assert!(jobs::backfill::round(&app.app.jobs).await.unwrap());
    let grant = json!({"partner": key, "programs": ["wellbeing"]});
    world
        .admin()
        .change("revokeGrant", grant, "grants { partner }")
        .await;
}

/// What the processes do by themselves: they book, deliver, write to members, forget and measure.
pub async fn duties(world: &World<'_>) {
    let app = world.app;
    app.run_jobs().await;
    app.deliver().await;
    app.write_to_members().await;
    jobs::purge::run(&app.app.jobs).await.unwrap();
    jobs::levels::measure(&app.app.jobs).await.unwrap();
}
