//! From an event to what it counts for with one incentive: the same for what comes out of the queue and for the samples of a dry
//! run.

use chrono::NaiveDateTime;
use entity::clock::Timestamp;
use entity::contribution::{Contribution, Role};
use entity::earning::{self, CauseKey, refund::Refund};
use entity::id::{EmployerId, MemberId};
use rust_decimal::Decimal;
use serde_json::Value;

use super::Release;
use crate::catalogue::{Catalogue, Compiled, Ready};
use crate::outcome::PointsOutcome;
use crate::rules::points::{self, Occasion};
use crate::rules::{Evidence, Occurrence, calendar};

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
        catalogue: &Catalogue,
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
        let Some(evidence) = evidence else {
            return Ok(None);
        };
        let earns = if ready.earns_by_event && !evidence.stops {
            self.earns(catalogue, compiled, ready, &evidence, attributes)?
        } else {
            Earns::default()
        };
        Ok(Some(Contribution {
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
            cause: earns.cause,
            units: earns.units,
            factor: earns.factor,
        }))
    }

    /// What is to be remembered of it for the points that it earns by itself.
    fn earns(
        &self,
        catalogue: &Catalogue,
        compiled: &Compiled,
        ready: &Ready,
        evidence: &Evidence,
        attributes: &Value,
    ) -> Result<Earns, String> {
        let mut earns = Earns::default();
        let mut factors: Vec<String> = Vec::new();
        for outcome in &ready.outcomes.points {
            let occasion = Occasion {
                category: &outcome.category,
                day: evidence.day,
                at: Some(evidence.occurred_at),
                properties: Some(self.properties),
                attributes,
            };
            factors.push(factor(catalogue, compiled, outcome, &occasion).to_string());
            if let Some(per_unit) = &outcome.per_unit {
                let units = points::units(self.properties, &per_unit.property);
                let units = units.map_err(|fault| fault.to_string())?;
                earns.units = units.map(|units| units.to_string());
            }
            if let Some(path) = outcome.order_name() {
                let name = points::name(self.properties, path);
                earns.cause = name.map(|name| earning::cause_of_order(&name));
            }
        }
        earns.factor = Some(factors.join(" "));
        Ok(earns)
    }

    /// What it says of an order that an incentive has given points for, or will; none: nothing. An error says why that cannot be
    /// judged, and nothing about the member. Whether the program still runs does not matter: what was earned can be refunded.
    pub fn refunds(&self, compiled: &Compiled) -> Result<Option<Refund>, String> {
        let instant = self.occurred_at.instant();
        let Some((property, refund)) = compiled.refund_terms(instant, self.event_type) else {
            return Ok(None);
        };
        let left = points::left(self.properties, property).map_err(|fault| fault.to_string())?;
        let name = points::name(self.properties, &refund.match_on);
        Ok(left.zip(name).map(|(left, name)| Refund {
            employer_id: self.employer,
            member_id: self.member,
            incentive_id: compiled.incentive.id,
            source: self.source.to_owned(),
            event_id: self.event_id.to_owned(),
            cause: earning::cause_of_order(&name),
            day: calendar::program_day(self.local_time, compiled.program.day_starts_at()),
            occurred_at: self.occurred_at,
            remaining: left.to_string(),
        }))
    }

    /// The order that it releases the points of, of an incentive that has given points for it, or will; none: it releases none. As with
    /// refunds, whether the program still runs does not matter.
    pub fn releases(&self, compiled: &Compiled) -> Option<Release> {
        let path = compiled.release_terms(self.event_type)?;
        let name = points::name(self.properties, path)?;
        Some(Release {
            cause: CauseKey {
                employer_id: self.employer,
                member_id: self.member,
                incentive_id: compiled.incentive.id,
                cause: earning::cause_of_order(&name),
            },
            event_type: self.event_type.to_owned(),
        })
    }
}

/// What is remembered of an event that earns points by itself, as in [`Contribution`].
#[derive(Default)]
struct Earns {
    cause: Option<Vec<u8>>,
    units: Option<String>,
    factor: Option<String>,
}

/// By how much points are multiplied on an occasion: by their own multiplier and by every boost of the program that applies.
pub fn factor(
    catalogue: &Catalogue,
    compiled: &Compiled,
    outcome: &PointsOutcome,
    occasion: &Occasion<'_>,
) -> Decimal {
    let boosts = catalogue.boosts(compiled.program.id).iter();
    let boosts = boosts.filter_map(|boost| boost.applies(occasion));
    points::factor(outcome.multiplier.into_iter().chain(boosts))
}
