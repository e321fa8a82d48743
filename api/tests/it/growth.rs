//! What a year leaves behind does not make the next day dearer: with as much as stands below, a tenth of what an employer with 1,000,000
//! members and 10,000,000 achievements has, every statement of the application finds its rows by an index and reads no more of them than
//! it is about.
//!
//! The data is made once, and then the application does a day's work twice, while the server tells of each statement what it has done.

mod plan;
mod work;

use std::collections::BTreeMap;

use entity::id::{EmployerId, PartnerId};
use sea_orm::ConnectionTrait;
use tracing_subscriber::layer::SubscriberExt;

use crate::harness::{Database, Kind, Receiver, TABLES, TestApp, World};
use plan::{Plans, Seen, TELL};

mod no_statement_reads_more_because_the_tables_are_full {
    #[tokio::test]
    async fn postgres() {
        super::no_statement_reads_more().await;
    }
}

/// Receipts, and contributions: of events that could still come again or be taken back.
const EVENTS: usize = 10_000_000;
const ACHIEVEMENTS: usize = 1_000_000;
const MEMBERS: usize = 100_000;
/// Of everything that there is less of.
const SOME: usize = 200_000;

/// A table of more rows than that is not read from end to end.
const LARGE: i64 = 10_000;
/// Rows that one step of a plan may read: the purge deletes 5,000 at once, a batch has 1,000 events with what each is about.
const ROWS: u64 = 25_000;
/// Pages that a statement may look at beyond those of its rows.
const PAGES: u64 = 6_000;
/// The same of the purge: each batch walks over what all before it have deleted and no vacuum has cleaned up yet. Whether one has is not
/// known here; all that a round deletes is a fraction of the table.
const PAGES_OF_THE_DEAD: u64 = 40_000;

/// Statements that read more, by a part of their text, and why that is so.
const KNOWN: &[(&str, &str)] = &[
    (
        r#"AND "achievement"."earned_on" >= $3"#,
        "pages are in the order of recording, in which days lie together only roughly",
    ),
    (
        "SELECT progress.* FROM progress CROSS JOIN employer",
        "once an hour all progress is looked through; an index by time would have to be written with every event",
    ),
    (
        "SELECT recorded_on, category, kind, sensitive, CAST(SUM(amount)",
        "a report reads the days that it is asked for",
    ),
    (
        "SELECT achievement.incentive_id, incentive.sensitive, achievement.earned_on, COUNT(*)",
        "likewise",
    ),
    (
        "SELECT account.category, CAST(SUM(account.available",
        "what is owed is the sum of all accounts",
    ),
    (
        "count(*) AS achievements, count(DISTINCT achievement.member_id)",
        "members are counted, and nobody keeps a count of them",
    ),
    (
        "SELECT campaign_id, state, reason, count(*) AS messages, count(DISTINCT member_id)",
        "likewise",
    ),
    (
        "SELECT message.campaign_id, count(DISTINCT message.member_id) AS members",
        "likewise",
    ),
    (
        "SELECT redemption.reward_id, CAST(SUM(redemption.quantity) AS bigint) AS sum",
        "what was redeemed is summed up, and nobody keeps a sum of it",
    ),
];

async fn no_statement_reads_more() {
    let database = Database::migrated(Kind::Postgres).await;
    let receiver = Receiver::start().await;
    let app = TestApp::start(database.url(), 1).await;
    let world = work::set_up(&app, &receiver).await;
    let (employer, partner) = (world.employer, world.partner);
    fill(&app).await;
    let large = large(&app).await;
    app.stop().await;

    let plans = Plans::default();
    let guard = tracing::subscriber::set_default(tracing_subscriber::registry().with(plans.clone()));
    let custom = one_round(&database, 0, (employer, partner), &plans).await;
    let generic = one_round(&database, 1, (employer, partner), &plans).await;
    drop(guard);
    for table in &large {
        assert!(
            custom.values().any(|seen| seen.tables.contains(table)),
            "nobody has read {table}"
        );
    }
    let mut dear: Vec<String> = custom
        .iter()
        .filter_map(|(text, seen)| judge(text, seen, &large))
        .collect();
    dear.extend(generic.iter().filter_map(|(text, seen)| {
        let comes = custom.get(text).is_none_or(|custom| seen.would_replace(custom));
        judge(text, seen, &large).filter(|_| comes)
    }));
    assert!(dear.is_empty(), "{}", dear.join("\n"));
    for (part, _) in KNOWN {
        assert!(
            custom.keys().any(|text| text.contains(part)),
            "nobody says {part} any more"
        );
    }
    database.drop().await;
}

/// A day's work with plans for the values at hand, or with those that are made for any, as the server comes to prefer after a while.
async fn one_round(
    database: &Database,
    round: usize,
    (employer, partner): (EmployerId, PartnerId),
    plans: &Plans,
) -> BTreeMap<String, Seen> {
    let seed = 2 + 2 * u64::try_from(round).unwrap();
    let app = TestApp::start(database.url(), seed).await;
    let mode = ["force_custom_plan", "force_generic_plan"][round];
    set(&app, "plan_cache_mode", mode).await;
    app.stop().await;
    plans.take();
    let app = TestApp::start(database.url(), seed + 1).await;
    let world = World {
        app: &app,
        employer,
        partner,
    };
    work::duties(&world).await;
    work::members_do(&world, ["2026-11-18", "2026-11-19"][round]).await;
    work::all_is_changed(&world, round).await;
    work::all_is_read(&world).await;
    work::duties(&world).await;
    app.stop().await;
    plans.take()
}

/// What is wrong with what a statement has done.
fn judge(text: &str, seen: &Seen, large: &[String]) -> Option<String> {
    if KNOWN.iter().any(|(part, _)| text.contains(part)) {
        return None;
    }
    let whole = seen.whole.iter().any(|table| large.contains(table));
    let pages = if text.starts_with("DELETE") {
        PAGES_OF_THE_DEAD
    } else {
        PAGES
    };
    (whole || seen.rows > ROWS || seen.excess > pages).then(|| format!("{text}\n    {seen:?}"))
}

/// Multiplies what is there of Ada.
async fn fill(app: &TestApp) {
    let now = app.now().timestamp_micros().to_string();
    let large: Vec<String> = FILLED.iter().map(|table| format!("'{table}'")).collect();
    let sizes = [
        ("{events}", EVENTS),
        ("{achievements}", ACHIEVEMENTS),
        ("{members}", MEMBERS),
        ("{some}", SOME),
    ];
    let mut sql = include_str!("growth/data.sql")
        .replace("{now}", &now)
        .replace("{large}", &large.join(", "));
    for (name, size) in sizes {
        sql = sql.replace(name, &size.to_string());
    }
    app.sql(&sql).await.unwrap();
    for table in FILLED {
        app.sql(&format!(
            "SET LOCAL maintenance_work_mem = '256MB'; SET LOCAL max_parallel_maintenance_workers = 0; REINDEX TABLE {table}"
        ))
        .await
        .unwrap();
    }
    let db = app.app.db.read();
    db.execute_unprepared("VACUUM ANALYZE").await.unwrap();
    for (setting, value) in TELL {
        set(app, setting, value).await;
    }
}

/// The tables whose indexes are built when they are full.
const FILLED: &[&str] = &[
    "achievement",
    "contribution",
    "delivery",
    "earning",
    "feed_entry",
    "kept_event",
    "member",
    "message",
    "points_entry",
    "points_lot",
    "points_posting",
    "progress",
    "receipt",
    "redemption",
];

/// Sets something for all who connect to the database from now on.
async fn set(app: &TestApp, setting: &str, value: &str) {
    let url = app.url.rsplit('/').next().unwrap();
    app.sql(&format!("ALTER DATABASE {url} SET {setting} = '{value}'"))
        .await
        .unwrap();
}

/// The tables that are too large to be read from end to end.
async fn large(app: &TestApp) -> Vec<String> {
    let mut large = Vec::new();
    for table in TABLES {
        let rows = format!("SELECT reltuples::bigint AS count FROM pg_class WHERE oid = '{table}'::regclass");
        if app.count(&rows).await > LARGE {
            large.push(table.to_owned());
        }
    }
    large
}
