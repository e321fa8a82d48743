//! The points of a member over plain HTTP.

use axum::body::Body;
use http::header::{
    ALLOW, AUTHORIZATION, CACHE_CONTROL, CONTENT_LENGTH, ETAG, IF_NONE_MATCH, VARY, WWW_AUTHENTICATE,
};
use http::{HeaderMap, Method, Request, StatusCode};
use serde_json::{Value, json};

use crate::harness::{Answer, Caller, TestApp, World, incentive_input};

on_both!(
    a_member_reads_its_points_at_a_plain_address,
    whoever_has_the_answer_already_is_not_sent_it_again,
    another_members_token_finds_nobody,
    an_external_id_may_have_any_characters,
    a_token_that_is_missing_or_may_not_is_told_so,
);

/// An employer whose member Ada has ten points.
async fn world(app: &TestApp) -> World<'_> {
    let world = World::new(app).await;
    world
        .incentive(incentive_input(
            "calm",
            "meditation.completed",
            json!({"immediate": true}),
            json!({"unlimited": true}),
        ))
        .await;
    world.members(&["ada", "bob"]).await;
    world.earn("ada", "points", 10, "calm").await;
    world
}

async fn send(caller: &Caller<'_>, method: Method, member: &str, known: Option<&str>) -> Answer {
    let mut request = Request::builder()
        .method(method)
        .uri(format!("/v1/members/{member}/points"));
    if let Some(token) = caller.token() {
        request = request.header(AUTHORIZATION, format!("Bearer {token}"));
    }
    if let Some(known) = known {
        request = request.header(IF_NONE_MATCH, known);
    }
    caller.send(request.body(Body::empty()).unwrap()).await
}

async fn get(caller: &Caller<'_>, member: &str) -> Answer {
    send(caller, Method::GET, member, None).await
}

fn header<'a>(headers: &'a HeaderMap, name: &http::HeaderName) -> &'a str {
    headers.get(name).unwrap().to_str().unwrap()
}

async fn a_member_reads_its_points_at_a_plain_address(app: &TestApp) {
    let world = world(app).await;
    let expected = json!({"member": "ada", "balances": [
        {"category": "points", "available": 10, "pending": 0, "nextExpiry": null, "nextExpiryAmount": null},
    ]});
    let ada = world.member("ada").await;
    for caller in [&ada, &world.by("member:any"), &world.by("points:read")] {
        let answer = get(caller, "ada").await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(answer.json(), expected);
        assert_eq!(header(&answer.headers, &CACHE_CONTROL), "private, no-cache");
        assert_eq!(header(&answer.headers, &VARY), "authorization");
        let head = send(caller, Method::HEAD, "ada", None).await;
        assert_eq!((head.status, head.text.as_str()), (StatusCode::OK, ""));
        assert_eq!(head.headers[ETAG], answer.headers[ETAG]);
        assert_eq!(
            header(&head.headers, &CONTENT_LENGTH),
            answer.text.len().to_string()
        );
    }
    let nothing = get(&world.by("points:read"), "bob").await;
    assert_eq!(nothing.json(), json!({"member": "bob", "balances": []}));
    let post = send(&ada, Method::POST, "ada", None).await;
    assert_eq!(post.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(header(&post.headers, &ALLOW), "GET,HEAD");
}

async fn whoever_has_the_answer_already_is_not_sent_it_again(app: &TestApp) {
    let world = world(app).await;
    let ada = world.member("ada").await;
    let tag = header(&get(&ada, "ada").await.headers, &ETAG).to_owned();
    assert!(tag.starts_with('"') && tag.ends_with('"'), "{tag}");
    for known in [
        tag.clone(),
        format!("\"other\", {tag}"),
        format!("W/{tag}"),
        "*".to_owned(),
    ] {
        let answer = send(&ada, Method::GET, "ada", Some(&known)).await;
        assert_eq!(
            (answer.status, answer.text.as_str()),
            (StatusCode::NOT_MODIFIED, "")
        );
        assert_eq!(header(&answer.headers, &ETAG), tag);
        assert_eq!(header(&answer.headers, &CACHE_CONTROL), "private, no-cache");
        assert_eq!(header(&answer.headers, &VARY), "authorization");
    }
    world.earn("ada", "points", 1, "calm").await;
    let changed = send(&ada, Method::GET, "ada", Some(&tag)).await;
    assert_eq!(changed.status, StatusCode::OK);
    assert_ne!(header(&changed.headers, &ETAG), tag);
    assert_eq!(changed.json()["balances"][0]["available"], 11);
    // Whoever may not see the member learns nothing by guessing a tag.
    let foreign = send(&world.member("bob").await, Method::GET, "ada", Some("*")).await;
    assert_eq!(foreign.status, StatusCode::NOT_FOUND);
}

/// An answer without what differs from request to request.
fn masked(answer: &Answer) -> (StatusCode, Value) {
    let mut body = answer.json();
    body["errors"][0]["extensions"]["requestId"] = json!("masked");
    (answer.status, body)
}

async fn another_members_token_finds_nobody(app: &TestApp) {
    let world = world(app).await;
    let bob = world.member("bob").await;
    let other = World::named(app, "globex", "gym").await;
    let never = masked(&get(&bob, "zed").await);
    assert_eq!(never.0, StatusCode::NOT_FOUND);
    for (caller, member) in [
        (&bob, "ada"),
        (&other.by("member:any"), "ada"),
        (&other.by("points:read"), "ada"),
        (&bob, "a%00b"),
        (&bob, "%FF"),
    ] {
        assert_eq!(masked(&get(caller, member).await), never, "{member}");
    }
    world
        .admin()
        .change("eraseMember", json!({"member": "bob"}), "erased")
        .await;
    assert_eq!(masked(&get(&bob, "bob").await), never);
}

async fn an_external_id_may_have_any_characters(app: &TestApp) {
    let world = world(app).await;
    for (id, address) in [
        ("ada@example.org", "ada@example.org"),
        ("ada@example.org/2", "ada%40example.org%2F2"),
        ("..", "%2E%2E"),
        ("a b+c", "a%20b+c"),
        ("ä?#", "%C3%A4%3F%23"),
        ("100%", "100%25"),
    ] {
        world.members(&[id]).await;
        let answer = get(&world.by("points:read"), address).await;
        assert_eq!(answer.json(), json!({"member": id, "balances": []}), "{address}");
    }
}

async fn a_token_that_is_missing_or_may_not_is_told_so(app: &TestApp) {
    let world = world(app).await;
    for caller in [&app.anonymous(), &app.with("garbage")] {
        let answer = get(caller, "ada").await;
        assert_eq!(
            (answer.status, answer.code().as_deref()),
            (StatusCode::UNAUTHORIZED, Some("UNAUTHENTICATED"))
        );
        assert!(header(&answer.headers, &WWW_AUTHENTICATE).starts_with("Bearer"));
        assert_eq!(header(&answer.headers, &CACHE_CONTROL), "no-store");
    }
    for caller in [
        &app.operator(),
        &world.partner(),
        &world.by("members:read achievements:read"),
    ] {
        let answer = get(caller, "ada").await;
        assert_eq!(
            (answer.status, answer.code().as_deref()),
            (StatusCode::FORBIDDEN, Some("FORBIDDEN"))
        );
    }
}
