//! The schema comes up from nothing, goes down again and comes back, and may be brought up by many at once.

use entity::db::Db;
use migration::{Migrator, MigratorTrait};

use crate::harness::{DEADLINE, Database, Kind, TABLES};

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
async fn pragma(connection: &impl sea_orm::ConnectionTrait, setting: &str) -> String {
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
