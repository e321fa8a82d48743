//! How PostgreSQL is told to keep the tables through which every event goes, and which of their rows it can change in place.

use std::collections::BTreeMap;

use entity::db::sql::Sql;
use entity::{incentive, member, progress};
use sea_orm::{ConnectionTrait, FromQueryResult};

use crate::harness::{Kind, TestApp, World, run, streak_input};

/// Tables and the columns of them that change while events go through.
const CHANGING: &[(&str, &[&str])] = &[
    ("feed_head", &["position", "oldest"]),
    ("progress", &["state", "updated_at"]),
    ("points_cap", &["gross", "granted"]),
    ("refusal", &["count"]),
    ("program", &["budget_spent"]),
    (
        "points_account",
        &["available", "pending", "debt", "entries", "due_at"],
    ),
    ("points_lot", &["remaining", "is_active"]),
    (
        "delivery",
        &[
            "lease",
            "due_at",
            "attempts",
            "tries",
            "tried_since",
            "delivered_at",
        ],
    ),
    (
        "message",
        &[
            "state",
            "due_at",
            "lease",
            "tries",
            "slot_category",
            "slot_on",
            "settled_at",
        ],
    ),
];

/// The indexes, by what they know, that a change has to write: their rows are looked up by what changes, and so move.
const MOVING: &[&str] = &[
    "delivery.delivered_at: delivery_by_end, delivery_due",
    "delivery.due_at: delivery_due, delivery_leased",
    "delivery.lease: delivery_leased",
    "message.due_at: message_due, message_due_of",
    "message.settled_at: message_by_end",
    "message.slot_on: message_slot",
    "message.state: message_of_campaign, message_unknown",
    // Only where points end or become active later; of what never ends it is null, and stays so.
    "points_account.due_at: points_account_by_due",
    "points_lot.remaining: points_lot_open",
];

mod busy_tables_are_cleaned_up_before_they_grow {
    #[tokio::test]
    async fn postgres() {
        super::run(super::Kind::Postgres, super::are_cleaned_up).await;
    }
}

mod what_every_event_changes_is_in_no_index_that_could_do_without {
    #[tokio::test]
    async fn postgres() {
        super::run(super::Kind::Postgres, super::in_no_index).await;
    }
}

mod what_a_member_is_remembered_by_is_changed_in_place {
    #[tokio::test]
    async fn postgres() {
        super::run(super::Kind::Postgres, super::in_place).await;
    }
}

#[derive(FromQueryResult)]
struct Parameter {
    name: String,
    setting: String,
}

async fn are_cleaned_up(app: &TestApp) {
    let db = app.app.db.read();
    let sql = "SELECT relname || '.' || option_name AS name, option_value AS setting
               FROM pg_class, pg_options_to_table(reloptions) WHERE relkind = 'r'";
    let rows: Vec<Parameter> = Sql::on(db, sql).all(db).await.unwrap();
    let settings: BTreeMap<String, String> = rows.into_iter().map(|row| (row.name, row.setting)).collect();
    let number = |table: &str, setting: &str| -> Option<f64> {
        settings.get(&format!("{table}.{setting}"))?.parse().ok()
    };
    // A queue, however long it was, and counters: after so many changes, whatever their size.
    for table in ["event", "feed_head", "refusal", "program"] {
        assert_eq!(
            number(table, "autovacuum_vacuum_scale_factor"),
            Some(0.0),
            "{table}"
        );
        assert!(
            number(table, "autovacuum_vacuum_threshold").unwrap() <= 5_000.0,
            "{table}"
        );
    }
    // What grows: before a twentieth of it is dead, where the server's own setting is a fifth.
    for table in [
        "contribution",
        "delivery",
        "delivery_attempt",
        "feed_entry",
        "kept_event",
        "message",
        "points_account",
        "points_cap",
        "points_lot",
        "progress",
        "receipt",
    ] {
        let factor = number(table, "autovacuum_vacuum_scale_factor");
        assert!(factor.unwrap_or(0.2) <= 0.05, "{table}");
    }
    // What is changed in place leaves room for it.
    for table in [
        "feed_head",
        "points_account",
        "points_cap",
        "progress",
        "program",
        "refusal",
    ] {
        assert!(number(table, "fillfactor").unwrap_or(100.0) <= 80.0, "{table}");
    }
    assert_eq!(settings["event.vacuum_truncate"], "false");
}

#[derive(FromQueryResult)]
struct Indexed {
    name: String,
    indexes: String,
}

async fn in_no_index(app: &TestApp) {
    let db = app.app.db.read();
    // PostgreSQL notes which columns an index depends on: those it is made of and those that its WHERE names. Whole keys are constraints.
    let sql = "SELECT relation.relname || '.' || attname AS name, string_agg(index.relname, ', ' ORDER BY index.relname) AS indexes
               FROM (SELECT DISTINCT classid, objid, refclassid, refobjid, refobjsubid FROM pg_depend) AS dependence
               JOIN pg_class AS index ON index.oid = objid AND index.relkind = 'i'
               JOIN pg_class AS relation ON relation.oid = refobjid AND relation.relkind = 'r'
               JOIN pg_attribute ON attrelid = refobjid AND attnum = refobjsubid
               WHERE classid = 'pg_class'::regclass AND refclassid = 'pg_class'::regclass
               GROUP BY relation.relname, attname ORDER BY 1";
    let rows: Vec<Indexed> = Sql::on(db, sql).all(db).await.unwrap();
    let indexed: BTreeMap<String, String> = rows.into_iter().map(|row| (row.name, row.indexes)).collect();
    let mut moving = Vec::new();
    for (table, columns) in CHANGING {
        let known = format!(
            "SELECT count(*) AS count FROM pg_attribute WHERE attrelid = '{table}'::regclass AND attname IN ('{}')",
            columns.join("', '")
        );
        assert_eq!(
            app.count(&known).await,
            i64::try_from(columns.len()).unwrap(),
            "{table}"
        );
        for column in *columns {
            let name = format!("{table}.{column}");
            if let Some(indexes) = indexed.get(&name) {
                moving.push(format!("{name}: {indexes}"));
            }
        }
    }
    moving.sort();
    assert_eq!(moving, MOVING);
}

const MEMBERS: usize = 2_000;

async fn in_place(app: &TestApp) {
    let world = World::new(app).await;
    world
        .incentive(streak_input("daily", 5, serde_json::json!({"unlimited": true})))
        .await;
    app.sql(&format!(
        "INSERT INTO member (employer_id, id, external_id, attributes, created_at, updated_at)
         SELECT employer.id, gen_random_uuid(), 'm-' || i, '{{}}', 1, 1 FROM generate_series(1, {MEMBERS}) AS i, employer"
    ))
    .await
    .unwrap();
    let db = app.app.db.read();
    let incentive = incentive::find_by_key(db, world.employer, "daily").await.unwrap();
    let incentive = incentive.unwrap().id;
    let names: Vec<_> = (1..=MEMBERS)
        .map(|number| (world.employer, format!("m-{number}")))
        .collect();
    let members = member::peek_by_external_ids(db, &names).await.unwrap();
    let remembered = |state: &str| -> Vec<progress::Progress> {
        let of = |member: &member::Model| progress::Progress {
            employer_id: world.employer,
            member_id: member.id,
            incentive_id: incentive,
            state: state.to_owned(),
            updated_at: app.now().into(),
        };
        members.iter().map(of).collect()
    };
    let txn = app.app.db.write_txn().await.unwrap();
    progress::put(&*txn, &remembered("{\"before\": 1}"))
        .await
        .unwrap();
    txn.commit().await.unwrap();

    // Every tenth of them, as many as a page has room for.
    let changed: Vec<_> = remembered("{\"before\": 2}").into_iter().step_by(10).collect();
    let txn = app.app.db.write_txn().await.unwrap();
    progress::put(&*txn, &changed).await.unwrap();
    let (updated, in_place) = updates(&*txn, "progress").await;
    txn.rollback().await.unwrap();
    assert_eq!(updated, i64::try_from(changed.len()).unwrap());
    assert_eq!(in_place, updated, "the others were written into every index anew");
}

/// How many rows of a table this transaction has changed, and how many of them in place.
async fn updates(connection: &impl ConnectionTrait, table: &str) -> (i64, i64) {
    #[derive(FromQueryResult)]
    struct Updates {
        updated: i64,
        in_place: i64,
    }
    let found: Option<Updates> = Sql::on(
        connection,
        "SELECT n_tup_upd AS updated, n_tup_hot_upd AS in_place FROM pg_stat_xact_user_tables WHERE relname = ",
    )
    .bind(table)
    .one(connection)
    .await
    .unwrap();
    let found = found.unwrap();
    (found.updated, found.in_place)
}
