//! The schema comes up from nothing, goes down again and comes back, and may be brought up by many at once.

use entity::db::Db;
use migration::{Migrator, MigratorTrait};
use sea_orm::ConnectionTrait;

use crate::harness::{DEADLINE, Database, Kind, TABLES, count};

mod the_schema_goes_up_down_and_up_again {
    use super::{Kind, up_down_up};

    #[tokio::test]
    async fn sqlite() {
        up_down_up(Kind::Sqlite).await;
    }

    #[tokio::test]
    async fn postgres() {
        up_down_up(Kind::Postgres).await;
    }
}

mod many_processes_may_migrate_at_once {
    use super::{Kind, at_once};

    #[tokio::test(flavor = "multi_thread")]
    async fn sqlite() {
        at_once(Kind::Sqlite).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn postgres() {
        at_once(Kind::Postgres).await;
    }
}

mod what_was_written_before_a_change_of_the_schema_survives_it {
    use super::{Kind, survival};

    #[tokio::test]
    async fn sqlite() {
        survival(Kind::Sqlite).await;
    }

    #[tokio::test]
    async fn postgres() {
        survival(Kind::Postgres).await;
    }
}

async fn up_down_up(kind: Kind) {
    let database = Database::empty(kind).await;
    let db = Db::open_with(database.url(), 2).await.unwrap();
    assert!(!migration::is_current(db.read()).await.unwrap());
    migration::migrate(db.read()).await.unwrap();
    assert!(migration::is_current(db.read()).await.unwrap());
    let first = tables(&db).await;
    assert_eq!(first, TABLES, "the harness counts the rows of every table");
    Migrator::down(db.read(), None).await.unwrap();
    assert_eq!(tables(&db).await, Vec::<String>::new());
    migration::migrate(db.read()).await.unwrap();
    assert_eq!(tables(&db).await, first);
    // Once more changes nothing.
    migration::migrate(db.read()).await.unwrap();
    assert_eq!(tables(&db).await, first);
    db.close().await.unwrap();
    database.drop().await;
}

async fn at_once(kind: Kind) {
    let database = Database::empty(kind).await;
    let starts: Vec<_> = (0..6)
        .map(|_| {
            let url = database.url().to_owned();
            tokio::spawn(async move {
                let db = Db::open_with(&url, 2).await.unwrap();
                migration::migrate(db.read()).await.unwrap();
                assert!(migration::is_current(db.read()).await.unwrap());
                db.close().await.unwrap();
            })
        })
        .collect();
    let all = futures_util::future::try_join_all(starts);
    tokio::time::timeout(DEADLINE, all).await.unwrap().unwrap();
    database.drop().await;
}

/// A row of each table that was there before achievements could be taken back; `#7` is an id.
const BEFORE: &str = "
INSERT INTO employer (id, key, name, time_zone, enrolment, minimum_group_size, default_partner_sharing, default_email, created_at)
  VALUES (#1, 'acme', 'Acme', 'UTC', 'OPEN', 5, true, true, 1);
INSERT INTO event_type (employer_id, id, key, name, sensitive, max_late_seconds, max_future_seconds, retention_seconds, created_at)
  VALUES (#1, #2, 'walk', 'Walk', false, 0, 0, 0, 1);
INSERT INTO member (employer_id, id, external_id, attributes, created_at, updated_at) VALUES (#1, #3, 'ada', '{}', 1, 1);
INSERT INTO partner (id, key, name, pairwise_key, created_at) VALUES (#4, 'spa', 'Spa', {bytes}, 1);
INSERT INTO feed_head (partner_id, position) VALUES (#4, 1);
INSERT INTO program (employer_id, id, key, name, day_starts_at_minutes, state, created_at, activated_at)
  VALUES (#1, #5, 'wellbeing', 'Wellbeing', 0, 'ACTIVE', 1, 1);
INSERT INTO incentive (employer_id, id, program_id, key, name, sensitive, created_at) VALUES (#1, #6, #5, 'walks', 'Walks', false, 1);
INSERT INTO incentive_version (employer_id, incentive_id, version, event_types, definition, outcomes, published_at)
  VALUES (#1, #6, 1, '[]', '{}', '[]', 1);
INSERT INTO receipt (employer_id, source, event_id, body_digest, accepted_at, expires_at) VALUES (#1, '', 'e1', {bytes}, 1, 2);
INSERT INTO achievement (employer_id, id, member_id, incentive_id, incentive_version, program_id, period_key, ordinal, title, sensitive,
  earned_on, recorded_at, status) VALUES (#1, #7, #3, #6, 1, #5, '', 1, 'Walked', false, '2026-11-20', 1, 'EARNED');
INSERT INTO feed_entry (partner_id, position, id, employer_id, kind, achievement_id, member_ref, recorded_at)
  VALUES (#4, 1, #8, #1, 'ACHIEVEMENT_EARNED', #7, 'somebody', 1);
";

async fn survival(kind: Kind) {
    let database = Database::empty(kind).await;
    let db = Db::open_with(database.url(), 2).await.unwrap();
    Migrator::up(db.read(), Some(5)).await.unwrap();
    run(&db, BEFORE).await.unwrap();
    let written = counts(&db).await;
    assert_eq!(written.iter().filter(|(_, rows)| *rows == 1).count(), 11);
    migration::migrate(db.read()).await.unwrap();
    for (table, rows) in counts(&db).await {
        let before = written.iter().find(|(name, _)| *name == table);
        assert_eq!(rows, before.map_or(0, |(_, rows)| *rows), "rows of {table}");
    }
    assert_as_written(&db).await;
    // What a version once was, it is for ever, and a feed tells of nothing that is not there.
    run(&db, "UPDATE incentive_version SET restarts = true")
        .await
        .unwrap_err();
    run(&db, "UPDATE feed_entry SET achievement_id = #9")
        .await
        .unwrap_err();
    run(&db, "UPDATE achievement SET member_id = #9")
        .await
        .unwrap_err();
    run(&db, "DELETE FROM achievement").await.unwrap_err();

    Migrator::down(db.read(), Some(13)).await.unwrap();
    assert_eq!(counts(&db).await, written);
    migration::migrate(db.read()).await.unwrap();
    assert_as_written(&db).await;
    db.close().await.unwrap();
    database.drop().await;
}

/// The achievement and its entry tell what they told before, and nothing has been made up.
async fn assert_as_written(db: &Db) {
    for row in [
        "achievement WHERE title = 'Walked' AND ordinal = 1 AND earned_on = '2026-11-20' AND recorded_at = 1 AND status = 'EARNED'
         AND why IS NULL AND revoked_at IS NULL AND revocation_reason IS NULL",
        "feed_entry WHERE position = 1 AND kind = 'ACHIEVEMENT_EARNED' AND member_ref = 'somebody' AND recorded_at = 1",
        "employer WHERE NOT sandbox AND clock_offset_micros = 0 AND activity_since IS NULL",
        "partner WHERE key = 'spa' AND employer_id IS NULL",
        "program WHERE budget IS NULL AND budget_spent = 0 AND paused_at IS NULL AND ended_at IS NULL",
        "incentive_version WHERE NOT restarts",
        "receipt WHERE member_id IS NULL AND event_type_id IS NULL",
    ] {
        assert_eq!(count(db, &format!("SELECT count(*) AS count FROM {row}")).await, 1, "{row}");
    }
}

/// How many rows each table holds.
async fn counts(db: &Db) -> Vec<(String, i64)> {
    let mut counts = Vec::new();
    for table in tables(db).await {
        let rows = count(db, &format!("SELECT count(*) AS count FROM {table}")).await;
        counts.push((table, rows));
    }
    counts
}

/// Runs statements in which `#7` is an id and `{bytes}` a byte string.
async fn run(db: &Db, sql: &str) -> Result<(), sea_orm::DbErr> {
    let is_sqlite = db.kind() == entity::db::Kind::Sqlite;
    let mut sql = sql.replace("{bytes}", if is_sqlite { "x'00'" } else { "'\\x00'" });
    for number in 1..=9 {
        let id = if is_sqlite {
            format!("x'{number:032}'")
        } else {
            format!("'00000000-0000-0000-0000-{number:012}'")
        };
        sql = sql.replace(&format!("#{number}"), &id);
    }
    let txn = db.write_txn().await?;
    txn.execute_unprepared(&sql).await?;
    txn.commit().await
}

#[tokio::test]
async fn sqlites_writer_is_as_careful_as_its_readers() {
    let database = Database::empty(Kind::Sqlite).await;
    let db = Db::open_with(database.url(), 2).await.unwrap();
    let writer = db.write_txn().await.unwrap();
    for (setting, expected) in [
        ("foreign_keys", "1"),
        ("synchronous", "2"),
        ("journal_mode", "wal"),
    ] {
        assert_eq!(pragma(db.read(), setting).await, expected, "a reader's {setting}");
        assert_eq!(
            pragma(&*writer, setting).await,
            expected,
            "the writer's {setting}"
        );
    }
    writer.rollback().await.unwrap();
    db.close().await.unwrap();
    database.drop().await;
}

/// What a setting of SQLite is on this connection.
async fn pragma(connection: &impl ConnectionTrait, setting: &str) -> String {
    #[derive(sea_orm::FromQueryResult)]
    struct Row {
        value: String,
    }
    let sql = format!("SELECT CAST({setting} AS TEXT) AS value FROM pragma_{setting}");
    let row = entity::db::sql::Sql::on(connection, &sql)
        .one::<Row>(connection)
        .await;
    row.unwrap().unwrap().value
}

/// The tables of ours, by name.
async fn tables(db: &Db) -> Vec<String> {
    #[derive(sea_orm::FromQueryResult)]
    struct Row {
        name: String,
    }
    let rows: Vec<Row> = entity::db::sql::Sql::on(db.read(), "SELECT name FROM ")
        .either(
            "sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name <> 'seaql_migrations'",
            "(SELECT table_name::text AS name FROM information_schema.tables
              WHERE table_schema = 'public' AND table_name <> 'seaql_migrations') AS tables",
        )
        .push(" ORDER BY name")
        .all(db.read())
        .await
        .unwrap();
    rows.into_iter().map(|row| row.name).collect()
}
