//! What any committed text must not hold, and how long a file may be.

use super::tree::{File, Tree};
use super::{Finding, Rule, file};

/// What one head holds.
pub const LONG: usize = 400;
/// What none does.
pub const TOO_LONG: usize = 800;

/// Words that would be found in this file if they were written whole.
const UNFINISHED: [&str; 2] = [concat!("FIX", "ME"), concat!("XX", "X")];
const LATER: &str = concat!("TO", "DO");
const IGNORED_EXAMPLE: [&str; 2] = [concat!("```", "ignore"), concat!("```rust,", "ignore")];
const PLACES: [&str; 2] = [concat!("/wo", "rk/"), concat!("/ro", "ot/")];
const SCHEME: &str = concat!("https:/", "/");
/// Parts of the names of hosts that packages come from.
const REGISTRY: [&str; 7] = [
    "registry",
    "artifact",
    "mirror",
    "npmjs",
    "pypi",
    "pythonhosted",
    "static.crates",
];

pub fn rules() -> Vec<Rule> {
    vec![
        Rule {
            name: "one shape for modules",
            instead: "write foo.rs beside foo/",
            check: Box::new(|tree| {
                let named = tree.files.iter().filter(|file| file.path.ends_with("/mod.rs"));
                named.map(|file| Finding::new(file, 1, "is a mod.rs")).collect()
            }),
            bad: vec![file("api/src/graphql/mod.rs", "")],
            good: vec![
                file("api/src/graphql/period_mod.rs", ""),
                file("api/src/graphql.rs", ""),
            ],
        },
        Rule {
            name: "a file holds what one head holds",
            instead: "split it along its nouns",
            check: Box::new(|tree| {
                let long = tree.rust().filter(|file| file.lines() > TOO_LONG);
                long.map(|file| Finding::new(file, TOO_LONG, format!("has {} lines", file.lines())))
                    .collect()
            }),
            bad: vec![file("api/src/app.rs", "\n".repeat(TOO_LONG + 1))],
            good: vec![
                file("api/src/app.rs", "\n".repeat(TOO_LONG)),
                file("schema.graphql", "\n".repeat(TOO_LONG * 9)),
            ],
        },
        Rule {
            name: "every test runs",
            instead: "mend it or remove it",
            check: Box::new(skipped_tests),
            bad: vec![
                file("api/src/app.rs", "#[test]\n#[ignore]\nfn f() {}"),
                file("api/src/app.rs", "#[test]\n#[ignore = \"slow\"]\nfn f() {}"),
                file(
                    "api/src/app.rs",
                    "#[cfg_attr(debug_assertions, ignore)]\nfn f() {}",
                ),
                file(
                    "api/src/app.rs",
                    format!("/// {}\n/// f();\n/// ```\nfn f() {{}}", IGNORED_EXAMPLE[0]),
                ),
                file(
                    "api/src/app.rs",
                    format!("/// {}\n/// f();\n/// ```\nfn f() {{}}", IGNORED_EXAMPLE[1]),
                ),
            ],
            good: vec![
                file(
                    "entity/src/member.rs",
                    "#[sea_orm(ignore)]\nstruct S { #[serde(default)] ignore: u8 }",
                ),
                file(
                    "api/src/app.rs",
                    "// #[ignore]\nfn f() -> &'static str { \"#[ignore]\" }",
                ),
            ],
        },
        Rule {
            name: "nothing is left for later in silence",
            instead: "finish it, or open an issue and name its number",
            check: Box::new(|tree| tree.files.iter().flat_map(unfinished).collect()),
            bad: vec![
                file("api/src/app.rs", "fn f() { todo!() }"),
                file("api/src/app.rs", "fn f() { unimplemented!(\"later\") }"),
                file("README.md", format!("{}: say more", UNFINISHED[0])),
                file(".ci/run", format!("# {} check this", UNFINISHED[1])),
                file("api/src/app.rs", format!("// {LATER}: retry")),
                file("api/src/app.rs", format!("// {LATER}(ann): retry # 3")),
            ],
            good: vec![
                file("api/src/app.rs", format!("// {LATER}(#12): retry")),
                file(".ci/run", format!("mktemp /tmp/a.{0}{0}", UNFINISHED[1])),
                file(
                    "api/src/app.rs",
                    "fn todo(unimplemented: bool) -> bool { unimplemented != true }",
                ),
            ],
        },
        Rule {
            name: "no text names the machine it was written on",
            instead: "leave out paths and package hosts (npm: --omit-lockfile-registry-resolved)",
            check: Box::new(|tree| tree.files.iter().flat_map(machine_names).collect()),
            bad: vec![
                file("README.md", format!("see {}main/README.md", PLACES[0])),
                file(".ci/run", format!("source {}.profile", PLACES[1])),
                file(
                    "api/tests/clients/package-lock.json",
                    format!("\"resolved\": \"{SCHEME}registry.npmjs.org/ws/-/ws-8.tgz\""),
                ),
                file(
                    "Cargo.lock",
                    format!("source = \"registry+{SCHEME}cargo.artifacts.example/index\""),
                ),
                file(
                    "api/src/app.rs",
                    format!("// {SCHEME}user@pypi.example.org:8080/simple"),
                ),
            ],
            good: vec![
                file(
                    "Cargo.lock",
                    "source = \"registry+https://github.com/rust-lang/crates.io-index\"",
                ),
                file(
                    "README.md",
                    "See https://docs.rs/registry and https://example.org/mirror; a network/path.",
                ),
                file(
                    "api/src/main.rs",
                    "fn f() { tracing_subscriber::registry().init() }",
                ),
            ],
        },
    ]
}

fn skipped_tests(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.rust() {
        let ignored = file
            .code()
            .attributes
            .iter()
            .filter(|attribute| attribute.name == "ignore");
        findings.extend(ignored.map(|attribute| Finding::new(file, attribute.line, "ignores a test")));
        findings.extend(lines_with(file, |line| {
            IGNORED_EXAMPLE.iter().any(|fence| line.contains(fence))
        }));
    }
    findings
}

fn unfinished(file: &File) -> Vec<Finding> {
    let mut findings = lines_with(file, |line| {
        let mut words = line.split(|char: char| !char.is_ascii_alphanumeric() && char != '_');
        words.clone().any(|word| UNFINISHED.contains(&word))
            || (words.any(|word| word == LATER) && !has_issue(line))
    });
    if file.is_rust() {
        let macros = ["todo!", "unimplemented!"];
        let left = file
            .code()
            .words
            .iter()
            .filter(|word| macros.contains(&word.name.as_str()));
        findings.extend(left.map(|word| Finding::new(file, word.line, format!("calls {}", word.name))));
    }
    findings
}

/// Whether the line holds `#` and a number right after it.
fn has_issue(line: &str) -> bool {
    line.split('#')
        .skip(1)
        .any(|rest| rest.starts_with(|char: char| char.is_ascii_digit()))
}

fn machine_names(file: &File) -> Vec<Finding> {
    lines_with(file, |line| {
        let is_registry = |host: &str| REGISTRY.iter().any(|part| host.contains(part));
        PLACES.iter().any(|place| line.contains(place))
            || line.split("://").skip(1).map(host).any(is_registry)
    })
}

/// The host at the beginning of what follows `://`.
fn host(rest: &str) -> &str {
    let authority = rest
        .split(['/', '"', '\'', ' ', ')', '>', '?', '#'])
        .next()
        .unwrap_or_default();
    authority.rsplit('@').next().unwrap_or_default()
}

fn lines_with(file: &File, is_bad: impl Fn(&str) -> bool) -> Vec<Finding> {
    let lines = file.text.lines().enumerate();
    let bad = lines.filter(|(_, line)| is_bad(line));
    bad.map(|(index, line)| Finding::new(file, index + 1, format!("says {:?}", line.trim())))
        .collect()
}
