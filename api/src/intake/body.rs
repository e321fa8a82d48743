//! The digest of an event's body: by which the same id with another body is told from a repetition.

use aws_lc_rs::digest::{Context, SHA256};
use chrono::{DateTime, Utc};
use serde_json::Value;

/// SHA-256 over everything of an event that means something; the properties are in their canonical form. The same event sent through
/// another door, with its properties in another order or its instant in another offset, has the same digest.
pub fn digest(
    event_type: &str,
    member: &str,
    occurred_at: DateTime<Utc>,
    time_zone: Option<&str>,
    properties: &str,
) -> [u8; 32] {
    let mut context = Context::new(&SHA256);
    let occurred_at = occurred_at.timestamp_micros().to_string();
    // Each part is preceded by its length, so that no two different events can run together into one text.
    for part in [
        event_type,
        member,
        &occurred_at,
        time_zone.unwrap_or(""),
        properties,
    ] {
        context.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        context.update(part.as_bytes());
    }
    let mut digest = [0; 32];
    digest.copy_from_slice(context.finish().as_ref());
    digest
}

/// The text of a value, without spaces and with the fields of its objects in order, whatever order the parser keeps them in.
pub fn canonical(value: &Value) -> String {
    let mut text = String::new();
    write(value, &mut text);
    text
}

fn write(value: &Value, text: &mut String) {
    match value {
        Value::Object(fields) => {
            let mut sorted: Vec<(&String, &Value)> = fields.iter().collect();
            sorted.sort_unstable_by_key(|(name, _)| *name);
            text.push('{');
            for (place, (name, value)) in sorted.into_iter().enumerate() {
                if place > 0 {
                    text.push(',');
                }
                write_text(name, text);
                text.push(':');
                write(value, text);
            }
            text.push('}');
        }
        Value::Array(items) => {
            text.push('[');
            for (place, item) in items.iter().enumerate() {
                if place > 0 {
                    text.push(',');
                }
                write(item, text);
            }
            text.push(']');
        }
        Value::String(value) => write_text(value, text),
        Value::Null | Value::Bool(_) | Value::Number(_) => text.push_str(&value.to_string()),
    }
}

/// Adds a text as a JSON string.
fn write_text(value: &str, text: &mut String) {
    let is_plain = |byte: u8| byte >= b' ' && byte != b'"' && byte != b'\\';
    if value.bytes().all(is_plain) {
        text.push('"');
        text.push_str(value);
        text.push('"');
    } else {
        text.push_str(&Value::from(value).to_string());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn digest(
        event_type: &str,
        member: &str,
        occurred_at: DateTime<Utc>,
        time_zone: Option<&str>,
        properties: &Value,
    ) -> [u8; 32] {
        super::digest(event_type, member, occurred_at, time_zone, &canonical(properties))
    }

    #[test]
    fn the_canonical_text_is_json_of_the_same_value() {
        for text in [
            "{}",
            "[]",
            r#"{"a":[1,-2.50,1e3,true,null,{"b":{}}],"z":"\"\\\n\u0001\u007f ü 🎉","":""}"#,
            r#"{"key \"quoted\"":"plain","\t":[["nested"]]}"#,
        ] {
            let value: Value = serde_json::from_str(text).unwrap();
            let canonical = canonical(&value);
            assert_eq!(serde_json::from_str::<Value>(&canonical).unwrap(), value);
            assert!(!canonical.contains('\n'), "{canonical}");
        }
        let value: Value = serde_json::from_str(r#"{"b":1,"a":{"d":"x","c":[2]}}"#).unwrap();
        assert_eq!(canonical(&value), r#"{"a":{"c":[2],"d":"x"},"b":1}"#);
    }

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn the_order_of_fields_and_the_offset_of_an_instant_do_not_matter() {
        let one: Value = serde_json::from_str(r#"{"a": 1, "b": {"c": 2, "d": 3}}"#).unwrap();
        let other: Value = serde_json::from_str(r#"{"b": {"d": 3, "c": 2}, "a": 1}"#).unwrap();
        let first = digest("t", "m", at("2026-01-01T10:00:00+01:00"), None, &one);
        let second = digest("t", "m", at("2026-01-01T09:00:00Z"), None, &other);
        assert_eq!(first, second);
    }

    #[test]
    fn everything_that_means_something_changes_the_digest() {
        let base = digest("t", "m", at("2026-01-01T09:00:00Z"), None, &json!({"a": 1}));
        let others = [
            digest("u", "m", at("2026-01-01T09:00:00Z"), None, &json!({"a": 1})),
            digest("t", "n", at("2026-01-01T09:00:00Z"), None, &json!({"a": 1})),
            digest("t", "m", at("2026-01-01T09:00:01Z"), None, &json!({"a": 1})),
            digest(
                "t",
                "m",
                at("2026-01-01T09:00:00Z"),
                Some("UTC"),
                &json!({"a": 1}),
            ),
            digest("t", "m", at("2026-01-01T09:00:00Z"), None, &json!({"a": 2})),
            digest("tm", "", at("2026-01-01T09:00:00Z"), None, &json!({"a": 1})),
        ];
        for other in others {
            assert_ne!(base, other);
        }
    }
}
