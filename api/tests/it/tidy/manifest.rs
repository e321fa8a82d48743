//! What the manifests must say.

use super::tree::{File, Tree};
use super::{Finding, Rule, file};

pub fn rules() -> Vec<Rule> {
    vec![
        Rule {
            name: "every dependency says what it is for",
            instead: "write one comment line above it",
            check: Box::new(|tree| root(tree).flat_map(unexplained).collect()),
            bad: vec![
                file("Cargo.toml", "[workspace.dependencies]\nserde = \"1\"\n"),
                file(
                    "Cargo.toml",
                    "[workspace.dependencies]\n# JSON.\nserde_json = \"1\"\nserde = { version = \"1\" }\n",
                ),
                file("Cargo.toml", "[workspace.dependencies]\n#\nserde = \"1\"\n"),
            ],
            good: vec![
                file(
                    "Cargo.toml",
                    "[package]\nname = \"x\"\n[workspace.dependencies]\nours = { path = \"ours\" }\n",
                ),
                file(
                    "Cargo.toml",
                    "[workspace.dependencies]\n# Values.\nserde = { version = \"1\", features = [\n  \"derive\",\n] }\n",
                ),
                file(
                    "Cargo.toml",
                    "[workspace.dependencies]\n# Values.\nserde = \"1\"\n\n[profile.dev]\ndebug = 0\n",
                ),
            ],
        },
        Rule {
            name: "versions and lints stand in the workspace",
            instead: "write `name.workspace = true`, and `[lints]` with `workspace = true`",
            check: Box::new(|tree| members(tree).flat_map(own_ways).collect()),
            bad: vec![
                file("api/Cargo.toml", "[dependencies]\nserde.workspace = true\n"),
                file(
                    "api/Cargo.toml",
                    "[lints]\nworkspace = true\n[dependencies]\nserde = \"1\"\n",
                ),
                file(
                    "api/Cargo.toml",
                    "[lints]\nworkspace = true\n[dev-dependencies]\nserde = { version = \"1\" }\n",
                ),
            ],
            good: vec![
                file(
                    "api/Cargo.toml",
                    "[package]\nname = \"api\"\n[dependencies]\nserde.workspace = true\n[lints]\nworkspace = true\n",
                ),
                file(
                    "api/Cargo.toml",
                    "[dependencies]\ntokio = { workspace = true, features = [\"fs\"] }\n[lints]\nworkspace = true\n",
                ),
            ],
        },
    ]
}

fn root(tree: &Tree) -> impl Iterator<Item = &File> {
    tree.files.iter().filter(|file| file.path == "Cargo.toml")
}

fn members(tree: &Tree) -> impl Iterator<Item = &File> {
    tree.files
        .iter()
        .filter(|file| file.path.ends_with("/Cargo.toml"))
}

fn unexplained(file: &File) -> Vec<Finding> {
    let mut above = "";
    let mut findings = Vec::new();
    for entry in entries(file) {
        let is_explained = above.trim_start_matches('#').trim().len() > 1 && above.starts_with('#');
        let is_asked = entry.section == "workspace.dependencies" && !entry.text.contains("path = ");
        if let Some(name) = entry.key().filter(|_| is_asked && !is_explained) {
            findings.push(Finding::new(file, entry.line, format!("{name} has no comment")));
        }
        above = entry.text;
    }
    findings
}

fn own_ways(file: &File) -> Vec<Finding> {
    let mut findings = Vec::new();
    for entry in entries(file).filter(|entry| entry.section.ends_with("dependencies")) {
        if let Some(name) = entry.key().filter(|_| !entry.text.contains("workspace = true")) {
            findings.push(Finding::new(
                file,
                entry.line,
                format!("{name} has a version of its own"),
            ));
        }
    }
    if !entries(file).any(|entry| entry.section == "lints" && entry.text == "workspace = true") {
        findings.push(Finding::new(file, 1, "does not take the lints of the workspace"));
    }
    findings
}

/// A line and the section it stands in. Our manifests are plain enough to be read by lines, and only lines have comments.
struct Entry<'a> {
    section: &'a str,
    line: usize,
    text: &'a str,
}

impl<'a> Entry<'a> {
    /// The key, if the line begins with one.
    fn key(&self) -> Option<&'a str> {
        let (key, _) = self.text.split_once('=')?;
        let key = key.trim_end();
        let is_plain = |char: char| char.is_ascii_alphanumeric() || "-_.".contains(char);
        (!key.is_empty() && key.chars().all(is_plain)).then_some(key)
    }
}

fn entries(file: &File) -> impl Iterator<Item = Entry<'_>> {
    let mut section = "";
    file.text.lines().enumerate().map(move |(index, text)| {
        if let Some(name) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = name;
        }
        Entry {
            section,
            line: index + 1,
            text,
        }
    })
}
