//! What an incentive is built on: the incentives whose achievements it is earned by.

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use entity::employer;
use entity::id::IncentiveId;
use entity::incentive::{self, Model, Version};
use jobs::rules::definition::{Definition, StructureDefinition};
use sea_orm::{ConnectionTrait, DbErr};

use crate::domain::Fault;

/// The employer's incentives, as far as a definition is built on any.
#[derive(Debug, Default)]
pub(super) struct Basis {
    incentives: Vec<Model>,
    /// By incentive, the keys of those it is built on now or will be.
    built_on: HashMap<IncentiveId, BTreeSet<String>>,
}

impl Basis {
    /// Reads what a definition is to be built on; nothing where it is built on events. `own` is the incentive that it is a new version
    /// of, which alone can close a circle.
    pub async fn read(
        connection: &impl ConnectionTrait,
        employer: &employer::Model,
        own: Option<&Model>,
        definition: &Definition,
        now: DateTime<Utc>,
    ) -> Result<Self, DbErr> {
        if keys(definition).is_empty() {
            return Ok(Self::default());
        }
        let mut built_on: HashMap<_, BTreeSet<String>> = HashMap::new();
        if own.is_some() {
            let versions = incentive::list_versions(connection, employer.id).await?;
            for (version, next) in versions
                .iter()
                .zip(versions.iter().skip(1).map(Some).chain([None]))
            {
                if !is_over(version, next, now)
                    && let Ok(definition) = Definition::parse(&version.definition)
                {
                    let found = built_on.entry(version.incentive_id).or_default();
                    found.extend(keys(&definition).iter().cloned());
                }
            }
        }
        Ok(Self {
            incentives: incentive::list(connection, employer.id).await?,
            built_on,
        })
    }

    /// Whether there is an incentive of this key.
    pub fn has(&self, key: &str) -> bool {
        self.find(key).is_some()
    }

    /// Whether one of what a definition is built on is sensitive.
    pub fn is_sensitive(&self, definition: &Definition) -> bool {
        keys(definition)
            .iter()
            .any(|key| self.find(key).is_some_and(|incentive| incentive.sensitive))
    }

    /// What of a definition of `own` would be earned by `own` itself, in however many steps.
    pub fn circles(&self, own: Option<&Model>, definition: &Definition) -> Vec<Fault> {
        let Some(own) = own else {
            return Vec::new();
        };
        let circular = keys(definition).iter().enumerate();
        circular
            .filter(|(_, key)| self.leads_to(key, &own.key))
            .map(|(place, _)| {
                let path = ["structure", "achievements", "of", &place.to_string()];
                Fault::invalid(&path, "an incentive cannot be earned by its own achievements")
            })
            .collect()
    }

    fn leads_to(&self, from: &str, goal: &str) -> bool {
        let mut seen = BTreeSet::new();
        let mut open = vec![from];
        while let Some(key) = open.pop() {
            if key == goal {
                return true;
            }
            if seen.insert(key)
                && let Some(incentive) = self.find(key)
                && let Some(next) = self.built_on.get(&incentive.id)
            {
                open.extend(next.iter().map(String::as_str));
            }
        }
        false
    }

    fn find(&self, key: &str) -> Option<&Model> {
        self.incentives.iter().find(|incentive| incentive.key == key)
    }
}

/// Whether a newer version is in force already.
fn is_over(version: &Version, next: Option<&Version>, now: DateTime<Utc>) -> bool {
    next.is_some_and(|next| {
        next.incentive_id == version.incentive_id
            && next.effective_from.is_none_or(|from| from.instant() <= now)
    })
}

/// The keys of the incentives that a definition is built on.
fn keys(definition: &Definition) -> &[String] {
    match &definition.structure {
        StructureDefinition::Achievements(achievements) => &achievements.of,
        _ => &[],
    }
}
