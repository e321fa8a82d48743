//! Campaigns of a test, and what became of their messages.

use entity::id::MessageId;
use entity::message::{self, Model};
use entity::page::Page;
use jobs::campaign::link;
use serde_json::{Value, json};

use super::{World, incentive_input};

impl World<'_> {
    /// Creates a campaign of this key that says hello; what `with` says of it is said as well.
    pub async fn campaign(&self, key: &str, with: Value) {
        let input = campaign_input(key, with);
        self.admin()
            .change("createCampaign", input, "campaign { id }")
            .await;
    }

    /// Creates an incentive that sends a message of a campaign for each event of this type.
    pub async fn sends(&self, campaign: &str, event_type: &str) {
        let mut input = incentive_input(
            &format!("sends-{campaign}"),
            event_type,
            json!({"immediate": true}),
            json!({"unlimited": true}),
        );
        input["outcomes"] = json!([{"message": {"campaign": campaign}}]);
        self.incentive(input).await;
    }

    /// The messages of a member, in the order in which they were brought about.
    pub async fn messages_of(&self, member: &str) -> Vec<Model> {
        let member = self.member_id(member).await;
        let db = self.app.app.db.read();
        let slice = message::read::list_of_member(db, self.employer, member, false, Page::first(100)).await;
        slice.unwrap().rows
    }

    /// The link in the first message of a member, without the address of the installation.
    pub async fn link_of(&self, member: &str) -> String {
        let messages = self.messages_of(member).await;
        format!("/unsubscribe/{}", link::token(&messages[0]))
    }

    /// Says of a message that it was settled this way, as the worker does.
    pub async fn settled(&self, message: MessageId, state: &str, reason: Option<&str>) {
        let slot = match state {
            "SENT" | "UNKNOWN" => "slot_category = 'marketing', slot_on = '2026-11-21'",
            _ => "slot_category = NULL, slot_on = NULL",
        };
        let reason = reason.map_or_else(|| "NULL".to_owned(), |reason| format!("'{reason}'"));
        let of_message = |id: String| {
            format!(
                "UPDATE message SET state = '{state}', reason = {reason}, due_at = NULL, settled_at = triggered_at, {slot} WHERE id = {id}"
            )
        };
        let hex = entity::id::TypedId::uuid(message).simple().to_string();
        let sqlite = of_message(format!("X'{hex}'"));
        let postgres = of_message(format!("'{hex}'"));
        self.app.sql_either(&sqlite, &postgres).await;
    }
}

/// The input of a campaign of this key that says hello; what `with` says of it is said as well.
pub fn campaign_input(key: &str, with: Value) -> Value {
    let mut input =
        json!({"key": key, "name": format!("Name of {key}"), "subject": "Hello", "text": "Hello there"});
    for (field, value) in with.as_object().unwrap() {
        input[field] = value.clone();
    }
    input
}
