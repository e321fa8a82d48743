//! What partners can learn of members: from all they can read, and from all that two of them can lay side by side.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use api::auth::scope::ScopeSet;
use api::auth::viewer::Party;
use api::graphql::loader::Nouns;
use async_graphql::Request;
use async_graphql::parser::parse_schema;
use async_graphql::parser::types::{
    BaseType, ServiceDocument, Type, TypeDefinition, TypeKind, TypeSystemDefinition,
};
use entity::id::{MemberId, PartnerId, TypedId};
use serde_json::{Value, json};

use crate::harness::{TestApp, World, event, streak_input};

on_both!(
    nothing_that_a_partner_can_read_identifies_a_member,
    two_partners_find_nothing_in_common_but_what_is_everybodys,
    what_a_partner_was_told_of_it_finds_by_its_own_id_and_nobody_by_anothers,
);

const SCOPES: &str = "feed:read fulfilment:write webhooks:write";

/// Ada and Bob have earned something that "spa" and "gym" may know, and each partner has a reward of Ada's to fulfil.
async fn world(app: &TestApp) -> (World<'_>, PartnerId) {
    let world = World::new(app).await;
    let made = app
        .operator()
        .change(
            "createPartner",
            json!({"key": "gym", "name": "Gym"}),
            "partner { id }",
        )
        .await;
    world.grant("gym", "wellbeing").await;
    world
        .incentive(streak_input("always", 1, json!({"unlimited": true})))
        .await;
    let person = |name: &str| {
        json!({"externalId": format!("canary-{name}"), "email": format!("canary.{name}@example.com"),
            "timeZone": "Asia/Kathmandu", "locale": "ne-NP", "attributes": {"plan": format!("canary plan of {name}")}})
    };
    world.register(vec![person("ada"), person("bob")]).await;
    // Not on a whole second, which is all that a partner learns.
    app.set_clock("2026-11-21T12:00:00.123456Z");
    for day in [20, 21] {
        let at = format!("2026-11-{day}T10:00:00Z");
        world
            .did(
                ["ada", "bob"]
                    .map(|name| event(&format!("canary-{name}-{day}"), &format!("canary-{name}"), &at)),
            )
            .await;
    }
    world.give_points("canary-ada", "points", 1_000).await;
    for partner in ["spa", "gym"] {
        let key = format!("mug-{partner}");
        world
            .reward(json!({"key": key, "price": 10, "fulfilledBy": partner, "holdFor": "P1D"}))
            .await;
        let redeemed = world
            .redeemed("canary-ada", &key, &format!("canary-key-{partner}"))
            .await;
        let cancel = json!({"redemption": redeemed, "reason": "canary reason"});
        if partner == "spa" {
            world
                .shop()
                .change("cancelRedemption", cancel, "redemption { id }")
                .await;
        }
    }
    (world, made["partner"]["id"].as_str().unwrap().parse().unwrap())
}

/// All that this partner's token can read of its feed: every field of every object there is a way to.
async fn everything(app: &TestApp, partner: PartnerId) -> Value {
    let sdl = app.app.schema().sdl();
    let document = parse_schema(&sdl).unwrap();
    let walk = Walk {
        types: types(&document),
        scopes: SCOPES.parse().unwrap(),
    };
    let query = format!("{{ feed {} }}", walk.selection("FeedPage", &mut Vec::new()));
    let token = app.token(Party::Partner(partner), SCOPES);
    let viewer = app.app.verifier.authenticate(&token, app.now()).unwrap();
    // Past the door, which does not let anybody ask for all at once.
    let request = Request::new(query.clone())
        .data(Arc::clone(&viewer))
        .data(Nouns::loaders(app.app.db.clone()));
    let answer = app.app.schema().execute(request).await;
    let answer = serde_json::to_value(&answer).unwrap();
    assert!(answer.get("errors").is_none(), "{query}\n{answer:#}");
    answer["data"]["feed"].clone()
}

fn types(document: &ServiceDocument) -> BTreeMap<String, TypeDefinition> {
    let definitions = document
        .definitions
        .iter()
        .filter_map(|definition| match definition {
            TypeSystemDefinition::Type(definition) => Some(definition.node.clone()),
            _ => None,
        });
    definitions
        .map(|definition| (definition.name.node.to_string(), definition))
        .collect()
}

struct Walk {
    types: BTreeMap<String, TypeDefinition>,
    scopes: ScopeSet,
}

impl Walk {
    /// Every field of a type that the scopes open and that needs no argument; none of a type that is on the way already.
    fn selection(&self, name: &str, path: &mut Vec<String>) -> String {
        let Some(TypeKind::Object(object)) = self.types.get(name).map(|found| &found.kind) else {
            return String::new();
        };
        path.push(name.to_owned());
        let mut fields = Vec::new();
        for field in object.fields.iter().map(|field| &field.node) {
            let described = field.description.as_ref().map_or("", |text| text.node.as_str());
            let needs_more = field
                .arguments
                .iter()
                .any(|argument| !argument.node.ty.node.nullable && argument.node.default_value.is_none());
            if needs_more || !self.opens(described) {
                continue;
            }
            let inner = named(&field.ty.node);
            let field_name = &field.name.node;
            match self.types.get(inner).map(|found| &found.kind) {
                Some(TypeKind::Object(_)) if path.iter().any(|on_the_way| on_the_way == inner) => {}
                Some(TypeKind::Object(_)) => {
                    fields.push(format!("{field_name} {}", self.selection(inner, path)));
                }
                Some(TypeKind::Union(union)) => {
                    let members = union.members.iter().map(|member| {
                        let member = member.node.as_str();
                        format!("... on {member} {}", self.selection(member, path))
                    });
                    fields.push(format!(
                        "{field_name} {{ __typename {} }}",
                        members.collect::<String>()
                    ));
                }
                _ => fields.push(field_name.to_string()),
            }
        }
        path.pop();
        format!("{{ {} }}", fields.join(" "))
    }

    /// Whether a field of this description is open: guarded by no scope, or by one that is held.
    fn opens(&self, description: &str) -> bool {
        let Some((_, sentence)) = description.rsplit_once("Scope: ") else {
            return true;
        };
        sentence
            .split('`')
            .filter_map(|word| word.parse().ok())
            .any(|scope| self.scopes.contains(scope))
    }
}

fn named(of: &Type) -> &str {
    match &of.base {
        BaseType::Named(name) => name.as_str(),
        BaseType::List(inner) => named(inner),
    }
}

/// Every value with the path of its fields.
fn leaves(value: &Value, path: &str, found: &mut Vec<(String, String)>) {
    match value {
        Value::Object(fields) => {
            for (name, inner) in fields {
                leaves(inner, &format!("{path}.{name}"), found);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| leaves(item, path, found)),
        Value::Null => {}
        leaf => found.push((path.to_owned(), leaf.to_string())),
    }
}

async fn nothing_that_a_partner_can_read_identifies_a_member(app: &TestApp) {
    let (world, _) = world(app).await;
    let read = everything(app, world.partner).await;
    let mut found = Vec::new();
    leaves(&read, "", &mut found);
    let paths: BTreeSet<&str> = found.iter().map(|(path, _)| path.as_str()).collect();
    for path in [
        ".entries.achievement.id",
        ".entries.redemption.memberRef",
        ".entries.achievement.program.key",
    ] {
        assert!(paths.contains(path), "the walk has not come to {path}");
    }
    let text = read.to_string().to_lowercase();
    let mut hidden = vec!["canary".to_owned(), "kathmandu".to_owned(), "ne-np".to_owned()];
    for name in ["canary-ada", "canary-bob"] {
        let member: MemberId = world.member_id(name).await;
        hidden.extend([member.to_string(), member.uuid().to_string()]);
    }
    let query =
        "{ employer { members { nodes { achievements { nodes { id } } redemptions { nodes { id } } } } } }";
    let data = world.by("programs:read member:any").data(query, json!({})).await;
    let mut ours = Vec::new();
    leaves(&data, "", &mut ours);
    assert!(ours.len() >= 6, "{data}");
    hidden.extend(ours.into_iter().map(|(_, id)| id.trim_matches('"').to_owned()));
    for hidden in hidden {
        assert!(!text.contains(&hidden.to_lowercase()), "{hidden}");
    }
    // No time of anything of a member says which transaction it was.
    let times = found
        .iter()
        .filter(|(path, _)| path.ends_with("At") && !is_everybodys(path));
    let times: BTreeSet<&str> = times.map(|(_, time)| time.as_str()).collect();
    assert_eq!(
        times,
        BTreeSet::from(["\"2026-11-21T12:00:00Z\"", "\"2026-11-22T12:00:00Z\""])
    );
}

/// What is the same for every partner, because it is about no member: the program, what is given in it, and the day.
const EVERYBODYS: &[&str] = &[
    ".entries.achievement.incentive.",
    ".entries.achievement.program.",
    ".entries.redemption.reward.",
    ".entries.achievement.title",
    ".entries.achievement.earnedOn",
    ".entries.achievement.ordinal",
    ".entries.achievement.status",
    ".entries.redemption.status",
    ".entries.redemption.quantity",
    ".entries.redemption.pointsSpent",
    ".entries.kind",
    ".entries.position",
    ".hasMore",
];

fn is_everybodys(path: &str) -> bool {
    EVERYBODYS.iter().any(|of_all| path.starts_with(of_all))
}

async fn two_partners_find_nothing_in_common_but_what_is_everybodys(app: &TestApp) {
    let (world, gym) = world(app).await;
    let mut found: [Vec<(String, String)>; 2] = Default::default();
    for (partner, found) in [world.partner, gym].into_iter().zip(&mut found) {
        leaves(&everything(app, partner).await, "", found);
    }
    let [spa, gym] = found.map(|leaves| leaves.into_iter().collect::<BTreeSet<_>>());
    let values: BTreeSet<&str> = gym.iter().map(|(_, value)| value.as_str()).collect();
    let mut compared = 0;
    for (path, value) in &spa {
        let is_time = path.ends_with("At");
        if is_everybodys(path) || is_time {
            continue;
        }
        compared += 1;
        assert!(!values.contains(value.as_str()), "both know {path} {value}");
    }
    // Four achievements and two entries of a redemption: an id, a cursor and a name each, at least.
    assert!(compared >= 14, "only {compared} values were compared");
}

async fn what_a_partner_was_told_of_it_finds_by_its_own_id_and_nobody_by_anothers(app: &TestApp) {
    let (world, gym) = world(app).await;
    let query = "{ feed { entries { id achievement { id title } redemption { id status } } } }";
    let node = "query($id: ID!) { node(id: $id) { __typename id } }";
    let [spa, gym] = [world.partner, gym].map(|partner| app.by(Party::Partner(partner), SCOPES));
    let data = spa.data(query, json!({})).await;
    let mut asked = 0;
    for entry in data["feed"]["entries"].as_array().unwrap() {
        for id in [
            &entry["id"],
            &entry["achievement"]["id"],
            &entry["redemption"]["id"],
        ] {
            if id.is_null() {
                continue;
            }
            asked += 1;
            assert_eq!(spa.data(node, json!({"id": id})).await["node"]["id"], *id);
            for other in [&gym, &world.admin(), &world.backend()] {
                assert_eq!(other.data(node, json!({"id": id})).await["node"], Value::Null);
            }
        }
    }
    assert_eq!(asked, 12);
}
