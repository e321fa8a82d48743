//! How the databases find the rows: by the index that is there for it, whatever their statistics say.

mod embedded;

use std::collections::BTreeSet;
use std::sync::Mutex;

use chrono::NaiveDate;
use entity::{contribution, feed, incentive, member, redemption};
use sea_orm::prelude::async_trait::async_trait;
use sea_orm::{ConnectionTrait, DbBackend, DbErr, ExecResult, QueryResult, Statement};
use serde_json::json;

use crate::harness::{TestApp, World, incentive_input};

on_both!(
    what_a_member_did_is_found_by_the_member_and_not_by_the_day,
    what_is_to_be_forgotten_is_found_by_the_day,
    redemptions_and_what_tells_of_them_are_looked_up,
);

const MEMBERS: usize = 60_000;
/// As many as are looked up at once.
const BATCH: usize = 1_000;

/// A connection that asks for the plan of each statement before it runs it.
struct Explaining<'a, C> {
    connection: &'a C,
    plans: Mutex<Vec<String>>,
}

impl<'a, C: ConnectionTrait> Explaining<'a, C> {
    fn new(connection: &'a C) -> Self {
        Self {
            connection,
            plans: Mutex::default(),
        }
    }

    async fn explain(&self, statement: &Statement) -> Result<(), DbErr> {
        let how = match self.get_database_backend() {
            DbBackend::Postgres => "EXPLAIN",
            _ => "EXPLAIN QUERY PLAN",
        };
        let explain = Statement {
            sql: format!("{how} {}", statement.sql),
            ..statement.clone()
        };
        let column = if how == "EXPLAIN" { "QUERY PLAN" } else { "detail" };
        for row in self.connection.query_all_raw(explain).await? {
            let line: String = row.try_get("", column)?;
            self.plans.lock().unwrap().push(line);
        }
        Ok(())
    }

    fn plan(self) -> String {
        self.plans.into_inner().unwrap().join("\n")
    }
}

#[async_trait]
impl<C: ConnectionTrait> ConnectionTrait for Explaining<'_, C> {
    fn get_database_backend(&self) -> DbBackend {
        self.connection.get_database_backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        self.explain(&statement).await?;
        self.connection.execute_raw(statement).await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        self.connection.execute_unprepared(sql).await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        self.explain(&statement).await?;
        self.connection.query_one_raw(statement).await
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        self.explain(&statement).await?;
        self.connection.query_all_raw(statement).await
    }
}

/// An employer with so many members, each with one contribution of the same day; by the statistics it is one of a thousand alike.
async fn crowd(app: &TestApp) -> World<'_> {
    let world = World::new(app).await;
    let input = incentive_input(
        "each",
        "meditation.completed",
        json!({"immediate": true}),
        json!({"unlimited": true}),
    );
    world.incentive(input).await;
    let count =
        format!("WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {MEMBERS})");
    let members = |id: &str| {
        format!(
            "INSERT INTO member (employer_id, id, external_id, attributes, created_at, updated_at)
             {count} SELECT employer.id, {id}, 'm-' || i, '{{}}', 1, 1 FROM n, employer"
        )
    };
    app.sql_either(&members("randomblob(16)"), &members("gen_random_uuid()"))
        .await;
    let contributions = |day: &str| {
        format!(
            "INSERT INTO contribution (employer_id, member_id, incentive_id, source, event_id, version, day, time_zone, occurred_at,
             amount, steps, role)
             SELECT member.employer_id, member.id, incentive.id, 's', member.external_id, 1, {day}, 'Europe/Berlin', 1, '1', 1, 'COUNTS'
             FROM member, incentive"
        )
    };
    app.sql_either(
        &contributions("'2026-11-20'"),
        &contributions("'2026-11-20'::date"),
    )
    .await;
    let believe = "ALTER TABLE contribution ALTER employer_id SET (n_distinct = 1000); ANALYZE contribution";
    app.sql_either("ANALYZE", believe).await;
    world
}

fn day() -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 11, 1).unwrap()
}

async fn what_a_member_did_is_found_by_the_member_and_not_by_the_day(app: &TestApp) {
    let world = crowd(app).await;
    let db = app.app.db.read();
    let incentive = incentive::find_by_key(db, world.employer, "each").await.unwrap();
    let names: Vec<_> = (1..=BATCH)
        .map(|number| (world.employer, format!("m-{number}")))
        .collect();
    let members = member::peek_by_external_ids(db, &names).await.unwrap();
    let incentive = incentive.unwrap().id;
    let wanted: Vec<_> = members
        .iter()
        .map(|member| ((world.employer, member.id, incentive), day()))
        .collect();
    let connection = Explaining::new(db);
    let found = contribution::list_since(&connection, &wanted).await.unwrap();
    assert_eq!(found.len(), BATCH);
    let plan = connection.plan();
    assert!(!plan.contains("contribution_by_day"), "{plan}");
}

async fn what_is_to_be_forgotten_is_found_by_the_day(app: &TestApp) {
    let world = crowd(app).await;
    let txn = app.app.db.write_txn().await.unwrap();
    let connection = Explaining::new(&*txn);
    let gone = contribution::purge(&connection, world.employer, day(), 1_000)
        .await
        .unwrap();
    assert_eq!(gone, 0);
    let plan = connection.plan();
    assert!(plan.contains("contribution_by_day"), "{plan}");
    txn.rollback().await.unwrap();
}

async fn redemptions_and_what_tells_of_them_are_looked_up(app: &TestApp) {
    let world = World::new(app).await;
    world
        .reward(json!({"key": "mug", "price": 0, "fulfilledBy": "spa"}))
        .await;
    world.members(&["ada"]).await;
    let id = world.redeemed("ada", "mug", "k1").await;
    let id = world.to_the_partner(&id).await.parse().unwrap();
    let member = (world.employer, world.member_id("ada").await);
    let txn = app.app.db.write_txn().await.unwrap();
    if app.app.db.postgres_pool().is_some() {
        // A table of one row is read as a whole, unless that is said to be dear.
        let settings = "SET LOCAL enable_seqscan = off; SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off";
        txn.execute_unprepared(settings).await.unwrap();
    }
    let connection = Explaining::new(&*txn);
    let entries = feed::list(&connection, world.partner, 0, 100).await.unwrap();
    assert_eq!(entries.len(), 1);
    // However many positions there are to look at, few or many.
    for through in [1, 100_000] {
        let none = feed::activity::list_of_member(&connection, member, (0, through), 100);
        assert!(none.await.unwrap().is_empty());
    }
    let members = BTreeSet::from([member]);
    assert_eq!(
        redemption::list_held(&connection, &members).await.unwrap().len(),
        1
    );
    assert!(
        redemption::list_untold(&connection, &members)
            .await
            .unwrap()
            .is_empty()
    );
    let award = [(world.employer, app.app.ids.next())];
    let held = redemption::list_held_of_awards(&connection, &award)
        .await
        .unwrap();
    assert!(held.is_empty());
    let due = redemption::list_due(&connection, app.now().into(), 100)
        .await
        .unwrap();
    assert!(due.is_empty());
    let found = redemption::find_of_partner(&connection, world.partner, id)
        .await
        .unwrap();
    assert!(found.is_some());
    let plan = connection.plan();
    for table in ["redemption", "achievement", "about", "feed_entry", "reward"] {
        for whole in [format!("SCAN {table}\n"), format!("Seq Scan on {table} ")] {
            assert!(!plan.contains(&whole), "{plan}");
        }
    }
    txn.rollback().await.unwrap();
}
