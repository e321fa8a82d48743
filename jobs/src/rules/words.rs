//! The words for why and why not yet: what was asked, what was found, what is missing. Dates, sums and settings, and nothing that
//! an event said about itself.

use std::fmt::Display;

use chrono::SecondsFormat;
use rust_decimal::Decimal;

use super::calendar::{Period, Window};
use super::definition::{LimitDefinition, StreakDefinition, StructureDefinition};
use super::structure::Deadline;
use super::{Award, Evidence, Grounds, Incentive, ProgressView};

/// What an award rests on, in sentences: what was asked, what was found, how often it is awarded. `grounds` and `evidence` are those
/// of [`explain`](fn@super::explain).
pub fn text(incentive: &Incentive, award: &Award, grounds: &Grounds, evidence: &[Evidence]) -> String {
    let known = grounds.places.iter().filter_map(|place| evidence.get(*place));
    let all: Vec<&Evidence> = grounds.remembered.iter().chain(known).collect();
    let days = all.iter().map(|item| item.day);
    let span = match (days.clone().min(), days.max()) {
        (Some(first), Some(last)) if first < last => format!("from {first} to {last}"),
        _ => format!("on {}", award.earned_on),
    };
    let asked = asked(&incentive.asked);
    let found = found(&incentive.asked, &all);
    let mut sentences = vec![format!(
        "Asked for: {asked}. Found: {found}, {span}; earned on {}.",
        award.earned_on
    )];
    sentences.extend(remembered(&incentive.asked, &grounds.remembered));
    sentences.push(awarded(incentive.awarded, award));
    sentences.join(" ")
}

/// What is missing until the next award, and until when, in a sentence.
pub fn missing(incentive: &Incentive, view: &ProgressView) -> String {
    if view.required <= view.current {
        return "Nothing is missing: all there is to earn was earned.".to_owned();
    }
    if let Some(instant) = view.stopped_from {
        return format!("Nothing counts any more since {}.", instant.date_naive());
    }
    let rest = (view.required - view.current).normalize();
    let has_begun = view.current > Decimal::ZERO;
    let missing = match &incentive.asked {
        StructureDefinition::Immediate => "1 matching event".to_owned(),
        StructureDefinition::Streak(streak) => {
            let more = if has_begun { "more " } else { "" };
            format!("{rest} {more}{} in a row", plural(rest, unit(streak.period)))
        }
        StructureDefinition::Count(count) => {
            let more = if has_begun { "more " } else { "" };
            let events = plural(rest, "matching event");
            format!("{rest} {more}{events}{}", within(count.window))
        }
        StructureDefinition::Total(total) => {
            let more = if has_begun { " more" } else { "" };
            format!("a sum of {rest}{more}{}", within(total.window))
        }
        StructureDefinition::Sequence(_) if has_begun => {
            let done = view.current.normalize();
            format!("{rest} more {} after the first {done}", plural(rest, "step"))
        }
        StructureDefinition::Achievements(_) if has_begun => {
            format!("{rest} more of the incentives")
        }
        StructureDefinition::Sequence(_) | StructureDefinition::Achievements(_) => asked(&incentive.asked),
    };
    let until = view.deadline.map(|deadline| match deadline {
        Deadline::EndOf(day) => day.to_string(),
        Deadline::At(instant) => instant.to_rfc3339_opts(SecondsFormat::Secs, true),
    });
    let next = match (&incentive.asked, until) {
        (_, None) => String::new(),
        (StructureDefinition::Streak(_), Some(until)) => format!(", the next until {until}"),
        (_, Some(until)) => format!(", until {until}"),
    };
    format!("Missing: {missing}{next}.")
}

/// What a structure asks.
fn asked(structure: &StructureDefinition) -> String {
    match structure {
        StructureDefinition::Immediate => "a matching event".to_owned(),
        StructureDefinition::Streak(streak) => streak_asked(streak),
        StructureDefinition::Count(count) => {
            let events = plural(count.times, "matching event");
            format!("{} {events}{}", count.times, within(count.window))
        }
        StructureDefinition::Total(total) => {
            format!("a sum of {}{}", total.at_least.normalize(), within(total.window))
        }
        StructureDefinition::Sequence(sequence) => {
            format!(
                "{} steps, one after the other within {}",
                sequence.steps.len(),
                length(sequence.within)
            )
        }
        StructureDefinition::Achievements(achievements) => {
            let of = achievements.of.len();
            match achievements.at_least {
                Some(at_least) => format!("{at_least} of {of} {}", plural(of, "incentive")),
                None => format!("all of {of} {}", plural(of, "incentive")),
            }
        }
    }
}

fn streak_asked(streak: &StreakDefinition) -> String {
    let unit = unit(streak.period);
    let mut asked = format!("{} {} in a row", streak.length, plural(streak.length, unit));
    if streak.per_period > 1 {
        asked = format!("{asked}, each with {} matching events", streak.per_period);
    }
    if streak.freezes > 0 {
        let missed = plural(streak.freezes, unit);
        asked = format!(
            "{asked}, not counting up to {} missed {missed} between them",
            streak.freezes
        );
    }
    asked
}

/// What there was of it.
fn found(structure: &StructureDefinition, evidence: &[&Evidence]) -> String {
    let sum = sum(evidence.iter().copied());
    match structure {
        StructureDefinition::Immediate | StructureDefinition::Count(_) => {
            format!("{sum} {}", plural(sum, "event"))
        }
        StructureDefinition::Streak(streak) => {
            let mut periods: Vec<i32> = evidence
                .iter()
                .map(|item| streak.period.index(item.day))
                .collect();
            periods.sort_unstable();
            periods.dedup();
            let count = periods.len();
            format!(
                "{count} {} with {sum} {}",
                plural(count, unit(streak.period)),
                plural(sum, "event")
            )
        }
        StructureDefinition::Total(_) => format!("a sum of {sum}"),
        StructureDefinition::Sequence(_) => format!("{} {}", evidence.len(), plural(evidence.len(), "step")),
        StructureDefinition::Achievements(_) => {
            format!(
                "{} {} earned",
                evidence.len(),
                plural(evidence.len(), "incentive")
            )
        }
    }
}

/// How much of what was found is not known event by event any more.
fn remembered(structure: &StructureDefinition, remembered: &[Evidence]) -> Option<String> {
    if remembered.is_empty() {
        return None;
    }
    let sum = sum(remembered);
    Some(match structure {
        StructureDefinition::Total(_) => format!("Of that, {sum} is remembered as a sum only."),
        _ => format!(
            "Of the events, {sum} {} remembered in sums only.",
            if sum == Decimal::ONE { "is" } else { "are" }
        ),
    })
}

/// How often it is awarded, and which of the awards this is.
fn awarded(limit: LimitDefinition, award: &Award) -> String {
    let ordinal = award.ordinal;
    match limit {
        LimitDefinition::Once => "Awarded once.".to_owned(),
        LimitDefinition::AtMost(times) => {
            format!(
                "Awarded at most {times} {}; this is number {ordinal}.",
                plural(times, "time")
            )
        }
        LimitDefinition::OncePer(Window::Program) => "Awarded once in the program.".to_owned(),
        LimitDefinition::OncePer(Window::Ever) => "Awarded once.".to_owned(),
        LimitDefinition::OncePer(window) => {
            format!("Awarded once a {}: {}.", name(window), award.period_key)
        }
        LimitDefinition::Unlimited => format!("Awarded every time; this is number {ordinal}."),
    }
}

fn sum<'a>(evidence: impl IntoIterator<Item = &'a Evidence>) -> Decimal {
    let sum = evidence
        .into_iter()
        .fold(Decimal::ZERO, |sum, item| sum.saturating_add(item.amount));
    sum.normalize()
}

fn unit(period: Period) -> &'static str {
    match period {
        Period::Day => "day",
        Period::Week => "week",
        Period::Month => "month",
    }
}

fn name(window: Window) -> &'static str {
    match window {
        Window::Day => "day",
        Window::Week => "week",
        Window::Month => "month",
        Window::Quarter => "quarter",
        Window::Year => "year",
        Window::Program => "program",
        Window::Ever => "life",
    }
}

fn within(window: Window) -> String {
    match window {
        Window::Ever => String::new(),
        Window::Program => " within the program".to_owned(),
        _ => format!(" within one {}", name(window)),
    }
}

/// A length of time in the largest unit that divides it.
fn length(seconds: i64) -> String {
    let units = [(86_400, "day"), (3_600, "hour"), (60, "minute")];
    let (size, unit) = units
        .into_iter()
        .find(|(size, _)| seconds % size == 0)
        .unwrap_or((1, "second"));
    let count = seconds / size;
    format!("{count} {}", plural(count, unit))
}

fn plural(count: impl Display, noun: &str) -> String {
    if count.to_string() == "1" {
        noun.to_owned()
    } else {
        format!("{noun}s")
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, NaiveDate, Utc};
    use serde_json::{Value, json};

    use super::*;

    fn incentive(structure: Value, limit: Value) -> Incentive {
        let mut stored = json!({ "structure": structure, "limit": limit });
        if structure
            .get("sequence")
            .or(structure.get("achievements"))
            .is_none()
        {
            stored["trigger"] = json!({ "eventType": "a" });
        }
        Incentive::parse(&stored).expect("an incentive")
    }

    fn day(day: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(2026, 11, day).expect("a date")
    }

    fn on(number: u32, amount: &str) -> Evidence {
        Evidence {
            day: day(number),
            occurred_at: day(number).and_time(chrono::NaiveTime::MIN).and_utc(),
            amount: amount.parse().expect("a number"),
            steps: 1,
            stops: false,
        }
    }

    /// The words for an award on the last of these days.
    fn why(incentive: &Incentive, period_key: &str, remembered: Vec<Evidence>, known: &[Evidence]) -> String {
        let earned_on = known.last().expect("something").day;
        let award = Award {
            period_key: period_key.to_owned(),
            ordinal: 2,
            earned_on,
            completion: super::super::Completion {
                day: earned_on,
                nth: 1,
            },
        };
        let grounds = Grounds {
            places: (0..known.len()).collect(),
            remembered,
        };
        text(incentive, &award, &grounds, known)
    }

    #[test]
    fn an_award_says_what_was_asked_what_was_found_and_how_often_it_is_awarded() {
        let streak = json!({ "streak": { "length": 3, "perPeriod": 2, "freezes": 1 } });
        let days = [on(16, "1"), on(16, "1"), on(18, "1"), on(18, "1"), on(19, "2")];
        assert_eq!(
            why(
                &incentive(streak, json!({ "oncePer": "WEEK" })),
                "2026-W47",
                vec![],
                &days
            ),
            "Asked for: 3 days in a row, each with 2 matching events, not counting up to 1 missed day between them. Found: 3 days with \
             6 events, from 2026-11-16 to 2026-11-19; earned on 2026-11-19. Awarded once a week: 2026-W47."
        );
        assert_eq!(
            why(
                &incentive(json!("immediate"), json!("unlimited")),
                "ever",
                vec![],
                &[on(20, "1")]
            ),
            "Asked for: a matching event. Found: 1 event, on 2026-11-20; earned on 2026-11-20. Awarded every time; this is number 2."
        );
        let count = json!({ "count": { "times": 4, "window": "MONTH" } });
        assert_eq!(
            why(
                &incentive(count, json!({ "atMost": 3 })),
                "ever",
                vec![on(2, "3")],
                &[on(20, "1")]
            ),
            "Asked for: 4 matching events within one month. Found: 4 events, from 2026-11-02 to 2026-11-20; earned on 2026-11-20. Of \
             the events, 3 are remembered in sums only. Awarded at most 3 times; this is number 2."
        );
        let total = json!({ "total": { "property": "total", "atLeast": "100.00" } });
        assert_eq!(
            why(
                &incentive(total, json!("once")),
                "once",
                vec![on(2, "12.50")],
                &[on(20, "90")]
            ),
            "Asked for: a sum of 100. Found: a sum of 102.5, from 2026-11-02 to 2026-11-20; earned on 2026-11-20. Of that, 12.5 is \
             remembered as a sum only. Awarded once."
        );
        let sequence =
            json!({ "sequence": { "steps": [{ "eventType": "a" }, { "eventType": "b" }], "within": 7_200 } });
        assert_eq!(
            why(
                &incentive(sequence, json!({ "oncePer": "PROGRAM" })),
                "program",
                vec![],
                &[on(19, "1"), on(20, "1")]
            ),
            "Asked for: 2 steps, one after the other within 2 hours. Found: 2 steps, from 2026-11-19 to 2026-11-20; earned on \
             2026-11-20. Awarded once in the program."
        );
        let achievements = json!({ "achievements": { "of": ["one", "two", "three"], "atLeast": 1 } });
        assert_eq!(
            why(
                &incentive(achievements, json!("once")),
                "once",
                vec![],
                &[on(20, "1")]
            ),
            "Asked for: 1 of 3 incentives. Found: 1 incentive earned, on 2026-11-20; earned on 2026-11-20. Awarded once."
        );
    }

    fn view(current: &str, required: &str, deadline: Option<Deadline>) -> ProgressView {
        ProgressView {
            current: current.parse().expect("a number"),
            required: required.parse().expect("a number"),
            earned: 0,
            run_started_on: None,
            last_counted_on: None,
            deadline,
            stopped_from: None,
        }
    }

    #[test]
    fn what_is_missing_is_said_with_its_deadline() {
        let until = Some(Deadline::EndOf(day(22)));
        let instant: DateTime<Utc> = on(23, "1").occurred_at;
        let steps = json!({ "sequence": { "steps": [{ "eventType": "a" }, { "eventType": "b" }, { "eventType": "c" }], "within": 86_400 } });
        for (structure, view, expected) in [
            (
                json!("immediate"),
                view("0", "1", None),
                "Missing: 1 matching event.",
            ),
            (
                json!({ "streak": { "length": 5 } }),
                view("3", "5", until),
                "Missing: 2 more days in a row, the next until 2026-11-22.",
            ),
            (
                json!({ "streak": { "length": 5, "period": "WEEK" } }),
                view("0", "5", None),
                "Missing: 5 weeks in a row.",
            ),
            (
                json!({ "count": { "times": 3, "window": "WEEK" } }),
                view("2", "3", until),
                "Missing: 1 more matching event within one week, until 2026-11-22.",
            ),
            (
                json!({ "total": { "property": "total", "atLeast": "10" } }),
                view("7.50", "10", None),
                "Missing: a sum of 2.5 more.",
            ),
            (
                steps.clone(),
                view("0", "3", None),
                "Missing: 3 steps, one after the other within 1 day.",
            ),
            (
                steps,
                view("1", "3", Some(Deadline::At(instant))),
                "Missing: 2 more steps after the first 1, until 2026-11-23T00:00:00Z.",
            ),
            (
                json!({ "achievements": { "of": ["one", "two"] } }),
                view("0", "2", None),
                "Missing: all of 2 incentives.",
            ),
            (
                json!({ "achievements": { "of": ["one", "two"] } }),
                view("1", "2", None),
                "Missing: 1 more of the incentives.",
            ),
        ] {
            assert_eq!(missing(&incentive(structure, json!("once")), &view), expected);
        }
    }

    #[test]
    fn where_nothing_can_be_earned_it_says_why() {
        let once = incentive(json!("immediate"), json!("once"));
        assert_eq!(
            missing(&once, &view("1", "1", None)),
            "Nothing is missing: all there is to earn was earned."
        );
        let stopped = ProgressView {
            stopped_from: Some(on(20, "1").occurred_at),
            ..view("0", "1", None)
        };
        assert_eq!(
            missing(&once, &stopped),
            "Nothing counts any more since 2026-11-20."
        );
    }
}
