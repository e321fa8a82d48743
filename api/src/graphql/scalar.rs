//! The scalars, and the way in which a single event's malformed value is that event's fault and not the whole request's.

use std::borrow::Cow;

use async_graphql::parser::types::Field;
use async_graphql::registry::Registry;
use async_graphql::{
    ContextSelectionSet, InputType, InputValueError, InputValueResult, OutputType, Positioned, Scalar,
    ScalarType, ServerResult, Value,
};
use chrono::{DateTime as ChronoDateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use jobs::rules::calendar::{NoSpan, Span};

/// An instant: RFC 3339 with an offset, such as `2026-11-21T08:30:00+01:00`. Answers are in UTC, to the microsecond.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DateTime(pub ChronoDateTime<Utc>);

/// An instant: RFC 3339 with an offset, such as `2026-11-21T08:30:00+01:00`. Answers are in UTC, to the microsecond.
#[Scalar(
    name = "DateTime",
    specified_by_url = "https://datatracker.ietf.org/doc/html/rfc3339"
)]
impl ScalarType for DateTime {
    fn parse(value: Value) -> InputValueResult<Self> {
        match &value {
            Value::String(text) => parse_instant(text).map(Self).map_err(InputValueError::custom),
            _ => Err(InputValueError::expected_type(value)),
        }
    }

    fn to_value(&self) -> Value {
        Value::String(entity::clock::Timestamp::from(self.0).text())
    }
}

impl From<entity::clock::Timestamp> for DateTime {
    fn from(timestamp: entity::clock::Timestamp) -> Self {
        Self(timestamp.instant())
    }
}

/// Reads an instant of a year that people live in, to the microsecond: what is finer is cut off, as it is not stored.
pub fn parse_instant(text: &str) -> Result<ChronoDateTime<Utc>, String> {
    let wrong = "not an RFC 3339 instant with an offset, such as 2026-11-21T08:30:00+01:00";
    let instant = ChronoDateTime::parse_from_rfc3339(text)
        .map_err(|_| wrong.to_owned())?
        .to_utc();
    let known = chrono::Datelike::year(&instant);
    if !(1900..=2200).contains(&known) {
        return Err("a year from 1900 to 2200".to_owned());
    }
    Ok(entity::clock::Timestamp::from(instant).instant())
}

/// A civil date, without a time or zone: ISO 8601, such as `2026-11-21`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Date(pub chrono::NaiveDate);

/// A civil date, without a time or zone: ISO 8601, such as `2026-11-21`.
#[Scalar(
    name = "Date",
    specified_by_url = "https://datatracker.ietf.org/doc/html/rfc3339#section-5.6"
)]
impl ScalarType for Date {
    fn parse(value: Value) -> InputValueResult<Self> {
        match &value {
            Value::String(text) if text.len() == 10 => text
                .parse()
                .map(Self)
                .map_err(|_| InputValueError::custom("not a date such as 2026-11-21")),
            Value::String(_) => Err(InputValueError::custom("not a date such as 2026-11-21")),
            _ => Err(InputValueError::expected_type(value)),
        }
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_string())
    }
}

/// A length of time: ISO 8601 in weeks, days, hours, minutes and seconds, such as `P7D`, `PT5M` or `P1DT12H`. A day has 24 hours.
/// Years and months, such as in `P1Y6M`, are taken only where the field says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Duration(pub TimeDelta);

/// A length of time: ISO 8601 in weeks, days, hours, minutes and seconds, such as `P7D`, `PT5M` or `P1DT12H`. A day has 24 hours.
/// Years and months, such as in `P1Y6M`, are taken only where the field says so.
#[Scalar(
    name = "Duration",
    specified_by_url = "https://datatracker.ietf.org/doc/html/rfc3339#appendix-A"
)]
impl ScalarType for Duration {
    fn parse(value: Value) -> InputValueResult<Self> {
        match &value {
            Value::String(text) => parse_duration(text)
                .map(Self)
                .ok_or_else(|| InputValueError::custom("not an ISO 8601 duration such as P7D or PT5M")),
            _ => Err(InputValueError::expected_type(value)),
        }
    }

    fn to_value(&self) -> Value {
        Value::String(format_duration(self.0))
    }
}

/// A length of calendar time, with years and months as well: in the schema it is a plain [`Duration`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CalendarDuration(pub Span);

impl InputType for CalendarDuration {
    type RawValueType = Self;

    fn type_name() -> Cow<'static, str> {
        <Duration as InputType>::type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        <Duration as InputType>::create_type_info(registry)
    }

    fn parse(value: Option<Value>) -> InputValueResult<Self> {
        match value {
            Some(Value::String(text)) => text
                .parse()
                .map(Self)
                .map_err(|error: NoSpan| InputValueError::custom(error)),
            value => Err(InputValueError::expected_type(value.unwrap_or_default())),
        }
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_string())
    }

    fn as_raw_value(&self) -> Option<&Self::RawValueType> {
        Some(self)
    }
}

impl OutputType for CalendarDuration {
    fn type_name() -> Cow<'static, str> {
        <Duration as OutputType>::type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        <Duration as OutputType>::create_type_info(registry)
    }

    async fn resolve(&self, _: &ContextSelectionSet<'_>, _: &Positioned<Field>) -> ServerResult<Value> {
        Ok(InputType::to_value(self))
    }
}

/// Reads an ISO 8601 duration of weeks, days, hours, minutes and seconds.
pub fn parse_duration(text: &str) -> Option<TimeDelta> {
    let rest = text.strip_prefix('P')?;
    let (days, time) = match rest.split_once('T') {
        Some((_, "")) => return None,
        Some((days, time)) => (days, time),
        None => (rest, ""),
    };
    if days.is_empty() && time.is_empty() {
        return None;
    }
    let mut total = TimeDelta::zero();
    for (part, units) in [
        (days, [('W', 604_800), ('D', 86_400), ('\0', 0)]),
        (time, [('H', 3_600), ('M', 60), ('S', 1)]),
    ] {
        let mut rest = part;
        for (unit, seconds) in units {
            let Some((number, after)) = rest.split_once(unit) else {
                continue;
            };
            if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
                return None;
            }
            let amount = number.parse::<i64>().ok()?.checked_mul(seconds)?;
            total = total.checked_add(&TimeDelta::try_seconds(amount)?)?;
            rest = after;
        }
        if !rest.is_empty() {
            return None;
        }
    }
    Some(total)
}

/// Writes a duration in days, hours, minutes and seconds.
fn format_duration(duration: TimeDelta) -> String {
    let seconds = duration.num_seconds();
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let parts = [(rest / 3_600, 'H'), (rest % 3_600 / 60, 'M'), (rest % 60, 'S')];
    let time: String = parts
        .iter()
        .filter(|(number, _)| *number != 0)
        .map(|(number, unit)| format!("{number}{unit}"))
        .collect();
    match (days, time.is_empty()) {
        (0, true) => "P0D".to_owned(),
        (0, false) => format!("PT{time}"),
        (_, true) => format!("P{days}D"),
        (_, false) => format!("P{days}DT{time}"),
    }
}

/// An IANA time zone, such as `Europe/Berlin`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeZone(pub Tz);

/// An IANA time zone, such as `Europe/Berlin`.
#[Scalar(name = "TimeZone", specified_by_url = "https://www.iana.org/time-zones")]
impl ScalarType for TimeZone {
    fn parse(value: Value) -> InputValueResult<Self> {
        match &value {
            Value::String(text) => parse_zone(text).map(Self).map_err(InputValueError::custom),
            _ => Err(InputValueError::expected_type(value)),
        }
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.name().to_owned())
    }
}

/// Reads an IANA time zone.
pub fn parse_zone(text: &str) -> Result<Tz, String> {
    text.parse()
        .map_err(|_| "not an IANA time zone such as Europe/Berlin".to_owned())
}

/// The zone that a row names: it was checked when it was written.
pub fn stored_zone(text: &str) -> TimeZone {
    TimeZone(text.parse().unwrap_or(Tz::UTC))
}

/// An integer of 64 bits, as a JSON number; exact in every client up to 2^53-1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BigInt(pub i64);

/// An integer of 64 bits, as a JSON number; exact in every client up to 2^53-1.
#[Scalar(name = "BigInt")]
impl ScalarType for BigInt {
    fn parse(value: Value) -> InputValueResult<Self> {
        match &value {
            Value::Number(number) => number
                .as_i64()
                .map(Self)
                .ok_or_else(|| InputValueError::custom("not an integer of 64 bits")),
            _ => Err(InputValueError::expected_type(value)),
        }
    }

    fn to_value(&self) -> Value {
        Value::Number(self.0.into())
    }
}

/// An exact decimal number, as a string, such as `"12.50"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decimal(pub rust_decimal::Decimal);

/// An exact decimal number, as a string, such as `"12.50"`.
#[Scalar(name = "Decimal")]
impl ScalarType for Decimal {
    fn parse(value: Value) -> InputValueResult<Self> {
        match &value {
            // Not `parse`, which rounds what has too many digits.
            Value::String(text) => rust_decimal::Decimal::from_str_exact(text)
                .map(Self)
                .map_err(|_| InputValueError::custom("not a decimal number of at most 28 digits")),
            _ => Err(InputValueError::expected_type(value)),
        }
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.normalize().to_string())
    }
}

/// Any JSON value. Only where no type can be given: schemas, properties, attributes, values of conditions.
#[derive(Debug, Clone, PartialEq)]
pub struct Json(pub serde_json::Value);

/// Any JSON value. Only where no type can be given: schemas, properties, attributes, values of conditions.
#[Scalar(name = "JSON")]
impl ScalarType for Json {
    fn parse(value: Value) -> InputValueResult<Self> {
        value
            .into_json()
            .map(Self)
            .map_err(|_| InputValueError::custom("not a JSON value"))
    }

    fn to_value(&self) -> Value {
        Value::from_json(self.0.clone()).unwrap_or(Value::Null)
    }
}

/// A value of an item in a list whose items are judged one by one: in the schema it is a plain `T`, and a value that is not one is kept
/// as what is wrong with it, so that one malformed item does not spoil the others.
#[derive(Debug, Clone)]
pub struct PerItem<T>(pub Result<T, String>);

impl<T: InputType<RawValueType = T>> InputType for PerItem<T> {
    type RawValueType = Self;

    fn type_name() -> Cow<'static, str> {
        T::type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        T::create_type_info(registry)
    }

    fn parse(value: Option<Value>) -> InputValueResult<Self> {
        match value {
            // That something is missing is the request's fault, as it is with every other field.
            None | Some(Value::Null) => Err(InputValueError::expected_type(value.unwrap_or_default())),
            value => Ok(Self(T::parse(value).map_err(|error| {
                let message = error.into_server_error(async_graphql::Pos::default()).message;
                message
                    .rsplit_once("\": ")
                    .map_or_else(|| message.clone(), |(_, text)| text.to_owned())
            }))),
        }
    }

    fn to_value(&self) -> Value {
        match &self.0 {
            Ok(value) => value.to_value(),
            Err(_) => Value::Null,
        }
    }

    fn as_raw_value(&self) -> Option<&Self::RawValueType> {
        Some(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_and_write() {
        for (text, seconds) in [
            ("P7D", 604_800),
            ("PT5M", 300),
            ("P0D", 0),
            ("P1W", 604_800),
            ("P1DT12H", 129_600),
            ("PT1H1M1S", 3_661),
        ] {
            assert_eq!(parse_duration(text), Some(TimeDelta::seconds(seconds)), "{text}");
            let written = format_duration(TimeDelta::seconds(seconds));
            assert_eq!(
                parse_duration(&written),
                Some(TimeDelta::seconds(seconds)),
                "{written}"
            );
        }
    }

    #[test]
    fn what_is_no_length_of_time_is_refused() {
        for bad in [
            "",
            "P",
            "PT",
            "P1",
            "7D",
            "P1M",
            "P1Y",
            "P-1D",
            "P1.5D",
            "PT1D",
            "P1H",
            "PT1S1M",
            "P99999999999999999999D",
            "P1DT",
        ] {
            assert_eq!(parse_duration(bad), None, "{bad}");
        }
    }

    #[test]
    fn an_instant_has_an_offset_and_a_year_that_people_live_in() {
        assert!(parse_instant("2026-11-21T08:30:00+01:00").is_ok());
        assert!(parse_instant("2026-11-21T08:30:00Z").is_ok());
        for bad in [
            "2026-11-21T08:30:00",
            "2026-11-21",
            "yesterday",
            "0001-01-01T00:00:00Z",
            "9999-01-01T00:00:00Z",
        ] {
            assert!(parse_instant(bad).is_err(), "{bad}");
        }
    }
}
