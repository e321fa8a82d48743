//! Many who listen to one feed: what they cost together, and that each of them is told everything.

use std::pin::Pin;

use api::graphql::loader::Nouns;
use async_graphql::{Request, Variables};
use futures_util::future::{join_all, select};
use futures_util::{Stream, StreamExt};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::harness::{Caller, DEADLINE, Statements, TestApp, World, event, streak_input};

on_both!(
    a_thousand_listeners_cost_the_statements_of_one,
    those_who_are_a_little_behind_cost_one_more_look,
    each_of_many_listeners_is_told_everything_in_order,
    what_happens_to_one_member_costs_the_others_who_listen_nothing,
    who_was_erased_is_named_to_nobody_who_listens_on,
    whoever_begins_to_listen_is_told_first_what_was_there,
);

const FEED: &str = "subscription { feed { __typename
    ... on FeedEntry { position achievement { memberRef incentive { key name } program { key } } redemption { reward { key } } } } }";
const ACTIVITY: &str = "subscription ($of: String) { memberActivity(externalId: $of) { __typename
    ... on FeedEntry { position achievement { memberRef incentive { key } } } } }";

/// Somebody who listens, as far as whoever asks it to goes on.
struct Listener(Pin<Box<dyn Stream<Item = async_graphql::Response> + Send>>);

impl Listener {
    fn open(app: &TestApp, caller: &Caller<'_>, query: &str, variables: Value) -> Self {
        let viewer = app
            .app
            .verifier
            .authenticate(caller.token().unwrap(), app.now())
            .unwrap();
        let request = Request::new(query)
            .variables(Variables::from_json(variables))
            .data(viewer)
            .data(Nouns::loaders(app.app.db.clone()));
        let schema = app.app.schema();
        Self(Box::pin(schema.execute_stream(request)))
    }

    /// One that has been told that it has caught up, and how many entries before that.
    async fn caught_up(app: &TestApp, caller: &Caller<'_>, query: &str, variables: Value) -> (Self, usize) {
        let mut listener = Self::open(app, caller, query, variables);
        let mut entries = 0;
        while listener.next().await["__typename"] == "FeedEntry" {
            entries += 1;
        }
        (listener, entries)
    }

    async fn next(&mut self) -> Value {
        let came = tokio::time::timeout(DEADLINE, self.0.next())
            .await
            .unwrap()
            .unwrap();
        let came = serde_json::to_value(&came).unwrap();
        assert!(came.get("errors").is_none(), "{came:#}");
        came["data"].as_object().unwrap().values().next().unwrap().clone()
    }

    /// The positions of the next so many entries.
    async fn take(&mut self, count: usize) -> Vec<i64> {
        let mut positions = Vec::new();
        while positions.len() < count {
            positions.push(self.next().await["position"].as_i64().unwrap());
        }
        positions
    }
}

/// A world in which each meditation of Ada's or Bob's earns.
async fn earning(app: &TestApp) -> World<'_> {
    let world = World::new(app).await;
    world
        .incentive(streak_input("always", 1, json!({"unlimited": true})))
        .await;
    world.members(&["ada", "bob"]).await;
    world
}

async fn earn(world: &World<'_>, member: &str, day: u32) {
    let at = format!("2026-11-{day}T10:00:00Z");
    world.did([event(&format!("{member}-{day}"), member, &at)]).await;
}

/// So many who have caught up with the partner's feed.
async fn listeners(world: &World<'_>, count: usize) -> Vec<Listener> {
    let partner = world.partner();
    let mut all = Vec::new();
    for _ in 0..count {
        all.push(Listener::caught_up(world.app, &partner, FEED, json!({})).await.0);
    }
    all
}

async fn told(listeners: &mut [Listener], count: usize) -> Vec<Vec<i64>> {
    join_all(listeners.iter_mut().map(|listener| listener.take(count))).await
}

async fn a_thousand_listeners_cost_the_statements_of_one(app: &TestApp) {
    let world = earning(app).await;
    let mut all = listeners(&world, 1_000).await;
    let statements = Statements::count(app);
    earn(&world, "ada", 15).await;
    let (one, cost_of_one) = statements.of(told(&mut all[..1], 1)).await;
    assert_eq!(one, [[1]]);
    // The entries, the incentives and the programs.
    assert_eq!(cost_of_one, 3);
    // They have not looked since that page was read, and it is still good for all of them, or one reads it anew for all.
    let (rest, cost_of_rest) = statements.of(told(&mut all[1..], 1)).await;
    assert!(rest.iter().all(|positions| *positions == [1]));
    assert!(cost_of_rest <= cost_of_one, "{cost_of_rest}");
    for day in 16..=18 {
        earn(&world, "ada", day).await;
        let (each, cost) = statements.of(told(&mut all, 1)).await;
        assert!(each.iter().all(|positions| *positions == [i64::from(day) - 14]));
        assert_eq!(cost, cost_of_one);
    }
}

async fn those_who_are_a_little_behind_cost_one_more_look(app: &TestApp) {
    let world = earning(app).await;
    // The first has fetched nothing of what comes, the last all but one.
    let mut groups = Vec::new();
    for _ in 0..5 {
        groups.push(listeners(&world, 20).await);
    }
    let statements = Statements::count(app);
    for day in 15..=19 {
        earn(&world, "ada", day).await;
        for group in groups.iter_mut().skip(day as usize - 14) {
            told(group, 1).await;
        }
    }
    let all = groups.iter_mut().enumerate().rev();
    let (each, cost) = statements
        .of(join_all(all.map(|(had, group)| told(group, 5 - had))))
        .await;
    for (group, missing) in each.iter().zip(1..) {
        let missing: Vec<i64> = (6 - missing..=5).collect();
        assert!(group.iter().all(|positions| *positions == missing), "{group:?}");
    }
    // At most a page that begins with the last entry, and one that begins where the last listeners are, each with its names.
    assert!(cost <= 6, "{cost}");
}

async fn each_of_many_listeners_is_told_everything_in_order(app: &TestApp) {
    let world = earning(app).await;
    let mut tasks = JoinSet::new();
    for mut listener in listeners(&world, 100).await {
        tasks.spawn(async move { listener.take(14).await });
    }
    for day in 15..=21 {
        earn(&world, "ada", day).await;
        earn(&world, "bob", day).await;
    }
    for positions in tasks.join_all().await {
        assert_eq!(positions, (1..=14).collect::<Vec<i64>>());
    }
}

async fn what_happens_to_one_member_costs_the_others_who_listen_nothing(app: &TestApp) {
    let world = earning(app).await;
    let backend = world.backend();
    let of = async |member: &str| {
        Listener::caught_up(app, &backend, ACTIVITY, json!({"of": member}))
            .await
            .0
    };
    let mut ada = of("ada").await;
    let mut bobs = Vec::new();
    for _ in 0..100 {
        bobs.push(of("bob").await);
    }
    let statements = Statements::count(app);
    let mut costs = Vec::new();
    for (day, others) in [(15, 1), (16, 100)] {
        earn(&world, "ada", day).await;
        let listening = join_all(bobs[..others].iter_mut().map(Listener::next));
        let telling = async {
            let hers = Box::pin(ada.take(1));
            match select(hers, Box::pin(listening)).await {
                futures_util::future::Either::Left((positions, _)) => positions,
                futures_util::future::Either::Right(_) => panic!("nothing has happened to Bob"),
            }
        };
        let (positions, cost) = statements.of(telling).await;
        assert_eq!(positions, [i64::from(day) - 14]);
        costs.push(cost);
    }
    assert_eq!(costs[0], costs[1]);
    earn(&world, "bob", 17).await;
    let each = told(&mut bobs, 1).await;
    assert!(each.iter().all(|positions| *positions == [3]));
}

async fn who_was_erased_is_named_to_nobody_who_listens_on(app: &TestApp) {
    let world = earning(app).await;
    let backend = world.backend();
    let of_all = async || Listener::caught_up(app, &backend, ACTIVITY, json!({})).await.0;
    let (mut first, mut second) = (of_all().await, of_all().await);
    earn(&world, "ada", 15).await;
    assert_eq!(first.next().await["achievement"]["memberRef"], "ada");
    backend
        .change("eraseMember", json!({"member": "ada"}), "erased")
        .await;
    assert_eq!(second.next().await["achievement"]["memberRef"], "erased");
}

async fn whoever_begins_to_listen_is_told_first_what_was_there(app: &TestApp) {
    let world = earning(app).await;
    let partner = world.partner();
    let mut early = listeners(&world, 1).await;
    earn(&world, "ada", 15).await;
    told(&mut early, 1).await;
    // Recorded elsewhere, of which no wake-up has come yet: what the other one has read is not all that there is.
    let elsewhere = TestApp::start(&app.url, 2).await;
    elsewhere.app.shutdown.cancel();
    earn(
        &World {
            app: &elsewhere,
            ..world
        },
        "ada",
        16,
    )
    .await;
    let (_, before) = Listener::caught_up(app, &partner, FEED, json!({})).await;
    assert_eq!(before, 2);
    elsewhere.stop().await;
}
