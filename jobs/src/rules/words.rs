//! The words for why and why not yet: what was asked, what was found, what is missing. Dates, sums and settings, and nothing that
//! an event said about itself.

use std::fmt::Display;

use chrono::{DateTime, SecondsFormat, Utc};
use rust_decimal::Decimal;

use super::calendar::{Period, Window};
use super::definition::{LimitDefinition, StreakDefinition, StructureDefinition};
use super::structure::Deadline;
use super::{Award, Evidence, Grounds, Incentive, ProgressView};

/// What an award rests on, in sentences: what was asked, what was found, how often it is awarded. `grounds` and `evidence` are those
/// of [`explain`](fn@super::explain).
pub fn text(incentive: &Incentive, award: &Award, grounds: &Grounds, evidence: &[Evidence]) -> String {
    let contributed = grounds.evidence(evidence);
    let all: Vec<&Evidence> = contributed.iter().collect();
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
        return format!("Nothing counts any more since {}.", utc(instant));
    }
    let rest = view.required.saturating_sub(view.current).normalize();
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
        Deadline::At(instant) => utc(instant),
    });
    let next = match (&incentive.asked, until) {
        (_, None) => String::new(),
        (StructureDefinition::Streak(_), Some(until)) => format!(", the next until {until}"),
        (_, Some(until)) => format!(", until {until}"),
    };
    let from = match view.not_before {
        Some(day) => format!(", to be earned from {day} on"),
        None => String::new(),
    };
    format!("Missing: {missing}{next}{from}.")
}

/// An instant: which date it is depends on where one is.
fn utc(instant: DateTime<Utc>) -> String {
    instant.to_rfc3339_opts(SecondsFormat::Secs, true)
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
mod tests;
