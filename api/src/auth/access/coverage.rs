//! Holds a schema against the table: a field without a line, a line without a field, a description that says something else.

use std::collections::{BTreeMap, BTreeSet};

use async_graphql::parser::parse_schema;
use async_graphql::parser::types::{FieldDefinition, TypeKind, TypeSystemDefinition};

use super::{Row, TABLE};

/// The root types, every field of which must have a line.
const ROOTS: [&str; 3] = ["Query", "Mutation", "Subscription"];

/// What is wrong between the schema `sdl` and [`TABLE`], one sentence each; nothing when they agree.
pub fn coverage_faults(sdl: &str) -> Vec<String> {
    faults_against(TABLE, sdl)
}

fn faults_against(table: &[Row], sdl: &str) -> Vec<String> {
    let fields = match fields(sdl) {
        Ok(fields) => fields,
        Err(reason) => return vec![format!("the schema cannot be read: {reason}")],
    };
    let rows: BTreeSet<&str> = table.iter().map(|row| row.field).collect();
    let uncovered = fields
        .keys()
        .filter(|field| ROOTS.contains(&field.split('.').next().unwrap_or_default()))
        .filter(|field| !rows.contains(field.as_str()))
        .map(|field| format!("{field} has no line in the table"));
    let disagreeing = table.iter().filter_map(|row| match fields.get(row.field) {
        None => Some(format!("{} is in the table but not in the schema", row.field)),
        Some(description) => {
            let sentence = row.needs.sentence();
            let said: Vec<&str> = description.split("Scope: ").skip(1).collect();
            match said.as_slice() {
                [one] if format!("Scope: {one}").starts_with(&sentence) => None,
                [] => Some(format!("{} does not say \"{sentence}\"", row.field)),
                _ => Some(format!("{} says other scopes than \"{sentence}\"", row.field)),
            }
        }
    });
    uncovered.chain(disagreeing).collect()
}

/// Each `Type.field` of the object types, with its description on one line.
fn fields(sdl: &str) -> Result<BTreeMap<String, String>, async_graphql::parser::Error> {
    let mut found = BTreeMap::new();
    for definition in parse_schema(sdl)?.definitions {
        let TypeSystemDefinition::Type(definition) = definition else {
            continue;
        };
        let TypeKind::Object(object) = &definition.node.kind else {
            continue;
        };
        for field in &object.fields {
            found.insert(
                format!("{}.{}", definition.node.name.node, field.node.name.node),
                description(&field.node),
            );
        }
    }
    Ok(found)
}

/// The description with its line breaks taken out: where a doc comment wraps is not part of what it says.
fn description(field: &FieldDefinition) -> String {
    let text = field
        .description
        .as_ref()
        .map(|text| text.node.as_str())
        .unwrap_or_default();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::super::Needs;
    use super::*;
    use crate::auth::scope::Scope;

    const ROWS: &[Row] = &[
        Row {
            field: "Query.program",
            needs: Needs::AnyOf(&[Scope::ProgramsRead, Scope::Operator]),
        },
        Row {
            field: "Member.progress",
            needs: Needs::AnyOf(&[Scope::MemberAny]),
        },
    ];

    fn faults(program: &str, extra: &str) -> Vec<String> {
        let sdl = format!(
            "type Query {{ \"\"\"{program}\"\"\" program(key: String!): ID {extra} }}
             type Member {{ name: String
               \"\"\"How far. Scope: `member:any`.\"\"\" progress: Int! }}
             schema {{ query: Query }}"
        );
        faults_against(ROWS, &sdl)
    }

    #[test]
    fn a_schema_that_agrees_with_the_table_has_no_faults() {
        assert_eq!(
            faults(
                "One program.\n\nScope: `programs:read`\n  or `operator`. More.",
                ""
            ),
            Vec::<String>::new()
        );
    }

    #[test]
    fn a_root_field_without_a_line_is_found() {
        let found = faults("Scope: `programs:read` or `operator`.", "secrets: [String]");
        assert_eq!(found, ["Query.secrets has no line in the table"]);
    }

    #[test]
    fn a_line_without_a_field_is_found() {
        let found = faults_against(
            ROWS,
            "type Query { \"Scope: `programs:read` or `operator`.\" program: ID }",
        );
        assert_eq!(found, ["Member.progress is in the table but not in the schema"]);
    }

    #[test]
    fn a_description_that_says_less_more_or_nothing_is_found() {
        for (said, fault) in [
            ("A program.", "does not say"),
            ("Scope: `programs:read`.", "says other scopes"),
            (
                "Scope: `programs:read` or `operator` or `feed:read`.",
                "says other scopes",
            ),
            ("Scope: `operator` or `programs:read`.", "says other scopes"),
            (
                "Scope: `programs:read` or `operator`. Scope: any valid token.",
                "says other scopes",
            ),
        ] {
            let found = faults(said, "");
            assert_eq!(found.len(), 1, "{said}");
            assert!(
                found[0].starts_with(&format!("Query.program {fault}")),
                "{found:?}"
            );
        }
    }

    #[test]
    fn a_schema_that_cannot_be_read_is_a_fault() {
        assert!(coverage_faults("type {")[0].starts_with("the schema cannot be read"));
    }
}
