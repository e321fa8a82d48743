//! Why: what an achievement rests on, as it is kept with it.
//!
//! It is written when the achievement is recorded, because the events behind it are forgotten later. Of a sensitive incentive it
//! holds dates only: which event it was is not kept.

use chrono::NaiveDate;
use entity::contribution::Contribution;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::rules::{Evidence, Grounds};

/// What an achievement rests on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Why {
    /// The version of the incentive that has judged.
    pub version: i32,
    /// What contributed, by day.
    pub events: Vec<Contributing>,
    /// The same in a sentence, for people.
    pub text: String,
}

/// An event that contributed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Contributing {
    /// Where it came from; none where only its date is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The sender's own id; none where only its date is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The program day it counted for.
    pub local_date: NaiveDate,
    /// The zone by which that was computed.
    pub time_zone: String,
    /// How much of it counted, an exact decimal; none where that is 1, or where only its date is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<String>,
}

impl Why {
    /// Puts together what is kept. `known` is the evidence that the grounds point into; `zone` stands in where the zone of an
    /// event is not kept any more.
    pub fn new(
        version: i32,
        grounds: &Grounds,
        known: &[&Contribution],
        zone: &str,
        is_sensitive: bool,
        text: String,
    ) -> Self {
        let name = |text: &str| (!is_sensitive).then(|| text.to_owned());
        let amount = |amount: Decimal| {
            (!is_sensitive && amount != Decimal::ONE).then(|| amount.normalize().to_string())
        };
        let remembered = grounds.remembered.iter().map(|evidence| Contributing {
            source: None,
            id: None,
            local_date: evidence.day,
            time_zone: zone.to_owned(),
            amount: amount(evidence.amount),
        });
        let in_part = grounds.partly.iter().map(|(place, part)| (*place, Some(*part)));
        let whole = grounds.places.iter().map(|place| (*place, None));
        let places = in_part.chain(whole).filter_map(|(place, part)| {
            let row = known.get(place)?;
            Some(Contributing {
                source: name(&row.source),
                id: name(&row.event_id),
                local_date: row.day,
                time_zone: row.time_zone.clone(),
                amount: amount(part.or_else(|| row.amount.parse().ok()).unwrap_or_default()),
            })
        });
        let mut events: Vec<Contributing> = remembered.chain(places).collect();
        events.sort_by_key(|event| event.local_date);
        Self {
            version,
            events,
            text,
        }
    }

    /// Of an achievement that is kept although nothing is left of what it rested on.
    pub fn taken_back(version: i32) -> Self {
        Self {
            version,
            events: Vec::new(),
            text: "What this rested on was taken back; by the incentive's policy the achievement is kept."
                .to_owned(),
        }
    }

    /// The form that is stored; none where it cannot be written.
    pub fn write(&self) -> Option<String> {
        serde_json::to_string(self).ok()
    }

    /// Reads what is stored; none where that cannot be read.
    pub fn read(stored: &str) -> Option<Self> {
        serde_json::from_str(stored).ok()
    }
}

/// The evidence that a contribution is; none where its amount cannot be read.
pub fn evidence(row: &Contribution) -> Option<Evidence> {
    Some(Evidence {
        day: row.day,
        occurred_at: row.occurred_at.instant(),
        amount: row.amount.parse().ok()?,
        steps: u32::try_from(row.steps).ok()?,
        stops: row.role == entity::contribution::Role::Stops,
    })
}
