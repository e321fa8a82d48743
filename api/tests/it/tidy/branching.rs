//! What is done in one place alone: telling the databases apart, opening a transaction.

use super::tree::Tree;
use super::{Finding, Rule, file};

/// The backend is asked for here: statements with two arms, column types, and the lock under which migrations run.
const TWO_ARMS: &[&str] = &[
    "entity/src/db.rs",
    "entity/src/db/",
    "migration/src/column.rs",
    "migration/src/lib.rs",
];

pub fn rules() -> Vec<Rule> {
    vec![
        Rule {
            name: "one code path for both databases",
            instead: "write a function with two arms in entity::db",
            check: Box::new(|tree| {
                named(
                    tree,
                    TWO_ARMS,
                    &[
                        "DbBackend",
                        "DatabaseBackend",
                        ".get_database_backend",
                        "get_database_backend",
                    ],
                )
            }),
            bad: vec![
                file(
                    "entity/src/feed.rs",
                    "fn f(b: B) -> bool { b == DbBackend::Sqlite }",
                ),
                file(
                    "jobs/src/evaluate.rs",
                    "fn f(b: B) -> bool { matches!(b, sea_orm::DatabaseBackend::Postgres) }",
                ),
                file(
                    "api/src/intake.rs",
                    "fn f(db: &Db) { g(db.get_database_backend()) }",
                ),
                file(
                    "entity/src/feed.rs",
                    "fn f(db: &Db) { ConnectionTrait::get_database_backend(db); }",
                ),
            ],
            good: vec![
                file(
                    "entity/src/db/sql.rs",
                    "fn f(b: B) -> bool { b == DbBackend::Sqlite }",
                ),
                file(
                    "entity/src/feed.rs",
                    "// Not DbBackend::Sqlite.\nfn f() -> &'static str { \"DbBackend::Sqlite\" }",
                ),
                file(
                    "entity/tests/it/columns.rs",
                    "fn f(b: B) -> bool { b == DbBackend::Sqlite }",
                ),
            ],
        },
        // Clippy cannot tell ours from the call that `#[sea_orm::model]` generates.
        Rule {
            name: "transactions are opened in one place",
            instead: "use entity::db::write_txn: SQLite needs IMMEDIATE, and a bounded retry",
            check: Box::new(|tree| named(tree, TWO_ARMS, &[".begin"])),
            bad: vec![file(
                "jobs/src/evaluate.rs",
                "async fn f(db: &Db) { let txn = db.begin().await; }",
            )],
            good: vec![
                file(
                    "entity/src/db.rs",
                    "async fn f(db: &Db) { let txn = db.begin().await; }",
                ),
                file(
                    "jobs/src/rules/streak/runs.rs",
                    "fn f(run: &Run) -> u16 { begin(run.beginning()) }",
                ),
            ],
        },
    ]
}

/// Where one of these words stands outside of these places and of the test binaries, which may look into either database.
fn named(tree: &Tree, places: &[&str], words: &[&str]) -> Vec<Finding> {
    let files = tree
        .rust()
        .filter(|file| !file.is_in(places) && !file.is_test_binary());
    files
        .flat_map(|file| {
            let found = file
                .code()
                .words
                .iter()
                .filter(|word| words.contains(&word.name.as_str()));
            found.map(|word| Finding::new(file, word.line, format!("says {}", word.name)))
        })
        .collect()
}
