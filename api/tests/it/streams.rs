//! A partner's feed as server-sent events, and what members achieve.

use axum::body::{Body, BodyDataStream};
use futures_util::StreamExt;
use http::Request;
use serde_json::{Value, json};

use crate::harness::{Caller, DEADLINE, TestApp, World, event, streak_input};

on_both!(
    a_feed_is_replayed_marked_and_then_live,
    the_last_events_id_wins_over_the_cursor_of_the_first_request,
    what_is_no_place_in_this_feed_is_told_as_a_result,
    a_token_without_the_scope_reads_nothing,
    what_members_achieve_is_replayed_marked_and_then_live,
    a_member_follows_its_own_activity_and_goes_on_where_it_was,
    whoever_is_erased_follows_no_more,
    of_what_nothing_was_selected_there_is_an_empty_object,
);

const FEED: &str = "subscription ($after: String) { feed(after: $after) { __typename
    ... on FeedEntry { position cursor } ... on FeedCaughtUp { position cursor } } }";

const ACTIVITY: &str = "subscription ($after: String) { memberActivity(after: $after) { __typename
    ... on FeedEntry { position cursor } ... on FeedCaughtUp { position cursor } } }";

/// An event of a stream.
#[derive(Debug, PartialEq)]
struct Came {
    kind: String,
    id: Option<String>,
    data: Value,
}

/// An open stream.
struct Stream {
    body: BodyDataStream,
    text: String,
}

impl Stream {
    async fn open(app: &TestApp, caller: &Caller<'_>, after: Option<&str>, last: Option<&str>) -> Self {
        Self::open_to(app, caller, FEED, (after, last)).await
    }

    async fn open_to(
        app: &TestApp,
        caller: &Caller<'_>,
        query: &str,
        (after, last): (Option<&str>, Option<&str>),
    ) -> Self {
        let body = json!({"query": query, "variables": {"after": after}}).to_string();
        let mut request = Request::post("/graphql")
            .header("content-type", "application/json")
            .header("accept", "text/event-stream")
            .header("authorization", format!("Bearer {}", caller.token().unwrap()));
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let request = request.body(Body::from(body)).unwrap();
        let response = tower::ServiceExt::oneshot(app.router(), request).await.unwrap();
        assert_eq!(response.status(), 200);
        Self {
            body: response.into_body().into_data_stream(),
            text: String::new(),
        }
    }

    /// The next event; none: it is over.
    async fn next(&mut self) -> Option<Came> {
        loop {
            if let Some((event, rest)) = self.text.clone().split_once("\n\n") {
                self.text = rest.to_owned();
                let field = |name: &str| event.lines().find_map(|line| line.strip_prefix(name));
                let Some(kind) = field("event: ") else { continue };
                return Some(Came {
                    kind: kind.to_owned(),
                    id: field("id: ").map(str::to_owned),
                    data: field("data: ").map_or(Value::Null, |data| serde_json::from_str(data).unwrap()),
                });
            }
            let chunk = tokio::time::timeout(DEADLINE, self.body.next()).await.unwrap()?;
            self.text.push_str(std::str::from_utf8(&chunk.unwrap()).unwrap());
        }
    }

    /// The next so many events: what they are and where; each has the cursor for its id.
    async fn take(&mut self, count: usize) -> Vec<String> {
        let mut shown = Vec::new();
        while shown.len() < count {
            let came = self.next().await.expect("it goes on");
            let data = came.data["data"].as_object();
            let item = data.and_then(|data| data.values().next()).expect("no error");
            assert_eq!(came.id.as_deref(), item["cursor"].as_str(), "{came:?}");
            let kind = item["__typename"].as_str().unwrap();
            shown.push(format!("{kind} {}", item["position"]));
        }
        shown
    }
}

/// A world in which each of these days earns.
async fn earned<'a>(app: &'a TestApp, days: &[u32]) -> World<'a> {
    let world = World::new(app).await;
    world
        .incentive(streak_input("always", 1, json!({"unlimited": true})))
        .await;
    world.members(&["ada"]).await;
    earn(&world, days).await;
    world
}

async fn earn(world: &World<'_>, days: &[u32]) {
    for day in days {
        let at = format!("2026-11-{day}T10:00:00Z");
        world.did([event(&format!("e{day}"), "ada", &at)]).await;
    }
}

async fn a_feed_is_replayed_marked_and_then_live(app: &TestApp) {
    let world = earned(app, &[15, 16]).await;
    let mut stream = Stream::open(app, &world.partner(), None, None).await;
    assert_eq!(
        stream.take(3).await,
        ["FeedEntry 1", "FeedEntry 2", "FeedCaughtUp 2"]
    );
    earn(&world, &[17]).await;
    assert_eq!(stream.take(1).await, ["FeedEntry 3"]);
}

async fn the_last_events_id_wins_over_the_cursor_of_the_first_request(app: &TestApp) {
    let world = earned(app, &[15, 16, 17]).await;
    let partner = world.partner();
    let mut stream = Stream::open(app, &partner, None, None).await;
    let [first, second] = [stream.next().await.unwrap().id, stream.next().await.unwrap().id];
    drop(stream);
    let mut again = Stream::open(app, &partner, first.as_deref(), second.as_deref()).await;
    assert_eq!(again.take(2).await, ["FeedEntry 3", "FeedCaughtUp 3"]);
    let mut by_cursor = Stream::open(app, &partner, first.as_deref(), None).await;
    assert_eq!(by_cursor.take(1).await, ["FeedEntry 2"]);
}

async fn what_is_no_place_in_this_feed_is_told_as_a_result(app: &TestApp) {
    let world = earned(app, &[15]).await;
    let mut stream = Stream::open(app, &world.partner(), None, Some("nonsense")).await;
    let refused = stream.next().await.unwrap();
    assert_eq!(refused.data["errors"][0]["extensions"]["code"], "BAD_USER_INPUT");
    assert_eq!((refused.kind.as_str(), refused.id), ("next", None));
    assert_eq!(stream.next().await.unwrap().kind, "complete");
    assert_eq!(stream.next().await, None);
}

async fn a_token_without_the_scope_reads_nothing(app: &TestApp) {
    let world = earned(app, &[15]).await;
    let mut stream = Stream::open(app, &world.by("programs:read"), None, None).await;
    let refused = stream.next().await.unwrap();
    assert_eq!(refused.data["errors"][0]["extensions"]["code"], "FORBIDDEN");
    assert_eq!(stream.next().await.unwrap().kind, "complete");
}

/// A world in which each of these days earns, and whose backend has asked for it before.
async fn listened<'a>(app: &'a TestApp, days: &[u32]) -> World<'a> {
    let world = earned(app, &[]).await;
    let query = "{ memberActivity { entries { position } } }";
    world.backend().data(query, json!({})).await;
    world.members(&["bob"]).await;
    earn(&world, days).await;
    world
}

async fn what_members_achieve_is_replayed_marked_and_then_live(app: &TestApp) {
    let world = listened(app, &[15, 16]).await;
    let backend = world.backend();
    let mut stream = Stream::open_to(app, &backend, ACTIVITY, (None, None)).await;
    let last = stream.next().await.unwrap().id;
    assert_eq!(stream.take(2).await, ["FeedEntry 2", "FeedCaughtUp 2"]);
    earn(&world, &[17]).await;
    assert_eq!(stream.take(1).await, ["FeedEntry 3"]);
    drop(stream);
    let mut again = Stream::open_to(app, &backend, ACTIVITY, (Some("nonsense"), last.as_deref())).await;
    assert_eq!(
        again.take(3).await,
        ["FeedEntry 2", "FeedEntry 3", "FeedCaughtUp 3"]
    );
}

async fn a_member_follows_its_own_activity_and_goes_on_where_it_was(app: &TestApp) {
    let world = listened(app, &[15]).await;
    let bob = world.member("bob").await;
    let mut stream = Stream::open_to(app, &bob, ACTIVITY, (None, None)).await;
    let caught_up = stream.next().await.unwrap();
    assert_eq!(caught_up.data["data"]["memberActivity"]["position"], 1);
    earn(&world, &[16]).await;
    world.did([event("b1", "bob", "2026-11-16T10:00:00Z")]).await;
    assert_eq!(stream.take(1).await, ["FeedEntry 3"]);
    drop(stream);
    earn(&world, &[17]).await;
    world.did([event("b2", "bob", "2026-11-17T10:00:00Z")]).await;
    let mut again = Stream::open_to(app, &bob, ACTIVITY, (None, caught_up.id.as_deref())).await;
    assert_eq!(
        again.take(3).await,
        ["FeedEntry 3", "FeedEntry 5", "FeedCaughtUp 5"]
    );
}

async fn whoever_is_erased_follows_no_more(app: &TestApp) {
    let world = listened(app, &[15]).await;
    world.reward(json!({"key": "mug", "price": 0})).await;
    world.redeemed("ada", "mug", "k1").await;
    let ada = world.member("ada").await;
    let mut stream = Stream::open_to(app, &ada, ACTIVITY, (None, None)).await;
    assert_eq!(
        stream.take(3).await,
        ["FeedEntry 1", "FeedEntry 2", "FeedCaughtUp 2"]
    );
    let input = json!({"member": "ada"});
    world.backend().change("eraseMember", input, "erased").await;
    let end = stream.next().await.unwrap();
    assert_eq!(end.data["errors"][0]["extensions"]["code"], "BAD_USER_INPUT");
    assert_eq!(stream.next().await.unwrap().kind, "complete");
}

async fn of_what_nothing_was_selected_there_is_an_empty_object(app: &TestApp) {
    let world = earned(app, &[15]).await;
    let partner = world.partner();
    let query = "subscription { feed { ... on FeedEntry { position } } }";
    let mut stream = Stream::open_to(app, &partner, query, (None, None)).await;
    for expected in [json!({"position": 1}), json!({})] {
        let came = stream.next().await.unwrap();
        assert_eq!(came.data, json!({"data": {"feed": expected}}));
    }
    let outcomes = "{ program(key: \"wellbeing\") { incentives { version { outcomes { ... on PointsOutcome { amount } } } } } }";
    let shown = world.admin().data(outcomes, json!({})).await;
    assert_eq!(
        shown["program"]["incentives"][0]["version"]["outcomes"],
        json!([{}])
    );
    let employer = world.admin().data("{ employer { id } }", json!({})).await["employer"]["id"].take();
    let node = "query($id: ID!) { node(id: $id) { ... on Program { key } } }";
    for (id, expected) in [(employer, json!({})), (json!("nothing"), Value::Null)] {
        let shown = world.admin().data(node, json!({"id": id})).await;
        assert_eq!(shown, json!({"node": expected}));
    }
}
