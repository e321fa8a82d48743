//! Who may do what: every guarded field, with every kind of token; and nothing of one tenant for another.

pub mod example;
mod tenants;

use std::sync::Arc;

use api::auth::access::{Row, TABLE};
use api::auth::scope::{Scope, ScopeSet};
use api::auth::viewer::{Party, ViewerKind};
use async_graphql::Request;
use chrono::TimeDelta;
use futures_util::StreamExt;
use serde_json::{Value, json};

use crate::harness::{TestApp, World, event, streak_input};
use example::Example;

on_both!(
    without_a_good_token_every_field_is_unauthenticated,
    each_scope_alone_opens_what_the_table_says_and_nothing_else,
);

/// A member of "acme" with an achievement, and everybody's party.
struct Cast {
    parties: Vec<Party>,
}

impl Cast {
    async fn new(app: &TestApp) -> Self {
        let world = World::new(app).await;
        world
            .incentive(streak_input("first", 1, json!({"once": true})))
            .await;
        world.reward(json!({"key": "mug", "price": 0})).await;
        world.campaign("hello", json!({})).await;
        world.members(&["ada"]).await;
        world.did([event("e1", "ada", "2026-11-21T10:00:00Z")]).await;
        let member = world.member_id("ada").await;
        let employer = world.employer;
        Self {
            parties: vec![
                Party::Operator,
                Party::Employer(employer),
                Party::Partner(world.partner),
                Party::Member { employer, member },
            ],
        }
    }
}

/// What a field says to a token.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Unauthenticated,
    Forbidden,
    /// With whether the whole document succeeded.
    Allowed(bool),
}

/// Reads the verdict on a document from the errors of its answer. A refusal on the way to a field is a refusal of the field.
fn verdict(body: &Value) -> Verdict {
    let errors = body["errors"].as_array().cloned().unwrap_or_default();
    let has = |code: &str| errors.iter().any(|error| error["extensions"]["code"] == code);
    if has("UNAUTHENTICATED") {
        Verdict::Unauthenticated
    } else if has("FORBIDDEN") {
        Verdict::Forbidden
    } else {
        Verdict::Allowed(errors.is_empty())
    }
}

async fn ask(app: &TestApp, example: &Example, kind: ViewerKind, token: Option<&str>) -> Verdict {
    let document = example.document(kind, "acme");
    if example.field.starts_with("Subscription.") {
        return subscribe(app, &document, token).await;
    }
    let caller = match token {
        Some(token) => app.with(token),
        None => app.anonymous(),
    };
    verdict(&caller.ask(&document, json!({})).await.json())
}

/// The first message of a subscription. Its transport is a matter of the socket's tests; here the executor is asked.
async fn subscribe(app: &TestApp, document: &str, token: Option<&str>) -> Verdict {
    let mut request = Request::new(document);
    if let Some(token) = token {
        match app.app.verifier.authenticate(token, app.now()) {
            Ok(viewer) => request = request.data(Arc::clone(&viewer)),
            Err(_) => return Verdict::Unauthenticated,
        }
    }
    let schema = app.app.schema();
    let mut messages = Box::pin(schema.execute_stream(request));
    let first = messages.next().await.unwrap();
    verdict(&serde_json::to_value(&first).unwrap())
}

/// The example of a line; a line without one fails the test.
fn example_of(row: &Row) -> Example {
    Example::all()
        .into_iter()
        .find(|example| example.field == row.field)
        .unwrap_or_else(|| panic!("{} has no example in authorization/example.rs", row.field))
}

async fn without_a_good_token_every_field_is_unauthenticated(app: &TestApp) {
    let cast = Cast::new(app).await;
    let expired: Vec<String> = cast
        .parties
        .iter()
        .map(|party| {
            app.token_for(
                *party,
                &every_scope(party.kind()).to_string(),
                TimeDelta::seconds(60),
            )
        })
        .collect();
    let good = app.token(Party::Operator, "operator");
    // The signature's first letter: the last one carries bits that mean nothing.
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let (first, rest) = signature.split_at(1);
    let other = if first == "A" { "B" } else { "A" };
    let forged = format!("{signed}.{other}{rest}");
    app.pass(TimeDelta::seconds(61));
    let before = app.row_counts().await;
    for row in TABLE {
        let example = example_of(row);
        let none = ask(app, &example, ViewerKind::Operator, None).await;
        assert_eq!(none, Verdict::Unauthenticated, "{} without a token", row.field);
        for bad in ["garbage", "a.b.c", &forged] {
            let verdict = ask(app, &example, ViewerKind::Operator, Some(bad)).await;
            assert_eq!(
                verdict,
                Verdict::Unauthenticated,
                "{} with a bad token",
                row.field
            );
        }
        for (party, token) in cast.parties.iter().zip(&expired) {
            let verdict = ask(app, &example, party.kind(), Some(token)).await;
            assert_eq!(
                verdict,
                Verdict::Unauthenticated,
                "{} with an expired token",
                row.field
            );
        }
    }
    assert_eq!(
        app.row_counts().await,
        before,
        "something was written without a token"
    );
}

/// Every scope that a token of this kind may carry.
fn every_scope(kind: ViewerKind) -> ScopeSet {
    Scope::ALL
        .iter()
        .copied()
        .filter(|scope| scope.fits_token(kind))
        .collect()
}

async fn each_scope_alone_opens_what_the_table_says_and_nothing_else(app: &TestApp) {
    let cast = Cast::new(app).await;
    let before = app.row_counts().await;
    let (mut allowed, mut cells) = (Vec::new(), 0);
    for row in TABLE {
        let example = example_of(row);
        for party in &cast.parties {
            let kind = party.kind();
            for scope in Scope::ALL.iter().copied().filter(|scope| scope.fits_token(kind)) {
                // What leads to the field needs scopes of its own; they must not be the field's.
                let carriers = example
                    .carriers
                    .iter()
                    .copied()
                    .filter(|carrier| carrier.fits_token(kind));
                let scopes: ScopeSet = carriers.chain([scope]).collect();
                cells += 1;
                if row.needs.are_met_by(scopes) {
                    allowed.push((row, *party, scopes));
                    continue;
                }
                let verdict = ask(app, &example, kind, Some(&app.token(*party, &scopes.to_string()))).await;
                assert_eq!(
                    verdict,
                    Verdict::Forbidden,
                    "{} by {kind:?} with {scopes}",
                    row.field
                );
            }
        }
    }
    assert_eq!(
        app.row_counts().await,
        before,
        "something was written that was forbidden"
    );
    assert!(cells > 500, "the matrix has only {cells} cells");

    for row in TABLE {
        let example = example_of(row);
        let mut succeeded = false;
        for (_, party, scopes) in allowed.iter().filter(|(line, ..)| line.field == row.field) {
            let verdict = ask(
                app,
                &example,
                party.kind(),
                Some(&app.token(*party, &scopes.to_string())),
            )
            .await;
            match verdict {
                Verdict::Allowed(whole) => succeeded |= whole,
                refused => panic!("{} by {:?} with {scopes}: {refused:?}", row.field, party.kind()),
            }
        }
        assert!(
            succeeded,
            "no allowed token has seen the example of {} succeed",
            row.field
        );
    }
    app.leave_failures();
}
