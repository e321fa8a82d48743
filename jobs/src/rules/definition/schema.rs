//! What the JSON Schema of an event type lets stand at a path, as far as a condition needs to know.
//!
//! This catches the misspelt property and the number compared with a text, when a definition is written.
//! It follows `properties`, `additionalProperties`, `type`, `enum`, `const`, `items` and local `$ref`s; whatever else a schema
//! says (`anyOf`, `patternProperties`...) is taken to allow anything, because refusing a sound condition would be worse than
//! missing a pointless one.

use serde_json::Value;

/// How many `$ref`s are followed in a row. More than a few are a circle.
const REFS_MAX: usize = 16;

/// Keywords behind which anything may be allowed.
const OPEN: [&str; 8] = [
    "anyOf",
    "oneOf",
    "allOf",
    "if",
    "not",
    "$dynamicRef",
    "patternProperties",
    "dependentSchemas",
];

/// A place in the properties of an event.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    root: &'a Value,
    /// The schema of the place; none where anything is allowed.
    schema: Option<&'a Value>,
}

/// Follows a path into a schema; fails with the first name that cannot be there.
pub(super) fn find<'a, 'p>(root: &'a Value, path: &'p [String]) -> Result<Place<'a>, &'p str> {
    path.iter().try_fold(
        Place {
            root,
            schema: Some(root),
        },
        |place, name| place.inside(name).ok_or(name.as_str()),
    )
}

impl<'a> Place<'a> {
    /// Why `value` can never be equal to what stands here, nor less or greater, if it cannot.
    pub fn misfit(&self, value: &Value) -> Option<String> {
        let kinds = self.kinds()?;
        (!kinds.iter().any(|kind| is_of(value, kind))).then(|| {
            format!(
                "the property is {}, the value is {}",
                kinds.join(" or "),
                kind_of(value)
            )
        })
    }

    /// Why what stands here can never contain `value`, if it cannot.
    pub fn misfit_inside(&self, value: &Value) -> Option<String> {
        let kinds = self.kinds()?;
        if kinds.contains(&"string") && value.is_string() {
            return None;
        }
        if kinds.contains(&"array") {
            return self.items().misfit(value);
        }
        Some(format!(
            "the property is {}, which cannot contain {}",
            kinds.join(" or "),
            kind_of(value)
        ))
    }

    /// Why what stands here can never be added up, if it cannot. A text may be a decimal number.
    pub fn misfit_as_amount(&self) -> Option<String> {
        let kinds = self.kinds()?;
        let can_be = kinds
            .iter()
            .any(|kind| matches!(*kind, "number" | "integer" | "string"));
        (!can_be).then(|| format!("the property is {}, which cannot be added up", kinds.join(" or ")))
    }

    /// Why what stands here can never name anything, if it cannot: names are texts and numbers.
    pub fn misfit_as_name(&self) -> Option<String> {
        let kinds = self.kinds()?;
        let can_be = kinds
            .iter()
            .any(|kind| matches!(*kind, "number" | "integer" | "string"));
        (!can_be).then(|| {
            format!(
                "the property is {}, which is no name of anything",
                kinds.join(" or ")
            )
        })
    }

    /// The place of a property of this object, if it can have one of that name.
    fn inside(self, name: &str) -> Option<Place<'a>> {
        let anything = Some(Place { schema: None, ..self });
        let Some(schema) = self.resolve() else {
            return anything;
        };
        if let Some(known) = schema
            .get("properties")
            .and_then(|properties| properties.get(name))
        {
            return (known != &Value::Bool(false)).then_some(Place {
                schema: Some(known),
                ..self
            });
        }
        if self.kinds().is_some_and(|kinds| !kinds.contains(&"object")) {
            return None;
        }
        if OPEN.iter().any(|keyword| schema.get(keyword).is_some()) {
            return anything;
        }
        match schema.get("additionalProperties") {
            Some(Value::Bool(false)) => None,
            Some(other) => Some(Place {
                schema: Some(other),
                ..self
            }),
            // JSON Schema would allow any other property, but an event type that lists its properties means these.
            None => anything.filter(|_| {
                schema
                    .get("properties")
                    .and_then(Value::as_object)
                    .is_none_or(|p| p.is_empty())
            }),
        }
    }

    /// The place of an item of this list.
    fn items(self) -> Place<'a> {
        let items = self
            .resolve()
            .filter(|schema| schema.get("prefixItems").is_none());
        Place {
            schema: items.and_then(|schema| schema.get("items")),
            ..self
        }
    }

    /// The JSON types that may stand here; none if there is no telling.
    fn kinds(&self) -> Option<Vec<&'a str>> {
        let schema = self.resolve()?;
        match (schema.get("type"), schema.get("enum"), schema.get("const")) {
            (Some(Value::String(kind)), ..) => Some(vec![kind]),
            (Some(Value::Array(kinds)), ..) => kinds.iter().map(Value::as_str).collect(),
            (None, Some(Value::Array(values)), _) => Some(values.iter().map(kind_of).collect()),
            (None, None, Some(value)) => Some(vec![kind_of(value)]),
            _ => None,
        }
    }

    /// The schema of the place, behind its references.
    fn resolve(&self) -> Option<&'a Value> {
        let mut schema = self.schema?;
        for _ in 0..REFS_MAX {
            match schema.get("$ref").and_then(Value::as_str) {
                None => return Some(schema),
                Some(reference) => schema = self.root.pointer(reference.strip_prefix('#')?)?,
            }
        }
        None
    }
}

fn is_of(value: &Value, kind: &str) -> bool {
    kind == kind_of(value) || (kind == "integer" && value.is_number())
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}
