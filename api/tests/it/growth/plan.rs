//! What PostgreSQL has done for each statement of the application: the plans that were run, with the rows and pages that they touched, as
//! the server tells them itself (`auto_explain`). No statement is written down here a second time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

/// What lets a server tell the plan of every statement of a database to whoever has sent it, statements of foreign keys included.
pub const TELL: &[(&str, &str)] = &[
    ("session_preload_libraries", "auto_explain"),
    ("auto_explain.log_min_duration", "0"),
    ("auto_explain.log_analyze", "on"),
    ("auto_explain.log_buffers", "on"),
    ("auto_explain.log_timing", "off"),
    ("auto_explain.log_nested_statements", "on"),
    ("auto_explain.log_format", "json"),
    ("auto_explain.log_level", "notice"),
    ("client_min_messages", "notice"),
];

/// Collects what the server tells.
#[derive(Clone, Default)]
pub struct Plans(Arc<Mutex<BTreeMap<String, Seen>>>);

/// The most that a statement has done at any time.
#[derive(Debug, Default, Clone)]
pub struct Seen {
    /// How often it was run.
    pub runs: usize,
    /// Rows that one step of its plan has read or thrown away.
    pub rows: u64,
    /// Pages that it has looked at.
    pub pages: u64,
    /// Pages for each row: whoever walks over an index reads many for few.
    pub excess: u64,
    /// What the planner takes it to cost, at least.
    pub cost: f64,
    /// The tables that it has read from end to end.
    pub whole: BTreeSet<String>,
    /// All tables that it has read.
    pub tables: BTreeSet<String>,
}

impl Seen {
    /// Whether PostgreSQL would go on with this plan, which is for any values, after five runs with plans for the values at hand: when it
    /// takes it to be no dearer than they are with the time that it takes to make them.
    pub fn would_replace(&self, custom: &Self) -> bool {
        let tables = u32::try_from(self.tables.len()).unwrap();
        self.cost < custom.cost + 2.5 * f64::from(tables + 1)
    }
}

impl Plans {
    /// Takes what was seen so far, by the text of the statement.
    pub fn take(&self) -> BTreeMap<String, Seen> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }

    fn note(&self, told: &str) {
        let Some((_, plan)) = told.split_once("plan:\n") else {
            return;
        };
        let told: Value = serde_json::from_str(plan).unwrap();
        let text = told["Query Text"].as_str().unwrap().split_whitespace();
        let text = text.collect::<Vec<_>>().join(" ");
        let top = &told["Plan"];
        let mut now = Seen::default();
        walk(top, asked_for(top), &mut now);
        let pages = number(top, "Shared Hit Blocks") + number(top, "Shared Read Blocks");
        let mut seen = self.0.lock().unwrap();
        let seen = seen.entry(text).or_default();
        let cost = top["Total Cost"].as_f64().unwrap_or(0.0);
        seen.cost = if seen.runs == 0 { cost } else { seen.cost.min(cost) };
        seen.runs += 1;
        seen.rows = seen.rows.max(now.rows);
        seen.pages = seen.pages.max(pages);
        seen.excess = seen.excess.max(pages.saturating_sub(PAGES_FOR_A_ROW * now.rows));
        seen.whole.append(&mut now.whole);
        seen.tables.append(&mut now.tables);
    }
}

/// The pages that a row may cost: it is found in the index of its key and read, and a row that is written goes into every index.
const PAGES_FOR_A_ROW: u64 = 40;

/// One row in so many: to find a row by an index costs the server as much as to read so many in passing.
const A_LARGE_PART: u64 = 500;

/// A table is begun and left again where a join turns out to have nothing on its other side.
const A_FEW: u64 = 100;

fn number(node: &Value, name: &str) -> u64 {
    node[name].as_u64().unwrap_or(0)
}

/// Rows that a step of a plan has read or thrown away.
fn rows(node: &Value) -> u64 {
    let thrown_away = number(node, "Rows Removed by Filter")
        + number(node, "Rows Removed by Index Recheck")
        + number(node, "Rows Removed by Join Filter");
    (number(node, "Actual Rows") + thrown_away) * number(node, "Actual Loops")
}

/// How many rows a statement was given to look others up by.
fn asked_for(node: &Value) -> u64 {
    let below = node["Plans"].as_array().into_iter().flatten().map(asked_for);
    let here = (node["Node Type"] == "Function Scan").then(|| rows(node));
    below.chain(here).max().unwrap_or(0)
}

/// Adds what one step of a plan and those below it have done.
fn walk(node: &Value, asked_for: u64, seen: &mut Seen) {
    let rows = rows(node);
    let table = node["Relation Name"].as_str();
    seen.tables.extend(table.map(str::to_owned));
    let whole = table.filter(|_| node["Node Type"] == "Seq Scan" && rows > A_FEW);
    // Who asks for so large a part of a table at once has it sooner by reading all of it.
    if whole.is_none() || rows > A_LARGE_PART * asked_for {
        seen.rows = seen.rows.max(rows);
        seen.whole.extend(whole.map(str::to_owned));
    }
    for below in node["Plans"].as_array().into_iter().flatten() {
        walk(below, asked_for, seen);
    }
}

impl<S: Subscriber> Layer<S> for Plans {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if event.metadata().target() == "sqlx::postgres::notice" {
            event.record(&mut Message(self));
        }
    }
}

struct Message<'a>(&'a Plans);

impl Visit for Message<'_> {
    fn record_str(&mut self, _: &Field, value: &str) {
        self.0.note(value);
    }

    fn record_debug(&mut self, _: &Field, _: &dyn std::fmt::Debug) {}
}

#[test]
fn a_table_that_is_read_from_end_to_end_is_noticed() {
    let plans = Plans::default();
    let tell = |asked_for: u64| {
        plans.note(&format!(
            r#"duration: 0.1 ms  plan:
{{"Query Text": "SELECT *\n FROM receipt", "Plan": {{"Node Type": "Hash Join", "Actual Rows": 1, "Actual Loops": 1, "Shared Hit Blocks": 70,
  "Shared Read Blocks": 30, "Plans": [
  {{"Node Type": "Function Scan", "Actual Rows": {asked_for}, "Actual Loops": 1}},
  {{"Node Type": "Seq Scan", "Relation Name": "receipt", "Actual Rows": 1, "Rows Removed by Filter": 499, "Actual Loops": 2}}]}}}}"#,
        ));
        let (text, seen) = plans.take().pop_first().unwrap();
        assert_eq!(text, "SELECT * FROM receipt");
        seen
    };
    let seen = tell(1);
    assert_eq!((seen.rows, seen.pages), (1_000, 100));
    assert_eq!(seen.whole.first().unwrap(), "receipt");
    assert!(tell(2).whole.is_empty());
    plans.note("something else");
    assert!(plans.take().is_empty());
}
