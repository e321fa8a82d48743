//! Order inside a crate: which folder may name which crate.

use super::tree::{File, Tree};
use super::{Example, Finding, Rule, file};

/// Who may not name what.
struct Border {
    name: &'static str,
    instead: &'static str,
    /// The files and folders (which end in a slash) on this side; empty means everywhere.
    inside: &'static [&'static str],
    /// The exceptions among them.
    except: &'static [&'static str],
    /// What no path there may begin with.
    forbidden: Vec<&'static str>,
    /// What it may begin with all the same.
    allowed: &'static [&'static str],
    /// A file on this side, for the examples.
    example: &'static str,
}

const APALIS: &[&str] = &["apalis", "apalis_core", "apalis_cron"];
const DATABASE: &[&str] = &["sea_orm", "sea_orm_migration", "sqlx"];
const OURS: &[&str] = &["api", "entity", "jobs"];
const WEB: &[&str] = &[
    "async_graphql",
    "async_graphql_axum",
    "axum",
    "reqwest",
    "tower_http",
];
const WORLD: &[&str] = &[
    "tokio",
    "tokio_util",
    "futures_util",
    "std::env",
    "std::fs",
    "std::net",
    "std::thread",
];

pub fn rules() -> Vec<Rule> {
    borders().into_iter().map(Border::into_rule).collect()
}

fn borders() -> Vec<Border> {
    vec![
        Border {
            name: "rules are pure",
            instead: "take values and return values; evaluate.rs loads and records",
            inside: &["jobs/src/rules.rs", "jobs/src/rules/"],
            except: &[],
            forbidden: [DATABASE, WEB, APALIS, OURS, WORLD, &["crate"]].concat(),
            allowed: &["crate::rules"],
            example: "jobs/src/rules/streak.rs",
        },
        Border {
            name: "entity knows tables alone",
            instead: "move it up: entity has no GraphQL, no HTTP, no rules and no jobs",
            inside: &["entity/src/"],
            except: &[],
            forbidden: [WEB, APALIS, &["api", "jobs", "migration"]].concat(),
            allowed: &[],
            example: "entity/src/member.rs",
        },
        Border {
            name: "jobs answer no request",
            instead: "move it to api, or hand in what the job needs",
            inside: &["jobs/src/"],
            except: &[],
            forbidden: vec!["api", "async_graphql", "async_graphql_axum", "axum"],
            allowed: &[],
            example: "jobs/src/evaluate.rs",
        },
        Border {
            name: "apalis stays hidden",
            instead: "go through jobs::queue; leaving apalis must cost these three files and no others",
            inside: &[],
            except: &["jobs/src/queue.rs", "jobs/src/worker.rs", "jobs/src/supervise.rs"],
            forbidden: APALIS.to_vec(),
            allowed: &[],
            example: "jobs/src/evaluate.rs",
        },
        Border {
            name: "migrations are frozen history",
            instead: "write the SQL of that day: today's entities will change, a migration must not",
            inside: &["migration/src/"],
            except: &[],
            forbidden: OURS.to_vec(),
            allowed: &[],
            example: "migration/src/m20261121_000001_create_tenants.rs",
        },
        Border {
            name: "domain operations decide, resolvers translate",
            instead: "return a model or a typed error; graphql and http turn them into answers",
            inside: &["api/src/domain.rs", "api/src/domain/"],
            except: &[],
            forbidden: vec!["async_graphql", "async_graphql_axum", "axum"],
            allowed: &[],
            example: "api/src/domain/program.rs",
        },
        Border {
            name: "no cause reaches a client by accident",
            instead: "return ApiError: a `?` into async-graphql's own error sends the cause's text to the client",
            inside: &["api/src/"],
            except: &[
                "api/src/auth/guard.rs",
                "api/src/graphql/error.rs",
                "api/src/http/graphql.rs",
                "api/src/http/graphql/",
                // The schema that the doors are tested with.
                "api/src/http/toy.rs",
            ],
            forbidden: vec![
                "async_graphql::*",
                "async_graphql::Error",
                "async_graphql::FieldError",
                "async_graphql::FieldResult",
                "async_graphql::Result",
            ],
            allowed: &[],
            example: "api/src/graphql/query/program.rs",
        },
        Border {
            name: "errors that a caller branches on are enums",
            instead: "write a thiserror enum; anyhow is for main, the commands and the tests",
            inside: &["api/src/", "entity/src/", "jobs/src/", "migration/src/"],
            except: &["api/src/main.rs", "api/src/command.rs", "api/src/command/"],
            forbidden: vec!["anyhow"],
            allowed: &[],
            example: "api/src/domain/program.rs",
        },
    ]
}

impl Border {
    fn into_rule(self) -> Rule {
        Rule {
            name: self.name,
            instead: self.instead,
            bad: self.breaches(),
            good: self.near_misses(),
            check: Box::new(move |tree| self.check(tree)),
        }
    }

    fn check(&self, tree: &Tree) -> Vec<Finding> {
        let inside = tree.rust().filter(|file| self.applies_to(file));
        inside
            .flat_map(|file| {
                let named = file.code().paths.iter().filter(|path| self.forbids(&path.name));
                named.map(|path| Finding::new(file, path.line, format!("names {}", path.name)))
            })
            .collect()
    }

    fn applies_to(&self, file: &File) -> bool {
        (self.inside.is_empty() || file.is_in(self.inside)) && !file.is_in(self.except)
    }

    fn forbids(&self, path: &str) -> bool {
        self.forbidden.iter().any(|start| begins_with(path, start))
            && !self.allowed.iter().any(|start| begins_with(path, start))
    }

    /// Each forbidden path, in the ways it can be written.
    fn breaches(&self) -> Vec<Example> {
        let forms = |path: &&str| match path.rsplit_once("::") {
            Some((parent, "*")) => vec![
                format!("use {parent}::*;"),
                format!("use {parent}::{{*, Other}};"),
            ],
            Some((parent, name)) => vec![
                format!("use {path};"),
                format!("use {parent}::{{Other, {name} as Another}};"),
                format!("fn f() {{ g(|| {path}::h::<u8>()) }}"),
            ],
            None => vec![
                format!("use {path}::Thing;"),
                format!("use std::fmt;\nuse {path}::{{a::B, c::*}};"),
                format!("fn f() -> Vec<{path}::Thing> {{ vec![] }}"),
                format!("m! {{ x => ::{path}::y }}"),
            ],
        };
        self.forbidden
            .iter()
            .flat_map(forms)
            .map(|text| file(self.example, text))
            .collect()
    }

    /// The same words where they are right: in comments, in texts, as names of our own, and on the other side of the border.
    fn near_misses(&self) -> Vec<Example> {
        let mut examples = Vec::new();
        for path in &self.forbidden {
            let last = path
                .trim_end_matches("::*")
                .rsplit("::")
                .next()
                .unwrap_or_default();
            let text = format!("//! Not {path}::Thing.\nfn f() -> &'static str {{ \"use {path}::Thing;\" }}");
            examples.push(file(self.example, text));
            if last != "crate" {
                examples.push(file(
                    self.example,
                    format!("fn f(a: own::{last}::B) {{ let {last} = a.{last}; }}"),
                ));
            }
            let elsewhere = if self.inside.is_empty() {
                "jobs/src/queue.rs"
            } else {
                "api/tests/it/x.rs"
            };
            examples.push(file(
                elsewhere,
                format!("use {}::Thing;", path.trim_end_matches("::*")),
            ));
        }
        examples.extend(
            self.allowed
                .iter()
                .map(|path| file(self.example, format!("use {path}::Thing;"))),
        );
        examples
    }
}

/// Whether the path is this one or goes on from it. A name of one segment counts only as the start of a longer path: alone it is
/// a variable.
fn begins_with(path: &str, start: &str) -> bool {
    let is_whole = start.contains("::") && path == start;
    is_whole
        || path
            .strip_prefix(start)
            .is_some_and(|rest| rest.starts_with("::"))
}
