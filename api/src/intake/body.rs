//! The digest of an event's body: by which the same id with another body is told from a repetition.

use std::collections::BTreeMap;

use aws_lc_rs::digest::{Context, SHA256};
use chrono::{DateTime, Utc};
use serde_json::Value;

/// SHA-256 over everything of an event that means something. The same event sent through another door, with its properties in
/// another order or its instant in another offset, has the same digest.
pub fn digest(
    event_type: &str,
    member: &str,
    occurred_at: DateTime<Utc>,
    time_zone: Option<&str>,
    properties: &Value,
) -> [u8; 32] {
    let mut context = Context::new(&SHA256);
    let occurred_at = occurred_at.timestamp_micros().to_string();
    // Each part is preceded by its length, so that no two different events can run together into one text.
    for part in [
        event_type,
        member,
        &occurred_at,
        time_zone.unwrap_or(""),
        &canonical(properties).to_string(),
    ] {
        context.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        context.update(part.as_bytes());
    }
    let mut digest = [0; 32];
    digest.copy_from_slice(context.finish().as_ref());
    digest
}

/// The value with the fields of its objects in order, whatever order the parser keeps them in.
fn canonical(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let sorted: BTreeMap<&String, Value> = fields
                .iter()
                .map(|(name, value)| (name, canonical(value)))
                .collect();
            Value::Object(
                sorted
                    .into_iter()
                    .map(|(name, value)| (name.clone(), value))
                    .collect(),
            )
        }
        Value::Array(items) => Value::Array(items.iter().map(canonical).collect()),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

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
