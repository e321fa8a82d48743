//! Campaigns of the built program, through a mail server of other make.

mod kill;
mod server;

use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::support::database::Database;
use crate::support::graphql::{Api, http};
use crate::support::plaudit::{Plaudit, token};
use crate::support::setting::record;
use crate::support::until::{SOON, eventually};
use server::{Mail, MailServer};

on_both!(
    whoever_buys_five_sandwiches_is_invited_once_until_it_registers_or_unsubscribes,
    where_the_analytics_are_slow_or_talk_nonsense_the_campaign_speaks_for_itself,
);

/// What the operator and the employer use.
struct Shop {
    admin: Api,
    backend: Api,
    now: DateTime<Utc>,
}

impl Shop {
    /// A sandbox in which every purchase brings a message of the campaign about.
    async fn open(database: &Database, plaudit: &Plaudit, campaign: Value) -> Self {
        let operator = token(database, &["--scope", "operator"]).await;
        let operator = Api::new(plaudit.address(), &operator);
        let employer = json!({
            "key": "shop", "name": "The Shop", "enrolment": "OPEN", "sandbox": true, "consentDefaults": {"email": true},
        });
        operator
            .mutate("createEmployer", "employer { key }", &employer)
            .await;
        let scopes = "programs:read programs:write events:write members:read members:write member:any";
        let own = token(database, &["--employer", "shop", "--scope", scopes]).await;
        let admin = Api::new(plaudit.address(), &own);
        let program = json!({"key": "spring", "name": "Spring"});
        admin.mutate("createProgram", "program { key }", &program).await;
        admin
            .mutate("createCampaign", "campaign { key }", &campaign)
            .await;
        let incentive = json!({
            "program": "spring", "key": "buys", "name": "Buys", "trigger": {"eventType": "order.completed"},
            "structure": {"immediate": true}, "limit": {"unlimited": true},
            "outcomes": [{"message": {"campaign": campaign["key"]}}],
        });
        admin
            .mutate("createIncentive", "incentive { key }", &incentive)
            .await;
        admin
            .mutate(
                "activateProgram",
                "program { state }",
                &json!({"program": "spring"}),
            )
            .await;
        Self {
            backend: Api::new(plaudit.address(), &own),
            admin,
            now: entity::clock::Clock::system().now(),
        }
    }

    /// Something that a customer does now.
    async fn does(&self, id: &str, kind: &str, customer: &str, zone: Option<&str>) {
        let properties = match kind {
            "order.completed" => json!({"order": id, "total": 500, "currency": "EUR"}),
            _ => json!({}),
        };
        let event = json!({
            "id": id, "type": kind, "member": customer, "timeZone": zone, "properties": properties,
            "occurredAt": self.now.to_rfc3339_opts(SecondsFormat::Micros, true),
        });
        assert_eq!(
            record(&self.backend, &[event]).await.expect("an answer"),
            ["ACCEPTED"]
        );
    }

    /// Sets the clock of the shop forward, once everything of a customer that was to be decided is.
    async fn passes(&mut self, time: TimeDelta) {
        self.now = self.now.checked_add_signed(time).expect("a day of this century");
        let to = self.now.to_rfc3339_opts(SecondsFormat::Micros, true);
        self.admin
            .mutate("advanceClock", "employer { now }", &json!({"to": to}))
            .await;
    }

    /// Where the messages of a customer stand, once there are so many and all of them are settled, or wait for what is said.
    async fn standing(&self, customer: &str, count: usize, waits_for: Option<&str>) -> Vec<String> {
        let query = "query ($id: String!) { member(externalId: $id) {
            messages(first: 50) { nodes { state reason waitsFor } } } }";
        eventually(&format!("{count} messages of {customer}"), SOON, async || {
            let data = self.backend.data(query, &json!({"id": customer})).await;
            let nodes = data["member"]["messages"]["nodes"].as_array()?.clone();
            let is_over = |node: &Value| {
                !["PENDING", "RESERVED", "SENDING"].contains(&node["state"].as_str().unwrap_or_default())
                    || (waits_for.is_some() && node["waitsFor"].as_str() == waits_for)
            };
            let word = |node: &Value| {
                let reason = node["reason"].as_str().or(node["waitsFor"].as_str());
                reason.or(node["state"].as_str()).unwrap_or_default().to_owned()
            };
            let mut words: Vec<String> = nodes.iter().map(word).collect();
            words.sort();
            (nodes.len() == count && nodes.iter().all(is_over)).then_some(words)
        })
        .await
    }
}

async fn whoever_buys_five_sandwiches_is_invited_once_until_it_registers_or_unsubscribes(database: Database) {
    let mail = MailServer::start(&[]).await;
    let plaudit = serve(&database, &mail).await;
    // Quiet hours around the present in Tokyo, wherever the present is.
    let there = entity::clock::Clock::system()
        .now()
        .with_timezone(&chrono_tz::Tz::Asia__Tokyo);
    let at = |hours: i64| {
        let then = there.checked_add_signed(TimeDelta::hours(hours));
        then.expect("a day of this century").format("%H:%M").to_string()
    };
    let mut shop = Shop::open(
        &database,
        &plaudit,
        json!({
            "key": "invite", "name": "Invite", "subject": "Order {{ event.properties.order }}",
            "text": "Register with us, {{ member.externalId }}.", "html": "<p>Register with us.</p>",
            "cap": {"atMost": 1, "per": "DAY"}, "quietHours": {"from": at(-1), "to": at(1)},
            "until": {"eventType": "registration.completed"},
        }),
    )
    .await;
    // Noon in the customer's own zone would do; it lives where it is far from both ends.
    let here = Some("America/New_York");
    for number in 1..=5 {
        shop.does(&format!("a{number}"), "order.completed", "ada@example.com", here)
            .await;
    }
    shop.does("b1", "order.completed", "bob@example.com", Some("Asia/Tokyo"))
        .await;
    assert_eq!(
        shop.standing("ada@example.com", 5, None).await,
        ["CAP", "CAP", "CAP", "CAP", "SENT"]
    );
    assert_eq!(
        shop.standing("bob@example.com", 1, Some("QUIET_HOURS")).await,
        ["QUIET_HOURS"]
    );
    let sent = mail.came(1).await;
    assert_eq!(sent[0].to(), "ada@example.com");
    assert!(sent[0].header("Subject").starts_with("Order a"), "{:?}", sent[0]);
    assert_eq!(
        sent[0].header("List-Unsubscribe-Post"),
        "List-Unsubscribe=One-Click"
    );

    // In the morning of Tokyo.
    shop.passes(TimeDelta::hours(1)).await;
    assert_eq!(shop.standing("bob@example.com", 1, None).await, ["SENT"]);
    let sent = mail.came(2).await;
    assert_eq!(sent[1].to(), "bob@example.com");

    // Bob ends it with one POST, without a cookie; a look at the page alone ends nothing.
    let link = sent[1].header("List-Unsubscribe");
    let (_, token) = link
        .trim_matches(['<', '>'])
        .split_once("/unsubscribe/")
        .expect("a link");
    let link = plaudit.url(&format!("/unsubscribe/{token}"));
    let page = http().get(&link).send().await.expect("an answer");
    assert_eq!(page.status(), 200);
    assert!(page.headers().get("set-cookie").is_none());
    shop.passes(TimeDelta::hours(25)).await;
    shop.does("b2", "order.completed", "bob@example.com", None).await;
    assert_eq!(shop.standing("bob@example.com", 2, None).await, ["SENT", "SENT"]);
    let ended = http().post(&link).body("List-Unsubscribe=One-Click");
    let ended = ended
        .header("content-type", "application/x-www-form-urlencoded")
        .send()
        .await;
    assert!(ended.expect("an answer").status().is_success());

    // Ada registers; from then on neither is written to.
    shop.does("a6", "registration.completed", "ada@example.com", here)
        .await;
    shop.passes(TimeDelta::hours(25)).await;
    shop.does("a7", "order.completed", "ada@example.com", here).await;
    shop.does("b3", "order.completed", "bob@example.com", None).await;
    assert_eq!(
        shop.standing("bob@example.com", 3, None).await,
        ["NO_CONSENT", "SENT", "SENT"]
    );
    assert!(
        shop.standing("ada@example.com", 6, None)
            .await
            .contains(&"CONVERTED".to_owned())
    );
    assert_eq!(mail.came(3).await.len(), 3);
    let query = "{ campaign(key: \"invite\") { funnel { triggered sent convertedOfSent dropped { reason count } } } }";
    let funnel = shop.admin.data(query, &json!({})).await;
    let funnel = &funnel["campaign"]["funnel"];
    assert_eq!(
        (&funnel["triggered"], &funnel["sent"]),
        (&json!(9), &json!(3)),
        "{funnel}"
    );
    assert_eq!(funnel["convertedOfSent"], 1, "{funnel}");
}

/// The employer's analytics, which answer the first as they should, the second never, the third with an error, the others with nonsense.
async fn analytics() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let url = format!(
        "http://{}/content",
        listener.local_addr().expect("it has an address")
    );
    let answered = Arc::new(Mutex::new(0));
    let answer = async |State(answered): State<Arc<Mutex<usize>>>| {
        let number = {
            let mut answered = answered.lock().expect("no test has panicked with it");
            *answered += 1;
            *answered
        };
        match number {
            1 => (StatusCode::OK, json!({"subject": "Chosen for you"}).to_string()),
            2 => std::future::pending().await,
            3 => (StatusCode::INTERNAL_SERVER_ERROR, String::new()),
            _ => (StatusCode::OK, "<html>it works</html>".to_owned()),
        }
    };
    let router = axum::Router::new().fallback(answer).with_state(answered);
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

async fn where_the_analytics_are_slow_or_talk_nonsense_the_campaign_speaks_for_itself(database: Database) {
    let mail = MailServer::start(&[]).await;
    let plaudit = serve(&database, &mail).await;
    let shop = Shop::open(
        &database,
        &plaudit,
        json!({
            "key": "thanks", "name": "Thanks", "subject": "Thank you", "text": "Come again.", "transactional": true,
            "contentSource": {"url": analytics().await, "timeout": "PT1S"},
        }),
    )
    .await;
    let mut subjects = Vec::new();
    for number in 1..=4 {
        shop.does(
            &format!("o{number}"),
            "order.completed",
            &format!("m{number}@example.com"),
            None,
        )
        .await;
        let sent = mail.came(number).await;
        subjects.push(sent[number - 1].header("Subject"));
    }
    assert_eq!(
        subjects,
        ["Chosen for you", "Thank you", "Thank you", "Thank you"]
    );
}

/// The program, sending through this server.
async fn serve(database: &Database, mail: &MailServer) -> Plaudit {
    let url = mail.url();
    let arguments = [
        "--allow-private-networks",
        "--smtp-url",
        &url,
        "--mail-from",
        "The Shop <hello@shop.example>",
    ];
    Plaudit::serve(database, &arguments).await
}

/// The ids of mails.
fn ids(mails: &[Mail]) -> Vec<String> {
    mails.iter().map(|mail| mail.header("Message-ID")).collect()
}
