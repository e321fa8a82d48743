//! The link in a mail by which a member unsubscribes.

use axum::body::Body;
use http::{Method, Request, StatusCode};
use serde_json::{Value, json};

use crate::harness::{Answer, TestApp, World, event};

on_both!(
    looking_at_the_page_changes_nothing,
    one_post_without_cookies_unsubscribes,
    the_page_tells_nothing_of_the_member_and_runs_nothing,
    whoever_says_yes_again_is_asked_again,
    a_link_that_was_made_up_is_none,
    the_link_of_an_erased_member_leads_nowhere,
);

/// An employer that has written to Ada, who consents to being mailed.
async fn world(app: &TestApp) -> World<'_> {
    let world = World::new(app).await;
    world.campaign("thanks", json!({})).await;
    world.sends("thanks", "meditation.completed").await;
    let ada = json!({"externalId": "ada", "email": "ada@example.org",
        "consents": [{"purpose": "EMAIL", "given": true, "wording": "v1"}]});
    assert_eq!(world.register(vec![ada]).await, ["CREATED"]);
    world.did([event("e1", "ada", "2026-11-21T10:00:00Z")]).await;
    world
}

async fn send(app: &TestApp, method: Method, link: &str, body: &str) -> Answer {
    let form = "application/x-www-form-urlencoded";
    let request = Request::builder()
        .method(method)
        .uri(link)
        .header("content-type", form)
        .body(Body::from(body.to_owned()))
        .unwrap();
    app.anonymous().send(request).await
}

async fn said(world: &World<'_>) -> Vec<Value> {
    let query = "{ member(externalId: \"ada\") { consents { purpose given wording } } }";
    let data = world.backend().data(query, json!({})).await;
    data["member"]["consents"].as_array().unwrap().clone()
}

fn word(given: bool, wording: &str) -> Value {
    json!({"purpose": "EMAIL", "given": given, "wording": wording})
}

async fn looking_at_the_page_changes_nothing(app: &TestApp) {
    let world = world(app).await;
    let link = world.link_of("ada").await;
    let before = app.row_counts().await;
    for method in [Method::GET, Method::HEAD] {
        let answer = send(app, method, &link, "").await;
        assert_eq!(answer.status, StatusCode::OK);
    }
    assert_eq!(said(&world).await, [word(true, "v1")]);
    assert_eq!(app.row_counts().await, before);
}

async fn one_post_without_cookies_unsubscribes(app: &TestApp) {
    let world = world(app).await;
    let link = world.link_of("ada").await;
    for body in ["List-Unsubscribe=One-Click", "", "List-Unsubscribe=One-Click"] {
        let answer = send(app, Method::POST, &link, body).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert!(answer.headers.get("set-cookie").is_none());
        // Said once, however often it is asked for.
        assert_eq!(said(&world).await, [word(false, "unsubscribe"), word(true, "v1")]);
    }
}

async fn the_page_tells_nothing_of_the_member_and_runs_nothing(app: &TestApp) {
    let world = world(app).await;
    let link = world.link_of("ada").await;
    for method in [Method::GET, Method::POST] {
        let answer = send(app, method, &link, "").await;
        assert!(answer.text.contains("acme"), "{}", answer.text);
        for hidden in ["ada", "example.org", "thanks", "Hello", "<script", "http", "src="] {
            assert!(!answer.text.contains(hidden), "{hidden}: {}", answer.text);
        }
        let header = |name: &str| answer.headers[name].to_str().unwrap().to_owned();
        assert!(header("content-security-policy").starts_with("default-src 'none'; form-action 'self'"));
        assert_eq!(header("content-type"), "text/html; charset=utf-8");
        assert_eq!(header("referrer-policy"), "no-referrer");
        assert_eq!(header("cache-control"), "no-store");
    }
    let page = send(app, Method::GET, &link, "").await;
    assert!(
        page.text
            .contains("<form method=\"post\"><button type=\"submit\">")
    );
}

async fn whoever_says_yes_again_is_asked_again(app: &TestApp) {
    let world = world(app).await;
    let link = world.link_of("ada").await;
    send(app, Method::POST, &link, "").await;
    let again =
        json!({"externalId": "ada", "consents": [{"purpose": "EMAIL", "given": true, "wording": "v2"}]});
    assert_eq!(world.register(vec![again]).await, ["UPDATED"]);
    assert_eq!(said(&world).await[0], word(true, "v2"));
    send(app, Method::POST, &link, "").await;
    assert_eq!(said(&world).await[0], word(false, "unsubscribe"));
}

async fn a_link_that_was_made_up_is_none(app: &TestApp) {
    let world = world(app).await;
    let link = world.link_of("ada").await;
    let (start, secret) = link.rsplit_once('.').unwrap();
    let (first, rest) = secret.split_at(1);
    let other = if first == "A" { "B" } else { "A" };
    let before = app.row_counts().await;
    let mut pages = Vec::new();
    for made_up in [
        format!("{start}.{other}{rest}"),
        format!("{start}.{rest}"),
        format!("{start}."),
        format!("{link}A"),
        "/unsubscribe/nonsense".to_owned(),
        "/unsubscribe/%FF".to_owned(),
        format!("/unsubscribe/{}", "x".repeat(2_000)),
    ] {
        for method in [Method::GET, Method::POST] {
            let answer = send(app, method, &made_up, "List-Unsubscribe=One-Click").await;
            assert_eq!(answer.status, StatusCode::NOT_FOUND, "{made_up}");
            pages.push(answer.text);
        }
    }
    assert!(pages.windows(2).all(|pair| pair[0] == pair[1]));
    assert_eq!(app.row_counts().await, before);
    assert_eq!(said(&world).await, [word(true, "v1")]);
}

async fn the_link_of_an_erased_member_leads_nowhere(app: &TestApp) {
    let world = world(app).await;
    let link = world.link_of("ada").await;
    world
        .backend()
        .change("eraseMember", json!({"member": "ada"}), "erased")
        .await;
    let before = app.row_counts().await;
    for method in [Method::GET, Method::POST] {
        let answer = send(app, method, &link, "").await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND);
    }
    assert_eq!(app.row_counts().await, before);
}
