//! The stock menu: the event types every employer starts with.

use entity::clock::Timestamp;
use entity::event_type::Model;
use entity::id::{EmployerId, EventTypeId};
use serde_json::{Value, json};

/// How late an event may come unless its type says otherwise, in seconds: a week, so that a phone that was off for a holiday weekend
/// loses nothing.
pub const MAX_LATE_SECONDS: i64 = 7 * 86_400;
/// How far in the future an event may claim to happen, in seconds: five minutes, for clocks that are a little fast.
pub const MAX_FUTURE_SECONDS: i64 = 300;

/// An event type of the stock menu.
pub struct Item {
    key: &'static str,
    name: &'static str,
    description: &'static str,
    sensitive: bool,
    schema: Value,
}

impl Item {
    /// The event type as one employer has it.
    pub fn event_type(self, employer_id: EmployerId, id: EventTypeId, created_at: Timestamp) -> Model {
        Model {
            employer_id,
            id,
            key: self.key.to_owned(),
            name: self.name.to_owned(),
            description: Some(self.description.to_owned()),
            properties_schema: Some(self.schema),
            sensitive: self.sensitive,
            max_late_seconds: MAX_LATE_SECONDS,
            max_future_seconds: MAX_FUTURE_SECONDS,
            retention_seconds: 0,
            created_at,
        }
    }
}

/// The whole stock menu.
pub fn items() -> Vec<Item> {
    let order = |total: &str| {
        json!({
            "order": {"type": "string", "minLength": 1, "maxLength": 100, "description": "The order's id in the shop."},
            "total": {"type": "integer", "minimum": 0, "description": total},
            "currency": {"type": "string", "pattern": "^[A-Z]{3}$", "description": "ISO 4217."}
        })
    };
    vec![
        Item {
            key: "health_data.logged",
            name: "Health data logged",
            description: "The member has logged health data. What was measured need not be sent, and is not kept.",
            sensitive: true,
            schema: object(
                json!({"kind": {"type": "string", "maxLength": 100, "description": "What was logged, such as weight or sleep."}}),
                &[],
            ),
        },
        Item {
            key: "birth.reported",
            name: "Birth reported",
            description: "The member has reported the birth of a child.",
            sensitive: true,
            schema: object(
                json!({"bornOn": {"type": "string", "format": "date", "description": "Civil date of the birth."}}),
                &[],
            ),
        },
        Item {
            key: "pregnancy.reported",
            name: "Pregnancy reported",
            description: "The member has reported a pregnancy.",
            sensitive: true,
            schema: object(
                json!({"dueOn": {"type": "string", "format": "date", "description": "Expected civil date of the birth."}}),
                &[],
            ),
        },
        Item {
            key: "meditation.completed",
            name: "Meditation completed",
            description: "The member has finished a meditation.",
            sensitive: false,
            schema: object(
                json!({"minutes": {"type": "number", "exclusiveMinimum": 0, "maximum": 1440, "description": "How long it took."}}),
                &[],
            ),
        },
        Item {
            key: "order.completed",
            name: "Order completed",
            description: "The member's order is complete.",
            sensitive: false,
            schema: object(
                order("Total of the order in minor units, such as cents."),
                &["order", "total", "currency"],
            ),
        },
        Item {
            key: "order.refunded",
            name: "Order refunded",
            description: "Part or all of an order was refunded. It states what remains, not what was given back.",
            sensitive: false,
            schema: object(
                order("What remains of the order in minor units, such as cents."),
                &["order", "total", "currency"],
            ),
        },
        Item {
            key: "purchase.completed",
            name: "Purchase completed",
            description: "The member has bought something without an account, such as at a smart fridge.",
            sensitive: false,
            schema: object(
                json!({
                    "product": {"type": "string", "maxLength": 200, "description": "What was bought."},
                    "total": {"type": "integer", "minimum": 0, "description": "Price in minor units, such as cents."},
                    "currency": {"type": "string", "pattern": "^[A-Z]{3}$", "description": "ISO 4217."}
                }),
                &[],
            ),
        },
        Item {
            key: "registration.completed",
            name: "Registration completed",
            description: "The member has registered with the employer.",
            sensitive: false,
            schema: object(
                json!({"channel": {"type": "string", "maxLength": 100, "description": "Where the member registered."}}),
                &[],
            ),
        },
    ]
}

/// Further properties are allowed: a sender that knows more is not refused for it.
fn object(properties: Value, required: &[&str]) -> Value {
    json!({"type": "object", "properties": properties, "required": required})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_schema_of_the_stock_menu_compiles() {
        for item in items() {
            assert!(crate::intake::check_schema(&item.schema).is_ok(), "{}", item.key);
        }
    }

    #[test]
    fn what_is_health_data_is_sensitive() {
        let sensitive: Vec<_> = items()
            .into_iter()
            .filter(|item| item.sensitive)
            .map(|item| item.key)
            .collect();
        assert_eq!(
            sensitive,
            ["health_data.logged", "birth.reported", "pregnancy.reported"]
        );
    }
}
