//! From an event to what it counts for with one incentive: the same for what comes out of the queue and for the samples of a dry
//! run.

use chrono::NaiveDateTime;
use entity::clock::Timestamp;
use entity::contribution::{Contribution, Role};
use entity::id::{EmployerId, MemberId};
use serde_json::Value;

use crate::catalogue::Compiled;
use crate::rules::{Occurrence, calendar};

/// An event of a member, as far as incentives need to know it.
#[derive(Debug, Clone, Copy)]
pub struct Happening<'a> {
    /// The employer.
    pub employer: EmployerId,
    /// Whom it is about.
    pub member: MemberId,
    /// The key of its type.
    pub event_type: &'a str,
    /// Where it came from.
    pub source: &'a str,
    /// The sender's own id.
    pub event_id: &'a str,
    /// When it happened.
    pub occurred_at: Timestamp,
    /// The civil date and time where it happened.
    pub local_time: NaiveDateTime,
    /// The zone by which they were found.
    pub time_zone: &'a str,
    /// What it says about itself.
    pub properties: &'a Value,
}

impl Happening<'_> {
    /// What it counts for with an incentive, for a member with these attributes; none: nothing. An error says why that cannot be
    /// judged, and nothing about the member.
    pub fn counts_for(
        &self,
        compiled: &Compiled,
        attributes: &Value,
    ) -> Result<Option<Contribution>, String> {
        let day = calendar::program_day(self.local_time, compiled.program.day_starts_at());
        if !compiled.program.covers(day) {
            return Ok(None);
        }
        let instant = self.occurred_at.instant();
        let Some(version) = compiled.version_at(instant, self.event_type) else {
            return Ok(None);
        };
        // A broken version cannot say what it matches.
        let ready = version.ready.as_ref().map_err(Clone::clone)?;
        let occurrence = Occurrence {
            event_type: self.event_type,
            day,
            occurred_at: instant,
            properties: self.properties,
        };
        let evidence = ready
            .incentive
            .evidence(&occurrence, attributes)
            .map_err(|fault| fault.to_string())?;
        Ok(evidence.map(|evidence| Contribution {
            employer_id: self.employer,
            member_id: self.member,
            incentive_id: compiled.incentive.id,
            source: self.source.to_owned(),
            event_id: self.event_id.to_owned(),
            version: version.number,
            day: evidence.day,
            time_zone: self.time_zone.to_owned(),
            occurred_at: self.occurred_at,
            amount: evidence.amount.to_string(),
            steps: i32::try_from(evidence.steps).unwrap_or(i32::MAX),
            role: if evidence.stops { Role::Stops } else { Role::Counts },
        }))
    }
}
