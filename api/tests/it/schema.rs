//! The schema as a contract: current, described to the last value, and covered by the table of who may do what.

use api::auth::access;
use async_graphql::parser::parse_schema;
use async_graphql::parser::types::{FieldDefinition, InputValueDefinition, TypeKind, TypeSystemDefinition};

const COMMITTED: &str = include_str!("../../../schema.graphql");

#[test]
fn the_committed_schema_is_current() {
    let current = api::graphql::sdl();
    let differing = current
        .lines()
        .zip(COMMITTED.lines())
        .position(|(ours, theirs)| ours != theirs);
    assert!(
        current == COMMITTED,
        "schema.graphql is stale (first difference after line {}). Refresh it with: cargo run -q -- schema > schema.graphql",
        differing.unwrap_or_else(|| current.lines().count().min(COMMITTED.lines().count())),
    );
}

#[test]
fn every_root_field_has_its_line_in_the_table_of_permissions() {
    let faults = access::coverage_faults(&api::graphql::sdl());
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
fn everything_of_ours_is_described() {
    let bare = undescribed(&api::graphql::sdl());
    assert!(bare.is_empty(), "without a description: {bare:#?}");
}

#[test]
fn what_is_not_described_is_found() {
    let sdl = r#"
        type Query { bare(argument: Int): Int }
        "Described." input Given { "Described." field: Int, bare: Int }
        "Described." enum Choice { ONE }
        scalar Bare
        union Either = Query
        interface Node { id: ID! }
    "#;
    let expected = [
        "Query",
        "Query.bare",
        "Query.bare(argument)",
        "Given.bare",
        "Choice.ONE",
        "Bare",
        "Node",
        "Node.id",
    ];
    assert_eq!(undescribed(sdl), expected);
}

/// Types that the library makes for us describe themselves in part; the connections are named after our types, and say enough.
fn is_of_the_library(name: &str) -> bool {
    name.ends_with("Connection") || name.ends_with("Edge") || name == "PageInfo"
}

/// A union needs no more words than its members: the library gives it none of its own.
fn undescribed(sdl: &str) -> Vec<String> {
    let mut bare = Vec::new();
    for definition in parse_schema(sdl).unwrap().definitions {
        let TypeSystemDefinition::Type(definition) = definition else {
            continue;
        };
        let definition = definition.node;
        let name = definition.name.node.as_str();
        if is_of_the_library(name) {
            continue;
        }
        let is_union = matches!(definition.kind, TypeKind::Union(_));
        if definition.description.is_none() && !is_union {
            bare.push(name.to_owned());
        }
        match &definition.kind {
            TypeKind::Object(object) => {
                object
                    .fields
                    .iter()
                    .for_each(|field| of_field(name, &field.node, &mut bare));
            }
            TypeKind::Interface(interface) => {
                interface
                    .fields
                    .iter()
                    .for_each(|field| of_field(name, &field.node, &mut bare));
            }
            TypeKind::InputObject(input) => {
                let fields = input.fields.iter().filter(|field| is_bare(&field.node));
                bare.extend(fields.map(|field| format!("{name}.{}", field.node.name.node)));
            }
            TypeKind::Enum(choice) => {
                let values = choice
                    .values
                    .iter()
                    .filter(|value| value.node.description.is_none());
                bare.extend(values.map(|value| format!("{name}.{}", value.node.value.node)));
            }
            TypeKind::Scalar | TypeKind::Union(_) => {}
        }
    }
    bare
}

fn of_field(owner: &str, field: &FieldDefinition, bare: &mut Vec<String>) {
    let place = format!("{owner}.{}", field.name.node);
    if field.description.is_none() {
        bare.push(place.clone());
    }
    let arguments = field.arguments.iter().filter(|argument| is_bare(&argument.node));
    bare.extend(arguments.map(|argument| format!("{place}({})", argument.node.name.node)));
}

fn is_bare(value: &InputValueDefinition) -> bool {
    value.description.is_none()
}
