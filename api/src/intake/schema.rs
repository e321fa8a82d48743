//! JSON Schemas of event types: which are accepted, and how they are compiled.
//!
//! Every event of a type is checked by its schema, on the way in, so a schema must not be able to cost more than it looks like. Bounds
//! are counted with references followed, which makes a schema that doubles itself with every reference as large as it really is.
//! References lead to places of the schema itself and never in a circle. Patterns have no look-around and no back-references, so that
//! matching takes time in proportion to the text.

use std::collections::HashMap;

use jsonschema::{PatternOptions, Validator};
use serde_json::{Map, Value};

/// The largest schema, in bytes of JSON.
const BYTES_MAX: usize = 64 * 1024;
/// Objects in a schema, with references followed.
const OBJECTS_MAX: usize = 2_000;
/// How deep a schema may be nested, with references followed.
const DEPTH_MAX: usize = 64;
/// Patterns in a schema: each is a program of its own, kept in memory.
const PATTERNS_MAX: usize = 20;
/// The size of a compiled pattern, in bytes.
const PATTERN_BYTES_MAX: usize = 512 * 1024;
/// The longest message of the compiler that is passed on, in characters: it may repeat the schema.
const MESSAGE_MAX: usize = 300;
/// The versions of JSON Schema that are understood; without a word it is the newest.
const DRAFTS: [&str; 4] = [
    "https://json-schema.org/draft/2020-12/schema",
    "https://json-schema.org/draft/2019-09/schema",
    "http://json-schema.org/draft-07/schema",
    "http://json-schema.org/draft-06/schema",
];

/// Compiles a JSON Schema; an error says what is wrong with it.
pub fn compile(schema: &Value) -> Result<Validator, String> {
    let patterns = PatternOptions::regex()
        .size_limit(PATTERN_BYTES_MAX)
        .dfa_size_limit(PATTERN_BYTES_MAX);
    jsonschema::options()
        .should_validate_formats(true)
        .with_pattern_options(patterns)
        .build(schema)
        .map_err(|error| {
            let message: String = error.to_string().chars().take(MESSAGE_MAX).collect();
            format!("not a JSON Schema: {message}")
        })
}

/// Why a schema is not accepted for a new event type, if it is not.
pub fn check(schema: &Value) -> Result<(), String> {
    if schema.to_string().len() > BYTES_MAX {
        return Err(format!("longer than {} KiB", BYTES_MAX / 1024));
    }
    if crate::validate::has_nul(schema) {
        return Err("with a zero character".to_owned());
    }
    if let Some(draft) = schema.get("$schema")
        && !draft
            .as_str()
            .is_some_and(|draft| DRAFTS.contains(&draft.trim_end_matches('#')))
    {
        return Err(format!("`$schema` is one of {}", DRAFTS.join(", ")));
    }
    let mut walk = Walk {
        root: schema,
        known: HashMap::new(),
        open: Vec::new(),
        patterns: 0,
    };
    walk.measure(schema, 0)?;
    compile(schema).map(drop)
}

/// How large something is, with references followed.
#[derive(Debug, Clone, Copy, Default)]
struct Size {
    objects: usize,
    depth: usize,
}

struct Walk<'a> {
    root: &'a Value,
    /// The sizes of what references lead to.
    known: HashMap<&'a str, Size>,
    /// The references that are being followed.
    open: Vec<&'a str>,
    patterns: usize,
}

impl<'a> Walk<'a> {
    /// The size of a part of the schema that lies at this depth, the references that lead to it counted.
    fn measure(&mut self, part: &'a Value, depth: usize) -> Result<Size, String> {
        let too_deep = || {
            Err(format!(
                "nested deeper than {DEPTH_MAX} levels, with references followed"
            ))
        };
        if depth > DEPTH_MAX {
            return too_deep();
        }
        let mut size = Size::default();
        let mut add = |inner: Size| {
            size.objects = size.objects.saturating_add(inner.objects);
            size.depth = size.depth.max(inner.depth.saturating_add(1));
        };
        match part {
            Value::Object(fields) => {
                add(Size { objects: 1, depth: 0 });
                self.check_keywords(fields, depth)?;
                if let Some(Value::String(reference)) = fields.get("$ref") {
                    add(self.follow(reference, depth)?);
                }
                for value in fields.values() {
                    add(self.measure(value, depth + 1)?);
                }
            }
            Value::Array(items) => {
                for item in items {
                    add(self.measure(item, depth + 1)?);
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
        if size.depth > DEPTH_MAX {
            return too_deep();
        }
        if size.objects > OBJECTS_MAX {
            return Err(format!(
                "more than {OBJECTS_MAX} objects, with references followed"
            ));
        }
        Ok(size)
    }

    /// The size of what a reference leads to.
    fn follow(&mut self, reference: &'a str, depth: usize) -> Result<Size, String> {
        if let Some(size) = self.known.get(reference) {
            return Ok(*size);
        }
        if reference == "#" || self.open.contains(&reference) {
            return Err("its references lead in a circle".to_owned());
        }
        let target = reference
            .strip_prefix('#')
            .filter(|pointer| pointer.starts_with('/'))
            .and_then(|pointer| self.root.pointer(pointer))
            .ok_or("a `$ref` leads to a place in the schema itself, such as `#/$defs/price`")?;
        self.open.push(reference);
        let size = self.measure(target, depth + 1)?;
        self.open.pop();
        self.known.insert(reference, size);
        Ok(size)
    }

    fn check_keywords(&mut self, fields: &Map<String, Value>, depth: usize) -> Result<(), String> {
        let is_text = |name: &str| fields.get(name).is_some_and(Value::is_string);
        if is_text("$dynamicRef") || is_text("$recursiveRef") || is_text("$recursiveAnchor") {
            return Err("only `$ref` is followed".to_owned());
        }
        if depth > 0 && (is_text("$id") || is_text("$schema")) {
            return Err("`$id` and `$schema` stand at the top".to_owned());
        }
        let named = fields.get("patternProperties").and_then(Value::as_object);
        self.patterns += usize::from(is_text("pattern")) + named.map_or(0, Map::len);
        if self.patterns > PATTERNS_MAX {
            return Err(format!("more than {PATTERNS_MAX} patterns"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn refused(schema: &Value, why: &str) {
        let message = check(schema).expect_err(why);
        assert!(message.contains(why), "{message}");
        assert!(message.chars().count() < 400, "{message}");
    }

    /// A value in a list in a list...
    fn nested(levels: usize) -> Value {
        (0..levels).fold(json!({}), |inner, _| json!({"items": inner}))
    }

    #[test]
    fn a_schema_may_refer_to_its_own_parts() {
        let price = json!({"type": "integer", "minimum": 0});
        for schema in [
            json!({}),
            json!(true),
            json!({
                "$schema": "https://json-schema.org/draft/2020-12/schema", "$id": "https://example.com/order",
                "$defs": {"price": price}, "properties": {"total": {"$ref": "#/$defs/price"}, "rest": {"$ref": "#/$defs/price"}},
            }),
            json!({"$schema": "http://json-schema.org/draft-07/schema#", "properties": {"$ref": {"type": "string"}, "$id": {}}}),
            json!({"properties": {"order": {"type": "string", "pattern": "^[A-Z]{2}-[0-9]{1,12}$"}}}),
            nested(60),
        ] {
            assert_eq!(check(&schema), Ok(()), "{schema}");
        }
    }

    #[test]
    fn a_schema_that_explodes_is_refused() {
        // Thirty definitions, each of which is the next one twice: a billion in the end.
        let mut doubling = json!({"$ref": "#/$defs/d0", "$defs": {"d30": {"type": "object"}}});
        for level in 0..30 {
            let next = json!({"$ref": format!("#/$defs/d{}", level + 1)});
            doubling["$defs"][format!("d{level}")] = json!({"allOf": [next, next]});
        }
        refused(&doubling, "with references followed");
        refused(&nested(100), "nested deeper");
        let wide: Vec<Value> = (0..3_000).map(|number| json!({"const": number})).collect();
        refused(&json!({"anyOf": wide}), "more than 2000 objects");
        refused(&json!({"description": "x".repeat(70_000)}), "longer than 64 KiB");
    }

    #[test]
    fn references_lead_neither_elsewhere_nor_in_a_circle() {
        for reference in [
            "https://example.com/schema",
            "other.json",
            "file:///etc/passwd",
            "#anchor",
            "#/nowhere",
        ] {
            refused(
                &json!({"properties": {"a": {"$ref": reference}}}),
                "in the schema itself",
            );
        }
        for schema in [
            json!({"$ref": "#"}),
            json!({"properties": {"child": {"$ref": "#"}}}),
            json!({"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"items": {"$ref": "#/$defs/a"}}}}),
            json!({"properties": {"a": {"properties": {"b": {"$ref": "#/properties/a"}}}}}),
        ] {
            refused(&schema, "circle");
        }
        refused(&json!({"$dynamicRef": "#node"}), "only `$ref`");
        refused(
            &json!({"items": {"$id": "https://example.com/inner"}}),
            "at the top",
        );
        refused(
            &json!({"$schema": "https://example.com/my-own"}),
            "`$schema` is one of",
        );
    }

    #[test]
    fn a_pattern_takes_time_in_proportion_to_the_text() {
        refused(&json!({"pattern": "(?=a)b"}), "not a JSON Schema");
        refused(&json!({"pattern": "(a)\\1"}), "not a JSON Schema");
        refused(
            &json!({"pattern": "((a{1,200}){1,200}){1,200}"}),
            "not a JSON Schema",
        );
        refused(&json!({"pattern": "("}), "not a JSON Schema");
        let many: Map<String, Value> = (0..21)
            .map(|number| (format!("^p{number}"), json!(true)))
            .collect();
        refused(&json!({"patternProperties": many}), "more than 20 patterns");
        let catastrophic = json!({"pattern": "^(a+)+$"});
        assert_eq!(check(&catastrophic), Ok(()));
        let validator = compile(&catastrophic).expect("a schema");
        assert!(!validator.is_valid(&json!(format!("{}b", "a".repeat(100_000)))));
    }

    #[test]
    fn what_is_no_schema_is_refused() {
        refused(&json!({"type": "car"}), "not a JSON Schema");
        refused(&json!({"properties": 5}), "not a JSON Schema");
        refused(&json!([]), "not a JSON Schema");
    }
}
