//! Whether an event is acceptable, and on which local date it happened. Pure: everything it is judged by is handed in.

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use entity::clock::Timestamp;
use entity::event::ZoneOrigin;
use entity::{employer, member};
use jobs::rules::calendar;
use serde_json::Value;

use super::menu::{Menu, MenuItem};
use crate::domain::{Fault, FaultCode};
use crate::validate;

/// The largest properties, in bytes of JSON.
const PROPERTIES_MAX: usize = 16 * 1024;

/// An event as it was sent, before anything is known to be right with it.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// The sender's own id.
    pub id: String,
    /// Where it came from.
    pub source: String,
    /// The key of its type.
    pub event_type: String,
    /// The member's external id.
    pub member: String,
    /// When it happened; an error says what is wrong with the text.
    pub occurred_at: Result<DateTime<Utc>, String>,
    /// Its IANA zone, if it names one; an error says what is wrong with it.
    pub time_zone: Result<Option<Tz>, String>,
    /// The properties; an error says what is wrong with them.
    pub properties: Result<Value, String>,
}

impl Candidate {
    /// The properties; null where something is wrong with them.
    pub fn properties(&self) -> &Value {
        self.properties.as_ref().unwrap_or(&Value::Null)
    }
}

/// What is known of a candidate whose form is right: it has an identity and a body.
#[derive(Debug, Clone)]
pub struct WellFormed {
    /// When it happened.
    pub occurred_at: DateTime<Utc>,
    /// Its zone, if it names one.
    pub time_zone: Option<Tz>,
    /// The properties as they are stored: an object, its fields in order.
    pub properties_text: String,
    /// Digest of the body.
    pub digest: [u8; 32],
}

/// The civil time at which an event happened, and how it is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Local {
    /// Civil date and time, ISO 8601 without offset.
    pub time: String,
    /// The zone by which it was computed.
    pub zone: Tz,
    /// Whose zone that was.
    pub origin: ZoneOrigin,
}

/// Checks the form of a candidate: what can be said without knowing the employer.
pub fn form(candidate: &Candidate) -> Result<WellFormed, Fault> {
    validate::event_name("id", &candidate.id)?;
    validate::event_name("source", &candidate.source)?;
    let occurred_at = candidate
        .occurred_at
        .clone()
        .map_err(|message| Fault::invalid(&["occurredAt"], message))?;
    let time_zone = candidate
        .time_zone
        .clone()
        .map_err(|message| Fault::invalid(&["timeZone"], message))?;
    let invalid_properties =
        |message: &str| Fault::new(FaultCode::InvalidProperties, &["properties"], message);
    let properties = candidate
        .properties
        .as_ref()
        .map_err(|message| invalid_properties(message))?;
    if !properties.is_object() {
        return Err(invalid_properties("the properties are a JSON object"));
    }
    if validate::has_nul(properties) {
        return Err(invalid_properties("the properties contain a zero character"));
    }
    let properties_text = super::body::canonical(properties);
    if properties_text.len() > PROPERTIES_MAX {
        return Err(invalid_properties("the properties are longer than 16 KiB"));
    }
    let digest = super::body::digest(
        &candidate.event_type,
        &candidate.member,
        occurred_at,
        time_zone.map(Tz::name),
        &properties_text,
    );
    Ok(WellFormed {
        occurred_at,
        time_zone,
        properties_text,
        digest,
    })
}

/// The type of a candidate on its employer's menu.
pub fn item<'a>(candidate: &Candidate, menu: &'a Menu) -> Result<&'a MenuItem, Fault> {
    menu.find(&candidate.event_type).ok_or_else(|| {
        Fault::new(
            FaultCode::UnknownEventType,
            &["type"],
            "the employer has no event type of this key",
        )
    })
}

/// Checks a well-formed candidate against its type.
pub fn fits_type(
    candidate: &Candidate,
    event: &WellFormed,
    item: &MenuItem,
    now: DateTime<Utc>,
) -> Result<(), Fault> {
    let event_type = &item.event_type;
    if now.signed_duration_since(event.occurred_at) > TimeDelta::seconds(event_type.max_late_seconds) {
        let message = format!(
            "it happened more than {} ago",
            days_or_seconds(event_type.max_late_seconds)
        );
        return Err(Fault::new(FaultCode::TooLate, &["occurredAt"], message));
    }
    if event.occurred_at.signed_duration_since(now) > TimeDelta::seconds(event_type.max_future_seconds) {
        let message = format!(
            "it happens more than {} from now",
            days_or_seconds(event_type.max_future_seconds)
        );
        return Err(Fault::new(FaultCode::InFuture, &["occurredAt"], message));
    }
    item.check_properties(candidate.properties())
}

/// When it happened where it happened: by the zone of the event, else of the member, else of the employer.
pub fn local(event: &WellFormed, member: Option<&member::Model>, employer: &employer::Model) -> Local {
    let named = |zone: Option<&str>| zone.and_then(|zone| zone.parse::<Tz>().ok());
    let (zone, origin) = match (
        event.time_zone,
        named(member.and_then(|member| member.time_zone.as_deref())),
    ) {
        (Some(zone), _) => (zone, ZoneOrigin::Event),
        (None, Some(zone)) => (zone, ZoneOrigin::Member),
        (None, None) => (
            named(Some(&employer.time_zone)).unwrap_or(Tz::UTC),
            ZoneOrigin::Employer,
        ),
    };
    let time = calendar::civil(event.occurred_at, zone)
        .format("%Y-%m-%dT%H:%M:%S%.f")
        .to_string();
    Local { time, zone, origin }
}

/// Checks that the member was eligible on the local date of the event.
pub fn eligible(local: &Local, member: &member::Model) -> Result<(), Fault> {
    let Some(day) = local
        .time
        .get(..10)
        .and_then(|day| day.parse::<chrono::NaiveDate>().ok())
    else {
        return Err(Fault::invalid(&["occurredAt"], "out of the range of dates"));
    };
    let before = member.eligible_from.is_some_and(|from| day < from);
    let after = member.eligible_until.is_some_and(|until| until < day);
    if before || after {
        return Err(Fault::new(
            FaultCode::NotEligible,
            &["member"],
            "the member was not eligible on that day",
        ));
    }
    Ok(())
}

/// Until when the same event could be accepted once more.
pub fn acceptable_until(event: &WellFormed, item: &MenuItem) -> Timestamp {
    Timestamp(
        Timestamp::from(event.occurred_at)
            .0
            .saturating_add(item.event_type.max_late_seconds.saturating_mul(1_000_000)),
    )
}

fn days_or_seconds(seconds: i64) -> String {
    if seconds > 0 && seconds % 86_400 == 0 {
        format!("{} days", seconds / 86_400)
    } else {
        format!("{seconds} seconds")
    }
}
