//! Campaigns: what members are written, by whom it is brought about, and whether a message goes.
//!
//! Everything here is pure; the shell around it writes and sends messages.
//!
//! A *trigger* brings a message about: an award of an incentive whose outcomes name the campaign, or a run of the campaign's schedule over its
//! segment. The message is *decided* when it is due, by what holds then.

pub mod compose;
pub mod decide;
pub mod link;
#[cfg(test)]
mod sample;
pub mod schedule;
pub mod shelf;
pub mod template;
pub mod timing;

use std::time::Duration;

use chrono::TimeDelta;
use entity::campaign::Model;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::rules::definition::TriggerDefinition;
use crate::rules::pattern::Pattern;
use template::Template;
use timing::{Cap, Quiet};

/// The event type by which a member that is known from its events alone becomes one that has registered.
pub const REGISTRATION: &str = "registration.completed";

/// The members to whom a schedule sends, as it is stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SegmentDefinition {
    /// What they have done.
    pub did: TriggerDefinition,
    /// How long ago at most, in seconds.
    pub within_seconds: i64,
    /// Whether they have registered; none: either.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engaged: Option<bool>,
}

/// A campaign, ready to be used.
#[derive(Debug, Clone)]
pub struct Campaign {
    /// The campaign.
    pub row: Model,
    /// What it works towards.
    pub until: Option<Pattern>,
    /// To whom its schedule sends.
    pub segment: Option<Segment>,
    /// When it sends nothing.
    pub quiet: Option<Quiet>,
    /// How many of its category a member gets at most.
    pub cap: Option<Cap>,
    needs_event: bool,
}

/// A segment, ready to be used.
#[derive(Debug, Clone)]
pub struct Segment {
    /// What its members have done.
    pub did: Pattern,
    /// How long ago at most.
    pub within: TimeDelta,
    /// Whether they have registered; none: either.
    pub engaged: Option<bool>,
}

impl Campaign {
    /// Makes a stored campaign ready; an error says what of it cannot be read.
    pub fn read(row: Model) -> Result<Self, String> {
        let until = row.until.as_ref().map(pattern).transpose()?;
        let segment = row.segment.as_ref().map(segment).transpose()?;
        let quiet = match (&row.quiet_from, &row.quiet_to) {
            (Some(from), Some(to)) => Some(Quiet::parse(from, to).ok_or("the quiet hours cannot be read")?),
            _ => None,
        };
        let cap = match (row.cap_at_most, row.cap_per) {
            (Some(at_most), Some(per)) => Some(Cap { at_most, per }),
            _ => None,
        };
        let templates = [Some(&row.subject), Some(&row.body_text), row.body_html.as_ref()];
        let needs_event = row.content_url.is_some()
            || templates
                .into_iter()
                .flatten()
                .any(|source| Template::needs_event(source));
        Ok(Self {
            row,
            until,
            segment,
            quiet,
            cap,
            needs_event,
        })
    }

    /// Whether a message has to know the event behind it.
    pub fn needs_event(&self) -> bool {
        self.needs_event
    }

    /// Whether whoever has registered has done what the campaign works towards, however that came to be known.
    pub fn ends_with_registration(&self) -> bool {
        self.until
            .as_ref()
            .is_some_and(|until| until.event_type() == REGISTRATION && until.is_unconditional())
    }

    /// How long a message may wait.
    pub fn time_to_live(&self) -> TimeDelta {
        TimeDelta::seconds(self.row.time_to_live_seconds)
    }

    /// How long after a message something counts as brought about by it.
    pub fn conversion_window(&self) -> TimeDelta {
        TimeDelta::seconds(self.row.conversion_seconds)
    }

    /// How long its content source may take; none: it has none.
    pub fn content_timeout(&self) -> Option<Duration> {
        self.row
            .content_timeout_millis
            .and_then(|millis| u64::try_from(millis).ok())
            .map(Duration::from_millis)
    }
}

fn pattern(stored: &Value) -> Result<Pattern, String> {
    let definition = TriggerDefinition::deserialize(stored)
        .map_err(|error| format!("the trigger cannot be read: {error}"))?;
    compile(&definition)
}

fn segment(stored: &Value) -> Result<Segment, String> {
    let definition = SegmentDefinition::deserialize(stored)
        .map_err(|error| format!("the segment cannot be read: {error}"))?;
    Ok(Segment {
        did: compile(&definition.did)?,
        within: TimeDelta::try_seconds(definition.within_seconds).ok_or("the segment is out of range")?,
        engaged: definition.engaged,
    })
}

fn compile(definition: &TriggerDefinition) -> Result<Pattern, String> {
    Pattern::new(definition).map_err(|faults| {
        let messages: Vec<String> = faults.into_iter().map(|fault| fault.message).collect();
        messages.join("; ")
    })
}
