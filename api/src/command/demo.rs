//! `demo`: the main job on a throw-away database, played by real clients over real sockets.
//!
//! The demo serves like `serve` does, then is its own mobile backend and partner: each has an OAuth client, fetches its token at the token
//! endpoint, and knows nothing but the address. What the partner prints is what came over its subscription.

#![expect(
    clippy::indexing_slicing,
    reason = "a field that an answer does not have reads as null"
)]

mod client;
mod scenario;

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context;
use chrono::TimeDelta;
use entity::clock::Clock;
use entity::db::Db;
use entity::id::Ids;
use entity::{employer, partner};
use jobs::deliver::Outbound;
use jobs::deliver::mail::Mailer;
use serde_json::{Value, json};

use super::{print, serve};
use crate::app::{App, Parts};
use crate::auth::scope::ScopeSet;
use crate::auth::token::{COMMAND_LINE_CLIENT, Grant, issue};
use crate::auth::viewer::Party;
use crate::config::DemoArguments;
use crate::http::limit::Rate;
use client::Api;

/// How long the printed tokens are good for: a working day.
const TOKEN_LIFE: TimeDelta = TimeDelta::hours(12);

/// Shows the main job; with `once` it ends after the scenario.
pub async fn demo(arguments: &DemoArguments) -> anyhow::Result<()> {
    let folder = tempfile::tempdir().context("there is no room for a throw-away database")?;
    let listener = serve::listen(arguments.listen).await?;
    let address = listener.local_addr()?;
    let app = start(folder.path(), address).await?;
    app.start_workers();
    let ended = serve::told_to_end()?;
    let (finish, finished) = tokio::sync::oneshot::channel::<()>();
    let serving = tokio::spawn(serve::run(Arc::clone(&app), listener, async move {
        tokio::select! {
            () = ended => {}
            // Its sender is dropped when the scenario is over.
            _ = finished => {}
        }
    }));
    let outcome = show(&app, address, arguments.once).await;
    drop(app);
    if outcome.is_err() || arguments.once {
        drop(finish);
        serving.await.context("serving failed")??;
        return outcome;
    }
    // Keeps the sender, so that only a signal ends it.
    let served = serving.await.context("serving failed")?;
    drop(finish);
    served
}

async fn start(folder: &std::path::Path, address: SocketAddr) -> anyhow::Result<Arc<App>> {
    let db = Db::open(&format!("sqlite://{}?mode=rwc", folder.join("demo.db").display()))
        .await
        .context("the database cannot be made")?;
    migration::migrate(db.read())
        .await
        .context("the database cannot be made")?;
    let clock = Clock::system();
    let ids = Ids::system(clock.clone());
    let parts = Parts {
        db,
        clock,
        ids,
        public_url: format!("http://{address}"),
        rate: Rate::default(),
        dev: true,
        outbound: Outbound::default(),
        mailer: Mailer::folder(folder.join("mail")),
        feed_retention: jobs::purge::FEED_RETENTION,
    };
    App::start(parts)
        .await
        .context("the application cannot be started")
}

async fn show(app: &Arc<App>, address: SocketAddr, once: bool) -> anyhow::Result<()> {
    print("\nPlaudit demo: an event becomes an achievement that a partner sees.");
    print("A throw-away SQLite file, a real server, real clients. Nothing of it stays.");
    print(&format!("Mail would go to {}, a file each.\n", app.jobs.mailer));
    let operator = token(app, Party::Operator, "operator")?;
    let api = Api::new(address)?;
    let clients = set_up(&api, &operator).await?;
    scenario::play(&api, &clients, app.clock.now()).await?;
    if !once {
        print_what_to_try(app, address, &operator).await?;
    }
    Ok(())
}

/// The OAuth clients of the demo.
struct Clients {
    mobile: (String, String),
    partner: (String, String),
}

/// Sets up Acme, its program and the partner, through the API, as an operator would.
async fn set_up(api: &Api, operator: &str) -> anyhow::Result<Clients> {
    let incentive = |key: &str, name: &str, event: &str, structure: Value, title: &str| {
        json!({
            "employer": "acme", "program": "family", "key": key, "name": name, "trigger": {"eventType": event},
            "structure": structure, "limit": {"once": true}, "outcomes": [{"achievement": {"title": title}}]
        })
    };
    let streak = json!({"streak": {"length": 5, "period": "DAY"}});
    for (mutation, input) in [
        (
            "createEmployer",
            json!({"key": "acme", "name": "Acme", "timeZone": "Europe/Berlin", "consentDefaults": {"partnerSharing": true}}),
        ),
        (
            "createPartner",
            json!({"key": "pillow-works", "name": "Pillow Works"}),
        ),
        (
            "createProgram",
            json!({"employer": "acme", "key": "family", "name": "Family first"}),
        ),
        (
            "createIncentive",
            incentive(
                "consistent-logger",
                "Consistent logger",
                "health_data.logged",
                streak,
                "A pregnancy pillow for five days in a row",
            ),
        ),
        (
            "createIncentive",
            incentive(
                "birth-reported",
                "Birth reported",
                "birth.reported",
                json!({"immediate": true}),
                "Welcome, little one",
            ),
        ),
        (
            "createIncentive",
            incentive(
                "pregnancy-reported",
                "Pregnancy reported",
                "pregnancy.reported",
                json!({"immediate": true}),
                "A gift for two",
            ),
        ),
        (
            "grantPartner",
            json!({"employer": "acme", "partner": "pillow-works", "programs": ["family"]}),
        ),
    ] {
        api.mutate(operator, mutation, &input, "userErrors { code message path }")
            .await?;
    }
    let activate =
        r#"mutation { activateProgram(input: {employer: "acme", program: "family"}) { program { state } } }"#;
    api.query(operator, activate, json!({})).await?;
    print("Acme has a program, \"Family first\", with three incentives:");
    print("  Consistent logger    health data logged on 5 days in a row");
    print("  Birth reported       the birth of a child");
    print("  Pregnancy reported   a pregnancy");
    print(
        "Pillow Works, a partner, may know what is achieved in it: never by whom, never from which event.\n",
    );
    let mobile = json!({
        "name": "Acme's mobile backend", "employer": "acme", "scopes": ["events:write", "members:write", "member:any"]
    });
    let partner = json!({"name": "Pillow Works", "partner": "pillow-works", "scopes": ["feed:read"]});
    Ok(Clients {
        mobile: client(api, operator, &mobile).await?,
        partner: client(api, operator, &partner).await?,
    })
}

async fn client(api: &Api, operator: &str, input: &Value) -> anyhow::Result<(String, String)> {
    let payload = api
        .mutate(
            operator,
            "createClient",
            input,
            "client { clientId } clientSecret userErrors { code message path }",
        )
        .await?;
    let text = |value: &Value| {
        value
            .as_str()
            .map(str::to_owned)
            .context("a client without its secret")
    };
    Ok((
        text(&payload["client"]["clientId"])?,
        text(&payload["clientSecret"])?,
    ))
}

fn token(app: &App, party: Party, scopes: &str) -> anyhow::Result<String> {
    let scopes: ScopeSet = scopes.parse()?;
    let grant = Grant {
        party,
        client_id: COMMAND_LINE_CLIENT.to_owned(),
        scopes,
        life: TOKEN_LIFE,
        token_id: app.ids.text(),
    };
    let token = issue(
        &app.verifier.ring(),
        app.verifier.authority(),
        &grant,
        app.clock.now(),
    )?;
    Ok(token.expose().to_owned())
}

async fn print_what_to_try(app: &App, address: SocketAddr, operator: &str) -> anyhow::Result<()> {
    let db = app.db.read();
    let acme = employer::find_by_key(db, "acme")
        .await?
        .context("Acme is there")?
        .id;
    let pillow = partner::find_by_key(db, "pillow-works")
        .await?
        .context("the partner is there")?
        .id;
    let partner = token(app, Party::Partner(pillow), "feed:read")?;
    let mobile = token(
        app,
        Party::Employer(acme),
        "events:write members:write member:any",
    )?;
    let admin = token(
        app,
        Party::Employer(acme),
        "programs:read achievements:read members:read",
    )?;
    print(&format!(
        "\nStill serving at http://{address} until Ctrl-C. GraphQL: http://{address}/graphql"
    ));
    print("Tokens, good for 12 hours:\n");
    for (name, token) in [("PARTNER", &partner), ("MOBILE", &mobile), ("ADMIN", &admin)] {
        print(&format!("{name}={token}"));
    }
    print(&format!("OPERATOR={operator}"));
    print("\nThree queries to paste after the tokens:\n");
    for (what, who, query) in [
        (
            "What the partner knows:",
            "PARTNER",
            "{ feed { entries { position achievement { title earnedOn memberRef member { id } } } hasMore endCursor } }",
        ),
        (
            "What Maria's app shows her:",
            "MOBILE",
            r#"{ member(externalId: \"maria\") { progress { incentive { name } current required deadline } } }"#,
        ),
        (
            "What Acme's administrators see of all that: counts of groups that are large enough, and nobody's health data:",
            "ADMIN",
            "{ employer { programs { incentives { name tally { memberCount } } } } achievements { nodes { title } } }",
        ),
    ] {
        print(&format!("# {what}"));
        print(&format!(
            "curl -s http://{address}/graphql -H \"authorization: Bearer ${who}\" -H 'content-type: application/json' -d '{{\"query\": \"{query}\"}}'\n"
        ));
    }
    Ok(())
}
