//! A trigger by itself: for whoever asks of an event whether it matches, outside an incentive.

use serde_json::Value;

use super::condition::Trigger;
use super::definition::{DefinitionFault, TriggerDefinition};

/// Which events match.
#[derive(Debug, Clone, PartialEq)]
pub struct Pattern(Trigger);

impl Pattern {
    /// Makes a trigger ready. The paths of faults begin at the trigger.
    pub fn new(definition: &TriggerDefinition) -> Result<Self, Vec<DefinitionFault>> {
        definition.compile().map(Self)
    }

    /// The key of the event type.
    pub fn event_type(&self) -> &str {
        &self.0.event_type
    }

    /// Whether every event of the type matches.
    pub fn is_unconditional(&self) -> bool {
        self.0.conditions.is_empty()
    }

    /// Whether an event of this type with these properties, of a member with these attributes, matches.
    pub fn matches(&self, event_type: &str, properties: &Value, attributes: &Value) -> bool {
        self.0.matches(event_type, properties, attributes)
    }
}

/// Everything that is wrong with a trigger by itself, and in the light of its event type: `schemas` as in
/// [`super::definition::Definition::check`]. The paths of faults begin at the trigger.
pub fn check_trigger(
    definition: &TriggerDefinition,
    schemas: &dyn Fn(&str) -> Option<Value>,
) -> Vec<DefinitionFault> {
    let mut faults = definition.compile().err().unwrap_or_default();
    faults.extend(definition.check(schemas));
    faults
}
