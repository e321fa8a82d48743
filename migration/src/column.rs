//! The portable column types: the only place where the schema differs between the databases.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::{ConnectionTrait, DbBackend, DbErr};

/// What stands in braces, on SQLite and on PostgreSQL.
const TYPES: &[(&str, &str, &str)] = &[
    ("{id}", "BLOB", "uuid"),
    ("{bytes}", "BLOB", "bytea"),
    ("{text}", "TEXT", "text"),
    ("{int}", "INTEGER", "integer"),
    ("{bigint}", "INTEGER", "bigint"),
    // Microseconds since 1970-01-01T00:00:00Z.
    ("{instant}", "INTEGER", "bigint"),
    ("{date}", "TEXT", "date"),
    ("{bool}", "INTEGER", "boolean"),
    ("{true}", "1", "true"),
    ("{false}", "0", "false"),
    ("{json}", "TEXT", "jsonb"),
    // SQLite then checks the declared types, as PostgreSQL always does.
    ("{strict}", " STRICT", ""),
    // Small rows found by their whole primary key: SQLite then keeps them in the key's own tree.
    ("{strict_keyed}", " STRICT, WITHOUT ROWID", ""),
];

/// The SQL for the database at hand.
fn render(sql: &str, backend: DbBackend) -> String {
    TYPES
        .iter()
        .fold(sql.to_owned(), |text, (name, sqlite, postgres)| {
            text.replace(
                name,
                if backend == DbBackend::Postgres {
                    postgres
                } else {
                    sqlite
                },
            )
        })
}

/// Runs the statements of `sql`, in order.
pub async fn run(manager: &SchemaManager<'_>, sql: &str) -> Result<(), DbErr> {
    let connection = manager.get_connection();
    connection
        .execute_unprepared(&render(sql, connection.get_database_backend()))
        .await
        .map(|_| ())
}

/// Refuses every later UPDATE of `table`: its rows are facts.
pub async fn forbid_update(manager: &SchemaManager<'_>, table: &str) -> Result<(), DbErr> {
    let connection = manager.get_connection();
    let sql = if connection.get_database_backend() == DbBackend::Postgres {
        format!(
            "CREATE FUNCTION {table}_is_immutable() RETURNS trigger LANGUAGE plpgsql AS
               $$ BEGIN RAISE EXCEPTION '{table} is immutable'; END $$;
             CREATE TRIGGER {table}_is_immutable BEFORE UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION {table}_is_immutable();"
        )
    } else {
        format!(
            "CREATE TRIGGER {table}_is_immutable BEFORE UPDATE ON {table}
             BEGIN SELECT RAISE(ABORT, '{table} is immutable'); END;"
        )
    };
    connection.execute_unprepared(&sql).await.map(|_| ())
}

/// Takes back [`forbid_update`].
pub async fn allow_update(manager: &SchemaManager<'_>, table: &str) -> Result<(), DbErr> {
    let connection = manager.get_connection();
    let sql = if connection.get_database_backend() == DbBackend::Postgres {
        format!("DROP TRIGGER {table}_is_immutable ON {table}; DROP FUNCTION {table}_is_immutable();")
    } else {
        format!("DROP TRIGGER {table}_is_immutable;")
    };
    connection.execute_unprepared(&sql).await.map(|_| ())
}

/// Refuses to UPDATE or DELETE (that is the `operation`) the rows of `table` for which `condition` holds, which may name `OLD` and, of an
/// update, `NEW`.
pub async fn forbid(
    manager: &SchemaManager<'_>,
    table: &str,
    operation: &str,
    condition: &str,
) -> Result<(), DbErr> {
    let connection = manager.get_connection();
    let name = format!("{table}_no_{}", operation.to_lowercase());
    let sql = if connection.get_database_backend() == DbBackend::Postgres {
        format!(
            "CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS
               $$ BEGIN RAISE EXCEPTION '{table} only grows'; END $$;
             CREATE TRIGGER {name} BEFORE {operation} ON {table} FOR EACH ROW WHEN ({condition}) EXECUTE FUNCTION {name}();"
        )
    } else {
        format!(
            "CREATE TRIGGER {name} BEFORE {operation} ON {table} WHEN ({condition})
             BEGIN SELECT RAISE(ABORT, '{table} only grows'); END;"
        )
    };
    connection.execute_unprepared(&sql).await.map(|_| ())
}

/// Takes back [`forbid`].
pub async fn allow(manager: &SchemaManager<'_>, table: &str, operation: &str) -> Result<(), DbErr> {
    let connection = manager.get_connection();
    let name = format!("{table}_no_{}", operation.to_lowercase());
    let sql = if connection.get_database_backend() == DbBackend::Postgres {
        format!("DROP TRIGGER {name} ON {table}; DROP FUNCTION {name}();")
    } else {
        format!("DROP TRIGGER {name};")
    };
    connection.execute_unprepared(&sql).await.map(|_| ())
}

/// Sets storage parameters of `table` on PostgreSQL, by name and value; SQLite has none.
pub async fn set_storage(
    manager: &SchemaManager<'_>,
    table: &str,
    parameters: &[(&str, &str)],
) -> Result<(), DbErr> {
    let settings: Vec<String> = parameters
        .iter()
        .map(|(name, value)| format!("{name} = {value}"))
        .collect();
    alter_storage(
        manager,
        &format!("ALTER TABLE {table} SET ({})", settings.join(", ")),
    )
    .await
}

/// Takes back [`set_storage`]: the server's own settings hold again.
pub async fn reset_storage(
    manager: &SchemaManager<'_>,
    table: &str,
    parameters: &[(&str, &str)],
) -> Result<(), DbErr> {
    let names: Vec<&str> = parameters.iter().map(|(name, _)| *name).collect();
    alter_storage(
        manager,
        &format!("ALTER TABLE {table} RESET ({})", names.join(", ")),
    )
    .await
}

async fn alter_storage(manager: &SchemaManager<'_>, sql: &str) -> Result<(), DbErr> {
    let connection = manager.get_connection();
    if connection.get_database_backend() != DbBackend::Postgres {
        return Ok(());
    }
    connection.execute_unprepared(sql).await.map(|_| ())
}
