//! The README: each block of GraphQL in it is run, from top to bottom, as a reader would paste it, and the answers that it shows are
//! the ones that come.

use api::auth::viewer::Party;
use serde_json::{Value, json};

use crate::harness::{Caller, TestApp};

on_both!(what_a_reader_pastes_does_what_the_readme_says);

/// The clients that the README shows, as files that the end-to-end tests run.
const SHOWN: [(&str, &str, &str); 2] = [
    ("js", "partner.mjs", include_str!("../clients/partner.mjs")),
    ("python", "partner.py", include_str!("../clients/partner.py")),
];

#[test]
fn the_clients_that_are_shown_are_those_that_run() {
    for (language, name, text) in SHOWN {
        let block = format!("```{language}\n{text}```\n");
        assert!(README.contains(&block), "README.md does not show {name} as it is");
    }
}

const README: &str = include_str!("../../../README.md");

/// A block of GraphQL.
struct Block {
    /// Its first line, for whoever reads a failure.
    line: usize,
    text: String,
    /// The answer that is shown behind it.
    answer: Option<Value>,
}

fn blocks() -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut lines = README.lines().enumerate();
    let mut follows_block = false;
    while let Some((place, line)) = lines.next() {
        let Some(language) = line.strip_prefix("```") else {
            follows_block = false;
            continue;
        };
        let inside = lines.by_ref().take_while(|(_, line)| *line != "```");
        let text: Vec<&str> = inside.map(|(_, line)| line).collect();
        let text = text.join("\n");
        match language {
            "graphql" => blocks.push(Block {
                line: place + 2,
                text,
                answer: None,
            }),
            "json" if follows_block => {
                let answer = serde_json::from_str(&text)
                    .unwrap_or_else(|error| panic!("README.md:{}: {error}", place + 2));
                blocks.last_mut().unwrap().answer = Some(answer);
            }
            _ => {}
        }
        follows_block = language == "graphql";
    }
    blocks
}

/// Whoever the first line of a block says; else the operator.
async fn caller<'a>(app: &'a TestApp, block: &Block) -> Caller<'a> {
    let first = block.text.lines().next().unwrap();
    let operator = app.operator();
    match first.strip_prefix("# ") {
        None => operator,
        Some("MOBILE") => {
            let data = operator
                .data("{ employer(key: \"lab\") { id } }", json!({}))
                .await;
            let employer = data["employer"]["id"].as_str().unwrap().parse().unwrap();
            app.by(
                Party::Employer(employer),
                "events:write member:any webhooks:write",
            )
        }
        Some("PARTNER") => {
            let data = operator.data("{ partners { nodes { id } } }", json!({})).await;
            let partner = data["partners"]["nodes"][0]["id"]
                .as_str()
                .unwrap()
                .parse()
                .unwrap();
            app.by(Party::Partner(partner), "feed:read webhooks:write")
        }
        Some(other) => panic!("README.md:{}: nobody is called {other}", block.line),
    }
}

/// What is refused anywhere in an answer.
fn refusals(answer: &Value) -> Vec<&Value> {
    match answer {
        Value::Object(fields) => fields
            .iter()
            .flat_map(|(name, value)| match (name.as_str(), value) {
                ("userErrors", Value::Array(errors)) => errors.iter().collect(),
                ("error", Value::Object(_)) => vec![value],
                _ => refusals(value),
            })
            .collect(),
        Value::Array(items) => items.iter().flat_map(refusals).collect(),
        _ => Vec::new(),
    }
}

async fn what_a_reader_pastes_does_what_the_readme_says(app: &TestApp) {
    let blocks = blocks();
    let shown = blocks.iter().filter(|block| block.answer.is_some()).count();
    assert!(blocks.len() > 10 && shown > 2, "{} {shown}", blocks.len());
    for block in blocks {
        let is_mutation = block.text.contains("mutation");
        assert!(
            !is_mutation || block.text.contains("userErrors"),
            "README.md:{}: a reader would not see what is refused",
            block.line
        );
        let answer = caller(app, &block).await.data(&block.text, json!({})).await;
        let refused = refusals(&answer);
        assert!(refused.is_empty(), "README.md:{}: {refused:?}", block.line);
        if let Some(shown) = block.answer {
            assert_eq!(answer, shown, "README.md:{}", block.line);
        }
        app.run_jobs().await;
    }
}
