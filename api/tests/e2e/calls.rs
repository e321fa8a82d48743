//! `kill -9` of whoever calls webhooks, in the middle of a call, again and again: every entry arrives at every endpoint at least once,
//! always under the same id, and none is left out.

use std::collections::{BTreeMap, BTreeSet};
use std::future::pending;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::support::database::Database;
use crate::support::feed::poll_all;
use crate::support::graphql::Api;
use crate::support::plaudit::{Plaudit, token};
use crate::support::setting::{Setting, record};
use crate::support::until::eventually;

on_both!(every_entry_arrives_under_one_id_over_kills_in_the_middle_of_calls);

/// Each kill comes while another endpoint has a call that it has not answered.
const KILLS: usize = 6;
const EVENTS_EACH: usize = 4;
/// A call that was cut off is made again when its lease has ended, which is half a minute.
const LEASES: Duration = Duration::from_secs(90);

/// An endpoint of the partner.
#[derive(Default)]
struct Endpoint {
    book: Mutex<Book>,
}

#[derive(Default)]
struct Book {
    /// Whether it answers nothing now.
    holds: bool,
    /// The calls it has answered and those it never did: position and id, in the order of coming.
    taken: Vec<(i64, String)>,
    held: Vec<(i64, String)>,
}

impl Endpoint {
    async fn start() -> (String, Arc<Self>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let url = format!(
            "http://{}/hook",
            listener.local_addr().expect("it has an address")
        );
        let endpoint = Arc::<Self>::default();
        let router = axum::Router::new()
            .fallback(answer)
            .with_state(Arc::clone(&endpoint));
        tokio::spawn(async move { axum::serve(listener, router).await });
        (url, endpoint)
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().expect("nobody panicked with it")
    }
}

async fn answer(State(endpoint): State<Arc<Endpoint>>, headers: HeaderMap, body: String) -> StatusCode {
    let entry: Value = serde_json::from_str(&body).expect("JSON");
    let position = entry["data"]["position"].as_i64().expect("a position");
    let id = headers["webhook-id"].to_str().expect("ASCII").to_owned();
    assert_eq!(entry["data"]["id"], id);
    let holds = {
        let mut book = endpoint.book();
        let holds = book.holds;
        let calls = if holds { &mut book.held } else { &mut book.taken };
        calls.push((position, id));
        holds
    };
    if holds {
        return pending().await;
    }
    StatusCode::NO_CONTENT
}

/// The program, in one process or in two.
struct Installation {
    caller: Plaudit,
    /// Who serves, where the caller only works.
    server: Option<Plaudit>,
}

impl Installation {
    async fn start(database: &Database, in_two: bool) -> Self {
        let outbound = ["--allow-private-networks", "--retry-scale", "0.01"];
        if !in_two {
            return Self {
                caller: Plaudit::serve(database, &outbound).await,
                server: None,
            };
        }
        let server = Plaudit::serve(database, &["--no-workers"]).await;
        Self {
            caller: Plaudit::work_with(database, &outbound).await,
            server: Some(server),
        }
    }

    fn api(&self, token: &str) -> Api {
        let server = self.server.as_ref().unwrap_or(&self.caller);
        Api::new(server.address(), token)
    }
}

async fn every_entry_arrives_under_one_id_over_kills_in_the_middle_of_calls(database: Database) {
    let began = Instant::now();
    let mut plaudit = Installation::start(&database, false).await;
    let setting = Setting::new(&database, plaudit.caller.address(), 1).await;
    let arguments = ["--partner", "pillow", "--scope", "feed:read webhooks:write"];
    let partner = token(&database, &arguments).await;
    let mut endpoints = Vec::new();
    for _ in 0..KILLS {
        let (url, endpoint) = Endpoint::start().await;
        let api = plaudit.api(&partner);
        api.mutate("createWebhookEndpoint", "secret", &json!({"url": url}))
            .await;
        endpoints.push(endpoint);
    }
    for (kill, endpoint) in endpoints.iter().enumerate() {
        endpoint.book().holds = true;
        let events: Vec<Value> = (0..EVENTS_EACH)
            .map(|event| setting.event(&format!("e{kill}-{event}"), "m0", 0))
            .collect();
        let accepted = record(&plaudit.api(&setting.employer), &events).await;
        assert_eq!(accepted, Some(vec!["ACCEPTED".to_owned(); EVENTS_EACH]));
        eventually("a call that is not answered", LEASES, async || {
            (endpoint.book().held.len() == EVENTS_EACH
                || kill + 1 == KILLS && !endpoint.book().held.is_empty())
            .then_some(())
        })
        .await;
        // Those that were cut off before come again when their leases end. Everything else is delivered, but at the last kill, which may
        // come between an answer and its settling.
        let left = i64::try_from((kill + 1) * EVENTS_EACH).unwrap();
        eventually("only what is held is left", LEASES, async || {
            let waiting = database.count("delivery WHERE delivered_at IS NULL").await;
            (waiting <= left || kill + 1 == KILLS).then_some(())
        })
        .await;
        plaudit.caller.kill();
        endpoint.book().holds = false;
        plaudit = Installation::start(&database, kill % 2 == 0).await;
    }
    // Each event is an achievement, and the last of them may still be in the queue.
    let whole = eventually("everything in the feed", LEASES, async || {
        let read = poll_all(&plaudit.api(&partner)).await;
        (read.entries.len() == KILLS * EVENTS_EACH).then_some(read)
    })
    .await;
    whole.assert_dense("the feed");
    let known: BTreeMap<i64, String> = whole
        .entries
        .iter()
        .map(|entry| {
            let id = entry["id"].as_str().expect("an id");
            (entry["position"].as_i64().expect("a position"), id.to_owned())
        })
        .collect();
    let mut repeated = 0;
    for (number, endpoint) in endpoints.iter().enumerate() {
        eventually(&format!("everything at endpoint {number}"), LEASES, async || {
            let positions: BTreeSet<i64> = endpoint.book().taken.iter().map(|(place, _)| *place).collect();
            (positions.len() == known.len()).then_some(())
        })
        .await;
        let book = endpoint.book();
        for (position, id) in book.taken.iter().chain(&book.held) {
            assert_eq!(
                known.get(position),
                Some(id),
                "position {position} came as another entry"
            );
        }
        for held in &book.held {
            assert!(book.taken.contains(held), "what was cut off came again");
        }
        repeated += book.taken.len() + book.held.len() - known.len();
    }
    assert!(repeated >= KILLS, "each kill has cut off a call");
    println!(
        "{KILLS} kills, {} entries at each of {KILLS} endpoints, {repeated} calls made again, {:?}",
        known.len(),
        began.elapsed()
    );
}
