//! The conventions no compiler knows: what a folder may name, what a file may hold.
//!
//! A rule is a function from the tree of sources to the findings in it, and brings along trees that it must catch and trees that it
//! must let pass, so that no rule is dead and none is a nuisance. What clippy can say, clippy says (`.clippy.toml`).

mod branching;
mod code;
mod imports;
mod manifest;
mod migrations;
mod text;
mod token;
mod tree;

use std::io::Write;

use tree::{File, Tree};

/// One convention.
struct Rule {
    name: &'static str,
    /// What to do instead; printed with every finding.
    instead: &'static str,
    check: Check,
    /// Trees, as paths and texts, with something to find in each.
    bad: Vec<Example>,
    /// Trees that come close and are right.
    good: Vec<Example>,
}

type Check = Box<dyn Fn(&Tree) -> Vec<Finding>>;

/// A small tree: paths and the texts of the files.
type Example = Vec<(&'static str, String)>;

/// A breach of a rule, and where.
struct Finding {
    path: String,
    line: usize,
    what: String,
}

impl Finding {
    fn new(file: &File, line: usize, what: impl Into<String>) -> Self {
        Self {
            path: file.path.clone(),
            line,
            what: what.into(),
        }
    }
}

fn rules() -> Vec<Rule> {
    let mut rules = Vec::new();
    rules.extend(imports::rules());
    rules.extend(branching::rules());
    rules.extend(migrations::rules());
    rules.extend(manifest::rules());
    rules.extend(text::rules());
    rules
}

/// An example of one file.
fn file(path: &'static str, text: impl Into<String>) -> Example {
    vec![(path, text.into())]
}

fn found(rule: &Rule, example: &Example) -> usize {
    let files = example
        .iter()
        .map(|(path, text)| File::new(path, text.clone()))
        .collect();
    (rule.check)(&Tree { files }).len()
}

#[test]
fn the_sources_keep_every_rule() {
    let tree = Tree::read();
    let mut findings = Vec::new();
    for rule in rules() {
        for Finding { path, line, what } in (rule.check)(&tree) {
            findings.push(format!(
                "{path}:{line}: {what}\n    {}: {}",
                rule.name, rule.instead
            ));
        }
    }
    // Straight to the terminal: what a passing test prints is not shown.
    let mut terminal = std::io::stderr();
    for file in tree.rust().filter(|file| file.lines() > text::LONG) {
        let (path, lines) = (&file.path, file.lines());
        writeln!(
            terminal,
            "{path} has {lines} lines; the limit is {}",
            text::TOO_LONG
        )
        .expect("the log is open");
    }
    assert!(
        findings.is_empty(),
        "{} findings\n{}",
        findings.len(),
        findings.join("\n")
    );
}

#[test]
fn every_rule_catches_what_breaks_it() {
    for rule in rules() {
        assert!(
            !rule.bad.is_empty(),
            "{} has no example that breaks it",
            rule.name
        );
        for example in &rule.bad {
            assert!(found(&rule, example) > 0, "{} overlooks {example:?}", rule.name);
        }
    }
}

#[test]
fn every_rule_lets_pass_what_only_comes_close() {
    for rule in rules() {
        assert!(
            !rule.good.is_empty(),
            "{} has no example that keeps it",
            rule.name
        );
        for example in &rule.good {
            assert_eq!(
                found(&rule, example),
                0,
                "{} complains about {example:?}",
                rule.name
            );
        }
    }
}

#[test]
fn the_tree_that_is_checked_is_this_repository() {
    let tree = Tree::read();
    for path in [
        "Cargo.toml",
        ".ci/run",
        "entity/src/lib.rs",
        "api/tests/it/tidy.rs",
    ] {
        assert!(
            tree.files.iter().any(|file| file.path == path),
            "{path} is not among the files read"
        );
    }
    assert!(tree.files.iter().all(|file| !file.path.starts_with("target/")));
}
