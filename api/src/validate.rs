//! What names, keys, zones and texts may look like. Pure: values in, faults out.

use chrono_tz::Tz;
use jobs::outcome::is_category;

use crate::domain::Fault;

/// The longest name or title, in characters.
const NAME_MAX: usize = 200;
/// The longest description, in characters.
const DESCRIPTION_MAX: usize = 2_000;
/// The longest reason or reference, in characters.
const WORDS_MAX: usize = 500;
/// The longest key of a request, in characters.
const IDEMPOTENCY_KEY_MAX: usize = 200;
/// The longest id that others give to members and events, in characters.
pub const EXTERNAL_ID_MAX: usize = 255;
/// The earliest and latest year of a date of a program or member: dates outside are typing errors.
const YEARS: std::ops::RangeInclusive<i32> = 1900..=2200;

/// A key: `^[a-z0-9][a-z0-9._-]{0,62}$`.
pub fn key(path: &[&str], key: &str, faults: &mut Vec<Fault>) {
    let starts = key
        .bytes()
        .next()
        .is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    let rest = key
        .bytes()
        .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte));
    if !starts || !rest || key.len() > 63 {
        faults.push(Fault::invalid(
            path,
            "a key is 1 to 63 of a-z, 0-9, `.`, `_` and `-`, and starts with a letter or digit",
        ));
    }
}

/// A kind of points: `^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$`.
pub fn category(path: &[&str], category: &str, faults: &mut Vec<Fault>) {
    if !is_category(category) {
        faults.push(Fault::invalid(
            path,
            "a category is 1 to 63 of A-Z, a-z, 0-9, `.`, `_` and `-`, and starts with a letter or digit",
        ));
    }
}

/// The caller's own key of a request that is to happen once: 1 to 200 visible characters of ASCII.
pub fn idempotency_key(path: &[&str], key: &str, faults: &mut Vec<Fault>) {
    let is_visible = key.bytes().all(|byte| byte.is_ascii_graphic());
    if key.is_empty() || key.len() > IDEMPOTENCY_KEY_MAX || !is_visible {
        faults.push(Fault::invalid(
            path,
            format!("1 to {IDEMPOTENCY_KEY_MAX} visible characters of ASCII, without spaces"),
        ));
    }
}

/// A word of somebody's about something: 1 to 500 characters, not only spaces.
pub fn words(path: &[&str], text: &str, faults: &mut Vec<Fault>) {
    if text.trim().is_empty() || text.chars().count() > WORDS_MAX || has_control(text) {
        faults.push(Fault::invalid(
            path,
            format!("1 to {WORDS_MAX} characters, none of them a control character"),
        ));
    }
}

/// A name for people: 1 to 200 characters, not only spaces.
pub fn name(path: &[&str], name: &str, faults: &mut Vec<Fault>) {
    if name.trim().is_empty() || name.chars().count() > NAME_MAX || has_control(name) {
        faults.push(Fault::invalid(
            path,
            format!("1 to {NAME_MAX} characters, none of them a control character"),
        ));
    }
}

/// A description for people: at most 2,000 characters.
pub fn description(path: &[&str], text: Option<&str>, faults: &mut Vec<Fault>) {
    if text.is_some_and(|text| text.chars().count() > DESCRIPTION_MAX || text.contains('\0')) {
        faults.push(Fault::invalid(
            path,
            format!("at most {DESCRIPTION_MAX} characters"),
        ));
    }
}

/// An id that somebody else gives: 1 to 255 characters, none of them a control character.
pub fn is_external_id(id: &str) -> bool {
    !id.is_empty() && id.chars().count() <= EXTERNAL_ID_MAX && !has_control(id)
}

/// One of the two parts of an event's identity, `field`: as [`is_external_id`].
pub fn event_name(field: &str, name: &str) -> Result<(), Fault> {
    if is_external_id(name) {
        Ok(())
    } else {
        let message = format!("1 to {EXTERNAL_ID_MAX} characters, none of them a control character");
        Err(Fault::invalid(&[field], message))
    }
}

/// An IANA time zone.
pub fn zone(path: &[&str], zone: &str, faults: &mut Vec<Fault>) {
    if zone.parse::<Tz>().is_err() {
        faults.push(Fault::invalid(
            path,
            "not an IANA time zone such as Europe/Berlin",
        ));
    }
}

/// Two dates of which the first is not after the second.
pub fn dates(
    paths: [&[&str]; 2],
    from: Option<chrono::NaiveDate>,
    until: Option<chrono::NaiveDate>,
    faults: &mut Vec<Fault>,
) {
    use chrono::Datelike;
    for (path, date) in paths.into_iter().zip([from, until]) {
        if date.is_some_and(|date| !YEARS.contains(&date.year())) {
            faults.push(Fault::invalid(
                path,
                format!("a year from {} to {}", YEARS.start(), YEARS.end()),
            ));
        }
    }
    if let (Some(from), Some(until)) = (from, until)
        && until < from
    {
        faults.push(Fault::invalid(paths[1], "before its beginning"));
    }
}

/// A local time of day, `HH:MM`, in minutes after midnight.
pub fn time_of_day(path: &[&str], text: &str, faults: &mut Vec<Fault>) -> i32 {
    let parsed = text.split_once(':').and_then(|(hours, minutes)| {
        let two_digits = |part: &str| part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
        (two_digits(hours) && two_digits(minutes))
            .then(|| Some((hours.parse::<i32>().ok()?, minutes.parse::<i32>().ok()?)))?
    });
    match parsed {
        Some((hours, minutes)) if hours < 24 && minutes < 60 => hours * 60 + minutes,
        _ => {
            faults.push(Fault::invalid(path, "a local time as HH:MM, from 00:00 to 23:59"));
            0
        }
    }
}

/// Whether a JSON value holds a character that PostgreSQL cannot store, anywhere.
pub fn has_nul(value: &serde_json::Value) -> bool {
    match value {
        serde_json::Value::String(text) => text.contains('\0'),
        serde_json::Value::Array(items) => items.iter().any(has_nul),
        serde_json::Value::Object(fields) => fields
            .iter()
            .any(|(name, value)| name.contains('\0') || has_nul(value)),
        _ => false,
    }
}

fn has_control(text: &str) -> bool {
    text.chars().any(char::is_control)
}

/// Whether a text has the form of an e-mail address. Whether there is such an address only a mail server knows.
pub fn is_email(email: &str) -> bool {
    let plain = email.len() <= 254
        && email
            .chars()
            .all(|character| !character.is_control() && !character.is_whitespace());
    plain
        && email
            .split_once('@')
            .is_some_and(|(local, domain)| !local.is_empty() && domain.contains('.') && !domain.contains('@'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_only_plain_characters() {
        let faults = |text: &str| {
            let mut faults = Vec::new();
            key(&["key"], text, &mut faults);
            faults.len()
        };
        for good in ["a", "0", "acme", "health_data.logged", "a-b.c_d", &"x".repeat(63)] {
            assert_eq!(faults(good), 0, "{good}");
        }
        for bad in [
            "",
            "A",
            "_a",
            ".a",
            "-a",
            "a b",
            "ä",
            "a/b",
            "a\0",
            "acme\n",
            &"x".repeat(64),
        ] {
            assert_eq!(faults(bad), 1, "{bad:?}");
        }
    }

    #[test]
    fn a_time_of_day_is_two_digits_and_two_digits() {
        for (text, minutes) in [("00:00", Some(0)), ("04:30", Some(270)), ("23:59", Some(1439))] {
            let mut faults = Vec::new();
            assert_eq!(Some(time_of_day(&[], text, &mut faults)), minutes);
            assert!(faults.is_empty());
        }
        for bad in ["24:00", "4:00", "04:60", "0400", "04:00:00", "", "+4:00", "aa:bb"] {
            let mut faults = Vec::new();
            time_of_day(&[], bad, &mut faults);
            assert_eq!(faults.len(), 1, "{bad}");
        }
    }

    #[test]
    fn a_zero_character_is_found_wherever_it_hides() {
        assert!(has_nul(&serde_json::json!({"a": [{"b": "x\u{0}"}]})));
        assert!(has_nul(&serde_json::json!({"a\u{0}": 1})));
        assert!(!has_nul(&serde_json::json!({"a": [1, "b", null]})));
    }
}
