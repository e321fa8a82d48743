//! What an operation costs, told from its document, its variables and the schema alone: pure, and known before anything is executed.
//!
//! Each selected field weighs 1, and what stands within a list counts once for each of its items: in a page as many as `first` or
//! `last` say, in any other list `UNPAGED`. A mutation weighs `WRITE`, and each item of a list that is handed over in an argument
//! `ITEM`, its result included. A unit of the client's budget pays for `WEIGHT_PER_UNIT`; what is only begun of one is free.

use std::collections::HashMap;

use async_graphql::parser::types::{
    BaseType, ExecutableDocument, Field, ObjectType, OperationDefinition, OperationType, Selection,
    SelectionSet, Type, TypeKind, TypeSystemDefinition,
};
use async_graphql::parser::{Error as ParserError, parse_schema};
use async_graphql::{Name, Value, Variables};
use async_graphql_value::Value as Open;

/// What one unit of a budget pays for.
pub const WEIGHT_PER_UNIT: u64 = 100;
/// What a mutation weighs, apart from what it answers.
const WRITE: u64 = 10;
/// What an item weighs that is handed over in a list.
const ITEM: u64 = 10;
/// What the items of a list are taken for that is not cut into pages.
const UNPAGED: u64 = 10;
/// The arguments that say how large a page is.
const PAGE_ARGUMENTS: [&str; 2] = ["first", "last"];

/// How many items a page has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pages {
    /// When nothing is said, neither by the request nor by the schema.
    pub usual: u64,
    /// At most.
    pub most: u64,
}

/// What of a schema a cost depends on: what its fields bring, and how many of it.
#[derive(Debug, Default)]
pub struct Shapes {
    fields: HashMap<String, HashMap<String, Shape>>,
    most: u64,
}

/// What one field brings.
#[derive(Debug)]
struct Shape {
    /// The type of it, or of each of it.
    of: String,
    is_list: bool,
    /// The size of a page when the request says nothing, where pages are what it brings.
    page: Option<u64>,
}

impl Shapes {
    /// The shapes of a schema.
    ///
    /// # Errors
    /// The text is not a schema.
    pub fn read(sdl: &str, pages: Pages) -> Result<Self, ParserError> {
        let objects = parse_schema(sdl)?
            .definitions
            .into_iter()
            .filter_map(|definition| {
                let TypeSystemDefinition::Type(definition) = definition else {
                    return None;
                };
                let TypeKind::Object(object) = definition.node.kind else {
                    return None;
                };
                Some((definition.node.name.node.to_string(), shapes(&object, pages)))
            });
        Ok(Self {
            fields: objects.collect(),
            most: pages.most,
        })
    }

    /// The units that an operation costs.
    #[must_use]
    pub fn units(
        &self,
        document: &ExecutableDocument,
        operation: &OperationDefinition,
        variables: &Variables,
    ) -> u64 {
        let scale = Scale {
            shapes: self,
            document,
            operation,
            variables,
        };
        scale.whole() / WEIGHT_PER_UNIT
    }
}

fn shapes(object: &ObjectType, pages: Pages) -> HashMap<String, Shape> {
    let shape = |field: &async_graphql::parser::types::FieldDefinition| {
        let arguments = field.arguments.iter().map(|argument| &argument.node);
        let mut sizes = arguments.filter(|argument| PAGE_ARGUMENTS.contains(&argument.name.node.as_str()));
        let page = sizes.next().map(|argument| {
            let usual = argument.default_value.as_ref();
            usual.and_then(|value| number(&value.node)).unwrap_or(pages.usual)
        });
        let (of, is_list) = innermost(&field.ty.node);
        Shape { of, is_list, page }
    };
    let fields = object.fields.iter().map(|field| &field.node);
    fields
        .map(|field| (field.name.node.to_string(), shape(field)))
        .collect()
}

fn innermost(mut of: &Type) -> (String, bool) {
    let mut is_list = false;
    loop {
        match &of.base {
            BaseType::Named(name) => return (name.to_string(), is_list),
            BaseType::List(inner) => (of, is_list) = (inner, true),
        }
    }
}

fn number(value: &Value) -> Option<u64> {
    match value {
        Value::Number(number) => number.as_u64(),
        _ => None,
    }
}

/// Where a selection stands.
#[derive(Clone, Copy)]
struct Place<'a> {
    /// In what, if that is known.
    of: Option<&'a str>,
    /// What a field weighs here apart from itself; where that is something, each is a write.
    outer: u64,
    /// How many items a list has here that says nothing itself.
    items: u64,
}

/// Weighs one operation. Its document is known to be small with every fragment expanded.
struct Scale<'a> {
    shapes: &'a Shapes,
    document: &'a ExecutableDocument,
    operation: &'a OperationDefinition,
    variables: &'a Variables,
}

impl<'a> Scale<'a> {
    /// What the whole operation weighs.
    fn whole(&self) -> u64 {
        let (root, outer) = match self.operation.ty {
            OperationType::Query => ("Query", 0),
            OperationType::Mutation => ("Mutation", WRITE),
            OperationType::Subscription => ("Subscription", 0),
        };
        let place = Place {
            of: Some(root),
            outer,
            items: UNPAGED,
        };
        self.set(&self.operation.selection_set.node, place)
    }

    fn set(&self, set: &'a SelectionSet, place: Place<'a>) -> u64 {
        let weights = set.items.iter().map(|item| match &item.node {
            Selection::Field(field) => self.field(&field.node, place),
            Selection::InlineFragment(fragment) => {
                let on = fragment.node.type_condition.as_ref();
                let of = on.map(|on| on.node.on.node.as_str()).or(place.of);
                self.set(&fragment.node.selection_set.node, Place { of, ..place })
            }
            Selection::FragmentSpread(spread) => {
                let fragment = self.document.fragments.get(&spread.node.fragment_name.node);
                fragment.map_or(0, |fragment| {
                    let of = Some(fragment.node.type_condition.node.on.node.as_str());
                    self.set(&fragment.node.selection_set.node, Place { of, ..place })
                })
            }
        });
        weights.fold(0, u64::saturating_add)
    }

    fn field(&self, field: &'a Field, place: Place<'a>) -> u64 {
        let shapes = place.of.and_then(|of| self.shapes.fields.get(of));
        let shape = shapes.and_then(|shapes| shapes.get(field.name.node.as_str()));
        let page = shape
            .and_then(|shape| shape.page)
            .map(|usual| self.page(field).unwrap_or(usual).clamp(1, self.shapes.most));
        let is_list = shape.is_some_and(|shape| shape.is_list);
        let times = if is_list { page.unwrap_or(place.items) } else { 1 };
        let inner = match page {
            Some(page) if !is_list => page,
            // The results of a write are paid for with what was handed over.
            _ if place.outer > 0 => 1,
            _ => UNPAGED,
        };
        let below = Place {
            of: shape.map(|shape| shape.of.as_str()),
            outer: 0,
            items: inner,
        };
        let items = field
            .arguments
            .iter()
            .map(|(_, value)| self.handed_over(&value.node, true))
            .fold(0, u64::saturating_add);
        self.set(&field.selection_set.node, below)
            .saturating_mul(times)
            .saturating_add(items.saturating_mul(ITEM))
            .saturating_add(place.outer)
            .saturating_add(1)
    }

    /// The size of the page that a field is asked for.
    fn page(&self, field: &Field) -> Option<u64> {
        let mut given = PAGE_ARGUMENTS
            .into_iter()
            .filter_map(|name| field.get_argument(name));
        given.find_map(|value| match &value.node {
            Open::Number(size) => size.as_u64(),
            Open::Variable(name) => number(self.variable(name)?),
            _ => None,
        })
    }

    fn variable(&self, name: &Name) -> Option<&Value> {
        self.variables.get(name).or_else(|| {
            let mut definitions = self.operation.variable_definitions.iter();
            let of_name = definitions.find(|definition| definition.node.name.node == *name);
            of_name?.node.default_value.as_ref().map(|value| &value.node)
        })
    }

    /// The items of a list that is handed over, or of those in an input object.
    fn handed_over(&self, value: &Open, enter: bool) -> u64 {
        match value {
            Open::Variable(name) => self.variable(name).map_or(0, |value| items(value, enter)),
            Open::List(items) => length(items.len()),
            Open::Object(fields) if enter => fields
                .values()
                .map(|value| self.handed_over(value, false))
                .fold(0, u64::saturating_add),
            _ => 0,
        }
    }
}

/// As [`Scale::handed_over`], where nothing is left open. Looks at two levels alone, however much is handed over.
fn items(value: &Value, enter: bool) -> u64 {
    match value {
        Value::List(items) => length(items.len()),
        Value::Object(fields) if enter => fields
            .values()
            .map(|value| items(value, false))
            .fold(0, u64::saturating_add),
        _ => 0,
    }
}

fn length(items: usize) -> u64 {
    u64::try_from(items).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
