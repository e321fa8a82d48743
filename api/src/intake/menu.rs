//! The employers' event types with their schemas compiled, kept in memory until the employer's catalogue has moved on.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use entity::id::EmployerId;
use entity::{employer, event_type};
use jsonschema::Validator;
use sea_orm::{ConnectionTrait, DbErr};
use serde_json::Value;

use super::schema;
use crate::domain::{Fault, FaultCode};

/// An event type ready to check properties.
pub struct MenuItem {
    /// The event type.
    pub event_type: event_type::Model,
    validator: Option<Validator>,
}

/// One employer with its event types by key.
pub struct Menu {
    /// The employer, as it was read.
    pub employer: employer::Model,
    items: HashMap<String, MenuItem>,
}

impl MenuItem {
    fn new(event_type: event_type::Model) -> Self {
        // A schema was compiled when the event type was created; should one not compile any more, nothing is checked by it.
        let validator = event_type
            .properties_schema
            .as_ref()
            .and_then(|schema| schema::compile(schema).ok());
        Self {
            event_type,
            validator,
        }
    }

    /// Checks properties against the schema. The fault says where and which rule, never the value: it may be health data.
    pub fn check_properties(&self, properties: &Value) -> Result<(), Fault> {
        let Some(validator) = &self.validator else {
            return Ok(());
        };
        let Some(error) = validator.iter_errors(properties).next() else {
            return Ok(());
        };
        let place = error.instance_path().to_string();
        let path: Vec<&str> = std::iter::once("properties")
            .chain(place.split('/').filter(|part| !part.is_empty()))
            .collect();
        let message = format!(
            "does not fit the schema of the event type ({})",
            error.schema_path()
        );
        Err(Fault::new(FaultCode::InvalidProperties, &path, message))
    }
}

impl Menu {
    /// The event type of this key.
    pub fn find(&self, key: &str) -> Option<&MenuItem> {
        self.items.get(key)
    }
}

/// The menus in memory, by employer.
#[derive(Default)]
pub struct Menus {
    known: Mutex<HashMap<EmployerId, Arc<Menu>>>,
}

impl Menus {
    /// The menus of these employers as they are in the caller's transaction.
    pub async fn load(
        &self,
        connection: &impl ConnectionTrait,
        employers: Vec<EmployerId>,
    ) -> Result<HashMap<EmployerId, Arc<Menu>>, DbErr> {
        let mut loaded = HashMap::new();
        for employer in employer::list_by_ids(connection, employers).await? {
            let id = employer.id;
            let known = self
                .lock()
                .get(&id)
                .filter(|menu| menu.employer.catalogue_version == employer.catalogue_version)
                .cloned();
            let menu = match known {
                Some(menu) => menu,
                None => {
                    let items = event_type::list(connection, id).await?;
                    let items = items
                        .into_iter()
                        .map(|row| (row.key.clone(), MenuItem::new(row)))
                        .collect();
                    let fresh = Arc::new(Menu { employer, items });
                    self.lock().insert(id, Arc::clone(&fresh));
                    fresh
                }
            };
            loaded.insert(id, menu);
        }
        Ok(loaded)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<EmployerId, Arc<Menu>>> {
        // The map holds whole values only; a panic elsewhere cannot leave half of one behind.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
