//! The types of the schema, and what can be asked of them.

use std::collections::{BTreeMap, BTreeSet};

use api::auth::scope::ScopeSet;
use async_graphql::parser::parse_schema;
use async_graphql::parser::types::{
    BaseType, FieldDefinition, Type, TypeDefinition, TypeKind, TypeSystemDefinition,
};

use crate::harness::TestApp;

/// The types by their names.
pub struct Shape {
    types: BTreeMap<String, TypeDefinition>,
    /// Lists that are asked for with what they are part of.
    parts: &'static [&'static str],
}

impl Shape {
    pub fn of(app: &TestApp, parts: &'static [&'static str]) -> Self {
        let document = parse_schema(app.app.schema().sdl()).unwrap();
        let types = document
            .definitions
            .into_iter()
            .filter_map(|definition| match definition {
                TypeSystemDefinition::Type(definition) => Some(definition.node),
                _ => None,
            });
        Self {
            types: types
                .map(|definition| (definition.name.node.to_string(), definition))
                .collect(),
            parts,
        }
    }

    fn fields(&self, name: &str) -> Vec<&FieldDefinition> {
        match self.types.get(name).map(|found| &found.kind) {
            Some(TypeKind::Object(object)) => object.fields.iter().map(|field| &field.node).collect(),
            _ => Vec::new(),
        }
    }

    fn members(&self, name: &str) -> Vec<&str> {
        match self.types.get(name).map(|found| &found.kind) {
            Some(TypeKind::Union(union)) => union.members.iter().map(|member| member.node.as_str()).collect(),
            _ => Vec::new(),
        }
    }

    fn is_scalar(&self, name: &str) -> bool {
        self.fields(name).is_empty() && self.members(name).is_empty()
    }

    /// Whether a field brings many things: a list, or a page of one.
    fn is_list(&self, field: &FieldDefinition) -> bool {
        let (of, is_list) = innermost(&field.ty.node);
        !self.is_scalar(of) && (is_list || page(of).is_some())
    }

    /// Every list that a query can come to, as `Type.field`, but for those in which pages hold their items.
    pub fn lists(&self) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        let (mut seen, mut next) = (BTreeSet::new(), vec!["Query"]);
        while let Some(name) = next.pop() {
            let Some((name, _)) = self.types.get_key_value(name) else {
                continue;
            };
            if !seen.insert(name) {
                continue;
            }
            next.extend(self.members(name));
            for field in self.fields(name) {
                next.push(innermost(&field.ty.node).0);
                if self.is_list(field) && page(name).is_none() {
                    found.insert(format!("{name}.{}", field.name.node));
                }
            }
        }
        found
    }

    /// The type of the items of a list.
    pub fn item(&self, list: &str) -> String {
        let (parent, name) = list.split_once('.').unwrap();
        let fields = self.fields(parent);
        let field = fields.iter().find(|field| field.name.node == name).unwrap();
        let (of, _) = innermost(&field.ty.node);
        match page(of) {
            Some(inner) => self.item(&format!("{of}.{inner}")),
            None => of.to_owned(),
        }
    }

    /// All that these scopes can ask of a thing without an argument and without a further list.
    pub fn selection(&self, name: &str, scopes: &str) -> String {
        self.select(name, &scopes.parse().unwrap(), &mut Vec::new())
    }

    fn select(&self, name: &str, scopes: &ScopeSet, path: &mut Vec<String>) -> String {
        path.push(name.to_owned());
        let mut selected = vec!["__typename".to_owned()];
        for field in self.open(name, scopes) {
            let (of, _) = innermost(&field.ty.node);
            let field_name = &field.name.node;
            let is_part = self.parts.contains(&&*format!("{name}.{field_name}"));
            if self.is_list(field) && !is_part || path.iter().any(|on_the_way| on_the_way == of) {
                continue;
            }
            let of_members = self.members(of).into_iter().map(|member| {
                let selection = self.select(member, scopes, path);
                format!("... on {member} {selection}")
            });
            let of_members = of_members.collect::<String>();
            if self.is_scalar(of) {
                selected.push(field_name.to_string());
            } else if of_members.is_empty() {
                selected.push(format!("{field_name} {}", self.select(of, scopes, path)));
            } else {
                selected.push(format!("{field_name} {{ {of_members} }}"));
            }
        }
        path.pop();
        format!("{{ {} }}", selected.join(" "))
    }

    /// The lists in a thing that these scopes can ask for, each with a selection of it alone.
    pub fn lists_in(&self, name: &str, scopes: &str) -> Vec<(String, String)> {
        let scopes = scopes.parse().unwrap();
        let mut found = Vec::new();
        for field in self.open(name, &scopes) {
            let full = format!("{name}.{}", field.name.node);
            if !self.is_list(field) || self.parts.contains(&&*full) {
                continue;
            }
            let (of, _) = innermost(&field.ty.node);
            let field_name = &field.name.node;
            let selection = match page(of) {
                Some(inner) => format!("{{ {field_name}(first: 5) {{ {inner} {{ __typename }} }} }}"),
                None => format!("{{ {field_name} {{ __typename }} }}"),
            };
            found.push((full, selection));
        }
        found
    }

    /// The fields of a type that are open to these scopes and need no argument.
    fn open(&self, name: &str, scopes: &ScopeSet) -> Vec<&FieldDefinition> {
        let is_open = |field: &&FieldDefinition| {
            let described = field.description.as_ref().map_or("", |text| text.node.as_str());
            let needs_more = field
                .arguments
                .iter()
                .any(|argument| !argument.node.ty.node.nullable && argument.node.default_value.is_none());
            !needs_more && opens(described, scopes)
        };
        self.fields(name).into_iter().filter(is_open).collect()
    }
}

/// The field of a page in which its items are.
fn page(name: &str) -> Option<&'static str> {
    match name {
        "FeedPage" => Some("entries"),
        _ => name.ends_with("Connection").then_some("nodes"),
    }
}

/// Whether a field of this description is open: guarded by no scope, or by one that is held.
fn opens(description: &str, scopes: &ScopeSet) -> bool {
    let Some((_, sentence)) = description.rsplit_once("Scope: ") else {
        return true;
    };
    sentence
        .split('`')
        .filter_map(|word| word.parse().ok())
        .any(|scope| scopes.contains(scope))
}

fn innermost(of: &Type) -> (&str, bool) {
    match &of.base {
        BaseType::Named(name) => (name.as_str(), false),
        BaseType::List(inner) => (innermost(inner).0, true),
    }
}
