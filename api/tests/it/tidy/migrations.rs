//! A migration that nobody runs is worse than none.

use super::tree::{File, Tree};
use super::{Finding, Rule};

pub fn rules() -> Vec<Rule> {
    vec![Rule {
        name: "every migration is registered, in order",
        instead: "add it to the end of the list in migration/src/lib.rs",
        check: Box::new(check),
        bad: vec![
            vec![migration("m1_a"), lib("mod m1_a;")],
            vec![
                migration("m1_a"),
                migration("m2_b"),
                lib("fn f() { vec![Box::new(m1_a::Migration)] }"),
            ],
            vec![
                migration("m1_a"),
                migration("m2_b"),
                lib("fn f() { vec![Box::new(m2_b::Migration), Box::new(m1_a::Migration)] }"),
            ],
            vec![migration("m1_a")],
        ],
        good: vec![
            vec![
                lib("fn f() {}"),
                ("migration/src/column.rs", "pub fn text() {}".to_owned()),
            ],
            vec![
                migration("m1_a"),
                migration("m2_b"),
                lib(
                    "mod m1_a; mod m2_b; fn f() { vec![Box::new(m1_a::Migration), Box::new(m2_b::Migration)] }",
                ),
            ],
        ],
    }]
}

fn check(tree: &Tree) -> Vec<Finding> {
    let lib = tree.rust().find(|file| file.path == "migration/src/lib.rs");
    let registered: Vec<&str> = lib.iter().flat_map(|lib| registered(lib)).collect();
    let mut findings = Vec::new();
    for file in tree.rust().filter(|file| is_migration(file)) {
        let stem = file
            .path
            .rsplit('/')
            .next()
            .and_then(|name| name.strip_suffix(".rs"))
            .unwrap_or_default();
        if !registered.contains(&stem) {
            findings.push(Finding::new(
                file,
                1,
                format!("{stem}::Migration is not registered"),
            ));
        }
    }
    if let (Some(lib), false) = (lib, registered.is_sorted()) {
        findings.push(Finding::new(
            lib,
            1,
            "the migrations are not in the order of their names",
        ));
    }
    findings
}

/// The modules whose `Migration` the list names.
fn registered(lib: &File) -> Vec<&str> {
    lib.code()
        .paths
        .iter()
        .filter_map(|path| path.name.strip_suffix("::Migration"))
        .collect()
}

fn is_migration(file: &File) -> bool {
    file.path.starts_with("migration/src/")
        && file.path != "migration/src/lib.rs"
        && file.code().words.iter().any(|word| word.name == "MigrationTrait")
}

fn migration(stem: &str) -> (&'static str, String) {
    let path = match stem {
        "m1_a" => "migration/src/m1_a.rs",
        _ => "migration/src/m2_b.rs",
    };
    (path, "impl MigrationTrait for Migration {}".to_owned())
}

fn lib(text: &str) -> (&'static str, String) {
    ("migration/src/lib.rs", text.to_owned())
}
