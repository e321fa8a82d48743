//! What reading costs: however long a list is, and whatever is asked of each of its items, it takes the same number of statements.

mod crowd;
mod shape;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use api::auth::viewer::Party;
use api::graphql::loader::Nouns;
use async_graphql::{Request, Variables};
use serde_json::{Value, json};

use crate::harness::{Statements, TestApp, World};
use crowd::Crowd;
use shape::Shape;

on_both!(a_list_costs_as_many_statements_however_long_it_is);

/// Who reads a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Who {
    Operator,
    Employer,
    Partner,
}

use Who::{Employer, Operator, Partner};

impl Who {
    fn scopes(self) -> &'static str {
        match self {
            Operator => "operator",
            Employer => {
                "achievements:read audit:read member:any members:read points:read programs:read programs:write \
                 redemptions:write reports:read"
            }
            Partner => "feed:read fulfilment:write webhooks:write",
        }
    }

    fn party(self, world: &World<'_>) -> Party {
        match self {
            Operator => Party::Operator,
            Employer => Party::Employer(world.employer),
            Partner => Party::Partner(world.partner),
        }
    }
}

/// Every list there is: its field, who reads it, and a document in which `*` stands for all that can be asked of an item without asking for a
/// further list.
const LISTS: &[(&str, Who, &str)] = &[
    (
        "Query.employers",
        Operator,
        "{ employers(first: 12) { nodes * } }",
    ),
    ("Query.partners", Operator, "{ partners(first: 12) { nodes * } }"),
    ("Query.clients", Operator, "{ clients(first: 12) { nodes * } }"),
    (
        "Query.deadEvents",
        Operator,
        "{ deadEvents(first: 12) { nodes * } }",
    ),
    ("Query.auditLog", Operator, "{ auditLog(first: 12) { nodes * } }"),
    (
        "Query.achievements",
        Employer,
        "{ achievements(first: 12) { nodes * } }",
    ),
    (
        "Query.campaigns",
        Employer,
        "{ campaigns(first: 12) { nodes * } }",
    ),
    (
        "Query.unknownMessages",
        Employer,
        "{ unknownMessages(first: 12) { nodes * } }",
    ),
    (
        "Query.memberActivity",
        Employer,
        "{ memberActivity(first: 12) { entries * } }",
    ),
    ("Query.feed", Partner, "{ feed(first: 12) { entries * } }"),
    ("Query.webhookEndpoints", Partner, "{ webhookEndpoints * }"),
    (
        "WebhookEndpoint.deliveries",
        Partner,
        "query($endpoint: ID!) { node(id: $endpoint) { ... on WebhookEndpoint { deliveries(first: 12) { nodes * } } } }",
    ),
    (
        "Simulation.awards",
        Employer,
        "query($dryRun: SimulateInput!) { simulate(input: $dryRun) { awards * } }",
    ),
    (
        "Employer.auditLog",
        Employer,
        "{ employer { auditLog(first: 100) { nodes * } } }",
    ),
    ("Employer.eventTypes", Employer, "{ employer { eventTypes * } }"),
    ("Employer.grants", Employer, "{ employer { grants * } }"),
    (
        "Employer.members",
        Employer,
        "{ employer { members(first: 12) { nodes * } } }",
    ),
    ("Employer.programs", Employer, "{ employer { programs * } }"),
    (
        "Employer.refusedEvents",
        Employer,
        "{ employer { refusedEvents * } }",
    ),
    (
        "Report.achievements",
        Employer,
        "{ employer { report(from: \"2026-11-01\", to: \"2026-11-30\") { achievements * } } }",
    ),
    (
        "Report.liability",
        Employer,
        "{ employer { report(from: \"2026-11-01\", to: \"2026-11-30\") { liability * } } }",
    ),
    (
        "Report.pointsByDay",
        Employer,
        "{ employer { report(from: \"2026-11-01\", to: \"2026-11-30\") { pointsByDay * } } }",
    ),
    (
        "Report.redemptions",
        Employer,
        "{ employer { report(from: \"2026-11-01\", to: \"2026-11-30\") { redemptions * } } }",
    ),
    (
        "Program.boosts",
        Employer,
        "{ program(key: \"wellbeing\") { boosts * } }",
    ),
    (
        "Program.incentives",
        Employer,
        "{ program(key: \"wellbeing\") { incentives * } }",
    ),
    (
        "Program.rewards",
        Employer,
        "{ program(key: \"wellbeing\") { rewards(first: 12) { nodes * } } }",
    ),
    (
        "Incentive.versions",
        Employer,
        "{ program(key: \"steady\") { incentives { versions * } } }",
    ),
    (
        "Member.achievements",
        Employer,
        "{ member(externalId: \"ada\") { achievements(first: 12) { nodes * } } }",
    ),
    (
        "Member.consents",
        Employer,
        "{ member(externalId: \"ada\") { consents * } }",
    ),
    (
        "Member.events",
        Employer,
        "{ member(externalId: \"ada\") { events(first: 12) { nodes * } } }",
    ),
    (
        "Member.messages",
        Employer,
        "{ member(externalId: \"ada\") { messages(first: 12) { nodes * } } }",
    ),
    (
        "Member.points",
        Employer,
        "{ member(externalId: \"ada\") { points * } }",
    ),
    (
        "Member.pointsHistory",
        Employer,
        "{ member(externalId: \"ada\") { pointsHistory(first: 12) { nodes * } } }",
    ),
    (
        "Member.progress",
        Employer,
        "{ member(externalId: \"ada\") { progress * } }",
    ),
    (
        "Member.redemptions",
        Employer,
        "{ member(externalId: \"ada\") { redemptions(first: 12) { nodes * } } }",
    ),
    (
        "Member.sharing",
        Employer,
        "{ member(externalId: \"ada\") { sharing(first: 12) { nodes * } } }",
    ),
];

/// Lists that are stored in one row with what they are part of, or are read with it: `*` asks for them too.
const PARTS: &[&str] = &[
    "Boost.where",
    "CampaignFunnel.dropped",
    "Explanation.events",
    "IncentiveVersion.outcomes",
    "IncentiveVersion.unless",
    "LevelScheme.levels",
    "Sequence.steps",
    "Trigger.where",
    "WebhookDelivery.attempts",
];

/// Lists of which each item of another list has one of its own, and how many statements that takes each: pages above all, which are cut where
/// the index says, and what is worked out of many rows. Whoever asks for many of them pays for each, and asks for few at once.
const ONE_BY_ONE: &[(&str, usize)] = &[
    ("Employer.auditLog", 2),
    ("Employer.grants", 4),
    ("Employer.refusedEvents", 1),
    ("Member.achievements", 1),
    ("Member.consents", 1),
    ("Member.events", 2),
    ("Member.messages", 1),
    ("Member.points", 1),
    ("Member.pointsHistory", 1),
    ("Member.progress", 2),
    ("Member.redemptions", 1),
    ("Member.sharing", 2),
    ("Program.rewards", 1),
    ("WebhookEndpoint.deliveries", 3),
];

/// Lists of what came of the asking, of which nothing is read.
const ANSWERS: &[&str] = &["CampaignPreview.userErrors", "Simulation.userErrors"];

async fn a_list_costs_as_many_statements_however_long_it_is(app: &TestApp) {
    let shape = Shape::of(app, PARTS);
    let known = LISTS
        .iter()
        .map(|(field, _, _)| *field)
        .chain(PARTS.iter().copied());
    let known = known.chain(ANSWERS.iter().copied()).map(str::to_owned);
    assert_eq!(
        shape.lists(),
        known.collect::<BTreeSet<_>>(),
        "every list has its line here"
    );
    let mut crowd = Crowd::new(app).await;
    crowd.grow(1).await;
    let documents = documents(&shape);
    let few = costs(&crowd, &documents).await;
    crowd.grow(10).await;
    let many = costs(&crowd, &documents).await;
    let mut faults = Vec::new();
    for ((name, (few_items, few)), (many_items, many)) in few.into_iter().zip(many.into_values()) {
        let of_each = name.rsplit_once(OF_EACH).map(|(_, inner)| inner);
        let of_each = ONE_BY_ONE.iter().find(|(field, _)| of_each == Some(*field));
        let more = of_each.map_or(0, |(_, each)| 9 * each);
        if many_items <= few_items || many > few + more {
            faults.push(format!(
                "{name}: {few} statements for {few_items} items, {many} for {many_items}"
            ));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Stands in the name of a document between a list and the list in each of its items.
const OF_EACH: &str = ", and of each ";

/// The documents of all lists, by their names, and of the lists in each item of a list.
fn documents(shape: &Shape) -> BTreeMap<String, (Who, String)> {
    let mut documents = BTreeMap::new();
    for (field, who, document) in LISTS {
        let item = shape.item(field);
        let all = shape.selection(&item, who.scopes());
        documents.insert((*field).to_owned(), (*who, document.replace('*', &all)));
        for (inner, selection) in shape.lists_in(&item, who.scopes()) {
            let name = format!("{field}{OF_EACH}{inner}");
            documents.insert(name, (*who, document.replace('*', &selection)));
        }
    }
    documents
}

/// How long what is asked for at once may take to be asked for.
const GATHER: Duration = Duration::from_millis(30);

/// What each document costs, after how many items it brings.
async fn costs(
    crowd: &Crowd<'_>,
    documents: &BTreeMap<String, (Who, String)>,
) -> BTreeMap<String, (usize, usize)> {
    let world = &crowd.world;
    let app = world.app;
    let statements = Statements::count(app);
    let mut costs = BTreeMap::new();
    for (name, (who, document)) in documents {
        let token = app.token(who.party(world), who.scopes());
        let viewer = app.app.verifier.authenticate(&token, app.now()).unwrap();
        // Past the door, which does not let anybody ask for all at once; and with time to gather what is asked for, however slow the
        // machine is.
        let request = Request::new(document)
            .variables(Variables::from_json(crowd.variables()))
            .data(Arc::clone(&viewer))
            .data(Nouns::loaders(app.app.db.clone()).delay(GATHER));
        let (answer, cost) = statements.of(app.app.schema().execute(request)).await;
        let answer = serde_json::to_value(&answer).unwrap();
        assert!(answer.get("errors").is_none(), "{document}\n{answer:#}");
        costs.insert(name.clone(), (items(&answer["data"]), cost));
    }
    costs
}

/// How many things the lists in an answer bring.
fn items(value: &Value) -> usize {
    match value {
        Value::Array(list) => list.len() + list.iter().map(items).sum::<usize>(),
        Value::Object(fields) => fields.values().map(items).sum(),
        _ => 0,
    }
}

/// The dry run of an incentive on so many events.
fn dry_run(events: usize) -> Value {
    let incentive = json!({
        "program": "wellbeing", "key": "draft", "name": "draft", "trigger": {"eventType": "meditation.completed"},
        "structure": {"immediate": true}, "limit": {"unlimited": true}, "outcomes": [{"achievement": {"title": "A title"}}],
    });
    let events = (0..events).map(|index| {
        json!({"id": format!("dry-{index}"), "member": "ada", "occurredAt": "2026-11-20T10:00:00Z", "type": "meditation.completed"})
    });
    json!({"incentive": incentive, "events": events.collect::<Vec<_>>()})
}
